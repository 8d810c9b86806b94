"""Moderation: a piece is heard while it is composed, and what it has too much of becomes dearer, too little cheaper.

A model that is nearly right note by note drifts over a piece: a figure that has been played is likelier to be played
again, a line that has kept within a sixth keeps within it. What real pieces of the style do in the middle, their
percentiles in the profile say; the rules here lean against the difference, in nats, as far as it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from typing import Any, ClassVar

import numpy as np

from .encodings.base import Plan
from .rules import HOLD, RECENT, VOICE_PITCH, VOICES, Rule, Stream
from .score import DRUM_PROGRAM, TICKS_PER_BEAT
from .theory import MODES, PROFILES, key_correlations
from .timing import bar_ticks

Sound = tuple[int, int]  # (program, part)
FIRST_HEARD = 6  # intervals of a line that count as typical beforehand, until it has more of its own
RAREST = 0.02  # share below which nothing is asked for
GROWTH = 0.25  # power by which a line's range grows over a piece: after a sixteenth of it there is half the range
LEAP = 4  # semitones beyond its range that a line is invited to
FIGURES = range(1, 9)  # notes of a figure that may go round and round
LONGEST_LOOP = 32  # notes of the top line that are remembered
SPAN = 16  # bars, over which ranges are measured
LOWER_QUARTILE, MEDIAN, UPPER_QUARTILE = 1, 2, 3  # places in a profile's percentiles


class Line:
    """The top line of a piece so far, followed note by note, and the range of everything."""

    def __init__(self) -> None:
        self.read, self.sounding = 0, [(-1, 0)]  # notes heard; (pitch, when it stops)
        self.pitch, self.sound = -1, (-1, -1)  # of the last note of the top line
        self.intervals = self.repeats = self.count = self.sum = 0
        self.latest: list[int] = []  # pitches of the top line
        self.top, self.whole = [128, -1], [128, -1]  # lowest and highest

    def hear(self, notes: list, tick: int) -> Line:
        """Take in the notes that begin before `tick`."""
        while self.read < len(notes) and notes[self.read][0] < tick:
            onset, stop = notes[self.read][0], self.read
            while stop < len(notes) and notes[stop][0] == onset:
                stop += 1
            self._strike(onset, notes[self.read : stop])
            self.read = stop
        return self

    def _strike(self, onset: int, struck: list) -> None:
        self.sounding = [one for one in self.sounding if one[1] > onset]
        self.sounding += [(pitch, onset + duration) for _, duration, pitch, *_ in struck]
        pitches = [one[2] for one in struck]
        highest = max(pitches)
        self.count, self.sum = self.count + len(pitches), self.sum + sum(pitches)
        self.whole = [min(self.whole[0], *pitches), max(self.whole[1], highest)]
        if highest < max(pitch for pitch, _ in self.sounding):
            return
        if self.pitch >= 0:
            self.intervals += 1
            self.repeats += highest == self.pitch
        self.pitch, self.sound = highest, next(one[4:] for one in struck if one[2] == highest)
        self.top = [min(self.top[0], highest), max(self.top[1], highest)]
        self.latest = [*self.latest[-LONGEST_LOOP:], highest]

    def is_covered(self, tick: int) -> bool:
        """Whether something higher than its last note sounds on at `tick`."""
        return any(pitch > self.pitch and stop > tick for pitch, stop in self.sounding)


def line_of(stream: Stream, tick: int) -> Line:
    """The top line of a piece that is being composed, up to `tick`."""
    return stream.memory.setdefault("line", Line()).hear(stream.cursor.notes, tick)


def log_odds(share: float) -> float:
    return log(share / (1 - share))


@dataclass
class SeldomRepeated(Rule):
    """The top line repeats a note no more often than real ones: of its intervals the share `usual`, 0 to 1.

    What a repeated note costs is by how much its log odds so far exceed the usual ones, times `gain`.
    """

    usual: float
    gain: float = 1.5
    fields: ClassVar[tuple[str, ...]] = ("pitch",)

    def __call__(self, name, logits, stream, chosen) -> None:
        tick = stream.cursor.time + chosen["wait"]
        line = line_of(stream, tick)
        if line.pitch < 0 or line.sound != (chosen["program"], chosen["part"]) or line.is_covered(tick):
            return
        usual = min(max(self.usual, RAREST), 1 - RAREST)
        share = (line.repeats + FIRST_HEARD * usual) / (line.intervals + FIRST_HEARD)
        if usual < share < 1:
            logits[line.pitch] -= self.gain * (log_odds(share) - log_odds(usual))


@dataclass
class FewLoops(Rule):
    """A figure of up to eight notes that the top line has played twice, and `usual` notes of it more, costs to go on.

    `strength` nats for the note that it goes on with, and half as much again for every further one.
    """

    usual: int
    strength: float = 1.0
    fields: ClassVar[tuple[str, ...]] = ("pitch",)

    def __call__(self, name, logits, stream, chosen) -> None:
        line = line_of(stream, stream.cursor.time + chosen["wait"])
        if line.sound != (chosen["program"], chosen["part"]):
            return
        latest = line.latest
        for length in FIGURES:
            again = zip(reversed(latest), reversed(latest[:-length]), strict=False)
            run = next((n for n, (one, other) in enumerate(again) if one != other), len(latest) - length)
            if run - length >= self.usual:
                logits[latest[-length]] -= self.strength * (1 + (run - length - self.usual) / 2)
                return


@dataclass
class InRegister(Rule):
    """While the mean pitch so far lies outside `low` to `high`, half of the real pieces', pitches lean back towards it.

    `strength` nats an octave for every semitone that it lies off, up to `most`.
    """

    low: float
    high: float
    strength: float = 0.25
    most: float = 1.0
    fields: ClassVar[tuple[str, ...]] = ("pitch",)

    def __call__(self, name, logits, stream, chosen) -> None:
        line = line_of(stream, stream.cursor.time + chosen["wait"])
        if line.count < FIRST_HEARD:
            return
        mean = line.sum / line.count
        off = min(max(mean, self.low), self.high) - mean
        if off:
            tilt = max(-self.most, min(self.most, self.strength * off))
            logits += tilt * (np.arange(len(logits)) - mean) / 12


@dataclass
class WideEnough(Rule):
    """A line that keeps within less than real ones have by then is invited beyond: `strength` nats a semitone.

    `top` and `whole` are the ranges of the top line and of everything in semitones, over `span` ticks; the top line's
    part, and the highest and the lowest part of all, get up to `most` nats for pitches just beyond.
    """

    top: float
    whole: float
    span: int
    strength: float = 0.15
    most: float = 1.5
    fields: ClassVar[tuple[str, ...]] = ("pitch", "soprano")

    def __call__(self, name, logits, stream, chosen) -> None:
        cursor = stream.cursor
        if name == "soprano":
            struck = stream.memory.setdefault("soprano", [128, -1])
            if stream.steps and (pitch := stream.steps[-1]["soprano"] - VOICE_PITCH) >= 0:
                struck[:] = min(struck[0], pitch), max(struck[1], pitch)
            self._invite(logits[VOICE_PITCH:], struck, self.top, TICKS_PER_BEAT * len(stream.steps) // 4)
            return
        tick = cursor.time + chosen["wait"]
        line = line_of(stream, tick)
        if line.sound == (chosen["program"], chosen["part"]):
            self._invite(logits, line.top, self.top, tick - cursor.begin)
        self._invite(logits, line.whole, self.whole, tick - cursor.begin)

    def _invite(self, logits: np.ndarray, found: list[int], wanted: float, elapsed: int) -> None:
        """Make the pitches just beyond the lowest and highest so far likelier, where they lie too near together."""
        low, high = found
        lack = wanted * min(1.0, max(0, elapsed) / self.span) ** GROWTH - (high - low)
        if high >= 0 and lack > 0:
            bonus = min(self.most, self.strength * lack)
            logits[high + 1 : high + 1 + LEAP] += bonus
            logits[max(0, low - LEAP) : low] += bonus


@dataclass
class FewInARow(Rule):
    """A pitch that a part has struck `usual` times in a row costs `strength` nats, once more twice that, and so on.

    In chords each of their notes counts: a part has struck it in a row if it was in all of its latest chords.
    """

    usual: int
    strength: float = 0.5

    def __call__(self, name, logits, stream, chosen) -> None:
        if name != "pitch":
            struck = [step[name] for step in stream.steps[-RECENT:] if step[name] >= VOICE_PITCH]
            count = next((n for n, one in enumerate(reversed(struck)) if one != struck[-1]), len(struck))
            if count >= self.usual:
                logits[struck[-1]] -= self.strength * (count - self.usual + 1)
            return
        runs = self._runs(stream, stream.cursor.time + chosen["wait"], (chosen["program"], chosen["part"]))
        for pitch, count in runs.items():
            if count >= self.usual:
                logits[pitch] -= self.strength * (count - self.usual + 1)

    def _runs(self, stream: Stream, tick: int, sound: Sound) -> Mapping[int, int]:
        """How often in a row a part has struck each pitch of its last chord before `tick`."""
        memory = stream.memory.setdefault("runs", {"read": 0, "of": {}})
        notes = stream.cursor.notes
        while memory["read"] < len(notes) and notes[memory["read"]][0] < tick:
            onset, _, pitch, _, *its_sound = notes[memory["read"]]
            latest, now, before = memory["of"].get(tuple(its_sound), (-1, {}, {}))
            if latest != onset:
                latest, now, before = onset, {}, now
            now[pitch] = before.get(pitch, 0) + 1
            memory["of"][tuple(its_sound)] = latest, now, before
            memory["read"] += 1
        return memory["of"].get(sound, (-1, {}, {}))[1]


@dataclass
class InItsKey(Rule):
    """While the music so far is heard in another key than its own, what tells the two apart is likelier.

    Each pitch class gains or loses by how much more it weighs in the profile of the one key than of the other (both
    in standard deviations), up to `most` nats, `strength` for every point by which the other key fits better.
    """

    tonic: int
    mode: str
    bar: int  # ticks; before two bars nothing can be said
    strength: float = 8.0
    most: float = 1.5
    ahead: float = 0.02  # by which its own key should fit better than any other
    fields: ClassVar[tuple[str, ...]] = ("pitch",)

    def __post_init__(self) -> None:
        self._own = MODES.index(self.mode) * 12 + self.tonic
        self._apart = (PROFILES[self._own] - PROFILES) * np.sqrt(12)  # (24, 12)

    def __call__(self, name, logits, stream, chosen) -> None:
        if stream.cursor.time - stream.cursor.begin < 2 * self.bar:
            return
        memory = stream.memory.setdefault("key", {"read": 0, "weights": np.zeros(12), "costs": np.zeros(128)})
        notes = stream.cursor.notes
        if memory["read"] < len(notes):
            for _, duration, pitch, _, program, _ in notes[memory["read"] :]:
                memory["weights"][pitch % 12] += duration * (program != DRUM_PROGRAM)
            memory["read"], memory["costs"] = len(notes), self._costs(memory["weights"])
        logits += memory["costs"]

    def _costs(self, weights: np.ndarray) -> np.ndarray:
        """Nats to add to the 128 pitches."""
        if not weights.any():
            return np.zeros(128)
        fit = key_correlations(weights)
        fit[self._own] -= self.ahead
        rival = int(fit.argmax())
        behind = float(fit[rival] - fit[self._own])
        return np.resize(min(self.most, self.strength * behind) * self._apart[rival], 128)


@dataclass
class AsComplexAsAsked(Rule):
    """Plain music is drawn more surely, complex music more boldly: at a temperature from `low` to `high`.

    Told to a model alone, complexity moves what it composes too little: what is unlikely stays as unlikely.
    """

    low: float = 0.8
    high: float = 1.25
    fields: ClassVar[tuple[str, ...]] = ("wait", "pitch")

    def __call__(self, name, logits, stream, chosen) -> None:
        levels = stream.cursor.controls["complexity"]
        bar = stream.cursor.bar_at(stream.cursor.time + chosen.get("wait", 0))
        logits /= self.low + (self.high - self.low) * levels[min(bar, len(levels) - 1)]


@dataclass
class FewClashes(Rule):
    """In four voices by steps, a strike a semitone from another voice costs `strength` nats on a beat, half off it.

    A voice that has not chosen yet may still make way: it counts half.
    """

    pulse: int  # ticks
    strength: float
    fields: ClassVar[tuple[str, ...]] = VOICES

    def __call__(self, name, logits, stream, chosen) -> None:
        standing = stream.cursor.sounding  # pitch + 1, 0 for silence
        cost = self.strength / 2 if stream.cursor.time % self.pulse else self.strength
        for voice in VOICES:
            choice = chosen.get(voice, HOLD)
            pitch = choice - VOICE_PITCH if choice != HOLD else standing[voice] - 1
            if voice != name and pitch >= 0:
                near = np.isin((np.arange(len(logits) - VOICE_PITCH) - pitch) % 12, (1, 11))
                logits[VOICE_PITCH:][near] -= cost if voice in chosen else cost / 2


@dataclass
class CompleteChords(Rule):
    """In four voices by steps, the last voice to choose completes a triad: a strike that leaves it bare costs.

    `strength` nats, where fewer than three pitch classes would sound though all four voices do.
    """

    strength: float
    fields: ClassVar[tuple[str, ...]] = VOICES[-1:]

    def __call__(self, name, logits, stream, chosen) -> None:
        standing = stream.cursor.sounding
        others = {
            voice: choice - VOICE_PITCH if choice != HOLD else standing[voice] - 1 for voice, choice in chosen.items()
        }
        classes = {pitch % 12 for pitch in others.values() if pitch >= 0}
        if min(others.values()) >= 0 and len(classes) == 2:  # with one it cannot be helped, with three it is full
            pitches = np.arange(len(logits) - VOICE_PITCH) % 12
            logits[VOICE_PITCH:][np.isin(pitches, list(classes))] -= self.strength


def moderation(profile: Mapping[str, Any], plan: Plan, percentile: Callable[[str, int], float | None]) -> list[Rule]:
    """What the percentiles of a style's real pieces moderate; nothing in music that stands already."""
    if plan.frame:
        return []
    ranges, bar = profile["ranges"].keys(), bar_ticks(*plan.metre, TICKS_PER_BEAT)
    rules: list[Rule] = []
    top, whole = percentile("top_range", MEDIAN), percentile("pitch_range", MEDIAN)
    if top is not None and whole is not None:
        rules.append(WideEnough(top, whole, SPAN * bar))
    usual, most = percentile("longest_repeat", MEDIAN), percentile("longest_repeat", UPPER_QUARTILE)
    if usual is not None and most is not None and ranges & {"pitch", "soprano"}:
        rules.append(FewInARow(max(1, round(usual)), 3.0 / (most - usual + 1)))
    return [*_note_by_note(plan, percentile, bar), *rules] if "pitch" in ranges else rules


def _note_by_note(plan: Plan, percentile: Callable[[str, int], float | None], bar: int) -> list[Rule]:
    """What is moderated in music note by note; a register not where controls move it."""
    rules: list[Rule] = [AsComplexAsAsked()] if "complexity" in plan.controls else []
    if plan.key:
        rules.append(InItsKey(*plan.key, bar))
    if (repeated := percentile("repeated_pitches", MEDIAN)) is not None:
        rules.append(SeldomRepeated(repeated))
    if (loop := percentile("longest_loop", MEDIAN)) is not None:
        rules.append(FewLoops(round(loop)))
    low, high = percentile("mean_pitch", LOWER_QUARTILE), percentile("mean_pitch", UPPER_QUARTILE)
    if low is not None and high is not None and not plan.controls.keys() & {"valence", "arousal"}:
        rules.append(InRegister(low, high))
    return rules


__all__ = [
    "AsComplexAsAsked",
    "CompleteChords",
    "FewClashes",
    "FewInARow",
    "FewLoops",
    "InItsKey",
    "InRegister",
    "SeldomRepeated",
    "WideEnough",
    "moderation",
]  # fmt: skip
