"""Explaining as every face asks for it: which model reads what, and how it is shown."""

from __future__ import annotations

from pathlib import Path

from .. import styles
from ..editing import style_like
from ..errors import BadOption, FormatError, MissingExtra, MusicError, UnknownName
from ..explaining import Explanation, Inside, lines, read, written
from ..score import Score
from ._models import DEFAULT_STYLE, loaded_model
from ._pieces import compose

NEEDS_TORCH = "gates and attention need torch: pip install 'partimento[train]'; the chances above do not"
INSTALLED = ("torch", "safetensors")


def explain(
    score: Score | None = None, *, model: Path | str | None = None, style: str | None = None, bars: int = 16,
    bar: int | None = None, top: int = 3, seed: int = 0, title: str = "", inside: bool = True,
) -> Explanation:  # fmt: skip
    """What a model makes of `score`, step by step; without one, of what it composes with `seed`.

    The first `bars` bars (1-64) are read, or those that end with number `bar`. `model` is a model file; without it the
    shipped one that has learnt most styles reads, and a piece is composed by the one of `style`. `top` likeliest
    classes of each field are named (1-20). `inside`: also gates or attention, which need torch; without it a remark
    says so. Raises `MusicError` where the model's encoding cannot hold the music.
    """
    if bar is not None and bar < 0:
        raise BadOption(f"bar {bar} is out of range; wanted 0 (an upbeat) or more")
    path = Path(model) if model else styles.find(style or DEFAULT_STYLE, obedient=score is not None)
    loaded = loaded_model(path)
    known = list(loaded.info.get("styles") or ())
    if style is not None and style not in known:
        raise UnknownName(f"no style {style!r} in {path.name}; there are {', '.join(known)}")
    is_composed = score is None
    if score is None:
        score = compose(style, model=path, bars=max(bars, bar or 0), seed=seed, candidates=1)
        title = title or f"seed {seed}"
    elif not len(score):
        raise MusicError(f"{title or 'the piece'}: there is no note to explain")
    style = style or (score.recipe["asked"]["style"] if is_composed and score.recipe else style_like(loaded, score))
    try:
        found = read(loaded, score, style, bars=bars, bar=bar, top=top)
    except MusicError as error:
        raise MusicError(
            f"{title or 'the piece'}: the encoding {loaded.encoding.name!r} of {path.name} cannot hold it: {error}"
        ) from error
    seen = _looked(path, found) if inside else Inside()
    family = str(loaded.info.get("family", "unknown"))
    return Explanation(title or "piece", path.name, family, found, seen, is_composed, bar)


def _looked(path: Path, found) -> Inside:
    """Gates or attention; a remark where torch is not installed."""
    try:
        from ..training.looking import look
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in INSTALLED:
            raise
        return Inside(remark=NEEDS_TORCH)
    except MissingExtra:
        return Inside(remark=NEEDS_TORCH)
    return look(path, found.rows, found.times)


def explained_lines(found: Explanation, columns: int = 100) -> list[str]:
    """An explanation for a terminal of so many columns."""
    return lines(found, columns)


def explanation_json(found: Explanation) -> str:
    """An explanation as JSON, an entry a line."""
    return written(found)


def write_explanation(found: Explanation, path: Path) -> None:
    """An explanation as one page of HTML; raises `FormatError` where it cannot be written."""
    from ..explaining.pages import explained

    try:
        Path(path).write_text(explained(found), encoding="utf-8")
    except OSError as error:
        raise FormatError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
