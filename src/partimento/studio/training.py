"""What a child does that trains: verdicts on a set of files, and a training with all that is to be seen of it.

Every path it is given was made by the server, never by a request.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import api, styles
from ..errors import BadOption, PartimentoError
from ..score import Score
from .locks import held
from .tasks import Task, kept

SAVING = 60.0  # seconds
EVERY = 0.25  # seconds between two words on where training stands
SPARING = 8.0  # a sample is composed once so many times as long has been trained as it took
MOST_SAMPLES = 12
NO_HARM = (PartimentoError, ValueError, RuntimeError)  # what composing on the way may raise without harm
UNSETTABLE = {"device", "threads", "processes", "start", "tensorboard", "save_seconds"}  # the studio's own affair


def check(task: Task) -> dict[str, Any]:
    """A verdict on each file of a set."""
    reader = Reader(task)
    catalogue = api.scan((Path(task.paths["folder"]),), workers=1, progress=reader)
    return {"pieces": [], "result": verdicts_of(catalogue, task)}


def verdicts_of(catalogue, task: Task) -> dict[str, Any]:
    """Verdicts as the page shows them, by the names that the files came with."""
    names = task.asked["names"]
    found = [
        {
            "name": names.get(entry.path.name, entry.path.name), "kept": entry.kept, "reason": entry.reason,
            "message": _renamed(entry.message, task), "notes": entry.notes, "seconds": round(entry.seconds, 1),
            "split": entry.split,
        }
        for entry in catalogue.entries
    ]  # fmt: skip
    counts = {"kept": len(catalogue.kept), "skipped": len(catalogue.skipped)}
    return counts | {"verdicts": found, "remarks": [_renamed(text, task) for text in catalogue.remarks]}


def _renamed(text: str, task: Task) -> str:
    """A sentence with the names that the person knows for those that the studio stored files under."""
    folder = task.paths["folder"]
    for place in (f"{folder}/", folder, Path(folder).name + "/"):
        text = text.replace(place, "")
    for stored, name in task.asked["names"].items():
        if stored in text:
            text = text.replace(stored, name)
    return text


class Reader:
    """Tells how far the reading is, now and then."""

    def __init__(self, task: Task):
        self.task, self.last = task, 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self.last > EVERY or done == total:
            self.last = now
            said = f"{stage} {done}/{total}"
            self.task.tell("progress", {"stage": "reading", "done": done / max(1, total), "said": said})


def request_of(task: Task) -> api.TrainingRequest:
    """What `api.train` is asked, of a request as JSON has it."""
    asked = task.asked
    settings = dict(asked.get("settings") or {})
    for name in settings:
        if name in UNSETTABLE:
            raise BadOption(f"the studio chooses {name} itself; leave it out")
    folder, start = Path(task.paths["folder"]), task.paths.get("from")
    budget = {name: asked[name] for name in ("minutes", "epochs", "steps") if asked.get(name)}
    return api.TrainingRequest(
        (folder,), Path(task.paths["output"]), asked.get("family") or "transformer", asked.get("encoding") or "notes",
        styles={folder.name: task.paths["style"]}, work=Path(task.paths["work"]), workers=1, settings=settings,
        start=Path(start) if start else None, preset=asked.get("preset") or "", command="the studio", **budget,
    )  # fmt: skip


def train(task: Task) -> dict[str, Any]:
    """Train on a set; the new style."""
    request, reader = request_of(task), Reader(task)
    api.check_can_train()
    task.tell("verdicts", verdicts_of(api.scan(request.folders, workers=1, progress=reader), task))
    with held(Path(task.paths["work"]), SAVING):  # of a studio that was killed the training may still be saving
        end = _trained(task, request, reader)
    return {"pieces": [], "result": _finished(task, request, end)}


def _trained(task: Task, request: api.TrainingRequest, reader: Reader):
    """Train, telling all that is to be seen of it; where it stood at its end."""
    music = api.prepare(request, reader)
    for line in (*music.messages, *api.outlook(request, music)):
        task.tell("said", {"text": _renamed(line, task)})
    samples = _Samples(task, request, music)
    last, end = 0.0, None
    for at in api.train(request, music=music):
        for line in at.said:
            if not line.startswith("report: "):
                task.tell("said", {"text": _renamed(line, task)})
        end = at if at.health else end
        if at.valid is not None or at.health or time.monotonic() - last > EVERY:
            last = time.monotonic()
            task.tell("progress", standing(at))
        if at.valid is not None and not at.health:
            samples.take(at.step)
    return end


def standing(at) -> dict[str, Any]:
    told = {name: value for name, value in asdict(at).items() if name not in ("terms", "said", "health", "seconds")}
    return {"stage": "training", "done": min(1.0, at.step / max(1, at.steps)), **finite(told)}


def finite(told: dict[str, Any]) -> dict[str, Any]:
    """Figures as JSON has them: what is no number is none."""
    wrong = (float("inf"), float("-inf"))
    return {
        name: None if isinstance(value, float) and (value != value or value in wrong) else value
        for name, value in told.items()
    }


class _Samples:
    """Pieces on the way, as seldom as they are slow."""

    def __init__(self, task: Task, request: api.TrainingRequest, music):
        self.task, self.request, self.music = task, request, music
        self.compose: Callable[[int], Score] | None = None
        self.next, self.count = 0.0, 0

    def take(self, step: int) -> None:
        """Compose with the weights of an evaluation; a family that cannot yet is said so once."""
        begin = time.monotonic()
        if begin < self.next or self.count >= MOST_SAMPLES:
            return
        try:
            self.compose = self.compose or api.sampler(self.request, self.music)
            score = self.compose(step)
        except NO_HARM as error:
            self.task.tell("said", {"text": f"no sample at step {step}: {error}"})
            self.count = MOST_SAMPLES
            return
        self.next = time.monotonic() + SPARING * (time.monotonic() - begin)
        self.count += 1
        if len(score):
            title = f"{self.task.asked['name']}, step {step:,}"
            piece = kept(score, kind="sample", title=title, style=self.task.paths["id"], did={"step": step})
            self.task.tell("sample", {"step": step}, [piece])


def _finished(task: Task, request: api.TrainingRequest, end) -> dict[str, Any]:
    """What there is to say of a training that has come to its end, and of its model."""
    info = styles.described(request.output)
    card = info.get("card") or {}
    training, health = card.get("training") or {}, (end and end.health) or card.get("health") or {}
    why = end.said[0] if end and end.said else ""  # the first that is said at the end is what was chosen
    chosen = {"step": training.get("step"), "steps": training.get("steps"), "why": why}
    told = {name: health.get(name) for name in ("verdict", "collapsed", "memorises", "warnings")}
    task.tell("health", told | {"chosen": chosen})
    return {
        "style": task.paths["id"], "model": request.output.stem, "warnings": api.warnings_of(request.output),
        "megabytes": round(request.output.stat().st_size / 1e6, 2), "verdict": health.get("verdict", ""),
        "chosen": chosen, "report": f"/api/trainings/{task.paths['run']}/report",
    }  # fmt: skip


KINDS = {"check": check, "train": train}
