"""The score as engraved pages: MusicXML drawn by Verovio as SVG, and by resvg as PNG."""

from __future__ import annotations

import re
import threading
import warnings
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import FormatError, MissingExtra
from ..score import Score
from ._grid import notatable
from .musicxml_write import to_string

PAGE = (2100, 2970)  # width and height in tenths of a millimetre: A4
SCALE = 50  # per cent: a staff is 9 pixels a space high at 1050 pixels a page's width
MOST_NOTES = 60_000  # some 300 pages: Verovio then takes a minute
MOST_PNG_PAGES = 24
PNG_ZOOM = 1.5
INSTALL = "pip install 'partimento[score]'"
# Looked for in this order where Times itself is missing
SERIFS = (
    "Times", "Times New Roman", "Liberation Serif", "Tinos", "TeX Gyre Termes", "Nimbus Roman", "FreeSerif",
    "Noto Serif", "DejaVu Serif", "Georgia", "Cambria", "Liberation Sans", "DejaVu Sans",
    "Noto Sans", "Arial",
)  # fmt: skip
MUSIC_FONT, EM = "Leipzig", 1000
TEXT = re.compile(r'<text x="(?P<x>-?[\d.]+)" y="(?P<y>-?[\d.]+)"(?P<more>[^>]*)>(?P<body>.*?)</text>', re.DOTALL)
BLANKS = re.compile(r"<text.*?</text>", re.DOTALL)
GLYPH = re.compile(rf'<tspan font-family="{MUSIC_FONT}" font-size="([\d.]+)px">([^<]*)</tspan>')
SAMPLE = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><text y="16" font-family="{}">{}</text></svg>'
_one_at_a_time = threading.Lock()  # Verovio keeps its resources in one place for all threads


def write(score: Score, path: Path) -> None:
    """Write the engraved score as .svg or .png by the suffix, all pages one below the other.

    Raises `MissingExtra` where Verovio (or for PNG resvg) is missing and `FormatError` where the score is too long:
    more than 60,000 notes, or 24 pages of PNG.
    """
    pages = svg_pages(score)
    if Path(path).suffix.lower() == ".svg":
        Path(path).write_text(_stacked(pages), encoding="utf-8")
    else:
        Path(path).write_bytes(png(pages))


def svg_pages(score: Score) -> list[str]:
    """The engraved pages (A4 portrait, the last as high as its music), each the text of an SVG file.

    What does not lie on sixteenths, triplets or their halves is brought there first, so that it can be read. May be
    called from any thread. Raises as `write` does.
    """
    if len(score) > MOST_NOTES:
        raise FormatError(f"{len(score):,} notes, more than {MOST_NOTES:,} for an engraved score; cut it first")
    text = to_string(notatable(score))
    verovio = _extra("verovio")
    with _one_at_a_time:
        toolkit: Any = verovio.toolkit(False)
        # without its own folder the toolkit draws nothing outside the main thread
        toolkit.setResourcePath(str(Path(verovio.__file__).parent / "data"))
        toolkit.setOptions({
            "pageWidth": PAGE[0], "pageHeight": PAGE[1], "scale": SCALE, "adjustPageHeight": True, "breaks": "auto",
            "header": "auto" if score.title else "none", "footer": "none", "xmlIdSeed": 1,
        })  # fmt: skip
        if not toolkit.loadData(text) or not toolkit.getPageCount():
            raise FormatError(f"{score.title or 'the score'}: Verovio cannot draw it: {toolkit.getLog()[:300]!r}")
        return [toolkit.renderToSVG(page) for page in range(1, toolkit.getPageCount() + 1)]


def png(pages: list[str]) -> bytes:
    """SVG pages as one PNG, one below the other; raises `FormatError` for more than 24."""
    if len(pages) > MOST_PNG_PAGES:
        raise FormatError(f"{len(pages)} pages, more than {MOST_PNG_PAGES} for one PNG; save it as .svg or .musicxml")
    resvg = _extra("resvg_py")
    font = _serif()
    if font is None:
        warnings.warn("no font for text is installed, the picture has notes alone; install one, such as DejaVu Serif",
                      stacklevel=2)  # fmt: skip
    drawn = _stacked([_with_glyphs_drawn(page) for page in pages])
    return bytes(resvg.svg_to_bytes(svg_string=drawn, background="#ffffff", zoom=PNG_ZOOM, serif_family=font))


def _extra(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtra(f"engraving needs {name}: {INSTALL}") from error


@lru_cache(maxsize=1)
def _serif() -> str | None:
    """The first family that resvg finds among the installed fonts; it says nothing where it finds none.

    It is asked for as the page's text will be: by its own name, an unknown family is drawn in another font.
    """
    resvg = _extra("resvg_py")
    empty = bytes(resvg.svg_to_bytes(svg_string=SAMPLE.format("serif", "")))
    for family in SERIFS:
        if bytes(resvg.svg_to_bytes(svg_string=SAMPLE.format("serif", "Ab"), serif_family=family)) != empty:
            return family
    return None


def _with_glyphs_drawn(page: str) -> str:
    """The page with the notes of its metronome marks as shapes: resvg does not know the font inside an SVG."""
    # the place of a text belongs to its first letter: were that a blank between tags, resvg would drop the place too
    return TEXT.sub(_drawn, BLANKS.sub(lambda text: re.sub(r">\s+<", "><", text[0]), page))


def _drawn(text: re.Match[str]) -> str:
    shapes, x = [], float(text["x"])
    for size, letters in GLYPH.findall(text["body"]):
        scale = float(size) / EM
        for letter in letters.strip():
            path, width = _glyph(ord(letter))
            shapes.append(f'<g transform="translate({x:g},{text["y"]}) scale({scale:g})">{path}</g>')
            x += (width + EM // 20) * scale
    return f'{"".join(shapes)}<text x="{x:g}" y="{text["y"]}"{text["more"]}>{GLYPH.sub("", text["body"])}</text>'


@lru_cache(maxsize=64)
def _glyph(code: int) -> tuple[str, int]:
    """Shape and width (in thousandths of the font's size) of a letter of Verovio's music font."""
    folder = Path(_extra("verovio").__file__).parent / "data"
    try:
        shape = (folder / MUSIC_FONT / f"{code:04X}.xml").read_text(encoding="utf-8")
        sizes = (folder / f"{MUSIC_FONT}.xml").read_text(encoding="utf-8")
    except OSError as error:
        raise FormatError(f"Verovio's font lacks the glyph {code:04X} ({error}); reinstall verovio") from error
    path, width = re.search(r"<path.*?/>", shape), re.search(rf'c="{code:04X}"[^>]*h-a-x="(\d+)"', sizes)
    return path[0] if path else "", int(width[1]) if width else EM // 4


def _size(page: str) -> tuple[float, float]:
    """Width and height of a page in pixels."""
    found = re.search(r'<svg width="([\d.]+)px" height="([\d.]+)px"', page)
    if not found:
        raise FormatError(f"Verovio drew a page without a size: {page[:80]!r}; use verovio 6")
    return float(found[1]), float(found[2])


def _stacked(pages: list[str]) -> str:
    """Pages as one SVG, one below the other."""
    if len(pages) == 1:
        return pages[0]
    sizes = [_size(page) for page in pages]
    width, height = max(size[0] for size in sizes), sum(size[1] for size in sizes)
    parts = [
        f'<svg width="{width:g}px" height="{height:g}px" viewBox="0 0 {width:g} {height:g}" version="1.1" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">\n'
    ]
    top = 0.0
    for page, size in zip(pages, sizes, strict=True):
        inner = page[page.index("<svg ") :]
        parts.append(inner.replace("<svg ", f'<svg y="{top:g}" ', 1) + "\n")
        top += size[1]
    return "".join([*parts, "</svg>\n"])
