"""The chord of each beat, by the pitch classes that sound in it."""

from __future__ import annotations

import re

import numpy as np

from ..errors import BadOption
from ..theory import ACCIDENTALS, CHORD_QUALITIES, STEP_PITCH_CLASS
from .hearing import Bars

QUALITIES = ("maj", "min", "dim", "aug", "7", "min7", "maj7", "hdim7", "dim7", "sus4")
SUFFIXES = {  # as musicians write them behind the root
    "maj": ("", "maj", "M"), "min": ("m", "min", "-"), "dim": ("dim", "o", "°"), "aug": ("aug", "+"),
    "7": ("7", "dom7"), "min7": ("m7", "min7", "-7"), "maj7": ("maj7", "M7", "Δ"), "hdim7": ("m7b5", "ø", "ø7"),
    "dim7": ("dim7", "o7", "°7"), "sus4": ("sus4", "sus"),
}  # fmt: skip
BY_SUFFIX = {suffix: name for name, suffixes in SUFFIXES.items() for suffix in suffixes}
ROOT_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
NONE, NO_CHORD = -1, "N.C."  # nothing sounds, nor has
BASS, SIZE, NEIGHBOUR = 0.06, 0.10, 0.10  # for the root in the bass; against each further note; of the beats beside


def _templates() -> np.ndarray:
    """Which pitch classes belong to each chord, (12 * 10, 12): root after root, in each the qualities."""
    found = np.zeros((12, len(QUALITIES), 12))
    for root in range(12):
        for n, name in enumerate(QUALITIES):
            found[root, n, [(root + step) % 12 for step in CHORD_QUALITIES[name]]] = 1
    return found.reshape(-1, 12)


TEMPLATES = _templates()
SIZES = TEMPLATES.sum(axis=1)


def chords(bars: Bars) -> np.ndarray:
    """The chord of each beat, root * 10 + place in `QUALITIES`, (beats,); `NONE` before the first one.

    A chord is worth the share of the sounding time that its notes have, a little more with its root in the bass and
    a little less for every note that it counts; a silent beat keeps the chord before it. After Pardo and Birmingham
    (2002), "Algorithms for chordal analysis", Computer Music Journal 26.2, without their search for segments.
    """
    weights = bars.beat_pitch_classes
    heard = weights.sum(axis=1) > 0
    near = weights.copy()
    near[1:] += NEIGHBOUR * weights[:-1]
    near[:-1] += NEIGHBOUR * weights[1:]
    shares = near / np.maximum(1e-9, near.sum(axis=1, keepdims=True))
    worth = shares @ TEMPLATES.T - SIZE * SIZES  # (beats, chords)
    sounding = np.flatnonzero(heard)
    worth.reshape(-1, 12, len(QUALITIES))[sounding, bars.beat_bass[sounding] % 12] += BASS
    found = worth.argmax(axis=1)
    last = np.maximum.accumulate(np.where(heard, np.arange(len(heard)), NONE))  # beat whose chord still holds
    return np.where(last >= 0, found[last], NONE)


def parse_chord(text: str) -> int:
    """ "Dm7" as root * 10 + place in `QUALITIES`; raises `BadOption` for any other chord than those of `SUFFIXES`."""
    match = re.fullmatch(r"([A-Ga-g])(##|bb|#|b|♯|♭)?(.*)", text.strip())
    if not match or match[3] not in BY_SUFFIX:
        known = ", ".join(suffixes[0] for suffixes in SUFFIXES.values() if suffixes[0])
        raise BadOption(f"no chord {text!r}; write a root, alone (major) or with {known}, like C, Dm, G7 or Bbmaj7")
    root = (STEP_PITCH_CLASS[match[1].upper()] + ACCIDENTALS[match[2] or ""]) % 12
    return root * len(QUALITIES) + QUALITIES.index(BY_SUFFIX[match[3]])


def parse_chords(text: str) -> tuple[tuple[float, int], ...]:
    """ "Dm G7 C" as (bar from 1, chord), a chord a bar; between bar lines, "Dm G7 | C", chords share their bar.

    A bar without a chord, "Dm | | C", keeps the one before it. Raises `BadOption` as `parse_chord` does, and where
    there is none at all.
    """
    bars = re.sub(r"\|+", "|", text).strip().strip("|").split("|") if "|" in text else text.split()
    found = []
    for number, bar in enumerate(bars, 1):
        names = bar.split()
        found += [(number + n / len(names), parse_chord(name)) for n, name in enumerate(names)]
    if not found:
        raise BadOption("there is no chord; write them like 'Dm G7 C', one a bar, or 'Dm G7 | C'")
    return tuple(found)


def chord_name(chord: int) -> str:
    """root * 10 + place in `QUALITIES` as musicians write it, "F#m7"; "N.C." for `NONE`."""
    if chord == NONE:
        return NO_CHORD
    root, quality = divmod(chord, len(QUALITIES))
    return ROOT_NAMES[root] + SUFFIXES[QUALITIES[quality]][0]
