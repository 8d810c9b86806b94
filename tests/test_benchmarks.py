"""The scripts in `benchmarks/`: figures that can be known beforehand come out right, and killed runs go on."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from music import score_of
from partimento import cards
from partimento.describe import parse_chords
from partimento.encodings import get_encoding
from partimento.encodings.voices import FIRST_PITCH, HOLD, REST, VOICES
from partimento.models import get_family
from partimento.score import Metre

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import _controls_report
import _figures
import _pieces
import _real
import controls
import jsb
import listen

pytest_plugins = ["tiny"]
CLASSES = FIRST_PITCH + 128
HYMN = np.array([[67, 64, 60, 48]] * 4 + [[69, 64, 60, 53]] * 2 + [[-1, 64, 60, 53]] * 2 + [[67, 64, 59, 43]] * 8)


# --- how sure a figure is


def test_rank_correlation_shares_ranks_among_equals():
    assert _figures.ranks(np.array([3.0, 1.0, 3.0, 9.0])).tolist() == [1.5, 0, 1.5, 3]
    assert _figures.spearman(np.array([1, 2, 3, 4]), np.array([1, 8, 27, 64])) == pytest.approx(1)
    assert math.isnan(_figures.spearman(np.array([1, 2, 3]), np.array([5, 5, 5])))


def test_the_interval_of_a_share_is_wilsons():
    share, low, high = _figures.wilson(8, 10)
    assert (share, round(low, 3), round(high, 3)) == (0.8, 0.49, 0.943)


# --- chorales


def test_the_chances_of_all_that_a_cell_can_sound_add_up_to_one():
    logits = torch.randn(CLASSES, generator=torch.Generator().manual_seed(0))
    for sounding in (0, 1 + 60, 1 + 127):
        again = FIRST_PITCH + sounding - 1 if sounding else REST
        outcomes = torch.tensor([HOLD, *(c for c in range(REST, CLASSES) if c != again)])  # to hold is to sound again
        before = torch.full_like(outcomes, sounding)
        nats = jsb.cell_nats(logits.expand(len(outcomes), CLASSES), outcomes, before)
        assert float(torch.exp(-nats).sum()) == pytest.approx(1, abs=1e-5)
        struck = jsb.cell_nats(logits, torch.tensor(again), torch.tensor(sounding))
        assert float(struck) == pytest.approx(float(nats[0]))


def test_a_uniform_model_scores_the_logarithm_of_its_choices():
    logits, middle_c = torch.zeros(CLASSES), torch.tensor(FIRST_PITCH + 60)
    changes = jsb.cell_nats(logits, middle_c, torch.tensor(1 + 62))
    sounds_on = jsb.cell_nats(logits, middle_c, torch.tensor(1 + 60))
    assert float(changes) == pytest.approx(math.log(CLASSES))
    assert float(sounds_on) == pytest.approx(math.log(CLASSES / 2))  # held or struck again


def test_what_equals_the_sixteenth_before_is_held_and_silence_is_a_rest():
    encoding = get_encoding("voices")
    rows = jsb.rows_of(HYMN, encoding)
    soprano = rows[1:9, encoding.columns["soprano"]].tolist()
    assert soprano == [67 + FIRST_PITCH, HOLD, HOLD, HOLD, 69 + FIRST_PITCH, HOLD, REST, HOLD]
    assert rows[1:9, encoding.columns["sounding_soprano"]].tolist() == [0, 68, 68, 68, 68, 70, 70, 0]
    for name in ("key", "metre", "bars_left", "tempo", "style"):
        assert not rows[:, encoding.columns[name]].any()  # none of what a listener would not know


def test_no_cell_is_scored_by_what_comes_after_it():
    encoding, other = get_encoding("voices"), HYMN.copy()
    other[12:] = [72, 67, 64, 48]
    torch.manual_seed(0)
    model = get_family("transformer")(encoding.fields, width=16, layers=1, heads=2, head_width=16)
    scored = []
    for piece in (HYMN, other):
        cache = jsb.cache_of({"train": [piece], "valid": [piece], "test": [piece]})
        scored.append(jsb.piece_nats(model, cache, encoding, "test", "f32")[0])
    assert scored[0].shape == (len(HYMN), len(VOICES))
    assert np.allclose(scored[0][:12], scored[1][:12], atol=1e-5)
    assert not np.allclose(scored[0][12], scored[1][12], atol=1e-2)


def test_keys_of_a_frame_are_given_to_voices_and_none_is_lost():
    frames = [[48, 55, 64, 72], [48, 63, 72], [48, 57, 72], [50, 74], [72], []]
    found = jsb.voices_of(frames)
    assert found.tolist() == [
        [72, 64, 55, 48], [72, 63, -1, 48], [72, -1, 57, 48], [74, -1, -1, 50], [72, -1, -1, -1], [-1] * 4,
    ]  # fmt: skip
    assert [sorted(row[row >= 0].tolist()) for row in found] == frames
    with pytest.raises(ValueError, match="a frame of 5 keys"):
        jsb.voices_of([[40, 45, 50, 55, 60]])


def test_a_run_says_its_place_on_the_board_by_note_or_by_frame():
    found = {"parameters": 2_000_000, "test": {"nats": 0.5, "interval": [0.4, 0.6]}}
    note, frame = (jsb.board_row(grid, "relative", found) for grid in ("sixteenth", "quarter"))
    assert (note["task"], note["nats"], note["interval"]) == ("jsb-16", 0.5, [0.4, 0.6])
    assert (frame["task"], frame["nats"], frame["interval"]) == ("jsb-quarter", 2.0, [1.6, 2.4])
    assert "upper bound" in frame["note"] and "note" not in note


def test_a_tune_of_the_train_split_is_known_in_another_key_and_at_twice_the_speed():
    rng = np.random.default_rng(1)
    tune = rng.choice([60, 62, 64, 65, 67, 69], size=40)
    tune[1:][tune[1:] == tune[:-1]] = 71
    slow = np.repeat(tune, 4)[:, None] * [1, 0, 0, 0]
    fast = (np.repeat(tune, 2) + 3)[:, None] * [1, 0, 0, 0]
    backwards = np.repeat(tune[::-1], 4)[:, None] * [1, 0, 0, 0]
    assert jsb.known_tunes({"train": [slow], "test": [fast, backwards]}, "test").tolist() == [True, False]


@pytest.fixture
def chorales(tmp_path):
    rng, folder = np.random.default_rng(0), tmp_path / "data" / "jsb"
    folder.mkdir(parents=True)
    pieces = [np.repeat(HYMN + rng.integers(-3, 4, size=(len(HYMN), 1)), 2, axis=0).tolist() for _ in range(6)]
    splits = {"train": pieces[:4], "valid": pieces[4:5], "test": pieces[5:]}
    (folder / "Jsb16thSeparated.json").write_text(json.dumps(splits))
    return folder.parent


def test_a_run_on_the_chorales_goes_on_where_it_was_killed(chorales, tmp_path, monkeypatch, one_thread):
    size = ("--width", "16", "--layers", "1", "--head-width", "16", "--precision", "f32")

    def run(name: str) -> dict:
        folder = tmp_path / name
        jsb.main(
            ["--data", str(chorales), "--work", str(folder), "--json", str(folder / "x.json"), "--steps", "24", *size]
        )
        return json.loads((folder / "x.json").read_text())

    whole, judge = run("whole"), jsb.judge

    def killed(run, train):
        judge(run, train)
        if run.state["step"] == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(jsb, "judge", killed)
    with pytest.raises(KeyboardInterrupt):
        run("killed")
    monkeypatch.setattr(jsb, "judge", judge)
    again = run("killed")
    assert again["test"]["nats"] == whole["test"]["nats"] < math.log(129)
    assert again["test, tunes not in train"]["pieces"] == 1 and "test, tunes in train" not in again


# --- controls


def setting(**changes) -> _pieces.Setting:
    return _pieces.Setting(**{"model": "", "bars": 16, "pieces": 20, "candidates": 1, "seed": 1} | changes)


def test_values_of_a_control_cover_its_range_one_from_each_part():
    tasks = list(_pieces.tasks(["folk"], ["happiness"], 20, [None]))
    values = sorted(_pieces.asked(task, setting())["happiness"] for task in tasks)
    assert [int((value - 1) / 9 * 20) for value in values] == list(range(20))


def test_a_progression_stays_in_its_key_and_comes_home():
    rng = np.random.default_rng(0)
    names = _pieces.progression(9, "minor", 16, rng).split()
    assert names[0] == names[-1] == "Am" and names[-2] == "E7" and len(names) == 16
    assert set(names[:-2]) <= {"Am", "Bdim", "C", "Dm", "E", "F", "G"}


def test_chords_agree_beat_by_beat():
    score = score_of("C4+E4+G4 whole, D4+F4+A4 whole, E4+G#4+B4 whole", metres=(Metre(0, 4, 4),))
    heard = _pieces.chords_by_bar(score, 3)
    assert [len(set(bar)) for bar in heard] == [1, 1, 1]
    assert _pieces.agreement("C Dm Em", heard) == (12, 12, 8, 8)  # E major is not E minor
    assert parse_chords("C")[0][1] == heard[0][0]


def test_perfect_obedience_is_a_correlation_a_slope_and_no_error():
    wanted = np.linspace(1, 10, 30)
    facts = {"obtained": dict.fromkeys(("happiness",)), "played": {}}
    pieces = []
    for number, value in enumerate(wanted):
        side = facts | {"obtained": {"happiness": value}, "played": {"happiness": 11 - value}}
        pieces.append((_pieces.Task("folk", "happiness", number), {"asked": {"happiness": value}, "best": side}))
    found = _controls_report.of_control(pieces, "happiness", "best", 0)
    assert found["notes"]["spearman"] == pytest.approx(1) and found["notes"]["error"] == 0
    assert found["notes"]["slope"] == pytest.approx(1) and found["played"]["spearman"] == pytest.approx(-1)


def test_short_notes_are_detached():
    assert _pieces.detached(score_of("C4 eighth, rest eighth, D4 quarter, E4 quarter")) == 0.5


def test_controls_are_measured_and_a_run_goes_on(tiny, tmp_path, monkeypatch, capsys):
    card = tmp_path / "card.json"
    monkeypatch.setattr(controls, "CARD", card)
    size = ("--model", tiny.model, "--pieces", "3", "--bars", "4", "--candidates", "2", "--json", tmp_path / "x.json")
    controls.main([*map(str, size), "--kind", "happiness", "density falls", "chords", "instruments", "metre"])
    journal = tmp_path / "x.json.pieces.jsonl"
    lines = journal.read_text().splitlines()
    assert len(lines) == 1 + 3 + 1 + 1 + 1 + 1
    journal.write_text("\n".join(lines[:4]) + '\n{"name": "tu')  # killed while it wrote
    controls.main([*map(str, size), "--kind", "happiness", "density falls", "chords", "instruments", "metre", "--card"])
    assert sorted(journal.read_text().splitlines()) == sorted(lines)
    figures = json.loads(card.read_text())[tiny.model.name]["tunes"]
    assert figures["controls"]["happiness"]["pieces"] == 3 and figures["accuracy"]["length"][0] == 1
    assert "0 could not be composed" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="name another --json"):
        controls.main([*map(str, size), "--seed", "2"])


# --- listening


def test_spans_are_cut_at_bar_lines_from_the_end():
    score = score_of("C4 quarter, " + ", ".join(["D4 whole"] * 4 + ["E4 half, F4 half"]), upbeat=24)
    last, first = _real.spans(_real.Part("test", score), 2)
    assert [len(one.score) for one in (last, first)] == [3, 2]
    assert last.ends and not last.begins and not first.ends
    assert "final_is_tonic" in last.measures(2) and "final_is_tonic" not in first.measures(2)


def test_real_music_is_set_beside_real_music(data_folder, capsys):
    assert listen.main(["--style", "ragtime", "--real-only", "--data", str(data_folder)]) == 0
    said = capsys.readouterr().out
    assert "of them spans of 16 bars" in said and "medians inside" in said


def test_an_extreme_is_a_fifth_of_the_scale():
    extreme = _real.Extreme("happiness", 9, "valence", 1, 10, ())
    assert extreme.is_high and extreme.limit == pytest.approx(8.2)
    assert listen.wish("density=0.1") == ("density", 0.1)


# --- cards


def test_a_card_tells_what_was_measured_and_what_falls_short(tmp_path, monkeypatch):
    model = tmp_path / "m.partimento"
    model.write_bytes(b"model")
    where = {"command": "python benchmarks/x.py", "machine": "here", "date": "today", "model": _figures.digest(model)}
    control = {"spearman": 0.41, "interval": [0.3, 0.5], "error": 1.23, "goal": 0.6, "pieces": 9, "played": 0.5}
    curves = {"happiness": {"notes": {"right_way": [0.75, 0.5, 0.9]}}}
    measured = {
        "folk": where | {"controls": {"happiness": control}, "curves": curves, "accuracy": {"key": [0.97, 0.9, 1, 9]}}
    }
    heard = {
        "inside": 60,
        "measures": 72,
        "beyond": 0.021,
        "pieces": 100,
        "real": 202,
        "falls_out": [["exact_4", "too high"]],
    }
    for name, found in (("CONTROLS", measured), ("LISTENING", {"folk": where | heard | {"model": "other"}})):
        path = tmp_path / name
        path.write_text(json.dumps({model.name: found}))
        monkeypatch.setattr(cards, name, path)
    said = "\n".join([*cards._controls(model, ["folk", "song"]), *cards._listening(model, ["folk", "song"])])
    assert "| folk (9) | 0.41 [0.30, 0.50], error 1.2, lines 75 % | 97 % |" in said
    assert "Falls short of its goal: happiness (0.6) in folk." in said
    assert "| folk | 100, 202 | 60 of 72 | 2.1 % | `exact_4` too high |" in said
    assert "of an earlier state of this model: folk" in said
