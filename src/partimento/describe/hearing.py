"""`Bars`: what a score holds bar by bar and beat by beat, counted once for all descriptors."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..errors import MusicError
from ..score import DEFAULT_METRE, TICKS_PER_BEAT, Metre, Score
from ..theory import pitched
from ..timing import Clock, bar_ticks, pulse_ticks
from ..transform import resample

GAPS = 8  # classes of the time from one onset to the next
BEFORE, AFTER = 1, 2  # bars around a bar that are heard with it: what a listener takes in at once
ROUGH = np.array([0, 1, 0.5, 0, 0, 0, 0.7, 0, 0, 0, 0.5, 1])  # by semitones: Hindemith's order, coarse
MOST_BEATS = 100_000  # felt beats; nobody writes as many, and a damaged file may claim more
MOST_PAIRS = 5_000_000  # of a beat and a note in it: notes that never end would fill the memory


class Bars:
    """A score at 24 ticks a beat, its pitched notes counted by bar and by beat.

    Raises `MusicError` where no note is pitched, and where there are more than 100,000 beats.
    """

    def __init__(self, score: Score):
        if not len(pitched(score)):
            raise MusicError(f"there is nothing to describe: {len(score)} notes, none of them pitched")
        if (beats := _beats_claimed(score)) > MOST_BEATS:
            raise MusicError(f"there are {beats:,.0f} beats; {MOST_BEATS:,} at most can be described, so cut it first")
        self.score = resample(score, TICKS_PER_BEAT)
        self.notes = pitched(self.score)
        self.clock = Clock(self.score)
        self.count = len(self.clock.bars)
        self.onset, self.pitch = self.notes["onset"], self.notes["pitch"].astype(np.int64)
        self.duration = self.notes["duration"]
        self.bar = self.clock.bar_at(self.onset)

    @cached_property
    def quarters(self) -> np.ndarray:
        """Length of each bar in quarter notes, (bars,)."""
        return np.array([bar.end - bar.start for bar in self.clock.bars]) / TICKS_PER_BEAT

    def total(self, values: np.ndarray | None = None) -> np.ndarray:
        """Sum of `values` (N,) of the notes that begin in each bar; their number where there are none, (bars,)."""
        return np.bincount(self.bar, weights=values, minlength=self.count).astype(float)

    @cached_property
    def beats(self) -> np.ndarray:
        """Ticks at which the felt beats begin, over all bars, (beats,)."""
        starts = []
        for bar in self.clock.bars:
            starts.append(np.arange(bar.start, bar.end, pulse_ticks(bar.numerator, bar.denominator, TICKS_PER_BEAT)))
        return np.concatenate(starts)

    @cached_property
    def beat_bar(self) -> np.ndarray:
        """Bar of each beat, (beats,)."""
        return self.clock.bar_at(self.beats)

    @cached_property
    def _spread(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Every pair of a beat and a note that sounds in it: beat, note, ticks together; each (pairs,)."""
        stop = self.onset + self.duration
        first = np.searchsorted(self.beats, self.onset, side="right") - 1
        last = np.searchsorted(self.beats, stop - 1, side="right") - 1
        counts = last - first + 1
        if counts.sum() > MOST_PAIRS:
            raise MusicError(
                f"{len(counts):,} notes last {counts.mean():,.0f} beats on average; the file is damaged, or lacks its "
                "note-offs"
            )
        note = np.repeat(np.arange(len(self.onset)), counts)
        beat = np.arange(len(note)) - np.repeat(np.cumsum(counts) - counts, counts) + first[note]
        ends = np.append(self.beats[1:], max(int(stop.max()), int(self.beats[-1]) + 1))
        together = np.minimum(stop[note], ends[beat]) - np.maximum(self.onset[note], self.beats[beat])
        return beat, note, together

    @cached_property
    def beat_pitch_classes(self) -> np.ndarray:
        """Ticks that each pitch class sounds in each beat, (beats, 12)."""
        beat, note, together = self._spread
        cells = np.bincount(beat * 12 + self.pitch[note] % 12, weights=together, minlength=12 * len(self.beats))
        return cells.reshape(-1, 12)

    @cached_property
    def beat_bass(self) -> np.ndarray:
        """Lowest pitch that sounds in each beat, (beats,); 128 in silence."""
        beat, note, _ = self._spread
        lowest = np.full(len(self.beats), 128)
        np.minimum.at(lowest, beat, self.pitch[note])
        return lowest

    @cached_property
    def pitch_classes(self) -> np.ndarray:
        """Ticks that each pitch class sounds in each bar, (bars, 12)."""
        found = np.zeros((self.count, 12))
        np.add.at(found, self.beat_bar, self.beat_pitch_classes)
        return found

    @cached_property
    def roughness(self) -> np.ndarray:
        """Dissonance of what sounds in each beat, 0 to about 0.5, summed over the beats of each bar, (bars,).

        What follows in the same beat counts as if it sounded together.
        """
        shares = self.beat_pitch_classes / np.maximum(1, self.beat_pitch_classes.sum(axis=1, keepdims=True))
        table = ROUGH[(np.arange(12)[:, None] - np.arange(12)) % 12]
        rough = np.einsum("bi,ij,bj->b", shares, table, shares)
        return np.bincount(self.beat_bar, weights=rough, minlength=self.count)

    @cached_property
    def beats_a_bar(self) -> np.ndarray:
        """Number of felt beats of each bar, (bars,)."""
        return np.bincount(self.beat_bar, minlength=self.count).astype(float)

    @cached_property
    def onsets(self) -> tuple[np.ndarray, np.ndarray]:
        """Distinct onsets (M,) and the bar of each (M,)."""
        starts = np.flatnonzero(np.diff(self.onset, prepend=-1))
        return self.onset[starts], self.bar[starts]

    @cached_property
    def gaps(self) -> np.ndarray:
        """Onsets of each bar by the time to the next, in octaves from below a 32nd to two whole notes, (bars, 8)."""
        onset, bar = self.onsets
        gap = np.diff(onset, append=onset[-1] + TICKS_PER_BEAT)
        kind = np.clip(np.round(np.log2(gap / 3)) + 1, 0, GAPS - 1).astype(int)
        return np.bincount(bar * GAPS + kind, minlength=self.count * GAPS).reshape(-1, GAPS).astype(float)

    @cached_property
    def _next_in_track(self) -> tuple[np.ndarray, np.ndarray]:
        """Notes (indices) that have another onset behind them in their track, and the index of that one."""
        order = np.lexsort((self.pitch, self.onset, self.notes["track"]))
        here, there = order[:-1], order[1:]
        same = (self.notes["track"][here] == self.notes["track"][there]) & (self.onset[there] > self.onset[here])
        return here[same], there[same]

    @cached_property
    def detached(self) -> np.ndarray:
        """Share of the time to the next note of its track in which each note is silent, summed a bar, (bars,)."""
        here, there = self._next_in_track
        gap = self.onset[there] - self.onset[here]
        rest = np.zeros(len(self.onset))
        rest[here] = np.clip(1 - self.duration[here] / gap, 0, 1)
        return self.total(rest)

    @cached_property
    def leaps(self) -> np.ndarray:
        """Semitones from each note to the next of its track, at most an octave, summed a bar, (bars,).

        From one chord to the next that is from its highest note to the lowest of the next.
        """
        here, there = self._next_in_track
        size = np.zeros(len(self.onset))
        size[here] = np.minimum(12, np.abs(self.pitch[there] - self.pitch[here]))
        return self.total(size)

    @cached_property
    def syncopations(self) -> np.ndarray:
        """Notes struck off the beat that sound on over the next one, a bar, (bars,)."""
        beat = np.searchsorted(self.beats, self.onset, side="right") - 1
        following = np.append(self.beats[1:], self.score.end)[beat]
        off = (self.onset > self.beats[beat]) & (self.onset + self.duration > following)
        return self.total(off.astype(float))


def _beats_claimed(score: Score) -> float:
    """About how many felt beats `score` has, by the times in it and without making any."""
    notes = score.notes
    end = max(float((notes["onset"] + notes["duration"].astype(float)).max()), float(score.upbeat))
    metres = (Metre(0, *DEFAULT_METRE), *score.metres)
    stops = [*(metre.tick for metre in metres[1:]), end]
    beats = 0.0
    for metre, stop in zip(metres, stops, strict=True):
        ticks = max(0.0, min(stop, end) - max(0, metre.tick)) * TICKS_PER_BEAT / score.ticks_per_beat
        written = metre.numerator, metre.denominator
        beats += ticks / min(pulse_ticks(*written, TICKS_PER_BEAT), bar_ticks(*written, TICKS_PER_BEAT))
    return beats


def around(values: np.ndarray) -> np.ndarray:
    """Sums of `values` (bars, ...) over each bar, the one before and the two after it."""
    padded = np.concatenate([np.zeros((BEFORE, *values.shape[1:])), values, np.zeros((AFTER, *values.shape[1:]))])
    total = padded[: len(values)].copy()
    for n in range(1, BEFORE + AFTER + 1):
        total += padded[n : n + len(values)]
    return total


def entropy(counts: np.ndarray) -> np.ndarray:
    """Entropy in bits of rows of counts (rows, kinds); 0 where there are none."""
    shares = counts / np.maximum(1e-9, counts.sum(axis=1, keepdims=True))
    return -(shares * np.log2(np.maximum(shares, 1e-12))).sum(axis=1)
