"""A folder of twelve small tunes and the small models trained on it, made once a session.

A test module says `pytest_plugins = ["tiny"]` and asks for the fixtures by name.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from partimento import api, cli, formats
from partimento.training.loop import TrainingPlan
from tunes import duet, tune

SIZE = {"width": 16, "layers": 1, "heads": 2, "head_width": 16, "context": 256}
PLAN = {"batch": 4, "window": 48, "evaluations": 4, "save_seconds": 1e9}  # of a run that nothing interrupts


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
    def duets(self) -> Path:
        folder = self.root / "duets"
        if not folder.exists():
            folder.mkdir()
            for number in range(12):
                formats.save(duet(number), folder / f"duet{number:02}.mid")
        return folder

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

    @property
    def pair(self) -> Path:
        """A model of two styles: "tunes" in one part, "duets" in two."""
        path = self.root / "pair.partimento"
        if not path.exists():
            for _ in api.train(self.request(path, steps=40, folders=(self.tunes, self.duets))):
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
