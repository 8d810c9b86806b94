"""The studio itself over HTTP: how it stands, its styles, files dropped on it, its sound, its page."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from ..errors import BadOption, MissingExtra
from ..formats import audio
from . import shapes
from .errors import Missing
from .jobs import new_pieces
from .parts import Studio, Visitor
from .routes_pieces import available
from .routes_training import trainable

router = APIRouter(tags=["studio"])
PAGE = Path(__file__).parent / "page"
KINDS = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".wasm": "application/wasm",
         ".svg": "image/svg+xml", ".html": "text/html; charset=utf-8", ".json": "application/json",
         ".webmanifest": "application/manifest+json", ".woff2": "font/woff2"}  # fmt: skip


@router.get("/api/status", response_model=shapes.Status)
def status(studio: Studio) -> Any:
    """How the studio stands, what it can write, and its limits."""
    limits = studio.settings.limits
    return {
        "version": installed(), "workers": studio.settings.crew, "ready": studio.jobs.ready,
        "queued": studio.jobs.count("queued"), "running": studio.jobs.count("running"),
        "extras": {
            "audio": audio.available(), "score": find_spec("verovio") is not None, "train": trainable(),
            "soundfont": soundfont() is not None,
        },
        "downloads": available(),
        "limits": {
            "bars": limits.bars, "seconds": limits.seconds, "candidates": limits.candidates,
            "queued_a_visitor": limits.queued_a_visitor, "queued": limits.queued, "upload_bytes": limits.upload,
            "archive_bytes": limits.archive, "set_bytes": limits.set_bytes, "set_files": limits.set_files,
        },
    }  # fmt: skip


@router.get("/api/styles", response_model=shapes.Styles)
def styles(studio: Studio) -> Any:
    """The styles there are, and the ranges of what can be asked."""
    return JSONResponse(studio.styles.table())


@router.get("/api/styles/card", response_model=shapes.Card)
def card(style: Annotated[str, Query(max_length=200)], studio: Studio) -> Any:
    """The model card of a style, in Markdown."""
    return {"style": style, "markdown": studio.styles.card(style)}


@router.post("/api/upload", status_code=201, response_model=shapes.Piece)
async def upload(
    request: Request, studio: Studio, visitor: Visitor, name: Annotated[str, Query(max_length=500)]
) -> Any:
    """A MIDI or MusicXML file as a piece to start from; the file is the body."""
    reply = await studio.uploads.parsed(name, await request.body(), visitor)
    (new,) = new_pieces(None, reply["pieces"])
    (piece,) = await asyncio.to_thread(studio.library.keep, [new])
    found = await asyncio.to_thread(studio.library.piece, piece)
    return JSONResponse(found | {"warnings": reply["result"]["warnings"]}, 201)


@router.get("/api/soundfont", response_class=FileResponse)
def sound(request: Request) -> Response:
    """The soundfont that pieces are rendered with, for a synthesiser in the browser."""
    path = soundfont()
    if path is None:
        raise MissingExtra(f"there is no soundfont: {audio.INSTALL}, or name one in {audio.SOUNDFONT_VARIABLE}")
    tag = _tag(path)
    headers = {"etag": tag, "cache-control": "private, max-age=86400"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return FileResponse(path, media_type="audio/x-soundfont", headers=headers)


def soundfont() -> Path | None:
    try:
        return audio.find_soundfont()
    except (BadOption, MissingExtra):
        return None


@cache
def _tag(path: Path) -> str:
    stat = path.stat()
    return f'"{hashlib.sha256(f"{path}{stat.st_size}{stat.st_mtime_ns}".encode()).hexdigest()[:16]}"'


def installed() -> str:
    try:
        return version("partimento")
    except PackageNotFoundError:
        return "source"


@router.get("/", response_class=FileResponse, include_in_schema=False)
def index() -> Response:
    """The page."""
    return _file("index.html")


@router.get("/{path:path}", response_class=FileResponse, include_in_schema=False)
def page(path: str) -> Response:
    """Any other file of the page."""
    return _file(path)


def _file(name: str) -> Response:
    """A file of the page's folder, found among those that are there: no path from a request reaches the disk."""
    known = {found.relative_to(PAGE).as_posix(): found for found in PAGE.rglob("*") if found.is_file()}
    path = known.get(name)
    if path is None:
        raise Missing(f"there is no page {name[:80]!r}")
    kind = KINDS.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return FileResponse(path, media_type=kind, headers={"cache-control": "no-cache"})
