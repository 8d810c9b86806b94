"""Letters for pitches: C sharp or D flat.

Each note is named as most of the notes around it would have it, each of these taken as the tonic of a chromatic scale
with minor second, third, sixth and seventh and a raised fourth (Meredith 2006, "The ps13 pitch spelling algorithm",
Journal of New Music Research 35.2); the notes around are themselves named by the key, and the key's tonic counts as
one more of them.
"""

from __future__ import annotations

import numpy as np

from ..score import Key
from ..theory import fifths_of

BEFORE, AFTER = 10, 42  # notes around that are listened to
TONIC_WEIGHT = 6.0  # the key's tonic counts as so many notes
LETTERS_ABOVE = np.array([0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6])  # of the chromatic scale, over its tonic
NATURALS = np.array([0, 2, 4, 5, 7, 9, 11])  # pitch classes of C D E F G A B
LOWEST_FIFTH = {"major": -3, "minor": -2}  # from the signature: Eb to G# in C major, Bb to D# in A minor


def key_letters(key: Key) -> np.ndarray:
    """The letter (0-6, C = 0) of each pitch class as the key has it, (12,)."""
    first = fifths_of(key.tonic, key.mode) + LOWEST_FIFTH[key.mode]
    fifths = np.arange(first, first + 12)  # along the line of fifths, C = 0
    letters = np.empty(12, int)
    letters[fifths * 7 % 12] = fifths * 4 % 7
    return letters


def alterations(pitches: np.ndarray, letters: np.ndarray) -> np.ndarray:
    """Sharps (+) or flats (-) that make the pitches of the letters, (N,)."""
    return (pitches % 12 - NATURALS[letters] + 6) % 12 - 6


def spell(notes: np.ndarray, keys: tuple[Key, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Letter (0-6, C = 0), alteration (-2 to 2) and octave (4 begins at middle C) of each note, each (N,).

    `notes` are in order of onset; `keys` are not empty, the first holding from the beginning.
    """
    pitches = notes["pitch"].astype(int)
    classes = pitches % 12
    heard = np.zeros((len(notes) + 1, 12))
    heard[1:] = np.cumsum(np.eye(12)[classes], axis=0)
    places = np.arange(len(notes))
    around = heard[np.minimum(places + AFTER, len(notes))] - heard[np.maximum(places - BEFORE, 0)]  # (N, 12)
    in_force = np.clip(np.searchsorted([key.tick for key in keys], notes["onset"], side="right") - 1, 0, None)
    letters = np.zeros(len(notes), int)
    for number, key in enumerate(keys):
        here = in_force == number
        letters[here] = _letters(around[here], classes[here], key)
    alters = alterations(pitches, letters)
    octaves = (pitches - alters) // 12 - 1  # B sharp belongs to the octave below, C flat to the one above
    return letters, alters, octaves


def _letters(around: np.ndarray, classes: np.ndarray, key: Key) -> np.ndarray:
    names = key_letters(key)
    weights = around.copy()
    weights[:, key.tonic] += TONIC_WEIGHT
    strength = np.zeros((len(classes), 7))
    rows = np.arange(len(classes))
    for tonic in range(12):
        letter = (names[tonic] + LETTERS_ABOVE[(classes - tonic) % 12]) % 7
        strength[rows, letter] += weights[:, tonic]
    best = strength.argmax(axis=1)
    strange = np.abs(alterations(classes, best)) > 2
    return np.where(strange, names[classes], best)
