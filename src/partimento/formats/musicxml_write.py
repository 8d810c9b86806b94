"""MusicXML 4.0 (partwise): one part a track, engraved as the house reads music.

A keyboard's track has one or two staves; two neighbouring tracks of one keyboard stand braced as its hands, four
voices of one sound as a choir. Times are written on 24 ticks a quarter note; music that is not on that grid is
brought to sixteenths, triplets or their halves first. Velocities are written as `dynamics` of the notes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import escape

from ..errors import MusicXMLError
from ..score import DEFAULT_METRE, DRUM_PROGRAM, Metre, Score, Track
from ..theory import key_of
from ..timing import Clock
from . import _limits as limits
from ._grid import on_house_grid
from ._measures import PartWriter, drum_line
from ._part import DENOMINATORS
from ._staves import HANDS, Part, plan, printed_name

HEADER = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="4.0">
"""
CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container><rootfiles><rootfile full-path="score.musicxml"/></rootfiles></container>
"""
DRUM_CHANNEL = 10
LONGEST_NAME = 24  # letters that have room before a staff
PITCHED_CHANNELS = tuple(channel for channel in range(1, 17) if channel != DRUM_CHANNEL)
NOT_IN_XML = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 65534, 65535, *range(55296, 57344)))


def write(score: Score, path: Path) -> None:
    """Write `score` as MusicXML: plain (.musicxml, .xml) or compressed (.mxl).

    Raises `MusicXMLError` where it is too long for a score or more than 128 notes of a track sound at once.
    """
    text = to_string(score)
    if Path(path).suffix.lower() == ".mxl":
        Path(path).write_bytes(_compressed(text))
    else:
        Path(path).write_text(text, encoding="utf-8")


def to_string(score: Score) -> str:
    """The score as the text of a MusicXML file; raises as `write` does."""
    limits.refuse_absurd(score, score.title or "the score", MusicXMLError)
    score = _complete(on_house_grid(score))
    parts = plan(score)
    bars = Clock(score).bars
    lines = [HEADER + _head(score), " <part-list>\n"]
    for part in parts:
        lines += _listed(score, part)
    lines.append(" </part-list>\n")
    for part in parts:
        lines.append(f' <part id="P{part.track + 1}">\n')
        lines += PartWriter(score, part, bars).measures()
        lines.append(" </part>\n")
    lines.append("</score-partwise>\n")
    return "".join(lines)


def words(text: str) -> str:
    """Text fit to stand between tags."""
    return escape(text.translate(NOT_IN_XML), {'"': "&quot;"})


def _complete(score: Score) -> Score:
    """The score with a metre and a key, found where it says none; raises where a metre cannot be written."""
    metres = score.metres or (Metre(0, *DEFAULT_METRE),)
    if metres[0].tick > score.upbeat:
        metres = (Metre(0, *DEFAULT_METRE), *metres)  # as MIDI has it where a file says nothing
    metres = (replace(metres[0], tick=0), *metres[1:])
    odd = next((metre for metre in metres if metre.denominator not in DENOMINATORS), None)
    if odd:
        raise MusicXMLError(
            f"a metre of {odd.numerator}/{odd.denominator}; notes are halves, quarters ... down to 64ths"
        )
    keys = score.keys or (key_of(score),)
    title = score.title or (score.tracks[0].name.strip() if len(score.tracks) == 1 else "")
    return replace(score, metres=metres, keys=keys, tracks=score.tracks or (Track(),), title=title)


def _compressed(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("META-INF/container.xml", CONTAINER), ("score.musicxml", text)):
            # a fixed date: the same score makes the same bytes
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _head(score: Score) -> str:
    title = f" <work><work-title>{words(score.title)}</work-title></work>\n" if score.title else ""
    lines = [title, " <identification>\n"]
    if score.recipe is not None:
        lines.append('  <creator type="composer">Partimento</creator>\n')
    lines.append("  <encoding><software>Partimento</software>")
    lines += [f'<supports element="{name}" type="yes"/>' for name in ("accidental", "beam")]
    lines.append("</encoding>\n")
    if score.recipe is not None:
        recipe = words(json.dumps(score.recipe))
        lines.append(
            f'  <miscellaneous><miscellaneous-field name="partimento">{recipe}</miscellaneous-field></miscellaneous>\n'
        )
    lines.append(" </identification>\n")
    return "".join(lines)


def _listed(score: Score, part: Part) -> Iterator[str]:
    """The lines of one part in the part list, with the group that it opens or closes."""
    track = score.tracks[part.track]
    if part.opens:
        yield '  <part-group type="start" number="1">'
        if part.group == "brace":  # the hands' own names, "up" and "down", are for us alone
            hand = any(part.name.lower() in pair for pair in HANDS)
            yield f"<group-name>{words(printed_name(track.program) if hand else part.name)}</group-name>"
        yield f"<group-symbol>{part.group}</group-symbol>"
        yield f"<group-barline>{'yes' if part.group == 'brace' else 'no'}</group-barline></part-group>\n"
    ident = f"P{part.track + 1}"
    needless = len(score.tracks) == 1 or part.group == "brace" or len(part.name) > LONGEST_NAME
    needless = needless or (part.group == "bracket" and not track.name)  # "Piano" is no voice of a choir
    hidden = ' print-object="no"' if needless else ""
    yield f'  <score-part id="{ident}">\n   <part-name{hidden}>{words(part.name)}</part-name>\n'
    pitches = sorted(set(score.track_notes(part.track)["pitch"].tolist())) if track.is_drums else []
    for pitch in pitches:
        name = words(drum_line(pitch).name)
        yield f'   <score-instrument id="{ident}-I{pitch + 1}"><instrument-name>{name}</instrument-name>'
        yield "</score-instrument>\n"
    if not pitches:
        yield f'   <score-instrument id="{ident}-I1"><instrument-name>{words(part.name)}</instrument-name>'
        yield "</score-instrument>\n"
    channel = DRUM_CHANNEL if track.is_drums else PITCHED_CHANNELS[part.track % len(PITCHED_CHANNELS)]
    program = 1 if track.program == DRUM_PROGRAM else track.program + 1
    for number in [pitch + 1 for pitch in pitches] or [1]:
        unpitched = f"<midi-unpitched>{number}</midi-unpitched>" if pitches else ""
        yield f'   <midi-instrument id="{ident}-I{number}"><midi-channel>{channel}</midi-channel>'
        yield f"<midi-program>{program}</midi-program>{unpitched}</midi-instrument>\n"
    yield "  </score-part>\n"
    if part.closes:
        yield '  <part-group type="stop" number="1"/>\n'
