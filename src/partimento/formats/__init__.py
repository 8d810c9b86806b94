"""Files in and out: `load(path)` makes a `Score` of a file, `save(score, path)` a file of a score, by suffix.

A kind of file is one module with `read(path) -> Score`, `write(score, path)` or both; a line in a table below makes
it known. Modules are imported when a file of their kind is met.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import BadOption, FormatError
from ..score import Score
from ._files import beside

READERS = {
    ".mid": "midi", ".midi": "midi",
    ".musicxml": "musicxml_read", ".xml": "musicxml_read", ".mxl": "musicxml_read",
}  # fmt: skip
WRITERS = {
    ".mid": "midi", ".midi": "midi",
    ".musicxml": "musicxml_write", ".xml": "musicxml_write", ".mxl": "musicxml_write",
    ".png": "roll", ".svg": "roll", ".wav": "audio", ".flac": "audio", ".mp3": "audio", ".ogg": "audio",
}  # fmt: skip
PICTURES = {"roll": "roll", "score": "engraving"}  # what a .png or .svg may show

__all__ = ["check_target", "load", "save"]


def _module(table: dict[str, str], path: Path, verb: str) -> ModuleType:
    suffix = path.suffix.lower()
    if suffix not in table:
        if path.is_dir():
            raise FormatError(f"{path}: cannot {verb} it: this is a folder, not a file; name a file inside it")
        raise FormatError(f"{path}: cannot {verb} {suffix or 'a file without suffix'!r}; there are {', '.join(table)}")
    return importlib.import_module(f".{table[suffix]}", __name__)


def load(path: str | Path) -> Score:
    """The music of a MIDI (.mid, .midi) or MusicXML (.musicxml, .xml, .mxl) file.

    Raises `FormatError` where the suffix is unknown or the file is missing, unreadable, damaged or absurd.
    """
    path = Path(path)
    return _module(READERS, path, "read").read(path)


def _writer(path: Path, kind: str | None) -> ModuleType:
    module = _module(WRITERS, path, "write")
    if kind is None:
        return module
    if kind not in PICTURES:
        raise BadOption(f"no picture of kind {kind!r}; there are {', '.join(PICTURES)}")
    if WRITERS[path.suffix.lower()] != "roll":
        raise BadOption(f"{path}: kind={kind!r} is for pictures (.png, .svg) alone; leave it out")
    return importlib.import_module(f".{PICTURES[kind]}", __name__)


def check_target(path: str | Path, kind: str | None = None) -> None:
    """Raise what `save` would raise of a name alone, so that nobody waits for a piece that cannot be written."""
    path = Path(path)
    writer = _writer(path, kind)
    if hasattr(writer, "check"):
        writer.check(path)
    if not path.parent.is_dir():
        raise FormatError(f"{path}: there is no folder {path.parent}; make it first or choose another")


def save(score: Score, path: str | Path, *, kind: str | None = None, **options: Any) -> None:
    """Write `score` as MIDI, MusicXML, picture (.png, .svg) or sound (.wav, .flac, .mp3, .ogg), or not at all.

    `kind` chooses what a picture shows: "roll" (the default) or "score" (engraved). Other options go to the writer
    of that kind of file: `soundfont` to sound. Raises `FormatError` where it cannot be written, `BadOption` for an
    option that this kind of file does not have, `MissingExtra` where a package is missing.
    """
    path = Path(path)
    write = _writer(path, kind).write
    known = list(inspect.signature(write).parameters)[2:]
    for name in options:
        if name not in known:
            raise BadOption(f"{path}: no option {name!r} for {path.suffix}; there are: {', '.join(known) or 'none'}")
    with beside(path) as draft:
        write(score, draft, **options)
