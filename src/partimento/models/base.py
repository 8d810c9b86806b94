"""`Composer`: what a model family promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..encodings.base import Field
from .layers import Heads, StepEmbedding

Batch = Mapping[str, Tensor]
# What a batch holds, B pieces of T steps: "last" (B, T, columns) the rows before the steps, "steps" (B, T, columns)
# the steps themselves, both int64; "time" (B, T + 1) ticks of the rows; "mask" (B, T) true where a step is music.


class Composer(nn.Module):
    """A family of models over the fields that an encoding declares.

    Autoregressive families set `self.width` and write `backbone` (all steps at once), `begin` and `advance` (one step
    at a time, with a state) and `state_names`; loss, heads and embedding of a step are here.
    """

    stride = 1  # steps a call: 1 when autoregressive, the window when it paints a block

    def __init__(self, fields: Sequence[Field], width: int, dropout: float, head_width: int):
        super().__init__()
        self.fields, self.width = tuple(fields), width
        self.embedding = StepEmbedding(self.fields, width)
        self.heads = Heads(self.fields, width, head_width, dropout)

    def backbone(self, embedded: Tensor, time: Tensor, mask: Tensor) -> Tensor:
        """(B, T, width) embedded steps -> (B, T, width) hidden."""
        raise TypeError(f"{type(self).__name__} has no backbone")

    def hidden(self, batch: Batch) -> Tensor:
        """What the heads see at each step, (B, T, width)."""
        return self.backbone(self.embedding(batch["last"], batch["steps"]), batch["time"], batch["mask"])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Nats per step of each composed field, to be summed; steps outside the mask and classes of -1 do not count."""
        nats = self.heads.nats(self.hidden(batch), batch["steps"])
        steps = batch["mask"].sum().clamp(min=1)
        return {name: (value * batch["mask"]).sum() / steps for name, value in nats.items()}

    def objectives(self) -> dict[str, Any]:
        """Name -> (parameters, loss function): one optimiser each. A GAN returns two."""
        return {"all": (list(self.parameters()), self.loss)}

    def begin(self, size: int) -> list[Tensor]:
        """The state of `size` pieces before their first step."""
        raise TypeError(f"{type(self).__name__} cannot compose step by step")

    def advance(self, last: Tensor, given: Tensor, time: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step of the backbone: rows `last` and `given` (B, columns), `time` (B,) -> hidden (B, width), state."""
        raise TypeError(f"{type(self).__name__} cannot compose step by step")

    def logits(self, field: str, hidden: Tensor, chosen: Tensor) -> Tensor:
        """Logits (B, classes) of `field`; `chosen` (B, columns) holds what is known of the step so far."""
        return self.heads.logits(field, hidden, chosen)


def parameter_count(model: nn.Module) -> int:
    """Trainable numbers in a model."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def autocast_for(device: torch.device, dtype: str):
    """Mixed precision on `device`: "bf16" or "f32"."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == "bf16")
