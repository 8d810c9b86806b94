"""The benchmark of the notebooks' way of training: what it counts, what it trains, when a side is said to be there."""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from music import score_of
from partimento import formats, presets
from partimento.encodings import get_encoding
from partimento.errors import BadOption
from partimento.models import get_family
from partimento.models.base import parameter_count

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import classics


def curve(*points: tuple[float, float]) -> list[dict[str, float]]:
    return [{"seconds": at, "loss": loss, "epochs": at / 10, "scored": int(100 * at)} for at, loss in points]


def test_the_notebooks_network_has_its_parameters():
    model = classics.Notebook(512, 358)
    assert parameter_count(model) == presets.load("notebook-lstm").parameters == 5_474_406
    assert model(torch.zeros(2, 5, 1)).shape == (2, 358)
    assert not model.layers[0].bias_hh_l0.requires_grad and model.layers[0].bias_ih_l0[512:1024].eq(1).all()


def test_our_network_is_as_large_at_every_width():
    words = sorted(f"{letter}{octave}" for letter in "CDEFGAB" for octave in range(8))
    fields = get_encoding("events", words=words).fields
    options = presets.load("notebook-lstm").options
    for width in (32, 64):
        net = [[kind, *(classics._narrowed(size, width) for size in sizes)] for kind, *sizes in options["net"]]
        ours = get_family("stack")(fields, **options | {"net": net, "sees": 0, "last_only": False})
        assert parameter_count(ours) == parameter_count(classics.Notebook(width, len(words)))


def test_thresholds_part_the_classes_that_enter_as_one_number():
    words = sorted(f"{letter}{octave}" for letter in "CDEFGAB" for octave in range(8))
    fields = get_encoding("events", words=words).fields
    rows = torch.arange(len(words))[:, None, None]  # (56, 1, 1): every class, each alone

    @torch.no_grad()
    def parted(**options) -> float:
        torch.manual_seed(3)
        net = get_family("stack")(fields, net=[["lstm", 64]], inputs="scalar", biases=1, **options)
        heard = net._run(net.embedding(rows, rows))[:, 0]
        apart = torch.cdist(heard, heard)
        return float(apart[~torch.eye(len(words), dtype=torch.bool)].mean())

    assert parted(steep=60.0) > 5 * parted()
    with pytest.raises(BadOption, match="steep 5000"):
        parted(steep=5000)


def test_ctrl_c_ends_a_side_with_what_is_there():
    def run():
        yield {"epochs": 0.0, "scored": 0, "steps": 0}, lambda: 5.0, 7
        raise KeyboardInterrupt

    side = classics.followed("original", run(), classics.parsed(["--minutes", "1"]))
    assert [point["loss"] for point in side.curve] == [5.0] and side.parameters == 7


def test_events_words_and_windows_are_counted_as_the_notebooks_do(tmp_path):
    formats.save(score_of("C4 quarter, E4+G4 quarter, rest quarter, C4 quarter"), tmp_path / "a.mid")
    formats.save(score_of(", ".join(["C4 quarter, D4 quarter"] * 60)), tmp_path / "b.mid")
    found = classics.counted(tmp_path)
    assert found == {"files": 2, "events": 123, "words": 3, "windows": 23}  # C4, D4, 4.7; a rest is none
    assert classics.counted_line(found) == "2 files, 123 events, 3 words, 23 windows"


def test_the_time_to_a_loss_is_that_of_the_first_judgement_at_it():
    original = classics.Side("original", curve=curve((0, 5.0), (50, 4.5), (100, 4.0), (150, 4.2)))
    ours = classics.Side("ours", curve=curve((0, 5.1), (2, 4.4), (4, 3.9)))
    figures = classics.compared(original, ours)
    assert original.lowest == 4.0 and figures[-1]["loss"] == 4.0 and figures[-1]["times"] == pytest.approx(100 / 4)
    assert figures[1]["loss"] == 4.5 and figures[1]["times"] == pytest.approx(50 / 2)
    slow = classics.compared(original, classics.Side("ours", curve=curve((0, 5.1), (4, 4.6))))
    assert slow[-1]["ours"] is None and math.isnan(slow[-1]["times"])
    assert "not met by ours, 25 times" in classics.shown([original, ours], {"ours": figures})[-1]
    assert "ours did not come to the original's lowest" in classics.shown([original, ours], {"ours": slow})[-1]
    assert "goal, 50 times less time: met by it, 60 times" in f"goal, 50 times less time: {classics.met('it', 60.0)}"


def test_both_sides_train_and_are_judged_by_the_same_words(tmp_path, one_thread):
    folder = tmp_path / "long"
    folder.mkdir()
    for number in range(12):  # long enough to have a hundred words before some
        words = ", ".join(f"{'CDEFGAB'[(n * n + number) % 7]}4 quarter" for n in range(130))
        formats.save(score_of(words), folder / f"long{number:02}.mid")
    options = classics.parsed(["--pack", str(folder), "--width", "8", "--minutes", "0.01", "--our-minutes", "0.005"])
    music = classics.music_of(options, tmp_path)
    pieces = music.cache.of("valid")
    count = 0
    for number, places in music.places:
        words = classics.words_of(music.cache, pieces[number])
        for at in places:
            assert music.targets[count] == words[at]
            assert np.array_equal(music.windows[count], words[at - classics.WINDOW : at])
            count += 1
    assert count == len(music.targets) > 0
    ours = [classics.ours(music, options, tmp_path, name) for name in classics.SIDES]
    for run in (classics.original(music, options), *ours):
        taken = list(itertools.islice(run, 3))
        losses = [judge() for _, judge, _ in taken]
        assert taken[0][0]["scored"] == 0 and taken[2][0]["scored"] > taken[1][0]["scored"] > 0
        assert all(abs(loss - math.log(music.size)) < 1.0 for loss in losses)  # near chance, in nats
