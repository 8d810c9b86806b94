"""MIDI in and out: what is written is read back, and every odd file is read or refused with a sentence."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music import score_of
from partimento import formats
from partimento.errors import BadOption, FormatError, MidiError
from partimento.formats import midi
from partimento.score import Key, Metre, Score, Tempo, Track, note_array

ON, OFF, END = b"\x00\x90\x3c\x50", b"\x18\x80\x3c\x00", b"\x00\xff\x2f\x00"  # C4 on now, off after 24 ticks
NOTE_C4 = ON + OFF


def file_of(*tracks: bytes, form: int = 1, division: int = 24) -> bytes:
    chunks = b"".join(struct.pack(">4sI", b"MTrk", len(track)) + track for track in tracks)
    return struct.pack(">4sIHHH", b"MThd", 6, form, len(tracks), division) + chunks


def again(score: Score) -> Score:
    return midi.from_bytes(midi.to_bytes(score))


def rows(score: Score) -> list[tuple]:
    return score.notes.tolist()


# --- there and back


@st.composite
def scores(draw) -> Score:
    """Scores that MIDI can say in full: no note inside another of its pitch and track, every track with a note."""
    count = draw(st.integers(1, 20))
    tracks = tuple(
        Track(draw(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)), program)
        for program in draw(st.lists(st.integers(0, 128), min_size=count, max_size=count))
    )
    found, free = [], {}
    for track in [*range(count), *draw(st.lists(st.integers(0, count - 1), max_size=40))]:
        pitch = draw(st.integers(0, 127))
        onset = free.get((track, pitch), 0) + draw(st.integers(0, 200))
        duration = draw(st.integers(1, 300))
        free[track, pitch] = onset + duration
        found.append((onset, duration, pitch, draw(st.integers(1, 127)), track))
    ticks = st.integers(0, 2000)
    keys = draw(st.dictionaries(ticks, st.tuples(st.integers(0, 11), st.sampled_from(["major", "minor"])), max_size=4))
    tempos = draw(st.dictionaries(ticks, st.integers(400, 50_000), max_size=4))
    numerator, denominator = draw(st.tuples(st.integers(2, 12), st.sampled_from([2, 4, 8])))
    upbeat = draw(st.integers(0, numerator * 96 // denominator - 1))
    return Score(
        note_array(found),
        tracks,
        tempos=tuple(Tempo(tick, hundredths / 100) for tick, hundredths in tempos.items()),
        metres=(Metre(0, numerator, denominator), Metre(4800 + upbeat, 5, 8)),
        keys=tuple(Key(tick, *key) for tick, key in keys.items()),
        upbeat=upbeat,
        title=draw(st.sampled_from(["", "Träumerei", "夢"])),
        recipe=draw(st.none() | st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=3)),
    )


@settings(max_examples=150, deadline=None)
@given(scores())
def test_what_is_written_is_read_back(score):
    back = again(score)
    assert back == score
    assert (back.title, back.recipe) == (score.title, score.recipe)
    assert midi.to_bytes(back) == midi.to_bytes(score)


def test_a_repeated_note_is_two_notes():
    score = score_of("C4 quarter, C4 quarter")
    assert again(score) == score


def test_a_note_inside_another_of_its_pitch_neither_vanishes_nor_hangs():
    score = Score(note_array([(0, 96, 60, 80, 0), (24, 24, 60, 70, 0)]))
    assert rows(again(score)) == [(0, 48, 60, 80, 0), (24, 72, 60, 70, 0)]  # the first off ends the first on


def test_a_note_ends_before_the_next_begins_at_the_same_tick():
    data = midi.to_bytes(score_of("C4 quarter, C4 quarter"))
    assert data.index(b"\x80\x3c") < data.index(b"\x00\x90\x3c", data.index(b"\x90\x3c") + 2)


def test_drums_go_to_channel_ten_and_nothing_else_does():
    score = score_of(*["C4 quarter"] * 17, tracks=(Track("kit", 128), *(Track(f"{n}", n % 5) for n in range(16))))
    data = midi.to_bytes(score)
    assert data.count(b"\x99\x3c\x50") == 1
    assert again(score) == score


def test_a_velocity_of_zero_still_sounds():
    assert rows(again(score_of("C4 quarter", velocity=0)))[0][3] == 1


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (score_of("C4 quarter", tempos=(Tempo(0, 2.0),)), "MIDI has 3.6"),
        (score_of("C4 quarter", metres=(Metre(0, 4, 3),)), "metre 4/3"),
        (score_of("C4 quarter", ticks_per_beat=40_000), "transform.resample"),
        (score_of("C4 quarter", recipe={"model": object()}), "recipe"),
        (score_of("C4 quarter", recipe={"text": "x" * 70_000}), "more than 65,536"),
        (score_of("C4 quarter", tracks=(Track("odd", 200),)), "program 200"),
        (Score(note_array([(2**30, 1, 60, 80, 0)])), "MIDI waits"),
    ],
)
def test_what_midi_cannot_say_is_refused(score, message):
    with pytest.raises(MidiError, match=message):
        midi.to_bytes(score)


# --- upbeats


def metre_events(data: bytes) -> list[tuple[int, int]]:
    at, found = -1, []
    while (at := data.find(b"\xff\x58\x04", at + 1)) >= 0:
        found.append((data[at + 3], 1 << data[at + 4]))
    return found


@pytest.mark.parametrize(("upbeat", "events"), [(24, [(1, 4), (4, 4)]), (12, [(1, 8), (4, 4)]), (8, [(4, 4), (4, 4)])])
def test_other_programs_see_the_bar_lines_after_an_upbeat(upbeat, events):
    score = score_of("C4 quarter, C4 whole", metres=(Metre(0, 4, 4),), upbeat=upbeat)
    assert metre_events(midi.to_bytes(score)) == events
    assert again(score) == score


def test_an_upbeat_as_long_as_a_later_bar_is_not_mistaken():
    score = score_of("C4 quarter, C4 whole", metres=(Metre(0, 4, 4), Metre(120, 1, 4), Metre(144, 4, 4)), upbeat=24)
    assert again(score) == score


def test_a_change_of_metre_that_comes_back_is_no_upbeat():
    score = score_of("C4 whole, C4 whole, C4 whole", metres=(Metre(0, 2, 4), Metre(48, 3, 4), Metre(120, 2, 4)))
    assert again(score) == score


# --- files of others


def test_a_note_without_length_lasts_one_tick():
    assert rows(midi.from_bytes(file_of(ON + b"\x00\x80\x3c\x00" + END))) == [(0, 1, 60, 80, 0)]


def test_program_changes_split_a_track_and_silent_tracks_go():
    change = b"\x00\xc0\x28" + NOTE_C4 + b"\x00\xc0\x49" + NOTE_C4 + END
    score = midi.from_bytes(file_of(b"\x00\xff\x51\x03\x0f\x42\x40" + END, change, END))
    assert [track.program for track in score.tracks] == [40, 73]
    assert score.tempos == (Tempo(0, 60.0),)


def test_of_two_metas_at_one_tick_the_last_is_in_force():
    tempo = b"\x00\xff\x51\x03\x07\xa1\x20\x00\xff\x51\x03\x0f\x42\x40"
    key = b"\x00\xff\x59\x02\x00\x00\x00\xff\x59\x02\xfd\x01"
    score = midi.from_bytes(file_of(tempo + key + NOTE_C4 + END))
    assert (score.tempos, score.keys) == ((Tempo(0, 60.0),), (Key(0, 0, "minor"),))


def test_senseless_metas_are_passed_over():
    metre = b"\x00\xff\x58\x04\x00\x02\x18\x08\x00\xff\x58\x04\x04\xff\x18\x08\x00\xff\x58\x04\x03\x02\x18\x08"
    score = midi.from_bytes(file_of(metre + b"\x00\xff\x51\x03\x00\x00\x00\x00\xff\x59\x02\x40\x05" + NOTE_C4 + END))
    assert (score.metres, score.tempos, score.keys) == ((Metre(0, 3, 4),), (), ())


@pytest.mark.parametrize(("microseconds", "bpm"), [(500_000, 120.0), (555_555, 108.0), (555_556, 108.0), (1, 6e7)])
def test_a_tempo_reads_as_the_round_number_that_was_meant(microseconds, bpm):
    data = file_of(b"\x00\xff\x51\x03" + microseconds.to_bytes(3, "big") + NOTE_C4 + END)
    assert midi.from_bytes(data).tempos == (Tempo(0, bpm),)


def test_film_time_becomes_seconds():
    score = midi.from_bytes(file_of(NOTE_C4 + END, division=0xE728))  # 25 frames of 40 ticks
    assert (score.ticks_per_beat, score.tempos) == (1000, (Tempo(0, 60.0),))


def test_a_last_chunk_that_claims_too_much_is_put_right():
    data = file_of(NOTE_C4 + END)
    assert len(midi.from_bytes(data.replace(b"MTrk\0\0\0\x0c", b"MTrk\0\0\x10\0"))) == 1


def test_chunks_of_other_kinds_and_a_wrong_count_of_tracks_do_no_harm():
    data = file_of(NOTE_C4 + END, NOTE_C4 + END, form=0).replace(b"MThd\0\0\0\6\0\0\0\2", b"MThd\0\0\0\6\0\0\0\1")
    assert len(midi.from_bytes(data[:14] + b"XFIH\0\0\0\2ab" + data[14:])) == 2


def test_names_in_latin_1_are_read():
    score = midi.from_bytes(file_of(b"\x00\xff\x03\x04B\xe4r " + END, b"\x00\xff\x03\x05Fl\xf6te" + NOTE_C4 + END))
    assert (score.title, score.tracks[0].name) == ("Bär", "Flöte")


@pytest.mark.parametrize("text", [b"partimento:{", b"partimento:[1]", b"partimento:" + b"[" * 9000, b"partimento:\xff"])
def test_a_recipe_that_is_none_is_left_out(text):
    event = b"\x00\xff\x01" + midi._number(len(text)) + text
    assert midi.from_bytes(file_of(event + END, NOTE_C4 + END)).recipe is None


ABSURD = {
    "bars": file_of(ON + b"\x84\x80\x80\x00\x80\x3c\x00" + END, division=24),
    "hours": file_of(b"\x00\xff\x51\x03\xff\xff\xff" + ON + b"\x82\x80\x80\x00\x80\x3c\x00" + END, division=480),
}
BROKEN = {
    "begins with": b"RIFF" + bytes(30),
    "stops inside its header": b"MThd\0\0",
    "format 7": file_of(NOTE_C4 + END, form=7),
    "several songs": file_of(NOTE_C4 + END, form=2),
    "no track": file_of(),
    "0 ticks": file_of(NOTE_C4 + END, division=0),
    "61 frames": file_of(NOTE_C4 + END, division=0xC328),
    "track 2 stops inside a message at byte 46": file_of(NOTE_C4 + END, ON + b"\x18\x80\x3c"),
    "data byte above 127 at byte 22": file_of(b"\x00\x90\x3c\xd0" + END),
    "unknown status": file_of(ON + b"\x00\xf4\x00" + END),
}


@pytest.mark.parametrize("message", [*ABSURD, *BROKEN])
def test_a_file_beyond_reading_is_refused_with_the_reason(message):
    with pytest.raises(MidiError, match=f"^piece.mid: .*{message}"):
        midi.from_bytes((ABSURD | BROKEN)[message], "piece.mid")


def test_a_flood_of_tempi_or_tracks_is_refused():
    with pytest.raises(MidiError, match="200,001 changes"):
        midi.from_bytes(file_of(b"\x00\xff\x51\x03\x07\xa1\x20" * 200_001 + NOTE_C4 + END))
    with pytest.raises(MidiError, match="more than 4096 tracks"):
        midi.from_bytes(file_of(*[END] * 5000))


def test_bars_within_reach_are_not_refused():
    assert midi.from_bytes(file_of(ON + b"\x81\x80\x00\x80\x3c\x00" + END)).end == 2**14


# --- load and save


def test_load_and_save_by_suffix(tmp_path):
    score = score_of("C4 quarter, E4 quarter")
    formats.save(score, tmp_path / "a.MIDI")
    assert formats.load(str(tmp_path / "a.MIDI")) == score
    assert [path.name for path in tmp_path.iterdir()] == ["a.MIDI"]


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.mid"
    formats.save(score_of("C4 quarter"), path)
    before = path.read_bytes()
    with pytest.raises(MidiError):
        formats.save(score_of("C4 quarter", ticks_per_beat=40_000), path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [("gone.mid", "no such file"), ("", "cannot read"), ("x.doc", "there are .mid"), ("dir.mid", "this is a folder"),
     ("empty.mid", "is empty"), ("huge.mid", "larger than 32 MB")],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_told(tmp_path, name, message):
    (tmp_path / "dir.mid").mkdir()
    (tmp_path / "empty.mid").touch()
    with (tmp_path / "huge.mid").open("wb") as file:
        file.truncate(33 << 20)
    with pytest.raises(FormatError, match=message):
        formats.load(tmp_path / name)


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    score = score_of("C4 quarter")
    (tmp_path / "dir.mid").mkdir()
    with pytest.raises(FormatError, match="there is no folder"):
        formats.save(score, tmp_path / "gone" / "a.mid")
    with pytest.raises(FormatError, match="this is a folder"):
        formats.save(score, tmp_path / "dir.mid")
    with pytest.raises(BadOption, match="no option 'speed'"):
        formats.save(score, tmp_path / "a.mid", speed=2)
    with pytest.raises(BadOption, match="for pictures"):
        formats.save(score, tmp_path / "a.mid", kind="roll")


def test_real_music_survives_a_round_trip(data_folder):
    for path in sorted((data_folder / "packs").glob("*/*.mid"))[::400]:
        score = formats.load(path)
        back = again(score)
        assert replace(back, notes=score.notes) == score, path
        assert len(back) == len(score), path
