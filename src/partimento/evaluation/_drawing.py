"""The pictures of the page of an evaluation, each one SVG element written as text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from ..formats.page import COLOURS, ticks
from ._chance import Interval
from .distances import Density

OURS, THEIRS, BETWEEN = COLOURS[0], COLOURS[1], COLOURS[7]
WIDTH, LEFT, RIGHT = 760, 56, 20  # pixels
LEAST_SHARE = 1e-9


def scale(value: float, interval: Interval, chance: float | None) -> str:
    """An AUC between 0 and 1 with its interval; what chance gives is shaded."""

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at

    parts = []
    if chance is not None:
        low, wide = x(1 - chance), x(chance) - x(1 - chance)
        parts.append(f'<rect x="{low:.1f}" y="12" width="{wide:.1f}" height="26" fill="{BETWEEN}" opacity="0.25"/>')
        parts.append(_text(x(0.5), 9, "chance", "middle"))
    for at in ticks(0, 1):
        parts.append(f'<line class="grid" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="12" y2="38"/>')
        parts.append(_text(x(at), 52, f"{at:.1f}", "middle"))
    parts.append(f'<line x1="{x(interval[0]):.1f}" x2="{x(interval[1]):.1f}" y1="25" y2="25" stroke="{OURS}" '
                 'stroke-width="4"/>')  # fmt: skip
    parts.append(f'<circle cx="{x(value):.1f}" cy="25" r="6" fill="{OURS}"/>')
    return _svg(WIDTH, 58, "AUC", parts)


def quartiles(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Quartiles of both sides on one line each, the medians as dots: small enough for a cell."""
    low, high = min(*ours, *theirs), max(*ours, *theirs)

    def x(at: float) -> float:
        return 6 + 108 * ((at - low) / (high - low) if high > low else 0.5)

    parts = []
    for y, colour, side in ((6, OURS, ours), (14, THEIRS, theirs)):
        parts.append(f'<line x1="{x(side[0]):.1f}" x2="{x(side[2]):.1f}" y1="{y}" y2="{y}" stroke="{colour}" '
                     'stroke-width="3" opacity="0.55"/>')  # fmt: skip
        parts.append(f'<circle cx="{x(side[1]):.1f}" cy="{y}" r="3.5" fill="{colour}"/>')
    return _svg(120, 20, "quartiles", parts, 'style="width: 120px"')


def densities(density: Density, title: str) -> str:
    """Distances within ours, within theirs and between them, as three curves."""
    curves = ((density.within_ours, OURS), (density.within_theirs, THEIRS), (density.between, BETWEEN))
    wide, tall = 240, 90
    top = max(float(curve.max()) for curve, _ in curves) or 1.0
    low, high = float(density.grid[0]), max(float(density.grid[-1]), float(density.grid[0]) + 1e-9)
    parts = [_text(4, 11, title)]
    for curve, colour in curves:
        points = " ".join(
            f"{4 + (wide - 8) * (at - low) / (high - low):.1f},{tall - 14 - (tall - 34) * value / top:.1f}"
            for at, value in zip(density.grid[::4], curve[::4], strict=True)
        )
        dash = ' stroke-dasharray="4 3"' if colour == BETWEEN else ""
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>')
    for at in ticks(max(0.0, low), high, 3):
        parts.append(_text(4 + (wide - 8) * (at - low) / (high - low), tall - 2, f"{at:.3g}", "middle"))
    return _svg(wide, tall, title, parts)


def bars(ours: Sequence[float], theirs: Sequence[float], names: Sequence[str], title: str) -> str:
    """Two histograms beside each other, class by class."""
    top = max(*ours, *theirs, LEAST_SHARE)
    wide, tall, low = (WIDTH - LEFT - RIGHT) / len(names), 190, 150
    parts = []
    for at in ticks(0, top, 4):
        y = low - (low - 12) * at / top
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{at:.2g}", "end"))
    for number, (name, pair) in enumerate(zip(names, zip(ours, theirs, strict=True), strict=True)):
        left = LEFT + wide * number
        for side, (value, colour) in enumerate(zip(pair, (OURS, THEIRS), strict=True)):
            height = (low - 12) * value / top
            parts.append(f'<rect x="{left + wide * (0.14 + 0.36 * side):.1f}" y="{low - height:.1f}" '
                         f'width="{wide * 0.34:.1f}" height="{height:.1f}" fill="{colour}"/>')  # fmt: skip
        for line, word in enumerate(name.split()):
            parts.append(_text(left + wide / 2, low + 14 + 13 * line, word, "middle"))
    return _svg(WIDTH, tall, title, parts)


def matrices(
    ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]], names: Sequence[str], title: str
) -> str:
    """Two matrices side by side, one scale of darkness for both; rows go down."""
    both = [np.array(side, dtype=float) for side in (ours, theirs)]
    size, cell = len(names), 270 / max(1, len(names))
    top = max(float(_inside(side).max()) for side in both) or 1.0
    parts = []
    for number, (side, colour) in enumerate(zip(both, (OURS, THEIRS), strict=True)):
        left = 110 + number * 380
        parts.append(_text(left + 135, 12, ("generated", "real")[number], "middle"))
        for down, across in zip(*np.nonzero(side > 0.01 * top), strict=True):
            shade = min(1.0, side[down, across] / top)
            parts.append(f'<rect x="{left + cell * across:.1f}" y="{20 + cell * down:.1f}" width="{cell:.1f}" '
                         f'height="{cell:.1f}" fill="{colour}" opacity="{shade:.2f}"/>')  # fmt: skip
        for place in range(0, size, max(1, size // 12)):
            parts.append(_text(left - 6, 20 + cell * (place + 0.5) + 4, names[place], "end"))
    return _svg(WIDTH, 300, title, parts)


def _inside(matrix: np.ndarray) -> np.ndarray:
    """The matrix without its diagonal where that is all ones, as that of self-similarity is."""
    diagonal = np.diagonal(matrix)
    return np.where(np.eye(len(matrix), dtype=bool), 0, matrix) if diagonal.min(initial=1) > 0.9 else matrix


def scatter(asked: Sequence[float], obtained: Sequence[float], title: str) -> str:
    """What was asked against what was obtained; on the line they are the same."""
    low, high = min(*asked, *obtained), max(*asked, *obtained)
    low, high = (low - 0.5, high + 0.5) if high <= low else (low, high)
    size, edge = 260, 34

    def at(value: float) -> float:
        return edge + (size - edge - 10) * (value - low) / (high - low)

    parts = [_text(edge, 11, title)]
    parts.append(f'<line class="grid" x1="{at(low):.1f}" y1="{size - at(low):.1f}" x2="{at(high):.1f}" '
                 f'y2="{size - at(high):.1f}"/>')  # fmt: skip
    for value in ticks(low, high):
        parts.append(_text(at(value), size - edge + 16, f"{value:.3g}", "middle"))
        parts.append(_text(edge - 6, size - at(value) + 4, f"{value:.3g}", "end"))
    parts += [f'<circle cx="{at(x):.1f}" cy="{size - at(y):.1f}" r="3" fill="{OURS}" opacity="0.7"/>'
              for x, y in zip(asked, obtained, strict=True)]  # fmt: skip
    return _svg(size, size, title, parts)


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _svg(width: float, height: float, title: str, parts: Sequence[str], more: str = "") -> str:
    head = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}" {more}>'
    return f"{head}<title>{escape(title)}</title>{''.join(parts)}</svg>"
