"""The same music whatever its key and tempo: fingerprints of pieces, and which pieces share them.

A piece is read as a row of moments (the notes that begin together). Between moments stand events that neither
transposition nor tempo changes: the interval of the top line and the ratio of one waiting time to the next (melody),
with the chord seen from its top note (texture), or the interval alone, repeated notes taken as one (tune). Runs of
events are hashed to shingles, and two pieces are alike by the share of shingles that they have in common.

The limits were set on 8,286 scores: of 1,600 copies in other keys, tempi and resolutions every one was found, and
of the pairs found among the scores themselves nineteen in twenty are versions of one work by title or manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..score import Score
from ..theory import pitched

MELODY, TUNE, TEXTURE = "melody", "tune", "texture"  # kinds of shingles
RUNS = {MELODY: 10, TUNE: 12, TEXTURE: 6}  # events a shingle
VARIED = {MELODY: 4, TUNE: 5, TEXTURE: 4}  # different ones that it must have: scales and broken chords are everybody's
NEAR = {MELODY: 0.2, TUNE: 0.2, TEXTURE: 0.25}  # share of the smaller piece from which two are versions of one work
LEAST_OVERLAP = 0.03  # ... and share of both: an exercise is not a version of the sonata that has its passage
LEAST_SHARED = 6  # shingles; fewer may be chance
SAME = 0.9  # share of both from which two pieces are one piece in other clothes
SAME_RHYTHM = 0.3  # ... a tune must also share this much of the texture; rounding to a coarse grid costs the rest
RATIO_BINS = 6  # half octaves of waiting-time ratio told apart on either side of 1
WIDEST = 24  # semitones; wider leaps count as this
COMMON = 24  # pieces that share a shingle before the first stands for all of them: keeps the index linear
MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Fingerprint:
    """What is left of a piece when key, tempo, dynamics and instruments are taken away."""

    content: str  # equal for exact twins
    shingles: Mapping[str, np.ndarray]  # by kind: sorted, unique (N,) uint64


@dataclass(frozen=True)
class Likeness:
    """Two pieces (indices, first < second) and what they share, by kind of shingle, each 0-1."""

    first: int
    second: int
    part: Mapping[str, float]  # shared shingles over those of the smaller piece
    overlap: Mapping[str, float]  # shared shingles over all of both (Jaccard)

    @property
    def same(self) -> bool:
        """One piece twice, whatever its key, tempo and instruments."""
        texture = self.overlap[TEXTURE]
        return texture >= SAME or (self.overlap[TUNE] >= SAME and texture >= SAME_RHYTHM)

    @property
    def near(self) -> bool:
        """Versions of one work: an arrangement, an edition, a part of the other."""
        return any(self.part[kind] >= least and self.overlap[kind] >= LEAST_OVERLAP for kind, least in NEAR.items())


def fingerprint(score: Score) -> Fingerprint:
    """The fingerprint of the score's pitched notes."""
    notes = pitched(score)
    onsets, first = np.unique(notes["onset"], return_index=True)
    pitch = notes["pitch"].astype(np.int64)
    if len(onsets) < 3:
        return Fingerprint(_hex(pitch - pitch.min(initial=127)), dict.fromkeys(RUNS, shingles(pitch[:0], 1, 1)))
    top = np.maximum.reduceat(pitch, first)
    owner = np.repeat(np.arange(len(first)), np.diff([*first, len(notes)]))
    chords = np.bitwise_or.reduceat(1 << ((top[owner] - pitch) % 12), first)
    leaps = np.clip(np.diff(top), -WIDEST, WIDEST)
    melody = (leaps[:-1] + WIDEST) * 64 + _ratios(np.diff(onsets))  # (moments - 2,)
    texture = melody * 4096 + chords[: len(melody)]
    events = {MELODY: melody, TUNE: leaps[leaps != 0], TEXTURE: texture}
    return Fingerprint(_hex(texture), {kind: shingles(events[kind], RUNS[kind], VARIED[kind]) for kind in RUNS})


def _ratios(waits: np.ndarray) -> np.ndarray:
    """Each waiting time over the one before, in half octaves, 0 to 2 * RATIO_BINS; no common ratio is near an edge."""
    steps = np.rint(2 * np.log2(waits[1:] / waits[:-1]))
    return (np.clip(steps, -RATIO_BINS, RATIO_BINS) + RATIO_BINS).astype(np.int64)


def shingles(events: np.ndarray, run: int, varied: int) -> np.ndarray:
    """The hashes of all runs of `run` events of which `varied` are different, sorted and unique, (N,) uint64."""
    if len(events) < run:
        return np.zeros(0, dtype=np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(events, run)
    ordered = np.sort(windows, axis=1)
    different = 1 + (np.diff(ordered, axis=1) != 0).sum(axis=1)
    hashes = np.zeros(len(windows), dtype=np.uint64)
    for place in range(run):
        hashes = scrambled(hashes ^ scrambled(windows[:, place].astype(np.uint64) + MIX))
    return np.unique(hashes[different >= varied])


def scrambled(values: np.ndarray) -> np.ndarray:
    """Each number's bits well mixed (the finaliser of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _hex(numbers: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(numbers, dtype="<i8").tobytes()).hexdigest()[:16]


def likenesses(prints: Sequence[Fingerprint]) -> Iterator[Likeness]:
    """Every pair of pieces that is the same or near; the time is near linear in the number of shingles."""
    shared = {kind: _shared([one.shingles[kind] for one in prints]) for kind in RUNS}
    sizes = {kind: [len(one.shingles[kind]) for one in prints] for kind in RUNS}
    for first, second in sorted(set().union(*shared.values())):
        part, overlap = {}, {}
        for kind, counts in shared.items():
            common = counts.get((first, second), 0)
            one, other = sizes[kind][first], sizes[kind][second]
            part[kind] = common / max(1, min(one, other))
            overlap[kind] = common / max(1, one + other - common)
        likeness = Likeness(first, second, part, overlap)
        if likeness.same or likeness.near:
            yield likeness


def _shared(sets: Sequence[np.ndarray]) -> dict[tuple[int, int], int]:
    """How many shingles each pair of pieces shares, for pairs that share at least `LEAST_SHARED`."""
    if not sets:
        return {}
    owners = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    values = np.concatenate(sets)
    order = np.lexsort((owners, values))
    owners, values = owners[order], values[order]
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    sizes = np.diff([*starts, len(values)])
    codes = [_pairs(owners, starts[sizes == size], int(size), len(sets)) for size in np.unique(sizes) if size > 1]
    if not codes:
        return {}
    pairs, counts = np.unique(np.concatenate(codes), return_counts=True)
    often = counts >= LEAST_SHARED
    return {
        divmod(code, len(sets)): count
        for code, count in zip(pairs[often].tolist(), counts[often].tolist(), strict=True)
    }


def _pairs(owners: np.ndarray, starts: np.ndarray, size: int, pieces: int) -> np.ndarray:
    """The pairs among `size` owners at each start, as first * pieces + second; of a crowd, pairs with its first."""
    members = owners[starts[:, None] + np.arange(size)]  # (shingles, size), rising in each row
    if size > COMMON:
        return (members[:, :1] * pieces + members[:, 1:]).ravel()
    first, second = np.triu_indices(size, 1)
    return (members[:, first] * pieces + members[:, second]).ravel()
