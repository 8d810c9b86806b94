"""Judging weights by whole pieces: how well each step is predicted, and how often the likeliest class is true."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..corpus import Piece
from ..models.base import Batch, Composer, autocast_for
from .batches import whole_pieces

if TYPE_CHECKING:
    from .loop import Run

MOST_JUDGED = 10_000  # steps a style, or little more, that judge the weights during a run; in the card all do
MOST_LEARNT = 2_500  # steps a style of training music that are judged beside them
AT_ONCE = 16  # windows


@dataclass(frozen=True)
class Judged:
    """Nats per step of each composed field, and its accuracy from 0 to 1 where the family says what it would choose.

    The accuracy of a field is the share of its choices whose likeliest class is the true one; of a field of units
    that are on or off, true positives by those and both kinds of error (Bay, Ehmann and Downie 2009).
    """

    nats: dict[str, float] = field(default_factory=dict)
    accuracy: dict[str, float] = field(default_factory=dict)
    overall: float | None = None  # of all choices

    @property
    def total(self) -> float | None:
        """Nats per step of all fields together; None where nothing was judged."""
        return sum(self.nats.values()) if self.nats else None


def some(pieces: Sequence[Piece], most: int) -> list[Piece]:
    """Enough pieces of a style to judge by, about `most` steps, spread over them; at least one."""
    apart = max(1, sum(piece.length for piece in pieces) // most)
    return list(pieces[::apart])


def judge(run: Run, split: str, most: int = MOST_JUDGED) -> Judged:
    """The model's present weights on a split, empty where the split is.

    Styles count as they do in training: one with much music does not decide alone which weights are kept.
    """
    by_style = {style: [p for p in run.cache.of(split) if p.style == style] for style in run.batches.styles}
    shares = {s: float(w) for s, w in zip(run.batches.styles, run.batches.shares, strict=True) if by_style[s]}
    whole = sum(shares.values())
    found = [
        (share / whole, judge_pieces(run, run.model, some(by_style[style], most), run.optional))
        for style, share in shares.items()
    ]
    nats = {name: sum(share * one.nats[name] for share, one in found) for name in (found[0][1].nats if found else ())}
    if not found or any(one.overall is None for _, one in found):
        return Judged(nats)
    names = set.intersection(*(set(one.accuracy) for _, one in found))
    accuracy = {n: sum(share * one.accuracy[n] for share, one in found) for n in found[0][1].accuracy if n in names}
    return Judged(nats, accuracy, sum(share * (one.overall or 0.0) for share, one in found))


def judge_pieces(
    run: Run, model: Composer, pieces: Sequence[Piece], drop: frozenset[str] = frozenset(), hits: bool = True
) -> Judged:
    """Whole pieces, every step once; fields named in `drop` are not told. `hits`: whether accuracy is wanted."""
    model.eval()
    nats: dict[str, float] = {}
    right: dict[str, tuple[float, float]] = {}
    steps = 0
    with torch.inference_mode():
        for batch in _told(run, model, pieces, drop):
            with autocast_for(batch["mask"].device, run.plan.precision):
                hidden = model.hidden(batch) if _is_plain(model) else None
                found, counts = (
                    model.nats(batch) if hidden is None else (model.heads.nats(hidden, batch["steps"]), batch["mask"])
                )
                if hits and hidden is not None:
                    _add_hits(right, model, hidden, batch)
            for name, value in found.items():
                nats[name] = nats.get(name, 0.0) + float((value * counts).sum())
            steps += int(counts.sum())
    nats = {name: total / max(1, steps) for name, total in nats.items()}
    accuracy = {name: hit / of for name, (hit, of) in right.items() if of}
    choices = sum(of for _, of in right.values())
    return Judged(nats, accuracy, sum(hit for hit, _ in right.values()) / choices if choices else None)


def nats_per_step(
    run: Run, model: Composer, pieces: Sequence[Piece], drop: frozenset[str] = frozenset()
) -> dict[str, float]:
    """Mean nats per step of each composed field over whole pieces; fields named in `drop` are not told."""
    return judge_pieces(run, model, pieces, drop, hits=False).nats


def nats_of_blocks(run: Run, model: Any, pieces: Sequence[Piece], draws: int) -> float:
    """Mean nats per step of a `vae` over whole pieces by its tighter bound, controls not told."""
    total, steps = 0.0, 0
    with torch.inference_mode():
        for batch in _told(run, model, pieces, run.optional):
            total += float(model.tighter(batch, draws).sum())
            steps += int(batch["mask"].sum())
    return total / max(1, steps)


def _told(run: Run, model: Composer, pieces: Sequence[Piece], drop: frozenset[str]) -> Iterator[Batch]:
    """Batches of whole pieces on the model's device, the fields of `drop` not said."""
    device = next(iter(model.state_dict().values())).device
    firsts = {entry: run.encoding.columns[entry.name] for entry in model.fields if entry.name in drop}
    for batch in whole_pieces(run.cache, run.encoding, pieces, run.plan.window, AT_ONCE, run.scales):
        batch = {name: value.to(device) for name, value in batch.items()}
        for entry, first in firsts.items():
            batch["last"][..., first : first + entry.width] = 0
            batch["steps"][..., first : first + entry.width] = 0
        yield batch


def _is_plain(model: Composer) -> bool:
    """Whether the family chooses field by field from a hidden state at every step, as `Composer` has it."""
    return model.stride == 1 and type(model).nats is Composer.nats


def _add_hits(right: dict[str, tuple[float, float]], model: Composer, hidden: Tensor, batch: Batch) -> None:
    """Add to `right`, for each composed field, how often the likeliest class was the true one, and of how many."""
    at = 0
    for entry in model.fields:
        columns = slice(at, at + entry.width)
        at += entry.width
        if entry.given:
            continue
        logits, true = model.logits(entry.name, hidden, batch["steps"]), batch["steps"][..., columns]
        counts = batch["mask"] & (true[..., 0] >= 0)
        if entry.kind == "categorical":
            hit, of = ((logits.argmax(-1) == true[..., 0]) & counts).sum(), counts.sum()
        else:
            on, truly = (logits > 0) & counts[..., None], (true > 0) & counts[..., None]
            hit, of = (on & truly).sum(), (on | truly).sum()
        before = right.get(entry.name, (0.0, 0.0))
        right[entry.name] = before[0] + float(hit), before[1] + float(of)


def seconds_to_judge(run: Run) -> float:
    """Seconds that an evaluation of a run takes, by judging a few pieces."""
    sides = [(run.cache.of("valid"), MOST_JUDGED), (run.cache.of("train"), MOST_LEARNT)]
    steps, sample = 0.0, []
    for pieces, most in sides:
        for style in run.batches.styles:
            own = some([piece for piece in pieces if piece.style == style], most)
            steps += sum(piece.length for piece in own)
            sample += own[:1]
    if not sample:
        return 0.0
    sample = sample[:AT_ONCE]
    started = time.monotonic()
    judge_pieces(run, run.model, sample, run.optional)
    return (time.monotonic() - started) * steps / sum(piece.length for piece in sample)
