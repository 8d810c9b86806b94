"""The server's side of its children: started, fed, listened to, ended; lost ones are told of."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SERVE = "from partimento.studio.worker import serve; serve()"
LINE = 256 * 1024 * 1024  # bytes of a message at most
START_SECONDS = 120.0
Hear = Callable[["Child", dict[str, Any]], None]
Lost = Callable[["Child", str], None]


class Child:
    """One child process of a lane; `hear` is called for each message, `lost` once when it is gone unasked."""

    def __init__(self, lane: str, log: Path, memory: int, hear: Hear, lost: Lost):
        self.lane, self.log, self.memory, self.hear, self.lost = lane, log, memory, hear, lost
        self.process: asyncio.subprocess.Process | None = None
        self.ready, self.job, self.ended = False, "", False
        self.listening: asyncio.Task | None = None

    async def start(self) -> None:
        """Begin the process; it says by itself when it is ready."""
        with self.log.open("ab") as errors:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", SERVE, self.lane, str(self.memory),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors,
                env=_environment(), limit=LINE, start_new_session=True,  # Ctrl-C is answered by the server alone
            )  # fmt: skip
        if self.ended:  # it was dismissed before it had begun
            self.process.kill()
        self.listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self.process is not None and self.process.stdout is not None
        while line := await self.process.stdout.readline():
            if not line.endswith(b"\n"):
                break
            self.hear(self, json.loads(line))
        code = await self.process.wait()
        if not self.ended:
            self.ended = True
            self.lost(self, _exit(code))

    def send(self, message: dict[str, Any]) -> None:
        """Send a job, or the wish to stop one; a child that is gone is told of by `lost`."""
        if self.process is None or self.process.stdin is None or self.ended:
            return
        self.process.stdin.write(json.dumps(message).encode() + b"\n")

    def kill(self) -> None:
        """End it at once, with what it started itself; `lost` is not called."""
        self.ended = True
        if self.process is None or self.process.returncode is not None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError, AttributeError):  # gone already; or a system without groups
            if self.process.returncode is None:
                self.process.kill()

    async def wait(self) -> None:
        """Until it is gone and its pipes are closed."""
        if self.process is not None:
            if self.process.stdin is not None:
                self.process.stdin.close()
            await self.process.wait()
        if self.listening is not None:
            await self.listening


def _environment() -> dict[str, str]:
    """The child finds the same packages, and its arithmetic keeps to one core."""
    path = os.pathsep.join(entry or os.curdir for entry in sys.path)
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _exit(code: int) -> str:
    try:
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
    except ValueError:
        return f"exit code {code}"
