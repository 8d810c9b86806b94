"""Encodings by name: one file each; packages outside join through the entry point `partimento.encodings`.

`onehot` and `remi` are no encodings but forms to compare them with.
"""

from ..registry import Registry
from .base import Cursor, Encoding, Field, Plan, Unencodable

OTHERS = ("base", "onehot", "remi")  # modules that are no encodings
_registry = Registry("encoding", __name__, __path__, "partimento.encodings", "Encoding", skip=OTHERS)


def encoding_names() -> tuple[str, ...]:
    """The encodings that can be asked for."""
    return _registry.names()


def get_encoding(name: str, **options) -> Encoding:
    """The encoding `name`, built with `options` (see its class)."""
    return _registry.get(name)(**options)


__all__ = ["Cursor", "Encoding", "Field", "Plan", "Unencodable", "encoding_names", "get_encoding"]
