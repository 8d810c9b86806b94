"""The measures of one part as MusicXML text: attributes, tempi, voices, notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..score import Key, Metre, Score, Tempo
from ..theory import fifths_of
from ..timing import Bar, bar_ticks
from ._beams import FLAGS, beams
from ._spelling import spell
from ._staves import BASS, Clef, Part, clefs_by_bar, upper_staff
from ._values import BEAT, TYPES, Grid, Piece, grid, pieces
from ._voices import Event, voices

LETTERS = "CDEFGAB"
SHARP_ORDER, FLAT_ORDER = "FCGDAEB", "BEADGCF"
ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
FORTE = 90  # the velocity that MusicXML's dynamics are per cent of
VOICES_A_STAFF = 4
SHOWN_TEMPO_CHANGE = 0.04  # smaller changes sound, but are not printed


class DrumLine(NamedTuple):
    """Where a drum stands on the staff, and its name."""

    step: str
    octave: int
    head: str
    name: str


_DRUMS = {
    (35, 36): DrumLine("F", 4, "", "Bass drum"), (37,): DrumLine("C", 5, "x", "Side stick"),
    (38, 40): DrumLine("C", 5, "", "Snare drum"), (39,): DrumLine("D", 5, "x", "Hand clap"),
    (41, 43): DrumLine("A", 4, "", "Floor tom"), (45, 47): DrumLine("B", 4, "", "Low tom"),
    (48, 50): DrumLine("E", 5, "", "High tom"), (42, 46): DrumLine("G", 5, "x", "Hi-hat"),
    (44,): DrumLine("D", 4, "x", "Pedal hi-hat"), (49, 52, 55, 57): DrumLine("A", 5, "x", "Crash cymbal"),
    (51, 53, 59): DrumLine("F", 5, "x", "Ride cymbal"), (54,): DrumLine("B", 5, "x", "Tambourine"),
    (56,): DrumLine("E", 5, "x", "Cowbell"),
}  # fmt: skip
DRUMS = {pitch: line for pitches, line in _DRUMS.items() for pitch in pitches}


def drum_line(pitch: int) -> DrumLine:
    """The place of a General MIDI drum on the staff; the middle for one without a place of its own."""
    return DRUMS.get(pitch, DrumLine("B", 4, "", f"Percussion {pitch}"))


class PartWriter:
    """Writes one part, bar after bar; times inside are ticks of the house grid."""

    def __init__(self, score: Score, part: Part, bars: Sequence[Bar]):
        self.score, self.part, self.bars = score, part, bars
        self.track = score.tracks[part.track]
        # drums have no signature, unless nobody else is there to say the key
        silent = self.track.is_drums and not all(track.is_drums for track in score.tracks)
        self.keys = () if silent else score.keys
        notes = score.notes
        self.onsets = notes["onset"].tolist()
        self.ends = (notes["onset"] + notes["duration"]).tolist()
        self.pitches = notes["pitch"].tolist()
        self.velocities = notes["velocity"].tolist()
        self.places = np.flatnonzero(notes["track"] == part.track)
        self._spell()
        self._fill_staves()

    def _spell(self) -> None:
        """Letters by all pitched parts together: the harmony names the notes."""
        drums = [number for number, track in enumerate(self.score.tracks) if track.is_drums]
        pitched = np.flatnonzero(~np.isin(self.score.notes["track"], drums))
        spelled = zip(*(column.tolist() for column in spell(self.score.notes[pitched], self.score.keys)), strict=True)
        self.names = dict(zip(pitched.tolist(), spelled, strict=True))

    def _fill_staves(self) -> None:
        """The voices of each staff, and the clef of each of its bars."""
        notes = self.score.notes[self.places]
        upper = upper_staff(notes) if self.part.staves == 2 and len(notes) else np.ones(len(notes), bool)
        starts = np.array([bar.start for bar in self.bars])
        self.staves: list[list[list[Event]]] = []
        self.clefs: list[list[Clef]] = []
        for staff in range(self.part.staves):
            mine = upper if staff == 0 else ~upper
            rows = [
                (self.onsets[place], self.ends[place], self.pitches[place], place)
                for place in self.places[mine].tolist()
            ]
            self.staves.append(voices(rows, f"part {self.part.name!r}"))
            lower = staff or (self.part.group == "brace" and self.part.closes)
            wanted = BASS if lower else self.part.clefs[0]
            self.clefs.append(clefs_by_bar(notes[mine], starts, self.part.clefs, wanted))
        self.cursors = [[0] * len(staff) for staff in self.staves]

    def measures(self) -> Iterator[str]:
        """The text of each measure."""
        number = 0 if self.score.upbeat else 1
        for index, bar in enumerate(self.bars):
            upbeat = self.score.upbeat and index == 0
            yield f'  <measure number="{number + index}"{" implicit=" + chr(34) + "yes" + chr(34) if upbeat else ""}>\n'
            yield from self._attributes(index, bar)
            if self.part.track == 0:
                yield from self._tempos(index, bar)
            yield from self._music(bar)
            if index == len(self.bars) - 1:
                yield '   <barline location="right"><bar-style>light-heavy</bar-style></barline>\n'
            yield "  </measure>\n"

    # --- attributes and tempo

    def _attributes(self, index: int, bar: Bar) -> Iterator[str]:
        first = index == 0
        inner = ["<divisions>24</divisions>"] if first else []
        inner += [_key(key) for key in self.keys if key.tick == bar.start]
        inner += [_time(metre) for metre in self.score.metres if metre.tick == bar.start]
        if first and self.part.staves > 1:
            inner.append(f"<staves>{self.part.staves}</staves>")
        for staff, clefs in enumerate(self.clefs, 1):
            if first or clefs[index] != clefs[index - 1]:
                number = f' number="{staff}"' if self.part.staves > 1 else ""
                inner.append(_clef(clefs[index], number))
        if inner:
            yield f"   <attributes>{''.join(inner)}</attributes>\n"
        for key in self.keys:
            if bar.start < key.tick < bar.end:  # a key within a bar: go there and come back
                yield f"   <forward><duration>{key.tick - bar.start}</duration></forward>"
                yield f"<attributes>{_key(key)}</attributes>"
                yield f"<backup><duration>{key.tick - bar.start}</duration></backup>\n"

    def _tempos(self, index: int, bar: Bar) -> Iterator[str]:
        last = index == len(self.bars) - 1
        tempos = self.score.tempos
        for place, tempo in enumerate(tempos):
            if bar.start <= tempo.tick < bar.end or (last and tempo.tick == bar.end):
                following = tempos[place + 1].tick if place + 1 < len(tempos) else self.score.end
                before = tempos[place - 1].bpm if place else 0.0
                lasts = following - tempo.tick >= bar.end - bar.start or not place
                changes = abs(tempo.bpm - before) > SHOWN_TEMPO_CHANGE * before
                yield _tempo(tempo, tempo.tick - bar.start, bar, lasts and changes)

    # --- notes

    def _music(self, bar: Bar) -> Iterator[str]:
        length = bar.end - bar.start
        hierarchy = grid(bar.numerator, bar.denominator, length)
        written = False
        for staff in range(self.part.staves):
            found = [self._events(staff, voice, bar) for voice in range(len(self.staves[staff]))]
            found = self._lone_first(found, bar)
            signs = self._accidentals(found, bar)
            for voice, events in enumerate(found):
                if voice and not events:
                    continue
                if written:
                    yield f"   <backup><duration>{length}</duration></backup>\n"
                written = True
                number = staff * VOICES_A_STAFF + voice + 1
                if not events and length == bar_ticks(bar.numerator, bar.denominator, BEAT):
                    yield self._silence(bar, number, staff, any(found))
                else:
                    yield from self._voice(events, bar, hierarchy, number, staff, signs)

    def _events(self, staff: int, voice: int, bar: Bar) -> list[Event]:
        """What a voice sounds in the bar; called bar after bar."""
        events, at = self.staves[staff][voice], self.cursors[staff][voice]
        found = []
        while at < len(events) and events[at].start < bar.end:
            found.append(events[at])
            if events[at].end > bar.end:
                break
            at += 1
        self.cursors[staff][voice] = at
        return found

    def _lone_first(self, found: list[list[Event]], bar: Bar) -> list[list[Event]]:
        """A voice alone in a bar becomes the first, unless a tie binds it to another bar."""
        sounding = [events for events in found if events]
        tied = any(events[0].start < bar.start or events[-1].end > bar.end for events in sounding)
        return sounding if len(sounding) == 1 and not tied else found

    def _silence(self, bar: Bar, number: int, staff: int, hidden: bool) -> str:
        shown = ' print-object="no"' if hidden else ""
        where = f"<staff>{staff + 1}</staff>" if self.part.staves > 1 else ""
        return (
            f'   <note{shown}><rest measure="yes"/><duration>{bar.end - bar.start}</duration>'
            f"<voice>{number}</voice>{where}</note>\n"
        )

    def _voice(
        self, events: Sequence[Event], bar: Bar, hierarchy: Grid, number: int, staff: int, signs: dict
    ) -> Iterator[str]:
        spans: list[tuple[int, int, bool]] = []
        heads: list[Event | None] = []
        at = 0
        for event in [*events, None]:
            start = event.start - bar.start if event else hierarchy.length
            if start > at:
                spans.append((at, start, True))
                heads.append(None)
            if event:
                at = min(event.end - bar.start, hierarchy.length)
                spans.append((max(0, start), at, False))
                heads.append(event)
        written = pieces(spans, hierarchy)
        rests = [heads[piece.event] is None for piece in written]
        second = number % VOICES_A_STAFF != 1
        where = f"<staff>{staff + 1}</staff>" if self.part.staves > 1 else ""
        for piece, beam, mark in zip(written, beams(written, rests, hierarchy), _brackets(written, rests), strict=True):
            event = heads[piece.event]
            if event is None:
                yield _rest(piece, number, where, mark, second)
                continue
            for place, note in enumerate(event.notes):
                sign = signs.get((note, bar.start + piece.start), "")
                yield self._note(
                    note, piece, bar, number, where, sign, "" if place else mark, [] if place else beam, place
                )

    def _note(
        self,
        note: int,
        piece: Piece,
        bar: Bar,
        voice: int,
        where: str,
        sign: str,
        mark: str,
        beam: list[str],
        place: int,
    ) -> str:
        stop = self.onsets[note] < bar.start + piece.start
        start = self.ends[note] > bar.start + piece.end
        ties = '<tie type="stop"/>' * stop + '<tie type="start"/>' * start
        notations = '<tied type="stop"/>' * stop + '<tied type="start"/>' * start + mark
        words = "".join(f'<beam number="{level}">{word}</beam>' for level, word in enumerate(beam, 1))
        sound, instrument, head = self._sound(note)
        return (
            f'   <note dynamics="{self.velocities[note] * 100 / FORTE:.2f}">{"<chord/>" if place else ""}{sound}'
            f"<duration>{piece.end - piece.start}</duration>{ties}{instrument}<voice>{voice}</voice>"
            f"{_value(piece)}{sign}{_modification(piece)}{head}{where}{words}"
            f"{'<notations>' + notations + '</notations>' if notations else ''}</note>\n"
        )

    def _sound(self, note: int) -> tuple[str, str, str]:
        """Pitch, instrument and head of a note."""
        if self.track.is_drums:
            line = drum_line(self.pitches[note])
            place = f"<display-step>{line.step}</display-step><display-octave>{line.octave}</display-octave>"
            head = f"<notehead>{line.head}</notehead>" if line.head else ""
            ident = f"P{self.part.track + 1}-I{self.pitches[note] + 1}"
            return f"<unpitched>{place}</unpitched>", f'<instrument id="{ident}"/>', head
        letter, alter, octave = self.names[note]
        altered = f"<alter>{alter}</alter>" if alter else ""
        return f"<pitch><step>{LETTERS[letter]}</step>{altered}<octave>{octave}</octave></pitch>", "", ""

    def _accidentals(self, found: Sequence[Sequence[Event]], bar: Bar) -> dict[tuple[int, int], str]:
        """The accidentals that one staff's notes need in one bar, by (note, tick at which it begins)."""
        if self.track.is_drums:
            return {}
        heads = sorted(
            (event.start, voice, place, note)
            for voice, events in enumerate(found)
            for event in events
            for place, note in enumerate(event.notes)
            if event.start >= bar.start and self.onsets[note] == event.start
        )
        signs: dict[tuple[int, int], str] = {}
        written: dict[tuple[int, int], int] = {}
        tick = -1
        for start, _, _, note in heads:
            if any(tick < key.tick <= start for key in self.score.keys):
                written.clear()
            tick = start
            letter, alter, octave = self.names[note]
            expected = written.get((letter, octave), _signature(self.score.keys, start)[letter])
            if alter != expected:
                signs[note, start] = f"<accidental>{ACCIDENTALS[alter]}</accidental>"
            written[letter, octave] = alter
        return signs


def _signature(keys: Sequence[Key], tick: int) -> dict[int, int]:
    """The alteration of each letter (0-6) by the signature in force at `tick`."""
    key = next((key for key in reversed(keys) if key.tick <= tick), None)
    fifths = fifths_of(key.tonic, key.mode) if key else 0
    altered = SHARP_ORDER[:fifths] if fifths > 0 else FLAT_ORDER[: -fifths if fifths else 0]
    return {place: (1 if fifths > 0 else -1) if letter in altered else 0 for place, letter in enumerate(LETTERS)}


def _key(key: Key) -> str:
    return f"<key><fifths>{fifths_of(key.tonic, key.mode)}</fifths><mode>{key.mode}</mode></key>"


def _time(metre: Metre) -> str:
    return f"<time><beats>{metre.numerator}</beats><beat-type>{metre.denominator}</beat-type></time>"


def _clef(clef: Clef, number: str) -> str:
    octave = f"<clef-octave-change>{clef.octave}</clef-octave-change>" if clef.octave else ""
    return f"<clef{number}><sign>{clef.sign}</sign><line>{clef.line}</line>{octave}</clef>"


def _tempo(tempo: Tempo, offset: int, bar: Bar, shown: bool) -> str:
    """A tempo as a direction: what sounds exactly, and where it is `shown` a metronome mark of the bar's pulse."""
    pulse = grid(bar.numerator, bar.denominator, bar.end - bar.start).pulse
    pulse = pulse if pulse >= BEAT else BEAT
    dotted = pulse % 9 == 0
    unit = TYPES[2 * (pulse * 2 // 3 if dotted else pulse)]
    rate = f"{round(tempo.bpm * BEAT / pulse, 1):g}"
    sound = np.format_float_positional(tempo.bpm, trim="-", precision=15)
    mark = (
        f"<metronome><beat-unit>{unit}</beat-unit>{'<beat-unit-dot/>' if dotted else ''}"
        f"<per-minute>{rate}</per-minute></metronome>"
    )
    kind = mark if shown else "<words/>"
    moved = f'<offset sound="yes">{offset}</offset>' if offset else ""
    return (
        f'   <direction placement="above"><direction-type>{kind}</direction-type>{moved}'
        f'<sound tempo="{sound}"/></direction>\n'
    )


def _value(piece: Piece) -> str:
    return f"<type>{piece.type}</type>" + "<dot/>" * piece.dots


def _modification(piece: Piece) -> str:
    if piece.cell is None:
        return ""
    return (
        "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes>"
        f"<normal-type>{piece.cell.normal_type}</normal-type></time-modification>"
    )


def _brackets(written: Sequence[Piece], rests: Sequence[bool]) -> list[str]:
    """The brackets that begin or end with each piece; a beam over the whole triplet does without."""
    marks = [""] * len(written)
    open_ones = {piece.cell for piece, rest in zip(written, rests, strict=True) if rest or piece.type not in FLAGS}
    for place, piece in enumerate(written):
        if piece.cell and piece.start == piece.cell.start:
            marks[place] += f'<tuplet type="start" bracket="{"yes" if piece.cell in open_ones else "no"}"/>'
        if piece.cell and piece.end == piece.cell.end:
            marks[place] += '<tuplet type="stop"/>'
    return marks


def _rest(piece: Piece, voice: int, where: str, mark: str, hidden: bool) -> str:
    shown = ' print-object="no"' if hidden else ""
    notations = f"<notations>{mark}</notations>" if mark else ""
    return (
        f"   <note{shown}><rest/><duration>{piece.end - piece.start}</duration><voice>{voice}</voice>"
        f"{_value(piece)}{_modification(piece)}{where}{notations}</note>\n"
    )
