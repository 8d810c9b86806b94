"""Family `transformer`: a causal Transformer with rotary positions by index and by musical time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..encodings.base import Field
from ..errors import BadOption
from .base import Composer
from .graphs import Graph, linear, step_graph
from .layers import Heads, RMSNorm, Rotary, StepEmbedding, rotate

CACHE_BLOCK = 256  # steps by which the key-value cache grows
FAR_BELOW = -1e9  # a score that softmax makes nothing of


class Block(nn.Module):
    """Attention and a gated feed-forward layer, each on a normalised residual stream."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float):
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.before_attention, self.before_inner = RMSNorm(width), RMSNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)
        self.dropout = nn.Dropout(dropout)

    def project(self, x: Tensor, angles) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, heads, T, head_width), turned to their positions."""
        shape = (x.shape[0], x.shape[1], 3, self.heads, self.head_width)
        mixed = self.qkv(self.before_attention(x)).view(shape).permute(2, 0, 3, 1, 4)
        q, k = rotate(mixed[:2], *angles)
        return q, k, mixed[2]

    def feed(self, x: Tensor, mixed: Tensor) -> Tensor:
        """The residual stream after attention `mixed` (B, T, width) and the feed-forward layer."""
        x = x + self.dropout(self.out(mixed))
        gate, value = self.up(self.before_inner(x)).chunk(2, dim=-1)
        return x + self.dropout(self.down(F.silu(gate) * value))

    def forward(self, x: Tensor, angles) -> Tensor:
        q, k, v = self.project(x, angles)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.feed(x, mixed.transpose(1, 2).flatten(2))

    def turned(self) -> Tensor:
        """Weights (5 width, width) of queries, keys, values, and queries and keys with their halves exchanged.

        A rotation needs a vector and its exchanged halves; as rows of one matrix they cost no slicing a step.
        """
        q, k, v = self.qkv.weight.chunk(3)
        return torch.cat([q, k, _exchanged(q, self.heads), _exchanged(k, self.heads), v])

    def step(self, x: Tensor, projected: Tensor, slots: Slots, keys: Tensor, values: Tensor):
        """One step: the stream `x` (B, width) and its projection by `turned` (B, 5 width) over a cache.

        `keys` (B, heads, head_width, C) and `values` (B, heads, C, head_width) hold zeros in the step's own slot.
        Returns the stream and the step's own key and value (B, heads, 1, head_width) for the caller to store in
        place: a cache passed through the graph would be copied at every note.
        """
        width = x.shape[-1]
        plain, exchanged, v = projected.split([2 * width, 2 * width, width], dim=-1)
        q, k = (plain * slots.cosine + exchanged * slots.sine).split([width, width], dim=-1)
        q, k, v = (part.view(-1, self.heads, 1, self.head_width) for part in (q, k, v))
        own = (q * k).sum(-1, keepdim=True)
        scores = (q @ keys + own * slots.own) * (1 / math.sqrt(self.head_width)) + slots.bias  # (B, heads, 1, C)
        weights = torch.softmax(scores, dim=-1)
        mixed = weights @ values + (weights * slots.own).sum(-1, keepdim=True) * v
        return self.feed(x, mixed.view(-1, width)), k, v


@dataclass(frozen=True)
class Slots:
    """What all layers of one step share: the rotation (B, 2 width), which slot is its own and which are filled (C,)."""

    cosine: Tensor
    sine: Tensor
    own: Tensor  # 1 in the step's own slot
    bias: Tensor  # 0 where filled, far below elsewhere


def _exchanged(weight: Tensor, heads: int) -> Tensor:
    """Rows of a projection such that its outcome has the halves of each head exchanged, the first one negated."""
    first, second = weight.view(heads, 2, -1, weight.shape[-1]).unbind(1)
    return torch.stack([-second, first], dim=1).view(weight.shape)


class Family(Composer):
    """Transformer over steps: `layers` blocks of `width`, `heads` attention heads each; `intervals`: see `Heads`."""

    def __init__(
        self, fields: Sequence[Field], *, width: int = 256, layers: int = 6, heads: int = 4, dropout: float = 0.1,
        head_width: int = 160, context: int = 1024, intervals: int = 0,
    ):  # fmt: skip
        heads_of_fields = Heads(fields, width, head_width, dropout, intervals)
        super().__init__(fields, width, StepEmbedding(fields, width), heads_of_fields)
        if width % (4 * heads):
            raise BadOption(f"width {width} is not a multiple of four times the {heads} heads; change one of them")
        self.context, self.head_size, self.layers = context, width // heads, layers
        inner = 64 * round(width * 8 / 3 / 64)
        self.rotary = Rotary(width // heads)
        blocks = [Block(width, heads, inner, dropout) for _ in range(layers)]
        self.blocks = nn.ModuleList(blocks)
        self.norm = RMSNorm(width)
        self.dropout = nn.Dropout(dropout)
        for block in blocks:
            nn.init.normal_(block.out.weight, std=0.02 / math.sqrt(2 * layers))
            nn.init.normal_(block.down.weight, std=0.02 / math.sqrt(2 * layers))
            nn.init.normal_(block.qkv.weight, std=0.03)
            nn.init.normal_(block.up.weight, std=0.03)

    def backbone(self, embedded: Tensor, time: Tensor, mask: Tensor) -> Tensor:
        x = self.dropout(embedded)
        index = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)[None]
        cosine, sine = self.rotary.angles(index, time[:, :-1].float())
        angles = cosine[:, None].to(x.dtype), sine[:, None].to(x.dtype)  # (B, 1, T, head_width / 2)
        for block in self.blocks:
            x = block(x, angles)
        return self.norm(x)

    def begin(self, size: int, capacity: int = CACHE_BLOCK) -> list[Tensor]:
        """Position (scalar), then keys and values of each layer with room for `capacity` steps."""
        heads, capacity = self.width // self.head_size, min(capacity, self.context)
        state = [torch.zeros((), dtype=torch.int64)]
        for _ in range(self.layers):
            state.append(torch.zeros(size, heads, self.head_size, capacity))
            state.append(torch.zeros(size, heads, capacity, self.head_size))
        return state

    def step(
        self,
        last: Tensor,
        given: Tensor,
        time: Tensor,
        at: Tensor,
        caches: Sequence[Tensor],
        project: Sequence | None = None,
    ):
        """One step without storing: hidden (B, width) and each layer's new key and value (B, heads, 1, head_width).

        `project`, a layer for each block, may stand in for the product with `Block.turned`.
        """
        x = self.embedding(last, given)
        slots, fresh = self._slots(time, at, caches[0]), []
        blocks = cast(list[Block], list(self.blocks))
        for n, (block, keys, values) in enumerate(zip(blocks, caches[0::2], caches[1::2], strict=True)):
            entered = block.before_attention(x)
            projected = project[n](entered) if project else F.linear(entered, block.turned())
            x, key, value = block.step(x, projected, slots, keys, values)
            fresh += [key, value]
        return self.norm(x), fresh

    def _slots(self, time: Tensor, at: Tensor, keys: Tensor) -> Slots:
        cosine, sine = self.rotary.angles(at.float(), time.float())  # (B, head_width / 2)
        copies = 4 * self.width // self.head_size
        number = torch.arange(keys.shape[3], device=keys.device)
        own = (number == at % self.context).float()
        bias = torch.where(number <= at, 0.0, FAR_BELOW)
        return Slots(cosine.repeat(1, copies), sine.repeat(1, copies), own, bias)

    def advance(self, last: Tensor, given: Tensor, time: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        at, caches = int(state[0]), state[1:]
        if at == caches[0].shape[3] < self.context:
            room = min(CACHE_BLOCK, self.context - at)
            caches = [F.pad(cache, (0, room) if n % 2 == 0 else (0, 0, 0, room)) for n, cache in enumerate(caches)]
        slot = at % self.context  # keys carry their position, so that the oldest slot can be written over
        places = [cache.narrow(2 if n % 2 else 3, slot, 1) for n, cache in enumerate(caches)]
        for place in places:
            place.zero_()
        hidden, fresh = self.step(last, given, time, state[0], caches)
        for n, (place, entry) in enumerate(zip(places, fresh, strict=True)):
            place.copy_(entry if n % 2 else entry.transpose(2, 3))
        return hidden, [state[0] + 1, *caches]

    def state_spec(self) -> dict[str, Any]:
        sizes = {"layers": self.layers, "heads": self.width // self.head_size, "head": self.head_size}
        return {"kind": "cache", **sizes, "context": self.context}

    def graphs(self) -> dict[str, Graph]:
        found, state = super().graphs(), self.begin(2)
        axes = [{}, *({0: "pieces", (2 if n % 2 else 3): "slots"} for n in range(len(state) - 1))]
        return found | {"advance": step_graph(Stepwise(self), self.columns, state, axes)}


class Stepwise(nn.Module):
    """One step of the backbone as a graph, whose caches are kept outside it."""

    def __init__(self, model: Family):
        super().__init__()
        self.model = model
        self.projections = nn.ModuleList(linear(block.turned()) for block in cast(list[Block], list(model.blocks)))

    def forward(self, last: Tensor, given: Tensor, time: Tensor, *state: Tensor):
        hidden, fresh = self.model.step(last, given, time, state[0], state[1:], list(self.projections))
        return (hidden, *fresh)
