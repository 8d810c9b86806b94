"""The Mutopia Project's search: its addresses, and its tables of pieces read with tolerance for how they are laid out.

A result is a few rows of a table, the last of which hold the links to its files: the title, "by" a composer, "for"
some instruments, a licence. What is not found is left empty; a link is taken whatever stands around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import TypeVar
from urllib.parse import unquote, urldefrag, urlencode, urljoin, urlsplit

from ..errors import BadOption, UnknownName
from ._visitor import FetchError, Visitor

BASE = "https://www.mutopiaproject.org/"
REPO = "mutopiaproject.org"  # what a manifest says in `source_repo`
FORM = "advsearch.html"  # holds the names that the search knows
SEARCH = "cgibin/make-table.cgi"
FIELDS = (
    "startat", "searchingfor", "Composer", "Instrument", "Style", "collection", "id", "solo", "recent", "timelength",
    "timeunit", "lilyversion", "preview",
)  # fmt: skip
STEP = 10  # pieces a page
MOST_PAGES = 1000
LARGEST_PAGE = 4 << 20  # bytes
LONGEST_TEXT = 200  # characters of a title or name
LICENCE = re.compile(r"public domain|creative commons|\bcc[ -](by|0|zero)", re.IGNORECASE)
DATES = re.compile(r"\s*\([^()]*\d{3,4}[^()]*\)$")  # "(1781-1829)", "(b. 1970)"
FILES = (".mid", ".midi", ".ly", ".pdf", ".zip", ".ps", ".gz", ".rtf")  # what rows of downloads link to
NAMED = 6  # composers that a message lists


@dataclass(frozen=True)
class Listed:
    """A MIDI file, or a .zip of several, that a page of results links to."""

    url: str
    title: str
    composer: str
    instruments: str
    licence: str


@dataclass(frozen=True)
class Page:
    """A page of results: what it lists, and what there is to say about it."""

    address: str
    listed: tuple[Listed, ...] = ()
    remark: str = ""


@dataclass
class Cell:
    """A cell of a table: its text, and where its links lead."""

    texts: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    heading: bool = False

    @property
    def text(self) -> str:
        return cleaned(" ".join(self.texts))


Row = list[Cell]
Reader = TypeVar("Reader", bound=HTMLParser)


def pages(visitor: Visitor, *, instrument: str = "", composer: str = "") -> Iterator[Page]:
    """Every page of results, to the end; raises `UnknownName` for what the search form does not offer."""
    try:
        form = options(_text(visitor, FORM))
    except FetchError as error:
        form = {}
        yield Page(FORM, remark=f"the names that the search knows cannot be read ({error}); yours are sent as they are")
    query = dict.fromkeys(FIELDS, "") | {"Instrument": _known("instrument", instrument, form.get("Instrument", {}))}
    code = _known("composer", composer, form.get("Composer", {}))
    query["Composer" if code != composer or not composer or _is_code(composer) else "searchingfor"] = code
    seen: set[str] = set()
    for number in range(MOST_PAGES):
        address = f"{SEARCH}?{urlencode(query | {'startat': number * STEP})}"
        found = listings(_text(visitor, address), urljoin(visitor.base, address))
        listed = [one for one in found if one.url not in seen]
        if not listed:
            return
        seen.update(one.url for one in listed)
        yield Page(address, tuple(one for one in listed if not composer or _is_by(one, composer, code)))


def _text(visitor: Visitor, address: str) -> str:
    return visitor.get(address, LARGEST_PAGE).decode("utf-8", "replace")


def _is_code(name: str) -> bool:
    """Whether a name is written as Mutopia's folders are: "GiulianiM", "BachJS"."""
    return re.fullmatch(r"[A-Z]\w*[a-z][A-Z]\w*", name) is not None


def _is_by(one: Listed, name: str, code: str) -> bool:
    """Whether a piece is by the composer: a search by words finds titles as well."""
    said = f"{one.composer} {unquote(urlsplit(one.url).path)}".casefold()
    return name.casefold() in said or code.casefold() in said


def _known(kind: str, name: str, offered: Mapping[str, str]) -> str:
    """The value that the form has for a name; the name itself where there is no form. Raises what a person may mend."""
    if not name or not offered:
        return name
    wanted = name.casefold()
    exact = [value for value, text in offered.items() if wanted in (value.casefold(), text.casefold())]
    word = re.compile(rf"\b{re.escape(wanted)}\b")
    found = exact or [value for value, text in offered.items() if word.search(text.casefold())]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(f"{value} ({offered[value]})" for value in found[:NAMED])
        raise BadOption(f"{kind} {name!r} may be {listed}{' ...' if len(found) > NAMED else ''}; name one of these")
    near = get_close_matches(wanted, [value.casefold() for value in offered], n=3, cutoff=0.5)
    named = [value for value in offered if value.casefold() in near]
    said = f"near to it: {', '.join(named)}" if named else "its search form lists them"
    raise UnknownName(f"no {kind} {name!r} at the Mutopia Project; {said}")


def cleaned(text: str) -> str:
    """Text from the network as one short line that a terminal shows as it is."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(shown.split())[:LONGEST_TEXT]


# --- pages --------------------------------------------------------------------------------------------------------


def options(page: str) -> dict[str, dict[str, str]]:
    """The choices of each list of a form: by its name, value -> what a person reads."""
    reader = _read(_Options(), page)
    return {
        name: {value: cleaned(text) for value, text in values.items() if value} for name, values in reader.found.items()
    }


class _Options(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self.select = self.value = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "select":
            self.select, self.value = said.get("name", ""), ""
        elif tag == "option" and self.select:
            self.value = said.get("value", "")
            self.found.setdefault(self.select, {})[self.value] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self.select = ""

    def handle_data(self, data: str) -> None:
        if self.select and self.value:
            self.found[self.select][self.value] += data


def listings(page: str, address: str = BASE) -> list[Listed]:
    """The MIDI files that a page at `address` links to, each once, with what its rows say of them."""
    reader = _read(_Tables(address), page)
    listed = [one for table in reader.tables for rows in _blocks(table) for one in _listed(rows)]
    listed += [_described(link, []) for link in reader.outside.links if _is_music(link)]  # a page without tables
    found: dict[str, Listed] = {}
    for one in listed:
        found.setdefault(one.url, one)
    return list(found.values())


def _read(reader: Reader, page: str) -> Reader:
    """The reader with all that it finds in a page; raises `FetchError` where that is no HTML."""
    try:
        reader.feed(page)
        reader.close()
    except AssertionError as error:  # how html.parser gives up on a malformed <![...
        raise FetchError(f"a page that is no HTML ({error})") from error
    return reader


class _Tables(HTMLParser):
    """The rows of every table of a page, each by the innermost table that it stands in."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.tables: list[list[Row]] = []
        self.open: list[list[Row]] = []
        self.outside = Cell()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
            self.open.append(self.tables[-1])
        elif tag == "tr" and self.open:
            self.open[-1].append([])
        elif tag in ("td", "th") and self.open:
            rows = self.open[-1]
            if not rows:
                rows.append([])
            rows[-1].append(Cell(heading=tag == "th"))
        elif tag == "a" and (link := dict(attrs).get("href")):
            self._cell().links.append(_whole(self.address, link.strip()))

    def handle_endtag(self, tag: str) -> None:
        if tag == "table" and self.open:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self._cell().texts.append(data)

    def _cell(self) -> Cell:
        rows = self.open[-1] if self.open else []
        return rows[-1][-1] if rows and rows[-1] else self.outside


def _whole(address: str, link: str) -> str:
    """Where a link on the page at `address` leads, whole and without fragment; "" where that is no address."""
    try:
        return urldefrag(urljoin(address, link)).url
    except ValueError:
        return ""


def _suffix(link: str) -> str:
    return PurePosixPath(unquote(urlsplit(link).path)).suffix.lower()


def _is_music(link: str) -> bool:
    """Whether a link leads to a MIDI file, or by its name to a .zip of them ("suite-mids.zip")."""
    name = PurePosixPath(unquote(urlsplit(link).path)).name.lower()
    return name.endswith((".mid", ".midi")) or (name.endswith(".zip") and "mid" in name)


def _blocks(table: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows of a table piece by piece: up to links to music, and on through links to its other files."""
    block: list[Row] = []
    complete = False
    for row in table:
        links = [link for cell in row for link in cell.links]
        has_music = any(_is_music(link) for link in links)
        if complete and (has_music or not any(_suffix(link) in FILES for link in links)):
            yield block
            block, complete = [], False
        block.append(row)
        complete = complete or has_music
    if complete:
        yield block


def _listed(rows: Sequence[Row]) -> Iterator[Listed]:
    """The links to music of one piece: its .mid files, else the .zip of them."""
    links = [link for row in rows for cell in row for link in cell.links if _is_music(link)]
    single = [link for link in links if _suffix(link) != ".zip"]
    cells = [cell for row in rows if not all(cell.heading for cell in row) for cell in row]
    for link in single or links:
        yield _described(link, cells)


def _described(link: str, cells: Sequence[Cell]) -> Listed:
    """What the cells say of a piece; without a word, its title and composer are those of its address."""
    path = PurePosixPath(unquote(urlsplit(link).path))
    folders = path.parts[path.parts.index("ftp") + 1 :] if "ftp" in path.parts else ()
    said = {"title": "", "composer": "", "instruments": "", "licence": ""}
    for cell in cells:
        text = cell.text
        is_files = any(_suffix(link) in FILES for link in cell.links)
        lead, _, rest = text.partition(" ")
        if lead.casefold() == "by" and not said["composer"]:
            said["composer"] = DATES.sub("", rest)
        elif lead.casefold() == "for" and not said["instruments"]:
            said["instruments"] = rest
        elif LICENCE.search(text) and not said["licence"]:
            said["licence"] = text.rpartition(": ")[2]
        elif text and not is_files and not said["title"]:
            said["title"] = text
    said["composer"] = said["composer"] or cleaned(folders[0] if len(folders) > 1 else "")
    said["title"] = said["title"] or cleaned(path.stem)
    return Listed(link, **said)
