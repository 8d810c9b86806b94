"""What the benchmarks share: where a figure comes from, how sure it is, and how it is kept."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from partimento.evaluation._chance import DRAWS, interval_of, ranks, spearman, wilson
from partimento.machine import processor

__all__ = [
    "DATA", "DRAWS", "announce", "bootstrap", "digest", "keep", "origin", "ranks", "slope", "spearman", "table",
    "wilson", "write_json",
]  # fmt: skip

DATA = Path(os.environ.get("PARTIMENTO_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def origin(script: str, arguments: Sequence[str] | None, seed: int) -> dict[str, Any]:
    """Where figures come from: the command as it was typed, the machine, the seed, the versions, the day."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    words = [Path(word).name if Path(word).is_absolute() else word for word in words]  # where it lay is of no interest
    return {
        "command": f"python benchmarks/{script} {shlex.join(words)}".rstrip(), "machine": processor(),
        "cores": os.cpu_count(), "seed": seed, "versions": versions(), "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip


def announce(where: dict[str, Any]) -> None:
    """Say where the figures that follow come from."""
    print(f"command: {where['command']}")
    print(f"machine: {where['machine']}, {where['cores']} cores; seed {where['seed']}; {where['versions']}", flush=True)


def versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("partimento", "numpy", "onnxruntime", "symusic"))
    return f"python {platform.python_version()}, {packages}"


def digest(path: Path) -> str:
    """What tells one model file from another, as recipes have it: the first 12 digits of its SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def write_json(path: Path, value: Any) -> None:
    """Write `value` beside `path` and rename it, so that a killed run leaves a whole file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    beside.write_text(json.dumps(finite(value), indent=1), encoding="utf-8")
    beside.replace(path)


def finite(value: Any) -> Any:
    """The same figures with None for what has no end or is no number: JSON knows neither."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def keep(path: Path, model: Path, where: dict[str, Any], found: dict[str, dict]) -> None:
    """Put what was found of each style of a model into the file beside the shipped styles that cards are made from."""
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    own = known.get(model.name, {}) | {style: {**where, "model": digest(model), **one} for style, one in found.items()}
    write_json(path, dict(sorted((known | {model.name: dict(sorted(own.items()))}).items())))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of an aligned table."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


# --- how sure a figure is


def slope(asked: np.ndarray, found: np.ndarray) -> float:
    """By how much `found` (N,) rises where `asked` (N,) rises by 1: the line of least squares."""
    centred = asked - asked.mean()
    return float((centred * found).sum() / max(1e-12, float((centred**2).sum())))


def bootstrap(function: Callable[..., float], *columns: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95 % interval of `function` of the columns (N,), rows being drawn again with replacement."""
    rng, count = np.random.default_rng(seed), len(columns[0])
    draws = [rng.integers(count, size=count) for _ in range(DRAWS)]
    return interval_of(np.array([function(*(column[draw] for column in columns)) for draw in draws]))
