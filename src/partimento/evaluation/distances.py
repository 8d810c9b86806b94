"""How far two sets of pieces lie from each other: distances within and between them, and the Fréchet distance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ._chance import HIGH, LOW, Interval, interval_of, weights

DRAWN = 200  # times that the pieces of a set are drawn again
GRID, REACH = 256, 3.0  # points of a density; how many bandwidths it goes on beyond the outer distances
FLOOR = 1e-6  # of the probability of a grid point: what cannot happen would make a divergence without end
REDEALT = 200  # times that pieces are dealt out anew, to see what one source gives


@dataclass(frozen=True)
class Density:
    """Densities over a grid of distances (GRID,): within each side, and from one side to the other."""

    grid: np.ndarray
    within_ours: np.ndarray
    within_theirs: np.ndarray
    between: np.ndarray


@dataclass(frozen=True)
class Apart:
    """How far two sets lie apart by one metric, after Yang and Lerch (2020), sections 3.2 and 3.3.

    Distances are Euclidean, of every pair of pieces. `divergence` is the Kullback-Leibler divergence in nats, 0 and
    more, of the distances within the real set from those between the sets; `overlap` the area that both densities
    cover, 0 to 1. Both are 0 and 1 where the sets are one. `own_*` are the same with the distances within our set:
    they tell a set whose pieces are all alike. Each with its 95 % interval, pieces being drawn again and the draws
    centred on the value.
    """

    means: tuple[float, float, float]  # of the distances: within ours, within theirs, between
    divergence: float
    divergence_interval: Interval
    overlap: float
    overlap_interval: Interval
    own_divergence: float
    own_overlap: float
    density: Density


def apart(ours: np.ndarray, theirs: np.ndarray, rng: np.random.Generator) -> Apart | None:
    """Two sets of pieces by a metric (N, ...) and (M, ...); None where a set has fewer than two pieces.

    Densities are Gaussian with Scott's bandwidth, as in the authors' toolbox. Unlike there, both are taken at the
    same points, and over all that they cover.
    """
    if min(len(ours), len(theirs)) < 2:
        return None
    flat = [np.asarray(side, dtype=float).reshape(len(side), -1) for side in (ours, theirs)]
    tables = [_distances(flat[0], flat[0]), _distances(flat[1], flat[1]), _distances(*flat)]
    pairs = [np.triu_indices(len(flat[0]), 1), np.triu_indices(len(flat[1]), 1)]
    values = [tables[0][pairs[0]], tables[1][pairs[1]], tables[2].ravel()]
    if max(float(one.max()) for one in values) == 0:  # nothing differs anywhere: the sets are one
        flat_one = Density(np.zeros(1), np.ones(1), np.ones(1), np.ones(1))
        return Apart((0, 0, 0), 0.0, (0.0, 0.0), 1.0, (1.0, 1.0), 0.0, 1.0, flat_one)
    grid = _grid(values)
    densities = [density(one, [np.ones(len(one))], grid)[0] for one in values]
    drawn = [weights(len(side), rng, DRAWN) for side in flat]
    within = (one[pairs[1][0]] * one[pairs[1][1]] for one in drawn[1])
    between = (np.outer(left, right).ravel() for left, right in zip(*drawn, strict=True))
    again = [density(values[1], within, grid), density(values[2], between, grid)]
    apart_by, shared = float(divergence(densities[1], densities[2])), float(overlap(densities[1], densities[2]))
    return Apart(
        tuple(float(one.mean()) for one in values),  # type: ignore[arg-type]
        apart_by, _centred(divergence(*again), apart_by, np.inf),
        shared, _centred(overlap(*again), shared, 1.0),
        float(divergence(densities[0], densities[2])), float(overlap(densities[0], densities[2])),
        Density(grid, *densities),
    )  # fmt: skip


def _centred(draws: np.ndarray, value: float, most: float) -> Interval:
    """95 % interval from draws moved to where the value is, within 0 and `most`.

    A set drawn again has fewer different pieces, and lies farther from any other by that alone.
    """
    low, high = interval_of(draws - draws.mean() + value)
    return max(0.0, low), min(most, high)


def _distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Euclidean distance of each row of `left` (N, F) from each of `right` (M, F), (N, M)."""
    # difference by difference: by products of the rows, pieces that are alike would lie a rounding error apart
    return np.sqrt(np.stack([((right - one) ** 2).sum(axis=1) for one in left]))


def _grid(values: list[np.ndarray]) -> np.ndarray:
    """Evenly spaced points that cover all densities of `values`, (GRID,)."""
    low, high = min(float(one.min()) for one in values), max(float(one.max()) for one in values)
    reach = REACH * max(_bandwidth(one.std(), len(one)) for one in values)
    reach = max(reach, 0.05 * (high - low), 1e-9)
    return np.linspace(low - reach, high + reach, GRID)


def _bandwidth(deviation, count):
    """Scott's rule in one dimension: the deviation by the fifth root of the number."""
    return deviation * count**-0.2


def density(values: np.ndarray, counts: Iterable[np.ndarray], grid: np.ndarray) -> np.ndarray:
    """Gaussian kernel densities of `values` (V,) at the points of `grid`, one for each of `counts` (V,): (D, GRID).

    Values are first shared between the two grid points beside them, as often as they count; each density sums to 1.
    """
    step = grid[1] - grid[0]
    at = (values - grid[0]) / step
    lower = np.clip(at.astype(int), 0, len(grid) - 2)
    share = at - lower
    rows = []
    for count in counts:
        below = np.bincount(lower, count * (1 - share), minlength=len(grid))
        above = np.bincount(lower + 1, count * share, minlength=len(grid))
        rows.append((below + above) / max(1e-12, float(count.sum())))
    hits = np.array(rows)
    spread = np.sqrt(np.maximum(0, hits @ grid**2 - (hits @ grid) ** 2))
    width = np.maximum(_bandwidth(spread, len(values)), step)  # a single value is a narrow hill
    away = grid - grid[len(grid) // 2]
    kernels = np.exp(-0.5 * (away / width[:, None]) ** 2)
    size = 2 * len(grid)
    smooth = np.fft.irfft(np.fft.rfft(hits, size) * np.fft.rfft(kernels, size), size)
    smooth = np.maximum(0, smooth[:, len(grid) // 2 : len(grid) // 2 + len(grid)])
    return smooth / np.maximum(1e-300, smooth.sum(axis=1, keepdims=True))


def divergence(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Kullback-Leibler divergence in nats of densities (..., GRID) that sum to 1, 0 and more."""
    left, right = ((side + FLOOR) / (1 + FLOOR * side.shape[-1]) for side in (left, right))
    return (left * np.log(left / right)).sum(axis=-1)


def overlap(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Area that two densities (..., GRID) both cover, 0 (none) to 1 (they are equal)."""
    return np.minimum(left, right).sum(axis=-1)


# --- Fréchet


@dataclass(frozen=True)
class Frechet:
    """Fréchet distance of two sets of pieces by the project's own features, 0 and more; no unit.

    d^2 = |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)) of means m and covariances C (Fréchet 1957; Heusel et al. 2017 for
    images), the features in standard deviations of all pieces. A set of few pieces lies away from another of the same
    source by chance alone: `chance` is the range of 95 % of the distances where the same pieces are dealt out anew.
    This is not the Fréchet Music Distance, whose features are learnt.
    """

    distance: float
    interval: Interval
    chance: Interval
    features: int


def frechet(ours: np.ndarray, theirs: np.ndarray, rng: np.random.Generator) -> Frechet:
    """The squared Fréchet distance by standardised features (N, F) and (M, F), two pieces a side and more.

    The draws of the interval are centred on the distance, as in `_centred`.
    """
    both = np.concatenate([ours, theirs])
    scaled = (both - both.mean(axis=0)) / np.maximum(1e-12, both.std(axis=0))
    first = len(ours)
    found = _frechet(scaled[:first], scaled[first:])
    drawn = np.empty(REDEALT)
    for turn in range(REDEALT):
        rows = [rng.integers(first, size=first), first + rng.integers(len(theirs), size=len(theirs))]
        drawn[turn] = _frechet(scaled[rows[0]], scaled[rows[1]])
    dealt = np.empty(REDEALT)
    for turn in range(REDEALT):
        order = rng.permutation(len(both))
        dealt[turn] = _frechet(scaled[order[:first]], scaled[order[first:]])
    chance = float(np.percentile(dealt, LOW)), float(np.percentile(dealt, HIGH))
    return Frechet(found, _centred(drawn, found, np.inf), chance, ours.shape[1])


def _frechet(left: np.ndarray, right: np.ndarray) -> float:
    """Squared distance of two Gaussians fitted to rows (N, F) and (M, F).

    The trace of the root of C C' is the sum of the singular values of X X'^T, X being the centred rows by the root
    of their number less one, or what is triangular in them.
    """
    means = [side.mean(axis=0) for side in (left, right)]
    roots = [(side - mean) / np.sqrt(len(side) - 1) for side, mean in zip((left, right), means, strict=True)]
    traces = [float((root**2).sum()) for root in roots]
    first, second = (np.asarray(np.linalg.qr(root, mode="r")) for root in roots)
    shared = float(np.linalg.svd(first @ second.T, compute_uv=False).sum())
    return max(0.0, float(((means[0] - means[1]) ** 2).sum()) + sum(traces) - 2 * shared)
