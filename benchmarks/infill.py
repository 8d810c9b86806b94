"""Fills bars in the middle of held-out pieces and sets them beside the real bars that stood there.

    python benchmarks/infill.py --pieces 40 --workers 2 --json runs/infill.json
    python benchmarks/infill.py --styles folk lieder --pieces 6 --model base.partimento

A stretch of `--bars` bars is erased, so that nothing of it can be known, and filled as `partimento infill` does with
nothing asked for. Of filled and real bars: how likely the model finds them, told the same music around them; their
descriptors; and whether classifiers tell the joins at both ends apart. Two controls stand beside: "copied", other real
bars of the piece put into the same place, which classifiers ought to find out, and "elsewhere", joins between real bars
elsewhere in the piece, in which there is nothing to find out. Every piece gives one stretch, and where there are fewer
pieces than `--pieces`, further ones; intervals and cross-validation take whole works. Stretches are kept in
JSON.stretches.jsonl as they are made: a run that was killed goes on with the same command, and `--report` prints what
there is.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from _figures import DATA, announce, digest, origin, write_json
from _infill_report import GOAL, figures, lines_of
from _real import STYLES
from _stretches import Setting, Stretch, facts, find, held_out, loaded
from controls import read

from partimento import model_file, styles
from partimento.errors import PartimentoError


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--styles", nargs="+", choices=list(STYLES), help="(default: all of the model, or all shipped)")
    parser.add_argument(
        "--pieces", type=int, default=40, help="stretches of each style, each of another piece if it can be"
    )
    parser.add_argument("--bars", type=int, default=4, help="of each stretch")
    parser.add_argument("--candidates", type=int, default=4, help="of which the best is taken")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", type=Path, help="a model file (default: the styles that are shipped)")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of packs")
    parser.add_argument("--workers", type=int, default=1, help="processes that fill")
    parser.add_argument(
        "--json", type=Path, default=Path("runs") / "infill.json", help="figures and stretches go there"
    )
    parser.add_argument("--report", action="store_true", help="fill nothing, print what there is")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    announce(where := origin("infill.py", arguments, options.seed))
    setting = Setting(options.bars, options.candidates, options.seed)
    models = {style: options.model or styles.find(style, obedient=True) for style in wanted_styles(options)}
    where |= asdict(setting) | {"models": {style: f"{path.name} {digest(path)}" for style, path in models.items()}}
    journal = options.json.with_name(options.json.name + ".stretches.jsonl")
    known = read(journal, asdict(setting) | {"models": where["models"]})
    if not options.report:
        begun = time.monotonic()
        todo = [one for one in chosen(models, options) if one.name not in known]
        print(f"{len(known)} stretches filled before, {len(todo)} to fill; places found in "
              f"{time.monotonic() - begun:.0f} s", flush=True)  # fmt: skip
        fill(results(todo, models, setting, options.workers), len(todo), known, journal)
    records = list(known.values())
    whole = [record for record in records if "error" not in record]
    failed = [f"{name}: {record['error']}" for name, record in known.items() if "error" in record]
    print(f"{len(whole)} stretches, {len(failed)} could not be filled" + "".join(f"\n  {one}" for one in failed[:5]))
    if not whole:
        return 1
    found = figures(whole, options.seed)
    write_json(options.json, where | {"goal": GOAL, "stretches": len(whole), "failed": failed} | found)
    print("\n".join(lines_of(found)))
    return 0


def wanted_styles(options: argparse.Namespace) -> list[str]:
    """The styles asked for, else all of the model, or all shipped, for which real pieces are known."""
    there = model_file.read_info(options.model)["styles"] if options.model else styles.shipped()
    return options.styles or [name for name in STYLES if name in there]


def chosen(models: dict[str, Path], options: argparse.Namespace) -> list[Stretch]:
    """All stretches of the run, the first of every style first, so that a run that is killed has some of everything."""
    found = []
    for style, path in models.items():
        pieces = held_out(style, options.data, options.seed)
        found.append(list(itertools.islice(find(pieces, loaded(path).encoding, options.bars), options.pieces)))
    return [one for rank in itertools.zip_longest(*found) for one in rank if one is not None]


def results(
    todo: Sequence[Stretch], models: dict[str, Path], setting: Setting, workers: int
) -> Iterator[tuple[str, dict]]:
    """Each stretch's name with what was found, here or by so many processes."""
    job = partial(_job, models, setting)
    if workers == 1:
        yield from map(job, todo)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(job, todo)


def _job(models: dict[str, Path], setting: Setting, stretch: Stretch) -> tuple[str, dict[str, Any]]:
    style = stretch.piece.style
    try:
        return stretch.name, facts(stretch, models[style], setting)
    except PartimentoError as error:
        return stretch.name, {"style": style, "error": f"{type(error).__name__}: {error}"}


def fill(found: Iterator[tuple[str, dict]], count: int, known: dict[str, dict], journal: Path) -> None:
    """Take `count` stretches as they are filled and keep each."""
    begun = time.monotonic()
    with journal.open("a", encoding="utf-8") as file:
        for number, (name, record) in enumerate(found, 1):
            known[name] = record
            file.write(json.dumps({"name": name, **record}) + "\n")
            file.flush()
            pace = (time.monotonic() - begun) / number
            if number % 10 == 0 or number == count:
                left = (count - number) * pace / 60
                print(f"{number} of {count}, {pace:.1f} s a stretch, {left:.0f} minutes to come", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PartimentoError as error:
        sys.exit(str(error))
