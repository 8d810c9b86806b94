"""Family `stack`: layers one after the other as a list names them, as the classic composers were built.

Hochreiter and Schmidhuber (1997) for the LSTM, Cho et al. (2014) for the GRU, Schuster and Paliwal (1997) for the
bidirectional ones, Ioffe and Szegedy (2015) for batch normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..encodings.base import Field, columns_of
from ..errors import BadOption
from .base import Batch, Composer
from .layers import leaving, nats_of
from .recurrent import CELL_WEIGHTS, gru_step, lstm_step

RECURRENT = {"lstm": nn.LSTM, "gru": nn.GRU}
BOTH_WAYS = {f"bi-{name}": cell for name, cell in RECURRENT.items()}
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "leaky": nn.LeakyReLU}
INPUTS = ("scalar", "embedding")
NET = (("lstm", 256), ("dropout", 0.3), ("lstm", 256))
STEEPEST = 1000
JUDGED = 16  # in evaluation, every so many steps of a model that sees a window both ways are predicted


class Inputs(nn.Module):
    """Everything known when a step begins as one vector: composed fields of the last step, given ones of the coming.

    A class is one number, its index over the count of classes ("scalar"), or a vector of a table ("embedding", of
    `size` numbers); the units of a binary field are numbers themselves. Before the music all are 0.
    """

    def __init__(self, fields: Sequence[Field], kind: str, size: int):
        super().__init__()
        if kind not in INPUTS:
            raise BadOption(f"no inputs {kind!r}; there are {', '.join(INPUTS)}")
        self.fields, self.columns = tuple(fields), columns_of(fields)
        tables = {f.name: nn.Embedding(f.size, size) for f in fields if f.kind == "categorical"}
        self.tables = nn.ModuleDict(tables if kind == "embedding" else {})
        self.width = sum(f.size if f.kind == "binary" else size if f.name in self.tables else 1 for f in fields)

    def forward(self, last: Tensor, coming: Tensor) -> Tensor:
        """Rows (..., columns) of the last and the coming step -> (..., width) float32."""
        found = []
        for field in self.fields:
            at, is_known = self.columns[field.name], field.given and not field.after
            rows = coming if is_known else last
            if field.kind == "binary":
                found.append(rows[..., at : at + field.size].clamp(min=0).float())
            elif field.name in self.tables:
                known = (rows[..., at : at + 1] >= 0).float()
                found.append(self.tables[field.name](rows[..., at].clamp(min=0)) * known)
            else:
                found.append(rows[..., at : at + 1].clamp(min=0).float() / field.size)
        return torch.cat(found, dim=-1)


class Leaves(nn.Module):
    """A last layer for each composed field, none of which sees what another one chose."""

    def __init__(self, fields: Sequence[Field], width: int):
        super().__init__()
        self.columns = columns_of(fields)
        self.composed = {field.name: field for field in fields if not field.given}
        self.before: Mapping[str, Sequence[str]] = dict.fromkeys(self.composed, ())
        self.leave = nn.ModuleDict({name: leaving(width, field) for name, field in self.composed.items()})

    def logits(self, name: str, hidden: Tensor, chosen: Tensor) -> Tensor:
        """Logits (..., size) of field `name` from hidden (..., width)."""
        return self.leave[name](hidden)

    def nats(self, hidden: Tensor, steps: Tensor) -> dict[str, Tensor]:
        """Negative log-likelihood (B, T) of each composed field; 0 where it holds -1."""
        return {
            name: nats_of(field, self.leave[name](hidden).float(), steps, self.columns[name])
            for name, field in self.composed.items()
        }


class Leaf(nn.Module):
    """A last layer as a head of a model file."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, hidden: Tensor, chosen: Tensor) -> Tensor:
        return self.layer(hidden)


class Normalised(nn.Module):
    """Batch normalisation of (..., width), each step of each piece a member of the batch."""

    def __init__(self, width: int, momentum: float = 0.01):
        super().__init__()
        self.norm = nn.BatchNorm1d(width, eps=1e-3, momentum=momentum)  # Keras' eps, and its momentum of 0.99

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.reshape(-1, x.shape[-1])).view(x.shape)


class Family(Composer):
    """`net`, its layers from first to last: ["lstm", 512], ["gru", 512], ["bi-lstm", 512], ["dense", 256],
    ["dropout", 0.3], ["batch-norm"], ["relu"], ["tanh"], ["leaky", 0.2].

    `biases`: 1 as Keras counts them, 2 as cuDNN has them. `sees`: the steps before it that a choice sees; 0 for all,
    a state being carried. Layers that go both ways need such a window. `last_only` learns the last step of one alone.
    `steep`: where classes enter as scalars, the first layer begins able to tell them apart, see `_apart`; 0 as Keras.
    """

    is_chained = False

    def __init__(
        self, fields: Sequence[Field], *, net: Sequence[Sequence[Any]] = NET, inputs: str = "embedding",
        embedding: int = 64, biases: int = 2, sees: int = 0, last_only: bool = False, steep: float = 0.0,
    ):  # fmt: skip
        entered = Inputs(fields, inputs, embedding)
        built, width = _built(net, entered.width, biases)
        if steep:
            _apart(built[0], steep)
        super().__init__(fields, width, entered, Leaves(fields, width))
        self.layers, self.window = nn.ModuleList(built), sees
        both = any(isinstance(layer, nn.RNNBase) and layer.bidirectional for layer in built)
        if both and not sees:
            raise BadOption("layers that go both ways see a window; give its length, like sees=100")
        self.last_only = last_only or both
        self.begins_common = biases > 1  # as Keras has it, a net begins with all classes alike

    def _run(self, x: Tensor) -> Tensor:
        """Inputs (B, T, width of inputs) through all layers."""
        for layer in self.layers:
            x = layer(x)[0] if isinstance(layer, nn.RNNBase) else layer(x)
        return x

    def _summed_up(self, x: Tensor) -> Tensor:
        """Inputs (B, window, width of inputs) -> (B, width): what each direction has made of them in the end."""
        last = max((n for n, layer in enumerate(self.layers) if isinstance(layer, nn.RNNBase)), default=-1)
        for n, layer in enumerate(self.layers):
            x = layer(x)[0] if isinstance(layer, nn.RNNBase) else layer(x)
            if n == last:
                size = cast(nn.RNNBase, layer).hidden_size
                x = torch.cat([x[:, -1, :size], x[:, 0, size:]], dim=-1)  # the second is empty where it goes one way
        return x

    def backbone(self, embedded: Tensor, time: Tensor, mask: Tensor) -> Tensor:
        return self._run(embedded)

    def hidden(self, batch: Batch) -> Tensor:
        """(B, T, width): in each step what its window makes of it, or the state so far."""
        if not self.window:
            return super().hidden(batch)
        pieces, steps = batch["mask"].shape
        places = torch.arange(steps, device=batch["mask"].device).expand(pieces, steps)
        return torch.stack([self._seen(batch, place) for place in places.unbind(1)], dim=1)

    def nats(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        mask = batch["mask"]
        if not self.last_only:
            return super().nats(batch)
        last = mask.shape[1] - 1 - mask.flip(1).int().argmax(dim=1)  # (B,) the last step that counts
        if self.training or not self.window:
            places = [last]
        else:  # every few steps, so that a held-out piece is judged by more than its last note
            places = [(last - back).clamp(min=0) for back in range(0, mask.shape[1], JUDGED)]
        nats: dict[str, Tensor] = {name: torch.zeros(mask.shape, device=mask.device) for name in self.heads.composed}
        counts = torch.zeros_like(mask)
        for place in places:
            self._judge(batch, place, nats, counts)
        return nats, counts & mask

    def _judge(self, batch: Batch, place: Tensor, nats: dict[str, Tensor], counts: Tensor) -> None:
        """Write the nats of one step of each piece, the one at `place` (B,)."""
        which = torch.arange(len(place), device=place.device)
        steps = batch["steps"][which, place][:, None]  # (B, 1, columns)
        found = self.heads.nats(self._seen(batch, place)[:, None], steps)
        for name, value in found.items():
            nats[name] = nats[name].index_put((which, place), value[:, 0])
        counts[which, place] = True

    def _seen(self, batch: Batch, place: Tensor) -> Tensor:
        """Hidden (B, width) of the steps at `place` (B,)."""
        which = torch.arange(len(place), device=place.device)
        if not self.window:
            return self.hidden(batch)[which, place]
        known = self.embedding(batch["last"], batch["steps"])
        padded = nn.functional.pad(known, (0, 0, self.window - 1, 0))
        index = place[:, None] + torch.arange(self.window, device=place.device)
        return self._summed_up(padded[which[:, None], index])

    def begin(self, size: int) -> list[Tensor]:
        """The rows of a window, before the music; or the vectors of each recurrent layer."""
        if self.window:
            return [
                torch.full((size, self.window, self.columns), -1),
                torch.full((size, self.window, self.columns), -1),
            ]
        cells = [layer for layer in self.layers if isinstance(layer, nn.RNNBase)]
        return [torch.zeros(size, cell.hidden_size) for cell in cells for _ in range(1 + isinstance(cell, nn.LSTM))]

    def advance(self, last: Tensor, given: Tensor, time: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        if self.window:
            rows = [torch.cat([old[:, 1:], new[:, None]], dim=1) for old, new in zip(state, (last, given), strict=True)]
            return self._summed_up(self.embedding(*rows)), rows
        x, kept, fresh = self.embedding(last, given), list(state), []
        for layer in self.layers:
            if isinstance(layer, nn.RNNBase):
                weights = [getattr(layer, f"{name}_l0") for name in CELL_WEIGHTS]
                if isinstance(layer, nn.LSTM):
                    x, cell = lstm_step(x, kept.pop(0), kept.pop(0), *weights)
                    fresh += [x, cell]
                else:
                    x = gru_step(x, kept.pop(0), *weights)
                    fresh.append(x)
            else:
                x = layer(x)
        return x, fresh

    def head(self, name: str) -> nn.Module:
        return Leaf(self.heads.leave[name])


def _built(net: Sequence[Sequence[Any]], width: int, biases: int) -> tuple[list[nn.Module], int]:
    """The layers that `net` names, and the width of what the last one gives."""
    found: list[nn.Module] = []
    for kind, *sizes in net:
        if kind in RECURRENT or kind in BOTH_WAYS:
            (size,) = sizes
            cell = (RECURRENT | BOTH_WAYS)[kind](width, size, batch_first=True, bidirectional=kind in BOTH_WAYS)
            found.append(_with_biases(cell, biases))
            width = size * (1 + cell.bidirectional)
        elif kind == "dense":
            found.append(nn.Linear(width, sizes[0]))
            width = sizes[0]
        elif kind == "dropout":
            found.append(nn.Dropout(*sizes))
        elif kind == "batch-norm":
            found.append(Normalised(width))
        elif kind in ACTIVATIONS:
            found.append(ACTIVATIONS[kind](*sizes))
        else:
            known = (*RECURRENT, *BOTH_WAYS, "dense", "dropout", "batch-norm", *ACTIVATIONS)
            raise BadOption(f"no layer {kind!r}; there are {', '.join(known)}")
    return found, width


def _with_biases(cell: nn.RNNBase, biases: int) -> nn.RNNBase:
    """A recurrent layer with one bias a gate, the other at zero for ever, or with both; forget gates begin open.

    Its matrices begin as Keras has them: orthogonal from state to state (Saxe et al. 2014), else Glorot's (2010).
    """
    with torch.no_grad():
        for name, value in cell.named_parameters():
            if name.startswith("weight_hh"):
                nn.init.orthogonal_(value)
            elif name.startswith("weight_ih"):
                nn.init.xavier_uniform_(value)
            elif name.startswith("bias_hh") and biases == 1:
                value.zero_()
                value.requires_grad_(False)
            elif name.startswith("bias_ih") and isinstance(cell, nn.LSTM):  # as Keras begins it
                value.zero_()
                value[cell.hidden_size : 2 * cell.hidden_size] = 1.0
    return cell


def _apart(layer: nn.Module, steep: float) -> None:
    """Let each gate of a recurrent layer begin as a threshold somewhere from 0 to 1 in one of its inputs.

    Glorot's weights make nearly the same of all classes where a class is one number, and an optimiser takes long to
    part them. With thresholds drawn all over, `steep` the slope at each, the first layer begins as a table of random
    vectors would (random features: Rahimi and Recht 2007), and what follows can learn at once.
    """
    if not isinstance(layer, nn.RNNBase) or not 0 < steep <= STEEPEST:
        raise BadOption(f"steep {steep!r} is for nets whose first layer is recurrent, and from 0 to {STEEPEST}")
    with torch.no_grad():
        for name, weight in layer.named_parameters():
            if name.startswith("weight_ih_l0"):
                gates, inputs = weight.shape
                which, sides = torch.arange(gates), torch.randint(0, 2, (gates,)) * 2 - 1
                weight[which, torch.randint(0, inputs, (gates,))] = slope = steep * sides.to(weight.dtype)
                layer.get_parameter(name.replace("weight", "bias")).sub_(slope * torch.rand(gates))
