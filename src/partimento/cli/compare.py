"""`partimento compare FOLDER`: several models on the same music and the same budget, side by side."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from .. import api
from ..errors import BadOption, Stopped
from ._live import Live
from ._words import one_budget

STOPPED = 130  # the exit code of a program that Ctrl-C has ended
MINUTES = 2.0


@click.command("compare")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--models", default=",".join(api.COMPARED), show_default=True, metavar="A,B,...",
    help="Presets or families, like notebook-lstm,markov,vae:voices.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default="comparison", show_default=True, help="Folder."
)
@click.option("--grid", multiple=True, metavar="NAME=V1,V2", help="A setting in several values; each is a model.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of all models, as in train.")
@click.option("--minutes", type=float, help=f"How long each is trained [default: {MINUTES:g}].")
@click.option("--epochs", type=float, help="Let each hear the training music so often instead.")
@click.option("--notes", type=float, help="Let each hear so many notes instead.")
@click.option("--steps", type=int, help="Train each for so many steps instead.")
@click.option("--pieces", type=int, default=3, show_default=True, help="Pieces that each composes.")
@click.option("--bars", type=int, default=16, show_default=True, help="Bars of these pieces.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of training and composing.")
@click.option("--workers", type=int, help="Processes that read files [default: one a core].")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON instead of the table.")
def command(
    folders, models, output, grid, settings, minutes, epochs, notes, steps, pieces, bars, seed, workers, as_json
):
    """Train several models on FOLDERS with one budget and one split, and set them side by side: bits a note of
    held-out music, pace, size, how they sound beside real pieces, and a piece of each. Writes compare.html.

    Ctrl-C keeps what is done; the same command goes on, and what is finished is not trained again. Needs torch.

    \b
    Examples:
      partimento compare my_tunes
      partimento compare my_tunes --models notebook-lstm,modern-lstm,transformer --epochs 10
      partimento compare chorales --models vae:voices,recurrent:voices --minutes 5 -o four_parts
      partimento compare my_tunes --models recurrent --grid width=64,256 --grid cell=gru,lstm
    """
    one_budget(minutes=minutes, epochs=epochs, notes=notes, steps=steps)
    names = tuple(dict.fromkeys(name.strip() for name in models.split(",") if name.strip()))
    request = api.ComparisonRequest(
        folders, output, names, {name: values(text) for name, text in _pairs(grid).items()},
        {name: value(text) for name, text in _pairs(settings).items()}, minutes or MINUTES, epochs or 0.0, notes or 0.0,
        steps or 0, pieces, bars, seed, workers, shlex.join(["partimento", *sys.argv[1:]]),
    )  # fmt: skip
    page = output / api.COMPARISON_PAGE
    try:
        with Live() as live:
            for happened in api.compare(request, live.read):
                _show(live, happened)
    except (Stopped, KeyboardInterrupt):
        click.echo(f"partimento: stopped; what is done is in {page}, and the same command goes on", err=True)
        sys.exit(STOPPED)
    if as_json:
        click.echo(json.dumps(api.read_comparison(output), indent=1))
    else:
        click.echo("\n".join(api.comparison_lines(output)))
        click.echo(f"wrote {page}")
    if all(row["failed"] for row in api.read_comparison(output)["models"]):
        sys.exit(2)


def _show(live: Live, happened) -> None:
    """What a comparison says as it goes."""
    if happened.said:
        live.say(happened.said)
    if happened.at is not None:
        live.train(happened.at)
    if happened.row is not None:
        row = happened.row
        said = f"failed: {row.failed}" if row.failed else "done before" if row.was_there else "done"
        live.say(f"{row.name}: {said}")


def _pairs(texts) -> dict[str, str]:
    """["a=b"] as {"a": "b"}."""
    found = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        if not (equals and name and rest):
            raise BadOption(f"{text!r} is not NAME=VALUE")
        found[name] = rest
    return found


def values(text: str) -> list[Any]:
    """ "64,128" as [64, 128], "gru,lstm" as two texts; lists in JSON stay whole."""
    try:
        return json.loads(f"[{text}]")
    except ValueError:
        return [value(part.strip()) for part in text.split(",")]


def value(text: str) -> Any:
    """A number, true/false or a list where the text is one in JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
