"""What is held out where the corpus spares no work for it: the last part of each long training piece.

A corpus of one or two files has no work to spare. The end of a piece is a kinder test than another work, since music
comes back in it; but it shows when a model only learns by heart.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..corpus import Cache, Piece
from ..encodings import Encoding

SHARE = 0.1  # of a piece, its last
FEWEST_STEPS = 48  # that are worth judging by
ENOUGH_TO_CHOOSE = 5  # works to choose weights by, below which those for a test join them
MOST_STEPS = 20_000  # of all pieces together


def with_held_out(cache: Cache, encoding: Encoding) -> tuple[Cache, str]:
    """The cache with something held out for validation if its music allows it, and a sentence on what that is.

    A cache that holds out whole works comes back as it is, with an empty sentence.
    """
    if cache.of("valid") or not cache.of("train"):
        return cache, ""
    pieces, ends = [], 0
    for piece in cache.pieces:
        cut = _cut(cache, encoding, piece) if piece.split == "train" and ends < MOST_STEPS else None
        pieces += _parted(piece, cut) if cut else [piece]
        ends += piece.length - cut if cut else 0
    if not ends:
        return cache, (
            "nothing is held out: there is no work to spare and no piece is long enough to spare its end, so that the "
            "last weights are kept and nothing can be said of music that was not trained on"
        )
    parts = len(pieces) - len(cache.pieces)
    of = "the piece" if parts == 1 else f"{parts} pieces"
    return replace(cache, pieces=pieces), (
        f"there is no work to spare: the last tenth of {of} ({ends:,} steps) is held out instead. Music comes back in "
        "its own piece, so figures on it flatter"
    )


def to_choose_by(cache: Cache) -> Cache:
    """The cache with works kept for a test among those that weights are chosen by, where these are very few.

    Of twenty files one may be held out for either: a single tune is a poor judge, and two are a better one.
    """
    held_out = [piece for piece in cache.pieces if piece.split != "train"]
    if len(cache.of("valid")) >= ENOUGH_TO_CHOOSE or not cache.of("valid") or not cache.of("test"):
        return cache
    moved = {piece.name for piece in held_out}
    return replace(cache, pieces=[replace(one, split="valid") if one.name in moved else one for one in cache.pieces])


def _cut(cache: Cache, encoding: Encoding, piece: Piece) -> int | None:
    """The row of `piece`, from its first, that begins the bar from which on it is held out; None where it is short."""
    wanted = piece.length - max(FEWEST_STEPS, round(SHARE * piece.length))
    if wanted < piece.length // 2:
        return None
    span = slice(piece.start + 1, piece.start + piece.length)
    bars = encoding.bar_numbers(np.asarray(cache.steps[span]), np.asarray(cache.times[span]))
    begins = 1 + np.flatnonzero(np.diff(bars, prepend=bars[0]) > 0)  # rows that begin a bar, but for the first
    begins = begins[(begins <= wanted) & (begins >= piece.length // 2)]
    return int(begins[-1]) if len(begins) else None


def _parted(piece: Piece, cut: int) -> list[Piece]:
    """What is learnt of a piece, and what is held out: the row before its first step is the last one that is learnt."""
    share = (cut - 1) / max(1, piece.length - 1)
    learnt = round(piece.notes * share)
    return [
        replace(piece, length=cut, notes=learnt),
        replace(
            piece, split="valid", start=piece.start + cut - 1, length=piece.length - cut + 1, notes=piece.notes - learnt
        ),
    ]
