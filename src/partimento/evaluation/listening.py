"""Listening by figures: what can go wrong in a piece, what tells it from real ones, and how typical it is.

`listen` takes all `MEASURES` of a piece; `compare` sets many pieces beside real ones; `typicality` ranks single
pieces by the percentiles that `reference` found in real ones. The measures themselves are in `rhythm`, `melody` and
`harmony`, one documented function each.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..score import Score
from ..transform import cut
from . import harmony, melody, rhythm
from ._base import HIGH, LOW, PIECE, SPAN, Measure
from .hearing import Hearing

MEASURES: dict[str, Measure] = {**rhythm.MEASURES, **melody.MEASURES, **harmony.MEASURES}
PERCENTILES = (1.0, 25.0, 50.0, 75.0, 99.0)  # what `reference` keeps
EXTREME = 0.5  # percent on either side of what 99 % of real pieces hold; all 1 % on one side where one is worse
SHORT_SPAN = 0.75  # of the span asked for: a piece shorter than that has no span to compare
DRAWS = 2000  # of the bootstrap
FARTHEST = 3.0  # a measure counts at most as if it lay three times as far out as the 1st or 99th percentile
NORMAL_95 = 1.96


def listen(score: Score, *, span: int | None = None) -> dict[str, float]:
    """Every measure that applies to `score`, by name; those of four voices, say, are left out of a tune.

    `span` makes a real piece comparable with composed ones of so many bars: measures of scope "span", which grow
    with the length of the music, are taken of its last `span` bars. A piece that is hardly shorter is its own span;
    one that is much shorter lacks those measures. Raises `MusicError` where no pitched note sounds.
    """
    heard = Hearing(score)
    if span is None or SHORT_SPAN * span <= heard.full_bars <= span:
        return _measured(heard, (PIECE, SPAN))
    if heard.full_bars < span:
        return _measured(heard, (PIECE,))
    last = Hearing(cut(heard.score, int(heard.clock.bar_starts[-span]), heard.score.end))
    return _measured(heard, (PIECE,)) | _measured(last, (SPAN,))


def _measured(heard: Hearing, scopes: Container[str]) -> dict[str, float]:
    found = {name: float(one.function(heard)) for name, one in MEASURES.items() if one.scope in scopes}
    return {name: value for name, value in found.items() if not math.isnan(value)}


@dataclass(frozen=True)
class Row:
    """One measure of generated pieces beside the same of real ones."""

    measure: str
    real_quartiles: tuple[float, float, float]
    real_range: tuple[float, float]  # what 99 % of real pieces keep to; infinite on the side that is not worse
    real_mean: float
    median: float
    interval: tuple[float, float]  # 95 % bootstrap interval of the generated median; of the mean for a 0-or-1 measure
    mean: float
    low: float
    high: float
    outside: float  # share of generated pieces beyond `real_range`
    is_typical: bool  # the median lies within the real quartiles; a 0-or-1 measure: its share does not differ

    @property
    def within_extremes(self) -> bool:
        """Whether no generated piece lies beyond what 99 % of real pieces keep to."""
        return self.outside == 0


def compare(
    generated: Sequence[Mapping[str, float]], real: Sequence[Mapping[str, float]], rng: np.random.Generator
) -> list[Row]:
    """A row for every measure that both sides have, in the order of `MEASURES`; sides as `listen` gives them.

    A measure of 0 or 1 is judged by its share: typical where it differs from the real one (or, where one side is
    worse, is worse) by no more than chance, two standard errors of a difference of proportions.
    """
    rows = []
    for name in MEASURES:
        ours, theirs = (np.array([one[name] for one in side if name in one]) for side in (generated, real))
        if len(ours) and len(theirs):
            rows.append(_row(name, ours, theirs, rng))
    return rows


def _row(name: str, ours: np.ndarray, theirs: np.ndarray, rng: np.random.Generator) -> Row:
    quartiles, limits = np.percentile(theirs, (25, 50, 75)), _limits(name, theirs)
    by_share = MEASURES[name].is_yes_or_no
    middle = np.mean if by_share else np.median
    drawn = middle(ours[rng.integers(len(ours), size=(DRAWS, len(ours)))], axis=1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    median = float(np.median(ours))
    typical = _alike(name, ours, theirs) if by_share else quartiles[0] <= median <= quartiles[2]
    return Row(
        name, (float(quartiles[0]), float(quartiles[1]), float(quartiles[2])), limits, float(theirs.mean()),
        median, (float(low), float(high)), float(ours.mean()), float(ours.min()), float(ours.max()),
        float(((ours < limits[0]) | (ours > limits[1])).mean()), bool(typical),
    )  # fmt: skip


def _limits(name: str, values: np.ndarray) -> tuple[float, float]:
    """Between which numbers 99 % of real pieces lie; a side that is not worse has no end."""
    worse = MEASURES[name].worse
    if worse == HIGH:
        return -math.inf, float(np.percentile(values, 100 - 2 * EXTREME))
    if worse == LOW:
        return float(np.percentile(values, 2 * EXTREME)), math.inf
    low, high = np.percentile(values, (EXTREME, 100 - EXTREME))
    return float(low), float(high)


def _alike(name: str, ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether two shares of yes differ by no more than chance."""
    pooled = float(np.concatenate([ours, theirs]).mean())
    error = math.sqrt(pooled * (1 - pooled) * (1 / len(ours) + 1 / len(theirs)))
    lack = float(theirs.mean() - ours.mean())
    return (lack if MEASURES[name].worse == LOW else abs(lack)) <= NORMAL_95 * error


def reference(pieces: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """The 1st, 25th, 50th, 75th and 99th percentile of every measure that real `pieces` have, by name."""
    names = [name for name in MEASURES if any(name in piece for piece in pieces)]
    return {
        name: [float(at) for at in np.percentile([piece[name] for piece in pieces if name in piece], PERCENTILES)]
        for name in names
    }


def typicality(measures: Mapping[str, float], reference: Mapping[str, Sequence[float]]) -> float:
    """How typical a piece is of real ones, 0 (not at all) to 1: every measure within the real quartiles.

    A measure's distance is 0 within the quartiles, 1 at the 1st or 99th percentile and linear between and beyond,
    up to 3; the result is exp(-mean of the squared distances), so that one gross fault outweighs many small ones.
    What `measures` or `reference` lacks is left out, and so is the side of a measure that is not worse.
    """
    shared = [name for name in MEASURES if name in measures and name in reference]
    if not shared:
        return 0.0
    squares = [_distance(MEASURES[name].worse, measures[name], reference[name]) ** 2 for name in shared]
    return math.exp(-sum(squares) / len(squares))


def _distance(worse: str, value: float, percentiles: Sequence[float]) -> float:
    """How far `value` lies outside the quartiles, in widths from quartile to extreme, 0 to 3."""
    lowest, low, _, high, highest = percentiles
    if value < low and worse != HIGH:
        excess, width = low - value, low - lowest
    elif value > high and worse != LOW:
        excess, width = value - high, highest - high
    else:
        return 0.0
    return min(FARTHEST, excess / width) if width > 0 else FARTHEST
