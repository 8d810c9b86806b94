"""Which files a corpus has, and what manifests and label tables say about them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import BadOption
from ..formats import READERS

MUSIC_SUFFIXES = tuple(READERS)
MANIFEST = "manifest.csv"
SPLITS = ("train", "valid", "test")
SPLIT_NAMES = {**{name: name for name in SPLITS}, "validation": "valid", "val": "valid", "dev": "valid", "": ""}
NUMBERS = {  # labels and their ranges
    "valence": (1.0, 10.0), "arousal": (1.0, 10.0), "complexity": (0.0, 1.0), "density": (0.0, 1.0),
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A music file: where it is, its name in the catalogue, the folder's style, what its manifest says.

    `root` is the name of the folder that was named.
    """

    path: Path
    name: str
    folder_style: str
    manifest: Mapping[str, str] = field(default_factory=dict)
    root: str = ""


def find_files(folders: Iterable[str | Path] | str | Path) -> tuple[list[Found], list[str]]:
    """The music files in `folders` (a single file counts), sorted by name, and what is wrong with their manifests.

    Hidden files and folders are passed over, links are not followed. Raises `BadOption` where a folder is missing,
    unreadable or holds no music file.
    """
    roots = [Path(one) for one in ([folders] if isinstance(folders, str | Path) else folders)]
    if not roots:
        raise BadOption("no folder to scan; name a folder of MIDI or MusicXML files")
    prefixes, found, remarks = _prefixes(roots), [], []
    for root, prefix in zip(roots, prefixes, strict=True):
        paths = _walk(root)
        if not paths:
            raise BadOption(f"{root}: no music files in it; looked for {', '.join(MUSIC_SUFFIXES)}")
        base = root if root.is_dir() else root.parent
        tables: dict[Path, dict[str, dict[str, str]]] = {}
        for path in paths:
            if path.parent not in tables:
                tables[path.parent], wrong = read_manifest(path.parent)
                remarks += wrong
            inside = path.relative_to(base)
            top = base.resolve().name
            style = inside.parts[0] if len(inside.parts) > 1 else top
            found.append(Found(path, prefix + inside.as_posix(), style, tables[path.parent].get(path.name, {}), top))
    return sorted(_once(found), key=lambda one: one.name), remarks


def _prefixes(roots: Sequence[Path]) -> list[str]:
    """What keeps the names of several roots apart: the root's own name, numbered where two are alike."""
    if len(roots) == 1:
        return [""]
    names = [(root if root.is_dir() else root.parent).resolve().name for root in roots]
    return [f"{name}{names[:n].count(name) or ''}/" for n, name in enumerate(names)]


def _walk(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise BadOption(f"{root}: there is no such file or folder; check the path")

    def refuse(error: OSError) -> None:
        raise BadOption(f"{error.filename}: this folder cannot be read ({error.strerror}); check its permissions")

    paths = []
    for folder, inner, names in os.walk(root, onerror=refuse):
        inner[:] = [name for name in inner if not name.startswith(".")]
        music = [name for name in names if not name.startswith(".") and name.lower().endswith(MUSIC_SUFFIXES)]
        paths += [path for path in (Path(folder, name) for name in music) if path.is_file() and not path.is_symlink()]
    return paths


def _once(found: Iterable[Found]) -> list[Found]:
    """Each file once, though two of the roots may hold it."""
    return list({one.path.resolve(): one for one in reversed(list(found))}.values())


def read_manifest(folder: Path) -> tuple[dict[str, dict[str, str]], list[str]]:
    """The rows of the folder's manifest by file name, and what is wrong with it; nothing where there is none."""
    path = folder / MANIFEST
    if not path.is_file():
        return {}, []
    try:
        rows, remarks = read_table(path)
    except BadOption as error:
        return {}, [str(error)]
    for name, row in rows.items():
        split = row.get("split", "").lower()
        if split not in SPLIT_NAMES:
            remarks.append(f"{path}: {name} has split {row['split']!r}; there are {', '.join(SPLITS)}")
        row["split"] = SPLIT_NAMES.get(split, "")
    return rows, remarks


def read_table(path: Path) -> tuple[dict[str, dict[str, str]], list[str]]:
    """A CSV file with a column `file` as rows by file name, and its malformed rows as sentences.

    Raises `BadOption` where it cannot be read or has no such column.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        if "file" not in (reader.fieldnames or ()):
            raise BadOption(
                f"{path}: the first line needs a column 'file'; it has {', '.join(reader.fieldnames or ())}"
            )
        return _rows(path, reader)
    except OSError as error:
        raise BadOption(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadOption(f"{path}: not a table in UTF-8 CSV ({error}); save it as CSV UTF-8") from error


def _rows(path: Path, reader: csv.DictReader) -> tuple[dict[str, dict[str, str]], list[str]]:
    rows: dict[str, dict[str, str]] = {}
    remarks = []
    for row in reader:
        line = f"{path}: line {reader.line_num}"
        if None in row or None in row.values():
            remarks.append(f"{line} has more or fewer fields than the first line; it is left out")
        elif not row["file"].strip():
            remarks.append(f"{line} names no file; it is left out")
        elif row["file"].strip() in rows:
            remarks.append(f"{line} names {row['file']} again; the first row counts")
        else:
            rows[row["file"].strip()] = {key: (value or "").strip() for key, value in row.items()}
    return rows, remarks


def read_labels(path: Path) -> tuple[dict[str, dict[str, str | float]], list[str]]:
    """A table of labels by file: `style`, valence, arousal (1-10), complexity, density (0-1), any other column.

    Raises `BadOption` where the table cannot be read; a value outside its range is a remark and left out.
    """
    rows, remarks = read_table(path)
    labels: dict[str, dict[str, str | float]] = {}
    for name, row in rows.items():
        labels[name] = {key: value for key, value in row.items() if value and key not in (*NUMBERS, "file")}
        for key in NUMBERS.keys() & {key for key, value in row.items() if value}:
            value = _number(key, row[key])
            if value is None:
                low, high = NUMBERS[key]
                remarks.append(f"{path}: {name} has {key} {row[key]!r}; wanted a number from {low:g} to {high:g}")
            else:
                labels[name][key] = value
    return labels, remarks


def _number(key: str, text: str) -> float | None:
    low, high = NUMBERS[key]
    try:
        value = float(text)
    except ValueError:
        return None
    return value if low <= value <= high else None


def labels_of(found: Found, table: Mapping[str, dict[str, str | float]]) -> dict[str, str | float]:
    """The labels of a file, by its name in the catalogue, else by its bare file name."""
    return dict(table.get(found.name) or table.get(found.path.name) or {})
