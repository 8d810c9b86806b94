"""What a style is like: the metres, keys, tempi, upbeats, instruments and ranges of its training pieces.

A model file carries the profiles of its styles, so that `compose` knows what to choose where nothing is asked for,
and the percentiles of listening measures, so that candidates can be ranked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from .corpus import Cache, Piece
from .encodings import Encoding
from .evaluation.listening import listen, reference
from .score import TICKS_PER_BEAT, Score
from .theory import key_of
from .timing import Clock

MOST_MEASURED = 400  # pieces a style whose listening measures are taken
SHARE_KEPT = 0.01  # of pieces that a metre, key or set of instruments needs to be listed
EDGES = (0.1, 99.9)  # percentiles of pitch that count as the range
SPAN = 16  # bars over which measures that grow with length are taken
BARS_MEASURED = (8, 64)  # pieces of this many bars stand for what `compose` makes


def style_profiles(cache: Cache, encoding: Encoding) -> dict[str, Any]:
    """The profile of every style that has training pieces in the cache."""
    styles = sorted({piece.style for piece in cache.of("train")})
    found = {}
    for style in styles:
        pieces = [piece for piece in cache.of("train") if piece.style == style]
        found[style] = profile(decoded(cache, encoding, pieces[:: max(1, len(pieces) // MOST_MEASURED)]))
        found[style]["ranges"] = ranges(cache, encoding, pieces)
        found[style]["pieces"] = len(pieces)
    return found


def decoded(cache: Cache, encoding: Encoding, pieces: Sequence[Piece]) -> list[Score]:
    """The pieces as scores, as the encoding gives them back."""
    return [encoding.decode(np.asarray(cache.steps[piece.start : piece.start + piece.length])) for piece in pieces]


def profile(scores: Sequence[Score]) -> dict[str, Any]:
    """Shares of metre with upbeat, keys, instruments; tempo by metre; percentiles of the listening measures."""
    kinds = Counter(_kind(score) for score in scores)
    keys = Counter((key.tonic, key.mode) for key in map(key_of, scores))
    programs = Counter(tuple(track.program for track in score.tracks) for score in scores)
    bars = [len(Clock(score).bars) for score in scores]
    measured = [s for s, n in zip(scores, bars, strict=True) if BARS_MEASURED[0] <= n <= BARS_MEASURED[1]]
    return {
        "metres": _shares(kinds),
        "keys": _shares(keys),
        "programs": _shares(programs),
        "bars": [float(np.percentile(bars, p)) for p in (5, 25, 50, 75, 95)],
        "measures": reference([listen(score, span=SPAN) for score in measured or scores]),
    }


def _kind(score: Score) -> tuple[int, int, int, int]:
    """Numerator, denominator, upbeat in ticks at 24 a beat, and tempo of a piece."""
    metre = score.metres[0] if score.metres else None
    tempo = round(score.tempos[0].bpm) if score.tempos else 120
    upbeat = score.upbeat * TICKS_PER_BEAT // score.ticks_per_beat
    return (*((metre.numerator, metre.denominator) if metre else (4, 4)), upbeat, tempo)


def _shares(counts: Counter) -> list[list]:
    """[value, share] for each value that is common enough, the commonest first."""
    total = sum(counts.values())
    kept = [(value, n) for value, n in counts.most_common() if n >= SHARE_KEPT * total] or counts.most_common(1)
    kept_total = sum(n for _, n in kept)
    return [[list(value), n / kept_total] for value, n in kept]


def ranges(cache: Cache, encoding: Encoding, pieces: Sequence[Piece]) -> dict[str, list[int]]:
    """Lowest and highest pitch of each composed field that holds pitches, leaving out one note in a thousand."""
    found: dict[str, list[int]] = {}
    columns = encoding.columns
    rows = np.concatenate([np.asarray(cache.steps[p.start : p.start + p.length]) for p in pieces])
    for name in ("pitch", "soprano", "alto", "tenor", "bass"):
        if name in columns:
            first = 0 if name == "pitch" else 2
            pitches = rows[:, columns[name]].astype(int) - first
            low, high = np.percentile(pitches[pitches >= 0], EDGES)
            found[name] = [int(low), int(high)]
    return found
