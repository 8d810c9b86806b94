"""Whether a loss goes crazy: judged by figures alone, so that a run that goes on sees what an undisturbed one saw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import PartimentoError

JUMP_SHARE, JUMP_NATS = 0.5, 0.5  # a loss jumps where it stands so far above what it was: half as much again and more
MOST_HEARD = 3.0  # jumps above what it was, that a single step counts for: one odd batch is no divergence
FAST, SLOW = 8, 64  # steps over which the loss is averaged: as it is, and as it was
STEADY = 8  # steps on end that it must stand so high; intervals of fewer steps are too short to compare
MOST_SETBACKS = 3  # before a run is given up
SLOWER = 0.5  # of the learning rate, after each


class Diverged(PartimentoError):
    """Training has diverged more often than it is set back for."""


def jump_from(before: float) -> float:
    """The loss, in nats a step, above which one that was `before` has jumped."""
    return before + JUMP_SHARE * abs(before) + JUMP_NATS


def jumps(value: float, before: float) -> bool:
    """Whether a loss of `value` nats a step stands far above one of `before`."""
    return value > jump_from(before)


@dataclass
class Watch:
    """Watches the training loss step by step, and the held-out loss at each evaluation.

    `is_plain`: the loss is one that training only lowers. Of others, such as those of an adversarial family, only
    numbers that are none are taken for a fault.
    """

    is_plain: bool = True
    reason: str = ""  # what is wrong, from the first step that it is so
    seen: int = 0
    first: float = 0.0  # loss of the first step, which is that of a model that knows nothing
    fast: float = 0.0  # running means, weighted towards the latest steps
    slow: float = 0.0
    high: int = 0  # steps on end that `fast` has stood far above `slow`
    lowest: float | None = None  # mean training loss of an interval between evaluations
    best: float | None = None  # held-out loss

    def step(self, loss: float) -> None:
        """Take the training loss of a step, in nats a step of music."""
        if self.reason:
            return
        if not math.isfinite(loss):
            self.reason = f"the training loss is {loss}"
            return
        self.seen += 1
        self.first = loss if self.seen == 1 else self.first
        was = min(self.slow, self.first + abs(self.first))  # twice: the first batch may be an easy one
        most = was + MOST_HEARD * (jump_from(was) - was) if self.seen > FAST else loss
        self.fast += (min(loss, most) - self.fast) / min(self.seen, FAST)
        if self.is_plain and self.seen > FAST and jumps(self.fast, was):
            self.high += 1
            if self.high >= STEADY:
                self.reason = f"the training loss jumped from {was:.3g} to {self.fast:.3g}"
        else:  # what it was is not learnt from a loss that has left it
            self.high = 0
            self.slow += (loss - self.slow) / min(self.seen, SLOW)

    def evaluation(self, train: float, steps: int, valid: float | None) -> None:
        """Take the mean training loss of the `steps` since the last evaluation, and the held-out loss if there is one.

        A held-out loss that rises while the training loss falls is learning by heart and no fault of the rate.
        """
        if self.reason:
            return
        if valid is not None and not math.isfinite(valid):
            self.reason = f"the held-out loss is {valid}"
            return
        enough = self.is_plain and steps >= STEADY and self.lowest is not None
        if enough and jumps(train, self.lowest or 0.0):
            self.reason = f"the training loss rose from {self.lowest:.3g} to {train:.3g}"
        elif enough and train > (self.lowest or 0.0) and None not in (valid, self.best) and jumps(valid, self.best):  # type: ignore[arg-type]
            self.reason = f"the held-out loss jumped from {self.best:.3g} to {valid:.3g}"
        self.lowest = train if self.lowest is None else min(train, self.lowest)
        if valid is not None:
            self.best = valid if self.best is None else min(valid, self.best)

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it; `Watch(**known)` is the same watch again."""
        return asdict(self)


def slowed(setbacks: int) -> float:
    """Share of the planned learning rate after so many setbacks."""
    return SLOWER**setbacks


def given_up(setbacks: list[Mapping[str, Any]], folder: str, kept: str) -> Diverged:
    """The error of a run that was set back too often."""
    last = setbacks[-1]
    return Diverged(
        f"training diverged {len(setbacks)} times, the last time before step {last['at']} ({last['reason']}), with the "
        f"learning rate lowered to {slowed(len(setbacks) - 1):.3g} of its plan. {kept} Begin anew in another folder "
        f"(or delete {folder}) with a lower rate, such as --set rate={last['rate'] * 0.1:.1g}, or more --set batch"
    )
