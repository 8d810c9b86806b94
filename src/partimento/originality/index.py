"""The index of the training music: its lines as intervals and times, small enough to travel in a model file.

A member `originality` of a model file is a header of JSON with what is known of the files, behind it arrays of numbers,
each compressed by LZMA. Names, instruments and chords are not in it, nor which notes were struck together: of each part
a line or two, by which a run of notes is found and shown.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import ModelError
from ..score import DEFAULT_METRE, TICKS_PER_BEAT, Score
from ..timing import bar_ticks
from ..transform import resample
from .parts import BASSES, END, learnt_lines, notes_of

VERSION = 1
LONGEST_WAIT = 2**16 - 1  # ticks; a line that is silent for longer goes on as if it had not been
COMMON = 255  # waits with a byte of their own
MOST_NOTES = 2**27
FILTERS = ({"id": lzma.FILTER_LZMA2, "preset": 9, "lc": 3, "lp": 0, "pb": 0, "dict_size": 1 << 24},)
ARRAYS = {  # of a member, in this order
    "file": "<i4", "track": "<u2", "level": "u1", "length": "<i4", "onset": "<i4", "pitch": "u1",
    "interval": "i1", "wait": "u1", "rare": "<u2",
}  # fmt: skip
LINE_ARRAYS = ("file", "track", "level", "length", "onset", "pitch")


@dataclass(frozen=True)
class Index:
    """Lines of training music end to end: a slot a note, from which `interval` and `wait` lead to the next.

    `files` are [name, style, upbeat in ticks, [[tick, numerator, denominator], ...]]; `reference` says of each style
    what real pieces that are not in it share with it, see `judging.reference`.
    """

    files: list[list]
    lines: np.ndarray  # (lines,) of LINE
    interval: np.ndarray  # (N,) int8 semitones, END at the last note of a line
    wait: np.ndarray  # (N,) int32 ticks, 0 there
    reference: Mapping[str, Any] = field(default_factory=dict)
    left_out: int = 0  # lines for which there was no room
    made: dict = field(default_factory=dict, compare=False)  # what `search` has worked out

    def __len__(self) -> int:
        return len(self.interval)

    @property
    def starts(self) -> np.ndarray:
        """The slot at which each line begins, (lines,)."""
        if "starts" not in self.made:
            self.made["starts"] = np.cumsum(self.lines["length"]) - self.lines["length"]
        return self.made["starts"]

    def line_at(self, slot: int) -> int:
        """The line that a slot lies in."""
        return int(np.searchsorted(self.starts, slot, side="right")) - 1

    def notes(self, line: int, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Onsets in ticks and pitches of notes `first` to `stop` (exclusive) of a line."""
        begin = int(self.starts[line])
        onset = self.lines["onset"][line] + np.cumsum(np.append(0, self.wait[begin : begin + stop - 1]))
        steps = self.interval[begin : begin + stop - 1].astype(np.int64)
        return onset[first:], (self.lines["pitch"][line] + np.cumsum(np.append(0, steps)))[first:]

    def joined(self, other: Index) -> Index:
        """This index with the lines of another behind its own; what real pieces share is that of the other."""
        lines = other.lines.copy()
        lines["file"] += len(self.files)
        return Index(
            self.files + other.files, np.concatenate([self.lines, lines]),
            np.concatenate([self.interval, other.interval]), np.concatenate([self.wait, other.wait]),
            other.reference, self.left_out + other.left_out,
        )  # fmt: skip

    def up_to(self, level: int) -> Index:
        """The index without the lines of later levels."""
        kept = self.lines["level"] <= level
        slots = np.repeat(kept, self.lines["length"])
        left = self.left_out + int((~kept).sum())
        return replace(
            self, lines=self.lines[kept], interval=self.interval[slots], wait=self.wait[slots], left_out=left, made={}
        )

    def shortened(self, share: float) -> Index:
        """The index with lines left out, spread over all, of which a share (0-1) is kept."""
        kept = np.diff(np.floor(np.arange(len(self.lines) + 1) * share)) > 0
        later = replace(self, lines=self.lines.copy(), made={})
        later.lines["level"] = np.where(kept, self.lines["level"], BASSES + 1)
        return later.up_to(BASSES)

    def packed(self) -> bytes:
        """As a member of a model file."""
        table, waits, rare = _coded(self.wait)
        arrays = {name: self.lines[name] for name in LINE_ARRAYS}
        arrays |= {"interval": self.interval, "wait": waits, "rare": rare}
        parts = [_squeezed(np.ascontiguousarray(arrays[name], dtype=ARRAYS[name]).tobytes()) for name in ARRAYS]
        said = {"files": self.files, "reference": dict(self.reference), "waits": table}
        header = {
            "version": VERSION, "left_out": self.left_out, "notes": len(self), "lines": len(self.lines),
            "rare": len(rare), "parts": [len(part) for part in parts],
        }  # fmt: skip
        text = _squeezed(json.dumps(said, separators=(",", ":")).encode())
        first = json.dumps({**header, "text": len(text), "plain": len(json.dumps(said))}).encode()
        return b"".join([len(first).to_bytes(4, "little"), first, text, *parts])


LINE = np.dtype([(name, ARRAYS[name]) for name in LINE_ARRAYS])


def _squeezed(data: bytes) -> bytes:
    return lzma.compress(data, format=lzma.FORMAT_RAW, filters=list(FILTERS))


def _expanded(data: bytes, size: int) -> bytes:
    """`size` bytes out of compressed ones, and never more."""
    decoder = lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=list(FILTERS))
    return decoder.decompress(data, max_length=size)


def _coded(wait: np.ndarray) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Waits as a table of the common ones, a byte each (COMMON for the others), and the others."""
    values, counts = np.unique(wait, return_counts=True)
    common = np.sort(values[np.argsort(-counts, kind="stable")[:COMMON]])
    at = np.minimum(np.searchsorted(common, wait), max(0, len(common) - 1))
    known = common[at] == wait if len(common) else np.zeros(0, dtype=bool)
    return common.tolist(), np.where(known, at, COMMON).astype(np.uint8), wait[~known]


def unpacked(data: bytes) -> Index:
    """The index in a member of a model file; raises `ModelError` where it is damaged."""
    try:
        size = int.from_bytes(data[:4], "little")
        header = json.loads(data[4 : 4 + size])
        if header["version"] > VERSION or not 0 <= header["notes"] <= MOST_NOTES:
            raise ModelError(f"the originality index is of version {header['version']}; this reads {VERSION}")
        at = 4 + size + header["text"]
        said = json.loads(_expanded(data[4 + size : at], header["plain"]))
        arrays = {}
        counts = {"interval": header["notes"], "wait": header["notes"], "rare": header["rare"]}
        for name, length in zip(ARRAYS, header["parts"], strict=True):
            kind = np.dtype(ARRAYS[name])
            wanted = counts.get(name, header["lines"])
            arrays[name] = np.frombuffer(_expanded(data[at : at + length], wanted * kind.itemsize), kind, wanted)
            at += length
        return _checked(said, arrays, header["left_out"])
    except (KeyError, ValueError, TypeError, lzma.LZMAError, EOFError, IndexError) as error:
        raise ModelError(f"the originality index is damaged ({error}); fetch or train the model again") from error


def _checked(said: dict, arrays: dict[str, np.ndarray], left_out: int) -> Index:
    lines = np.zeros(len(arrays["file"]), dtype=LINE)
    for name in LINE_ARRAYS:
        lines[name] = arrays[name]
    table = np.array([*said["waits"], *[0] * (COMMON + 1 - len(said["waits"]))], dtype=np.int32)
    wait = table[arrays["wait"]]
    wait[arrays["wait"] == COMMON] = arrays["rare"]
    ends = np.cumsum(lines["length"]) - 1
    fits = len(lines) == 0 or (int(ends[-1]) == len(wait) - 1 and int(lines["length"].min()) > 0)
    if not fits or (arrays["interval"][ends] != END).any() or (lines["file"] >= len(said["files"])).any():
        raise ValueError("its lines do not fit its notes")
    return Index(said["files"], lines, arrays["interval"], wait, said["reference"], left_out)


def build(pieces: Iterable[tuple[str, str, Score]]) -> Index:
    """An index of (name, style, score) of every training piece."""
    files: list[list] = []
    rows, intervals, waits = [], [], []
    for name, style, score in pieces:
        for line in learnt_lines(notes_of(score)):
            steps, times = line.steps()
            first = min(int(line.onset[0]), 2**31 - 1)
            rows.append((len(files), line.track, line.level, len(line), first, int(line.pitch[0])))
            intervals.append(steps.astype(np.int8))
            waits.append(np.minimum(times, LONGEST_WAIT).astype(np.int32))
        files.append([name, style, *_metres(score)])
    return Index(files, np.array(rows, dtype=LINE), _end_to_end(intervals, np.int8), _end_to_end(waits, np.int32))


def _end_to_end(parts: Sequence[np.ndarray], kind: type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, kind)


def _metres(score: Score) -> tuple[int, list[list[int]]]:
    """Upbeat in ticks at 24 a beat, and [tick, numerator, denominator] of each metre."""
    fine = resample(score, TICKS_PER_BEAT)
    return int(fine.upbeat), [[int(metre.tick), metre.numerator, metre.denominator] for metre in fine.metres]


def bar_of(tick: int, upbeat: int, metres: Sequence[Sequence[int]]) -> int:
    """The bar, from 1, that a tick lies in; an upbeat is bar 0."""
    changes = [list(entry) for entry in metres]
    metre: tuple[int, int] = (DEFAULT_METRE[0], DEFAULT_METRE[1])
    while changes and changes[0][0] <= upbeat:
        _, *first = changes.pop(0)
        metre = first[0], first[1]
    if tick < upbeat:
        return 0
    start, bar = upbeat, 1
    for change, *later in changes:
        if tick < change:
            break
        length = bar_ticks(*metre, TICKS_PER_BEAT)
        bar += -(-(change - start) // length)
        start, metre = change, (later[0], later[1])
    return bar + (tick - start) // bar_ticks(*metre, TICKS_PER_BEAT)
