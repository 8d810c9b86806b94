"""Composed music beside real music: the field's metrics, distances, the two-sample test, command and leaderboard."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from music import score_of
from partimento import api, cli, formats
from partimento.asking import Request
from partimento.errors import BadOption, MissingExtra, UnknownName
from partimento.evaluation import METRICS, Piece, _chance, distances, evaluate, structure, telling
from partimento.evaluation.borrowing import borrowed, words_of
from partimento.evaluation.features import Table, features_of, table_of
from partimento.evaluation.hearing import Hearing
from partimento.evaluation.metrics import LENGTHS
from partimento.evaluation.obedience import obedience
from partimento.evaluation.page import verdict_of
from partimento.evaluation.sides import Side, alike, common_bars, doubles, span_of
from partimento.recipes import Recipe
from partimento.score import DRUM_PROGRAM, Metre, Score, Track, note_array
from partimento.transform import resample

ROOT = Path(__file__).parents[1]
FOUR = (Metre(0, 4, 4),)
SCALE = score_of("C4 quarter, D4 quarter, E4 half, C4 half, G4 half", metres=FOUR)
TWO_PARTS = score_of("C5 half, E5 half, C5 whole", "C3 whole, G3 whole", metres=FOUR)
RETURNING = ", ".join(["C4 half, E4 half, G4 whole, F4 half, D4 half, C4 whole"] * 4)  # four bars, four times


def metric(name: str, score: Score):
    return METRICS[name].function(Hearing(score))


# --- metrics


GOLDEN = {
    "pitch_count": (SCALE, 4),
    "pitch_range": (SCALE, 7),
    "pitch_interval": (SCALE, (2 + 2 + 4 + 7) / 4),
    "notes_per_bar": (SCALE, 2.5),
    "inter_onset_interval": (SCALE, (1 + 1 + 2 + 2) / 4),
    "polyphony": (TWO_PARTS, 2),
    "scale_consistency": (score_of("C4 half, C#4 half, D4 half, D#4 half"), 3 / 4),
    "groove_consistency": (score_of("C4 whole, C4 half, C4 half"), 1 - (1 + 2) / (2 * 96)),
    "self_similarity": (score_of("C4 half, E4 half, C4 half, G4 half, C4 half, E4 half"), (1 / 3 + 1 + 1 / 3) / 3),
    "repetition_4": (score_of(RETURNING), 1),
    "repetition_8": (score_of(RETURNING), 1),
    "repetition_16": (score_of(f"{RETURNING}, {RETURNING}"), 1),
}
MATRICES = {name for name, one in METRICS.items() if one.shape}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_metric_has_its_golden_value(name):
    score, value = GOLDEN[name]
    assert metric(name, score) == pytest.approx(value)


def test_every_metric_is_tested_documented_and_has_its_range_and_source():
    assert set(METRICS) == set(GOLDEN) | MATRICES
    page = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    for name, one in METRICS.items():
        assert getattr(one.function, "func", one.function).__doc__, name
        assert f"| `{name}` |" in page and one.source and one.low < one.high
        value = np.asarray(metric(name, score_of(f"{RETURNING}, {RETURNING}")))
        assert value.shape == one.shape and (value >= one.low).all() and (value <= one.high).all()


def test_pitch_classes_are_weighted_by_their_duration():
    found = metric("pitch_class_histogram", SCALE)
    assert found[[0, 2, 4, 7]] == pytest.approx([3 / 8, 1 / 8, 2 / 8, 2 / 8]) and found.sum() == pytest.approx(1)


def test_transitions_follow_each_part_on_its_own():
    found = metric("pitch_class_transitions", TWO_PARTS)
    assert {tuple(map(int, at)): pytest.approx(found[tuple(at)]) for at in np.argwhere(found)} == {
        (0, 4): 1 / 3,
        (4, 0): 1 / 3,
        (0, 7): 1 / 3,
    }


def test_of_a_chord_the_highest_note_leads_on():
    found = metric("pitch_class_transitions", score_of("C4+E4+G4 half, C4+F4+A4 half"))
    assert found[7, 9] == 1


def test_lengths_are_the_twelve_of_yang_and_lerch():
    kinds = list(LENGTHS)
    found = metric("note_length_histogram", SCALE)
    assert found[kinds.index("quarter")] == pytest.approx(2 / 5) and found[kinds.index("half")] == pytest.approx(3 / 5)
    triplets = score_of("C4 quarter, D4 quarter, E4 quarter", ticks_per_beat=36)  # two thirds of a quarter note each
    assert metric("note_length_histogram", triplets)[kinds.index("quarter triplet")] == 1
    matrix = metric("note_length_transitions", SCALE)
    quarter, half = kinds.index("quarter"), kinds.index("half")
    assert (matrix[quarter, quarter], matrix[quarter, half], matrix[half, half]) == (1 / 4, 1 / 4, 2 / 4)


def test_metrics_do_not_depend_on_the_files_ticks():
    for name in METRICS:
        assert np.allclose(metric(name, resample(SCALE, 480)), metric(name, SCALE), equal_nan=True)


def test_bars_that_return_later_than_half_the_music_ask_for_nothing():
    assert math.isnan(metric("repetition_4", SCALE))
    assert metric("repetition_4", score_of("C4 whole, " * 4 + "D4 whole, " * 3 + "C4 whole")) == pytest.approx(1 / 4)


def test_the_bars_of_a_piece_beside_each_other():
    matrix = structure.similarity_matrix(Hearing(score_of("C4 half, E4 half, C4 half, G4 half, rest whole, C4 whole")))
    assert matrix.tolist() == [[1, 1 / 3, 0, 0.5], [1 / 3, 1, 0, 0.5], [0, 0, 0, 0], [0.5, 0.5, 0, 1]]


def test_numbers_agree_with_muspy():
    muspy = pytest.importorskip("muspy")
    rng = np.random.default_rng(4)
    rows = [(int(on), int(rng.integers(3, 40)), int(rng.integers(50, 80)), 80, 0) for on in range(0, 24 * 32, 7)]
    notes = [muspy.Note(on, pitch, length, 80) for on, length, pitch, _, _ in rows]
    music, score = muspy.Music(resolution=24, tracks=[muspy.Track(notes=notes)]), Score(note_array(rows), metres=FOUR)
    assert metric("pitch_count", score) == muspy.n_pitches_used(music)
    assert metric("pitch_range", score) == muspy.pitch_range(music)
    assert metric("scale_consistency", score) == pytest.approx(muspy.scale_consistency(music))
    assert metric("groove_consistency", score) == pytest.approx(muspy.groove_consistency(music, 96))


# --- how sure


def test_the_area_under_the_curve_counts_pairs():
    assert _chance.auc(np.array([2.0, 3.0]), np.array([1.0, 2.0])) == (1 + 0.5 + 1 + 1) / 4
    assert _chance.wilson(8, 10)[0] == 0.8 and _chance.spearman(np.arange(4), np.arange(4) ** 3) == pytest.approx(1)


def test_the_interval_of_a_mean_is_the_bootstraps_and_repeats_with_its_seed():
    values = np.arange(40.0)
    first, again = (_chance.mean_interval(values, np.random.default_rng(7)) for _ in range(2))
    assert first == again and 14 < first[0] < 19.5 < first[1] < 25


# --- distances


def test_a_density_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(1).normal(5, 2, 300)
    grid = np.linspace(-5, 15, 256)
    ours = distances.density(values, [np.ones(300)], grid)[0]
    theirs = stats.gaussian_kde(values)(grid)
    assert np.allclose(ours / ours.max(), theirs / theirs.max(), atol=0.01)


def test_equal_densities_overlap_wholly_and_far_ones_not_at_all():
    grid = np.linspace(0, 10, 256)
    near, far = (distances.density(np.array([at, at + 0.5]), [np.ones(2)], grid)[0] for at in (1.0, 8.0))
    assert distances.overlap(near, near) == pytest.approx(1) and distances.divergence(near, near) == pytest.approx(0)
    assert distances.overlap(near, far) < 0.01 and distances.divergence(near, far) > 5


def test_two_draws_of_one_source_lie_together_and_others_apart():
    rng = np.random.default_rng(2)
    one, same, other = rng.normal(0, 1, (30, 3)), rng.normal(0, 1, (30, 3)), rng.normal(4, 1, (30, 3))
    near, far = distances.apart(one, same, rng), distances.apart(one, other, rng)
    assert near.overlap > 0.85 > 0.3 > far.overlap and near.divergence < 0.2 < far.divergence
    assert near.overlap_interval[0] <= near.overlap <= near.overlap_interval[1] <= 1
    assert distances.apart(one[:1], same, rng) is None
    still = distances.apart(np.ones(5), np.ones(4), rng)
    assert (still.divergence, still.overlap) == (0, 1)


def test_pieces_that_are_alike_lie_no_rounding_error_apart():
    one = np.random.default_rng(2).random((1, 144)) / 7 + 1e3
    same = distances.apart(np.repeat(one, 6, axis=0), np.repeat(one, 5, axis=0), np.random.default_rng(1))
    assert (same.means, same.divergence, same.overlap) == ((0, 0, 0), 0, 1)
    near = distances._distances(one, one + np.array([[1e-9] + [0] * 143]))
    assert near.shape == (1, 1) and near[0, 0] == pytest.approx(1e-9, rel=1e-3)


def test_the_frechet_distance_of_two_gaussians_is_known():
    rng = np.random.default_rng(3)
    left, right = rng.normal(0, 1, (4000, 2)), rng.normal([5, 0], 3, (4000, 2))
    assert distances._frechet(left, right) == pytest.approx(25 + 2 * (3 - 1) ** 2, rel=0.05)
    found = distances.frechet(left[:40], left[40:80], rng)
    assert found.chance[0] <= found.distance <= found.chance[1] * 1.2 and found.features == 2


# --- the two-sample test


def two(shift: float, count: int = 40, spread: float = 1.0, seed: int = 5) -> Table:
    rng = np.random.default_rng(seed)
    ours, theirs = rng.normal(0, spread, (count, 6)), rng.normal(0, 1, (count, 6))
    ours[:, 2] += shift
    return Table(tuple("abcdef"), ours, theirs)


def test_what_differs_is_told_and_named():
    told = telling.told_apart(two(3.0), np.random.default_rng(1))
    assert told.auc > 0.9 and told.p < 0.01 and told.interval[0] > 0.8
    assert told.tells[0].name == "c" and told.tells[0].auc > 0.9 and [one.name for one in told.telling] == ["c"]
    assert max(told.tells, key=lambda one: one.lost).name == "c"


def test_one_source_is_not_told_and_the_interval_covers_a_coins_toss():
    covered = 0
    for seed in range(10):
        told = telling.told_apart(two(0.0, seed=seed), np.random.default_rng(seed))
        covered += told.interval[0] <= 0.5 <= told.interval[1]
        assert 0 <= told.interval[0] <= told.auc <= told.interval[1] <= 1
    assert covered >= 8


def test_a_set_whose_pieces_are_all_alike_is_told_by_its_squares():
    told = telling.told_apart(two(0.0, spread=0.2, count=60), np.random.default_rng(1))
    assert told.auc > 0.85 and not told.telling


def test_where_no_piece_is_misjudged_the_interval_still_has_a_width():
    told = telling.told_apart(two(100.0, count=10), np.random.default_rng(1))
    assert told.auc == 1 and 0.6 < told.interval[0] < 0.8


def test_the_same_seed_gives_the_same_figures_and_few_pieces_none():
    first, again = (telling.told_apart(two(1.0), np.random.default_rng(3)) for _ in range(2))
    assert first == again
    assert telling.told_apart(two(1.0, count=3), np.random.default_rng(3)) is None
    with pytest.raises(UnknownName, match="'tree'; there are linear, forest"):
        telling.told_apart(two(1.0), np.random.default_rng(3), classifier="tree")


@pytest.mark.parametrize(("p", "low", "said"), [
    (0.037, 0.47, "tells them apart: AUC 0.78 [0.47, 0.99]"), (0.01, 0.6, "tells them apart: AUC 0.78 [0.6, 0.99]"),
    (0.06, 0.52, "does not tell them apart for certain"), (None, 0.52, "tells them apart"),
    (None, 0.47, "does not tell them apart for certain"),
])  # fmt: skip
def test_one_thing_decides_and_the_verdict_says_which(p, low, said):
    chance = None if p is None else 0.7
    told = telling.Told(0.78, (low, 0.99), "linear", chance, p, 0.2)
    verdict = verdict_of(SimpleNamespace(told=told, untold=""))
    assert verdict.replace("0.60", "0.6").startswith(f"A classifier {said}")
    assert ("interval decides" in verdict) == (p is None) and ("leave open how well" in verdict) == (p == 0.037)


def test_what_chance_stays_below_and_how_often_it_reaches_the_figure_agree():
    sure = set()
    for seed in range(40):
        told = telling.told_apart(two(0.9, count=12, seed=seed), np.random.default_rng(seed))
        assert told.is_sure == (told.auc > told.chance) == (told.p <= 0.05)
        sure.add(told.is_sure)
    assert sure == {True, False}


def test_a_forest_needs_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(MissingExtra, match=r"partimento\[evaluate\]"):
        telling.told_apart(two(1.0), np.random.default_rng(3), classifier="forest")


def test_a_forest_tells_apart_what_differs(monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.setattr(telling, "TREES", 10)
    told = telling.told_apart(two(5.0, count=12), np.random.default_rng(3), classifier="forest")
    assert told.auc > 0.85 and told.p is None


# --- fair handling


def tune(number: int, bars: int = 8, **fields) -> Score:
    """A tune of quarter notes, walking at random."""
    rng = np.random.default_rng(number)
    pitch = 60 + np.clip(np.cumsum(rng.integers(-2, 3, size=4 * bars)), -12, 12)
    rows = [(24 * n, 24, int(at), 80, 0) for n, at in enumerate(pitch)]
    return Score(note_array(rows), metres=FOUR, **fields)


def pieces(numbers, **fields) -> list[Piece]:
    return [Piece(f"tune{number:02}.mid", tune(number, **fields)) for number in numbers]


def test_a_span_is_cut_at_bar_lines_and_has_no_upbeat():
    upbeat = score_of("G4 quarter, C4 whole, D4 whole, E4 whole", upbeat=24, metres=FOUR)
    last, first = span_of(upbeat, 2), span_of(upbeat, 2, "first")
    assert last.notes["pitch"].tolist() == [62, 64] and first.notes["pitch"].tolist() == [60, 62]
    assert last.upbeat == first.upbeat == 0 and last.notes["onset"].tolist() == [0, 96]
    assert span_of(upbeat, 4) is None


def test_the_span_is_what_nine_pieces_in_ten_have():
    short, long = Side(pieces(range(10), bars=7)), Side(pieces(range(10), bars=40))
    assert common_bars([short, long]) == 7 and common_bars([long, long]) == 16
    assert common_bars([Side(pieces(range(10), bars=2)), long]) == 4 and common_bars([short, long], 5) == 5
    with pytest.raises(BadOption, match="spans of 0 bars"):
        common_bars([short, long], 0)


def test_a_span_is_the_same_whatever_stood_before_it():
    whole = tune(1, bars=12)
    alone = span_of(whole, 4)
    assert features_of(Hearing(span_of(whole, 4))) == features_of(Hearing(alone))
    assert "first_degree" not in features_of(Hearing(alone)) and "final_is_tonic" in features_of(Hearing(alone))
    assert "final_is_tonic" not in features_of(Hearing(alone), "first")
    assert "velocity_spread" not in features_of(Hearing(alone), notes_only=True)


def test_what_a_piece_lacks_tells_no_side_from_the_other():
    ours = [{"a": 1.0, "b": float(n)} for n in range(9)] + [{"b": 20.0}]
    table = table_of(ours, [{"a": 2.0, "b": 1.0, "c": 3.0}] * 10)
    assert table.names == ("a", "b") and table.ours[-1, 0] in (1, 2, 1.5)


def test_pieces_that_cannot_be_compared_are_named_with_the_reason():
    drums = Piece("drums.mid", replace(tune(1), tracks=(Track("", DRUM_PROGRAM),)))
    silent, short = Piece("silent.mid", replace(tune(1), notes=note_array([]))), Piece("short.mid", tune(2, bars=3))
    endless = Piece("endless.mid", replace(tune(3), notes=note_array([(0, 24 * 10**6, 60, 80, 0)])))
    found = evaluate([*pieces(range(6)), drums, silent, short, endless], pieces(range(6, 12)), bars=8)
    reasons = dict(found.generated.skipped)
    assert "none of them pitched" in reasons["drums.mid"] and "no notes" in reasons["silent.mid"]
    assert reasons["short.mid"] == "3 bars long, spans are 8" and "damaged" in reasons["endless.mid"]
    assert (found.generated.found, found.generated.compared, found.real.compared) == (10, 6, 6)
    assert "only 6 generated pieces" in found.remarks[0]


def test_music_that_stands_on_both_sides_is_named():
    ours, theirs = Side(pieces(range(3))), Side(pieces(range(2, 5)))
    assert doubles(ours, theirs) == ["tune02.mid"]


def test_pieces_that_are_one_and_the_same_are_named_and_judged_once():
    copies = [Piece(f"copy{n}.mid", tune(3)) for n in range(12)]
    found = evaluate(copies, pieces(range(10, 22)))
    assert found.told is None and "there are 1 generated and 12 real ones" in found.untold
    assert found.generated.alike == [[one.name for one in copies]] and not found.real.alike
    assert "12 generated pieces are one and the same" in " ".join(found.remarks)
    assert "No classifier can judge them: it learns" in verdict_of(found)
    once = evaluate(pieces(range(10)), pieces(range(10, 22)))
    doubled = evaluate(pieces([*range(10), *range(10)]), pieces(range(10, 22)))
    assert doubled.told.auc == once.told.auc and len(doubled.generated.alike) == 10
    assert "20 generated pieces are only 10 different ones" in " ".join(doubled.remarks)
    assert alike([tune(1), tune(2), tune(1)]) == [[0, 2], [1]]


def test_two_folders_with_nothing_but_one_piece_differ_in_nothing():
    copies = [Piece(f"copy{n}.mid", tune(3)) for n in range(6)]
    assert "no feature differs" in verdict_of(evaluate(copies, copies))


def test_only_pieces_that_are_compared_are_named_as_copies():
    both = [*pieces(range(9)), Piece("short.mid", tune(2, bars=3))]
    (remark,) = (one for one in evaluate(both, both, bars=8).remarks if "very notes of a real one" in one)
    assert remark.startswith("9 generated pieces")


def test_a_side_with_nothing_to_compare_is_refused():
    with pytest.raises(BadOption, match="1 generated pieces that can be heard"):
        evaluate(pieces([1]), pieces(range(5)))
    with pytest.raises(BadOption, match="0 generated pieces of 30 bars"):
        evaluate(pieces(range(5)), pieces(range(5, 9)), bars=30)


# --- controls and originality


def test_asked_against_obtained_comes_from_the_recipes():
    scale = {"density": list(np.linspace(-5, -1, 11))}
    found = []
    for number in range(6):
        request = Request(style="folk", bars=8, key=(0, "major"), density=number / 5, metre=(3, 4))
        bar = ["C4 whole", "E4 half, C4 half", "C4 quarter, E4 quarter, G4 quarter, C4 quarter"][number // 2]
        music = score_of(", ".join([bar] * 8), metres=FOUR, recipe=Recipe("compose", "0" * 12, request).as_dict())
        found.append(Piece(str(number), music))
    foreign = Piece("foreign", replace(tune(1), recipe={"made by": "somebody"}))
    told = obedience([*found, foreign], lambda digest: {"folk": scale}, np.random.default_rng(1))
    (density,) = told.controls
    assert told.pieces == 6 and density.name == "density" and density.correlation > 0.9
    assert {one.name: one.share for one in told.wishes} == {"bars": 1, "key": 1, "metre": 0}
    assert told.unread[0][0] == "foreign"
    lacking = obedience(found, lambda digest: None, np.random.default_rng(1))
    assert not lacking.controls and "--model" in lacking.unread[0][1]


def test_originality_is_said_beside_what_real_music_shares():
    runs = {"copy": (40, {8: 0.9}), "own": (6, {8: 0.0})}
    ours, theirs = [score_of("C4 whole")] * 4, [score_of("D4 whole")] * 5
    one = borrowed(
        ours, theirs, lambda scores: [runs["copy" if scores is ours else "own"]] * len(scores), np.random.default_rng(1)
    )
    assert one.longer == 1 and one.longest == ((40, 40), (6, 6)) and one.shares["8"][0] == pytest.approx(0.9)
    assert "0.5 is what real music does" in " ".join(words_of(one))


# --- files, the command and the page


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("sides")
    for name, numbers in (("composed", range(10)), ("real", range(10, 22))):
        (root / name).mkdir()
        for number in numbers:
            formats.save(tune(number), root / name / f"tune{number:02}.mid")
    (root / "composed" / "broken.mid").write_bytes(b"MThd no music")
    return root / "composed", root / "real"


def run(*arguments: object):
    return CliRunner().invoke(cli.cli, ["evaluate", *map(str, arguments)], catch_exceptions=True)


def test_the_command_says_figures_and_writes_a_page_that_fetches_nothing(folders, tmp_path):
    page = tmp_path / "report.html"
    done = run(*folders, "--html", page)
    assert done.exit_code == 0, done.output
    assert "10 generated pieces of 11 (8 bars each) and 12 real pieces" in done.output
    assert "broken.mid" in done.output and "AUC" in done.output and "repetition_4" in done.output
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") > 15 and "What gives it away" in html and "http" not in html and "src=" not in html


def test_all_figures_are_json(folders):
    done = run(*folders, "--json", "--limit", 8, "--seed", 3)
    found = json.loads(done.output)
    assert found["seed"] == 3 and found["generated"]["found"] == 8 and len(found["metrics"]) == len(METRICS)
    again = json.loads(run(*folders, "--json", "--limit", 8, "--seed", 3).output)
    assert again == found


def test_wrong_input_is_a_sentence(folders, tmp_path):
    for arguments, said in (
        ((folders[0], tmp_path / "nowhere"), "no such file or folder"),
        ((*folders, "--html", tmp_path / "page.pdf"), "suffix .html"),
        ((*folders, "--bars", 40), "--bars"),
    ):
        error = run(*arguments).exception
        assert isinstance(error, Exception) and said in str(error)


def test_a_model_of_its_own_is_asked_for_its_scales(folders, monkeypatch):
    monkeypatch.setattr(
        "partimento.api._evaluating.digest_of", lambda path: "f" * 12 if path.name == "own" else "0" * 12
    )
    monkeypatch.setattr("partimento.styles.described", lambda path: {"styles": {"mine": {"scales": {"density": [1]}}}})
    monkeypatch.setattr("partimento.styles.shipped", dict)
    assert api._evaluating._scales("f" * 12, "own") == {"mine": {"density": [1]}}
    assert api._evaluating._scales("a" * 12, "own") is None


# --- the benchmark and the leaderboard


@pytest.fixture(scope="module")
def scripts():
    folder = str(ROOT / "benchmarks")
    sys.path.insert(0, folder)
    import leaderboard

    yield leaderboard
    sys.path.remove(folder)


def test_shuffled_music_keeps_its_notes_and_loses_their_order(scripts):
    import evaluate as benchmark

    score = score_of("C4+E4 quarter, D4 half, E4 eighth, F4 eighth, G4 whole", "C3 whole, D3 whole")
    mixed = benchmark.shuffled(score, np.random.default_rng(1))
    for track in (0, 1):
        before, after = score.track_notes(track), mixed.track_notes(track)
        assert sorted(zip(before["pitch"], before["duration"], strict=True)) == sorted(
            zip(after["pitch"], after["duration"], strict=True)
        )
    assert mixed.end == score.end and mixed.notes["pitch"].tolist() != score.notes["pitch"].tolist()


def test_halves_share_no_work(scripts):
    import evaluate as benchmark

    entries = [{"work_group": str(n // 2), "file": str(n)} for n in range(20)]
    one, other = benchmark.halves_of(entries, 10, np.random.default_rng(1))
    assert len(one) == len(other) == 5 and not {e["work_group"] for e in one} & {e["work_group"] for e in other}


def test_the_leaderboard_is_what_the_results_say(scripts):
    page = scripts.PAGE.read_text(encoding="utf-8")
    assert page == scripts.with_section(page, scripts.section(scripts.read())), "docs/benchmarks.md: make leaderboard"


def test_a_row_of_a_benchmark_stands_among_the_published_ones(scripts):
    where = {"command": "python benchmarks/x.py", "seed": 1, "machine": "here", "date": "today"}
    row = {"task": "jsb-quarter", "model": "ours", "nats": 5.0, "interval": [4.9, 5.1]}
    said = scripts.section({**scripts.read(), "x": {**where, "leaderboard": [row]}})
    assert "| **ours** | 5.00 [4.90, 5.10] | measured | `python benchmarks/x.py`, seed 1, here, today |" in said
    with pytest.raises(ValueError, match="lacks the lines"):
        scripts.with_section("a page", said)
