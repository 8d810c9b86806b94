"""Which notes of a bar share a beam: by the half bar where there are eighths alone, else by the beat."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from ._values import BEAT, Grid, Piece

FLAGS = {"eighth": 1, "16th": 2, "32nd": 3, "64th": 4}


def beams(pieces: Sequence[Piece], rests: Sequence[bool], bar: Grid) -> list[list[str]]:
    """For each piece the words of its beams, the first level first (none for what has no flag or stands alone)."""
    words: list[list[str]] = [[] for _ in pieces]
    wide = _wide(pieces, rests, bar)
    numbers = [
        None if rest or piece.type not in FLAGS else _window(piece, bar, wide)
        for piece, rest in zip(pieces, rests, strict=True)
    ]
    at = 0
    for window, members in groupby(numbers):
        size = len(list(members))
        if window is not None and size > 1:
            _beam(pieces[at : at + size], words[at : at + size])
        at += size
    return words


def _wide(pieces: Sequence[Piece], rests: Sequence[bool], bar: Grid) -> set[int]:
    """The half bars (by number) that hold nothing shorter than an eighth and no triplet."""
    size = _wide_size(bar)
    narrow = {
        piece.start // size
        for piece, rest in zip(pieces, rests, strict=True)
        if piece.cell or FLAGS.get(piece.type, 0) > 1 or (rest and piece.type in FLAGS)
    }
    return set(range(bar.length // size + 1)) - narrow


def _wide_size(bar: Grid) -> int:
    if bar.compound or bar.pulse > BEAT:
        return bar.pulse
    second = bar.levels[1] if len(bar.levels) > 1 else bar.pulse
    return second if isinstance(second, int) and second == 2 * bar.pulse else bar.pulse


def _window(piece: Piece, bar: Grid, wide: set[int]) -> tuple:
    """A name of the span in which notes share a beam."""
    if piece.cell and piece.cell.base >= BEAT:
        return ("triplet", piece.cell.start)
    irregular = next((level for level in bar.levels if isinstance(level, tuple)), None)
    if irregular:
        return ("group", sum(at <= piece.start for at in irregular))
    size = _wide_size(bar)
    if piece.start // size in wide:
        return ("half", piece.start // size)
    step = bar.pulse if bar.compound else min(bar.pulse, BEAT)
    return ("beat", piece.start // step)


def _beam(group: Sequence[Piece], words: Sequence[list[str]]) -> None:
    """Write the beams of one group into `words`."""
    for level in range(1, max(FLAGS[piece.type] for piece in group) + 1):
        at = 0
        for deep, members in groupby(FLAGS[piece.type] >= level for piece in group):
            size = len(list(members))
            if deep and size == 1:
                words[at].append(_hook(group, at))
            elif deep:
                for place in range(at, at + size):
                    words[place].append("begin" if place == at else "end" if place == at + size - 1 else "continue")
            at += size


def _hook(group: Sequence[Piece], at: int) -> str:
    """A lone short note's beam points into its own beat."""
    if at == 0 or at == len(group) - 1:
        return "backward hook" if at else "forward hook"
    piece = group[at]
    return "forward hook" if piece.start % (2 * (piece.end - piece.start)) == 0 else "backward hook"
