"""How far the descriptions of `partimento.describe` can be trusted, measured on real music.

    python benchmarks/describing.py [--every N] [--neighbour SHARE] [--size COST] [--data FOLDER]

Chords are set beside those that the melody-and-chords files of the pack `leadsheet` have written in their second
track, beat by beat; the mode cue beside the keys that the packs' manifests state; the descriptors beside each other,
and each piece's second half beside its first. Of the packs every N-th piece is taken (default 8), of leadsheet all.
`--neighbour` and `--size` try other constants of the chord matching than those of `describe/chords.py`.
The music is in PARTIMENTO_DATA, else ../shared/data beside the repository.
"""

from __future__ import annotations

import argparse
import csv
import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from partimento.corpus import prepared
from partimento.describe import DESCRIPTORS, NONE, QUALITIES, Bars, chords, cues, levels, measured, repeats, scale_of
from partimento.describe.descriptors import CUES
from partimento.errors import FormatError, MusicError
from partimento.formats import load
from partimento.machine import processor
from partimento.score import Score
from partimento.theory import CHORD_QUALITIES
from partimento.transform import transpose

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
CHORDS_TRACK = 1
MOST_NOTES = 20_000  # of a piece
FEWEST_BARS = 16  # of a piece whose halves are set beside each other
MOVED = 5  # semitones
SEVENTHS = [place for place, name in enumerate(QUALITIES) if len(CHORD_QUALITIES[name]) == 4]
CHORDS = sys.modules[chords.__module__]  # the module: the function has its name


@dataclass
class Piece:
    """A described piece; `key` is what its manifest says, like "Bbmaj"."""

    pack: str
    key: str
    notes: int
    milliseconds: float  # that describing it took
    cues: dict[str, np.ndarray]  # (bars,) each
    measures: dict[str, np.ndarray]  # (bars,) each
    steady: float | None  # share of beats whose chord moves along with the piece
    plain: tuple[int, int]  # beats in which one chord and nothing else sounds: named so, all
    sevenths: float  # share of beats named a seventh chord

    @property
    def bars(self) -> int:
        return len(self.measures["valence"])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="How far descriptions of music can be trusted.")
    parser.add_argument("--every", type=int, default=8, help="take every N-th piece of the packs")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("PARTIMENTO_DATA", BESIDE)))
    parser.add_argument("--neighbour", type=float, default=CHORDS.NEIGHBOUR, help="weight of the beats beside")
    parser.add_argument("--size", type=float, default=CHORDS.SIZE, help="against each further note of a chord")
    options = parser.parse_args(arguments)
    CHORDS.NEIGHBOUR, CHORDS.SIZE = options.neighbour, options.size
    print(f"command: python benchmarks/describing.py {shlex.join(sys.argv[1:] if arguments is None else arguments)}")
    packs = options.data / "packs"
    found = list(pieces(packs, options.every))
    names = len({piece.pack for piece in found})
    print(f"machine: {processor()}, {os.cpu_count()} cores; {len(found):,} pieces of {names} packs, "
          f"{sum(piece.bars for piece in found):,} bars")  # fmt: skip
    show_chords(packs / "leadsheet")
    show_mode(found)
    show_cues(found)
    show_descriptors(found)
    show_halves(found)
    show_rest(found)
    return 0


def pieces(packs: Path, every: int) -> Iterator[Piece]:
    """Every N-th piece of all packs, described; those that cannot be read or described are left out."""
    for path, pack, key in list(entries(packs))[::every]:
        try:
            score = prepared(load(path))
            if len(score) > MOST_NOTES:
                continue
            begun = time.perf_counter()
            bars = Bars(score)
            measures, *_ = measured(bars), repeats(bars), chords(bars)
            taken = time.perf_counter() - begun
        except (FormatError, MusicError):
            continue
        labels = chords(bars)
        sevenths = float(np.isin(labels % len(QUALITIES), SEVENTHS)[labels != NONE].mean())
        yield Piece(
            pack, key, len(score), 1000 * taken, cues(bars), measures, moves_along(score, labels),
            named_plainly(bars, labels), sevenths,
        )  # fmt: skip


def entries(packs: Path) -> Iterator[tuple[Path, str, str]]:
    """File, pack and key of every entry of the manifests."""
    for manifest in sorted(packs.glob("*/manifest.csv")):
        with manifest.open(encoding="utf-8", newline="") as file:
            for entry in csv.DictReader(file):
                yield manifest.parent / entry["file"], manifest.parent.name, entry["key"]


def moves_along(score: Score, found: np.ndarray) -> float | None:
    """Share of beats whose chord moves by as many semitones as the piece; None where it leaves MIDI's range."""
    try:
        moved = chords(Bars(transpose(score, MOVED)))
    except MusicError:
        return None
    heard = found != NONE
    expected = (found + MOVED * len(QUALITIES)) % (12 * len(QUALITIES))
    return float((moved == expected)[heard].mean())


# --- chords


def named_plainly(bars: Bars, labels: np.ndarray) -> tuple[int, int]:
    """Beats in which the notes of one chord and no others sound: how many are named so, and how many there are."""
    sounding = bars.beat_pitch_classes > 0
    exact = (sounding[:, None, :] == (CHORDS.TEMPLATES > 0)).all(axis=2)  # (beats, chords)
    plain = exact.any(axis=1)
    return int(exact[plain, labels[plain]].sum()), int(plain.sum())


def show_chords(folder: Path) -> None:
    """Agreement with written chords: with melody and chords to hear, and with the melody alone."""
    heard, told, alone = [], [], []
    for path in sorted(folder.glob("*.mid")):
        score = prepared(load(path))
        bars = Bars(score)
        said = written(bars)
        kept = said != NONE
        melody = score.with_notes(score.notes[score.notes["track"] != CHORDS_TRACK])
        heard.append(chords(bars)[kept])
        told.append(said[kept])
        alone.append(of_beats(Bars(melody), bars.beats)[kept])
    truth = np.concatenate(told)
    print(f"\nchords beside the written ones, {len(told)} lead sheets, {len(truth):,} beats within one chord")
    print(f"{'heard':<22}{'root':>7}{'quality':>9}{'both':>7}")
    for words, labels in (("melody and chords", heard), ("the melody alone", alone)):
        print(f"{words:<22}" + "".join(f"{100 * value:>{width}.1f}" for value, width in
              zip(agreement(truth, np.concatenate(labels)), (7, 9, 7), strict=True)))  # fmt: skip
    show_qualities(truth, np.concatenate(heard))


def written(bars: Bars) -> np.ndarray:
    """The chord that the second track holds through each beat, (beats,); `NONE` where it changes or is no chord."""
    notes = bars.score.track_notes(CHORDS_TRACK)
    starts = np.unique(notes["onset"])
    events = [notes[notes["onset"] == start] for start in starts]
    stops = np.array([int((event["onset"] + event["duration"]).min()) for event in events])
    named = np.array([named_by(event["pitch"].astype(int)) for event in events])
    ends = np.append(bars.beats[1:], bars.score.end)
    at = np.searchsorted(starts, bars.beats, side="right") - 1
    through = (at >= 0) & (stops[at] >= ends)
    return np.where(through, named[at], NONE)


def named_by(pitches: np.ndarray) -> int:
    """The chord on the lowest of `pitches`, else on any, with most notes of them: ninths and sixths go; `NONE`."""
    classes, bass = set((pitches % 12).tolist()), int(pitches.min()) % 12
    fitting = [
        (root == bass, len(CHORD_QUALITIES[name]), root * len(QUALITIES) + QUALITIES.index(name))
        for root in range(12)
        for name in QUALITIES
        if {(root + step) % 12 for step in CHORD_QUALITIES[name]} <= classes
    ]
    return max(fitting)[2] if fitting else NONE


def of_beats(bars: Bars, beats: np.ndarray) -> np.ndarray:
    """The chords of `bars` at other beats, those of the same music with another track, (beats,)."""
    found = chords(bars)
    return found[np.clip(np.searchsorted(bars.beats, beats, side="right") - 1, 0, len(found) - 1)]


def agreement(truth: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """Shares of beats alike in root, alike in quality where the root is, and alike in both."""
    root = truth // len(QUALITIES) == labels // len(QUALITIES)
    both = truth == labels
    return float(root.mean()), float(both.sum() / max(1, root.sum())), float(both.mean())


def show_qualities(truth: np.ndarray, labels: np.ndarray) -> None:
    """Of each written quality: how often it is heard so, and what else it is heard as most."""
    print(f"\n{'written':<9}{'beats':>7}{'both right':>12}   heard otherwise, most often")
    for place, name in enumerate(QUALITIES):
        here = truth % len(QUALITIES) == place
        if not here.any():
            continue
        wrong = here & (truth != labels)
        steps = (labels[wrong] // len(QUALITIES) - truth[wrong] // len(QUALITIES)) % 12
        kinds = Counter(zip(steps.tolist(), (labels[wrong] % len(QUALITIES)).tolist(), strict=True))
        others = ", ".join(f"{QUALITIES[kind]} {step} above ({count})" for (step, kind), count in kinds.most_common(2))
        print(f"{name:<9}{here.sum():>7,}{100 * (truth == labels)[here].mean():>11.1f}%   {others}")


# --- descriptors


def show_mode(found: list[Piece]) -> None:
    """The mean of the mode cue beside the mode that the manifests state."""
    known = [piece for piece in found if piece.key.endswith(("maj", "min"))]
    minor = np.array([piece.key.endswith("min") for piece in known])
    mode = np.array([piece.cues["mode"].mean() for piece in known])
    right = ((mode < 0) == minor).mean()
    above = (mode[~minor][:, None] > mode[minor]).mean()
    print(f"\nmode cue, {len(known):,} pieces ({minor.sum()} in minor): on the manifest's side of 0 in "
          f"{100 * right:.1f} %; {100 * above:.1f} % of pairs of a major and a minor piece are in order")  # fmt: skip


def show_cues(found: list[Piece]) -> None:
    """Mean and spread of each cue over the bars, each piece counting alike, beside what the code assumes."""
    print(f"\n{'cue':<13}{'mean':>8}{'spread':>8}{'assumed':>10}{'spread':>8}")
    weights = np.concatenate([np.full(piece.bars, 1 / piece.bars) for piece in found])
    for name, (mean, spread) in CUES.items():
        values = np.concatenate([piece.cues[name] for piece in found])
        centre = np.average(values, weights=weights)
        around = np.sqrt(np.average((values - centre) ** 2, weights=weights))
        print(f"{name:<13}{centre:>8.2f}{around:>8.2f}{mean:>10.2f}{spread:>8.2f}")


def show_descriptors(found: list[Piece]) -> None:
    """Correlations of the descriptors: below the diagonal over all bars, above it over the means of pieces."""
    over_bars = np.corrcoef([np.concatenate([piece.measures[name] for piece in found]) for name in DESCRIPTORS])
    over_pieces = np.corrcoef([[piece.measures[name].mean() for piece in found] for name in DESCRIPTORS])
    print("\ncorrelations: below the diagonal of bars, above it of pieces")
    print(" " * 12 + "".join(f"{name:>12}" for name in DESCRIPTORS))
    for row, name in enumerate(DESCRIPTORS):
        cells = [over_pieces[row, column] if column > row else over_bars[row, column] for column in range(4)]
        print(f"{name:<12}" + "".join(f"{'' if n == row else f'{cell:.2f}':>12}" for n, cell in enumerate(cells)))


def show_halves(found: list[Piece]) -> None:
    """Levels of the second half of each piece beside those of the first, on the scale of its pack."""
    halves: dict[str, list[tuple[float, float]]] = {name: [] for name in DESCRIPTORS}
    for pack in sorted({piece.pack for piece in found}):
        here = [piece for piece in found if piece.pack == pack]
        scales = {name: scale_of(np.concatenate([piece.measures[name] for piece in here])) for name in DESCRIPTORS}
        for piece in here:
            if piece.bars >= FEWEST_BARS:
                for name, values in levels(piece.measures, scales).items():
                    halves[name].append(tuple(half.mean() for half in np.array_split(values, 2)))
    print(f"\nlevels of the halves of {len(halves['valence']):,} pieces of {FEWEST_BARS} bars and more, "
          "on the scales of their packs")  # fmt: skip
    print(f"{'':<12}{'correlation':>12}{'mean distance':>15}{'spread of pieces':>18}")
    for name, pairs in halves.items():
        first, second = np.array(pairs).T
        away, spread = np.abs(first - second).mean(), np.array(pairs).mean(axis=1).std()
        print(f"{name:<12}{np.corrcoef(first, second)[0, 1]:>12.2f}{away:>15.2f}{spread:>18.2f}")


def show_rest(found: list[Piece]) -> None:
    steady = [piece.steady for piece in found if piece.steady is not None]
    usual = [piece.milliseconds for piece in found if 600 <= piece.notes <= 800]
    print(f"\nchords that move along when the piece is transposed by {MOVED} semitones: "
          f"{100 * np.mean(steady):.1f} % of the beats of {len(steady):,} pieces")  # fmt: skip
    shares = [100 * piece.plain[0] / piece.plain[1] for piece in found if piece.plain[1]]
    print(f"beats in which one chord and nothing else sounds: {np.mean(shares):.1f} % are named so, the mean of "
          f"{len(shares):,} pieces; {100 * np.mean([piece.sevenths for piece in found]):.1f} % of all beats are named "
          "seventh chords")  # fmt: skip
    print(f"time: median {np.median(usual):.1f} ms for {len(usual)} pieces of 600 to 800 notes, "
          f"{np.median([piece.milliseconds for piece in found]):.1f} ms for all")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
