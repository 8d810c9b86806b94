"""A child's life: jobs from standard input, what happens in them to standard output, until the pipe closes.

Messages are lines of JSON. A child belongs to a lane: "compose" keeps its models warm, "help" reads and draws under a
limit of memory, "train" and "check" are begun for one job each.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import queue
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from ..errors import PartimentoError, Stopped

LANES = {"compose": "work", "help": "helping", "train": "comparing", "check": "training"}
LAST_WORDS = 30.0  # seconds that a training has to save when the studio is gone
NICE = 10
FOLDERS = re.compile(r"(?<![\w.])(?:/[\w.+@-]+){2,}/(?=[\w.-])")  # a path in a message is told by its file
WARM = ({"style": "chorale", "candidates": 1}, {"style": "folk", "candidates": 1})


class Line:
    """The way to the server: one message a line, from any thread."""

    def __init__(self) -> None:
        self.out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # a parser that prints must not write into the messages
        self.lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message, allow_nan=False).encode() + b"\n"
        with self.lock:
            self.out.write(data)
            self.out.flush()


class Orders:
    """Jobs as they come in; whether the one under way is to stop."""

    def __init__(self, lane: str) -> None:
        self.lane, self.jobs = lane, queue.Queue[dict[str, Any]]()
        self.stopped: set[str] = set()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin.buffer:
            message = json.loads(line)
            if "stop" in message:
                self.stopped.add(message["stop"])
                self._interrupt()
            else:
                self.jobs.put(message)
        if self.lane != "train":
            os._exit(0)  # the studio is gone: nobody hears what is composed
        threading.Timer(LAST_WORDS, os._exit, (1,)).start()
        self._interrupt()

    def _interrupt(self) -> None:
        if self.lane == "train":  # finishes its step and saves, as for Ctrl-C
            os.kill(os.getpid(), signal.SIGINT)


def serve() -> None:
    """Run the jobs of a lane, named by the first argument."""
    lane = sys.argv[1]
    line, orders = Line(), Orders(lane)
    if lane == "help":
        _limit_memory(int(sys.argv[2]))
    if lane in ("train", "check") and hasattr(os, "nice"):
        os.nice(NICE)
    kinds = importlib.import_module(f".{LANES[lane]}", __package__).KINDS
    if lane == "compose":
        _warm_up(kinds)
    line.send({"ready": True})
    while True:
        run(orders.jobs.get(), kinds, line, orders)


def run(message: dict[str, Any], kinds: dict[str, Callable], line: Line, orders: Orders) -> None:
    """One job, to its last message."""
    job = message["job"]

    def tell(event: str, data: dict[str, Any], pieces: list[dict] | None = None) -> None:
        line.send({"job": job, "event": event, "data": data, **({"pieces": pieces} if pieces else {})})

    try:
        found = attempt(message, kinds, tell, lambda: job in orders.stopped)
    except Stopped as stopped:
        found = {"pieces": [], "result": {"message": str(stopped)}, "state": "stopped"}
    except (PartimentoError, MemoryError, KeyboardInterrupt) as error:
        found = {"error": {"kind": type(error).__name__, "message": told(error)}}
    except Exception as error:  # what nobody foresaw costs this job alone, and is told
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}"
        found = {"error": {"kind": "failed", "message": f"this could not be done ({reason[:300]})"}}
    line.send({"job": job, "final": True, **found})


def told(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "it would take more memory than the studio gives a file; make it smaller"
    if isinstance(error, KeyboardInterrupt):
        return "it was broken off"
    return FOLDERS.sub("", str(error))


def attempt(message: dict[str, Any], kinds: dict[str, Callable], tell: Callable, stop: Callable[[], bool]) -> dict:
    from . import packing
    from .tasks import Task

    scores = [packing.unpack(base64.b64decode(text)) for text in message.get("scores", ())]
    task = Task(message["kind"], message["asked"], scores, tell, stop, message.get("paths") or {})
    return kinds[message["kind"]](task)


def _warm_up(kinds: dict[str, Callable]) -> None:
    """Load the shipped models and compose a bar with each, so that the first visitor does not wait for it."""
    from .tasks import Task

    for asked in WARM:
        paths = {"style": str(asked["style"])}
        try:
            kinds["compose"](Task("compose", {**asked, "bars": 1, "seed": 0}, [], _nobody, _never, paths))
        except PartimentoError as error:  # an installation without shipped styles still composes with one's own
            print(f"studio: cannot warm up {asked['style']}: {error}", file=sys.stderr)


def _nobody(event: str, data: dict[str, Any]) -> None:
    """Nobody listens while a child warms up."""


def _never() -> bool:
    return False


def _limit_memory(most: int) -> None:
    try:
        import resource
    except ModuleNotFoundError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
