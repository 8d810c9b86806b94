"""Who plays where music is edited: the parts that are composed, how high and how loud they are, and drums, which stay.

Models compose no drums: where music is edited they are neither told of them nor asked for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .asking import loudness
from .encodings._notes_cursor import PARTS
from .errors import BadOption
from .expression import has_dynamics
from .frames import Sound, sounds_of
from .score import DRUM_PROGRAM, NOTE, Score
from .theory import is_pitched
from .timing import Bar

BESIDE = 8  # bars around a region: an instrument that plays there plays in it
BEFORE_JOIN = 8  # bars of which drums repeat the commonest
FINENESS = 4  # of a quarter note: strokes that lie nearer are the same in another bar
SOFTER = 0.9  # times the loudness of a melody that what accompanies it has at most


# --- pitched parts


def heard_near(score: Score, bars: Sequence[Bar], first: int, stop: int) -> list[Sound]:
    """The parts that play in bars `first` to `stop` or near them; all parts where none does. Drums never are."""
    low, high = bars[max(0, first - BESIDE)].start, bars[min(len(bars), stop + BESIDE) - 1].end
    inside = (score.notes["onset"] >= low) & (score.notes["onset"] < high) & is_pitched(score)
    sounds = sounds_of(score)
    found = [sounds[track] for track in np.unique(score.notes["track"][inside])]
    return found or [sound for sound in sounds if sound[0] != DRUM_PROGRAM]


def coming_in(score: Score, kept: Score, bars: Sequence[Bar], first: int, stop: int) -> list[Sound]:
    """The parts of `score` that play in bars `first` to `stop` or near them and have no note in `kept`, its opening."""
    sounds = sounds_of(score)
    heard = {sounds[track] for track in np.unique(kept.notes["track"])}
    return [sound for sound in heard_near(score, bars, min(first, len(bars)), stop) if sound not in heard]


def composable(score: Score, sounds: Sequence[Sound]) -> tuple[Sound, ...]:
    """The parts that a model can be asked for, the lowest one last; raises `BadOption` where there is none."""
    found = [sound for sound in dict.fromkeys(sounds) if sound[1] < PARTS]
    if not found:
        raise BadOption(
            f"more than {PARTS} tracks share an instrument; the first {PARTS} of them can be composed: join some"
        )
    every = sounds_of(score)

    def height(sound: Sound) -> float:
        """Mean pitch; that of what has not been heard says nothing."""
        notes = score.track_notes(every.index(sound))
        return float(notes["pitch"].mean()) if len(notes) else np.inf

    return tuple(sorted(found, key=height, reverse=True))


def by_height(score: Score, added: Sequence[Sound]) -> list[Sound]:
    """All parts but drums, the highest first; those `added`, not heard yet, lie below in their order."""
    sounds = sounds_of(score)
    heard = {sound for number, sound in enumerate(sounds) if len(score.track_notes(number))}
    found = [sound for sound in sounds if sound in heard and sound[0] != DRUM_PROGRAM and sound[1] < PARTS]
    return [*(composable(score, found) if found else ()), *(sound for sound in added if sound not in heard)]


# --- loudness


def loudness_of(score: Score) -> dict[Sound, int]:
    """The median velocity of each part in music without dynamics, of all notes where a part has none; else nothing."""
    if has_dynamics(score):
        return {}
    found = {}
    for number, sound in enumerate(sounds_of(score)):
        notes = score.track_notes(number)
        found[sound] = max(1, int(np.median((notes if len(notes) else score.notes)["velocity"])))
    return found


def below_melody(score: Score, profile: Mapping[str, Any]) -> Score:
    """The score with every part a little softer than its first, the melody, at the same moment.

    Where the style of `profile` has but one loudness, whatever a model says of it is chance, and the parts are as loud
    as the melody allows; else at most so.
    """
    notes, tune = score.notes.copy(), score.track_notes(0)
    beside = notes["track"] > 0
    last = np.searchsorted(tune["onset"], notes["onset"][beside], side="right") - 1  # the melody's latest note
    most = np.floor(SOFTER * tune["velocity"][np.maximum(0, last)]).astype(np.int64)
    own = most if loudness(profile) else notes["velocity"][beside]
    notes["velocity"][beside] = np.maximum(1, np.minimum(own, most))
    return score.with_notes(notes)


# --- drums


def with_drums(score: Score, bars: Sequence[Bar], first: int) -> Score:
    """The score with its drums going on in bars number `first` to the last, which have none yet.

    Every new bar has the strokes of the bar that drums play most often in the last eight before, of those equally
    often the latest: no drum is composed. A bar without strokes counts, too, so that drums that have stopped stay so.
    """
    strokes = score.notes[~is_pitched(score)]
    grid = max(1, score.ticks_per_beat // FINENESS)
    played: list[tuple[frozenset, np.ndarray]] = []
    for bar in bars[max(int(bool(score.upbeat)), first - BEFORE_JOIN) : first]:
        own = strokes[(strokes["onset"] >= bar.start) & (strokes["onset"] < bar.end)].copy()
        own["onset"] -= bar.start
        places = (own["onset"] + grid // 2) // grid
        played.append((frozenset(zip(own["track"], places, own["pitch"], strict=True)), own))
    often = Counter(pattern for pattern, _ in played)
    latest = {pattern: (number, own) for number, (pattern, own) in enumerate(played)}
    if not played:
        return score
    pattern = max(latest, key=lambda one: (often[one], latest[one][0]))
    added = []
    for bar in bars[first:]:
        again = latest[pattern][1].copy()
        again["onset"] += bar.start
        again = again[again["onset"] < bar.end]
        again["duration"] = np.minimum(again["duration"], bar.end - again["onset"])
        added.append(again)
    return score.with_notes(np.concatenate([score.notes, *added, np.zeros(0, NOTE)]))
