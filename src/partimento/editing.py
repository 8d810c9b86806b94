"""Composing into music that stands already: going on, filling bars, adding parts, varying.

Bars are counted from 1 where a person says them, an upbeat not counted; inside from 0, an upbeat being bar 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from .asking import Request, check, controls_for
from .composing import Candidate, Ear, check_controls, judged, obeyed, readings_for, rules_for
from .editing_parts import (
    below_melody,
    by_height,
    coming_in,
    composable,
    heard_near,
    loudness_of,
    with_drums,
)
from .encodings._notes_cursor import VELOCITY_STEP
from .encodings.base import Plan
from .errors import BadOption, MusicError
from .evaluation.listening import listen, typicality
from .expression import has_dynamics
from .frames import AHEAD, PAST, Region, Sound, Standing, bars_of, sounds_of
from .instruments import CHOIR
from .joining import FillEveryBar, nats_behind, rules_of_joins
from .model_file import Model
from .originality import no_copy
from .profile import SPAN
from .rules import Rule
from .sampling import sample
from .score import DEFAULT_TEMPO, DRUM_PROGRAM, TICKS_PER_BEAT, Score, Tempo, Track
from .steering import Steering
from .theory import is_pitched, key_of
from .timing import Bar, Clock, bar_ticks, pulse_ticks
from .transform import cut
from .voice_leading import has_single_voices

BARS = 8  # that `continued` composes where nothing is said
CHUNK, LONGEST_GAP = 8, 12  # bars composed at a time where a gap is longer than those that models learn to fill
UNIT, MOST_VARIED = 2, 4  # bars of a variation that are drawn together, and composed together at most
HEARD = 4  # bars around a region that are judged with it
BEFORE_JOIN, STEADY = 16, 1.01  # bars whose tempo is taken up again after a slowing-down, times by which it differs
OPENING, SAME_INSTRUMENTS = 64, 0.2  # bars that tell a style, and what its instruments weigh beside typicality (0-1)
EVERYWHERE = (
    "style", "happiness", "excitement", "complexity", "density", "axes", "mix", "chords", "guidance", "seed",
    "sampling", "candidates", "max_copy",
)  # fmt: skip
TAKEN = {"continue": ("bars", "seconds", "ending"), "infill": (), "harmonize": ("programs", "ending"), "vary": ()}
OF_THE_PIECE = ("key", "metre", "tempo")


@dataclass(frozen=True)
class Work:
    """What is to be composed: regions of a score, one after the other, and how it goes on after each.

    `bars` are those of the score and of its regions. Curves and chords count from bar number `origin` over `span`
    bars.
    """

    score: Score  # what the regions held is gone, unless it is to be heard until they are composed
    source: Score  # as it was
    bars: tuple[Bar, ...]
    regions: tuple[tuple[Region, bool], ...]  # (region, whether music follows)
    origin: int
    span: int
    whole: Score | None = None  # music with more of it, which tells how high parts are that `source` has not heard

    @property
    def first(self) -> int:
        return min(region.first for region, _ in self.regions)

    @property
    def stop(self) -> int:
        return max(region.stop for region, _ in self.regions)


# --- the verbs


def continued(
    model: Model, score: Score, request: Request, where: str | int = "end", ear: Ear | None = None
) -> list[Candidate]:
    """New bars behind the end of `score`, before its start, or behind bar `where`, what followed it gone."""
    _check("continue", model, score, request)
    bars = _count_asked(score, request)
    if where == "start":
        return _composed(model, request, _before(score, bars), ear)
    last = _bar_before(score, where)
    kept = score if where == "end" else cut(score, 0, Clock(score).bars[last].end)
    if not len(kept):
        raise BadOption(f"there is no note up to bar {where}; go on from a later one")
    grown = tuple(bars_of(kept, last + 1 + bars))
    kept = _at_tempo(with_drums(kept, grown, last + 1), grown, last)
    sounds = heard_near(kept, grown, last + 1, last + 1)
    if where != "end":  # what would have come in by then still may
        sounds += coming_in(score, kept, Clock(score).bars, last + 1, last + 1 + bars)
    region = Region(last + 1, bars, composable(score, sounds))
    work = Work(kept, kept, grown, ((region, not request.ending),), region.first, bars, score)
    return _composed(model, request, work, ear)


def infilled(
    model: Model,
    score: Score,
    request: Request,
    where: tuple[int, int],
    tracks: Sequence[int] = (),
    ear: Ear | None = None,
) -> list[Candidate]:
    """Bars `where` (first and last) composed anew in `tracks` (from 1; none: all that play thereabouts)."""
    _check("infill", model, score, request)
    count, (first, last) = full_bars(score), where
    if not 1 <= first <= last <= count:
        raise BadOption(f"there are no bars {first}-{last} to fill; the piece has bars 1 to {count}")
    begin, stop = first - 1 + bool(score.upbeat), last + bool(score.upbeat)
    every, sounds = tuple(bars_of(score)), sounds_of(score)
    for track in tracks:
        if not 1 <= track <= len(sounds):
            raise BadOption(f"there is no track {track}; the piece has {len(sounds)}")
        if score.tracks[track - 1].is_drums:
            raise BadOption(f"track {track} is drums, which stay as they are; name tracks with pitches")
    chosen = composable(score, [sounds[track - 1] for track in tracks] or heard_near(score, every, begin, stop))
    cleared = _cleared(score, every[begin].start, every[stop - 1].end, chosen)
    follows = bool((score.notes["onset"] >= every[stop - 1].end).any())
    regions = _chunks(Region(begin, stop - begin, chosen), goes_on=follows)
    return _composed(model, request, Work(cleared, score, every, regions, begin, stop - begin), ear)


def varied(model: Model, score: Score, request: Request, amount: float, ear: Ear | None = None) -> list[Candidate]:
    """A share `amount` (0-1) of the bars composed anew: those of `bars_to_vary`."""
    _check("vary", model, score, request)
    every, regions = tuple(bars_of(score)), []
    for first, last in bars_to_vary(score, amount, request.seed):
        begin, stop = first - 1 + bool(score.upbeat), last + bool(score.upbeat)
        sounds = composable(score, heard_near(score, every, begin, stop))
        regions.append((Region(begin, stop - begin, sounds), stop < len(every)))
    return _composed(
        model, request, Work(score, score, every, tuple(regions), int(bool(score.upbeat)), full_bars(score)), ear
    )


def bars_to_vary(score: Score, amount: float, seed: int) -> list[tuple[int, int]]:
    """First and last of each stretch of bars that a variation composes anew, drawn by `seed`.

    They are a share `amount` (more than 0, at most 1) of all full bars, to the nearest bar and one at least, drawn in
    pairs, and composed in stretches of at most four.
    """
    if not 0 < amount <= 1:
        raise BadOption(f"amount {amount:g} is out of range; wanted more than 0, at most 1")
    count = full_bars(score)
    left = max(1, round(amount * count))
    chosen: list[int] = []
    for unit in np.random.default_rng(seed).permutation(-(-count // UNIT)):
        bars = [bar for bar in range(1 + unit * UNIT, 1 + (unit + 1) * UNIT) if bar <= count]
        chosen += bars[: left - len(chosen)]
    rows = np.split(np.sort(chosen), np.flatnonzero(np.diff(np.sort(chosen)) > 1) + 1)
    return [
        (int(row[at]), int(row[min(at + MOST_VARIED, len(row)) - 1]))
        for row in rows
        for at in range(0, len(row), MOST_VARIED)
    ]


def harmonised(model: Model, score: Score, request: Request, ear: Ear | None = None) -> list[Candidate]:
    """Parts of the style beside a melody, from the bar of its first note to that of its last; the melody stays."""
    _check("harmonize", model, score, request)
    heard = np.unique(score.notes["track"])
    if len(heard) > 1:
        raise BadOption(f"a melody has one track, this has {len(heard)}; save the melody as a file of its own")
    melody = score.tracks[int(heard[0])]
    if melody.is_drums:
        raise BadOption("there is nothing to harmonise: every note is drums; wanted a melody")
    lead, others = _parts(model, request)
    notes = score.notes.copy()
    notes["track"] = 0
    tracks = (Track(melody.name, lead), *(Track("", program) for program in others))
    sung = replace(score, notes=notes, tracks=tracks)
    clock = Clock(sung)
    first = int(clock.bar_at(int(notes["onset"].min())))
    spared = clock.bars[-1].end - sung.end if has_single_voices(model.info["styles"][request.style]) else 0
    region = Region(first, len(clock.bars) - first, composable(sung, sounds_of(sung)[1:]), spared)
    regions = _chunks(region, goes_on=not request.ending)
    work = Work(sung, sung, clock.bars, regions, int(bool(score.upbeat)), full_bars(score))
    found = _composed(model, request, work, ear)
    found = [replace(one, score=below_melody(one.score, model.info["styles"][request.style])) for one in found]
    return [replace(one, score=replace(one.score, tracks=(melody, *one.score.tracks[1:]))) for one in found]


def full_bars(score: Score) -> int:
    """How many bars a person counts: an upbeat is none, unless it is all there is."""
    return max(1, len(Clock(score).bars) - bool(score.upbeat))


def style_like(model: Model, score: Score) -> str:
    """The style of the model that the first bars of a piece are most typical of; its first where nothing says so."""
    known, bars = model.info.get("styles") or {}, Clock(score).bars
    opening = cut(score, 0, bars[min(len(bars), OPENING) - 1].end)
    try:
        measures = listen(opening, span=SPAN)
    except MusicError:  # no pitched note
        return next(iter(known), "")
    programs = sorted(track.program for track in score.tracks if not track.is_drums)

    def likeness(style: str) -> float:
        kinds = [([one for one in kind if one != DRUM_PROGRAM], share) for kind, share in known[style]["programs"]]
        share = max((share for kind, share in kinds if sorted(kind) == programs), default=0.0)
        return typicality(measures, known[style]["measures"]) + SAME_INSTRUMENTS * float(share) ** 0.5

    return max(known, key=likeness, default="")


# --- what is asked, checked and laid out


def _check(verb: str, model: Model, score: Score, request: Request) -> None:
    """Raise `BadOption` where the verb cannot do what is asked with this model and this music."""
    check(request)
    plain = Request()
    for entry in fields(Request):
        if entry.name in (*EVERYWHERE, *TAKEN[verb]) or getattr(request, entry.name) == getattr(plain, entry.name):
            continue
        name = "instruments" if entry.name == "programs" else entry.name
        if name in OF_THE_PIECE:
            raise BadOption(f"{verb}: the {name} is that of the piece; to change it: partimento transform")
        raise BadOption(f"{verb}: there is no choice of {name} here; leave it out")
    if model.encoding.name != "notes":
        raise BadOption(
            f"style {request.style!r} is of the encoding {model.encoding.name!r}, which cannot compose into music that "
            "stands; wanted one of the encoding 'notes'"
        )
    if not len(score):
        raise BadOption(f"{verb}: there is no note in the piece; wanted music to compose into")
    if verb != "harmonize" and not is_pitched(score).any():
        raise BadOption(f"{verb}: every note is drums, which models do not compose; wanted music with pitches")
    check_controls(model, request)


def _count_asked(score: Score, request: Request) -> int:
    """How many bars to go on for: those asked for, or as many as come nearest to the seconds."""
    if request.seconds is None:
        return request.bars or BARS
    clock = Clock(score)
    last = clock.bars[-1]
    beats = bar_ticks(last.numerator, last.denominator, score.ticks_per_beat) / score.ticks_per_beat
    return max(1, round(request.seconds / (beats * 60 / _usual_tempo(score, clock.bars))))


def _bar_before(score: Score, where: str | int) -> int:
    """Number of the bar behind which to go on; raises `BadOption` where there is none such."""
    count = full_bars(score)
    if where == "end":
        return len(Clock(score).bars) - 1
    if not isinstance(where, int) or isinstance(where, bool):
        raise BadOption(f"cannot go on from {where!r}; wanted end, start or the number of a bar")
    if not 1 <= where <= count:
        raise BadOption(f"there is no bar {where} to go on from; the piece has bars 1 to {count}")
    return where - 1 + bool(score.upbeat)


def _usual_tempo(score: Score, bars: Sequence[Bar]) -> float:
    """The tempo (quarter notes a minute) that holds for half of the last bars: what a slowing-down departs from."""
    start, stop = bars[max(0, len(bars) - BEFORE_JOIN)].start, bars[-1].end
    tempos = score.tempos or (Tempo(0, DEFAULT_TEMPO),)
    ticks = np.clip([*(max(0, tempo.tick) for tempo in tempos), stop], start, stop)
    ticks[0] = start
    lengths, values = np.diff(ticks), np.array([tempo.bpm for tempo in tempos])
    order = np.argsort(values, kind="stable")
    total = np.cumsum(lengths[order])
    return float(values[order][int(np.searchsorted(total, total[-1] / 2))])


def _at_tempo(score: Score, bars: Sequence[Bar], last: int) -> Score:
    """The score with its usual tempo taken up again behind bar number `last`, where it has slowed down by then."""
    usual, now = _usual_tempo(score, bars[: last + 1]), score.tempos[-1].bpm if score.tempos else DEFAULT_TEMPO
    if max(usual, now) <= STEADY * min(usual, now):
        return score
    return replace(score, tempos=(*score.tempos, Tempo(bars[last].end, usual)))


def _before(score: Score, bars: int) -> Work:
    """The score moved back by `bars` bars, the last of which its upbeat completes, and those bars as work."""
    first = Clock(score).bars[0]
    full = bar_ticks(first.numerator, first.denominator, score.ticks_per_beat)
    upbeat = score.upbeat % full
    room = bars * full - upbeat
    notes = score.notes.copy()
    notes["onset"] += room

    def later(entries, opening: int = 0):
        """Entries `room` later, but the one in force at tick `opening` from the start on."""
        begun = [entry for entry in entries if entry.tick <= opening][-1:]
        return (
            *(replace(entry, tick=0) for entry in begun),
            *(replace(entry, tick=entry.tick + room) for entry in entries if entry.tick > opening),
        )

    moved = replace(
        score, notes=notes, upbeat=0,
        tempos=later(score.tempos), metres=later(score.metres, score.upbeat), keys=later(score.keys, score.upbeat),
    )  # fmt: skip
    every = tuple(bars_of(moved))
    region = Region(0, bars, composable(moved, heard_near(moved, every, bars, bars)), spared=upbeat)
    return Work(moved, moved, every, tuple(reversed(_chunks(region, goes_on=True))), 0, bars)


def _cleared(score: Score, begin: int, end: int, sounds: Sequence[Sound]) -> Score:
    """The score without the notes of some parts that begin in [begin, end)."""
    tracks = [number for number, sound in enumerate(sounds_of(score)) if sound in sounds]
    inside = (score.notes["onset"] >= begin) & (score.notes["onset"] < end) & np.isin(score.notes["track"], tracks)
    return score.with_notes(score.notes[~inside])


def _chunks(region: Region, *, goes_on: bool) -> tuple[tuple[Region, bool], ...]:
    """A region in pieces of about equal length that are composed one after the other."""
    count = 1 if region.bars <= LONGEST_GAP else -(-region.bars // CHUNK)
    edges = [region.first + region.bars * n // count for n in range(count + 1)]
    found = []
    for start, stop in itertools.pairwise(edges):
        last = stop == region.stop
        part = replace(region, first=start, bars=stop - start, spared=region.spared if last else 0)
        found.append((part, goes_on or not last))
    return tuple(found)


def _parts(model: Model, request: Request) -> tuple[int, list[int]]:
    """The instrument that sings a melody in the style, and those beside it: what is asked for, or its commonest set."""
    kinds = [list(kind) for kind, _ in model.info["styles"][request.style]["programs"] if len(kind) > 1]
    if not kinds:
        raise BadOption(f"style {request.style!r} has one part only; harmonise in another, chorale or lieder say")
    if DRUM_PROGRAM in request.programs:
        raise BadOption("drums cannot be composed beside a melody; name instruments with pitches")
    lead = CHOIR if CHOIR in kinds[0] else kinds[0][0]
    kinds[0].remove(lead)
    return lead, list(request.programs) or kinds[0]


# --- composing


def _composed(model: Model, request: Request, work: Work, ear: Ear | None = None) -> list[Candidate]:
    """The regions composed once for each candidate, side by side, the best candidate first."""
    scores = [work.score] * request.candidates
    loudness = loudness_of(work.source)
    for (region, goes_on), seed in zip(
        work.regions, np.random.SeedSequence(request.seed).spawn(len(work.regions)), strict=True
    ):
        standing = [Standing(model.encoding, score, work.bars, region) for score in scores]
        plan = _plan(model, request, work, standing[0], goes_on)
        parts = by_height(work.whole or work.source, region.sounds)
        together = sum(one.bars for one, _ in work.regions) == work.stop - work.first
        since = int(standing[0].tick(work.bars[work.first].start)) if together else None
        uncopied = no_copy(model, request, work.score, since)
        seeds = seed.spawn(request.candidates)
        cursors = _filled(model, request, plan, standing, parts, seeds, ear, loudness, before=uncopied)
        scores = [one.merged(cursor.notes, loudness) for one, cursor in zip(standing, cursors, strict=True)]
    found = [
        replace(_judged(model, request, work, score), number=n, join=join)
        for n, (score, join) in enumerate(zip(scores, _joins(model, request, work, scores), strict=True))
    ]
    return sorted(found, key=lambda one: -one.worth)


def _filled(
    model: Model, request: Request, plan: Plan, standing: Sequence[Standing], parts: Sequence[Sound], seeds: Sequence,
    ear: Ear | None = None, loudness: Mapping[Sound, int] | None = None, *, before: Sequence[Rule] = (),
) -> list:  # fmt: skip
    """A region composed into every score; the cursors that hold the notes. `parts` are all, the highest first.

    Rules `before` come before those of the style.
    """
    profile = model.info["styles"][request.style]
    scales = profile.get("scales", {})
    past = min(PAST, *(len(one.past[0]) for one in standing))  # all are told equally much
    ahead = min(AHEAD, *(len(one.ahead[0]) for one in standing))
    framed = [one.framed(plan, scales, past, ahead) for one in standing]
    cursors = [model.encoding.cursor(one) for one in framed]
    rngs = [np.random.default_rng(seed) for seed in seeds]
    ends = [int(standing[0].tick(at)) for at in standing[0].ends]
    pulse = pulse_ticks(*plan.metre, TICKS_PER_BEAT)
    last = _last_beside(standing[0], pulse) if has_single_voices(profile) else 0  # a melody says when it closes
    rules = [
        *before,
        FillEveryBar(int(standing[0].tick(standing[0].begin)), ends),
        *rules_for(profile, framed[0], parts, last=last),
        *rules_of_joins(cursors[0], pulse),
    ]
    steering = Steering(plan, cursors, scales)
    if ear:
        one, sounds = standing[0], sounds_of(standing[0].score)
        own = [number for number, sound in enumerate(sounds) if sound in one.region.sounds]
        ear.begin(plan, lambda n: standing[n].merged(cursors[n].notes, loudness or {}), own, (one.begin, one.end))
    for n, _ in sample(model, cursors, request.sampling, rngs, rules, readings_for(model, request, plan)):
        steering.step(n)
        if ear:
            ear.step(n)
    return cursors


def _joins(model: Model, request: Request, work: Work, scores: Sequence[Score]) -> Sequence[float | None]:
    """`Candidate.join` of each score, the mean over the regions behind which music stands.

    None where it does behind none, where there is nothing to choose from, and for models that paint many notes at once.
    """
    composed = {bar for region, _ in work.regions for bar in range(region.first, region.stop)}
    onsets, regions = work.source.notes["onset"][is_pitched(work.source)], []
    for region, _ in work.regions:
        if region.stop < len(work.bars) and region.stop not in composed:
            bar = work.bars[region.stop]
            if ((onsets >= bar.start - region.spared) & (onsets < bar.end)).any():
                regions.append(region)
    if not regions or len(scores) == 1 or model.stride > 1:
        return [None] * len(scores)
    nats = []
    for region in regions:
        plan = _plan(model, request, work, Standing(model.encoding, scores[0], work.bars, region), True)
        nats.append(nats_behind(model, plan, scores, work.bars, region))
    return np.mean(nats, axis=0).tolist()


def _last_beside(standing: Standing, pulse: int) -> int:
    """Ticks from the last note beside a region to its end, where that note begins on a beat of its last bar; else 0."""
    ends = [standing.begin, *standing.ends]
    begin, end = int(standing.tick(ends[-2])), int(standing.tick(ends[-1]))
    inside = [int(at) for at in standing.ahead[1] if begin <= at < end]
    return end - inside[-1] if inside and (inside[-1] - begin) % pulse == 0 else 0


def _plan(model: Model, request: Request, work: Work, standing: Standing, goes_on: bool) -> Plan:
    """What a region is composed after, but for its frame."""
    score, key, region = work.source, key_of(work.source), standing.region
    low = region.first - standing.first
    at = np.clip(np.arange(low, low + len(standing.near)) - work.origin, 0, work.span - 1)
    asked = controls_for(model.info["styles"][request.style], request, work.span, False)
    controls = {name: tuple(np.array(value)[at].tolist()) if np.ndim(value) else value for name, value in asked.items()}
    metre, tempo, velocity = standing.metres[standing.first], DEFAULT_TEMPO, 0
    if score.tempos:
        tempo = score.tempos[0].bpm  # what training tells of a whole piece
    if not has_dynamics(score):
        velocity = max(VELOCITY_STEP, int(np.median(score.notes["velocity"])))
    chords = []
    for place, chord in request.chords:
        bar = work.bars[int(np.clip(work.origin + int(place - 1), 0, len(work.bars) - 1))]
        chords.append((int(standing.tick(bar.start + round((place - 1) % 1 * (bar.end - bar.start)))), chord))
    return Plan(
        region.bars, request.style, (key.tonic, key.mode), metre, tempo,
        tuple(program for program, _ in region.sounds), controls,
        chords=tuple(chords), velocity=velocity, goes_on=goes_on,
    )  # fmt: skip


def _judged(model: Model, request: Request, work: Work, score: Score) -> Candidate:
    """A finished score, judged by the composed bars and those around them; controls by the composed bars alone."""
    key, goes_on = key_of(work.source), all(goes_on for _, goes_on in work.regions)
    plan = Plan(style=request.style, key=(key.tonic, key.mode), goes_on=goes_on)
    low, high = max(0, work.first - HEARD), min(len(work.bars), work.stop + HEARD)
    try:
        one = judged(model, plan, cut(score, work.bars[low].start, work.bars[high - 1].end), request)
    except MusicError:  # drums alone: there is no pitch to judge by
        return Candidate(score, True, True, 0.0, {})
    profile = model.info["styles"][request.style]
    asked = controls_for(profile, request, work.span, False)
    at = np.clip(np.arange(work.first, work.stop) - work.origin, 0, work.span - 1)
    wanted = {name: tuple(np.array(value)[at].tolist()) for name, value in asked.items() if np.ndim(value)}
    composed = cut(score, work.bars[work.first].start, work.bars[work.stop - 1].end)
    obtained, errors = obeyed(composed, replace(plan, controls=wanted), profile.get("scales", {}))
    return replace(one, score=score, obtained=obtained, errors=errors)
