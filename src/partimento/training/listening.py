"""What weights compose: a few short pieces with fixed seeds, measured beside real ones.

The pieces take their metre, key, tempo, instruments and length from real pieces of every style, held-out ones first, so
that like is compared with like. No rule helps the model: what it would do by itself is heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..corpus import Piece
from ..encodings import Encoding
from ..encodings.base import Plan
from ..errors import PartimentoError
from ..model_file import Model
from ..models.base import Composer
from ..originality import build, copied
from ..profile import decoded
from ..sampling import Sampling, sample
from ..score import Score
from ..theory import pitched
from ..timing import Clock
from ..transform import cut
from .copying import MEASURES, RUN, repetition, unlikeness

if TYPE_CHECKING:
    from .loop import Run

PIECES, REAL = 8, 32  # that are composed, and that they are measured beside
ENOUGH = 16  # real pieces; where fewer are held out, training pieces join them
BARS = 16  # of each, at most
MOST_STEPS = 500  # of a piece; one that goes on is broken off
SEED = 20_261  # of what is composed; the same for all weights, so that they differ by themselves alone
ONE_NOTE = 0.6  # share of the notes on one pitch from which a piece counts as one note for ever
FEWEST_CLASSES = 3  # pitch classes; a piece of fewer counts so too
MOST_FALLEN, REAL_FALLEN = 0.5, 0.25  # share of such pieces from which a model has collapsed, and of real ones below


@dataclass(frozen=True)
class Heard:
    """Pieces composed with some weights, or real ones, measured."""

    pieces: int
    notes: int
    fallen: float  # share of the pieces that are one note for ever, or nothing
    copied: float | None  # share of the notes in runs that stand in the training music
    repetition: dict[str, float]  # means of `copying.MEASURES`
    unlike: float = 0.0  # how far from real repetition, see `copying.unlikeness`

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Listener:
    """Composes with a run's weights and measures what comes; building it reads the training music once."""

    def __init__(self, run: Run):
        self.encoding: Encoding = run.encoding
        self.spec = run.cache.spec
        held_out, learnt = _spread(run.cache.of("valid"), REAL), run.cache.of("train")
        models = held_out + _spread(learnt, max(0, ENOUGH - len(held_out)))
        found = [_beginning(score) for score in decoded(run.cache, self.encoding, models)]
        pairs = [(piece, score) for piece, score in zip(models, found, strict=True) if repetition(score)]
        self.plans = [_plan(score, piece.style) for piece, score in pairs[:PIECES]]
        self.scores = [score for _, score in pairs]
        self.known = build(("", "", score) for score in decoded(run.cache, self.encoding, learnt))
        # the end of a piece shares with its beginning what it is made of, and says nothing of copying
        unheard = [score for piece, score in pairs if piece.split == "valid"] if not run.remark else []
        self.real = self._measured(self.scores, copied(self.known, unheard, RUN))

    def hear(self, model: Composer) -> Heard:
        """What `model` composes; raises `PartimentoError` where its family or encoding cannot."""
        scores = composed(playable(model, self.spec), self.encoding, self.plans)
        return self._measured(scores, copied(self.known, scores, RUN))

    def _measured(self, scores: Sequence[Score], copied: float | None) -> Heard:
        each = [repetition(score) for score in scores]
        fallen = [_has_fallen(score, found) for score, found in zip(scores, each, strict=True)]
        sound = [found for found in each if found]
        means = {name: float(np.mean([one[name] for one in sound])) for name in MEASURES} if sound else {}
        real = [repetition(score) for score in self.scores]
        return Heard(
            len(scores), sum(map(len, scores)), sum(fallen) / max(1, len(fallen)), copied, means,
            unlikeness(sound, real) if sound and real else 0.0,
        )  # fmt: skip


def has_collapsed(heard: Heard, real: Heard) -> bool:
    """Whether what was composed is one note for ever, where real music is not."""
    return heard.pieces > 0 and heard.fallen >= MOST_FALLEN and real.fallen < REAL_FALLEN


def _has_fallen(score: Score, found: dict[str, float]) -> bool:
    """Whether a piece is one note for ever, or hardly anything at all."""
    few = len(pitched(score)) < len(Clock(score).bars)
    return not found or few or found["commonest"] >= ONE_NOTE or found["classes"] < FEWEST_CLASSES


def _spread(pieces: Sequence[Piece], count: int) -> list[Piece]:
    """At most `count` pieces, of all styles in turn, spread over each."""
    by_style: dict[str, list[Piece]] = {}
    for piece in pieces:
        by_style.setdefault(piece.style, []).append(piece)
    each = -(-count // max(1, len(by_style)))
    chosen = [some[:: max(1, len(some) // max(1, each))][:each] for _, some in sorted(by_style.items())]
    turns = [some[turn] for turn in range(each) for some in chosen if turn < len(some)]
    return turns[:count]


def _beginning(score: Score) -> Score:
    """The first bars of a piece."""
    bars = Clock(score).bars
    whole = bars[bool(score.upbeat) :][:BARS]
    return cut(score, 0, whole[-1].end) if whole else score


def _plan(score: Score, style: str) -> Plan:
    """The plan of a piece that is outwardly like `score`."""
    bars, key = Clock(score).bars, score.keys[0] if score.keys else None
    whole = bars[bool(score.upbeat) :] or bars
    return Plan(
        len(whole), style, (key.tonic, key.mode) if key else None, (whole[0].numerator, whole[0].denominator),
        score.tempos[0].bpm if score.tempos else 120.0, tuple(track.program for track in score.tracks),
        upbeat=score.upbeat, goes_on=True,
    )  # fmt: skip


def playable(model: Composer, spec: dict[str, Any]) -> Model:
    """The model as it composes once it is exported, its weights in full precision."""
    from .export import graphs  # which imports the loop

    fields = [[entry.name, entry.size, entry.given] for entry in model.fields]
    members = graphs(model.cpu().eval(), int8=False)
    described = {"encoding": spec, "fields": fields, "state": model.state_spec()}
    return Model(described, {name.removesuffix(".onnx"): graph for name, graph in members.items()})


def composed(model: Model, encoding: Encoding, plans: Sequence[Plan]) -> list[Score]:
    """A piece after each of `plans`, always the same ones; a piece that goes on for too long is broken off."""
    cursors = [encoding.cursor(plan) for plan in plans]
    alike: dict[int, list[int]] = {}  # pieces composed side by side are told equally much beforehand
    for n, cursor in enumerate(cursors):
        told = cursor.prompt()
        alike.setdefault(0 if told is None else len(told[0]), []).append(n)
    rows: list[list[np.ndarray]] = [[] for _ in plans]
    for group in alike.values():
        rngs = [np.random.default_rng([SEED, n]) for n in group]
        for at, row in sample(model, [cursors[n] for n in group], Sampling(), rngs):
            rows[group[at]].append(row)
            if len(rows[group[at]]) > MOST_STEPS:
                break
    return [encoding.decode(np.array(steps), plan) for steps, plan in zip(rows, plans, strict=True)]


__all__ = ["Heard", "Listener", "PartimentoError", "composed", "has_collapsed", "playable"]
