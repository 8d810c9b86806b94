"""A page of HTML that fetches nothing from elsewhere, in light and in dark: its style, its tables, numbers on axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1d2126; --paper: #fcfcfa; --soft: #6b7078; --line: #d9dad6; --mark: #f3efdf; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e4e0; --paper: #191b1e; --soft: #9aa0a8; --line: #3a3d42; --mark: #33301f; }
}
body { font: 16px/1.5 Georgia, serif; color: var(--ink); background: var(--paper); max-width: 50rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font: 13px/1.4 ui-monospace, Menlo, Consolas, monospace; width: 100%; }
th, td { text-align: right; padding: 0.2rem 0.5rem; border-bottom: 1px solid var(--line); font-weight: normal; }
th { color: var(--soft); vertical-align: bottom; } th:first-child, td:first-child { text-align: left; }
tr.kept td { background: var(--mark); } .wide { overflow-x: auto; }
svg { width: 100%; height: auto; font: 11px ui-monospace, Menlo, Consolas, monospace; } svg text { fill: var(--soft); }
svg .grid { stroke: var(--line); }
svg .chosen { stroke: var(--soft); stroke-dasharray: 3 3; }
.verdict { border-left: 4px solid var(--soft); padding: 0.2rem 1rem; } .bad { border-color: #b5483a; }
.soft { color: var(--soft); }
"""
COLOURS = ("#2f6fb0", "#b5483a", "#3f8f5f", "#8a5fb0", "#b8862b", "#4a9aa8", "#a04f7d", "#6f7480")
TICKS = 5  # numbers on an axis, about


def document(title: str, body: Iterable[str], style: str = "") -> str:
    """A whole page; `title` is plain text, `body` finished HTML, `style` more rules."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}{style}</style></head>\n'
        "<body>" + "\n".join(body) + "\n</body></html>\n"
    )


def table(heads: Sequence[str], rows: Sequence[str]) -> str:
    """A table of finished rows."""
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def row(name: str, *cells: str) -> str:
    """A row of a table: its name as plain text, then finished cells."""
    return f"<tr><td>{escape(name)}</td>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def ticks(low: float, high: float, count: int = TICKS) -> list[float]:
    """Round numbers from `low` to `high`, about `count` of them."""
    if high <= low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]
