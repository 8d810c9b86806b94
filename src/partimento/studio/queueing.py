"""Whose turn it is: the jobs of visitors, one of each at a time, in a circle."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

Job = TypeVar("Job")


class Turns(Generic[Job]):
    """Waiting jobs by visitor. A visitor whose job was taken goes to the end of the circle."""

    def __init__(self) -> None:
        self.circle: OrderedDict[str, deque[Job]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self.circle.values()))

    def of(self, visitor: str) -> int:
        """How many jobs of a visitor wait."""
        return len(self.circle.get(visitor, ()))

    def put(self, visitor: str, job: Job) -> None:
        self.circle.setdefault(visitor, deque()).append(job)

    def take(self) -> Job | None:
        """The next job, or None where there is none."""
        if not self.circle:
            return None
        visitor, jobs = self.circle.popitem(last=False)
        job = jobs.popleft()
        if jobs:
            self.circle[visitor] = jobs
        return job

    def remove(self, visitor: str, job: Job) -> bool:
        """Take a job out of the middle; whether it was there."""
        jobs = self.circle.get(visitor)
        if jobs is None or job not in jobs:
            return False
        jobs.remove(job)
        if not jobs:
            del self.circle[visitor]
        return True

    def order(self) -> list[Job]:
        """All waiting jobs in the order in which they will be taken."""
        rows = [list(jobs) for jobs in self.circle.values()]
        return [row[turn] for turn in range(max(map(len, rows), default=0)) for row in rows if turn < len(row)]
