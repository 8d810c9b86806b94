"""What a child does that composes: each kind of job from its request to the pieces that are kept.

A job is told of what is asked as the server has checked it, and of the scores that it needs; it gives plain data.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from .. import api
from ..errors import BadOption, MusicError, Stopped
from ..instruments import find_program
from ..score import Metre, Score, Tempo, Track, note_array
from ..timing import Clock, duration_seconds, parse_metre
from . import learning, packing
from .tasks import SEEDS, Task, kept

CONTROLS = ("happiness", "excitement", "complexity", "density")
PASSED = ("bars", "seconds", "key", "metre", "tempo", "chords", "guidance", "candidates", "ending", "form", *CONTROLS)
DRAWING = ("temperature", "top_p", "top_k", "min_p")
GRID = (0, 6, 8, 12, 16, 18, 24)  # places in a beat to which a played phrase is brought
TICKS = 24
RATHER = 4  # candidates of a new piece where nothing is said


def wanted(asked: dict[str, Any], candidates: int) -> dict[str, Any]:
    """The arguments of the composing functions of `api`, of a request as JSON has it."""
    found = {name: asked[name] for name in PASSED if asked.get(name) is not None}
    for name in CONTROLS:
        if isinstance(found.get(name), list):
            found[name] = curve(found[name])
    found.setdefault("candidates", candidates)
    found["seed"] = secrets.randbelow(SEEDS) if asked.get("seed") is None else asked["seed"]
    if asked.get("instruments"):
        found["instruments"] = tuple(find_program(one) if isinstance(one, str) else one for one in asked["instruments"])
    found["sampling"] = {name: asked[name] for name in DRAWING if asked.get(name) is not None}
    return found


def curve(points: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    """Points of a curve in the order of their bars, the last bar (-1) at the end."""
    return tuple(sorted(((float(bar), float(value)) for bar, value in points), key=lambda p: (p[0] < 0, p[0])))


def compose(task: Task) -> dict[str, Any]:
    """A new piece."""
    asked = wanted(task.asked, RATHER)
    return _composed(task, asked, lambda ear: api.compose_candidates(task.style, model=task.model, ear=ear, **asked))


def infill(task: Task) -> dict[str, Any]:
    asked, score, bars = wanted(task.asked, 1), task.scores[0], tuple(task.asked["bars"])
    asked.pop("bars", None)
    tracks = task.asked.get("tracks") or ()
    return _composed(
        task, asked,
        lambda ear: api.infill(score, bars, tracks=tracks, style=task.style, model=task.model, ear=ear, **asked),
    )  # fmt: skip


def continue_(task: Task) -> dict[str, Any]:
    asked, score, where = wanted(task.asked, 1), task.scores[0], task.asked.get("where") or "end"
    return _composed(
        task, asked, lambda ear: api.continue_(score, where, style=task.style, model=task.model, ear=ear, **asked)
    )


def vary(task: Task) -> dict[str, Any]:
    asked, score = wanted(task.asked, 1), task.scores[0]
    amount = 0.3 if task.asked.get("amount") is None else task.asked["amount"]
    return _composed(
        task, asked, lambda ear: api.vary(score, amount, style=task.style, model=task.model, ear=ear, **asked)
    )


def harmonize(task: Task) -> dict[str, Any]:
    asked, score = wanted(task.asked, 1), task.scores[0]
    return _composed(
        task, asked, lambda ear: api.harmonize(score, style=task.style, model=task.model, ear=ear, **asked)
    )


def answer(task: Task) -> dict[str, Any]:
    """A phrase that was played, and what the model makes of it."""
    phrase, asked = phrase_of(task.asked), wanted(task.asked, 1)
    for name in ("key", "metre", "tempo"):
        asked.pop(name, None)
    asked.setdefault("bars", 4)
    found = _composed(
        task, asked, lambda ear: api.continue_(phrase, "end", style=task.style, model=task.model, ear=ear, **asked)
    )
    first = kept(phrase, kind="phrase", title="A phrase")
    later = [one | {"parent": "@0"} for one in found["pieces"]]
    begins = Clock(phrase).bars[-1].end
    return found | {"pieces": [first, *later], "result": found["result"] | {"answer_tick": begins}}


def phrase_of(asked: dict[str, Any]) -> Score:
    """The score of notes as they were played, on the nearest sixteenths and triplets, from a bar line on."""
    tempo = float(asked.get("tempo") or 120)
    beat = 60 / tempo if asked.get("unit", "seconds") == "seconds" else 1.0
    played = sorted(asked["notes"], key=lambda note: note["onset"])
    if not played:
        raise MusicError("there is no note in the phrase; play one")
    first, rows = played[0]["onset"], []
    for note in played:
        onset = on_grid((note["onset"] - first) / beat)
        duration = max(3, on_grid(note["duration"] / beat))
        rows.append((onset, duration, note["pitch"], note.get("velocity") or 80, 0))
    numerator, denominator = parse_metre(asked.get("metre") or "4/4")
    return Score(
        note_array(rows), (Track("", asked.get("program") or 0),), TICKS, (Tempo(0, tempo),),
        (Metre(0, numerator, denominator),), title="A phrase",
    )  # fmt: skip


def on_grid(beats: float) -> int:
    """Beats as ticks, at the nearest place of a beat."""
    whole, rest = divmod(beats * TICKS, TICKS)
    return int(whole) * TICKS + min(GRID, key=lambda place: abs(place - rest))


def reproduce(task: Task) -> dict[str, Any]:
    """A piece once more, from its recipe alone (and its parent, where it was composed into that)."""
    piece, source = task.scores[0], task.scores[1] if len(task.scores) > 1 else None
    if not piece.recipe:
        raise BadOption("the piece has no recipe: it was not composed, or was changed by hand since")
    again = api.reproduce(piece.recipe, source, model=task.model)
    same = again == piece
    style = task.style or piece.recipe["asked"]["style"]
    one = kept(again, kind=piece.recipe["verb"], title=f"{piece.title or 'A piece'}, again", style=style)
    return {"pieces": [one], "result": {"same": same}}


def _composed(task: Task, asked: dict[str, Any], run: Callable[[api.Stream], Sequence[api.Candidate]]) -> dict:
    """Compose while telling; the candidates as pieces, or what there was when it was stopped."""
    ear = api.Stream(task.tell, pieces=asked["candidates"], stop=task.stop)
    try:
        found = run(ear)
    except Stopped:
        partial = ear.so_far()
        if partial is None or not len(partial):
            return {"pieces": [], "result": {}, "state": "stopped"}
        left = kept(partial, kind="stopped", title="Stopped", style=task.style, seed=asked["seed"])
        return {"pieces": [left], "result": {}, "state": "stopped"}
    ear.end()
    pieces = [_piece(task, one, rank, asked) for rank, one in enumerate(found)]
    return {"pieces": pieces, "result": {"heard": _heard(found[0], asked["seed"])}}


def _piece(task: Task, one: api.Candidate, rank: int, asked: dict[str, Any]) -> dict[str, Any]:
    score = api.express(one.score) if task.asked.get("expression") else one.score
    style = score.recipe["asked"]["style"] if score.recipe else task.style
    why = {
        "in_key": one.in_key, "closes": one.closes, "typicality": round(one.typicality, 4),
        "missed": {name: round(value, 4) for name, value in one.errors.items()},
        "obtained": {name: round(value, 4) for name, value in one.obtained.items()},
        "parallels": round(one.parallels, 4),
    }  # fmt: skip
    title = task.asked.get("title") or score.title
    said = _said(one, asked, style)
    return kept(
        score, kind=task.kind, title=title, rank=rank, candidate=one.number, style=style, seed=asked["seed"],
        worth=round(one.worth, 4), why=why | {"said": said}, said=said, did=_did(task),
    )  # fmt: skip


def _did(task: Task) -> dict[str, Any]:
    """What was asked, but for what was left to the studio."""
    return {name: value for name, value in task.asked.items() if value is not None and name != "notes"}


def _said(one: api.Candidate, asked: dict[str, Any], style: str | None) -> list[str]:
    """Why a candidate stands where it stands, in words."""
    said = ["stays in its key" if one.in_key else "leaves its key", "closes well" if one.closes else "does not close"]
    if not asked.get("ending", True):
        said.pop()
    said.append(f"{100 * one.typicality:.0f} % typical of {style}")
    for name in CONTROLS:
        if name in one.errors:
            near = f"{100 * one.errors[name]:.0f} % off what was asked"
            said.append(f"{name} {one.obtained[name]:.2g} on average, {near}")
    if one.parallels:
        said.append("more parallel fifths and octaves than the style has")
    return said


def _heard(one: api.Candidate, seed: int) -> str:
    """The best candidate in a line."""
    score, seen = one.score, packing.seen(one.score)
    style = score.recipe["asked"]["style"] if score.recipe else "a piece"
    return (
        f"{style}, seed {seed}: {seen['bars']} bars of {seen['metre']} in {seen['key']}, "
        f"{seen['tempo']:g} quarter notes a minute, {duration_seconds(score):.0f} s, {len(score)} notes"
    )


KINDS: dict[str, Callable[[Task], dict[str, Any]]] = {
    "compose": compose, "infill": infill, "continue": continue_, "vary": vary, "harmonize": harmonize,
    "answer": answer, "reproduce": reproduce, **learning.KINDS,
}  # fmt: skip
