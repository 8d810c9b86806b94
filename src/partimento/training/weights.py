"""Weights in a model file: packed for the file, and back into torch to go on training from."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as safetensors_load
from safetensors.torch import save as safetensors_bytes
from torch import nn

from .. import model_file
from ..encodings import get_encoding
from ..errors import ModelError
from ..models import get_family
from ..models.base import Composer

WEIGHTS, SCALE = "weights.safetensors", "|scale"
MATRIX, LARGEST_INT8 = 2, 127


def packed(model: nn.Module) -> bytes:
    """The weights as safetensors: matrices as int8 with a scale a row, the rest in half precision."""
    found = {}
    for name, value in model.state_dict().items():
        if value.ndim == MATRIX:
            scale = value.abs().amax(dim=1, keepdim=True).clamp(min=1e-8) / LARGEST_INT8
            found[name] = (value / scale).round().to(torch.int8)
            found[f"{name}{SCALE}"] = scale
        else:
            found[name] = value.half()
    return safetensors_bytes({name: value.contiguous() for name, value in found.items()})


def load_composer(path: Path) -> Composer:
    """The model in a file as a torch module, to go on training from; raises `ModelError` where it does not fit."""
    info, members = model_file.read(path, also=(WEIGHTS,))
    try:
        fields = get_encoding(**info["encoding"]).fields
        model = get_family(info["family"])(fields, **info["options"])
        if hasattr(model, "restore"):  # one that counts
            model.restore(info["state"], members)
            return model
        tensors = safetensors_load(members[WEIGHTS])
        plain = {
            name: value.float() * tensors[f"{name}{SCALE}"] if f"{name}{SCALE}" in tensors else value.float()
            for name, value in tensors.items()
            if not name.endswith(SCALE)
        }
        model.load_state_dict(plain)
    except (KeyError, ValueError, RuntimeError, TypeError, SafetensorError) as error:
        raise ModelError(f"{path}: its weights do not fit its description ({error}); train it again") from error
    return model
