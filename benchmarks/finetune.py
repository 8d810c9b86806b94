"""Tunes the shipped base to a few files that it never saw, and sets what comes beside the base and a model begun anew.

    python benchmarks/finetune.py --pack leadsheet --files 20 --minutes 10 --json finetune.json
    python benchmarks/finetune.py --pack lieder --steps 200 --scratch-steps 200

Of a pack that the base learnt from, its test split is taken, of any other all of it. The files that are learnt and
those that are held out are of different works. Bits per note are those of whole held-out pieces that neither model
has chosen its weights by; style, key, tempo, metre and place are told, as when composing. `--steps` in place of minutes
makes figures that do not depend on how busy the machine is; CPU seconds say what a quiet one would take.
"""

from __future__ import annotations

import argparse
import csv
import math
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _figures import DATA, announce, origin, table, write_json
from _real import as_trained, full_bars, whole_range
from listen import beside, summary, verdict

from partimento import api, model_file, styles
from partimento.corpus import Cache, build_cache, scan
from partimento.encodings import get_encoding
from partimento.errors import MusicError, PartimentoError
from partimento.evaluation import listen, reference, typicality
from partimento.formats import load
from partimento.score import Score

BASE = styles.FOLDER / "base.partimento"
LEARNT, HELD = "learnt", "held-out"
LEAST = 5  # per cent of real pieces that are less typical than a piece that passes
WISHES = (2, 9)  # of happiness and excitement, on 1 to 10
ASKED = 4  # pieces a wish
KEYS = ("C major", "Eb major", "A minor", "F# minor")
LARGEST_HOLD = 0.5  # of the works there are, at most so many are held out


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    announce(where := origin("finetune.py", arguments, options.seed))
    with tempfile.TemporaryDirectory() as folder:
        root = options.keep or Path(folder)
        learnt, held = chosen(options, root)
        print(f"{options.pack}: {len(learnt)} files to learn, {len(held)} of other works held out", flush=True)
        report: dict[str, Any] = {**where, "pack": options.pack, "files": len(learnt), "held_out": len(held)}
        if options.only != "anew":
            report["tuned"] = trained(root, "tuned", options)
            report["before"] = before(root, report["tuned"]["like"])
            report["tuned"] |= after(root, "tuned", options)
        if options.only != "tuned":
            report["anew"] = trained(root, "anew", options) | after(root, "anew", options)
    print("\n".join(["", *overview(report)]))
    if options.json:
        write_json(options.json, report)
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Tunes the shipped base to a few files that it never saw.")
    parser.add_argument("--pack", required=True, help="a folder of the packs that holds the files")
    parser.add_argument("--files", type=int, default=20, help="to learn from")
    parser.add_argument("--minutes", type=float, default=10.0, help="of each training, from reading to writing")
    parser.add_argument("--steps", type=int, default=0, help="of tuning, instead of minutes")
    parser.add_argument("--scratch-steps", type=int, default=0, help="of the model that is begun anew, likewise")
    parser.add_argument("--scratch-set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of that model")
    parser.add_argument("--only", choices=("tuned", "anew"), help="train one of the two")
    parser.add_argument("--pieces", type=int, default=8, help="composed with each model")
    parser.add_argument("--bars", type=int, default=16, help="of each piece")
    parser.add_argument("--seed", type=int, default=1, help="of which files, and of the first piece")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--keep", type=Path, help="a folder for files, runs and models (default: a temporary one)")
    parser.add_argument("--json", type=Path, help="write all figures there")
    return parser.parse_args(arguments)


# --- which files


def chosen(options: argparse.Namespace, root: Path) -> tuple[list[Path], list[Path]]:
    """Copies of files to learn from and to hold out, one of each work, as many of the latter as of the former."""
    known = model_file.read_info(BASE)["card"]["training"]["command"].split()
    folder = options.data / "packs" / options.pack
    works: dict[str, Path] = {}
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if options.pack not in known or row["split"] == "test":
                works.setdefault(row["work_group"] or row["file"], folder / row["file"])
    keys = [sorted(works)[n] for n in np.random.default_rng(options.seed).permutation(len(works))]
    held = min(options.files, int(LARGEST_HOLD * len(keys)))
    sides = {HELD: keys[:held], LEARNT: keys[held : held + options.files]}
    found = {}
    for side, names in sides.items():
        place = root / side / options.pack  # the folder's name is the style
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        found[side] = [Path(shutil.copy(works[name], place)) for name in names]
    return found[LEARNT], found[HELD]


# --- training


def trained(root: Path, name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train one model as `partimento train` does: seconds by the clock and of the processor, steps, what was said."""
    anew = name == "anew"
    steps = options.scratch_steps if anew else options.steps
    pairs = (pair.partition("=") for pair in options.scratch_set if anew)
    settings = {key: float(value) if "." in value else int(value) for key, _, value in pairs}
    request = api.TrainingRequest(
        (root / LEARNT / options.pack,), root / f"{name}.partimento", from_scratch=anew, minutes=options.minutes,
        steps=steps, settings=settings, workers=0,
    )  # fmt: skip
    began, used = time.monotonic(), cpu_seconds()
    music = api.prepare(request)
    read, at = time.monotonic() - began, None
    print(f"\n== {name}: " + " ".join(api.outlook(request, music)), flush=True)
    for at in api.train(request, music=music, spent=read):
        for line in at.said:
            print(f"  {line}", flush=True)
        if at.valid is not None:
            print(f"  step {at.step}/{at.steps}: held out {at.valid:.3f}", flush=True)
    info = model_file.read_info(request.output)
    found = {
        "seconds": time.monotonic() - began, "cpu_seconds": cpu_seconds() - used, "notes": learnt_notes(music),
        "kept": info["card"]["training"]["step"], "health": info["card"]["health"]["verdict"],
        "like": info["card"].get("base", {}).get("like", {}).get(options.pack, ""),
    }  # fmt: skip
    steps = info["card"]["training"]["steps"]
    print(f"  {found['seconds']:.0f} s by the clock, {found['cpu_seconds']:.0f} s of the processor, {steps} steps")
    return found | {"steps": steps, "parameters": info["card"]["parameters"]}


def learnt_notes(music: Cache) -> int:
    return sum(piece.notes for piece in music.of("train"))


def cpu_seconds() -> float:
    """Seconds of the processor that this process and its finished children have taken."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


# --- bits per note


def before(root: Path, like: str) -> dict[str, Any]:
    """Bits per note of the untouched base on the held-out files: told no style, and told the nearest one it has."""
    return {"no style": bits(root, BASE, ""), "nearest": bits(root, BASE, like), "like": like}


def after(root: Path, name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Bits per note of a trained model on the held-out files, and what it composes beside them."""
    path = root / f"{name}.partimento"
    found = {"bits": bits(root, path, options.pack)}
    print(f"  {found['bits']:.3f} bits a note on the held-out files", flush=True)
    return found | beside_real(path, root, options) | {"controls": obeyed(path, options)}


def bits(root: Path, model: Path, style: str) -> float:
    """Bits per note of the model in a file on the held-out files, taken for music of `style`, or of none it knows."""
    from partimento.training.judging import judge_pieces
    from partimento.training.loop import Run, TrainingPlan

    info = model_file.read_info(model)
    catalogue = scan([root / LEARNT, root / HELD], workers=0)
    entries = [replace(entry, style=style or "no style", split=_side(entry.name)) for entry in catalogue.entries]
    encoding = get_encoding(**info["encoding"])
    cache = build_cache(replace(catalogue, entries=tuple(entries)), encoding, root / "judged", workers=0)
    plan = TrainingPlan(family=info["family"], options=info["options"], start=str(model))
    run = Run(cache, plan, root / "judging")
    nats = judge_pieces(run, run.model, cache.of("valid"), run.optional, hits=False).nats
    return sum(nats.values()) / math.log(2)


def _side(name: str) -> str:
    return "train" if name.startswith(LEARNT) else "valid"


# --- pieces


def beside_real(path: Path, root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Pieces of the model beside the held-out ones: medians inside, and how many are as typical as real ones are."""
    real = list(real_pieces(root, path, options))
    scores = [
        api.compose(model=path, bars=options.bars, seed=seed)
        for seed in range(options.seed, options.seed + options.pieces)
    ]
    ours = [listen(score) for score in scores]
    stored = reference(real)
    limit = float(np.percentile([typicality(one, stored) for one in real], LEAST))
    values = [typicality(one, stored) for one in ours]
    found = verdict(beside(ours, real, options.seed), ours)
    passing = sum(value >= limit for value in values)
    print(f"  {summary(found)}; {passing} of {len(ours)} as typical as 95 % of the {len(real)} real ones")
    return {"figures": found, "typicality": values, "limit": limit, "passing": passing, "real": len(real)}


def obeyed(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Whether a model still does as it is asked: what a low and a high wish get, and the share in the key asked for."""
    found: dict[str, Any] = {}
    for control in ("happiness", "excitement"):
        found[control] = {
            wish: float(np.mean([one.obtained[control] for one in asked_for(path, options, **{control: wish})]))
            for wish in WISHES
        }
    keys = [asked_for(path, options, key=key)[0] for key in KEYS]
    found["in_key"] = sum(one.in_key for one in keys) / len(keys)
    said = "; ".join(
        f"{name} {low:.1f} and {high:.1f} where {WISHES[0]} and {WISHES[1]} are asked for"
        for name, (low, high) in ((name, found[name].values()) for name in ("happiness", "excitement"))
    )
    print(f"  {said}; {found['in_key']:.0%} of {len(KEYS)} pieces in the key asked for", flush=True)
    return found


def asked_for(path: Path, options: argparse.Namespace, **wishes: Any) -> list[api.Candidate]:
    """Pieces of eight bars of which something is asked, one a seed."""
    seeds = range(options.seed, options.seed + (ASKED if "key" not in wishes else 1))
    return [api.compose_candidates(model=path, bars=8, seed=seed, candidates=1, **wishes)[0] for seed in seeds]


def real_pieces(root: Path, path: Path, options: argparse.Namespace) -> Iterator[dict[str, float]]:
    """Measures of the held-out pieces about as long as those composed, else of all of them."""
    encoding = get_encoding(**model_file.read_info(path)["encoding"])
    scores = list(_encodable(sorted((root / HELD / options.pack).iterdir()), encoding))
    low, high = whole_range(options.bars)
    like = [score for score in scores if low <= full_bars(score) <= high]
    for score in like if len(like) >= options.pieces else scores:
        yield listen(score, span=options.bars)


def _encodable(paths: Sequence[Path], encoding) -> Iterator[Score]:
    for path in paths:
        try:
            yield as_trained(load(path), "", encoding)
        except (PartimentoError, MusicError) as error:
            print(f"  {path.name} is left out: {error}")


def overview(report: dict[str, Any]) -> list[str]:
    """A line a model."""
    rows = []
    if base := report.get("before"):
        rows.append(("the base, no style told", "", "", "", f"{base['no style']:.3f}", ""))
        rows.append((f"the base as {base['like']}", "", "", "", f"{base['nearest']:.3f}", ""))
    for name in ("tuned", "anew"):
        if one := report.get(name):
            rows.append((
                name, f"{one['seconds']:.0f}", f"{one['cpu_seconds']:.0f}", f"{one['kept']} of {one['steps']}",
                f"{one['bits']:.3f}", f"{one['passing']} of {len(one['typicality'])}",
            ))  # fmt: skip
    return table(("model", "seconds", "CPU seconds", "step kept", "bits a note", "pieces that pass"), rows)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PartimentoError as error:
        sys.exit(str(error))
