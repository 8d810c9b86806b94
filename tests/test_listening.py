"""Listening by figures: golden values on music small enough to hear in your head."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from music import score_of
from partimento.errors import MusicError
from partimento.evaluation import MEASURES, compare, listen, reference, typicality
from partimento.score import DRUM_PROGRAM, Metre, Score, Track
from partimento.transform import resample, transpose

ROOT = Path(__file__).parents[1]


def bars_of(*bars: str) -> str:
    return ", ".join(bars)


STEPS_UP = "C4 quarter, D4 quarter, E4 quarter, F4 quarter"
STEPS_DOWN = "G4 quarter, F4 quarter, E4 quarter, D4 quarter"
A_FOURTH_UP = "F4 quarter, G4 quarter, A4 quarter, Bb4 quarter"
TWO_HALVES = "E4 half, C4 half"
CLOSE = "C4 whole"
TUNE = score_of(bars_of(STEPS_UP, STEPS_DOWN, STEPS_UP, CLOSE))  # four bars of 4/4 in C
ONE_BAR = score_of("C4 quarter, rest quarter, E4 eighth, G4 eighth, C5 quarter")
ZIGZAG = score_of("C4 quarter, E4 quarter, D4 quarter, F4 quarter, E4 quarter, G4 quarter")
LEAPS = score_of("C4 quarter, C5 quarter, B4 quarter, F4 quarter, F4 quarter, C4 half")  # +12 -1 -6 0 -5
CADENCE = score_of("E5 half, D5 half, C5 whole", "C5 half, B4 half, G4 whole", "G4 half, G4 half, E4 whole",
                   "C4 half, G3 half, C3 whole")  # fmt: skip
CLASH = score_of("C4 half, C4 half", "Db4 half, F#4 half")
PARALLEL = score_of("G4 half, A4 half", "E4 half, E4 half", "C4 half, C4 half", "C3 half, D3 half")  # a twelfth each
OCTAVES = score_of("C5 half, D5 half", "G4 half, G4 half", "E4 half, E4 half", "C3 half, D3 half")
CROSSED = score_of("C5 half, E4 half", "A4 half, G4 half", "C4 half, C4 half", "rest half, C3 half")
SPREAD = score_of("C6 half, C5 half", "C5 half, G4 half", "B3 half, G4 half", "C3 half, C3 half")
SQUARE = score_of(bars_of(*[TWO_HALVES, STEPS_UP, TWO_HALVES, CLOSE] * 2, TWO_HALVES))  # nine bars

# measure: (music, value)
GOLDEN: dict[str, tuple[Score, float]] = {
    "bars": (TUNE, 4),
    "notes_per_bar": (TUNE, 13 / 4),
    "onsets_per_beat": (CADENCE, 3 / 8),
    "onsets_per_second": (TUNE, 13 / 8),  # sixteen beats at 120 take eight seconds
    "median_length": (TUNE, 1),
    "mean_length": (TUNE, 16 / 13),
    "longest_note": (TUNE, 4),
    "shortest_note": (ONE_BAR, 0.5),
    "distinct_lengths": (TUNE, 2 / 13),
    "length_entropy": (score_of("C4 half, D4 quarter, E4 quarter, F4 half"), 1),
    "longest_silence": (score_of("C4 quarter, rest half, D4 quarter, rest quarter, E4 quarter"), 2),
    "silence": (ONE_BAR, 1 / 4),
    "starts_with_rest": (score_of("rest half, C4 half"), 2),
    "upbeat": (replace(TUNE, upbeat=24), 1),
    "empty_bars": (score_of("C4 whole, rest whole, C4 whole, C4 whole"), 1 / 4),
    "downbeats": (score_of("C4 whole, rest half, C4 half, C4 whole, C4 whole"), 3 / 4),
    "off_beat": (ONE_BAR, 1 / 4),
    "off_sixteenths": (Score(score_of(STEPS_UP).notes, ticks_per_beat=36), 2 / 4),  # four triplet quarters
    "tied_over": (score_of("C4 half, rest quarter, D4 half, rest quarter, E4 half"), 1 / 3),
    # a bar of 24 * 4 places; the first two bars differ at one of them, the empty bar after the end at another
    "groove_consistency": (score_of("C4 whole, C4 half, C4 half"), 1 - (1 + 2) / (2 * 96)),
    "place_entropy": (score_of("C4 half, C4 half, C4 half, C4 half"), 1),
    "density_spread": (score_of("C4 whole, C4 half, C4 quarter, C4 quarter"), 1 / 2),
    "density_drift": (score_of("C4 whole, C4 quarter, C4 quarter, C4 quarter, C4 quarter"), math.log2(4.5 / 1.5)),
    "exact_repeats": (TUNE, 1 / 4),
    "moved_repeats": (score_of(bars_of(STEPS_UP, A_FOURTH_UP, STEPS_DOWN)), 1 / 3),
    "rhythm_repeats": (TUNE, 2 / 4),
    "rhythm_1": (TUNE, 2 / 3),
    "rhythm_2": (TUNE, 1 / 2),
    "rhythm_4": (SQUARE, 1),
    "rhythm_8": (SQUARE, 1),
    "exact_4": (score_of(bars_of(*[STEPS_UP] * 4, STEPS_UP, STEPS_DOWN)), 1 / 2),
    "exact_8": (SQUARE, 1),
    "breath": (SQUARE, 4 / (34 / 19)),  # bars 4 and 8 hold a whole note; nineteen gaps last 34 beats
    "last_bar_filled": (score_of("C4 half, rest quarter, C4 half"), 0),
    "end_gap": (score_of("C4 whole, C4 quarter"), 3),
    "final_length": (TUNE, 1),
    "final_place": (ONE_BAR, 3),
    "velocity_spread": (TUNE, 0),
    "velocity_jump": (TUNE, 0),
    "in_key": (score_of("C4 half, E4 half, G4 half, F#4 half, C4 whole"), 4 / 5),
    "scale_consistency": (score_of("C4 half, C#4 half, D4 half, D#4 half"), 3 / 4),
    "pitch_class_entropy": (score_of("C4 half, C5 half, D4 half, D5 half"), 1),
    "pitch_range": (LEAPS, 12),
    "mean_pitch": (score_of("C4 half, E4 half"), 62),
    "pitch_drift": (score_of("C4 half, C4 half, G4 half, G4 half"), 7),
    "top_range": (score_of("C5 half, D5 half", "C3 half, C4 half"), 2),
    "mean_interval": (LEAPS, 24 / 5),
    "repeated_pitches": (LEAPS, 1 / 5),
    "steps": (LEAPS, 1 / 5),
    "leaps": (LEAPS, 1 / 5),
    "largest_leap": (LEAPS, 12),
    "tritone_leaps": (LEAPS, 1 / 5),
    "leap_answers": (LEAPS, 1 / 2),  # the octave is answered, the tritone is followed by a repeated note
    "turns": (ZIGZAG, 1),
    "longest_climb": (TUNE, 4),  # C D E F G over the first bar line
    "interval_entropy": (score_of("C4 half, D4 half, E4 half, D4 half, C4 half"), 1),
    "longest_repeat": (score_of("E4 half, E4 half, E4 half, C4 half", "C3 half, D3 half, C3 half, C3 half"), 3),
    "longest_loop": (score_of("C4 quarter, E4 quarter, C4 quarter, E4 quarter, C4 quarter, E4 quarter"), 2),
    "motif_returns": (score_of(bars_of(STEPS_UP, STEPS_UP, CLOSE)), 2 / 6),
    "climax": (TUNE, 4 / 12),
    "leading_notes": (score_of("E4 half, C4 half, B3 half, C4 half, B3 half, G3 half, C4 whole"), 1 / 2),
    "final_in_key": (score_of(bars_of(STEPS_UP, STEPS_DOWN, STEPS_UP, "F#4 whole")), 0),
    "final_is_tonic": (CADENCE, 1),
    "final_top_in_triad": (CADENCE, 1),
    "final_interval": (LEAPS, 5),
    "final_slowing": (TUNE, 4),
    "first_degree": (score_of("G4 quarter, C4 half, E4 half, C4 whole"), 7),
    "longest_top_gap": (score_of("C5 whole, C5 half", "C3 half, D3 half, E3 half"), 4),
    "polyphony": (score_of("C4 half, rest half, C4 half", "E4 half, rest half, rest half"), 1.5),
    "dissonance": (CLASH, 1),
    "semitone_clashes": (CLASH, 1 / 2),
    "tritones": (CLASH, 1 / 2),
    "struck_clashes": (CLASH, 1 / 2),
    "plain_chords": (CLASH, 1 / 2),  # a tritone lies within a diminished triad
    "chord_classes": (score_of("C4 half, E4 half", "G4 half, G4 half", "C3 half, C3 half"), 2.5),
    "bare": (score_of("C4 half, E4 half", "G4 half, G4 half", "rest half, C4 half"), 1 / 2),
    "chord_changes": (score_of("C4 half, C4 half", "E4 half, F4 half"), 1),
    "standing_chords": (score_of("C4 half, C4 half, C4 half", "E4 half, E5 half, F4 half"), 1 / 2),
    "bass_entropy": (score_of("C4 half, C4 half", "C3 half, D3 half"), 1),
    "bass_interval": (CADENCE, 6),
    "authentic_close": (CADENCE, 1),
    "contrary_motion": (score_of("C5 half, D5 half, E5 half", "C4 half, B3 half, C4 half"), 1 / 2),
    "final_chord_classes": (CADENCE, 3),
    "voice_crossing": (CROSSED, 1 / 2),
    "parallel_fifths": (PARALLEL, 100),
    "parallel_octaves": (OCTAVES, 100),
    "unisons": (SPREAD, 1 / 2),
    "wide_spacing": (SPREAD, 1 / 2),
    "missing_voices": (CROSSED, 1 / 2),
    "widest_voice_leap": (CADENCE, 7),
}
BY_COMPARISON = {"key_clarity", "key_at_worst", "key_at_end"}  # correlations: tested below by what they tell apart


@pytest.mark.parametrize("name", GOLDEN)
def test_a_measure_has_its_golden_value(name):
    score, value = GOLDEN[name]
    assert listen(score)[name] == pytest.approx(value)


def test_every_measure_is_tested_and_documented():
    assert set(MEASURES) == set(GOLDEN) | BY_COMPARISON
    page = (ROOT / "docs" / "listening.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(" `"): line for line in page.splitlines() if line.startswith("| `")}
    assert set(rows) == set(MEASURES)
    for name, measure in MEASURES.items():
        assert measure.function.__doc__, f"{name} says nothing of itself"
        assert all(word in rows[name] for word in (measure.unit, measure.worse, measure.scope)), rows[name]


def test_music_that_ends_in_another_key_is_heard_to_leave_home():
    home = bars_of(*[STEPS_UP, STEPS_DOWN] * 5, CLOSE)
    astray = bars_of(*[STEPS_UP, STEPS_DOWN] * 4, "F#4 whole, C#5 whole, A#4 whole, F#4 whole")
    stayed, left = listen(score_of(home)), listen(score_of(astray))
    assert stayed["key_at_end"] > 0.5 > 0.0 > left["key_at_end"]
    assert stayed["key_at_worst"] > 0.5 > 0.0 > left["key_at_worst"]
    assert stayed["key_clarity"] > left["key_clarity"]


def test_a_picardy_third_is_no_wrong_note_and_another_major_chord_is():
    minor = "A4 quarter, B4 quarter, C5 quarter, D5 quarter, E5 quarter, D5 quarter, C5 quarter, B4 quarter"
    assert listen(score_of(f"{minor}, A3+C#4+E4 whole"))["final_in_key"] == 1
    assert listen(score_of(f"{minor}, A3+C#4+F#4 whole"))["final_in_key"] == 1  # the sixth of melodic minor
    assert listen(score_of(f"{minor}, A3+D#4+E4 whole"))["final_in_key"] == 0


def test_a_tune_has_no_figures_for_harmony():
    names = set(listen(TUNE))
    assert not names & {"voice_crossing", "parallel_fifths", "dissonance", "authentic_close"}
    assert "parallel_fifths" not in listen(CLASH)
    assert "parallel_fifths" in listen(CADENCE)


def test_what_is_heard_does_not_depend_on_the_files_ticks():
    coarse, fine = listen(CADENCE), listen(resample(CADENCE, 480))
    assert fine == pytest.approx(coarse)


def test_transposing_moves_the_mean_pitch_and_what_is_counted_from_it_alone():
    before, after = listen(CADENCE), listen(transpose(CADENCE, 3))
    assert after.pop("mean_pitch") == before.pop("mean_pitch") + 3
    assert after == pytest.approx(before)


def test_in_six_eight_the_felt_beat_is_dotted():
    jig = score_of(", ".join(["C4 eighth"] * 6), metres=(Metre(0, 6, 8),))
    assert listen(jig)["off_beat"] == pytest.approx(4 / 6)
    assert listen(jig)["notes_per_bar"] == 6


def test_an_upbeat_is_no_bar_and_stands_at_the_end_of_its_own():
    tune = score_of("G4 quarter, C4 whole, C4 half, C4 quarter", upbeat=24)
    heard = listen(tune)
    assert (heard["bars"], heard["downbeats"], heard["end_gap"]) == (2, 1, 1)
    assert heard["final_place"] == 2


def test_parallels_by_contrary_motion_or_to_a_repeated_note_are_none():
    contrary = score_of("G4 half, A4 half", "E4 half, E4 half", "D4 half, D4 half", "C4 half, D3 half")
    held = score_of("G4 half, G4 half", "E4 half, F4 half", "D4 half, D4 half", "C3 half, C3 half")
    assert listen(contrary)["parallel_fifths"] == listen(held)["parallel_fifths"] == 0


def test_what_grows_with_length_is_taken_of_the_last_bars_and_the_rest_of_the_whole():
    tune = score_of(bars_of("C6 whole", *[STEPS_UP, STEPS_DOWN] * 2, CLOSE))
    found = listen(tune, span=5)
    assert found["bars"] == 6 and found["notes_per_bar"] == 3
    assert (found["pitch_range"], found["exact_repeats"]) == (7, pytest.approx(2 / 5))
    assert listen(tune, span=6) == listen(tune, span=8) == listen(tune)
    assert "pitch_range" not in listen(tune, span=9) and listen(tune, span=9)["bars"] == 6


def test_silence_and_drums_cannot_be_listened_to():
    with pytest.raises(MusicError, match="nothing to listen to: 0 notes"):
        listen(score_of(""))
    with pytest.raises(MusicError, match="none of them pitched"):
        listen(score_of("C4 quarter", tracks=(Track("", DRUM_PROGRAM),)))


@pytest.mark.parametrize("music", ["C4 quarter", "C4+E4+G4 whole", "C4 quarter, C4 quarter"])
def test_the_smallest_music_has_finite_figures(music):
    assert all(math.isfinite(value) for value in listen(score_of(music)).values())


def pieces(values: list[float], name: str = "mean_interval") -> list[dict[str, float]]:
    return [{name: float(value)} for value in values]


def test_compare_says_whether_the_median_and_the_extremes_are_those_of_real_pieces():
    real = pieces(list(range(101)))
    (row,) = compare(pieces([50, 60, 70]), real, np.random.default_rng(1))
    assert row.real_quartiles == (25, 50, 75) and row.real_range == (0.5, 99.5)
    assert (row.median, row.low, row.high, row.outside) == (60, 50, 70, 0)
    assert row.is_typical and row.within_extremes
    (row,) = compare(pieces([80, 90, 120, 130]), real, np.random.default_rng(1))
    assert not row.is_typical and row.outside == 0.5


def test_the_quartile_itself_counts_as_inside():
    (row,) = compare(pieces([75]), pieces(list(range(101))), np.random.default_rng(1))
    assert row.is_typical


def test_too_little_of_a_fault_is_no_fault():
    real = pieces(list(range(10, 111)), "silence")  # higher is worse
    (row,) = compare(pieces([0, 0, 110.5], "silence"), real, np.random.default_rng(1))
    assert row.real_range == (-math.inf, 109) and row.outside == pytest.approx(1 / 3)


def test_the_interval_of_the_median_is_the_bootstraps_and_repeats_with_its_seed():
    ours, real = pieces(list(range(40))), pieces(list(range(40)))
    first, again = (compare(ours, real, np.random.default_rng(7))[0] for _ in range(2))
    assert first == again
    assert 10 < first.interval[0] < first.median < first.interval[1] < 30


def test_a_measure_of_yes_or_no_is_judged_by_its_share():
    real = pieces([1] * 95 + [0] * 5, "final_is_tonic")
    rng = np.random.default_rng(1)
    (near,) = compare(pieces([1] * 92 + [0] * 8, "final_is_tonic"), real, rng)
    (far,) = compare(pieces([1] * 70 + [0] * 30, "final_is_tonic"), real, rng)
    (better,) = compare(pieces([1] * 100, "final_is_tonic"), real, rng)
    assert near.is_typical and better.is_typical and not far.is_typical
    assert far.mean == pytest.approx(0.7) and far.interval[0] < 0.7 < far.interval[1]


def test_typicality_ranks_a_real_piece_over_a_faulty_one():
    rng = np.random.default_rng(3)
    real = [{"mean_interval": float(value), "silence": 0.0} for value in rng.normal(2, 0.3, 200)]
    stored = reference(real)
    assert list(stored) == ["silence", "mean_interval"] and len(stored["silence"]) == 5
    usual, odd = {"mean_interval": 2.0, "silence": 0.0}, {"mean_interval": 6.0, "silence": 0.0}
    assert typicality(usual, stored) == 1
    assert typicality(usual, stored) > typicality({**usual, "mean_interval": 2.5}, stored) > typicality(odd, stored)
    assert typicality({**usual, "silence": 0.1}, stored) == pytest.approx(math.exp(-9 / 2))


def test_typicality_at_the_first_percentile_and_without_anything_shared():
    stored = {"mean_interval": [0.0, 1.0, 2.0, 3.0, 4.0], "silence": [0.1, 0.2, 0.3, 0.4, 0.5]}
    assert typicality({"mean_interval": 0.0}, stored) == pytest.approx(math.exp(-1))
    assert typicality({"silence": 0.0}, stored) == 1  # less silence than real pieces is no fault
    assert typicality({"bars": 16.0}, stored) == 0


@pytest.fixture(scope="module")
def benchmark():
    """The script `benchmarks/listen.py` as a module."""
    spec = importlib.util.spec_from_file_location("benchmark_listen", ROOT / "benchmarks" / "listen.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    sys.path.insert(0, str(ROOT / "benchmarks"))  # as a script has its own folder
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(ROOT / "benchmarks"))
    del sys.modules[spec.name]


def test_real_music_beside_real_music_is_mostly_typical(benchmark, data_folder, tmp_path, capsys):
    report = tmp_path / "report.json"
    options = ["--real-only", "--style", "folk", "--data", str(data_folder), "--json", str(report)]
    assert benchmark.main(options) == 0
    printed = capsys.readouterr().out
    assert "medians inside the real quartiles" in printed and "Infinity" not in report.read_text(encoding="utf-8")
    rows = json.loads(report.read_text(encoding="utf-8"))["styles"]["folk"]["rows"]
    # the two sides are different works: some measure always differs by chance
    assert len(rows) > 60 and sum(row["is_typical"] for row in rows) >= 0.85 * len(rows)
    assert any(row["outside"] for row in rows)


def test_composed_music_that_is_stuck_on_a_note_is_told_from_real_music(
    benchmark, data_folder, tmp_path, capsys, monkeypatch
):
    stuck = replace(score_of(bars_of(*["C5 quarter"] * 64)), metres=(Metre(0, 4, 4),))
    monkeypatch.setattr("partimento.compose", lambda *asked, **named: stuck, raising=False)
    options = ["--style", "folk", "--pieces", "3", "--data", str(data_folder), "--look", str(tmp_path)]
    assert benchmark.main(options) == 0
    printed = capsys.readouterr().out
    rows = {line.split()[0]: line for line in printed.splitlines() if line}
    assert rows["longest_repeat"].endswith("too high") and rows["steps"].endswith("too low")
    assert rows["end_gap"].endswith("typical")
    assert "metres 4/4 x3" in printed and "3 of 3 pieces beyond 99 % somewhere" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"folk-1.png", "folk-2.png", "folk-3.png"}
