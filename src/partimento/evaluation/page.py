"""An evaluation as one page of HTML with its plots; nothing in it is fetched from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from ..formats.page import document, row, table
from . import _drawing
from .borrowing import words_of
from .evaluating import Compared, Evaluation
from .metrics import LENGTHS, METRICS
from .telling import LEVEL

SHOWN = 20  # features in the table of what gives it away
PITCH_CLASSES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
ENTRIES = {"pitch_class": PITCH_CLASSES, "note_length": tuple(LENGTHS)}  # names of the entries of a histogram
STYLE = f"""
.many {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 0.5rem; }}
.ours {{ color: {_drawing.OURS}; }} .theirs {{ color: {_drawing.THEIRS}; }}
h1, li, dt {{ overflow-wrap: anywhere; }}
td svg {{ vertical-align: middle; }} td {{ white-space: nowrap; }} body {{ max-width: 66rem; }}
dt {{ font-weight: bold; }}
@media (max-width: 40rem) {{
  table {{ font-size: 10px; }} th, td {{ padding: 0.2rem 0.15rem; white-space: normal; }}
  td:first-child {{ overflow-wrap: anywhere; min-width: 4.5rem; }} td svg {{ width: 64px !important; }}
  body > svg {{ font-size: 20px; overflow: visible; margin: 0.5rem 0; }}
}}
"""


def page(found: Evaluation, names: tuple[str, str] = ("generated", "real")) -> str:
    """The whole page; `names` are those of the two sides."""
    ours, theirs = (escape(name) for name in names)
    body = [
        f'<h1><span class="ours">{ours}</span> beside <span class="theirs">{theirs}</span></h1>',
        f"<p>{said_of(found)}</p>", *(f'<p class="verdict bad">{escape(one)}</p>' for one in found.remarks),
        *_told(found), *_frechet(found), *_metrics(found), *_shapes(found), *_structure(found), *_obeyed(found),
        *_borrowed(found), *_skipped(found), *_definitions(),
    ]  # fmt: skip
    return document(f"{names[0]} beside {names[1]}", body, STYLE)


def said_of(found: Evaluation) -> str:
    """What was compared, in a sentence."""
    sides = []
    for name, side in (("generated", found.generated), ("real", found.real)):
        bars = f"{side.bars[0]} to {side.bars[2]} bars" if side.bars[0] < side.bars[2] else f"{side.bars[0]} bars each"
        sides.append(f"{side.compared} {name} pieces of {side.found} ({bars})")
    played = ", loudness and tempo left out" if found.notes_only else ""
    return f"{' and '.join(sides)}; of each the {found.take} {found.bars} bars{played}; seed {found.seed}."


def number(value: float | None, digits: int = 3) -> str:
    """A figure with about `digits` digits; a dash for none."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def between(interval: Sequence[float] | None, digits: int = 3) -> str:
    return "" if interval is None else f" [{number(interval[0], digits)}, {number(interval[1], digits)}]"


def verdict_of(found: Evaluation) -> str:
    """What the two-sample test says, in words."""
    told = found.told
    if told is None:
        return f"No classifier can judge them: {found.untold}."
    low, high = told.interval
    figure = f"AUC {told.auc:.2f} [{low:.2f}, {high:.2f}]; 0.5 is chance, 1 always."
    decides = "The interval decides."
    if told.p is not None:
        decides = f"Where pieces change sides at random, {100 * told.p:.1f} % reach that; {100 * LEVEL:.0f} % decide."
    if not told.is_sure:
        return f"A classifier does not tell them apart for certain: {figure} {decides}"
    open_yet = " So few pieces leave open how well." if low <= 0.5 else ""
    return f"A classifier tells them apart: {figure} {decides}{open_yet}"


def _told(found: Evaluation) -> Iterator[str]:
    told = found.told
    yield "<h2>Can a classifier tell them apart?</h2>"
    yield f'<p class="verdict">{escape(verdict_of(found))}</p>'
    if told is None:
        return
    yield _drawing.scale(told.auc, told.interval, told.chance)
    chance = "" if told.p is None else f" Where pieces change sides at random, 95 % stay below {told.chance:.2f}."
    yield (
        f'<p class="soft">Classifier: {told.classifier}, over {len(told.tells)} features, judged on pieces it did not '
        f"learn from.{chance}</p>"
    )
    yield "<h2>What gives it away</h2>"
    yield _tells(found)
    yield (
        '<p class="soft">AUC of each feature by itself: the chance that it is larger in a generated piece than in a '
        f"real one. Marked are those farther from 0.5 than {told.feature_chance:.2f}, which the best of so many "
        "reaches by chance one time in twenty. The quartiles are those of generated (upper) and real pieces. Lost: "
        "how much AUC the classifier loses when the feature is mixed up among the pieces judged.</p>"
    )


def _tells(found: Evaluation) -> str:
    told, rows = found.told, []
    assert told is not None
    for one in told.tells[:SHOWN]:
        cells = [
            f"{one.auc:.2f}{between(one.interval, 2)}", number(one.ours[1]), number(one.theirs[1]),
            _drawing.quartiles(one.ours, one.theirs), f"{one.lost:+.3f}",
        ]  # fmt: skip
        mark = " class=kept" if one.strength > told.feature_chance else ""
        rows.append(row(one.name, *cells).replace("<tr>", f"<tr{mark}>", 1))
    return table(("feature", "AUC alone [95 %]", "generated", "real", "quartiles", "lost"), rows)


def _frechet(found: Evaluation) -> Iterator[str]:
    far = found.frechet
    if far is None:
        return
    low, high = far.chance
    yield "<h2>Fréchet distance</h2>"
    yield (
        f"<p>{number(far.distance)}{between(far.interval)} by {far.features} features of our own, squared, in standard "
        f"deviations. Sets of this size from one source lie {number(low)} to {number(high)} apart by chance. "
        "Not the Fréchet Music Distance: that one's features are learnt.</p>"
    )


def _metrics(found: Evaluation) -> Iterator[str]:
    yield "<h2>The field's metrics</h2>"
    rows = []
    for one in found.metrics:
        far = one.apart
        cells = [_value(one.ours, one.ours_interval), _value(one.theirs, one.theirs_interval)]
        cells += [f"{one.pieces[0]}, {one.pieces[1]}", str(one.bars)]
        cells += ["-", "-"] if far is None else [
            number(far.divergence, 2) + between(far.divergence_interval, 2),
            number(far.overlap, 2) + between(far.overlap_interval, 2),
        ]  # fmt: skip
        rows.append(row(one.name, *cells))
    yield table(("mean [95 %]", "generated", "real", "pieces", "bars", "KL divergence", "overlap"), rows)
    yield (
        '<p class="soft">Divergence (nats) and overlapping area of the distances within the real set and those from '
        "generated to real pieces: 0 and 1 where generated pieces lie among the real ones (Yang and Lerch 2020).</p>"
    )
    yield (
        '<p>Distances <span class="ours">within generated</span>, <span class="theirs">within real</span> and '
        "(dashed) between them:</p>"
    )
    plots = (_drawing.densities(one.apart.density, one.name) for one in found.metrics if one.apart)
    yield '<div class="many">' + "".join(plots) + "</div>"


def _value(value: Any, interval: Sequence[float] | None) -> str:
    if value is None:
        return "-"
    return "below" if isinstance(value, list) else number(value) + between(interval)


def _shapes(found: Evaluation) -> Iterator[str]:
    """Histograms and matrices, means over the pieces."""
    for one in found.metrics:
        if isinstance(one.ours, list) and isinstance(one.theirs, list):
            entries = ENTRIES[one.name.rsplit("_", 1)[0]]
            draw = _drawing.matrices if isinstance(one.ours[0], list) else _drawing.bars
            yield f"<h3>{escape(one.name)}</h3>" + draw(one.ours, one.theirs, entries, one.name)


def _structure(found: Evaluation) -> Iterator[str]:
    yield "<h2>Structure</h2><p>How alike the bars of a piece are, mean of the pieces; bars go down and across.</p>"
    names = [str(bar + 1) for bar in range(found.bars)]
    yield _drawing.matrices(*found.similarity, names, "self-similarity")


def _obeyed(found: Evaluation) -> Iterator[str]:
    told = found.obedience
    if not told.pieces and not told.unread:
        return
    yield "<h2>Control accuracy</h2>"
    yield f"<p>Generated pieces that say what they were asked for: {told.pieces}.</p>"
    rows = [row(one.name, str(len(one.asked)), number(one.correlation, 2) + between(one.correlation_interval, 2),
                number(one.error, 2) + between(one.error_interval, 2)) for one in told.controls]  # fmt: skip
    if rows:
        yield table(("control", "pieces", "rank correlation [95 %]", "mean error [95 %]"), rows)
        plots = (_drawing.scatter(one.asked, one.obtained, one.name) for one in told.controls)
        yield '<div class="many">' + "".join(plots) + "</div>"
    rows = [row(one.name, str(one.pieces), f"{100 * one.share:.0f} %{_percent(one.interval)}") for one in told.wishes]
    if rows:
        yield table(("asked", "pieces", "as asked [95 %]"), rows)
    yield _listed(told.unread)


def _percent(interval: Sequence[float]) -> str:
    return f" [{100 * interval[0]:.0f}, {100 * interval[1]:.0f}]"


def _borrowed(found: Evaluation) -> Iterator[str]:
    if found.borrowed is not None:
        yield "<h2>Originality</h2><ul>"
        yield from (f"<li>{escape(line)}</li>" for line in words_of(found.borrowed))
        yield "</ul>"


def _skipped(found: Evaluation) -> Iterator[str]:
    for name, side in (("generated", found.generated), ("real", found.real)):
        if side.skipped:
            yield f"<h2>Left out of the {name} pieces</h2>{_listed(side.skipped)}"


def _listed(pairs: Sequence[tuple[str, str]]) -> str:
    return "<ul>" + "".join(f"<li><code>{escape(a)}</code>: {escape(b)}</li>" for a, b in pairs) + "</ul>" * bool(pairs)


def _definitions() -> Iterator[str]:
    """What each metric is, in its own words."""
    yield "<h2>Definitions</h2><dl>"
    for name, metric in METRICS.items():
        function = getattr(metric.function, "func", metric.function)
        words = " ".join((function.__doc__ or "").split())
        yield f"<dt>{escape(name)}</dt><dd>{escape(words)} <i>{escape(metric.source)}</i></dd>"
    yield "</dl>"


__all__ = ["Compared", "between", "number", "page", "said_of", "verdict_of"]
