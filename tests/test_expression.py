"""Expression: what a player adds to a printed score, on music of a few bars."""

from __future__ import annotations

import numpy as np
import pytest

from music import score_of
from partimento.errors import BadOption
from partimento.expression import excitement_tempo, has_dynamics, has_tempi, perform, phrase_bounds
from partimento.formats import midi
from partimento.lines import melody, top_line, voices
from partimento.score import DRUM_PROGRAM, TICKS_PER_BEAT, Metre, Score, Tempo, Track, note_array
from partimento.timing import duration_seconds

BAR = 4 * TICKS_PER_BEAT
WALTZ = (Metre(0, 3, 4),)
PHRASE = "C4 quarter, D4 quarter, E4 quarter, F4 quarter, " * 3 + "G4 whole, "
TUNE = PHRASE + PHRASE
EVEN = "C4 quarter, " * 64  # 16 bars of one note


def velocities(score: Score) -> np.ndarray:
    return score.notes["velocity"].astype(int)


def without_velocity(score: Score) -> list[tuple]:
    return [(onset, duration, pitch, track) for onset, duration, pitch, _, track in score.notes.tolist()]


# --- dynamics


def test_a_bar_is_accented_downbeat_then_middle_then_beats_then_offbeats():
    played = velocities(perform(score_of("C4 eighth, " * 64)))
    bar = played.reshape(-1, 8).mean(axis=0)
    assert bar[0] > bar[4] > bar[2] > max(bar[1::2])


def test_the_first_note_after_an_upbeat_is_the_downbeat():
    played = velocities(perform(score_of("G4 quarter, " + EVEN, upbeat=TICKS_PER_BEAT)))
    assert all(played[place] > max(played[place - 1], played[place + 1]) for place in range(1, 57, 4))


def test_the_middle_of_a_phrase_is_louder_than_its_ends():
    bars = velocities(perform(score_of(EVEN))).reshape(4, 4, 4).mean(axis=2)  # (phrases, bars, beats)
    assert (bars[:, 1] > bars[:, 0]).all() and (bars[:, 2] > bars[:, 3]).all()


def test_the_higher_of_two_even_notes_is_louder():
    played = velocities(perform(score_of("C4 quarter, C4 quarter, C4 quarter, C5 quarter, " * 8)))
    plain = velocities(perform(score_of("C4 quarter, C4 quarter, C4 quarter, C4 quarter, " * 8)))
    change = (played - plain).reshape(8, 4).mean(axis=0)
    assert change[3] > max(change[:3])


def test_the_melody_stands_before_the_chords_though_they_rise_above_it():
    chords = "C4+E4+G4 quarter, rest quarter, C4+E4+C5 half, " * 8
    song = score_of("C4 quarter, D4 quarter, E4 half, " * 8, chords, tracks=(Track("Voice", 52), Track("", 0)))
    assert set(song.notes["track"][melody(song)]) == {0}
    played = perform(song)
    assert played.track_notes(0)["velocity"].mean() > played.track_notes(1)["velocity"].mean() + 4


def test_without_a_singer_the_melody_is_the_top_of_everything():
    hands = score_of("E4+C5 whole", "C3 half, G3 half")
    assert hands.notes["pitch"][melody(hands)].tolist() == [72]
    assert top_line(hands.notes).tolist() == [False, True, False, False]


def test_drums_get_accents_alone():
    kit = (Track("", 0), Track("", DRUM_PROGRAM))
    played = perform(score_of(EVEN, "C2 quarter, D2 quarter, " * 32, tracks=kit))
    beats = played.track_notes(1)["velocity"].reshape(16, 4)
    assert (beats == beats[0]).all() and len(set(beats[0].tolist())) > 1


@pytest.mark.parametrize(("excitement", "level"), [(1, 48), (5.5, 76), (10, 108)])
def test_excitement_is_loudness(excitement, level):
    played = velocities(perform(score_of(TUNE), excitement=excitement))
    assert abs(played.mean() - level) < 1 and played.min() >= 1 and played.max() <= 127


def test_flat_music_as_loud_as_can_be_is_played_with_room_above():
    loud = velocities(perform(score_of("C4 quarter, E4 quarter, G4 quarter, E4 quarter, " * 8, velocity=127)))
    assert 90 < loud.mean() < 102 and loud.max() < 127 and loud.std() > 4
    assert velocities(perform(score_of("C4 quarter, E4 quarter, " * 8, velocity=60))).mean() == pytest.approx(60, abs=2)


def test_excitement_may_grow_bar_by_bar():
    curve = np.linspace(1, 10, 16)
    bars = velocities(perform(score_of("C4 whole, " * 16), excitement=curve))
    assert bars[-1] > bars[8] + 15 > bars[0] + 30


def test_the_balance_between_tracks_is_kept_and_is_no_expression():
    score = score_of(EVEN, EVEN.replace("C4", "C3"))
    notes = score.notes.copy()
    notes["velocity"] = np.where(notes["track"] == 0, 100, 60)
    assert not has_dynamics(score.with_notes(notes))
    played = perform(score.with_notes(notes))
    assert played.track_notes(0)["velocity"].mean() > played.track_notes(1)["velocity"].mean() + 35


# --- articulation


def test_calm_music_stays_legato_and_excited_music_is_detached():
    score = score_of(TUNE)
    assert without_velocity(perform(score, excitement=2)) == without_velocity(score)
    lively = perform(score, excitement=10).notes
    assert (lively["onset"] == score.notes["onset"]).all() and (lively["pitch"] == score.notes["pitch"]).all()
    assert (lively["duration"][:-1] < score.notes["duration"][:-1]).all()
    assert lively["duration"][-1] == score.notes["duration"][-1]  # the end stays where it is
    assert (lively["duration"] >= score.notes["duration"] * 0.75).all()


# --- tempo


def test_phrases_push_and_relax_and_the_end_slows_down():
    score = score_of(EVEN, tempos=(Tempo(0, 100),))
    played = perform(score)
    bpm = np.array([tempo.bpm for tempo in played.tempos])
    assert [tempo.tick for tempo in played.tempos] == list(range(0, 16 * BAR, TICKS_PER_BEAT))
    assert bpm[7] > bpm[0] and bpm[7] > bpm[15]
    assert (np.diff(bpm[-4:]) < 0).all() and bpm[-1] < 75
    assert 95 < bpm[:-4].min() < bpm[:-4].max() < 105


def test_a_closing_chord_is_slowed_by_the_bar_before_it():
    bpm = [tempo.bpm for tempo in perform(score_of("C4 quarter, " * 28 + "C4 whole")).tempos]
    assert bpm[24] > bpm[25] > bpm[26] > bpm[27] > bpm[28]


def test_beats_of_a_jig_are_dotted_and_those_of_an_upbeat_end_at_the_bar_line():
    jig = score_of("C4 eighth, " * 49, metres=(Metre(0, 6, 8),), upbeat=12)
    assert [tempo.tick for tempo in perform(jig).tempos] == [0, *range(12, 12 + 16 * 36, 36)]


@pytest.mark.parametrize("tune", ["C4 whole", "C4 quarter, " * 9, TUNE, EVEN])
@pytest.mark.parametrize("amount", [0.5, 1, 2])
def test_the_piece_lasts_as_long_within_a_twentieth(tune, amount):
    score = score_of(tune)
    rng = np.random.default_rng(0)
    assert duration_seconds(perform(score, amount=amount, rng=rng)) == pytest.approx(duration_seconds(score), rel=0.05)


@pytest.mark.parametrize(("excitement", "tempo"), [(1, 72), (5.5, 100), (10, 135), (3.25, 100 * 0.72**0.5)])
def test_excitement_is_pace(excitement, tempo):
    assert excitement_tempo(100, excitement) == pytest.approx(tempo)


# --- what is there already


def test_a_played_piece_is_left_alone():
    played = perform(score_of(TUNE), rng=np.random.default_rng(1))
    assert has_dynamics(played) and has_tempi(played)
    assert perform(played, excitement=9) is played


def test_only_what_is_missing_is_added():
    score = score_of(TUNE, tempos=(Tempo(0, 100), Tempo(BAR, 80)))
    assert perform(score).tempos == score.tempos and velocities(perform(score)).std() > 2
    loud = score_of(TUNE)
    notes = loud.notes.copy()
    notes["velocity"][::2] = 110
    loud = loud.with_notes(notes)
    assert (perform(loud, excitement=9).notes == loud.notes).all() and len(perform(loud).tempos) > 1


def test_no_amount_no_change():
    score = score_of(TUNE)
    assert perform(score, amount=0, excitement=9, rng=np.random.default_rng(0)) is score
    assert perform(score_of("")) == score_of("")


def test_the_same_without_chance_and_other_with_it():
    score = score_of(TUNE)
    assert perform(score) == perform(score)
    drawn = [perform(score, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert without_velocity(drawn[2]) == without_velocity(score)


def test_what_is_played_survives_a_midi_file():
    played = perform(score_of(TUNE), excitement=7)
    assert midi.from_bytes(midi.to_bytes(played)) == played


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"excitement": 0.5}, "excitement 0.5 is out of range; wanted 1 to 10"),
        ({"excitement": [5] * 7 + [11]}, "excitement 11 is out of range"),
        ({"excitement": [5, 5]}, "2 values of excitement for 8 bars"),
        ({"excitement": [[5.0]]}, "shape"),
        ({"excitement": float("nan")}, "excitement nan"),
        ({"amount": -1}, "amount -1 of expression is out of range; wanted 0 to 2"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(BadOption, match=message):
        perform(score_of(TUNE), **options)


# --- phrases


def test_phrases_have_four_bars_where_nothing_is_said():
    assert phrase_bounds(score_of(EVEN)).tolist() == [0, 4 * BAR, 8 * BAR, 12 * BAR, 16 * BAR]


def test_a_phrase_ends_where_the_melody_waits():
    long = "C4 quarter, " * 16 + "C4 whole, "  # five bars each
    assert phrase_bounds(score_of(long + long)).tolist() == [0, 5 * BAR, 10 * BAR]


def test_phrases_begin_with_their_upbeats():
    score = score_of("C4 quarter, " * 25, metres=WALTZ, upbeat=TICKS_PER_BEAT)
    assert phrase_bounds(score).tolist()[:2] == [0, 4 * 3 * TICKS_PER_BEAT]


# --- voices


def test_a_hymn_on_one_staff_comes_apart_into_its_voices():
    hymn = score_of("C3+G3+E4+C5 quarter, F3+A3+F4+C5 quarter, G3+B3+D4+B4 half")
    parts = voices(hymn.notes, 4)
    assert [hymn.notes["pitch"][parts == voice].tolist() for voice in range(4)] == [
        [72, 72, 71], [64, 65, 62], [55, 57, 59], [48, 53, 55],
    ]  # fmt: skip


def test_a_single_line_is_never_scattered():
    assert voices(score_of("C3 quarter, C5 quarter, C3 quarter, C6 quarter").notes, 3).tolist() == [0] * 4


def test_the_bass_that_sounds_alone_stays_in_the_bass():
    waltz = score_of("C3+C5 quarter, C3 quarter, C3 quarter, " * 4)
    parts = voices(waltz.notes, 2)
    assert set(waltz.notes["pitch"][parts == 0].tolist()) == {72}
    assert note_array([]).size == len(voices(note_array([]), 3)) == 0
