"""What the studio is set to: where it keeps things, who may reach it, and how much of anything is too much."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..errors import BadOption

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PORT = 8765
FOLDER_VARIABLE = "PARTIMENTO_STUDIO"


@dataclass(frozen=True)
class Limits:
    """How much is too much; sizes in bytes, times in seconds."""

    bars: int = 400
    seconds: int = 1800
    candidates: int = 8
    queued_a_visitor: int = 8
    queued: int = 64
    body: int = 1_000_000  # of JSON
    upload: int = 8_000_000  # one file of music
    archive: int = 100_000_000  # a zip as it arrives
    set_bytes: int = 200_000_000  # a set, unpacked
    set_files: int = 5000
    sets: int = 100
    notes: int = 100_000  # of a piece that is kept
    parse_seconds: float = 20.0
    draw_seconds: float = 60.0
    job_seconds: float = 900.0
    memory: int = 4_000_000_000  # address space of a child that reads strangers' files
    body_seconds: float = 120.0  # for a body to arrive

    def told(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True)
class Settings:
    """`token` is empty where none is asked for; `workers` are processes that compose."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = PORT
    token: str = ""
    workers: int = 0
    limits: Limits = field(default_factory=Limits)

    @property
    def crew(self) -> int:
        return self.workers or max(1, min(4, _cores()))

    @property
    def is_local(self) -> bool:
        return self.host in LOOPBACK

    def made(self, *names: str) -> Path:
        """A folder inside the studio's, made where it is not there."""
        path = self.folder.joinpath(*names)
        path.mkdir(parents=True, exist_ok=True)
        return path


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_folder() -> Path:
    """Where this system keeps a program's data: PARTIMENTO_STUDIO, or XDG_DATA_HOME, Library or LOCALAPPDATA."""
    if asked := os.environ.get(FOLDER_VARIABLE):
        return Path(asked)
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "partimento" / "studio"


def check_folder(folder: Path) -> None:
    """Raise `BadOption` where nothing can be kept in `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise BadOption(f"{folder}: nothing can be kept there ({error.strerror}); choose another: --folder") from error
