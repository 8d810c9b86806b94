"""Training without gradients: a family that counts reads all of its music at once, for each order that it may have.

A step of such a run is an order: step 3 counts contexts that reach two steps back. Which one is kept is chosen as the
weights of other families are.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..corpus import Cache
from ..encodings import get_encoding
from ..errors import Stopped
from ..models._contexts import Music
from . import kept, report
from .batches import Window, window_of
from .finish import finish
from .judging import MOST_LEARNT, judge
from .leading import write_history
from .progress import Progress
from .stopping import wishes

if TYPE_CHECKING:
    from .loop import Run


def train(run: Run) -> Iterator[Progress]:
    """Count the training music of `run` in every order of its family; leaves the best in `best.safetensors`.

    A run that was killed goes on with the first order that is not counted yet.
    """
    model: Any = run.model
    run.state["steps"] = model.orders[-1] + 1
    run.resume()
    if "chosen" in run.state:
        return
    music, final = music_of(run), None
    with wishes() as wish:
        for order in (order for order in model.orders if order >= run.state["step"]):
            if final:
                yield final
                if wish.is_there:
                    raise Stopped(f"stopped before order {order}; all is in {run.folder}, and the same command goes on")
            final = _tried(run, music, order)
    said, health = finish(run)
    steps, seconds = run.state["steps"], run.state["seconds"]
    final = final or Progress(steps, steps, float("nan"), None, run.state["best"], 0.0, seconds)
    yield replace(final, said=(*final.said, *said), health=health)


def _tried(run: Run, music: Music, order: int) -> Progress:
    """Count in one order, judge it and save all; what is like the order before is not kept beside it."""
    model, state, started = cast(Any, run.model), run.state, time.monotonic()
    before = model.state_spec()["told"]
    model.fit(music, run.encoding, order, seed=run.plan.seed)
    run.average = {name: value.clone() for name, value in model.state_dict().items()}
    seconds = time.monotonic() - started
    state |= {"step": order + 1, "seconds": state["seconds"] + seconds}
    pace = float(music.learnt.sum()) / seconds
    if model.state_spec()["told"] == before:
        said = (f"order {order}: its contexts are those of the order before",)
        steps, best = state["steps"], state["best"]
        found = Progress(order + 1, steps, float("nan"), None, best, pace, state["seconds"], said=said)
    else:
        found = _judged(run, order, pace)
    run.save(run.last)
    return found


def first_said(run: Run) -> list[str]:
    """What is said when counting begins: of the held-out music, and of a budget that it has no use for."""
    asked = [name for name in ("steps", "epochs", "notes") if getattr(run.plan, name)]
    tried = ", ".join(map(str, cast(Any, run.model).orders))
    unused = f"{run.plan.family} counts all of the music once an order and trains no step: {', '.join(asked)} not "
    unused += f"used; orders tried: {tried} (--set model.order=N for one alone)"
    return [run.remark] * bool(run.remark) + [unused] * bool(asked)


def _judged(run: Run, order: int, pace: float) -> Progress:
    """Judge the present counts, note it and keep them; `pace`: steps of music counted a second."""
    state, model = run.state, cast(Any, run.model)
    held_out, learnt = judge(run, "valid"), judge(run, "train", MOST_LEARNT)
    valid = held_out.total
    state["history"].append(
        {
            "step": state["step"], "valid": valid, **held_out.nats, "train": learnt.total, "learnt": learnt.total,
            "accuracy": held_out.overall, "learnt_accuracy": learnt.overall, "accuracies": held_out.accuracy,
        }
    )  # fmt: skip
    if valid is None or state["best"] is None or valid < state["best"]:
        state["best"] = valid
        run.save(run.best)
    kept.keep(run)
    write_history(run)
    report.write(run)
    said = first_said(run) if order == model.orders[0] else []
    count = len(run.average["heads.keys"])
    said.append(f"order {order} (step {state['step']}): {count:,} counts")
    return Progress(
        state["step"], state["steps"], learnt.total or float("nan"), valid, state["best"], pace, state["seconds"],
        held_out.nats, accuracy=held_out.overall, said=tuple(said),
    )  # fmt: skip


def music_of(run: Run) -> Music:
    """The training music of a run, what is asked for of controls left out."""
    rows, first, learnt, at = [], [], [], 0
    encoding = run.encoding
    controls = [(encoding.columns[one.name], one.width) for one in encoding.given if one.name in run.optional]
    for piece in run.cache.of("train"):
        window = Window(piece.start, piece.length - 1, 0, piece.style)
        lesson = encoding.arranged(*window_of(run.cache, encoding, window, run.scales), None)
        table = lesson.rows.astype(np.int16)
        for column, width in controls:
            table[:, column : column + width] = 0
        counts = lesson.counts.copy()
        counts[0] = False  # before it nothing is known
        rows.append(table)
        first.append(np.full(len(table), at))
        learnt.append(counts)
        at += len(table)
    return Music(np.concatenate(rows), np.concatenate(first), np.concatenate(learnt))


def nats_by_frequency(cache: Cache, split: str) -> float:
    """Nats a step of a split by how often each class was chosen, or unit was on, in training: order 0.

    Each field is counted for itself, whatever is told and whatever was chosen before it; every class once more than
    it was met (Laplace).
    """
    encoding, total = get_encoding(**cache.spec), 0.0
    for entry in encoding.composed:
        columns = slice(encoding.columns[entry.name], encoding.columns[entry.name] + entry.width)
        learnt, judged = (_rows(cache, side, columns) for side in ("train", split))
        if entry.kind == "binary":
            chance = (learnt.sum(axis=0) + 1) / (len(learnt) + 2)
            total -= float(np.where(judged > 0, np.log(chance), np.log1p(-chance)).sum())
        else:
            counts = np.bincount(learnt[:, 0], minlength=entry.size) + 1
            total -= float(np.log(counts / counts.sum())[judged[:, 0]].sum())
    return total / sum(piece.length - 1 for piece in cache.of(split))


def _rows(cache: Cache, split: str, columns: slice) -> np.ndarray:
    """Columns of the steps of a split where something is chosen, (N, columns) int64."""
    rows = [cache.steps[piece.start + 1 : piece.start + piece.length, columns] for piece in cache.of(split)]
    found = np.concatenate(rows).astype(np.int64)
    return found[found[:, 0] >= 0]
