"""From sums of cues to scales that a person can use: 1-10 and 0-1, by the percentiles of a style's music."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import ModelError, MusicError

TEN = ("valence", "arousal")  # on 1-10; everything else on 0-1
DECILES = tuple(range(10, 100, 10))
EDGES = (2, *DECILES, 98)  # percentiles that a scale is kept as


def scale_of(values: np.ndarray) -> list[float]:
    """The percentiles of `values` (N,) that make a scale: 2, 10, 20 ... 90, 98. Raises `MusicError` for no values."""
    if not len(values):
        raise MusicError("there is no bar to make a scale of")
    return [round(float(at), 4) for at in np.percentile(values, EDGES)]


def share(values: np.ndarray, scale: Sequence[float]) -> np.ndarray:
    """Which share of a style's bars lies below each of `values` (N,), 0-1, straight lines between percentiles.

    Beyond the outer percentiles the outer steps go on once more. Raises `ModelError` for a scale that is not one.
    """
    if len(scale) != len(EDGES):
        raise ModelError(f"a scale has {len(EDGES)} percentiles, not {len(scale)}; train the model again")
    ends = 2 * scale[0] - scale[1], 2 * scale[-1] - scale[-2]
    points = np.maximum.accumulate([ends[0], *scale, ends[1]]) + np.arange(len(scale) + 2) * 1e-9
    return np.interp(values, points, [0.0, *(at / 100 for at in EDGES), 1.0])


def level(name: str, values: np.ndarray, scale: Sequence[float]) -> np.ndarray:
    """`values` (N,) of a descriptor on its scale: valence and arousal 1-10, the others 0-1."""
    found = share(values, scale)
    return 1 + 9 * found if name in TEN else found


def levels(values: Mapping[str, np.ndarray], scales: Mapping[str, Sequence[float]]) -> dict[str, np.ndarray]:
    """Every descriptor that has a scale, on it."""
    return {name: level(name, values[name], scales[name]) for name in values if name in scales}
