"""What is said of a piece beside the training music: the verdict, the places, what was checked against, on what."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from music import score_of
from partimento import formats, originality
from partimento.originality import judge, showing
from partimento.score import Score, Track, note_array
from test_originality import TUNE, index_of
from tunes import tune

pytest_plugins = ["tiny"]
LONG = tune(34)


def swung(score: Score) -> Score:
    """The score with every other onset late and lengths to match: pitches alone are left."""
    notes = score.notes.copy()
    notes["onset"] = notes["onset"] * 2 + 8 * (np.arange(len(notes)) * 7 % 5 % 3)
    notes["duration"] = 8
    return Score(note_array(sorted(notes.tolist())))


def beside_real(*scores: Score):
    """An index of scores, with ten other tunes as what is real."""
    index = index_of(*scores)
    return replace(index, reference=originality.reference(index, [("tunes", tune(n)) for n in range(40, 50)]))


def test_the_verdict_names_a_copy_by_pitch_alone():
    (found,) = judge(beside_real(LONG), [swung(LONG)], styles=["tunes"])
    assert found.over == ("pitch",) and found.as_dict()["over"] == ["pitch"] and found.rhythm.longest < 8
    said = showing.words("a.mid", found)
    assert f"more by pitch alone than any real piece shares ({found.most_pitch} notes), though no more in" in said[0]
    assert 'class="verdict bad"' in showing.page([("a.mid", LONG, found)])
    (short,) = judge(beside_real(score_of(TUNE)), [swung(score_of(TUNE))], styles=["tunes"])
    assert short.pitch.longest >= 12 and not short.over  # too few to rest a verdict on


def test_a_place_by_pitch_alone_is_told_beside_those_with_rhythm_and_has_no_speed():
    end = swung(LONG).end + 96
    rows = [(onset + end, length, pitch, 80, 0) for onset, length, pitch, *_ in tune(3).notes.tolist()]
    both = Score(note_array([*swung(LONG).notes.tolist(), *rows]))
    (found,) = judge(beside_real(LONG, tune(3)), [both], styles=["tunes"])
    told = showing.shown(found)
    assert [one.pitch_alone for one in told] == [False, True] and told[1].bar == 1 and told[0].bar > 8
    said = "\n".join(showing.words("a.mid", found))
    assert "by pitch alone as in piece0.mid, bar 1, track 1\n" in said and "and more by pitch alone than any" in said
    assert told[1].as_dict()["faster"] is None and told[0].as_dict()["faster"] == 1
    usual = replace(found, percentile_pitch=50, most_pitch=200)
    assert showing.shown(usual) == found.passages  # real pieces have as much


@pytest.mark.parametrize(("notes", "said"), [("", "no pitched notes"), ("C4 half, D4 half", "a run has eight notes")])
def test_music_with_nothing_to_check_is_not_cleared(notes, said):
    beat = Score(note_array([(n * 24, 12, 36, 80, 1) for n in range(40)]), (Track(), Track(program=128)))
    score = replace(beat, notes=note_array([*score_of(notes).notes.tolist(), *beat.notes.tolist()]))
    (found,) = judge(beside_real(tune(3)), [score], styles=["tunes"], hidden=True)
    assert showing.words("a.mid", found) == [f"a.mid: {len(score_of(notes))} notes, nothing to check ({said})"]
    assert found.percentile is None and found.percentile_pitch is None and found.over == ()


def test_what_was_checked_against_and_what_was_left_out_is_said(tiny, command, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    later = [(onset + 4 * 96, *row) for onset, *row in score_of(TUNE).notes.tolist()]
    formats.save(Score(note_array(later)), folder / "later.mid")
    (folder / "torn.mid").write_bytes(b"MThd no music")
    formats.save(score_of(TUNE), tmp_path / "own.mid")
    asked = "originality", tmp_path / "own.mid"
    code, said, warned = command(*asked, "--corpus", folder)
    assert code == 0 and f"checked against the music in {folder} (1 piece)" in said
    assert "as in later.mid, bar 5, track 1" in said  # silent bars are counted, as they are in what is checked
    assert "left out of what is compared with: 1" in warned and "torn.mid: stops inside its header" in warned
    code, said, warned = command(*asked, "--corpus", folder, "--json")
    (found,) = json.loads(said)
    assert found["against"]["corpus"] == [str(folder)] and found["against"]["left_out"][0][0] == "torn.mid"
    code, said, _ = command(*asked, "--model", tiny.model, "--json")
    assert json.loads(said)[0]["against"]["model"] == tiny.model.name


def test_a_file_that_cannot_be_read_does_not_lose_the_others(tiny, command, tmp_path):
    formats.save(score_of(TUNE), tmp_path / "own.mid")
    (tmp_path / "empty.mid").touch()
    asked = "originality", tmp_path / "own.mid", tmp_path / "empty.mid", "--model", tiny.model
    code, said, warned = command(*asked)
    assert code == 2 and "own.mid: 16 notes" in said and "empty.mid: the file is empty" in warned
    code, said, _ = command(*asked, "--json")
    own, empty = json.loads(said)
    assert code == 2 and own["notes"] == 16 and "the file is empty" in empty["error"]
