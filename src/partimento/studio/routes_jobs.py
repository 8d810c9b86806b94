"""Jobs over HTTP: composing, changing, answering, looking into the latent space; their events, their end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse

from ..errors import BadOption
from . import asking, shapes
from .errors import Conflict
from .parts import Parts, Studio, Visitor, known, told

router = APIRouter(prefix="/api/jobs", tags=["jobs"])
NEWEST = 200  # pieces on a map where none are named
ACCEPTED: dict[str, Any] = {"status_code": 202, "response_model": shapes.Job}


async def begin(
    studio: Parts, kind: str, visitor: str, asked: dict[str, Any], pieces: Sequence[str] = (), **more: Any
) -> dict[str, Any]:
    """A new job on pieces, the first of which is the parent of what it makes."""
    scores = [await asyncio.to_thread(studio.library.music, piece) for piece in pieces]
    paths = await asyncio.to_thread(studio.styles.find, asked.get("style")) | more.pop("paths", {})
    job = await studio.jobs.submit(kind, visitor, asked, scores=scores, paths=paths, **more)
    return told(studio.jobs, job)


async def _on_piece(studio: Parts, kind: str, visitor: str, asked: asking.OnPiece) -> dict[str, Any]:
    """A job that composes into a piece; in the piece's own style where that can."""
    wanted = asking.plain(asked)
    if "style" not in wanted:
        own = (await asyncio.to_thread(studio.library.summary, asked.piece))["style"]
        if own and await asyncio.to_thread(studio.styles.can_edit, own):
            wanted["style"] = own
    return await begin(studio, kind, visitor, wanted, [asked.piece], parents=[asked.piece])


@router.post("/compose", **ACCEPTED)
async def compose(asked: asking.Compose, studio: Studio, visitor: Visitor) -> Any:
    """Compose a piece; its notes come as events while it goes on."""
    return await begin(studio, "compose", visitor, asking.plain(asked))


@router.post("/infill", **ACCEPTED)
async def infill(asked: asking.Infill, studio: Studio, visitor: Visitor) -> Any:
    """Compose some bars of a piece anew."""
    return await _on_piece(studio, "infill", visitor, asked)


@router.post("/continue", **ACCEPTED)
async def continue_(asked: asking.Continue, studio: Studio, visitor: Visitor) -> Any:
    """Compose new bars behind, before or inside a piece."""
    return await _on_piece(studio, "continue", visitor, asked)


@router.post("/vary", **ACCEPTED)
async def vary(asked: asking.Vary, studio: Studio, visitor: Visitor) -> Any:
    """Compose a share of the bars of a piece anew."""
    return await _on_piece(studio, "vary", visitor, asked)


@router.post("/harmonize", **ACCEPTED)
async def harmonize(asked: asking.Harmonize, studio: Studio, visitor: Visitor) -> Any:
    """Compose other parts beside a melody."""
    return await _on_piece(studio, "harmonize", visitor, asked)


@router.post("/answer", **ACCEPTED)
async def answer(asked: asking.Answer, studio: Studio, visitor: Visitor) -> Any:
    """Go on from a phrase that was played."""
    return await begin(studio, "answer", visitor, asking.plain(asked))


@router.post("/morph", **ACCEPTED)
async def morph(asked: asking.Morph, studio: Studio, visitor: Visitor) -> Any:
    """The way from one piece to another through a latent space."""
    return await begin(studio, "morph", visitor, asking.plain(asked), [asked.first, asked.last])


@router.post("/map", **ACCEPTED)
async def map_(asked: asking.Map, studio: Studio, visitor: Visitor) -> Any:
    """Where pieces of the library lie in a latent space."""
    wanted = asking.plain(asked)
    if asked.pieces is None:
        page = await asyncio.to_thread(studio.library.pieces, limit=NEWEST)
        wanted["pieces"] = [one["id"] for one in page["pieces"]]
    found = [await asyncio.to_thread(studio.library.summary, piece) for piece in wanted["pieces"]]
    wanted["titles"] = [[one["title"], one["style"] or one["kind"]] for one in found]
    return await begin(studio, "map", visitor, wanted, wanted["pieces"], request=asking.plain(asked))


@router.post("/point", **ACCEPTED)
async def point(asked: asking.At, studio: Studio, visitor: Visitor) -> Any:
    """What a place of the latest map of a style sounds like."""
    plane = await asyncio.to_thread(studio.library.plane, asked.style)
    if plane is None:
        raise Conflict("there is no map of this style yet; draw one first: POST /api/jobs/map")
    wanted = asking.plain(asked)
    return await begin(studio, "point", visitor, wanted | {"plane": plane}, request=wanted)


@router.post("/explain", **ACCEPTED)
async def explain(asked: asking.Explain, studio: Studio, visitor: Visitor) -> Any:
    """What the model thought at each step of a window."""
    wanted = asking.plain(asked)
    if "style" not in wanted:
        own = (await asyncio.to_thread(studio.library.summary, asked.piece))["style"]
        wanted |= {"style": own} if own in await asyncio.to_thread(studio.styles.ids) else {}
    return await begin(studio, "explain", visitor, wanted, [asked.piece])


@router.get("", response_model=shapes.Jobs)
def jobs(studio: Studio, visitor: Visitor) -> Any:
    """This visitor's jobs, the newest first."""
    return {"jobs": [_shown(studio, one) for one in studio.library.jobs(visitor)]}


@router.get("/{job}", response_model=shapes.JobInFull)
def job(job: str, studio: Studio) -> Any:
    """One job, with its result once it has one."""
    return _shown(studio, studio.library.job(job))


def _shown(studio: Parts, one: dict[str, Any]) -> dict[str, Any]:
    live = known(studio.jobs, one["id"])
    if live is not None and not live.is_over:
        one |= {"state": live.state, "place": studio.jobs.place(live)}
    return {name: value for name, value in one.items() if name != "visitor"}


@router.post("/{job}/stop", response_model=shapes.Stopped)
async def stop(job: str, studio: Studio) -> Any:
    """Stop a job; what it has made is kept where it can be."""
    live = known(studio.jobs, job)
    if live is None:
        state = (await asyncio.to_thread(studio.library.job, job))["state"]
        raise Conflict(f"the job is {state} already")
    studio.jobs.stop(live)
    return {"id": job, "state": live.state}


@router.post("/{job}/again", **ACCEPTED)
async def again(job: str, studio: Studio, visitor: Visitor) -> Any:
    """The same request as a new job; a training goes on where it stood."""
    old = await asyncio.to_thread(studio.library.job, job)
    live = known(studio.jobs, job)
    if live is not None and not live.is_over:
        raise Conflict("the job is not over yet; wait, or stop it")
    from .routes_training import go_on

    if old["kind"] == "train":
        return await go_on(studio, visitor, old)
    kind = AGAIN.get(old["kind"])
    if kind is None:
        raise BadOption(f"a job of the kind {old['kind']} is not begun again; ask for it anew")
    shape, route = kind
    return await route(shape.model_validate(old["request"]), studio, visitor)


AGAIN: dict[str, tuple[type[asking.Asked], Any]] = {
    "compose": (asking.Compose, compose), "infill": (asking.Infill, infill), "continue": (asking.Continue, continue_),
    "vary": (asking.Vary, vary), "harmonize": (asking.Harmonize, harmonize), "answer": (asking.Answer, answer),
    "morph": (asking.Morph, morph), "map": (asking.Map, map_), "point": (asking.At, point),
    "explain": (asking.Explain, explain),
}  # fmt: skip


@router.get("/{job}/events", response_class=StreamingResponse, responses={200: shapes.EVENTS})
async def events(
    job: str, studio: Studio, last_event_id: str = Header("", max_length=40), after: int = 0
) -> StreamingResponse:
    """What happens in a job, from the beginning or from `Last-Event-ID` on, as Server-Sent Events."""
    start = int(last_event_id) if last_event_id.isdecimal() and len(last_event_id) < 10 else max(0, after)
    live = known(studio.jobs, job)
    if live is not None:
        source = _lines(studio, live, start)
    else:
        old = await asyncio.to_thread(studio.library.job, job)
        source = _last_word(old)
    return StreamingResponse(source, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _lines(studio: Parts, job, start: int) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    async for one in studio.jobs.listen(job, start):
        if one is None:
            yield b": still here\n\n"
        else:
            number, event, data = one
            yield f"id: {number}\nevent: {event}\ndata: {data}\n\n".encode()


async def _last_word(old: dict[str, Any]) -> AsyncIterator[bytes]:
    """The end of a job that only the library remembers."""
    state = old["state"]
    event = state if state in ("done", "stopped") else "error"
    nothing = {"kind": state, "message": f"the job is {state}"}
    data = {"error": old["error"] or nothing} if event == "error" else old["result"] or {}
    yield f"id: 1000000\nevent: {event}\ndata: {json.dumps(data)}\n\n".encode()
