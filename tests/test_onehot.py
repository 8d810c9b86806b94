"""Music as zeros and ones: the four forms on one bar, the sizes of the textbooks, REMI beside them, and their page."""

from __future__ import annotations

import doctest
import importlib.util
import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from music import score_of
from partimento.encodings import Unencodable, encoding_names, onehot
from partimento.encodings.remi import remi
from partimento.errors import BadOption, MissingExtra, MusicError
from partimento.score import DRUM_PROGRAM, Metre, Tempo, Track

PAGE = Path(__file__).parents[1] / "docs" / "encodings.md"
FOUR = (Metre(0, 4, 4),)
TUNE, BASS, BLOCKS = "E4 quarter, D4 eighth, rest eighth, E4 half", "C3 half, G2 half", "C4+E4 half, D4+G4 half"


def ones(slices) -> list:
    """The pitches of each slice."""
    return [np.flatnonzero(one).tolist() for one in slices]


# --- forms


def test_one_hot_holds_a_melody():
    slices = onehot.one_hot(score_of(TUNE), step=12)
    assert slices.shape == (8, 128) and slices.dtype == np.uint8
    assert ones(slices) == [[64], [64], [62], [], [64], [64], [64], [64]]
    assert onehot.one_hot(score_of(TUNE)).shape == (16, 128)  # sixteenths


def test_one_hot_refuses_what_sounds_together():
    with pytest.raises(Unencodable, match="2 pitches sound in slice 0; one-hot holds one: use a many-hot form"):
        onehot.one_hot(score_of(TUNE, BASS))
    with pytest.raises(Unencodable, match="2 pitches sound in part 2 in slice 0"):
        onehot.multi_one_hot(score_of(TUNE, BLOCKS))


def test_many_hot_holds_chords_and_all_parts_together():
    assert ones(onehot.many_hot(score_of(TUNE, BASS), step=24)) == [[48, 64], [48, 62], [43, 64], [43, 64]]


def test_the_multi_forms_keep_the_parts_apart():
    slices = onehot.multi_one_hot(score_of(TUNE, BASS), step=48)
    assert slices.shape == (2, 2, 128) and [ones(part) for part in slices] == [[[64], [64]], [[48], [43]]]
    slices = onehot.multi_many_hot(score_of(BLOCKS, BASS), step=48)
    assert [ones(part) for part in slices] == [[[60, 64], [62, 67]], [[48], [43]]]


def test_a_slice_holds_what_sounds_as_it_begins():
    score = score_of("C4 sixteenth, D4 sixteenth, E4 eighth, rest sixteenth, F4 sixteenth")
    assert ones(onehot.one_hot(score, step=12)) == [[60], [64], []]


def test_drums_have_no_pitch():
    kit = Track("", DRUM_PROGRAM)
    assert onehot.multi_many_hot(score_of("C3 half", "C4 half", tracks=(kit, Track()))).shape == (1, 8, 128)
    with pytest.raises(Unencodable, match="no note with a pitch"):
        onehot.many_hot(score_of("C3 half", tracks=(kit,)))


@pytest.mark.parametrize("step", [0, -6, 385, 6.5])
def test_a_slice_lasts_one_tick_to_four_bars(step):
    with pytest.raises(BadOption, match="wanted 1 to 384"):
        onehot.many_hot(score_of(TUNE), step)


def test_music_comes_back_but_for_notes_that_are_struck_again():
    score = score_of("E4 quarter, D4 eighth, rest eighth, E4 half", BLOCKS)
    back = onehot.as_score(onehot.multi_many_hot(score))
    assert back.notes.tolist() == score.notes.tolist()
    again = onehot.as_score(onehot.one_hot(score_of("C4 quarter, C4 quarter, D4 half")))
    assert again.notes[["onset", "duration", "pitch"]].tolist() == [(0, 48, 60), (48, 48, 62)]


def test_arrays_are_written_for_reading():
    assert onehot.text_of(onehot.one_hot(score_of(TUNE), 12)) == "64 | 64 | 62 | . | 64 | 64 | 64 | 64"
    assert onehot.text_of(onehot.multi_one_hot(score_of(TUNE, BASS), 48)) == "part 1: 64 | 64\npart 2: 48 | 43"


# --- sizes


def test_the_sizes_are_those_of_the_textbook():
    assert [onehot.chords_of(notes) for notes in (1, 2, 3, 4)] == [128, 8_128, 341_376, 10_668_000]
    assert [onehot.one_hot_size(most) for most in (0, 1, 2, 4)] == [0, 128, 8_256, 11_017_632]
    assert onehot.one_hot_size(3, pitches=5) == 5 + 10 + 10


def test_every_chord_of_up_to_two_notes_has_a_class_of_its_own():
    chords = [chord for size in (1, 2) for chord in itertools.combinations(range(128), size)]
    assert sorted(map(onehot.chord_class, chords)) == list(range(8_256))


def test_the_classes_of_larger_chords_follow():
    assert onehot.chord_class([0, 1, 2]) == 8_256 and onehot.chord_class([127, 126, 125, 124]) == 11_017_631
    assert onehot.chord_class([64, 60, 67, 60]) == onehot.chord_class([60, 64, 67])
    for chord in ([], [128], [-1, 4]):
        with pytest.raises(MusicError, match="no class for the chord"):
            onehot.chord_class(chord)


# --- beside


def test_forms_are_no_encodings():
    assert not {"onehot", "remi", "base"} & set(encoding_names())


def test_remi_has_a_list_of_tokens_for_each_part():
    pytest.importorskip("miditok")
    first, second = remi(score_of("E4 half, D4 half", BASS, metres=FOUR, tempos=(Tempo(0, 90.0),)))
    assert first[:5] == ["Bar_None", "TimeSig_4/4", "Position_0", "Pitch_64", "Velocity_79"]
    assert [token for token in second if token.startswith("Pitch")] == ["Pitch_48", "Pitch_43"]


def test_without_miditok_remi_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "miditok", None)
    with pytest.raises(MissingExtra, match=r"pip install 'partimento\[benchmark\]'"):
        remi(score_of("C4 half"))


REMI_WORDS = re.compile(r"remi|\bupper\b|\blower\b")  # what the page's lines on REMI name


def test_the_page_shows_what_the_code_gives():
    text = re.sub(r"^```.*", "", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    examples = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    assert len(examples.examples) > 20
    if importlib.util.find_spec("miditok") is None:
        examples.examples = [one for one in examples.examples if not REMI_WORDS.search(one.source)]
    said: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(examples, out=said.append)
    assert not failed, "".join(said)
