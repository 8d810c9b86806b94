"""`evaluate`: composed pieces beside real ones by everything that this room knows, as one `Evaluation`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..errors import BadOption
from ..score import Score
from . import structure
from ._chance import Interval, mean_interval
from .borrowing import Borrowed, Found, borrowed
from .distances import Apart, Frechet, apart, frechet
from .features import features_of, table_of
from .hearing import Hearing
from .metrics import METRICS, measured
from .obedience import Obedience, Scales, obedience
from .sides import FIRST, LAST, Piece, Side, alike, common_bars, doubles, full_bars
from .telling import CLASSIFIERS, Told, told_apart, why_not

FEW = 10  # pieces a side; with fewer, little can be said
SPARE = 2  # pieces a side, below which nothing can be compared
NAMED = 5  # pieces named in a remark


@dataclass(frozen=True)
class Compared:
    """A metric of both sides over spans of `bars` bars: how many pieces have it, and what they have.

    `ours` and `theirs` are means (of a number), or means of every entry (of a histogram or matrix, nested lists); the
    intervals, of numbers alone, are 95 % bootstrap intervals of the means.
    """

    name: str
    unit: str
    bars: int
    pieces: tuple[int, int]
    ours: Any
    theirs: Any
    ours_interval: Interval | None
    theirs_interval: Interval | None
    apart: Apart | None


@dataclass(frozen=True)
class Counted:
    """A side: how many pieces there were, how many have a span, which were left out and why."""

    found: int
    compared: int
    bars: tuple[int, int, int]  # fewest, median, most full bars of those that could be heard
    skipped: list[tuple[str, str]] = field(default_factory=list)
    alike: list[list[str]] = field(default_factory=list)  # names of pieces that have the same notes in these bars


@dataclass(frozen=True)
class Evaluation:
    """Composed pieces beside real ones. Every figure with an interval is at 95 %; see the docs of each part."""

    generated: Counted
    real: Counted
    bars: int  # of the span taken of every piece
    take: str  # "last" or "first"
    seed: int
    notes_only: bool
    remarks: list[str]
    told: Told | None
    frechet: Frechet | None
    metrics: list[Compared]
    similarity: tuple[list[list[float]], list[list[float]]]  # mean matrices of self-similarity (bars, bars)
    obedience: Obedience
    borrowed: Borrowed | None  # where the training music is known
    untold: str = ""  # why no classifier judged them, where none did

    def as_json(self) -> dict[str, Any]:
        """All figures as plain JSON; what is no number is None, arrays are lists."""
        return _plain(asdict(self))


def evaluate(
    generated: Iterable[Piece], real: Iterable[Piece], *, seed: int = 0, bars: int | None = None, take: str = LAST,
    notes_only: bool = False, classifier: str = "linear", scales_of: Callable[[str], Scales | None] | None = None,
    known: Callable[[Sequence[Score]], list[Found]] | None = None,
    skipped: tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]]] = ((), ()),
) -> Evaluation:  # fmt: skip
    """Compare composed pieces with real ones.

    Of every piece the last (`take` "first": the first) `bars` full bars are compared, by default as many as nine in
    ten pieces of each side have, 4 to 16; shorter pieces are left out and named. `notes_only` leaves loudness and
    tempo out of what the classifier and the Fréchet distance go by. `known` says what of a score stands in the
    training music, `scales_of` the scales of a model by its digest: without them originality and controls are left
    out. `skipped` are files that could not be read, to be named with the others. The classifier judges pieces of one
    side that have the same notes once. Raises `BadOption` where a side has fewer than two pieces to compare,
    `UnknownName` and `MissingExtra` for a classifier.
    """
    if take not in (LAST, FIRST):
        raise BadOption(f"no spans {take!r}; there are {LAST} and {FIRST}")
    sides = [Side.of(generated), Side.of(real)]
    for side, broken in zip(sides, skipped, strict=True):
        side.skipped[:0] = broken
    for side, name in zip(sides, ("generated", "real"), strict=True):
        _enough(len(side.pieces), name, side, "that can be heard")
    span = common_bars(sides, bars)
    heard = [_spans(side, span, take) for side in sides]
    for side, own, name in zip(sides, heard, ("generated", "real"), strict=True):
        _enough(len(own), name, side, f"of {span} bars or more; ask for shorter spans: --bars")
    rng = np.random.default_rng(seed)
    table = table_of(*([features_of(one, take, notes_only=notes_only) for one in own] for own in heard))
    groups = [alike([one.score for one in own]) for own in heard]
    once = table.only(*([group[0] for group in own] for own in groups))
    counted = [_counted(*each) for each in zip(sides, heard, groups, strict=True)]
    return Evaluation(
        counted[0], counted[1], span, take, seed, notes_only, _remarks(sides, counted),
        told_apart(once, rng, classifier=classifier),
        frechet(table.ours, table.theirs, rng) if table.names else None, compared(sides, span, take, rng),
        (_matrix(heard[0], span), _matrix(heard[1], span)),
        obedience(sides[0].pieces, scales_of or (lambda digest: None), rng),
        borrowed([one.score for one in heard[0]], [one.score for one in heard[1]], known, rng) if known else None,
        why_not(once),
    )  # fmt: skip


def _spans(side: Side, bars: int, take: str) -> list[Hearing]:
    """The spans of a side; pieces that are too short are noted as left out."""
    found = []
    for piece, span in zip(side.pieces, side.heard(bars, take), strict=True):
        if span is None:
            count = full_bars(piece.score)
            side.skipped.append((piece.name, f"{count} bars long, spans are {bars}" if count < bars else "silent bars"))
        else:
            found.append(span)
    return found


def _enough(count: int, name: str, side: Side, what: str) -> None:
    """Raise where nothing can be compared; the first reasons for leaving pieces out are named."""
    if count < SPARE:
        why = "; ".join(f"{piece}: {reason}" for piece, reason in side.skipped[:NAMED])
        raise BadOption(f"{count} {name} pieces {what}; two at least can be compared{' (' + why + ')' if why else ''}")


def _counted(side: Side, heard: Sequence[Hearing], groups: Sequence[Sequence[int]]) -> Counted:
    bars = side.bars()
    of_all = int(bars.min()), int(np.median(bars)), int(bars.max())
    unheard = len(side.skipped) - (len(side.pieces) - len(heard))
    left = {name for name, _ in side.skipped}
    names = [piece.name for piece in side.pieces if piece.name not in left]
    same = [[names[place] for place in group] for group in groups if len(group) > 1]
    return Counted(len(side.pieces) + unheard, len(heard), of_all, side.skipped, same)


def _remarks(sides: Sequence[Side], counted: Sequence[Counted]) -> list[str]:
    """What a reader of the figures has to know first."""
    found = []
    for name, side in zip(("generated", "real"), counted, strict=True):
        if side.compared < FEW:
            found.append(
                f"only {side.compared} {name} pieces can be compared: with fewer than {FEW} a side the intervals are "
                "wide, and little can be said"
            )
        if side.alike:
            all_of = [piece for group in side.alike for piece in group]
            kinds = "one and the same" if len(side.alike) == 1 else f"only {len(side.alike)} different ones"
            found.append(f"{len(all_of)} {name} pieces are {kinds} in the bars compared: {_named(all_of)}")
    left = {name for name, _ in sides[0].skipped}
    if copied := [name for name in doubles(*sides) if name not in left]:
        found.append(f"{len(copied)} generated pieces have the very notes of a real one: {_named(copied)}")
    return found


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (" ..." if len(names) > NAMED else "")


def compared(sides: Sequence[Side], bars: int, take: str, rng: np.random.Generator) -> list[Compared]:
    """Every metric of both sides over spans of `bars` bars; bars that return over spans of twice the distance."""
    found = []
    needed = dict.fromkeys(METRICS, bars) | {f"repetition_{lag}": max(bars, 2 * lag) for lag in structure.LAGS}
    for length in sorted(set(needed.values())):
        tables = [[measured(one) for one in side.heard(length, take) if one is not None] for side in sides]
        for name in (name for name, own in needed.items() if own == length):
            values = [_having([piece[name] for piece in own]) for own in tables]
            found.append(_compared(name, length, values, rng))
    order = list(METRICS)
    return sorted(found, key=lambda one: order.index(one.name))


def _having(values: Sequence[Any]) -> np.ndarray:
    """The values of the pieces that have a metric, (N, ...)."""
    return np.array([value for value in values if np.isfinite(value).all()], dtype=float)


def _compared(name: str, bars: int, values: Sequence[np.ndarray], rng: np.random.Generator) -> Compared:
    ours, theirs = values
    return Compared(
        name, METRICS[name].unit, bars, (len(ours), len(theirs)), _mean(ours), _mean(theirs),
        _sureness(ours, rng), _sureness(theirs, rng), apart(ours, theirs, rng),
    )  # fmt: skip


def _mean(values: np.ndarray) -> Any:
    return values.mean(axis=0).tolist() if len(values) else None


def _sureness(values: np.ndarray, rng: np.random.Generator) -> Interval | None:
    return mean_interval(values, rng) if len(values) and values.ndim == 1 else None


def _matrix(heard: Sequence[Hearing], bars: int) -> list[list[float]]:
    """Mean matrix of self-similarity of spans, (bars, bars); a bar behind the last note is like none."""
    total = np.zeros((bars, bars))
    for one in heard:
        matrix = structure.similarity_matrix(one)[:bars, :bars]
        total[: len(matrix), : len(matrix)] += matrix
    return np.round(total / max(1, len(heard)), 4).tolist()


def _plain(value: Any) -> Any:
    """Nothing of numpy, nothing that JSON does not know."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


__all__ = ["CLASSIFIERS", "Compared", "Evaluation", "Piece", "evaluate"]
