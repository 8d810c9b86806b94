"""One trained model in figures that can stand beside those of another: what held-out music costs it, and its pace.

Bits a note: the nats of all that a model chooses in all steps of the held-out music, in bits (over ln 2), by the notes
of that music. A step may be a note, a sixteenth or a word: the music is the same, so that the sums can be compared.
They cannot where an encoding does not hold the music (`hears`), or where a family gives no chances (`likelihood`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ..corpus import Piece
from ..models.base import Composer
from ..score import TICKS_PER_BEAT, Score
from ..transform import resample
from . import checkpoint, logs
from .batches import whole_pieces
from .budget import steps_an_epoch
from .judging import AT_ONCE, judge_pieces
from .loop import Run

ASIDE = ("velocity", "program", "part")  # fields that say how loud and who, which not every encoding says
HEARD = 0.99  # share of the notes that must come back whole for bits to be comparable
EXACT, BOUND, SAMPLED, NONE = "exact", "at most", "estimated", "none"
COMPARABLE = (EXACT, BOUND, SAMPLED)


@dataclass(frozen=True)
class Held:
    """How much of held-out music an encoding holds, as shares of its notes from 0 to 1."""

    onsets: float  # notes that come back at their time and pitch
    whole: float  # ... and with their duration
    unknown: float  # share of the steps whose word the vocabulary lacks; they cost nothing, and are not heard


@dataclass(frozen=True)
class Cost:
    """Bits a note of held-out music; None where there is no such figure."""

    told: float | None  # with style, key, tempo, metre, place and bars to come, as far as the encoding tells them
    untold: float | None  # with none of them
    alone: float | None  # told, without velocities and instruments
    likelihood: str = EXACT
    why: str = ""
    by_field: dict[str, float] = field(default_factory=dict)


def cost(run: Run, pieces: Sequence[Piece], notes: int) -> Cost:
    """What held-out `pieces` of so many `notes` cost the weights that the run has kept."""
    checkpoint.load(run.best, run.model, run.average, run.optimisers)
    run.model.load_state_dict(run.average)
    kind, why = likelihood(run.model)
    if kind == NONE or not pieces or not notes:
        return Cost(None, None, None, NONE, why or "nothing is held out")
    everything = frozenset(entry.name for entry in run.model.fields if entry.droppable)
    steps = _steps_of(run, pieces)
    told, untold = (
        {
            name: nats * steps / math.log(2) / notes
            for name, nats in judge_pieces(run, run.model, pieces, drop, False).nats.items()
        }
        for drop in (run.optional, everything)
    )
    alone = sum(bits for name, bits in told.items() if name not in ASIDE)
    return Cost(sum(told.values()), sum(untold.values()), alone, kind, why, told)


def likelihood(model: Composer) -> tuple[str, str]:
    """Whether a family's nats are those of the music, and what there is to say of them."""
    if model.stride > 1:
        if not hasattr(model, "beta"):
            return NONE, "a block is judged given itself, or by a distance: there is no chance of music"
        if model.beta != 1:
            return NONE, f"with beta={model.beta:g} its loss bounds nothing"
        return BOUND, "the negative evidence lower bound: its bits are this or fewer"
    if getattr(model, "last_only", False):
        return SAMPLED, "estimated from every sixteenth step"
    return EXACT, ""


def _steps_of(run: Run, pieces: Sequence[Piece]) -> int:
    """Steps of the pieces that are learnt and judged, each once."""
    batches = whole_pieces(run.cache, run.encoding, pieces, run.plan.window, AT_ONCE, run.scales)
    return sum(int(batch["mask"].sum()) for batch in batches)


# --- what an encoding holds


def held(run: Run, pieces: Sequence[Piece], real: Sequence[Score]) -> Held:
    """How much of the `real` music comes back from the steps of its pieces."""
    onsets = whole = notes = unknown = steps = 0
    column = run.encoding.columns.get(getattr(run.encoding, "worded", ""))
    for piece, score in zip(pieces, real, strict=True):
        rows = np.asarray(run.cache.steps[piece.start : piece.start + piece.length])
        again, truth = _notes(run.encoding.decode(rows)), _notes(score)
        onsets += sum((Counter(one[:2] for one in again) & Counter(one[:2] for one in truth)).values())
        whole += sum((Counter(again) & Counter(truth)).values())
        notes += len(truth)
        if column is not None:
            unknown, steps = unknown + int((rows[1:, column] < 0).sum()), steps + len(rows) - 1
    return Held(onsets / max(1, notes), whole / max(1, notes), unknown / max(1, steps))


def _notes(score: Score) -> list[tuple[int, int, int]]:
    """(onset, pitch, duration) of every note at 24 ticks a beat, from the first onset on."""
    notes = resample(score, TICKS_PER_BEAT).notes
    first = int(notes["onset"].min()) if len(notes) else 0
    return [(onset - first, pitch, duration) for onset, duration, pitch, *_ in notes.tolist()]


# --- pace


def seconds_an_epoch(run: Run, folder: Path) -> tuple[float | None, float]:
    """Seconds of training in which as much music is heard as there is, judging left out, and how many epochs were.

    A family that counts hears its music once for each order.
    """
    state = run.state
    if hasattr(run.model, "fit"):
        return state["seconds"] / max(1, state["steps"]), float(state["steps"])
    epoch = steps_an_epoch(run.cache, run.plan)
    rows = logs.read(folder)
    paces = [
        (float(after["seconds"]) - float(before["seconds"])) / (int(after["step"]) - int(before["step"]))
        for before, after in pairwise(rows)
        if not before.get("valid") and int(after["step"]) > int(before["step"])
    ]  # judging takes place behind a line that says what came of it
    whole = state["seconds"] / max(1, state["step"])
    return (median(paces) if paces else whole) * epoch, state["step"] / epoch


def measured(run: Run, folder: Path, pieces: Sequence[Piece], real: Sequence[Score]) -> dict[str, Any]:
    """All figures of a finished run on the held-out `pieces`, whose music is `real`."""
    state: dict[str, Any] = checkpoint.peek(run.last)
    run.state |= state
    seconds, epochs = seconds_an_epoch(run, folder)
    notes = sum(map(len, real))
    found, heard = cost(run, pieces, notes), held(run, pieces, real)
    health = state.get("health") or {}
    return {
        "bits": found.told, "bits_untold": found.untold, "bits_alone": found.alone, "likelihood": found.likelihood,
        "why": found.why, "bits_by_field": found.by_field, "hears": heard.whole if real else None,
        "hears_onsets": heard.onsets if real else None,
        "unknown": heard.unknown, "comparable": found.likelihood in COMPARABLE and heard.whole >= HEARD,
        "held_out_notes": notes, "seconds_per_epoch": seconds, "epochs": epochs, "seconds": state["seconds"],
        "steps": state["step"], "verdict": health.get("verdict", ""), "warnings": health.get("warnings", []),
        "composed": health.get("composed"), "real": health.get("real"),
    }  # fmt: skip


__all__ = ["COMPARABLE", "HEARD", "Cost", "Held", "cost", "held", "likelihood", "measured", "seconds_an_epoch"]
