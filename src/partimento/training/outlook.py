"""What can be expected of so much music, said before training begins."""

from __future__ import annotations

from ..corpus import Cache

ANEW = (  # fewer notes than this to learn from -> what to expect of a model that begins with nothing
    (2_000, "Too little for a network to learn a style from: it will know these pieces by heart, and little else."),
    (20_000, "Expect the style's turns of phrase; trained for long, it knows much of this by heart."),
    (100_000, "Expect the style's manner."),
    (1_000_000, "Enough for a style of its own."),
    (10**12, "Enough for several styles in one model."),
)
TUNED = (  # and of one that goes on from a trained model
    (400, "Hardly anything to learn from: expect the model that it begins with, leaning towards this music."),
    (2_000, "Expect the model that it begins with, in the instruments, metres and figures of this music."),
    (20_000, "Expect the style's turns of phrase over what the model knew before."),
    (100_000, "Expect the style's manner."),
    (10**12, "Enough for a style of its own."),
)
COUNTED = 2_000  # notes below which counting does as well as a network that begins with nothing
ENOUGH_ALONE = 100_000  # notes from which a model need not go on from another
FEW_PIECES = 10  # fewer say little of how pieces are built


def outlook(cache: Cache, goes_on: bool = False) -> list[str]:
    """Sentences on what a model can learn from a cache's training music; `goes_on`: from a trained model."""
    train = cache.of("train")
    notes = sum(piece.notes for piece in train)
    said = next(text for limit, text in (TUNED if goes_on else ANEW) if notes < limit)
    found = [f"{len(train):,} piece{'s' * (len(train) != 1)} and {notes:,} notes to learn from. {said}"]
    if notes < ENOUGH_ALONE and not goes_on:
        found[0] += " Going on from a trained model helps: leave out what begins anew, or name one with --from MODEL."
    if notes < COUNTED and not goes_on:
        found[0] += " --family markov counts what there is, in a second."
    if len(train) < FEW_PIECES:
        few = "One piece says" if len(train) == 1 else f"{len(train)} pieces say"
        found.append(f"{few} little of how pieces are built: expect phrases rather than forms.")
    return found
