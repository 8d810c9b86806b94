"""The options that choose within folders of music: which of it, and in which key and register."""

from __future__ import annotations

from collections.abc import Callable

import click

from .. import api

WHICH = (
    click.option("--only-instrument", metavar="NAME", default="", help="Only music for this instrument: guitar, 40."),
    click.option("--only-key", metavar="KEY", default="", help="Only music in this key: 'C major'."),
    click.option("--only-composer", metavar="NAME", default="", help="Only music by this composer: Giuliani."),
)
HOW = (
    click.option("--to-key", metavar="KEY", default="", help="All in one key: C takes major to C, minor to A minor."),
    click.option("--fold-octaves", metavar="LOW:HIGH", help="Notes outside, as E2:E5, are moved by octaves."),
    click.option("--octaves", is_flag=True, help="Learn each piece also an octave higher and lower."),
    click.option("--all-keys", is_flag=True, help="Learn it in all keys after --only-key and --to-key as well."),
)


def options(*lists: tuple[Callable, ...]) -> Callable:
    """Adds the options of `WHICH`, or of both `WHICH` and `HOW`, to a command."""

    def decorated(command: Callable) -> Callable:
        for option in reversed([option for one in lists for option in one]):
            command = option(command)
        return command

    return decorated


def choice(
    only_instrument: str, only_key: str, only_composer: str, to_key: str = "", fold_octaves: str | None = None,
    octaves: bool = False, all_keys: bool = False,
) -> api.Choice:  # fmt: skip
    """What the options ask for; raises `BadOption` or `UnknownName`."""
    fold = api.parse_span(fold_octaves) if fold_octaves else None
    return api.Choice(only_instrument, only_key, only_composer, to_key, fold, all_keys, octaves)
