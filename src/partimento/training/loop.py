"""The one training loop: plain torch, for every family, resumable to the bit.

`train` yields a `Progress` now and then; a face prints it or sends it on. Everything random comes from the seed and
the step's number, so that a run killed at any moment and started again ends with the weights of an undisturbed one.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..corpus import Cache, Piece
from ..encodings import Encoding, get_encoding
from ..errors import BadOption, MusicError
from ..models import get_family
from ..models.base import Composer, autocast_for
from ..profile import scales_of
from . import checkpoint, together
from .batches import OFTEN, Batches, whole_pieces
from .weights import load_composer

WARM_UP = 0.03  # share of the steps in which the learning rate rises
FLOOR = 0.02  # of the peak learning rate, at the end
TIMED_STEPS = 12  # steps that are timed to turn minutes into steps; the first few are warm-up
MATRIX_DIMENSIONS = 2
MOST_JUDGED = 10_000  # steps a style, or little more, that judge the weights during a run; in the card all do
PRECISIONS = ("f32", "bf16")
LIMITS = {
    "minutes": (0.001, 10**6), "steps": (0, 10**9), "batch": (1, 10**5), "window": (8, 10**5), "rate": (0, 10),
    "weight_decay": (0, 10), "average": (0, 1), "clip": (0, 10**6), "seed": (0, 2**40), "threads": (1, 1024),
    "processes": (1, 256), "evaluations": (1, 10**6), "save_seconds": (0, 10**12),
}  # fmt: skip


@dataclass(frozen=True)
class TrainingPlan:
    """How to train. Either `minutes` (turned into steps by timing the first few) or `steps`."""

    family: str = "transformer"
    options: dict[str, Any] = field(default_factory=dict)  # of the family
    minutes: float = 10.0
    steps: int = 0
    batch: int = 8
    window: int = 384
    rate: float = 4e-3
    weight_decay: float = 0.1
    average: float = 0.998  # decay of the running average of the weights, which is what is kept
    clip: float = 1.0
    seed: int = 0
    precision: str = "f32"
    device: str = "cpu"
    threads: int = 1  # of each process
    processes: int = 1  # that share the work, each with `batch` windows a step
    evaluations: int = 20  # over the whole run
    save_seconds: float = 60.0
    style_weights: dict[str, float] = field(default_factory=dict)
    start: str = ""  # a model file whose weights are gone on from, of the same family and size

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise BadOption(f"{name} {value!r} is out of range; wanted a number from {low:g} to {high:g}")
        if self.precision not in PRECISIONS:
            raise BadOption(f"no precision {self.precision!r}; there are {', '.join(PRECISIONS)}")


@dataclass(frozen=True)
class Progress:
    """Where training stands; nats are per step of music (a note, or a sixteenth of four voices)."""

    step: int
    steps: int
    train: float
    valid: float | None
    best: float | None
    notes_per_second: float
    seconds: float
    terms: dict[str, float] = field(default_factory=dict)


class Run:
    """One run in one folder: the model, its average, its optimisers and where it stands."""

    def __init__(self, cache: Cache, plan: TrainingPlan, folder: Path):
        torch.set_num_threads(plan.threads)
        self.cache, self.plan, self.folder = cache, plan, folder
        self.encoding: Encoding = get_encoding(**cache.spec)
        if not cache.of("train"):
            raise MusicError("there is no piece to train on: every file was skipped or is kept for validation")
        torch.manual_seed(plan.seed)
        self.device = torch.device(plan.device)
        self.model: Composer = get_family(plan.family)(self.encoding.fields, **plan.options).to(self.device)
        if plan.start:
            go_on_from(self.model, Path(plan.start))
        self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.objectives = self.model.objectives()
        self.optimisers = {
            f"{key}.{n}": optimiser
            for key, (params, _) in self.objectives.items()
            for n, optimiser in enumerate(optimisers(self.model, params, plan))
        }
        self.scales = scales_of(cache, self.encoding)
        self.batches = Batches(
            cache, self.encoding, split="train", size=plan.batch, window=plan.window, seed=plan.seed,
            weights=plan.style_weights, scales=self.scales,
        )  # fmt: skip
        self.optional = frozenset(entry.name for entry in self.encoding.fields if entry.droppable >= OFTEN)
        self.state: dict[str, Any] = {"step": 0, "steps": plan.steps, "best": None, "history": [], "seconds": 0.0}
        self.state["identity"] = identity(cache, plan)

    @property
    def last(self) -> Path:
        return self.folder / "last.safetensors"

    @property
    def best(self) -> Path:
        return self.folder / "best.safetensors"

    def resume(self) -> bool:
        """Go on from the folder's last checkpoint, if there is one of the same data and plan."""
        if not self.last.exists():
            return False
        if checkpoint.peek(self.last).get("identity") != self.state["identity"]:
            raise BadOption(
                f"{self.folder}: holds a run of other music or options; give another folder, or delete it to begin anew"
            )
        self.state = checkpoint.load(self.last, self.model, self.average, self.optimisers)
        if self.plan.steps not in (0, self.state["steps"]):
            raise BadOption(
                f"{self.folder}: holds a run of {self.state['steps']} steps, not {self.plan.steps}; its learning rate "
                "was planned for them. Train on with --from its model file, or give another folder"
            )
        return True

    def save(self, path: Path) -> None:
        checkpoint.save(path, self.model, self.average, self.optimisers, self.state)

    def one_step(self) -> tuple[dict[str, Tensor], int]:
        """Take the next batch; the loss's terms and the steps of music in it."""
        step, plan = self.state["step"], self.plan
        rank, size = together.rank_and_size()
        batch = {name: value.to(self.device) for name, value in self.batches.at(step, rank).items()}
        self.model.train()
        terms: dict[str, Tensor] = {}
        for number, (key, (parameters, loss)) in enumerate(self.objectives.items()):
            torch.manual_seed(plan.seed * 1_000_003 + (step * size + rank) * 7 + number)  # dropout
            own = [one for name, one in self.optimisers.items() if name.startswith(f"{key}.")]
            for optimiser in own:
                for group in optimiser.param_groups:
                    group["lr"] = plan.rate * rate_at(step, self.state["steps"] or 10**6)
            with autocast_for(self.device, plan.precision):
                found = loss(batch)
                total = torch.stack(list(found.values())).sum()
            for optimiser in own:
                optimiser.zero_grad(set_to_none=True)
            total.backward()
            together.average_gradients(parameters)
            torch.nn.utils.clip_grad_norm_(parameters, plan.clip)
            for optimiser in own:
                optimiser.step()
            terms |= found
        self._take_average(step)
        self.state["step"] = step + 1
        return terms, int(batch["mask"].sum())

    def _take_average(self, step: int) -> None:
        decay = min(self.plan.average, (1 + step) / (10 + step))
        names, now = zip(*self.model.state_dict().items(), strict=True)
        floats = [(self.average[n], v) for n, v in zip(names, now, strict=True) if v.dtype.is_floating_point]
        torch._foreach_lerp_([old for old, _ in floats], [new for _, new in floats], 1 - decay)

    def evaluate(self, split: str = "valid") -> dict[str, float]:
        """Nats per step of music of each field on a split, by the averaged weights; empty where the split is.

        Styles count as they do in training: one with much music does not decide alone which weights are kept.
        """
        by_style = {style: [p for p in self.cache.of(split) if p.style == style] for style in self.batches.styles}
        shares = {s: w for s, w in zip(self.batches.styles, self.batches.shares, strict=True) if by_style[s]}
        kept = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        total: dict[str, float] = {}
        for style, share in shares.items():
            pieces = _some(by_style[style])
            nats = nats_per_step(self, self.model, pieces, self.optional)
            for name, value in nats.items():
                total[name] = total.get(name, 0.0) + value * float(share) / sum(map(float, shares.values()))
        self.model.load_state_dict(kept)
        return total


def _some(pieces: Sequence[Piece]) -> list[Piece]:
    """Enough held-out pieces of a style to judge by during a run, spread over them; at least one."""
    apart = max(1, sum(piece.length for piece in pieces) // MOST_JUDGED)
    return list(pieces[::apart])


def go_on_from(model: Composer, path: Path) -> None:
    """Give `model` the weights in a model file; raises `BadOption` where the two are not of one shape."""
    weights = load_composer(path).state_dict()
    wanted = {name: value.shape for name, value in model.state_dict().items()}
    if wanted != {name: value.shape for name, value in weights.items()}:
        raise BadOption(f"{path}: its model is not of the encoding, family and size asked for; leave those options out")
    model.load_state_dict(weights)


def identity(cache: Cache, plan: TrainingPlan) -> str:
    """What must agree for a run to be gone on with: the music and everything that the weights depend on."""
    apart = ("minutes", "steps", "device", "threads", "evaluations", "save_seconds")
    said = {name: value for name, value in asdict(plan).items() if name not in apart}
    return json.dumps([cache.fingerprint, cache.spec, said], sort_keys=True)


def nats_per_step(run: Run, model: Composer, pieces, drop: frozenset[str] = frozenset()) -> dict[str, float]:
    """Mean nats per step of each composed field over whole pieces; fields named in `drop` are not told."""
    model.eval()
    device = next(model.parameters()).device
    totals, steps = dict.fromkeys(model.heads.before, 0.0), 0
    columns = [n for n, entry in enumerate(model.fields) if entry.name in drop]
    with torch.inference_mode():
        for batch in whole_pieces(run.cache, run.encoding, pieces, run.plan.window, 16, run.scales):
            batch = {name: value.to(device) for name, value in batch.items()}
            for column in columns:
                batch["last"][..., column] = 0
                batch["steps"][..., column] = 0
            with autocast_for(device, run.plan.precision):
                nats = model.heads.nats(model.hidden(batch), batch["steps"])
            for name, value in nats.items():
                totals[name] += float((value * batch["mask"]).sum())
            steps += int(batch["mask"].sum())
    return {name: total / max(1, steps) for name, total in totals.items()}


def optimisers(model: Composer, parameters: list[Tensor], plan: TrainingPlan) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices inside the network, AdamW for tables, last layers, gains and biases.

    On the chorales the same Transformer learnt clearly faster so than with AdamW alone.
    """
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    tables |= {id(layer.weight) for layer in model.heads.leave.values()}
    inner = [p for p in parameters if p.ndim == MATRIX_DIMENSIONS and id(p) not in tables]
    inside = {id(p) for p in inner}
    others = [p for p in parameters if id(p) not in inside]
    adam = torch.optim.AdamW(others, lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.01, foreach=True)
    if not inner:
        return [adam]
    muon = torch.optim.Muon(inner, lr=plan.rate, weight_decay=plan.weight_decay, adjust_lr_fn="match_rms_adamw")
    return [muon, adam]


def rate_at(step: int, steps: int) -> float:
    """Share of the peak learning rate: a linear rise, then a cosine to `FLOOR`."""
    warm = max(10, int(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    position = min(1.0, (step - warm) / max(1, steps - warm))
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * position))


def _steps_for(run: Run) -> int:
    """Steps that fit into the plan's minutes, by timing the first few; they are thrown away and drawn again."""
    copy = Run(run.cache, run.plan, run.folder)
    for _ in range(TIMED_STEPS // 3):
        copy.one_step()
    started = time.monotonic()
    for _ in range(TIMED_STEPS):
        copy.one_step()
    pace = (time.monotonic() - started) / TIMED_STEPS
    return max(20, int(run.plan.minutes * 60 * 0.93 / pace))


def train(cache: Cache, plan: TrainingPlan, folder: Path) -> Iterator[Progress]:
    """Train in `folder`, going on from what is there; yields progress, and leaves `best.safetensors` in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(cache, plan, folder)
    if not run.resume() and not run.state["steps"]:
        run.state["steps"] = _steps_for(run)
        torch.manual_seed(plan.seed)
        fresh = Run(cache, replace(plan, steps=run.state["steps"]), folder)
        run = fresh
    run.save(run.last)
    arguments = (str(cache.folder), replace(plan, steps=run.state["steps"]), str(folder))
    is_over = run.state["step"] >= run.state["steps"]
    with together.Followers(_follow, arguments, folder, 1 if is_over else plan.processes):
        yield from _steps(run)


def _follow(cache: str, plan: TrainingPlan, folder: str) -> None:
    """Take part in a run that another process leads."""
    run = Run(Cache.open(cache), plan, Path(folder))
    run.resume()
    while run.state["step"] < run.state["steps"]:
        run.one_step()


def _steps(run: Run) -> Iterator[Progress]:
    steps, every = run.state["steps"], max(1, run.state["steps"] // run.plan.evaluations)
    saved = started = time.monotonic()
    before, notes, recent, since = run.state["seconds"], 0, 0.0, 0
    while run.state["step"] < steps:
        terms, seen = run.one_step()
        notes, since = notes + seen * run.plan.processes, since + 1  # the others' batches are of like length
        recent += float(torch.stack(list(terms.values())).sum().detach())
        step, now = run.state["step"], time.monotonic()
        run.state["seconds"] = before + now - started
        evaluated = step % every == 0 or step == steps
        valid = _judge(run) if evaluated else None
        if evaluated or time.monotonic() - saved > run.plan.save_seconds:
            run.save(run.last)
            saved = time.monotonic()
        if evaluated or since >= max(1, every // 4):
            pace = notes / max(1e-9, now - started)
            named = {name: float(value.detach()) for name, value in terms.items()}
            yield Progress(step, steps, recent / since, valid, run.state["best"], pace, run.state["seconds"], named)
            recent, since = 0.0, 0


def _judge(run: Run) -> float | None:
    """Evaluate on the validation split, note it, and keep the averaged weights if they are the best so far."""
    terms = run.evaluate()
    valid = sum(terms.values()) if terms else None
    run.state["history"].append({"step": run.state["step"], "valid": valid, **terms})
    if valid is None or run.state["best"] is None or valid < run.state["best"]:
        run.state["best"] = valid
        run.save(run.best)
        beside = run.folder / "history.partial"
        beside.write_text(json.dumps(run.state["history"], indent=1), encoding="utf-8")
        beside.replace(run.folder / "history.json")
    return valid
