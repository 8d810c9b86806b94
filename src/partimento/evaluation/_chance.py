"""How sure a figure is: intervals by drawing pieces again, shares, and rank correlations."""

from __future__ import annotations

import math

import numpy as np

DRAWS = 500  # of a bootstrap
NORMAL_95 = 1.96
LOW, HIGH = 2.5, 97.5  # percentiles that bound a 95 % interval

Interval = tuple[float, float]


def interval_of(draws: np.ndarray) -> Interval:
    """95 % interval of a figure from its value in every draw (D,); not a number where none of them is one."""
    found = draws[np.isfinite(draws)]
    if not len(found):
        return math.nan, math.nan
    low, high = np.percentile(found, (LOW, HIGH))
    return float(low), float(high)


def weights(count: int, rng: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """How often each of `count` pieces is drawn when as many are drawn with replacement, (draws, count)."""
    return rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(float)


def mean_interval(values: np.ndarray, rng: np.random.Generator) -> Interval:
    """95 % bootstrap interval of the mean of `values` (N,)."""
    return interval_of(weights(len(values), rng) @ values / len(values))


def wilson(hits: int, count: int) -> tuple[float, float, float]:
    """Share of hits, 0 to 1, with its 95 % interval (Wilson 1927, JASA 22: 209-212)."""
    if not count:
        return math.nan, 0.0, 1.0
    share, square = hits / count, NORMAL_95**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = NORMAL_95 / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return share, max(0.0, centre - half), min(1.0, centre + half)


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0 of `values` (N,), equal values sharing the mean of theirs, (N,)."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[inverse]


def spearman(left: np.ndarray, right: np.ndarray) -> float:
    """Rank correlation of two columns (N,), -1 to 1; not a number where one of them never changes."""
    one, other = (ranks(np.asarray(side)) - (len(side) - 1) / 2 for side in (left, right))
    scale = math.sqrt(float((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / scale if scale > 0 else math.nan


def spearman_interval(left: np.ndarray, right: np.ndarray, rng: np.random.Generator) -> Interval:
    """95 % bootstrap interval of `spearman`, pieces being drawn again."""
    rows = rng.integers(len(left), size=(DRAWS, len(left)))
    return interval_of(np.array([spearman(left[row], right[row]) for row in rows]))


def auc(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Chance that a value of `ours` (N,) is above one of `theirs` (M,), equal ones counting half, 0 to 1.

    The area under the curve of hits against false alarms; Mann and Whitney 1947, "On a test of whether one of two
    random variables is stochastically larger than the other".
    """
    place = ranks(np.concatenate([ours, theirs]))[: len(ours)]
    return float((place.sum() - len(ours) * (len(ours) - 1) / 2) / (len(ours) * len(theirs)))
