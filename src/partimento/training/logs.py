"""The log of a run: a line of `log.csv` for each progress, and TensorBoard's events where they are asked for."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import MissingExtra

NAME, EVENTS = "log.csv", "tensorboard"
FIRST = (
    "step", "epoch", "setbacks", "seconds", "rate", "notes_per_second", "train", "valid", "learnt", "accuracy",
    "learnt_accuracy",
)  # fmt: skip


class Log:
    """Writes `log.csv` in a run's folder; lines beyond where the run stands, of one that was killed, are dropped.

    Columns: step, epoch, setbacks so far, seconds, learning rate, notes a second, then nats per step of music: `train`
    (as learnt since the line before), `valid` (held out), `learnt` (training pieces judged as the held-out ones are);
    the share of right choices on both; `valid.FIELD` and `accuracy.FIELD` of each composed field.
    """

    def __init__(self, folder: Path, fields: Sequence[str], step: int, setbacks: int, tensorboard: bool = False):
        self.path = folder / NAME
        self.columns = [*FIRST, *(f"valid.{name}" for name in fields), *(f"accuracy.{name}" for name in fields)]
        before = [row for row in read(folder) if _is_before(row, step, setbacks)]
        with self.path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self.columns, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(before)
        self.events = tensorboard_writer()(str(folder / EVENTS), purge_step=step + 1) if tensorboard else None

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a line; what is None or not there stays empty."""
        with self.path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, self.columns, restval="", lineterminator="\n").writerow(
                {name: _text(row.get(name)) for name in self.columns}
            )
        if self.events is not None:
            for name in self.columns[1:]:
                if row.get(name) is not None:
                    self.events.add_scalar(name.replace(".", "/"), row[name], row["step"])
            self.events.flush()

    def close(self) -> None:
        """End TensorBoard's file."""
        if self.events is not None:
            self.events.close()


def read(folder: Path) -> list[dict[str, str]]:
    """The lines of a run's log as they stand, none where there is no log."""
    path = folder / NAME
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tensorboard_writer():
    """The class that writes TensorBoard's events; raises `MissingExtra` where tensorboard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtra("TensorBoard logs need tensorboard: pip install 'partimento[curves]'") from error
    return SummaryWriter


def _is_before(row: Mapping[str, str], step: int, setbacks: int) -> bool:
    """Whether a line was written before the run came to where it stands; a line cut short was not."""
    try:
        return (int(row["setbacks"]), int(row["step"])) <= (setbacks, step)
    except (KeyError, TypeError, ValueError):
        return False


def _text(value: Any) -> Any:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else value
