"""Tuning a trained model to other music: the recipe for it, and where a style that the model has not begins.

At the end the weights are also tried part of the way back to where they began (Wortsman et al. 2022, "Robust
fine-tuning of zero-shot models"): music of a kind that the model knows well is best served so, other music is not.

A style that is new to a model has a row of its own in the model's table of styles, which nothing has trained. It
begins with that of the known style with which the model predicts the new music best.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .. import model_file
from ..corpus import Piece
from . import kept
from .judging import judge_pieces, some

if TYPE_CHECKING:
    from .loop import Run

# measured, see docs/training.md
RECIPE: dict[str, Any] = {
    "rate": 1e-3, "batch": 4, "most_epochs": 20.0, "evaluations": 8,
}  # fmt: skip
OPTIONS: dict[str, Any] = {"dropout": 0.1}  # of the family
SHARES = (0.3, 0.5, 0.7)  # of the way from the weights that training began from to its last ones
STYLE = "style"
MOST_COMPARED = 2_000  # steps of music, of all new styles together, that known styles are compared by
FEWEST_COMPARED = 400  # steps of each


def settle(run: Run) -> None:
    """Give each style that is new the row of the known style that predicts it best; noted in the state.

    A model without a table of styles is left as it is.
    """
    table = _table(run.model.state_dict())
    if table is None:
        return
    known = model_file.read_info(Path(run.plan.start))["encoding"]["styles"]
    styles = [style for style in run.batches.styles if style not in known]
    most = max(FEWEST_COMPARED, MOST_COMPARED // max(1, len(styles)))
    original, like = table.clone(), {}
    for style in styles:
        pieces = some([piece for piece in run.cache.of("train") if piece.style == style], most)
        row = 1 + run.encoding.styles.index(style)
        nats = {}
        for other in known:
            table[row] = original[1 + known.index(other)]
            nats[other] = _nats(run, pieces)
        if nats:
            best = min(nats, key=lambda name: nats[name])
            like[style] = {"like": best, "nats": nats[best], "row": row, "of": 1 + known.index(best)}
        table[row] = original[row]
    run.state["like"] = like
    take_rows(run, like)


def take_rows(run: Run, like: dict[str, Any]) -> None:
    """Copy the rows of styles that `settle` has found, in the weights and in their average."""
    for weights in (run.model.state_dict(), run.average):
        table = _table(weights)
        if table is not None:
            before = table.clone()
            for found in like.values():
                table[found["row"]] = before[found["of"]]


def remark(like: dict[str, Any]) -> list[str]:
    """What `settle` has found, in a sentence a style."""
    return [
        f"{style} begins as {found['like']}, the known style that predicts it best ({found['nats']:.2f} nats a step)"
        for style, found in like.items()
        if style != found["like"]
    ]


def blend(run: Run) -> None:
    """Judge and keep weights between those that training began from and its last ones, as steps behind the last.

    They compete with the others for what is kept. Nothing is done where nothing is held out to judge them by.
    """
    from .leading import entry_of, write_history  # which takes this module's sentences

    history, steps = run.state["history"], run.state["steps"]
    ends = {one["step"]: one["valid"] for one in history if one["step"] in (0, steps) and "setback" not in one}
    is_blended = any("blend" in one for one in history)
    if not run.plan.start or is_blended or len(ends) < 2 or None in ends.values():
        return
    first, last = (kept.weights(run.folder, step) for step in (0, steps))
    for number, share in enumerate(SHARES, 1):
        mixed = {
            name: torch.lerp(first[name], value, share) if value.is_floating_point() else value
            for name, value in last.items()
        }
        held_out, learnt = run.evaluate({name: value.to(run.device) for name, value in mixed.items()})
        kept.put(run.folder, steps + number, mixed)
        before = next(one["train"] for one in reversed(history) if one["step"] == steps)
        history.append({"step": steps + number, "blend": share, **entry_of(held_out, learnt), "train": before})
    run.state["best"] = min(one["valid"] for one in history if one.get("valid") is not None)
    write_history(run)
    run.save(run.last)


def _table(weights: dict[str, Tensor]) -> Tensor | None:
    """The table of styles among the weights of a model, which is not copied; None where there is none."""
    name = next((name for name in weights if name.endswith(f"tables.{STYLE}.weight")), "")
    return weights[name] if name else None


def _nats(run: Run, pieces: list[Piece]) -> float:
    with torch.no_grad():
        return sum(judge_pieces(run, run.model, pieces, run.optional, hits=False).nats.values())
