"""The shipped styles: model files in this folder, each with one or more styles, and their cards beside them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from .. import model_file
from ..errors import UnknownName

FOLDER = Path(__file__).parent


@cache
def models(style: str) -> tuple[Path, ...]:
    """The shipped models of a style, the one that has the fewest other styles first."""
    paths = [path for path in sorted(FOLDER.glob(f"*{model_file.SUFFIX}")) if style in described(path)["styles"]]
    return tuple(sorted(paths, key=lambda path: len(described(path)["styles"])))


@cache
def shipped() -> dict[str, Path]:
    """Style -> the model file that composes it where nothing is asked for that only another of its models can."""
    names = {style for path in FOLDER.glob(f"*{model_file.SUFFIX}") for style in described(path)["styles"]}
    return {style: models(style)[0] for style in sorted(names)}


@cache
def described(path: Path) -> dict[str, Any]:
    """The description of a model file; read once."""
    return model_file.read_info(path)


def find(style: str, obedient: bool = False) -> Path:
    """The shipped model of a style, `obedient` one that has learnt controls and gaps, if there is one.

    Raises `UnknownName` with the styles there are.
    """
    if style not in shipped():
        raise UnknownName(f"no style {style!r}; there are {', '.join(shipped())}. A model of your own: --model FILE")
    able = [path for path in models(style) if described(path)["styles"][style].get("scales")] if obedient else []
    return (able or [shipped()[style]])[0]
