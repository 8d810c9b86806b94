"""How far music does what it is asked for: controls, curves, key, metre, instruments, length and chords, by style.

    python benchmarks/controls.py --model base.partimento --pieces 200 --workers 2 --json runs/controls.json
    python benchmarks/controls.py --model base.partimento --pieces 40 --guidance 0 1 2 3 --plot docs/images/guidance.svg

Each piece is asked for one thing alone. Values of a control are drawn over its whole range, one from each of as many
equal parts as there are pieces. "Notes" is what `describe` measures on the notes, "played" what it measures with the
tempo and loudness of `express`; both on the style's scale, means over the bars. Every figure is given for the best of
`--candidates` and for one of them drawn by chance. Pieces are kept in JSON.pieces.jsonl as they are made: a run that
was killed goes on with the same command, and `--report` prints what there is.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from _controls_report import by_guidance, by_style, card_of, draw_guidance, lines_by_guidance, lines_of, together
from _figures import announce, digest, keep, origin, write_json
from _pieces import FALLS, KINDS, RISES, Setting, Task, made, styles_of, tasks

from partimento.asking import CONTROLS
from partimento.errors import PartimentoError
from partimento.styles import FOLDER

CARD = FOLDER / "controls.json"
EVERY = 120.0  # seconds after which the figures so far are written
ALL_KINDS = (*CONTROLS, *(f"{name} {way}" for name in CONTROLS for way in (RISES, FALLS)), *KINDS)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="a model file whose styles are described")
    parser.add_argument("--style", nargs="+", help="(default: all of the model)")
    parser.add_argument("--kind", nargs="+", choices=ALL_KINDS, help="what is asked for (default: everything)")
    parser.add_argument("--pieces", type=int, default=200, help="a control and style; half of them for the rest")
    parser.add_argument("--bars", type=int, default=16, help="of each piece")
    parser.add_argument("--candidates", type=int, default=4, help="of which the best is taken")
    parser.add_argument("--guidance", type=float, nargs="+", help="compare strengths of guidance, controls alone")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="processes that compose")
    parser.add_argument("--json", type=Path, default=Path("runs") / "controls.json", help="figures and pieces go there")
    parser.add_argument("--plot", type=Path, help="draw accuracy and quality by guidance there (.svg or .png)")
    parser.add_argument("--card", action="store_true", help=f"put the figures where model cards look: {CARD.name}")
    parser.add_argument("--report", action="store_true", help="compose nothing, print what there is")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    announce(where := origin("controls.py", arguments, options.seed))
    where |= {"model": digest(options.model), "bars": options.bars, "candidates": options.candidates}
    setting = Setting(str(options.model), options.bars, options.pieces, options.candidates, options.seed)
    print(
        f"model {options.model.name} ({where['model']}), no data beside it; {options.pieces} pieces a control and "
        f"style of {options.bars} bars, best of {options.candidates}",
        flush=True,
    )
    journal = options.json.with_name(options.json.name + ".pieces.jsonl")
    known = read(journal, identity(setting, where["model"]))
    if not options.report:
        todo = [task for task in wanted(options) if task.name not in known]
        compose(results(todo, setting, options.workers), len(todo), known, journal, partial(write, options, where))
    found = write(options, where, known)
    lines = lines_by_guidance(found["guidance"]) if options.guidance else lines_of(found["styles"], found["all"])
    print("\n".join(lines))
    if options.plot and options.guidance:
        draw_guidance(found["guidance"], options.plot)
    if options.card and not options.guidance:
        keep(CARD, options.model, where, {style: card_of(one) for style, one in found["styles"].items()})
    return 0


def wanted(options: argparse.Namespace) -> Iterator[Task]:
    """Every piece of the run, in the order in which they are composed."""
    kinds = options.kind or (CONTROLS if options.guidance else ALL_KINDS)
    return tasks(options.style or styles_of(options.model), tuple(kinds), options.pieces, options.guidance or [None])


def write(options: argparse.Namespace, where: dict[str, Any], known: dict[str, dict]) -> dict[str, Any]:
    """The figures of the pieces so far, written as JSON."""
    pieces = [(task, known[task.name]) for task in wanted(options) if task.name in known]
    failed = [f"{task.name}: {record['error']}" for task, record in pieces if "error" in record]
    whole = [(task, record) for task, record in pieces if "error" not in record]
    said = "".join(f"\n  {one}" for one in failed[:5])
    print(f"{len(whole)} pieces, {len(failed)} could not be composed{said}", flush=True)
    if options.guidance:
        figures: dict[str, Any] = {"guidance": by_guidance(whole)}
    else:
        figures = {"styles": by_style(whole, options.seed), "all": together(whole, options.seed)}
    write_json(options.json, where | {"pieces": len(whole), "failed": failed} | figures)
    return figures


# --- pieces, kept as they are made


def identity(setting: Setting, model: str) -> dict[str, Any]:
    """What must agree for pieces to be gone on with."""
    return asdict(setting) | {"model": model}


def read(journal: Path, header: dict[str, Any]) -> dict[str, dict]:
    """The pieces made so far by name; begins the journal where there is none. A line cut short is left out."""
    if not journal.exists():
        journal.parent.mkdir(parents=True, exist_ok=True)
        journal.write_text(json.dumps(header) + "\n", encoding="utf-8")
        return {}
    text = journal.read_text("utf-8")
    lines = text.splitlines()
    if json.loads(lines[0]) != header:
        raise SystemExit(f"{journal}: holds pieces of {lines[0]}, not of {json.dumps(header)}; name another --json")
    if not text.endswith("\n"):
        journal.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
        lines = lines[:-1]
    return {entry.pop("name"): entry for entry in map(json.loads, lines[1:])}


def compose(pieces: Iterator[tuple[Task, dict]], count: int, known: dict[str, dict], journal: Path, save) -> None:
    """Take `count` pieces as they are made; `save` is called with all there are now and then."""
    saved = begun = time.monotonic()
    with journal.open("a", encoding="utf-8") as file:
        for number, (task, record) in enumerate(pieces, 1):
            known[task.name] = record
            file.write(json.dumps({"name": task.name, **record}) + "\n")
            file.flush()
            if time.monotonic() - saved > EVERY:
                pace = (time.monotonic() - begun) / number
                left = (count - number) * pace / 60
                print(f"{number} of {count}, {pace:.2f} s a piece, {left:.0f} minutes to come; ", end="", flush=True)
                save(known)
                saved = time.monotonic()


def results(todo: Sequence[Task], setting: Setting, workers: int) -> Iterator[tuple[Task, dict]]:
    """Each task with its piece, composed here or by so many processes."""
    if workers == 1:
        yield from ((task, made(task, setting)) for task in todo)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(partial(_job, setting), todo)


def _job(setting: Setting, task: Task) -> tuple[Task, dict]:
    return task, made(task, setting)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PartimentoError as error:
        sys.exit(str(error))
