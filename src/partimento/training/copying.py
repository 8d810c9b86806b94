"""How much a piece repeats itself: plain counts on its notes. How much of it is copied, `originality` says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..evaluation.hearing import entropy, longest_run
from ..score import TICKS_PER_BEAT, Score
from ..theory import pitched
from ..transform import resample

RUN = 12  # notes of a run that counts as copied, those that only go on with a plain figure not counted
MEASURES = {  # of repetition -> unit
    "repeated": "share of notes that strike the pitch just before them",
    "longest": "notes on one pitch, at most",
    "commonest": "share of the notes that are on the commonest pitch",
    "classes": "pitch classes",
    "entropy": "bits of the distribution of pitches",
}


def _parts(score: Score) -> Iterator[tuple[int, np.ndarray]]:
    """The pitched notes of each part by onset and pitch, at 24 ticks a beat."""
    notes = pitched(resample(score, TICKS_PER_BEAT))
    for track in np.unique(notes["track"]):
        part = notes[notes["track"] == track]
        yield int(track), part[np.lexsort((part["pitch"], part["onset"]))]


def repetition(score: Score) -> dict[str, float]:
    """How much a piece stays on its pitches, by `MEASURES`; empty where it has no pitched note."""
    pitches, repeats, moves, longest = [], 0, 0, 0
    for _, notes in _parts(score):
        top = np.append(np.diff(notes["onset"]) > 0, True)  # the highest note of each onset
        line = notes["pitch"][top].astype(np.int64)
        same = line[1:] == line[:-1]
        repeats, moves, longest = repeats + int(same.sum()), moves + len(same), max(longest, 1 + longest_run(same))
        pitches.append(notes["pitch"])
    if not pitches:
        return {}
    every = np.concatenate(pitches)
    counts = np.bincount(every, minlength=128)
    return {
        "repeated": repeats / max(1, moves), "longest": float(longest), "commonest": float(counts.max() / len(every)),
        "classes": float(len(np.unique(every % 12))), "entropy": entropy(counts),
    }  # fmt: skip


def unlikeness(ours: Sequence[dict[str, float]], real: Sequence[dict[str, float]]) -> float:
    """How far the repetition of our pieces lies from that of real ones: differences of means in real spreads, averaged.

    0 is alike; 1 is a standard deviation of the real pieces off.
    """
    far = []
    for name in MEASURES:
        mine, theirs = np.array([one[name] for one in ours]), np.array([one[name] for one in real])
        spread = max(float(theirs.std()), 0.05 * abs(float(theirs.mean())), 0.02)
        far.append(abs(float(mine.mean() - theirs.mean())) / spread)
    return float(np.mean(far)) if far else 0.0
