"""Rules of part-writing: on bars of two to four voices that one can hear in the head."""

from __future__ import annotations

import numpy as np
import pytest

from music import pitch_of, score_of
from partimento import composing, editing_parts
from partimento.composing import Candidate, rules_for
from partimento.encodings import get_encoding
from partimento.encodings._gaps import LONGEST_WAIT
from partimento.encodings.base import Plan
from partimento.rules import FORBIDDEN, CloseOnTonic, EveryPart, NoClash, Stream
from partimento.score import Score, Track
from partimento.voice_leading import (
    SILENCE,
    Cadence,
    FullChords,
    InTurn,
    KeepPlaces,
    NoParallelVoices,
    OneLeadingTone,
    PartWriting,
    PlainChords,
    SmallSteps,
    Voices,
    has_single_voices,
    parallels_beyond,
)

CHOIR, QUARTER, BAR = 52, 24, 96
SATB = Voices([(CHOIR, part) for part in range(4)])
SOPRANO, ALTO, TENOR, BASS = range(4)
WAITS = LONGEST_WAIT + 2  # the last class closes


def choir(voices: int = 4, bars: int = 2):
    return get_encoding("notes").cursor(Plan(bars=bars, programs=(CHOIR,) * voices))


def sing(cursor, *chord: str, wait: int = QUARTER, length: int = QUARTER) -> None:
    """Push a chord, the soprano first; "-" is a voice that strikes nothing."""
    for part, name in enumerate(chord):
        if name != "-":
            strike(cursor, wait, part, name, length)
            wait = 0


def strike(cursor, wait: int, part: int, name: str, length: int) -> None:
    chosen = {"wait": wait, "program": CHOIR, "part": part, "pitch": pitch_of(name), "duration": length - 1}
    assert cursor.push({**chosen, "velocity": 20})


def costs(habit, cursor, voice: int, wait: int = 0, voices: Voices = SATB) -> np.ndarray:
    """What a habit takes off each pitch that a voice may have next."""
    logits = np.zeros(128)
    PartWriting(voices, [habit])("pitch", logits, Stream(cursor), {"wait": wait, "program": CHOIR, "part": voice})
    return -logits


def cost(habit, cursor, voice: int, name: str, **when) -> float:
    return float(costs(habit, cursor, voice, **when)[pitch_of(name)])


def asked(rule, name: str, cursor, classes: int, **chosen) -> np.ndarray:
    logits = np.zeros(classes)
    rule(name, logits, Stream(cursor), {"program": CHOIR, **chosen})
    return logits


# --- where the voices stand


def test_a_moment_is_what_sounds_before_and_after_a_tick():
    cursor = choir()
    sing(cursor, "G4", "E4", "C4", "C3", wait=0, length=QUARTER)
    strike(cursor, QUARTER, SOPRANO, "A4", QUARTER)
    moment = SATB.at(cursor, QUARTER)
    assert moment.before == tuple(map(pitch_of, ("G4", "E4", "C4", "C3")))
    assert moment.now == (pitch_of("A4"), SILENCE, SILENCE, SILENCE)
    assert SATB.at(cursor, QUARTER + 12).now[SOPRANO] == pitch_of("A4")
    assert SATB.at(cursor, QUARTER + 12).before == (pitch_of("A4"), SILENCE, SILENCE, SILENCE)  # the others rest


def test_what_stands_already_is_a_voice_too():
    cursor = choir()
    cursor.standing = [(0, 24, pitch_of("G4"), 80, CHOIR, 0), (24, 24, pitch_of("A4"), 80, CHOIR, 0)]
    moment = SATB.at(cursor, 24)
    assert (moment.before[SOPRANO], moment.now[SOPRANO]) == (pitch_of("G4"), pitch_of("A4"))


# --- parallels


def moved(*, before: tuple[str, str], soprano: str):
    """Two voices, of which the upper has moved on, or struck again, after a quarter."""
    cursor = choir(2)
    sing(cursor, *before, wait=0)
    strike(cursor, QUARTER, 0, soprano, QUARTER)
    return cursor


@pytest.mark.parametrize(
    ("before", "soprano", "lower", "is_parallel"),
    [
        (("G4", "C4"), "A4", "D4", True),  # fifths, both upwards
        (("G4", "C3"), "A4", "D3", True),  # twelfths
        (("G4", "C4"), "A4", "D3", True),  # a fifth, then a twelfth by contrary motion
        (("C5", "C4"), "D5", "D4", True),  # octaves
        (("C4", "C4"), "D4", "D4", True),  # unisons
        (("G4", "C4"), "A4", "F4", False),  # a third
        (("G4", "C4"), "G4", "C4", False),  # both repeated: no motion
        (("G4", "C4"), "G4", "C3", False),  # one repeated: oblique
        (("E4", "C4"), "G4", "C4", False),  # a third, then a fifth
        (("G4", "C4"), "C5", "F4", True),
        (("C5", "G4"), "D5", "A4", False),  # fourths
    ],
)
def test_two_voices_do_not_move_from_a_perfect_interval_to_the_same(before, soprano, lower, is_parallel):
    cursor, habit = moved(before=before, soprano=soprano), NoParallelVoices({7: 8.0, 0: 8.0})
    assert cost(habit, cursor, 1, lower, voices=Voices([(CHOIR, 0), (CHOIR, 1)])) == 8.0 * is_parallel


def test_only_the_intervals_that_are_named_cost():
    cursor, voices = moved(before=("C5", "C4"), soprano="D5"), Voices([(CHOIR, 0), (CHOIR, 1)])
    assert not costs(NoParallelVoices({7: 8.0}), cursor, 1, voices=voices).any()


def test_after_a_rest_there_is_nothing_to_move_in_parallel_with():
    cursor = choir(2)
    sing(cursor, "G4", "C4", wait=0, length=12)
    strike(cursor, QUARTER, 0, "A4", QUARTER)
    assert not costs(NoParallelVoices({7: 8.0}), cursor, 1, voices=Voices([(CHOIR, 0), (CHOIR, 1)])).any()


def test_a_melody_that_stands_is_not_followed_in_fifths():
    cursor = choir()
    cursor.standing = [(0, 24, pitch_of("G4"), 80, CHOIR, 0), (24, 24, pitch_of("A4"), 80, CHOIR, 0)]
    strike(cursor, 0, BASS, "C3", QUARTER)
    assert cost(NoParallelVoices({7: 8.0}), cursor, BASS, "D3", wait=QUARTER) == 8.0
    assert cost(NoParallelVoices({7: 8.0}), cursor, BASS, "F3", wait=QUARTER) == 0.0


# --- places


def test_a_voice_neither_crosses_nor_meets_one_that_has_chosen():
    cursor = choir()
    strike(cursor, 0, SOPRANO, "E4", QUARTER)
    habit = KeepPlaces(crossing=3.0, unison=1.0)
    assert [cost(habit, cursor, ALTO, name) for name in ("D4", "E4", "F4")] == [0.0, 1.0, 3.0]


def test_a_voice_that_has_not_chosen_yet_counts_half_where_it_was():
    cursor = choir()
    sing(cursor, "G4", "E4", "C4", "C3", wait=0)
    assert [cost(KeepPlaces(3.0), cursor, SOPRANO, name, wait=QUARTER) for name in ("F4", "D4")] == [0.0, 1.5]


def test_upper_neighbours_stand_within_an_octave_the_bass_may_be_far():
    cursor = choir()
    sing(cursor, "C5", "C4", wait=0)
    habit = KeepPlaces(0.0, spacing=2.0)
    assert [cost(habit, cursor, TENOR, name) for name in ("C3", "B2")] == [0.0, 2.0]
    strike(cursor, 0, TENOR, "C4", QUARTER)
    assert not costs(habit, cursor, BASS).any()


def test_steps_and_thirds_are_free_leaps_cost_the_more_the_wider():
    cursor = choir()
    strike(cursor, 0, BASS, "C3", QUARTER)
    habit = SmallSteps(semitone=0.1, wide=3.0)
    found = [cost(habit, cursor, BASS, name, wait=QUARTER) for name in ("B2", "E3", "G3", "C2", "C#4")]
    assert found == pytest.approx([0.0, 0.0, 0.3, 0.8, 3.9])


# --- chords


def test_the_last_voice_to_come_makes_the_chord_full():
    cursor, habit = choir(), FullChords(SATB)
    sing(cursor, "C5", "G4", wait=0)
    assert not costs(habit, cursor, TENOR).any()  # the bass is still to come
    strike(cursor, 0, TENOR, "C4", QUARTER)
    assert [cost(habit, cursor, BASS, name) for name in ("C3", "G3", "E3", "A2")] == [3.0, 3.0, 0.0, 0.0]


def test_the_last_chord_is_full_above_all():
    cursor, habit = choir(bars=1), FullChords(SATB, tonic=0, tail=2 * QUARTER)
    sing(cursor, "C5", "G4", wait=2 * QUARTER, length=2 * QUARTER)
    found = [cost(habit, cursor, TENOR, name) for name in ("E4", "C4", "G3")]
    assert found == [0.0, 6.0, 6.0]  # the bass, still to come, will have another C


def test_what_sounds_on_a_beat_is_a_chord():
    cursor, habit = choir(), PlainChords(QUARTER, 3.0)
    sing(cursor, "G4", "E4", wait=0)
    found = [cost(habit, cursor, TENOR, name) for name in ("C4", "A3", "C#4", "D4", "F3", "F#3")]
    assert found == [0.0, 0.0, 0.0, 0.0, 3.0, 3.0]  # E and G lie within C, Am7, A7 and Em7


def test_off_the_beat_a_passing_note_costs_half():
    cursor, habit = choir(), PlainChords(QUARTER, 3.0)
    sing(cursor, "G4", "E4", "C4", "-", wait=0, length=2 * QUARTER)
    assert cost(habit, cursor, BASS, "D3", wait=12) == 1.5
    assert cost(habit, cursor, BASS, "D3", wait=QUARTER) == 3.0


def test_a_leading_tone_is_not_doubled():
    cursor, habit = choir(), OneLeadingTone(tonic=0, strength=1.5)
    strike(cursor, 0, SOPRANO, "B4", QUARTER)
    found = costs(habit, cursor, ALTO)
    assert {n % 12 for n in np.flatnonzero(found)} == {11} and found.max() == 1.5
    assert not costs(habit, cursor, ALTO, wait=QUARTER).any()  # the soprano has gone


# --- in turn


def test_a_voice_that_sings_waits_for_its_note_to_end():
    cursor, rule = choir(), InTurn(overlap=6.0)
    sing(cursor, "G4", "E4", "C4", "C3", wait=0, length=2 * QUARTER)
    waits = asked(rule, "wait", cursor, WAITS)
    assert (waits[: 2 * QUARTER] == -6.0).all() and not waits[2 * QUARTER :].any()
    parts = asked(rule, "part", cursor, 16, wait=QUARTER)
    assert np.flatnonzero(parts).tolist() == [0, 1, 2, 3]
    assert not asked(rule, "part", cursor, 16, wait=2 * QUARTER).any()


def test_a_voice_whose_note_has_ended_goes_on_at_once():
    cursor, rule = choir(), InTurn(overlap=6.0, rest=5.0)
    sing(cursor, "G4", "E4", "C4", "C3", wait=0, length=QUARTER)
    waits = asked(rule, "wait", cursor, WAITS)
    assert waits[QUARTER] == 0.0 and (waits[QUARTER + 1 :] == -5.0).all()
    assert asked(rule, "part", cursor, 16, wait=QUARTER)[:4].tolist() == [0.0, -5.0, -5.0, -5.0]  # in score order
    strike(cursor, QUARTER, SOPRANO, "A4", QUARTER)
    waits = asked(rule, "wait", cursor, WAITS)
    assert waits[0] == 0.0 and (waits[1:] == -5.0).all()
    assert asked(rule, "part", cursor, 16, wait=0)[:4].tolist() == [-6.0, 0.0, -5.0, -5.0]


def test_where_parts_rest_as_they_like_only_an_overlap_costs():
    cursor = choir()
    sing(cursor, "G4", "E4", "C4", "C3", wait=0, length=QUARTER)
    assert not asked(InTurn(rest=0.0), "wait", cursor, WAITS)[QUARTER:].any()


def test_a_piece_does_not_close_before_its_voices_but_they_may_end_the_last_chord_as_they_like():
    cursor = choir(bars=1)
    sing(cursor, "G4", "E4", "C4", "C3", wait=0, length=3 * QUARTER)
    assert asked(InTurn(rest=5.0), "wait", cursor, WAITS)[-1] == -5.0
    assert asked(InTurn(rest=5.0, tail=QUARTER), "wait", cursor, WAITS)[-1] == 0.0


def test_new_voices_come_in_with_the_melody():
    cursor = choir()
    cursor.sounds, cursor.standing = cursor.sounds[1:], [(QUARTER, QUARTER, pitch_of("G4"), 80, CHOIR, 0)]
    waits = asked(InTurn(rest=5.0), "wait", cursor, WAITS)
    assert np.flatnonzero(waits == 0).tolist() == [QUARTER]
    cursor.standing = [(0, QUARTER, pitch_of("G4"), 80, CHOIR, 0)]
    waits = asked(InTurn(rest=5.0), "wait", cursor, WAITS)
    assert np.flatnonzero(waits == 0).tolist() == [0]
    assert asked(InTurn(), "part", cursor, 16, wait=0)[:4].tolist() == [0.0, 0.0, -8.0, -8.0]  # all of them, in order


def test_even_voices_that_may_rest_come_in_with_the_melody_but_not_where_music_stands_before():
    cursor = choir()
    cursor.sounds, cursor.standing = cursor.sounds[1:], [(0, QUARTER, pitch_of("G4"), 80, CHOIR, 0)]
    assert (asked(InTurn(), "wait", cursor, WAITS)[1:] == -8.0).all()
    cursor.standing = [(-QUARTER, QUARTER, pitch_of("G4"), 80, CHOIR, 0), *cursor.standing]
    assert not asked(InTurn(), "wait", cursor, WAITS).any()


# --- the close


def test_the_dominant_stands_before_the_last_chord_its_root_in_the_bass():
    cursor, rule = choir(bars=1), Cadence(SATB, tonic=0, start=QUARTER, pulse=QUARTER)
    bass = asked(rule, "pitch", cursor, 128, wait=2 * QUARTER, part=BASS)
    assert {pitch % 12 for pitch in np.flatnonzero(bass == 0)} == {7}
    alto = asked(rule, "pitch", cursor, 128, wait=2 * QUARTER, part=ALTO)
    assert {pitch % 12 for pitch in np.flatnonzero(alto == 0)} == {2, 5, 7, 11}
    assert not asked(rule, "pitch", cursor, 128, wait=QUARTER, part=BASS).any()
    assert not asked(rule, "pitch", cursor, 128, wait=3 * QUARTER, part=BASS).any()


def test_what_came_before_ends_where_the_cadence_begins():
    cursor, rule = choir(bars=1), Cadence(SATB, tonic=0, start=QUARTER, pulse=QUARTER)

    def longest(name: str, part: int) -> int:
        found = asked(rule, "duration", cursor, 384, wait=0, part=part, pitch=pitch_of(name))
        return 1 + int(np.flatnonzero(found == 0).max())

    assert [longest("C3", BASS), longest("G2", BASS), longest("C4", ALTO)] == [2 * QUARTER, 3 * QUARTER, 3 * QUARTER]


def test_a_melody_without_a_note_of_the_dominant_closes_otherwise():
    cursor, rule = choir(bars=1), Cadence(SATB, tonic=0, start=QUARTER, pulse=QUARTER)
    cursor.standing = [(2 * QUARTER, QUARTER, pitch_of("A4"), 80, CHOIR, 0)]  # plagal
    assert not asked(rule, "pitch", cursor, 128, wait=2 * QUARTER, part=BASS).any()
    cursor.standing = [(2 * QUARTER, QUARTER, pitch_of("D5"), 80, CHOIR, 0)]
    assert asked(rule, "pitch", cursor, 128, wait=2 * QUARTER, part=BASS).any()


def test_a_melody_that_ends_off_the_tonic_triad_leaves_the_last_chord_free():
    cursor, rule = choir(bars=1), CloseOnTonic(0, "major", start=QUARTER)
    assert (asked(rule, "pitch", cursor, 128, wait=3 * QUARTER, part=ALTO) == FORBIDDEN).any()
    cursor.standing = [(3 * QUARTER, QUARTER, pitch_of("D5"), 80, CHOIR, 0)]
    assert not asked(rule, "pitch", cursor, 128, wait=3 * QUARTER, part=ALTO).any()


def test_voices_end_together():
    cursor = choir(bars=1)
    sing(cursor, "E4", "C4", "G3", "-", wait=3 * QUARTER)
    free, full = (CloseOnTonic(0, "major", start=QUARTER, full=full) for full in (False, True))
    assert asked(free, "wait", cursor, 386)[-1] == 0 > asked(full, "wait", cursor, 386)[-1]
    sing(cursor, "-", "-", "-", "C3", wait=0)
    assert asked(full, "wait", cursor, 386)[-1] == 0


def test_clashes_with_a_melody_cost_and_so_does_sounding_on_into_one():
    cursor = choir()
    cursor.standing = [(0, 24, pitch_of("G4"), 80, CHOIR, 0), (24, 24, pitch_of("F4"), 80, CHOIR, 0)]
    pitches = asked(NoClash(1.0), "pitch", cursor, 128, wait=0, part=ALTO)
    assert {pitch % 12 for pitch in np.flatnonzero(pitches)} == {6, 8}
    durations = asked(NoClash(1.0), "duration", cursor, 384, wait=0, part=ALTO, pitch=pitch_of("E4"))
    assert not durations[:QUARTER].any() and (durations[QUARTER:] == -1.0).all()


# --- which rules a style keeps

FOUR = {
    "programs": [[[CHOIR] * 4, 1.0]], "ranges": {"pitch": [36, 84]},
    "measures": {
        "polyphony": [3.9, 4.0, 4.0, 4.0, 4.0], "parallel_fifths": [0.0, 0.0, 0.0, 0.0, 2.0],
        "parallel_octaves": [0.0, 0.0, 0.0, 1.0, 2.0], "missing_voices": [0.0] * 5, "voice_crossing": [0.0] * 5,
        "authentic_close": [0.0, 1.0, 1.0, 1.0, 1.0], "final_is_tonic": [0.0, 1.0, 1.0, 1.0, 1.0],
    },
}  # fmt: skip
PIANO = {**FOUR, "programs": [[[0, 0], 1.0]]}


def kinds(profile, **plan) -> dict[str, object]:
    """Rules and habits of a style by the names of their classes."""
    found = rules_for(profile, Plan(programs=tuple(profile["programs"][0][0]), key=(0, "major"), **plan))
    habits = [habit for rule in found if isinstance(rule, PartWriting) for habit in rule.habits]
    return {type(one).__name__: one for one in (*found, *habits)}


def test_rules_of_voices_are_for_styles_of_single_voices():
    assert has_single_voices(FOUR) and not has_single_voices(PIANO)
    chords = {**FOUR["measures"], "polyphony": [3.0, 4.0, 5.0, 6.0, 7.0]}
    assert not has_single_voices({**FOUR, "measures": chords})  # more notes together than parts: somebody plays chords
    assert "PartWriting" in kinds(FOUR) and not {"PartWriting", "InTurn", "Cadence"} & kinds(PIANO).keys()


def test_what_real_pieces_never_do_costs_most_and_what_they_often_do_nothing():
    assert kinds(FOUR)["NoParallelVoices"].strength == {7: 8.0, 0: 4.0}
    often = {**FOUR["measures"], "parallel_octaves": [0.0, 5.0, 10.0, 20.0, 30.0], "missing_voices": [0.1] * 5}
    found = kinds({**FOUR, "measures": often})
    assert found["NoParallelVoices"].strength == {7: 8.0} and found["InTurn"].rest == 0.0


def test_a_voice_that_may_rest_does_not_stay_away():
    def longest(profile):
        rules = rules_for(profile, Plan(programs=(CHOIR,) * 4, key=(0, "major")))
        return [rule.ticks for rule in rules if isinstance(rule, EveryPart) and rule.always]

    missing = {**FOUR, "measures": {**FOUR["measures"], "missing_voices": [0.1] * 5}}
    assert (longest(FOUR), longest(missing), longest(PIANO)) == ([2 * QUARTER], [16 * QUARTER], [2 * QUARTER])


def test_a_piece_that_stays_open_has_no_cadence_nor_one_whose_chords_are_named():
    assert "Cadence" in kinds(FOUR)
    assert "Cadence" not in kinds(FOUR, goes_on=True)
    assert "Cadence" not in kinds(FOUR, chords=((0, 0),))


def test_parallels_beyond_those_of_real_pieces_lower_a_candidate():
    measures = {"parallel_fifths": 5.0, "parallel_octaves": 3.0}
    assert parallels_beyond(measures, FOUR) == pytest.approx(0.07)  # of the octaves one is as usual
    assert parallels_beyond(measures, PIANO) == parallels_beyond({}, FOUR) == 0.0
    clean, faulty = (Candidate(Score(np.zeros(0)), True, True, 0.8, {}, parallels=share) for share in (0.0, 0.07))
    assert clean.worth - faulty.worth == pytest.approx(composing.PARALLEL_WORTH * 0.07)


def test_voices_stand_by_the_height_of_what_they_sing_new_ones_below():
    tracks = (Track("", CHOIR), Track("", CHOIR), Track("", CHOIR))
    score = score_of("C3 whole", "G4 whole", "", tracks=tracks)
    assert editing_parts.by_height(score, [(CHOIR, 2)]) == [(CHOIR, 1), (CHOIR, 0), (CHOIR, 2)]
