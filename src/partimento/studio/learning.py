"""What a child does for somebody who learns: latent spaces, what the model expected, where music came from."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from .. import api
from ..errors import BadOption
from .tasks import SEEDS, Task, kept


def morph(task: Task) -> dict[str, Any]:
    """The way from one piece to another through a latent space."""
    asked = task.asked
    steps, bars = asked.get("steps") or 5, asked.get("bars") or 4
    found = api.morph(task.scores[0], task.scores[1], steps, bars=bars, style=task.style, model=task.model)
    names = [f"Stage {n + 1} of {len(found.stages)}" for n in range(len(found.stages))]
    pieces = [kept(s, kind="morph", title=n, style=found.style) for s, n in zip(found.stages, names, strict=True)]
    pieces.append(kept(api.joined(found.stages, found.bars), kind="morph", title="A morph", style=found.style))
    return {"pieces": pieces, "result": {"kept": list(found.kept), "joined": "@last"}}


def map_(task: Task) -> dict[str, Any]:
    """Where pieces lie in a latent space, on a plane."""
    if task.model is None:
        raise BadOption("a map needs a style of a model with a latent space; train one of the family vae")
    found, asked = api.place(task.model, task.scores, style=task.style), task.asked
    named = zip(asked["pieces"], asked["titles"], found["points"], strict=True)
    points = [
        {"piece": piece, "title": title, "group": group, "x": at[0], "y": at[1]}
        for piece, (title, group), at in named
        if at is not None
    ]
    xs, ys = [one["x"] for one in points], [one["y"] for one in points]
    left = [{"piece": asked["pieces"][n], "why": why} for n, why in found["left_out"].items()]
    result = {"style": asked["style"], "share": found["share"], "points": points, "left_out": left}
    result |= {"extent": [[min(xs), max(xs)], [min(ys), max(ys)]], "plane": found["plane"]}
    return {"pieces": [], "result": result}


def point(task: Task) -> dict[str, Any]:
    """What a place of the map sounds like."""
    asked = task.asked
    if task.model is None:
        raise BadOption("a point needs a style of a model with a latent space; train one of the family vae")
    seed = secrets.randbelow(SEEDS) if asked.get("seed") is None else asked["seed"]
    score = api.at_place(
        task.model, asked["plane"], (asked["x"], asked["y"]), bars=asked.get("bars") or 4, style=task.style, seed=seed
    )
    title = f"The point {asked['x']:.2f}, {asked['y']:.2f}"
    return {"pieces": [kept(score, kind="point", title=title, style=task.style, seed=seed)], "result": {}}


def explain(task: Task) -> dict[str, Any]:
    """What the model expected at each step of a window, and how surprised it was by what is there."""
    asked = task.asked
    bars = asked.get("bars") or (1 if asked.get("bar") else 8)
    last = asked["bar"] + bars - 1 if asked.get("bar") else None
    found = api.explain(
        task.scores[0], model=task.model, style=task.style, bars=bars, bar=last, top=asked.get("top") or 5, inside=False
    )
    return {"pieces": [], "result": found.as_dict() | {"lines": api.explained_lines(found)}}


def originality(task: Task) -> dict[str, Any]:
    """What of a piece stands in the training music of its model; the second score is what it was composed into."""
    given = task.scores[1] if len(task.scores) > 1 else None
    (found,) = api.check_originality(task.scores[:1], model=task.model, given=given)
    name = task.scores[0].title or "the piece"
    return {"pieces": [], "result": found.as_dict() | {"words": api.originality_words(name, found)}}


KINDS: dict[str, Callable[[Task], dict[str, Any]]] = {
    "morph": morph, "map": map_, "point": point, "explain": explain, "originality": originality,
}  # fmt: skip
