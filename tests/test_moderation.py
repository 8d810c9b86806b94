"""Moderation: what a piece has too much of becomes dearer, what it has too little of cheaper."""

from dataclasses import replace

import numpy as np
import pytest

from music import score_of
from partimento.composing import chords_missed, rules_for
from partimento.describe.chords import TEMPLATES, parse_chords
from partimento.encodings import Plan, get_encoding
from partimento.encodings.base import Frame
from partimento.moderation import (
    AsComplexAsAsked,
    CompleteChords,
    FewClashes,
    FewInARow,
    FewLoops,
    InItsKey,
    InRegister,
    Line,
    SeldomRepeated,
    WideEnough,
)
from partimento.rules import HOLD, VOICE_PITCH, FollowChords, FromTheDominant, Stream

QUARTER, BAR = 24, 96
C4, G4 = 60, 67


def stream_of(pitches, *, part: int = 0, bars: int = 4, programs=(0,), **plan) -> Stream:
    """Quarter notes of a piano, one after another."""
    cursor = get_encoding("notes").cursor(Plan(bars=bars, programs=programs, **plan))
    for n, pitch in enumerate(pitches):
        cursor.push({"wait": QUARTER * bool(n), "program": 0, "part": part, "pitch": pitch, "duration": QUARTER - 1,
                     "velocity": 20})  # fmt: skip
    return Stream(cursor)


def costs(rule, stream, name: str = "pitch", classes: int = 128, **chosen) -> np.ndarray:
    """What a rule adds to the logits of the note a quarter later."""
    logits = np.zeros(classes)
    rule(name, logits, stream, {"wait": QUARTER, "program": 0, "part": 0, **chosen})
    return logits


def test_the_top_line_is_what_has_nothing_above_it():
    notes = [(0, 48, 72, 80, 0, 0), (0, 24, 48, 80, 0, 1), (24, 24, 50, 80, 0, 1), (48, 24, 72, 80, 0, 0)]
    line = Line().hear(notes, 48)
    assert (line.pitch, line.intervals, line.whole, line.top) == (72, 0, [48, 72], [72, 72])
    assert not line.is_covered(48)
    line.hear(notes, 49)
    assert (line.intervals, line.repeats) == (1, 1)


def test_a_line_that_repeats_its_notes_too_often_pays_for_the_next():
    often, seldom = stream_of([60, 60, 60, 60, 62, 62, 62]), stream_of([60, 62, 64, 65, 67, 65, 64])
    found = costs(SeldomRepeated(0.1), often)
    assert np.flatnonzero(found).tolist() == [62] and found[62] < -1
    assert not costs(SeldomRepeated(0.1), seldom).any()
    assert not costs(SeldomRepeated(0.9), often).any()  # where real lines do
    assert not costs(SeldomRepeated(0.1), often, part=1).any()  # another part has no line to repeat


def test_a_narrow_line_is_invited_beyond_and_a_wide_one_is_not():
    rule = WideEnough(top=24, whole=24, span=8 * QUARTER)
    found = costs(rule, stream_of([60, 62, 60, 62]))
    assert (found[56:60] > 0).all() and (found[63:67] > 0).all() and not found[60:63].any() and not found[67:].any()
    assert not costs(rule, stream_of([48, 60, 72, 84])).any()


def test_a_pitch_costs_the_more_the_oftener_it_was_struck_in_a_row():
    rule = FewInARow(2, strength=1.0)
    assert not costs(rule, stream_of([60])).any()
    assert costs(rule, stream_of([60, 60]))[60] == -1 and costs(rule, stream_of([60, 60, 60]))[60] == -2
    assert not costs(rule, stream_of([60, 60, 62])).any()
    sung = Stream(None, [{"soprano": one} for one in (62, HOLD, 62, HOLD, 62)])
    logits = np.zeros(130)
    rule("soprano", logits, sung, {})
    assert logits[62] == -2 and np.count_nonzero(logits) == 1


def test_a_figure_that_goes_round_a_third_time_costs():
    assert np.flatnonzero(costs(FewLoops(0), stream_of([60, 62, 64, 60, 62, 64]))).tolist() == [60]
    assert costs(FewLoops(0), stream_of([60, 62, 64, 60, 62, 64, 60]))[62] == -1.5
    assert not costs(FewLoops(1), stream_of([60, 62, 64, 60, 62, 64])).any()
    assert not costs(FewLoops(0), stream_of([60, 62, 64, 60, 62, 65])).any()


def test_what_lies_too_low_leans_up():
    found = costs(InRegister(70, 76), stream_of([60] * 6))
    assert found[72] == pytest.approx(1.0) and found[48] == pytest.approx(-1.0) and found[60] == 0
    assert not costs(InRegister(55, 65), stream_of([60] * 6)).any()


def test_in_chords_each_note_counts_by_itself():
    cursor = get_encoding("notes").cursor(Plan(bars=2, programs=(0,)))
    for onset, chord in enumerate(((60, 64), (60, 65), (60, 64))):
        for n, pitch in enumerate(chord):
            cursor.push({"wait": QUARTER * (onset > 0 and n == 0), "program": 0, "part": 0, "pitch": pitch,
                         "duration": QUARTER - 1, "velocity": 20})  # fmt: skip
    found = costs(FewInARow(2, strength=1.0), Stream(cursor))
    assert found[60] == -2 and np.count_nonzero(found) == 1


def test_music_that_is_heard_in_another_key_is_led_back():
    scale = [55, 57, 59, 60, 62, 64, 66, 67, 66, 67, 62, 55]  # G major
    rule = InItsKey(0, "major", BAR)
    found = costs(rule, stream_of(scale))
    assert found[65] > 0 > found[66] and found.max() < 4  # F for F sharp
    assert not costs(InItsKey(7, "major", BAR), stream_of(scale)).any()
    assert not costs(rule, stream_of(scale[:4])).any()  # too early to say


def test_plain_music_is_drawn_surely_and_complex_music_boldly():
    stream = stream_of([60], bars=2, controls={"complexity": (0.0, 1.0)})
    logits = np.array([0.0, -1.0] + [-9.0] * 126)
    AsComplexAsAsked()("pitch", plain := logits.copy(), stream, {"wait": QUARTER})
    AsComplexAsAsked()("pitch", bold := logits.copy(), stream, {"wait": BAR})
    assert plain[1] == pytest.approx(-1 / 0.8) and bold[1] == pytest.approx(-1 / 1.25)


class Four:
    """A cursor of four voices that only says what sounds (pitch + 1) and when."""

    def __init__(self, time: int = 0, **pitches: int):
        self.time = time
        self.sounding = {name: pitches.get(name, -1) + 1 for name in ("soprano", "bass", "alto", "tenor")}


def test_a_voice_struck_a_semitone_from_another_costs_more_on_the_beat():
    def cost(cursor, **chosen):
        logits = np.zeros(130)
        FewClashes(QUARTER, 1.0)("alto", logits, Stream(cursor), {n: p + VOICE_PITCH for n, p in chosen.items()})
        return logits[VOICE_PITCH:]

    found = cost(Four(), soprano=72)
    assert found[71] == found[59] == found[61] == -1 and not found[[60, 64, 67, 62]].any()
    assert cost(Four(time=6), soprano=72)[71] == -0.5
    assert cost(Four(tenor=60))[59] == -0.5  # the tenor may still move
    assert not cost(Four(alto=60))[59]  # nor does a voice clash with itself


def test_the_last_voice_completes_the_chord():
    def cost(**chosen):
        logits = np.zeros(130)
        CompleteChords(1.0)("tenor", logits, Stream(Four()), {n: p + VOICE_PITCH for n, p in chosen.items()})
        return logits[VOICE_PITCH:]

    found = cost(soprano=72, bass=48, alto=64)
    assert {pitch % 12 for pitch in np.flatnonzero(found)} == {0, 4} and found.min() == -1
    assert not cost(soprano=72, bass=48, alto=60).any() and not cost(soprano=72, bass=43, alto=64).any()


def test_before_the_last_chord_the_dominant_is_likelier_with_its_root_lowest():
    rule = FromTheDominant(0, start=BAR, pulse=QUARTER, strength=3.0)
    near = stream_of([48] * 3, bars=2)  # the next note is on the last beat before the last bar
    found = costs(rule, near)
    assert found[55] == found[43] == 0 and found[60] == found[62] == -3
    assert not costs(rule, stream_of([48], bars=2)).any()
    held = costs(rule, near, "duration", 384, pitch=55)
    assert not held[: QUARTER - 1].any() and (held[QUARTER:] == -3).all()


def test_a_single_line_is_to_say_the_whole_chord():
    rule = FollowChords(parse_ticks("C"), TEMPLATES, QUARTER)
    found = costs(rule, stream_of([60, 64]))
    assert found[67] == 1.5 and found[60] == found[64] == 0
    two = stream_of([60, 64], programs=(0, 0))
    assert not costs(rule, two)[[60, 64, 67]].any()


def parse_ticks(text: str) -> list[tuple[int, int]]:
    return [(round((at - 1) * BAR), chord) for at, chord in parse_chords(text)]


def test_a_beat_misses_its_chord_where_another_is_heard():
    plan = Plan(bars=2, chords=tuple(parse_ticks("C G")))
    bar = "C4+E4+G4 quarter, " * 4
    right = score_of(bar + ", ".join(["G3+B3+D4 quarter"] * 4))
    wrong = score_of(bar + ", ".join(["A3+C4+E4 quarter"] * 4))
    assert chords_missed(right, plan) == 0 and chords_missed(wrong, plan) == pytest.approx(0.5, abs=0.13)
    assert chords_missed(right, Plan(bars=2, chords=((5 * BAR, 0),))) is None


def test_music_that_stands_is_not_moderated():
    profile = {
        "programs": [[[0], 1.0]], "ranges": {"pitch": [40, 80]},
        "measures": {name: [0.0, 1.0, 2.0, 3.0, 4.0] for name in ("top_range", "pitch_range", "longest_repeat")},
    }  # fmt: skip
    plan = Plan(bars=4, programs=(0,), key=(0, "major"))
    kinds = {type(rule).__name__ for rule in rules_for(profile, plan)}
    assert {"WideEnough", "FewInARow", "InItsKey"} <= kinds
    frame = Frame(*(np.zeros((0, 20), dtype=int), np.zeros(0, dtype=int)) * 2, bars=(), first=0)
    filled = {type(rule).__name__ for rule in rules_for(profile, replace(plan, frame=frame))}
    assert not {"WideEnough", "FewInARow", "InItsKey"} & filled
