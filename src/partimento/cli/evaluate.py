"""`partimento evaluate GENERATED REAL`: composed music beside real music, in the field's metrics."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from .. import api

SHOWN = 12  # features that give the music away, listed
NAMED = 5  # skipped files, listed without --verbose


@click.command("evaluate")
@click.argument("generated", type=click.Path(path_type=Path))
@click.argument("real", type=click.Path(path_type=Path))
@click.option("--limit", type=click.IntRange(2), metavar="N", help="So many pieces of each side, drawn by the seed.")
@click.option("--bars", type=click.IntRange(1), metavar="N",
              help="Compare spans of N bars [default: what nine in ten pieces have, 4 to 16].")  # fmt: skip
@click.option("--take", type=click.Choice(("last", "first")), default="last", show_default=True,
              help="Which bars of each piece; the first, say, where the composed pieces have no ending.")  # fmt: skip
@click.option("--notes-only", is_flag=True, help="Leave loudness and tempo out of what tells the sides apart.")
@click.option("--classifier", type=click.Choice(("linear", "forest")), default="linear", show_default=True,
              help="What tries to tell them apart; forest needs the extra `evaluate`, and minutes.")  # fmt: skip
@click.option("--training", type=click.Path(path_type=Path), metavar="FOLDER",
              help="The training music: how much of both sides stands in it.")  # fmt: skip
@click.option("--model", type=click.Path(path_type=Path), metavar="FILE",
              help="The model that composed them: by its index, how much of both sides it learnt from.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of every draw in the figures.")
@click.option("--json", "as_json", is_flag=True, help="All figures as JSON.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with plots there.")
@click.option("--verbose", is_flag=True, help=f"List every piece left out, not only the first {NAMED}.")
def command(
    generated: Path, real: Path, as_json: bool, html: Path | None, verbose: bool, **wanted: Any
) -> None:  # fmt: skip
    """Set composed music (GENERATED) beside real music (REAL): two folders of MIDI or MusicXML.

    Can a classifier tell them apart, and by what? Then the field's metrics, with 95 % intervals.

    \b
    Examples:
      partimento evaluate composed/ bach_test/
      partimento evaluate composed/ bach_test/ --html report.html --limit 100
      partimento evaluate composed/ bach_test/ --training bach_train/
      partimento evaluate composed/ bach_test/ --model mine.partimento
      partimento evaluate composed/ bach_test/ --json
    """
    if html is not None:
        api.check_page(html)
    found = api.evaluate(generated, real, progress=_progress if sys.stderr.isatty() else None, **wanted)
    if html is not None:
        api.write_evaluation(found, html, (generated.resolve().name, real.resolve().name))
    if as_json:
        said = {"generated_path": generated.name, "real_path": real.name, "verdict": api.verdict_of(found)}
        click.echo(json.dumps({**said, **found.as_json()}, indent=1))
        return
    click.echo("\n".join(words(found, NAMED if not verbose else None)))
    if html is not None:
        click.echo(f"wrote {html}")


def _progress(done: int, total: int) -> None:
    click.echo(f"\rreading {done} of {total}" + "\n" * (done == total), err=True, nl=False)


def words(found: api.Evaluation, named: int | None) -> Iterator[str]:
    """The evaluation in lines; `named` pieces left out are listed of each side, None: all."""
    yield api.said_of(found)
    yield from (f"beware: {one}" for one in found.remarks)
    yield ""
    yield click.style(api.verdict_of(found), bold=True)
    yield from _told(found)
    yield from _far(found)
    yield ""
    yield from _metrics(found)
    yield from _obeyed(found)
    yield from _borrowed(found)
    yield from _skipped(found, named)


def _told(found: api.Evaluation) -> Iterator[str]:
    told = found.told
    if told is None:
        return
    if told.p is not None:
        yield f"  by chance 95 % stay below {told.chance:.2f}"
    more = "" if told.telling else " (no more than chance would, among so many)"
    yield ""
    yield f"what gives it away{more}"
    rows = [
        (("* " if one.strength > told.feature_chance else "  ") + one.name, f"{one.auc:.2f}{_between(one.interval, 2)}",
         api.number(one.ours[1]), api.number(one.theirs[1]), f"{one.lost:+.3f}")
        for one in told.tells[:SHOWN]
    ]  # fmt: skip
    yield from _table(("  feature", "AUC alone [95 %]", "generated", "real", "AUC lost without"), rows)
    yield f"  * farther from 0.5 than {told.feature_chance:.2f}, which the best of {len(told.tells)} reaches by chance"


def _far(found: api.Evaluation) -> Iterator[str]:
    far = found.frechet
    if far is not None:
        yield ""
        yield (f"Fréchet distance {api.number(far.distance)}{_between(far.interval)} by {far.features} features of our "
               f"own; sets of this size from one source: {api.number(far.chance[0])} to "
               f"{api.number(far.chance[1])}")  # fmt: skip


def _metrics(found: api.Evaluation) -> Iterator[str]:
    rows = []
    for one in found.metrics:
        far = one.apart
        value = [_value(*side) for side in ((one.ours, one.ours_interval), (one.theirs, one.theirs_interval))]
        apart = ["-", "-"] if far is None else [
            api.number(far.divergence, 2) + _between(far.divergence_interval, 2),
            api.number(far.overlap, 2) + _between(far.overlap_interval, 2),
        ]  # fmt: skip
        rows.append((one.name, *value, *apart, f"{one.pieces[0]}, {one.pieces[1]} of {one.bars} bars"))
    yield from _table(("mean [95 %]", "generated", "real", "KL divergence", "overlap", "pieces"), rows)


def _obeyed(found: api.Evaluation) -> Iterator[str]:
    told = found.obedience
    if not told.pieces and not told.unread:
        return
    yield ""
    yield f"asked against obtained, of {_many(told.pieces)} what was asked for"
    rows = [
        (one.name, str(len(one.asked)), f"correlation {api.number(one.correlation, 2)}"
         f"{_between(one.correlation_interval, 2)}, error {api.number(one.error, 2)}{_between(one.error_interval, 2)}")
        for one in told.controls
    ]  # fmt: skip
    rows += [
        (
            one.name,
            str(one.pieces),
            f"{100 * one.share:.0f} % [{100 * one.interval[0]:.0f}, {100 * one.interval[1]:.0f}]",
        )
        for one in told.wishes
    ]
    yield from _table(("asked", "pieces", "obtained"), rows)
    yield from (f"  {name}: {reason}" for name, reason in told.unread[:NAMED])


def _borrowed(found: api.Evaluation) -> Iterator[str]:
    if found.borrowed is not None:
        yield from ("", "originality")
        yield from (f"  {line}" for line in api.words_of_borrowed(found.borrowed))


def _skipped(found: api.Evaluation, named: int | None) -> Iterator[str]:
    for name, side in (("generated", found.generated), ("real", found.real)):
        if side.skipped:
            yield from ("", f"left out of the {name} pieces: {len(side.skipped)}")
            yield from (f"  {piece}: {reason}" for piece, reason in side.skipped[:named])
            if named is not None and len(side.skipped) > named:
                yield f"  and {len(side.skipped) - named} more: --verbose"


def _many(pieces: int) -> str:
    return "1 piece that says" if pieces == 1 else f"{pieces} pieces that say"


def _value(value: Any, interval: Sequence[float] | None) -> str:
    if value is None:
        return "-"
    return "(in --html)" if isinstance(value, list) else api.number(value) + _between(interval)


def _between(interval: Sequence[float] | None, digits: int = 3) -> str:
    return api.between(interval, digits)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
