"""Making the index of a model: of the pieces that it learnt from, as large as its file has room for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..corpus import Cache, Piece
from ..encodings import Encoding
from ..errors import MusicError
from ..score import Score
from . import judging
from .index import Index, build
from .parts import BASSES, MELODIES

SHARE = 0.2  # of a model file that its index may take
PERCENTILES = 12_000  # bytes that what real pieces share may take
THINNED = 0.95  # lines kept at a time where even those that carry melodies are too many
MOST_HELD_OUT = 100  # pieces of a style that say what is usual


def room_beside(size: int) -> int:
    """Bytes that an index may have in a model file whose other members have `size`, less what percentiles take."""
    return max(0, int(size * SHARE / (1 - SHARE)) - PERCENTILES)


def of_cache(cache: Cache, encoding: Encoding, room: int, earlier: Index | None = None) -> Index | None:
    """The index of a cache's training pieces, at most `room` bytes, with what its other pieces share with it.

    `earlier` is that of the model that training went on from. None where the encoding gives no music back that could
    be compared, or there is no line in it.
    """
    try:
        learnt = build((piece.name, piece.style, _decoded(cache, encoding, piece)) for piece in cache.of("train"))
    except MusicError:
        return None
    whole = earlier.joined(learnt) if earlier is not None else learnt
    kept = fitted(whole, room)
    if not len(kept):
        return None
    beside = judging.reference(kept, [(piece.style, _decoded(cache, encoding, piece)) for piece in _held_out(cache)])
    return replace(kept, reference={**(earlier.reference if earlier is not None else {}), **beside})


def fitted(index: Index, room: int) -> Index:
    """The index with as many lines as `room` bytes hold: first basses are left out, then lines below, then others."""
    for level in range(BASSES, MELODIES - 1, -1):
        kept = index.up_to(level)
        if len(kept.packed()) <= room:
            return kept
    share = 1.0
    while len(kept.packed()) > room and len(kept):
        share *= THINNED
        kept = index.up_to(MELODIES).shortened(share)
    return kept


def _held_out(cache: Cache) -> list[Piece]:
    """The pieces that are not learnt, of each style at most `MOST_HELD_OUT` spread over all."""
    by_style: dict[str, list[Piece]] = {}
    for piece in (*cache.of("valid"), *cache.of("test")):
        by_style.setdefault(piece.style, []).append(piece)
    return [piece for some in by_style.values() for piece in some[:: -(-len(some) // MOST_HELD_OUT)]]


def _decoded(cache: Cache, encoding: Encoding, piece: Piece) -> Score:
    return encoding.decode(np.asarray(cache.steps[piece.start : piece.start + piece.length]))
