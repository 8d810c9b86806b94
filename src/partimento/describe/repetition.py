"""Which earlier bar each bar repeats: the form of a piece, bar by bar."""

from __future__ import annotations

import numpy as np

from .hearing import Bars

DISTANCES = (1, 2, 4, 8, 16, 32)  # bars back
ALIKE = 0.6  # share of common notes from which a bar counts as repeated
SAME_RHYTHM = 0.85  # share of common onsets from which its rhythm does
NEW = 0
KINDS = 1 + 2 * len(DISTANCES)  # new; repeated after so many bars; its rhythm repeated after so many
PLACES, TRACKS = 1 << 12, 1 << 16  # ticks of a bar that are told apart; tracks that a score can have


def repeats(bars: Bars) -> np.ndarray:
    """For each bar 0 where it is new, 1-6 where it repeats the bar `DISTANCES` ago, 7-12 its rhythm alone, (bars,).

    Alike are bars by the Jaccard index of their notes (place in the bar and pitch); by rhythm, of their places and
    tracks. Of several, the most alike counts, then the nearest.
    """
    place = np.minimum(bars.onset - bars.clock.bar_starts[bars.bar], PLACES - 1)
    notes = _shares(bars, place * 128 + bars.pitch)
    rhythms = _shares(bars, place * TRACKS + bars.notes["track"].astype(np.int64))
    return np.where(
        notes.max(axis=0) >= ALIKE,
        1 + notes.argmax(axis=0),
        np.where(rhythms.max(axis=0) >= SAME_RHYTHM, 1 + len(DISTANCES) + rhythms.argmax(axis=0), NEW),
    )


def _shares(bars: Bars, what: np.ndarray) -> np.ndarray:
    """Jaccard index, 0-1, of each bar with that `DISTANCES` bars ago, by the events `what` (N,), (6, bars)."""
    keys = np.unique((bars.bar << 32) + what)
    sizes = np.bincount(keys >> 32, minlength=bars.count)
    found = np.zeros((len(DISTANCES), bars.count))
    for n, distance in enumerate(DISTANCES):
        common = np.intersect1d(keys, keys + (distance << 32), assume_unique=True) >> 32  # bar of each common event
        shared = np.bincount(common, minlength=bars.count)
        earlier = np.concatenate([np.zeros(distance), sizes])[: bars.count]
        found[n] = shared / np.maximum(1, sizes + earlier - shared)
    return found
