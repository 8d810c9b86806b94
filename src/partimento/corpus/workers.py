"""Work on many files in child processes, so that a parser that crashes or hangs costs only its own file.

A job is a function `module:name` that takes a dict and returns a dict; both hold only what JSON holds, and numpy
arrays at the top level. Children are plain interpreters that talk over pipes: nothing is pickled, and the caller's
own script is not imported again.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

import numpy as np

from ..errors import PartimentoError

TIMEOUT = 20.0  # seconds that one file may take; the largest of 8,286 scores needs less than 2
TASKS_A_WORKER = 8  # fewer tasks than this do not repay starting another interpreter
LOST = "lost"  # the key under which a task that cost its worker says why
FAILED = "failed"  # the key under which an error that nobody foresaw is reported
SERVE = "from partimento.corpus.workers import serve; serve()"
Progress = Callable[[str, int, int], None]  # (stage, done, total)


def default_workers() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_jobs(
    job: str, tasks: Sequence[dict], *, workers: int | None = None, timeout: float = TIMEOUT
) -> Iterator[dict]:
    """The results of `job` for each of `tasks`, in their order; `workers=0` works in this process, unprotected.

    A task whose worker dies or takes longer than `timeout` seconds gives `{"lost": why}`, one that raises an error
    that the job does not name `{"failed": why}`. Raises `PartimentoError` where no worker can start.
    """
    if workers == 0:
        for task in tasks:
            yield attempt(load_job(job), task)
        return
    wanted = default_workers() if workers is None else workers
    crew = _Crew(job, tasks, max(1, min(wanted, -(-len(tasks) // TASKS_A_WORKER))), timeout)
    try:
        yield from crew.results()
    finally:
        crew.stop()


class _Crew:
    """Threads that each keep one child busy, and the results waiting for their turn."""

    def __init__(self, job: str, tasks: Sequence[dict], size: int, timeout: float):
        self.job, self.tasks, self.timeout = job, tasks, timeout
        self.turns = iter(range(len(tasks)))
        self.waiting: dict[int, dict] = {}
        self.changed = threading.Condition()
        self.stopped = False
        self.error: PartimentoError | None = None
        self.children: list[_Child] = []
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(size)]
        for thread in self.threads:
            thread.start()

    def results(self) -> Iterator[dict]:
        for turn in range(len(self.tasks)):
            with self.changed:
                while turn not in self.waiting:
                    if self.error:
                        raise self.error
                    self.changed.wait()
                result = self.waiting.pop(turn)
            yield result

    def _next(self) -> int | None:
        with self.changed:
            return None if self.stopped or self.error else next(self.turns, None)

    def _work(self) -> None:
        child: _Child | None = None
        try:
            while (turn := self._next()) is not None:
                if child is None or not child.alive:
                    child = self._hire()
                result = child.ask(self.tasks[turn], self.timeout)
                with self.changed:
                    self.waiting[turn] = result
                    self.changed.notify_all()
        except (PartimentoError, OSError) as error:
            with self.changed:
                self.error = error if isinstance(error, PartimentoError) else PartimentoError(f"no worker: {error}")
                self.changed.notify_all()
        finally:
            if child is not None:
                child.close()

    def _hire(self) -> _Child:
        child = _Child(self.job)
        with self.changed:
            self.children.append(child)
        return child

    def stop(self) -> None:
        """No further tasks; children still at work are killed."""
        with self.changed:
            self.stopped = True
            children = list(self.children)
        for child in children:
            child.kill()
        for thread in self.threads:
            thread.join()


class _Child:
    """One child process; raises `PartimentoError` where it cannot even start."""

    def __init__(self, job: str):
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, job],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, env=_environment(),
        )  # fmt: skip
        self.alive = receive(self._stdout) is not None
        if not self.alive:
            why = self._last_words()
            self.close()
            raise PartimentoError(f"a worker process cannot start: {why}; workers=0 works without them")

    @property
    def _stdout(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def ask(self, task: dict, timeout: float) -> dict:
        """The child's answer, or `{"lost": why}`; a child that is lost is closed."""
        assert self.process.stdin is not None
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(timeout, give_up)
        timer.start()
        try:
            send(self.process.stdin, task)
            result = receive(self._stdout)
        except OSError:  # the pipe broke: the child died while the task was on its way
            result = None
        finally:
            timer.cancel()
        if result is not None:
            return result
        self.close()
        if late.is_set():
            return {LOST: f"took longer than {timeout:g} s"}
        return {LOST: f"the parser crashed ({_exit(self.process.returncode)})"}

    def _last_words(self) -> str:
        self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else _exit(self.process.returncode)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()

    def close(self) -> None:
        """End the child and free its pipes."""
        self.alive = False
        self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # unsent bytes for a child that is gone
                    continue
        self.process.wait()
        if not self.errors.closed and self.process.returncode is not None:
            self.errors.close()


def _environment() -> dict[str, str]:
    """The child finds the same packages, and its numpy keeps to one core."""
    path = os.pathsep.join(entry or os.curdir for entry in sys.path)
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _exit(code: int) -> str:
    try:
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
    except ValueError:
        return f"exit code {code}"


def serve() -> None:
    """A child's life: tasks from standard input, results to standard output, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers Ctrl-C and closes the pipe
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a parser that prints must not write into the answers
    job = load_job(sys.argv[1])
    send(out, {})
    while (task := receive(sys.stdin.buffer)) is not None:
        send(out, attempt(job, task))


def load_job(name: str) -> Callable[[dict], dict]:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def attempt(job: Callable[[dict], dict], task: dict) -> dict:
    """The job's result; an error that it does not name is reported, so that it costs one file and not all."""
    try:
        return job(task)
    except Exception as error:
        return {FAILED: f"{type(error).__name__}: {error}"}


def send(stream: IO[bytes], message: dict[str, Any]) -> None:
    """One message: a line of JSON, then the bytes of its arrays."""
    arrays = {key: np.ascontiguousarray(value) for key, value in message.items() if isinstance(value, np.ndarray)}
    plain = {key: value for key, value in message.items() if key not in arrays}
    shapes = {key: [value.dtype.str, value.shape] for key, value in arrays.items()}
    stream.write(json.dumps([plain, shapes]).encode() + b"\n")
    for value in arrays.values():
        stream.write(value.tobytes())
    stream.flush()


def receive(stream: IO[bytes]) -> dict[str, Any] | None:
    """The next message, or None where the other side is gone."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    message, shapes = json.loads(line)
    for key, (dtype, shape) in shapes.items():
        size = np.dtype(dtype).itemsize * int(np.prod(shape))
        data = stream.read(size)
        if len(data) < size:
            return None
        message[key] = np.frombuffer(data, dtype=dtype).reshape(shape)
    return message
