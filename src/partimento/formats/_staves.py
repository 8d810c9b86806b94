"""How tracks become staves: which clef, one staff or two, which hand plays what, which parts stand together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..instruments import instrument_name
from ..score import Score, Track

KEYBOARDS = frozenset((*range(9), *range(16, 22), 46))  # pianos, organs, celesta, accordion, and the harp
VOICES = frozenset((52, 53, 54))
OCTAVE_LOWER = frozenset((*range(24, 32), 105))  # guitars, banjo: written an octave above their sound
MIDDLE_C = 60
SPLITS = np.arange(48, 73)  # the lowest pitch of the right hand
WIDEST_HAND = 13  # semitones
HANDS = {
    ("up", "down"),
    ("upper", "lower"),
    ("right", "left"),
    ("right hand", "left hand"),
    ("rh", "lh"),
    ("r.h.", "l.h."),
}
CHANGE_COST = 48.0  # of a clef, in semitones of notes off the staff
PRINTED = {0: "Piano", 40: "Violin", 41: "Viola", 42: "Violoncello", 43: "Contrabass", 52: "Choir"}


@dataclass(frozen=True)
class Clef:
    """A clef as MusicXML says it, and the pitches that need few ledger lines."""

    sign: str
    line: int
    octave: int
    low: int
    high: int


TREBLE, BASS = Clef("G", 2, 0, 56, 83), Clef("F", 4, 0, 37, 64)
ALTO, TENOR = Clef("C", 3, 0, 48, 71), Clef("C", 4, 0, 45, 68)
TREBLE_LOWER, BASS_LOWER = Clef("G", 2, -1, 47, 70), Clef("F", 4, -1, 26, 50)
TREBLE_HIGHER = Clef("G", 2, 1, 71, 94)
PERCUSSION = Clef("percussion", 2, 0, 0, 127)
MOVING = {41: (ALTO, TREBLE), 42: (BASS, TENOR, TREBLE), 57: (BASS, TENOR), 70: (BASS, TENOR)}
MOVING |= dict.fromkeys(KEYBOARDS, (TREBLE, BASS))
FIXED = dict.fromkeys(OCTAVE_LOWER, (TREBLE_LOWER,)) | dict.fromkeys((*range(32, 40), 43), (BASS_LOWER, BASS))
FIXED |= dict.fromkeys((9, 13, 72, 78), (TREBLE, TREBLE_HIGHER))


@dataclass(frozen=True)
class Part:
    """One track on paper: its `staves` (1 or 2), the group it stands in, and the clefs that it may use."""

    track: int
    name: str
    staves: int
    clefs: tuple[Clef, ...]
    group: str = ""  # "brace" or "bracket" where the part belongs to a group
    opens: bool = False  # the first of its group
    closes: bool = False


def printed_name(program: int) -> str:
    """The name of an instrument as it stands before its staff: "Piano", "French horn"."""
    name = PRINTED.get(program, instrument_name(program))
    return name[:1].upper() + name[1:]


def part_name(track: Track) -> str:
    """The track's own name without what follows a colon, else its instrument's."""
    return track.name.split(":")[0].strip() or printed_name(track.program)


def plan(score: Score) -> list[Part]:
    """The parts of the score, one a track, in their order."""
    notes = [score.track_notes(number) for number in range(len(score.tracks))]
    singing = _choir(score, notes)
    pairs = {} if singing else _hands(score, notes)
    found = []
    for number, track in enumerate(score.tracks):
        paired = number in pairs
        staves = 2 if track.program in KEYBOARDS and not paired and not singing and _needs_two(notes[number]) else 1
        third = singing and number == 2
        clefs = (TREBLE_LOWER,) if third else _clefs(track, notes[number], not singing)
        group = "bracket" if singing else "brace" if paired else ""
        opens = (singing and number == 0) or pairs.get(number) == "first"
        closes = (singing and number == 3) or pairs.get(number) == "second"
        found.append(Part(number, part_name(track), staves, clefs, group, opens, closes))
    return found


def _one_at_a_time(notes: np.ndarray) -> bool:
    ends = notes["onset"] + notes["duration"]
    return bool((notes["onset"][1:] >= ends[:-1]).all())


def _choir(score: Score, notes: Sequence[np.ndarray]) -> bool:
    """Whether the score is four voices of one sound, from high to low."""
    if len(notes) != 4 or len({track.program for track in score.tracks}) > 1 or score.tracks[0].is_drums:
        return False
    heights = [part["pitch"].mean() if len(part) else -1 for part in notes]
    falling = all(upper > lower >= 0 for upper, lower in pairwise(heights))
    single = sum(_one_at_a_time(part) for part in notes) >= 3  # one voice may divide
    inside = all(part["pitch"].min() >= 36 and part["pitch"].max() <= 86 for part in notes if len(part))
    return falling and single and inside


def _hands(score: Score, notes: Sequence[np.ndarray]) -> dict[int, str]:
    """Tracks that are the two hands of one keyboard, as "first" and "second"."""
    found: dict[int, str] = {}
    tracks = score.tracks
    for upper in range(len(tracks) - 1):
        lower = upper + 1
        if upper in found or tracks[upper].program != tracks[lower].program or tracks[upper].program not in KEYBOARDS:
            continue
        names = tuple(part_name(tracks[n]).lower() for n in (upper, lower))
        more = lower + 1 < len(tracks) and part_name(tracks[lower + 1]).lower() == names[1]  # a third of that name
        same = names[0] == names[1] and not more
        if same or names in HANDS:
            found |= {upper: "first", lower: "second"}
    return found


def _needs_two(notes: np.ndarray) -> bool:
    """Whether a keyboard's music is too wide for one staff."""
    if not len(notes):
        return False
    low, high = int(notes["pitch"].min()), int(notes["pitch"].max())
    if low >= 55 or high <= 64:
        return False
    return high - low > 31 or not _one_at_a_time(notes)


def _overflow(pitches: np.ndarray, clef: Clef) -> float:
    """Semitones that notes lie above or below what the clef's staff shows well, summed."""
    return float(np.maximum(clef.low - pitches, 0).sum() + np.maximum(pitches - clef.high, 0).sum())


def _clefs(track: Track, notes: np.ndarray, may_move: bool) -> tuple[Clef, ...]:
    if track.is_drums:
        return (PERCUSSION,)
    if may_move and track.program in MOVING:
        return MOVING[track.program]
    if track.program in VOICES and track.name.lower().startswith("ten"):
        return (TREBLE_LOWER,)
    choice = FIXED.get(track.program, (TREBLE, BASS))
    pitches = notes["pitch"].astype(int)
    return (min(choice, key=lambda clef: _overflow(pitches, clef)),)


def clefs_by_bar(notes: np.ndarray, bar_starts: np.ndarray, clefs: Sequence[Clef], first: Clef) -> list[Clef]:
    """The clef of each bar: what keeps the notes of one staff on it with few changes (a shortest path).

    `first` is the clef wanted where there is nothing to go by.
    """
    bars = len(bar_starts)
    order = list(clefs)
    if first in order:
        order.insert(0, order.pop(order.index(first)))
    where = np.clip(np.searchsorted(bar_starts, notes["onset"], side="right") - 1, 0, None)
    pitches = notes["pitch"].astype(int)
    cost = np.stack([
        np.bincount(where, np.maximum(clef.low - pitches, 0) + np.maximum(pitches - clef.high, 0), bars)
        for clef in order
    ], axis=1)  # fmt: skip
    cost[0, 1:] = cost[0, 1:] + 1.0  # the first of the choice wins where all are alike
    return [order[n] for n in _shortest(cost, CHANGE_COST * (1 - np.eye(len(order))))]


def _shortest(cost: np.ndarray, change: np.ndarray) -> list[int]:
    """The cheapest choice at each step, (T, K) the cost of each and (K, K) that of a change."""
    total = cost[0].copy()
    came = np.zeros(cost.shape, int)
    for step in range(1, len(cost)):
        through = total[:, None] + change
        came[step] = through.argmin(axis=0)
        total = through.min(axis=0) + cost[step]
    path = [int(total.argmin())]
    for step in range(len(cost) - 1, 0, -1):
        path.append(int(came[step, path[-1]]))
    return path[::-1]


def upper_staff(notes: np.ndarray) -> np.ndarray:
    """Which notes the right hand plays, (N,) bool: hands no wider than they are, near middle C, moving little."""
    onsets, at = np.unique(notes["onset"], return_inverse=True)
    pitches = notes["pitch"].astype(int)
    right = pitches[:, None] >= SPLITS[None, :]  # (N, K)
    far = np.where(right, np.maximum(53 - pitches, 0)[:, None], np.maximum(pitches - 67, 0)[:, None]) * 0.6
    cost = np.zeros((len(onsets), len(SPLITS)))
    np.add.at(cost, at, far)
    for hand in (right, ~right):
        high = np.full(cost.shape, -1000)
        low = np.full(cost.shape, 1000)
        np.maximum.at(high, at, np.where(hand, pitches[:, None], -1000))
        np.minimum.at(low, at, np.where(hand, pitches[:, None], 1000))
        cost += 2.0 * np.maximum(high - low - WIDEST_HAND, 0)
    cost += 0.02 * np.abs(SPLITS - MIDDLE_C)
    change = 0.25 * np.abs(SPLITS[:, None] - SPLITS[None, :])
    split = SPLITS[np.array(_shortest(cost, change))]
    return pitches >= split[at]
