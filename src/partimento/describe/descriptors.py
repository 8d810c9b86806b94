"""Valence, arousal, complexity and density of every bar, from the cues that are known to carry them.

The cues and the order of their weights follow Gabrielsson and Lindström (2010), "The role of structure in the
musical expression of emotions", in Handbook of Music and Emotion, and Eerola, Friberg and Bresin (2013), "Emotional
expression in music: contribution, linearity, and additivity of primary musical cues", Frontiers in Psychology 4:487:
mode carries valence before tempo, register, consonance and articulation; tempo, loudness and onset density carry
arousal before register, leaps and texture. Complexity adds rhythmic variety, syncopation, chromaticism, leaps and
changes of chord, as Streich (2006), "Music complexity: a multi-faceted description of audio content", has them.

A cue is measured in standard deviations from its mean over about a thousand printed scores, so that weights can be
compared; the sum has no unit. On which part of a scale of 1-10 it lies, the percentiles of a style's music say.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..theory import IN_KEY, PROFILES
from .chords import chords
from .hearing import Bars, around, entropy

DESCRIPTORS = ("valence", "arousal", "complexity", "density")
CUES: dict[str, tuple[float, float]] = {  # mean and standard deviation over bars of printed scores
    "mode": (0.08, 0.18), "rate": (0.93, 0.87), "notes": (2.04, 1.0), "register": (63.8, 5.6),
    "roughness": (0.10, 0.06), "detached": (0.04, 0.07), "leaps": (3.3, 1.1), "voices": (3.2, 1.4),
    "variety": (0.88, 0.57), "syncopation": (0.05, 0.13), "chromatic": (0.05, 0.07), "pitches": (2.61, 0.36),
    "changes": (0.70, 0.20),
}  # fmt: skip
WEIGHTS: dict[str, Mapping[str, float]] = {
    "valence": {"mode": 1.0, "rate": 0.35, "register": 0.3, "roughness": -0.3, "detached": 0.2},
    "arousal": {
        "rate": 1.0, "notes": 0.5, "voices": 0.35, "register": 0.3, "leaps": 0.3, "detached": 0.3, "roughness": 0.2,
    },
    "complexity": {
        "variety": 0.7, "syncopation": 0.6, "chromatic": 0.7, "pitches": 0.5, "leaps": 0.4, "changes": 0.4,
    },
    "density": {"notes": 1.0},
}  # fmt: skip
STEADY_TEMPO, STEADY_LOUDNESS = 110.0, 80.0  # quarter notes a minute, velocity: what a score that says nothing means
TEMPI = (20.0, 400.0)  # quarter notes a minute; what lies beyond counts as these
TEMPO_WEIGHT = {"valence": 0.5, "arousal": 2.0}  # for twice the tempo
LOUDNESS_WEIGHT = {"arousal": 1.0}  # for 20 steps of velocity
MOST = 4.0  # standard deviations; farther out, a bar is an accident
SCALES = np.array([np.isin(np.arange(12), [(t + s) % 12 for s in IN_KEY[m]]) for m in IN_KEY for t in range(12)])


def cues(bars: Bars) -> dict[str, np.ndarray]:
    """Every cue of `CUES` heard around each bar, in its own unit, (bars,) each.

    mode: correlation with the best major less that with the best minor key, -1 to 1. rate, notes: onsets and notes a
    quarter note, log2. register: mean MIDI pitch. roughness: see `Bars`. detached: share of the time to the next note
    that is silent, 0-1. leaps: semitones to the next note. voices: notes sounding on average. variety, pitches:
    entropy of times between onsets and of pitch classes, bits. syncopation: share of notes, 0-1. chromatic: share of
    the sounding time outside the best key, 0-1. changes: changes of chord a beat, 0-1.
    """
    quarters, notes = around(bars.quarters), around(bars.total())
    count = np.maximum(1, notes)
    weights = around(bars.pitch_classes)
    fit = _fit(weights)
    inside = (weights[:, None, :] * SCALES[fit.argmax(axis=1)][:, None, :]).sum(axis=(1, 2))
    changed = np.diff(chords(bars), prepend=-2) != 0
    onsets = np.bincount(bars.onsets[1], minlength=bars.count).astype(float)
    return {
        "mode": fit[:, :12].max(axis=1) - fit[:, 12:].max(axis=1),
        "rate": np.log2(np.maximum(0.05, around(onsets) / quarters)),
        "notes": np.log2(np.maximum(0.05, notes / quarters)),
        "register": around(bars.total(bars.pitch.astype(float))) / count,
        "roughness": around(bars.roughness) / np.maximum(1, around(bars.beats_a_bar)),
        "detached": around(bars.detached) / count,
        "leaps": around(bars.leaps) / count,
        "voices": weights.sum(axis=1) / (24 * quarters),
        "variety": entropy(around(bars.gaps)),
        "syncopation": around(bars.syncopations) / count,
        "chromatic": 1 - inside / np.maximum(1e-9, weights.sum(axis=1)),
        "pitches": entropy(weights),
        "changes": around(np.bincount(bars.beat_bar, weights=changed, minlength=bars.count))
        / np.maximum(1, around(bars.beats_a_bar)),
    }


def _fit(weights: np.ndarray) -> np.ndarray:
    """Correlation of pitch-class weights (bars, 12) with the 24 keys, (bars, 24)."""
    centred = weights - weights.mean(axis=1, keepdims=True)
    return centred @ PROFILES.T / np.maximum(1e-9, np.linalg.norm(centred, axis=1, keepdims=True))


def measured(bars: Bars, *, played: bool = False) -> dict[str, np.ndarray]:
    """Every descriptor of every bar as a sum of weighted cues, (bars,), in standard deviations of a single cue.

    Where nothing is struck in a bar and those around it, the value before holds on; before the music, its first.
    `played` adds tempo and loudness, which printed scores hardly tell.
    """
    heard = cues(bars)
    standard = {name: np.clip((heard[name] - mean) / spread, -MOST, MOST) for name, (mean, spread) in CUES.items()}
    found = {}
    for name, weights in WEIGHTS.items():
        total = np.sum([weight * standard[cue] for cue, weight in weights.items()], axis=0)
        found[name] = total + (_played(bars, name) if played else 0.0)
    struck = around(bars.total()) > 0
    first = int(struck.argmax())
    last = np.maximum.accumulate(np.where(struck, np.arange(bars.count), first))
    return {name: values[last] for name, values in found.items()}


def _played(bars: Bars, name: str) -> np.ndarray:
    """What tempo at the bar line and mean loudness add to a descriptor, (bars,); 0 for tempi that are not said."""
    marks = bars.score.tempos
    at = np.searchsorted([mark.tick for mark in marks], bars.clock.bar_starts, side="right")
    tempo = np.nan_to_num([STEADY_TEMPO, *(mark.bpm for mark in marks)], nan=STEADY_TEMPO)[at]
    struck = around(bars.total())
    loud = around(bars.total(bars.notes["velocity"].astype(float))) / np.maximum(1, struck)
    loud[struck == 0] = STEADY_LOUDNESS
    added = TEMPO_WEIGHT.get(name, 0.0) * np.log2(np.clip(tempo, *TEMPI) / STEADY_TEMPO)
    return added + LOUDNESS_WEIGHT.get(name, 0.0) * (loud - STEADY_LOUDNESS) / 20
