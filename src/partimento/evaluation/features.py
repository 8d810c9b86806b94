"""The project's own features of a span: what the classifier and the Fréchet distance go by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import structure
from .hearing import Hearing
from .listening import MEASURES
from .metrics import LENGTHS, degree_histogram, inter_onset_interval, note_length_histogram, pitch_count
from .sides import LAST

BEGINNING = ("upbeat", "starts_with_rest", "first_degree", "climax")  # say nothing of a span from within a piece
ENDING = ("last_bar_filled", "end_gap", "authentic_close", *(name for name in MEASURES if name.startswith("final_")))
LENGTH = ("bars",)  # the same for all
PLAYED = ("velocity_spread", "velocity_jump", "onsets_per_second")  # loudness and tempo, which printed music lacks
COVERAGE = 0.8  # of the pieces of each side must have a feature
DEGREES = ("1", "b2", "2", "b3", "3", "4", "b5", "5", "b6", "6", "b7", "7")


def features_of(heard: Hearing, take: str = LAST, *, notes_only: bool = False) -> dict[str, float]:
    """About 115 numbers of a span: the measures of listening, shares of degrees and lengths, bars that return.

    Left out is what the cut made: beginnings of spans taken from the end, ends of those from the beginning; with
    `notes_only` also loudness and tempo.
    """
    silent = {*LENGTH, *(BEGINNING if take == LAST else ENDING), *(PLAYED if notes_only else ())}
    found = {name: float(one.function(heard)) for name, one in MEASURES.items() if name not in silent}
    found |= {"pitch_count": pitch_count(heard), "inter_onset_interval": inter_onset_interval(heard)}
    found |= {f"degree {name}": float(at) for name, at in zip(DEGREES, degree_histogram(heard), strict=True)}
    found |= {f"length {name}": float(at) for name, at in zip(LENGTHS, note_length_histogram(heard), strict=True)}
    found["self_similarity"] = structure.self_similarity(heard)
    found |= {f"repetition_{lag}": one(heard) for lag, one in structure.REPETITIONS.items()}
    return {name: value for name, value in found.items() if not math.isnan(value)}


@dataclass(frozen=True)
class Table:
    """Features of both sides: `ours` (N, features) and `theirs` (M, features), nowhere missing."""

    names: tuple[str, ...]
    ours: np.ndarray
    theirs: np.ndarray

    def only(self, ours: Sequence[int], theirs: Sequence[int]) -> Table:
        """Some pieces of each side, by their rows."""
        return Table(self.names, self.ours[list(ours)], self.theirs[list(theirs)])

    @property
    def both(self) -> np.ndarray:
        """Our pieces, then theirs, (N + M, features)."""
        return np.concatenate([self.ours, self.theirs])


def table_of(ours: Sequence[dict[str, float]], theirs: Sequence[dict[str, float]]) -> Table:
    """The features that four pieces in five of each side have and that are not the same for all.

    What a piece lacks becomes the median of all pieces, which tells no side from the other.
    """
    names = dict.fromkeys(name for side in (ours, theirs) for piece in side for name in piece)
    values = np.array([[piece.get(name, math.nan) for name in names] for side in (ours, theirs) for piece in side])
    there = ~np.isnan(values)
    enough = (there[: len(ours)].mean(axis=0) >= COVERAGE) & (there[len(ours) :].mean(axis=0) >= COVERAGE)
    values, there = values[:, enough], there[:, enough]
    middle = np.nanmedian(values, axis=0) if values.shape[1] else np.zeros(0)
    values = np.where(there, values, middle)
    changes = np.ptp(values, axis=0) > 0
    kept = [name for name, fits in zip(names, enough, strict=True) if fits]
    chosen = tuple(name for name, fits in zip(kept, changes, strict=True) if fits)
    return Table(chosen, values[: len(ours), changes], values[len(ours) :, changes])
