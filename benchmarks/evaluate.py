"""How well composed music is told from real music, with a ceiling and a floor: everything in one table.

    python benchmarks/evaluate.py
    python benchmarks/evaluate.py --pieces 60 --only styles --style chorale folk
    python benchmarks/evaluate.py --classifier forest --only styles --style folk --json folk.json
    python benchmarks/evaluate.py --coverage 60

Every row is `partimento.evaluation.evaluate`: a classifier that has not seen them judges pieces of two sides, and its
AUC is 0.5 where they are of one kind. *halves*: two halves of the works of a pack, which no classifier should tell
apart (the ceiling for composed music). *other*: chorales against folk tunes. *shuffled*: real pieces whose notes change
places beside real pieces of other works (the floor): in each track the onsets, with all that is struck at them and the
time to the next, are dealt out anew. *styles*: pieces of 16 bars composed in each shipped style with default settings
beside those that the packs' manifests hold out, taken through the encoding of the model and only in metres that the
composed pieces have. Figures are kept in results/evaluate.json, from which docs/benchmarks.md is made; a run replaces
the rows that it measures and leaves the others.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _figures import DATA, announce, digest, origin, table, write_json
from _real import HELD_OUT, STYLES, as_trained, metre_of

import partimento
from partimento import model_file, styles
from partimento.encodings import Encoding, Unencodable, get_encoding
from partimento.errors import FormatError, MusicError
from partimento.evaluation import Evaluation, Piece, evaluate
from partimento.evaluation.features import features_of, table_of
from partimento.evaluation.sides import Side, common_bars
from partimento.evaluation.telling import told_apart
from partimento.formats import load
from partimento.score import Score

RESULTS = Path(__file__).parent / "results" / "evaluate.json"
KINDS = ("halves", "other", "shuffled", "styles")
PACKS = ("bach_chorales_jsb", "irish_tunes", "hymns", "romantic_piano", "lieder", "ragtime")
SHUFFLED = ("bach_chorales_jsb", "irish_tunes")
BARS = 16  # of composed pieces
TELLS = 5  # features named


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    announce(where := origin("evaluate.py", arguments, options.seed))
    if options.coverage:
        print("\n".join(coverage(options)))
        return 0
    rows = known(options.json)
    for kind in options.only:
        for row in OF_KIND[kind](options):
            rows[f"{kind} {row['name']}"] = {**row, "kind": kind, "origin": where}
            print(f"{row['name']}: AUC {row['auc']}, {row['seconds']} s", flush=True)
            write_json(options.json, {"rows": list(rows.values())})
    print("\n".join(["", *lines_of(list(rows.values())), "", *weaknesses(list(rows.values()))]))
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Tells composed music from real music, with ceiling and floor.")
    parser.add_argument("--pieces", type=int, default=20, help="composed a style")
    parser.add_argument("--real", type=int, default=60, help="real pieces a side at most")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--style", nargs="+", choices=list(STYLES), help="(default: all shipped)")
    parser.add_argument("--classifier", choices=("linear", "forest"), default="linear")
    parser.add_argument("--seed", type=int, default=1, help="of every draw; of the first composed piece")
    parser.add_argument("--coverage", type=int, metavar="N", help="only deal real packs out N times: does 95 %% hold?")
    parser.add_argument("--keep", type=Path, help="keep composed pieces in this folder, and take them from it")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path, default=RESULTS, help="(default: results/evaluate.json)")
    return parser.parse_args(arguments)


def known(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of earlier runs by kind and name, each with where it comes from: a run replaces its own alone."""
    rows = json.loads(path.read_text("utf-8"))["rows"] if path.exists() else []
    return {f"{row['kind']} {row['name']}": row for row in rows}


# --- real music


def entries_of(pack: str, data: Path, splits: Sequence[str] = ()) -> list[dict[str, str]]:
    """The manifest of a pack, or of some of its splits."""
    with (data / "packs" / pack / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return [entry for entry in csv.DictReader(file) if not splits or entry["split"] in splits]


def pieces_of(
    pack: str, entries: Iterable[dict[str, str]], data: Path, encoding: Encoding | None = None, programs: str = ""
) -> Iterator[Piece]:
    """The pieces of manifest entries; what cannot be read, or said in `encoding`, is left out."""
    for entry in entries:
        path = data / "packs" / pack / entry["file"]
        try:
            score = load(path)
            yield Piece(path.name, score if encoding is None else as_trained(score, programs, encoding))
        except (FormatError, Unencodable, MusicError) as error:
            print(f"left out: {path.name}: {error}", file=sys.stderr)


def halves_of(entries: Sequence[dict[str, str]], count: int, rng: np.random.Generator) -> list[list[dict[str, str]]]:
    """Two lists of `count` entries at most: no work has a piece in both, as many pieces in one as in the other."""
    works: dict[str, list[dict[str, str]]] = {}
    for entry in entries:
        works.setdefault(entry["work_group"], []).append(entry)
    groups = list(works.values())
    sides: list[list[dict[str, str]]] = [[], []]
    for number in rng.permutation(len(groups)):
        sides[len(sides[0]) > len(sides[1])].append(groups[number][0])  # one piece a work: pieces stand by themselves
    return [side[:count] for side in sides]


def shuffled(score: Score, rng: np.random.Generator) -> Score:
    """The score with the order of what is struck shuffled in each track: chords, lengths and gaps stay as they are."""
    found = []
    for track in np.unique(score.notes["track"]):
        notes = score.track_notes(int(track))
        starts = np.flatnonzero(np.diff(notes["onset"], prepend=-1))
        groups = np.split(notes, starts[1:])
        gaps = np.diff(notes["onset"][starts], append=int((groups[-1]["onset"] + groups[-1]["duration"]).max()))
        now = int(notes["onset"][0])
        for number in rng.permutation(len(groups)):
            group = groups[number].copy()
            group["onset"] = now
            found.append(group)
            now += int(gaps[number])
    return replace(score, notes=np.concatenate(found))


# --- rows


def of_halves(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for pack in PACKS:
        begun, rng = time.perf_counter(), np.random.default_rng(options.seed)
        sides = halves_of(entries_of(pack, options.data), options.real, rng)
        yield judged(f"{pack}: half beside half", *(list(pieces_of(pack, side, options.data)) for side in sides),
                     options, begun)  # fmt: skip


def of_other(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    begun, rng = time.perf_counter(), np.random.default_rng(options.seed)
    sides = []
    for pack in ("bach_chorales_jsb", "irish_tunes"):
        half = halves_of(entries_of(pack, options.data), options.real, rng)[0]
        sides.append(list(pieces_of(pack, half, options.data)))
    yield judged("bach_chorales_jsb beside irish_tunes", *sides, options, begun)


def of_shuffled(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for pack in SHUFFLED:
        begun, rng = time.perf_counter(), np.random.default_rng(options.seed)
        ours, theirs = (list(pieces_of(pack, half, options.data))
                        for half in halves_of(entries_of(pack, options.data), options.real, rng))  # fmt: skip
        mixed = [Piece(piece.name, shuffled(piece.score, rng)) for piece in ours]
        yield judged(f"{pack}: shuffled beside real", mixed, theirs, options, begun)


def of_styles(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    shipped = styles.shipped()
    for name in options.style or [name for name in STYLES if name in shipped]:
        begun = time.perf_counter()
        seeds = range(options.seed, options.seed + options.pieces)
        ours = [Piece(f"{name}-{seed}", composed(name, seed, shipped[name], options.keep)) for seed in seeds]
        metres = {metre_of(piece.score) for piece in ours}
        encoding = get_encoding(**model_file.read_info(shipped[name])["encoding"])
        theirs = real_of(name, encoding, metres, options)
        yield judged(name, ours, theirs, options, begun) | {"model": shipped[name].name}


def composed(name: str, seed: int, model: Path, keep: Path | None) -> Score:
    """A piece of a style with default settings; one that an earlier run kept is not composed again."""
    path = keep / digest(model) / f"{name}-{seed}.mid" if keep else None
    if path is not None and path.exists():
        return load(path)
    score = partimento.compose(name, bars=BARS, seed=seed)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partimento.save(score, path)
    return score


def real_of(name: str, encoding: Encoding, metres: set, options: argparse.Namespace) -> list[Piece]:
    """Held-out pieces of a style in some metres, as its model would have to say them; `options.real` of them."""
    style, rng = STYLES[name], np.random.default_rng(options.seed)
    entries = [(pack, entry) for pack in style.packs for entry in entries_of(pack, options.data, HELD_OUT)]
    found: list[Piece] = []
    for number in rng.permutation(len(entries)):
        pack, entry = entries[number]
        for piece in pieces_of(pack, [entry], options.data, encoding, style.programs):
            if len(piece.score) and metre_of(piece.score) in metres:
                found.append(piece)
        if len(found) == options.real:
            break
    return found


def coverage(options: argparse.Namespace) -> Iterator[str]:
    """How often the interval of two halves of one source covers 0.5, and p is 0.05 or less, dealt out many times."""
    for pack in SHUFFLED:
        rng = np.random.default_rng(options.seed)
        halves = halves_of(entries_of(pack, options.data), options.real, rng)
        side = Side.of(pieces_of(pack, [*halves[0], *halves[1]], options.data))
        features = [features_of(one) for one in side.heard(common_bars([side])) if one is not None]
        for count in (20, min(50, len(features) // 2)):
            covered, small, values = 0, 0, []
            for _ in range(options.coverage):
                order = rng.permutation(len(features))[: 2 * count]
                table = table_of(*([features[at] for at in half] for half in (order[:count], order[count:])))
                told = told_apart(table, rng)
                values.append(told.auc)
                covered, small = covered + (told.interval[0] <= 0.5 <= told.interval[1]), small + (told.p <= 0.05)
            yield (
                f"{pack}, {count} beside {count}, {options.coverage} times: mean AUC {np.mean(values):.3f}, "
                f"deviation {np.std(values):.3f}; 0.5 inside the interval {covered}, p 0.05 or less {small}"
            )


OF_KIND = {"halves": of_halves, "other": of_other, "shuffled": of_shuffled, "styles": of_styles}


def judged(name: str, ours: list[Piece], theirs: list[Piece], options: argparse.Namespace, begun: float) -> dict:
    """A row: the evaluation of two sides, in the figures that the table and the leaderboard show."""
    found = evaluate(ours, theirs, seed=options.seed, classifier=options.classifier)
    return {"name": name, **figures(found), "seconds": round(time.perf_counter() - begun, 1)}


def figures(found: Evaluation) -> dict[str, Any]:
    told, far = found.told, found.frechet
    apart = [one.apart for one in found.metrics if one.apart is not None]
    row: dict[str, Any] = {
        "pieces": [found.generated.compared, found.real.compared], "bars": found.bars,
        "overlap": round(float(np.mean([one.overlap for one in apart])), 3),
        "divergence": round(float(np.mean([one.divergence for one in apart])), 3), "metrics": len(apart),
    }  # fmt: skip
    if far is not None:
        row |= {"frechet": round(far.distance, 1), "frechet_interval": [round(at, 1) for at in far.interval],
                "frechet_chance": [round(at, 1) for at in far.chance]}  # fmt: skip
    if told is None:
        return row | {"auc": None, "interval": None, "chance": None, "p": None, "tells": []}
    tells = [
        {"feature": one.name, "auc": round(one.auc, 3), "composed": float(f"{one.ours[1]:.4g}"),
         "real": float(f"{one.theirs[1]:.4g}"), "lost": round(one.lost, 4)}
        for one in told.telling[:TELLS]
    ]  # fmt: skip
    return row | {
        "auc": round(told.auc, 3), "interval": [round(at, 3) for at in told.interval],
        "chance": None if told.chance is None else round(told.chance, 3),
        "p": None if told.p is None else round(told.p, 4), "features": len(told.tells), "telling": len(told.telling),
        "tells": tells, "classifier": told.classifier,
    }  # fmt: skip


# --- tables


def lines_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    body = [
        (row["name"], f"{row['pieces'][0]}, {row['pieces'][1]}", str(row["bars"]), cell(row["auc"], row["interval"]),
         "-" if row.get("p") is None else f"{row['p']:.3f}", f"{row.get('telling', 0)} of {row.get('features', 0)}",
         cell(row.get("frechet"), row.get("frechet_interval"), 0), cell(None, row.get("frechet_chance"), 0),
         f"{row['overlap']:.2f}", f"{row['divergence']:.2f}")
        for row in rows
    ]  # fmt: skip
    head = ("composed or first beside real", "pieces", "bars", "AUC [95 %]", "p", "telling features", "Fréchet [95 %]",
            "by chance", "overlap", "KL")  # fmt: skip
    return table(head, body)


def cell(value: float | None, interval: Sequence[float] | None, digits: int = 2) -> str:
    """A figure with its interval; the interval alone where there is no figure."""
    bounds = "" if interval is None else f"[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
    return " ".join(filter(None, ["" if value is None else f"{value:.{digits}f}", bounds])) or "-"


def weaknesses(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Of every style that is told from real music, what gives it away first; then what does so in most styles."""
    lines, counted = [], {}
    for row in rows:
        if row["kind"] == "styles" and row["tells"]:
            named = [f"{one['feature']} {one['composed']:g} (real {one['real']:g})" for one in row["tells"]]
            lines.append(f"{row['name']}: {', '.join(named)}")
            for one in row["tells"]:
                way = "too high" if one["auc"] > 0.5 else "too low"
                counted[f"{one['feature']} {way}"] = counted.get(f"{one['feature']} {way}", 0) + 1
    if counted:
        first = sorted(counted.items(), key=lambda pair: -pair[1])[:TELLS]
        lines += ["", "next to mend: " + ", ".join(f"{name} ({count} styles)" for name, count in first)]
    return lines


if __name__ == "__main__":
    sys.exit(main())
