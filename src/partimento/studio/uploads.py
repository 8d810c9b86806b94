"""Files that come in: one piece to start from, or a set to train on, singly or as an archive.

A name that comes with a file is shown and never used as a path; files are stored under numbers. Archives are opened in
a helper child (`helping.unzip`), for a table of contents may itself be a bomb.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from . import errors
from .jobs import Jobs
from .library import Library
from .settings import Settings

SUFFIXES = (".mid", ".midi", ".musicxml", ".xml", ".mxl")
UNZIP_SECONDS = 120.0
NAME_LENGTH = 120


def shown_name(name: str) -> str:
    """A file's name as it is shown: one line, no control characters, not too long."""
    plain = "".join(letter if letter.isprintable() else "_" for letter in name.replace("\\", "/")).strip()
    return plain[-NAME_LENGTH:] or "unnamed"


def suffix_of(name: str, others: tuple[str, ...] = ()) -> str:
    """The suffix of a kind of file that is read; raises `Unsupported`."""
    suffix = Path(name.rpartition("/")[2]).suffix.lower()
    if suffix not in (*SUFFIXES, *others):
        known = ", ".join((*SUFFIXES, *others))
        raise errors.Unsupported(f"{name}: files of this kind are not read; there are {known}")
    return suffix


class Uploads:
    """The folders where files arrive and where sets are kept."""

    def __init__(self, settings: Settings, library: Library, jobs: Jobs):
        self.settings, self.library, self.jobs, self.limits = settings, library, jobs, settings.limits
        self.incoming = settings.made("incoming")
        for left in self.incoming.iterdir():  # of a studio that was killed
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        self.locks: dict[str, asyncio.Lock] = {}

    def new_path(self, suffix: str) -> Path:
        return self.incoming / f"{secrets.token_hex(8)}{suffix}"

    def folder_of(self, owner: str) -> Path:
        """Where the files of a set lie; raises `Missing` for a set that there is not."""
        return self.settings.made("sets", self.library.set_of(owner)["id"])

    async def parsed(self, name: str, body: bytes, visitor: str) -> dict[str, Any]:
        """A file as a piece, read by a helper; its reply."""
        name = shown_name(name)
        path = self.new_path(suffix_of(name))
        if not body:
            raise errors.Unsupported(f"{name}: the file is empty")
        try:
            await asyncio.to_thread(path.write_bytes, body)
            asked = {"name": name, "most": self.limits.notes}
            return await self.jobs.ask("parse", visitor, asked, self.limits.parse_seconds, paths={"file": str(path)})
        finally:
            path.unlink(missing_ok=True)

    async def add(self, owner: str, name: str, body: AsyncIterator[bytes], visitor: str) -> dict[str, Any]:
        """One file, or an archive of many, into a set."""
        folder, name = self.folder_of(owner), shown_name(name)
        suffix = suffix_of(name, (".zip",))
        path = self.new_path(suffix)
        try:
            most = self.limits.archive if suffix == ".zip" else self.limits.upload
            async with asyncio.timeout(self.limits.body_seconds):
                await _arrive(body, path, most)
            async with self.locks.setdefault(owner, asyncio.Lock()):
                if suffix == ".zip":
                    return await self._unzipped(owner, folder, path, visitor)
                return await asyncio.to_thread(self._one, owner, folder, path, name, suffix)
        except TimeoutError as error:
            raise errors.TooLarge(f"{name} took longer than {self.limits.body_seconds:g} s to arrive") from error
        finally:
            path.unlink(missing_ok=True)

    def _one(self, owner: str, folder: Path, path: Path, name: str, suffix: str) -> dict[str, Any]:
        known, size = self.library.set_of(owner), path.stat().st_size
        if known["files"] + 1 > self.limits.set_files or known["bytes"] + size > self.limits.set_bytes:
            raise errors.TooLarge(_full(self.limits))
        stored = self._keep(owner, folder, [(path, name, suffix)])
        return self._state(owner) | {"added": stored, "refused": []}

    def _keep(self, owner: str, folder: Path, files: list[tuple[Path, str, str]]) -> list[dict[str, Any]]:
        """Move files into the set, then say so in the library: what it does not know is no part of the set."""
        first = 1 + max((int(file.partition(".")[0]) for file in self.library.files(owner)), default=0)
        rows = []
        for number, (path, name, suffix) in enumerate(files, first):
            target = folder / f"{number:06d}{suffix}"
            size = path.stat().st_size
            path.replace(target)
            rows.append((name, target.name, size))
        self.library.add_files(owner, rows)
        return [{"name": name, "bytes": size} for name, _, size in rows]

    def _state(self, owner: str) -> dict[str, Any]:
        known = self.library.set_of(owner)
        return {name: known[name] for name in ("id", "name", "files", "bytes")}

    async def _unzipped(self, owner: str, folder: Path, archive: Path, visitor: str) -> dict[str, Any]:
        known = await asyncio.to_thread(self.library.set_of, owner)
        place = self.new_path("")
        await asyncio.to_thread(place.mkdir)
        asked = {
            "files": self.limits.set_files - known["files"], "bytes": self.limits.set_bytes - known["bytes"],
            "one": self.limits.upload, "suffixes": list(SUFFIXES),
        }  # fmt: skip
        try:
            paths = {"file": str(archive), "folder": str(place)}
            reply = await self.jobs.ask("unzip", visitor, asked, UNZIP_SECONDS, paths=paths)
            found = [(place / one["file"], shown_name(one["name"]), Path(one["file"]).suffix)
                     for one in reply["result"]["added"]]  # fmt: skip
            added = await asyncio.to_thread(self._keep, owner, folder, found)
        finally:
            await asyncio.to_thread(shutil.rmtree, place, True)
        refused = [one | {"name": shown_name(one["name"])} for one in reply["result"]["refused"]]
        return await asyncio.to_thread(self._state, owner) | {"added": added, "refused": refused}

    def ready(self, owner: str) -> tuple[Path, dict[str, str]]:
        """A set's folder holding exactly its files, and their names; raises `Conflict` where it is empty."""
        folder, names = self.folder_of(owner), self.library.files(owner)
        if not names:
            raise errors.Conflict("there is no file in the set; add MIDI or MusicXML files first")
        for path in folder.iterdir():
            if path.name not in names and path.is_file():  # moved in when the studio was killed
                path.unlink()
        return folder, names


def _full(limits) -> str:
    return f"the set would hold more than {limits.set_files:,} files or {limits.set_bytes / 1e6:,.0f} MB; begin another"


async def _arrive(body: AsyncIterator[bytes], path: Path, most: int) -> None:
    """Write a body to a file as it arrives; raises `TooLarge` beyond its limit."""
    size = 0
    with path.open("wb") as file:
        async for part in body:
            size += len(part)
            if size > most:
                raise errors.TooLarge(f"more than {most:,} bytes; send less at a time")
            file.write(part)
    if not size:
        raise errors.Unsupported("the file is empty")
