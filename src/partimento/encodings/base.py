"""What an encoding declares, and the contract between music and models.

An encoding turns a `Score` into steps, a table of small integers with one column a field, and back. A field is
either composed (the model chooses it, in the order declared, each seeing those chosen before it) or given (known
beforehand, a control). A given field may become known only once a composed field of the same step is chosen
(`after`): where a note stands in its bar follows from the time that it waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..errors import MusicError
from ..score import Score

STEP_DTYPE = np.int16  # what the cache stores; every class index fits


@dataclass(frozen=True)
class Field:
    """One thing that a step of music consists of."""

    name: str
    kind: str  # "categorical": one of `size` classes; "binary": `size` units, each on (1) or off (0)
    size: int
    given: bool = False  # known before composing (a control) or composed
    after: str = ""  # a given field that is known once this composed field of its step is chosen
    droppable: float = 0.0  # share of windows in which training leaves it out: class 0 then means "not said"
    pitch_at: int = -1  # the class of MIDI pitch 0, where classes from there on are pitches; what is below is none
    holds: str = ""  # the given field that says what sounds as the step begins: class 0 lets it go on

    @property
    def width(self) -> int:
        """Columns that the field takes in a table of steps: one, or for a binary field one for each of its units."""
        return 1 if self.kind == "categorical" else self.size


def columns_of(fields: Sequence[Field]) -> dict[str, int]:
    """First column of each field in a table of steps."""
    ends = np.cumsum([0, *(entry.width for entry in fields)]).tolist()
    return {entry.name: at for entry, at in zip(fields, ends, strict=False)}


class Lesson(NamedTuple):
    """A window of music as a task to learn from."""

    rows: np.ndarray  # (T, columns)
    times: np.ndarray  # (T,) ticks at 24 a quarter note
    counts: np.ndarray  # (T,) bool: which rows are to be learnt, and not only heard


@dataclass(frozen=True)
class Frame:
    """Music that stands already around what is to be composed; ticks at 24 a quarter note from the first bar line."""

    rows: np.ndarray  # (P, columns): all that a model is told before it goes on
    times: np.ndarray  # (P,) ticks
    past: np.ndarray  # (N, columns): the last of `rows`, the music before the gap
    past_times: np.ndarray  # (N,)
    bars: tuple[tuple[int, int, int, int], ...]  # start, end, numerator and denominator of every bar of the piece
    first: int  # number of the first bar to be composed
    sounds: tuple[tuple[int, int], ...] = ()  # (program, part) of what is composed; those of the plan where it is empty
    until: int = 0  # up to which tick composed notes may be held into what follows; 0: none is


@dataclass(frozen=True)
class Plan:
    """What is asked of a piece before it is composed; `None` leaves the choice to the model."""

    bars: int = 16
    style: str = ""
    key: tuple[int, str] | None = None  # (tonic pitch class, "major" | "minor")
    metre: tuple[int, int] = (4, 4)
    tempo: float = 120.0  # quarter notes a minute
    programs: tuple[int, ...] = (0,)
    controls: Mapping[str, Any] = field(default_factory=dict)  # valence, arousal: 1-10; complexity, density: 0-1;
    # a number, or a sequence of one a bar (the upbeat, if there is one, counts as a bar)
    upbeat: int = 0  # ticks at 24 a quarter note
    chords: tuple[tuple[int, int], ...] = ()  # (tick, chord): from that tick on, root * 10 + quality
    form: tuple[int, ...] = ()  # what each bar repeats, see `describe.repetition`
    velocity: int = 0  # of every note; 0 leaves it to the model
    goes_on: bool = False  # the music does not end with the last bar
    frame: Frame | None = None  # music that stands already


class Unencodable(MusicError):
    """Music that the encoding's grid cannot hold; `reason` is a short label to count by."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


class Cursor:
    """Follows a piece while it is composed: what is given at the coming step, and what may be chosen."""

    left: int = 0  # ticks at 24 a quarter note from where the coming step may begin to the end of the piece
    sounding: Any = None  # what sounds as the step begins, as the encoding has it
    plan: Plan
    controls: dict[str, Any]  # what is told of descriptors, as `Plan.controls`; may be changed on the way
    begin: int = 0  # where what is composed begins
    sounds: tuple[tuple[int, int], ...] = ()  # (program, part) of what is composed, where the encoding has instruments
    played: set[tuple[int, int]]  # which of them have come in
    notes: Sequence[tuple[int, ...]] = ()  # so far, where it has: onset, duration, pitch, velocity, program, part
    standing: Sequence[tuple[int, ...]] = ()  # notes that stand already before, beside and after, in the same way
    time: int = 0  # of the last step, in ticks at 24 a quarter note, as `Encoding.times` counts

    def prompt(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Rows (P, columns) and times (P,) to be told before the row that `start` gives, if there are any."""
        return None

    def start(self) -> dict[str, int]:
        """Every field that is known before the first step, as it stands in the row before the music."""
        raise MusicError("a cursor must say how a piece starts")

    def given(self, chosen: Mapping[str, int]) -> dict[str, int]:
        """Given fields known so far in the coming step; `chosen` holds the composed fields already drawn."""
        raise MusicError("a cursor must say what is given")

    def legal(self, name: str, chosen: Mapping[str, int]) -> np.ndarray:
        """Which classes of the composed field `name` keep the piece well formed and on time, (size,) bool."""
        raise MusicError("a cursor must say what is legal")

    def due(self, name: str, chosen: Mapping[str, Any]) -> np.ndarray:
        """The units of the composed binary field `name` that are on in any case, by number (N,)."""
        return np.zeros(0, dtype=np.int64)

    def least(self, name: str, chosen: Mapping[str, Any]) -> int:
        """How many units of the composed binary field `name` are on at least."""
        return 0

    def again(self, rows: np.ndarray, times: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Rows and times to tell a model that can hold no more, from all that it was told of this piece.

        The last row is the last of `rows` (T, columns); of the music so far the latest `most` rows are told. None:
        the model forgets the oldest by itself.
        """
        return None

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
    exact: bool = True  # whether every note that is heard comes back; else decoding gives what the steps say of it

    def spec(self) -> dict[str, Any]:
        """What rebuilds this encoding: `get_encoding(**spec)`."""
        return {"name": self.name, "styles": list(self.styles)}

    @cached_property
    def columns(self) -> dict[str, int]:
        """First column of each field in a table of steps."""
        return columns_of(self.fields)

    @cached_property
    def width(self) -> int:
        """Columns of a table of steps."""
        return sum(entry.width for entry in self.fields)

    @cached_property
    def composed(self) -> tuple[Field, ...]:
        return tuple(entry for entry in self.fields if not entry.given)

    @cached_property
    def given(self) -> tuple[Field, ...]:
        return tuple(entry for entry in self.fields if entry.given)

    @property
    def learns(self) -> bool:
        """Whether it has a vocabulary that it must learn from the training music first: see `words_of` and `learnt`."""
        return False

    def words_of(self, score: Score) -> dict[str, dict[str, int]]:
        """How often each word stands in a piece, by the fields that have a vocabulary: what `learnt` asks of it."""
        return {}

    def learnt(self, counts: Iterable[Mapping[str, Mapping[str, int]]]) -> Encoding:
        """This encoding with the vocabulary of the pieces that `counts` are the `words_of`."""
        return self

    def encode(self, score: Score, labels: Mapping[str, Any] | None = None) -> np.ndarray:
        """Steps (T, columns) of `score`.

        `labels` may hold style (str), valence, arousal (1-10), complexity, density (0-1), a number for each axis of
        the encoding, and "described": a description of what `heard` gives of the score. Its measures are written as
        `_given.raw_of` has them; in which class each falls, a style's percentiles say (`profile.with_classes`).

        Raises `Unencodable` where the grid cannot hold the music.
        """
        raise MusicError(f"encoding {self.name!r} cannot encode")

    def decode(self, steps: np.ndarray, plan: Plan | None = None) -> Score:
        """The music of steps (T, columns); `plan` gives the exact tempo, which steps hold only in classes."""
        raise MusicError(f"encoding {self.name!r} cannot decode")

    def heard(self, score: Score) -> Score:
        """What of `score` is encoded: the part of it that descriptions and labels must be of."""
        return score

    def arranged(self, rows: np.ndarray, times: np.ndarray, rng: np.random.Generator | None) -> Lesson:
        """A window of rows (T, columns) with times (T,) as a task to learn from.

        The task is to go on; an encoding may draw others from `rng`, such as filling a gap, where it is handed one.
        """
        return Lesson(rows, times, np.ones(len(rows), dtype=bool))

    def bar_numbers(self, rows: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Number of the bar that each row of music (T, columns) at `times` (T,) lies in, the first being 0, (T,)."""
        raise MusicError(f"encoding {self.name!r} knows no bars")

    def times(self, steps: np.ndarray) -> np.ndarray:
        """Musical time of each step in ticks at 24 a quarter note, (T,) int32; for relative attention."""
        return np.arange(len(steps), dtype=np.int32)

    def transpose(self, steps: np.ndarray, semitones: int) -> np.ndarray:
        """Steps of the same music, `semitones` higher, keys included."""
        raise MusicError(f"encoding {self.name!r} cannot transpose")

    def transpositions(self, steps: np.ndarray, reach: int = 6) -> tuple[int, int]:
        """Lowest and highest transposition, -`reach` to `reach` semitones, within the instruments' ranges."""
        return (0, 0)

    def cursor(self, plan: Plan) -> Cursor:
        """A cursor at the beginning of a piece after `plan`."""
        raise MusicError(f"encoding {self.name!r} cannot compose")
