"""`compare`: bits a note mean the same for every encoding, a failure costs no other, what is done is not done again."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from music import encoding_for, score_of
from partimento import api
from partimento.api._comparing import _candidates, slug
from partimento.cli.compare import value, values
from partimento.encodings import get_encoding
from partimento.errors import BadOption, Stopped, UnknownName
from partimento.models import get_family
from partimento.training import comparing, comparison
from partimento.training.judging import judge_pieces
from partimento.training.loop import Run

pytest_plugins = ["tiny"]
SIZE = {"width": 16, "layers": 1, "heads": 2, "head_width": 16, "context": 256}


# --- what bits a note are


def test_bits_are_the_nats_of_all_steps_over_the_notes_of_the_music(tiny, tmp_path):
    run = Run(tiny.music, tiny.plan(), tmp_path)
    run.save(run.best)
    pieces = run.cache.of("valid")
    notes = sum(piece.notes for piece in pieces)
    found = comparing.cost(run, pieces, notes)
    nats = judge_pieces(run, run.model, pieces, run.optional, hits=False).nats
    steps = sum(piece.length - 1 for piece in pieces)  # every row but the one before the music
    assert found.told == pytest.approx(sum(nats.values()) * steps / math.log(2) / notes)
    assert found.alone == pytest.approx(found.told - sum(found.by_field[name] for name in comparing.ASIDE))
    assert found.likelihood == "exact" and found.untold != found.told
    assert comparing.cost(run, pieces, 2 * notes).told == pytest.approx(found.told / 2)


@pytest.mark.parametrize(
    ("family", "options", "kind"),
    [
        ("transformer", SIZE, "exact"), ("recurrent", {"width": 8}, "exact"), ("vae", {"hidden": [8]}, "at most"),
        ("vae", {"hidden": [8], "beta": 2.0}, "none"), ("autoencoder", {}, "none"), ("gan", {"hidden": [8]}, "none"),
        ("stack", {"net": [["lstm", 8]], "sees": 4, "last_only": True}, "estimated"),
    ],
)  # fmt: skip
def test_which_families_have_a_likelihood(family, options, kind):
    module = get_family(family)(get_encoding("voices").fields, **options)
    assert comparing.likelihood(module)[0] == kind


class Cut:
    """A run as far as `held` knows it: an encoding and a cache of one piece."""

    def __init__(self, encoding, rows):
        self.encoding, self.cache = encoding, self
        self.steps, self.start, self.length = rows, 0, len(rows)


@pytest.mark.parametrize(
    ("encoding", "onsets", "whole"),
    [
        ("notes", 1.0, 1.0), ("voices", 1.0, 1.0), ("pianoroll", 1.0, 1.0),
        ("events", 3 / 6, 0.0),  # a word every half beat: three are where they were, none is as long
        ("chords", 1.0, 4 / 6),  # C3 and C4, held through a change, are struck again and so too short
    ],
)  # fmt: skip
def test_what_an_encoding_holds_is_counted_in_notes(encoding, onsets, whole):
    score = score_of("E4 quarter, D4 quarter, C4 half", "C3 half, G3 quarter, C3 quarter")
    made = encoding_for(encoding, score)
    rows = np.asarray(made.encode(score))
    found = comparing.held(Cut(made, rows), [Cut(made, rows)], [score])
    assert (found.onsets, found.whole, found.unknown) == (onsets, pytest.approx(whole), 0.0)


def test_unknown_words_are_counted():
    encoding = encoding_for("events", score_of("C4 quarter, D4 quarter"))
    score = score_of("C4 quarter, A4 quarter")
    rows = np.asarray(encoding.encode(score))
    assert comparing.held(Cut(encoding, rows), [Cut(encoding, rows)], [score]).unknown == 0.5


# --- what is compared


def request(tiny, output, **changes):
    settings = {**SIZE, "batch": 4, "window": 48, "evaluations": 1}
    known = {"steps": 3, "pieces": 1, "bars": 2, "workers": 0, "settings": settings}
    return api.ComparisonRequest((tiny.tunes,), output, **known | changes)


def test_names_and_grids_make_models(tiny, tmp_path):
    asked = request(tiny, tmp_path, models=("modern-gru", "transformer:voices"), grid={"rate": [0.1, 0.2]}, settings={})
    found = _candidates(asked)
    assert [name for name, _ in found] == [
        "modern-gru rate=0.1", "modern-gru rate=0.2", "transformer:voices rate=0.1", "transformer:voices rate=0.2",
    ]  # fmt: skip
    first, last = found[0][1], found[-1][1]
    assert first.preset == "modern-gru" and first.settings == {"seed": 1, "rate": 0.1} and first.from_scratch
    assert (last.family, last.encoding, last.steps) == ("transformer", "voices", 3)
    assert len({one.output for _, one in found}) == 4
    for wrong, error in (("polka", UnknownName), ("modern-gru:voices", BadOption)):
        with pytest.raises(error):
            _candidates(replace(asked, models=(wrong,)))
    with pytest.raises(BadOption, match="65 models"):
        _candidates(replace(asked, models=("transformer",), grid={"rate": list(range(65))}))


def test_values_of_a_grid_are_read():
    assert (
        values("64,128") == [64, 128] and values("gru,lstm") == ["gru", "lstm"] and values("[1,2],[3]") == [[1, 2], [3]]
    )
    assert value("true") is True and value("adam") == "adam"
    assert slug("markov") == "markov" and slug("a b") != slug("a/b")


def test_a_failure_stops_no_other_and_what_is_done_is_not_done_again(tiny, tmp_path):
    asked = request(tiny, tmp_path / "out", models=("transformer",), grid={"heads": [2, 5]})
    rows = {one.model: one.row for one in api.compare(asked) if one.row}
    good, bad = rows["transformer heads=2"], rows["transformer heads=5"]
    assert "not a multiple" in bad.failed and not good.failed and not good.was_there
    assert good.figures["comparable"] and good.figures["hears"] == 1.0 and good.figures["parameters"] > 0
    found = api.read_comparison(tmp_path / "out")
    assert [row["name"] for row in found["models"]] == list(rows) and found["held_out"] > 0
    page = (tmp_path / "out" / api.COMPARISON_PAGE).read_text("utf-8")
    assert "not a multiple" in page and "piece.mid" in page and "<svg" in page
    assert (tmp_path / "out" / good_folder(found) / "piece.mid").exists()
    text = "\n".join(api.comparison_lines(tmp_path / "out"))
    assert "transformer heads=2" in text and "real pieces" in text and "failed: transformer heads=5" in text
    again = list(api.compare(asked))
    assert not any(one.at for one in again)
    kept = next(one.row for one in again if one.row and not one.row.failed)
    assert kept.was_there and kept.figures == json.loads(json.dumps(good.figures))


def good_folder(found) -> str:
    return next(row["folder"] for row in found["models"] if not row["failed"])


def test_a_broken_family_is_named_and_ctrl_c_keeps_what_is_done(tiny, tmp_path, monkeypatch):
    from partimento.api import _comparing

    calls = []

    def broken(asked, music=None):
        calls.append(asked)
        if len(calls) == 1:
            raise ZeroDivisionError("division by zero")
        raise Stopped("stopped at step 1")
        yield

    monkeypatch.setattr(_comparing, "train", broken)
    asked = request(tiny, tmp_path / "out", models=("transformer", "recurrent"), settings={})
    with pytest.raises(Stopped):
        list(api.compare(asked))
    found = api.read_comparison(tmp_path / "out")
    assert "ZeroDivisionError: division by zero" in found["models"][0]["failed"]
    assert (tmp_path / "out" / "transformer" / "failed.txt").exists() and found["models"][1]["failed"] == ""
    assert "Not done yet: recurrent" in (tmp_path / "out" / api.COMPARISON_PAGE).read_text("utf-8")


# --- the table


def row(name, **changes) -> dict:
    known = {
        "name": name, "failed": "", "comparable": True, "likelihood": "exact", "bits": 5.0, "bits_alone": 4.0,
        "bits_untold": 5.5, "hears": 1.0, "hears_onsets": 1.0, "unknown": 0.0, "why": "", "verdict": "",
    }  # fmt: skip
    return known | changes


def test_only_what_can_be_compared_is_ranked():
    rows = [
        row("a", bits_alone=4.5), row("b", bits_alone=4.0), row("words", comparable=False, bits_alone=1.0, hears=0.1),
        row("gone", failed="no torch"), row("paints", comparable=False, bits=None, likelihood="none", why="no chance"),
    ]  # fmt: skip
    mine, others, failed = comparison.ranked(rows)
    assert [[one["name"] for one in some] for some in (mine, others, failed)] == [
        ["b", "a"],
        ["words", "paints"],
        ["gone"],
    ]
    assert [comparison.bits(one, "bits") for one in others] == ["(5.000)", "-"]
    assert comparison.bits(row("v", likelihood="at most"), "bits") == "≤ 5.000"
    assert comparison.why(row("alone", hears=None, why="nothing is held out")) == "nothing is held out"
    assert "10 % of the notes" in comparison.why(others[0]) and "no chance" in comparison.why(others[1])


def test_the_command_refuses_two_budgets_and_names_that_there_are_not(tiny, tmp_path, command):
    for arguments in (("--minutes", 1, "--steps", 2), ("--models", "polka"), ("--grid", "rate"), ("--steps", 0)):
        code, _, complained = command("compare", tiny.tunes, "-o", tmp_path / "out", *arguments)
        assert code == 2 and complained.strip()
