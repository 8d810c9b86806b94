"""Words that the verbs share."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """ "1 note", "2,048 notes"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
