"""Following a piece of the encoding `notes` while it is composed, from nothing or into music that stands already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..instruments import RANGES
from ..score import DRUM_PROGRAM, TICKS_PER_BEAT
from . import _gaps as gaps
from . import _given as given_fields
from ._gaps import COMPOSED, END, LONGEST_WAIT, PLACES
from .base import STEP_DTYPE, Cursor, Plan

if TYPE_CHECKING:
    from .base import Encoding, Frame

LONGEST_NOTE = 16 * TICKS_PER_BEAT
PROGRAMS, PARTS, VELOCITIES, VELOCITY_STEP = 129, 16, 32, 4
LONGEST_SILENCE = 1.0  # bars without a sound, while composing
ANY = -1  # whatever pitch


class NotesCursor(Cursor):
    """A piece, or a gap in one, of exactly the plan's bars, note by note."""

    def __init__(self, encoding: Encoding, plan: Plan):
        self.plan, self.classes = plan, given_fields.plan_classes(plan, encoding.styles)
        self.columns, self.controls = encoding.columns, dict(plan.controls)
        self.bars = plan.frame.bars if plan.frame else _even_bars(plan)
        self.starts = np.array([bar[0] for bar in self.bars])
        self.metres = [given_fields.metre_class(*bar[2:]) for bar in self.bars]
        self.first = plan.frame.first if plan.frame else 0
        self.stop = plan.frame.first + plan.bars if plan.frame else len(self.bars)
        self.begin, self.end = int(self.bars[self.first][0]), int(self.bars[self.stop - 1][1])
        self.now = self.sound_end = self.begin  # ticks since the first bar line; when the last sound so far stops
        self.left, self.time = self.end - self.begin, self.begin
        self.started = False
        self.last = dict.fromkeys(COMPOSED, -1)
        self.sounding: dict[tuple[int, int, int], int] = {}  # (program, part, pitch) -> the tick it stops
        self.played: set[tuple[int, int]] = set()
        self.stops: dict[tuple[int, int], int] = {}  # when the last note of each ends
        self.heights: dict[tuple[int, int], tuple[int, int]] = {}  # sum and number of the pitches of each
        self.notes: list[tuple[int, int, int, int, int, int]] = []  # onset, duration, pitch, velocity, program, part
        self._allow(plan.frame.sounds if plan.frame and plan.frame.sounds else parts_of(plan.programs))
        self.standing = _standing(plan.frame, self.columns) if plan.frame else []  # notes, as those above
        self.struck = _struck_behind(self.standing, self.end)
        if plan.frame:
            self._take(plan.frame.past, plan.frame.past_times)

    def _allow(self, sounds) -> None:
        """What may be played: programs, the parts of each, pitches in range."""
        self.sounds = tuple(sounds)
        self.programs = np.zeros(PROGRAMS, dtype=bool)
        self.parts = {program: np.zeros(PARTS, dtype=bool) for program, _ in sounds}
        for program, part in sounds:
            self.programs[program], self.parts[program][part] = True, True
        self.pitches = {program: _pitch_range(program) for program in self.parts}

    def _take(self, past: np.ndarray, times: np.ndarray) -> None:
        """The music before the gap: when it was last heard, and what still sounds."""
        for row, tick in zip(past[-gaps.AHEAD :], times[-gaps.AHEAD :], strict=True):
            program, part, pitch, duration = (
                int(row[self.columns[n]]) for n in ("program", "part", "pitch", "duration")
            )
            self.sounding[program, part, pitch] = int(tick) + duration + 1
        if len(past):
            self.now = self.time = max(int(times[-1]), self.begin - LONGEST_WAIT)
            self.sound_end = max(self.sounding.values())

    def prompt(self) -> tuple[np.ndarray, np.ndarray] | None:
        if self.plan.frame:
            return self.plan.frame.rows, self.plan.frame.times
        start = np.zeros(len(self.columns), dtype=STEP_DTYPE)
        for name, value in self.start().items():
            start[self.columns[name]] = value
        named = gaps.named(self.columns, sorted(set(self.sounds))[: gaps.HEADERS], start)
        return named, np.full(len(named), self.begin)

    def again(self, rows: np.ndarray, times: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray] | None:
        told, when = self.prompt() or (rows[:0], times[:0])
        role = told[:, self.columns["role"]]
        if self.plan.frame:
            past, past_times = self.plan.frame.past[:-1], self.plan.frame.past_times[:-1]
            rows, times = np.concatenate([past, rows]), np.concatenate([past_times, times])
        kept, kept_times = rows[-most:], times[-most:]
        given, given_times = told[role == given_fields.GIVEN], when[role == given_fields.GIVEN]
        room = min(gaps.AHEAD, max(1, most // 2))  # for what lies ahead, and a little of what stands beside the latest
        since, now = np.searchsorted(given_times, [kept_times[0], self.now]).tolist()
        near = slice(first := max(since, now - room // 4), first + room)
        instruments = told[role == given_fields.INSTRUMENT][: max(1, most // 4)]
        return gaps.told_again(self.columns, instruments, (given[near], given_times[near]), (kept, kept_times))

    def start(self) -> dict[str, int]:
        """The row that the music follows: the last before the gap, else the one before the music."""
        if self.plan.frame and len(self.plan.frame.past):
            row = self.plan.frame.past[-1]
            return {name: int(row[column]) for name, column in self.columns.items()}
        left = 1 + min(self.plan.bars, given_fields.BARS_LEFT)
        told = {**self._of_bar(self.first), "metre": self.metres[self.first], "place": 0, "bars_left": left}
        return {**self.classes, **dict.fromkeys(COMPOSED, -1), **told, "chord": self._chord(self.begin)}

    def closes(self, chosen: Mapping[str, int]) -> bool:
        return chosen.get("wait") == END

    def given(self, chosen: Mapping[str, int]) -> dict[str, int]:
        if not chosen:
            return self.classes
        if len(chosen) > 1:
            return {}
        if chosen["wait"] == END:
            return {**self._of_bar(self.stop - 1), "metre": 0, "place": 0, "bars_left": 0}
        onset = self.now + chosen["wait"]
        bar = self.bar_at(onset)
        place = onset - int(self.starts[bar])
        left = self.stop - 1 - bar
        return {
            **self._of_bar(bar),
            "metre": self.metres[bar],
            "place": 1 + min(place, PLACES - 1),
            "bars_left": 1 + min(left, given_fields.BARS_LEFT),
            "chord": self._chord(onset),
        }

    def bar_at(self, tick: int) -> int:
        """Number of the bar that `tick` lies in."""
        return min(self.stop - 1, int(np.searchsorted(self.starts, tick, side="right")) - 1)

    def _of_bar(self, bar: int) -> dict[str, int]:
        """Descriptors, form and role in a bar."""
        form = self.plan.form
        role = given_fields.GOES_ON if self.plan.goes_on else given_fields.ENDS
        names = (*given_fields.DESCRIPTORS, *given_fields.AXES)
        repeats = 1 + form[bar] if bar < len(form) else 0
        return {**given_fields.level_classes(self.controls, bar, names), "repeats": repeats, "role": role}

    def _chord(self, tick: int) -> int:
        """Class of the chord asked for at `tick`."""
        under = [chord for start, chord in self.plan.chords if start <= tick]
        return 2 + under[-1] if under else 0

    def legal(self, name: str, chosen: Mapping[str, int]) -> np.ndarray:
        return getattr(self, f"_legal_{name}")(chosen)

    def _legal_wait(self, chosen) -> np.ndarray:
        allowed = np.zeros(END + 1, dtype=bool)
        length = self.bars[self.first][1] - self.bars[self.first][0]
        if not self.started and not self.plan.frame:
            allowed[min(-self.plan.upbeat % length, LONGEST_WAIT)] = True
            return allowed
        furthest = max(self.sound_end - self.now, self.begin - self.now, 0) + int(LONGEST_SILENCE * length)
        nearest = max(self.begin - self.now, int(self.started), 0)
        allowed[nearest : min(LONGEST_WAIT, self.end - 1 - self.now, max(nearest, furthest)) + 1] = True
        if self.started:
            allowed[0] = self._room_in_chord()
            allowed[END] = self.now >= self.bars[self.stop - 1][0] or not allowed.any()
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
        onset = self.now + chosen["wait"]
        free = self._free(chosen["program"], chosen["part"], onset)
        same = chosen["program"] == self.last["program"] and chosen["part"] == self.last["part"]
        if self.started and not chosen["wait"] and same:
            free[: self.last["pitch"] + 1] = False
        return free if free.any() else self.pitches[chosen["program"]]

    def _legal_duration(self, chosen) -> np.ndarray:
        return np.arange(LONGEST_NOTE) < self._held_until(chosen) - self.now - chosen["wait"]

    def _held_until(self, chosen) -> int:
        """The tick up to which a note may sound: the end, or where its part goes on in the music that stands behind."""
        if not self.plan.frame or self.plan.frame.until <= self.end:
            return self.end
        sound = chosen["program"], chosen["part"]
        struck = [self.struck[key] for key in ((*sound, ANY), (*sound, chosen["pitch"])) if key in self.struck]
        return max(self.end, min([self.plan.frame.until, *struck]))

    def _legal_velocity(self, chosen) -> np.ndarray:
        loudness = self.plan.velocity // VELOCITY_STEP
        return np.arange(VELOCITIES) == loudness if loudness else np.arange(VELOCITIES) > 0

    def push(self, chosen: Mapping[str, int]) -> bool:
        if chosen["wait"] == END:
            return False
        self.now += chosen["wait"]
        self.started, self.time, self.left = True, self.now, self.end - self.now
        stop = self.now + chosen["duration"] + 1
        self.sound_end = max(self.sound_end, stop)
        self.sounding = {sound: tick for sound, tick in self.sounding.items() if tick > self.now}
        self.sounding[chosen["program"], chosen["part"], chosen["pitch"]] = stop
        self.last = dict(chosen)
        loudness = max(1, chosen["velocity"] * VELOCITY_STEP)
        sound = chosen["program"], chosen["part"]
        self.played.add(sound)
        self.stops[sound] = max(stop, self.stops.get(sound, 0))
        total, count = self.heights.get(sound, (0, 0))
        self.heights[sound] = total + chosen["pitch"], count + 1
        self.notes.append((self.now, chosen["duration"] + 1, chosen["pitch"], loudness, *sound))
        return True


def _struck_behind(standing: Sequence[tuple[int, ...]], end: int) -> dict[tuple[int, int, int], int]:
    """When each pitch of a part, (program, part, pitch), is first struck from tick `end` on in music that stands.

    A part none of whose notes overlap is a single voice: its next note ends the one before, whatever its pitch (`ANY`).
    """
    stops: dict[tuple[int, int], int] = {}
    chordal: set[tuple[int, int]] = set()
    found: dict[tuple[int, int, int], int] = {}
    for onset, duration, pitch, _, program, part in standing:
        if stops.get((program, part), onset) > onset:
            chordal.add((program, part))
        stops[program, part] = max(onset + duration, stops.get((program, part), 0))
        for key in ((program, part, pitch), (program, part, ANY)) if onset >= end else ():
            found.setdefault(key, onset)
    return {key: tick for key, tick in found.items() if key[2] != ANY or key[:2] not in chordal}


def _standing(frame: Frame, columns: Mapping[str, int]) -> list[tuple[int, int, int, int, int, int]]:
    """The notes that are told of music before a gap, beside and after it, by their onset."""
    told = frame.rows[:, columns["role"]] == given_fields.GIVEN
    found = []
    tables = ((frame.past, frame.past_times), (frame.rows[told], frame.times[told]))
    for row, tick in (pair for rows, times in tables for pair in zip(rows, times, strict=True)):
        duration, pitch, velocity, program, part = (
            int(row[columns[name]]) for name in ("duration", "pitch", "velocity", "program", "part")
        )
        found.append((int(tick), duration + 1, pitch, max(1, velocity * VELOCITY_STEP), program, part))
    return sorted(found)


def _even_bars(plan: Plan) -> tuple[tuple[int, int, int, int], ...]:
    """Bars of one metre, an incomplete one for an upbeat before those asked for."""
    length = given_fields.plan_bar(plan)
    count = plan.bars + bool(plan.upbeat % length)
    return tuple((n * length, (n + 1) * length, *plan.metre) for n in range(count))


def parts_of(programs: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """(program, part) of each instrument in order: the second of a kind is its part 1."""
    return tuple((program, programs[:n].count(program)) for n, program in enumerate(programs))


def _pitch_range(program: int) -> np.ndarray:
    low, high = RANGES[program] if program != DRUM_PROGRAM else (27, 87)
    pitches = np.arange(128)
    return (pitches >= low) & (pitches <= high)
