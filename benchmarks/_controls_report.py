"""From the pieces of the benchmark of controls to its figures, tables and plot."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _figures import bootstrap, slope, spearman, table, wilson
from _pieces import FALLS, RISES, Task, agreement

from partimento.asking import CONTROLS
from partimento.errors import BadOption, MissingExtra

# rank correlation of asked and obtained
GOALS = {"happiness": 0.75, "excitement": 0.9, "complexity": 0.9, "density": 0.9}
EXPECTED = {  # what listeners associate with more of each control, beside what the control is measured by
    "happiness": ("major", "onsets a second", "pitch", "detached"),
    "excitement": ("tempo", "loudness", "onsets a second", "pitch", "polyphony", "detached"),
    "complexity": ("pitch classes",),
    "density": ("onsets a second",),
}
OTHERS = ("tempo", "loudness", "onsets a second", "pitch", "major", "pitch classes", "polyphony", "detached")
SIDES = ("best", "any")  # of the candidates
SOURCES = ("notes", "played")
FEWEST = 3  # pieces to correlate
NAMES = {"length": "bars", "roots": "chord root", "triads": "triad", "exact": "root and quality"}
Pieces = Sequence[tuple[Task, Mapping[str, Any]]]


def by_style(pieces: Pieces, seed: int) -> dict[str, dict]:
    """All figures of each style."""
    return {style: of_style(own, seed) for style, own in grouped(pieces, lambda task: task.style).items()}


def together(pieces: Pieces, seed: int) -> dict[str, dict]:
    """Each control over the pieces of all styles, every one on the scale of its own style."""
    kinds = grouped(pieces, lambda task: task.kind)
    return {
        name: {side: of_control(kinds[name], name, side, seed) for side in SIDES}
        for name in CONTROLS
        if len(kinds.get(name, ())) >= FEWEST
    }


def grouped(pieces: Pieces, key) -> dict[Any, list]:
    found: dict[Any, list] = defaultdict(list)
    for task, record in pieces:
        found[key(task)].append((task, record))
    return dict(found)


def of_style(pieces: Pieces, seed: int) -> dict[str, Any]:
    """The figures of one style: controls, curves, accuracies, other measures and cross-effects."""
    kinds = grouped(pieces, lambda task: task.kind)
    controls = {name: kinds[name] for name in CONTROLS if len(kinds.get(name, ())) >= FEWEST}
    return {
        "controls": {
            name: {side: of_control(own, name, side, seed) for side in SIDES} for name, own in controls.items()
        },
        "curves": of_curves(kinds),
        "accuracy": of_accuracy(pieces, kinds, seed),
        "other": {name: against(own, name, "other", OTHERS) for name, own in controls.items()},
        "cross": {name: against(own, name, "obtained", tuple(CONTROLS)) for name, own in controls.items()},
    }  # fmt: skip


def column(pieces: Pieces, side: str, kind: str, name: str) -> np.ndarray:
    """One measure of every piece, (N,); not a number where a piece lacks it."""
    values = [record[side][kind].get(name) for _, record in pieces]
    return np.array([math.nan if value is None else value for value in values], dtype=float)


def asked_of(pieces: Pieces, name: str) -> np.ndarray:
    return np.array([record["asked"][name] for _, record in pieces], dtype=float)


def of_control(pieces: Pieces, name: str, side: str, seed: int) -> dict[str, Any]:
    """Asked against obtained: rank correlation with its interval, mean error, slope; on the notes and as played."""
    wanted, low, high = asked_of(pieces, name), *CONTROLS[name][1:]
    found: dict[str, Any] = {"pieces": len(pieces)}
    for kind in ("obtained", "played"):
        got = column(pieces, side, kind, name)
        found["notes" if kind == "obtained" else kind] = {
            "spearman": spearman(wanted, got), "interval": bootstrap(spearman, wanted, got, seed=seed),
            "error": float(np.abs(wanted - got).mean()),
            "error_share": float(np.abs(wanted - got).mean() / (high - low)),
            "slope": slope(wanted, got), "slope_interval": bootstrap(slope, wanted, got, seed=seed),
        }  # fmt: skip
    return found


def of_curves(kinds: Mapping[str, Pieces]) -> dict[str, Any]:
    """How bars follow a line that rises or falls: mean rank correlation, share of pieces that go the right way."""
    found = {}
    for name in CONTROLS:
        own = [pair for way in (RISES, FALLS) for pair in kinds.get(f"{name} {way}", ())]
        if not own:
            continue
        found[name] = {"pieces": len(own)}
        for kind in ("", "_played"):
            lines = np.array([record["best"][f"line{kind}"] or 0.0 for _, record in own])  # None: nothing ever changes
            right = sum(record["best"][f"gain{kind}"] > 0 for _, record in own)
            found[name][kind.strip("_") or "notes"] = {
                "line": float(lines.mean()), "interval": bootstrap(lambda line: float(line.mean()), lines),
                "right_way": wilson(right, len(own)),
            }  # fmt: skip
    return found


def of_accuracy(pieces: Pieces, kinds: Mapping[str, Pieces], seed: int) -> dict[str, Any]:
    """Shares of what was met, with 95 % intervals and how many there were: [share, low, high, count]."""
    found: dict[str, Any] = {"length": _met(pieces, "length")}
    for kind in ("key", "metre", "instruments"):
        if own := kinds.get(kind):
            found[kind] = _met(own, "hit")
    if own := kinds.get("key"):
        found["key, any one"] = _met(own, "hit", "any")
    if own := kinds.get("metre"):
        found["first beat weightiest"] = _met(own, "first")
    if own := kinds.get("instruments"):
        found["within reach"] = [mean(r["best"]["reach"] for _, r in own), math.nan, math.nan, len(own)]
    if own := kinds.get("chords"):
        found |= of_chords(own, seed)
    return found


def _met(pieces: Pieces, what: str, side: str = "best") -> list[float]:
    return [*wilson(sum(record[side][what] for _, record in pieces), len(pieces)), len(pieces)]


def of_chords(pieces: Pieces, seed: int) -> dict[str, list]:
    """Shares of beats with the root, triad and chord asked for; beside them what unrelated pieces would have."""
    heard = [record["best"]["heard"] for _, record in pieces]
    wishes = [record["asked"]["chords"] for _, record in pieces]
    met = np.array([agreement(wish, one) for wish, one in zip(wishes, heard, strict=True)])
    chance = np.array([agreement(wish, one) for wish, one in zip(wishes, heard[1:] + heard[:1], strict=True)])
    found = {}
    for number, name in ((1, "roots"), (2, "triads"), (3, "exact")):
        low, high = bootstrap(_share, met[:, number], met[:, 0], seed=seed)
        found[name] = [_share(met[:, number], met[:, 0]), low, high, len(pieces)]
        found[f"{name} by chance"] = [_share(chance[:, number], chance[:, 0]), math.nan, math.nan, len(pieces)]
    return found


def _share(part: np.ndarray, whole: np.ndarray) -> float:
    return float(part.sum() / max(1, whole.sum()))


def against(pieces: Pieces, name: str, kind: str, measures: Sequence[str]) -> dict[str, float]:
    """Rank correlation of what was asked of a control with each of `measures`."""
    wanted, found = asked_of(pieces, name), {}
    for measure in measures:
        got = column(pieces, "best", kind, measure)
        here = np.isfinite(got)
        found[measure] = spearman(wanted[here], got[here]) if here.sum() >= FEWEST else math.nan
    return found


def by_guidance(pieces: Pieces) -> list[dict[str, Any]]:
    """Accuracy and quality at each strength of guidance: means over the styles, each style by itself."""
    found = []
    for strength, own in sorted(grouped(pieces, lambda task: task.guidance).items()):
        for name, of_kind in grouped(own, lambda task: task.kind).items():
            styles = [one for one in grouped(of_kind, lambda task: task.style).values() if len(one) >= FEWEST]
            if name in CONTROLS and styles:
                span = CONTROLS[name][2] - CONTROLS[name][1]
                found.append({
                    "guidance": strength, "control": name, "styles": len(styles), "pieces": sum(map(len, styles)),
                    "spearman": mean(spearman(asked_of(o, name), column(o, "best", "obtained", name)) for o in styles),
                    "error_share": mean(
                        np.abs(asked_of(o, name) - column(o, "best", "obtained", name)).mean() / span for o in styles
                    ),
                    "typicality": mean(record["best"]["typicality"] for _, record in of_kind),
                    "in_key": mean(record["best"]["in_key"] for _, record in of_kind),
                })  # fmt: skip
    return found


def mean(values: Iterable[float | None]) -> float:
    """The mean of those that are numbers; not a number of none."""
    known = [float(value) for value in values if value is not None and math.isfinite(value)]
    return float(np.mean(known)) if known else math.nan


def card_of(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What of a style's figures its model card shows."""
    controls = {
        name: {
            "pieces": one["best"]["pieces"], "goal": GOALS[name], "error": one["best"]["notes"]["error"],
            "spearman": one["best"]["notes"]["spearman"], "interval": one["best"]["notes"]["interval"],
            "played": one["best"]["played"]["spearman"],
        }
        for name, one in figures["controls"].items()
    }  # fmt: skip
    shown = ("length", "key", "metre", "instruments", "roots", "triads", "exact")
    accuracy = {name: figures["accuracy"][name] for name in shown if name in figures["accuracy"]}
    return {"controls": controls, "curves": figures["curves"], "accuracy": accuracy}


# --- tables


def lines_of(styles: Mapping[str, Any], all_styles: Mapping[str, Any]) -> list[str]:
    """All tables."""
    found: list[str] = []
    for name in CONTROLS:
        own = {style: one["controls"][name] for style, one in styles.items() if name in one["controls"]}
        if own:
            found += [
                "",
                f"{name}: asked against obtained (goal {GOALS[name]})",
                *_control_lines(own, all_styles[name]),
            ]
    if any(one["curves"] for one in styles.values()):
        found += [
            "",
            "lines that rise or fall: mean rank correlation of the bars with them; share going the right way",
        ]
        found += _curve_lines(styles)
    found += [
        "",
        "met, in percent of pieces [95 %]; chords: of beats; within reach: of notes",
        *_accuracy_lines(styles),
    ]
    for kind, head in (("other", "measures that were no labels"), ("cross", "obtained of every control, on the notes")):
        found += ["", f"rank correlation of what was asked (rows) with {head}; means over the styles"]
        found += _cross(styles, kind)
    return found


def _control_lines(styles: Mapping[str, Any], all_styles: Mapping[str, Any]) -> list[str]:
    rows = [[style, *_control_cells(one)] for style, one in styles.items()]
    if len(rows) > 1:
        rows.append(["mean of styles", "", *_mean_cells(list(styles.values()))])
        rows.append(["all together", *_control_cells(all_styles)])
    head = ("style", "pieces", "notes: Spearman [95 %]", "error", "slope", "played: Spearman [95 %]", "error", "slope",
            "any one: notes", "played")  # fmt: skip
    return table(head, rows)


def _control_cells(one: Mapping[str, Any]) -> list[str]:
    cells = [str(one["best"]["pieces"])]
    for kind in SOURCES:
        figures = one["best"][kind]
        cells += [with_interval(figures["spearman"], *figures["interval"]), f"{figures['error']:.2f}",
                  f"{figures['slope']:.2f}"]  # fmt: skip
    return [*cells, *(f"{one['any'][kind]['spearman']:.2f}" for kind in SOURCES)]


def _mean_cells(styles: Sequence[Mapping[str, Any]]) -> list[str]:
    best = [f"{mean(one['best'][kind][name] for one in styles):.2f}" for kind in SOURCES
            for name in ("spearman", "error", "slope")]  # fmt: skip
    return [*best, *(f"{mean(one['any'][kind]['spearman'] for one in styles):.2f}" for kind in SOURCES)]


def with_interval(value: float, low: float, high: float) -> str:
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _curve_lines(styles: Mapping[str, Any]) -> list[str]:
    rows = []
    for style, one in styles.items():
        cells = []
        for name in CONTROLS:
            own = one["curves"].get(name)
            sides = [f"{own[side]['line']:.2f}, {own[side]['right_way'][0]:.0%}" for side in SOURCES] if own else []
            cells.append(f"{sides[0]} (played {sides[1]})" if sides else "-")
        rows.append([style, str(sum(own["pieces"] for own in one["curves"].values())), *cells])
    return table(("style", "pieces", *CONTROLS), rows)


def _accuracy_lines(styles: Mapping[str, Any]) -> list[str]:
    names = list(dict.fromkeys(name for one in styles.values() for name in one["accuracy"]))
    rows = [
        [style, str(one["accuracy"]["length"][-1]), *(_percent(one["accuracy"].get(name)) for name in names)]
        for style, one in styles.items()
    ]
    return table(("style", "pieces", *(NAMES.get(name, name) for name in names)), rows)


def _percent(figure: Sequence[float] | None) -> str:
    if figure is None:
        return "-"
    share, low, high, _ = figure
    interval = "" if math.isnan(low) else f" [{100 * low:.0f}, {100 * high:.0f}]"
    return f"{100 * share:.0f}{interval}"


def _cross(styles: Mapping[str, Any], kind: str) -> list[str]:
    """Rows of controls; + marks what ought to rise with one, and behind it stands in how many styles it does."""
    measures, rows = OTHERS if kind == "other" else tuple(CONTROLS), []
    for name in CONTROLS:
        cells = []
        for measure in measures:
            values = [one[kind][name][measure] for one in styles.values() if name in one[kind]]
            known = [value for value in values if math.isfinite(value)]
            expected = measure in EXPECTED[name] if kind == "other" else measure == name
            right = f" + {sum(value > 0 for value in known)} of {len(known)}" if expected else ""
            cells.append(f"{mean(known):.2f}{right}")
        rows.append([name, *cells])
    return table(("asked", *measures), rows)


# --- guidance


def lines_by_guidance(figures: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        (f"{one['guidance']:g}", one["control"], str(one["pieces"]), f"{one['spearman']:.2f}",
         *(f"{one[name]:.3f}" for name in ("error_share", "typicality", "in_key")))
        for one in figures
    ]  # fmt: skip
    head = ("guidance", "control", "pieces", "Spearman, notes", "error, of the scale", "typicality", "notes in key")
    return ["", *table(head, rows)]


def draw_guidance(figures: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Accuracy of each control, and quality, by the strength of guidance."""
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        raise MissingExtra("drawing the plot needs Matplotlib: pip install matplotlib") from error
    if path.suffix not in (".svg", ".png"):
        raise BadOption(f"{path}: a plot is an .svg or a .png")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    titles = {"spearman": "asked and obtained (Spearman)", "typicality": "typicality", "in_key": "notes in key"}
    for panel, (name, title) in zip(panels, titles.items(), strict=True):
        for control in CONTROLS:
            own = [one for one in figures if one["control"] == control]
            panel.plot([one["guidance"] for one in own], [one[name] for one in own], marker="o", label=control)
        panel.set(title=title, xlabel="guidance")
        panel.grid(alpha=0.3)
    panels[0].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)
