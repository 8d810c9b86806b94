"""What ends or turns a training: a loss that goes crazy, a wish to stop, a budget that is spent."""

from __future__ import annotations

import json
import math
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from partimento.corpus import Cache, Piece
from partimento.errors import BadOption
from partimento.training import budget
from partimento.training.batches import Batches
from partimento.training.loop import TrainingPlan
from partimento.training.stopping import wishes
from partimento.training.watch import MOST_SETBACKS, STEADY, Watch, given_up, slowed


def watched(losses, **options) -> Watch:
    watch = Watch(**options)
    for loss in losses:
        watch.step(float(loss))
    return watch


def learning(steps: int) -> np.ndarray:
    """A loss that falls from 23 to 3 nats as losses do, with the noise of small batches."""
    rng = np.random.default_rng(0)
    return 3 + 20 * np.exp(-np.arange(steps) / 60) + rng.normal(0, 0.6, steps)


# --- a loss that goes crazy


def test_a_loss_that_falls_and_wobbles_is_left_alone():
    assert watched(learning(2000)).reason == ""


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_a_fault_at_once_and_stays_one(odd):
    watch = watched([5, 4, odd, 4, 4])
    assert watch.reason == f"the training loss is {odd}"


def test_a_jump_that_lasts_is_a_fault_and_one_odd_batch_is_none():
    steady = list(learning(400))
    assert watched([*steady, 400.0, *learning(400)[-50:]]).reason == ""
    assert watched([*steady, *[9.0] * (STEADY - 1)]).reason == ""
    assert "jumped from 3" in watched([*steady, *[9.0] * 3 * STEADY]).reason


def test_a_loss_that_leaves_chance_upwards_from_the_first_steps_on_is_a_fault():
    assert "jumped from 46" in watched([23, 60, 300, *[900.0] * 20]).reason


def test_a_climb_too_slow_to_be_a_jump_is_seen_at_the_evaluations():
    watch = Watch()
    for interval in range(12):
        mean = 4 * 1.12**interval
        for _ in range(50):
            watch.step(mean)
        watch.evaluation(mean, 50, None)
    assert "rose from 4" in watch.reason


def test_learning_by_heart_is_no_fault_but_a_held_out_loss_that_jumps_with_the_training_loss_is():
    by_heart, crazy = Watch(), Watch()
    for train, valid in ((4, 5), (2, 9), (1, 20)):
        by_heart.evaluation(train, 50, valid)
    for train, valid in ((4, 5), (4.5, 9)):
        crazy.evaluation(train, 50, valid)
    assert by_heart.reason == "" and crazy.reason == "the held-out loss jumped from 5 to 9"
    by_heart.evaluation(1, 50, math.nan)
    assert by_heart.reason == "the held-out loss is nan"


def test_the_loss_of_an_adversarial_family_may_go_where_it_likes_as_long_as_it_is_a_number():
    watch = watched([1, 1, *[50.0] * 100], is_plain=False)
    watch.evaluation(1, 50, 2)
    watch.evaluation(90, 50, 90)
    assert watch.reason == ""
    watch.step(math.nan)
    assert watch.reason


def test_a_watch_that_went_through_a_checkpoint_sees_what_an_undisturbed_one_sees():
    losses = [*learning(300), *[14.0] * 40]
    whole = watched(losses)
    for cut in (3, 60, 305, 339):
        broken = Watch(**json.loads(json.dumps(watched(losses[:cut]).as_dict())))
        for loss in losses[cut:]:
            broken.step(float(loss))
        assert broken == whole and broken.reason


def test_each_setback_halves_the_rate_and_giving_up_says_what_to_try():
    assert [slowed(n) for n in range(3)] == [1, 0.5, 0.25]
    said = str(
        given_up([{"at": 40, "reason": "the training loss is nan", "rate": 0.01}] * (MOST_SETBACKS + 1), "a", "b.")
    )
    assert "diverged 4 times" in said and "before step 40" in said and "--set rate=0.001" in said


# --- a wish to stop


def test_a_first_interrupt_is_noted_and_a_second_one_breaks_off():
    before = signal.getsignal(signal.SIGINT)
    with wishes() as wish:
        assert not wish.is_there
        signal.raise_signal(signal.SIGINT)
        assert wish.is_there
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_signals_are_left_as_they_are():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with wishes() as wish:
            seen.append((wish.is_there, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]


# --- a budget


def cache_of(*lengths: tuple[str, int, int]) -> Cache:
    """A cache of training pieces without their music: (style, steps, notes) of each."""
    pieces = [
        Piece(f"{n}.mid", style, "train", "", 0, steps + 1, 0, 0, notes)
        for n, (style, steps, notes) in enumerate(lengths)
    ]
    return Cache(Path(), {}, pieces, [], {}, {}, "", (), np.zeros((0, 1), np.int16), np.zeros(0, np.int32))


class Silent:
    """An encoding of which only the fields are asked."""

    def __init__(self) -> None:
        self.columns, self.given = {}, ()


def planned(cache: Cache, **asked) -> int:
    plan = TrainingPlan(batch=4, window=100, **asked)
    batches = Batches(cache, Silent(), split="train", size=4, window=100, seed=0)
    return budget.planned_steps(cache, batches, plan)


def test_an_epoch_is_as_many_windows_as_the_music_fills():
    cache = cache_of(("a", 250, 250), ("a", 100, 100), ("b", 1, 1))
    assert budget.windows_in(cache, 100) == 3 + 1 + 1
    assert planned(cache, epochs=8) == 10 and planned(cache, epochs=8, processes=2) == 5
    assert planned(cache, steps=7) == 7 and planned(cache) == 0


def test_notes_are_those_that_are_heard_styles_counting_as_they_are_drawn():
    cache = cache_of(("a", 100, 50), ("b", 200, 200))  # half the windows each, of 50 and of 100 notes
    assert planned(cache, notes=3000) == 3000 / (4 * 75)


def test_budgets_are_alternatives():
    with pytest.raises(BadOption, match="steps, epochs, notes are alternatives"):
        TrainingPlan(steps=3, epochs=2)


def test_minutes_leave_room_for_judging_but_never_more_than_half_of_them():
    assert budget.steps_for(10, 0.5, 0, 10) == 1140
    assert budget.steps_for(10, 0.5, 12, 10) == 900
    assert budget.steps_for(10, 0.5, 600, 10) == 570
    assert budget.steps_for(0.001, 60, 60, 10) == budget.FEWEST_STEPS
    assert budget.steps_for(10, 0.5, 5, 10, every=50) == 950
