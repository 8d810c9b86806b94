"""Who plays what: a score given to other instruments, every note where its instrument can play it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from .errors import BadOption, MusicError
from .instruments import CHOIR, RANGES, instrument_name
from .lines import BASS_PROGRAMS, voices
from .score import DRUM_PROGRAM, Score, Track
from .transform import without_overlaps

MOST_INSTRUMENTS = 15  # pitched channels of MIDI
OCTAVES = (0, -1, 1, -2, 2, -3, 3)  # that a whole part may be moved by, the nearest first
CROWDING = 6.0  # semitones between joined parts that two notes at a time instead of one weigh
OCTAVE_PRICE = 0.25  # share of a part's notes that an octave must bring into range to be worth it

VOICES = ("Soprano", "Alto", "Tenor", "Bass")
KEYBOARDS = range(24)  # programs: pianos, celestas and bells, organs and accordions


def arrange(score: Score, programs: Sequence[int]) -> Score:
    """The score for other instruments: General MIDI `programs` (0-127, 1 to 15 of them), from top to bottom.

    As many instruments as parts: each takes one, in the score's order. Otherwise parts are taken by register, the
    highest first. With more instruments than parts, those with most notes at a time are divided into voices, the top
    line to the first; what cannot be divided, being one line, is doubled. With fewer, parts that lie nearest are
    joined. Each part is then moved by octaves into its instrument's range, as `fit_range` does; drums stay.
    Raises `BadOption` for a program that there is not, `MusicError` where there is no pitched note.
    """
    if not 1 <= len(programs) <= MOST_INSTRUMENTS:
        raise BadOption(f"{len(programs)} instruments to arrange for; wanted 1 to {MOST_INSTRUMENTS}")
    for program in programs:
        if program not in range(DRUM_PROGRAM):
            raise BadOption(f"no program {program!r} to arrange for; General MIDI has 0 to {DRUM_PROGRAM - 1}")
    numbers = [number for number, track in enumerate(score.tracks) if not track.is_drums]
    parts = [notes for notes in map(score.track_notes, numbers) if len(notes)]
    if not parts:
        raise MusicError(f"nothing to arrange: {len(score)} notes, none of them pitched")
    dealt = _dealt(parts, programs)
    for number, part in enumerate(dealt):
        part["track"] = number  # before unisons are looked for, which are of one track
    fitted = [into_range(part, *RANGES[program]) for part, program in zip(dealt, programs, strict=True)]
    tracks = [Track(name, program) for name, program in zip(_names(programs), programs, strict=True)]
    for number, track in enumerate(score.tracks):
        if track.is_drums:
            fitted.append(score.track_notes(number))
            fitted[-1]["track"] = len(tracks)
            tracks.append(track)
    return replace(score, notes=np.concatenate(fitted), tracks=tuple(tracks))


def fit_range(score: Score) -> Score:
    """Every pitched note moved by octaves into the range of its instrument (`instruments.RANGES`).

    A part moves as a whole where that brings at least a quarter of its notes into range for each octave; what is still
    outside moves alone. A score that fits already is returned as it is.
    """
    parts = [score.track_notes(number) for number in range(len(score.tracks))]
    fits = True
    for number, track in enumerate(score.tracks):
        low, high = RANGES.get(track.program, (0, 127))
        if _outside(parts[number]["pitch"], low, high).any():
            parts[number] = into_range(parts[number], low, high)
            fits = False
    return score if fits else score.with_notes(np.concatenate(parts))


def into_range(notes: np.ndarray, low: int, high: int) -> np.ndarray:
    """`notes` (N,) moved by octaves into `low`-`high` (MIDI pitches, an octave apart at least); unisons become one."""
    pitch = notes["pitch"].astype(np.int64)
    prices = [_outside(pitch + 12 * n, low, high).mean() + OCTAVE_PRICE * abs(n) for n in OCTAVES]
    pitch += 12 * OCTAVES[int(np.argmin(prices))]
    pitch += 12 * np.maximum(0, -((pitch - low) // 12))
    pitch -= 12 * np.maximum(0, -((high - pitch) // 12))
    moved = notes.copy()
    moved["pitch"] = pitch
    return without_overlaps(moved)


def _outside(pitch: np.ndarray, low: int, high: int) -> np.ndarray:
    return (pitch < low) | (pitch > high)


def _dealt(parts: list[np.ndarray], programs: Sequence[int]) -> list[np.ndarray]:
    """The notes of each instrument, not yet in its range."""
    count = len(programs)
    if len(parts) == count:
        return [part.copy() for part in parts]
    parts = sorted(parts, key=lambda part: -float(part["pitch"].mean()))
    dealt = _joined(parts, count) if len(parts) > count else _divided(parts, count)
    for place, part in enumerate(dealt):
        if not len(part):  # an instrument without a line of its own plays along with the one above
            dealt[place] = _doubled(into_range(dealt[place - 1], *RANGES[programs[place - 1]]), programs[place])
    return dealt


def _doubled(part: np.ndarray, program: int) -> np.ndarray:
    """The same line for an instrument below: in unison, or so many octaves lower as come nearest to its middle.

    A bass goes an octave lower rather than in unison, where all of the line is within its range then.
    """
    low, high = RANGES[program]
    pitch, doubled = part["pitch"].astype(np.int64), part.copy()
    octaves = min(0, round(((low + high) / 2 - float(pitch.mean())) / 12))
    if program in BASS_PROGRAMS and not octaves and pitch.min() - 12 >= low:
        octaves = -1
    doubled["pitch"] = pitch + 12 * max(octaves, -int(pitch.min() // 12))
    return doubled


def _joined(parts: list[np.ndarray], count: int) -> list[np.ndarray]:
    """Parts in order of register, neighbours joined until there are `count`: near ones, and nobody gets too much."""
    means, thickness = [float(part["pitch"].mean()) for part in parts], [_thickness(part) for part in parts]

    def price(start: int, stop: int) -> float:
        return means[start] - means[stop - 1] + CROWDING * max(0.0, sum(thickness[start:stop]) - 1) ** 2

    @cache
    def cut(start: int, groups: int) -> tuple[float, tuple[int, ...]]:
        """The least price of the parts from `start` on in so many groups, and where each group ends."""
        if groups == 1:
            return price(start, len(parts)), (len(parts),)
        found = []
        for stop in range(start + 1, len(parts) - groups + 2):
            rest, stops = cut(stop, groups - 1)
            found.append((price(start, stop) + rest, (stop, *stops)))
        return min(found)

    stops = cut(0, count)[1]
    return [np.sort(np.concatenate(parts[a:b])) for a, b in zip((0, *stops), stops, strict=False)]


def _divided(parts: list[np.ndarray], count: int) -> list[np.ndarray]:
    """Parts divided into voices until there are `count`: those with most notes at a time the most."""
    thickness = [_thickness(part) for part in parts]
    shares = [1] * len(parts)
    while sum(shares) < count:
        place = max(range(len(parts)), key=lambda n: thickness[n] / shares[n])
        shares[place] += 1
    dealt = []
    for part, share in zip(parts, shares, strict=True):
        voice = voices(part, share)
        dealt += [part[voice == number] for number in range(share)]
    return dealt


def _thickness(part: np.ndarray) -> float:
    """Notes of a part that sound at once, on average over the time in which it may sound."""
    length = int((part["onset"] + part["duration"]).max() - part["onset"].min())
    return float(part["duration"].sum()) / length


def named(score: Score) -> Score:
    """The score with names for parts that nothing else tells apart: of a choir in four parts the voices', numbers else.

    Where a track has a name already all stay as they are; so do keyboards, whose tracks are hands.
    """
    programs = [track.program for track in score.tracks]
    if any(track.name for track in score.tracks):
        return score
    names = [name * (program not in KEYBOARDS) for name, program in zip(_names(programs), programs, strict=True)]
    parts = [score.track_notes(number)["pitch"] for number in range(len(programs))]
    if programs == [CHOIR] * len(VOICES) and all(map(len, parts)):
        for voice, number in zip(VOICES, np.argsort([-part.mean() for part in parts], kind="stable"), strict=True):
            names[number] = voice
    tracks = (replace(track, name=name) for track, name in zip(score.tracks, names, strict=True))
    return replace(score, tracks=tuple(tracks))


def _names(programs: Sequence[int]) -> list[str]:
    """ "Violin 1", "Violin 2", and nothing where an instrument's own name is enough."""
    names = []
    for place, program in enumerate(programs):
        number = list(programs[:place]).count(program) + 1
        names.append(f"{instrument_name(program).capitalize()} {number}" if list(programs).count(program) > 1 else "")
    return names
