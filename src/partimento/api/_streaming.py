"""Composing that is heard while it goes on: notes as they are drawn, and the way to stop.

A `Stream` is an ear for the composing verbs (`ear=`): it tells a listener of every note soon after it is drawn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..encodings.base import Plan
from ..errors import Stopped
from ..score import Score
from ..theory import key_name
from ..timing import bar_ticks

EVERY = 0.04  # seconds between two tellings: what an eye takes for at once
Tell = Callable[[str, dict[str, Any]], None]


@dataclass
class _Grown:
    """What is told of one piece so far."""

    notes: np.ndarray | None = None
    numbers: dict[tuple[int, int, int], int] = field(default_factory=dict)  # (track, onset, pitch) -> number
    count: int = 0
    tracks: list[tuple[str, int]] = field(default_factory=list)


class Stream:
    """Tells `tell(name, data)` what is composed, in plain data: "plan", "notes", "tracks" and "progress".

    `stop` is asked at every step; once it says so, composing ends with `Stopped`. A note told again under its number
    has changed; one of duration 0 is gone. `clock` gives seconds.
    """

    def __init__(
        self, tell: Tell, *, pieces: int, stop: Callable[[], bool] = lambda: False, every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ):  # fmt: skip
        self.tell, self.stop, self.every, self.clock = tell, stop, every, clock
        self.pieces, self.grown = pieces, [_Grown() for _ in range(pieces)]
        self.last, self.length = 0.0, 1
        self.music: Callable[[int], Score] | None = None
        self.inside: np.ndarray | None = None
        self.span: tuple[int, int] | None = None
        self.changed: set[int] = set()

    def begin(
        self, plan: Plan, music: Callable[[int], Score], inside: Sequence[int] = (), span: tuple[int, int] | None = None
    ) -> None:
        """A piece, or one region of it, is about to be composed."""
        self._flush()
        for one in self.grown:
            one.notes, one.numbers = None, {}  # numbers go on; a new region has notes of its own
        self.music, self.span = music, span
        self.inside = np.array(inside, dtype=np.int64) if span else None
        told = plan_told(plan, music(0) if span else None, self.inside, span)
        self.length = told["end"]
        self.tell("plan", told | {"candidates": self.pieces})
        self.last = -np.inf  # the first note is told at once

    def step(self, n: int) -> None:
        """One more step of piece `n`; raises `Stopped` where that is wished."""
        if self.stop():
            self._flush()
            raise Stopped("composing was stopped; what was composed so far is kept")
        self.changed.add(n)
        if self.clock() - self.last >= self.every:
            self._flush()

    def end(self) -> None:
        """All is composed: tell what is left."""
        self._flush()

    def so_far(self, n: int = 0) -> Score | None:
        """Piece `n` as far as it is composed; None where it has not begun."""
        return self.music(n) if self.music else None

    def _flush(self) -> None:
        if self.music is None:
            return
        told = [self._tell_piece(n) for n in sorted(self.changed)]
        self.changed.clear()
        if any(told):
            self.last = self.clock()
            self.tell("progress", {"stage": "composing", "done": round(self._done(), 3)})

    def _done(self) -> float:
        """How much of what was begun is composed, 0-1: of the piece that is furthest back."""
        begun = [one.notes for one in self.grown if one.notes is not None and len(one.notes)]
        reached = [int(notes["onset"].max()) for notes in begun] if len(begun) == len(self.grown) else [0]
        begin, end = self.span or (0, self.length)
        return min(1.0, max(0.0, (min(reached) - begin) / max(1, end - begin)))

    def _tell_piece(self, n: int) -> bool:
        """Tell what is new in piece `n`; whether there was anything."""
        assert self.music is not None
        score, one = self.music(n), self.grown[n]
        notes = self._own(score.notes)
        same = _same_start(one.notes, notes)
        rows = self._renumbered(one, one.notes[same:] if one.notes is not None else notes[:0], notes[same:])
        one.notes = notes
        tracks = [(track.name, track.program) for track in score.tracks]
        if tracks != one.tracks and len(notes):
            one.tracks = tracks
            self.tell("tracks", {"candidate": n, "tracks": [{"name": a, "program": b} for a, b in tracks]})
        if not rows:
            return False
        self.tell("notes", {"candidate": n, "notes": rows, "tick": int(notes["onset"].max()) if len(notes) else 0})
        return True

    def _own(self, notes: np.ndarray) -> np.ndarray:
        """The notes that are composed, of a piece into which they are composed."""
        if self.span is None or self.inside is None:
            return notes
        begin, end = self.span
        return notes[(notes["onset"] >= begin) & (notes["onset"] < end) & np.isin(notes["track"], self.inside)]

    @staticmethod
    def _renumbered(one: _Grown, old: np.ndarray, new: np.ndarray) -> list[list[int]]:
        """Rows (number, track, onset, duration, pitch, velocity) of what has changed from `old` to `new`."""
        had = {_name(note): note for note in old}
        rows = []
        for note in new:
            name = _name(note)
            before = had.pop(name, None)
            if before is not None and before == note:
                continue
            if name not in one.numbers:
                one.numbers[name] = one.count
                one.count += 1
            duration, velocity = int(note["duration"]), int(note["velocity"])
            rows.append([one.numbers[name], name[0], name[1], duration, name[2], velocity])
        return rows + [[one.numbers.pop(name), name[0], name[1], 0, name[2], 0] for name in had]


def _name(note: np.void) -> tuple[int, int, int]:
    return int(note["track"]), int(note["onset"]), int(note["pitch"])


def _same_start(old: np.ndarray | None, new: np.ndarray) -> int:
    """How many notes at the start are the same."""
    if old is None:
        return 0
    count = min(len(old), len(new))
    differ = np.flatnonzero(old[:count] != new[:count])
    return int(differ[0]) if len(differ) else count


def plan_told(
    plan: Plan, standing: Score | None, inside: np.ndarray | None, span: tuple[int, int] | None
) -> dict[str, Any]:
    """What will come, in plain data: of a new piece, or of the part `span` of `standing` that is composed anew."""
    keys = [[0, key_name(*plan.key)]] if plan.key else []
    found: dict[str, Any] = {"style": plan.style, "keys": keys, "bars": plan.bars, "ticks_per_beat": 24}
    if standing is None:
        bar = bar_ticks(*plan.metre, 24)
        found |= {
            "tempos": [[0, float(plan.tempo)]], "metres": [[0, *plan.metre]], "upbeat": plan.upbeat % bar,
            "end": plan.upbeat % bar + plan.bars * bar,
            "tracks": [{"name": "", "program": int(program)} for program in sorted(plan.programs)],
        }  # fmt: skip
        return found
    return found | {
        "ticks_per_beat": standing.ticks_per_beat,
        "tempos": [[entry.tick, entry.bpm] for entry in standing.tempos],
        "metres": [[entry.tick, entry.numerator, entry.denominator] for entry in standing.metres],
        "upbeat": standing.upbeat, "end": max(standing.end, span[1] if span else 0),
        "tracks": [{"name": track.name, "program": track.program} for track in standing.tracks],
        "region": [list(map(int, span))] if span else [],
        "inside": inside.tolist() if inside is not None else [],
        "first_onset": int(standing.notes["onset"].min()) if len(standing) else 0,
    }  # fmt: skip
