"""Given fields: measures kept raw and turned into classes by a style's scale, labels by hand, axes of a user's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from music import score_of
from partimento import formats
from partimento.corpus import prepared, scan
from partimento.corpus.build import build_cache
from partimento.describe import describe, level, scale_of
from partimento.encodings import Plan, get_encoding
from partimento.encodings import _given as given_fields
from partimento.encodings.base import STEP_DTYPE
from partimento.errors import BadOption
from partimento.profile import scales_of, style_profiles, with_classes
from partimento.score import Metre, Track

FOUR = (Metre(0, 4, 4),)
SCALE = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)  # nine inner deciles


# --- raw measures


def test_a_measure_comes_back_from_what_is_kept_of_it_to_a_hundredth():
    measures = np.array([-150.0, -3.217, -0.005001, 0.0, 0.12, 2.999, 149.99, 150.0])
    raw = given_fields.raw_of(measures)
    assert given_fields.measure_of(raw).tolist() == [-150.0, -3.22, -0.01, 0.0, 0.12, 3.0, 149.99, 150.0]


def test_a_raw_measure_is_no_class_and_fits_into_the_cache_however_far_out():
    raw = given_fields.raw_of(np.array([-np.inf, -1e9, 0.0, 1e9, np.inf]))
    assert raw.min() >= given_fields.RAW > max(field.size for field in get_encoding("notes").given if field.size < 13)
    assert raw.max() <= np.iinfo(STEP_DTYPE).max
    assert raw.tolist() == [100, 100, 15100, 30100, 30100]


def test_a_measure_falls_into_the_tenth_of_the_scale_that_it_lies_in():
    measures = [-80.0, 0.99, 1.0, 1.5, 2.0, 4.99, 5.0, 8.99, 9.0, 150.0]
    raw = given_fields.raw_of(np.array(measures))
    assert given_fields.classed(raw, SCALE).tolist() == [1, 1, 2, 2, 3, 5, 6, 9, 10, 10]


def test_every_hundredth_that_is_a_decile_lies_above_it_and_the_one_before_below():
    for hundredths in range(-400, 400):
        edge = hundredths / 100
        raw = given_fields.raw_of(np.array([edge - 0.01, edge]))
        assert given_fields.classed(raw, [edge] * 9).tolist() == [1, 10]


def test_a_class_stays_a_class_and_without_a_scale_a_measure_is_not_said():
    column = np.array([0, 7, 10, given_fields.RAW, 15100])
    assert given_fields.classed(column, SCALE).tolist() == [0, 7, 10, 1, 1]
    assert given_fields.classed(column, ()).tolist() == [0, 7, 10, 0, 0]


@pytest.mark.parametrize("name", given_fields.DESCRIPTORS)
def test_who_asks_for_what_is_measured_asks_for_the_class_that_training_saw(name):
    rng = np.random.default_rng(2)
    scale = scale_of(rng.normal(size=500))
    measures = np.round(rng.normal(size=300), 2)
    inside = measures[(measures > scale[0]) & (measures < scale[-1])]
    asked = [given_fields.level_class(name, one) for one in level(name, inside, scale)]
    assert given_fields.classed(given_fields.raw_of(inside), scale[1:-1]).tolist() == asked


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("valence", {None: 0, "": 0, 1: 1, 1.89: 1, 5.5: 6, "7.5": 8, 10: 10, -3: 1, 99: 10}),
        ("density", {None: 0, 0: 1, 0.09: 1, 0.5: 6, "0.75": 8, 1: 10, -3: 1, 99: 10}),
    ],
)
def test_a_level_asked_for_is_one_of_ten_classes(name, classes):
    assert {value: given_fields.level_class(name, value) for value in classes} == classes


def test_a_control_goes_on_as_it_was_last_said():
    controls = {"valence": (1, 10), "density": 0.5}
    found = [given_fields.level_classes(controls, bar, ("valence", "density", "arousal")) for bar in range(3)]
    assert [one["valence"] for one in found] == [1, 10, 10]
    assert {one["density"] for one in found} == {6} and {one["arousal"] for one in found} == {0}


# --- chords


@pytest.mark.parametrize("semitones", [-13, -5, 0, 2, 6, 12])
def test_a_chord_is_moved_by_its_root_and_no_chord_stays(semitones):
    chords = np.array([0, 1, *range(2, given_fields.CHORDS)], dtype=STEP_DTYPE)
    moved = given_fields.moved_chords(chords, semitones)
    assert moved[:2].tolist() == [0, 1] and sorted(moved.tolist()) == chords.tolist()
    kinds = (chords[2:] - 2) % given_fields.CHORD_KINDS
    assert ((moved[2:] - 2) % given_fields.CHORD_KINDS).tolist() == kinds.tolist()
    roots = (chords[2:] - 2) // given_fields.CHORD_KINDS
    assert ((moved[2:] - 2) // given_fields.CHORD_KINDS).tolist() == ((roots + semitones) % 12).tolist()
    assert (given_fields.moved_chords(moved, -semitones) == chords).all()


def test_the_chord_under_each_note_is_that_of_its_beat():
    score = score_of("C4+E4+G4 quarter, F4+A4+C5 quarter, G4+B4+D5 quarter, C4+E4+G4 quarter", metres=FOUR)
    encoding = get_encoding("notes")
    steps = encoding.encode(score, {"described": describe(score)})
    roots = (steps[1:-1, encoding.columns["chord"]] - 2) // given_fields.CHORD_KINDS
    assert roots.tolist() == [0] * 3 + [5] * 3 + [7] * 3 + [0] * 3
    assert steps[0, encoding.columns["chord"]] == steps[1, encoding.columns["chord"]]


def test_a_bar_that_returns_says_so_in_each_of_its_rows():
    score = score_of("C4 half, E4 half, D4 quarter, F4 quarter, A4 half, C4 half, E4 half, G4 whole", metres=FOUR)
    encoding = get_encoding("notes")
    steps = encoding.encode(score, {"described": describe(score)})
    repeats = steps[:, encoding.columns["repeats"]] - 1
    assert repeats[1:3].tolist() == [0, 0] and repeats[6:8].tolist() == [2, 2]  # as two bars ago: the second distance


# --- from files to classes


def busy(bars: int, first: int) -> str:
    """Bars of ever more notes: one whole note, two halves, four quarters, eight eighths, and again."""
    kinds = ("whole", 1), ("half", 2), ("quarter", 4), ("eighth", 8)
    words = []
    for bar in range(bars):
        length, count = kinds[(first + bar) % 4]
        words += [f"{'CDEFGAB'[(bar * 3 + n + first) % 7]}4 {length}" for n in range(count)]
    return ", ".join(words)


def calm(bars: int, first: int) -> str:
    return ", ".join(f"{'CDEFGAB'[(bar * 2 + first) % 7]}4 whole" for bar in range(bars))


def corpus(folder, labels=None, encoding=None, **styles):
    """A cache of MIDI files: `styles` are lists of scores by style; and the encoding."""
    for style, scores in styles.items():
        (folder / style).mkdir(parents=True)
        for n, score in enumerate(scores):
            formats.save(score, folder / style / f"{style}{n}.mid")
    catalogue = scan(folder, labels=labels, workers=0)
    encoding = get_encoding("notes", styles=catalogue.styles, **(encoding or {}))
    return build_cache(catalogue, encoding, folder.parent / "cache", workers=0), encoding


def rows_of(cache, encoding, name: str, scales) -> np.ndarray:
    """The rows of a piece as a model is told them."""
    (piece,) = [one for one in cache.pieces if one.name.endswith(name)]
    rows = np.array(cache.steps[piece.start : piece.start + piece.length])
    return with_classes(rows, encoding, scales.get(piece.style, {}))


def test_each_bar_counts_once_in_a_scale_whatever_its_length_and_number_of_notes(tmp_path):
    long = [score_of(", ".join(["C4 whole", "E4 half", "G4 half"] * 12), metres=(Metre(0, 9, 2),)) for _ in range(1)]
    scores = [score_of(busy(9 + n, n), metres=FOUR) for n in range(3)] + long
    cache, encoding = corpus(tmp_path / "music", tunes=scores)
    heard = [prepared(formats.load(tmp_path / "music" / piece.name)) for piece in cache.of("train")]
    assert len(heard) >= 3
    for name, scale in scales_of(cache, encoding)["tunes"].items():
        bars = np.concatenate([describe(encoding.heard(score)).measures[name] for score in heard])
        assert scale == scale_of(np.round(bars, 2)), name


def test_a_bar_of_the_longest_metres_is_one_bar(tmp_path):
    score = score_of(", ".join(["C4 whole"] * 9), metres=(Metre(0, 9, 2),))  # two bars of nine half notes
    encoding = get_encoding("notes")
    steps = encoding.encode(score)[1:-1]
    assert steps[:, encoding.columns["place"]].max() == 288  # a place further on is not told apart
    assert encoding.bar_numbers(steps, encoding.times(steps)).tolist() == [0] * 5 + [1] * 4


def test_voices_count_their_bars_as_notes_do():
    parts = "C5 quarter, E5 half, F5 half, G5 half", "C3 quarter, C3 half, F3 half, C3 half"
    metres = Metre(0, 2, 4), Metre(72, 2, 4), Metre(78, 2, 4)  # a bar of a sixteenth, cut off
    score = score_of(*parts, metres=metres, upbeat=24)
    found = {}
    for name in ("notes", "voices"):
        encoding = get_encoding(name)
        steps = encoding.encode(score)
        rows, times = steps[1:], encoding.times(steps)[1:]
        music = rows[:, encoding.columns["place"]] > 0
        since = (times[music] - times[music][0]).tolist()
        found[name] = set(zip(since, encoding.bar_numbers(rows[music], times[music]).tolist(), strict=True))
    assert found["voices"] > {(0, 0), (24, 1), (66, 1), (72, 2), (78, 3), (120, 3), (126, 4)} > set()
    assert found["notes"] == {(0, 0), (24, 1), (72, 2), (120, 3)} < found["voices"]


def test_what_is_much_in_one_style_is_little_in_another(tmp_path):
    styles = {
        "calm": [score_of(calm(8 + n, n), metres=FOUR) for n in range(3)],
        "busy": [score_of(busy(8 + n, n), metres=FOUR) for n in range(3)],
    }
    cache, encoding = corpus(tmp_path / "music", **styles)
    scales, column = scales_of(cache, encoding), encoding.columns["density"]
    assert scales["calm"]["density"][5] < scales["busy"]["density"][5]
    rows = rows_of(cache, encoding, "busy0.mid", scales)
    assert {1, 10} <= set(rows[1:-1, column].tolist()) <= set(range(1, 11))
    as_calm = rows_of(cache, encoding, "busy0.mid", {"busy": scales["calm"]})
    assert (as_calm[1:-1, column] == 10).mean() > 0.8  # nearly all of it would be much there
    assert (rows_of(cache, encoding, "busy0.mid", {})[:, column] == 0).all()  # a style without a scale says nothing


def test_a_label_by_hand_goes_before_what_is_measured(tmp_path):
    table = tmp_path / "moods.csv"
    table.write_text("file,valence,density\nbusy0.mid,7.5,0.31\nbusy1.mid,,\n")
    cache, encoding = corpus(tmp_path / "music", table, busy=[score_of(busy(8 + n, n), metres=FOUR) for n in range(3)])
    rows, other = (rows_of(cache, encoding, name, scales_of(cache, encoding)) for name in ("busy0.mid", "busy1.mid"))
    assert set(rows[:, encoding.columns["valence"]].tolist()) == {8}
    assert set(rows[:, encoding.columns["density"]].tolist()) == {4}
    assert len(set(rows[:, encoding.columns["arousal"]].tolist())) > 1
    assert len(set(other[:, encoding.columns["density"]].tolist())) > 2


def test_a_column_of_a_table_is_an_axis_in_ten_classes(tmp_path):
    table = tmp_path / "table.csv"
    scores = [score_of(busy(8, n) + ", " + calm(n + 1, n), metres=FOUR) for n in range(6)]
    lines = [f"busy{n}.mid,{n * 10},{6 - n}" for n in range(6)]
    table.write_text("file,age,sadness\n" + "\n".join(lines[:5]) + "\n")
    cache, encoding = corpus(tmp_path / "music", table, {"axes": ("sadness", "age")}, busy=scores)
    scales = scales_of(cache, encoding)
    assert {"axis_1", "axis_2"} <= scales["busy"].keys()
    kept = {piece.name: piece.split for piece in cache.pieces}
    known = [name for name in kept if name != "busy/busy5.mid"]
    by_age = {name: rows_of(cache, encoding, name, scales)[:, encoding.columns["axis_2"]] for name in known}
    by_sadness = {name: rows_of(cache, encoding, name, scales)[:, encoding.columns["axis_1"]] for name in known}
    assert all(len(set(column.tolist())) == 1 for column in [*by_age.values(), *by_sadness.values()])
    ages, sad = ([int(found[name][0]) for name in sorted(known)] for found in (by_age, by_sadness))
    assert ages == sorted(ages) and sad == sorted(sad, reverse=True) and ages[0] < ages[-1] and min(ages + sad) > 0
    unlabelled = [name for name in kept if name == "busy/busy5.mid"]
    assert all(not rows_of(cache, encoding, n, scales)[:, encoding.columns["axis_1"]].any() for n in unlabelled)
    assert [one[0] for one in style_profiles(cache, encoding)["busy"]["axes"]] == ["sadness", "age"]


@pytest.mark.parametrize("value", ["much", "nan", "1720"])
def test_an_axis_without_a_number_in_reach_leaves_its_piece_out_and_says_why(tmp_path, value):
    table = tmp_path / "table.csv"
    table.write_text(f"file,year\nbusy0.mid,{value}\nbusy1.mid,12\n")
    scores = [score_of(busy(8 + n, n), metres=FOUR) for n in range(2)]
    cache, _ = corpus(tmp_path / "music", table, {"axes": ("year",)}, busy=scores)
    assert [piece.name for piece in cache.pieces] == ["busy/busy1.mid"] and cache.reasons == {"label": 1}


def test_there_is_room_for_two_axes():
    with pytest.raises(BadOption, match="3 axes of your own are named; there is room for 2"):
        get_encoding("notes", axes=("a", "b", "c"))


@pytest.mark.parametrize("name", ["notes", "voices"])
@pytest.mark.parametrize("upbeat", [0, 24])
def test_each_row_has_the_measures_of_its_bar_and_the_silence_before_the_music_none(name, upbeat):
    words = "C4 quarter, " * bool(upbeat) + "E4 half, F4 half, C5 whole, G4 quarter, F4 quarter, E4 half, C4 whole"
    score = score_of(words, metres=FOUR, upbeat=upbeat, tracks=(Track("", 52),))
    notes = score.notes.copy()
    notes["onset"] += 96
    late = replace(score, notes=notes, upbeat=upbeat and upbeat + 96)
    encoding = get_encoding(name)
    for one in (score, late):
        described = describe(encoding.heard(one))
        steps = encoding.encode(one, {"described": described})
        rows, times = steps[1:], encoding.times(steps)[1:]
        rows, times = (part[rows[:, encoding.columns["place"]] > 0] for part in (rows, times))
        measures = given_fields.raw_of(described.measures["valence"])
        assert len(set(measures.tolist())) > 2 and len(measures) == 4 + bool(upbeat)
        bars = encoding.bar_numbers(rows, times)
        assert rows[:, encoding.columns["valence"]].tolist() == measures[bars].tolist()


def test_a_plan_and_its_piece_have_the_same_classes():
    plan = Plan(bars=2, style="b", key=(9, "minor"), tempo=96)
    assert given_fields.plan_classes(plan, ("a", "b")) == {
        "style": 2, "key": given_fields.key_class(9, "minor"), "tempo": given_fields.tempo_class(96),
    }  # fmt: skip
    assert given_fields.plan_classes(Plan(style="c"), ("a", "b"))["style"] == 0
