"""A studio in a process of its own and a browser that visits it; what tests and benchmarks of the page drive."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = os.environ.get("PARTIMENTO_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
FLAGS = ["--no-sandbox", "--mute-audio"]
PATIENCE = 60  # seconds; machines that test are busy


@contextmanager
def studio(folder: Path, *, workers: int = 1) -> Iterator[str]:
    """The address of a studio that is ready to compose and keeps its music in `folder`."""
    command = [sys.executable, "-m", "partimento.cli", "studio", "--port", "0", "--no-browser"]
    command += ["--workers", str(workers), "--folder", str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment) as run:
        try:
            assert run.stdout is not None
            told = next((line for line in run.stdout if "http://" in line), "")
            found = re.search(r"http://[\d.]+:\d+/", told)
            assert found, f"the studio did not start: {told}"
            wait_until(lambda: is_ready(found[0]), "the studio is ready")
            yield found[0]
        finally:
            run.terminate()
            run.wait(20)


def is_ready(address: str) -> bool:
    try:
        with urlopen(f"{address}api/status") as answer:
            return json.load(answer)["ready"]
    except URLError:  # it says where it will be before it listens
        return False


class Visit:
    """A tab with the studio in it, and what went wrong in it."""

    def __init__(self, browser, address: str, **options):
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        self.page = self.context.new_page()
        self.hosts: set[str] = set()
        self.mistakes: list[str] = []
        self.page.on("pageerror", lambda error: self.mistakes.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.goto(address)
        self.page.wait_for_selector("body[data-ready]", timeout=PATIENCE * 1000)

    def value(self, expression: str):
        """What a JavaScript expression is; `studio` is what the page holds. (Its CSP forbids wait_for_function.)"""
        return self.page.evaluate(f"(() => {{ const {{ studio }} = window; return {expression}; }})()")

    def until(self, expression: str) -> None:
        wait_until(lambda: self.value(expression), expression)

    def compose(self, *, bars: int = 4, candidates: int = 1) -> None:
        self.page.fill("#ask-bars", str(bars))
        self.value(f"studio.ask.candidates.value = {candidates}")
        self.page.click("#compose")

    def finished(self) -> str:
        """The id of the piece on the desk once nothing is being composed."""
        self.until("studio.session.job === null && studio.desk.piece?.id && studio.desk.versions.length")
        return self.value("studio.desk.piece.id")

    def notes(self) -> list:
        return self.value("studio.desk.piece.notes.map((n) => [n.track, n.onset, n.duration, n.pitch])")

    def toast(self) -> str:
        self.page.wait_for_selector(".toast", timeout=PATIENCE * 1000)
        return self.page.locator(".toast").last.inner_text()


def wait_until(holds: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(0.03)
    raise AssertionError(f"never: {what}")
