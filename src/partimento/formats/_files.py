"""Reading a file whole and writing one beside its place, with every failure of the disk told as a sentence."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import FormatError

DISK_FAILURES: dict[type[OSError], str] = {
    FileNotFoundError: "there is no such file; check the name and the folder",
    IsADirectoryError: "this is a folder, not a file; name a file inside it",
    NotADirectoryError: "a part of the path is a file where a folder is needed; check the path",
    PermissionError: "permission denied; change the file's rights or copy it to a folder of yours",
}


def told(path: Path, error: OSError, kind: type[FormatError] = FormatError) -> FormatError:
    """`error` as a sentence that names the path and the way out."""
    reason = next((text for family, text in DISK_FAILURES.items() if isinstance(error, family)), None)
    return kind(f"{path}: {reason or f'{error.strerror or error}; check the disk and the path'}")


def read_bytes(path: Path, largest: int, kind: type[FormatError] = FormatError) -> bytes:
    """All of a file of 1 to `largest` bytes; raises `kind` where it is missing, empty, too large or unreadable."""
    try:
        with path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            plain, size = stat.S_ISREG(status.st_mode), status.st_size
            data = file.read() if plain and size <= largest else b""
    except OSError as error:
        raise told(path, error, kind) from error
    except ValueError as error:  # a NUL character in the name
        raise kind(f"{str(path)!r}: {error}; check the name") from error
    if not plain:  # a device may never end
        raise kind(f"{path}: this is a device or a pipe; copy it to a file first")
    if size > largest:
        raise kind(f"{path}: larger than {largest >> 20} MB; split it, or check that it is the file you mean")
    if not data:
        raise kind(f"{path}: the file is empty; fetch or export it again")
    return data


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A path with the same suffix in the same folder that takes the place of `path` on success and goes on failure."""
    if path.is_dir():
        raise told(path, IsADirectoryError())
    draft = path.with_name(f".{path.stem[:100]}.{os.getpid()}.part{path.suffix}")
    try:
        yield draft
        draft.replace(path)
    except FileNotFoundError as error:
        raise FormatError(f"{path}: there is no folder {path.parent}; make it first or choose another") from error
    except OSError as error:
        raise told(path, error) from error
    finally:
        if path.parent.is_dir():
            draft.unlink(missing_ok=True)
