"""Lines within the music: what is on top, what lies at the bottom, which notes are the melody, voices out of chords."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import combinations

import numpy as np

from .score import Score

SINGLE = 0.05  # of notes that may sound together in what still is one line
STICKY = 0.3  # how fast the place of a line follows its notes
LEAN = 4  # semitones by which a lone note is taken for the top line rather than for the bass
BUSY = 12  # semitones that a voice may lie farther off rather than one that sounds already
BASS_PROGRAMS = frozenset((*range(32, 40), 43, 58))  # basses and the tuba: a line of theirs is no melody
MELODY_BELOW = 5  # semitones that a melody may lie below the mean of everything: a baritone among a piano's chords


def highest_sounding(notes: np.ndarray) -> np.ndarray:
    """Pitch of the highest note that begins or sounds when each of `notes` (N,) begins: (N,)."""
    stops, onsets, pitches = notes["onset"] + notes["duration"], notes["onset"], notes["pitch"].astype(np.int64)
    found = np.zeros(len(notes), dtype=np.int64)
    sounding: list[tuple[int, int]] = []  # (-pitch, stop)
    order = np.lexsort((-pitches, onsets))  # of notes that begin together the highest first: all see it
    for place, onset, pitch, stop in zip(
        order.tolist(), onsets[order].tolist(), pitches[order].tolist(), stops[order].tolist(), strict=True
    ):
        while sounding and sounding[0][1] <= onset:
            heappop(sounding)
        heappush(sounding, (-pitch, stop))
        found[place] = -sounding[0][0]
    return found


def lowest_sounding(notes: np.ndarray) -> np.ndarray:
    """Pitch of the lowest note that begins or sounds when each of `notes` (N,) begins: (N,)."""
    mirrored = notes.copy()
    mirrored["pitch"] = 127 - notes["pitch"]
    return 127 - highest_sounding(mirrored)


def top_line(notes: np.ndarray) -> np.ndarray:
    """Which of `notes` (N,) have no higher note above them when they begin: (N,) bool."""
    return notes["pitch"] >= highest_sounding(notes)


def is_single(notes: np.ndarray) -> bool:
    """Are `notes` (N,), in order of onset, one after another, but for a few that overlap?"""
    if len(notes) < 2:
        return True
    stops = np.maximum.accumulate(notes["onset"] + notes["duration"])
    return bool((notes["onset"][1:] < stops[:-1]).mean() <= SINGLE)


def melody(score: Score) -> np.ndarray:
    """Which of the score's notes (N,) are the melody: (N,) bool; drums never are.

    Where one-line parts of their own instrument stand before chords of others (a singer and a piano, a fiddle and a
    guitar), it is the top line of those parts, though the accompaniment may rise above them; else that of everything.
    """
    notes = score.notes
    drums = [number for number, track in enumerate(score.tracks) if track.is_drums]
    chosen = ~np.isin(notes["track"], drums)
    singers = _singers(score, set(drums))
    if singers:
        chosen &= np.isin(notes["track"], singers)
    found = np.zeros(len(notes), dtype=bool)
    found[chosen] = top_line(notes[chosen])
    return found


def _singers(score: Score, drums: set[int]) -> list[int]:
    """Tracks of one line beside chords of other instruments; none where there are no chords."""
    parts = {number: score.track_notes(number) for number in range(len(score.tracks)) if number not in drums}
    parts = {number: notes for number, notes in parts.items() if len(notes)}
    chords = {score.tracks[number].program for number, notes in parts.items() if not is_single(notes)}
    if not chords:
        return []
    mean = np.concatenate([notes["pitch"] for notes in parts.values()]).mean()
    return [
        number
        for number, notes in parts.items()
        if score.tracks[number].program not in chords | BASS_PROGRAMS
        and is_single(notes)
        and notes["pitch"].mean() >= mean - MELODY_BELOW
    ]


def voices(notes: np.ndarray, count: int) -> np.ndarray:
    """The voice, 0 (top) to `count` - 1 (bottom), of each of `notes` (N,) in order of onset: (N,).

    The top line is voice 0, the bottom line the last; what lies between goes to the nearest inner voice that is free,
    in order from high to low, and to the last voice where there are but two. What is one line already stays one.
    """
    voice = np.zeros(len(notes), dtype=np.int64)
    if count < 2 or is_single(notes):
        return voice
    top, bottom = top_line(notes), notes["pitch"] <= lowest_sounding(notes)
    voice[:] = count - 1
    voice[top & ~bottom] = 0
    lone = top & bottom
    voice[lone] = np.where(_lone_on_top(notes, top & ~bottom, bottom & ~top, lone), 0, count - 1)
    inner = ~top & ~bottom
    if count > 2 and inner.any():
        voice[inner] = 1 + _inner(notes[inner], count - 2)
    return voice


def _lone_on_top(notes: np.ndarray, top: np.ndarray, bottom: np.ndarray, lone: np.ndarray) -> np.ndarray:
    """Which of the `lone` notes, the only ones of their moment, go on with the top line rather than with the bass."""
    pitch = notes["pitch"].astype(float)
    places = [float(pitch[mask].mean()) if mask.any() else float(pitch.mean()) for mask in (top, bottom)]
    found = []
    for value, on_top, at_bottom, alone in zip(pitch.tolist(), top, bottom, lone, strict=True):
        if alone:
            on_top = abs(value - places[0]) <= abs(value - places[1]) + LEAN
            found.append(on_top)
        if alone or on_top or at_bottom:
            line = 0 if on_top else 1
            places[line] += STICKY * (value - places[line])
    return np.array(found, dtype=bool)


def _inner(notes: np.ndarray, count: int) -> np.ndarray:
    """The inner voice, 0 to `count` - 1 from high to low, of each of `notes` (N,): (N,)."""
    voice = np.zeros(len(notes), dtype=np.int64)
    places = np.quantile(notes["pitch"], 1 - (np.arange(count) + 0.5) / count)
    free_at = np.zeros(count)
    for chord in np.split(np.arange(len(notes)), np.flatnonzero(np.diff(notes["onset"])) + 1):
        chord = chord[np.argsort(-notes["pitch"][chord].astype(int), kind="stable")]
        pitch, onset = notes["pitch"][chord].astype(float), notes["onset"][chord[0]]
        if len(chord) >= count:
            chosen = np.arange(len(chord)) * count // len(chord)
        else:
            cost = np.abs(pitch[:, None] - places) + BUSY * (free_at > onset)  # (notes, voices)
            rows = np.arange(len(chord))
            choices = [np.array(choice) for choice in combinations(range(count), len(chord))]
            chosen = min(choices, key=lambda choice: float(cost[rows, choice].sum()))
        voice[chord] = chosen
        places[chosen] += STICKY * (pitch - places[chosen])
        np.maximum.at(free_at, chosen, (notes["onset"] + notes["duration"])[chord].astype(float))
    return voice
