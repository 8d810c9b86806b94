"""Makes the section "Leaderboard" of docs/benchmarks.md from the figures in results/, and nothing else of that page.

    make leaderboard
    python benchmarks/leaderboard.py

Read are all `results/*.json`. A file may hold

- `"leaderboard": [{"task": "jsb-16", "model": "...", "nats": 0.42, "interval": [0.40, 0.44], "told": "...", "note":
  "..."}]`, rows of likelihood for one of `TASKS`, beside `command`, `machine`, `seed` and `date` as `_figures.origin`
  has them; any benchmark can write such rows;
- what benchmarks/evaluate.py writes (`rows` with `kind`, `auc` and `origin`; `earlier` is set by hand in those that a
  change of the rules has made old, until a run replaces them);
- `published.json`: figures of others, with their sources.

What the shipped models say of themselves is read from the model files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from partimento import styles

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- leaderboard: made by benchmarks/leaderboard.py -->", "<!-- end of the leaderboard -->"
TASKS = {
    "jsb-16": (
        "Bach chorales, nats per note on the sixteenth grid",
        "Test split of 77 pieces of `Jsb16thSeparated.json` (229 to learn from), all in C. A note is one voice at one "
        "sixteenth; nats are the mean over all of them, all four voices predicted in one order (a full joint "
        "likelihood). Orderless and chord-told figures (Coconet 0.238, TonicNet 0.220) answer another question and are "
        "left out. 22 of the 77 test melodies stand in the training split as well.",
    ),
    "jsb-quarter": (
        "Bach chorales, nats per frame on the quarter-note grid",
        "88 binary keys a frame, one frame a quarter note, all pieces in C, the split of Boulanger-Lewandowski (229, "
        "76, 77); nats are the mean over the frames of all test pieces. Models whose keys are independent of each "
        "other in a frame stay near 8. Figures near 6.2 of a plain GRU average over padding and are left out.",
    ),
    "nottingham": (
        "Nottingham, nats per frame on the eighth-note grid",
        "The same score for 694, 173 and 170 folk tunes with chords, one frame an eighth.",
    ),
}
FEW = 10  # pieces a side
OF_CARDS = {"jsb-16": ("chorale.partimento", "chorale, test, {}", "voice and sixteenth")}
CARD_NOTE = "also learnt from hymns and motets, and tells holding from striking again"
KINDS = {
    "halves": "real beside real (the ceiling)", "styles": "composed beside held-out real pieces",
    "other": "another kind of music", "shuffled": "shuffled beside real (the floor)",
}  # fmt: skip


def main() -> int:
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_section(text, section(read())), encoding="utf-8")
    print(f"wrote the leaderboard in {PAGE.name}")
    return 0


def read(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """Every file of results by its name without suffix."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}


def with_section(text: str, section: str) -> str:
    """The page with its leaderboard replaced; raises `ValueError` where the markers are missing."""
    before, first, rest = text.partition(BEGIN)
    _, last, after = rest.partition(END)
    if not first or not last:
        raise ValueError(f"{PAGE.name} lacks the lines {BEGIN!r} and {END!r}; put them where the leaderboard is to be")
    return f"{before}{BEGIN}\n{section}{END}{after}"


def section(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole section in Markdown."""
    lines = ["", "Made by `make leaderboard` from `benchmarks/results/*.json` and the cards of the shipped models.", ""]
    for task, (title, protocol) in TASKS.items():
        lines += [f"### {title}", "", protocol, "", *_likelihood(task, results), ""]
    if "evaluate" in results:
        lines += ["### Told from real music", "", *_told(results["evaluate"]), ""]
    if "models" in results:
        lines += ["Every preset on the same small corpus, for the same time: [models](models/README.md).", ""]
    return "\n".join(lines)


# --- likelihood


def _likelihood(task: str, results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    rows = [*_published(task, results), *_cards(task), *_measured(task, results)]
    ours = any(row["ours"] for row in rows)
    yield "| model | nats [95 %] | whose | from |"
    yield "|---|---|---|---|"
    for row in sorted(rows, key=lambda row: (row["nats"], row["model"])):
        name = f"**{row['model']}**" if row["ours"] else row["model"]
        yield f"| {name} | {_figure(row['nats'], row.get('interval'))} | {row['whose']} | {row['from']} |"
    if not ours:
        yield ""
        yield "No model of this project has been scored so yet."


def _figure(value: float, interval: Sequence[float] | None) -> str:
    digits = 3 if value < 1 else 2
    bounds = "" if interval is None else f" [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
    return f"{value:.{digits}f}{bounds}"


def _published(task: str, results: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in results.get("published", {}).get("rows", []):
        if row["task"] == task:
            yield {**row, "ours": False, "whose": "published", "from": row["source"]}


def _cards(task: str) -> Iterator[dict[str, Any]]:
    """What the card of a shipped model says, told and untold; nothing where its unit is another."""
    if task not in OF_CARDS:
        return
    name, entry, unit = OF_CARDS[task]
    path = styles.FOLDER / name
    if not path.exists():
        return
    card = styles.described(path)["card"]
    for told in ("told", "untold"):
        if card["nats"].get("unit") == unit and entry.format(told) in card["nats"]:
            source = f"its [card](styles.md), {card['training']['date']}; {CARD_NOTE}"
            yield {"model": f"`{name}`, {told}", "nats": card["nats"][entry.format(told)], "ours": True,
                   "whose": "shipped", "from": source}  # fmt: skip


def _measured(task: str, results: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows that benchmarks wrote."""
    for found in results.values():
        for row in found.get("leaderboard", []):
            if row["task"] == task:
                note = f"; {row['note']}" if row.get("note") else ""
                yield {**row, "ours": True, "whose": "measured", "from": f"{origin_of(found)}{note}"}


def origin_of(found: Mapping[str, Any]) -> str:
    return f"`{found['command']}`, seed {found['seed']}, {found['machine']}, {found['date']}"


# --- told from real music


def _told(found: Mapping[str, Any]) -> Iterator[str]:
    """Real against real on top, then the shipped styles by how hard they are to tell, other music, shuffled music."""
    sources = dict.fromkeys(origin_of(row["origin"]) for row in found["rows"])
    yield (
        f"{'; '.join(sources)}. The [two-sample test](evaluation.md) of every row: AUC 0.5 is music that a "
        "classifier cannot tell from real pieces, 1 music that it always can. Overlap: the mean overlapping area of "
        "the field's metrics (Yang and Lerch 2020), 1 at best. Fréchet distance by features of our own, with what "
        "sets of this size give by chance. An earlier state: composed before the rules were last changed."
    )
    yield ""
    yield "| what | pieces | AUC [95 %] | p | overlap | Fréchet (by chance) | what gives it away |"
    yield "|---|---|---|---|---|---|---|"
    for kind, title in KINDS.items():
        rows = [row for row in found["rows"] if row["kind"] == kind]
        if rows:
            yield f"| *{title}* | | | | | | |"
        for row in sorted(rows, key=lambda row: (1.0 if row["auc"] is None else row["auc"], row["name"])):
            yield f"| {' | '.join(_cells(row))} |"


def _cells(row: Mapping[str, Any]) -> Sequence[str]:
    low, high = row["interval"] or (0.0, 1.0)
    auc = "-" if row["auc"] is None else f"{row['auc']:.2f} [{low:.2f}, {high:.2f}]"
    first, last = row.get("frechet_chance") or (0.0, 0.0)
    name = f"`{row['name']}`" if row["kind"] == "styles" else row["name"]
    name += " (too few to say)" if min(row["pieces"]) < FEW else ""
    name += " (an earlier state)" if row.get("earlier") else ""
    tells = ", ".join(f"{one['feature']} {'high' if one['auc'] > 0.5 else 'low'}" for one in row["tells"][:3])
    return (
        name, f"{row['pieces'][0]}, {row['pieces'][1]}", auc, "-" if row.get("p") is None else f"{row['p']:.3f}",
        f"{row['overlap']:.2f}", f"{row['frechet']:.0f} ({first:.0f} to {last:.0f})", tells or "nothing beyond chance",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
