"""Family `markov`: chances by hand, music that means the same in every key, and no file that harms its reader."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from music import encoding_for, score_of
from partimento import api, counts, model_file
from partimento.counts import MEMBER, Counts, Table, blended
from partimento.encodings import Plan, get_encoding
from partimento.errors import BadOption, ModelError, Stopped
from partimento.models import get_family, markov
from partimento.models._contexts import Music, fitted, moves_of, without_key
from partimento.sampling import Sampling, sample
from partimento.score import DRUM_PROGRAM, Key, Score, Track
from partimento.training import counting, export
from partimento.training.loop import train
from partimento.training.weights import load_composer
from partimento.transform import transpose
from partimento.viewpoints import WINDOW
from tunes import duet, tune

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("one_thread")
STYLES = ("tunes",)
SCALE = "C4 quarter, D4 quarter, E4 quarter, F4 quarter, G4 quarter, A4 quarter, B4 quarter, C5 quarter"


def music_of(encoding, scores) -> Music:
    """Pieces as rows; each one's row before the music is not learnt."""
    tables = [encoding.encode(score, {"style": STYLES[0]}) for score in scores]
    first = np.repeat(np.cumsum([0, *(len(table) for table in tables[:-1])]), [len(table) for table in tables])
    rows = np.concatenate(tables)
    for entry in encoding.given:
        if entry.droppable >= 0.5:
            rows[:, encoding.columns[entry.name]] = 0
    return Music(rows, first, np.arange(len(rows)) > first)


def windows(music: Music) -> tuple[np.ndarray, np.ndarray]:
    """The window before every row that is learnt, and the row."""
    index = np.flatnonzero(music.learnt)
    at = index[:, None] - np.arange(WINDOW, 0, -1)
    found = np.where((at >= music.first[index][:, None])[..., None], music.rows[np.maximum(at, 0)], -1)
    return found, music.rows[index]


def nats_of(found: Counts, music: Music) -> float:
    window, rows = windows(music)
    return float(sum(found.nats(name, window, rows).mean() for name in composed(found)))


def composed(found: Counts) -> list[str]:
    return [name for name, entry in found.layout.fields.items() if not entry.given]


def counted(encoding, scores, order: int = 2) -> Counts:
    return Counts(encoding.fields, *fitted(music_of(encoding, scores), encoding, order))


NOTES = get_encoding("notes", styles=STYLES)


@cache
def tunes() -> Counts:
    return counted(NOTES, [tune(number) for number in range(12)])


# --- blending


def test_a_context_and_the_shorter_one_are_weighed_by_what_followed():
    """a is followed by b three times and by c once: method C gives what is new two of six, half of it to b."""
    shorter = np.array([0.25, 0.25, 0.25, 0.25])
    found = blended(shorter, np.array([0, 3, 1, 0]), np.array(2), np.array(4), 1.0)
    assert np.allclose(found, [0.5 / 6, 3.5 / 6, 1.5 / 6, 0.5 / 6]) and np.isclose(found.sum(), 1)
    assert np.allclose(blended(shorter, np.zeros(4), np.array(0), np.array(0), 1.0), shorter)  # never met


def test_a_table_knows_what_followed_and_how_often():
    table = Table(np.array([(5 << 16) + 1, (5 << 16) + 7, (9 << 16) + 2]), np.array([3, 1, 4]))
    low, different, times = table.looked_up(np.array([5, 6, 9]) << 16)
    assert (low.tolist(), different.tolist(), times.tolist()) == ([0, 2, 2], [2, 0, 1], [4, 0, 4])
    assert table.hits(np.array([5, 5, 6, 9]) << 16, np.array([7, 2, 1, 2])).tolist() == [1, 0, 0, 4]


@pytest.mark.parametrize("key_is_told", [True, False])
def test_chances_add_up_to_one_and_are_those_that_music_is_judged_by(key_is_told):
    music = music_of(NOTES, [tune(20), tune(21)])
    window, rows = windows(music if key_is_told else without_key(music, NOTES))
    for name in composed(tunes()):
        logits = tunes().logits(name, window, rows)
        assert np.allclose(np.exp(logits.astype(float)).sum(axis=1), 1, atol=1e-5)
        true = rows[:, NOTES.columns[name]]
        chosen = np.where(true >= 0, -logits[np.arange(len(rows)), np.maximum(true, 0)], 0)
        assert np.allclose(chosen, tunes().nats(name, window, rows), atol=1e-4)


# --- pitches are relative


@pytest.mark.parametrize(("key_is_told", "semitones"), [(True, -5), (True, 4), (False, -7), (False, 4), (False, 12)])
def test_music_is_predicted_alike_in_every_key(key_is_told, semitones):
    """But for its first note: before it there is no pitch to count from."""
    there, here = (music_of(NOTES, [score]) for score in (transpose(tune(20), semitones), tune(20)))
    for music in (there, here):
        music.learnt[1] = False
    if not key_is_told:
        there, here = without_key(there, NOTES), without_key(here, NOTES)
    assert nats_of(tunes(), here) == pytest.approx(nats_of(tunes(), there), abs=1e-6)
    assert not np.array_equal(there.rows, here.rows)


def test_a_scale_learnt_in_c_goes_on_in_e_flat():
    scale = score_of(SCALE, keys=(Key(0, 0),))
    found = counted(NOTES, [scale] * 3, order=1)
    window, rows = windows(music_of(NOTES, [transpose(scale, 3)]))
    logits = found.logits("pitch", window[1:-1], rows[1:-1])  # the first note has none before it
    assert logits.argmax(axis=1).tolist() == [65, 67, 68, 70, 72, 74, 75]


def test_how_music_moves_is_asked_of_the_encoding():
    moves, still = moves_of(NOTES)
    assert moves["pitch"] == [*range(1, 128), 0] and moves["key"][:13] == [0, *range(2, 13), 1]
    assert "wait" not in moves and still == {"pitch": [["program", [DRUM_PROGRAM]]]}
    moves, _ = moves_of(get_encoding("voices"))
    assert moves["alto"][:4] == [0, 1, 3, 4]  # to hold and to rest are no pitches
    moves, _ = moves_of(get_encoding("pianoroll"))
    assert moves["sounding"] == []
    words = encoding_for("chords", score_of("C4+E4+G4 half, D4+F4+A4 half, G3+B3 whole"))
    assert moves_of(words) == ({}, {})  # most words leave the vocabulary


def test_drums_stay_where_they_are():
    drums = score_of("C2 quarter, D2 quarter, C2 quarter, D2 quarter", tracks=(Track("", DRUM_PROGRAM),))
    moves, still = moves_of(NOTES)
    layout = counts.Layout(NOTES.fields, moves, still)
    music = music_of(NOTES, [drums])
    seen = music.seen(layout, np.flatnonzero(music.learnt)[:4])
    for by in (0, 5):
        assert seen.moved(0, "pitch", np.full(4, by)).tolist() == [36, 38, 36, 38]


# --- what a context sees


def test_a_context_reaches_as_far_back_as_its_order():
    window, rows = windows(music_of(NOTES, [tune(20)]))
    window, rows = window[20:21], rows[20:21]
    for order, reach in ((0, 0), (1, 1), (3, 3)):
        found = counted(NOTES, [tune(number) for number in range(12)], order)
        other = window.copy()
        other[:, : WINDOW - reach, :] = np.roll(other[:, : WINDOW - reach, :], 1, axis=1)
        for name in composed(found):
            same = found.logits(name, other, rows) == found.logits(name, window, rows)
            assert same.all(), (order, name)


def test_a_field_sees_what_was_chosen_before_it_and_no_other():
    window, rows = windows(music_of(NOTES, [duet(20)]))
    found, names = counted(NOTES, [duet(number) for number in range(12)]), [f.name for f in NOTES.composed]
    changed = 0
    for place, name in enumerate(names):
        logits = found.logits(name, window, rows)
        for other in names:
            harmed = rows.copy()
            harmed[:, NOTES.columns[other]] = 3
            if other in names[place:]:
                assert np.array_equal(found.logits(name, window, harmed), logits)
            else:
                changed += not np.array_equal(found.logits(name, window, harmed), logits)
    assert changed >= 3


def test_more_of_the_past_predicts_a_tune_better():
    held_out = music_of(NOTES, [tune(number) for number in range(20, 26)])
    learnt = [tune(number) for number in range(12)]
    nats = [nats_of(counted(NOTES, learnt, order), held_out) for order in (0, 1, 2)]
    assert nats[0] > nats[1] + 1 and nats[1] > nats[2]
    assert nats_of(Counts(NOTES.fields, *fitted(held_out, NOTES, 2)), held_out) < nats[2]  # what is learnt by heart


# --- other encodings


def chords(number: int) -> Score:
    """Four bars in which I, IV and V follow each other, from one of them on."""
    names = ("C4+E4+G4 half", "F4+A4+C5 half", "G4+B4+D5 half")
    return score_of(", ".join(names[(number + n) % 3] for n in range(8)), keys=(Key(0, 0),))


@pytest.mark.parametrize(("name", "options"), [("chords", {}), ("events", {"timed": True}), ("pianoroll", {})])
def test_other_encodings_are_counted_and_composed(name, options):
    scores = [chords(number) for number in range(5)]
    encoding = encoding_for(name, *scores, **options)
    found = counted(encoding, scores)
    held_out = music_of(encoding, [chords(30)])
    uniform = Counts(encoding.fields, {"moves": {}, "still": {}, "told": {}, "untold": {}}, *[np.zeros(0, int)] * 2)
    assert nats_of(found, held_out) < nats_of(uniform, held_out) / 3
    window, rows = windows(held_out)
    for entry in encoding.composed:
        if entry.kind == "binary":  # the nats are those of all units' own chances
            units = rows[:, encoding.columns[entry.name] :][:, : entry.size]
            logits = found.logits(entry.name, window, rows).astype(float)
            nats = np.logaddexp(0, np.where(units > 0, -logits, logits)).sum(axis=1)
            assert np.allclose(nats, found.nats(entry.name, window, rows), atol=1e-3)
    model = Twin(encoding, found)
    plan = Plan(bars=2, key=(0, "major"))
    steps = [row for _, row in sample(model, [encoding.cursor(plan)], Sampling(), [np.random.default_rng(2)])]
    assert len(encoding.decode(np.array(steps), plan)) > 4


class Twin:
    """What composes from counts, as `model_file.Model` does it."""

    def __init__(self, encoding, found: Counts):
        self.encoding, self.counts = encoding, found

    def begin(self, size, rngs=()):
        return counts.Rows(size, self.encoding.width)

    def advance(self, last, given, time, state):
        return state.step(last)

    def logits(self, field, hidden, chosen):
        return self.counts.logits(field, hidden.reshape(len(hidden), WINDOW, -1), chosen)


# --- the family


def family(order: int | None = 2) -> markov.Family:
    model = get_family("markov")(NOTES.fields, order=order)
    model.fit(music_of(NOTES, [tune(number) for number in range(12)]), NOTES, 2)
    return model.eval()


@pytest.mark.parametrize("order", [-1, 13, 1.5, True, "two"])
def test_an_order_that_is_none_is_refused(order):
    with pytest.raises(BadOption, match=f"order {order!r} is out of range; wanted a number from 0 to 12"):
        get_family("markov")(NOTES.fields, order=order)


def described(model) -> dict:
    fields = [[entry.name, entry.size, entry.given] for entry in NOTES.fields]
    return {"encoding": NOTES.spec(), "fields": fields, "state": json.loads(json.dumps(model.state_spec()))}


def test_the_file_composes_what_the_torch_model_does():
    model = family()
    twin = model_file.Model(described(model), export.graphs(model))
    rows = music_of(NOTES, [tune(20)]).rows.astype(np.int64)
    state, kept = model.begin(2), twin.begin(2)
    for at in range(len(rows) - 1):
        last, coming, time = rows[[at, at]], rows[[at + 1, at + 1]], np.zeros(2, np.float32)
        hidden, state = model.advance(*map(torch.from_numpy, (last, coming, time)), state)
        found = twin.advance(last, coming, time, kept)
        assert np.array_equal(hidden.numpy(), found)
        for entry in NOTES.composed:
            logits = model.logits(entry.name, hidden, torch.from_numpy(coming)).numpy()
            assert np.array_equal(logits, twin.logits(entry.name, found, coming)) and logits.std() > 0


def test_counts_of_any_length_come_back_from_a_state():
    model, other = family(), get_family("markov")(NOTES.fields)
    other.load_state_dict(model.state_dict())
    rows = torch.from_numpy(music_of(NOTES, [tune(20)]).rows.astype(np.int64))[None]
    batch = {"last": rows[:, :-1], "steps": rows[:, 1:], "mask": torch.ones(1, rows.shape[1] - 1, dtype=torch.bool)}
    before, after = model.loss(batch), other.loss(batch)
    assert before == after and 0 < sum(before.values()) < 2
    assert other.objectives() == {} and not list(other.parameters())


# --- training


@pytest.fixture
def few_orders(monkeypatch):
    monkeypatch.setattr(markov, "ORDERS", range(3))


def plan_of(tiny, **options):
    return tiny.plan(family="markov", options=options)


def test_orders_are_tried_in_turn_and_a_model_file_is_left(tiny, few_orders, tmp_path):
    output = tmp_path / "counted.partimento"
    request = api.TrainingRequest((tiny.tunes,), output, "markov", workers=0)
    said = list(api.train(request))
    assert [one.step for one in said] == [1, 2, 3] and said[0].valid > said[2].valid
    assert "order 0" in said[0].said[0] and said[-1].health["collapsed"] is False
    info = model_file.read_info(output)
    assert info["state"]["order"] in (1, 2) and info["card"]["nats"]["tunes, test, told"] < 2.5
    score = api.compose(model=output, bars=4, seed=1)
    assert len(score) > 8 and np.array_equal(api.compose(model=output, bars=4, seed=1).notes, score.notes)
    back = load_composer(output)
    assert len(back.heads.keys) == info["state"]["entries"]
    assert list(api.train(request)) == []  # all is done
    with pytest.raises(BadOption, match="counts are not gone on with"):
        list(api.train(api.TrainingRequest((tiny.tunes,), tmp_path / "on.partimento", start=output, workers=0)))


def test_a_run_that_was_stopped_ends_with_the_same_counts(tiny, few_orders, tmp_path, monkeypatch):
    plan = plan_of(tiny)
    whole = list(train(tiny.music, plan, tmp_path / "whole"))

    class Asked:
        is_there = True

    with monkeypatch.context() as patched, pytest.raises(Stopped, match="stopped before order 1; all is in"):
        patched.setattr(counting, "wishes", lambda: _As(Asked()))
        list(train(tiny.music, plan, tmp_path / "stopped"))
    rest = list(train(tiny.music, plan, tmp_path / "stopped"))
    assert [one.step for one in rest] == [2, 3] and [one.valid for one in rest] == [one.valid for one in whole[1:]]
    first, second = (load_state(tmp_path / name / "best.safetensors") for name in ("whole", "stopped"))
    assert all(torch.equal(first[name], second[name]) for name in first)


class _As:
    """A value as a context."""

    def __init__(self, value):
        self.value = value

    def __enter__(self):
        return self.value

    def __exit__(self, *raised):
        return False


def load_state(path) -> dict:
    from safetensors.torch import load_file

    return load_file(path)


def test_one_order_is_counted_where_it_is_asked_for(tiny, tmp_path):
    said = list(train(tiny.music, plan_of(tiny, order=1), tmp_path / "one"))
    assert [(one.step, one.steps) for one in said] == [(2, 2)]


def test_a_budget_that_counting_has_no_use_for_is_said_to_have_none(tiny, tmp_path):
    plan = replace(plan_of(tiny, order=1), steps=0)
    (said,) = train(tiny.music, plan, tmp_path / "none")
    assert not any("not used" in line for line in said.said)
    (said,) = train(tiny.music, replace(plan, steps=50), tmp_path / "steps")
    assert sum("steps not used; orders tried: 1" in line for line in said.said) == 1


# --- the file


@pytest.fixture(scope="module")
def model() -> markov.Family:
    return family()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda data: data[:-5], "bytes;"),
        (lambda data: data + b"x", "bytes;"),
        (lambda data: data[8:16] + data[:8] + data[16:], "out of order"),
        (lambda data: data[:-4] + bytes(4), "below one"),
        (lambda data: b"\xff" * 8 + data[8:], "out of order"),
    ],
)
def test_counts_that_were_harmed_are_refused(model, harm, said):
    with pytest.raises(ModelError, match=said):
        model_file.Model(described(model), {MEMBER: harm(model.members()[MEMBER])})


def viewpoint(spec: dict) -> dict:
    return spec["told"]["pitch"][0]


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec.pop("moves"),
        lambda spec: spec.update(entries=-1),
        lambda spec: spec.update(entries=2**40),
        lambda spec: spec.update(columns=7),
        lambda spec: spec.update(told=[1]),
        lambda spec: spec["moves"].update(pitch=[0] * 128),
        lambda spec: spec["moves"].update(pitch=[1, 0]),
        lambda spec: spec["moves"].update(tune=[1, 0]),
        lambda spec: spec["still"].update(pitch=[["drums", [1]]]),
        lambda spec: spec["told"].update(tune=spec["told"]["pitch"]),
        lambda spec: viewpoint(spec).update(escapes=[1.0]),
        lambda spec: viewpoint(spec).update(escapes=[float("nan")] * len(viewpoint(spec)["escapes"])),
        lambda spec: viewpoint(spec).update(weight=-1),
        lambda spec: viewpoint(spec).update(reference="moon"),
        lambda spec: viewpoint(spec)["elements"].__setitem__(0, ["row", 99, "pitch"]),
        lambda spec: viewpoint(spec)["elements"].__setitem__(0, ["row", 1, "moon"]),
        lambda spec: viewpoint(spec)["elements"].__setitem__(0, ["chord", 1, "pitch"]),
        lambda spec: viewpoint(spec)["elements"].__setitem__(0, ["look", 1, "pitch"]),
        lambda spec: viewpoint(spec)["elements"].__setitem__(0, ["own", 0, "pitch"]),
        lambda spec: viewpoint(spec).update(elements="row"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(model, change):
    info = described(model)
    change(info["state"])
    with pytest.raises(ModelError):
        model_file.Model(info, model.members())


def test_classes_that_no_field_has_are_passed_over(model):
    keys = model.heads.keys.numpy() | 0x7FFF
    keys, which = np.unique(keys, return_index=True)
    data = counts.packed(keys, model.heads.numbers.numpy()[which])
    info = described(model)
    info["state"]["entries"] = len(keys)
    twin = model_file.Model(info, {MEMBER: data})
    hidden = twin.advance(*[np.zeros((1, NOTES.width), np.int64)] * 2, np.zeros(1, np.float32), twin.begin(1))
    assert np.isfinite(twin.logits("pitch", hidden, np.zeros((1, NOTES.width), np.int64))).all()
