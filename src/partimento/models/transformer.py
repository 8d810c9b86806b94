"""Family `transformer`: a causal Transformer with rotary positions by index and by musical time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..encodings.base import Field
from .base import Composer
from .layers import RMSNorm, Rotary, rotate

CACHE_BLOCK = 256  # steps by which the key-value cache grows


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
        q, k, v = self.qkv(self.before_attention(x)).view(shape).permute(2, 0, 3, 1, 4)
        cosine, sine = angles
        return rotate(q, cosine, sine), rotate(k, cosine, sine), v

    def feed(self, x: Tensor, mixed: Tensor) -> Tensor:
        """The residual stream after attention `mixed` (B, T, width) and the feed-forward layer."""
        x = x + self.dropout(self.out(mixed))
        gate, value = self.up(self.before_inner(x)).chunk(2, dim=-1)
        return x + self.dropout(self.down(F.silu(gate) * value))

    def forward(self, x: Tensor, angles) -> Tensor:
        q, k, v = self.project(x, angles)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.feed(x, mixed.transpose(1, 2).flatten(2))

    def step(self, x: Tensor, angles, keys: Tensor, values: Tensor, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One step (B, 1, width) over cached `keys` (B, heads, head_width, C) and `values` (B, heads, C, head_width).

        Only the first `at` (int64 scalar) of the C slots are filled. Returns the stream and the step's own key and
        value, for the caller to store in place: a cache passed through the graph would be copied at every note.
        """
        q, k, v = self.project(x, angles)
        scale = 1 / math.sqrt(self.head_width)
        slots = torch.arange(keys.shape[3], device=x.device)
        past = (q @ keys) * scale + torch.where(slots < at, 0.0, -1e9)  # (B, heads, 1, C)
        own = (q * k).sum(-1, keepdim=True) * scale
        weights = torch.softmax(torch.cat([past, own], dim=-1), dim=-1)
        mixed = weights[..., :-1] @ values + weights[..., -1:] * v
        return self.feed(x, mixed.transpose(1, 2).flatten(2)), k.transpose(2, 3), v


class Family(Composer):
    """Transformer over steps: `layers` blocks of `width`, `heads` attention heads each."""

    def __init__(
        self, fields: Sequence[Field], *, width: int = 256, layers: int = 6, heads: int = 4, dropout: float = 0.1,
        head_width: int = 160, context: int = 1024,
    ):  # fmt: skip
        super().__init__(fields, width, dropout, head_width)
        self.context, self.head_size, self.layers = context, width // heads, layers
        inner = 64 * round(width * 8 / 3 / 64)
        self.rotary = Rotary(width // heads)
        self.blocks = nn.ModuleList(Block(width, heads, inner, dropout) for _ in range(layers))
        self.norm = RMSNorm(width)
        self.dropout = nn.Dropout(dropout)
        for block in self.blocks:
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

    def step(self, last: Tensor, given: Tensor, time: Tensor, at: Tensor, caches: Sequence[Tensor]):
        """One step without storing: hidden (B, width) and each layer's new key and value."""
        x = self.embedding(last, given)[:, None]
        cosine, sine = self.rotary.angles(at.float(), time.float())
        angles, fresh = (cosine[:, None, None], sine[:, None, None]), []
        for block, keys, values in zip(self.blocks, caches[0::2], caches[1::2], strict=True):
            x, key, value = block.step(x, angles, keys, values, at)
            fresh += [key, value]
        return self.norm(x)[:, 0], fresh

    def advance(self, last: Tensor, given: Tensor, time: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        at, caches = int(state[0]), state[1:]
        if at == caches[0].shape[3] < self.context:
            room = min(CACHE_BLOCK, self.context - at)
            caches = [F.pad(cache, (0, room) if n % 2 == 0 else (0, 0, 0, room)) for n, cache in enumerate(caches)]
        hidden, fresh = self.step(last, given, time, state[0], caches)
        slot = at % self.context  # keys carry their position, so that the oldest slot can be written over
        for n, entry in enumerate(fresh):
            caches[n].narrow(3 if n % 2 == 0 else 2, slot, 1).copy_(entry)
        return hidden, [state[0] + 1, *caches]
