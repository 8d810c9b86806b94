"""`partimento compose`: a new piece in a style."""

from __future__ import annotations

from pathlib import Path

import click

from .. import api
from ..errors import BadOption
from . import _asked
from ._asked import describe, heard, options, targets

LENGTH = (
    click.option("--bars", type=int, help="Length in bars [default: 16]."),
    click.option("--seconds", type=float, help="Length in seconds instead; the tempo is fitted to it."),
    click.option("--sixteenths", type=int, help="Length in sixteenth notes instead."),
    click.option("--key", help="'D minor', 'Bb', 'F#m' [default: as the style has it]."),
    click.option("--tempo", type=float, metavar="BPM", help="Quarter notes a minute [default: as the style has it]."),
    click.option("--metre", help="4/4, 3/4, 6/8 ... [default: as the style has it]."),
    click.option(
        "--instrument", "instruments", multiple=True, help="What plays, by name; repeat it for the next part."
    ),
    click.option("--ending/--no-ending", default=True, help="Close the piece, or leave it open  [default: close]."),
    click.option("--form/--no-form", default=True, help="Let bars return as in a piece of the style [default: yes]."),
)
ASK = (click.option("--ask", is_flag=True, help="Be asked for mood, length and files, again and again."),)


@click.command("compose")
@options(
    _asked.model(api.DEFAULT_STYLE),
    LENGTH,
    _asked.CONTROLS,
    _asked.DRAWING,
    _asked.writing(expression=True, name="STYLE-SEED"),
    ASK,
)
def command(style, model, outputs, kind, expression, roll, ask, **arguments) -> None:
    """Compose a new piece, to the bar, with a beginning and an end.

    \b
    Examples:
      partimento compose
      partimento compose --style folk --key "D major" --metre 6/8 --bars 32 -o jig.mid -o jig.wav
      partimento compose --style strings --bars 12 --key "D minor" --happiness "2->8" --excitement 3
      partimento compose --style romantic-piano --chords "Dm Gm | A7 | Dm" --bars 3 -o sheet.musicxml
      partimento compose --style chorale --seconds 40 --candidates 8 -o chorale.musicxml
      partimento compose --seed 7 -o sheet.svg --kind score
      partimento compose --model mine.partimento --temperature 0.9
    """
    if ask:
        from . import _dialogue

        if outputs or kind:
            raise BadOption("--ask asks what file to write; leave -o and --kind out")
        _dialogue.run(style, model, arguments, expression, roll)
        return
    kinds = targets(outputs, kind)
    asked = _asked.asked_of(arguments)
    found = api.compose_candidates(style, model=model, **asked)
    score = found[0].score
    chosen = _asked.style_of(score)
    kinds = kinds or {Path(f"{chosen}-{asked['seed']}.mid"): None}
    said = describe(score, chosen, asked["seed"]) + heard(found, asked)
    _asked.write(score, kinds, expression, roll, said)
