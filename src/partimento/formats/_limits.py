"""What no piece of music exceeds. Checked before anything is made whose size follows from times in a file."""

from __future__ import annotations

from .. import timing
from ..errors import FormatError
from ..score import DEFAULT_METRE, Metre, Score

MOST_NOTES = 2_000_000
MOST_TICKS = 2**31 - 1
MOST_BARS = 20_000
MOST_SECONDS = 12 * 3600


def bar_count(score: Score) -> int:
    """How many bars `score` has, to within one for each change of metre, without making any."""
    metres = score.metres or (Metre(0, *DEFAULT_METRE),)
    stops = [*(metre.tick for metre in metres[1:]), score.end]
    bars = 0
    for metre, stop in zip(metres, stops, strict=True):
        ticks = max(0, min(stop, score.end) - metre.tick)
        bars += -(-ticks // timing.bar_ticks(metre.numerator, metre.denominator, score.ticks_per_beat))
    return bars


def refuse_absurd(score: Score, name: str, kind: type[FormatError] = FormatError) -> None:
    """Raise `kind` where notes, ticks, bars or seconds are beyond any piece: a flipped bit makes a year of a second."""
    if len(score) > MOST_NOTES:
        raise kind(f"{name}: {len(score):,} notes, more than {MOST_NOTES:,}; split it")
    if score.end > MOST_TICKS:
        raise kind(f"{name}: ends at tick {score.end:,}, beyond {MOST_TICKS:,}; it is damaged")
    bars = bar_count(score)
    if bars > MOST_BARS:
        raise kind(f"{name}: {bars:,} bars, more than {MOST_BARS:,}; it is damaged or no piece of music")
    seconds = timing.duration_seconds(score)
    if not seconds <= MOST_SECONDS:
        raise kind(f"{name}: lasts {seconds / 3600:,.0f} hours, more than 12; it is damaged or no piece of music")
