"""Encoding `events`: music as words, one after the other, as music21 reads the first part of a file.

The plain form is that of the early notebooks (Sigurður Skúli 2017, "How to Generate Music using a LSTM Neural Network
in Keras"): a note is its name, a chord its pitch classes, and nothing else is held. A decoded event lasts half a beat.
The timed form keeps octaves, durations and waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import BadOption
from ..score import TICKS_PER_BEAT, Score, Track, note_array
from ..transform import resample, without_overlaps
from . import _given as given_fields
from . import _places as places
from ._events_cursor import HALF_BEAT, LEFT, LONGEST_DURATION, PlainCursor, TimedCursor
from ._gaps import END, LONGEST_WAIT
from ._words import FULL, SHORT, Counts, Worded
from .base import STEP_DTYPE, Cursor, Field, Plan, Unencodable

GATHERING = {5: (16, True), 10: (4, False)}  # music21's version -> notes this part of a beat apart, itself included or
# not, are one chord; 5.7 and 10.5 were looked at
TWELFTHS, QUARTERS, THIRDS = 12, 3, 4  # of a beat; how many twelfths the units of music21's quantising grid have


class Encoding(Worded):
    """The first part of a piece as words: `timed` in time, else one after the other.

    The first part is all tracks of the instrument that plays first in the file; drums are left out. `given`: whether
    style, key and what is to come are told (by default where it is timed). `music21`: whose rule of which notes are
    one chord the plain form follows, that of version 5 or 10. `words`, `reach`: see `Worded`.
    """

    name, worded = "events", "token"

    def __init__(
        self, styles: Sequence[str] = (), timed: bool = False, given: bool | None = None, music21: int = 10,
        reach: int = 0, words: Sequence[str] = (),
    ):  # fmt: skip
        if music21 not in GATHERING:
            raise BadOption(f"music21 {music21!r} is not known; there are {', '.join(map(str, GATHERING))}")
        super().__init__(styles, words, reach, FULL if timed else SHORT)
        self.timed, self.told, self.music21 = timed, timed if given is None else given, music21
        self.exact = timed
        self.fields = self._timed_fields() if timed else self._plain_fields()

    def _plain_fields(self) -> tuple[Field, ...]:
        left = Field("left", "categorical", 1 + LEFT, given=True, droppable=given_fields.SELDOM)
        told = (given_fields.STYLE, given_fields.KEY, left) if self.told else ()
        return (*told, Field("token", "categorical", len(self.vocabulary)))

    def _timed_fields(self) -> tuple[Field, ...]:
        told = (given_fields.STYLE, given_fields.KEY, given_fields.TEMPO) if self.told else ()
        return (
            *told,
            Field("wait", "categorical", END + 1),
            *(places.place_fields(after="wait") if self.told else ()),
            Field("token", "categorical", len(self.vocabulary)),
            Field("duration", "categorical", LONGEST_DURATION),
        )

    def spec(self) -> dict[str, Any]:
        return super().spec() | {"timed": self.timed, "given": self.told, "music21": self.music21}

    def counts(self, score: Score) -> Counts:
        events = _timed_events(score)[2] if self.timed else _plain_events(score, self.music21)
        return {"token": Counter(map(self.vocabulary.spelling.write, events))}

    def heard(self, score: Score) -> Score:
        part = first_part(score)
        if not len(part):
            raise Unencodable("empty", "there is no note with a pitch to encode")
        if self.timed:  # of a unison the longer note is heard
            notes = part.notes.copy()
            notes["track"] = notes["track"].min()
            part = part.with_notes(without_overlaps(notes))
        return given_fields.aligned(part)

    def encode(self, score: Score, labels: Mapping[str, Any] | None = None) -> np.ndarray:
        score, labels = self.heard(score), labels or {}
        steps = self._encode_timed(score) if self.timed else self._encode_plain(score)
        if self.told:
            for name, value in given_fields.piece_classes(score, self.styles, labels).items():
                if name in self.columns:
                    steps[:, self.columns[name]] = value
        return steps

    def _encode_plain(self, score: Score) -> np.ndarray:
        classes = list(map(self.vocabulary.class_of, _plain_events(score, self.music21)))
        steps = np.zeros((1 + len(classes), len(self.fields)), dtype=STEP_DTYPE)
        steps[:, self.columns["token"]] = [-1, *classes]
        if self.told:
            steps[:, self.columns["left"]] = [1 + min(n, LEFT - 1) for n in (len(classes), *range(len(classes), 0, -1))]
        return steps

    def _encode_timed(self, score: Score) -> np.ndarray:
        columns = self.columns
        fine = resample(score, TICKS_PER_BEAT)
        onsets, durations, events = _timed_events(score)
        steps = np.zeros((2 + len(events), len(self.fields)), dtype=STEP_DTYPE)
        for name in ("wait", "token", "duration"):
            steps[[0, -1], columns[name]] = -1
        waits = np.diff(onsets, prepend=0)
        waits[0] = min(LONGEST_WAIT, places.first_wait(fine)) if self.told else 0
        steps[1:-1, columns["wait"]], steps[-1, columns["wait"]] = waits, END
        steps[1:-1, columns["token"]] = list(map(self.vocabulary.class_of, events))
        steps[1:-1, columns["duration"]] = durations - 1
        if self.told:
            for name, column in places.places_of(fine, onsets).items():
                steps[1:-1, columns[name]] = column
            steps[0, columns["metre"]] = steps[1, columns["metre"]]
            steps[0, columns["bars_left"]] = 1 + min(places.full_bars(fine), given_fields.BARS_LEFT)
        return steps

    def decode(self, steps: np.ndarray, plan: Plan | None = None) -> Score:
        columns, body = self.columns, steps[1:].astype(np.int64)
        if self.timed:
            body = body[body[:, columns["wait"]] != END]
            onsets = np.cumsum(body[:, columns["wait"]])
            onsets, durations = onsets - onsets[:1], body[:, columns["duration"]] + 1
        else:
            onsets, durations = np.arange(len(body)) * HALF_BEAT, np.full(len(body), HALF_BEAT)
        loudness = plan.velocity if plan and plan.velocity else places.VELOCITY
        rows = [
            (onset, duration, pitch, loudness, 0)
            for onset, duration, token in zip(onsets, durations, body[:, columns["token"]], strict=True)
            for pitch in (self.vocabulary.pitches[token] if token >= 0 else ())
        ]
        score = Score(note_array(rows), (Track("", places.program_of(plan)),))
        if self.timed and self.told:
            return places.with_maps(score, body, onsets, columns, plan)
        return places.with_plan(score, plan)

    def times(self, steps: np.ndarray) -> np.ndarray:
        if not self.timed:
            return np.arange(-1, len(steps) - 1, dtype=np.int32) * HALF_BEAT
        waits = steps[:, self.columns["wait"]].astype(np.int32)
        return np.cumsum(np.where((waits < 0) | (waits == END), 0, waits)).astype(np.int32)

    def cursor(self, plan: Plan) -> Cursor:
        return TimedCursor(self, plan) if self.timed else PlainCursor(self, plan)


# --- which notes are one event


def first_part(score: Score) -> Score:
    """The tracks that play what the first track with pitches plays: all of a piano, say, written on two staves."""
    used = [n for n in np.unique(score.notes["track"]) if not score.tracks[n].is_drums]
    program = score.tracks[used[0]].program if used else 0
    mine = [n for n in used if score.tracks[n].program == program]
    return score.with_notes(score.notes[np.isin(score.notes["track"], mine)])


def _plain_events(score: Score, version: int) -> list[tuple[int, ...]]:
    """The pitches of each event in time order, as music21 gathers them track by track and then sorts them."""
    found: list[tuple[int, int, tuple[int, ...]]] = []
    for track in np.unique(score.notes["track"]).tolist():
        notes = score.track_notes(track)
        for first, pitches in _gathered(notes, score.ticks_per_beat, version):
            found.append((quantised(first, score.ticks_per_beat), track, pitches))
    return [pitches for _, _, pitches in sorted(found, key=lambda event: event[:2])]  # stable within a track


def _gathered(notes: np.ndarray, ticks_per_beat: int, version: int) -> list[tuple[int, tuple[int, ...]]]:
    """Onset and pitches of each event of one track: a note, and the notes that begin and end about as it does.

    As in music21 a note that has joined a chord is no event of its own, but may join a second chord.
    """
    part, is_included = GATHERING[version]
    begins, pitches = notes["onset"].tolist(), notes["pitch"].tolist()
    ends = (notes["onset"] + notes["duration"]).tolist()
    found, joined = [], [False] * len(begins)
    for n, begin in enumerate(begins):
        if joined[n]:
            continue
        chord = [pitches[n]]
        for other in range(n + 1, len(begins)):
            late = (begins[other] - begin) * part - ticks_per_beat
            if late > 0 or (late == 0 and not is_included):
                break
            if abs(ends[other] - ends[n]) * part <= ticks_per_beat:
                chord.append(pitches[other])
                joined[other] = True
        found.append((begin, tuple(chord)))
    return found


def quantised(tick: int, ticks_per_beat: int) -> int:
    """A time in twelfths of a beat, on music21's grid: quarters or thirds of a beat, whichever is nearer.

    Half way between two it goes down; of a quarter and a third as near, to the quarter.
    """
    exact, choices = tick * TWELFTHS, []
    for unit in (QUARTERS, THIRDS):
        size = unit * ticks_per_beat
        below = exact // size
        nearest = (below + (2 * (exact - below * size) > size)) * unit
        choices.append((abs(exact - nearest * ticks_per_beat), unit, nearest))
    return min(choices)[2]


def _timed_events(score: Score) -> tuple[np.ndarray, np.ndarray, list[tuple[int, ...]]]:
    """Onset and duration in ticks of the house grid, (T,) each, and the pitches of each event.

    What begins and ends together is one event; of those that begin together the shorter comes first. Raises
    `Unencodable` for a silence that no wait can say.
    """
    notes = without_overlaps(resample(score, TICKS_PER_BEAT).notes.copy())
    notes["duration"] = np.minimum(notes["duration"], LONGEST_DURATION)
    notes = notes[np.lexsort((notes["pitch"], notes["duration"], notes["onset"]))]
    changes = (np.diff(notes["onset"]) > 0) | (np.diff(notes["duration"]) != 0)
    firsts = np.concatenate([[0], 1 + np.flatnonzero(changes)])
    onsets, durations = notes["onset"][firsts], notes["duration"][firsts]
    if len(onsets) > 1 and (longest := int(np.diff(onsets).max())) > LONGEST_WAIT:
        raise Unencodable("long silence", f"{longest} ticks without an onset; {LONGEST_WAIT} are held")
    return onsets, durations, [tuple(part.tolist()) for part in np.split(notes["pitch"], firsts[1:])]
