"""Whole-score transformations; each returns a new `Score`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import timing
from .errors import MusicError
from .score import DEFAULT_METRE, Key, Score

ACCENT_SHARE = 0.55  # of bar-line accents that must agree before an upbeat is believed
LOUD_SHARE = (0.02, 0.6)  # of notes that are loudest, for loudness to be an accent
FEWEST_NOTES = 8  # to judge by


def transpose(score: Score, semitones: int) -> Score:
    """Every pitched note and key moved by `semitones`; drums stay."""
    drums = [n for n, track in enumerate(score.tracks) if track.is_drums]
    notes, moves = score.notes.copy(), ~np.isin(score.notes["track"], drums)
    pitch = notes["pitch"].astype(int) + np.where(moves, semitones, 0)
    if len(pitch) and (pitch.min() < 0 or pitch.max() > 127):
        raise MusicError(f"{semitones:+} semitones moves a note to {pitch.min()}-{pitch.max()}; MIDI has 0-127")
    notes["pitch"] = pitch
    keys = tuple(Key(key.tick, (key.tonic + semitones) % 12, key.mode) for key in score.keys)
    return replace(score, notes=notes, keys=keys)


def resample(score: Score, ticks_per_beat: int) -> Score:
    """The same music on another grid: every time rounded to the nearest new tick, no note shorter than one."""
    if score.ticks_per_beat == ticks_per_beat:
        return score
    ratio = ticks_per_beat / score.ticks_per_beat

    def at(tick):
        return np.floor(np.asarray(tick) * ratio + 0.5).astype(np.int64)

    notes = score.notes.copy()
    notes["onset"] = at(score.notes["onset"])
    notes["duration"] = np.maximum(1, at(score.notes["onset"] + score.notes["duration"]) - notes["onset"])

    def moved(entries):
        return tuple(replace(entry, tick=int(at(entry.tick))) if entry.tick else entry for entry in entries)

    return replace(
        score, notes=notes, ticks_per_beat=ticks_per_beat, upbeat=int(at(score.upbeat)),
        tempos=moved(score.tempos), metres=moved(score.metres), keys=moved(score.keys),
    )  # fmt: skip


def cut(score: Score, start: int, stop: int) -> Score:
    """The notes that begin in [start, stop), moved to tick 0 and ended by `stop`; maps carried along."""
    inside = (score.notes["onset"] >= start) & (score.notes["onset"] < stop)
    notes = score.notes[inside].copy()
    notes["duration"] = np.minimum(notes["duration"], stop - notes["onset"])
    notes["onset"] -= start

    def carried(entries):
        before = [entry if not entry.tick else replace(entry, tick=0) for entry in entries if entry.tick <= start][-1:]
        return tuple(before + [replace(e, tick=e.tick - start) for e in entries if start < e.tick < stop])

    return replace(
        score, notes=notes, upbeat=max(0, score.upbeat - start), recipe=None,
        tempos=carried(score.tempos), metres=carried(score.metres), keys=carried(score.keys),
    )  # fmt: skip


def without_overlaps(notes: np.ndarray) -> np.ndarray:
    """Notes (N,) in which no note sounds on past the next onset of its own pitch and track; exact doubles go."""
    line = (notes["track"].astype(np.int64) << 8) + notes["pitch"]
    order = np.lexsort((notes["duration"], notes["onset"], line))
    notes, line = notes[order], line[order]
    same = line[1:] == line[:-1]
    double = np.concatenate([same & (notes["onset"][1:] == notes["onset"][:-1]), [False]])[: len(notes)]
    gap = np.diff(notes["onset"])
    limit = same & (gap > 0) & (notes["duration"][:-1] > gap)
    notes["duration"][:-1][limit] = gap[limit]
    return notes[~double]


def find_upbeat(score: Score) -> int:
    """Ticks of the upbeat that a file does not declare; 0 where nothing speaks for one.

    Two things speak: files written from ABC accent the first note of each bar with a higher velocity, so that bars
    begin at the phase of most of the loudest notes; and a hymn or chorale without any metre is in 4/4, ends with a
    full bar, and so what its length has over whole bars stands at the beginning.
    """
    if score.upbeat or len(score.metres) > 1 or len(score.notes) < FEWEST_NOTES:
        return score.upbeat
    if not score.metres:
        over = score.end % timing.bar_ticks(*DEFAULT_METRE, score.ticks_per_beat)
        return over if over % score.ticks_per_beat == 0 else 0
    bar = timing.bar_ticks(score.metres[0].numerator, score.metres[0].denominator, score.ticks_per_beat)
    loudest = score.notes["velocity"] == score.notes["velocity"].max()
    if not LOUD_SHARE[0] < loudest.mean() < LOUD_SHARE[1]:
        return 0
    phases = score.notes["onset"][loudest] % bar
    counts = np.bincount(phases, minlength=bar)
    best = int(counts.argmax())
    return best if counts[best] >= ACCENT_SHARE * len(phases) else 0
