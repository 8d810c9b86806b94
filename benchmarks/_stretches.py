"""A stretch of bars in the middle of a held-out piece: erased, filled, and set beside what stood there."""

from __future__ import annotations

import csv
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _joins import joins_of
from _pieces import rounded
from _real import HELD_OUT, STYLES, as_trained

import partimento
from partimento import model_file
from partimento.describe import DESCRIPTORS, describe
from partimento.encodings import Encoding, Unencodable
from partimento.encodings.base import Plan
from partimento.errors import FormatError, MusicError
from partimento.formats import load
from partimento.frames import AHEAD, Region, Standing, bars_of, sounds_of
from partimento.model_file import Model
from partimento.sampling import Sampling, sample
from partimento.score import DEFAULT_TEMPO, Score
from partimento.theory import in_key_pitch_classes, key_of, pitched
from partimento.timing import Bar, Clock
from partimento.transform import cut

AROUND = 2  # bars that must stand before and behind a stretch
APART = 4  # bars at least between two stretches of one piece
MOST = 8  # stretches of one piece
OTHERS = 4  # stretches of the same piece that show how far its own bars lie apart
GREEDY = Sampling(temperature=0.0)
MEASURES = (*DESCRIPTORS, "notes a bar", "pitch range", "in key")


@dataclass(frozen=True)
class Setting:
    """What all stretches of a run have in common."""

    bars: int
    candidates: int
    seed: int


@dataclass(frozen=True)
class Piece:
    """A held-out piece: its style, file, and the work it belongs to (other files may hold the same work)."""

    style: str
    path: Path
    work: str

    @property
    def name(self) -> str:
        return f"{self.style}, {self.path.parent.name}/{self.path.name}"


@dataclass(frozen=True)
class Stretch:
    """Bars of a piece that are to be filled: number of the first one, an upbeat being bar 0, else the first bar."""

    piece: Piece
    first: int

    @property
    def name(self) -> str:
        return f"{self.piece.name}, {self.first}"


def held_out(style: str, data: Path, seed: int) -> list[Piece]:
    """The held-out pieces of a style in an order drawn by `seed`, the test split before the valid split."""
    rng, found = np.random.default_rng([seed, zlib.crc32(style.encode())]), []
    for split in reversed(HELD_OUT):
        own = []
        for pack in STYLES[style].packs:
            folder = data / "packs" / pack
            with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
                entries = [entry for entry in csv.DictReader(file) if entry["split"] == split]
            own += [Piece(style, folder / entry["file"], entry["work_group"]) for entry in entries]
        found += [own[n] for n in rng.permutation(len(own))]
    return found


# --- where


def find(pieces: Sequence[Piece], encoding: Encoding, bars: int) -> Iterator[Stretch]:
    """Stretches of `bars` bars: one of every piece, then a second one of those that have it, and so on.

    Left out are pieces that cannot be read or encoded, and stretches that have nothing in the same metre beside them.
    """
    known: dict[Piece, list[int]] = {}
    for rank in range(MOST):
        for piece in pieces:
            if piece not in known:
                known[piece] = _fillable(piece, encoding, bars)
            if rank < len(known[piece]):
                yield Stretch(piece, known[piece][rank])


def _fillable(piece: Piece, encoding: Encoding, bars: int) -> list[int]:
    try:
        score = read(piece, encoding)
    except (FormatError, Unencodable, MusicError):
        return []
    return [first for first in stretches(score, bars) if others(score, first, bars)]


def read(piece: Piece, encoding: Encoding) -> Score:
    """The piece as the model of its style would have to say it."""
    return as_trained(load(piece.path), STYLES[piece.style].programs, encoding)


def stretches(score: Score, bars: int) -> list[int]:
    """First bars (index into the bars of the score) of stretches of `bars` bars, the middle one first.

    Both bars at either end's bar line have a pitched onset, `AROUND` bars stand on either side, `APART` between two.
    """
    every, upbeat = Clock(score).bars, bool(score.upbeat)
    low, high = upbeat + AROUND, len(every) - AROUND - bars
    middle, step = (low + high) // 2, bars + APART
    count = max(0, high - low) // step + 1
    wanted = [middle + sign * n * step for n in range(count + 1) for sign in ((1, -1) if n else (1,))]
    struck = _struck(score, every)
    return [first for first in wanted if low <= first <= high and _is_joined(struck, first, bars)][:MOST]


def _struck(score: Score, every: Sequence[Bar]) -> np.ndarray:
    """Which bars a pitched note begins in, (bars,) bool."""
    at = Clock(score).bar_at(pitched(score)["onset"])
    return np.bincount(at, minlength=len(every)) > 0


def _is_joined(struck: np.ndarray, first: int, bars: int) -> bool:
    return bool(struck[[first - 1, first, first + bars - 1, first + bars]].all())


def others(score: Score, first: int, bars: int) -> list[int]:
    """First bars of all stretches in the same metres elsewhere in the score, a bar apart at least."""
    every, upbeat = Clock(score).bars, bool(score.upbeat)
    struck = _struck(score, every)

    def shape(at: int) -> list[tuple[int, int, int]]:
        return [(bar.end - bar.start, bar.numerator, bar.denominator) for bar in every[at : at + bars]]

    return [
        at
        for at in range(upbeat + 1, len(every) - bars)
        if abs(at - first) > bars and _is_joined(struck, at, bars) and shape(at) == shape(first)
    ]


def replaced_by(score: Score, begin: int, end: int, notes: np.ndarray) -> Score:
    """The score with `notes` (N,) for those that begin in [begin, end)."""
    kept = score.notes[(score.notes["onset"] < begin) | (score.notes["onset"] >= end)]
    return score.with_notes(np.concatenate([kept, notes]))


def copied(score: Score, start: int, begin: int, end: int) -> Score:
    """The score with the notes that begin from tick `start` on, as long a stretch, for those in [begin, end)."""
    onset = score.notes["onset"]
    notes = score.notes[(onset >= start) & (onset < start + end - begin)].copy()
    notes["onset"] += begin - start
    return replaced_by(score, begin, end, notes)


# --- how likely


class Dictation:
    """A model that is made to say `table` (rows, columns), and what that costs it: `nats` of each composed field."""

    def __init__(self, model: Model, table: np.ndarray):
        self.model, self.encoding, self.table, self.step = model, model.encoding, table, -1
        self.begin, self.advance = model.begin, model.advance
        self.nats: Counter[str] = Counter()

    def logits(self, name: str, hidden: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """The model's own logits are read; those returned leave the dictated class alone."""
        self.step += name == self.encoding.composed[0].name
        said = self.model.logits(name, hidden, chosen).astype(np.float64)
        wanted = int(self.table[self.step, self.encoding.columns[name]])
        self.nats[name] += float(np.logaddexp.reduce(said[0]) - said[0, wanted])
        forced = np.full_like(said, -np.inf)
        forced[0, wanted] = 0.0
        return forced


class Open:
    """A cursor that says what is given and forbids nothing: real music does not know the rules of composing."""

    def __init__(self, cursor, encoding: Encoding):
        self._cursor, self._sizes = cursor, {entry.name: entry.size for entry in encoding.composed}

    def legal(self, name: str, chosen) -> np.ndarray:
        return np.ones(self._sizes[name], dtype=bool)

    def __getattr__(self, name: str):
        return getattr(self._cursor, name)


def told(encoding: Encoding, score: Score, first: int, bars: int, style: str, ahead: int = AHEAD) -> Plan:
    """What a model is told of a stretch: the music around it, key, tempo and style, no control.

    Of what follows it is told `ahead` notes at most.
    """
    region = Region(first, bars, tuple(sounds_of(score)))
    standing = Standing(encoding, score, bars_of(score), region)
    key, metre = key_of(score), standing.metres[standing.first]
    tempo = score.tempos[0].bpm if score.tempos else DEFAULT_TEMPO
    programs = tuple(program for program, _ in region.sounds)
    plan = Plan(bars, style, (key.tonic, key.mode), metre, tempo, programs, goes_on=True)
    return standing.framed(plan, {}, ahead=ahead)


def dictated(encoding: Encoding, score: Score, begin: int, end: int) -> np.ndarray:
    """The rows of the notes that begin in [begin, end) of a score whose first note is at tick 0, and the closing one.

    (N + 1, columns).
    """
    steps = encoding.encode(score).astype(np.int64)
    times = encoding.times(steps)
    onset = times - times[1]  # rows stand behind one before the music
    inside = (onset >= begin) & (onset < end) & (steps[:, encoding.columns["pitch"]] >= 0)
    return np.concatenate([steps[inside], steps[-1:]])


def nats(model: Model, plan: Plan, table: np.ndarray) -> dict[str, float]:
    """-log probability of the composed fields of `table` (rows, columns), after all that `plan` tells; by field.

    The model is asked as in composing, by the same loop, but without rules, temperature or what is legal.
    """
    dictation = Dictation(model, table)
    cursor = Open(model.encoding.cursor(plan), model.encoding)
    for _ in sample(dictation, [cursor], GREEDY, [np.random.default_rng(0)]):
        pass
    return dict(dictation.nats)


# --- what is found


def measured(score: Score, begin: int, end: int, key: tuple[int, str]) -> dict[str, float]:
    """Measures of the bars in [begin, end) by themselves: descriptors (no unit) and `MEASURES` beside them."""
    part = cut(score, begin, end)
    notes = pitched(part)
    found = {name: float(values.mean()) for name, values in describe(part).measures.items()}
    return found | {
        "notes a bar": len(notes) / len(Clock(part).bars),
        "pitch range": int(notes["pitch"].max()) - int(notes["pitch"].min()),
        "in key": float(in_key_pitch_classes(*key)[notes["pitch"] % 12].mean()),
    }


def facts(stretch: Stretch, model: Path, setting: Setting) -> dict[str, Any]:
    """A stretch filled, and all that is measured of it and of what it is set beside, rounded."""
    score, bars = read(stretch.piece, loaded(model).encoding), setting.bars
    rng = np.random.default_rng([setting.seed, zlib.crc32(stretch.name.encode())])
    places = others(score, stretch.first, bars)
    elsewhere = [places[n] for n in rng.permutation(len(places))[:OTHERS]]
    about = {"style": stretch.piece.style, "work": stretch.piece.work}
    return about | rounded(beside(score, stretch.first, elsewhere, stretch.piece.style, model, setting, rng))


def beside(
    score: Score, first: int, elsewhere: Sequence[int], style: str, model: Path, setting: Setting,
    rng: np.random.Generator,
) -> dict[str, Any]:  # fmt: skip
    """Filled bars beside the real ones, and beside those that stand `elsewhere` in the piece."""
    bars, every = setting.bars, Clock(score).bars
    begin, end = every[first].start, every[first + bars - 1].end
    empty = replaced_by(score, begin, end, score.notes[:0])  # nothing of what is erased can be known
    number, key = first + 1 - bool(score.upbeat), key_of(empty)
    filled = partimento.infill(
        empty, (number, number + bars - 1), style=style, model=model, candidates=setting.candidates,
        seed=int(rng.integers(2**31)),
    )[0].score  # fmt: skip
    kinds = {"filled": filled, "real": score, "copied": copied(score, every[elsewhere[0]].start, begin, end)}
    joins = {name: (one, first) for name, one in kinds.items()} | {"elsewhere": (score, elsewhere[0])}
    mode = key.tonic, key.mode
    return {
        "bars": [number, number + bars - 1],
        "nats": likelihoods(loaded(model), style, kinds, empty, first, bars),
        "measures": {name: measured(kinds[name], begin, end, mode) for name in ("filled", "real")},
        "others": [rounded(measured(score, every[at].start, every[at + bars - 1].end, mode)) for at in elsewhere],
        "joins": {name: [rounded(join) for join in joins_of(one, at, at + bars)] for name, (one, at) in joins.items()},
    }  # fmt: skip


def likelihoods(
    model: Model, style: str, kinds: Mapping[str, Score], empty: Score, first: int, bars: int
) -> dict[str, dict[str, float]]:
    """Nats a note, by field, of the same bars of several scores, all told the same: what stands in `empty`.

    What closing the stretch costs is counted in, as waiting.
    "unaware" are those of the real bars where what follows them is not told.
    """
    every = Clock(empty).bars
    begin, end = every[first].start, every[first + bars - 1].end
    plan, unaware = (told(model.encoding, empty, first, bars, style, ahead) for ahead in (AHEAD, 0))
    tables = {name: dictated(model.encoding, one, begin, end) for name, one in kinds.items()}
    found = {name: (plan, table) for name, table in tables.items()} | {"unaware": (unaware, tables["real"])}
    return {
        name: {field: value / (len(table) - 1) for field, value in nats(model, one, table).items()}
        for name, (one, table) in found.items()
    }


@cache
def loaded(model: Path) -> Model:
    return model_file.load(model)
