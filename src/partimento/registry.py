"""A folder as a registry: `models/gan.py` holding `class Family` is the family "gan". There is no list to edit,
and one broken neighbour hurts only whoever asks for it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from importlib import metadata

from .errors import UnknownName


class Registry:
    """Things of one kind by name: modules of a package, and entry points of packages outside."""

    def __init__(self, kind: str, package: str, path: Iterable[str], group: str, attribute: str, skip=()):
        self.kind, self.package, self.path, self.group, self.attribute = kind, package, list(path), group, attribute
        self.skip = set(skip)

    def _modules(self) -> dict[str, str]:
        found = (module.name for module in pkgutil.iter_modules(self.path))
        return {name.replace("_", "-"): name for name in found if name not in self.skip and not name.startswith("_")}

    def _outside(self) -> dict[str, metadata.EntryPoint]:
        return {entry.name: entry for entry in metadata.entry_points(group=self.group)}

    def names(self) -> tuple[str, ...]:
        """Every name that `get` answers to, sorted."""
        return tuple(sorted({*self._modules(), *self._outside()}))

    def get(self, name: str):
        """The thing called `name`; raises `UnknownName` with the names there are."""
        modules = self._modules()
        if name in modules:
            return getattr(importlib.import_module(f"{self.package}.{modules[name]}"), self.attribute)
        outside = self._outside()
        if name in outside:
            return outside[name].load()
        raise UnknownName(f"no {self.kind} {name!r}; there are {', '.join(self.names())}")
