"""Family `vae`: a variational autoencoder of blocks (Kingma and Welling 2014; for music Roberts et al. 2018).

What is told of a block is told to both sides (Sohn et al. 2015), so that a point need not hold key and metre.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..encodings.base import Field
from ..errors import BadOption
from .base import Batch
from .blocks import Coder, Cut

JUDGED = 20_261  # seed of the noise with which held-out music is judged: always the same
LEAST_SPREAD = 1e-3
LOG_VARIANCE = 8.0  # which is kept within this, so that no exponential runs away


class Family(Coder):
    """`stride` steps through `size` numbers that are normally distributed where nothing is known.

    The terms of its loss are the nats of each field and "kl", all of them nats per step of music: KL and
    reconstruction are both sums over a block, so that their balance does not depend on its length. `beta` weighs the
    KL (Higgins et al. 2017), rising from 0 over `warm_up` steps of training (Bowman et al. 2016); the first
    `free_bits` nats of each of the `size` numbers are free (Kingma et al. 2016). Without these a block is often painted
    from what it is told alone, and its point is no matter. Points are drawn where those of the music lie
    (Ghosh et al. 2020), which is the standard normal distribution as far as the KL holds them to it. What it is judged
    by has neither free bits nor warm-up, and its KL is from where points are drawn: with a `beta` of 1 it is the
    negative evidence lower bound, at least the nats of the music; with another it bounds nothing.
    """

    seen: Tensor

    begins_common = True
    points_a_block = 2  # mean and logarithm of the variance

    def __init__(
        self, fields: Sequence[Field], *, stride: int = 16, size: int = 64, hidden: Sequence[int] = (512, 256),
        step_width: int = 64, head_width: int = 96, loss: str = "natural", activation: str = "relu",
        is_told: bool = True, beta: float = 1.0, free_bits: float = 0.0, warm_up: int = 0, drift: float = 0.7,
        dropout: float = 0.1,
    ):  # fmt: skip
        super().__init__(
            fields, stride=stride, size=size, hidden=hidden, step_width=step_width, head_width=head_width,
            activation=activation, loss=loss, is_told=is_told, drift=drift, dropout=dropout,
        )  # fmt: skip
        for name, value, most in (("beta", beta, 1000), ("free_bits", free_bits, 1000), ("warm_up", warm_up, 10**9)):
            if not 0 <= value <= most:
                raise BadOption(f"{name} {value!r} is out of range; wanted 0 to {most}")
        self.beta, self.free_bits, self.warm_up = beta, free_bits, warm_up
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))  # steps of training

    def normal(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance (N, size) of the points of blocks (N, stride, columns)."""
        mean, log_variance = self.code(rows).chunk(2, dim=-1)
        return mean, LOG_VARIANCE * torch.tanh(log_variance / LOG_VARIANCE)

    def encode(self, rows: Tensor) -> Tensor:
        return self.normal(rows)[0]

    def hidden(self, batch: Batch) -> Tensor:
        """What the heads see at each step, (B, T, width): each block as it comes back from its mean point."""
        cut = self.cut(batch)
        return cut.back(self.decode(self.with_told(self.encode(cut.rows), cut.rows)))

    def nats(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Nats (B, T) of each field at points drawn near the means, and "kl", `beta` times that of a block, shared."""
        cut = self.cut(batch)
        found, mean, log_variance = self._painted(batch, cut)
        kl = divergence(mean, log_variance, self.mean, self.spread)  # from where points are drawn in composing
        return found | {"kl": _shared(self.beta * kl.sum(-1), cut)}, batch["mask"]

    def tighter(self, batch: Batch, draws: int) -> Tensor:
        """Nats (N,) of each block of a batch, a bound that `draws` points each bring nearer to the truth.

        Burda, Grosse and Salakhutdinov (2016): minus the logarithm of the mean over the points of the chance of the
        music at a point times its density where points are drawn over that where the encoder drew it.
        """
        cut, rng = self.cut(batch), torch.Generator().manual_seed(JUDGED)
        mean, log_variance = (one.float() for one in self.normal(cut.rows))
        scale, found = self.spread.clamp(min=LEAST_SPREAD), []
        for _ in range(draws):
            noise = torch.randn(mean.shape, generator=rng).to(mean)
            point = mean + torch.exp(0.5 * log_variance) * noise
            nats = self.heads.nats(self.decode(self.with_told(point, cut.rows)), cut.rows)
            music = (torch.stack(list(nats.values())).sum(0) * cut.counts).sum(1)
            drawn = 0.5 * ((point - self.mean) / scale).square() + scale.log()
            found.append(-music - (drawn - 0.5 * noise.square() - 0.5 * log_variance).sum(1))
        return math.log(draws) - torch.stack(found).logsumexp(0)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Nats per step of each field, and of the KL as `beta` and `free_bits` have it."""
        cut, counts, beta = self.cut(batch), batch["mask"], self.beta
        found, mean, log_variance = self._painted(batch, cut)
        kl = divergence(mean, log_variance)
        if self.training:
            beta *= min(1.0, int(self.seen) / max(1, self.warm_up)) if self.warm_up else 1.0
            self.seen += 1
        steps = counts.sum().clamp(min=1)
        terms = {name: (value * counts).sum() / steps for name, value in found.items()}
        held = cut.counts.any(1)
        of_numbers = kl[held].mean(0).clamp(min=self.free_bits)  # (size,) on the average of the blocks
        return terms | {"kl": beta * of_numbers.sum() * held.sum() / steps}

    def _painted(self, batch: Batch, cut: Cut) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Nats (B, T) of each field at drawn points, and mean and logarithm of the variance (N, size) of these."""
        mean, log_variance = self.normal(cut.rows)
        point = mean + torch.exp(0.5 * log_variance) * self._noise(mean)
        if self.training:
            self.look_back(point.detach()[cut.counts.any(1)])
        hidden = cut.back(self.decode(self.with_told(point, cut.rows)))
        return self.heads.nats(hidden, batch["steps"]), mean.float(), log_variance.float()

    def _noise(self, like: Tensor) -> Tensor:
        """Standard normal numbers: the training loop's own, or in evaluation always the same."""
        if self.training:
            return torch.randn_like(like)
        rng = torch.Generator().manual_seed(JUDGED)
        return torch.randn(like.shape, generator=rng).to(like)


def divergence(
    mean: Tensor, log_variance: Tensor, centre: Tensor | float = 0.0, spread: Tensor | float = 1.0
) -> Tensor:
    """Nats (N, size) by which normal distributions part from that around `centre` (Kullback and Leibler 1951)."""
    scale = torch.as_tensor(spread, device=mean.device).clamp(min=LEAST_SPREAD)
    apart, narrower = (mean - centre) / scale, log_variance - 2 * scale.log()
    return 0.5 * (apart.square() + narrower.exp() - 1 - narrower)


def _shared(of_block: Tensor, cut: Cut) -> Tensor:
    """What belongs to a block (N,) shared evenly by its steps, (B, T)."""
    each = of_block / cut.counts.sum(1).clamp(min=1)
    return cut.back(each[:, None].expand(cut.counts.shape))
