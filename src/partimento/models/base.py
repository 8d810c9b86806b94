"""`Composer`: what a model family promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..encodings.base import Field
from .graphs import FlatEmbedding, Graph, Head, head_graph, step_graph
from .layers import Heads, StepEmbedding

Batch = Mapping[str, Tensor]
# What a batch holds, B pieces of T steps: "last" (B, T, columns) the rows before the steps, "steps" (B, T, columns)
# the steps themselves, both int64; "time" (B, T + 1) ticks of the rows; "mask" (B, T) true where a step is music.


class Composer(nn.Module):
    """A family of models over the fields that an encoding declares.

    Autoregressive families write `backbone` (all steps at once), `begin` and `advance` (one step at a time, with a
    state); loss, heads and embedding of a step are here. Families that paint a block of `stride` steps write `nats`,
    `graphs` and `state_spec`.
    """

    stride = 1  # steps a call: 1 when autoregressive, the window when it paints a block
    begins_common = False  # whether its last layers begin at the frequency of each class, see `training.commonness`
    is_chained = True  # whether a field sees those of its step that are chosen before it
    embedding: Any
    heads: Any

    def __init__(self, fields: Sequence[Field], width: int, embedding: nn.Module, heads: nn.Module):
        super().__init__()
        self.fields, self.width = tuple(fields), width
        self.columns = sum(field.width for field in fields)
        self.embedding, self.heads = embedding, heads

    def backbone(self, embedded: Tensor, time: Tensor, mask: Tensor) -> Tensor:
        """(B, T, width) embedded steps -> (B, T, width) hidden."""
        raise TypeError(f"{type(self).__name__} has no backbone")

    def hidden(self, batch: Batch) -> Tensor:
        """What the heads see at each step, (B, T, width)."""
        return self.backbone(self.embedding(batch["last"], batch["steps"]), batch["time"], batch["mask"])

    def nats(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Nats (B, T) of each composed field, 0 where its class is -1, and which steps count, (B, T) bool."""
        return self.heads.nats(self.hidden(batch), batch["steps"]), batch["mask"]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Nats per step of each composed field, to be summed; steps outside the mask and classes of -1 do not count."""
        nats, counts = self.nats(batch)
        steps = counts.sum().clamp(min=1)
        return {name: (value * counts).sum() / steps for name, value in nats.items()}

    def objectives(self) -> dict[str, Any]:
        """Name -> (parameters, loss function): one optimiser each. A GAN returns two."""
        return {"all": ([one for one in self.parameters() if one.requires_grad], self.loss)}

    def begin(self, size: int) -> list[Tensor]:
        """The state of `size` pieces before their first step."""
        raise TypeError(f"{type(self).__name__} cannot compose step by step")

    def advance(self, last: Tensor, given: Tensor, time: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step of the backbone: rows `last` and `given` (B, columns), `time` (B,) -> hidden (B, width), state."""
        raise TypeError(f"{type(self).__name__} cannot compose step by step")

    def logits(self, field: str, hidden: Tensor, chosen: Tensor) -> Tensor:
        """Logits (B, classes) of `field`; `chosen` (B, columns) holds what is known of the step so far."""
        return self.heads.logits(field, hidden, chosen)

    def state_spec(self) -> dict[str, Any]:
        """What `model_file` needs to know to keep the state: here the tensors that `begin` gives, without pieces."""
        kept = [
            [str(one.dtype).removeprefix("torch."), one.flatten()[0].item(), *one.shape[1:]] for one in self.begin(1)
        ]
        return {"kind": "memory", "tensors": kept}

    def graphs(self) -> dict[str, Graph]:
        """One step of the backbone, "advance", and the head of each field, "head.FIELD"; changes the model."""
        if isinstance(self.embedding, StepEmbedding):
            self.set_submodule("embedding", FlatEmbedding(self.embedding))
        state = self.begin(2)
        found = {"advance": step_graph(Advance(self), self.columns, state, [{0: "pieces"} for _ in state])}
        for name in (field.name for field in self.fields if not field.given):
            found[f"head.{name}"] = head_graph(self.head(name), self.width, self.columns)
        return found

    def head(self, name: str) -> nn.Module:
        """The head of a field as a module of hidden and what is chosen so far."""
        return Head(self.heads, name) if isinstance(self.heads, Heads) else self.heads.leave[name]


class Advance(nn.Module):
    """One step of a backbone as a graph of tensors alone."""

    def __init__(self, model: Composer):
        super().__init__()
        self.model = model

    def forward(self, last: Tensor, given: Tensor, time: Tensor, *state: Tensor):
        hidden, fresh = self.model.advance(last, given, time, list(state))
        return (hidden, *fresh)


def parameter_count(model: nn.Module) -> int:
    """Trainable numbers in a model."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def autocast_for(device: torch.device, dtype: str):
    """Mixed precision on `device`: "bf16" or "f32"."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == "bf16")
