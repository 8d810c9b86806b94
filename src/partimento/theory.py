"""Keys, scales and chords as tables, and finding the key of a passage.

Pitch classes are 0-11 with C = 0. The key is found by correlating the durations of the twelve pitch classes with
the profiles of Albrecht and Shanahan (2013, "The use of large corpora to train a new type of key-finding
algorithm", Music Perception 31.1).
"""

from __future__ import annotations

import re

import numpy as np

from .errors import BadOption
from .score import Key, Score

STEPS = "CDEFGAB"
STEP_PITCH_CLASS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS = {"": 0, "#": 1, "b": -1, "♯": 1, "♭": -1, "##": 2, "bb": -2}
MODES = ("major", "minor")
SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
IN_KEY = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 9, 10, 11)}  # minor: both sixths, both sevenths
TRIADS = {"major": (0, 4, 7), "minor": (0, 3, 7)}
CHORD_QUALITIES = {
    "maj": (0, 4, 7), "min": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "sus4": (0, 5, 7), "sus2": (0, 2, 7),
    "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "min7": (0, 3, 7, 10), "dim7": (0, 3, 6, 9), "hdim7": (0, 3, 6, 10),
}  # fmt: skip
MAJOR_PROFILE = np.array([0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081])
MINOR_PROFILE = np.array([0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052])
# Sharps (+) or flats (-) of the major keys as a musician writes them: C Db D Eb E F F# G Ab A Bb B
MAJOR_FIFTHS = (0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5)
# ... and of the minor keys: c c# d eb e f f# g g# a bb b
MINOR_FIFTHS = (-3, 4, -1, -6, 1, -4, 3, -2, 5, 0, -5, 2)
MAJOR_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")


def fifths_of(tonic: int, mode: str) -> int:
    """Sharps (positive) or flats (negative) in the signature of a key, -6 to 6."""
    return (MAJOR_FIFTHS if mode == "major" else MINOR_FIFTHS)[tonic % 12]


def key_name(tonic: int, mode: str) -> str:
    """ "Eb major", "F# minor"."""
    return f"{(MAJOR_NAMES if mode == 'major' else MINOR_NAMES)[tonic % 12]} {mode}"


def parse_key(text: str) -> Key:
    """ "D minor", "Bb", "f#m", "Ab maj" as a `Key` at tick 0; a lone small letter is minor, as in older books."""
    match = re.fullmatch(r"\s*([A-Ga-g])(##|bb|#|b|♯|♭)?[\s_-]*(major|maj|minor|min|m|M)?\s*", text)
    if not match:
        raise BadOption(f"no key {text!r}; write it like 'D minor', 'Bb major', 'F#' or 'Am'")
    letter, accidental, mode = match.groups()
    tonic = (STEP_PITCH_CLASS[letter.upper()] + ACCIDENTALS[accidental or ""]) % 12
    minor = mode in ("minor", "min", "m") or (mode is None and letter.islower())
    return Key(0, tonic, "minor" if minor else "major")


def pitch_class_weights(notes: np.ndarray) -> np.ndarray:
    """Total duration of each pitch class, (12,), in the notes' own ticks."""
    return np.bincount(notes["pitch"] % 12, weights=notes["duration"], minlength=12)


def _profile_matrix() -> np.ndarray:
    """The 24 keys' profiles, centred and of length 1, (24, 12)."""
    rolled = np.array([np.roll(p, tonic) for p in (MAJOR_PROFILE, MINOR_PROFILE) for tonic in range(12)])
    centred = rolled - rolled.mean(axis=1, keepdims=True)
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)


PROFILES = _profile_matrix()


def key_correlations(weights: np.ndarray) -> np.ndarray:
    """Pearson correlation (-1 to 1) of pitch-class weights (12,) with the 24 keys: C major ... B major, C minor ..."""
    centred = weights - weights.mean()
    scale = np.linalg.norm(centred)
    return PROFILES @ centred / scale if scale else np.zeros(24)


def pitched(score: Score) -> np.ndarray:
    """The notes that are not drums, (N,)."""
    return score.notes[is_pitched(score)] if any(track.is_drums for track in score.tracks) else score.notes


def is_pitched(score: Score) -> np.ndarray:
    """Which of the score's notes (N,) are not drums: (N,) bool."""
    return ~np.isin(score.notes["track"], [n for n, track in enumerate(score.tracks) if track.is_drums])


def key_of(score: Score) -> Key:
    """The key of a whole piece by its pitch classes, the last bass note breaking near ties between relatives."""
    notes = pitched(score)
    if not len(notes):
        return Key(0, 0, "major")
    fit = key_correlations(pitch_class_weights(notes))
    ends = notes["onset"] + notes["duration"]
    last = notes[ends == ends.max()]
    fit[[int(last["pitch"].min()) % 12, 12 + int(last["pitch"].min()) % 12]] += 0.1
    best = int(np.argmax(fit))
    return Key(0, best % 12, MODES[best // 12])


def in_key_pitch_classes(tonic: int, mode: str) -> np.ndarray:
    """Which pitch classes belong to the key, (12,) bool; minor has both sixths and both sevenths."""
    belongs = np.zeros(12, dtype=bool)
    belongs[[(tonic + step) % 12 for step in IN_KEY[mode]]] = True
    return belongs
