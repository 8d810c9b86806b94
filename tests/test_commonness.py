"""Where the last layers of a model begin: at how common each class is in the music to learn."""

from __future__ import annotations

import math

import pytest
import torch

from music import score_of
from partimento import api, formats
from partimento.training.commonness import commonness
from partimento.training.loop import Run, TrainingPlan


@pytest.fixture
def chords(tmp_path):
    """Pieces of three C major chords to one of G major."""
    for number in range(6):
        words = ", ".join(["C4+E4+G4 quarter"] * 3 + ["G3+B3+D4 quarter"])
        formats.save(score_of(", ".join([words] * 4)), tmp_path / f"{number}.mid")
    request = api.TrainingRequest(
        (tmp_path,), tmp_path / "none.partimento", encoding="chords", work=tmp_path, workers=0
    )
    return api.prepare(request)


def first_loss(cache, folder, **options) -> tuple[Run, float]:
    plan = TrainingPlan(family="stack", options={"net": [["gru", 8]], **options}, steps=1, batch=2, window=8)
    run = Run(cache, plan, folder)
    logits = run.model.heads.leave["chord"].bias
    return run, float(logits.detach().std())


def test_a_last_layer_begins_at_the_frequency_of_each_class(chords, tmp_path, one_thread):
    run, _ = first_loss(chords, tmp_path)
    field = next(entry for entry in run.encoding.composed if entry.name == "chord")
    found = commonness(chords, field, run.encoding.columns["chord"])
    assert sum(map(math.exp, found.tolist())) == pytest.approx(1.0)
    first, second = sorted(found.tolist(), reverse=True)[:2]
    assert math.exp(first - second) == pytest.approx(12.5 / 4.5, rel=1e-4)  # of sixteen, half a chord added
    assert torch.equal(run.model.heads.leave["chord"].bias.detach(), torch.from_numpy(found))


def test_a_net_as_keras_has_it_begins_with_all_classes_alike(chords, tmp_path, one_thread):
    _, spread = first_loss(chords, tmp_path, biases=1)
    assert spread < 0.5
