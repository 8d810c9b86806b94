"""Sampling: what a draw may choose and how often, what the rules forbid, and that chance is the seed's alone."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from partimento import api, composing, model_file, rules, styles
from partimento.composing import Request
from partimento.encodings import Plan, get_encoding
from partimento.errors import BadOption
from partimento.rules import FORBIDDEN, VOICE_PITCH, InKey, InRange, NoStutter, Rule, Stream
from partimento.sampling import Reading, Sampling, draw, sample
from partimento.score import DRUM_PROGRAM

pytest_plugins = ["tiny"]
LOGITS = np.log(np.array([0.05, 0.30, 0.02, 0.40, 0.15, 0.08]))
CHANCES = np.exp(LOGITS)
DRAWS = 4000
PURE = {"min_p": 0.0}


def frequencies(logits, options: Sampling, temperature: float = 1.0, draws: int = DRAWS) -> np.ndarray:
    rng = np.random.default_rng(1)
    counts = Counter(draw(logits.copy(), options, temperature, rng) for _ in range(draws))
    return np.array([counts[n] / draws for n in range(len(logits))])


def near(found: np.ndarray, kept: list[int], weights=CHANCES) -> bool:
    """Whether classes are drawn as often as their weights say, those that are not `kept` never."""
    wanted = np.zeros(len(weights))
    wanted[kept] = weights[kept] / weights[kept].sum()
    assert not found[wanted == 0].any(), found
    assert (found[kept] > 0).all(), found
    return np.abs(found - wanted).max() < 0.03


# --- one draw


def test_temperature_0_takes_the_likeliest_and_draws_nothing():
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    assert {draw(LOGITS, Sampling(0), 0, rng) for _ in range(20)} == {3}
    assert rng.bit_generator.state == before


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_temperature_is_a_power_of_the_chances(temperature):
    found = frequencies(LOGITS, Sampling(**PURE), temperature)
    assert near(found, list(range(6)), CHANCES ** (1 / temperature))


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"top_k": 1}, [3]),
        ({"top_k": 3}, [1, 3, 4]),
        ({"top_k": 6}, [0, 1, 2, 3, 4, 5]),
        ({"top_k": 100}, [0, 1, 2, 3, 4, 5]),
        ({"top_p": 0.0}, [3]),
        ({"top_p": 0.39}, [3]),
        ({"top_p": 0.41}, [1, 3]),  # the class that passes the share belongs to it
        ({"top_p": 0.80}, [1, 3, 4]),
        ({"top_p": 0.99}, [0, 1, 2, 3, 4, 5]),
        ({"min_p": 0.0}, [0, 1, 2, 3, 4, 5]),
        ({"min_p": 0.1}, [0, 1, 3, 4, 5]),
        ({"min_p": 0.3}, [1, 3, 4]),
        ({"min_p": 1.0}, [3]),
        ({"min_p": 0.1, "top_k": 4, "top_p": 0.8}, [1, 3, 4]),
    ],
    ids=str,
)
def test_a_cut_keeps_what_it_says_and_nothing_else(options, kept):
    assert near(frequencies(LOGITS, Sampling(**{**PURE, **options}), draws=3000), kept)


def test_what_is_forbidden_is_never_drawn_whatever_the_cuts():
    logits = LOGITS.copy()
    logits[[3, 5]] = FORBIDDEN
    for options in ({}, {"top_k": 5}, {"top_p": 0.9999}, {"min_p": 0.001}):
        assert near(frequencies(logits, Sampling(**{**PURE, **options}), draws=2000), [0, 1, 2, 4], np.exp(logits))


@pytest.mark.parametrize("scale", [1e-6, 1e3, -1e3])
def test_a_draw_does_not_depend_on_the_size_of_the_logits(scale):
    assert near(frequencies(LOGITS + scale, Sampling(**PURE), draws=2000), list(range(6)))


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"temperature": 11},
        {"top_k": -1},
        {"top_p": 1.01},
        {"top_p": -0.5},
        {"min_p": 2},
        {"temperatures": {"pitch": -1.0}},
    ],
    ids=str,
)
def test_an_option_out_of_range_is_refused_by_name(options):
    with pytest.raises(BadOption, match=f"{next(iter(options)).rstrip('s')}.* out of range; wanted"):
        Sampling(**options)


# --- the loop


class Level:
    """A model that finds every class equally likely."""

    def __init__(self, name: str):
        self.encoding = get_encoding(name)
        self.sizes = {field.name: field.size for field in self.encoding.fields}

    def begin(self, size, rngs=()):
        return None

    def advance(self, last, given, time, state):
        return np.zeros((len(last), 1))

    def logits(self, field, hidden, chosen):
        return np.zeros((len(hidden), self.sizes[field]))


def drawn(name: str, plan: Plan, rules=(), seed: int = 0, **options) -> list[dict[str, int]]:
    """The steps of a piece drawn by a model that knows nothing, without the row before the music."""
    model = Level(name)
    found = sample(
        model, [model.encoding.cursor(plan)], Sampling(**{**PURE, **options}), [np.random.default_rng(seed)], rules
    )
    columns = model.encoding.columns
    return [{field: int(row[at]) for field, at in columns.items()} for _, row in found][1:]


def test_the_same_seed_draws_the_same_piece_and_another_seed_another():
    assert drawn("notes", Plan(bars=2)) == drawn("notes", Plan(bars=2)) != drawn("notes", Plan(bars=2), seed=1)


def test_a_field_may_have_a_temperature_of_its_own():
    steps = drawn("notes", Plan(bars=4, programs=(73,)), temperatures={"pitch": 0.0})
    notes = [step for step in steps if step["pitch"] >= 0 and step["wait"]]
    assert {step["pitch"] for step in notes} <= {60, 61, 62, 63} and len({step["velocity"] for step in notes}) > 3


def composed(tiny, **changes):
    """A composed piece, by graphs in float: in int8 a batch shares the scale of its activations."""
    if "float" not in tiny.made:
        from partimento.training import export

        graphs = export.graphs(export.load_composer(tiny.model).eval(), int8=False)
        named = {name[:-5]: graph for name, graph in graphs.items()}
        tiny.made["float"] = model_file.Model(model_file.read_info(tiny.model), named)
    return composing.compose(tiny.made["float"], Request("tunes", **{"bars": 2, "seed": 5, **changes}))


def test_a_candidate_is_the_piece_that_it_would_be_alone(tiny):
    alone = composed(tiny)[0]
    four, two = composed(tiny, candidates=4), composed(tiny, candidates=2)
    assert sum(one.score == alone.score for one in four) == 1
    assert all(any(one.score == other.score for other in four) for one in two)
    assert len({one.score.notes.tobytes() for one in four}) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"bars": 0},
        {"bars": 2001},
        {"bars": None, "seconds": 0.5},
        {"bars": None, "seconds": 1e9},
        {"seconds": 30.0},
        {"tempo": 5.0},
        {"tempo": 1000.0},
        {"candidates": 0},
        {"candidates": 257},
        {"seed": -1},
    ],
    ids=str,
)
def test_a_request_out_of_range_is_refused(tiny, changes):
    with pytest.raises(BadOption):
        composed(tiny, **changes)


# --- several readings


class Attentive(Level):
    """A model that likes the pitches 60, 62 and 64, each as much as `tastes` say for the class told of `field`."""

    def __init__(self, field: str, tastes: dict[int, tuple[float, float, float]]):
        super().__init__("notes")
        self.column, self.tastes, self.heard = self.encoding.columns[field], tastes, []

    def advance(self, last, given, time, state):
        self.heard.append((last.copy(), time.copy()))
        return last[:, [self.column]].astype(float)

    def logits(self, field, hidden, chosen):
        found = np.zeros((len(hidden), self.sizes[field]))
        if field == "pitch":
            told = chosen[:, self.column]
            assert (hidden[:, 0] == told).all()  # what went before is read alike
            found -= 9.0
            found[:, [60, 62, 64]] = [self.tastes[int(one)] for one in told]
        return found


def read(model, plan: Plan, readings, temperature: float = 0.0, seed: int = 0) -> list[list[int]]:
    """Rows of a piece by a model that is told what is asked in several ways."""
    cursor, rng = model.encoding.cursor(plan), np.random.default_rng(seed)
    options = Sampling(**PURE, temperatures={"pitch": temperature})
    return [row.tolist() for _, row in sample(model, [cursor], options, [rng], readings=readings)]


def first_pitch(model, rows) -> int:
    """What is liked best while nothing sounds yet."""
    return rows[1][model.encoding.columns["pitch"]]


HAPPY = Plan(bars=3, controls={"valence": 10}, programs=(73,))
TASTES = {10: (2.0, 1.9, 0.0), 0: (2.0, 0.0, 0.0)}  # told to be happy, 62 is liked, and not otherwise


@pytest.mark.parametrize(
    ("strength", "liked"),
    [(0.0, 60), (0.04, 60), (0.06, 62), (1.0, 62)],  # (1 + g) 1.9 - g 0 passes (1 + g) 2 - g 2 at 1/19
)
def test_guidance_goes_from_what_is_told_away_from_what_is_not(strength, liked):
    model = Attentive("valence", TASTES)
    readings = [Reading(1 + strength), Reading(-strength, {"valence": 0})]
    assert first_pitch(model, read(model, HAPPY, readings)) == liked


def test_guidance_of_nothing_is_no_guidance_to_the_bit():
    tastes = {10: (1.1, 0.3, 0.7), 0: (0.2, 2.5, -1.0)}
    alone, none, some = (
        [read(Attentive("valence", tastes), HAPPY, readings, 1.0, seed) for seed in range(8)]
        for readings in (
            [Reading()],
            [Reading(1.0), Reading(-0.0, {"valence": 0})],
            [Reading(1.5), Reading(-0.5, {"valence": 0})],
        )
    )
    assert none == alone != some


def test_between_two_styles_is_what_both_can_live_with():
    model = Attentive("style", {1: (2.0, 1.5, -9.0), 2: (-9.0, 1.5, 2.0)})
    styles = [{"style": 1}, {"style": 2}]
    for weights, liked in (((1.0, 0.0), 60), ((0.5, 0.5), 62), ((0.0, 1.0), 64), ((0.96, 0.04), 60)):
        readings = [Reading(weight, told) for weight, told in zip(weights, styles, strict=True)]
        assert first_pitch(model, read(model, Plan(bars=2, programs=(73,)), readings)) == liked
    assert {int(last[0, model.column]) for last, _ in model.heard} == {1}  # each reading is told its own throughout
    assert {int(last[1, model.column]) for last, _ in model.heard} == {2}


def test_what_is_read_otherwise_is_not_composed_otherwise():
    model = Attentive("valence", TASTES)
    rows = read(model, HAPPY, [Reading(0.5), Reading(0.5, {"valence": 0, "no such field": 3})])
    assert {row[model.column] for row in rows[:-1]} == {10}


# --- what is told before the first step


def test_instruments_are_told_before_the_music_and_each_row_at_its_time():
    model = Attentive("valence", {0: (1.0, 1.0, 1.0)})
    columns = model.encoding.columns
    rows = read(model, Plan(bars=2, programs=(0, 73), upbeat=24), [Reading()], 1.0)
    told = [last[0] for last, _ in model.heard]
    assert [row[columns["role"]] for row in told[:3]] == [4, 4, 1]
    assert [row[columns["program"]] for row in told[:3]] == [0, 73, -1]
    assert [row.tolist() for row in told[2:]] == rows[:-1]
    wanted = model.encoding.times(np.array(rows))[:-1]
    assert [int(time[0]) for _, time in model.heard] == [0, 0, *wanted]


# --- rules


def note(pitch: int, program: int = 0, part: int = 0) -> dict[str, int]:
    return {"pitch": pitch, "program": program, "part": part}


def ruled(rule: Rule, name: str, steps=(), classes: int = 128, **chosen) -> np.ndarray:
    """Which classes a rule leaves."""
    logits = np.zeros(classes)
    rule(name, logits, Stream(None, list(steps)), {"program": 0, "part": 0, **chosen})
    return np.flatnonzero(logits > FORBIDDEN)


def test_no_pitch_is_struck_more_often_in_a_row_than_allowed():
    rule, other = NoStutter(3), note(60, part=1)
    assert 60 in ruled(rule, "pitch", [note(60)] * 2)
    assert set(range(128)) - set(ruled(rule, "pitch", [note(62), *[note(60)] * 3])) == {60}
    assert 60 in ruled(rule, "pitch", [note(60), note(60), note(62), note(60)])
    assert 60 in ruled(rule, "pitch", [note(60), note(60), other])  # another part counts for itself
    assert 60 not in ruled(rule, "pitch", [note(60), other, note(60), other, note(60)])


def test_a_held_or_silent_voice_does_not_stutter():
    def soprano(*classes):
        return [{"soprano": one} for one in classes]

    assert 62 not in ruled(NoStutter(2), "soprano", soprano(62, 0, 0, 62, 0), 130)
    assert 62 not in ruled(NoStutter(2), "soprano", soprano(62, 1, 62), 130)  # a rest between is no other note
    assert 0 in ruled(NoStutter(2), "soprano", soprano(64, 0, 0, 0, 0), 130)
    assert 62 in ruled(NoStutter(2), "soprano", soprano(64, 0, 62), 130)


def test_pitches_outside_the_range_are_left_out():
    assert ruled(InRange({"pitch": (60, 72)}), "pitch").tolist() == list(range(60, 73))
    voice = ruled(InRange({"bass": (40, 60)}), "bass", classes=130)
    assert voice.tolist() == [0, 1, *range(42, 63)]  # hold and rest stay, pitches stand two classes later
    assert len(ruled(InRange({"bass": (40, 60)}), "alto", classes=130)) == 130
    assert ruled(InRange({"pitch": (0, 127)}), "pitch").tolist() == list(range(128))


def test_pitches_outside_the_key_cost_what_is_said():
    black = [61, 63, 66, 68, 70]
    assert set(range(60, 72)) - set(ruled(InKey(0, "major", np.inf), "pitch")) == set(black)
    voice = set(ruled(InKey(0, "major", np.inf), "alto", classes=130))
    assert {0, 1} <= voice and {pitch + 2 for pitch in black}.isdisjoint(voice) and 62 in voice
    logits = np.zeros(128)
    InKey(9, "minor", 0.5)("pitch", logits, Stream(None), {})
    assert set(np.flatnonzero(logits) % 12) == {1, 3, 10} and set(logits.tolist()) == {0.0, -0.5}


@pytest.mark.parametrize("rule", [NoStutter(1), InRange({"pitch": (60, 72)}), InKey(0, "major", np.inf)], ids=str)
def test_a_drum_has_neither_key_nor_range_and_may_repeat(rule):
    drums = Plan(bars=2, programs=(DRUM_PROGRAM,))
    assert drawn("notes", drums, [rule]) == drawn("notes", drums)
    assert drawn("notes", Plan(bars=2), [rule]) != drawn("notes", Plan(bars=2))  # as it would be for a piano


@pytest.mark.parametrize("name", ["notes", "voices"])
def test_a_rule_that_leaves_nothing_is_passed_over(name):
    class Never(Rule):
        asked = 0

        def __call__(self, field, logits, stream, chosen):
            Never.asked += 1
            logits[:] = FORBIDDEN

    assert drawn(name, Plan(bars=1), [Never()]) == drawn(name, Plan(bars=1))
    assert Never.asked > 0


def test_rules_hold_in_a_composed_piece():
    rules = [InRange({"soprano": (60, 67)}), InKey(0, "major", np.inf), NoStutter(1)]
    sung = [step["soprano"] - VOICE_PITCH for step in drawn("voices", Plan(bars=8), rules)]
    line = [pitch for pitch in sung if pitch >= 0]
    assert len(line) > 30 and set(line) == {60, 62, 64, 65, 67}
    assert not any(one == other for one, other in pairwise(line))


# --- rules of four voices


class Voices:
    """A cursor that only says what sounds (pitch + 1) and how many ticks are left."""

    def __init__(self, left: int = 960, **pitches: int):
        self.left = left
        self.sounding = {name: pitches.get(name, -1) + 1 for name in ("soprano", "bass", "alto", "tenor")}


def heard(rule, name, cursor, **chosen):
    logits = np.zeros(130)
    rule(name, logits, rules.Stream(cursor), {voice: pitch + 2 for voice, pitch in chosen.items()})
    return logits


def test_two_voices_do_not_move_in_parallel_fifths_but_may_in_fourths():
    fifth = Voices(soprano=67, bass=48)  # C3 under G4
    costs = heard(rules.NoParallels(5.0), "bass", fifth, soprano=69)
    assert costs[2 + 50] == costs[2 + 62] == -5 and costs[2 + 53] == 0 and costs[0] == 0  # D under A; F; holding
    fourth = Voices(soprano=72, bass=67)
    assert not heard(rules.NoParallels(5.0), "bass", fourth, soprano=74).any()


def test_octaves_are_parallel_only_where_both_voices_move():
    octave = Voices(soprano=72, bass=48)
    assert heard(rules.NoParallels(5.0), "bass", octave, soprano=74)[2 + 50] == -5
    assert not heard(rules.NoParallels(5.0), "bass", octave, soprano=72).any()  # struck again: oblique motion


def test_the_final_chord_is_the_tonic_with_its_root_in_the_bass():
    rule = rules.FinalChord(9, "minor", start=48, pulse=24)
    assert not heard(rule, "bass", Voices(left=73, bass=50)).any()
    late = heard(rule, "bass", Voices(left=48, bass=52))
    assert late[0] == -np.inf and {(n - 2) % 12 for n in np.flatnonzero(np.isfinite(late)) if n > 1} == {9}
    alto = heard(rule, "alto", Voices(left=48, alto=61))  # C sharp, the Picardy third, may stay
    assert alto[0] == 0 and {(n - 2) % 12 for n in np.flatnonzero(np.isfinite(alto)) if n > 1} == {9, 0, 1, 4}


def test_the_final_chord_is_reached_from_the_dominant_unless_it_stands_already():
    rule = rules.FinalChord(0, "major", start=48, pulse=24)
    before = heard(rule, "bass", Voices(left=72, bass=53, soprano=69, alto=65, tenor=60))
    assert before[0] == -np.inf and {(n - 2) % 12 for n in np.flatnonzero(np.isfinite(before)) if n > 1} == {7}
    assert not heard(rule, "bass", Voices(left=72, bass=48, soprano=72, alto=67, tenor=64)).any()
    assert not heard(rule, "alto", Voices(left=72, bass=53, soprano=69, alto=65, tenor=60)).any()


def test_pitches_become_surer_and_holding_stays_as_likely():
    logits = np.log(np.array([0.6, 1e-9, *([1e-9] * 60), 0.3, 0.1, *([1e-9] * 66)]))
    before = np.exp(logits) / np.exp(logits).sum()
    rules.SurePitches(0.5)("alto", logits, rules.Stream(Voices()), {})
    after = np.exp(logits) / np.exp(logits).sum()
    assert after[0] == pytest.approx(before[0], abs=1e-6)
    assert after[62] / after[63] == pytest.approx(9, rel=1e-3)


def test_shipped_chorales_end_on_the_tonic_of_the_key_asked_for():
    if "chorale" not in styles.shipped():
        pytest.skip("no chorale model is shipped here")
    for seed in range(3):
        score = api.compose("chorale", bars=4, key="D minor", seed=seed, candidates=1)
        last = score.notes[score.notes["onset"] + score.notes["duration"] == score.end]
        assert int(last["pitch"].min()) % 12 == 2 and {int(p) % 12 for p in last["pitch"]} <= {2, 5, 6, 9}
