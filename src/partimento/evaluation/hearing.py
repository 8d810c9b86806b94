"""`Hearing`: a score as the measures of listening need it; each view of it is made once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import MusicError
from ..score import TICKS_PER_BEAT, Key, Score
from ..theory import key_of, pitched
from ..timing import Clock, bar_ticks, pulse_ticks
from ..transform import resample

PITCHES = 128


@dataclass(frozen=True)
class Line:
    """One note after another: onsets in ticks and pitches, both (N,)."""

    onset: np.ndarray
    pitch: np.ndarray

    @cached_property
    def intervals(self) -> np.ndarray:
        """Semitones from each note to the next, (N - 1,)."""
        return np.diff(self.pitch)


class Hearing:
    """A score at 24 ticks a beat with what sounds when; drums are left out.

    Raises `MusicError` where no pitched note is left.
    """

    def __init__(self, score: Score):
        self.score = resample(score, TICKS_PER_BEAT)
        self.notes = pitched(self.score)
        if not len(self.notes):
            raise MusicError(f"there is nothing to listen to: {len(score)} notes, none of them pitched")
        self.onset, self.duration = self.notes["onset"], self.notes["duration"]
        self.track, self.pitch = self.notes["track"].astype(np.int64), self.notes["pitch"].astype(np.int64)
        self.stop = self.onset + self.duration
        self.end = int(self.stop.max())
        self.clock = Clock(self.score)

    @cached_property
    def key(self) -> Key:
        """The key by the music itself, whatever the file says."""
        return key_of(self.score)

    @cached_property
    def bar_length(self) -> int:
        """Ticks of a bar in the first metre."""
        first = self.clock.bars[0]
        return bar_ticks(first.numerator, first.denominator, TICKS_PER_BEAT)

    @cached_property
    def pulse(self) -> int:
        """Ticks of the felt beat in the first metre."""
        first = self.clock.bars[0]
        return pulse_ticks(first.numerator, first.denominator, TICKS_PER_BEAT)

    @cached_property
    def full_bars(self) -> int:
        """Bars, an upbeat not counted; at least 1."""
        return max(1, len(self.clock.bars) - bool(self.score.upbeat))

    @cached_property
    def onset_starts(self) -> np.ndarray:
        """Index of the first note of every distinct onset, (M,)."""
        return np.flatnonzero(np.diff(self.onset, prepend=-1))

    @cached_property
    def bar(self) -> np.ndarray:
        """Bar in which each note begins, (N,)."""
        return self.clock.bar_at(self.onset)

    @cached_property
    def place(self) -> np.ndarray:
        """Ticks from the bar line to each note, (N,); an upbeat stands at the end of its bar."""
        offset = np.zeros(len(self.clock.bars), dtype=np.int64)
        offset[0] = self.bar_length - self.score.upbeat if self.score.upbeat else 0
        return self.onset - self.clock.bar_starts[self.bar] + offset[self.bar]

    @cached_property
    def filled_bars(self) -> tuple[np.ndarray, np.ndarray]:
        """Bars in which a note begins and the index of the first note of each, both (B,)."""
        starts = np.flatnonzero(np.diff(self.bar, prepend=-1))
        return self.bar[starts], starts

    @cached_property
    def times(self) -> np.ndarray:
        """Ticks at which a note begins or ends, (S + 1,): between two of them a sonority does not change."""
        return np.unique(np.concatenate([self.onset, self.stop]))

    @cached_property
    def counts(self) -> np.ndarray:
        """How many notes of each pitch sound in each sonority, (S, 128)."""
        size = len(self.times) * PITCHES
        begin = np.searchsorted(self.times, self.onset) * PITCHES + self.pitch
        stop = np.searchsorted(self.times, self.stop) * PITCHES + self.pitch
        change = np.bincount(begin, minlength=size) - np.bincount(stop, minlength=size)
        return change.reshape(-1, PITCHES).cumsum(axis=0)[:-1]

    @cached_property
    def height(self) -> np.ndarray:
        """Notes in each sonority, (S,)."""
        return self.counts.sum(axis=1)

    @cached_property
    def sounding(self) -> np.ndarray:
        """Which sonorities are not silence, (S,) bool."""
        return np.asarray(self.height > 0)

    @cached_property
    def spans(self) -> np.ndarray:
        """Ticks that each sonority lasts, (S,)."""
        return np.diff(self.times)

    @cached_property
    def classes(self) -> np.ndarray:
        """Which pitch classes sound in each sonority, (S, 12) bool."""
        padded = np.zeros((len(self.counts), 132), dtype=bool)
        padded[:, :PITCHES] = self.counts > 0
        return padded.reshape(-1, 11, 12).max(axis=1)

    @cached_property
    def final(self) -> int:
        """Index of the sonority that begins with the last onset."""
        return int(np.searchsorted(self.times, self.onset[-1]))

    @cached_property
    def final_bass(self) -> int:
        """Lowest pitch of the last sonority."""
        return int(np.flatnonzero(self.counts[self.final])[0])

    @cached_property
    def top(self) -> Line:
        """The highest note struck at each onset, where nothing held sounds above it."""
        onset = self.onset[self.onset_starts]
        struck = np.maximum.reduceat(self.pitch, self.onset_starts)
        sounding = self.counts[np.searchsorted(self.times, onset)] > 0
        keep = struck == PITCHES - 1 - sounding[:, ::-1].argmax(axis=1)
        return Line(onset[keep], struck[keep])

    @cached_property
    def bass(self) -> Line:
        """The lowest note struck at each onset, where nothing held sounds below it."""
        onset = self.onset[self.onset_starts]
        struck = np.minimum.reduceat(self.pitch, self.onset_starts)
        sounding = self.counts[np.searchsorted(self.times, onset)] > 0
        keep = struck == sounding.argmax(axis=1)
        return Line(onset[keep], struck[keep])

    @cached_property
    def voices(self) -> np.ndarray | None:
        """Pitch of each voice in each sonority, the highest voice first, 0 for a rest, (S, 4).

        None unless there are four tracks of one note at a time.
        """
        tracks = [np.flatnonzero(self.track == track) for track in np.unique(self.track)]
        if len(tracks) != 4 or any((self.onset[at][1:] < self.stop[at][:-1]).any() for at in tracks):
            return None
        tracks.sort(key=lambda at: -float(self.pitch[at].mean()))
        sounding = np.zeros((len(self.spans), 4), dtype=np.int64)
        for voice, at in enumerate(tracks):
            last = np.searchsorted(self.onset[at], self.times[:-1], side="right") - 1
            held = (last >= 0) & (self.stop[at][last] > self.times[:-1])
            sounding[held, voice] = self.pitch[at][last[held]]
        return sounding

    def time_share(self, where: np.ndarray) -> float:
        """Share of the time in which anything sounds that the sonorities of `where` (S,) take, 0 to 1."""
        return float(self.spans[where & self.sounding].sum() / self.spans[self.sounding].sum())


def entropy(counts: np.ndarray) -> float:
    """Bits of the distribution that `counts` are proportional to."""
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum())


def longest_run(where: np.ndarray) -> int:
    """Length of the longest run of True in `where` (N,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]])))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def mixed(*columns: np.ndarray) -> np.ndarray:
    """One 64-bit number for each row of `columns` (N,); equal rows have equal numbers, others practically never."""
    value = np.full(len(columns[0]), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for column in columns:
        value = (value ^ column.astype(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
        value ^= value >> np.uint64(29)
        value *= np.uint64(0x94D049BB133111EB)
        value ^= value >> np.uint64(32)
    return value
