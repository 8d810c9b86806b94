"""Morphing: it begins as the one piece and ends as the other, bar by bar, and says what it cannot do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from music import score_of
from partimento import api, formats, states
from partimento.encodings import get_encoding
from partimento.encodings._blocks import LINE, line_column
from partimento.errors import BadOption, ModelError, UnknownName
from partimento.morphing import between, blocks_of, joined, likeness, morph, points_of
from partimento.score import Key, Metre, Score, Tempo, Track, note_array

pytest_plugins = ["tiny"]
BAR = 4 * 24
CHOIR = tuple(Track(name, 52) for name in ("Soprano", "Alto", "Tenor", "Bass"))
CADENCE = ((67, 64, 60, 48), (69, 65, 60, 53), (67, 62, 59, 55), (72, 64, 60, 48))  # C, F, G, C in four voices
AMEN = ((69, 65, 60, 53), (72, 65, 60, 57), (69, 65, 60, 53), (69, 65, 60, 53))  # F, F, F, F


def hymn(chords, length: int = 24, bars: int = 2, upbeat: int = 0, metre=(4, 4), **fields) -> Score:
    """Chords of `length` ticks each, over and over for so many bars, after an upbeat of the first chord."""
    bar = 24 * 4 * metre[0] // metre[1]
    rows = [(0, upbeat, pitch, 80, v) for v, pitch in enumerate(chords[0]) if upbeat]
    for n, at in enumerate(range(0, bars * bar, length)):
        rows += [(upbeat + at, length, pitch, 80, v) for v, pitch in enumerate(chords[n % len(chords)])]
    return Score(note_array(rows), CHOIR, metres=(Metre(0, *metre),), upbeat=upbeat, **fields)


class Exact:
    """A model whose points are the rolls themselves: whatever it reads it paints again."""

    encoding, stride, can_encode = get_encoding("voices"), 16, True

    def __init__(self, family: str = "autoencoder", can_encode: bool = True):
        self.parts, at = {}, 0
        for field in self.encoding.composed:
            self.parts[field.name] = slice(at, at + field.size)
            at += field.size
        size = at * self.stride
        self.info = {"family": family, "styles": {"hymns": {"programs": [], "measures": {}}}}
        self.spec = {"stride": 16, "size": size, "drift": 0.0, "mean": [0.0] * size, "spread": [1.0] * size}
        self.can_encode = can_encode

    def encode(self, rows):
        rolls = [rows[..., [self.encoding.columns[name]]] == np.arange(130) for name in self.parts]
        return np.concatenate(rolls, axis=-1).reshape(len(rows), -1).astype(np.float32)

    def begin(self, size, rngs=()):
        return states.Latent(self.spec, size, rngs)

    def advance(self, last, given, time, state):
        if state.begins(given[:, line_column(self.encoding.fields)] == LINE):
            state.take([state.feed()["point"].reshape(len(given), self.stride, -1)])
        return state.step()

    def logits(self, field, hidden, chosen):
        return 50 * hidden[:, self.parts[field]]


def sounds(score: Score) -> list[tuple[int, int, int]]:
    return sorted(zip(*(score.notes[name].tolist() for name in ("onset", "duration", "pitch")), strict=True))


ONE = hymn(CADENCE, tempos=(Tempo(0, 60.0),), keys=(Key(0, 0),))
OTHER = hymn(AMEN, length=48, bars=3, tempos=(Tempo(0, 135.0),), keys=(Key(0, 5),))


@pytest.mark.parametrize("path", ["arc", "line"])
def test_a_morph_begins_as_the_one_piece_and_ends_as_the_other(path):
    found = morph(Exact(), ONE, OTHER, stages=5, bars=2, path=path, style="hymns")
    assert found.bars == 2 and len(found.stages) == 5 and found.kept == (1.0, 1.0)
    two_bars = OTHER.with_notes(OTHER.notes[OTHER.notes["onset"] < 2 * BAR])
    assert [sounds(stage) for stage in found.stages[:2]] == [sounds(ONE)] * 2
    assert [sounds(stage) for stage in found.stages[3:]] == [sounds(two_bars)] * 2
    assert [round(stage.tempos[0].bpm, 1) for stage in found.stages] == [60.0, 73.5, 90.0, 110.2, 135.0]
    assert [stage.keys[0].tonic for stage in found.stages] == [0, 0, 5, 5, 5]


def test_a_morph_is_no_longer_than_the_shorter_piece_and_leaves_the_upbeat_out():
    found = morph(Exact(), hymn(CADENCE, bars=2, upbeat=24), OTHER, stages=2, bars=8, style="hymns")
    assert found.bars == 2 and sounds(found.stages[0]) == sounds(ONE)
    late = ONE.with_notes(np.array(ONE.notes))
    late.notes.setflags(write=True)
    late.notes["onset"] += BAR + 24  # a bar of rest, then one that begins on its second beat
    found = morph(Exact(), replace(late, notes=late.notes), OTHER, stages=2, bars=8, style="hymns")
    assert found.bars == 2 and sounds(found.stages[0])[0][0] == 0


def test_music_that_begins_a_tick_beside_its_bar_lines_is_on_them():
    """As some notation programs write it: all onsets one tick of 480 late."""
    fine = ONE.notes.copy()
    fine["onset"], fine["duration"] = fine["onset"] * 20 + 1, fine["duration"] * 20 - 1
    late = replace(ONE, notes=fine, ticks_per_beat=480)
    found = morph(Exact(), late, OTHER, stages=2, bars=2, style="hymns")
    assert found.kept == (1.0, 1.0) and sounds(found.stages[0]) == sounds(ONE)


def test_bars_of_three_quarters_are_a_block_each_and_come_back():
    waltz = hymn(CADENCE, metre=(3, 4), bars=4)
    model = Exact()
    rows = model.encoding.encode(waltz)
    blocks = blocks_of(model.encoding, rows, 16)
    soprano = blocks[:, :, model.encoding.columns["soprano"]]
    assert blocks.shape[:2] == (4, 16) and (soprano[:, 12:] == -1).all() and (soprano[:, :12] >= 0).all()
    place = blocks[:, :, model.encoding.columns["place"]]
    assert (place[:, 12:] == place[:, :1]).all()
    found = morph(model, waltz, waltz, stages=3, bars=4, style="hymns")
    assert [sounds(stage) for stage in found.stages] == [sounds(waltz)] * 3


def test_an_arc_keeps_its_distance_and_a_line_goes_through_the_middle():
    space = states.Latent({"stride": 1, "size": 2, "drift": 0, "mean": [1, 1], "spread": [2, 2]}, 1)
    first, last = np.array([[3.0, 1.0]]), np.array([[1.0, 3.0]])  # to the right of the middle, and above it
    for path in ("arc", "line"):
        assert np.allclose(between(first, last, 0, path, space), first)
        assert np.allclose(between(first, last, 1, path, space), last)
    assert np.allclose(between(first, last, 0.5, "arc", space), 1 + 2 * np.sqrt(0.5))
    assert np.allclose(between(first, last, 0.5, "line", space), 2)
    for end in (first, 2 - first):  # the same direction, and the opposite one, have no arc between them
        assert np.allclose(between(first, end, 0.5, "arc", space), between(first, end, 0.5, "line", space))
    more = np.array([[1.0, 3.0], [1.0, 3.0], [5.0, 1.0]])
    assert [len(between(first, more, share, "line", space)) for share in (0, 0.5, 1)] == [1, 2, 3]
    assert np.allclose(between(first, more, 1, "line", space), more)


def test_how_true_a_model_is_is_the_share_of_notes_that_come_back():
    real = score_of("C4 quarter, D4 quarter, E4 quarter, F4 quarter")
    assert likeness(real, real) == 1.0
    assert likeness(score_of("C4 quarter, D4 quarter, G4 quarter, A4 quarter"), real) == 0.5
    assert likeness(score_of("C4 half, E4 half"), real) == pytest.approx(2 * 2 / 6)
    assert likeness(score_of("C5 whole"), real) == 0.0


def test_stages_are_joined_at_bar_lines_and_like_instruments_share_a_track():
    one = replace(score_of("C4 whole", "E4 whole"), tracks=(Track("", 40), Track("", 42)))
    other = replace(score_of("G4 half", "B4 half"), tracks=(Track("", 42), Track("", 73)))
    one, other = (replace(s, metres=(Metre(0, 4, 4),), tempos=(Tempo(0, t),)) for s, t in ((one, 60.0), (other, 90.0)))
    whole = joined([one, one, other], 1)
    assert [track.program for track in whole.tracks] == [40, 42, 73]
    assert whole.notes[["onset", "pitch", "track"]].tolist() == [
        (0, 60, 0), (0, 64, 1), (BAR, 60, 0), (BAR, 64, 1), (2 * BAR, 67, 1), (2 * BAR, 71, 2),
    ]  # fmt: skip
    assert whole.tempos == (Tempo(0, 60.0), Tempo(2 * BAR, 90.0)) and whole.metres == (Metre(0, 4, 4),)


def test_what_cannot_be_morphed_is_said():
    with pytest.raises(BadOption, match=r"their first 2 bars are in 3/4 and 4/4"):
        morph(Exact(), ONE, hymn(CADENCE, metre=(3, 4)), style="hymns")
    with pytest.raises(BadOption, match="stages 1 is out of range; wanted 2 to 64"):
        morph(Exact(), ONE, OTHER, stages=1)
    with pytest.raises(BadOption, match="bars 0 is out of range"):
        morph(Exact(), ONE, OTHER, bars=0)
    with pytest.raises(BadOption, match="no path 'detour'; there are arc, line"):
        morph(Exact(), ONE, OTHER, path="detour")
    with pytest.raises(BadOption, match="no bar begins with a note"):
        morph(Exact(), ONE, replace(ONE, notes=ONE.notes[:0]), style="hymns")
    with pytest.raises(ModelError, match=r"of the family autoencoder or vae; this one is of the family 'gan'"):
        morph(Exact("gan", can_encode=False), ONE, OTHER)


def test_the_points_of_a_piece_are_those_of_its_bars():
    model = Exact()
    points = points_of(model, hymn(CADENCE, bars=3), "hymns")
    assert points.shape == (3, 16 * 4 * 130) and np.array_equal(points[0], points[1])


# --- the verb


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with two hymns, and a model that plays them as they are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(api._latent, "loaded_model", lambda path: Exact())
    formats.save(ONE, tmp_path / "one.mid")
    formats.save(OTHER, tmp_path / "other.mid")
    return tmp_path


def test_the_verb_writes_one_piece_of_all_stages(command, desk):
    code, said, _ = command("morph", "one.mid", "other.mid", "--model", "m", "--steps", 3, "--bars", 2, "--no-roll")
    assert code == 0 and said.splitlines()[-1] == "wrote one-other.mid"
    assert "one.mid to other.mid in 3 stages of 2 bars; the model gives back 100% of the notes of the one" in said
    score = formats.load(desk / "one-other.mid")
    assert score.title == "one to other" and score.end == 6 * score.ticks_per_beat * 4


def test_the_verb_writes_each_stage_into_a_file_of_its_own(command, desk):
    line = ("one.mid", "other.mid", "--model", "m", "--steps", 10, "--each", "-o", "way.mid")
    code, said, _ = command("morph", *line)
    assert code == 0 and "stage 10\nwrote way-10.mid" in said
    files = sorted(desk.glob("way-*.mid"))
    assert [path.name for path in files] == [f"way-{n:02}.mid" for n in range(1, 11)]
    assert all(formats.load(path).end <= 2 * 4 * 480 for path in files)


def test_without_a_model_or_with_one_that_cannot_the_verb_says_what_is_needed(command, desk, monkeypatch):
    code, said, complaint = command("morph", "one.mid", "other.mid")
    assert code == 2 and not said and complaint.count("\n") == 1
    assert "a morph needs a model of the family autoencoder or vae, and none is shipped; train one" in complaint
    monkeypatch.setattr(api._latent, "loaded_model", lambda path: Exact("transformer", can_encode=False))
    code, _, complaint = command("morph", "one.mid", "other.mid", "--model", "m")
    assert code == 2 and complaint.count("\n") == 1 and "this one is of the family 'transformer'" in complaint


def test_a_style_that_the_model_has_not_learnt_is_refused(desk):
    with pytest.raises(UnknownName, match="no style 'polka' in m; there are hymns"):
        api.morph(ONE, OTHER, model="m", style="polka")
