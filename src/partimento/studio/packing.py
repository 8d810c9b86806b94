"""Scores as bytes that lose nothing, as JSON that the page draws, and as a row of the library."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import BadOption, MusicError
from ..instruments import instrument_name, label
from ..score import DEFAULT_METRE, DEFAULT_TEMPO, LAST_TICK, NOTE, Key, Metre, Score, Tempo, Track, note_array
from ..theory import key_name, key_of
from ..timing import Clock, duration_seconds

FIELDS = ("track", "onset", "duration", "pitch", "velocity")  # of a note as JSON has it


def pack(score: Score) -> bytes:
    """A line of JSON, then the notes; `unpack` gives the same score."""
    head = {
        "tracks": [[track.name, track.program] for track in score.tracks], "ticks_per_beat": score.ticks_per_beat,
        "tempos": [[entry.tick, entry.bpm] for entry in score.tempos],
        "metres": [[entry.tick, entry.numerator, entry.denominator] for entry in score.metres],
        "keys": [[entry.tick, entry.tonic, entry.mode] for entry in score.keys],
        "upbeat": score.upbeat, "title": score.title, "recipe": score.recipe,
    }  # fmt: skip
    return json.dumps(head).encode() + b"\n" + score.notes.tobytes()


def unpack(data: bytes) -> Score:
    """The score of `pack`."""
    line, _, notes = data.partition(b"\n")
    head = json.loads(line)
    return Score(
        np.frombuffer(notes, dtype=NOTE), tuple(Track(*entry) for entry in head["tracks"]), head["ticks_per_beat"],
        tuple(Tempo(*entry) for entry in head["tempos"]), tuple(Metre(*entry) for entry in head["metres"]),
        tuple(Key(*entry) for entry in head["keys"]), head["upbeat"], head["title"], head["recipe"],
    )  # fmt: skip


def seen(score: Score) -> dict[str, Any]:
    """What a library says of a piece in a line."""
    clock = Clock(score)
    key = score.keys[0] if score.keys else key_of(score) if len(score) else Key(0, 0)
    metre = score.metres[0] if score.metres else Metre(0, *DEFAULT_METRE)
    return {
        "bars": max(1, len(clock.bars) - bool(score.upbeat)), "seconds": round(duration_seconds(score), 2),
        "notes": len(score), "key": key_name(key.tonic, key.mode), "metre": f"{metre.numerator}/{metre.denominator}",
        "tempo": round(score.tempos[0].bpm if score.tempos else DEFAULT_TEMPO, 2),
        "tracks": [label(track) for track in score.tracks],
    }  # fmt: skip


def shown(score: Score) -> dict[str, Any]:
    """The music of a piece in plain data."""
    columns = [score.notes[name].tolist() for name in FIELDS]
    return {
        "ticks_per_beat": score.ticks_per_beat, "end": score.end, "upbeat": score.upbeat,
        "track_list": [
            {"name": track.name, "program": track.program, "instrument": instrument_name(track.program)}
            for track in score.tracks
        ],
        "tempos": [[entry.tick, entry.bpm] for entry in score.tempos] or [[0, DEFAULT_TEMPO]],
        "metres": [[entry.tick, entry.numerator, entry.denominator] for entry in score.metres] or [[0, *DEFAULT_METRE]],
        "keys": [[entry.tick, key_name(entry.tonic, entry.mode)] for entry in score.keys],
        "bar_starts": Clock(score).bar_starts.tolist(),
        "note_list": [list(row) for row in zip(*columns, strict=True)],
    }  # fmt: skip


def edited(
    score: Score, remove: Sequence[int], change: Sequence[Mapping[str, int]], add: Sequence[Sequence[int]], most: int
) -> Score:
    """The score with notes taken out, changed and put in; indices are those of `score.notes`.

    Raises `BadOption` for a note that there is not or cannot be, `MusicError` where none is left.
    """
    rows = [list(row) for row in zip(*(score.notes[name].tolist() for name in FIELDS), strict=True)]
    for entry in change:
        row = rows[_index(entry["index"], rows)]
        for name, value in entry.items():
            if name != "index":
                row[FIELDS.index(name)] = value
    gone = {_index(index, rows) for index in remove}
    left = [row for n, row in enumerate(rows) if n not in gone] + [list(row) for row in add]
    if not left:
        raise MusicError("no note would be left; delete the piece instead")
    if len(left) > most:
        raise MusicError(f"{len(left):,} notes, more than {most:,} in a piece; split it")
    for row in left:
        _check(row, len(score.tracks))
    notes = note_array((onset, duration, pitch, velocity, track) for track, onset, duration, pitch, velocity in left)
    return replace(score, notes=notes)


def _index(index: int, rows: Sequence) -> int:
    if not 0 <= index < len(rows):
        raise BadOption(f"there is no note {index}; the piece has {len(rows)}, counted from 0")
    return index


def _check(row: Sequence[int], tracks: int) -> None:
    limits = ((0, tracks - 1), (0, LAST_TICK // 2), (1, LAST_TICK // 2), (0, 127), (1, 127))
    for name, value, (low, high) in zip(FIELDS, row, limits, strict=True):
        if not low <= value <= high:
            raise BadOption(f"{name} {value} of a note is out of range; wanted {low} to {high}")
