"""What an encoding takes must come back: real pieces by the benchmark's own measure, and small scores written here."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from music import encoding_for, score_of
from partimento.encodings import Unencodable, encoding_names, get_encoding
from partimento.score import DRUM_PROGRAM, Metre, Track

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "roundtrip.py"
EVERY = 25  # files of a pack
BEAT = 24


@pytest.fixture(scope="module")
def roundtrip():
    """The benchmark as a module."""
    spec = importlib.util.spec_from_file_location("roundtrip_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_pieces_of_every_pack_come_back(roundtrip, data_folder, capsys, tmp_path):
    report = tmp_path / "report.json"
    code = roundtrip.main(["--data", str(data_folder), "--every", str(EVERY), "--json", str(report)])
    assert code == 0, capsys.readouterr().out
    rows = json.loads(report.read_text())
    for name in roundtrip.ENCODINGS:
        own = [row for row in rows if row["encoding"] == name]
        held, files = (sum(row[key] for row in own) for key in ("held", "files"))
        assert held > 20 and held + sum(sum(row["refused"].values()) for row in own) == files
    chorales = next(row for row in rows if (row["pack"], row["encoding"]) == ("bach_chorales_jsb", "voices"))
    assert chorales["held"] == chorales["files"]


def test_without_music_the_benchmark_says_so(roundtrip, tmp_path, capsys):
    assert roundtrip.main(["--data", str(tmp_path)]) == 2
    assert "PARTIMENTO_DATA" in capsys.readouterr().err


def with_notes_changed(score, **changes):
    """The score with fields of its last note set."""
    notes = score.notes.copy()
    for name, value in changes.items():
        notes[name][-1] = value
    return replace(score, notes=notes)


def lossy(name: str, harm):
    """An encoding that loses something on the way back."""
    encoding = get_encoding(name)

    class Lossy(type(encoding)):
        def decode(self, steps, plan=None):
            return harm(super().decode(steps, plan))

    return Lossy()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda score: with_notes_changed(score, pitch=61), "1 of 4 notes are missing, 1 are new"),
        (lambda score: with_notes_changed(score, duration=1), "1 of 4 notes"),
        (lambda score: with_notes_changed(score, velocity=70), "1 of 4 notes"),
        (lambda score: replace(score, notes=score.notes[:-1]), "1 of 4 notes are missing, 0 are new"),
        (lambda score: replace(score, tracks=(Track("", 40),)), "4 of 4 notes"),
        (lambda score: replace(score, metres=(Metre(0, 3, 4),)), "metre"),
        (lambda score: replace(score, upbeat=BEAT), "upbeat"),
    ],
)
def test_a_loss_is_noticed(roundtrip, harm, said):
    score = score_of("C4 quarter, D4 quarter, E4 quarter, C4 quarter", metres=(Metre(0, 4, 4),))
    assert roundtrip.difference(get_encoding("notes"), score) == ""
    assert said in roundtrip.difference(lossy("notes", harm), score)


def test_a_note_that_changes_its_player_is_noticed(roundtrip):
    two = (Track("", 40), Track("", 40))
    score = score_of("C5 half, E5 half", "G3 half, A3 half", tracks=two)

    def swapped(back):
        notes = back.notes.copy()
        notes["track"] = notes["track"][[0, 1, 3, 2]]
        return replace(back, notes=notes)

    assert roundtrip.difference(get_encoding("notes"), score) == ""
    assert "another track" in roundtrip.difference(lossy("notes", swapped), score)


# --- small scores, in every encoding that takes them


def triplets():
    score = score_of("C4 quarter, D4 quarter, E4 quarter, F4 half")
    notes = score.notes.copy()
    notes["onset"][:3], notes["duration"][:3], notes["onset"][3] = (0, 8, 16), 8, 24
    return replace(score, notes=notes)


def drums():
    return score_of("C3 quarter, D3 quarter, C3+F#3 quarter", tracks=(Track("Drums", DRUM_PROGRAM),))


def two_flutes():
    flutes = (Track("First", 73), Track("Second", 73))
    return score_of("C5 half, D5 half, E5 whole", "C5 quarter, B4 quarter, G4 half, C5 whole", tracks=flutes)


def metre_change():
    metres = (Metre(0, 3, 4), Metre(3 * BEAT, 4, 4), Metre(7 * BEAT, 6, 8))
    return score_of("C4 half, D4 quarter, E4 whole, F4 dotted-quarter, G4 dotted-quarter", metres=metres)


THREE, FOUR = (Metre(0, 3, 4),), (Metre(0, 4, 4),)
SMALL = {
    "a scale": score_of("C4 quarter, D4 quarter, E4 quarter, F4 quarter, G4 whole", metres=FOUR),
    "an upbeat": score_of("G4 quarter, C5 half, B4 quarter, C5 half", metres=THREE, upbeat=BEAT),
    "an upbeat of a half bar": score_of("G4 half, C5 whole, G4 whole", metres=FOUR, upbeat=2 * BEAT),
    "rests": score_of("C4 quarter, rest half, D4 quarter, rest whole, E4 quarter", metres=FOUR),
    "a rest before it": score_of("rest quarter, C4 quarter, D4 half, E4 whole", metres=FOUR),
    "chords": score_of("C4+E4+G4 half, C4+F4+A4 half, B3+D4+G4 whole", metres=FOUR),
    "four voices": score_of(
        "G4 quarter, A4 half, rest quarter", "E4 half, F4 half", "C4 whole", "C3 quarter, F3 quarter, C3 half",
        metres=FOUR,
    ),
    "one voice crosses another": score_of("C5 half, C4 half", "E4 half, E5 half", metres=FOUR),
    "triplets": triplets(),
    "two flutes": two_flutes(),
    "drums": drums(),
    "a change of metre": metre_change(),
    "repeated notes": score_of("C4 sixteenth, C4 sixteenth, C4 eighth, C4 quarter, C4 half", metres=FOUR),
    "the lowest and the highest": score_of("C-1 half, G9 half", metres=FOUR),
    "one note": score_of("C4 sixteenth"),
    "soft and loud": score_of("C4 half", "E4 half", metres=FOUR, velocity=3),
}  # fmt: skip
REFUSED = {
    ("chords", "voices"), ("triplets", "voices"), ("drums", "voices"), ("drums", "events"), ("drums", "chords"),
    ("drums", "pianoroll"), ("triplets", "pianoroll"),
}  # fmt: skip


MERGED = {("two flutes", "pianoroll")}  # both play one pitch, and a roll has it once


@pytest.mark.parametrize("encoding", encoding_names())
@pytest.mark.parametrize("name", SMALL)
def test_a_small_score_comes_back_or_is_refused(roundtrip, name, encoding):
    if (name, encoding) in REFUSED:
        with pytest.raises(Unencodable):
            get_encoding(encoding).encode(SMALL[name])
    elif encoding in roundtrip.ENCODINGS:
        assert roundtrip.difference(get_encoding(encoding), SMALL[name]) == ""
    else:
        taken = encoding_for(encoding, SMALL[name])
        steps = taken.encode(SMALL[name])
        back = taken.decode(steps)
        assert np.array_equal(taken.encode(back), steps)
        assert len(back) == len(SMALL[name]) or not taken.exact or (name, encoding) in MERGED


def test_changes_of_metre_come_back_where_they_were():
    for name in ("notes", "voices"):
        encoding = get_encoding(name)
        assert encoding.decode(encoding.encode(metre_change())).metres == metre_change().metres


def test_notes_a_little_off_the_grid_are_set_right_and_far_off_ones_refused():
    fine = score_of("C4 quarter, D4 quarter, E4 half")
    notes = fine.notes.copy()
    for name in ("onset", "duration"):
        notes[name] *= 20
    for off, held in ((4, True), (9, False)):
        moved = notes.copy()
        moved["onset"][1] += off  # of 20 ticks of 480 to one of 24
        score = replace(fine, notes=moved, ticks_per_beat=480)
        if held:
            back = get_encoding("notes").decode(get_encoding("notes").encode(score))
            assert np.array_equal(back.notes["onset"], fine.notes["onset"])
        else:
            with pytest.raises(Unencodable, match="off the 24 ticks"):
                get_encoding("notes").encode(score)


def test_with_snap_a_few_times_are_moved_to_the_grid_and_notes_that_are_too_long_are_ended():
    fine = score_of("C4 quarter, D4 quarter, E4 half, F4 whole, G4 whole, C5 whole", metres=(Metre(0, 4, 4),))
    notes = fine.notes.copy()
    for name in ("onset", "duration"):
        notes[name] *= 20
    notes["onset"][1] += 9
    notes["duration"][-1] = 20 * 400
    score = replace(fine, notes=notes, ticks_per_beat=480)
    for snap in (0.0, 0.1):  # three of twelve times are off: a beginning and its end, and an end too late
        with pytest.raises(Unencodable, match="off the 24 ticks"):
            get_encoding("notes", snap=snap).encode(score)
    encoding = get_encoding("notes", snap=0.25)
    back = encoding.decode(encoding.encode(score))
    assert back.notes["onset"].tolist() == fine.notes["onset"].tolist()
    assert back.notes["duration"].tolist() == [24, 24, 48, 96, 96, 384]
    notes["onset"][1] -= 9
    held = score.with_notes(notes)
    with pytest.raises(Unencodable, match="400 ticks of 384"):
        get_encoding("notes").encode(held)
    assert get_encoding("notes", snap=0.1).decode(encoding.encode(held)).end == 288 + 384


def test_a_melody_keeps_its_place_in_the_bar_where_others_begin_before_it():
    score = score_of("rest half, E5 quarter, D5 quarter, C5 whole", "C3 whole, C3 whole", metres=(Metre(0, 4, 4),))
    encoding = get_encoding("notes", melody_only=True)
    steps = encoding.encode(score)
    assert steps[1:-1, encoding.columns["place"]].tolist() == [49, 73, 1]
    assert encoding.decode(steps).upbeat == 48 and encoding.heard(encoding.heard(score)) == encoding.heard(score)


@pytest.mark.parametrize(("metre", "quarters"), [((4, 1), 1), ((15, 4), 2), ((9, 2), 2), ((13, 4), 4)])
def test_an_upbeat_of_a_bar_longer_than_its_places_are_told_apart_keeps_its_length(metre, quarters):
    length = {1: "quarter", 2: "half", 4: "whole"}[quarters]
    score = score_of(f"G4 {length}, " + ", ".join(["C5 whole"] * 5), metres=(Metre(0, *metre),), upbeat=BEAT * quarters)
    encoding = get_encoding("notes")
    assert encoding.decode(encoding.encode(score)).upbeat == BEAT * quarters


@pytest.mark.parametrize("name", encoding_names())
def test_what_is_heard_of_what_is_heard_is_the_same(name):
    encoding = get_encoding(name)
    words = "rest whole, rest quarter, C4 quarter, D4 half, E4 whole"
    for upbeat in (0, BEAT):
        late = score_of(words, metres=(Metre(0, 4, 4),), upbeat=upbeat)
        heard = encoding.heard(late)
        assert heard.notes["onset"][0] == 0 and encoding.heard(heard) == heard
        assert np.array_equal(encoding.encode(late), encoding.encode(heard))
