"""Which model file a call means, read once, and what is asked of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from .. import composing, model_file, styles, theory, timing
from ..asking import CONTROLS, check, parse_curve, parse_mix
from ..cards import card_text, style_text
from ..describe import parse_chords
from ..errors import BadOption, ModelError, UnknownName
from ..model_file import Model
from ..sampling import Sampling

DEFAULT_STYLE = "chorale"


def asked_of(
    style: str | None, model: Path | str | None, asked: dict, obedient: bool = False
) -> tuple[Path, Model, composing.Request]:
    """The model file, the model and the request of a call; `obedient` where music is composed into."""
    mix = parse_mix(style) if style and (":" in style or "," in style) else ()
    if mix:
        style = max(mix, key=lambda pair: pair[1])[0]
    path = Path(model) if model else styles.find(style or DEFAULT_STYLE, obedient or _is_demanding(mix, asked))
    loaded = loaded_model(path)
    known = list(loaded.info.get("styles") or ())
    if not known:
        raise ModelError(f"{path}: says of no style what it is like; train it again")
    if style is None:
        style = DEFAULT_STYLE if DEFAULT_STYLE in known else known[0]
    asked = {**asked, "sampling": drawn_by(loaded, asked.get("sampling"))}
    request = request_of(style, mix=mix if len(mix) > 1 else (), **asked)
    check_styles(loaded, request, path.name)
    return path, loaded, request


def drawn_by(model: Model, asked: Sampling | Mapping[str, Any] | None) -> Sampling:
    """How to draw: all as `asked`, or what it names and the rest as the model file says."""
    if isinstance(asked, Sampling):
        return asked
    known = [entry.name for entry in fields(Sampling)]
    for name in asked or ():
        if name not in known:
            raise BadOption(f"no option {name!r} of sampling; there are {', '.join(known)}")
    return replace(model.sampling, **(asked or {}))


def _is_demanding(mix: Sequence, asked: Mapping[str, Any]) -> bool:
    """Whether something is asked for that only a model can do which has learnt it."""
    controlled = any(asked.get(name) is not None for name in CONTROLS)
    return bool(mix or asked.get("chords") or asked.get("axes") or controlled)


def check_styles(model: Model, request: composing.Request, name: str) -> None:
    known = list(model.info.get("styles") or ())
    for style in (request.style, *(style for style, _ in request.mix)):
        if style not in known:
            raise UnknownName(f"no style {style!r} in {name}; there are {', '.join(known)}")


def request_of(style, key=None, metre=None, instruments=None, sampling=None, chords=None, **rest) -> composing.Request:
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
    check(request_of("", **{name: text}))


def loaded_model(path: Path) -> Model:
    return _loaded_at(path, _stamp(path))


def digest_of(path: Path) -> str:
    """The first twelve hexadecimal digits of a model file's SHA-256; raises `ModelError` where there is none."""
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
    model_file.read_info(path)  # says what is wrong with a file that is none
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def style_table() -> list[dict[str, Any]]:
    """The shipped styles: name, model file, what it learnt from, how well it predicts held-out works."""
    return [
        {"style": style, "file": path.name, "pieces": styles.described(path)["styles"][style]["pieces"],
         "card": styles.described(path)["card"], "encoding": styles.described(path)["encoding"]["name"]}
        for style, path in styles.shipped().items()
    ]  # fmt: skip


def style_card(style: str) -> str:
    """The model card of a shipped style, or of a whole model by its file's name or path, in Markdown."""
    files = {path.name: path for path in {*styles.shipped().values()}}
    path = files.get(style) or (Path(style) if style.endswith(model_file.SUFFIX) else None)
    if path is None:
        path = styles.find(style)
        return style_text(path, styles.described(path), style)
    return card_text(path, model_file.read_info(path))
