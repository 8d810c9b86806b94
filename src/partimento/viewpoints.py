"""What a context of counts is read from: elements of the steps so far, their pitches counted from a reference.

Pitches are counted from the tonic of the key, or from the last pitch of the same part, so that music means the same in
every key. How a field changes as music is moved, the encoding has said when it was asked to transpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .encodings.base import Field, columns_of

WINDOW = 16  # rows of music that a context reaches back at most
REACH = 64  # semitones by which music is moved at most to be compared
CLIPPED = {"bars_left": 2, "left": 4}  # fields that count down: from this class on, it is not the end
PARTS = ("program", "part")  # fields that say which part a note belongs to
KINDS = ("row", "own", "since", "unit", "near", "chord", "many", "degree", "height")
NEAR, CHORD = (-2, -1, 1, 2), (-12, -7, -5, -4, -3, 3, 4, 5, 7, 12)  # semitones
AT_ONCE = 2**16  # rows whose windows are looked through at once
MANY = 12  # units that are on, beyond which they are not counted
REFERENCES = ("tonic", "last")  # what pitches are counted from


class Element(NamedTuple):
    """One thing that a context consists of.

    "row": `field` in the row `back` rows before the coming one; "own": in the `back`-th last row of the same part in
    which the field that is chosen was struck anew; "since": rows since the last such row. Of a field of units: "unit":
    whether the unit is on in the row `back`; "near" and "chord": which of its neighbours and which consonant units
    are; "many": how many of all; "degree" and "height": which degree of the scale it is, and which pitch.
    """

    kind: str
    back: int = 0
    field: str = ""


class Layout:
    """Where fields stand in a row, and how their classes change as music is moved.

    `moves` maps a field to the class that each of its classes becomes a semitone higher, or a binary field to an empty
    list: its units move up by one. `still` maps a field to [other field, classes]: where that one holds any of these,
    this one is not moved (drums have no pitch).
    """

    def __init__(self, fields: Sequence[Field], moves: Mapping[str, Sequence[int]], still: Mapping[str, Any]):
        self.fields = {entry.name: entry for entry in fields}
        self.columns, self.width = columns_of(fields), sum(entry.width for entry in fields)
        self.order = {entry.name: n for n, entry in enumerate(fields)}
        self.tables = {name: _powers(np.array(up)) for name, up in moves.items() if len(up)}
        self.still = {
            name: [(other, self._table_of(other, these)) for other, these in entry] for name, entry in still.items()
        }
        composed = [entry.name for entry in fields if not entry.given]
        self.parts = {n: [p for p in PARTS if p in composed[: composed.index(n)]] for n in composed}
        # fields whose classes are pitches that go up and up, those that are always told first
        lines = [n for n in self.tables if not self._turns(n)]
        self.lines = [n for n in lines if self.fields[n].given and not self.fields[n].droppable]
        self.sung = [n for n in lines if not self.fields[n].given]
        self.home = {n: _home(self.tables[n][REACH + 1]) for n in (*self.lines, *self.sung)}
        self.tonic = self._tonics() if "key" in self.tables else None

    def _table_of(self, name: str, classes: Sequence[int]) -> np.ndarray:
        """Which classes of a field are among `classes`, (classes + 1,) bool; the last one stands for -1."""
        return np.append(np.isin(np.arange(self.fields[name].size), classes), False)

    def _turns(self, name: str) -> bool:
        """Whether an octave higher is the same class."""
        return bool((self.tables[name][REACH + 12] == self.tables[name][REACH]).all())

    def _tonics(self) -> np.ndarray:
        """Semitones, -6 to 5, by which music in each class of key is moved to C, (classes,); 0 where none is told."""
        nearest = self.tables["key"][REACH - 6 : REACH + 6]
        return np.where(self.moving("key"), nearest.argmin(axis=0) - 6, 0)

    def moving(self, name: str) -> np.ndarray:
        """Which classes of a field change as music is moved, (classes,) bool."""
        return self.tables[name][REACH + 1] != self.tables[name][REACH]


def _powers(up: np.ndarray) -> np.ndarray:
    """The class that each becomes -`REACH` to `REACH` semitones higher, (2 * REACH + 1, classes) int64."""
    found, down = np.empty((2 * REACH + 1, len(up)), dtype=np.int64), np.argsort(up)
    found[REACH] = np.arange(len(up))
    for n in range(1, REACH + 1):
        found[REACH + n], found[REACH - n] = up[found[REACH + n - 1]], down[found[REACH - n + 1]]
    return found


def _home(up: np.ndarray) -> int:
    """The class in the middle of those that move: to it, the last pitch is moved."""
    moving = np.flatnonzero(up != np.arange(len(up)))
    return int(moving[len(moving) // 2])


class Seen:
    """N coming rows, of which some fields may still be unknown, and the rows before them, read as elements.

    `rows` (R, columns) hold pieces one after the other; `index` (N,) says which rows are coming, `first` (N,) where
    the music of each begins.
    """

    def __init__(self, layout: Layout, rows: np.ndarray, index: np.ndarray, first: np.ndarray):
        self.layout, self.rows, self.index, self.first = layout, rows, index, first
        self._own: dict[str, np.ndarray] = {}
        self._moves: dict[str, np.ndarray] = {}

    def raw(self, back: int | np.ndarray, name: str) -> np.ndarray:
        """Classes (N,) of a field so many rows back, -1 before the music."""
        at = self.index - back
        found = self.rows[np.maximum(at, 0), self.layout.columns[name]]
        return np.where(at >= self.first, found, -1).astype(np.int64)

    def units(self, back: int, name: str) -> np.ndarray:
        """Which units of a binary field are on, (N, units) bool."""
        at, column = self.index - back, self.layout.columns[name]
        on = self.rows[np.maximum(at, 0), column : column + self.layout.fields[name].size] > 0
        return on & (at >= self.first)[:, None]

    @cached_property
    def is_told(self) -> np.ndarray:
        """Whether the key is known, (N,) bool; always where the encoding has none."""
        return self.raw(0, "key") > 0 if "key" in self.layout.columns else np.ones(len(self.index), dtype=bool)

    def semitones(self, reference: str, name: str) -> np.ndarray:
        """By how much the music of each row is moved, (N,): its tonic to C, or the last pitch to the middle."""
        of = reference if reference == REFERENCES[0] or name not in self.layout.sung else name
        if of not in self._moves:
            self._moves[of] = self._from_tonic() if reference == REFERENCES[0] else self._from_last(of)
        return self._moves[of]

    def _from_tonic(self) -> np.ndarray:
        tonic = self.layout.tonic
        return tonic[self.raw(0, "key")] if tonic is not None else np.zeros(len(self.index), dtype=np.int64)

    def _from_last(self, name: str) -> np.ndarray:
        """Semitones (N,) from the last pitch of the same part, or where it has none of any, to the middle."""
        layout = self.layout
        found, known = np.zeros(len(self.index), dtype=np.int64), np.zeros(len(self.index), dtype=bool)
        sources: list[tuple[Any, str]] = [(self.own(name)[:, 0], name)] if name in layout.sung else []
        sources += [(0, line) for line in layout.lines]
        sources += [(back, sung) for back in range(1, WINDOW + 1) for sung in layout.sung]
        for back, source in sources:
            if known.all():
                break
            pitch = self.raw(back, source)
            fits = ~known & (pitch >= 0) & layout.moving(source)[np.maximum(pitch, 0)] & ~self.is_still(back, source)
            fits &= (np.asarray(back) > 0) | (source in layout.lines)
            found = np.where(fits, np.clip(layout.home[source] - pitch, -REACH, REACH), found)
            known |= fits
        return found

    def is_still(self, back: int | np.ndarray, name: str) -> np.ndarray:
        """Whether a field is not to be moved in a row, (N,) bool."""
        found = np.zeros(len(self.index), dtype=bool)
        for other, is_so in self.layout.still.get(name, ()):
            found |= is_so[self.raw(back, other)]
        return found

    def moved(self, back: int | np.ndarray, name: str, by: np.ndarray) -> np.ndarray:
        """Classes (N,) of a field so many rows back, the music moved by so many semitones; -1 before the music."""
        found = self.raw(back, name)
        if name not in self.layout.tables:
            return np.minimum(found, CLIPPED[name]) if name in CLIPPED else found
        by = np.where(self.is_still(back, name), 0, by) + REACH
        return np.where(found >= 0, self.layout.tables[name][by, np.maximum(found, 0)], found)

    def own(self, name: str) -> np.ndarray:
        """How many rows back the same part struck field `name` last, before that ..., (N, WINDOW); 0: not seen."""
        if name not in self._own:
            parts = [slice(at, at + AT_ONCE) for at in range(0, len(self.index), AT_ONCE)]
            found = [self._struck(name, self.index[part], self.first[part]) for part in parts]
            self._own[name] = np.concatenate(found) if found else np.zeros((0, WINDOW), dtype=np.int8)
        return self._own[name]

    def _struck(self, name: str, index: np.ndarray, first: np.ndarray) -> np.ndarray:
        """`own` of some of the rows."""
        layout, at = self.layout, index[:, None] - np.arange(1, WINDOW + 1)  # (N, WINDOW), the last row first
        is_there, at = at >= first[:, None], np.maximum(at, 0)
        struck = self.rows[at, layout.columns[name]]
        fits = (struck >= 0) & is_there
        if name in layout.tables:
            fits &= layout.moving(name)[np.maximum(struck, 0)]
        for part in layout.parts[name]:
            column = layout.columns[part]
            fits &= self.rows[at, column] == self.rows[index, column][:, None]
        found, (row, back) = np.zeros(fits.shape, dtype=np.int8), np.nonzero(fits)
        found[row, np.cumsum(fits, axis=1)[row, back] - 1] = back + 1
        return found

    def read(self, element: Element, name: str, reference: str) -> np.ndarray:
        """What an element of a context of field `name` holds, (N,); (N, units) or (N, 1) where that is binary."""
        by = self.semitones(reference, name)
        if self.layout.fields[name].kind == "binary":
            return self._read_units(element, name, by)
        if element.kind == "row":
            return self.moved(element.back, element.field, by)
        if element.kind == "since":
            return self.own(name)[:, 0]
        back = self.own(name)[:, element.back - 1]
        return np.where(back > 0, self.moved(back, element.field, by), -2)

    def _read_units(self, element: Element, name: str, by: np.ndarray) -> np.ndarray:
        if element.kind == "row":
            return self.moved(element.back, element.field, by)[:, None]
        if element.kind in ("degree", "height"):
            height = np.arange(self.layout.fields[name].size) + by[:, None]
            return height % 12 if element.kind == "degree" else height
        on = self.units(element.back, element.field)
        if element.kind == "unit":
            return on
        if element.kind == "many":
            return np.minimum(on.sum(axis=1, keepdims=True), MANY)
        found = np.zeros(on.shape, dtype=np.int64)
        for bit, step in enumerate(NEAR if element.kind == "near" else CHORD):
            low, high = max(0, step), on.shape[1] + min(0, step)  # the unit `step` above
            found[:, low - step : high - step] |= on[:, low:high].astype(np.int64) << bit
        return found


def classes_of(seen: Seen, name: str, reference: str) -> np.ndarray:
    """The class of a field in each coming row, (N,), the music moved; (N, units) of 0 and 1 where it is binary."""
    if seen.layout.fields[name].kind == "binary":
        return seen.units(0, name).astype(np.int64)
    return seen.moved(0, name, seen.semitones(reference, name))


def some_of(seen: Seen, rows: np.ndarray) -> Seen:
    return Seen(seen.layout, seen.rows, seen.index[rows], seen.first[rows])
