"""`partimento show` and `partimento convert` as a person runs them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from music import score_of
from partimento import formats
from partimento.cli import cli, convert, show
from partimento.formats import midi
from partimento.formats.overview import overview
from partimento.score import Key, Metre, Tempo, Track

TUNE = "C4 quarter, E4 quarter, G4 quarter, C5 quarter, C4 whole"


@pytest.fixture
def tune(tmp_path):
    path = tmp_path / "tune.mid"
    formats.save(score_of(TUNE, tracks=(Track("Geige", 40),), title="A tune"), path)
    return path


def partimento(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "partimento.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_show_says_what_a_musician_asks(tune):
    done = partimento("show", tune)
    assert done.returncode == 0, done.stderr
    for words in ("A tune", "2 bars, 0:04", "120 quarter", "4/4", "C major (found", "Geige (violin): 5 notes, C4-C5"):
        assert words in done.stdout
    assert "▄" in done.stdout and "\x1b" not in done.stdout


def test_show_without_the_roll(tune):
    done = CliRunner().invoke(cli, ["show", str(tune), "--no-roll"])
    assert done.exit_code == 0 and "▄" not in done.output


def test_convert_by_suffix(tune, tmp_path):
    for name in ("b.midi", "b.svg", "b.png"):
        done = CliRunner().invoke(cli, ["convert", str(tune), str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        assert (tmp_path / name).stat().st_size >= 100
    assert (tmp_path / "b.midi").read_bytes() == tune.read_bytes()


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("gone.mid", "b.mid", "there is no such file"),
        ("broken.mid", "b.mid", "stops inside a message at byte"),
        ("tune.mid", "b.doc", "cannot write '.doc'"),
        ("tune.mid", "no/b.mid", "there is no folder"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(tune, tmp_path, source, target, message):
    (tmp_path / "broken.mid").write_bytes(tune.read_bytes()[:-6])
    done = partimento("convert", tmp_path / source, tmp_path / target)
    assert done.returncode == 2 and message in done.stderr
    assert done.stderr.startswith("partimento: ") and done.stderr.count("\n") == 1


def test_options_that_do_not_belong_together_are_refused(tune, tmp_path):
    done = partimento("convert", tune, tmp_path / "b.mid", "--soundfont", "x.sf2")
    assert done.returncode == 2 and "no option 'soundfont'" in done.stderr


@pytest.mark.parametrize("command", [show.command, convert.command])
def test_help_has_examples(command):
    done = CliRunner().invoke(cli, [command.name, "--help"])
    assert f"\n    partimento {command.name} " in done.output


def test_the_overview_tells_changes():
    seen = overview(
        score_of(
            f"C4 quarter, {TUNE}, {TUNE}",
            upbeat=24,
            metres=(Metre(0, 4, 4), Metre(216, 2, 4)),
            tempos=(Tempo(0, 60), Tempo(216, 120)),
            keys=(Key(0, 7), Key(96, 7), Key(216, 2, "minor")),
        )
    )
    assert seen.metre == "4/4, then 2/4, upbeat of 1 quarter note"
    assert (seen.key, seen.bars) == ("G major, then D minor", 6)
    assert seen.tempo == "60 to 120 quarter notes a minute, 78.5 on average"


def test_the_overview_of_silence(tmp_path):
    assert overview(midi.from_bytes(midi.to_bytes(score_of("")))).seconds == 0
