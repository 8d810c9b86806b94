"""Encoding `chords`: what sounds is what sounded, one chord follows the other, and pieces end on time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from music import encoding_for, score_of
from partimento import formats
from partimento.corpus import build_cache, scan
from partimento.encodings import Plan, Unencodable, get_encoding
from partimento.encodings.chords import chordified
from partimento.errors import BadOption
from partimento.score import DRUM_PROGRAM, Metre, Track, note_array
from partimento.timing import Clock
from partimento.transform import resample, transpose
from test_registry import PLANS, compose, hymn, sounds
from tunes import duet

FOUR = (Metre(0, 4, 4),)


def chords_of(score) -> list[tuple[str, float]]:
    """Names of what sounds, with quarter lengths."""
    encoding = encoding_for("chords", score)
    steps, columns = encoding.encode(score)[1:], encoding.columns
    words = [encoding.vocabulary.words[n] for n in steps[:, columns["chord"]]]
    return list(zip(words, (encoding.durations[steps[:, columns["duration"]]] / 24).tolist(), strict=True))


def sounding(score) -> np.ndarray:
    """Which pitches sound at each tick of the house grid, (ticks, 128) bool."""
    fine = resample(score, 24)
    found = np.zeros((fine.end, 128), dtype=bool)
    for onset, duration, pitch in zip(*(fine.notes[n] for n in ("onset", "duration", "pitch")), strict=True):
        found[onset : onset + duration, pitch] = True
    return found


def anything(seed: int):
    """Notes in three parts that overlap, cross, repeat and pause, on a clock of 480 ticks."""
    rng, rows = np.random.default_rng(seed), []
    for track in range(3):
        now = 0
        for _ in range(30):
            now += int(rng.choice([0, 0, 240, 480, 961]))
            rows.append((now, int(rng.choice([119, 240, 700, 1440])), int(rng.integers(40, 80)), 80, track))
            now += int(rng.choice([0, 240, 480]))
    tracks = (Track("", 0), Track("", 40), Track("", 42))
    return replace(score_of("C4 half"), notes=note_array(rows), ticks_per_beat=480, tracks=tracks, metres=FOUR)


# --- what sounds


def test_a_chord_begins_wherever_what_sounds_changes():
    score = score_of("C4 half, D4 quarter, rest quarter", "C3 quarter, G3 half, G3 quarter", metres=FOUR)
    assert chords_of(score) == [("C3.C4", 1), ("G3.C4", 1), ("G3.D4", 1), ("G3", 1)]


def test_a_note_struck_again_is_a_chord_of_its_own_and_a_rest_a_word():
    score = score_of("C4 quarter, C4 quarter, rest half, C4+E4 half", metres=FOUR)
    assert chords_of(score) == [("C4", 1), ("C4", 1), ("rest", 2), ("C4.E4", 2)]


def test_a_note_that_ends_under_the_same_pitch_changes_nothing():
    score = score_of("C4 whole", "rest quarter, C4 quarter", metres=FOUR)
    assert chords_of(score) == [("C4", 1), ("C4", 3)]


def test_drums_do_not_sound():
    kit = Track("", DRUM_PROGRAM)
    assert chords_of(score_of("C3 quarter, C3 quarter", "C4 half", tracks=(kit, Track()))) == [("C4", 2)]
    with pytest.raises(Unencodable, match="no note with a pitch"):
        get_encoding("chords").encode(score_of("C3 quarter", tracks=(kit,)))


@pytest.mark.parametrize("seed", range(12))
def test_the_same_pitches_sound_at_every_tick_and_encoding_again_changes_nothing(seed):
    score = anything(seed)
    encoding = encoding_for("chords", score)
    steps = encoding.encode(score)
    back = encoding.decode(steps)
    assert np.array_equal(sounding(back), sounding(encoding.heard(score)))
    assert np.array_equal(encoding.encode(back), steps)
    assert sum(chordified(encoding.heard(score))[1]) == back.end


@pytest.mark.parametrize("upbeat", [0, 24, 72])
def test_a_hymn_whose_voices_move_together_comes_back_whole(upbeat):
    score = hymn(upbeat)
    encoding = encoding_for("chords", score)
    back = encoding.decode(encoding.encode(score), Plan(tempo=100.0))
    assert sounds(back) == sounds(score)
    assert (back.upbeat, back.metres, back.keys, back.tempos) == (upbeat, score.metres, score.keys, score.tempos)


# --- vocabularies


def test_both_vocabularies_are_learnt():
    encoding = encoding_for("chords", score_of("C4 quarter, C4+E4 dotted-quarter, rest half, C4 eighth"))
    assert encoding.vocabulary.words == ("C4", "C4.E4", "rest")
    assert encoding.durations.tolist() == [12, 24, 36, 48] and not encoding.learns
    assert [(f.name, f.size) for f in encoding.composed] == [("chord", 3), ("duration", 4)]
    assert [field.name for field in encoding.with_options(given=False).fields] == ["chord", "duration"]
    assert get_encoding(**encoding.spec()).fields == encoding.fields


def test_a_chord_that_is_not_known_is_silence_as_long():
    encoding = encoding_for("chords", score_of("C4 quarter, D4 half"))
    other = score_of("C4 quarter, E4 half, D4 quarter")
    steps = encoding.encode(other)
    assert steps[:, encoding.columns["chord"]].tolist() == [-1, 0, -1, 1]
    assert sounds(encoding.decode(steps)) == [(0, 24, 60), (72, 24, 62)]


def test_a_duration_that_is_not_known_is_made_of_others_or_refused():
    encoding = encoding_for("chords", score_of("C4 quarter, C4 dotted-quarter, rest quarter, C4 quarter"))
    steps = encoding.encode(score_of("C4 half, rest half, C4 whole"))
    lengths = encoding.durations[steps[1:, encoding.columns["duration"]]].tolist()
    assert lengths == [24, 24, 24, 24, 36, 36, 24]  # 36 leaves 12 of a half note, which nothing makes
    assert np.array_equal(encoding.encode(encoding.decode(steps)), steps)
    with pytest.raises(Unencodable, match="12 ticks, which the durations learnt cannot make"):
        encoding.encode(score_of("C4 quarter, C4 eighth"))


@pytest.mark.parametrize("durations", [(0, 24), (24, 24), (24, 12)])
def test_durations_rise(durations):
    with pytest.raises(BadOption, match="wanted ticks from 1 on, rising"):
        get_encoding("chords", durations=durations)


def test_a_piece_moves_as_far_as_its_chords_are_known():
    score = score_of("C4+E4 quarter, D4+F#4 half", metres=FOUR)
    alone, wide = encoding_for("chords", score), encoding_for("chords", score, reach=4)
    assert alone.transpositions(alone.encode(score)) == (0, 0)
    assert alone.transpose(alone.encode(score), 2)[1:, alone.columns["chord"]].tolist() == [1, -1]
    assert wide.transpositions(wide.encode(score)) == wide.transpositions(wide.encode(score), 4) == (-4, 4)
    for semitones in (-4, 3):
        moved = wide.transpose(wide.encode(score), semitones)
        assert np.array_equal(moved, wide.encode(transpose(score, semitones)))


# --- what is learnt from


def test_the_target_of_a_step_is_the_chord_that_follows(tmp_path):
    """Early notebooks learnt the second chord of each window of 32 instead of the one behind it."""
    from partimento.training.batches import Batches

    (tmp_path / "music").mkdir()
    for number in range(6):
        formats.save(duet(number), tmp_path / "music" / f"duet{number}.mid")
    cache = build_cache(scan(tmp_path / "music", workers=0), get_encoding("chords"), tmp_path / "cache", workers=0)
    cache = replace(cache, pieces=[replace(piece, low=0, high=0) for piece in cache.pieces])  # nothing is transposed
    encoding = get_encoding(**cache.spec)
    columns = [encoding.columns[name] for name in ("chord", "duration")]
    pieces = [cache.steps[piece.start : piece.start + piece.length][:, columns] for piece in cache.of("train")]
    for step in range(3):
        batch = Batches(cache, encoding, split="train", size=4, window=32, seed=1).at(step)
        assert batch["steps"].shape[1] == 32 and batch["mask"].all()
        for last, steps in zip(batch["last"].numpy()[..., columns], batch["steps"].numpy()[..., columns], strict=True):
            assert np.array_equal(last[1:], steps[:-1])
            window = np.concatenate([last[:1], steps])
            places = [(rows, at) for rows in pieces for at in range(len(rows) - 32)]
            assert any(np.array_equal(rows[at : at + 33], window) for rows, at in places)


# --- while composing


@pytest.mark.parametrize("slope", [0.0, 5.0, -5.0])
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_a_piece_fills_the_bars_asked_for_to_the_tick(plan, given, slope):
    examples = score_of("C4+E4 quarter, rest sixteenth, D4 eighth, rest half, E4 dotted-quarter"), hymn()
    encoding = encoding_for("chords", *examples, given=given)
    for seed in range(1 if slope or plan.bars > 20 else 3):
        steps = compose(encoding, plan, seed, slope)
        score, chords = encoding.decode(steps, plan), steps[1:, encoding.columns["chord"]]
        bars = Clock(score).bars
        assert len(bars) == plan.bars + bool(plan.upbeat) and score.upbeat == plan.upbeat
        assert score.end == bars[-1].end and score.metres == (Metre(0, *plan.metre),)
        rest = encoding.vocabulary.classes["rest"]
        assert rest not in (chords[0], chords[-1]) and not ((chords[1:] == rest) & (chords[:-1] == rest)).any()
        assert np.array_equal(encoding.encode(score)[:, -2:], steps[:, -2:])


def test_where_durations_cannot_fill_the_bars_the_piece_ends_as_little_before_as_they_can():
    encoding = encoding_for("chords", score_of("C4 dotted-quarter, D4 half"))
    for bars, end in ((1, 96), (2, 192), (3, 288)):
        assert encoding.decode(compose(encoding, Plan(bars), 0), Plan(bars)).end == end
    whole = encoding_for("chords", score_of("C4 whole"))
    assert whole.decode(compose(whole, Plan(2, metre=(5, 4)), 0)).end == 192
    assert whole.decode(compose(whole, Plan(1, metre=(2, 4)), 0)).end == 96  # nothing shorter is known
