"""Steering: what a model is told of a control is corrected, bar by bar, by what has been heard so far.

A model obeys a control only more or less; who tells it 9 may get 7. So after each bar the controls are measured on
the music as it stands, and the error is added to what is told from then on: an integral controller, as any loop
that is to have no lasting error (Åström and Murray 2008, "Feedback Systems", chapter 10).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .describe import Bars, measured, share
from .describe.scales import TEN
from .encodings.base import Cursor, Plan
from .errors import MusicError
from .score import NOTE, Metre, Score, Track

GAIN = 0.35  # of the error that is added after a bar
MOST = 0.5  # of the scale that can be added in all
RECENT = 6  # bars whose error counts
FIRST = 2  # bars that must stand before anything can be said


class Steering:
    """Corrects the controls of pieces that are composed side by side after one plan."""

    def __init__(self, plan: Plan, cursors: Sequence[Cursor], scales: Mapping[str, Sequence[float]]):
        self.cursors, self.scales, self.plan = cursors, scales, plan
        self.names = [name for name in plan.controls if name in scales and np.ndim(plan.controls[name])]
        self.bars = [0] * len(cursors)
        self.added = [dict.fromkeys(self.names, 0.0) for _ in cursors]

    def step(self, n: int) -> None:
        """Take note of a finished step of piece `n`."""
        cursor: Any = self.cursors[n]
        if not self.names or not cursor.notes:
            return
        bar = cursor.bar_at(cursor.time)
        if bar > self.bars[n]:
            self.bars[n] = bar
            if bar - cursor.first >= FIRST:
                self._correct(n, cursor, bar)

    def _correct(self, n: int, cursor: Any, bar: int) -> None:
        """Measure the bars before `bar` and change what is told from it on."""
        try:
            heard = measured(Bars(standing(cursor, bar)))
        except MusicError:  # drums alone so far
            return
        for name in self.names:
            wanted = np.array([_as_share(name, value) for value in self.plan.controls[name]])
            found = share(heard[name], self.scales[name])
            at = np.arange(max(cursor.first, bar - RECENT), bar)
            at = at[at - cursor.first < len(found)]
            if not len(at):
                continue
            error = float((wanted[np.minimum(at, len(wanted) - 1)] - found[at - cursor.first]).mean())
            added = float(np.clip(self.added[n][name] + GAIN * error, -MOST, MOST))
            self.added[n][name] = added
            told = np.clip(wanted + added, 0, 1)
            cursor.controls[name] = tuple((1 + 9 * told if name in TEN else told).tolist())


def standing(cursor: Any, bar: int) -> Score:
    """What has been composed before bar number `bar`, from the first composed bar on."""
    begin, end = int(cursor.starts[cursor.first]), int(cursor.starts[bar])
    rows = np.array([(o - begin, d, p, v, 0) for o, d, p, v, *_ in cursor.notes if o < end], dtype=NOTE)
    rows["duration"] = np.minimum(rows["duration"], end - begin - rows["onset"])
    sounds = [(program, part) for o, *_, program, part in cursor.notes if o < end]
    known = sorted(set(sounds))
    rows["track"] = [known.index(sound) for sound in sounds]
    tracks = tuple(Track("", program) for program, _ in known)
    return Score(rows, tracks or (Track(),), metres=(Metre(0, *cursor.bars[cursor.first][2:4]),))


def _as_share(name: str, value: float) -> float:
    return (value - 1) / 9 if name in TEN else value
