"""What a child does that reads strangers' files and draws: parsing, engraving, sound. It may crash; the studio stays.

Every path it is given was made by the server, never by a request.
"""

from __future__ import annotations

import lzma
import zipfile
import zlib
from pathlib import Path
from typing import Any

from .. import formats
from ..errors import FormatError, MusicError
from ..formats import engraving
from ..formats._limits import refuse_absurd
from ..timing import Clock
from . import packing
from .tasks import Task, kept

MOST_REFUSED = 500  # named in an answer


def parse(task: Task) -> dict[str, Any]:
    """A file of music as a piece."""
    asked = task.asked
    try:
        score = formats.load(task.paths["file"])
    except FormatError as error:
        raise FormatError(str(error).replace(task.paths["file"], asked["name"])) from error
    refuse_absurd(score, asked["name"])
    if not len(score):
        raise MusicError(f"{asked['name']}: there is no note in it")
    if len(score) > asked["most"]:
        raise MusicError(f"{asked['name']}: {len(score):,} notes, more than {asked['most']:,} in a piece; split it")
    title = score.title or Path(asked["name"]).stem
    warnings = []
    if len(score.tracks) > len(set(score.notes["track"].tolist())):
        warnings.append("some tracks hold no notes")
    if not score.metres:
        warnings.append("the file says no metre; 4/4 is taken")
    if not score.tempos:
        warnings.append("the file says no tempo; 120 is taken")
    recipe = bool(score.recipe)
    result = {"warnings": warnings, "has_recipe": recipe, "seen": packing.seen(score)}
    return {"pieces": [kept(score, kind="upload", title=title, did={"name": asked["name"]})], "result": result}


def draw(task: Task) -> dict[str, Any]:
    """A picture or sound of a piece, written to the file that the server named."""
    score, target, kind = task.scores[0], Path(task.paths["file"]), task.asked.get("kind")
    formats.save(score, target, **({"kind": kind} if kind else {}))
    return {"pieces": [], "result": {"bytes": target.stat().st_size}}


def pages(task: Task) -> dict[str, Any]:
    """The engraved pages apart, and the second at which each bar begins."""
    score = task.scores[0]
    clock = Clock(score)
    starts = [round(float(clock.seconds(bar.start)), 3) for bar in clock.bars]
    return {"pieces": [], "result": {"pages": engraving.svg_pages(score), "seconds": starts}}


def unzip(task: Task) -> dict[str, Any]:
    """The files of music in an archive, each under a number; what is not taken, with the reason."""
    asked, folder = task.asked, Path(task.paths["folder"])
    added: list[dict[str, Any]] = []
    refused: list[dict[str, str]] = []
    room = asked["bytes"]
    try:
        with zipfile.ZipFile(task.paths["file"]) as archive:
            for member in archive.infolist():
                if member.is_dir():
                    continue
                why = _refusal(member, asked, len(added), room)
                data = b"" if why else _read(archive, member, min(asked["one"], room))
                why = why or ("" if data else "it is empty, damaged, or larger than it says")
                if why:
                    if len(refused) < MOST_REFUSED:
                        refused.append({"name": member.filename[-200:], "why": why})
                    continue
                stored = f"{len(added):06d}{Path(member.filename).suffix.lower()}"
                (folder / stored).write_bytes(data)
                room -= len(data)
                added.append({"name": member.filename[-200:], "file": stored})
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
        raise FormatError(f"the archive cannot be read ({error}); pack it again as a plain .zip") from error
    return {"pieces": [], "result": {"added": added, "refused": refused}}


def _refusal(member: zipfile.ZipInfo, asked: dict[str, Any], count: int, room: int) -> str:
    """Why a member of an archive is not taken; "" where it is."""
    name = member.filename
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in name:
        return "its path leads out of the archive"
    if (member.external_attr >> 16) & 0o170000 == 0o120000:
        return "it is a link"
    if member.flag_bits & 1:
        return "it is encrypted"
    if Path(name).suffix.lower() not in asked["suffixes"]:
        return f"not a kind of music file: {', '.join(asked['suffixes'])}"
    if member.file_size > asked["one"]:
        return f"{member.file_size:,} bytes, more than {asked['one']:,}"
    if count >= asked["files"] or member.file_size > room:
        return "the set is full"
    return ""


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """A member, however large it says it is; nothing where it is damaged or larger than `most`."""
    try:
        with archive.open(member) as file:
            data = file.read(most + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, lzma.LZMAError):
        return b""
    return data if len(data) <= most else b""


KINDS = {"parse": parse, "draw": draw, "pages": pages, "unzip": unzip}
