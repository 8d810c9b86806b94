"""Two sides of pieces made comparable: from every piece a span of as many bars as from every other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import BadOption, MusicError
from ..score import Score
from ..timing import Clock
from ..transform import cut
from .hearing import Hearing

LAST, FIRST = "last", "first"  # which bars of a piece the span is
MOST_BARS, FEWEST_BARS = 16, 4  # of a span, where nobody says how many
REACHED = 10  # percent of a side's pieces that may be too short for the span
LONGEST = 20_000  # bars of a piece; a damaged file may claim more than memory holds
NO_METRE, SHORT = "none of it is pitched", "bars"


@dataclass(frozen=True)
class Piece:
    """A piece by name; `score` may be of any length and in any ticks."""

    name: str
    score: Score


@dataclass
class Side:
    """The pieces of one side with what was left out: (name, reason)."""

    pieces: list[Piece] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, pieces: Iterable[Piece]) -> Side:
        """Those of `pieces` that can be heard."""
        found = cls()
        for piece in pieces:
            reason = _fault(piece.score)
            if reason:
                found.skipped.append((piece.name, reason))
            else:
                found.pieces.append(piece)
        return found

    def bars(self) -> np.ndarray:
        """Full bars of each piece, (N,)."""
        return np.array([full_bars(piece.score) for piece in self.pieces], dtype=int)

    def heard(self, bars: int, take: str = LAST) -> list[Hearing | None]:
        """A span of each piece as `Hearing`; None for a piece that is shorter than `bars`."""
        return [_heard(piece.score, bars, take) for piece in self.pieces]


def _fault(score: Score) -> str:
    """Why a score cannot be heard; nothing where it can."""
    if not len(score):
        return "no notes in it"
    beats = score.end / score.ticks_per_beat
    if beats > LONGEST * 4:
        return f"{beats:,.0f} beats long; the file is damaged, or lacks its note-offs"
    try:
        Hearing(score)
    except MusicError as error:
        return str(error)
    return ""


def _heard(score: Score, bars: int, take: str) -> Hearing | None:
    span = span_of(score, bars, take)
    try:
        return None if span is None else Hearing(span)
    except MusicError:  # drums alone in these bars: as good as no span
        return None


def full_bars(score: Score) -> int:
    """Bars of a score, an upbeat not counted."""
    return len(Clock(score).bars) - bool(score.upbeat)


def span_of(score: Score, bars: int, take: str = LAST) -> Score | None:
    """The `bars` last (or first) full bars of a score, cut at bar lines; None where it is shorter or they are silent.

    An upbeat is never in it, so that no side has the beginnings that the other lacks.
    """
    clock = Clock(score)
    lines = [bar.start for bar in clock.bars[bool(score.upbeat) :]] + [clock.bars[-1].end]
    if len(lines) <= bars:
        return None
    start, stop = (lines[-1 - bars], lines[-1]) if take == LAST else (lines[0], lines[bars])
    span = cut(score, start, stop)
    return span if len(span) else None


def common_bars(sides: Sequence[Side], wanted: int | None = None) -> int:
    """How many bars are taken of every piece: `wanted`, else what nine pieces in ten of each side have, 4 to 16."""
    if wanted is not None:
        if wanted < 1:
            raise BadOption(f"spans of {wanted} bars cannot be compared; wanted 1 or more")
        return wanted
    shortest = min(int(np.percentile(side.bars(), REACHED, method="lower")) for side in sides)
    return int(np.clip(shortest, FEWEST_BARS, MOST_BARS))


def doubles(ours: Side, theirs: Side) -> list[str]:
    """Names of our pieces whose notes stand on the other side as well."""
    known = {_print(piece.score) for piece in theirs.pieces}
    return [piece.name for piece in ours.pieces if _print(piece.score) in known]


def alike(scores: Sequence[Score]) -> list[list[int]]:
    """The places of `scores` by groups that have the very same notes, in the order of their firsts."""
    groups: dict[bytes, list[int]] = {}
    for place, score in enumerate(scores):
        groups.setdefault(_print(score), []).append(place)
    return list(groups.values())


def _print(score: Score) -> bytes:
    """The notes of a score by onset, duration and pitch in quarter notes."""
    notes = score.notes
    order = np.lexsort((notes["duration"], notes["pitch"], notes["onset"]))
    times = np.stack([notes["onset"][order], notes["duration"][order]]) * 24 // score.ticks_per_beat
    return times.astype(np.int64).tobytes() + notes["pitch"][order].tobytes()
