"""Family `autoencoder`: a block squeezed through a few numbers and painted again (MiniBach: Briot et al. 2017, 6.2.2).

As it comes it is that small network: a flat roll, a dense layer of two numbers with tanh, a dense layer back.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..encodings.base import Field
from .base import Batch
from .blocks import Coder


class Family(Coder):
    """`stride` steps through `size` numbers between -1 and 1.

    `loss` "binary" is the faithful one (see `blocks.Slices`). `hidden`, `step_width`, `head_width`, `is_told`: see
    `blocks.Coder`. Points are drawn where those of the training music lie, by their mean and spread. What it reports
    as nats is that of a block given itself, and no likelihood of music.
    """

    def __init__(
        self, fields: Sequence[Field], *, stride: int = 16, size: int = 2, hidden: Sequence[int] = (),
        step_width: int = 0, head_width: int = 96, loss: str = "natural", activation: str = "relu",
        is_told: bool = False, drift: float = 0.7, dropout: float = 0.0,
    ):  # fmt: skip
        super().__init__(
            fields, stride=stride, size=size, hidden=hidden, step_width=step_width, head_width=head_width,
            activation=activation, loss=loss, is_told=is_told, drift=drift, dropout=dropout,
        )  # fmt: skip

    def encode(self, rows: Tensor) -> Tensor:
        return torch.tanh(self.code(rows))

    def hidden(self, batch: Batch) -> Tensor:
        """What the heads see at each step, (B, T, width): each block as it comes back."""
        cut = self.cut(batch)
        point = self.encode(cut.rows)
        if self.training:
            self.look_back(point.detach()[cut.counts.any(1)])
        return cut.back(self.decode(self.with_told(point, cut.rows)))
