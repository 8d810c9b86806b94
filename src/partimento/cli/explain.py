"""`partimento explain FILE`: what a model makes of a piece, step by step."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from .. import api, formats
from ..errors import BadOption, FormatError

WIDEST = 120  # columns


@click.command("explain")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--model", type=click.Path(path_type=Path), help="A model file of your own [default: the shipped base].")
@click.option("--style", help="As what it is read, or composed [default: what it is most like, or chorale].")
@click.option("--bar", type=int, help="Show this bar step by step; an upbeat is bar 0.")
@click.option("--bars", type=int, default=16, show_default=True, help="How many bars are read, 64 at most.")
@click.option("--top", type=int, default=3, show_default=True, help="Likeliest choices that are named, 20 at most.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the piece that is composed without FILE.")
@click.option("--inside/--no-inside", default=True, help="Also look at gates and attention (needs torch).")
@click.option("--html", type=click.Path(path_type=Path), help="Also write a page with plots and heat maps.")
@click.option("--json", "as_json", is_flag=True, help="Everything in figures, as JSON, instead of text.")
def command(file, model, style, bar, bars, top, seed, inside, html, as_json) -> None:
    """Explain what a model makes of a MIDI or MusicXML FILE: what it is told at each step, what it expects, how
    surprised it is, and what its gates or its attention do. Without FILE it explains a piece that it composes.

    \b
    Examples:
      partimento explain piece.mid
      partimento explain piece.mid --bar 5 --top 5
      partimento explain piece.mid --model mine.partimento --html piece.html
      partimento explain --style folk --seed 3 --json
    """
    if html is not None:
        _check_page(html)
    score = formats.load(file) if file is not None else None
    title = file.name if file is not None else ""
    found = api.explain(
        score, model=model, style=style, bars=bars, bar=bar, top=top, seed=seed, title=title, inside=inside
    )
    if html is not None:
        api.write_explanation(found, html)
    if as_json:
        click.echo(api.explanation_json(found))
        return
    columns = min(WIDEST, shutil.get_terminal_size().columns)
    click.echo("\n".join(api.explained_lines(found, columns)))
    if html is not None:
        click.echo(f"wrote {html}")


def _check_page(path: Path) -> None:
    """Raise before anything is read where the page cannot be written."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise BadOption(f"{path}: a page is written as .html; give the file that suffix")
    if not path.parent.is_dir():
        raise FormatError(f"{path}: there is no folder {path.parent}; make it first or choose another")
