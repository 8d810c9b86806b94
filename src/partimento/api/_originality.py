"""How much of a piece stands in the training music: of a model, or of a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .. import editing, model_file, originality, styles
from ..corpus import Catalogue, Entry, prepared, scan
from ..corpus.workers import Progress
from ..errors import BadOption, FormatError, ModelError, MusicError, UnknownName
from ..formats import load
from ..model_file import Model
from ..originality import Against, Index, Judged, Passage
from ..originality.showing import page, words
from ..recipes import Recipe
from ..score import Score
from ._models import DEFAULT_STYLE, digest_of, loaded_model


def check_originality(
    scores: Sequence[Score], *, model: Path | str | None = None, corpus: Sequence[Path | str] = (),
    style: str | None = None, given: Score | None = None, workers: int | None = None, progress=None,
) -> list[Judged]:  # fmt: skip
    """What of each of `scores` stands in the training music of `model`, or in the folders of `corpus`.

    Without either the model is the shipped one that each piece's recipe names, or the base. `style` says which real
    pieces it is compared with [default: that of the recipe, else the one it is most like]. `given` is music that the
    pieces were composed into: it is no copy, nor are quotations of it. What a piece was checked against, and which
    files of the folders were left out, stands in its `against`. Raises `ModelError` where a model has no index.
    """
    if corpus and model:
        raise BadOption("--model and --corpus are alternatives: give the model, or the folder")
    givens = [given] * len(scores)
    if corpus:
        index, left_out = _corpus_index(corpus, workers, progress)
        against = Against(len(index.files), corpus=tuple(map(str, corpus)), left_out=left_out)
        told = originality.judge(index, scores, styles=[style or ""] * len(scores), given=givens, hidden=True)
        return [replace(one, against=against) for one in told]
    found: list[Judged | None] = [None] * len(scores)
    paths = [Path(model) if model else _model_of(score) for score in scores]
    for path in dict.fromkeys(paths):
        loaded = loaded_model(path)
        index, own = _index(loaded, path), [n for n, one in enumerate(paths) if one == path]
        named = [_style(loaded, scores[n], style) for n in own]
        judged = originality.judge(
            index, [scores[n] for n in own], styles=named, given=[givens[n] for n in own], hidden=True
        )
        for n, one in zip(own, judged, strict=True):
            found[n] = replace(one, against=Against(len(index.files), model=path.name))
    return [one for one in found if one is not None]


def _model_of(score: Score) -> Path:
    """The shipped model that composed a piece; the base where none did."""
    named = (score.recipe or {}).get("model")
    shipped = sorted(set(styles.shipped().values()))
    return next((path for path in shipped if digest_of(path) == named), styles.find(DEFAULT_STYLE, obedient=True))


def _index(loaded: Model, path: Path) -> Index:
    if loaded.index is None:
        raise ModelError(
            f"{path}: there is no index of its training music in it; train it again, check against the folder it "
            f"learnt from (--corpus FOLDER), or put an index in: partimento corpus index FOLDER --into {path}"
        )
    return loaded.index


def _style(loaded: Model, score: Score, asked: str | None) -> str:
    known = loaded.info.get("styles") or {}
    if asked is not None and asked not in known:
        raise UnknownName(f"no style {asked!r} in the model; there are {', '.join(known)}")
    recipe = (score.recipe or {}).get("asked")
    named = recipe.get("style") if isinstance(recipe, Mapping) else None
    return asked or (str(named) if named in known else editing.style_like(loaded, score))


def originals(model: Model, recipe: Recipe, scores: Sequence[Score], given: Score | None = None) -> list[Recipe]:
    """The recipe of each of `scores` with how original it is, where the model can say it."""
    if model.index is None or not scores:
        return [recipe] * len(scores)
    style = recipe.request.style
    found = originality.judge(
        model.index, scores, styles=[style] * len(scores), given=[given] * len(scores), pitch=False, passages=0
    )
    return [replace(recipe, originality=one.score()) for one in found]


# --- indices


def index_of(
    folders: Sequence[Path | str], *, workers: int | None = None, progress: Progress | None = None
) -> Index:  # fmt: skip
    """The index of all music in `folders`; real pieces are its works kept apart for validation and test.

    Raises `MusicError` where there is no piece in them.
    """
    return _corpus_index(folders, workers, progress)[0]


def _corpus_index(
    folders: Sequence[Path | str], workers: int | None, progress: Progress | None
) -> tuple[Index, tuple[tuple[str, str], ...]]:
    """The index of `index_of`, and the files left out of it with the reasons.

    Bars are those of the files, silent ones counted, as in the music that is checked.
    """
    catalogue = scan(tuple(Path(folder) for folder in folders), workers=workers, progress=progress)
    learnt = _pieces(catalogue, ("train",), progress)
    held = _pieces(catalogue, ("valid", "test"), progress)
    if not learnt and not held:
        reasons = ", ".join(f"{count} {reason}" for reason, count in catalogue.reasons.most_common())
        raise MusicError(f"there is no piece to compare with in {', '.join(map(str, folders))}: {reasons or 'no file'}")
    index = originality.build((entry.name, entry.style, score) for entry, score in learnt)
    real = [(entry.style, prepared(score)) for entry, score in held]
    beside = originality.reference(index, real) if len(index) else {}
    whole = index.joined(originality.build((entry.name, entry.style, score) for entry, score in held))
    left_out = [(one.name, (one.message or one.reason).removeprefix(f"{one.path}: ")) for one in catalogue.skipped]
    return replace(whole, reference=beside), tuple(left_out)


def _pieces(catalogue: Catalogue, sides: Sequence[str], progress) -> list[tuple[Entry, Score]]:
    """The music on some sides; a file that can no longer be read is left out, as scanning would have."""
    entries = [entry for entry in catalogue.kept if entry.split in sides]
    found = []
    for done, entry in enumerate(entries, 1):
        try:
            found.append((entry, load(entry.path)))
        except (FormatError, MusicError) as error:
            raise MusicError(f"{entry.path}: changed while it was read: {error}") from error
        if progress:
            progress(f"reading {' and '.join(sides)}", done, len(entries))
    return found


def add_index(
    model: Path | str, folders: Sequence[Path | str], *, workers: int | None = None,
    progress: Progress | None = None,
) -> Index:  # fmt: skip
    """Put the index of the music in `folders`, of their works for training alone, into a model file.

    The file may grow by a quarter, so that the index is a fifth of it at most. Its recipes then name another model.
    """
    path = Path(model)
    catalogue = scan(tuple(Path(folder) for folder in folders), workers=workers, progress=progress)
    learnt = _pieces(catalogue, ("train",), progress)
    if not learnt:
        raise MusicError(f"there is no piece to index in {', '.join(map(str, folders))}")
    whole = originality.build((entry.name, entry.style, prepared(score)) for entry, score in learnt)
    held = [(entry.style, prepared(score)) for entry, score in _pieces(catalogue, ("valid", "test"), progress)]
    index = originality.fitted(whole, room_in(path))
    index = replace(index, reference=originality.reference(index, held))
    write_index(path, index)
    return index


def room_in(path: Path) -> int:
    """Bytes of an index that a model file has room for: a fifth of what it then is."""
    _, members = model_file.read(path, also=model_file.EVERYTHING)
    rest = sum(len(data) for name, data in members.items() if name != model_file.ORIGINALITY)
    return originality.room_beside(rest)


def write_index(path: Path, index: Index) -> None:
    """Put an index into a model file, in the place of the one in it."""
    info, members = model_file.read(path, also=model_file.EVERYTHING)
    model_file.write(path, info, {**members, model_file.ORIGINALITY: index.packed()})


def originality_page(names: Sequence[str], scores: Sequence[Score], found: Sequence[Judged]) -> str:
    """A page of HTML that shows what was found, both passages engraved side by side where Verovio is installed."""
    return page(list(zip(names, scores, found, strict=True)))


def originality_words(name: str, found: Judged) -> list[str]:
    """What was found of a piece, in lines."""
    return words(name, found)


__all__ = [
    "Judged", "Passage", "add_index", "check_originality", "index_of", "originality_page", "originality_words",
]  # fmt: skip
