"""A verdict on every file of a corpus: kept, or skipped with the reason; its style, work and side."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from ..encodings import Encoding
from ..errors import FormatError, MusicError
from ..formats import load
from ..score import Score
from ..theory import pitched
from ..timing import duration_seconds
from .choose import EVERYTHING, Choice
from .duplicates import RUNS, Fingerprint, fingerprint, likenesses
from .encode import JOB as ENCODE
from .encode import TIMEOUT as ENCODE_TIMEOUT
from .encode import encode_task, prepared, refusal
from .files import Found, find_files, labels_of, read_labels
from .split import Groups, Work, deal, work_key
from .workers import FAILED, LOST, Progress, run_jobs

FEWEST_NOTES = 8
MOST_NOTES = 200_000
LONGEST = 3 * 3600  # seconds; the longest of 8,286 scores takes 73 minutes
LONGEST_BEATS = 50_000  # the same bound where a tempo map is absurd
STUTTER = 0.9  # share of the notes on one pitch
JOB = f"{__name__}:examine"
SOURCES = ("composer", "title", "licence", "source_repo")  # manifest columns that a model card repeats


@dataclass(frozen=True)
class Entry:
    """One file of a corpus and what became of it; `reason` is empty where it is kept."""

    path: Path
    name: str
    style: str
    reason: str = ""  # a short label to count by: "unreadable", "duplicate", "too short" ...
    message: str = ""  # the reason as a sentence
    sha: str = ""  # SHA-256 of the file's bytes
    notes: int = 0
    seconds: float = 0.0
    group: str = ""  # the work; pieces of one work are on one side
    split: str = ""  # train, valid or test
    labels: Mapping[str, str | float] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=dict)  # composer, title, licence, source_repo

    @property
    def kept(self) -> bool:
        return not self.reason


@dataclass(frozen=True)
class Catalogue:
    """Every file found, sorted by name, what there is to say about the whole, and what was wanted of it."""

    entries: tuple[Entry, ...]
    remarks: tuple[str, ...] = ()
    choice: Choice = EVERYTHING

    @property
    def kept(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.kept]

    @property
    def skipped(self) -> list[Entry]:
        return [entry for entry in self.entries if not entry.kept]

    @property
    def styles(self) -> tuple[str, ...]:
        """The styles of the kept files, sorted."""
        return tuple(sorted({entry.style for entry in self.kept}))

    @property
    def reasons(self) -> Counter[str]:
        """How many files were skipped for each reason."""
        return Counter(entry.reason for entry in self.skipped)

    def tried(self, encoding: Encoding, *, workers: int | None = None, progress: Progress | None = None) -> Catalogue:
        """This catalogue with the files that `encoding` refuses skipped as well; nothing is written."""
        kept = self.kept
        tasks = [encode_task(entry.path, entry.style, entry.labels, encoding, self.choice) for entry in kept]
        judged = {}
        for entry, result in zip(kept, run_jobs(ENCODE, tasks, workers=workers, timeout=ENCODE_TIMEOUT), strict=True):
            reason, message = refusal(result)
            judged[entry.name] = replace(entry, reason=reason, message=message)
            if progress:
                progress("encoding", len(judged), len(kept))
        return replace(self, entries=tuple(judged.get(entry.name, entry) for entry in self.entries))


def scan(
    folders: Iterable[str | Path] | str | Path,
    *,
    labels: str | Path | None = None,
    styles_from: str = "style",
    choice: Choice = EVERYTHING,
    seed: int = 0,
    workers: int | None = None,
    timeout: float = 20.0,
    progress: Progress | None = None,
) -> Catalogue:
    """Look at every MIDI and MusicXML file in `folders`: no bad file stops the rest.

    `labels` is a CSV file with a column `file`; `styles_from` names the column, of the labels or of a folder's
    manifest, that holds the style (else the folder's name is the style). What `choice` does not want is skipped
    before twins are looked for. `seed` deals works to train, valid and test. `workers` processes (default: one a
    core; 0: none) may take `timeout` seconds a file. Raises `BadOption` where a folder or the labels cannot be used.
    """
    table, remarks = read_labels(Path(labels)) if labels else ({}, [])
    found, wrong = find_files(folders)
    results = []
    tasks = [_task(one, choice) for one in found]
    for result in run_jobs(JOB, tasks, workers=workers, timeout=timeout):
        results.append(result)
        if progress:
            progress("reading", len(results), len(found))
    entries = [
        _entry(one, labels_of(one, table), result, styles_from) for one, result in zip(found, results, strict=True)
    ]
    known = {one.name for one in found} | {one.path.name for one in found}
    remarks = [*wrong, *remarks, *(f"{labels}: there is no file {name!r}" for name in table if name not in known)]
    entries, more = _sorted_out(entries, found, results, seed)
    return Catalogue(tuple(entries), (*remarks, *more), choice)


def _task(found: Found, choice: Choice) -> dict:
    """What `examine` is asked."""
    about = {name: found.manifest.get(name, "") for name in ("composer", "instruments")}
    return {"path": str(found.path), "name": f"{found.root}/{found.name}", "about": about, "choice": asdict(choice)}


def examine(task: dict) -> dict:
    """The job of a worker: read one file, judge and fingerprint it."""
    path, choice = Path(task["path"]), Choice(**task["choice"])
    reason, message = choice.unread(task["about"], task["name"])
    if reason:
        return {"reason": reason, "message": message}
    try:
        data = path.read_bytes()
    except OSError as error:
        return {"reason": "unreadable", "message": f"{path.name}: {error.strerror}"}
    sha = hashlib.sha256(data).hexdigest()
    try:
        score = load(path)
        reason, message = verdict(score)
        if reason:
            return {"sha": sha, "reason": reason, "message": message, "notes": len(score)}
        reason, message = choice.refusal(score, task["about"])
        if reason:
            return {"sha": sha, "reason": reason, "message": message, "notes": len(score)}
        score = prepared(score)
    except FormatError as error:
        return {"sha": sha, "reason": "unreadable", "message": str(error)}
    except MusicError as error:
        return {"sha": sha, "reason": "damaged", "message": str(error)}
    found = fingerprint(score)
    return {
        "sha": sha, "reason": "", "message": "", "notes": len(score), "seconds": duration_seconds(score),
        "content": found.content, **found.shingles,
    }  # fmt: skip


def verdict(score: Score) -> tuple[str, str]:
    """Why a score is no use for training, as a label and a sentence; two empty strings where it is."""
    notes = pitched(score)
    if not len(score):
        return "empty", "it holds no note"
    if not len(notes):
        return "drums only", "it holds no pitched note"
    if not notes["velocity"].any():
        return "silent", "every note has velocity 0"
    if len(notes) < FEWEST_NOTES:
        return "too short", f"it has {len(notes)} notes; {FEWEST_NOTES} are needed"
    beats = score.end / score.ticks_per_beat
    if len(notes) > MOST_NOTES or beats > LONGEST_BEATS or (seconds := duration_seconds(score)) > LONGEST:
        length = (
            f"{beats:.0f} beats" if beats > LONGEST_BEATS else f"{seconds:.0f} s" if len(notes) <= MOST_NOTES else ""
        )
        return "too long", f"it has {len(notes)} notes{f' in {length}' if length else ''}"
    most = int(np.bincount(notes["pitch"]).max())
    if most > STUTTER * len(notes):
        return "stutter", f"{most} of {len(notes)} notes are one pitch"
    return "", ""


def _entry(found: Found, labels: dict, result: dict, styles_from: str) -> Entry:
    style = labels.get(styles_from) or found.manifest.get(styles_from) or found.folder_style
    entry = Entry(
        found.path, found.name, str(style), labels=labels,
        source={key: found.manifest[key] for key in SOURCES if found.manifest.get(key)},
    )  # fmt: skip
    for key, reason in ((LOST, "lost"), (FAILED, "failed")):
        if key in result:
            return replace(entry, reason=reason, message=result[key])
    values = {key: result[key] for key in ("sha", "reason", "message", "notes", "seconds") if key in result}
    return replace(entry, **values)


def _sorted_out(
    entries: Sequence[Entry], found: Sequence[Found], results: Sequence[dict], seed: int
) -> tuple[list[Entry], list[str]]:
    """The entries with works and sides, and with all but one of each set of duplicates skipped."""
    good = [n for n, entry in enumerate(entries) if entry.kept]
    prints = [Fingerprint(results[n]["content"], {kind: results[n][kind] for kind in RUNS}) for n in good]
    same, works = Groups(len(good)), Groups(len(good))
    for groups in (same, works):
        groups.join_equal([one.content for one in prints])
        groups.join_equal([entries[n].sha for n in good])
    works.join_equal([found[n].manifest.get("work_group", "") for n in good])
    for likeness in likenesses(prints):
        works.join(likeness.first, likeness.second)
        if likeness.same:
            same.join(likeness.first, likeness.second)
    dealt = [_work(members, good, found, prints) for members in works.members()]
    sides, remarks = deal(dealt, seed)
    key_of = {piece: work.key for work in dealt for piece in work.pieces}
    entries = list(entries)
    for member, n in enumerate(good):
        entries[n] = replace(entries[n], group=key_of[member], split=sides[member])
    for members in same.members():
        _keep_one(entries, [good[member] for member in members])
    return entries, remarks


def _work(members: Sequence[int], good: Sequence[int], found: Sequence[Found], prints: Sequence[Fingerprint]) -> Work:
    manifests = [found[good[member]].manifest for member in members]
    key = work_key([row.get("work_group", "") for row in manifests], [prints[member].content for member in members])
    return Work(key, tuple(members), tuple(row.get("split", "") for row in manifests))


def _keep_one(entries: list[Entry], twins: Sequence[int]) -> None:
    """Skip all but one of the same pieces; one that is held out stays, so that no twin of it is trained on."""
    kept = min(twins, key=lambda n: (("test", "valid", "train").index(entries[n].split), n))
    for n in twins:
        if n != kept:
            name = entries[kept].name
            entries[n] = replace(entries[n], reason="duplicate", message=f"duplicate of {name}")
