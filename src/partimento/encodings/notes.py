"""Encoding `notes`: one step a note, its fields chosen in a chain, on a grid of 24 ticks a beat.

A note waits since the last onset, then stands at a place in its bar (given from then on), and has an instrument, a
part among those of the same instrument, a pitch, a duration and a velocity. Row 0 stands before the music, its
composed fields -1; in the last row `wait` is END and the rest is -1.

What is held exactly: onset, duration, pitch, instrument; velocity in steps of four. The silence before the first
note and the names of tracks are not held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import BadOption
from ..instruments import RANGES
from ..score import DRUM_PROGRAM, NOTE, TICKS_PER_BEAT, Key, Metre, Score, Tempo, Track
from ..timing import Clock, bar_ticks
from ..transform import resample, without_overlaps
from . import _gaps as gaps
from . import _given as given_fields
from ._gaps import COMPOSED, END, LONGEST_WAIT, PLACES
from ._notes_cursor import LONGEST_NOTE, PARTS, PROGRAMS, VELOCITIES, VELOCITY_STEP, NotesCursor
from .base import STEP_DTYPE, Field, Lesson, Plan, Unencodable
from .base import Encoding as Base

NEAR = 0.25  # of a grid tick: how far a note of a score may lie off the grid (written articulation)
LEVELLED = (*given_fields.DESCRIPTORS, *given_fields.AXES)


class Encoding(Base):
    """Any instruments, one step a note.

    `melody_only` keeps the top line of the first track that has notes. `snap` is the share of a piece's times that
    may be moved to the grid: ornaments and quintuplets are off it, and a whole piece need not be lost for a few.
    """

    name = "notes"

    def __init__(self, styles=(), melody_only: bool = False, snap: float = 0.0, axes=()):
        self.styles, self.melody_only, self.snap = tuple(styles), melody_only, snap
        self.axes = tuple(axes)
        if len(self.axes) > len(given_fields.AXES):
            raise BadOption(f"{len(self.axes)} axes of your own are named; there is room for {len(given_fields.AXES)}")
        self.fields = (
            given_fields.STYLE,
            given_fields.KEY,
            given_fields.TEMPO,
            Field("wait", "categorical", END + 1),
            _told("metre", 1 + len(given_fields.METRES), given_fields.SELDOM),
            _told("place", 1 + PLACES, given_fields.SELDOM),
            _told("bars_left", 2 + given_fields.BARS_LEFT, given_fields.SELDOM),
            *given_fields.level_fields(*LEVELLED, after="wait"),
            _told("repeats", given_fields.REPEATS, given_fields.OFTEN),
            _told("chord", given_fields.CHORDS, given_fields.OFTEN),
            _told("role", 5, 0.0),
            Field("program", "categorical", PROGRAMS),
            Field("part", "categorical", PARTS),
            Field("pitch", "categorical", 128),
            Field("duration", "categorical", LONGEST_NOTE),
            Field("velocity", "categorical", VELOCITIES),
        )

    def spec(self) -> dict[str, Any]:
        return super().spec() | {"melody_only": self.melody_only, "snap": self.snap, "axes": list(self.axes)}

    def heard(self, score: Score) -> Score:
        if not len(score):
            raise Unencodable("empty", "there is no note to encode")
        return given_fields.aligned(melody(score) if self.melody_only else score)

    def encode(self, score: Score, labels: Mapping[str, Any] | None = None) -> np.ndarray:
        score, labels = self.heard(score), labels or {}
        fine = _on_grid(score, self.snap)
        rows = _sorted(fine)
        columns = self.columns
        steps = np.zeros((2 + len(rows), len(self.fields)), dtype=STEP_DTYPE)
        for name, value in given_fields.piece_classes(score, self.styles, labels).items():
            steps[:, columns[name]] = value
        for name in COMPOSED:
            steps[[0, -1], columns[name]] = -1
            if name != "wait":
                steps[1:-1, columns[name]] = rows[name]
        waits = np.diff(rows["onset"], prepend=0)
        clock = Clock(fine)
        waits[0] = _first_wait(clock)
        steps[1:-1, columns["wait"]], steps[-1, columns["wait"]] = waits, END
        bars = _write_places(steps, columns, clock, rows["onset"])
        for name, value in given_fields.bar_columns(labels, self.axes).items():
            steps[:, columns[name]] = value if np.ndim(value) == 0 else value[np.minimum(bars, len(value) - 1)]
        if "described" in labels:
            _write_description(steps, columns, labels["described"], bars, rows["onset"])
        return steps

    def decode(self, steps: np.ndarray, plan: Plan | None = None) -> Score:
        columns = self.columns
        body = steps[1:][steps[1:, columns["pitch"]] >= 0].astype(np.int64)
        onsets = np.cumsum(body[:, columns["wait"]])
        onsets = onsets - onsets[:1]
        sounds = np.column_stack([body[:, columns["program"]], body[:, columns["part"]]])
        tracks, track_of = np.unique(sounds, axis=0, return_inverse=True)
        notes = np.zeros(len(body), dtype=NOTE)
        notes["onset"], notes["track"] = onsets, track_of.ravel()
        notes["duration"], notes["pitch"] = body[:, columns["duration"]] + 1, body[:, columns["pitch"]]
        notes["velocity"] = np.maximum(1, body[:, columns["velocity"]] * VELOCITY_STEP)
        score = Score(notes, tuple(Track("", int(program)) for program, _ in tracks) or (Track(),))
        return _with_maps(score, body, columns, onsets, plan)

    def times(self, steps: np.ndarray) -> np.ndarray:
        waits = steps[:, self.columns["wait"]].astype(np.int32)
        return np.cumsum(np.where((waits < 0) | (waits == END), 0, waits)).astype(np.int32)

    def transpose(self, steps: np.ndarray, semitones: int) -> np.ndarray:
        moved, columns = steps.copy(), self.columns
        pitch, program = moved[..., columns["pitch"]], moved[..., columns["program"]]
        pitch[(pitch >= 0) & (program != DRUM_PROGRAM)] += semitones
        moved[..., columns["key"]] = given_fields.moved_keys(moved[..., columns["key"]], semitones)
        moved[..., columns["chord"]] = given_fields.moved_chords(moved[..., columns["chord"]], semitones)
        return moved

    def arranged(self, rows: np.ndarray, times: np.ndarray, rng: np.random.Generator | None) -> Lesson:
        return gaps.arranged(self.columns, rows, times, gaps.Task() if rng is None else rng)

    def bar_numbers(self, rows: np.ndarray, times: np.ndarray) -> np.ndarray:
        return gaps.bar_numbers(self.columns, rows, times.astype(np.int64))

    def transpositions(self, steps: np.ndarray, reach: int = 6) -> tuple[int, int]:
        pitch, program = steps[:, self.columns["pitch"]], steps[:, self.columns["program"]]
        low, high = -reach, reach
        for number in np.unique(program[(program >= 0) & (program != DRUM_PROGRAM)]):
            played = pitch[program == number]
            bottom, top = RANGES[number]
            low, high = max(low, bottom - int(played.min())), min(high, top - int(played.max()))
        return min(low, 0), max(high, 0)

    def cursor(self, plan: Plan) -> NotesCursor:
        return NotesCursor(self, plan)


def _told(name: str, size: int, droppable: float) -> Field:
    return Field(name, "categorical", size, given=True, after="wait", droppable=droppable)


def melody(score: Score) -> Score:
    """The top line of the first track that has notes: at each onset its highest, none sounding past the next."""
    notes = score.track_notes(int(score.notes["track"].min()))
    notes = notes[np.lexsort((-notes["pitch"].astype(int), notes["onset"]))]
    line = notes[np.diff(notes["onset"], prepend=-1) > 0].copy()
    line["duration"][:-1] = np.minimum(line["duration"][:-1], np.diff(line["onset"]))
    return replace(score, notes=line)


def _on_grid(score: Score, snap: float) -> Score:
    """On 24 ticks a beat, doubled notes gone; raises `Unencodable` where more than `snap` of the times are off."""
    fine = resample(score, TICKS_PER_BEAT)
    scale = TICKS_PER_BEAT / score.ticks_per_beat
    edges = np.concatenate([score.notes["onset"], score.notes["onset"] + score.notes["duration"]]) * scale
    off = np.abs(edges - np.round(edges))
    far = off > NEAR + 1e-9
    if snap:  # a note that is too long is ended early, as one off the grid is moved
        far[len(score) :] |= fine.notes["duration"] > LONGEST_NOTE
    if far.mean() > snap:
        raise Unencodable("off the grid", f"{int(far.sum())} of {len(far)} times are off the 24 ticks of a beat")
    notes = without_overlaps(fine.notes)
    if snap:
        notes["duration"] = np.minimum(notes["duration"], LONGEST_NOTE)
    return fine.with_notes(notes)


def _sorted(score: Score) -> np.ndarray:
    """Notes with the composed fields' names, by onset, program, part, pitch; raises `Unencodable`."""
    notes, parts = score.notes, []
    seen: dict[int, int] = {}  # program -> tracks of it so far
    for track in score.tracks:
        parts.append(seen.setdefault(track.program, 0))
        seen[track.program] += 1
    if max(parts) >= PARTS:
        raise Unencodable("parts", f"{max(parts) + 1} tracks share an instrument; {PARTS} are told apart")
    rows = np.zeros(len(notes), dtype=[(name, "<i8") for name in ("onset", *COMPOSED[1:])])
    rows["onset"], rows["pitch"], rows["duration"] = notes["onset"], notes["pitch"], notes["duration"] - 1
    rows["program"] = np.array([track.program for track in score.tracks])[notes["track"]]
    rows["part"] = np.array(parts)[notes["track"]]
    rows["velocity"] = notes["velocity"] // VELOCITY_STEP
    sound = (rows["program"] << 12) + (rows["part"] << 8) + rows["pitch"]
    rows = rows[np.argsort((rows["onset"] << 20) + sound, kind="stable")]
    if int(rows["duration"].max()) >= LONGEST_NOTE:
        raise Unencodable("long note", f"a note lasts {int(rows['duration'].max()) + 1} ticks of {LONGEST_NOTE}")
    if len(rows) > 1 and int(np.diff(rows["onset"]).max()) > LONGEST_WAIT:
        raise Unencodable("long silence", f"{int(np.diff(rows['onset']).max())} ticks without an onset")
    return rows


def _first_wait(clock: Clock) -> int:
    """Ticks from the bar line to the first note: what an upbeat leaves out of its bar."""
    first = clock.bars[0]
    bar = bar_ticks(first.numerator, first.denominator, TICKS_PER_BEAT)
    return min(LONGEST_WAIT, -clock.score.upbeat % bar)


def _write_places(steps, columns, clock: Clock, onsets: np.ndarray) -> np.ndarray:
    """Metre, place in the bar and bars to come of every row; returns the bar of each, (T,)."""
    score, bars = clock.score, clock.bars
    at = clock.bar_at(onsets)
    offsets = np.zeros(len(bars), dtype=np.int64)
    if score.upbeat:
        offsets[0] = max(0, bar_ticks(bars[0].numerator, bars[0].denominator, TICKS_PER_BEAT) - score.upbeat)
    place = onsets - clock.bar_starts[at] + offsets[at]
    metres = np.array([given_fields.metre_class(bar.numerator, bar.denominator) for bar in bars])
    steps[1:-1, columns["metre"]] = metres[at]
    steps[1:-1, columns["place"]] = 1 + np.minimum(place, PLACES - 1)
    steps[1:-1, columns["bars_left"]] = 1 + np.minimum(len(bars) - 1 - at, given_fields.BARS_LEFT)
    full = len(bars) - bool(score.upbeat)
    steps[0, columns["metre"]] = metres[0]
    steps[0, columns["bars_left"]] = 1 + min(full, given_fields.BARS_LEFT)
    steps[:, columns["role"]] = given_fields.ENDS
    return np.concatenate([[0], at, [len(bars) - 1]])


def _write_description(steps, columns, described, bars: np.ndarray, onsets: np.ndarray) -> None:
    """What each bar repeats, and the chord under each note."""
    steps[:, columns["repeats"]] = 1 + described.repeats[np.minimum(bars, len(described.repeats) - 1)]
    steps[1:-1, columns["chord"]] = 2 + described.chord_at(onsets)
    steps[0, columns["chord"]] = steps[1, columns["chord"]]


def _with_maps(score: Score, body, columns, onsets, plan: Plan | None) -> Score:
    """The decoded notes with metre, key, tempo and upbeat from the given fields."""
    if not len(body):
        return score
    metres = []
    for at in np.flatnonzero(np.diff(body[:, columns["metre"]], prepend=-1)):
        index, place = int(body[at, columns["metre"]]), max(0, int(body[at, columns["place"]]) - 1)
        if index:
            metres.append(Metre(max(0, int(onsets[at]) - place), *given_fields.METRES[index - 1]))
    first = body[0]
    key = int(first[columns["key"]])
    bar = bar_ticks(metres[0].numerator, metres[0].denominator, TICKS_PER_BEAT) if metres else 0
    place = int(first[columns["place"]])
    if place == PLACES:  # so far into its bar that its place says no more than that; it has waited since the line
        place = max(place, 1 + int(first[columns["wait"]]))
    return replace(
        score,
        tempos=(Tempo(0, plan.tempo if plan else given_fields.class_tempo(int(first[columns["tempo"]]))),),
        metres=tuple(metres),
        keys=(Key(0, *given_fields.class_key(key)),) if key else (),
        upbeat=bar - place + 1 if 1 < place <= bar else 0,
    )
