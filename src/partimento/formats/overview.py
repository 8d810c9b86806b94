"""What a person wants to know of a score at a glance, in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..instruments import instrument_name, label
from ..score import DEFAULT_METRE, DEFAULT_TEMPO, Score
from ..theory import key_name, key_of
from ..timing import Clock
from ._limits import bar_count, refuse_absurd

NOTE_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


@dataclass(frozen=True)
class Part:
    """One track: its name, its instrument, how many notes, and its lowest and highest note ("" for drums)."""

    name: str
    instrument: str
    notes: int
    span: str


@dataclass(frozen=True)
class Overview:
    """A score in words; `bars` counts full bars, `seconds` goes to the end of the last note."""

    title: str
    bars: int
    seconds: float
    tempo: str
    metre: str
    key: str
    parts: tuple[Part, ...]


def overview(score: Score) -> Overview:
    """Look `score` over; raises `FormatError` where it is absurdly long."""
    refuse_absurd(score, score.title or "the score")
    clock = Clock(score)
    return Overview(
        score.title,
        (len(clock.bars) - bool(score.upbeat)) if len(score) else bar_count(score),
        float(clock.seconds(score.end)),
        _tempo(score, clock),
        _metre(score),
        _key(score),
        tuple(_part(score, number) for number in range(len(score.tracks))),
    )


def _tempo(score: Score, clock: Clock) -> str:
    if not score.tempos:
        return f"{DEFAULT_TEMPO:g} quarter notes a minute (not said in the file)"
    values = [tempo.bpm for tempo in score.tempos]
    if max(values) - min(values) < 0.5:
        return f"{values[0]:.4g} quarter notes a minute"
    beats, seconds = score.end / score.ticks_per_beat, float(clock.seconds(score.end))
    mean = beats / seconds * 60 if seconds else values[0]
    return f"{min(values):.3g} to {max(values):.3g} quarter notes a minute, {mean:.3g} on average"


def _metre(score: Score) -> str:
    if not score.metres:
        words = "{}/{} (not said in the file)".format(*DEFAULT_METRE)
    else:
        words = _some([f"{metre.numerator}/{metre.denominator}" for metre in score.metres])
    beats = score.upbeat / score.ticks_per_beat
    return f"{words}, upbeat of {beats:.4g} quarter note{'s' if beats != 1 else ''}" if score.upbeat else words


def _key(score: Score) -> str:
    if score.keys:
        return _some([key_name(key.tonic, key.mode) for key in score.keys])
    found = key_of(score)
    return f"{key_name(found.tonic, found.mode)} (found by its notes)"


def _some(words: list[str], most: int = 5) -> str:
    """What follows what, repeats and more than a few left out."""
    kept = [word for place, word in enumerate(words) if place == 0 or word != words[place - 1]]
    return ", then ".join(kept[:most]) + (f", and {len(kept) - most} more changes" if len(kept) > most else "")


def _part(score: Score, number: int) -> Part:
    track, notes = score.tracks[number], score.track_notes(number)
    span = ""
    if len(notes) and not track.is_drums:
        low, high = np.min(notes["pitch"]), np.max(notes["pitch"])
        span = f"{_note_name(int(low))}-{_note_name(int(high))}"
    return Part(label(track), instrument_name(track.program), len(notes), span)


def _note_name(pitch: int) -> str:
    return f"{NOTE_NAMES[pitch % 12]}{pitch // 12 - 1}"
