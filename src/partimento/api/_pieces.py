"""Pieces as every face asks for them: composed from nothing, from other music, or once more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import composing, editing, recipes, styles, timing, transform
from ..asking import values_of
from ..composing import Candidate, Ear
from ..errors import BadOption, ModelError
from ..expression import perform
from ..recipes import Recipe, fingerprint
from ..score import Score
from ._models import DEFAULT_STYLE, asked_of, check_styles, digest_of, loaded_model
from ._originality import originals


def compose(style: str | None = None, *, model: Path | str | None = None, **asked) -> Score:
    """Compose a piece: the best of `candidates` (default 4), of exactly `bars` (default 16), `seconds` or `sixteenths`.

    `style` is a shipped style (default "chorale"), one of the model file `model`, or a mix: "chorale:0.7,motet:0.3".
    Also `key` ("D minor"), `metre` ("3/4"), `tempo` (quarter notes a minute), `instruments` (programs), `chords`
    ("Dm G7 | C"); `happiness` and `excitement` (1-10), `complexity` and `density` (0-1), each a number or a curve
    ("2->9", "1:2,8:9"); `axes` (those of the model), `guidance`, `ending`, `form`, `sampling` (`Sampling`, or a mapping
    of what is to be other than the model's own), `max_copy` (notes in a row that may stand in the training music; 0:
    any), `seed`. The same arguments give the same piece.
    """
    return compose_candidates(style, model=model, **asked)[0].score


def compose_candidates(
    style: str | None = None, *, model: Path | str | None = None, ear: Ear | None = None, **asked
) -> list[Candidate]:
    """All candidates that `compose` chooses from, the best first; the same arguments. `ear` hears them grow."""
    path, loaded, request = asked_of(style, model, asked)
    recipe = Recipe("compose", digest_of(path), request)
    found = composing.compose(loaded, request, ear)
    recipes_of = originals(loaded, recipe, [one.score for one in found])
    return [replace(one, score=_signed(one.score, recipes_of[rank], rank)) for rank, one in enumerate(found)]


def continue_(
    score: Score, where: str | int = "end", *, style: str | None = None, model: Path | str | None = None, **asked
) -> list[Candidate]:
    """`score` with new bars behind its end, before its "start" or behind a bar (its number), the best first.

    `bars` (default 8) or `seconds` say how many; `ending=False` leaves the piece open. Key, tempo, metre and
    instruments are those of the score, the style is the one that the score is most like unless it is named. Otherwise
    as `compose`: curves and chords count from the first new bar.
    """
    return _edited(score, "continue", {"where": where}, style, model, asked)


def infill(
    score: Score, bars: tuple[int, int], *, tracks: Sequence[int] = (), style: str | None = None,
    model: Path | str | None = None, **asked,
) -> list[Candidate]:  # fmt: skip
    """`score` with `bars` (first, last, from 1) composed anew in `tracks` (from 1; none: all), the best first.

    All that stands around them stays to the tick. Otherwise as `continue_`: curves and chords count from the first of
    these bars.
    """
    return _edited(score, "infill", {"where": list(bars), "tracks": list(tracks)}, style, model, asked)


def harmonize(score: Score, *, style: str | None = None, model: Path | str | None = None, **asked) -> list[Candidate]:
    """A melody, the one track of `score`, with the other parts of a style beside it, the best first.

    `instruments` (programs) play what is added; `ending=False` leaves the piece open. Otherwise as `compose`.
    """
    return _edited(score, "harmonize", {}, style, model, asked)


def vary(
    score: Score, amount: float = 0.3, *, style: str | None = None, model: Path | str | None = None, **asked
) -> list[Candidate]:
    """`score` with a share `amount` (0-1) of its bars composed anew, the best first; `bars_to_vary` says which."""
    return _edited(score, "vary", {"amount": amount}, style, model, asked)


bars_to_vary, BARS = editing.bars_to_vary, editing.BARS


def _edited(score: Score, verb: str, made: dict, style, model, asked: dict) -> list[Candidate]:
    """What `verb` makes of a score, the candidates with their recipes; `asked["ear"]`, if there is one, hears them."""
    asked = dict(asked)
    ear = asked.pop("ear", None)
    if style is None and verb != "harmonize":
        path = Path(model) if model else styles.find(DEFAULT_STYLE, obedient=True)
        style = editing.style_like(loaded_model(path), score)
    path, loaded, request = asked_of(style, model, asked, obedient=True)
    found = EDITS[verb](loaded, score, request, **made, ear=ear)
    recipe = Recipe(verb, digest_of(path), request, made=made, source=fingerprint(score))
    recipes_of = originals(loaded, recipe, [one.score for one in found], score)
    return [replace(one, score=_signed(one.score, recipes_of[rank], rank)) for rank, one in enumerate(found)]


EDITS: dict[str, Callable[..., list[Candidate]]] = {
    "continue": editing.continued, "infill": editing.infilled, "harmonize": editing.harmonised, "vary": editing.varied,
}  # fmt: skip


def reproduce(recipe: Mapping[str, Any], score: Score | None = None, model: Path | str | None = None) -> Score:
    """The piece of a recipe again; `score` is the music that it was composed into, where there was any.

    Raises `ModelError` where the model that composed it is neither `model` nor shipped, `BadOption` where the recipe
    is not one that this version writes or `score` is not the music.
    """
    known = recipes.read(recipe)
    loaded = loaded_model(_with_digest(known, model))
    check_styles(loaded, known.request, known.model)
    if known.verb == "compose":
        found = composing.compose(loaded, known.request)
    elif score is None or fingerprint(score) != known.source:
        given = "is not that music" if score else "is missing"
        raise BadOption(
            f"the piece was made by `partimento {known.verb}` from other music, which {given}; name its file: --input"
        )
    else:
        found = EDITS[known.verb](loaded, score, known.request, **known.made)
    (signed,) = originals(loaded, known, [found[known.rank].score], score if known.verb != "compose" else None)
    again = _signed(found[known.rank].score, signed, known.rank)
    return express(again) if known.expression else again


def express(score: Score) -> Score:
    """The score as it is to be played: dynamics and tempo by rule, as loud and lively as its recipe asks for.

    What is expressive already is kept. Excitement shapes a piece composed from nothing alone: other music has a
    loudness of its own.
    """
    try:
        known, excitement = recipes.read(score.recipe), None
    except BadOption:  # none, or somebody else's
        return perform(score)
    if known.verb == "compose" and known.request.excitement is not None:
        excitement = values_of(known.request.excitement, len(timing.Clock(score).bars))
    played = perform(score, excitement=excitement)
    if known.verb == "compose" and known.request.seconds is not None:  # which are to be heard, not only written
        played = transform.faster(played, timing.duration_seconds(played) / timing.duration_seconds(score))
    return replace(played, recipe=replace(known, expression=True).as_dict())


def _with_digest(recipe: Recipe, model: Path | str | None) -> Path:
    """The model file that a recipe names: `model`, or a shipped one."""
    shipped = {path for style in styles.shipped() for path in styles.models(style)}
    for path in [Path(model)] if model else sorted(shipped):
        if digest_of(path) == recipe.model:
            return path
    where = f"{model} is another one" if model else "no shipped model is it"
    raise ModelError(
        f"the piece was composed in the style {recipe.request.style!r} by the model {recipe.model}, and {where}; name "
        "its file: --model"
    )


def _signed(score: Score, recipe: Recipe, rank: int) -> Score:
    """A score with the recipe that makes it again; a new piece gets a title."""
    new = f"{recipe.request.style.capitalize()} no. {recipe.request.seed}" if recipe.verb == "compose" else ""
    return replace(score, title=score.title or new, recipe=replace(recipe, rank=rank, expression=False).as_dict())
