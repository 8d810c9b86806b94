"""What the families share that paint a block of `stride` steps at once from a point of a latent space."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..encodings._blocks import LINE, line_column, places_in_blocks
from ..encodings.base import Field, columns_of
from ..errors import BadOption
from .base import Batch, Composer
from .graphs import PIECES, FlatEmbedding, Graph, head_graph
from .layers import Heads, StepEmbedding, nats_of

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "leaky": lambda: nn.LeakyReLU(0.2),
}
SHARE = 0.05  # of every batch in the running averages of where its points lie
TOLD = 64  # numbers that hold all that is told of a block
LIMITS = {"stride": (1, 4096), "size": (1, 65536), "step_width": (0, 65536), "drift": (0, 1), "dropout": (0, 1)}


def checked(**options: float) -> None:
    """Raise `BadOption` where an option of a block family is out of its range."""
    for name, value in options.items():
        low, high = LIMITS[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise BadOption(f"{name} {value!r} is out of range; wanted a number from {low} to {high}")


def one_of(name: str, value: str, known: Sequence[str]) -> str:
    """`value`; raises `BadOption` where it is not one of `known`."""
    if value not in known:
        raise BadOption(f"no {name} {value!r}; there are {', '.join(known)}")
    return value


@dataclass(frozen=True)
class Cut:
    """Music cut into N blocks of S steps."""

    rows: Tensor  # (N, S, columns) int64; without a step composed fields are -1, given ones those of the first step
    counts: Tensor  # (N, S) bool: where it holds one
    index: Tensor  # (B, T): which of the N * S places each step of the batch took

    def back(self, values: Tensor) -> Tensor:
        """Values (N, S, ...) of blocks as those of the batch's steps, (B, T, ...)."""
        return values.flatten(0, 1)[self.index]


class Rolls(nn.Module):
    """The composed fields of rows as one vector: classes one-hot, units as they are, -1 all zero."""

    def __init__(self, fields: Sequence[Field]):
        super().__init__()
        self.fields, self.columns = [field for field in fields if not field.given], columns_of(fields)
        self.width = sum(field.size for field in self.fields)

    def parts(self) -> Iterator[tuple[Field, slice]]:
        """Each composed field with its place in the vector."""
        at = 0
        for field in self.fields:
            yield field, slice(at, at + field.size)
            at += field.size

    def forward(self, rows: Tensor) -> Tensor:
        """Rows (..., columns) -> (..., width) float32."""
        found = []
        for field in self.fields:
            at = self.columns[field.name]
            if field.kind == "binary":
                found.append(rows[..., at : at + field.size].clamp(min=0).float())
            else:
                classes = torch.arange(field.size, device=rows.device)
                found.append((rows[..., at : at + 1] == classes).float())
        return torch.cat(found, dim=-1)


class Slices(nn.Module):
    """Heads of a model whose hidden steps are logits already: each field has a slice of them.

    `loss` "natural": cross-entropy of a class, binary cross-entropy of units. "binary": that of every class as if it
    were a unit, as an autoencoder of one-hot rolls with sigmoid outputs has it; drawn in proportion to the outputs.
    """

    def __init__(self, fields: Sequence[Field], loss: str = "natural"):
        super().__init__()
        self.rolls, self.columns = Rolls(fields), columns_of(fields)
        self.loss = one_of("loss", loss, ("natural", "binary"))
        self.places = {field.name: (field, place) for field, place in self.rolls.parts()}
        self.before: Mapping[str, Sequence[str]] = dict.fromkeys(self.places, ())
        self.leave = nn.ModuleDict()  # there are no last layers

    def logits(self, name: str, hidden: Tensor, chosen: Tensor) -> Tensor:
        """Logits (..., size) of field `name` from hidden (..., width)."""
        field, place = self.places[name]
        found = hidden[..., place]
        return -F.softplus(-found) if self.loss == "binary" and field.kind == "categorical" else found

    def nats(self, hidden: Tensor, steps: Tensor) -> dict[str, Tensor]:
        """Negative log-likelihood (B, T) of each composed field, or what "binary" takes for it; 0 where it holds -1."""
        found = {}
        for name, (field, place) in self.places.items():
            logits, column = hidden[..., place].float(), self.columns[name]
            if self.loss == "binary" and field.kind == "categorical":
                target = steps[..., column : column + 1]
                roll = (target == torch.arange(field.size, device=steps.device)).float()
                nats = F.binary_cross_entropy_with_logits(logits, roll, reduction="none").sum(-1)
                found[name] = nats * (target[..., 0] >= 0)
            else:
                found[name] = nats_of(field, logits, steps, column)
        return found


class Asked(nn.Module):
    """The head of one field, of heads that need nothing that was chosen before, as a graph."""

    def __init__(self, heads: Any, name: str):
        super().__init__()
        self.heads, self.name = heads, name

    def forward(self, hidden: Tensor, chosen: Tensor) -> Tensor:
        return self.heads.logits(self.name, hidden, chosen)


class Told(StepEmbedding):
    """What is given as a step begins, and nothing of what is composed, (..., width)."""

    def __init__(self, fields: Sequence[Field], width: int):
        super().__init__(fields, width)
        self.from_last, self.units_last = [], []
        given = [field.name for field in fields if field.given and not field.after]
        self.tables = nn.ModuleDict({name: table for name, table in self.tables.items() if name in given})
        self.units = nn.ModuleDict({name: units for name, units in self.units.items() if name in given})


class Painter(Composer):
    """A family that paints blocks: `decode` makes the hidden steps of a block from a point and what it is told.

    Blocks begin at bar lines as `encodings._blocks` has it. With `is_told` a block is told what is given of its first
    step: style, key, metre, what sounds. `drift` (0-1) is how far a piece stays near where it is in the latent space
    from one block to the next. `mean` and `spread` (size,) say where in it the music lies.
    """

    mean: Tensor
    spread: Tensor

    def __init__(
        self, fields: Sequence[Field], *, stride: int, size: int, width: int, embedding: nn.Module, heads: nn.Module,
        is_told: bool, drift: float,
    ):  # fmt: skip
        super().__init__(fields, width, embedding, heads)
        checked(stride=stride, size=size, drift=drift)
        self.stride, self.size, self.drift = stride, size, drift
        self.is_chained = isinstance(heads, Heads)
        self.line = line_column(fields)
        self.unheld = [field for field in fields if not field.given]
        can_be_told = any(field.given and not field.after for field in fields)
        self.told = Told(fields, TOLD) if is_told and can_be_told else None
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("spread", torch.ones(size))

    @property
    def told_width(self) -> int:
        """Numbers that hold what is told of a block."""
        return TOLD if self.told is not None else 0

    def cut(self, batch: Batch) -> Cut:
        """The music of a batch in blocks."""
        steps, mask = batch["steps"], batch["mask"]
        is_line = steps[..., self.line] == LINE if self.line is not None else torch.zeros_like(mask)
        place = places_in_blocks(is_line.cpu().numpy(), self.stride)
        number = np.cumsum(place.ravel() == 0).reshape(place.shape) - 1  # the first step of a piece begins a block
        count = int(number[-1, -1]) + 1
        index = torch.from_numpy(number * self.stride + place).to(steps.device)
        rows = steps.new_zeros(count * self.stride, steps.shape[-1])
        counts = torch.zeros(count * self.stride, dtype=torch.bool, device=steps.device)
        rows[index], counts[index] = steps, mask
        rows, counts = rows.view(count, self.stride, -1), counts.view(count, self.stride)
        first = counts.int().argmax(1)  # the first step that is music
        none = rows[torch.arange(count, device=rows.device), first].clone()
        at = columns_of(self.fields)
        for field in self.unheld:
            none[:, at[field.name] : at[field.name] + field.width] = -1
        return Cut(torch.where(counts[..., None], rows, none[:, None]), counts, index)

    def with_told(self, values: Tensor, rows: Tensor) -> Tensor:
        """Values (N, ...) with what blocks of rows (N, S, columns) are told beside them."""
        if self.told is None:
            return values
        first = rows[:, 0]
        return torch.cat([values, self.told(first, first)], dim=-1)

    def decode(self, point: Tensor) -> Tensor:
        """Points (N, size), with what they are told beside them -> the hidden steps of blocks (N, stride, width)."""
        raise TypeError(f"{type(self).__name__} cannot paint")

    def state_spec(self) -> dict[str, Any]:
        return {
            "kind": "latent", "stride": self.stride, "size": self.size, "drift": self.drift,
            "mean": self.mean.tolist(), "spread": self.spread.tolist(),
        }  # fmt: skip

    def graphs(self) -> dict[str, Graph]:
        """A block from a point, "advance", and the head of each field, "head.FIELD"; changes the model."""
        for name in ("embedding", "told"):
            if isinstance(layer := getattr(self, name), StepEmbedding):
                self.set_submodule(name, FlatEmbedding(layer))
        inputs, example = ["point"], [torch.zeros(2, self.size)]
        if self.told is not None:
            inputs, example = [*inputs, "given"], [*example, torch.zeros(2, self.columns, dtype=torch.int64)]
        axes = {name: {0: PIECES} for name in (*inputs, "hidden")}
        found = {"advance": Graph(Paint(self), tuple(example), inputs, ["hidden"], axes)}
        for field in self.unheld:
            found[f"head.{field.name}"] = head_graph(self.head(field.name), self.width, self.columns)
        return found

    def head(self, name: str) -> nn.Module:
        return super().head(name) if self.is_chained else Asked(self.heads, name)


class Paint(nn.Module):
    """A block from a point as a graph of tensors alone."""

    def __init__(self, model: Painter):
        super().__init__()
        self.model = model

    def forward(self, point: Tensor, *given: Tensor) -> Tensor:
        return self.model.decode(self.model.with_told(point, given[0][:, None]) if given else point)


class Coder(Painter):
    """A family that can also say at which point a block lies: an autoencoder.

    With `step_width` all steps share a layer of that many numbers on the way in, and heads on the way out whose
    fields are chosen in a chain; with 0 a block is one flat roll on both sides, and its fields are chosen each for
    itself. `hidden` are the dense layers between roll and point, the largest first; the way back has them in reverse.
    """

    points_a_block = 1  # vectors of `size` numbers that the encoder gives

    def __init__(
        self, fields: Sequence[Field], *, stride: int, size: int, hidden: Sequence[int], step_width: int,
        head_width: int, activation: str, loss: str, is_told: bool, drift: float, dropout: float,
    ):  # fmt: skip
        checked(stride=stride, step_width=step_width, dropout=dropout)
        if step_width and loss != "natural":
            raise BadOption(f"loss {loss!r} is that of flat rolls; leave it out, or give step_width=0")
        rolls = Rolls(fields)
        read = StepEmbedding(fields, step_width) if step_width else rolls
        heads = Heads(fields, step_width, head_width, dropout) if step_width else Slices(fields, loss)
        width = step_width or rolls.width
        super().__init__(
            fields, stride=stride, size=size, width=width, embedding=read, heads=heads, is_told=is_told, drift=drift
        )
        kind, beside = one_of("activation", activation, list(ACTIVATIONS)), 0 if step_width else self.told_width
        self.way_in = dense([stride * width + beside, *hidden], kind, dropout, ends=True)
        self.to_point = nn.Linear(hidden[-1] if hidden else stride * width + beside, self.points_a_block * size)
        self.way_out = dense([size + self.told_width, *reversed(hidden), stride * width], kind, dropout)

    def code(self, rows: Tensor) -> Tensor:
        """What the encoder gives of blocks (N, S, columns), (N, points_a_block * size)."""
        if isinstance(self.embedding, Rolls):
            roll = self.with_told(self.embedding(rows).flatten(1), rows)
        else:
            roll = self.embedding(rows, rows).flatten(1)
        return self.to_point(self.way_in(roll))

    def encode(self, rows: Tensor) -> Tensor:
        """The points (N, size) at which blocks of rows (N, stride, columns) lie, composed fields -1 where none is."""
        raise TypeError(f"{type(self).__name__} cannot read")

    @torch.no_grad()
    def look_back(self, points: Tensor) -> None:
        """Keep, on a running average, where the points (N, size) of the music lie."""
        if len(points):
            self.mean.lerp_(points.float().mean(0), SHARE)
            self.spread.lerp_(points.float().std(0, correction=0), SHARE)

    def decode(self, point: Tensor) -> Tensor:
        return self.way_out(point).view(-1, self.stride, self.width)

    def graphs(self) -> dict[str, Graph]:
        """Those of a painter, and "encode": rows of blocks -> points."""
        found = super().graphs()
        example = (torch.zeros(2, self.stride, self.columns, dtype=torch.int64),)
        axes = {"rows": {0: PIECES}, "point": {0: PIECES}}
        return found | {"encode": Graph(Encode(self), example, ["rows"], ["point"], axes)}


class Encode(nn.Module):
    """The points of blocks as a graph of tensors alone."""

    def __init__(self, model: Coder):
        super().__init__()
        self.model = model

    def forward(self, rows: Tensor) -> Tensor:
        return self.model.encode(rows)


def dense(
    sizes: Sequence[int], activation: str, dropout: float = 0.0, ends: bool = False, norm: float | None = None
) -> nn.Sequential:
    """Dense layers from sizes[0] numbers to sizes[-1], an activation between them; behind the last where it `ends`.

    `norm`: also a batch normalisation behind each activation, which takes so much of every new batch.
    """
    layers: list[nn.Module] = []
    for at, (before, after) in enumerate(pairwise(sizes)):
        layers.append(nn.Linear(before, after))
        if ends or at < len(sizes) - 2:
            layers.append(ACTIVATIONS[activation]())
            layers += [nn.BatchNorm1d(after, momentum=norm)] if norm is not None else []
            layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers)
