"""Words for what sounds together, and encodings whose vocabulary is learnt from the training music.

A word that the vocabulary lacks is -1 in a table of steps, as what stands before the music is: no class is spent on
it, nothing learns to predict it, it is never chosen, and it is silence where it is decoded.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..errors import BadOption, MusicError
from ..score import TICKS_PER_BEAT, Score
from ..theory import ACCIDENTALS, STEP_PITCH_CLASS
from ..transform import transpose
from . import _gaps as gaps
from . import _given as given_fields
from .base import Encoding

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")  # as music21 spells MIDI pitches
MOST_WORDS = 32_000  # of one field; a class must fit the cache's int16
LARGEST_REACH = 24
REST = "rest"
MIDDLE_C = 60
OCTAVE = 12
Counts = Mapping[str, Mapping[str, int]]  # field -> word -> how often


def pitch_name(pitch: int) -> str:
    """ "Bb3" of 58: the name of a MIDI pitch, C4 being 60."""
    return f"{NAMES[pitch % OCTAVE]}{pitch // OCTAVE - 1}"


def named_pitch(name: str) -> int:
    """58 of "Bb3"; raises `BadOption` for what is no name of a pitch."""
    match = re.fullmatch(r"([A-G])(#|b|)(-1|\d)", name)
    if not match:
        raise BadOption(f"no pitch {name!r}; wanted a letter, # or b or neither, and an octave, like Bb3")
    letter, accidental, octave = match.groups()
    return STEP_PITCH_CLASS[letter] + ACCIDENTALS[accidental] + OCTAVE * (int(octave) + 1)


def normal_order(pitches: Iterable[int]) -> tuple[int, ...]:
    """The pitch classes of `pitches` in normal order: packed into the least span, then closest to the first.

    Forte (1973, "The Structure of Atonal Music"); of equal orders of a symmetrical chord the one from the lowest
    pitch class. The same as music21's `Chord.normalOrder` for all 4,095 sets of pitch classes.
    """
    classes = sorted({pitch % OCTAVE for pitch in pitches})
    steps = [[(one - first) % OCTAVE for one in classes[n:] + classes[:n]] for n, first in enumerate(classes)]
    _, best, first = min((order[-1], order, first) for order, first in zip(steps, classes, strict=True))
    return tuple((first + step) % OCTAVE for step in best)


class Spelling(NamedTuple):
    """How notes that are struck together are written as a word, and what a word sounds as: MIDI pitches, sorted."""

    write: Callable[[Iterable[int]], str]
    read: Callable[[str], tuple[int, ...]]


def _write_full(pitches: Iterable[int]) -> str:
    return ".".join(map(pitch_name, sorted(set(pitches)))) or REST


def _read_full(word: str) -> tuple[int, ...]:
    return () if word == REST else tuple(sorted(map(named_pitch, word.split("."))))


def _write_short(pitches: Iterable[int]) -> str:
    struck = tuple(pitches)
    if len(struck) == 1:
        return pitch_name(struck[0]).replace("b", "-")
    return ".".join(map(str, normal_order(struck)))


def _read_short(word: str) -> tuple[int, ...]:
    if not word.replace(".", "").isdigit():
        return (named_pitch(re.sub(r"(?<=[A-G])-(?=.)", "b", word) if word[0] in "BE" else word),)
    classes = [int(one) for one in word.split(".")]
    first = MIDDLE_C + (classes[0] if classes[0] <= OCTAVE // 2 else classes[0] - OCTAVE)
    if len(classes) == 1:
        return first, first + OCTAVE
    return tuple(first + (one - classes[0]) % OCTAVE for one in classes)


FULL = Spelling(_write_full, _read_full)  # "C4.E4.G4", "Bb3", "rest"
SHORT = Spelling(_write_short, _read_short)  # "B-3" a note; "10.2.5" the pitch classes of a chord, read near middle C


class Vocabulary:
    """The words that a field has classes for, each once, in the order of their classes."""

    def __init__(self, words: Sequence[str], spelling: Spelling):
        self.words, self.spelling = tuple(words), spelling
        self.classes = {word: number for number, word in enumerate(self.words)}
        self._moved: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.words)

    def class_of(self, pitches: Iterable[int]) -> int:
        """The class of what sounds together; -1 where the vocabulary lacks it."""
        return self.classes.get(self.spelling.write(pitches), -1)

    @cached_property
    def pitches(self) -> tuple[tuple[int, ...], ...]:
        """The MIDI pitches that each word sounds."""
        return tuple(map(self.spelling.read, self.words))

    @cached_property
    def sounds(self) -> np.ndarray:
        """Which pitches each word sounds, (words, 128) bool."""
        found = np.zeros((len(self), 128), dtype=bool)
        for number, pitches in enumerate(self.pitches):
            found[number, list(pitches)] = True
        return found

    def moved(self, semitones: int) -> np.ndarray:
        """The class of each word `semitones` higher, (words,); -1 where it leaves the vocabulary."""
        if semitones not in self._moved:
            shifted = [tuple(pitch + semitones for pitch in pitches) for pitches in self.pitches]
            known = [self.class_of(one) if all(0 <= p < 128 for p in one) else -1 for one in shifted]
            self._moved[semitones] = np.array(known, dtype=np.int64)
        return self._moved[semitones]

    def transposed(self, column: np.ndarray, semitones: int) -> np.ndarray:
        """A column of classes of the same music `semitones` higher; what is unknown stays or becomes -1."""
        return np.where(column >= 0, self.moved(semitones)[np.maximum(column, 0)], column)

    def limits(self, column: np.ndarray, reach: int) -> tuple[int, int]:
        """Lowest and highest transposition up to `reach` in which, and before which, no word is lost."""
        used = np.unique(column[column >= 0])

        def furthest(way: int) -> int:
            fits = (n for n in range(1, reach + 1) if (self.moved(way * n)[used] < 0).any())
            return way * (next(fits, reach + 1) - 1)

        return furthest(-1), furthest(1)


def learnt_words(counts: Iterable[Counts], field: str) -> list[str]:
    """The words of a field in all pieces, sorted; of too many the commonest."""
    total: Counter[str] = Counter()
    for piece in counts:
        total.update(piece.get(field, {}))
    commonest = sorted(total, key=lambda word: (-total[word], word))[:MOST_WORDS]
    return sorted(commonest)


def counted(score: Score, reach: int, words: Callable[[Score], Counts]) -> dict[str, dict[str, int]]:
    """What `words` counts in a score and in its transpositions up to `reach` semitones that MIDI pitches allow."""
    low, high = int(score.notes["pitch"].min()), int(score.notes["pitch"].max())
    found: dict[str, Counter[str]] = {}
    for semitones in range(max(-reach, -low), min(reach, 127 - high) + 1):
        for field, count in words(transpose(score, semitones) if semitones else score).items():
            found.setdefault(field, Counter()).update(count)
    return {field: dict(count) for field, count in found.items()}


class Worded(Encoding):
    """An encoding whose field `worded` has a vocabulary of words.

    `words` is that vocabulary; without it the encoding knows single notes and has its words still to learn. `reach`
    is how many semitones up and down the vocabulary follows each piece, so that training may transpose it.
    """

    worded: ClassVar[str] = ""

    def __init__(
        self, styles: Sequence[str], words: Sequence[str], reach: int, spelling: Spelling, others: Sequence[str] = ()
    ):
        if not 0 <= reach <= LARGEST_REACH:
            raise BadOption(f"reach {reach} is out of range; wanted 0 to {LARGEST_REACH} semitones")
        if len(words) > MOST_WORDS or len(set(words)) < len(words):
            raise BadOption(f"{len(words)} words, {len(set(words))} different; wanted at most {MOST_WORDS}, each once")
        self.styles, self.reach, self._words = tuple(styles), reach, tuple(words)
        single = {*others, *(spelling.write([pitch]) for pitch in range(128))}
        self.vocabulary = Vocabulary(self._words or sorted(single), spelling)

    @property
    def learns(self) -> bool:
        return not self._words

    def spec(self) -> dict[str, Any]:
        return super().spec() | {"reach": self.reach, "words": list(self._words)}

    def words_of(self, score: Score) -> dict[str, dict[str, int]]:
        return counted(self.heard(score), self.reach, self.counts)

    def counts(self, score: Score) -> Counts:
        """How often each word of each field stands in what is heard of a score."""
        raise MusicError(f"encoding {self.name!r} must count its words")

    def with_options(self, **changes: Any) -> Worded:
        """The encoding built with other options."""
        options = {name: value for name, value in self.spec().items() if name != "name"}
        return type(self)(**(options | changes))

    def learnt(self, counts: Iterable[Counts]) -> Worded:
        return self.with_options(words=learnt_words(counts, self.worded))

    def bar_numbers(self, rows: np.ndarray, times: np.ndarray) -> np.ndarray:
        if "place" in self.columns:
            return gaps.bar_numbers(self.columns, rows, times.astype(np.int64))
        since = times.astype(np.int64) - int(times[0])
        return since // (4 * TICKS_PER_BEAT)  # nothing says where bars begin; they are taken for 4/4

    def transpose(self, steps: np.ndarray, semitones: int) -> np.ndarray:
        """Steps of the same music `semitones` higher; words that leave the vocabulary become -1."""
        moved, columns = steps.copy(), self.columns
        moved[..., columns[self.worded]] = self.vocabulary.transposed(moved[..., columns[self.worded]], semitones)
        if "key" in columns:
            moved[..., columns["key"]] = given_fields.moved_keys(moved[..., columns["key"]], semitones)
        return moved

    def transpositions(self, steps: np.ndarray, reach: int = 6) -> tuple[int, int]:
        """Lowest and highest transposition up to `reach` up to which every word stays in the vocabulary."""
        return self.vocabulary.limits(steps[:, self.columns[self.worded]], reach)
