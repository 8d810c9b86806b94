"""`partimento styles`: what `compose` can be asked for."""

from __future__ import annotations

import json

import click

from .. import api


@click.command("styles")
@click.option(
    "--card", metavar="STYLE", help="What is known of a style: data, figures, weaknesses; of a model FILE all of it."
)
@click.option("--json", "as_json", is_flag=True, help="Everything that the model cards say, as JSON.")
def command(card: str | None, as_json: bool) -> None:
    """List the shipped styles with what they learnt from.

    \b
    Examples:
      partimento styles
      partimento styles --card chorale
      partimento styles --card base.partimento
      partimento styles --json
    """
    if card:
        click.echo(api.style_card(card))
        return
    table = api.style_table()
    if as_json:
        click.echo(json.dumps(table, indent=1))
        return
    for row in table:
        click.echo(f"{row['style']:<14} {row['pieces']:>5} pieces, {row['encoding']}, {row['file']}")
