"""From one piece to another through a model's latent space, block by block (Roberts et al. 2018, "MusicVAE").

Both pieces are read by the model in blocks of whole bars, as points of its latent space; the way from each point of
the one to that of the other is divided into stages, and each stage is painted by the model as a passage of its own.
The first is the one piece as the model gives it back, the last is the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import states
from .editing import style_like
from .encodings._blocks import LINE, line_column, places_in_blocks
from .encodings.base import Encoding, Plan
from .errors import BadOption, ModelError
from .model_file import Model
from .profile import with_classes
from .sampling import Sampling, sample
from .score import TICKS_PER_BEAT, Score, Track
from .timing import Bar, Clock
from .transform import cut, home_key, resample

MOST_STAGES, MOST_BARS = 64, 64
PATHS = ("arc", "line")
NEARLY_ALIKE = 1e-4  # radians between two directions, below which an arc is a line
LIKELIEST = Sampling(temperature=0.0)


@dataclass(frozen=True)
class Passage:
    """The bars of a piece that are morphed: from a bar line on, in one metre."""

    score: Score
    bars: int
    metre: tuple[int, int]
    tempo: float
    key: tuple[int, str]
    programs: tuple[int, ...]


@dataclass(frozen=True)
class Morph:
    """Stages from one piece to another, each of `bars` bars, and how true the model is to the two pieces.

    `kept` are the shares (0-1, F1) of the notes of either piece that come back in its own stage, by onset and pitch.
    """

    stages: tuple[Score, ...]
    bars: int
    kept: tuple[float, float]
    style: str


def morph(
    model: Model, first: Score, last: Score, *, stages: int = 5, bars: int = 4, path: str = "arc", style: str = "",
    options: Sampling = LIKELIEST, seed: int = 0,
) -> Morph:  # fmt: skip
    """The way from `first` to `last` in `stages` stages, these two among them, each of at most `bars` bars.

    An upbeat is left out. `path` "line" is the straight one; "arc" also turns from one direction to the other at an
    even pace, and keeps as far from the middle of the latent space as the pieces are. Raises `ModelError` where the
    model cannot read music, `BadOption` where the pieces have no metre in common.
    """
    for name, value, low, high in (("stages", stages, 2, MOST_STAGES), ("bars", bars, 1, MOST_BARS)):
        if not low <= value <= high:
            raise BadOption(f"{name} {value} is out of range; wanted {low} to {high}")
    if path not in PATHS:
        raise BadOption(f"no path {path!r}; there are {', '.join(PATHS)}")
    space = _space(model)
    one, other = passages(first, last, bars)
    style = style or style_like(model, first)
    here, there = (points_of(model, each.score, style) for each in (one, other))
    found = []
    for stage, share in enumerate(np.linspace(0, 1, stages)):
        way = between(here, there, float(share), path, space)
        near = one if share < 0.5 else other
        tempo = one.tempo ** (1 - share) * other.tempo**share
        plan = Plan(one.bars, style, near.key, near.metre, float(tempo), near.programs, goes_on=share < 1)
        found.append(painted(model, way, plan, options, np.random.default_rng([seed, stage])))
    kept = (likeness(found[0], one.score), likeness(found[-1], other.score))
    return Morph(tuple(found), one.bars, kept, style)


def _space(model: Model) -> states.Latent:
    """The latent space of a model; raises `ModelError` where it has none that music can be looked up in."""
    space = model.begin(1)
    if not (model.can_encode and isinstance(space, states.Latent)):
        raise ModelError(
            f"a morph needs a model that reads music into a latent space, of the family autoencoder or vae; this one "
            f"is of the family {model.info.get('family', 'unknown')!r}. Train one: partimento train FOLDER --family vae"
        )
    return space


def passages(first: Score, last: Score, bars: int) -> tuple[Passage, Passage]:
    """As many whole bars of both pieces, at most `bars`; raises `BadOption` where their metres differ."""
    first, last = (resample(score, TICKS_PER_BEAT) for score in (first, last))  # a tick beside a bar line is on it
    inside = [_whole_bars(score)[:bars] for score in (first, last)]
    count = min(map(len, inside))
    if not count:
        raise BadOption("in one of the pieces no bar begins with a note; a morph needs one to begin with")
    metres = {(bar.numerator, bar.denominator) for some in inside for bar in some[:count]}
    if len(metres) > 1:
        said = " and ".join(sorted(f"{top}/{bottom}" for top, bottom in metres))
        raise BadOption(f"their first {count} bars are in {said}; a morph keeps one metre, with fewer --bars perhaps")
    metre = metres.pop()
    one, other = (_passage(score, some[:count], metre) for score, some in zip((first, last), inside, strict=True))
    return one, other


def _whole_bars(score: Score) -> Sequence[Bar]:
    """The bars of a piece from the first that begins with a note; an upbeat and what leads to it are left out."""
    bars, onsets = Clock(score).bars, set(score.notes["onset"].tolist())
    begins = (n for n, bar in enumerate(bars) if bar.start in onsets and (n or not score.upbeat))
    first = next(begins, len(bars))
    return bars[first:]


def _passage(score: Score, bars: Sequence[Bar], metre: tuple[int, int]) -> Passage:
    passage = resample(cut(score, bars[0].start, bars[-1].end), TICKS_PER_BEAT)
    key = home_key(score)
    tempo = passage.tempos[0].bpm if passage.tempos else 120.0
    programs = tuple(track.program for track in score.tracks)
    return Passage(passage, len(bars), metre, tempo, (key.tonic, key.mode), programs)


def points_of(model: Model, passage: Score, style: str) -> np.ndarray:
    """Where the blocks of a passage lie, (blocks, size); raises `ModelError` where the model cannot read music."""
    encoding = model.encoding
    known = {"style": style} if style in encoding.styles else {}
    rows = encoding.encode(passage, known)
    scales = model.info.get("styles", {}).get(style, {}).get("scales", {})
    return model.encode(blocks_of(encoding, with_classes(rows, encoding, scales), max(1, model.stride)))


def blocks_of(encoding: Encoding, rows: np.ndarray, stride: int) -> np.ndarray:
    """The music of rows (1 + T, columns), the first standing before it, in blocks (N, stride, columns) int64.

    Where a block holds no step composed fields are -1 and given ones those of its first step.
    """
    music, line = rows[1:], line_column(encoding.fields)
    lines = music[:, line] == LINE if line is not None else np.zeros(len(music), dtype=bool)
    place = places_in_blocks(lines[None], stride)[0]
    number = np.cumsum(place == 0) - 1
    found = np.repeat(music[place == 0, None].astype(np.int64), stride, axis=1)
    for field in encoding.composed:
        found[:, :, encoding.columns[field.name] : encoding.columns[field.name] + field.width] = -1
    found[number, place] = music
    return found


def between(first: np.ndarray, last: np.ndarray, share: float, path: str, space: states.Latent) -> np.ndarray:
    """Points `share` (0-1) of the way from each block of `first` (N, size) to its fellow in `last` (M, size).

    Where one has more blocks, the number goes from the one's to the other's, and the blocks are spread.
    """
    count = round(len(first) + share * (len(last) - len(first)))
    ends = [points[np.arange(count) * len(points) // count] for points in (first, last)]
    spread = np.where(space.spread > 0, space.spread, 1.0)
    one, other = ((points - space.mean) / spread for points in ends)
    found = _arc(one, other, share) if path == "arc" else (1 - share) * one + share * other
    return found * spread + space.mean


def _arc(one: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """Spherical interpolation (Shoemake 1985) of directions, linear of lengths; rows (N, size)."""
    lengths = [np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12) for points in (one, other)]
    cosine = (one * other).sum(axis=1, keepdims=True) / (lengths[0] * lengths[1])
    angle = np.arccos(np.clip(cosine, -1, 1))
    sine = np.sin(angle)
    is_arc = (angle > NEARLY_ALIKE) & (angle < np.pi - NEARLY_ALIKE)
    turned = [np.sin((1 - share) * angle), np.sin(share * angle)]
    weights = [
        np.where(is_arc, turn / np.where(is_arc, sine, 1.0), straight)
        for turn, straight in zip(turned, (1 - share, share), strict=True)
    ]
    length = (1 - share) * lengths[0] + share * lengths[1]
    along = weights[0] * one / lengths[0] + weights[1] * other / lengths[1]
    return np.where(is_arc, along * length, (1 - share) * one + share * other)


class Through:
    """A model that goes through given points (blocks, size), for the sampling loop."""

    def __init__(self, model: Model, points: np.ndarray):
        self.model, self.points, self.encoding = model, points, model.encoding

    def begin(self, size: int, rngs: Sequence[np.random.Generator] = ()) -> Any:
        state: Any = self.model.begin(size, rngs)
        state.points = self.points
        return state

    def advance(self, last: np.ndarray, given: np.ndarray, time: np.ndarray, state: Any) -> np.ndarray:
        return self.model.advance(last, given, time, state)

    def logits(self, field: str, hidden: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return self.model.logits(field, hidden, chosen)


def painted(model: Model, points: np.ndarray, plan: Plan, options: Sampling, rng: np.random.Generator) -> Score:
    """What the model paints after a plan from points (blocks, size); no rule changes it but what is legal."""
    rows = [row for _, row in sample(Through(model, points), [model.encoding.cursor(plan)], options, [rng])]
    return model.encoding.decode(np.array(rows), plan)


def likeness(score: Score, real: Score) -> float:
    """F1 (0-1) of the notes of `score` beside those of `real`, both on the house grid, by onset and pitch."""
    played, true = map(_struck, (score, real))
    return 2 * (played & true).total() / max(1, played.total() + true.total())


def _struck(score: Score) -> Counter:
    return Counter(zip(score.notes["onset"].tolist(), score.notes["pitch"].tolist(), strict=True))


def joined(stages: Sequence[Score], bars: int) -> Score:
    """Stages of `bars` bars each as one piece, one after the other; like instruments share a track."""
    tracks: list[Track] = []
    parts, starts = [], []
    for number, stage in enumerate(stages):
        bar = Clock(stage).bars[0]
        starts.append(number * bars * (bar.end - bar.start))
        place = _places(stage.tracks, tracks)
        notes = stage.notes.copy()
        notes["onset"] += starts[-1]
        notes["track"] = np.array(place)[notes["track"]]
        parts.append(notes)
    return replace(
        stages[0], notes=np.concatenate(parts), tracks=tuple(tracks), recipe=None,
        tempos=_in_turn([stage.tempos for stage in stages], starts),
        metres=_in_turn([stage.metres for stage in stages], starts),
        keys=_in_turn([stage.keys for stage in stages], starts),
    )  # fmt: skip


def _in_turn(entries: Sequence[Sequence], starts: Sequence[int]) -> tuple:
    """What holds in each stage from its start on; what holds already is not said again."""
    found: list = []
    for own, start in zip(entries, starts, strict=True):
        for entry in own:
            if not found or replace(entry, tick=found[-1].tick) != found[-1]:
                found.append(replace(entry, tick=entry.tick + start))
    return tuple(found)


def _places(own: Sequence[Track], tracks: list[Track]) -> list[int]:
    """Which of `tracks` plays each of a stage's own, the first of its program that is free; new ones are added."""
    found: list[int] = []
    for track in own:
        free = [n for n, one in enumerate(tracks) if one.program == track.program and n not in found]
        if not free:
            tracks.append(track)
            free = [len(tracks) - 1]
        found.append(free[0])
    return found
