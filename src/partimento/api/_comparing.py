"""Several models on the same music, the same split and the same budget, side by side."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import formats, model_file, presets
from ..corpus import Cache, prepared, scan
from ..errors import BadOption, MusicError, PartimentoError, Stopped, UnknownName
from ..evaluation.listening import listen, reference, typicality
from ..profile import SPAN
from ..score import Score
from ..theory import pitched
from ._models import loaded_model
from ._pieces import compose
from ._training import TrainingRequest, begun, check_can_train, check_settings, prepare, train

if TYPE_CHECKING:
    from ..training.progress import Progress

DEFAULT_MODELS = ("markov", "modern-gru", "transformer")
MOST_MODELS, MOST_PIECES = 64, 50
ENOUGH = 16  # real pieces that composed ones are measured beside; training music joins where fewer are held out
PAGE, FIGURES, RESULT, FAILURE = "compare.html", "compare.json", "result.json", "failed.txt"
PIECE = "piece"


@dataclass(frozen=True)
class ComparisonRequest:
    """What is compared: models by name on folders of music, one budget for each, results in the folder `output`.

    A name is a preset or a family, with `:ENCODING` behind it for another encoding: "vae:voices". `grid` holds
    settings with all their values: every combination is a model of its own.
    """

    folders: tuple[Path, ...]
    output: Path
    models: tuple[str, ...] = DEFAULT_MODELS
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    minutes: float = 2.0
    epochs: float = 0.0
    notes: float = 0.0
    steps: int = 0
    pieces: int = 3  # that each composes
    bars: int = 16
    seed: int = 1
    workers: int | None = None
    command: str = ""


@dataclass
class Compared:
    """One model of a comparison: its figures, or the reason why there are none."""

    name: str
    about: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    failed: str = ""
    was_there: bool = False  # nothing was trained: its figures were kept


@dataclass(frozen=True)
class Happened:
    """What a comparison says as it goes: a sentence, where the training of a model stands, or a finished model."""

    model: str = ""
    said: str = ""
    at: Progress | None = None
    row: Compared | None = None


def compare(request: ComparisonRequest, progress=None) -> Iterator[Happened]:
    """Train and measure every model of the request; leaves `compare.html` and `compare.json` in its folder.

    A model that is finished is not trained again. One that fails is named with its reason and does not stop the
    others. Raises `Stopped` where Ctrl-C was pressed: what is finished stays, and the same request goes on.
    """
    check_can_train()
    candidates = _candidates(request)
    rows: dict[str, Compared] = {name: Compared(name) for name, _ in candidates}
    caches: dict[str, Cache] = {}
    for name, asked in candidates:
        try:
            check_settings(asked)
            caches[name] = _music(asked, request, progress)
        except PartimentoError as error:
            rows[name] = Compared(name, failed=str(error))
            if not caches and name == candidates[-1][0]:
                raise  # there is nothing to compare, and so no page
            yield Happened(name, row=rows[name])
    request.output.mkdir(parents=True, exist_ok=True)
    music = _Music(request, caches, progress)
    for name, asked in candidates:
        if name in caches:
            try:
                yield from _one(name, asked, caches[name], music, rows)
            finally:
                _write(request, rows, music)
            yield Happened(name, row=rows[name])
    _write(request, rows, music)


def _one(name: str, asked: TrainingRequest, cache: Cache, music: _Music, rows: dict[str, Compared]):
    """Train, measure and hear one model; its row goes into `rows`, whatever becomes of it."""
    folder, identity = asked.output.parent, _identity(asked, cache, music)
    try:
        kept = _kept(folder, identity)
        if kept is None:
            for at in train(asked, music=cache):
                yield Happened(name, at=at)
            yield Happened(name, f"measuring {name}")
            figures = music.figures(asked, cache)
            _save(folder / RESULT, {"identity": identity, "figures": figures})
        rows[name] = Compared(name, _about(asked), kept or figures, was_there=kept is not None)
    except Stopped:
        raise
    except PartimentoError as error:
        rows[name] = Compared(name, _about(asked), failed=str(error))
    except Exception as error:  # a fault of one family must not cost the others; it is named and kept
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FAILURE).write_text(traceback.format_exc(), encoding="utf-8")
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
        rows[name] = Compared(name, _about(asked), failed=f"{reason} (see {folder / FAILURE})")


# --- what is compared


def _candidates(request: ComparisonRequest) -> list[tuple[str, TrainingRequest]]:
    """Every model with its training request; raises for names that there are not, and for too many."""
    for name, value, low, high in (("pieces", request.pieces, 1, MOST_PIECES), ("bars", request.bars, 1, 500)):
        if not low <= value <= high:
            raise BadOption(f"{name} {value} is out of range; wanted {low} to {high}")
    settings = [dict(zip(request.grid, values, strict=True)) for values in itertools.product(*request.grid.values())]
    if not request.models or len(request.models) * len(settings) > MOST_MODELS:
        count = len(request.models) * len(settings)
        raise BadOption(f"{count} models to compare; wanted 1 to {MOST_MODELS}: name fewer, or fewer values of --grid")
    found: dict[str, TrainingRequest] = {}
    for name in request.models:
        for one in settings:
            label = " ".join([name, *(f"{key}={json.dumps(value)}" for key, value in one.items())])
            found.setdefault(label, _asked(name, label, one, request))
    return list(found.items())


def _asked(name: str, label: str, settings: Mapping[str, Any], request: ComparisonRequest) -> TrainingRequest:
    """What training of a model is asked for."""
    from ..models import family_names

    base, _, encoding = name.partition(":")
    folder = request.output / slug(label)
    asked = TrainingRequest(
        request.folders, folder / f"model{model_file.SUFFIX}", minutes=request.minutes, epochs=request.epochs,
        notes=request.notes, steps=request.steps, work=folder / "run", workers=request.workers, from_scratch=True,
        settings={"seed": request.seed, **request.settings, **settings}, command=request.command,
    )  # fmt: skip
    if base in presets.names() and not encoding:
        return replace(asked, preset=base)
    if base in family_names():
        return replace(asked, family=base, encoding=encoding or asked.encoding)
    if base in presets.names():
        raise BadOption(f"{name!r}: preset {base!r} has its encoding; leave out :{encoding}")
    known = ", ".join(sorted({*presets.names(), *family_names()}))
    raise UnknownName(f"no preset and no family {base!r}; there are {known}")


def slug(label: str) -> str:
    """A name as a folder's: letters, digits, "-", "_", "." and "=", with a few digits of its hash where some went."""
    plain = re.sub(r"[^A-Za-z0-9._=-]+", "_", label).strip("_")
    return plain if plain == label else f"{plain}-{hashlib.sha256(label.encode()).hexdigest()[:6]}"


def _music(asked: TrainingRequest, request: ComparisonRequest, progress) -> Cache:
    """The music in a model's encoding; models of one encoding share it."""
    return prepare(replace(asked, work=request.output / "music"), progress)


def _about(asked: TrainingRequest) -> str:
    settled, _ = begun(asked)
    return f"{settled.family}, {settled.encoding}"


# --- the music that all are judged by


class _Music:
    """The held-out music that all encodings hold, and real pieces to listen beside."""

    def __init__(self, request: ComparisonRequest, caches: Mapping[str, Cache], progress):
        self.request = request
        entries = {
            entry.name: entry for entry in scan(request.folders, workers=request.workers, progress=progress).kept
        }
        self.split = "test" if all(cache.of("test") for cache in caches.values()) else "valid"
        sides = [{piece.name for piece in cache.of(self.split)} for cache in caches.values()]
        self.names = sorted(set.intersection(*sides) & entries.keys()) if sides else []
        self.of = max(map(len, sides), default=0)
        self.paths = {name: entry.path for name, entry in entries.items()}
        learnt = sorted(name for name, entry in entries.items() if entry.split == "train")
        beside = [*self.names, *learnt[: max(0, ENOUGH - len(self.names))]]
        measures = [listen(score, span=SPAN) for score in map(self.score, beside) if len(pitched(score))]
        self.reference = reference(measures)
        self.typicality = sum(typicality(one, self.reference) for one in measures) / max(1, len(measures))

    def score(self, name: str) -> Score:
        return prepared(formats.load(self.paths[name]))

    @property
    def digest(self) -> str:
        """What tells this held-out music from another."""
        return hashlib.sha256(json.dumps([self.split, self.names]).encode()).hexdigest()[:12]

    def figures(self, asked: TrainingRequest, cache: Cache) -> dict[str, Any]:
        """All figures of a trained model, and a piece to hear beside it."""
        from ..training.comparing import measured
        from ..training.loop import Run, TrainingPlan
        from ._training import _plan

        settled, _ = begun(asked)
        run = Run(cache, _plan(TrainingPlan, settled), asked.work_folder)
        by_name = {piece.name: piece for piece in run.cache.of(self.split)}
        wanted = [name for name in self.names if name in by_name]
        real = [settled.choice.changed(self.score(name)) for name in wanted]
        found = measured(run, asked.work_folder, [by_name[name] for name in wanted], real)
        info = model_file.read_info(asked.output)
        card = info["card"]
        found |= {
            "parameters": card["parameters"] or info["state"].get("entries", 0),
            "bytes": asked.output.stat().st_size,
        }
        return found | {"machine": card["training"]["machine"]} | self._composed(asked)

    def _composed(self, asked: TrainingRequest) -> dict[str, Any]:
        """Pieces of a model: how fast they are composed, how typical they are; the first of them is kept."""
        loaded_model(asked.output)  # so that reading it is not timed
        heard, notes, seconds = [], 0, 0.0
        for number in range(self.request.pieces):
            begun_at = time.process_time()
            seed = self.request.seed + number
            score = compose(model=asked.output, bars=self.request.bars, seed=seed, candidates=1)
            seconds, notes = seconds + time.process_time() - begun_at, notes + len(score)
            if len(pitched(score)):
                heard.append(typicality(listen(score, span=SPAN), self.reference))
            if number == 0:
                sound = _keep_piece(asked.output.parent, score)
        return {
            "notes_per_second": notes / max(1e-9, seconds), "typicality": sum(heard) / len(heard) if heard else 0.0,
            "pieces": self.request.pieces, **sound,
        }  # fmt: skip


def _keep_piece(folder: Path, score: Score) -> dict[str, Any]:
    """The piece as MIDI and as a picture, and as sound where that can be rendered; what there is, by kind."""
    from ..formats import audio

    found: dict[str, Any] = {"midi": f"{PIECE}.mid", "sound": "", "silent": ""}
    formats.save(score, folder / found["midi"])
    formats.save(score, folder / f"{PIECE}.svg", kind="roll")
    try:
        audio.find_soundfont()
        formats.save(score, folder / f"{PIECE}.wav")
        found["sound"] = f"{PIECE}.wav"
    except PartimentoError as error:
        found["silent"] = str(error)
    return found


# --- what is kept


def _identity(asked: TrainingRequest, cache: Cache, music: _Music) -> str:
    """What must agree for a model's figures to be those asked for."""
    said = {
        name: value for name, value in asdict(asked).items()
        if name not in ("folders", "output", "work", "workers", "command", "choice")
    }  # fmt: skip
    request = music.request
    return json.dumps(
        [cache.fingerprint, cache.spec, music.digest, request.pieces, request.bars, said], sort_keys=True, default=str
    )


def _kept(folder: Path, identity: str) -> dict[str, Any] | None:
    """The figures of a finished model; None where there are none, or those of something else."""
    try:
        found = json.loads((folder / RESULT).read_text("utf-8"))
        return found["figures"] if found["identity"] == identity else None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):  # cut short: measured again
        return None


def _save(path: Path, value: Any) -> None:
    beside = path.with_name(f"{path.name}.partial")
    beside.write_text(json.dumps(value, indent=1), encoding="utf-8")
    beside.replace(path)


def _write(request: ComparisonRequest, rows: Mapping[str, Compared], music: _Music | None) -> None:
    """The page and the figures as far as they have come."""
    from ..training.comparison import page

    found = comparison(request, rows, music)
    _save(request.output / FIGURES, found)
    beside = request.output / f"{PAGE}.partial"
    beside.write_text(page(found, request.output), encoding="utf-8")
    beside.replace(request.output / PAGE)


def comparison(request: ComparisonRequest, rows: Mapping[str, Compared], music: _Music | None) -> dict[str, Any]:
    """Everything as JSON holds it."""
    budget = next(
        (_counted(value, name) for name in ("steps", "epochs", "notes") if (value := getattr(request, name))),
        _counted(request.minutes, "minutes"),
    )
    return {
        "command": request.command, "budget": budget, "seed": request.seed, "bars": request.bars,
        "split": music.split if music else "", "held_out": len(music.names) if music else 0,
        "held_out_of": music.of if music else 0, "real_typicality": music.typicality if music else None,
        "models": [
            {"name": row.name, "about": row.about, "folder": slug(row.name), "failed": row.failed, **row.figures}
            for row in rows.values()
        ],
    }  # fmt: skip


def _counted(value: float, noun: str) -> str:
    """ "1 step", "2.5 epochs"."""
    return f"{value:g} {noun if value != 1 else noun[:-1]}"


def read_comparison(folder: Path) -> dict[str, Any]:
    """The figures that `compare` has left in a folder; raises `MusicError` where there are none."""
    try:
        return json.loads((folder / FIGURES).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise MusicError(f"{folder}: no whole comparison is in it ({error}); make one: partimento compare") from error


def comparison_lines(folder: Path) -> list[str]:
    """The table of a comparison for a terminal."""
    from ..training.comparison import lines

    return lines(read_comparison(folder))
