"""Family `recurrent`: LSTM or GRU layers (Hochreiter and Schmidhuber 1997; Cho et al. 2014)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..encodings.base import Field
from ..errors import UnknownName
from .base import Composer
from .layers import Heads, StepEmbedding

CELL_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class Family(Composer):
    """`layers` recurrent layers of `width`; `cell` is "gru" or "lstm"; `intervals`: see `Heads`."""

    begins_common = True

    def __init__(
        self, fields: Sequence[Field], *, cell: str = "gru", width: int = 384, layers: int = 2, dropout: float = 0.3,
        head_width: int = 160, intervals: int = 0,
    ):  # fmt: skip
        heads = Heads(fields, width, head_width, dropout, intervals)
        super().__init__(fields, width, StepEmbedding(fields, width), heads)
        if cell not in CELLS:
            raise UnknownName(f"no recurrent cell {cell!r}; there are {', '.join(CELLS)}")
        self.cell, self.layers = cell, layers
        inner = dropout if layers > 1 else 0.0
        self.memory = CELLS[cell](width, width, num_layers=layers, batch_first=True, dropout=inner)
        self.dropout = nn.Dropout(dropout)

    def backbone(self, embedded: Tensor, time: Tensor, mask: Tensor) -> Tensor:
        hidden, _ = self.memory(self.dropout(embedded))
        return self.dropout(hidden)

    def begin(self, size: int) -> list[Tensor]:
        """Hidden states (B, width) of each layer, and for an LSTM its cell states after them."""
        return [torch.zeros(size, self.width) for _ in range(self.layers * (1 + (self.cell == "lstm")))]

    def step(self, last: Tensor, given: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step written as matrix products, which every runtime can hold in int8."""
        x, fresh = self.embedding(last, given), list(state)
        for layer in range(self.layers):
            weights = [getattr(self.memory, f"{name}_l{layer}") for name in CELL_WEIGHTS]
            if self.cell == "gru":
                x = fresh[layer] = gru_step(x, state[layer], *weights)
            else:
                at = self.layers + layer
                x, fresh[at] = lstm_step(x, state[layer], state[at], *weights)
                fresh[layer] = x
        return x, fresh

    def advance(self, last: Tensor, given: Tensor, time: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        return self.step(last, given, state)


def gru_step(x: Tensor, h: Tensor, w_in: Tensor, w_state: Tensor, b_in: Tensor, b_state: Tensor) -> Tensor:
    """A GRU cell in PyTorch's convention: gates reset, update, new."""
    from_input, from_state = x @ w_in.t() + b_in, h @ w_state.t() + b_state
    reset_i, update_i, new_i = from_input.chunk(3, dim=-1)
    reset_h, update_h, new_h = from_state.chunk(3, dim=-1)
    reset, update = torch.sigmoid(reset_i + reset_h), torch.sigmoid(update_i + update_h)
    new = torch.tanh(new_i + reset * new_h)
    return new + update * (h - new)


def lstm_step(x: Tensor, h: Tensor, c: Tensor, w_in: Tensor, w_state: Tensor, b_in: Tensor, b_state: Tensor):
    """An LSTM cell in PyTorch's convention: gates input, forget, cell, output; returns hidden and cell state."""
    enter, forget, cell, out = (x @ w_in.t() + b_in + h @ w_state.t() + b_state).chunk(4, dim=-1)
    c = torch.sigmoid(forget) * c + torch.sigmoid(enter) * torch.tanh(cell)
    return torch.sigmoid(out) * torch.tanh(c), c
