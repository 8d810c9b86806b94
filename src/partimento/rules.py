"""Rules act on logits before the draw; what is impossible is never drawn, and nothing is repaired afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from .encodings.base import Cursor
from .theory import in_key_pitch_classes

FORBIDDEN = -np.inf
PITCHES = ("pitch", "soprano", "alto", "tenor", "bass")
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
