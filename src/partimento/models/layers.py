"""Layers that the families share: how a step is embedded, how its fields are chosen in a chain, attention."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..encodings.base import Field

LONGEST_WAVE = 24 * 4 * 64  # ticks: 64 bars of 4/4, the slowest rotation by musical time
SHORTEST_WAVE = 6.0


class StepEmbedding(nn.Module):
    """The sum of embeddings of everything that is known when a step begins.

    Of the last step: composed fields and those given after them. Of the coming one: the fields given at the outset.
    The class -1 of a composed field (before the music) has a row of its own, the last.
    """

    def __init__(self, fields: Sequence[Field], width: int):
        super().__init__()
        self.columns = {field.name: column for column, field in enumerate(fields)}
        self.from_last = [field.name for field in fields if not field.given or field.after]
        self.from_coming = [field.name for field in fields if field.given and not field.after]
        self.sizes = {field.name: field.size + (not field.given) for field in fields}
        tables = {field.name: nn.Embedding(self.sizes[field.name], width) for field in fields}
        self.tables = nn.ModuleDict(tables)
        scale = 1 / math.sqrt(len(fields))
        for table in tables.values():
            nn.init.normal_(table.weight, std=scale)

    def forward(self, last: Tensor, coming: Tensor) -> Tensor:
        """Rows (..., columns) of the last and the coming step -> (..., width)."""
        total = torch.zeros((), device=last.device)
        for name in self.from_last:
            index = last[..., self.columns[name]]
            total = total + self.tables[name](torch.where(index < 0, self.sizes[name] - 1, index))
        for name in self.from_coming:
            total = total + self.tables[name](coming[..., self.columns[name]])
        return total


class Heads(nn.Module):
    """Chained heads: each composed field sees the hidden state and every field of its step known before it."""

    def __init__(self, fields: Sequence[Field], width: int, head_width: int, dropout: float):
        super().__init__()
        self.columns = {field.name: column for column, field in enumerate(fields)}
        self.before: dict[str, list[str]] = {}
        self.enter, self.inner, self.leave = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        self.chain = nn.ModuleDict()
        known: list[Field] = []
        for field in (entry for entry in fields if not entry.given):
            self.before[field.name] = [entry.name for entry in known]
            self.enter[field.name] = nn.Linear(width, head_width)
            self.inner[field.name] = nn.Linear(head_width, head_width)
            self.leave[field.name] = nn.Linear(head_width, field.size)
            for entry in known:
                table = nn.Embedding(entry.size, head_width)
                nn.init.normal_(table.weight, std=0.5 / math.sqrt(len(known)))
                self.chain[f"{field.name}_{entry.name}"] = table
            known += [field, *(entry for entry in fields if entry.after == field.name)]
        self.dropout = nn.Dropout(dropout)

    def logits(self, name: str, hidden: Tensor, chosen: Tensor) -> Tensor:
        """Logits (..., classes) of field `name` from hidden (..., width) and known columns (..., columns)."""
        mixed = self.enter[name](hidden)
        for other in self.before[name]:
            mixed = mixed + self.chain[f"{name}_{other}"](chosen[..., self.columns[other]].clamp(min=0))
        return finish(mixed, self.inner[name], self.leave[name], self.dropout)

    def nats(self, hidden: Tensor, steps: Tensor) -> dict[str, Tensor]:
        """Negative log-likelihood (B, T) of each composed field; 0 where its class is -1."""
        found = {}
        for name in self.before:
            logits = self.logits(name, hidden, steps).float()
            target = steps[..., self.columns[name]]
            flat = F.cross_entropy(logits.flatten(0, -2), target.flatten(), ignore_index=-1, reduction="none")
            found[name] = flat.view(target.shape)
        return found


def finish(mixed: Tensor, inner: nn.Module, leave: nn.Module, dropout: nn.Module | None = None) -> Tensor:
    """The last layers of a head, from the sum of all that it sees (..., head width) to logits (..., classes)."""
    mixed = F.gelu(mixed, approximate="tanh")
    entered = dropout(mixed) if dropout is not None else mixed
    return leave(mixed + F.gelu(inner(entered), approximate="tanh"))


class RMSNorm(nn.Module):
    """Root-mean-square normalisation (Zhang and Sennrich 2019), written out so that it exports."""

    def __init__(self, width: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.scale  # runtimes fuse this form


class Rotary(nn.Module):
    """Rotary positions (Su et al. 2021): half of each head turns by the step's index, half by its musical time.

    Relative index tells how many notes ago, relative time how many beats: "what stood here a bar ago" is one angle.
    """

    by_index: Tensor
    by_time: Tensor

    def __init__(self, head_width: int):
        super().__init__()
        pairs = head_width // 4  # of each kind
        index = 10000.0 ** (-torch.arange(pairs) / pairs)
        waves = SHORTEST_WAVE * (LONGEST_WAVE / SHORTEST_WAVE) ** (torch.arange(pairs) / max(1, pairs - 1))
        self.register_buffer("by_index", index, persistent=False)
        self.register_buffer("by_time", 2 * math.pi / waves, persistent=False)

    def angles(self, index: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines (..., head_width / 2) for positions (...)."""
        index, time = torch.broadcast_tensors(index, time)
        turn = torch.cat([index[..., None] * self.by_index, time[..., None] * self.by_time], dim=-1)
        return turn.cos(), turn.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn the two halves of the last axis of `x` against each other."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)
