"""How much of a piece stands in the training music, and how much it repeats itself: two plain counts on its notes.

A run of `RUN` notes of one part is copied where the intervals between its pitches and the times between its onsets
are those of a run in the training music, in any transposition. Drums are left out, as their patterns are common.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..evaluation.hearing import entropy, longest_run, mixed
from ..score import TICKS_PER_BEAT, Score
from ..theory import pitched
from ..transform import resample

RUN = 12  # notes
MEASURES = {  # of repetition -> unit
    "repeated": "share of notes that strike the pitch just before them",
    "longest": "notes on one pitch, at most",
    "commonest": "share of the notes that are on the commonest pitch",
    "classes": "pitch classes",
    "entropy": "bits of the distribution of pitches",
}


class Known:
    """Every run of notes of the training music, as one 64-bit number each."""

    def __init__(self, scores: Iterable[Score]):
        found = [runs for score in scores for runs in _runs(score)]
        self.runs = np.unique(np.concatenate(found)) if found else np.zeros(0, np.uint64)

    def copied(self, scores: Sequence[Score]) -> float | None:
        """Share of the notes of `scores` that lie in a run of the training music, 0 to 1; None without a note."""
        inside, notes = 0, 0
        for score in scores:
            notes += len(pitched(score))
            for runs in _runs(score):
                begins = np.isin(runs, self.runs).astype(np.int64)
                inside += int((np.convolve(begins, np.ones(RUN, np.int64)) > 0).sum())
        return inside / notes if notes else None


def _runs(score: Score) -> Iterator[np.ndarray]:
    """For each part with `RUN` notes or more, its runs as numbers, (notes - RUN + 1,)."""
    for _, notes in _parts(score):
        if len(notes) >= RUN:
            moves = mixed(np.diff(notes["pitch"].astype(np.int64)), np.diff(notes["onset"]))
            count = len(notes) - RUN + 1
            yield mixed(*(moves[n : n + count] for n in range(RUN - 1)))


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
