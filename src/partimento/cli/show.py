"""`partimento show FILE`: what a file holds, in words and as a piano roll."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from .. import formats
from ..score import Score
from ._words import counted


@click.command("show")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--score", "picture", type=click.Path(path_type=Path), help="Also engrave it as sheet music: .svg or .png."
)
@click.option("--roll/--no-roll", default=True, help="Draw the piano roll (default) or leave it out.")
@click.option("--width", type=click.IntRange(24, 1000), help="Columns of the roll (default: the terminal's).")
def command(file: Path, picture: Path | None, roll: bool, width: int | None) -> None:
    """Show what a MIDI or MusicXML FILE holds: length, tempo, metre, key, tracks and piano roll.

    \b
    Examples:
      partimento show piece.mid
      partimento show --no-roll piece.musicxml
      partimento show --score piece.svg piece.mid
    """
    score = formats.load(file)
    if picture:
        formats.save(score, picture, kind="score")
    click.echo(_words(score, file))
    if roll:
        from ..formats.roll import terminal

        click.echo()
        columns = width or min(120, shutil.get_terminal_size().columns)
        click.echo(terminal(score, columns, color=sys.stdout.isatty() and "NO_COLOR" not in os.environ).rstrip())
    if picture:
        click.echo(f"sheet music: {picture}")


def _words(score: Score, file: Path) -> str:
    """The overview as lines."""
    from ..formats.overview import overview

    seen = overview(score)
    minutes, seconds = divmod(round(seen.seconds), 60)
    lines = [
        click.style(seen.title or file.stem, bold=True),
        f"  length  {seen.bars} bar{'s' * (seen.bars != 1)}, {minutes}:{seconds:02}",
        f"  tempo   {seen.tempo}",
        f"  metre   {seen.metre}",
        f"  key     {seen.key}",
        f"  notes   {len(score):,}",
    ]
    for part in seen.parts:
        name = part.instrument if part.name == part.instrument else f"{part.name} ({part.instrument})"
        lines.append(f"  track   {name}: {counted(part.notes, 'note')}{', ' * bool(part.span)}{part.span}")
    return "\n".join(lines)
