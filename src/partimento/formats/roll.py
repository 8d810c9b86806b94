"""The piano roll: a picture (.svg, .png) of pitch against time, in systems of whole bars, each track in its colour.

A roll is laid out once as a list of shapes, which SVG writes as elements and PNG as pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from ..errors import FormatError
from ..instruments import label
from ..score import Score
from ..timing import Bar, Clock, pulse_ticks
from . import _canvas
from ._limits import refuse_absurd
from ._terminal import terminal

__all__ = ["svg", "terminal", "write", "write_png", "write_svg"]

MOST_NOTES = 100_000  # beyond this a picture shows nothing but colour
MOST_SYSTEMS = 12
MOST_PIXELS = 8000  # of a PNG, each way
BEAT_WIDTH, WIDEST_BEAT = 30, 64  # pixels of a quarter note: wanted, and at most in a short piece
WIDTH, MARGIN, KEYS_WIDTH, GAP, HEADER = 1600, 24, 46, 34, 64  # pixels
ROW_HEIGHTS = ((26, 10), (36, 9), (46, 8), (60, 7), (76, 6), (128, 4))  # up to so many pitches, pixels of each
BLACK_KEYS = (1, 3, 6, 8, 10)
COLOURS = (
    "#2f6fde", "#e4572e", "#12a594", "#9a5bd0", "#d99a06", "#d6457f", "#5b9a32", "#52637a", "#a0633a", "#0b93c9",
)  # fmt: skip
PAPER, WHITE_ROW, BLACK_ROW, OCTAVE_LINE = "#f7f8fa", "#ffffff", "#eef1f6", "#d3dae4"
BEAT_LINE, BAR_LINE, WORDS, FAINT_WORDS, BLACK_KEY = "#e6eaf0", "#aab4c3", "#2a3342", "#7b8798", "#3a4352"


@dataclass(frozen=True)
class Shape:
    """A rectangle in pixels, or where it has `words` a line of text with its top left at (x, y)."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    opacity: float = 1.0
    round: bool = False
    words: str = ""


@dataclass(frozen=True)
class Page:
    """Sizes that hold for the whole picture: pixels a tick, pixels a pitch, the pitches shown, bars of each system."""

    score: Score
    systems: list[tuple[Bar, ...]]
    first_bar: int
    low: int
    high: int
    tick_width: float
    row: int
    width: int

    @property
    def system_height(self) -> int:
        return (self.high - self.low + 1) * self.row

    @property
    def height(self) -> int:
        return HEADER + len(self.systems) * (self.system_height + GAP) - GAP + MARGIN

    def y(self, top: int, pitch: int) -> int:
        return top + (self.high - pitch) * self.row


def write(score: Score, path: str | Path) -> None:
    """The roll as .svg or .png by the suffix; raises `FormatError` where there is too much music for one picture."""
    (write_svg if Path(path).suffix.lower() == ".svg" else write_png)(score, path)


def write_svg(score: Score, path: str | Path) -> None:
    Path(path).write_text(svg(score), encoding="utf-8")


def write_png(score: Score, path: str | Path) -> None:
    """The roll as PNG, two pixels for one of the SVG where that stays under 8,000 pixels each way."""
    page = _page(score, WIDTH)
    scale = 2 if max(page.width, page.height) * 2 <= MOST_PIXELS else 1
    canvas = _canvas.Canvas(page.width * scale, page.height * scale, PAPER)
    for shape in _shapes(page):
        left, top = round(shape.x * scale), round(shape.y * scale)
        if shape.words:
            dot = max(1, round(shape.height * scale / 10))
            canvas.text(left, top, shape.words, shape.colour, dot)
            continue
        width = max(1, round((shape.x + shape.width) * scale) - left)
        height = max(1, round((shape.y + shape.height) * scale) - top)
        corner = scale if shape.round and width > 4 * scale and height > 4 * scale else 0
        canvas.rectangle(left, top, width, height, shape.colour, shape.opacity, corner)
    Path(path).write_bytes(canvas.png())


def svg(score: Score, width: int = WIDTH) -> str:
    """The roll as SVG text, at most `width` pixels wide."""
    page = _page(score, width)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {page.width} {page.height}" width="{page.width}" '
        f'style="max-width:100%" role="img" aria-label="piano roll" font-family="system-ui,sans-serif">',
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        *(_element(shape) for shape in _shapes(page)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _element(shape: Shape) -> str:
    x, y = f"{shape.x:.2f}".rstrip("0").rstrip("."), f"{shape.y:.2f}".rstrip("0").rstrip(".")
    if shape.words:
        words = "".join(letter if letter.isprintable() else " " for letter in shape.words)  # XML forbids some
        place = f'x="{x}" y="{shape.y + shape.height * 0.8:g}" font-size="{shape.height:g}"'  # y is the base line
        return f'<text {place} fill="{shape.colour}">{escape(words)}</text>'
    style = f' fill-opacity="{shape.opacity:.2f}"' if shape.opacity < 1 else ""
    style += f' rx="{min(2.5, shape.height / 3):.1f}"' if shape.round else ""
    return f'<rect x="{x}" y="{y}" width="{shape.width:.2f}" height="{shape.height:g}" fill="{shape.colour}"{style}/>'


# --- the layout


def _page(score: Score, width: int) -> Page:
    refuse_absurd(score, "piano roll")
    if len(score) > MOST_NOTES:
        raise FormatError(f"piano roll: {len(score):,} notes, at most {MOST_NOTES:,} can be seen; use transform.cut")
    bars, room = Clock(score).bars, width - 2 * MARGIN - KEYS_WIDTH
    wanted = max(room / BEAT_WIDTH * score.ticks_per_beat, (bars[-1].end - bars[0].start) / (MOST_SYSTEMS - 2))
    systems = _systems(bars, wanted)
    longest = max(system[-1].end - system[0].start for system in systems)
    tick_width = min(room / longest, WIDEST_BEAT / score.ticks_per_beat)
    pitches = score.notes["pitch"].astype(int) if len(score) else np.array([60])
    low, high = max(0, pitches.min() - 2), min(127, pitches.max() + 2)
    low, high = max(0, min(low, high - 23)), min(127, max(high, low + 17))  # a lone note still stands on a keyboard
    row = next(height for most, height in ROW_HEIGHTS if high - low + 1 <= most)
    wide = max(360, round(longest * tick_width) + 2 * MARGIN + KEYS_WIDTH)
    return Page(score, systems, 0 if score.upbeat else 1, int(low), int(high), tick_width, row, wide)


def _systems(bars: tuple[Bar, ...], ticks: float) -> list[tuple[Bar, ...]]:
    """Whole bars broken into systems of at most `ticks`, and evened out so that the last is not a scrap."""
    total = bars[-1].end - bars[0].start
    count = max(1, int(np.ceil(total / ticks)))
    found: list[list[Bar]] = [[]]
    for bar in bars:
        share = total / count * len(found)
        if found[-1] and bar.end - bars[0].start > share + (bar.end - bar.start) / 2 and len(found) < count:
            found.append([])
        found[-1].append(bar)
    return [tuple(system) for system in found]


def _shapes(page: Page) -> list[Shape]:
    """All shapes of the picture, those behind first."""
    shapes, number = _header(page), page.first_bar
    for place, bars in enumerate(page.systems):
        top = HEADER + place * (page.system_height + GAP)
        shapes += _ground(page, top, bars)
        shapes += _lines(page, top, bars, number)
        shapes += _notes(page, top, bars)
        shapes += _keyboard(page, top)
        number += len(bars)
    return shapes


def _header(page: Page) -> list[Shape]:
    """Title, and the tracks with their colours."""
    shapes = [Shape(MARGIN, 10, 0, 17, WORDS, words=(page.score.title or "Piano roll")[:90])]
    x = float(MARGIN)
    for number, track in enumerate(page.score.tracks):
        words = label(track)
        room = len(words) * 6.6 + 34
        if x + room > page.width - MARGIN - 30:
            shapes.append(Shape(x, 35, 0, 11, FAINT_WORDS, words=f"+{len(page.score.tracks) - number}"))
            break
        shapes.append(Shape(x, 35, 9, 9, COLOURS[number % len(COLOURS)], round=True))
        shapes.append(Shape(x + 14, 34.5, 0, 11, FAINT_WORDS, words=words))
        x += room
    return shapes


def _ground(page: Page, top: int, bars: tuple[Bar, ...]) -> list[Shape]:
    """The rows of white and black keys, with a line below every C."""
    x, width = MARGIN + KEYS_WIDTH, (bars[-1].end - bars[0].start) * page.tick_width
    shapes = [Shape(x, top, width, page.system_height, WHITE_ROW)]
    for pitch in range(page.low, page.high + 1):
        if pitch % 12 in BLACK_KEYS:
            shapes.append(Shape(x, page.y(top, pitch), width, page.row, BLACK_ROW))
        if pitch % 12 == 0:
            shapes.append(Shape(x, page.y(top, pitch) + page.row - 0.5, width, 1, OCTAVE_LINE))
    return shapes


def _lines(page: Page, top: int, bars: tuple[Bar, ...], number: int) -> list[Shape]:
    """Beat lines, bar lines and bar numbers, as far as there is room for them."""
    shapes, start, free = [], bars[0].start, 0.0
    for place, bar in enumerate(bars):
        x = MARGIN + KEYS_WIDTH + (bar.start - start) * page.tick_width
        pulse = pulse_ticks(bar.numerator, bar.denominator, page.score.ticks_per_beat)
        if pulse * page.tick_width >= 9:
            shapes += [
                Shape(x + at * page.tick_width, top, 1, page.system_height, BEAT_LINE)
                for at in range(pulse, bar.end - bar.start, pulse)
            ]
        if x >= free or (bar.end - bar.start) * page.tick_width >= 12:
            shapes.append(Shape(x, top, 1, page.system_height, BAR_LINE))
        if x >= free:
            shapes.append(Shape(x + 2, top - 13, 0, 10, FAINT_WORDS, words=str(number + place)))
            free = x + 26
    end = MARGIN + KEYS_WIDTH + (bars[-1].end - start) * page.tick_width
    return [*shapes, Shape(end - 1, top, 1, page.system_height, BAR_LINE)]


def _notes(page: Page, top: int, bars: tuple[Bar, ...]) -> list[Shape]:
    """The notes that sound in a system; a note over its end goes on in the next. Louder is less transparent."""
    start, stop, notes = bars[0].start, bars[-1].end, page.score.notes
    here = notes[(notes["onset"] < stop) & (notes["onset"] + notes["duration"] > start)]
    shapes = []
    for onset, duration, pitch, velocity, track in here.tolist():
        left, right = max(onset, start), min(onset + duration, stop)
        x = MARGIN + KEYS_WIDTH + (left - start) * page.tick_width
        width = (right - left) * page.tick_width
        gap = 1 if width > 4 else 0  # so that a repeated note is not one long note
        colour = COLOURS[track % len(COLOURS)]
        place = (x + gap / 2, page.y(top, pitch) + 0.5, max(1.0, width - gap), page.row - 1)
        shapes.append(Shape(*place, colour, 0.4 + 0.6 * velocity / 127, round=True))
    return shapes


def _keyboard(page: Page, top: int) -> list[Shape]:
    """The piano keys on the left, every C named."""
    x = MARGIN + 20
    shapes = [Shape(x, top, KEYS_WIDTH - 22, page.system_height, WHITE_ROW)]
    for pitch in range(page.low, page.high + 1):
        y = page.y(top, pitch)
        if pitch % 12 in BLACK_KEYS:
            shapes.append(Shape(x, y, 14, page.row, BLACK_KEY))
        if pitch % 12 in (0, 5):
            shapes.append(Shape(x, y + page.row - 0.5, KEYS_WIDTH - 22, 1, OCTAVE_LINE))
        if pitch % 12 == 0:
            shapes.append(Shape(x - 18, y + page.row / 2 - 5, 0, 10, FAINT_WORDS, words=f"C{pitch // 12 - 1}"))
    return shapes
