"""Composed pieces beside real ones, from files to figures and to a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import evaluation, formats, model_file, originality, styles
from ..corpus import prepared
from ..corpus.files import find_files
from ..errors import BadOption, FormatError
from ..evaluation import Evaluation, Piece
from ..evaluation.borrowing import Found
from ..evaluation.borrowing import words_of as words_of_borrowed
from ..evaluation.page import between, number, page, said_of, verdict_of
from ..formats._files import beside
from ..score import Score
from ._models import digest_of

Skipped = list[tuple[str, str]]


def evaluate(
    generated: Path | str, real: Path | str, *, limit: int | None = None, bars: int | None = None, take: str = "last",
    notes_only: bool = False, classifier: str = "linear", training: Path | str | None = None,
    model: Path | str | None = None, seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:  # fmt: skip
    """Set composed music beside real music: two folders, or files.

    `limit` takes so many files of each side, drawn by `seed`; `bars`, `take`, `notes_only` and `classifier` are those
    of `evaluation.evaluate`. `training` holds the music that was learnt from: how much of both sides stands in it.
    `model` is the file that composed the pieces: without `training` its own index says what stands in the music it
    learnt from, and where it is not shipped, it knows the scales of the controls. Files that cannot be read are named
    among those left out. Raises `BadOption` for a folder that is missing or holds no music, or where a side has fewer
    than two pieces to compare.
    """
    if limit is not None and limit < 2:
        raise BadOption(f"--limit {limit} leaves nothing to compare; wanted 2 or more")
    chosen = [_chosen(Path(one), limit, seed) for one in (generated, real)]
    total, read = sum(map(len, chosen)), 0
    sides, skipped = [], []
    known, remarks = _known_of(training, model)  # the model is opened before all the music is read
    for files in chosen:
        side, broken = _loaded(files, read, total, progress)
        read += len(files)
        sides.append(side)
        skipped.append(broken)
    found = evaluation.evaluate(
        *sides, seed=seed, bars=bars, take=take, notes_only=notes_only, classifier=classifier,
        scales_of=lambda digest: _scales(digest, model), known=known,
        skipped=(skipped[0], skipped[1]),
    )  # fmt: skip
    return replace(found, remarks=[*found.remarks, *remarks])


def _chosen(folder: Path, limit: int | None, seed: int) -> list[tuple[str, Path]]:
    """The music files of a side by name, `limit` of them at most."""
    found = [(one.name, one.path) for one in find_files(folder)[0]]
    if limit is None or limit >= len(found):
        return found
    order = np.random.default_rng(seed).permutation(len(found))[:limit]
    return [found[number] for number in sorted(order)]


def _loaded(
    files: Iterable[tuple[str, Path]], read: int, total: int, progress: Callable[[int, int], None] | None
) -> tuple[list[Piece], Skipped]:
    """The pieces of a side, and what could not be read with the reason; `read` files stood before these."""
    pieces: list[Piece] = []
    skipped: Skipped = []
    for done, (name, path) in enumerate(files, read + 1):
        try:
            score = formats.load(path)
            # MIDI knows no upbeat, and bars counted from one would all lie wrong; our own files say theirs
            pieces.append(Piece(name, prepared(score) if score.recipe is None else score))
        except FormatError as error:
            skipped.append((name, str(error).removeprefix(f"{path}: ")))
        if progress:
            progress(done, total)
    return pieces, skipped


Known = Callable[[Sequence[Score]], list[Found]]


def _known_of(training: Path | str | None, model: Path | str | None) -> tuple[Known | None, list[str]]:
    """What of scores stands in the music of a folder, or in what a model learnt from; and why that cannot be said."""
    index = model_file.load(Path(model)).index if model is not None else None
    if training:
        return partial(_found, _index_of(Path(training))), []
    if index is not None:
        return partial(_found, index), []
    missing = [
        f"originality is left out: {model} has no index of its training music; name the folder (--training), or put "
        f"one in: partimento corpus index FOLDER --into {model}"
    ]
    return None, missing if model is not None else []


def _index_of(folder: Path) -> originality.Index:
    pieces, _ = _loaded(_chosen(folder, None, 0), 0, 0, None)
    return originality.build((piece.name, "", piece.score) for piece in pieces)


def _found(index: originality.Index, scores: Sequence[Score]) -> list[Found]:
    judged = originality.judge(index, scores, pitch=False, passages=0)
    return [(one.rhythm.longest, dict(one.rhythm.shares)) for one in judged]


def _scales(digest: str, model: Path | str | None) -> dict[str, Any] | None:
    """The scales of every style of a model by its digest: `model`, or a shipped one; None of another."""
    shipped = {path for style in styles.shipped() for path in styles.models(style)}
    for path in [*([Path(model)] if model else []), *sorted(shipped)]:
        if digest_of(path) == digest:
            return {style: one.get("scales") or {} for style, one in styles.described(path)["styles"].items()}
    return None


def write_evaluation(found: Evaluation, path: Path, names: tuple[str, str]) -> None:
    """Write the page of an evaluation, whole or not at all; `names` are those of its sides.

    Raises `BadOption` where it is no .html file, `FormatError` where it cannot be written.
    """
    check_page(path)
    with beside(path) as draft:
        draft.write_text(page(found, names), encoding="utf-8")


def check_page(path: Path) -> None:
    """Raise what `write_evaluation` would raise of a name alone, so that nobody waits for a page in vain."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise BadOption(f"{path}: a report is a page of HTML; give the file the suffix .html")
    if not path.parent.is_dir():
        raise FormatError(f"{path}: there is no folder {path.parent}; make it first or choose another")


__all__ = [
    "Evaluation", "between", "check_page", "evaluate", "number", "said_of", "verdict_of", "words_of_borrowed",
    "write_evaluation",
]  # fmt: skip
