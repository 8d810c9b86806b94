"""Which pieces are one work, and on which side of train, valid and test each work stands."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

VALID_SHARE = TEST_SHARE = 0.1
FEW = 10  # works; fewer are dealt out by rank, since a tenth of them may be none
TEST_FROM = 6  # works from which a small corpus spares one for a test
NAMED = 3  # works that a remark names
HELD_OUT_FIRST = ("test", "valid", "train")


class Groups:
    """Union-find over the numbers 0 to n - 1."""

    def __init__(self, size: int):
        self.parent = list(range(size))

    def find(self, one: int) -> int:
        while self.parent[one] != one:
            self.parent[one] = self.parent[self.parent[one]]
            one = self.parent[one]
        return one

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.find(one), self.find(other)))
        self.parent[second] = first

    def join_equal(self, names: Sequence[str]) -> None:
        """Join all that have the same name; an empty name is none."""
        first: dict[str, int] = {}
        for n, name in enumerate(names):
            if name:
                self.join(first.setdefault(name, n), n)

    def members(self) -> list[list[int]]:
        found: dict[int, list[int]] = {}
        for one in range(len(self.parent)):
            found.setdefault(self.find(one), []).append(one)
        return list(found.values())


@dataclass(frozen=True)
class Work:
    """One work: its key, the pieces (indices) that belong to it, the sides that their manifests name."""

    key: str
    pieces: tuple[int, ...]
    stated: tuple[str, ...]  # one a piece; "" where nothing is stated


def work_key(names: Iterable[str], contents: Iterable[str]) -> str:
    """A manifest's name for the work, else one made of its music, so that moving or renaming files changes nothing."""
    stated = sorted(name for name in names if name)
    return stated[0] if stated else "w" + min(contents)[:10]


def deal(works: Sequence[Work], seed: int) -> tuple[dict[int, str], list[str]]:
    """The side of every piece, and what there is to say about it.

    A stated side is kept; its unstated twins follow it, to the most held-out side where several are stated. Other
    works go by a hash of key and seed, so that a corpus that grows keeps its sides.
    """
    sides: dict[int, str] = {}
    crossing = []
    free = []
    for work in works:
        stated = {side for side in work.stated if side}
        if len(stated) > 1:
            crossing.append(work.key)
        if not stated:
            free.append(work)
        default = next((side for side in HELD_OUT_FIRST if side in stated), "")
        sides.update({piece: side or default for piece, side in zip(work.pieces, work.stated, strict=True)})
    chosen = _deal_free(free, seed, len(free) == len(works))
    for work in free:
        sides.update(dict.fromkeys(work.pieces, chosen[work.key]))
    remarks = []
    if crossing:
        named = ", ".join(sorted(crossing)[:NAMED]) + (" ..." if len(crossing) > NAMED else "")
        remarks.append(
            f"{len(crossing)} works ({named}) stand on several sides in their manifests, which were followed: "
            "held-out pieces have versions among those trained on"
        )
    if sides and "valid" not in sides.values():
        few = "one work is" if len(works) == 1 else f"{len(works)} works are"
        remarks.append(f"no work is held out for validation: {few} too few to spare one")
    return sides, remarks


def _deal_free(works: Sequence[Work], seed: int, all_free: bool) -> dict[str, str]:
    ranked = sorted((_chance(work.key, seed), work.key) for work in works)
    if all_free and len(ranked) < FEW:
        held_out = {0: "valid"} if len(ranked) >= 3 else {}
        if len(ranked) >= TEST_FROM:
            held_out[1] = "test"
        return {key: held_out.get(rank, "train") for rank, (_, key) in enumerate(ranked)}
    chosen = {key: _side(chance) for chance, key in ranked}
    if all_free and "valid" not in chosen.values():
        chosen[ranked[-1][1]] = "valid"
    if all_free and "train" not in chosen.values():
        chosen[ranked[0][1]] = "train"
    return chosen


def _side(chance: float) -> str:
    if chance < TEST_SHARE:
        return "test"
    return "valid" if chance < TEST_SHARE + VALID_SHARE else "train"


def _chance(key: str, seed: int) -> float:
    """A number in [0, 1) that depends on the key and the seed alone."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:6], "big") / 2**48
