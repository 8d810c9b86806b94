"""Following a piece of the encoding `pianoroll` while it is composed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..instruments import RANGES
from ..score import DRUM_PROGRAM, TICKS_PER_BEAT
from . import _given as given_fields
from . import _places as places
from .base import Cursor, Plan

if TYPE_CHECKING:
    from .pianoroll import Encoding

STEP = TICKS_PER_BEAT // 4
PITCHES = 128


def programs_of(plan: Plan | None, tracks: int) -> list[int]:
    """What plays each roll: the programs asked for that have pitches, in order, the last one also what is left."""
    wanted = _pitched(plan)
    return [wanted[min(track, len(wanted) - 1)] for track in range(tracks)]


def _pitched(plan: Plan | None) -> list[int]:
    return [program for program in (plan.programs if plan else ()) if program != DRUM_PROGRAM] or [0]


class PianorollCursor(Cursor):
    """Rolls, step by step, to exactly the bars of the plan.

    A pitch that begins to sound is struck. Something sounds in the first step, and as the last bar begins.
    """

    def __init__(self, encoding: Encoding, plan: Plan):
        self.controls = dict(plan.controls)
        self.names, self.rolls, self.told = [entry.name for entry in encoding.given], encoding.rolls, encoding.told
        self.classes = given_fields.plan_classes(plan, encoding.styles) if encoding.told else {}
        self.bars = places.Bars(plan)
        self.length = (self.bars.end - self.bars.begin) // STEP
        self.last_bar = max(0, -(-(self.bars.last - self.bars.begin) // STEP))  # the step with which it begins
        players = [[program] for program in programs_of(plan, len(self.rolls))]
        if len(players) == 1:  # any of those that are to play
            players = [_pitched(plan)]
        self.ranges = {names[0]: _range_of(group) for names, group in zip(self.rolls, players, strict=True)}
        self.sounding = {sounding: np.zeros(PITCHES, dtype=bool) for sounding, _ in self.rolls}
        self.struck = {struck: sounding for sounding, struck in self.rolls}
        self.at, self.left = 0, self.length * STEP

    def start(self) -> dict[str, Any]:
        return {**self.given({}), **{name: np.full(PITCHES, -1) for roll in self.rolls for name in roll}}

    def given(self, chosen: Mapping[str, Any]) -> dict[str, int]:
        if chosen:
            return {}
        tick = self.bars.begin + self.at * STEP
        levels = [name for name in self.names if name in given_fields.DESCRIPTORS]
        return {
            **self.classes,
            **given_fields.level_classes(self.controls, tick // self.bars.bar, levels),
            **(self.bars.given(tick) if self.told else {}),
        }

    def legal(self, name: str, chosen: Mapping[str, Any]) -> np.ndarray:
        return chosen[self.struck[name]] > 0 if name in self.struck else self.ranges[name]

    def due(self, name: str, chosen: Mapping[str, Any]) -> np.ndarray:
        if name not in self.struck:
            return super().due(name, chosen)
        sounding = self.struck[name]
        return np.flatnonzero((chosen[sounding] > 0) & ~self.sounding[sounding])

    def least(self, name: str, chosen: Mapping[str, Any]) -> int:
        if name != self.rolls[-1][0] or self.at not in (0, self.last_bar):
            return 0
        return int(not any(chosen[sounding].any() for sounding, _ in self.rolls[:-1]))  # the last if no other does

    def push(self, chosen: Mapping[str, Any]) -> bool:
        for sounding, _ in self.rolls:
            self.sounding[sounding] = chosen[sounding] > 0
        self.at += 1
        self.time, self.left = self.at * STEP, (self.length - self.at) * STEP
        return self.at < self.length


def _range_of(programs: Sequence[int]) -> np.ndarray:
    """Which pitches any of the instruments can play, (PITCHES,) bool."""
    spans = [RANGES[program] for program in programs]
    pitches = np.arange(PITCHES)
    return np.any([(pitches >= low) & (pitches <= high) for low, high in spans], axis=0)
