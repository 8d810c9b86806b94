"""Family `markov`: counts of what followed what, blended over contexts of falling length. It has nothing to train.

Cleary and Witten (1984) and Moffat (1990) for prediction by partial matching, Bell, Cleary and Witten (1990) for the
blending, Conklin and Witten (1995) for viewpoints of music, Pachet (2003) for composing from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..counts import KIND, MEMBER, SIDES, Counts, packed, unpacked
from ..encodings.base import Encoding, Field
from ..errors import BadOption
from ..viewpoints import WINDOW
from ._contexts import Music, fitted
from .base import Batch, Composer
from .graphs import Graph

ORDERS = range(7)  # that are tried where none is asked for
LONGEST = 12  # steps back that a context may reach
TABLES = ("keys", "numbers", "said")


class Choices(nn.Module):
    """Counts in the place of heads: `keys` (M,) int64 and `numbers` (M,) int32, see `Counts`; `said` (bytes,) uint8
    is their description as JSON.
    """

    keys: Tensor
    numbers: Tensor
    said: Tensor

    def __init__(self, fields: Sequence[Field]):
        super().__init__()
        self.fields, self.columns = tuple(fields), sum(field.width for field in fields)
        self.composed = {field.name: field for field in fields if not field.given}
        self.leave = nn.ModuleDict()
        self.register_buffer("keys", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("numbers", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("said", torch.zeros(0, dtype=torch.uint8))
        empty = {"kind": KIND, "entries": 0, "order": 0, "columns": self.columns} | {
            name: {} for name in ("moves", "still", *SIDES)
        }
        self.take(empty, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))

    def take(self, spec: Mapping[str, Any], keys: np.ndarray, numbers: np.ndarray) -> None:
        """Take counts in the place of those that are there."""
        self.keys = torch.from_numpy(keys).to(self.keys.device)
        self.numbers = torch.from_numpy(numbers.astype(np.int32)).to(self.keys.device)
        said = np.frombuffer(json.dumps(spec, sort_keys=True).encode(), dtype=np.uint8)
        self.said = torch.from_numpy(said.copy()).to(self.keys.device)
        self._counts: Counts | None = None

    @property
    def spec(self) -> dict[str, Any]:
        """The description of the counts."""
        return json.loads(self.said.cpu().numpy().tobytes())

    @property
    def counts(self) -> Counts:
        """The counts as they are looked up."""
        if self._counts is None:
            self._counts = Counts(self.fields, self.spec, self.keys.cpu().numpy(), self.numbers.cpu().numpy())
        return self._counts

    def logits(self, name: str, hidden: Tensor, chosen: Tensor) -> Tensor:
        """Log-probabilities (..., size) of a field, or logits of units, from hidden (..., width)."""
        found = self.counts.logits(name, *self._rows(hidden, chosen))
        return torch.from_numpy(found).to(hidden.device).view(*hidden.shape[:-1], -1)

    def nats(self, hidden: Tensor, steps: Tensor) -> dict[str, Tensor]:
        """Negative log-likelihood (B, T) of each composed field; 0 where it holds -1."""
        window, rows = self._rows(hidden, steps)
        found = {name: self.counts.nats(name, window, rows).astype(np.float32) for name in self.composed}
        return {name: torch.from_numpy(one).to(hidden.device).view(steps.shape[:-1]) for name, one in found.items()}

    def _rows(self, hidden: Tensor, rows: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Windows (N, WINDOW, columns) and coming rows (N, columns)."""
        window = hidden.reshape(-1, WINDOW, self.columns).to(torch.int16)
        return window.cpu().numpy(), rows.reshape(-1, self.columns).cpu().numpy()

    def _load_from_state_dict(self, state_dict, prefix, *rest) -> None:
        for name in TABLES:  # of whatever length they are
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name], device=self.keys.device))
        self._counts = None
        super()._load_from_state_dict(state_dict, prefix, *rest)


class Family(Composer):
    """`order`: how many steps back a context may reach, 0 to 12; without it, of 0 to 6 the best on held-out music."""

    def __init__(self, fields: Sequence[Field], *, order: int | None = None):
        if order is not None and (isinstance(order, bool) or order not in range(LONGEST + 1)):
            raise BadOption(f"order {order!r} is out of range; wanted a number from 0 to {LONGEST}")
        width = WINDOW * sum(field.width for field in fields)
        super().__init__(fields, width, nn.Identity(), Choices(fields))
        self.order = order

    @property
    def orders(self) -> Sequence[int]:
        """The orders to choose from."""
        return ORDERS if self.order is None else (self.order,)

    def fit(self, music: Music, encoding: Encoding, order: int, *, seed: int = 0, untold: bool = True) -> None:
        """Count `music` in contexts that reach `order` steps back; which ones, is chosen on a part of it.

        `untold`: whether music of which the key is not told is counted too, so that it can be predicted.
        """
        self.heads.take(*fitted(music, encoding, order, seed=seed, untold=untold))

    def objectives(self) -> dict[str, Any]:
        """None: counts are not learnt by gradient. See `fit`."""
        return {}

    def hidden(self, batch: Batch) -> Tensor:
        """The rows up to each step, (B, T, WINDOW * columns) int16, the latest last; -1 before the batch's first."""
        last = batch["last"].to(torch.int16)
        pieces, steps, columns = last.shape
        before = torch.full((pieces, WINDOW - 1, columns), -1, dtype=torch.int16, device=last.device)
        windows = torch.cat([before, last], dim=1).unfold(1, WINDOW, 1)  # (B, T, columns, WINDOW)
        return windows.transpose(2, 3).reshape(pieces, steps, -1)

    def begin(self, size: int) -> list[Tensor]:
        """The latest rows of each piece."""
        return [torch.full((size, WINDOW, self.columns), -1, dtype=torch.int16)]

    def advance(self, last: Tensor, given: Tensor, time: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        rows = torch.cat([state[0][:, 1:], last[:, None].to(torch.int16)], dim=1)
        return rows.flatten(1), [rows]

    def state_spec(self) -> dict[str, Any]:
        return self.heads.spec

    def graphs(self) -> dict[str, Graph]:
        """None: a model file holds the counts themselves, see `members`."""
        return {}

    def members(self) -> dict[str, bytes]:
        """What a model file holds in the place of graphs and weights."""
        return {MEMBER: packed(self.heads.keys.cpu().numpy(), self.heads.numbers.cpu().numpy())}

    def restore(self, spec: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
        """Take the counts of a model file; raises `ModelError` where they are damaged, `KeyError` where none are."""
        self.heads.take(spec, *unpacked(members[MEMBER], spec["entries"]))
