"""`partimento transform FILE -o OUT`: a piece in another key, tempo or length, for other instruments, played alive."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from .. import expression, formats, theory, transform
from ..arrange import arrange
from ..errors import BadOption, MusicError
from ..instruments import find_program, instrument_name
from ..score import Score
from ..timing import Clock, duration_seconds
from ._words import counted, keep

SEEDS = 1_000_000  # a seed that is not asked for is small enough to type again
AS_IT_IS = "as loud as it is"  # --express without a number
OWN = {"dynamics": expression.has_dynamics, "tempo": expression.has_tempi}


@click.command("transform")
@click.argument("file", type=click.Path(path_type=Path), required=False, metavar="FILE")
@click.option("--to-key", metavar="KEY", help="Into another key, 'D minor', 'Bb', 'F#m': major and minor change too.")
@click.option("--transpose", type=int, metavar="N", help="By N semitones, up, or down below 0.")
@click.option("--stretch", type=float, metavar="F", help="All notes F times as long, 0.25 to 4; the metre stays.")
@click.option("--arrange", "instruments", multiple=True, metavar="NAME", help="Who plays; repeat it from the top down.")
@click.option("--tempo", type=float, metavar="BPM", help="Quarter notes a minute, 10 to 400; on average if it changes.")
@click.option(
    "--express",
    is_flag=False,
    flag_value=AS_IT_IS,
    metavar="[1-10]",
    help="Dynamics and tempo as a player shapes them, calm (1) to excited (10) [default: as loud as it is].",
)
@click.option("--humanise", is_flag=True, help="Small unevenness of time and loudness.")
@click.option("--seed", type=int, help="The same seed is uneven in the same way [default: a new one each time].")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File: .mid .musicxml .wav .flac .mp3 .png .svg; repeatable.",
)
@click.option("--kind", type=click.Choice(sorted(formats.PICTURES)), help="What pictures show [default: roll].")
def command(file: Path | None, outputs, kind, instruments, humanise, seed, **asked) -> None:
    """Change the MIDI or MusicXML FILE as a musician would, and write the result.

    Applied in this order, whatever the order of the options: key or transposition, stretch, instruments, tempo,
    expression, unevenness. The notes are otherwise left alone, and so is FILE.

    \b
    Examples:
      partimento transform song.mid --to-key "D minor" -o song-d.musicxml
      partimento transform tune.mid --transpose -2 --tempo 96 -o low.mid -o low.wav
      partimento transform duet.mid --arrange violin --arrange cello -o strings.musicxml
      partimento transform printed.musicxml --express -o played.mid
      partimento transform printed.musicxml --express 8 --humanise --seed 3 -o played.wav
      partimento transform subject.mid --stretch 2 -o augmented.svg --kind score
    """
    file, asked["express"] = _file(file, asked["express"])
    kinds = {path: kind if path.suffix.lower() in (".png", ".svg") else None for path in outputs}
    asked["arrange"] = [find_program(name) for name in instruments] or None
    asked["humanise"] = _seed(humanise, seed)
    _check(asked, kinds, kind)
    keep([file], kinds)
    score = formats.load(file)
    if not len(score):
        raise MusicError(f"{file}: there are no notes in it to transform")
    score, done = transformed(score, asked)
    for path, shown in kinds.items():
        formats.save(score, path, kind=shown)
    minutes, seconds = divmod(round(duration_seconds(score)), 60)
    bars = len(Clock(score).bars) - bool(score.upbeat)
    length = f"{counted(bars, 'bar')}, {counted(len(score), 'note')}, {minutes}:{seconds:02}"
    click.echo(f"{file.stem}: {'; '.join(done)} ({length})")
    click.echo(f"wrote {', '.join(str(path) for path in kinds)}")


def transformed(score: Score, asked: dict[str, Any]) -> tuple[Score, list[str]]:
    """The score after every step of `STEPS` whose value in `asked` is not `None`, and what each did, in words."""
    done = []
    for name, step in STEPS.items():
        if asked[name] is not None:
            score, words = step(score, asked[name])
            done.append(words)
    if score.recipe is not None:  # a composed piece says that it is no longer as its seed made it
        score = replace(score, recipe={**score.recipe, "transform": [*score.recipe.get("transform", ()), *done]})
    return score, done


def _file(file: Path | None, express: str | None) -> tuple[Path, str | None]:
    """FILE and the value of --express, which takes FILE for its number where that comes right after it."""
    if file is None and express and express != AS_IT_IS and Path(express).suffix.lower() in formats.READERS:
        file, express = Path(express), AS_IT_IS
    if file is None:
        raise BadOption("no file to transform; name a MIDI or MusicXML file")
    return file, express


def _seed(humanise: bool, seed: int | None) -> int | None:
    """The seed of the unevenness; `None` where none is asked for."""
    if seed is not None and not humanise:
        raise BadOption("--seed is for --humanise, which draws by chance; add it or leave the seed out")
    if seed is not None and seed < 0:
        raise BadOption(f"seed {seed} is out of range; wanted 0 or more")
    return None if not humanise else secrets.randbelow(SEEDS) if seed is None else seed


def _check(asked: dict[str, Any], kinds: dict[Path, str | None], kind: str | None) -> None:
    """Raise what can be said before anything is read."""
    if all(asked[name] is None for name in STEPS):
        raise BadOption(f"nothing to do; add one of {', '.join('--' + name.replace('_', '-') for name in STEPS)}")
    if asked["to_key"] is not None and asked["transpose"] is not None:
        raise BadOption("--to-key and --transpose are both given; how far it moves can be said once")
    if not kinds:
        raise BadOption("no file to write; name one: -o OUT.mid")
    for path, shown in kinds.items():
        formats.check_target(path, shown)
    if kind and not any(kinds.values()):
        raise BadOption(f"--kind {kind} is for pictures; name one: -o sheet.png or -o sheet.svg")


def _to_key(score: Score, key: str) -> tuple[Score, str]:
    home, moved = transform.home_key(score), transform.to_key(score, key)
    names = [theory.key_name(each.tonic, each.mode) for each in (home, moved.keys[0])]
    return moved, f"{names[0]} to {names[1]}"


def _transpose(score: Score, semitones: int) -> tuple[Score, str]:
    moved = transform.transpose(score, semitones)
    return moved, f"transposed by {semitones:+} semitone{'s' * (abs(semitones) != 1)}"


def _stretch(score: Score, factor: float) -> tuple[Score, str]:
    return transform.stretch(score, factor), f"notes {factor:g} times as long"


def _arrange(score: Score, programs: list[int]) -> tuple[Score, str]:
    names = [instrument_name(program) for program in programs]
    return arrange(score, programs), f"for {', '.join(names[:-1])}{' and ' * (len(names) > 1)}{names[-1]}"


def _tempo(score: Score, bpm: float) -> tuple[Score, str]:
    return transform.with_tempo(score, bpm), f"{bpm:g} quarter notes a minute"


def _express(score: Score, asked: str) -> tuple[Score, str]:
    try:
        excitement = None if asked == AS_IT_IS else float(asked)
    except ValueError as error:
        raise BadOption(f"--express {asked!r} is no number; wanted 1 to 10, or nothing") from error
    kept = [name for name, has in OWN.items() if has(score)]
    added = [name for name in OWN if name not in kept]
    words = f"expression in {' and '.join(added)}" if added else "expressive already, left as it was"
    if excitement is not None and "dynamics" in added:
        words += f" at excitement {excitement:g}"
    if added and kept:
        words += f", its own {kept[0]} kept"
    return expression.perform(score, excitement=excitement), words


def _humanise(score: Score, seed: int) -> tuple[Score, str]:
    return transform.humanise(score, np.random.default_rng(seed)), f"humanised with seed {seed}"


# In the order in which they are applied: ranges are those of the new instruments, and noise comes last
STEPS: dict[str, Callable[[Score, Any], tuple[Score, str]]] = {
    "to_key": _to_key, "transpose": _transpose, "stretch": _stretch, "arrange": _arrange,
    "tempo": _tempo, "express": _express, "humanise": _humanise,
}  # fmt: skip
