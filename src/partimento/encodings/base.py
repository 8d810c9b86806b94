"""What an encoding declares, and the contract between music and models.

An encoding turns a `Score` into steps, a table of small integers with one column a field, and back. A field is
either composed (the model chooses it, in the order declared, each seeing those chosen before it) or given (known
beforehand, a control). A given field may become known only once a composed field of the same step is chosen
(`after`): where a note stands in its bar follows from the time that it waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ..errors import MusicError
from ..score import Score

STEP_DTYPE = np.int16  # what the cache stores; every class index fits


@dataclass(frozen=True)
class Field:
    """One thing that a step of music consists of."""

    name: str
    kind: str  # "categorical" | "binary" | "real"
    size: int  # classes, or width of the vector
    given: bool = False  # known before composing (a control) or composed
    after: str = ""  # a given field that is known once this composed field of its step is chosen
    droppable: bool = False  # class 0 means "not said"; training drops it at random

    @property
    def width(self) -> int:
        """Columns that the field takes in a table of steps."""
        return 1 if self.kind == "categorical" else self.size


@dataclass(frozen=True)
class Plan:
    """What is asked of a piece before it is composed; `None` leaves the choice to the model."""

    bars: int = 16
    style: str = ""
    key: tuple[int, str] | None = None  # (tonic pitch class, "major" | "minor")
    metre: tuple[int, int] = (4, 4)
    tempo: float = 120.0  # quarter notes a minute
    programs: tuple[int, ...] = (0,)
    controls: Mapping[str, float] = field(default_factory=dict)  # valence, arousal: 1-10; complexity, density: 0-1
    upbeat: int = 0  # ticks at 24 a quarter note


class Unencodable(MusicError):
    """Music that the encoding's grid cannot hold; `reason` is a short label to count by."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


class Cursor:
    """Follows a piece while it is composed: what is given at the coming step, and what may be chosen."""

    left: int = 0  # ticks at 24 a quarter note from where the coming step may begin to the end of the piece
    sounding: Any = None  # what sounds as the step begins, as the encoding has it
    time: int = 0  # of the last step, in ticks at 24 a quarter note, as `Encoding.times` counts

    def start(self) -> dict[str, int]:
        """Every field that is known before the first step, as it stands in the row before the music."""
        raise MusicError("a cursor must say how a piece starts")

    def given(self, chosen: Mapping[str, int]) -> dict[str, int]:
        """Given fields known so far in the coming step; `chosen` holds the composed fields already drawn."""
        raise MusicError("a cursor must say what is given")

    def legal(self, name: str, chosen: Mapping[str, int]) -> np.ndarray:
        """Which classes of the composed field `name` keep the piece well formed and on time, (size,) bool."""
        raise MusicError("a cursor must say what is legal")

    def closes(self, chosen: Mapping[str, int]) -> bool:
        """Whether what is chosen so far ends the piece, so that the fields left are not chosen."""
        return False

    def push(self, chosen: Mapping[str, int]) -> bool:
        """Take the finished step; False when the piece is over."""
        raise MusicError("a cursor must take steps")


class Encoding:
    """An encoding of music as steps; a subclass declares `name` and `fields`."""

    name: ClassVar[str] = ""
    fields: tuple[Field, ...] = ()
    styles: tuple[str, ...] = ()

    def spec(self) -> dict[str, Any]:
        """What rebuilds this encoding: `get_encoding(**spec)`."""
        return {"name": self.name, "styles": list(self.styles)}

    @cached_property
    def columns(self) -> dict[str, int]:
        """First column of each field in a table of steps."""
        found, at = {}, 0
        for entry in self.fields:
            found[entry.name] = at
            at += entry.width
        return found

    @cached_property
    def composed(self) -> tuple[Field, ...]:
        return tuple(entry for entry in self.fields if not entry.given)

    @cached_property
    def given(self) -> tuple[Field, ...]:
        return tuple(entry for entry in self.fields if entry.given)

    def encode(self, score: Score, labels: Mapping[str, Any] | None = None) -> np.ndarray:
        """Steps (T, columns) of `score`; `labels` may hold style (str), valence, arousal (1-10), complexity (0-1).

        Raises `Unencodable` where the grid cannot hold the music.
        """
        raise MusicError(f"encoding {self.name!r} cannot encode")

    def decode(self, steps: np.ndarray, plan: Plan | None = None) -> Score:
        """The music of steps (T, columns); `plan` gives the exact tempo, which steps hold only in classes."""
        raise MusicError(f"encoding {self.name!r} cannot decode")

    def times(self, steps: np.ndarray) -> np.ndarray:
        """Musical time of each step in ticks at 24 a quarter note, (T,) int32; for relative attention."""
        return np.arange(len(steps), dtype=np.int32)

    def transpose(self, steps: np.ndarray, semitones: int) -> np.ndarray:
        """Steps of the same music, `semitones` higher, keys included."""
        raise MusicError(f"encoding {self.name!r} cannot transpose")

    def transpositions(self, steps: np.ndarray) -> tuple[int, int]:
        """Lowest and highest transposition in semitones that stays within the instruments' ranges."""
        return (0, 0)

    def cursor(self, plan: Plan) -> Cursor:
        """A cursor at the beginning of a piece after `plan`."""
        raise MusicError(f"encoding {self.name!r} cannot compose")
