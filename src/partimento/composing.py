"""Composing with a loaded model: from what is asked, through the sampling loop, to ranked scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .encodings.base import Plan
from .errors import BadOption
from .evaluation.listening import listen, typicality
from .model_file import Model
from .profile import SPAN
from .rules import FinalChord, InKey, InRange, NoParallels, NoStutter, Rule, SurePitches
from .sampling import Sampling, sample
from .score import DRUM_PROGRAM, TICKS_PER_BEAT, Score, Tempo
from .theory import MODES, key_of
from .timing import bar_ticks, duration_seconds, pulse_ticks

MOST_BARS = 2000
TEMPO_RANGE = (10.0, 400.0)
LONGEST = 3 * 3600.0  # seconds
LOWER_QUARTILE, UPPER_QUARTILE, LAST = 1, 3, 4  # places in a profile's percentiles: 25, 75, 99


@dataclass(frozen=True)
class Request:
    """What is asked of a piece; `None` leaves it to the style."""

    style: str = ""
    bars: int | None = None
    seconds: float | None = None
    key: tuple[int, str] | None = None
    tempo: float | None = None
    metre: tuple[int, int] | None = None
    programs: tuple[int, ...] = ()  # what plays the parts, in order; those left over keep the style's
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)
    candidates: int = 4


@dataclass(frozen=True)
class Candidate:
    """A composed piece: are its notes in the key asked for, does it close on the tonic, how typical is it (0-1)."""

    score: Score
    in_key: bool
    closes: bool
    typicality: float
    measures: dict[str, float]


def check(request: Request) -> None:
    """Raise `BadOption` where a number is out of range or two options contradict each other."""
    if request.bars is not None and request.seconds is not None:
        raise BadOption("bars and seconds are both given; the length can be one of them")
    limits = (
        ("bars", request.bars, 1, MOST_BARS),
        ("seconds", request.seconds, 1, LONGEST),
        ("tempo", request.tempo, *TEMPO_RANGE),
        ("candidates", request.candidates, 1, 256),
        ("seed", request.seed, 0, 2**63 - 1),
    )
    if request.key is not None and (request.key[1] not in MODES or request.key[0] not in range(12)):
        raise BadOption(f"no key {request.key!r}; wanted a pitch class 0-11 and one of {', '.join(MODES)}")
    for program in request.programs:
        if program not in range(DRUM_PROGRAM):
            raise BadOption(f"no program {program!r}; General MIDI has 0 to {DRUM_PROGRAM - 1}")
    for name, value, low, high in limits:
        if value is not None and not low <= value <= high:
            raise BadOption(f"{name} {value:g} is out of range; wanted {low:g} to {high:g}")


def plan_for(profile: Mapping[str, Any], request: Request, rng: np.random.Generator) -> Plan:
    """What is asked, completed by draws from the style's own habits."""
    metre, upbeat, tempo = _metre(profile, request, rng)
    key = request.key
    if key is None:
        tonic, mode = _drawn(profile["keys"], rng)
        key = (tonic, mode)
    bars = request.bars or 16
    if request.seconds is not None:
        bars, tempo = _fitted(request.seconds, metre, upbeat, tempo, request.tempo is None)
    programs = tuple(_drawn(profile["programs"], rng))
    return Plan(bars, request.style, key, metre, tempo, programs, {}, upbeat)


def _metre(profile, request: Request, rng) -> tuple[tuple[int, int], int, float]:
    """Metre, upbeat in ticks and tempo: of a real piece of the style in the metre asked for, if there is one."""
    kinds = profile["metres"]
    if request.metre:
        alike = [kind for kind in kinds if tuple(kind[0][:2]) == tuple(request.metre)]
        kinds = alike or [[[*request.metre, 0, 120], 1]]
    numerator, denominator, upbeat, tempo = _drawn(kinds, rng)
    return (numerator, denominator), upbeat, float(request.tempo or tempo)


def _fitted(seconds: float, metre: tuple[int, int], upbeat: int, tempo: float, free: bool) -> tuple[int, float]:
    """Bars that come nearest to `seconds`, and the tempo (if it is `free`) at which they last exactly so long."""
    beats_a_bar = metre[0] * 4 / metre[1]
    seconds_a_bar = beats_a_bar * 60 / tempo
    bars = max(1, round((seconds - upbeat / 24 * 60 / tempo) / seconds_a_bar))
    if bars > MOST_BARS:
        raise BadOption(f"{seconds:g} seconds are {bars} bars at {tempo:g} beats a minute; {MOST_BARS} at most")
    return bars, (bars * beats_a_bar + upbeat / 24) * 60 / seconds if free else tempo


def _drawn(shares: Sequence, rng: np.random.Generator):
    chances = np.array([share for _, share in shares])
    return shares[int(rng.choice(len(shares), p=chances / chances.sum()))][0]


def rules_for(profile: Mapping[str, Any], plan: Plan) -> list[Rule]:
    """The rules of a style: its ranges and key, and what its real pieces keep to, by the percentiles of its profile."""
    measures = profile["measures"]

    def percentile(name: str, index: int) -> float | None:
        return measures[name][index] if name in measures else None

    upper, most = percentile("longest_repeat", UPPER_QUARTILE) or 3.0, percentile("longest_repeat", LAST) or 4.0
    ranges = {name: tuple(value) for name, value in profile["ranges"].items()}
    rules: list[Rule] = [InRange(ranges), NoStutter(1 if upper <= 1 else max(2, int(most)))]
    if "soprano" in ranges:
        rules.append(SurePitches())
    if percentile("parallel_fifths", UPPER_QUARTILE) == 0:
        rules.append(NoParallels())
    if plan.key:
        rules.append(InKey(*plan.key, strength=0.5))
        if "soprano" in ranges and percentile("final_is_tonic", LOWER_QUARTILE) == 1:
            pulse = pulse_ticks(*plan.metre, TICKS_PER_BEAT)
            half = bar_ticks(*plan.metre, TICKS_PER_BEAT) // 2
            rules.append(FinalChord(*plan.key, start=max(1, half // pulse) * pulse, pulse=pulse))
    return rules


def compose(model: Model, request: Request) -> list[Candidate]:
    """Compose `request.candidates` pieces side by side.

    First come those that are in the key asked for and close on its tonic, among them the most typical of the style.

    Raises `BadOption` for what cannot be asked, `UnknownName` for a style that the model has not learnt.
    """
    check(request)
    profile = model.info["styles"][request.style]
    seeds = np.random.SeedSequence(request.seed).spawn(request.candidates + 1)
    plan = plan_for(profile, request, np.random.default_rng(seeds[0]))
    cursors = [model.encoding.cursor(plan) for _ in range(request.candidates)]
    rows: list[list[np.ndarray]] = [[] for _ in cursors]
    rngs = [np.random.default_rng(seed) for seed in seeds[1:]]
    for n, row in sample(model, cursors, request.sampling, rngs, rules_for(profile, plan)):
        rows[n].append(row)
    found = [_candidate(model, plan, np.array(steps), request) for steps in rows]
    return sorted(found, key=lambda one: (-one.in_key - one.closes, -one.typicality))


def _candidate(model: Model, plan: Plan, steps: np.ndarray, request: Request) -> Candidate:
    score = model.encoding.decode(steps, plan)
    tempo = plan.tempo
    if request.seconds is not None and request.tempo is None:  # the last note may end before its bar does
        tempo *= duration_seconds(score) / request.seconds
    score = played_by(replace(score, tempos=(Tempo(0, tempo),)), request.programs)
    measures = listen(score, span=SPAN)
    found = key_of(score)
    reference = model.info["styles"][request.style]["measures"]
    in_key, closes = (found.tonic, found.mode) == plan.key, measures.get("final_is_tonic") == 1
    return Candidate(score, in_key, closes, typicality(measures, reference), measures)


def played_by(score: Score, programs: Sequence[int]) -> Score:
    """The score with its tracks given to other instruments, in order; tracks beyond the list stay."""
    if len(programs) > len(score.tracks):
        raise BadOption(f"{len(programs)} instruments are asked for, and the piece has {len(score.tracks)} part(s)")
    given = [replace(track, program=program) for track, program in zip(score.tracks, programs, strict=False)]
    return replace(score, tracks=(*given, *score.tracks[len(given) :]))
