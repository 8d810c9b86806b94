"""The one sampling loop: step by step, field by field, rules before each draw, chance handed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from .encodings.base import Cursor, Encoding
from .errors import BadOption
from .rules import FORBIDDEN, Rule, Stream
from .score import DRUM_PROGRAM

LONGEST_PIECE = 100_000  # steps; beyond, something is wrong with a cursor
THRESHOLDS = (0.3, 0.1)  # chances from which units of binary fields are on in the plainest and the most complex music


@dataclass(frozen=True)
class Sampling:
    """How boldly to draw. Temperature 0 takes the likeliest class; the cuts keep all where they are 0 (or 1)."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.01
    temperatures: Mapping[str, float] = field(default_factory=dict)  # of single fields, instead of the common one
    threshold: float | None = None  # units of binary fields are on from this chance on; None draws each by its own

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("temperature", self.temperature, 0, 10),
            ("top_k", self.top_k, 0, 10**6),
            ("top_p", self.top_p, 0, 1),
            ("min_p", self.min_p, 0, 1),
            ("threshold", self.threshold if self.threshold is not None else 0.5, 0, 1),
            *((f"temperature of {name}", value, 0, 10) for name, value in self.temperatures.items()),
        ):
            if not low <= value <= high:
                raise BadOption(f"{name} {value} is out of range; wanted {low} to {high}")


@dataclass(frozen=True)
class Reading:
    """One way to tell a model what is asked: `told` puts other classes into given fields (0: not said).

    Several readings of one piece are mixed by weights that add up to 1. With weights 1 + g and -g, of what is asked
    and of nothing asked, what is asked is heard the stronger the greater g (classifier-free guidance, Ho and
    Salimans 2022); with two styles a piece stands between them.
    """

    weight: float = 1.0
    told: Mapping[str, int] = field(default_factory=dict)


PLAIN = (Reading(),)


def threshold_for(complexity: float) -> float:
    """The threshold of binary fields for a complexity of 0 to 1: 0.3 to 0.1, the lower the more notes there are."""
    plain, complex_ = THRESHOLDS
    return plain + (complex_ - plain) * complexity


class Composing(Protocol):
    """What the loop asks of a model: `model_file.Model` does it without torch, `Composer` through an adapter."""

    encoding: Encoding

    def begin(self, size: int, rngs: Sequence[np.random.Generator] = ()) -> Any: ...
    def advance(self, last: np.ndarray, given: np.ndarray, time: np.ndarray, state: Any) -> np.ndarray: ...
    def logits(self, field: str, hidden: np.ndarray, chosen: np.ndarray) -> np.ndarray: ...


def draw(logits: np.ndarray, options: Sampling, temperature: float, rng: np.random.Generator) -> int:
    """One class from logits (classes,): temperature, then top-k, top-p (Holtzman 2020), min-p (Nguyen 2024)."""
    if temperature == 0:
        return int(logits.argmax())
    weights = np.exp((logits - logits.max()) / temperature)
    if options.min_p:
        weights[weights < options.min_p] = 0.0  # the likeliest weighs 1
    if options.top_k and options.top_k < len(weights):
        weights[weights < np.partition(weights, -options.top_k)[-options.top_k]] = 0.0
    if options.top_p < 1:
        order = np.argsort(-weights, kind="stable")
        before = np.cumsum(weights[order]) - weights[order]
        weights[order[before > options.top_p * weights.sum()]] = 0.0
    total = np.cumsum(weights)
    return min(int(np.searchsorted(total, rng.random() * total[-1], side="right")), len(weights) - 1)


def sample(
    model: Composing,
    cursors: Sequence[Cursor],
    options: Sampling,
    rngs: Sequence[np.random.Generator],
    rules: Sequence[Rule] = (),
    readings: Sequence[Reading] = PLAIN,
) -> Iterator[tuple[int, np.ndarray]]:
    """Compose a piece for each cursor; yields (piece, row) for each finished step, row (columns,) int64.

    The first row of each piece is the one before its music. Each piece draws from its own generator. Cursors that
    are told something beforehand are all told equally much.
    """
    telling = _Telling(model, cursors, readings, rngs)
    streams, active = [Stream(cursor) for cursor in cursors], list(range(len(cursors)))
    for n in active:
        yield n, telling.last[n].copy()
    columns = model.encoding.columns
    for _ in range(LONGEST_PIECE):
        coming = np.zeros_like(telling.last)
        for n in active:
            _put(coming[n], columns, streams[n].cursor.given({}))
        hidden = telling.hidden(coming, active)
        chosen: list[dict[str, Any]] = [{} for _ in streams]
        for entry in model.encoding.composed:
            choose = _choose if entry.kind == "categorical" else _switch
            choose(telling, entry.name, hidden, coming, chosen, streams, active, options, rngs, rules)
        over = []
        for n in active:
            going_on = streams[n].cursor.push(chosen[n])
            streams[n].steps.append(chosen[n])
            yield n, coming[n].copy()
            if not going_on:
                over.append(n)
        telling.take(coming, active)
        active = [n for n in active if n not in over]
        if not active:
            return


class _Telling:
    """What a model has been told of each piece, in each reading, and its state."""

    def __init__(
        self, model: Composing, cursors: Sequence[Cursor], readings: Sequence[Reading],
        rngs: Sequence[np.random.Generator],
    ):  # fmt: skip
        self.model, self.cursors, self.readings, self.rngs = model, cursors, readings, rngs
        columns = model.encoding.columns
        self.changes = [[(columns[f], c) for f, c in one.told.items() if f in columns] for one in readings]
        self.weights = np.array([one.weight for one in readings])
        self.last = np.zeros((len(cursors), model.encoding.width), dtype=np.int64)
        for n, cursor in enumerate(cursors):
            _put(self.last[n], columns, cursor.start())
        self.told: list[list[np.ndarray]] = [[row.copy()] for row in self.last]
        self.times = [[cursor.time] for cursor in cursors]
        self.state = model.begin(len(cursors) * len(readings), rngs)
        prompts = [prompt for cursor in cursors if (prompt := cursor.prompt()) is not None]
        if prompts:
            self._hear(prompts)

    def _hear(self, prompts: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        """Tell rows (P, columns) with their times (P,) of each piece, up to the row before `last`."""
        count = min(len(rows) for rows, _ in prompts)  # where one piece has more ahead of it, the first is left out
        tables = np.array([rows[len(rows) - count :] for rows, _ in prompts], dtype=np.int64)
        tables = np.concatenate([tables, self.last[:, None]], axis=1)
        when = np.array([times[len(times) - count :] for _, times in prompts])
        for at in range(count):
            self._step(tables[:, at], tables[:, at + 1], when[:, at])

    def _read(self, rows: np.ndarray) -> np.ndarray:
        """Rows (N, columns) in every reading, (N * readings, columns)."""
        if len(self.readings) == 1 and not self.changes[0]:
            return rows
        read = np.repeat(rows[:, None], len(self.readings), axis=1)
        for n, changes in enumerate(self.changes):
            for column, told in changes:
                read[:, n, column] = told
        return read.reshape(-1, rows.shape[1])

    def _step(self, last: np.ndarray, coming: np.ndarray, times) -> np.ndarray:
        when = np.repeat(np.asarray(times, dtype=np.float32), len(self.readings))
        return self.model.advance(self._read(last), self._read(coming), when, self.state)

    def hidden(self, coming: np.ndarray, active: Sequence[int]) -> np.ndarray:
        """What the model makes of the last rows, before the coming ones (N, columns)."""
        if getattr(self.state, "is_full", False):
            self._begin_anew(active)
        return self._step(self.last, coming, [times[-1] for times in self.times])

    def _begin_anew(self, active: Sequence[int]) -> None:
        """A model that holds no more is told the latest music of the active pieces again, as it learnt to be."""
        most, again = max(1, self.state.context // 2), {}
        for n in active:
            found = self.cursors[n].again(np.array(self.told[n]), np.array(self.times[n]), most)
            if found is None:
                return
            again[n] = found[0][:-1], found[1][:-1]  # the last row is told with the coming one
        self.state = self.model.begin(len(self.cursors) * len(self.readings), self.rngs)
        self._hear([again.get(n, again[active[0]]) for n in range(len(self.cursors))])

    def logits(self, name: str, hidden: np.ndarray, coming: np.ndarray) -> np.ndarray:
        """Logits (N, classes) of a field, the readings mixed; what a mixture adds to all classes is no matter."""
        found = self.model.logits(name, hidden, self._read(coming))
        if len(self.readings) == 1:
            return found
        found = found.reshape(len(self.cursors), len(self.readings), -1).astype(np.float64)
        return np.einsum("nrc,r->nc", found, self.weights)

    def take(self, coming: np.ndarray, active: Sequence[int]) -> None:
        """The finished rows (N, columns)."""
        self.last = coming
        for n in active:
            self.told[n].append(coming[n].copy())
            self.times[n].append(self.cursors[n].time)


def _put(row: np.ndarray, columns: Mapping[str, int], values: Mapping[str, Any]) -> None:
    """Write classes, and the units (size,) of binary fields, into a row (columns,)."""
    for name, value in values.items():
        at = columns[name]
        row[at : at + np.size(value)] = value


def _switch(telling, name, hidden, coming, chosen, streams, active, options, rngs, rules) -> None:
    """Switch the units of the binary field `name` on and off in every active piece."""
    columns, logits = telling.model.encoding.columns, telling.logits(name, hidden, coming)
    for n in active:
        if streams[n].cursor.closes(chosen[n]):
            coming[n, columns[name] : columns[name] + logits.shape[1]] = -1
            continue
        scores = _ruled(logits[n], streams[n].cursor.legal(name, chosen[n]), name, streams[n], chosen[n], rules)
        cursor, temperature = streams[n].cursor, options.temperatures.get(name, options.temperature)
        is_thresholded = options.threshold is not None and bool(streams[n].steps)  # the first step is always drawn
        units = switched(scores, options.threshold if is_thresholded else None, options.min_p, temperature, rngs[n])
        units[cursor.due(name, chosen[n])] = 1
        for _ in range(cursor.least(name, chosen[n]) - int(units.sum())):
            units[draw(np.where(units, FORBIDDEN, scores), options, temperature, rngs[n])] = 1
        chosen[n][name] = units
        _put(coming[n], columns, {name: chosen[n][name], **streams[n].cursor.given(chosen[n])})


def switched(
    logits: np.ndarray, threshold: float | None, min_p: float, temperature: float, rng: np.random.Generator
) -> np.ndarray:
    """Which units are on, (units,) int64: those at least as likely as `threshold`, or without one each by chance.

    Where they are drawn, `min_p` leaves out on or off, whichever is so rare beside the other.
    """
    if threshold is None and temperature > 0:
        chances = 1 / (1 + np.exp(-np.clip(logits / temperature, -60, 60)))
        rare = min_p / (1 + min_p)  # the likelier of the two weighs 1
        chances = np.where(chances < rare, 0.0, np.where(chances > 1 - rare, 1.0, chances))
        return np.where(logits == FORBIDDEN, False, rng.random(len(logits)) < chances).astype(np.int64)
    least = min(max(threshold if threshold is not None else 0.5, 1e-9), 1 - 1e-9)
    return (logits >= np.log(least / (1 - least))).astype(np.int64)


def _choose(telling, name, hidden, coming, chosen, streams, active, options, rngs, rules) -> None:
    """Choose the field `name` of the coming step in every active piece."""
    columns = telling.model.encoding.columns
    allowed = {n: streams[n].cursor.legal(name, chosen[n]) for n in active if not streams[n].cursor.closes(chosen[n])}
    is_open = any(np.count_nonzero(legal) > 1 for legal in allowed.values())  # else there is nothing to ask
    logits = telling.logits(name, hidden, coming) if is_open else None
    for n in active:
        if n not in allowed:
            coming[n, columns[name]] = -1
            continue
        temperature = options.temperatures.get(name, options.temperature)
        if logits is None or np.count_nonzero(allowed[n]) == 1:  # no draw, whatever other pieces choose
            chosen[n][name] = int(allowed[n].argmax())
        else:
            scores = _ruled(logits[n], allowed[n], name, streams[n], chosen[n], rules)
            chosen[n][name] = draw(scores, options, temperature, rngs[n])
        _put(coming[n], columns, {name: chosen[n][name], **streams[n].cursor.given(chosen[n])})


def _ruled(logits, legal, name, stream, chosen, rules) -> np.ndarray:
    """Logits (classes,) float64 with what is illegal, and what the rules forbid, at minus infinity."""
    scores = np.where(legal, logits.astype(np.float64), FORBIDDEN)
    if chosen.get("program") == DRUM_PROGRAM:
        return scores  # drums have neither key nor range, and may repeat
    for rule in rules:
        if name in rule.fields:
            before = scores.copy()
            rule(name, scores, stream, chosen)
            if scores.max() == FORBIDDEN:
                scores = before  # a rule that leaves nothing is passed over; what is legal always leaves something
    return scores
