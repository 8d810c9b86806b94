"""`partimento reproduce`: a piece again, from the recipe in its file."""

from __future__ import annotations

from pathlib import Path

import click

from .. import api, formats
from ..errors import BadOption
from . import _asked
from ._words import keep


@click.command("reproduce")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--input", "source", type=click.Path(path_type=Path), help="The music that the piece was composed into.")
@click.option("--model", type=click.Path(path_type=Path), help="The model file, where it is none of the shipped ones.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write [default: FILE-again.SUFFIX].")
def command(file, source, model, output) -> None:
    """Compose the piece in FILE again from its recipe, and say whether it is the same to the byte.

    \b
    Examples:
      partimento reproduce chorale-7.mid
      partimento reproduce longer.mid --input sketch.mid -o again.mid
    """
    output = output or Path(f"{file.stem}-again{file.suffix}")
    formats.check_target(output, None)
    keep([file, source], [output])
    recipe, before = formats.load(file).recipe, file.read_bytes()
    if not recipe:
        raise BadOption(f"{file}: there is no recipe in it; pieces that Partimento composed carry one")
    if output.suffix.lower() not in _asked.PLAYED:  # sheet music stays plain
        recipe = {name: value for name, value in recipe.items() if name != "expression"}
    formats.save(api.reproduce(recipe, formats.load(source) if source else None, model), output)
    if output.suffix.lower() != file.suffix.lower():
        click.echo(f"wrote {output}")
        return
    if output.read_bytes() == before:
        click.echo(f"wrote {output}: the same to the byte")
        return
    since = ", which was transformed since it was composed" if recipe.get("transform") else ""
    click.echo(f"wrote {output}: not the same bytes as {file}{since}")
