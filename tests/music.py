"""Music small enough to hear in your head, written as words."""

from __future__ import annotations

import re

from partimento.encodings import Encoding, get_encoding
from partimento.score import TICKS_PER_BEAT, Score, Track, note_array
from partimento.theory import ACCIDENTALS, STEP_PITCH_CLASS

LENGTHS = {"whole": 4, "half": 2, "quarter": 1, "eighth": 0.5, "sixteenth": 0.25, "dotted-quarter": 1.5}


def pitch_of(name: str) -> int:
    """C4 is 60, as in "C4", "F#3", "Bb5"."""
    letter, accidental, octave = re.fullmatch(r"([A-G])(#|b|)(-?\d)", name).groups()
    return STEP_PITCH_CLASS[letter] + ACCIDENTALS[accidental] + 12 * (int(octave) + 1)


def score_of(*parts: str, velocity: int = 80, **fields) -> Score:
    """One part a string, one note after another: "C4 quarter, rest half, C4+E4+G4 whole"; `fields` are the Score's."""
    rows = []
    for track, part in enumerate(parts):
        now = 0
        for word in filter(None, (word.strip() for word in part.split(","))):
            names, length = word.split()
            ticks = round(LENGTHS[length] * TICKS_PER_BEAT)
            rows += [(now, ticks, pitch_of(name), velocity, track) for name in names.split("+") if name != "rest"]
            now += ticks
    fields.setdefault("tracks", tuple(Track() for _ in parts) or (Track(),))
    return Score(note_array(rows), **fields)


def encoding_for(name: str, *scores: Score, **options) -> Encoding:
    """The encoding `name`, with the words of `scores` where it has a vocabulary to learn."""
    encoding = get_encoding(name, **options)
    return encoding.learnt([encoding.words_of(score) for score in scores]) if encoding.learns else encoding
