"""The library: every piece that was made, every job that was asked for, in one SQLite file.

Pieces are never changed and never deleted: a change is a new piece with its parent's id, and deleting puts away. A
job's pieces are written together with its end in one transaction, so that what is finished is whole.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import FormatError
from . import packing
from .errors import Missing

VERSION = 1
LIVE = ("queued", "running")
TABLES = """
CREATE TABLE IF NOT EXISTS pieces (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, parent TEXT, root TEXT NOT NULL, job TEXT,
  kind TEXT NOT NULL, rank INTEGER, title TEXT NOT NULL, style TEXT, seed INTEGER, worth REAL,
  starred INTEGER NOT NULL DEFAULT 0, named INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0,
  created REAL NOT NULL, summary TEXT NOT NULL, did TEXT NOT NULL, why TEXT NOT NULL, music BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS pieces_by_root ON pieces (root);
CREATE INDEX IF NOT EXISTS pieces_by_parent ON pieces (parent);
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, visitor TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL,
  ended REAL, request TEXT NOT NULL, result TEXT);
CREATE INDEX IF NOT EXISTS jobs_by_visitor ON jobs (visitor, created);
CREATE TABLE IF NOT EXISTS sets (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, created REAL NOT NULL, deleted INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS files (
  number INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, name TEXT NOT NULL, file TEXT NOT NULL,
  bytes INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS files_by_owner ON files (owner);
CREATE TABLE IF NOT EXISTS planes (style TEXT PRIMARY KEY, plane TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS hidden (model TEXT PRIMARY KEY);
"""
COLUMNS = "id, parent, root, job, kind, rank, title, style, seed, worth, starred, deleted, created, summary"
BEST = (  # of the candidates of a job the best, and those that somebody has done something with
    "(kind NOT IN ('compose', 'infill', 'continue', 'vary', 'harmonize', 'answer') OR rank = 0 OR starred OR named"
    " OR EXISTS (SELECT 1 FROM pieces AS later WHERE later.parent = pieces.id))"
)


@dataclass(frozen=True)
class NewPiece:
    """A piece to be kept: packed music, what made it and what it came from."""

    music: bytes
    kind: str
    title: str = ""
    parent: str | None = None
    job: str | None = None
    rank: int | None = None
    style: str | None = None
    seed: int | None = None
    worth: float | None = None
    did: Mapping[str, Any] = field(default_factory=dict)
    why: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    root: str = ""  # of the parent, where that is kept in the same breath


def new_id(letter: str) -> str:
    return letter + secrets.token_hex(8)


class Library:
    """One connection, one lock: writes are short, and SQLite lets one writer in at a time anyway."""

    def __init__(self, path: Path):
        self.lock = threading.RLock()
        try:
            self.base = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
            self.base.row_factory = sqlite3.Row
            self.base.execute("PRAGMA journal_mode = WAL")
            self.base.execute("PRAGMA synchronous = FULL")
            found = self.base.execute("PRAGMA user_version").fetchone()[0]
            if found > VERSION:
                raise FormatError(f"{path}: written by a newer studio (version {found}); update partimento")
            self.base.executescript(TABLES)
            self.base.execute(f"PRAGMA user_version = {VERSION}")
        except sqlite3.DatabaseError as error:
            raise FormatError(
                f"{path}: not a library of the studio ({error}); move it away, or choose another --folder"
            ) from error

    def close(self) -> None:
        with self.lock:
            self.base.close()

    def _write(self, *steps: tuple[str, Sequence[Any]]) -> int:
        """All of `steps` or none; the rows that the last one touched."""
        with self.lock:
            self.base.execute("BEGIN IMMEDIATE")
            try:
                for text, values in steps:
                    touched = self.base.execute(text, values).rowcount
                self.base.execute("COMMIT")
            except BaseException:
                self.base.execute("ROLLBACK")
                raise
        return touched

    def _rows(self, text: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self.lock:
            return self.base.execute(text, values).fetchall()

    # --- pieces

    def _insert(self, piece: NewPiece) -> tuple[str, tuple[str, Sequence[Any]]]:
        """The id of a new piece and the step that keeps it."""
        name = piece.id or new_id("p")
        root = piece.root or (self._row(piece.parent)["root"] if piece.parent else name)
        score = packing.unpack(piece.music)
        title = piece.title or score.title or "Untitled"
        values = (
            name, piece.parent, root, piece.job, piece.kind, piece.rank, title[:200], piece.style, piece.seed,
            piece.worth, time.time(), json.dumps(packing.seen(score)), json.dumps(piece.did), json.dumps(piece.why),
            piece.music,
        )  # fmt: skip
        text = (
            "INSERT INTO pieces (id, parent, root, job, kind, rank, title, style, seed, worth, created, summary, did, "
            f"why, music) VALUES ({', '.join('?' * len(values))})"
        )
        return name, (text, values)

    def keep(self, pieces: Iterable[NewPiece], *more: tuple[str, Sequence[Any]]) -> list[str]:
        """Keep pieces, with whatever else is to be written in the same breath; their ids."""
        with self.lock:
            found = [self._insert(piece) for piece in pieces]
            self._write(*(step for _, step in found), *more)
        return [name for name, _ in found]

    def _row(self, piece: str) -> sqlite3.Row:
        found = self._rows("SELECT * FROM pieces WHERE id = ?", (piece,))
        if not found:
            raise Missing(f"there is no piece {piece[:40]!r}")
        return found[0]

    def music(self, piece: str) -> bytes:
        """The packed music of a piece; raises `Missing` where there is none."""
        return self._row(piece)["music"]

    def summary(self, piece: str) -> dict[str, Any]:
        return _summary(self._row(piece))

    def piece(self, piece: str) -> dict[str, Any]:
        """All of a piece, with its music in plain data."""
        row = self._row(piece)
        score = packing.unpack(row["music"])
        children = [r["id"] for r in self._rows("SELECT id FROM pieces WHERE parent = ? ORDER BY number", (piece,))]
        more = {"recipe": score.recipe, "why": json.loads(row["why"]), "did": json.loads(row["did"])}
        return _summary(row) | packing.shown(score) | more | {"children": children}

    def tree(self, piece: str) -> dict[str, Any]:
        root = self._row(piece)["root"]
        rows = self._rows(f"SELECT {COLUMNS} FROM pieces WHERE root = ? ORDER BY number", (root,))
        return {"root": root, "versions": [_summary(row) for row in rows]}

    def chain(self, piece: str) -> list[dict[str, Any]]:
        """What was done to a piece, from its root to itself."""
        found: list[dict[str, Any]] = []
        at: str | None = piece
        while at:
            row = self._row(at)
            found.append({"piece": at, "kind": row["kind"], "did": json.loads(row["did"])})
            at = row["parent"]
        return found[::-1]

    def pieces(
        self, *, search: str = "", starred: bool = False, style: str = "", kind: str = "", view: str = "best",
        limit: int = 50, before: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """A page of the library, the newest first."""
        where, values = ["deleted = ?"], [int(view == "deleted")]
        if view == "best":
            where.append(BEST)
        for text, value in (("style = ?", style), ("kind = ?", kind)):
            if value:
                where.append(text)
                values.append(value)  # type: ignore[arg-type]
        if starred:
            where.append("starred")
        if search:
            where.append("(instr(lower(title), ?) OR instr(lower(coalesce(style, '')), ?) OR instr(kind, ?))")
            values += [search.lower()] * 3  # type: ignore[list-item]
        if before:
            where.append("number < ?")
            values.append(self._row(before)["number"])
        text = f"SELECT {COLUMNS} FROM pieces WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?"
        rows = self._rows(text, (*values, limit + 1))
        return {"pieces": [_summary(row) for row in rows[:limit]], "more": len(rows) > limit}

    def change(self, piece: str, *, title: str | None = None, starred: bool | None = None) -> dict[str, Any]:
        self._row(piece)
        if title is not None:
            self._write(("UPDATE pieces SET title = ?, named = 1 WHERE id = ?", (title, piece)))
        if starred is not None:
            self._write(("UPDATE pieces SET starred = ? WHERE id = ?", (int(starred), piece)))
        return self.summary(piece)

    def put_away(self, piece: str, deleted: bool) -> dict[str, Any]:
        self._row(piece)
        self._write(("UPDATE pieces SET deleted = ? WHERE id = ?", (int(deleted), piece)))
        return {"id": piece, "deleted": deleted}

    # --- maps of latent spaces

    def plane(self, style: str) -> dict[str, Any] | None:
        """The plane of the latest map of a style; what its x and y mean."""
        found = self._rows("SELECT plane FROM planes WHERE style = ?", (style,))
        return json.loads(found[0]["plane"]) if found else None

    def keep_plane(self, style: str, plane: Mapping[str, Any]) -> None:
        self._write(("INSERT OR REPLACE INTO planes VALUES (?, ?)", (style, json.dumps(plane))))

    # --- jobs

    def job_begun(self, job: str, kind: str, visitor: str, request: Mapping[str, Any]) -> None:
        values = (job, kind, visitor, "queued", time.time(), json.dumps(request))
        self._write(("INSERT INTO jobs (id, kind, visitor, state, created, request) VALUES (?, ?, ?, ?, ?, ?)", values))

    @staticmethod
    def end_of(job: str, state: str, result: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
        """The step that ends a job, to be written with its pieces."""
        return (
            "UPDATE jobs SET state = ?, ended = ?, result = ? WHERE id = ?",
            (state, time.time(), json.dumps(result), job),
        )

    def job_ended(self, job: str, state: str, result: Mapping[str, Any]) -> None:
        self._write(self.end_of(job, state, result))

    def job(self, job: str) -> dict[str, Any]:
        found = self._rows("SELECT * FROM jobs WHERE id = ?", (job,))
        if not found:
            raise Missing(f"there is no job {job[:40]!r}")
        return _job(found[0])

    def jobs(self, visitor: str, limit: int = 100) -> list[dict[str, Any]]:
        rows = self._rows("SELECT * FROM jobs WHERE visitor = ? ORDER BY created DESC LIMIT ?", (visitor, limit))
        return [_job(row) for row in rows]

    def interrupt(self) -> int:
        """Jobs that were under way when the studio ended are marked so; how many."""
        result = json.dumps({"error": {"kind": "interrupted", "message": "the studio was ended meanwhile"}})
        return self._write(
            (
                "UPDATE jobs SET state = 'interrupted', ended = ?, result = ? WHERE state IN (?, ?)",
                (time.time(), result, *LIVE),
            )
        )

    # --- sets of files to train on, and models put away

    def new_set(self, name: str) -> str:
        found = new_id("s")
        self._write(("INSERT INTO sets (id, name, created) VALUES (?, ?, ?)", (found, name, time.time())))
        return found

    def set_of(self, name: str) -> dict[str, Any]:
        found = [entry for entry in self.sets(name) if entry["id"] == name]
        if not found:
            raise Missing(f"there is no set {name[:40]!r}")
        return found[0]

    def sets(self, only: str = "") -> list[dict[str, Any]]:
        text = (
            "SELECT sets.id, sets.name, sets.created, count(files.number) AS files,"
            " coalesce(sum(files.bytes), 0) AS bytes FROM sets LEFT JOIN files ON files.owner = sets.id"
            " WHERE NOT sets.deleted AND (? = '' OR sets.id = ?)"
            " GROUP BY sets.id ORDER BY sets.created DESC"
        )
        return [dict(row) | {"created": _when(row["created"])} for row in self._rows(text, (only, only))]

    def put_set_away(self, name: str) -> None:
        self.set_of(name)
        self._write(("UPDATE sets SET deleted = 1 WHERE id = ?", (name,)))

    def add_files(self, owner: str, files: Iterable[tuple[str, str, int]]) -> None:
        """Files (name, stored as, bytes) of a set."""
        text = "INSERT INTO files (owner, name, file, bytes) VALUES (?, ?, ?, ?)"
        self._write(*((text, (owner, *entry)) for entry in files))

    def files(self, owner: str) -> dict[str, str]:
        """Stored as -> the name it came with."""
        return {r["file"]: r["name"] for r in self._rows("SELECT name, file FROM files WHERE owner = ?", (owner,))}

    def hide(self, model: str, hidden: bool) -> None:
        text = "INSERT OR IGNORE INTO hidden VALUES (?)" if hidden else "DELETE FROM hidden WHERE model = ?"
        self._write((text, (model,)))

    def hidden(self) -> set[str]:
        return {row["model"] for row in self._rows("SELECT model FROM hidden")}


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _summary(row: sqlite3.Row) -> dict[str, Any]:
    plain = {name: row[name] for name in COLUMNS.split(", ") if name not in ("summary", "created")}
    flags = {"starred": bool(row["starred"]), "deleted": bool(row["deleted"]), "created": _when(row["created"])}
    return plain | flags | json.loads(row["summary"])


def _job(row: sqlite3.Row) -> dict[str, Any]:
    result = json.loads(row["result"]) if row["result"] else {}
    return {
        "id": row["id"], "kind": row["kind"], "state": row["state"], "place": None, "visitor": row["visitor"],
        "created": _when(row["created"]), "request": json.loads(row["request"]),
        "error": result.pop("error", None), "result": result or None,
    }  # fmt: skip
