"""Into a model while it reads: the gates of recurrent layers, and what a Transformer attends to.

Both are computed anew from the layers' own inputs and weights, which hooks catch as the model reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..explaining.inside import Attention, Gates, Inside
from ..models.base import Composer
from ..models.transformer import Block
from .weights import load_composer

LSTM_GATES, GRU_GATES = ("input", "forget", "output"), ("reset", "update")


def look(path: Path, rows: np.ndarray, times: np.ndarray) -> Inside:
    """What happens inside the model of the file `path` as it reads rows (T + 1, columns) at times (T + 1,).

    A model that sees a window is shown as it reads the last one. A family without gates and attention gets a remark.
    """
    model = load_composer(path).eval()
    known = {"last": rows[:-1], "steps": rows[1:]}
    batch = {name: torch.from_numpy(np.ascontiguousarray(value, dtype=np.int64))[None] for name, value in known.items()}
    time = torch.from_numpy(np.ascontiguousarray(times, dtype=np.int64))[None]
    return look_at(model, batch["last"], batch["steps"], time)


def look_at(model: Composer, last: Tensor, steps: Tensor, time: Tensor) -> Inside:
    """The same of a module and one piece: rows (1, T, columns), time (1, T + 1)."""
    if hasattr(model, "fit") or model.stride > 1:
        kind = "counts how often each thing followed another" if hasattr(model, "fit") else "paints blocks of steps"
        return Inside(remark=f"the model has neither gates nor attention: it {kind}")
    window = getattr(model, "window", 0)
    first = max(0, steps.shape[1] - window) if window else 0
    with torch.inference_mode(), _caught(model) as seen:
        embedded = model.embedding(last, steps)[:, first:]
        model.backbone(embedded, time[:, first:], torch.ones(1, embedded.shape[1], dtype=torch.bool))
        gates = tuple(
            one for name, layer, (x, *_) in seen if isinstance(layer, nn.RNNBase) for one in _gates(name, layer, x)
        )
        attention = tuple(
            Attention(called(name), _attention(layer, *inputs))
            for name, layer, inputs in seen
            if isinstance(layer, Block)
        )
    remark = "" if gates or attention else "the layers of this family are none that this view knows"
    if first:
        remark = f"the model sees {window} steps at once; shown is how it reads those before step {steps.shape[1]}"
    return Inside(gates, attention, first, remark)


def called(name: str) -> str:
    """ "layer 3" for the module "blocks.2"; its name where it has no number."""
    number = name.rpartition(".")[2]
    return f"layer {int(number) + 1}" if number.isdecimal() else name


@contextmanager
def _caught(model: nn.Module) -> Iterator[list[tuple[str, nn.Module, tuple[Any, ...]]]]:
    """The inputs of every recurrent layer and every block of a Transformer, in the order in which they are used."""
    seen: list[tuple[str, nn.Module, tuple[Any, ...]]] = []
    with ExitStack() as hooks:
        for name, layer in model.named_modules():
            if isinstance(layer, nn.RNNBase | Block):
                hook = layer.register_forward_pre_hook(lambda one, inputs, name=name: seen.append((name, one, inputs)))
                hooks.callback(hook.remove)
        yield seen


def _gates(name: str, layer: nn.RNNBase, x: Tensor) -> Iterator[Gates]:
    """The gates of every layer of a module, and of both directions where it has two; `x` is (1, T, inputs)."""
    kind, now = ("lstm" if isinstance(layer, nn.LSTM) else "gru"), x[0]
    for number in range(layer.num_layers):
        outs = []
        for direction in ("", "_reverse") if layer.bidirectional else ("",):
            names = [f"{part}_l{number}{direction}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
            weights = [getattr(layer, one) for one in names]
            run = _lstm if kind == "lstm" else _gru
            values, hidden = run(now.flip(0) if direction else now, *weights)
            if direction:
                values, hidden = values.flip(1), hidden.flip(0)
            outs.append(hidden)
            label = f"layer {number + 1}" if layer.num_layers > 1 else called(name)
            backward = ", backwards" * bool(direction)
            names_of = LSTM_GATES if kind == "lstm" else GRU_GATES
            yield Gates(f"{label}{backward}", kind, names_of, values.numpy())
        now = torch.cat(outs, dim=-1)


def _lstm(x: Tensor, w_in: Tensor, w_state: Tensor, b_in: Tensor, b_state: Tensor) -> tuple[Tensor, Tensor]:
    """Gates input, forget and output (3, T, units) and hidden states (T, units) of an LSTM from inputs (T, inputs)."""
    h = c = x.new_zeros(w_state.shape[1])
    found, states = [], []
    for row in x @ w_in.t() + b_in + b_state:
        enter, forget, cell, out = (row + h @ w_state.t()).chunk(4)
        enter, forget, out = enter.sigmoid(), forget.sigmoid(), out.sigmoid()
        c = forget * c + enter * cell.tanh()
        h = out * c.tanh()
        found.append(torch.stack([enter, forget, out]))
        states.append(h)
    return torch.stack(found, dim=1), torch.stack(states)


def _gru(x: Tensor, w_in: Tensor, w_state: Tensor, b_in: Tensor, b_state: Tensor) -> tuple[Tensor, Tensor]:
    """Gates reset and update (2, T, units) and hidden states (T, units) of a GRU from inputs (T, inputs)."""
    h = x.new_zeros(w_state.shape[1])
    found, states = [], []
    for row in x @ w_in.t() + b_in:
        reset_i, update_i, new_i = row.chunk(3)
        reset_h, update_h, new_h = (h @ w_state.t() + b_state).chunk(3)
        reset, update = (reset_i + reset_h).sigmoid(), (update_i + update_h).sigmoid()
        new = (new_i + reset * new_h).tanh()
        h = new + update * (h - new)
        found.append(torch.stack([reset, update]))
        states.append(h)
    return torch.stack(found, dim=1), torch.stack(states)


def _attention(block: Block, x: Tensor, angles: Any) -> np.ndarray:
    """The attention (heads, T, T) of a block that reads `x` (1, T, width)."""
    q, k, _ = block.project(x, angles)
    scores = q @ k.transpose(-1, -2) / block.head_width**0.5
    ahead = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return scores.masked_fill(ahead, -torch.inf).softmax(-1)[0].float().numpy()
