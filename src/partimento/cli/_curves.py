"""Curves over the bars of a piece as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..formats._canvas import Canvas
from ..formats._files import beside

WIDTH, MARGIN, HEADER, PANEL, GAP = 1200, 24, 56, 130, 44  # pixels
WIDEST_BAR, NUMBERS_APART = 40, 60
PAPER, GROUND, LINE, WORDS, FAINT = "#f7f8fa", "#ffffff", "#d3dae4", "#2a3342", "#7b8798"
COLOURS = ("#d99a06", "#e4572e", "#9a5bd0", "#2f6fde")


def write(path: Path, title: str, curves: Mapping[str, Mapping[str, Any]], first_bar: int) -> None:
    """Draw `curves` (see `describe.command`: range, mean, a value a bar) one below the other as a PNG file."""
    height = HEADER + len(curves) * (PANEL + GAP)
    canvas = Canvas(WIDTH, height, PAPER)
    canvas.text(MARGIN, 16, title[:60], WORDS, 2)
    for number, (name, curve) in enumerate(curves.items()):
        _panel(canvas, HEADER + number * (PANEL + GAP), name, curve, COLOURS[number % len(COLOURS)], first_bar)
    with beside(path) as draft:
        draft.write_bytes(canvas.png())


def _panel(canvas: Canvas, top: int, name: str, curve: Mapping[str, Any], colour: str, first_bar: int) -> None:
    """One curve: a column a bar on a ground of quarter lines, its ends and its bars numbered."""
    low, high = curve["range"]
    values, room = np.array(curve["bars"]), WIDTH - 2 * MARGIN
    bars = len(values)
    canvas.text(MARGIN, top - 10, f"{name}  {curve['piece']:.2f}   ({low:g} to {high:g})", WORDS, 1)
    if bars > room:
        values = np.array([part.mean() for part in np.array_split(values, room)])
    wide = min(WIDEST_BAR, room / len(values))
    right = MARGIN + round(wide * len(values))
    canvas.rectangle(MARGIN, top, right - MARGIN, PANEL, GROUND)
    for quarter in range(5):
        canvas.rectangle(MARGIN, top + quarter * PANEL // 4, right - MARGIN, 1, LINE)
    for place, share in enumerate(np.clip((values - low) / (high - low), 0, 1)):
        left, stop = round(MARGIN + place * wide), round(MARGIN + (place + 1) * wide)
        y = top + round(PANEL * (1 - share))
        canvas.rectangle(left, y, stop - left, top + PANEL - y, colour, 0.35)
        canvas.rectangle(left, y - 1, stop - left, 3, colour)
    step = max(1, round(NUMBERS_APART * bars / (right - MARGIN)))
    for place in range(0, bars, step):
        canvas.text(round(MARGIN + place * (right - MARGIN) / bars), top + PANEL + 4, str(place + first_bar), FAINT, 1)
