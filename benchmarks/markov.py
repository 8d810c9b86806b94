"""The family `markov` order by order: how well it predicts held-out music, what it composes, how much of it is copied.

    python benchmarks/markov.py irish_tunes --melody-only --pieces 20
    python benchmarks/markov.py bach_chorales_jsb --encoding voices --orders 0 1 2 4 --json markov.json

FOLDER is one of the packs. Nats are those of the model card, on whole test pieces. Pieces are composed without any
rule: what the counts would do by themselves is measured. A run is copied where the intervals between its pitches and
the times between its onsets stand in a row in one part of the training music, in any key. Real pieces are the test
pieces, of which the first bars are taken. `--plain` counts as the textbook has it instead: in contexts of all that is
given, all that was chosen and all fields of the last steps, in this order, with method C's escapes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _figures import DATA, announce, origin, table, write_json

from partimento import api, composing, model_file
from partimento.asking import Request, plan_for
from partimento.corpus import Cache
from partimento.encodings import get_encoding
from partimento.encodings.voices import VOICES
from partimento.evaluation import listen
from partimento.evaluation.hearing import mixed
from partimento.models._contexts import counted, moves_of, pool
from partimento.originality import build, copied
from partimento.profile import decoded, style_profiles
from partimento.score import Score
from partimento.theory import pitched
from partimento.timing import Clock
from partimento.training.counting import music_of
from partimento.training.export import export_run
from partimento.training.judging import nats_per_step
from partimento.training.listening import playable
from partimento.training.loop import Run, TrainingPlan, train
from partimento.transform import cut
from partimento.viewpoints import Layout

LONGEST = 64  # notes of a run that is looked for
EXACT = 100  # below, figures are shown with three digits
MEASURES = (
    "in_key", "final_is_tonic", "steps", "leaps", "longest_loop", "exact_repeats", "exact_4", "exact_8",
    "motif_returns", "pitch_range",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    announce(where := origin("markov.py", arguments, options.seed))
    chosen = {"melody_only": True} if options.melody_only else {}
    options.work.mkdir(parents=True, exist_ok=True)
    request = api.TrainingRequest(
        (DATA / "packs" / options.folder,), options.work / "none.partimento", "markov", options.encoding, chosen,
        work=options.work, workers=options.workers,
    )  # fmt: skip
    cache = api.prepare(request)
    encoding = get_encoding(**cache.spec)
    known = Copies(decoded(cache, encoding, cache.of("train")))
    real = [beginning(score, options.bars) for score in decoded(cache, encoding, cache.of("test"))]
    of = of_order_plainly if options.plain else of_order
    rows = [of(order, cache, known, options) for order in options.orders]
    rows.append({"order": "real"} | described(real, known))
    rows.append({"order": "real, whole"} | described(decoded(cache, encoding, cache.of("test")), known))
    for names in (FIRST, ("order", *MEASURES)):
        print("\n".join(["", *table(names, [[shown(row.get(name)) for name in names] for row in rows])]))
    if options.json:
        write_json(options.json, where | {"rows": rows})
    return 0


FIRST = ("order", "nats", "untold", "counts", "MB", "seconds", "steps/s", "longest", "at most", "copied")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The family markov order by order.")
    parser.add_argument("folder", help="a pack")
    parser.add_argument("--encoding", default="notes")
    parser.add_argument("--melody-only", action="store_true")
    parser.add_argument("--orders", type=int, nargs="+", default=list(range(7)))
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--pieces", type=int, default=20)
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("markov.run"), help="folder of the cache and the models")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


def of_order(order: int, cache: Cache, known: Copies, options: argparse.Namespace) -> dict[str, Any]:
    """Figures of one order: the model is counted, exported, read again and composes."""
    plan = TrainingPlan(family="markov", options={"order": order}, seed=options.seed)
    folder, path = options.work / f"order-{order}", options.work / f"order-{order}.partimento"
    for progress in train(cache, plan, folder):
        print(f"order {order}: {progress.seconds:.0f} s, {progress.valid} nats on the valid split", flush=True)
    info = export_run(cache, plan, folder, path)
    model = model_file.load(path)
    style = next(iter(info["styles"]))
    started = time.process_time()
    scores, steps = composed(model, style, options)
    pace = steps / (time.process_time() - started)
    nats = info["card"]["nats"]
    return {
        "order": order, "nats": nats[f"{style}, test, told"], "untold": nats[f"{style}, test, untold"],
        "counts": info["state"]["entries"], "MB": path.stat().st_size / 1e6,
        "seconds": info["card"]["training"]["seconds"], "steps/s": pace,
    } | described(scores, known)  # fmt: skip


def of_order_plainly(order: int, cache: Cache, known: Copies, options: argparse.Namespace) -> dict[str, Any]:
    """Figures of one order counted as the textbook has it."""
    run = Run(cache, TrainingPlan(family="markov", options={"order": order}), options.work / "plain")
    music, encoding = music_of(run), run.encoding
    moves, still = moves_of(encoding)
    layout = Layout(encoding.fields, moves, still)
    told = {}
    for entry in encoding.composed:
        rows = [one for one in pool(encoding.fields, layout, entry.name, order, "told") if one.kind == "row"]
        escapes = [1.0] * (1 + len(rows))
        told[entry.name] = [{"reference": "tonic", "elements": rows, "escapes": escapes, "weight": 1.0}]
    found = np.concatenate(list(counted(music, encoding, layout, told, "told")))
    keys, numbers = np.unique(found, return_counts=True)
    spec = {"kind": "counts", "order": order, "columns": encoding.width, "entries": len(keys), "moves": moves}
    run.model.heads.take(spec | {"still": still, "told": told, "untold": {}}, keys, numbers)
    nats = nats_per_step(run, run.model, cache.of("test"), run.optional)
    styles = style_profiles(cache, encoding)
    model = playable(run.model, cache.spec)
    model.info["styles"] = styles
    scores, _ = composed(model, next(iter(styles)), options)
    unit = len(VOICES) if encoding.name == "voices" else 1
    return {"order": order, "nats": sum(nats.values()) / unit, "counts": len(keys)} | described(scores, known)


def composed(model: model_file.Model, style: str, options: argparse.Namespace) -> tuple[list[Score], int]:
    """Pieces without any rule, each of the style's own keys and metres, and how many steps they have."""
    scores, steps = [], 0
    for number in range(options.pieces):
        request = Request(style, bars=options.bars, seed=options.seed + number)
        plan = plan_for(model.info["styles"][style], request, np.random.default_rng([options.seed, number]))
        for _, rows in composing.run(model, plan, request, [np.random.SeedSequence([options.seed, number])], rules=[]):
            scores.append(model.encoding.decode(rows, plan))
            steps += len(rows) - 1
    return scores, steps


def described(scores: Sequence[Score], known: Copies) -> dict[str, Any]:
    """Copied runs, and means of `MEASURES`."""
    longest = [known.longest(score) for score in scores]
    heard = [listen(score, span=16) for score in scores]
    found = {name: np.mean([one[name] for one in heard if name in one]) for name in MEASURES}
    share = copied(known.known, scores)
    return {"longest": float(np.median(longest)), "at most": max(longest), "copied": share, **found}


def beginning(score: Score, bars: int) -> Score:
    """The first bars of a piece."""
    lines = Clock(score).bars[bool(score.upbeat) :][:bars]
    return cut(score, 0, lines[-1].end) if lines else score


class Copies:
    """The training music as a set of runs of every length."""

    def __init__(self, scores: Sequence[Score]):
        self.known = build(("", "", score) for score in scores)
        self.moves = [moves for score in scores for moves in steps_of(score)]
        self.runs: dict[int, np.ndarray] = {}  # by their number of moves, one less than of their notes

    def longest(self, score: Score) -> int:
        """Notes of the longest run of a score that stands in the training music; at most `LONGEST`."""
        found = 1
        for moves in steps_of(score):
            while found < LONGEST and len(moves) >= found and np.isin(runs(moves, found), self._of(found)).any():
                found += 1
        return found

    def _of(self, length: int) -> np.ndarray:
        if length not in self.runs:
            every = [runs(moves, length) for moves in self.moves if len(moves) >= length]
            self.runs[length] = np.unique(np.concatenate(every))
        return self.runs[length]


def steps_of(score: Score) -> list[np.ndarray]:
    """From note to note of each part, interval and time between onsets as one number."""
    found = []
    for track in np.unique(score.notes["track"]):
        notes = pitched(score.with_notes(score.track_notes(int(track))))
        notes = notes[np.lexsort((notes["pitch"], notes["onset"]))]
        gaps = np.round(np.diff(notes["onset"]) * 24 / score.ticks_per_beat).astype(np.int64)
        found.append(mixed(np.diff(notes["pitch"].astype(np.int64)), gaps))
    return found


def runs(moves: np.ndarray, length: int) -> np.ndarray:
    """Every `length` moves in a row as one number."""
    count = len(moves) - length + 1
    return mixed(*(moves[n : n + count] for n in range(length)))


def shown(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}" if abs(value) < EXACT else f"{value:,.0f}"


if __name__ == "__main__":
    sys.exit(main())
