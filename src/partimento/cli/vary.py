"""`partimento vary`: a piece with some of its bars composed anew."""

from __future__ import annotations

import click

from .. import api
from ..score import Score
from . import _asked, _into


@click.command("vary")
@_asked.options(_into.FILE, _asked.model(_into.ALIKE))
@click.option("--amount", type=float, default=0.3, show_default=True, help="Share of the bars that change, 0-1.")
@_asked.options(_asked.CONTROLS, _asked.DRAWING, _into.writing("vary"))
def command(amount, style, model, **arguments) -> None:
    """Vary FILE: some of its bars, drawn by the seed, are composed anew.

    \b
    Examples:
      partimento vary minuet.mid --style classical --amount 0.5
      partimento vary tune.mid --style folk --complexity 0.9 --seed 4
    """

    def say(score: Score, asked: dict) -> str:
        return f"{_into.spans(api.bars_to_vary(score, amount, asked['seed']))} varied"

    _into.run(lambda score, asked: api.vary(score, amount, style=style, model=model, **asked), "vary", arguments, say)
