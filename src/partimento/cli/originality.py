"""`partimento originality`: what of a piece stands in the training music."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from .. import api, formats
from ..errors import BadOption, FormatError
from ..score import Score

NAMED = 5  # files left out that are named


@click.command("originality")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Check against what this model learnt from [default: the shipped one that composed FILE, else the base].",
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
    given = formats.load(source) if source else None
    scores, broken = _loaded(files)
    checked = api.check_originality(list(scores.values()), model=model, corpus=corpus, style=style, given=given)
    found = dict(zip(scores, checked, strict=True))
    _say_left_out(checked)
    if page is not None:
        try:
            text = api.originality_page([file.name for file in found], list(scores.values()), checked)
            page.write_text(text, encoding="utf-8")
        except OSError as error:
            raise BadOption(f"{page}: cannot be written ({error.strerror}); choose another file") from error
    if as_json:
        told = [{"file": str(file), **(found[file].as_dict() if file in found else {"error": broken[file]})}
                for file in dict.fromkeys(files)]  # fmt: skip
        click.echo(json.dumps(told, indent=1))
    else:
        for file, one in found.items():
            click.echo("\n".join(api.originality_words(file.name, one)))
        if page is not None:
            click.echo(f"wrote {page}")
    if broken:
        click.get_current_context().exit(2)


def _loaded(files: Sequence[Path]) -> tuple[dict[Path, Score], dict[Path, str]]:
    """The scores of the files that can be read, and of the others why not, which is said; raises where none can."""
    scores: dict[Path, Score] = {}
    broken: dict[Path, FormatError] = {}
    for file in files:
        try:
            scores[file] = formats.load(file)
        except FormatError as error:
            broken[file] = error
    if not scores and len(broken) == 1:
        raise next(iter(broken.values()))
    reasons = {file: str(error) for file, error in broken.items()}
    for reason in reasons.values():
        click.echo(f"partimento: {reason}", err=True)
    return scores, reasons


def _say_left_out(checked: Sequence[api.Judged]) -> None:
    """Say which files of the folders could not be compared with; all were checked against the same ones."""
    left_out = checked[0].against.left_out if checked and checked[0].against else ()
    if left_out:
        click.echo(f"left out of what is compared with: {len(left_out)}", err=True)
    for name, reason in left_out[:NAMED]:
        click.echo(f"  {name}: {reason}", err=True)
    if len(left_out) > NAMED:
        click.echo(f"  and {len(left_out) - NAMED} more: --json", err=True)
