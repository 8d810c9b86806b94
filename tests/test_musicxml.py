"""MusicXML: what is written reads as a musician writes it, comes back note for note, and no file can do harm."""

from __future__ import annotations

import io
import random
import re
import time
import tracemalloc
import zipfile
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music import pitch_of, score_of
from partimento import formats
from partimento.errors import MusicXMLError, PartimentoError
from partimento.formats import musicxml_read, musicxml_write
from partimento.formats._grid import notatable, on_house_grid
from partimento.formats._values import grid, pieces
from partimento.score import Key, Metre, Score, Tempo, Track, note_array

A_FILES_WORTH = 40
D_MINOR, C_MAJOR = (Key(0, 2, "minor"),), (Key(0, 0, "major"),)
VIOLIN = (Track("", 40),)


def written(score: Score) -> ElementTree.Element:
    return ElementTree.fromstring(musicxml_write.to_string(score))


def again(score: Score) -> Score:
    return musicxml_read.from_bytes(musicxml_write.to_string(score).encode())


def name(note: ElementTree.Element) -> str:
    """ "C#4" as written, "rest" for a rest."""
    if note.find("pitch") is None:
        return "rest"
    alter = {None: "", "1": "#", "-1": "b", "2": "##", "-2": "bb"}[note.findtext("pitch/alter")]
    return note.findtext("pitch/step") + alter + note.findtext("pitch/octave")


def value(note: ElementTree.Element) -> str:
    """ "quarter.", "(eighth" where a tie comes in, "eighth(" where one goes on, "3:eighth" in a triplet."""
    ties = {tie.get("type") for tie in note.findall("tie")}
    triplet = "3:" if note.find("time-modification") is not None else ""
    text = triplet + note.findtext("type", "measure") + "." * len(note.findall("dot"))
    return "(" * ("stop" in ties) + text + "(" * ("start" in ties)


def values(score: Score) -> list[str]:
    return [("r " if name(note) == "rest" else "") + value(note) for note in written(score).iter("note")]


def one_note(onset: int, duration: int, metre: tuple[int, int], end: int = 0) -> Score:
    """One note in one bar, and one that ends the bar's music where that is asked for."""
    rows = [(onset, duration, 72, 80, 0)]
    return Score(note_array(rows), VIOLIN, metres=(Metre(0, *metre),), keys=C_MAJOR)


# --- writing: note values


@pytest.mark.parametrize(
    ("metre", "onset", "duration", "said"),
    [
        ((4, 4), 0, 36, "quarter. | r eighth | r half"),
        ((4, 4), 12, 24, "r eighth | quarter | r eighth | r half"),  # a syncopation within the half bar may stand
        ((4, 4), 36, 24, "r quarter | r eighth | eighth( | (eighth | r eighth | r quarter"),  # not across its middle
        ((4, 4), 6, 24, "r 16th | eighth.( | (16th | r 16th | r eighth | r half"),  # the beat is to be seen
        ((4, 4), 0, 60, "half( | (eighth | r eighth | r quarter"),
        ((3, 4), 12, 60, "r eighth | eighth( | (half"),
        ((6, 8), 0, 48, "quarter.( | (eighth | r eighth | r eighth"),  # compound: whole pulses or a tie
        ((6, 8), 0, 72, "half."),
        ((6, 8), 12, 24, "r eighth | quarter | r quarter."),
        ((4, 4), 0, 8, "3:eighth | r 3:quarter | r quarter | r half"),
        ((2, 4), 0, 16, "3:quarter | r 3:eighth | r quarter"),
        ((4, 4), 0, 120, "whole( | (quarter | r quarter | r half"),  # over the bar line
    ],
)
def test_a_length_is_written_so_that_the_beat_is_seen(metre, onset, duration, said):
    assert values(one_note(onset, duration, metre)) == said.split(" | ")


def test_triplets_of_quarters_span_two_beats():
    rows = [(at, 16, 72, 80, 0) for at in (0, 16, 32)] + [(48, 48, 72, 80, 0)]
    assert values(Score(note_array(rows), VIOLIN)) == ["3:quarter"] * 3 + ["half"]


def test_a_triplet_says_three_in_the_time_of_two_and_has_a_bracket_where_no_beam_shows_it():
    rows = [(0, 16, 72, 80, 0), (16, 8, 74, 80, 0), *[(24 + at, 8, 76, 80, 0) for at in (0, 8, 16)]]
    notes = list(written(Score(note_array(rows), VIOLIN)).iter("note"))
    assert notes[0].findtext("time-modification/actual-notes") == "3"
    assert notes[0].findtext("time-modification/normal-type") == "eighth"
    brackets = [(mark.get("type"), mark.get("bracket")) for note in notes for mark in note.iter("tuplet")]
    assert brackets == [("start", "yes"), ("stop", None), ("start", "no"), ("stop", None)]


@given(st.lists(st.integers(0, 96), max_size=6, unique=True))
def test_every_division_of_a_bar_is_filled_with_true_values(cuts):
    edges = sorted({0, 96, *cuts})
    spans = [(start, end, n % 2 == 1) for n, (start, end) in enumerate(pairwise(edges))]
    lengths = {"whole": 96, "half": 48, "quarter": 24, "eighth": 12, "16th": 6, "32nd": 3, "64th": 1.5}
    at = 0
    for piece in pieces(spans, grid(4, 4, 96)):
        length = lengths[piece.type] * (1.5 if piece.dots else 1) * (2 / 3 if piece.cell else 1)
        assert piece.start == at and piece.end - piece.start == length
        at = piece.end
    assert at == 96


# --- writing: letters, accidentals, clefs, beams


def test_the_leading_note_of_d_minor_is_c_sharp():
    score = score_of("D4 quarter, E4 quarter, F4 quarter, C#4 quarter, D4 whole", keys=D_MINOR)
    assert [name(note) for note in written(score).iter("note")] == ["D4", "E4", "F4", "C#4", "D4"]


def test_flats_in_a_flat_key_and_sharps_in_a_sharp_one():
    low, high = pitch_of("Ab3"), pitch_of("Eb4")
    chord = note_array([(0, 48, low, 80, 0), (0, 48, 60, 80, 0), (0, 48, high, 80, 0)])
    flat = [name(note) for note in written(Score(chord, VIOLIN, keys=(Key(0, 8, "major"),))).iter("note")]
    sharp = [name(note) for note in written(Score(chord, VIOLIN, keys=(Key(0, 1, "minor"),))).iter("note")]
    assert flat[:3] == ["Ab3", "C4", "Eb4"] and sharp[:3] == ["G#3", "B#3", "D#4"]


def test_accidentals_hold_to_the_bar_line_in_their_own_octave():
    part = (
        "F#4 eighth, G4 eighth, F#5 eighth, G5 eighth, F#4 eighth, G4 eighth, F4 eighth, E4 eighth, F#4 half, G4 half"
    )
    signs = [
        note.findtext("accidental", "") for note in written(score_of(part, tracks=VIOLIN, keys=C_MAJOR)).iter("note")
    ]
    assert signs == ["sharp", "", "sharp", "", "", "", "natural", "", "sharp", ""]


def test_what_the_signature_says_is_not_said_again_and_what_it_denies_is():
    part = "F#4 quarter, G4 quarter, F4 eighth, E4 eighth, F#4 eighth, G4 eighth"
    score = score_of(part, tracks=VIOLIN, keys=(Key(0, 7, "major"),))
    signs = [note.findtext("accidental", "") for note in written(score).iter("note")]
    assert signs == ["", "", "natural", "", "sharp", ""]


def test_a_tie_over_the_bar_line_carries_its_accidental_but_not_further():
    score = Score(note_array([(72, 48, 66, 80, 0), (120, 24, 66, 80, 0)]), VIOLIN, keys=C_MAJOR)
    notes = [note for note in written(score).iter("note") if name(note) == "F#4"]
    assert [note.findtext("accidental", "") for note in notes] == ["sharp", "", "sharp"]
    assert [value(note) for note in notes] == ["quarter(", "(quarter", "quarter"]


@pytest.mark.parametrize(
    ("metre", "part", "said"),
    [
        ((4, 4), "C5 eighth, " * 8, "begin continue continue end begin continue continue end"),
        ((3, 4), "C5 eighth, " * 6, "begin end begin end begin end"),
        ((6, 8), "C5 eighth, " * 6, "begin continue end begin continue end"),
        ((2, 4), "C5 eighth, C5 sixteenth, C5 sixteenth, C5 quarter", "begin continue+begin end+end -"),
        ((4, 4), "C5 eighth, rest eighth, C5 eighth, C5 eighth, C5 half", "- - begin end - -"),
    ],
)
def test_beams_show_the_beat(metre, part, said):
    notes = written(score_of(part, tracks=VIOLIN, metres=(Metre(0, *metre),), keys=C_MAJOR)).iter("note")
    found = ["+".join(beam.text for beam in note.findall("beam")) or "-" for note in notes]
    assert " ".join(found).replace(" - -", " -") == said.replace(" - -", " -")


@pytest.mark.parametrize(
    ("program", "part", "sign"),
    [(40, "C5 whole", "G"), (42, "C3 whole", "F"), (41, "C4 whole", "C"), (43, "E2 whole", "F")],
)
def test_the_clef_suits_the_instrument(program, part, sign):
    assert written(score_of(part, tracks=(Track("", program),))).findtext(".//clef/sign") == sign


def test_four_voices_are_a_choir_in_brackets_and_its_tenor_sings_an_octave_lower():
    score = score_of("C5 whole", "G4 whole", "E4 whole", "C3 whole", tracks=tuple(Track(x, 52) for x in "SATB"))
    root = written(score)
    assert root.findtext(".//group-symbol") == "bracket"
    octaves = [part.findtext(".//clef-octave-change", "0") for part in root.findall("part")]
    assert octaves == ["0", "0", "-1", "0"]


def test_two_tracks_of_one_piano_stand_in_a_brace():
    root = written(score_of("C5 whole", "C3 whole", tracks=(Track("up:", 0), Track("down:", 0))))
    assert root.findtext(".//group-symbol") == "brace"
    assert [part.findtext(".//clef/sign") for part in root.findall("part")] == ["G", "F"]


def test_a_wide_piano_track_is_parted_between_the_hands():
    root = written(score_of("C3+G3+E5+C5 whole", keys=C_MAJOR))
    staff = {name(note): note.findtext("staff") for note in root.iter("note")}
    assert root.findtext(".//staves") == "2" and staff == {"C3": "2", "G3": "2", "C5": "1", "E5": "1"}


def test_overlapping_notes_go_in_voices_the_higher_first_and_equal_ones_in_chords():
    rows = [(0, 96, 76, 80, 0), (0, 48, 67, 80, 0), (48, 48, 65, 80, 0), (0, 96, 79, 80, 0)]
    notes = list(written(Score(note_array(rows), VIOLIN, keys=C_MAJOR)).iter("note"))
    assert [(name(note), note.findtext("voice")) for note in notes] == [
        ("E5", "1"), ("G5", "1"), ("G4", "2"), ("F4", "2"),
    ]  # fmt: skip
    assert [note.find("chord") is not None for note in notes] == [False, True, False, False]


def test_more_voices_than_a_staff_holds_are_tied_and_still_come_back():
    score = Score(note_array([(n * 6, 200, 60 + n, 80, 0) for n in range(12)]), VIOLIN, keys=C_MAJOR)
    root = written(score)
    assert max(int(note.findtext("voice")) for note in root.iter("note")) <= 4
    assert np.array_equal(again(score).notes, score.notes)


# --- writing: the frame


def test_upbeat_metre_tempo_title_and_the_last_bar_line():
    score = Score(
        note_array([(0, 24, 67, 80, 0), (24, 72, 72, 80, 0), (96, 72, 71, 80, 0)]), VIOLIN, upbeat=24,
        metres=(Metre(0, 3, 4), Metre(96, 6, 8)), tempos=(Tempo(0, 90.0), Tempo(96, 60.5)), keys=C_MAJOR,
        title='Air & "Doubles" <1>', recipe={"seed": 3},
    )  # fmt: skip
    root = written(score)
    bars = root.findall("part/measure")
    assert [(bar.get("number"), bar.get("implicit")) for bar in bars] == [("0", "yes"), ("1", None), ("2", None)]
    assert [time.findtext("beats") for time in root.iter("time")] == ["3", "6"]
    assert [sound.get("tempo") for sound in root.iter("sound")] == ["90", "60.5"]
    assert bars[-1].findtext("barline/bar-style") == "light-heavy"
    back = again(score)
    assert back == score and back.title == score.title and back.recipe == {"seed": 3}


def test_drums_stand_on_a_percussion_staff_and_come_back_as_drums():
    score = score_of("C2 quarter, D2 quarter, F#2+C2 half", tracks=(Track("", 128),))
    root = written(score)
    assert root.findtext(".//clef/sign") == "percussion" and root.find(".//unpitched") is not None
    assert again(score) == score_with_defaults(score)


def test_a_signature_stands_on_pitched_staves_alone():
    score = score_of("A4 whole", "C2 whole", tracks=(Track("", 40), Track("", 128)), keys=(Key(0, 9, "major"),))
    assert [part.findtext(".//fifths") for part in written(score).findall("part")] == ["3", None]


def test_a_conductor_who_says_nothing_until_later_leaves_four_four_before():
    score = Score(note_array([(0, 300, 60, 80, 0)]), VIOLIN, metres=(Metre(192, 3, 4),), keys=C_MAJOR)
    assert again(score).metres == (Metre(0, 4, 4), Metre(192, 3, 4))


def test_swung_and_late_notes_are_brought_to_values_one_can_read():
    late = [
        (3, 230, 60, 80, 0),
        (243, 225, 62, 80, 0),
        (477, 150, 64, 80, 0),
        (641, 155, 65, 80, 0),
        (802, 150, 67, 80, 0),
    ]
    score = Score(note_array(late), VIOLIN, ticks_per_beat=480)
    assert on_house_grid(score).notes["onset"].tolist() == [0, 12, 24, 32, 40]
    assert notatable(score).notes["duration"].tolist() == [12, 12, 8, 8, 8]


def test_a_score_on_another_grid_that_fits_is_not_changed():
    score = Score(note_array([(0, 240, 60, 80, 0), (240, 60, 62, 80, 0)]), VIOLIN, ticks_per_beat=480, keys=C_MAJOR)
    assert on_house_grid(score).notes["duration"].tolist() == [12, 3]


def test_what_cannot_be_written_is_refused():
    with pytest.raises(MusicXMLError, match="bars, more than"):
        musicxml_write.to_string(Score(note_array([(0, 96 * 30_000, 60, 80, 0)])))
    with pytest.raises(MusicXMLError, match="a metre of 3/6"):
        musicxml_write.to_string(one_note(0, 24, (3, 6)))
    with pytest.raises(MusicXMLError, match="notes sound at once"):
        musicxml_write.to_string(Score(note_array([(n, 1000, 60, 80, 0) for n in range(300)]), VIOLIN))


# --- there and back


def score_with_defaults(score: Score) -> Score:
    """What the writer makes explicit: a metre and a key where the score says none."""
    return musicxml_write._complete(score)


@st.composite
def scores(draw):
    tracks = draw(st.lists(st.sampled_from([0, 24, 40, 42, 52, 73, 128]), min_size=1, max_size=3))
    row = st.tuples(st.integers(0, 400), st.integers(1, 130), st.integers(21, 108), st.integers(1, 127))
    rows = [(*draw(row), draw(st.integers(0, len(tracks) - 1))) for _ in range(draw(st.integers(1, 20)))]
    metres = [Metre(0, *draw(st.sampled_from([(4, 4), (3, 4), (6, 8), (2, 2), (5, 8), (3, 8), (7, 4), (1, 4)])))]
    full = metres[0].numerator * 96 // metres[0].denominator
    upbeat = draw(st.one_of(st.just(0), st.integers(1, full - 1)))
    end = max(onset + duration for onset, duration, *_ in rows)
    inside = st.integers(0, end - 1)
    keys = {0: Key(0, *draw(st.tuples(st.integers(0, 11), st.sampled_from(["major", "minor"]))))}
    if draw(st.booleans()):
        at = draw(inside)
        keys[at] = Key(at, draw(st.integers(0, 11)), "minor")
    change = upbeat + full * draw(st.integers(1, 3)) - draw(st.sampled_from([0, 0, 12]))
    if change < end and change > upbeat:
        metres.append(Metre(change, 3, 4))
    tempos = {at: Tempo(at, draw(st.floats(20, 400))) for at in draw(st.lists(inside, max_size=3))}
    return Score(
        note_array(rows), tuple(Track(f"t{n}", program) for n, program in enumerate(tracks)), upbeat=upbeat,
        metres=tuple(metres), keys=tuple(keys.values()), tempos=tuple(tempos.values()),
    )  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(scores())
def test_every_score_on_the_house_grid_comes_back(score):
    assert again(score) == score


def test_music_of_all_styles_comes_back_note_for_note(data_folder):
    chance = random.Random(4)
    packs = sorted(path for path in (data_folder / "packs").iterdir() if path.is_dir())
    files = [file for pack in packs for file in chance.sample(sorted(pack.glob("*.mid")), 2)]
    tried = 0
    for file in files:
        score = on_house_grid(formats.load(file))
        if not len(score) or len(score) > 3000 or tried == A_FILES_WORTH:
            continue
        tried += 1
        score = score_with_defaults(score)
        back = again(score)
        assert np.array_equal(back.notes, score.notes), file
        assert back.metres == tuple(m for m in score.metres if m.tick < score.end), file
        assert back.keys == tuple(key for key in score.keys if key.tick < score.end), file
        assert back.upbeat == score.upbeat, file
    assert tried >= 25


def test_compressed_files_are_written_and_read(tmp_path):
    score = score_of("C4 quarter, E4 half", tracks=VIOLIN, metres=(Metre(0, 3, 4),), keys=C_MAJOR)
    for suffix in (".mxl", ".musicxml", ".xml"):
        path = tmp_path / f"a{suffix}"
        musicxml_write.write(score, path)
        assert musicxml_read.read(path) == score
    first = (tmp_path / "a.mxl").read_bytes()
    musicxml_write.write(score, tmp_path / "a.mxl")
    assert first == (tmp_path / "a.mxl").read_bytes()


# --- reading others' files


def document(*measures: str, listed: str = "", before: str = "") -> bytes:
    inside = "".join(f'<measure number="{n}">{measure}</measure>' for n, measure in enumerate(measures, 1))
    return (
        f'<?xml version="1.0"?>{before}<score-partwise version="3.1"><part-list><score-part id="P1">'
        f'<part-name>x</part-name>{listed}</score-part></part-list><part id="P1">{inside}</part></score-partwise>'
    ).encode()


def heard(*measures: str, **more: str) -> list[tuple[int, int, int]]:
    notes = musicxml_read.from_bytes(document(*measures, **more)).notes
    return [(int(note["onset"]), int(note["duration"]), int(note["pitch"])) for note in notes]


def note(step: str, duration: float, octave: int = 4, before: str = "", after: str = "") -> str:
    pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
    return f"<note>{before}{pitch}<duration>{duration}</duration>{after}</note>"


START = "<attributes><divisions>2</divisions><time><beats>2</beats><beat-type>4</beat-type></time></attributes>"


def test_chords_backup_forward_and_a_change_of_divisions():
    first = START + note("C", 2) + note("E", 2, before="<chord/>") + note("D", 2)
    first += "<backup><duration>4</duration></backup><forward><duration>2</duration></forward>" + note("G", 2, 3)
    second = "<attributes><divisions>6</divisions></attributes>" + note("C", 4) + note("D", 4) + note("E", 4)
    assert heard(first, second) == [
        (0, 24, 60), (0, 24, 64), (24, 24, 55), (24, 24, 62), (48, 16, 60), (64, 16, 62), (80, 16, 64),
    ]  # fmt: skip


def test_ties_join_even_where_the_voice_changes():
    first = START + note("C", 4, after='<tie type="start"/><voice>1</voice>')
    second = note("C", 2, after='<tie type="stop"/><voice>2</voice>') + note("C", 2)
    assert heard(first, second) == [(0, 72, 60), (72, 24, 60)]


def test_grace_notes_and_cues_are_left_out():
    grace = "<note><grace/><pitch><step>B</step><octave>4</octave></pitch></note>"
    assert heard(START + grace + note("C", 2) + note("D", 2, before="<cue/>")) == [(0, 24, 60)]


def test_a_transposing_part_is_read_as_it_sounds():
    transpose = "<key><fifths>2</fifths></key><transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    score = musicxml_read.from_bytes(
        document(START + f"<attributes>{transpose}</attributes>" + note("D", 4) + note("F", 0.5))
    )
    assert score.notes["pitch"].tolist() == [60, 63]


def test_the_key_of_a_transposing_part_is_the_sounding_one():
    key = "<attributes><transpose><chromatic>-2</chromatic></transpose><key><fifths>2</fifths></key></attributes>"
    assert musicxml_read.from_bytes(document(START + key + note("D", 4))).keys == (Key(0, 0, "major"),)


def test_an_upbeat_that_is_only_a_short_bar():
    score = musicxml_read.from_bytes(document(START + note("C", 1), note("D", 4), note("E", 4)))
    assert (score.upbeat, score.metres) == (12, (Metre(0, 2, 4),))


def test_a_bar_of_another_length_says_its_metre_again_so_that_bar_lines_stay():
    score = musicxml_read.from_bytes(document(START + note("C", 4), note("D", 3), note("E", 4), note("F", 4)))
    assert score.metres == (Metre(0, 2, 4), Metre(84, 2, 4))


def test_tempo_by_sound_and_by_metronome_and_programs():
    mark = (
        "<direction><direction-type><metronome><beat-unit>half</beat-unit><per-minute>c. 60</per-minute></metronome>"
        "</direction-type></direction>"
    )
    listed = '<midi-instrument id="i"><midi-program>41</midi-program></midi-instrument>'
    data = document(START + mark + note("C", 4), '<sound tempo="72.5"/>' + note("C", 4), listed=listed)
    score = musicxml_read.from_bytes(data)
    assert score.tempos == (Tempo(0, 120.0), Tempo(48, 72.5)) and score.tracks == (Track("x", 40),)


def test_quintuplets_take_as_fine_a_grid_as_they_need():
    score = musicxml_read.from_bytes(document(START.replace(">2</d", ">5</d"), *[note("C", 1) * 10] * 2))
    assert score.ticks_per_beat == 120 and set(score.notes["duration"].tolist()) == {24}


def test_a_doctype_is_passed_over_and_never_fetched():
    before = '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD" "http://nowhere.invalid/partwise.dtd">'
    assert heard(START + note("C", 4), before=before) == [(0, 48, 60)]


# --- files that mean harm, or have come to some


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
FINE = START + note("C", 4)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (document(FINE, before=BOMB), "line 1: declares the entity 'a'"),
        (document(FINE, before='<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'), "declares the entity 'e'"),
        (document(FINE, before='<!DOCTYPE x [<!ENTITY % p SYSTEM "http://x.invalid/">%p;]>'), "declares the entity"),
        (document("<a>" * 100 + "</a>" * 100), "64 deep"),
        (document(START.replace(">2</d", ">0</d")), "measure 1: divisions is '0'"),
        (document(START.replace(">2</d", ">1e9</d")), "measure 1: divisions is '1e9'"),
        (document(START.replace(">2</d", ">NaN</d")), "divisions is 'NaN'"),
        (document(FINE, note("C", 99_999_999)), "part P1: measure 2: the duration of a note of 50,000,000"),
        (document(FINE, note("C", -1)), "the duration of a note is '-1'"),
        (
            document(FINE, *["<forward><duration>9999</duration></forward>"] * 9000, note("C", 1)),
            "quarter notes; it is damaged",
        ),
        (document(FINE, "<backup><duration>9</duration></backup>"), "a backup to before the measure"),
        (document(FINE, note("H", 1)), "a step 'H'"),
        (document(FINE, note("C", 1, 12)), "octave is '12'"),
        (document(FINE, note("B", 1, 10)), "a pitch of 143"),
        (document(FINE, "<note><duration>1</duration></note>"), "a note without pitch or rest"),
        (document(FINE, "<note><rest/></note>"), "the duration of a note is missing"),
        (document(START.replace("<beats>2", "<beats>2000")), "beats is '2000'"),
        (document(START.replace("type>4", "type>5")), "a beat-type of 5"),
        (document(FINE, "<attributes><key><fifths>99</fifths></key></attributes>"), "fifths is '99'"),
        (document(FINE, '<sound tempo="inf"/>'), "tempo is 'inf'"),
        (document(*["<x/>"] * 20_001), "more than 20,000 measures"),
        (b"<score-timewise/>", "timewise"),
        (b"<score-partwise/>", "no part with a measure"),
        (b"<html></html>", "no part with a measure"),
        (b"MThd\0\0\0\6", "damaged or not XML"),
        (document(FINE)[:300], "damaged or not XML"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "klingon|encoding"),
    ],
)
def test_every_fault_is_a_sentence_with_its_place(data, said):
    with pytest.raises(MusicXMLError, match=said):
        musicxml_read.from_bytes(data, "a.xml")


def archive(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for key, content in files.items():
            file.writestr(key.replace("_", "/") if key.startswith("META") else key + ".xml", content)
    return packed.getvalue()


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.mxl"
    path.write_bytes(archive(score=b" " * (200 << 20)))
    tracemalloc.start()
    with pytest.raises(MusicXMLError, match="larger than 65,536 kB"):
        musicxml_read.read(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 160 << 20


@pytest.mark.parametrize("data", [archive(), archive(score=b"")[:60], b"PK\x03\x04" + b"x" * 99])
def test_an_archive_without_a_score_is_refused(data, tmp_path):
    path = tmp_path / "a.mxl"
    path.write_bytes(data)
    with pytest.raises(MusicXMLError, match=r"a\.mxl"):
        musicxml_read.read(path)


@pytest.mark.parametrize(
    "data",
    [
        b"<score-partwise " + b" ".join(b'a%d=""' % n for n in range(400_000)) + b"/>",
        b"<!-- " + b"x" * (3 << 20) + b" --><score-partwise/>",
        document("<a/>" * 400_000),
        document("<a/>" + "<note><grace/></note>" * 200_000),
    ],
)
def test_long_tags_and_crowded_measures_cost_little(data):
    begun = time.perf_counter()
    with pytest.raises(MusicXMLError):
        musicxml_read.from_bytes(data)
    assert time.perf_counter() - begun < 5


def mutated(data: bytes, chance: random.Random) -> bytes:
    text = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(text))
        kind = chance.randrange(5)
        if kind == 0:
            text[place] = chance.randrange(256)
        elif kind == 1:
            del text[place : place + chance.randrange(40)]
        elif kind == 2:
            text[place:place] = text[chance.randrange(len(text)) :][: chance.randrange(80)]
        else:  # a number becomes another
            numbers = list(re.finditer(rb">-?\d+<", bytes(text)))
            found = chance.choice(numbers)
            text[found.start() : found.end()] = chance.choice(
                [b">0<", b">-1<", b">999999999<", b">1e99<", b"><", b">NaN<", b">0.0001<", b">" + b"9" * 400 + b"<"]
            )
    return bytes(text)


def test_a_damaged_file_is_read_or_refused():
    score = Score(
        note_array([(n * 8, 20 + n, 50 + n, 80, n % 2) for n in range(20)]), (Track("a", 0), Track("b", 128)),
        metres=(Metre(0, 3, 4),), tempos=(Tempo(0, 80.0), Tempo(50, 90.0)), upbeat=24,
    )  # fmt: skip
    data = musicxml_write.to_string(score).encode()
    seen = {"read": 0, "refused": 0}
    begun = time.perf_counter()
    for seed in range(300):
        try:
            found = musicxml_read.from_bytes(mutated(data, random.Random(seed)))
            assert found.end >= 0 and len(found) < 1000
            seen["read"] += 1
        except PartimentoError as error:
            assert len(str(error)) > 20
            seen["refused"] += 1
    assert seen["read"] > 20 and seen["refused"] > 100
    assert time.perf_counter() - begun < 20


def test_a_missing_file_is_named():
    with pytest.raises(MusicXMLError, match="no such file"):
        musicxml_read.read(Path("nowhere.musicxml"))
