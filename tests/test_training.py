"""Training: a killed run goes on to the same weights, what cannot be trained on is said, batches keep their word."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from partimento import api, model_file
from partimento.encodings import get_encoding
from partimento.errors import BadOption, ModelError
from partimento.training import export
from partimento.training.batches import DROP_ALL, DROP_ONE, Batches
from partimento.training.loop import train
from partimento.training.weights import load_composer

pytest_plugins = ["tiny"]
SIZE = {"width": 16, "layers": 1, "heads": 2, "head_width": 16, "context": 256}
RECURRENT = {"cell": "gru", "width": 16, "layers": 1, "head_width": 16}
PATIENCE = 60.0  # seconds to wait for another process on a busy machine


pytestmark = pytest.mark.usefixtures("one_thread")


def same_bits(one, other) -> bool:
    """Whether two checkpoints hold the same tensors, bit by bit: weights, averages and moments."""
    first, second = load_file(one), load_file(other)
    assert first.keys() == second.keys() and len(first) > 20
    return all(torch.equal(first[name], second[name]) for name in first)


def state_of(checkpoint) -> dict:
    with safe_open(checkpoint, framework="pt") as handle:
        return json.loads(handle.metadata()["state"])


def step_of(checkpoint) -> int:
    return state_of(checkpoint)["step"] if checkpoint.exists() else 0


def run_through(cache, plan, folder) -> list:
    return list(train(cache, plan, folder))


# --- killed and started again


def test_a_training_killed_with_signal_9_and_started_again_ends_with_the_same_weights(tiny, process, tmp_path):
    settings = {**SIZE, "batch": 4, "window": 48, "evaluations": 5, "save_seconds": 0}
    output, words = tmp_path / "killed.partimento", [f"--set={name}={value}" for name, value in settings.items()]
    line = ["-m", "partimento.cli", "train", tiny.tunes, "-o", output, "--steps", 40, "--workers", 0, *words]
    last, running = tmp_path / "killed.partimento.run" / "last.safetensors", process(*line)
    deadline = time.monotonic() + PATIENCE
    while step_of(last) < 11 and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    assert running.wait(PATIENCE) == -signal.SIGKILL
    assert 11 <= step_of(last) < 40 and not output.exists()
    again = process(*line)
    list(api.train(tiny.request(tmp_path / "whole.partimento", steps=40, settings=settings)))
    said, complaint = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0 and "wrote" in said, complaint
    for name in ("last", "best"):
        assert same_bits(*(tmp_path / f"{run}.partimento.run" / f"{name}.safetensors" for run in ("killed", "whole")))
    weights = [
        model_file.read(tmp_path / f"{run}.partimento", also=(export.WEIGHTS,))[1] for run in ("killed", "whole")
    ]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_recurrent_training_broken_off_between_two_checkpoints_ends_with_the_same_weights(tiny, tmp_path, cell):
    plan = tiny.plan(family="recurrent", options={**RECURRENT, "cell": cell}, steps=16, evaluations=2)
    run_through(tiny.music, plan, tmp_path / "whole")
    broken = train(tiny.music, plan, tmp_path / "broken")
    for at in broken:
        if at.step > 9:
            break
    broken.close()
    assert at.step > step_of(tmp_path / "broken" / "last.safetensors") == 8  # what came after is lost, and drawn again
    assert next(iter(train(tiny.music, plan, tmp_path / "broken"))).step < at.step + 2
    run_through(tiny.music, plan, tmp_path / "broken")
    for name in ("last", "best"):
        assert same_bits(tmp_path / "whole" / f"{name}.safetensors", tmp_path / "broken" / f"{name}.safetensors")
    assert json.loads((tmp_path / "whole" / "history.json").read_text()) == json.loads(
        (tmp_path / "broken" / "history.json").read_text()
    )


def test_a_training_that_is_over_is_not_trained_further(tiny, tmp_path):
    run_through(tiny.music, tiny.plan(), tmp_path)
    before = (tmp_path / "last.safetensors").read_bytes()
    assert run_through(tiny.music, tiny.plan(), tmp_path) == []
    assert (tmp_path / "last.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"rate": 1e-3},
        {"options": {**SIZE, "width": 32}},
        {"options": {**SIZE, "layers": 2}},
        {"family": "recurrent", "options": RECURRENT},
    ],
    ids=["seed", "rate", "width", "layers", "family"],
)
def test_another_plan_in_the_same_folder_is_refused(tiny, tmp_path, other):
    run_through(tiny.music, tiny.plan(steps=2), tmp_path)
    with pytest.raises(BadOption, match=f"{tmp_path}: holds a run of other music or options; give another folder"):
        run_through(tiny.music, tiny.plan(steps=2, **other), tmp_path)


def test_other_music_in_the_same_folder_is_refused(tiny, tmp_path):
    run_through(tiny.music, tiny.plan(steps=2), tmp_path)
    fewer = sorted(tiny.tunes.iterdir())[:9]
    other = api.prepare(tiny.request(tmp_path / "other.partimento", folders=tuple(fewer)))
    with pytest.raises(BadOption, match="other music"):
        run_through(other, tiny.plan(steps=2), tmp_path)


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def emptied(data: bytes) -> bytes:
    return b""


def with_another_header(data: bytes) -> bytes:
    return data[:8] + b"[" + data[9:]


def without_its_averages(data: bytes) -> bytes:
    return data.replace(b'"average.', b'"overage.')


@pytest.mark.parametrize("harm", [truncated, emptied, with_another_header, without_its_averages])
def test_a_damaged_checkpoint_is_named(tiny, tmp_path, harm):
    run_through(tiny.music, tiny.plan(steps=2), tmp_path)
    last = tmp_path / "last.safetensors"
    last.write_bytes(harm(last.read_bytes()))
    with pytest.raises(ModelError, match=f"{last}.*(delete it|another model)"):
        run_through(tiny.music, tiny.plan(steps=2), tmp_path)


# --- music that cannot be trained on


def refused(command, *arguments) -> str:
    """The one line with which a command ends in exit code 2."""
    code, said, complaint = command(*arguments)
    line = complaint.strip().splitlines()[-1]
    assert (code, said) == (2, "") and line.startswith("partimento: ") and "Traceback" not in complaint
    return line


def test_a_folder_without_music_is_refused(command, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    assert str(folder) in refused(command, "train", folder, "-o", tmp_path / "m.partimento", "--workers", 0)
    assert "nowhere" in refused(command, "train", tmp_path / "nowhere", "-o", tmp_path / "m.partimento")
    assert not (tmp_path / "m.partimento").exists()


def test_a_folder_of_one_damaged_file_is_refused(command, tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "bad.mid").write_bytes(b"MThd, but no more")
    said = refused(command, "train", folder, "-o", tmp_path / "m.partimento", "--workers", 0)
    assert "no piece to train on" in said and not (tmp_path / "m.partimento").exists()


SMALL = ("--workers", 0, "--steps", 4, *(f"--set={name}" for name in ("width=16", "layers=1", "heads=2", "batch=2")))


@pytest.mark.parametrize("family", ["transformer", "recurrent"])
def test_one_piece_alone_is_enough(tiny, command, tmp_path, family):
    output = tmp_path / "deep" / "m.partimento"
    small = [word for word in SMALL if family == "transformer" or word != "--set=heads=2"]
    code, said, complaint = command("train", tiny.tunes / "tune00.mid", "-o", output, "--family", family, *small)
    assert code == 0 and str(output) in said, complaint
    info = model_file.read_info(output)
    assert info["card"]["data"]["pieces"] == {"tunes train": 1} and info["card"]["training"]["step"] == 4


@pytest.mark.parametrize(
    "settings",
    [
        ["--family", "gpt"],
        ["--encoding", "words"],
        ["--set", "width"],
        ["--set", "wdth=16"],
        ["--set", "width=17"],
        ["--set", "batch=0"],
        ["--set", "window=0"],
        ["--set", "rate=fast"],
        ["--steps", "-3"],
        ["--minutes", "-1"],
        ["--style", "tunes"],
        ["--labels", "nowhere.csv"],
    ],
    ids=" ".join,
)
def test_a_wrong_option_is_answered_in_a_line(tiny, command, tmp_path, settings):
    output = tmp_path / "m.partimento"
    refused(command, "train", tiny.tunes, "-o", output, *SMALL, *settings)
    assert not output.exists()


def test_another_number_of_steps_in_the_same_folder_is_refused(tiny, tmp_path):
    run_through(tiny.music, tiny.plan(steps=4), tmp_path)
    with pytest.raises(BadOption, match="4 steps, not 9"):
        run_through(tiny.music, tiny.plan(steps=9), tmp_path)
    assert run_through(tiny.music, tiny.plan(steps=4), tmp_path) == []  # the same again has nothing left to do


def test_a_model_file_is_gone_on_from_and_its_card_remembers(tiny, command, tmp_path):
    output = tmp_path / "on.partimento"
    code, _, said = command(
        "train", tiny.tunes, "-o", output, "--from", tiny.model, "--steps", 2, "--set", "rate=0", "--set", "batch=2"
    )
    assert code == 0, said
    before, after = load_composer(tiny.model).state_dict(), load_composer(output).state_dict()
    assert all(torch.allclose(before[name], after[name], atol=0.02) for name in before)  # a rate of 0 moves nothing
    assert len(model_file.read_info(output)["card"]["earlier"]) == 1
    code, _, said = command("train", tiny.tunes, "-o", output, "--from", tiny.model, "--set", "width=64", "--steps", 1)
    assert code == 2 and "Traceback" not in said


# --- what training does


def test_the_loss_goes_down(tiny, tmp_path):
    seen = run_through(tiny.music, tiny.plan(steps=60), tmp_path)
    assert seen[-1].train < 0.75 * seen[0].train
    judged = [at.valid for at in seen if at.valid is not None]
    assert len(judged) == 4 and seen[-1].best == min(judged) < 0.9 * judged[0]


def test_minutes_are_kept_to_roughly_and_leave_a_model(tiny, tmp_path):
    output = tmp_path / "m.partimento"
    seen = list(api.train(tiny.request(output, steps=0, minutes=0.05)))
    assert 0.4 * 3 < seen[-1].seconds < 2.5 * 3
    assert seen[-1].step == seen[-1].steps > 20
    assert model_file.load(output).info["card"]["training"]["steps"] == seen[-1].steps


def test_the_averaged_weights_are_what_is_exported(tiny, tmp_path):
    list(api.train(tiny.request(tmp_path / "m.partimento", steps=12, settings={"rate": 0.05})))
    best = load_file(tmp_path / "m.partimento.run" / "best.safetensors")
    exported = export.load_composer(tmp_path / "m.partimento").state_dict()

    def rounded_from(kind: str, name: str) -> bool:
        """Whether an exported matrix is that of the checkpoint in steps of a 127th of each row's largest."""
        value = best[f"{kind}.{name}"]
        step = value.abs().amax(dim=1, keepdim=True) / 127
        return bool(((exported[name] - value).abs() <= 0.51 * step + 1e-6).all())

    matrices = [name for name, value in exported.items() if value.ndim == 2]
    assert len(matrices) > 20 and all(rounded_from("average", name) for name in matrices)
    assert not any(rounded_from("model", name) for name in matrices if name.startswith("heads.leave"))


def test_the_same_music_and_seed_give_the_same_model_twice_and_another_seed_another(tiny, tmp_path):
    found = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        path = tmp_path / f"{name}.partimento"
        list(api.train(tiny.request(path, steps=3, settings={"seed": seed})))
        found.append(model_file.read(path, also=(export.WEIGHTS,))[1])
    assert found[0] == found[1] and found[0][export.WEIGHTS] != found[2][export.WEIGHTS]


# --- batches


def batches(cache, **changes) -> Batches:
    known = {"split": "train", "size": 4, "window": 64, "seed": 3}
    return Batches(cache, get_encoding(**cache.spec), **{**known, **changes})


def test_batches_depend_on_seed_and_step_alone(tiny):
    one, other = batches(tiny.music), batches(tiny.music)
    late = one.at(7)
    for step in (0, 3):
        other.at(step)
    again = other.at(7)
    assert all(torch.equal(late[name], again[name]) for name in late)
    for different in (other.at(8), batches(tiny.music, seed=4).at(7)):
        assert different["steps"].shape != late["steps"].shape or not torch.equal(different["steps"], late["steps"])


def rows_of(batch):
    """The music of each piece of a batch, (T, columns), padding left out."""
    for steps, mask in zip(batch["steps"], batch["mask"], strict=True):
        yield steps[mask].numpy()


def test_transposition_stays_within_the_instrument_and_uses_all_of_it(tiny):
    cache = tiny.music
    columns, moves = get_encoding(**cache.spec).columns, {}
    original = {}
    for piece in cache.of("train"):
        rows = np.array(cache.steps[piece.start + 1 : piece.start + piece.length])
        original[rhythm(rows, columns)] = piece, rows
    for step in range(120):
        for rows in rows_of(batches(cache).at(step)):
            piece, before = original[rhythm(rows, columns)]
            by = set((rows[:-1, columns["pitch"]] - before[:-1, columns["pitch"]]).tolist())
            assert len(by) == 1 and piece.low <= min(by) and max(by) <= piece.high
            key = rows[0, columns["key"]]
            assert key == 0 or (key - 1) % 12 == (before[0, columns["key"]] - 1 + min(by)) % 12
            moves.setdefault(piece.name, set()).update(by)
    assert moves.keys() == {piece.name for piece in cache.of("train")}
    assert set.union(*moves.values()) == set(range(-6, 7))


def rhythm(rows, columns) -> tuple:
    """What tells one tune from another at any pitch."""
    return tuple(rows[:, [columns["wait"], columns["duration"]]].ravel().tolist())


def test_what_is_held_out_is_never_in_a_training_batch(tiny):
    cache = tiny.music
    columns = get_encoding(**cache.spec).columns
    sides = {}
    for piece in cache.pieces:
        rows = np.array(cache.steps[piece.start + 1 : piece.start + piece.length])
        sides[rhythm(rows, columns)] = piece.split
    assert Counter(sides.values())["valid"] > 0
    drawn = {rhythm(rows, columns) for step in range(100) for rows in rows_of(batches(cache).at(step))}
    assert {sides[one] for one in drawn} == {"train"}
    held_out = {rhythm(rows, columns) for step in range(20) for rows in rows_of(batches(cache, split="valid").at(step))}
    assert {sides[one] for one in held_out} == {"valid"}


def test_controls_are_dropped_now_and_then_and_notes_never(tiny):
    cache = tiny.music
    columns, first = get_encoding(**cache.spec).columns, []
    for step in range(150):
        for rows in rows_of(batches(cache).at(step)):
            assert (rows[:-1, columns["pitch"]] > 0).all()
            first.append([rows[0, columns[name]] == 0 for name in ("style", "key", "tempo", "metre", "bars_left")])
    dropped = np.array(first)
    expected = DROP_ALL + (1 - DROP_ALL) * DROP_ONE
    assert np.abs(dropped.mean(0) - expected).max() < 0.07
    assert DROP_ALL - 0.05 < dropped.all(1).mean() < DROP_ALL + 0.05
    assert ((dropped.sum(1) > 0) & (dropped.sum(1) < 5)).mean() > 0.2  # each on its own, not only all at once


def test_every_step_of_a_held_out_piece_counts_once(tiny):
    from partimento.training.batches import whole_pieces

    pieces = tiny.music.of("valid")
    for window in (7, 64, 1000):
        seen = sum(int(batch["mask"].sum()) for batch in whole_pieces(tiny.music, pieces, window, 3))
        assert seen == sum(piece.length - 1 for piece in pieces)
