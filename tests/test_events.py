"""Encoding `events`: the words are music21's own, the vocabulary is the training music's, and pieces end on time."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from music import encoding_for, score_of
from partimento import api, formats, model_file
from partimento.corpus import build_cache, prepared, scan
from partimento.encodings import Plan, Unencodable, get_encoding
from partimento.encodings._words import FULL, SHORT, Vocabulary, named_pitch, normal_order, pitch_name
from partimento.encodings.events import quantised
from partimento.errors import BadOption
from partimento.score import DRUM_PROGRAM, Metre, Track, note_array
from partimento.timing import Clock
from partimento.transform import transpose, without_overlaps
from test_registry import PLANS, compose, hymn, sounds
from test_roundtrip import SMALL
from tunes import tune

pytest_plugins = ["tiny"]
FOUR = (Metre(0, 4, 4),)
PIANO, FLUTE, CELLO = Track("", 0), Track("", 73), Track("", 42)
TIMED = {"timed": True}


def words_of(score, **options) -> list[str]:
    """The words of a score, in order."""
    encoding = encoding_for("events", score, **options)
    column = encoding.encode(score)[1:, encoding.columns["token"]]
    return [encoding.vocabulary.words[n] for n in column if n >= 0]


# --- words


@pytest.mark.parametrize(
    ("pitches", "order"),
    [
        ((60, 64, 67), (0, 4, 7)), ((64, 67, 72), (0, 4, 7)), ((57, 60, 64), (9, 0, 4)), ((70, 74, 77), (10, 2, 5)),
        ((59, 62, 65, 67), (11, 2, 5, 7)), ((61, 65, 69), (1, 5, 9)), ((44, 45, 50, 55), (7, 8, 9, 2)),
        ((60, 62, 63, 66, 69), (0, 2, 3, 6, 9)), ((60, 72), (0,)), ((60, 66), (0, 6)), ((66, 60), (0, 6)),
        ((60, 61, 65, 66, 68), (5, 6, 8, 0, 1)),  # Rahn (1980) has 0.1.5.6.8
        (tuple(range(60, 72)), tuple(range(12))),
    ],
)  # fmt: skip
def test_normal_order(pitches, order):
    assert normal_order(pitches) == order
    assert normal_order([pitch + 5 for pitch in pitches]) == normal_order([(one + 5) % 12 for one in order])


def test_pitches_are_named_as_music21_spells_them():
    names = ["C4", "C#4", "D4", "Eb4", "E4", "F4", "F#4", "G4", "G#4", "A4", "Bb4", "B4", "C5"]
    assert [pitch_name(60 + n) for n in range(13)] == names
    assert [named_pitch(pitch_name(pitch)) for pitch in range(128)] == list(range(128))
    assert [SHORT.write([pitch]) for pitch in (34, 63, 58)] == ["B-1", "E-4", "B-3"]
    with pytest.raises(BadOption, match="no pitch 'H4'"):
        named_pitch("H4")


def test_the_notebooks_words_are_read_back_chords_around_middle_c():
    for pitch in range(128):
        # music21 writes E-1 for E flat of octave 1 and for E of octave -1, which nobody hears: the higher is read
        assert SHORT.read(SHORT.write([pitch])) == ((pitch + 23,) if pitch in (4, 11) else (pitch,))
    assert [SHORT.read(word) for word in ("0.4.7", "7.11.2", "10.2.5", "6", "0")] == [
        (60, 64, 67), (55, 59, 62), (58, 62, 65), (66, 78), (60, 72),
    ]  # fmt: skip
    for bits in range(1, 4096, 7):
        word = ".".join(map(str, normal_order(n for n in range(12) if bits >> n & 1)))
        assert SHORT.write(SHORT.read(word)) == word


def test_full_words_hold_octaves():
    assert FULL.write([67, 60, 64]) == "C4.E4.G4" and FULL.read("C4.E4.G4") == (60, 64, 67)
    assert FULL.write([]) == "rest" and FULL.read("rest") == ()
    assert FULL.write([46]) == "Bb2" and FULL.write([4]) == "E-1" and FULL.read("E-1") == (4,)


# --- what is one event


def test_a_chord_is_its_pitch_classes_and_rests_are_passed_over():
    score = score_of("C4+E4+G4 half, rest quarter, Bb3 quarter, A3+C4+F4 whole, C3+C4 whole", metres=FOUR)
    assert words_of(score) == ["0.4.7", "B-3", "5.9.0", "0"]


def test_only_the_first_instrument_is_read_and_a_piano_on_two_staves_is_one():
    score = score_of("C5 half, D5 half", "E4 half, F4 half", "C3 whole", tracks=(PIANO, FLUTE, PIANO))
    assert words_of(score) == ["C5", "C3", "D5"]


def test_drums_are_no_first_part():
    kit = Track("", DRUM_PROGRAM)
    assert words_of(score_of("C3 half, C3 half", "E4 half, F4 half", tracks=(kit, FLUTE))) == ["E4", "F4"]
    with pytest.raises(Unencodable, match="no note with a pitch"):
        get_encoding("events").encode(score_of("C3 half, C3 half", tracks=(kit,)))


def test_notes_that_begin_together_and_end_apart_are_two_events():
    notes = note_array([(0, 24, 67, 80, 0), (0, 48, 60, 80, 0), (0, 24, 64, 80, 0), (24, 24, 65, 80, 0)])
    score = replace(score_of("C4 half"), notes=notes)
    assert words_of(score) == ["C4", "4.7", "F4"]  # by the lowest pitch


@pytest.mark.parametrize(
    ("late", "early", "version", "words"),
    [
        (60, 0, 10, ["0.4"]), (119, 0, 10, ["0.4"]), (120, 0, 10, ["C4", "E4"]), (0, 120, 10, ["0.4"]),
        (0, 121, 10, ["C4", "E4"]), (30, 0, 5, ["0.4"]), (31, 0, 5, ["C4", "E4"]), (0, 31, 5, ["C4", "E4"]),
    ],
)  # fmt: skip
def test_how_far_apart_notes_of_one_chord_may_begin_and_end(late, early, version, words):
    notes = note_array([(0, 960, 60, 80, 0), (late, 960 - late - early, 64, 80, 0)])
    score = replace(score_of("C4 half"), notes=notes, ticks_per_beat=480)
    assert words_of(score, music21=version) == words


@pytest.mark.parametrize(
    ("tick", "twelfths"),
    [(0, 0), (60, 0), (61, 3), (120, 3), (139, 3), (140, 3), (141, 4), (160, 4), (199, 4), (200, 6), (201, 6), (240, 6),
     (320, 8), (360, 9), (420, 9), (421, 12), (480, 12), (1000, 24), (1021, 27)],
)  # fmt: skip
def test_times_are_brought_to_quarters_or_thirds_of_a_beat(tick, twelfths):
    assert quantised(tick, 480) == twelfths


def test_tracks_are_woven_by_quantised_time():
    notes = note_array([(0, 400, 72, 80, 0), (490, 400, 74, 80, 0), (0, 400, 48, 80, 1), (470, 400, 50, 80, 1)])
    score = replace(score_of("C4 half"), notes=notes, ticks_per_beat=480, tracks=(PIANO, PIANO))
    assert words_of(score) == ["C5", "C3", "D5", "D3"]  # 470 and 490 are one beat, and the upper staff comes first


@pytest.mark.parametrize("version", [5, 10])
def test_grace_notes_are_events_and_so_is_each_voice_of_a_part(version):
    assert words_of(grace_notes(), music21=version) == ["C4", "D4", "E4", "F4", "7.11", "C5"]
    assert words_of(voices_in_one_part(), music21=version) == ["C3", "C5", "4.7", "2.5"]


# --- music21's own


def music21_words(path) -> list[str]:
    """What the notebook does, by the music21 that is installed; what a bar line cuts in two counts once."""
    music21 = pytest.importorskip("music21")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = music21.converter.parse(path, forceSource=True)
        elements = music21.instrument.partitionByInstrument(parsed).parts[0].recurse()
        found = []
        for element in elements:
            if not isinstance(element, music21.note.Note | music21.chord.Chord):
                continue
            if element.tie is not None and element.tie.type != "start":
                continue
            is_chord = isinstance(element, music21.chord.Chord)
            found.append(".".join(map(str, element.normalOrder)) if is_chord else str(element.pitch))
    return found


def loosely_played():
    """Chords rolled and cut short, on a clock of 480 ticks."""
    rng, rows = np.random.default_rng(5), []
    for beat in range(24):
        for pitch in rng.choice([48, 52, 55, 58, 60, 63, 66, 70], size=int(rng.integers(1, 4)), replace=False):
            start = beat * 480 + int(rng.integers(0, 40))
            rows.append((start, int(rng.integers(300, 380)), int(pitch), 80, 0))
    return replace(score_of("C4 half"), notes=note_array(rows), ticks_per_beat=480, metres=FOUR)


def two_hands():
    return score_of(
        "E5 quarter, D5 eighth, C5 eighth, E5+G5 half, rest half, F5 half", "C3 whole, G2+B2 half, C3 half",
        tracks=(PIANO, PIANO), metres=FOUR,
    )  # fmt: skip


def grace_notes():
    """One short note, and two, before the beats that they lead to, on a clock of 480 ticks."""
    short = [(440, 40, 62, 80, 0), (1400, 40, 67, 80, 0), (1400, 40, 71, 80, 0)]
    beats = [(480 * beat, 480, pitch, 80, 0) for beat, pitch in enumerate((60, 64, 65, 72))]
    return replace(score_of("C4 half"), notes=note_array([*short, *beats]), ticks_per_beat=480, metres=FOUR)


def voices_in_one_part():
    """A held upper voice over a moving lower one and a chord, all in one track."""
    rows = [(0, 96, 72), (0, 24, 48), (24, 24, 52), (24, 24, 55), (48, 48, 50), (48, 48, 65)]
    return replace(score_of("C4 half", metres=FOUR), notes=note_array([(*row, 80, 0) for row in rows]))


SHAPES = {
    "a tune": lambda: tune(3),
    "names of all pitch classes": lambda: score_of(
        ", ".join(f"{pitch_name(pitch)} quarter" for pitch in range(55, 79)), metres=FOUR
    ),
    "chords": lambda: score_of("C4+E4+G4 half, B3+D4+F4+G4 half, A3+C4 half, D3+D4 half", metres=FOUR),
    "symmetrical chords": lambda: score_of("C4+E4+G#4 half, C4+Eb4+F#4+A4 half, F4+B4 half", metres=FOUR),
    "rests": lambda: score_of("C4 quarter, rest half, D4 quarter, rest quarter, E4+G4 half", metres=FOUR),
    "two instruments": lambda: score_of("C5 half, D5 half", "C3 whole", tracks=(FLUTE, CELLO), metres=FOUR),
    "two staves": two_hands,
    "triplets": lambda: replace(SMALL["triplets"], metres=FOUR),
    "over the bar line": lambda: score_of("C4 dotted-quarter, D4 half, E4 whole, C4+E4 half, F4 whole", metres=FOUR),
    "unlike durations": lambda: replace(
        score_of("C4 half", metres=FOUR),
        notes=note_array([(0, 96, 48, 80, 0), (0, 24, 64, 80, 0), (0, 24, 67, 80, 0), (24, 24, 65, 80, 0)]),
    ),
    "played loosely": loosely_played,
    "grace notes": grace_notes,
    "voices in one part": voices_in_one_part,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_words_are_music21s_own(shape, tmp_path):
    formats.save(SHAPES[shape](), tmp_path / "piece.mid")
    assert words_of(formats.load(tmp_path / "piece.mid")) == music21_words(tmp_path / "piece.mid") != []


def test_music21_cuts_notes_at_bar_lines_where_we_do_not(tmp_path):
    music21 = pytest.importorskip("music21")
    formats.save(score_of("C4 half, D4 whole, E4 half", metres=FOUR), tmp_path / "piece.mid")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = music21.converter.parse(tmp_path / "piece.mid", forceSource=True)
    assert [str(note.pitch) for note in parsed.parts[0].recurse().notes] == ["C4", "D4", "D4", "E4"]
    assert words_of(formats.load(tmp_path / "piece.mid")) == ["C4", "D4", "E4"]


def test_music21_loses_the_part_whose_name_is_another_instrument(tmp_path):
    score = score_of("rest quarter, C5 quarter, D5 half", tracks=(Track("Voice", 68),), metres=FOUR)
    formats.save(score, tmp_path / "piece.mid")
    assert music21_words(tmp_path / "piece.mid") == []
    assert words_of(formats.load(tmp_path / "piece.mid")) == ["C5", "D5"]


def test_normal_orders_are_music21s_own():
    music21 = pytest.importorskip("music21")
    for bits in range(1, 4096, 37):
        pitches = [60 + n for n in range(12) if bits >> n & 1]
        assert list(normal_order(pitches)) == music21.chord.Chord(pitches).normalOrder


# --- vocabulary


def test_the_vocabulary_is_sorted_and_what_it_lacks_is_no_class():
    known, other = score_of("G4 quarter, C4+E4 quarter, B3 half"), score_of("G4 half, A4 half")
    encoding = encoding_for("events", known)
    assert encoding.vocabulary.words == ("0.4", "B3", "G4") and not encoding.learns
    assert [(field.name, field.size) for field in encoding.fields] == [("token", 3)]
    steps = encoding.encode(other)
    assert steps.tolist() == [[-1], [2], [-1]]
    assert sounds(encoding.decode(steps)) == [(0, 12, 67)]


def test_a_form_without_given_fields_has_the_vocabulary_alone():
    words = [f"word {n}" for n in range(358)]
    with pytest.raises(BadOption):
        get_encoding("events", words=[*words, words[0]])
    pitches = sorted(SHORT.write([pitch]) for pitch in range(20, 109))
    assert [(field.name, field.size) for field in get_encoding("events", words=pitches).fields] == [("token", 89)]
    named = [field.name for field in get_encoding("events", words=pitches, given=True).fields]
    assert named == ["style", "key", "left", "token"]


def corpus(folder, encoding, progress=None):
    folder.mkdir(exist_ok=True)
    for number in range(12):
        formats.save(tune(number), folder / f"tune{number:02}.mid")
    return build_cache(scan(folder, workers=0), encoding, folder.parent / "cache", workers=0, progress=progress)


def test_the_vocabulary_is_learnt_from_the_training_pieces_alone_and_once(tmp_path):
    said = []
    for _ in range(2):
        cache = corpus(tmp_path / "music", get_encoding("events"), lambda stage, done, total: said.append(stage))
    encoding = get_encoding(**cache.spec)
    played = {"train": set(), "valid": set(), "test": set()}
    for piece in cache.pieces:
        played[piece.split] |= set(words_of(prepared(formats.load(tmp_path / "music" / piece.name.split("/")[-1]))))
    assert set(encoding.vocabulary.words) == played["train"] < played["train"] | played["valid"] | played["test"]
    assert said.count("learning words") == len(cache.of("train"))
    for piece in cache.of("train"):
        assert (cache.steps[piece.start + 1 : piece.start + piece.length] >= 0).all()


def test_what_was_learnt_is_learnt_again_where_it_is_damaged(tmp_path):
    spec = corpus(tmp_path / "music", get_encoding("events")).spec
    (kept,) = (tmp_path / "cache").glob("words-*.json")
    kept.write_text("{")
    assert corpus(tmp_path / "music", get_encoding("events")).spec == spec


def test_a_piece_moves_as_far_as_its_words_are_known():
    score = score_of("C4 quarter, D4 quarter, C4+E4 half")
    alone = encoding_for("events", score)
    steps = alone.encode(score)
    assert alone.transpositions(steps) == (0, 0)
    assert alone.transpose(steps, 2).tolist() == [[-1], [alone.vocabulary.classes["D4"]], [-1], [-1]]
    wide = encoding_for("events", score, reach=3)
    assert wide.transpositions(wide.encode(score)) == (-3, 3)
    for semitones in (-3, 1, 3):
        moved = wide.transpose(wide.encode(score), semitones)
        assert np.array_equal(moved, wide.encode(transpose(score, semitones)))
    with pytest.raises(BadOption, match="reach 25 is out of range"):
        get_encoding("events", reach=25)


def test_a_vocabulary_knows_what_each_word_sounds():
    vocabulary = Vocabulary(["rest", "C4", "C4.E4"], FULL)
    assert [np.flatnonzero(row).tolist() for row in vocabulary.sounds] == [[], [60], [60, 64]]
    assert vocabulary.moved(0).tolist() == [0, 1, 2] and vocabulary.moved(4).tolist() == [0, -1, -1]


# --- the plain form while composing


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_the_plain_form_has_two_events_a_beat_of_the_bars_asked_for(plan):
    encoding = get_encoding("events", given=True)
    cursor = encoding.cursor(plan)
    bar = 96 * plan.metre[0] // plan.metre[1]
    count = (plan.bars * bar + plan.upbeat) // 12
    left = [cursor.start()["left"]]
    for n in range(count):
        left.append(cursor.given({})["left"])
        assert cursor.legal("token", {}).all()
        assert cursor.push({"token": 0}) == (n + 1 < count)
    assert left[:2] == [1 + min(511, count)] * 2 and left[-1] == 2 and cursor.left == 0


def test_an_event_lasts_half_a_beat():
    encoding = encoding_for("events", score_of("C4 whole, E4+G4 sixteenth, D4 half"))
    back = encoding.decode(encoding.encode(score_of("C4 whole, E4+G4 sixteenth, D4 half")), Plan(1, metre=(3, 8)))
    assert sounds(back) == [(0, 12, 60), (12, 12, 64), (12, 12, 67), (24, 12, 62)]
    assert back.metres == (Metre(0, 3, 8),)


# --- the timed form


@pytest.mark.parametrize("upbeat", [0, 24, 72])
def test_a_hymn_comes_back_from_the_timed_form(upbeat):
    score = hymn(upbeat)
    encoding = encoding_for("events", score, **TIMED)
    back = encoding.decode(encoding.encode(score), Plan(tempo=100.0))
    assert sounds(back) == sounds(score)
    assert (back.upbeat, back.metres, back.keys, back.tempos) == (upbeat, score.metres, score.keys, score.tempos)


@pytest.mark.parametrize("name", SMALL)
def test_small_scores_come_back_from_the_timed_form(name):
    if name == "drums":
        return
    score = SMALL[name]
    encoding = encoding_for("events", score, **TIMED)
    steps = encoding.encode(score)
    back = encoding.decode(steps)
    assert np.array_equal(encoding.encode(back), steps)
    assert sounds(back) == sounds(encoding.heard(score))
    if name != "two flutes":  # of a unison the longer note is heard
        first = int(score.notes["onset"].min())
        assert sounds(back) == [(onset - first, *rest) for onset, *rest in sounds(score)]


def test_the_timed_form_says_the_longest_wait_and_no_longer():
    long = "C4 whole, rest whole, rest whole, rest whole, D4 whole"
    assert words_of(score_of(long), **TIMED) == ["C4", "D4"]
    with pytest.raises(Unencodable, match="385 ticks without an onset; 384 are held"):
        notes = note_array([(0, 24, 60, 80, 0), (385, 24, 62, 80, 0)])
        get_encoding("events", **TIMED).encode(replace(score_of("C4 half"), notes=notes))


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("slope", [0.0, 5.0])
@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_whatever_is_drawn_in_the_timed_form_is_a_piece_of_the_bars_asked_for(plan, slope, given):
    encoding = encoding_for("events", hymn(), *(SMALL[name] for name in ("rests", "chords")), timed=True, given=given)
    for seed in range(2 if plan.bars < 20 else 1):
        steps = compose(encoding, plan, seed, slope)
        score = encoding.decode(steps, plan)
        bars = Clock(score).bars
        assert len(bars) == plan.bars + bool(score.upbeat) and score.upbeat == plan.upbeat
        assert bars[-1].start < score.end <= bars[-1].end
        assert sounds(score.with_notes(without_overlaps(score.notes))) == sounds(score)
        again = encoding.encode(score)
        guessed = [encoding.columns[name] for name in ("style", "key") if given]
        assert np.array_equal(np.delete(again, guessed, axis=1), np.delete(steps, guessed, axis=1))
        assert (encoding.times(steps)[1:] >= 0).all()


def test_a_model_of_words_is_trained_and_composes(tiny, tmp_path):
    output = tmp_path / "words.partimento"
    options = {"encoding": "events", "steps": 2, "settings": {"evaluations": 1}}
    for _ in api.train(tiny.request(output, **options)):
        pass
    spec = model_file.read_info(output)["encoding"]
    assert spec["name"] == "events" and {"C4", "D4", "G4"} < set(spec["words"])
    score = api.compose(model=output, bars=3, candidates=1)
    assert len(Clock(score).bars) == 3 and np.diff(score.notes["onset"]).tolist() == [12] * 23
    with pytest.raises(BadOption, match="cannot be told chords"):
        api.compose(model=output, bars=3, chords="C G")


def test_options_that_are_not_known_are_refused():
    with pytest.raises(BadOption, match="music21 7 is not known; there are 5, 10"):
        get_encoding("events", music21=7)
    encoding = get_encoding("events", timed=True, given=False, music21=5, styles=("a",))
    assert get_encoding(**encoding.spec()).fields == encoding.fields
    assert [field.name for field in encoding.fields] == ["wait", "token", "duration"]
