"""Harmonises melodies of held-out chorales and hymns and sets the settings beside those that stood there.

    python benchmarks/harmonize.py --pieces 16 --json runs/harmonize.json
    python benchmarks/harmonize.py --styles chorale --pieces 40 --model base.partimento

The highest voice of a real setting is all that is given; the others are composed as `partimento harmonize` does with
nothing asked for, once with the rules of part-writing and once without them. All three settings of a melody are
measured alike, so that what the melody brings along is in each of them. Intervals are 95 % bootstraps over works.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from _figures import DATA, announce, digest, origin, table, write_json
from _joins import mean_interval
from _stretches import Piece, held_out, loaded, read

import partimento
from partimento import composing, styles
from partimento.encodings import Encoding, Unencodable
from partimento.errors import FormatError, MusicError, PartimentoError
from partimento.evaluation import listen, typicality
from partimento.profile import SPAN
from partimento.score import Score

STYLES = ("chorale", "hymn")  # of single voices, one of which leads
KINDS = ("real", "with rules", "without rules")
FEWEST = 4  # parts of a setting
SHOWN = {  # figure -> what it is
    "parallels": "parallel fifths and octaves in 100 changes of chord",
    "struck_clashes": "share of beats on which a semitone or major seventh sounds",
    "voice_crossing": "share of time in which a voice sounds below the next lower one",
    "wide_spacing": "share of time with more than an octave between upper neighbours",
    "unisons": "share of time in which two voices sing the same pitch",
    "missing_voices": "share of time in which some voices rest and others sound",
    "bare": "share of time with two pitch classes or fewer",
    "plain_chords": "share of time within one triad or seventh chord",
    "widest_voice_leap": "semitones",
    "authentic_close": "share of pieces whose bass closes from dominant to tonic",
    "typicality": "0 to 1, beside the training pieces of the style",
}
Records = Sequence[Mapping[str, Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    announce(where := origin("harmonize.py", arguments, options.seed))
    found: dict[str, Any] = {}
    for style in options.styles:
        path = options.model or styles.find(style, obedient=True)
        begun = time.monotonic()
        records = list(itertools.islice(settings(style, path, options), options.pieces))
        found[style] = {"model": f"{path.name} {digest(path)}"} | figures(records, options.seed)
        print(f"\n{style}: {len(records)} melodies, {time.monotonic() - begun:.0f} s")
        print("\n".join(lines_of(found[style])), flush=True)
        write_json(options.json, where | {"candidates": options.candidates, "styles": found})
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--styles", nargs="+", default=list(STYLES), help=f"(default: {' '.join(STYLES)})")
    parser.add_argument("--pieces", type=int, default=16, help="melodies of each style")
    parser.add_argument("--candidates", type=int, default=4, help="of which the best is taken")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", type=Path, help="a model file (default: the styles that are shipped)")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of packs")
    parser.add_argument("--json", type=Path, default=Path("runs") / "harmonize.json", help="all figures go there")
    return parser.parse_args(arguments)


def settings(style: str, path: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The figures of every held-out melody's settings, in the order in which the benchmarks take pieces."""
    model = loaded(path)
    for piece in held_out(style, options.data, options.seed):
        if (real := setting(piece, model.encoding)) is None:
            continue
        tune, seed = (
            melody(real),
            int(np.random.default_rng([options.seed, zlib.crc32(piece.name.encode())]).integers(2**31)),
        )
        asked = {"style": style, "model": path, "candidates": options.candidates, "seed": seed}
        scores = {"real": real, "with rules": partimento.harmonize(tune, **asked)[0].score}
        with without_part_writing():
            scores["without rules"] = partimento.harmonize(tune, **asked)[0].score
        profile = model.info["styles"][style]["measures"]
        yield {"work": piece.work, "name": piece.name} | {kind: measured(one, profile) for kind, one in scores.items()}


def setting(piece: Piece, encoding: Encoding) -> Score | None:
    """A real setting in parts as the model would have to say it; None where it cannot be read, or has too few parts."""
    try:
        score = read(piece, encoding)
    except (FormatError, Unencodable, MusicError):
        return None
    return score if len(np.unique(score.notes["track"])) >= FEWEST else None


def melody(score: Score) -> Score:
    """The part that lies highest on average, by itself."""
    numbers = np.unique(score.notes["track"])
    top = max(numbers, key=lambda number: score.track_notes(int(number))["pitch"].mean())
    notes = score.track_notes(int(top)).copy()
    notes["track"] = 0
    return replace(score, notes=notes, tracks=(score.tracks[int(top)],))


def without_part_writing():
    """Rules of voices are none while this holds; those of key, range, clashes and closing stay."""
    return patch.object(composing, "voice_rules", lambda *arguments, **named: [])


def measured(score: Score, profile: Mapping[str, Any]) -> dict[str, float]:
    """What is shown of a setting; a measure that does not apply is left out."""
    heard = listen(score, span=SPAN)
    found = {name: heard[name] for name in SHOWN if name in heard}
    parallels = [heard[name] for name in ("parallel_fifths", "parallel_octaves") if name in heard]
    return found | ({"parallels": sum(parallels)} if parallels else {}) | {"typicality": typicality(heard, profile)}


def figures(records: Records, seed: int) -> dict[str, Any]:
    """Mean and interval of every figure of each kind of setting, over the melodies of which all kinds have it."""
    groups = np.unique([record["work"] for record in records], return_inverse=True)[1] if records else np.zeros(0, int)
    found: dict[str, Any] = {"melodies": len(records), "works": len(set(groups.tolist())), "figures": {}}
    for name in SHOWN:
        has = np.array([all(name in record[kind] for kind in KINDS) for record in records], dtype=bool)
        if not has.any():
            continue
        found["figures"][name] = {"melodies": int(has.sum())}
        for kind in KINDS:
            values = np.array([record[kind][name] for record, known in zip(records, has, strict=True) if known])
            own = np.unique(groups[has], return_inverse=True)[1]
            sums = [np.bincount(own, weights=weights) for weights in (values, np.ones(len(values)))]
            found["figures"][name][kind] = {"mean": float(values.mean()), "interval": mean_interval(*sums, seed)}
    return found


def lines_of(found: Mapping[str, Any]) -> list[str]:
    """A table: a line a figure, a column a kind of setting."""
    rows = [
        (name, str(own["melodies"]), *(cell(own[kind]) for kind in KINDS), SHOWN[name])
        for name, own in found["figures"].items()
    ]
    return table(("figure", "melodies", *KINDS, "unit"), rows)


def cell(figure: Mapping[str, Any]) -> str:
    low, high = figure["interval"]
    return f"{figure['mean']:.3g} [{low:.3g}, {high:.3g}]"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PartimentoError as error:
        sys.exit(str(error))
