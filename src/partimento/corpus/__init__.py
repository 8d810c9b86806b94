"""From folders of music to steps for training: a verdict a file, duplicates, works and sides, and the cache."""

from .build import build_cache, prepare
from .cache import Cache, CacheError, Piece
from .encode import prepared
from .verdicts import Catalogue, Entry, scan

__all__ = ["Cache", "CacheError", "Catalogue", "Entry", "Piece", "build_cache", "prepare", "prepared", "scan"]
