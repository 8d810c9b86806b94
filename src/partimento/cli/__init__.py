"""The command line: a thin face on `partimento.api`. Each verb is one file here, loaded when it is asked for."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import sys

import click

from ..errors import PartimentoError

ABORTED = 1  # where Ctrl-C, or the end of what is piped in, ends a verb that has nothing to keep


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

    def resolve_command(self, context: click.Context, arguments: list[str]):
        name, known = arguments[0], self.list_commands(context)
        if name not in known and not name.startswith("-"):
            near = difflib.get_close_matches(name, known, n=1)
            context.fail(f"there is no command {name!r}" + (f"; did you mean {near[0]}?" if near else ""))
        return super().resolve_command(context, arguments)


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
        code = cli(prog_name="partimento", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as asked:
        click.echo(asked.format_message())
        code = 2
    except click.UsageError as error:
        click.echo(f"partimento: {_sentence(error)}", err=True)
        code = 2
    except PartimentoError as error:
        click.echo(f"partimento: {error}", err=True)
        code = 2
    except click.Abort:
        click.echo("partimento: stopped", err=True)
        code = ABORTED
    sys.exit(code if isinstance(code, int) else 0)


def _sentence(error: click.UsageError) -> str:
    """A mistake in a command line in one line, with the way out."""
    said = " ".join(error.format_message().split()).rstrip(".").replace(". (Did", " (did").replace(". Did", "; did")
    said, context = said[:1].lower() + said[1:], error.ctx
    if context is None:
        return f"{said}; see partimento --help"
    if isinstance(error, click.MissingParameter) and isinstance(error.param, click.Argument):
        usage = " ".join(context.command.collect_usage_pieces(context))
        return f"{said}; wanted: {context.command_path} {usage}"
    return f"{said}; see {context.command_path} --help"
