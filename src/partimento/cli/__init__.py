"""The command line: a thin face on `partimento.api`. Each verb is one file here, loaded when it is asked for."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import click

from ..errors import PartimentoError


class Verbs(click.Group):
    """Loads `cli/VERB.py` only when VERB is asked for, so that `--help` and each verb start at once."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(
            module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__) if module.name[0] != "_"
        )

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            return None
        return importlib.import_module(f"{__name__}.{name.replace('-', '_')}").command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="partimento")
def cli() -> None:
    """Learn from MIDI files and compose new music to hear, play, print and build on.

    \b
    Start here:
      partimento compose                       a chorale, as chorale-SEED.mid
      partimento compose --style folk -o a.wav
      partimento train my_midi_folder -o mine.partimento
    """


def main() -> None:
    """Entry point: an error that a person can put right becomes one line and exit code 2, never a traceback."""
    try:
        cli(standalone_mode=True)
    except PartimentoError as error:
        click.echo(f"partimento: {error}", err=True)
        sys.exit(2)
