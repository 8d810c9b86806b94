"""A table on disk that grows row by row and is whole at every moment: CSV, written beside and renamed."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import BadOption, PartimentoError


class Ledger:
    """Rows by the value of one column; columns and rows of others stay as they are.

    Raises `BadOption` where the file is there and no such table, `PartimentoError` where it cannot be written.
    """

    def __init__(self, path: Path, key: str, columns: Sequence[str]):
        self.path, self.key, self.columns = path, key, list(columns)
        self.rows: dict[str, dict[str, str]] = {}
        if path.exists():
            self._read()

    def _read(self) -> None:
        advice = "put it right, or choose another folder"
        try:
            text = self.path.read_bytes().decode("utf-8-sig")
            reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
            names = list(reader.fieldnames or ())
            if self.key not in names:
                raise BadOption(f"{self.path}: the first line needs a column {self.key!r}; {advice}")
            for row in reader:
                if None in row or None in row.values():
                    raise BadOption(f"{self.path}: line {reader.line_num} has more or fewer fields; {advice}")
                self.rows[row[self.key]] = row
        except OSError as error:
            raise BadOption(f"{self.path}: cannot be read ({error.strerror}); {advice}") from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise BadOption(f"{self.path}: not a table in UTF-8 CSV ({error}); {advice}") from error
        self.columns = [*names, *(name for name in self.columns if name not in names)]

    def put(self, *rows: Mapping[str, str]) -> None:
        """Rows added or, where their key is there, renewed; on disk when this returns."""
        for row in rows:
            self.rows[row[self.key]] = self.rows.get(row[self.key], {}) | dict(row)
        self._write()

    def drop(self, key: str) -> None:
        """A row taken out, where there is one."""
        if self.rows.pop(key, None) is not None:
            self._write()

    def _write(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows.values())
        put_in_place(self.path, text.getvalue().encode("utf-8"))


def put_in_place(path: Path, data: bytes) -> None:
    """A file written beside its place and renamed: it is there whole or not at all."""
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as error:
        raise PartimentoError(f"{path}: cannot be written ({error.strerror}); free space or choose another") from error
    finally:
        draft.unlink(missing_ok=True)
