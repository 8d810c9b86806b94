"""Windows of the encoding `notes` as tasks: going on, filling a gap, adding parts to parts that are given.

Rows stand in this order: one for each instrument; the music that is given of what lies ahead (what comes after the
gap, and the given parts within it); a row before the music; the music before the gap; what is to be composed; the
row that ends it. Relative musical time, which rows carry beside them, says where in the gap a given note belongs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..score import TICKS_PER_BEAT
from ..timing import bar_ticks
from . import _given as given_fields
from .base import Lesson

LONGEST_WAIT = 16 * TICKS_PER_BEAT
END = LONGEST_WAIT + 1  # class of `wait` that closes the piece
PLACES = 12 * TICKS_PER_BEAT  # ticks of the longest bar that is told apart to the tick
COMPOSED = ("wait", "program", "part", "pitch", "duration", "velocity")
AHEAD = 128  # rows of given music at most
HEADERS = 16  # instruments named at most
GAP, PARTS, OPEN, UNNAMED = 0.35, 0.25, 0.1, 0.1  # shares of windows: with a gap, with given parts, cut off, unnamed
AT_START = 0.2  # share of gaps that the window begins with, besides those that chance puts there
LONGEST_GAP = 11  # bars
METRE_TICKS = np.array([bar_ticks(*metre, TICKS_PER_BEAT) for metre in given_fields.METRES])
Columns = Mapping[str, int]
Told = tuple[np.ndarray, np.ndarray]  # rows (T, columns) and their times (T,)


@dataclass(frozen=True)
class Task:
    """What of a window is to be composed: bars `first` to `stop` (None: to its end), without the parts `given`.

    What comes before bar `first` is heard in all parts; without given parts it is learnt like the gap itself.
    """

    first: int = 0
    stop: int | None = None
    given: frozenset[tuple[int, int]] = frozenset()  # (program, part)
    is_named: bool = True  # whether the instruments are named
    is_open: bool = False  # whether what comes from bar `stop` on is not known either


class Window:
    """The notes in rows (T, columns) with times (T,), which may begin with the row before the music and end it."""

    def __init__(self, columns: Columns, rows: np.ndarray, times: np.ndarray):
        sounding = rows[:, columns["pitch"]] >= 0
        self.columns, self.head = columns, rows[0]
        self.begins, self.closes = not sounding[0], bool(rows[-1, columns["wait"]] == END)
        self.notes, self.at = rows[sounding], times[sounding].astype(np.int64)
        self.bars = bar_numbers(columns, self.notes, self.at)
        place = int(self.notes[0, columns["place"]]) - 1
        self.line = int(times[0]) if self.begins else int(self.at[0]) - place  # where its first bar begins

    def cut(self, stop: int) -> None:
        """Forget the notes from bar `stop` on."""
        before = self.bars < stop
        self.closes = self.closes and bool(before.all())
        self.notes, self.at, self.bars = self.notes[before], self.at[before], self.bars[before]

    def sounds(self) -> list[tuple[int, int]]:
        """(program, part) of all that plays."""
        return sorted(set(map(tuple, self.notes[:, [self.columns["program"], self.columns["part"]]].tolist())))

    def lies_ahead(self, task: Task) -> np.ndarray:
        """Which notes are told beforehand, (N,) bool: what follows the gap, and the given parts from it on."""
        ahead = np.zeros(len(self.notes), dtype=bool)
        for program, part in task.given:
            ahead |= (self.notes[:, self.columns["program"]] == program) & (self.notes[:, self.columns["part"]] == part)
        ahead &= self.bars >= task.first
        return ahead if task.stop is None else ahead | (self.bars >= task.stop)

    def role(self, task: Task) -> int:
        """Whether the music goes on after the task's last row."""
        to_the_end = task.stop is None or (self.closes and task.stop > self.bars[-1])
        return given_fields.ENDS if to_the_end else given_fields.GOES_ON

    def start(self, task: Task) -> np.ndarray:
        """The row before the music, (columns,)."""
        row = _before(self.columns, self.head if self.begins else self.notes[0], self.begins)
        row[self.columns["role"]] = self.role(task)
        if task.stop is not None:
            row[self.columns["bars_left"]] = 1 + min(task.stop, given_fields.BARS_LEFT)
        return row

    def composed(self, task: Task, chosen: np.ndarray) -> Told:
        """The `chosen` notes (N,) bool as they are learnt: counting down to the end of the gap."""
        rows, at = self.notes[chosen], self.at[chosen]
        rows[:, self.columns["role"]] = self.role(task)
        rows[:, self.columns["wait"]] = np.minimum(LONGEST_WAIT, np.diff(at, prepend=self.line))
        if task.stop is not None:
            left = np.clip(task.stop - 1 - self.bars[chosen], 0, given_fields.BARS_LEFT)
            rows[:, self.columns["bars_left"]] = 1 + left
        return rows, at

    def ending(self, task: Task, last: np.ndarray) -> Told:
        """The row that closes the task at the time of the `last` note, if there is one; none where music is cut off."""
        if not len(last) or not (self.closes or task.stop is not None):
            return self.notes[:0], last[:0]
        row = _before(self.columns, self.notes[-1], True)
        row[self.columns["wait"]] = END
        return row[None], last[-1:]


def arranged(columns: Columns, rows: np.ndarray, times: np.ndarray, task: Task | np.random.Generator) -> Lesson:
    """The window of `rows` (T, columns) with `times` (T,) as a task; a generator draws one."""
    if not (rows[:, columns["pitch"]] >= 0).any():
        return Lesson(rows, times, np.ones(len(rows), dtype=bool))
    window = Window(columns, rows, times)
    if isinstance(task, np.random.Generator):
        task = chosen(window, task)
    if task.is_open and task.stop is not None:
        window.cut(task.stop)
    ahead, start = window.lies_ahead(task), window.start(task)
    names = named(columns, window.sounds()[:HEADERS] if task.is_named else (), start)
    composed = window.composed(task, ~ahead)
    parts = (
        (names, np.full(len(names), window.line)),
        told_ahead(columns, window.notes[ahead][:AHEAD], window.at[ahead][:AHEAD]),
        (start[None], np.array([window.line])),
        composed,
        window.ending(task, composed[1]),
    )
    table, when = (np.concatenate(entries) for entries in zip(*parts, strict=True))
    counts = np.ones(len(table), dtype=bool)
    # the first note of a window from the middle of a piece is where it goes on from
    counts[: sum(len(part) for part, _ in parts[:3]) + (not window.begins)] = False
    return Lesson(table, when.astype(np.int32), counts)


def chosen(window: Window, rng: np.random.Generator) -> Task:
    """A task for a window, by chance."""
    count, first, stop = int(window.bars[-1]) + 1, 0, None
    kind = rng.random()
    if kind < GAP + OPEN and count > 2:
        length = int(rng.integers(1, max(2, min(count, LONGEST_GAP + 1))))
        first = int(rng.integers(0, count - length)) if rng.random() < 1 - AT_START else 0
        stop = first + length if kind < GAP else count - (not window.closes)  # its last bar may be cut short
    given: frozenset = frozenset()
    sounds = window.sounds()
    if len(sounds) > 1 and rng.random() < PARTS:
        wanted = int(rng.integers(1, len(sounds)))
        given = frozenset(sounds[n] for n in rng.permutation(len(sounds))[:wanted])
    return Task(first, stop, given, rng.random() >= UNNAMED, is_open=kind >= GAP and stop is not None)


def bar_numbers(columns: Columns, notes: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Number of the bar of each note (N,), the first being 0, by places and metres.

    A bar that a change of metre cuts short counts as one; silent bars are counted by the metre before them.
    """
    place = notes[:, columns["place"]].astype(np.int64) - 1
    lengths = METRE_TICKS[np.maximum(notes[:, columns["metre"]].astype(int) - 1, 0)]
    lines = times - place
    for n in np.flatnonzero(place >= PLACES - 1):  # so far into its bar that its place says no more than that
        if n:
            lines[n] = lines[n - 1] + (times[n] - lines[n - 1]) // lengths[n] * lengths[n]
    passed = np.round(np.diff(lines) / lengths[:-1]).astype(int)
    return np.concatenate([[0], np.cumsum(np.maximum(passed, np.diff(lines) > 0))])


def _before(columns: Columns, row: np.ndarray, begins: bool) -> np.ndarray:
    """The row before the music: what is given, nothing composed. Without `begins`, before the note `row`."""
    start = row.copy()
    for name in COMPOSED:
        start[columns[name]] = -1
    if not begins:
        start[columns["place"]] = 0
        start[columns["bars_left"]] = min(start[columns["bars_left"]] + 1, 1 + given_fields.BARS_LEFT)
    return start


def told_ahead(columns: Columns, given: np.ndarray, at: np.ndarray) -> Told:
    """Given music as rows: its waits among themselves, the first one its place in the bar."""
    given = given.copy()
    if len(given):
        given[1:, columns["wait"]] = np.clip(np.diff(at), 0, LONGEST_WAIT)
        given[0, columns["wait"]] = max(0, int(given[0, columns["place"]]) - 1)
        given[:, columns["bars_left"]] = 0
        given[:, columns["role"]] = given_fields.GIVEN
    return given, at


def named(columns: Columns, sounds: Iterable[tuple[int, int]], start: np.ndarray) -> np.ndarray:
    """A row for each of `sounds` (program, part) before the row `start`, (sounds, columns)."""
    sounds = list(sounds)
    rows = np.repeat(start[None], len(sounds), axis=0)
    for row, (program, part) in zip(rows, sounds, strict=True):
        row[columns["program"]], row[columns["part"]] = program, part
        row[columns["role"]] = given_fields.INSTRUMENT
    return rows


def told_again(columns: Columns, instruments: np.ndarray, given: Told, music: Told) -> Told:
    """Rows of `instruments` (I, columns), what is `given` ahead, a row before the music, and the latest `music`.

    Where there is no note in the music, its last row is the one before it.
    """
    (told, told_times), (kept, kept_times) = told_ahead(columns, *given), music
    is_music = kept[:, columns["pitch"]] >= 0
    if is_music.any():
        kept, kept_times = kept[is_music].copy(), kept_times[is_music]
        kept[0, columns["wait"]] = max(0, int(kept[0, columns["place"]]) - 1)
        line = int(kept_times[0]) - int(kept[0, columns["wait"]])
        start = _before(columns, kept[0], False)
    else:
        start, line, kept, kept_times = kept[-1], int(kept_times[-1]), kept[:0], kept_times[:0]
    names = named(columns, instruments[:, [columns["program"], columns["part"]]].tolist(), start)
    table = np.concatenate([names, told, start[None], kept])
    return table, np.concatenate([np.full(len(names), line), told_times, [line], kept_times])
