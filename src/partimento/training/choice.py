"""Which weights are kept: chosen at the end of a run by a rule that is written here, and said in a sentence.

1. Of the evaluations whose weights are still there, those count whose held-out loss (nats a step of music, where the
   family has a likelihood) is within `MARGIN` of the lowest, at most `FEW`. The model that training began from, as
   it was, counts only where its loss is the lowest of all.
2. Each composes a few short pieces. Weights that have collapsed (one note for ever) are set aside; where all have,
   the others that are there are tried.
3. Of the rest, the least copied: by the share of notes in runs of twelve that stand in the training music, beyond
   that share of real held-out pieces, in steps of `COPIED`.
4. Of those, the one whose repetition is most like that of real pieces, in steps of `UNLIKE` of their spread.
5. Of those, the likeliest; without anything held out, the latest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import MissingExtra, PartimentoError
from . import checkpoint, kept
from .listening import Heard, Listener, has_collapsed

if TYPE_CHECKING:
    from .loop import Run

MARGIN = 0.01  # of the best held-out nats
FEW = 4  # evaluations that compose
COPIED, UNLIKE = 0.05, 0.5
BEGUN_FROM = 0  # the step at which a model that is gone on from stands


@dataclass
class Choice:
    """The step whose weights are kept, why, and what was heard of those that competed."""

    step: int
    why: str
    heard: dict[int, Heard] = field(default_factory=dict)
    real: Heard | None = None  # real pieces: held-out ones, or else of the training music
    unheard: str = ""  # why nothing could be composed

    @property
    def collapsed(self) -> bool:
        """Whether the weights that are kept compose one note for ever."""
        one = self.heard.get(self.step)
        return one is not None and self.real is not None and has_collapsed(one, self.real)

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "step": self.step, "why": self.why, "unheard": self.unheard,
            "heard": {str(step): one.as_dict() for step, one in self.heard.items()},
            "real": self.real.as_dict() if self.real else None,
        }  # fmt: skip


def choose(run: Run) -> Choice:
    """The weights of a finished run to keep; composes with those that compete."""
    judged = {entry["step"]: entry["valid"] for entry in run.state["history"] if "setback" not in entry}
    there = [step for step in judged if kept.path_of(run.folder, step).exists()]
    first, rest = competitors({step: judged[step] for step in there})
    if not first:
        step = checkpoint.peek(run.best)["step"]
        return Choice(step, f"Step {step:,}: the lowest held-out loss; the weights of no other are there.")
    try:
        return _by_hearing(run, first, rest, judged)
    except MissingExtra:
        raise
    except PartimentoError as error:
        why = "the lowest held-out loss" if judged[first[0]] is not None else "the latest, with nothing held out"
        return Choice(first[0], f"step {first[0]:,}: {why}; it was not heard, since {error}", unheard=str(error))


def competitors(judged: Mapping[int, float | None]) -> tuple[list[int], list[int]]:
    """The steps that count by their held-out nats, and the others, each from the likeliest on.

    Without held-out nats the latest alone counts.
    """
    ranked = sorted(judged, key=lambda step: (judged[step] if judged[step] is not None else 0.0, -step))
    if not ranked or judged[ranked[0]] is None:
        return ranked[:1], ranked[1:]
    if ranked[0] != BEGUN_FROM:
        ranked = [step for step in ranked if step != BEGUN_FROM] + [step for step in ranked if step == BEGUN_FROM]
    limit = (judged[ranked[0]] or 0.0) + MARGIN * abs(judged[ranked[0]] or 0.0)
    near = [step for step in ranked if judged[step] is not None and (judged[step] or 0.0) <= limit]
    first = [step for step in near if step != BEGUN_FROM or step == ranked[0]][:FEW]
    return first, [step for step in ranked if step not in first]


def _by_hearing(run: Run, first: Sequence[int], rest: Sequence[int], judged: Mapping[int, float | None]) -> Choice:
    listener = Listener(run)
    heard = {step: listener.hear(kept.composer(run, step)) for step in first}
    if all(has_collapsed(one, listener.real) for one in heard.values()):
        heard |= {step: listener.hear(kept.composer(run, step)) for step in rest}
    step = best_of(heard, listener.real, judged)
    blends = {one["step"]: one["blend"] for one in run.state["history"] if "blend" in one}
    why = reason(step, heard, listener.real, judged, run.epoch_of(min(step, run.state["steps"])), blends)
    return Choice(step, why, heard, listener.real)


def best_of(heard: Mapping[int, Heard], real: Heard, judged: Mapping[int, float | None]) -> int:
    """The step to keep, by the rule above."""

    def rank(step: int) -> tuple:
        one = heard[step]
        return (
            has_collapsed(one, real), int(beyond(one, real) / COPIED), int(one.unlike / UNLIKE),
            judged[step] if judged[step] is not None else 0.0, -step,
        )  # fmt: skip

    return min(heard, key=rank)


def beyond(heard: Heard, real: Heard) -> float:
    """Share of copied notes beyond that of real held-out pieces, 0 to 1."""
    return max(0.0, (heard.copied or 0.0) - (real.copied or 0.0))


def reason(
    step: int, heard: Mapping[int, Heard], real: Heard, judged: Mapping[int, float | None], epoch: float,
    blends: Mapping[int, float] | None = None,
) -> str:  # fmt: skip
    """Why `step` is kept, in a sentence or two; `blends`: steps that are weights so far of the way to the last ones."""
    where, valid = f"Step {step:,} (epoch {epoch:.1f})", judged[step]
    if step == BEGUN_FROM:
        where = "The model that training began from, as it was"
    elif blends and step in blends:
        where = f"{blends[step]:.0%} of the way from the model that training began from to its last weights"
    others = [other for other in heard if other != step]
    fell = [other for other in others if has_collapsed(heard[other], real)]
    if fell and not has_collapsed(heard[step], real):
        return f"{where}: it composes music where {_steps(fell)} had collapsed to one note{_nats(valid)}."
    if valid is None:
        return f"{where}: the latest; nothing is held out to choose by."
    likeliest = min(heard, key=lambda one: judged[one] or 0.0)
    if not others:
        return f"{where}: the lowest held-out loss{_nats(valid)}; no other that is there comes within 1 %."
    if step == likeliest:
        return f"{where}: the lowest held-out loss{_nats(valid)}; the others within 1 % are not better otherwise."
    best = heard[likeliest]
    near = f"{where}: its held-out loss{_nats(valid)} is within 1 % of the lowest{_nats(judged[likeliest])}, and "
    if int(beyond(heard[step], real) / COPIED) < int(beyond(best, real) / COPIED):
        return near + (
            f"less of what it composes stands in the training music: {100 * (heard[step].copied or 0):.0f} % of the "
            f"notes against {100 * (best.copied or 0):.0f} %."
        )
    return near + (
        f"what it composes repeats itself more as real pieces do: {heard[step].unlike:.1f} of their spread off, "
        f"against {best.unlike:.1f}."
    )


def _steps(steps: Sequence[int]) -> str:
    return "step " + ", ".join(f"{step:,}" for step in steps)


def _nats(valid: float | None) -> str:
    return f" ({valid:.3f})" if valid is not None else ""
