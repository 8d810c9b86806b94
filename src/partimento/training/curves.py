"""The curves of a run: loss and accuracy, on music that is learnt and on music held out, as SVG and as PNG.

SVG is written as text, so that the report needs nothing; the PNG needs matplotlib.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ..formats.page import COLOURS, ticks
from . import logs

if TYPE_CHECKING:
    from .loop import Run

NAME = "curves.png"
WIDTH, HEIGHT = 760, 300  # pixels of a plot
LEFT, RIGHT, TOP, BOTTOM = 56, 150, 14, 34  # margins; the right one holds the names
AS_LEARNT, LEARNT, HELD_OUT = "as it is learnt", "music learnt", "music held out"
OWN = {AS_LEARNT: COLOURS[0], LEARNT: COLOURS[1], HELD_OUT: COLOURS[2]}  # the same in every plot
HEADROOM = 1.4  # of the highest evaluation: the loss of the first steps, or one gone crazy, is cut off there
DOTS = 60  # points up to which each is marked
NEEDS = "no curves.png: the picture needs matplotlib: pip install 'partimento[curves]'; report.html has the same curves"


@dataclass(frozen=True)
class Line:
    """A curve: its name and its points (step, value)."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Plot:
    """Curves that share their axes; `chosen` is the step that is kept."""

    title: str
    unit: str
    lines: Sequence[Line]
    chosen: int | None = None


def plots_of(run: Run) -> list[Plot]:
    """Loss, accuracy and the accuracy of each field; without those of which there is nothing."""
    history = [entry for entry in run.state["history"] if "setback" not in entry]
    chosen = run.state.get("chosen", {}).get("step")
    judged = [entry[key] for entry in history for key in ("valid", "learnt") if entry.get(key) is not None]
    top = max(judged, default=math.inf) * HEADROOM
    log = [(int(row["step"]), float(row["train"])) for row in logs.read(run.folder) if row.get("train")]

    def line(name: str, key: str) -> Line:
        return Line(name, _finite([(entry["step"], entry.get(key)) for entry in history]))

    fields = [entry.name for entry in run.encoding.composed]
    each = {n: [(entry["step"], entry.get("accuracies", {}).get(n)) for entry in history] for n in fields}
    found = [
        Plot("Loss", "nats a step of music", (
            Line(AS_LEARNT, [(step, min(loss, top)) for step, loss in _finite(log)]),
            line(LEARNT, "learnt"), line(HELD_OUT, "valid"),
        ), chosen),
        Plot("Accuracy", "share of all choices", (
            line(LEARNT, "learnt_accuracy"), line(HELD_OUT, "accuracy"),
        ), chosen),
        Plot("Accuracy of each field on music held out", "share of its choices",
             tuple(Line(name, _finite(points)) for name, points in each.items()), chosen),
    ]  # fmt: skip
    shown = [Plot(plot.title, plot.unit, [one for one in plot.lines if one.points], plot.chosen) for plot in found]
    return [plot for plot in shown if plot.lines]


def colour(line: Line, number: int) -> str:
    """The colour of a curve, the `number`-th of its plot."""
    return OWN.get(line.name, COLOURS[number % len(COLOURS)])


def _finite(points) -> list[tuple[float, float]]:
    return [(step, value) for step, value in points if value is not None and math.isfinite(value)]


def svg(plot: Plot) -> str:
    """A plot as one SVG element."""
    points = [point for line in plot.lines for point in line.points]
    steps, values = [p[0] for p in points], [p[1] for p in points]
    low, high = min(values), max(values)
    margin = (high - low or abs(high) or 1.0) * 0.05
    low, high = low - margin, high + margin
    last = max(max(steps), 1)

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / last

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    parts = [_grid(x, y, last, low, high, plot)]
    for number, line in enumerate(plot.lines):
        parts.append(_curve(line, colour(line, number), x, y))
    parts += _names(plot.lines, y)
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(plot.title)}">'
    return f"{head}<title>{escape(plot.title)}</title>{''.join(parts)}</svg>"


def _grid(x, y, last: float, low: float, high: float, plot: Plot) -> str:
    """Grid, axes' numbers, and a line where the chosen weights stand."""
    right, bottom, found = WIDTH - RIGHT, HEIGHT - BOTTOM, []
    for value in ticks(low, high):
        found.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        found.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    for step in ticks(0, last):
        found.append(f'<text x="{x(step):.1f}" y="{bottom + 16}" text-anchor="middle">{step:,.0f}</text>')
    found.append(f'<text x="{right}" y="{HEIGHT - 4}" text-anchor="end">step</text>')
    if plot.chosen is not None and plot.chosen <= last:
        at = x(plot.chosen)
        found.append(f'<line class="chosen" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{bottom}"/>')
        found.append(f'<text x="{at:.1f}" y="{TOP - 3}" text-anchor="middle">kept</text>')
    return "".join(found)


def _curve(line: Line, colour: str, x, y) -> str:
    path = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in line.points)
    found = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
    if len(line.points) <= DOTS:
        dots = (f'<circle cx="{x(s):.1f}" cy="{y(v):.1f}" r="2" fill="{colour}"/>' for s, v in line.points)
        found += "".join(dots)
    return found


def _names(lines: Sequence[Line], y) -> list[str]:
    """Each curve's name beside its end, moved apart where two would meet."""
    order = sorted(range(len(lines)), key=lambda n: y(lines[n].points[-1][1]))
    found, above = [], float(TOP - 10)
    for n in order:
        at = max(y(lines[n].points[-1][1]) + 4, above + 14)
        above = at
        place = f'x="{WIDTH - RIGHT + 8}" y="{at:.1f}" style="fill: {colour(lines[n], n)}"'
        found.append(f"<text {place}>{escape(lines[n].name)}</text>")
    return found


def draw(run: Run) -> list[str]:
    """Write `curves.png` into the run's folder; a sentence where matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return [NEEDS]
    plots = plots_of(run)
    if not plots:
        return []
    figure = Figure(figsize=(8, 3.2 * len(plots)))
    figure.subplots_adjust(left=0.1, right=0.8, bottom=0.16 / len(plots), top=1 - 0.1 / len(plots), hspace=0.4)
    FigureCanvasAgg(figure)
    for plot, axes in zip(plots, figure.subplots(len(plots), squeeze=False)[:, 0], strict=True):
        for n, line in enumerate(plot.lines):
            steps, values = zip(*line.points, strict=True)
            marker = "." if len(line.points) <= DOTS else None
            axes.plot(steps, values, marker=marker, color=colour(line, n), label=line.name)
        if plot.chosen is not None:
            axes.axvline(plot.chosen, color="#6f7480", linestyle=":", label="kept")
        axes.set(title=plot.title, xlabel="step", ylabel=plot.unit)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    beside = Path(run.folder / f"{NAME}.partial")
    figure.savefig(beside, format="png", dpi=110)
    beside.replace(run.folder / NAME)
    return []
