"""Composed bars lead into the music behind them: by rules of the draw, by what is held, and by what is chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from music import pitch_of, score_of
from partimento import api, frames, joining, model_file
from partimento.cli import _into
from partimento.composing import Candidate
from partimento.encodings import _gaps as gaps
from partimento.encodings import get_encoding
from partimento.encodings._gaps import LONGEST_WAIT
from partimento.encodings.base import Plan
from partimento.joining import FillLastBar, MoveTowards, PlayOn, RestWithWhatFollows
from partimento.rules import Stream
from partimento.score import Metre, Score, Track
from partimento.theory import key_of
from tunes import duet

pytest_plugins = ["tiny"]
FLUTE, CELLO, BAR, QUARTER = (73, 0), (42, 0), 96, 24
WAITS = LONGEST_WAIT + 2  # the last class closes
FOUR = (Metre(0, 4, 4),)


def of_parts(flute: str, cello: str) -> Score:
    return score_of(flute, cello, tracks=(Track("", 73), Track("", 42)), metres=FOUR)


def around() -> Score:
    """Bar 3 of a duet is missing: a flute that goes on with A4 on its second beat, a cello of half notes."""
    flute = "C4 quarter, D4 quarter, E4 quarter, F4 quarter, G4 quarter, rest quarter, E4 half"
    cello = "C3 half, C3 half, G2 half, C3 half"
    return of_parts(
        f"{flute}, rest whole, rest quarter, A4 quarter, G4 quarter, F4 quarter",
        f"{cello}, rest whole, G2+D3 half, C3 half",
    )


def cursor_of(score: Score, first: int = 2, bars: int = 1, sounds=(FLUTE, CELLO)):
    encoding = get_encoding("notes")
    standing = frames.Standing(encoding, score, frames.bars_of(score), frames.Region(first, bars, sounds))
    return encoding.cursor(standing.framed(Plan(bars, goes_on=True), {}))


def strike(cursor, wait: int, sound, name: str, length: int = QUARTER) -> None:
    program, part = sound
    chosen = {"wait": wait, "program": program, "part": part, "pitch": pitch_of(name), "duration": length - 1}
    assert cursor.push({**chosen, "velocity": 20})


def asked(rule, cursor, name: str, size: int, at: int = 0, **chosen) -> np.ndarray:
    """What a rule adds to the classes of a field of the note at tick `at`."""
    logits = np.zeros(size)
    rule(name, logits, Stream(cursor), {"wait": at - cursor.time, **chosen})
    return logits


# --- what stands around


def test_a_line_is_how_a_part_moves_and_where_it_goes_on():
    cursor = cursor_of(around())
    lines = joining.lines_of(cursor.standing, cursor.begin, cursor.end, cursor.sounds)
    flute, cello = lines[FLUTE], lines[CELLO]
    assert (flute.arrival, flute.pitches.tolist(), flute.pace) == (3 * BAR + QUARTER, [pitch_of("A4")], QUARTER)
    assert flute.step == pytest.approx((2 + 2 + 1 + 2 + 3 + 2 + 2) / 7)  # not the fourth over the gap
    assert (flute.rest, flute.stop) == (QUARTER, 2 * BAR)
    assert (cello.arrival, cello.pitches.tolist(), cello.pace) == (3 * BAR, [43, 50], 2 * QUARTER)
    assert cello.rest == 0


def test_a_part_that_plays_on_one_side_alone_has_no_line():
    before = around().with_notes(around().notes[(around().notes["track"] == 1) | (around().notes["onset"] < 3 * BAR)])
    cursor = cursor_of(before)
    assert set(joining.lines_of(cursor.standing, cursor.begin, cursor.end, cursor.sounds)) == {CELLO}


def test_the_room_before_a_bar_line_is_that_of_bars_outside_the_gap():
    cursor = cursor_of(around())
    assert joining.rooms(cursor.standing, cursor.bars, cursor.begin, cursor.end).tolist() == [24, 48, 24]


# --- rules


def test_a_part_is_drawn_to_its_next_note_the_more_the_nearer_that_is():
    cursor = cursor_of(around())
    rule = MoveTowards(joining.lines_of(cursor.standing, cursor.begin, cursor.end, cursor.sounds), strength=1)
    step, goal = rule.lines[FLUTE].step, pitch_of("A4")
    sound = {"program": 73, "part": 0}
    last = asked(rule, cursor, "pitch", 128, at=3 * BAR, **sound)
    assert last[goal] == 0 and last[goal - 10] == last[goal + 10] == pytest.approx(-10 / step)
    first = asked(rule, cursor, "pitch", 128, at=2 * BAR + QUARTER, **sound)
    assert first[goal - 10] == pytest.approx(-10 / step / 2)  # four onsets to go: twice as far may it lie
    cello = asked(rule, cursor, "pitch", 128, at=2 * BAR + 2 * QUARTER, program=42, part=0)
    assert cello[[43, 50]].tolist() == [0, 0] and cello[45] == cello[48] == pytest.approx(2 * cello[44])


def test_no_gap_is_closed_while_a_part_rests_longer_in_it_than_it_ever_does():
    cursor = cursor_of(around())
    rule = PlayOn(joining.lines_of(cursor.standing, cursor.begin, cursor.end, cursor.sounds), least=QUARTER, strength=2)
    line = 2 * BAR
    strike(cursor, line - cursor.time, FLUTE, "C4", BAR)
    assert asked(rule, cursor, "wait", WAITS)[-1] == -4  # the cello is still to come
    assert asked(rule, cursor, "program", 129, line)[[42, 73]].tolist() == [0, 0]  # but not late yet
    assert asked(rule, cursor, "program", 129, line + QUARTER)[[42, 73]].tolist() == [2, 0]
    assert asked(rule, cursor, "part", 16, line + QUARTER, program=42)[0] == 2
    strike(cursor, QUARTER, CELLO, "C3", 3 * QUARTER)
    assert not asked(rule, cursor, "wait", WAITS).any()
    assert not asked(rule, cursor, "program", 129, line + QUARTER).any()


def test_what_rests_behind_the_gap_does_not_begin_in_its_last_bar():
    rule, cursor = RestWithWhatFollows([CELLO], 2 * BAR, strength=3), cursor_of(around())
    assert asked(rule, cursor, "program", 129, 2 * BAR)[[42, 73]].tolist() == [-3, 0]
    assert asked(rule, cursor, "part", 16, 2 * BAR, program=42)[0] == -3
    assert not asked(rule, cursor, "program", 129, 2 * BAR - 1).any()  # where it would stand before that bar


def test_of_two_parts_of_an_instrument_the_one_that_goes_on_may_begin():
    flutes = ((73, 0), (73, 1))
    cursor = cursor_of(replace(around(), tracks=(Track("", 73), Track("", 73))), sounds=flutes)
    rule = RestWithWhatFollows([flutes[1]], 2 * BAR, strength=3)
    assert not asked(rule, cursor, "program", 129, 2 * BAR).any()
    assert asked(rule, cursor, "part", 16, 2 * BAR, program=73)[:2].tolist() == [0, -3]


def test_a_gap_is_not_closed_sooner_than_other_bars_have_their_last_onset():
    cursor = cursor_of(around())
    rule = FillLastBar(cursor.end, usual=24, most=48, strength=1)
    closing = []
    for beat in range(4):
        strike(cursor, 2 * BAR + beat * QUARTER - cursor.time, FLUTE, "C4")
        closing.append(asked(rule, cursor, "wait", WAITS)[-1])
    assert closing == [-4, -4, -1, 0]


def test_rules_of_joins_are_for_gaps_that_parts_go_on_behind():
    def kinds(score: Score, *place, **named) -> list[type]:
        return [type(rule) for rule in joining.rules_of_joins(cursor_of(score, *place, **named), QUARTER)]

    assert kinds(around()) == [MoveTowards, PlayOn, FillLastBar]
    assert kinds(around(), 3, 1) == []  # nothing stands behind the last bar
    assert kinds(around(), sounds=((40, 0),)) == []
    lonely = around().with_notes(around().notes[(around().notes["track"] == 0) | (around().notes["onset"] < 3 * BAR)])
    assert kinds(lonely) == [MoveTowards, PlayOn, RestWithWhatFollows, FillLastBar]


# --- what is held over the line


def longest(cursor, sound, pitch: int) -> int:
    """Ticks that a note struck where the gap begins may last at most."""
    chosen = {"wait": cursor.begin - cursor.time, "program": sound[0], "part": sound[1], "pitch": pitch}
    return int(np.flatnonzero(cursor.legal("duration", chosen)).max()) + 1


def test_a_note_may_be_held_over_the_line_until_its_part_goes_on():
    cursor = cursor_of(around())
    assert longest(cursor, FLUTE, 60) == BAR + QUARTER  # one voice: its next note ends it
    # the cello has two notes at once: each ends where its own pitch is struck, and with the bar behind at the latest
    assert [longest(cursor, CELLO, pitch) for pitch in (43, 48, 45)] == [BAR, BAR + 2 * QUARTER, 2 * BAR]
    assert longest(cursor_of(around(), 3, 1), FLUTE, 60) == BAR  # the piece ends


def test_what_is_held_over_ends_where_its_pitch_is_struck_and_changes_nothing_outside():
    score = around()
    encoding = get_encoding("notes")
    standing = frames.Standing(encoding, score, frames.bars_of(score), frames.Region(2, 1, (FLUTE, CELLO)))
    found = standing.merged([(2 * BAR, 400, 69, 80, *FLUTE), (2 * BAR, 400, 48, 80, *CELLO)], {})
    new = found.notes[(found.notes["onset"] >= 2 * BAR) & (found.notes["onset"] < 3 * BAR)]
    assert sorted(zip(new["pitch"].tolist(), new["duration"].tolist(), strict=True)) == [(48, 144), (69, 120)]
    outside = found.notes[(found.notes["onset"] < 2 * BAR) | (found.notes["onset"] >= 3 * BAR)]
    assert sorted(map(tuple, outside.tolist())) == sorted(map(tuple, score.notes.tolist()))


# --- what is chosen


@pytest.fixture(scope="module")
def pair(tiny):
    return model_file.load(tiny.pair)


def expected_nats(model, score: Score, stop: int) -> np.ndarray:
    """-log probability of every note of bar `stop`, by running the model along the rows that training makes of it."""
    encoding, columns = model.encoding, model.encoding.columns
    steps = encoding.encode(score, {"style": "duets"}).astype(np.int64)
    lesson = gaps.arranged(columns, steps, encoding.times(steps), gaps.Task(stop + 1, stop + 2, is_open=True))
    key = key_of(score)
    lesson.rows[:, columns["key"]] = gaps.given_fields.key_class(key.tonic, key.mode)
    state, found = model.begin(1), []
    for at in range(1, len(lesson.rows)):
        last, row, time = lesson.rows[None, at - 1], lesson.rows[None, at], lesson.times[None, at - 1]
        hidden, nats = model.advance(last, row, time.astype(np.float32), state), 0.0
        for entry in encoding.composed if row[0, columns["pitch"]] >= 0 else ():
            wanted, logits = int(row[0, columns[entry.name]]), model.logits(entry.name, hidden, row)[0].astype(float)
            nats += float(np.logaddexp.reduce(logits) - logits[wanted])
        if stop * BAR <= lesson.times[at] < (stop + 1) * BAR and nats:
            found.append(nats)
    return np.array(found)


def test_nats_behind_are_those_of_going_on_as_training_makes_it(pair):
    notes = duet(2).notes.copy()
    notes["pitch"][(notes["onset"] >= 3 * BAR) & (notes["onset"] < 5 * BAR) & (notes["track"] == 0)] += 1
    scores = [duet(2), duet(2).with_notes(notes)]
    key, region = key_of(duet(2)), frames.Region(3, 2, (FLUTE, CELLO))
    plan = Plan(2, "duets", (key.tonic, key.mode), tempo=duet(2).tempos[0].bpm, goes_on=True)
    found = joining.nats_behind(pair, plan, scores, frames.bars_of(duet(2)), region)
    assert found[0] == pytest.approx(expected_nats(pair, duet(2), 5).mean(), rel=1e-3)
    assert found[1] != pytest.approx(found[0]) and found.min() > 1


def test_candidates_say_how_they_lead_on_where_there_is_something_to_lead_to(tiny):
    def joins(verb: str, *place, **named) -> list[float | None]:
        found = getattr(api, verb)(
            duet(2), *place, model=tiny.pair, style="duets", seed=1, **{"candidates": 2, **named}
        )
        return [one.join for one in found]

    for verb, *place in (("infill", (3, 4)), ("continue_", "start"), ("vary", 0.3)):
        values = joins(verb, *place)
        assert all(value is not None and 0 < value < 50 for value in values) and values[0] != values[1]
    assert joins("infill", (7, 8)) == joins("continue_") == [None, None]  # nothing stands behind
    assert joins("infill", (3, 4), candidates=1) == [None]


def test_of_two_alike_the_one_that_leads_on_better_is_worth_more():
    worse, better = (Candidate(duet(0), True, True, 0.8, {}, join=nats) for nats in (1.5, 1.2))
    assert better.worth > worse.worth and replace(better, join=None).worth > better.worth


def test_a_line_says_how_the_best_leads_on_beside_the_others():
    found = [Candidate(duet(0), True, True, typical, {}, join=nats) for typical, nats in ((0.8, 1.25), (0.9, 1.5))]
    assert _into.chosen(found) == (
        "\nbest of 2: the bar behind costs 1.25 nats a note (all: 1.25 to 1.50), typicality 0.80 (all: 0.80 to 0.90)"
    )
    assert _into.chosen([replace(one, join=None) for one in found]) == ""
