"""A folder of one's own: the shipped base is tuned to it, whatever else lies in it, and what is asked for counts."""

from __future__ import annotations

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from partimento import api, formats, model_file
from partimento.api import _beginning as beginning
from partimento.api._training import _left, _plan
from partimento.cards import card_text
from partimento.cli._live import Live
from partimento.errors import BadOption
from partimento.score import DRUM_PROGRAM, Track
from partimento.training import choice, kept, tuning
from partimento.training.card import held_out_nats
from partimento.training.loop import Run, TrainingPlan, train
from partimento.training.outlook import outlook
from partimento.training.weights import WEIGHTS, load_composer, packed
from tunes import tune

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("one_thread")
STYLES = "embedding.tables.style.weight"
QUICK = {"evaluations": 2, "save_seconds": 1e9}


def likeliest(run, first, rest, judged):
    """The rule without composing: that is tested elsewhere."""
    return choice.Choice(first[0], "the likeliest")


@pytest.fixture(scope="module")
def small(tiny, tmp_path_factory):
    """A model of tunes that has hardly begun."""
    path = tmp_path_factory.mktemp("small") / "small.partimento"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(choice, "_by_hearing", likeliest)
        list(api.train(tiny.request(path, steps=2, settings={"evaluations": 1})))
    return path


@pytest.fixture
def base(small, monkeypatch):
    """The small model in the place of the shipped base."""
    monkeypatch.setattr(beginning, "BASE", small)
    return small


@pytest.fixture
def deaf(monkeypatch):
    """Nothing is composed to choose weights."""
    monkeypatch.setattr(choice, "_by_hearing", likeliest)


def asked(tiny, output, **changes) -> api.TrainingRequest:
    """Duets, learnt without a word on how."""
    known = {"folders": (tiny.duets,), "steps": 2, "workers": 0, "settings": QUICK, **changes}
    return api.TrainingRequest(output=output, **known)


# --- what training begins with


def test_without_a_word_the_base_is_tuned_and_the_file_holds_the_new_style_alone(base, deaf, tiny, tmp_path):
    output = tmp_path / "mine.partimento"
    request = asked(tiny, output, settings={**QUICK, "rate": 0})
    seen = list(api.train(request))
    info = model_file.read_info(output)
    assert list(info["styles"]) == ["duets"] and info["encoding"]["styles"] == ["tunes", "duets"]
    assert info["card"]["base"]["name"] == base.name and info["card"]["base"]["like"] == {"duets": "tunes"}
    assert any("duets begins as tunes, the known style" in line for line in seen[0].said)
    before, after = load_composer(base).state_dict(), load_composer(output).state_dict()
    assert torch.allclose(after[STYLES][2], before[STYLES][1], atol=0.02)  # a rate of 0 moves nothing
    assert not torch.allclose(after[STYLES][2], before[STYLES][2], atol=0.02)
    assert len(api.compose(model=output, bars=4, seed=1)) > 4


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"family": "recurrent"}, "--family recurrent"),
        ({"encoding": "voices"}, "--encoding voices"),
        ({"settings": {"model.layers": 2}}, "layers=2"),
        ({"settings": {"intervals": 8}}, "intervals=8"),
        ({"preset": "modern-lstm"}, "preset modern-lstm"),
        ({"from_scratch": True}, "anew"),
    ],
)
def test_what_the_base_is_not_begins_anew_and_that_is_said_in_a_line(tiny, tmp_path, changes, why):
    request, said = api.begun(asked(tiny, tmp_path / "m.partimento", **changes))
    assert request.from_scratch and request.start is None and why in said and "anew" in said and "\n" not in said
    assert api.begun(request)[0] == request


@pytest.mark.parametrize(
    "settings", [{}, {"rate": 1e-4}, {"model.layers": 6}, {"dropout": 0.3}, {"encoding.snap": 0.3}], ids=str
)
def test_what_fits_the_base_tunes_it(tiny, tmp_path, settings):
    request, said = api.begun(asked(tiny, tmp_path / "m.partimento", settings=settings))
    assert request.start == beginning.BASE and "shipped base" in said and "--from-scratch" in said


@pytest.mark.parametrize("known", [("tunes", "noise"), ("noise", "tunes")])
def test_a_style_begins_as_the_known_one_that_predicts_it_best(small, tiny, tmp_path, known, monkeypatch):
    """A row predicts the better here, the nearer it is to the tunes'."""
    tunes = load_composer(small).get_parameter(STYLES)[1].detach()
    monkeypatch.setattr(tuning, "_nats", lambda run, _: float((run.model.state_dict()[STYLES][3] - tunes).norm()))
    run = begun_from_two(small, tiny, tmp_path, known)
    assert run.state["like"]["duets"]["like"] == "tunes"
    table = run.model.state_dict()[STYLES]
    assert torch.equal(table[3], table[1 + known.index("tunes")]) and not torch.equal(table[1], table[2])
    assert torch.equal(run.average[STYLES], table)


def test_a_style_that_the_model_has_learnt_goes_on_from_its_own_row(small, tiny, tmp_path):
    run = begun_from_two(small, tiny, tmp_path, ("tunes", "duets"))
    table = run.model.state_dict()[STYLES]
    assert run.state["like"] == {} and not torch.equal(table[1], table[2])


def begun_from_two(small, tiny, folder, known):
    """A run over duets, from a model of two styles: the tunes' row is learnt, the other is noise."""
    model = load_composer(small)
    with torch.no_grad():
        table = model.get_parameter(STYLES)
        tunes = table[1].clone()
        for row, name in enumerate(known, 1):
            noise = 5 * torch.randn(len(tunes), generator=torch.Generator().manual_seed(1))
            table[row] = tunes if name == "tunes" else noise
    info, members = model_file.read(small)
    info = info | {"encoding": info["encoding"] | {"styles": list(known)}}
    model_file.write(folder / "two.partimento", info, members | {WEIGHTS: packed(model)})
    request = asked(tiny, folder / "m.partimento", start=folder / "two.partimento")
    run = Run(api.prepare(request), plan_of(request), folder / "run")
    tuning.settle(run)
    return run


def plan_of(request):
    """The training plan of a request."""
    return _plan(TrainingPlan, api.begun(request)[0])


def test_settings_say_where_they_belong_and_wrong_ones_are_answered(small, tiny, command, tmp_path):
    request = asked(tiny, tmp_path, settings={"training.rate": 0.5, "encoding.tracks": 2, "model.width": 8})
    found = beginning.sorted_out(request)
    assert found.settings == {"rate": 0.5, "width": 8} and found.encoding_options == {"tracks": 2}
    for words, said in (
        (["--encoding", "pianoroll", "--set", "encoding.trakcs=2"], "it has controls, tracks, snap"),
        (["--encoding", "pianoroll", "--set", "encoding.tracks=two"], "wanted something like 1"),
        (["--encoding", "voices", "--set", "encoding.snap=0.1"], "it has none"),
        (["--set", "encoding.snap=lots"], "wanted something like 0.0"),
        (["--set", "modle.layers=2"], "model.NAME"),
        (["--set", "model.lairs=2"], "no option 'lairs'"),
        (["--from-scratch", "--from", small], "alternatives"),
    ):
        code, _, complaint = command("train", tiny.duets, "-o", tmp_path / "m.partimento", "--workers", 0, *words)
        assert code == 2 and said in complaint.splitlines()[-1], complaint


def test_encoding_options_reach_the_encoding(tiny, tmp_path):
    settings = {"encoding.tracks": 2, "encoding.controls": "emotion"}
    music = api.prepare(asked(tiny, tmp_path / "m.partimento", encoding="pianoroll", settings=settings))
    assert (music.spec["tracks"], music.spec["controls"]) == (2, "emotion")


def test_more_styles_than_a_model_holds_are_refused(small):
    with pytest.raises(BadOption, match=r"40 styles beside the 1 .* more than the 32"):
        beginning.gone_on_with(small, tuple(f"s{n}" for n in range(40)), {})


# --- a folder as people have them


def messy(folder):
    """Three good tunes among all that may lie beside them."""
    folder.mkdir()
    for number in range(3):
        formats.save(tune(number), folder / f"good{number}.mid")
    whole = (folder / "good0.mid").read_bytes()
    (folder / "cut.mid").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.mid").write_bytes(b"")
    (folder / "letter.mid").write_text("Dear reader, this is no music.")
    (folder / "notes.txt").write_text("not even by its name")
    one = tune(5)
    formats.save(one.with_notes(one.notes[:1]), folder / "one-note.mid")
    formats.save(replace(one, tracks=(Track("", DRUM_PROGRAM),)), folder / "drums.mid")
    far = one.notes.copy()
    far["onset"][-1] += 60_000 * one.ticks_per_beat
    formats.save(one.with_notes(far), folder / "huge.mid")
    odd = one.notes.copy()
    odd["onset"] = odd["onset"] * 20 + np.arange(len(odd)) % 7
    odd["duration"] = odd["duration"] * 20 - 9
    formats.save(replace(one.with_notes(odd), ticks_per_beat=one.ticks_per_beat * 20), folder / "by-hand.mid")
    return folder


def test_a_messy_folder_trains_on_what_is_good_and_names_the_rest(base, deaf, command, tmp_path):
    output = tmp_path / "m.partimento"
    words = [f"--set={name}={value}" for name, value in QUICK.items()]
    code, said, complaint = command(
        "train", messy(tmp_path / "mine"), "-o", output, "--steps", 2, "--workers", 0, *words
    )
    assert code == 0 and "wrote" in said, complaint
    pieces = model_file.read_info(output)["card"]["data"]["pieces"]
    assert sum(pieces.values()) == 3
    for name, reason in (
        ("cut.mid", "unreadable"), ("empty.mid", "unreadable"), ("letter.mid", "unreadable"),
        ("one-note.mid", "too short"), ("drums.mid", "drums only"), ("huge.mid", "too long"),
        ("by-hand.mid", "off the grid"),
    ):  # fmt: skip
        assert f"left out {name}: {reason}" in complaint
    assert "no MIDI or MusicXML: notes.txt" in complaint and "off the grid: --snap" in complaint
    report = (tmp_path / "m.partimento.run" / "report.html").read_text("utf-8")
    assert "drums.mid: drums only" in report


def test_a_folder_of_which_the_encoding_holds_nothing_is_refused_with_the_reasons(base, command, tmp_path):
    folder = messy(tmp_path / "mine")
    for number in range(3):
        (folder / f"good{number}.mid").unlink()
    code, _, complaint = command("train", folder, "-o", tmp_path / "m.partimento", "--workers", 0)
    assert code == 2 and "by-hand.mid: off the grid" in complaint.splitlines()[-1]


def test_one_short_file_is_learnt_and_what_is_held_out_is_said(base, deaf, tiny, tmp_path):
    request = asked(tiny, tmp_path / "one.partimento", folders=(tiny.duets / "duet00.mid",))
    music = api.prepare(request)
    said = " ".join(api.outlook(request, music))
    assert "1 piece and" in said and "Hardly anything" in said and "One piece says little" in said
    seen = list(train(music, plan_of(request), tmp_path / "run"))
    assert any("nothing is held out" in line for at in seen for line in at.said)
    assert not any("blend" in one for one in history_of(tmp_path / "run"))


def test_too_little_for_a_network_names_the_family_that_counts(tiny):
    anew, tuned = outlook(tiny.music), outlook(tiny.music, goes_on=True)
    assert "--family markov" in anew[0] and "markov" not in tuned[0]


# --- how it is tuned


def history_of(run) -> list:
    return json.loads((run / "history.json").read_text())


def test_what_training_began_from_and_weights_on_the_way_back_compete(base, deaf, tiny, tmp_path):
    request = asked(tiny, tmp_path / "m.partimento", steps=4)
    plan = plan_of(request)
    list(train(api.prepare(request), plan, tmp_path / "run"))
    steps = [(one["step"], one.get("blend")) for one in history_of(tmp_path / "run")]
    assert steps == [(0, None), (2, None), (4, None), (5, 0.3), (6, 0.5), (7, 0.7)]
    first, last, half = (kept.weights(tmp_path / "run", step) for step in (0, 4, 6))
    assert torch.allclose(half[STYLES], (first[STYLES] + last[STYLES]) / 2)
    assert not torch.equal(first[STYLES][2], last[STYLES][2])


def test_the_untouched_model_counts_only_where_nothing_is_likelier():
    assert choice.competitors({0: 2.001, 10: 2.0, 20: 2.3})[0] == [10]
    assert choice.competitors({0: 1.9, 10: 1.91, 20: 2.3})[0] == [0, 10]
    assert choice.competitors({0: None, 10: None}) == ([10], [0])


def test_works_for_a_test_help_to_choose_where_those_to_choose_by_are_few(base, deaf, tiny, tmp_path):
    request = asked(tiny, tmp_path / "m.partimento", folders=(tiny.tunes,))
    music = api.prepare(request)
    assert len(music.of("test")) > 0
    run = Run(music, plan_of(request), tmp_path / "run")
    assert len(run.cache.of("valid")) == len(music.of("valid")) + len(music.of("test")) and not run.cache.of("test")
    assert run.cache.of("train") == music.of("train") and run.remark == ""


def test_weights_on_the_way_back_are_what_the_card_says(base, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "_by_hearing", lambda run, first, rest, judged: choice.Choice(max(judged), "so be it"))
    output = tmp_path / "m.partimento"
    list(api.train(asked(tiny, output)))
    info = model_file.read_info(output)
    training = info["card"]["training"]
    assert (training["step"], training["steps"], training["blend"]) == (2, 2, 0.7)
    text = card_text(output, info)
    assert "70% of the way from where they began" in text and f"**Begun from** {base.name}" in text
    assert "not true of this one" in text
    assert "70% of the way" in (tmp_path / "m.partimento.run" / "report.html").read_text("utf-8")


def same_bits(one, other) -> bool:
    first, second = load_file(one), load_file(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_tuning_that_is_broken_off_anywhere_ends_with_the_same_weights(base, deaf, tiny, tmp_path):
    request = asked(tiny, tmp_path / "m.partimento", steps=8, settings={"evaluations": 2, "save_seconds": 0})
    music, plan = api.prepare(request), plan_of(request)
    list(train(music, plan, tmp_path / "whole"))
    for last in (0, 3, 6):
        for at in (broken := train(music, plan, tmp_path / "broken")):
            if at.step == last:
                break
        broken.close()
    list(train(music, plan, tmp_path / "broken"))
    for name in ("last", "best"):
        assert same_bits(*(tmp_path / run / f"{name}.safetensors" for run in ("whole", "broken")))
    assert history_of(tmp_path / "whole") == history_of(tmp_path / "broken")


def test_ctrl_c_stops_a_tuning_that_the_same_command_goes_on_with(base, deaf, tiny, command, tmp_path, monkeypatch):
    line = ("train", tiny.duets, "-o", tmp_path / "m.partimento", "--workers", 0, "--steps", 6, "--set=evaluations=3")
    show = Live.train

    def interrupted(live, at):
        show(live, at)
        if at.step == 2:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Live, "train", interrupted)
        code, _, complaint = command(*line)
    assert code == 130 and "the same command goes on from there" in complaint
    code, said, complaint = command(*line)
    assert code == 0 and "going on from step" in complaint and "wrote" in said


def test_minutes_are_the_whole_way_from_reading_to_writing(tiny):
    music = tiny.music
    assert 8 < _left(10, 30, music) < 10 - 30 / 60
    assert 0 < _left(1, 30, music) < 0.5 and _left(1, 90, music) > 0


def test_minutes_turn_into_no_more_epochs_than_tuning_needs(base, deaf, tiny, tmp_path):
    request = asked(tiny, tmp_path / "m.partimento", steps=0, settings={**QUICK, "most_epochs": 10, "batch": 2})
    music = api.prepare(request)
    seen = list(train(music, plan_of(request), tmp_path / "run"))
    assert seen[-1].steps == max(20, 10 * len(music.of("train")) // 2)


@pytest.mark.parametrize(("encoding", "unit"), [("notes", "note"), ("pianoroll", "sixteenth")])
def test_a_card_says_what_a_step_of_the_encoding_is(tiny, tmp_path, encoding, unit):
    settings = {**QUICK, "width": 16, "layers": 1, "heads": 2, "head_width": 16, "batch": 2}
    request = asked(tiny, tmp_path / "m.partimento", encoding=encoding, settings=settings)
    run = Run(api.prepare(request), plan_of(request), tmp_path / "run")
    assert held_out_nats(run, run.model)["unit"] == unit
