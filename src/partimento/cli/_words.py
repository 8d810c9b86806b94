"""What verbs share in reading their options and in saying numbers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import BadOption


def counted(count: int, noun: str) -> str:
    """ "1 note", "2,048 notes"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def keep(files: Iterable[Path | None], outputs: Iterable[Path]) -> None:
    """Raises `BadOption` where an output is one of the files that are read, by whatever path or link."""
    read = [file for file in files if file is not None and file.exists()]
    for output in outputs:
        if any(output.exists() and output.samefile(file) for file in read):
            raise BadOption(f"{output}: this is the file that is read, which stays as it is; name another one")


def one_budget(**budgets) -> None:
    """Raises `BadOption` where more than one budget is given, or one that is none."""
    given = [f"--{name}" for name, value in budgets.items() if value is not None]
    if len(given) > 1:
        raise BadOption(f"{' and '.join(given)} are alternatives; give one of them")
    for name, value in budgets.items():
        if value is not None and not value > 0:
            raise BadOption(f"--{name} {value:g} is out of range; wanted more than 0")
