"""`partimento originality`: what of a piece stands in the training music."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .. import api, formats
from ..errors import BadOption


@click.command("originality")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Check against what this model learnt from [default: the one that composed FILE, else the base].",
)
@click.option(
    "--corpus",
    "corpus",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Check against the music in this folder instead; repeatable.",
)
@click.option("--style", help="Compare with real pieces of this style [default: the one most like FILE].")
@click.option(
    "--input",
    "source",
    type=click.Path(path_type=Path),
    help="The music that FILE was composed into: that, and quotations of it, are no copies.",
)
@click.option("--json", "as_json", is_flag=True, help="Everything in figures, as JSON.")
@click.option(
    "--html", "page", type=click.Path(path_type=Path), help="Also write a page with the passages engraved side by side."
)
def command(files, model, corpus, style, source, as_json, page) -> None:
    """Say how much of each FILE stands in the training music, note for note, at any pitch and speed and in any track.

    Told are the longest run of notes, the share of notes in runs of 8, 12 and 16, the nearest passages with file and
    bar, and how many real pieces share less. Scales, repeated notes, broken chords and the like are not counted.

    \b
    Examples:
      partimento originality chorale-7.mid
      partimento originality songs/*.mid --corpus my_midi_folder --html report.html
      partimento originality longer.mid --input sketch.mid --model mine.partimento --json
    """
    if page is not None and page.suffix.lower() not in (".html", ".htm"):
        raise BadOption(f"{page}: a page is written as .html; give the file that suffix")
    scores = [formats.load(file) for file in files]
    given = formats.load(source) if source else None
    found = api.check_originality(scores, model=model, corpus=corpus, style=style, given=given)
    names = [file.name for file in files]
    if page is not None:
        try:
            page.write_text(api.originality_page(names, scores, found), encoding="utf-8")
        except OSError as error:
            raise BadOption(f"{page}: cannot be written ({error.strerror}); choose another file") from error
    if as_json:
        told = [{"file": str(file), **one.as_dict()} for file, one in zip(files, found, strict=True)]
        click.echo(json.dumps(told, indent=1))
        return
    for name, one in zip(names, found, strict=True):
        click.echo("\n".join(api.originality_words(name, one)))
    if page is not None:
        click.echo(f"wrote {page}")
