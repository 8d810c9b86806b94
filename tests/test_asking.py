"""From what is asked to a plan: curves, mixes, chords, outlines; and the rules that lead a piece by it."""

import numpy as np
import pytest

from partimento import outlines
from partimento.asking import Request, check, parse_curve, parse_mix, plan_for, values_of
from partimento.describe import DISTANCES, parse_chords
from partimento.describe.chords import TEMPLATES
from partimento.encodings import get_encoding
from partimento.encodings.base import Plan
from partimento.errors import BadOption
from partimento.rules import FORBIDDEN, CloseOnTonic, EveryPart, FollowChords, NoClash, Returns, Stream
from partimento.steering import Steering, standing

PROFILE = {
    "metres": [[[4, 4, 0, 120], 1.0]], "keys": [[[0, "major"], 0.5], [[9, "minor"], 0.5]],
    "programs": [[[0, 0], 0.7], [[0, 0, 52], 0.2], [[40, 40, 41, 42], 0.1]], "velocities": [80, 80, 84],
}  # fmt: skip
C, F, G, AM = (chord for _, chord in parse_chords("C F G Am"))
OUTLINE = {
    "metre": [4, 4], "mode": "major", "form": "00001234",
    "chords": " ".join(f"0{chord:03}" for chord in (C, F, G, C, AM, F, G, C)),
}  # fmt: skip


def planned(**asked) -> Plan:
    return plan_for(PROFILE, Request(**asked), np.random.default_rng(0))


def struck(cursor, wait: int, part: int, pitch: int, duration: int) -> None:
    """Push one note of a piano part."""
    chosen = {"wait": wait, "program": 0, "part": part, "pitch": pitch, "duration": duration - 1, "velocity": 20}
    assert cursor.push(chosen)


@pytest.mark.parametrize(
    ("text", "values"),
    [("5", [5, 5, 5]), ("2->8", [2, 5, 8]), ("1:2,3:6", [2, 4, 6]), ("2:4", [4, 4, 4]), ("9->1", [9, 5, 1])],
)
def test_curves_are_numbers_lines_and_points(text, values):
    assert values_of(parse_curve(text), 3).tolist() == values


@pytest.mark.parametrize("text", ["", "a", "1->", "0:3", "3:1,2:5", "1:2:3"])
def test_what_is_no_curve_is_said(text):
    with pytest.raises(BadOption, match="no curve"):
        parse_curve(text)


def test_mixes_of_styles_have_weights_that_add_up():
    assert parse_mix("a:3,b") == (("a", 0.75), ("b", 0.25))
    for text in ("a:x", ":1", "a:0,b:0"):
        with pytest.raises(BadOption):
            parse_mix(text)


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"happiness": 11.0}, "happiness 11"), ({"complexity": -1.0}, "complexity -1"), ({"guidance": 11.0}, "guidance"),
     ({"bars": 4, "sixteenths": 8}, "alternatives"), ({"excitement": ((1.0, 2.0), (-1.0, 12.0))}, "excitement 12")],
)  # fmt: skip
def test_what_is_out_of_range_is_named(asked, said):
    with pytest.raises(BadOption, match=said):
        check(Request(**asked))


def test_rare_instruments_play_only_when_they_are_asked_for():
    assert {plan_for(PROFILE, Request(), np.random.default_rng(n)).programs for n in range(40)} == {(0, 0)}
    assert planned(programs=(40, 40, 41, 42)).programs == (40, 40, 41, 42)
    assert planned(programs=(73, 68, 71, 70)).programs == (40, 40, 41, 42)  # four parts, to be arranged


def test_the_happy_are_in_major_the_sad_in_minor_and_chords_have_their_own_key():
    def majors(**asked):
        return sum(plan_for(PROFILE, Request(**asked), np.random.default_rng(n)).key[1] == "major" for n in range(60))

    assert 20 < majors() < 40 and majors(happiness=9.5) >= 57 and majors(happiness=1.5) <= 3
    assert planned(chords=parse_chords("Dm Gm A7 Dm")).key == (2, "minor")
    assert planned(chords=parse_chords("G C D7 G"), bars=4).key == (7, "major")


def test_excitement_sets_the_tempo_unless_it_is_asked_for():
    assert planned(excitement=9.0).tempo > 130 > 100 > planned(excitement=1.5).tempo
    assert planned(excitement=9.0, tempo=60.0).tempo == 60


def test_sixteenths_fill_bars_and_an_open_piece_says_so():
    plan = planned(sixteenths=20, ending=False)
    assert (plan.bars, plan.goes_on, plan.velocity) == (2, True, 80)


def two_higher(*chords: int) -> list[int]:
    return [(chord // 10 + 2) % 12 * 10 + chord % 10 for chord in chords]


def test_a_strain_that_returns_at_the_end_closes_the_first_time_too():
    strains = {**OUTLINE, "form": "00003333", "chords": " ".join(f"0{chord:03}" for chord in (C, F, AM, F, C, F, G, C))}
    _, chords = outlines.drawn([strains], 8, (4, 4), (2, "major"), np.random.default_rng(0))
    assert [chord for _, chord in chords] == two_higher(C, F, G, C, C, F, G, C)


def test_tunes_follow_each_other_in_a_piece_that_is_longer_than_any():
    form = outlines.drawn([OUTLINE], 18, (4, 4), (2, "major"), np.random.default_rng(0))[0]
    assert form == (*(0, 0, 0, 0, 1, 2, 3, 4) * 2, 0, 0)
    long = {**OUTLINE, "form": "0" * 8 + "4" * 8}
    forms = [outlines.drawn([OUTLINE, long], 16, (4, 4), (2, "major"), np.random.default_rng(n))[0] for n in range(9)]
    assert (0,) * 8 + (4,) * 8 in forms


def test_an_outline_returns_where_its_form_says_and_closes_as_a_piece_closes():
    form, chords = outlines.drawn([OUTLINE], 8, (4, 4), (2, "major"), np.random.default_rng(0))
    assert form == (0, 0, 0, 0, 1, 2, 3, 4)
    assert chords == tuple((96 * bar, chord) for bar, chord in enumerate(two_higher(C, F, G, C, C, C, G, C)))
    assert outlines.drawn([OUTLINE], 8, (4, 4), (2, "minor"), np.random.default_rng(0))[1] == ()
    assert outlines.brightness([(0, C), (1, AM)]) == 0 and outlines.brightness([(0, C)]) == 1


def test_a_bar_that_returns_is_likelier_note_by_note():
    cursor = get_encoding("notes").cursor(Plan(bars=4, programs=(0,)))
    rule, stream = Returns((0, 1, 7), DISTANCES), Stream(cursor)
    struck(cursor, 0, 0, 60, 48)
    struck(cursor, 48, 0, 64, 48)
    logits = np.zeros(386)
    rule("wait", logits, stream, {})
    assert logits[48] == rule.strength and np.count_nonzero(logits) == 1
    logits = np.zeros(128)
    rule("pitch", logits, stream, {"wait": 48, "program": 0, "part": 0})
    assert logits.argmax() == 60 and np.count_nonzero(logits) == 1
    rule("pitch", logits := np.zeros(128), stream, {"wait": 24, "program": 0, "part": 0})
    assert not logits.any()  # elsewhere nothing is expected


def test_the_last_chord_is_struck_in_time_on_the_tonic_and_held():
    cursor = get_encoding("notes").cursor(Plan(bars=1, programs=(0, 0)))
    rule, stream = CloseOnTonic(7, "major", start=48), Stream(cursor)
    struck(cursor, 0, 1, 43, 24)
    rule("wait", logits := np.zeros(386), stream, {})
    assert np.flatnonzero(logits > FORBIDDEN).tolist() == list(range(49))
    rule("pitch", logits := np.zeros(128), stream, {"wait": 48, "program": 0, "part": 1})
    assert {pitch % 12 for pitch in np.flatnonzero(logits > FORBIDDEN)} == {7}  # the lowest part
    struck(cursor, 48, 1, 43, 48)
    rule("pitch", logits := np.zeros(128), stream, {"wait": 0, "program": 0, "part": 0})
    rule("wait", waits := np.zeros(386), stream, {})
    assert waits[-1] == 0 and waits[0] > 0 > waits[24]


def test_chords_that_are_asked_for_are_followed_and_clashes_cost():
    cursor = get_encoding("notes").cursor(Plan(bars=2, programs=(0, 0)))
    stream, rule = Stream(cursor), FollowChords(((0, C), (96, F)), TEMPLATES, 24)
    rule("pitch", logits := np.zeros(128), stream, {"wait": 0, "program": 0, "part": 1})
    assert {pitch % 12 for pitch in np.flatnonzero(logits > FORBIDDEN)} == {0}  # the lowest part begins with the root
    struck(cursor, 0, 1, 48, 96)
    rule("pitch", logits := np.zeros(128), stream, {"wait": 0, "program": 0, "part": 0})
    assert {pitch % 12 for pitch in np.flatnonzero(logits == 0)} == {0, 4, 7}
    rule("duration", logits := np.zeros(384), stream, {"wait": 0, "program": 0, "part": 0, "pitch": 67})
    assert np.flatnonzero(logits > FORBIDDEN).max() == 95  # G does not belong to F
    NoClash()("pitch", logits := np.zeros(128), stream, {"wait": 24})
    assert {pitch % 12 for pitch in np.flatnonzero(logits < 0)} == {1, 11}


def test_steering_tells_more_where_less_is_heard():
    plan = Plan(bars=8, programs=(0,), controls={"density": (0.9,) * 8})
    cursor = get_encoding("notes").cursor(plan)
    steering = Steering(plan, [cursor], {"density": np.linspace(-2, 3, 11)})
    for bar in range(4):  # a note a bar: far less than asked for
        struck(cursor, 96 if bar else 0, 0, 60 + bar, 96)
        steering.step(0)
    assert cursor.controls["density"][-1] == 1.0 and plan.controls["density"] == (0.9,) * 8
    assert len(standing(cursor, 3)) == 3


def test_a_part_that_is_missing_is_likelier_and_where_all_sing_so_is_one_that_rests():
    cursor = get_encoding("notes").cursor(Plan(bars=8, programs=(0, 0)))
    stream = Stream(cursor)
    struck(cursor, 0, 1, 43, 24)
    struck(cursor, 24, 1, 45, 300)
    struck(cursor, 200, 1, 47, 24)
    chosen = {"wait": 0, "program": 0}
    EveryPart(96)("part", logits := np.zeros(16), stream, chosen)
    assert logits[0] > 3.0 and np.count_nonzero(logits) == 1  # the longer it is missing, the more
    struck(cursor, 0, 0, 72, 12)
    struck(cursor, 200, 1, 48, 24)
    EveryPart(96)("part", logits := np.zeros(16), stream, chosen)
    assert not logits.any()
    EveryPart(96, always=True)("part", logits := np.zeros(16), stream, chosen)
    assert np.flatnonzero(logits).tolist() == [0]
