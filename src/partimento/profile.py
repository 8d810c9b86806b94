"""What a style is like: the metres, keys, tempi, upbeats, instruments and ranges of its training pieces.

A model file carries the profiles of its styles, so that `compose` knows what to choose where nothing is asked for,
and the percentiles of listening measures, so that candidates can be ranked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .corpus import Cache, Piece
from .describe import scale_of
from .encodings import Encoding
from .encodings._given import AXES, DESCRIPTORS, RAW, classed, measure_of
from .evaluation.listening import listen, reference
from .outlines import MOST_OUTLINES, outlines
from .score import TICKS_PER_BEAT, Score
from .theory import key_of, pitched
from .timing import Clock
from .transform import cut

Scales = Mapping[str, Mapping[str, Sequence[float]]]  # style -> descriptor -> percentiles of its music
LEVELLED = (*DESCRIPTORS, *AXES)
MOST_MEASURED = 400  # pieces a style whose listening measures are taken
SHARE_KEPT = 0.01  # of pieces that a metre, key or set of instruments needs to be listed
EXTREMES = (0.1, 99.9)  # percentiles of pitch that count as the range
ENOUGH, PASSAGE = 20, 24  # pieces of moderate length; bars of passages where there are fewer
CLOSINGS = ("final", "authentic_close")  # measures of how a piece ends
SPAN = 16  # bars over which measures that grow with length are taken
BARS_MEASURED = (8, 64)  # pieces of this many bars stand for what `compose` makes


def scales_of(cache: Cache, encoding: Encoding) -> Scales:
    """The scale of every descriptor and axis of every style, by its training music, each bar counted once.

    Empty for cached music without measures. A style that lacks an axis has no scale for it.
    """
    columns = encoding.columns
    found: dict[str, dict[str, list[float]]] = {}
    for style in sorted({piece.style for piece in cache.of("train")}):
        pieces = [piece for piece in cache.of("train") if piece.style == style]
        rows = np.concatenate([_bar_rows(cache, encoding, piece) for piece in pieces])
        found[style] = {}
        for name in (name for name in LEVELLED if name in columns):
            raw = rows[:, columns[name]]
            if len(raw := raw[raw >= RAW]):
                found[style][name] = scale_of(measure_of(raw))
    return found


def _bar_rows(cache: Cache, encoding: Encoding, piece: Piece) -> np.ndarray:
    """The first row of each bar of a piece in which something is struck, (bars, columns)."""
    span = slice(piece.start + 1, piece.start + piece.length)
    rows, times = np.asarray(cache.steps[span]), np.asarray(cache.times[span])
    if "place" in encoding.columns:
        in_bar = rows[:, encoding.columns["place"]] > 0  # the row that ends a piece lies in none
        rows, times = rows[in_bar], times[in_bar]
    _, first = np.unique(encoding.bar_numbers(rows, times), return_index=True)
    return rows[first]


def with_classes(rows: np.ndarray, encoding: Encoding, scales: Mapping[str, Sequence[float]]) -> np.ndarray:
    """Rows (T, columns) with measures turned into classes by a style's scales; without a scale they are not said."""
    for name in LEVELLED:
        if name in encoding.columns:
            column = encoding.columns[name]
            rows[:, column] = classed(rows[:, column].astype(int), scales.get(name, ())[1:-1])
    return rows


def style_profiles(cache: Cache, encoding: Encoding) -> dict[str, Any]:
    """The profile of every style that has training pieces in the cache."""
    styles, scales = sorted({piece.style for piece in cache.of("train")}), scales_of(cache, encoding)
    found = {}
    for style in styles:
        pieces = [piece for piece in cache.of("train") if piece.style == style]
        found[style] = profile(decoded(cache, encoding, pieces[:: max(1, len(pieces) // MOST_MEASURED)]))
        found[style]["ranges"] = ranges(cache, encoding, pieces)
        found[style]["pieces"], found[style]["scales"] = len(pieces), scales[style]
        found[style]["velocities"] = velocities(cache, encoding, pieces)
        found[style]["axes"] = [
            [name, field, scales[style][field]]
            for field, name in zip(AXES, getattr(encoding, "axes", ()), strict=False)
            if field in scales[style]
        ]
        found[style]["outlines"] = outlines(cache, encoding, pieces)
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
        "measures": reference(
            [listen(score, span=SPAN) for score in measured] if len(measured) >= ENOUGH else _of_passages(scores)
        ),
    }


def _of_passages(scores: Sequence[Score]) -> list[dict[str, float]]:
    """Listening measures of passages, where pieces are too long to compare with: their first, middle and last bars.

    How a piece closes, the last ones alone can say.
    """
    found = []
    for score in scores:
        starts = [bar.start for bar in Clock(score).bars] + [score.end]
        count = len(starts) - 1
        for first in sorted({0, max(0, (count - PASSAGE) // 2), max(0, count - PASSAGE)}):
            passage = cut(score, starts[first], starts[min(first + PASSAGE, count)])
            if len(pitched(passage)):
                last = first + PASSAGE >= count
                heard = listen(passage, span=SPAN).items()
                found.append(
                    {name: value for name, value in heard if name != "bars" and (last or not name.startswith(CLOSINGS))}
                )
    return found


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
    for name in ("pitch", "soprano", "alto", "tenor", "bass"):
        if name in columns:
            column = [np.asarray(cache.steps[p.start : p.start + p.length, columns[name]]) for p in pieces]
            pitches = np.concatenate(column).astype(int) - (0 if name == "pitch" else 2)
            sounding = pitches[pitches >= 0]
            if len(sounding):  # a voice may be silent in all the music
                low, high = np.percentile(sounding, EXTREMES)
                found[name] = [int(low), int(high)]
    return found


def velocities(cache: Cache, encoding: Encoding, pieces: Sequence[Piece]) -> list[int]:
    """The 10th, 50th and 90th percentile of velocity in a style."""
    scores = decoded(cache, encoding, pieces[:: max(1, len(pieces) // MOST_OUTLINES)])
    return [int(at) for at in np.percentile(np.concatenate([s.notes["velocity"] for s in scores]), (10, 50, 90))]
