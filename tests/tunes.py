"""Tunes of eight bars, and duets, each made of a number: what small models learn, and what tests compose into."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from partimento.score import TICKS_PER_BEAT, Key, Metre, Score, Tempo, Track, note_array

MAJOR = (0, 2, 4, 5, 7, 9, 11)
# bars of 4/4: steps above the tonic with their lengths in eighths
FORMULAS = (
    ((0, 2), (1, 2), (2, 2), (0, 2)),
    ((4, 1), (3, 1), (2, 1), (1, 1), (0, 4)),
    ((2, 3), (3, 1), (4, 2), (2, 2)),
    ((4, 2), (5, 1), (4, 1), (3, 2), (2, 2)),
    ((7, 2), (5, 2), (4, 1), (3, 1), (2, 2)),
    ((1, 1), (2, 1), (3, 1), (1, 1), (4, 2), (4, 2)),
    ((5, 1), (7, 1), (6, 1), (5, 1), (4, 3), (2, 1)),
    ((2, 1), (0, 1), (2, 1), (4, 1), (7, 4)),
)
CADENCE = ((1, 2), (6, 2), (0, 4))
TONICS = (0, 7, 2, 5, 9, 10, 4, 3, 0, 7, 2, 5)
BARS = 8


def tune(number: int) -> Score:
    """Eight bars in a major key: seven formulas, drawn by the tune's number, and a cadence."""
    chance, tonic, rows, now = random.Random(number), 60 + TONICS[number % len(TONICS)], [], 0
    bars = [chance.choice(FORMULAS) for _ in range(BARS - 1)] + [CADENCE]
    for bar in bars:
        for degree, eighths in bar:
            octave, step = divmod(degree, len(MAJOR))
            length = eighths * TICKS_PER_BEAT // 2
            rows.append((now, length, tonic + 12 * octave + MAJOR[step], 72 + 8 * (now % 96 == 0), 0))
            now += length
    return Score(
        note_array(rows), (Track("Tune", 0),), tempos=(Tempo(0, 100.0 + number),), metres=(Metre(0, 4, 4),),
        keys=(Key(0, tonic % 12),),
    )  # fmt: skip


def duet(number: int) -> Score:
    """The tune of that number on a flute, over a cello that plays the tonic of its key twice a bar."""
    high, bar = tune(number), 4 * TICKS_PER_BEAT
    low = [(n * bar // 2, bar // 2, 36 + TONICS[number % len(TONICS)], 72, 1) for n in range(2 * BARS)]
    notes = np.concatenate([high.notes, note_array(low)])
    return replace(high, notes=notes, tracks=(Track("Flute", 73), Track("Cello", 42)))


def hymn(number: int) -> Score:
    """The tune of that number sung by four voices, in fifths and octaves beside each other."""
    high, below = tune(number), (0, 7, 12, 24)
    parts = [high.notes.copy() for _ in below]
    for voice, (part, semitones) in enumerate(zip(parts, below, strict=True)):
        part["track"], part["pitch"] = voice, part["pitch"] - semitones
    return replace(high, notes=np.concatenate(parts), tracks=(Track("", 52),) * len(below))


def with_kit(score: Score) -> Score:
    """The score with a track of drums, bass and snare drum from beat to beat, and a crash in its last bar."""
    beats = [(n * TICKS_PER_BEAT, 6, 36 + 2 * (n % 2), 100 - 20 * (n % 2), len(score.tracks)) for n in range(4 * BARS)]
    strokes = note_array([*beats[:-4], ((BARS - 1) * 4 * TICKS_PER_BEAT, 6, 49, 110, len(score.tracks))])
    return replace(score, notes=np.concatenate([score.notes, strokes]), tracks=(*score.tracks, Track("Kit", 128)))
