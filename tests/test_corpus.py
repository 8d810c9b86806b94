"""A corpus: every file's verdict, twins at other keys and tempi, sides that do not leak, and the cache."""

from __future__ import annotations

import json
import os
import random
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from music import score_of
from partimento import cli, formats
from partimento.corpus import Cache, CacheError, build_cache, prepare, prepared, scan
from partimento.corpus.duplicates import fingerprint, likenesses
from partimento.corpus.encode import replaced
from partimento.corpus.split import Work, deal
from partimento.corpus.workers import run_jobs
from partimento.describe import describe
from partimento.encodings import Unencodable, get_encoding
from partimento.errors import BadOption, PartimentoError
from partimento.score import Score, Tempo, Track, note_array
from partimento.transform import transpose

SCALE = (0, 2, 4, 5, 7, 9, 11)
MANIFEST = "manifest.csv"
HELPER = """
import os, signal, time
from partimento.corpus import verdicts

def examine(task):
    if "crash" in task["path"]:
        os.kill(os.getpid(), signal.SIGKILL)
    if "hang" in task["path"]:
        time.sleep(60)
    print("a parser that talks")
    return verdicts.examine(task)

def bug(task):
    return {"value": 1 // task["by"]}
"""


def tune(seed: int, notes: int = 48, *, bass: bool = True) -> Score:
    """A melody that no other seed has, over a bass, 24 ticks a beat."""
    rng = random.Random(seed)
    rows, now, degree = [], 0, 7
    for _ in range(notes):
        length = rng.choice((12, 12, 24, 24, 36))
        degree = min(16, max(0, degree + rng.choice((-4, -3, -2, -1, 1, 2, 3, 4))))
        rows.append((now, length, 60 + 12 * (degree // 7) + SCALE[degree % 7], 80, 0))
        if bass and now % 48 == 0:
            rows.append((now, 24, 36 + SCALE[rng.randrange(7)], 70, 1))
        now += length
    return Score(note_array(rows), (Track("", 0), Track("", 32))[: 1 + bass])


def twin(score: Score, semitones: int, factor: float, *, program: int = 40, velocity: int = 50) -> Score:
    """The same music in another key, with every time multiplied, on other instruments, at other dynamics."""
    moved = transpose(score, semitones)
    notes = moved.notes.copy()
    notes["onset"] = np.floor(notes["onset"] * factor + 0.5)
    notes["duration"] = np.maximum(1, np.floor(notes["duration"] * factor + 0.5))
    notes["velocity"] = velocity
    tracks = tuple(Track(track.name, program) for track in score.tracks)
    return replace(moved, notes=notes, tracks=tracks, tempos=(Tempo(0, 77.0),))


def write(folder: Path, **scores: Score) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, score in scores.items():
        formats.save(score, folder / f"{name}.mid")
    return folder


def small_corpus(folder: Path, count: int = 12, first: int = 0) -> Path:
    return write(folder, **{f"tune{n:02}": tune(n) for n in range(first, first + count)})


def verdicts(catalogue) -> dict[str, str]:
    return {entry.name: entry.reason for entry in catalogue.entries}


# --- files ---------------------------------------------------------------------------------------------------------


def test_files_are_found_sorted_and_hidden_ones_and_links_passed_over(tmp_path):
    music = write(tmp_path / "music", a=tune(1))
    write(music / "folk", b=tune(2), c=tune(3))
    write(music / ".hidden", d=tune(4))
    write(tmp_path / "outside", e=tune(5))
    (music / "link").symlink_to(tmp_path / "outside")
    (music / "f.mid").symlink_to(tmp_path / "outside" / "e.mid")
    (music / "notes.txt").write_text("no music")
    catalogue = scan(music, workers=0)
    assert [entry.name for entry in catalogue.entries] == ["a.mid", "folk/b.mid", "folk/c.mid"]
    assert [entry.style for entry in catalogue.entries] == ["music", "folk", "folk"]


def test_several_roots_and_a_single_file_keep_their_names_apart(tmp_path):
    one, two = write(tmp_path / "x" / "folk", a=tune(1)), write(tmp_path / "y" / "folk", a=tune(2), b=tune(3))
    catalogue = scan([one, two / "a.mid", two / "b.mid"], workers=0)
    names = [entry.name for entry in catalogue.entries]
    assert len(set(names)) == 3
    assert catalogue.styles == ("folk",)


def test_a_folder_named_twice_counts_once(tmp_path):
    folder = small_corpus(tmp_path / "folk", 3)
    assert len(scan([folder, folder], workers=0).entries) == 3


def test_a_folder_that_cannot_be_used_says_why(tmp_path):
    with pytest.raises(BadOption, match="there is no such file or folder"):
        scan(tmp_path / "nowhere")
    with pytest.raises(BadOption, match=r"no music files in it; looked for \.mid"):
        scan(tmp_path)
    with pytest.raises(BadOption, match="no folder"):
        scan([])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every folder")
def test_an_unreadable_folder_is_named(tmp_path):
    folder = small_corpus(tmp_path / "folk", 1)
    (folder / "locked").mkdir(mode=0)
    with pytest.raises(BadOption, match="locked: this folder cannot be read"):
        scan(folder, workers=0)


# --- verdicts ------------------------------------------------------------------------------------------------------


def test_bad_files_are_skipped_with_their_reasons(tmp_path):
    folder = small_corpus(tmp_path / "music", 2)
    drums = replace(tune(50, bass=False), tracks=(Track("", 128),))
    write(folder, short=tune(60, 5), drums=drums, stutter=score_of(", ".join(["C4 quarter"] * 30)))
    far = note_array([(0, 24, 60 + n, 80, 0) for n in range(9)] + [(24 * 60_000, 24, 72, 80, 0)])
    write(folder, far=Score(far))
    data = (folder / "tune00.mid").read_bytes()
    (folder / "cut.mid").write_bytes(data[: len(data) // 4])
    (folder / "text.mid").write_text("this is no music")
    (folder / "zero.mid").write_bytes(b"")
    catalogue = scan(folder, workers=0)
    found = verdicts(catalogue)
    expected = {"short": "too short", "drums": "drums only", "stutter": "stutter", "far": "too long"}
    assert {name: found[f"{name}.mid"] for name in expected} == expected
    assert {found[f"{name}.mid"] for name in ("text", "zero")} == {"unreadable"}
    assert found["tune00.mid"] == found["tune01.mid"] == ""
    assert all(entry.message for entry in catalogue.skipped)
    assert catalogue.reasons["unreadable"] >= 2


def test_a_worker_that_dies_or_hangs_costs_only_its_file(tmp_path, monkeypatch):
    (tmp_path / "corpus_helper.py").write_text(HELPER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("partimento.corpus.verdicts.JOB", "corpus_helper:examine")
    folder = small_corpus(tmp_path / "music", 18)
    write(folder, crash=tune(90), hang=tune(91), crash2=tune(92))
    catalogue = scan(folder, workers=2, timeout=3.0)
    assert len(catalogue.kept) == 18
    lost = {entry.name: entry.message for entry in catalogue.skipped}
    assert lost.keys() == {"crash.mid", "crash2.mid", "hang.mid"}
    assert "crashed (SIGKILL)" in lost["crash.mid"]
    assert lost["hang.mid"] == "took longer than 3 s"
    assert catalogue.reasons == {"lost": 3}


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_an_error_that_nobody_foresaw_costs_one_task(tmp_path, monkeypatch, workers):
    (tmp_path / "corpus_helper.py").write_text(HELPER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "corpus_helper", raising=False)
    results = list(run_jobs("corpus_helper:bug", [{"by": 1}, {"by": 0}, {"by": 1}] * 4, workers=workers))
    assert results[:3] == [
        {"value": 1}, {"failed": "ZeroDivisionError: integer division or modulo by zero"}, {"value": 1},
    ]  # fmt: skip
    assert results == results[:3] * 4


def test_workers_that_cannot_start_are_a_sentence():
    with pytest.raises(PartimentoError, match=r"a worker process cannot start: .*no_such_module"):
        list(run_jobs("no_such_module:job", [{}], workers=1))


# --- twins ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("semitones", "factor"), [(-11, 2), (-5, 0.5), (1, 1), (6, 20), (11, 1.5)])
def test_a_twin_in_another_key_and_tempo_is_the_same_piece(semitones, factor):
    for seed in range(5):
        score = tune(seed)
        prints = [fingerprint(one) for one in (score, tune(seed + 100), twin(score, semitones, factor))]
        assert prints[0].content == prints[2].content
        (found,) = likenesses(prints)
        assert (found.first, found.second, found.same) == (0, 2, True)


def test_a_part_of_a_piece_is_near_but_not_the_same():
    score = tune(7, 100)
    half = score.with_notes(score.notes[: len(score) // 2])
    (found,) = likenesses([fingerprint(score), fingerprint(half)])
    assert found.near and not found.same


def test_different_tunes_and_scales_are_not_alike():
    rows = [(12 * n, 12, 60 + 12 * (n // 7 % 2) + SCALE[n % 7], 80, 0) for n in range(56)]
    prints = [fingerprint(tune(seed)) for seed in range(60)] + [fingerprint(Score(note_array(rows)))] * 2
    assert [(one.first, one.second) for one in likenesses(prints) if one.first < 60] == []


def test_planted_twins_are_skipped_and_named(tmp_path):
    folder = small_corpus(tmp_path / "music", 6)
    write(folder, **{f"zz{n}": twin(tune(n), n - 3, (0.5, 2, 1, 4, 1.5, 20)[n]) for n in range(6)})
    catalogue = scan(folder, workers=0)
    assert {entry.name for entry in catalogue.skipped} == {f"zz{n}.mid" for n in range(6)}
    assert all(entry.reason == "duplicate" for entry in catalogue.skipped)
    assert catalogue.skipped[3].message == "duplicate of tune03.mid"


def test_forty_copies_of_one_piece_leave_one(tmp_path):
    folder = write(tmp_path / "music", **{f"copy{n}": twin(tune(1), n % 12 - 6, 1 + n / 7) for n in range(40)})
    catalogue = scan(folder, workers=0)
    assert len({entry.group for entry in catalogue.entries}) == 1
    assert len(catalogue.kept) <= 2


# --- sides ---------------------------------------------------------------------------------------------------------


def test_versions_of_a_work_are_on_one_side(tmp_path):
    folder = tmp_path / "music"
    for seed in range(30):
        score = tune(seed, 80)
        part = transpose(score.with_notes(score.notes[:60]), seed % 11 - 5)
        write(folder, **{f"{seed:02}whole": score, f"{seed:02}part": part})
    catalogue = scan(folder, workers=0)
    assert len(catalogue.kept) == 60
    sides: dict[str, set[str]] = {}
    for entry in catalogue.kept:
        sides.setdefault(entry.name[:2], set()).add((entry.group, entry.split))
    assert all(len(side) == 1 for side in sides.values())
    assert {entry.split for entry in catalogue.kept} == {"train", "valid", "test"}


def test_the_sides_depend_on_the_seed_and_not_on_names_or_order(tmp_path):
    folder = small_corpus(tmp_path / "a", 25)
    other = write(tmp_path / "b", **{f"other{99 - n}": tune(n) for n in range(25)})
    first, second = scan(folder, workers=0), scan(other, workers=0)
    sides = {entry.sha: entry.split for entry in first.entries}
    assert sides == {entry.sha: entry.split for entry in second.entries}
    assert sides != {entry.sha: entry.split for entry in scan(folder, workers=0, seed=1).entries}


@pytest.mark.parametrize(("works", "valid", "test"), [(1, 0, 0), (2, 0, 0), (3, 1, 0), (5, 1, 0), (6, 1, 1), (9, 1, 1)])
def test_a_few_works_still_leave_one_for_validation(works, valid, test):
    sides, remarks = deal([Work(f"w{n}", (n,), ("",)) for n in range(works)], 0)
    counts = [list(sides.values()).count(side) for side in ("train", "valid", "test")]
    assert counts == [works - valid - test, valid, test]
    assert bool(remarks) == (works < 3)


def test_many_works_are_dealt_eight_to_one_to_one():
    sides, _ = deal([Work(f"w{n}", (n,), ("",)) for n in range(5000)], 0)
    counts = np.array([list(sides.values()).count(side) for side in ("train", "valid", "test")])
    assert np.abs(counts / 5000 - (0.8, 0.1, 0.1)).max() < 0.02


def test_a_manifest_decides_and_pulls_unlisted_twins_along(tmp_path):
    folder = tmp_path / "music"
    for seed in range(4):
        score = tune(seed, 80)
        write(folder, **{f"{seed}a": score, f"{seed}b": transpose(score.with_notes(score.notes[:60]), 3)})
    lines = [
        "file,split,work_group,title",
        "0a.mid,valid,,Aria",
        "1a.mid,test,g1,",
        "2a.mid,train,g2,",
        "3a.mid,train,g2,",
    ]
    (folder / MANIFEST).write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")
    entries = {entry.name: entry for entry in scan(folder, workers=0).entries}
    sides = {name: entry.split for name, entry in entries.items()}
    assert sides == {
        "0a.mid": "valid", "0b.mid": "valid", "1a.mid": "test", "1b.mid": "test",
        "2a.mid": "train", "2b.mid": "train", "3a.mid": "train", "3b.mid": "train",
    }  # fmt: skip
    assert entries["2a.mid"].group == entries["3b.mid"].group == "g2"
    assert entries["0a.mid"].source == {"title": "Aria"}


def test_of_twins_on_two_sides_the_held_out_one_stays(tmp_path):
    folder = write(tmp_path / "music", a=tune(1), b=twin(tune(1), 3, 2), c=tune(2))
    (folder / MANIFEST).write_text("file,split\na.mid,train\nb.mid,test\nc.mid,train\n")
    catalogue = scan(folder, workers=0)
    assert verdicts(catalogue) == {"a.mid": "duplicate", "b.mid": "", "c.mid": ""}
    assert any("on several sides" in remark for remark in catalogue.remarks)


def test_malformed_rows_of_a_manifest_are_reported_and_the_rest_is_used(tmp_path):
    folder = small_corpus(tmp_path / "music", 4)
    rows = ["file,split,style", "tune00.mid,train", "tune01.mid,sideways,waltz", ",train,x", "tune02.mid,val,polka"]
    (folder / MANIFEST).write_text("\n".join(rows))
    catalogue = scan(folder, workers=0)
    entries = {entry.name: entry for entry in catalogue.entries}
    assert entries["tune02.mid"].split == "valid"
    assert [entry.style for entry in catalogue.entries] == ["music", "waltz", "polka", "music"]
    told = "\n".join(catalogue.remarks)
    assert "line 2 has more or fewer fields" in told and "'sideways'" in told and "names no file" in told


def test_a_manifest_that_is_no_table_is_a_remark(tmp_path):
    folder = small_corpus(tmp_path / "music", 3)
    (folder / MANIFEST).write_bytes(b"file,split\n\xff\xfe\x00")
    catalogue = scan(folder, workers=0)
    assert len(catalogue.kept) == 3
    assert any("UTF-8 CSV" in remark for remark in catalogue.remarks)


def test_labels_give_style_and_moods(tmp_path):
    folder = small_corpus(tmp_path / "music", 4)
    table = tmp_path / "labels.csv"
    table.write_text(
        "file,style,valence,arousal,complexity,density,mood\n"
        "tune00.mid,waltz,7.5,3,0.25,0.9,calm\ntune01.mid,,11,x,,40 %,\nghost.mid,waltz,,,,,\n"
    )
    catalogue = scan(folder, labels=table, workers=0)
    first, second = catalogue.entries[:2]
    assert first.style == "waltz"
    said = {"valence": 7.5, "arousal": 3.0, "complexity": 0.25, "density": 0.9}
    assert first.labels == {"style": "waltz", "mood": "calm", **said}
    assert second.style == "music" and second.labels == {}
    told = "\n".join(catalogue.remarks)
    for said in ("valence '11'", "arousal 'x'", "density '40 %'", "there is no file 'ghost.mid'"):
        assert said in told
    assert scan(folder, labels=table, styles_from="mood", workers=0).styles == ("calm", "music")


def test_labels_without_the_right_columns_are_refused(tmp_path):
    folder, table = small_corpus(tmp_path / "music", 1), tmp_path / "labels.csv"
    table.write_text("name,style\nx,y\n")
    with pytest.raises(BadOption, match="needs a column 'file'"):
        scan(folder, labels=table)


# --- cache ---------------------------------------------------------------------------------------------------------


def test_silent_bars_before_the_music_are_cut_off_and_a_rest_within_the_bar_is_kept():
    late = score_of("rest whole, rest whole, rest quarter, C4 quarter, D4 half, E4 whole")
    assert prepared(late).notes["onset"].tolist() == [24, 48, 96]
    soon = score_of("rest quarter, C4 quarter, D4 half")
    assert prepared(soon) == soon
    empty = Score(note_array([]))
    assert prepared(empty) == empty


def test_a_cache_holds_every_piece_as_its_encoding_gives_it(tmp_path):
    folder = small_corpus(tmp_path / "music" / "folk")
    cache = prepare(folder.parent, "notes", tmp_path / "cache", workers=0)
    encoding = get_encoding(**cache.spec)
    assert cache.steps.dtype == np.int16 and cache.times.dtype == np.int32
    assert len(cache.pieces) == 12 and cache.skipped == []
    assert sum(len(cache.of(side)) for side in ("train", "valid", "test")) == 12
    for piece in cache.pieces:
        rows = slice(piece.start, piece.start + piece.length)
        score = encoding.heard(prepared(formats.load(folder / Path(piece.name).name)))
        expected = encoding.encode(score, {"style": "folk", "described": describe(score)})
        assert np.array_equal(cache.steps[rows], expected)
        assert np.array_equal(cache.times[rows], encoding.times(expected))
        assert (piece.low, piece.high) == encoding.transpositions(expected)
        assert piece.style == "folk" and piece.notes == len(tune(int(piece.name[-6:-4])))


def test_instruments_may_be_exchanged_before_anything_is_learnt(tmp_path):
    tracks = (Track("Voice", 68), Track("Piano", 0), Track("Drums", 128))
    score = score_of("C5 half, E5 half", "C3 half, G3 half", "C2 half, C2 half", tracks=tracks)
    assert [track.program for track in replaced(score, "68=52 0=19").tracks] == [52, 19, 128]
    assert replaced(score, "").tracks == tracks and replaced(score, "5=6") == score
    swapped = replaced(score, "68=0 0=68")
    assert [track.program for track in swapped.tracks] == [0, 68, 128] and swapped.tracks[0].name == "Voice"
    folder = small_corpus(tmp_path / "music" / "folk", 4)
    catalogue = scan(folder.parent, workers=0)
    entries = tuple(replace(entry, labels={"programs": "0=52"}) for entry in catalogue.entries)
    encoding = get_encoding("notes", styles=("folk",))
    catalogues = catalogue, replace(catalogue, entries=entries)
    caches = [build_cache(one, encoding, tmp_path / "cache", workers=0) for one in catalogues]
    programs = [set(cache.steps[:, encoding.columns["program"]].tolist()) for cache in caches]
    assert programs == [{-1, 0, 32}, {-1, 52, 32}]


@pytest.mark.parametrize("programs", ["68", "68=", "=52", "flute=1", "0=129", "0=-1", "0=1=2", "0:1"])
def test_instruments_that_are_none_are_refused(programs):
    with pytest.raises(Unencodable, match=r"wanted old=new, two of 0 to 128"):
        replaced(score_of("C4 whole"), programs)


def test_what_an_encoding_refuses_is_skipped_with_its_reason(tmp_path):
    folder = small_corpus(tmp_path / "music", 3)
    uneven = tune(40)
    notes = uneven.notes.copy()
    notes["onset"] = notes["onset"] * 1000 + np.arange(len(notes)) * 137 % 700
    write(folder, uneven=replace(uneven, notes=notes, ticks_per_beat=24_000))
    catalogue = scan(folder, workers=0)
    encoding = get_encoding("notes", styles=catalogue.styles)
    cache = build_cache(catalogue, encoding, tmp_path / "cache", workers=0)
    assert [name for name, _ in cache.skipped] == ["uneven.mid"]
    assert sum(cache.reasons.values()) == 1
    assert catalogue.tried(encoding, workers=0).reasons == cache.reasons


def test_a_cache_is_the_same_whatever_the_number_of_workers(tmp_path):
    folder = small_corpus(tmp_path / "music", 20)
    caches = [prepare(folder, "notes", tmp_path / f"cache{workers}", workers=workers) for workers in (0, 1, 2)]
    assert len({cache.fingerprint for cache in caches}) == 1
    assert len({cache.folder.name for cache in caches}) == 1


def spied(monkeypatch) -> list[str]:
    """The files that are encoded from now on (with workers=0)."""
    from partimento.corpus import encode

    encoded: list[str] = []
    original = encode.encode_file

    def spy(task: dict) -> dict:
        encoded.append(Path(task["path"]).name)
        return original(task)

    monkeypatch.setattr(encode, "encode_file", spy)
    return encoded


def test_only_what_changed_is_encoded_again(tmp_path, monkeypatch):
    folder, root = small_corpus(tmp_path / "music", 10), tmp_path / "cache"
    encoded = spied(monkeypatch)
    first = prepare(folder, "notes", root, workers=0)
    assert len(encoded) == 10
    encoded.clear()
    assert prepare(folder, "notes", root, workers=0).fingerprint == first.fingerprint
    assert encoded == []
    write(folder, tune03=tune(300))
    second = prepare(folder, "notes", root, workers=0)
    assert encoded == ["tune03.mid"]
    assert second.fingerprint != first.fingerprint
    encoded.clear()
    other = build_cache(scan(folder, workers=0), get_encoding("notes", styles=["x", "y"]), root, workers=0)
    assert len(encoded) == 10 and other.folder != second.folder


def test_a_changed_label_encodes_its_piece_again(tmp_path, monkeypatch):
    folder, root, table = small_corpus(tmp_path / "music", 5), tmp_path / "cache", tmp_path / "labels.csv"
    prepare(folder, "notes", root, workers=0)
    encoded = spied(monkeypatch)
    table.write_text("file,valence\ntune02.mid,9\n")
    prepare(folder, "notes", root, labels=table, workers=0)
    assert encoded == ["tune02.mid"]


def test_a_changed_encoding_encodes_everything_again(tmp_path, monkeypatch):
    folder, root = small_corpus(tmp_path / "music", 4), tmp_path / "cache"
    first = prepare(folder, "notes", root, workers=0)
    encoded = spied(monkeypatch)
    monkeypatch.setattr("partimento.corpus.build.code_version", lambda encoding: "other code")
    second = prepare(folder, "notes", root, workers=0)
    assert len(encoded) == 4 and second.folder != first.folder


def test_the_code_version_knows_the_sources_that_make_steps():
    from partimento.corpus import build

    files = build.source_files(get_encoding("notes"))
    names = {path.name for path in files}
    assert {"notes.py", "base.py", "_given.py", "_gaps.py", "transform.py", "score.py", "timing.py"} <= names
    assert {"midi.py", "musicxml_read.py", "encode.py", "descriptors.py", "chords.py", "repetition.py"} <= names
    assert all(path.exists() for path in files)
    assert build.code_version(get_encoding("notes")) != build.code_version(get_encoding("voices"))


@pytest.mark.parametrize("name", ["steps.bin", "times.bin", "pieces.jsonl", "index.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_cache_is_noticed_and_built_anew(tmp_path, name, damage):
    folder, root = small_corpus(tmp_path / "music", 3), tmp_path / "cache"
    cache = prepare(folder, "notes", root, workers=0)
    path, fingerprint_before = cache.folder / name, cache.fingerprint
    data = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        data[0] ^= 0x55
        path.write_bytes(data)
    with pytest.raises(CacheError, match="it is built anew"):
        Cache.open(cache.folder)
    again = prepare(folder, "notes", root, workers=0)
    assert again.fingerprint == fingerprint_before
    assert any(message.startswith("built anew") for message in again.messages)
    assert Cache.open(again.folder).pieces == cache.pieces


def test_a_killed_build_leaves_no_cache_and_the_next_takes_over_its_pieces(tmp_path, monkeypatch):
    from partimento.corpus import encode

    folder, root = small_corpus(tmp_path / "music", 10), tmp_path / "cache"
    encoded = spied(monkeypatch)
    spy = encode.encode_file

    def killed(task: dict) -> dict:
        if len(encoded) == 6:
            raise KeyboardInterrupt
        return spy(task)

    monkeypatch.setattr(encode, "encode_file", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(folder, "notes", root, workers=0)
    assert [path for path in root.iterdir() if not path.name.startswith(".")] == []
    (left,) = root.iterdir()
    left.rename(left.with_name(left.name.replace(f".{os.getpid()}.", ".999999999.")))  # its process is gone
    with (root / f"{left.name.replace(f'.{os.getpid()}.', '.999999999.')}" / "pieces.jsonl").open("a") as journal:
        journal.write('{"key": "cut sh')
    monkeypatch.setattr(encode, "encode_file", spy)
    cache = prepare(folder, "notes", root, workers=0)
    assert len(encoded) == 10
    assert list(root.iterdir()) == [cache.folder]
    assert cache.fingerprint == prepare(folder, "notes", tmp_path / "fresh", workers=0).fingerprint


def test_a_cache_of_nothing_opens(tmp_path):
    folder = write(tmp_path / "music", short=tune(1, 4))
    cache = prepare(folder, "notes", tmp_path / "cache", workers=0)
    assert cache.pieces == [] and cache.steps.shape[0] == 0
    assert cache.skipped == [("short.mid", "too short")]


# --- command line --------------------------------------------------------------------------------------------------


def run(monkeypatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["partimento", *words])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return exit_.value.code or 0


def test_the_command_prints_a_table_and_writes_json(tmp_path, monkeypatch, capsys):
    folder = small_corpus(tmp_path / "music" / "folk", 12)
    write(tmp_path / "music" / "short", **{f"s{n}": tune(n, 4) for n in range(30)})
    words = ["corpus", "scan", str(folder.parent), "--workers", "0", "--encoding", "notes"]
    assert run(monkeypatch, *words, "--json", str(tmp_path / "out.json")) == 0
    shown = capsys.readouterr().out
    assert "folk" in shown and "30 too short" in shown and "and 10 more; --verbose" in shown
    report = json.loads((tmp_path / "out.json").read_text())
    assert len(report["files"]) == 42 and report["reasons"] == {"too short": 30}
    assert run(monkeypatch, *words, "--verbose") == 0
    assert capsys.readouterr().out.count("skipped short/") == 30


def test_a_bad_folder_ends_the_command_with_2_and_a_sentence(tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, "corpus", "scan", str(tmp_path / "nowhere")) == 2
    captured = capsys.readouterr()
    assert "there is no such file or folder" in captured.err and "Traceback" not in captured.err


# --- real music ----------------------------------------------------------------------------------------------------


def test_a_real_pack_is_kept_nearly_whole_and_its_manifest_followed(data_folder):
    catalogue = scan(data_folder / "packs" / "christmas", workers=2)
    assert len(catalogue.kept) >= 0.95 * len(catalogue.entries)
    assert {entry.split for entry in catalogue.kept} == {"train", "valid", "test"}
    assert all(entry.source["licence"] for entry in catalogue.kept)


def test_twins_of_real_pieces_are_found_in_any_key_and_tempo(data_folder):
    rng = random.Random(3)
    paths = rng.sample(sorted((data_folder / "packs" / "hymns").glob("*.mid")), 40)
    scores = [prepared(formats.load(path)) for path in paths]
    twins = [prepared(twin(score, rng.choice((-5, -2, 1, 4)), rng.choice((0.5, 2, 1.5)))) for score in scores]
    prints = [fingerprint(score) for score in (*scores, *twins)]
    found = {(one.first, one.second) for one in likenesses(prints)}
    assert {(n, n + 40) for n in range(40)} <= found
    assert len(found) <= 44
