"""Composes pieces of styles and sets them beside held-out real ones, measure by measure.

    python benchmarks/listen.py --style chorale folk --pieces 100 --bars 16 --seed 1 --json listen.json
    python benchmarks/listen.py --model base.partimento --at happiness=9

Real pieces are those that the packs' manifests hold out (splits valid and test), of half to two and a half times the
bars, taken through the encoding that the style is trained in, so that both sides can say the same things. What grows
with the length of the music (scope "span", marked *) is taken of their last `--bars` bars. A style with fewer than 20
such pieces is compared with spans of its longer ones too, cut at bar lines. `--real-only` composes nothing and sets
the valid split beside the test split: how often real music itself falls out. `--at` asks for an extreme and compares
with the real pieces and spans that lie in that fifth of the style's own scale.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from _figures import DATA, announce, keep, origin, table, write_json
from _real import STYLES, Extreme, Real, metre_of, real_extremes, real_pieces, whole_range

from partimento import model_file, styles
from partimento.asking import CONTROLS
from partimento.encodings import Encoding, get_encoding
from partimento.errors import PartimentoError
from partimento.evaluation import MEASURES, Row, compare, listen, reference, typicality
from partimento.formats import roll
from partimento.score import Score

CARD = styles.FOLDER / "listening.json"
LOOKED_AT = 10  # pieces drawn
ODDEST = 5  # pieces named as least typical
PLAIN = {"name": "notes", "snap": 0.05}  # the encoding of real pieces where no model says


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    announce(where := origin("listen.py", arguments, options.seed))
    report: dict[str, Any] = {**where, "styles": {}}
    for name in options.style or known_styles(options):
        report["styles"][name] = of_style(name, options)
        if options.json:
            write_json(options.json, report)
    print("\n".join(["", *overview(report["styles"])]))
    if options.card and not options.at and not options.real_only:
        for name, one in report["styles"].items():
            keep(CARD, model_of(name, options), where | {"bars": options.bars}, {name: one["figures"]})
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Sets composed pieces beside held-out real ones.")
    parser.add_argument("--style", nargs="+", choices=list(STYLES), help="(default: all of the model, or all shipped)")
    parser.add_argument("--pieces", type=int, default=100, help="composed a style")
    parser.add_argument("--bars", type=int, default=16, help="of each piece")
    parser.add_argument("--seed", type=int, default=1, help="of the first piece; the next has the next")
    parser.add_argument("--model", type=Path, help="a model file (default: the styles that are shipped)")
    parser.add_argument("--at", type=wish, metavar="CONTROL=VALUE", help="ask for an extreme, like happiness=9")
    parser.add_argument("--all-metres", action="store_true", help="compare with real pieces in any metre")
    parser.add_argument("--real-only", action="store_true", help="compose nothing: valid split beside test split")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path, help="write all figures there, after each style")
    parser.add_argument("--card", action="store_true", help=f"put the figures where model cards look: {CARD.name}")
    parser.add_argument("--look", type=Path, help=f"draw the rolls of the {LOOKED_AT} first pieces into this folder")
    return parser.parse_args(arguments)


def wish(text: str) -> tuple[str, float]:
    """ "happiness=9" as ("happiness", 9.0)."""
    name, _, value = text.partition("=")
    if name not in CONTROLS or not value.replace(".", "", 1).isdigit():
        raise argparse.ArgumentTypeError(f"no extreme {text!r}; write one of {', '.join(CONTROLS)} like happiness=9")
    return name, float(value)


def known_styles(options: argparse.Namespace) -> list[str]:
    """The styles of the model, or of all that are shipped, for which real pieces are known."""
    there = model_file.read_info(options.model)["styles"] if options.model else styles.shipped()
    return [name for name in STYLES if name in there]


def model_of(name: str, options: argparse.Namespace) -> Path:
    return options.model or styles.find(name, obedient=bool(options.at))


def encoding_of(name: str, options: argparse.Namespace) -> Encoding:
    """The encoding of the model that composes the style; a plain one where none does and none has to."""
    if options.real_only and options.model is None and name not in styles.shipped():
        return get_encoding(**PLAIN)
    return get_encoding(**model_file.read_info(model_of(name, options))["encoding"])


def of_style(name: str, options: argparse.Namespace) -> dict:
    """Everything about one style, printed and returned."""
    print(f"\n== {name}" + (f" at {options.at[0]} {options.at[1]:g}" if options.at else ""), flush=True)
    if options.real_only:
        real = real_of(name, options, None)
        rows = beside(real.measures["valid"], real.measures["test"], options.seed)
        print(f"real valid ({len(real.measures['valid'])}) beside real test ({len(real.measures['test'])})")
        show(rows)
        found = verdict(rows, real.measures["valid"])
        print(line := summary(found))
        return {"rows": [asdict(row) for row in rows], "summary": line, "figures": found | counts(real)}
    scores, seconds = composed(name, options)
    real = real_of(name, options, None if options.all_metres else {metre_of(score) for score in scores})
    generated = [listen(score) for score in scores]
    rows = beside(generated, real.all, options.seed)
    print(f"generated ({len(generated)}) beside real valid and test ({len(real.all)})")
    show(rows)
    found = verdict(rows, generated)
    print(line := summary(found))
    control, other = control_of(real, options.seed)
    odd = oddest(generated, real.all, options.seed)
    print("least typical: " + ", ".join(f"seed {seed} ({value:.2f})" for seed, value in odd))
    return {
        "summary": line, "control": control, "figures": found | {"control": other} | counts(real),
        "rows": [asdict(row) for row in rows], "seconds": seconds, "generated": generated, "least_typical": odd,
    }  # fmt: skip


def counts(real: Real) -> dict[str, int]:
    return {"real": len(real.all), "spans": real.spans}


def control_of(real: Real, seed: int) -> tuple[str, dict]:
    """Real valid beside real test as a line and as figures, printed; both empty where a side is."""
    rows = beside(real.measures["valid"], real.measures["test"], seed)
    if not rows:
        print("control: one of the two real sides is empty")
        return "", {}
    found = verdict(rows, real.measures["valid"])
    print(f"control, real valid beside real test: {summary(found)}")
    print("  not typical there: " + (", ".join(name for name, _ in found["falls_out"]) or "none"))
    return summary(found), found


def composed(name: str, options: argparse.Namespace) -> tuple[list[Score], list[float]]:
    """The pieces, with default settings, and the seconds that each took; the first loads the model too."""
    import partimento

    scores, seconds = [], []
    asked = dict([options.at]) if options.at else {}
    for seed in range(options.seed, options.seed + options.pieces):
        begun = time.perf_counter()
        scores.append(partimento.compose(name, model=options.model, bars=options.bars, seed=seed, **asked))
        seconds.append(time.perf_counter() - begun)
    warm = seconds[1:] or seconds
    print(f"composing: median {np.median(warm):.2f} s a piece, 95 % within {np.percentile(warm, 95):.2f} s, "
          f"first (loads the model) {seconds[0]:.2f} s; metres {counted(map(metre_of, scores))}")  # fmt: skip
    if options.look:
        options.look.mkdir(parents=True, exist_ok=True)
        for number, score in enumerate(scores[:LOOKED_AT]):
            roll.write_png(score, options.look / f"{name}-{options.seed + number}.png")
    return scores, seconds


def real_of(name: str, options: argparse.Namespace, metres: set | None) -> Real:
    """The real pieces to compare with, described in a line."""
    style, encoding, span = STYLES[name], encoding_of(name, options), ""
    if options.at and metres is not None:
        extreme = extreme_of(name, options)
        real = real_extremes(style, options.data, encoding, options.bars, metres, extreme)
        span = (f", of {extreme.control} {min(real.levels):.2f} to {max(real.levels):.2f} "
                f"(the fifth {'above' if extreme.is_high else 'below'} {extreme.limit:.2g})")  # fmt: skip
    else:
        real = real_pieces(style, options.data, encoding, options.bars, metres)
    low, high = whole_range(options.bars)
    cut = f" ({real.spans} of them spans of {options.bars} bars)" if real.spans else ""
    print(
        f"real: {real.held_out} held out in {', '.join(style.packs)}, {len(real.all)} of {low}-{high} bars compared"
        f"{cut}{span}, {len(real.skipped)} not encodable; metres {counted(real.metres.elements())}"
    )
    return real


def extreme_of(name: str, options: argparse.Namespace) -> Extreme:
    """The extreme that is asked for, on the scale of the style."""
    control, value = options.at
    entry, low, high = CONTROLS[control]
    scale = model_file.read_info(model_of(name, options))["styles"][name]["scales"][entry]
    return Extreme(control, value, entry, low, high, scale)


def beside(ours: list[dict[str, float]], theirs: list[dict[str, float]], seed: int) -> list[Row]:
    return compare(ours, theirs, np.random.default_rng(seed))


def oddest(generated: list[dict[str, float]], real: list[dict[str, float]], seed: int) -> list[tuple[int, float]]:
    """Seeds and typicality of the least typical pieces: those to hear first."""
    stored = reference(real)
    values = [(seed + number, typicality(piece, stored)) for number, piece in enumerate(generated)]
    return sorted(values, key=lambda pair: pair[1])[:ODDEST]


def verdict(rows: list[Row], pieces: list[dict[str, float]]) -> dict[str, Any]:
    """Medians inside, pieces and figures beyond what 99 % of real pieces keep to, and the measures that fall out."""
    limits = {row.measure: row.real_range for row in rows}
    beyond = [
        sum(not limits[name][0] <= value <= limits[name][1] for name, value in piece.items() if name in limits)
        for piece in pieces
    ]
    figures = sum(len(limits.keys() & piece.keys()) for piece in pieces)
    return {
        "inside": sum(row.is_typical for row in rows), "measures": len(rows),
        "pieces": len(pieces), "pieces_beyond": sum(count > 0 for count in beyond),
        "beyond": sum(beyond) / max(1, figures),
        "falls_out": [(row.measure, direction(row)) for row in rows if not row.is_typical],
    }  # fmt: skip


def summary(found: dict[str, Any]) -> str:
    """One line: medians inside, pieces and figures beyond what 99 % of real pieces keep to."""
    return (
        f"{found['inside']} of {found['measures']} medians inside the real quartiles; "
        f"{found['pieces_beyond']} of {found['pieces']} pieces beyond 99 % somewhere, "
        f"{100 * found['beyond']:.1f} % of all figures"
    )


def overview(found: dict[str, dict]) -> list[str]:
    """A line a style: how it stands beside real music, and real music beside itself."""
    rows = []
    for name, one in found.items():
        figures = one["figures"]
        control = figures.get("control") or {}
        rows.append((
            name, str(figures["pieces"]), f"{figures['real']}" + f" ({figures['spans']})" * bool(figures["spans"]),
            f"{figures['inside']} of {figures['measures']}", f"{100 * figures['beyond']:.1f} %",
            f"{control['inside']} of {control['measures']}" if control else "-",
            f"{100 * control['beyond']:.1f} %" if control else "-",
            ", ".join(measure for measure, _ in figures["falls_out"]) or "none",
        ))  # fmt: skip
    head = ("style", "pieces", "real (spans)", "medians inside", "figures beyond 99 %", "valid beside test: inside",
            "beyond", "medians outside")  # fmt: skip
    return table(head, rows)


def show(rows: list[Row]) -> None:
    """The table, aligned."""
    head = ("measure", "real q25-q75", "real 1-99 %", "generated median [95 %]", "min-max", "outside", "verdict")
    print("\n".join(table(head, [cells(row) for row in rows])), flush=True)


def direction(row: Row) -> str:
    """Whether a median, or a share, lies within the real quartiles, above or below them."""
    if row.is_typical:
        return "typical"
    by_share = MEASURES[row.measure].is_yes_or_no
    above = row.mean > row.real_mean if by_share else row.median > row.real_quartiles[2]
    return "too high" if above else "too low"


def cells(row: Row) -> tuple[str, ...]:
    """A row's columns; of a 0-or-1 measure the shares of ones."""
    measure = MEASURES[row.measure]
    if measure.is_yes_or_no:
        ends, theirs, centre = ("", ""), f"share {row.real_mean:.2f}", row.mean
    else:
        theirs, centre = f"{short(row.real_quartiles[0])} - {short(row.real_quartiles[2])}", row.median
        ends = f"{short(row.real_range[0])} - {short(row.real_range[1])}", f"{short(row.low)} - {short(row.high)}"
    return (
        row.measure + (" *" if measure.scope == "span" else ""), theirs, ends[0],
        f"{short(centre)} [{short(row.interval[0])}, {short(row.interval[1])}]", ends[1],
        f"{100 * row.outside:.0f} %" if row.outside else "", direction(row),
    )  # fmt: skip


def short(value: float) -> str:
    """Three digits that matter; nothing for a side without an end."""
    return "" if math.isinf(value) else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def counted(things: Iterable[tuple[int, int]]) -> str:
    return ", ".join(f"{metre[0]}/{metre[1]} x{count}" for metre, count in Counter(things).most_common())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PartimentoError as error:
        sys.exit(str(error))
