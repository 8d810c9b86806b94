"""What the composing verbs have in common: their options, the files they write, the line they say."""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from .. import api, formats
from ..errors import BadOption
from ..instruments import find_program
from ..score import Score
from ..timing import Clock, duration_seconds
from ._words import counted

SEEDS = 1_000_000  # a seed that is not asked for is small enough to type again
PLAYED = (".mid", ".midi", ".wav", ".flac", ".ogg", ".mp3")  # files to hear; the others are to be read
CONTROLS = (
    click.option("--happiness", metavar="CURVE", help="1-10: a number, 2->9, or points over the bars 1:2,8:9."),
    click.option("--excitement", metavar="CURVE", help="1-10, likewise; a new piece is also faster and louder."),
    click.option("--complexity", metavar="CURVE", help="0-1, likewise."),
    click.option("--density", metavar="CURVE", help="Notes a beat, 0-1 of what the style has, likewise."),
    click.option("--axis", "axes", multiple=True, metavar="NAME=VALUE", help="A control of the model's own."),
    click.option("--chords", help="'Dm G7 C', one a bar, or 'Dm G7 | C' with bar lines; obeyed."),
    click.option("--guidance", type=float, help="How strongly controls are heard; 0: as learnt  [default: 2]."),
)


def _usual(value: float | str) -> str:
    """How a default is shown that a model file may set otherwise."""
    return f"[default: {value}, or the model's own]"


DRAWING = (
    click.option("--seed", type=int, help="The same seed gives the same piece [default: a new one each time]."),
    click.option("--temperature", type=float, help=f"Boldness: 0 likeliest, 1 as learnt  {_usual(1)}."),
    click.option("--top-k", type=int, help=f"Choose among the K likeliest only  {_usual('all')}."),
    click.option(
        "--top-p", type=float, help=f"Choose among the likeliest that make up this share  {_usual(1)}."
    ),
    click.option(
        "--min-p", type=float, help=f"Leave out what is rarer beside the likeliest  {_usual(api.Sampling.min_p)}."
    ),
    click.option("--candidates", type=int, default=4, show_default=True, help="Compose several, keep the best."),
    click.option(
        "--max-copy", type=int, metavar="N",
        help="At most N notes in a row that stand in the training music, at any pitch and speed; 0: any number "
        "[default: as many as real pieces of the style share].",
    ),
)  # fmt: skip


def model(style: str) -> tuple[Callable, ...]:
    """Options of who composes; `style` says which style it is by default."""
    return (
        click.option("--style", help=f"A shipped style, see `partimento styles` [default: {style}]."),
        click.option("--model", type=click.Path(path_type=Path), help="A model file of your own instead."),
    )


def writing(*, expression: bool, name: str) -> tuple[Callable, ...]:
    """Options of what is written; `expression` is the default, `name` that of the file."""
    shaped = "yes; sheet music stays plain" if expression else "no: what stands is kept"
    return (
        click.option(
            "-o", "--output", "outputs", multiple=True, type=click.Path(path_type=Path),
            help=f"File: .mid .musicxml .wav .flac .mp3 .png .svg; repeatable [default: {name}.mid].",
        ),
        click.option("--kind", type=click.Choice(sorted(formats.PICTURES)), help="What pictures show [default: roll]."),
        click.option(
            "--expression/--no-expression", default=expression,
            help=f"Shape tempo and dynamics of what is played by rule [default: {shaped}].",
        ),
        click.option("--roll/--no-roll", default=True, help="Draw the piano roll here."),
    )  # fmt: skip


def options(*groups: Sequence[Callable]) -> Callable:
    """Groups of options as one decorator."""

    def decorate(function: Callable) -> Callable:
        for option in reversed([option for group in groups for option in group]):
            function = option(function)
        return function

    return decorate


def asked_of(arguments: dict[str, Any]) -> dict[str, Any]:
    """What the composing functions of `api` are asked, from the options of a verb."""
    asked = dict(arguments)
    asked["seed"] = secrets.randbelow(SEEDS) if asked["seed"] is None else asked["seed"]
    drawing = {name: asked.pop(name) for name in ("temperature", "top_k", "top_p", "min_p")}
    asked["sampling"] = {name: value for name, value in drawing.items() if value is not None}
    asked["axes"] = {name: _number(name, text) for name, text in pairs(asked.pop("axes", ())).items()}
    if "instruments" in asked:
        asked["instruments"] = tuple(find_program(name) for name in asked["instruments"])
    return asked


def pairs(texts: Sequence[str]) -> dict[str, str]:
    """["a=b"] as {"a": "b"}."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise BadOption(f"{text!r} is not NAME=VALUE")
        found[name] = value
    return found


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise BadOption(f"axis {name!r} is {text!r}; wanted a number") from error


def targets(outputs: Sequence[Path], kind: str | None) -> dict[Path, str | None]:
    """What each output file shows; raises `BadOption` before anything is composed where one cannot be written."""
    kinds = {path: kind if path.suffix.lower() in (".png", ".svg") else None for path in outputs}
    for path, shown in kinds.items():
        formats.check_target(path, shown)
    if kind and not any(kinds.values()):
        raise BadOption(f"--kind {kind} is for pictures; name one: -o sheet.png or -o sheet.svg")
    return kinds


def write(score: Score, kinds: dict[Path, str | None], expression: bool, roll: bool, said: str) -> None:
    """Save the score in every file, and say what it is."""
    played = api.express(score) if expression else score
    for path, shown in kinds.items():
        formats.save(played if path.suffix.lower() in PLAYED else score, path, kind=shown)
    click.echo(said)
    if roll:
        from ..formats.roll import terminal

        columns = min(120, shutil.get_terminal_size().columns)
        click.echo(terminal(score, columns, color=sys.stdout.isatty()).rstrip())
    click.echo(f"wrote {', '.join(str(path) for path in kinds)}")


def describe(score: Score, style: str, seed: int) -> str:
    """A composed piece in a line."""
    from ..formats.overview import overview

    seen, metre, bars = overview(score), Clock(score).bars[0], bars_of(score)
    upbeat = " after an upbeat" if score.upbeat else ""
    return (
        f"{style}, seed {seed}: {counted(bars, 'bar')} of {metre.numerator}/{metre.denominator}{upbeat} "
        f"in {seen.key}, {seen.tempo}, {duration_seconds(score):.0f} s, {counted(len(score), 'note')}"
    )


def style_of(score: Score) -> str:
    """The style that a piece of ours was composed in."""
    return score.recipe["asked"]["style"] if score.recipe else "piece"


def bars_of(score: Score) -> int:
    """Bars as a person counts them: an upbeat is none, unless it is all there is."""
    return max(1, len(Clock(score).bars) - bool(score.upbeat))


def heard(found: Sequence[api.Candidate], asked: dict[str, Any]) -> str:
    """What was asked of the controls and what is heard in the best piece, in a line; nothing where none was asked."""
    best = found[0]
    said = [
        f"{name} {asked[name]}: {best.obtained[name]:.{1 if name in ('happiness', 'excitement') else 2}f}"
        for name in ("happiness", "excitement", "complexity", "density")
        if asked.get(name) is not None and name in best.obtained
    ]
    return f"\nasked and heard: {', '.join(said)}" if said else ""
