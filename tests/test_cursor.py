"""A cursor of `notes` tells a model, while it composes, just what training would have shown it of the same music."""

from __future__ import annotations

import numpy as np
import pytest

from music import score_of
from partimento.encodings import Plan, get_encoding
from partimento.encodings import _given as given_fields
from partimento.encodings._gaps import END, Task, arranged
from partimento.encodings.base import Frame
from partimento.sampling import Sampling, sample
from partimento.score import Key, Metre, Tempo, Track
from partimento.theory import key_of
from partimento.timing import Clock

ENCODING = get_encoding("notes", styles=("songs",))
COLUMNS = ENCODING.columns
COMPOSED = [field.name for field in ENCODING.composed]
PIANO, FLUTE, VIOLIN = (0, 0), (73, 0), (40, 0)
TRACKS = tuple(Track("", program) for program, _ in (PIANO, FLUTE, VIOLIN))


def trio(upbeat: int = 0, **fields):
    """Six bars for piano, flute and violin, each with a rhythm of its own, behind an upbeat of a quarter if wanted."""
    parts = (
        "C3+E3 half, G3 half, F3+A3 whole, G3+B3 half, F3 half, E3+G3 whole, D3+F3 whole, C3+E3 half, C3+E3 half",
        "C5 quarter, D5 quarter, E5 half, F5 half, rest half, D5 half, rest half, C5 whole, B4 half, A4 half, C5 whole",
        "G4 whole, A4 half, A4 half, rest quarter, B4 dotted-quarter, G4 dotted-quarter, G4 half, E4 half, F4 whole, "
        "E4 whole",
    )
    parts = tuple("G4 quarter, " * bool(upbeat) + part for part in parts)
    return score_of(*parts, tracks=TRACKS, **{"metres": (Metre(0, 4, 4),), "upbeat": upbeat, **fields})


def learnt(score, task: Task):
    """The whole score as training shows it for a task."""
    steps = ENCODING.encode(score, {"style": "songs"})
    return arranged(COLUMNS, steps, ENCODING.times(steps), task)


def bars_of(score) -> list[tuple[int, int, int, int]]:
    """Every bar from the line of the first, an upbeat's as long as the others."""
    bars = Clock(score).bars
    shift = bars[1].end - bars[1].start - score.upbeat if score.upbeat else 0
    found = [(bar.start + shift, bar.end + shift, bar.numerator, bar.denominator) for bar in bars]
    return [(0, *found[0][1:]), *found[1:]]


def framed(score, task: Task, lesson) -> tuple[Plan, int]:
    """The plan that asks for a task's gap, the rest as its frame; and which row is the first to be composed."""
    bars = bars_of(score)
    first, stop = task.first, task.stop or len(bars)
    role, pitch = lesson.rows[:, COLUMNS["role"]], lesson.rows[:, COLUMNS["pitch"]]
    is_music = (role != given_fields.GIVEN) & (pitch >= 0)
    before = np.flatnonzero(is_music & (lesson.times < bars[first][0]))
    at = int(np.flatnonzero(is_music & (lesson.times >= bars[first][0]))[0])
    sounds = {(int(row[COLUMNS["program"]]), int(row[COLUMNS["part"]])) for row in lesson.rows[at:-1]}
    frame = Frame(
        lesson.rows[: at - 1], lesson.times[: at - 1], lesson.rows[before], lesson.times[before], tuple(bars), first,
        tuple(sorted(sounds - task.given)),
    )  # fmt: skip
    return Plan(stop - first, goes_on=stop < len(bars), frame=frame, **known(score)), at


def known(score) -> dict:
    """What a plan says of the whole piece."""
    key = key_of(score)
    return {"style": "songs", "key": (key.tonic, key.mode), "tempo": 120.0}


def follow(cursor, rows: np.ndarray) -> None:
    """Choose what stands in `rows`, one after the other; all that the cursor gives must stand there too."""
    for number, row in enumerate(rows):
        chosen: dict[str, int] = {}
        told = dict(cursor.given({}))
        for name in COMPOSED:
            if cursor.closes(chosen):
                break
            assert cursor.legal(name, chosen)[row[COLUMNS[name]]], f"row {number}: {name} {row[COLUMNS[name]]}"
            chosen[name] = int(row[COLUMNS[name]])
            told |= cursor.given(chosen)
        if chosen["wait"] != END:  # what ends the piece is told nothing of
            wanted = {field.name: int(row[COLUMNS[field.name]]) for field in ENCODING.given}
            assert {name: told[name] for name in wanted} == wanted, f"row {number}"
        assert cursor.push(chosen) == (chosen["wait"] != END)


# --- from nothing


@pytest.mark.parametrize(("metre", "upbeat"), [((4, 4), 0), ((4, 4), 24), ((3, 4), 0), ((2, 4), 24), ((9, 2), 0)])
def test_a_piece_from_nothing_is_told_as_training_would_show_it(metre, upbeat):
    score = trio(upbeat, metres=(Metre(0, *metre),))
    lesson, bars = learnt(score, Task()), len(Clock(score).bars) - bool(upbeat)
    plan = Plan(bars, metre=metre, programs=(0, 73, 40), upbeat=upbeat, **known(score))
    cursor = ENCODING.cursor(plan)
    rows, times = cursor.prompt()
    start = np.array([cursor.start()[field.name] for field in ENCODING.fields])
    assert rows[:, COLUMNS["program"]].tolist() == [0, 40, 73]
    told = len(rows) + 1
    assert np.concatenate([rows, [start]]).tolist() == lesson.rows[:told].tolist()
    assert [*times.tolist(), cursor.time] == lesson.times[:told].tolist() == [0] * told
    follow(cursor, lesson.rows[told:])
    assert cursor.left == 0 or cursor.end - cursor.time == cursor.left


def test_what_is_asked_for_in_a_bar_is_told_in_its_rows():
    plan = Plan(
        3, upbeat=24, controls={"valence": (1, 5, 9, 10), "axis_2": 0.35}, form=(0, 0, 3, 1), chords=((0, 7), (96, 54)),
    )  # fmt: skip
    cursor = ENCODING.cursor(plan)
    start = cursor.start()
    assert (start["valence"], start["axis_2"], start["repeats"], start["chord"]) == (1, 4, 1, 9)
    assert cursor.prompt()[0][0, COLUMNS["chord"]] == 9
    seen = []
    for wait in (72, 24, 95, 1, 96):
        chosen = {"wait": wait}
        given = cursor.given(chosen)
        seen.append((given["valence"], given["repeats"], given["chord"], given["bars_left"]))
        cursor.push({**chosen, "program": 0, "part": 0, "pitch": 60, "duration": 11, "velocity": 20})
    assert seen == [(1, 1, 9, 4), (5, 1, 56, 3), (5, 1, 56, 3), (9, 4, 56, 2), (10, 2, 56, 1)]


# --- into music that stands


TASKS = [
    Task(1, 3), Task(2, 5), Task(3, 6), Task(0, 2), Task(0, 6, frozenset([FLUTE])), Task(2, 4, frozenset([PIANO])),
    Task(0, 3, frozenset([PIANO, VIOLIN])), Task(1, 6, frozenset([FLUTE, VIOLIN])),
]  # fmt: skip


@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.first}-{task.stop}, {len(task.given)} given")
def test_a_gap_is_told_as_training_would_show_it(task):
    score = trio()
    lesson = learnt(score, task)
    plan, at = framed(score, task, lesson)
    cursor = ENCODING.cursor(plan)
    rows, times = cursor.prompt()
    assert np.array_equal(rows, lesson.rows[: at - 1]) and np.array_equal(times, lesson.times[: at - 1])
    assert [cursor.start()[field.name] for field in ENCODING.fields] == lesson.rows[at - 1].tolist()
    assert cursor.time == lesson.times[at - 1] and cursor.begin == task.first * 96
    follow(cursor, lesson.rows[at:])
    assert [note[0] for note in cursor.notes] == lesson.times[at:-1].tolist()


def test_a_gap_over_changes_of_metre_keeps_to_their_bars():
    score = trio(metres=(Metre(0, 4, 4), Metre(96, 3, 4), Metre(240, 2, 4), Metre(288, 4, 4)))
    assert [bar[2] for bar in bars_of(score)] == [4, 3, 3, 2, 4, 4, 4]
    for task in (Task(1, 4), Task(2, 5), Task(0, 7, frozenset([PIANO]))):
        lesson = learnt(score, task)
        plan, at = framed(score, task, lesson)
        follow(ENCODING.cursor(plan), lesson.rows[at:])


def test_an_upbeat_stands_before_a_gap():
    score = trio(upbeat=24)
    for task in (Task(1, 3), Task(2, 7)):
        lesson = learnt(score, task)
        plan, at = framed(score, task, lesson)
        follow(ENCODING.cursor(plan), lesson.rows[at:])


class Even:
    """A model that finds every class equally likely."""

    encoding = ENCODING

    def begin(self, size, rngs=()):
        return None

    def advance(self, last, given, time, state):
        return np.zeros((len(last), 1))

    def logits(self, field, hidden, chosen):
        return np.zeros((len(hidden), next(entry.size for entry in ENCODING.fields if entry.name == field)))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.first}-{task.stop}, {len(task.given)} given")
def test_whatever_is_drawn_into_a_gap_stays_in_it_and_reaches_its_last_bar(task):
    plan, _ = framed(trio(), task, learnt(trio(), task))
    for seed in range(6):
        cursor = ENCODING.cursor(plan)
        rows = [row for _, row in sample(Even(), [cursor], Sampling(min_p=0), [np.random.default_rng(seed)])]
        onsets = np.array([note[0] for note in cursor.notes])
        stops = onsets + np.array([note[1] for note in cursor.notes])
        assert onsets.min() >= task.first * 96 and task.stop * 96 - 96 <= onsets.max() and stops.max() <= task.stop * 96
        assert {note[4:] for note in cursor.notes} <= set(plan.frame.sounds)
        assert rows[-1][COLUMNS["wait"]] == END and len(rows) == len(cursor.notes) + 2


def test_what_sounds_on_into_the_gap_is_not_struck_again_while_it_sounds():
    score = score_of("rest half, C4 whole, D4 half, C4 whole", "E2 half, F2 half, G2 whole, E2 whole")
    task = Task(1, 2)
    plan, _ = framed(score, task, learnt(score, task))
    cursor = ENCODING.cursor(plan)
    assert cursor.now == 48 and cursor.sounding == {(0, 0, 60): 144, (0, 1, 40): 48, (0, 1, 41): 96}
    waits = np.flatnonzero(cursor.legal("wait", {}))
    assert (waits.min(), waits.max()) == (48, 143)  # from the bar line to the last tick of the gap
    for wait, free in ((48, False), (95, False), (96, True)):
        chosen = {"wait": wait, "program": 0, "part": 0}
        assert cursor.legal("pitch", chosen)[60] == free and cursor.legal("pitch", chosen)[62]
        assert cursor.legal("pitch", {**chosen, "part": 1})[60]  # another part may
    assert cursor.legal("duration", {"wait": 48}).sum() == 96 and cursor.legal("duration", {"wait": 143}).sum() == 1


def test_parts_that_are_given_are_not_composed():
    task = Task(0, 6, frozenset([FLUTE]))
    cursor = ENCODING.cursor(framed(trio(), task, learnt(trio(), task))[0])
    assert np.flatnonzero(cursor.legal("program", {"wait": 0})).tolist() == [0, 40]


def test_a_gap_after_a_long_silence_waits_no_longer_than_a_wait_can():
    lesson = learnt(score_of("C4 whole, D4 whole"), Task())
    bars = tuple((at, at + 96, 4, 4) for at in range(0, 960, 96))
    frame = Frame(lesson.rows[:2], lesson.times[:2], lesson.rows[2:3], lesson.times[2:3], bars, 7)
    cursor = ENCODING.cursor(Plan(1, frame=frame))
    waits = np.flatnonzero(cursor.legal("wait", {}))
    assert cursor.now + waits.min() == cursor.begin == 672 and waits.max() <= 384
    assert cursor.given({"wait": int(waits.min())})["place"] == 1


# --- beginning anew


def told_so_far(cursor, rows: np.ndarray, times: np.ndarray, most: int):
    """What is told anew after `rows`, in parts by role."""
    table, when = cursor.again(rows, times, most)
    role = table[:, COLUMNS["role"]]
    parts = {name: role == number for name, number in (("instruments", 4), ("given", 3))}
    start = int(np.flatnonzero((role < 3) & (table[:, COLUMNS["pitch"]] < 0))[0])
    assert np.flatnonzero(parts["instruments"] | parts["given"]).tolist() == list(range(start))
    return table, when, start, parts


def test_told_again_from_nothing_are_the_instruments_and_the_latest_music_as_a_window_of_it():
    score = trio()
    lesson = learnt(score, Task())
    cursor = ENCODING.cursor(Plan(6, programs=(0, 73, 40), **known(score)))
    told = len(cursor.prompt()[0])
    follow(cursor, lesson.rows[told + 1 : -4])
    table, when, start, _ = told_so_far(cursor, lesson.rows[told:-4], lesson.times[told:-4], 8)
    steps = ENCODING.encode(score, {"style": "songs"})
    times = ENCODING.times(steps)
    window = arranged(COLUMNS, steps[-12:-4], times[-12:-4] - times[-12], Task())
    assert start == 2 and len(table) == 2 + 1 + 8  # the instruments of which there is room for
    assert np.array_equal(table[start:], window.rows[3:])
    assert np.array_equal(table[0], window.rows[0])
    assert (when[start:] - when[start]).tolist() == (window.times[3:] - window.times[3]).tolist()


def test_told_again_in_a_gap_is_also_what_lies_ahead():
    score, task = trio(), Task(1, 5, frozenset([FLUTE]))
    lesson = learnt(score, task)
    plan, at = framed(score, task, lesson)
    cursor = ENCODING.cursor(plan)
    middle = at + 8
    follow(cursor, lesson.rows[at:middle])
    rows, times = lesson.rows[at - 1 : middle], lesson.times[at - 1 : middle]
    table, when, start, parts = told_so_far(cursor, rows, times, 40)
    assert np.array_equal(table[-1], lesson.rows[middle - 1]) and when[-1] == lesson.times[middle - 1]
    music = lesson.rows[:, COLUMNS["role"]] == given_fields.GOES_ON
    kept = lesson.rows[:middle][music[:middle] & (lesson.rows[:middle, COLUMNS["pitch"]] >= 0)]
    assert np.array_equal(table[start + 1 :], kept)  # past and gap, all that there is
    assert parts["instruments"].sum() == 3
    given = lesson.rows[:, COLUMNS["role"]] == given_fields.GIVEN
    assert when[parts["given"]].tolist() == lesson.times[given].tolist()

    short, when, start, parts = told_so_far(cursor, rows, times, 4)
    assert np.array_equal(short[-1], lesson.rows[middle - 1]) and len(short) == start + 5
    assert when[parts["given"]].tolist() == [time for time in lesson.times[given] if time >= cursor.now][:2]


def test_told_again_before_the_first_note_is_what_lies_ahead():
    task = Task(0, 4, frozenset([PIANO]))
    lesson = learnt(trio(), task)
    plan, at = framed(trio(), task, lesson)
    cursor = ENCODING.cursor(plan)
    table, _, start, parts = told_so_far(cursor, lesson.rows[at - 1 : at], lesson.times[at - 1 : at], 12)
    assert start == len(table) - 1 and np.array_equal(table[-1], lesson.rows[at - 1])
    assert parts["given"].sum() == 6 and np.array_equal(table[: start - 6], lesson.rows[:3])


def test_a_score_of_the_frame_has_a_tempo_and_a_key_of_its_own():
    score = trio(tempos=(Tempo(0, 90.0),), keys=(Key(0, 0),))
    lesson = learnt(score, Task())
    assert set(lesson.rows[:, COLUMNS["tempo"]].tolist()) == {given_fields.tempo_class(90)}
    assert set(lesson.rows[:, COLUMNS["key"]].tolist()) == {given_fields.key_class(0, "major")}
