"""How many steps an encoding takes for a note, beside MidiTok's REMI tokens, and what a vocabulary covers.

    python benchmarks/steps_a_note.py [--data FOLDER] [--packs folk hymns] [--every N]

Every N-th file of each pack is encoded; steps are counted without the row before the music, notes as the encoding hears
them (`events`: the first part). A vocabulary is learnt from nine of ten of these files; "new" is the share of the words
of the others that it lacks. What an encoding refuses does not count for it. The music is in PARTIMENTO_DATA, else
../shared/data beside the repository.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from partimento.corpus import prepared
from partimento.encodings import Encoding, Unencodable, get_encoding
from partimento.encodings.remi import remi
from partimento.errors import FormatError
from partimento.formats import load
from partimento.score import Score

DATA = Path(os.environ.get("PARTIMENTO_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
PACKS = ("folk", "hymns", "guitar", "pop_piano", "mozart")
FORMS = {
    "notes": {"snap": 1.0}, "pianoroll": {"snap": 1.0}, "events": {}, "events timed": {"timed": True}, "chords": {},
}  # fmt: skip
HELD_OUT = 10  # one file of so many


def scores(folder: Path, every: int) -> Iterator[Score]:
    """Every so many of a folder's MIDI files, as training takes them."""
    for path in sorted(folder.glob("*.mid"))[::every]:
        try:
            yield prepared(load(path))
        except FormatError as error:
            print(f"{path.name} is left out: {error}", file=sys.stderr)


def learnt(encoding: Encoding, pieces: Sequence[Score]) -> tuple[Encoding, dict[str, float]]:
    """The encoding with the words of nine of ten pieces; how many, and the share of new words in the others."""
    if not encoding.learns:
        return encoding, {}
    counts = []
    for piece in pieces:
        try:
            counts.append(encoding.words_of(piece))
        except Unencodable:
            counts.append({})
    held_out = counts[HELD_OUT - 1 :: HELD_OUT]
    encoding = encoding.learnt(count for n, count in enumerate(counts) if n % HELD_OUT != HELD_OUT - 1)
    (field,) = {"token", "chord"} & encoding.columns.keys()
    words: Counter[str] = Counter()
    for count in held_out:
        words.update(count.get(field, {}))
    size = next(entry.size for entry in encoding.composed if entry.name == field)
    learnt_ones = set(encoding.spec()["words"])
    known = sum(n for word, n in words.items() if word in learnt_ones)
    return encoding, {"words": size, "new": 1 - known / sum(words.values()) if words else float("nan")}


def measured(encoding: Encoding, pieces: Sequence[Score]) -> tuple[int, float]:
    """How many of the pieces the encoding takes, and steps a note of what it hears of them."""
    steps, notes, taken = 0, 0, 0
    for piece in pieces:
        try:
            heard = encoding.heard(piece)
            steps += len(encoding.encode(heard)) - 1
        except Unencodable:
            continue
        notes, taken = notes + len(heard), taken + 1
    return taken, steps / max(1, notes)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--packs", nargs="+", default=PACKS)
    parser.add_argument("--every", type=int, default=20)
    asked = parser.parse_args(arguments)
    print("| pack | form | files | steps a note | words | new |\n|---|---|---|---|---|---|")
    for pack in asked.packs:
        pieces = list(scores(asked.data / "packs" / pack, asked.every))
        if not pieces:
            print(f"no MIDI files in {asked.data / 'packs' / pack}: set PARTIMENTO_DATA", file=sys.stderr)
            return 2
        for form, options in FORMS.items():
            encoding, found = learnt(get_encoding(form.split()[0], **options), pieces)
            taken, steps = measured(encoding, pieces)
            words = f"{found['words']:.0f} | {100 * found['new']:.1f} %" if found else "– | –"
            print(f"| {pack} | {form} | {taken} | {steps:.2f} | {words} |")
        tokens = sum(len(track) for piece in pieces for track in remi(piece))
        print(f"| {pack} | REMI (MidiTok) | {len(pieces)} | {tokens / sum(map(len, pieces)):.2f} | – | – |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
