"""The rule `NoCopy`: a run of the training music longer than so many notes cannot be composed."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from ..errors import BadOption
from ..rules import FORBIDDEN, PITCHES, VOICE_PITCH, Rule
from ..score import Score
from . import search
from .figures import Figures
from .index import Index, build
from .judging import USUAL
from .parts import END

DEFAULT_MOST = 16  # notes, where no real pieces say what is usual, or these set the same tunes
FEWEST = 8  # as the most: below, hardly any music is left to compose
COVERED = ("notes", "voices")  # encodings whose lines the rule follows
TABLE = 24  # bits
CODES = search.CODES.tolist()
STEP = 6  # ticks of a step of `voices`


class Known:
    """Where runs of `notes` notes stand in an index, and which runs of `FEWEST` notes may stand in it."""

    def __init__(self, index: Index, notes: int):
        self.index, self.notes = index, notes
        self.runs = search.sums_of(index).runs(notes)
        # two tables by different digits: a run that is not there is hardly ever looked for among all
        self.tables = [_table(self.runs, turn) for turn in range(2)] if len(self.runs) > 1 << 16 else []
        self.short = _table(search.runs_of(index, True), 0)
        self.found: dict[int, np.ndarray] = {}

    def may_have(self, run: int) -> bool:
        """Whether a run of `FEWEST` notes of that number may stand in the index."""
        return bool(self.short[run >> (64 - TABLE)])

    def places(self, run: int) -> np.ndarray:
        """The slots at which a run of that number may begin."""
        for turn, table in enumerate(self.tables):
            if not table[(run << (turn * TABLE) & search.MASK) >> (64 - TABLE)]:
                return np.zeros(0, np.int64)
        if run not in self.found:
            self.found[run] = np.flatnonzero(self.runs == np.uint64(run))
        return self.found[run]

    def followers(self, line: Trace, first: int) -> set[tuple[float, int]]:
        """What follows notes `first` to the last of a line in the index: the ratio of times, and the interval.

        Of these notes the last `notes` are looked up, and what that finds is compared note by note.
        """
        last = len(line.pitches) - first - 1
        anchor = len(line.pitches) - self.notes
        places = self.places(line.number(anchor, self.notes)) - (anchor - first)
        if not len(places):
            return set()
        places = places[(places >= 0) & (places + last < len(self.index))]
        ratio = search.ratio_of(self.index)
        for at in range(last):
            places = places[self.index.interval[places + at] == line.intervals[first + at]]
            if at:
                places = places[ratio[places + at] == line.ratios[first + at]]
        ends = places + last
        return set(zip(ratio[ends].tolist(), self.index.interval[ends].tolist(), strict=True))


def _table(runs: np.ndarray, turn: int) -> np.ndarray:
    """Which `TABLE` bits of a number, the first ones or those behind, some run has."""
    table = np.zeros(1 << TABLE, dtype=bool)
    table[(runs << np.uint64(turn * TABLE)) >> np.uint64(64 - TABLE)] = True
    return table


class Trace:
    """A line as it is composed."""

    def __init__(self) -> None:
        self.onsets: list[int] = []
        self.pitches: list[int] = []
        self.figures = Figures()
        self.own: list[int] = []  # places of the notes that are no plain figure
        self.intervals: list[int] = []
        self.ratios: list[float] = []  # of the time behind each note to the one before it; 0 at the first
        self.ahead: tuple[int, set[tuple[float, int]]] = 0, set()  # what must not follow, of so many notes
        self.strange = -1  # a run from here on is not in the index, and so none that holds it

    def take(self, onset: int, pitch: int) -> None:
        """One more note, later than the last."""
        plain = False
        if self.pitches:
            interval, wait = pitch - self.pitches[-1], onset - self.onsets[-1]
            plain = self.figures.take(interval, wait)
            self.ratios.append(wait / (self.onsets[-1] - self.onsets[-2]) if self.intervals else 0.0)
            self.intervals.append(interval)
        if not plain:
            self.own.append(len(self.pitches))
        self.onsets.append(onset)
        self.pitches.append(pitch)

    def number(self, first: int, notes: int) -> int:
        """The number of the run of `notes` notes from `first` on, as `search.Sums` has it."""
        stop = first + notes - 1
        codes = [CODES[interval + 128] for interval in self.intervals[first:stop]]
        total = codes[0]
        for code, ratio, power in zip(codes[1:], self.ratios[first + 1 : stop], _powers(notes), strict=False):
            total += (code + _code(ratio)) * power
        return total & search.MASK

    def fork(self) -> Trace:
        """Another line that has been the same so far."""
        other = copy.copy(self)
        for name in ("onsets", "pitches", "own", "intervals", "ratios"):
            setattr(other, name, getattr(self, name).copy())
        other.figures = self.figures.fork()
        return other


@lru_cache(maxsize=64)
def _powers(notes: int) -> tuple[int, ...]:
    """By which the second step of a run and those behind it are multiplied."""
    return tuple(pow(search.BASE, at, 1 << 64) for at in range(1, notes))


@lru_cache(maxsize=4096)
def _code(ratio: float) -> int:
    return int(search.ratio_codes(np.array([ratio]))[0])


class Part:
    """The lines of one part while it is composed: the upper, the lower, the top and the bottom one, two between."""

    def __init__(self) -> None:
        self.lines = [*[Trace()] * 4, *[Trace()] * 2]  # one and the same, until the music makes them differ
        self.different = self.lines[3:5]  # in a part without chords only the first has notes
        self.sounding: list[tuple[int, int]] = []  # (pitch, stop)
        self.chord: list[tuple[int, int]] = []  # (pitch, stop) of the latest onset
        self.onset = -1

    def take(self, onset: int, pitch: int, duration: int) -> None:
        """One more note."""
        if onset != self.onset:
            self.settle()
            self.onset = onset
        self.chord.append((pitch, onset + duration))

    def settle(self) -> None:
        """The notes of the latest onset join the lines."""
        if not self.chord:
            return
        low, high = min(self.chord)[0], max(self.chord)[0]
        self.sounding = [(pitch, stop) for pitch, stop in self.sounding if stop > self.onset]
        heard = [pitch for pitch, _ in self.sounding]
        is_top, is_bottom = high >= max(heard, default=0), low <= min(heard, default=127)
        edges = {high} if is_top else set()
        edges |= {low} if is_bottom else set()
        between = {pitch for pitch, _ in self.chord} - edges
        inner = max(between, default=None), min(between, default=None)
        self._join((high, low, high if is_top else None, low if is_bottom else None, *inner))
        self.sounding += self.chord
        self.chord = []

    def _join(self, pitches: Sequence[int | None]) -> None:
        """A pitch joins each line, or None; lines that were one go on as two where their pitches differ."""
        if len(self.different) == 2 and len(set(pitches[:4])) == 1 and pitches[0] is not None and pitches[4] is None:
            self.different[0].take(self.onset, pitches[0])
            return
        going: dict[tuple[int, int | None], Trace] = {}
        kept: set[int] = set()
        for line, pitch in zip(self.lines, pitches, strict=True):
            if (id(line), pitch) not in going:
                going[id(line), pitch] = line.fork() if id(line) in kept else line
                kept.add(id(line))
        self.lines = [going[id(line), pitch] for line, pitch in zip(self.lines, pitches, strict=True)]
        self.different = list(dict.fromkeys(self.lines))
        for (_, pitch), line in going.items():
            if pitch is not None:
                line.take(self.onset, pitch)


@dataclass
class NoCopy(Rule):
    """No line of a part goes on to more than `most` own notes in a row that stand in the index.

    What was `given` may be quoted. The rule follows the encodings `notes` and `voices`, and comes before all others:
    one of them is passed over rather than this one. Of music that stands already, what was composed from tick `since`
    on counts too.
    """

    index: Index
    most: int = DEFAULT_MOST
    given: Index | None = None
    since: int | None = None
    fields: ClassVar[tuple[str, ...]] = PITCHES
    pieces: dict[int, _Piece] = field(default_factory=dict, repr=False)  # by the number of their stream

    def __post_init__(self) -> None:
        name = f"known {self.most}"
        if name not in self.index.made:
            self.index.made[name] = Known(self.index, self.most)
        self._known: Known = self.index.made[name]
        self._quoted = Known(self.given, self.most) if self.given is not None else None

    def __call__(self, name, logits, stream, chosen) -> None:
        piece = self.pieces.get(id(stream))
        if piece is None:
            piece = self.pieces[id(stream)] = _Piece(stream, self.since)
        if name == "pitch":
            part, onset, first = piece.part_of(chosen), stream.cursor.time + chosen["wait"], 0
        else:
            part, onset, first = piece.voice(name), stream.cursor.time, VOICE_PITCH
        if part is None:
            return
        if part.chord and onset != part.onset:
            part.settle()
        for line in part.different:
            if len(line.own) < self.most:
                continue
            for pitch in self._forbidden(line, onset):
                if 0 <= pitch < len(logits) - first:
                    logits[first + pitch] = FORBIDDEN

    def _forbidden(self, line: Trace, onset: int) -> list[int]:
        """The pitches that would make the line go on too far with what stands in the index."""
        if line.ahead[0] != len(line.pitches):
            line.ahead = len(line.pitches), self._ahead(line)
        if not line.ahead[1] or line.onsets[-1] >= onset:
            return []
        wait = onset - line.onsets[-1]
        ratio = wait / (line.onsets[-1] - line.onsets[-2])
        steps = {step for other, step in line.ahead[1] if other == ratio and step != END}
        return [line.pitches[-1] + step for step in steps if not line.figures.would_be_plain(step, wait)]

    def _ahead(self, line: Trace) -> set[tuple[float, int]]:
        """How the index goes on where the latest own notes of a line stand in it, as many as there may be."""
        first = line.own[-self.most]
        if first <= line.strange:
            return set()
        short = len(line.pitches) - search.FEWEST
        if not self._known.may_have(line.number(short, search.FEWEST)):
            line.strange = short
            return set()
        found = self._known.followers(line, first)
        return found - self._quoted.followers(line, first) if found and self._quoted else found


class _Piece:
    """The parts of one piece, read as far as it is composed."""

    def __init__(self, stream: Any, since: int | None):
        self.stream, self.read = stream, 0
        self.parts: dict[Any, Part] = {}
        cursor = stream.cursor
        if since is not None:
            for onset, duration, pitch, _, *sound in cursor.standing:
                if since <= onset < cursor.begin:
                    self._part(tuple(sound)).take(onset, pitch, duration)

    def _part(self, name: Any) -> Part:
        if name not in self.parts:
            self.parts[name] = Part()
        return self.parts[name]

    def part_of(self, chosen: Mapping[str, int]) -> Part | None:
        """The part of `notes` that the coming note belongs to."""
        notes = self.stream.cursor.notes
        for at in range(self.read, len(notes)):
            onset, duration, pitch, _, *sound = notes[at]
            self._part(tuple(sound)).take(onset, pitch, duration)
        self.read = len(notes)
        return self.parts.get((chosen["program"], chosen["part"]))

    def voice(self, name: str) -> Part | None:
        """The part of `voices` of that name."""
        for at in range(self.read, len(self.stream.steps)):
            for voice, choice in self.stream.steps[at].items():
                if choice >= VOICE_PITCH:
                    self._part(voice).take(at * STEP, choice - VOICE_PITCH, 1)
        self.read = len(self.stream.steps)
        return self.parts.get(name)


def usual(index: Index, style: str) -> int:
    """Own notes that 19 of 20 stretches of real pieces of a style share with the index at most, 8 to 16.

    Where real pieces share more, the same tunes are set again and again; a new piece need not be one more of them.
    """
    known = index.reference.get(style) or index.reference.get("")
    return min(max(FEWEST, round(known["longest"][USUAL])), DEFAULT_MOST) if known else DEFAULT_MOST


def no_copy(model: Any, request: Any, given: Score | None = None, since: int | None = None) -> list[Rule]:
    """The rule that a request asks of a model, in a list: none where it asks for 0, or where the model can have none.

    Where nothing is asked, the most is what is `usual` in the style. Raises `BadOption` where it is asked for and
    cannot be kept.
    """
    most, index = request.max_copy, model.index
    reason = ""
    if index is None or not len(index):
        reason = "has no index of its training music; train it again, or `partimento corpus index FOLDER --into MODEL`"
    elif model.encoding.name not in COVERED:
        reason = f"is of the encoding {model.encoding.name!r}; it is kept in {' and '.join(COVERED)}"
    if most and reason:
        raise BadOption(f"max_copy {most}: the model {reason}")
    if most == 0 or reason:
        return []
    quoted = build([("", "", given)]) if given is not None else None
    return [NoCopy(index, most or usual(index, request.style), quoted, since)]
