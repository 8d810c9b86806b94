"""The tempo and dynamics that printed scores lack, restored by rule.

The rules follow Friberg, Bresin and Sundberg (2006, "Overview of the KTH rule system for musical performance",
Advances in Cognitive Psychology 2: 145-161): phrase arch, metrical accents, the higher the louder, melody before
accompaniment, the longer the louder, final ritard. That tempo and loudness swell together in parabolas, a phrase
within a larger one, is from Todd (1992, "The dynamics of dynamics: a model of musical expression", JASA 91:
3540-3550); the curve of the ritard from Friberg and Sundberg (1999, "Does music performance allude to locomotion?",
JASA 105: 1469-1484). Velocities stand for loudness, as MIDI instruments have it.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .errors import BadOption
from .lines import melody
from .score import DEFAULT_TEMPO, Score, Tempo
from .theory import is_pitched
from .timing import Clock, bar_ticks, pulse_ticks
from .transform import find_upbeat

EXCITEMENT_RANGE, CALM_TO_LIVELY = (1.0, 10.0), (1.0, 5.5, 10.0)
LEVELS = (48.0, 76.0, 108.0)  # mean velocity at excitement 1, 5.5 and 10
LOUDEST = 96.0  # mean velocity of flat music from which on there is no room for dynamics above
PACES = (0.72, 1.0, 1.35)  # times the tempo at the same
SHORTENING = (0.0, 0.0, 0.2)  # of a note's length at the same: legato stays
MOST_AMOUNT = 2.0
OWN_DYNAMICS = 8.0  # standard deviation of velocity that is dynamics already
STEADY = 1.01  # times the slowest tempo: what does not go beyond is one tempo
FINE_DYNAMICS, FINE_VALUES = 4.0, (5, 16)  # ... or this, with different velocities beyond a few printed p and f
PHRASE_BARS = 4
PERIOD = 4  # phrases that a larger arch spans
# What a phrase of so many bars costs beside one of four; a pause before the next is worth up to 1
PHRASE_COSTS = {1: 2.0, 2: 0.7, 3: 0.5, 4: 0.0, 5: 0.5, 6: 0.6, 7: 0.9, 8: 0.7}
# Velocities from the edge of a phrase to its middle, and of a larger arch; for the melody, an octave, twice the length
SWELL, LARGE_SWELL, LEAD, OCTAVE, LONGER = 12.0, 6.0, 8.0, 4.0, 1.5
MOST_FOR_HEIGHT, MOST_FOR_LENGTH = 5.0, 3.0
DOWNBEAT, HALF_BAR, BEAT, OFFBEAT = 6.0, 3.0, 1.0, -3.0  # velocities
ARCH_MEAN = 2 / 3  # of a parabola from 0 over 1 to 0
RUBATO = 0.05  # share of the tempo from the edge of a phrase to its middle
FINAL_PACE, CURVE = 0.65, 3.0  # of the ritard: tempo at the last onset, and the exponent of its curve
MOST_LENGTHENING = 0.045  # share of the piece that the ritard may add
VELOCITY_NOISE, TEMPO_NOISE = 2.0, 0.006  # standard deviations; the latter a share of the tempo


def perform(
    score: Score,
    *,
    excitement: float | np.ndarray | None = None,
    amount: float = 1.0,
    rng: np.random.Generator | None = None,
) -> Score:
    """The score with dynamics and tempo as a player would shape them; onsets never move.

    `excitement` (1-10; 5.5 is neutral) is one number or one a full bar, (bars,), an upbeat having that of the first
    bar and further values than bars being left out: it sets the mean velocity, from about 48 over 76 to 108, and
    above 5.5 shortens notes by up to a fifth; `None` leaves both, but music too loud for dynamics is played softer.
    `amount` (0-2) scales everything; at 0 the same score comes back. Velocities stay in 1-127; drums get the level and
    the accents only. The tempo changes on felt beats, and the piece lasts within 5 % of what it did. `rng` adds small
    noise to both; without, nothing is drawn.

    What is expressive already is kept: velocities that spread by more than 8 (standard deviation, the balance
    between tracks not counted) or finely, and then the articulation too; and the tempi where there are several.
    Raises `BadOption` for numbers out of range and for too few values of excitement.
    """
    if not 0 <= amount <= MOST_AMOUNT:
        raise BadOption(f"amount {amount:g} of expression is out of range; wanted 0 to {MOST_AMOUNT:g}")
    clock = Clock(replace(score, upbeat=find_upbeat(score)) if len(score) else score)
    curve = None if excitement is None else _curve(excitement, clock)
    if not len(score) or not amount:
        return score
    bounds = phrase_bounds(clock.score)
    shaped = score
    if not has_dynamics(score):
        shaped = shaped.with_notes(_dynamics(clock, bounds, curve, amount, rng))
    if not has_tempi(score):
        shaped = replace(shaped, tempos=_tempi(clock, bounds, amount, rng))
    return shaped


def excitement_tempo(tempo: float, excitement: float) -> float:
    """`tempo` (quarter notes a minute) at an excitement of 1-10: times 0.72 at 1, itself at 5.5, times 1.35 at 10.

    Tempo and loudness carry arousal more than anything else (Gabrielsson and Lindström 2010, "The role of structure
    in the musical expression of emotions"; Eerola, Friberg and Bresin 2013, Frontiers in Psychology 4: 487, who find
    that their levels act nearly linearly and add up); in between, equal steps are equal ratios.
    """
    _check_excitement(np.array([excitement], dtype=float))
    return tempo * math.exp(float(np.interp(excitement, CALM_TO_LIVELY, np.log(PACES))))


def has_dynamics(score: Score) -> bool:
    """Do the velocities say more than the balance between tracks and a few printed marks?"""
    if not len(score):
        return False
    velocity, track = score.notes["velocity"].astype(float), score.notes["track"]
    spread = float(np.std(velocity - _means(velocity, track)))
    values = len(np.unique(velocity))
    fine = spread > FINE_DYNAMICS and values >= np.clip(len(score) / 3, *FINE_VALUES)
    return bool(spread > OWN_DYNAMICS or fine)


def has_tempi(score: Score) -> bool:
    """Does the tempo change, by one per cent at least? Less is the rounding of a program that wrote it down."""
    values = [tempo.bpm for tempo in score.tempos]
    return bool(values) and max(values) > min(values) * STEADY


def _means(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """For each of `values` (N,) the mean of its `group` (N,), small integers: (N,)."""
    return (np.bincount(group, values) / np.maximum(1, np.bincount(group)))[group]


def _check_excitement(values: np.ndarray) -> None:
    low, high = EXCITEMENT_RANGE
    outside = values[~((values >= low) & (values <= high))]
    if len(outside):
        raise BadOption(f"excitement {outside[0]:g} is out of range; wanted {low:g} to {high:g}")


def _curve(excitement: float | np.ndarray, clock: Clock) -> np.ndarray:
    """The excitement at the onset of every note, (N,): a line through the middles of the bars."""
    values = np.atleast_1d(np.asarray(excitement, dtype=float))
    if values.ndim > 1 or not len(values):
        raise BadOption(f"excitement of shape {values.shape}; wanted one number, or one a bar")
    _check_excitement(values)
    bars = clock.bars[1:] if clock.score.upbeat else clock.bars
    if np.ndim(excitement) == 0:
        values = np.repeat(values, len(bars))
    if len(values) < len(bars):
        raise BadOption(f"{len(values)} values of excitement for {len(bars)} bars; wanted one a bar, or a single one")
    middles = np.array([(bar.start + bar.end) / 2 for bar in bars])
    return np.interp(clock.score.notes["onset"], middles, values[: len(bars)])


# --- phrases


def phrase_bounds(score: Score) -> np.ndarray:
    """Ticks at which phrases begin, and the end of the last, (phrases + 1,).

    Phrases have four bars where nothing speaks against it, else up to eight: they rather end where the melody waits
    before its next note. With an upbeat each begins as much before the bar line as the first does.
    """
    clock = Clock(score)
    starts = clock.bar_starts[1:] - score.upbeat if score.upbeat else clock.bar_starts
    pauses, bars = _pauses(score, starts), len(starts)
    best, back = [0.0] + [math.inf] * bars, [0] * (bars + 1)
    for end in range(1, bars + 1):
        worth = pauses[end] if end < bars else 0.0
        for length, cost in PHRASE_COSTS.items():
            if length <= end and best[end - length] + cost - worth < best[end]:
                best[end], back[end] = best[end - length] + cost - worth, length
    ends = [bars]
    while ends[-1]:
        ends.append(ends[-1] - back[ends[-1]])
    return np.array([int(starts[place]) for place in ends[:0:-1]] + [max(score.end, clock.bars[-1].end)])


def _pauses(score: Score, ticks: np.ndarray) -> np.ndarray:
    """How long the melody waits across each of `ticks` (M,), 0 (as ever, or held over) to 1 (4 times that): (M,)."""
    line = score.notes[melody(score)]
    if not len(line):
        line = score.notes  # nothing but drums
    onsets, first = np.unique(line["onset"], return_index=True)
    stops = np.maximum.reduceat(line["onset"] + line["duration"], first)
    gaps = np.diff(onsets)
    if not len(gaps):
        return np.zeros(len(ticks))
    after = np.searchsorted(onsets, ticks)
    inside = (after > 0) & (after < len(onsets))
    before = np.clip(after - 1, 0, len(gaps) - 1)
    longer = np.log2(gaps[before] / np.median(gaps))
    return np.where(inside & (stops[before] <= ticks), np.clip(longer, 0, 2) / 2, 0.0)


def _arch(bounds: np.ndarray, ticks: np.ndarray) -> np.ndarray:
    """A parabola over each stretch between `bounds`: 0 at its ends, 1 in its middle; at `ticks` (N,): (N,)."""
    place = np.clip(np.searchsorted(bounds, ticks, side="right") - 1, 0, len(bounds) - 2)
    along = (ticks - bounds[place]) / (bounds[place + 1] - bounds[place])
    return 1 - (2 * np.clip(along, 0, 1) - 1) ** 2


def _larger(bounds: np.ndarray) -> np.ndarray:
    """The bounds of groups of four phrases."""
    return np.unique([*bounds[:-1:PERIOD], bounds[-1]])


# --- dynamics and articulation


def _dynamics(
    clock: Clock, bounds: np.ndarray, curve: np.ndarray | None, amount: float, rng: np.random.Generator | None
) -> np.ndarray:
    """The notes (N,) with their velocities and, where `curve` (N,) is lively, shorter."""
    notes = clock.score.notes.copy()
    own = notes["velocity"].astype(float)
    drums = ~is_pitched(clock.score)
    change = _accents(clock, notes["onset"])
    change[~drums] += _phrasing(clock.score, bounds)[~drums]
    change -= _means(change, drums.astype(int))
    if rng is not None:
        change += rng.normal(0, VELOCITY_NOISE, len(notes))
    level = own - max(0.0, own.mean() - LOUDEST)
    if curve is not None:
        wanted = np.interp(curve, CALM_TO_LIVELY, LEVELS)
        level = own + (wanted - own.mean()) * min(1.0, amount)
        notes["duration"] -= np.where(drums, 0, _shortening(clock.score, curve, amount))
    notes["velocity"] = np.clip(np.rint(level + amount * change), 1, 127)
    return notes


def _accents(clock: Clock, ticks: np.ndarray) -> np.ndarray:
    """Velocities for the place in the bar of each of `ticks` (N,): downbeat, middle of the bar, beat, between beats."""
    unit, score = clock.score.ticks_per_beat, clock.score
    at = clock.bar_at(ticks)
    full = np.array([bar_ticks(bar.numerator, bar.denominator, unit) for bar in clock.bars])
    pulse = np.array([pulse_ticks(bar.numerator, bar.denominator, unit) for bar in clock.bars])
    missing = np.zeros(len(full), dtype=np.int64)
    missing[0] = full[0] - score.upbeat if score.upbeat else 0  # an upbeat stands at the end of its bar
    place = (ticks - clock.bar_starts[at] + missing[at]) / pulse[at]
    beats = np.maximum(1, full // pulse)[at]
    beat = np.rint(place) % beats
    middle = (beats >= 4) & (beat * 2 == beats)
    on_beat = np.where(beat == 0, DOWNBEAT, np.where(middle, HALF_BAR, BEAT))
    return np.where(np.abs(place - np.rint(place)) <= 1 / 16, on_beat, OFFBEAT)


def _phrasing(score: Score, bounds: np.ndarray) -> np.ndarray:
    """Velocities for phrase, height, melody and length of each note, (N,)."""
    notes = score.notes
    onset, pitch = notes["onset"], notes["pitch"].astype(float)
    height = np.clip((pitch - _means(pitch, notes["track"])) / 12 * OCTAVE, -MOST_FOR_HEIGHT, MOST_FOR_HEIGHT)
    length = LONGER * np.log2(notes["duration"] / np.median(notes["duration"]))
    return (
        SWELL * _arch(bounds, onset)
        + LARGE_SWELL * _arch(_larger(bounds), onset)
        + height
        + LEAD * melody(score)
        + np.clip(length, -MOST_FOR_LENGTH, MOST_FOR_LENGTH)
    )


def _shortening(score: Score, curve: np.ndarray, amount: float) -> np.ndarray:
    """Ticks to take from each note, (N,): never more than a sixteenth, nothing from those that end the piece."""
    notes = score.notes
    ticks = np.floor(notes["duration"] * np.interp(curve, CALM_TO_LIVELY, SHORTENING) * amount).astype(np.int64)
    last = notes["onset"] + notes["duration"] == score.end
    return np.where(last, 0, np.minimum(ticks, score.ticks_per_beat // 4))


# --- tempo


def _tempi(clock: Clock, bounds: np.ndarray, amount: float, rng: np.random.Generator | None) -> tuple[Tempo, ...]:
    """A tempo for every felt beat: arches whose mean is the tempo of the score, and the ritard at the end."""
    score = clock.score
    bpm = score.tempos[0].bpm if score.tempos else DEFAULT_TEMPO
    beats = _beats(clock)
    edges = np.append(beats, max(score.end, int(beats[-1]) + 1))
    lengths, middles = np.diff(edges), (edges[1:] + edges[:-1]) / 2
    pace = 1 + amount * RUBATO * (_arch(bounds, middles) - ARCH_MEAN)
    if rng is not None:
        pace *= 1 + amount * TEMPO_NOISE * np.clip(rng.normal(size=len(pace)), -2, 2)
    pace *= (lengths / pace).sum() / lengths.sum()
    slower = _ritard(clock, edges[:-1], amount)  # (beats,), how many times as long each beat lasts
    added = float((lengths / pace * (slower - 1)).sum()) / float(lengths.sum())
    slower = 1 + (slower - 1) * min(1.0, MOST_LENGTHENING / added if added else 1.0)
    values = np.round(bpm * pace / slower, 2)
    return tuple(Tempo(int(tick), float(value)) for tick, value in zip(beats, values, strict=True))


def _beats(clock: Clock) -> np.ndarray:
    """Ticks of the felt beats before the end of the music, (beats,); those of an upbeat counted from its bar line."""
    found = []
    for place, bar in enumerate(clock.bars):
        pulse = pulse_ticks(bar.numerator, bar.denominator, clock.score.ticks_per_beat)
        early = (bar.end - bar.start) % pulse if place == 0 and clock.score.upbeat else 0
        found.append(np.arange(bar.start + early, bar.end, pulse))
    beats = np.unique(np.concatenate([[0], *found]))
    return beats[beats < max(clock.score.end, 1)]


def _ritard(clock: Clock, beats: np.ndarray, amount: float) -> np.ndarray:
    """How many times as long each of `beats` (M,) lasts: 1 up to the last bar that moves, then ever more.

    The tempo v follows v(x) = (1 + (w^q - 1) x)^(1/q), x being 0 at the bar line and 1 at the last onset, w the tempo
    there and q = 3; a held last chord keeps w.
    """
    last = int(clock.score.notes["onset"].max())
    start = int(clock.bar_starts[clock.bar_at(max(0, last - 1))])  # a chord on the downbeat: the bar before it slows
    final = FINAL_PACE**amount
    along = np.clip((beats - start) / max(1, last - start), 0, 1)
    return (1 + (final**CURVE - 1) * along) ** (-1 / CURVE)
