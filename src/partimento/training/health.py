"""A verdict on a trained model, in figures and in sentences: does it sing one note, does it sing from memory?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .choice import Choice, beyond

if TYPE_CHECKING:
    from .loop import Run

COPIES = 0.10  # share of copied notes beyond that of real pieces from which a model is said to sing from memory
GAP = 0.25  # of the held-out nats by which training music is the better known, from which it is said to lean on it
FAR = 3.0  # real spreads by which repetition is off, from which it is said


def health_of(run: Run, choice: Choice) -> dict[str, Any]:
    """What a model card says of a run's health: figures, a verdict, and warnings as sentences."""
    entry = _entry(run.state["history"], choice.step)
    heard = choice.heard.get(choice.step)
    gap = _gap(entry)
    found: dict[str, Any] = {
        "collapsed": choice.collapsed, "memorises": _memory(choice, gap), "setbacks": len(run.state["setbacks"]),
        "nats": {"learnt": entry.get("learnt"), "held out": entry.get("valid")}, "gap": gap,
        "accuracy": {"learnt": entry.get("learnt_accuracy"), "held out": entry.get("accuracy")},
        "held_out": run.remark or "whole works that were not trained on",
    }  # fmt: skip
    if heard is not None and choice.real is not None:
        found["composed"], found["real"] = heard.as_dict(), choice.real.as_dict()
    if choice.unheard:
        found["unheard"] = choice.unheard
    found["warnings"] = list(_warnings(choice, found, run.state["setbacks"]))
    found["verdict"] = verdict(found)
    return found


def _entry(history: Sequence[Mapping[str, Any]], step: int) -> Mapping[str, Any]:
    return next((one for one in reversed(history) if one["step"] == step and "setback" not in one), {})


def _gap(entry: Mapping[str, Any]) -> float | None:
    """How much better training music is predicted than held-out music, as a share of the held-out nats."""
    if entry.get("valid") is None or entry.get("learnt") is None or not entry["valid"]:
        return None
    return (entry["valid"] - entry["learnt"]) / abs(entry["valid"])


def _memory(choice: Choice, gap: float | None) -> str:
    """ "yes", "leans", "no" or "unknown": whether the model sings from memory."""
    heard = choice.heard.get(choice.step)
    if (
        heard is not None
        and choice.real is not None
        and heard.copied is not None
        and beyond(heard, choice.real) >= COPIES
    ):
        return "yes"
    if gap is None:
        return "unknown"
    return "leans" if gap >= GAP else "no"


def _warnings(choice: Choice, found: Mapping[str, Any], setbacks: Sequence[Mapping[str, Any]]):
    heard, real = choice.heard.get(choice.step), choice.real
    if choice.collapsed and heard is not None:
        yield (
            f"the model has collapsed: {heard.fallen:.0%} of the {heard.pieces} pieces that it composed are one note "
            "for ever, or nothing. Train longer, on more music, or with a lower rate before you use it"
        )
    if found["memorises"] == "yes" and heard is not None and real is not None:
        beside = f"; of real pieces held out {real.copied:.0%} do" if real.copied is not None else ""
        yield (
            f"the model sings from memory: {heard.copied:.0%} of the notes that it composes stand in the training "
            f"music in runs of twelve{beside}. More music, fewer epochs or more dropout help"
        )
    if found["memorises"] == "leans":
        yield (
            f"the model knows its training music by heart: {found['nats']['learnt']:.2f} nats a step there, "
            f"{found['nats']['held out']:.2f} on music held out. More music, fewer epochs or more dropout help"
        )
    if heard is not None and not choice.collapsed and heard.unlike >= FAR:
        yield (
            f"what it composes does not repeat itself as real pieces do: on average {heard.unlike:.1f} of their spread "
            "off. Train longer, or compare checkpoints in the report"
        )
    if setbacks:
        yield f"training diverged {len(setbacks)} times and went on with a lower rate; a lower --set rate is calmer"


MEMORY = {
    "yes": "It sings from memory.",
    "leans": "It knows its training music much better than other music, yet does not copy it.",
    "no": "It does not sing from memory.",
    "unknown": "Nothing was held out, so that nobody can say whether it only sings from memory.",
}


def verdict(health: Mapping[str, Any]) -> str:
    """The verdict in a line."""
    if health["collapsed"]:
        return "Collapsed: it composes one note for ever. Do not use it."
    heard = "It composes music that moves. " if "composed" in health else "It could not be heard. "
    return heard + MEMORY[health["memorises"]]
