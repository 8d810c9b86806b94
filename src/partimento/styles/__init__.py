"""The shipped styles: model files in this folder, each with one or more styles, and their cards beside them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from .. import model_file
from ..errors import UnknownName

FOLDER = Path(__file__).parent


@cache
def shipped() -> dict[str, Path]:
    """Style -> the model file that composes it."""
    return {style: path for path in sorted(FOLDER.glob(f"*{model_file.SUFFIX}")) for style in described(path)["styles"]}


@cache
def described(path: Path) -> dict[str, Any]:
    """The description of a model file; read once."""
    return model_file.read_info(path)


def find(style: str) -> Path:
    """The shipped model of a style; raises `UnknownName` with the styles there are."""
    if style not in shipped():
        raise UnknownName(f"no style {style!r}; there are {', '.join(shipped())}. A model of your own: --model FILE")
    return shipped()[style]
