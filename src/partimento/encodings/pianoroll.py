"""Encoding `pianoroll`: one step a sixteenth, the pitches that sound in it and those that are struck, 128 of each.

What sounds and was struck anew is what tells a repeated note from a long one, in every note of a chord. Tracks are
merged, or rolled side by side. Rests are rows like all others, with everything that is given. The last bar is filled
up with silence. Row 0 stands before the music: its composed fields are -1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import BadOption
from ..instruments import RANGES
from ..score import NOTE, TICKS_PER_BEAT, Score, Track
from ..theory import pitched
from ..timing import Clock
from ..transform import resample, without_overlaps
from . import _gaps as gaps
from . import _given as given_fields
from . import _places as places
from ._pianoroll_cursor import PITCHES, STEP, PianorollCursor, programs_of
from .base import STEP_DTYPE, Field, Plan, Unencodable
from .base import Encoding as Base

A_BEAT = TICKS_PER_BEAT // STEP
NEAR = 0.05  # of a sixteenth: how far a time may lie off the grid (written articulation)
LONGEST = 16 * 2000  # steps; a piece beyond is an error
MOST_TRACKS = 16
EMOTION = ("valence", "arousal")
CONTROLS = ("full", "emotion")


class Encoding(Base):
    """Any music with pitches as a roll; drums are left out.

    `controls`: what is told, "full" or the "emotion" alone (valence and arousal), as DeepMIDI was (Miv99 2021).
    `tracks`: 1 merges all tracks into one; of more, that many are rolled side by side in the order of the score.
    `snap` is the share of a piece's times that may be moved to the grid of sixteenths.
    """

    name = "pianoroll"

    def __init__(self, styles: Sequence[str] = (), controls: str = "full", tracks: int = 1, snap: float = 0.0):
        if controls not in CONTROLS:
            raise BadOption(f"no controls {controls!r}; there are {', '.join(CONTROLS)}")
        if tracks not in range(1, MOST_TRACKS + 1):
            raise BadOption(f"tracks {tracks!r} is out of range; wanted 1 to {MOST_TRACKS}")
        if not 0 <= snap <= 1:
            raise BadOption(f"snap {snap!r} is out of range; wanted 0 to 1")
        self.styles, self.controls, self.tracks, self.snap = tuple(styles), controls, tracks, snap
        self.told = controls == "full"  # where in its bars the music stands, in which key ...
        numbers = [f"_{number + 1}" for number in range(tracks)] if tracks > 1 else [""]
        self.rolls = tuple((f"sounding{number}", f"struck{number}") for number in numbers)
        full = (*given_fields.PIECE_FIELDS, *places.place_fields())
        self.fields = (
            *(full if self.told else given_fields.level_fields(*EMOTION)),
            *(Field(name, "binary", PITCHES) for roll in self.rolls for name in roll),
        )

    def spec(self) -> dict[str, Any]:
        return super().spec() | {"controls": self.controls, "tracks": self.tracks, "snap": self.snap}

    def heard(self, score: Score) -> Score:
        notes = pitched(score).copy()
        if not len(notes):
            raise Unencodable("empty", "there is no note with a pitch to encode")
        used = np.unique(notes["track"])
        if self.tracks > 1 and len(used) > self.tracks:
            raise Unencodable("too many parts", f"{len(used)} tracks; {self.tracks} are rolled side by side")
        notes["track"] = np.searchsorted(used, notes["track"]) if self.tracks > 1 else 0
        return given_fields.aligned(replace(score, notes=without_overlaps(notes), tracks=(Track(),) * self.tracks))

    def encode(self, score: Score, labels: Mapping[str, Any] | None = None) -> np.ndarray:
        score = self.heard(score)
        coarse, clock = _on_grid(score, self.snap), Clock(resample(score, TICKS_PER_BEAT))
        length = max(coarse.end, -(-clock.bars[-1].end // STEP))
        if length > LONGEST:
            raise Unencodable("too long", f"{length} sixteenths; pieces of at most {LONGEST} are held")
        steps = np.zeros((1 + length, self.width), dtype=STEP_DTYPE)
        self._tell(steps, clock, labels or {})
        first = self.columns[self.rolls[0][0]]
        steps[0, first:] = -1
        steps[1:, first:] = np.concatenate([_rolled(coarse.track_notes(n), length) for n in range(self.tracks)], axis=1)
        return steps

    def _tell(self, steps: np.ndarray, clock: Clock, labels: Mapping[str, Any]) -> None:
        """Write the given fields of every row, those of row 0 as those of the first step."""
        ticks = np.arange(-1, len(steps) - 1).clip(min=0) * STEP
        bars, known = clock.bar_at(ticks), given_fields.bar_columns(labels, ())
        if self.told:
            known |= given_fields.piece_classes(clock.score, self.styles, labels)
            known |= places.places_of(clock.score, ticks)
        for name, value in known.items():
            if name in given_fields.DESCRIPTORS and np.ndim(value):
                value = value[np.minimum(bars, len(value) - 1)]
            if name in self.columns:
                steps[:, self.columns[name]] = value

    def decode(self, steps: np.ndarray, plan: Plan | None = None) -> Score:
        body, columns = steps[1:], self.columns
        loudness = plan.velocity if plan and plan.velocity else places.VELOCITY
        parts = []
        for track, (sounding, struck) in enumerate(self.rolls):
            on, new = (body[:, columns[name] : columns[name] + PITCHES] > 0 for name in (sounding, struck))
            parts.append(_notes(on, new, track, loudness))
        programs = programs_of(plan, self.tracks)
        score = Score(np.concatenate(parts), tuple(Track("", program) for program in programs))
        if self.told:
            return places.with_maps(score, body, np.arange(len(body)) * STEP, columns, plan)
        return places.with_plan(score, plan)

    def bar_numbers(self, rows: np.ndarray, times: np.ndarray) -> np.ndarray:
        if self.told:
            return gaps.bar_numbers(self.columns, rows, times.astype(np.int64))
        return (times.astype(np.int64) - int(times[0])) // (4 * TICKS_PER_BEAT)  # bars are not told; taken for 4/4

    def times(self, steps: np.ndarray) -> np.ndarray:
        return np.arange(-1, len(steps) - 1, dtype=np.int32) * STEP

    def transpose(self, steps: np.ndarray, semitones: int) -> np.ndarray:
        moved, columns = steps.copy(), self.columns
        for name in (name for roll in self.rolls for name in roll):
            roll = moved[..., columns[name] : columns[name] + PITCHES]
            shifted = np.zeros_like(roll)
            low, high = max(0, semitones), PITCHES + min(0, semitones)
            shifted[..., low:high] = roll[..., low - semitones : high - semitones]
            roll[...] = np.where(roll[..., :1] < 0, roll, shifted)
        if self.told:
            moved[..., columns["key"]] = given_fields.moved_keys(moved[..., columns["key"]], semitones)
        return moved

    def transpositions(self, steps: np.ndarray, reach: int = 6) -> tuple[int, int]:
        """Lowest and highest transposition, -`reach` to `reach` semitones, on a piano: no instrument is held."""
        sounds = [steps[:, self.columns[name] : self.columns[name] + PITCHES] > 0 for name, _ in self.rolls]
        used = np.flatnonzero(np.any(sounds, axis=(0, 1)))
        low, high = -reach, reach
        if len(used):
            bottom, top = RANGES[0]
            low, high = max(low, bottom - int(used[0])), min(high, top - int(used[-1]))
        return min(low, 0), max(high, 0)

    def cursor(self, plan: Plan) -> PianorollCursor:
        return PianorollCursor(self, plan)


def _on_grid(score: Score, snap: float) -> Score:
    """On sixteenths; raises `Unencodable` where more than `snap` of the times lie between two."""
    edges = np.concatenate([score.notes["onset"], score.notes["onset"] + score.notes["duration"]])
    exact = edges * (A_BEAT / score.ticks_per_beat)
    far = np.abs(exact - np.round(exact)) > NEAR + 1e-9
    if far.mean() > snap:
        raise Unencodable("off the sixteenth grid", f"{int(far.sum())} of {len(far)} times lie between two sixteenths")
    return resample(score, A_BEAT)


def _rolled(notes: np.ndarray, length: int) -> np.ndarray:
    """Notes (N,) in sixteenths as rows of what sounds and what is struck, (length, 2 * PITCHES) of 0 and 1."""
    onsets, pitches = notes["onset"], notes["pitch"]
    change = np.zeros((length + 1, PITCHES), dtype=np.int32)
    np.add.at(change, (onsets, pitches), 1)
    np.add.at(change, (onsets + notes["duration"], pitches), -1)
    struck = np.zeros((length, PITCHES), dtype=bool)
    struck[onsets, pitches] = True
    return np.concatenate([np.cumsum(change, axis=0)[:-1] > 0, struck], axis=1)


def _notes(sounding: np.ndarray, struck: np.ndarray, track: int, velocity: int) -> np.ndarray:
    """The notes (N,) of what sounds and what is struck, (T, PITCHES) bool each, in ticks.

    A pitch that begins to sound is struck, whatever is said; one that does not sound is not.
    """
    before = np.concatenate([np.zeros_like(sounding[:1]), sounding])[: len(sounding)]
    begins = sounding & (struck | ~before)
    changes = np.concatenate([begins | ~sounding, np.ones_like(sounding[:1])])[: len(sounding) + 1]
    pitch, begin = np.nonzero(begins.T)  # pitch by pitch, each from its first note on
    ends = np.flatnonzero(changes.T)
    place = pitch * len(changes) + begin
    notes = np.zeros(len(pitch), dtype=NOTE)
    notes["onset"], notes["pitch"], notes["track"], notes["velocity"] = begin * STEP, pitch, track, velocity
    notes["duration"] = (ends[np.searchsorted(ends, place, side="right")] - place) * STEP
    return notes
