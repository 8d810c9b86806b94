"""Jobs: taken in turn, given to children, and told of event by event to whoever listens."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import PartimentoError
from . import errors
from .children import Child
from .library import Library, NewPiece, new_id
from .queueing import Turns
from .settings import Settings

LANE_OF = {
    "train": "train", "compare": "train", "check": "check", "parse": "help", "draw": "help", "pages": "help",
    "unzip": "help",
}  # fmt: skip
HELPERS = 2
GRACE = 5.0  # seconds that a job has to stop when it is asked to
SAVING = 60.0  # and a training
BEAT = 15.0  # seconds of silence after which a listener is sent a comment, so that the line stays open
REMEMBERED, FULLY = 300, 24  # finished jobs that are kept in memory, and those of them with all their events


@dataclass(eq=False)
class Job:
    """A job and what has happened in it so far; `events` are (name, JSON)."""

    id: str
    kind: str
    visitor: str
    asked: dict[str, Any]
    message: dict[str, Any]
    state: str = "queued"
    recorded: bool = True
    parents: list[str] = field(default_factory=list)
    seconds: float = 900.0
    created: float = field(default_factory=time.time)
    events: list[tuple[str, str]] = field(default_factory=list)
    first: int = 0  # the number of the first event that is still known
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    stopping: bool = False
    ending: bool = False  # its end is being written
    child: Child | None = None
    timer: asyncio.TimerHandle | None = None
    reply: dict[str, Any] | None = None  # what the child said last, with its pieces
    writing: asyncio.Task | None = None  # of its request into the library
    saving: list[asyncio.Task] = field(default_factory=list)

    @property
    def lane(self) -> str:
        return LANE_OF.get(self.kind, "compose")

    @property
    def is_over(self) -> bool:
        return self.state not in ("queued", "running")


class Lane:
    """Children of one kind and the jobs that wait for them; of `fresh` children each does one job."""

    def __init__(self, name: str, size: int, fresh: bool):
        self.name, self.size, self.fresh = name, size, fresh
        self.turns: Turns[Job] = Turns()
        self.children: list[Child] = []
        self.failures = 0  # starts in a row that came to nothing


class Jobs:
    """The studio's jobs. All its methods belong to the server's event loop."""

    def __init__(self, settings: Settings, library: Library):
        self.settings, self.library, self.limits = settings, library, settings.limits
        self.lanes = {
            "compose": Lane("compose", settings.crew, False), "help": Lane("help", HELPERS, False),
            "train": Lane("train", 1, True), "check": Lane("check", 1, True),
        }  # fmt: skip
        self.jobs: OrderedDict[str, Job] = OrderedDict()
        self.closing = False
        self.tasks: set[asyncio.Task] = set()
        self.log = settings.made() / "children.log"

    # --- life

    async def open(self) -> None:
        """Mark what was broken off, and warm the children up."""
        self.log.write_bytes(b"")
        await asyncio.to_thread(self.library.interrupt)
        for lane in self.lanes.values():
            if not lane.fresh:
                for _ in range(lane.size):
                    self._hire(lane)

    async def close(self) -> None:
        """End all children; what is under way is marked as broken off when the studio is opened again."""
        self.closing = True
        children = [child for lane in self.lanes.values() for child in lane.children]
        for child in children:
            child.kill()
        for job in self.jobs.values():
            job.changed.set()
        await asyncio.gather(*(child.wait() for child in children), return_exceptions=True)
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=GRACE)  # what is being written is written to its end
        for child in children:  # of those that were just being begun
            await child.wait()
        for task in list(self.tasks):
            task.cancel()

    @property
    def ready(self) -> bool:
        return any(child.ready for child in self.lanes["compose"].children)

    def count(self, *states: str) -> int:
        return sum(job.state in states and job.recorded for job in self.jobs.values())

    def _spawn(self, work) -> asyncio.Task:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    # --- asking for jobs

    async def submit(
        self, kind: str, visitor: str, asked: Mapping[str, Any], *, scores: Sequence[bytes] = (),
        paths: Mapping[str, str] | None = None, parents: Sequence[str] = (), request: Mapping[str, Any] | None = None,
        name: str = "",
    ) -> Job:  # fmt: skip
        """A new job; raises `Busy` where the queue is full. `request` is what can be asked `again`."""
        job = self._job(kind, visitor, asked, scores, paths, name or new_id("j"))
        job.parents, job.seconds = list(parents), self._seconds(kind)
        self._refuse_crowds(job)
        shown = dict(request if request is not None else asked)
        self.jobs[job.id], job.asked = job, shown
        job.writing = self._spawn(asyncio.to_thread(self.library.job_begun, job.id, kind, visitor, shown))
        self._enqueue(job)  # composing begins while the disk writes
        await job.writing
        return job

    def _seconds(self, kind: str) -> float:
        return {"train": float("inf"), "compare": float("inf"), "check": 3600.0}.get(kind, self.limits.job_seconds)

    @staticmethod
    def _job(kind, visitor, asked, scores, paths, name) -> Job:
        packed = [base64.b64encode(one).decode() for one in scores]
        message = {"job": name, "kind": kind, "asked": dict(asked), "scores": packed, "paths": dict(paths or {})}
        return Job(name, kind, visitor, dict(asked), message)

    async def ask(
        self, kind: str, visitor: str, asked: Mapping[str, Any], seconds: float, *, scores: Sequence[bytes] = (),
        paths: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """A small piece of work done at once by a helper, which nobody keeps; its reply, or `Failed`."""
        job = self._job(kind, visitor, asked, scores, paths, new_id("h"))
        job.recorded, job.seconds = False, seconds
        self._refuse_crowds(job)
        self.jobs[job.id] = job
        self._enqueue(job)
        try:
            while not job.is_over:
                job.changed.clear()
                await job.changed.wait()
                if self.closing:
                    raise errors.Busy("the studio is being closed")
        finally:
            self.jobs.pop(job.id, None)
            if not job.is_over:
                self.stop(job)
        if job.error:
            raise errors.Failed(job.error)
        return job.reply or {}

    def _refuse_crowds(self, job: Job) -> None:
        """Raise `Busy` where there are too many jobs."""
        live = [one for one in self.jobs.values() if not one.is_over and one.lane == job.lane]
        own = sum(one.visitor == job.visitor for one in live)
        if own >= self.limits.queued_a_visitor:
            raise errors.Busy(f"{own} of your jobs are waiting or under way; let one of them end, or stop it")
        if len(live) >= self.limits.queued:
            raise errors.Busy(f"{len(live)} jobs are waiting; try again in a minute")

    def _enqueue(self, job: Job) -> None:
        lane = self.lanes[job.lane]
        lane.turns.put(job.visitor, job)
        if not lane.children and not lane.fresh:  # they could not begin before; perhaps they can now
            self._hire(lane)
        self._pump(lane)
        if job.state == "queued":
            self._tell_places(lane)

    def place(self, job: Job) -> int | None:
        """How many jobs are before it; None once it is under way."""
        waiting = self.lanes[job.lane].turns.order()
        return waiting.index(job) if job in waiting else None

    def _tell_places(self, lane: Lane) -> None:
        for place, job in enumerate(lane.turns.order()):
            told = ("queued", json.dumps({"place": place}))
            if not job.events or job.events[-1] != told:
                self._tell(job, *told)

    # --- giving them to children

    def _hire(self, lane: Lane) -> None:
        child = Child(lane.name, self.log, self.limits.memory, self._hear, self._lost)
        lane.children.append(child)
        self._spawn(self._start(lane, child))

    async def _start(self, lane: Lane, child: Child) -> None:
        try:
            await child.start()
        except OSError as error:
            lane.children.remove(child)
            self._refuse_all(lane, f"no worker can start: {error}")

    def _pump(self, lane: Lane) -> None:
        """Give waiting jobs to children that are idle."""
        if self.closing:
            return
        if lane.fresh and len(lane.turns) and len(lane.children) < lane.size:
            self._hire(lane)
        for child in lane.children:
            if child.ready and not child.job:
                job = lane.turns.take()
                if job is None:
                    return
                self._give(job, child)
                self._tell_places(lane)

    def _give(self, job: Job, child: Child) -> None:
        job.state, job.child, child.job = "running", child, job.id
        job.changed.set()
        child.send(job.message)
        job.message = {}
        if job.seconds != float("inf"):
            late = f"it took longer than {job.seconds:.0f} seconds"
            job.timer = asyncio.get_running_loop().call_later(job.seconds, self._give_up, job, late)

    def _give_up(self, job: Job, why: str) -> None:
        """End a job together with its child."""
        if job.ending or job.child is None:
            return
        child, job.child = job.child, None
        self._dismiss(child)
        if job.stopping:
            self._end(job, {"state": "stopped", "pieces": [], "result": {}})
        else:
            self._end(job, {"error": {"kind": "timeout", "message": f"{why}; ask for less"}})

    def _dismiss(self, child: Child) -> None:
        """Kill a child and hire another where one is wanted."""
        child.kill()
        lane = self.lanes[child.lane]
        if child in lane.children:
            lane.children.remove(child)
        self._spawn(child.wait())
        if not lane.fresh and not self.closing:
            self._hire(lane)
        self._pump(lane)

    def _lost(self, child: Child, why: str) -> None:
        lane = self.lanes[child.lane]
        if child in lane.children:
            lane.children.remove(child)
        if self.closing:
            return
        job = self.jobs.get(child.job)
        lane.failures = 0 if child.ready else lane.failures + 1
        if job is not None:
            self._end(job, {"error": {"kind": "crashed", "message": f"the process that did it was lost ({why})"}})
        if lane.failures >= 3:
            self._refuse_all(lane, f"no worker can start ({why}); see {self.log.name} in the studio's folder")
        elif not lane.fresh:
            self._hire(lane)
        self._pump(lane)

    def _refuse_all(self, lane: Lane, why: str) -> None:
        while (job := lane.turns.take()) is not None:
            self._end(job, {"error": {"kind": "crashed", "message": why}})

    # --- what children say

    def _hear(self, child: Child, message: dict[str, Any]) -> None:
        lane = self.lanes[child.lane]
        if message.get("ready"):
            child.ready, lane.failures = True, 0
            self._pump(lane)
            return
        job = self.jobs.get(message["job"])
        if job is None or job.ending:
            if message.get("final"):
                self._free(child)
            return
        if message.get("final"):
            self._free(child)
            self._end(job, message)
        elif message.get("pieces"):
            job.saving.append(self._spawn(self._keep_on_the_way(job, message)))
        else:
            self._tell(job, message["event"], json.dumps(message["data"]))

    def _free(self, child: Child) -> None:
        child.job = ""
        lane = self.lanes[child.lane]
        if lane.fresh:
            self._dismiss(child)
        else:
            self._pump(lane)

    async def _keep_on_the_way(self, job: Job, message: dict[str, Any]) -> None:
        """A piece that a job leaves before its end, such as a sample of a training."""
        ids = await asyncio.to_thread(self.library.keep, new_pieces(job, message["pieces"]))
        self._tell(job, message["event"], json.dumps({**message["data"], "piece": ids[0]}))

    def _end(self, job: Job, message: dict[str, Any]) -> None:
        if job.ending:
            return
        job.ending = True
        if job.timer:
            job.timer.cancel()
        job.child = None
        if not job.recorded:
            job.reply, job.error = message, message.get("error")
            job.state = "failed" if job.error else "done"
            job.changed.set()
            return
        self._spawn(self._finish(job, message))

    async def _finish(self, job: Job, message: dict[str, Any]) -> None:
        """Keep what was made together with the job's end, then tell."""
        await asyncio.gather(*filter(None, [job.writing, *job.saving]), return_exceptions=True)
        state = "failed" if message.get("error") else message.get("state", "done")
        try:
            result = await asyncio.to_thread(self._keep, job, state, message)
        except (PartimentoError, OSError) as error:
            state, result = "failed", {"error": {"kind": "failed", "message": f"it could not be kept: {error}"}}
        job.error = result.get("error")
        job.result = None if job.error else result
        name = "error" if state == "failed" else state
        job.state = state
        self._tell(job, name, json.dumps(result))
        self._forget()

    def _keep(self, job: Job, state: str, message: dict[str, Any]) -> dict[str, Any]:
        """Write pieces and end in one transaction; what is told of them."""
        if message.get("error"):
            result = {"error": message["error"]}
            self.library.job_ended(job.id, state, result)
            return result
        new = new_pieces(job, message.get("pieces", ()))
        result = dict(message.get("result") or {})
        if "plane" in result:
            self.library.keep_plane(result["style"], result.pop("plane"))
        result["pieces"] = [_told(piece, raw) for piece, raw in zip(new, message.get("pieces", ()), strict=True)]
        if result.get("joined") == "@last":
            result["joined"] = new[-1].id
        self.library.keep(new, self.library.end_of(job.id, state, result))
        return result

    # --- stopping and listening

    def stop(self, job: Job) -> None:
        """Stop a job; one that does not within a while is ended with its child."""
        if job.is_over:
            raise errors.Conflict(f"the job is {job.state} already")
        if job.stopping or job.ending:
            return
        job.stopping = True
        if job.state == "queued":
            self.lanes[job.lane].turns.remove(job.visitor, job)
            self._end(job, {"state": "stopped", "pieces": [], "result": {}})
        elif job.child is not None:
            job.child.send({"stop": job.id})
            grace = SAVING if job.lane == "train" else GRACE
            asyncio.get_running_loop().call_later(grace, self._give_up, job, "it did not stop")

    def _tell(self, job: Job, event: str, data: str) -> None:
        job.events.append((event, data))
        job.changed.set()

    def _forget(self) -> None:
        """Let go of what nobody will ask for: notes of older jobs, then the jobs; the library knows them."""
        over = [job for job in self.jobs.values() if job.is_over]
        for job in over[:-FULLY]:
            if len(job.events) > 1:
                job.first += len(job.events) - 1
                job.events = job.events[-1:]
        for job in over[:-REMEMBERED]:
            del self.jobs[job.id]

    async def listen(self, job: Job, after: int = 0) -> AsyncIterator[tuple[int, str, str] | None]:
        """Events (number, name, JSON) of a job from number `after` + 1 on, to its last; None for a while of silence."""
        at = after
        while True:
            at = max(at, job.first)
            while at < job.first + len(job.events):
                event, data = job.events[at - job.first]
                at += 1
                yield at, event, data
            if job.is_over or self.closing:
                return
            job.changed.clear()
            try:
                await asyncio.wait_for(job.changed.wait(), BEAT)
            except TimeoutError:
                yield None


def new_pieces(job: Job | None, raw: Sequence[dict[str, Any]]) -> list[NewPiece]:
    """Pieces of a child with their ids; "@0" as a parent is the first of them."""
    found: list[NewPiece] = []
    known = {"candidate", "said"}
    for entry in raw:
        values = {name: value for name, value in entry.items() if name not in known}
        values["music"] = base64.b64decode(values["music"])
        parent = values.pop("parent", None) or (job.parents[0] if job and job.parents else None)
        root = ""
        if parent == "@0":
            parent, root = found[0].id, found[0].id
        found.append(NewPiece(**values, parent=parent, root=root, job=job.id if job else None, id=new_id("p")))
    return found


def _told(piece: NewPiece, raw: Mapping[str, Any]) -> dict[str, Any]:
    told = {"id": piece.id, "title": piece.title, "kind": piece.kind, "rank": piece.rank, "worth": piece.worth}
    return told | {"candidate": raw.get("candidate"), "why": piece.why, "said": raw.get("said", [])}
