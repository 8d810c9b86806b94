"""What a child does that compares: several kinds of model on the same music, the same split and the same budget.

Every path it is given was made by the server, never by a request.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import api, formats
from ..errors import BadOption, Stopped
from . import training
from .tasks import Task, kept

OF_A_STYLE, LONG = 20, 16  # pieces that a style composes to be learnt from, and their bars
MINUTES, BARS = 1.0, 8  # of each training, and of the piece that each model composes
TOLD = (
    "bits", "bits_alone", "bits_untold", "likelihood", "comparable", "hears", "seconds", "seconds_per_epoch", "epochs",
    "steps", "parameters", "bytes", "notes_per_second", "typicality", "verdict", "why",
)  # fmt: skip


def compare(task: Task) -> dict[str, Any]:
    """Train and measure each model of the request; a row and a piece of each, the likeliest first.

    A job that is stopped keeps the models that are finished.
    """
    api.check_can_train()
    output = Path(task.paths["output"])
    output.mkdir(parents=True)
    try:
        request = request_of(task, _music(task, output))
        state = _followed(task, request)
        return {"pieces": [], "result": table_of(api.read_comparison(output)), "state": state}
    finally:
        shutil.rmtree(output, ignore_errors=True)  # what is kept of it is in the library


def request_of(task: Task, folder: Path) -> api.ComparisonRequest:
    """What `api.compare` is asked, of a request as JSON has it."""
    asked, settings = task.asked, dict(task.asked.get("settings") or {})
    for name in settings:
        if name in training.UNSETTABLE:
            raise BadOption(f"the studio chooses {name} itself; leave it out")
    return api.ComparisonRequest(
        (folder,), Path(task.paths["output"]), tuple(dict.fromkeys(asked["models"])), settings=settings,
        minutes=asked.get("minutes") or MINUTES, steps=asked.get("steps") or 0, pieces=1,
        bars=asked.get("bars") or BARS, seed=asked.get("seed") or 1, workers=1, command="the studio",
    )  # fmt: skip


def _music(task: Task, output: Path) -> Path:
    """The folder to learn from: the set's, or one of pieces that a style composes for it."""
    if "folder" in task.paths:
        return Path(task.paths["folder"])
    folder = output / "composed"
    folder.mkdir()
    for number in range(OF_A_STYLE):
        if task.stop():
            raise Stopped("stopped before there was music to learn from")
        said = f"{task.asked['style']} composes piece {number + 1} of {OF_A_STYLE} to learn from"
        task.tell("progress", {"stage": "composing", "done": 0.0, "said": said})
        piece = api.compose(task.style, model=task.model, bars=LONG, seed=number, candidates=1)
        formats.save(piece, folder / f"{number:02}.mid")
    return folder


def _followed(task: Task, request: api.ComparisonRequest) -> str:
    """Tell all that happens; how it ended."""
    number, last = len(request.models), 0.0
    done: list[str] = []
    try:
        for happened in api.compare(request, training.Reader(task)):
            if happened.said:
                task.tell("said", {"text": happened.said})
            at = happened.at
            if at is not None and (at.valid is not None or time.monotonic() - last > training.EVERY):
                last = time.monotonic()
                standing = training.standing(at)
                share = (len(done) + standing["done"]) / number
                task.tell("progress", standing | {"model": happened.model, "done": share})
            if happened.row is not None:
                done.append(happened.model)
                _tell_row(task, request, happened.model)
    except (Stopped, KeyboardInterrupt) as error:  # the latter where it was not just training
        if not done:
            raise Stopped("stopped before a model was finished") from error
        return "stopped"
    return "done"


def _tell_row(task: Task, request: api.ComparisonRequest, name: str) -> None:
    """A model that is finished, with the piece that it composed."""
    if not (request.output / "compare.json").is_file():  # it failed before there was anything to compare
        return
    found = next(row for row in api.read_comparison(request.output)["models"] if row["name"] == name)
    path = request.output / found["folder"] / (found.get("midi") or "")
    pieces = None
    if found.get("midi") and path.is_file() and len(score := formats.load(path)):
        pieces = [kept(score, kind="sample", title=f"{name}, compared", did={"model": name})]
    task.tell("row", _row(found), pieces)


def table_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """A comparison as the page shows it, the likeliest model first, those that failed last."""
    rows = [_row(row) for row in found["models"] if row["failed"] or "bits" in row]
    rows.sort(key=lambda row: (bool(row["failed"]), not row.get("comparable"), row.get("bits_alone") or math.inf))
    told = {name: found[name] for name in ("budget", "seed", "split", "held_out", "held_out_of", "real_typicality")}
    return training.finite(told) | {"models": rows}


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A model's figures, without the paths that nobody outside can use."""
    failed = str(row["failed"]).partition(" (see ")[0]
    figures = {name: row[name] for name in TOLD if name in row}
    return {"name": row["name"], "about": row["about"], "failed": failed, **training.finite(figures)}


KINDS = {**training.KINDS, "compare": compare}
