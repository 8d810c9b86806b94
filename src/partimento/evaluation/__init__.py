"""Judging music by figures: what to listen for, how near music comes to real pieces, and the field's metrics."""

from .evaluating import Evaluation, evaluate
from .listening import MEASURES, Row, compare, listen, reference, typicality
from .metrics import METRICS
from .sides import Piece

__all__ = [
    "MEASURES", "METRICS", "Evaluation", "Piece", "Row", "compare", "evaluate", "listen", "reference", "typicality",
]  # fmt: skip
