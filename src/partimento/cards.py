"""A model card as text, from what the model file says of itself and what was heard in its pieces."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from . import styles

HEARD = styles.FOLDER / "heard.toml"
CONTROLS = styles.FOLDER / "controls.json"  # written by benchmarks/controls.py --card
LISTENING = styles.FOLDER / "listening.json"  # written by benchmarks/listen.py --card
MET = {
    "length": "bars",
    "key": "key",
    "metre": "metre",
    "instruments": "instruments",
    "roots": "chord roots",
    "triads": "triads",
}
MOST_NAMED = 8  # measures that fall out, named in a card


def card_text(path: Path, info: Mapping[str, Any]) -> str:
    """The card of the model file at `path` in Markdown."""
    card = info["card"]
    training, data = card["training"], card["data"]
    lines = [
        f"## {path.name}",
        "",
        f"Styles: {', '.join(f'`{style}`' for style in info['styles'])}. Encoding `{info['encoding']['name']}`, family "
        f"`{info['family']}` {_options(info['options'])}, {card['parameters']:,} parameters, "
        f"{card['bytes'] / 1e6:.1f} MB.",
        "",
        f"**Trained** {_sitting(training)}",
        "",
        *(f"going on from {_sitting(earlier)}" for earlier in card.get("earlier", ())),
        "",
        *_base(card.get("base")),
        *_data(data),
        "",
        *_nats(card["nats"]),
        "",
        *_drawn(info.get("sampling", {})),
        *_health(card.get("health", {})),
        *_controls(path, info["styles"]),
        *_listening(path, info["styles"]),
        *_heard(path, info["styles"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def style_text(path: Path, info: Mapping[str, Any], style: str) -> str:
    """What the card of the model file at `path` says of one of its styles, in Markdown."""
    data = info["card"]["data"]
    sides = [f"{name.rpartition(' ')[2]} {pieces:,} ({data['notes'][name]:,} notes)"
             for name, pieces in data["pieces"].items() if name.rpartition(" ")[0] == style]  # fmt: skip
    nats = {name: value for name, value in info["card"]["nats"].items() if name.partition(",")[0] in (style, "unit")}
    lines = [
        f"## {style}, a style of {path.name}",
        "",
        *_heard(path, (style,)),
        f"**Data** (pieces by side; works never stand on two sides): {', '.join(sides) or 'not told by style'}.",
        "",
        *_nats(nats),
        "",
        *_controls(path, (style,)),
        *_listening(path, (style,)),
        f"How the model was trained, licences and credits: `partimento styles --card {path.name}`.",
    ]
    return "\n".join(lines) + "\n"


def _base(base: Mapping[str, Any] | None) -> Iterator[str]:
    """The model that this one goes on from, and whose music is in its weights too."""
    if not base:
        return
    like = "; ".join(f"`{style}` began as its `{other}`" for style, other in base["like"].items() if style != other)
    licences = ", ".join(f"{name} ({n})" for name, n in base["licences"].items())
    yield f"**Begun from** {base['name']} (styles {', '.join(base['styles'])}){f'; {like}' if like else ''}. What was "
    yield f"measured of that model is not true of this one. Its music is in these weights too, under: {licences}."
    if base["credits"]:
        yield ""
        yield f"Credits of {base['name']}: " + "; ".join(line for line, *_ in base["credits"]) + "."
    yield ""
    yield from _base(base.get("base"))


def _sitting(training: Mapping[str, Any]) -> str:
    """One sitting of training as a sentence."""
    remark = f"; {training['remark']}" if training.get("remark") else ""
    if "blend" in training:
        remark = f"; the weights are {training['blend']:.0%} of the way from where they began to those{remark}"
    return (
        f"by `{training['command'] or 'the Python API'}`: batches of {training['batch']} windows of "
        f"{training['window']} steps; kept are the averaged weights of step {training['step']:,} of "
        f"{training['steps']:,}; {training['seconds'] / 60:.0f} minutes on {training['machine']}; {training['date']}"
        f"{remark}"
    )


def _options(options: Mapping[str, Any]) -> str:
    return "(" + ", ".join(f"{name} {value}" for name, value in options.items()) + ")" if options else ""


def _data(data: Mapping[str, Any]) -> Iterator[str]:
    yield "**Data** (pieces and notes by style and side; works never stand on two sides):"
    yield ""
    for name, pieces in data["pieces"].items():
        yield f"- {name}: {pieces:,} pieces, {data['notes'][name]:,} notes"
    skipped = ", ".join(f"{count} {reason}" for reason, count in sorted(data["skipped"].items()))
    yield f"- left out: {skipped or 'nothing'}; fingerprint `{data['fingerprint']}`"
    yield ""
    yield "**Licences** of the training pieces: " + ", ".join(f"{name} ({n})" for name, n in data["licences"].items())
    yield ""
    yield "**Sources**: " + ", ".join(f"{name} ({n})" for name, n in data["sources"].items())
    if data["credits"]:
        yield ""
        yield "**Credits**:"
        yield ""
        for line, licence, pieces in data["credits"]:
            yield f"- {line} ({licence}; {pieces} piece{'s' * (pieces > 1)})"


def _nats(nats: Mapping[str, Any]) -> Iterator[str]:
    yield f"**Nats per {nats['unit']}** on works not trained on (lower is better; *told*: key, metre, place in"
    yield "the bar, bars to come, tempo and style are given, as when composing; *untold*: none of them is):"
    yield ""
    for name, value in nats.items():
        if name != "unit":
            yield f"- {name}: {value}"


def _drawn(sampling: Mapping[str, Any]) -> Iterator[str]:
    """How it is drawn from where nothing is said; a model that says nothing itself is drawn from as all are."""
    if sampling:
        said = ", ".join(f"{name} {value:g}" for name, value in sampling.items() if isinstance(value, int | float))
        yield f"**Drawn** with {said} unless something else is asked for."
        yield ""


def _health(health: Mapping[str, Any]) -> Iterator[str]:
    """The verdict of training on the model; models that were trained before there was one have none."""
    if health:
        yield f"**Health**: {health['verdict']}"
        yield ""
        for warning in health["warnings"]:
            yield f"- {warning}"
        yield from [""] * bool(health["warnings"])


def _measured(source: Path, path: Path, names: Iterable[str]) -> tuple[dict[str, Any], str]:
    """What was measured of some of the styles, and a sentence on how."""
    is_ours = source.exists() and path.resolve().parent == source.resolve().parent  # and not only of the same name
    known = json.loads(source.read_text("utf-8")).get(path.name, {}) if is_ours else {}
    found = {name: known[name] for name in names if name in known}
    commands = dict.fromkeys(f"`{one['command']}`, {one['machine']}, {one['date']}" for one in found.values())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12] if found else ""
    others = [name for name, one in found.items() if one["model"] != digest]
    older = f"; of an earlier state of this model: {', '.join(others)}" if others else ""
    return found, "; ".join(commands) + older


def _controls(path: Path, names: Iterable[str]) -> Iterator[str]:
    """How well each control is obeyed, style by style, and which fall short of their goals."""
    found, source = _measured(CONTROLS, path, names)
    if not found:
        return
    controls = list(dict.fromkeys(name for one in found.values() for name in one["controls"]))
    met = [name for name in MET if any(name in one["accuracy"] for one in found.values())]
    yield "**Controls**: rank correlation of what is asked with what is measured on the notes, its 95 % interval, the"
    yield "mean error in the control's own units, the share of pieces that go the way of a line that rises or falls;"
    yield f"then the share of pieces (chords: of beats) that are as asked. {source}."
    yield ""
    yield f"| style (pieces a control) | {' | '.join([*controls, *(MET[name] for name in met)])} |"
    yield "|---" * (1 + len(controls) + len(met)) + "|"
    for style, one in found.items():
        cells = [_obeyed(one["controls"].get(name), one["curves"].get(name)) for name in controls]
        cells += [f"{100 * one['accuracy'][name][0]:.0f} %" if name in one["accuracy"] else "" for name in met]
        pieces = max((control["pieces"] for control in one["controls"].values()), default=0)
        yield f"| {style} ({pieces}) | {' | '.join(cells)} |"
    yield ""
    yield f"Falls short of its goal: {'; '.join(_short(found)) or 'nothing'}."
    yield ""


def _obeyed(one: Mapping[str, Any] | None, curve: Mapping[str, Any] | None) -> str:
    if one is None or None in (one["spearman"], *one["interval"]):  # nothing to correlate
        return ""
    low, high = one["interval"]
    way = f", lines {100 * curve['notes']['right_way'][0]:.0f} %" if curve else ""
    return f"{one['spearman']:.2f} [{low:.2f}, {high:.2f}], error {one['error']:.2g}{way}"


def _short(found: Mapping[str, Any]) -> Iterator[str]:
    """Controls whose correlation is below its goal, with the styles."""
    goals = {name: control["goal"] for one in found.values() for name, control in one["controls"].items()}
    for name, goal in goals.items():
        lacking = [
            style
            for style, one in found.items()
            if name in one["controls"] and (one["controls"][name]["spearman"] or 0) < goal
        ]
        if lacking:
            yield f"{name} ({goal}) in {', '.join(lacking)}"


def _listening(path: Path, names: Iterable[str]) -> Iterator[str]:
    """How composed pieces stand beside real ones, style by style, and what falls out."""
    found, source = _measured(LISTENING, path, names)
    if not found:
        return
    yield "**Beside real pieces** that were not trained on, by the measures of [listening](listening.md); in brackets"
    yield f"how real pieces (valid) stand beside real ones (test). {source}."
    yield ""
    yield "| style | pieces, real | medians inside real quartiles | figures beyond 99 % of real | medians outside |"
    yield "|---|---|---|---|---|"
    for style, one in found.items():
        control = one.get("control") or {}
        inside = f" ({control['inside']} of {control['measures']})" if control else ""
        beyond = f" ({100 * control['beyond']:.1f} %)" if control else ""
        yield (
            f"| {style} | {one['pieces']}, {one['real']} | {one['inside']} of {one['measures']}{inside} | "
            f"{100 * one['beyond']:.1f} %{beyond} | {_outside(one['falls_out'])} |"
        )
    yield ""


def _outside(measures: list) -> str:
    """The measures that fall out, those beyond the first few counted."""
    named = [f"`{name}` {side}" for name, side in measures[:MOST_NAMED]]
    more = len(measures) - len(named)
    return ", ".join([*named, *([f"{more} more"] if more else [])]) or "none"


def _heard(path: Path, names: Iterable[str]) -> Iterator[str]:
    """What was heard in a style: the table of this model's own, or that of the style where this model is its first."""
    heard = tomllib.loads(HEARD.read_text("utf-8"))
    for style in names:
        is_first = styles.shipped().get(style, path) == path
        said = heard.get(path.name, {}).get(style) or (heard.get(style) if is_first else None)
        if said:
            yield f"**Heard** in `{style}`: {said['heard'].strip()}"
            yield ""


def page() -> str:
    """The page of all shipped models, `docs/styles.md`."""
    paths = sorted(set(styles.shipped().values()))
    return "# The shipped styles\n\n" + "\n".join(card_text(path, styles.described(path)) for path in paths)
