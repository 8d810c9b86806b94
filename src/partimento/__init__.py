"""Partimento learns from MIDI files and composes new music.

import partimento
score = partimento.compose(style="chorale", bars=16, seed=1)
partimento.save(score, "piece.mid")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["Sampling", "Score", "compose", "compose_candidates", "load", "save", "train"]

if TYPE_CHECKING:
    from .api import compose, compose_candidates, train
    from .formats import load, save
    from .sampling import Sampling
    from .score import Score

_HOMES = {
    "compose": "api", "compose_candidates": "api", "train": "api", "load": "formats", "save": "formats",
    "Sampling": "sampling", "Score": "score",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first asked for: `import partimento` answers at once."""
    if name not in _HOMES:
        raise AttributeError(f"module 'partimento' has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
