"""A model card as text, from what the model file says of itself and what was heard in its pieces."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from . import styles

HEARD = styles.FOLDER / "heard.toml"


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
        *_data(data),
        "",
        *_nats(card["nats"]),
        "",
        *_heard(info["styles"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _sitting(training: Mapping[str, Any]) -> str:
    """One sitting of training as a sentence."""
    remark = f"; {training['remark']}" if training.get("remark") else ""
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


def _heard(names: Iterable[str]) -> Iterator[str]:
    heard = tomllib.loads(HEARD.read_text("utf-8"))
    for style in names:
        if style in heard:
            yield f"**Heard** in `{style}`: {heard[style]['heard'].strip()}"
            yield ""


def page() -> str:
    """The page of all shipped models, `docs/styles.md`."""
    paths = sorted(set(styles.shipped().values()))
    return "# The shipped styles\n\n" + "\n".join(card_text(path, styles.described(path)) for path in paths)
