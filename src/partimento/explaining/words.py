"""Classes of fields in words: "C4" for pitch 60, "1 beat" for a duration of 24 ticks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..describe import chord_name
from ..encodings import Encoding
from ..encodings._given import BARS_LEFT, ENDS, GIVEN, GOES_ON, INSTRUMENT, METRES, class_key, class_tempo
from ..encodings._words import pitch_name
from ..encodings.base import Field
from ..encodings.voices import FIRST_PITCH, HOLD, REST, STEP, VOICES
from ..instruments import NAMES
from ..score import DRUM_PROGRAM, TICKS_PER_BEAT
from ..theory import key_name

NOTHING, UNSAID = "-", "not said"
FEW = 8  # units of a binary field that are named
ROLES = {0: UNSAID, ENDS: "ends with the last bar", GOES_ON: "goes on", GIVEN: "told ahead", INSTRUMENT: "instrument"}
VELOCITY_STEP, WAIT_END = 4, 16 * TICKS_PER_BEAT + 1  # as the encodings `notes` and `events` have them


def beats(ticks: float) -> str:
    """ "1 beat", "0.5 beats": a beat is a quarter note."""
    count = round(ticks / TICKS_PER_BEAT, 3)
    return f"{count:g} beat{'s' * (count != 1)}"


def _program(number: int) -> str:
    return "drums" if number == DRUM_PROGRAM else NAMES[number]


def _voice(value: int) -> str:
    return {HOLD: "hold", REST: "rest"}.get(value) or pitch_name(value - FIRST_PITCH)


COMPOSED: dict[str, Callable[[int], str]] = {
    "wait": lambda value: "the end" if value == WAIT_END else f"after {beats(value)}" if value else "at once",
    "program": _program, "part": lambda value: f"part {value + 1}", "pitch": pitch_name,
    "velocity": lambda value: f"velocity {value * VELOCITY_STEP}", "duration": lambda value: beats(value + 1),
    **dict.fromkeys(VOICES, _voice),
}  # fmt: skip
TOLD: dict[str, Callable[[int], str]] = {  # of a given field, beyond its class 0
    "key": lambda value: key_name(*class_key(value)), "tempo": lambda value: f"about {class_tempo(value):g} a minute",
    "metre": lambda value: "{}/{}".format(*METRES[value - 1]),
    "bars_left": lambda value: f"{value - 1}{' or more' * (value > BARS_LEFT)} bars to come",
    "left": lambda value: f"{value - 1} to come",
    "chord": lambda value: "no chord" if value == 1 else chord_name(value - 2),
}  # fmt: skip


def word_of(encoding: Encoding, field: Field, value: Any) -> str:
    """A class of a field, or the units (size,) of a binary one, in words; what has no word is its number."""
    if field.kind == "binary":
        return units_word(value)
    value = int(value)
    if field.given:
        return _given_word(encoding, field, value)
    if value < 0:
        return NOTHING
    if field.name == getattr(encoding, "worded", ""):
        return encoding.vocabulary.words[value]  # type: ignore[attr-defined]
    if field.name == "duration" and hasattr(encoding, "durations"):
        return beats(int(encoding.durations[value]))
    return COMPOSED[field.name](value) if field.name in COMPOSED else str(value)


def units_word(units: Any) -> str:
    """The units of a binary field that are on, as the pitches that they stand for."""
    on = np.flatnonzero(np.asarray(units) > 0).tolist()
    more = f" and {len(on) - FEW} more" * (len(on) > FEW)
    return " ".join(pitch_name(one) for one in on[:FEW]) + more if on else "none"


def _given_word(encoding: Encoding, field: Field, value: int) -> str:
    if field.name == "role":
        return ROLES.get(value, str(value))
    if field.name.startswith("sounding_"):
        return pitch_name(value - 1) if value > 0 else "silent"
    if value <= 0:
        return UNSAID
    if field.name == "style":
        return encoding.styles[value - 1] if value <= len(encoding.styles) else str(value)
    if field.name == "place":  # in sixteenths where a step is one
        ticks = (value - 1) * (STEP if encoding.name == "voices" else 1)
        return f"beat {round(1 + ticks / TICKS_PER_BEAT, 3):g}"
    return TOLD[field.name](value) if field.name in TOLD else str(value)
