"""Training over HTTP: sets of files, looking through them, trainings that go on, reports; one's own models."""

from __future__ import annotations

import asyncio
import shutil
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, JSONResponse

from .. import presets
from ..errors import BadOption, MissingExtra, UnknownName
from . import asking, shapes
from .errors import Conflict, Missing
from .library import new_id
from .parts import Parts, Studio, Visitor, told

router = APIRouter(prefix="/api", tags=["training"])
FAMILIES = {
    "transformer": "Attention over all that was composed; the best where there is much music.",
    "recurrent": "A memory that is carried along (GRU); quick to learn from little.",
    "relative": "Hears intervals rather than keys; for voices.",
    "markov": "Counts what follows what; learnt in seconds.",
    "vae": "A smooth latent space: maps, morphs.", "autoencoder": "A latent space with gaps; the VAE's ancestor.",
    "gan": "Two models, one of which fools the other; hard to train.",
    "stack": "Layers as older notebooks have them; see the presets.",
}  # fmt: skip
TRAINING_NEEDS = "training needs torch: pip install torch, then pip install 'partimento[train]'"
ENCODINGS = ["notes", "voices", "events", "chords", "pianoroll", "onehot", "remi"]


@router.get("/sets", response_model=shapes.Sets)
def sets(studio: Studio) -> Any:
    """The sets of files there are."""
    return {"sets": studio.library.sets()}


@router.post("/sets", status_code=201, response_model=shapes.Set)
def new_set(asked: asking.Named, studio: Studio) -> Any:
    """A new set, empty."""
    if len(studio.library.sets()) >= studio.settings.limits.sets:
        raise Conflict(f"there are {studio.settings.limits.sets} sets already; put one away")
    return studio.library.set_of(studio.library.new_set(asked.name))


@router.get("/sets/{name}", response_model=shapes.Set)
def one_set(name: str, studio: Studio) -> Any:
    """A set."""
    return studio.library.set_of(name)


@router.delete("/sets/{name}", response_model=shapes.PutAway)
def put_set_away(name: str, studio: Studio) -> Any:
    """Put a set away; its files are deleted, models that learnt from it stay."""
    folder = studio.uploads.folder_of(name)
    studio.library.put_set_away(name)
    shutil.rmtree(folder, ignore_errors=True)
    return {"id": name, "deleted": True}


@router.post("/sets/{name}/files", response_model=shapes.Added)
async def add_files(
    name: str, request: Request, studio: Studio, visitor: Visitor,
    file: Annotated[str, Query(alias="name", max_length=500)],
) -> Any:  # fmt: skip
    """One MIDI or MusicXML file, or a zip of many, as the body."""
    return await studio.uploads.add(name, file, request.stream(), visitor)


@router.post("/jobs/check", status_code=202, response_model=shapes.Job)
async def check(asked: asking.Check, studio: Studio, visitor: Visitor) -> Any:
    """A verdict on each file of a set."""
    folder, names = await asyncio.to_thread(studio.uploads.ready, asked.set)
    wanted = asking.plain(asked)
    job = await studio.jobs.submit(
        "check", visitor, wanted | {"names": names}, paths={"folder": str(folder)}, request=wanted
    )
    return told(studio.jobs, job)


@router.post("/jobs/train", status_code=202, response_model=shapes.Job)
async def train(asked: asking.Train, studio: Studio, visitor: Visitor) -> Any:
    """Train a style on a set."""
    if not trainable():
        raise MissingExtra(TRAINING_NEEDS)
    wanted = asking.plain(asked)
    model = await asyncio.to_thread(studio.styles.new_model, asked.name)
    return await _begun(studio, visitor, wanted, {"model": model, "run": new_id("t")})


@router.post("/jobs/compare", status_code=202, response_model=shapes.Job)
async def compare(asked: asking.Compare, studio: Studio, visitor: Visitor) -> Any:
    """Train several kinds of model on the same music with the same budget, and set them side by side."""
    if not trainable():
        raise MissingExtra(TRAINING_NEEDS)
    if (asked.set is None) == (asked.style is None):
        raise BadOption("music to learn from is a set or a style; name one of them")
    known = {*presets.names(), *FAMILIES}
    for name in asked.models:
        if name.partition(":")[0] not in known:
            raise UnknownName(f"no preset and no family {name[:60]!r}; there are {', '.join(sorted(known))}")
    wanted = asking.plain(asked)
    names: dict[str, str] = {}
    paths = {"output": str(studio.uploads.new_path(""))}
    if asked.set is not None:
        folder, names = await asyncio.to_thread(studio.uploads.ready, asked.set)
        paths["folder"] = str(folder)
    else:
        paths |= await asyncio.to_thread(studio.styles.find, asked.style)
    job = await studio.jobs.submit("compare", visitor, wanted | {"names": names}, paths=paths, request=wanted)
    return told(studio.jobs, job)


async def go_on(studio: Parts, visitor: str, old: dict[str, Any]) -> Any:
    """A training that was stopped or broken off, going on where it stood."""
    request = dict(old["request"])
    run = request.pop("run_of", None)
    if run is None or old["state"] == "done":
        raise Conflict("this training has come to its end; begin another")
    return await _begun(studio, visitor, request, run)


async def _begun(studio: Parts, visitor: str, wanted: dict[str, Any], run: dict[str, str]) -> Any:
    """A job that trains in the folder of `run`."""
    folder, names = await asyncio.to_thread(studio.uploads.ready, wanted["set"])
    paths = {
        "folder": str(folder), "output": str(studio.styles.path_of(run["model"])), "style": run["model"],
        "work": str(studio.settings.made("trainings", run["run"])), "run": run["run"],
        "id": f"{run['model']}/{run['model']}",
    }  # fmt: skip
    if wanted.get("from"):
        paths["from"] = str(await asyncio.to_thread(studio.styles.file_of, wanted["from"]))
    job = await studio.jobs.submit(
        "train", visitor, wanted | {"names": names}, paths=paths, request=wanted | {"run_of": run}
    )
    return told(studio.jobs, job)


@router.get("/trainings/{run}/report", response_class=FileResponse)
def report(run: str, studio: Studio) -> Any:
    """The report of a training as one page."""
    known = {path.name: path for path in studio.settings.made("trainings").iterdir()}
    path = known.get(run, studio.settings.folder) / "report.html"
    if run not in known or not path.is_file():
        raise Missing(f"there is no report of a training {run[:40]!r} yet")
    return FileResponse(path, media_type="text/html; charset=utf-8")


@router.get("/presets", response_model=shapes.Presets)
def what_to_train() -> Any:
    """What a training may begin from."""
    found = [{"name": name, "line": presets.load(name).about} for name in presets.names()]
    families = [{"name": name, "line": line} for name, line in FAMILIES.items()]
    return JSONResponse({"presets": found, "families": families, "encodings": ENCODINGS})


@router.delete("/styles/{model}", response_model=shapes.PutAway)
def put_model_away(model: str, studio: Studio) -> Any:
    """Put a model of your own away; its file stays."""
    return _hidden(model, studio, True)


@router.post("/styles/{model}/restore", response_model=shapes.PutAway)
def restore_model(model: str, studio: Studio) -> Any:
    """Bring a model back."""
    return _hidden(model, studio, False)


def _hidden(model: str, studio: Parts, hidden: bool) -> dict[str, Any]:
    if model not in studio.styles.every_own():
        raise Missing(f"there is no model {model[:60]!r} of your own; shipped ones stay")
    studio.library.hide(model, hidden)
    return {"id": model, "deleted": hidden}


def trainable() -> bool:
    """Whether what training needs is installed; looked up, not imported."""
    from importlib.util import find_spec

    return all(find_spec(name) is not None for name in ("torch", "onnx", "safetensors"))
