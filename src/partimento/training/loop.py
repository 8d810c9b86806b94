"""The one training loop: plain torch, for every family, resumable to the bit.

`train` yields a `Progress` now and then; a face prints it or sends it on. Everything random comes from the seed and
the step's number, so that a run killed at any moment and started again ends with the weights of an undisturbed one.
A loss that goes crazy sets the run back to its last good evaluation, at a lower rate; what is kept is chosen at its
end.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..corpus import Cache
from ..encodings import Encoding, get_encoding
from ..errors import BadOption, MusicError
from ..models import get_family
from ..models.base import Composer, autocast_for
from ..profile import scales_of
from . import budget, checkpoint, counting, together, tuning
from .batches import OFTEN, Batches
from .commonness import begin_common
from .finish import finish
from .heldout import to_choose_by, with_held_out
from .judging import MOST_LEARNT, Judged, judge, seconds_to_judge
from .leading import Leader
from .logs import tensorboard_writer
from .optimising import OPTIMISERS, optimisers, rate_at
from .progress import Progress
from .stopping import wishes
from .watch import MOST_SETBACKS, Diverged, Watch, given_up, slowed
from .weights import load_composer

CHECKED = 16  # steps between looks at the loss
PRECISIONS = ("f32", "bf16")
LIMITS = {
    "minutes": (0.001, 10**6), "steps": (0, 10**9), "batch": (1, 10**5), "window": (8, 10**5), "rate": (0, 10),
    "weight_decay": (0, 10), "average": (0, 1), "clip": (0, 10**6), "seed": (0, 2**40), "threads": (1, 1024),
    "processes": (1, 256), "evaluations": (1, 10**6), "save_seconds": (0, 10**12), "epochs": (0, 10**6),
    "notes": (0, 10**12), "every": (0, 10**9), "most_epochs": (0, 10**6),
    "every_epochs": (0, 10**6), "keep": (1, 1000),
}  # fmt: skip
BUDGETS = ("steps", "epochs", "notes")
WEIGHTLESS = (  # of a plan: what the weights do not depend on, beside the number of steps
    "minutes", "most_epochs", *BUDGETS, "device", "threads", "evaluations", "every", "every_epochs", "keep",
    "save_seconds", "tensorboard",
)  # fmt: skip


@dataclass(frozen=True)
class TrainingPlan:
    """How to train, and for how long: `steps`, `epochs`, `notes`, or `minutes` where the others are 0.

    An epoch is as many windows as the training music fills, notes are those heard; see `budget`.
    """

    family: str = "transformer"
    options: dict[str, Any] = field(default_factory=dict)  # of the family
    minutes: float = 10.0
    most_epochs: float = 0.0  # that minutes are turned into; 0 for as many as they hold
    steps: int = 0
    epochs: float = 0.0
    notes: float = 0.0
    batch: int = 8
    window: int = 384
    rate: float = 4e-3
    optimiser: str = "muon"  # or adamw, adam, rmsprop
    weight_decay: float = 0.1
    average: float = 0.998  # decay of the running average of the weights, which is what is kept
    clip: float = 1.0
    seed: int = 0
    precision: str = "f32"
    device: str = "cpu"
    threads: int = 1  # of each process
    processes: int = 1  # that share the work, each with `batch` windows a step
    evaluations: int = 20  # over the whole run
    every: int = 0  # steps between evaluations, instead of their number
    every_epochs: float = 0.0  # or epochs
    keep: int = 3  # evaluations whose weights are kept to choose from: so many of the latest, and of the likeliest
    tensorboard: bool = False
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
        if self.optimiser not in OPTIMISERS:
            raise BadOption(f"no optimiser {self.optimiser!r}; there are {', '.join(OPTIMISERS)}")
        for names in (BUDGETS, ("every", "every_epochs")):
            if sum(bool(getattr(self, name)) for name in names) > 1:
                raise BadOption(f"{', '.join(names)} are alternatives; give one of them")


class Run:
    """One run in one folder: the model, its average, its optimisers and where it stands."""

    def __init__(self, cache: Cache, plan: TrainingPlan, folder: Path):
        torch.set_num_threads(plan.threads)
        self.plan, self.folder = plan, folder
        self.encoding: Encoding = get_encoding(**cache.spec)
        self.cache, self.remark = with_held_out(cache, self.encoding)
        if plan.start:
            self.cache = to_choose_by(self.cache)
        if not cache.of("train"):
            raise MusicError("there is no piece to train on: every file was skipped or is kept for validation")
        torch.manual_seed(plan.seed)
        self.device = torch.device(plan.device)
        self.model: Composer = get_family(plan.family)(self.encoding.fields, **plan.options).to(self.device)
        if plan.start:
            go_on_from(self.model, Path(plan.start))
        else:
            begin_common(self.model, cache, self.encoding)
        self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.objectives = self.model.objectives()
        self.optimisers = {
            f"{key}.{n}": optimiser
            for key, (params, _) in self.objectives.items()
            for n, optimiser in enumerate(optimisers(self.model, params, plan.optimiser, plan.rate, plan.weight_decay))
        }
        self.scales = scales_of(cache, self.encoding)
        self.batches = Batches(
            self.cache, self.encoding, split="train", size=plan.batch, window=plan.window, seed=plan.seed,
            weights=plan.style_weights, scales=self.scales, align=self.model.stride > 1,
        )  # fmt: skip
        self.optional = frozenset(entry.name for entry in self.encoding.fields if entry.droppable >= OFTEN)
        self.watch = Watch(is_plain=len(self.objectives) == 1)
        self.state: dict[str, Any] = {
            "step": 0, "steps": budget.planned_steps(self.cache, self.batches, plan), "best": None, "history": [],
            "seconds": 0.0, "identity": identity(cache, plan), "setbacks": [], "interval": [0.0, 0],
        }  # fmt: skip

    @property
    def last(self) -> Path:
        return self.folder / "last.safetensors"

    @property
    def best(self) -> Path:
        return self.folder / "best.safetensors"

    @property
    def good(self) -> Path:
        """The last evaluation at which nothing was wrong: where a run that diverges is set back to."""
        return self.folder / "good.safetensors"

    @property
    def every(self) -> int:
        """Steps between evaluations."""
        return self.asked_every or max(1, self.state["steps"] // self.plan.evaluations)

    @property
    def asked_every(self) -> int:
        """Steps between evaluations where the plan says so in steps or epochs, else 0."""
        by_epochs = self.plan.every_epochs * budget.steps_an_epoch(self.cache, self.plan)
        return max(1, round(by_epochs)) if by_epochs else self.plan.every

    @property
    def is_evaluated(self) -> bool:
        """Whether the weights are judged after the present step."""
        return self.state["step"] % self.every == 0 or self.is_over

    @property
    def is_checked(self) -> bool:
        """Whether all processes hear after the present step if training goes on as it is."""
        return self.state["step"] % CHECKED == 0 or self.is_evaluated

    @property
    def is_over(self) -> bool:
        return self.state["step"] >= self.state["steps"]

    @property
    def rate(self) -> float:
        """The learning rate at the top of its course: the plan's, lowered at every setback."""
        return self.plan.rate * slowed(len(self.state["setbacks"]))

    @property
    def rate_now(self) -> float:
        """The learning rate of the coming step."""
        return self.rate * rate_at(self.state["step"], self.state["steps"] or 10**6)

    def epoch_of(self, step: int) -> float:
        """How often as much music as there is to train on has been heard by `step`."""
        return step / budget.steps_an_epoch(self.cache, self.plan)

    def resume(self) -> bool:
        """Go on from the folder's last checkpoint, if there is one of the same data and plan."""
        if not self.last.exists():
            return False
        if checkpoint.peek(self.last).get("identity") != self.state["identity"]:
            raise BadOption(
                f"{self.folder}: holds a run of other music or options; give another folder, or delete it to begin anew"
            )
        wanted = self.state["steps"]
        self._take(self.last)
        if wanted not in (0, self.state["steps"]):
            raise BadOption(
                f"{self.folder}: holds a run of {self.state['steps']} steps, not {wanted}; its learning rate "
                "was planned for them. Train on with --from its model file, or give another folder"
            )
        if "failed" in self.state:
            raise Diverged(self.state["failed"])
        return True

    def _take(self, path: Path) -> None:
        """Stand where the checkpoint `path` does."""
        self.state |= checkpoint.load(path, self.model, self.average, self.optimisers)
        self.watch = Watch(**self.state.get("watch", {"is_plain": self.watch.is_plain}))

    def save(self, path: Path) -> None:
        self.state["watch"] = self.watch.as_dict()
        checkpoint.save(path, self.model, self.average, self.optimisers, self.state)

    def begin(self) -> None:
        """Leave a checkpoint to go on from, and one to be set back to."""
        self.save(self.last)
        if not self.good.exists():
            self.save(self.good)

    def set_back(self, reason: str) -> str:
        """Go back to the last good evaluation, at a lower rate and to other windows; a sentence that says so.

        Raises `Diverged` where that was done often enough.
        """
        at, setbacks = self.state["step"], self.state["setbacks"]
        lasting = {name: self.state[name] for name in ("seconds", "history")}
        setbacks = [*setbacks, {"at": at, "reason": reason, "rate": self.rate}]
        if len(setbacks) > MOST_SETBACKS:
            is_kept = f"The best weights so far are in {self.best}." if self.best.exists() else "No weights were kept."
            error = given_up(setbacks, str(self.folder), is_kept)
            self.state["failed"] = str(error)
            self.state["history"].append({"step": at, "valid": None, "setback": str(error)})
            self.save(self.last)
            raise error
        self._take(self.good)
        self.state |= lasting | {"setbacks": setbacks}
        said = (
            f"training diverged before step {at:,}: {reason}; back to step {self.state['step']:,} with "
            f"{slowed(len(setbacks)):g} of the planned learning rate"
        )
        self.state["history"].append({"step": at, "valid": None, "setback": said})
        return said

    def one_step(self) -> tuple[dict[str, Tensor], int]:
        """Take the next batch; the loss's terms and the steps of music in it."""
        step, plan = self.state["step"], self.plan
        rank, size = together.rank_and_size()
        turn = step + len(self.state["setbacks"]) * self.state["steps"]  # other windows than those that went wrong
        batch = {name: value.to(self.device) for name, value in self.batches.at(turn, rank).items()}
        self.model.train()
        terms: dict[str, Tensor] = {}
        for number, (key, (parameters, loss)) in enumerate(self.objectives.items()):
            torch.manual_seed(plan.seed * 1_000_003 + (turn * size + rank) * 7 + number)  # dropout
            own = [one for name, one in self.optimisers.items() if name.startswith(f"{key}.")]
            for optimiser in own:
                for group in optimiser.param_groups:
                    group["lr"] = self.rate_now
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

    def evaluate(self, weights: dict[str, Tensor] | None = None) -> tuple[Judged, Judged]:
        """Weights, the averaged ones if not said, judged on what is held out, and on some of the training music."""
        kept_apart = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(weights or self.average)
        found = judge(self, "valid"), judge(self, "train", MOST_LEARNT)
        self.model.load_state_dict(kept_apart)
        return found


def go_on_from(model: Composer, path: Path) -> None:
    """Give `model` the weights in a model file; raises `BadOption` where the two are not of one shape."""
    if hasattr(model, "fit"):
        raise BadOption(f"{path}: counts are not gone on with; name the folders of all the music, without --from")
    weights = load_composer(path).state_dict()
    wanted = {name: value.shape for name, value in model.state_dict().items()}
    if wanted != {name: value.shape for name, value in weights.items()}:
        raise BadOption(f"{path}: its model is not of the encoding, family and size asked for; leave those options out")
    model.load_state_dict(weights)


def identity(cache: Cache, plan: TrainingPlan) -> str:
    """What must agree for a run to be gone on with: the music and everything that the weights depend on."""
    said = {name: value for name, value in asdict(plan).items() if name not in WEIGHTLESS}
    return json.dumps([cache.fingerprint, cache.spec, said], sort_keys=True)


def train(cache: Cache, plan: TrainingPlan, folder: Path) -> Iterator[Progress]:
    """Train in `folder`, going on from what is there; yields progress, and leaves `best.safetensors` in the folder.

    Raises `Stopped` where Ctrl-C was pressed, once all is saved, and `Diverged` where training does so too often.
    """
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    if plan.tensorboard:
        tensorboard_writer()  # says before hours of work where it is not installed
    run = Run(cache, plan, folder)
    if hasattr(run.model, "fit"):  # a family that counts has nothing to train
        yield from counting.train(run)
        return
    is_fresh = not run.resume()
    is_timed = is_fresh and not run.state["steps"]
    if is_fresh and plan.start:
        tuning.settle(run)
    if not is_timed:
        run.begin()
    told = replace(plan, steps=run.state["steps"], epochs=0, notes=0)
    processes = plan.processes if is_timed or not run.is_over else 1
    final = None
    with (
        wishes() as wish,
        together.Followers(_follow, (str(cache.folder), told, str(folder), is_timed), folder, processes),
    ):
        run = _timed(run, cache, started) if is_timed else run
        for at in Leader(run, wish).steps():
            if run.is_over:
                final = at  # it is told once it is known what is kept
            else:
                yield at
    if "chosen" not in run.state:
        tuning.blend(run)
        said, health = finish(run)
        if final:
            yield replace(final, said=(*final.said, *said), health=health)


def _timed(run: Run, cache: Cache, started: float) -> Run:
    """The run with what is left of its minutes since `started` turned into steps, by timing the first few.

    These are thrown away and drawn again.
    """
    plan, like = run.plan, run.state.get("like", {})
    seconds, judging = budget.pace(run.one_step, plan.processes == 1), seconds_to_judge(run)
    left = plan.minutes - (time.monotonic() - started) / 60
    evaluations = plan.evaluations + (1 + len(tuning.SHARES) if plan.start else 0)
    steps = budget.steps_for(left, seconds, judging, evaluations, run.asked_every)
    if plan.most_epochs:
        most = math.ceil(plan.most_epochs * budget.steps_an_epoch(run.cache, plan))
        steps = min(steps, max(budget.FEWEST_STEPS, most))
    fresh = Run(cache, replace(plan, steps=steps), run.folder)
    fresh.state["like"] = like
    tuning.take_rows(fresh, like)
    fresh.begin()
    together.share(steps)
    return fresh


def _follow(folder_of_music: str, plan: TrainingPlan, folder: str, is_timed: bool) -> None:
    """Take part in a run that another process leads."""
    cache = Cache.open(folder_of_music)
    if is_timed:
        budget.pace(Run(cache, plan, Path(folder)).one_step)
        plan = replace(plan, steps=together.share(0))
    run = Run(cache, plan, Path(folder))
    run.resume()
    while not run.is_over:
        run.one_step()
        if run.is_checked and together.share(0):
            run.set_back("the first process knows why")
