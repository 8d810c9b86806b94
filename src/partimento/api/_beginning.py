"""Where a training begins, what it is asked for by name, and what it leaves out.

Without a word on it the shipped base is tuned to the music. What the base is not (another family, encoding or size)
can only begin anew, and that is said.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import model_file, styles
from ..corpus import Cache
from ..corpus.cache import read_journal
from ..corpus.files import MANIFEST, MUSIC_SUFFIXES
from ..encodings import get_encoding
from ..encodings._given import STYLE_SLOTS
from ..errors import BadOption

if TYPE_CHECKING:
    from ._training import TrainingRequest

BASE = styles.FOLDER / f"base{model_file.SUFFIX}"
LOOSE = ("dropout", "context")  # options of a family that the shapes of its weights do not depend on
PLACES = ("encoding", "model", "training")  # what a setting may say that it is an option of: model.layers
NAMED = 5  # files that are no music, named one by one
PAPERS = (MANIFEST, "ATTRIBUTION.csv", "LICENSES.md")  # that belong to a folder of music
FOUND = ("self", "styles", "words", "durations")  # of an encoding: what the music says itself
# what helps with files that an encoding refuses, by the reason
HELP = {
    "off the grid": "--snap 0.3 moves them there; --from-scratch --encoding events --set encoding.timed=true holds "
    "performances as they are",
    "long note": "--snap 0.05 ends such notes early",
    "off the sixteenth grid": "--encoding notes has a finer one",
}


def settled(request: TrainingRequest, preset: str = "") -> tuple[TrainingRequest, str]:
    """The request with the model that training begins from written out, and a sentence on that.

    `preset`: the one that has filled the request in. Raises `BadOption` for a setting that nothing knows.
    """
    request = sorted_out(request)
    if request.start is not None:
        info = model_file.read_info(request.start)
        request = replace(request, family=info["family"], encoding=info["encoding"]["name"])
        return request, f"Training goes on from {request.start}, on this music."
    if request.from_scratch:
        return request, "Training begins anew, from nothing."
    why = f"preset {preset}" if preset else unlike(request, BASE)
    if why:
        return replace(request, from_scratch=True), f"Training begins anew: the shipped base does not fit {why}."
    return replace(request, start=BASE), (
        "Training begins with the shipped base, which is tuned to this music; --from-scratch begins anew."
    )


def sorted_out(request: TrainingRequest) -> TrainingRequest:
    """The request with settings like "encoding.tracks" and "model.layers" brought to where they belong."""
    encoding, settings = dict(request.encoding_options), dict[str, Any]()
    for name, value in request.settings.items():
        place, _, own = name.rpartition(".")
        if place == "encoding":
            encoding[own] = value
        elif place in ("", *PLACES) and own:
            settings[own] = value
        else:
            raise BadOption(f"no option {name!r}; write NAME, or {', '.join(f'{one}.NAME' for one in PLACES)}")
    return replace(request, encoding_options=encoding, settings=settings)


def unlike(request: TrainingRequest, path: Path) -> str:
    """What the request asks for that the model in `path` is not; empty where it can be gone on from."""
    info = model_file.read_info(path)
    if request.family != info["family"]:
        return f"--family {request.family}"
    if request.encoding != info["encoding"]["name"]:
        return f"--encoding {request.encoding}"
    if other := _other_fields(request.encoding_options, info):
        return f"encoding.{other}"
    sizes = {name: value for name, value in request.settings.items() if name not in LOOSE and _is_of_family(name, info)}
    others = [f"{name}={value}" for name, value in sizes.items() if value != info["options"].get(name)]
    return f"--set {' '.join(others)}" if others else ""


def _other_fields(options: Mapping[str, Any], info: Mapping[str, Any]) -> str:
    """The first option of an encoding with which its steps have other fields than those of a model file."""
    checked(info["encoding"]["name"], options)
    for name, value in options.items():
        fields = get_encoding(**info["encoding"] | {name: value}).fields
        if [[entry.name, entry.size, entry.given] for entry in fields] != info["fields"]:
            return f"{name}={value}"
    return ""


def checked(encoding: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, if the encoding has them; raises `BadOption` with those that it has."""
    entries = inspect.signature(type(get_encoding(encoding)).__init__).parameters
    known = {name: entry.default for name, entry in entries.items() if name not in FOUND}
    for name, value in options.items():
        if name not in known:
            raise BadOption(
                f"no option {name!r} of the encoding {encoding!r}; it has {', '.join(known) or 'none'}, "
                "as --set encoding.NAME=VALUE"
            )
        if not _is_like(value, known[name]):
            raise BadOption(f"encoding.{name} {value!r} is none; wanted something like {_shown(known[name])}")
    return dict(options)


def _is_like(value: Any, default: Any) -> bool:
    """Whether a value is of the kind of an option's default; one that is None does not say."""
    if default is None or isinstance(default, bool):
        return default is None or isinstance(value, bool)
    if isinstance(default, int | float):
        return not isinstance(value, bool) and isinstance(value, int if isinstance(default, int) else int | float)
    return isinstance(value, str) if isinstance(default, str) else isinstance(value, list | tuple)


def _shown(default: Any) -> str:
    """An option's default as it is typed."""
    return json.dumps(default)


def gone_on_with(path: Path, found: tuple[str, ...], options: Mapping[str, Any]):
    """The encoding of a model file with the styles that it lacks behind its own, and with other options.

    Raises `BadOption` where those make other steps of the music than the model knows, or where styles are too many.
    """
    info = model_file.read_info(path)
    spec = info["encoding"]
    if other := _other_fields(options, info):
        raise BadOption(f"{path}: its steps are not those of encoding.{other}; leave that out, or add --from-scratch")
    known = spec["styles"]
    every = [*known, *(style for style in found if style not in known)]
    if len(every) > STYLE_SLOTS:
        raise BadOption(
            f"{len(found)} styles beside the {len(known)} of {path.name} are more than the {STYLE_SLOTS} that a model "
            "holds; join some with --style FOLDER=STYLE, or add --from-scratch"
        )
    return get_encoding(**spec | dict(options) | {"styles": every})


def options_of(family: str) -> set[str]:
    """The options that a family takes."""
    from ..models import get_family

    found = inspect.signature(get_family(family).__init__).parameters
    return {name for name, entry in found.items() if entry.kind is entry.KEYWORD_ONLY}


def _is_of_family(name: str, info: Mapping[str, Any]) -> bool:
    """Whether a setting is an option of a model file's family; torch is asked only where the file does not say."""
    return name in info["options"] or name in options_of(info["family"])


# --- what is left out


def left_out(request: TrainingRequest, music: Cache) -> list[str]:
    """Every file that is not learnt from, with its reason, a line each; then what may help."""
    lines = [line for line in read_journal(music.folder) if "reason" in line]
    found = [f"left out {line['name']}: {line['reason']}{_because(line)}" for line in lines]
    others = not_music(request.folders)
    if others:
        named = ", ".join(others[:NAMED]) + f" and {len(others) - NAMED} more" * (len(others) > NAMED)
        found.append(f"not read, since {'they are' if len(others) > 1 else 'it is'} no MIDI or MusicXML: {named}")
    reasons = dict.fromkeys(line["reason"] for line in lines)
    return found + [f"{reason}: {HELP[reason]}" for reason in reasons if reason in HELP]


def _because(line: Mapping[str, str]) -> str:
    said = line.get("message", "")
    said = said.partition(f"{Path(line['name']).name}: ")[2] or said  # without the path, which the line begins with
    return f" ({said})" if said else ""


def not_music(folders: tuple[Path, ...]) -> list[str]:
    """Names of the files in the folders that no reader is asked to read; hidden ones and a corpus's papers apart."""
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            parts = path.relative_to(folder).parts
            is_seen = not any(part.startswith(".") for part in parts) and path.name not in PAPERS
            if is_seen and path.is_file() and not path.name.lower().endswith(MUSIC_SUFFIXES):
                found.append(path.name)
    return found
