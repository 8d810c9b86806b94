"""From a training run to the one-file model: onnxruntime graphs in int8, weights in half precision, a model card."""

from __future__ import annotations

import copy
import io
import logging
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from .. import model_file, originality
from ..corpus import Cache
from ..errors import MissingExtra
from ..models.base import Composer
from ..models.graphs import Graph
from ..profile import style_profiles
from . import checkpoint
from .card import card
from .loop import Run, TrainingPlan
from .weights import WEIGHTS, load_composer, packed

OPSET = 17


def graphs(model: Composer, int8: bool = True) -> dict[str, bytes]:
    """ONNX graphs of one step of the backbone and of every head; matrix products in int8 if asked for.

    Of a family that counts, what a model file holds in their place.
    """
    if members := getattr(model, "members", None):
        return members()
    found = {name: _traced(graph) for name, graph in copy.deepcopy(model).eval().graphs().items()}
    return {f"{name}.onnx": _quantised(graph) if int8 else graph for name, graph in found.items()}


def _traced(graph: Graph) -> bytes:
    stream: Any = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the exporter warns of itself and of every shape it takes for constant
        torch.onnx.export(
            graph.module, graph.example, stream, input_names=graph.inputs, output_names=graph.outputs,
            dynamic_axes=graph.axes, opset_version=OPSET, dynamo=False, do_constant_folding=True,
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
    cache: Cache,
    plan: TrainingPlan,
    folder: Path,
    output: Path,
    *,
    folders: Iterable[Path] = (),
    command: str = "",
    sampling: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the run's best weights as a model file; returns its description.

    `folders` (where credit lines are looked for) and `command` go into the model's card. `sampling`: how the model is
    drawn from where nothing is said, fields of `Sampling`; without it as the model that it goes on from.
    """
    if sampling is None:
        sampling = model_file.read_info(plan.start).get("sampling", {}) if plan.start else {}
    run = Run(cache, plan, folder)
    state = checkpoint.load(run.best, run.model, run.average, run.optimisers)
    run.model.load_state_dict(run.average)
    model = run.model.cpu().eval()
    members = graphs(model)
    if not hasattr(model, "members"):
        members[WEIGHTS] = packed(model)
    size = sum(map(len, members.values()))
    info = {
        "format": model_file.FORMAT, "version": model_file.VERSION,
        "family": plan.family, "options": plan.options, "encoding": cache.spec,
        "fields": [[entry.name, entry.size, entry.given] for entry in run.encoding.fields],
        "state": model.state_spec(),
        "sampling": dict(sampling),
        "styles": style_profiles(cache, run.encoding),
        "card": card(run, model, state, size, folders, command),
    }  # fmt: skip
    earlier = model_file.load(plan.start).index if plan.start else None
    index = originality.of_cache(cache, run.encoding, room=originality.room_beside(size), earlier=earlier)
    if index is not None:
        members[model_file.ORIGINALITY] = index.packed()
    output.parent.mkdir(parents=True, exist_ok=True)
    model_file.write(output, info, members)
    return info


__all__ = ["export_run", "graphs", "load_composer", "packed"]
