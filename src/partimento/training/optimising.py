"""Optimisers by name, and the course of the learning rate."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..models.base import Composer

WARM_UP = 0.03  # share of the steps in which the learning rate rises
FLOOR = 0.02  # of the peak learning rate, at the end
MATRIX_DIMENSIONS = 2
# "muon" is what we train with; the others are for recipes that name them
OPTIMISERS = ("muon", "adamw", "adam", "rmsprop")
BETAS = (0.9, 0.98)


def optimisers(
    model: Composer, parameters: list[Tensor], name: str, rate: float, weight_decay: float
) -> list[torch.optim.Optimizer]:
    """The optimisers of one objective; "adam" takes its first beta from the model where it says so (`adam_beta`)."""
    if name == "rmsprop":  # as Keras has it: a decay of 0.9, an epsilon of 1e-7
        return [torch.optim.RMSprop(parameters, lr=rate, alpha=0.9, eps=1e-7, foreach=True)]
    if name == "adam":
        beta: Any = getattr(model, "adam_beta", BETAS[0])
        return [torch.optim.Adam(parameters, lr=rate, betas=(beta, 0.999), eps=1e-7, foreach=True)]
    if name == "adamw":
        return [torch.optim.AdamW(parameters, lr=rate, betas=BETAS, weight_decay=weight_decay, foreach=True)]
    return _muon(model, parameters, rate, weight_decay)


def _muon(model: Composer, parameters: list[Tensor], rate: float, weight_decay: float) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices inside the network, AdamW for tables, last layers, gains and biases.

    On the chorales the same Transformer learnt clearly faster so than with AdamW alone.
    """
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    tables |= {id(layer.weight) for layer in model.heads.leave.values()}
    inner = [p for p in parameters if p.ndim == MATRIX_DIMENSIONS and id(p) not in tables]
    inside = {id(p) for p in inner}
    others = [p for p in parameters if id(p) not in inside]
    adam = [torch.optim.AdamW(others, lr=rate, betas=BETAS, weight_decay=0.01, foreach=True)] if others else []
    if not inner:
        return list(adam)
    muon = torch.optim.Muon(inner, lr=rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
    return [muon, *adam]


def rate_at(step: int, steps: int) -> float:
    """Share of the peak learning rate: a linear rise, then a cosine to `FLOOR`."""
    warm = max(10, int(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    position = min(1.0, (step - warm) / max(1, steps - warm))
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * position))
