"""Family `relative`: a GRU that hears lines by their intervals, and scores pitches by those to what has sounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..encodings.base import Field
from ._ear import Between, Ear, Profile
from ._recall import Recall, Recalled
from .base import Batch, Composer
from .layers import Heads, Intervals, StepEmbedding, finish
from .recurrent import CELL_WEIGHTS, gru_step

CURVES = 8  # of a profile, for each rate of fading
IN_EAR = 3  # tensors of an ear's state


class Family(Composer):
    """`layers` GRU layers of `width` over what an `Ear` tells beside the step itself.

    A small corpus teaches it more than it teaches the other families, as what holds in one key holds in all. It needs
    an encoding that says what each line sounds, as `voices` does; with others it is the family `recurrent`. With
    `recall`, it looks so many steps back for what came when the music stood as it stands now, see `Recall`; while it
    learns, `missed` is the share of what the ear tells that is lost, `forgotten` that of the recurrent weights.
    """

    def __init__(
        self, fields: Sequence[Field], *, width: int = 256, layers: int = 2, dropout: float = 0.4,
        head_width: int = 160, intervals: int = 16, missed: float = 0.0, recall: int = 0,
        forgotten: float = 0.0,
    ):  # fmt: skip
        ear = Ear(fields, width, missed)
        recalls = Recall(fields, recall) if recall and ear.lines else None
        heads = RelativeHeads(fields, width, head_width, dropout, intervals, ear.size, recalls)
        extra = ear.size + (recalls.size if recalls is not None else 0)
        super().__init__(fields, width + extra, StepEmbedding(fields, width), heads)
        self.ear, self.recall, self.layers, self.memory_width = ear, recalls, layers, width
        self.memory = nn.GRU(width, width, num_layers=layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.dropout, self.forgotten = nn.Dropout(dropout), forgotten

    def hidden(self, batch: Batch) -> Tensor:
        embedded = self.embedding(batch["last"], batch["steps"])
        heard: list[Tensor] = []
        if self.ear.lines:
            pitches, heard = self.ear.through(batch["steps"])
            embedded = embedded + self.ear(pitches, heard)
        hidden = self._remembered(self.dropout(embedded))
        recalled = [self.recall.through(batch["last"], batch["steps"])] if self.recall is not None else []
        return torch.cat([self.dropout(hidden), *heard[2:], *recalled], dim=-1)

    def _remembered(self, embedded: Tensor) -> Tensor:
        """(B, T, width) through the GRU; while it learns, `forgotten` of the weights from its state to its state lack.

        That is DropConnect on recurrent weights (Merity et al. 2018), one draw a batch.
        """
        memory = self.memory
        if not (self.training and self.forgotten):
            return memory(embedded)[0]
        weights = [
            F.dropout(weight, self.forgotten) if name.startswith("weight_hh") else weight
            for name, weight in memory.named_parameters()  # in the order that the kernel wants, layer by layer
        ]
        start = embedded.new_zeros(self.layers, len(embedded), self.memory_width)  # PyTorch: has_biases ... batch_first
        found, _ = torch.gru(embedded, start, weights, True, self.layers, memory.dropout, True, False, True)
        return found

    def begin(self, size: int) -> list[Tensor]:
        """Hidden states (size, width) of each layer, then what is in the ear, then what can be recalled."""
        hidden = [torch.zeros(size, self.memory_width) for _ in range(self.layers)]
        return [*hidden, *self.ear.begin(size), *(self.recall.begin(size) if self.recall is not None else [])]

    def advance(self, last: Tensor, given: Tensor, time: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        x, fresh = self.embedding(last, given), list(state[: self.layers])
        kept = self.layers + (IN_EAR if self.ear.lines else 0)
        heard, past, recalled = state[self.layers : kept], state[kept:], []
        if self.recall is not None:
            found, past = self.recall.listen(last, given, past)
            recalled = [found]
        if heard:
            pitches = self.ear.pitches(given)
            heard = self.ear.listen(pitches, heard)
            x = x + self.ear(pitches, heard)
        for layer in range(self.layers):
            weights = [getattr(self.memory, f"{name}_l{layer}") for name in CELL_WEIGHTS]
            x = fresh[layer] = gru_step(x, state[layer], *weights)
        return torch.cat([x, *heard[2:], *recalled], dim=-1), [*fresh, *heard, *past]

    def head(self, name: str) -> nn.Module:
        return RelativeHead(self.heads, name)


class RelativeHeads(Heads):
    """Heads to which what a line has just done is told by intervals, where its field says what sounded before."""

    def __init__(
        self, fields: Sequence[Field], width: int, head_width: int, dropout: float, intervals: int, shares: int,
        recall: Recall | None = None,
    ):  # fmt: skip
        super().__init__(fields, width, head_width, dropout)
        self.parts = (width, shares, recall.size if recall is not None else 0)
        self.recalled = nn.ModuleDict()
        self.held = {entry.name: entry.holds for entry in fields if entry.holds and entry.pitch_at >= 0}
        self.zeros = {entry.name: entry.pitch_at for entry in fields}
        self.between, self.profiles = nn.ModuleDict(), nn.ModuleDict()
        known = [entry for entry in fields if entry.name in self.held.values()]
        for name in self.held if shares else ():
            for other in (other for other in self.before[name] if other in self.held):
                self.between[f"{name}_{other}"] = Between(head_width)
                del self.chain[f"{name}_{other}"]
            self.profiles[name] = Profile(self.composed[name], head_width, CURVES)
            if recall is not None:
                others = [other for other in self.before[name] if other in self.held]
                self.recalled[name] = Recalled(self.composed[name], recall, others, head_width)
            lines = [*known, *(self.composed[other] for other in self.before[name] if other in self.held)]
            if intervals:
                self.intervals[name] = Sounding(self.composed[name], lines, self.columns, head_width, intervals)

    def _logits(self, name: str, hidden: Tensor, chosen: Tensor, heard: Tensor | None) -> Tensor:
        own, shares, recalled = hidden.split(self.parts, dim=-1)
        mixed = self.enter[name](own)
        if heard is not None:
            mixed = mixed + self.view[name](heard)
        now: list[Tensor] = []
        for other in self.before[name]:
            if f"{name}_{other}" in self.between:
                told, sounds = self._told(name, other, chosen)
                mixed, now = mixed + told, [*now, sounds]
            else:
                mixed = mixed + self._linked(f"{name}_{other}", other, chosen)
        if name not in self.profiles:
            return finish(mixed, self.inner[name], self.leave[name], self.dropout)
        memory = cast(Recalled, self.recalled[name]) if name in self.recalled else None
        found: list[tuple[Tensor, Tensor]] = []
        if memory is not None:
            told, found = memory.told(recalled, chosen, self._before(name, chosen))
            mixed = mixed + told
        seen = F.gelu(mixed, approximate="tanh")
        seen = seen + F.gelu(self.inner[name](self.dropout(seen)), approximate="tanh")
        logits = self.leave[name](seen) + self.profiles[name](seen, shares)
        if memory is not None:
            logits = logits + memory.scored(seen, found)
        if name in self.intervals:
            lines = [self._before(line, chosen) for line in self.held]
            logits = logits + self.intervals[name](seen, torch.stack([*lines, *now], dim=-1))
        return logits

    def _heard(self, name: str, chosen: Tensor) -> Tensor | None:
        """As `Heads` has it, by single look-ups, which a graph holds too."""
        found = [self.told[other](chosen[..., self.columns[other]]) for other in self.informed[name]]
        return torch.stack(found).sum(0) if found else None

    def _linked(self, link: str, other: str, chosen: Tensor) -> Tensor:
        module = self.chain[link]
        if not isinstance(module, nn.Embedding):
            return module(chosen)
        return module(chosen[..., self.columns[other]].clamp(min=0))

    def _before(self, name: str, chosen: Tensor) -> Tensor:
        """What line `name` sounds as the step begins, (...); below 0 for silence."""
        line = self.held[name]
        return chosen[..., self.columns[line]] - self.zeros[line]

    def _told(self, name: str, other: str, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """What line `other` does in this step as the choice of `name` is told of it, and what it sounds from now on."""
        picked, before = chosen[..., self.columns[other]], self._before(other, chosen)
        is_held = picked == 0
        now = torch.where(is_held, before, picked - self.zeros[other])
        return self.between[f"{name}_{other}"](now, before, self._before(name, chosen), is_held), now


class Sounding(Intervals):
    """`Intervals` to pitches that are handed in, from what the head sees at last."""

    def forward(self, mixed: Tensor, chosen: Tensor) -> Tensor:
        """What the head sees (..., width), pitches of the sources (..., sources) -> scores (..., classes)."""
        return self.scores(mixed, chosen)


class RelativeHead(nn.Module):
    """One head as a module of what it reads."""

    def __init__(self, heads: RelativeHeads, name: str):
        super().__init__()
        self.heads, self.name = heads, name

    def forward(self, hidden: Tensor, chosen: Tensor) -> Tensor:
        return self.heads.logits(self.name, hidden, chosen)
