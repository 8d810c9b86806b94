"""Encoding `chords`: all that sounds as one row of chords, each with its duration, rests among them.

The music is chordified: wherever a note is struck, or one ends and changes what sounds, a new chord begins. What is
lost is which part plays what, and that a note sounds on from one chord to the next: it is struck again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import BadOption
from ..score import TICKS_PER_BEAT, Score, Track, note_array
from ..theory import pitched
from ..transform import resample
from . import _given as given_fields
from . import _places as places
from ._words import FULL, REST, Counts, Worded, learnt_words
from .base import STEP_DTYPE, Cursor, Field, Plan, Unencodable

# durations known where none were learnt: every length can be made of them
COMMON = (1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 36, 48, 72, 96)
NAMES = ("chord", "duration")


class Encoding(Worded):
    """Chords by the names of their pitches ("C4.E4.G4", "rest") and durations in ticks, both learnt.

    A duration that the vocabulary lacks is made of several, the chord being struck again. `given`: whether style,
    key, tempo and the place in the bar are told. `words`, `reach`: see `Worded`; `durations`: the ticks that the
    classes of durations stand for, rising.
    """

    name, worded = "chords", "chord"
    exact = False  # notes that sound on are struck again

    def __init__(
        self, styles: Sequence[str] = (), given: bool = True, reach: int = 0, words: Sequence[str] = (),
        durations: Sequence[int] = (),
    ):  # fmt: skip
        super().__init__(styles, words, reach, FULL, others=(REST,))
        self._durations = tuple(durations)
        self.durations = np.array(self._durations or COMMON, dtype=np.int64)
        if self.durations[0] < 1 or (np.diff(self.durations) <= 0).any():
            raise BadOption(f"durations {self._durations}; wanted ticks from 1 on, rising")
        self.told = given
        told = (given_fields.STYLE, given_fields.KEY, given_fields.TEMPO, *places.place_fields())
        self.fields = (
            *(told if given else ()),
            Field("chord", "categorical", len(self.vocabulary)),
            Field("duration", "categorical", len(self.durations)),
        )

    def spec(self) -> dict[str, Any]:
        return super().spec() | {"given": self.told, "durations": list(self._durations)}

    def counts(self, score: Score) -> Counts:
        chords, durations = chordified(score)
        words = Counter(map(self.vocabulary.spelling.write, chords))
        return {"chord": words, "duration": Counter(map(str, durations))}

    def learnt(self, counts: Iterable[Counts]) -> Worded:
        pieces = list(counts)
        durations = sorted(map(int, learnt_words(pieces, "duration")))
        return self.with_options(words=learnt_words(pieces, "chord"), durations=durations)

    def heard(self, score: Score) -> Score:
        notes = pitched(score)
        if not len(notes):
            raise Unencodable("empty", "there is no note with a pitch to encode")
        return given_fields.aligned(score.with_notes(notes))

    def encode(self, score: Score, labels: Mapping[str, Any] | None = None) -> np.ndarray:
        score, columns = self.heard(score), self.columns
        sounding, lengths = chordified(score)
        made = _made_of(self.durations, max(lengths))
        chords, durations = [], []
        for pitches, length in zip(sounding, lengths, strict=True):
            parts = _parts(self.durations, made, length)
            chords += [self.vocabulary.class_of(pitches)] * len(parts)
            durations += parts
        steps = np.zeros((1 + len(chords), len(self.fields)), dtype=STEP_DTYPE)
        steps[:, columns["chord"]], steps[:, columns["duration"]] = [-1, *chords], [-1, *durations]
        if self.told:
            heard = replace(resample(score, TICKS_PER_BEAT), notes=_struck(sounding, lengths), tracks=(Track(),))
            self._tell(steps, heard, labels or {})
        return steps

    def _tell(self, steps: np.ndarray, fine: Score, labels: Mapping[str, Any]) -> None:
        """Write the given fields; those of row 0 are those of the first chord."""
        for name, value in given_fields.piece_classes(fine, self.styles, labels).items():
            steps[:, self.columns[name]] = value
        for name, column in places.places_of(fine, self._onsets(steps)).items():
            steps[1:, self.columns[name]] = column
            steps[0, self.columns[name]] = column[0]

    def _onsets(self, steps: np.ndarray) -> np.ndarray:
        """Ticks from the first chord to each row but row 0, (T - 1,)."""
        ends = np.cumsum(self.durations[steps[1:, self.columns["duration"]]])
        return np.concatenate([[0], ends[:-1]])

    def decode(self, steps: np.ndarray, plan: Plan | None = None) -> Score:
        columns, onsets = self.columns, self._onsets(steps)
        loudness = plan.velocity if plan and plan.velocity else places.VELOCITY
        durations = self.durations[steps[1:, columns["duration"]]]
        chords = [self.vocabulary.pitches[n] if n >= 0 else () for n in steps[1:, columns["chord"]].tolist()]
        score = Score(_struck(chords, durations.tolist(), loudness), (Track("", places.program_of(plan)),))
        if self.told:
            return places.with_maps(score, steps[1:], onsets, columns, plan)
        return places.with_plan(score, plan)

    def times(self, steps: np.ndarray) -> np.ndarray:
        return np.concatenate([[0], self._onsets(steps)]).astype(np.int32)

    def cursor(self, plan: Plan) -> ChordsCursor:
        return ChordsCursor(self, plan)


def chordified(score: Score) -> tuple[list[tuple[int, ...]], list[int]]:
    """What sounds, one after the other: pitches (none: a rest) and duration in ticks of the house grid."""
    notes = resample(score, TICKS_PER_BEAT).notes
    struck = set(notes["onset"].tolist())
    changes: dict[int, list[tuple[int, int]]] = {}  # tick -> (pitch, 1 where it begins, -1 where it ends)
    for onset, end, pitch in zip(
        notes["onset"].tolist(), (notes["onset"] + notes["duration"]).tolist(), notes["pitch"].tolist(), strict=True
    ):
        changes.setdefault(onset, []).append((pitch, 1))
        changes.setdefault(end, []).append((pitch, -1))
    sounding: Counter[int] = Counter()
    chords: list[tuple[int, ...]] = []
    starts: list[int] = []
    for tick in sorted(changes):
        for pitch, change in changes[tick]:
            sounding[pitch] += change
        now = tuple(sorted(pitch for pitch, count in sounding.items() if count))
        if tick in struck or now != chords[-1]:
            chords.append(now)
            starts.append(tick)
    return chords[:-1], np.diff(starts).tolist()  # the last chord is the silence after the music


def _struck(chords: Sequence[Sequence[int]], durations: Sequence[int], loudness: int = places.VELOCITY) -> np.ndarray:
    """Notes of chords that follow each other, all in one track."""
    rows, now = [], 0
    for pitches, duration in zip(chords, durations, strict=True):
        rows += [(now, duration, pitch, loudness, 0) for pitch in pitches]
        now += duration
    return note_array(rows)


def _made_of(durations: np.ndarray, most: int) -> np.ndarray:
    """Which lengths from 0 to `most` ticks can be made of durations one after the other, (most + 1,) bool."""
    made = np.zeros(most + 1, dtype=bool)
    made[0] = True
    for length in range(1, most + 1):
        made[length] = made[length - durations[durations <= length]].any()
    return made


def _parts(durations: np.ndarray, made: np.ndarray, length: int) -> list[int]:
    """Classes of the durations, the longest that do first, that a length is made of; raises `Unencodable`."""
    if not made[length]:
        raise Unencodable("duration", f"a chord lasts {length} ticks, which the durations learnt cannot make")
    parts = []
    while length:
        fits = durations <= length
        best = int(np.flatnonzero(fits)[made[length - durations[fits]]][-1])
        parts.append(best)
        length -= int(durations[best])
    return parts


class ChordsCursor(Cursor):
    """Chords to exactly the plan's bars; the piece neither begins nor ends with a rest.

    Where the durations of the vocabulary cannot make just so many bars, it ends as little before as they can.
    """

    def __init__(self, encoding: Encoding, plan: Plan):
        self.bars, self.durations, self.told = places.Bars(plan), encoding.durations, encoding.told
        self.controls = dict(plan.controls)
        self.classes = given_fields.plan_classes(plan, encoding.styles) if encoding.told else {}
        self.words = len(encoding.vocabulary)
        self.rest = encoding.vocabulary.classes.get(REST, -1)
        length = self.bars.end - self.bars.begin
        self.made = _made_of(self.durations, max(length, int(self.durations[0])))
        self.missing = int(np.flatnonzero(self.made[: length + 1])[-1]) or int(self.durations[0])  # ticks to be filled
        self.left, self.rested = length, True

    def start(self) -> dict[str, int]:
        return {**self.given({}), **dict.fromkeys(NAMES, -1)}

    def given(self, chosen: Mapping[str, int]) -> dict[str, int]:
        if chosen or not self.told:
            return {}
        return {**self.classes, **self.bars.given(self.bars.end - self.left)}

    def legal(self, name: str, chosen: Mapping[str, int]) -> np.ndarray:
        if name == "duration":
            return self._fitting(chosen["chord"] == self.rest)
        allowed = np.ones(self.words, dtype=bool)
        if self.rest >= 0:
            allowed[self.rest] = not self.rested and self._fitting(True).any()
        return allowed

    def _fitting(self, is_rest: bool) -> np.ndarray:
        """Which durations leave what can still be filled, after a rest not nothing, (durations,) bool."""
        left = self.missing - self.durations
        return (left >= is_rest) & self.made[np.maximum(left, 0)]

    def push(self, chosen: Mapping[str, int]) -> bool:
        self.time = self.bars.end - self.left - self.bars.begin
        duration = int(self.durations[chosen["duration"]])
        self.missing, self.left = self.missing - duration, self.left - duration
        self.rested = chosen["chord"] == self.rest
        return self.missing > 0
