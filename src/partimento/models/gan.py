"""Family `gan`: a generator that paints blocks and a critic that tells them from music (Goodfellow et al. 2014).

As it comes it is a Wasserstein GAN with gradient penalty (Gulrajani et al. 2017) on one-hot rolls. With
`outputs="scalar"`, `objective="classic"`, `critic="recurrent"` and `norm` it is the small one of the notebooks of 2019
(C-RNN-GAN's descendants): one number a step, which stands for the index of a class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..encodings.base import Field, columns_of
from .base import Batch
from .blocks import TOLD, Cut, Painter, Rolls, Told, dense, one_of
from .layers import nats_of
from .stack import Leaves

JUDGED = 20_261  # seed of the blocks that held-out music is compared with: always the same
MOST_COMPARED = 256  # blocks painted to compare with
MOMENTUM = 0.2  # of a new batch in the normalisation, Keras' 0.8
SLOPE = 0.2  # of leaky rectifiers
QUARTERS = 4  # of a block, in which what sounds is compared
SHARPNESS = 16.0  # nats a squared step between a class and the number that stands for it
SWITCH = 8.0  # logit of a unit whose number is 1


class Scalars(nn.Module):
    """Heads of a model that paints one number from -1 to 1 for each class field, its index scaled, and each unit.

    The logit of a class falls with the square of its distance, so that the nearest class is the likeliest.
    """

    def __init__(self, fields: Sequence[Field]):
        super().__init__()
        self.columns, self.places = columns_of(fields), dict[str, tuple[Field, slice]]()
        self.width = 0
        for field in (field for field in fields if not field.given):
            self.places[field.name] = (field, slice(self.width, self.width + field.width))
            self.width += field.width
        self.before: Mapping[str, Sequence[str]] = dict.fromkeys(self.places, ())
        self.leave = nn.ModuleDict()  # there are no last layers

    def logits(self, name: str, hidden: Tensor, chosen: Tensor) -> Tensor:
        """Logits (..., size) of field `name` from hidden (..., width)."""
        field, place = self.places[name]
        if field.kind == "binary":
            return SWITCH * hidden[..., place]
        index = (hidden[..., place] + 1) / 2 * (field.size - 1)
        return -SHARPNESS * (index - torch.arange(field.size, device=hidden.device)).square()

    def nats(self, hidden: Tensor, steps: Tensor) -> dict[str, Tensor]:
        """Negative log-likelihood (B, T) of each composed field; 0 where it holds -1."""
        return {
            name: nats_of(field, self.logits(name, hidden, steps).float(), steps, self.columns[name])
            for name, (field, _) in self.places.items()
        }

    def scaled(self, rows: Tensor) -> Tensor:
        """The numbers (..., width) that stand for rows (..., columns)."""
        found = []
        for name, (field, _) in self.places.items():
            at = self.columns[name]
            top = max(1, field.size - 1) if field.kind == "categorical" else 1
            found.append(rows[..., at : at + field.width].float() * 2 / top - 1)
        return torch.cat(found, dim=-1)


class Critic(nn.Module):
    """How much blocks (N, S, inputs) are like music, (N,) without bounds: the greater, the more.

    `kind` "dense": a layer that all steps share, then dense ones; "recurrent": an LSTM, one both ways, dense ones.
    `bias`: of the last layer, which is idle where only differences count.
    """

    def __init__(
        self, kind: str, inputs: int, stride: int, width: int, hidden: Sequence[int], told: int, bias: bool = False
    ):  # fmt: skip
        super().__init__()
        self.recurrent = one_of("critic", kind, ("dense", "recurrent")) == "recurrent"
        if self.recurrent:
            self.first = nn.LSTM(inputs, width, batch_first=True)
            self.both = nn.LSTM(width, width, batch_first=True, bidirectional=True)
        else:
            self.step = nn.Linear(inputs, width)
        self.rest = dense([(2 if self.recurrent else stride) * width + told, *hidden], "leaky", ends=True)
        self.leave = nn.Linear(hidden[-1], 1, bias=bias)

    def forward(self, blocks: Tensor, told: Tensor | None) -> Tensor:
        if self.recurrent:
            _, (last, _) = self.both(self.first(blocks)[0])
            seen = torch.cat([last[0], last[1]], dim=-1)
        else:
            seen = F.leaky_relu(self.step(blocks), SLOPE).flatten(1)
        return self.leave(self.rest(seen if told is None else torch.cat([seen, told], dim=-1)))[:, 0]


class Family(Painter):
    """`stride` steps from `size` numbers of noise through dense layers `hidden`.

    `outputs`: what the critic sees of a choice: its chances ("soft"), a draw by them ("drawn", Jang et al. 2017), the
    likeliest class and the units that are likely ("binary", Dong and Yang 2018), or one number ("scalar"). `critic`,
    `critic_width`, `critic_hidden`: see `Critic`. `objective` "wasserstein", with `penalty` on its gradient, or
    "classic". `matched`: the weight, in the generator's loss, of how unlike the batch's music its blocks are in plain
    figures, see `_figures` (Li et al. 2015; Bellemare et al. 2017). `norm`: batch normalisation in the generator. A GAN
    has no likelihood; it is judged by "distance", see `nats`.
    """

    adam_beta = 0.5  # with more momentum the two run around each other (Radford et al. 2016)

    def __init__(
        self, fields: Sequence[Field], *, stride: int = 16, size: int = 64, hidden: Sequence[int] = (256, 512),
        step_width: int = 64, outputs: str = "soft", critic: str = "dense", critic_width: int = 64,
        critic_hidden: Sequence[int] = (512, 256), objective: str = "wasserstein", penalty: float = 10.0,
        matched: float = 0.0, norm: bool = False, is_told: bool = True, drift: float = 0.7,
    ):  # fmt: skip
        self.outputs = one_of("outputs", outputs, ("soft", "drawn", "binary", "scalar"))
        heads = Scalars(fields) if outputs == "scalar" else Leaves(fields, step_width)
        rolls = Rolls(fields)
        width = heads.width if isinstance(heads, Scalars) else step_width
        super().__init__(
            fields, stride=stride, size=size, width=width, embedding=rolls, heads=heads, is_told=is_told, drift=drift
        )
        self.objective = one_of("objective", objective, ("wasserstein", "classic"))
        self.penalty, self.matched, momentum = penalty, matched, MOMENTUM if norm else None
        self.way_out = dense([size + self.told_width, *hidden], "leaky", ends=True, norm=momentum)
        self.to_steps = nn.Linear(hidden[-1], stride * width)
        inputs = width if outputs == "scalar" else rolls.width
        bias = objective == "classic"
        self.critic = Critic(critic, inputs, stride, critic_width, critic_hidden, self.told_width, bias)
        self.critic_told = Told(fields, TOLD) if self.told is not None else None

    def decode(self, point: Tensor) -> Tensor:
        steps = self.to_steps(self.way_out(point)).view(-1, self.stride, self.width)
        return torch.tanh(steps) if self.outputs == "scalar" else F.leaky_relu(steps, SLOPE)

    def objectives(self) -> dict[str, Any]:
        """The critic's and the generator's, each with its own parameters."""
        critic = [one for part in (self.critic, self.critic_told) if part is not None for one in part.parameters()]
        own = {id(one) for one in critic}
        return {
            "critic": (critic, self.critic_loss),
            "generator": ([one for one in self.parameters() if id(one) not in own], self.generator_loss),
        }

    def critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        """ "critic", how badly painted blocks are told from music (0 to -inf, or cross-entropy), and "penalty"."""
        cut = self._music(batch)
        with torch.no_grad():
            painted = self._painted(cut)
        music, told = self._seen(cut), self._told(cut)
        of_music, of_painted = self.critic(music, told), self.critic(painted, told)
        if self.objective == "classic":
            both = F.softplus(-of_music).mean() + F.softplus(of_painted).mean()  # binary cross-entropies
            return {"critic": both / 2}
        between = torch.rand(len(music), 1, 1, device=music.device)
        mixed = (between * music + (1 - between) * painted).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(mixed, told).sum(), mixed, create_graph=True)
        steep = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        return {"critic": of_painted.mean() - of_music.mean(), "penalty": self.penalty * steep}

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """ "generator": how little the critic takes painted blocks for music, and "matched" where it is asked for."""
        cut = self._music(batch)
        painted = self._painted(cut)
        found = self.critic(painted, self._told(cut))
        terms = {"generator": F.softplus(-found).mean() if self.objective == "classic" else -found.mean()}
        if self.matched:
            of_painted, of_music = (self._figures(one, cut.counts) for one in (painted, self._seen(cut)))
            terms["matched"] = self.matched * _energy(of_painted, of_music)
        return terms

    def _figures(self, blocks: Tensor, counts: Tensor) -> Tensor:
        """Of blocks (N, S, inputs): what sounds in each quarter of them, how much in each step, and what changes."""
        found = [F.adaptive_avg_pool1d(blocks.transpose(1, 2), QUARTERS).flatten(1)]
        pairs = (counts[:, 1:] & counts[:, :-1]).float()
        parts = [slice(0, self.width)] if self.outputs == "scalar" else [place for _, place in self.embedding.parts()]
        for place in parts:
            own = blocks[..., place]
            found += [own.sum(-1), (own[:, 1:] - own[:, :-1]).abs().sum(-1) * pairs]
        return torch.cat(found, dim=-1)

    def _music(self, batch: Batch) -> Cut:
        """The blocks of a batch that hold music."""
        cut = self.cut(batch)
        held = cut.counts.any(1)
        return Cut(cut.rows[held], cut.counts[held], cut.index)

    def _told(self, cut: Cut) -> Tensor | None:
        return None if self.critic_told is None else self.critic_told(cut.rows[:, 0], cut.rows[:, 0])

    def _seen(self, cut: Cut) -> Tensor:
        """Music as the critic sees it, (N, S, inputs)."""
        found = self.heads.scaled(cut.rows) if self.outputs == "scalar" else self.embedding(cut.rows)
        return found * cut.counts[..., None]

    def _painted(self, cut: Cut) -> Tensor:
        """As many painted blocks, silent where the music's are, as the critic sees them."""
        point = torch.randn(len(cut.rows), self.size, device=cut.rows.device)
        hidden = self.decode(self.with_told(point, cut.rows))
        if self.outputs != "scalar":
            hidden = torch.cat([self._chances(field, hidden) for field in self.unheld], dim=-1)
        return hidden * cut.counts[..., None]

    def _chances(self, field: Field, hidden: Tensor) -> Tensor:
        """The chances of a field's classes or units (N, S, size), or a choice by them that lets gradients through."""
        logits = self.heads.logits(field.name, hidden, hidden)
        if field.kind == "categorical" and self.outputs == "drawn":
            return F.gumbel_softmax(logits, hard=True)
        chances = logits.softmax(-1) if field.kind == "categorical" else logits.sigmoid()
        if self.outputs == "soft":
            return chances
        chosen = _likely(field, logits) if self.outputs == "binary" else (torch.rand_like(chances) < chances).float()
        return chosen + chances - chances.detach()

    def nats(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """No nats, for there is no likelihood, but "distance": how unlike painted blocks music is, 0 or more (B, T).

        The energy score (Gneiting and Raftery 2007) of every block of music, the same at each of its steps, by the
        shares of classes and units in a block and by how often a field stays as it is. It is proper: lowest, on the
        average, where painted blocks are distributed as music is.
        """
        whole = self.cut(batch)
        cut = self._music(batch)
        chance = torch.Generator().manual_seed(JUDGED)
        some = torch.randperm(len(cut.rows), generator=chance)[:MOST_COMPARED].to(cut.rows.device)
        compared = Cut(cut.rows[some], cut.counts[some], cut.index)
        painted = self._statistics(self._drawn(compared, chance), compared.counts)
        music = self._statistics(self.embedding(cut.rows), cut.counts)
        apart = torch.cdist(painted, painted).sum() / max(1, len(some) * (len(some) - 1))
        score = torch.zeros(len(whole.rows), device=music.device)
        score[whole.counts.any(1)] = torch.cdist(music, painted).mean(1) - apart / 2
        return {"distance": whole.back(score[:, None].expand(whole.counts.shape))}, batch["mask"]

    def _drawn(self, cut: Cut, chance: torch.Generator) -> Tensor:
        """Blocks of rolls (N, S, width) painted from noise of `chance` and drawn as they are in composing."""

        def noise(*shape: int) -> Tensor:
            return torch.rand(shape, generator=chance).clamp(1e-6, 1 - 1e-6).to(cut.rows.device)

        point = torch.randn(len(cut.rows), self.size, generator=chance).to(cut.rows.device)
        hidden, found = self.decode(self.with_told(point, cut.rows)), []
        for field in self.unheld:
            logits = self.heads.logits(field.name, hidden, hidden).float()
            if self.outputs == "binary":
                found.append(_likely(field, logits))
            elif field.kind == "categorical":
                drawn = (logits - torch.log(-torch.log(noise(*logits.shape)))).argmax(-1)
                found.append(F.one_hot(drawn, field.size).float())
            else:
                found.append((noise(*logits.shape) < logits.sigmoid()).float())
        return torch.cat(found, dim=-1)

    def _statistics(self, rolls: Tensor, counts: Tensor) -> Tensor:
        """Of blocks of rolls (N, S, width): shares of classes and units, and of steps that leave a field as it is."""
        held, pairs = counts[..., None].float(), (counts[:, 1:] & counts[:, :-1]).float()
        found = [(rolls * held).sum(1) / held.sum(1)]
        for _, place in self.embedding.parts():
            same = (rolls[:, 1:, place] == rolls[:, :-1, place]).all(-1)
            found.append(((same * pairs).sum(1) / pairs.sum(1).clamp(min=1))[:, None])
        return torch.cat(found, dim=-1)


def _likely(field: Field, logits: Tensor) -> Tensor:
    """The likeliest class one-hot, or the units that are rather on than off, (..., size) of 0 and 1."""
    if field.kind == "categorical":
        return F.one_hot(logits.argmax(-1), field.size).float()
    return (logits > 0).float()


def _energy(one: Tensor, other: Tensor) -> Tensor:
    """The energy distance (Székely and Rizzo 2013) of two samples (N, size), 0 where they are alike, without bias."""
    pairs = max(1, len(one) * (len(one) - 1))
    inside = torch.cdist(one, one).sum() + torch.cdist(other, other).sum()
    return torch.cdist(one, other).mean() - inside / (2 * pairs)
