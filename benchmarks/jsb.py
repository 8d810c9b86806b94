"""Likelihood of the Bach chorales on the official split, learnt from its train split alone.

    python benchmarks/jsb.py --preset cpu --steps 900
    python benchmarks/jsb.py --preset gpu --minutes 25 --device cuda
    python benchmarks/jsb.py --grid quarter --steps 900 --work runs/jsb-quarter

A cell is one voice at one sixteenth; the figure is nats per cell, jointly over the four voices, as the literature
reports it for `Jsb16thSeparated.json` (229 pieces to learn from, 76 to choose by, 77 to report). The model is told
nothing that a listener would not know by then: neither key nor metre nor length, only the number of sixteenths since
the beginning (by sixteens) and what sounds. There is one model, one pass, one key: no averaging of any kind.

With `--grid quarter` the pieces are those of Boulanger-Lewandowski et al. (2012), a frame of 88 binary keys a quarter
note, and the figure is nats per frame. A frame is scored as one way of giving its keys to four voices, see
`voices_of`; as there are others, its chance is at least that, and the figure at most too high.

That data do not tell holding a note from striking it again, our encoding does; what a cell sounds is scored, so the
two are added up. 22 of the 77 test sopranos are tunes of the train split as well; the other 55 are reported apart.
A run that was killed goes on with the same command.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _figures import DATA, announce, bootstrap, origin, table, write_json
from torch import Tensor

from partimento.corpus import Cache, Piece
from partimento.encodings import Encoding, get_encoding
from partimento.encodings.base import STEP_DTYPE
from partimento.encodings.voices import FIRST_PITCH, HOLD, REST, SCORE_ORDER, VOICES
from partimento.models.base import Composer, autocast_for, parameter_count
from partimento.training import checkpoint
from partimento.training.batches import collate
from partimento.training.loop import Run, TrainingPlan

FILES = {
    "sixteenth": Path("jsb") / "Jsb16thSeparated.json",
    "quarter": Path("jsb") / "jsb-chorales-quarter.json",
}
SPLITS = ("train", "valid", "test")
BAR = 16  # sixteenths by which the place is told; whether a bar line stands there, the model is not told
RUN = 12  # notes in a row that make a passage of one tune a passage of another
SAME_TUNE = 0.6  # share of a soprano's notes in such passages from which it counts as a tune of the train split
SCORED_TOGETHER = 8  # pieces
TIMED_STEPS, SPARE = 12, 0.9  # steps timed to turn minutes into steps; the rest of the time is for judging
WHOLE_OPTIONS = ("width", "layers", "heads", "head_width", "intervals", "recall")  # of a family
SHARE_OPTIONS = ("dropout", "missed", "forgotten")
JUDGED = 12  # times in a run


@dataclass(frozen=True)
class Preset:
    """A setting for a kind of machine; options change single numbers of it, the valid split says which are better."""

    family: str
    options: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)


PRESETS = {
    "cpu": Preset(
        "relative",
        {"width": 256, "dropout": 0.6, "head_width": 160, "intervals": 16, "missed": 0.2, "recall": 256},
        {"batch": 12, "window": 384, "rate": 2e-3, "weight_decay": 0.3, "device": "cpu", "precision": "bf16"},
    ),
    "gpu": Preset(
        "transformer",
        {"width": 320, "layers": 8, "heads": 8, "dropout": 0.3, "head_width": 256},
        {"batch": 32, "window": 512, "rate": 2e-3, "device": "cuda", "precision": "bf16"},
    ),
}


# --- the data


def read(path: Path) -> dict[str, list[np.ndarray]]:
    """Pitches (T, 4) of every piece of each split, soprano to bass, -1 where a voice rests.

    Pieces whose frames are sets of keys, as those on the quarter-note grid, are given to voices.
    """
    found = json.loads(path.read_text("utf-8"))
    as_array = voices_of if path.name == FILES["quarter"].name else partial(np.array, dtype=np.int64)
    return {split: [as_array(piece) for piece in found[split]] for split in SPLITS}


def voices_of(frames: Sequence[Sequence[int]]) -> np.ndarray:
    """Frames of at most four keys as pitches (T, 4): the highest to the soprano, the lowest of more to the bass.

    A third key goes to the inner voice that was nearer to it at last, the other one rests; raises `ValueError` for
    more than four keys.
    """
    found = np.full((len(frames), len(SCORE_ORDER)), -1, dtype=np.int64)
    inner = np.array([67, 60])  # what alto and tenor sang last
    for row, keys in zip(found, frames, strict=True):
        if len(keys) > len(SCORE_ORDER):
            raise ValueError(f"a frame of {len(keys)} keys; the pieces have four voices")
        high = sorted(keys, reverse=True)
        row[0] = high[0] if high else -1
        row[3] = high[-1] if len(high) > 1 else -1
        if len(high) == 4:
            row[1:3] = high[1:3]
        elif len(high) == 3:
            row[1 + np.abs(inner - high[1]).argmin()] = high[1]
        inner = np.where(row[1:3] < 0, inner, row[1:3])
    return found


def rows_of(piece: np.ndarray, encoding: Encoding) -> np.ndarray:
    """A piece (T, 4) as steps of the encoding `voices`, (1 + T, columns); what equals the sixteenth before is held."""
    steps = np.zeros((1 + len(piece), len(encoding.fields)), dtype=STEP_DTYPE)
    columns = encoding.columns
    steps[1:, columns["place"]] = 1 + np.arange(len(piece)) % BAR
    steps[0, columns["place"]] = 1
    for voice in VOICES:
        line = piece[:, SCORE_ORDER.index(voice)]
        sounding = np.concatenate([[-1], line[:-1]])
        classes = np.where(line < 0, REST, line + FIRST_PITCH)
        classes[1:][line[1:] == line[:-1]] = HOLD
        steps[0, columns[voice]] = -1
        steps[1:, columns[voice]], steps[1:, columns[f"sounding_{voice}"]] = classes, sounding + 1
    return steps


def cache_of(pieces: Mapping[str, Sequence[np.ndarray]]) -> Cache:
    """All splits as a cache in memory, to be moved to other keys as far as singers reach."""
    encoding, entries, tables, start = get_encoding("voices"), [], [], 0
    for split, number, piece in ((s, n, p) for s in pieces for n, p in enumerate(pieces[s])):
        rows = rows_of(piece, encoding)
        low, high = encoding.transpositions(rows)
        entries.append(Piece(f"{split} {number}", "", split, "", start, len(rows), low, high, piece.size))
        tables.append(rows)
        start += len(rows)
    steps = np.concatenate(tables)
    times = np.concatenate([encoding.times(rows) for rows in tables])
    mark = hashlib.sha256(steps.tobytes()).hexdigest()[:24]
    return Cache(Path(), encoding.spec(), entries, [], {}, {}, mark, (), steps, times)


def tune_steps(piece: np.ndarray) -> list[tuple[int, float]]:
    """From each soprano note to the next: the interval in semitones and how many times as long the next one is."""
    line = piece[:, 0]
    starts = np.flatnonzero(np.diff(line, prepend=-2))
    lengths = np.diff(np.append(starts, len(line)))
    sung = line[starts] >= 0
    pitches, lengths = line[starts][sung], lengths[sung]
    return list(zip(np.diff(pitches).tolist(), np.round(lengths[1:] / lengths[:-1], 3).tolist(), strict=True))


def known_tunes(pieces: Mapping[str, Sequence[np.ndarray]], split: str) -> np.ndarray:
    """Which pieces of a split have a soprano that is a tune of the train split, whatever its key and note values.

    More than `SAME_TUNE` of its notes lie in passages of at least `RUN` notes that a train soprano has too.
    """
    known: set[tuple] = set()
    for piece in pieces["train"]:
        known.update(_passages(tune_steps(piece)))
    found = []
    for piece in pieces[split]:
        steps = tune_steps(piece)
        shared = np.zeros(len(steps) + 1, dtype=bool)
        for at, passage in enumerate(_passages(steps)):
            if passage in known:
                shared[at : at + RUN] = True
        found.append(shared.mean() > SAME_TUNE)
    return np.array(found)


def _passages(steps: Sequence[tuple]) -> list[tuple]:
    return [tuple(steps[at : at + RUN - 1]) for at in range(len(steps) - RUN + 2)]


# --- the score


def cell_nats(logits: Tensor, target: Tensor, sounding: Tensor) -> Tensor:
    """Nats of what each cell sounds, in the shape of `target` and `sounding`; `logits` have the classes behind it.

    `sounding` is pitch + 1 before the cell, 0 for silence. To hold and to strike the same pitch sound alike, and so do
    to hold a rest and to rest again: their chances are added. At the beginning nothing sounds.
    """
    chances = torch.log_softmax(logits.float(), dim=-1)
    again = torch.where(sounding > 0, sounding - 1 + FIRST_PITCH, torch.full_like(sounding, REST))
    both = torch.logaddexp(chances[..., HOLD], chances.gather(-1, again[..., None])[..., 0])
    said = chances.gather(-1, target[..., None])[..., 0]
    return -torch.where((target == HOLD) | (target == again), both, said)


def piece_nats(model: Composer, cache: Cache, encoding: Encoding, split: str, precision: str) -> list[np.ndarray]:
    """Nats of every cell of each piece of a split, (T, 4) in `VOICES` order; each piece is read as a whole."""
    model.eval()
    pieces = cache.of(split)
    order = sorted(range(len(pieces)), key=lambda n: pieces[n].length)
    found: dict[int, np.ndarray] = {}
    for at in range(0, len(order), SCORED_TOGETHER):
        numbers = order[at : at + SCORED_TOGETHER]
        for number, nats in zip(numbers, _scored(model, cache, encoding, numbers, split, precision), strict=True):
            found[number] = nats
    return [found[number] for number in range(len(pieces))]


@torch.inference_mode()
def _scored(model, cache: Cache, encoding: Encoding, numbers, split: str, precision: str) -> Iterator[np.ndarray]:
    pieces = [cache.of(split)[number] for number in numbers]
    tables = [np.asarray(cache.steps[piece.start : piece.start + piece.length]) for piece in pieces]
    device = next(model.parameters()).device
    batch = collate([encoding.arranged(rows, encoding.times(rows), None) for rows in tables])
    batch = {name: value.to(device) for name, value in batch.items()}
    steps, columns, voices = batch["steps"], encoding.columns, []
    with autocast_for(device, precision):
        hidden = model.hidden(batch)
        for voice in VOICES:
            logits = model.heads.logits(voice, hidden, steps)
            voices.append(cell_nats(logits, steps[..., columns[voice]], steps[..., columns[f"sounding_{voice}"]]))
    nats = torch.stack(voices, dim=-1).cpu().numpy()  # (B, T, 4)
    for row, rows in zip(nats, tables, strict=True):
        yield row[: len(rows) - 1]


def floor_nats(cache: Cache, encoding: Encoding, split: str) -> list[np.ndarray]:
    """The same of the simplest model: how often a voice moves at each sixteenth of a beat, and to which pitches."""
    columns, found = encoding.columns, []
    learnt = np.concatenate([cache.steps[p.start + 1 : p.start + p.length] for p in cache.of("train")]).astype(int)
    tables = {voice: _counted(learnt[:, columns[voice]], _place(learnt, columns)) for voice in VOICES}
    for piece in cache.of(split):
        rows = cache.steps[piece.start + 1 : piece.start + piece.length].astype(np.int64)
        place, cells = _place(rows, columns), torch.from_numpy(rows)
        found.append(torch.stack([
            cell_nats(tables[v][place], cells[:, columns[v]], cells[:, columns[f"sounding_{v}"]]) for v in VOICES
        ], dim=-1).numpy())  # fmt: skip
    return found


def _place(rows: np.ndarray, columns: Mapping[str, int]) -> np.ndarray:
    """Which sixteenth of its beat each row is, (T,)."""
    return (rows[:, columns["place"]] - 1) % 4


def _counted(classes: np.ndarray, place: np.ndarray) -> Tensor:
    """Logarithms of the chances of each class by place in the beat, (4, classes); all counts are one more."""
    pitches = np.bincount(classes, minlength=FIRST_PITCH + 128)[REST:] + 1.0
    held = np.array([(1 + (classes[place == n] == HOLD).sum()) / (2 + (place == n).sum()) for n in range(4)])
    return torch.tensor(np.log(np.column_stack([held, np.outer(1 - held, pitches / pitches.sum())])))


def mean_nats(pieces: Sequence[np.ndarray]) -> float:
    """Nats a cell over all cells."""
    return float(np.concatenate([piece.ravel() for piece in pieces]).mean())


# --- training


def begun(cache: Cache, options: argparse.Namespace, folder: Path) -> Run:
    """The run in `folder`, gone on with or new, its number of steps fixed by the minutes asked for."""
    plan = plan_of(options)
    folder.mkdir(parents=True, exist_ok=True)
    run = fresh_run(cache, plan, folder)
    if not run.resume():
        steps = options.steps or steps_for(fresh_run(cache, plan, folder), options.minutes)
        torch.manual_seed(plan.seed)
        run = fresh_run(cache, plan, folder)
        run.state["steps"] = steps
        run.save(run.last)
    return run


def fresh_run(cache: Cache, plan: TrainingPlan, folder: Path) -> Run:
    run = Run(cache, plan, folder)
    run.batches.droppable = []  # the place is always told, here and when scored
    return run


def plan_of(options: argparse.Namespace) -> TrainingPlan:
    """The preset with what is asked for otherwise."""
    preset = PRESETS[options.preset]
    family = options.family or preset.family
    own = {name: getattr(options, name) for name in (*WHOLE_OPTIONS, *SHARE_OPTIONS)}
    known = preset.options if family == preset.family else {}
    chosen = known | {name: value for name, value in own.items() if value is not None}
    asked = {
        name: getattr(options, name)
        for name in ("batch", "window", "rate", "device", "precision", "threads", "weight_decay")
    }
    plan = preset.plan | {name: value for name, value in asked.items() if value is not None}
    return TrainingPlan(family=family, options=chosen, seed=options.seed, **plan)


def steps_for(run: Run, minutes: float) -> int:
    """Steps that fit into so many minutes, by timing the first few of a run that is thrown away."""
    for _ in range(TIMED_STEPS // 3):
        run.one_step()
    started = time.monotonic()
    for _ in range(TIMED_STEPS):
        run.one_step()
    pace = (time.monotonic() - started) / TIMED_STEPS
    return max(20, int(SPARE * 60 * minutes / pace))


def trained(run: Run, save_seconds: float = 60.0) -> None:
    """Train to the last step; the averaged weights that score best on the valid split are kept."""
    steps = run.state["steps"]
    every, saved = max(1, math.ceil(steps / JUDGED)), time.monotonic()
    since, before, recent = time.monotonic(), run.state["seconds"], []
    while run.state["step"] < steps:
        terms, _ = run.one_step()
        recent.append(float(torch.stack(list(terms.values())).sum().detach()) / len(VOICES))
        run.state["seconds"] = before + time.monotonic() - since
        step = run.state["step"]
        if step % every == 0 or step == steps:
            judge(run, float(np.mean(recent)))
            recent = []
        if step % every == 0 or step == steps or time.monotonic() - saved > save_seconds:
            run.save(run.last)
            saved = time.monotonic()


def judge(run: Run, train_nats: float) -> None:
    """Score the averaged weights on the valid split, note it, keep them if they are the best so far."""
    kept = {name: value.clone() for name, value in run.model.state_dict().items()}
    run.model.load_state_dict(run.average)
    valid = mean_nats(piece_nats(run.model, run.cache, run.encoding, "valid", run.plan.precision))
    run.model.load_state_dict(kept)
    run.state["history"].append({"step": run.state["step"], "valid": valid, "train": train_nats})
    print(f"step {run.state['step']:,} of {run.state['steps']:,}  train {train_nats:.4f}  valid {valid:.4f} nats a "
          f"cell  {run.state['seconds'] / 60:.1f} minutes", flush=True)  # fmt: skip
    if run.state["best"] is None or valid < run.state["best"]:
        run.state["best"] = valid
        run.save(run.best)


# --- the report


def figures(pieces: Sequence[np.ndarray], seed: int) -> dict[str, Any]:
    """Nats a cell with its 95 % interval over pieces, by voice, and the mean of the pieces' means."""
    sums, sizes = np.array([p.sum() for p in pieces]), np.array([p.size for p in pieces])
    together = np.concatenate(pieces)
    return {
        "pieces": len(pieces), "cells": int(sizes.sum()), "nats": float(sums.sum() / sizes.sum()),
        "interval": bootstrap(lambda s, n: s.sum() / n.sum(), sums, sizes, seed=seed),
        "by_voice": {voice: float(together[:, VOICES.index(voice)].mean()) for voice in SCORE_ORDER},
        "mean_of_pieces": float((sums / sizes).mean()),
    }  # fmt: skip


def report(run: Run, pieces: Mapping[str, Sequence[np.ndarray]], seed: int) -> dict[str, Any]:
    """All figures of the weights that were kept, and of the simplest model beside them."""
    state = checkpoint.load(run.best, run.model, run.average, run.optimisers)
    run.model.load_state_dict(run.average)
    found: dict[str, Any] = {"parameters": parameter_count(run.model), "step": state["step"], "steps": state["steps"]}
    for split in ("valid", "test"):
        nats = piece_nats(run.model, run.cache, run.encoding, split, "f32")
        known = known_tunes(pieces, split)
        parts = {
            split: nats,
            f"{split}, tunes not in train": [nats[n] for n in np.flatnonzero(~known)],
            f"{split}, tunes in train": [nats[n] for n in np.flatnonzero(known)],
            f"{split}, hold or histogram": floor_nats(run.cache, run.encoding, split),
        }
        found |= {name: figures(part, seed) for name, part in parts.items() if part}
    return found


def lines_of(found: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, one in found.items():
        if isinstance(one, dict) and "nats" in one:
            low, high = one["interval"]
            voices = [f"{one['by_voice'][voice]:.3f}" for voice in SCORE_ORDER]
            rows.append((name, str(one["pieces"]), f"{one['nats']:.4f} [{low:.3f}, {high:.3f}]",
                         f"{4 * one['nats']:.2f}", *voices, f"{one['mean_of_pieces']:.4f}"))  # fmt: skip
    head = ("split", "pieces", "nats a cell [95 %]", "x 4", *SCORE_ORDER, "mean of pieces")
    return table(head, rows)


def board_row(grid: str, family: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """What stands on the leaderboard: nats per cell on the sixteenth grid, per frame (four cells) on the other."""
    task, cells = ("jsb-16", 1) if grid == "sixteenth" else ("jsb-quarter", len(VOICES))
    name = f"family {family}, {found['parameters'] / 1e6:.1f} M parameters, learnt from the train split alone"
    nats, interval = found["test"]["nats"] * cells, [end * cells for end in found["test"]["interval"]]
    return {"task": task, "model": name, "nats": nats, "interval": interval} | (
        {"note": "an upper bound: one way of giving the keys to voices"} if cells > 1 else {}
    )


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--preset", choices=PRESETS, default="cpu")
    parser.add_argument("--grid", choices=FILES, default="sixteenth", help="a cell or a frame is so long")
    parser.add_argument("--minutes", type=float, default=40.0, help="to train (the first time; turned into steps)")
    parser.add_argument("--steps", type=int, default=0, help="instead of minutes")
    parser.add_argument("--family", help="a model family; the preset's options hold for its own alone")
    for name in (*WHOLE_OPTIONS, "batch", "window", "threads"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help="instead of the preset's")
    for name in (*SHARE_OPTIONS, "rate", "weight-decay"):
        parser.add_argument(f"--{name}", type=float, help="instead of the preset's")
    parser.add_argument("--device", help="cpu or cuda, instead of the preset's")
    parser.add_argument("--precision", choices=("f32", "bf16"), help="instead of the preset's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA, help="the folder that holds jsb/")
    parser.add_argument("--work", type=Path, help="where the run lives (default: runs/jsb-PRESET[-quarter])")
    parser.add_argument("--json", type=Path, help="write all figures there")
    return parser.parse_args(arguments)


def default_work(options: argparse.Namespace) -> Path:
    """Where a run lives if nothing else is said; one folder a grid."""
    return Path("runs") / f"jsb-{options.preset}{'' if options.grid == 'sixteenth' else '-' + options.grid}"


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    announce(where := origin("jsb.py", arguments, options.seed))
    pieces = read(options.data / FILES[options.grid])
    print("data: " + ", ".join(f"{split} {len(pieces[split])} pieces" for split in SPLITS)
          + "; trained on train alone, weights chosen on valid")  # fmt: skip
    run = begun(cache_of(pieces), options, options.work or default_work(options))
    print(f"model: {run.plan.family} {run.plan.options}, {parameter_count(run.model):,} parameters; batch "
          f"{run.plan.batch} x {run.plan.window}, {run.state['steps']:,} steps, {run.plan.device}, "
          f"{run.plan.threads} thread(s), torch {torch.__version__}", flush=True)  # fmt: skip
    trained(run)
    found = report(run, pieces, options.seed)
    print(f"weights of step {found['step']:,}; uniform over pitches and rest would be {math.log(129):.3f}")
    print("\n".join(lines_of(found)))
    if options.json:
        row = board_row(options.grid, run.plan.family, found)
        history = {"history": run.state["history"], "seconds": run.state["seconds"]}
        write_json(options.json, where | found | {"leaderboard": [row]} | history)
    return 0


if __name__ == "__main__":
    sys.exit(main())
