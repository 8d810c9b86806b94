"""A folder of twelve small tunes and the small models trained on it, made once a session.

A test module says `pytest_plugins = ["tiny"]` and asks for the fixtures by name.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from partimento import api, cli, formats
from partimento.score import TICKS_PER_BEAT, Key, Metre, Score, Tempo, Track, note_array
from partimento.training.loop import TrainingPlan

MAJOR = (0, 2, 4, 5, 7, 9, 11)
# bars of 4/4: steps above the tonic with their lengths in eighths
FORMULAS = (
    ((0, 2), (1, 2), (2, 2), (0, 2)),
    ((4, 1), (3, 1), (2, 1), (1, 1), (0, 4)),
    ((2, 3), (3, 1), (4, 2), (2, 2)),
    ((4, 2), (5, 1), (4, 1), (3, 2), (2, 2)),
    ((7, 2), (5, 2), (4, 1), (3, 1), (2, 2)),
    ((1, 1), (2, 1), (3, 1), (1, 1), (4, 2), (4, 2)),
    ((5, 1), (7, 1), (6, 1), (5, 1), (4, 3), (2, 1)),
    ((2, 1), (0, 1), (2, 1), (4, 1), (7, 4)),
)
CADENCE = ((1, 2), (6, 2), (0, 4))
TONICS = (0, 7, 2, 5, 9, 10, 4, 3, 0, 7, 2, 5)
BARS = 8
SIZE = {"width": 16, "layers": 1, "heads": 2, "head_width": 16, "context": 256}
PLAN = {"batch": 4, "window": 48, "evaluations": 4, "save_seconds": 1e9}  # of a run that nothing interrupts


def tune(number: int) -> Score:
    """Eight bars in a major key: seven formulas, drawn by the tune's number, and a cadence."""
    chance, tonic, rows, now = random.Random(number), 60 + TONICS[number % len(TONICS)], [], 0
    bars = [chance.choice(FORMULAS) for _ in range(BARS - 1)] + [CADENCE]
    for bar in bars:
        for degree, eighths in bar:
            octave, step = divmod(degree, len(MAJOR))
            length = eighths * TICKS_PER_BEAT // 2
            rows.append((now, length, tonic + 12 * octave + MAJOR[step], 72 + 8 * (now % 96 == 0), 0))
            now += length
    return Score(
        note_array(rows), (Track("Tune", 0),), tempos=(Tempo(0, 100.0 + number),), metres=(Metre(0, 4, 4),),
        keys=(Key(0, tonic % 12),),
    )  # fmt: skip


def write_tunes(folder: Path, numbers=range(12)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        formats.save(tune(number), folder / f"tune{number:02}.mid")
    return folder


@dataclass
class Tiny:
    """The session's tunes, and models of them trained when they are first asked for."""

    root: Path
    made: dict = field(default_factory=dict)

    @property
    def tunes(self) -> Path:
        folder = self.root / "tunes"
        return folder if folder.exists() else write_tunes(folder)

    def request(self, output: Path, **changes) -> api.TrainingRequest:
        """What makes a small Transformer in ten steps, read in this process; `settings` are added to the small ones."""
        settings = {**PLAN, **SIZE, **changes.pop("settings", {})}
        known = {"steps": 10, "workers": 0, "folders": (self.tunes,), **changes}
        return api.TrainingRequest(output=output, settings=settings, **known)

    @property
    def music(self):
        """The tunes as a cache of the encoding `notes`."""
        if "music" not in self.made:
            self.made["music"] = api.prepare(self.request(self.root / "music" / "none.partimento"))
        return self.made["music"]

    def plan(self, **changes) -> TrainingPlan:
        """A training plan for `music`, of a small Transformer unless `family` and `options` say otherwise."""
        return TrainingPlan(**{"options": SIZE, "steps": 12, **PLAN, **changes})

    @property
    def model(self) -> Path:
        """A model file of forty steps: enough to prefer some notes to others."""
        path = self.root / "tiny.partimento"
        if not path.exists():
            for _ in api.train(self.request(path, steps=40)):
                pass
        return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Tiny:
    return Tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs `partimento ARGUMENTS` in this process: exit code, what it said, what it complained of.

    An error that `partimento` would show as a traceback is raised.
    """

    def run(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["partimento", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
            raise SystemExit(0)
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def process():
    """Starts `python ARGUMENTS` as a process of its own on one thread; killed at the end if it still runs."""
    started = []

    def start(*arguments, **options) -> subprocess.Popen:
        line = [sys.executable, "-W", "ignore", *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "200"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
        started.append(subprocess.Popen(line, **{**pipes, **options}))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()
