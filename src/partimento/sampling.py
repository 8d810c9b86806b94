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


@dataclass(frozen=True)
class Sampling:
    """How boldly to draw. Temperature 0 takes the likeliest class; the cuts keep all where they are 0 (or 1)."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.02
    temperatures: Mapping[str, float] = field(default_factory=dict)  # of single fields, instead of the common one

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("temperature", self.temperature, 0, 10),
            ("top_k", self.top_k, 0, 10**6),
            ("top_p", self.top_p, 0, 1),
            ("min_p", self.min_p, 0, 1),
            *((f"temperature of {name}", value, 0, 10) for name, value in self.temperatures.items()),
        ):
            if not low <= value <= high:
                raise BadOption(f"{name} {value} is out of range; wanted {low} to {high}")


class Composing(Protocol):
    """What the loop asks of a model: `model_file.Model` does it without torch, `Composer` through an adapter."""

    encoding: Encoding

    def begin(self, size: int) -> Any: ...
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
) -> Iterator[tuple[int, np.ndarray]]:
    """Compose a piece for each cursor; yields (piece, row) for each finished step, row (columns,) int64.

    The first row of each piece is the one before its music. Each piece draws from its own generator.
    """
    encoding, columns = model.encoding, model.encoding.columns
    streams, active = [Stream(cursor) for cursor in cursors], list(range(len(cursors)))
    last = np.zeros((len(cursors), len(columns)), dtype=np.int64)
    for n, cursor in enumerate(cursors):
        _put(last[n], columns, cursor.start())
        yield n, last[n].copy()
    state = model.begin(len(cursors))
    time = np.zeros(len(cursors), dtype=np.float32)
    for _ in range(LONGEST_PIECE):
        coming = np.zeros_like(last)
        for n in active:
            _put(coming[n], columns, streams[n].cursor.given({}))
        hidden = model.advance(last, coming, time, state)
        chosen: list[dict[str, int]] = [{} for _ in streams]
        for entry in encoding.composed:
            _choose(model, entry.name, hidden, coming, chosen, streams, active, options, rngs, rules)
        last, over = coming, []
        for n in active:
            going_on = streams[n].cursor.push(chosen[n])
            streams[n].steps.append(chosen[n])
            time[n] = streams[n].cursor.time
            yield n, last[n].copy()
            if not going_on:
                over.append(n)
        active = [n for n in active if n not in over]
        if not active:
            return


def _put(row: np.ndarray, columns: Mapping[str, int], values: Mapping[str, int]) -> None:
    for name, value in values.items():
        row[columns[name]] = value


def _choose(model, name, hidden, coming, chosen, streams, active, options, rngs, rules) -> None:
    """Choose the field `name` of the coming step in every active piece."""
    columns = model.encoding.columns
    allowed = {n: streams[n].cursor.legal(name, chosen[n]) for n in active if not streams[n].cursor.closes(chosen[n])}
    is_open = any(np.count_nonzero(legal) > 1 for legal in allowed.values())  # else there is nothing to ask
    logits = model.logits(name, hidden, coming) if is_open else None
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
