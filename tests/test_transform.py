"""Keys, lengths, tempi, instruments and unevenness: whole-score transformations, and `partimento transform`."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from music import pitch_of, score_of
from partimento import formats
from partimento.arrange import arrange, fit_range, named
from partimento.cli import cli
from partimento.errors import BadOption, MusicError
from partimento.instruments import RANGES, find_program
from partimento.score import DRUM_PROGRAM, TICKS_PER_BEAT, Key, Metre, Tempo, Track
from partimento.theory import key_of, parse_key
from partimento.timing import Clock, duration_seconds
from partimento.transform import home_key, humanise, resample, stretch, to_key, with_tempo

VIOLIN, VIOLA, CELLO, FLUTE, PIANO, DRUMS = 40, 41, 42, 73, 0, DRUM_PROGRAM
BAR = 4 * TICKS_PER_BEAT
SCALE = "C4 quarter, D4 quarter, E4 quarter, F4 quarter, G4 quarter, A4 quarter, B4 quarter, C5 quarter"
AIR = "C4 half, E4 quarter, G4 quarter, A4 half, F4 half, G4 quarter, E4 quarter, D4 half, C4 whole"
IN_C = (Key(0, 0),)


def names(score) -> list[int]:
    return score.notes["pitch"].tolist()


def pitches(words: str) -> list[int]:
    return [pitch_of(word) for word in words.split()]


# --- keys


def test_a_key_is_reached_the_shorter_way():
    for wanted, move in (("D", 2), ("Bb", -2), ("F", 5), ("G", -5), ("C", 0)):
        moved = to_key(score_of(AIR, keys=IN_C), wanted)
        assert names(moved) == [pitch + move for pitch in names(score_of(AIR))], wanted
        assert moved.keys == (parse_key(wanted),)


def test_the_longer_way_is_taken_where_the_shorter_leaves_the_instrument():
    low = score_of(AIR, tracks=(Track("", FLUTE),), keys=IN_C)  # a flute ends at C4
    assert names(to_key(low, "Bb"))[0] == pitch_of("Bb4")
    assert names(to_key(replace(low, tracks=(Track("", CELLO),)), "Bb"))[0] == pitch_of("Bb3")


def test_keys_stated_later_move_along_and_drums_stay():
    score = score_of(AIR, "C2 whole, D2 whole", tracks=(Track(), Track("", DRUMS)), keys=(*IN_C, Key(2 * BAR, 7)))
    moved = to_key(score, "D")
    assert moved.keys == (Key(0, 2), Key(2 * BAR, 9))
    assert moved.track_notes(1)["pitch"].tolist() == pitches("C2 D2")


def test_the_key_is_found_by_the_notes_where_the_file_says_none_or_the_wrong_one():
    assert home_key(score_of(AIR)) == Key(0, 0)
    assert home_key(score_of(AIR, keys=(Key(0, 6),))) == Key(0, 0)
    minor = "A4 half, C5 quarter, E5 quarter, D5 half, F5 half, E5 quarter, G#4 quarter, B4 half, A4 whole"
    assert home_key(score_of(minor, keys=IN_C)) == Key(0, 9, "minor")  # the signature alone, as many files have it
    drone = score_of("D4 half, A4 half, E4 half, D4 half, A4 whole")
    assert home_key(drone) == Key(0, 2, "minor") and home_key(replace(drone, keys=(Key(0, 2),))) == Key(0, 2)


def test_major_becomes_minor_with_its_leading_note():
    moved = to_key(score_of(SCALE, keys=IN_C), "C minor")
    assert names(moved) == pitches("C4 D4 Eb4 F4 G4 A4 B4 C5")  # up: melodic minor
    down = score_of(", ".join(reversed(SCALE.split(", "))), keys=IN_C)
    assert names(to_key(down, "C minor")) == pitches("C5 Bb4 Ab4 G4 F4 Eb4 D4 C4")


def test_the_dominant_keeps_its_third_in_minor_even_where_it_falls():
    cadence = score_of("G3+B3+D4 half, C3+G3+E4 half", keys=IN_C)
    assert sorted(names(to_key(cadence, "C minor"))) == sorted(pitches("G3 B3 D4 C3 G3 Eb4"))


def test_minor_becomes_major():
    air = "A3 half, C4 quarter, E4 quarter, F4 half, D4 half, E4 quarter, G#4 quarter, B3 half, A3 whole"
    moved = to_key(score_of(air), "A major")
    assert names(moved) == pitches("A3 C#4 E4 F#4 D4 E4 G#4 B3 A3")
    assert (moved.keys, key_of(moved)) == ((Key(0, 9),), Key(0, 9))


def test_a_trio_in_the_other_mode_keeps_its_own():
    keys = (Key(0, 0), Key(BAR, 0, "minor"))
    moved = to_key(score_of("C4+E4 whole, C4+Eb4 whole", keys=keys), "C minor")
    assert names(moved) == pitches("C4 Eb4 C4 Eb4") and {key.mode for key in moved.keys} == {"minor"}


# --- stretch and tempo


def test_augmentation_doubles_what_happens_and_keeps_metre_and_tempo():
    score = score_of(AIR, metres=(Metre(0, 4, 4),), tempos=(Tempo(0, 90),), keys=(Key(0, 0), Key(BAR, 7)))
    longer = stretch(score, 2)
    assert (longer.notes["onset"] == 2 * score.notes["onset"]).all() and longer.end == 2 * score.end
    assert (longer.metres, longer.tempos, longer.keys[1].tick) == (score.metres, score.tempos, 2 * BAR)
    assert duration_seconds(longer) == 2 * duration_seconds(score)
    assert stretch(longer, 0.5) == score


def test_a_grid_that_is_too_coarse_is_made_finer():
    score = score_of("C4 sixteenth, D4 sixteenth, " * 8)
    shorter = stretch(score, 0.3)
    assert shorter.ticks_per_beat == 480
    assert (shorter.notes["onset"] == 36 * np.arange(16)).all() and (shorter.notes["duration"] == 36).all()


def test_an_upbeat_that_grows_to_a_bar_is_none():
    score = score_of("G4 half, " + AIR, metres=(Metre(0, 4, 4),), upbeat=BAR // 2)
    assert [stretch(score, factor).upbeat for factor in (0.5, 1.5, 2)] == [BAR // 4, BAR * 3 // 4, 0]


def test_a_tempo_is_set_and_a_tempo_that_changes_keeps_its_shape():
    assert with_tempo(score_of(AIR), 60).tempos == (Tempo(0, 60),)
    score = with_tempo(score_of(AIR, tempos=(Tempo(0, 120), Tempo(BAR, 60))), 50)
    assert score.tempos[0].bpm == 2 * score.tempos[1].bpm
    assert duration_seconds(score) == pytest.approx(score.end / TICKS_PER_BEAT * 60 / 50)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda score: stretch(score, 5), "stretch 5 is out of range; wanted 0.25 to 4"),
        (lambda score: stretch(score, float("nan")), "stretch nan"),
        (lambda score: with_tempo(score, 0), "tempo 0 is out of range; wanted 10 to 400"),
        (lambda score: humanise(score, np.random.default_rng(0), ticks=-1), "ticks -1 is out of range"),
        (lambda score: to_key(score, "H dur"), "no key 'H dur'"),
        (lambda score: arrange(score, []), "0 instruments to arrange for; wanted 1 to 15"),
        (lambda score: arrange(score, [128]), "no program 128 to arrange for"),
    ],
)
def test_what_is_out_of_range_is_refused(change, message):
    with pytest.raises(BadOption, match=message):
        change(score_of(AIR))


# --- unevenness


def test_humanising_is_small_and_belongs_to_its_seed():
    score = score_of("C4+E4 quarter, D4+F4 quarter, " * 16)
    first, again, other = (humanise(score, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other
    plain = resample(score, 480)
    assert first.ticks_per_beat == 480 and len(first) == len(score)
    for pitch in (60, 62, 64, 65):
        moved, stood = (piece.notes[piece.notes["pitch"] == pitch] for piece in (first, plain))
        shift = moved["onset"] - stood["onset"]
        assert 0 < np.abs(shift).max() <= 15
        assert (moved["onset"] + moved["duration"] == stood["onset"] + stood["duration"]).all()
        assert 0 < np.abs(moved["velocity"].astype(int) - 80).max() <= 10


def test_a_repeated_note_is_never_overtaken_nor_doubled_however_rough_the_hand():
    score = resample(score_of("C4 sixteenth, " * 64 + "C4 quarter", "C4 eighth, " * 32), 480)
    notes = score.notes.copy()
    notes["duration"][::7] = 3  # very short ones, and gaps
    for seed in range(20):
        rough = humanise(score.with_notes(notes), np.random.default_rng(seed), ticks=60, velocity=40)
        for track in (0, 1):
            part = rough.track_notes(track)
            assert (np.diff(part["onset"]) > 0).all()
            assert (part["onset"][1:] >= (part["onset"] + part["duration"])[:-1]).all()
        assert rough.notes["onset"].min() >= 0
        assert rough.notes["velocity"].min() >= 1 and rough.notes["velocity"].max() <= 127


# --- instruments


def test_as_many_instruments_as_parts_take_one_each():
    duet = arrange(score_of("E5 half, D5 half", "C4 half, G3 half"), [FLUTE, CELLO])
    assert duet.tracks == (Track("", FLUTE), Track("", CELLO))
    assert names(duet) == pitches("E5 C4 D5 G3")


def test_every_note_comes_into_range_by_octaves_and_drums_stay():
    score = score_of(SCALE, "C2 whole, E2 whole", tracks=(Track(), Track("kit", DRUMS)))
    for name in ("cello", "piccolo", "double bass", "timpani", "glockenspiel"):
        program = find_program(name)
        moved = arrange(score, [program])
        low, high = RANGES[program]
        tune = moved.track_notes(0)
        assert low <= tune["pitch"].min() and tune["pitch"].max() <= high, name
        assert ((tune["pitch"] - score.track_notes(0)["pitch"].astype(int)) % 12 == 0).all(), name
        assert moved.tracks[1] == score.tracks[1]
        assert moved.track_notes(1)["pitch"].tolist() == pitches("C2 E2")


def test_every_instrument_has_room_for_an_octave():
    assert all(high - low >= 11 for low, high in RANGES.values())


def test_a_tune_moves_as_a_whole_where_most_of_it_lies_outside():
    moved = arrange(score_of(SCALE), [find_program("double bass")])
    assert (np.diff(names(moved)) == np.diff(names(score_of(SCALE)))).all()


def test_more_instruments_than_parts_divide_them_from_the_top():
    piano = score_of("E4+G4+C5 half, F4+A4+C5 half, D4+G4+B4 whole")
    trio = arrange(piano, [VIOLIN, VIOLIN, VIOLA])
    assert [track.name for track in trio.tracks] == ["Violin 1", "Violin 2", ""]
    lines = [trio.track_notes(track)["pitch"].tolist() for track in range(3)]
    assert lines == [pitches("C5 C5 B4"), pitches("G4 A4 G4"), pitches("E4 F4 D4")]


def test_a_single_line_is_doubled_in_the_register_of_who_joins():
    both = arrange(score_of("C5 half, E5 half, G5 whole"), [FLUTE, CELLO])
    assert both.track_notes(0)["pitch"].tolist() == pitches("C5 E5 G5")
    assert both.track_notes(1)["pitch"].tolist() == pitches("C4 E4 G4")


def test_who_doubles_a_line_plays_no_higher_than_who_has_it():
    violin, viola = (arrange(score_of("C4 half, E4 half, G4 whole"), [VIOLIN, VIOLA]).track_notes(n) for n in (0, 1))
    assert violin["pitch"].tolist() == viola["pitch"].tolist() == pitches("C4 E4 G4")
    high = arrange(score_of("C4 half, E4 half, G4 whole"), [find_program("piccolo"), VIOLIN])
    assert names(high) == pitches("C6 C5 E6 E5 G6 G5")  # a line that its first instrument raises is doubled there


def test_a_double_bass_doubles_an_octave_below_where_it_reaches():
    brass = [find_program("tuba"), find_program("double bass")]
    assert names(arrange(score_of("C3 half, F2 half"), brass)) == pitches("C3 C2 F2 F1")
    assert names(arrange(score_of("C3 half, D2 half"), brass)) == pitches("C3 C3 D2 D2")


def test_fewer_instruments_than_parts_join_neighbours():
    choir = score_of("C5 whole", "G4 whole", "E4 whole", "G3 whole")  # two for each, though the inner ones are nearest
    duo = arrange(choir, [VIOLIN, CELLO])
    assert [duo.track_notes(track)["pitch"].tolist() for track in (0, 1)] == [pitches("G4 C5"), pitches("G3 E4")]
    trio = arrange(choir, [VIOLIN, VIOLA, CELLO])
    assert [trio.track_notes(track)["pitch"].tolist() for track in range(3)] == [
        pitches("C5"), pitches("E4 G4"), pitches("G3"),
    ]  # fmt: skip


def test_unisons_of_joined_parts_are_struck_once():
    one = arrange(score_of("C4 quarter, E4 quarter", "C4 half"), [PIANO])
    assert [tuple(note)[:3] for note in one.notes.tolist()] == [(0, 48, 60), (24, 24, 64)]


def test_nothing_but_drums_cannot_be_arranged():
    with pytest.raises(MusicError, match="none of them pitched"):
        arrange(score_of("C2 whole", tracks=(Track("", DRUMS),)), [VIOLIN])


def test_only_what_is_outside_its_range_is_fitted():
    score = score_of("G3 quarter, C4 quarter, E4 quarter, G4 quarter, C5 quarter", tracks=(Track("", FLUTE),))
    assert names(fit_range(score)) == pitches("G4 C4 E4 G4 C5")
    fitted = score_of(SCALE, tracks=(Track("", FLUTE),))
    assert fit_range(fitted) is fitted


# --- the command


@pytest.fixture
def air(tmp_path):
    path = tmp_path / "air.mid"
    score = score_of(AIR, AIR.replace("4", "3"), keys=IN_C, metres=(Metre(0, 4, 4),), tempos=(Tempo(0, 80),))
    formats.save(replace(score, title="An air"), path)
    return path


def run(*arguments) -> str:
    done = CliRunner().invoke(cli, ["transform", *map(str, arguments)])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_everything_at_once_in_its_documented_order(air, tmp_path):
    out = tmp_path / "out.mid"
    said = run(
        "--express", 7, "--humanise", "--seed", 3, "--tempo", 60, "--arrange", "flute", "--arrange", "cello",
        "--stretch", 2, "--to-key", "D minor", air, "-o", out, "-o", tmp_path / "out.svg",
    )  # fmt: skip
    assert said.splitlines() == [
        "air: C major to D minor; notes 2 times as long; for flute and cello; 60 quarter notes a minute; "
        "expression in dynamics and tempo at excitement 7; humanised with seed 3 (8 bars, 18 notes, 0:33)",
        f"wrote {out}, {tmp_path / 'out.svg'}",
    ]
    score = formats.load(out)
    assert (score.keys[0], [track.program for track in score.tracks]) == (Key(0, 2, "minor"), [FLUTE, CELLO])
    assert len(Clock(score).bars) == 8 and score.title == "An air" and score.recipe is None


def test_the_same_seed_gives_the_same_bytes(air, tmp_path):
    for name in ("a.mid", "b.mid"):
        run(air, "--humanise", "--seed", 9, "-o", tmp_path / name)
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


def test_express_without_a_number_may_stand_before_the_file(air, tmp_path):
    assert "expression in dynamics and tempo (4 bars" in run("--express", air, "-o", tmp_path / "a.mid")
    assert "expressive already" in run(tmp_path / "a.mid", "--express", 9, "-o", tmp_path / "b.mid")


def test_a_composed_piece_says_what_became_of_it(air, tmp_path):
    formats.save(replace(formats.load(air), recipe={"style": "folk", "seed": 7}), air)
    run(air, "--transpose", -3, "-o", tmp_path / "a.mid")
    run(tmp_path / "a.mid", "--tempo", 100, "-o", tmp_path / "b.musicxml")
    recipe = formats.load(tmp_path / "b.musicxml").recipe
    assert recipe["transform"] == ["transposed by -3 semitones", "100 quarter notes a minute"]
    assert recipe["seed"] == 7


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("air.mid -o a.mid", "nothing to do; add one of --to-key, --transpose, --stretch"),
        ("air.mid --transpose 2", "no file to write; name one: -o OUT.mid"),
        ("--transpose 2 -o a.mid", "no file to transform"),
        ("air.mid --transpose 70 -o a.mid", "+70 semitones leads out of MIDI's 0-127; this music can move -"),
        ("air.mid --transpose 2 --to-key D -o a.mid", "--to-key and --transpose are both given"),
        ("air.mid --to-key H -o a.mid", "no key 'H'"),
        ("air.mid --stretch 9 -o a.mid", "stretch 9 is out of range"),
        ("air.mid --tempo 1 -o a.mid", "tempo 1 is out of range"),
        ("air.mid --arrange violine -o a.mid", "no instrument 'violine'; near to it: violin"),
        ("air.mid --express loud -o a.mid", "--express 'loud' is no number; wanted 1 to 10"),
        ("air.mid --express 11 -o a.mid", "excitement 11 is out of range; wanted 1 to 10"),
        ("air.mid --seed 4 --tempo 90 -o a.mid", "--seed is for --humanise"),
        ("air.mid --humanise --seed -4 -o a.mid", "seed -4 is out of range"),
        ("air.mid --tempo 90 --kind score -o a.mid", "--kind score is for pictures"),
        ("air.mid --tempo 90 -o a.doc", "cannot write '.doc'"),
        ("gone.mid --tempo 90 -o a.mid", "there is no such file"),
        ("silence.mid --tempo 90 -o a.mid", "there are no notes in it to transform"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(air, monkeypatch, asked, message):
    monkeypatch.chdir(air.parent)
    formats.save(score_of(""), "silence.mid")
    done = CliRunner().invoke(cli, ["transform", *asked.split()])
    assert done.exit_code == 1 and message in str(done.exception) and "\n" not in str(done.exception)
    assert not (air.parent / "a.mid").exists()


def test_an_error_is_one_line_and_exit_code_2(air):
    command = [sys.executable, "-m", "partimento.cli", "transform", str(air), "-o", "a.mid"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=air.parent)
    assert done.returncode == 2 and done.stderr.startswith("partimento: nothing to do")
    assert done.stderr.count("\n") == 1


def test_parts_that_nothing_tells_apart_are_named():
    parts = ("C3 whole", "C5 whole", "E4 whole", "G4 whole")
    choir = score_of(*parts, tracks=(Track("", 52),) * 4)
    assert [track.name for track in named(choir).tracks] == ["Bass", "Soprano", "Tenor", "Alto"]
    quartet = score_of(*parts, tracks=tuple(Track("", program) for program in (42, 40, 40, 41)))
    assert [track.name for track in named(quartet).tracks] == ["", "Violin 1", "Violin 2", ""]
    hands, solo = score_of(*parts[:2]), score_of(*parts[:2], tracks=(Track("Anna", 40), Track("", 40)))
    assert named(hands) == hands and named(solo) == solo
