"""Batches: windows of pieces, balanced by style and piece, transposed, with controls dropped at random.

The batch of a step depends on the seed and the step alone, so that a run that was killed resumes with the same ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..corpus import Cache, Piece
from ..encodings import Encoding

POOL = 4  # batches drawn together and sorted by length, so that little is padding
DROP_ALL = 0.1  # share of windows that see no control at all
DROP_ONE = 0.1  # chance of each control of the others to be dropped


@dataclass(frozen=True)
class Window:
    """`length` steps of a piece after row `first` (a row of the cache), moved by `semitones`."""

    first: int
    length: int
    semitones: int


class Batches:
    """Draws batches from the pieces of one split of a cache."""

    def __init__(
        self, cache: Cache, encoding: Encoding, *, split: str, size: int, window: int, seed: int,
        weights: Mapping[str, float] | None = None,
    ):  # fmt: skip
        self.cache, self.encoding, self.size, self.window, self.seed = cache, encoding, size, window, seed
        self.by_style: dict[str, list[Piece]] = defaultdict(list)
        for piece in cache.of(split):
            self.by_style[piece.style].append(piece)
        self.styles = sorted(self.by_style)
        # a style with a hundred times the music is heard ten times as often
        shares = np.array([(weights or {}).get(s, 1.0) * len(self.by_style[s]) ** 0.5 for s in self.styles])
        self.shares = shares / shares.sum()
        self.columns = encoding.columns
        self.droppable = [field for field in encoding.given if field.droppable]

    def at(self, step: int) -> dict[str, Tensor]:
        """The batch of training step `step`."""
        rng = np.random.default_rng([self.seed, step])
        windows = sorted((self._draw(rng) for _ in range(POOL * self.size)), key=lambda window: window.length)
        start = int(rng.integers(POOL)) * self.size
        tables = [self._rows(window) for window in windows[start : start + self.size]]
        for rows, _ in tables:
            self._drop(rows, rng)
        return collate(tables)

    def _draw(self, rng: np.random.Generator) -> Window:
        pieces = self.by_style[self.styles[int(rng.choice(len(self.styles), p=self.shares))]]
        piece = pieces[int(rng.integers(len(pieces)))]
        steps = piece.length - 1
        length = min(steps, self.window)
        # as often the beginning or the end of a piece as chance alone would seldom give
        where = int(rng.integers(-length // 4, steps - length + length // 4 + 1)) if steps > length else 0
        first = piece.start + min(max(where, 0), steps - length)
        return Window(first, length, int(rng.integers(piece.low, piece.high + 1)))

    def _rows(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Rows (length + 1, columns) and their times (length + 1,), from the window's row 0 on."""
        span = slice(window.first, window.first + window.length + 1)
        rows = np.asarray(self.cache.steps[span])
        times = np.asarray(self.cache.times[span])
        return self.encoding.transpose(rows, window.semitones), times - times[0]

    def _drop(self, rows: np.ndarray, rng: np.random.Generator) -> None:
        everything = rng.random() < DROP_ALL
        for field in self.droppable:
            if rng.random() < DROP_ONE or everything:
                rows[:, self.columns[field.name]] = 0


def collate(tables: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, Tensor]:
    """Padded tensors of several pieces' rows and times; see `models.base` for what a batch holds."""
    longest = max(len(rows) for rows, _ in tables)
    table = np.zeros((len(tables), longest, tables[0][0].shape[1]), dtype=np.int64)
    time = np.zeros((len(tables), longest), dtype=np.int64)
    mask = np.zeros((len(tables), longest - 1), dtype=bool)
    for n, (rows, times) in enumerate(tables):
        table[n, : len(rows)], time[n, : len(rows)], mask[n, : len(rows) - 1] = rows, times, True
    both = torch.from_numpy(table)
    return {
        "last": both[:, :-1],
        "steps": both[:, 1:],
        "time": torch.from_numpy(time),
        "mask": torch.from_numpy(mask),
    }


def whole_pieces(cache: Cache, pieces: Sequence[Piece], window: int, size: int) -> Iterator[dict[str, Tensor]]:
    """Every step of the pieces exactly once, in windows, `size` windows a batch of like length."""
    spans = []
    for piece in pieces:
        for first in range(0, piece.length - 1, window):
            spans.append((piece.start + first, min(window, piece.length - 1 - first)))
    spans.sort(key=lambda span: (span[1], span[0]))
    for at in range(0, len(spans), size):
        tables = []
        for first, length in spans[at : at + size]:
            times = np.asarray(cache.times[first : first + length + 1])
            tables.append((np.array(cache.steps[first : first + length + 1]), times - times[0]))
        yield collate(tables)
