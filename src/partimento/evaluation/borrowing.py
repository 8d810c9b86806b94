"""Originality: how much of composed music stands in its training music, beside how much of real music does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..score import Score
from ._chance import Interval, auc, interval_of, mean_interval, weights

Found = tuple[int, dict[int, float]]  # own notes of the longest run; share of the notes in runs of so many own notes


@dataclass(frozen=True)
class Borrowed:
    """What both sides share with the training music, over the spans that are compared.

    `longest`: median and 95th percentile of the longest run of each piece, in notes, of ours and of theirs. `longer`
    is the chance that a composed piece shares a longer run than a real one that was not trained on, 0 to 1 (equal runs
    count half), with its 95 % interval: 0.5 is what real music does. `shares`: run length -> mean share of a piece's
    notes in runs of that length, of ours and of theirs, each with its interval.
    """

    longest: tuple[tuple[float, float], tuple[float, float]]
    longer: float
    longer_interval: Interval
    shares: dict[str, tuple[float, Interval, float, Interval]]


def borrowed(
    ours: Sequence[Score], theirs: Sequence[Score], found: Callable[[Sequence[Score]], list[Found]],
    rng: np.random.Generator,
) -> Borrowed:  # fmt: skip
    """Both sides by what `found` says of each score."""
    sides = [found(side) for side in (ours, theirs)]
    runs = [np.array([longest for longest, _ in side], dtype=float) for side in sides]
    wins = np.sign(runs[0][:, None] - runs[1]) / 2 + 0.5
    left, right = weights(len(ours), rng), weights(len(theirs), rng)
    drawn = ((left @ wins) * right).sum(axis=1) / (len(ours) * len(theirs))
    spans = [(float(np.median(side)), float(np.percentile(side, 95))) for side in runs]
    shares = {}
    for length in sides[0][0][1]:
        values = [np.array([one[length] for _, one in side]) for side in sides]
        shares[str(length)] = (
            float(values[0].mean()), mean_interval(values[0], rng), float(values[1].mean()),
            mean_interval(values[1], rng),
        )  # fmt: skip
    return Borrowed((spans[0], spans[1]), auc(*runs), interval_of(drawn), shares)


def words_of(one: Borrowed) -> list[str]:
    """The figures in sentences."""
    (ours, most), (theirs, most_real) = one.longest
    low, high = one.longer_interval
    lines = [
        f"longest run that stands in the training music: median {ours:g} notes, 95th percentile {most:g}; real pieces "
        f"{theirs:g} and {most_real:g}",
        f"a generated piece shares a longer run than a real one with a chance of {one.longer:.2f} [{low:.2f}, "
        f"{high:.2f}]; 0.5 is what real music does",
    ]
    for length, (mean, sure, real, real_sure) in one.shares.items():
        cells = [f"{100 * at:.1f} % [{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]"
                 for at, ends in ((mean, sure), (real, real_sure))]  # fmt: skip
        lines.append(f"of the notes in runs of {length} or more: generated {cells[0]}, real {cells[1]}")
    return lines
