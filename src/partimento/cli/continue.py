"""`partimento continue`: new bars behind the end of a piece, before its start, or behind a bar."""

from __future__ import annotations

import re

import click

from .. import api
from ..score import Score
from . import _asked, _into


@click.command("continue")
@_asked.options(_into.FILE, _asked.model(_into.ALIKE))
@click.option("--from", "where", default="end", show_default=True, help="end, start, or the number of a bar.")
@click.option("--bars", type=int, help=f"How many bars to compose [default: {api.BARS}].")
@click.option("--seconds", type=float, help="As many bars as come nearest to so long instead.")
@_asked.options(_into.ENDING, _asked.CONTROLS, _asked.DRAWING, _into.writing("continue"))
def command(where, style, model, **arguments) -> None:
    """Go on from FILE in its key, metre, tempo and instruments: behind its end, before its start, or behind a bar.

    Behind a bar, what followed it in FILE is left out.

    \b
    Examples:
      partimento continue sketch.mid --style romantic-piano --bars 16
      partimento continue song.musicxml --from start --bars 4 --style lieder -o with-prelude.mid
      partimento continue quartet.mid --from 12 --style strings --excitement "3->8"
    """
    place = int(where) if re.fullmatch(r"[0-9]{1,9}", where) else where

    def say(score: Score, asked: dict) -> str:
        if where == "start":
            return "gone on before its start"
        return f"gone on from bar {place if isinstance(place, int) else _asked.bars_of(score)}"

    _into.run(
        lambda score, asked: api.continue_(score, place, style=style, model=model, **asked), "continue", arguments, say
    )
