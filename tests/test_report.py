"""The log and the report of a run: every figure is there, nothing is fetched, nothing is lost when a run goes on."""

from __future__ import annotations

import csv
import importlib.util
import sys
from html.parser import HTMLParser

import pytest

from partimento.errors import MissingExtra
from partimento.training import curves
from partimento.training.curves import Line, Plot, svg, ticks
from partimento.training.logs import Log, read, tensorboard_writer
from partimento.training.loop import train

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("one_thread")

FIELDS = ("pitch", "duration")
ALONE = {"meta", "line", "circle", "polyline", "br"}  # elements without an end


class Page(HTMLParser):
    """Checks that elements are closed in order, and keeps the text and what is referred to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name in ("src", "href", "data", "srcset")]
        if tag not in ALONE:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def read_page(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


# --- the log


def test_a_log_that_goes_on_drops_what_came_after_the_checkpoint(tmp_path):
    log = Log(tmp_path, FIELDS, 0, 0)
    for step in (2, 4, 6):
        log.add({"step": step, "setbacks": 0, "train": 1 / step, "valid": None, "accuracy.pitch": 0.5})
    with (tmp_path / "log.csv").open("a") as file:
        file.write("7,0.1")  # the process was killed here
    Log(tmp_path, FIELDS, 4, 0).add({"step": 5, "setbacks": 0, "train": 0.25})
    assert [row["step"] for row in read(tmp_path)] == ["2", "4", "5"]
    Log(tmp_path, FIELDS, 4, 1).add({"step": 4, "setbacks": 1})  # set back: what went wrong stays in the log
    assert [(row["step"], row["setbacks"]) for row in read(tmp_path)] == [
        ("2", "0"),
        ("4", "0"),
        ("5", "0"),
        ("4", "1"),
    ]
    row = read(tmp_path)[0]
    assert (row["train"], row["valid"], row["accuracy.pitch"]) == ("0.5", "", "0.5")


def test_tensorboard_that_is_not_installed_is_an_install_line(tmp_path, monkeypatch, tiny):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtra, match=r"pip install 'partimento\[curves\]'"):
        tensorboard_writer()
    with pytest.raises(MissingExtra):
        next(train(tiny.music, tiny.plan(tensorboard=True), tmp_path))  # before anything is trained
    assert not (tmp_path / "last.safetensors").exists()


# --- curves


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0.31, 0.34, [0.31, 0.32, 0.33, 0.34]), (3, 3, [3])],
)
def test_an_axis_has_round_numbers(low, high, found):
    assert ticks(low, high) == pytest.approx(found)


def test_a_plot_draws_each_curve_within_its_frame_and_names_it():
    plot = Plot("Loss <nats>", "nats", [Line("a & b", [(0, 3.0), (50, 2.0), (100, 1.0)]), Line("c", [(100, 1.0)])], 50)
    drawn = svg(plot)
    page = read_page(drawn)
    assert "Loss <nats>" in page.words and "a & b" in page.words and "kept" in page.words
    points = [tuple(map(float, pair.split(","))) for pair in drawn.split('points="')[1].split('"')[0].split()]
    assert all(0 <= x <= curves.WIDTH and 0 <= y <= curves.HEIGHT for x, y in points)
    assert [x for x, _ in points] == sorted(x for x, _ in points) and points[0][1] < points[2][1]  # less is lower


# --- the report of a run


def test_a_run_leaves_a_report_a_log_curves_and_as_many_weights_as_it_was_told(tiny, tmp_path):
    folder = tmp_path / "a <run> & more"
    seen = list(train(tiny.music, tiny.plan(steps=40, every=4, keep=2), folder))
    page = read_page((folder / "report.html").read_text("utf-8"))
    words = " ".join(page.words)
    assert page.links == [] and "url(" not in words and "a <run> & more" in words
    health, said = seen[-1].health, seen[-1].said
    assert health["verdict"] in words and said[0] in words and "Accuracy of each field" in words
    if importlib.util.find_spec("matplotlib"):
        assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    else:
        assert not (folder / "curves.png").exists() and any("partimento[curves]" in line for line in seen[-1].said)
    rows = read(folder)
    assert [int(row["step"]) for row in rows if row["valid"]] == list(range(4, 41, 4))
    assert all(0 <= float(row[name]) <= 1 for row in rows if row["valid"] for name in row if name.startswith("accu"))
    assert float(rows[-1]["valid"]) == pytest.approx(seen[-1].valid, rel=1e-4)
    assert 2 <= len(list((folder / "checkpoints").iterdir())) <= 4
    assert f"{len(tiny.music.of('train')):,}" in words and "fingerprint" in words.lower()


def test_without_matplotlib_the_report_is_whole_and_the_missing_picture_is_said(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    last = list(train(tiny.music, tiny.plan(steps=4), tmp_path))[-1]
    assert any("matplotlib: pip install" in line for line in last.said)
    assert not (tmp_path / "curves.png").exists() and "<svg" in (tmp_path / "report.html").read_text("utf-8")


def test_the_log_is_plain_csv(tiny, tmp_path):
    list(train(tiny.music, tiny.plan(steps=4), tmp_path))
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert len({len(row) for row in rows}) == 1 and rows[0][:3] == ["step", "epoch", "setbacks"]
