"""What stands in the training music: found at any pitch, speed and place, told from plain figures, and not composed."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from music import score_of
from partimento import api, formats, model_file, originality
from partimento.encodings import get_encoding
from partimento.encodings.base import Plan
from partimento.errors import BadOption, ModelError
from partimento.originality import NoCopy, build, judge, judging, search, unpacked
from partimento.originality.figures import Figures, plain, repeating
from partimento.originality.index import bar_of
from partimento.originality.parts import judged_lines, notes_of
from partimento.recipes import read
from partimento.rules import FORBIDDEN, Stream
from partimento.score import Score, Track, note_array
from partimento.transform import transpose
from tunes import duet, tune

TUNE = (
    "G4 quarter, C5 eighth, B4 eighth, D5 half, A4 quarter, F4 eighth, E5 eighth, C5 quarter, Bb4 half, "
    "D5 eighth, G4 eighth, A4 quarter, E5 half, F5 quarter, C5 eighth, E5 eighth"
)
NOTES = 16
FIGURES = {  # with the notes that are their own before they only go on
    "scale": (4, "C4 eighth, D4 eighth, E4 eighth, F4 eighth, G4 eighth, A4 eighth, B4 eighth, C5 eighth, D5 eighth"),
    "repeated notes": (3, "G4 eighth, " * 15 + "G4 quarter"),
    "alberti": (6, "C4 eighth, G4 eighth, E4 eighth, G4 eighth, " * 4 + "B3 eighth, G4 eighth, D4 eighth, G4 eighth"),
    "broken chord": (6, "C4 eighth, E4 eighth, G4 eighth, C5 eighth, G4 eighth, E4 eighth, " * 3 + "C4 half"),
    "trill": (5, "A4 sixteenth, B4 sixteenth, " * 8 + "G4 half"),
}


def index_of(*scores: Score):
    return build((f"piece{n}.mid", "tunes", score) for n, score in enumerate(scores))


def slower(score: Score, factor: float) -> Score:
    """The score in longer notes, on a grid fine enough for it."""
    notes = score.notes.copy()
    for name in ("onset", "duration"):
        notes[name] = np.round(notes[name] * factor * 2)
    return replace(score, notes=notes, ticks_per_beat=2 * score.ticks_per_beat)


def longest(index, score: Score, **more) -> int:
    return judge(index, [score], **more)[0].rhythm.longest


# --- what is found


@pytest.mark.parametrize("factor", [1, 2, 1.5, 0.5])
@pytest.mark.parametrize("semitones", [0, 7, -5])
def test_a_copy_is_found_in_any_key_and_at_any_speed(factor, semitones):
    known = index_of(tune(1), score_of(f"C4 whole, {TUNE}"))
    (found,) = judge(known, [slower(transpose(score_of(TUNE), semitones), factor)])
    assert (found.rhythm.longest, found.rhythm.shares) == (NOTES, {8: 1.0, 12: 1.0, 16: 1.0})
    (passage,) = found.rhythm.passages
    assert (passage.file, passage.file_bar, passage.bar) == ("piece1.mid", 2, 1)
    assert passage.semitones == semitones and passage.faster == pytest.approx(1 / factor)


def test_a_copy_is_found_in_another_track_and_inside_chords():
    known = index_of(score_of(TUNE))
    low = ", ".join(["C3+E3 half"] * 8)
    assert longest(known, score_of(low, TUNE)) == NOTES
    inner = [(onset, length, pitch, velocity, 0) for onset, length, pitch, velocity, _ in score_of(TUNE).notes.tolist()]
    around = [(onset, 96, pitch, 80, 0) for onset in range(0, 672, 96) for pitch in (40, 96)]
    assert longest(known, Score(note_array([*inner, *around]))) == NOTES


def busy(tune_: Score, factor: int = 1) -> Score:
    """The tune in the midst of one track: under it or over it, on and off its beats, other notes are struck."""
    rows = [(onset * factor, length * factor, pitch, 80, 0) for onset, length, pitch, *_ in tune_.notes.tolist()]
    end = rows[-1][0] + rows[-1][1]
    others = [(at, 12, 48 + 41 * (at // 18 % 2) + at // 18 * 5 % 7, 80, 0) for at in range(0, end, 18)]
    return Score(note_array([*rows, *others]))


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("semitones", [0, -4])
def test_a_melody_is_found_in_the_midst_of_a_busy_track(factor, semitones):
    known = index_of(tune(1), score_of(TUNE))
    piece = busy(transpose(score_of(TUNE), semitones), factor)
    (found,) = judge(known, [piece], hidden=True)
    assert found.rhythm.longest < 8  # no line of the track follows it
    assert found.hidden.longest == NOTES
    (passage,) = found.hidden.passages
    assert passage.hidden and passage.semitones == semitones and passage.file == "piece1.mid"
    assert passage.pitch.tolist() == [pitch + semitones for pitch in score_of(TUNE).notes["pitch"].tolist()]
    assert found.passages == found.hidden.passages and found.as_dict()["longest_hidden"] == NOTES


def test_a_melody_is_found_though_notes_are_put_in_between():
    rows = score_of(TUNE).notes.tolist()
    played = [(onset, length - 6 * (n % 5 == 2), pitch, 80, 0) for n, (onset, length, pitch, *_) in enumerate(rows)]
    turns = [(rows[n + 1][0] - 6, 6, rows[n][2] + 1, 80, 0) for n in range(2, NOTES - 1, 5)]
    (found,) = judge(index_of(score_of(TUNE)), [Score(note_array([*played, *turns]))], hidden=True)
    assert found.rhythm.longest < 8 and found.hidden.longest == NOTES


def test_what_is_hidden_is_looked_for_only_where_it_is_asked_and_not_in_other_music():
    known = index_of(score_of(TUNE))
    (found,) = judge(known, [busy(score_of(TUNE))])
    assert found.hidden is None and "longest_hidden" not in found.as_dict()
    assert not any(one.hidden.longest for one in judge(known, [busy(tune(n)) for n in range(2, 8)], hidden=True))
    (quoted,) = judge(known, [busy(score_of(TUNE))], given=[score_of(TUNE)], hidden=True)
    assert quoted.hidden.longest == 0


def test_one_other_note_breaks_a_run_and_another_rhythm_leaves_its_pitches():
    known = index_of(score_of(TUNE))
    assert longest(known, score_of(TUNE.replace("Bb4 half", "B4 half"))) == 8
    (found,) = judge(known, [score_of(TUNE.replace("quarter", "dotted-quarter"))])
    assert found.rhythm.longest < 8 and found.pitch.shares[12] == 1


def test_the_share_is_that_of_all_notes():
    lows = "B2 whole, C2 whole, " * 7
    (found,) = judge(index_of(score_of(TUNE)), [score_of(f"{TUNE}, C2 whole, {lows}C2 whole")])
    assert found.notes == 2 * NOTES and found.rhythm.shares == {8: 0.5, 12: 0.5, 16: 0.5}


def test_the_search_gives_what_comparing_every_pair_of_places_gives():
    learnt = index_of(*(tune(n) for n in range(8)))
    for number in range(8, 16):
        (line,) = judged_lines(notes_of(tune(number)))
        steps, waits = line.steps()
        found = search.find(learnt, steps, waits).notes
        assert found.tolist() == [longest_by_hand(learnt, steps, waits, at) for at in range(len(line))]
        assert found.max() >= 8  # there is something to find


def longest_by_hand(index, steps, waits, first: int) -> int:
    """Notes of the longest run from `first` on that stands in the index, 0 below eight."""
    best, end = 0, len(steps) - 1
    for slot in range(len(index)):
        n = 0
        while first + n < end and index.interval[slot + n] == steps[first + n]:
            if n and waits[first + n] * index.wait[slot + n - 1] != index.wait[slot + n] * waits[first + n - 1]:
                break
            n += 1
        best = max(best, n + 1)
    return best if best >= 8 else 0


def test_many_pieces_are_judged_as_each_one_alone(monkeypatch):
    known = index_of(score_of(TUNE), *(tune(n) for n in range(8)))
    pieces = [duet(n) if n % 3 else busy(score_of(TUNE)) for n in range(24)]
    each = [judge(known, [piece], hidden=True)[0] for piece in pieces]
    monkeypatch.setattr(judging, "AT_ONCE", sum(len(piece) for piece in pieces) // 3)
    together = judge(known, pieces, hidden=True)
    assert [_told(one) for one in together] == [_told(one) for one in each]
    assert len({one.hidden.longest for one in each}) > 1


def _told(one):
    """What does not rest on which of several like passages is named."""
    return one.score(), one.hidden.longest, [passage.own for passage in one.passages]


# --- plain figures


@pytest.mark.parametrize("name", FIGURES)
def test_a_plain_figure_is_nobodys(name):
    own, notes = FIGURES[name]
    (found,) = judge(index_of(score_of(notes)), [score_of(notes)], hidden=True)
    assert (found.rhythm.longest, found.passages, found.hidden.longest) == (own, (), 0)


CHORDS = {  # struck one after another, again and again
    "waltz": ((36,), (60, 64, 67), (60, 64, 67), (43,), (59, 62, 65), (59, 62, 65)),
    "arpeggio": ((48,), (52,), (55,), (60,), (64,), (60,), (55,), (52,)),
    "tremolo": ((48, 55, 64), (60, 67, 72)),
}


def accompaniment(chords, onsets: int = 96) -> list[tuple]:
    return [(24 * at, 20, pitch, 80, 0) for at in range(onsets) for pitch in chords[at % len(chords)]]


def through(chords, seed: int) -> Score:
    """A line through an accompaniment: near notes of it, now and then an onset is passed over."""
    rng, rows, at = np.random.default_rng(seed), [(0, 24, chords[0][-1], 80, 0)], 1
    while at < 32:
        near = min(chords[at % len(chords)], key=lambda pitch: abs(pitch - rows[-1][2]))
        rows.append((24 * at, 24, near, 80, 0))
        at += int(rng.choice([1, 1, 1, 2]))
    return Score(note_array(rows))


@pytest.mark.parametrize("name", CHORDS)
def test_a_line_through_an_accompaniment_is_no_hidden_copy(name, monkeypatch):
    known = index_of(*(through(CHORDS[name], seed) for seed in range(24)))
    piece = Score(note_array(accompaniment(CHORDS[name])))
    assert judge(known, [piece], hidden=True)[0].hidden.longest == 0
    monkeypatch.setattr("partimento.originality.hidden.repeating", lambda track, *_: np.zeros(len(track), dtype=bool))
    assert judge(known, [piece], hidden=True)[0].hidden.longest >= 8  # found there, were it not for that


def test_a_melody_over_an_accompaniment_in_its_track_is_found():
    rows = [(onset, length, pitch - 7, 80, 0) for onset, length, pitch, *_ in score_of(TUNE).notes.tolist()]
    over = [(onset + 6, length, pitch + 30, 80, 0) for onset, length, pitch, *_ in accompaniment(CHORDS["waltz"], 28)]
    both = Score(note_array([*rows, *over]))
    (found,) = judge(index_of(score_of(TUNE)), [both], hidden=True)
    assert found.hidden.longest == NOTES
    part, onset, pitch = (both.notes[field] for field in ("track", "onset", "pitch"))
    assert not repeating(part, onset, pitch)[onset % 24 == 0].any()  # a slice with a note of the melody is another
    alone = accompaniment(CHORDS["waltz"], 28)
    assert repeating(*(np.array([row[at] for row in alone]) for at in (4, 0, 2)))[1:].all()


def test_a_melody_is_its_own_but_for_the_scale_in_it():
    run = ", C4 eighth, D4 eighth, E4 eighth, F4 eighth, G4 eighth, A4 eighth, B4 eighth"
    assert longest(index_of(score_of(TUNE + run)), score_of(TUNE + run)) == NOTES + 4  # three notes only go on


def test_figures_note_by_note_are_those_of_the_whole():
    rng = np.random.default_rng(4)
    steps = rng.choice([0, 1, 2, -2, 3, -3, 7, -7], 300)
    steps[50:90], steps[120:160] = 2, np.tile([4, 3, -3, -4], 10)
    waits = rng.choice([6, 12], 300)
    waits[50:160] = 6
    one = Figures()
    told = [False, *(one.take(int(step), int(wait)) for step, wait in zip(steps, waits, strict=True))]
    whole = plain(np.append(steps, 127), np.append(waits, 0), np.zeros(1, np.int64))
    assert told == whole.tolist() and 60 < sum(told) < 200


# --- what was given, and real pieces


def test_the_prompt_and_its_return_are_no_theft():
    prompt = score_of(TUNE)
    again = score_of(f"{TUNE}, G3 whole, {TUNE}")
    known = index_of(prompt)
    assert longest(known, again) == NOTES
    (found,) = judge(known, [again], given=[prompt])
    assert found.rhythm.longest == 0 and found.quoted == NOTES
    (other,) = judge(index_of(score_of(TUNE), tune(3)), [score_of("C4 whole")], given=[None])
    assert other.quoted == 0


def test_a_piece_is_placed_among_real_ones():
    index = index_of(*(tune(n) for n in range(10)))
    known = replace(index, reference=originality.reference(index, [("tunes", tune(n)) for n in range(10, 20)]))
    copy, own = judge(known, [tune(2), score_of(TUNE)], styles=["tunes", "tunes"])
    assert copy.percentile == 100 and own.percentile == 0 and copy.usual is not None
    assert judge(index, [tune(2)])[0].percentile is None


# --- the index


def test_an_index_is_packed_without_loss_and_a_damaged_one_is_refused():
    index = index_of(*(duet(n) for n in range(6)))
    data = index.packed()
    again = unpacked(data)
    assert again.files == index.files and (again.lines == index.lines).all()
    assert (again.interval == index.interval).all() and (again.wait == index.wait).all()
    for broken in (data[:-9], b"", data[:40] + b"\0" * 40 + data[80:]):
        with pytest.raises(ModelError, match="originality index"):
            unpacked(broken)


def test_an_index_that_has_little_room_leaves_out_lines_and_says_so():
    index = index_of(*(duet(n) for n in range(12)))
    small = originality.fitted(index, len(index.packed()) * 2 // 3)
    assert 0 < len(small.lines) < len(index.lines)
    assert small.left_out == len(index.lines) - len(small.lines)


def test_bars_are_counted_from_one_an_upbeat_is_none():
    metres = [[24, 3, 4], [24 + 3 * 72, 4, 4]]
    assert [bar_of(tick, 24, metres) for tick in (0, 24, 95, 96, 240, 336)] == [0, 1, 1, 2, 4, 5]
    assert bar_of(96 * 4, 0, []) == 5


# --- the rule


def composed(index, melody: Score, most: int, given=None) -> list[int]:
    """How many notes of `melody` a rule lets through before it forbids the next, note by note."""
    encoding = get_encoding("notes")
    cursor = encoding.cursor(Plan(bars=16))
    stream, rule = Stream(cursor), NoCopy(index, most, given)
    for number, (sooner, note) in enumerate(pairwise([None, *melody.notes])):
        wait = int(note["onset"] - (sooner["onset"] if sooner is not None else 0))
        chosen = {"wait": wait, "program": 0, "part": 0}
        logits = np.zeros(128)
        rule("pitch", logits, stream, chosen)
        if logits[note["pitch"]] == FORBIDDEN:
            assert (logits == FORBIDDEN).sum() < 4
            return number
        chosen |= {"pitch": int(note["pitch"]), "duration": int(note["duration"]) - 1, "velocity": 20}
        cursor.push(chosen)
        stream.steps.append(chosen)
    return len(melody)


@pytest.mark.parametrize("most", [8, 11, 15])
@pytest.mark.parametrize("factor", [1, 2])
def test_the_rule_lets_so_many_notes_through_and_no_more(most, factor):
    known, copy = index_of(tune(2), score_of(TUNE)), transpose(slower(score_of(TUNE), factor), 3)
    copy = replace(copy, notes=replace(copy).notes, ticks_per_beat=48)
    notes = copy.notes.copy()
    notes["onset"] //= 2
    notes["duration"] //= 2
    assert composed(known, Score(notes), most) == most
    assert composed(known, Score(notes), NOTES) == NOTES


def test_the_rule_lets_figures_pass_and_what_was_given_be_quoted():
    names = "C4 D4 E4 F4 G4 A4 B4 C5 D5 E5 F5 G5 A5 B5 C6"
    scale = names.replace(" ", " eighth, ") + " eighth"
    known = index_of(score_of(scale), score_of(TUNE))
    assert composed(known, score_of(scale), 8) == 15
    assert composed(known, score_of(TUNE), 8) == 8
    assert composed(known, score_of(TUNE), 8, given=index_of(score_of(TUNE))) == NOTES


def test_the_rule_sees_the_top_and_the_bottom_of_chords():
    known = index_of(score_of(TUNE))
    rows = score_of(TUNE).notes.tolist()
    below = [(onset, length, 36, 80, 0) for onset, length, *_ in rows]
    assert composed(known, Score(note_array(rows + below)), 8) == 2 * 8 + 1  # the bass of the ninth chord still


def test_the_rule_sees_what_lies_between_the_top_and_the_bottom():
    known = index_of(score_of(TUNE))
    rows = score_of(TUNE).notes.tolist()
    around = [(onset, length, pitch, 80, 0) for onset, length, *_ in rows for pitch in (36, 96)]
    assert composed(known, Score(note_array(rows + around)), 8) == 3 * 8 + 1  # the bass of the ninth chord still


def test_what_cannot_be_asked_of_the_rule_is_said(tiny, tmp_path):
    request = SimpleNamespace(max_copy=None, style="tunes")
    model = SimpleNamespace(index=None, encoding=get_encoding("notes"))
    assert originality.no_copy(model, request) == []
    with pytest.raises(BadOption, match="no index of its training music"):
        originality.no_copy(model, SimpleNamespace(max_copy=12, style="tunes"))
    events = SimpleNamespace(index=index_of(tune(1)), encoding=get_encoding("events"))
    with pytest.raises(BadOption, match="it is kept in notes and voices"):
        originality.no_copy(events, SimpleNamespace(max_copy=12, style="tunes"))


# --- from the model file to the command line

pytest_plugins = ["tiny"]


def test_a_model_carries_its_index_and_pieces_their_score(tiny, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = model_file.read(tiny.model, also=(model_file.ORIGINALITY,))[1][model_file.ORIGINALITY]
    assert 0 < len(data) <= 0.2 * tiny.model.stat().st_size
    learnt = {name for name, *_ in unpacked(data).files}
    assert learnt < {f"tune{n:02}.mid" for n in range(12)}  # the others are held out
    copied = sorted(learnt)[0]
    code, said, _ = command("originality", tiny.tunes / copied, "--model", tiny.model, "--html", "r.html", "--json")
    (found,) = json.loads(said)
    assert code == 0 and found["longest"] > 20 and found["passages"][0]["file"] == copied
    page = (tmp_path / "r.html").read_text("utf-8")
    assert copied in page and ("<svg" in page or "not engraved" in page)
    piece = api.compose(model=tiny.model, bars=4, seed=3)
    known = read(piece.recipe)
    assert set(known.originality) >= {"longest", "in_8", "in_12", "in_16"}
    assert api.reproduce(piece.recipe, model=tiny.model).recipe == piece.recipe
    assert read({name: value for name, value in piece.recipe.items() if name != "originality"}).originality == {}


def test_the_rule_holds_while_composing(tiny):
    index = unpacked(model_file.read(tiny.model, also=(model_file.ORIGINALITY,))[1][model_file.ORIGINALITY])
    free = [one.score for one in api.compose_candidates(model=tiny.model, bars=8, seed=5, max_copy=0)]
    ruled = [one.score for one in api.compose_candidates(model=tiny.model, bars=8, seed=5, max_copy=8)]
    assert max(longest(index, score) for score in ruled) <= 8
    assert ruled != free or max(longest(index, score) for score in free) <= 8
    with pytest.raises(BadOption, match="max_copy 3 is out of range; wanted 8 to 1000, or 0 for any number"):
        api.compose(model=tiny.model, bars=8, max_copy=3)


def test_a_folder_is_a_corpus_too_and_an_index_can_be_put_in(tiny, command, tmp_path):
    formats.save(score_of(TUNE), tmp_path / "own.mid")
    code, said, _ = command("originality", tiny.tunes / "tune03.mid", tmp_path / "own.mid", "--corpus", tiny.tunes)
    assert code == 0 and "as in tune03.mid" in said and "no run of eight notes" in said
    info, members = model_file.read(tiny.model, also=model_file.EVERYTHING)
    bare = tmp_path / "bare.partimento"
    model_file.write(bare, info, {name: data for name, data in members.items() if name != model_file.ORIGINALITY})
    with pytest.raises(ModelError, match="partimento corpus index"):
        api.check_originality([tune(1)], model=bare)
    code, said, _ = command("corpus", "index", tiny.tunes, "--into", bare, "--workers", 0)
    assert code == 0 and "wrote" in said
    assert api.check_originality([tune(1)], model=bare)[0].style == "tunes"
    with pytest.raises(BadOption, match="alternatives"):
        api.check_originality([tune(1)], model=bare, corpus=[tiny.tunes])


def test_an_evaluation_goes_by_the_index_of_a_model(tiny, tmp_path):
    for side, numbers in (("composed", (0, 1, 2)), ("real", (20, 21, 22))):
        (tmp_path / side).mkdir()
        for number in numbers:
            formats.save(tune(number), tmp_path / side / f"{number}.mid")
    sides = tmp_path / "composed", tmp_path / "real"
    found = api.evaluate(*sides, model=tiny.model)
    learnt = {name for name, *_ in unpacked(model_file.read(tiny.model, also=("originality",))[1]["originality"]).files}
    copies = len(learnt & {"tune00.mid", "tune01.mid", "tune02.mid"})
    share, *_ = found.borrowed.shares["16"]
    assert copies and share >= copies / 3 and found.borrowed.longest[0][1] > found.borrowed.longest[1][1]
    bare = tmp_path / "bare.partimento"
    info, members = model_file.read(tiny.model, also=model_file.EVERYTHING)
    model_file.write(bare, info, {name: data for name, data in members.items() if name != model_file.ORIGINALITY})
    without = api.evaluate(*sides, model=bare)
    assert without.borrowed is None and "no index of its training music" in without.remarks[-1]


def test_drums_are_no_melody():
    beat = score_of(TUNE, tracks=(Track(program=128),))
    assert len(index_of(beat)) == 0 and judge(index_of(score_of(TUNE)), [beat])[0].rhythm.longest == 0
