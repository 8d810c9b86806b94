"""The weights of evaluations, kept to choose from: averaged weights alone, in `checkpoints/` of a run's folder.

The latest few and the likeliest few stay; the rest are deleted, so that a run takes no more room the longer it lasts.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import ModelError
from ..models.base import Composer

if TYPE_CHECKING:
    from .loop import Run

FOLDER = "checkpoints"


def path_of(folder: Path, step: int) -> Path:
    """Where the averaged weights of `step` are kept in a run's folder."""
    return folder / FOLDER / f"step-{step:09d}.safetensors"


def keep(run: Run) -> None:
    """Keep the present averaged weights, and delete those that are neither among the latest nor the likeliest."""
    path = put(run.folder, run.state["step"], run.average)
    judged = {entry["step"]: entry["valid"] for entry in run.state["history"] if "setback" not in entry}
    wanted = {path_of(run.folder, step) for step in worth_keeping(judged, run.plan.keep)}
    wanted |= {path_of(run.folder, 0)} if run.plan.start else set()  # what training began from
    for one in path.parent.glob("step-*"):
        if one not in wanted:
            one.unlink()


def put(folder: Path, step: int, weights: Mapping[str, Tensor]) -> Path:
    """Write weights where those of `step` are kept; the file."""
    path = path_of(folder, step)
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(".partial")
    save_file({name: value.detach().cpu().contiguous() for name, value in weights.items()}, beside)
    beside.replace(path)
    return path


def worth_keeping(judged: Mapping[int, float | None], count: int) -> set[int]:
    """The latest `count` steps and the `count` with the lowest held-out nats."""
    known = {step: valid for step, valid in judged.items() if valid is not None}
    return set(sorted(judged)[-count:]) | set(sorted(known, key=lambda step: (known[step], step))[:count])


def weights(folder: Path, step: int) -> dict[str, Tensor]:
    """The averaged weights of `step`; raises `ModelError` where they are damaged or not there."""
    path = path_of(folder, step)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a whole checkpoint ({error}); delete it, the others are chosen from") from error


def composer(run: Run, step: int) -> Composer:
    """The run's model with the averaged weights of `step`, on the processor."""
    model = copy.deepcopy(run.model).cpu().eval()
    model.load_state_dict(weights(run.folder, step))
    return model
