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

from partimento.machine import processor

DATA = Path(os.environ.get("PARTIMENTO_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
DRAWS = 500  # of a bootstrap
NORMAL_95 = 1.96


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


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0 of `values` (N,), equal values sharing the mean of theirs, (N,)."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[inverse]


def pearson(left: np.ndarray, right: np.ndarray) -> float:
    """Correlation of two columns (N,), -1 to 1; not a number where one of them never changes."""
    left, right = left - left.mean(), right - right.mean()
    scale = math.sqrt(float((left**2).sum() * (right**2).sum()))
    return float((left * right).sum()) / scale if scale > 0 else math.nan


def spearman(left: np.ndarray, right: np.ndarray) -> float:
    """Correlation of the ranks of two columns (N,), -1 to 1; not a number where one of them never changes."""
    return pearson(ranks(np.asarray(left)), ranks(np.asarray(right)))


def slope(asked: np.ndarray, found: np.ndarray) -> float:
    """By how much `found` (N,) rises where `asked` (N,) rises by 1: the line of least squares."""
    centred = asked - asked.mean()
    return float((centred * found).sum() / max(1e-12, float((centred**2).sum())))


def bootstrap(function: Callable[..., float], *columns: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95 % interval of `function` of the columns (N,), rows being drawn again with replacement."""
    rng, count = np.random.default_rng(seed), len(columns[0])
    draws = [rng.integers(count, size=count) for _ in range(DRAWS)]
    found = np.array([function(*(column[draw] for column in columns)) for draw in draws])
    found = found[np.isfinite(found)]
    if not len(found):
        return math.nan, math.nan
    low, high = np.percentile(found, (2.5, 97.5))
    return float(low), float(high)


def wilson(hits: int, count: int) -> tuple[float, float, float]:
    """Share of hits with its 95 % interval (Wilson 1927, JASA 22: 209-212), 0 to 1."""
    if not count:
        return math.nan, 0.0, 1.0
    share, square = hits / count, NORMAL_95**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = NORMAL_95 / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return share, max(0.0, centre - half), min(1.0, centre + half)
