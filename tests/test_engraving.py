"""Engraved pages: there is something on them, from any thread, and what is missing is said."""

from __future__ import annotations

import re
import struct
import sys
import threading
import zlib

import numpy as np
import pytest

from music import score_of
from partimento.errors import FormatError, MissingExtra
from partimento.formats import engraving
from partimento.score import Key, Score, Tempo, Track, note_array

pytest.importorskip("verovio")
pytest.importorskip("resvg_py")

TUNE = score_of(
    "C4 quarter, D4 eighth, E4 eighth, G#4 half",
    tracks=(Track("", 73),),
    tempos=(Tempo(0, 96.0),),
    keys=(Key(0, 9, "minor"),),
)


def count(page: str, kind: str) -> int:
    return len(re.findall(rf'class="{kind}[ "]', page))


def pixels(data: bytes) -> np.ndarray:
    """A PNG's pixels by rows, whatever its filters: only "is there anything dark" is asked, so bytes are enough."""
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    body, at = b"", 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            body += data[at + 8 : at + 8 + length]
        at += 12 + length
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, -1)
    assert rows.shape[1] >= width
    return rows


def test_a_page_shows_the_notes_their_accidental_and_their_beam():
    (page,) = engraving.svg_pages(TUNE)
    assert (count(page, "note"), count(page, "beam")) == (4, 1)
    assert "E262" in page  # the glyph of a sharp


def test_a_page_drawn_in_another_thread_is_not_empty():
    found: list[list[str]] = []
    thread = threading.Thread(target=lambda: found.append(engraving.svg_pages(TUNE)))
    thread.start()
    thread.join()
    assert count(found[0][0], "note") == 4


def test_the_same_score_gives_the_same_page():
    assert engraving.svg_pages(TUNE) == engraving.svg_pages(TUNE)


def test_pages_stand_one_below_the_other(tmp_path):
    long = Score(note_array([(n * 12, 12, 60 + n % 20, 80, 0) for n in range(1600)]), (Track("", 73),))
    pages = engraving.svg_pages(long)
    assert len(pages) > 1
    engraving.write(long, tmp_path / "long.svg")
    text = (tmp_path / "long.svg").read_text()
    assert count(text, "note") == 1600
    assert float(re.search(r'height="([\d.]+)px"', text)[1]) > 1.2 * engraving._size(pages[0])[1]


def test_png_has_ink_and_words(tmp_path):
    engraving.write(TUNE, tmp_path / "tune.png")
    with_words = pixels((tmp_path / "tune.png").read_bytes())
    without = pixels(engraving.png([re.sub(r"(?s)<text.*?</text>", "", page) for page in engraving.svg_pages(TUNE)]))
    assert np.count_nonzero(without) > 1000
    if engraving._serif() is not None:
        assert with_words.shape == without.shape and not np.array_equal(with_words, without)


def test_the_note_of_a_metronome_mark_is_drawn_as_a_shape():
    (page,) = engraving.svg_pages(TUNE)
    drawn = engraving._with_glyphs_drawn(page)
    assert 'tspan font-family="Leipzig"' in page and 'tspan font-family="Leipzig"' not in drawn
    assert "96" in drawn
    # resvg loses the place of a text that begins with a blank
    assert not any(re.search(r">\s+<", text) for text in re.findall(r"(?s)<text.*?</text>", drawn))


def test_music_off_the_grid_is_brought_to_what_can_be_read():
    (page,) = engraving.svg_pages(Score(note_array([(1, 22, 60, 80, 0), (25, 23, 62, 80, 0)]), (Track("", 73),)))
    assert count(page, "note") == 2 and count(page, "tuplet") == 0


def test_a_picture_too_long_is_refused():
    with pytest.raises(FormatError, match="pages, more than 24"):
        engraving.png(["<svg/>"] * 25)
    many = np.zeros(engraving.MOST_NOTES + 1, TUNE.notes.dtype)
    many["duration"] = 1
    with pytest.raises(FormatError, match="cut it first"):
        engraving.svg_pages(Score(many))


@pytest.mark.parametrize("package", ["verovio", "resvg_py"])
def test_a_missing_package_is_an_install_line(package, monkeypatch, tmp_path):
    engraving._serif.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"pip install 'partimento\[score\]'"):
        engraving.write(TUNE, tmp_path / "tune.png")
