"""Lengths in ticks as note values: pieces that let the beat be seen, dots, and triplets.

Times are ticks of the house grid (24 a quarter note) from the beginning of a bar. A value's written length is counted
in units of 1/48 quarter note, so that a sixty-fourth is 3 of them: a plain tick is 2 units, a triplet tick 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from .. import timing
from ..score import TICKS_PER_BEAT

BEAT = TICKS_PER_BEAT
PLAIN, TRIPLET = 2, 3  # written units of a tick
FINEST = 3  # ticks of the shortest plain value, a thirty-second
TYPES = {384: "breve", 192: "whole", 96: "half", 48: "quarter", 24: "eighth", 12: "16th", 6: "32nd", 3: "64th"}
VALUES = {units: (name, 0) for units, name in TYPES.items()} | {
    units * 3 // 2: (name, 1) for units, name in TYPES.items() if units > 3
}
IRREGULAR = {5: (3,), 7: (2, 4), 8: (3, 6), 10: (3, 6, 8), 11: (3, 6, 9)}  # units after which groups of x/8 begin


@dataclass(frozen=True)
class Grid:
    """The hierarchy of a bar: each level is a step in ticks or the positions themselves, the strongest first."""

    length: int
    levels: tuple[int | tuple[int, ...], ...]
    pulse: int
    compound: bool

    def rank(self, at: int) -> int:
        """How strong a position is: the strongest level's is the highest."""
        for place, level in enumerate(self.levels):
            if at % level == 0 if isinstance(level, int) else at in level:
                return len(self.levels) - place
        return 0

    def inside(self, start: int, end: int) -> tuple[int, list[int]]:
        """The rank and positions of what is strongest strictly between two positions; rank 0 for nothing."""
        for place, level in enumerate(self.levels):
            if isinstance(level, int):
                found = list(range(start - start % level + level, end, level))
            else:
                found = [at for at in level if start < at < end]
            if found:
                return len(self.levels) - place, found
        return 0, []


@dataclass(frozen=True)
class Cell:
    """A triplet: three in the time of two from `start` to `end`; `base` is its length when whole."""

    start: int
    end: int
    base: int

    @property
    def normal_type(self) -> str:
        return TYPES[max(3, self.base // 3 * TRIPLET)]


@dataclass(frozen=True)
class Piece:
    """A written note or rest; `event` counts the sounding events of the bar."""

    start: int
    end: int
    type: str
    dots: int
    event: int
    cell: Cell | None = None


@lru_cache(maxsize=256)
def grid(numerator: int, denominator: int, length: int) -> Grid:
    """The hierarchy of a bar of `length` ticks, which is shorter than its metre where it is cut off."""
    unit = max(FINEST, 4 * BEAT // denominator)
    pulse = max(FINEST, timing.pulse_ticks(numerator, denominator, BEAT))
    if numerator == 3 and denominator >= 8:
        pulse = 3 * unit
    levels = [max(length, numerator * unit)]
    if (numerator * unit) % (4 * pulse) == 0:
        levels.append(2 * pulse)
    elif numerator % 6 == 0 and pulse == unit:
        levels.append(3 * pulse)
    levels += [pulse, unit]
    while levels[-1] > FINEST:
        levels.append(max(FINEST, levels[-1] // 2))
    steps: list[int | tuple[int, ...]] = list(dict.fromkeys(levels))
    if denominator >= 8 and numerator in IRREGULAR:
        steps.insert(1, tuple(at * unit for at in IRREGULAR[numerator]))
    return Grid(length, tuple(steps), pulse, pulse == 3 * unit)


@lru_cache(maxsize=16)
def _cell_grid(base: int) -> Grid:
    levels, step = [base], base // 3
    while step >= 1:
        levels.append(step)
        step //= 2
    return Grid(base, tuple(levels), base // 3, False)


def _may_stand(start: int, end: int, bar: Grid) -> bool:
    """Whether one note may cover the span with the beat still to be seen (its length being notatable)."""
    rank, positions = bar.inside(start, end)
    begins, ends = bar.rank(start), bar.rank(end)
    if bar.compound and any(at % bar.pulse == 0 for at in positions):
        return start % bar.pulse == 0 and end % bar.pulse == 0
    if begins >= rank:
        return True
    centred = positions == [(start + end) // 2]  # a syncopation: short, long, short
    return begins + 1 == rank and (centred or ends >= rank)


def _may_rest(start: int, end: int, bar: Grid) -> bool:
    return end - start in bar.levels and start % (end - start) == 0


@lru_cache(maxsize=100_000)
def _split(start: int, end: int, bar: Grid, scale: int, rest: bool) -> tuple[tuple[int, int], ...]:
    """A span as spans of one value each, cut where the bar is strongest."""
    may = _may_rest if rest and scale == PLAIN else _may_stand
    rank, positions = bar.inside(start, end)
    if (end - start) * scale in VALUES and (not positions or may(start, end, bar)):
        return ((start, end),)
    if not positions:  # shorter than anything the grid knows: a bar cut off within a triplet
        return ((start, end),)
    cut = positions[0]
    if bar.rank(start) >= rank:
        cut = next((at for at in reversed(positions) if (at - start) * scale in VALUES), positions[-1])
    return _split(start, cut, bar, scale, rest) + _split(cut, end, bar, scale, rest)


def _small_cells(start: int, size: int, edges: set[int], found: list[Cell], length: int) -> None:
    """Triplets from `start` on within `size` ticks: one of the whole, or of its halves where its middle is struck."""
    inner = [at - start for at in edges if start < at < min(start + size, length)]
    uneven = [at for at in inner if at % FINEST] or (start + size > length and (length - start) % FINEST)
    if not uneven:
        return
    thirds = {size // 3, 2 * size // 3} <= set(inner)
    if size > FINEST and size // 2 in inner and not thirds and start + size <= length:
        for half in (start, start + size // 2):
            _small_cells(half, size // 2, edges, found, length)
    else:
        found.append(Cell(start, min(start + size, length), size))


def _long_cell(start: int, size: int, edges: set[int], length: int) -> bool:
    """Whether a triplet of quarters or halves stands at `start`."""
    end = start + size
    if end > length or not {start, end} <= edges or start + size // 2 in edges:
        return False
    inner = [at - start for at in edges if start < at < end]
    return bool(inner) and all(at % (size // 6) == 0 for at in inner) and any(at % FINEST for at in inner)


def cells(spans: Sequence[tuple[int, int, bool]], bar: Grid) -> list[Cell]:
    """The triplets of a bar, given its (start, end, is a rest) without gap or overlap."""
    edges = {at for start, end, _ in spans for at in (start, end)}
    if all(at % FINEST == 0 for at in edges):
        return []
    unit = max(FINEST, bar.pulse // 3 if bar.compound else min(BEAT, bar.pulse))
    for start, end, rest in spans:  # a rest may be cut at any beat
        edges.update(range(start - start % unit + unit, end, unit) if rest else ())
    found: list[Cell] = []
    at = 0
    while at < bar.length:
        size = next((long for long in (4 * BEAT, 2 * BEAT) if _long_cell(at, long, edges, bar.length)), 0)
        if size and unit == BEAT:
            found.append(Cell(at, at + size, size))
            at += size
        else:
            _small_cells(at, unit, edges, found, bar.length)
            at += unit
    return found


def pieces(spans: Sequence[tuple[int, int, bool]], bar: Grid) -> list[Piece]:
    """The written notes of one voice in one bar; `spans` are (start, end, is a rest) without gap or overlap."""
    triplets = cells(spans, bar)
    marks = sorted({0, bar.length, *(at for cell in triplets for at in (cell.start, cell.end))})
    zones = [
        (start, end, next((cell for cell in triplets if cell.start == start), None)) for start, end in pairwise(marks)
    ]
    found: list[Piece] = []
    place = 0
    for number, (start, end, rest) in enumerate(spans):
        while zones[place][1] <= start:
            place += 1
        for zone in zones[place:]:
            if zone[0] >= end:
                break
            found += _in_zone(max(start, zone[0]), min(end, zone[1]), zone[2], number, rest, bar)
    return found


def _in_zone(start: int, end: int, cell: Cell | None, number: int, rest: bool, bar: Grid) -> list[Piece]:
    if cell is None:
        spans, scale = _split(start, end, bar, PLAIN, rest), PLAIN
    else:
        inside, scale = _cell_grid(cell.base), TRIPLET
        moved = _split(start - cell.start, end - cell.start, inside, TRIPLET, rest)
        spans = tuple((first + cell.start, last + cell.start) for first, last in moved)
    return [Piece(first, last, *VALUES.get((last - first) * scale, ("64th", 0)), number, cell) for first, last in spans]
