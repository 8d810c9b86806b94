"""What a measure declares of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .hearing import Hearing

EITHER, HIGH, LOW = "two-sided", "higher is worse", "lower is worse"
PIECE, SPAN = "piece", "span"
NOT_HERE = float("nan")  # what a measure returns of music that it does not apply to


@dataclass(frozen=True)
class Measure:
    """One thing to listen for: `unit` says what the number counts, `worse` which side of real music is worse.

    `scope` says which real music to compare with: whole pieces, or spans of as many bars where the number grows with
    the length of the music.
    """

    function: Callable[[Hearing], float]
    unit: str
    worse: str = EITHER
    scope: str = PIECE

    @property
    def is_yes_or_no(self) -> bool:
        return self.unit == "0 or 1"


def share(where: np.ndarray) -> float:
    """Share of True, 0 to 1; not a number of nothing."""
    return float(where.mean()) if len(where) else NOT_HERE
