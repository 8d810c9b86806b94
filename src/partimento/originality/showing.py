"""What was found of a piece, in words and as a page on which both passages stand side by side."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from ..errors import FormatError, MissingExtra
from ..formats import engraving
from ..formats.page import document
from ..score import TICKS_PER_BEAT, Score, Track, note_array
from ..theory import MAJOR_NAMES
from .judging import LENGTHS, NEAREST, USUAL, Against, Finding, Judged, Passage
from .search import FEWEST

SHOWN = 32  # notes of a passage in a snippet; the rest is said in a number
STYLE = """
body { max-width: 66rem; } h1, h2, h3, p, b, code { overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.6rem 0 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 1.5rem; }
.pair div { min-width: 0; } .pair code { font-size: 0.8rem; }
.pair b { font-size: 0.85rem; font-weight: normal; color: var(--soft); }
.pair svg { background: #fcfcfa; border-radius: 4px; } .pair svg text { fill: #1d2126; }
@media (max-width: 45rem) { .pair { grid-template-columns: 1fr; } }
"""


def words(name: str, found: Judged) -> list[str]:
    """What was found of the piece `name`, in lines."""
    lines = [f"{name}: {_counted(found.notes)}, {_verdict(found)}"]
    if found.against:
        lines.append(f"  {against_words(found.against)}")
    if found.notes < FEWEST:
        return lines
    lines.append(f"  pitch and rhythm: {_said(found.rhythm)}{_beside(found.percentile, found.style)}")
    if found.pitch:
        lines.append(f"  pitch alone:      {_said(found.pitch)}{_beside(found.percentile_pitch, found.style)}")
    if found.hidden and found.hidden.longest:
        lines.append(f"  {_said_hidden(found.hidden)}")
    if found.quoted:
        lines.append(f"  quoted from the music it was composed into: {found.quoted} notes in a row at most")
    for passage in shown(found):
        lines += [
            f"  {_heading(passage)}",
            f"    here   {snippet(passage.onset, passage.pitch)}",
            f"    there  {snippet(passage.file_onset, passage.file_pitch)}",
        ]
    return lines


def shown(found: Judged) -> tuple[Passage, ...]:
    """The passages to be shown: those with rhythm, and those by pitch alone that lie elsewhere for the most part.

    Where real pieces share as much by pitch alone, the latter are shown only in the place of the former.
    """
    first = found.passages[:NEAREST]
    by_pitch = found.pitch.passages if found.pitch else ()
    if first and found.percentile_pitch is not None and found.percentile_pitch < USUAL:
        return first
    told = {note for one in first for note in _notes(one)}
    least = 0 if "pitch" in found.over else max((one.own for one in first), default=0)
    more = (one for one in by_pitch if one.own > least)
    return first + tuple(one for one in more if 2 * len(told.intersection(_notes(one))) < one.notes)


def _notes(passage: Passage) -> Iterable[tuple[int, int]]:
    return zip(passage.onset.tolist(), passage.pitch.tolist(), strict=True)


def against_words(against: Against) -> str:
    """What was checked against, in words."""
    pieces = f"{against.pieces:,} piece{'s' * (against.pieces != 1)}"
    if against.model:
        return f"checked against what {against.model} learnt from ({pieces}, bars counted from the first with a note)"
    return f"checked against the music in {', '.join(against.corpus)} ({pieces})"


def _counted(notes: int) -> str:
    return f"{notes:,} note{'s' * (notes != 1)}"


def _verdict(found: Judged) -> str:
    if found.notes < FEWEST:
        return "nothing to check (" + ("no pitched notes)" if not found.notes else "a run has eight notes)")
    if found.usual is None:
        return "with no real pieces to compare it with"
    by_pitch = f"more by pitch alone than any real piece shares ({found.most_pitch} notes)"
    if not found.over:
        return f"no more in a row than real pieces share ({found.usual} notes)"
    if found.over == ("pitch",):
        return f"{by_pitch}, though no more in pitch and rhythm ({found.usual} notes)"
    more = f"more in a row than real pieces share ({found.usual} notes)"
    return f"{more}, and {by_pitch}" if "pitch" in found.over else more


def _said(finding: Finding) -> str:
    if not finding.longest:
        return "no run of eight notes stands in the training music"
    shares = ", ".join(f"{100 * finding.shares[length]:.0f} % in runs of {length}" for length in LENGTHS)
    return f"longest run {finding.longest} notes; {shares}"


def _said_hidden(finding: Finding) -> str:
    return f"hidden among other notes of a track: longest run {finding.longest} notes"


def _beside(percentile: int | None, style: str) -> str:
    if percentile is None:
        return ""
    return f"; {percentile} % of real stretches{f' of {style}' if style else ''} share less"


def _heading(passage: Passage) -> str:
    figures = f" ({passage.own} without plain figures)" if passage.own < passage.notes else ""
    far, way = abs(passage.semitones), "higher" if passage.semitones > 0 else "lower"
    moved = f", {far} semitone{'s' * (far != 1)} {way}" * bool(far)
    speed = Fraction(passage.faster).limit_denominator(12)
    paced = "" if speed == 1 or passage.pitch_alone else f", {speed} times as fast"
    among = " among others" * passage.hidden + " by pitch alone" * passage.pitch_alone
    return (
        f"bar {passage.bar}, track {passage.track + 1}: {passage.notes} notes{figures}{among} as in {passage.file}, "
        f"bar {passage.file_bar}, track {passage.file_track + 1}{moved}{paced}"
    )


def snippet(onset: np.ndarray, pitch: np.ndarray) -> str:
    """Notes by name with the quarter notes from each to the next: "G4:1/2 A4:1 ..."."""
    waits = [Fraction(int(wait), TICKS_PER_BEAT) for wait in np.diff(onset)]
    names = [f"{MAJOR_NAMES[one % 12]}{one // 12 - 1}" for one in pitch.tolist()]
    named = [f"{name}:{wait}" for name, wait in zip(names, waits, strict=False)] + names[-1:]
    more = f" ... and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    return " ".join(named[:SHOWN]) + more


# --- as a page


def page(pieces: Sequence[tuple[str, Score, Judged]]) -> str:
    """A page of HTML with every piece (name, score, what was found); passages are engraved where Verovio is there."""
    parts, remark = [], ""
    for name, _, found in pieces:
        mark = "verdict bad" if found.over else "verdict"
        parts.append(f"<h2>{html.escape(name)}</h2>")
        parts.append(f'<p class="{mark}">{_counted(found.notes)}, {html.escape(_verdict(found))}</p>')
        if found.against:
            parts.append(f'<p class="soft">{html.escape(against_words(found.against))}</p>')
        if found.notes < FEWEST:
            continue
        parts.append("<ul>")
        parts.append(f"<li>Pitch and rhythm: {_said(found.rhythm)}{_beside(found.percentile, found.style)}</li>")
        if found.pitch:
            parts.append(f"<li>Pitch alone: {_said(found.pitch)}{_beside(found.percentile_pitch, found.style)}</li>")
        if found.hidden and found.hidden.longest:
            parts.append(f"<li>{_said_hidden(found.hidden).capitalize()}</li>")
        parts.append("</ul>")
        for passage in shown(found):
            pair, failed = _pair(passage)
            remark = remark or failed
            parts.append(f"<h3>{html.escape(_heading(passage))}</h3>{pair}")
    note = [f'<p class="soft">{html.escape(remark)}</p>'] if remark else []
    return document("Originality", ["<h1>What stands in the training music</h1>", *note, *parts], STYLE)


def _pair(passage: Passage) -> tuple[str, str]:
    """Both passages side by side, and why they are not engraved where they are not."""
    sides, failed = [], ""
    for title, onset, pitch in (
        ("here", passage.onset, passage.pitch),
        (passage.file, passage.file_onset, passage.file_pitch),
    ):
        try:
            drawn = "".join(engraving.svg_pages(_music(onset, pitch)))
            drawn = drawn[drawn.index("<svg") :]
        except (MissingExtra, FormatError) as error:
            drawn, failed = "", f"The passages are not engraved: {error}"
        sides.append(f"<div><b>{html.escape(title)}</b>{drawn}<p><code>{snippet(onset, pitch)}</code></p></div>")
    return f'<div class="pair">{"".join(sides)}</div>', failed


def _music(onset: np.ndarray, pitch: np.ndarray) -> Score:
    """The first notes of a passage as a score of its own, each held until the next."""
    onset, pitch = onset[:SHOWN] - onset[0], pitch[:SHOWN]
    waits = np.diff(onset)
    lengths = np.append(waits, waits[-1] if len(waits) else TICKS_PER_BEAT)
    lengths = np.clip(lengths, 1, 16 * TICKS_PER_BEAT)
    rows = zip(onset.tolist(), lengths.tolist(), pitch.tolist(), [80] * len(onset), [0] * len(onset), strict=True)
    return Score(note_array(rows), (Track(),))
