"""What every face calls: compose, train, and the styles there are."""

from __future__ import annotations

from ..asking import CONTROLS
from ..composing import Candidate
from ..corpus import Choice, parse_span, scan
from ..encodings import get_encoding
from ..morphing import Morph, joined
from ..sampling import Sampling
from ._comparing import DEFAULT_MODELS as COMPARED
from ._comparing import PAGE as COMPARISON_PAGE
from ._comparing import ComparisonRequest, compare, comparison_lines, read_comparison
from ._evaluating import (
    Evaluation,
    between,
    check_page,
    evaluate,
    number,
    said_of,
    verdict_of,
    words_of_borrowed,
    write_evaluation,
)  # fmt: skip
from ._explaining import Explanation, explain, explained_lines, explanation_json, write_explanation
from ._latent import draw_map, morph
from ._models import DEFAULT_STYLE, check_curve, style_card, style_table
from ._originality import (
    Judged,
    add_index,
    check_originality,
    index_of,
    originality_page,
    originality_words,
)  # fmt: skip
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
from ._samples import sampler
from ._space import at_place, place
from ._streaming import Stream
from ._training import (
    TrainingRequest,
    begun,
    check_can_train,
    check_request,
    fetch,
    left_out,
    outlook,
    prepare,
    train,
    warnings_of,
    with_preset,
)  # fmt: skip

__all__ = [
    "BARS",
    "COMPARED",
    "COMPARISON_PAGE",
    "CONTROLS",
    "DEFAULT_STYLE",
    "Candidate",
    "Choice",
    "ComparisonRequest",
    "Evaluation",
    "Explanation",
    "Judged",
    "Morph",
    "Sampling",
    "Stream",
    "TrainingRequest",
    "add_index",
    "at_place",
    "bars_to_vary",
    "begun",
    "between",
    "check_can_train",
    "check_curve",
    "check_originality",
    "check_page",
    "check_request",
    "compare",
    "comparison_lines",
    "compose",
    "compose_candidates",
    "continue_",
    "draw_map",
    "evaluate",
    "explain",
    "explained_lines",
    "explanation_json",
    "express",
    "fetch",
    "get_encoding",
    "harmonize",
    "index_of",
    "infill",
    "joined",
    "left_out",
    "morph",
    "number",
    "originality_page",
    "originality_words",
    "outlook",
    "parse_span",
    "place",
    "prepare",
    "read_comparison",
    "reproduce",
    "said_of",
    "sampler",
    "scan",
    "style_card",
    "style_table",
    "train",
    "vary",
    "verdict_of",
    "warnings_of",
    "with_preset",
    "words_of_borrowed",
    "write_evaluation",
    "write_explanation",
]
