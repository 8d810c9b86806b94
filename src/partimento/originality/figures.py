"""Plain figures: what anybody may use. Which notes of a line only go on with a figure that is under way.

Scales, repeated notes, trills, broken chords and repeated patterns carry no authorship, however many notes they have.
A note goes on with a figure where

- the last steps have repeated themselves with a period of one to eight notes, each step of the same size (repeated,
  second, third, wider) and direction and after the same time, for a whole period and three notes at least: scales and
  repeated notes (period 1), trills (2), broken chords, sequences, ostinati;
- in even rhythm five steps or more in a row are leaps or turn back each time: broken chords, Alberti and murky basses;
- four notes or more stand on one pitch, in whatever rhythm.

A note that does not is one of a run's *own* notes, and these alone are counted.
"""

from __future__ import annotations

import copy
from operator import ge

import numpy as np

PERIODS = range(1, 9)
FEWEST = 3  # steps that must have repeated
IN_A_ROW = 5  # leaps or turns
ON_A_PITCH = 3  # steps of no size
SIZES = (1, 3, 5)  # semitones from which a step is a second, a third, wider
REMEMBERED = 2 * max(PERIODS)  # steps that a figure is known by
OSTINATO = range(1, 17)  # onsets after which an accompaniment repeats itself


def kinds_of(intervals: np.ndarray) -> np.ndarray:
    """Direction and size class of steps in semitones, -3 to 3."""
    return np.sign(intervals) * np.searchsorted(SIZES, np.abs(intervals), side="right")


def plain(intervals: np.ndarray, waits: np.ndarray | None, begins: np.ndarray) -> np.ndarray:
    """Which notes only go on with a figure, (N,) bool.

    `intervals` and `waits` (N,) lead from each note to the next, those of the last note of a line count nothing;
    `begins` (lines,) are the places at which lines begin. Without `waits` rhythm is no matter.
    """
    count = len(intervals)
    steps = np.arange(1, count + 1) - begins[np.searchsorted(begins, np.arange(count), side="right") - 1]
    kinds, found = kinds_of(intervals.astype(np.int64)), np.zeros(count, dtype=bool)
    rhythm = np.zeros(count, dtype=np.int64) if waits is None else waits
    for period in PERIODS:
        same = np.zeros(count, dtype=bool)
        same[period:] = (kinds[period:] == kinds[:-period]) & (rhythm[period:] == rhythm[:-period])
        found |= _in_a_row(same & (steps > period)) >= max(period, FEWEST)
    even, turns = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    even[1:] = rhythm[1:] == rhythm[:-1]
    turns[1:] = kinds[1:] * kinds[:-1] < 0
    found |= _in_a_row(even & (turns | (np.abs(kinds) > 1)) & (steps > 1)) >= IN_A_ROW
    found |= _in_a_row((kinds == 0) & (steps > 0)) >= ON_A_PITCH
    found[1:] = found[:-1]  # a step makes the note it leads to plain
    found[begins] = False
    return found


def _in_a_row(true: np.ndarray) -> np.ndarray:
    """How many are true in a row up to each place, (N,)."""
    at = np.arange(1, len(true) + 1)
    return at - np.maximum.accumulate(np.where(true, 0, at))


def repeating(track: np.ndarray, onset: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """Which notes of whole tracks belong to an accompaniment that goes on repeating itself, (N,) bool.

    Stride and waltz basses, tremolos, arpeggios and struck chords: of each onset all notes are looked at, how far they
    lie from the lowest one, and by what step and after what time that follows the last. Where these come three times
    with one period of `OSTINATO` onsets, all of them are plain, the first ones too.
    """
    order = np.lexsort((pitch, onset, track))
    track, onset, pitch = (one[order].astype(np.int64) for one in (track, onset, pitch))
    first = np.append(True, (np.diff(track) != 0) | (np.diff(onset) != 0))[: len(track)]
    starts, of = np.flatnonzero(first), np.cumsum(first) - 1
    if len(starts) < 2:
        return np.zeros(len(track), dtype=bool)
    lowest, part = pitch[starts], track[starts]
    shape = np.add.reduceat(1 << np.minimum(pitch - lowest[of], 62), starts)
    kind, wait = np.append(0, kinds_of(np.diff(lowest))), np.append(0, np.diff(onset[starts]))
    wait[np.append(True, np.diff(part) != 0)] = -1  # no step leads to the first onset of a track
    _, step = np.unique(np.stack([part, shape, kind, wait], axis=1), axis=0, return_inverse=True)
    change = np.zeros(len(starts) + 1, np.int64)
    for period in OSTINATO:
        same = np.zeros(len(starts), dtype=bool)
        same[period:] = step[period:] == step[:-period]
        row = _in_a_row(same)
        ends = np.flatnonzero(same & ~np.append(same[1:], False) & (row >= max(2 * period, 2 * FEWEST)))
        np.add.at(change, ends + 1 - row[ends] - period, 1)
        np.subtract.at(change, ends + 1, 1)
    found = np.zeros(len(track), dtype=bool)
    found[order] = (np.cumsum(change[:-1]) > 0)[of]
    return found


class Figures:
    """The same, note by note: what the steps so far would make of the next one."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []  # (kind, wait) of the latest steps, the last one first
        self.repeated = [0] * len(PERIODS)
        self.leaping = self.still = 0

    def step(self, interval: int, wait: int) -> tuple[list[int], int, int]:
        """The counts after a step of `interval` semitones and `wait` ticks."""
        kind = KINDS[interval + 128]
        now = kind, wait
        repeated = [count + 1 if now == then else 0 for count, then in zip(self.repeated, self.steps, strict=False)]
        goes_on = False
        if self.steps:
            before, waited = self.steps[0]
            goes_on = waited == wait and (kind > 1 or kind < -1 or kind * before < 0)
        return repeated, self.leaping + 1 if goes_on else 0, self.still + 1 if kind == 0 else 0

    def would_be_plain(self, interval: int, wait: int) -> bool:
        """Whether a note after that step would only go on with a figure."""
        return _is_plain(*self.step(interval, wait))

    def take(self, interval: int, wait: int) -> bool:
        """Go that step; whether its note is plain."""
        repeated, self.leaping, self.still = self.step(interval, wait)
        self.steps = [(KINDS[interval + 128], wait), *self.steps[: len(PERIODS) - 1]]
        self.repeated = repeated + [0] * (len(PERIODS) - len(repeated))
        return _is_plain(repeated, self.leaping, self.still)

    def fork(self) -> Figures:
        """The same steps so far, to go on otherwise."""
        return copy.copy(self)  # its lists are never changed in place


def _is_plain(repeated: list[int], leaping: int, still: int) -> bool:
    return leaping >= IN_A_ROW or still >= ON_A_PITCH or any(map(ge, repeated, NEEDED))


NEEDED = [max(period, FEWEST) for period in PERIODS]
KINDS = kinds_of(np.arange(-128, 128)).tolist()
