"""Which music of a folder is learnt, and how it is brought to one key or register before.

The predicates are asked file by file before twins are looked for: an arrangement that is not wanted never takes the
place of one that is. The changes are made as a file is encoded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..encodings import Encoding
from ..errors import BadOption
from ..instruments import NAMES, find_program, instrument_name
from ..score import Key, Score
from ..theory import ACCIDENTALS, STEP_PITCH_CLASS, key_name, parse_key, pitched
from ..transform import home_key, to_key, without_overlaps

OCTAVE = 12
REACH = 6  # semitones, up or down, that music is transposed in training
PLAYED = (*range(80), *range(104, 112))  # programs that a word may mean: no synthesiser ("choir pad"), no noise
BETWEEN = re.compile(r"[,;&+:/()]|\band\b|\bwith\b|\bor\b")  # what stands between the instruments of a manifest


@dataclass(frozen=True)
class Choice:
    """What is wanted of the files found, and how it is changed; the default takes all of it as it is.

    `instrument`: a General MIDI name, a part of one ("guitar": any) or a program. `key`: "C major". `composer`: a
    name. `to_key`: everything transposed to the signature of this key, minor music to its relative minor. `fold`:
    lowest and highest MIDI pitch, an octave or more apart; notes outside are moved by octaves. `octaves`: in
    training each window is also moved by an octave. `all_keys`: in training also music chosen by key, or moved to
    one, is transposed at random, as all other is. Raises `BadOption` or `UnknownName` for what is none of that.
    """

    instrument: str = ""
    key: str = ""
    composer: str = ""
    to_key: str = ""
    fold: tuple[int, int] | None = None
    all_keys: bool = False
    octaves: bool = False

    def __post_init__(self) -> None:
        if self.instrument:
            programs_of(self.instrument)
        for name in filter(None, (self.key, self.to_key)):
            parse_key(name)
        if self.fold is not None:
            low, high = self.fold
            if not 0 <= low <= high - OCTAVE + 1 <= 128 - OCTAVE:
                raise BadOption(f"octaves {low}:{high} are out of range; wanted pitches of 0 to 127, 11 or more apart")
            object.__setattr__(self, "fold", (int(low), int(high)))  # JSON has made a list of it

    @property
    def keeps_keys(self) -> bool:
        """Whether training leaves the music in the key that it has."""
        return bool(self.key or self.to_key) and not self.all_keys

    @property
    def changes(self) -> dict[str, Any]:
        """What the steps of a piece depend on."""
        return {
            "to_key": self.to_key, "fold": self.fold, "keeps_keys": self.keeps_keys, "octaves": self.octaves,
        }  # fmt: skip

    def unread(self, about: Mapping[str, str], name: str) -> tuple[str, str]:
        """Why a file is refused by what its manifest says (`about`), else its name; ("", "") where it is not."""
        composer = about.get("composer", "")
        if self.composer and not names(self.composer, composer or name):
            return "another composer", f"it is by {composer}" if composer else f"nothing names {self.composer}"
        return "", ""

    def refusal(self, score: Score, about: Mapping[str, str]) -> tuple[str, str]:
        """Why a score is refused, as a label and a sentence; two empty strings where it is not."""
        if self.instrument and not _plays(score, about.get("instruments", ""), programs_of(self.instrument)):
            programs = {score.tracks[int(n)].program for n in np.unique(score.notes["track"])}
            who = about.get("instruments") or ", ".join(map(instrument_name, sorted(programs)))
            return "another instrument", f"it is for {who}"
        if self.key:
            wanted, found = parse_key(self.key), home_key(score)
            if (wanted.tonic, wanted.mode) != (found.tonic, found.mode):
                return "another key", f"it is in {key_name(found.tonic, found.mode)}"
        return "", ""

    def changed(self, score: Score) -> Score:
        """The score in the key and register that are wanted."""
        if self.to_key:
            score = to_signature(score, parse_key(self.to_key))
        return folded(score, *self.fold) if self.fold else score

    def transpositions(self, encoding: Encoding, steps: np.ndarray, score: Score) -> tuple[int, int, int]:
        """Lowest and highest transposition of a piece in training, and the semitones from one to the next.

        All lie within the instruments' ranges, and within `fold`.
        """
        reach = (0 if self.keeps_keys else REACH) + OCTAVE * self.octaves
        if not reach:
            return 0, 0, 1
        low, high = encoding.transpositions(steps, reach) if self.octaves else encoding.transpositions(steps)
        pitch = pitched(score)["pitch"].astype(int)
        if self.fold and len(pitch):
            low, high = max(low, self.fold[0] - int(pitch.min())), min(high, self.fold[1] - int(pitch.max()))
        if self.keeps_keys:  # by whole octaves
            return -(-low // OCTAVE) * OCTAVE, high // OCTAVE * OCTAVE, OCTAVE
        return int(low), int(high), 1


EVERYTHING = Choice()


# --- who and by whom


def names(name: str, text: str) -> bool:
    """Whether a text names a person: "Giuliani" is in "GiulianiM" and "op1_giuliani.mid", "Bach" not in "Bachmann"."""
    wanted, said = (_plain(one) for one in (name, text))
    return re.search(rf"(?<![A-Za-z])(?i:{re.escape(wanted)})(?![a-z])", said) is not None


def _plain(text: str) -> str:
    """Letters without their accents: not everybody types "Dvořák"."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))


def programs_of(text: str) -> frozenset[int]:
    """The programs (0-127) that a name stands for: "guitar" for each guitar; raises `UnknownName` where for none."""
    wanted = text.strip().lower()
    if not wanted.isdecimal() and wanted not in map(str.lower, NAMES) and (words := _words(wanted)):
        found = frozenset(program for program in PLAYED if words <= _words(NAMES[program]))
        if found:
            return found
    return frozenset([find_program(text)])


def _words(text: str) -> frozenset[str]:
    """The words of a name in the singular."""
    return frozenset(word.removesuffix("s") for word in re.findall(r"[a-z]+", text.lower()))


def _plays(score: Score, said: str, wanted: frozenset[int]) -> bool:
    """Whether a piece is for one of the programs alone, by its manifest where that is clear, else by its tracks.

    A manifest goes first since many files leave every track at program 0, the piano. It is not clear where it names
    others too: "Harpsichord, Piano" is either or both.
    """
    named = [programs for part in BETWEEN.split(said.lower()) if (programs := _programs_in(part))]
    if named and all(programs <= wanted for programs in named):
        return True
    if named and not any(programs & wanted for programs in named):
        return False
    return {score.tracks[int(n)].program for n in np.unique(score.notes["track"])} <= wanted


def _programs_in(part: str) -> frozenset[int]:
    """The programs that share a word with "2 classical guitars"."""
    words = _words(part)
    return frozenset(program for program in PLAYED if words & _words(NAMES[program]))


# --- key and register


def to_signature(score: Score, key: Key) -> Score:
    """The score transposed the shorter way to the signature of `key`: C major takes major to C and minor to A minor."""
    tonic = key.tonic if key.mode == "major" else key.tonic + 3
    home = home_key(score)
    return to_key(score, Key(0, (tonic if home.mode == "major" else tonic + 9) % OCTAVE, home.mode))


def folded(score: Score, low: int, high: int) -> Score:
    """The score with every pitched note in `low` to `high`, an octave or more apart, those outside moved by octaves."""
    notes = score.notes.copy()
    drums = [n for n, track in enumerate(score.tracks) if track.is_drums]
    pitch = notes["pitch"].astype(int)
    octaves = np.maximum(0, -((pitch - low) // OCTAVE)) - np.maximum(0, -((high - pitch) // OCTAVE))
    moves = np.where(np.isin(notes["track"], drums), 0, octaves)
    if not moves.any():
        return score
    notes["pitch"] = pitch + OCTAVE * moves
    return score.with_notes(without_overlaps(notes))  # two notes may have come to be one


def parse_span(text: str) -> tuple[int, int]:
    """ "E2:E5" or "40:76" as two MIDI pitches; raises `BadOption` for anything else."""
    low, _, high = text.partition(":")
    try:
        return _pitch(low), _pitch(high)
    except ValueError as error:
        raise BadOption(f"{text!r} is not LOW:HIGH; write two notes or MIDI pitches, like E2:E5 or 40:76") from error


def _pitch(text: str) -> int:
    """ "C4" or "60" as a MIDI pitch, 60; raises `ValueError`."""
    text = text.strip()
    if text.isdecimal():
        return int(text)
    match = re.fullmatch(r"([A-G])(##|bb|#|b|♯|♭)?(-1|\d)", text[:1].upper() + text[1:])
    if not match:
        raise ValueError(f"no pitch {text!r}")
    letter, accidental, octave = match.groups()
    return STEP_PITCH_CLASS[letter] + ACCIDENTALS[accidental or ""] + OCTAVE * (int(octave) + 1)
