"""Families that paint blocks: where blocks begin, what is learnt of them, and how pieces are composed of them."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from partimento import api, formats, model_file, states
from partimento.encodings import Plan, get_encoding
from partimento.encodings._blocks import line_column, places_in_blocks
from partimento.encodings.base import Field
from partimento.errors import BadOption, ModelError
from partimento.models import get_family
from partimento.models.blocks import Rolls
from partimento.models.gan import _energy
from partimento.sampling import Sampling, sample
from partimento.score import Track
from partimento.training import export
from partimento.training.batches import Batches
from tunes import tune

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("one_thread")

TOLD = Field("place", "categorical", 17, given=True)
TOY = (TOLD, Field("pitch", "categorical", 6), Field("struck", "binary", 3))  # columns: place, pitch, three units
SMALL = {"stride": 4, "size": 2}
DENSE = {"hidden": (16,), "step_width": 8, "head_width": 8, "dropout": 0.0}
CRITIC = {"hidden": (32,), "step_width": 8, "critic_width": 16, "critic_hidden": (32,)}


def toy(family: str, fields=TOY, **options):
    torch.manual_seed(0)
    return get_family(family)(fields, **{**SMALL, **options})


def batch_of(rows: np.ndarray, lengths=None) -> dict[str, torch.Tensor]:
    """A batch of rows (B, T, columns); pieces shorter than T are padded."""
    both = torch.from_numpy(np.concatenate([rows[:, :1], rows], axis=1)).long()
    mask = torch.ones(rows.shape[:2], dtype=torch.bool)
    for piece, length in enumerate(lengths or []):
        mask[piece, length:] = False
    return {"last": both[:, :-1], "steps": both[:, 1:], "time": torch.zeros(both.shape[:2]), "mask": mask}


def toy_rows(pieces: int, bars: int, bar: int = 4, seed: int = 0) -> np.ndarray:
    """Bars of `bar` steps with random notes, (pieces, bars * bar, 5)."""
    rng = np.random.default_rng(seed)
    place = np.tile(1 + np.arange(bar), (pieces, bars))
    pitch, struck = rng.integers(0, 6, place.shape), rng.integers(0, 2, (*place.shape, 3))
    return np.concatenate([place[..., None], pitch[..., None], struck], axis=2)


# --- where blocks begin


@pytest.mark.parametrize(
    ("bars", "stride", "begins"),
    [
        ([16, 16, 16], 16, [0, 16, 32]),
        ([16, 16, 16], 32, [0, 32]),
        ([12, 12, 12], 16, [0, 12, 24]),  # 3/4: the end of a block is left empty, not filled with another bar
        ([12, 12, 12], 32, [0, 24]),
        ([4, 16, 16], 16, [0, 4, 20]),  # an upbeat is a block of its own
        ([4, 16, 16], 32, [0, 4]),
        ([32, 32], 16, [0, 16, 32, 48]),  # a bar that is longer than a block is cut
        ([24, 24], 16, [0, 16, 24, 40]),
        ([12, 16, 16], 32, [0, 28]),  # as many whole bars as there is room for
    ],
)
def test_blocks_hold_whole_bars_where_they_can(bars, stride, begins):
    first_is_upbeat = len(bars) > 1 and bars[0] < bars[1] and bars[0] < 12
    lines = np.zeros((1, sum(bars)), dtype=bool)
    lines[0, np.cumsum([0, *bars[:-1]])] = True
    lines[0, 0] = not first_is_upbeat
    assert np.flatnonzero(places_in_blocks(lines, stride)[0] == 0).tolist() == begins


def test_without_bar_lines_every_block_is_full():
    assert places_in_blocks(np.zeros((2, 7), dtype=bool), 3).tolist() == [[0, 1, 2, 0, 1, 2, 0]] * 2


def test_bar_lines_are_known_where_the_place_in_the_bar_is_given_at_the_outset():
    assert get_encoding("voices").fields[line_column(get_encoding("voices").fields)].name == "place"
    assert line_column(get_encoding("notes").fields) is None  # there it is known once a note's wait is chosen


def test_a_batch_is_cut_into_blocks_and_put_together_again():
    rows = toy_rows(2, 3, bar=3)
    batch = batch_of(rows, lengths=[9, 5])
    cut = toy("autoencoder").cut(batch)
    assert cut.rows.shape == (6, 4, 5)
    assert torch.equal(cut.back(cut.rows)[batch["mask"]], batch["steps"][batch["mask"]])
    assert cut.counts.sum(1).tolist() == [3, 3, 3, 3, 2, 0]
    assert cut.rows[0, 3].tolist() == [1, -1, -1, -1, -1] == cut.rows[4, 2].tolist()  # told alike, and no music


@pytest.mark.parametrize("family", ["autoencoder", "vae"])
def test_a_block_comes_back_from_itself_and_nothing_else(family):
    model, rows = toy(family, **DENSE).eval(), toy_rows(1, 3)
    other = rows.copy()
    other[0, 4:8, 1] = (other[0, 4:8, 1] + 1) % 6
    with torch.inference_mode():
        before, after = (model.hidden(batch_of(one))[0] for one in (rows, other))
    same = (before == after).all(-1)
    assert same[:4].all() and same[8:].all() and not same[4:8].any()


def test_with_style_and_metre_told_a_block_hears_them():
    model, rows = toy("vae", **DENSE).eval(), toy_rows(1, 1)
    point = torch.zeros(2, 2)
    first = torch.tensor([[1, 0, 0, 0, 0], [3, 0, 0, 0, 0]])
    told = model.decode(model.with_told(point, first[:, None]))
    assert not torch.equal(told[0], told[1])
    deaf = toy("vae", **DENSE, is_told=False)
    assert deaf.told is None and deaf.decode(deaf.with_told(point, torch.from_numpy(rows))).shape == (2, 4, 8)


# --- what is learnt


def test_a_small_autoencoder_learns_four_bars_by_heart():
    rows = toy_rows(1, 4, seed=3)
    for options in ({}, {"loss": "binary"}, DENSE):
        model, batch = toy("autoencoder", **{**options, "size": 4}), batch_of(rows)
        adam = torch.optim.Adam(model.parameters(), lr=0.02)
        for _ in range(600):
            adam.zero_grad()
            torch.stack(list(model.loss(batch).values())).sum().backward()
            adam.step()
        hidden = model.eval().hidden(batch)[0]
        pitch = model.logits("pitch", hidden, batch["steps"][0]).argmax(-1)
        struck = model.logits("struck", hidden, batch["steps"][0]) > 0
        assert pitch.tolist() == rows[0, :, 1].tolist()
        assert struck.long().tolist() == rows[0, :, 2:].tolist()


def test_the_faithful_loss_is_binary_cross_entropy_of_the_one_hot_roll():
    model, batch = toy("autoencoder", loss="binary").eval(), batch_of(toy_rows(2, 2))
    roll = Rolls(TOY)(batch["steps"])
    whole = F.binary_cross_entropy_with_logits(model.hidden(batch), roll, reduction="none").sum(-1)
    assert torch.allclose(sum(model.nats(batch)[0].values()), whole, atol=1e-5)
    chances = model.logits("pitch", model.hidden(batch), batch["steps"]).softmax(-1)
    outputs = torch.sigmoid(model.hidden(batch)[..., :6])
    assert torch.allclose(chances, outputs / outputs.sum(-1, keepdim=True), atol=1e-5)


@pytest.mark.parametrize("family", ["autoencoder", "vae"])
def test_points_are_drawn_where_those_of_the_music_lie(family, monkeypatch):
    model, batch = toy(family, dropout=0.0), batch_of(toy_rows(3, 4), lengths=[16, 16, 5])
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)  # a block is then at its mean
    points = model.encode(model.cut(batch).rows)[[*range(10)]]  # the last two blocks hold nothing
    for _ in range(600):
        model.loss(batch)
    spec = model.state_spec()
    assert np.allclose(spec["mean"], points.mean(0).tolist(), atol=1e-4)
    assert np.allclose(spec["spread"], points.std(0, correction=0).tolist(), atol=1e-4)
    model.eval().loss(batch_of(toy_rows(3, 4, seed=9)))
    assert model.state_spec() == spec


def test_doubling_the_block_does_not_change_the_balance_of_kl_and_reconstruction():
    """Both are sums over a block; a notebook that averages the one and sums the other drowns what it reconstructs."""
    batch, found = batch_of(toy_rows(2, 4)), []
    for stride, size in ((4, 2), (8, 4), (16, 8)):  # as many numbers a step, all as far from 0, and an empty decoder
        model = toy("vae", stride=stride, size=size, step_width=0, hidden=(), is_told=False)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
            model.to_point.bias[:size] = 1.0
        found.append({name: value.item() for name, value in model.loss(batch).items()})
    assert found[0]["kl"] == pytest.approx(0.25) and found[0]["pitch"] == pytest.approx(np.log(6))
    assert found[1] == pytest.approx(found[0]) and found[2] == pytest.approx(found[0])


def test_beta_weighs_the_kl_and_what_is_free_or_still_to_come_is_judged_all_the_same():
    batch, terms, judged = batch_of(toy_rows(2, 4)), {}, {}
    for name, options in (
        ("plain", {}),
        ("half", {"beta": 0.5}),
        ("free", {"free_bits": 3.0}),
        ("warm", {"warm_up": 4}),
    ):
        model = toy("vae", **DENSE, **options).eval()
        terms[name] = {term: value.item() for term, value in model.loss(batch).items()}
        nats, counts = model.nats(batch)
        judged[name] = {term: ((value * counts).sum() / counts.sum()).item() for term, value in nats.items()}
    assert judged["plain"] == pytest.approx(terms["plain"], abs=1e-5) == judged["free"] == judged["warm"]
    assert judged["half"] == pytest.approx(terms["half"], abs=1e-5)
    assert terms["half"]["kl"] == pytest.approx(terms["plain"]["kl"] / 2)
    assert terms["free"]["kl"] == pytest.approx(2 * 3.0 / 4)  # two numbers, three nats each, over four steps
    model = toy("vae", **DENSE, free_bits=3.0).eval()
    model.loss(batch)["kl"].backward()
    assert model.to_point.weight.grad.abs().max() == 0


def test_a_vae_is_judged_from_where_points_are_drawn():
    """Between two normal distributions: ln(s2/s1) + (s1^2 + (m1 - m2)^2) / (2 s2^2) - 1/2, here in one dimension."""
    from partimento.models.vae import divergence

    mean, log_variance = torch.tensor([[1.0]]), torch.tensor([[math.log(0.25)]])
    assert divergence(mean, log_variance).item() == pytest.approx(math.log(2) + (0.25 + 1) / 2 - 0.5)
    assert divergence(mean, log_variance, torch.tensor([1.0]), torch.tensor([0.5])).item() == pytest.approx(0)
    model, batch = toy("vae", **DENSE).eval(), batch_of(toy_rows(2, 4))
    plain = model.nats(batch)[0]["kl"].mean().item()
    model.mean.fill_(3.0)
    assert model.nats(batch)[0]["kl"].mean().item() > plain


def test_more_points_bring_the_bound_of_a_vae_nearer():
    model, batch = toy("vae", **DENSE).eval(), batch_of(toy_rows(2, 4))
    with torch.inference_mode():
        nats, counts = model.nats(batch)
        one = sum((value * counts).sum().item() for value in nats.values())
        bounds = [model.tighter(batch, draws).sum().item() for draws in (8, 64, 512)]
    assert bounds[0] == pytest.approx(one, rel=0.2)
    assert bounds[2] <= bounds[0] + 0.05 and bounds[2] <= one + 0.05


def test_the_kl_comes_in_over_the_steps_of_its_warm_up():
    model, batch = toy("vae", step_width=0, hidden=(), is_told=False, warm_up=4), batch_of(toy_rows(2, 4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.to_point.bias[:2] = 1.0  # one nat a block of four steps
    assert [model.loss(batch)["kl"].item() for _ in range(6)] == pytest.approx(
        [0, 1 / 16, 2 / 16, 3 / 16, 1 / 4, 1 / 4]
    )
    assert model.seen == 6


def test_a_vae_is_judged_by_the_same_noise_every_time_and_learns_by_other():
    model, batch = toy("vae", **DENSE), batch_of(toy_rows(2, 4))
    first, second = (sum(model.loss(batch).values()).item() for _ in range(2))
    assert first != second
    model.eval()
    first, second = (sum(model.loss(batch).values()).item() for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("family", "options", "said"),
    [
        ("vae", {"stride": 0}, "stride 0 is out of range"),
        ("vae", {"drift": 1.5}, "drift 1.5"),
        ("vae", {"beta": -1}, "beta -1"),
        ("vae", {"loss": "binary"}, "loss 'binary' is that of flat rolls; leave it out, or give step_width=0"),
        ("autoencoder", {"loss": "mse"}, "no loss 'mse'; there are natural, binary"),
        ("autoencoder", {"activation": "sine", "hidden": (4,)}, "no activation 'sine'; there are relu, tanh, leaky"),
        ("gan", {"outputs": "hard"}, "no outputs 'hard'; there are soft, drawn, binary, scalar"),
        ("gan", {"critic": "conv"}, "no critic 'conv'"),
        ("gan", {"objective": "hinge"}, "no objective 'hinge'"),
    ],
)
def test_an_option_that_cannot_be_is_refused(family, options, said):
    with pytest.raises(BadOption, match=said):
        toy(family, **options)


# --- the GAN


def test_the_number_that_stands_for_a_class_is_its_index_scaled_and_the_nearest_class_is_the_likeliest():
    model = toy("gan", outputs="scalar", hidden=(8,), critic="recurrent", critic_width=4, critic_hidden=(4,))
    rows = torch.from_numpy(toy_rows(1, 4)[0])
    numbers = model.heads.scaled(rows)
    assert numbers.shape == (16, 4) and numbers[:, 0].tolist() == pytest.approx((rows[:, 1] / 2.5 - 1).tolist())
    shaken = numbers + 0.19 * (2 * torch.rand(numbers.shape) - 1)  # half the way to the next class is 0.2
    assert torch.equal(model.logits("pitch", shaken, rows).argmax(-1), rows[:, 1])
    assert torch.equal(model.logits("struck", shaken, rows) > 0, rows[:, 2:] > 0)


@pytest.mark.parametrize("options", [CRITIC, {**CRITIC, "objective": "classic", "outputs": "drawn"}])
def test_each_objective_of_a_gan_has_parameters_and_terms_of_its_own(options):
    model, batch = toy("gan", **options), batch_of(toy_rows(2, 4))
    (critic, of_critic), (generator, of_generator) = model.objectives().values()
    assert not {id(one) for one in critic} & {id(one) for one in generator}
    assert len(critic) + len(generator) == len(list(model.parameters()))
    terms = of_critic(batch)
    sum(terms.values()).backward()
    assert set(terms) == ({"critic"} if "objective" in options else {"critic", "penalty"})
    assert all(one.grad is None for one in generator)
    assert set(of_generator(batch)) == {"generator"}


def test_a_critic_that_is_as_steep_as_it_should_be_pays_no_penalty():
    model, batch = toy("gan", **CRITIC, is_told=False), batch_of(toy_rows(2, 4))

    class Sum(torch.nn.Module):
        def forward(self, blocks, told):
            return blocks.flatten(1).sum(1) / blocks[0].numel() ** 0.5 * self.slope

    model.critic = Sum()
    for slope, penalty in ((1.0, 0.0), (3.0, 40.0)):
        model.critic.slope = slope
        assert model.critic_loss(batch)["penalty"].item() == pytest.approx(penalty, abs=1e-3)


def test_the_distance_of_a_gan_is_lowest_where_it_paints_as_the_music_is():
    """Generators that switch a unit on in half of the blocks, as the music has it, in all, and in half of the steps."""
    rng = np.random.default_rng(1)
    rows = np.zeros((64, 4, 5), dtype=np.int64)
    rows[..., 0] = 1 + np.arange(4)
    rows[:, :, 2] = rng.integers(0, 2, (64, 1))  # all of a block or nothing of it
    found = {}
    for name, weight, bias in (("alike", 1e3, 0.0), ("too much", 1e3, 1e3), ("each step for itself", 0.0, 0.0)):
        model = toy("gan", size=1, **CRITIC, is_told=False).eval()

        def decode(point, weight=weight, bias=bias):
            return (weight * point + bias)[:, None].expand(-1, 4, -1)

        def logits(field, hidden, chosen):
            off = torch.full((*hidden.shape[:-1], 6 if field == "pitch" else 3), -50.0)
            off[..., 0] = 50.0 if field == "pitch" else hidden[..., 0]
            return off

        model.decode, model.heads.logits = decode, logits
        nats, counts = model.nats(batch_of(rows))
        assert set(nats) == {"distance"} and nats["distance"].shape == counts.shape
        assert torch.equal(nats["distance"], model.nats(batch_of(rows))[0]["distance"])
        found[name] = nats["distance"].mean().item()
    assert found["alike"] < found["each step for itself"] - 0.05
    assert found["alike"] < found["too much"] - 0.05


def test_plain_figures_of_blocks_are_matched_where_they_are_those_of_the_music():
    """Blocks that hold one pitch beside others that hold it as often, all the time, or now and then."""
    model = toy("gan", **CRITIC, matched=1.0, is_told=False)
    rows = toy_rows(8, 4)
    rows[..., 1] = 2
    counts = torch.ones(32, 4, dtype=torch.bool)

    def figures(rows: np.ndarray) -> torch.Tensor:
        return model._figures(Rolls(TOY)(torch.from_numpy(rows)).view(32, 4, -1), counts)

    always, seldom, other = rows.copy(), rows.copy(), toy_rows(8, 4, seed=5)
    always[..., 2:], seldom[..., 2:], other[..., 1] = 1, np.arange(4)[None].repeat(8, 0).repeat(4, 1)[..., None] == 0, 2
    apart = {name: _energy(figures(rows), figures(one)).item() for name, one in
             (("other", other), ("always", always), ("seldom", seldom))}  # fmt: skip
    assert abs(apart["other"]) < 0.3 < 1 < min(apart["always"], apart["seldom"])
    terms = model.generator_loss(batch_of(rows))
    assert set(terms) == {"generator", "matched"} and terms["matched"] > 0


@pytest.mark.parametrize("outputs", ["soft", "drawn", "binary"])
def test_a_gan_comes_nearer_to_the_music_that_it_learns(outputs):
    rows = toy_rows(16, 2)
    rows[..., 1] = 2 + (rows[..., 0] > 2)  # two steps of class 2, two of class 3
    rows[..., 2:] = rows[..., :1] == 1
    model, batch = toy("gan", **CRITIC, outputs=outputs, is_told=False), batch_of(rows)
    before = model.eval().nats(batch)[0]["distance"].mean().item()
    optimisers = {
        name: torch.optim.Adam(parameters, lr=3e-3, betas=(0.5, 0.9))
        for name, (parameters, _) in model.objectives().items()
    }
    model.train()
    for _ in range(250):
        for name, (_, loss) in model.objectives().items():
            optimisers[name].zero_grad()
            torch.stack(list(loss(batch).values())).sum().backward()
            optimisers[name].step()
    assert model.eval().nats(batch)[0]["distance"].mean().item() < before / 3


# --- composing


SPEC = {"stride": 4, "size": 3, "drift": 0.0, "mean": [5.0, 0.0, 0.0], "spread": [1.0, 1.0, 0.0]}


def walked(state: states.Latent, lines: np.ndarray) -> np.ndarray:
    """The point of each piece's block at every step, (T, B, size): the graph paints its point at every step."""
    found = []
    for line in lines:
        if state.begins(line):
            point = state.feed()["point"]
            state.take([np.repeat(point[:, None], state.stride, axis=1)])
        found.append(state.step())
    return np.array(found)


def rngs(*seeds: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in seeds]


def test_points_are_drawn_by_each_piece_for_itself_at_its_own_bar_lines():
    lines = np.zeros((12, 2), dtype=bool)
    lines[[0, 3, 6, 9], 0], lines[[0, 4, 8], 1] = True, True
    both = walked(states.Latent(SPEC, 2, rngs(1, 2)), lines)
    assert np.flatnonzero(np.abs(np.diff(both[:, 0], axis=0)).sum(1)).tolist() == [2, 5, 8]
    assert np.flatnonzero(np.abs(np.diff(both[:, 1], axis=0)).sum(1)).tolist() == [3, 7]
    assert np.array_equal(both[:, :1], walked(states.Latent(SPEC, 1, rngs(1)), lines[:, :1]))
    assert (both[..., 2] == 0).all() and 4 < both[..., 0].mean() < 6


def test_readings_of_one_piece_are_painted_from_one_point():
    lines = np.zeros((8, 4), dtype=bool)
    found = walked(states.Latent(SPEC, 4, rngs(1, 2)), lines)
    assert np.array_equal(found[:, 0], found[:, 1]) and np.array_equal(found[:, 2], found[:, 3])
    assert not np.array_equal(found[:, 0], found[:, 2])


@pytest.mark.parametrize("drift", [0.0, 0.7, 1.0])
def test_a_piece_stays_near_where_it_is_as_far_as_its_drift_says(drift):
    spec = {"stride": 1, "size": 400, "drift": drift, "mean": [0.0] * 400, "spread": [1.0] * 400}
    walk = walked(states.Latent(spec, 1, rngs(3)), np.zeros((30, 1), dtype=bool))[:, 0]
    near = [np.corrcoef(one, other)[0, 1] for one, other in pairwise(walk)]
    assert np.mean(near) == pytest.approx(drift, abs=0.05)
    assert walk.std() == pytest.approx(1.0, abs=0.1)  # and never leaves the space


def test_given_points_are_gone_through_in_turn():
    state = states.Latent(SPEC, 2, rngs(1, 2))
    state.points = np.arange(6.0).reshape(2, 3)
    found = walked(state, np.zeros((12, 2), dtype=bool))
    assert found[::4, 0].tolist() == found[::4, 1].tolist() == [[0, 1, 2], [3, 4, 5], [3, 4, 5]]


def exported(model, encoding) -> model_file.Model:
    info = {
        "encoding": encoding.spec(), "state": model.state_spec(), "family": "toy",
        "fields": [[entry.name, entry.size, entry.given] for entry in model.fields],
    }  # fmt: skip
    graphs = export.graphs(model, int8=False)
    return model_file.Model(info, {name[:-5]: graph for name, graph in graphs.items()})


EXPORTED = [
    ("autoencoder", {}),
    ("autoencoder", {"hidden": (8,), "is_told": True, "loss": "binary"}),
    ("vae", DENSE),
    ("gan", CRITIC),
    ("gan", {**CRITIC, "outputs": "scalar", "norm": True}),
]


@pytest.mark.parametrize(("family", "options"), EXPORTED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_model_file_paints_and_reads_as_the_torch_model_does(family, options):
    encoding = get_encoding("chords")
    model = toy(family, encoding.fields, **options).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_((3 * parameter).half().float())  # tables are exported in half precision
    twin, columns = exported(model, encoding), encoding.columns
    rng = np.random.default_rng(2)
    rows = np.stack([rng.integers(0, field.size, (3, 4)) for field in encoding.fields], axis=-1)
    rows[..., columns["place"]] = 2  # no bar line within the block
    state, point = twin.begin(3), torch.randn(2, 2)
    state.points = point.numpy()[:1]
    with torch.inference_mode():
        given = torch.from_numpy(rows[:, 0])
        painted = model.decode(model.with_told(point[:1].expand(3, -1), given[:, None]))
        for at in range(4):
            hidden = twin.advance(rows[:, at], rows[:, at], np.zeros(3, np.float32), state)
            assert np.abs(hidden - painted[:, at].numpy()).max() < 1e-4
            for field in encoding.composed:
                wanted = model.logits(field.name, painted[:, at], torch.from_numpy(rows[:, at]))
                found = twin.logits(field.name, hidden, rows[:, at])
                assert np.allclose(found, wanted.numpy(), rtol=1e-3, atol=1e-3)
        assert twin.can_encode == (family != "gan")
        if twin.can_encode:
            rows[1, 2:, columns["chord"]] = rows[1, 2:, columns["duration"]] = -1
            assert np.abs(twin.encode(rows) - model.encode(torch.from_numpy(rows)).numpy()).max() < 1e-4


def test_the_same_seed_gives_the_same_piece_and_a_piece_does_not_depend_on_those_beside_it():
    encoding = get_encoding("chords")
    twin = exported(toy("vae", encoding.fields, **DENSE), encoding)
    plans = [Plan(bars=2), Plan(bars=3, metre=(3, 4)), Plan(bars=1, upbeat=24)]

    def composed(which: list[int]) -> list[list]:
        rows: list[list] = [[] for _ in which]
        cursors = [encoding.cursor(plans[n]) for n in which]
        for n, row in sample(twin, cursors, Sampling(), rngs(*which)):
            rows[n].append(row.tolist())
        return rows

    together = composed([0, 1, 2])
    assert together == composed([0, 1, 2])
    assert [composed([n])[0] for n in range(3)] == together


def test_a_model_that_reads_no_music_says_so(tiny):
    loaded = model_file.load(tiny.model)
    assert not loaded.can_encode and loaded.stride == 1
    with pytest.raises(ModelError, match=r"family 'transformer' cannot say where music lies; one of the family .* vae"):
        loaded.encode(np.zeros((1, 4, loaded.encoding.width), dtype=np.int64))


# --- training


def test_aligned_windows_begin_at_bar_lines_and_are_plain_music(tiny):
    encoding = get_encoding(**tiny.music.spec)
    options = {"split": "train", "size": 4, "window": 12, "seed": 3}
    plain, aligned = (Batches(tiny.music, encoding, **options, align=align) for align in (False, True))
    place, role = encoding.columns["place"], encoding.columns["role"]
    begun: dict[Batches, list[int]] = {plain: [], aligned: []}
    for batches, places in begun.items():
        for step in range(8):
            batch = batches.at(step)
            for rows, mask in zip(batch["steps"], batch["mask"], strict=True):
                places.append(int(rows[mask][0, place]))
                if batches is aligned:
                    assert mask.sum() <= 13 and np.diff(mask.int()).astype(bool).sum() <= 2  # all is learnt once begun
                    assert (rows[mask][:, role] <= 2).all() and (rows[mask][:-1, place] > 0).all()
    assert set(begun[aligned]) == {1} < set(begun[plain])


SETTINGS = {"hidden": [16], "size": 4, "step_width": 8, "head_width": 8, "batch": 4, "window": 48, "evaluations": 2}


@pytest.fixture(scope="module")
def hymns(tmp_path_factory) -> Path:
    """The tunes as hymns of four voices, all in the rhythm of the first."""
    folder = tmp_path_factory.mktemp("blocks") / "hymns"
    folder.mkdir()
    for number in range(12):
        score, parts = tune(number), []
        for voice, below in enumerate((0, 7, 12, 24)):
            parts.append(score.notes.copy())
            parts[-1]["track"], parts[-1]["pitch"] = voice, parts[-1]["pitch"] - below
        whole = replace(score, notes=np.concatenate(parts), tracks=(Track("", 52),) * 4)
        formats.save(whole, folder / f"{number:02}.mid")
    return folder


@pytest.fixture(scope="module")
def mine(hymns) -> Path:
    """A model file of the family `vae` after ten steps on the hymns."""
    path = hymns.parent / "vae.partimento"
    request = api.TrainingRequest((hymns,), path, "vae", "voices", steps=10, workers=0, settings=SETTINGS)
    for _ in api.train(request):
        pass
    return path


def test_a_model_file_of_blocks_composes_on_time_and_goes_back_into_torch(mine):
    score = api.compose(model=mine, bars=6, key="C major", metre="3/4", seed=1, candidates=1)
    assert 5 * 3 * score.ticks_per_beat < score.end <= 6 * 3 * score.ticks_per_beat
    assert api.compose(model=mine, bars=6, key="C major", metre="3/4", seed=1, candidates=1) == score
    assert api.compose(model=mine, bars=6, key="C major", metre="3/4", seed=2, candidates=1) != score
    model = export.load_composer(mine)
    assert model.stride == 16 and model_file.load(mine).can_encode


# --- the map


def test_a_map_shows_every_piece_and_in_motion_every_checkpoint(mine, hymns, tmp_path):
    drawn, skipped = api.draw_map(mine, [hymns], tmp_path / "map.svg")
    assert len(drawn.names) == 12 and set(drawn.groups) == {"hymns"} and not skipped
    assert len(drawn.blocks) == 12 * 8 and 0.3 < drawn.share <= 1  # eight bars each
    image = pytest.importorskip("PIL.Image")
    moving, _ = api.draw_map(mine, [hymns], tmp_path / "map.gif")
    with image.open(tmp_path / "map.gif") as frames:
        assert frames.n_frames == 2  # its evaluations
    assert moving.title == "step 10" and np.abs(moving.blocks - drawn.blocks).max() < 0.2  # int8 beside full precision
    with pytest.raises(BadOption, match="keeps no checkpoints"):
        api.draw_map(mine, [hymns], tmp_path / "map.gif", run=tmp_path)


def test_a_map_of_a_model_that_reads_no_music_is_refused(tiny, command, tmp_path):
    code, _, complaint = command("map", tiny.model, tiny.tunes, "-o", tmp_path / "map.svg")
    assert code == 2 and complaint.count("\n") == 1 and "of the family autoencoder or vae" in complaint
    code, _, complaint = command("map", tiny.model, tiny.tunes, "-o", tmp_path / "map.pdf")
    assert code == 2 and "a map is written as" in complaint


def test_the_verb_says_what_is_on_the_map(mine, hymns, command, tmp_path):
    code, said, _ = command("map", mine, hymns, "-o", tmp_path / "map.png")
    assert code == 0 and said.startswith("12 pieces (12 hymns); ") and (tmp_path / "map.png").exists()
