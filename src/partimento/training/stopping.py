"""Ctrl-C during training: the step that is being taken is finished and saved before the run ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Wish:
    """Whether somebody has asked the run to stop."""

    is_there: bool = False


@contextmanager
def wishes() -> Iterator[Wish]:
    """Until its end, a first Ctrl-C is only noted; a second one breaks off at once, as it does elsewhere.

    Only the main thread hears signals; in others, and where the signal is ignored, nothing changes.
    """
    wish, before = Wish(), signal.getsignal(signal.SIGINT)

    def hear(number: int, frame: Any) -> None:
        if wish.is_there:
            raise KeyboardInterrupt
        wish.is_there = True

    if before in (None, signal.SIG_IGN) or threading.current_thread() is not threading.main_thread():
        yield wish
        return
    signal.signal(signal.SIGINT, hear)
    try:
        yield wish
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)
