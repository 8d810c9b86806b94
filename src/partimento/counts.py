"""Counts instead of weights: what followed which context in the training music, and what that says of a step.

The context of a field is a list of *elements*, the most telling first: a field of the coming step or of one before it,
the last pitch of the same part. Every prefix of the list is a context of its own, from none of them to all. What was
counted in the longer ones is blended with what the shorter ones say, as Witten and Bell (1991) and method C of
Moffat (1990) weigh it: in a context that was met n times and followed by d different classes, the shorter one counts
as d further times. Here it counts as `escape` * d times, a factor for each element that held-out music has chosen; and
a context that was met just as often as the one before it says nothing new and is passed over.

Pitches are counted from a reference, so that music means the same in every key: the tonic of the key where that is
told, and the last pitch of the same part. What the two say is mixed, as viewpoints are (Conklin and Witten 1995).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .encodings.base import Field
from .errors import ModelError
from .viewpoints import KINDS, REACH, REFERENCES, WINDOW, Element, Layout, Seen, classes_of, some_of

BITS = 16  # of a key, its lowest: the class; the hash of a context stands above them
FLOOR = 1e-12  # no chance is lower
KIND = MEMBER = "counts"  # of state, and of what a model file holds
ENTRY = 12  # bytes of a key with its number
MOST_ENTRIES, MOST_ELEMENTS, MOST_COLUMNS, MOST_NUMBER = 2**26, 64, 2**16, 2**31 - 1
SIDES = ("told", "untold")  # whether the key is known


def mixed(bits: np.ndarray) -> np.ndarray:
    """Bits (uint64) well mixed: the last steps of SplitMix64 (Steele, Lea and Flood 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def begun(number: int) -> np.ndarray:
    """The hash of the empty context of field `number`, (1,) uint64."""
    return mixed(np.array([number + 1], dtype=np.uint64))


def extended(hashes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Hashes of contexts that go on with `values`; the two are broadcast."""
    return mixed(hashes ^ (values.astype(np.int64).view(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))


def key_of(hashes: np.ndarray) -> np.ndarray:
    """The lowest key of each context (int64, not negative): its hash in 47 bits above those of the class."""
    return ((hashes >> np.uint64(BITS + 1)) << np.uint64(BITS)).astype(np.int64)


class Table:
    """How often which class followed which context: `keys` (M,) rise, `numbers` (M,) are how often."""

    def __init__(self, keys: np.ndarray, numbers: np.ndarray):
        self.keys, self.numbers = keys, numbers
        self.totals = np.concatenate([[0], np.cumsum(numbers, dtype=np.int64)])

    def looked_up(self, context: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each context: where its keys begin, how many classes followed it, and how often it was met."""
        low, high = np.searchsorted(self.keys, context), np.searchsorted(self.keys, context + 2**BITS)
        return low, high - low, self.totals[high] - self.totals[low]

    def __len__(self) -> int:
        return len(self.keys)

    def hits(self, context: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """How often each of the classes, 0 or more, followed its context."""
        wanted = context + classes
        at = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[at] == wanted, self.numbers[at], 0)


def blended(shorter: np.ndarray, hits: np.ndarray, different: np.ndarray, times: np.ndarray, escape: float):
    """What a context and the shorter one say together of the chance of classes; one not met says nothing."""
    weight = escape * different
    return np.where(different > 0, (hits + weight * shorter) / np.where(different > 0, times + weight, 1.0), shorter)


class Viewpoint(NamedTuple):
    """One way to predict a field: the reference of pitches, its context with an escape after each element (and before
    the first), and its weight beside the field's other ones.
    """

    reference: str
    elements: tuple[Element, ...]
    escapes: tuple[float, ...]
    weight: float


def viewpoints_of(entries: Sequence[Mapping[str, Any]]) -> list[Viewpoint]:
    """Viewpoints from their descriptions."""
    return [
        Viewpoint(one["reference"], tuple(Element(*e) for e in one["elements"]), tuple(one["escapes"]), one["weight"])
        for one in entries
    ]


def number_of(layout: Layout, name: str, side: str, reference: str) -> int:
    """What the contexts of a field begin with."""
    return 4 * layout.order[name] + 2 * SIDES.index(side) + REFERENCES.index(reference)


class Counts:
    """How likely each class of each field is, by what was counted.

    `spec` says which contexts there are and how music is moved (see `check`). `keys` (M,) rise: a context and a class;
    `numbers` (M,) say how often that class followed that context.
    """

    def __init__(self, fields: Sequence[Field], spec: Mapping[str, Any], keys: np.ndarray, numbers: np.ndarray):
        self.layout = Layout(fields, spec["moves"], spec["still"])
        self.viewpoints = {side: {n: viewpoints_of(one) for n, one in spec[side].items()} for side in SIDES}
        self.table = Table(keys, numbers)

    def logits(self, name: str, window: np.ndarray, coming: np.ndarray) -> np.ndarray:
        """Log-probabilities (N, classes) float32 of field `name`; for a binary field the logit of each unit.

        `window` (N, rows, columns): the music so far, its latest row last, -1 before it; `coming` (N, columns): what
        is known of the coming row.
        """
        seen, field = self._seen(window, coming), self.layout.fields[name]
        if field.kind == "binary":
            on = np.clip(self._of(seen, name, all_on=True), FLOOR, 1 - 1e-7)
            return (np.log(on) - np.log1p(-on)).astype(np.float32)
        chances = np.full((len(coming), field.size), 1 / field.size)
        for rows, part, side in self._sides(seen):
            if ways := self._ways(name, side):
                chances[rows] = sum(way.weight * self._spread(part, name, side, way) for way in ways)
        return np.log(np.maximum(chances, FLOOR)).astype(np.float32)

    def nats(self, name: str, window: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Nats (N,) of field `name` in the rows `steps` (N, columns) after `window`; 0 where it holds -1."""
        seen, field = self._seen(window, steps), self.layout.fields[name]
        binary, chances = field.kind == "binary", self._of(seen, name)
        nats = -np.log(np.maximum(chances, FLOOR))
        return np.where(seen.raw(0, name) >= 0, nats.sum(axis=1) if binary else nats, 0.0)

    def _seen(self, window: np.ndarray, coming: np.ndarray) -> Seen:
        rows = np.concatenate([window, coming[:, None].astype(window.dtype)], axis=1)
        count, length, columns = rows.shape
        index = np.arange(length - 1, count * length, length)
        return Seen(self.layout, rows.reshape(-1, columns), index, index - length + 1)

    def _sides(self, seen: Seen) -> Iterator[tuple[np.ndarray, Seen, str]]:
        """Rows of which the key is known, and others: their numbers, themselves, and what the counts call them."""
        for side, is_there in ((SIDES[0], seen.is_told), (SIDES[1], ~seen.is_told)):
            rows = np.flatnonzero(is_there)
            if len(rows):
                yield rows, seen if len(rows) == len(is_there) else some_of(seen, rows), side

    def _ways(self, name: str, side: str) -> list[Viewpoint]:
        return self.viewpoints[side].get(name, []) if len(self.table) else []

    def _of(self, seen: Seen, name: str, all_on: bool = False) -> np.ndarray:
        """The chance (N,) of the class that stands in each row, (N, units) of units; with `all_on` that each is on."""
        field = self.layout.fields[name]
        shape, size = ((len(seen.index), field.size), 2) if field.kind == "binary" else ((len(seen.index),), field.size)
        found = np.full(shape, 1 / size)
        for rows, part, side in self._sides(seen):
            if ways := self._ways(name, side):
                found[rows] = sum(way.weight * self._seen_as(part, name, side, way, all_on) for way in ways)
        return found

    def _seen_as(self, seen: Seen, name: str, side: str, way: Viewpoint, all_on: bool) -> np.ndarray:
        """The chances of `_of` from one viewpoint."""
        classes = classes_of(seen, name, way.reference)
        classes = np.ones_like(classes) if all_on else np.maximum(classes, 0)
        field, contexts = self.layout.fields[name], self._contexts(seen, name, side, way)
        _, different, times = self.table.looked_up(contexts)
        hits = self.table.hits(contexts, classes)
        found = np.full(classes.shape, 1 / (2 if field.kind == "binary" else field.size))
        for level, escape in enumerate(way.escapes):
            found = blended(found, hits[level], different[level], times[level], escape)
        return found

    def _spread(self, seen: Seen, name: str, side: str, way: Viewpoint) -> np.ndarray:
        """The chances (N, classes) of all classes, as `blended` has them, added up over all contexts at once."""
        size, count = self.layout.fields[name].size, len(seen.index)
        low, different, times = self.table.looked_up(self._contexts(seen, name, side, way))  # (levels, N) each
        weight = np.array(way.escapes)[:, None] * different
        whole = np.where(different > 0, times + weight, 1.0)
        left = np.where(different > 0, weight / whole, 1.0)  # to the shorter contexts, by each
        after = np.cumprod(left[::-1], axis=0)[::-1]
        share = np.append(after[1:], np.ones((1, count)), axis=0) / whole
        runs = different.ravel()
        cell = np.repeat(np.arange(runs.size), runs)
        at = np.arange(len(cell)) + np.repeat(low.ravel() - np.cumsum(runs) + runs, runs)
        classes = self.table.keys[at] & (2**BITS - 1)
        fits = classes < size  # in a file that was harmed, some may not
        places, parts = (cell % count * size + classes)[fits], (self.table.numbers[at] * share.ravel()[cell])[fits]
        found = np.bincount(places, parts, minlength=count * size).reshape(count, size) + after[0][:, None] / size
        if name in self.layout.tables:
            by = np.where(seen.is_still(0, name), 0, seen.semitones(way.reference, name)) + REACH
            found = np.take_along_axis(found, self.layout.tables[name][by], axis=1)
        return found

    def _contexts(self, seen: Seen, name: str, side: str, way: Viewpoint) -> np.ndarray:
        """The lowest key of each context, from the shortest on, (levels, N); (levels, N, units) of units."""
        field = self.layout.fields[name]
        shape = (len(seen.index), field.size) if field.kind == "binary" else (len(seen.index),)
        found = np.empty((len(way.escapes), *shape), dtype=np.uint64)
        found[0] = begun(number_of(self.layout, name, side, way.reference))
        for level, element in enumerate(way.elements):
            found[level + 1] = extended(found[level], seen.read(element, name, way.reference))
        return key_of(found)


# --- in a model file


def packed(keys: np.ndarray, numbers: np.ndarray) -> bytes:
    """The member `MEMBER` of a model file: all keys as int64, then all numbers as int32, little-endian."""
    return keys.astype("<i8").tobytes() + np.minimum(numbers, MOST_NUMBER).astype("<i4").tobytes()


def unpacked(data: bytes, entries: int) -> tuple[np.ndarray, np.ndarray]:
    """Keys and numbers of `packed`; raises `ModelError` where they are not such."""
    if len(data) != ENTRY * entries:
        raise ModelError(f"its counts hold {len(data)} bytes; {entries} entries of {ENTRY} are wanted; fetch it again")
    keys = np.frombuffer(data, dtype="<i8", count=entries).astype(np.int64)
    numbers = np.frombuffer(data, dtype="<i4", offset=8 * entries).astype(np.int64)
    if entries and (keys[0] < 0 or (np.diff(keys) <= 0).any() or numbers.min() < 1):
        raise ModelError("its counts are out of order, or some are below one; fetch or train it again")
    return keys, numbers


def check(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The description of counts as it came from a file, checked but for the names of fields.

    Raises `KeyError`, `TypeError` or `ValueError`.
    """
    found: dict[str, Any] = {name: int(spec[name]) for name in ("entries", "order", "columns")}
    if min(found.values()) < 0 or found["entries"] > MOST_ENTRIES or found["columns"] > MOST_COLUMNS:
        raise ValueError(f"{found['entries']} counts in {found['columns']} columns")
    found["kind"] = KIND
    found["moves"] = {str(name): _permutation(up) for name, up in dict(spec["moves"]).items()}
    found["still"] = {
        str(name): [[str(other), [int(c) for c in classes]] for other, classes in entry]
        for name, entry in dict(spec["still"]).items()
    }
    for side in SIDES:
        found[side] = {str(name): [_checked(entry) for entry in entries] for name, entries in dict(spec[side]).items()}
    return found


def _permutation(up: Any) -> list[int]:
    found = [int(one) for one in up]
    if sorted(found) != list(range(len(found))):
        raise ValueError("a move that is no permutation of the classes")
    return found


def _checked(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The description of a viewpoint."""
    elements = [Element(str(kind), int(back), str(name)) for kind, back, name in entry["elements"]]
    escapes, weight = [float(one) for one in entry["escapes"]], float(entry["weight"])
    if len(elements) > MOST_ELEMENTS or len(escapes) != len(elements) + 1:
        raise ValueError(f"{len(elements)} elements with {len(escapes)} escapes")
    if any(one.kind not in KINDS or not (one.kind == "own") <= one.back <= WINDOW for one in elements):
        raise ValueError("an element that is none")
    if not all(0 < one < 1e6 for one in escapes) or not 0 < weight <= 1:  # nan is not either
        raise ValueError("an escape or a weight that is no number above 0")
    if entry["reference"] not in REFERENCES:
        raise ValueError(f"a reference {entry['reference']!r}")
    return {
        "reference": entry["reference"], "elements": [list(one) for one in elements], "escapes": escapes,
        "weight": weight,
    }  # fmt: skip


def read(fields: Sequence[Field], spec: Mapping[str, Any], data: bytes) -> Counts:
    """The counts of a model file, its `spec` as `check` gives it; raises `ModelError` where they do not fit."""
    known = {entry.name: entry for entry in fields}
    if spec["columns"] != sum(entry.width for entry in fields):
        raise ModelError(f"its counts are of {spec['columns']} columns, not those of the encoding; train it again")
    for name, up in spec["moves"].items():
        if name not in known or len(up) != (known[name].size if known[name].kind == "categorical" else 0):
            raise ModelError(f"its counts move a field {name!r} as the encoding does not; train it again")
    others = {other for entry in spec["still"].values() for other, _ in entry} | spec["still"].keys()
    composed = {entry.name for entry in fields if not entry.given}
    for name, entry in ((name, entry) for side in SIDES for name, entries in spec[side].items() for entry in entries):
        others.add(name)
        for kind, _, other in entry["elements"]:
            is_of_units = kind not in ("row", "own", "since")
            if name in composed and is_of_units != (known[name].kind == "binary") and kind != "row":
                raise ModelError(f"its counts read {kind!r} for a field {name!r}, which has none; train it again")
            if other or kind not in ("since", "degree", "height"):
                others.add(other)
                is_like = other in known and known[other].kind == ("binary" if is_of_units else "categorical")
                if not is_like or (is_of_units and known[other].size != known[name].size):
                    raise ModelError(f"its counts read {other!r} as {kind!r}, which it is not; train it again")
    if unknown := sorted(others - known.keys()):
        raise ModelError(f"its counts name a field {unknown[0]!r} that the encoding does not have; train it again")
    return Counts(fields, spec, *unpacked(data, spec["entries"]))


class Rows:
    """What is kept of pieces that are composed from counts: the latest rows of each."""

    def __init__(self, size: int, columns: int):
        self.window = np.full((size, WINDOW, columns), -1, dtype=np.int16)

    def step(self, last: np.ndarray) -> np.ndarray:
        """Take the last rows (B, columns); all that are kept, as `hidden` (B, WINDOW * columns)."""
        self.window = np.concatenate([self.window[:, 1:], last[:, None].astype(np.int16)], axis=1)
        return self.window.reshape(len(last), -1)
