"""How long to train: steps, epochs, notes or minutes, all turned into steps before the first one is taken."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..corpus import Cache
from .batches import Batches

if TYPE_CHECKING:
    from .loop import TrainingPlan

TIMED_STEPS = 12  # steps that are timed to turn minutes into steps; a third as many before them are warm-up
TIMED_SECONDS = 5.0  # after which a process that is alone has timed enough
FEWEST_STEPS = 20  # however few minutes there are
KEPT_FREE = 0.05  # of the minutes, for saving and for choosing at the end
MOST_JUDGING = 0.5  # of the minutes may go into judging what is held out


def windows_in(cache: Cache, window: int) -> int:
    """Windows of `window` steps that the training pieces fill, each piece its own: what an epoch is made of."""
    return sum(-(-(piece.length - 1) // window) for piece in cache.of("train"))


def notes_a_window(batches: Batches) -> float:
    """Notes of music in a window, on the average of what `Batches` draws."""
    total = 0.0
    for style, share in zip(batches.styles, batches.shares, strict=True):
        pieces = batches.by_style[style]
        heard = (min(batches.window, p.length - 1) * p.notes / max(1, p.length - 1) for p in pieces)
        total += float(share) * sum(heard) / len(pieces)
    return total


def steps_an_epoch(cache: Cache, plan: TrainingPlan) -> float:
    """Steps in which as many windows are drawn as the training music fills."""
    return windows_in(cache, plan.window) / (plan.batch * plan.processes)


def planned_steps(cache: Cache, batches: Batches, plan: TrainingPlan) -> int:
    """The plan's steps, epochs or notes as steps; 0 where minutes decide."""
    if plan.epochs:
        return max(1, math.ceil(plan.epochs * steps_an_epoch(cache, plan)))
    if plan.notes:
        return max(1, math.ceil(plan.notes / (notes_a_window(batches) * plan.batch * plan.processes)))
    return plan.steps


def pace(take_step: Callable[[], object], is_alone: bool = False) -> float:
    """Seconds a step, by timing the first few; every process of a run must do this together.

    One that `is_alone` stops early where steps are slow.
    """
    for _ in range(TIMED_STEPS // 3):
        take_step()
    started, taken = time.monotonic(), 0
    while taken < TIMED_STEPS and not (is_alone and taken and time.monotonic() - started > TIMED_SECONDS):
        take_step()
        taken += 1
    return (time.monotonic() - started) / taken


def steps_for(minutes: float, seconds_a_step: float, seconds_to_judge: float, evaluations: int, every: int = 0) -> int:
    """Steps that fit into `minutes` together with so many evaluations, or with one `every` so many steps."""
    free = minutes * 60 * (1 - KEPT_FREE)
    if every:
        steps = free / (seconds_a_step + min(seconds_to_judge / every, seconds_a_step * MOST_JUDGING))
    else:
        steps = max(free * (1 - MOST_JUDGING), free - evaluations * seconds_to_judge) / seconds_a_step
    return max(FEWEST_STEPS, int(steps))
