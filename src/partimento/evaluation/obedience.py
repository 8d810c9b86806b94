"""Control accuracy: what composed pieces were asked for, as their recipes say, against what is heard in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .. import recipes
from ..asking import CONTROLS, Request, values_of
from ..describe import Bars, chords, describe, level
from ..describe.chords import QUALITIES
from ..errors import BadOption, MusicError
from ..score import Score
from ..theory import key_of
from ..timing import Clock
from ._chance import Interval, mean_interval, spearman, spearman_interval, wilson
from .sides import Piece, full_bars

FEWEST = 3  # pieces with the same control, to correlate anything

Scales = Mapping[str, Mapping[str, Sequence[float]]]  # style -> descriptor -> percentiles


@dataclass(frozen=True)
class Obeyed:
    """A control of a range: what was asked and what was obtained on the notes of each piece (N,), in its own units.

    `correlation` is Spearman's with its 95 % interval, not a number where all pieces were asked for the same;
    `error` is the mean of the absolute differences with its interval.
    """

    name: str
    asked: list[float]
    obtained: list[float]
    correlation: float
    correlation_interval: Interval
    error: float
    error_interval: Interval


@dataclass(frozen=True)
class Met:
    """A wish that is met or not: the share of pieces that meet it, 0 to 1 (chords: of their beats), its interval."""

    name: str
    pieces: int
    share: float
    interval: Interval


@dataclass
class Obedience:
    """Everything that was asked; `unread`: pieces (name, reason) whose recipe tells nothing that can be compared."""

    pieces: int = 0  # with a recipe
    controls: list[Obeyed] = field(default_factory=list)
    wishes: list[Met] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)


def obedience(
    pieces: Sequence[Piece], scales_of: Callable[[str], Scales | None], rng: np.random.Generator
) -> Obedience:
    """Asked against obtained of the `pieces` that carry a recipe; `scales_of` knows a model by its digest.

    Only pieces composed from nothing count: what was composed into other music is not all of the model's making.
    """
    found = Obedience()
    values: dict[str, list[tuple[float, float]]] = {}
    hits: dict[str, list[float]] = {}
    for piece in pieces:
        recipe = _recipe(piece, found)
        if recipe is None:
            continue
        found.pieces += 1
        scales = (scales_of(recipe.model) or {}).get(recipe.request.style, {})
        for name, pair in _controls(piece.score, recipe.request, scales).items():
            values.setdefault(name, []).append(pair)
        wanted = [name for name in CONTROLS if getattr(recipe.request, name) is not None]
        if lacking := [name for name in wanted if CONTROLS[name][0] not in scales]:
            reason = f"{', '.join(lacking)}: no scale, the model {recipe.model} is not at hand; name its file: --model"
            found.unread.append((piece.name, reason))
        for name, value in _wishes(piece.score, recipe.request).items():
            hits.setdefault(name, []).append(value)
    found.controls = [_obeyed(name, values[name], rng) for name in CONTROLS if name in values]
    found.wishes = [_met(name, hits[name], rng) for name in ("bars", "key", "metre", "instruments", "chords")
                    if name in hits]  # fmt: skip
    return found


def _recipe(piece: Piece, found: Obedience) -> recipes.Recipe | None:
    """The recipe of a piece composed from nothing; another one is noted in `found`."""
    if piece.score.recipe is None:
        return None
    try:
        recipe = recipes.read(piece.score.recipe)
    except BadOption as error:
        found.unread.append((piece.name, str(error)))
        return None
    if recipe.verb != "compose":
        found.unread.append((piece.name, f"made by `{recipe.verb}` from other music"))
        return None
    return recipe


def _controls(score: Score, request: Request, scales: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, float]]:
    """Control -> (asked, obtained on the notes), means over the bars; those that were asked and have a scale."""
    wanted = {name: entry for name, (entry, _, _) in CONTROLS.items() if getattr(request, name) is not None}
    known = {name: entry for name, entry in wanted.items() if entry in scales}
    if not known:
        return {}
    measures = describe(score).measures
    count = len(next(iter(measures.values())))
    return {
        name: (
            float(values_of(getattr(request, name), count).mean()),
            float(level(entry, measures[entry], scales[entry]).mean()),
        )
        for name, entry in known.items()
    }


def _wishes(score: Score, request: Request) -> dict[str, float]:
    """Wish -> 1 where it is met, else 0; of chords the share of beats on which the root asked for is heard."""
    found: dict[str, float] = {}
    if request.bars is not None:
        found["bars"] = float(full_bars(score) == request.bars)
    if request.key is not None:
        key = key_of(score)
        found["key"] = float((key.tonic, key.mode) == tuple(request.key))
    if request.metre is not None:
        metres = {(bar.numerator, bar.denominator) for bar in Clock(score).bars}
        found["metre"] = float(metres == {tuple(request.metre)})
    if request.programs:
        used = [score.tracks[track].program for track in np.unique(score.notes["track"])]
        found["instruments"] = float(sorted(used) == sorted(request.programs))
    if request.chords:
        found["chords"] = _roots(score, request.chords)
    return found


def _roots(score: Score, wanted: Sequence[tuple[float, int]]) -> float:
    """Share of the beats behind the first chord asked for on which its root is heard, 0 to 1."""
    try:
        bars = Bars(score)
    except MusicError:
        return 0.0
    heard = chords(bars)
    inside = bars.beat_bar - bool(score.upbeat)
    first = np.searchsorted(inside, np.arange(inside.max() + 1))
    at = 1 + inside + (np.arange(len(inside)) - first[inside]) / np.maximum(1, np.bincount(inside)[inside])
    asked = np.searchsorted([bar for bar, _ in wanted], at + 1e-6, side="right") - 1
    named = asked >= 0
    roots = np.array([chord // len(QUALITIES) for _, chord in wanted])[asked]
    right = (heard >= 0) & (heard // len(QUALITIES) == roots)
    return float(right[named].mean()) if named.any() else 0.0


def _obeyed(name: str, pairs: list[tuple[float, float]], rng: np.random.Generator) -> Obeyed:
    asked, obtained = (np.array(side) for side in zip(*pairs, strict=True))
    error = np.abs(asked - obtained)
    correlation, interval = math.nan, (math.nan, math.nan)
    if len(asked) >= FEWEST and np.ptp(asked) > 0:
        correlation, interval = spearman(asked, obtained), spearman_interval(asked, obtained, rng)
    return Obeyed(
        name, asked.tolist(), obtained.tolist(), correlation, interval, float(error.mean()), mean_interval(error, rng)
    )


def _met(name: str, values: list[float], rng: np.random.Generator) -> Met:
    if name == "chords":
        return Met(name, len(values), float(np.mean(values)), mean_interval(np.array(values), rng))
    share, low, high = wilson(round(sum(values)), len(values))
    return Met(name, len(values), share, (low, high))
