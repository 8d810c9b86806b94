"""What every face calls: compose, train, and the styles there are."""

from __future__ import annotations

from ..asking import CONTROLS
from ..composing import Candidate
from ..corpus import Choice, parse_span, scan
from ..encodings import get_encoding
from ..morphing import Morph, joined
from ..sampling import Sampling
from ._latent import draw_map, morph
from ._models import DEFAULT_STYLE, check_curve, style_card, style_table
from ._pieces import (
    BARS,
    bars_to_vary,
    compose,
    compose_candidates,
    continue_,
    express,
    harmonize,
    infill,
    reproduce,
    vary,
)  # fmt: skip
from ._training import (
    TrainingRequest,
    check_can_train,
    fetch,
    outlook,
    prepare,
    train,
    warnings_of,
    with_preset,
)  # fmt: skip

__all__ = [
    "BARS",
    "CONTROLS",
    "DEFAULT_STYLE",
    "Candidate",
    "Choice",
    "Morph",
    "Sampling",
    "TrainingRequest",
    "bars_to_vary",
    "check_can_train",
    "check_curve",
    "compose",
    "compose_candidates",
    "continue_",
    "draw_map",
    "express",
    "fetch",
    "get_encoding",
    "harmonize",
    "infill",
    "joined",
    "morph",
    "outlook",
    "parse_span",
    "prepare",
    "reproduce",
    "scan",
    "style_card",
    "style_table",
    "train",
    "vary",
    "warnings_of",
    "with_preset",
]
