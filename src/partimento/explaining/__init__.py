"""What a model makes of a piece, step by step, for somebody who wants to see how it works."""

from .inside import Attention, Gates, Inside
from .reading import MOST_BARS, MOST_STEPS, Choice, Reading, Step, chances_at, read
from .said import Explanation, lines, written

__all__ = [
    "MOST_BARS", "MOST_STEPS", "Attention", "Choice", "Explanation", "Gates", "Inside", "Reading", "Step",
    "chances_at", "lines", "read", "written",
]  # fmt: skip
