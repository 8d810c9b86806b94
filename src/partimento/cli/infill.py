"""`partimento infill`: some bars of a piece composed anew."""

from __future__ import annotations

import re

import click

from .. import api
from ..errors import BadOption
from . import _asked, _into


@click.command("infill")
@_asked.options(_into.FILE, _asked.model(_into.ALIKE))
@click.option("--bars", required=True, metavar="FIRST-LAST", help="The bars to fill, like 5-8; one bar as 5.")
@click.option("--tracks", default="", metavar="N,N", help="Only these tracks, from 1 [default: all that play there].")
@_asked.options(_asked.CONTROLS, _asked.DRAWING, _into.writing("infill"))
def command(bars, tracks, style, model, **arguments) -> None:
    """Compose bars of FILE anew; what stands around them stays as it is, to the tick.

    \b
    Examples:
      partimento infill sonata.mid --bars 5-8 --style classical
      partimento infill quartet.mid --bars 9-12 --tracks 1,2 --style strings --happiness 8
    """
    place, chosen = parse_bars(bars), parse_tracks(tracks)
    _into.run(
        lambda score, asked: api.infill(score, place, tracks=chosen, style=style, model=model, **asked),
        "infill", arguments, lambda score, asked: f"{_into.spans([place])} composed",
    )  # fmt: skip


def parse_bars(text: str) -> tuple[int, int]:
    """ "5-8" as (5, 8), "5" as (5, 5)."""
    match = re.fullmatch(r"\s*([0-9]{1,9})\s*(?:-\s*([0-9]{1,9})\s*)?", text)
    if not match:
        raise BadOption(f"no bars {text!r}; write the first and the last, like 5-8")
    return int(match[1]), int(match[2] or match[1])


def parse_tracks(text: str) -> list[int]:
    """ "1,2" as [1, 2]; an empty text as no choice."""
    if text and not re.fullmatch(r"\s*[0-9]{1,9}\s*(,\s*[0-9]{1,9}\s*)*", text):
        raise BadOption(f"no tracks {text!r}; write their numbers from 1, like 1,2")
    return [int(number) for number in text.split(",")] if text else []
