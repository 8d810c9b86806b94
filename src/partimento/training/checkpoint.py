"""Checkpoints: one safetensors file with weights, their running average, the optimisers' moments and where it stands.

Written beside and renamed, so that a killed run always finds a whole one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, safe_open, save_file
from torch import Tensor, nn

from ..errors import ModelError

Optimisers = Mapping[str, torch.optim.Optimizer]


def save(path: Path, model: nn.Module, average: Mapping[str, Tensor], optimisers: Optimisers, state: dict) -> None:
    """Write everything that resuming needs to `path`; `state` is JSON."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.items()}
    for key, optimiser in optimisers.items():
        for index, entry in optimiser.state_dict()["state"].items():
            for name, value in entry.items():
                tensors[f"optimiser.{key}/{index}.{name}"] = torch.as_tensor(value)
    _write(path, {name: value.detach().cpu().contiguous() for name, value in tensors.items()}, state)


def _write(path: Path, tensors: Mapping[str, Tensor], state: dict) -> None:
    beside = path.with_suffix(".partial")
    save_file(dict(tensors), beside, metadata={"state": json.dumps(state)})
    beside.replace(path)


def restate(path: Path, state: dict, average: Mapping[str, Tensor] | None = None) -> None:
    """Give the checkpoint `path` another state; with `average`, other weights, and none but those."""
    if average is None:
        tensors = load_file(path)
    else:
        tensors = {f"{kind}.{name}": value.clone() for kind in ("model", "average") for name, value in average.items()}
    _write(path, tensors, state)


def peek(path: Path) -> dict[str, Any]:
    """The state that was saved in `path`, without its tensors; raises `ModelError` where the file is damaged."""
    try:
        with safe_open(path, framework="pt") as handle:
            return json.loads(handle.metadata()["state"])
    except (SafetensorError, KeyError, ValueError, TypeError, OSError) as error:
        raise ModelError(f"{path}: not a whole checkpoint ({error}); delete it to begin anew") from error


def load(path: Path, model: nn.Module, average: dict[str, Tensor], optimisers: Optimisers) -> dict[str, Any]:
    """Read `path` into the model, its average and the optimisers; the state that was saved with it."""
    state = peek(path)
    try:
        tensors = load_file(path)
        model.load_state_dict({name[6:]: value for name, value in tensors.items() if name.startswith("model.")})
        for name in average:
            average[name] = tensors[f"average.{name}"].to(average[name].device)
        for key, optimiser in optimisers.items():
            _load_moments(optimiser, key, tensors)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        problem = str(error).splitlines()[0]
        raise ModelError(f"{path}: damaged, or of another model ({problem}); delete it to begin anew") from error
    return state


def _load_moments(optimiser: torch.optim.Optimizer, key: str, tensors: Mapping[str, Tensor]) -> None:
    moments: dict[int, dict[str, Tensor]] = {}
    prefix = f"optimiser.{key}/"
    for name, value in tensors.items():
        if name.startswith(prefix):
            index, _, moment = name[len(prefix) :].partition(".")
            moments.setdefault(int(index), {})[moment] = value
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
