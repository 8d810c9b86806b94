"""What the studio's child tells of a comparison; the trainings themselves are those of `api.compare`."""

from __future__ import annotations

import json

import pytest

from music import score_of
from partimento import api, formats
from partimento.errors import BadOption, Stopped

pytest.importorskip("fastapi")
from partimento.studio import comparing
from partimento.studio.tasks import Task

ROWS = [
    {"name": "vae", "about": "vae, voices", "folder": "vae", "failed": "", "bits": 2.0, "bits_alone": 2.0,
     "comparable": False, "midi": ""},
    {"name": "markov", "about": "markov, notes", "folder": "markov", "failed": "", "bits": 4.0, "bits_alone": 3.0,
     "comparable": True, "midi": "piece.mid", "typicality": float("nan")},
    {"name": "gan", "about": "", "folder": "gan", "failed": "no such thing (see /secret/failed.txt)"},
]  # fmt: skip


@pytest.fixture
def task(tmp_path):
    told = []
    asked = {"models": ["vae", "markov", "gan"], "set": "s0", "steps": 2}
    paths = {"folder": str(tmp_path / "set"), "output": str(tmp_path / "out")}
    one = Task("compare", asked, [], lambda name, data, pieces=None: told.append((name, data, pieces)), bool, paths)
    one.told = told
    return one


def pretended(monkeypatch, ends_after: int = 9):
    """`api.compare` without training: the rows one after the other, the second with a piece."""

    def compare(request, progress):
        request.output.joinpath("markov").mkdir()
        formats.save(score_of("C4 quarter, D4 quarter"), request.output / "markov" / "piece.mid")
        heads = {"budget": "2 steps", "seed": 1, "split": "test", "held_out": 1, "held_out_of": 1}
        for number, row in enumerate(ROWS):
            if number == ends_after:
                raise Stopped("it was asked to stop")
            found = {**heads, "real_typicality": None, "models": ROWS[: number + 1]}
            (request.output / "compare.json").write_text(json.dumps(found))
            yield type("Happened", (), {"model": row["name"], "said": "", "at": None, "row": row})

    monkeypatch.setattr(api, "check_can_train", lambda: None)
    monkeypatch.setattr(api, "compare", compare)


def test_rows_come_as_models_finish_and_the_least_surprised_that_can_be_compared_stands_first(task, monkeypatch):
    pretended(monkeypatch)
    found = comparing.compare(task)
    assert [row["name"] for row in found["result"]["models"]] == ["markov", "vae", "gan"] and found["state"] == "done"
    assert found["result"]["models"][0]["typicality"] is None  # no number is none
    assert found["result"]["models"][2]["failed"] == "no such thing"  # without the path
    rows = [(data["name"], pieces and pieces[0]["title"]) for name, data, pieces in task.told if name == "row"]
    assert rows == [("vae", None), ("markov", "markov, compared"), ("gan", None)]


def test_a_comparison_that_is_stopped_keeps_what_is_finished_and_leaves_no_files(task, monkeypatch, tmp_path):
    pretended(monkeypatch, ends_after=2)
    found = comparing.compare(task)
    assert found["state"] == "stopped" and len(found["result"]["models"]) == 2
    assert not (tmp_path / "out").exists()
    pretended(monkeypatch, ends_after=0)
    with pytest.raises(Stopped, match="before a model was finished"):
        comparing.compare(task)


def test_settings_that_are_the_studios_own_are_refused(task, monkeypatch):
    pretended(monkeypatch)
    task.asked["settings"] = {"threads": 64}
    with pytest.raises(BadOption, match="the studio chooses threads itself"):
        comparing.compare(task)
