"""Encodes and decodes every piece of the packs: what an encoding holds must come back exactly.

    python benchmarks/roundtrip.py [--packs folk hymns] [--every N] [--json roundtrip.json]

A piece is taken as training takes it, on the grid of 24 ticks a beat, without overlaps of one pitch, and from its
first note on. Then notes, instruments, upbeat and metre (where it does not change) must be those that were, velocities
to the step that the encoding keeps. What an encoding refuses is counted by its reason. Ends with exit code 1 where a
piece was taken and did not come back. The music is in PARTIMENTO_DATA, else ../shared/data beside the repository.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from partimento.corpus import prepared
from partimento.encodings import Encoding, Unencodable, get_encoding
from partimento.errors import FormatError, MusicError
from partimento.formats import READERS, load
from partimento.score import DEFAULT_METRE, TICKS_PER_BEAT, Score
from partimento.transform import resample, without_overlaps

DATA = Path(os.environ.get("PARTIMENTO_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
ENCODINGS = ("notes", "voices")
VELOCITY_STEP = {"notes": 4}  # encodings that are not named here keep no velocity
KEEPS_INSTRUMENTS = ("notes",)
HELD, UNREADABLE = "held", "unreadable"
NAMED = 20  # pieces that did not come back, listed by name


@dataclass
class Pack:
    """What became of the files of one pack in one encoding."""

    name: str
    encoding: str
    files: int = 0
    held: int = 0
    refused: Counter = field(default_factory=Counter)  # reason -> files
    lost: dict[str, str] = field(default_factory=dict)  # file -> what did not come back


def expected(score: Score) -> Score:
    """A prepared score on the house grid, without overlaps, its first note at tick 0."""
    fine = resample(score, TICKS_PER_BEAT)
    notes = without_overlaps(fine.notes)
    notes["onset"] -= notes["onset"].min()
    return fine.with_notes(notes)


def sounds(score: Score, velocity_step: int, instruments: bool) -> list[tuple[int, ...]]:
    """Onset, duration and pitch of each note, sorted; with its program and its velocity's step where they are kept."""
    notes = score.notes
    columns = [notes["onset"], notes["duration"], notes["pitch"]]
    if instruments:
        columns.append(np.array([track.program for track in score.tracks])[notes["track"]])
    if velocity_step:
        columns.append(np.maximum(1, notes["velocity"] // velocity_step * velocity_step))
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def parts(score: Score) -> list[tuple[int, ...]]:
    """The notes of each track as onsets and pitches, sorted: which notes are played together by one player."""
    used = np.unique(score.notes["track"])
    return sorted(tuple(score.track_notes(int(track))[["onset", "pitch"]].tolist()) for track in used)


def single_metre(score: Score) -> tuple[int, int] | None:
    """The metre of a piece that does not change it; `None` where it does."""
    found = {(metre.numerator, metre.denominator) for metre in score.metres}
    if not score.metres or score.metres[0].tick > score.upbeat:
        found.add(DEFAULT_METRE)  # 4/4 until the first metre
    return found.pop() if len(found) == 1 else None


def difference(encoding: Encoding, score: Score) -> str:
    """What of `score` does not come back from its steps, in a few words; "" where all does. Raises `Unencodable`."""
    back = encoding.decode(encoding.encode(score))
    wanted = expected(score)
    step, instruments = VELOCITY_STEP.get(encoding.name, 0), encoding.name in KEEPS_INSTRUMENTS
    before, after = sounds(wanted, step, instruments), sounds(back, step, instruments)
    if before != after:
        missing, extra = Counter(before) - Counter(after), Counter(after) - Counter(before)
        return f"{missing.total()} of {len(before)} notes are missing, {extra.total()} are new: {sorted(missing)[:2]}"
    if parts(wanted) != parts(back):
        return "notes have moved to another track"
    metre = single_metre(score)
    if metre and single_metre(back) != metre:
        return f"metre {metre} came back as {single_metre(back)}"
    return upbeat_difference(score, back) if metre else ""


def upbeat_difference(score: Score, back: Score) -> str:
    """Whether bar lines have moved against the notes."""
    numerator, denominator = single_metre(score) or DEFAULT_METRE
    bar = TICKS_PER_BEAT * 4 * numerator // denominator
    fine = resample(score, TICKS_PER_BEAT)
    wanted = (fine.upbeat - int(fine.notes["onset"].min())) % bar
    return "" if back.upbeat % bar == wanted else f"an upbeat of {wanted} ticks came back as {back.upbeat}"


def music_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in READERS)


def judged(path: Path, encodings: Iterable[Encoding]) -> Iterator[tuple[str, str, str]]:
    """(encoding, verdict, what was lost) of one file; the verdict is `HELD` or the reason of a refusal."""
    try:
        score = prepared(load(path))
    except (FormatError, MusicError):
        score = None  # counted as unreadable
    for encoding in encodings:
        if score is None:
            yield encoding.name, UNREADABLE, ""
            continue
        try:
            yield encoding.name, HELD, difference(encoding, score)
        except Unencodable as error:
            yield encoding.name, error.reason, ""


def examine(name: str, files: Sequence[Path], encodings: Sequence[Encoding]) -> list[Pack]:
    """Every file of a pack through every encoding."""
    packs = {encoding.name: Pack(name, encoding.name) for encoding in encodings}
    for path in files:
        for encoding, verdict, lost in judged(path, encodings):
            pack = packs[encoding]
            pack.files += 1
            if lost:
                pack.lost[path.name] = lost
            elif verdict == HELD:
                pack.held += 1
            else:
                pack.refused[verdict] += 1
    return list(packs.values())


def table(packs: Sequence[Pack]) -> list[str]:
    """A line a pack and encoding, and one for all packs together."""
    lines = [f"{'pack':<18} {'encoding':<8} {'files':>6} {'held':>6} {'share':>6} {'lost':>5}  refused"]
    for encoding in dict.fromkeys(pack.encoding for pack in packs):
        own = [pack for pack in packs if pack.encoding == encoding]
        total = Pack("all", encoding, sum(pack.files for pack in own), sum(pack.held for pack in own))
        for pack in own:
            total.refused.update(pack.refused)
            total.lost |= {f"{pack.name}/{name}": what for name, what in pack.lost.items()}
        lines += [line_of(pack) for pack in (*own, total)]
    return lines


def line_of(pack: Pack) -> str:
    refused = ", ".join(f"{count} {reason}" for reason, count in pack.refused.most_common())
    share = f"{pack.held / pack.files:6.1%}" if pack.files else "     -"
    return f"{pack.name:<18} {pack.encoding:<8} {pack.files:>6} {pack.held:>6} {share} {len(pack.lost):>5}  {refused}"


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder that holds packs/")
    parser.add_argument("--packs", nargs="*", default=[], help="these packs alone")
    parser.add_argument("--encodings", nargs="*", default=ENCODINGS)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th file of a pack")
    parser.add_argument("--json", type=Path, help="write everything here as well")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine the packs that are asked for, print the table; 1 where a piece did not come back."""
    asked = parsed(arguments)
    root, started = asked.data / "packs", time.monotonic()
    if not root.is_dir():
        print(f"no music at {root}; set PARTIMENTO_DATA", file=sys.stderr)
        return 2
    encodings, packs = [get_encoding(name) for name in asked.encodings], []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if not asked.packs or folder.name in asked.packs:
            packs += examine(folder.name, music_files(folder)[:: max(1, asked.every)], encodings)
    print("\n".join(table(packs)))
    lost = [f"{pack.encoding}: {pack.name}/{name}: {what}" for pack in packs for name, what in pack.lost.items()]
    print(*lost[:NAMED], sep="\n")
    print(f"{len(lost)} pieces did not come back; {time.monotonic() - started:.0f} s")
    if asked.json:
        rows = [
            {"pack": pack.name, "encoding": pack.encoding, "files": pack.files, "held": pack.held,
             "refused": dict(pack.refused), "lost": pack.lost}
            for pack in packs
        ]  # fmt: skip
        asked.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
