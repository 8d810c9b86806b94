"""Damaged and made-up MIDI files, read in a child with little memory and time: only a PartimentoError may come out.

A few hundred files by default; PARTIMENTO_FUZZ=5000 tries so many of each kind.
"""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

MEMORY = 2 << 30  # bytes
KINDS = ("truncated", "flipped", "spliced", "made up", "stretched")


def sound_file(chance: random.Random) -> bytes:
    """A whole file of a few tracks, as our own writer makes it."""
    from partimento.formats import midi
    from partimento.score import Key, Metre, Score, Tempo, Track, note_array

    rows = [
        (chance.randrange(2000), chance.randrange(1, 99), chance.randrange(128), chance.randrange(1, 128), n % 3)
        for n in range(chance.randrange(3, 60))
    ]
    tracks = (Track("Flöte", 73), Track("", 0), Track("kit", 128))
    maps = {"tempos": (Tempo(0, 96), Tempo(400, 60)), "metres": (Metre(0, 3, 4),), "keys": (Key(0, 2, "minor"),)}
    return midi.to_bytes(Score(note_array(rows), tracks, **maps, title="x", recipe={"seed": 1}, upbeat=24))


def length(chance: random.Random) -> bytes:
    return chance.choice([b"\0", b"\x18", b"\x81\x00", b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff\x7f", b"\x83\xff\x7f"])


def event(chance: random.Random) -> bytes:
    data = bytes(chance.choice([0, 60, 64, 127, chance.randrange(256)]) for _ in range(2))
    body = chance.randbytes(chance.randrange(9))
    return length(chance) + chance.choice([
        bytes([0x90 | chance.randrange(16)]) + data, bytes([0x80 | chance.randrange(16)]) + data, data,
        bytes([0xC0 | chance.randrange(16), data[0]]), bytes([chance.randrange(256)]) + data,
        bytes([0xFF, chance.choice([1, 3, 0x51, 0x58, 0x59, 0x2F, 0x7F]), len(body)]) + body,
        bytes([0xFF, 0x51, 3]) + chance.choice([b"\0\0\0", b"\0\0\1", b"\xff\xff\xff"]),
        bytes([0xFF, 0x58, 4, *chance.choice([(0, 0), (4, 255), (1, 6), (255, 0)]), 24, 8]),
        bytes([0xF0]) + length(chance) + body,
    ])  # fmt: skip


def made_up(chance: random.Random) -> bytes:
    """A file by the grammar, with senseless values in every place."""
    tracks = [b"".join(event(chance) for _ in range(chance.randrange(40))) for _ in range(chance.randrange(5))]
    division = chance.choice([0, 1, 24, 480, 32767, 0xE728, 0xE200, 0x8000])
    count = chance.choice([len(tracks), 0, 65535])
    data = struct.pack(">4sIHHH", b"MThd", chance.choice([6, 6, 6, 5, 2**32 - 1]), chance.randrange(4), count, division)
    for track in tracks:
        size = chance.choice([len(track), len(track), 0, 2**32 - 1])
        data += struct.pack(">4sI", chance.choice([b"MTrk", b"MTrk", b"MTrk", b"\0\0\0\0"]), size) + track
    return data


def case(kind: str, chance: random.Random) -> bytes:
    if kind == "made up":
        return made_up(chance)
    data = bytearray(sound_file(chance))
    if kind == "truncated":
        return bytes(data[: chance.randrange(len(data))])
    if kind == "spliced":
        other = sound_file(chance)
        return bytes(data[: chance.randrange(len(data))] + other[chance.randrange(len(other)) :])
    for _ in range(chance.randrange(1, 9)):
        place = chance.randrange(len(data))
        if kind == "flipped":
            data[place] ^= 1 << chance.randrange(8)
        else:
            data[place : place + 1] = length(chance)
    return bytes(data)


def try_all(kind: str, count: int, note: Path) -> Counter:
    """In the child: read every file, and what is read must go through every later step."""
    from partimento.errors import PartimentoError
    from partimento.formats import midi, overview, roll

    seen: Counter = Counter()
    for seed in range(count):
        note.write_text(f"{kind} {seed}")
        data = case(kind, random.Random(seed))
        try:
            score = midi.from_bytes(data)
            seen["read"] += 1
            again = midi.from_bytes(midi.to_bytes(score))
            assert len(again) == len(score) and again.end == score.end
            roll.terminal(score)
            overview.overview(score)
            if seed % 10 == 0:
                roll.svg(score)
        except PartimentoError as error:
            assert len(str(error)) > 20
            seen["refused"] += 1
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_read_or_refused(kind, tmp_path):
    count = int(os.environ.get("PARTIMENTO_FUZZ", "80"))
    note = tmp_path / "last"
    child = subprocess.run(
        [sys.executable, __file__, kind, str(count), str(note)],
        capture_output=True, text=True, timeout=30 + count / 10, check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    last = note.read_text() if note.exists() else "the start"
    assert child.returncode == 0, f"at {last}: exit code {child.returncode}\n{child.stderr[-3000:]}"
    seen = json.loads(child.stdout)
    assert seen.get("refused", 0) > 0 and (seen.get("read", 0) > 0 or kind == "truncated"), seen


if __name__ == "__main__":
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    print(json.dumps(try_all(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
