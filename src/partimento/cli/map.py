"""`partimento map MODEL FOLDER`: where music lies in a model's latent space, as a picture."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from .. import api
from ._words import counted


@click.command("map")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default="map.svg", show_default=True,
    help="Picture: .svg, .png, or .gif of how it came about in training.",
)  # fmt: skip
@click.option(
    "--run", type=click.Path(path_type=Path), help="Folder of the run that a .gif shows [default: MODEL.run]."
)
def command(model: Path, folders: tuple[Path, ...], output: Path, run: Path | None) -> None:
    """Draw where the music in FOLDERS lies in the latent space of MODEL, of the family autoencoder or vae.

    A dot is a piece, in the colour of its style; the small ones are its blocks.

    \b
    Examples:
      partimento map mine.partimento my_tunes
      partimento map mine.partimento jigs reels -o map.png
      partimento map mine.partimento my_tunes -o training.gif
    """
    drawn, skipped = api.draw_map(model, folders, output, run)
    groups = ", ".join(f"{count} {group}" for group, count in Counter(drawn.groups).most_common())
    click.echo(
        f"{counted(len(drawn.names), 'piece')} ({groups}); {drawn.share:.0%} of what sets their blocks apart is seen"
    )
    for line in skipped:
        click.echo(f"left out: {line}", err=True)
    click.echo(f"wrote {output}")
