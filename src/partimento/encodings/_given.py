"""The given fields that encodings share, and the classes that their values fall into.

Class 0 of a given field is "not said" throughout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..score import DEFAULT_TEMPO, TICKS_PER_BEAT, Score
from ..theory import MODES, key_of
from ..timing import Clock, bar_ticks
from ..transform import cut
from .base import Field, Plan, Unencodable

STYLE_SLOTS = 32  # styles that one model can learn; slots left over are for fine-tuning
LEVELS = 10  # classes of each descriptor
TEMPO_LOW, TEMPO_HIGH, TEMPO_CLASSES = 30.0, 240.0, 18
METRES = (
    (2, 4), (3, 4), (4, 4), (2, 2), (3, 2), (6, 8), (9, 8), (12, 8), (3, 8), (6, 4), (4, 2), (5, 4), (1, 4), (4, 8),
    (2, 8), (5, 8), (7, 8), (9, 4), (12, 16), (6, 16), (7, 4), (2, 1), (3, 1), (9, 16), (1, 2), (5, 2), (3, 16),
    (8, 8), (12, 4), (1, 8), (8, 4), (1, 1), (6, 2), (24, 16), (2, 16), (10, 8), (18, 16), (4, 1), (9, 2), (5, 1),
    (16, 8), (8, 2), (7, 2), (24, 8), (10, 4), (18, 8), (4, 16), (11, 8), (15, 8), (15, 4), (11, 4), (13, 4), (13, 8),
)  # fmt: skip
BARS_LEFT = 32  # bars still to come are told apart up to this many
DESCRIPTORS = ("valence", "arousal", "complexity", "density")
PIECE_FIELDS = (
    Field("style", "categorical", 1 + STYLE_SLOTS, given=True, droppable=True),
    *(Field(name, "categorical", 1 + LEVELS, given=True, droppable=True) for name in DESCRIPTORS),
    Field("key", "categorical", 25, given=True, droppable=True),
    Field("tempo", "categorical", 1 + TEMPO_CLASSES, given=True, droppable=True),
)


def level_class(name: str, value: float | None) -> int:
    """Class 1-10 of a descriptor: valence and arousal on 1-10, complexity and density on 0-1; 0 for `None`."""
    if value is None or value == "":
        return 0
    position = (float(value) - 1) / 9 if name in ("valence", "arousal") else float(value)
    return 1 + min(LEVELS - 1, max(0, int(position * LEVELS)))


def tempo_class(bpm: float) -> int:
    """Class 1-18 of a tempo, equal steps of its logarithm between 30 and 240 quarter notes a minute."""
    position = math.log(min(TEMPO_HIGH, max(TEMPO_LOW, bpm)) / TEMPO_LOW) / math.log(TEMPO_HIGH / TEMPO_LOW)
    return 1 + min(TEMPO_CLASSES - 1, int(position * TEMPO_CLASSES))


def class_tempo(index: int) -> float:
    """The tempo in the middle of a class, quarter notes a minute; 120 for "not said"."""
    if index == 0:
        return DEFAULT_TEMPO
    return round(TEMPO_LOW * (TEMPO_HIGH / TEMPO_LOW) ** ((index - 0.5) / TEMPO_CLASSES))


def key_class(tonic: int, mode: str) -> int:
    return 1 + tonic % 12 + 12 * MODES.index(mode)


def class_key(index: int) -> tuple[int, str]:
    return (index - 1) % 12, MODES[(index - 1) // 12]


def moved_keys(classes: np.ndarray, semitones: int) -> np.ndarray:
    """Key classes (any shape) of the same music `semitones` higher; "not said" stays."""
    known = classes > 0
    mode, tonic = np.divmod(np.where(known, classes - 1, 0), 12)
    return np.where(known, 1 + mode * 12 + (tonic + semitones) % 12, classes)


def metre_class(numerator: int, denominator: int) -> int:
    """1 + place in `METRES`; raises `Unencodable` for a metre that is not there."""
    if (numerator, denominator) not in METRES:
        raise Unencodable("metre", f"metre {numerator}/{denominator} is none of the {len(METRES)} that are told apart")
    return 1 + METRES.index((numerator, denominator))


def style_class(styles: Sequence[str], style: str | None) -> int:
    """1 + place in the encoding's styles; 0 where the style is unknown to it."""
    return 1 + styles.index(style) if style in styles else 0


def piece_classes(score: Score, styles: Sequence[str], labels: Mapping[str, Any]) -> dict[str, int]:
    """Classes of `PIECE_FIELDS` for a whole piece: style and descriptors from labels, key and tempo from the music."""
    key = key_of(score)
    tempo = score.tempos[0].bpm if score.tempos else DEFAULT_TEMPO
    found = {name: level_class(name, labels.get(name)) for name in DESCRIPTORS}
    found |= {"style": style_class(styles, labels.get("style")), "tempo": tempo_class(tempo)}
    return found | {"key": key_class(key.tonic, key.mode)}


def plan_classes(plan: Plan, styles: Sequence[str]) -> dict[str, int]:
    """Classes of `PIECE_FIELDS` for what is asked of a piece."""
    found = {name: level_class(name, plan.controls.get(name)) for name in DESCRIPTORS}
    found |= {"style": style_class(styles, plan.style), "tempo": tempo_class(plan.tempo)}
    return found | {"key": key_class(*plan.key) if plan.key else 0}


def plan_bar(plan: Plan) -> int:
    """Ticks of a bar of the plan's metre on the house grid."""
    return bar_ticks(*plan.metre, TICKS_PER_BEAT)


def aligned(score: Score) -> Score:
    """The score without the silence before its first note, which then counts as an upbeat.

    A rest before the first note of a bar and an upbeat are the same thing on paper but for the bar's number.
    """
    first = int(score.notes["onset"].min())
    if not first:
        return score
    bar = (clock := Clock(score)).bars[int(clock.bar_at(first))]
    return replace(cut(score, first, score.end + 1), upbeat=bar.end - first if first > bar.start else 0)
