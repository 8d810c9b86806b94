"""What of a piece stands in the training music: the index, the search, the judgement, and the rule against it."""

from .index import Index, build, unpacked
from .judging import Against, Finding, Judged, Passage, copied, judge, reference
from .making import fitted, of_cache, room_beside
from .rule import DEFAULT_MOST, NoCopy, no_copy, usual

__all__ = [
    "DEFAULT_MOST", "Against", "Finding", "Index", "Judged", "NoCopy", "Passage", "build", "copied", "fitted", "judge",
    "no_copy", "of_cache", "reference", "room_beside", "unpacked", "usual",
]  # fmt: skip
