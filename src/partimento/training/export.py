"""From a training run to the one-file model: onnxruntime graphs in int8, weights in half precision, a model card."""

from __future__ import annotations

import copy
import io
import logging
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from .. import model_file
from ..corpus import Cache
from ..errors import MissingExtra
from ..models.base import Composer
from ..models.layers import Heads, StepEmbedding, finish
from ..models.recurrent import Family as Recurrent
from ..models.transformer import Block
from ..models.transformer import Family as Transformer
from ..profile import style_profiles
from . import checkpoint
from .card import card
from .loop import Run, TrainingPlan
from .weights import WEIGHTS, load_composer, packed

OPSET = 17


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
            for names, has_start in ((source.from_last, True), (source.from_coming, False))
        )

    def forward(self, last: Tensor, coming: Tensor) -> Tensor:
        return self.last(last) + self.coming(coming)


class Advance(nn.Module):
    """One step of a backbone as a graph of tensors alone."""

    def __init__(self, model: Composer):
        super().__init__()
        self.model = model
        blocks = cast(list[Block], list(model.blocks)) if isinstance(model, Transformer) else []
        self.projections = nn.ModuleList(_linear(block.turned()) for block in blocks)

    def forward(self, last: Tensor, given: Tensor, time: Tensor, *state: Tensor):
        if isinstance(self.model, Transformer):
            project = list(self.projections)
            hidden, fresh = self.model.step(last, given, time, state[0], state[1:], project)
        else:
            hidden, fresh = self.model.advance(last, given, time, list(state))
        return (hidden, *fresh)


def _linear(weight: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = nn.Parameter(weight.detach().clone())
    return layer


class Head(nn.Module):
    """The head of one field as a graph."""

    def __init__(self, heads: Heads, name: str):
        super().__init__()
        self.enter, self.inner, self.leave = heads.enter[name], heads.inner[name], heads.leave[name]
        before = heads.before[name]
        tables = [heads.chain[f"{name}_{other}"] for other in before]
        self.chain = Tables(tables, [heads.columns[other] for other in before], False) if before else None
        told = heads.informed[name]
        self.told = Tables([heads.told[n] for n in told], [heads.columns[n] for n in told], False) if told else None
        self.view = heads.view[name] if told else None

    def forward(self, hidden: Tensor, chosen: Tensor) -> Tensor:
        mixed = self.enter(hidden)
        if self.told is not None and self.view is not None:
            mixed = mixed + self.view(self.told(chosen))
        if self.chain is not None:
            mixed = mixed + self.chain(chosen)
        return finish(mixed, self.inner, self.leave)


def state_spec(model: Composer) -> dict[str, Any]:
    """What `model_file` needs to know to keep the state of this model."""
    if isinstance(model, Transformer):
        heads = model.width // model.head_size
        return {
            "kind": "cache", "layers": model.layers, "heads": heads, "head": model.head_size, "context": model.context,
        }  # fmt: skip
    if isinstance(model, Recurrent):
        return {"kind": "memory", "count": len(model.begin(1)), "width": model.width}
    raise TypeError(f"{type(model).__name__} has no step-by-step state to export")


def graphs(model: Composer, int8: bool = True) -> dict[str, bytes]:
    """ONNX graphs of one step of the backbone and of every head; matrix products in int8 if asked for."""
    model = copy.deepcopy(model).eval()
    heads = model.heads
    model.set_submodule("embedding", FlatEmbedding(model.embedding))
    columns = len(model.fields)
    rows = torch.zeros(2, columns, dtype=torch.int64)
    state = model.begin(2)
    found = {}
    inputs = ["last", "given", "time", *(f"state{n}" for n in range(len(state)))]
    axes = {name: {0: "pieces"} for name in ("last", "given", "time", "hidden")}
    axes |= {f"state{n}": _state_axes(model, n) for n in range(len(state)) if state[n].ndim}
    example = (rows, rows, torch.zeros(2), *state)
    found["advance"] = _graph(Advance(model), example, inputs, ["hidden"], axes)
    hidden = torch.zeros(2, model.width)
    for field in heads.before:
        axes = {name: {0: "pieces"} for name in ("hidden", "chosen", "logits")}
        found[f"head.{field}"] = _graph(Head(heads, field), (hidden, rows), ["hidden", "chosen"], ["logits"], axes)
    return {f"{name}.onnx": _quantised(graph) if int8 else graph for name, graph in found.items()}


def _state_axes(model: Composer, n: int) -> dict[int, str]:
    if not isinstance(model, Transformer):
        return {0: "pieces"}
    return {0: "pieces", (3 if n % 2 else 2): "slots"}


def _graph(module: nn.Module, example: tuple, inputs: list[str], outputs: list[str], axes: dict) -> bytes:
    stream: Any = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the exporter warns of itself and of every shape it takes for constant
        torch.onnx.export(
            module, example, stream, input_names=inputs, output_names=outputs, dynamic_axes=axes, opset_version=OPSET,
            dynamo=False, do_constant_folding=True,
        )  # fmt: skip
    return stream.getvalue()


def _quantised(graph: bytes) -> bytes:
    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise MissingExtra("exporting in int8 needs onnx: pip install 'partimento[train]'") from error
    logging.getLogger().addFilter(_not_quantiser_advice)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(graph)
        quantize_dynamic(
            source, target, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul", "Gemm"],
        )  # fmt: skip
        return target.read_bytes()


def _not_quantiser_advice(record: logging.LogRecord) -> bool:
    """Leaves out the quantiser's advice to pre-process, which was tried and changes nothing here."""
    return "pre-processing before quantization" not in record.getMessage()


def export_run(
    cache: Cache, plan: TrainingPlan, folder: Path, output: Path, *, folders: Iterable[Path] = (), command: str = ""
) -> dict[str, Any]:
    """Write the run's best weights as a model file; returns its description.

    `folders` (where credit lines are looked for) and `command` go into the model's card.
    """
    run = Run(cache, plan, folder)
    state = checkpoint.load(run.best, run.model, run.average, run.optimisers)
    run.model.load_state_dict(run.average)
    model = run.model.cpu().eval()
    members = graphs(model) | {WEIGHTS: packed(model)}
    size = sum(map(len, members.values()))
    info = {
        "format": model_file.FORMAT, "version": model_file.VERSION,
        "family": plan.family, "options": plan.options, "encoding": cache.spec,
        "fields": [[entry.name, entry.size, entry.given] for entry in run.encoding.fields],
        "state": state_spec(model),
        "styles": style_profiles(cache, run.encoding),
        "card": card(run, model, state, size, folders, command),
    }  # fmt: skip
    output.parent.mkdir(parents=True, exist_ok=True)
    model_file.write(output, info, members)
    return info


__all__ = ["export_run", "graphs", "load_composer", "packed", "state_spec"]
