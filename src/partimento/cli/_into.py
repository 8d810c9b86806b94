"""What the verbs share that compose into a file's music."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from .. import api, formats
from ..score import Score
from . import _asked
from ._words import keep

ALIKE = "the one most like the piece"
FILE = (click.argument("file", type=click.Path(path_type=Path)),)
INSTRUMENTS = (
    click.option(
        "--instrument", "instruments", multiple=True, help="What accompanies, by name; repeat it for the next part."
    ),
)
ENDING = (
    click.option("--ending/--no-ending", default=True, help="Close the piece, or leave it open [default: close]."),
)


def writing(verb: str) -> tuple[Callable, ...]:
    """Options of what is written: music that stands is not shaped anew unless it is asked for."""
    return _asked.writing(expression=False, name=f"FILE-{verb}-SEED")


def run(
    compose: Callable[[Score, dict], Sequence[api.Candidate]],
    verb: str,
    arguments: dict[str, Any],
    say: Callable[[Score, dict], str],
) -> None:
    """Load the file, compose, write the best piece into the current folder; `say` tells what is new in it."""
    arguments = dict(arguments)
    file, outputs, kind = arguments.pop("file"), arguments.pop("outputs"), arguments.pop("kind")
    expression, roll = arguments.pop("expression"), arguments.pop("roll")
    kinds = _asked.targets(outputs, kind)
    keep([file], kinds)
    score, asked = formats.load(file), _asked.asked_of(arguments)
    found = compose(score, asked)
    best = found[0].score
    kinds = kinds or {Path(f"{file.stem}-{verb}-{asked['seed']}.mid"): None}
    said = f"{file.name}, {say(score, asked)} as {_asked.style_of(best)}"
    said = _asked.describe(best, said, asked["seed"]) + _asked.heard(found, asked) + chosen(found)
    _asked.write(best, kinds, expression, roll, said)


def chosen(found: Sequence[api.Candidate]) -> str:
    """How the best of several leads into what stands behind it, beside all of them; nothing where nothing does."""
    joins = [one.join for one in found if one.join is not None]
    if not joins:
        return ""
    typical = [one.typicality for one in found]
    return (
        f"\nbest of {len(found)}: the bar behind costs {joins[0]:.2f} nats a note (all: {min(joins):.2f} to "
        f"{max(joins):.2f}), typicality {typical[0]:.2f} (all: {min(typical):.2f} to {max(typical):.2f})"
    )


def spans(pairs: Sequence[tuple[int, int]]) -> str:
    """First and last bars in words: "bar 5", "bars 5-8", "bars 2, 5-8"."""
    said = ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in pairs)
    return f"bar{'s' * (not said.isdecimal())} {said}"
