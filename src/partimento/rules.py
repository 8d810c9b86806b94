"""Rules act on logits before the draw; what is impossible is never drawn, and nothing is repaired afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from .encodings.base import Cursor
from .theory import in_key_pitch_classes

FORBIDDEN = -np.inf
VOICES = ("soprano", "bass", "alto", "tenor")
PITCHES = ("pitch", *VOICES)
PERFECT = (0, 7)  # semitones: unison or octave, fifth
HOLD = 0  # class of a voice that sounds on
DOMINANT = {"bass": (7,), "soprano": (2, 5, 7, 11)}  # semitones above the tonic in the chord before the last
VOICE_PITCH = 2  # class of pitch 0 in a voice of the encoding `voices`; below it stand hold and rest


@dataclass
class Stream:
    """One piece that is being composed: its cursor and the steps so far."""

    cursor: Cursor
    steps: list[dict[str, int]] = field(default_factory=list)


class Rule:
    """Lowers the logits of what should not be chosen; a rule that would leave nothing is passed over.

    What is legal at all - well formed, within the instruments, on time - the encoding's cursor tells beforehand.
    """

    fields: ClassVar[tuple[str, ...]] = PITCHES  # those that the rule is asked about

    def __call__(self, name: str, logits: np.ndarray, stream: Stream, chosen: Mapping[str, int]) -> None:
        """Change `logits` (classes,) of the field `name` in place."""


@dataclass
class NoStutter(Rule):
    """No pitch is struck more than `most` times in a row in one part."""

    most: int = 4

    def __call__(self, name, logits, stream, chosen) -> None:
        if name == "pitch":
            self._in_notes(logits, stream.steps, chosen)
        else:
            struck = [step[name] for step in stream.steps[-64:] if step[name] >= VOICE_PITCH][-self.most :]
            if len(struck) == self.most and len(set(struck)) == 1:
                logits[struck[0]] = FORBIDDEN

    def _in_notes(self, logits: np.ndarray, steps: Sequence[Mapping[str, int]], chosen: Mapping[str, int]) -> None:
        part = (chosen["program"], chosen["part"])
        played = [step["pitch"] for step in steps[-64:] if (step["program"], step["part"]) == part][-self.most :]
        if len(played) == self.most and len(set(played)) == 1:
            logits[played[0]] = FORBIDDEN


@dataclass
class InRange(Rule):
    """Pitches outside `low`-`high` of the style, which real pieces of it hardly ever leave, are not chosen."""

    ranges: Mapping[str, tuple[int, int]]  # by field: "pitch", "soprano", ...

    def __call__(self, name, logits, stream, chosen) -> None:
        if name in self.ranges:
            low, high = self.ranges[name]
            first = 0 if name == "pitch" else VOICE_PITCH
            logits[first : first + low] = FORBIDDEN
            logits[first + high + 1 :] = FORBIDDEN


@dataclass
class InKey(Rule):
    """Pitches outside the key cost `strength` nats (infinite: they are forbidden)."""

    tonic: int
    mode: str
    strength: float = 1.0

    def __call__(self, name, logits, stream, chosen) -> None:
        first = 0 if name == "pitch" else VOICE_PITCH
        outside = ~in_key_pitch_classes(self.tonic, self.mode)[np.arange(len(logits) - first) % 12]
        logits[first:][outside] -= self.strength


@dataclass
class NoParallels(Rule):
    """Two voices do not move together from one perfect fifth, octave or unison to another (Fux 1725).

    It costs `strength` nats, so that a voice that can hardly go elsewhere still may.
    """

    strength: float = 5.0
    fields: ClassVar[tuple[str, ...]] = VOICES

    def __call__(self, name, logits, stream, chosen) -> None:
        before = stream.cursor.sounding  # pitch + 1, 0 for silence
        was = before[name] - 1
        for other, choice in chosen.items():
            other_was, other_is = before[other] - 1, choice - VOICE_PITCH
            if was < 0 or other_was < 0 or other_is < 0 or other_is == other_was:
                continue
            interval = abs(was - other_was) % 12
            if interval in PERFECT:
                pitches = np.arange(len(logits) - VOICE_PITCH)
                parallel = (np.abs(pitches - other_is) % 12 == interval) & (pitches != was)
                logits[VOICE_PITCH:][parallel] -= self.strength


@dataclass
class FinalChord(Rule):
    """From its last strong beat on the piece stands on the tonic triad, reached from the dominant in the bass.

    `start` is how many ticks before the end that beat is, `pulse` the length of the beat before it. A piece that
    stands on its tonic by then may stay there. In minor the third may be raised (the Picardy third).
    """

    tonic: int
    mode: str
    start: int
    pulse: int
    fields: ClassVar[tuple[str, ...]] = VOICES

    def __call__(self, name, logits, stream, chosen) -> None:
        left, sounding = stream.cursor.left, stream.cursor.sounding
        if left <= self.start:
            self._only(name, logits, sounding, (0,) if name == "bass" else self._triad())
        elif left <= self.start + self.pulse and name in DOMINANT and not self._stands(sounding):
            self._only(name, logits, sounding, DOMINANT[name])

    def _triad(self) -> tuple[int, ...]:
        return (0, 3, 4, 7) if self.mode == "minor" else (0, 4, 7)

    def _stands(self, sounding: Mapping[str, int]) -> bool:
        """Whether the bass has the tonic already and every other voice a note of its triad."""
        degrees = {voice: (pitch - 1 - self.tonic) % 12 for voice, pitch in sounding.items() if pitch}
        return degrees.get("bass") == 0 and set(degrees.values()) <= set(self._triad())

    def _only(self, name: str, logits: np.ndarray, sounding: Mapping[str, int], degrees: tuple[int, ...]) -> None:
        """Forbid every pitch but those `degrees` (semitones above the tonic), and to hold another."""
        allowed = [(self.tonic + degree) % 12 for degree in degrees]
        logits[VOICE_PITCH:][~np.isin(np.arange(len(logits) - VOICE_PITCH) % 12, allowed)] = FORBIDDEN
        held = sounding[name] - 1
        if held >= 0 and held % 12 not in allowed:
            logits[HOLD] = FORBIDDEN


@dataclass
class SurePitches(Rule):
    """Pitches are drawn at `temperature`, whether to strike at all as learnt.

    A common temperature below 1 makes four voices hold more and more, since holding is the likeliest of all.
    """

    temperature: float = 0.75
    fields: ClassVar[tuple[str, ...]] = VOICES

    def __call__(self, name, logits, stream, chosen) -> None:
        struck = logits[VOICE_PITCH:]
        highest = struck.max()
        if highest == FORBIDDEN:
            return
        sharper = (struck - highest) / self.temperature
        mass, sharper_mass = np.exp(struck - highest).sum(), np.exp(sharper).sum()
        struck[:] = sharper + highest + np.log(mass / sharper_mass)
