"""`partimento compose`: a new piece in a style."""

from __future__ import annotations

import secrets
import shutil
import sys
from pathlib import Path

import click

from .. import api, formats
from ..errors import BadOption
from ..instruments import find_program
from ..score import Score
from ..timing import Clock, duration_seconds

SEEDS = 1_000_000  # a seed that is not asked for is small enough to type again


@click.command("compose")
@click.option("--style", help=f"A shipped style, see `partimento styles` [default: {api.DEFAULT_STYLE}].")
@click.option("--model", type=click.Path(path_type=Path), help="A model file of your own instead.")
@click.option("--bars", type=int, help="Length in bars [default: 16].")
@click.option("--seconds", type=float, help="Length in seconds instead; the tempo is fitted to it.")
@click.option("--key", help="'D minor', 'Bb', 'F#m' [default: as the style has it].")
@click.option("--tempo", type=float, metavar="BPM", help="Quarter notes a minute [default: as the style has it].")
@click.option("--metre", help="4/4, 3/4, 6/8 ... [default: as the style has it].")
@click.option("--instrument", "instruments", multiple=True, help="What plays, by name; repeat it for the next part.")
@click.option("--seed", type=int, help="The same seed gives the same piece [default: a new one each time].")
@click.option("--temperature", type=float, default=1.0, show_default=True, help="Boldness: 0 likeliest, 1 as learnt.")
@click.option("--top-k", type=int, default=0, help="Choose among the K likeliest only.")
@click.option("--top-p", type=float, default=1.0, help="Choose among the likeliest that make up this share.")
@click.option(
    "--min-p",
    type=float,
    default=api.Sampling.min_p,
    show_default=True,
    help="Leave out what is rarer beside the likeliest.",
)
@click.option("--candidates", type=int, default=4, show_default=True, help="Compose several, keep the most typical.")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File: .mid .musicxml .wav .png .svg; repeatable [default: STYLE-SEED.mid].",
)
@click.option("--kind", type=click.Choice(sorted(formats.PICTURES)), help="What pictures show [default: roll].")
@click.option("--roll/--no-roll", default=True, help="Draw the piano roll here.")  # fmt: skip
def command(style, model, outputs, kind, roll, seed, temperature, top_k, top_p, min_p, instruments, **asked) -> None:
    """Compose a new piece, to the bar, with a beginning and an end.

    \b
    Examples:
      partimento compose
      partimento compose --style folk --key "D major" --metre 6/8 --bars 32 -o jig.mid -o jig.wav
      partimento compose --style chorale --seconds 40 --candidates 8 -o chorale.musicxml
      partimento compose --seed 7 -o sheet.svg --kind score
      partimento compose --model mine.partimento --temperature 0.9
    """
    kinds = {path: kind if path.suffix.lower() in (".png", ".svg") else None for path in outputs}
    for path, shown in kinds.items():
        formats.check_target(path, shown)
    if kind and not any(kinds.values()):
        raise BadOption(f"--kind {kind} is for pictures; name one: -o sheet.png or -o sheet.svg")
    seed = secrets.randbelow(SEEDS) if seed is None else seed
    sampling = api.Sampling(temperature, top_k, top_p, min_p)
    programs = tuple(find_program(name) for name in instruments)
    score = api.compose(style, model=model, seed=seed, sampling=sampling, instruments=programs, **asked)
    chosen = score.recipe["style"] if score.recipe else "piece"
    kinds = kinds or {Path(f"{chosen}-{seed}.mid"): None}
    for path, shown in kinds.items():
        formats.save(score, path, kind=shown)
    click.echo(describe(score, chosen, seed))
    if roll:
        from ..formats.roll import terminal

        columns = min(120, shutil.get_terminal_size().columns)
        click.echo(terminal(score, columns, color=sys.stdout.isatty()).rstrip())
    click.echo(f"wrote {', '.join(str(path) for path in kinds)}")


def describe(score: Score, style: str, seed: int) -> str:
    """A composed piece in a line."""
    from ..formats.overview import overview

    seen, metre = overview(score), score.metres[0]
    bars = len(Clock(score).bars) - bool(score.upbeat)
    upbeat = " after an upbeat" if score.upbeat else ""
    return (
        f"{style}, seed {seed}: {bars} bar{'s' * (bars != 1)} of {metre.numerator}/{metre.denominator}{upbeat} "
        f"in {seen.key}, {seen.tempo}, {duration_seconds(score):.0f} s, {len(score)} notes"
    )
