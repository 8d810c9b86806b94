"""Fetching from an archive, against a site of our own that behaves as the Mutopia Project does, and sometimes worse.

Pauses pass on a clock of the tests' own, so that none of them takes any time.
"""

from __future__ import annotations

import csv
import io
import random
import sys
import threading
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from partimento import cli, formats
from partimento.corpus import _mutopia, scan
from partimento.corpus._mutopia import listings, options
from partimento.corpus._robots import parse
from partimento.corpus._visitor import Clock, FetchError, Visitor
from partimento.corpus.fetch import BAD_ZIP, LARGEST_FILE, _stem, fetch, members
from partimento.errors import BadOption, UnknownName
from tunes import tune

ROBOTS = "User-agent: *\nDisallow: /private/\nCrawl-delay: 12\n"
FORM = """<form><select name="Composer"><option value="">All</option>
<option value="GiulianiM">M. Giuliani (1781&ndash;1829)</option><option value="BachJS">J. S. Bach (1685&ndash;1750)
<option value="BachCPE">C. P. E. Bach</option></select>
<select name="Instrument"><option value="Guitar">Guitar</option><option value="Piano">Piano</option></select></form>"""
PIECE = """<table class="table-bordered result-table">
<tr><td>{title}</td><td>by M. Giuliani (1781&ndash;1829)</td><td>Op. {opus}</td></tr>
<tr><td>for Guitar</td><td>1827</td><td>Classical</td></tr>
<tr><td><a href="http://imslp.org/">IMSLP</a></td><td><a href="../legal.html">Creative Commons Attribution 4.0</a></td>
<td><a href="piece-info.cgi?id=7">More Information</a></td></tr>
<tr><td><a href="{stem}.ly">.ly file</a></td><td><a href="{stem}{suffix}">.mid file</a></td>
<td><a href="{stem}-a4.pdf">A4 .pdf file</a></td></tr></table>"""


@dataclass
class Site:
    """A site on this machine: what lies where, what it was asked for, and how it misbehaves."""

    base: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)  # in the search's order: paths below /ftp/GiulianiM/
    asked: list[str] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    cut: Counter = field(default_factory=Counter)  # how often an answer still breaks off in its middle
    slow: set[str] = field(default_factory=set)
    awake: threading.Event = field(default_factory=threading.Event)

    def results(self, start: int) -> bytes:
        shown = enumerate(self.listed[start : start + 10], start + 1)
        rows = [
            PIECE.format(title=f"Prelude &amp; Fugue {n}", opus=n, stem=link.rpartition(".")[0], suffix=suffix)
            for n, link in shown
            for suffix in [f".{link.rpartition('.')[2]}"]
        ]
        return f"<html><body><p>No. {start}<table><tr><td>{''.join(rows)}</table></body></html>".encode()

    def add(self, path: str, data: bytes | None = None) -> None:
        """One more piece: a real MIDI file unless `data` is something else."""
        self.files[f"/ftp/GiulianiM/{path}"] = midi(len(self.files)) if data is None else data
        self.listed.append(f"../ftp/GiulianiM/{path}")


def midi(number: int) -> bytes:
    return made(number).read_bytes()


def made(number: int) -> Path:
    path = FOLDER / f"{number}.mid"
    if not path.exists():
        formats.save(tune(number), path)
    return path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        site, parts = self.server.site, urlsplit(self.path)
        site.asked.append(self.path)
        if parts.path in site.slow:
            site.awake.wait(10)
        if parts.path == "/cgibin/make-table.cgi":
            data = site.results(int(parse_qs(parts.query)["startat"][0]))
        else:
            data = site.files.get(parts.path, b"")
        status = site.status.get(parts.path, 200 if data else 404)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **site.headers.get(parts.path, {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if site.cut[parts.path] > 0:
            site.cut[parts.path] -= 1
            data = data[: len(data) // 2]
        self.wfile.write(data)

    def log_message(self, *words):
        """Silence."""


@pytest.fixture(scope="module", autouse=True)
def folder_of_files(tmp_path_factory):
    global FOLDER
    FOLDER = tmp_path_factory.mktemp("made")


@pytest.fixture
def site(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.site = Site(f"http://127.0.0.1:{server.server_port}/")
    server.site.files = {"/robots.txt": ROBOTS.encode(), "/advsearch.html": FORM.encode()}
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server.site
    server.site.awake.set()
    server.shutdown()
    server.server_close()


class Pauses:
    """A clock on which time passes by sleeping alone."""

    def __init__(self):
        self.time, self.slept = 0.0, []

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.slept.append(seconds)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.time, self.sleep)


def fetched(site: Site, folder: Path, **asked) -> list:
    asked = {"instrument": "Guitar", "composer": "Giuliani", "timeout": 5.0, "clock": Pauses().clock, **asked}
    return list(fetch(folder, base=site.base, **asked))


def kinds(steps) -> Counter:
    return Counter(step.kind for step in steps)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- a whole archive -----------------------------------------------------------------------------------------------


def test_three_pages_of_an_archive_become_a_folder_that_scan_understands(site, tmp_path):
    for n in range(23):
        site.add(f"O{n}/op{n:02}/op{n:02}.mid")
    steps = fetched(site, tmp_path / "giuliani")
    assert kinds(steps) == {"page": 3, "got": 23}
    starts = [parse_qs(urlsplit(path).query)["startat"][0] for path in site.asked if "make-table" in path]
    assert starts == ["0", "10", "20", "30"]
    query = parse_qs(urlsplit(next(path for path in site.asked if "make-table" in path)).query)
    assert query["Composer"] == ["GiulianiM"] and query["Instrument"] == ["Guitar"]
    first = table(tmp_path / "giuliani" / "manifest.csv")[0]
    assert first == {
        "file": "op00.mid", "title": "Prelude & Fugue 1", "composer": "M. Giuliani", "instruments": "Guitar",
        "licence": "Creative Commons Attribution 4.0", "source_repo": "mutopiaproject.org",
        "source_url": f"{site.base}ftp/GiulianiM/O0/op00/op00.mid",
    }  # fmt: skip
    entry = scan(tmp_path / "giuliani", workers=0).entries[0]
    assert entry.kept and entry.style == "giuliani"
    assert entry.source["licence"] == first["licence"] and entry.source["composer"] == "M. Giuliani"
    assert not (tmp_path / "giuliani" / "missed.csv").exists()


def test_between_requests_lies_the_pause_and_the_site_may_ask_for_a_longer_one(site, tmp_path):
    for n in range(3):
        site.add(f"op{n}.mid")
    pauses = Pauses()
    fetched(site, tmp_path, clock=pauses.clock, pause=10.0)  # robots.txt wants 12
    assert site.asked[0] == "/robots.txt"
    assert len(pauses.slept) == len(site.asked) == 1 + 1 + 2 + 3
    assert pauses.slept == [0, 10, *[12] * 5]  # the first pause is over before robots.txt is known
    pauses = Pauses()
    fetched(site, tmp_path / "again", clock=pauses.clock, pause=20.0)
    assert set(pauses.slept[1:]) == {20}


def test_a_second_run_fetches_only_what_is_missing(site, tmp_path):
    for n in range(4):
        site.add(f"op{n}.mid")
    assert kinds(fetched(site, tmp_path, most=2)) == {"page": 1, "got": 2}
    (tmp_path / "op0.mid").unlink()
    site.asked.clear()
    assert kinds(fetched(site, tmp_path)) == {"page": 1, "got": 3, "had": 1}
    assert [path for path in site.asked if "/ftp/" in path] == [f"/ftp/GiulianiM/op{n}.mid" for n in (0, 2, 3)]
    assert sorted(row["file"] for row in table(tmp_path / "manifest.csv")) == [f"op{n}.mid" for n in range(4)]


def test_a_run_that_is_stopped_keeps_what_is_finished_and_leaves_no_half_file(site, tmp_path):
    for n in range(4):
        site.add(f"op{n}.mid")
    pauses = Pauses()

    def interrupted(seconds: float) -> None:
        pauses.sleep(seconds)
        if len(pauses.slept) == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetched(site, tmp_path, clock=Clock(lambda: pauses.time, interrupted))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.csv", "op0.mid", "op1.mid"]
    assert kinds(fetched(site, tmp_path)) == {"page": 1, "had": 2, "got": 2}


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_bad_files_are_recorded_with_their_reasons_and_never_stop_the_rest(site, tmp_path):
    whole = midi(5)
    site.add("a/good.mid")
    site.add("b/gone.mid")
    del site.files["/ftp/GiulianiM/b/gone.mid"]
    site.add("c/page.mid", b"<html>sorry</html>")
    site.add("d/short.mid", whole[: len(whole) // 2])
    site.add("e/away.mid")
    site.status["/ftp/GiulianiM/e/away.mid"] = 302
    site.headers["/ftp/GiulianiM/e/away.mid"] = {"Location": "http://localhost:9/other.mid"}
    site.add("f/huge.mid")
    site.headers["/ftp/GiulianiM/f/huge.mid"] = {"Content-Length": str(LARGEST_FILE + 1)}
    site.files["/private/secret.mid"] = midi(6)
    site.listed += ["../private/secret.mid", "http://example.org/other.mid", "ftp://127.0.0.1/x.mid", "http://[/x.mid"]
    site.add("g/last.mid")
    steps = fetched(site, tmp_path)
    assert [step.what for step in steps if step.kind == "got"] == ["good.mid", "last.mid"]
    reasons = {Path(row["source_url"]).name: row["reason"] for row in table(tmp_path / "missed.csv")}
    said = {
        "gone.mid": "404 (Not Found)", "page.mid": "a file of another kind", "short.mid": "cut short",
        "away.mid": "localhost:9 is another host", "huge.mid": "more than 8,388,608 bytes",
        "secret.mid": "robots.txt asks programs not to read it", "other.mid": "example.org is another host",
        "x.mid": "no plain http or https address",
    }  # fmt: skip
    assert reasons.keys() == said.keys()
    for name, words in said.items():
        assert words in reasons[name], name
    assert not any("/private/" in path for path in site.asked)
    assert not any(path.name.startswith(".") for path in tmp_path.iterdir())


def test_a_redirect_within_the_site_is_followed(site, tmp_path):
    site.add("old.mid")
    site.files["/new.mid"] = midi(3)
    site.status["/ftp/GiulianiM/old.mid"] = 301
    site.headers["/ftp/GiulianiM/old.mid"] = {"Location": "/new.mid"}
    assert kinds(fetched(site, tmp_path))["got"] == 1
    assert (tmp_path / "old.mid").read_bytes() == midi(3)
    site.add("secret.mid")
    site.status["/ftp/GiulianiM/secret.mid"] = 301
    site.headers["/ftp/GiulianiM/secret.mid"] = {"Location": "/private/secret.mid"}
    (missed,) = [step for step in fetched(site, tmp_path) if step.kind == "missed"]
    assert "robots.txt asks" in missed.said


def test_a_connection_cut_in_the_middle_of_a_file_is_tried_again_then_left_for_the_next_run(site, tmp_path):
    site.add("once.mid")
    site.add("often.mid")
    site.cut |= {"/ftp/GiulianiM/once.mid": 1, "/ftp/GiulianiM/often.mid": 2}
    first = fetched(site, tmp_path)
    assert [(step.kind, Path(step.what).name) for step in first[1:]] == [("got", "once.mid"), ("missed", "often.mid")]
    assert "the connection was cut after" in first[2].said
    assert kinds(fetched(site, tmp_path)) == {"page": 1, "had": 1, "got": 1}
    assert (tmp_path / "often.mid").read_bytes() == site.files["/ftp/GiulianiM/often.mid"]
    assert table(tmp_path / "missed.csv") == []


def test_an_answer_that_does_not_come_is_given_up(site, tmp_path):
    site.add("slow.mid")
    site.add("quick.mid")
    site.slow.add("/ftp/GiulianiM/slow.mid")
    steps = fetched(site, tmp_path, timeout=1.0)
    assert kinds(steps) == {"page": 1, "missed": 1, "got": 1}
    assert "no answer in time" in steps[1].said


def test_an_answer_that_drips_is_given_up(site, tmp_path):
    site.add("drips.mid")
    ticking = iter(range(0, 10**6, 40))  # seconds between two looks at the clock
    clock = Clock(lambda: float(next(ticking)), lambda seconds: None)
    visitor = Visitor(site.base, pause=1.0, timeout=3.0, clock=clock)
    with pytest.raises(FetchError, match="not all there after 30 s"):
        visitor.get("ftp/GiulianiM/drips.mid", 10**6)


def test_a_busy_site_is_given_the_time_that_it_asks_for(site, tmp_path):
    site.add("busy.mid")
    path, pauses = "/ftp/GiulianiM/busy.mid", Pauses()
    site.status[path], site.headers[path] = 503, {"Retry-After": "90"}
    (_, step) = fetched(site, tmp_path, clock=pauses.clock)
    assert step.kind == "missed" and "503" in step.said and 90 in pauses.slept
    site.headers[path] = {"Retry-After": "86400"}
    with pytest.raises(FetchError, match="503"):
        fetched(site, tmp_path)


def test_a_site_that_fails_again_and_again_is_left_in_peace(site, tmp_path):
    for n in range(9):
        site.add(f"op{n}.mid")
        site.status[f"/ftp/GiulianiM/op{n}.mid"] = 500
    with pytest.raises(FetchError, match="5 files in a row did not come"):
        fetched(site, tmp_path)
    assert len(table(tmp_path / "missed.csv")) == 5


@pytest.mark.parametrize(("status", "said"), [(500, "answers 500"), (403, ""), (404, "")])
def test_without_robots_txt_all_is_allowed_and_with_an_ailing_one_nothing(site, tmp_path, status, said):
    site.add("op1.mid")
    site.status["/robots.txt"] = status
    if not said:
        assert kinds(fetched(site, tmp_path))["got"] == 1
        return
    with pytest.raises(FetchError, match=said):
        fetched(site, tmp_path)
    assert set(site.asked) == {"/robots.txt"}


def test_a_site_that_forbids_its_search_is_not_searched(site, tmp_path):
    site.files["/robots.txt"] = b"User-agent: Partimento\nDisallow: /cgibin/\n"
    with pytest.raises(FetchError, match=r"robots\.txt asks programs not to read it"):
        fetched(site, tmp_path)
    assert site.asked == ["/robots.txt", "/advsearch.html"]


# --- names ---------------------------------------------------------------------------------------------------------


def test_names_from_the_network_become_plain_file_names(site, tmp_path):
    links = {
        "x/%2e%2e%2f%2e%2e%2fevil.mid": "evil.mid",
        "x/..%5C..%5Cwin.mid": "win.mid",
        "x/.hidden.mid": "hidden.mid",
        "x/pr%C3%A9lude%20n%C2%BA%201.mid": "pr-lude-n-1.mid",
        "x/con.mid": "piece-con.mid",
        "x/%00.mid": "piece-.mid",
        f"x/{'a' * 300}.MID": "a" * 80 + ".mid",
        "x/same.mid": "same.mid",
    }
    for link in links:
        assert _stem(f"https://host/{link}") + ".mid" == links[link]
    site.add("x/same.mid")
    site.add("y/Same.mid")
    (tmp_path / "mine.mid").write_bytes(b"my own")
    site.add("x/mine.mid")
    names = [step.what for step in fetched(site, tmp_path) if step.kind == "got"]
    assert names[0] == "same.mid" and names[1].startswith("Same-") and names[2].startswith("mine-")
    assert (tmp_path / "mine.mid").read_bytes() == b"my own"
    assert kinds(fetched(site, tmp_path)) == {"page": 1, "had": 3}


def test_a_manifest_of_ones_own_is_kept_and_a_broken_one_not_overwritten(site, tmp_path):
    site.add("op1.mid")
    (tmp_path / "manifest.csv").write_text("file,style,title\nown.mid,waltz,Mine\n", encoding="utf-8")
    fetched(site, tmp_path)
    rows = table(tmp_path / "manifest.csv")
    assert rows[0]["file"] == "own.mid" and rows[0]["style"] == "waltz" and rows[0]["source_url"] == ""
    assert rows[1]["file"] == "op1.mid" and rows[1]["style"] == ""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "manifest.csv").write_text("file,style\na.mid\n", encoding="utf-8")
    with pytest.raises(BadOption, match="line 2 has more or fewer fields"):
        fetched(site, broken)
    assert (broken / "manifest.csv").read_text(encoding="utf-8") == "file,style\na.mid\n"


def test_a_manifest_cannot_send_a_file_out_of_its_folder(site, tmp_path):
    site.add("op1.mid")
    folder = tmp_path / "music"
    folder.mkdir()
    row = f"../outside.mid,{site.base}ftp/GiulianiM/op1.mid\n"
    (folder / "manifest.csv").write_text("file,source_url\n" + row, encoding="utf-8")
    assert [step.what for step in fetched(site, folder) if step.kind == "got"] == ["op1.mid"]
    assert not (tmp_path / "outside.mid").exists()


def packed(**files: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"../{name.replace('_', '/')}.mid", content)
    return data.getvalue()


def test_movements_packed_together_are_unpacked_into_files_of_their_own(site, tmp_path, monkeypatch):
    monkeypatch.setattr("partimento.corpus.fetch.LARGEST_UNPACKED", 1 << 16)
    site.add("suite/suite-mids.zip", packed(suite_1=midi(1), suite_2=midi(2), suite_3=b"nothing"))
    site.add("bad/bad-mids.zip", b"PK no zip")
    site.add("bomb/bomb-mids.zip", packed(zeros=bytes(1 << 17)))
    site.add("scores/scores.zip", b"a zip of something else")
    steps = fetched(site, tmp_path)
    assert [step.what for step in steps if step.kind == "got"] == ["1.mid", "2.mid"]
    rows = table(tmp_path / "manifest.csv")
    assert [row["title"] for row in rows] == ["Prelude & Fugue 1 (1)", "Prelude & Fugue 1 (2)"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.mid", "2.mid", "manifest.csv", "missed.csv"]
    reasons = " ".join(row["reason"] for row in table(tmp_path / "missed.csv"))
    assert all(said in reasons for said in ("another kind", "not a zip", "when unpacked"))
    assert not any("scores.zip" in path for path in site.asked)
    assert kinds(fetched(site, tmp_path))["had"] == 2


def test_a_damaged_zip_is_never_more_than_a_damaged_zip():
    rng, whole = random.Random(2), packed(a=midi(1), b=midi(2))
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            assert all(source.startswith("u.zip#") for source in members("u.zip", bytes(data)))
        except BAD_ZIP as error:
            assert str(error) or isinstance(error, EOFError)


def test_names_that_the_search_does_not_know_are_refused_with_what_is_near(site, tmp_path):
    with pytest.raises(UnknownName, match="near to it: Guitar"):
        fetched(site, tmp_path, instrument="Gitar")
    with pytest.raises(BadOption, match=r"may be BachJS \(J. S. Bach \(1685–1750\)\), BachCPE"):
        fetched(site, tmp_path, composer="Bach")
    with pytest.raises(BadOption, match="name an instrument or a composer"):
        fetched(site, tmp_path, instrument="", composer="")
    with pytest.raises(UnknownName, match="there are mutopia"):
        fetched(site, tmp_path, archive="imslp")


def test_without_its_form_the_search_is_asked_by_words_and_titles_do_not_count(site, tmp_path):
    del site.files["/advsearch.html"]
    site.add("op1.mid")
    site.files["/ftp/SorF/op1.mid"] = midi(9)
    page = site.results(0).decode().replace("M. Giuliani", "F. Sor").replace("/GiulianiM/", "/SorF/")
    results = {0: site.results(0) + page.replace("Prelude", "Homage to Rossini").encode()}
    site.results = lambda start: results.get(start, b"<html></html>")
    steps = fetched(site, tmp_path)
    assert kinds(steps) == {"note": 1, "page": 1, "got": 1}
    assert any("searchingfor=Giuliani&Composer=&" in path for path in site.asked)


# --- reading pages -------------------------------------------------------------------------------------------------


def test_a_table_with_a_row_a_piece_and_one_without_closing_tags_are_read():
    page = """<table><tr><th>Title<th>Composer<th>Files
    <tr><td>Air<td>by F. Sor<td>for Guitar<td>Licence: Public Domain<td><a href=a.mid>MIDI</a><a href=a.ly>ly</a>
    <tr><td>Jig<td>by N. Coste (1805-1883)<td>for 2 Guitars<td>CC BY-SA 3.0<td><a href="b.mid">MIDI</a></table>"""
    found = [(one.url, one.title, one.composer, one.instruments, one.licence) for one in listings(page, "http://h/c/t")]
    assert found == [
        ("http://h/c/a.mid", "Air", "F. Sor", "Guitar", "Public Domain"),
        ("http://h/c/b.mid", "Jig", "N. Coste", "2 Guitars", "CC BY-SA 3.0"),
    ]


def test_pieces_of_several_rows_in_one_table_are_kept_apart():
    rows = [
        f"<tr><td>Piece {n}</td><td>by A. B.</td></tr><tr><td>Public Domain</td></tr>"
        f"<tr><td><a href='{n}.ly'>ly</a></td><td><a href='{n}.mid'>mid</a></td></tr><tr><td><a href='{n}.pdf'>pdf</a>"
        for n in range(3)
    ]
    found = listings(f"<table>{''.join(rows)}</table>")
    assert [(one.title, one.licence) for one in found] == [(f"Piece {n}", "Public Domain") for n in range(3)]


def test_a_page_without_tables_still_gives_its_links_with_what_their_addresses_say():
    (one,) = listings('<ul><li><a href="/ftp/GiulianiM/O50/op50n1/op50n1.mid#x">here</a> <a href="y.midi.txt">no</a>')
    assert one.url == "https://www.mutopiaproject.org/ftp/GiulianiM/O50/op50n1/op50n1.mid"
    assert (one.title, one.composer, one.licence) == ("op50n1", "GiulianiM", "")


def test_text_from_the_network_is_one_short_line():
    title = "Air\x1b[2J\n" + "long " * 100
    (one,) = listings(f"<table><tr><td>{title}</td><td><a href=a.mid>.mid</a></td></tr></table>")
    assert one.title.startswith("Air [2J long") and len(one.title) <= 200


def test_pages_that_are_no_html_break_nothing():
    rng = random.Random(1)
    bits = [
        "<table>",
        "<tr>",
        "<td",
        ">",
        "</table>",
        "<a href='x.mid",
        "'>",
        "<![x[",
        "<select name=a>",
        "<option",
        "&#",
    ]
    for _ in range(300):
        page = "".join(rng.choice(bits) for _ in range(rng.randrange(30)))
        for read in (listings, options):
            try:
                read(page)
            except FetchError as error:
                assert "no HTML" in str(error)


def test_old_links_of_the_same_site_are_asked_for_by_https():
    visitor = Visitor("https://www.mutopiaproject.org/", pause=1, timeout=1, clock=Pauses().clock)
    assert visitor.address("http://www.mutopiaproject.org/ftp/a b.mid#x") == _mutopia.BASE + "ftp/a%20b.mid"
    wrong = (
        "http://www.mutopiaproject.org:8080/a.mid", "https://mutopiaproject.org.evil.org/a.mid", "file:///etc/passwd",
        "https://me@www.mutopiaproject.org/a.mid", "https://h:99999/a.mid",
    )  # fmt: skip
    for address in wrong:
        with pytest.raises(FetchError):
            visitor.address(address)


# --- robots.txt ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/a", True),
        ("User-agent: *\nDisallow:", "/a", True),
        ("User-agent: *\nDisallow: /", "/a", False),
        ("User-agent: *\nDisallow: /\nAllow: /ftp/", "/ftp/a.mid", True),
        ("User-agent: *\nDisallow: /ftp/\nAllow: /ftp", "/ftp/a.mid", False),
        ("User-agent: *\nDisallow: /a\nAllow: /a", "/a", True),
        ("User-agent: *\nDisallow: /*.mid$", "/ftp/a.mid", False),
        ("User-agent: *\nDisallow: /*.mid$", "/ftp/a.mid.html", True),
        ("User-agent: *\nDisallow: /*/b*c", "/a/bxc/d", False),
        ("User-agent: *\nDisallow: /ab*ab$", "/ab", True),
        ("User-agent: *\nDisallow: /cgi?x=1", "/cgi?x=12", False),
        ("User-agent: *\nDisallow: /a%20b", "/a b", False),
        ("User-agent: other\nDisallow: /", "/a", True),
        ("User-agent: *\nDisallow: /\nUser-agent: PARTIMENTO\nDisallow: /b", "/a", True),
        ("user-agent: x\nUSER-AGENT: partimento # us\n\nnonsense\ndisallow: /a # no", "/a/b", False),
        ("User-agent: partimento\nDisallow: /a\nUser-agent: x\nUser-agent: partimento\nDisallow: /b", "/b", False),
    ],
)
def test_robots_txt_is_read_as_the_standard_has_it(text, path, allowed):
    assert parse(text, "partimento").allows(f"https://host{path}") is allowed


def test_the_delay_that_robots_txt_asks_for_is_that_of_our_group():
    text = "User-agent: x\nCrawl-delay: 99\n\nUser-agent: *\nCrawl-delay: 2.5\nCrawl-delay: soon\nDisallow: /p"
    assert parse(text, "partimento").delay == 2.5


# --- command line --------------------------------------------------------------------------------------------------


def run(monkeypatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["partimento", "corpus", "fetch", *words])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return exit_.value.code or 0


@pytest.fixture
def at_once(site, monkeypatch):
    """The command asks the site of the tests, on their clock."""
    monkeypatch.setattr(_mutopia, "BASE", site.base)
    monkeypatch.setattr("partimento.corpus.fetch.Clock", lambda: Pauses().clock)


def test_the_command_says_what_it_got_and_under_which_licences(site, at_once, tmp_path, monkeypatch, capsys):
    site.add("op1.mid")
    site.add("op2.mid", b"nothing")
    words = ["mutopia", "--instrument", "Guitar", "--composer", "Giuliani", "-o", str(tmp_path / "g")]
    assert run(monkeypatch, *words) == 0
    said = capsys.readouterr().out
    assert "got op1.mid: Creative Commons Attribution 4.0" in said and "op2.mid: begins with" in said
    assert "1 new in" in said and "1 missed" in said and "licences: Creative Commons Attribution 4.0 (1)" in said


def test_the_command_ends_with_2_and_a_sentence_for_a_wrong_name_and_tells_of_nothing_found(
    site, at_once, tmp_path, monkeypatch, capsys
):
    assert run(monkeypatch, "mutopia", "--instrument", "Lur", "-o", str(tmp_path)) == 2
    assert "no instrument 'Lur'" in capsys.readouterr().err
    assert run(monkeypatch, "mutopia", "--instrument", "Piano", "-o", str(tmp_path)) == 0
    assert "nothing of the kind" in capsys.readouterr().out


def test_ctrl_c_ends_the_command_with_what_is_there(site, at_once, tmp_path, monkeypatch, capsys):
    site.add("op1.mid")
    site.add("op2.mid")
    pauses = Pauses()

    def interrupted(seconds: float) -> None:
        pauses.sleep(seconds)
        if len(pauses.slept) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr("partimento.corpus.fetch.Clock", lambda: Clock(lambda: pauses.time, interrupted))
    assert run(monkeypatch, "mutopia", "--composer", "Giuliani", "-o", str(tmp_path)) == 130
    said = capsys.readouterr()
    assert "the same command goes on" in said.err and "1 new in" in said.out
