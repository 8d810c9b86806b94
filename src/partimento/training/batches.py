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
from ..encodings.base import Lesson
from ..errors import MusicError
from ..profile import Scales, with_classes

POOL = 4  # batches drawn together and sorted by length, so that little is padding
DROP_ALL = 0.1  # share of windows that see no control at all
PLACE = "place"  # the given field that says where in its bar a step stands
OFTEN = 0.5  # fields that are left out at least so often are left out together, more or fewer a window


@dataclass(frozen=True)
class Window:
    """`length` steps of a piece after row `first` (a row of the cache), moved by `semitones`."""

    first: int
    length: int
    semitones: int
    style: str


class Batches:
    """Draws batches from the pieces of one split of a cache.

    `align`, for families that paint blocks: windows begin at bar lines and are plain music, and where in its bar a
    step stands is always told.
    """

    def __init__(
        self, cache: Cache, encoding: Encoding, *, split: str, size: int, window: int, seed: int,
        weights: Mapping[str, float] | None = None, scales: Scales | None = None, align: bool = False,
    ):  # fmt: skip
        self.cache, self.encoding, self.size, self.window, self.seed = cache, encoding, size, window, seed
        self.align, self.starts = align, dict[int, np.ndarray]()
        self.scales = scales or {}
        self.by_style: dict[str, list[Piece]] = defaultdict(list)
        for piece in cache.of(split):
            self.by_style[piece.style].append(piece)
        self.styles = sorted(self.by_style)
        # a style with a hundred times the music is heard ten times as often
        shares = np.array([(weights or {}).get(s, 1.0) * len(self.by_style[s]) ** 0.5 for s in self.styles])
        self.shares = shares / shares.sum()
        self.columns = encoding.columns
        self.droppable = [field for field in encoding.given if field.droppable and not (align and field.name == PLACE)]

    def at(self, step: int, rank: int = 0) -> dict[str, Tensor]:
        """The batch of training step `step` in process `rank`; all processes get windows of like length."""
        rng = np.random.default_rng([self.seed, step, rank])
        windows = sorted((self._draw(rng) for _ in range(POOL * self.size)), key=lambda window: window.length)
        start = int(np.random.default_rng([self.seed, step]).integers(POOL)) * self.size
        lessons = [self._rows(window, rng) for window in windows[start : start + self.size]]
        for lesson in lessons:
            self._drop(lesson.rows, rng)
        return collate(lessons)

    def _draw(self, rng: np.random.Generator) -> Window:
        pieces = self.by_style[self.styles[int(rng.choice(len(self.styles), p=self.shares))]]
        piece = pieces[int(rng.integers(len(pieces)))]
        steps = piece.length - 1
        length = min(steps, self.window)
        # as often the beginning or the end of a piece as chance alone would seldom give
        where = int(rng.integers(-length // 4, steps - length + length // 4 + 1)) if steps > length else 0
        first = piece.start + self._aligned(piece, min(max(where, 0), steps - length))
        moves = int(rng.integers(piece.low // piece.interval, piece.high // piece.interval + 1))
        return Window(first, length, moves * piece.interval, piece.style)

    def _rows(self, window: Window, rng: np.random.Generator) -> Lesson:
        """A task made of the window's rows, from its row 0 on."""
        rows, times = window_of(self.cache, self.encoding, window, self.scales)
        return self.encoding.arranged(rows, times, None if self.align else rng)

    def _aligned(self, piece: Piece, row: int) -> int:
        """The row before the last bar line up to `row` of a piece, where windows are aligned."""
        if not self.align:
            return row
        if piece.start not in self.starts:
            self.starts[piece.start] = bar_starts(self.cache, self.encoding, piece)
        starts = self.starts[piece.start]
        return int(starts[np.searchsorted(starts, row, side="right") - 1])

    def _drop(self, rows: np.ndarray, rng: np.random.Generator) -> None:
        everything, often = rng.random() < DROP_ALL, rng.random()
        for field in self.droppable:
            chance = often if field.droppable >= OFTEN else field.droppable
            if rng.random() < chance or everything:
                rows[:, self.columns[field.name]] = 0


def bar_starts(cache: Cache, encoding: Encoding, piece: Piece) -> np.ndarray:
    """Rows of a piece, 0 being the one before its music, behind which a bar begins; all where bars are unknown."""
    span = slice(piece.start + 1, piece.start + piece.length)
    try:
        bars = encoding.bar_numbers(np.asarray(cache.steps[span]), np.asarray(cache.times[span]))
    except MusicError:
        return np.arange(piece.length - 1)
    return np.flatnonzero(np.diff(bars, prepend=-1))


def window_of(cache: Cache, encoding: Encoding, window: Window, scales: Scales) -> tuple[np.ndarray, np.ndarray]:
    """Rows (length + 1, columns) of a window, measures turned into classes, and their times (length + 1,)."""
    span = slice(window.first, window.first + window.length + 1)
    times = np.asarray(cache.times[span])
    rows = encoding.transpose(np.asarray(cache.steps[span]), window.semitones)
    return with_classes(rows, encoding, scales.get(window.style, {})), times - times[0]


def collate(lessons: Sequence[Lesson]) -> dict[str, Tensor]:
    """Padded tensors of several lessons; see `models.base` for what a batch holds."""
    longest = max(len(lesson.rows) for lesson in lessons)
    table = np.zeros((len(lessons), longest, lessons[0].rows.shape[1]), dtype=np.int64)
    time = np.zeros((len(lessons), longest), dtype=np.int64)
    mask = np.zeros((len(lessons), longest - 1), dtype=bool)
    for n, (rows, times, counts) in enumerate(lessons):
        table[n, : len(rows)], time[n, : len(rows)], mask[n, : len(rows) - 1] = rows, times, counts[1:]
    both = torch.from_numpy(table)
    return {
        "last": both[:, :-1],
        "steps": both[:, 1:],
        "time": torch.from_numpy(time),
        "mask": torch.from_numpy(mask),
    }


def whole_pieces(
    cache: Cache, encoding: Encoding, pieces: Sequence[Piece], window: int, size: int, scales: Scales
) -> Iterator[dict[str, Tensor]]:
    """Every step of the pieces exactly once, in windows, `size` windows a batch of like length."""
    spans = []
    for piece in pieces:
        for first in range(0, piece.length - 1, window):
            spans.append(Window(piece.start + first, min(window, piece.length - 1 - first), 0, piece.style))
    spans.sort(key=lambda span: (span.length, span.first))
    for at in range(0, len(spans), size):
        found = [window_of(cache, encoding, span, scales) for span in spans[at : at + size]]
        yield collate([encoding.arranged(rows, times, None) for rows, times in found])
