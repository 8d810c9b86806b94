"""One file as steps: the job of the workers that fill a cache."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..describe import describe
from ..encodings import Encoding, Unencodable, get_encoding
from ..encodings.base import STEP_DTYPE
from ..errors import FormatError, MusicError
from ..formats import load
from ..score import DRUM_PROGRAM, Score
from ..timing import Clock
from ..transform import cut, find_upbeat
from .choose import Choice
from .workers import FAILED, LOST

JOB = f"{__name__}:encode_file"
TIMEOUT = 60.0  # seconds a file
TIME_DTYPE = np.int32


def prepared(score: Score) -> Score:
    """The score as it is trained on: whole silent bars before the music cut off, an undeclared upbeat found."""
    if len(score):
        clock = Clock(score)
        start = clock.bars[int(clock.bar_at(int(score.notes["onset"][0])))].start
        if start > 0 and start > score.upbeat:
            score = cut(score, start, score.end)
    upbeat = find_upbeat(score)
    return replace(score, upbeat=upbeat) if upbeat > 0 else score


def replaced(score: Score, programs: str) -> Score:
    """The score with other instruments: "68=52 0=19" has program 52 play what was written for 68.

    Raises `Unencodable` for what is not two programs, 0 to 127, or 128 for drums.
    """
    table = {}
    for pair in programs.split():
        old, _, new = pair.partition("=")
        if not all(number.isdecimal() and int(number) <= DRUM_PROGRAM for number in (old, new)):
            raise Unencodable("label", f"programs {programs!r}: wanted old=new, two of 0 to {DRUM_PROGRAM}, like 68=52")
        table[int(old)] = int(new)
    tracks = (replace(track, program=table.get(track.program, track.program)) for track in score.tracks)
    return replace(score, tracks=tuple(tracks)) if table else score


def encode_task(
    path: Path, style: str, labels: Mapping[str, str | float], encoding: Encoding, choice: Choice
) -> dict:  # fmt: skip
    """What `encode_file` is asked."""
    labels = {**labels, "style": style}
    return {"path": str(path), "labels": labels, "spec": encoding.spec(), "choice": asdict(choice)}


def refusal(result: dict) -> tuple[str, str]:
    """Why a result of `encode_file` holds no steps, as a label and a sentence; two empty strings where it does."""
    for name in (LOST, FAILED):
        if name in result:
            return name, result[name]
    return ("", "") if "steps" in result else (result["reason"], result["message"])


def score_of(task: dict) -> Score:
    """The music of a task's file, as it is wanted."""
    score = replaced(prepared(load(task["path"])), str(task["labels"].get("programs", "")))
    return Choice(**task["choice"]).changed(score)


def encoding_of(task: dict) -> Encoding:
    """The encoding of a task."""
    return _encoding(json.dumps(task["spec"], sort_keys=True))


def encode_file(task: dict) -> dict:
    """The job of a worker: one file as steps, times and limits of transposition, or the reason why not."""
    encoding, choice = encoding_of(task), Choice(**task["choice"])
    try:
        score = encoding.heard(score_of(task))
        steps = encoding.encode(score, {**task["labels"], "described": describe(score)})
    except Unencodable as error:
        return {"reason": error.reason, "message": str(error)}
    except FormatError as error:
        return {"reason": "unreadable", "message": str(error)}
    except MusicError as error:
        return {"reason": "damaged", "message": str(error)}
    low, high, interval = choice.transpositions(encoding, steps, score)
    return {
        "steps": np.asarray(steps, STEP_DTYPE), "times": np.asarray(encoding.times(steps), TIME_DTYPE),
        "low": int(low), "high": int(high), "interval": interval, "notes": len(score),
    }  # fmt: skip


@lru_cache(maxsize=4)
def _encoding(spec: str) -> Encoding:
    return get_encoding(**json.loads(spec))
