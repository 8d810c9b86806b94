"""Training as every face asks for it: what to learn from, the run, the model file."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import model_file, presets
from ..corpus import EVERYTHING, Cache, Choice, build_cache, scan
from ..encodings import get_encoding
from ..errors import BadOption, MissingExtra, MusicError
from . import _beginning as beginning

if TYPE_CHECKING:
    from ..corpus.fetch import Step as Fetched
    from ..training.loop import Progress

TRAINING_NEEDS = ("torch", "onnx", "safetensors")
MOST_REASONS = 5  # files that an error names where none is left
FINISHING, FINISHING_A_PIECE = 60.0, 0.1  # seconds for choosing weights and writing the file
FINISHING_A_STEP = 1e-3  # for judging what is held out, with and without all that is known of it
MOST_FINISHED = 400  # pieces that take such time
MOST_AT_THE_END = 0.5  # of what is left of the minutes
LEAST_MINUTES = 0.001


@dataclass(frozen=True)
class TrainingRequest:
    """What `train` is asked for; `settings` reach the training plan, the family or the encoding by name.

    A setting may say where it belongs: "training.rate", "model.layers", "encoding.tracks". Without a `start`, and with
    nothing that it does not fit, the shipped base is tuned to the music.
    """

    folders: tuple[Path, ...]
    output: Path
    family: str = "transformer"
    encoding: str = "notes"
    encoding_options: dict[str, Any] = field(default_factory=dict)
    minutes: float = 10.0  # from the first file that is read to the model file
    steps: int = 0
    styles: Mapping[str, str] = field(default_factory=dict)  # folder's style -> the style it is trained as
    labels: Path | None = None
    work: Path | None = None  # where the run and the cache live; default: beside the output
    workers: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)  # style -> "68=52": program 52 plays what 68 did
    start: Path | None = None  # a model file to go on from; its family, options and encoding are taken over
    command: str = ""  # as it was typed, for the model card
    choice: Choice = EVERYTHING  # which of the music, and in which key and register
    epochs: float = 0.0  # instead of minutes, as are steps and
    notes: float = 0.0  # notes to hear
    tensorboard: bool = False
    preset: str = ""  # family, encoding and recipe by name; `settings` and a `choice` go before what it says
    sampling: Mapping[str, Any] | None = None  # how the model is drawn from where nothing is said
    from_scratch: bool = False  # begin anew where the shipped base would be tuned

    @property
    def work_folder(self) -> Path:
        return self.work or self.output.with_name(self.output.name + ".run")


def fetch(folder: Path, archive: str = "mutopia", **asked) -> Iterator[Fetched]:
    """Fetch MIDI files from an archive on the network into a folder; see `corpus.fetch.fetch` for what may be asked."""
    from ..corpus.fetch import fetch as fetched  # the network is needed here alone

    return fetched(folder, archive, **asked)


def prepare(request: TrainingRequest, progress=None) -> Cache:
    """Scan the request's folders and open, or build, the cache of their steps."""
    request, _ = begun(request)
    catalogue = scan(
        request.folders, labels=request.labels, choice=request.choice, workers=request.workers, progress=progress
    )
    reasons = ", ".join(f"{count} {reason}" for reason, count in catalogue.reasons.most_common())
    if not catalogue.kept:
        raise MusicError(f"there is no piece to train on: {reasons}; `partimento corpus scan` says it file by file")
    if request.choice != EVERYTHING:
        left = f"{len(catalogue.kept)} of {len(catalogue.entries)} files are learnt; left out: {reasons or 'none'}"
        catalogue = replace(catalogue, remarks=(*catalogue.remarks, left))
    catalogue = replace(catalogue, entries=tuple(_named(entry, request) for entry in catalogue.entries))
    encoding = _encoding(request, catalogue.styles)
    music = build_cache(catalogue, encoding, request.work_folder / "cache", workers=request.workers, progress=progress)
    if not music.pieces:
        why = "; ".join(beginning.left_out(request, music)[:MOST_REASONS])
        raise MusicError(f"there is no piece to train on: the encoding {encoding.name!r} holds none of them: {why}")
    return music


def begun(request: TrainingRequest) -> tuple[TrainingRequest, str]:
    """The request with its preset and what training begins with written out, and a sentence on that."""
    return beginning.settled(with_preset(request), request.preset)


def with_preset(request: TrainingRequest) -> TrainingRequest:
    """The request with all that its preset says written out; raises `UnknownName` for a preset that there is not."""
    if not request.preset:
        return request
    if request.start is not None:
        raise BadOption(f"preset {request.preset!r} begins a model anew; leave it out, or the model to go on from")
    preset = presets.load(request.preset)
    return replace(
        request, preset="", family=preset.family, encoding=preset.encoding["name"],
        encoding_options={**preset.encoding_options, **request.encoding_options},
        settings={**preset.options, **preset.training, **request.settings},
        choice=replace(request.choice, **preset.music) if request.choice == EVERYTHING else request.choice,
        sampling=preset.sampling if request.sampling is None else request.sampling,
    )  # fmt: skip


def _named(entry, request: TrainingRequest):
    """An entry of a catalogue with the style and the instruments that are asked for."""
    style = request.styles.get(entry.style, entry.style)
    programs = request.programs.get(style)
    labels = {**entry.labels, "programs": programs} if programs else entry.labels
    return replace(entry, style=style, labels=labels)


def _encoding(request: TrainingRequest, found: Sequence[str]):
    """The encoding asked for, or that of the model to go on from with the styles that it lacks behind its own."""
    if request.start is not None:
        return beginning.gone_on_with(request.start, tuple(found), request.encoding_options)
    return get_encoding(request.encoding, styles=found, **beginning.checked(request.encoding, request.encoding_options))


def outlook(request: TrainingRequest, music: Cache) -> list[str]:
    """What training begins with, and what can be expected of so much `music` (see `prepare`), in sentences."""
    from ..training.outlook import outlook as found

    request, begins = begun(request)
    return [begins, *found(music, goes_on=request.start is not None)]


def left_out(request: TrainingRequest, music: Cache) -> list[str]:
    """Every file of the request's folders that is not learnt from, with its reason, and what may help; a line each."""
    return beginning.left_out(request, music)


def warnings_of(model: Path | str) -> list[str]:
    """What the card of a model file warns of: that it has collapsed, that it sings from memory."""
    return list((model_file.read_info(model).get("card") or {}).get("health", {}).get("warnings", ()))


def check_request(request: TrainingRequest) -> None:
    """Raises what is wrong with a request, as far as that is known before its music is read."""
    if request.encoding_options.get("axes") and request.labels is None:
        raise BadOption("an axis of your own is a column of a file of labels; name that file: --labels")
    check_settings(request)


def check_settings(request: TrainingRequest) -> None:
    """Raises `BadOption` or `UnknownName` for a family, an encoding or an option that there is not."""
    check_can_train()
    from ..training.loop import TrainingPlan

    settled, _ = begun(request)
    _plan(TrainingPlan, settled)
    if settled.start is None:
        get_encoding(settled.encoding, **beginning.checked(settled.encoding, settled.encoding_options))


def check_can_train() -> None:
    """Raises `MissingExtra` where a package that training needs is not installed."""
    for name in TRAINING_NEEDS:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise MissingExtra(f"training needs {name}: pip install torch, then pip install '.[train]'") from error


def train(
    request: TrainingRequest, progress=None, music: Cache | None = None, spent: float = 0.0
) -> Iterator[Progress]:
    """Train on the request's folders and leave a model file; yields `Progress` as it goes, the last with its health.

    `music` is what `prepare` gave, if it was asked before, and `spent` the seconds of the request's minutes that this
    took. A run that was killed goes on where it stood, to the same weights. Needs torch: `pip install
    'partimento[train]'`.
    """
    check_can_train()
    from ..training import export
    from ..training.loop import TrainingPlan
    from ..training.loop import train as run_training

    started = time.monotonic() - spent
    request, _ = begun(request)
    plan = _plan(TrainingPlan, request)
    music = prepare(request, progress) if music is None else music
    plan = replace(plan, minutes=_left(request.minutes, time.monotonic() - started, music))
    yield from run_training(music, plan, request.work_folder)
    export.export_run(
        music,
        plan,
        request.work_folder,
        request.output,
        folders=request.folders,
        command=request.command,
        sampling=request.sampling,
    )


def _left(minutes: float, spent: float, music: Cache) -> float:
    """Minutes for training, so much being `spent` and so much needed at the end for choosing and for the file."""
    seconds = minutes * 60 - spent
    at_the_end = FINISHING + FINISHING_A_PIECE * min(MOST_FINISHED, len(music.pieces))
    at_the_end += FINISHING_A_STEP * sum(piece.length for piece in music.pieces if piece.split != "train")
    return max(LEAST_MINUTES, (seconds - min(at_the_end, seconds * MOST_AT_THE_END)) / 60)


def _plan(kind, request: TrainingRequest):
    """The training plan: settings named like its fields reach it, those named like the family's options the family.

    A model that is gone on from is trained by the recipe for that, as far as nothing else is said.
    """
    from ..models import get_family
    from ..training.tuning import OPTIONS, RECIPE

    of_family, chosen, recipe = beginning.options_of(request.family), {}, {}
    if request.start is not None:
        chosen = dict(model_file.read_info(request.start)["options"])
        if not hasattr(get_family(request.family), "fit"):
            chosen |= {name: value for name, value in OPTIONS.items() if name in of_family}
            recipe = dict(RECIPE)
    asked = {name: getattr(request, name) for name in ("minutes", "steps", "epochs", "notes", "tensorboard")}
    of_plan = set(kind.__dataclass_fields__) - {*asked, "family", "options", "start"}
    for name in request.settings:
        if name not in of_family | of_plan:
            known = ", ".join(sorted(of_family | of_plan))
            raise BadOption(f"no option {name!r} of training or of the family {request.family!r}; there are {known}")
    own = recipe | {name: value for name, value in request.settings.items() if name in of_plan}
    chosen |= {name: value for name, value in request.settings.items() if name in of_family}
    return kind(family=request.family, options=chosen, start=str(request.start or ""), **asked, **own)
