"""Joining composed bars to the music that stands behind them: rules of the draw, and how likely what follows then is.

Models that fill gaps go on from what comes before as real music does, but lead into what comes after far less surely.
So the draw, too, is told what stands there: how each part moves, when it rests, and where it goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .encodings._notes_cursor import PARTS
from .encodings.base import Plan
from .frames import Region, Sound, Standing, bars_of, sounds_of
from .model_file import Model
from .rules import FORBIDDEN, Rule
from .score import Score
from .timing import Bar

FEWEST = 4  # onsets of a part around a gap that say how it moves
LEAST_STEP = 1.5  # semitones: a part that stood on a note so far may leave it
SOON = 8  # onsets before a part's next standing note from which on its pitches are drawn towards it
HEARD, JUDGED = 48, 32  # notes at most that are told before those behind a gap, and of those that are judged
Note = tuple[int, ...]  # onset, duration, pitch, velocity, program, part


@dataclass
class FillEveryBar(Rule):
    """The first note of a gap stands in its first bar, not before tick `begin`, and no bar of it is silent.

    Waits that would pass a bar over count for its first beat: were they only forbidden, the next likely thing, one
    more note of a chord, would be drawn in their place.
    """

    begin: int
    ends: Sequence[int]  # of the bars of the gap, ticks
    fields: ClassVar[tuple[str, ...]] = ("wait",)

    def __call__(self, name, logits, stream, chosen) -> None:
        cursor = stream.cursor
        heard_until = max([self.begin, *cursor.sounding.values()]) if cursor.notes else self.begin
        if not cursor.notes:
            logits[: max(0, self.begin - cursor.time)] = FORBIDDEN
        bars = zip([self.begin, *self.ends], self.ends, strict=False)
        silent = next(((start, end) for start, end in bars if start >= heard_until), None)
        if silent is None:
            return
        beat, closing = silent[0] - cursor.time, len(logits) - 1
        too_long = logits[silent[1] - cursor.time : closing]
        if beat < closing and logits[beat] > FORBIDDEN:
            logits[beat] = np.logaddexp.reduce([logits[beat], *too_long])
        too_long[:] = FORBIDDEN


# --- what stands around a gap


@dataclass(frozen=True)
class Line:
    """How a part moves in the music around a gap, and where it goes on behind it; times in ticks of the frame."""

    arrival: int  # its first onset behind the gap
    pitches: np.ndarray  # (N,) that it strikes there
    pace: float  # ticks from onset to onset, the median
    step: float  # semitones from the highest note of one onset to that of the next, the mean
    rest: int  # its longest silence, that into the gap and that out of it included
    stop: int  # when it has last sounded before the gap


def lines_of(standing: Sequence[Note], begin: int, end: int, sounds: Sequence[Sound]) -> dict[Sound, Line]:
    """The line of each of `sounds` that plays on both sides of a gap from `begin` to `end`, often enough to say."""
    found = {}
    for sound in sounds:
        own = [note for note in standing if note[4:] == sound and not begin <= note[0] < end]
        onsets = sorted({note[0] for note in own})
        before = sum(onset < begin for onset in onsets)
        if len(onsets) >= FEWEST and 0 < before < len(onsets):
            found[sound] = _line(own, np.array(onsets), before, begin, end)
    return found


def _line(own: Sequence[Note], onsets: np.ndarray, before: int, begin: int, end: int) -> Line:
    """The line of a part's notes; `before` of its onsets come before the gap."""
    chords = [[note for note in own if note[0] == onset] for onset in onsets]
    tops = np.array([max(note[2] for note in chord) for chord in chords])
    stops = np.maximum.accumulate([max(note[0] + note[1] for note in chord) for chord in chords])
    beside = np.arange(len(onsets) - 1) != before - 1  # pairs of onsets with no gap between them
    rests = (onsets[1:] - stops[:-1])[beside]
    arrival = int(onsets[before])
    return Line(
        arrival, np.array([note[2] for note in chords[before]]), float(np.median(np.diff(onsets)[beside])),
        max(LEAST_STEP, float(np.abs(np.diff(tops))[beside].mean())),
        int(max(0, begin - stops[before - 1], arrival - end, *rests)), int(stops[before - 1]),
    )  # fmt: skip


def rooms(standing: Sequence[Note], bars: Sequence[tuple[int, ...]], begin: int, end: int) -> np.ndarray:
    """Ticks from the last onset of a bar to its end, for each of `bars` outside [begin, end) with an onset, (bars,)."""
    onsets = np.unique([note[0] for note in standing])
    found = []
    for start, stop, *_ in bars:
        inside = onsets[(onsets >= start) & (onsets < stop)]
        if len(inside) and not begin <= start < end:
            found.append(stop - int(inside[-1]))
    return np.array(found, dtype=np.int64)


# --- rules


@dataclass
class MoveTowards(Rule):
    """The last notes of a part lie as near to its next standing note as notes of that part lie to each other.

    A part that moves by intervals of `step` semitones comes about `step` times the root of n far in n onsets: a
    pitch d semitones off what is struck then costs `strength` times their quotient (a Laplace distribution).
    """

    lines: Mapping[Sound, Line]
    strength: float = 1.5

    def __call__(self, name, logits, stream, chosen) -> None:
        line = self.lines.get((chosen["program"], chosen["part"]))
        if line is None:
            return
        left = max(1.0, (line.arrival - stream.cursor.time - chosen["wait"]) / line.pace)
        if left <= SOON:
            off = np.abs(np.arange(len(logits))[:, None] - line.pitches).min(axis=1)
            logits -= self.strength * off / (line.step * left**0.5)


@dataclass
class PlayOn(Rule):
    """A part that plays on both sides of a gap does not rest in it longer than it does there."""

    lines: Mapping[Sound, Line]
    least: int  # ticks of silence that are no rest
    strength: float = 4.0
    fields: ClassVar[tuple[str, ...]] = ("wait", "program", "part")

    def __call__(self, name, logits, stream, chosen) -> None:
        stops = {sound: max(line.stop, stream.cursor.stops.get(sound, 0)) for sound, line in self.lines.items()}
        if name == "wait":
            if any(line.arrival - stops[sound] > self._rest(line) for sound, line in self.lines.items()):
                logits[-1] -= 2 * self.strength  # to close now would leave a part silent
            return
        tick = stream.cursor.time + chosen["wait"]
        for (program, part), line in self.lines.items():
            if tick - stops[program, part] < self._rest(line) or (name == "part" and chosen["program"] != program):
                continue
            logits[program if name == "program" else part] += self.strength

    def _rest(self, line: Line) -> int:
        return max(self.least, line.rest)


@dataclass
class RestWithWhatFollows(Rule):
    """From tick `start` on, in the last bar, the parts `sounds`, which rest in the bar behind it, hardly begin."""

    sounds: Sequence[Sound]
    start: int
    strength: float = 4.0
    fields: ClassVar[tuple[str, ...]] = ("program", "part")

    def __call__(self, name, logits, stream, chosen) -> None:
        cursor = stream.cursor
        if cursor.time + chosen["wait"] < self.start:
            return
        if name == "part":
            logits[[part for program, part in self.sounds if program == chosen["program"]]] -= self.strength
            return
        going_on = {program for program, _ in set(cursor.sounds) - set(self.sounds)}
        logits[sorted({program for program, _ in self.sounds} - going_on)] -= self.strength


@dataclass
class FillLastBar(Rule):
    """A gap is hardly closed longer before its last bar line than bars around it are after their last onset."""

    end: int
    usual: float  # ticks from the last onset of a bar to its end, the upper quartile
    most: float
    strength: float = 2.0
    fields: ClassVar[tuple[str, ...]] = ("wait",)

    def __call__(self, name, logits, stream, chosen) -> None:
        room = self.end - stream.cursor.time
        logits[-1] -= self.strength * ((room > self.usual) + 3 * (room > self.most))


def rules_of_joins(cursor: Any, beat: int) -> list[Rule]:
    """The rules that lead into what stands behind the gap of a cursor; none where nothing does. `beat` is in ticks."""
    standing, begin, end = cursor.standing, cursor.begin, cursor.end
    behind = cursor.bars[cursor.stop :]
    following = {note[4:] for note in standing if behind and end <= note[0] < behind[0][1]}
    if not following & set(cursor.sounds):
        return []
    found: list[Rule] = []
    if lines := lines_of(standing, begin, end, cursor.sounds):
        found += [MoveTowards(lines), PlayOn(lines, beat)]
    if resting := [sound for sound in cursor.sounds if sound not in following]:
        found.append(RestWithWhatFollows(resting, cursor.bars[cursor.stop - 1][0]))
    room = rooms(standing, cursor.bars, begin, end)
    return [*found, FillLastBar(end, float(np.percentile(room, 75)), float(room.max()))]


# --- how likely what follows is


def nats_behind(model: Model, plan: Plan, scores: Sequence[Score], bars: Sequence[Bar], region: Region) -> np.ndarray:
    """What the notes in the bar behind a region cost a model that goes on from it, in nats a note, (scores,).

    The fewer, the better what each of `scores` has in the region leads there. The model hears what comes before and
    nothing of what is behind that bar; of a bar of many notes the first count. 0 where there is no note.
    """
    stop, bars = region.stop, list(bars) if len(bars) > region.stop + 1 else bars_of(scores[0], region.stop + 2)
    every = tuple(sound for sound in sounds_of(scores[0]) if sound[1] < PARTS)
    standing = [Standing(model.encoding, score, bars, Region(stop + 1, 1, every)) for score in scores]
    begin = int(standing[0].tick(bars[stop].start - region.spared))
    count = int((standing[0].past[1] >= begin).sum())
    if not count:
        return np.zeros(len(scores))
    told = min(HEARD + count, *(len(one.past[0]) for one in standing))
    frames = [one.framed(plan, {}, told, 0).frame for one in standing]
    rows, times = (
        np.array([np.concatenate([getattr(frame, whole), getattr(frame, past)[-1:]]) for frame in frames if frame])
        for whole, past in (("rows", "past"), ("times", "past_times"))
    )
    return _nats(model, rows, times, rows.shape[1] - count).mean(axis=1)


def _nats(model: Model, rows: np.ndarray, times: np.ndarray, first: int) -> np.ndarray:
    """-log probability of rows `first` to the last of tables (N, T, columns) at `times` (N, T), (N, T - first)."""
    state, found = model.begin(len(rows)), np.zeros(rows.shape[:2])
    for at in range(1, min(rows.shape[1], first + JUDGED)):
        hidden = model.advance(rows[:, at - 1], rows[:, at], times[:, at - 1].astype(np.float32), state)
        for entry in model.encoding.composed if at >= first else ():
            said = model.logits(entry.name, hidden, rows[:, at]).astype(np.float64)
            wanted = rows[:, at, model.encoding.columns[entry.name]]
            found[:, at] += np.logaddexp.reduce(said, axis=1) - said[np.arange(len(said)), wanted]
    return found[:, first : first + JUDGED]
