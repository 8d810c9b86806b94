"""The field's metrics of generated music: numbers, histograms and transition matrices of one piece.

Yang and Lerch 2020, "On the evaluation of generative models in music", Neural Computing and Applications 32, has most
of them; muspy (Dong et al. 2020, ISMIR) the definitions of polyphony and consistency. Theirs are for a single melody;
here a piece may have several tracks and chords, so that where one note follows another, the *lines* of the piece are
meant: the highest note struck at each onset of each track. Times are in quarter notes, at 24 ticks each: what is
compared is music as it is written, at whatever tempo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..score import TICKS_PER_BEAT
from . import harmony, melody, rhythm, structure
from ._base import NOT_HERE
from .hearing import Hearing

YANG_LERCH, MUSPY = "Yang and Lerch 2020", "muspy"
LENGTHS = {  # note lengths in ticks, in the order of Yang and Lerch's toolbox; its unit is a 96th of a 4/4 bar
    "whole": 96, "half": 48, "quarter": 24, "eighth": 12, "sixteenth": 6, "dotted half": 72, "dotted quarter": 36,
    "dotted eighth": 18, "dotted sixteenth": 9, "half triplet": 32, "quarter triplet": 16, "eighth triplet": 8,
}  # fmt: skip
LENGTH_TICKS = np.array(list(LENGTHS.values()))
CLASSES = 12  # of pitch, and of length


@dataclass(frozen=True)
class Metric:
    """A metric of a piece: a number, or numbers of `shape` that add up to 1; `low` and `high` are its range."""

    function: Callable[[Hearing], float | np.ndarray]
    unit: str
    low: float
    high: float
    source: str
    shape: tuple[int, ...] = ()


def pitch_count(heard: Hearing) -> float:
    """Different pitches, 1 to 128 (Yang and Lerch's PC; muspy's n_pitches_used)."""
    return float(len(np.unique(heard.pitch)))


def pitch_class_histogram(heard: Hearing) -> np.ndarray:
    """Share of each pitch class, C first, every note weighted by its duration, (12,); sums to 1 (PCH)."""
    weights = np.bincount(heard.pitch % CLASSES, weights=heard.duration, minlength=CLASSES)
    return weights / weights.sum()


def degree_histogram(heard: Hearing) -> np.ndarray:
    """The same by semitones above the tonic of the key that the notes suggest, (12,); sums to 1."""
    return np.roll(pitch_class_histogram(heard), -heard.key.tonic)


def pitch_class_transitions(heard: Hearing) -> np.ndarray:
    """Share of each step from a pitch class (row) to the next of its line (column), (12, 12); sums to 1 (PCTM).

    All 0 for music without a second onset in any track.
    """
    found = np.zeros((CLASSES, CLASSES))
    for notes in lines(heard):
        classes = heard.pitch[notes] % CLASSES
        np.add.at(found, (classes[:-1], classes[1:]), 1)
    return found / max(1.0, found.sum())


def pitch_interval(heard: Hearing) -> float:
    """Mean size in semitones of the interval from a note to the next of its line, 0 to 127 (PI)."""
    sizes = [np.abs(np.diff(heard.pitch[notes])) for notes in lines(heard)]
    joined = np.concatenate(sizes)
    return float(joined.mean()) if len(joined) else NOT_HERE


def notes_per_bar(heard: Hearing) -> float:
    """Notes by bars, above 0: note count (NC) of spans of equal length."""
    return rhythm.notes_per_bar(heard)


def inter_onset_interval(heard: Hearing) -> float:
    """Mean time in quarter notes from an onset to the next, whatever the track, above 0 (IOI; theirs in seconds)."""
    onsets = heard.onset[heard.onset_starts]
    return float(np.diff(onsets).mean()) / TICKS_PER_BEAT if len(onsets) > 1 else NOT_HERE


def note_length_histogram(heard: Hearing) -> np.ndarray:
    """Share of the notes nearest to each length of `LENGTHS`, (12,); sums to 1 (NLH)."""
    return np.bincount(length_classes(heard.duration), minlength=CLASSES) / len(heard.duration)


def note_length_transitions(heard: Hearing) -> np.ndarray:
    """Share of each step from a length (row) to the next of its line (column), (12, 12); sums to 1 (NLTM).

    All 0 for music without a second onset in any track.
    """
    found = np.zeros((CLASSES, CLASSES))
    for notes in lines(heard):
        kinds = length_classes(heard.duration[notes])
        np.add.at(found, (kinds[:-1], kinds[1:]), 1)
    return found / max(1.0, found.sum())


def length_classes(durations: np.ndarray) -> np.ndarray:
    """Which of `LENGTHS` each duration (N,) in ticks is nearest to, the first of two, (N,)."""
    return np.abs(np.asarray(durations)[:, None] - LENGTH_TICKS).argmin(axis=1)


def lines(heard: Hearing) -> Iterator[np.ndarray]:
    """Indices of the highest note struck at each onset of each track, in order of time, (N,) each."""
    order = np.lexsort((-heard.pitch, heard.onset, heard.track))
    track, onset = heard.track[order], heard.onset[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(track) != 0) | (np.diff(onset) != 0)
    kept = order[new]
    yield from np.split(kept, np.flatnonzero(np.diff(heard.track[kept])) + 1)


METRICS: dict[str, Metric] = {
    "pitch_count": Metric(pitch_count, "pitches", 1, 128, YANG_LERCH),
    "pitch_range": Metric(melody.pitch_range, "semitones", 0, 127, YANG_LERCH),
    "pitch_interval": Metric(pitch_interval, "semitones", 0, 127, YANG_LERCH),
    "notes_per_bar": Metric(notes_per_bar, "notes", 0, np.inf, YANG_LERCH),
    "inter_onset_interval": Metric(inter_onset_interval, "quarter notes", 0, np.inf, YANG_LERCH),
    "polyphony": Metric(harmony.polyphony, "notes", 1, np.inf, MUSPY),
    "scale_consistency": Metric(melody.scale_consistency, "share of notes", 7 / 12, 1, MUSPY),
    "groove_consistency": Metric(rhythm.groove_consistency, "0 to 1", 0, 1, "Wu and Yang 2020; muspy, 24 a beat"),
    "pitch_class_histogram": Metric(pitch_class_histogram, "shares", 0, 1, YANG_LERCH, (CLASSES,)),
    "pitch_class_transitions": Metric(pitch_class_transitions, "shares", 0, 1, YANG_LERCH, (CLASSES, CLASSES)),
    "note_length_histogram": Metric(note_length_histogram, "shares", 0, 1, YANG_LERCH, (CLASSES,)),
    "note_length_transitions": Metric(note_length_transitions, "shares", 0, 1, YANG_LERCH, (CLASSES, CLASSES)),
    **{
        f"repetition_{lag}": Metric(structure.REPETITIONS[lag], "share of notes", 0, 1, "Foote 1999")
        for lag in structure.LAGS
    },
    "self_similarity": Metric(structure.self_similarity, "share of notes", 0, 1, "Foote 1999"),
}


def measured(heard: Hearing) -> dict[str, float | np.ndarray]:
    """Every metric of a piece by name; a number that does not apply is not a number (NaN)."""
    return {name: metric.function(heard) for name, metric in METRICS.items()}
