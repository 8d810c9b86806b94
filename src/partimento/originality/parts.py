"""The lines of a score: what a listener follows in each part, one note after another.

A part that is one line is that line. Of a part with chords there are the line on top and the line at the bottom; in
music that is judged also what lies between, the highest and the lowest notes of each onset alone, and the top and the
bottom of all parts together, so that a melody is found inside chords, and where several parts share it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..lines import is_single, lowest_sounding, top_line
from ..score import TICKS_PER_BEAT, Score
from ..theory import pitched
from ..transform import resample
from .figures import plain

FINE = 6 * TICKS_PER_BEAT  # ticks a beat that hold what stands on the house grid, 1.5 or 3 times as fast or as slow
END = 127  # as an interval: the line ends; nobody leaps so far
MELODIC = 8  # notes of a line that are no plain figure
MELODIES, TOPS, BASSES = 1, 2, 3  # levels of lines: an index that has no room for all leaves out the later ones


@dataclass(frozen=True)
class Line:
    """Notes one after another, each with a later onset than the one before."""

    track: int
    level: int
    which: np.ndarray  # (N,) places in the notes that they are taken from
    onset: np.ndarray  # (N,) ticks
    pitch: np.ndarray  # (N,)

    def __len__(self) -> int:
        return len(self.which)

    def steps(self) -> tuple[np.ndarray, np.ndarray]:
        """Intervals and waits from each note to the next, END and 0 at the last, both (N,)."""
        return np.append(np.diff(self.pitch), END), np.append(np.diff(self.onset), 0)


def notes_of(score: Score, ticks: int = TICKS_PER_BEAT) -> np.ndarray:
    """The pitched notes of a score at `ticks` a beat, by onset and pitch, (N,)."""
    notes = pitched(resample(score, ticks))
    return notes[np.lexsort((notes["pitch"], notes["onset"]))]


def grids_of(score: Score) -> tuple[int, ...]:
    """The grids on which a score is to be compared: the house grid, and a finer one where it does not hold it."""
    onsets = score.notes["onset"]
    on_grid = bool((onsets * TICKS_PER_BEAT % score.ticks_per_beat == 0).all())
    return (TICKS_PER_BEAT,) if on_grid else (TICKS_PER_BEAT, FINE)


def learnt_lines(notes: np.ndarray) -> list[Line]:
    """The lines of a training piece by `notes_of`, those that carry its melodies first."""
    parts = [(track, np.flatnonzero(notes["track"] == track)) for track in np.unique(notes["track"]).tolist()]
    parts = [(track, which) for track, which in parts if len(which) > 1]
    chordal = {track: float(notes["pitch"][which].mean()) for track, which in parts if not is_single(notes[which])}
    highest = max(chordal, key=lambda track: chordal[track], default=-1)
    found = []
    for track, which in parts:
        if track not in chordal:
            found.append(_line(notes, track, MELODIES, _of_each_onset(notes, which, top=True)))
            continue
        top, bottom = _edges(notes, which)
        found.append(_line(notes, track, MELODIES if track == highest else TOPS, top))
        found.append(_line(notes, track, BASSES, bottom))
    found = [line for line in found if len(line) > 1]
    return [line if _is_melodic(line) else replace(line, level=max(line.level, TOPS)) for line in found]


def _is_melodic(line: Line) -> bool:
    """Whether half its notes, and eight of them, are no plain figure."""
    own = ~plain(*line.steps(), np.zeros(1, np.int64))
    return int(own.sum()) >= MELODIC and float(own.mean()) >= 0.5


def judged_lines(notes: np.ndarray) -> list[Line]:
    """The lines in which a piece that is judged is searched, by `notes_of`; none twice."""
    found: dict[bytes, Line] = {}
    for track, which in _candidates(notes):
        line = _line(notes, track, MELODIES, which)
        if len(line) > 1:
            found.setdefault(line.which.tobytes(), line)
    return list(found.values())


def _candidates(notes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    tracks = np.unique(notes["track"]).tolist()
    for track in tracks:
        which = np.flatnonzero(notes["track"] == track)
        upper, lower = (_of_each_onset(notes, which, top=top) for top in (True, False))
        yield track, upper
        if len(upper) == len(which) and is_single(notes[which]):
            continue
        yield track, lower
        top, bottom = _edges(notes, which)
        yield track, top
        yield track, bottom
        inner = np.setdiff1d(which, np.concatenate([top, bottom]))
        if len(inner):
            yield track, _of_each_onset(notes, inner, top=True)
            yield track, _of_each_onset(notes, inner, top=False)
    if len(tracks) > 1:
        for which in _edges(notes, np.arange(len(notes))):
            yield int(notes["track"][which[0]]), which


def _line(notes: np.ndarray, track: int, level: int, which: np.ndarray) -> Line:
    return Line(track, level, which, notes["onset"][which].astype(np.int64), notes["pitch"][which].astype(np.int64))


def _of_each_onset(notes: np.ndarray, which: np.ndarray, *, top: bool) -> np.ndarray:
    """Of `which` notes the highest, or the lowest, of each onset."""
    later = np.diff(notes["onset"][which]) > 0
    return which[np.append(later, True) if top else np.append(True, later)]


def _edges(notes: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of `which` notes the top line and the bottom line: nothing above them, or below them, sounds as they begin."""
    own = notes[which]
    top, bottom = top_line(own), own["pitch"] <= lowest_sounding(own)
    return _of_each_onset(notes, which[top], top=True), _of_each_onset(notes, which[bottom], top=False)
