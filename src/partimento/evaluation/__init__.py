"""Judging music by figures: what to listen for, and how near music comes to real pieces."""

from .listening import MEASURES, Row, compare, listen, reference, typicality

__all__ = ["MEASURES", "Row", "compare", "listen", "reference", "typicality"]
