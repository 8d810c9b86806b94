"""Where steps stand in their bars: given fields that encodings share, and the maps of a score that they hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..score import TICKS_PER_BEAT, Key, Metre, Score, Tempo
from ..timing import Clock, bar_ticks
from . import _given as given_fields
from ._gaps import PLACES
from .base import Field, Plan

VELOCITY = 80  # of encodings that hold none


def place_fields(after: str = "") -> tuple[Field, ...]:
    """Metre, place in the bar in ticks, and bars to come."""
    sizes = {"metre": 1 + len(given_fields.METRES), "place": 1 + PLACES, "bars_left": 2 + given_fields.BARS_LEFT}
    return tuple(
        Field(name, "categorical", size, given=True, after=after, droppable=given_fields.SELDOM)
        for name, size in sizes.items()
    )


def places_of(score: Score, ticks: np.ndarray) -> dict[str, np.ndarray]:
    """Classes of `place_fields` of what begins at `ticks` (T,) of a score on the house grid, (T,) each."""
    clock = Clock(score)
    bars, at = clock.bars, clock.bar_at(ticks)
    missing = bar_ticks(bars[0].numerator, bars[0].denominator, TICKS_PER_BEAT) - score.upbeat if score.upbeat else 0
    place = ticks - clock.bar_starts[at] + np.where(at == 0, max(0, missing), 0)
    metres = np.array([given_fields.metre_class(bar.numerator, bar.denominator) for bar in bars])
    return {
        "metre": metres[at],
        "place": 1 + np.minimum(place, PLACES - 1),
        "bars_left": 1 + np.minimum(len(bars) - 1 - at, given_fields.BARS_LEFT),
    }


def first_wait(score: Score) -> int:
    """Ticks from the line of the first bar to the music: what an upbeat leaves out of its bar."""
    first = Clock(score).bars[0]
    return -score.upbeat % bar_ticks(first.numerator, first.denominator, TICKS_PER_BEAT)


def full_bars(score: Score) -> int:
    """How many bars a score on the house grid has, an upbeat aside."""
    return len(Clock(score).bars) - bool(score.upbeat)


def with_maps(score: Score, rows: np.ndarray, ticks: np.ndarray, columns, plan: Plan | None) -> Score:
    """A decoded score with the tempo, metre, key and upbeat that rows (T, columns) at `ticks` (T,) tell."""
    if not len(rows):
        return score
    metres, first = [], rows[0].astype(int)
    place, key = int(first[columns["place"]]), int(first[columns["key"]])
    for at in np.flatnonzero(np.diff(rows[:, columns["metre"]], prepend=-1)):
        if index := int(rows[at, columns["metre"]]):
            start = int(ticks[at]) - max(0, int(rows[at, columns["place"]]) - 1)
            metres.append(Metre(max(0, start), *given_fields.METRES[index - 1]))
    bar = bar_ticks(metres[0].numerator, metres[0].denominator, TICKS_PER_BEAT) if metres else 0
    return replace(
        score,
        tempos=(Tempo(0, plan.tempo if plan else given_fields.class_tempo(int(first[columns["tempo"]]))),),
        metres=tuple(metres),
        keys=(Key(0, *given_fields.class_key(key)),) if key else (),
        upbeat=bar - place + 1 if 1 < place <= bar else 0,
    )


def with_plan(score: Score, plan: Plan | None) -> Score:
    """A decoded score whose steps tell nothing of tempo and metre, with those of the plan."""
    if plan is None:
        return score
    return replace(
        score, tempos=(Tempo(0, plan.tempo),), metres=(Metre(0, *plan.metre),),
        upbeat=plan.upbeat % given_fields.plan_bar(plan),
    )  # fmt: skip


class Bars:
    """The bars of a plan, for a cursor; ticks at 24 a quarter note from the line of the first bar."""

    def __init__(self, plan: Plan):
        self.bar = given_fields.plan_bar(plan)
        self.upbeat = plan.upbeat % self.bar
        self.count = plan.bars + bool(self.upbeat)
        self.begin = self.bar - self.upbeat if self.upbeat else 0  # of the music
        self.end = self.count * self.bar
        self.last = self.end - self.bar  # where the last bar begins
        self.metre = given_fields.metre_class(*plan.metre)

    def given(self, tick: int) -> dict[str, int]:
        """Classes of `place_fields` of what begins at `tick`."""
        bar, place = divmod(tick, self.bar)
        left = self.count - 1 - min(bar, self.count - 1)
        return {
            "metre": self.metre,
            "place": 1 + min(place, PLACES - 1),
            "bars_left": 1 + min(left, given_fields.BARS_LEFT),
        }


def program_of(plan: Plan | None) -> int:
    """The program that plays what an encoding holds without an instrument: the first asked for that has pitches."""
    programs = plan.programs if plan else ()
    return next((program for program in programs if program < 128), 0)
