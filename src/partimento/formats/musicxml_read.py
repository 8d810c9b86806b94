"""Reading MusicXML (partwise, plain or compressed): what sounds, as a `Score`.

Each part becomes one track, whatever its staves and voices. Tied notes become one; grace and cue notes are left out;
repeats are not played out: the music is read as it is written. A transposing part is read as it sounds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from math import gcd
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from ..errors import MusicXMLError
from ..score import DEFAULT_METRE, LAST_TICK, NOTE, TICKS_PER_BEAT, Key, Metre, Score, Tempo
from ..timing import bar_ticks
from ..transform import resample
from . import _limits as limits
from ._part import FINEST_TICKS, Instrument, PartReader
from ._xml import read_xml, scan

MOST_PARTS = 1000
FINE_ENOUGH, FOR_THE_REST = 32767, 10080  # ticks a quarter note: what MIDI holds, and what odd tuplets are put on
LARGEST_RECIPE = 64 << 10  # characters


def read(path: Path) -> Score:
    """The music of a MusicXML file (.musicxml, .xml, .mxl) of at most 64 MB.

    The score has 24 ticks a quarter note where they hold every time in the file, else as many as it takes. Raises
    `MusicXMLError`, naming part and measure, where the file is damaged, absurd or of another kind; no entity, DTD or
    other file is ever fetched.
    """
    path = Path(path)
    return from_bytes(read_xml(path), str(path))


def from_bytes(data: bytes, name: str = "MusicXML data") -> Score:
    """As `read`, from plain XML; `name` is what an error calls it."""
    document = _Document(name)
    document.read(data)
    return document.score()


@dataclass
class _Measures:
    """What the parts agree on, by measure: lengths in fine ticks, metres, the upbeat's mark."""

    lengths: list[int] = field(default_factory=list)
    metres: dict[int, tuple[int, int]] = field(default_factory=dict)
    implicit: set[int] = field(default_factory=set)
    first_number: str = ""


class _Document:
    """Gathers the parts of one file as they pass by."""

    def __init__(self, name: str):
        self.name = name
        self.title = ""
        self.recipe: dict | None = None
        self.instruments: dict[str, Instrument] = {}
        self.parts: list[PartReader] = []

    def read(self, data: bytes) -> None:
        wanted = {
            "work": self._title, "movement-title": self._title, "miscellaneous": self._recipe,
            "score-part": self._listed, "measure": self._measure,
        }  # fmt: skip
        scan(data, self.name, wanted, self._opened)
        if not any(part.measures for part in self.parts):
            raise MusicXMLError(f"{self.name}: holds no part with a measure; it is cut short or no score")

    def _opened(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "score-timewise":
            raise MusicXMLError(f"{self.name}: timewise MusicXML; open it in a notation program and export it anew")
        if tag == "part":
            ident = attributes.get("id", "")
            if len(self.parts) >= MOST_PARTS:
                raise MusicXMLError(f"{self.name}: more than {MOST_PARTS} parts; this is no score")
            instrument = self.instruments.get(ident, Instrument(ident))
            self.parts.append(PartReader(f"{self.name}: part {ident or len(self.parts) + 1}", instrument))

    def _title(self, element: Element, _: tuple[str, ...]) -> None:
        text = (element.findtext("work-title") if element.tag == "work" else element.text) or ""
        self.title = self.title or text.strip()[:500]

    def _recipe(self, element: Element, _: tuple[str, ...]) -> None:
        for entry in element.iter("miscellaneous-field"):
            text = entry.text or ""
            if entry.get("name") == "partimento" and len(text) <= LARGEST_RECIPE:
                try:
                    recipe = json.loads(text)
                except (ValueError, RecursionError):  # damaged: the music is whole without it
                    continue
                self.recipe = recipe if isinstance(recipe, dict) else None

    def _listed(self, element: Element, _: tuple[str, ...]) -> None:
        ident = element.get("id", "")
        self.instruments[ident] = Instrument.of(element, f"{self.name}: part {ident}")

    def _measure(self, element: Element, above: tuple[str, ...]) -> None:
        if not above or above[0] != "score-partwise" or above[-1] != "part":
            raise MusicXMLError(f"{self.name}: a measure outside of any part; the file is damaged")
        self.parts[-1].add(element)

    # --- putting together

    def score(self) -> Score:
        """The parts on one time line."""
        measures = self._measures()
        starts = np.concatenate([[0], np.cumsum(np.array(measures.lengths, dtype=np.int64))])
        if starts[-1] > LAST_TICK:
            raise MusicXMLError(f"{self.name}: {starts[-1] // FINEST_TICKS:,} quarter notes; it is damaged or no music")
        rows = [part.notes(starts, number) for number, part in enumerate(self.parts)]
        notes = np.concatenate([np.array(part, dtype=NOTE) for part in rows])
        if len(notes) > limits.MOST_NOTES:
            raise MusicXMLError(f"{self.name}: {len(notes):,} notes, more than {limits.MOST_NOTES:,}; split it")
        metres, upbeat = self._metres(measures, starts)
        score = Score(
            notes, tuple(part.instrument.track() for part in self.parts), FINEST_TICKS,
            self._tempos(starts), metres, self._keys(starts), upbeat, self.title, self.recipe,
        )  # fmt: skip
        score = _coarsest(score)
        limits.refuse_absurd(score, self.name, MusicXMLError)
        return score

    def _measures(self) -> _Measures:
        """The length of each measure: that of the part that fills it most, of an empty one its metre's."""
        found = _Measures()
        count = max(part.measures for part in self.parts)
        for part in self.parts:
            for index, metre in part.metres.items():
                found.metres.setdefault(index, metre)
            found.implicit |= part.implicit
            found.first_number = found.first_number or part.first_number
        metre = DEFAULT_METRE
        for index in range(count):
            metre = found.metres.get(index, metre)
            length = max(part.lengths[index] for part in self.parts if index < part.measures)
            found.lengths.append(length or bar_ticks(*metre, FINEST_TICKS))
        return found

    def _metres(self, measures: _Measures, starts: np.ndarray) -> tuple[tuple[Metre, ...], int]:
        """The metres, said again where a bar of another length moves the bar lines; and the upbeat's length."""
        first = measures.metres.get(0, DEFAULT_METRE)
        full = bar_ticks(*first, FINEST_TICKS)
        # a first bar cut off by a change of metre is no upbeat
        short = 0 < measures.lengths[0] < full and len(measures.lengths) > 1 and 1 not in measures.metres
        marked = 0 in measures.implicit and measures.first_number == "0"
        upbeat = measures.lengths[0] if marked or short else 0
        found = [Metre(0, *measures.metres[0])] if 0 in measures.metres else []
        metre, since = first, upbeat
        for index in range(1, len(measures.lengths)):
            start = int(starts[index])
            said = measures.metres.get(index)
            moved = (start - since) % bar_ticks(*metre, FINEST_TICKS) and index not in measures.implicit
            if said or moved:
                metre, since = said or metre, start
                if not found:
                    found.append(Metre(0, *first))
                found.append(Metre(start, *metre))
        return tuple(found), upbeat

    def _tempos(self, starts: np.ndarray) -> tuple[Tempo, ...]:
        found: dict[int, float] = {}
        for part in reversed(self.parts):  # where they differ, the upper part's word counts
            found |= {int(starts[index]) + at: bpm for index, at, bpm in part.tempos}
        return tuple(Tempo(tick, bpm) for tick, bpm in sorted(found.items()))

    def _keys(self, starts: np.ndarray) -> tuple[Key, ...]:
        """The keys of the first part that has pitches."""
        with_keys = sorted((part for part in self.parts if part.keys), key=lambda part: part.instrument.drums)
        if not with_keys:
            return ()
        part = with_keys[0]
        found = {int(starts[index]) + at: (tonic, mode) for index, at, tonic, mode in part.keys}
        return tuple(Key(tick, tonic, mode) for tick, (tonic, mode) in sorted(found.items()))


def _coarsest(score: Score) -> Score:
    """The score at 24 ticks a quarter note, or the least multiple of them that holds every time exactly."""
    notes = score.notes
    times = [notes["onset"], notes["duration"], np.array([score.upbeat])]
    times += [np.array([entry.tick for entry in entries]) for entries in (score.tempos, score.metres, score.keys)]
    common = FINEST_TICKS // TICKS_PER_BEAT
    for column in times:
        if len(column):
            common = gcd(common, int(np.gcd.reduce(column)))
    fewer = notes.copy()
    fewer["onset"] //= common
    fewer["duration"] //= common

    def moved(entries):
        return tuple(replace(entry, tick=entry.tick // common) for entry in entries)

    reduced = replace(
        score, notes=fewer, ticks_per_beat=score.ticks_per_beat // common, upbeat=score.upbeat // common,
        tempos=moved(score.tempos), metres=moved(score.metres), keys=moved(score.keys),
    )  # fmt: skip
    return reduced if reduced.ticks_per_beat <= FINE_ENOUGH else resample(reduced, FOR_THE_REST)
