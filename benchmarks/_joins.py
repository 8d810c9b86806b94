"""The joins between bars in figures, and whether a classifier tells two kinds of joins apart by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from _figures import DRAWS

from partimento.describe import describe
from partimento.describe.chords import QUALITIES
from partimento.errors import MissingExtra
from partimento.score import TICKS_PER_BEAT, Score
from partimento.theory import pitched
from partimento.timing import Bar, Clock
from partimento.transform import cut

SIDES = ("entering", "leaving")  # the stretch: the join at its first bar line, and the one behind its last bar
FOLDS, ROUNDS = 5, 3  # of cross-validation, and how often the pieces are dealt out anew
ROUGH = (1, 11)  # semitones within an octave that clash
BESIDE = 4  # bars on either side of a join that its chords are heard with


class Beside:
    """Two bars of a score at 24 ticks a quarter note, and the bar line between them.

    Both bars must have a pitched onset; drums are left out.
    """

    def __init__(self, score: Score, bars: Sequence[Bar], after: int):
        self.score, self.before, self.after = score, bars[after - 1], bars[after]
        self.line = self.after.start
        self.low, self.high = bars[max(0, after - BESIDE)].start, bars[min(len(bars), after + BESIDE) - 1].end
        notes = pitched(score)
        self.notes = notes[(notes["onset"] < self.after.end) & (notes["onset"] + notes["duration"] > self.before.start)]
        self.onset, self.stop = self.notes["onset"], self.notes["onset"] + self.notes["duration"]
        self.pitch = self.notes["pitch"].astype(np.int64)
        self.left = (self.onset >= self.before.start) & (self.onset < self.line)
        self.right = self.onset >= self.line
        self.last, self.first = int(self.onset[self.left].max()), int(self.onset[self.right].min())

    def sounding(self, tick: int) -> np.ndarray:
        """Pitches that sound at a tick, (N,)."""
        return self.pitch[(self.onset <= tick) & (self.stop > tick)]

    def together(self, bar: Bar) -> np.ndarray:
        """Ticks for which each note sounds in a bar, (N,)."""
        return np.clip(np.minimum(self.stop, bar.end) - np.maximum(self.onset, bar.start), 0, None)


def of_join(score: Score, bars: Sequence[Bar], after: int) -> dict[str, float]:
    """All features of the join before bar number `after` (of `bars`, from 0) of a score at 24 ticks a quarter note.

    Each is taken from the bar on either side alone, but for the chords, which are heard with their neighbours.
    """
    join = Beside(score, bars, after)
    return {name: float(value) for part in FEATURES for name, value in part(join).items()}


def _lines(join: Beside) -> dict[str, float]:
    """Semitones from what sounds at the last onset to what sounds at the first: outer lines, parts, mean pitch."""
    before, behind = join.sounding(join.last), join.sounding(join.first)
    leaps = []
    for track in np.unique(join.notes["track"]):
        own = join.notes["track"] == track
        if (own & join.left).any() and (own & join.right).any():
            ends = own & join.left & (join.onset == join.onset[own & join.left].max())
            begins = own & join.right & (join.onset == join.onset[own & join.right].min())
            leaps.append(abs(int(join.pitch[begins].max()) - int(join.pitch[ends].max())))
    top, bottom = int(behind.max()) - int(before.max()), int(behind.min()) - int(before.min())
    mean = join.pitch[join.right].mean() - join.pitch[join.left].mean()
    return {
        "top line moves": top, "top line leaps": abs(top),
        "bottom line moves": bottom, "bottom line leaps": abs(bottom),
        "parts leap": np.mean(leaps) if leaps else 0.0, "widest leap of a part": max(leaps, default=0),
        "mean pitch moves": mean, "mean pitch leaps": abs(mean),
    }  # fmt: skip


def _texture(join: Beside) -> dict[str, float]:
    """Changes from bar to bar: notes (octaves of their number), voices sounding, parts playing, loudness."""
    lengths = [bar.end - bar.start for bar in (join.before, join.after)]
    counts = [join.left.sum(), join.right.sum()]
    density = np.log2((counts[1] + 1) / lengths[1]) - np.log2((counts[0] + 1) / lengths[0])
    voices = [join.together(bar).sum() / length for bar, length in zip((join.before, join.after), lengths, strict=True)]
    players = [set(join.notes["track"][side].tolist()) for side in (join.left, join.right)]
    loud = [join.notes["velocity"][side].mean() for side in (join.left, join.right)]
    return {
        "density moves": density, "density leaps": abs(density),
        "voices more": voices[1] - voices[0], "voices differ": abs(voices[1] - voices[0]),
        "parts differ": len(players[0] ^ players[1]), "loudness differs": abs(loud[1] - loud[0]),
    }  # fmt: skip


def _harmony(join: Beside) -> dict[str, float]:
    """What both bars share in pitch classes (cosine, 0-1), the change of chord at the line, clashes beside it."""
    weights = [
        np.bincount(join.pitch % 12, weights=join.together(bar), minlength=12) for bar in (join.before, join.after)
    ]
    shared = weights[0] @ weights[1] / max(1e-9, float(np.linalg.norm(weights[0]) * np.linalg.norm(weights[1])))
    described = describe(cut(join.score, join.low, join.high))
    chords = described.chord_at(np.array([join.line - 1, join.line]) - join.low)
    roots = chords // len(QUALITIES)
    fifths = int((roots[1] - roots[0]) * 7 % 12)
    beat = TICKS_PER_BEAT
    return {
        "pitch classes shared": shared, "chord changes": chords[0] != chords[1],
        "root moves in fifths": min(fifths, 12 - fifths),
        "clashes before": _clashes(join, join.line - beat, join.line),
        "clashes after": _clashes(join, join.line, join.line + beat),
    }  # fmt: skip


def _clashes(join: Beside, begin: int, end: int) -> float:
    """Share of the notes struck in [begin, end) that meet another a semitone away, in any octave, 0 to 1."""
    struck = np.flatnonzero((join.onset >= begin) & (join.onset < end))
    meets = 0
    for note in struck:
        apart = np.abs(join.sounding(int(join.onset[note])) - join.pitch[note]) % 12
        meets += bool(np.isin(apart, ROUGH).any())
    return meets / max(1, len(struck))


def _rhythm(join: Beside) -> dict[str, float]:
    """Onsets at the same places (0-1), silence at the line, what is held over it (share of voices), lengths; quarters.

    "Room before the line" is the time from the last onset to it.
    """
    places = [set((join.onset[side] - bar.start).tolist())
              for side, bar in ((join.left, join.before), (join.right, join.after))]  # fmt: skip
    held = (join.onset < join.line) & (join.stop > join.line)
    near = (join.onset < join.line) & (join.stop >= join.line)
    silent = join.first - max(int(join.stop[join.onset < join.line].max()), join.before.start)
    lengths = join.notes["duration"]
    found = {
        "rhythm shared": len(places[0] & places[1]) / len(places[0] | places[1]),
        "held over": held.sum() / max(1, near.sum()), "struck on the line": join.first == join.line,
    }  # fmt: skip
    quarters = {
        "silence": max(0, silent), "room before the line": join.line - join.last,
        "last length": lengths[join.left & (join.onset == join.last)].mean(),
        "first length": lengths[join.right & (join.onset == join.first)].mean(),
    }  # fmt: skip
    return found | {name: value / TICKS_PER_BEAT for name, value in quarters.items()}


FEATURES: tuple[Callable[[Beside], dict[str, float]], ...] = (_lines, _texture, _harmony, _rhythm)


def joins_of(score: Score, first: int, stop: int) -> list[dict[str, float]]:
    """The features of the joins before bar number `first` and before bar number `stop`, one for each of `SIDES`."""
    bars = Clock(score).bars
    return [of_join(score, bars, first), of_join(score, bars, stop)]


# --- telling two kinds apart


@dataclass(frozen=True)
class Pairs:
    """Joins of two kinds at the same places: features `ours` and `theirs` (N, features), the group of each pair (N,).

    Pairs of one group are never both learnt from and judged by.
    """

    names: tuple[str, ...]
    ours: np.ndarray
    theirs: np.ndarray
    groups: np.ndarray

    @classmethod
    def of(cls, ours: Sequence[dict], theirs: Sequence[dict], groups: Sequence) -> Pairs:
        names = tuple(ours[0])
        tables = [np.array([[one[name] for name in names] for one in kind], dtype=float) for kind in (ours, theirs)]
        return cls(names, *tables, np.unique(np.asarray(groups), return_inverse=True)[1])

    @property
    def count(self) -> int:
        """How many groups there are."""
        return int(self.groups.max()) + 1 if len(self.groups) else 0

    def alone(self, chosen: np.ndarray) -> Pairs:
        """The pairs marked by `chosen` (N,) bool."""
        groups = np.unique(self.groups[chosen], return_inverse=True)[1]
        return Pairs(self.names, self.ours[chosen], self.theirs[chosen], groups)


@dataclass
class Told:
    """How often a classifier was right about joins that it had not learnt from."""

    accuracy: float
    interval: tuple[float, float]
    losses: dict[str, float] = field(default_factory=dict)  # accuracy that goes when a feature is mixed up

    def as_json(self) -> dict[str, Any]:
        return {"accuracy": self.accuracy, "interval": list(self.interval), "losses": self.losses}


def told_apart(pairs: Pairs, seed: int, *, losses: bool = False) -> dict[str, Told]:
    """Accuracy (0-1; 0.5 is chance, both kinds being equally many) of every classifier of `classifiers`.

    Cross-validated in `FOLDS` folds of whole groups, which are dealt out `ROUNDS` times; the interval is a 95 %
    bootstrap over the groups. With `losses`, the mean accuracy that is lost when one feature's values change places
    among the joins that are judged (Breiman 2001, "Random forests", section 10).
    """
    table = np.concatenate([pairs.ours, pairs.theirs])
    kinds = np.repeat([1, 0], len(pairs.ours))
    groups = np.tile(pairs.groups, 2)
    found = {}
    for name in classifiers(seed):
        rng = np.random.default_rng(seed)
        right, lost = np.zeros(len(kinds)), np.zeros(len(pairs.names))
        for turn in range(ROUNDS):
            fold = (rng.permutation(pairs.count) % min(FOLDS, pairs.count))[groups]
            for number in range(fold.max() + 1):
                judged = fold == number
                model = classifiers(seed + turn)[name].fit(table[~judged], kinds[~judged])
                hits = model.predict(table[judged]) == kinds[judged]
                right[judged] += hits / ROUNDS
                if losses and not turn:
                    lost += _lost(model, table[judged], kinds[judged], hits, rng) / len(kinds)
        sums = [np.bincount(groups, weights=weights) for weights in (right, np.ones(len(right)))]
        parts = dict(zip(pairs.names, lost.tolist(), strict=True)) if losses else {}
        found[name] = Told(float(right.mean()), mean_interval(*sums, seed), parts)
    return found


def _lost(model, table: np.ndarray, kinds: np.ndarray, hits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How many fewer of the joins in `table` (M, features) are right when each feature is mixed up, (features,)."""
    found = np.zeros(table.shape[1])
    for column in range(table.shape[1]):
        mixed = table.copy()
        mixed[:, column] = rng.permutation(mixed[:, column])
        found[column] = hits.sum() - (model.predict(mixed) == kinds).sum()
    return found


def classifiers(seed: int) -> dict[str, Any]:
    """What tries to tell joins apart, untrained; raises `MissingExtra` without scikit-learn."""
    try:
        from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise MissingExtra("telling joins apart needs scikit-learn: pip install 'partimento[benchmark]'") from error
    return {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)),
        "random forest": RandomForestClassifier(100, min_samples_leaf=3, random_state=seed),
        "gradient boosting": GradientBoostingClassifier(
            n_estimators=100, max_depth=3, learning_rate=0.05, subsample=0.7, random_state=seed
        ),
    }


@dataclass(frozen=True)
class Alone:
    """One feature of two kinds of joins: their means, and how far ours lies above theirs in standard deviations."""

    name: str
    ours: float
    theirs: float
    apart: float
    interval: tuple[float, float]


def each_alone(pairs: Pairs, seed: int) -> list[Alone]:
    """Every feature by itself, the most telling first; 0 apart where it never changes (Cohen's d, both kinds pooled).

    The interval is a 95 % bootstrap over the groups.
    """
    found = []
    for column, name in enumerate(pairs.names):
        ours, theirs = pairs.ours[:, column], pairs.theirs[:, column]
        spread = float(np.sqrt((ours.var() + theirs.var()) / 2)) or 1.0
        apart = (ours - theirs) / spread
        sums = [np.bincount(pairs.groups, weights=weights) for weights in (apart, np.ones(len(apart)))]
        found.append(
            Alone(name, float(ours.mean()), float(theirs.mean()), float(apart.mean()), mean_interval(*sums, seed))
        )
    return sorted(found, key=lambda one: -abs(one.apart))


def mean_interval(sums: np.ndarray, counts: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % interval of a mean, whole groups being drawn again (bootstrap): their sums and sizes, (groups,) each."""
    draws = np.random.default_rng(seed).integers(len(sums), size=(DRAWS, len(sums)))
    low, high = np.percentile(sums[draws].sum(axis=1) / counts[draws].sum(axis=1), (2.5, 97.5))
    return float(low), float(high)
