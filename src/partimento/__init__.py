"""Partimento learns from MIDI files and composes new music.

import partimento
score = partimento.compose(style="chorale", bars=16, seed=1)
partimento.save(score, "piece.mid")
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = [
    "Sampling", "Score", "compose", "compose_candidates", "continue_", "describe", "harmonize", "infill", "load",
    "morph", "perform", "reproduce", "save", "train", "vary",
]  # fmt: skip

if TYPE_CHECKING:
    from .api import compose, compose_candidates, continue_, harmonize, infill, morph, reproduce, train, vary
    from .describe import describe
    from .expression import perform
    from .formats import load, save
    from .sampling import Sampling
    from .score import Score

_HOMES = {
    "compose": "api", "compose_candidates": "api", "continue_": "api", "harmonize": "api", "infill": "api",
    "morph": "api", "reproduce": "api", "train": "api", "vary": "api", "describe": "describe", "perform": "expression",
    "load": "formats", "save": "formats",
    "Sampling": "sampling", "Score": "score",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first asked for: `import partimento` answers at once."""
    if name not in _HOMES:
        raise AttributeError(f"module 'partimento' has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


class _Package(ModuleType):
    """Keeps a public name what it is where a room has the same, which importing the room would set: `describe`."""

    def __setattr__(self, name: str, value: Any) -> None:
        is_room = isinstance(value, ModuleType) and name in _HOMES
        super().__setattr__(name, getattr(value, name) if is_room else value)


sys.modules[__name__].__class__ = _Package
