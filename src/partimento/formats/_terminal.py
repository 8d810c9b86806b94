"""The piano roll in characters: two pitches a line in half blocks, bar lines between the columns."""

from __future__ import annotations

import numpy as np

from ..score import Score
from ..timing import Bar, Clock
from ._limits import refuse_absurd

LABEL = 4  # columns for the names of pitches
HEIGHT = 64  # lines, where none are asked for
MOST_SYSTEMS = 3
NARROWEST = 24  # columns
COLUMN_BEATS = (1 / 4, 1 / 2)  # a column's length in quarter notes, the finest that shows the whole piece
# Codes of the 256-colour palette that read on dark and light ground: where a note begins, where it goes on.
INKS = ((75, 32), (215, 208), (79, 36), (177, 134), (221, 178), (211, 168), (113, 70), (250, 244))
RESET, FAINT = "\x1b[0m", "\x1b[2m"
BLANK, BEGINS, HOLDS = 0, 1, 2


def terminal(score: Score, width: int = 80, height: int | None = None, color: bool = True) -> str:
    """The roll as text of at most `width` columns and about `height` lines (64), in up to three systems.

    Music beyond what fits is left out and the last line says so. Colours are ANSI escapes, one a track; without
    `color` a gap parts repeated notes. Raises `FormatError` for absurdly long music.
    """
    refuse_absurd(score, "piano roll")
    if not len(score):
        return "(no notes)"
    bars = Clock(score).bars
    low, high = int(score.notes["pitch"].min()), int(score.notes["pitch"].max())
    low, high = low - low % 2, high + 1 - high % 2  # two pitches a line, C and C# sharing one
    tall = (high - low + 1) // 2 + 2
    room = max(1, min(MOST_SYSTEMS, (height or HEIGHT) // tall))
    columns = max(NARROWEST, width) - LABEL - 1
    systems: list[list[Bar]] = []
    ticks = 1
    for beats in COLUMN_BEATS:
        ticks = max(1, round(score.ticks_per_beat * beats))
        systems = _systems(bars, ticks, columns)
        if len(systems) <= room:
            break
    lines, number = [], 0 if score.upbeat else 1
    for system in systems[:room]:
        lines += _system(score, system, number, (low, high), ticks, columns, color)
        number += len(system)
    hidden = sum(len(system) for system in systems[room:])
    return "\n".join([*lines, *([f"... and {hidden} bars more"] if hidden else [])])


def _systems(bars: tuple[Bar, ...], ticks: int, columns: int) -> list[list[Bar]]:
    """As many whole bars a system as fit, each with a column for its bar line."""
    found: list[list[Bar]] = [[]]
    used = 0
    for bar in bars:
        need = _columns(bar, ticks) + 1
        if found[-1] and used + need > columns:
            found.append([])
            used = 0
        found[-1].append(bar)
        used += need
    return found


def _columns(bar: Bar, ticks: int) -> int:
    return max(1, -(-(bar.end - bar.start) // ticks))


def _system(score: Score, bars: list[Bar], number: int, span: tuple[int, int], ticks: int, columns: int, color: bool):
    """The lines of one system: bar numbers, then pitches from high to low, then an empty line."""
    low, high = span
    starts = np.concatenate([[0], np.cumsum([_columns(bar, ticks) + 1 for bar in bars])])
    total = min(int(starts[-1]), columns) + 1  # the last column is the closing bar line
    state = np.zeros((high - low + 1, int(starts[-1]) + 1), np.uint8)  # (pitches, columns)
    track = np.zeros(state.shape, np.uint16)
    for bar, left in zip(bars, starts[:-1].tolist(), strict=True):
        _draw(score, bar, left + 1, ticks, low, state, track, color)
    barlines = set(starts.tolist())
    lines = [_numbers(starts[:-1].tolist(), number, total, color)]
    for pitch in range(high - 1, low - 1, -2):
        row = pitch - low
        upper, lower = ([*zip(state[at].tolist(), track[at].tolist(), strict=True)] for at in (row + 1, row))
        cells = [_cell(upper[at], lower[at], at in barlines, color) for at in range(total)]
        name = f"C{pitch // 12 - 1}" if pitch % 12 == 0 else ""
        lines.append((f"{name:>{LABEL - 1}} " + "".join(cells)).rstrip())
    return [*lines, ""]


def _draw(score: Score, bar: Bar, left: int, ticks: int, low: int, state, track, color: bool) -> None:
    """Enter the notes that sound in `bar`, whose first column is `left`."""
    notes = score.notes
    here = notes[(notes["onset"] < bar.end) & (notes["onset"] + notes["duration"] > bar.start)]
    last = left + _columns(bar, ticks)
    for onset, duration, pitch, _, number in here.tolist():
        begin = left + max(0, onset - bar.start) // ticks
        end = min(last, left + -(-(onset + duration - bar.start) // ticks))
        if not color and end - begin > 1 and onset + duration <= bar.end:
            end -= 1
        row = pitch - low
        state[row, begin:end], track[row, begin:end] = HOLDS, number
        if onset >= bar.start:
            state[row, begin] = BEGINS
        if onset < bar.start and left > 1:
            state[row, left - 1], track[row, left - 1] = HOLDS, number  # a tied note crosses the bar line


def _numbers(starts: list[int], number: int, total: int, color: bool) -> str:
    line = [" "] * (LABEL + total + 6)
    free = 0
    for place, start in enumerate(starts):
        if start >= free:
            words = str(number + place)
            line[LABEL + start : LABEL + start + len(words)] = words
            free = start + len(words) + 1
    words = "".join(line).rstrip()
    return f"{FAINT}{words}{RESET}" if color else words


def _cell(upper: tuple[int, int], lower: tuple[int, int], barline: bool, color: bool) -> str:
    """One character: two pitches (state, track) as a half block each, or the ground."""
    if not upper[0] and not lower[0]:
        return (f"{FAINT}│{RESET}" if color else "│") if barline else " "
    if not color:
        return "█" if upper[0] and lower[0] else "▀" if upper[0] else "▄"
    top, bottom = (INKS[track % len(INKS)][state == HOLDS] for state, track in (upper, lower))
    if upper[0] and lower[0]:
        return f"\x1b[38;5;{top};48;5;{bottom}m▀{RESET}"
    return f"\x1b[38;5;{top}m▀{RESET}" if upper[0] else f"\x1b[38;5;{bottom}m▄{RESET}"
