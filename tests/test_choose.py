"""Choosing within a folder: by instrument, key and composer; one key or register for all; and what training moves."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from music import pitch_of, score_of
from partimento import api, cli, formats
from partimento.corpus import EVERYTHING, Choice, build_cache, parse_span, prepare, scan
from partimento.corpus.choose import folded, names, programs_of, to_signature
from partimento.encodings import get_encoding
from partimento.errors import BadOption, MusicError, UnknownName
from partimento.score import Score, Track
from partimento.theory import key_of, parse_key
from partimento.transform import transpose
from tunes import TONICS, tune

GUITAR, FLUTE = 24, 73
MINOR = "A4 quarter, C5 quarter, E5 quarter, A5 quarter, G#5 quarter, E5 quarter, D5 quarter, B4 quarter, A4 whole"


def minor() -> Score:
    """Nine notes in A minor that state no key."""
    return score_of(MINOR)


def on(score: Score, *programs: int) -> Score:
    """The score with these instruments, one a track."""
    return replace(score, tracks=tuple(Track("", program) for program in programs))


def write(folder: Path, **scores: Score) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, score in scores.items():
        formats.save(score, folder / f"{name}.mid")
    return folder


def reasons(folder: Path, **wanted) -> dict[str, str]:
    return {entry.name: entry.reason for entry in scan(folder, choice=Choice(**wanted), workers=0).entries}


# --- which ---------------------------------------------------------------------------------------------------------


def test_the_default_takes_everything_as_it_is():
    score = tune(1)
    assert EVERYTHING.refusal(score, {}) == EVERYTHING.unread({}, "x") == ("", "")
    assert EVERYTHING.changed(score) is score and not EVERYTHING.keeps_keys


def test_only_one_instrument_is_taken_by_its_tracks(tmp_path):
    duo = score_of("C5 whole, D5 whole, E5 whole, C5 whole", "C4 whole, G4 whole, C4 whole, C4 whole")
    folder = write(
        tmp_path / "m", nylon=on(tune(1), GUITAR), steel=on(tune(2), 25), flute=on(tune(3), FLUTE),
        duo=on(duo, GUITAR, FLUTE), guitars=on(transpose(duo, 1), GUITAR, 26),
    )  # fmt: skip
    other = "another instrument"
    assert reasons(folder, instrument="guitar") == {
        "nylon.mid": "", "steel.mid": "", "guitars.mid": "", "flute.mid": other, "duo.mid": other,
    }  # fmt: skip
    assert [name for name, why in reasons(folder, instrument="Steel Guitar").items() if not why] == ["steel.mid"]
    assert [name for name, why in reasons(folder, instrument="73").items() if not why] == ["flute.mid"]
    messages = {entry.name: entry.message for entry in scan(folder, choice=Choice("flute"), workers=0).entries}
    assert messages["duo.mid"] == "it is for nylon guitar, flute"


@pytest.mark.parametrize(
    ("said", "program", "wanted", "taken"),
    [
        ("Guitar", 0, "guitar", True),  # every track at the piano's program, as many files have it
        ("2 Classical Guitars", 0, "guitar", True),
        ("Guitar", 0, "piano", False),
        ("Harpsichord, Piano", 0, "piano", True),  # either: its track decides
        ("Harpsichord, Piano", 6, "piano", False),
        ("Flute and Guitar", 0, "guitar", False),
        ("Voice (SATB)", 0, "piano", False),
        ("melody", 40, "violin", True),  # names no instrument
        ("", 40, "violin", True),
        ("Guitar", 25, "nylon guitar", False),  # a guitar, but which is for the track to say
        ("Guitar", 24, "nylon guitar", True),
    ],
)
def test_a_manifest_that_is_clear_about_the_instruments_goes_before_the_tracks(said, program, wanted, taken):
    reason, _ = Choice(instrument=wanted).refusal(on(tune(1), program), {"instruments": said})
    assert reason == ("" if taken else "another instrument")


def test_a_word_means_every_instrument_that_has_it_and_no_noise():
    assert programs_of("guitar") == frozenset(range(24, 32))  # and not "guitar fret noise"
    assert programs_of("strings") == programs_of("string") >= {48, 49}
    assert programs_of("Choir aahs") == programs_of("choir") == {52}
    assert programs_of("40") == programs_of("violin") == {40}
    with pytest.raises(UnknownName, match="no instrument 'gitarre'; near to it: "):
        Choice(instrument="gitarre")


def test_only_one_key_is_taken_by_the_notes_and_what_is_stated(tmp_path):
    folder = write(tmp_path / "m", **{f"t{n:02}": tune(n) for n in range(12)}, minor=minor())
    in_c = {f"t{n:02}.mid" for n in range(12) if TONICS[n] == 0}
    found = scan(folder, choice=Choice(key="C major"), workers=0)
    assert {entry.name for entry in found.kept} == in_c == {"t00.mid", "t08.mid"}
    assert found.reasons == {"another key": 11}
    assert "it is in A minor" in {entry.message for entry in found.skipped}
    assert [entry.name for entry in scan(folder, choice=Choice(key="Am"), workers=0).kept] == ["minor.mid"]


@pytest.mark.parametrize(
    ("name", "text", "is_named"),
    [
        ("Giuliani", "GiulianiM", True),
        ("giuliani", "Mauro GIULIANI", True),
        ("Giuliani", "music/op1_giuliani-2.mid", True),
        ("Bach", "BachJS", True),
        ("Bach", "Bachmann, A.", False),
        ("Bach", "Offenbach", False),
        ("Dvorak", "Dvořák, Antonín", True),
        ("J. S. Bach", "J. S. Bach (1685-1750)", True),
        (".*", "Sor", False),
    ],
)
def test_a_composer_is_named_by_a_word(name, text, is_named):
    assert names(name, text) is is_named


def test_only_one_composer_is_taken_by_the_manifest_else_by_folder_and_file(tmp_path):
    root = tmp_path / "guitar"
    write(root / "giuliani", a=tune(1))
    write(root, b_giuliani=tune(2), c=tune(3), d_giuliani=tune(4))
    (root / "manifest.csv").write_text("file,composer\nc.mid,GiulianiM\nd_giuliani.mid,SorF\n")
    catalogue = scan(root, choice=Choice(composer="Giuliani"), workers=0)
    assert {entry.name for entry in catalogue.kept} == {"giuliani/a.mid", "b_giuliani.mid", "c.mid"}
    assert [(entry.reason, entry.message) for entry in catalogue.skipped] == [("another composer", "it is by SorF")]
    assert len(scan(root, choice=Choice(composer="Sor"), workers=0).kept) == 1
    named = write(tmp_path / "Fernando Sor", x=tune(5))
    assert len(scan(named, choice=Choice(composer="sor"), workers=0).kept) == 1


def test_an_arrangement_that_is_not_wanted_never_takes_the_place_of_one_that_is(tmp_path):
    folder = write(tmp_path / "m", a=on(tune(1), 0), b=on(transpose(tune(1), 2), GUITAR))
    assert reasons(folder) == {"a.mid": "", "b.mid": "duplicate"}
    assert reasons(folder, instrument="guitar") == {"a.mid": "another instrument", "b.mid": ""}


def test_a_file_by_another_composer_is_not_even_read(tmp_path):
    folder = write(tmp_path / "m", bach=tune(1))
    (folder / "sor.mid").write_bytes(b"broken")
    assert reasons(folder, composer="Bach") == {"bach.mid": "", "sor.mid": "another composer"}


# --- how -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(7))
def test_to_c_takes_major_to_c_major(number):
    moved = to_signature(tune(number), parse_key("C"))
    assert (moved.keys[0].tonic, moved.keys[0].mode) == (0, "major")
    assert set(moved.notes["pitch"] % 12) <= {0, 2, 4, 5, 7, 9, 11}
    shift = moved.notes["pitch"].astype(int) - tune(number).notes["pitch"]
    assert len(set(shift)) == 1 and abs(int(shift[0])) <= 6


@pytest.mark.parametrize(("key", "tonic"), [("C", 9), ("A minor", 9), ("D", 11), ("C minor", 0), ("Eb", 0)])
def test_minor_goes_to_the_minor_of_the_same_signature(key, tonic):
    moved = to_signature(transpose(minor(), 4), parse_key(key))
    found = key_of(moved)
    assert (found.tonic, found.mode) == (tonic, "minor")


def test_folding_moves_what_is_outside_by_octaves_and_nothing_else():
    score = score_of("C2 quarter, E3 quarter, D#5 quarter, E6 quarter, C4 quarter")
    low, high = pitch_of("E2"), pitch_of("D#5")
    found = folded(score, low, high).notes["pitch"].tolist()
    assert found == [pitch_of(name) for name in ("C3", "E3", "D#5", "E4", "C4")]
    assert folded(score, 0, 127) is score
    for low in range(20, 60):
        pitch = folded(score, low, low + 11).notes["pitch"].astype(int)
        assert (pitch >= low).all() and (pitch <= low + 11).all()
        assert ((pitch - score.notes["pitch"]) % 12 == 0).all()


def test_folding_leaves_drums_alone_and_makes_one_of_two_notes_that_meet():
    score = score_of("C3+C4 whole", "C1 whole", tracks=(Track("", 0), Track("", 128)))
    notes = folded(score, 60, 71).notes
    assert [(int(note["pitch"]), int(note["track"])) for note in notes] == [(60, 0), (24, 1)]


@pytest.mark.parametrize(("text", "span"), [("E2:E5", (40, 76)), ("40:76", (40, 76)), ("c#-1: Bb3", (1, 58))])
def test_a_span_is_two_notes_or_numbers(text, span):
    assert parse_span(text) == span


@pytest.mark.parametrize("text", ["E2", "E2:", "H2:E5", "E2:E5:E6", "low:high", ":"])
def test_a_span_that_is_none_is_refused(text):
    with pytest.raises(BadOption, match="is not LOW:HIGH"):
        parse_span(text)


@pytest.mark.parametrize("fold", [(60, 70), (70, 60), (120, 131), (-2, 40)])
def test_a_span_of_less_than_an_octave_or_outside_midi_is_refused(fold):
    with pytest.raises(BadOption, match="11 or more apart"):
        Choice(fold=fold)
    assert Choice(fold=(60, 71)).fold == (60, 71)


# --- what training moves -------------------------------------------------------------------------------------------


def transpositions(score: Score, **wanted) -> tuple[int, int, int]:
    choice, encoding = Choice(**wanted), get_encoding("notes", styles=("x",))
    score = choice.changed(score)
    return choice.transpositions(encoding, encoding.encode(score, {}), score)


def test_training_moves_to_all_keys_unless_one_is_chosen_and_by_octaves_when_asked():
    score = on(tune(0), 0)  # on a piano, in C, within two octaves
    assert transpositions(score) == (-6, 6, 1)
    assert transpositions(score, to_key="C") == transpositions(score, key="C major") == (0, 0, 1)
    assert transpositions(score, to_key="C", all_keys=True) == (-6, 6, 1)
    assert transpositions(score, to_key="C", octaves=True) == (-12, 12, 12)
    assert transpositions(score, octaves=True) == (-18, 18, 1)


def test_training_moves_nothing_out_of_its_instruments_range_or_out_of_the_span_it_was_folded_to():
    score = score_of("E5 quarter, " * 8, tracks=(Track("", GUITAR),))  # a guitar has E2 to D6
    assert transpositions(score, key="C", octaves=True) == (-12, 0, 12)
    assert transpositions(score, octaves=True) == (-18, 10, 1)
    assert transpositions(score, fold=(40, 78)) == (-6, 2, 1)
    assert transpositions(score, fold=(70, 81), key="C", octaves=True) == (0, 0, 12)


def test_the_windows_of_training_are_moved_by_octaves_alone(tmp_path):
    pytest.importorskip("torch")
    from partimento.training.batches import Batches

    folder = write(tmp_path / "m", **{f"t{n:02}": on(tune(n), 0) for n in range(6)})
    for choice, moves in ((Choice(to_key="C", octaves=True), {-12, 0, 12}), (Choice(to_key="C"), {0})):
        cache = prepare(folder, "notes", tmp_path / "cache", choice=choice, workers=0)
        encoding = get_encoding(**cache.spec)
        batches = Batches(cache, encoding, split="train", size=2, window=32, seed=0)
        rng = np.random.default_rng(1)
        assert {batches._draw(rng).semitones for _ in range(60)} == moves
        pitch = cache.steps[:, encoding.columns["pitch"]]
        assert set(pitch[pitch >= 0] % 12) <= {0, 2, 4, 5, 7, 9, 11}


# --- the cache -----------------------------------------------------------------------------------------------------


def test_another_choice_makes_another_cache_and_takes_over_what_it_does_not_change(tmp_path, monkeypatch):
    from partimento.corpus import encode

    encoded, original = Counter(), encode.encode_file

    def spy(task: dict) -> dict:
        encoded.update([Path(task["path"]).name])
        return original(task)

    monkeypatch.setattr(encode, "encode_file", spy)
    numbers = {"sor": range(6, 11), "bach": range(5)}
    folder = write(tmp_path / "m", **{f"{name}{n}": tune(n) for name, some in numbers.items() for n in some})
    choices = [Choice(), Choice(composer="Sor"), Choice(to_key="C"), Choice(fold=(60, 71)), Choice(octaves=True)]
    caches = [prepare(folder, "notes", tmp_path / "cache", choice=choice, workers=0) for choice in choices]
    assert len({cache.folder for cache in caches}) == len({cache.fingerprint for cache in caches}) == 5
    assert [len(cache.pieces) for cache in caches] == [10, 5, 10, 10, 10]
    assert caches[1].reasons == {"another composer": 5}
    assert sum(encoded.values()) == 40  # Sor's five were taken over
    again = prepare(folder, "notes", tmp_path / "cache", choice=Choice(to_key="C"), workers=0)
    assert again.folder == caches[2].folder and sum(encoded.values()) == 40


def test_a_cache_of_everything_says_nothing_of_intervals(tmp_path):
    """Runs that were begun before there were any go on: the fingerprint is over what the journal says of a piece."""
    cache = prepare(write(tmp_path / "m", a=tune(1)), "notes", tmp_path / "cache", workers=0)
    (line,) = (cache.folder / "pieces.jsonl").read_text().splitlines()
    assert "interval" not in json.loads(line)["piece"]
    octaves = prepare(tmp_path / "m", "notes", tmp_path / "cache", choice=Choice(to_key="C", octaves=True), workers=0)
    assert octaves.pieces[0].interval == 12


def test_a_catalogue_tries_its_encoding_with_what_was_chosen(tmp_path):
    high = transpose(tune(1), 40)  # beyond what the encoding of four voices may hold, and so is one part
    catalogue = scan(write(tmp_path / "m", a=high), choice=Choice(fold=(48, 72)), workers=0)
    assert catalogue.tried(get_encoding("notes", styles=("m",)), workers=0).kept
    cache = build_cache(catalogue, get_encoding("notes", styles=("m",)), tmp_path / "cache", workers=0)
    pitch = cache.steps[:, get_encoding(**cache.spec).columns["pitch"]]
    assert pitch.max() <= 72


# --- the faces -----------------------------------------------------------------------------------------------------


def test_a_choice_that_leaves_nothing_is_told_with_the_reasons(tmp_path):
    folder = write(tmp_path / "m", a=tune(1), b=tune(2))
    request = api.TrainingRequest((folder,), tmp_path / "m.partimento", choice=Choice(key="F# minor"), workers=0)
    with pytest.raises(MusicError, match="there is no piece to train on: 2 another key"):
        api.prepare(request)


def run(monkeypatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["partimento", *words])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return exit_.value.code or 0


def test_scan_takes_the_options_that_choose(tmp_path, monkeypatch, capsys):
    folder = write(tmp_path / "m", sor=on(tune(0), GUITAR), bach=on(tune(1), GUITAR), sor2=on(tune(2), 0))
    words = ["corpus", "scan", str(folder), "--workers", "0"]
    assert run(monkeypatch, *words, "--only-instrument", "guitar", "--only-composer", "Sor") == 0
    said = capsys.readouterr().out
    assert "1 another composer" in said and "1 another" in said.replace("1 another composer", "")
    assert run(monkeypatch, *words, "--only-key", "H major") == 2
    assert "no key 'H major'" in capsys.readouterr().err


def test_train_hands_on_what_is_chosen(tmp_path, monkeypatch, capsys):
    asked = []

    def scanned(folders, *, choice, **others):
        asked.append(choice)
        raise BadOption("enough")

    monkeypatch.setattr(api._training, "scan", scanned)
    words = ["train", "m", "-o", str(tmp_path / "m.partimento")]
    which = ["--only-instrument", "guitar", "--only-key", "Am", "--only-composer", "Sor"]
    how = ["--to-key", "C", "--fold-octaves", "E2:E5", "--octaves", "--all-keys"]
    assert run(monkeypatch, *words, *which, *how) == 2 and "enough" in capsys.readouterr().err
    assert asked == [Choice("guitar", "Am", "Sor", "C", (40, 76), True, True)]
    assert run(monkeypatch, *words, "--fold-octaves", "E2:F2") == 2
    assert "11 or more apart" in capsys.readouterr().err and len(asked) == 1


# --- real music ----------------------------------------------------------------------------------------------------


def test_real_guitar_music_is_chosen_by_composer_instrument_and_key(data_folder):
    folder = data_folder / "packs" / "guitar"
    choice = Choice(instrument="guitar", composer="Giuliani", key="C major", to_key="C")
    catalogue = scan(folder, choice=choice, workers=0)
    assert len(catalogue.kept) >= 5
    assert {entry.source["composer"] for entry in catalogue.kept} == {"GiulianiM"}
    assert set(catalogue.reasons) >= {"another composer", "another key"}
