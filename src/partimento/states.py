"""What a model keeps of a piece from step to step, without torch. A model file says which kind it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from . import counts
from .encodings._blocks import Blocks

CACHE_BLOCK = 256  # steps by which a cache of keys and values grows
KINDS = ("float32", "int64")  # of the numbers in a memory
LARGEST = 2**26  # numbers that a state may hold for one piece
MOST_TENSORS = 1024


class State(Protocol):
    """What the inputs of a graph are besides the step itself, and what becomes of its outputs."""

    def feed(self) -> dict[str, np.ndarray]: ...
    def take(self, fresh: list[np.ndarray]) -> None: ...


class Memory:
    """A few tensors a piece, new at every step: a recurrent model's vectors, or the latest rows of a window."""

    def __init__(self, spec: Mapping[str, Any], size: int):
        self.values = [np.full((size, *shape), fill, dtype=kind) for kind, fill, *shape in spec["tensors"]]

    def feed(self) -> dict[str, np.ndarray]:
        return {f"state{n}": value for n, value in enumerate(self.values)}

    def take(self, fresh: list[np.ndarray]) -> None:
        self.values = fresh


class KeyValues:
    """The state of a Transformer: keys (B, heads, head, C) and values (B, heads, C, head) of each layer.

    New entries are written in place; once `context` steps are held, the newest takes the oldest's slot.
    """

    def __init__(self, spec: Mapping[str, Any], size: int):
        self.context, self.at = spec["context"], 0
        self.shape = (size, spec["heads"], spec["head"])
        self.values = [self._room(n, min(CACHE_BLOCK, self.context)) for n in range(2 * spec["layers"])]

    @property
    def is_full(self) -> bool:
        """Whether the next step takes the slot of an older one."""
        return self.at >= self.context

    def _room(self, n: int, capacity: int) -> np.ndarray:
        size, heads, head = self.shape
        return np.zeros((size, heads, capacity, head) if n % 2 else (size, heads, head, capacity), dtype=np.float32)

    def feed(self) -> dict[str, np.ndarray]:
        if self.at == self.values[0].shape[3] < self.context:
            room = min(CACHE_BLOCK, self.context - self.at)
            self.values = [
                np.concatenate([value, self._room(n, room)], axis=2 if n % 2 else 3)
                for n, value in enumerate(self.values)
            ]
        if self.at >= self.context:  # the graph adds the step's own key to its slot
            for n, value in enumerate(self.values):
                (value[:, :, self.at % self.context] if n % 2 else value[..., self.at % self.context])[...] = 0.0
        found = {f"state{n + 1}": value for n, value in enumerate(self.values)}
        return found | {"state0": np.array(self.at, dtype=np.int64)}

    def take(self, fresh: list[np.ndarray]) -> None:
        slot = self.at % self.context
        for n, entry in enumerate(fresh):
            if n % 2:
                self.values[n][:, :, slot] = entry[:, :, 0]
            else:
                self.values[n][..., slot] = entry[:, :, 0]
        self.at += 1


class Latent:
    """A model that paints a block of at most `stride` steps from a point (size,) of its latent space.

    Points are drawn from a normal distribution with `mean` and `spread` (standard deviations) by the pieces' own
    generators; from block to block a piece keeps the share `drift` of where it is (a stationary walk). `points`, if
    given, are gone through instead: (blocks, size) for all pieces. Blocks begin as `encodings._blocks` has it.
    """

    def __init__(self, spec: Mapping[str, Any], size: int, rngs: Sequence[np.random.Generator] = ()):
        self.stride, self.size, self.drift = spec["stride"], spec["size"], spec["drift"]
        self.mean, self.spread = (np.array(spec[name], dtype=np.float64) for name in ("mean", "spread"))
        self.rngs, self.points = rngs, None
        self.blocks, self.place = Blocks(self.stride, size), np.zeros(size, dtype=np.int64)
        self.number = np.full(size, -1)  # of each piece's present block
        self.where = np.zeros((size, self.size))  # in the latent space, standardised
        self.block = np.zeros((size, self.stride, 0), dtype=np.float32)

    points: np.ndarray | None

    def begins(self, is_line: np.ndarray) -> bool:
        """Take the coming step of each piece, with which a bar begins or not (B,); whether any piece needs a block."""
        self.place = self.blocks.step(is_line)
        self.number += self.place == 0
        return bool((self.place == 0).any())

    def feed(self) -> dict[str, np.ndarray]:
        fresh = self.place == 0
        if self.points is not None:
            return {"point": self.points[np.minimum(self.number, len(self.points) - 1)].astype(np.float32)}
        readings = len(self.place) // max(1, len(self.rngs))
        for n, rng in enumerate(self.rngs):
            same = slice(n * readings, (n + 1) * readings)  # all readings of a piece are at one point
            if fresh[same].any():
                keep = self.drift if self.number[same].max() else 0.0
                self.where[same] = keep * self.where[same] + np.sqrt(1 - keep**2) * rng.standard_normal(self.size)
        return {"point": (self.mean + self.spread * self.where).astype(np.float32)}

    def take(self, fresh: list[np.ndarray]) -> None:
        (painted,) = fresh
        begins = (self.place == 0)[:, None, None]
        self.block = np.where(begins, painted, self.block) if self.block.shape == painted.shape else painted

    def step(self) -> np.ndarray:
        """What the blocks hold for the coming step, (B, width)."""
        return self.block[np.arange(len(self.place)), self.place]


def check(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The description of a state as it came from a file, checked; raises `KeyError`, `TypeError` or `ValueError`."""
    if spec["kind"] == "cache":
        found: dict[str, Any] = {name: int(spec[name]) for name in ("layers", "heads", "head", "context")}
        numbers = 2 * found["layers"] * found["heads"] * found["head"] * found["context"]
        if min(found.values()) < 1 or numbers > 8 * LARGEST:
            raise ValueError(f"a cache of {numbers} numbers")
        return found
    if spec["kind"] == "memory":
        return {"tensors": [_tensor(*entry) for entry in _list(spec["tensors"], MOST_TENSORS)]}
    if spec["kind"] == "latent":
        return _latent(spec)
    if spec["kind"] == counts.KIND:
        return counts.check(spec)
    raise ValueError(f"a state {spec['kind']!r}")


def _list(entries: Any, most: int) -> list:
    if not isinstance(entries, list) or len(entries) > most:
        raise ValueError(f"{type(entries).__name__} where a list of at most {most} is wanted")
    return entries


def _tensor(kind: str, fill: float, *shape: int) -> list:
    sizes = [int(size) for size in shape]
    if kind not in KINDS or min(sizes, default=1) < 1 or np.prod(sizes, dtype=float) > LARGEST:
        raise ValueError(f"a tensor {kind} {sizes}")
    return [kind, float(fill) if kind == "float32" else int(fill), *sizes]


def _latent(spec: Mapping[str, Any]) -> dict[str, Any]:
    found = {"stride": int(spec["stride"]), "size": int(spec["size"]), "drift": float(spec["drift"])}
    if min(found["stride"], found["size"]) < 1 or max(found["stride"], found["size"]) > LARGEST:
        raise ValueError(f"a latent space of {found['size']} numbers for {found['stride']} steps")
    if not 0 <= found["drift"] <= 1:
        raise ValueError(f"drift {found['drift']}")
    places = {name: [float(value) for value in _list(spec[name], LARGEST)] for name in ("mean", "spread")}
    if any(len(place) != found["size"] for place in places.values()):
        raise ValueError(f"a mean or a spread that is not of {found['size']} numbers")
    return found | places


def fresh(spec: Mapping[str, Any], size: int, rngs: Sequence[np.random.Generator] = ()) -> State | counts.Rows:
    """The state of `size` pieces before their first step, as `check` gives its description."""
    if "context" in spec:
        return KeyValues(spec, size)
    if "moves" in spec:
        return counts.Rows(size, spec["columns"])
    return Memory(spec, size) if "tensors" in spec else Latent(spec, size, rngs)
