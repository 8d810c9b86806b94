"""How common each class is in the music to learn: where the last layers of a model begin.

A network that begins with every class alike spends its first steps on learning that most are rare. A bias that is the
logarithm of a class's frequency says so at once, and what follows is learnt from there.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ..corpus import Cache
from ..encodings import Encoding
from ..encodings.base import Field
from ..models.base import Composer

MOST_PIECES = 1000  # that are counted, spread over all
UNSEEN = 0.5  # how often what was never met counts as met


def begin_common(model: Composer, cache: Cache, encoding: Encoding) -> None:
    """Let the biases of a model's last layers say how common each class of the training pieces is.

    Only in families that ask for it, `begins_common`; heads without a layer of their own for a field stay as they are.
    """
    if not model.begins_common:
        return
    columns = encoding.columns
    for entry in encoding.composed:
        layers, name = model.heads.leave, entry.name
        layer = layers[name] if name in layers else None  # noqa: SIM401  a ModuleDict has no get
        if isinstance(layer, nn.Linear):
            biases = commonness(cache, entry, columns[name])
            with torch.no_grad():
                layer.bias.copy_(torch.from_numpy(biases))


def commonness(cache: Cache, field: Field, column: int) -> np.ndarray:
    """Logarithms (size,) of the frequency of each class in the training pieces; of units, log-odds."""
    pieces = cache.of("train")
    some = pieces[:: -(-len(pieces) // MOST_PIECES)]
    spans = [cache.steps[p.start + 1 : p.start + p.length, column : column + field.width] for p in some]
    rows = np.concatenate(spans).astype(np.int64)
    rows = rows[rows[:, 0] >= 0]
    if field.kind == "binary":
        on = (rows.sum(0) + UNSEEN) / (len(rows) + 2 * UNSEEN)
        return np.log(on / (1 - on)).astype(np.float32)
    counts = np.bincount(rows[:, 0], minlength=field.size) + UNSEEN
    return np.log(counts / counts.sum()).astype(np.float32)
