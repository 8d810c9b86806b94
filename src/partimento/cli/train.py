"""`partimento train`: a model from a folder of music."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from .. import api
from ..errors import BadOption


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
@click.option("--family", default="transformer", show_default=True, help="transformer, recurrent, ...")
@click.option("--encoding", default="notes", show_default=True, help="notes, or voices for four-part music.")
@click.option("--from", "start", type=click.Path(path_type=Path), help="Go on from a model file, on this music.")
@click.option("--minutes", type=float, default=10.0, show_default=True, help="How long to train.")
@click.option("--steps", type=int, default=0, help="Train for so many steps instead.")
@click.option("--style", "styles", multiple=True, metavar="FOLDER=STYLE", help="Name the style of a folder.")
@click.option("--program", "programs", multiple=True, metavar="STYLE=OLD:NEW", help="Another instrument in a style.")
@click.option("--labels", type=click.Path(path_type=Path), help="CSV with columns file, style, valence, arousal, ...")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any option of training or family.")
@click.option("--melody-only", is_flag=True, help="Learn the top line of the first track alone (tunes).")
@click.option("--snap", type=float, default=0.0, help="Share of a piece's times that may be moved to the grid (notes).")
@click.option(
    "--axis", "axes", multiple=True, metavar="COLUMN", help="A column of --labels as a control (two at most)."
)
@click.option("--work", type=click.Path(path_type=Path), help="Folder of the run [default: OUTPUT.run].")
@click.option("--workers", type=int, default=None, help="Processes that read files [default: one a core].")
def command(
    folders, output, family, encoding, start, minutes, steps, styles, programs, labels, settings, melody_only, snap,
    axes, work, workers,
) -> None:  # fmt: skip
    """Train a model on FOLDERS of MIDI or MusicXML files.

    Started again after a kill, it goes on where it stood. Needs torch: pip install 'partimento[train]'.

    \b
    Examples:
      partimento train my_tunes -o tunes.partimento --minutes 10
      partimento train chorales -o bach.partimento --encoding voices --family recurrent
      partimento train mine --from model.partimento -o better.partimento --set rate=0.001
      partimento train a b --style a=folk --style b=folk --set width=192 --set dropout=0.2
    """
    request = api.TrainingRequest(
        folders, output, family, encoding, _encoding_options(melody_only, snap, axes), minutes, steps,
        pairs(styles), labels, work, workers, {name: _value(text) for name, text in pairs(settings).items()},
        replacements(programs), start,
        shlex.join(["partimento", *sys.argv[1:]]),
    )  # fmt: skip
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        reading = bars.add_task("reading", total=None, note="")
        training = None

        def read(stage: str, done: int, total: int) -> None:
            bars.update(reading, description=stage, completed=done, total=total, note=f"{done}/{total}")

        for at in api.train(request, read):
            if training is None:
                training = bars.add_task("training", total=at.steps, note="")
            bars.update(training, completed=at.step, note=describe(at))
            if at.valid is not None:
                console.print(f"step {at.step:6}  {describe(at)}")
    click.echo(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB); try: partimento compose --model {output}")


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


def describe(at) -> str:
    """Where training stands, in a line."""
    valid = f"  valid {at.valid:.4f} nats a step" if at.valid is not None else ""
    return f"train {at.train:.4f}{valid}  {at.notes_per_second:,.0f} steps/s"


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
