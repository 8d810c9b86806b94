"""`partimento train`: a model from a folder of music."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path

import click

from .. import api
from ..errors import BadOption, Stopped
from . import _chosen
from ._live import Live
from ._words import one_budget

STOPPED = 130  # the exit code of a program that Ctrl-C has ended
MINUTES = 10.0
SHOWN = 10  # remarks on the music


@click.command("train")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="model.partimento",
    show_default=True,
    help="The model file to write.",
)
@click.option("--from-scratch", is_flag=True, help="Begin anew, where the shipped base would be tuned to the music.")
@click.option("--family", default="transformer", show_default=True, help="transformer, recurrent, markov, ...")
@click.option("--preset", default="", metavar="NAME", help="Family, encoding and recipe by name, like notebook-lstm.")
@click.option("--encoding", default="notes", show_default=True, help="notes, or voices for four-part music.")
@click.option("--from", "start", type=click.Path(path_type=Path), help="Go on from a model file, on this music.")
@click.option("--minutes", type=float, help=f"How long it may take, from reading to writing [default: {MINUTES:g}].")
@click.option("--epochs", type=float, help="Hear the training music so often instead.")
@click.option("--notes", type=float, help="Hear so many notes instead.")
@click.option("--steps", type=int, help="Train for so many steps instead.")
@click.option("--tensorboard", is_flag=True, help="Also write TensorBoard's events into the run's folder.")
@click.option("--style", "styles", multiple=True, metavar="FOLDER=STYLE", help="Name the style of a folder.")
@click.option("--program", "programs", multiple=True, metavar="STYLE=OLD:NEW", help="Another instrument in a style.")
@click.option("--labels", type=click.Path(path_type=Path), help="CSV with columns file, style, valence, arousal, ...")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any option: rate, model.layers, encoding.tracks."
)
@click.option("--melody-only", is_flag=True, help="Learn the top line of the first track alone (tunes).")
@click.option("--snap", type=float, default=0.0, help="Share of a piece's times that may be moved to the grid (notes).")
@click.option(
    "--axis", "axes", multiple=True, metavar="COLUMN", help="A column of --labels as a control (two at most)."
)
@_chosen.options(_chosen.WHICH, _chosen.HOW)
@click.option("--work", type=click.Path(path_type=Path), help="Folder of the run [default: OUTPUT.run].")
@click.option("--workers", type=int, default=None, help="Processes that read files [default: one a core].")
def command(
    folders, output, from_scratch, family, preset, encoding, start, minutes, epochs, notes, steps, tensorboard, styles,
    programs, labels, settings, melody_only, snap, axes, work, workers, **wanted,
) -> None:  # fmt: skip
    """Train a model on FOLDERS of MIDI or MusicXML files, one file or thousands.

    Without a word on how, the shipped base is tuned to the music, in ten minutes. --from-scratch, a --preset, or a
    --family, --encoding or size that the base has not begin anew.

    Ctrl-C saves; started again, it goes on where it stood. The run's folder holds report.html, with curves, the
    weights that were chosen and why. Needs torch: pip install 'partimento[train]'.

    \b
    Examples:
      partimento train my_tunes -o tunes.partimento
      partimento train my_tunes -o own.partimento --from-scratch --minutes 60 --set model.layers=4
      partimento train chorales -o bach.partimento --encoding voices --family recurrent
      partimento train mine --from model.partimento -o better.partimento --set rate=0.001
      partimento train my_tunes --epochs 30 --set every=200 --set keep=5
      partimento train a b --style a=folk --style b=folk --set width=192 --set dropout=0.2
      partimento train mutopia --only-instrument guitar --only-composer Giuliani --to-key C --octaves
    """
    one_budget(minutes=minutes, epochs=epochs, notes=notes, steps=steps)
    if from_scratch and start:
        raise BadOption("--from-scratch and --from are alternatives; give one of them")
    began = time.monotonic()
    request = api.TrainingRequest(
        folders, output, family, encoding, _encoding_options(melody_only, snap, axes), minutes or MINUTES, steps or 0,
        pairs(styles), labels, work, workers, {name: _value(text) for name, text in pairs(settings).items()},
        replacements(programs), start,
        shlex.join(["partimento", *sys.argv[1:]]), _chosen.choice(**wanted),
        epochs or 0.0, notes or 0.0, tensorboard, preset=preset, from_scratch=from_scratch,
    )  # fmt: skip
    api.check_request(request)
    try:
        with Live() as live:
            music = api.prepare(request, live.read)
            for line in (*_some(music.messages, request), *_some(api.left_out(request, music), request)):
                live.say(line)
            for line in api.outlook(request, music):
                live.say(line)
            for at in api.train(request, music=music, spent=time.monotonic() - began):
                live.train(at)
    except Stopped as stopped:
        click.echo(f"partimento: {stopped}", err=True)
        sys.exit(STOPPED)
    for warning in api.warnings_of(output):
        click.echo(f"warning: {warning}", err=True)
    took = f"{(time.monotonic() - began) / 60:.1f} min"
    size = f"{output.stat().st_size / 1e6:.1f} MB"
    click.echo(f"wrote {output} ({size}, {took}); try: partimento compose --model {output}")


def _some(lines, request: api.TrainingRequest) -> list[str]:
    """The first of several remarks, and where the rest are."""
    more = len(lines) - SHOWN
    rest = [f"... and {more} more, which report.html in {request.work_folder} lists"] * (more > 0)
    return [*lines[:SHOWN], *rest]


def _encoding_options(melody_only: bool, snap: float, axes: tuple[str, ...]) -> dict:
    """What is asked of the encoding, without what is not asked: not every encoding knows these."""
    asked = (("melody_only", melody_only), ("snap", snap), ("axes", list(axes)))
    return {name: value for name, value in asked if value}


def replacements(texts) -> dict[str, str]:
    """["lieder=68:52", "lieder=70:52"] as {"lieder": "68=52 70=52"}."""
    found: dict[str, list[str]] = {}
    for text in texts:
        style, equals, change = text.partition("=")
        old, colon, new = change.partition(":")
        if not (equals and style and colon and old.isdecimal() and new.isdecimal()):
            raise BadOption(f"{text!r} is not STYLE=OLD:NEW with two programs; write it like lieder=68:52")
        found.setdefault(style, []).append(f"{int(old)}={int(new)}")
    return {style: " ".join(changes) for style, changes in found.items()}


def pairs(texts) -> dict[str, str]:
    """["a=b"] as {"a": "b"}."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise BadOption(f"{text!r} is not NAME=VALUE")
        found[name] = value
    return found


def _value(text: str):
    """A number, true/false or a list where the text is one in JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
