"""`partimento compose --ask`: a conversation instead of options."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from .. import api, formats
from ..errors import BadOption, PartimentoError
from . import _asked
from ._words import keep

QUESTIONS = (  # option, question, answer where nothing is said
    ("happiness", "Happiness, 1 sad to 10 happy (or from bar to bar, 2->9)", "5"),
    ("excitement", "Excitement, 1 calm to 10 excited (or 2->9)", "5"),
    ("complexity", "Complexity, 0 plain to 1 involved", "0.5"),
)
LENGTH = "Length in bars, or in seconds like 40s"
SOURCE = "A file to go on from, MIDI or MusicXML (Enter: none)"
NONE = (None, None)  # no score, no file
OF_THE_PIECE = ("key", "metre", "tempo", "sixteenths", "instruments", "form")  # not asked where a file goes on


def run(style: str | None, model: Path | None, arguments: dict[str, Any], expression: bool, roll: bool) -> None:
    """Ask, compose, write, and ask again until it is enough; what was answered last is the next default."""
    while True:
        try:
            _one(style, model, arguments, expression, roll)
        except PartimentoError as error:
            click.echo(f"partimento: {error}", err=True)
        try:
            if not click.confirm("Another one?", default=False):
                return
        except click.Abort:  # the end of what was piped in
            click.echo()
            return
        if arguments["seed"] is not None:  # the same answers give another piece
            arguments["seed"] += 1


def _one(style, model, arguments: dict[str, Any], expression: bool, roll: bool) -> None:
    for name, question, default in QUESTIONS:
        arguments[name] = _ask(question, arguments.get(name) or default, partial(_curve, name))
    default = f"{arguments['seconds']:g}s" if arguments["seconds"] else str(arguments["bars"] or 16)
    arguments |= _ask(LENGTH, default, _length) | {"sixteenths": None}
    source, file = _ask(SOURCE, "", lambda text: (formats.load(text), Path(text)) if text else NONE, show_default=False)
    kinds = _ask("Output file", _free_name(), lambda text: _target(Path(text), file))
    asked = _asked.asked_of(arguments)
    if source is None:
        found = api.compose_candidates(style, model=model, **asked)
    else:
        asked = {name: value for name, value in asked.items() if name not in OF_THE_PIECE}
        found = api.continue_(source, style=style, model=model, **asked)
    best = found[0].score
    said = _asked.describe(best, _asked.style_of(best), asked["seed"]) + _asked.heard(found, asked)
    _asked.write(best, kinds, expression and source is None, roll, said)


def _ask(question: str, default: str, understand: Callable[[str], Any], **options: Any) -> Any:
    """What `understand` makes of the answer; asked again, with the reason, while it raises a `PartimentoError`."""

    def checked(text: str) -> Any:
        try:
            return understand(text.strip())
        except PartimentoError as error:
            raise click.UsageError(str(error)) from error

    return click.prompt(question, default=default, value_proc=checked, **options)


def _curve(name: str, text: str) -> str:
    """An answer as it was given; raises `BadOption` where no curve of that name can be made of it."""
    api.check_curve(name, text)
    return text


def _target(output: Path, file: Path | None) -> dict[Path, str | None]:
    """The file to write; raises where it cannot be written, or is the one to go on from."""
    keep([file], [output])
    return _asked.targets((output,), None)


def _length(text: str) -> dict[str, Any]:
    """ "16" as bars, "40s" as seconds."""
    match = re.fullmatch(r"([0-9]{1,6})|([0-9]{1,6}(?:\.[0-9]+)?)\s*s(?:econds)?", text.lower())
    if not match or not float(match[1] or match[2]):
        raise BadOption(f"no length {text!r}; write bars like 16, or seconds like 40s")
    if match[1]:
        return {"bars": int(match[1]), "seconds": None}
    return {"bars": None, "seconds": float(match[2])}


def _free_name() -> str:
    """The first of piece-1.mid, piece-2.mid ... that is not there yet."""
    number = 1
    while Path(f"piece-{number}.mid").exists():
        number += 1
    return f"piece-{number}.mid"
