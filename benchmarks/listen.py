"""Composes pieces of a style and sets them beside held-out real ones, measure by measure.

    python benchmarks/listen.py --style chorale folk --pieces 100 --bars 16 --seed 1 --json listen.json

Real pieces are those that the packs' manifests hold out (splits valid and test), of 8 to 40 bars, taken through the
encoding that the style is trained in, so that both sides can say the same things. What grows with the length of the
music (scope "span", marked *) is taken of their last `--bars` bars. `--real-only` composes nothing and sets the
valid split beside the test split: how often real music itself falls out.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import platform
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from partimento.corpus import prepared
from partimento.encodings import Encoding, Unencodable, get_encoding
from partimento.encodings.notes import melody
from partimento.errors import FormatError
from partimento.evaluation import MEASURES, Row, compare, listen, reference, typicality
from partimento.formats import load, roll
from partimento.machine import processor
from partimento.score import DEFAULT_METRE, Score
from partimento.timing import Clock

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
WHOLE = (8, 40)  # bars of the real pieces that are compared
LOOKED_AT = 10  # pieces drawn
ODDEST = 5  # pieces named as least typical


@dataclass(frozen=True)
class Style:
    """Where real music of a style lies, and how it is trained on."""

    pack: str
    encoding: str
    melody_only: bool = False


STYLES = {"chorale": Style("bach_chorales_jsb", "voices"), "folk": Style("irish_tunes", "notes", melody_only=True)}


@dataclass
class Real:
    """Held-out pieces: their measures by split, their metres, and those that could not be read or encoded."""

    measures: dict[str, list[dict[str, float]]]
    metres: Counter
    skipped: list[tuple[str, str]]

    @property
    def all(self) -> list[dict[str, float]]:
        return [piece for pieces in self.measures.values() for piece in pieces]


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    print(f"command: python benchmarks/listen.py {shlex.join(sys.argv[1:] if arguments is None else arguments)}")
    print(f"machine: {processor()}, {os.cpu_count()} cores; seed {options.seed}; {versions()}")
    report = {"command": sys.argv[1:], "machine": processor(), "seed": options.seed, "versions": versions()}
    report["styles"] = {name: of_style(name, options) for name in options.style}
    if options.json:
        options.json.write_text(json.dumps(finite(report), indent=1), encoding="utf-8")
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Sets composed pieces beside held-out real ones.")
    parser.add_argument("--style", nargs="+", default=list(STYLES), choices=list(STYLES))
    parser.add_argument("--pieces", type=int, default=100, help="composed a style")
    parser.add_argument("--bars", type=int, default=16, help="of each piece")
    parser.add_argument("--seed", type=int, default=1, help="of the first piece; the next has the next")
    parser.add_argument("--model", type=Path, help="a model file (default: the styles that are shipped)")
    parser.add_argument("--all-metres", action="store_true", help="compare with real pieces in any metre")
    parser.add_argument("--real-only", action="store_true", help="compose nothing: valid split beside test split")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("PARTIMENTO_DATA", BESIDE)))
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--look", type=Path, help=f"draw the rolls of the {LOOKED_AT} first pieces into this folder")
    return parser.parse_args(arguments)


def of_style(name: str, options: argparse.Namespace) -> dict:
    """Everything about one style, printed and returned."""
    print(f"\n== {name}")
    if options.real_only:
        real = real_pieces(STYLES[name], options, None)
        rows = beside(real.measures["valid"], real.measures["test"], options.seed)
        print(f"real valid ({len(real.measures['valid'])}) beside real test ({len(real.measures['test'])})")
        show(rows)
        print(line := summary(rows, real.measures["valid"]))
        return {"rows": [asdict(row) for row in rows], "summary": line}
    scores, seconds = composed(name, options)
    real = real_pieces(STYLES[name], options, None if options.all_metres else {metre_of(score) for score in scores})
    generated = [listen(score) for score in scores]
    rows = beside(generated, real.all, options.seed)
    print(f"generated ({len(generated)}) beside real valid and test ({len(real.all)})")
    show(rows)
    print(line := summary(rows, generated))
    control = beside(real.measures["valid"], real.measures["test"], options.seed)
    found = {"summary": line, "control": summary(control, real.measures["valid"])}
    print(f"control, real valid beside real test: {found['control']}")
    print("  not typical there: " + (", ".join(row.measure for row in control if not row.is_typical) or "none"))
    odd = oddest(generated, real.all, options.seed)
    print("least typical: " + ", ".join(f"seed {seed} ({value:.2f})" for seed, value in odd))
    return found | {
        "rows": [asdict(row) for row in rows], "seconds": seconds, "generated": generated, "least_typical": odd,
    }  # fmt: skip


def composed(name: str, options: argparse.Namespace) -> tuple[list[Score], list[float]]:
    """The pieces, with default settings, and the seconds that each took; the first loads the model too."""
    import partimento

    scores, seconds = [], []
    for seed in range(options.seed, options.seed + options.pieces):
        begun = time.perf_counter()
        scores.append(partimento.compose(name, model=options.model, bars=options.bars, seed=seed))
        seconds.append(time.perf_counter() - begun)
    warm = seconds[1:] or seconds
    print(f"composing: median {np.median(warm):.2f} s a piece, 95 % within {np.percentile(warm, 95):.2f} s, "
          f"first (loads the model) {seconds[0]:.2f} s; metres {counted(map(metre_of, scores))}")  # fmt: skip
    if options.look:
        options.look.mkdir(parents=True, exist_ok=True)
        for number, score in enumerate(scores[:LOOKED_AT]):
            roll.write_png(score, options.look / f"{name}-{options.seed + number}.png")
    return scores, seconds


def real_pieces(style: Style, options: argparse.Namespace, metres: set | None) -> Real:
    """Measures of the held-out pieces of `style` in one of `metres` (None: any), by split."""
    folder = options.data / "packs" / style.pack
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        entries = [entry for entry in csv.DictReader(file) if entry["split"] in ("valid", "test")]
    real, encoding = Real({"valid": [], "test": []}, Counter(), []), get_encoding(style.encoding)
    for entry in entries:
        try:
            score = as_trained(load(folder / entry["file"]), style, encoding)
        except (FormatError, Unencodable) as error:
            real.skipped.append((entry["file"], str(error)))
            continue
        if WHOLE[0] <= full_bars(score) <= WHOLE[1] and (metres is None or metre_of(score) in metres):
            real.measures[entry["split"]].append(listen(score, span=options.bars))
            real.metres[metre_of(score)] += 1
    print(f"real: {len(entries)} held out in {style.pack}, {len(real.all)} of {WHOLE[0]}-{WHOLE[1]} bars compared, "
          f"{len(real.skipped)} not encodable; metres {counted(real.metres.elements())}")  # fmt: skip
    return real


def as_trained(score: Score, style: Style, encoding: Encoding) -> Score:
    """The score as the model of its style would have to say it."""
    score = prepared(score)
    return encoding.decode(encoding.encode(melody(score) if style.melody_only else score))


def full_bars(score: Score) -> int:
    return len(Clock(score).bars) - bool(score.upbeat)


def metre_of(score: Score) -> tuple[int, int]:
    """The metre that the score begins in."""
    return (score.metres[0].numerator, score.metres[0].denominator) if score.metres else DEFAULT_METRE


def beside(ours: list[dict[str, float]], theirs: list[dict[str, float]], seed: int) -> list[Row]:
    return compare(ours, theirs, np.random.default_rng(seed))


def oddest(generated: list[dict[str, float]], real: list[dict[str, float]], seed: int) -> list[tuple[int, float]]:
    """Seeds and typicality of the least typical pieces: those to hear first."""
    stored = reference(real)
    values = [(seed + number, typicality(piece, stored)) for number, piece in enumerate(generated)]
    return sorted(values, key=lambda pair: pair[1])[:ODDEST]


def summary(rows: list[Row], pieces: list[dict[str, float]]) -> str:
    """One line: medians inside, pieces and figures beyond what 99 % of real pieces keep to."""
    limits = {row.measure: row.real_range for row in rows}
    beyond = [
        sum(not limits[name][0] <= value <= limits[name][1] for name, value in piece.items() if name in limits)
        for piece in pieces
    ]
    figures = sum(len(limits.keys() & piece.keys()) for piece in pieces)
    return (
        f"{sum(row.is_typical for row in rows)} of {len(rows)} medians inside the real quartiles; "
        f"{sum(count > 0 for count in beyond)} of {len(pieces)} pieces beyond 99 % somewhere, "
        f"{100 * sum(beyond) / figures:.1f} % of all figures"
    )


def show(rows: list[Row]) -> None:
    """The table, aligned."""
    head = ("measure", "real q25-q75", "real 1-99 %", "generated median [95 %]", "min-max", "outside", "verdict")
    table = [head, *map(cells, rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(head))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def cells(row: Row) -> tuple[str, ...]:
    """A row's columns; of a 0-or-1 measure the shares of ones."""
    measure = MEASURES[row.measure]
    if measure.is_yes_or_no:
        ends, theirs = ("", ""), f"share {row.real_mean:.2f}"
        centre, above = row.mean, row.mean > row.real_mean
    else:
        theirs = f"{short(row.real_quartiles[0])} - {short(row.real_quartiles[2])}"
        ends = f"{short(row.real_range[0])} - {short(row.real_range[1])}", f"{short(row.low)} - {short(row.high)}"
        centre, above = row.median, row.median > row.real_quartiles[2]
    verdict = "typical" if row.is_typical else "too high" if above else "too low"
    return (
        row.measure + (" *" if measure.scope == "span" else ""), theirs, ends[0],
        f"{short(centre)} [{short(row.interval[0])}, {short(row.interval[1])}]", ends[1],
        f"{100 * row.outside:.0f} %" if row.outside else "", verdict,
    )  # fmt: skip


def short(value: float) -> str:
    """Three digits that matter; nothing for a side without an end."""
    return "" if math.isinf(value) else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def counted(things: Iterable[tuple[int, int]]) -> str:
    return ", ".join(f"{metre[0]}/{metre[1]} x{count}" for metre, count in Counter(things).most_common())


def versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("partimento", "numpy", "onnxruntime", "symusic"))
    return f"python {platform.python_version()}, {packages}"


def finite(value):
    """The same figures with None for what has no end: JSON knows no infinity."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and math.isinf(value) else value


if __name__ == "__main__":
    sys.exit(main())
