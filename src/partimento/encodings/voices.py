"""Encoding `voices`: four-part music, one step a sixteenth, soprano, bass, alto and tenor chosen in that order.

A voice holds, rests or strikes a pitch. What each voice sounds when the step begins is given, so that a model need
not look for it in the past. Row 0 stands before the music: its composed fields are -1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..instruments import CHOIR
from ..score import DEFAULT_METRE, TICKS_PER_BEAT, Key, Metre, Score, Tempo, Track, note_array
from ..timing import bar_ticks
from ..transform import resample
from . import _given as given_fields
from .base import STEP_DTYPE, Cursor, Field, Plan, Unencodable
from .base import Encoding as Base

STEP = TICKS_PER_BEAT // 4
HOLD, REST, FIRST_PITCH = 0, 1, 2  # a rest goes on by HOLD too
VOICES = ("soprano", "bass", "alto", "tenor")  # the order in which they are chosen
SCORE_ORDER = ("soprano", "alto", "tenor", "bass")
RANGES = {"soprano": (57, 84), "alto": (48, 79), "tenor": (43, 74), "bass": (31, 67)}
PLACES = 96  # sixteenths of the longest bar
VELOCITY = 80
LONGEST = 16 * 2000  # steps; a piece beyond is no four-part song but an error


class Encoding(Base):
    """Soprano, alto, tenor, bass by the sixteenth; at most four tracks of one note at a time."""

    name = "voices"

    def __init__(self, styles=()):
        self.styles = tuple(styles)
        self.fields = (
            *given_fields.PIECE_FIELDS,
            Field("metre", "categorical", 1 + len(given_fields.METRES), given=True, droppable=given_fields.SELDOM),
            Field("place", "categorical", 1 + PLACES, given=True, droppable=given_fields.SELDOM),
            Field("bars_left", "categorical", 2 + given_fields.BARS_LEFT, given=True, droppable=given_fields.SELDOM),
            *(Field(f"sounding_{voice}", "categorical", 129, given=True, pitch_at=1) for voice in VOICES),
            *(
                Field(voice, "categorical", FIRST_PITCH + 128, pitch_at=FIRST_PITCH, holds=f"sounding_{voice}")
                for voice in VOICES
            ),
        )

    def heard(self, score: Score) -> Score:
        if not len(score):
            raise Unencodable("empty", "there is no note to encode")
        return given_fields.aligned(score)

    def encode(self, score: Score, labels: Mapping[str, Any] | None = None) -> np.ndarray:
        score = self.heard(score)
        grid = _grid(score)
        steps = np.zeros((1 + len(grid), len(self.fields)), dtype=STEP_DTYPE)
        columns = self.columns
        for name, value in given_fields.piece_classes(score, self.styles, labels or {}).items():
            steps[:, columns[name]] = value
        bars = _write_places(steps, columns, score)
        for name, value in given_fields.bar_columns(labels or {}, ()).items():
            steps[:, columns[name]] = value if np.ndim(value) == 0 else value[np.minimum(bars, len(value) - 1)]
        for voice in VOICES:
            line = grid[:, SCORE_ORDER.index(voice)]
            steps[0, columns[voice]] = -1
            steps[1:, columns[voice]] = line
            steps[2:, columns[f"sounding_{voice}"]] = _sounding(line)[:-1]
        return steps

    def decode(self, steps: np.ndarray, plan: Plan | None = None) -> Score:
        columns, rows = self.columns, []
        body = steps[1:]
        for track, voice in enumerate(SCORE_ORDER):
            line = body[:, columns[voice]]
            changes = np.flatnonzero(line != HOLD)
            ends = np.append(changes[1:], len(line))
            struck = line[changes] >= FIRST_PITCH
            for at, stop in zip(changes[struck], ends[struck], strict=True):
                rows.append((at * STEP, (stop - at) * STEP, line[at] - FIRST_PITCH, VELOCITY, track))
        return _as_score(body, columns, rows, plan)

    def bar_numbers(self, rows: np.ndarray, times: np.ndarray) -> np.ndarray:
        place = rows[:, self.columns["place"]].astype(int)
        begins = (np.diff(place) <= 0) & (place[1:] < PLACES)  # so far into a bar, places are not told apart
        return np.concatenate([[0], np.cumsum(begins)])

    def times(self, steps: np.ndarray) -> np.ndarray:
        return np.arange(-1, len(steps) - 1, dtype=np.int32) * STEP

    def transpose(self, steps: np.ndarray, semitones: int) -> np.ndarray:
        moved, columns = steps.copy(), self.columns
        for voice in VOICES:
            line, held = moved[..., columns[voice]], moved[..., columns[f"sounding_{voice}"]]
            line[line >= FIRST_PITCH] += semitones
            held[held > 0] += semitones
        moved[..., columns["key"]] = given_fields.moved_keys(moved[..., columns["key"]], semitones)
        return moved

    def transpositions(self, steps: np.ndarray, reach: int = 6) -> tuple[int, int]:
        low, high = -reach, reach
        for voice in VOICES:
            line = steps[:, self.columns[voice]]
            pitches = line[line >= FIRST_PITCH] - FIRST_PITCH
            if len(pitches):
                bottom, top = RANGES[voice]
                low, high = max(low, bottom - int(pitches.min())), min(high, top - int(pitches.max()))
        return min(low, 0), max(high, 0)

    def cursor(self, plan: Plan) -> VoicesCursor:
        return VoicesCursor(self, plan)


def _grid(score: Score) -> np.ndarray:
    """What each voice does at each sixteenth, (T, 4) in score order; raises `Unencodable`."""
    coarse = _on_grid(score)
    tracks = _voice_tracks(coarse)
    length = -(-coarse.end // STEP)
    if length > LONGEST:
        raise Unencodable("too long", f"{length} sixteenths; four-part pieces of at most {LONGEST} are held")
    grid = np.full((length, 4), HOLD, dtype=STEP_DTYPE)
    grid[0] = REST
    for voice, track in tracks.items():
        notes = coarse.track_notes(track)
        onsets, ends = notes["onset"] // STEP, (notes["onset"] + notes["duration"]) // STEP
        if (np.diff(onsets) <= 0).any() or (onsets[1:] < ends[:-1]).any():
            raise Unencodable("chords in a voice", f"track {track} holds more than one note at a time")
        stops = ends[ends < length]
        grid[stops, voice] = REST
        grid[onsets, voice] = notes["pitch"] + FIRST_PITCH
    return grid


def _on_grid(score: Score) -> Score:
    """On 24 ticks a beat; raises `Unencodable` where a note is not on sixteenths."""
    fine = resample(score, TICKS_PER_BEAT)
    scale = TICKS_PER_BEAT / score.ticks_per_beat
    edges = np.concatenate([score.notes["onset"], score.notes["onset"] + score.notes["duration"]]) * scale / STEP
    if np.abs(edges - np.round(edges)).max() > 0.05:
        raise Unencodable("off the sixteenth grid", "a note begins or ends between two sixteenths")
    return fine


def _voice_tracks(score: Score) -> dict[int, int]:
    """Which track sings which column of the grid: by mean pitch, from the top; fewer than four leave the middle out."""
    used = np.unique(score.notes["track"])
    if len(used) > 4 or any(score.tracks[track].is_drums for track in used):
        raise Unencodable("more than four voices", f"{len(used)} tracks; soprano, alto, tenor and bass are four")
    order = sorted(used, key=lambda track: -float(score.track_notes(track)["pitch"].mean()))
    columns = {1: (0,), 2: (0, 3), 3: (0, 1, 3), 4: (0, 1, 2, 3)}[len(order)]
    return {column: int(track) for column, track in zip(columns, order, strict=True)}


def _sounding(line: np.ndarray) -> np.ndarray:
    """Pitch + 1 that sounds in each step of a line of hold/rest/pitch (T,), 0 for silence."""
    at = np.maximum.accumulate(np.where(line != HOLD, np.arange(len(line)), 0))
    return np.maximum(line[at] - FIRST_PITCH + 1, 0)


def _write_places(steps: np.ndarray, columns: dict[str, int], score: Score) -> np.ndarray:
    """Metre, place in the bar and bars to come of every row (row 0 as the first); returns the bar of each, (T,)."""
    ratio = TICKS_PER_BEAT / score.ticks_per_beat
    changes, metre = list(score.metres), Metre(0, *DEFAULT_METRE)  # 4/4 until the first metre, as MIDI has it
    upbeat_steps, length = round(score.upbeat * ratio / STEP), len(steps) - 1
    while changes and changes[0].tick <= score.upbeat:
        metre = changes.pop(0)
    at = 0
    bars: list[tuple[int, int, int, int]] = []  # first and last row, place of the first, class of the metre
    while at < length:
        while changes and round(changes[0].tick * ratio / STEP) <= at:
            metre = changes.pop(0)
        bar = max(1, bar_ticks(metre.numerator, metre.denominator, TICKS_PER_BEAT) // STEP)
        stop = at + (upbeat_steps if at == 0 and upbeat_steps else bar)
        if changes and stop > round(changes[0].tick * ratio / STEP) > at:
            stop = round(changes[0].tick * ratio / STEP)
        offset = bar - upbeat_steps if at == 0 and upbeat_steps else 0
        bars.append((at, min(stop, length), offset, given_fields.metre_class(metre.numerator, metre.denominator)))
        at = stop
    for number, (start, stop, offset, metre_class) in enumerate(bars):
        rows = slice(1 + start, 1 + stop)
        steps[rows, columns["metre"]] = metre_class
        steps[rows, columns["place"]] = 1 + np.minimum(offset + np.arange(stop - start), PLACES - 1)
        steps[rows, columns["bars_left"]] = 1 + min(len(bars) - 1 - number, given_fields.BARS_LEFT)
    for name in ("metre", "place", "bars_left"):
        steps[0, columns[name]] = steps[1, columns[name]]
    lengths = [stop - start for start, stop, _, _ in bars]
    return np.concatenate([[0], np.repeat(np.arange(len(bars)), lengths)])


def _as_score(body: np.ndarray, columns: dict[str, int], rows: list, plan: Plan | None) -> Score:
    first = body[0] if len(body) else np.zeros(len(columns), dtype=STEP_DTYPE)
    metres = []
    for at in np.flatnonzero(np.diff(body[:, columns["metre"]], prepend=-1)):
        if body[at, columns["metre"]]:
            metres.append(Metre(int(at) * STEP, *given_fields.METRES[body[at, columns["metre"]] - 1]))
    key = first[columns["key"]]
    place = int(first[columns["place"]])
    bar = bar_ticks(metres[0].numerator, metres[0].denominator, TICKS_PER_BEAT) if metres else 0
    score = Score(
        note_array(rows),
        tuple(Track(voice.capitalize(), CHOIR) for voice in SCORE_ORDER),
        tempos=(Tempo(0, plan.tempo if plan else given_fields.class_tempo(int(first[columns["tempo"]]))),),
        metres=tuple(metres),
        keys=(Key(0, *given_fields.class_key(int(key))),) if key else (),
    )
    return replace(score, upbeat=bar - (place - 1) * STEP) if place > 1 else score


class VoicesCursor(Cursor):
    """Four voices, step by step, to exactly the bars of the plan."""

    def __init__(self, encoding: Encoding, plan: Plan):
        self.plan, self.classes = plan, given_fields.plan_classes(plan, encoding.styles)
        self.controls = dict(plan.controls)
        self.bar = given_fields.plan_bar(plan) // STEP
        self.upbeat = plan.upbeat // STEP % self.bar
        self.length = self.upbeat + plan.bars * self.bar
        self.at, self.left = 0, self.length * STEP
        self.sounding = dict.fromkeys(VOICES, 0)
        self.metre = given_fields.metre_class(*plan.metre)

    def start(self) -> dict[str, int]:
        return {**self.given({}), **dict.fromkeys(VOICES, -1)}

    def given(self, chosen: Mapping[str, int]) -> dict[str, int]:
        if chosen:
            return {}
        position = self.at + (self.bar - self.upbeat if self.upbeat else 0)
        left = self.plan.bars + bool(self.upbeat) - 1 - position // self.bar
        return {
            **self.classes,
            **given_fields.level_classes(self.controls, position // self.bar, given_fields.DESCRIPTORS),
            "metre": self.metre,
            "place": 1 + min(position % self.bar, PLACES - 1),
            "bars_left": 1 + min(left, given_fields.BARS_LEFT),
            **{f"sounding_{voice}": pitch for voice, pitch in self.sounding.items()},
        }

    def legal(self, name: str, chosen: Mapping[str, int]) -> np.ndarray:
        allowed = np.zeros(FIRST_PITCH + 128, dtype=bool)
        low, high = RANGES[name]
        allowed[FIRST_PITCH + low : FIRST_PITCH + high + 1] = True
        silent, in_last_bar = not self.sounding[name], self.at >= self.length - self.bar
        allowed[HOLD] = self.at > 0 and not (silent and in_last_bar)  # every voice sings in the last bar
        allowed[REST] = self.at > 0 and not silent and not in_last_bar
        return allowed

    def push(self, chosen: Mapping[str, int]) -> bool:
        for voice in VOICES:
            if chosen[voice] != HOLD:
                self.sounding[voice] = max(0, chosen[voice] - FIRST_PITCH + 1)
        self.at += 1
        self.time, self.left = self.at * STEP, (self.length - self.at) * STEP
        return self.at < self.length
