"""`benchmarks/harmonize.py`: melodies of real settings, harmonised with and without the rules of part-writing."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from partimento import composing, formats
from partimento.score import Track
from tunes import duet, hymn, tune

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import _real
import harmonize

pytest_plugins = ["tiny"]


def test_the_melody_is_the_highest_part_by_itself():
    upside_down = duet(0).notes.copy()
    upside_down["track"] = 1 - upside_down["track"]
    score = replace(duet(0), notes=upside_down, tracks=(Track("Cello", 42), Track("Flute", 73)))
    found = harmonize.melody(score)
    assert found.tracks == (Track("Flute", 73),)
    assert sorted(found.notes["pitch"].tolist()) == sorted(tune(0).notes["pitch"].tolist())
    assert set(found.notes["track"].tolist()) == {0} and found.metres == score.metres


def test_parallels_are_fifths_and_octaves_and_what_does_not_apply_is_left_out():
    sung = harmonize.measured(hymn(0), {})
    assert sung["parallels"] >= 100 and sung["voice_crossing"] == 0  # four voices side by side all along
    assert "parallels" not in harmonize.measured(duet(0), {}) and "bare" in harmonize.measured(duet(0), {})


def test_rules_of_voices_are_none_for_a_while_and_then_back():
    kept = composing.voice_rules
    with harmonize.without_part_writing():
        assert composing.voice_rules("anything", pulse=1) == []
    assert composing.voice_rules is kept


def test_figures_that_can_be_known_beforehand():
    def record(work: int, *values: float) -> dict:
        return {"work": str(work)} | {
            kind: {"bare": value} for kind, value in zip(harmonize.KINDS, values, strict=True)
        }

    found = harmonize.figures([record(1, 0, 0.5, 1), record(1, 0, 0.5, 1), record(2, 0.3, 0.5, 0)], 1)
    bare = found["figures"]["bare"]
    assert (found["melodies"], found["works"], list(found["figures"])) == (3, 2, ["bare"])
    assert bare["real"]["mean"] == pytest.approx(0.1) and bare["with rules"] == {"mean": 0.5, "interval": (0.5, 0.5)}


@pytest.fixture
def packs(tmp_path, monkeypatch) -> Path:
    """Three held-out duets in a pack, and a tune of one part, which has no other to take away."""
    folder = tmp_path / "data" / "packs" / "duets"
    folder.mkdir(parents=True)
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "split", "work_group"])
        for number, score in enumerate([duet(0), duet(1), tune(2), duet(3)]):
            formats.save(score, folder / f"{number}.mid")
            table.writerow([f"{number}.mid", "test", f"w{number}"])
    monkeypatch.setitem(_real.STYLES, "duets", _real.Style(("duets",)))
    monkeypatch.setattr(harmonize, "FEWEST", 2)
    return folder.parents[1]


def test_melodies_are_harmonised_and_figures_written(packs, tiny, tmp_path, monkeypatch, capsys):
    sung, compose = [], harmonize.partimento.harmonize
    monkeypatch.setattr(
        harmonize.partimento, "harmonize", lambda score, **asked: sung.append(score) or compose(score, **asked)
    )
    path = tmp_path / "x.json"
    asked = ["--styles", "duets", "--pieces", "9", "--candidates", "1", "--model", str(tiny.pair), "--json", str(path)]
    assert harmonize.main([*asked, "--data", str(packs)]) == 0
    assert len(sung) == 6 and all(len(np.unique(one.notes["track"])) == 1 for one in sung)
    found = json.loads(path.read_text())["styles"]["duets"]
    assert found["melodies"] == 3 and set(found["figures"]["typicality"]) == {"melodies", *harmonize.KINDS}
    assert "duets: 3 melodies" in capsys.readouterr().out
