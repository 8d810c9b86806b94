"""What every face calls: compose, train, and the styles there are."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import composing, editing, model_file, morphing, presets, recipes, styles, theory, timing
from .asking import CONTROLS, check, parse_curve, parse_mix, values_of
from .cards import card_text
from .composing import Candidate
from .corpus import EVERYTHING, Cache, Choice, build_cache, scan
from .corpus import parse_span as parse_span  # for a face that asks for a `Choice`
from .describe import parse_chords
from .encodings import get_encoding
from .errors import BadOption, MissingExtra, ModelError, MusicError, UnknownName
from .expression import perform
from .model_file import Model
from .morphing import Morph
from .morphing import joined as joined  # the stages of a morph as one piece
from .recipes import Recipe, fingerprint
from .sampling import Sampling
from .score import Score

if TYPE_CHECKING:
    from .corpus.fetch import Step as Fetched
    from .training.latent import LatentMap
    from .training.loop import Progress

DEFAULT_STYLE = "chorale"
TRAINING_NEEDS = ("torch", "onnx", "safetensors")


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
    programs: Mapping[str, str] = field(default_factory=dict)  # style -> "68=52": program 52 plays what 68 did
    start: Path | None = None  # a model file to go on from; its family, options and encoding are taken over
    command: str = ""  # as it was typed, for the model card
    choice: Choice = EVERYTHING  # which of the music, and in which key and register
    epochs: float = 0.0  # instead of minutes, as are steps and
    notes: float = 0.0  # notes to hear
    tensorboard: bool = False
    preset: str = ""  # family, encoding and recipe by name; `settings` and a `choice` go before what it says

    @property
    def work_folder(self) -> Path:
        return self.work or self.output.with_name(self.output.name + ".run")


def fetch(folder: Path, archive: str = "mutopia", **asked) -> Iterator[Fetched]:
    """Fetch MIDI files from an archive on the network into a folder; see `corpus.fetch.fetch` for what may be asked."""
    from .corpus.fetch import fetch as fetched  # the network is needed here alone

    return fetched(folder, archive, **asked)


def prepare(request: TrainingRequest, progress=None) -> Cache:
    """Scan the request's folders and open, or build, the cache of their steps."""
    request = with_preset(request)
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
    return build_cache(catalogue, encoding, request.work_folder / "cache", workers=request.workers, progress=progress)


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
    )  # fmt: skip


def _named(entry, request: TrainingRequest):
    """An entry of a catalogue with the style and the instruments that are asked for."""
    style = request.styles.get(entry.style, entry.style)
    programs = request.programs.get(style)
    labels = {**entry.labels, "programs": programs} if programs else entry.labels
    return replace(entry, style=style, labels=labels)


def _encoding(request: TrainingRequest, found: Sequence[str]):
    """The encoding asked for, or that of the model to go on from with the styles that it lacks behind its own."""
    if request.start is None:
        return get_encoding(request.encoding, styles=found, **request.encoding_options)
    spec = model_file.read_info(request.start)["encoding"]
    known = spec["styles"]
    return get_encoding(**spec | {"styles": [*known, *(style for style in found if style not in known)]})


def outlook(request: TrainingRequest, music: Cache) -> list[str]:
    """What can be expected of so much `music` (see `prepare`), in sentences, before training begins."""
    from .training.outlook import outlook as found

    return found(music, goes_on=request.start is not None)


def warnings_of(model: Path | str) -> list[str]:
    """What the card of a model file warns of: that it has collapsed, that it sings from memory."""
    return list((model_file.read_info(model).get("card") or {}).get("health", {}).get("warnings", ()))


def check_can_train() -> None:
    """Raises `MissingExtra` where a package that training needs is not installed."""
    for name in TRAINING_NEEDS:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise MissingExtra(f"training needs {name}: pip install torch, then pip install '.[train]'") from error


def train(request: TrainingRequest, progress=None, music: Cache | None = None) -> Iterator[Progress]:
    """Train on the request's folders and leave a model file; yields `Progress` as it goes, the last with its health.

    `music` is what `prepare` gave, if it was asked before. A run that was killed goes on where it stood, to the same
    weights. Needs torch: `pip install 'partimento[train]'`.
    """
    check_can_train()
    from .training import export
    from .training.loop import TrainingPlan
    from .training.loop import train as run_training

    request = with_preset(request)
    plan = _plan(TrainingPlan, request)
    music = prepare(request, progress) if music is None else music
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
    asked = {name: getattr(request, name) for name in ("minutes", "steps", "epochs", "notes", "tensorboard")}
    of_plan = set(kind.__dataclass_fields__) - {*asked, "family", "options", "start"}
    for name in request.settings:
        if name not in of_family | of_plan:
            known = ", ".join(sorted(of_family | of_plan))
            raise BadOption(f"no option {name!r} of training or of the family {family!r}; there are {known}")
    own = {name: value for name, value in request.settings.items() if name in of_plan}
    chosen |= {name: value for name, value in request.settings.items() if name in of_family}
    start = str(request.start or "")
    return kind(family=family, options=chosen, start=start, **asked, **own)


def compose(style: str | None = None, *, model: Path | str | None = None, **asked) -> Score:
    """Compose a piece: the best of `candidates` (default 4), of exactly `bars` (default 16), `seconds` or `sixteenths`.

    `style` is a shipped style (default "chorale"), one of the model file `model`, or a mix: "chorale:0.7,motet:0.3".
    Also `key` ("D minor"), `metre` ("3/4"), `tempo` (quarter notes a minute), `instruments` (programs), `chords`
    ("Dm G7 | C"); `happiness` and `excitement` (1-10), `complexity` and `density` (0-1), each a number or a curve
    ("2->9", "1:2,8:9"); `axes` (those of the model), `guidance`, `ending`, `form`, `sampling`, `seed`. The same
    arguments give the same piece.
    """
    return compose_candidates(style, model=model, **asked)[0].score


def compose_candidates(style: str | None = None, *, model: Path | str | None = None, **asked) -> list[Candidate]:
    """All candidates that `compose` chooses from, the best first; the same arguments."""
    path, loaded, request = _asked(style, model, asked)
    recipe = Recipe("compose", _digest_of(path), request)
    found = composing.compose(loaded, request)
    return [replace(one, score=_signed(one.score, recipe, rank)) for rank, one in enumerate(found)]


def continue_(
    score: Score, where: str | int = "end", *, style: str | None = None, model: Path | str | None = None, **asked
) -> list[Candidate]:
    """`score` with new bars behind its end, before its "start" or behind a bar (its number), the best first.

    `bars` (default 8) or `seconds` say how many; `ending=False` leaves the piece open. Key, tempo, metre and
    instruments are those of the score, the style is the one that the score is most like unless it is named. Otherwise
    as `compose`: curves and chords count from the first new bar.
    """
    return _edited(score, "continue", {"where": where}, style, model, asked)


def infill(
    score: Score, bars: tuple[int, int], *, tracks: Sequence[int] = (), style: str | None = None,
    model: Path | str | None = None, **asked,
) -> list[Candidate]:  # fmt: skip
    """`score` with `bars` (first, last, from 1) composed anew in `tracks` (from 1; none: all), the best first.

    All that stands around them stays to the tick. Otherwise as `continue_`: curves and chords count from the first of
    these bars.
    """
    return _edited(score, "infill", {"where": list(bars), "tracks": list(tracks)}, style, model, asked)


def harmonize(score: Score, *, style: str | None = None, model: Path | str | None = None, **asked) -> list[Candidate]:
    """A melody, the one track of `score`, with the other parts of a style beside it, the best first.

    `instruments` (programs) play what is added; `ending=False` leaves the piece open. Otherwise as `compose`.
    """
    return _edited(score, "harmonize", {}, style, model, asked)


def vary(
    score: Score, amount: float = 0.3, *, style: str | None = None, model: Path | str | None = None, **asked
) -> list[Candidate]:
    """`score` with a share `amount` (0-1) of its bars composed anew, the best first; `bars_to_vary` says which."""
    return _edited(score, "vary", {"amount": amount}, style, model, asked)


def morph(
    first: Score, last: Score, steps: int = 5, *, bars: int = 4, path: str = "arc", style: str | None = None,
    model: Path | str | None = None, sampling: Sampling | None = None, seed: int = 0,
) -> Morph:  # fmt: skip
    """The way from one piece to another in `steps` stages (2-64), the two as `model` gives them back among them.

    Of both pieces the first `bars` whole bars are taken. `path` "arc" or "line": how the latent space is crossed; see
    `morphing.morph`. Without `sampling` each stage is the likeliest, and `seed` is no matter. `joined` makes one piece
    of the stages. `model` is of the family autoencoder or vae; without it a shipped one, if there is one.
    """
    loaded = _loaded(Path(model) if model else _with_space())
    known = list(loaded.info.get("styles") or ())
    if style is not None and style not in known:
        raise UnknownName(f"no style {style!r} in {model}; there are {', '.join(known)}")
    options = sampling or morphing.LIKELIEST
    return morphing.morph(
        loaded, first, last, stages=steps, bars=bars, path=path, style=style or "", options=options, seed=seed
    )


def _with_space() -> Path:
    """A shipped model that has a latent space; raises `BadOption` where there is none."""
    for path in sorted(set(styles.shipped().values())):
        if styles.described(path)["state"]["kind"] == "latent":
            return path
    raise BadOption(
        "a morph needs a model of the family autoencoder or vae, and none is shipped; train one, "
        "`partimento train FOLDER --family vae --encoding voices -o mine.partimento`, and name it: --model"
    )


def draw_map(
    model: Path | str, folders: Sequence[Path], output: Path, run: Path | None = None, progress=None
) -> tuple[LatentMap, list[str]]:
    """Draw where the music in `folders` lies in a model's latent space: SVG, PNG, or a GIF of how it came about.

    A GIF shows the checkpoints in `run`, by default the folder of the model's run beside it, and needs torch. Returns
    the map and a sentence for each file that is not on it. Raises `ModelError` where the model cannot read music.
    """
    from .training import latent

    latent.check_target(output)
    loaded = _loaded(Path(model))
    encode = latent.encoder_of(loaded)
    catalogue = scan(tuple(folders), workers=0, progress=progress)
    pieces, skipped = latent.of_files(catalogue, loaded.encoding, loaded.stride)
    found = [latent.latent_map(encode, pieces)]
    if output.suffix.lower() == ".gif":
        found = latent.frames(Path(model), run or Path(f"{model}.run"), pieces)
    latent.write(found, output)
    return found[-1], skipped


bars_to_vary, BARS = editing.bars_to_vary, editing.BARS


def _edited(score: Score, verb: str, made: dict, style, model, asked: dict) -> list[Candidate]:
    """What `verb` makes of a score, the candidates with their recipes."""
    if style is None and verb != "harmonize":
        path = Path(model) if model else styles.find(DEFAULT_STYLE, obedient=True)
        style = editing.style_like(_loaded(path), score)
    path, loaded, request = _asked(style, model, asked, obedient=True)
    found = EDITS[verb](loaded, score, request, **made)
    recipe = Recipe(verb, _digest_of(path), request, made=made, source=fingerprint(score))
    return [replace(one, score=_signed(one.score, recipe, rank)) for rank, one in enumerate(found)]


EDITS: dict[str, Callable[..., list[Candidate]]] = {
    "continue": editing.continued, "infill": editing.infilled, "harmonize": editing.harmonised, "vary": editing.varied,
}  # fmt: skip


def reproduce(recipe: Mapping[str, Any], score: Score | None = None, model: Path | str | None = None) -> Score:
    """The piece of a recipe again; `score` is the music that it was composed into, where there was any.

    Raises `ModelError` where the model that composed it is neither `model` nor shipped, `BadOption` where the recipe
    is not one that this version writes or `score` is not the music.
    """
    known = recipes.read(recipe)
    loaded = _loaded(_with_digest(known, model))
    _check_styles(loaded, known.request, known.model)
    if known.verb == "compose":
        found = composing.compose(loaded, known.request)
    elif score is None or fingerprint(score) != known.source:
        given = "is not that music" if score else "is missing"
        raise BadOption(
            f"the piece was made by `partimento {known.verb}` from other music, which {given}; name its file: --input"
        )
    else:
        found = EDITS[known.verb](loaded, score, known.request, **known.made)
    again = _signed(found[known.rank].score, known, known.rank)
    return express(again) if known.expression else again


def express(score: Score) -> Score:
    """The score as it is to be played: dynamics and tempo by rule, as loud and lively as its recipe asks for.

    What is expressive already is kept. Excitement shapes a piece composed from nothing alone: other music has a
    loudness of its own.
    """
    try:
        known, excitement = recipes.read(score.recipe), None
    except BadOption:  # none, or somebody else's
        return perform(score)
    if known.verb == "compose" and known.request.excitement is not None:
        excitement = values_of(known.request.excitement, len(timing.Clock(score).bars))
    return replace(perform(score, excitement=excitement), recipe=replace(known, expression=True).as_dict())


def _with_digest(recipe: Recipe, model: Path | str | None) -> Path:
    """The model file that a recipe names: `model`, or a shipped one."""
    shipped = {path for style in styles.shipped() for path in styles.models(style)}
    for path in [Path(model)] if model else sorted(shipped):
        if _digest_of(path) == recipe.model:
            return path
    where = f"{model} is another one" if model else "no shipped model is it"
    raise ModelError(
        f"the piece was composed in the style {recipe.request.style!r} by the model {recipe.model}, and {where}; name "
        "its file: --model"
    )


def _is_demanding(mix: Sequence, asked: Mapping[str, Any]) -> bool:
    """Whether something is asked for that only a model can do which has learnt it."""
    controlled = any(asked.get(name) is not None for name in CONTROLS)
    return bool(mix or asked.get("chords") or asked.get("axes") or controlled)


def _asked(
    style: str | None, model: Path | str | None, asked: dict, obedient: bool = False
) -> tuple[Path, Model, composing.Request]:
    """The model file, the model and the request of a call; `obedient` where music is composed into."""
    mix = parse_mix(style) if style and (":" in style or "," in style) else ()
    if mix:
        style = max(mix, key=lambda pair: pair[1])[0]
    path = Path(model) if model else styles.find(style or DEFAULT_STYLE, obedient or _is_demanding(mix, asked))
    loaded = _loaded(path)
    known = list(loaded.info.get("styles") or ())
    if not known:
        raise ModelError(f"{path}: says of no style what it is like; train it again")
    if style is None:
        style = DEFAULT_STYLE if DEFAULT_STYLE in known else known[0]
    request = _request(style, mix=mix if len(mix) > 1 else (), **asked)
    _check_styles(loaded, request, path.name)
    return path, loaded, request


def _check_styles(model: Model, request: composing.Request, name: str) -> None:
    known = list(model.info.get("styles") or ())
    for style in (request.style, *(style for style, _ in request.mix)):
        if style not in known:
            raise UnknownName(f"no style {style!r} in {name}; there are {', '.join(known)}")


def _request(style, key=None, metre=None, instruments=None, sampling=None, chords=None, **rest) -> composing.Request:
    if isinstance(key, str):
        parsed = theory.parse_key(key)
        key = (parsed.tonic, parsed.mode)
    if metre is not None:
        metre = timing.parse_metre(metre if isinstance(metre, str) else "/".join(map(str, metre)))
    if isinstance(chords, str):
        chords = parse_chords(chords)
    for name in CONTROLS:
        if isinstance(rest.get(name), str):
            rest[name] = parse_curve(rest[name])
    known = [entry.name for entry in fields(composing.Request)]
    for name in rest:
        if name not in known:
            raise BadOption(f"no option {name!r}; there are {', '.join(known)}")
    return composing.Request(
        style, key=key, metre=metre, programs=tuple(instruments or ()), sampling=sampling or Sampling(),
        chords=chords or (), **rest,
    )  # fmt: skip


def check_curve(name: str, text: str) -> None:
    """Raise `BadOption` where `text` is no number and no curve, or leaves the range of the control `name`."""
    check(_request("", **{name: text}))


def _signed(score: Score, recipe: Recipe, rank: int) -> Score:
    """A score with the recipe that makes it again; a new piece gets a title."""
    new = f"{recipe.request.style.capitalize()} no. {recipe.request.seed}" if recipe.verb == "compose" else ""
    return replace(score, title=score.title or new, recipe=replace(recipe, rank=rank, expression=False).as_dict())


def _loaded(path: Path) -> Model:
    return _loaded_at(path, _stamp(path))


def _digest_of(path: Path) -> str:
    """The first twelve hexadecimal digits of a model file's SHA-256; raises `ModelError` where there is none."""
    model_file.read_info(path)
    return _digest_at(path, _stamp(path))


def _stamp(path: Path) -> tuple[int, int]:
    """What changes when the file does: a model that is trained again is read again."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)  # reading it says what is wrong
    return found.st_mtime_ns, found.st_size


@cache
def _loaded_at(path: Path, stamp: tuple[int, int]) -> Model:
    return model_file.load(path)


@cache
def _digest_at(path: Path, stamp: tuple[int, int]) -> str:
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
