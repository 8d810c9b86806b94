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

from ..instruments import RANGES
from ..score import DRUM_PROGRAM, NOTE, TICKS_PER_BEAT, Key, Metre, Score, Tempo, Track
from ..timing import Clock, bar_ticks
from ..transform import resample, without_overlaps
from . import _given as given_fields
from .base import STEP_DTYPE, Cursor, Field, Plan, Unencodable
from .base import Encoding as Base

LONGEST_WAIT = 16 * TICKS_PER_BEAT
LONGEST_NOTE = 16 * TICKS_PER_BEAT
END = LONGEST_WAIT + 1  # class of `wait` that closes the piece
PLACES = 12 * TICKS_PER_BEAT  # ticks of the longest bar that is told apart to the tick
PROGRAMS, PARTS, VELOCITIES, VELOCITY_STEP = 129, 16, 32, 4
COMPOSED = ("wait", "program", "part", "pitch", "duration", "velocity")
NEAR = 0.25  # of a grid tick: how far a note of a score may lie off the grid (written articulation)
LONGEST_SILENCE = 1.0  # bars without a sound, while composing


class Encoding(Base):
    """Any instruments, one step a note.

    `melody_only` keeps the top line of the first track that has notes. `snap` is the share of a piece's times that
    may be moved to the grid: ornaments and quintuplets are off it, and a whole piece need not be lost for a few.
    """

    name = "notes"

    def __init__(self, styles=(), melody_only: bool = False, snap: float = 0.0):
        self.styles, self.melody_only, self.snap = tuple(styles), melody_only, snap
        self.fields = (
            *given_fields.PIECE_FIELDS,
            Field("wait", "categorical", END + 1),
            Field("metre", "categorical", 1 + len(given_fields.METRES), given=True, after="wait", droppable=True),
            Field("place", "categorical", 1 + PLACES, given=True, after="wait", droppable=True),
            Field("bars_left", "categorical", 2 + given_fields.BARS_LEFT, given=True, after="wait", droppable=True),
            Field("program", "categorical", PROGRAMS),
            Field("part", "categorical", PARTS),
            Field("pitch", "categorical", 128),
            Field("duration", "categorical", LONGEST_NOTE),
            Field("velocity", "categorical", VELOCITIES),
        )

    def spec(self) -> dict[str, Any]:
        return super().spec() | {"melody_only": self.melody_only, "snap": self.snap}

    def encode(self, score: Score, labels: Mapping[str, Any] | None = None) -> np.ndarray:
        if not len(score):
            raise Unencodable("empty", "there is no note to encode")
        score = given_fields.aligned(score)
        if self.melody_only:
            score = melody(score)
        fine = _on_grid(score, self.snap)
        rows = _sorted(fine)
        columns = self.columns
        steps = np.zeros((2 + len(rows), len(self.fields)), dtype=STEP_DTYPE)
        for name, value in given_fields.piece_classes(score, self.styles, labels or {}).items():
            steps[:, columns[name]] = value
        for name in COMPOSED:
            steps[[0, -1], columns[name]] = -1
            if name != "wait":
                steps[1:-1, columns[name]] = rows[name]
        waits = np.diff(rows["onset"], prepend=0)
        clock = Clock(fine)
        waits[0] = _first_wait(clock)
        steps[1:-1, columns["wait"]], steps[-1, columns["wait"]] = waits, END
        _write_places(steps, columns, clock, rows["onset"])
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
        return moved

    def transpositions(self, steps: np.ndarray) -> tuple[int, int]:
        pitch, program = steps[:, self.columns["pitch"]], steps[:, self.columns["program"]]
        low, high = -6, 6
        for number in np.unique(program[(program >= 0) & (program != DRUM_PROGRAM)]):
            played = pitch[program == number]
            bottom, top = RANGES[number]
            low, high = max(low, bottom - int(played.min())), min(high, top - int(played.max()))
        return min(low, 0), max(high, 0)

    def cursor(self, plan: Plan) -> NotesCursor:
        return NotesCursor(self, plan)


def melody(score: Score) -> Score:
    """The top line of the first track that has notes: at each onset its highest, none sounding past the next."""
    notes = score.track_notes(int(score.notes["track"].min()))
    notes = notes[np.lexsort((-notes["pitch"].astype(int), notes["onset"]))]
    line = notes[np.diff(notes["onset"], prepend=-1) > 0].copy()
    line["duration"][:-1] = np.minimum(line["duration"][:-1], np.diff(line["onset"]))
    line["onset"] -= line["onset"][0]
    return replace(score, notes=line)


def _on_grid(score: Score, snap: float) -> Score:
    """On 24 ticks a beat, doubled notes gone; raises `Unencodable` where more than `snap` of the times are off."""
    fine = resample(score, TICKS_PER_BEAT)
    scale = TICKS_PER_BEAT / score.ticks_per_beat
    edges = np.concatenate([score.notes["onset"], score.notes["onset"] + score.notes["duration"]]) * scale
    off = np.abs(edges - np.round(edges))
    far = off > NEAR + 1e-9
    if far.mean() > snap:
        raise Unencodable("off the grid", f"{int(far.sum())} of {len(far)} times are off the 24 ticks of a beat")
    return fine.with_notes(without_overlaps(fine.notes))


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


def _write_places(steps, columns, clock: Clock, onsets: np.ndarray) -> None:
    """Metre, place in the bar and bars to come of every row."""
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
    return replace(
        score,
        tempos=(Tempo(0, plan.tempo if plan else given_fields.class_tempo(int(first[columns["tempo"]]))),),
        metres=tuple(metres),
        keys=(Key(0, *given_fields.class_key(key)),) if key else (),
        upbeat=bar - place + 1 if 1 < place <= bar else 0,
    )


class NotesCursor(Cursor):
    """A piece of exactly the plan's bars, note by note."""

    def __init__(self, encoding: Encoding, plan: Plan):
        self.plan, self.classes = plan, given_fields.plan_classes(plan, encoding.styles)
        self.metre, self.bar = given_fields.metre_class(*plan.metre), given_fields.plan_bar(plan)
        self.now = self.sound_end = 0  # ticks since the first bar line; when the last sound so far stops
        self.end = self.left = plan.bars * self.bar
        self.started = False
        self.last = dict.fromkeys(COMPOSED, -1)
        self.sounding: dict[tuple[int, int, int], int] = {}  # (program, part, pitch) -> the tick it stops
        self.programs = np.zeros(PROGRAMS, dtype=bool)
        self.programs[list(plan.programs)] = True
        self.pitches = {program: _pitch_range(program) for program in plan.programs}
        counts = {program: plan.programs.count(program) for program in plan.programs}
        self.parts = {program: np.arange(PARTS) < count for program, count in counts.items()}

    def start(self) -> dict[str, int]:
        left = 1 + min(self.plan.bars, given_fields.BARS_LEFT)
        return {**self.classes, **dict.fromkeys(COMPOSED, -1), "metre": self.metre, "place": 0, "bars_left": left}

    def closes(self, chosen: Mapping[str, int]) -> bool:
        return chosen.get("wait") == END

    def given(self, chosen: Mapping[str, int]) -> dict[str, int]:
        if not chosen:
            return self.classes
        if len(chosen) > 1:
            return {}
        if chosen["wait"] == END:
            return {"metre": 0, "place": 0, "bars_left": 0}
        onset, end = self._onset(chosen["wait"])
        left = (end - 1 - onset) // self.bar
        return {
            "metre": self.metre,
            "place": 1 + min(onset % self.bar, PLACES - 1),
            "bars_left": 1 + min(left, given_fields.BARS_LEFT),
        }

    def _onset(self, wait: int) -> tuple[int, int]:
        """Tick of a note after `wait`, and where the piece ends: an upbeat comes before the bars asked for."""
        end = self.end + self.bar if not self.started and wait else self.end
        return self.now + wait, end

    def legal(self, name: str, chosen: Mapping[str, int]) -> np.ndarray:
        return getattr(self, f"_legal_{name}")(chosen)

    def _legal_wait(self, chosen) -> np.ndarray:
        allowed = np.zeros(END + 1, dtype=bool)
        if not self.started:
            allowed[min(-self.plan.upbeat % self.bar, LONGEST_WAIT)] = True
            return allowed
        silence = int(LONGEST_SILENCE * self.bar)
        furthest = min(LONGEST_WAIT, self.end - 1 - self.now, max(self.sound_end - self.now, 0) + silence)
        allowed[1 : furthest + 1] = True
        allowed[0] = self._room_in_chord()
        allowed[END] = self.now >= self.end - self.bar or not allowed.any()
        return allowed

    def _room_in_chord(self) -> bool:
        """Whether another note can follow at the same onset: a higher pitch, part or program is left."""
        program, part, pitch = (self.last[name] for name in ("program", "part", "pitch"))
        higher = np.flatnonzero(self.programs) > program
        more_parts = np.flatnonzero(self.parts[program]).max() > part
        return bool(higher.any() or more_parts or self._free(program, part, self.now)[pitch + 1 :].any())

    def _free(self, program: int, part: int, onset: int) -> np.ndarray:
        """Pitches that do not sound already in that part at `onset`, within the instrument's range, (128,) bool."""
        free = self.pitches[program].copy()
        for (other, its_part, pitch), stop in self.sounding.items():
            if other == program and its_part == part and stop > onset:
                free[pitch] = False
        return free

    def _legal_program(self, chosen) -> np.ndarray:
        if chosen["wait"] or not self.started:
            return self.programs
        program, part, pitch = (self.last[name] for name in ("program", "part", "pitch"))
        allowed = self.programs & (np.arange(PROGRAMS) > program)
        more_parts = np.flatnonzero(self.parts[program]).max() > part
        allowed[program] = more_parts or self._free(program, part, self.now)[pitch + 1 :].any()
        return allowed

    def _legal_part(self, chosen) -> np.ndarray:
        program = chosen["program"]
        parts = self.parts[program].copy()
        if self.started and not chosen["wait"] and program == self.last["program"]:
            part, pitch = self.last["part"], self.last["pitch"]
            parts &= np.arange(PARTS) >= part
            parts[part] &= self._free(program, part, self.now)[pitch + 1 :].any()
        return parts

    def _legal_pitch(self, chosen) -> np.ndarray:
        onset, _ = self._onset(chosen["wait"])
        free = self._free(chosen["program"], chosen["part"], onset)
        same = chosen["program"] == self.last["program"] and chosen["part"] == self.last["part"]
        if self.started and not chosen["wait"] and same:
            free[: self.last["pitch"] + 1] = False
        return free if free.any() else self.pitches[chosen["program"]]

    def _legal_duration(self, chosen) -> np.ndarray:
        onset, end = self._onset(chosen["wait"])
        return np.arange(LONGEST_NOTE) < end - onset

    def _legal_velocity(self, chosen) -> np.ndarray:
        return np.arange(VELOCITIES) > 0

    def push(self, chosen: Mapping[str, int]) -> bool:
        if chosen["wait"] == END:
            return False
        self.now, self.end = self._onset(chosen["wait"])
        self.started, self.time, self.left = True, self.now, self.end - self.now
        stop = self.now + chosen["duration"] + 1
        self.sound_end = max(self.sound_end, stop)
        self.sounding = {sound: tick for sound, tick in self.sounding.items() if tick > self.now}
        self.sounding[chosen["program"], chosen["part"], chosen["pitch"]] = stop
        self.last = dict(chosen)
        return True


def _pitch_range(program: int) -> np.ndarray:
    low, high = RANGES[program] if program != DRUM_PROGRAM else (27, 87)
    pitches = np.arange(128)
    return (pitches >= low) & (pitches <= high)
