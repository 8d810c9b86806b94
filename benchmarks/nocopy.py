"""What pieces composed with the rule against copies share with the training music, style by style, and without it.

    python benchmarks/nocopy.py LOG.jsonl [--pieces N] [--free N] [--bars N] [--styles S S] [--told]

Pieces are composed twenty at a time, of every shipped style in turn, and written to LOG as they are: a run that was
broken off goes on where it stopped. `--told` composes nothing and says what stands in LOG: of each style how many
pieces, the median, 95th percentile and most of their longest runs in own notes (see `partimento originality`), beside
the 95th percentile of real stretches of 16 bars that were held out, and how many pieces have more.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _figures import table

from partimento import composing, model_file, originality, styles
from partimento.api._models import asked_of
from partimento.score import Score, Track, note_array

BATCH = 20  # pieces composed side by side after one plan
KINDS = ("ruled", "free")


def main(arguments: Sequence[str] | None = None) -> None:
    """Compose what LOG lacks, or tell what it has."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("--pieces", type=int, default=500, help="of each style with the rule")
    parser.add_argument("--free", type=int, default=40, help="of each style without it")
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--styles", nargs="+", default=sorted(styles.shipped()))
    parser.add_argument("--told", action="store_true", help="say what stands in LOG")
    options = parser.parse_args(arguments)
    if options.told:
        tell(options.log)
        return
    done = {(row["style"], row["kind"], row["seed"]) for row in rows_of(options.log)}
    wanted = {"ruled": options.pieces, "free": options.free}
    for seed in range(-(-max(wanted.values()) // BATCH)):
        for kind in KINDS:
            for style in options.styles if seed * BATCH < wanted[kind] else ():
                if (style, kind, seed) not in done:
                    compose(options.log, style, kind, seed, options.bars)


def rows_of(log: Path) -> list[dict[str, Any]]:
    """The batches in a log; a line that was cut off is left out."""
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def compose(log: Path, style: str, kind: str, seed: int, bars: int) -> None:
    """Add a batch of pieces to the log."""
    begun = time.process_time()
    most = 0 if kind == "free" else None
    _, model, request = asked_of(style, None, {"bars": bars, "candidates": BATCH, "seed": seed, "max_copy": most})
    pieces = []
    for score in (one.score for one in composing.compose(model, request)):
        notes = [list(map(int, (one["onset"], one["duration"], one["pitch"], one["track"]))) for one in score.notes]
        programs = [track.program for track in score.tracks]
        pieces.append({"tpb": score.ticks_per_beat, "tracks": programs, "notes": notes})
    row = {"style": style, "kind": kind, "seed": seed, "cpu": round(time.process_time() - begun, 2), "pieces": pieces}
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, separators=(",", ":")) + "\n")
    print(f"{style} {kind} {seed}: {row['cpu']} s", flush=True)


def score_of(piece: dict[str, Any]) -> Score:
    """A piece of the log."""
    rows = [(onset, duration, pitch, 80, track) for onset, duration, pitch, track in piece["notes"]]
    return Score(note_array(rows), tuple(Track("", one) for one in piece["tracks"]), ticks_per_beat=piece["tpb"])


def tell(log: Path) -> None:
    """Judge all pieces of a log."""
    rows, lines = rows_of(log), []
    for style in sorted(styles.shipped()):
        index = model_file.load(styles.find(style)).index
        assert index is not None
        real = index.reference[style]["longest"][95]
        for kind in KINDS:
            some = [row for row in rows if (row["style"], row["kind"]) == (style, kind)]
            scores = [score_of(piece) for row in some for piece in row["pieces"]]
            if scores:
                judged = originality.judge(index, scores, pitch=False, passages=0)
                longest = np.array([one.rhythm.longest for one in judged])
                spread = (f"{value:g}" for value in (np.median(longest), np.percentile(longest, 95), longest.max()))
                over = f"{int((longest > real).sum())}"
                lines.append((style, "with" if kind == "ruled" else "without", str(len(scores)), *spread,
                              f"{originality.usual(index, style)}", f"{real:g}", over))  # fmt: skip
    head = ("style", "rule", "pieces", "median", "95 %", "most", "N", "real 95 %", "more than that")
    print("\n".join(table(head, lines)))


if __name__ == "__main__":
    main(sys.argv[1:])
