"""`partimento harmonize`: other parts beside a melody."""

from __future__ import annotations

import click

from .. import api
from . import _asked, _into


@click.command("harmonize")
@_asked.options(
    _into.FILE, _asked.model(api.DEFAULT_STYLE), _into.INSTRUMENTS, _into.ENDING, _asked.CONTROLS, _asked.DRAWING,
    _into.writing("harmonize"),
)  # fmt: skip
def command(style, model, **arguments) -> None:
    """Set the melody in FILE for four voices, or accompany it, as the style does; the melody stays.

    \b
    Examples:
      partimento harmonize tune.mid
      partimento harmonize tune.mid --style lieder -o song.musicxml
      partimento harmonize tune.mid --style hymn --chords "G C | D7 G" --seed 3
    """
    _into.run(
        lambda score, asked: api.harmonize(score, style=style, model=model, **asked), "harmonize", arguments,
        lambda score, asked: "harmonised",
    )  # fmt: skip
