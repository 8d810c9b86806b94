"""What a request can get wrong besides what all of Partimento's callers can; each has its HTTP status.

PartimentoError
├── Busy           429   the queue is full
├── Conflict       409   it cannot be done now
├── TooLarge       413   a body or a set beyond its limit
├── Unsupported    415   a kind of file or body that is not read
├── Unauthorised   401   the token is missing or wrong
├── Forbidden      403   Host or Origin is another's
└── Failed               what a child said went wrong, by its own kind
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import MissingExtra, PartimentoError, UnknownName

RETRY_AFTER = 5  # seconds


class Busy(PartimentoError):
    """Too many jobs wait."""


class Conflict(PartimentoError):
    """It cannot be done now."""


class TooLarge(PartimentoError):
    """A body, a file or a set beyond its limit."""


class Unsupported(PartimentoError):
    """A kind of file or body that is not read."""


class Unauthorised(PartimentoError):
    """The token is missing or wrong."""


class Forbidden(PartimentoError):
    """The request comes from where none may come from."""


class Missing(UnknownName):
    """No piece, job, set or page of that name."""


class Failed(PartimentoError):
    """What a child reported; `kind` is the name of its error."""

    def __init__(self, error: Mapping[str, Any]):
        super().__init__(error["message"])
        self.kind = error["kind"]


STATUS: tuple[tuple[type[PartimentoError], int], ...] = (  # the first that fits
    (Busy, 429), (Conflict, 409), (TooLarge, 413), (Unsupported, 415), (Unauthorised, 401), (Forbidden, 403),
    (Missing, 404), (MissingExtra, 424), (PartimentoError, 400),
)  # fmt: skip


def status_of(error: PartimentoError) -> int:
    """The HTTP status of an error; never 5xx, for all of them can be put right by whoever asks."""
    if isinstance(error, Failed) and error.kind == "MissingExtra":
        return 424
    return next(status for kind, status in STATUS if isinstance(error, kind))


def told(error: PartimentoError) -> dict[str, Any]:
    """An error as JSON."""
    kind = error.kind if isinstance(error, Failed) else type(error).__name__
    return {"error": {"kind": kind, "message": str(error)}}
