"""Layers that the families share: how a step is embedded, how its fields are chosen in a chain, attention."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..encodings.base import Field, columns_of

UNITS_ON = 0.03  # of the 128 pitches, about four sound at a time
PITCHES = 128  # of MIDI
LONGEST_WAVE = 24 * 4 * 64  # ticks: 64 bars of 4/4, the slowest rotation by musical time
SHORTEST_WAVE = 6.0


class StepEmbedding(nn.Module):
    """The sum of embeddings of everything that is known when a step begins.

    Of the last step: composed fields and those given after them. Of the coming one: the fields given at the outset.
    The class -1 of a composed field (before the music) has a row of its own, the last. A binary field enters as the
    sum of a vector for each unit that is on.
    """

    def __init__(self, fields: Sequence[Field], width: int):
        super().__init__()
        self.columns = columns_of(fields)
        classes = [field for field in fields if field.kind == "categorical"]
        self.from_last = [field.name for field in classes if not field.given or field.after]
        self.from_coming = [field.name for field in classes if field.given and not field.after]
        self.sizes = {field.name: field.size + (not field.given) for field in classes}
        self.tables = nn.ModuleDict({field.name: nn.Embedding(self.sizes[field.name], width) for field in classes})
        self.units = nn.ModuleDict(
            {field.name: Units(self.columns[field.name], field.size, width) for field in fields if field not in classes}
        )
        self.units_last = [field.name for field in fields if field.name in self.units and not field.given]
        scale = 1 / math.sqrt(len(fields))
        for table in self.tables.values():
            nn.init.normal_(table.get_parameter("weight"), std=scale)

    def forward(self, last: Tensor, coming: Tensor) -> Tensor:
        """Rows (..., columns) of the last and the coming step -> (..., width)."""
        names = [*self.from_last, *self.from_coming]
        picked = [_rows_of(last[..., self.columns[name]], self.sizes[name]) for name in self.from_last]
        picked += [coming[..., self.columns[name]] for name in self.from_coming]
        found = [summed([self.tables[name] for name in names], picked)] if names else []
        found += [units(last if name in self.units_last else coming) for name, units in self.units.items()]
        return sum_of(found)


class Units(nn.Module):
    """A binary field as the sum of a vector for each of its units that is on; before the music (-1) none is."""

    def __init__(self, first: int, size: int, width: int):
        super().__init__()
        self.first, self.size = first, size
        self.project = nn.Linear(size, width, bias=False)

    def forward(self, rows: Tensor) -> Tensor:
        """Rows (..., columns) -> (..., width)."""
        return self.project(rows[..., self.first : self.first + self.size].clamp(min=0).to(self.project.weight.dtype))


def sum_of(found: Sequence[Tensor]) -> Tensor:
    """The sum of one tensor or more."""
    total = found[0]
    for one in found[1:]:
        total = total + one
    return total


def _rows_of(index: Tensor, size: int) -> Tensor:
    """The class -1, before the music, as the last row of its table."""
    return torch.where(index < 0, size - 1, index)


def summed(tables: Sequence[nn.Module], picked: Sequence[Tensor]) -> Tensor:
    """Sum of a row of each table, by indices (...) each -> (..., width); one fused look-up instead of many."""
    weights: list[Tensor] = [table.get_parameter("weight") for table in tables]
    starts = torch.tensor([0, *(len(weight) for weight in weights[:-1])], device=picked[0].device).cumsum(0)
    index = torch.stack(list(picked), dim=-1) + starts
    found = F.embedding_bag(index.flatten(0, -2), torch.cat(weights), mode="sum")
    return found.view(*picked[0].shape, found.shape[-1])


class Heads(nn.Module):
    """Chained heads: each composed field sees the hidden state and every field of its step known before it.

    What is given after a composed field is summed from tables that all heads share, each with its own view of it.
    The units of a binary field are chosen together, each for itself. With `intervals`, pitches are also scored by
    their intervals to those that are known, see `Intervals`.
    """

    def __init__(self, fields: Sequence[Field], width: int, head_width: int, dropout: float, intervals: int = 0):
        super().__init__()
        self.columns = columns_of(fields)
        self.composed = {field.name: field for field in fields if not field.given}
        self.before: dict[str, list[str]] = {}  # composed fields chosen before
        self.informed: dict[str, list[str]] = {}  # given fields known by then
        self.enter, self.inner, self.leave = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        self.chain, self.told, self.view = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        self.intervals = nn.ModuleDict()
        known: list[Field] = []
        informed: list[str] = []
        for field in self.composed.values():
            self.before[field.name], self.informed[field.name] = [entry.name for entry in known], list(informed)
            self.enter[field.name] = nn.Linear(width, head_width)
            self.inner[field.name] = nn.Linear(head_width, head_width)
            self.leave[field.name] = leaving(head_width, field)
            if informed:
                self.view[field.name] = nn.Linear(head_width, head_width, bias=False)
            for entry in known:
                self.chain[f"{field.name}_{entry.name}"] = self._link(entry, head_width, 0.5 / math.sqrt(len(known)))
            pitches = [entry for entry in fields if entry.pitch_at >= 0 and entry.given and not entry.after]
            pitches += [entry for entry in known if entry.pitch_at >= 0]
            if intervals and pitches and field.pitch_at >= 0:
                self.intervals[field.name] = Intervals(field, pitches, self.columns, head_width, intervals)
            known.append(field)
            later = [entry for entry in fields if entry.after == field.name]
            for entry in later:
                self.told[entry.name] = _table(entry.size, head_width, 1 / math.sqrt(len(later)))
            informed += [entry.name for entry in later]
        self.dropout = nn.Dropout(dropout)

    def _link(self, field: Field, width: int, spread: float) -> nn.Module:
        if field.kind == "categorical":
            return _table(field.size, width, spread)
        return Units(self.columns[field.name], field.size, width)

    def logits(self, name: str, hidden: Tensor, chosen: Tensor) -> Tensor:
        """Logits (..., classes) of field `name` from hidden (..., width) and known columns (..., columns)."""
        return self._logits(name, hidden, chosen, self._heard(name, chosen))

    def _heard(self, name: str, chosen: Tensor) -> Tensor | None:
        """The sum of what is given by the time that `name` is chosen, (..., head width)."""
        names = self.informed[name]
        return summed([self.told[n] for n in names], [chosen[..., self.columns[n]] for n in names]) if names else None

    def _logits(self, name: str, hidden: Tensor, chosen: Tensor, heard: Tensor | None) -> Tensor:
        mixed = self.enter[name](hidden)
        if heard is not None:
            mixed = mixed + self.view[name](heard)
        links = {other: self.chain[f"{name}_{other}"] for other in self.before[name]}
        tables = {other: link for other, link in links.items() if not isinstance(link, Units)}
        if tables:
            picked = [chosen[..., self.columns[other]].clamp(min=0) for other in tables]
            mixed = mixed + summed(list(tables.values()), picked)
        for other in links:
            if other not in tables:
                mixed = mixed + links[other](chosen)
        logits = finish(mixed, self.inner[name], self.leave[name], self.dropout)
        return logits + self.intervals[name](mixed, chosen) if name in self.intervals else logits

    def nats(self, hidden: Tensor, steps: Tensor) -> dict[str, Tensor]:
        """Negative log-likelihood (B, T) of each composed field; 0 where its class is -1."""
        found, heard = {}, None
        names: list[str] = []
        for name in self.before:
            if self.informed[name] != names:
                names, heard = self.informed[name], self._heard(name, steps)
            logits = self._logits(name, hidden, steps, heard).float()
            found[name] = nats_of(self.composed[name], logits, steps, self.columns[name])
        return found


class Intervals(nn.Module):
    """Scores of a field's pitches by their intervals to the pitches of other fields, alike in all keys.

    Each of `sources` has `rank` curves over the intervals; what the head sees says how much of each there is. A fifth
    above the bass is so learnt once, and not for every pitch of the bass (after the relative pitch of Huang et al.
    2018, "Music Transformer", and Hadjeres and Nielsen 2020).
    """

    columns: Tensor
    zeros: Tensor
    pitch: Tensor

    def __init__(self, field: Field, sources: Sequence[Field], columns: dict[str, int], width: int, rank: int):
        super().__init__()
        self.rank = rank
        self.register_buffer("columns", torch.tensor([columns[one.name] for one in sources]), persistent=False)
        self.register_buffer("zeros", torch.tensor([one.pitch_at for one in sources]), persistent=False)
        self.register_buffer("pitch", torch.arange(field.size) - field.pitch_at, persistent=False)
        self.weigh = nn.Linear(width, len(sources) * rank, bias=False)
        self.curves = nn.Parameter(torch.randn(len(sources), rank, 2 * PITCHES - 1) * 0.1)

    def forward(self, mixed: Tensor, chosen: Tensor) -> Tensor:
        """What the head sees (..., width) and known columns (..., columns) -> scores (..., classes); 0 for no pitch."""
        return self.scores(F.gelu(mixed, approximate="tanh"), chosen[..., self.columns] - self.zeros)

    def scores(self, seen: Tensor, known: Tensor) -> Tensor:
        """What the head sees (..., width) and pitches of the sources (..., sources), below 0 for none -> scores."""
        weights = self.weigh(seen).unflatten(-1, (len(self.columns), self.rank))
        curves = torch.einsum("...sr,sri->...si", weights, self.curves)  # over the intervals
        interval = (self.pitch - known[..., None] + PITCHES - 1).clamp(0, 2 * PITCHES - 2)
        scores = curves.gather(-1, interval) * (known >= 0)[..., None]
        return scores.sum(-2) * (self.pitch >= 0)


def leaving(width: int, field: Field) -> nn.Linear:
    """The last layer of a field's head; the units of a binary field begin as seldom on as those of music are."""
    layer = nn.Linear(width, field.size)
    if field.kind == "binary":
        nn.init.constant_(layer.bias, math.log(UNITS_ON / (1 - UNITS_ON)))
    return layer


def nats_of(field: Field, logits: Tensor, steps: Tensor, column: int) -> Tensor:
    """Nats (B, T) of a field from its logits (B, T, size) and steps (B, T, columns); 0 where it holds -1."""
    if field.kind == "categorical":
        target = steps[..., column]
        flat = F.cross_entropy(logits.flatten(0, -2), target.flatten(), ignore_index=-1, reduction="none")
        return flat.view(target.shape)
    target = steps[..., column : column + field.size]
    nats = F.binary_cross_entropy_with_logits(logits, target.clamp(min=0).to(logits.dtype), reduction="none")
    return nats.sum(-1) * (target[..., 0] >= 0)


def _table(size: int, width: int, spread: float) -> nn.Embedding:
    table = nn.Embedding(size, width)
    nn.init.normal_(table.weight, std=spread)
    return table


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
