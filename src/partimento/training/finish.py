"""The end of a run: which weights are kept, whether they are fit to be used, and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import checkpoint, curves, kept, report
from .choice import choose
from .health import health_of

if TYPE_CHECKING:
    from .loop import Run


def finish(run: Run) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Choose the weights to keep, leave them in `best.safetensors`; what there is to say, and the run's health."""
    choice = choose(run)
    health = health_of(run, choice)
    run.state |= {"chosen": choice.as_dict(), "health": health}
    state = {**run.state, "step": choice.step}
    if checkpoint.peek(run.best)["step"] == choice.step:
        checkpoint.restate(run.best, state)
    else:
        checkpoint.restate(run.best, state, kept.weights(run.folder, choice.step))
    run.save(run.last)
    path = report.write(run)
    unseen = curves.draw(run)
    return (choice.why, health["verdict"], *unseen, f"report: {path}"), health
