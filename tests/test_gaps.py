"""Windows of music as tasks: what is told beforehand, what is learnt, and that no answer is told."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from music import pitch_of, score_of
from partimento.encodings import _given as given_fields
from partimento.encodings import get_encoding
from partimento.encodings._gaps import END, LONGEST_WAIT, Task, Window, arranged, bar_numbers, chosen, told_again
from partimento.score import Metre, Track

ENCODING = get_encoding("notes")
COLUMNS = ENCODING.columns
FOUR = (Metre(0, 4, 4),)
ROLES = {1: "ends", 2: "goes on", 3: "given", 4: "instrument"}
NAMES = {pitch_of(f"{letter}{octave}"): f"{letter}{octave}" for letter in "CDEFGAB" for octave in range(2, 7)}
PIANO, FLUTE = (0, 0), (73, 0)


def song(**fields):
    """Four bars for flute and piano."""
    parts = "C5 half, D5 half, E5 whole, F5 whole, C5 whole", "C3 whole, G3 whole, F3 whole, C3 whole"
    return score_of(*parts, tracks=(Track("", 73), Track("", 0)), **{"metres": FOUR, **fields})


def window(score, first: int = 0, stop: int | None = None):
    """Rows `first` to `stop` of a score, and their times from the first one on."""
    steps = ENCODING.encode(score)
    times = ENCODING.times(steps)
    return steps[first:stop].copy(), times[first:stop] - times[first]


def read(lesson) -> list[str]:
    """Every row in words: time, what it is, wait and pitch, bars to come; a star where it is learnt."""
    lines = []
    for row, time, counts in zip(*lesson, strict=True):
        wait, pitch, left = (int(row[COLUMNS[name]]) for name in ("wait", "pitch", "bars_left"))
        sound = NAMES.get(pitch, f"of {row[COLUMNS['program']]}" if row[COLUMNS["program"]] >= 0 else "-")
        said = "END" if wait == END else f"+{wait} {sound}" if pitch >= 0 else sound
        role = "" if wait == END else f" {ROLES[int(row[COLUMNS['role']])]}"
        lines.append(f"{time}{role} {said}{f', {left - 1} left' if left and wait != END else ''}{' *' * bool(counts)}")
    return lines


def test_a_plain_task_is_the_music_as_it_is_behind_its_instruments():
    rows, times = window(song())
    lesson = arranged(COLUMNS, rows, times, Task())
    assert read(lesson) == [
        "0 instrument of 0, 4 left",
        "0 instrument of 73, 4 left",
        "0 ends -, 4 left",
        "0 ends +0 C3, 3 left *",
        "0 ends +0 C5, 3 left *",
        "48 ends +48 D5, 3 left *",
        "96 ends +48 G3, 2 left *",
        "96 ends +0 E5, 2 left *",
        "192 ends +96 F3, 1 left *",
        "192 ends +0 F5, 1 left *",
        "288 ends +96 C3, 0 left *",
        "288 ends +0 C5, 0 left *",
        "288 END *",
    ]
    assert np.array_equal(lesson.rows[2:-1], rows[:-1])  # and what ends the piece is told of no bar
    unnamed = arranged(COLUMNS, rows, times, Task(is_named=False))
    assert np.array_equal(unnamed.rows, lesson.rows[2:]) and read(unnamed) == read(lesson)[2:]


def test_of_a_gap_in_the_middle_what_follows_is_told_first_and_bars_count_down_to_its_end():
    assert read(arranged(COLUMNS, *window(song()), Task(1, 3))) == [
        "0 instrument of 0, 3 left",
        "0 instrument of 73, 3 left",
        "288 given +0 C3",
        "288 given +0 C5",
        "0 goes on -, 3 left",
        "0 goes on +0 C3, 2 left *",
        "0 goes on +0 C5, 2 left *",
        "48 goes on +48 D5, 2 left *",
        "96 goes on +48 G3, 1 left *",
        "96 goes on +0 E5, 1 left *",
        "192 goes on +96 F3, 0 left *",
        "192 goes on +0 F5, 0 left *",
        "192 END *",
    ]


def test_a_gap_may_be_the_beginning_and_what_follows_may_wait_in_its_bar():
    late = song()
    notes = late.notes[~((late.notes["onset"] >= 192) & (late.notes["onset"] < 288))].copy()
    notes["onset"][notes["onset"] == 288] = 300
    assert read(arranged(COLUMNS, *window(late.with_notes(notes)), Task(0, 2, is_named=False))) == [
        "300 given +12 C3",
        "300 given +0 C5",
        "0 goes on -, 2 left",
        "0 goes on +0 C3, 1 left *",
        "0 goes on +0 C5, 1 left *",
        "48 goes on +48 D5, 1 left *",
        "96 goes on +48 G3, 0 left *",
        "96 goes on +0 E5, 0 left *",
        "96 END *",
    ]


def test_of_given_parts_all_is_told_first_and_the_others_wait_among_themselves():
    assert read(arranged(COLUMNS, *window(song()), Task(given=frozenset([PIANO])))) == [
        "0 instrument of 0, 4 left",
        "0 instrument of 73, 4 left",
        "0 given +0 C3",
        "96 given +96 G3",
        "192 given +96 F3",
        "288 given +96 C3",
        "0 ends -, 4 left",
        "0 ends +0 C5, 3 left *",
        "48 ends +48 D5, 3 left *",
        "96 ends +48 E5, 2 left *",
        "192 ends +96 F5, 1 left *",
        "288 ends +96 C5, 0 left *",
        "288 END *",
    ]


def test_a_given_part_in_a_gap_is_told_from_the_gap_on_and_heard_before_it():
    assert read(arranged(COLUMNS, *window(song()), Task(1, 3, frozenset([FLUTE]), is_named=False))) == [
        "96 given +0 E5",
        "192 given +96 F5",
        "288 given +96 C3",
        "288 given +0 C5",
        "0 goes on -, 3 left",
        "0 goes on +0 C3, 2 left *",
        "0 goes on +0 C5, 2 left *",
        "48 goes on +48 D5, 2 left *",
        "96 goes on +48 G3, 1 left *",
        "192 goes on +96 F3, 0 left *",
        "192 END *",
    ]


def test_a_gap_to_the_end_of_the_piece_ends_it():
    found = read(arranged(COLUMNS, *window(song()), Task(2, 4, is_named=False)))
    assert found[0] == "0 ends -, 4 left" and found[-2:] == ["288 ends +0 C5, 0 left *", "288 END *"]


def test_from_the_middle_of_a_piece_the_first_note_is_where_it_goes_on_from():
    lesson = arranged(COLUMNS, *window(song(), 3, 7), Task(is_named=False))  # from D5, the third note, on
    assert read(lesson) == [
        "-48 ends -, 4 left",
        "0 ends +48 D5, 3 left",
        "48 ends +48 G3, 2 left *",
        "48 ends +0 E5, 2 left *",
        "144 ends +96 F3, 1 left *",
    ]
    assert read(arranged(COLUMNS, *window(song(), 3, 8), Task(0, 1, is_named=False))) == [
        "48 given +0 G3",
        "48 given +0 E5",
        "144 given +96 F3",
        "144 given +0 F5",
        "-48 goes on -, 1 left",
        "0 goes on +48 D5, 0 left",
        "0 END *",
    ]


def test_an_upbeat_is_the_first_bar_of_a_gap():
    up = score_of("G4 quarter, C5 whole, D5 whole, E5 whole", metres=FOUR, upbeat=24)
    assert read(arranged(COLUMNS, *window(up), Task(0, 2, is_named=False))) == [
        "192 given +0 D5",
        "288 given +96 E5",
        "0 goes on -, 2 left",
        "72 goes on +72 G4, 1 left *",
        "96 goes on +24 C5, 0 left *",
        "96 END *",
    ]


def test_a_gap_without_a_note_is_nothing_to_learn():
    score = score_of("C5 whole, rest whole, C5 whole", "C3 whole, C3 whole, C3 whole", tracks=song().tracks)
    lesson = arranged(COLUMNS, *window(score, 3), Task(0, 1, frozenset([PIANO]), is_named=False))
    assert read(lesson) == ["0 given +0 C3", "96 given +96 C3", "96 given +0 C5", "0 goes on -, 1 left"]
    assert not lesson.counts.any()


def test_rows_without_a_note_are_left_as_they_are():
    rows, times = window(song(), 0, 1)
    lesson = arranged(COLUMNS, rows, times, Task())
    assert np.array_equal(lesson.rows, rows) and lesson.counts.tolist() == [True]


def test_a_silence_of_given_music_is_no_end_of_the_piece():
    parts = ("C3 whole, " + "rest whole, " * 9 + "C3 whole, G3 whole", "E5 whole, " * 12)
    lesson = arranged(COLUMNS, *window(score_of(*parts, tracks=(Track("", 0), Track("", 73)))), Task(given={PIANO}))
    given = lesson.rows[lesson.rows[:, COLUMNS["role"]] == given_fields.GIVEN]
    assert given[:, COLUMNS["wait"]].tolist() == [0, LONGEST_WAIT, 96]
    flute = np.array([row for row in lesson.rows if row[COLUMNS["program"]] == 73 and row[COLUMNS["pitch"]] >= 0])
    again, _ = told_again(COLUMNS, lesson.rows[:2], (given, np.array([0, 960, 1056])), (flute, np.arange(12) * 96))
    assert again[2:5, COLUMNS["wait"]].tolist() == [0, LONGEST_WAIT, 96]


def changed(score):
    """The score with other notes in bars 1 and 2: other pitches, lengths, loudness and times."""
    notes = score.notes.copy()
    inside = (notes["onset"] >= 96) & (notes["onset"] < 288)
    notes["pitch"][inside] += 1
    notes["duration"][inside] //= 3
    notes["velocity"][inside] = 20
    notes["onset"][inside & (notes["track"] == 0)] += 24
    return score.with_notes(notes)


@pytest.mark.parametrize("given", [frozenset(), frozenset([PIANO])], ids=["all", "flute"])
def test_nothing_of_what_is_to_be_composed_is_told_before_it(given):
    task, other = Task(1, 3, given), song()
    if given:  # the piano is given and stays as it is
        moved = changed(other).notes
        stays = moved["track"] == 1
        moved = np.concatenate([moved[~stays], other.notes[other.notes["track"] == 1]])
        lessons = [arranged(COLUMNS, *window(other.with_notes(one)), task) for one in (other.notes, moved)]
    else:
        lessons = [arranged(COLUMNS, *window(one), task) for one in (other, changed(other))]
    before = []
    for lesson in lessons:
        lesson.rows[:, COLUMNS["key"]] = 0  # which is said of the whole piece
        role, pitch = lesson.rows[:, COLUMNS["role"]], lesson.rows[:, COLUMNS["pitch"]]
        answer = (role == given_fields.GOES_ON) & (lesson.times >= 96) & (pitch >= 0)
        first = int(np.flatnonzero(answer)[0])
        assert answer[first:-1].all()
        before.append((lesson.rows[:first], lesson.times[:first], lesson.counts[:first]))
        assert len(lesson.rows) > first + 2
    assert all(np.array_equal(one, two) for one, two in zip(*before, strict=True))
    assert not np.array_equal(lessons[0].rows, lessons[1].rows)


# --- bars


@pytest.mark.parametrize(
    ("score", "bars"),
    [
        (song(), [0, 0, 0, 1, 1, 2, 2, 3, 3]),
        (score_of("G4 quarter, C5 half, D5 half, E5 whole", metres=FOUR, upbeat=24), [0, 1, 1, 2]),
        (score_of("C5 whole, rest whole, rest whole, D5 half, E5 half", metres=FOUR), [0, 3, 3]),
        (score_of("C5 half, D5 half, E5 half, F5 half", metres=(*FOUR, Metre(48, 4, 4))), [0, 1, 1, 2]),  # a cut bar
        (score_of("C5 whole, D5 half, E5 quarter, F5 half", metres=(*FOUR, Metre(96, 3, 4))), [0, 1, 1, 2]),
        (score_of("rest half, C5 half, D5 whole", metres=FOUR), [0, 1]),
        (score_of("C5 whole, D5 whole, E5 whole, F5 whole, G5 half, A5 half", metres=(Metre(0, 9, 2),)), [0] * 5 + [1]),
        (score_of("C5 whole, D5 whole, E5 whole, F5 whole, G5 whole", metres=(Metre(0, 4, 1),)), [0] * 4 + [1]),
    ],
    ids=["song", "upbeat", "silence", "cut bar", "change of metre", "rest first", "9/2", "4/1"],
)
def test_bars_are_numbered_by_places_and_metres(score, bars):
    rows, times = window(score, 1, -1)
    assert bar_numbers(COLUMNS, rows, times.astype(np.int64)).tolist() == bars


# --- tasks by chance


def test_tasks_are_drawn_in_the_shares_that_are_said():
    words = ", ".join(["C5 half, D5 half"] * 12)
    tracks = tuple(Track("", program) for program in (0, 40, 73))
    whole = Window(COLUMNS, *window(score_of(words, words, words, metres=FOUR, tracks=tracks)))
    rng, kinds, firsts, lengths, parts = np.random.default_rng(1), Counter(), [], [], Counter()
    for _ in range(4000):
        task = chosen(whole, rng)
        kinds["gap" if task.stop and task.stop < 12 else "open" if task.stop else "plain"] += 1
        kinds["unnamed"] += not task.is_named
        parts[len(task.given)] += 1
        if task.stop and task.stop < 12:
            firsts.append(task.first)
            lengths.append(task.stop - task.first)
    shares = {name: count / 4000 for name, count in kinds.items()}
    assert shares == pytest.approx({"gap": 0.35, "open": 0.1, "plain": 0.55, "unnamed": 0.1}, abs=0.03)
    assert set(lengths) == set(range(1, 12)) and set(firsts) == set(range(11))
    assert 0.3 < firsts.count(0) / len(firsts) < 0.6  # the beginning oftener than chance alone would have it
    assert parts.keys() == {0, 1, 2} and parts[0] / 4000 == pytest.approx(0.75, abs=0.03)


def test_one_part_alone_is_never_given():
    alone = Window(COLUMNS, *window(score_of("C5 half, D5 half, E5 whole, F5 whole, C5 whole", metres=FOUR)))
    rng = np.random.default_rng(1)
    assert {chosen(alone, rng).given for _ in range(300)} == {frozenset()}
