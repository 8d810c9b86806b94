"""XML read measure by measure, so that memory does not grow with the file, and nothing outside it is ever opened.

A DOCTYPE is legal in MusicXML and is passed over; entities declared in it are refused.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ..errors import MusicXMLError
from ._files import read_bytes

LARGEST_XML = 64 << 20  # bytes, also after decompression
LARGEST_ARCHIVE = 16 << 20  # bytes of an .mxl
MOST_ENTRIES = 1000  # files within an .mxl
LARGEST_CONTAINER = 64 << 10  # bytes of the table of contents of an .mxl
MOST_DEPTH = 64
MOST_ELEMENTS = 300_000  # of one measure, or of the part list
LONGEST_TAG = 1 << 20  # bytes
CHUNK = 64 << 10
CONTAINER = "META-INF/container.xml"
SIGNATURE, ENTRY_SIGNATURE = b"PK\x03\x04", b"PK\x01\x02"
# What says nothing about the notes that we keep, and what may be long
PASSED_OVER = frozenset(("print", "lyric", "defaults", "credit", "harmony", "figured-bass", "stem", "beam", "notehead"))
UNZIP_FAILURES = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError)


def read_xml(path: Path) -> bytes:
    """The XML of a plain or compressed (.mxl) MusicXML file; raises `MusicXMLError` where there is none to be had."""
    data = read_bytes(path, LARGEST_XML, MusicXMLError)
    return _unzipped(data, path) if data.startswith(SIGNATURE) else data


def _unzipped(data: bytes, path: Path) -> bytes:
    if len(data) > LARGEST_ARCHIVE or data.count(ENTRY_SIGNATURE) > MOST_ENTRIES:
        raise MusicXMLError(
            f"{path}: an archive of more than {LARGEST_ARCHIVE >> 20} MB or {MOST_ENTRIES} files; this is no score"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            inner = _root_file(archive, path) if CONTAINER in names else ""
            inner = inner or next((name for name in names if name.endswith((".musicxml", ".xml"))), "")
            if inner not in names:
                raise MusicXMLError(f"{path}: the archive holds no score (looked for {inner or '.musicxml'})")
            return _entry(archive, inner, LARGEST_XML, path)
    except UNZIP_FAILURES as error:
        raise MusicXMLError(f"{path}: the archive is damaged ({error}); export it again") from error


def _entry(archive: zipfile.ZipFile, name: str, largest: int, path: Path) -> bytes:
    """One file of the archive, never more than `largest` bytes of it, whatever its header says."""
    with archive.open(name) as file:
        data = file.read(largest + 1)
    if len(data) > largest:
        raise MusicXMLError(f"{path}: {name!r} in it is larger than {largest >> 10:,} kB; this is no score")
    return data


def _root_file(archive: zipfile.ZipFile, path: Path) -> str:
    """The score's name by the archive's table of contents."""
    found: list[str] = []

    def leaf(element: Element, _: tuple[str, ...]) -> None:
        found.append(element.get("full-path", ""))

    scan(_entry(archive, CONTAINER, LARGEST_CONTAINER, path), f"{path}: {CONTAINER}", {"rootfile": leaf})
    return found[0] if found else ""


def scan(data: bytes, name: str, wanted: Mapping[str, Callable[[Element, tuple[str, ...]], None]],
         opened: Callable[[str, dict[str, str]], None] | None = None) -> None:  # fmt: skip
    """Call `wanted[tag](element, tags above it)` at the end of each such element, which is forgotten after that.

    `opened(tag, attributes)` is told of each element outside the wanted ones as it begins. Raises `MusicXMLError`
    naming line and column where the XML is broken, declares entities, or is beyond the limits of this module.
    """
    _Scan(name, wanted, opened or (lambda tag, attributes: None)).feed(data)


class _Scan:
    def __init__(self, name: str, wanted: Mapping, opened: Callable[[str, dict[str, str]], None]):
        self.name, self.wanted, self.opened = name, wanted, opened
        self.above: list[str] = []
        self.builder: TreeBuilder | None = None  # of the wanted element that is open
        self.inside = self.elements = self.skipping = 0
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.EntityDeclHandler = self._entity
        self.parser.buffer_text = True

    def feed(self, data: bytes) -> None:
        try:
            for start in range(0, len(data), CHUNK):
                self.parser.Parse(data[start : start + CHUNK], False)
                if start + CHUNK - self.parser.CurrentByteIndex > LONGEST_TAG:
                    self._refuse(f"a tag or comment longer than {LONGEST_TAG >> 20} MB")
            self.parser.Parse(b"", True)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise MusicXMLError(
                f"{self.name}: line {error.lineno}, column {error.offset}: {reason}; the file is damaged or not XML"
            ) from error
        except (LookupError, UnicodeError) as error:
            raise MusicXMLError(f"{self.name}: {error}; save it as UTF-8") from error

    def _refuse(self, reason: str) -> NoReturn:
        raise MusicXMLError(f"{self.name}: line {self.parser.CurrentLineNumber}: {reason}; this is no score")

    def _entity(self, entity: str, *_: object) -> None:
        self._refuse(f"declares the entity {entity[:40]!r}")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self.above) + self.inside >= MOST_DEPTH:
            self._refuse(f"elements within elements {MOST_DEPTH} deep")
        if self.skipping or (tag in PASSED_OVER and tag not in self.wanted):
            self.skipping += 1
            if self.skipping > MOST_DEPTH:
                self._refuse(f"elements within elements {MOST_DEPTH} deep")
        elif self.builder is not None:
            self.inside += 1
            self.elements += 1
            if self.elements > MOST_ELEMENTS:
                self._refuse(f"more than {MOST_ELEMENTS:,} elements in one {self.above[-1]}")
            self.builder.start(tag, attributes)
        else:
            self.above.append(tag)
            if tag in self.wanted:
                self.builder, self.elements = TreeBuilder(), 1
                self.builder.start(tag, attributes)
            else:
                self.opened(tag, attributes)

    def _end(self, tag: str) -> None:
        if self.skipping:
            self.skipping -= 1
        elif self.builder is not None and self.inside:
            self.inside -= 1
            self.builder.end(tag)
        else:
            self.above.pop()
            if self.builder is not None:
                self.builder.end(tag)
                element, self.builder = self.builder.close(), None
                self.wanted[tag](element, tuple(self.above))

    def _text(self, text: str) -> None:
        if self.builder is not None and not self.skipping:
            self.builder.data(text)
