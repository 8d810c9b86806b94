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
from partimento.cli._live import Live
from partimento.encodings import _given as given_fields
from partimento.encodings import get_encoding
from partimento.errors import BadOption, ModelError
from partimento.profile import scales_of
from partimento.training import export
from partimento.training.batches import DROP_ALL, Batches, whole_pieces
from partimento.training.budget import FEWEST_STEPS
from partimento.training.loop import Run, train
from partimento.training.watch import Diverged
from partimento.training.weights import load_composer

pytest_plugins = ["tiny"]
SIZE = {"width": 16, "layers": 1, "heads": 2, "head_width": 16, "context": 256}
RECURRENT = {"cell": "gru", "width": 16, "layers": 1, "head_width": 16}
PATIENCE = 240.0  # seconds to wait for another process on a busy machine


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
    """The step of a checkpoint that a running process may put another in the place of at any moment."""
    try:
        return state_of(checkpoint)["step"] if checkpoint.exists() else 0
    except RuntimeError:  # its size was taken before, its header read after the change
        return 0


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


# --- set back, and stopped


def planted(monkeypatch, at: int, setbacks: int) -> None:
    """The weights become no numbers after step `at`, as long as the run was set back fewer than `setbacks` times."""
    step_of_run = Run.one_step

    def one_step(run):
        found = step_of_run(run)
        if run.state["step"] == at and len(run.state["setbacks"]) < setbacks:
            with torch.no_grad():
                next(run.model.parameters()).fill_(float("nan"))
        return found

    monkeypatch.setattr(Run, "one_step", one_step)


def test_a_run_that_diverges_goes_back_with_half_the_rate_and_a_kill_in_between_changes_nothing(
    tiny, tmp_path, monkeypatch
):
    planted(monkeypatch, at=14, setbacks=1)
    plan = tiny.plan(steps=24, evaluations=2, save_seconds=0)
    seen = run_through(tiny.music, plan, tmp_path / "whole")
    (back,) = [at for at in seen if any("diverged" in line for line in at.said)]
    assert back.step == 12 and "nan; back to step 12 with 0.5 of the planned" in back.said[0]
    assert all(np.isfinite(at.train) for at in seen[seen.index(back) + 1 :])
    state = state_of(tmp_path / "whole" / "last.safetensors")
    assert [one["at"] for one in state["setbacks"]] == [16] and seen[-1].health["setbacks"] == 1
    history = json.loads((tmp_path / "whole" / "history.json").read_text())
    assert [entry["step"] for entry in history] == [12, 16, 24] and "diverged" in history[1]["setback"]
    assert "diverged" in (tmp_path / "whole" / "report.html").read_text("utf-8")
    for last in (10, 15, 12):  # killed before, while it is wrong, and after it was set back
        for at in (broken := train(tiny.music, plan, tmp_path / "broken")):
            if at.step == last:
                break
        broken.close()
    run_through(tiny.music, plan, tmp_path / "broken")
    for name in ("last", "best"):
        assert same_bits(*(tmp_path / run / f"{name}.safetensors" for run in ("whole", "broken")))


def test_after_a_setback_other_windows_are_drawn_at_a_lower_rate(tiny, tmp_path):
    run = Run(tiny.music, tiny.plan(steps=8), tmp_path)
    run.begin()
    run.one_step()
    first, rate = run.optimisers["all.1"].param_groups[0]["lr"], run.average["norm.scale"].clone()
    assert "back to step 0" in run.set_back("so it is wished")
    run.one_step()
    assert run.state["step"] == 1 and run.optimisers["all.1"].param_groups[0]["lr"] == first / 2
    assert not torch.equal(run.average["norm.scale"], rate)


def test_a_run_that_diverges_again_and_again_ends_with_a_sentence_and_keeps_its_best_weights(
    tiny, tmp_path, monkeypatch
):
    planted(monkeypatch, at=7, setbacks=99)
    plan = tiny.plan(steps=12, evaluations=3)
    with pytest.raises(Diverged, match=r"diverged 4 times, the last .* step 8 .*best\.safetensors.*--set rate"):
        run_through(tiny.music, plan, tmp_path)
    best = load_file(tmp_path / "best.safetensors")
    assert state_of(tmp_path / "best.safetensors")["step"] == 4
    assert all(torch.isfinite(value).all() for value in best.values())
    with pytest.raises(Diverged, match="diverged 4 times"):  # at once, without another step
        next(train(tiny.music, plan, tmp_path))


def test_a_rate_far_too_high_is_lowered_or_given_up_but_never_exported(tiny, tmp_path):
    output = tmp_path / "m.partimento"
    request = tiny.request(output, steps=400, settings={"rate": 10, "evaluations": 10, "clip": 1e6, "weight_decay": 0})
    with pytest.raises(Diverged, match="diverged 4 times"):
        list(api.train(request))
    assert not output.exists()


def test_ctrl_c_finishes_the_step_saves_and_says_how_to_go_on(tiny, command, tmp_path, monkeypatch):
    output, words = tmp_path / "m.partimento", (*SMALL, "--set=evaluations=2", "--set=save_seconds=1e9")
    show = Live.train

    def interrupted(live, at):
        show(live, at)
        if at.step == 1:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Live, "train", interrupted)
        code, said, complaint = command("train", tiny.tunes, "-o", output, *words)
    assert code == 130 and not said and "the same command goes on from there" in complaint.splitlines()[-1]
    run = tmp_path / "m.partimento.run"
    assert step_of(run / "last.safetensors") == 1 and not output.exists()
    code, said, complaint = command("train", tiny.tunes, "-o", output, *words)
    assert code == 0 and "going on from step 1 of 4 steps" in complaint
    command("train", tiny.tunes, "-o", tmp_path / "whole.partimento", *words)
    assert same_bits(run / "last.safetensors", tmp_path / "whole.partimento.run" / "last.safetensors")


def test_a_run_that_was_killed_before_it_chose_still_chooses(tiny, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("partimento.training.loop.finish", lambda run: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_through(tiny.music, tiny.plan(), tmp_path)
    assert "chosen" not in state_of(tmp_path / "last.safetensors")
    assert run_through(tiny.music, tiny.plan(), tmp_path) == []  # there was no step to take
    chosen = state_of(tmp_path / "best.safetensors")["chosen"]
    assert state_of(tmp_path / "best.safetensors")["step"] == chosen["step"] and chosen["why"].startswith("Step")


def test_what_is_chosen_is_what_is_exported_even_where_another_step_was_likelier(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("partimento.training.choice.best_of", lambda heard, real, judged: min(heard))
    monkeypatch.setattr("partimento.training.choice.MARGIN", 10.0)
    output = tmp_path / "m.partimento"
    list(api.train(tiny.request(output, steps=12)))
    run = tmp_path / "m.partimento.run"
    card, (first, *_) = model_file.read_info(output)["card"], sorted((run / "checkpoints").iterdir())
    kept, best = load_file(first), load_file(run / "best.safetensors")
    assert all(torch.equal(best[f"average.{name}"], value) for name, value in kept.items())
    assert card["training"]["step"] == int(first.stem.removeprefix("step-")) == 6
    assert card["training"]["steps"] == 12


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
        ["--minutes", "1", "--epochs", "2"],
        ["--epochs", "0"],
        ["--notes", "-5"],
        ["--set", "keep=0"],
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


def test_epochs_and_notes_are_turned_into_steps_and_said(tiny, tmp_path):
    pieces = tiny.music.of("train")
    (first, *_, last) = run_through(
        tiny.music, tiny.plan(steps=0, epochs=3, batch=2, every_epochs=1.5), tmp_path / "epochs"
    )
    judged = [entry["step"] for entry in json.loads((tmp_path / "epochs" / "history.json").read_text())]
    assert judged[0] == round(1.5 * len(pieces) / 2) and judged[-1] == first.steps
    assert first.steps == -(-3 * len(pieces) // 2) and 3 <= last.epoch < 3.3  # a window holds a whole tune
    assert any(f"{first.steps} steps: " in line and "epochs" in line for line in first.said)
    notes = sum(piece.notes for piece in pieces) / len(pieces)
    seen = run_through(tiny.music, tiny.plan(steps=0, notes=10 * notes, batch=2), tmp_path / "notes")
    assert seen[-1].steps == 5
    with pytest.raises(BadOption, match="holds a run of 5 steps, not 10"):
        run_through(tiny.music, tiny.plan(steps=0, notes=20 * notes, batch=2), tmp_path / "notes")


def test_the_loss_goes_down(tiny, tmp_path):
    seen = run_through(tiny.music, tiny.plan(steps=60), tmp_path)
    assert seen[-1].train < 0.75 * seen[0].train
    judged = [at.valid for at in seen if at.valid is not None]
    assert len(judged) == 4 and seen[-1].best == min(judged) < 0.9 * judged[0]


def test_minutes_are_kept_to_roughly_and_leave_a_model(tiny, tmp_path):
    output = tmp_path / "m.partimento"
    seen = list(api.train(tiny.request(output, steps=0, minutes=0.05)))
    assert seen[-1].seconds > 0.1 * 3  # the rest is kept for choosing and writing
    assert seen[-1].seconds < 2.5 * 3 or seen[-1].steps == FEWEST_STEPS  # on a busy machine
    assert seen[-1].step == seen[-1].steps >= FEWEST_STEPS
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


def lessons_of(batch):
    """Rows (T, columns), times (T,) and which rows count (T,) of each piece of a batch, padding left out."""
    role = get_encoding("notes").columns["role"]
    for n, mask in enumerate(batch["mask"]):
        rows = torch.cat([batch["last"][n, :1], batch["steps"][n]]).numpy()
        real = rows[:, role] > 0  # every row says what it is
        yield rows[real], batch["time"][n].numpy()[real], np.append(False, mask.numpy())[real]


def notes_of(rows, times, columns) -> np.ndarray:
    """The note rows of a lesson in the order of the piece, their times before their columns."""
    notes = np.column_stack([times, rows])[rows[:, columns["pitch"]] >= 0]
    return notes[np.lexsort((notes[:, 1 + columns["pitch"]], notes[:, 0]))]


def rhythm(notes, columns) -> tuple:
    """What tells one tune from another at any pitch."""
    return tuple(notes[:, [0, 1 + columns["duration"]]].ravel().tolist())


def tunes_of(cache) -> dict:
    """Every piece of a cache and its notes by their rhythm."""
    columns, found = get_encoding(**cache.spec).columns, {}
    for piece in cache.pieces:
        span = slice(piece.start, piece.start + piece.length)
        notes = notes_of(np.array(cache.steps[span]), np.array(cache.times[span]), columns)
        found[rhythm(notes, columns)] = piece, notes
    return found


def test_transposition_stays_within_the_instrument_and_uses_all_of_it(tiny):
    cache, moves = tiny.music, {}
    columns, tunes = get_encoding(**cache.spec).columns, tunes_of(cache)
    pitch, key, chord = (1 + columns[name] for name in ("pitch", "key", "chord"))
    for step in range(120):
        for rows, times, _ in lessons_of(batches(cache).at(step)):
            notes = notes_of(rows, times, columns)
            piece, before = tunes[rhythm(notes, columns)]
            (by,) = set((notes[:, pitch] - before[:, pitch]).tolist())
            assert piece.low <= by <= piece.high
            for column, moved in ((key, given_fields.moved_keys), (chord, given_fields.moved_chords)):
                assert not notes[:, column].any() or (notes[:, column] == moved(before[:, column], by)).all()
            moves.setdefault(piece.name, set()).add(by)
    assert moves.keys() == {piece.name for piece in cache.of("train")}
    assert set.union(*moves.values()) == set(range(-6, 7))


def test_what_is_held_out_is_never_in_a_training_batch(tiny):
    cache = tiny.music
    columns, tunes = get_encoding(**cache.spec).columns, tunes_of(cache)
    assert Counter(piece.split for piece, _ in tunes.values())["valid"] > 0

    def drawn(split: str, steps: int) -> set[str]:
        lessons = (one for step in range(steps) for one in lessons_of(batches(cache, split=split).at(step)))
        return {tunes[rhythm(notes_of(rows, times, columns), columns)][0].split for rows, times, _ in lessons}

    assert (drawn("train", 100), drawn("valid", 20)) == ({"train"}, {"valid"})


def test_every_window_is_music_of_its_piece_in_its_order_and_with_its_lengths(tiny):
    cache, encoding = tiny.music, get_encoding(**tiny.music.spec)
    columns, whole, kinds = encoding.columns, [notes for _, notes in tunes_of(cache).values()], Counter()
    wanted = [0, *(1 + columns[name] for name in ("pitch", "duration", "velocity"))]

    def stretches(notes, count):
        """Every run of `count` notes, its times and pitches from its first note on."""
        for at in range(len(notes) - count + 1):
            part = notes[at : at + count][:, wanted]
            yield (part - part[0] * [1, 1, 0, 0]).tolist()

    known = {count: [one for notes in whole for one in stretches(notes, count)] for count in range(1, 20)}
    for step in range(60):
        for rows, times, counts in lessons_of(batches(cache, window=16).at(step)):
            notes = notes_of(rows, times, columns)
            assert next(stretches(notes, len(notes))) in known[len(notes)]
            role, pitch = rows[:, columns["role"]], rows[:, columns["pitch"]]
            begin = int(np.flatnonzero((pitch < 0) & (role < given_fields.GIVEN))[0])
            score = encoding.decode(rows[begin:])  # what a model would have composed
            kept = notes_of(rows[begin:], times[begin:], columns)
            assert (score.notes["onset"] - kept[:, 0] + kept[0, 0]).tolist() == [0] * len(kept)
            assert score.notes["pitch"].tolist() == kept[:, 1 + columns["pitch"]].tolist()
            assert counts[begin + 2 :].all() and not counts[: begin + 1].any()
            kinds["ahead"] += bool((role == given_fields.GIVEN).any())
            kinds["middle"] += not counts[begin + 1]
            kinds["ends"] += rows[-1, columns["wait"]] == 385
    assert min(kinds.values()) > 20 and len(kinds) == 3


SELDOM = ("style", "key", "tempo", "metre", "place", "bars_left")
OFTEN = ("valence", "arousal", "complexity", "density", "repeats", "chord")


def test_controls_are_dropped_now_and_then_together_or_alone_and_notes_never(tiny):
    cache, found = tiny.music, []
    encoding = get_encoding(**cache.spec)
    columns, cached = encoding.columns, batches(cache, scales=scales_of(cache, encoding))
    for step in range(200):
        for rows, _, counts in lessons_of(cached.at(step)):
            music = rows[counts & (rows[:, columns["pitch"]] >= 0)]
            left_out = [(music[:, columns[name]] == 0).all() for name in SELDOM + OFTEN]
            told = [(music[:, columns[name]] > 0).all() for name in SELDOM + OFTEN]
            assert (np.array(left_out) != told).all()  # a field is told of a whole window or of none of it
            assert (rows[:, columns["role"]] > 0).all() and (music[:, columns["pitch"]] > 0).all()
            found.append(left_out)
    dropped = np.array(found)
    seldom, often = dropped[:, : len(SELDOM)], dropped[:, len(SELDOM) :]
    assert np.abs(seldom.mean(0) - (DROP_ALL + (1 - DROP_ALL) * given_fields.SELDOM)).max() < 0.06
    assert np.abs(often.mean(0) - (DROP_ALL + (1 - DROP_ALL) * 0.5)).max() < 0.07
    assert DROP_ALL - 0.05 < dropped.all(1).mean() < DROP_ALL + 0.05
    assert (seldom.any(1) & ~dropped.all(1)).mean() > 0.2  # each on its own, not only all at once
    assert (~often.any(1)).mean() > 0.08  # all told: as often as any other number of them


@pytest.mark.parametrize("window", [7, 64, 1000, "all but one"])
def test_every_step_of_a_held_out_piece_counts_once(tiny, window):
    encoding, pieces = get_encoding(**tiny.music.spec), tiny.music.of("valid")
    window = pieces[0].length - 2 if window == "all but one" else window
    columns, seen = encoding.columns, []
    for batch in whole_pieces(tiny.music, encoding, pieces, window, 3, scales_of(tiny.music, encoding)):
        for rows, _, counts in lessons_of(batch):
            seen += rows[counts][:, [columns["wait"], columns["pitch"], columns["velocity"]]].tolist()
    columns = [columns[name] for name in ("wait", "pitch", "velocity")]
    rows = [tiny.music.steps[piece.start + 1 : piece.start + piece.length, columns].tolist() for piece in pieces]
    assert sorted(seen) == sorted(row for piece in rows for row in piece)
