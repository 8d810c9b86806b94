"""A first pass over the training pieces, for an encoding that has a vocabulary to learn before it encodes any."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..encodings import Encoding, get_encoding
from ..errors import FormatError, MusicError, PartimentoError
from .encode import TIMEOUT, encode_task, encoding_of, score_of
from .verdicts import Catalogue
from .workers import Progress, run_jobs

JOB = f"{__name__}:count_file"


def with_words(
    catalogue: Catalogue, encoding: Encoding, root: Path, code: str, *,
    workers: int | None = None, timeout: float = TIMEOUT, progress: Progress | None = None,
) -> Encoding:  # fmt: skip
    """The encoding with the vocabulary of the catalogue's training pieces, or itself where it has none to learn.

    What was learnt is kept in `root` under a name that says of what: the pieces, the encoding and its source `code`.
    Raises `PartimentoError` where it cannot be kept.
    """
    if not encoding.learns:
        return encoding
    trained = replace(catalogue, entries=tuple(entry for entry in catalogue.kept if entry.split == "train"))
    place = root / f"words-{_key(trained, encoding, code)}.json"
    if spec := _kept(place):
        return get_encoding(**spec)
    learnt = encoding.learnt(_counts(trained, encoding, workers, timeout, progress))
    try:
        root.mkdir(parents=True, exist_ok=True)
        draft = place.with_suffix(f".{os.getpid()}.draft")
        draft.write_text(json.dumps(learnt.spec()), "utf-8")
        draft.replace(place)
    except OSError as error:
        raise PartimentoError(f"{place}: cannot be written ({error}); free space or choose another folder") from error
    return learnt


def _key(trained: Catalogue, encoding: Encoding, code: str) -> str:
    pieces = [(one.sha, one.path.suffix.lower(), dict(one.labels)) for one in trained.entries]
    known = json.dumps([sorted(map(str, pieces)), encoding.spec(), trained.choice.changes, code], sort_keys=True)
    return hashlib.sha256(known.encode()).hexdigest()[:16]


def _kept(place: Path) -> dict[str, Any] | None:
    """The spec that was learnt before; None where there is none, or it is damaged."""
    try:
        found = json.loads(place.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _counts(trained: Catalogue, encoding: Encoding, workers, timeout, progress) -> Iterator[dict]:
    """What each piece holds, one after the other; nothing of those that the encoding refuses."""
    tasks = [encode_task(one.path, one.style, one.labels, encoding, trained.choice) for one in trained.entries]
    for done, result in enumerate(run_jobs(JOB, tasks, workers=workers, timeout=timeout), 1):
        yield result.get("counts", {})
        if progress:
            progress("learning words", done, len(tasks))


def count_file(task: dict) -> dict:
    """The job of a worker: how often each word stands in one file; of a file that is refused, encoding says why."""
    try:
        return {"counts": encoding_of(task).words_of(score_of(task))}
    except (FormatError, MusicError):
        return {}
