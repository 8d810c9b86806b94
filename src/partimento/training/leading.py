"""What the first process of a run does beside taking steps: judging, watching, saving, keeping the log."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import Stopped
from . import budget, kept, logs, report, together, tuning
from .judging import Judged
from .progress import Progress
from .stopping import Wish

if TYPE_CHECKING:
    from .loop import Run

HISTORY = "history.json"
PROGRESS = 4  # reports between two evaluations


class Leader:
    """Takes a run's remaining steps; `wish` may stop it between two of them."""

    def __init__(self, run: Run, wish: Wish):
        self.run, self.wish = run, wish
        composed, state = [entry.name for entry in run.encoding.composed], run.state
        self.log = logs.Log(run.folder, composed, state["step"], len(state["setbacks"]), run.plan.tensorboard)
        self.begun, self.before = state["step"], state["seconds"]
        self.started = self.saved = time.monotonic()
        train = run.cache.of("train")
        self.notes_a_step = sum(piece.notes for piece in train) / max(1, sum(piece.length - 1 for piece in train))
        self.taken, self.notes = 0, 0.0
        self.recent, self.since = 0.0, 0  # sum of the losses since the last progress, and their number
        begins = tuning.remark(run.state.get("like", {})) if not state["step"] else []
        self.said = [_budget(run), *begins] + [run.remark] * bool(run.remark)

    def steps(self) -> Iterator[Progress]:
        """Take the steps that are left; raises `Stopped` once it is asked to, all being saved."""
        run = self.run
        try:
            if run.plan.start and not run.state["step"] and not run.state["history"]:
                yield self._progress({}, self._before())
            while not run.is_over:
                terms = self._step()
                entry = self._judged() if run.is_evaluated and not run.watch.reason else None
                set_back = run.is_checked and self._checked()
                if entry or set_back or time.monotonic() - self.saved > run.plan.save_seconds:
                    run.save(run.last)
                    self.saved = time.monotonic()
                if entry or set_back or self.since >= max(1, run.every // PROGRESS):
                    yield self._progress(terms, entry or {})
                if self.wish.is_there and not run.is_over:
                    self._stop()
        finally:
            self.log.close()

    def _before(self) -> dict[str, Any]:
        """Judge and keep the model that is gone on from: it competes with all that training makes of it."""
        entry = self._judged() or {}
        self.run.save(self.run.last)
        return entry

    def _step(self) -> dict[str, Tensor]:
        run = self.run
        terms, seen = run.one_step()
        loss = float(torch.stack(list(terms.values())).sum().detach())
        run.watch.step(loss)
        total, count = run.state["interval"]
        run.state["interval"] = [total + loss, count + 1]
        self.taken, self.recent, self.since = self.taken + 1, self.recent + loss, self.since + 1
        self.notes += seen * self.notes_a_step * run.plan.processes  # the others' batches are of like length
        run.state["seconds"] = self.before + time.monotonic() - self.started
        return terms

    def _judged(self) -> dict[str, Any] | None:
        """Judge the averaged weights, note it and keep them; None where something is wrong with them."""
        run, state = self.run, self.run.state
        total, count = state["interval"]
        state["interval"] = [0.0, 0]
        held_out, learnt = run.evaluate()
        valid, train = held_out.total, total / count if count else learnt.total or 0.0
        run.watch.evaluation(train, count, valid)
        if run.watch.reason:
            return None
        entry = {"step": state["step"], **entry_of(held_out, learnt), "train": train}
        state["history"].append(entry)
        if valid is None or state["best"] is None or valid < state["best"]:
            state["best"] = valid
            run.save(run.best)
        kept.keep(run)
        run.save(run.good)
        write_history(run)
        report.write(run)
        return entry

    def _checked(self) -> bool:
        """Tell the other processes whether training goes on, and set it back where its loss goes crazy."""
        run, reason = self.run, self.run.watch.reason
        if reason:
            try:
                self.said.append(run.set_back(reason))
            finally:
                write_history(run)
                report.write(run)
            self.recent, self.since = 0.0, 0
        return bool(together.share(int(bool(reason))))

    def _progress(self, terms: dict[str, Tensor], entry: dict[str, Any]) -> Progress:
        run, state, elapsed = self.run, self.run.state, time.monotonic() - self.started
        train = self.recent / self.since if self.since else entry.get("train", run.watch.fast)
        found = Progress(
            state["step"], state["steps"], train, entry.get("valid"), state["best"], self.notes / max(1e-9, elapsed),
            state["seconds"], {name: float(value.detach()) for name, value in terms.items()},
            run.epoch_of(state["step"]), (state["steps"] - state["step"]) * elapsed / max(1, self.taken),
            entry.get("accuracy"), tuple(self.said),
        )  # fmt: skip
        self.log.add(
            {
                "step": found.step, "epoch": found.epoch, "setbacks": len(state["setbacks"]), "seconds": found.seconds,
                "rate": run.rate_now, "notes_per_second": found.notes_per_second,
                "train": train if self.since else None,
                **{name: entry.get(name) for name in ("valid", "learnt", "accuracy", "learnt_accuracy")},
                **{f"valid.{one.name}": entry.get(one.name) for one in run.encoding.composed},
                **{f"accuracy.{name}": value for name, value in entry.get("accuracies", {}).items()},
            }
        )  # fmt: skip
        self.said, self.recent, self.since = [], 0.0, 0
        return found

    def _stop(self) -> None:
        run = self.run
        run.save(run.last)
        raise Stopped(
            f"stopped at step {run.state['step']:,} of {run.state['steps']:,}; all is saved in {run.folder}, and the "
            "same command goes on from there"
        )


def entry_of(held_out: Judged, learnt: Judged) -> dict[str, Any]:
    """What the history holds of weights that were judged."""
    return {
        "valid": held_out.total, **held_out.nats, "learnt": learnt.total, "accuracy": held_out.overall,
        "learnt_accuracy": learnt.overall, "accuracies": held_out.accuracy,
    }  # fmt: skip


def _budget(run: Run) -> str:
    """How long training is going to be, or how much of it is left."""
    steps, step = run.state["steps"], run.state["step"]
    notes = budget.notes_a_window(run.batches) * run.plan.batch * run.plan.processes * steps
    said = f"{steps:,} step{'s' * (steps != 1)}: {run.epoch_of(steps):.1f} epochs of the training music, "
    said += f"{notes:,.0f} notes to hear"
    return f"going on from step {step:,} of {said}" if step else said


def write_history(run: Run) -> None:
    """The evaluations and setbacks so far, in `history.json` of the run's folder."""
    beside = run.folder / "history.partial"
    beside.write_text(json.dumps(run.state["history"], indent=1), encoding="utf-8")
    beside.replace(run.folder / HISTORY)
