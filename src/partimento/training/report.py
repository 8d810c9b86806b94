"""The report of a run as one page, `report.html`: nothing in it is fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..formats.page import document, table
from .copying import MEASURES, RUN
from .curves import plots_of, svg
from .outlook import outlook

if TYPE_CHECKING:
    from .loop import Run

NAME = "report.html"
HEADS = (
    "step", "epoch", "loss as learnt", "loss, music learnt", "loss, held out", "right, music learnt", "right, held out",
    "copied", "unlike", "note",
)  # fmt: skip


def write(run: Run) -> Path:
    """Write the run's report as far as it has come; its path."""
    path = run.folder / NAME
    beside = run.folder / f"{NAME}.partial"
    beside.write_text(page(run), encoding="utf-8")
    beside.replace(path)
    return path


def page(run: Run) -> str:
    """The report as HTML."""
    state, name = run.state, escape(run.folder.name)
    where = f"Step {state['step']:,} of {state['steps']:,}, {state['seconds'] / 60:.1f} minutes"
    parts = [
        f'<p class="soft">{where}.</p>', *_verdict(state), "<h2>Curves</h2>", *_curves(run),
        "<h2>Evaluations</h2>", *_evaluations(run), *_composed(state), "<h2>Music</h2>", *_music(run),
        "<h2>Plan</h2>", _plan(run),
    ]  # fmt: skip
    return document(f"Training {run.folder.name}", [f"<h1>Training <code>{name}</code></h1>", *parts])


def _verdict(state: Mapping[str, Any]) -> Iterable[str]:
    health, chosen = state.get("health"), state.get("chosen")
    if "failed" in state:
        yield f'<p class="verdict bad">{escape(state["failed"])}</p>'
    if health is None or chosen is None:
        yield '<p class="verdict">Training is not over: nothing is chosen yet.</p>'
        return
    bad = " bad" * bool(health["collapsed"] or health["memorises"] == "yes")
    yield f'<p class="verdict{bad}">{escape(health["verdict"])}</p>'
    yield f"<p><b>Kept:</b> {escape(chosen['why'])}</p>"
    if health["warnings"]:
        yield "<ul>" + "".join(f"<li>{escape(one)}</li>" for one in health["warnings"]) + "</ul>"


def _curves(run: Run) -> Iterable[str]:
    for plot in plots_of(run):
        yield f'<h3>{escape(plot.title)} <span class="soft">({escape(plot.unit)})</span></h3>{svg(plot)}'


def _evaluations(run: Run) -> Iterable[str]:
    chosen = run.state.get("chosen") or {}
    rows = []
    for entry in run.state["history"]:
        step, is_kept = entry["step"], entry["step"] == chosen.get("step") and "setback" not in entry
        if "setback" in entry:
            rows.append(f'<tr><td>{step:,}</td><td colspan="{len(HEADS) - 1}">{escape(entry["setback"])}</td></tr>')
            continue
        heard = chosen.get("heard", {}).get(str(step), {})
        last = min(step, run.state["steps"])  # weights on the way to the last ones stand behind them
        cells = [
            f"{last:,}" + (f", {entry['blend']:.0%} of the way" if "blend" in entry else ""),
            f"{run.epoch_of(last):.1f}", _number(entry.get("train")), _number(entry.get("learnt")),
            _number(entry.get("valid")), _share(entry.get("learnt_accuracy")), _share(entry.get("accuracy")),
            _share(heard.get("copied")), _number(heard.get("unlike"), 1), "kept" if is_kept else "",
        ]  # fmt: skip
        rows.append(f"<tr{' class=kept' * is_kept}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    yield table(HEADS, rows)
    yield (
        '<p class="soft">Losses in nats a step of music: as learnt with dropout and in other keys, then by the '
        "averaged weights on some of the music that is learnt and on what is held out. <i>Right</i>: the share of all "
        f"choices whose likeliest class is the true one. <i>Copied</i>: the share of composed notes in runs of {RUN} "
        "that stand in the training music. <i>Unlike</i>: how far repetition is off, in spreads of real pieces.</p>"
    )


def _composed(state: Mapping[str, Any]) -> Iterable[str]:
    """What the kept weights composed, beside real pieces."""
    health = state.get("health") or {}
    if "composed" not in health:
        if health.get("unheard"):
            yield f"<h2>Composed</h2><p>Not heard: {escape(health['unheard'])}</p>"
        return
    ours, real = health["composed"], health["real"]
    rows = [_row("pieces", ours["pieces"], real["pieces"]), _row("notes", ours["notes"], real["notes"])]
    rows.append(_row("one note for ever", _share(ours["fallen"]), _share(real["fallen"])))
    rows.append(_row("copied from the training music", _share(ours["copied"]), _share(real["copied"])))
    for name, unit in MEASURES.items():
        rows.append(_row(unit, _number(ours["repetition"].get(name)), _number(real["repetition"].get(name))))
    yield "<h2>Composed beside real</h2>"
    yield table(("mean of the pieces", "composed", "real"), rows)


def _row(name: str, *cells: Any) -> str:
    return f"<tr><td>{escape(name)}</td>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _music(run: Run) -> Iterable[str]:
    cache = run.cache
    rows = []
    for style in sorted({piece.style for piece in cache.pieces}):
        cells = []
        for split in ("train", "valid", "test"):
            pieces = [piece for piece in cache.of(split) if piece.style == style]
            cells += [f"{len(pieces):,}", f"{sum(piece.notes for piece in pieces):,}"]
        rows.append(_row(style, *cells))
    yield table(("style", "learnt: pieces", "notes", "held out: pieces", "notes", "for tests: pieces", "notes"), rows)
    skipped = ", ".join(f"{count} {reason}" for reason, count in sorted(cache.reasons.items()))
    yield f"<p>Left out: {escape(skipped) or 'nothing'}. Fingerprint <code>{escape(cache.fingerprint)}</code>.</p>"
    for line in (*outlook(cache, goes_on=bool(run.plan.start)), *[run.remark] * bool(run.remark), *cache.messages):
        yield f"<p>{escape(line)}</p>"
    if cache.skipped:
        names = (f"<li>{escape(name)}: {escape(reason)}</li>" for name, reason in cache.skipped)
        yield f"<details><summary>The files that were left out</summary><ul>{''.join(names)}</ul></details>"


def _plan(run: Run) -> str:
    plan = run.plan
    known = {
        "family": plan.family, **plan.options, "windows a step": plan.batch * plan.processes,
        "window": f"{plan.window} steps of music", "learning rate": f"{run.rate:g}", "seed": plan.seed,
        "processes": plan.processes, "precision": plan.precision, "going on from": plan.start or "nothing",
        "evaluated every": f"{run.every:,} steps",
    }  # fmt: skip
    return table(("what", ""), [_row(name, escape(str(value))) for name, value in known.items()])


def _number(value: float | None, places: int = 3) -> str:
    return "" if value is None else f"{value:.{places}f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"
