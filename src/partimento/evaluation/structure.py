"""Structure: how alike the bars of a piece are to each other, and whether they return after 4, 8 and 16 bars.

The matrix of self-similarity is Foote's (1999, "Visualizing music and audio using self-similarity"), of bars instead
of frames; how alike two bars are is the Jaccard index of their notes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ._base import NOT_HERE
from .hearing import Hearing

LAGS = (4, 8, 16)  # bars, as phrases and parts are built


def similarity_matrix(heard: Hearing) -> np.ndarray:
    """How alike each two bars are, 0 (no note in common) to 1 (the same notes at the same places), (bars, bars).

    A note counts by its place in the bar and its pitch; an upbeat is no bar; a bar in which nothing begins is like
    none, itself included.
    """
    first = int(bool(heard.score.upbeat))
    bars = len(heard.clock.bars) - first
    inside = heard.bar >= first
    events = np.unique((heard.bar[inside] - first) << 32 | heard.place[inside] << 8 | heard.pitch[inside])
    kinds, column = np.unique(events & 0xFFFFFFFF, return_inverse=True)
    table = np.zeros((bars, max(1, len(kinds))))
    table[events >> 32, column] = 1
    common, sizes = table @ table.T, table.sum(axis=1)
    return common / np.maximum(1, sizes[:, None] + sizes - common)


def self_similarity(heard: Hearing) -> float:
    """Mean likeness of two different bars in which notes begin, 0 to 1: what any two bars share by their style."""
    matrix = similarity_matrix(heard)
    filled = np.diagonal(matrix) > 0
    pairs = filled[:, None] & filled & ~np.eye(len(matrix), dtype=bool)
    return float(matrix[pairs].mean()) if pairs.any() else NOT_HERE


def repetition(heard: Hearing, lag: int) -> float:
    """Mean likeness of each bar with that `lag` bars before, 0 to 1, both having notes.

    Not a number of music shorter than twice the lag: half the music has to have something to return to.
    """
    matrix = similarity_matrix(heard)
    if len(matrix) < 2 * lag:
        return NOT_HERE
    filled = np.diagonal(matrix) > 0
    both = filled[lag:] & filled[:-lag]
    return float(np.diagonal(matrix, -lag)[both].mean()) if both.any() else NOT_HERE


REPETITIONS: dict[int, Callable[[Hearing], float]] = {lag: partial(repetition, lag=lag) for lag in LAGS}
