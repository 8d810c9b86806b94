"""What a model becomes when it is exported: graphs of tensors alone, each with an example of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .layers import Heads, StepEmbedding, Units, finish, sum_of

PIECES = "pieces"  # the axis along which pieces stand side by side


@dataclass(frozen=True)
class Graph:
    """A module that takes tensors and gives tensors, to be traced on `example`."""

    module: nn.Module
    example: tuple[Any, ...]
    inputs: list[str]
    outputs: list[str]
    axes: dict[str, dict[int, str]]  # which axes of which inputs and outputs may differ from the example's


class Tables(nn.Module):
    """Several embeddings of columns as one table in half precision: one look-up and a sum, instead of one each.

    A class below 0 stands for the last row of its table where there is one for it, else for the first.
    """

    columns: Tensor
    offsets: Tensor
    below: Tensor
    weight: Tensor

    def __init__(self, tables: Sequence[nn.Module], columns: Sequence[int], has_start: bool):
        super().__init__()
        weights: list[Tensor] = [table.get_parameter("weight").detach() for table in tables]
        sizes = [len(weight) for weight in weights]
        self.register_buffer("columns", torch.tensor(columns))
        self.register_buffer("offsets", torch.tensor([0, *sizes[:-1]]).cumsum(0))
        self.register_buffer("below", torch.tensor([size - 1 if has_start else 0 for size in sizes]))
        self.register_buffer("weight", torch.cat(weights).half())

    def forward(self, rows: Tensor) -> Tensor:
        index = rows[..., self.columns]
        index = torch.where(index < 0, self.below, index) + self.offsets
        return self.weight[index].float().sum(-2)


class FlatEmbedding(nn.Module):
    """A `StepEmbedding` with all its tables as two."""

    def __init__(self, source: StepEmbedding):
        super().__init__()
        self.last, self.coming = (
            Tables([source.tables[name] for name in names], [source.columns[name] for name in names], has_start)
            if names
            else None
            for names, has_start in ((source.from_last, True), (source.from_coming, False))
        )
        self.units, self.units_last = source.units, source.units_last

    def forward(self, last: Tensor, coming: Tensor) -> Tensor:
        found = [table(rows) for table, rows in ((self.last, last), (self.coming, coming)) if table is not None]
        found += [units(last if name in self.units_last else coming) for name, units in self.units.items()]
        return sum_of(found)


class Head(nn.Module):
    """The head of one field of `Heads` as a graph."""

    def __init__(self, heads: Heads, name: str):
        super().__init__()
        self.enter, self.inner, self.leave = heads.enter[name], heads.inner[name], heads.leave[name]
        links = {other: heads.chain[f"{name}_{other}"] for other in heads.before[name]}
        tables = {other: link for other, link in links.items() if not isinstance(link, Units)}
        columns = [heads.columns[other] for other in tables]
        self.chain = Tables(list(tables.values()), columns, False) if tables else None
        self.units = nn.ModuleList(link for link in links.values() if isinstance(link, Units))
        told = heads.informed[name]
        self.told = Tables([heads.told[n] for n in told], [heads.columns[n] for n in told], False) if told else None
        self.view = heads.view[name] if told else None
        self.intervals = dict(heads.intervals.items()).get(name)

    def forward(self, hidden: Tensor, chosen: Tensor) -> Tensor:
        mixed = self.enter(hidden)
        if self.told is not None and self.view is not None:
            mixed = mixed + self.view(self.told(chosen))
        if self.chain is not None:
            mixed = mixed + self.chain(chosen)
        for units in self.units:
            mixed = mixed + units(chosen)
        logits = finish(mixed, self.inner, self.leave)
        return logits if self.intervals is None else logits + self.intervals(mixed, chosen)


def linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    """A layer of given weights (out, in)."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone())
    return layer


def head_graph(module: nn.Module, width: int, columns: int) -> Graph:
    """The graph of a head that sees hidden (B, width) and the step so far (B, columns)."""
    axes = {name: {0: PIECES} for name in ("hidden", "chosen", "logits")}
    example = (torch.zeros(2, width), torch.zeros(2, columns, dtype=torch.int64))
    return Graph(module, example, ["hidden", "chosen"], ["logits"], axes)


def step_graph(module: nn.Module, columns: int, state: Sequence[Tensor], axes: Sequence[dict[int, str]]) -> Graph:
    """The graph of one step: last, given, time and the state -> hidden and what is new of the state."""
    rows = torch.zeros(2, columns, dtype=torch.int64)
    names = [f"state{n}" for n in range(len(state))]
    known = {name: {0: PIECES} for name in ("last", "given", "time", "hidden")}
    known |= {name: axis for name, axis in zip(names, axes, strict=True) if axis}
    return Graph(module, (rows, rows, torch.zeros(2), *state), ["last", "given", "time", *names], ["hidden"], known)
