"""Fetching MIDI files from an archive on the network into a folder that `scan` and `train` read.

What is finished is whole at every moment: a file is entered in `manifest.csv`, then put in its place, and the same
call again asks for what is missing alone. Links that gave no music are in `missed.csv` with the reason.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from types import ModuleType
from urllib.parse import unquote, urlsplit

from ..errors import BadOption, MidiError, UnknownName
from ..formats._midi_check import check, fault
from . import _mutopia
from ._ledger import Ledger, put_in_place
from ._mutopia import Listed
from ._visitor import LONGEST_WAIT, Clock, FetchError, Visitor
from .files import MANIFEST

ARCHIVES: dict[str, ModuleType] = {"mutopia": _mutopia}
MISSED = "missed.csv"
COLUMNS = ("file", "title", "composer", "instruments", "licence", "source_repo", "source_url")
MISSED_COLUMNS = ("source_url", "title", "composer", "licence", "reason")
PAUSE = 10.0  # seconds between two requests
TIMEOUT = 30.0  # seconds without a byte
LARGEST_FILE = 8 << 20  # bytes; the largest of 8,286 scores has less than one
LARGEST_UNPACKED = 32 << 20
MOST_MEMBERS = 200  # MIDI files of one .zip
FAILURES = 5  # files in a row that the network did not give, after which the site is left in peace
BAD_ZIP = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
)
LONGEST_NAME = 80  # characters
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)$", re.IGNORECASE)  # no file names on Windows


@dataclass(frozen=True)
class Step:
    """One thing that happened: `kind` is "page", "got", "had", "missed" or "note"; `what` is a file or an address."""

    kind: str
    what: str
    said: str = ""  # the licence of what was got, the reason of what was missed, a note


def fetch(
    folder: str | Path,
    archive: str = "mutopia",
    *,
    instrument: str = "",
    composer: str = "",
    most: int | None = None,
    pause: float = PAUSE,
    base: str | None = None,
    timeout: float = TIMEOUT,
    clock: Clock | None = None,
) -> Iterator[Step]:
    """Fetch what an archive has for an instrument, by a composer, into `folder`; yields a `Step` as each thing is done.

    At most `most` new pieces; `pause` seconds (more where the site's robots.txt asks for more) between requests.
    `base` is another address of the archive. Raises `UnknownName` for a name that the archive does not know,
    `BadOption` where nothing is named or the folder's tables cannot be read, `FetchError` where the site is out of
    reach or forbids its search; what came before stays.
    """
    if archive not in ARCHIVES:
        raise UnknownName(f"no archive {archive!r}; there are {', '.join(ARCHIVES)}")
    if not (instrument or composer):
        raise BadOption("an archive is not fetched whole; name an instrument or a composer")
    module, clock = ARCHIVES[archive], clock or Clock()
    visitor = Visitor(base or module.BASE, pause=pause, timeout=timeout, clock=clock)
    shelf = _Shelf(Path(folder), module.REPO)
    visitor.enter()
    taken = failures = 0
    for page in module.pages(visitor, instrument=instrument, composer=composer):
        yield Step("note" if page.remark else "page", page.address, page.remark or f"{len(page.listed)} files")
        for one in page.listed:
            if most is not None and taken >= most:
                return
            steps, lost = _fetched(visitor, shelf, one)
            yield from steps
            taken += any(step.kind == "got" for step in steps)
            failures = failures + 1 if lost else 0
            if failures == FAILURES:
                raise FetchError(f"{FAILURES} files in a row did not come; the site is left in peace, try again later")


def _fetched(visitor: Visitor, shelf: _Shelf, one: Listed) -> tuple[list[Step], bool]:
    """What came of a link, and whether the network is to blame that it was nothing."""
    url = one.url
    try:
        url = visitor.address(one.url)
        if had := shelf.files_of(url):
            return [Step("had", name) for name in had], False
        data = visitor.get(url, LARGEST_FILE)
    except FetchError as error:
        if error.wait > LONGEST_WAIT:
            raise
        return [shelf.missed(one, url, str(error))], error.passing
    try:
        parts = members(url, data)
    except BAD_ZIP as error:
        return [shelf.missed(one, url, f"no .zip that can be read ({error})")], False
    return shelf.kept(one, url, parts), False


def members(url: str, data: bytes) -> dict[str, bytes]:
    """The MIDI files in what an address gave, by the address of each: itself, or those packed in a .zip.

    Raises `ValueError` or what `zipfile` does where a .zip is damaged, locked or holds absurdly much.
    """
    if not urlsplit(url).path.lower().endswith(".zip"):
        return {url: data}
    with zipfile.ZipFile(BytesIO(data)) as packed:
        inside = [info for info in packed.infolist() if info.filename.lower().endswith((".mid", ".midi"))]
        if not inside or len(inside) > MOST_MEMBERS:
            raise ValueError(f"{len(inside)} MIDI files in it; wanted 1 to {MOST_MEMBERS}")
        found, room = {}, LARGEST_UNPACKED
        for info in inside:
            with packed.open(info) as file:
                found[f"{url}#{info.filename}"] = part = file.read(room + 1)
            room -= len(part)
            if room < 0:
                raise ValueError(f"more than {LARGEST_UNPACKED:,} bytes when unpacked")
    return found


class _Shelf:
    """The folder: its files, its manifest, and the table of what was missed."""

    def __init__(self, folder: Path, repo: str):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadOption(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error
        self.folder, self.repo = folder, repo
        self.manifest = Ledger(folder / MANIFEST, "file", COLUMNS)
        self.lost = Ledger(folder / MISSED, "source_url", MISSED_COLUMNS)

    def files_of(self, url: str) -> list[str]:
        """The files that came from an address; none where one of them is not there any more."""
        rows = self.manifest.rows
        names = [name for name, row in rows.items() if row.get("source_url", "").partition("#")[0] == url]
        return names if all((self.folder / name).is_file() for name in names) else []

    def kept(self, one: Listed, url: str, parts: dict[str, bytes]) -> list[Step]:
        """Every part that is MIDI in its place, the others noted; the manifest names a file before it is there."""
        steps, good = [], {}
        self.lost.drop(url)
        for source, data in parts.items():
            try:
                if wrong := fault(check(data, source)):
                    raise MidiError(f"{source}: {wrong}")
                good[source] = data
            except MidiError as error:
                steps.append(self.missed(one, source, str(error)))
        names: dict[str, str] = {}
        for source in good:
            names[source] = self._name(source, names.values())
        self.manifest.put(*(self._row(one, source, name, len(good) > 1) for source, name in names.items()))
        for source, name in names.items():
            put_in_place(self.folder / name, good[source])
            self.lost.drop(source)
            steps.append(Step("got", name, one.licence))
        return steps

    def _row(self, one: Listed, source: str, name: str, several: bool) -> dict[str, str]:
        title = f"{one.title} ({_stem(source)})" if several else one.title
        about = (name, title, one.composer, one.instruments, one.licence, self.repo, source)
        return dict(zip(COLUMNS, about, strict=True))

    def missed(self, one: Listed, url: str, reason: str) -> Step:
        about = (url, one.title, one.composer, one.licence, reason)
        self.lost.put(dict(zip(MISSED_COLUMNS, about, strict=True)))
        return Step("missed", url, reason)

    def _name(self, source: str, besides: Iterable[str]) -> str:
        """The file's name: the one it had, or where that is taken by another, one with a hash of its address."""
        known = {row.get("source_url"): name for name, row in self.manifest.rows.items() if Path(name).name == name}
        if source in known:
            return known[source]
        stem = _stem(source)
        taken = {name.lower() for name in (*self.manifest.rows, *besides)}
        if f"{stem}.mid".lower() in taken or (self.folder / f"{stem}.mid").exists():
            stem += "-" + hashlib.sha256(source.encode()).hexdigest()[:8]
        return f"{stem}.mid"


def _stem(source: str) -> str:
    """A file name without suffix from an address: letters, digits, points, hyphens and lines of its last part alone."""
    path = unquote(urlsplit(source).fragment or urlsplit(source).path).replace("\\", "/")
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", PurePosixPath(path).stem).strip(".-")[:LONGEST_NAME].rstrip(".")
    return f"piece-{stem}" if not stem or DEVICES.match(stem.split(".")[0]) else stem
