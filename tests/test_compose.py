"""Composing as a user meets it: what is asked for is what comes, and what cannot be done is said in a line."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys

import click
import pytest

from partimento import api, cli, formats, styles
from partimento.errors import BadOption, ModelError, PartimentoError, UnknownName
from partimento.formats.midi import from_bytes, to_bytes
from partimento.score import Metre, Tempo
from partimento.theory import key_name, key_of
from partimento.timing import Clock, duration_seconds

pytest_plugins = ["tiny"]
SHIPPED = ("chorale", "folk")
STYLES = ("tunes", *SHIPPED)
BARS = (1, 2, 7, 16, 33)
PATIENCE = 60.0  # seconds to wait for another process on a busy machine


@pytest.fixture
def compose(tiny):
    """`api.compose` of one candidate unless more are asked for, by style; "tunes" is that of the small model."""

    def run(style: str, **asked):
        if style != "tunes" and style not in styles.shipped():
            pytest.skip(f"the style {style} is not shipped here")
        model = {"model": tiny.model} if style == "tunes" else {}
        return api.compose(style, **{"candidates": 1, **model, **asked})

    return run


def bars_of(score) -> int:
    """Full bars, the upbeat not counted."""
    return len(Clock(score).bars) - bool(score.upbeat)


# --- what is asked for is what comes


@pytest.mark.parametrize("bars", BARS)
@pytest.mark.parametrize("style", STYLES)
def test_a_piece_has_exactly_the_bars_asked_for(compose, style, bars):
    for seed in range(2 if bars < 10 else 1):
        score = compose(style, bars=bars, seed=seed)
        assert bars_of(score) == bars
        saved = from_bytes(to_bytes(score))
        assert (bars_of(saved), saved.upbeat, saved.metres) == (bars, score.upbeat, score.metres)


def test_a_piece_is_16_bars_long_if_nothing_is_asked(compose):
    assert bars_of(compose("tunes")) == 16


@pytest.mark.parametrize("seconds", [12, 30, 75])
@pytest.mark.parametrize("style", STYLES)
def test_a_piece_lasts_the_seconds_asked_for(compose, style, seconds):
    score = compose(style, seconds=seconds, seed=seconds)
    clock = Clock(score)
    assert abs(clock.seconds(clock.bars[-1].end) / seconds - 1) < 0.02
    last_bar = clock.seconds(clock.bars[-1].end) - clock.seconds(clock.bars[-1].start)
    assert seconds - last_bar < duration_seconds(score) < 1.02 * seconds


def test_a_piece_lasts_the_seconds_asked_for_when_it_is_played_too(compose):
    score = compose("tunes", seconds=20, seed=3)
    played = api.express(score)
    assert len(played.tempos) > len(score.tempos)
    assert duration_seconds(played) == pytest.approx(duration_seconds(score), rel=1e-3)


def test_with_a_tempo_given_seconds_are_met_to_the_nearest_bar(compose):
    score = compose("tunes", seconds=20, tempo=100)
    assert score.tempos == (Tempo(0, 100.0),) and bars_of(score) == round(20 / 2.4)


@pytest.mark.parametrize("style", SHIPPED)
def test_the_key_asked_for_is_heard(compose, style):
    asked = ((2, "major"), (7, "major"), (9, "minor"), (4, "minor"))
    right = 0
    for seed in range(8):
        tonic, mode = asked[seed % 4]
        score = compose(style, key=key_name(tonic, mode), seed=seed, bars=8, candidates=4)
        found = key_of(score)
        right += (found.tonic, found.mode) == (tonic, mode)
        assert (score.keys[0].tonic, score.keys[0].mode) == (tonic, mode)
    assert right >= 6


@pytest.mark.parametrize(
    ("style", "metre"), [("folk", "6/8"), ("folk", "3/4"), ("chorale", "3/4"), ("tunes", "5/4"), ("tunes", "2/2")]
)
def test_the_metre_asked_for_is_kept(compose, style, metre):
    score = compose(style, metre=metre, bars=6, seed=2)
    numerator, denominator = map(int, metre.split("/"))
    assert score.metres == (Metre(0, numerator, denominator),) and bars_of(score) == 6
    assert Clock(score).bars[-1].end - score.upbeat == 6 * 96 * numerator // denominator


def test_upbeats_are_those_of_the_style_and_begin_with_a_note(compose):
    found = [compose("folk", bars=4, metre="6/8", seed=seed) for seed in range(10)]
    upbeats = {score.upbeat for score in found}
    profile = styles.described(styles.find("folk"))["styles"]["folk"]
    known = {kind[2] for kind, _ in profile["metres"] if kind[:2] == [6, 8]}
    assert len(upbeats) > 1 and upbeats <= known
    assert all(score.notes["onset"].min() == 0 for score in found)


def test_a_style_without_upbeats_composes_none(compose, tiny):
    profile = styles.described(tiny.model)["styles"]["tunes"]
    assert {kind[2] for kind, _ in profile["metres"]} == {0}
    assert {compose("tunes", bars=2, seed=seed).upbeat for seed in range(4)} == {0}


def test_the_tempo_asked_for_is_kept(compose):
    assert compose("tunes", tempo=97, bars=1).tempos == (Tempo(0, 97.0),)
    assert from_bytes(to_bytes(compose("folk", tempo=97, bars=1))).tempos[0].bpm == pytest.approx(97, abs=0.01)


def test_instruments_play_the_parts_in_order(compose):
    assert [track.program for track in compose("folk", bars=2, instruments=(73,)).tracks] == [73]
    for asked in ((40, 40, 41, 42), (19, 32), (0, 0, 0, 0, 0)):  # as many, fewer: parts joined; more: parts doubled
        score = compose("chorale", bars=2, instruments=asked)
        assert [track.program for track in score.tracks] == list(asked)
        assert set(score.notes["track"].tolist()) == set(range(len(asked)))


@pytest.mark.parametrize("sixteenths", [1, 16, 37])
@pytest.mark.parametrize("style", ["tunes", "chorale"])
def test_a_piece_is_as_many_sixteenths_long_as_asked_for(compose, style, sixteenths):
    assert compose(style, sixteenths=sixteenths, seed=2).end == sixteenths * 6


def test_excitement_sets_the_tempo_unless_one_is_asked_for(compose):
    calm, middle, lively = (compose("tunes", bars=1, excitement=level).tempos[0].bpm for level in (1, 5.5, 10))
    assert (calm / middle, lively / middle) == pytest.approx((0.72, 1.35))
    assert compose("tunes", bars=1, excitement=10, tempo=90).tempos[0].bpm == 90


def test_happier_pieces_are_more_often_in_major(compose):
    major = [
        sum(compose("romantic-piano", bars=1, happiness=level, seed=seed).keys[0].mode == "major" for seed in range(8))
        for level in (1, 10)
    ]
    assert major[0] < major[1]


def test_a_curve_reaches_the_bars_that_it_names(compose):
    line = compose("tunes", bars=4, happiness="2->8", seed=1)
    assert line == compose("tunes", bars=4, happiness="1:2,4:8", seed=1)
    assert line != compose("tunes", bars=4, happiness="1:8,4:2", seed=1)


def test_controls_are_measured_on_every_piece_and_missed_only_where_asked(tiny):
    (found,) = api.compose_candidates("tunes", model=tiny.model, bars=4, candidates=1, complexity=0.5)
    assert set(found.obtained) == {"happiness", "excitement", "complexity", "density"}
    assert set(found.errors) == {"complexity"} and 0 <= found.errors["complexity"] <= 1
    assert 1 <= found.obtained["happiness"] <= 10 and 0 <= found.obtained["density"] <= 1


def test_a_piece_between_two_styles_is_neither(compose, tiny):
    def mixed(style):
        asked = {"bars": 8, "key": "C", "metre": "4/4", "tempo": 90, "form": False, "instruments": (0,)}
        return api.compose(style, model=tiny.pair, candidates=1, seed=4, **asked).notes.tobytes()

    assert len({mixed(style) for style in ("tunes", "duets:0.5,tunes:0.6", "tunes:0.5,duets:0.6")}) == 3
    assert mixed("tunes:1") == mixed("tunes")


def test_a_piece_that_stays_open_is_another(compose):
    closed, left_open = (compose("tunes", bars=4, seed=6, key="C", ending=ending) for ending in (True, False))
    last = closed.notes[closed.notes["onset"] == closed.notes["onset"].max()]
    assert int(last["pitch"].min()) % 12 == 0 and closed != left_open


# --- chance


@pytest.mark.parametrize("style", STYLES)
def test_the_same_seed_gives_the_same_file_and_others_others(compose, style):
    files = [to_bytes(compose(style, bars=4, seed=seed)) for seed in range(5)]
    assert to_bytes(compose(style, bars=4, seed=3)) == files[3]
    assert len({compose(style, bars=4, seed=seed).notes.tobytes() for seed in range(5)}) == 5


def test_temperature_0_is_the_same_at_every_seed(compose):
    asked = {"bars": 2, "key": "C", "metre": "4/4", "form": False, "sampling": api.Sampling(temperature=0)}
    asked["tempo"] = 100
    assert len({compose("tunes", seed=seed, **asked).notes.tobytes() for seed in range(3)}) == 1


@pytest.mark.parametrize("style", SHIPPED)
def test_candidates_come_with_those_in_key_and_the_most_typical_first(compose, style):
    found = api.compose_candidates(style, bars=4, seed=2, candidates=5)
    marks = [one.worth for one in found]
    assert marks == sorted(marks, reverse=True) and len(set(marks)) > 1
    assert all(0 <= one.typicality <= 1 and one.parallels >= 0 for one in found)
    for one in found:
        heard, said = key_of(one.score), one.score.keys[0]
        assert one.in_key == ((heard.tonic, heard.mode) == (said.tonic, said.mode))
    assert [one.score.recipe["rank"] for one in found] == [0, 1, 2, 3, 4]
    assert compose(style, bars=4, seed=2, candidates=5) == found[0].score


def test_the_recipe_is_in_the_file_and_makes_the_piece_again(compose, tmp_path):
    score = compose("chorale", bars=3, key="D minor", tempo=88, seed=12, candidates=2)
    formats.save(score, tmp_path / "a.mid")
    recipe = formats.load(tmp_path / "a.mid").recipe
    assert recipe == json.loads(json.dumps(score.recipe))
    expected = {"style": "chorale", "bars": 3, "tempo": 88, "seed": 12, "candidates": 2, "key": [2, "minor"]}
    assert (recipe["verb"], recipe["rank"], len(recipe["model"])) == ("compose", 0, 12) and recipe["asked"] == expected
    again = {name: recipe["asked"][name] for name in ("bars", "tempo", "seed", "candidates")}
    assert compose("chorale", key=tuple(recipe["asked"]["key"]), **again) == score
    assert api.reproduce(recipe) == score


# --- what cannot be done


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"style": "polka"}, UnknownName),
        ({"key": "H minor"}, BadOption),
        ({"metre": "4/5"}, BadOption),
        ({"metre": "0/4"}, BadOption),
        ({"metre": (4, 5)}, PartimentoError),
        ({"metre": (0, 4)}, PartimentoError),
        ({"key": (2, "lydian")}, BadOption),
        ({"bars": 0}, BadOption),
        ({"bars": 2, "seconds": 3}, BadOption),
        ({"instruments": (200,)}, BadOption),
        ({"model": "nowhere.partimento"}, ModelError),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused_by_the_api(asked, error):
    with pytest.raises(error):
        api.compose(**{"style": "folk", "bars": 1, **asked})


def refused(command, *arguments) -> str:
    """The line with which a command ends in exit code 2; click's own begins with its usage."""
    code, said, complaint = command(*arguments)
    assert code == 2 and said == "" and "Traceback" not in complaint
    lines = complaint.strip().splitlines()
    assert (len(lines) == 1 and lines[0].startswith("partimento: ")) or lines[0].startswith("Usage: "), complaint
    return lines[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--style polka", "no style 'polka'; there are .*chorale"),
        ("--key H", "no key 'H'"),
        ("--metre 4/5", "no metre '4/5'"),
        ("--metre waltz", "no metre 'waltz'"),
        ("--bars 0", "bars 0 is out of range"),
        ("--bars -4", "bars -4 is out of range"),
        ("--bars many", "invalid value for '--bars'"),
        ("--bars 4 --seconds 10", "bars, seconds and sixteenths are alternatives"),
        ("--seconds 0", "seconds 0 is out of range"),
        ("--tempo 0", "tempo 0 is out of range"),
        ("--temperature -1", "temperature -1"),
        ("--candidates 0", "candidates 0"),
        ("--seed -1", "seed -1"),
        ("--instrument kazoophone", "no instrument 'kazoophone'"),
        ("-o piece.mp5", "piece.mp5.*there are .mid"),
        ("-o piece", "piece.*there are .mid"),
        ("-o nowhere/piece.mid", "nowhere/piece.mid|nowhere"),
        ("-o file.txt/piece.mid", "file.txt"),
        ("-o .", "a folder, not a file"),
        ("--model nowhere.partimento", "nowhere.partimento: there is no such model file"),
        ("--model file.txt", "file.txt: not a model file"),
        ("--model .", "not a model file"),
        ("--colour red", "no such option"),
        ("--ask -o a.mid", "--ask asks what file to write"),
        ("--kind score -o piece.gif", "piece.gif"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_exit_code_2(command, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("no model")
    line = refused(
        command, "compose", *([] if "--bars" in words or "--sec" in words else ["--bars", 1]), *words.split()
    )
    assert re.search(said, line), line
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


# --- the command


def test_the_command_alone_writes_a_piece_here(process, tmp_path):
    running = process("-m", "partimento.cli", "compose", cwd=tmp_path)
    said, complaint = running.communicate(timeout=PATIENCE)
    assert running.returncode == 0 and complaint == ""
    (piece,) = tmp_path.iterdir()
    seed = int(re.fullmatch(rf"{api.DEFAULT_STYLE}-(\d+)\.mid", piece.name)[1])
    assert said.strip().endswith(f"wrote {piece.name}") and f"seed {seed}: 16 bars" in said
    assert piece.read_bytes() == to_bytes(api.express(api.compose(seed=seed)))  # another process, the same piece


def test_an_error_in_the_command_is_a_line_and_no_traceback(process, tmp_path):
    running = process("-m", "partimento.cli", "compose", "--style", "polka", cwd=tmp_path)
    said, complaint = running.communicate(timeout=PATIENCE)
    assert (running.returncode, said) == (2, "") and complaint.startswith("partimento: no style 'polka'")
    assert complaint.count("\n") == 1


def test_composing_needs_no_torch(process, tmp_path):
    code = (
        "import sys; sys.modules['torch'] = sys.modules['safetensors'] = sys.modules['onnx'] = None\n"
        "from partimento import api, formats\n"
        "formats.save(api.compose('folk', bars=2, seed=1), 'a.mid')"
    )
    running = process("-c", code, cwd=tmp_path)
    _, complaint = running.communicate(timeout=PATIENCE)
    assert running.returncode == 0, complaint
    assert bars_of(formats.load(tmp_path / "a.mid")) == 2


def test_the_command_plays_what_it_is_told_to(command, tmp_path):
    target = tmp_path / "a.mid"
    words = "--style folk --seed 4 --bars 3 --instrument Flute --key Am --metre 6/8 --tempo 140 --no-roll"
    code, said, complaint = command("compose", *shlex.split(words), "-o", target, "-o", tmp_path / "a.musicxml")
    assert code == 0 and complaint == "" and (tmp_path / "a.musicxml").exists()
    score = formats.load(target)
    assert [track.program for track in score.tracks] == [73] and score.metres == (Metre(0, 6, 8),)
    assert (bars_of(score), key_name(score.keys[0].tonic, score.keys[0].mode)) == (3, "A minor")
    assert re.search("folk, seed 4: 3 bars.* of 6/8.* in A minor, 140 quarter notes a minute", said)


def test_a_model_of_ones_own_composes(command, tiny, tmp_path):
    code, said, _ = command("compose", "--model", tiny.model, "--seed", 1, "--bars", 2, "-o", tmp_path / "a.mid")
    assert code == 0 and re.search("tunes, seed 1: 2 bars.* of 4/4", said)
    assert "there are tunes" in refused(command, "compose", "--model", tiny.model, "--style", "folk")


def test_styles_are_listed_with_what_they_learnt_from(command):
    code, said, _ = command("styles")
    assert code == 0
    for style in styles.shipped():
        assert re.search(rf"^{style} +\d+ pieces, ", said, re.MULTILINE)
    code, said, _ = command("styles", "--json")
    assert code == 0 and {row["style"] for row in json.loads(said)} == set(styles.shipped())


# --- help


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], click.Command]:
    """Every verb by its words, those of a group below it."""
    found = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        verb = group.get_command(context, name)
        found |= leaves(verb, (*path, name)) if isinstance(verb, click.Group) else {(*path, name): verb}
    return found


VERBS = leaves(cli.cli)


def test_help_names_every_verb(command):
    code, said, _ = command("--help")
    assert code == 0 and {"compose", "train", "styles"} <= {path[0] for path in VERBS}
    assert all(re.search(rf"^  {path[0]} +\S", said, re.MULTILINE) for path in VERBS)
    assert re.search(r"version \d+\.\d+", command("--version")[1])


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_help_of_each_verb_has_examples_that_the_verb_understands(command, path):
    for flag in ("--help", "-h"):
        code, said, complaint = command(*path, flag)
        assert (code, complaint) == (0, "") and "Examples:" in said
    examples = re.findall(rf"^ +partimento ({' '.join(path)}.*)$", VERBS[path].help or "", re.MULTILINE)
    assert examples
    for example in examples:
        words = shlex.split(example)[len(path) :]
        with VERBS[path].make_context(" ".join(path), words) as context:  # parses, and raises where it cannot
            assert not context.args


def test_training_without_torch_says_what_to_install(tmp_path):
    code = "import sys; sys.modules['torch'] = None; from partimento.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "train", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2 and "pip install torch" in done.stderr and "Traceback" not in done.stderr


def test_what_would_be_passed_over_in_silence_is_said(compose, command, tmp_path):
    with pytest.raises(BadOption, match=r"no option 'colour'; there are .*happiness"):
        compose("tunes", bars=2, colour="red")
    code, _, said = command("compose", "--kind", "score", "-o", tmp_path / "a.mid")
    assert code == 2 and "--kind score is for pictures" in said
