"""The studio as a web application: its parts put together, its errors told, its routes."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ..errors import PartimentoError
from . import errors, routes_jobs, routes_pieces, routes_studio, routes_training, shapes
from .jobs import Jobs
from .library import Library
from .locks import held
from .parts import Parts
from .security import Gate
from .settings import Settings, check_folder
from .styles import Styles
from .uploads import Uploads

ABOUT = "Composing, changing, training and listening: everything that the studio's page does. See docs/studio-api.md."
log = logging.getLogger("partimento.studio")


def create(settings: Settings) -> Gate:
    """The application, behind its gate; raises `PartimentoError` where nothing can be kept in its folder."""
    check_folder(settings.folder)
    lock = ExitStack()
    lock.enter_context(held(settings.folder))
    library = Library(settings.folder / "library.db")
    jobs = Jobs(settings, library)
    parts = Parts(settings, library, jobs, Styles(settings, library), Uploads(settings, library, jobs))

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await jobs.open()
        yield
        await jobs.close()
        library.close()
        lock.close()

    app = FastAPI(
        title="Partimento studio", description=ABOUT, version=routes_studio.installed(), lifespan=life,
        docs_url=None, redoc_url=None, responses=shapes.REFUSALS, redirect_slashes=False,
    )  # fmt: skip
    app.state.parts = parts
    app.add_exception_handler(PartimentoError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)
    for module in (routes_training, routes_jobs, routes_pieces, routes_studio):  # the last one takes every other path
        app.include_router(module.router)
    return Gate(app, settings)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PartimentoError)
    status = errors.status_of(error)
    headers = {"retry-after": str(errors.RETRY_AFTER)} if status == 429 else None
    return JSONResponse(errors.told(error), status, headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """What is wrong with a request's fields, in a sentence each."""
    assert isinstance(error, RequestValidationError)
    said = []
    for one in error.errors()[:5]:
        where = ".".join(str(part) for part in one["loc"] if part not in ("body", "query", "path"))[:100]
        said.append(f"{where or 'the body'}: {one['msg']}"[:300])
    return _told(400, "BadRequest", "; ".join(said))


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _told(error.status_code, "http", f"{request.method} {request.url.path[:100]}: {error.detail}")


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    log.exception("%s %s", request.method, request.url.path)
    return _told(500, "unforeseen", "the studio made a mistake; its log says which")


def _told(status: int, kind: str, message: str) -> JSONResponse:
    text: Any = message.encode("utf-8", "replace").decode()
    return JSONResponse({"error": {"kind": kind, "message": text}}, status)
