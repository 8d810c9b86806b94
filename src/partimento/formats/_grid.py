"""Music on the house grid, where every time can be written as a note value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..score import TICKS_PER_BEAT, Score
from ..transform import resample

# Steps in ticks that a beat may be divided into, with what each costs: sixteenths, triplets, their halves
STEPS = ((6, 0.0), (8, 0.1), (4, 0.25), (3, 0.3), (2, 0.6))


def on_house_grid(score: Score) -> Score:
    """The same music at 24 ticks a quarter; what does not lie on that grid is brought to notatable times."""
    if score.ticks_per_beat == TICKS_PER_BEAT:
        return score
    notes = score.notes
    ends = notes["onset"] + notes["duration"]
    exact = all(((times * TICKS_PER_BEAT) % score.ticks_per_beat == 0).all() for times in (notes["onset"], ends))
    return resample(score, TICKS_PER_BEAT) if exact else notatable(score)


def notatable(score: Score) -> Score:
    """The score at 24 ticks a quarter, each beat of each track on the simplest division that its notes are near to."""
    moved = resample(score, TICKS_PER_BEAT)
    if not len(moved):
        return moved
    exact = score.notes["onset"] * (TICKS_PER_BEAT / score.ticks_per_beat)
    ends = exact + score.notes["duration"] * (TICKS_PER_BEAT / score.ticks_per_beat)
    beats = np.floor(exact / TICKS_PER_BEAT).astype(np.int64)
    # a beat of one track is one choice; ends fall where the division of their own beat has them
    groups, member = np.unique(beats * len(score.tracks) + score.notes["track"], return_inverse=True)
    cost = np.stack([_cost(exact, step, price, member, len(groups)) for step, price in STEPS])
    step = np.array([size for size, _ in STEPS])[cost.argmin(axis=0)]  # (groups,)
    end_group = np.floor(ends / TICKS_PER_BEAT).astype(np.int64) * len(score.tracks) + score.notes["track"]
    place = np.clip(np.searchsorted(groups, end_group), 0, len(groups) - 1)
    end_step = np.where(groups[place] == end_group, step[place], 6)
    own = step[member]
    notes = score.notes.copy()
    notes["onset"] = np.floor(exact / own + 0.5).astype(np.int64) * own
    stop = np.floor(ends / end_step + 0.5).astype(np.int64) * end_step
    shortest = np.where(stop > notes["onset"], stop - notes["onset"], own)
    notes["duration"] = shortest
    return replace(moved, notes=notes)


def _cost(exact: np.ndarray, step: int, price: float, member: np.ndarray, groups: int) -> np.ndarray:
    """How badly a division suits each group: the mean distance in ticks, and its price."""
    distance = np.abs(exact - np.floor(exact / step + 0.5) * step)
    return np.bincount(member, distance, groups) / np.bincount(member, minlength=groups) + price
