"""From folders of music to steps for training: a verdict a file, duplicates, works and sides, and the cache."""

from .build import build_cache, prepare
from .cache import Cache, CacheError, Piece
from .choose import EVERYTHING, Choice, parse_span
from .encode import prepared
from .verdicts import Catalogue, Entry, scan

__all__ = [
    "EVERYTHING", "Cache", "CacheError", "Catalogue", "Choice", "Entry", "Piece", "build_cache", "parse_span",
    "prepare", "prepared", "scan",
]  # fmt: skip
