"""A corpus as steps on disk, mapped into memory.

A cache is a folder: `steps.bin` (rows of int16), `times.bin` (int32 a row), `pieces.jsonl` (a line a file, written
as it goes) and `index.json` (written last, with the checksums of the others).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..encodings.base import STEP_DTYPE
from ..errors import PartimentoError
from .encode import TIME_DTYPE

STEPS, TIMES, JOURNAL, INDEX = "steps.bin", "times.bin", "pieces.jsonl", "index.json"
DATA = (STEPS, TIMES, JOURNAL)


class CacheError(PartimentoError):
    """A cache whose files are missing, cut short or changed."""


@dataclass(frozen=True)
class Piece:
    """One piece in a cache: rows `start` to `start + length`.

    It may be moved by `low` to `high` semitones, both multiples of `interval`, by any multiple in between.
    """

    name: str
    style: str
    split: str
    group: str
    start: int
    length: int
    low: int
    high: int
    notes: int
    interval: int = 1

    def entries(self) -> dict[str, Any]:
        """What a journal says of it; an interval of 1 goes without saying, as it did before there were others."""
        said = asdict(self)
        return said if self.interval != 1 else {name: value for name, value in said.items() if name != "interval"}


@dataclass(frozen=True)
class Cache:
    """A corpus as steps, mapped into memory and read-only."""

    folder: Path
    spec: dict[str, Any]  # rebuilds the encoding: get_encoding(**spec)
    pieces: list[Piece]
    skipped: list[tuple[str, str]]  # (name, reason) of every file that is not in it
    reasons: dict[str, int]  # how many were skipped for each reason
    sources: dict[str, dict[str, str]]  # composer, title, licence, source_repo by piece, where known
    fingerprint: str  # of the contents; a model card repeats it
    messages: tuple[str, ...]  # what scanning and building had to say, for a face to show
    steps: np.ndarray = field(repr=False)  # (rows, columns) int16
    times: np.ndarray = field(repr=False)  # (rows,) int32, ticks at 24 a quarter note

    def of(self, split: str) -> list[Piece]:
        """The pieces of `train`, `valid` or `test`."""
        return [piece for piece in self.pieces if piece.split == split]

    @classmethod
    def open(cls, folder: str | Path) -> Cache:
        """The cache in `folder`; raises `CacheError` where it is not whole."""
        folder = Path(folder)
        try:
            index = json.loads((folder / INDEX).read_text("utf-8"))
            for name in DATA:
                _check(folder / name, *index["files"][name])
            lines, shape = read_journal(folder), (index["rows"], index["columns"])
            pieces = [Piece(**line["piece"]) for line in lines if "piece" in line]
            skipped = [(line["name"], line["reason"]) for line in lines if "reason" in line]
            return cls(
                folder, index["spec"], pieces, skipped, index["reasons"], index["sources"], index["fingerprint"],
                tuple(index["messages"]),
                _mapped(folder / STEPS, STEP_DTYPE, shape), _mapped(folder / TIMES, TIME_DTYPE, shape[:1]),
            )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CacheError(f"{folder}: not a whole cache ({error}); delete the folder, it is built anew") from error


def _mapped(path: Path, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    """A file as a read-only array; an empty file cannot be mapped."""
    return np.memmap(path, dtype, "r", shape=shape) if np.prod(shape) else np.zeros(shape, dtype)


def _check(path: Path, size: int, sha: str) -> None:
    found = path.stat().st_size
    if found != size:
        raise CacheError(f"{path}: {found} bytes instead of {size}; delete the folder, it is built anew")
    if sha256(path) != sha:
        raise CacheError(f"{path}: its contents have changed; delete the folder, it is built anew")


def sha256(path: Path) -> str:
    """The checksum of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_journal(folder: Path) -> list[dict]:
    """The lines of a cache's journal; the last one is left out where a killed build cut it short."""
    with (folder / JOURNAL).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]
