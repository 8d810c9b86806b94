"""One process at a time: a folder that a studio, or a training, has to itself. Freed by its end, however it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import BadOption


@contextmanager
def held(folder: Path, seconds: float = 0.0) -> Iterator[None]:
    """The folder's lock, waited for up to `seconds`; raises `BadOption` where another has it.

    Where a system has no such locks (Windows) nothing is held.
    """
    try:
        import fcntl
    except ModuleNotFoundError:
        yield
        return
    until = time.monotonic() + seconds
    with (folder / ".lock").open("wb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= until:
                    raise BadOption(
                        f"{folder.name}: another studio is at work in this folder; end it, or choose another: --folder"
                    ) from error
                time.sleep(0.1)
        yield
