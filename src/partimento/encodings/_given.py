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
AXES = ("axis_1", "axis_2")  # room for axes of a user's own
SELDOM, OFTEN = 0.1, 0.5  # shares of windows that lack a field in training
RAW, RAW_ZERO, RAW_UNIT = 100, 150.0, 0.01  # how a measure that has no class yet is kept: see `raw_of`
CHORD_KINDS = 10  # qualities of chords that are told apart
CHORDS = 2 + 12 * CHORD_KINDS  # not said, no chord, each root with each quality
REPEATS = 14  # not said, new, a bar repeated after 1, 2, 4 ... 32 bars, its rhythm alone repeated
ENDS, GOES_ON, GIVEN, INSTRUMENT = 1, 2, 3, 4  # what a row is: see `Field("role")`
STYLE = Field("style", "categorical", 1 + STYLE_SLOTS, given=True, droppable=SELDOM)
KEY = Field("key", "categorical", 25, given=True, droppable=SELDOM)
TEMPO = Field("tempo", "categorical", 1 + TEMPO_CLASSES, given=True, droppable=SELDOM)


def level_fields(*names: str, after: str = "") -> tuple[Field, ...]:
    """Fields of descriptors in ten levels."""
    return tuple(Field(n, "categorical", 1 + LEVELS, given=True, after=after, droppable=OFTEN) for n in names)


PIECE_FIELDS = (STYLE, *level_fields(*DESCRIPTORS), KEY, TEMPO)


def raw_of(values: np.ndarray) -> np.ndarray:
    """Measures of any unit as integers beyond every class, in steps of 0.01 between -150 and 150.

    Which class a measure falls into, the percentiles of a style's music say; they are known once all is encoded.
    """
    return RAW + np.round((np.clip(values, -RAW_ZERO, RAW_ZERO) + RAW_ZERO) / RAW_UNIT).astype(int)


def measure_of(raw: np.ndarray) -> np.ndarray:
    """The measures that `raw_of` keeps."""
    return np.round((np.asarray(raw, dtype=float) - RAW) * RAW_UNIT - RAW_ZERO, 2)


def classed(raw: np.ndarray, scale: Sequence[float]) -> np.ndarray:
    """Classes 1-10 of a column of raw measures, by the nine inner deciles in `scale`; what is a class stays one."""
    if not len(scale):
        return np.where(raw >= RAW, 0, raw)
    return np.where(raw >= RAW, 1 + np.searchsorted(np.asarray(scale), measure_of(raw), side="right"), raw)


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
    """Classes of style, key and tempo for a whole piece: style from the labels, key and tempo from the music."""
    key = key_of(score)
    tempo = score.tempos[0].bpm if score.tempos else DEFAULT_TEMPO
    found = {"style": style_class(styles, labels.get("style")), "tempo": tempo_class(tempo)}
    return found | {"key": key_class(key.tonic, key.mode)}


def bar_columns(labels: Mapping[str, Any], axes: Sequence[str]) -> dict[str, Any]:
    """What goes into the columns of descriptors and axes: a class from a label by hand, else a raw measure a bar.

    `labels` may hold "described": its `measures` are arrays by name, a number a bar.
    """
    measures = labels["described"].measures if "described" in labels else {}
    found: dict[str, Any] = {}
    for name in DESCRIPTORS:
        if labels.get(name) not in (None, ""):
            found[name] = level_class(name, labels[name])
        elif name in measures:
            found[name] = raw_of(measures[name])
    for field, name in zip(AXES, axes, strict=False):
        if labels.get(name) not in (None, ""):
            found[field] = int(raw_of(_axis_value(name, labels[name])))
    return found


def _axis_value(name: str, text: Any) -> np.ndarray:
    """The number that a label says of an axis; raises `Unencodable`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= RAW_ZERO:
        raise Unencodable("label", f"{name} is {text!r}; wanted a number from {-RAW_ZERO:g} to {RAW_ZERO:g}")
    return np.array(value)


def plan_classes(plan: Plan, styles: Sequence[str]) -> dict[str, int]:
    """Classes of style, key and tempo of what is asked of a piece."""
    found = {"style": style_class(styles, plan.style), "tempo": tempo_class(plan.tempo)}
    return found | {"key": key_class(*plan.key) if plan.key else 0}


def level_classes(controls: Mapping[str, Any], bar: int, names: Sequence[str]) -> dict[str, int]:
    """Classes of the descriptors `names` in bar number `bar` (an upbeat is bar 0) of what is asked."""
    return {name: level_class(name, asked_at(controls.get(name), bar)) for name in names}


def asked_at(value: Any, bar: int) -> float | None:
    """A control at a bar: one number holds throughout, of a sequence the last goes on."""
    if value is None or np.ndim(value) == 0:
        return value
    return value[min(bar, len(value) - 1)]


def moved_chords(classes: np.ndarray, semitones: int) -> np.ndarray:
    """Chord classes (any shape) of the same music `semitones` higher; "not said" and "no chord" stay."""
    root, kind = np.divmod(np.maximum(classes - 2, 0), CHORD_KINDS)
    return np.where(classes >= 2, 2 + (root + semitones) % 12 * CHORD_KINDS + kind, classes)


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
