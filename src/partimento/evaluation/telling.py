"""Can a classifier tell two sets of pieces apart, and what gives them away?

The classifier two-sample test of Lopez-Paz and Oquab (2017, "Revisiting classifier two-sample tests", ICLR): a
classifier learns from some of the pieces of both sets and judges the others. Where the sets are of one kind, it is
right half the time.

By default it is a linear one, regularised least squares (Rifkin et al. 2003), over every feature and its square, so
that a set is also told by being less varied. It has a closed form, so that the hundreds of permutations which say what
chance would do cost next to nothing, and no package is needed. "forest" is scikit-learn's random forest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..errors import MissingExtra, UnknownName
from ._chance import Interval, interval_of, ranks, weights, wilson
from .features import Table

FOLDS, DEALS = 5, 4  # of cross-validation, and how often the pieces are dealt out anew
PERMUTATIONS = 300
CUT = 3.0  # standard deviations beyond which a feature counts no more
RIDGE = 1.0  # regularisation for each feature and piece
TREES, LEAF = 100, 2
FEWEST = 4  # pieces a side, to learn from any and judge any
CHANCE_PERCENTILE, LEVEL = 95, 0.05
TINY = 1e-9


@dataclass(frozen=True)
class Tell:
    """One feature by itself: `auc` is the chance that it is larger in one of our pieces than in a real one, 0 to 1.

    `lost` is what the classifier's AUC loses where the feature's values change places among the pieces that are
    judged (Breiman 2001, "Random forests", section 10).
    """

    name: str
    auc: float
    interval: Interval
    ours: tuple[float, float, float]  # quartiles
    theirs: tuple[float, float, float]
    lost: float

    @property
    def strength(self) -> float:
        """How far from a coin's toss, 0 to 0.5."""
        return abs(self.auc - 0.5)


@dataclass(frozen=True)
class Told:
    """How well two sets are told apart: `auc` is the chance that one of our pieces looks more like ours than a real
    one does, among pieces the classifier has not seen; 0.5 by chance, 1 always.

    `interval`: 95 %, pieces being drawn again (see `_auc`). `chance`: below it are 95 % of the AUCs where the pieces
    change sides at random; `p` is the share of those that reach this one (not known of a forest). `tells`: every
    feature, the most telling by itself first; by chance alone the first of so many would be within `feature_chance`
    of 0.5.
    """

    auc: float
    interval: Interval
    classifier: str
    chance: float | None
    p: float | None
    feature_chance: float
    tells: list[Tell] = field(default_factory=list)

    @property
    def telling(self) -> list[Tell]:
        """The features that tell more than the best of as many would by chance."""
        return [one for one in self.tells if one.strength > self.feature_chance]

    @property
    def is_sure(self) -> bool:
        """Whether the sets are not of one kind: chance reaches the AUC one time in twenty at most.

        The permutations decide, which are exact however few the pieces are; of a forest, which has none, the interval.
        """
        return self.p <= LEVEL if self.p is not None else self.interval[0] > 0.5


def told_apart(table: Table, rng: np.random.Generator, *, classifier: str = "linear") -> Told | None:
    """Judge two sides of pieces by their features; None for fewer than four pieces a side or no feature.

    Raises `UnknownName` for another classifier, `MissingExtra` where scikit-learn is missing.
    """
    if classifier not in CLASSIFIERS:
        raise UnknownName(f"no classifier {classifier!r}; there are {', '.join(CLASSIFIERS)}")
    if why_not(table):
        return None
    kinds = np.repeat([1.0, 0.0], [len(table.ours), len(table.theirs)])
    deals = [_deal(table.both, kinds, rng) for _ in range(DEALS)]
    scores, lost, chance = CLASSIFIERS[classifier](table.both, kinds, deals, rng)
    value, interval = _auc(scores, deals, len(table.ours), chance, rng)
    tells, feature_chance = _alone(table, kinds, lost, rng)
    limit = p = None
    if chance is not None:
        limit, p = (
            float(np.percentile(chance, CHANCE_PERCENTILE, method="higher")),  # above it p is 5 % at most
            float((1 + (chance >= value).sum()) / (1 + len(chance))),
        )
    return Told(value, interval, classifier, limit, p, feature_chance, tells)


def why_not(table: Table) -> str:
    """Why no classifier can judge two sides; nothing where one can."""
    if not table.names:
        return "no feature differs from piece to piece, so there is nothing to tell them by"
    ours, theirs = len(table.ours), len(table.theirs)
    if min(ours, theirs) < FEWEST:
        return (
            f"it learns from some pieces and judges others, {FEWEST} different ones a side at least; there are {ours} "
            f"generated and {theirs} real ones"
        )
    return ""


def _deal(table: np.ndarray, kinds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The fold of each piece (N,), as many of each kind in each as can be.

    Pieces that are alike in all features (N, F) are dealt together, or one would be judged by what its double taught.
    So no side may have many of them: nobody would have learnt from them where they are judged.
    """
    fold = np.empty(len(kinds), dtype=int)
    for kind in np.unique(kinds):
        own = np.flatnonzero(kinds == kind)
        fold[own] = rng.permutation(len(own)) % FOLDS
    _, first, twins = np.unique(table, axis=0, return_index=True, return_inverse=True)
    return fold[first[twins.ravel()]]


def _auc(
    scores: np.ndarray, deals: list[np.ndarray], ours: int, chance: np.ndarray | None, rng: np.random.Generator
) -> tuple[float, Interval]:
    """AUC of scores (deals, N) of pieces not learnt from, and its interval; only scores of one fold are compared.

    Drawing the judged pieces again leaves out that other pieces would have taught another classifier. How much all
    this spreads an AUC of 0.5, `chance` (permutations,) says; the interval is at least as wide, less so towards 0 and 1
    as with a share. Where no piece is misjudged, drawing again says nothing; the lower end is then that of as many hits
    as the smaller side has pieces (Wilson).
    """
    wins, pairs = np.zeros((ours, len(scores[0]) - ours)), np.zeros((ours, len(scores[0]) - ours))
    for score, fold in zip(scores, deals, strict=True):
        together = fold[:ours, None] == fold[ours:]
        difference = score[:ours, None] - score[ours:]
        wins += together * ((difference > 0) + 0.5 * (difference == 0))
        pairs += together
    value = float(wins.sum() / pairs.sum())
    left, right = weights(ours, rng), weights(len(scores[0]) - ours, rng)
    drawn = ((left @ wins) * right).sum(axis=1) / np.maximum(1e-12, ((left @ pairs) * right).sum(axis=1))
    spread = float(drawn.std())
    if spread < TINY:
        fewer = min(ours, len(scores[0]) - ours)
        _, low, high = wilson(round(value * fewer), fewer)
        return value, (low, high)
    least = 0.0 if chance is None else 2 * float(chance.std()) * math.sqrt(value * (1 - value))
    low, high = interval_of(value + (drawn - drawn.mean()) * max(1.0, least / spread))
    return value, (max(0.0, low), min(1.0, high))


# --- classifiers: table (N, F), kinds (N,), deals -> scores (deals, N), AUC lost by each feature (F,), AUCs by chance

Judged = tuple[np.ndarray, np.ndarray, "np.ndarray | None"]


def _linear(table: np.ndarray, kinds: np.ndarray, deals: list[np.ndarray], rng: np.random.Generator) -> Judged:
    """Regularised least squares in its dual form; column 0 of the answers is true, the others are permuted."""
    answers = np.stack([kinds, *(rng.permutation(kinds) for _ in range(PERMUTATIONS))], axis=1)
    scores = np.zeros((len(deals), len(kinds)))
    chance, lost = np.zeros(PERMUTATIONS), np.zeros(table.shape[1])
    for turn, fold in enumerate(deals):
        judged_all = np.zeros_like(answers)
        for number in range(FOLDS):
            judged = fold == number
            learnt, seen = _expanded(table[~judged], table[judged])
            goal = answers[~judged] - answers[~judged].mean(axis=0)
            kernel = learnt @ learnt.T
            kernel[np.diag_indices(len(kernel))] += RIDGE * learnt.shape[1]
            dual = np.linalg.solve(kernel, goal)
            judged_all[judged] = seen @ (learnt.T @ dual)
            if not turn:
                lost += _lost(seen, learnt.T @ dual[:, 0], kinds[judged], rng) * judged.mean()
        scores[turn] = judged_all[:, 0]
        chance += np.array([_within(judged_all[:, n], answers[:, n], fold) for n in range(1, PERMUTATIONS + 1)])
    return scores, lost, chance / len(deals)


def _expanded(learnt: np.ndarray, judged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features in standard deviations of what is learnt, and their squares, (N, 2 F) each."""
    mean, spread = learnt.mean(axis=0), np.maximum(1e-9, learnt.std(axis=0))
    sides = [np.clip((side - mean) / spread, -CUT, CUT) for side in (learnt, judged)]
    squares = [side**2 for side in sides]
    middle, width = squares[0].mean(axis=0), np.maximum(1e-9, squares[0].std(axis=0))
    first, second = (np.hstack([side, (one - middle) / width]) for side, one in zip(sides, squares, strict=True))
    return first, second


def _lost(seen: np.ndarray, slope: np.ndarray, kinds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """AUC lost among the judged pieces (M, 2 F) when a feature, and with it its square, is mixed up, (F,)."""
    whole, count = seen @ slope, len(slope) // 2
    found = np.zeros(count)
    before = _area(whole, kinds)
    for column in range(count):
        pair = [column, column + count]
        own = seen[:, pair] @ slope[pair]
        found[column] = before - _area(whole - own + rng.permutation(own), kinds)
    return found


def _within(scores: np.ndarray, kinds: np.ndarray, fold: np.ndarray) -> float:
    """AUC of scores (N,), pieces of one fold being compared; 0.5 where no fold has both kinds."""
    won, pairs = 0.0, 0
    for number in range(FOLDS):
        own = fold == number
        ours = int(kinds[own].sum())
        count = ours * (int(own.sum()) - ours)
        if count:
            won, pairs = won + _area(scores[own], kinds[own]) * count, pairs + count
    return won / pairs if pairs else 0.5


def _area(scores: np.ndarray, kinds: np.ndarray) -> float:
    """AUC of scores (N,), equal ones ranked as they stand; 0.5 without both kinds."""
    ours = int(kinds.sum())
    if ours in (0, len(kinds)):
        return 0.5
    place = np.argsort(np.argsort(scores))[kinds > 0]
    return float((place.sum() - ours * (ours - 1) / 2) / (ours * (len(kinds) - ours)))


def _forest(table: np.ndarray, kinds: np.ndarray, deals: list[np.ndarray], rng: np.random.Generator) -> Judged:
    """A random forest; what chance would do is not known, as it would have to grow for every permutation."""
    try:
        from sklearn.ensemble import RandomForestClassifier
    except ImportError as error:
        raise MissingExtra("the classifier 'forest' needs scikit-learn: pip install 'partimento[evaluate]'") from error
    scores, lost = np.zeros((len(deals), len(kinds))), np.zeros(table.shape[1])
    for turn, fold in enumerate(deals):
        for number in range(FOLDS):
            judged = fold == number
            seed = int(rng.integers(2**31))
            model = RandomForestClassifier(TREES, min_samples_leaf=LEAF, random_state=seed)
            model.fit(table[~judged], kinds[~judged])
            scores[turn, judged] = model.predict_proba(table[judged])[:, 1]
            if not turn:
                before = _area(scores[0, judged], kinds[judged])
                for column in np.flatnonzero(model.feature_importances_ > 1 / table.shape[1]):
                    mixed = table[judged].copy()
                    mixed[:, column] = rng.permutation(mixed[:, column])
                    after = _area(model.predict_proba(mixed)[:, 1], kinds[judged])
                    lost[column] += (before - after) * judged.mean()
    return scores, lost, None


CLASSIFIERS: dict[str, Callable[..., Judged]] = {"linear": _linear, "forest": _forest}


# --- every feature by itself


def _alone(table: Table, kinds: np.ndarray, lost: np.ndarray, rng: np.random.Generator) -> tuple[list[Tell], float]:
    """Every feature by itself, the most telling first, and how telling the first would be by chance."""
    place = _ranks(table.both)
    ours, theirs = len(table.ours), len(table.theirs)
    shuffled = np.stack([rng.permutation(kinds) for _ in range(PERMUTATIONS)], axis=1)
    strongest = np.abs(_areas(place, shuffled) - 0.5).max(axis=0)
    left, right = weights(ours, rng), weights(theirs, rng)
    areas = _areas(place, kinds[:, None])[:, 0]
    found = []
    for column, name in enumerate(table.names):
        one, other = table.ours[:, column], table.theirs[:, column]
        above = np.sign(one[:, None] - other) / 2 + 0.5
        drawn = ((left @ above) * right).sum(axis=1) / (ours * theirs)
        value, sure = float(areas[column]), interval_of(drawn)
        found.append(Tell(name, value, sure, _quartiles(one), _quartiles(other), float(lost[column])))
    return sorted(found, key=lambda tell: -tell.strength), float(np.percentile(strongest, CHANCE_PERCENTILE))


def _quartiles(values: np.ndarray) -> tuple[float, float, float]:
    low, middle, high = np.percentile(values, (25, 50, 75))
    return float(low), float(middle), float(high)


def _ranks(table: np.ndarray) -> np.ndarray:
    """Ranks from 0 down each column of (N, F), equal values sharing the mean of theirs."""
    return np.stack([ranks(column) for column in table.T], axis=1)


def _areas(place: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """AUC of each feature by its ranks (N, F) for each column of `kinds` (N, P), (F, P)."""
    ours = kinds.sum(axis=0)
    return (place.T @ kinds - ours * (ours - 1) / 2) / (ours * (len(kinds) - ours))
