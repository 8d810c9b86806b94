"""`explain`: the chances are the model's own, surprise adds up to what training reports, words say what is chosen."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import partimento
from music import score_of
from partimento import api, formats, model_file, styles
from partimento.encodings import get_encoding
from partimento.encodings.base import Field
from partimento.errors import BadOption, ModelError, MusicError
from partimento.explaining import chances_at, read
from partimento.explaining.inside import gate_figures, head_figures, looked_at
from partimento.explaining.said import curve, percent
from partimento.explaining.words import word_of
from partimento.models import get_family
from partimento.score import note_array
from partimento.training.listening import playable
from partimento.training.looking import look_at
from test_registry import hymn
from tunes import tune

pytest_plugins = ["tiny"]
NETS = {
    "lstm": ("recurrent", {"cell": "lstm", "width": 16, "layers": 2, "head_width": 16, "dropout": 0.0}),
    "gru": ("recurrent", {"cell": "gru", "width": 16, "layers": 1, "head_width": 16, "dropout": 0.0}),
    "stack": ("stack", {"net": [["lstm", 12], ["bi-gru", 8]], "embedding": 8, "sees": 6}),
    "transformer": ("transformer", {"width": 16, "layers": 2, "heads": 2, "head_width": 16, "context": 64}),
}


def made(name: str, encoding):
    """A module of `NETS` with weights that matter."""
    family, options = NETS[name]
    torch.manual_seed(3)
    return get_family(family)(encoding.fields, **options).eval()


def lesson_of(score, encoding):
    rows = encoding.encode(score).astype(np.int64)
    times = np.asarray(encoding.times(rows), dtype=np.int64)
    return encoding.arranged(rows, times, None)


# --- chances


@pytest.mark.parametrize("name", NETS)
def test_chances_without_torch_are_those_of_the_module(name):
    encoding = get_encoding("notes")
    module, lesson = made(name, encoding), lesson_of(tune(1), encoding)
    tensors = {name: torch.from_numpy(np.asarray(value))[None] for name, value in
               (("last", lesson.rows[:-1]), ("steps", lesson.rows[1:]), ("time", lesson.times))}  # fmt: skip
    batch = tensors | {"mask": torch.ones(1, len(lesson.rows) - 1, dtype=torch.bool)}
    with torch.inference_mode():
        found = module.heads.nats(module.hidden(batch), batch["steps"])
    nats = {field: value[0].numpy() for field, value in found.items()}
    logits = chances_at(playable(module, encoding.spec()), lesson.rows, lesson.times)
    for field, wanted in nats.items():
        true = lesson.rows[1:, encoding.columns[field]]
        found = np.log(np.exp(logits[field]).sum(1)) - logits[field][np.arange(len(true)), true.clip(min=0)]
        assert found[true >= 0] == pytest.approx(wanted[true >= 0], abs=2e-3)


def test_surprise_is_that_of_the_model_and_is_shared_by_the_notes(tiny):
    model = model_file.load(tiny.model)
    found = read(model, tune(1), "tunes", bars=4)
    assert found.bits_of.sum() == pytest.approx(sum(step.bits for step in found.shown if step.choices[3].word != "-"))
    assert sum(found.bits_by_field().values()) == pytest.approx(found.bits_a_note)
    step = found.shown[2]
    pitch = next(choice for choice in step.choices if choice.field == "pitch")
    assert pitch.bits == pytest.approx(-math.log2(pitch.chance)) and len(pitch.likely) == 3
    assert pitch.likely[0][1] >= pitch.likely[1][1] and (pitch.rank == 1) == (pitch.word == pitch.likely[0][0])


def test_only_the_bars_asked_for_are_read(tiny):
    model = model_file.load(tiny.model)
    first, second = (read(model, tune(1), "tunes", bars=bars, bar=bar) for bars, bar in ((2, None), (1, 2)))
    assert first.bars == (1, 2) and {step.bar for step in first.shown} == {1, 2}
    assert second.bars == (2, 2) and {step.bar for step in second.shown} == {2}
    assert len(first.score) > len(second.score) > 0
    assert [note["pitch"] for note in second.score.notes] == [
        note["pitch"] for note, step in zip(first.score.notes, first.shown, strict=True) if step.bar == 2
    ]
    for wrong in ({"bar": 99}, {"bars": 0}, {"bars": 65}, {"top": 0}):
        with pytest.raises(BadOption):
            read(model, tune(1), "tunes", **wrong)


@pytest.mark.parametrize("name", ["voices", "pianoroll", "events", "chords"])
def test_every_encoding_is_read(name):
    score = hymn(24)
    encoding = get_encoding(name)
    encoding = encoding.learnt([encoding.words_of(score)]) if encoding.learns else encoding
    module = get_family("recurrent")(encoding.fields, width=8, layers=1, head_width=8).eval()
    found = read(playable(module, encoding.spec()), score, bars=3)
    assert found.bits > 0 and len(found.score) == len(found.bits_of) > 0
    assert found.bits_of.sum() <= found.bits + 1e-6
    said = json.loads(json.dumps(api.Explanation("hymn", "model", "recurrent", found, look_none()).as_dict()))
    assert len(said["notes"]) == len(found.score)


def look_none():
    from partimento.explaining import Inside

    return Inside()


def test_a_long_piece_is_read_as_far_as_the_model_sees(tiny):
    encoding = get_encoding("notes")
    model = playable(made("transformer", encoding), encoding.spec())  # which sees 64 steps
    score = score_of(", ".join(["C4 sixteenth, D4 sixteenth"] * 200))
    found = read(model, score, bars=16)
    assert len(found.steps) <= 64 and any("sees 64 at once" in remark for remark in found.remarks)


def test_music_off_the_grid_is_moved_to_it_and_that_is_said(tiny):
    notes = note_array([(beat * 480 + 47 * (beat % 2), 400, 60 + beat, 80, 0) for beat in range(8)])
    found = read(model_file.load(tiny.model), replace(tune(1), notes=notes, ticks_per_beat=480), "tunes", bars=2)
    assert len(found.score) == 8 and "moved to the grid" in found.remarks[0]


def test_a_model_that_only_paints_has_no_chances_of_music():
    encoding = get_encoding("voices")
    module = get_family("gan")(encoding.fields, hidden=[8], critic_hidden=[8], step_width=8, critic_width=8).eval()
    with pytest.raises(ModelError, match="gives no chances to music that stands"):
        read(playable(module, encoding.spec()), hymn(0))


# --- words


@pytest.mark.parametrize(
    ("encoding", "field", "value", "word"),
    [
        ("notes", "pitch", 60, "C4"), ("notes", "duration", 23, "1 beat"), ("notes", "wait", 0, "at once"),
        ("notes", "wait", 36, "after 1.5 beats"), ("notes", "wait", 385, "the end"), ("notes", "program", 73, "flute"),
        ("notes", "program", 128, "drums"), ("notes", "pitch", -1, "-"), ("notes", "key", 1, "C major"),
        ("notes", "key", 0, "not said"), ("notes", "metre", 2, "3/4"), ("notes", "place", 25, "beat 2"),
        ("notes", "chord", 2, "C"), ("notes", "bars_left", 3, "2 bars to come"), ("voices", "place", 5, "beat 2"),
        ("voices", "soprano", 0, "hold"), ("voices", "soprano", 62, "C4"), ("voices", "sounding_bass", 49, "C3"),
        ("voices", "sounding_bass", 0, "silent"),
    ],
)  # fmt: skip
def test_classes_are_said_in_words(encoding, field, value, word):
    made_of = get_encoding(encoding)
    entry = next(one for one in made_of.fields if one.name == field)
    assert word_of(made_of, entry, value) == word


def test_units_are_said_as_pitches():
    entry, units = Field("sounding", "binary", 128), np.zeros(128)
    assert word_of(get_encoding("pianoroll"), entry, units) == "none"
    units[[60, 64]] = 1
    assert word_of(get_encoding("pianoroll"), entry, units) == "C4 E4"


def test_chances_are_said_as_percents():
    assert [percent(one) for one in (0.5, 0.05, 0.0004, 0.0)] == ["50 %", "5.0 %", "< 0.1 %", "0.0 %"]
    assert curve([0, 1, 2, 4], 4) == "▁▃▅█" and curve([], 4) == ""


# --- inside


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_gates_are_those_with_which_the_layer_runs(name):
    encoding = get_encoding("notes")
    module, lesson = made(name, encoding), lesson_of(tune(1), encoding)
    last, steps, time = (torch.from_numpy(np.asarray(one, np.int64))[None] for one in
                         (lesson.rows[:-1], lesson.rows[1:], lesson.times))  # fmt: skip
    seen = look_at(module, last, steps, time)
    assert len(seen.gates) == NETS[name][1]["layers"] and not seen.attention and not seen.remark
    gate = seen.gates[0]
    assert gate.values.shape == (len(gate.names), len(lesson.rows) - 1, 16)
    with torch.inference_mode():  # the first step by hand: the state is zero
        x = module.embedding(last, steps)[0, 0]
        memory = module.memory
        total = memory.weight_ih_l0 @ x + memory.bias_ih_l0 + memory.bias_hh_l0
        parts = total.sigmoid().view(-1, 16).numpy()
    wanted = parts[[0, 1, 3]] if name == "lstm" else parts[:2]
    assert gate.values[:, 0] == pytest.approx(wanted, abs=1e-5)


def test_layers_of_both_ways_are_seen_over_the_last_window():
    encoding = get_encoding("notes")
    module, lesson = made("stack", encoding), lesson_of(tune(1), encoding)
    seen = look_at(module, *(torch.from_numpy(np.asarray(one, np.int64))[None] for one in
                             (lesson.rows[:-1], lesson.rows[1:], lesson.times)))  # fmt: skip
    assert [gate.kind for gate in seen.gates] == ["lstm", "gru", "gru"] and "backwards" in seen.gates[2].layer
    assert all(gate.values.shape[1] == 6 for gate in seen.gates) and "sees 6 steps at once" in seen.remark


def test_attention_looks_back_alone_and_adds_up_to_one():
    encoding = get_encoding("notes")
    module, lesson = made("transformer", encoding), lesson_of(tune(1), encoding)
    last, steps, time = (torch.from_numpy(np.asarray(one, np.int64))[None] for one in
                         (lesson.rows[:-1], lesson.rows[1:], lesson.times))  # fmt: skip
    seen = look_at(module, last, steps, time)
    assert [one.layer for one in seen.attention] == ["layer 1", "layer 2"] and not seen.gates
    weights = seen.attention[0].weights
    assert weights.shape == (2, len(lesson.rows) - 1, len(lesson.rows) - 1)
    assert weights.sum(-1) == pytest.approx(1.0, abs=1e-5) and np.triu(weights[0], 1).max() == 0


def test_figures_of_gates_and_heads():
    forget = np.full((4, 3), 0.5)
    figures = gate_figures({"input": np.ones((4, 3)), "forget": forget})
    assert figures["remembers"] == pytest.approx(1.0) and figures["input"]["mean"] == 1.0
    before = np.eye(3, k=-1)
    before[0, 0] = 1.0  # each step looks at the one before it
    (head,) = head_figures(before[None], np.array([0, 24, 48]))
    assert head["steps"] == pytest.approx(2 / 3) and head["beats"] == pytest.approx(2 / 3) and head["spread"] == 1.0
    assert looked_at(before[None], 2) == [(1, 1.0)]


# --- the command


def test_the_command_says_and_writes_everything(tiny, tmp_path, command):
    formats.save(tune(1), tmp_path / "tune.mid")
    page = tmp_path / "page.html"
    code, said, _ = command("explain", tmp_path / "tune.mid", "--model", tiny.model, "--bar", 2, "--html", page)
    assert code == 0 and "bits a note" in said and "bar 2, step by step" in said and "attention" in said
    text = page.read_text("utf-8")
    assert "<svg" in text and "data:image/png;base64" in text and "http" not in text.replace("http://www.w3.org", "")
    code, said, _ = command("explain", "--model", tiny.model, "--bars", 2, "--json")
    found = json.loads(said)
    assert code == 0 and found["composed"] and found["attention"][0]["heads"] and found["steps"][-1]["choices"]
    entries = sum(len(one) for one in found.values() if isinstance(one, list))
    assert len(said.splitlines()) < entries + 2 * len(found) + 2  # an entry a line, not a number a line


def test_the_page_leaves_out_what_is_no_question_at_any_step():
    from partimento.explaining.pages import foregone
    from partimento.explaining.reading import Choice, Step

    def step(number: int, pitch: float, program: float) -> Step:
        choices = (Choice("program", "piano", 0.0, program, 1, ()), Choice("pitch", "C4", 1.0, pitch, 1, ()))
        return Step(number, 0, 1, {}, choices)

    assert foregone([step(1, 0.5, 1.0), step(2, 1.0, 0.999)]) == ["program"]
    assert foregone([step(1, 1.0, 1.0)]) == []  # where all is foreseen, that is what there is to see


def test_without_torch_all_but_the_inside_is_explained(tiny, tmp_path, monkeypatch):
    model = tiny.model  # which is trained once it is asked for
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith(("partimento.training", "partimento.models"))]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("training", "models"):  # importing them anew would leave the package with the new ones
        monkeypatch.setattr(partimento, name, getattr(partimento, name), raising=False)
    found = api.explain(tune(1), model=model, bars=2)
    assert found.reading.bits > 0 and "need torch" in found.inside.remark
    assert "need torch" in "\n".join(api.explained_lines(found))


def test_what_cannot_be_explained_is_one_line(tiny, tmp_path, command):
    formats.save(tune(1), tmp_path / "tune.mid")
    for arguments in (
        ("explain", tmp_path / "none.mid"), ("explain", tmp_path / "tune.mid", "--bar", 99),
        ("explain", tmp_path / "tune.mid", "--html", tmp_path / "page.txt"), ("explain", "--style", "polka"),
        ("explain", tmp_path / "tune.mid", "--model", tmp_path / "tune.mid"),
    ):  # fmt: skip
        code, _, complained = command(*arguments)
        assert code == 2 and complained.count("\n") == 1
    with pytest.raises(MusicError, match="cannot hold it"):
        api.explain(score_of("C4 half", "E4 half", "G4 half", "C5 half", "E5 half"), model=styles.find("chorale"))
