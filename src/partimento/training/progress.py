"""What a training says of itself while it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Progress:
    """Where training stands; nats are per step of music (a note, or a sixteenth of four voices).

    `said` is for a person to read: how long it will be, a setback, what was chosen at the end. The last one of a run
    has its `health`, the verdict on what was trained (see `health.health_of`).
    """

    step: int
    steps: int
    train: float
    valid: float | None
    best: float | None
    notes_per_second: float
    seconds: float
    terms: dict[str, float] = field(default_factory=dict)
    epoch: float = 0.0
    left: float = 0.0  # seconds, by the pace so far
    accuracy: float | None = None  # share of all held-out choices whose likeliest class is the true one
    said: tuple[str, ...] = ()
    health: dict[str, Any] | None = None
