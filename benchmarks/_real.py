"""Real pieces of a style that were not trained on, as its model would have to say them, whole or in spans."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from partimento.corpus import prepared
from partimento.corpus.encode import replaced
from partimento.describe import describe, level
from partimento.encodings import Encoding, Unencodable
from partimento.errors import FormatError, MusicError
from partimento.evaluation import MEASURES, listen
from partimento.formats import load
from partimento.score import DEFAULT_METRE, Score
from partimento.timing import Clock
from partimento.transform import cut

HELD_OUT = ("valid", "test")
FEWEST = 20  # real pieces to compare with; where there are fewer of like length, longer ones are cut
FIFTH = 0.2  # of a style's scale, at either end: what stands for an extreme
BEGINNING = ("upbeat", "starts_with_rest", "first_degree")  # measures that say nothing of a span from within a piece
ENDING = (
    "last_bar_filled", "end_gap", "authentic_close", *(name for name in MEASURES if name.startswith("final_")),
)  # fmt: skip


@dataclass(frozen=True)
class Style:
    """Where real music of a style lies, and which instruments stand for which in training."""

    packs: tuple[str, ...]
    programs: str = ""


STYLES = {
    "chorale": Style(("bach_chorales_jsb",), "0=52"),
    "hymn": Style(("hymns",), "0=52"),
    "motet": Style(("choral",)),
    "bach": Style(("bach",)),
    "baroque": Style(("baroque",)),
    "classical": Style(("classical", "mozart", "haydn", "beethoven")),
    "romantic-piano": Style(("romantic_piano", "chopin", "schumann", "schubert", "etudes")),
    "lieder": Style(("lieder",), "68=52"),
    "strings": Style(("strings",)),
    "guitar": Style(("guitar",)),
    "ragtime": Style(("ragtime",)),
    "folk": Style(("irish_tunes",)),
    "song": Style(("songs", "christmas", "folk")),
}


@dataclass(frozen=True)
class Extreme:
    """A control at one end of its scale: its name, the value asked for, its field, range and the style's scale."""

    control: str
    value: float
    field: str
    low: float
    high: float
    scale: Sequence[float]

    def of(self, score: Score) -> float:
        """Where a score lies on the scale: the mean of its bars."""
        return float(level(self.field, describe(score).measures[self.field], self.scale).mean())

    @property
    def is_high(self) -> bool:
        return self.value > (self.low + self.high) / 2

    @property
    def limit(self) -> float:
        """Where the fifth of the scale begins, or ends, that stands for the extreme."""
        return self.low + (self.high - self.low) * (1 - FIFTH if self.is_high else FIFTH)


@dataclass
class Real:
    """Measures of held-out pieces by split, their metres, how many are spans, and what could not be read."""

    measures: dict[str, list[dict[str, float]]] = field(default_factory=lambda: {split: [] for split in HELD_OUT})
    metres: Counter = field(default_factory=Counter)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    held_out: int = 0
    spans: int = 0
    levels: list[float] = field(default_factory=list)  # on the scale of an extreme, where one is asked for

    @property
    def all(self) -> list[dict[str, float]]:
        return [piece for split in HELD_OUT for piece in self.measures[split]]

    def take(self, part: Part, bars: int) -> None:
        self.measures[part.split].append(part.measures(bars))
        self.metres[metre_of(part.score)] += 1
        self.spans += part.is_span


@dataclass(frozen=True)
class Part:
    """A held-out piece, or a span of one: whether it holds the beginning and the end of its piece."""

    split: str
    score: Score
    begins: bool = True
    ends: bool = True

    @property
    def is_span(self) -> bool:
        return not (self.begins and self.ends)

    def measures(self, bars: int) -> dict[str, float]:
        """Its measures, comparable with pieces of `bars` bars."""
        if not self.is_span:
            return listen(self.score, span=bars)
        silent = (*(() if self.begins else BEGINNING), *(() if self.ends else ENDING))
        return {name: value for name, value in listen(self.score).items() if name not in silent}


def real_pieces(style: Style, data: Path, encoding: Encoding, bars: int, metres: set | None) -> Real:
    """Held-out pieces about as long as `bars` in one of `metres` (None: any), by split.

    Where there are fewer than `FEWEST`, longer ones are cut at bar lines: their last `bars` bars first, then those
    before, as far as are needed.
    """
    real = Real()
    parts = list(_read(style, data, encoding, real))
    low, high = whole_range(bars)
    for part in parts:
        if low <= full_bars(part.score) <= high and _in(part, metres):
            real.take(part, bars)
    if len(real.all) < FEWEST:
        long = [list(spans(part, bars)) for part in parts if full_bars(part.score) > high]
        for rank in range(max(map(len, long), default=0)):
            for part in (one[rank] for one in long if rank < len(one)):
                if _in(part, metres):
                    real.take(part, bars)
            if len(real.all) >= FEWEST:
                break
    return real


def real_extremes(style: Style, data: Path, encoding: Encoding, bars: int, metres: set, extreme: Extreme) -> Real:
    """Held-out pieces and spans that lie in the fifth of the scale where the extreme is; else the `FEWEST` nearest."""
    real, low, high = Real(), *whole_range(bars)
    found: list[tuple[float, Part]] = []
    for part in _read(style, data, encoding, real):
        length = full_bars(part.score)
        for one in [part] if low <= length <= high else spans(part, bars):
            found.append((extreme.of(one.score), one))
    found.sort(key=lambda pair: -pair[0] if extreme.is_high else pair[0])
    alike = [pair for pair in found if _in(pair[1], metres)]
    found = alike if len(alike) >= FEWEST else found
    inside = [pair for pair in found if (pair[0] >= extreme.limit) == extreme.is_high]
    for value, part in inside if len(inside) >= FEWEST else found[:FEWEST]:
        real.take(part, bars)
        real.levels.append(value)
    return real


def _in(part: Part, metres: set | None) -> bool:
    return metres is None or metre_of(part.score) in metres


def _read(style: Style, data: Path, encoding: Encoding, real: Real) -> Iterator[Part]:
    """Every held-out piece that can be read and encoded; the others are noted in `real`."""
    for pack in style.packs:
        folder = data / "packs" / pack
        with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
            entries = [entry for entry in csv.DictReader(file) if entry["split"] in HELD_OUT]
        real.held_out += len(entries)
        for entry in entries:
            try:
                yield Part(entry["split"], as_trained(load(folder / entry["file"]), style.programs, encoding))
            except (FormatError, Unencodable, MusicError) as error:
                real.skipped.append((entry["file"], str(error)))


def as_trained(score: Score, programs: str, encoding: Encoding) -> Score:
    """The score as the model of its style would have to say it."""
    return encoding.decode(encoding.encode(encoding.heard(replaced(prepared(score), programs))))


def spans(part: Part, bars: int) -> Iterator[Part]:
    """Spans of so many bars, cut at bar lines, from the end of a piece to its beginning; silent ones are left out."""
    starts = Clock(part.score).bar_starts[bool(part.score.upbeat) :]
    stop = part.score.end
    for number in range(len(starts) // bars):
        first = len(starts) - (number + 1) * bars
        score = cut(part.score, int(starts[first]), stop)
        stop = int(starts[first])
        if len(score):
            yield Part(part.split, score, begins=stop == 0, ends=number == 0)


def whole_range(bars: int) -> tuple[int, int]:
    """Bars of the real pieces that are set beside pieces of `bars` bars as a whole."""
    return bars // 2, bars * 5 // 2


def full_bars(score: Score) -> int:
    return len(Clock(score).bars) - bool(score.upbeat)


def metre_of(score: Score) -> tuple[int, int]:
    """The metre that the score begins in."""
    return (score.metres[0].numerator, score.metres[0].denominator) if score.metres else DEFAULT_METRE
