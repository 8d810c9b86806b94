"""A model card: what a model learnt from, how, and how well it predicts works that it has not seen."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import torch

from .. import model_file
from ..corpus import Cache
from ..machine import processor
from ..models.base import Composer, parameter_count
from .judging import nats_per_step
from .loop import Run, TrainingPlan

# what a step of an encoding is, and how many voices it holds; elsewhere it is a note
UNITS = {
    "voices": ("voice and sixteenth", 4), "pianoroll": ("sixteenth", 1), "events": ("word", 1), "chords": ("chord", 1),
}  # fmt: skip
ATTRIBUTION = "ATTRIBUTION.csv"  # beside the folders of a corpus: the credit lines that its licences ask for
CREDITS = ("style", "file", "attribution", "licence")
LISTED = 200  # credit lines that a card holds in full


def card(run: Run, model: Composer, state: dict[str, Any], size: int, folders: Iterable[Path], command: str):
    """The card as JSON: parameters, bytes, data with licences and credits, training, nats on held-out works."""
    cache, plan = run.cache, run.plan
    return {
        "parameters": parameter_count(model),
        "bytes": size,
        "data": data_card(cache) | {"credits": credits_of(cache, folders)},
        "training": {
            "command": command, "date": date.today().isoformat(), "machine": _machine(run), **_kept(state),
            "steps": state["steps"], "seconds": round(state["seconds"]), "batch": plan.batch, "window": plan.window,
            "seed": plan.seed,
        },
        "earlier": _earlier(plan),
        **_begun_from(plan, state),
        "health": state.get("health", {}),
        "nats": held_out_nats(run, model),
    }  # fmt: skip


def _earlier(plan: TrainingPlan) -> list[dict[str, Any]]:
    """How the model was trained that this one goes on from, and the one before it ..., the latest first."""
    if not plan.start:
        return []
    before = model_file.read_info(plan.start)["card"]
    return [before["training"], *before.get("earlier", [])]


def _begun_from(plan: TrainingPlan, state: dict[str, Any]) -> dict[str, Any]:
    """The model that this one goes on from, "base": its name, what its music asks for, where new styles began.

    What was measured of its styles is left out: these are other weights.
    """
    if not plan.start:
        return {}
    info = model_file.read_info(plan.start)
    before = info["card"]
    data = {name: before["data"].get(name, {}) for name in ("licences", "sources", "credits", "fingerprint")}
    like = {style: found["like"] for style, found in state.get("like", {}).items()}
    own = {"name": Path(plan.start).name, "styles": sorted(info["styles"]), **data, "like": like}
    return {"base": own | ({"base": before["base"]} if "base" in before else {})}


def _kept(state: dict[str, Any]) -> dict[str, Any]:
    """The step whose averaged weights were kept, and "blend", how far they are from where training began to those."""
    step = _best_step(state)
    share = next((one["blend"] for one in state["history"] if one["step"] == step and "blend" in one), None)
    return {"step": step} if share is None else {"step": state["steps"], "blend": share}


def _best_step(state: dict[str, Any]) -> int:
    """The step whose averaged weights were kept; of a run that chose by held-out nats alone, the best of them."""
    if "chosen" in state:
        return state["chosen"]["step"]
    judged = [entry for entry in state["history"] if entry["valid"] is not None]
    return min(judged, key=lambda entry: entry["valid"])["step"] if judged else state["step"]


def held_out_nats(run: Run, model: Composer) -> dict[str, Any]:
    """Nats per step of the encoding (`voices`: per voice of a step), see `UNITS`, by style and side.

    "told": with all that is known of a piece (style, key, tempo, metre, place, bars to come) and no control of what
    is asked for (descriptors, chords, form); "untold": with neither.
    """
    cache = run.cache
    name_of_unit, unit = UNITS.get(cache.spec["name"], ("note", 1))
    controls = frozenset(entry.name for entry in model.fields if entry.droppable)
    found: dict[str, Any] = {"unit": name_of_unit}
    for style in sorted({piece.style for piece in cache.pieces}):
        for split in ("valid", "test"):
            pieces = [piece for piece in cache.of(split) if piece.style == style]
            for name, drop in (("told", run.optional), ("untold", controls)):
                if pieces:
                    nats = nats_per_step(run, model, pieces, drop)
                    found[f"{style}, {split}, {name}"] = round(sum(nats.values()) / unit, 4)
    return found


def data_card(cache: Cache) -> dict[str, Any]:
    """Pieces and notes a style and side, licences, and whom to credit."""
    counts = Counter((piece.style, piece.split) for piece in cache.pieces)
    notes: Counter[tuple[str, str]] = Counter()
    for piece in cache.pieces:
        notes[piece.style, piece.split] += piece.notes
    trained = {piece.name for piece in cache.pieces if piece.split == "train"}
    sources = [source for name, source in cache.sources.items() if name in trained]
    return {
        "fingerprint": cache.fingerprint,
        "pieces": {f"{style} {split}": n for (style, split), n in sorted(counts.items())},
        "notes": {f"{style} {split}": n for (style, split), n in sorted(notes.items())},
        "skipped": dict(cache.reasons),
        "licences": dict(Counter(source.get("licence", "not stated") for source in sources)),
        "sources": dict(Counter(source.get("source_repo", "not stated") for source in sources)),
    }


def _machine(run: Run) -> str:
    where = torch.cuda.get_device_name() if run.device.type == "cuda" else processor()
    return f"{where}, {run.plan.threads} thread(s), torch {torch.__version__}, {run.plan.precision}"


def credits_of(cache: Cache, folders: Iterable[Path]) -> list[list]:
    """[credit line, licence, pieces] for the training pieces that an `ATTRIBUTION.csv` names, the most pieces first."""
    lines: dict[tuple[str, str], tuple[str, str]] = {}
    for table in {place / ATTRIBUTION for folder in folders for place in (folder, folder.parent)}:
        if table.is_file():
            with table.open(encoding="utf-8-sig", newline="") as file:
                for row in csv.DictReader(file):
                    if all(row.get(name) for name in CREDITS):
                        lines[row["style"], row["file"]] = (row["attribution"], row["licence"])
    counts: Counter[tuple[str, str]] = Counter()
    for piece in cache.of("train"):
        path = Path(piece.name)
        counts.update([lines[key] for key in [(path.parent.name, path.name)] if key in lines])
    return [[*line, pieces] for line, pieces in counts.most_common(LISTED)]
