"""`describe(score)`: everything that this room hears, in one `Description`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..score import Score
from .chords import chord_name, chords
from .descriptors import measured
from .hearing import Bars
from .repetition import DISTANCES, NEW, repeats
from .scales import levels


@dataclass(frozen=True)
class Return:
    """Bars `first` to `last` are bars `first - distance` and on again, or (`whole` False) have their rhythm alone.

    Bars are counted from 0, as in the arrays of a `Description`.
    """

    first: int
    last: int
    distance: int
    whole: bool


@dataclass(frozen=True, eq=False)
class Description:
    """A score described: `measures` of every bar (no unit; `levels` puts them on a scale), form and chords.

    Bar 0 is the first one, an upbeat where there is one. Ticks are at 24 a quarter note.
    """

    measures: dict[str, np.ndarray]  # by descriptor, (bars,)
    repeats: np.ndarray  # (bars,), see `repetition`
    beats: np.ndarray  # ticks at which felt beats begin, (beats,)
    chords: np.ndarray  # (beats,), see `chords`
    bars: np.ndarray  # ticks at which bars begin, (bars,)

    def chord_at(self, ticks: np.ndarray) -> np.ndarray:
        """The chord at each of `ticks` (N,), (N,)."""
        return self.chords[np.clip(np.searchsorted(self.beats, ticks, side="right") - 1, 0, len(self.beats) - 1)]

    def levels(self, scales: Mapping[str, Sequence[float]]) -> dict[str, np.ndarray]:
        """Every measure that has a scale, on it: valence and arousal 1-10, complexity and density 0-1, (bars,)."""
        return levels(self.measures, scales)

    def chord_names(self) -> list[str]:
        """The chord of each bar, that of most of its beats, the earlier one of two: (bars,) names like "Bb7"."""
        bar = np.searchsorted(self.bars, self.beats, side="right") - 1
        found = []
        for here in np.split(self.chords, np.searchsorted(bar, np.arange(1, len(self.bars)))):
            kinds, firsts, counts = np.unique(here, return_index=True, return_counts=True)
            found.append(chord_name(int(kinds[np.lexsort((firsts, -counts))[0]])))
        return found

    def returns(self) -> list[Return]:
        """The bars that return, in runs of neighbours that come from equally far back."""
        starts = np.flatnonzero(np.diff(self.repeats, prepend=-1))
        stops = np.append(starts[1:], len(self.repeats))
        found = []
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            if kind := int(self.repeats[start]):
                whole, place = kind <= len(DISTANCES), (kind - NEW - 1) % len(DISTANCES)
                found.append(Return(start, stop - 1, DISTANCES[place], whole))
        return found


def describe(score: Score, *, played: bool = False) -> Description:
    """Describe `score`; `played` counts tempo and loudness in.

    Raises `MusicError` where no pitched note sounds, and where there is absurdly much of the music.
    """
    bars = Bars(score)
    return Description(measured(bars, played=played), repeats(bars), bars.beats, chords(bars), bars.clock.bar_starts)
