"""Gates and attention in figures that a person can read: how long a layer remembers, where a head looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..score import TICKS_PER_BEAT

NEAR = 1e-6
FARTHEST = 999.0  # steps


@dataclass(frozen=True)
class Gates:
    """One recurrent layer: how open each gate is at each step in each unit, 0 to 1."""

    layer: str
    kind: str  # "lstm" or "gru"
    names: tuple[str, ...]
    values: np.ndarray  # (gates, T, units)

    def named(self) -> dict[str, np.ndarray]:
        return dict(zip(self.names, self.values, strict=True))


@dataclass(frozen=True)
class Attention:
    """One layer of a Transformer: the share of its attention that each step gives to those before it and itself."""

    layer: str
    weights: np.ndarray  # (heads, T, T), rows adding up to 1


@dataclass(frozen=True)
class Inside:
    """What was seen inside a model, layer by layer; `first` is the first of the steps, where not all were seen."""

    gates: tuple[Gates, ...] = ()
    attention: tuple[Attention, ...] = ()
    first: int = 0
    remark: str = ""


def gate_figures(values: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Of gates (T, units) by name: how open each is on the average (0 to 1), and its course over the steps (T,).

    Where there is a forget gate (LSTM) or an update gate (GRU), `remembers` is the number of steps after which half
    of what a unit holds is gone: ln 1/2 over ln of its mean openness, the median of the units.
    """
    found: dict[str, Any] = {
        name: {"mean": float(value.mean()), "course": np.round(value.mean(axis=1), 3).tolist()}
        for name, value in values.items()
    }
    keeps = values.get("forget", values.get("update"))
    if keeps is not None:
        kept = np.clip(keeps.mean(axis=0), NEAR, 1 - NEAR)
        found["remembers"] = float(min(FARTHEST, np.median(np.log(0.5) / np.log(kept))))
    return found


def head_figures(weights: np.ndarray, times: np.ndarray) -> list[dict[str, float]]:
    """Of the attention (heads, T, T) of steps at `times` (T,) ticks, a head each: where it looks, on the average.

    `steps` and `beats` back; `itself`, the share on the step itself; `spread`, over how many steps it is spread
    (2 to the entropy in bits); `first`, the share on the very first step.
    """
    count = weights.shape[1]
    back = np.maximum(0, np.arange(count)[:, None] - np.arange(count)[None])
    beats = np.maximum(0, times[:, None] - times[None]) / TICKS_PER_BEAT
    found = []
    for one in weights:
        entropy = -(one * np.log2(np.clip(one, 1e-12, None))).sum(axis=1)
        found.append(
            {
                "steps": float((one * back).sum(axis=1).mean()), "beats": float((one * beats).sum(axis=1).mean()),
                "itself": float(np.diagonal(one).mean()), "spread": float((2**entropy).mean()),
                "first": float(one[:, 0].mean()),
            }
        )  # fmt: skip
    return found


def looked_at(weights: np.ndarray, at: int, count: int = 3) -> list[tuple[int, float]]:
    """The `count` steps (from 0) that step `at` attends to most, all heads together, with their shares."""
    mean = weights[:, at].mean(axis=0)
    return [(int(n), float(mean[n])) for n in np.argsort(-mean, kind="stable")[:count] if mean[n] > 0]
