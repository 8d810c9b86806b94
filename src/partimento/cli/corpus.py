"""`partimento corpus`: what a folder of music holds, what of it can be learned from, and fetching some."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import api
from ..errors import BadOption
from . import _chosen
from ._words import counted

if TYPE_CHECKING:
    from rich.progress import TaskID
    from rich.table import Table

SHOWN = 20  # skipped files listed without --verbose
WIDTH = 140  # characters, where the output is not a terminal
SPLITS = ("train", "valid", "test")
SHORTEST_PAUSE = 1.0  # seconds between two requests to somebody's site
INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it


@click.group()
def command() -> None:
    """Look at folders of music before learning from them, and fetch some."""


@command.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--labels", type=click.Path(path_type=Path), help="CSV: file, style, valence, arousal, complexity.")
@_chosen.options(_chosen.WHICH)
@click.option("--encoding", metavar="NAME", help="Also try which files this encoding can hold.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write every file's verdict here.")
@click.option("--workers", type=click.IntRange(0), help="Processes; default: one a core.")
@click.option("--verbose", is_flag=True, help=f"List every skipped file, not only the first {SHOWN}.")
def scan(
    folders: tuple[Path, ...],
    labels: Path | None,
    encoding: str | None,
    json_file: Path | None,
    workers: int | None,
    verbose: bool,
    **wanted: Any,
) -> None:
    """Say what each MIDI and MusicXML file in FOLDERS is good for: style, duplicates, works, train or test.

    \b
    Examples:
      partimento corpus scan my_midi
      partimento corpus scan folk hymns --verbose
      partimento corpus scan my_midi --labels moods.csv --encoding notes --json verdicts.json
      partimento corpus scan my_midi --only-instrument guitar --only-key "A minor"
    """
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        stages: dict[str, TaskID] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(stage, total=total)
            bars.update(stages[stage], completed=done)

        choice = _chosen.choice(**wanted)
        catalogue = api.scan(folders, labels=labels, choice=choice, workers=workers, progress=progress)
        if encoding:
            built = api.get_encoding(encoding, styles=catalogue.styles)
            catalogue = catalogue.tried(built, workers=workers, progress=progress)
    if json_file:
        write_json(catalogue, json_file)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    console.print(table_of(catalogue))
    for line in lines_of(catalogue, verbose):
        click.echo(line)


@command.command()
@click.argument("archive", metavar="ARCHIVE")
@click.option("--instrument", default="", metavar="NAME", help="Music for this instrument, as the archive calls it.")
@click.option("--composer", default="", metavar="NAME", help="Music by this composer: Giuliani, BachJS.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where the files go; its name is the style that a model learns [default: ARCHIVE].",
)
@click.option("--most", type=click.IntRange(1), metavar="N", help="Stop after so many new pieces [default: all].")
@click.option(
    "--pause",
    type=click.FloatRange(min=SHORTEST_PAUSE),
    default=10.0,
    show_default=True,
    help="Seconds between two requests; more where the site asks for more.",
)
def fetch(archive: str, instrument: str, composer: str, output: Path | None, most: int | None, pause: float) -> None:
    """Fetch MIDI files from an ARCHIVE on the network, politely: mutopia, the Mutopia Project.

    What is there already is not fetched again, and stopping at any time loses nothing. Licences and composers go
    into manifest.csv, what could not be had into missed.csv with the reason.

    \b
    Examples:
      partimento corpus fetch mutopia --instrument Guitar --composer Giuliani -o giuliani
      partimento corpus fetch mutopia --instrument Guitar --most 50
    """
    folder, counts, licences = output or Path(archive), Counter[str](), Counter[str]()
    asked = {"instrument": instrument, "composer": composer, "most": most, "pause": pause}
    try:
        for step in api.fetch(folder, archive, **asked):
            counts[step.kind] += 1
            if step.kind == "got":
                licences[step.said or "licence not stated"] += 1
            click.echo(f"{step.kind} {step.what}{f': {step.said}' if step.said else ''}")
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on from here", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    finally:
        if counts:
            click.echo(_fetched(folder, counts, licences))
    if not counts.keys() & {"got", "had", "missed"}:
        click.echo("the archive has nothing of the kind")


@command.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--into", "model", required=True, type=click.Path(path_type=Path), help="The model file that learnt from FOLDERS."
)
@click.option("--workers", type=click.IntRange(0), help="Processes; default: one a core.")
def index(folders: tuple[Path, ...], model: Path, workers: int | None) -> None:
    """Put an index of the music in FOLDERS into a model file that has none, so that originality can be checked.

    Training does so by itself. Only works on the side of training are taken; the others say what real pieces share.

    \b
    Examples:
      partimento corpus index my_midi_folder --into mine.partimento
    """
    found = api.add_index(model, folders, workers=workers)
    left = f"; for {counted(found.left_out, 'line')} there was no room" if found.left_out else ""
    counts = ((len(found.files), "piece"), (len(found.lines), "line"), (len(found), "note"))
    click.echo(", ".join(counted(*one) for one in counts) + left)
    click.echo(f"wrote {model}")


def _fetched(folder: Path, counts: Counter[str], licences: Counter[str]) -> str:
    """What was fetched into a folder, in a line."""
    had = f", {counts['had']} there already" if counts["had"] else ""
    missed = f", {counts['missed']} missed (see {folder / 'missed.csv'})" if counts["missed"] else ""
    told = ", ".join(f"{licence} ({number})" for licence, number in licences.most_common())
    return f"{counts['got']} new in {folder}{had}{missed}{f'; licences: {told}' if told else ''}"


def table_of(catalogue) -> Table:
    """A row a style and one for all."""
    from rich.table import Table

    table = Table("style")
    for name in ("files", "kept", "notes", "works", *SPLITS):
        table.add_column(name, justify="right")
    table.add_column("skipped")
    styles = sorted({entry.style for entry in catalogue.entries})
    for style in styles:
        table.add_row(style, *_cells([entry for entry in catalogue.entries if entry.style == style]))
    if len(styles) > 1:
        table.add_section()
        table.add_row("all", *_cells(catalogue.entries))
    return table


def _cells(entries) -> list[str]:
    kept = [entry for entry in entries if entry.kept]
    sides = Counter(entry.split for entry in kept)
    numbers = [len(entries), len(kept), sum(entry.notes for entry in kept), len({entry.group for entry in kept})]
    reasons = Counter(entry.reason for entry in entries if not entry.kept)
    skipped = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    return [f"{number:,}" for number in (*numbers, *(sides[split] for split in SPLITS))] + [skipped]


def lines_of(catalogue, verbose: bool) -> list[str]:
    """What there is to say below the table: skipped files with their reasons, and remarks."""
    skipped = catalogue.skipped
    shown = skipped if verbose else skipped[:SHOWN]
    lines = [f"skipped {entry.name}: {entry.reason} ({entry.message})" for entry in shown]
    if len(shown) < len(skipped):
        lines.append(f"... and {len(skipped) - len(shown)} more; --verbose lists them all")
    return lines + [f"note: {remark}" for remark in catalogue.remarks]


def write_json(catalogue, path: Path) -> None:
    """Every file's verdict; raises `BadOption` where the file cannot be written."""
    files = [
        {
            "file": entry.name, "path": str(entry.path), "style": entry.style, "kept": entry.kept,
            "reason": entry.reason, "message": entry.message, "notes": entry.notes, "seconds": round(entry.seconds, 2),
            "work": entry.group, "split": entry.split, "sha256": entry.sha,
            "labels": dict(entry.labels), "source": dict(entry.source),
        }
        for entry in catalogue.entries
    ]  # fmt: skip
    report = {"files": files, "reasons": dict(catalogue.reasons), "remarks": list(catalogue.remarks)}
    try:
        path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise BadOption(f"{path}: cannot be written ({error.strerror}); choose another file for --json") from error
