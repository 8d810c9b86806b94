"""The search: for every note of some music, the longest run from it on that also stands in the index. Exact.

Runs are equal where their intervals are, and the ratios of the times between their notes; pitch alone leaves the ratios
out. First the index is filtered: only notes stay that lie in a run of `FEWEST` notes whose 64-bit number begins like
that of such a run in the music; no run is lost by that. What stays is sorted with the music by all that follows (a
suffix array, built by doubling: Manber and Myers 1993); of each note the nearest neighbours from the index share the
longest run with it, and how long it is, the ranks kept at each doubling say. A number that two runs share by chance
thus costs time and never a wrong answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .index import Index
from .parts import END

FEWEST = 8  # notes; what is shorter is anybody's
BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64
MASK = 2**64 - 1
INVERSE = pow(BASE, -1, 2**64)
CODES = np.random.default_rng(20_261).integers(0, MASK, 512, dtype=np.uint64)  # a number for each interval
RATIO_CODES = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
FOREIGN = 255  # as an interval: a line of the music ends, and is no line of the index
TABLE = (20, 27)  # bits, at least and at most
SPARSE = 7  # bits of a table beyond those of what it holds
BITS = 63  # of a number that holds several steps
DEEPEST = 14  # doublings: 16,384 notes and more


def ratios(interval: np.ndarray, wait: np.ndarray) -> np.ndarray:
    """How much longer the wait after each note is than the one before it, (N,); 0 where a line begins or ends."""
    found = np.zeros(len(wait))
    inside = (interval[1:] != END) & (interval[:-1] != END)
    np.divide(wait[1:], wait[:-1], out=found[1:], where=inside & (wait[:-1] > 0))
    return found


def ratio_codes(ratio: np.ndarray) -> np.ndarray:
    """A 64-bit number for each ratio (N,): equal fractions are equal as floating-point numbers."""
    bits = ratio.view(np.uint64)
    mixed = bits >> np.uint64(32)
    mixed ^= bits
    mixed *= RATIO_CODES[0]
    mixed ^= mixed >> np.uint64(29)
    mixed *= RATIO_CODES[1]
    return mixed


@dataclass(frozen=True)
class Sums:
    """What the numbers of runs of any length are taken from: sums up to each slot, (N + 1,) uint64 modulo 2**64."""

    steps: np.ndarray
    ratios: np.ndarray
    inverses: np.ndarray  # (N,) powers by which a run is moved to the beginning

    @classmethod
    def of(cls, interval: np.ndarray, ratio: np.ndarray) -> Sums:
        count = len(interval)
        powers = np.cumprod(np.append(np.uint64(1), np.full(max(0, count - 1), BASE, np.uint64)))[:count]
        steps, ratios_ = np.zeros(count + 1, np.uint64), np.zeros(count + 1, np.uint64)
        np.cumsum(CODES[interval.astype(np.int16) + 128] * powers, out=steps[1:])
        np.cumsum(ratio_codes(ratio) * powers, out=ratios_[1:])
        inverses = np.cumprod(np.append(np.uint64(1), np.full(max(0, count - 1), INVERSE, np.uint64)))[:count]
        return cls(steps, ratios_, inverses)

    def runs(self, notes: int, rhythm: bool = True) -> np.ndarray:
        """A 64-bit number for the run of `notes` notes from each slot on, (N - notes + 1,) uint64.

        Runs beyond the end of a line are numbered too.
        """
        count = len(self.inverses)
        if count < notes:
            return np.zeros(0, np.uint64)
        found = self.steps[notes - 1 : count] - self.steps[: count - notes + 1]
        if rhythm:
            found += self.ratios[notes - 1 : count]
            found -= self.ratios[1 : len(found) + 1]
        found *= self.inverses[: len(found)]
        return found


def sums_of(index: Index) -> Sums:
    """The sums of an index; worked out once."""
    if "sums" not in index.made:
        index.made["sums"] = Sums.of(index.interval, ratio_of(index))
    return index.made["sums"]


def ratio_of(index: Index) -> np.ndarray:
    """The ratios of an index; worked out once."""
    if "ratio" not in index.made:
        index.made["ratio"] = ratios(index.interval, index.wait)
    return index.made["ratio"]


def runs_of(index: Index, rhythm: bool) -> np.ndarray:
    """The number of the run of `FEWEST` notes from each slot of an index on; worked out once."""
    name = f"runs {rhythm}"
    if name not in index.made:
        index.made[name] = sums_of(index).runs(FEWEST, rhythm)
    return index.made[name]


@dataclass(frozen=True)
class Matches:
    """For each slot of the music how many notes from it on stand in the index, 0 below `FEWEST`, and where."""

    notes: np.ndarray  # (Q,)
    slot: np.ndarray  # (Q,) of the index; -1 where there is none


def find(index: Index, interval: np.ndarray, wait: np.ndarray, rhythm: bool = True) -> Matches:
    """The longest runs of music whose lines lie end to end, by `interval` (END at the last note) and `wait`, (Q,)."""
    notes, slot = np.zeros(len(interval), np.int64), np.full(len(interval), -1)
    ratio = ratios(interval, wait)
    theirs, ours = runs_of(index, rhythm), Sums.of(interval, ratio).runs(FEWEST, rhythm)
    near = among(theirs, ours)
    mine = among(ours, theirs[near])
    if not len(mine):
        return Matches(notes, slot)
    learnt, heard = _covered(near, len(index)), _covered(mine, len(interval))
    length, partner = _longest(
        _cut(index.interval, ratio_of(index), learnt, rhythm), _cut(interval, ratio, heard, rhythm, FOREIGN)
    )
    enough = length >= FEWEST
    notes[heard[enough]], slot[heard[enough]] = length[enough], learnt[partner[enough]]
    return Matches(notes, slot)


def among(numbers: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Places of all 64-bit `numbers` that are among `others`, and of a few that only begin like one of them."""
    bits = int(np.clip(len(others).bit_length() + SPARSE, *TABLE))
    table, shift = np.zeros(1 << bits, dtype=bool), np.uint64(64 - bits)
    table[others >> shift] = True
    return np.flatnonzero(table[numbers >> shift])


def _covered(begins: np.ndarray, count: int) -> np.ndarray:
    """The slots that lie in a run of `FEWEST` notes from one of `begins` on, in order."""
    change = np.zeros(count + 1, np.int64)
    np.add.at(change, begins, 1)
    np.subtract.at(change, begins + FEWEST, 1)
    return np.flatnonzero(np.cumsum(change[:-1]) > 0)


def _cut(interval, ratio, slots: np.ndarray, rhythm: bool, end: int = END) -> tuple[np.ndarray, np.ndarray]:
    """Intervals of `slots`, `end` where they break off, and the ratio of the time behind the note they lead to."""
    taken, behind = interval[slots].astype(np.int64), np.zeros(len(slots))
    breaks = np.append(np.diff(slots) > 1, True)
    taken[breaks | (taken == END)] = end
    if rhythm:
        behind[:-1] = np.where(breaks[:-1], 0, ratio[slots[1:]])
        behind[taken == end] = 0
    return taken, behind


def _longest(learnt: tuple, heard: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Length in notes, and the place in `learnt`, of the longest run from each place of `heard` on."""
    border = len(learnt[0])
    interval, ratio = (np.concatenate(pair) for pair in zip(learnt, heard, strict=True))
    steps, each = _steps(interval, ratio)
    width = max(1, BITS // each)
    levels = _doubled(_packed(steps, each, width), width, border)
    order = np.argsort(levels[-1], kind="stable")
    is_learnt = order < border
    at = np.arange(len(order))
    before = np.maximum.accumulate(np.where(is_learnt, at, -1))
    after = np.minimum.accumulate(np.where(is_learnt, at, len(order))[::-1])[::-1]
    best, partner = np.zeros(len(heard[0]), np.int64), np.zeros(len(heard[0]), np.int64)
    for neighbour in (before, after):
        here = ~is_learnt & (neighbour >= 0) & (neighbour < len(order))
        mine, theirs = order[here], order[neighbour[here]]
        length = _shared(levels, width, steps, interval, mine, theirs)
        better = length > best[mine - border]
        best[mine[better] - border], partner[mine[better] - border] = length[better], theirs[better]
    return best, partner


def _steps(interval: np.ndarray, ratio: np.ndarray) -> tuple[np.ndarray, int]:
    """A number above 0 for each different pair of interval and ratio, (N,) int64, and the bits that it takes."""
    _, classes = np.unique(ratio, return_inverse=True) if ratio.any() else (None, np.zeros(len(ratio), np.int64))
    known = np.zeros(FOREIGN + 257, dtype=bool)
    known[interval + 256] = True
    found = np.cumsum(known)[interval + 256] * (int(classes.max(initial=0)) + 1) + classes
    return found, int(found.max(initial=1)).bit_length()


def _packed(steps: np.ndarray, bits: int, width: int) -> np.ndarray:
    """The `width` steps from each place on in one number, the first in its highest bits; 0 for none, (N,) int64."""
    found = np.zeros(len(steps), np.int64)
    for ahead in range(min(width, len(steps))):
        found[: len(steps) - ahead] |= steps[ahead:] << (bits * (width - 1 - ahead))
    return found


def _doubled(packed: np.ndarray, width: int, border: int) -> list[np.ndarray]:
    """Ranks of each place by the `width` steps that follow, twice, four times as many, until more tell no more.

    A rank is how many places come before all that are alike. Places from `border` on are music, those before it learnt.
    Only where both are alike is it looked at what follows: how the others stand among themselves is no matter, for they
    share no more with any place of the other side.
    """
    is_learnt = np.arange(len(packed)) < border
    ranks, alike, group, _ = _parted(packed, is_learnt)
    levels = [ranks]
    for level in range(DEEPEST):
        if not len(alike):
            break
        behind = alike + (width << level)
        later = np.where(behind < len(ranks), ranks[np.minimum(behind, len(ranks) - 1)] + 1, 0)
        sizes = np.bincount(group)
        place, left, fresh, parts = _parted(group * (len(ranks) + 1) + later, is_learnt[alike])
        ranks = ranks.copy()
        ranks[alike] += place - (np.cumsum(sizes) - sizes)[group]
        levels.append(ranks)
        alike, group = alike[left], fresh
        if parts == len(sizes):
            break
    return levels


def _parted(keys: np.ndarray, is_learnt: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """How many of `keys` (N,) are smaller than each; which are alike with one of the other side, and in which group.

    Groups are numbered from 0 in the order of their keys. Last, how many different keys there are.
    """
    order = np.argsort(keys)
    ordered = keys[order]
    begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(keys)])
    sizes = np.diff(np.append(begins, len(keys)))
    place = np.empty(len(keys), np.int64)
    place[order] = np.repeat(begins, sizes)
    learnt = np.add.reduceat(is_learnt[order].astype(np.int64), begins) if len(begins) else sizes
    mixed = (learnt > 0) & (learnt < sizes)
    group = np.repeat(np.arange(int(mixed.sum())), sizes[mixed])
    return place, order[np.repeat(mixed, sizes)], group, len(begins)


def _shared(levels: list[np.ndarray], width: int, steps, interval, first, second) -> np.ndarray:
    """Notes that the runs from places `first` and `second` on have in common, (M,)."""
    a, b, last = first.copy(), second.copy(), len(interval) - 1

    def alike(what: np.ndarray) -> np.ndarray:
        return (a <= last) & (b <= last) & (what[np.minimum(a, last)] == what[np.minimum(b, last)])

    for level in range(len(levels) - 1, -1, -1):
        same = alike(levels[level])
        a[same] += width << level
        b[same] += width << level
    for _ in range(width - 1):
        same = alike(steps)
        a[same] += 1
        b[same] += 1
    return a - first + 1 + alike(interval)
