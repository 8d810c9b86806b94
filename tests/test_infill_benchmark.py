"""`benchmarks/infill.py`: likelihoods are those of training, bad joins are found out, good ones are not."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from music import score_of
from partimento import formats, model_file
from partimento.encodings import _gaps as gaps
from partimento.score import Metre, Score
from partimento.theory import key_of
from partimento.timing import Clock
from tunes import duet, tune

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import _infill_report
import _joins
import _real
import _stretches
import infill

pytest_plugins = ["tiny"]
FOUR = (Metre(0, 4, 4),)
BAR = 96


@pytest.fixture
def quick(monkeypatch):
    """Cross-validation dealt out once, by the simplest of the classifiers."""
    every = _joins.classifiers

    def simplest(seed: int) -> dict:
        return {name: one for name, one in every(seed).items() if name == "logistic regression"}

    monkeypatch.setattr(_joins, "ROUNDS", 1)
    monkeypatch.setattr(_joins, "classifiers", simplest)


# --- where


def test_the_middle_comes_first_and_stretches_stand_apart():
    score = score_of(", ".join(["C4 whole"] * 24), metres=FOUR)
    assert _stretches.stretches(score, 4) == [10, 18, 2]
    assert _stretches.stretches(score_of(", ".join(["C4 whole"] * 7), metres=FOUR), 4) == []  # two bars on either side
    after_an_upbeat = score_of("G4 quarter, " + ", ".join(["C4 whole"] * 8), metres=FOUR, upbeat=24)
    assert _stretches.stretches(after_an_upbeat, 4) == [3]


def test_a_stretch_at_a_silent_bar_has_no_join():
    bars = ["C4 whole"] * 12
    bars[6] = "rest whole"
    silent_inside = _stretches.stretches(score_of(", ".join(bars), metres=FOUR), 4)
    bars[6], bars[7] = bars[7], bars[6]
    assert silent_inside == [4] and _stretches.stretches(score_of(", ".join(bars), metres=FOUR), 4) == []


def test_other_bars_of_a_piece_are_of_the_same_metre_and_a_bar_away():
    score = score_of(", ".join(["C4 quarter"] * (4 * 8 + 3 * 8)), metres=(Metre(0, 4, 4), Metre(8 * BAR, 3, 4)))
    assert _stretches.others(score, 4, 2) == [1]
    assert _stretches.others(score, 9, 2) == [12, 13]


def test_copied_bars_replace_those_that_stood_there_and_nothing_else():
    score = score_of("C4 whole, D4 whole, E4 half, F4 half, G4 whole, A4 whole", metres=FOUR)
    copy = _stretches.copied(score, 2 * BAR, 3 * BAR, 4 * BAR)
    assert copy == score_of("C4 whole, D4 whole, E4 half, F4 half, E4 half, F4 half, A4 whole", metres=FOUR)


# --- how likely


@pytest.fixture(scope="module")
def pair(tiny):
    return model_file.load(tiny.pair)


def erased(score: Score, first: int, bars: int) -> Score:
    return _stretches.replaced_by(score, first * BAR, (first + bars) * BAR, score.notes[:0])


def nats_of(model, score: Score, first: int, bars: int, **options) -> dict[str, float]:
    plan = _stretches.told(model.encoding, erased(score, first, bars), first, bars, "duets", **options)
    table = _stretches.dictated(model.encoding, score, first * BAR, (first + bars) * BAR)
    return _stretches.nats(model, plan, table)


def nats_of_lesson(model, score: Score, first: int, bars: int) -> dict[str, float]:
    """The same by running the model along the rows that training makes of the same gap."""
    encoding, columns = model.encoding, model.encoding.columns
    steps = encoding.encode(score, {"style": "duets"}).astype(np.int64)
    lesson = gaps.arranged(columns, steps, encoding.times(steps), gaps.Task(first, first + bars))
    key = key_of(erased(score, first, bars))
    lesson.rows[:, columns["key"]] = gaps.given_fields.key_class(key.tonic, key.mode)
    state, found = model.begin(1), dict.fromkeys((entry.name for entry in encoding.composed), 0.0)
    answers = len(_stretches.dictated(encoding, score, first * BAR, (first + bars) * BAR))
    for at in range(1, len(lesson.rows)):
        last, row, time = lesson.rows[None, at - 1], lesson.rows[None, at], lesson.times[None, at - 1]
        hidden = model.advance(last, row, time.astype(np.float32), state)
        for name in found if at >= len(lesson.rows) - answers else ():
            wanted, logits = int(row[0, columns[name]]), model.logits(name, hidden, row)[0].astype(float)
            found[name] += float(np.logaddexp.reduce(logits) - logits[wanted]) if wanted >= 0 else 0.0
    return found


@pytest.mark.parametrize(("first", "bars"), [(3, 2), (1, 4)])
def test_nats_are_those_of_the_rows_that_training_makes(pair, first, bars):
    found, expected = nats_of(pair, duet(2), first, bars), nats_of_lesson(pair, duet(2), first, bars)
    assert found == pytest.approx(expected, rel=1e-4) and found["pitch"] > 1


def test_what_no_cursor_would_allow_is_scored_too(pair):
    score = duet(2)
    notes = score.notes.copy()
    inside = np.flatnonzero((notes["onset"] >= 3 * BAR) & (notes["onset"] < 5 * BAR))
    notes["pitch"][inside[0]], notes["duration"][inside[-1]] = 3, 2 * BAR  # below any cello, and held over the end
    strange, plain = nats_of(pair, score.with_notes(notes), 3, 2), nats_of(pair, score, 3, 2)
    assert all(np.isfinite(value) for value in strange.values())
    assert strange["pitch"] > plain["pitch"] and strange["duration"] > plain["duration"]


def test_likelihood_is_of_what_stands_around_and_nothing_of_the_bars_themselves(pair):
    score = duet(2)
    notes = score.notes.copy()
    notes["pitch"][notes["onset"] >= 5 * BAR] += 1
    there = nats_of(pair, score, 3, 2)
    assert nats_of(pair, score.with_notes(notes), 3, 2) != pytest.approx(there)  # another continuation
    assert nats_of(pair, score.with_notes(notes), 3, 2, ahead=0)["pitch"] != pytest.approx(there["pitch"])


# --- joins


def join(*parts: str) -> dict[str, float]:
    score = score_of(*parts, metres=FOUR)
    return _joins.of_join(score, Clock(score).bars, 1)


def test_a_join_is_measured_from_what_sounds_on_either_side():
    found = join("C4 half, E4 half, C6 half, D6 half", "C3 whole, G3 whole")
    wanted = {
        "top line moves": 20, "top line leaps": 20, "bottom line moves": 7, "parts leap": 13.5,
        "widest leap of a part": 20, "rhythm shared": 1, "held over": 0, "struck on the line": 1, "silence": 0,
        "room before the line": 2, "last length": 2, "first length": 3, "density moves": 0, "voices differ": 0,
    }  # fmt: skip
    assert {name: found[name] for name in wanted} == pytest.approx(wanted)


def test_silence_and_held_notes_are_seen_at_the_line():
    found = join("C4 half, rest half, rest quarter, D4 quarter, E4 half")
    assert (found["silence"], found["struck on the line"], found["room before the line"]) == (3, 0, 4)
    held = score_of("C4 half, D4 half, E4 whole", metres=FOUR)
    notes = held.notes.copy()
    notes["duration"][1] += 24
    found = _joins.of_join(held.with_notes(notes), Clock(held).bars, 1)
    assert found["held over"] == 1 and found["clashes after"] == 0 and found["top line moves"] == 2


def test_clashes_chords_and_shared_pitch_classes():
    same = join("C4+E4+G4 whole, C4+E4+G4 whole")
    other = join("C4+E4+G4 whole, F#4+A#4+C#5 whole")
    rough = join("C4+E4+G4 whole, E4+F5 half, C4 half")
    assert (same["chord changes"], same["root moves in fifths"], same["pitch classes shared"]) == (0, 0, 1)
    assert other["chord changes"] == 1 and other["root moves in fifths"] == 6
    assert other["pitch classes shared"] == 0 and other["clashes after"] == 0
    assert (rough["clashes before"], rough["clashes after"]) == (0, 1)  # a semitone in any octave


def joins(numbers, semitones: int = 0) -> list[dict[str, float]]:
    """Both joins of bars 3 to 6 of tunes, those bars moved up."""
    found = []
    for number in numbers:
        notes = tune(number).notes.copy()
        notes["pitch"][(notes["onset"] >= 2 * BAR) & (notes["onset"] < 6 * BAR)] += semitones
        found += _joins.joins_of(tune(number).with_notes(notes), 2, 6)
    return found


def test_planted_leaps_are_told_apart_by_every_classifier(monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.setattr(_joins, "ROUNDS", 1)
    monkeypatch.setattr(_joins, "FOLDS", 2)
    pairs = _joins.Pairs.of(joins(range(12), 24), joins(range(12)), np.repeat(range(12), 2))
    told = _joins.told_apart(pairs, 1)
    assert len(told) == 3 and min(one.accuracy for one in told.values()) > 0.9
    first = _joins.each_alone(pairs, 1)[0]
    assert "leap" in first.name and first.interval[0] > 2


def test_what_a_classifier_goes_by_is_lost_without_it(quick):
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(size=(2, 60, 3))
    ours[:, 1] += 4
    told = _joins.told_apart(_joins.Pairs(("a", "b", "c"), ours, theirs, np.arange(60)), 1, losses=True)
    lost = told["logistic regression"].losses
    assert lost["b"] > 0.3 and abs(lost["a"]) < 0.05 and abs(lost["c"]) < 0.05


def test_two_halves_of_the_same_music_are_not_told_apart(quick):
    pytest.importorskip("sklearn")
    pairs = _joins.Pairs.of(joins(range(40)), joins(range(40, 80)), np.repeat(range(40), 2))
    told = _joins.told_apart(pairs, 1)["logistic regression"]
    assert told.accuracy == pytest.approx(0.5, abs=0.1) and told.interval[1] < 0.6


def test_what_a_piece_has_of_its_own_is_not_learnt_from_it(quick):
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(30), 4)  # each of its own place in 40 dimensions: known only to who has seen it
    ours, theirs = (rng.normal(size=(30, 40))[groups] for _ in range(2))
    names = tuple(map(str, range(40)))
    apart = _joins.told_apart(_joins.Pairs(names, ours, theirs, groups), 1)["logistic regression"]
    mixed = _joins.told_apart(_joins.Pairs(names, ours, theirs, rng.permutation(120)), 1)["logistic regression"]
    assert apart.accuracy < 0.6 and mixed.accuracy > 0.8


# --- figures


def record(work: int, filled: float, real: float, density: float = 0.0) -> dict:
    measures = dict.fromkeys(_stretches.MEASURES, 1.0)
    nats = {"filled": filled, "real": real, "copied": real + 1, "unaware": real + 0.5}
    return {
        "style": "folk", "work": str(work), "nats": {kind: {"pitch": value} for kind, value in nats.items()},
        "measures": {"filled": measures | {"density": 1 + density}, "real": measures},
        "others": [measures | {"density": 1.0}, measures | {"density": 2.0}],
    }  # fmt: skip


def test_figures_that_can_be_known_beforehand():
    records = [record(1, 2, 3, 0.5), record(1, 2, 3, 0.5), record(2, 4, 3, -1.0), record(3, 4, 3, -1.0)]
    found = _infill_report.of_stretches(records, 1, deep=True)
    assert (found["stretches"], found["works"], found["joins"]) == (4, 3, {})
    assert found["nats"]["filled - real"]["mean"] == 0 and found["nats"]["filled less likely"]["mean"] == 0.5
    assert found["nats"]["copied - real"] == {"mean": 1, "interval": [1, 1]}
    assert found["nats"]["unaware - real"] == {"mean": 0.5, "interval": [0.5, 0.5]}
    density = found["measures"]["density"]
    assert density["difference"]["mean"] == -0.25 and density["distance"]["mean"] == 0.75
    assert density["others"]["mean"] == 0.5 and found["measures"]["arousal"]["distance"]["mean"] == 0


# --- a run


@pytest.fixture
def packs(tmp_path, monkeypatch) -> Path:
    """Twelve held-out duets of eight bars in a pack, one of which is no MIDI file."""
    folder = tmp_path / "data" / "packs" / "duets"
    folder.mkdir(parents=True)
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "split", "work_group"])
        for number in range(12):
            formats.save(duet(number), folder / f"{number}.mid")
            table.writerow([f"{number}.mid", ("test", "valid", "train")[number % 3], f"w{number}"])
    (folder / "0.mid").write_bytes(b"nothing")
    monkeypatch.setitem(_real.STYLES, "duets", _real.Style(("duets",)))
    return folder.parents[1]


def test_the_test_split_comes_first_and_training_music_never(packs):
    pieces = _stretches.held_out("duets", packs, 1)
    numbers = [int(piece.path.stem) % 3 for piece in pieces]
    assert numbers == [0] * 4 + [1] * 4
    assert [piece.path for piece in _stretches.held_out("duets", packs, 2)] != [piece.path for piece in pieces]


def test_bars_are_filled_and_a_killed_run_goes_on(packs, tiny, tmp_path, monkeypatch, capsys, quick):
    pytest.importorskip("sklearn")
    monkeypatch.setattr(_infill_report, "FEWEST", 3)
    seen, fill = [], _stretches.partimento.infill
    monkeypatch.setattr(
        _stretches.partimento, "infill", lambda score, *rest, **named: seen.append(score) or fill(score, *rest, **named)
    )
    path = tmp_path / "x.json"
    size = ["--styles", "duets", "--bars", "1", "--candidates", "1", "--model", str(tiny.pair), "--json", str(path)]
    run = [*size, "--pieces", "3", "--data", str(packs)]
    assert infill.main(run) == 0
    assert len(seen) == 3 and not any((one.notes["onset"] // BAR == 3).any() for one in seen)
    journal = tmp_path / "x.json.stretches.jsonl"
    lines, whole = journal.read_text().splitlines(), json.loads(path.read_text())
    assert len(lines) == 4 and whole["styles"]["duets"]["works"] == 3
    journal.write_text("\n".join(lines[:3]) + '\n{"name": "du')  # killed while it wrote
    infill.main(run)
    assert journal.read_text().splitlines() == lines
    infill.main([*size, "--report"])
    again = json.loads(path.read_text())
    assert again["styles"] == whole["styles"] and len(seen) == 4
    told = capsys.readouterr().out
    assert "0 could not be filled" in told and "control: copied" in told and "goal at most 60 %" in told
    with pytest.raises(SystemExit, match="name another --json"):
        infill.main([*run, "--seed", "2"])
