"""What a musician asks for, checked and completed: from wishes to the plan that a piece is composed after."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import outlines
from .describe.chords import TEMPLATES
from .encodings._given import CHORD_KINDS
from .encodings.base import Plan
from .errors import BadOption
from .expression import excitement_tempo
from .sampling import Sampling
from .score import DRUM_PROGRAM, TICKS_PER_BEAT
from .theory import MODES, key_correlations
from .timing import bar_ticks

MOST_BARS = 2000
TEMPO_RANGE = (10.0, 400.0)
LONGEST = 3 * 3600.0  # seconds
LAST_BAR = -1  # as the bar of a curve's point: the last one
CONTROLS = {  # as they are asked for -> as models know them, and their range
    "happiness": ("valence", 1.0, 10.0), "excitement": ("arousal", 1.0, 10.0),
    "complexity": ("complexity", 0.0, 1.0), "density": ("density", 0.0, 1.0),
}  # fmt: skip
CHOICES = 8  # outlines that are drawn where the mood is to choose among them
COMMON = 0.4  # of the share of a style's commonest instruments: rarer ones play only when they are asked for
MODE_STRENGTH = 0.8  # nats by which a step of happiness makes major likelier
FEWEST_COPIED, MOST_COPIED = 8, 1000  # notes: with fewer there is hardly any music left to compose
FEWEST_BARS_OF_FORM = 12  # shorter pieces need no plan of what returns

Curve = float | tuple[tuple[float, float], ...]  # a number, or points (bar from 1, value); bar -1 is the last


@dataclass(frozen=True)
class Request:
    """What is asked of a piece; `None` leaves it to the style."""

    style: str = ""
    bars: int | None = None
    seconds: float | None = None
    sixteenths: int | None = None
    key: tuple[int, str] | None = None
    tempo: float | None = None
    metre: tuple[int, int] | None = None
    programs: tuple[int, ...] = ()  # what plays the parts, in order; those left over keep the style's
    happiness: Curve | None = None  # 1-10
    excitement: Curve | None = None  # 1-10
    complexity: Curve | None = None  # 0-1
    density: Curve | None = None  # 0-1
    axes: Mapping[str, float] = field(default_factory=dict)  # of the model's own making, in their own units
    mix: tuple[tuple[str, float], ...] = ()  # (style, weight): the piece stands between them
    chords: tuple[tuple[float, int], ...] = ()  # (bar from 1, chord): from there on
    ending: bool = True
    form: bool = True  # let bars return as they do in a piece of the style
    guidance: float | None = None  # how strongly controls are heard; 0: as learnt
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)
    candidates: int = 4
    max_copy: int | None = None  # notes in a row that may stand in the training music; 0: any, None: as is usual


def parse_curve(text: str) -> Curve:
    """ "5" as a number, "2->9" as a line over the piece, "1:2,8:9" as points over the bars."""
    try:
        if "->" in text:
            start, stop = text.split("->")
            return ((1.0, float(start)), (float(LAST_BAR), float(stop)))
        if ":" in text:
            points = tuple(tuple(map(float, point.split(":"))) for point in text.split(","))
            if any(len(point) != 2 or point[0] < 1 for point in points) or list(points) != sorted(points):
                raise ValueError
            return points  # type: ignore[return-value]
        return float(text)
    except ValueError as error:
        raise BadOption(f"no curve {text!r}; write a number, 2->9, or points over the bars like 1:2,8:9") from error


def values_of(curve: Curve, bars: int) -> np.ndarray:
    """A curve at each of `bars` bars, straight between its points, (bars,)."""
    if isinstance(curve, int | float):
        return np.full(bars, float(curve))
    at = [bars if bar == LAST_BAR else min(bar, bars) for bar, _ in curve]
    return np.interp(np.arange(1, bars + 1), at, [value for _, value in curve])


def check(request: Request) -> None:
    """Raise `BadOption` where a number is out of range or two options contradict each other."""
    if sum(length is not None for length in (request.bars, request.seconds, request.sixteenths)) > 1:
        raise BadOption("bars, seconds and sixteenths are alternatives; give one of them")
    if request.key is not None and (request.key[1] not in MODES or request.key[0] not in range(12)):
        raise BadOption(f"no key {request.key!r}; wanted a pitch class 0-11 and one of {', '.join(MODES)}")
    for program in request.programs:
        if program not in range(DRUM_PROGRAM + 1):
            raise BadOption(
                f"no program {program!r}; General MIDI has 0 to {DRUM_PROGRAM - 1}, {DRUM_PROGRAM} is drums"
            )
    for name, value, low, high in _limits(request):
        if value is not None and not low <= value <= high:
            more = ", or 0 for any number" * (name == "max_copy")
            raise BadOption(f"{name} {value:g} is out of range; wanted {low:g} to {high:g}{more}")


def _limits(request: Request):
    yield from (
        ("bars", request.bars, 1, MOST_BARS),
        ("seconds", request.seconds, 1, LONGEST),
        ("sixteenths", request.sixteenths, 1, MOST_BARS * 16),
        ("tempo", request.tempo, *TEMPO_RANGE),
        ("guidance", request.guidance, 0, 10),
        ("candidates", request.candidates, 1, 256),
        ("seed", request.seed, 0, 2**63 - 1),
        ("max_copy", request.max_copy or None, FEWEST_COPIED, MOST_COPIED),
    )
    for name, (_, low, high) in CONTROLS.items():
        curve = getattr(request, name)
        values = [] if curve is None else [curve] if isinstance(curve, int | float) else [v for _, v in curve]
        yield from ((name, value, low, high) for value in values)


def plan_for(profile: Mapping[str, Any], request: Request, rng: np.random.Generator) -> Plan:
    """What is asked, completed by draws from the style's own habits."""
    metre, upbeat, tempo = _metre(profile, request, rng)
    key = request.key or _key(profile, request, rng)
    bars = request.bars or 16
    if request.excitement is not None and request.tempo is None:
        tempo = excitement_tempo(tempo, float(values_of(request.excitement, bars).mean()))
    if request.seconds is not None:
        bars, tempo = _fitted(request.seconds, metre, upbeat, tempo, request.tempo is None)
    if request.sixteenths is not None:
        bars, upbeat = -(-request.sixteenths * 6 // bar_ticks(*metre, TICKS_PER_BEAT)), 0
    programs = _programs(profile, request, rng)
    count = bars + bool(upbeat % bar_ticks(*metre, TICKS_PER_BEAT))
    form, harmony = _outline(profile, request, count, metre, key, rng)
    return Plan(
        bars, request.style, key, metre, tempo, programs, controls_for(profile, request, bars, bool(upbeat)), upbeat,
        chords=_chords(request, metre, upbeat) or harmony, form=form, goes_on=not request.ending,
        velocity=loudness(profile),
    )  # fmt: skip


def _programs(profile, request: Request, rng) -> tuple[int, ...]:
    """The instruments of a real piece of the style; of one with as many parts as are asked for, if there is one."""
    kinds = profile["programs"]
    if not request.programs:
        kinds = [kind for kind in kinds if kind[1] >= COMMON * kinds[0][1]]
    else:
        asked = list(request.programs)
        kinds = (
            [kind for kind in kinds if list(kind[0]) == asked]
            or [kind for kind in kinds if sorted(kind[0]) == sorted(asked)]
            or [kind for kind in kinds if len(kind[0]) == len(asked)]
            or [kind for kind in kinds if len(kind[0]) >= len(asked)]
            or [[asked, 1]]
        )
    return tuple(_drawn(kinds, rng))


def loudness(profile: Mapping[str, Any]) -> int:
    """The velocity of every note in a style whose music has but one; 0 where the model has learnt dynamics."""
    quiet, middle, loud = profile.get("velocities", (80, 80, 80))
    return int(middle) if loud - quiet <= FLAT else 0


FLAT = 20  # between the 10th and the 90th percentile of velocity: printed scores, whose few dynamics are no playing


def _key(profile, request: Request, rng) -> tuple[int, str]:
    """The key that the chords asked for are in, else one of the style, the likelier major the happier it is to be."""
    if request.chords:
        return _key_of_chords([chord for _, chord in request.chords])
    lean = 0.0
    if request.happiness is not None:
        lean = MODE_STRENGTH * (float(values_of(request.happiness, 16).mean()) - 5.5)
    kinds = [[key, share * math.exp(lean if key[1] == "major" else -lean)] for key, share in profile["keys"]]
    tonic, mode = _drawn(kinds, rng)
    return tonic, mode


def _key_of_chords(chords: Sequence[int]) -> tuple[int, str]:
    """The key by all the notes of the chords, the last chord's root breaking ties between relatives."""
    fit = key_correlations(TEMPLATES[list(chords)].sum(axis=0))
    root = chords[-1] // CHORD_KINDS
    fit[[root, 12 + root]] += 0.1
    best = int(np.argmax(fit))
    return best % 12, MODES[best // 12]


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


def controls_for(profile, request: Request, bars: int, has_upbeat: bool) -> dict[str, Any]:
    """Controls as models know them, a number a bar; an upbeat has that of the first bar.

    Raises `BadOption` where a point of a curve lies beyond the bars, or where the model has no such axis.
    """
    found: dict[str, Any] = {}
    for asked, (name, _, _) in CONTROLS.items():
        curve = getattr(request, asked)
        if curve is not None:
            beyond = [] if isinstance(curve, int | float) else [bar for bar, _ in curve if bar > bars]
            if beyond:
                raise BadOption(f"{asked} has a point at bar {beyond[0]:g}; wanted bars 1 to {bars}, those composed")
            values = values_of(curve, bars)
            found[name] = tuple(np.concatenate([values[:1], values] if has_upbeat else [values]).tolist())
    known = {name: (field, scale) for name, field, scale in profile.get("axes", ())}
    for name, value in request.axes.items():
        if name not in known:
            listed = ", ".join(known) or "none"
            raise BadOption(
                f"no axis {name!r} in this model; it has {listed}. Axes are columns of --labels in training"
            )
        axis, scale = known[name]
        found[axis] = float((np.searchsorted(scale[1:-1], value, "right") + 0.5) / 10)
    return found


def _chords(request: Request, metre: tuple[int, int], upbeat: int) -> tuple[tuple[int, int], ...]:
    """Chords by tick from the first bar line; that of an upbeat's bar, where there is one."""
    bar = bar_ticks(*metre, TICKS_PER_BEAT)
    shift = bar if upbeat % bar else 0
    return tuple((shift + round((at - 1) * bar), chord) for at, chord in request.chords)


def _outline(profile, request: Request, bars: int, metre, key, rng: np.random.Generator):
    """Form and chords of the piece, as its style has them, the brighter the happier; a short piece has no form."""
    mood = None if request.happiness is None else float(values_of(request.happiness, bars).mean())
    if not request.form or not profile.get("outlines"):
        return (), ()
    drawn = [outlines.drawn(profile["outlines"], bars, metre, key, rng) for _ in range(1 if mood is None else CHOICES)]
    drawn.sort(key=lambda one: outlines.brightness(one[1]))
    form, harmony = drawn[0 if mood is None else round((mood - 1) / 9 * (CHOICES - 1))]
    return form if bars >= FEWEST_BARS_OF_FORM else (), harmony


def _drawn(shares: Sequence, rng: np.random.Generator):
    chances = np.array([share for _, share in shares])
    return shares[int(rng.choice(len(shares), p=chances / chances.sum()))][0]


def parse_mix(text: str) -> tuple[tuple[str, float], ...]:
    """ "chorale:0.7,folk:0.3" as styles with weights that add up to 1; "folk" as (("folk", 1.0),)."""
    found = []
    for part in text.split(","):
        name, _, weight = part.strip().partition(":")
        if not name or (weight and not re.fullmatch(r"\d*\.?\d+", weight)):
            raise BadOption(f"no mix of styles {text!r}; write it like chorale:0.7,folk:0.3")
        found.append((name, float(weight or 1)))
    total = sum(weight for _, weight in found)
    if total <= 0:
        raise BadOption(f"the weights in {text!r} add up to 0; give one of the styles more")
    return tuple((name, weight / total) for name, weight in found)
