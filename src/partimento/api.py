"""What every face calls: compose, train, and the styles there are."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import composing, model_file, styles, theory, timing
from .cards import card_text
from .composing import Candidate
from .corpus import Cache, build_cache, scan
from .encodings import get_encoding
from .errors import BadOption, MissingExtra, ModelError, UnknownName
from .model_file import Model
from .sampling import Sampling
from .score import Score

if TYPE_CHECKING:
    from .training.loop import Progress

DEFAULT_STYLE = "chorale"
TRAINING_NEEDS = ("torch", "onnx", "safetensors")
VERSION = "0.1.0"


@dataclass(frozen=True)
class TrainingRequest:
    """What `train` is asked for; `settings` reach the training plan or the family by name."""

    folders: tuple[Path, ...]
    output: Path
    family: str = "transformer"
    encoding: str = "notes"
    encoding_options: dict[str, Any] = field(default_factory=dict)
    minutes: float = 10.0
    steps: int = 0
    styles: Mapping[str, str] = field(default_factory=dict)  # folder's style -> the style it is trained as
    labels: Path | None = None
    work: Path | None = None  # where the run and the cache live; default: beside the output
    workers: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    start: Path | None = None  # a model file to go on from; its family, options and encoding are taken over
    command: str = ""  # as it was typed, for the model card

    @property
    def work_folder(self) -> Path:
        return self.work or self.output.with_name(self.output.name + ".run")


def prepare(request: TrainingRequest, progress=None) -> Cache:
    """Scan the request's folders and open, or build, the cache of their steps."""
    catalogue = scan(request.folders, labels=request.labels, workers=request.workers, progress=progress)
    entries = tuple(replace(entry, style=request.styles.get(entry.style, entry.style)) for entry in catalogue.entries)
    catalogue = replace(catalogue, entries=entries)
    encoding = _encoding(request, catalogue.styles)
    return build_cache(catalogue, encoding, request.work_folder / "cache", workers=request.workers, progress=progress)


def _encoding(request: TrainingRequest, found: Sequence[str]):
    """The encoding asked for, or that of the model to go on from with the styles that it lacks behind its own."""
    if request.start is None:
        return get_encoding(request.encoding, styles=found, **request.encoding_options)
    spec = model_file.read_info(request.start)["encoding"]
    known = spec["styles"]
    return get_encoding(**spec | {"styles": [*known, *(style for style in found if style not in known)]})


def train(request: TrainingRequest, progress=None) -> Iterator[Progress]:
    """Train on the request's folders and leave a model file; yields `Progress` as it goes.

    A run that was killed goes on where it stood, to the same weights. Needs torch: `pip install 'partimento[train]'`.
    """
    try:
        from .training import export
        from .training.loop import TrainingPlan
        from .training.loop import train as run_training
    except ModuleNotFoundError as error:
        if error.name not in TRAINING_NEEDS:
            raise
        raise MissingExtra(f"training needs {error.name}: pip install torch, then pip install '.[train]'") from error

    plan = _plan(TrainingPlan, request)
    music = prepare(request, progress)
    yield from run_training(music, plan, request.work_folder)
    export.export_run(
        music, plan, request.work_folder, request.output, folders=request.folders, command=request.command
    )


def _plan(kind, request: TrainingRequest):
    """The training plan: settings named like its fields reach it, those named like the family's options the family."""
    from .models import get_family

    family, chosen = request.family, {}
    if request.start is not None:
        info = model_file.read_info(request.start)
        family, chosen = info["family"], dict(info["options"])
    options = inspect.signature(get_family(family).__init__).parameters
    of_family = {name for name, entry in options.items() if entry.kind is entry.KEYWORD_ONLY}
    of_plan = set(kind.__dataclass_fields__) - {"family", "options", "minutes", "steps", "start"}
    for name in request.settings:
        if name not in of_family | of_plan:
            known = ", ".join(sorted(of_family | of_plan))
            raise BadOption(f"no option {name!r} of training or of the family {family!r}; there are {known}")
    own = {name: value for name, value in request.settings.items() if name in of_plan}
    chosen |= {name: value for name, value in request.settings.items() if name in of_family}
    start = str(request.start or "")
    return kind(family=family, minutes=request.minutes, steps=request.steps, options=chosen, start=start, **own)


def compose(
    style: str | None = None,
    *,
    model: Path | str | None = None,
    bars: int | None = None,
    seconds: float | None = None,
    key: str | tuple[int, str] | None = None,
    tempo: float | None = None,
    metre: str | tuple[int, int] | None = None,
    instruments: Sequence[int] | None = None,
    seed: int = 0,
    candidates: int = 4,
    sampling: Sampling | None = None,
) -> Score:
    """Compose a piece: the most typical of `candidates`, of exactly `bars` bars (default 16) or `seconds`.

    `style` is a shipped style (default "chorale") or one of the model file `model`; `key` is written "D minor",
    `metre` "3/4", `tempo` in quarter notes a minute. The same arguments and seed give the same piece.
    """
    return compose_candidates(
        style, model=model, bars=bars, seconds=seconds, key=key, tempo=tempo, metre=metre, instruments=instruments,
        seed=seed, candidates=candidates, sampling=sampling,
    )[0].score  # fmt: skip


def compose_candidates(style: str | None = None, *, model: Path | str | None = None, **asked) -> list[Candidate]:
    """All candidates that `compose` chooses from, the most typical of the style first; the same arguments."""
    path = Path(model) if model else styles.find(style or DEFAULT_STYLE)
    loaded = _loaded(path)
    known = list(loaded.info.get("styles") or ())
    if not known:
        raise ModelError(f"{path}: says of no style what it is like; train it again")
    if style is None:
        style = DEFAULT_STYLE if DEFAULT_STYLE in known else known[0]
    if style not in known:
        raise UnknownName(f"no style {style!r} in {path.name}; there are {', '.join(known)}")
    request = _request(style, **asked)
    found = composing.compose(loaded, request)
    return [replace(one, score=_signed(one.score, path, request, n)) for n, one in enumerate(found)]


def _request(style, key=None, metre=None, instruments=None, sampling=None, **rest) -> composing.Request:
    if isinstance(key, str):
        parsed = theory.parse_key(key)
        key = (parsed.tonic, parsed.mode)
    if isinstance(metre, str):
        metre = timing.parse_metre(metre)
    programs = tuple(instruments or ())
    return composing.Request(style, key=key, metre=metre, programs=programs, sampling=sampling or Sampling(), **rest)


def _signed(score: Score, path: Path, request: composing.Request, rank: int) -> Score:
    """The score with its title and the recipe that made it."""
    asked = {name: value for name, value in asdict(request).items() if value not in (None, {}, ())}
    recipe = {"model": _digest(path), "partimento": VERSION, "rank": rank, **asked}
    return replace(score, title=f"{request.style.capitalize()} no. {request.seed}", recipe=recipe)


@cache
def _loaded(path: Path) -> Model:
    return model_file.load(path)


@cache
def _digest(path: Path) -> str:
    """The first twelve hexadecimal digits of a model file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def style_table() -> list[dict[str, Any]]:
    """The shipped styles: name, model file, what it learnt from, how well it predicts held-out works."""
    return [
        {"style": style, "file": path.name, "pieces": styles.described(path)["styles"][style]["pieces"],
         "card": styles.described(path)["card"], "encoding": styles.described(path)["encoding"]["name"]}
        for style, path in styles.shipped().items()
    ]  # fmt: skip


def style_card(style: str) -> str:
    """The model card of a shipped style, in Markdown."""
    path = styles.find(style)
    return card_text(path, styles.described(path))
