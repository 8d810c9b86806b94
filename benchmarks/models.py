"""Every preset on the same small corpus, for as long each: what it learns, what it composes, a page for each.

    python benchmarks/models.py hymns --seconds 40 --work models.run
    python benchmarks/models.py hymns --only modern-gan=120 --work models.run
    python benchmarks/models.py --pages

FOLDER is one of the packs. The corpus is 40 training, 6 validation and 6 test pieces in four voices, spread over the
alphabet. Seconds are those of the processor in training, with nothing else counted; `--only NAME=SECONDS` gives a
preset another number. So that they take more steps, the large faithful presets hear batches of 8 windows, the recurrent
ones and the Transformer batches of 4 windows of 128 steps. Nats per note are on whole test pieces; beside them stands
the family `markov` of order 0 in the same encoding, and the frequency of each choice alone. Measures are means over
composed pieces of eight bars, and over the first eight bars of the test pieces. Writes benchmarks/results/models.json,
docs/images/models, docs/models/pieces, and the figures in docs/models; `--pages` writes the last alone, `--again`
judges and composes with the weights that are there.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _figures import DATA, announce, origin, write_json
from _pages import fill, overview

from partimento import api, formats, presets
from partimento.api._training import _plan
from partimento.corpus import Cache
from partimento.encodings import get_encoding
from partimento.errors import MusicError
from partimento.evaluation import listen
from partimento.models.base import parameter_count
from partimento.profile import decoded
from partimento.score import Score
from partimento.timing import Clock
from partimento.training.batches import whole_pieces
from partimento.training.counting import music_of, nats_by_frequency
from partimento.training.counting import train as counted
from partimento.training.export import export_run
from partimento.training.judging import AT_ONCE, _add_hits, nats_of_blocks, nats_per_step
from partimento.training.loop import Run, TrainingPlan
from partimento.transform import cut

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "models.json"
IMAGES, PAGES = ROOT / "docs" / "images" / "models", ROOT / "docs" / "models"
SIDES = {"train": 40, "valid": 6, "test": 6}
VOICES = 4
EVALUATIONS = 5
TIMED = 3  # steps
POINTS = 64  # by which the likelihood of a block of the family `vae` is bounded
FAITHFUL = {"stack": {"batch": 8}, "gan": {"batch": 8}}  # other than in the preset, so that they take more steps
MODERN = {"recurrent": {"batch": 4, "window": 128}, "transformer": {"batch": 4, "window": 128}}
BARS, PIECES = 8, 8
LARGEST_PICTURE = 35_000  # bytes; of a busier piece the first half is drawn
MEASURES = ("notes_per_bar", "polyphony", "mean_length", "in_key", "pitch_class_entropy", "dissonance", "pitch_range")


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    if not options.pages:
        announce(where := origin("models.py", arguments, options.seed))
        folder = corpus(DATA / "packs" / options.folder, options.work)
        for name, seconds in options.only or [(name, options.seconds) for name in presets.names()]:
            found = of_preset(name, seconds, folder, options)
            known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
            real = found.pop("real")
            before = known.get("models", {}).get(name, where) if options.again else where
            own = known.get("models", {}) | {name: found | {"command": before["command"]}}
            write_json(RESULTS, where | {"real": real, "models": dict(sorted(own.items()))})
    results = with_frequencies(json.loads(RESULTS.read_text("utf-8")), options.work)
    for name in results["models"]:
        if (page := PAGES / f"{name}.md").exists():
            fill(page, name, results)
    overview(PAGES / "README.md", results)
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Every preset on the same small corpus.")
    parser.add_argument("folder", nargs="?", default="hymns", help="a pack")
    parser.add_argument("--only", nargs="+", type=named, metavar="NAME=SECONDS")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("models.run"), help="folder of the corpus and the models")
    parser.add_argument("--again", action="store_true", help="compose with the models that are there")
    parser.add_argument("--pages", action="store_true", help="write the pages from the figures that are there")
    return parser.parse_args(arguments)


def named(text: str) -> tuple[str, float]:
    name, _, seconds = text.partition("=")
    return name, float(seconds or 40.0)


def corpus(pack: Path, work: Path) -> Path:
    """A folder with the pieces and their manifest, made where there is none."""
    folder = work / pack.name
    if folder.exists():
        return folder
    folder.mkdir(parents=True)
    with (pack / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["tracks"] == str(VOICES) and in_voices(pack / row["file"])]
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        for side, count in SIDES.items():
            some = [row for row in rows if row["split"] == side]
            for number in range(count):
                row = some[number * len(some) // count]
                table.writerow(row)
                shutil.copy(pack / row["file"], folder / row["file"])
    return folder


def in_voices(path: Path) -> bool:
    """Whether a file is music that all encodings can hold."""
    try:
        get_encoding("voices").encode(formats.load(path))
    except MusicError:
        return False
    return True


def of_preset(name: str, seconds: float, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Train a preset, export it, compose with it; all that there is to say of it."""
    preset, work = presets.load(name), options.work / name
    settings = (FAITHFUL if preset.is_faithful else MODERN).get(preset.family, {})
    model = work / f"{name}.partimento"
    request = api.with_preset(
        api.TrainingRequest((folder,), model, preset=name, work=work, workers=0, settings=settings)
    )
    cache = api.prepare(request)
    kept = work / "found.json"
    if options.again and kept.exists():
        found = json.loads(kept.read_text("utf-8"))
        plan = _plan(TrainingPlan, replace(request, steps=found["steps"]))
        found |= judged(Run(cache, plan, work / "run"), cache)
    else:
        shutil.rmtree(work / "run", ignore_errors=True)
        found = trained(request, cache, seconds, work / "run", model)
    write_json(kept, found)
    print(f"{name}: { ({k: v for k, v in found.items() if k != 'curve'}) }", flush=True)
    found |= composed(name, preset, model, folder)
    real = [beginning(score) for score in decoded(cache, get_encoding(**cache.spec), cache.of("test"))]
    of_encoding = measured(real)  # as the encoding holds it: some lose the rhythm
    return found | {"encoded": of_encoding, "real": real_measures(folder)}


def trained(request: api.TrainingRequest, cache: Cache, seconds: float, folder: Path, model: Path) -> dict[str, Any]:
    """Train for so many seconds of the processor, export the weights that are likeliest on validation pieces."""
    plan = _plan(TrainingPlan, replace(request, steps=10**6))
    folder.mkdir(parents=True)
    run = Run(cache, plan, folder)
    started = time.process_time()
    if hasattr(run.model, "fit"):
        for _ in counted(run):
            pass
        spent, curve, steps = time.process_time() - started, [], run.state["steps"]
    else:
        steps = planned(run, seconds)
        plan = replace(plan, steps=steps)
        run = Run(cache, plan, folder)
        spent, curve = taught(run)
    info = export_run(cache, plan, folder, model, sampling=request.sampling)
    found = {
        "family": plan.family, "encoding": cache.spec["name"], "sizes": sizes(run.model.fields),
        "parameters": parameter_count(run.model), "megabytes": model.stat().st_size / 1e6, "seconds": spent,
        "steps": steps, "batch": plan.batch, "window": plan.window, "curve": curve,
        "epochs": run.epoch_of(steps) if curve else None,
        "notes": info["card"]["data"]["notes"],
    }  # fmt: skip
    return found | judged(run, cache)


def planned(run: Run, seconds: float) -> int:
    """Steps that fit into so many seconds of the processor."""
    run.one_step()
    started = time.process_time()
    for _ in range(TIMED):
        run.one_step()
    return max(EVALUATIONS, int(seconds * TIMED / (time.process_time() - started)))


def taught(run: Run) -> tuple[float, list[dict[str, Any]]]:
    """Take all steps of a run, the best weights being kept; seconds of the processor, and what was judged when."""
    spent, curve, steps = 0.0, [], run.state["steps"]
    points = {round(steps * (n / EVALUATIONS) ** 2) for n in range(1, EVALUATIONS)} | {steps}
    before, _ = run.evaluate()
    curve.append({"step": 0, "seconds": 0.0, "valid": before.total})
    terms: dict[str, list[float]] = {}
    while run.state["step"] < steps:
        started = time.process_time()
        found, _ = run.one_step()
        spent += time.process_time() - started
        for name, value in found.items():
            terms.setdefault(name, []).append(float(value))
        if run.state["step"] in points:
            valid, _ = run.evaluate()
            means = {name: float(np.mean(values)) for name, values in terms.items()}
            curve.append({"step": run.state["step"], "seconds": spent, "valid": valid.total, "terms": means})
            run.state["history"].append({"step": run.state["step"], "valid": valid.total})
            run.state["seconds"], terms = spent, {}
            print(f"  {run.state['step']} of {steps}, {spent:.0f} s: {valid.total:.3f}", flush=True)
            if run.state["best"] is None or valid.total < run.state["best"]:
                run.state["best"] = valid.total
                run.save(run.best)
    return spent, curve


def with_frequencies(results: dict[str, Any], work: Path) -> dict[str, Any]:
    """The figures with nats a note by the frequency of each choice, where the music is there and they lack it."""
    for name, found in results["models"].items():
        caches = sorted((work / name / "cache").glob("*/index.json"), key=lambda path: path.stat().st_mtime)
        if caches and "nats_a_note" in found and "by_frequency" not in found:
            found["by_frequency"] = nats_by_frequency(Cache.open(caches[-1].parent), "test") * found["steps_a_note"]
    write_json(RESULTS, results)
    return results


def sizes(fields) -> dict[str, int]:
    """Classes of the composed fields, which a corpus decides where words are learnt."""
    return {entry.name: entry.size for entry in fields if not entry.given}


# --- how well it predicts


def judged(run: Run, cache: Cache) -> dict[str, Any]:
    """What the kept weights make of the test pieces, and what counts of single choices make of them."""
    from partimento.training import checkpoint

    checkpoint.load(run.best, run.model, run.average, run.optimisers)
    run.model.load_state_dict(run.average)
    run.model.eval()
    if hasattr(run.model, "beta"):
        run.model.beta = 1.0  # with another one it is no bound
    test = cache.of("test")
    a_note = sum(piece.length - 1 for piece in test) / sum(piece.notes for piece in test)
    own = sum(nats_per_step(run, run.model, test, run.optional).values())
    found: dict[str, Any] = {"unit": "nats a step", "steps_a_note": a_note}
    if run.plan.family == "gan":
        return found | {"unit": "distance", "distance": own, "distance_of_real": of_real(run)}
    baseline = order_0(run, cache)
    if run.plan.family == "autoencoder" or run.model.heads.__class__.__name__ == "Slices":
        return found | {"unit": "binary cross-entropy", "back": back(run), "commonest": commonest(run)}
    found |= {"nats_a_note": own * a_note, "order_0": baseline * a_note}
    if run.plan.family == "vae":  # the loss is the bound of one point a block
        found |= {"one_point": own * a_note, "nats_a_note": nats_of_blocks(run, run.model, test, POINTS) * a_note}
    return found


def order_0(run: Run, cache: Cache) -> float:
    """Nats a step of test pieces by counts that look back at nothing, told what the model is told."""
    plan = TrainingPlan(family="markov", options={"order": 0})
    other = Run(cache, plan, run.folder)
    other.model.fit(music_of(other), other.encoding, 0)
    return sum(nats_per_step(other, other.model, cache.of("test"), other.optional).values())


def back(run: Run) -> float:
    """Share of the choices of test pieces that come back from the latent space."""
    right: dict[str, tuple[float, float]] = {}
    with torch.inference_mode():
        for batch in whole_pieces(run.cache, run.encoding, run.cache.of("test"), run.plan.window, AT_ONCE, run.scales):
            _add_hits(right, run.model, run.model.hidden(batch), batch)
    return sum(hit for hit, _ in right.values()) / sum(of for _, of in right.values())


def commonest(run: Run) -> float:
    """The same share where every choice is the one that is commonest in training."""
    hits = of = 0
    for entry in run.encoding.composed:
        column = run.encoding.columns[entry.name]
        train, test = (classes(run, side, column) for side in ("train", "test"))
        hits, of = hits + int((test == np.bincount(train).argmax()).sum()), of + len(test)
    return hits / of


def classes(run: Run, side: str, column: int) -> np.ndarray:
    found = [run.cache.steps[p.start + 1 : p.start + p.length, column] for p in run.cache.of(side)]
    known = np.concatenate(found)
    return known[known >= 0]


def of_real(run: Run) -> float:
    """The distance of test pieces from blocks of the training music: what a perfect generator of them would have."""
    model: Any = run.model

    def blocks(side: str):
        some = whole_pieces(run.cache, run.encoding, run.cache.of(side), run.plan.window, 10**4, run.scales)
        cut = model._music(next(iter(some)))
        return model._statistics(model.embedding(cut.rows), cut.counts)

    with torch.inference_mode():
        music, learnt = blocks("test"), blocks("train")
        apart = torch.cdist(learnt, learnt).sum() / (len(learnt) * (len(learnt) - 1))
        return float(torch.cdist(music, learnt).mean() - apart / 2)


# --- what it composes


def composed(name: str, preset: presets.Preset, model: Path, folder: Path) -> dict[str, Any]:
    """Compose pieces, measure them, keep the best to see and to hear."""
    count = PIECES // 2 if preset.options.get("sees") else PIECES
    started = time.process_time()
    found = api.compose_candidates(model=model, bars=BARS, seed=1, candidates=count)
    spent = time.process_time() - started
    best = found[0].score
    formats.save(replace(best, recipe=None), PAGES / "pieces" / f"{name}.mid")
    picture, shown = IMAGES / f"{name}.svg", replace(best, title=name)
    formats.save(shown, picture, kind="roll")
    if picture.stat().st_size > LARGEST_PICTURE:
        formats.save(cut(shown, 0, shown.end // 2), picture, kind="roll")
    scores = [one.score for one in found]
    kept = {"kept": kept_by(model, folder)} if preset.family == "vae" and preset.encoding["name"] == "voices" else {}
    return kept | {"measures": measured(scores), "pieces": count, "composing": spent, "played": sum(map(len, scores))}


def measured(scores: Sequence[Score]) -> dict[str, float]:
    """Means of `MEASURES`."""
    heard = [listen(score) for score in scores if len(score)]
    return {name: float(np.mean([one[name] for one in heard if name in one])) for name in MEASURES}


def kept_by(model: Path, folder: Path) -> float:
    """Share of the notes of test pieces, by onset and pitch, that come back where they are morphed from (F1)."""
    scores, found = tests(folder), []
    for score in scores:
        found.append(api.morph(score, score, 2, bars=4, model=model).kept[0])
    return float(np.mean(found))


def real_measures(folder: Path) -> dict[str, float]:
    return measured([beginning(score) for score in tests(folder)])


def tests(folder: Path) -> list[Score]:
    """The test pieces as they stand in their files."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return [formats.load(folder / row["file"]) for row in csv.DictReader(file) if row["split"] == "test"]


def beginning(score: Score) -> Score:
    """The first bars of a piece."""
    lines = Clock(score).bars[bool(score.upbeat) :][:BARS]
    return cut(score, 0, lines[-1].end) if lines else score


if __name__ == "__main__":
    sys.exit(main())
