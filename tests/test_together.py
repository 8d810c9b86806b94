"""Training in several processes: gradients are the mean, a run goes on to the same weights, nothing is left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from partimento.encodings import get_encoding
from partimento.training import together
from partimento.training.batches import Batches
from partimento.training.loop import train
from partimento.training.watch import Diverged

pytest_plugins = ["tiny"]

pytestmark = pytest.mark.usefixtures("one_thread")


def gradients_of(rank: int) -> list[torch.Tensor]:
    """Two parameters with the gradients that process `rank` finds for them, and one that none has any for."""
    weights = [torch.zeros(2, 3), torch.zeros(4), torch.zeros(5)]
    weights[0].grad = torch.full((2, 3), float(rank))
    weights[1].grad = torch.arange(4.0) * (rank + 1)
    return weights


def take_part() -> None:
    """What another process does: it averages once, and checks what it was given."""
    rank, size = together.rank_and_size()
    weights = gradients_of(rank)
    together.average_gradients(weights)
    assert (rank, size) == (1, 2) and weights[0].grad.unique().tolist() == [0.5]
    together.average_gradients(weights)  # which the first process waits for


class Fatal:
    """What cannot be handed to another process: it ends there."""

    def __reduce__(self):
        return os._exit, (3,)


def left_over(folder) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith("meeting")]


def test_alone_gradients_stay_as_they_are():
    weights = gradients_of(3)
    together.average_gradients(weights)
    assert together.rank_and_size() == (0, 1) and weights[0].grad.unique().tolist() == [3.0]


def test_each_process_gets_the_mean_of_all_gradients_and_the_meeting_leaves_no_file(tmp_path):
    (tmp_path / "meeting-of-a-run-that-was-killed").write_bytes(b"")
    weights = gradients_of(0)
    with together.Followers(take_part, (), tmp_path, 2) as others:
        assert len(left_over(tmp_path)) == 1 and together.rank_and_size() == (0, 2)
        together.average_gradients(weights)
        assert weights[0].grad.tolist() == [[0.5] * 3] * 2 and weights[2].grad is None
        assert weights[1].grad.tolist() == [0.0, 1.5, 3.0, 4.5]
        together.average_gradients(weights)
    assert left_over(tmp_path) == [] and together.rank_and_size() == (0, 1)
    assert [process.exitcode for process in others.processes] == [0]


def test_a_process_that_cannot_begin_is_a_sentence(tmp_path):
    with pytest.raises(together.Gone, match=r"ended before it began.*__main__"):
        together.Followers(Fatal(), (), tmp_path, 2).__enter__()
    assert left_over(tmp_path) == [] and together.rank_and_size() == (0, 1)


def same_bits(one, other) -> bool:
    first, second = load_file(one), load_file(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_of_two_processes_goes_on_to_the_same_weights_after_one_of_them_was_killed(tiny, tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    plan = tiny.plan(steps=12, evaluations=3, processes=2)
    with pytest.raises(together.Gone, match=r"another process .* is gone .* from the last checkpoint"):
        for at in train(tiny.music, plan, killed):
            if at.step == 6:
                (other,) = multiprocessing.active_children()
                os.kill(other.pid, signal.SIGKILL)
    assert left_over(killed) == [] and multiprocessing.active_children() == []
    assert [at.step for at in train(tiny.music, plan, killed)] == [5, 6, 7, 8, 9, 10, 11, 12]  # from a checkpoint at 4
    assert [at.step for at in train(tiny.music, plan, whole)][-1] == 12
    for name in ("last.safetensors", "best.safetensors"):
        assert same_bits(killed / name, whole / name)
    assert list(train(tiny.music, plan, whole)) == [] and left_over(whole) == []


def test_two_processes_time_their_steps_and_are_set_back_together(tiny, tmp_path):
    plan = tiny.plan(steps=0, minutes=0.01, processes=2, rate=10.0)
    with pytest.raises(Diverged, match="diverged 4 times"):  # and not that one has lost the other
        list(train(tiny.music, plan, tmp_path))
    assert left_over(tmp_path) == [] and multiprocessing.active_children() == []


def test_two_processes_learn_from_other_windows_than_one(tiny):
    steps = {rank: batches_of(tiny).at(3, rank)["steps"] for rank in (0, 1)}
    assert steps[0].shape != steps[1].shape or not torch.equal(steps[0], steps[1])
    assert torch.equal(batches_of(tiny).at(3, 1)["steps"], steps[1])


def batches_of(tiny) -> Batches:
    return Batches(tiny.music, get_encoding(**tiny.music.spec), split="train", size=4, window=64, seed=3)
