"""Presets: a model family with its encoding, sizes and recipe under one name, as `presets/NAME.toml`.

Faithful ones rebuild a published composer with its sizes, so that it can be compared; the others are what we would
build today for the same music. `partimento train FOLDER --preset NAME` takes one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UnknownName

HERE = Path(__file__).parent
SECTIONS = ("model", "encoding", "training", "sampling", "music")


@dataclass(frozen=True)
class Preset:
    """What a preset says; every section but the first names options of what it is called after."""

    name: str
    about: str
    source: str = ""  # where the original stands
    sibling: str = ""  # the preset that does the same with today's means
    parameters: int = 0  # of the original, for so many classes as `vocabulary` says
    vocabulary: int = 0
    is_faithful: bool = False
    model: Mapping[str, Any] = field(default_factory=dict)  # family, and its options
    encoding: Mapping[str, Any] = field(default_factory=dict)  # name, and its options
    training: Mapping[str, Any] = field(default_factory=dict)  # of the training plan
    sampling: Mapping[str, Any] = field(default_factory=dict)  # how it is composed with
    music: Mapping[str, Any] = field(default_factory=dict)  # which music, and in which key

    @property
    def family(self) -> str:
        return self.model["family"]

    @property
    def options(self) -> dict[str, Any]:
        """Options of the family."""
        return {name: value for name, value in self.model.items() if name != "family"}

    @property
    def encoding_options(self) -> dict[str, Any]:
        return {name: value for name, value in self.encoding.items() if name != "name"}


def names() -> tuple[str, ...]:
    """The presets that can be asked for."""
    return tuple(sorted(path.stem for path in HERE.glob("*.toml")))


def load(name: str) -> Preset:
    """The preset `name`; raises `UnknownName` with the names there are."""
    if name not in names():
        raise UnknownName(f"no preset {name!r}; there are {', '.join(names())}")
    with (HERE / f"{name}.toml").open("rb") as file:
        return Preset(name=name, **tomllib.load(file))
