"""Music as arrays of zeros and ones: one-hot, many-hot, multi-one-hot and multi-many-hot.

The four forms, and why chords are many-hot and not one class each, are those of Briot, Hadjeres and Pachet (2017,
"Deep Learning Techniques for Music Generation - A Survey", chapter 4). A slice holds what sounds as it begins; a rest
is a slice of zeros. Drums are left out. Models are trained on `pianoroll`; this is for looking, for teaching and for
comparison.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import comb

import numpy as np

from ..errors import BadOption, MusicError
from ..score import TICKS_PER_BEAT, Score, Track, note_array
from ..theory import pitched
from ..transform import resample
from .base import Unencodable

PITCHES = 128
SIXTEENTH = TICKS_PER_BEAT // 4
LARGEST_STEP = 16 * TICKS_PER_BEAT
VELOCITY = 80


def one_hot(score: Score, step: int = SIXTEENTH) -> np.ndarray:
    """Slices (T, 128) uint8 of a melody, at most one pitch in each; `step` is their length, ticks at 24 a quarter.

    Raises `Unencodable` where two notes sound at once, `BadOption` for a step that is not 1 to 384 ticks.
    """
    return _single(many_hot(score, step), "")


def many_hot(score: Score, step: int = SIXTEENTH) -> np.ndarray:
    """Slices (T, 128) uint8 of music, all its parts together, any number of pitches in each; otherwise as `one_hot`."""
    return multi_many_hot(score, step).max(axis=0)


def multi_one_hot(score: Score, step: int = SIXTEENTH) -> np.ndarray:
    """A one-hot array for each pitched track that has notes, (tracks, T, 128) uint8; otherwise as `one_hot`."""
    return np.array([_single(part, f" in part {n + 1}") for n, part in enumerate(multi_many_hot(score, step))])


def multi_many_hot(score: Score, step: int = SIXTEENTH) -> np.ndarray:
    """A many-hot array for each pitched track that has notes, (tracks, T, 128) uint8; otherwise as `one_hot`."""
    if step not in range(1, LARGEST_STEP + 1):
        raise BadOption(f"a step of {step!r} ticks is out of range; wanted 1 to {LARGEST_STEP}")
    notes = pitched(resample(score, TICKS_PER_BEAT))
    if not len(notes):
        raise Unencodable("empty", "there is no note with a pitch to encode")
    ends = notes["onset"] + notes["duration"]
    tracks, numbers = np.unique(notes["track"], return_inverse=True)
    slices = np.zeros((len(tracks), -(-int(ends.max()) // step), PITCHES), dtype=np.uint8)
    first, last = -(-notes["onset"] // step), -(-ends // step)  # of the slices that begin within each note
    for number, start, stop, pitch in zip(numbers, first, last, notes["pitch"], strict=True):
        slices[number, start:stop, pitch] = 1
    return slices


def _single(slices: np.ndarray, where: str) -> np.ndarray:
    most = int(slices.sum(axis=1).max())
    if most > 1:
        at = int(slices.sum(axis=1).argmax())
        raise Unencodable(
            "chords", f"{most} pitches sound{where} in slice {at}; one-hot holds one: use a many-hot form"
        )
    return slices


def as_score(slices: np.ndarray, step: int = SIXTEENTH) -> Score:
    """The music of an array (T, 128) or (tracks, T, 128): a pitch in slices one after the other is one note.

    That a note was struck again, how loud and by what instrument, no form holds.
    """
    parts = slices[None] if slices.ndim == 2 else slices
    rows = []
    for track, part in enumerate(parts):
        edges = np.diff(np.pad(part.astype(np.int8), ((1, 1), (0, 0))), axis=0).T  # (128, T + 1)
        pitches, starts = (found.tolist() for found in np.nonzero(edges == 1))
        stops = np.nonzero(edges == -1)[1].tolist()
        rows += [(a * step, (b - a) * step, p, VELOCITY, track) for p, a, b in zip(pitches, starts, stops, strict=True)]
    return Score(note_array(rows), tuple(Track() for _ in parts))


def chords_of(notes: int, pitches: int = PITCHES) -> int:
    """How many different chords of so many notes there are: pitches! / (notes! (pitches - notes)!).

    128 single notes, 8,128 of two, 341,376 of three, 10,668,000 of four.
    """
    return comb(pitches, notes)


def one_hot_size(most: int, pitches: int = PITCHES) -> int:
    """The classes that a one-hot form needs for every chord of one to `most` notes: the sum of `chords_of`.

    128 for melodies; 8,256 for at most two notes; 128 + 8,128 + 341,376 + 10,668,000 = 11,017,632 for at most four.
    A many-hot form holds the same chords, and all larger ones, in 128 numbers, and n tracks in 128 n.
    """
    return sum(chords_of(notes, pitches) for notes in range(1, most + 1))


def chord_class(pitches: Iterable[int]) -> int:
    """The class of a chord among all chords in order: fewer notes first, then by the combinatorial number system.

    Raises `MusicError` for an empty chord and for what is no MIDI pitch.
    """
    chord = sorted(set(pitches))
    if not chord or not 0 <= chord[0] <= chord[-1] < PITCHES:
        raise MusicError(f"no class for the chord {chord}; wanted one or more pitches from 0 to {PITCHES - 1}")
    return one_hot_size(len(chord) - 1) + sum(comb(pitch, n) for n, pitch in enumerate(chord, 1))


def text_of(slices: np.ndarray) -> str:
    """An array (T, 128) or (tracks, T, 128) for reading: the ones of each slice, "." where there is none."""
    if slices.ndim == 3:
        return "\n".join(f"part {n}: {text_of(part)}" for n, part in enumerate(slices, 1))
    return " | ".join(" ".join(map(str, np.flatnonzero(one))) or "." for one in slices)
