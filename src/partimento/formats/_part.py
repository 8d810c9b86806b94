"""One part of a MusicXML file, read measure by measure into pieces of notes that ties then join."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn
from xml.etree.ElementTree import Element

from ..errors import MusicXMLError
from ..instruments import NAMES
from ..score import DRUM_PROGRAM, Track
from ..theory import STEP_PITCH_CLASS
from . import _limits as limits
from ._staves import printed_name

FINEST_TICKS = 322_560  # a quarter note: 2^10 x 9 x 5 x 7, which holds what notation programs divide it into
NEAR = FINEST_TICKS // 96  # a tie bridges gaps up to a sixty-fourth's triplet, which come from rounding
LONGEST_MEASURE = 10_000  # quarter notes
MOST_OPEN_TIES = 64  # of one pitch
NUMBER = re.compile(r"\s*([+-]?\d{1,9}(?:\.\d{0,17})?|[+-]?\.\d{1,17})\s*")
FORTE, DEFAULT_VELOCITY = 90, 80
LOUDNESS = {"pppp": 10, "ppp": 20, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112, "fff": 120, "ffff": 127}
LOUDNESS |= {"sf": 112, "sfz": 112, "fz": 112, "sffz": 120, "rfz": 112, "rf": 112}
MINOR_MODES = ("minor", "aeolian", "dorian", "phrygian", "locrian")
BEAT_UNITS = {"breve": 8, "whole": 4, "half": 2, "quarter": 1, "eighth": 0.5, "16th": 0.25, "32nd": 0.125}
DENOMINATORS = (1, 2, 4, 8, 16, 32, 64)
DRUM_CHANNEL, SNARE = 10, 38


def number(text: str | None, what: str, place: str, low: float, high: float) -> float:
    """A number between bounds; raises `MusicXMLError` naming what it is and where."""
    match = NUMBER.fullmatch(text or "")
    value = float(match[1]) if match else None
    if value is None or not low <= value <= high:
        found = "missing" if text is None else f"{text.strip()[:40]!r}"
        raise MusicXMLError(f"{place}: {what} is {found}, it must be a number from {low:g} to {high:g}")
    return value


@dataclass
class Instrument:
    """What the part list says of a part."""

    ident: str
    name: str = ""
    program: int = 0
    drums: bool = False
    pitches: dict[str, int] = field(default_factory=dict)  # of unpitched instruments, by their id

    @classmethod
    def of(cls, element: Element, place: str) -> Instrument:
        found = cls(element.get("id", ""), (element.findtext("part-name") or "").strip()[:200])
        entries = element.findall("midi-instrument")
        program = next(
            (entry.findtext("midi-program") for entry in entries if entry.find("midi-program") is not None), None
        )
        if program is not None:
            found.program = int(number(program, "midi-program", place, 1, 128)) - 1
        elif found.name.lower() in NAMES:
            found.program = NAMES.index(found.name.lower())
        for entry in entries:
            channel, unpitched = entry.findtext("midi-channel"), entry.findtext("midi-unpitched")
            if channel is not None and int(number(channel, "midi-channel", place, 1, 16)) == DRUM_CHANNEL:
                found.drums = True
            if unpitched is not None:
                found.pitches[entry.get("id", "")] = int(number(unpitched, "midi-unpitched", place, 1, 128)) - 1
        return found

    def track(self) -> Track:
        """The part as a track; a name that is only the instrument's is left out."""
        program = DRUM_PROGRAM if self.drums else self.program
        return Track("" if self.name == printed_name(program) else self.name, program)


class Note(NamedTuple):
    """A written note: its measure, and fine ticks from the beginning of that."""

    measure: int
    start: int
    end: int
    pitch: int
    velocity: int
    voice: str
    stops: bool  # it ends a tie
    goes_on: bool  # it begins a tie


class PartReader:
    """Reads the measures of one part; times are fine ticks from the beginning of each measure."""

    def __init__(self, name: str, instrument: Instrument):
        self.name, self.instrument = name, instrument
        self.lengths: list[int] = []
        self.metres: dict[int, tuple[int, int]] = {}  # by measure
        self.keys: list[tuple[int, int, int, str]] = []  # measure, time in it, tonic, mode
        self.tempos: list[tuple[int, int, float]] = []  # measure, time in it, quarter notes a minute
        self.implicit: set[int] = set()
        self.first_number = ""
        self.pieces: list[Note] = []
        self.divisions, self.transposed, self.velocity = 1.0, 0, DEFAULT_VELOCITY
        self.place = name
        self.cursor = self.last = self.furthest = 0.0

    @property
    def measures(self) -> int:
        return len(self.lengths)

    def add(self, measure: Element) -> None:
        """The next measure."""
        label = measure.get("number", "")[:20]
        self.place = f"{self.name}: measure {label or self.measures + 1}"
        if self.measures >= limits.MOST_BARS:
            self._refuse(f"more than {limits.MOST_BARS:,} measures")
        if not self.measures:
            self.first_number = label
        if measure.get("implicit") == "yes":
            self.implicit.add(self.measures)
        self.cursor = self.last = self.furthest = 0.0
        for element in measure:
            handler = HANDLERS.get(element.tag)
            if handler:
                handler(self, element)
        self.lengths.append(round(self.furthest))

    def _refuse(self, reason: str) -> NoReturn:
        raise MusicXMLError(f"{self.place}: {reason}; the file is damaged or no score")

    def _ticks(self, text: str | None, what: str, low: float = 0.0) -> float:
        value = number(text, what, self.place, low, 1e9) * FINEST_TICKS / self.divisions
        if abs(value) > LONGEST_MEASURE * FINEST_TICKS:
            self._refuse(f"{what} of {value / FINEST_TICKS:,.0f} quarter notes, more than {LONGEST_MEASURE:,}")
        return value

    def _move(self, ticks: float) -> None:
        self.cursor += ticks
        if self.cursor > LONGEST_MEASURE * FINEST_TICKS:
            self._refuse(f"longer than {LONGEST_MEASURE:,} quarter notes")
        self.furthest = max(self.furthest, self.cursor)

    def _forward(self, element: Element) -> None:
        self._move(self._ticks(element.findtext("duration"), "the duration of a forward"))

    def _backup(self, element: Element) -> None:
        self.cursor -= self._ticks(element.findtext("duration"), "the duration of a backup")
        if self.cursor < -NEAR:
            self._refuse("a backup to before the measure begins")
        self.cursor = max(0.0, self.cursor)

    # --- what holds from a place on

    def _attributes(self, element: Element) -> None:
        divisions = element.findtext("divisions")
        if divisions is not None:
            self.divisions = number(divisions, "divisions", self.place, 0.0001, 1e9)
        for transpose in element.findall("transpose")[:1]:
            chromatic = number(transpose.findtext("chromatic", "0"), "transpose", self.place, -127, 127)
            octaves = number(transpose.findtext("octave-change", "0"), "octave-change", self.place, -10, 10)
            self.transposed = round(chromatic + 12 * octaves)
        for key in element.findall("key")[:1]:
            self._key(key)
        for time in element.findall("time")[:1]:
            self._time(time)

    def _key(self, key: Element) -> None:
        if key.find("fifths") is None:  # a signature of single accidentals is of no major or minor key
            return
        fifths = round(number(key.findtext("fifths"), "fifths", self.place, -11, 11))
        mode = "minor" if (key.findtext("mode") or "").strip().lower() in MINOR_MODES else "major"
        tonic = (fifths * 7 + (9 if mode == "minor" else 0) + self.transposed) % 12
        self.keys.append((self.measures, round(self.cursor), tonic, mode))

    def _time(self, time: Element) -> None:
        """A metre; 3/8 + 2/4 is counted in the smaller unit, 3+2/8 as 5/8."""
        beats, units = time.findall("beats"), time.findall("beat-type")
        if not beats or not units:  # senza misura
            return
        pairs = []
        for count, unit in zip(beats[:8], units[:8], strict=False):
            counts = [number(part, "beats", self.place, 1, 255) for part in (count.text or "").split("+")[:16]]
            denominator = int(number(unit.text, "beat-type", self.place, 1, 64))
            if denominator not in DENOMINATORS:
                self._refuse(f"a beat-type of {denominator}")
            pairs.append((sum(map(int, counts)), denominator))
        finest = max(denominator for _, denominator in pairs)
        numerator = sum(count * finest // denominator for count, denominator in pairs)
        if numerator > 255:
            self._refuse(f"a metre of {numerator}/{finest}")
        self.metres[self.measures] = numerator, finest

    def _direction(self, element: Element) -> None:
        offset = element.find("offset")
        at = self.cursor + (self._ticks(offset.text, "offset", -1e9) if offset is not None else 0.0)
        sound = element.find("sound")
        if sound is not None:
            self._sound(sound, at)
        elif (metronome := element.find("direction-type/metronome")) is not None:
            self._metronome(metronome, at)
        for mark in element.findall("direction-type/dynamics/*"):
            if sound is None or sound.get("dynamics") is None:
                self.velocity = LOUDNESS.get(mark.tag, self.velocity)

    def _sound(self, element: Element, at: float | None = None) -> None:
        tempo, dynamics = element.get("tempo"), element.get("dynamics")
        if tempo is not None:
            self._tempo(number(tempo, "tempo", self.place, 0, 100_000), self.cursor if at is None else at)
        if dynamics is not None:
            self.velocity = _velocity(number(dynamics, "dynamics", self.place, 0, 1e6))

    def _metronome(self, element: Element, at: float) -> None:
        unit = BEAT_UNITS.get((element.findtext("beat-unit") or "").strip())
        rate = re.search(r"\d{1,4}(\.\d{1,4})?", (element.findtext("per-minute") or "")[:40])
        if unit and rate:  # "c. 120" is said to people, and two units that are equal say no tempo
            self._tempo(float(rate[0]) * unit * (1.5 if element.find("beat-unit-dot") is not None else 1), at)

    def _tempo(self, bpm: float, at: float) -> None:
        if bpm > 0:
            self.tempos.append((self.measures, max(0, round(at)), bpm))

    # --- notes

    def _note(self, element: Element) -> None:
        if element.find("grace") is not None:
            return
        length = self._ticks(element.findtext("duration"), "the duration of a note")
        if element.find("chord") is None:
            self.last = self.cursor
            self._move(length)
        start, end = round(self.last), round(self.last + length)
        self.furthest = max(self.furthest, self.last + length)
        if element.find("rest") is not None or element.find("cue") is not None or end <= start:
            return
        ties = {tie.get("type") for tie in element.findall("tie")}
        loud = element.get("dynamics")
        velocity = self.velocity if loud is None else _velocity(number(loud, "dynamics", self.place, 0, 1e6))
        voice = element.findtext("voice", "")
        self.pieces.append(
            Note(self.measures, start, end, self._pitch(element), velocity, voice, "stop" in ties, "start" in ties)
        )

    def _pitch(self, element: Element) -> int:
        pitch, unpitched = element.find("pitch"), element.find("unpitched")
        if pitch is None and unpitched is None:
            self._refuse("a note without pitch or rest")
        if pitch is None:
            self.instrument.drums = True
            played = element.find("instrument")
            return self.instrument.pitches.get(played.get("id", "") if played is not None else "", SNARE)
        step = (pitch.findtext("step") or "").strip()
        if step not in STEP_PITCH_CLASS:
            self._refuse(f"a step {step[:20]!r}, there are A to G")
        octave = number(pitch.findtext("octave"), "octave", self.place, -1, 10)
        alter = number(pitch.findtext("alter", "0"), "alter", self.place, -12, 12)
        sounding = STEP_PITCH_CLASS[step] + round(alter + 12 * (octave + 1)) + self.transposed
        if not 0 <= sounding <= 127:
            self._refuse(f"a pitch of {sounding}, MIDI has 0 to 127")
        return sounding

    def notes(self, starts: Iterable[int], track: int) -> list[tuple[int, int, int, int, int]]:
        """Rows of (onset, duration, pitch, velocity, track), tied pieces joined; `starts` are the measures' times."""
        begins = [int(start) for start in starts]
        rows: list[list[int]] = []
        waiting: dict[int, list[tuple[str, int, int]]] = {}  # by pitch: voice, row, end of what a tie goes on from
        for note in sorted(self.pieces, key=lambda note: begins[note.measure] + note.start):
            start, end = begins[note.measure] + note.start, begins[note.measure] + note.end
            open_ties = waiting.setdefault(note.pitch, [])
            found = _matching(open_ties, note.voice, start) if note.stops else None
            if found is None:
                row = len(rows)
                rows.append([start, end - start, note.pitch, note.velocity, track])
            else:
                row = open_ties.pop(found)[1]
                rows[row][1] = end - rows[row][0]
            if note.goes_on:
                open_ties.append((note.voice, row, end))
                del open_ties[:-MOST_OPEN_TIES]
        return [tuple(row) for row in rows]  # type: ignore[misc]


def _matching(open_ties: Sequence[tuple[str, int, int]], voice: str, start: int) -> int | None:
    """Which open tie a note goes on from: of its own voice where there is one, the oldest first."""
    near = [place for place, (_, _, end) in enumerate(open_ties) if abs(end - start) <= NEAR]
    return next((place for place in near if open_ties[place][0] == voice), near[0] if near else None)


def _velocity(per_cent: float) -> int:
    return min(127, max(1, round(per_cent * FORTE / 100)))


HANDLERS: dict[str, Callable[[PartReader, Element], None]] = {
    "note": PartReader._note,
    "forward": PartReader._forward,
    "backup": PartReader._backup,
    "attributes": PartReader._attributes,
    "direction": PartReader._direction,
    "sound": PartReader._sound,
}
