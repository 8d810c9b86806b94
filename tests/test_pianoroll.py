"""The piano roll: a repeated note is no long one, rests keep their emotion, and what was wrong in DeepMIDI is not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from music import pitch_of, score_of
from partimento import model_file
from partimento.asking import Request, controls_for
from partimento.composing import check_controls, readings_for, sampling_for
from partimento.corpus import Piece
from partimento.corpus.choose import Choice
from partimento.encodings import Plan, Unencodable, get_encoding
from partimento.encodings._given import BARS_LEFT, DESCRIPTORS, key_class, level_class, measure_of
from partimento.errors import BadOption
from partimento.instruments import RANGES
from partimento.models import get_family
from partimento.models.base import parameter_count
from partimento.sampling import PLAIN, Sampling, sample, switched, threshold_for
from partimento.score import Key, Metre, Score, Track, note_array
from partimento.theory import MODES, key_of
from partimento.training import export
from partimento.training.batches import Batches, Window, window_of
from partimento.transform import transpose

pytestmark = pytest.mark.usefixtures("one_thread")
FULL, FAITHFUL = get_encoding("pianoroll"), get_encoding("pianoroll", controls="emotion")
TWO = get_encoding("pianoroll", tracks=2)
DEEP_MIDI = {"net": [["lstm", 256], ["lstm", 256]], "inputs": "scalar", "biases": 1}
FOUR = (Metre(0, 4, 4),)
SCALES = {
    "major": "C4 quarter, E4 quarter, G4 quarter, F4 quarter, D4 quarter, B3 quarter, C4 half",
    "minor": "A3 quarter, C4 quarter, E4 quarter, D4 quarter, B3 quarter, G#3 quarter, A3 half",
}


def roll(encoding, steps: np.ndarray, name: str) -> np.ndarray:
    """A binary field of rows behind row 0, (T, 128)."""
    at = encoding.columns[name]
    return steps[1:, at : at + 128]


def written(encoding, steps: np.ndarray, number: str = "") -> list[str]:
    """Every sixteenth behind row 0 in words: what sounds, a star where it is struck."""
    names = {pitch_of(f"{letter}{octave}"): f"{letter}{octave}" for letter in "CDEFGAB" for octave in range(1, 7)}
    both = [roll(encoding, steps, f"{name}{number}") for name in ("sounding", "struck")]
    return [
        " ".join(names[pitch] + "*" * int(struck[pitch]) for pitch in np.flatnonzero(sounding)) or "-"
        for sounding, struck in zip(*both, strict=True)
    ]


def sounds(score: Score) -> list[tuple[int, int, int]]:
    return sorted(zip(*(score.notes[name].tolist() for name in ("onset", "duration", "pitch")), strict=True))


def one_bar(text: str, **fields) -> Score:
    return score_of(text, metres=FOUR, **fields)


# --- what a row holds


def test_a_repeated_note_is_not_one_long_note():
    twice, once = one_bar("C4 eighth, C4 eighth"), one_bar("C4 quarter")
    assert written(FULL, FULL.encode(twice))[:5] == ["C4*", "C4", "C4*", "C4", "-"]
    assert written(FULL, FULL.encode(once))[:5] == ["C4*", "C4", "C4", "C4", "-"]
    assert sounds(FULL.decode(FULL.encode(twice))) == [(0, 12, 60), (12, 12, 60)]
    assert sounds(FULL.decode(FULL.encode(once))) == [(0, 24, 60)]


def test_every_note_of_a_repeated_chord_is_struck_again():
    score = one_bar("C4+E4+G4 eighth, C4+E4+G4 eighth")
    rows = written(FULL, FULL.encode(score))[:4]
    assert rows == ["C4* E4* G4*", "C4 E4 G4", "C4* E4* G4*", "C4 E4 G4"]
    assert len(FULL.decode(FULL.encode(score))) == 6


def test_all_tracks_are_merged_but_for_drums():
    tracks = (Track("", 40), Track("", 128), Track("", 42))
    score = score_of("G4 eighth, F4 eighth", "C2 quarter", "C3 quarter", tracks=tracks, metres=FOUR)
    assert written(FULL, FULL.encode(score))[:4] == ["C3* G4*", "C3 G4", "C3 F4*", "C3 F4"]
    with pytest.raises(Unencodable, match="no note with a pitch"):
        FULL.encode(score_of("C2 quarter", tracks=(Track("", 128),)))


def test_a_pitch_that_two_tracks_play_is_struck_by_each_and_doubled_by_none():
    score = score_of("C4 half, C4 quarter", "rest quarter, C4 quarter, C4 quarter", metres=FOUR)
    assert sounds(FULL.heard(score)) == sounds(FULL.decode(FULL.encode(score))) == [
        (0, 24, 60), (24, 24, 60), (48, 24, 60)
    ]  # fmt: skip


def test_the_last_bar_is_filled_up_with_silence_and_told_of_to_its_end():
    steps = FULL.encode(one_bar("C4 whole, D4 quarter"))
    assert len(steps) == 1 + 32 and written(FULL, steps)[19:21] == ["D4", "-"]
    columns = FULL.columns
    assert steps[1:, columns["place"]].tolist() == [1 + 6 * n for n in range(16)] * 2
    assert steps[1:, columns["bars_left"]].tolist() == [2] * 16 + [1] * 16
    assert len(FULL.encode(FULL.decode(steps))) == len(steps)


def test_what_says_otherwise_is_read_as_music():
    """A pitch that begins to sound is struck, whatever the row says; what does not sound is not."""
    steps = FULL.encode(one_bar("C4 quarter"))
    for name in ("sounding", "struck"):
        roll(FULL, steps, name)[...] = 0
    roll(FULL, steps, "sounding")[[2, 3, 5], 60] = 1
    roll(FULL, steps, "struck")[[5, 8], [60, 72]] = 1
    assert sounds(FULL.decode(steps)) == [(12, 12, 60), (30, 6, 60)]


@pytest.mark.parametrize("encoding", [FULL, FAITHFUL, TWO], ids=["full", "emotion", "two tracks"])
def test_whatever_is_drawn_is_read_alike_again(encoding):
    rng = np.random.default_rng(4)
    for density in (0.05, 0.5, 0.95):
        steps = np.zeros((1 + 32, encoding.width), dtype=np.int16)
        first = encoding.columns[encoding.rolls[0][0]]
        steps[1:, first:] = rng.random((32, encoding.width - first)) < density
        steps[1, first + 60] = 1
        plan = Plan(bars=2)
        score = encoding.decode(steps, plan)
        assert encoding.decode(encoding.encode(score), plan).notes.tolist() == score.notes.tolist()


def test_velocity_tempo_and_instrument_are_those_of_the_plan():
    score = FULL.decode(FULL.encode(one_bar("C4 quarter")), Plan(programs=(128, 73), velocity=50, tempo=77.0))
    assert [track.program for track in score.tracks] == [73] and score.notes["velocity"].tolist() == [50]
    assert FULL.decode(FULL.encode(one_bar("C4 quarter"))).tracks[0].program == 0
    told_nothing = FAITHFUL.decode(FAITHFUL.encode(one_bar("C4 quarter")), Plan(tempo=77.0, metre=(3, 4)))
    assert told_nothing.tempos[0].bpm == 77.0 and told_nothing.metres == (Metre(0, 3, 4),)


# --- what the grid refuses


def test_music_between_two_sixteenths_is_refused_unless_it_is_seldom():
    triplets = Score(note_array([(0, 24, 60, 80, 0), (24, 8, 62, 80, 0), (32, 8, 64, 80, 0), (40, 8, 65, 80, 0)]))
    with pytest.raises(Unencodable, match="4 of 8 times") as refused:
        FULL.encode(triplets)
    assert refused.value.reason == "off the sixteenth grid"
    with pytest.raises(Unencodable):
        get_encoding("pianoroll", snap=0.4).encode(triplets)
    snapped = get_encoding("pianoroll", snap=0.5)
    assert sounds(snapped.decode(snapped.encode(triplets))) == [(0, 24, 60), (24, 6, 62), (30, 12, 64), (42, 6, 65)]


def test_articulation_that_a_score_writes_is_no_reason_to_refuse():
    score = Score(note_array([(0, 479, 60, 80, 0), (480, 475, 62, 80, 0)]), ticks_per_beat=480)
    assert sounds(FULL.decode(FULL.encode(score))) == [(0, 24, 60), (24, 24, 62)]


def test_a_piece_beyond_all_bounds_is_refused():
    score = Score(note_array([(0, 24, 60, 80, 0), (6 * 32_001, 24, 60, 80, 0)]))
    with pytest.raises(Unencodable, match="sixteenths") as refused:
        FULL.encode(score)
    assert refused.value.reason == "too long"


@pytest.mark.parametrize("options", [{"controls": "all"}, {"tracks": 0}, {"tracks": 17}, {"snap": -0.1}, {"snap": 2}])
def test_an_option_that_is_none_is_refused_with_what_was_wanted(options):
    with pytest.raises(BadOption, match=r"there are full, emotion|wanted"):
        get_encoding("pianoroll", **options)


# --- side by side


def test_tracks_stand_side_by_side_in_the_order_of_the_score():
    score = score_of("G4 half", "C3 quarter, C3 quarter", metres=FOUR)
    steps = TWO.encode(score)
    assert written(TWO, steps, "_1")[:5] == ["G4*", "G4", "G4", "G4", "G4"]
    assert written(TWO, steps, "_2")[:5] == ["C3*", "C3", "C3", "C3", "C3*"]
    back = TWO.decode(steps, Plan(programs=(73, 42)))
    assert [track.program for track in back.tracks] == [73, 42]
    assert back.notes[["onset", "duration", "pitch", "track"]].tolist() == [
        (0, 48, 67, 0), (0, 24, 48, 1), (24, 24, 48, 1)
    ]  # fmt: skip


def test_more_tracks_than_rolls_are_refused_and_fewer_leave_rolls_empty():
    with pytest.raises(Unencodable, match="3 tracks; 2 are rolled"):
        TWO.encode(score_of("C4 half", "E4 half", "G4 half"))
    steps = TWO.encode(score_of("C4 half", metres=FOUR))
    assert not roll(TWO, steps, "sounding_2").any()
    assert np.array_equal(TWO.encode(TWO.decode(steps)), steps)


def test_each_roll_keeps_to_its_own_instrument_and_a_merged_one_to_all():
    cursor = TWO.cursor(Plan(programs=(73, 42)))
    for name, program in (("sounding_1", 73), ("sounding_2", 42)):
        allowed = np.flatnonzero(cursor.legal(name, {}))
        assert (allowed[0], allowed[-1]) == RANGES[program]
    merged = np.flatnonzero(FULL.cursor(Plan(programs=(73, 128, 42))).legal("sounding", {}))
    assert (merged[0], merged[-1]) == (RANGES[42][0], RANGES[73][1])


# --- transposing


@pytest.mark.parametrize("encoding", [FULL, FAITHFUL, TWO], ids=["full", "emotion", "two tracks"])
def test_transposed_steps_are_those_of_the_transposed_music(encoding):
    score = score_of("C4+E4 quarter, rest quarter, G4 half", "C3 whole", metres=FOUR, keys=(Key(0, 0),))
    steps = encoding.encode(score)
    for semitones in (-5, -1, 0, 3, 6):
        moved = encoding.transpose(steps, semitones)
        assert np.array_equal(moved, encoding.encode(transpose(score, semitones)))
        assert np.array_equal(encoding.transpose(moved, -semitones), steps)
        both = encoding.transpose(np.stack([steps, steps]), semitones)
        assert np.array_equal(both[1], moved)


def test_no_transposition_leaves_the_piano():
    assert FULL.transpositions(FULL.encode(score_of("C1 half", "G7 half"))) == (-3, 5)
    assert FULL.transpositions(FULL.encode(score_of("C4 half")), 18) == (-18, 18)
    assert FULL.transpositions(FULL.encode(Score(note_array([(0, 24, 5, 80, 0), (0, 24, 120, 80, 0)])))) == (0, 0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tonic", range(12))
def test_music_goes_to_c_major_or_a_minor_by_the_nearer_way(tonic, mode):
    home = score_of(SCALES[mode], metres=FOUR)
    up = (tonic - key_of(home).tonic) % 12
    score = transpose(home, up if up <= 6 else up - 12)
    moved = Choice(to_key="C").changed(score)
    assert sounds(moved) == sounds(home) or up == 6  # a tritone is as near up as down
    assert np.abs(moved.notes["pitch"].astype(int) - score.notes["pitch"].astype(int)).max() <= 6
    assert set(FULL.encode(moved)[:, FULL.columns["key"]]) == {key_class({"major": 0, "minor": 9}[mode], mode)}


# --- emotions


def test_emotions_are_told_in_rests_as_everywhere():
    score = one_bar("C4 quarter, rest half, rest quarter, rest whole, D4 quarter")
    for encoding in (FULL, FAITHFUL):
        steps = encoding.encode(score, {"valence": 9, "arousal": 2})
        silent = ~roll(encoding, steps, "sounding").any(axis=1)
        assert silent.sum() == 12 + 16 + 12
        assert set(steps[:, encoding.columns["valence"]]) == {level_class("valence", 9)}
        assert set(steps[:, encoding.columns["arousal"]]) == {level_class("arousal", 2)}


def test_measures_stand_in_every_row_of_their_bar():
    score = one_bar("C4 quarter, rest half, rest quarter, C4+E4 half")
    measures = {name: np.array([n - 0.5, n + 7.25]) for n, name in enumerate(DESCRIPTORS)}
    for encoding in (FULL, FAITHFUL):
        steps = encoding.encode(score, {"described": SimpleNamespace(measures=measures)})
        for name in (name for name in DESCRIPTORS if name in encoding.columns):
            found = measure_of(steps[:, encoding.columns[name]]).tolist()
            assert found == [measures[name][0]] * 17 + [measures[name][1]] * 16


@pytest.mark.parametrize("encoding", [FULL, FAITHFUL], ids=["full", "emotion"])
def test_one_is_the_lowest_and_ten_the_highest_wherever_it_comes_from(encoding):
    for value, wanted in ((1, 1), (10, 10), (5.5, 6)):
        for label in (value, float(value), str(value)):  # by hand, in a table
            steps = encoding.encode(one_bar("C4 quarter"), {"valence": label, "arousal": label})
            found = {int(steps[n, encoding.columns[name]]) for n in (0, 9) for name in ("valence", "arousal")}
            assert found == {wanted}
        request = Request(happiness=float(value), excitement=float(value))  # from a command
        for controls in ({"valence": value, "arousal": value}, controls_for({}, request, 4, False)):
            told = encoding.cursor(Plan(bars=4, controls=controls)).given({})
            assert (told["valence"], told["arousal"]) == (wanted, wanted)


def test_controls_may_change_from_bar_to_bar():
    cursor = FAITHFUL.cursor(Plan(bars=2, upbeat=24, controls={"valence": (1, 5, 10)}))
    told = []
    for _ in range(cursor.length):
        told.append(cursor.given({})["valence"])
        cursor.push({"sounding": np.zeros(128), "struck": np.zeros(128)})
    assert told == [1] * 4 + [5] * 16 + [10] * 16


def test_the_faithful_form_is_told_nothing_but_emotion():
    assert [field.name for field in FAITHFUL.given] == ["valence", "arousal"]
    assert FAITHFUL.spec() == {"name": "pianoroll", "styles": [], "controls": "emotion", "tracks": 1, "snap": 0.0}
    times = np.arange(0, 500, 6)
    assert FAITHFUL.bar_numbers(np.zeros((len(times), FAITHFUL.width)), times).tolist() == (times // 96).tolist()


# --- the network


def test_the_faithful_form_has_the_inputs_and_the_size_of_the_original():
    model = get_family("stack")(FAITHFUL.fields, **DEEP_MIDI)
    assert model.embedding.width == 128 + 128 + 2
    assert parameter_count(model) == 1_118_464


class Counted:
    """A family as the sampling loop asks it, counting how often and of how much at once."""

    def __init__(self, family, encoding):
        self.family, self.encoding, self.calls, self.sizes = family, encoding, 0, set()

    def begin(self, size, rngs=()):
        return {"now": self.family.begin(size)}

    def advance(self, last, given, time, state):
        with torch.inference_mode():
            told = map(torch.from_numpy, (last, given, time))
            hidden, state["now"] = self.family.advance(*told, state["now"])
        self.calls += 1
        self.sizes |= {(last.shape, *(tuple(one.shape) for one in state["now"]))}
        return hidden.numpy()

    def logits(self, field, hidden, chosen):
        with torch.inference_mode():
            return self.family.logits(field, torch.from_numpy(hidden), torch.from_numpy(chosen)).numpy()


def test_a_slice_is_one_step_of_the_network_and_its_state_is_carried():
    torch.manual_seed(0)
    model = Counted(get_family("stack")(FAITHFUL.fields, **DEEP_MIDI).eval(), FAITHFUL)
    rows = list(sample(model, [FAITHFUL.cursor(Plan(bars=10))], Sampling(), [np.random.default_rng(0)]))
    assert model.calls == 160 == len(rows) - 1  # 160 slices are 40 beats
    assert model.sizes == {((1, 258), *[(1, 256)] * 4)}


@pytest.mark.parametrize("family", ["stack", "recurrent"])
def test_the_exported_model_composes_as_the_trained_one(family):
    torch.manual_seed(1)
    small = {"net": (("lstm", 16), ("dense", 8))} if family == "stack" else {"width": 16, "layers": 1, "head_width": 8}
    model = get_family(family)(FULL.fields, **small).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())  # tables are exported in half precision
    described = {
        "encoding": FULL.spec(), "state": model.state_spec(),
        "fields": [[entry.name, entry.size, entry.given] for entry in FULL.fields],
    }  # fmt: skip
    graphs = export.graphs(model, int8=False)
    twin = model_file.Model(described, {name[:-5]: graph for name, graph in graphs.items()})
    pieces = []
    for one in (twin, Counted(model, FULL)):
        cursor = FULL.cursor(Plan(bars=2, controls={"valence": 8}))
        pieces.append(np.array([row for _, row in sample(one, [cursor], Sampling(), [np.random.default_rng(5)])]))
    assert np.array_equal(*pieces) and pieces[0].shape == (33, FULL.width)


# --- composing


class Likely:
    """A model whose every pitch sounds by a chance of its own, and is struck again by `again`."""

    def __init__(self, encoding, chances, again: float = 0.0):
        self.encoding = encoding
        with np.errstate(divide="ignore"):
            self.values = {
                name: np.log(value) - np.log1p(-value)
                for name, value in (("sounding", np.asarray(chances)), ("struck", np.full(128, again)))
            }

    def begin(self, size, rngs=()):
        return None

    def advance(self, last, given, time, state):
        return np.zeros((len(last), 1))

    def logits(self, field, hidden, chosen):
        return np.tile(self.values[field.split("_")[0]], (len(hidden), 1))


def composed(model, plan: Plan, seed: int = 0, **options) -> np.ndarray:
    encoding = model.encoding
    options, rng = Sampling(**options), np.random.default_rng(seed)
    return np.array([row for _, row in sample(model, [encoding.cursor(plan)], options, [rng])])


def chances(**known: float) -> np.ndarray:
    """No chance but for the pitches named."""
    found = np.full(128, 1e-12)
    for name, value in known.items():
        found[pitch_of(name)] = value
    return found


def test_what_begins_to_sound_is_struck_and_what_is_silent_never():
    steps = composed(Likely(FULL, np.full(128, 0.3), again=0.2), Plan(bars=4))
    sounding, struck = (roll(FULL, steps, name) for name in ("sounding", "struck"))
    before = np.concatenate([np.zeros((1, 128)), sounding[:-1]])
    assert struck[(sounding > 0) & (before == 0)].all() and not struck[sounding == 0].any()
    assert 0.1 < struck[(sounding > 0) & (before > 0)].mean() < 0.3


def test_a_piece_neither_begins_nor_ends_with_silence_though_the_model_would():
    for upbeat, lines in ((0, (0, 16)), (24, (0, 20))):
        steps = composed(Likely(FULL, chances(G4=1e-4)), Plan(bars=2, upbeat=upbeat))
        assert len(steps) == 1 + 32 + upbeat // 6
        assert [n for n, row in enumerate(written(FULL, steps)) if row == "G4*"] == list(lines)


def test_of_two_rolls_one_is_enough_to_begin():
    steps = composed(Likely(TWO, np.full(128, 1e-12)), Plan(bars=1, programs=(73, 42)))
    assert not roll(TWO, steps, "sounding_1").any()
    assert roll(TWO, steps, "sounding_2").sum(axis=1).tolist() == [1] + [0] * 15


def test_a_threshold_of_what_is_likely_falls_with_complexity():
    assert threshold_for(0) == pytest.approx(0.3) and threshold_for(1) == pytest.approx(0.1)
    assert all(threshold_for(n / 10) > threshold_for((n + 1) / 10) for n in range(10))


def test_the_more_complex_a_piece_is_to_be_the_more_notes_it_has():
    spread = chances(C4=0.9, E4=0.28, G4=0.22, B4=0.15, D5=0.05)
    counts = []
    for complexity in (0.0, 0.25, 0.5, 1.0):
        plan = Plan(bars=2, controls={"complexity": (complexity,) * 2})
        options = sampling_for(FAITHFUL, plan, Sampling())
        steps = composed(Likely(FAITHFUL, spread), plan, threshold=options.threshold)
        counts.append(int(roll(FAITHFUL, steps, "sounding")[1:].sum(axis=1).max()))
    assert counts == [1, 2, 3, 4]


def test_complexity_is_a_threshold_only_where_the_model_is_not_told_of_it():
    plan, own = Plan(controls={"complexity": (0.0, 1.0)}), Sampling(threshold=0.4)
    assert sampling_for(FAITHFUL, plan, Sampling()).threshold == pytest.approx(0.2)
    assert sampling_for(FAITHFUL, plan, own) == own
    assert sampling_for(FULL, plan, Sampling()).threshold is None
    assert sampling_for(get_encoding("notes"), plan, Sampling()).threshold is None
    assert sampling_for(FAITHFUL, Plan(), Sampling()).threshold is None


def test_complexity_may_be_asked_of_a_model_that_only_knows_emotion():
    model = SimpleNamespace(encoding=FAITHFUL, info={"styles": {"any": {"scales": {"valence": [1], "arousal": [1]}}}})
    check_controls(model, Request("any", complexity=0.5, happiness=9.0))
    with pytest.raises(BadOption, match="has not learnt density"):
        check_controls(model, Request("any", density=0.5))
    plan = Plan(controls={"complexity": (0.5,), "valence": (9,)})
    assert readings_for(model, Request("any"), Plan(controls={"complexity": (0.5,)})) is PLAIN
    assert readings_for(model, Request("any"), plan)[1].told == {"valence": 0}


def test_pieces_of_one_threshold_differ_by_their_seeds():
    model = Likely(FAITHFUL, np.full(128, 0.1))
    assert len({composed(model, Plan(bars=1), seed, threshold=0.3).tobytes() for seed in range(4)}) == 4
    assert len({composed(model, Plan(bars=1), 1, threshold=0.3).tobytes() for _ in range(3)}) == 1


def test_a_pitch_is_drawn_as_often_as_its_chance_says_and_min_p_leaves_out_what_is_rare():
    wanted = np.array([0.04, 0.06, 0.3, 0.7, 0.94, 0.96])
    logits = np.log(wanted / (1 - wanted))

    def often(threshold=None, min_p: float = 0.0, temperature: float = 1.0) -> np.ndarray:
        rng = np.random.default_rng(3)
        return np.mean([switched(logits, threshold, min_p, temperature, rng) for _ in range(4000)], axis=0)

    assert np.abs(often() - wanted).max() < 0.02
    assert np.abs(often(min_p=0.05) - [0, 0.06, 0.3, 0.7, 0.94, 1]).max() < 0.02
    assert often(temperature=0.5)[2] == pytest.approx(0.155, abs=0.02)  # odds squared
    assert often(temperature=0).tolist() == [0, 0, 0, 1, 1, 1]
    assert often(0.2).tolist() == [0, 0, 1, 1, 1, 1]


# --- windows to learn from


@pytest.fixture
def three_pieces() -> SimpleNamespace:
    """A cache of three pieces of one, two and five bars, each on a pitch of its own."""
    scores = [one_bar(", ".join([f"{name} quarter"] * count)) for name, count in (("C4", 4), ("E4", 8), ("G4", 20))]
    tables = [FULL.encode(score) for score in scores]
    starts = np.cumsum([0, *map(len, tables)])
    pieces = [Piece(str(n), "any", "train", "", int(starts[n]), len(table), 0, 0, 0) for n, table in enumerate(tables)]
    times = np.concatenate([FULL.times(table) for table in tables])
    return SimpleNamespace(pieces=pieces, steps=np.concatenate(tables), times=times, of=lambda split: pieces)


def test_no_window_runs_past_its_piece(three_pieces):
    batches = Batches(three_pieces, FULL, split="train", size=6, window=24, seed=0)
    seen, first = set(), FULL.columns["sounding"]
    for step in range(60):
        batch = batches.at(step)
        for rows, mask in zip(batch["steps"].numpy(), batch["mask"].numpy(), strict=True):
            used = np.flatnonzero(rows[mask][:, first : first + 128].any(axis=0))
            assert len(used) == 1 and mask.sum() == {60: 16, 64: 24, 67: 24}[int(used[0])]
            seen.add((int(used[0]), int(rows[mask][-1, FULL.columns["bars_left"]])))
    assert {(60, 1), (64, 1), (67, 1)} <= seen and (67, 3) in seen  # ends are heard, and middles
    rows, times = window_of(three_pieces, FULL, Window(0, 16, 0, "any"), {})
    assert len(rows) == len(times) == 17 and rows[0, first] == -1


def test_a_long_piece_counts_down_to_its_end():
    steps = FULL.encode(one_bar(", ".join(["C4 whole"] * 40)))
    left = steps[1::16, FULL.columns["bars_left"]]
    assert left.tolist() == [1 + min(39 - n, BARS_LEFT) for n in range(40)]
