"""Following a piece through a model: what it is told at each step, what it expects, and how surprised it is.

A step's surprise is -log2 of the chance that the model gave to what the music has (Shannon 1948), summed over the
composed fields of the step: bits. Rules and what is legal are not applied: this is what the model itself expects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..corpus import prepared
from ..encodings import Encoding, Unencodable, get_encoding
from ..encodings.base import Field
from ..errors import BadOption, ModelError, MusicError
from ..model_file import Model
from ..morphing import blocks_of
from ..profile import with_classes
from ..score import TICKS_PER_BEAT, Score
from ..states import Latent
from ..timing import Clock
from ..transform import cut
from .words import NOTHING, pitch_name, units_word, word_of

MOST_BARS, MOST_STEPS = 64, 768  # that are read at once
AHEAD = 40  # bars behind those that are read that are still encoded: bars to come are told apart up to 32
MOST_TOP = 20
BAR = 4 * TICKS_PER_BEAT  # where an encoding knows no bars
OFTEN = 0.5  # given fields that training leaves out so often are controls: what is asked for, and here is not


@dataclass(frozen=True)
class Choice:
    """One composed field of a step: what the music has, and what the model expected."""

    field: str
    word: str
    bits: float  # of surprise; 0 where the music has nothing that the model has a class for
    chance: float  # given to what the music has, 0 to 1
    rank: int  # of it among all classes, from 1; of units: 0
    likely: tuple[tuple[str, float], ...]  # the likeliest classes (or units) and their chances


@dataclass(frozen=True)
class Step:
    """One step of a piece; `bar` counts from 1 (an upbeat is bar 0), `beat` is in quarter notes from its bar line."""

    number: int
    time: int  # ticks at 24 a quarter note from the first note of the piece
    bar: int
    told: dict[str, str]
    choices: tuple[Choice, ...]
    counts: bool = True  # False where the model is only told of it: an instrument, what came before the bars shown

    @property
    def bits(self) -> float:
        return sum(choice.bits for choice in self.choices)


@dataclass(frozen=True)
class Reading:
    """A piece as a model reads it."""

    steps: tuple[Step, ...]
    rows: np.ndarray  # (T + 1, columns) that the model was told, the first before the music
    times: np.ndarray  # (T + 1,) ticks
    counts: np.ndarray  # (T + 1,) bool
    score: Score  # the music of the steps, as the encoding has it, at 24 ticks a beat
    bits_of: np.ndarray  # (notes of `score`,) the surprise of each note: its step's, shared by the notes of the step
    bars: tuple[int, int]  # the first and the last
    encoding: Encoding
    remarks: tuple[str, ...] = ()
    style: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> list[Step]:
        """The steps that the model is asked for."""
        return [step for step in self.steps if step.counts]

    @property
    def bits(self) -> float:
        """Of surprise in all steps together."""
        return sum(step.bits for step in self.shown)

    @property
    def bits_a_note(self) -> float:
        return self.bits / max(1, len(self.score))

    def bits_by_field(self) -> dict[str, float]:
        """Bits a note of each composed field."""
        found = {entry.name: 0.0 for entry in self.encoding.composed}
        for step in self.shown:
            for choice in step.choices:
                found[choice.field] += choice.bits
        return {name: bits / max(1, len(self.score)) for name, bits in found.items()}


def read(
    model: Model, score: Score, style: str = "", *, bars: int = 16, bar: int | None = None, top: int = 3
) -> Reading:
    """The first `bars` bars of a piece as `model` reads them, or the bars that end with number `bar`.

    `top` classes of each field are named. Raises `Unencodable` for music that the model's encoding cannot hold,
    `BadOption` for bars that there are not, `ModelError` for a model that has no chances of music that stands.
    """
    for name, value, low, high in (("bars", bars, 1, MOST_BARS), ("top", top, 1, MOST_TOP)):
        if not low <= value <= high:
            raise BadOption(f"{name} {value} is out of range; wanted {low} to {high}")
    encoding = model.encoding
    score = encoding.heard(prepared(score))
    first, last = _asked(score, bars, bar)
    near = _near(score, last)
    encoding, moved = _holding(encoding, near)
    rows, times, numbers = _encoded(model, encoding, near, style)
    inside = np.flatnonzero((numbers >= first) & (numbers <= last))
    inside = inside[inside > 0]
    if not len(inside):
        raise BadOption(f"nothing is struck in bars {first} to {last} that the encoding {encoding.name!r} holds")
    begin, stop = int(inside[0]) - 1, int(inside[-1]) + 1
    most, why = _room(model)
    remarks = [*moved, *[f"bars {first} to {last} of {_last_bar(score)} are read"] * (last < _last_bar(score))]
    if stop - begin - 1 > most:
        stop = begin + 1 + most
        remarks.append(f"the first {most} of {int(inside[-1]) - begin} steps are read: {why}")
    span = slice(begin, stop)
    lesson = encoding.arranged(rows[span], times[span] - times[begin], None)
    music, notes_of = _music(encoding, rows[span], lesson.rows)
    ahead = len(lesson.rows) - (stop - begin)  # rows that name instruments stand before the music's own
    bars_of = np.concatenate([np.full(max(0, ahead), first), numbers[span]])[-len(lesson.rows) :]
    steps = tuple(_steps(model, lesson, bars_of, top))
    bits_of = np.array([steps[at - 1].bits for at in notes_of], dtype=float)
    bits_of /= np.maximum(1, np.bincount(notes_of, minlength=len(lesson.rows))[notes_of])
    return Reading(
        steps, lesson.rows, lesson.times, lesson.counts, music, bits_of, (first, int(bars_of[-1])), encoding,
        tuple(remarks), style,
    )  # fmt: skip


def _asked(score: Score, bars: int, bar: int | None) -> tuple[int, int]:
    """Numbers of the first and the last bar that are read; an upbeat is bar 0."""
    lowest, last = int(not score.upbeat), _last_bar(score)
    if bar is None:
        return lowest, min(last, lowest + bars - 1)
    if not lowest <= bar <= last:
        raise BadOption(f"there is no bar {bar}; the piece has bars {lowest} to {last}")
    return max(lowest, bar - bars + 1), bar


def _last_bar(score: Score) -> int:
    return len(Clock(score).bars) - bool(score.upbeat)


def _near(score: Score, last: int) -> Score:
    """The piece up to a little behind bar `last`, so that a long one takes no longer than a short one."""
    lines = Clock(score).bars
    behind = last + bool(score.upbeat) + AHEAD
    return cut(score, 0, lines[behind - 1].end) if behind < len(lines) else score


def _holding(encoding: Encoding, score: Score) -> tuple[Encoding, list[str]]:
    """The encoding, or the same that moves times to its grid where music is off it, and a remark on that."""
    try:
        encoding.encode(score)
    except Unencodable as error:
        if "snap" not in encoding.spec():
            raise
        return get_encoding(**encoding.spec() | {"snap": 1.0}), [f"{error}: they are moved to the grid"]
    return encoding, []


def _encoded(model: Model, encoding: Encoding, score: Score, style: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows (1 + T, columns) int64, their times and the numbers of their bars; controls are not told."""
    rows = encoding.encode(score, {"style": style} if style in encoding.styles else {})
    scales = model.info.get("styles", {}).get(style, {}).get("scales", {})
    rows = with_classes(rows.astype(np.int64), encoding, scales)
    times = np.asarray(encoding.times(rows), dtype=np.int64)
    for entry in encoding.given:
        if entry.droppable >= OFTEN:
            rows[:, encoding.columns[entry.name]] = 0
    lowest = int(not score.upbeat)
    try:
        numbers = encoding.bar_numbers(rows[1:], times[1:]) + lowest
    except MusicError:  # words without times
        numbers = (times[1:] - times[1]) // BAR + 1
    return rows, times, np.concatenate([numbers[:1], numbers])


def _room(model: Model) -> tuple[int, str]:
    """Steps that are read at once, and why not more."""
    context = getattr(model.begin(1), "context", MOST_STEPS + 1)
    margin = 20  # rows that name instruments
    if context - margin < MOST_STEPS:
        return max(1, context - margin), f"the model sees {context} at once; --bar N shows later ones"
    return MOST_STEPS, "more would take long; --bar N shows later ones"


def _music(encoding: Encoding, rows: np.ndarray, told: np.ndarray) -> tuple[Score, np.ndarray]:
    """The music of rows as a score, and which row of `told` each of its notes belongs to, (notes,)."""
    score = encoding.decode(rows)
    shift = len(told) - len(rows)  # rows that name instruments come first
    times = np.asarray(encoding.times(rows), dtype=np.int64)[1:]
    starts = times - times[:1]
    found, taken = [], set()
    for note in score.notes.tolist():
        here = np.flatnonzero(starts == note[0])
        if not len(here):
            here = np.array([max(0, int(np.searchsorted(starts, note[0], side="right")) - 1)])
        place = next((n for n in here if _sounds(encoding, rows[1 + n], note[2]) and n not in taken), here[0])
        if "pitch" in encoding.columns:
            taken.add(place)
        found.append(1 + int(place) + shift)
    return score, np.array(found, dtype=np.int64)


def _sounds(encoding: Encoding, row: np.ndarray, pitch: int) -> bool:
    """Whether a row may be the one that strikes `pitch`, where several rows stand at one time."""
    if "pitch" in encoding.columns:
        return int(row[encoding.columns["pitch"]]) == pitch
    worded = getattr(encoding, "worded", "")
    if worded in encoding.columns:
        word = int(row[encoding.columns[worded]])
        return word >= 0 and pitch in encoding.vocabulary.pitches[word]  # type: ignore[attr-defined]
    return True


# --- what the model expects


def chances_at(model: Model, rows: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
    """Logits (T, size) of every composed field at each of the steps that follow row 0 of rows (T + 1, columns).

    Raises `ModelError` for a model that paints blocks and cannot read music: it has no chances of music that stands.
    """
    rows = np.ascontiguousarray(rows, dtype=np.int64)
    state: Any = model.begin(1, [np.random.default_rng(0)])
    if isinstance(state, Latent):
        if not model.can_encode:
            raise ModelError(
                f"a model of the family {model.info.get('family', 'unknown')!r} paints blocks from chance and gives no "
                "chances to music that stands; name one of another family with --model"
            )
        state.points = model.encode(blocks_of(model.encoding, rows, model.stride))
    coming = rows.copy()
    for entry in model.encoding.fields:
        if not entry.given or entry.after:
            first = model.encoding.columns[entry.name]
            coming[:, first : first + entry.width] = 0
    found = [
        model.advance(rows[at : at + 1], coming[at + 1 : at + 2], np.asarray(times[at : at + 1], np.float32), state)
        for at in range(len(rows) - 1)
    ]
    hidden = np.concatenate([np.array(one) for one in found])
    return {entry.name: model.logits(entry.name, hidden, rows[1:]) for entry in model.encoding.composed}


def _steps(model: Model, lesson, bars_of: np.ndarray, top: int):
    """The steps of a lesson, one after the other."""
    encoding, rows = model.encoding, lesson.rows
    logits = chances_at(model, rows, lesson.times)
    origin = int(lesson.times[np.flatnonzero(lesson.counts)[0]]) if lesson.counts.any() else 0
    for at in range(1, len(rows)):
        told = {
            entry.name: word_of(encoding, entry, rows[at, encoding.columns[entry.name]]) for entry in encoding.given
        }
        choices = tuple(
            _choice(encoding, entry, rows[at], logits[entry.name][at - 1], top) for entry in encoding.composed
        )
        counts = bool(lesson.counts[at])
        choices = choices if counts else tuple(replace(one, bits=0.0) for one in choices)
        yield Step(at, int(lesson.times[at]) - origin, int(bars_of[at]), told, choices, counts)


def _choice(encoding: Encoding, entry: Field, row: np.ndarray, logits: np.ndarray, top: int) -> Choice:
    first = encoding.columns[entry.name]
    true, logits = row[first : first + entry.width], logits.astype(np.float64)
    if entry.kind == "binary":
        return _units(entry, true, logits, top)
    weights = np.exp(logits - logits.max())
    chances = weights / weights.sum()
    order = np.argsort(-chances, kind="stable")[:top]
    likely = tuple((word_of(encoding, entry, n), float(chances[n])) for n in order)
    value = int(true[0])
    if value < 0:
        return Choice(entry.name, NOTHING, 0.0, 0.0, 0, likely)
    chance = float(chances[value])
    rank = 1 + int((chances > chance).sum())
    return Choice(entry.name, word_of(encoding, entry, value), -math.log2(max(chance, 1e-300)), chance, rank, likely)


def _units(entry: Field, true: np.ndarray, logits: np.ndarray, top: int) -> Choice:
    """Units that are on or off, each for itself; the chance is that of all of them together."""
    order = np.argsort(-logits, kind="stable")[:top]
    chances = 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    likely = tuple((pitch_name(int(n)), float(chances[n])) for n in order)
    if true[0] < 0:
        return Choice(entry.name, NOTHING, 0.0, 0.0, 0, likely)
    nats = float((np.logaddexp(0, logits) - logits * (true > 0)).sum())
    return Choice(entry.name, units_word(true), nats / math.log(2), math.exp(-nats), 0, likely)


def hardest(steps: Sequence[Step], count: int) -> list[Step]:
    """The `count` most surprising steps, in the order of the music."""
    found = sorted(steps, key=lambda step: -step.bits)[:count]
    return sorted(found, key=lambda step: step.number)
