"""What every face calls: compose, train, and the styles there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .corpus import Cache, build_cache, scan
from .encodings import get_encoding
from .errors import BadOption

if TYPE_CHECKING:
    from .training.loop import Progress


@dataclass(frozen=True)
class TrainingRequest:
    """What `train` is asked for; `settings` reach the training plan or the family by name."""

    folders: tuple[Path, ...]
    output: Path
    family: str = "transformer"
    encoding: str = "notes"
    encoding_options: dict[str, Any] = field(default_factory=dict)
    minutes: float = 10.0
    steps: int = 0
    styles: Mapping[str, str] = field(default_factory=dict)  # folder's style -> the style it is trained as
    labels: Path | None = None
    work: Path | None = None  # where the run and the cache live; default: beside the output
    workers: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def work_folder(self) -> Path:
        return self.work or self.output.with_name(self.output.name + ".run")


def prepare(request: TrainingRequest, progress=None) -> Cache:
    """Scan the request's folders and open, or build, the cache of their steps."""
    catalogue = scan(request.folders, labels=request.labels, workers=request.workers, progress=progress)
    entries = tuple(replace(entry, style=request.styles.get(entry.style, entry.style)) for entry in catalogue.entries)
    catalogue = replace(catalogue, entries=entries)
    encoding = get_encoding(request.encoding, styles=catalogue.styles, **request.encoding_options)
    return build_cache(catalogue, encoding, request.work_folder / "cache", workers=request.workers, progress=progress)


def train(request: TrainingRequest, progress=None) -> Iterator[Progress]:
    """Train on the request's folders and leave a model file; yields `Progress` as it goes.

    A run that was killed goes on where it stood, to the same weights. Needs torch: `pip install 'partimento[train]'`.
    """
    from .training import export
    from .training.loop import TrainingPlan
    from .training.loop import train as run_training

    cache = prepare(request, progress)
    plan = _plan(TrainingPlan, request)
    yield from run_training(cache, plan, request.work_folder)
    export.export_run(cache, plan, request.work_folder, request.output)


def _plan(kind, request: TrainingRequest):
    """The training plan: settings named like its fields reach it, the others (without a dot's prefix) the family."""
    known = kind.__dataclass_fields__
    own = {name: value for name, value in request.settings.items() if name in known}
    options = {name: value for name, value in request.settings.items() if name not in known}
    if "options" in own:
        raise BadOption("'options' cannot be set as a whole; set the family's options one by one")
    return kind(family=request.family, minutes=request.minutes, steps=request.steps, options=options, **own)
