"""Whether copies are found and figures are left alone, how fast, and what the rule against copies costs and keeps.

    python benchmarks/originality.py [--pieces N] [--judged N] [--planted N] [--nocopy PIECES] [--styles S S] [--json F]

Of real music an index is made. Passages of 10 to 60 notes of it, half of them at least no plain figure, are planted:
moved to another pitch, in notes twice or 1.5 times as long, in another track, among the tracks of another piece, on top
of chords, between the notes of chords, and in the midst of a track of another piece. One is found where a run is told
that covers nine tenths of its time and has nine tenths of its notes. What unrelated sets of real pieces share by chance
is measured the same way. `--nocopy` composes pieces with the rule and without, beside what real pieces share.

The music is in PARTIMENTO_DATA, else ../shared/data beside the repository; defaults are small, `--pieces 10000 --judged
1000` is the full size. Music that is not enough is taken again, a semitone higher each time, as other files.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _figures import DATA, announce, origin, table, write_json

from partimento import api, formats, model_file, originality, styles
from partimento.corpus import prepared
from partimento.errors import PartimentoError
from partimento.originality.figures import plain
from partimento.originality.parts import learnt_lines, notes_of
from partimento.score import TICKS_PER_BEAT, Score, Track, note_array
from partimento.transform import resample, transpose

LENGTHS = (10, 60)  # notes of what is planted
UNRELATED = (("irish_tunes", "romantic_piano"), ("hymns", "irish_tunes"), ("guitar", "choral"), ("ragtime", "lieder"))
SHARED = (8, 12, 16, 20)
MOST_UNRELATED = 60  # pieces of a set
FINE = 2 * TICKS_PER_BEAT  # holds what is 1.5 times as long


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write JSON where it is asked for."""
    options = parsed(arguments)
    where = origin("originality.py", arguments, options.seed)
    announce(where)
    rng = np.random.default_rng(options.seed)
    packs = sorted(path for path in (options.data / "packs").iterdir() if path.is_dir())
    learnt, judged = music(packs, options.pieces, options.judged, rng)
    index, making = timed(lambda: originality.build(learnt))
    found: dict[str, Any] = {"speed": speed(index, len(learnt), judged) | {"making": making}}
    print(f"made in {making['wall']} s ({making['cpu']} s of processor)")
    found["planted"] = planted(index, learnt, judged, options.planted, rng)
    found["unrelated"] = unrelated(options.data / "packs", min(options.judged, MOST_UNRELATED), rng)
    found["index"] = {path.name: sizes(path) for path in sorted(set(styles.shipped().values()))}
    for name, row in found["index"].items():
        print(f"index of {name}: {row}")
    found["cost"] = {style: cost(style, options.candidates) for style in options.styles}
    if options.nocopy:
        found["nocopy"] = {style: kept(style, options.nocopy) for style in options.styles}
    if options.json:
        write_json(options.json, {**where, **found})


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder that holds packs/")
    parser.add_argument("--pieces", type=int, default=300, help="pieces in the index")
    parser.add_argument("--judged", type=int, default=60, help="pieces that are checked against it")
    parser.add_argument("--planted", type=int, default=10, help="passages of each kind")
    parser.add_argument("--nocopy", type=int, default=0, metavar="PIECES", help="pieces of each style, composed twice")
    parser.add_argument("--styles", nargs="+", default=["chorale", "folk", "romantic-piano"])
    parser.add_argument("--candidates", type=int, default=8, help="pieces composed side by side to time the rule")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


# --- the music


def music(packs: Sequence[Path], learnt: int, judged: int, rng) -> tuple[list, list]:
    """(name, style, score) of pieces for the index, and of others to be judged, drawn from all packs."""
    paths = [path for pack in packs for path in sorted(pack.glob("*.mid"))]
    order = [paths[at] for at in rng.permutation(len(paths))]
    heard, skipped = [], 0
    begun = time.perf_counter()
    for path in order[: learnt + judged]:
        try:
            heard.append((f"{path.parent.name}/{path.name}", path.parent.name, prepared(formats.load(path))))
        except PartimentoError:
            skipped += 1
    known = heard[judged:]
    for turn in range(1, 7):
        if len(known) < learnt:
            more = [(f"{name} +{turn}", style, _higher(score, turn)) for name, style, score in heard[judged:]]
            known += more[: learnt - len(known)]
    print(f"{len(known)} pieces to index, {min(judged, len(heard))} to judge, {skipped} unreadable; read in "
          f"{time.perf_counter() - begun:.0f} s", flush=True)  # fmt: skip
    return known, heard[:judged]


def _higher(score: Score, semitones: int) -> Score:
    """Other music of the same kind: every second note as much higher, so that runs are not the same."""
    notes = score.notes.copy()
    notes["pitch"][::2] = np.minimum(notes["pitch"][::2].astype(int) + semitones, 127)
    return score.with_notes(notes)


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What `work` gives, and the seconds that it took, by the wall and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, {"wall": round(time.perf_counter() - wall, 2), "cpu": round(time.process_time() - cpu, 2)}


def speed(index: originality.Index, learnt: int, judged: Sequence) -> dict[str, Any]:
    """Seconds to check all pieces at once and one alone."""
    scores = [score for _, _, score in judged]
    _, first = timed(lambda: originality.judge(index, scores[:1], hidden=True))
    _, alone = timed(lambda: originality.judge(index, scores[:1], hidden=True))
    _, every = timed(lambda: originality.judge(index, scores, hidden=True))
    notes = sum(map(len, scores))
    print(f"speed: {len(scores):,} pieces ({notes:,} notes) checked against {learnt:,} ({len(index):,} notes of their "
          f"lines) in {every['wall']} s ({every['cpu']} s of processor); the first in {first['cpu']} s of processor, "
          f"one more in {alone['cpu']} s", flush=True)  # fmt: skip
    return {"learnt": learnt, "judged": len(scores), "first": first, "alone": alone, "all": every}


# --- what is planted


def planted(index: originality.Index, learnt: Sequence, hosts: Sequence, count: int, rng) -> dict[str, Any]:
    """Of each kind of copy how many are found."""
    found, rows = {}, []
    for kind, disguise in KINDS.items():
        hits = 0
        for _ in range(count):
            passage = _passage(learnt, rng)
            host = hosts[int(rng.integers(len(hosts)))][2]
            score, span = disguise(passage, resample(host, FINE), rng)
            (one,) = originality.judge(index, [score], pitch=False, hidden=True, passages=40)
            hits += any(_covers(run, span, len(passage)) for run in one.passages)
        found[kind] = hits / count
        rows.append((kind, f"{hits} of {count}"))
    print("\n".join(table(("planted", "found"), rows)), flush=True)
    return found


def _passage(learnt: Sequence, rng) -> np.ndarray:
    """Onset and pitch of 10 to 60 notes of a line of the index, (N, 2), half of them at least no plain figure."""
    while True:
        _, _, score = learnt[int(rng.integers(len(learnt)))]
        lines = learnt_lines(notes_of(score))
        length = int(rng.integers(LENGTHS[0], LENGTHS[1] + 1))
        if not lines:
            continue
        line = lines[int(rng.integers(len(lines)))]
        if len(line) < length:
            continue
        first = int(rng.integers(len(line) - length + 1))
        onset, pitch = line.onset[first : first + length], line.pitch[first : first + length]
        steps = np.append(np.diff(pitch), 127), np.append(np.diff(onset), 0)
        own = int((~plain(*steps, np.zeros(1, np.int64))).sum())
        if own >= max(8, length / 2) and pitch.min() > 30 and pitch.max() < 98:
            return np.column_stack([2 * (onset - onset[0]), pitch])


def _covers(run, span: tuple[int, int], notes: int) -> bool:
    """Whether a run that is told covers what was planted at `span` (in quarters), but for a tenth of its notes."""
    begin, end = max(run.onset[0], span[0]), min(run.onset[-1], span[1])
    return run.notes >= 0.9 * notes and end - begin >= 0.9 * (span[1] - span[0])


def _score(rows: Sequence, tracks: int = 1) -> Score:
    return Score(note_array(rows), tuple(Track("", n) for n in range(tracks)), ticks_per_beat=FINE)


def _notes(passage: np.ndarray, track: int = 0, at: int = 0, factor: float = 1) -> list[tuple[int, ...]]:
    """The planted notes as rows, each held until the next."""
    onset = np.round(passage[:, 0] * factor).astype(int) + at
    lengths = np.append(np.diff(onset), FINE)
    return [(int(o), int(d), int(p), 80, track) for o, d, p in zip(onset, lengths, passage[:, 1], strict=True)]


def _span(rows: Sequence) -> tuple[int, int]:
    """First and last onset on the house grid."""
    return min(row[0] for row in rows) // 2, max(row[0] for row in rows) // 2


def alone(factor: float, semitones: int) -> Callable:
    def disguise(passage, host, rng):
        rows = _notes(passage, factor=factor)
        return transpose(_score(rows), semitones), _span(rows)

    return disguise


def _among(passage, host: Score, rng):
    """A track more in another piece, from somewhere in it on."""
    rows = _notes(passage, len(host.tracks), _somewhere(host, rng))
    notes = np.concatenate([host.notes, note_array(rows)])
    return replace(host, notes=notes, tracks=(*host.tracks, Track("", 73))), _span(rows)


def _other_track(passage, host: Score, rng):
    """In the place of what the last track of another piece plays there."""
    track = len(host.tracks) - 1
    rows = _notes(passage, track, _somewhere(host, rng))
    tracks = (*host.tracks[:-1], Track("", 0))
    begin, end = rows[0][0], rows[-1][0] + rows[-1][1]
    old = host.notes
    inside = (old["track"] == track) & (old["onset"] + old["duration"] > begin) & (old["onset"] < end)
    return replace(host, notes=np.concatenate([old[~inside], note_array(rows)]), tracks=tracks), _span(rows)


def _merged(passage, host: Score, rng):
    """In the midst of the first track of another piece, whatever stands there."""
    rows = _notes(passage, 0, _somewhere(host, rng))
    tracks = (Track("", 0), *host.tracks[1:])
    return replace(host, notes=np.concatenate([host.notes, note_array(rows)]), tracks=tracks), _span(rows)


def _over(passage, host, rng):
    """On top of chords in one track."""
    rows, low = _notes(passage), int(passage[:, 1].min())
    end = rows[-1][0] + FINE
    chords = [(at, FINE, low - step, 80, 0) for at in range(0, end, FINE) for step in (3, 8, 15)]
    return _score([*rows, *chords]), _span(rows)


def _inside(passage, host, rng):
    """Between held notes above and below in one track."""
    rows, low, high = _notes(passage), int(passage[:, 1].min()), int(passage[:, 1].max())
    end = rows[-1][0] + FINE
    held = [(at, 4 * FINE, pitch, 80, 0) for at in range(0, end, 4 * FINE) for pitch in (low - 12, high + 12)]
    return _score([*rows, *held]), _span(rows)


def _somewhere(host: Score, rng) -> int:
    return int(rng.integers(max(1, host.end // FINE))) * FINE


KINDS: dict[str, Callable] = {
    "as it is": alone(1, 0),
    "transposed": alone(1, 7),
    "twice as slow": alone(2, 0),
    "1.5 times as slow": alone(1.5, 0),
    "slow and lower": alone(1.5, -4),
    "in another track": _other_track,
    "among other tracks": _among,
    "on top of chords": _over,
    "between held notes": _inside,
    "in the midst of a track": _merged,
}


# --- what unrelated music shares


def unrelated(packs: Path, count: int, rng) -> dict[str, Any]:
    """Share of the pieces of one set whose longest run in another set has so many own notes."""
    found, rows = {}, []
    for ours, theirs in UNRELATED:
        if not (packs / ours).is_dir() or not (packs / theirs).is_dir():
            continue
        learnt, _ = music([packs / theirs], 5 * count, 0, rng)
        _, judged = music([packs / ours], 0, count, rng)
        scores = [score for _, _, score in judged]
        one = originality.judge(originality.build(learnt), scores, pitch=False, passages=0)
        longest = np.array([each.rhythm.longest for each in one])
        shares = {least: float((longest >= least).mean()) for least in SHARED}
        found[f"{ours} in {theirs}"] = {"pieces": len(scores), "index": len(learnt), **shares}
        rows.append((f"{ours} in {theirs}", *(f"{share:.0%}" for share in shares.values()), str(longest.max())))
    print("\n".join(table(("unrelated", *(f">= {n} notes" for n in SHARED), "longest"), rows)), flush=True)
    return found


# --- the shipped models


def sizes(path: Path) -> dict[str, Any]:
    """Bytes of a model's index and its share of the file."""
    members = model_file.read(path, also=(model_file.ORIGINALITY,))[1]
    data = members.get(model_file.ORIGINALITY, b"")
    index = originality.unpacked(data) if data else None
    _, opening = timed(lambda: originality.unpacked(data) if data else None)
    lines = {"lines": len(index.lines), "notes": len(index), "left out": index.left_out} if index else {}
    return {"bytes": len(data), "share": round(len(data) / path.stat().st_size, 3), **lines, "opened": opening["cpu"]}


def cost(style: str, candidates: int) -> dict[str, float]:
    """Processor seconds of composing pieces of 16 bars with the rule, and those of them that the rule's calls take.

    Each call is timed by itself, with the copying and looking through of the logits that it causes, so that the figure
    does not depend on what else the machine does. What is made once a process is not counted.
    """
    call, spent = originality.NoCopy.__call__, [0]

    def timed_call(rule, name, logits, stream, chosen) -> None:
        begun = time.thread_time_ns()
        logits.copy()
        call(rule, name, logits, stream, chosen)
        logits.max()
        spent[0] += time.thread_time_ns() - begun

    api.compose(style, seed=0, bars=4, candidates=1)
    originality.NoCopy.__call__ = timed_call  # type: ignore[method-assign]
    try:
        _, seconds = timed(lambda: [composed(style, seed, candidates) for seed in range(3)])
    finally:
        originality.NoCopy.__call__ = call  # type: ignore[method-assign]
    rule = spent[0] / 1e9
    share = rule / max(1e-9, seconds["cpu"] - rule)
    print(f"cost of the rule in {style}: {rule:.2f} of {seconds['cpu']} s of processor, {share:+.1%}", flush=True)
    return {"rule": rule, "all": seconds["cpu"], "cost": share}


def composed(style: str, seed: int, candidates: int) -> list[Score]:
    """Pieces of 16 bars composed side by side with the rule as it is by default."""
    return [one.score for one in api.compose_candidates(style, seed=seed, bars=16, candidates=candidates)]


def kept(style: str, pieces: int) -> dict[str, Any]:
    """Own notes of the longest runs of pieces composed without the rule and with it, beside real pieces."""
    found: dict[str, Any] = {}
    for name, most in (("free", 0), ("ruled", None)):
        scores = []
        for seed in range(-(-pieces // 4)):
            scores += [one.score for one in api.compose_candidates(style, seed=seed, bars=16, max_copy=most)]
        judged = api.check_originality(scores[:pieces], style=style)
        longest = [one.rhythm.longest for one in judged]
        found |= {name: {"median": float(np.median(longest)), "p95": float(np.percentile(longest, 95)),
                         "longest": max(longest)}}  # fmt: skip
        found |= {"real p95": judged[0].usual, "pieces": len(judged)}
    found["most"] = originality.usual(model_file.load(styles.find(style)).index, style)
    print(f"{style}, {found['pieces']} pieces: {found}", flush=True)
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
