"""Composing into music that stands: what is asked for comes, and the rest stays to the tick."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from importlib.metadata import version

import numpy as np
import pytest

from music import score_of
from partimento import api, composing, editing, editing_parts, frames, model_file, recipes
from partimento.asking import Request
from partimento.encodings import _gaps as gaps
from partimento.encodings.base import Plan
from partimento.errors import BadOption, ModelError
from partimento.expression import perform
from partimento.formats.midi import from_bytes, to_bytes
from partimento.joining import FillEveryBar
from partimento.rules import Stream
from partimento.score import DRUM_PROGRAM, Key, Metre, Score, Tempo, Track, note_array
from partimento.theory import key_of
from partimento.timing import Clock
from partimento.transform import cut, resample
from tunes import duet, tune, with_kit

pytest_plugins = ["tiny"]
MAPS = ("tracks", "tempos", "metres", "keys", "upbeat", "ticks_per_beat", "title")


@pytest.fixture
def edit(tiny):
    """A verb of `api` with the small model of two styles; the best piece of one candidate."""

    def run(verb: str, score: Score, *place, style: str = "duets", **asked) -> Score:
        asked = {"candidates": 1, "seed": 3, "model": tiny.pair, "style": style, **asked}
        return getattr(api, verb)(score, *place, **asked)[0].score

    return run


def joined(*scores: Score) -> Score:
    """Scores of eight bars one after the other."""
    notes = [score.notes.copy() for score in scores]
    for number, one in enumerate(notes):
        one["onset"] += number * 8 * 96
    return scores[0].with_notes(np.concatenate(notes))


def with_upbeat() -> Score:
    """A duet whose first bar lacks its first three quarters."""
    return replace(cut(duet(1), 72, 9999), upbeat=24)


def uneven() -> Score:
    """Two bars of 4/4, two of 3/4, three of 7/16 and some more of 4/4, with changes of key and tempo."""
    metres = (Metre(0, 4, 4), Metre(192, 3, 4), Metre(336, 7, 16), Metre(462, 4, 4))
    tempos = (Tempo(0, 90.0), Tempo(200, 130.0), Tempo(400, 61.5))
    return replace(duet(2), metres=metres, tempos=tempos, keys=(Key(0, 2), Key(336, 9, "minor")), title="Uneven")


def off_the_grid() -> Score:
    """A duet as somebody played it: at 480 ticks, every onset a little early or late."""
    fine = resample(duet(3), 480)
    notes, rng = fine.notes.copy(), np.random.default_rng(1)
    notes["onset"] = np.maximum(0, notes["onset"] + rng.integers(-25, 26, len(notes)))
    notes["velocity"] = rng.integers(40, 110, len(notes))
    return fine.with_notes(notes)


SCORES = {
    "a duet": duet(0), "at 480 ticks": resample(duet(4), 480), "at 100 ticks": resample(duet(4), 100),
    "with an upbeat": with_upbeat(), "of uneven bars": uneven(), "off the grid": off_the_grid(),
    "without a metre": replace(duet(5), metres=(), keys=()), "one part": tune(1),
    "two flutes": replace(duet(6), tracks=(Track("I", 73), Track("II", 73))),
    "a note": score_of("rest whole, C4 half"),
}  # fmt: skip


@pytest.fixture(params=SCORES)
def score(request) -> Score:
    return SCORES[request.param]


def rows(notes: np.ndarray) -> list[tuple]:
    return sorted(map(tuple, notes.tolist()))


def full_bars(score: Score) -> int:
    return len(Clock(score).bars) - bool(score.upbeat)


def span(score: Score, first: int, last: int) -> tuple[int, int]:
    """Ticks at which full bars `first` to `last` (from 1) begin and end."""
    bars = Clock(score).bars[bool(score.upbeat) :]
    return bars[first - 1].start, bars[last - 1].end


def inside(score: Score, begin: int, end: int) -> np.ndarray:
    onset = score.notes["onset"]
    return (onset >= begin) & (onset < end)


def assert_filled(score: Score, begin: int, end: int) -> None:
    """An onset in the first and the last bar from `begin` to `end`, no silent bar between.

    Nothing is held beyond the end of the bar behind, and nothing at all where no music stands there.
    """
    notes, new = score.notes, score.notes[inside(score, begin, end)]
    stops = notes["onset"] + notes["duration"]
    bars = [bar for bar in Clock(score).bars if begin <= bar.start < end]
    assert all(inside(score, bar.start, bar.end).any() for bar in (bars[0], bars[-1]))
    assert all(((notes["onset"] < bar.end) & (stops > bar.start)).any() for bar in bars)
    behind = [bar.end for bar in Clock(score).bars if bar.start >= end and (notes["onset"] >= end).any()]
    assert (new["onset"] + new["duration"]).max() <= min(behind, default=end)


# --- what a model is told


def told(encoding, score: Score, region: frames.Region, *, goes_on: bool) -> np.ndarray:
    """Every row that a model hears before the first one that it composes, with its tick, (rows, columns + 1)."""
    key = key_of(score)
    standing = frames.Standing(encoding, score, frames.bars_of(score), region)
    plan = Plan(region.bars, "duets", (key.tonic, key.mode), tempo=score.tempos[0].bpm, goes_on=goes_on)
    frame = standing.framed(plan, {}).frame
    last = encoding.cursor(standing.framed(plan, {})).start()
    rows = np.concatenate([frame.rows, [[last[name] for name in encoding.columns]]])
    times = [*frame.times, frame.past_times[-1] if len(frame.past) else 96 * region.first]
    return np.column_stack([rows, times])


def arranged(encoding, score: Score, task: gaps.Task) -> np.ndarray:
    """The same rows of the window that training makes of the whole score."""
    steps = encoding.encode(score, {"style": "duets"}).astype(np.int64)
    lesson = gaps.arranged(encoding.columns, steps, encoding.times(steps), task)
    table, times = lesson.rows, lesson.times
    roles = table[:, encoding.columns["role"]]
    kept = np.isin(roles, (gaps.given_fields.ENDS, gaps.given_fields.GOES_ON)) & (times >= 96 * task.first)
    waits = table[:, encoding.columns["wait"]]
    return np.column_stack([table, times])[: np.flatnonzero(kept & (waits >= 0))[0]]


@pytest.mark.parametrize("given", [(), ((42, 0),), ((73, 0),)], ids=str)
@pytest.mark.parametrize(("first", "stop"), [(3, 5), (6, 8), (1, 7), (0, 2)])
def test_a_frame_is_what_training_makes_of_the_same_gap(tiny, first, stop, given):
    encoding, score = model_file.load(tiny.pair).encoding, duet(2)
    sounds = tuple(sound for sound in ((42, 0), (73, 0)) if sound not in given)
    expected = arranged(encoding, score, gaps.Task(first, stop, frozenset(given)))
    found = told(encoding, score, frames.Region(first, stop - first, sounds), goes_on=stop < 8)
    assert len(found) == len(expected) > 8
    different = [name for name, column in encoding.columns.items() if (found != expected)[:, column].any()]
    assert different == []
    assert np.array_equal(found[:, -1] - found[0, -1], expected[:, -1] - expected[0, -1])


def test_an_upbeat_is_told_as_training_tells_it(tiny):
    encoding, score = model_file.load(tiny.pair).encoding, with_upbeat()
    expected = arranged(encoding, score, gaps.Task(3, 5))
    found = told(encoding, score, frames.Region(3, 2, ((73, 0), (42, 0))), goes_on=True)
    assert len(found) == len(expected) > 8
    assert [name for name, column in encoding.columns.items() if (found != expected)[:, column].any()] == []
    assert np.array_equal(found[:, -1] - found[0, -1], expected[:, -1] - expected[0, -1])


def test_a_region_ends_before_what_stands_in_its_last_bar(tiny):
    encoding, score = model_file.load(tiny.pair).encoding, duet(2)
    standing = frames.Standing(encoding, score, frames.bars_of(score), frames.Region(2, 2, ((73, 0),), spared=24))
    frame = standing.framed(Plan(2, "duets"), {}).frame
    assert [bar[1] for bar in frame.bars[:5]] == [96, 192, 288, 384 - 24, 480] and frame.first == 2


def test_what_is_asked_for_is_told_of_the_music_that_stands(tiny):
    """A control is told of every bar around a gap as it is heard there; what is not asked for is not said."""
    loaded, score = model_file.load(tiny.pair), duet(2)
    encoding, scales = loaded.encoding, loaded.info["styles"]["duets"]["scales"]
    standing = frames.Standing(encoding, score, frames.bars_of(score), frames.Region(3, 2, ((42, 0), (73, 0))))
    plan = Plan(2, "duets", controls={"arousal": (9.0,) * 8}, chords=((0, 0),))
    frame = standing.framed(plan, scales).frame
    rows = np.concatenate([frame.rows[frame.rows[:, encoding.columns["pitch"]] >= 0], frame.past[-1:]])
    said = {name: set(rows[:, encoding.columns[name]].tolist()) for name in ("arousal", "valence", "chord")}
    assert len(said["arousal"]) > 1 and min(said["arousal"]) >= 1 and max(said["arousal"]) <= 10
    assert said["valence"] == {0} and min(said["chord"]) >= 2
    assert len(rows) == (~inside(score, 3 * 96, 5 * 96)).sum()


@pytest.fixture
def prompts(monkeypatch) -> list[bytes]:
    """Everything that models are told before they compose, stretch by stretch."""
    found, sample = [], editing.sample

    def spied(model, cursors, *rest):
        found.extend(cursor.prompt()[0].tobytes() + bytes(str(cursor.start()), "ascii") for cursor in cursors)
        return sample(model, cursors, *rest)

    monkeypatch.setattr(editing, "sample", spied)
    return found


def test_music_far_away_is_not_told(edit, prompts):
    near = joined(*(duet(number) for number in (1, 9, 3, 1, 9, 3, 1, 9)))
    far, beside = near.notes.copy(), near.notes.copy()
    for notes, first in ((far, 1), (beside, 49)):
        bar = inside(near, *span(near, first, first))
        notes["pitch"][bar] = notes["pitch"][bar][::-1]
    for notes in (near.notes, far, beside):
        edit("infill", near.with_notes(notes), (50, 51))
    assert prompts[0] == prompts[1] != prompts[2]


def test_what_a_gap_held_is_not_told(edit, prompts):
    score = joined(duet(0), duet(1), duet(2))
    other, gap = score.notes.copy(), inside(score, *span(score, 3, 20))  # too long to be composed in one go
    gap &= other["track"] == 1
    other["pitch"][gap] = other["pitch"][gap][::-1]  # the cello backwards: the key of the piece stays
    assert key_of(score) == key_of(score.with_notes(other)) and rows(other) != rows(score.notes)
    edit("infill", score, (3, 20))
    told_once = [*prompts]
    prompts.clear()
    edit("infill", score.with_notes(other), (3, 20))
    assert len(set(told_once)) == 3 and prompts == told_once
    prompts.clear()
    edit("infill", score, (3, 14))
    assert len(prompts) == 1  # as many bars as models learn to fill


# --- filling


def test_what_stands_around_a_gap_stays_to_the_tick(edit, score):
    last = full_bars(score)
    first = max(1, last // 2)
    found = edit("infill", score, (first, last))
    begin, end = span(score, first, last)
    assert [getattr(found, name) for name in MAPS] == [getattr(score, name) for name in MAPS]
    assert rows(found.notes[~inside(found, begin, end)]) == rows(score.notes[~inside(score, begin, end)])
    assert_filled(found, begin, end)
    saved = from_bytes(to_bytes(found))
    assert len(saved) == len(found) and full_bars(saved) == full_bars(score) == full_bars(found)


def test_only_the_tracks_asked_for_are_composed(edit):
    score = duet(4)
    begin, end = span(score, 3, 5)
    for number in (1, 2):
        found = edit("infill", score, (3, 5), tracks=[number])
        kept, composed = 2 - number, number - 1
        assert rows(found.track_notes(kept)) == rows(score.track_notes(kept))
        old, new = (one.track_notes(composed) for one in (score, found))
        outside = [(track["onset"] < begin) | (track["onset"] >= end) for track in (old, new)]
        assert rows(old[outside[0]]) == rows(new[outside[1]]) and rows(old) != rows(new)


def test_the_first_bar_is_filled_after_an_upbeat_that_stays(edit):
    score = with_upbeat()
    found = edit("infill", score, (1, 1))
    assert rows(found.notes[inside(found, 0, 24)]) == rows(score.notes[inside(score, 0, 24)])
    assert_filled(found, 24, 120)


def test_an_instrument_that_is_silent_thereabouts_stays_so(edit):
    score = joined(*(duet(n) for n in range(5)))
    silent = score.with_notes(score.notes[(score.notes["track"] == 0) | (score.notes["onset"] < 96)])
    found = edit("infill", silent, (30, 31))
    assert rows(found.track_notes(1)) == rows(silent.track_notes(1))


BOLD = api.Sampling(temperatures={"wait": 10.0}, min_p=0)  # about any wait is as likely as another


@pytest.mark.parametrize("seed", range(4))
def test_no_bar_is_silent_however_long_the_model_would_wait(edit, seed):
    notes = joined(duet(0), duet(1)).notes.copy()
    notes["duration"][(notes["onset"] == 144) & (notes["track"] == 1)] = 4 * 96  # a cello that is held into the gap
    score = duet(0).with_notes(notes)
    assert_filled(edit("infill", score, (3, 14), sampling=BOLD, seed=seed), *span(score, 3, 14))
    parts = edit("harmonize", with_upbeat().with_notes(with_upbeat().track_notes(0)), sampling=BOLD, seed=seed)
    assert_filled(parts.with_notes(parts.track_notes(1)), 0, parts.end)


class Follower:
    """As much of a cursor as a rule for waits looks at."""

    def __init__(self, time: int, notes: list, sounding: dict):
        self.time, self.notes, self.sounding = time, notes, sounding


def test_waits_over_a_silent_bar_count_for_its_first_beat():
    """In bars that begin at ticks 10 and 14, what would be struck at 18 or later is struck at 14."""
    chances = np.array([0.0, 0.1, 0.1, 0.1, 0.1, 0.0, 0.1, 0.1, 0.2, 0.1, 0.1])  # the last one closes the piece
    with np.errstate(divide="ignore"):
        begun, before = np.log(chances), np.log(chances)
    rule = FillEveryBar(10, [14, 18])
    rule("wait", begun, Stream(Follower(11, [(11, 1)], {(0, 0, 60): 12})), {})
    assert np.exp(begun) == pytest.approx([0, 0.1, 0.1, 0.5, 0.1, 0, 0.1, 0, 0, 0, 0.1])
    rule("wait", before, Stream(Follower(8, [], {(0, 0, 60): 30})), {})
    assert np.exp(before) == pytest.approx([0, 0, 0.6, 0.1, 0.1, 0, 0, 0, 0, 0, 0.1])


# --- going on


def test_new_bars_begin_at_the_bar_line_after_the_end(edit, score):
    found = edit("continue_", score, bars=3)
    end = Clock(score).bars[-1].end
    assert rows(found.notes[inside(found, 0, end)]) == rows(score.notes)
    assert full_bars(found) == full_bars(score) + 3
    assert_filled(found, end, Clock(found).bars[-1].end)
    kept = ("tracks", "metres", "keys", "upbeat", "ticks_per_beat", "title")
    assert [getattr(found, name) for name in kept] == [getattr(score, name) for name in kept]


def test_bars_before_the_start_leave_the_old_music_as_it_was(edit, score):
    found = edit("continue_", score, "start", bars=2)
    moved = int(found.notes["onset"].max() - score.notes["onset"].max())
    old = found.notes[found.notes["onset"] >= moved].copy()
    old["onset"] -= moved
    assert rows(old) == rows(score.notes)
    assert found.upbeat == 0 and full_bars(found) == full_bars(score) + 2
    lines = [bar.start - moved for bar in Clock(found).bars[2:]]
    assert lines[1:] == [bar.start for bar in Clock(score).bars[1 + bool(score.upbeat) :]]
    assert Clock(found).seconds(moved + score.end) - Clock(found).seconds(moved) == pytest.approx(
        Clock(score).seconds(score.end)
    )


def test_an_upbeat_completes_the_last_bar_before_the_start(edit):
    found = edit("continue_", with_upbeat(), "start", bars=2)
    new = found.notes[found.notes["onset"] < 2 * 96 - 24]
    assert len(found) - len(new) == len(with_upbeat()) and (new["onset"] >= 96).any()
    flute = new[new["track"] == 0]  # which the upbeat is for: its own notes are over by then
    assert (flute["onset"] + flute["duration"]).max() <= 2 * 96 - 24


def test_a_metre_that_is_said_after_the_upbeat_holds_for_the_bars_before_it(edit):
    said_late = replace(with_upbeat(), metres=(Metre(24, 3, 4),), keys=(Key(24, 2),))
    found = edit("continue_", said_late, "start", bars=2)
    assert found.metres == (Metre(0, 3, 4),) and found.keys == (Key(0, 2),)
    assert found.notes["onset"].max() - said_late.notes["onset"].max() == 2 * 72 - 24


def test_what_follows_the_bar_to_go_on_from_is_left_out(edit):
    score = duet(5)
    found = edit("continue_", score, 3, bars=2)
    assert full_bars(found) == 5
    assert rows(found.notes[inside(found, 0, 288)]) == rows(score.notes[inside(score, 0, 288)])
    assert_filled(found, 288, 480)


def test_going_on_from_an_empty_bar_begins_behind_it(edit):
    score = score_of("C4 whole, D4 whole, rest whole, rest whole, E4 whole")
    found = edit("continue_", score, 4, bars=1, style="tunes")
    assert full_bars(found) == 5 and not inside(found, 192, 384).any()


def test_the_tempo_before_a_slowing_down_is_taken_up_again(edit):
    slowed = replace(duet(1), tempos=(Tempo(0, 100.0), Tempo(700, 80.0), Tempo(750, 40.0)))
    assert edit("continue_", slowed, bars=1).tempos == (*slowed.tempos, Tempo(768, 100.0))
    assert edit("continue_", duet(1), bars=1).tempos == duet(1).tempos


def test_seconds_are_met_to_the_nearest_bar(edit):
    score = duet(0)  # 100 beats a minute: 2.4 seconds a bar
    assert full_bars(edit("continue_", score, seconds=7)) == 8 + 3
    assert full_bars(edit("continue_", score)) == 8 + 8


def test_a_piece_that_goes_on_closes_unless_it_is_to_stay_open(edit):
    score = duet(0)
    closed = edit("continue_", score, bars=3)
    last = closed.notes[closed.notes["onset"] >= 11 * 96 - 48]
    assert (key_of(score).tonic, int(last["pitch"].min()) % 12) == (0, 0)
    assert edit("continue_", score, bars=3, ending=False).notes.tobytes() != closed.notes.tobytes()


def follows(notes: np.ndarray, begin: int) -> bool:
    """Do notes belong to D minor in the first bar after tick `begin`, to G7 in the next, and so on?"""
    tones = [({2, 5, 9}, {7, 11, 2, 5})[(int(onset) - begin) // 96 % 2] for onset in notes["onset"]]
    return bool(np.mean([int(pitch) % 12 in chord for pitch, chord in zip(notes["pitch"], tones, strict=True)]) > 0.7)


def test_chords_count_from_the_first_composed_bar_or_from_bar_1_of_the_piece(edit):
    asked = {"chords": "Dm | G7 | Dm | G7 | Dm | G7 | Dm | G7", "seed": 5}
    longer = edit("continue_", duet(0), bars=6, ending=False, **asked)
    assert follows(longer.notes[longer.notes["onset"] >= 8 * 96], 8 * 96)
    filled = edit("infill", duet(0), (2, 6), **asked)
    assert follows(filled.notes[inside(filled, 96, 6 * 96)], 96)
    before = edit("continue_", duet(0), "start", bars=5, **asked)
    assert follows(before.notes[before.notes["onset"] < 5 * 96], 0)
    varied = edit("vary", with_upbeat(), 1.0, **asked)
    assert follows(varied.notes[inside(varied, 24, 24 + 6 * 96)], 24)
    sung = replace(with_upbeat(), notes=with_upbeat().track_notes(0), tracks=(Track(),))
    parts = edit("harmonize", sung, **asked).track_notes(1)
    assert follows(parts[(parts["onset"] >= 24) & (parts["onset"] < 24 + 6 * 96)], 24)


def test_curves_are_told_bar_by_bar(edit):
    curves = [edit("continue_", duet(0), bars=4, happiness=curve).notes.tobytes() for curve in ("1:1,4:1", "1:9,4:9")]
    assert curves[0] != curves[1]


# --- varying


@pytest.mark.parametrize("amount", [0.1, 0.3, 0.5, 1.0])
def test_a_variation_changes_the_share_asked_for(edit, amount):
    score = joined(duet(0), replace(duet(1)))
    drawn = api.bars_to_vary(score, amount, 3)
    bars = [bar for first, last in drawn for bar in range(first, last + 1)]
    assert len(bars) == len(set(bars)) == max(1, round(16 * amount)) and all(last - first < 4 for first, last in drawn)
    found = edit("vary", score, amount)
    kept = ~np.isin(np.arange(1, 17), bars)
    old, new = (one.notes[kept[Clock(one).bar_at(one.notes["onset"])]] for one in (score, found))
    assert rows(old) == rows(new) and rows(found.notes) != rows(score.notes)
    for first, last in drawn:
        assert_filled(found, *span(score, first, last))


def test_other_seeds_vary_other_bars_and_an_upbeat_stays():
    score = joined(duet(0), duet(1))
    assert len({str(api.bars_to_vary(score, 0.3, seed)) for seed in range(6)}) > 3
    assert all(first >= 1 and last <= 8 for first, last in api.bars_to_vary(with_upbeat(), 1.0, 1))


# --- harmonising


@pytest.mark.parametrize("melody", ["one part", "with an upbeat", "at 100 ticks", "of uneven bars", "a note"])
def test_a_melody_stays_and_gets_the_other_part_over_its_whole_length(edit, melody):
    score = SCORES[melody]
    notes = score.track_notes(0)
    score = replace(score, notes=notes, tracks=(Track("Mine", 40),))
    found = edit("harmonize", score)
    assert rows(found.track_notes(0)) == rows(notes) and found.tracks[0] == Track("Mine", 40)
    assert [track.program for track in found.tracks] == [40, 73]
    assert [getattr(found, name) for name in MAPS[1:]] == [getattr(score, name) for name in MAPS[1:]]
    first = Clock(score).bars[int(Clock(score).bar_at(int(notes["onset"][0])))].start
    assert_filled(found.with_notes(found.track_notes(1)), first, Clock(score).bars[-1].end)


@pytest.mark.parametrize("seed", range(3))
def test_single_voices_begin_with_the_melody(edit, monkeypatch, seed):
    """Though its first note is a tick late, as in files of an unclean start."""
    for module in (editing, composing):
        monkeypatch.setattr(module, "has_single_voices", lambda profile: True)
    melody = resample(tune(1), 480)
    notes = melody.notes.copy()
    notes["onset"][0], notes["duration"][0] = 1, notes["duration"][0] - 1
    found = edit("harmonize", melody.with_notes(notes), seed=seed, instruments=(24, 32))
    assert [int(found.track_notes(number)["onset"][0]) for number in (0, 1, 2)] == [1, 0, 0]


def test_the_instruments_asked_for_accompany(edit):
    found = edit("harmonize", tune(0), instruments=(24, 32))
    assert [track.program for track in found.tracks] == [0, 24, 32]
    assert all(len(found.track_notes(number)) for number in (1, 2))


@pytest.mark.parametrize("is_flat", [True, False], ids=["style of one loudness", "style of dynamics"])
@pytest.mark.parametrize("loudness", [(40, 40), (90, 90), (60, 110)], ids=str)
def test_what_accompanies_a_melody_is_softer_at_every_moment(edit, monkeypatch, loudness, is_flat):
    monkeypatch.setattr(editing_parts, "loudness", lambda profile: 88 * is_flat)
    notes = tune(1).notes.copy()
    notes["velocity"] = np.resize(loudness, len(notes))
    found = edit("harmonize", tune(1).with_notes(notes))
    melody, added = found.track_notes(0), found.track_notes(1)
    last = np.searchsorted(melody["onset"], added["onset"], side="right") - 1
    most = np.floor(0.9 * melody["velocity"][np.maximum(0, last)])
    assert (added["velocity"] == most if is_flat else added["velocity"] <= most).all()
    assert rows(melody) == rows(notes)


def test_a_long_melody_is_harmonised_to_its_end(edit):
    found = edit("harmonize", joined(*(tune(number) for number in range(4))))
    assert_filled(found.with_notes(found.track_notes(1)), 0, 32 * 96)


def test_single_voices_end_with_the_melody_that_they_harmonise(edit, monkeypatch):
    monkeypatch.setattr(editing, "has_single_voices", lambda profile: True)
    melody = cut(tune(1), 0, 7 * 96 + 60)  # it ends within its last bar
    found = edit("harmonize", melody)
    assert rows(found.track_notes(0)) == rows(melody.notes) and found.end == melody.end
    added = found.track_notes(1)
    assert int((added["onset"] + added["duration"]).max()) <= melody.end


# --- how it is played


def test_music_of_one_loudness_a_part_keeps_it(edit):
    notes = duet(0).notes.copy()
    notes["velocity"] = np.where(notes["track"] == 0, 97, 61)
    found = edit("continue_", duet(0).with_notes(notes), bars=2)
    assert {(int(note["track"]), int(note["velocity"])) for note in found.notes} == {(0, 97), (1, 61)}


def test_music_with_dynamics_leaves_loudness_to_the_model(edit):
    found = edit("continue_", off_the_grid(), bars=4)
    assert len(set(found.notes["velocity"][found.notes["onset"] >= off_the_grid().end].tolist())) > 1


def test_excitement_leaves_the_loudness_of_music_that_stood(edit):
    found = edit("continue_", duet(0), bars=2, excitement=10)
    played = api.express(found)
    assert np.array_equal(played.notes, perform(found).notes) and played.recipe["expression"] is True


# --- drums


def kit_of(score: Score) -> list[tuple]:
    """Onset, pitch and velocity of every stroke of the drums, which are track 3."""
    assert score.tracks[2] == Track("Kit", DRUM_PROGRAM)
    return [(int(note["onset"]), int(note["pitch"]), int(note["velocity"])) for note in score.track_notes(2)]


@pytest.mark.parametrize(
    ("verb", "place"), [("infill", ((3, 5),)), ("infill", ((7, 8),)), ("infill", ((1, 8),)), ("vary", (1.0,))], ids=str
)
def test_drums_stay_to_the_stroke(edit, verb, place):
    score = with_kit(duet(4))
    found = edit(verb, score, *place)
    assert rows(found.track_notes(2)) == rows(score.track_notes(2)) and found.tracks == score.tracks
    assert all(rows(found.track_notes(n)) != rows(score.track_notes(n)) for n in (0, 1))


def test_a_model_is_not_told_of_drums(edit, prompts):
    edit("infill", with_kit(duet(4)), (3, 5))
    edit("infill", duet(4), (3, 5))
    assert prompts[0] == prompts[1]


def test_drums_go_on_with_the_bar_that_they_play_most(edit):
    score = with_kit(duet(4))
    found = kit_of(edit("continue_", score, bars=2))
    beats = [(at, 36, 100) if at % 48 == 0 else (at, 38, 80) for at in range(8 * 96, 10 * 96, 24)]
    assert found == [*kit_of(score), *beats]
    assert kit_of(edit("continue_", score, 2, bars=2)) == kit_of(score)[:16]


def test_drums_that_have_stopped_do_not_go_on_and_none_come_before_the_start(edit):
    score = with_kit(duet(4))
    silent = score.with_notes(score.notes[(score.notes["track"] < 2) | (score.notes["onset"] < 3 * 96)])
    assert kit_of(edit("continue_", silent, bars=2)) == kit_of(silent)
    before = kit_of(edit("continue_", score, "start", bars=2))
    assert before == [(onset + 2 * 96, *stroke) for onset, *stroke in kit_of(score)]


def test_drums_go_on_in_bars_of_another_length(edit):
    score = replace(with_kit(duet(4)), metres=(Metre(0, 4, 4), Metre(7 * 96, 3, 4)))
    found = edit("continue_", score, bars=1)
    last = Clock(found).bars[-1]
    assert [stroke for stroke in kit_of(found) if stroke[0] >= last.start] == [
        (last.start, 36, 100), (last.start + 24, 38, 80), (last.start + 48, 36, 100),
    ]  # fmt: skip


# --- parts that have not come in yet


def test_a_part_that_has_not_come_in_yet_may_and_its_track_stays(edit):
    """A flute enters in bar 4; one goes on from bar 2."""
    score = replace(duet(4), tracks=(Track("Voice", 73), Track("Piano", 42)))
    score = score.with_notes(score.notes[(score.notes["track"] == 1) | (score.notes["onset"] >= 3 * 96)])
    found = edit("continue_", score, 2, bars=8)
    assert found.tracks == score.tracks and len(found.track_notes(0)) > 0
    assert [track.name for track in from_bytes(to_bytes(found)).tracks] == ["Voice", "Piano"]


def test_a_part_that_comes_in_far_behind_keeps_its_track_and_rests(edit):
    score = joined(*(duet(n) for n in range(4)))
    late = score.with_notes(score.notes[(score.notes["track"] == 1) | (score.notes["onset"] >= 30 * 96)])
    found = edit("continue_", late, 2, bars=2)
    assert found.tracks == late.tracks and not len(found.track_notes(0))


# --- chance and choice


def test_the_same_seed_gives_the_same_music_and_others_other(edit):
    files = [to_bytes(edit("infill", duet(0), (3, 5), seed=seed)) for seed in (1, 2, 3, 1)]
    assert files[0] == files[3] and len(set(files)) == 3


def test_candidates_differ_and_the_best_comes_first(tiny):
    found = api.continue_(duet(0), bars=3, model=tiny.pair, style="duets", candidates=4, seed=5, happiness=8)
    worths = [one.worth for one in found]
    assert worths == sorted(worths, reverse=True) and len({one.score.notes.tobytes() for one in found}) == 4
    assert [one.score.recipe["rank"] for one in found] == [0, 1, 2, 3]
    assert all("happiness" in one.obtained and "happiness" in one.errors for one in found)


def test_the_style_is_the_one_that_the_piece_is_most_like_unless_it_is_named(tiny):
    def style_of(score: Score, **named) -> str:
        found = api.infill(score, (2, 2), model=tiny.pair, candidates=1, **named)
        return found[0].score.recipe["asked"]["style"]

    assert [style_of(score) for score in (tune(3), duet(3), tune(7), duet(7))] == ["tunes", "duets"] * 2
    assert style_of(tune(3), style="duets") == "duets"
    drums = replace(tune(3), tracks=(Track("Kit", DRUM_PROGRAM),))
    assert editing.style_like(model_file.load(tiny.pair), drums) in ("tunes", "duets")


# --- recipes


@pytest.mark.parametrize(
    ("verb", "place", "asked"),
    [
        ("continue_", (), {"bars": 2}),
        ("continue_", ("start",), {"bars": 2, "happiness": "2->8", "candidates": 3}),
        ("continue_", (4,), {"seconds": 5.5, "ending": False}),
        ("infill", ((2, 3),), {"tracks": [2], "chords": "C | G7", "sampling": api.Sampling(0.8, top_k=9)}),
        ("vary", (0.4,), {"complexity": 0.25, "guidance": 0}),
        ("harmonize", (), {"instruments": (24,), "seed": 2**40}),
    ],
    ids=str,
)
def test_a_recipe_makes_the_piece_again(tiny, verb, place, asked):
    score = tune(2) if verb == "harmonize" else duet(2)
    for one in getattr(api, verb)(score, *place, model=tiny.pair, style="duets", **asked):
        saved = from_bytes(to_bytes(one.score))
        assert saved.recipe == json.loads(json.dumps(one.score.recipe))
        assert to_bytes(api.reproduce(saved.recipe, score, tiny.pair)) == to_bytes(one.score)


def test_a_recipe_wants_its_own_music_and_model(tiny, edit):
    recipe = edit("infill", duet(2), (2, 3)).recipe
    with pytest.raises(BadOption, match="which is missing; name its file: --input"):
        api.reproduce(recipe, None, tiny.pair)
    for other in (duet(3), replace(duet(2), metres=(Metre(0, 2, 4),)), replace(duet(2), tempos=(Tempo(0, 33),))):
        with pytest.raises(BadOption, match="which is not that music"):
            api.reproduce(recipe, other, tiny.pair)
    renamed = replace(duet(2), title="Renamed", tracks=(Track("a", 73), Track("b", 42)))
    assert rows(api.reproduce(recipe, renamed, tiny.pair).notes) == rows(edit("infill", duet(2), (2, 3)).notes)
    with pytest.raises(ModelError, match=f"by the model {recipe['model']}, and .*tiny.partimento is another one"):
        api.reproduce(recipe, duet(2), tiny.model)
    with pytest.raises(ModelError, match=f"by the model {recipe['model']}, and no shipped model is it"):
        api.reproduce(recipe, duet(2))


GOOD = {
    "partimento": recipes.VERSION, "verb": "continue", "model": "0123456789ab", "where": "end", "input": "ab12",
    "rank": 0, "asked": {"style": "duets", "bars": 2, "seed": 3, "candidates": 1},
}  # fmt: skip
HUGE = 10**400


@pytest.mark.parametrize(
    "change",
    [
        {"verb": "sing"}, {"verb": ["continue"]}, {"verb": None}, {"model": 5}, {"where": -1}, {"where": [1]},
        {"where": HUGE}, {"where": True}, {"rank": 1}, {"rank": -1}, {"rank": "0"}, {"rank": HUGE}, {"input": 3},
        {"asked": None}, {"asked": []}, {"asked": {}}, {"more": 1}, {"amount": 0.5}, {"expression": "yes"},
        {"partimento": {}}, {"style": "folk", "bars": 3},
    ],
    ids=str,
)  # fmt: skip
def test_a_tampered_recipe_is_refused_in_a_line(change):
    recipes.read(GOOD)
    with pytest.raises(BadOption) as refused:
        recipes.read({**GOOD, **change})
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 200


@pytest.mark.parametrize(
    "asked",
    [
        {"style": 3}, {"style": ""}, {"bars": "x"}, {"bars": HUGE}, {"bars": 2.5}, {"bars": True}, {"seconds": "x"},
        {"seconds": HUGE}, {"tempo": float("nan")}, {"tempo": float("inf")}, {"key": "D"}, {"key": [2, 3]},
        {"key": [99, "major"]}, {"key": [2, "lydian"]}, {"metre": [4, 0]}, {"metre": [4, 3]}, {"metre": [HUGE, 4]},
        {"programs": [[1]]}, {"programs": [400]}, {"programs": 3}, {"happiness": 11}, {"happiness": []},
        {"happiness": [[1]]}, {"happiness": [[0, 5]]}, {"happiness": {"1": 2}}, {"complexity": float("nan")},
        {"axes": [1]}, {"axes": {"a": "b"}}, {"mix": [["folk", -1]]}, {"mix": [["folk", 0]]}, {"mix": "folk"},
        {"chords": [[1, 999]]}, {"chords": [[float("nan"), 3]]}, {"chords": [["1", 3]]}, {"ending": 1},
        {"seed": -1}, {"seed": 2**64}, {"seed": 1.5}, {"candidates": 0}, {"candidates": HUGE}, {"guidance": -1},
        {"sampling": []}, {"sampling": {"temperature": "hot"}}, {"sampling": {"temperature": -1}},
        {"sampling": {"heat": 1}}, {"sampling": {"temperatures": {"pitch": HUGE}}}, {"colour": "red"},
    ],
    ids=str,
)  # fmt: skip
def test_a_tampered_wish_in_a_recipe_is_refused_in_a_line(asked):
    with pytest.raises(BadOption) as refused:
        recipes.read({**GOOD, "asked": {**GOOD["asked"], **asked}})
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 200


def test_every_wish_can_stand_in_a_recipe():
    assert set(recipes.ASKED) == {entry.name for entry in fields(Request)}
    assert set(recipes.SAMPLING) == {entry.name for entry in fields(api.Sampling)}
    everything = Request(
        "duets", 4, key=(2, "minor"), tempo=90.5, metre=(3, 4), programs=(1, 128), happiness=((1.0, 2.0), (-1.0, 9)),
        excitement=3, complexity=0.5, axes={"a": 1.5}, mix=(("a", 0.5), ("b", 0.5)), chords=((1.0, 3), (2.5, 119)),
        ending=False, form=False, guidance=2.0, seed=9, sampling=api.Sampling(0.5, temperatures={"pitch": 0.2}),
        candidates=2,
    )  # fmt: skip
    whole = recipes.Recipe("infill", "0123", everything, 1, {"where": [1, 2], "tracks": []}, "ff", expression=True)
    assert recipes.read(json.loads(json.dumps(whole.as_dict()))) == whole


def test_recipes_say_the_version_that_is_installed():
    assert version("partimento") == recipes.VERSION


# --- what cannot be done


@pytest.mark.parametrize(
    ("verb", "place", "asked", "said"),
    [
        ("continue_", ("middle",), {}, "cannot go on from 'middle'; wanted end, start or the number of a bar"),
        ("continue_", (0,), {}, "there is no bar 0 to go on from; the piece has bars 1 to 8"),
        ("continue_", (9,), {}, "there is no bar 9"),
        ("continue_", (True,), {}, "cannot go on from True"),
        ("continue_", (), {"bars": 0}, "bars 0 is out of range"),
        ("continue_", (), {"bars": 2, "seconds": 3}, "alternatives"),
        ("continue_", (), {"key": "D"}, "the key is that of the piece; to change it: partimento transform"),
        ("continue_", (), {"metre": "3/4"}, "the metre is that of the piece"),
        ("continue_", (), {"tempo": 90}, "the tempo is that of the piece"),
        ("continue_", (), {"instruments": (3,)}, "there is no choice of instruments here"),
        ("infill", ((5, 9),), {}, "no bars 5-9 to fill; the piece has bars 1 to 8"),
        ("infill", ((5, 4),), {}, "no bars 5-4"),
        ("infill", ((0, 4),), {}, "no bars 0-4"),
        ("infill", ((1, 2),), {"tracks": [3]}, "there is no track 3; the piece has 2"),
        ("infill", ((1, 2),), {"bars_": 3}, "no option 'bars_'"),
        ("vary", (0,), {}, "amount 0 is out of range"),
        ("vary", (2,), {}, "amount 2 is out of range"),
        ("vary", (0.5,), {"bars": 3}, "there is no choice of bars here"),
        ("vary", (0.5,), {"ending": False}, "there is no choice of ending here"),
        ("harmonize", (), {}, "a melody has one track, this has 2"),
    ],
    ids=str,
)
def test_what_cannot_be_composed_into_music_is_refused(edit, verb, place, asked, said):
    with pytest.raises(BadOption, match=said):
        edit(verb, duet(0), *place, **asked)


def test_music_that_cannot_be_composed_into_is_refused(edit):
    with pytest.raises(BadOption, match="there is no note in the piece"):
        edit("continue_", Score(note_array([])))
    with pytest.raises(BadOption, match="every note is drums; wanted a melody"):
        edit("harmonize", replace(tune(0), tracks=(Track("", DRUM_PROGRAM),)))
    with pytest.raises(BadOption, match="drums cannot be composed beside a melody"):
        edit("harmonize", tune(0), instruments=(24, DRUM_PROGRAM))
    with pytest.raises(BadOption, match="style 'tunes' has one part only"):
        edit("harmonize", tune(0), style="tunes")
    with pytest.raises(BadOption, match="no note up to bar 1"):
        edit("continue_", score_of("rest whole, C4 whole"), 1)
    many = replace(tune(0), tracks=(Track("", 0),) * 17)
    notes = many.notes.copy()
    notes["track"] = 16
    with pytest.raises(BadOption, match="more than 16 tracks share an instrument"):
        edit("infill", many.with_notes(notes), (1, 2))
