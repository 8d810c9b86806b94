"""A job as a child has it, and a piece on its way to the library."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..score import Score
from . import packing

SEEDS = 1_000_000  # a seed that is not asked for is small enough to type again


@dataclass
class Task:
    """A job as a child has it; `model` is the file of a style of one's own, `style` its name in it."""

    kind: str
    asked: dict[str, Any]
    scores: list[Score]
    tell: Callable[..., None]
    stop: Callable[[], bool]
    paths: dict[str, str] = field(default_factory=dict)

    @property
    def model(self) -> Path | None:
        return Path(self.paths["model"]) if self.paths.get("model") else None

    @property
    def style(self) -> str | None:
        return self.paths.get("style") or None


def kept(score: Score, **more: Any) -> dict[str, Any]:
    """A piece on its way to the library; see `library.NewPiece`."""
    return {"music": base64.b64encode(packing.pack(score)).decode(), **more}
