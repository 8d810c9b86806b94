"""Following a piece of the encoding `events` while it is composed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..score import TICKS_PER_BEAT
from . import _given as given_fields
from ._gaps import END, LONGEST_WAIT
from ._places import Bars
from .base import Cursor, Plan

if TYPE_CHECKING:
    from .events import Encoding

HALF_BEAT = TICKS_PER_BEAT // 2  # what an event of the plain form lasts
LEFT = 512  # events to come are told apart up to this many
LONGEST_DURATION = 16 * TICKS_PER_BEAT
LONGEST_SILENCE = 1.0  # bars


class PlainCursor(Cursor):
    """As many events as the plan's bars have half beats, the upbeat's among them."""

    def __init__(self, encoding: Encoding, plan: Plan):
        self.controls = dict(plan.controls)
        classes = given_fields.plan_classes(plan, encoding.styles)
        self.classes = {name: classes[name] for name in ("style", "key")} if encoding.told else {}
        self.allowed = np.ones(len(encoding.vocabulary), dtype=bool)
        bars = Bars(plan)
        self.length = max(1, (bars.end - bars.begin) // HALF_BEAT)
        self.at, self.left = 0, self.length * HALF_BEAT

    def start(self) -> dict[str, int]:
        return {**self.given({}), "token": -1}

    def given(self, chosen: Mapping[str, int]) -> dict[str, int]:
        if chosen or not self.classes:
            return {}
        return {**self.classes, "left": 1 + min(self.length - self.at, LEFT - 1)}

    def legal(self, name: str, chosen: Mapping[str, int]) -> np.ndarray:
        return self.allowed

    def push(self, chosen: Mapping[str, int]) -> bool:
        self.at += 1
        self.time, self.left = self.at * HALF_BEAT, (self.length - self.at) * HALF_BEAT
        return self.at < self.length


class TimedCursor(Cursor):
    """Events in time, to exactly the plan's bars; no pitch is struck while it sounds."""

    def __init__(self, encoding: Encoding, plan: Plan):
        self.plan, self.bars, self.told = plan, Bars(plan), encoding.told
        self.controls = dict(plan.controls)
        classes = given_fields.plan_classes(plan, encoding.styles)
        self.classes = {name: classes[name] for name in ("style", "key", "tempo")} if encoding.told else {}
        self.pitches = encoding.vocabulary.sounds
        self.stops = np.zeros(128, dtype=np.int64)  # when each pitch stops sounding, in ticks from the first bar line
        self.now = self.begin = self.bars.begin
        self.last_duration, self.started = 0, False
        self.left = self.bars.end - self.begin

    def start(self) -> dict[str, int]:
        nothing = {"wait": -1, "token": -1, "duration": -1}
        if not self.told:
            return nothing
        left = 1 + min(self.plan.bars, given_fields.BARS_LEFT)
        return {**self.classes, **nothing, "metre": self.bars.metre, "place": 0, "bars_left": left}

    def closes(self, chosen: Mapping[str, int]) -> bool:
        return chosen.get("wait") == END

    def given(self, chosen: Mapping[str, int]) -> dict[str, int]:
        if not chosen:
            return self.classes
        if len(chosen) > 1 or not self.told:
            return {}
        if chosen["wait"] == END:
            return {"metre": 0, "place": 0, "bars_left": 0}
        return self.bars.given(self._onset(chosen))

    def _onset(self, chosen: Mapping[str, int]) -> int:
        return self.now + (chosen["wait"] if self.started else 0)  # the first wait is only that from the bar line

    def legal(self, name: str, chosen: Mapping[str, int]) -> np.ndarray:
        if name == "wait":
            return self._legal_wait()
        onset = self._onset(chosen)
        if name == "token":
            return self._free_from() <= onset
        durations = 1 + np.arange(LONGEST_DURATION)
        shortest = self.last_duration if self.started and not chosen["wait"] else 0
        return (durations > shortest) & (durations <= self.bars.end - onset)

    def _free_from(self) -> np.ndarray:
        """The tick from which on none of its pitches sounds any more, of each word, (words,)."""
        return np.where(self.pitches, self.stops, 0).max(axis=1)

    def _legal_wait(self) -> np.ndarray:
        allowed = np.zeros(END + 1, dtype=bool)
        if not self.started:
            allowed[min(self.begin, LONGEST_WAIT) if self.told else 0] = True
            return allowed
        free, to_end = int(self._free_from().min()) - self.now, self.bars.end - self.now
        silent = max(0, int(self.stops.max()) - self.now) + int(LONGEST_SILENCE * self.bars.bar)
        nearest = max(1, free)
        allowed[nearest : min(LONGEST_WAIT, to_end - 1, max(nearest, silent)) + 1] = True
        allowed[0] = free <= 0 and self.last_duration < min(LONGEST_DURATION, to_end)
        allowed[END] = self.now >= self.bars.last or not allowed.any()
        return allowed

    def push(self, chosen: Mapping[str, int]) -> bool:
        if chosen["wait"] == END:
            return False
        self.now, self.started = self._onset(chosen), True
        self.last_duration = chosen["duration"] + 1
        self.stops[self.pitches[chosen["token"]]] = self.now + self.last_duration
        self.time, self.left = self.now, self.bars.end - self.now
        return True
