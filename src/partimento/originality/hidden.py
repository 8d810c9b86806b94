"""Melodies of the training music hidden in a track: its notes stand there, with others before, above and between them.

No line of a track need follow such a melody, and there are too many ways through a busy track to try them all. So of
each note only a few may be the next one: first those that begin as it stops, then near ones (`LINKS`). A chain of such
links is followed as long as the index knows runs that begin like it; where `SEED` notes of one stand in the index, the
rest is looked for on both sides: each note must stand in the track when its time comes, whatever lies between. What is
found so is one more line of the piece, in which the exact search then looks. Notes of an accompaniment that goes on
repeating itself are nobody's, however the chain goes through them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from . import search
from .figures import plain, repeating
from .index import Index
from .parts import END, FINE, MELODIES, Line

LINKS = 3  # notes that may follow a note
WITHIN = 32  # notes of a track among which they are looked for
LONGEST = 8  # beats from one to the next
FARTHEST = 16  # semitones
HELD_UNTIL = 20  # semitones that a note may lie farther off if it begins as the one before stops
SKIPPED = 2  # semitones that an onset passed over is worth
SEED = 8  # notes of a chain that is looked up in the index
PRUNED = range(3, SEED + 1)  # lengths at which chains are given up
TABLE = 25  # bits
STRAYED = 2  # links of a seed, at most, that are not the likeliest
PLACES = 6  # of a seed in the index that are tried
OWN = 6  # notes of a seed that are no plain figure
LEAST = 8  # own notes from which a hidden melody is told, less what straying costs
STRAYING = 1  # own notes that it costs not to go on to the likeliest note: chance finds its way through chords so
OFTEN = 2  # own notes a straying, at least
MOST = 8  # hidden melodies of a piece
FARTHEST_ON = 2000  # notes by which a seed is prolonged
NONE = 2**15 - 1  # as a cost: no link
POWERS = [np.uint64(pow(search.BASE, at, 2**64)) for at in range(SEED)]


@dataclass(frozen=True)
class Heard:
    """The notes of a piece by `parts.notes_of` at `ticks` a beat, and the lines that are searched anyway."""

    notes: np.ndarray
    lines: Sequence[Line]
    ticks: int


@dataclass(frozen=True)
class Seeds:
    """Chains of `SEED` notes: their numbers, as `search.Sums` has them, and their first two notes, each (C,)."""

    number: np.ndarray
    first: np.ndarray
    second: np.ndarray


@dataclass(frozen=True)
class _Notes:
    """Notes of many pieces by piece, track, onset and pitch, (N,) each."""

    piece: np.ndarray
    place: np.ndarray  # in the notes of the piece
    track: np.ndarray
    part: np.ndarray  # a number of its own for each track of each piece
    onset: np.ndarray
    pitch: np.ndarray
    keys: np.ndarray  # ascending
    after: np.ndarray  # (N, LINKS) the notes that may follow, the likeliest first, -1 for none
    repeats: np.ndarray  # which notes are an accompaniment that goes on repeating itself

    @classmethod
    def of(cls, pieces: Sequence[Heard]) -> _Notes:
        orders = [np.lexsort([heard.notes[name] for name in ("pitch", "onset", "track")]) for heard in pieces]
        notes = np.concatenate([heard.notes[order] for heard, order in zip(pieces, orders, strict=True)])
        piece = np.repeat(np.arange(len(pieces)), [len(order) for order in orders])
        track = notes["track"].astype(np.int64)
        part = np.cumsum(np.append(0, (np.diff(piece) != 0) | (np.diff(track) != 0)))
        onset, pitch = notes["onset"].astype(np.int64), notes["pitch"].astype(np.int64)
        longest = LONGEST * np.array([heard.ticks for heard in pieces])[piece]
        after = _after(part, onset, onset + notes["duration"], pitch, longest)
        keys, again = _key(part, onset, pitch), repeating(part, onset, pitch)
        return cls(piece, np.concatenate(orders), track, part, onset, pitch, keys, after, again)

    def at(self, part: np.ndarray, onset: np.ndarray, pitch: np.ndarray) -> np.ndarray:
        """The note of a part with that onset and pitch, -1 where there is none, (M,)."""
        wanted = _key(part, onset, pitch)
        found = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[found] == wanted, found, -1)


def _key(part: np.ndarray, onset: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """A number for each note, by part, onset and pitch."""
    return (part << 35) + ((np.clip(onset, -1, 2**27) + 1) << 7) + np.clip(pitch, 0, 127)


def repeats(notes: np.ndarray) -> np.ndarray:
    """Which notes of a piece by `parts.notes_of` are an accompaniment that goes on repeating itself, (N,) bool."""
    return repeating(notes["track"], notes["onset"], notes["pitch"])


def hidden(index: Index, pieces: Sequence[Heard]) -> list[list[Line]]:
    """Of each piece the lines in which `LEAST` own notes stand in the index though none of its lines has them."""
    some = [heard for heard in pieces if len(heard.notes) >= SEED]
    found: dict[int, list[Line]] = {id(heard): [] for heard in pieces}
    if not some or len(index) < SEED:
        return list(found.values())
    notes = _Notes.of(some)
    edges = np.searchsorted(notes.piece, np.arange(len(some) + 1)).tolist()
    each = [_seeds(index, notes, heard, *span) for heard, span in zip(some, pairwise(edges), strict=True)]
    seeds = Seeds(*(np.concatenate([getattr(one, name) for one in each]) for name in ("number", "first", "second")))
    runs = _prolonged(index, notes, *_places(index, seeds))
    for number, lines in _chosen(index, notes, runs).items():
        found[id(some[number])] = lines
    return [found[id(heard)] for heard in pieces]


# --- chains


def _after(part, onset, stop, pitch, longest) -> np.ndarray:
    """For each note (by part, onset and pitch) those that may follow it, (N, LINKS), -1 for none."""
    nth = np.cumsum(np.append(0, np.diff(onset) != 0))
    cost = np.full((len(onset), WITHIN), NONE, np.int16)
    for ahead in range(1, min(WITHIN, len(onset) - 1) + 1):
        wait, leap = onset[ahead:] - onset[:-ahead], np.abs(pitch[ahead:] - pitch[:-ahead])
        fits = (wait > 0) & (wait <= longest[ahead:]) & (leap <= FARTHEST) & (part[ahead:] == part[:-ahead])
        far = leap + SKIPPED * (nth[ahead:] - nth[:-ahead]) - HELD_UNTIL * (onset[ahead:] == stop[:-ahead])
        cost[:-ahead, ahead - 1] = np.where(fits, far, NONE)
    best = np.argsort(cost, axis=1, kind="stable")[:, :LINKS]
    there = np.take_along_axis(cost, best, 1) < NONE
    return np.where(there, np.arange(1, len(onset) + 1)[:, None] + best, -1)


def _seeds(index: Index, notes: _Notes, heard: Heard, start: int, stop: int) -> Seeds:
    """Chains of the piece whose notes are `start` to `stop` that none of its lines holds and the index may have."""
    known, codes, shift = _tables(index), _ratio_codes(), np.uint64(64 - TABLE)
    after = notes.after[start:stop] - start
    begin, turn = np.nonzero(after >= 0)
    behind = after[begin, turn]
    counts = np.bincount(begin, minlength=stop - start)
    links = np.cumsum(counts) - counts
    onset, pitch = notes.onset[start:stop], notes.pitch[start:stop]
    wait, code = onset[behind] - onset[begin], search.CODES[pitch[behind] - pitch[begin] + 128]
    along = _along(heard, np.argsort(notes.place[start:stop]), begin, behind)
    strays = (turn > 0).astype(np.int8)
    number, link, within, strayed = code, np.arange(len(begin)), along, strays
    first = link
    for length in range(3, SEED + 1):
        more = counts[behind[link]]
        base = np.repeat(np.arange(len(link)), more)
        goes = np.arange(len(base)) - np.repeat(np.cumsum(more) - more - links[behind[link]], more)
        strayed = strayed[base] + strays[goes]
        near = np.flatnonzero(strayed <= STRAYED)
        base, goes, strayed = base[near], goes[near], strayed[near]
        number = number[base] + (code[goes] + codes[wait[link[base]], wait[goes]]) * POWERS[length - 2]
        if length in PRUNED:
            kept = known[length][number >> shift]
            number, base, goes, strayed = number[kept], base[kept], goes[kept], strayed[kept]
        link, within, first = goes, within[base] & along[goes], first[base]
    new = first[within == 0]
    return Seeds(number[within == 0], start + begin[new], start + behind[new])


def _along(heard: Heard, place: np.ndarray, begin: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """For each link the lines that go that way, a bit each, (L,) uint64; `place` is where each note now stands."""
    found, follows = np.zeros(len(begin), np.uint64), np.full(len(place), -1)
    for number, line in enumerate(heard.lines[:64]):
        which = place[line.which]
        follows[which[:-1]] = which[1:]
        found[follows[begin] == behind] |= np.uint64(1 << number)
        follows[which] = -1
    return found


def _tables(index: Index) -> dict[int, np.ndarray]:
    """For each length of `PRUNED` which numbers begin like that of a run of the index; worked out once."""
    if "hidden" not in index.made:
        shift, found = np.uint64(64 - TABLE), {}
        for length in PRUNED:
            found[length] = np.zeros(1 << TABLE, dtype=bool)
            found[length][search.sums_of(index).runs(length) >> shift] = True
        index.made["hidden"] = found
    return index.made["hidden"]


@cache
def _ratio_codes() -> np.ndarray:
    """The number of the ratio of two waits, in ticks of any grid: [before, after]."""
    waits = np.arange(LONGEST * FINE + 1.0)
    ratio = np.divide(waits[None, :], waits[:, None], out=np.zeros((len(waits),) * 2), where=waits[:, None] > 0)
    return search.ratio_codes(ratio.ravel()).reshape(ratio.shape)


# --- places in the index


def _places(index: Index, seeds: Seeds) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and second note of seeds, and the slot of the index that each stands at; of one run the first seed."""
    theirs = search.runs_of(index, True)
    slots = search.among(theirs, seeds.number)
    slots = slots[np.argsort(theirs[slots], kind="stable")]
    numbers, begins, counts = np.unique(theirs[slots], return_index=True, return_counts=True)
    if not len(numbers):
        return (np.zeros(0, np.int64),) * 3
    good = _own_at(index, slots[begins], np.full(len(begins), SEED)) >= OWN
    at = np.minimum(np.searchsorted(numbers, seeds.number), len(numbers) - 1)
    told = np.flatnonzero((numbers[at] == seeds.number) & good[at])
    places = np.minimum(counts[at[told]], PLACES)
    base = np.repeat(told, places)
    turn = np.arange(len(base)) - np.repeat(np.cumsum(places) - places, places)
    slot = slots[begins[at[base]] + turn]
    first, second = seeds.first[base], seeds.second[base]
    _, once = np.unique(np.append(second * len(index) + slot + 1, first * len(index) + slot), return_index=True)
    opens = once[once >= len(slot)] - len(slot)
    return first[opens], second[opens], slot[opens]


def _own_at(index: Index, begin: np.ndarray, notes: np.ndarray) -> np.ndarray:
    """How many of `notes` notes from the slot `begin` on are no plain figure where nothing comes before, (M,)."""
    ends = np.cumsum(notes)
    slots = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(begin - ends + notes, notes)
    interval, wait = index.interval[slots].astype(np.int64), index.wait[slots].astype(np.int64)
    interval[ends - 1], wait[ends - 1] = END, 0
    own = np.append(0, np.cumsum(~plain(interval, wait, ends - notes)))
    return own[ends] - own[ends - notes]


@dataclass(frozen=True)
class _Runs:
    """Runs of the music that stand in the index: `back` notes before the note `first`, `on` from it on, (M,) each."""

    first: np.ndarray
    slot: np.ndarray  # that `first` stands at
    back: np.ndarray
    on: np.ndarray
    times: np.ndarray  # ticks, and
    per: np.ndarray  # those of the index that they are


def _prolonged(index: Index, notes: _Notes, first: np.ndarray, second: np.ndarray, slot: np.ndarray) -> _Runs:
    """Each run as long as its notes stand both in the index and in the track; of the same notes one run."""
    times, per = notes.onset[second] - notes.onset[first], index.wait[slot].astype(np.int64)
    (back, begin), (on, end) = (_reach(index, notes, first, slot, times, per, step) for step in (-1, 1))
    long = np.flatnonzero(back + on + 1 >= LEAST)
    _, once = np.unique(begin[long] * len(notes.keys) + end[long], return_index=True)
    long = long[once]
    return _Runs(*(one[long] for one in (first, slot, back, on + 1, times, per)))


def _reach(index, notes: _Notes, first, slot, times, per, step: int) -> tuple[np.ndarray, np.ndarray]:
    """How many notes beyond `first` stand there, forwards or backwards, and the last of them, (M,) each."""
    count, last = np.zeros(len(first), np.int64), first.copy()
    going = np.arange(len(first))
    at, onset, pitch = slot.copy(), np.zeros(len(first), np.int64), notes.pitch[first]
    part, begin = notes.part[first], notes.onset[first]
    for _ in range(FARTHEST_ON):
        link = at if step > 0 else at - 1
        inside = (link >= 0) & (index.interval[link] != END)
        going, link, at, onset, pitch = (one[inside] for one in (going, link, at, onset, pitch))
        at, onset = at + step, onset + step * index.wait[link]
        pitch = pitch + step * index.interval[link].astype(np.int64)
        ticks, each = onset * times[going], per[going]
        there = notes.at(part[going], begin[going] + ticks // each, pitch)
        met = (there >= 0) & (ticks % each == 0)
        going, at, onset, pitch = (one[met] for one in (going, at, onset, pitch))
        if not len(going):
            break
        count[going] += 1
        last[going] = there[met]
    return count, last


def _paths(index: Index, notes: _Notes, runs: _Runs, long: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The notes of the runs `long` end to end, and where each begins, (len(long) + 1,)."""
    lengths = (runs.back + runs.on)[long]
    ends = np.append(0, np.cumsum(lengths))
    run = np.repeat(long, lengths)
    slot = np.arange(ends[-1]) - np.repeat(ends[:-1], lengths) + (runs.slot - runs.back)[run]
    passed, moved = (np.append(0, np.cumsum(one[slot], dtype=np.int64)) for one in (index.wait, index.interval))
    pivot = np.repeat(ends[:-1] + runs.back[long], lengths)
    passed, moved = passed[:-1] - passed[pivot], moved[:-1] - moved[pivot]
    first = runs.first[run]
    onset = notes.onset[first] + passed * runs.times[run] // runs.per[run]
    return notes.at(notes.part[first], onset, notes.pitch[first] + moved), ends


def _strayed(notes: _Notes, path: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """How often each run does not go on to the note that is the likeliest to follow."""
    goes = np.append(0, np.cumsum(np.append(notes.after[path[:-1], 0] != path[1:], False)))
    return goes[ends[1:] - 1] - goes[ends[:-1]]


def _chosen(index: Index, notes: _Notes, runs: _Runs) -> dict[int, list[Line]]:
    """piece -> the longest runs of it as lines, each with notes that no longer one has."""
    own = _own_at(index, runs.slot - runs.back, runs.back + runs.on)
    long = np.flatnonzero(own >= LEAST)
    own = own[long]
    if not len(long):
        return {}
    path, ends = _paths(index, notes, runs, long)
    strayed = _strayed(notes, path, ends)
    own = np.minimum(own, np.add.reduceat(~notes.repeats[path], ends[:-1], dtype=np.int64))
    worth = np.where(strayed * OFTEN <= own, own - STRAYING * strayed, 0)
    found: dict[int, list[Line]] = {}
    taken = np.zeros(len(notes.keys), dtype=bool)
    for number in np.argsort(-worth, kind="stable").tolist():
        if worth[number] < LEAST:
            break
        which = path[ends[number] : ends[number + 1]]
        lines = found.setdefault(int(notes.piece[which[0]]), [])
        if len(lines) < MOST and not taken[which].all():
            taken[which] = True
            track, place = int(notes.track[which[0]]), notes.place[which]
            lines.append(Line(track, MELODIES, place, notes.onset[which], notes.pitch[which]))
    return found
