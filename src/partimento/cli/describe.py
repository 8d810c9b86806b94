"""`partimento describe FILE`: what is heard in a file, as curves over its bars, chords and bars that return."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

import partimento

from .. import api, formats, styles
from ..errors import BadOption, UnknownName
from ..score import Score
from ..theory import key_name
from ..transform import home_key

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = (-4.0, 4.0)  # between which measures are drawn that have no scale
NAME_WIDTH, CHORD_WIDTH, WIDEST = 20, 7, 120  # columns
CHORDS_A_LINE = 8


@click.command("describe")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--style", help=f"On whose scale, see `partimento styles` [default: {api.DEFAULT_STYLE}].")
@click.option("--model", type=click.Path(path_type=Path), help="A model file of your own, for its scales.")
@click.option("--json", "as_json", is_flag=True, help="Every bar in figures, as JSON.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Also draw the curves: .png.")
def command(file: Path, style: str | None, model: Path | None, as_json: bool, output: Path | None) -> None:
    """Describe what is heard in a MIDI or MusicXML FILE: mood, complexity, density, key, chords and form.

    \b
    Examples:
      partimento describe piece.mid
      partimento describe piece.mid --style folk -o curve.png
      partimento describe piece.mid --json
    """
    if output is not None:
        _check_picture(output)
    style, scales = _scales(style, model)
    found = _described(formats.load(file), style, scales)
    if output is not None:
        from . import _curves

        _curves.write(output, file.stem, found["curves"], found["first_bar"])
    if as_json:
        click.echo(json.dumps({"file": file.name, **found}, indent=1))
        return
    columns = min(WIDEST, shutil.get_terminal_size().columns)
    click.echo("\n".join(_words(file.stem, found, columns)))
    if output is not None:
        click.echo(f"wrote {output}")


def _check_picture(output: Path) -> None:
    """Raise before anything is described where the picture cannot be written."""
    formats.check_target(output)
    if output.suffix.lower() != ".png":
        raise BadOption(f"{output}: curves are drawn as .png; give the file that suffix")


def _scales(style: str | None, model: Path | None) -> tuple[str, Mapping[str, Sequence[float]]]:
    """The style, and its scales by descriptor: none where its music had not been described when it was trained."""
    path = model or styles.find(style or api.DEFAULT_STYLE, obedient=True)
    known = styles.described(path).get("styles") or {}
    if style is None:
        style = api.DEFAULT_STYLE if api.DEFAULT_STYLE in known else next(iter(known), api.DEFAULT_STYLE)
    if style not in known:
        raise UnknownName(f"no style {style!r} in {path.name}; there are {', '.join(known) or 'none'}")
    return style, known[style].get("scales") or {}


def _described(score: Score, style: str, scales: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Everything that is said of a score, ready for JSON; bars are counted from 1, an upbeat is bar 0."""
    heard, key = partimento.describe(score), home_key(score)
    first = 0 if score.upbeat else 1
    on_scale = heard.levels(scales)
    curves = {}
    for asked, (name, low, high) in api.CONTROLS.items():
        values = on_scale.get(name, heard.measures[name])
        ends = [low, high] if name in on_scale else list(PLAIN)
        curves[asked] = {
            "measure": name, "has_scale": name in on_scale, "range": ends,
            "piece": round(float(values.mean()), 3), "bars": np.round(values, 3).tolist(),
        }  # fmt: skip
    returns = [
        {"first": run.first + first, "last": run.last + first, "bars_back": run.distance, "whole": run.whole}
        for run in heard.returns()
    ]
    return {
        "style": style, "key": key_name(key.tonic, key.mode), "bars": len(heard.bars), "first_bar": first,
        "curves": curves, "chords": heard.chord_names(), "returns": returns,
    }  # fmt: skip


def _words(name: str, found: Mapping[str, Any], columns: int) -> list[str]:
    """The description as lines of at most `columns` characters."""
    bars, curves = found["bars"], found["curves"]
    lines = [f"{click.style(name, bold=True)}: {bars} bar{'s' * (bars != 1)} in {found['key']}"]
    if all(curve["has_scale"] for curve in curves.values()):
        lines[0] += f", on the scale of {found['style']}"
    else:
        lines.append(f"{found['style']} has no scales yet; shown are plain measures, 0 the mean of printed music")
    for asked, curve in curves.items():
        drawn = _drawn(np.array(curve["bars"]), curve["range"], columns - NAME_WIDTH)
        lines.append(f"  {asked:<11}{curve['piece']:>5.{1 if curve['range'][1] > 1 else 2}f}  {drawn}")
    lines.append("  chords, one a bar")
    for start in range(0, bars, fit := max(1, min(CHORDS_A_LINE, (columns - 7) // CHORD_WIDTH))):
        row = "".join(f"{chord:<{CHORD_WIDTH}}" for chord in found["chords"][start : start + fit])
        lines.append(f"{start + found['first_bar']:>5}  {row}".rstrip())
    for whole, words in ((True, "returns"), (False, "same rhythm")):
        listed = [run for run in found["returns"] if run["whole"] == whole and (whole or run["last"] > run["first"])]
        if runs := [_run(run) for run in listed]:
            text = textwrap.fill(", ".join(runs), columns, initial_indent=f"  {words}: ", subsequent_indent="    ")
            lines.append(text)
    return lines


def _drawn(values: np.ndarray, ends: Sequence[float], columns: int) -> str:
    """Values (bars,) as a line of blocks of eight heights; of a piece with more bars than columns, means of some."""
    if len(values) > columns:
        values = np.array([part.mean() for part in np.array_split(values, columns)])
    heights = np.clip((values - ends[0]) / (ends[1] - ends[0]) * len(BLOCKS), 0, len(BLOCKS) - 1).astype(int)
    return "".join(BLOCKS[height] for height in heights)


def _run(run: Mapping[str, int]) -> str:
    """ "5-8 as 1-4"."""
    first, last, back = run["first"], run["last"], run["bars_back"]
    if first == last:
        return f"{first} as {first - back}"
    return f"{first}-{last} as {first - back}-{last - back}"
