"""What a training composes on its way: a piece by the weights of one of its evaluations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..corpus import Cache
from ..encodings import get_encoding
from ..encodings.base import Plan
from ..profile import decoded
from ..score import Score
from ._training import TrainingRequest, _plan, begun

if TYPE_CHECKING:
    from ..training.loop import TrainingPlan

BARS = 8


def sampler(request: TrainingRequest, music: Cache) -> Callable[[int], Score]:
    """A function from the step of an evaluation that is kept to a piece of eight bars that its weights compose.

    The piece is outwardly like the first one held out (or learnt), and no rule helps the model. The function raises
    `ModelError` where the weights of that step are gone. Needs torch.
    """
    from ..models import get_family
    from ..training import kept, listening
    from ..training.loop import TrainingPlan

    plan: TrainingPlan = _plan(TrainingPlan, begun(request)[0])
    encoding = get_encoding(**music.spec)
    piece = [*music.of("valid"), *music.of("train")][0]
    like = decoded(music, encoding, [piece])[0]
    wanted: Plan = listening._plan(listening._beginning(like), piece.style)
    wanted = replace(wanted, bars=min(BARS, wanted.bars))

    def sample(step: int) -> Score:
        model = get_family(plan.family)(encoding.fields, **plan.options)
        model.load_state_dict(kept.weights(request.work_folder, step))
        return listening.composed(listening.playable(model, music.spec), encoding, [wanted])[0]

    return sample
