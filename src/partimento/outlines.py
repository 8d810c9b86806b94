"""Outlines: the form and the harmony of a piece before its notes, drawn from those of a style's real pieces.

An outline says of every bar which earlier bar it repeats, and which chords stand in it, relative to the tonic. A new
piece takes its form from one real piece; where that says that a bar returns, its chords return, and what is new gets
phrases of four bars from others: a piece opens as pieces open, closes as pieces close. Chords and form alone carry no
melody, so that nothing is copied that could be recognised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .corpus import Cache, Piece
from .describe import DISTANCES, QUALITIES
from .encodings import Encoding
from .encodings._given import CHORD_KINDS, METRES
from .score import TICKS_PER_BEAT
from .theory import MODES
from .timing import bar_ticks

MOST_OUTLINES = 32  # pieces of a style whose outlines a model file carries
BARS = (8, 72)  # pieces that are shorter have no form to speak of; of longer ones the beginning and the end count
PHRASE = 4
CADENCE = 2  # bars
FEWEST_FORMS = 4  # to choose among; where fewer are long enough, shorter ones follow each other
MAJOR = ("maj", "7", "maj7", "aug")  # chords with a major third
MOST_CHORDS = 4  # a bar
GRID = 6  # ticks: where in its bar a chord may begin
FIRST_LETTER = 48  # of the characters that stand for numbers in an outline's text


def outlines(cache: Cache, encoding: Encoding, pieces: Sequence[Piece]) -> list[dict[str, Any]]:
    """Outlines of some pieces: metre, mode, form and chords, the last two as text (see `read`)."""
    if "repeats" not in encoding.columns:
        return []
    found = [_outline(cache, encoding.columns, piece) for piece in pieces[:: max(1, len(pieces) // MOST_OUTLINES)]]
    return [one for one in found if one][:MOST_OUTLINES]


def _outline(cache: Cache, columns: Mapping[str, int], piece: Piece) -> dict[str, Any] | None:
    """The outline of one piece; None where it is short or its chords are not known."""
    span = slice(piece.start + 1, piece.start + piece.length - 1)
    rows, times = np.asarray(cache.steps[span]).astype(int), np.asarray(cache.times[span]).astype(np.int64)
    changes = np.flatnonzero(np.diff(rows[:, columns["metre"]]))
    if len(changes):  # the first movement, say
        rows, times = rows[: changes[0] + 1], times[: changes[0] + 1]
    metre, keys = int(rows[0, columns["metre"]]), int(rows[0, columns["key"]])
    if not metre or not keys or (rows[:, columns["chord"]] < 2).any():
        return None
    length = bar_ticks(*METRES[metre - 1], TICKS_PER_BEAT)
    mode, tonic = divmod(int(keys) - 1, 12)
    bars = (times - times[0] + rows[0, columns["place"]] - 1) // length
    count = int(bars[-1]) + 1
    if count < BARS[0]:
        return None
    chords: list[list[list[int]]] = [[] for _ in range(count)]
    repeats = [0] * count
    for bar, row in zip(bars, rows, strict=True):
        repeats[bar] = int(row[columns["repeats"]]) - 1
        root, kind = divmod(int(row[columns["chord"]]) - 2, CHORD_KINDS)
        chord, last = (
            (root - tonic) % 12 * CHORD_KINDS + kind,
            chords[bar][-1:] or next((one[-1:] for one in reversed(chords[:bar]) if one), []),
        )
        if (not chords[bar] or last[0][1] != chord) and len(chords[bar]) < MOST_CHORDS:
            chords[bar].append([int(row[columns["place"]]) - 1 if chords[bar] else 0, chord])
    if count > BARS[1]:
        repeats, chords = repeats[: BARS[1]], chords[: BARS[1] - PHRASE] + chords[-PHRASE:]
    return {
        "metre": list(METRES[metre - 1]), "mode": MODES[mode], "form": "".join(map(_letter, repeats)),
        "chords": " ".join("".join(_letter(tick // GRID) + f"{chord:03}" for tick, chord in bar) for bar in chords),
    }  # fmt: skip


def _letter(number: int) -> str:
    return chr(FIRST_LETTER + number)


def read(outline: Mapping[str, Any]) -> tuple[list[int], list[list[tuple[int, int]]]]:
    """What each bar repeats, and the chords of each bar as (tick in the bar, degree * kinds + kind).

    In the text of the form each bar is a character; in that of the chords bars stand between spaces, each chord as a
    character for its place in steps of six ticks and three digits.
    """
    repeats = [ord(letter) - FIRST_LETTER for letter in outline["form"]]
    chords = [
        [((ord(bar[at]) - FIRST_LETTER) * GRID, int(bar[at + 1 : at + 4])) for at in range(0, len(bar), 4)]
        for bar in outline["chords"].split(" ")
    ]
    return repeats, chords


def drawn(
    known: Sequence[Mapping[str, Any]],
    bars: int,
    metre: tuple[int, int],
    key: tuple[int, str],
    rng: np.random.Generator,
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Form (a class a bar) and chords ((tick, chord), ...) for a piece of `bars` bars, the upbeat's among them.

    Empty where the style has no outline in that metre and mode.
    """
    alike = [one for one in known if tuple(one["metre"]) == tuple(metre)]
    model = _form(alike or known, bars, rng)
    fitting = [one for one in alike if one["mode"] == key[1]]
    if not fitting:
        return model, ()
    length, chords = bar_ticks(*metre, TICKS_PER_BEAT), _harmony(fitting, model, bars, rng)
    placed = [
        (bar * length + tick, (chord // CHORD_KINDS + key[0]) % 12 * CHORD_KINDS + chord % CHORD_KINDS)
        for bar, inside in enumerate(chords)
        for tick, chord in inside
    ]
    return model, tuple(placed)


def brightness(chords: Sequence[tuple[int, int]]) -> float:
    """Share of chords with a major third less that of others, -1 to 1; 0 where there are none."""
    major = [QUALITIES[chord % CHORD_KINDS] in MAJOR for _, chord in chords]
    return 2 * sum(major) / len(major) - 1 if major else 0.0


def _form(known: Sequence[Mapping[str, Any]], bars: int, rng: np.random.Generator) -> tuple[int, ...]:
    """What each bar repeats: as a real piece that is at least so long begins, each as likely as the others.

    A 32-bar tune in two strains played twice gives 16 bars that are its first strain with its repeat, one of 16 bars
    its whole. Where hardly any piece is long enough, the form of another follows, as a set of tunes is played.
    """
    forms = [read(one)[0] for one in known]
    long = [form for form in forms if len(form) >= bars]
    if len(long) >= min(len(forms), FEWEST_FORMS):
        forms = long
    found: list[int] = []
    while forms and len(found) < bars:
        found += forms[int(rng.integers(len(forms)))]
    return tuple(found[:bars])


def _harmony(known: Sequence[Mapping[str, Any]], form: Sequence[int], bars: int, rng: np.random.Generator) -> list:
    """Chords of every bar: returning ones where the form says so, else phrases of real pieces."""
    found: list = []
    for start in range(0, bars, PHRASE):
        piece = read(known[int(rng.integers(len(known)))])[1]
        phrases = max(1, len(piece) // PHRASE)
        if start + PHRASE >= bars:
            phrase = piece[len(piece) - (bars - start) :]
        elif start == 0:
            phrase = piece[:PHRASE]
        else:
            at = PHRASE * int(rng.integers(0, max(1, phrases - 1)))
            phrase = piece[at : at + PHRASE]
        found += phrase[: bars - start]
    first = list(range(bars))  # of the bars that return to each other, the first
    for bar, kind in enumerate(form[:bars]):
        if 0 < kind <= len(DISTANCES) and bar >= DISTANCES[kind - 1]:
            first[bar] = first[bar - DISTANCES[kind - 1]]
    for bar in range(max(0, bars - CADENCE), bars):
        if first[bar] >= CADENCE:  # a strain that returns at the end closes as it will close; a piece opens as it opens
            found[first[bar]] = found[bar]
    return [found[bar] for bar in first]


__all__ = ["MOST_OUTLINES", "drawn", "outlines"]
