"""Building a cache: each file encoded once, and again only where it, its labels or the encoding has changed.

A cache is built in a hidden folder beside its place and renamed when it is whole. What older caches and killed
builds have encoded is taken over from them.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..describe import describe
from ..encodings import Encoding, get_encoding
from ..encodings.base import STEP_DTYPE
from ..errors import PartimentoError
from ..formats import READERS, load
from .cache import DATA, INDEX, JOURNAL, STEPS, TIME_DTYPE, TIMES, Cache, CacheError, Piece, read_journal, sha256
from .choose import EVERYTHING, Choice
from .encode import JOB, TIMEOUT, encode_task, prepared, refusal
from .verdicts import Catalogue, Entry, scan
from .words import with_words
from .workers import FAILED, LOST, Progress, run_jobs

LAYOUT = 1  # of a cache's files
ABANDONED = 900.0  # seconds without a line in its journal after which a build is taken for dead


def prepare(
    folders: Iterable[str | Path] | str | Path,
    encoding: Encoding | str,
    cache_root: str | Path,
    *,
    styles_from: str = "style",
    labels: str | Path | None = None,
    choice: Choice = EVERYTHING,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Cache:
    """Scan `folders` and build, or open, their cache in `cache_root`; see `scan` and `build_cache`.

    An encoding given by name is built with the styles found.
    """
    catalogue = scan(
        folders, labels=labels, styles_from=styles_from, choice=choice, seed=seed, workers=workers, progress=progress
    )
    if isinstance(encoding, str):
        encoding = get_encoding(encoding, styles=catalogue.styles)
    return build_cache(catalogue, encoding, cache_root, workers=workers, progress=progress)


def build_cache(
    catalogue: Catalogue,
    encoding: Encoding,
    folder: str | Path,
    *,
    workers: int | None = None,
    timeout: float = TIMEOUT,
    progress: Progress | None = None,
) -> Cache:
    """The catalogue's kept files as steps of `encoding`, in a folder inside `folder` named by all that goes into it.

    An encoding that has a vocabulary to learn learns it first; the cache's spec holds it. Pieces that the encoding
    refuses are among the cache's `skipped`. Raises `PartimentoError` where the folder cannot be written.
    """
    root, code = Path(folder), code_version(encoding)
    encoding = with_words(catalogue, encoding, root, code, workers=workers, timeout=timeout, progress=progress)
    keys = [piece_key(entry, encoding.spec(), code, catalogue.choice) for entry in catalogue.kept]
    place = root / f"{encoding.name}-{_cache_key(catalogue, keys, encoding.spec())}"
    messages = list(catalogue.remarks)
    try:
        return Cache.open(place)
    except CacheError as error:
        if place.exists():
            messages.append(f"built anew: {error}")
    try:
        root.mkdir(parents=True, exist_ok=True)
        draft = root / f".{place.name}.{os.getpid()}.{time.time_ns()}"
        draft.mkdir()
        results = _results(catalogue, keys, encoding, root, draft, workers, timeout)
        _write(draft, catalogue, keys, _counted(results, len(keys), progress), encoding, messages)
        _put(draft, place)
        _sweep(root)
    except OSError as error:
        raise PartimentoError(f"{root}: the cache cannot be written ({error}); free space or choose another") from error
    return Cache.open(place)


def piece_key(entry: Entry, spec: dict[str, Any], code: str, choice: Choice) -> str:
    """A hash of all that the steps of a piece depend on."""
    return _hash([entry.sha, entry.path.suffix.lower(), entry.style, dict(entry.labels), spec, code, choice.changes])


def _cache_key(catalogue: Catalogue, keys: Sequence[str], spec: dict[str, Any]) -> str:
    kept = [(key, entry.name, entry.split, entry.group) for key, entry in zip(keys, catalogue.kept, strict=True)]
    skipped = [(entry.name, entry.reason) for entry in catalogue.skipped]
    return _hash([LAYOUT, spec, kept, skipped, asdict(catalogue.choice)])[:16]


def _hash(parts: list) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def code_version(encoding: Encoding) -> str:
    """A hash of the source that turns files into steps, so that an old cache is not read for a changed encoding."""
    digest = hashlib.sha256()
    for path in sorted(path for path in source_files(encoding) if path.exists()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def source_files(encoding: Encoding) -> set[Path]:
    """The files of the source that turns files into steps: readers, preparation, description, encoding."""
    formats = Path(inspect.getfile(load)).parent
    readers = {formats / f"{stem}.py" for stem in READERS.values()}
    modules = sys.modules[type(encoding).__module__], sys.modules[describe.__module__]
    here = {Path(inspect.getfile(one)) for one in (prepared, Choice)}
    return {*readers, *here, *(path for one in modules for path in _sources(one))}


@lru_cache
def _sources(module: ModuleType) -> tuple[Path, ...]:
    """The source files of a module and of all that it takes from Partimento."""
    package = __name__.partition(".")[0] + "."
    seen: dict[str, ModuleType] = {}
    ahead = [module]
    while ahead:
        one = ahead.pop()
        if one.__name__ in seen:
            continue
        seen[one.__name__] = one
        parts = vars(one).values()
        names = {part.__name__ if inspect.ismodule(part) else getattr(part, "__module__", None) for part in parts}
        ahead += [sys.modules[name] for name in names if name in sys.modules and name.startswith(package)]
    return tuple(Path(one.__file__) for one in seen.values() if one.__file__)


def _results(
    catalogue: Catalogue, keys: Sequence[str], encoding: Encoding, root: Path, draft: Path,
    workers: int | None, timeout: float,
) -> Iterator[dict]:  # fmt: skip
    """What `encode_file` gives for each kept entry, in order; from older caches where they have it."""
    known = _Known(root, draft, sum(entry.width for entry in encoding.fields))
    entries = [entry for entry, key in zip(catalogue.kept, keys, strict=True) if key not in known.places]
    tasks = [encode_task(entry.path, entry.style, entry.labels, encoding, catalogue.choice) for entry in entries]
    fresh = run_jobs(JOB, tasks, workers=workers, timeout=timeout)
    for key in keys:
        yield known.get(key) if key in known.places else next(fresh)


def _counted(results: Iterator[dict], total: int, progress: Progress | None) -> Iterator[dict]:
    for done, result in enumerate(results, 1):
        yield result
        if progress:
            progress("encoding", done, total)


class _Known:
    """What was encoded before, by piece key: in whole caches, and in what killed builds have left."""

    def __init__(self, root: Path, draft: Path, columns: int):
        self.columns = columns
        self.places: dict[str, tuple[Path, dict]] = {}
        for folder in sorted(path for path in root.iterdir() if path.is_dir() and path != draft):
            try:
                lines = read_journal(folder)
            except (OSError, ValueError):  # not a cache, or one too damaged to take from
                continue
            for line in lines:
                if line.get("key") and line["key"] not in self.places and self._read(folder, line):
                    self.places[line["key"]] = (folder, line)

    def get(self, key: str) -> dict:
        folder, line = self.places[key]
        result = self._read(folder, line)
        if result is None:
            raise OSError(f"{folder} changed while it was read")
        return result

    def _read(self, folder: Path, line: dict) -> dict | None:
        """The result that a journal's line stands for; None where its rows are not there or not whole."""
        if "piece" not in line:
            return {"reason": line["reason"], "message": line["message"]}
        piece, size = line["piece"], np.dtype(STEP_DTYPE).itemsize * self.columns
        try:
            steps = np.fromfile(
                folder / STEPS, STEP_DTYPE, piece["length"] * self.columns, offset=piece["start"] * size
            )
            times = np.fromfile(folder / TIMES, TIME_DTYPE, piece["length"], offset=piece["start"] * 4)
        except OSError:  # deleted since it was listed
            return None
        if _sum(steps, times) != line["sum"]:
            return None
        limits = {name: piece.get(name, 1) for name in ("low", "high", "interval", "notes")}
        return {"steps": steps.reshape(-1, self.columns), "times": times, **limits}


def _sum(steps: np.ndarray, times: np.ndarray) -> int:
    return zlib.crc32(times.tobytes(), zlib.crc32(steps.tobytes()))


def _write(
    draft: Path, catalogue: Catalogue, keys: Sequence[str], results: Iterator[dict], encoding: Encoding, messages: list
) -> None:
    """The four files of a cache; the index last, since it says that the others are whole."""
    row, reasons, sources = 0, catalogue.reasons, {}
    with ExitStack() as stack:
        steps, times = (stack.enter_context((draft / name).open("wb")) for name in (STEPS, TIMES))
        journal = stack.enter_context((draft / JOURNAL).open("w", encoding="utf-8", newline="\n"))
        for entry, key, result in zip(catalogue.kept, keys, results, strict=True):
            if "steps" in result:
                steps.write(result["steps"].tobytes())
                times.write(result["times"].tobytes())
                sources[entry.name] = dict(entry.source)
            line = _line(entry, key, result, row)
            row += len(result.get("steps", ()))
            reasons.update([line["reason"]] if "reason" in line else [])
            for file in (steps, times):
                file.flush()  # the journal never names rows that are not there
            print(json.dumps(line), file=journal, flush=True)
        for entry in catalogue.skipped:
            line = {"name": entry.name, "reason": entry.reason, "message": entry.message}
            print(json.dumps(line), file=journal)
    _write_index(draft, encoding, row, reasons, sources, messages)


def _line(entry: Entry, key: str, result: dict, row: int) -> dict:
    """A line of the journal; a lost worker's piece has no key, so that it is tried again."""
    reason, message = refusal(result)
    if reason:
        again = {} if LOST in result or FAILED in result else {"key": key}
        return {**again, "name": entry.name, "reason": reason, "message": message}
    limits = (result["low"], result["high"], result["notes"], result["interval"])
    piece = Piece(entry.name, entry.style, entry.split, entry.group, row, len(result["steps"]), *limits)
    return {"key": key, "piece": piece.entries(), "sum": _sum(result["steps"], result["times"])}


def _write_index(
    draft: Path, encoding: Encoding, rows: int, reasons: Counter, sources: dict, messages: Sequence[str]
) -> None:
    files = {name: ((draft / name).stat().st_size, sha256(draft / name)) for name in DATA}
    columns = sum(one.width for one in encoding.fields)
    pieces = [line["piece"] for line in read_journal(draft) if "piece" in line]  # without what names the code
    index = {
        "layout": LAYOUT, "spec": encoding.spec(), "rows": rows, "columns": columns, "files": files,
        "fingerprint": _hash([files[STEPS][1], files[TIMES][1], pieces]), "reasons": dict(sorted(reasons.items())),
        "sources": {name: source for name, source in sources.items() if source}, "messages": list(messages),
    }  # fmt: skip
    with (draft / INDEX).open("w", encoding="utf-8") as file:
        json.dump(index, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _put(draft: Path, place: Path) -> None:
    """Move a whole cache to its place; a damaged one there goes first, a whole one by another process stays."""
    if place.exists():
        try:
            Cache.open(place)
        except CacheError:
            shutil.rmtree(place)
        else:
            shutil.rmtree(draft)
            return
    draft.rename(place)


def _sweep(root: Path) -> None:
    """Delete what builds left that nobody works on any more."""
    for path in root.glob(".*-*.*.*"):
        process = path.name.split(".")[-2]
        journal = path / JOURNAL
        last = (journal if journal.exists() else path).stat().st_mtime
        if process.isdecimal() and (not _alive(int(process)) or time.time() - last > ABANDONED):
            shutil.rmtree(path, ignore_errors=True)


def _alive(process: int) -> bool:
    """Whether a process may still run; where the system cannot be asked, it may."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
