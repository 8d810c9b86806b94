"""Composing with a loaded model: from what is asked, through the sampling loop, to ranked scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from .arrange import arrange, named
from .asking import CONTROLS, Request, check, plan_for
from .describe import DISTANCES, describe, level
from .describe.chords import TEMPLATES
from .encodings._given import CHORD_KINDS
from .encodings._notes_cursor import parts_of
from .encodings.base import Encoding, Plan
from .errors import BadOption, MusicError
from .evaluation.listening import listen, typicality
from .model_file import Model
from .moderation import CompleteChords, FewClashes, moderation
from .originality import no_copy
from .profile import SPAN
from .rules import (
    CloseOnTonic,
    EveryPart,
    FinalChord,
    FollowChords,
    FromTheDominant,
    InKey,
    InRange,
    NoClash,
    NoParallels,
    NoStutter,
    Returns,
    Rule,
    SurePitches,
)
from .sampling import PLAIN, Reading, Sampling, sample, threshold_for
from .score import TICKS_PER_BEAT, Score, Tempo
from .steering import Steering
from .theory import key_of
from .timing import bar_ticks, duration_seconds, pulse_ticks
from .transform import cut
from .voice_leading import (
    LAST,
    LOWER_QUARTILE,
    MEDIAN,
    RARELY_BARE,
    UPPER_QUARTILE,
    Sound,
    Voices,
    has_single_voices,
    parallels_beyond,
    percentiles_of,
    voice_rules,
)

GUIDANCE = 2.0  # where controls are asked for and nothing is said
CONTROL_WORTH = 2.0  # of a whole scale's mistake in a control, beside a typicality of 0 to 1
PARALLEL_WORTH = 4.0  # of parallels at every change of chord, beside the same
CLASH = 0.7  # nats that a clash costs in four voices, and a bare chord
RARELY_CLASHING = 0.1  # share of beats up to which real pieces of a style clash seldom
IN_VOICES, DIATONIC_PITCHES = 0.85, 0.75  # temperatures of pitches in four voices by steps, and in diatonic styles
DIATONIC = 0.98  # share of notes in the key from which on a style hardly leaves it
LONG_CLOSE = 2.5  # mean gaps that the last note lasts in three of four pieces of a style that comes to rest
LONG_REST = 4  # bars after which a single voice that rests is likelier to come in again
JOIN_WORTH = 2.0  # of a nat a note that what follows costs, beside the same


@dataclass(frozen=True)
class Candidate:
    """A composed piece and how it was judged.

    Are its notes in the key asked for, does it close on the tonic, how typical is it (0-1); `obtained` are the
    controls as measured on its notes, in the units in which they are asked for; `errors` their mean distance, bar
    by bar, from what was asked, as a share of the scale (0-1); of chords, the share of beats that miss them.
    `parallels` are fifths and octaves at a change of chord, beyond what three of four real pieces of the style
    have; 0 where its parts are no single voices. `join` says how well composed bars lead into music that stands
    behind them: what its first bar costs the model that goes on from them, in nats a note, the fewer the better;
    None where no music does, or there is nothing to choose from.
    """

    score: Score
    in_key: bool
    closes: bool
    typicality: float
    measures: dict[str, float]
    obtained: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    parallels: float = 0.0
    join: float | None = None
    number: int = 0  # which of those composed side by side, in the order of their seeds

    @property
    def worth(self) -> float:
        """What candidates are ranked by."""
        missed = sum(self.errors.values()) / max(1, len(self.errors))
        faults = CONTROL_WORTH * missed + PARALLEL_WORTH * self.parallels + JOIN_WORTH * (self.join or 0.0)
        return self.in_key + self.closes + self.typicality - faults


class Ear(Protocol):
    """Hears pieces while they are composed, and may raise `Stopped` to end it."""

    def begin(self, plan: Plan, music: Callable[[int], Score], inside: Sequence[int] = (), span=None) -> None:
        """`music` gives a piece as far as it is composed; into music that stands, `inside` are the tracks and `span`
        the ticks that it is composed in."""

    def step(self, n: int) -> None:
        """One more step of piece `n` is composed."""


def rules_for(
    profile: Mapping[str, Any], plan: Plan, parts: Sequence[Sound] = (), *, last: int = 0, obey_chords: bool = True
) -> list[Rule]:
    """The rules of a style: its ranges and key, and what its real pieces keep to, by the percentiles of its profile.

    `parts` are all that play, the highest first; without them those of the plan. `last` is how many ticks before the
    end the last chord is struck; where it is 0 the style says it.
    """
    percentile = percentiles_of(profile)
    upper, most = percentile("longest_repeat", UPPER_QUARTILE) or 3.0, percentile("longest_repeat", LAST) or 4.0
    ranges = {name: tuple(value) for name, value in profile["ranges"].items()}
    rules: list[Rule] = [InRange(ranges), NoStutter(1 if upper <= 1 else max(2, int(most)))]
    rules += moderation(profile, plan, percentile)
    in_voices, is_diatonic = "soprano" in ranges, (percentile("in_key", MEDIAN) or 0.0) >= DIATONIC
    if in_voices or is_diatonic:
        rules.append(SurePitches(IN_VOICES if in_voices else DIATONIC_PITCHES))
    if plan.key and is_diatonic and not in_voices:  # elsewhere it only makes music plainer than it is
        rules.append(InKey(*plan.key, strength=0.5))
    if not ranges.keys() & {"pitch", "soprano"}:
        return rules  # words, or units that are on or off: the other rules do not know their fields
    if plan.key is None or plan.goes_on or percentile("final_is_tonic", MEDIAN) != 1:
        last = 0
    elif in_voices or not last:
        last = _last_chord(plan, in_voices, percentile("final_place", MEDIAN) or 0.0)
    if in_voices:
        return rules + _in_steps(profile, plan, last)
    return rules + _in_notes(profile, plan, tuple(parts) or parts_of(plan.programs), last, obey_chords)


def _last_chord(plan: Plan, in_voices: bool, place: float) -> int:
    """Ticks from the last chord to the end; `place` is where in its bar it is struck, in quarters."""
    bar, pulse = bar_ticks(*plan.metre, TICKS_PER_BEAT), pulse_ticks(*plan.metre, TICKS_PER_BEAT)
    if in_voices:
        return max(1, bar // 2 // pulse) * pulse
    return bar - min(round(place * TICKS_PER_BEAT) // pulse * pulse, (bar - 1) // pulse * pulse)


def _in_steps(profile: Mapping[str, Any], plan: Plan, last: int) -> list[Rule]:
    """Rules of the encoding `voices`."""
    percentile, pulse = percentiles_of(profile), pulse_ticks(*plan.metre, TICKS_PER_BEAT)
    rules: list[Rule] = []
    if percentile("parallel_fifths", MEDIAN) == 0:
        rules.append(NoParallels(5.0 if percentile("parallel_fifths", UPPER_QUARTILE) == 0 else 3.0))
    if (percentile("struck_clashes", MEDIAN) or 0.0) <= RARELY_CLASHING:
        rules.append(FewClashes(pulse, CLASH))
    if (percentile("bare", MEDIAN) or 0.0) <= RARELY_BARE:
        rules.append(CompleteChords(CLASH))
    if plan.key and last:
        rules.append(FinalChord(*plan.key, start=last, pulse=pulse))
    return rules


def _in_notes(
    profile: Mapping[str, Any], plan: Plan, parts: Sequence[Sound], last: int, obey_chords: bool
) -> list[Rule]:
    """Rules of music note by note: every instrument heard, chords that are asked for, and how single voices move."""
    bar, pulse = bar_ticks(*plan.metre, TICKS_PER_BEAT), pulse_ticks(*plan.metre, TICKS_PER_BEAT)
    in_full, told = percentiles_of(profile)("missing_voices", MEDIAN) == 0, bool(plan.chords) and obey_chords
    comes_to_rest = (percentiles_of(profile)("final_slowing", LOWER_QUARTILE) or 0.0) >= LONG_CLOSE
    strength = 8.0 if comes_to_rest else 4.0
    single = has_single_voices(profile)
    rules: list[Rule] = []
    if plan.key and last:
        rules.append(CloseOnTonic(*plan.key, start=last, strength=strength, full=single))
    if plan.key and last and not told and not single and (lower := _closing(profile)):
        rules.append(FromTheDominant(plan.key[0], last, pulse, strength=lower))
    rules.append(EveryPart(bar // 2, always=True) if in_full else EveryPart(2 * bar))
    if single and not in_full:
        rules.append(EveryPart(LONG_REST * bar, strength=2.0, always=True))
    if len(parts) > 1 and (plan.frame or single):
        rules.append(NoClash())
    if plan.form:
        rules.append(Returns(plan.form, DISTANCES))
    if told:
        rules.append(FollowChords(plan.chords, TEMPLATES, pulse))
    if single:
        rules += voice_rules(profile, Voices(parts), pulse, plan.key, last, cadence=not told)
    return rules


def _closing(profile: Mapping[str, Any]) -> float:
    """Nats that a close without the dominant before it costs: most where nearly every real piece has it."""
    percentile = percentiles_of(profile)
    if percentile("authentic_close", MEDIAN) != 1:
        return 0.0
    return 6.0 if percentile("authentic_close", LOWER_QUARTILE) == 1 else 3.0


def readings_for(model: Model, request: Request, plan: Plan) -> Sequence[Reading]:
    """How the model is to hear what is asked: mixed styles, and controls turned up by guidance."""
    styles = list(model.encoding.styles)
    for style, _ in request.mix:
        if style not in model.info["styles"]:
            raise BadOption(f"no style {style!r} beside {request.style!r} in one model; there are {', '.join(styles)}")
    mixed = [({"style": 1 + styles.index(style)}, weight) for style, weight in request.mix] or [({}, 1.0)]
    asked = [name for name in plan.controls if name in model.encoding.columns] + ["chord"] * bool(request.chords)
    strength = (GUIDANCE if request.guidance is None else request.guidance) if asked else 0.0
    if not strength and not request.mix:
        return PLAIN
    found = [Reading((1 + strength) * weight, told) for told, weight in mixed]
    if strength:
        found += [Reading(-strength * weight, told | dict.fromkeys(asked, 0)) for told, weight in mixed]
    return found


def compose(model: Model, request: Request, ear: Ear | None = None) -> list[Candidate]:
    """Compose `request.candidates` pieces side by side, the best first (see `Candidate.worth`); `ear` hears them grow.

    Raises `BadOption` for what cannot be asked, `UnknownName` for a style that the model has not learnt.
    """
    check(request)
    profile = model.info["styles"][request.style]
    seeds = np.random.SeedSequence(request.seed).spawn(request.candidates + 1)
    plan = plan_for(profile, request, np.random.default_rng(seeds[0]))
    check_controls(model, request)
    found = [
        replace(judged(model, plan, _finished(model, plan, cursor, steps, request), request), number=n)
        for n, (cursor, steps) in enumerate(run(model, plan, request, seeds[1:], ear=ear))
    ]
    return sorted(found, key=lambda one: -one.worth)


def check_controls(model: Model, request: Request) -> None:
    """Controls need a model that has learnt them."""
    scales = model.info["styles"][request.style].get("scales", {})
    for asked, (name, _, _) in CONTROLS.items():
        by_threshold = name == "complexity" and has_threshold(model.encoding)
        if getattr(request, asked) is not None and name not in scales and not by_threshold:
            raise BadOption(
                f"style {request.style!r} has not learnt {asked}; train it again to have its music described"
            )
    if request.chords and "chord" not in {entry.name for entry in model.encoding.given}:
        raise BadOption(f"style {request.style!r} cannot be told chords; one of the encoding 'notes' can")


def has_threshold(encoding: Encoding) -> bool:
    """Whether complexity is a threshold: what is composed is on or off, and models are not told of complexity."""
    return "complexity" not in encoding.columns and any(entry.kind == "binary" for entry in encoding.composed)


def sampling_for(encoding: Encoding, plan: Plan, options: Sampling) -> Sampling:
    """How boldly to draw; a complexity that models are not told of, its mean over the bars, becomes a threshold."""
    if "complexity" not in plan.controls or options.threshold is not None or not has_threshold(encoding):
        return options
    return replace(options, threshold=threshold_for(float(np.mean(plan.controls["complexity"]))))


def run(
    model: Model, plan: Plan, request: Request, seeds: Sequence, rules: Sequence[Rule] | None = None,
    ear: Ear | None = None,
):  # fmt: skip
    """Compose after `plan` once for each of `seeds`; (cursor, rows) of each."""
    profile = model.info["styles"][request.style]
    cursors = [model.encoding.cursor(plan) for _ in seeds]
    rows: list[list[np.ndarray]] = [[] for _ in cursors]
    rngs = [np.random.default_rng(seed) for seed in seeds]
    if rules is None:
        rules = [*no_copy(model, request), *rules_for(profile, plan, obey_chords=bool(request.chords))]
    steering = Steering(plan, cursors, profile.get("scales", {})) if model.encoding.name == "notes" else None
    options, readings = sampling_for(model.encoding, plan, request.sampling), readings_for(model, request, plan)
    if ear:
        ear.begin(plan, lambda n: model.encoding.decode(np.array(rows[n]), plan))
    for n, row in sample(model, cursors, options, rngs, rules, readings):
        rows[n].append(row)
        if steering:
            steering.step(n)
        if ear:
            ear.step(n)
    return list(zip(cursors, map(np.array, rows), strict=True))


def _finished(model: Model, plan: Plan, cursor, steps: np.ndarray, request: Request) -> Score:
    """The score of composed rows, at its tempo, played by what was asked for, exactly as long as asked."""
    score = model.encoding.decode(steps, plan)
    if request.sixteenths is not None:
        score = exactly(score, request.sixteenths * TICKS_PER_BEAT // 4)
    tempo = plan.tempo
    if request.seconds is not None and request.tempo is None:  # the last note may end before its bar does
        tempo *= duration_seconds(score) / request.seconds
    return named(played_by(replace(score, tempos=(Tempo(0, tempo),)), request.programs))


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
    if request.chords and (missed := chords_missed(score, plan)) is not None:
        errors["chords"] = missed
    typical, parallels = typicality(measures, profile["measures"]), parallels_beyond(measures, profile)
    return Candidate(score, in_key, closes, typical, measures, obtained, errors, parallels)


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


def chords_missed(score: Score, plan: Plan) -> float | None:
    """Share of the felt beats, 0 to 1, on which another chord is heard than the plan's, sevenths aside.

    None where no beat has a chord that is asked for, or nothing is pitched.
    """
    try:
        heard = describe(score)
    except MusicError:  # drums alone
        return None
    bar = bar_ticks(*plan.metre, TICKS_PER_BEAT)
    ticks = heard.beats + (-plan.upbeat % bar)  # the plan counts from the bar line before an upbeat
    starts, wanted = np.array([tick for tick, _ in plan.chords]), np.array([chord for _, chord in plan.chords])
    place = np.searchsorted(starts, ticks, side="right") - 1
    pairs = [(wanted[at], found) for at, found in zip(place, heard.chords, strict=True) if at >= 0]
    missed = [found < 0 or not _alike(int(one), int(found)) for one, found in pairs]
    return float(np.mean(missed)) if missed else None


def _alike(one: int, other: int) -> bool:
    """Whether two chords have one root, and the notes of one are among those of the other."""
    if one // CHORD_KINDS != other // CHORD_KINDS:
        return False
    tones = TEMPLATES[[one, other]] > 0
    return bool((tones[0] <= tones[1]).all() or (tones[1] <= tones[0]).all())


def played_by(score: Score, programs: Sequence[int]) -> Score:
    """The score played by other instruments: parts are divided or joined, and moved by octaves into their ranges."""
    if not programs or [track.program for track in score.tracks] == list(programs):
        return score
    return arrange(score, tuple(programs))
