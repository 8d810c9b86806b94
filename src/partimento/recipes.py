"""Recipes: what makes a piece again, as it stands in the piece's file.

A recipe is what was asked, the model's digest and, where the piece was composed into other music, a fingerprint of
that. One that is read back may come from anywhere: everything in it is checked before it is used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .asking import LAST_BAR, MOST_BARS, MOST_COPIED, Request, check
from .encodings._given import CHORDS
from .errors import BadOption
from .sampling import Sampling
from .score import Score

VERSION = "0.1.0"
LARGEST = 1e9  # of numbers that have no limit of their own
MOST_ENTRIES = 10_000  # of a list in a recipe


@dataclass(frozen=True)
class Recipe:
    """A recipe that has been checked: `verb` with what it takes beside the request, and the candidate's rank."""

    verb: str
    model: str  # twelve hexadecimal digits of its SHA-256
    request: Request
    rank: int = 0
    made: Mapping[str, Any] = field(default_factory=dict)  # where, tracks, amount; as VERBS has them
    source: str = ""  # `fingerprint` of the music that was composed into
    expression: bool = False
    originality: Mapping[str, Any] = field(default_factory=dict)  # of the piece, as `originality.Judged.score` has it

    def as_dict(self) -> dict[str, Any]:
        """As it is written: plain JSON, of the request only what is asked."""
        plain = asdict(Request())
        asked = {name: value for name, value in asdict(self.request).items() if value != plain[name] or name == "style"}
        found = {"partimento": VERSION, "verb": self.verb, "model": self.model, **self.made}
        found |= {"input": self.source} if self.source else {}
        found |= {"rank": self.rank, "asked": asked}
        found |= {"originality": dict(self.originality)} if self.originality else {}
        return found | ({"expression": True} if self.expression else {})


def fingerprint(score: Score) -> str:
    """Sixteen hexadecimal digits that tell one score's music from another's; names and title do not count."""
    maps = [[asdict(entry) for entry in entries] for entries in (score.tempos, score.metres, score.keys)]
    programs = [track.program for track in score.tracks]
    rest = json.dumps([programs, score.ticks_per_beat, score.upbeat, maps])
    return hashlib.sha256(score.notes.tobytes() + rest.encode()).hexdigest()[:16]


def read(recipe: Any) -> Recipe:
    """A recipe from a file, checked; raises `BadOption` where it is not one that this version writes."""
    if not isinstance(recipe, Mapping):
        raise _strange("there is no table of names in it")
    verb = recipe.get("verb")
    if not isinstance(verb, str) or verb not in VERBS:
        raise _strange(f"its verb is {verb!r:.40}")
    shapes = {**FRAME, **VERBS[verb], **({"input": _is_word} if verb != "compose" else {})}
    _fit(recipe, shapes, optional=("expression", "transform", "originality"))
    _fit(recipe["asked"], ASKED, optional=tuple(ASKED))
    asked = {name: _as_tuples(value) for name, value in recipe["asked"].items()}
    _fit(asked.get("sampling", {}), SAMPLING, optional=tuple(SAMPLING))
    asked["sampling"] = Sampling(**asked.get("sampling", {}))
    request = Request(**asked)
    check(request)
    if recipe["rank"] >= request.candidates:
        raise _strange(f"its rank is {recipe['rank']} of {request.candidates} candidates")
    made = {name: recipe[name] for name in VERBS[verb]}
    return Recipe(
        verb, recipe["model"], request, recipe["rank"], made, recipe.get("input", ""), recipe.get("expression", False),
        recipe.get("originality", {}),
    )  # fmt: skip


def _strange(reason: str) -> BadOption:
    return BadOption(f"the recipe is not one that Partimento {VERSION} wrote: {reason}")


def _fit(found: Mapping[str, Any], shapes: Mapping[str, Callable[[Any], bool]], optional: tuple[str, ...]) -> None:
    """Raise `BadOption` where a name is unknown or missing, or a value is not what it is to be."""
    for name in found:
        if name not in shapes:
            raise _strange(f"it holds {str(name)!r:.40}, which no recipe has")
    for name, fits in shapes.items():
        if name not in found and name not in optional:
            raise _strange(f"it lacks {name}")
        if name in found and not fits(found[name]):
            raise _strange(f"its {name} is {found[name]!r:.40}")


def _as_tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return tuple(map(_as_tuples, value)) if isinstance(value, list | tuple) else value


# --- what a value is to be


def _is_whole(value: Any, low: float = -LARGEST, high: float = LARGEST) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST  # false for NaN


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 100


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_list(value: Any, fits: Callable[[Any], bool], count: int | None = None) -> bool:
    listed = isinstance(value, list | tuple) and len(value) <= MOST_ENTRIES
    return listed and (count is None or len(value) == count) and all(map(fits, value))


def _is_pair(value: Any, first: Callable[[Any], bool], second: Callable[[Any], bool]) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and first(value[0]) and second(value[1])


def _is_table(value: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, Mapping) and all(_is_word(name) and fits(entry) for name, entry in value.items())


def _is_bar(value: Any) -> bool:
    return _is_number(value) and 1 <= value <= MOST_BARS + 1


def _is_curve(value: Any) -> bool:
    def is_point(point: Any) -> bool:
        return _is_pair(point, lambda bar: _is_bar(bar) or bar == LAST_BAR, _is_number)

    return _is_number(value) or (_is_list(value, is_point) and len(value) > 0)


def _is_metre(value: Any) -> bool:
    return _is_pair(value, lambda beats: _is_whole(beats, 1, 99), lambda unit: unit in (1, 2, 4, 8, 16))


def _is_chord(value: Any) -> bool:
    return _is_pair(value, _is_bar, lambda chord: _is_whole(chord, 0, CHORDS - 3))


def _is_mix(value: Any) -> bool:
    def is_part(part: Any) -> bool:
        return _is_pair(part, _is_word, lambda weight: _is_number(weight) and weight >= 0)

    return _is_list(value, is_part) and (not value or sum(weight for _, weight in value) > 0)


def _is_place(value: Any) -> bool:
    return value in ("end", "start") if isinstance(value, str) else _is_whole(value, 1)


FRAME: dict[str, Callable[[Any], bool]] = {
    "partimento": _is_word, "verb": _is_word, "model": _is_word, "rank": lambda value: _is_whole(value, 0),
    "asked": lambda value: isinstance(value, Mapping) and "style" in value, "expression": _is_flag,
    "transform": lambda value: _is_list(value, _is_word),  # what was done to the piece since it was composed
    "originality": lambda value: _is_table(value, lambda figure: figure is None or _is_number(figure)),
}  # fmt: skip
VERBS: dict[str, dict[str, Callable[[Any], bool]]] = {  # verb -> what it takes beside the request
    "compose": {},
    "continue": {"where": _is_place},
    "infill": {
        "where": lambda value: _is_list(value, _is_whole, 2),
        "tracks": lambda value: _is_list(value, _is_whole),
    },
    "harmonize": {},
    "vary": {"amount": _is_number},
}
SAMPLING: dict[str, Callable[[Any], bool]] = {
    "temperature": _is_number, "top_k": _is_whole, "top_p": _is_number, "min_p": _is_number,
    "temperatures": lambda value: _is_table(value, _is_number),
    "threshold": lambda value: value is None or _is_number(value),
}  # fmt: skip
ASKED: dict[str, Callable[[Any], bool]] = {
    "style": _is_word, "bars": _is_whole, "seconds": _is_number, "sixteenths": _is_whole,
    "key": lambda value: _is_pair(value, _is_whole, _is_word), "tempo": _is_number, "metre": _is_metre,
    "programs": lambda value: _is_list(value, _is_whole),
    "happiness": _is_curve, "excitement": _is_curve, "complexity": _is_curve, "density": _is_curve,
    "axes": lambda value: _is_table(value, _is_number), "mix": _is_mix,
    "chords": lambda value: _is_list(value, _is_chord), "ending": _is_flag, "form": _is_flag, "guidance": _is_number,
    "seed": lambda value: _is_whole(value, 0, 2**63 - 1), "candidates": _is_whole,
    "max_copy": lambda value: _is_whole(value, 0, MOST_COPIED),
    "sampling": lambda value: isinstance(value, Mapping),
}  # fmt: skip
