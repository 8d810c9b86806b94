"""The library over HTTP: pieces, their versions, changes by hand, downloads."""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from .. import api, arrange, expression, transform
from ..errors import BadOption, MusicError
from ..formats import WRITERS, audio
from ..formats._limits import refuse_absurd
from ..instruments import find_program
from ..score import Score
from ..timing import Clock
from . import asking, packing, shapes
from .errors import Missing
from .library import NewPiece
from .parts import Parts, Studio, Visitor
from .routes_jobs import begin

router = APIRouter(prefix="/api/pieces", tags=["pieces"])
KINDS = {  # suffix -> media type
    "mid": "audio/midi", "musicxml": "application/vnd.recordare.musicxml+xml",
    "mxl": "application/vnd.recordare.musicxml", "wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg",
    "mp3": "audio/mpeg", "svg": "image/svg+xml", "png": "image/png",
}  # fmt: skip
SOUNDS = ("wav", "flac", "ogg", "mp3")
FILE = re.compile(r"(piece|roll|score)\.([a-z0-9]{2,8})")
CACHED = 64  # rendered files that are kept
ID = Annotated[str, asking.Field(max_length=40)]


@router.get("", response_model=shapes.Page)
def pieces(
    studio: Studio, search: Annotated[str, Query(max_length=200)] = "", starred: bool = False,
    style: Annotated[str, Query(max_length=200)] = "", kind: Annotated[str, Query(max_length=40)] = "",
    view: Literal["best", "all", "deleted"] = "best", limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[str, Query(max_length=40)] = "",
) -> Any:  # fmt: skip
    """A page of the library, the newest first."""
    return JSONResponse(
        studio.library.pieces(
            search=search, starred=starred, style=style, kind=kind, view=view, limit=limit, before=before
        )
    )


@router.get("/{piece}", response_model=shapes.Piece)
def piece(piece: str, studio: Studio) -> Any:
    """A piece with its music."""
    return JSONResponse(studio.library.piece(piece))


@router.patch("/{piece}", response_model=shapes.Summary)
def change(piece: str, asked: asking.Changed, studio: Studio) -> Any:
    """Name or star a piece."""
    return JSONResponse(studio.library.change(piece, title=asked.title, starred=asked.starred))


@router.delete("/{piece}", response_model=shapes.PutAway)
def put_away(piece: str, studio: Studio) -> Any:
    """Put a piece away; nothing is lost."""
    return studio.library.put_away(piece, True)


@router.post("/{piece}/restore", response_model=shapes.PutAway)
def restore(piece: str, studio: Studio) -> Any:
    """Bring a piece back."""
    return studio.library.put_away(piece, False)


@router.get("/{piece}/tree", response_model=shapes.Tree)
def tree(piece: str, studio: Studio) -> Any:
    """All versions of a piece, the oldest first."""
    return JSONResponse(studio.library.tree(piece))


@router.get("/{piece}/recipe", response_model=shapes.Recipe)
def recipe(piece: str, studio: Studio) -> Any:
    """What was asked for, and what was done since."""
    score = packing.unpack(studio.library.music(piece))
    return JSONResponse({"recipe": score.recipe, "chain": studio.library.chain(piece)})


@router.post("/{piece}/reproduce", status_code=202, response_model=shapes.Job)
async def reproduce(piece: str, studio: Studio, visitor: Visitor) -> Any:
    """Compose a piece again from its recipe."""
    known = await asyncio.to_thread(studio.library.summary, piece)
    sources = [piece] + [known["parent"]] * bool(known["parent"])
    own = known["style"] if known["style"] in await asyncio.to_thread(studio.styles.ids) else None
    asked = {"piece": piece, **({"style": own} if own and "/" in own else {})}
    return await begin(studio, "reproduce", visitor, asked, sources)


@router.post("/{piece}/edit", status_code=201, response_model=shapes.Piece)
def edit(piece: str, asked: asking.Edit, studio: Studio) -> Any:
    """Notes taken out, changed and put in, as a new version."""
    change = [one.model_dump(exclude_none=True) for one in asked.change]
    score = packing.unpack(studio.library.music(piece))
    new = packing.edited(score, asked.remove, change, asked.add, studio.settings.limits.notes)
    return _version(studio, piece, "edit", new, asking.plain(asked), ["notes changed by hand"], asked.title)


@router.post("/{piece}/transform", status_code=201, response_model=shapes.Piece)
def transform_(piece: str, asked: asking.Transform, studio: Studio) -> Any:
    """The whole piece transposed, arranged, cut ..., as a new version."""
    wanted = asking.plain(asked)
    score, done = packing.unpack(studio.library.music(piece)), []
    for name, step in STEPS.items():
        if wanted.get(name) not in (None, False):
            score = step(score, wanted[name], wanted)
            done.append(f"{name} {wanted[name]}"[:100])
    if not done:
        raise BadOption(f"nothing to do; wanted one of {', '.join(STEPS)}")
    if not len(score):
        raise MusicError("no note would be left")
    return _version(studio, piece, "transform", score, wanted, done, None)


def _version(
    studio: Parts, parent: str, kind: str, score: Score, did: dict[str, Any], done: list[str], title: str | None
) -> Response:
    """A new version of a piece, kept; its recipe says that it is no longer as its seed made it."""
    if score.recipe is not None:
        score = replace(score, recipe={**score.recipe, "transform": [*score.recipe.get("transform", ()), *done]})
    refuse_absurd(score, "the piece")
    before = studio.library.summary(parent)
    new = NewPiece(
        packing.pack(score), kind, title or before["title"], parent, style=before["style"], seed=before["seed"],
        did=did if kind == "transform" else {name: len(value) for name, value in did.items() if name != "title"},
    )  # fmt: skip
    (name,) = studio.library.keep([new])
    return JSONResponse(studio.library.piece(name), 201)


def _programs(names: list[str | int]) -> list[int]:
    return [find_program(one) if isinstance(one, str) else one for one in names]


def _bars(score: Score, bars: list[int]) -> Score:
    """Only the bars from the first to the last of `bars`, counted from 1, an upbeat not counted."""
    every = Clock(score).bars
    first, last = (number - 1 + bool(score.upbeat) for number in bars)
    if not 0 <= first <= last < len(every):
        raise BadOption(f"there are no bars {bars[0]}-{bars[1]}; the piece has {len(every) - bool(score.upbeat)}")
    return transform.cut(score, every[first].start, every[last].end)


STEPS: dict[str, Any] = {  # in the order in which they are applied
    "bars": lambda score, bars, _: _bars(score, bars),
    "transpose": lambda score, semitones, _: transform.transpose(score, semitones),
    "to_key": lambda score, key, _: transform.to_key(score, key),
    "stretch": lambda score, factor, _: transform.stretch(score, factor),
    "arrange": lambda score, names, _: arrange.arrange(score, _programs(names)),
    "tempo": lambda score, bpm, _: transform.with_tempo(score, bpm),
    "express": lambda score, asked, _: expression.perform(score, excitement=None if asked is True else asked),
    "humanise": lambda score, _, asked: transform.humanise(
        score, np.random.default_rng(asked.get("seed", secrets.randbelow(10**6)))
    ),
}


@router.get("/{piece}/originality")
async def originality(piece: str, studio: Studio, visitor: Visitor) -> Any:
    """Where the music came from, by the index of what its model learnt."""
    known = await asyncio.to_thread(studio.library.summary, piece)
    sources = [piece] + [known["parent"]] * bool(known["parent"] and known["kind"] not in ("edit", "transform"))
    scores = [await asyncio.to_thread(studio.library.music, one) for one in sources]
    own = "/" in (known["style"] or "") and known["style"] in await asyncio.to_thread(studio.styles.ids)
    paths = await asyncio.to_thread(studio.styles.find, known["style"]) if own else {}
    seconds = studio.settings.limits.draw_seconds
    reply = await studio.jobs.ask("originality", visitor, {}, seconds, scores=scores, paths=paths)
    return JSONResponse(reply["result"])


@router.get("/{piece}/score.json", response_model=shapes.Pages)
async def score_pages(piece: str, studio: Studio, visitor: Visitor) -> Any:
    """The engraved pages, one SVG each."""
    music = await asyncio.to_thread(studio.library.music, piece)
    reply = await studio.jobs.ask("pages", visitor, {}, studio.settings.limits.draw_seconds, scores=[music])
    return JSONResponse(reply["result"])


@router.get("/{piece}/{file}", response_class=FileResponse)
async def download(
    piece: str, file: str, request: Request, studio: Studio, visitor: Visitor, expression: bool | None = None,
    download: bool = False,
) -> Response:  # fmt: skip
    """A piece as MIDI, MusicXML, sound or picture."""
    match = FILE.fullmatch(file)
    if match is None or match[2] not in KINDS or (match[1] == "piece") == (match[2] in ("svg", "png")):
        raise Missing(f"there is no {file[:40]!r} of a piece; there are piece.mid, piece.wav, roll.svg, score.svg ...")
    if match[2] in SOUNDS:
        audio.check(Path(file))
        audio.find_soundfont()
    title = (await asyncio.to_thread(studio.library.summary, piece))["title"]
    shaped = match[2] in SOUNDS if expression is None else expression and match[1] == "piece"
    path = await _written(studio, visitor, piece, match[1], match[2], bool(shaped))
    headers = {"cache-control": "private, max-age=3600"}
    if download:
        plain = re.sub(r"[^A-Za-z0-9 _-]", "_", title)[:80].strip() or "piece"
        name = quote(f"{title[:80]}.{match[2]}", safe="")
        headers["content-disposition"] = f"attachment; filename=\"{plain}.{match[2]}\"; filename*=UTF-8''{name}"
    return FileResponse(path, media_type=KINDS[match[2]], headers=headers)


async def _written(studio: Parts, visitor: str, piece: str, what: str, suffix: str, shaped: bool) -> Path:
    """The file of a piece, from the cache or written by a helper; pieces never change, so neither do their files."""
    folder = studio.settings.made("cache")
    path = folder / f"{piece}-{what}{'-shaped' * shaped}.{suffix}"
    if path.is_file():
        return path
    music = await asyncio.to_thread(studio.library.music, piece)
    if shaped:
        music = await asyncio.to_thread(lambda: packing.pack(api.express(packing.unpack(music))))
    draft = studio.uploads.new_path(f".{suffix}")
    asked, paths = {"kind": "score"} if what == "score" else {}, {"file": str(draft)}
    seconds = studio.settings.limits.draw_seconds * (3 if suffix in SOUNDS else 1)
    try:
        await studio.jobs.ask("draw", visitor, asked, seconds, scores=[music], paths=paths)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    await asyncio.to_thread(_sweep, folder)
    return path


def _sweep(folder: Path) -> None:
    """Delete the oldest of the rendered files."""
    files = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    for path in files[:-CACHED]:
        path.unlink(missing_ok=True)


def available() -> list[str]:
    """Kinds of files that can be written here."""
    found = [kind for kind in KINDS if f".{kind}" in WRITERS]
    return [kind for kind in found if kind not in SOUNDS or audio.available(f".{kind}")]
