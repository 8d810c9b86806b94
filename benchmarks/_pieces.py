"""One piece of the benchmark of controls: what is asked of it, and what is found in it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _figures import spearman

import partimento
from partimento import model_file
from partimento.api import express
from partimento.asking import CONTROLS, parse_curve, values_of
from partimento.composing import Candidate
from partimento.describe import Bars, chord_name, describe, level, parse_chords
from partimento.describe.chords import QUALITIES
from partimento.errors import MusicError, PartimentoError
from partimento.instruments import RANGES
from partimento.score import Score
from partimento.theory import CHORD_QUALITIES, IN_KEY, MODES, key_name, key_of
from partimento.timing import Clock, bar_ticks, duration_seconds, pulse_ticks

KINDS = ("key", "metre", "instruments", "chords")  # asked for beside the controls, each in pieces of its own
RISES, FALLS = "rises", "falls"
CURVE_ENDS = (1 / 9, 8 / 9)  # of a control's range: 2 and 9 of 1-10
METRES = ("2/4", "3/4", "4/4", "6/8")
BARS_ASKED = (4, 40)  # in the pieces that ask for a metre too
PROGRAMS = (0, 6, 19, 24, 40, 41, 42, 45, 52, 56, 60, 66, 68, 70, 71, 73)  # one or two of every family
THIRD = 3  # a curve's ends are its first and its last third
DETACHED = 0.9  # of the way to the next note of its part: what ends sooner is heard as detached


@dataclass(frozen=True)
class Task:
    """One piece to compose: its number among those of its style and kind."""

    style: str
    kind: str  # a control, a control that rises or falls, or one of `KINDS`
    number: int
    guidance: float | None = None

    @property
    def control(self) -> str:
        """The control that is asked for, where the kind is one."""
        return self.kind.split()[0]

    @property
    def name(self) -> str:
        strength = "" if self.guidance is None else f" at {self.guidance:g}"
        return f"{self.style}, {self.kind}{strength}, {self.number}"


@dataclass(frozen=True)
class Setting:
    """What all pieces of a run have in common."""

    model: str
    bars: int
    pieces: int  # a control and style
    candidates: int
    seed: int


def tasks(styles: Sequence[str], kinds: Sequence[str], pieces: int, guidance: Sequence[float | None]) -> Iterator[Task]:
    """All pieces, the first of every style and kind first, so that a run that is killed has some of everything."""
    for number in range(pieces):
        for style in styles:
            for kind in kinds:
                if number < count_of(kind, pieces):
                    yield from (Task(style, kind, number, strength) for strength in guidance)


def count_of(kind: str, pieces: int) -> int:
    """Pieces of a kind and style: `pieces` for a control, half of them for the rest."""
    if kind in CONTROLS:
        return pieces
    return max(1, pieces // 2) if kind in KINDS else max(1, pieces // 4)  # curves both rise and fall


def asked(task: Task, setting: Setting) -> dict[str, Any]:
    """What is asked of a piece, as `compose` takes it; the same for the same task."""
    mark = zlib.crc32(f"{task.style} {task.kind}".encode())
    rng = np.random.default_rng([setting.seed, mark, task.number])
    found: dict[str, Any] = {"bars": setting.bars}
    if task.control in CONTROLS:
        low, high = CONTROLS[task.control][1:]
        if task.kind == task.control:  # one value from each of as many equal parts of the range as there are pieces
            order = np.random.default_rng([setting.seed, mark]).permutation(setting.pieces)
            place = (order[task.number] + rng.random()) / setting.pieces
            found[task.control] = round(float(low + (high - low) * place), 3)
        else:
            start, stop = (low + (high - low) * end for end in CURVE_ENDS[:: 1 if task.kind.endswith(RISES) else -1])
            found[task.control] = f"{start:.2f}->{stop:.2f}"
    elif task.kind == "metre":
        found |= {"metre": METRES[int(rng.integers(len(METRES)))], "bars": int(rng.integers(*BARS_ASKED))}
    elif task.kind == "instruments":
        found["instruments"] = _instruments(task.style, setting, rng)
    else:
        key = int(rng.integers(12)), MODES[int(rng.integers(2))]
        found["key"] = key_name(*key)
        if task.kind == "chords":
            found["chords"] = progression(*key, setting.bars, rng)
    return found


def _instruments(style: str, setting: Setting, rng: np.random.Generator) -> list[int]:
    """Instruments of a real piece of the style, or as many others."""
    kinds = profiles(setting.model)[style]["programs"]
    own = kinds[int(rng.integers(len(kinds)))][0]
    return list(own) if rng.random() < 0.5 else [int(one) for one in rng.choice(PROGRAMS, size=len(own))]


def progression(tonic: int, mode: str, bars: int, rng: np.random.Generator) -> str:
    """Triads of a key, one a bar, none twice in a row, from the tonic to its dominant seventh and back."""
    degrees = IN_KEY["major"] if mode == "major" else (0, 2, 3, 5, 7, 8, 10)
    chosen = [0]
    while len(chosen) < bars - 2:
        chosen.append(int(rng.choice([degree for degree in range(7) if degree != chosen[-1]])))
    names = [_triad(tonic, degrees, degree) for degree in chosen]
    home = names[0]
    return " ".join([*names[: bars - 2], _named((tonic + 7) % 12, "7"), home][:bars])


def _triad(tonic: int, degrees: Sequence[int], degree: int) -> str:
    """The triad on a degree of a scale; the dominant of a minor key is major."""
    root, third, fifth = (degrees[(degree + step) % 7] for step in (0, 2, 4))
    shape = (0, (third - root) % 12, (fifth - root) % 12)
    quality = next(name for name in ("maj", "min", "dim", "aug") if CHORD_QUALITIES[name] == shape)
    return _named((tonic + root) % 12, "maj" if root == 7 else quality)


def _named(root: int, quality: str) -> str:
    return chord_name(root * len(QUALITIES) + QUALITIES.index(quality))


# --- what is found


def made(task: Task, setting: Setting) -> dict[str, Any]:
    """Compose the piece of a task; what was asked, and what is found in the best candidate and in any one of them."""
    wishes = asked(task, setting)
    try:
        found = partimento.compose_candidates(
            task.style, model=setting.model, seed=setting.seed + task.number, candidates=setting.candidates,
            guidance=task.guidance, **wishes,
        )  # fmt: skip
        scales = profiles(setting.model)[task.style]["scales"]
        # candidates differ by their seeds alone, so one drawn from them is what a single candidate would be
        other = int(np.random.default_rng([setting.seed, task.number]).integers(len(found)))
        best = facts(found[0], task, wishes, scales)
        return {"asked": wishes, "best": best, "any": facts(found[other], task, wishes, scales) if other else best}
    except PartimentoError as error:
        return {"asked": wishes, "error": f"{type(error).__name__}: {error}"}


def facts(candidate: Candidate, task: Task, wishes: dict[str, Any], scales: dict[str, Any]) -> dict[str, Any]:
    """Everything that is measured of one piece, rounded."""
    score = candidate.score
    found: dict[str, Any] = {
        "length": _bars(score) == wishes["bars"], "typicality": candidate.typicality,
        "in_key": candidate.measures.get("in_key", np.nan),
    }  # fmt: skip
    if task.kind in CONTROLS:
        found |= {"obtained": means(levels(score, scales, played=False)),
                  "played": means(levels(express(score), scales, played=True)), "other": others(candidate)}  # fmt: skip
    elif task.control in CONTROLS:
        found |= followed(score, task.control, wishes[task.control], scales)
    elif task.kind == "key":
        key = key_of(score)
        found["hit"] = key_name(key.tonic, key.mode) == wishes["key"]
    elif task.kind == "metre":
        found["hit"] = {f"{one.numerator}/{one.denominator}" for one in score.metres} == {wishes["metre"]}
        found["first"] = first_is_weightiest(score)
    elif task.kind == "instruments":
        used = [score.tracks[track].program for track in np.unique(score.notes["track"])]
        found["hit"] = sorted(used) == sorted(wishes["instruments"])
        found["reach"] = within_reach(score)
    else:
        found["heard"] = chords_by_bar(score, wishes["bars"])
    return rounded(found)


def levels(score: Score, scales: dict[str, Any], *, played: bool) -> dict[str, np.ndarray]:
    """Every control as measured bar by bar on the style's scale; `played` counts tempo and loudness in."""
    measures = describe(score, played=played).measures
    return {
        name: level(entry, measures[entry], scales[entry])
        for name, (entry, _, _) in CONTROLS.items()
        if entry in scales
    }


def means(values: dict[str, np.ndarray]) -> dict[str, float]:
    return {name: float(value.mean()) for name, value in values.items()}


def followed(score: Score, control: str, curve: str, scales: dict[str, Any]) -> dict[str, float]:
    """Do the bars follow the curve: their rank correlation with it, and how far they go its way from end to end."""
    found = {}
    for name, played in (("", False), ("_played", True)):
        values = levels(express(score) if played else score, scales, played=played)[control]
        values = values[bool(score.upbeat) :]
        line = values_of(parse_curve(curve), len(values))
        part = max(1, len(values) // THIRD)
        gain = float(values[-part:].mean() - values[:part].mean())
        found[f"line{name}"] = spearman(values, line)
        found[f"gain{name}"] = gain if line[-1] > line[0] else -gain
    return found


def others(candidate: Candidate) -> dict[str, float]:
    """Measures that no control was trained or is measured by, as played."""
    played = express(candidate.score)
    seconds = max(1e-9, duration_seconds(played))
    return {
        "tempo": played.end / played.ticks_per_beat / seconds * 60,
        "loudness": float(played.notes["velocity"].mean()),
        "onsets a second": len(np.unique(played.notes["onset"])) / seconds,
        "pitch": float(played.notes["pitch"].mean()),
        "major": float(key_of(played).mode == "major"),
        "pitch classes": len(np.unique(played.notes["pitch"] % 12)),
        "polyphony": candidate.measures.get("polyphony", np.nan),
        "detached": detached(played),
    }


def detached(score: Score) -> float:
    """Share of notes that end before nine tenths of the way to the next onset of their part, 0 to 1."""
    short, count = 0, 0
    for track in np.unique(score.notes["track"]):
        notes = score.track_notes(int(track))
        onsets = np.unique(notes["onset"])
        following = np.searchsorted(onsets, notes["onset"], side="right")
        inside = following < len(onsets)
        gaps = onsets[following[inside]] - notes["onset"][inside]
        short += int((notes["duration"][inside] < DETACHED * gaps).sum())
        count += int(inside.sum())
    return short / max(1, count)


def first_is_weightiest(score: Score) -> bool:
    """Whether the notes struck on first beats last longer, all together, than those on any other beat of the bar."""
    metre = score.metres[0]
    bar = bar_ticks(metre.numerator, metre.denominator, score.ticks_per_beat)
    place = (score.notes["onset"] - score.upbeat) % bar
    pulse = pulse_ticks(metre.numerator, metre.denominator, score.ticks_per_beat)
    struck = place % pulse == 0
    weight = np.bincount(place[struck] // pulse, np.minimum(score.notes["duration"][struck], bar), minlength=1)
    return bool(weight.argmax() == 0)


def within_reach(score: Score) -> float:
    """Share of notes that their instrument can play, 0 to 1."""
    ranges = np.array([RANGES[track.program] for track in score.tracks])[score.notes["track"]]
    return float(((score.notes["pitch"] >= ranges[:, 0]) & (score.notes["pitch"] <= ranges[:, 1])).mean())


def chords_by_bar(score: Score, bars: int) -> list[list[int]]:
    """The chord heard on each beat of each full bar."""
    try:
        described = describe(score)
    except MusicError:  # no pitched note
        return [[] for _ in range(bars)]
    at = Bars(score).beat_bar - bool(score.upbeat)
    return [described.chords[at == bar].tolist() for bar in range(bars)]


def agreement(chords: str, heard: Sequence[Sequence[int]]) -> tuple[int, int, int, int]:
    """Beats; beats on which the root asked for is heard; its triad, perhaps with a seventh; the very chord."""
    found = []
    for (_, wanted), bar in zip(parse_chords(chords), heard, strict=False):
        for chord in bar:
            right = chord >= 0 and chord // len(QUALITIES) == wanted // len(QUALITIES)
            found.append((1, right, right and alike(wanted, chord), chord == wanted))
    beats, roots, triads, exact = np.array(found, dtype=int).reshape(-1, 4).sum(axis=0).tolist()
    return beats, roots, triads, exact


def alike(wanted: int, chord: int) -> bool:
    """Whether two chords of one root are the same but for a seventh that one of them has.

    `describe` hears a beat with some of the beats beside it, which makes a seventh of many a plain triad.
    """
    one, other = (set(CHORD_QUALITIES[QUALITIES[number % len(QUALITIES)]]) for number in (wanted, chord))
    return one <= other or other <= one


def _bars(score: Score) -> int:
    return len(Clock(score).bars) - bool(score.upbeat)


def rounded(value: Any) -> Any:
    """Numbers to four places, and nothing of numpy: what is kept of thousands of pieces."""
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, float | np.floating):
        return round(float(value), 4) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


@cache
def profiles(model: str) -> dict[str, Any]:
    """What each style of a model file is like; read once."""
    return model_file.read_info(model)["styles"]


def styles_of(model: Path) -> list[str]:
    """The styles of a model file whose music it learnt to describe."""
    return [style for style, profile in profiles(str(model)).items() if profile.get("scales")]
