"""What routes work with, and the small things that all of them do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from .jobs import Job, Jobs
from .library import Library
from .settings import Settings
from .styles import Styles
from .uploads import Uploads


@dataclass
class Parts:
    """The parts of one studio."""

    settings: Settings
    library: Library
    jobs: Jobs
    styles: Styles
    uploads: Uploads


def parts_of(request: Request) -> Parts:
    return request.app.state.parts


def visitor_of(request: Request) -> str:
    return request.scope["state"]["visitor"]


Studio = Annotated[Parts, Depends(parts_of)]
Visitor = Annotated[str, Depends(visitor_of)]


def told(jobs: Jobs, job: Job) -> dict[str, Any]:
    """A job as it is answered when it is made."""
    return {
        "id": job.id, "kind": job.kind, "state": job.state, "place": jobs.place(job),
        "events": f"/api/jobs/{job.id}/events",
    }  # fmt: skip


def known(jobs: Jobs, name: str) -> Job | None:
    """A job that is in memory, if it is one that is told of."""
    job = jobs.jobs.get(name)
    return job if job is not None and job.recorded else None
