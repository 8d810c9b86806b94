"""What a listener hears in a score, bar by bar: valence, arousal, complexity, density, chords, repetition."""

from __future__ import annotations

from .chords import NONE, QUALITIES, chord_name, chords, parse_chord, parse_chords
from .description import Description, Return, describe
from .descriptors import DESCRIPTORS, cues, measured
from .hearing import Bars
from .repetition import DISTANCES, KINDS, repeats
from .scales import EDGES, TEN, level, levels, scale_of, share

__all__ = [
    "DESCRIPTORS", "DISTANCES", "EDGES", "KINDS", "NONE", "QUALITIES", "TEN", "Bars", "Description", "Return",
    "chord_name", "chords", "cues", "describe", "level", "levels", "measured", "parse_chord", "parse_chords",
    "repeats", "scale_of", "share",
]  # fmt: skip
