"""From the stretches of the benchmark of filling bars to its figures and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from _figures import table
from _joins import SIDES, Pairs, Told, each_alone, mean_interval, told_apart
from _stretches import MEASURES

GOAL = 0.60  # accuracy of the best classifier at most: chance and ten points
FEWEST = 10  # works that a classifier is cross-validated on
ALL = "all styles"
HEARD = ("filled", "real", "copied", "unaware")  # bars whose likelihood is known
KINDS = {"filled": "real", "copied": "real", "elsewhere": "real"}  # what is told apart from what
SHOWN = 10  # features
Records = Sequence[Mapping[str, Any]]


def figures(records: Records, seed: int) -> dict[str, dict]:
    """All figures of each style and of all together: likelihood, measures, joins."""
    groups: dict[str, list] = {}
    for record in records:
        groups.setdefault(record["style"], []).append(record)
    if len(groups) > 1:
        groups[ALL] = list(records)
    whole = len(groups) == 1
    return {"styles": {name: of_stretches(own, seed, deep=whole or name == ALL) for name, own in groups.items()}}


def of_stretches(records: Records, seed: int, *, deep: bool) -> dict[str, Any]:
    """The figures of some stretches; `deep`: the controls of the classifiers too, and what they go by."""
    works = [record["work"] for record in records]
    return {
        "stretches": len(records), "works": len(set(works)),
        "nats": of_nats(records, works, seed), "measures": of_measures(records, works, seed),
        "joins": of_joins(records, works, seed, deep=deep) if len(set(works)) >= FEWEST else {},
    }  # fmt: skip


def mean(values: Sequence[float], works: Sequence[str], seed: int) -> dict[str, Any]:
    """A mean with its 95 % interval, whole works being drawn again."""
    groups = np.unique(works, return_inverse=True)[1]
    column = np.array(values, dtype=float)
    sums = [np.bincount(groups, weights=weights) for weights in (column, np.ones(len(column)))]
    return {"mean": float(column.mean()), "interval": list(mean_interval(*sums, seed))}


def of_nats(records: Records, works: Sequence[str], seed: int) -> dict[str, Any]:
    """Nats a note of `HEARD`, in all and by field; differences from the real ones; how often filled is less likely."""
    fields = sorted({name for record in records for name in record["nats"]["real"]})
    table = {
        kind: np.array([[one["nats"][kind].get(name, 0.0) for name in fields] for one in records]) for kind in HEARD
    }
    totals = {kind: values.sum(axis=1) for kind, values in table.items()}
    found: dict[str, Any] = {kind: mean(values, works, seed) for kind, values in totals.items()}
    found |= {f"{kind} - real": mean(totals[kind] - totals["real"], works, seed) for kind in HEARD if kind != "real"}
    found["filled less likely"] = mean(totals["filled"] > totals["real"], works, seed)
    found["fields"] = {
        kind: dict(zip(fields, values.mean(axis=0).tolist(), strict=True)) for kind, values in table.items()
    }
    return found


def of_measures(records: Records, works: Sequence[str], seed: int) -> dict[str, dict[str, Any]]:
    """Of each measure: filled less real, how far apart they are, and how far other bars of the piece are."""
    found = {}
    for name in MEASURES:
        ours, theirs = (np.array([one["measures"][kind][name] for one in records]) for kind in ("filled", "real"))
        spread = [
            float(np.mean([abs(other[name] - real) for other in one["others"]]))
            for one, real in zip(records, theirs, strict=True)
        ]
        found[name] = {
            "difference": mean(ours - theirs, works, seed), "distance": mean(np.abs(ours - theirs), works, seed),
            "others": mean(spread, works, seed), "real": float(theirs.mean()),
        }  # fmt: skip
    return found


def of_joins(records: Records, works: Sequence[str], seed: int, *, deep: bool) -> dict[str, Any]:
    """How well classifiers tell filled joins from real ones; what tells them apart; the same of the controls."""

    def pairs(kind: str, sides: Sequence[int]) -> Pairs:
        ours, theirs = ([one["joins"][name][side] for one in records for side in sides] for name in (kind, KINDS[kind]))
        return Pairs.of(ours, theirs, np.repeat(works, len(sides)))

    both = range(len(SIDES))
    filled = pairs("filled", both)
    found: dict[str, Any] = {
        "filled": as_json(told_apart(filled, seed, losses=deep)), "features": features(filled, seed)
    }  # fmt: skip
    for number, side in enumerate(SIDES):
        own = pairs("filled", [number])
        found[side] = {"features": features(own, seed)} | (as_json(told_apart(own, seed)) if deep else {})
    if deep:
        found |= {kind: as_json(told_apart(pairs(kind, both), seed)) for kind in ("copied", "elsewhere")}
    return found


def as_json(told: Mapping[str, Told]) -> dict[str, Any]:
    """Every classifier, and which of them is right most often."""
    best = max(told, key=lambda name: told[name].accuracy)
    return {"best": best, "classifiers": {name: one.as_json() for name, one in told.items()}}


def features(pairs: Pairs, seed: int) -> list[dict[str, Any]]:
    return [vars(one) | {"interval": list(one.interval)} for one in each_alone(pairs, seed)]


# --- tables


def lines_of(found: Mapping[str, Any]) -> list[str]:
    """All tables."""
    styles = found["styles"]
    last = list(styles)[-1]
    lines = [
        "",
        "nats a note in the same place, told the same music around it (unaware: not what follows) [95 %]",
        *_nats_lines(styles),
    ]
    lines += ["", f"measures, {last}: filled less real, and how far apart; how far other bars of the same piece are"]
    lines += _measure_lines(styles[last]["measures"])
    lines += ["", "distance filled-real / distance of other bars, by style (1 or less: within the piece's own spread)"]
    lines += _ratio_lines(styles)
    lines += ["", f"joins told from real ones: share right [95 %]; chance 50 %, goal at most {100 * GOAL:.0f} %"]
    lines += _join_lines(styles)
    if styles[last]["joins"]:
        lines += _feature_lines(last, styles[last]["joins"])
    return lines


def _nats_lines(styles: Mapping[str, Any]) -> list[str]:
    kinds = ("filled", "real", "filled - real", "copied - real", "unaware - real")
    rows = [
        (name, f"{one['stretches']} ({one['works']})", *(_cell(one["nats"][kind], 2) for kind in kinds),
         f"{100 * one['nats']['filled less likely']['mean']:.0f} %")
        for name, one in styles.items()
    ]  # fmt: skip
    lines = table(("style", "stretches (works)", *kinds, "filled less likely than real"), rows)
    fields = list(styles.values())[-1]["nats"]["fields"]
    rows = [(kind, *(f"{value:.2f}" for value in own.values())) for kind, own in fields.items()]
    return [*lines, "", "by field", *table(("", *fields["real"]), rows)]


def _cell(figure: Mapping[str, Any], digits: int) -> str:
    low, high = figure["interval"]
    return f"{figure['mean']:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _measure_lines(measures: Mapping[str, Any]) -> list[str]:
    rows = [
        (name, f"{one['real']:.2f}", *(_cell(one[kind], 2) for kind in ("difference", "distance", "others")))
        for name, one in measures.items()
    ]
    return table(("measure", "real", "filled - real", "|filled - real|", "|other bars - real|"), rows)


def _ratio_lines(styles: Mapping[str, Any]) -> list[str]:
    rows = [
        (name, *(f"{_ratio(one['measures'][measure]):.2f}" for measure in MEASURES)) for name, one in styles.items()
    ]
    return table(("style", *MEASURES), rows)


def _ratio(one: Mapping[str, Any]) -> float:
    return one["distance"]["mean"] / max(1e-9, one["others"]["mean"])


def _join_lines(styles: Mapping[str, Any]) -> list[str]:
    """A line a style: every classifier, the verdict by the best, and the features that lie farthest apart."""
    rows, names = [], []
    for name, one in styles.items():
        if not (joins := one["joins"]):
            rows.append((name, f"fewer than {FEWEST} works"))
            continue
        names = list(joins["filled"]["classifiers"])
        rows.append((name, *_classified(joins["filled"]), _verdict(joins["filled"]), _tells(joins["features"][:3])))
        rows += [(f"  {side}", *_classified(joins[side])) for side in SIDES if "best" in joins[side]]
        rows += [(f"  control: {kind}", *_classified(joins[kind])) for kind in ("copied", "elsewhere") if kind in joins]
    head = ("style", *names, "goal", "farthest apart (standard deviations)")
    return table(head, [(*row, *[""] * (len(head) - len(row)))[: len(head)] for row in rows])


def _classified(one: Mapping[str, Any]) -> list[str]:
    return [_percent(own) for own in one["classifiers"].values()]


def _verdict(one: Mapping[str, Any]) -> str:
    return "met" if one["classifiers"][one["best"]]["accuracy"] <= GOAL else "not met"


def _percent(one: Mapping[str, Any]) -> str:
    low, high = one["interval"]
    return f"{100 * one['accuracy']:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def _tells(features: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{one['name']} {one['apart']:+.2f}" for one in features)


def _feature_lines(name: str, joins: Mapping[str, Any]) -> list[str]:
    """The features that classifiers go by most, and those that lie farthest apart by themselves."""
    classifiers = joins["filled"]["classifiers"]
    best = classifiers[joins["filled"]["best"]]["losses"]
    sides = [{one["name"]: one for one in joins[side]["features"]} for side in SIDES]
    by_use = sorted(joins["features"], key=lambda one: -best[one["name"]])[:SHOWN]
    shown = [*joins["features"][:SHOWN], *(one for one in by_use if one not in joins["features"][:SHOWN])]
    rows = [
        (one["name"], f"{one['ours']:.2f}", f"{one['theirs']:.2f}", _cell({"mean": one["apart"], **one}, 2),
         *(f"{side[one['name']]['apart']:+.2f}" for side in sides), f"{100 * best[one['name']]:.1f}")
        for one in shown
    ]  # fmt: skip
    head = ("feature", "filled", "real", "apart, in standard deviations", *SIDES,
            f"points lost without it ({joins['filled']['best']})")  # fmt: skip
    return ["", f"features of joins, {name}", *table(head, rows)]
