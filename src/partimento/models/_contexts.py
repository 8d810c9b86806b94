"""Which contexts a field is predicted from, chosen on the training music, and the counting of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..counts import KIND, SIDES, Table, begun, blended, extended, key_of, number_of, viewpoints_of
from ..encodings.base import Encoding, Field
from ..errors import MusicError
from ..viewpoints import CLIPPED, REFERENCES, Element, Layout, Seen, classes_of

ESCAPES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # that are tried; 1 is method C
LEARNT, JUDGED = 60_000, 15_000  # choices of a field that contexts are counted on, and judged by, while they are chosen
DEPTH = 12  # elements of a context at most
WEIGHTS = 11  # that are tried for two viewpoints, 0 to 1
GAIN = 0.002  # nats a choice that an element must be worth
SLACK, NEARLY = 1.5, 0.003  # how much more than before an element may be worth beside others, before it is tried again
BLOCK, FEW = 256, 8  # rows that are held out together where there are fewer pieces than that
UNIT_SHARE = 8  # of units, this many count as one choice while contexts are chosen
MOST_UNITS = 2**24  # units in training music that are counted; of more music, rows spread over it
OFTEN = 0.5  # fields that are left out so often are controls: nothing is counted by them


@dataclass(frozen=True)
class Music:
    """Rows (R, columns) of pieces one after the other; `first` (R,): where each one's piece begins; `learnt` (R,)."""

    rows: np.ndarray
    first: np.ndarray
    learnt: np.ndarray  # bool: which rows are to be learnt, and not only heard

    def seen(self, layout: Layout, index: np.ndarray) -> Seen:
        return Seen(layout, self.rows, index, self.first[index])


# --- how music moves


def moves_of(encoding: Encoding) -> tuple[dict[str, list[int]], dict[str, list]]:
    """What each field becomes a semitone higher, and where it does not move, by asking the encoding to transpose.

    Both are empty where it cannot, or where it moves words of which some leave the vocabulary.
    """
    moves: dict[str, list[int]] = {}
    for entry in encoding.fields:
        up = _up(encoding, entry)
        if up is None:
            return {}, {}
        if entry.kind == "binary":
            moves |= {entry.name: []} if up.tolist() == list(range(1, entry.size)) else {}
        elif up.tolist() != list(range(entry.size)):
            moves[entry.name] = up.tolist()
    return moves, _still(encoding, moves)


def _up(encoding: Encoding, entry: Field) -> np.ndarray | None:
    """The class that each class becomes a semitone higher, the one that falls out taking the place that is left free.

    Of a binary field the units that each but the last moves to. None where more than one class falls out.
    """
    first, classes = encoding.columns[entry.name], np.arange(entry.size)
    table = np.zeros((entry.size, encoding.width), dtype=np.int16)
    if entry.kind == "binary":
        table[classes, first + classes] = 1
    else:
        table[:, first] = classes
    try:
        moved = encoding.transpose(table, 1)[:, first : first + entry.width].astype(np.int64)
    except MusicError:
        return None
    if entry.kind == "binary":
        return moved[:-1].argmax(axis=1)
    up = moved[:, 0]
    out = (up < 0) | (up >= entry.size)
    if out.sum() > 1:
        return None
    up[out] = np.setdiff1d(classes, up[~out])[: out.sum()]
    return up if len(np.unique(up)) == entry.size else None


def _still(encoding: Encoding, moves: dict[str, list[int]]) -> dict[str, list]:
    """Composed fields that do not move where another one, chosen before them, holds certain classes."""
    found: dict[str, list] = {}
    before: list[Field] = []
    for entry in encoding.composed:
        if moves.get(entry.name):
            moving = int(np.flatnonzero(np.array(moves[entry.name]) != np.arange(entry.size))[0])
            for other in (one for one in before if one.kind == "categorical"):
                table = np.zeros((other.size, encoding.width), dtype=np.int16)
                table[:, encoding.columns[other.name]] = np.arange(other.size)
                table[:, encoding.columns[entry.name]] = moving
                moved = encoding.transpose(table, 1)[:, encoding.columns[entry.name]]
                if (still := np.flatnonzero(moved == moving)).size:
                    found.setdefault(entry.name, []).append([other.name, still.tolist()])
        before.append(entry)
    return found


# --- what a context may consist of


def pool(fields: Sequence[Field], layout: Layout, name: str, order: int, side: str) -> list[Element]:
    """Every element that a context of field `name` may have, up to `order` steps back."""
    composed = [entry for entry in fields if not entry.given]
    before = [entry.name for entry in composed[: [entry.name for entry in composed].index(name)]]
    most = OFTEN if side == SIDES[0] else 1e-9  # of what is known, what may not be told is no help where it is not
    given = [e for e in fields if e.given and e.kind == "categorical" and e.droppable < most]
    found = [Element("row", 0, entry.name) for entry in given if not entry.after or entry.after in before]
    if layout.fields[name].kind == "binary":
        return found + _of_units(composed, layout.fields[name], before, order)
    plain = [entry.name for entry in composed if entry.kind == "categorical"]
    found += [Element("row", 0, other) for other in before if other in plain]
    later = [entry.name for entry in given if entry.after and entry.after not in before]
    found += [Element("row", 1, other) for other in later if order]
    found += [Element("row", back, other) for back in range(1, order + 1) for other in plain]
    if order:
        known = [other for other in plain if other not in layout.parts[name]]
        found += [Element("own", back, other) for back in range(1, order + 1) for other in known]
        found.append(Element("since"))
    return found


def _of_units(composed: Sequence[Field], target: Field, before: Sequence[str], order: int) -> list[Element]:
    """What the choice of a unit may see: itself, its neighbours and consonances in what sounds, its place."""
    rolls = [entry.name for entry in composed if entry.kind == "binary" and entry.size == target.size]
    found = [Element("degree"), Element("height")]
    for back in range(order + 1):
        for roll in rolls if back else [other for other in rolls if other in before]:
            found.append(Element("unit", back, roll))
            if back <= 1:
                found += [Element(kind, back, roll) for kind in ("near", "chord", "many")]
    return found


# --- choosing


class Known:
    """Rows in which the classes of a field are known, and the hashes of their contexts as far as they are chosen."""

    def __init__(self, seen: Seen, name: str, side: str, reference: str):
        self.seen, self.name, self.reference = seen, name, reference
        self.hashes = begun(number_of(seen.layout, name, side, reference))
        self.classes = classes_of(seen, name, reference)
        self._values: dict[Element, np.ndarray] = {}

    def extended(self, element: Element) -> np.ndarray:
        if element not in self._values:
            self._values[element] = self.seen.read(element, self.name, self.reference).astype(np.int32)
        return extended(self.hashes, self._values[element])

    def table(self, hashes: np.ndarray) -> Table:
        """What followed the contexts of these rows."""
        return Table(*np.unique(key_of(hashes) + self.classes, return_counts=True))


class Growing:
    """A context that grows by the element that tells most, counted on one side and judged on the other."""

    def __init__(self, learnt: Known, judged: Known, size: int):
        self.learnt, self.judged = learnt, judged
        self.chances = np.full(judged.classes.shape, 1 / size)
        self.times = np.full(judged.classes.shape, np.iinfo(np.int64).max)
        self.elements: list[Element] = []
        self.escapes: list[float] = []
        self.nats = float("inf")
        self._take(learnt.hashes, judged.hashes)

    def _judged(self, learnt: np.ndarray, judged: np.ndarray) -> tuple[float, float, np.ndarray, np.ndarray]:
        """Nats a row with one more context of these hashes, its best escape, chances, and how often it was met."""
        table, context = self.learnt.table(learnt), key_of(judged)
        _, different, times = table.looked_up(context)
        different = np.where(times < self.times, different, 0)  # as often as the shorter one: it says nothing new
        hits, best = table.hits(context, self.judged.classes), None
        for escape in ESCAPES:
            chances = blended(self.chances, hits, different, times, escape)
            nats = -float(np.log(chances).sum()) / len(chances)
            if best is None or nats < best[0]:
                best = nats, escape, chances
        assert best is not None
        return *best, np.where(times > 0, times, self.times)

    def _take(self, learnt: np.ndarray, judged: np.ndarray) -> None:
        self.nats, escape, self.chances, self.times = self._judged(learnt, judged)
        self.escapes.append(escape)
        self.learnt.hashes, self.judged.hashes = learnt, judged

    def grow(self, candidates: Sequence[Element]) -> None:
        """Add the best of `candidates` again and again, until none is worth it.

        Whether the end has come is what a context begins with: it tells most of few notes, though little of all. One
        that was worth little beside fewer elements is not tried again beside more of them.
        """
        ends = [one for one in candidates if one.field in CLIPPED and not one.back]
        for element in ends:
            self._add(element)
        candidates = [one for one in candidates if one not in ends]
        worth = dict.fromkeys(candidates, float("inf"))
        while worth and self.nats > GAIN and len(self.elements) < DEPTH:
            best, most = None, GAIN
            for element in sorted(worth, key=lambda one: -worth[one]):
                if SLACK * worth[element] + NEARLY < most:
                    break
                worth[element] = self.nats - self._judged(*self._hashes(element))[0]
                if worth[element] > most:
                    best, most = element, worth[element]
            if best is None:
                return
            self._add(best)
            del worth[best]

    def _add(self, element: Element) -> None:
        self._take(*self._hashes(element))
        self.elements.append(element)

    def _hashes(self, element: Element) -> tuple[np.ndarray, np.ndarray]:
        return self.learnt.extended(element), self.judged.extended(element)


def viewpoints(
    music: Music, encoding: Encoding, layout: Layout, order: int, side: str, seed: int
) -> dict[str, list[dict[str, Any]]]:
    """The viewpoints of each composed field, as `counts.viewpoints_of` has them in a description."""
    found, parts = {}, _parted(music, seed)
    for entry in encoding.composed:
        rows = [_sample(music, one, entry, encoding.columns[entry.name], n) for n, one in enumerate(parts)]
        if not all(map(len, rows)):
            found[entry.name] = [NOTHING | {"reference": _references(layout, entry.name, side)[-1]}]
            continue
        grown = []
        for reference in _references(layout, entry.name, side) if order else REFERENCES[:1]:
            learnt, judged = (Known(music.seen(layout, one), entry.name, side, reference) for one in rows)
            growing = Growing(learnt, judged, 2 if entry.kind == "binary" else entry.size)
            growing.grow(pool(encoding.fields, layout, entry.name, order, side))
            grown.append(growing)
        found[entry.name] = [
            {"reference": one.learnt.reference, "elements": [list(e) for e in one.elements],
             "escapes": one.escapes, "weight": weight}
            for one, weight in zip(grown, _weights([one.chances for one in grown]), strict=True) if weight
        ]  # fmt: skip
    return found


NOTHING = {"elements": [], "escapes": [1.0], "weight": 1.0}  # a viewpoint of a field that is hardly ever chosen


def _references(layout: Layout, name: str, side: str) -> Sequence[str]:
    """What the pitches in contexts of a field may be counted from; pitches themselves from both references."""
    knows = side == SIDES[0] and layout.tonic is not None
    return REFERENCES if knows and name in layout.sung else [REFERENCES[not knows]]


def _weights(chances: Sequence[np.ndarray]) -> list[float]:
    """How much each of one or two viewpoints is worth beside the other, by the chances that they give."""
    if len(chances) == 1 or not chances[0].size:
        return [1.0] + [0.0] * (len(chances) - 1)
    first, second = chances
    nats = {w: -np.log(w * first + (1 - w) * second).sum() for w in np.linspace(0, 1, WEIGHTS).tolist()}
    best = min(nats, key=lambda w: nats[w])
    return [best, 1 - best]


def _parted(music: Music, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to count and rows to judge by, a fifth, of other pieces; in an order in which any first few are of few."""
    rows = np.flatnonzero(music.learnt)
    pieces, of = np.unique(music.first[rows], return_inverse=True)
    if len(pieces) < FEW:  # too few pieces to spare one
        of = np.arange(len(rows)) // max(1, min(BLOCK, len(rows) // (2 * FEW)))
    order = np.random.default_rng(seed).permutation(int(of.max()) + 1)
    rank = order[of]
    rows = rows[np.argsort(rank, kind="stable")]
    rank = np.sort(rank)
    return rows[rank % 5 > 0], rows[rank % 5 == 0]


def _sample(music: Music, rows: np.ndarray, entry: Field, column: int, side: int) -> np.ndarray:
    """So many of the rows, the first ones, in which the field is chosen, as are judged (`side` 1) or counted (0)."""
    rows = rows[music.rows[rows, column] >= 0]
    return rows[: (LEARNT, JUDGED)[side] // (max(1, entry.size // UNIT_SHARE) if entry.kind == "binary" else 1)]


# --- counting


def counted(
    music: Music, encoding: Encoding, layout: Layout, chosen: Mapping[str, Any], side: str
) -> Iterator[np.ndarray]:
    """Keys of everything that followed the contexts of `chosen`, each as often as it did."""
    for entry in encoding.composed:
        rows = np.flatnonzero(music.learnt & (music.rows[:, encoding.columns[entry.name]] >= 0))
        if entry.kind == "binary":
            rows = rows[:: max(1, -(-len(rows) * entry.size // MOST_UNITS))]
        seen = music.seen(layout, rows)
        for way in viewpoints_of(chosen[entry.name]) if len(rows) else ():
            yield from _followed(Known(seen, entry.name, side, way.reference), way.elements)


def _followed(known: Known, elements: Sequence[Element]) -> Iterator[np.ndarray]:
    """Keys of the contexts from the shortest on, but for those that were met as often as the one before."""
    shape, classes, hashes = known.classes.shape, known.classes.ravel(), known.hashes
    active, before = np.arange(classes.size), np.full(classes.size, classes.size + 1)
    for element in (None, *elements):
        if element:
            hashes = extended(hashes, known.seen.read(element, known.name, known.reference))
        contexts = np.broadcast_to(key_of(hashes), shape).ravel()[active]
        _, number, times = np.unique(contexts, return_inverse=True, return_counts=True)
        met = times[number]
        tells = met < before
        yield contexts[tells] + classes[active[tells]]
        active, before = active[met > 1], met[met > 1]


def without_key(music: Music, encoding: Encoding) -> Music:
    """The music with nothing told that may be left out."""
    rows = music.rows.copy()
    for entry in encoding.given:
        if entry.droppable:
            rows[:, encoding.columns[entry.name] : encoding.columns[entry.name] + entry.width] = 0
    return Music(rows, music.first, music.learnt)


def fitted(
    music: Music, encoding: Encoding, order: int, *, seed: int = 0, untold: bool = True
) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """The description, keys and numbers of counts whose contexts reach `order` steps back.

    `untold`: whether music of which the key is not told is counted too.
    """
    moves, still = moves_of(encoding)
    layout = Layout(encoding.fields, moves, still)
    sides = {SIDES[0]: music}
    if untold and "key" in encoding.columns:
        sides[SIDES[1]] = without_key(music, encoding)
    spec: dict[str, Any] = {"kind": KIND, "order": order, "columns": encoding.width, "moves": moves, "still": still}
    spec[SIDES[1]] = {}
    found = []
    for side, part in sides.items():
        spec[side] = viewpoints(part, encoding, layout, order, side, seed)
        found += list(counted(part, encoding, layout, spec[side], side))
    keys, numbers = np.unique(np.concatenate(found), return_counts=True)
    return spec | {"entries": len(keys)}, keys, numbers
