"""Training in several processes on one machine: each takes its own batches, and their gradients are averaged.

On a processor two processes of one thread each get through more music than one process of two threads.
"""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, multiprocessing

from ..errors import PartimentoError

PATIENCE = timedelta(hours=2)  # for the others, while the first evaluates and saves
WATCH = 0.2  # seconds between looks at processes that are starting
FAREWELL = 30.0  # seconds for a process to end by itself
MEETING = "meeting-"  # the file in a run's folder where its processes meet


class Gone(PartimentoError):
    """Another process of the training has ended too early."""


def rank_and_size() -> tuple[int, int]:
    """Which of how many processes this one is; (0, 1) alone."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Give every process the mean of all processes' gradients, in one exchange; raises `Gone`."""
    _, size = rank_and_size()
    if size == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    try:
        distributed.all_reduce(flat)
    except RuntimeError as error:
        raise _gone(error) from error
    flat /= size
    for gradient, mean in zip(gradients, flat.split([one.numel() for one in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def share(number: int) -> int:
    """The first process's number, in every process; raises `Gone`."""
    _, size = rank_and_size()
    if size == 1:
        return number
    told = torch.tensor(number)
    try:
        distributed.broadcast(told, 0)
    except RuntimeError as error:
        raise _gone(error) from error
    return int(told)


def _gone(error: RuntimeError) -> Gone:
    return Gone(
        f"another process of the training is gone ({str(error).splitlines()[0]}); start it again: it goes on from "
        "the last checkpoint"
    )


class Followers:
    """The other processes of a run in `folder`, from `with` to its end; this process becomes the first of them.

    Each calls `target(*arguments)`. Raises `Gone` where one of them cannot begin.
    """

    def __init__(self, target: Any, arguments: tuple, folder: Path, size: int):
        self.target, self.arguments, self.folder, self.size = target, arguments, folder, size
        self.meeting = folder / f"{MEETING}{uuid.uuid4().hex}"
        self.processes: list[Any] = []

    def __enter__(self) -> Followers:
        if self.size > 1:
            for left in self.folder.glob(f"{MEETING}*"):  # by runs that were killed
                left.unlink(missing_ok=True)
            try:
                self._start()
                meet(str(self.meeting), 0, self.size)
            except BaseException:
                self._end(at_once=True)
                raise
        return self

    def _start(self) -> None:
        """Start the others and wait until all have come up, or one is gone."""
        context = multiprocessing.get_context("spawn")
        ready = context.Semaphore(0)
        for rank in range(1, self.size):
            arguments = (self.target, self.arguments, str(self.meeting), rank, self.size, ready)
            process = context.Process(target=_follow, args=arguments, daemon=True)
            process.start()
            self.processes.append(process)
        for _ in self.processes:
            while not ready.acquire(timeout=WATCH):
                if not all(process.is_alive() for process in self.processes):
                    raise Gone(
                        "a process of the training ended before it began; a script that trains in several processes "
                        "must call it below `if __name__ == '__main__':`"
                    )

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.size > 1:
            self._end(at_once=kind is not None)

    def _end(self, at_once: bool) -> None:
        """End the others: what is broken off is not waited for."""
        for process in self.processes:
            if at_once:
                process.terminate()
            process.join(timeout=FAREWELL)
            process.kill()
        if distributed.is_initialized():
            distributed.destroy_process_group()
        self.meeting.unlink(missing_ok=True)


def meet(meeting: str, rank: int, size: int) -> None:
    """Join the other processes at the file `meeting`."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=size, timeout=PATIENCE
    )


def _follow(target: Any, arguments: tuple, meeting: str, rank: int, size: int, ready: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process hears of it, and ends the others
    ready.release()
    meet(meeting, rank, size)
    try:
        target(*arguments)
    except Gone:  # the first process says so, or is gone itself
        return
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()  # its threads must end before the process does
