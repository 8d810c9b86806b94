"""Rules of part-writing, note by note, for styles whose parts are single voices (Fux 1725; Huron 2001).

Each voice has one note at a time and a place among the others, the highest first. What a rule costs is in nats, taken
off what the model would choose: a voice that can hardly go elsewhere still may.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

import numpy as np

from .evaluation.harmony import BITS, WITHIN_A_CHORD
from .rules import OF_THE_DOMINANT, RECENT, Rule, beside, coming, stood

Sound = tuple[int, int]  # (program, part)
SILENCE = -1
THIRD, FIFTH, OCTAVE = 4, 7, 12  # semitones
PITCHES = np.arange(128)
DEGREES = PITCHES % OCTAVE
DISTANCES = np.abs(np.arange(-127, 128))  # semitones
TRIAD = 3  # pitch classes
LEADING_TONE, DOMINANT = 11, 7  # semitones above the tonic, in minor too
FEWEST = 3  # parts of a style that rules of voices are for
LOWER_QUARTILE, MEDIAN, UPPER_QUARTILE, LAST = 1, 2, 3, 4  # places in a profile's percentiles: 25, 50, 75, 99
# What counts as rare by the median of real pieces: shares of time, and of the intervals of a line
RARELY_CROSSED, RARELY_WIDE, RARELY_UNISON, RARELY_BARE = 0.02, 0.01, 0.1, 0.05
MOSTLY_STEPS, MOSTLY_PLAIN = 0.7, 0.8


@dataclass(frozen=True)
class Moment:
    """The voices at a tick, the highest first: pitches just before it and from it on.

    `SILENCE` stands for a rest, and from the tick on for a voice that has not chosen yet.
    """

    before: tuple[int, ...]
    now: tuple[int, ...]


class Voices:
    """The parts of a piece as voices: `sounds` has (program, part) of each, the highest first."""

    def __init__(self, sounds: Sequence[Sound]):
        self.sounds = tuple(sounds)
        self.place = {sound: number for number, sound in enumerate(self.sounds)}
        self._last: tuple[Any, int, int, Moment] | None = None  # what was asked last

    def __len__(self) -> int:
        return len(self.sounds)

    def of(self, chosen: Mapping[str, int]) -> int | None:
        """Number of the voice that is to have a note, if it is one."""
        return self.place.get((chosen["program"], chosen["part"]))

    def at(self, cursor: Any, tick: int) -> Moment:
        """Where the voices stand at `tick`, by the notes so far and those that stand already."""
        if self._last and self._last[0] is cursor and self._last[1:3] == (len(cursor.notes), tick):
            return self._last[3]
        before, now, open_voices = [SILENCE] * len(self), [SILENCE] * len(self), set(self.place)
        notes = chain(reversed(cursor.notes[-RECENT:]), reversed(stood(cursor, tick)))
        for onset, duration, pitch, _, program, part in notes:
            sound = program, part
            if sound not in open_voices or onset > tick:
                continue
            voice = self.place[sound]
            if tick < onset + duration and now[voice] == SILENCE:
                now[voice] = pitch
            if onset < tick:
                if tick <= onset + duration:
                    before[voice] = pitch
                open_voices.remove(sound)
                if not open_voices:
                    break
        moment = Moment(tuple(before), tuple(now))
        self._last = cursor, len(cursor.notes), tick, moment
        return moment

    def still_to_come(self, cursor: Any, voice: int, moment: Moment) -> int:
        """How many voices may still be struck after `voice`, in the order in which notes at a tick are composed."""
        later = (sound for sound in set(cursor.sounds) if sound > self.sounds[voice] and sound in self.place)
        return sum(moment.now[self.place[sound]] == SILENCE for sound in later)


@dataclass
class InTurn(Rule):
    """A voice strikes its next note when the one before has ended: sooner costs `overlap` nats, later `rest`.

    In the last `tail` ticks, where a piece closes, voices may end as they like. Voices with nothing before them begin
    with what stands beside them: later costs `entry` nats, if that is more.
    """

    overlap: float = 6.0
    rest: float = 0.0
    entry: float = 8.0
    tail: int = 0
    fields: ClassVar[tuple[str, ...]] = ("wait", "program", "part")

    def __call__(self, name, logits, stream, chosen) -> None:
        cursor = stream.cursor
        stops = ends(cursor)
        last = (cursor.last["program"], cursor.last["part"]) if cursor.started else None
        tick = cursor.time + chosen.get("wait", 0)
        entry = entry_of(cursor)
        rest = self.rest if entry is None or tick > entry else max(self.rest, self.entry)
        if name == "wait" and entry == tick and not last:
            logits[1:] -= rest
            return
        if name == "wait":
            self._wait(logits, cursor, stops, last, rest)
            return
        ready = [sound for sound, stop in stops.items() if stop <= tick]
        if last and not chosen["wait"]:
            ready = [sound for sound in ready if sound > last]  # who comes before in order has missed its turn
        if name == "program":
            every, free = {program for program, _ in stops}, {program for program, _ in ready}
        else:
            every, free = (
                {part for program, part in sounds if program == chosen["program"]} for sounds in (stops, ready)
            )
        logits[sorted(every - free)] -= self.overlap
        if free:
            logits[min(free) + 1 :] -= rest

    def _wait(
        self, logits: np.ndarray, cursor: Any, stops: Mapping[Sound, int], last: Sound | None, rest: float
    ) -> None:
        now, closing = cursor.time, len(logits) - 1
        if last:
            if any(stop <= now for sound, stop in stops.items() if sound > last):
                logits[1:] -= rest
                return
            logits[0] -= self.overlap
        following = min((stop for stop in stops.values() if stop > now), default=now) - now
        if all(stop > now for stop in stops.values()):  # nobody is free before
            logits[bool(last) : min(following, closing)] -= self.overlap
        if 0 < following < cursor.end - self.tail - now:
            logits[following + 1 :] -= rest


def ends(cursor: Any) -> dict[Sound, int]:
    """When each part that is composed has ended what it sings; one that has not sung yet is awaited at the beginning.

    That is where those begin that stand beside it, else the first of the composed bars.
    """
    others = coming(cursor, cursor.begin - 1, cursor.end)
    begin = others[0][0] if others else cursor.begin
    found = {sound: cursor.stops.get(sound, begin) for sound in cursor.sounds}
    for (program, part, _), stop in cursor.sounding.items():
        if (program, part) in found:
            found[program, part] = max(found[program, part], stop)
    return found


def entry_of(cursor: Any) -> int | None:
    """When what stands beside the composed bars begins; None where nothing does, or where music stands before."""
    others = coming(cursor, cursor.begin - 1, cursor.end)
    return others[0][0] if others and others[0] is cursor.standing[0] else None


class Habit:
    """What part-writing keeps to in choosing the pitch of a voice, by where the others stand."""

    def weigh(self, logits: np.ndarray, cursor: Any, tick: int, voice: int, moment: Moment) -> None:
        """Take costs off `logits` (128,) of the pitches that `voice` may strike at `tick`, in place."""


def around(costs: np.ndarray, pitch: int) -> np.ndarray:
    """Costs by distance from a pitch, as `DISTANCES` has them, at the 128 pitches."""
    return costs[127 - pitch : 255 - pitch]


def bits_of(moment: Moment, voice: int) -> int:
    """The pitch classes that sound in the other voices, one bit each."""
    found = 0
    for number, pitch in enumerate(moment.now):
        if pitch != SILENCE and number != voice:
            found |= 1 << pitch % OCTAVE
    return found


@dataclass
class PartWriting(Rule):
    """The pitch of a voice, weighed by habits one after the other."""

    voices: Voices
    habits: Sequence[Habit]
    fields: ClassVar[tuple[str, ...]] = ("pitch",)

    def __call__(self, name, logits, stream, chosen) -> None:
        voice, tick = self.voices.of(chosen), stream.cursor.time + chosen["wait"]
        if voice is None:
            return
        moment = self.voices.at(stream.cursor, tick)
        for habit in self.habits:
            habit.weigh(logits, stream.cursor, tick, voice, moment)


@dataclass
class NoParallelVoices(Habit):
    """Two voices do not move together from a fifth to a fifth, or from an octave or unison to one."""

    strength: Mapping[int, float]  # nats by interval in semitones: 7 and 0

    def __post_init__(self) -> None:
        self._cost = {
            interval: np.where(interval == DISTANCES % OCTAVE, cost, 0.0) for interval, cost in self.strength.items()
        }

    def weigh(self, logits, cursor, tick, voice, moment) -> None:
        was = moment.before[voice]
        for other_was, other_is in zip(moment.before, moment.now, strict=True):
            if SILENCE in (was, other_was, other_is) or other_is == other_was:
                continue
            interval = abs(was - other_was) % OCTAVE
            if interval in self._cost:
                stays = logits[was]
                logits -= around(self._cost[interval], other_is)
                logits[was] = stays


@dataclass
class KeepPlaces(Habit):
    """Voices do not cross or meet, nor do upper neighbours stand more than an octave apart.

    A voice that has not chosen yet counts half, where it was: it may still make way.
    """

    crossing: float = 3.0
    spacing: float = 0.0
    unison: float = 0.0

    def weigh(self, logits, cursor, tick, voice, moment) -> None:
        lowest = len(moment.now) - 1
        for other, (was, now) in enumerate(zip(moment.before, moment.now, strict=True)):
            pitch, weight = (was, 0.5) if now == SILENCE else (now, 1.0)
            if other == voice or pitch == SILENCE:
                continue
            if other < voice:
                beyond, far = slice(pitch + 1, None), slice(max(0, pitch - OCTAVE))
            else:
                beyond, far = slice(pitch), slice(pitch + OCTAVE + 1, None)
            logits[beyond] -= weight * self.crossing
            logits[pitch] -= weight * self.unison
            if abs(other - voice) == 1 and lowest not in (other, voice):
                logits[far] -= weight * self.spacing


@dataclass
class SmallSteps(Habit):
    """A voice goes by steps and thirds: each semitone beyond costs `semitone` nats, one beyond an octave `wide`."""

    semitone: float = 0.0
    wide: float = 0.0

    def __post_init__(self) -> None:
        self._cost = self.semitone * np.maximum(0, DISTANCES - THIRD) + self.wide * (DISTANCES > OCTAVE)

    def weigh(self, logits, cursor, tick, voice, moment) -> None:
        if moment.before[voice] != SILENCE:
            logits -= around(self._cost, moment.before[voice])


@dataclass
class FullChords(Habit):
    """A note that leaves fewer than three pitch classes sounding, with no voice to come, costs `strength` nats.

    Twice as much in the last `tail` ticks, where the last chord stands: there the lowest voice will have the `tonic`.
    """

    voices: Voices
    tonic: int = 0
    tail: int = 0
    strength: float = 3.0

    def weigh(self, logits, cursor, tick, voice, moment) -> None:
        others, to_come, weight = bits_of(moment, voice), self.voices.still_to_come(cursor, voice, moment), 1.0
        if tick >= cursor.end - self.tail:
            weight = 2.0
            if to_come and moment.now[-1] == SILENCE:
                others, to_come = others | 1 << self.tonic, to_come - 1
        if TRIAD - to_come - others.bit_count() == 1:  # more no single note can bring
            logits[((BITS & others) > 0)[DEGREES]] -= weight * self.strength


@dataclass
class PlainChords(Habit):
    """What sounds together lies within a triad or seventh chord: else it costs `strength` nats on a beat, half off it.

    The major seventh chord does not count, as a bare semitone would lie within it.
    """

    pulse: int  # ticks of a beat
    strength: float = 3.0

    def weigh(self, logits, cursor, tick, voice, moment) -> None:
        strange = ~WITHIN_A_CHORD[bits_of(moment, voice) | BITS]
        on_beat = (tick - int(cursor.bars[cursor.bar_at(tick)][0])) % self.pulse == 0
        logits[strange[DEGREES]] -= self.strength if on_beat else self.strength / 2


@dataclass
class OneLeadingTone(Habit):
    """A leading tone that another voice has already costs `strength` nats."""

    tonic: int
    strength: float = 1.5

    def weigh(self, logits, cursor, tick, voice, moment) -> None:
        leading = (self.tonic + LEADING_TONE) % OCTAVE
        if bits_of(moment, voice) >> leading & 1:
            logits[leading::OCTAVE] -= self.strength


@dataclass
class Cadence(Rule):
    """For a beat before the last chord the dominant stands, its root lowest; what came before ends there.

    Where a melody that stands already has none of its notes then, the chord is free.
    """

    voices: Voices
    tonic: int
    start: int  # ticks from the last chord to the end
    pulse: int
    strength: float = 8.0
    fields: ClassVar[tuple[str, ...]] = ("pitch", "duration")

    def __call__(self, name, logits, stream, chosen) -> None:
        cursor, tick = stream.cursor, stream.cursor.time + chosen["wait"]
        final = cursor.end - self.start
        before = final - self.pulse
        if tick >= final or (name == "pitch" and tick < before) or not self._fits(cursor, before):
            return
        is_lowest = self.voices.of(chosen) == len(self.voices) - 1
        if name == "duration":
            logits[final - tick :] -= self.strength
            if is_lowest and tick < before and (chosen["pitch"] - self.tonic) % OCTAVE != DOMINANT:
                logits[before - tick :] -= self.strength
            return
        degrees = (PITCHES - self.tonic) % OCTAVE
        if is_lowest:
            logits[degrees != DOMINANT] -= self.strength
        else:
            logits[~np.isin(degrees, OF_THE_DOMINANT)] -= self.strength / 2

    def _fits(self, cursor: Any, tick: int) -> bool:
        """Whether all that stands already then belongs to the dominant."""
        return all((pitch - self.tonic) % OCTAVE in OF_THE_DOMINANT for pitch in beside(cursor, tick))


# --- which of them a style keeps


def percentiles_of(profile: Mapping[str, Any]) -> Callable[[str, int], float | None]:
    """What a percentile (`MEDIAN` ...) of a listening measure is in real pieces of a style, if they have one."""
    measures = profile["measures"]
    return lambda name, index: measures[name][index] if name in measures else None


def has_single_voices(profile: Mapping[str, Any]) -> bool:
    """Whether a style's parts are single voices: three or more, and no more notes together than there are parts."""
    commonest, together = profile["programs"][0][0], percentiles_of(profile)("polyphony", UPPER_QUARTILE)
    return len(commonest) >= FEWEST and together is not None and together <= len(commonest)


def parallels_beyond(measures: Mapping[str, float], profile: Mapping[str, Any]) -> float:
    """Parallel fifths and octaves at a change of chord, beyond those of three of four real pieces; 0 to about 1."""
    if not has_single_voices(profile):
        return 0.0
    percentile = percentiles_of(profile)
    found = (
        measures[name] - (percentile(name, UPPER_QUARTILE) or 0.0)
        for name in ("parallel_fifths", "parallel_octaves")
        if name in measures and name in profile["measures"]
    )
    return sum(max(0.0, one) for one in found) / 100


def voice_rules(
    profile: Mapping[str, Any], voices: Voices, pulse: int, key: tuple[int, str] | None, last: int, *, cadence: bool
) -> list[Rule]:
    """The rules of part-writing that real pieces of a style keep to, by the percentiles of its profile.

    `pulse` is the length of a beat in ticks, `last` how many ticks before the end the last chord is struck (0: the
    piece stays open); `cadence`: the dominant is to come before it, in a style whose pieces close so.
    """
    percentile = percentiles_of(profile)

    def of_half(name: str, otherwise: float = np.inf) -> float:
        """The median of real pieces."""
        value = percentile(name, MEDIAN)
        return otherwise if value is None else value

    def strictly(name: str, strict: float, loose: float) -> float:
        """How much something costs that three of four real pieces, or only half of them, keep from."""
        return strict if percentile(name, UPPER_QUARTILE) == 0 else loose if of_half(name) == 0 else 0.0

    parallels = {FIFTH: strictly("parallel_fifths", 8.0, 4.0), 0: strictly("parallel_octaves", 8.0, 4.0)}
    rest = strictly("missing_voices", 5.0, 2.5)
    habits: list[Habit] = [
        NoParallelVoices({interval: cost for interval, cost in parallels.items() if cost}),
        KeepPlaces(
            crossing=3.0 if of_half("voice_crossing") <= RARELY_CROSSED else 1.0,
            spacing=2.0 if of_half("wide_spacing") <= RARELY_WIDE else 0.0,
            unison=1.0 if of_half("unisons") <= RARELY_UNISON else 0.0,
        ),
        SmallSteps(
            semitone=0.12 if of_half("steps", 0.0) >= MOSTLY_STEPS else 0.0,
            wide=3.0 if (percentile("widest_voice_leap", UPPER_QUARTILE) or np.inf) <= OCTAVE else 0.0,
        ),
    ]
    if of_half("bare") <= RARELY_BARE:
        habits.append(FullChords(voices, key[0] if key else 0, last))
    if rest and of_half("plain_chords", 0.0) >= MOSTLY_PLAIN:
        habits.append(PlainChords(pulse))
    if key:
        habits.append(OneLeadingTone(key[0]))
    rules: list[Rule] = [InTurn(rest=rest, tail=last), PartWriting(voices, habits)]
    if cadence and key and last and of_half("authentic_close", 0.0) == 1:
        rules.append(Cadence(voices, key[0], last, pulse))
    return rules
