"""Ticks inside; other clocks are asked for by name: seconds, beats, bars."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .errors import BadOption
from .score import DEFAULT_METRE, DEFAULT_TEMPO, Metre, Score, Tempo

MICROSECONDS_A_MINUTE = 60_000_000
COMPOUND = (6, 9, 12)  # numerators whose beats are grouped in threes where the denominator is 8 or 16


def bar_ticks(numerator: int, denominator: int, ticks_per_beat: int) -> int:
    """Length in ticks of a bar of `numerator`/`denominator`, a beat being a quarter note; at least 1."""
    return max(1, numerator * 4 * ticks_per_beat // denominator)


def pulse_ticks(numerator: int, denominator: int, ticks_per_beat: int) -> int:
    """Length of the felt beat: a dotted note in compound metres (6/8, 9/8, 12/8), else one denominator unit."""
    unit = max(1, 4 * ticks_per_beat // denominator)
    return unit * 3 if numerator in COMPOUND and denominator >= 8 else unit


def parse_metre(text: str) -> tuple[int, int]:
    """ "3/4" as (3, 4)."""
    match = re.fullmatch(r"\s*(\d{1,2})\s*/\s*(1|2|4|8|16)\s*", text)
    if not match or not int(match[1]):
        raise BadOption(f"no metre {text!r}; write it like 4/4, 3/4 or 6/8")
    return int(match[1]), int(match[2])


@dataclass(frozen=True)
class Bar:
    """One bar: `start` and `end` in ticks and its metre; an upbeat is a bar shorter than its metre."""

    start: int
    end: int
    numerator: int
    denominator: int


class Clock:
    """The clocks of one score: ticks to and from seconds, and the bars."""

    def __init__(self, score: Score):
        self.score = score
        self.tempos = score.tempos or (Tempo(0, DEFAULT_TEMPO),)

    @cached_property
    def _tempo_table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ticks where tempi begin, the seconds there, seconds a tick from there; each (M,)."""
        ticks = np.array([max(0, tempo.tick) for tempo in self.tempos], dtype=float)
        ticks[0] = 0.0
        pace = np.array([60.0 / tempo.bpm / self.score.ticks_per_beat for tempo in self.tempos])
        seconds = np.concatenate([[0.0], np.cumsum(np.diff(ticks) * pace[:-1])])
        return ticks, seconds, pace

    def seconds(self, tick) -> np.ndarray | float:
        """Seconds at `tick` (a number or an array)."""
        ticks, seconds, pace = self._tempo_table
        at = np.clip(np.searchsorted(ticks, tick, side="right") - 1, 0, None)
        value = seconds[at] + (np.asarray(tick) - ticks[at]) * pace[at]
        return float(value) if np.ndim(value) == 0 else value

    def tick(self, seconds: float) -> int:
        """The tick nearest to `seconds`."""
        ticks, starts, pace = self._tempo_table
        at = max(0, int(np.searchsorted(starts, seconds, side="right")) - 1)
        return round(ticks[at] + (seconds - starts[at]) / pace[at])

    @cached_property
    def bars(self) -> tuple[Bar, ...]:
        """Every bar up to the end of the music, the upbeat (if any) first."""
        score, found, start = self.score, [], 0
        end = score.end
        changes, metre = list(score.metres), Metre(0, *DEFAULT_METRE)  # 4/4 until the first metre, as MIDI has it
        while changes and changes[0].tick <= score.upbeat:
            metre = changes.pop(0)
        if score.upbeat:
            found.append(Bar(0, score.upbeat, metre.numerator, metre.denominator))
            start = score.upbeat
        while start < end or not found:
            while changes and changes[0].tick <= start:
                metre = changes.pop(0)
            stop = start + bar_ticks(metre.numerator, metre.denominator, score.ticks_per_beat)
            if changes and start < changes[0].tick < stop:
                stop = changes[0].tick  # a change of metre always begins a bar
            found.append(Bar(start, stop, metre.numerator, metre.denominator))
            start = stop
        return tuple(found)

    @cached_property
    def bar_starts(self) -> np.ndarray:
        """The ticks at which bars begin, (bars,)."""
        return np.array([bar.start for bar in self.bars])

    def bar_at(self, tick) -> np.ndarray:
        """Index into `bars` of the bar that `tick` lies in (a number or an array)."""
        return np.clip(np.searchsorted(self.bar_starts, tick, side="right") - 1, 0, len(self.bars) - 1)


def duration_seconds(score: Score) -> float:
    """Seconds from tick 0 to the end of the last note."""
    return float(Clock(score).seconds(score.end))
