"""Where blocks begin, for models that paint several steps at once: at bar lines, as far as they are known.

The same rule cuts the music that such a model learns, the music that it reads, and the music that it composes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .base import Field, columns_of

LINE = 1  # the class of `place` with which a bar begins


def line_column(fields: Sequence[Field]) -> int | None:
    """The column that tells as a step begins where in its bar it stands; None where no column does."""
    told = [field.name for field in fields if field.given and not field.after]
    return columns_of(fields)["place"] if "place" in told else None


class Blocks:
    """Counts the steps of `size` pieces side by side off into blocks of `stride` steps at most.

    At a bar line a new block begins, unless the present one began at a bar line too and has room for another bar as
    long as the last one. So a block holds as many whole bars as it has room for; an upbeat is a block of its own, and
    a bar that is longer than a block is cut. Where nothing tells of bar lines, each block is full.
    """

    def __init__(self, stride: int, size: int):
        self.stride = stride
        self.held = np.full(size, stride)  # steps in the present block; a full one makes room for the first
        self.bar = np.zeros(size, dtype=np.int64)  # steps since the last bar line
        self.whole = np.zeros(size, dtype=bool)  # whether the present block began at a bar line

    def step(self, is_line: np.ndarray) -> np.ndarray:
        """Take the coming step, with which a bar begins or not (size,) bool; its place in its block, (size,) from 0."""
        has_room = self.whole & (self.stride - self.held >= self.bar)
        begins = (self.held >= self.stride) | (is_line & ~has_room)
        self.whole = np.where(begins, is_line, self.whole)
        place = np.where(begins, 0, self.held)
        self.held = place + 1
        self.bar = np.where(is_line, 1, self.bar + 1)
        return place


def places_in_blocks(lines: np.ndarray, stride: int) -> np.ndarray:
    """The place in its block of every step, (B, T) from 0; `lines` (B, T) bool says with which steps a bar begins."""
    blocks = Blocks(stride, len(lines))
    found = np.zeros(lines.shape, dtype=np.int64)
    for at in range(lines.shape[1]):
        found[:, at] = blocks.step(lines[:, at])
    return found
