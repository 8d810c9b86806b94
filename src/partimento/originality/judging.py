"""What of a piece stands in the training music: the longest runs, their share of its notes, where, and how unusual.

A run is counted by its own notes, those that do not merely go on with a plain figure (see `figures`). Notes that were
given, as those of a prompt are, do not count either, nor does a run that stands in the given music.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..score import TICKS_PER_BEAT, Score
from ..timing import Clock
from ..transform import resample
from . import hidden as hiding
from . import search
from .figures import plain
from .index import Index, bar_of, build
from .parts import Line, grids_of, judged_lines, notes_of

LENGTHS = (8, 12, 16)  # notes of runs whose share of the piece is told
NEAREST = 3  # passages that are told
STRETCH = 16  # bars: real pieces are compared with by stretches of so many
QUANTILES = np.linspace(0, 100, 101)
MEASURES = ("longest", "longest_pitch", *(f"in_{length}" for length in LENGTHS))
MANY = 20  # pieces
AT_ONCE = 3_000_000  # notes that are searched for together
USUAL = 95  # percentile of real pieces up to which sharing is usual
BY_CHANCE = 24  # notes that hardly one real piece of a hundred shares by chance, hidden or by pitch alone


@dataclass(frozen=True)
class Passage:
    """A run of a piece beside the place in the training music where it stands.

    Onsets are ticks at 24 a beat; `faster` is how many times as fast the copy is, which means nothing by pitch alone.
    """

    own: int  # notes that are no plain figure
    notes: int
    track: int  # of the piece, from 0
    bar: int  # of the piece, from 1; 0 is an upbeat
    file: str
    file_track: int
    file_bar: int
    semitones: int  # by which the copy is higher
    faster: float
    onset: np.ndarray = field(compare=False, repr=False)
    pitch: np.ndarray = field(compare=False, repr=False)
    file_onset: np.ndarray = field(compare=False, repr=False)
    file_pitch: np.ndarray = field(compare=False, repr=False)
    hidden: bool = False  # among other notes of the track
    pitch_alone: bool = False  # whatever the rhythm

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        names = (
            "own", "notes", "track", "bar", "file", "file_track", "file_bar", "semitones", "faster",
            "hidden", "pitch_alone",
        )  # fmt: skip
        found = {name: getattr(self, name) for name in names}
        speed = None if self.pitch_alone else round(self.faster, 3)
        return found | {"track": self.track + 1, "file_track": self.file_track + 1, "faster": speed}


@dataclass(frozen=True)
class Against:
    """What pieces were checked against: what `model` learnt from, or else the music in the folders of `corpus`."""

    pieces: int
    model: str = ""
    corpus: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()  # files of the folders that are not compared with, and why

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        where = {"model": self.model} if self.model else {"corpus": list(self.corpus)}
        return {**where, "pieces": self.pieces, "left_out": [list(one) for one in self.left_out]}


@dataclass(frozen=True)
class Finding:
    """What of a piece stands in the index, with rhythm or by pitch alone: own notes, and shares of all its notes."""

    longest: int
    shares: Mapping[int, float]  # of the notes that lie in runs of so many own notes
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True)
class Judged:
    """A piece beside the training music; `percentile` says how real pieces compare, None where there are none."""

    notes: int
    rhythm: Finding
    pitch: Finding | None = None
    quoted: int = 0  # own notes of the longest run that stands in the given music
    percentile: int | None = None
    percentile_pitch: int | None = None
    style: str = ""
    usual: int | None = None  # own notes that real pieces share at their 95th percentile
    hidden: Finding | None = None  # among other notes of a track, where that was looked for; see `hidden`
    most_pitch: int | None = None  # own notes by pitch alone that any real piece shares
    against: Against | None = None

    @property
    def over(self) -> tuple[str, ...]:
        """In what it shares more than real pieces do: "rhythm", "hidden", "pitch".

        What is hidden, and pitch alone, only where chance hardly ever finds as much: more than `BY_CHANCE` own notes,
        and by pitch alone more than any real stretch shares.
        """
        if self.usual is None:
            return ()
        ways = {"rhythm": self.rhythm.longest > self.usual}
        ways["hidden"] = self.hidden is not None and self.hidden.longest > max(self.usual, BY_CHANCE)
        ways["pitch"] = self.pitch is not None and self.pitch.longest > max(self.most_pitch or 0, BY_CHANCE)
        return tuple(way for way, is_over in ways.items() if is_over)

    @property
    def passages(self) -> tuple[Passage, ...]:
        """The nearest passages with rhythm, in lines and hidden ones, the longest first."""
        hidden = self.hidden.passages if self.hidden else ()
        return tuple(sorted((*self.rhythm.passages, *hidden), key=lambda one: -one.own))

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it: what `partimento originality --json` writes."""
        found: dict[str, Any] = {"notes": self.notes, **self.score()}
        if self.pitch:
            found |= {f"pitch_in_{length}": round(share, 4) for length, share in self.pitch.shares.items()}
            found["passages_pitch"] = [one.as_dict() for one in self.pitch.passages]
        if self.hidden:
            found["longest_hidden"] = self.hidden.longest
        found |= {"style": self.style, "usual": self.usual, "most_pitch": self.most_pitch, "over": list(self.over)}
        found |= {"quoted": self.quoted} | ({"against": self.against.as_dict()} if self.against else {})
        return found | {"passages": [one.as_dict() for one in self.passages]}

    def score(self) -> dict[str, Any]:
        """The figures alone, as a recipe carries them."""
        found: dict[str, Any] = {"longest": self.rhythm.longest, "percentile": self.percentile}
        found |= {f"in_{length}": round(share, 4) for length, share in self.rhythm.shares.items()}
        if self.pitch:
            found |= {"longest_pitch": self.pitch.longest, "percentile_pitch": self.percentile_pitch}
        return found


@dataclass
class _Heard:
    """The lines of a piece on one grid, end to end, and what was found of them."""

    piece: int
    ticks: int
    notes: np.ndarray
    lines: list[Line]
    interval: np.ndarray
    wait: np.ndarray
    new: np.ndarray  # which of `notes` count where they are no plain figure: none that were given

    @classmethod
    def of(cls, piece: int, score: Score, ticks: int, given: Score | None) -> _Heard | None:
        notes = notes_of(score, ticks)
        lines = judged_lines(notes)
        return cls.along(piece, ticks, notes, lines, _not_given(score, notes, given, ticks)) if lines else None

    @classmethod
    def along(cls, piece: int, ticks: int, notes: np.ndarray, lines: list[Line], new: np.ndarray) -> _Heard:
        """Heard by these lines."""
        steps, times = (np.concatenate(one) for one in zip(*(line.steps() for line in lines), strict=True))
        return cls(piece, ticks, notes, lines, steps, times, new)

    @property
    def counts(self) -> np.ndarray:
        """Which notes of the lines are new, (Q,) bool."""
        return self.new[np.concatenate([line.which for line in self.lines])]

    def own(self, rhythm: bool) -> np.ndarray:
        """Which notes are no plain figure and count, (Q,) bool."""
        lengths = np.array([len(line) for line in self.lines])
        begins = np.cumsum(lengths) - lengths
        return ~plain(self.interval, self.wait if rhythm else None, begins) & self.counts


def _not_given(score: Score, notes: np.ndarray, given: Score | None, ticks: int) -> np.ndarray:
    """Which of `notes` do not stand in the given music at the same time, (N,) bool."""
    if given is None:
        return np.ones(len(notes), dtype=bool)
    before = notes_of(given, ticks)
    if not len(before) or not len(notes):
        return np.ones(len(notes), dtype=bool)
    moved = int(notes["onset"][-1] - before["onset"][-1])  # bars before the start move the rest
    masks = []
    for shift in (0, moved):
        known = set(zip((before["onset"] + shift).tolist(), before["pitch"].tolist(), strict=True))
        at = zip(notes["onset"].tolist(), notes["pitch"].tolist(), strict=True)
        masks.append(np.array([one not in known for one in at], dtype=bool))
    return min(masks, key=lambda mask: int(mask.sum()))


def judge(
    index: Index,
    scores: Sequence[Score],
    *,
    styles: Sequence[str] | None = None,
    given: Sequence[Score | None] | None = None,
    pitch: bool = True,
    hidden: bool = False,
    passages: int = NEAREST,
) -> list[Judged]:
    """Each of `scores` beside the index.

    `styles` say with which real pieces each is compared, `given` what music it was composed into.
    Without `pitch` nothing is searched for by pitch alone; with `hidden` also melodies among other notes of a track.
    """
    styles, given = styles or [""] * len(scores), given or [None] * len(scores)
    ways = ["rhythm", *["pitch"] * pitch, *["hidden"] * hidden]

    def found(task: tuple[list[_Heard], str]) -> dict:
        heard = _hidden(index, task[0]) if task[1] == "hidden" else task[0]
        return _findings(index, heard, scores, given, task[1] != "pitch", passages)

    tasks = [(batch, way) for batch in _batches(scores, given) for way in ways]
    if len(scores) < MANY:
        told = [found(task) for task in tasks]
    else:  # side by side: the time goes into sorting, which leaves the interpreter free
        search.sums_of(index)
        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(found, tasks))
    by: dict[str, dict] = {way: {} for way in ("rhythm", "pitch", "hidden")}
    for (_, way), some in zip(tasks, told, strict=True):
        by[way] |= some
    judged = (_judged(by, number, score, pitch, hidden) for number, score in enumerate(scores))
    return [placed(one, index, style) for one, style in zip(judged, styles, strict=True)]


def _batches(scores: Sequence[Score], given: Sequence[Score | None]) -> Iterator[list[_Heard]]:
    """The pieces on all their grids, so many that `AT_ONCE` notes are searched for together."""
    batch: list[_Heard] = []
    for number, (score, before) in enumerate(zip(scores, given, strict=True)):
        batch += filter(None, (_Heard.of(number, score, ticks, before) for ticks in grids_of(score)))
        if sum(len(heard.interval) for heard in batch) > AT_ONCE or number == len(scores) - 1:
            yield batch
            batch = []


def _judged(by: Mapping[str, dict], number: int, score: Score, pitch: bool, hidden: bool) -> Judged:
    nothing = Finding(0, dict.fromkeys(LENGTHS, 0.0)), 0
    rhythm, quoted = by["rhythm"].get(number, nothing)
    by_pitch = _marked(by["pitch"].get(number, nothing)[0], pitch_alone=True) if pitch else None
    among = _marked(by["hidden"].get(number, nothing)[0], hidden=True) if hidden else None
    return Judged(len(notes_of(score)), rhythm, by_pitch, quoted, hidden=among)


def _hidden(index: Index, batch: Sequence[_Heard]) -> list[_Heard]:
    """The pieces again, by the melodies of the index that are hidden in them."""
    batch = list({heard.piece: heard for heard in batch}.values())  # on the finest grid alone, which holds all
    lines = hiding.hidden(index, [hiding.Heard(heard.notes, heard.lines, heard.ticks) for heard in batch])
    each = zip(batch, lines, strict=True)
    return [
        _Heard.along(one.piece, one.ticks, one.notes, some, one.new & ~hiding.repeats(one.notes))
        for one, some in each
        if some
    ]


def _marked(finding: Finding, *, hidden: bool = False, pitch_alone: bool = False) -> Finding:
    marked = (replace(one, hidden=hidden, pitch_alone=pitch_alone) for one in finding.passages)
    return replace(finding, passages=tuple(marked))


def _findings(index, batch: Sequence[_Heard], scores, given, rhythm: bool, passages: int) -> dict:
    """piece -> what was found of it, on the grid on which more was found, and the longest run that it quotes."""
    if not batch:
        return {}
    interval, wait = (np.concatenate([getattr(one, name) for one in batch]) for name in ("interval", "wait"))
    matches = search.find(index, interval, wait, rhythm)
    found: dict[int, tuple[Finding, int]] = {}
    at = 0
    for heard in batch:
        here = slice(at, at + len(heard.interval))
        at = here.stop
        notes, slot, quoted = matches.notes[here], matches.slot[here], 0
        own = np.concatenate([[0], np.cumsum(heard.own(rhythm))])
        before = given[heard.piece]
        if before is not None:
            notes, quoted = _without_quotations(heard, before, rhythm, notes)
        lengths = own[np.arange(len(notes)) + notes] - own[:-1]
        finding = _finding(index, heard, scores[heard.piece], notes, slot, lengths, passages)
        other = found.get(heard.piece)
        if other is None or finding.longest > other[0].longest:
            found[heard.piece] = finding, quoted
    return found


def _without_quotations(heard: _Heard, given: Score, rhythm: bool, notes: np.ndarray) -> tuple[np.ndarray, int]:
    """Runs (Q,) where they are longer than what the given music has of them, and own notes of the longest quotation."""
    prompt = build([("", "", given)])
    theirs = search.find(prompt, heard.interval, heard.wait, rhythm).notes
    own = np.concatenate([[0], np.cumsum(heard.own(rhythm))])
    quoted = own[np.arange(len(notes)) + theirs] - own[:-1]
    return np.where(theirs >= notes, 0, notes), int(quoted.max(initial=0))


def _finding(index, heard: _Heard, score: Score, notes, slot, lengths, passages: int) -> Finding:
    total, shares = max(1, len(heard.notes)), {}
    which = np.concatenate([line.which for line in heard.lines])
    for least in LENGTHS:
        covered = _inside(np.where(lengths >= least, notes, 0))
        shares[least] = len(np.unique(which[covered])) / total
    taken = np.zeros(len(heard.notes), dtype=bool)
    chosen: list[Passage] = []
    for place in np.argsort(-lengths, kind="stable")[: passages * 200]:
        here = which[place : place + notes[place]]
        if len(chosen) == passages or lengths[place] < search.FEWEST:
            break
        if not taken[here].any():
            taken[here] = True
            run = (int(number[place]) for number in (notes, slot, lengths))
            chosen.append(_passage(index, heard, score, int(place), *run))
    return Finding(int(lengths.max(initial=0)), shares, tuple(chosen))


def _inside(notes: np.ndarray) -> np.ndarray:
    """Which slots lie in a run that begins at a slot with so many notes, (Q,) bool."""
    change = np.zeros(len(notes) + 1, np.int64)
    begins = np.flatnonzero(notes)
    np.add.at(change, begins, 1)
    np.subtract.at(change, begins + notes[begins], 1)
    return np.cumsum(change[:-1]) > 0


def _passage(index: Index, heard: _Heard, score: Score, place: int, notes: int, slot: int, own: int) -> Passage:
    begins = np.cumsum([0, *(len(line) for line in heard.lines)])
    number = int(np.searchsorted(begins, place, side="right")) - 1
    line, first = heard.lines[number], place - int(begins[number])
    onset, pitch = line.onset[first : first + notes], line.pitch[first : first + notes]
    theirs = index.line_at(slot)
    begin = slot - int(index.starts[theirs])
    file_onset, file_pitch = index.notes(theirs, begin, begin + notes)
    name, _, upbeat, metres = index.files[int(index.lines["file"][theirs])]
    clock = Clock(resample(score, heard.ticks))
    span = (onset[-1] - onset[0]) * TICKS_PER_BEAT / heard.ticks
    return Passage(
        own, notes, line.track, int(clock.bar_at(int(onset[0]))) + (not score.upbeat),
        name, int(index.lines["track"][theirs]), bar_of(int(file_onset[0]), upbeat, metres),
        int(pitch[0] - file_pitch[0]), float((file_onset[-1] - file_onset[0]) / span) if span else 1.0,
        onset * TICKS_PER_BEAT // heard.ticks, pitch, file_onset, file_pitch,
    )  # fmt: skip


# --- beside real pieces


def reference(index: Index, pieces: Iterable[tuple[str, Score]]) -> dict[str, Any]:
    """What real pieces (style, score) that are not in the index share with it, by style and ("") for all.

    Each is taken by stretches of `STRETCH` bars; of each measure of `MEASURES` the percentiles 0 to 100 are kept.
    """
    styles, parts = [], []
    for style, score in pieces:
        some = _stretches(score)
        parts += some
        styles += [style] * len(some)
    rows = [_measured(one) for one in judge(index, parts, passages=0)]
    found = {}
    for style in ["", *sorted(set(styles))]:
        own = [row for row, known in zip(rows, styles, strict=True) if style in ("", known)]
        if own:
            quantiles = np.round(np.percentile(own, QUANTILES, axis=0), 4).T.tolist()
            found[style] = {"stretches": len(own), **dict(zip(MEASURES, quantiles, strict=True))}
    return found


def _measured(one: Judged) -> list[float]:
    by_pitch = one.pitch.longest if one.pitch else 0
    return [one.rhythm.longest, by_pitch, *(one.rhythm.shares[length] for length in LENGTHS)]


def _stretches(score: Score) -> list[Score]:
    """The stretches of `STRETCH` bars of a piece, the last one longer rather than short."""
    bars = Clock(score).bars
    edges = [bars[n * STRETCH].start for n in range(max(1, len(bars) // STRETCH))] + [score.end + 1]
    onsets = score.notes["onset"]
    parts = (
        score.with_notes(score.notes[(onsets >= begin) & (onsets < end)]) for begin, end in itertools.pairwise(edges)
    )
    return [part for part in parts if len(part)]


def placed(one: Judged, index: Index, style: str = "") -> Judged:
    """A judged piece beside the real ones of a style, or of all styles where it has none of its own.

    One of fewer notes than a run has stands beside none.
    """
    known = index.reference.get(style) or index.reference.get("")
    if not known or one.notes < search.FEWEST:
        return replace(one, style=style)
    by_pitch = _percentile(known["longest_pitch"], one.pitch.longest) if one.pitch else None
    return replace(
        one, style=style, usual=round(known["longest"][USUAL]), percentile_pitch=by_pitch,
        percentile=_percentile(known["longest"], one.rhythm.longest), most_pitch=round(known["longest_pitch"][-1]),
    )  # fmt: skip


def _percentile(quantiles: Sequence[float], value: float) -> int:
    """Per cent of real stretches that share less, 0 to 100."""
    return int(np.searchsorted(quantiles, value, side="left").clip(0, 100))


def copied(index: Index, scores: Sequence[Score], least: int = 12) -> float | None:
    """Share of the notes of `scores` in runs of `least` (8, 12, 16) own notes that stand in the index.

    None where there is no note.
    """
    found = judge(index, scores, pitch=False, passages=0)
    notes = sum(one.notes for one in found)
    return sum(one.rhythm.shares[least] * one.notes for one in found) / notes if notes else None
