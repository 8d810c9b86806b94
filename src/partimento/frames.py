"""Music that stands already as a model is told it: what comes before a gap, after it, and beside it.

There are two clocks: ticks of the score, and ticks of the frame, 24 a quarter note from the line of its first bar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .describe import describe
from .encodings import Encoding
from .encodings import _gaps as gaps
from .encodings import _given as given_fields
from .encodings._gaps import LONGEST_WAIT, PLACES
from .encodings._notes_cursor import LONGEST_NOTE, PARTS, VELOCITY_STEP
from .encodings.base import Frame, Plan
from .errors import BadOption, MusicError
from .score import DEFAULT_METRE, DRUM_PROGRAM, NOTE, TICKS_PER_BEAT, Metre, Score, Track, note_array
from .theory import is_pitched
from .timing import Bar, Clock, bar_ticks
from .transform import resample, without_overlaps

PAST, AHEAD = 160, gaps.AHEAD  # rows at most of music before a gap that are told, and of what lies ahead
NEAR = 16  # bars on either side of a gap that are looked at: a long file is no slower than a short one
Sound = tuple[int, int]  # (program, part)
Rows = tuple[np.ndarray, np.ndarray]  # (N, columns), and their ticks in the frame (N,)


@dataclass(frozen=True)
class Region:
    """What of a score is composed: `bars` of its bars from number `first` on (0: the first, or the upbeat).

    It may reach beyond the end: the score grows. `sounds` are the parts that are composed, the lowest one last; what
    others play there is given. Its last `spared` ticks (of the score) stand already: an upbeat completes its last bar.
    """

    first: int
    bars: int
    sounds: tuple[Sound, ...]
    spared: int = 0

    @property
    def stop(self) -> int:
        return self.first + self.bars


def sounds_of(score: Score) -> list[Sound]:
    """(program, part) of every track: the second track of an instrument is its part 1."""
    programs = [track.program for track in score.tracks]
    return [(program, programs[:n].count(program)) for n, program in enumerate(programs)]


def bars_of(score: Score, count: int = 0) -> list[Bar]:
    """The bars of a score, an upbeat's first, and the empty ones that follow until there are `count`."""
    own = Clock(score).bars
    if len(own) >= count:
        return list(own)
    metres = [(metre.numerator, metre.denominator) for metre in score.metres]
    longest = max(bar_ticks(*metre, score.ticks_per_beat) for metre in (*metres, DEFAULT_METRE))
    sounding = Score(note_array([(0, own[-1].end + count * longest, 0, 1, 0)]), (Track(),))
    return list(Clock(replace(score, notes=sounding.notes, tracks=sounding.tracks)).bars[:count])


class Standing:
    """A score and a region of it that is to be composed; `bars` are all of the score's, and the region's.

    Models are not told of drums, which they do not compose into music that stands.
    """

    def __init__(self, encoding: Encoding, score: Score, bars: Sequence[Bar], region: Region):
        self.encoding, self.columns, self.score, self.region = encoding, encoding.columns, score, region
        self.begin, self.end = bars[region.first].start, bars[region.stop - 1].end - region.spared
        low = max(0, region.first - NEAR)
        self.near, self.first = tuple(bars[low : region.stop + NEAR]), region.first - low
        self.lines = np.array([bar.start for bar in self.near])  # in ticks of the score
        if score.upbeat and not low:  # an upbeat stands at the end of its bar
            full = bar_ticks(self.near[0].numerator, self.near[0].denominator, score.ticks_per_beat)
            self.lines[0] = min(0, self.near[0].end - full)
        self.starts = self.tick(self.lines)
        if self.tick(self.end) <= self.tick(self.begin):
            raise BadOption(f"bars of {self.end - self.begin} ticks are too short to be composed; choose others")
        self.metres = [_told_metre(bar) for bar in self.near]
        sounds = sounds_of(score)
        track = score.notes["track"]
        self.is_own = np.array([sound in region.sounds for sound in sounds], dtype=bool)[track]
        self.is_told = is_pitched(score)

    def tick(self, at) -> Any:
        """The frame's tick nearest to tick `at` of the score (a number or an array)."""
        ratio = TICKS_PER_BEAT / self.score.ticks_per_beat
        on_grid = np.floor(np.asarray(at) * ratio + 0.5) - np.floor(self.lines[0] * ratio + 0.5)
        return on_grid.astype(np.int64)

    def back(self, at: np.ndarray) -> np.ndarray:
        """The score's ticks at ticks (N,) of the frame, bar lines exactly."""
        bar = self._bars_at(at)
        beside = (at - self.starts[bar]) * (self.score.ticks_per_beat / TICKS_PER_BEAT)
        return self.lines[bar] + np.floor(beside + 0.5).astype(np.int64)

    @cached_property
    def past(self) -> Rows:
        """The latest notes before the region as rows."""
        onset = self.score.notes["onset"]
        before = self.is_told & (onset >= self.lines[0]) & (onset < self.begin)
        rows, times = self._rows(self.score.notes[before][-2 * PAST :])
        return rows[-PAST:], times[-PAST:]

    @cached_property
    def ahead(self) -> Rows:
        """What follows the region, and the given parts within it, as rows; up to a silence that no row can say."""
        onset = self.score.notes["onset"]
        given = (onset >= self.begin) & (onset < self.near[-1].end) & ((onset >= self.end) | ~self.is_own)
        rows, times = self._rows(self.score.notes[given & self.is_told][: 2 * AHEAD])
        silences = np.flatnonzero(np.diff(times) > LONGEST_WAIT)
        count = min(AHEAD, int(silences[0]) + 1) if len(silences) else AHEAD
        return rows[:count], times[:count]

    def _rows(self, notes: np.ndarray) -> Rows:
        """Notes as rows in the order in which they are composed; what is said of the whole piece is left at 0."""
        bare = Score(notes, self.score.tracks, self.score.ticks_per_beat)
        fine = without_overlaps(resample(bare, TICKS_PER_BEAT).notes.copy())
        sounds = np.array(sounds_of(self.score))[fine["track"]]
        order = np.lexsort((fine["pitch"], sounds[:, 1], sounds[:, 0], fine["onset"]))
        order = order[sounds[order, 1] < PARTS]
        fine, sounds = fine[order], sounds[order]
        times = fine["onset"] + self.tick(0)
        at = self._bars_at(times)
        rows = np.zeros((len(fine), len(self.columns)), dtype=np.int64)
        known = {
            "wait": np.minimum(LONGEST_WAIT, np.diff(times, prepend=times[:1])),
            "metre": np.array([given_fields.metre_class(*metre) for metre in self.metres])[at],
            "place": 1 + np.clip(times - self.starts[at], 0, PLACES - 1),
            "program": sounds[:, 0], "part": sounds[:, 1], "pitch": fine["pitch"],
            "duration": np.minimum(fine["duration"], LONGEST_NOTE) - 1, "velocity": fine["velocity"] // VELOCITY_STEP,
        }  # fmt: skip
        for name, values in known.items():
            rows[:, self.columns[name]] = values
        return rows, times

    def framed(self, plan: Plan, scales: Mapping[str, Sequence[float]], past: int = PAST, ahead: int = AHEAD) -> Plan:
        """The plan with a frame of at most `past` and `ahead` rows, arranged as training arranges music with a gap.

        What the plan says of the whole piece is told of all rows; controls and chords that it asks for are told of
        the music that stands as they are measured there, by the `scales` of the style.
        """
        kept, kept_at = (table[max(0, len(table) - past) :].copy() for table in self.past)
        given, given_at = (table[:ahead].copy() for table in self.ahead)
        for name, value in given_fields.plan_classes(plan, self.encoding.styles).items():
            kept[:, self.columns[name]] = given[:, self.columns[name]] = value
        self._describe(plan, scales, (kept, kept_at), (given, given_at))
        kept[:, self.columns["role"]] = given_fields.GOES_ON if plan.goes_on else given_fields.ENDS
        left = self.first + self.region.bars - 1 - self._bars_at(kept_at)
        kept[:, self.columns["bars_left"]] = 1 + np.clip(left, 0, given_fields.BARS_LEFT)
        # nothing comes before the first row: it waits from the bar line on
        kept[:1, self.columns["wait"]] = kept[:1, self.columns["place"]] - 1
        nothing, until = (kept[:0], kept_at[:0]), int(self.tick(self.until))
        frame = Frame(*nothing, kept, kept_at, self._bars(), self.first, self.region.sounds, until)
        plan = replace(plan, frame=frame)
        rows, times = self._told(plan, (kept, kept_at), (given, given_at))
        return replace(plan, frame=replace(frame, rows=rows, times=times))

    def _told(self, plan: Plan, kept: Rows, given: Rows) -> Rows:
        """All rows before the one that the cursor begins with: instruments, what lies ahead, what came before."""
        if not len(kept[0]):
            start = self.encoding.cursor(plan).start()
            kept = np.array([[start[name] for name in self.columns]]), self.starts[self.first][None]
        pitched = {sound for sound in sounds_of(self.score) if sound[0] != DRUM_PROGRAM}
        sounds = sorted({*self.region.sounds, *pitched})[: gaps.HEADERS]
        nothing = np.zeros(len(self.columns), dtype=np.int64)
        named = gaps.named(self.columns, [sound for sound in sounds if sound[1] < PARTS], nothing)
        rows, times = gaps.told_again(self.columns, named, given, kept)
        return rows[:-1], times[:-1]

    def _describe(self, plan: Plan, scales: Mapping[str, Sequence[float]], *tables: Rows) -> None:
        """Write what is asked for into rows that stand: their controls and chords as they are heard."""
        asked = [name for name in plan.controls if name in scales]
        rows, times = (np.concatenate(part) for part in zip(*tables, strict=True))
        if not len(rows) or not (asked or plan.chords):
            return
        sounds, track = np.unique(rows[:, self.columns["program"]], return_inverse=True)
        notes = np.zeros(len(rows), dtype=NOTE)
        notes["onset"], notes["track"], notes["duration"] = times, track, rows[:, self.columns["duration"]] + 1
        notes["pitch"], notes["velocity"] = rows[:, self.columns["pitch"]], 64
        metres = tuple(Metre(start, *metre) for start, _, *metre in self._bars())
        try:
            found = describe(Score(notes, tuple(Track("", int(program)) for program in sounds), metres=metres))
        except MusicError:  # drums alone
            return
        for rows, times in tables:
            for name in asked:
                bars = np.minimum(self._bars_at(times), len(found.measures[name]) - 1)
                raw = given_fields.raw_of(found.measures[name][bars])
                rows[:, self.columns[name]] = given_fields.classed(raw, scales[name][1:-1])
            if plan.chords:
                rows[:, self.columns["chord"]] = 2 + found.chord_at(times)

    @property
    def until(self) -> int:
        """Up to which tick of the score what is composed may be held: the end of the bar behind, if its parts go on."""
        behind = self.near[self.first + self.region.bars :]
        goes_on = (self.is_own & (self.score.notes["onset"] >= self.end)).any()
        return behind[0].end if behind and goes_on else self.end

    @property
    def ends(self) -> list[int]:
        """Where the bars of the region end, in ticks of the score."""
        inside = self.near[self.first : self.first + self.region.bars]
        return [*(bar.end for bar in inside[:-1]), self.end]

    def _bars_at(self, times: np.ndarray) -> np.ndarray:
        """Numbers among the near bars of those that ticks (N,) of the frame lie in."""
        return np.clip(np.searchsorted(self.starts, times, side="right") - 1, 0, len(self.starts) - 1)

    def _bars(self) -> tuple[tuple[int, int, int, int], ...]:
        """Start, end and metre of the near bars; the last of the region ends with the region."""
        ends = [*self.starts[1:].tolist(), int(self.tick(self.near[-1].end))]
        ends[self.first + self.region.bars - 1] = int(self.tick(self.end))
        return tuple(
            (start, end, *metre) for start, end, metre in zip(self.starts.tolist(), ends, self.metres, strict=True)
        )

    def merged(self, notes: Sequence[tuple[int, ...]], loudness: Mapping[Sound, int]) -> Score:
        """The score with composed notes (onset, duration, pitch, velocity, program, part) in the region.

        What the composed parts had there goes; everything else stays to the tick. `loudness` is the velocity of
        parts that have but one.
        """
        sounds, old = sounds_of(self.score), self.score.notes
        goes = (old["onset"] >= self.begin) & (old["onset"] < self.end) & self.is_own
        new = np.zeros(len(notes), dtype=NOTE)
        if len(notes):
            onset, duration = (np.array([note[n] for note in notes], dtype=np.int64) for n in (0, 1))
            start = np.clip(self.back(onset), self.begin, self.end - 1)
            new["onset"], stop = start, np.minimum(self.back(onset + duration), self.until)
            new["duration"] = np.maximum(1, stop - start)
            new["pitch"] = [note[2] for note in notes]
            new["velocity"] = [loudness.get((note[4], note[5]), note[3]) for note in notes]
            new["track"] = [sounds.index((note[4], note[5])) for note in notes]
            new = without_overlaps(self._ended(new))
        return self.score.with_notes(np.concatenate([old[~goes], new]))

    def _ended(self, new: np.ndarray) -> np.ndarray:
        """Composed notes (N,), held over the end of the region no longer than until their pitch is struck again."""
        behind = self.score.notes[self.is_own & (self.score.notes["onset"] >= self.end)]
        for number in np.flatnonzero(new["onset"] + new["duration"] > self.end):
            note = new[number]
            again = behind["onset"][(behind["track"] == note["track"]) & (behind["pitch"] == note["pitch"])]
            new["duration"][number] = min([int(note["duration"]), *(again - note["onset"]).tolist()])
        return new


def _told_metre(bar: Bar) -> tuple[int, int]:
    """The metre of a bar, or, where a model cannot be told it, the one whose bars are nearest in length."""
    own = bar.numerator, bar.denominator
    if own in given_fields.METRES:
        return own
    return min(given_fields.METRES, key=lambda other: abs(other[0] / other[1] - own[0] / own[1]))
