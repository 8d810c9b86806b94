"""`partimento morph A B`: from one piece to another in a few stages."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from .. import api, formats
from ..score import Score
from . import _asked
from ._words import keep

PIECES = (
    click.argument("first", type=click.Path(path_type=Path), metavar="A"),
    click.argument("last", type=click.Path(path_type=Path), metavar="B"),
)
WAY = (
    click.option(
        "--steps", type=int, default=5, show_default=True, help="Stages from A to B, these two among them, 2 to 64."
    ),
    click.option("--bars", type=int, default=4, show_default=True, help="How many whole bars of each piece, 1 to 64."),
    click.option(
        "--path", type=click.Choice(["arc", "line"]), default="arc", show_default=True,
        help="How the latent space is crossed.",
    ),
    click.option("--each", is_flag=True, help="Write every stage into a file of its own, not all into one."),
    click.option("--model", type=click.Path(path_type=Path), help="A model file of the family autoencoder or vae."),
    click.option("--style", help="Which style of the model [default: the one most like A]."),
    click.option(
        "--temperature", type=float, default=0.0, show_default=True, help="Boldness: 0 likeliest, 1 as learnt."
    ),
    click.option("--seed", type=int, help="The same seed draws the same notes, where temperature is above 0."),
)  # fmt: skip


@click.command("morph")
@_asked.options(PIECES, WAY, _asked.writing(expression=False, name="A-B"))
def command(
    first: Path, last: Path, steps, bars, path, each, model, style, temperature, seed, outputs, kind, expression, roll
) -> None:
    """Morph from A to B: a piece that begins as the one and ends as the other.

    \b
    Examples:
      partimento morph minuet.mid gavotte.mid --model mine.partimento
      partimento morph a.mid b.mid --model mine.partimento --steps 9 --bars 8 -o way.mid -o way.png
      partimento morph a.mid b.mid --model mine.partimento --each -o stage.mid
    """
    wanted = outputs or (Path(f"{first.stem}-{last.stem}.mid"),)
    kinds = _asked.targets(wanted, kind)
    written = [path for number in range(1, steps + 1) for path in _numbered(kinds, number, steps)] if each else kinds
    keep([first, last], written)
    seed = secrets.randbelow(_asked.SEEDS) if seed is None else seed
    found = api.morph(
        formats.load(first), formats.load(last), steps, bars=bars, path=path, style=style, model=model,
        sampling=api.Sampling(temperature=temperature), seed=seed,
    )  # fmt: skip
    title = f"{first.stem} to {last.stem}"
    said = (
        f"{first.name} to {last.name} in {len(found.stages)} stages of {found.bars} "
        f"bar{'s' * (found.bars != 1)}{f', seed {seed}' if temperature else ''}; the model gives back "
        f"{found.kept[0]:.0%} of the notes of the one and {found.kept[1]:.0%} of the other"
    )
    if each:
        _write_each(found.stages, kinds, title, expression, said)
        return
    _asked.write(replace(api.joined(found.stages, found.bars), title=title), kinds, expression, roll, said)


def _write_each(stages: Sequence[Score], kinds: dict, title: str, expression: bool, said: str) -> None:
    """Write every stage into files with its number behind their names."""
    click.echo(said)
    for number, stage in enumerate(stages, 1):
        own = _numbered(kinds, number, len(stages))
        _asked.write(replace(stage, title=f"{title}, {number}"), own, expression, False, f"stage {number}")


def _numbered(kinds: dict, number: int, count: int) -> dict:
    """The files of stage `number` of `count`."""
    digits = len(str(count))
    return {path.with_stem(f"{path.stem}-{number:0{digits}}"): shown for path, shown in kinds.items()}
