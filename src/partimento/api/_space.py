"""A latent space as a plane: where pieces lie in it, and what a place of the plane sounds like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import morphing
from ..encodings.base import Plan
from ..errors import BadOption, ModelError, PartimentoError
from ..sampling import Sampling
from ..score import Score
from ._models import loaded_model


def place(model: Path | str, scores: Sequence[Score], *, style: str | None = None) -> dict[str, Any]:
    """Where pieces lie in the latent space of a model file of the family autoencoder or vae, in plain data.

    "points" are [x, y] of each piece, in the two directions in which they differ most, or None where the model cannot
    hold it, with the reason in "left_out"; "plane" says which directions they are, for `at_place`; "share" (0-1) how
    much of the variance is seen. Raises `ModelError` where the model cannot read music.
    """
    from ..training import latent

    loaded = loaded_model(Path(model))
    latent.encoder_of(loaded)
    name, read, left_out = style or _first_style(loaded), {}, {}
    for n, score in enumerate(scores):
        try:
            found = morphing.points_of(loaded, score, name)
        except PartimentoError as error:
            left_out[n] = str(error)
            continue
        if len(found):
            read[n] = np.asarray(found, dtype=np.float64)
    if not read:
        raise BadOption("none of the pieces can be read by this model; put some of its kind into the library")
    everything = np.concatenate(list(read.values()))
    directions = latent.directions_of(everything)
    places = {n: directions.of(points) for n, points in read.items()}
    seen, whole = np.concatenate(list(places.values())).var(axis=0).sum(), everything.var(axis=0).sum()
    points = [places[n].mean(axis=0).tolist() if n in places else None for n in range(len(scores))]
    plane = {"middle": directions.middle.tolist(), "axes": directions.axes.tolist()}
    return {"points": points, "left_out": left_out, "plane": plane, "share": float(seen / whole) if whole else 1.0}


def at_place(
    model: Path | str, plane: Mapping[str, Any], at: tuple[float, float], *, bars: int = 4, style: str | None = None,
    seed: int = 0,
) -> Score:  # fmt: skip
    """What lies at the place (x, y) of a plane that `place` gave: `bars` (1-64) of music, every block that point.

    Raises `ModelError` where the model has no such space.
    """
    loaded = loaded_model(Path(model))
    middle, axes = np.asarray(plane["middle"], dtype=np.float64), np.asarray(plane["axes"], dtype=np.float64)
    if not loaded.can_encode or axes.shape != (len(middle), 2):
        raise ModelError("this model has no latent space, or the place is another model's; draw the map anew")
    if not 1 <= bars <= morphing.MOST_BARS:
        raise BadOption(f"bars {bars} is out of range; wanted 1 to {morphing.MOST_BARS}")
    name = style or _first_style(loaded)
    profile = loaded.info["styles"][name]
    key, metre = profile["keys"][0][0], profile["metres"][0][0]
    plan = Plan(
        bars, name, (key[0], key[1]), (metre[0], metre[1]), float(metre[3]), tuple(profile["programs"][0][0]),
        goes_on=True,
    )  # fmt: skip
    point = middle + axes @ np.array(at, dtype=np.float64)
    points = np.repeat(point[None].astype(np.float32), morphing.MOST_BARS * 4, axis=0)
    return morphing.painted(loaded, points, plan, Sampling(temperature=0.0), np.random.default_rng(seed))


def _first_style(model) -> str:
    return next(iter(model.info.get("styles") or {}), "")
