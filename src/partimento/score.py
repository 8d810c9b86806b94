"""`Score`: the one shape in which music travels through Partimento.

Notes are one structured array in ticks, sorted and read-only; beside it stand the tracks and the maps of tempo,
metre and key. A score never changes: every transformation makes a new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from .errors import MusicError

NOTE = np.dtype([("onset", "<i8"), ("duration", "<i8"), ("pitch", "u1"), ("velocity", "u1"), ("track", "<u2")])
TICKS_PER_BEAT = 24  # the house grid: a beat is a quarter note; it holds triplets and thirty-seconds
DEFAULT_TEMPO = 120.0  # quarter notes a minute, as the MIDI standard has it where a file says nothing
DEFAULT_METRE = (4, 4)
LAST_TICK = 2**36  # readers refuse music beyond it; up to it, one 64-bit key sorts notes
DRUM_PROGRAM = 128  # one past the 128 General MIDI programs: channel 10


@dataclass(frozen=True)
class Track:
    """One instrument's part: a name and a General MIDI program (0-127, or 128 for drums)."""

    name: str = ""
    program: int = 0

    @property
    def is_drums(self) -> bool:
        return self.program == DRUM_PROGRAM


@dataclass(frozen=True)
class Tempo:
    """From `tick` on, `bpm` quarter notes a minute."""

    tick: int
    bpm: float


@dataclass(frozen=True)
class Metre:
    """From `tick` on, bars of `numerator`/`denominator`; a change always begins a bar."""

    tick: int
    numerator: int
    denominator: int


@dataclass(frozen=True)
class Key:
    """From `tick` on, the key of `tonic` (pitch class 0-11) in `mode` ("major" or "minor")."""

    tick: int
    tonic: int
    mode: str = "major"


@dataclass(frozen=True, eq=False)
class Score:
    """Music: notes in ticks, `ticks_per_beat` of them a quarter note.

    `upbeat` is the length in ticks of an incomplete first bar (0: the music begins on a bar line); tick 0 is where
    the upbeat begins, so the first full bar starts at `upbeat`.
    """

    notes: np.ndarray
    tracks: tuple[Track, ...] = (Track(),)
    ticks_per_beat: int = TICKS_PER_BEAT
    tempos: tuple[Tempo, ...] = ()
    metres: tuple[Metre, ...] = ()
    keys: tuple[Key, ...] = ()
    upbeat: int = 0
    title: str = ""
    recipe: dict | None = field(default=None)

    def __post_init__(self) -> None:
        notes = np.asarray(self.notes, dtype=NOTE)
        if not len(notes):
            notes = notes.copy()
        else:
            self._check(notes)
            notes = _in_order(notes)
        notes.setflags(write=False)
        object.__setattr__(self, "notes", notes)
        for name in ("tempos", "metres", "keys"):
            entries = tuple(getattr(self, name))
            if len(entries) > 1:
                entries = tuple(sorted(entries, key=lambda entry: entry.tick))
            object.__setattr__(self, name, entries)

    def _check(self, notes: np.ndarray) -> None:
        if int(notes["onset"].min()) < 0 or int(notes["duration"].min()) < 1:
            raise MusicError("a note begins before tick 0 or lasts less than one tick")
        if int(notes["track"].max()) >= len(self.tracks):
            raise MusicError(f"a note is on track {int(notes['track'].max())}; there are {len(self.tracks)} tracks")
        if int(notes["pitch"].max()) > 127 or int(notes["velocity"].max()) > 127:
            raise MusicError("pitches and velocities go from 0 to 127")

    def __len__(self) -> int:
        return len(self.notes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Score):
            return NotImplemented
        names = ("tracks", "ticks_per_beat", "tempos", "metres", "keys", "upbeat")
        same = all(getattr(self, name) == getattr(other, name) for name in names)
        return same and np.array_equal(self.notes, other.notes)

    @cached_property
    def end(self) -> int:
        """The tick at which the last note ends (0 for silence)."""
        return int((self.notes["onset"] + self.notes["duration"]).max()) if len(self.notes) else 0

    def track_notes(self, track: int) -> np.ndarray:
        """The notes of one track, a copy of the rows (N,)."""
        return self.notes[self.notes["track"] == track]

    def with_notes(self, notes: np.ndarray) -> Score:
        return replace(self, notes=notes)

    def _repr_html_(self) -> str:
        """In a notebook a score shows itself: its roll, and a player where audio can be rendered."""
        from .formats import notebook

        return notebook.html(self)


def _in_order(notes: np.ndarray) -> np.ndarray:
    """Notes (N,) by onset, track, pitch, duration; the same array where they are so already."""
    if int(notes["onset"].max()) > LAST_TICK:
        return notes[np.lexsort((notes["duration"], notes["pitch"], notes["track"], notes["onset"]))]
    key = (notes["onset"] << 24) + (notes["track"].astype(np.int64) << 8) + notes["pitch"]
    if (key[1:] > key[:-1]).all():
        return notes.copy() if notes.flags.writeable else notes
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    if (ordered[1:] > ordered[:-1]).all():  # no two alike: one key is enough, and far faster than four
        return notes[order]
    return notes[np.lexsort((notes["duration"], key))]


def note_array(rows: Iterable[tuple[int, int, int, int, int]]) -> np.ndarray:
    """Rows of (onset, duration, pitch, velocity, track) as the array that `Score` holds, (N,)."""
    return np.array(list(rows), dtype=NOTE)
