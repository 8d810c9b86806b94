"""Which weights are kept and what is said of them: copying, repetition, the rule, the verdict, what is held out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from music import score_of
from partimento import api, formats, model_file
from partimento.cards import card_text
from partimento.cli._live import time_left
from partimento.encodings import get_encoding
from partimento.encodings._gaps import END
from partimento.encodings.base import Plan
from partimento.originality import build, copied
from partimento.score import Score, Track
from partimento.training import listening
from partimento.training.choice import Choice, best_of, competitors, reason
from partimento.training.copying import RUN, repetition, unlikeness
from partimento.training.health import health_of
from partimento.training.heldout import with_held_out
from partimento.training.kept import worth_keeping
from partimento.training.listening import Heard, composed, has_collapsed
from partimento.training.outlook import outlook
from partimento.transform import transpose
from tunes import tune

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("one_thread")

LINE = (
    "C4 quarter, E4 quarter, D4 eighth, G4 eighth, F4 quarter, A4 half, B4 eighth, G4 eighth, C5 quarter, "
    "A4 quarter, D4 half, E4 half"
)  # twelve notes


# --- copied, and repeated


def share(learnt: list[Score], scores: list[Score]) -> float | None:
    return copied(build(("", "", score) for score in learnt), scores, RUN)


def test_twelve_notes_are_copied_in_any_key_and_eleven_are_not():
    assert share([score_of(LINE)], [transpose(score_of(LINE), 5)]) == 1
    assert share([score_of(LINE)], [score_of(", ".join(LINE.split(", ")[:11]))]) == 0
    assert share([score_of(LINE)], []) is None


def test_another_rhythm_or_one_other_note_is_no_copy():
    assert share([score_of(LINE)], [score_of(LINE.replace("eighth", "quarter"))]) == 0
    assert share([score_of(LINE)], [score_of(LINE.replace("F4", "Bb4"))]) == 0


def test_the_share_is_that_of_the_notes_and_a_copy_in_another_part_is_found():
    known = [score_of("C3 whole, G3 whole", LINE)]
    mixed = score_of(f"C5 whole, E5 quarter, C5 quarter, {LINE}, F4 whole")
    assert share(known, [mixed]) == RUN / 16
    assert share(known, [score_of(LINE), score_of("E4 quarter, " * 11 + "E4 quarter")]) == 0.5


def test_drums_are_left_out():
    beat = score_of(LINE, tracks=(Track(program=128),))
    assert share([beat], [score_of(LINE)]) == 0 and repetition(beat) == {}


def test_repetition_of_one_note_of_a_scale_and_of_chords():
    one = repetition(score_of("C4 quarter, C4 quarter, C4 half, C4 whole"))
    assert one == {"repeated": 1, "longest": 4, "commonest": 1, "classes": 1, "entropy": 0}
    scale = repetition(score_of("C4 quarter, D4 quarter, E4 quarter, C5 quarter"))
    assert scale == {"repeated": 0, "longest": 1, "commonest": 0.25, "classes": 3, "entropy": 2}
    chords = repetition(score_of("C4+E4+G4 quarter, C4+E4+G4 quarter"))
    assert chords["repeated"] == 1 and chords["longest"] == 2 and chords["classes"] == 3


def test_unlikeness_is_none_beside_itself_and_grows():
    real = [repetition(tune(number)) for number in range(6)]
    drone = [repetition(score_of("C4 quarter, " * 20 + "C4 quarter"))]
    assert unlikeness(real, real) == 0 < unlikeness(real[:2], real) < unlikeness(drone, real)


# --- the rule


def heard(copied: float = 0.0, unlike: float = 0.0, fallen: float = 0.0) -> Heard:
    return Heard(8, 400, fallen, copied, {}, unlike)


REAL = heard(0.02)


def test_those_compete_whose_likelihood_is_within_a_hundredth_of_the_best():
    assert competitors({1: 5.0, 2: 4.02, 3: 4.0, 4: 4.05}) == ([3, 2], [4, 1])
    assert competitors({1: None, 2: None, 3: None}) == ([3], [2, 1])
    assert competitors({}) == ([], [])


@pytest.mark.parametrize(
    ("found", "best", "said"),
    [
        ({3: heard()}, 3, "no other"),
        ({3: heard(), 2: heard()}, 3, "not better otherwise"),
        ({3: heard(0.30), 2: heard(0.10)}, 2, "10 % of the notes against 30 %"),
        ({3: heard(0.05), 2: heard(0.03)}, 3, "not better otherwise"),  # hardly more than real pieces share
        ({3: heard(unlike=2), 2: heard(unlike=0.6)}, 2, "0.6 of their spread off, against 2.0"),
        ({3: heard(fallen=0.9), 2: heard(0.3)}, 2, "step 3 had collapsed"),
    ],
)
def test_the_rule_and_its_reason(found, best, said):
    judged = {2: 4.02, 3: 4.0}
    assert best_of(found, REAL, judged) == best
    why = reason(best, found, REAL, judged, 1.5)
    assert said in why and why.startswith(f"Step {best} (epoch 1.5)")


def test_the_latest_and_the_likeliest_are_kept_and_no_more():
    judged = {1: 3.0, 2: 2.0, 3: 2.5, 4: 4.0, 5: 5.0}
    assert worth_keeping(judged, 2) == {2, 3, 4, 5}
    assert worth_keeping(dict.fromkeys(judged), 3) == {3, 4, 5}


# --- health


def health(choice: Choice, **entry) -> dict[str, Any]:
    history = [{"step": 3, "valid": 4.0, "learnt": 3.6, **entry}]
    return health_of(SimpleNamespace(state={"history": history, "setbacks": []}, remark=""), choice)


def test_a_model_that_copies_no_more_than_real_pieces_is_well():
    found = health(Choice(3, "", {3: heard(0.08)}, REAL))
    assert (found["collapsed"], found["memorises"], found["warnings"]) == (False, "no", [])
    assert found["gap"] == pytest.approx(0.1) and json.dumps(found)


def test_copying_and_learning_by_heart_are_told_apart():
    copies = health(Choice(3, "", {3: heard(0.4)}, REAL), learnt=1.0)
    leans = health(Choice(3, "", {3: heard(0.05)}, REAL), learnt=1.0)
    unknown = health(Choice(3, "", {3: heard(0.05)}, heard()), valid=None)
    assert [one["memorises"] for one in (copies, leans, unknown)] == ["yes", "leans", "unknown"]
    assert "40%" in copies["warnings"][0] and "2% do" in copies["warnings"][0]
    assert "1.00 nats" in leans["warnings"][0]


def test_one_note_for_ever_is_a_collapse_unless_real_music_is_so():
    assert has_collapsed(heard(fallen=0.6), REAL) and not has_collapsed(heard(fallen=0.6), heard(fallen=0.5))
    found = health(Choice(3, "", {3: heard(fallen=1.0)}, REAL))
    assert found["collapsed"] and "Do not use it" in found["verdict"] and "100% of the 8 pieces" in found["warnings"][0]


@dataclass
class OneNote:
    """A model that knows one note: the classes of `best` are the likeliest, the first before the second."""

    encoding: Any
    best: dict[str, tuple] = field(default_factory=lambda: {"wait": (24, END), "pitch": (60,), "duration": (23,)})

    def begin(self, size: int, *_: Any) -> Any:
        return None

    def advance(self, last, given, time, state) -> np.ndarray:
        return np.zeros((len(last), 1), np.float32)

    def logits(self, name: str, hidden, chosen) -> np.ndarray:
        size = next(entry.size for entry in self.encoding.composed if entry.name == name)
        scores = np.zeros((len(hidden), size), np.float32)
        for rank, best in enumerate(self.best.get(name, (1,))):
            scores[:, best] = 100.0 - 50 * rank
        return scores


def test_what_is_composed_to_be_judged_is_always_the_same_and_has_the_bars_of_its_plan():
    encoding = get_encoding("notes")
    pieces = composed(OneNote(encoding), encoding, [Plan(bars=4), Plan(bars=2, programs=(73, 42))])
    assert pieces == composed(OneNote(encoding), encoding, [Plan(bars=4), Plan(bars=2, programs=(73, 42))])
    assert [piece.end for piece in pieces] == [4 * 96, 2 * 96] and repetition(pieces[0])["classes"] == 1


def test_a_collapsed_model_is_exported_with_a_warning_only(tiny, command, tmp_path, monkeypatch):
    monkeypatch.setattr(listening, "playable", lambda model, spec: OneNote(get_encoding(**spec)))
    output = tmp_path / "m.partimento"
    small = [f"--set={name}" for name in ("width=16", "layers=1", "heads=2", "batch=2", "evaluations=2")]
    code, said, complaint = command("train", tiny.tunes, "-o", output, "--steps", 4, "--workers", 0, *small)
    assert code == 0 and "wrote" in said
    assert "warning: the model has collapsed: 100% of the" in complaint and "Do not use it" in complaint
    card = model_file.read_info(output)["card"]
    assert card["health"]["collapsed"] and card["health"]["composed"]["repetition"]["classes"] == 1
    assert api.warnings_of(output) == card["health"]["warnings"]
    assert "**Health**: Collapsed" in card_text(output, model_file.read_info(output))
    assert "reading 12/12" in complaint and "step      4/4  epoch" in complaint  # plain lines where nothing can move
    page = (tmp_path / "m.partimento.run" / "report.html").read_text("utf-8")
    assert "Do not use it" in page and "one note for ever" in page


def test_the_time_left_is_said_in_words():
    assert [time_left(n) for n in (0.4, 119, 130, 3700, 7500)] == [
        "0 s left", "119 s left", "2 min left", "1 h 02 min left", "2 h 05 min left",
    ]  # fmt: skip


# --- what is held out of a single file, and what to expect


def long_tune(count: int) -> Score:
    """Tunes end to end, each of another number."""
    rows, now = [], 0
    for number in range(count):
        notes = tune(number).notes.copy()
        notes["onset"] += now
        rows.append(notes)
        now += 8 * 96
    return Score(np.concatenate(rows), metres=tune(0).metres, tempos=tune(0).tempos, keys=tune(0).keys)


@pytest.fixture
def alone(tiny, tmp_path):
    formats.save(long_tune(20), tmp_path / "alone.mid")
    return api.prepare(tiny.request(tmp_path / "m.partimento", folders=(tmp_path / "alone.mid",)))


def test_of_a_single_long_file_the_last_tenth_is_held_out_from_a_bar_line_on(alone):
    encoding = get_encoding(**alone.spec)
    cache, remark = with_held_out(alone, encoding)
    (whole,), (learnt,), (held,) = alone.pieces, cache.of("train"), cache.of("valid")
    assert "the last tenth of the piece" in remark and "flatter" in remark
    assert learnt.notes + held.notes == whole.notes and 0.08 < held.length / whole.length < 0.13
    assert held.start == learnt.start + learnt.length - 1  # the row before the first one to be judged
    assert held.start + held.length == whole.start + whole.length
    first = alone.steps[held.start + 1]
    assert first[encoding.columns["place"]] == 1  # on a bar line
    assert with_held_out(cache, encoding) == (cache, "")


def test_of_a_short_file_nothing_is_held_out_and_that_is_said(tiny, tmp_path):
    cache = api.prepare(tiny.request(tmp_path / "m.partimento", folders=(tiny.tunes / "tune00.mid",)))
    same, remark = with_held_out(cache, get_encoding(**cache.spec))
    assert same is cache and remark.startswith("nothing is held out")


def test_what_to_expect_depends_on_how_much_music_there_is(alone, tiny):
    little, more = outlook(alone), outlook(alone, goes_on=True)
    notes = alone.pieces[0].notes
    assert f"1 piece and {notes} notes" in little[0] and "by heart" in little[0] and "--from" in little[0]
    assert "--from" not in more[0] and len(little) == 2
    assert len(outlook(tiny.music)) == 1 or len(tiny.music.of("train")) < 10
