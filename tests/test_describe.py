"""What a listener hears: small music whose mood, chords and form anybody can tell."""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import partimento
from music import score_of
from partimento import formats, styles
from partimento.cli import cli, main
from partimento.describe import Bars, Description, Return, cues, describe, level, levels, scale_of, share
from partimento.describe.chords import NONE, QUALITIES, chord_name, parse_chord, parse_chords
from partimento.describe.descriptors import CUES, DESCRIPTORS, WEIGHTS
from partimento.describe.scales import EDGES
from partimento.errors import BadOption, ModelError, MusicError
from partimento.score import DRUM_PROGRAM, Metre, Score, Tempo, Track, note_array
from partimento.transform import resample, stretch, transpose

MAJOR = "C4+E4+G4 half, F4+A4+C5 half, G4+B4+D5 half, C4+E4+G4 half"
MINOR = "C4+Eb4+G4 half, F4+Ab4+C5 half, G4+B4+D5 half, C4+Eb4+G4 half"
A = "C4 quarter, D4 quarter, E4 quarter, F4 quarter, G4 half, E4 half, F4 quarter, E4 half, D4 quarter, C4 whole"
B = "A4 half, B4 quarter, C5 quarter, C5 quarter, B4 quarter, A4 half, G4 eighth, A4 half, B4 eighth, rest quarter, "
B += "G4 dotted-quarter, F4 eighth, D4 half"
DRUMS = Track("drums", DRUM_PROGRAM)
SCALE = [-3.0, -1.5, -1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0, 1.5, 3.0]


def heard(score: Score, name: str, *, played: bool = False) -> float:
    """The mean of a measure over the bars."""
    return float(describe(score, played=played).measures[name].mean())


def of_rows(*rows, **fields) -> Score:
    """A score of rows (onset, duration, pitch) in ticks at 24 a beat."""
    return Score(note_array((onset, duration, pitch, 80, 0) for onset, duration, pitch in rows), **fields)


# --- mood


def test_minor_is_sadder_than_major_in_every_bar():
    happy, sad = (describe(score_of(text)).measures["valence"] for text in (MAJOR, MINOR))
    assert (happy > sad + 1).all()


def test_a_higher_register_is_happier_by_what_the_cue_says_and_by_nothing_else():
    low, high = describe(score_of(MAJOR)).measures, describe(transpose(score_of(MAJOR), 7)).measures
    for name in DESCRIPTORS:
        moved = 7 / CUES["register"][1] * WEIGHTS[name].get("register", 0)
        assert high[name] == pytest.approx(low[name] + moved)


def test_twice_as_many_notes_are_denser_and_more_exciting():
    plain = score_of("C4 quarter, E4 quarter, G4 quarter, E4 quarter, C4 quarter, E4 quarter, G4 quarter, E4 quarter")
    dense = replace(stretch(plain, 0.5), metres=(Metre(0, 2, 4),))
    assert heard(dense, "density") == pytest.approx(heard(plain, "density") + 1 / CUES["notes"][1])
    assert heard(dense, "arousal") > heard(plain, "arousal") + 1


def test_doubling_a_line_is_denser_but_no_faster():
    one, two = score_of(A), score_of(A, A.replace("4", "3"))
    assert heard(two, "density") > heard(one, "density") + 0.9
    assert cues(Bars(two))["rate"] == pytest.approx(cues(Bars(one))["rate"])


@pytest.mark.parametrize(
    ("name", "livelier"),
    [
        ("arousal", {"tempos": (Tempo(0, 220),)}),
        ("valence", {"tempos": (Tempo(0, 220),)}),
        ("arousal", {"velocity": 100}),
    ],
)
def test_tempo_and_loudness_count_only_where_the_music_is_played(name, livelier):
    calm, lively = score_of(A, tempos=(Tempo(0, 110),)), score_of(A, **livelier)
    assert heard(calm, name) == heard(lively, name)
    assert heard(lively, name, played=True) > heard(calm, name, played=True) + 0.4


def test_a_faster_bar_is_more_exciting_from_its_bar_line_on():
    score = score_of(A, tempos=(Tempo(0, 110), Tempo(96, 220)))
    more = describe(score, played=True).measures["arousal"] - describe(score).measures["arousal"]
    assert more == pytest.approx([0, 2, 2, 2])  # two for an octave of tempo


def test_a_score_without_tempo_is_as_exciting_played_as_read():
    score = score_of(A)
    assert describe(score, played=True).measures["arousal"] == pytest.approx(describe(score).measures["arousal"])


def test_chromatic_and_syncopated_music_is_more_complex():
    plain = score_of("C4 quarter, D4 quarter, E4 quarter, F4 quarter, G4 quarter, F4 quarter, E4 quarter, C4 quarter")
    chromatic = score_of(
        "C4 quarter, C#4 quarter, D4 quarter, Eb4 quarter, F#4 quarter, F4 quarter, G#4 quarter, C4 quarter"
    )
    syncopated = score_of(
        "C4 eighth, D4 quarter, E4 quarter, F4 quarter, G4 quarter, F4 quarter, E4 quarter, C4 eighth"
    )
    assert heard(chromatic, "complexity") > heard(plain, "complexity") + 1
    assert heard(syncopated, "complexity") > heard(plain, "complexity") + 1
    assert heard(syncopated, "density") == heard(plain, "density")


def test_cues_of_a_chord_that_is_repeated():
    found = cues(Bars(score_of("C4+E4+G4 half, C4+E4+G4 half")))
    expected = {
        "rate": -1.0, "notes": np.log2(1.5), "register": (60 + 64 + 67) / 3, "roughness": 0.0, "detached": 0.0,
        "leaps": 7 / 6, "voices": 3.0, "syncopation": 0.0, "chromatic": 0.0, "pitches": np.log2(3), "changes": 0.25,
    }  # fmt: skip
    for name, value in expected.items():
        assert found[name] == pytest.approx([value]), name
    assert found["mode"][0] > 0.1


def test_a_bar_is_heard_with_the_one_before_and_the_two_after():
    plain, busy = (score_of("C4 whole, " * 4 + text + "C4 whole, " * 4) for text in ("C4 whole, ", "C4 quarter, " * 4))
    changed = describe(busy).measures["density"] > describe(plain).measures["density"]
    assert np.flatnonzero(changed).tolist() == [2, 3, 4, 5]


def test_rests_between_notes_are_heard_as_detached():
    score = of_rows((0, 6, 60), (24, 6, 62), (48, 6, 64), (72, 6, 65))
    assert cues(Bars(score))["detached"] == pytest.approx([3 * 0.75 / 4])  # the last has nothing behind it


# --- chords


def names_of(*parts: str, **fields) -> list[str]:
    return [chord_name(int(chord)) for chord in describe(score_of(*parts, **fields)).chords]


@pytest.mark.parametrize(
    ("notes", "names"),
    [
        ("C3+E4+G4 F3+A4+C5 G3+B4+D5 C3+E4+G4", "C F G C"),
        ("C4+E4+G4 A3+C4+F4 D4+F4+A4+C5 B3+D4+F4+G4 C4+E4+G4", "C F Dm7 G7 C"),  # inversions and sevenths
        ("C3+G4+C5+E5 F3+A4+C5+E5 B3+F4+A4+D5 E3+G#4+B4+D5 A3+E4+A4+C5", "C Fmaj7 Bm7b5 E7 Am"),
        ("G#3+B3+D4+F4 A3+C4+E4 D4+G4+A4 D4+F#4+A4 G3+B3+Eb4 C4+E4+G4", "Abdim7 Am Dsus4 D Gaug C"),
        ("E3+C4+G4 G3+C4+E4 D3+G3+B3 Bb3+D4+E4+G4 B3+D4+F4", "C C G Em7b5 Bdim"),
    ],
)
def test_the_chords_of_a_cadence(notes, names):
    found = names_of(", ".join(f"{chord} whole" for chord in notes.split()))
    assert found[1::4] == names.split()  # the second beat of each bar


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("C3+E4+G4 quarter, F3+A4+C5 quarter, G3+B4+D5 quarter, C3+E4+G4 quarter", "C F G C"),
        ("D3+B3+F4 whole", "Bdim Bdim Bdim Bdim"),
    ],
)
def test_plain_chords_of_a_beat_and_in_inversion(text, names):
    assert names_of(text) == names.split()


def test_the_fifth_that_comes_late_belongs_to_the_chord():
    assert names_of("C4 quarter, E4 quarter, G4 quarter, C5 quarter", "C3 whole") == ["C"] * 4


def test_a_rest_keeps_the_chord_and_before_the_music_there_is_none():
    assert names_of("rest half, D4+F#4+A4 quarter, rest quarter") == ["N.C.", "N.C.", "D", "D"]


def test_beats_are_those_that_are_felt():
    two = describe(score_of("C4+E4+G4 dotted-quarter, F4+A4+C5 dotted-quarter", metres=(Metre(0, 6, 8),)))
    assert two.beats.tolist() == [0, 36] and two.chord_names() == ["C"]
    five = describe(score_of("C4 quarter, D4 quarter, E4 eighth", metres=(Metre(0, 5, 8),)))
    assert five.beats.tolist() == [0, 12, 24, 36, 48]


def test_the_chord_of_a_bar_is_that_of_most_of_its_beats():
    c, g, f = map(parse_chord, "CGF")
    labels = np.array([c, g, g, c, f, f, c, c, NONE, NONE, c])
    found = Description({}, np.zeros(3), np.arange(11) * 24, labels, np.array([0, 96, 192]))
    assert found.chord_names() == ["C", "F", "N.C."]  # of two as long, the first
    assert found.chord_at(np.array([0, 30, 95, 96, 10_000])).tolist() == [c, g, c, f, c]


@settings(max_examples=40, deadline=None)
@given(st.integers(-24, 24))
def test_chords_move_with_the_music(semitones):
    score = score_of("C4+E4+G4 half, A3+C4+F4 half, D4+F4+A4+C5 half, B3+D4+F4+G4 half")
    here, there = describe(score).chords, describe(transpose(score, semitones)).chords
    assert ((here + semitones * len(QUALITIES)) % 120 == there).all()


# --- names of chords


def test_every_chord_is_written_and_read_back():
    names = [chord_name(chord) for chord in range(12 * len(QUALITIES))]
    assert [parse_chord(name) for name in names] == list(range(120)) and len(set(names)) == 120
    assert chord_name(NONE) == "N.C."


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Cmaj", "C"), ("bb7", "Bb7"), ("D-", "Dm"), ("F♯°7", "F#dim7"), ("E♭ø", "Ebm7b5"), ("Cb", "B"),
        (" gsus ", "Gsus4"),
    ],
)  # fmt: skip
def test_chords_may_be_written_in_several_ways(text, plain):
    assert parse_chord(text) == parse_chord(plain)


@pytest.mark.parametrize("text", ["H", "C/E", "C13", "maj7", "", "Dm G7", "N.C."])
def test_what_is_no_chord_is_refused_with_those_that_are(text):
    with pytest.raises(BadOption, match=re.escape(f"no chord {text!r}") + ".*maj7.*like C, Dm"):
        parse_chord(text)


def test_chords_a_bar_or_between_bar_lines():
    dm, g7, c = map(parse_chord, ("Dm", "G7", "C"))
    assert parse_chords("Dm G7 C") == ((1.0, dm), (2.0, g7), (3.0, c))
    assert parse_chords("| Dm G7 | C |") == parse_chords("Dm G7 || C") == ((1.0, dm), (1.5, g7), (2.0, c))
    assert parse_chords("Dm | | C") == ((1.0, dm), (3.0, c))
    for text in ("", " | | "):
        with pytest.raises(BadOption, match="there is no chord; write them like"):
            parse_chords(text)


# --- form


def test_the_form_of_a_song():
    found = describe(score_of(", ".join([A, A, B, A])))
    assert found.repeats.tolist() == [0] * 4 + [3] * 4 + [0] * 4 + [4] * 4  # four bars ago, eight bars ago
    assert found.returns() == [Return(4, 7, 4, True), Return(12, 15, 8, True)]


def test_a_sequence_repeats_its_rhythm_alone():
    bars = [f"{a}4 quarter, {b}4 quarter, {c}4 half" for a, b, c in ("CDE", "DEF", "EFG", "FGA")]
    found = describe(score_of(", ".join(bars)))
    assert found.repeats.tolist() == [0, 7, 7, 7]
    assert found.returns() == [Return(1, 3, 1, False)]


def test_a_bar_returns_with_one_note_of_five_changed_but_not_with_two():
    bar = "C4 quarter, E4 quarter, G4 quarter, B4 eighth, {} eighth"
    assert describe(score_of(", ".join([bar.format("C5"), bar.format("D5")]))).repeats.tolist() == [0, 1]
    assert describe(score_of(f"{bar.format('C5')}, {bar.format('D5').replace('E4', 'F4')}")).repeats.tolist() == [0, 7]


def test_the_same_rhythm_in_another_track_is_another():
    low, high = "rest whole, C4 half, D4 half", "E4 half, F4 half, rest whole"
    assert describe(score_of(low, high)).repeats.tolist() == [0, 0]


@pytest.mark.parametrize(("distance", "kind"), [(1, 1), (2, 2), (4, 3), (8, 4), (16, 5), (32, 6), (3, 0), (7, 0)])
def test_a_bar_returns_from_so_many_bars_back(distance, kind):
    bar = "C4 quarter, D4 half, E4 quarter, "
    found = describe(score_of(bar + "G5 whole, " * (distance - 1) + bar))
    assert found.repeats[-1] == kind
    assert not kind or (found.returns()[-1].distance, found.returns()[-1].whole) == (distance, True)


# --- scales


def test_a_scale_begins_at_0_is_half_way_at_the_median_and_ends_at_1():
    assert share(np.array([-9.0, -4.5, -3.0, 0.0, 3.0, 4.5, 9.0]), SCALE) == pytest.approx(
        [0, 0, 0.02, 0.5, 0.98, 1, 1]
    )
    assert level("valence", np.array([-9.0, 0.0, 9.0]), SCALE) == pytest.approx([1, 5.5, 10])
    assert level("density", np.array([-9.0, 0.0, 9.0]), SCALE) == pytest.approx([0, 0.5, 1])


def test_levels_of_all_that_has_a_scale():
    found = levels({"valence": np.zeros(3), "density": np.zeros(3)}, {"density": SCALE, "arousal": SCALE})
    assert list(found) == ["density"] and found["density"] == pytest.approx([0.5] * 3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-20, 20), min_size=1, max_size=50), st.lists(st.floats(-30, 30), min_size=2, max_size=20))
def test_a_scale_of_any_music_is_monotone(values, asked):
    scale = scale_of(np.array(values))
    found = share(np.sort(np.array(asked)), scale)
    assert len(scale) == len(EDGES) and (np.diff(found) >= 0).all() and found.min() >= 0 and found.max() <= 1


def test_what_is_no_scale_is_refused():
    with pytest.raises(ModelError, match="a scale has 11 percentiles, not 3"):
        share(np.zeros(2), [1.0, 2.0, 3.0])
    with pytest.raises(MusicError, match="no bar to make a scale of"):
        scale_of(np.zeros(0))


# --- odd music


@pytest.mark.parametrize("score", [score_of(), score_of("C4 whole", tracks=(DRUMS,))], ids=["silence", "drums"])
def test_there_must_be_a_note_to_hear(score):
    with pytest.raises(MusicError, match="nothing to describe"):
        describe(score)


def test_drums_are_not_heard():
    alone, beside = (
        describe(score_of(A)),
        describe(score_of(A, "C2 whole, C2 whole, C2 whole", tracks=(Track(), DRUMS))),
    )
    for name in DESCRIPTORS:
        assert alone.measures[name] == pytest.approx(beside.measures[name])


def test_before_the_first_note_is_heard_what_begins_with_it():
    found = describe(score_of("rest whole, " * 6 + A, "C2 whole, " * 10, tracks=(Track(), DRUMS))).measures
    for name in DESCRIPTORS:
        assert found[name][:4] == pytest.approx(found[name][4])  # the bars from which no note is within reach


def test_in_a_long_silence_the_mood_stays():
    valence = describe(score_of(f"{MINOR}, {'rest whole, ' * 8}{MAJOR}")).measures["valence"]
    assert (valence[3:8] == valence[2]).all() and valence[9] > valence[2] + 1


@pytest.mark.parametrize(
    "fields",
    [
        {"metres": (Metre(0, 5, 8),)}, {"metres": (Metre(0, 1, 4),)}, {"metres": (Metre(0, 3, 64),)},
        {"metres": (Metre(0, 255, 2),)}, {"metres": (Metre(0, 4, 4), Metre(0, 3, 4))}, {"metres": (Metre(0, 0, 4),)},
        {"metres": (Metre(0, 3, 4), Metre(25, 2, 2), Metre(26, 7, 8), Metre(9999, 1, 1))},
        {"upbeat": 7}, {"upbeat": 5000},
        {"tempos": (Tempo(0, float("nan")), Tempo(96, 1e-9), Tempo(192, 1e9), Tempo(288, float("inf")))},
        {"ticks_per_beat": 1}, {"ticks_per_beat": 32_767},
        {"tracks": tuple(Track() for _ in range(2000))},
    ],
    ids=str,
)  # fmt: skip
def test_odd_metres_upbeats_and_tempi_are_described(fields):
    check(score_of(A, **fields))


def check(score: Score) -> None:
    """Everything is there for every bar and beat, and is a number."""
    for played in (False, True):
        found = describe(score, played=played)
        assert set(found.measures) == set(DESCRIPTORS)
        for values in found.measures.values():
            assert values.shape == found.bars.shape and np.isfinite(values).all() and abs(values).max() < 100
    assert len(found.repeats) == len(found.bars) == len(found.chord_names())
    assert found.beats.shape == found.chords.shape and (np.diff(found.beats) > 0).all()
    assert set(found.chords.tolist()) <= set(range(-1, 120)) and set(found.repeats.tolist()) <= set(range(13))


def test_one_note_is_described():
    check(score_of("C4 sixteenth"))
    check(of_rows((0, 1, 127)))


def test_many_tracks_are_described():
    rows = [(n * 6, 12, 30 + n % 60, 80, n) for n in range(128)]
    check(Score(note_array(rows), tuple(Track("", n) for n in range(128))))


def test_the_grid_does_not_matter():
    coarse, fine = describe(score_of(A)), describe(resample(score_of(A), 480))
    for name in DESCRIPTORS:
        assert (coarse.measures[name] == fine.measures[name]).all()


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (of_rows((2**40, 24, 60)), "beats; 100,000 at most"),
        (of_rows((0, 2**62, 60)), "beats; 100,000 at most"),
        (of_rows((2**62, 2**62, 60)), "beats; 100,000 at most"),  # their sum is beyond 64 bits
        (of_rows((0, 24, 60), upbeat=2**50), "beats; 100,000 at most"),
        (of_rows((0, 2**23, 60), metres=(Metre(0, 255, 64),)), "beats; 100,000 at most"),
        (of_rows((0, 2**20, 60), metres=(Metre(0, 0, 4),)), "beats; 100,000 at most"),
        (of_rows(*((n, 2_000_000 - n, 40 + n % 50) for n in range(200))), "lacks its note-offs"),
    ],
)
def test_absurd_music_is_refused_at_once(score, said):
    begun = time.monotonic()
    with pytest.raises(MusicError, match=said):
        describe(score)
    assert time.monotonic() - begun < 15


SEVEN = st.integers(0, 127)
NOTES = st.tuples(st.integers(0, 900), st.integers(1, 300), SEVEN, SEVEN, st.integers(0, 3))
METRES = st.tuples(st.integers(0, 700), st.integers(1, 15), st.sampled_from([1, 2, 4, 8, 16, 32]))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(NOTES, min_size=1, max_size=40), st.lists(METRES, max_size=4), st.integers(0, 100),
    st.lists(st.tuples(st.integers(0, 900), st.floats(1, 1000)), max_size=3), st.sampled_from([24, 10, 96, 480]),
)  # fmt: skip
def test_any_music_is_described(rows, metres, upbeat, tempos, ticks):
    check(
        Score(
            note_array(rows), tuple(Track() for _ in range(4)), ticks, upbeat=upbeat,
            metres=tuple(Metre(*metre) for metre in metres), tempos=tuple(Tempo(*tempo) for tempo in tempos),
        )
    )  # fmt: skip


# --- the faces


def test_describe_can_be_called_again_and_again():
    assert len(partimento.describe(score_of(A)).bars) == len(partimento.describe(score_of(A)).bars) == 4


@pytest.fixture
def tune(tmp_path) -> Path:
    path = tmp_path / "tune.mid"
    formats.save(score_of(", ".join([A, A])), path)
    return path


@pytest.fixture
def model(monkeypatch) -> list[str]:
    """Options that name a model with one style on a scale and one without."""
    known = {"old": {}, "new": {"scales": dict.fromkeys(DESCRIPTORS, SCALE)}}
    monkeypatch.setattr(styles, "described", lambda path: {"styles": known})
    return ["--model", "some.partimento"]


def test_the_command_says_mood_chords_and_form(tune, model):
    done = CliRunner().invoke(cli, ["describe", str(tune), *model, "--style", "new"])
    assert done.exit_code == 0, done.output
    for words in ("tune: 8 bars in C major, on the scale of new", "happiness", "density", "returns: 5-8 as 1-4"):
        assert words in done.output
    assert re.search(r"\n    1  (\S+ +){7}C\n", done.output) and "has no scales" not in done.output


def test_a_style_without_scales_says_so_in_one_line(tune, model):
    done = CliRunner().invoke(cli, ["describe", str(tune), *model])
    assert done.exit_code == 0 and done.output.count("old has no scales") == 1


def test_everything_as_json(tune, model):
    done = CliRunner().invoke(cli, ["describe", str(tune), *model, "--style", "new", "--json"])
    found = json.loads(done.output)
    assert found["key"] == "C major" and found["bars"] == 8 and len(found["chords"]) == 8
    assert found["returns"] == [{"first": 5, "last": 8, "bars_back": 4, "whole": True}]
    for curve in found["curves"].values():
        low, high = curve["range"]
        assert len(curve["bars"]) == 8 and low <= min(curve["bars"]) <= curve["piece"] <= max(curve["bars"]) <= high
    expected = describe(formats.load(tune)).levels({"valence": SCALE})["valence"]
    assert found["curves"]["happiness"]["bars"] == pytest.approx(expected, abs=1e-3)


def test_curves_are_drawn(tune, model, tmp_path):
    formats.save(score_of(", ".join([A] * 300)), tmp_path / "long.mid")
    for file in (tune, tmp_path / "long.mid"):
        done = CliRunner().invoke(cli, ["describe", str(file), *model, "-o", str(tmp_path / "curve.png")])
        assert done.exit_code == 0, done.output
        assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gone.mid"], "there is no such file"), (["drums.mid"], "nothing to describe"),
        (["drums.mid", "--style", "polka"], "no style 'polka'"), (["drums.mid", "-o", "a.svg"], "drawn as .png"),
        (["drums.mid", "-o", "no/a.png"], "there is no folder"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_exit_code_2(arguments, said, tmp_path, monkeypatch, capsys):
    formats.save(score_of("C4 whole", tracks=(DRUMS,)), tmp_path / "drums.mid")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["partimento", "describe", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    error = capsys.readouterr().err
    assert left.value.code == 2 and said in error and error.count("\n") == 1


def test_the_page_has_every_cue_with_its_figures():
    page = (Path(__file__).parents[1] / "docs" / "describing.md").read_text("utf-8")
    for name, (mean, spread) in CUES.items():
        row = re.search(rf"^\| `{name}` \|.*$", page, re.MULTILINE)
        assert row, f"{name} is missing"
        cells = [cell.strip() for cell in row[0].strip("|").split("|")][-6:]
        weights = [WEIGHTS[of].get(name) for of in DESCRIPTORS]
        assert cells == [f"{mean:g}", f"{spread:g}", *("" if weight is None else f"{weight:+g}" for weight in weights)]
