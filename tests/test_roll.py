"""The piano roll as text, SVG and PNG: every note is where it should be, and nothing absurd is drawn."""

from __future__ import annotations

import re
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest

from music import score_of
from partimento import formats
from partimento.errors import FormatError
from partimento.formats import roll
from partimento.score import Metre, Score, Tempo, Track, note_array

SVG = "{http://www.w3.org/2000/svg}"


def bars_of(text: str) -> list[list[str]]:
    """Lines of the roll, cut at the bar lines."""
    return [line.split("│")[1:-1] for line in text.splitlines() if "│" in line]


def pixels(path) -> np.ndarray:
    """A PNG as (height, width, 3); knows just what the writer may write."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, body = 8, b""
    while at < len(data):
        (length,), kind = struct.unpack_from(">I", data, at), data[at + 4 : at + 8]
        chunk = data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + chunk)
        if kind == b"IHDR":
            width, height, *depth = struct.unpack(">IIBBBBB", chunk)
            assert depth == [8, 2, 0, 0, 0]
        body += chunk if kind == b"IDAT" else b""
        at += 12 + length
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


# --- text


def test_two_bars_look_like_this():
    score = score_of("C4 quarter, C4 quarter, C#4 half, C4 whole")
    assert roll.terminal(score, color=False).splitlines() == [
        "    1                2",
        " C4 │▄▄▄ ▄▄▄ ▀▀▀▀▀▀▀ │▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄ │",
    ]


def test_a_repeated_note_begins_twice_in_colour():
    held, repeated = score_of("C4 half"), score_of("C4 quarter, C4 quarter")
    bright, dark = "\x1b[38;5;75m▄", "\x1b[38;5;32m▄"
    assert (roll.terminal(held).count(bright), roll.terminal(held).count(dark)) == (1, 7)
    assert (roll.terminal(repeated).count(bright), roll.terminal(repeated).count(dark)) == (2, 6)


def test_a_note_over_the_bar_line_goes_on_behind_it():
    text = roll.terminal(score_of("rest half, rest quarter, C4 half"), color=False)
    assert "▄▄▄▄▄▄▄▄" in text  # the bar line lies under the note


def test_an_upbeat_is_bar_nought():
    text = roll.terminal(score_of("C4 quarter, C4 whole", metres=(Metre(0, 4, 4),), upbeat=24), color=False)
    assert text.splitlines()[0].split() == ["0", "1"]


@pytest.mark.parametrize("width", [30, 80, 200])
def test_no_line_is_wider_than_asked(width):
    text = roll.terminal(score_of(", ".join(["C2 quarter, C6 eighth, E4+G#4 half"] * 60)), width, color=False)
    assert max(map(len, text.splitlines())) <= width
    assert re.search(r"\.\.\. and \d+ bars more$", text)


def test_height_bounds_the_systems():
    score = score_of(", ".join(["C4 whole"] * 30))
    assert len(bars_of(roll.terminal(score, height=4, color=False))) < len(bars_of(roll.terminal(score, color=False)))


def test_silence_is_said():
    assert roll.terminal(Score(note_array([]))) == "(no notes)"


# --- pictures


def notes_in(svg: str) -> list[dict]:
    return [rect.attrib for rect in ElementTree.fromstring(svg).iter(f"{SVG}rect") if float(rect.get("rx", 0)) > 0][1:]


def test_svg_shows_every_note_in_its_track_s_colour():
    rects = notes_in(roll.svg(score_of("C4 quarter, E4 half")))
    assert [rect["fill"] for rect in rects] == [roll.COLOURS[0]] * 2
    (first, second) = rects
    assert float(second["x"]) > float(first["x"]) and float(second["y"]) < float(first["y"])
    assert float(second["width"]) == pytest.approx(2 * float(first["width"]), abs=1.1)


def test_louder_is_less_transparent():
    soft, loud = (notes_in(roll.svg(score_of("C4 quarter", velocity=v)))[0]["fill-opacity"] for v in (20, 110))
    assert float(soft) < float(loud)


def test_names_cannot_break_the_svg():
    title, track = "</svg><script>\x00\x1b&", Track('<"&\ud800')
    ElementTree.fromstring(roll.svg(score_of("C4 quarter", title=title, tracks=(track,))))


def test_png_has_the_note_where_the_svg_has_it(tmp_path):
    score = score_of("C4 quarter, rest quarter, C5 half", velocity=127)
    formats.save(score, tmp_path / "roll.png")
    image = pixels(tmp_path / "roll.png")
    for rect in notes_in(roll.svg(score)):
        x, y = (float(rect[at]) + float(rect[size]) / 2 for at, size in (("x", "width"), ("y", "height")))
        assert image[round(y * 2), round(x * 2)].tolist() == [0x2F, 0x6F, 0xDE]
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 6


def test_pictures_of_long_music_stay_small(tmp_path):
    tall = note_array([(n * 24, 24, n % 128, 80, n % 3) for n in range(8000)])
    score = Score(tall, tuple(Track(f"a track of a long name {n}") for n in range(40)))
    formats.save(score, tmp_path / "roll.png")
    height, width, _ = pixels(tmp_path / "roll.png").shape
    assert 1000 < width <= roll.MOST_PIXELS and 1000 < height <= roll.MOST_PIXELS


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (Score(note_array([(2**40, 1, 60, 80, 0)])), "tick"),
        (Score(note_array([(2**30, 1, 60, 80, 0)])), "bars"),
        (Score(note_array([(0, 24 * 400, 60, 80, 0)]), tempos=(Tempo(0, 1e-9),)), "hours"),
        (Score(np.resize(note_array([(0, 24, 60, 80, 0)]), 100_001)), "100,000"),
    ],
)
def test_the_absurd_is_refused_before_it_is_drawn(tmp_path, score, message):
    with pytest.raises(FormatError, match=message):
        formats.save(score, tmp_path / "roll.svg")
    assert not list(tmp_path.iterdir())


def test_an_empty_score_is_an_empty_roll(tmp_path):
    formats.save(Score(note_array([])), tmp_path / "roll.png")
    assert pixels(tmp_path / "roll.png").size
