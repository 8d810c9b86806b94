"""Rules act on logits before the draw; what is impossible is never drawn, and nothing is repaired afterwards."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar

import numpy as np

from .encodings.base import Cursor
from .theory import in_key_pitch_classes

FORBIDDEN = -np.inf
LARGEST_CHORD = 24  # notes
RECENT = 64  # notes in which what sounds is looked for
LOOK_BACK = 2000  # notes in which an earlier bar is looked for
FORBIDDEN_COST = 30.0  # nats that no other wish outweighs, and that still leave something where nothing else is left
VOICES = ("soprano", "bass", "alto", "tenor")
PITCHES = ("pitch", *VOICES)
PITCH_CLASSES = np.arange(128) % 12
PERFECT = (0, 7)  # semitones: unison or octave, fifth
HOLD = 0  # class of a voice that sounds on
OF_THE_DOMINANT = (2, 5, 7, 11)  # semitones above the tonic: its triad and its seventh
DOMINANT = {"bass": (7,), "soprano": (2, 5, 7, 11)}  # semitones above the tonic in the chord before the last
VOICE_PITCH = 2  # class of pitch 0 in a voice of the encoding `voices`; below it stand hold and rest


@dataclass
class Stream:
    """One piece that is being composed: its cursor and the steps so far."""

    cursor: Cursor
    steps: list[dict[str, int]] = field(default_factory=list)
    expected: Any = None  # the note that `Returns` waits for
    memory: dict[str, Any] = field(default_factory=dict)  # what rules have heard of the piece, by a name of theirs


class Rule:
    """Lowers the logits of what should not be chosen; a rule that would leave nothing is passed over.

    What is legal at all - well formed, within the instruments, on time - the encoding's cursor tells beforehand.
    """

    fields: ClassVar[tuple[str, ...]] = PITCHES  # those that the rule is asked about

    def __call__(self, name: str, logits: np.ndarray, stream: Stream, chosen: Mapping[str, int]) -> None:
        """Change `logits` (classes,) of the field `name` in place."""


@dataclass
class NoStutter(Rule):
    """No pitch is struck more than `most` times in a row in one part."""

    most: int = 4

    def __call__(self, name, logits, stream, chosen) -> None:
        if name == "pitch":
            self._in_notes(logits, stream.steps, chosen)
        else:
            struck = [step[name] for step in stream.steps[-64:] if step[name] >= VOICE_PITCH][-self.most :]
            if len(struck) == self.most and len(set(struck)) == 1:
                logits[struck[0]] = FORBIDDEN

    def _in_notes(self, logits: np.ndarray, steps: Sequence[Mapping[str, int]], chosen: Mapping[str, int]) -> None:
        program, part = chosen["program"], chosen["part"]
        own = (s["pitch"] for s in reversed(steps[-64:]) if s["part"] == part and s["program"] == program)
        played = list(islice(own, self.most))
        if len(played) == self.most and len(set(played)) == 1:
            logits[played[0]] = FORBIDDEN


@dataclass
class InRange(Rule):
    """Pitches outside `low`-`high` of the style, which real pieces of it hardly ever leave, are not chosen."""

    ranges: Mapping[str, tuple[int, int]]  # by field: "pitch", "soprano", ...

    def __call__(self, name, logits, stream, chosen) -> None:
        if name in self.ranges:
            low, high = self.ranges[name]
            first = 0 if name == "pitch" else VOICE_PITCH
            logits[first : first + low] = FORBIDDEN
            logits[first + high + 1 :] = FORBIDDEN


@dataclass
class InKey(Rule):
    """Pitches outside the key cost `strength` nats (infinite: they are forbidden)."""

    tonic: int
    mode: str
    strength: float = 1.0

    def __post_init__(self) -> None:
        outside = ~in_key_pitch_classes(self.tonic, self.mode)[PITCH_CLASSES]
        self._cost = np.where(outside, self.strength, 0.0)

    def __call__(self, name, logits, stream, chosen) -> None:
        logits[0 if name == "pitch" else VOICE_PITCH :] -= self._cost


@dataclass
class NoParallels(Rule):
    """Two voices do not move together from one perfect fifth, octave or unison to another (Fux 1725).

    It costs `strength` nats, so that a voice that can hardly go elsewhere still may.
    """

    strength: float = 5.0
    fields: ClassVar[tuple[str, ...]] = VOICES

    def __call__(self, name, logits, stream, chosen) -> None:
        before = stream.cursor.sounding  # pitch + 1, 0 for silence
        was = before[name] - 1
        for other, choice in chosen.items():
            other_was, other_is = before[other] - 1, choice - VOICE_PITCH
            if was < 0 or other_was < 0 or other_is < 0 or other_is == other_was:
                continue
            interval = abs(was - other_was) % 12
            if interval in PERFECT:
                pitches = np.arange(len(logits) - VOICE_PITCH)
                parallel = (np.abs(pitches - other_is) % 12 == interval) & (pitches != was)
                logits[VOICE_PITCH:][parallel] -= self.strength


@dataclass
class FinalChord(Rule):
    """From its last strong beat on the piece stands on the tonic triad, reached from the dominant in the bass.

    `start` is how many ticks before the end that beat is, `pulse` the length of the beat before it. A piece that
    stands on its tonic by then may stay there. In minor the third may be raised (the Picardy third).
    """

    tonic: int
    mode: str
    start: int
    pulse: int
    fields: ClassVar[tuple[str, ...]] = VOICES

    def __call__(self, name, logits, stream, chosen) -> None:
        left, sounding = stream.cursor.left, stream.cursor.sounding
        if left <= self.start:
            self._only(name, logits, sounding, (0,) if name == "bass" else self._triad())
        elif left <= self.start + self.pulse and name in DOMINANT and not self._stands(sounding):
            self._only(name, logits, sounding, DOMINANT[name])

    def _triad(self) -> tuple[int, ...]:
        return (0, 3, 4, 7) if self.mode == "minor" else (0, 4, 7)

    def _stands(self, sounding: Mapping[str, int]) -> bool:
        """Whether the bass has the tonic already and every other voice a note of its triad."""
        degrees = {voice: (pitch - 1 - self.tonic) % 12 for voice, pitch in sounding.items() if pitch}
        return degrees.get("bass") == 0 and set(degrees.values()) <= set(self._triad())

    def _only(self, name: str, logits: np.ndarray, sounding: Mapping[str, int], degrees: tuple[int, ...]) -> None:
        """Forbid every pitch but those `degrees` (semitones above the tonic), and to hold another."""
        allowed = [(self.tonic + degree) % 12 for degree in degrees]
        logits[VOICE_PITCH:][~np.isin(np.arange(len(logits) - VOICE_PITCH) % 12, allowed)] = FORBIDDEN
        held = sounding[name] - 1
        if held >= 0 and held % 12 not in allowed:
            logits[HOLD] = FORBIDDEN


@dataclass
class SurePitches(Rule):
    """Pitches are drawn at `temperature`, whether to strike at all as learnt.

    A common temperature below 1 makes four voices hold more and more, since holding is the likeliest of all.
    """

    temperature: float
    fields: ClassVar[tuple[str, ...]] = PITCHES

    def __call__(self, name, logits, stream, chosen) -> None:
        struck = logits if name == "pitch" else logits[VOICE_PITCH:]
        highest = struck.max()
        if highest == FORBIDDEN:
            return
        sharper = (struck - highest) / self.temperature
        mass, sharper_mass = np.exp(struck - highest).sum(), np.exp(sharper).sum()
        struck[:] = sharper + highest + np.log(mass / sharper_mass)


@dataclass
class FollowChords(Rule):
    """Notes belong to the chord that is asked for: always on a beat or if they last one, else mostly.

    The lowest part begins each chord with its root, and no note sounds on into a chord that it does not belong to. A
    single line has to say the whole chord by itself: what it has not said yet is likelier.
    """

    chords: Sequence[tuple[int, int]]  # (tick, root * kinds + quality)
    tones: np.ndarray  # (chords there are, 12): which pitch classes belong to each
    pulse: int
    strength: float = 4.0
    unsaid: float = 1.5  # nats for a note of the chord that a single line has not had yet
    fields: ClassVar[tuple[str, ...]] = ("pitch", "duration")

    def __call__(self, name, logits, stream, chosen) -> None:
        onset = stream.cursor.time + chosen["wait"]
        before = [n for n, (tick, _) in enumerate(self.chords) if tick <= onset]
        if not before:
            return
        start, chord = self.chords[before[-1]]
        inside = self.tones[chord][np.arange(128) % 12] > 0
        if name == "pitch":
            logits[~inside] -= FORBIDDEN_COST if (onset - start) % self.pulse == 0 else self.strength
            if len(set(stream.cursor.sounds)) == 1:
                said = {one[2] % 12 for one in stream.cursor.notes[-RECENT:] if one[0] >= start}
                logits[inside & ~np.isin(np.arange(128) % 12, list(said))] += self.unsaid
            if self._opens(stream, chosen, start):
                logits[np.arange(128) % 12 != chord // (len(self.tones) // 12)] = FORBIDDEN
            return
        self._end_with(logits, self.chords[before[-1] + 1 :], onset, chosen["pitch"])
        if not inside[chosen["pitch"]]:
            logits[self.pulse - 1 :] = FORBIDDEN

    def _opens(self, stream: Stream, chosen: Mapping[str, int], start: int) -> bool:
        """Whether the coming note is the first of the lowest part since the chord began."""
        lowest = lowest_part(stream.cursor)
        if (chosen["program"], chosen["part"]) != lowest:
            return False
        played = [onset for onset, *_, program, part in stream.cursor.notes[-64:] if (program, part) == lowest]
        return not played or played[-1] < start

    def _end_with(self, logits: np.ndarray, later: Sequence[tuple[int, int]], onset: int, pitch: int) -> None:
        """Forbid durations that reach into a chord without `pitch`."""
        for tick, chord in later:
            if not self.tones[chord][pitch % 12]:
                logits[max(1, tick - onset) :] = FORBIDDEN
                return


@dataclass
class CloseOnTonic(Rule):
    """The last chord: struck `start` ticks before the end, on the tonic triad, the lowest part on the tonic, and held.

    Nothing ends before it, everything sounding is struck anew there, and little follows. A melody ends on the tonic;
    one that stands already and ends elsewhere leaves the chord free.
    """

    tonic: int
    mode: str
    start: int
    strength: float = 4.0
    full: bool = False  # the piece does not end before every part has struck the last chord
    fields: ClassVar[tuple[str, ...]] = ("wait", "program", "part", "pitch", "duration")

    def __call__(self, name, logits, stream, chosen) -> None:
        cursor = stream.cursor
        if name == "wait":
            self._in_time(logits, cursor)
        elif cursor.left - chosen["wait"] > self.start:
            return
        elif name == "pitch":
            self._on_triad(logits, cursor, chosen)
        elif name == "duration":
            logits[: (cursor.left - chosen["wait"]) // 2] -= self.strength
        else:
            self._everybody(name, logits, cursor, chosen)

    def _in_time(self, logits: np.ndarray, cursor: Any) -> None:
        """The last chord is struck when it is due, and then the piece may end."""
        due = cursor.left - self.start
        if due > 0:
            logits[-1] = FORBIDDEN  # the class that closes
            if due < len(logits) - 1:
                logits[due + 1 : -1] = FORBIDDEN
            return
        logits[1:-1] -= self.strength
        if len(set(cursor.sounds)) > len(self._final(cursor)):
            logits[0] += self.strength
            if self.full:
                logits[-1] -= 2 * self.strength

    def _final(self, cursor: Any) -> set[tuple[int, ...]]:
        """The parts that have struck the last chord."""
        return {one[4:] for one in cursor.notes[-LARGEST_CHORD:] if one[0] >= cursor.end - self.start}

    def _everybody(self, name: str, logits: np.ndarray, cursor: Any, chosen: Mapping[str, int]) -> None:
        struck = self._final(cursor)
        for program, part in set(cursor.sounds) - struck:
            if name == "program":
                logits[program] += self.strength
            elif chosen["program"] == program:
                logits[part] += self.strength

    def _on_triad(self, logits: np.ndarray, cursor: Any, chosen: Mapping[str, int]) -> None:
        is_lowest = (chosen["program"], chosen["part"]) == lowest_part(cursor)
        third = (3, 4) if self.mode == "minor" else (4,)
        if any((pitch - self.tonic) % 12 not in (0, 7, *third) for pitch in beside(cursor, cursor.end - self.start)):
            return  # a melody that stands already closes elsewhere
        degrees = (0,) if is_lowest and self._first(cursor, chosen) else (0, 7, *third)
        allowed = [(self.tonic + degree) % 12 for degree in degrees]
        logits[~np.isin(np.arange(len(logits)) % 12, allowed)] = FORBIDDEN

    def _first(self, cursor: Any, chosen: Mapping[str, int]) -> bool:
        """Whether the part has not struck anything yet at this onset: in a chord, its lowest note."""
        now = cursor.time + chosen["wait"]
        sound = (chosen["program"], chosen["part"])
        return not any(one[0] == now and one[4:] == sound for one in cursor.notes[-LARGEST_CHORD:])


@dataclass
class FromTheDominant(Rule):
    """In the last `pulse` ticks before the last chord the lowest part has the dominant lowest, the others its chord.

    A pulse earlier that costs half as much. `start` is how many ticks before the end the last chord is struck.
    """

    tonic: int
    start: int
    pulse: int
    strength: float = 3.0
    fields: ClassVar[tuple[str, ...]] = ("pitch", "duration")

    def __call__(self, name, logits, stream, chosen) -> None:
        cursor, now = stream.cursor, stream.cursor.time + chosen["wait"]
        final = cursor.end - self.start
        if not final - 2 * self.pulse <= now < final:
            return
        if name == "duration":
            logits[final - now :] -= self.strength
            return
        cost = self.strength if now >= final - self.pulse else self.strength / 2
        sound = chosen["program"], chosen["part"]
        is_root = sound == lowest_part(cursor) and not any(
            one[0] == now and one[4:] == sound for one in cursor.notes[-LARGEST_CHORD:]
        )
        degrees = (np.arange(len(logits)) - self.tonic) % 12
        logits[~np.isin(degrees, (7,) if is_root else OF_THE_DOMINANT)] -= cost


def lowest_part(cursor: Any) -> tuple[int, int]:
    """(program, part) of the part whose notes have been lowest so far, of those asked for; the last before any."""
    heights = {sound: cursor.heights[sound] for sound in cursor.sounds if sound in cursor.heights}
    return min(heights, key=lambda sound: heights[sound][0] / heights[sound][1]) if heights else cursor.sounds[-1]


@dataclass
class NoClash(Rule):
    """A pitch a semitone from one that sounds, octaves aside, costs `strength` nats.

    So does sounding on into such a note of music that stands already, as a melody that is harmonised does.
    """

    strength: float = 1.0
    fields: ClassVar[tuple[str, ...]] = ("pitch", "duration")

    def __call__(self, name, logits, stream, chosen) -> None:
        cursor = stream.cursor
        onset = cursor.time + chosen["wait"]
        if name == "duration":
            for start, _, pitch, *_ in coming(cursor, onset, onset + len(logits)):
                if (pitch - chosen["pitch"]) % 12 in (1, 11):
                    logits[start - onset :] -= self.strength
                    return
            return
        sounding = {pitch % 12 for (_, _, pitch), stop in cursor.sounding.items() if stop > onset}
        sounding |= {pitch % 12 for pitch in beside(cursor, onset)}
        if sounding:
            near = np.zeros(12, dtype=bool)
            near[[(pitch + step) % 12 for pitch in sounding for step in (1, 11)]] = True
            logits[near[PITCH_CLASSES]] -= self.strength


def stood(cursor: Any, tick: int) -> Sequence[tuple[int, ...]]:
    """The latest notes that begin up to `tick` of those that stand already."""
    notes = cursor.standing
    return notes[: bisect_right(notes, tick, key=lambda note: note[0])][-RECENT:] if notes else ()


def beside(cursor: Any, tick: int) -> list[int]:
    """The pitches that sound at `tick` of what stands already."""
    return [pitch for start, length, pitch, *_ in stood(cursor, tick) if start + length > tick]


def coming(cursor: Any, tick: int, stop: int) -> Sequence[tuple[int, ...]]:
    """The notes that stand already and begin after `tick`, before `stop`."""
    notes = cursor.standing
    if not notes:
        return ()
    first = bisect_right(notes, tick, key=lambda note: note[0])
    return notes[first : bisect_left(notes, stop, key=lambda note: note[0])]


@dataclass
class EveryPart(Rule):
    """An instrument that has not come in after `ticks` is `strength` nats likelier, the more the longer it is missing.

    `always`: so is a part that has been silent since, as in styles whose voices all sing throughout.
    """

    ticks: int
    strength: float = 3.0
    always: bool = False
    fields: ClassVar[tuple[str, ...]] = ("program", "part")

    def __call__(self, name, logits, stream, chosen) -> None:
        cursor = stream.cursor
        for sound in set(cursor.sounds) - (set() if self.always else cursor.played):
            silent = cursor.time - cursor.stops.get(sound, cursor.begin)
            program, part = sound
            if silent < self.ticks or (name == "part" and chosen["program"] != program):
                continue
            logits[program if name == "program" else part] += self.strength * min(4.0, silent / self.ticks)


@dataclass
class Returns(Rule):
    """Where the form says that a bar returns, the notes of the earlier one are likelier, or its rhythm alone.

    `strength` nats for the note that stands there next, `rhythm` nats where only its rhythm returns: the model may
    still choose otherwise, and so varies what it repeats.
    """

    form: Sequence[int]  # of each bar: 0 new, 1 ... repeated after so many bars, then its rhythm repeated
    distances: Sequence[int]
    strength: float = 3.0
    rhythm: float = 0.5
    fields: ClassVar[tuple[str, ...]] = ("wait", "program", "part", "pitch", "duration")

    def __call__(self, name, logits, stream, chosen) -> None:
        if name == "wait":
            stream.expected = self._expected(stream.cursor)
            if stream.expected:
                note, exact = stream.expected
                wait = note[0] - stream.cursor.time
                if wait < len(logits) - 1:
                    logits[wait] += self.strength if exact else self.rhythm
            return
        if not stream.expected:
            return
        (onset, duration, pitch, _, program, part), exact = stream.expected
        if stream.cursor.time + chosen["wait"] != onset:
            return
        expected = {"program": program, "part": part, "pitch": pitch, "duration": duration - 1}
        so_far = [chosen[field] == value for field, value in expected.items() if field in chosen]
        if name == "pitch" and not exact:
            return
        if all(so_far) or (not exact and name == "duration"):
            logits[expected[name]] += self.strength if exact else self.rhythm

    def _expected(self, cursor: Any) -> tuple[tuple[int, ...], bool] | None:
        """The note that comes next in the bars that return, moved to where it now belongs; None where none does."""
        here = cursor.bar_at(cursor.time)
        last = (cursor.time, *(cursor.last[field] for field in ("program", "part", "pitch"))) if cursor.started else ()
        for bar in (here, here + 1):
            found = self._returning(cursor, bar)
            if not found:
                continue
            notes, exact = found
            later = [note for note in notes if not last or (note[0], note[4], note[5], note[2]) > last]
            if later:
                return min(later, key=lambda note: (note[0], note[4], note[5], note[2])), exact
        return None

    def _returning(self, cursor: Any, bar: int) -> tuple[list[tuple[int, ...]], bool] | None:
        """The notes that bar number `bar` takes over, moved into it, and whether their pitches return too."""
        kind = self.form[bar] if bar < min(len(self.form), len(cursor.bars)) else 0
        if not kind:
            return None
        exact = kind <= len(self.distances)
        source = bar - self.distances[(kind - 1) % len(self.distances)]
        if source < cursor.first:
            return None
        begin, end = cursor.bars[source][:2]
        moved = cursor.bars[bar][0] - begin
        notes = [(one[0] + moved, *one[1:]) for one in cursor.notes[-LOOK_BACK:] if begin <= one[0] < end]
        return (notes, exact) if notes else None
