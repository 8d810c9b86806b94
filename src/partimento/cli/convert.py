"""`partimento convert A B`: from any kind of file that can be read to any that can be written."""

from __future__ import annotations

from pathlib import Path

import click

from .. import formats
from ._words import keep


@click.command("convert")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(sorted(formats.PICTURES)), help="What a picture shows (default: roll).")
@click.option("--soundfont", type=click.Path(path_type=Path), help="A .sf2 file to play the sound with.")
def command(source: Path, target: Path, kind: str | None, soundfont: Path | None) -> None:
    """Convert SOURCE (MIDI, MusicXML) to TARGET: MIDI, MusicXML, sound (.wav, .flac,
    .mp3, .ogg) or picture (.svg, .png), by suffix.

    \b
    Examples:
      partimento convert piece.mid piece.musicxml
      partimento convert piece.mid piece.wav --soundfont piano.sf2
      partimento convert piece.mid piece.mp3
      partimento convert piece.mid roll.png
      partimento convert piece.mid sheet.svg --kind score
    """
    keep([source], [target])
    options = {"soundfont": soundfont} if soundfont else {}
    formats.save(formats.load(source), target, kind=kind, **options)
    click.echo(f"{target}")
