"""The studio's server: composing over HTTP, its library, its gate; what it does when it is killed or fed rubbish."""

from __future__ import annotations

import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from music import score_of

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from partimento import Score
from partimento.errors import BadOption
from partimento.formats import midi
from partimento.studio import packing
from partimento.studio.library import Library, NewPiece
from partimento.studio.queueing import Turns
from partimento.studio.work import phrase_of
from studio_client import Client, Running, wait_ready

ROOT = Path(__file__).parents[1]
TUNE = score_of("C4 quarter, D4 quarter, E4 quarter, F4 quarter, G4 half, C4 half")
FUZZ = int(os.environ.get("STUDIO_FUZZ", "300"))  # bad requests; thousands by the environment


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    running = Running(tmp_path_factory.mktemp("studio"), upload=200_000, archive=400_000, set_files=6, parse_seconds=10)
    yield running
    running.close()


@pytest.fixture(scope="module")
def client(studio) -> Client:
    wait_ready(studio.client())
    return studio.client("a" * 32)


@pytest.fixture(scope="module")
def tune(client) -> str:
    """A piece in the library: eight bars of a melody."""
    status, piece = client.ask("POST", "/api/upload?name=tune.mid", file=midi.to_bytes(eight_bars()))
    assert status == 201, piece
    return piece["id"]


def eight_bars() -> Score:
    bar = "C4 quarter, E4 quarter, G4 quarter, E4 quarter"
    return score_of(", ".join([bar, "D4 quarter, F4 quarter, A4 quarter, F4 quarter"] * 4))


# --- whose turn it is


def test_visitors_take_turns_whatever_each_asked_for():
    turns: Turns[str] = Turns()
    for job in ("a1", "a2", "a3", "b1", "c1", "b2"):
        turns.put(job[0], job)
    assert turns.order() == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert [turns.take() for _ in range(6)] == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert turns.take() is None and len(turns) == 0


def test_a_visitor_who_asks_again_waits_behind_those_who_have_not_had_a_turn():
    turns: Turns[str] = Turns()
    turns.put("a", "a1"), turns.put("b", "b1"), turns.put("a", "a2")
    assert turns.take() == "a1"
    turns.put("c", "c1")
    assert turns.order() == ["b1", "a2", "c1"]
    assert turns.remove("a", "a2") and not turns.remove("a", "a2")


# --- pieces as bytes, and notes changed by hand


def test_a_packed_score_is_the_same_score():
    again = packing.unpack(packing.pack(TUNE))
    assert again == TUNE and again.title == TUNE.title


def test_notes_are_changed_taken_out_and_put_in_by_the_numbers_that_the_page_shows():
    new = packing.edited(TUNE, [5], [{"index": 0, "pitch": 61}], [[0, 144, 48, 72, 90]], 100)
    assert new.notes["pitch"].tolist() == [61, 62, 64, 65, 67, 72]


@pytest.mark.parametrize(
    ("remove", "change", "add", "said"),
    [
        ([6], [], [], "no note 6"), (range(6), [], [], "no note would be left"),
        ([], [{"index": 0, "pitch": 128}], [], "pitch 128"), ([], [], [[1, 0, 24, 60, 80]], "track 1"),
        ([], [], [[0, 0, 0, 60, 80]], "duration 0"), ([], [], [[0, 0, 24, 60, 80]] * 200, "more than 100"),
    ],
)  # fmt: skip
def test_a_note_that_cannot_be_is_refused(remove, change, add, said):
    with pytest.raises(Exception, match=said):
        packing.edited(TUNE, list(remove), change, add, 100)


def test_a_played_phrase_comes_to_the_nearest_sixteenths_and_triplets():
    at = [0.02, 0.51, 1.03, 1.2, 1.35]  # at 120: a quarter each half second, then a triplet of quavers
    notes = [{"onset": 5 + t, "duration": 0.45, "pitch": 60} for t in at]
    score = phrase_of({"notes": notes, "tempo": 120})
    assert score.notes["onset"].tolist() == [0, 24, 48, 56, 64]


# --- the library


def test_the_library_keeps_versions_and_loses_nothing(tmp_path):
    library = Library(tmp_path / "library.db")
    (first,) = library.keep([NewPiece(packing.pack(TUNE), "upload", "A tune")])
    (second,) = library.keep([NewPiece(packing.pack(TUNE), "edit", "A tune", parent=first)])
    library.put_away(first, True)
    library.close()
    again = Library(tmp_path / "library.db")
    assert [one["id"] for one in again.tree(second)["versions"]] == [first, second]
    assert [one["id"] for one in again.pieces(view="deleted")["pieces"]] == [first]
    again.put_away(first, False)
    assert again.pieces(search="TUNE")["pieces"][1]["root"] == first
    again.close()


def test_a_job_and_its_pieces_are_written_together_or_not_at_all(tmp_path):
    library = Library(tmp_path / "library.db")
    library.job_begun("j1", "compose", "v", {})
    good, bad = NewPiece(packing.pack(TUNE), "compose", id="p1"), NewPiece(packing.pack(TUNE), "compose", id="p1")
    with pytest.raises(Exception, match="UNIQUE"):
        library.keep([good, bad], library.end_of("j1", "done", {}))
    assert library.pieces()["pieces"] == [] and library.job("j1")["state"] == "queued"
    assert library.interrupt() == 1
    assert library.job("j1")["state"] == "interrupted"
    library.close()


def test_a_file_that_is_no_library_is_told_of(tmp_path):
    (tmp_path / "library.db").write_bytes(b"not a library at all, but long enough to be looked at" * 20)
    with pytest.raises(Exception, match="not a library"):
        Library(tmp_path / "library.db")


# --- composing


def test_notes_come_before_the_piece_is_finished_and_are_those_of_the_piece(client):
    events = client.job("compose", style="folk", bars=4, seed=3, candidates=2)
    names = [name for name, _ in events]
    assert names.index("plan") < names.index("notes") < len(names) - 2 and names[-1] == "done"
    heard: dict[int, dict[int, list[int]]] = {0: {}, 1: {}}
    for _, data in (event for event in events if event[0] == "notes"):
        heard[data["candidate"]].update({note[0]: note[1:] for note in data["notes"]})
    pieces = events[-1][1]["pieces"]
    assert [one["rank"] for one in pieces] == [0, 1] and pieces[0]["worth"] >= pieces[1]["worth"]
    for one in pieces:
        piece = client.ask("GET", f"/api/pieces/{one['id']}")[1]
        streamed = sorted(note for note in heard[one["candidate"]].values() if note[2])
        assert streamed == sorted(piece["note_list"])
        assert piece["seed"] == 3 and piece["bars"] == 4 and piece["recipe"]["asked"]["style"] == "folk"


def test_what_is_asked_reaches_the_composer(client):
    asked = {"style": "folk", "bars": 2, "seed": 1, "candidates": 1, "key": "D major", "metre": "3/4", "tempo": 90}
    piece = client.job("compose", **asked, happiness=[[1, 3], [-1, 9]])[-1][1]["pieces"][0]
    whole = client.ask("GET", f"/api/pieces/{piece['id']}")[1]
    assert (whole["metre"], whole["tempo"], whole["bars"]) == ("3/4", 90, 2)
    assert whole["recipe"]["asked"]["happiness"] == [[1, 3], [-1, 9]] and "happiness" in piece["why"]["missed"]


def test_a_composition_that_is_stopped_leaves_what_there_was(client):
    job = client.begin("compose", style="folk", bars=200, seed=1, candidates=1)
    for _, name, _ in client.events(job):
        if name == "notes":
            assert client.ask("POST", f"/api/jobs/{job}/stop")[0] == 200
            break
    *_, (_, name, data) = client.events(job)
    assert name == "stopped" and data["pieces"][0]["kind"] == "stopped"
    assert client.ask("GET", f"/api/pieces/{data['pieces'][0]['id']}")[1]["notes"] >= 1
    assert client.ask("POST", f"/api/jobs/{job}/stop")[0] == 409


def test_what_cannot_be_composed_is_an_error_that_says_why(client):
    events = client.job("compose", style="folk", bars=2, key="H major")
    assert events[-1][0] == "error" and "H major" in events[-1][1]["error"]["message"]
    status, refused = client.ask("POST", "/api/jobs/compose", {"style": "polka"})
    assert status == 400 and "folk" in refused["error"]["message"]


def test_events_go_on_from_the_last_one_that_was_heard(client):
    job = client.begin("compose", style="folk", bars=1, seed=2, candidates=1)
    every = list(client.events(job))
    assert [number for number, _, _ in every] == list(range(1, len(every) + 1))
    assert list(client.events(job, after=every[-2][0])) == every[-1:]


def test_bars_are_filled_and_the_rest_stays(client, tune):
    events = client.job("infill", piece=tune, bars=[3, 4], style="folk", seed=5)
    plan = next(data for name, data in events if name == "plan")
    old = client.ask("GET", f"/api/pieces/{tune}")[1]
    new = client.ask("GET", f"/api/pieces/{events[-1][1]['pieces'][0]['id']}")[1]
    ((begin, end),) = plan["region"]
    bar = 4 * old["ticks_per_beat"]
    assert (begin, end) == (2 * bar, 4 * bar) and new["parent"] == tune

    def outside(piece):
        return [note for note in piece["note_list"] if not begin <= note[1] < end]

    assert outside(new) == outside(old)
    assert client.ask("GET", f"/api/pieces/{tune}/tree")[1]["versions"][-1]["id"] == new["id"]


def test_a_phrase_is_answered(client):
    notes = [{"onset": n * 0.5, "duration": 0.4, "pitch": 60 + n} for n in range(4)]
    done = client.job("answer", notes=notes, style="folk", bars=1, seed=1)[-1][1]
    phrase, answer = (client.ask("GET", f"/api/pieces/{one['id']}")[1] for one in done["pieces"])
    assert phrase["kind"] == "phrase" and answer["parent"] == phrase["id"]
    assert answer["note_list"][:4] == phrase["note_list"] and answer["note_list"][4][1] >= done["answer_tick"] == 96


def test_a_piece_is_composed_again_from_its_recipe(client):
    first = client.job("compose", style="folk", bars=2, seed=8, candidates=1)[-1][1]["pieces"][0]["id"]
    _, job = client.ask("POST", f"/api/pieces/{first}/reproduce")
    *_, (_, name, data) = client.events(job["id"])
    assert name == "done" and data["same"] is True


# --- pieces


def test_changes_by_hand_are_versions(client, tune):
    status, new = client.ask("POST", f"/api/pieces/{tune}/edit", {"change": [{"index": 0, "pitch": 59}]})
    assert status == 201 and new["parent"] == tune and new["note_list"][0][3] == 59
    status, moved = client.ask("POST", f"/api/pieces/{new['id']}/transform", {"transpose": 2, "bars": [1, 2]})
    assert status == 201 and moved["note_list"][0][3] == 61 and moved["bars"] == 2
    assert [step["kind"] for step in client.ask("GET", f"/api/pieces/{moved['id']}/recipe")[1]["chain"]] == [
        "upload", "edit", "transform",
    ]  # fmt: skip
    assert client.ask("GET", f"/api/pieces/{tune}")[1]["note_list"][0][3] == 60


def test_a_piece_is_named_starred_found_put_away_and_brought_back(client, tune):
    assert client.ask("PATCH", f"/api/pieces/{tune}", {"title": "Morgenlied", "starred": True})[1]["starred"]
    found = client.ask("GET", "/api/pieces?search=morgen&starred=true")[1]["pieces"]
    assert [one["id"] for one in found] == [tune]
    client.ask("DELETE", f"/api/pieces/{tune}")
    assert client.ask("GET", "/api/pieces?search=morgen")[1]["pieces"] == []
    client.ask("POST", f"/api/pieces/{tune}/restore")
    assert len(client.ask("GET", "/api/pieces?search=morgen")[1]["pieces"]) == 1


def test_downloads_are_the_piece(client, tune):
    status, headers, data = client.raw("GET", f"/api/pieces/{tune}/piece.mid?download=true")
    assert status == 200 and "attachment" in headers["content-disposition"]
    assert midi.from_bytes(data).notes["pitch"].tolist() == eight_bars().notes["pitch"].tolist()
    assert b"<score-partwise" in client.raw("GET", f"/api/pieces/{tune}/piece.musicxml")[2]
    assert client.raw("GET", f"/api/pieces/{tune}/roll.svg")[2].startswith(b"<svg")
    assert client.raw("GET", f"/api/pieces/{tune}/piece.exe")[0] == 404
    able = client.ask("GET", "/api/status")[1]["downloads"]
    for kind, begin in (("flac", b"fLaC"), ("mp3", b"\xff\xfb")):
        status, _, data = client.raw("GET", f"/api/pieces/{tune}/piece.{kind}")
        assert (status, data[: len(begin)]) == (200, begin) if kind in able else status == 424 and b"[audio]" in data


# --- files in


@pytest.mark.parametrize(
    ("name", "data", "status", "said"),
    [
        ("x.mid", b"MThd\0\0\0\6", 400, "cut short"), ("x.exe", b"MZ", 415, "not read"), ("x.mid", b"", 415, "empty"),
        ("x.mid", b"\0" * 300_000, 413, "more than 200,000"), ("../../x.xml", b"<a/>", 400, "x.xml"),
    ],
)  # fmt: skip
def test_a_bad_upload_is_a_sentence_and_nothing_else(client, name, data, status, said):
    found, answer = client.ask("POST", f"/api/upload?name={name}", file=data)
    assert (found, said in answer["error"]["message"]) == (status, True), answer
    assert "/tmp" not in answer["error"]["message"]


def zipped(members: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return held.getvalue()


def test_an_archive_gives_its_music_and_nothing_else(client, studio):
    music = midi.to_bytes(eight_bars())
    owner = client.ask("POST", "/api/sets", {"name": "tunes"})[1]["id"]
    link = zipfile.ZipInfo("link.mid")
    link.external_attr = 0o120777 << 16
    held = io.BytesIO(zipped({
        "a/one.mid": music, "../evil.mid": music, "/evil.mid": music, "C:\\evil.mid": music, "bomb.mid": b"\0" * 10**7,
        "read.me": b"hello",
    }))  # fmt: skip
    with zipfile.ZipFile(held, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    status, found = client.ask("POST", f"/api/sets/{owner}/files?name=all.zip", file=held.getvalue())
    assert status == 200 and [one["name"] for one in found["added"]] == ["a/one.mid"] and len(found["refused"]) == 6
    folder = studio.app.settings.folder
    assert [path.name for path in (folder / "sets" / owner).iterdir()] == ["000001.mid"]
    assert not list(folder.rglob("*evil*")) and not list((folder / "incoming").iterdir())
    status, found = client.ask(
        "POST", f"/api/sets/{owner}/files?name=more.zip", file=zipped({f"{n}.mid": music for n in range(9)})
    )
    assert found["files"] == 6 and "full" in found["refused"][0]["why"]
    assert client.ask("POST", f"/api/sets/{owner}/files?name=b.zip", file=b"PK no archive")[0] == 400
    assert client.ask("POST", f"/api/sets/{owner}/files?name=b.zip", file=b"\0" * 500_000)[0] == 413


def test_every_file_of_a_set_gets_a_verdict_under_its_own_name(client):
    owner = client.ask("POST", "/api/sets", {"name": "tunes"})[1]["id"]
    assert client.ask("POST", "/api/jobs/check", {"set": owner})[0] == 409
    client.ask("POST", f"/api/sets/{owner}/files?name=good.mid", file=midi.to_bytes(eight_bars()))
    client.ask("POST", f"/api/sets/{owner}/files?name=bad.mid", file=b"MThd, but not for long")
    done = client.job("check", set=owner)[-1][1]
    verdicts = {one["name"]: one for one in done["verdicts"]}
    assert verdicts["good.mid"]["kept"] and verdicts["bad.mid"]["reason"] == "unreadable"
    assert verdicts["bad.mid"]["message"].startswith("bad.mid")


# --- the gate


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403), ({"host": "127.0.0.1.evil.example"}, 403), ({"host": "localhost:1"}, 200),
        ({"origin": "http://evil.example"}, 403), ({"origin": "null"}, 403), ({"sec-fetch-site": "cross-site"}, 403),
    ],
)  # fmt: skip
def test_only_this_machine_under_its_own_name_is_answered(client, headers, status):
    assert client.raw("GET", "/api/status", headers=headers)[0] == status


def test_a_page_of_another_origin_cannot_make_it_compose(client):
    own = {"origin": f"http://127.0.0.1:{client.port}"}
    body = b'{"bars": 0}'
    for headers, status in ((own, 400), ({"origin": f"http://127.0.0.1:{client.port + 1}"}, 403)):
        assert (
            client.raw("POST", "/api/jobs/compose", body, {"content-type": "application/json", **headers})[0] == status
        )
    assert client.raw("POST", "/api/jobs/compose", body, {"content-type": "text/plain"})[0] == 415


def test_every_answer_allows_this_origin_alone(client):
    for path in ("/api/status", "/", "/nothing", "/api/pieces/p"):
        headers = client.raw("GET", path)[1]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert not re.search(
            r"unsafe-inline|http", headers["content-security-policy"].partition("script-src")[2].partition(";")[0]
        )


def test_no_path_from_a_request_reaches_the_disk(client):
    for path in ("/../library.db", "/%2e%2e/library.db", "/js/../../app.py", "//etc/passwd", "/app.py",
                 "/api/trainings/../report", "/api/pieces/../../library.db/piece.mid"):  # fmt: skip
        assert client.raw("GET", path)[0] in (400, 404), path


def test_opened_to_a_network_it_wants_its_token(tmp_path):
    running = Running(tmp_path, token="secret-token")
    try:
        client = running.client()
        assert client.raw("GET", "/api/status")[0] == 401
        assert client.raw("GET", "/api/status", headers={"authorization": "Bearer wrong"})[0] == 401
        assert client.raw("GET", "/api/status", headers={"authorization": "Bearer secret-token"})[0] == 200
        status, headers, _ = client.raw("GET", "/?token=secret-token")
        assert status == 303 and headers["location"] == "/"
        assert client.raw("GET", "/?token=wrong")[0] == 401
        cookie = headers["set-cookie"].partition(";")[0]
        assert client.raw("GET", "/api/status", headers={"cookie": cookie})[0] == 200
    finally:
        running.close()


def test_too_many_jobs_of_one_visitor_are_refused_and_others_are_not(studio, client):
    greedy, other = studio.client("b" * 32), studio.client("c" * 32)
    jobs = [greedy.begin("compose", style="folk", bars=30, seed=n, candidates=1) for n in range(8)]
    assert greedy.ask("POST", "/api/jobs/compose", {"style": "folk"})[0] == 429
    late = other.begin("compose", style="folk", bars=1, candidates=1)
    assert other.ask("GET", f"/api/jobs/{late}")[1]["place"] <= 1, "one of the others, not all, goes before"
    for job in reversed(jobs):
        greedy.ask("POST", f"/api/jobs/{job}/stop")
    assert list(other.events(late))[-1][1] == "done"


# --- what is documented


def test_every_route_is_in_the_schema_and_in_the_documents(client):
    schema = client.ask("GET", "/openapi.json")[1]
    text = (ROOT / "docs" / "studio-api.md").read_text("utf-8")
    for path, methods in schema["paths"].items():
        for entry in methods.values():
            assert entry.get("description"), path
        kinds = re.sub(r"\{[a-z]+\}", "{id}", path)
        said = re.sub(r"\{[a-zA-Z]+\}", "{id}", text)
        assert kinds in said or kinds.replace("/{id}/{id}", "/{id}/FILE") in said, path
    assert client.raw("GET", "/docs")[0] == 404


# --- rubbish


def test_rubbish_is_refused_and_nothing_is_lost(client, tune):
    before = client.ask("GET", f"/api/pieces/{tune}")[1]
    rng = random.Random(int(os.environ.get("STUDIO_FUZZ_SEED", "1")))
    paths = list(client.ask("GET", "/openapi.json")[1]["paths"].items())
    for n in range(FUZZ):
        method, path, body, headers = bad_request(rng, paths, tune)
        status = client.raw(method, path, body, headers)[0]
        assert status < 500, (n, method, path, body[:200], headers)
    assert client.ask("GET", f"/api/pieces/{tune}")[1]["note_list"] == before["note_list"]
    assert client.job("compose", style="folk", bars=1, candidates=1)[-1][0] == "done"


def test_damaged_files_are_read_or_refused_and_the_studio_goes_on(client, tune):
    rng, whole = random.Random(3), midi.to_bytes(eight_bars())
    for n in range(max(20, FUZZ // 10)):
        data = bytearray(whole[: rng.randrange(20, len(whole) + 1)])
        for _ in range(rng.randrange(6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        name = rng.choice(["x.mid", "x.mid", "x.musicxml", "x.mxl"])
        status, answer = client.ask("POST", f"/api/upload?name={name}", file=bytes(data))
        assert status in (201, 400), (n, answer)
    assert client.ask("GET", f"/api/pieces/{tune}")[0] == 200


RUBBISH = (None, True, -1, 0, 1e308, 2**70, "", "x" * 300, "\ud800", "\0", [], {}, [[]], [None], {"a": 1},
           "p" + "0" * 16, [[1, 2]], [1, 2], "../../etc", float("1e-300"), "folk", "4/4", -0.0)  # fmt: skip


KEYS = ("style", "bars", "piece", "seed", "tempo", "notes", "key", "metre", "chords", "add", "change", "remove", "set",
        "name", "title", "candidates", "happiness", "instruments", "transpose", "where", "unit", "x")  # fmt: skip


def bad_request(rng: random.Random, paths, tune: str) -> tuple[str, str, bytes, dict[str, str]]:
    """A request that is wrong in some way, to a route that there is."""
    path, methods = rng.choice(paths)
    method = rng.choice([*methods, "put"]) if rng.random() < 0.1 else rng.choice(list(methods))
    if method == "delete" or path == "/api/jobs/train":
        method = "get"
    known = [tune, "x", "..", "%00", "p" * 17, "0", "%ff%fe", "a" * 500]
    path = re.sub(r"\{[a-z]+\}", lambda _: rng.choice(known), path)
    if rng.random() < 0.3:
        query = rng.choice(["limit=-1", "limit=9e9", "name=%2e%2fx.mid", "view=all&before=x", "after=-5", "%f=%0"])
        path += f"?name=x.mid&style={rng.choice(['folk', '%ff', ''])}&{query}"
    asked = {rng.choice(KEYS): rng.choice(RUBBISH) for _ in range(rng.randrange(5))}
    if rng.random() < 0.5:
        asked["piece"] = tune
    asked["candidates"], asked["bars"] = 99, asked.get("bars", 10**6)  # nothing of this is to be composed
    body = json.dumps(asked).encode()
    if rng.random() < 0.3:
        body = rng.choice(
            [b"", b"{", b"[" * 5000, b"\xff\xfe", rng.randbytes(300), b'{"bars": NaN}', midi.to_bytes(TUNE)[:60]]
        )
    headers = {
        "content-type": rng.choice(["application/json"] * 6 + ["", "text/plain", "multipart/form-data; boundary=x"])
    }
    if rng.random() < 0.1:
        headers["content-length"] = str(len(body))
        headers["cookie"] = rng.choice(["visitor=x", "=;;=", "visitor=" + "0" * 5000, '"\\'])
    return method.upper(), path, b"" if method == "get" else body, headers


# --- killed


def begun(folder: Path) -> tuple[subprocess.Popen, Client]:
    """A studio of its own process, as the command begins it."""
    code = "from partimento.cli import main; main()"
    line = [
        sys.executable,
        "-c",
        code,
        "studio",
        "--port",
        "0",
        "--no-browser",
        "--workers",
        "1",
        "--folder",
        str(folder),
    ]
    child = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    port = re.search(r":(\d+)/", child.stdout.readline())
    assert port is not None
    return child, Client(int(port[1]), "d" * 32)


def test_killed_while_it_composes_it_starts_again_with_all_that_was_finished(tmp_path):
    child, client = begun(tmp_path)
    try:
        done = client.job("compose", style="folk", bars=1, seed=1, candidates=1)[-1][1]["pieces"][0]["id"]
        job = client.begin("compose", style="folk", bars=300, seed=1, candidates=1)
        next(event for event in client.events(job) if event[1] == "notes")
        workers = children_of(child.pid)
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    library = Library(tmp_path / "library.db")
    assert library.interrupt() == 1 and library.job(job)["state"] == "interrupted"
    assert library.piece(done)["notes"] > 0 and library.job(job)["request"]["bars"] == 300
    library.close()
    until = time.monotonic() + 20
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < until, "children outlive the studio"
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    task = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(one) for one in task.read_text().split()] if task.exists() else []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_two_studios_do_not_share_a_folder(studio):
    with pytest.raises(BadOption, match="another studio"):
        Running(studio.app.settings.folder)


def test_a_child_that_dies_costs_its_own_job_alone(client, studio):
    job = client.begin("compose", style="folk", bars=200, seed=1, candidates=1)
    next(event for event in client.events(job) if event[1] == "notes")
    (worker,) = [one for one in studio.app.app.state.parts.jobs.lanes["compose"].children if one.job == job]
    os.kill(worker.process.pid, signal.SIGKILL)
    assert list(client.events(job))[-1][1] == "error"
    assert client.job("compose", style="folk", bars=1, candidates=1)[-1][0] == "done"


# --- training


def test_a_style_is_trained_on_a_set_and_composes(client):
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    owner = client.ask("POST", "/api/sets", {"name": "tunes"})[1]["id"]
    rng = random.Random(0)
    for n in range(5):
        notes = eight_bars().notes.copy()
        notes["pitch"] = [60 + rng.choice((0, 2, 4, 5, 7, 9, 11)) for _ in notes]
        data = midi.to_bytes(eight_bars().with_notes(notes))
        client.ask("POST", f"/api/sets/{owner}/files?name=tune{n}.mid", file=data)
    settings = {"width": 16, "layers": 1, "every": 2, "batch": 2, "window": 32}
    events = client.job("train", set=owner, name="My tunes!", steps=4, family="recurrent", settings=settings)
    names = [name for name, _ in events]
    assert names[-1] == "done", events[-1]
    assert {"verdicts", "said", "health", "sample"} <= set(names), set(names)
    assert any(data.get("stage") == "training" and data["valid"] for name, data in events if name == "progress")
    done = events[-1][1]
    assert done["style"] in [one["id"] for one in client.ask("GET", "/api/styles")[1]["styles"]]
    assert client.raw("GET", done["report"])[2].startswith(b"<!doctype html>")
    assert client.job("compose", style=done["style"], bars=1, candidates=1)[-1][0] == "done"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"models": ["markov", "vae"]}, "a set or a style; name one of them"),
        ({"models": ["markov", "vae"], "set": "s" + "0" * 16, "style": "folk"}, "name one of them"),
        ({"models": ["markov"], "style": "folk"}, "models"),
        ({"models": ["markov", "../markov"], "style": "folk"}, "no preset and no family '../markov'; there are"),
        ({"models": ["markov", "vae"], "style": "polka"}, "no style 'polka'"),
    ],
)
def test_a_comparison_that_cannot_be_is_refused_in_a_sentence(client, asked, said):
    pytest.importorskip("torch")
    status, answer = client.ask("POST", "/api/jobs/compare", asked)
    assert status in (400, 404) and said in answer["error"]["message"]


def test_a_bad_setting_of_a_training_is_told(client):
    pytest.importorskip("torch")
    owner = client.ask("POST", "/api/sets", {"name": "tunes"})[1]["id"]
    client.ask("POST", f"/api/sets/{owner}/files?name=a.mid", file=midi.to_bytes(eight_bars()))
    last = client.job("train", set=owner, name="x", steps=2, settings={"device": "cuda"})[-1]
    assert last[0] == "error" and "device" in last[1]["error"]["message"]
