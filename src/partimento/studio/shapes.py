"""What is answered, for the schema: the fields that can be relied on. More may be there; docs/studio-api.md has all."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Error(BaseModel):
    """What is wrong, as a sentence."""

    kind: str
    message: str


class Refused(BaseModel):
    """The answer to what cannot be."""

    error: Error


class Job(BaseModel):
    """A job as it begins."""

    id: str
    kind: str
    state: str
    place: int | None = None
    events: str


class JobInFull(BaseModel):
    """A job with what was asked and what came of it."""

    id: str
    kind: str
    state: str
    place: int | None = None
    created: str
    request: dict[str, Any]
    result: dict[str, Any] | None = None
    error: Error | None = None


class Jobs(BaseModel):
    jobs: list[JobInFull]


class Stopped(BaseModel):
    id: str
    state: str


class Summary(Open):
    """A piece in a line of the library."""

    id: str
    title: str
    kind: str
    parent: str | None
    root: str
    job: str | None
    rank: int | None
    style: str | None
    seed: int | None
    worth: float | None
    starred: bool
    deleted: bool
    created: str
    bars: int
    seconds: float
    notes: int
    key: str
    metre: str
    tempo: float
    tracks: list[str]


class Piece(Summary):
    """A piece with its music; a note is [track, onset, duration, pitch, velocity], times in ticks."""

    ticks_per_beat: int
    end: int
    upbeat: int
    track_list: list[dict[str, Any]]
    tempos: list[tuple[int, float]]
    metres: list[tuple[int, int, int]]
    keys: list[tuple[int, str]]
    bar_starts: list[int]
    note_list: list[tuple[int, int, int, int, int]]
    recipe: dict[str, Any] | None
    why: dict[str, Any]
    did: dict[str, Any]
    children: list[str]


class Page(BaseModel):
    pieces: list[Summary]
    more: bool


class Tree(BaseModel):
    root: str
    versions: list[Summary]


class Recipe(BaseModel):
    recipe: dict[str, Any] | None
    chain: list[dict[str, Any]]


class PutAway(BaseModel):
    id: str
    deleted: bool


class Pages(BaseModel):
    """Engraved pages as SVG, and the second at which each bar begins."""

    pages: list[str]
    seconds: list[float]


class Styles(BaseModel):
    default: str
    styles: list[dict[str, Any]]
    ranges: dict[str, tuple[float, float]]
    keys: list[str]
    metres: list[str]
    instruments: list[dict[str, Any]]


class Card(BaseModel):
    style: str
    markdown: str


class Status(Open):
    version: str
    workers: int
    ready: bool
    queued: int
    running: int
    extras: dict[str, bool]
    downloads: list[str]
    limits: dict[str, int]


class Set(BaseModel):
    """Files to train on."""

    id: str
    name: str
    files: int
    bytes: int


class Sets(BaseModel):
    sets: list[Set]


class Added(Set):
    """A set, what was added and what was refused."""

    added: list[dict[str, Any]]
    refused: list[dict[str, Any]]


class Presets(BaseModel):
    presets: list[dict[str, Any]]
    families: list[dict[str, Any]]
    encodings: list[str]


EVENTS = {"description": "Server-Sent Events; see docs/studio-api.md", "content": {"text/event-stream": {}}}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refused, "description": why}
    for status, why in {
        400: "what is asked cannot be; the message says why", 401: "a token is needed",
        403: "the request comes from elsewhere", 404: "there is none of that id", 409: "it cannot be done now",
        413: "too large", 415: "a kind of body that is not read",
        424: "an optional package is missing; the message is its install line", 429: "too many jobs wait",
    }.items()
}  # fmt: skip
