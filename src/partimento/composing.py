"""Composing with a loaded model: from what is asked, through the sampling loop, to ranked scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .arrange import arrange
from .asking import CONTROLS, Request, check, plan_for
from .describe import DISTANCES, describe, level
from .describe.chords import TEMPLATES
from .encodings.base import Plan
from .errors import BadOption, MusicError
from .evaluation.listening import listen, typicality
from .model_file import Model
from .profile import SPAN
from .rules import (
    CloseOnTonic,
    EveryPart,
    FinalChord,
    FollowChords,
    InKey,
    InRange,
    NoClash,
    NoParallels,
    NoStutter,
    Returns,
    Rule,
    SurePitches,
)
from .sampling import PLAIN, Reading, sample
from .score import TICKS_PER_BEAT, Score, Tempo
from .steering import Steering
from .theory import key_of
from .timing import bar_ticks, duration_seconds, pulse_ticks
from .transform import cut

MEDIAN, UPPER_QUARTILE, LAST = 2, 3, 4  # places in a profile's percentiles: 50, 75, 99
GUIDANCE = 2.0  # where controls are asked for and nothing is said
CONTROL_WORTH = 2.0  # of a whole scale's mistake in a control, beside a typicality of 0 to 1


@dataclass(frozen=True)
class Candidate:
    """A composed piece and how it was judged.

    Are its notes in the key asked for, does it close on the tonic, how typical is it (0-1); `obtained` are the
    controls as measured on its notes, in the units in which they are asked for; `errors` their mean distance, bar by
    bar, from what was asked, as a share of the scale (0-1).
    """

    score: Score
    in_key: bool
    closes: bool
    typicality: float
    measures: dict[str, float]
    obtained: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)

    @property
    def worth(self) -> float:
        """What candidates are ranked by."""
        missed = sum(self.errors.values()) / max(1, len(self.errors))
        return self.in_key + self.closes + self.typicality - CONTROL_WORTH * missed


def rules_for(profile: Mapping[str, Any], plan: Plan, *, obey_chords: bool = True) -> list[Rule]:
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
        if percentile("final_is_tonic", MEDIAN) == 1 and not plan.goes_on:
            rules += _closing(plan, "soprano" in ranges, percentile("final_place", MEDIAN) or 0.0)
    if "soprano" not in ranges:
        rules += _for_parts(plan, obey_chords, percentile("missing_voices", MEDIAN) == 0)
    return rules


def _closing(plan: Plan, in_voices: bool, place: float) -> list[Rule]:
    """The rule that leads a piece to its tonic; `place` is where in its bar the last chord is struck, in quarters."""
    bar, pulse = bar_ticks(*plan.metre, TICKS_PER_BEAT), pulse_ticks(*plan.metre, TICKS_PER_BEAT)
    tonic, mode = plan.key or (0, "major")
    if in_voices:
        return [FinalChord(tonic, mode, start=max(1, bar // 2 // pulse) * pulse, pulse=pulse)]
    struck = min(round(place * TICKS_PER_BEAT) // pulse * pulse, (bar - 1) // pulse * pulse)
    return [CloseOnTonic(tonic, mode, start=bar - struck)]


def _for_parts(plan: Plan, obey_chords: bool, in_full: bool) -> list[Rule]:
    """Rules of music note by note: chords that are asked for, and every instrument heard."""
    bar = bar_ticks(*plan.metre, TICKS_PER_BEAT)
    rules: list[Rule] = [EveryPart(bar // 2, always=True) if in_full else EveryPart(2 * bar)]
    if len(plan.programs) > 1 or plan.frame:
        rules.append(NoClash())
    if plan.form:
        rules.append(Returns(plan.form, DISTANCES))
    if plan.chords and obey_chords:
        rules.append(FollowChords(plan.chords, TEMPLATES, pulse_ticks(*plan.metre, TICKS_PER_BEAT)))
    return rules


def readings_for(model: Model, request: Request, plan: Plan) -> Sequence[Reading]:
    """How the model is to hear what is asked: mixed styles, and controls turned up by guidance."""
    styles = list(model.encoding.styles)
    for style, _ in request.mix:
        if style not in model.info["styles"]:
            raise BadOption(f"no style {style!r} beside {request.style!r} in one model; there are {', '.join(styles)}")
    mixed = [({"style": 1 + styles.index(style)}, weight) for style, weight in request.mix] or [({}, 1.0)]
    asked = list(plan.controls) + ["chord"] * bool(request.chords)
    strength = (GUIDANCE if request.guidance is None else request.guidance) if asked else 0.0
    if not strength and not request.mix:
        return PLAIN
    found = [Reading((1 + strength) * weight, told) for told, weight in mixed]
    if strength:
        found += [Reading(-strength * weight, told | dict.fromkeys(asked, 0)) for told, weight in mixed]
    return found


def compose(model: Model, request: Request) -> list[Candidate]:
    """Compose `request.candidates` pieces side by side, the best first (see `Candidate.worth`).

    Raises `BadOption` for what cannot be asked, `UnknownName` for a style that the model has not learnt.
    """
    check(request)
    profile = model.info["styles"][request.style]
    seeds = np.random.SeedSequence(request.seed).spawn(request.candidates + 1)
    plan = plan_for(profile, request, np.random.default_rng(seeds[0]))
    check_controls(model, request)
    found = [
        judged(model, plan, _finished(model, plan, cursor, steps, request), request)
        for cursor, steps in run(model, plan, request, seeds[1:])
    ]
    return sorted(found, key=lambda one: -one.worth)


def check_controls(model: Model, request: Request) -> None:
    """Controls need a model that has learnt them."""
    scales = model.info["styles"][request.style].get("scales", {})
    for asked, (name, _, _) in CONTROLS.items():
        if getattr(request, asked) is not None and name not in scales:
            raise BadOption(
                f"style {request.style!r} has not learnt {asked}; train it again to have its music described"
            )
    if request.chords and "chord" not in model.encoding.columns:
        raise BadOption(f"style {request.style!r} cannot be told chords; one of the encoding 'notes' can")


def run(model: Model, plan: Plan, request: Request, seeds: Sequence, rules: Sequence[Rule] | None = None):
    """Compose after `plan` once for each of `seeds`; (cursor, rows) of each."""
    profile = model.info["styles"][request.style]
    cursors = [model.encoding.cursor(plan) for _ in seeds]
    rows: list[list[np.ndarray]] = [[] for _ in cursors]
    rngs = [np.random.default_rng(seed) for seed in seeds]
    rules = rules_for(profile, plan, obey_chords=bool(request.chords)) if rules is None else rules
    steering = Steering(plan, cursors, profile.get("scales", {})) if model.encoding.name == "notes" else None
    for n, row in sample(model, cursors, request.sampling, rngs, rules, readings_for(model, request, plan)):
        rows[n].append(row)
        if steering:
            steering.step(n)
    return list(zip(cursors, map(np.array, rows), strict=True))


def _finished(model: Model, plan: Plan, cursor, steps: np.ndarray, request: Request) -> Score:
    """The score of composed rows, at its tempo, played by what was asked for, exactly as long as asked."""
    score = model.encoding.decode(steps, plan)
    if request.sixteenths is not None:
        score = exactly(score, request.sixteenths * TICKS_PER_BEAT // 4)
    tempo = plan.tempo
    if request.seconds is not None and request.tempo is None:  # the last note may end before its bar does
        tempo *= duration_seconds(score) / request.seconds
    return played_by(replace(score, tempos=(Tempo(0, tempo),)), request.programs)


def exactly(score: Score, ticks: int) -> Score:
    """The score cut off at `ticks`, its last notes held until then."""
    score = cut(score, 0, ticks)
    notes = score.notes.copy()
    ends = notes["onset"] + notes["duration"]
    last = ends == ends.max()
    notes["duration"][last] = ticks - notes["onset"][last]
    return score.with_notes(notes)


def judged(model: Model, plan: Plan, score: Score, request: Request) -> Candidate:
    """A composed score with all that it is ranked by."""
    measures = listen(score, span=SPAN)
    found, profile = key_of(score), model.info["styles"][request.style]
    in_key, closes = (found.tonic, found.mode) == plan.key, plan.goes_on or measures.get("final_is_tonic") == 1
    obtained, errors = obeyed(score, plan, profile.get("scales", {}))
    return Candidate(score, in_key, closes, typicality(measures, profile["measures"]), measures, obtained, errors)


def obeyed(score: Score, plan: Plan, scales: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
    """Controls as measured on the notes (means over the bars), and their errors where they were asked for."""
    if not scales:
        return {}, {}
    try:
        measures = describe(score).measures
    except MusicError:  # drums alone
        return {}, {}
    obtained, errors = {}, {}
    for asked, (name, low, high) in CONTROLS.items():
        if name not in scales:
            continue
        levels = level(name, measures[name], scales[name])
        obtained[asked] = float(levels.mean())
        if name in plan.controls:
            wanted = (
                np.resize(plan.controls[name], len(levels))
                if len(plan.controls[name]) < len(levels)
                else (np.asarray(plan.controls[name][: len(levels)]))
            )
            errors[asked] = float(np.abs(levels - wanted).mean() / (high - low))
    return obtained, errors


def played_by(score: Score, programs: Sequence[int]) -> Score:
    """The score played by other instruments: parts are divided or joined, and moved by octaves into their ranges."""
    if not programs or [track.program for track in score.tracks] == list(programs):
        return score
    return arrange(score, tuple(programs))
