"""An explanation as one page of HTML that fetches nothing: surprise over the roll, chances, gates and attention."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from ..formats import page
from ..formats._canvas import Canvas, rgb
from ..score import TICKS_PER_BEAT
from .inside import Attention, Gates, gate_figures, head_figures
from .reading import Reading, Step
from .said import SURE, Explanation, percent
from .words import UNSAID

STYLE = """
body { max-width: 62rem; } .cold { color: var(--soft); } img.heat { image-rendering: pixelated; width: 100%;
  border: 1px solid var(--line); }
.heads { display: grid; gap: 0.6rem; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); }
figure { margin: 0; } figcaption { font-size: 0.8rem; color: var(--soft); } .roll { overflow-x: auto; }
td.words { text-align: left; } details { margin: 0.6rem 0; } details td { white-space: nowrap; vertical-align: top; }
summary { cursor: pointer; }
.steps .wide { width: calc(100vw - 3rem); margin-left: calc(50% - 50vw + 1.5rem); } .steps table { width: auto; }
.steps table { font-size: 12px; margin: 0 auto; } .steps th, .steps td { padding: 0.2rem 0.35rem; }
.steps td:nth-child(3) { white-space: normal; min-width: 9rem; } .roll svg { width: auto; }
"""
COLD, HOT = "#b9c4d2", "#c2281d"  # a note that was expected, and one that surprises
HOTTEST = 10.0  # bits from which a note is as hot as can be
BEAT, ROW, BARS_HEIGHT, LEFT, TOP = 36, 7, 110, 44, 20  # pixels
UNITS, HEAT = 96, 640  # units of a layer that are shown; pixels of a heat map at most
DETAILED = 400  # steps of the table


def explained(found: Explanation) -> str:
    """The page."""
    reading = found.reading
    of = "composed with" if found.is_composed else "as it is read by"
    parts = [
        f"<h1>{escape(found.title)}, {of} <code>{escape(found.model)}</code></h1>",
        f"<p>Family <code>{escape(found.family)}</code>, encoding <code>{escape(reading.encoding.name)}</code>; bars "
        f"{reading.bars[0]} to {reading.bars[1]}, {len(reading.score)} notes in {len(reading.shown)} steps: "
        f"<b>{reading.bits_a_note:.2f} bits a note</b>.</p>",
        *(f'<p class="soft">{escape(remark)}.</p>' for remark in reading.remarks),
        "<h2>Surprise over the music</h2>", f'<div class="roll">{roll(reading)}</div>',
        '<p class="soft">Each note in the colour of its surprise, from grey (expected) to red (ten bits or more: a '
        "chance of less than one in a thousand). Below, the bits of each step, in the colours of what was chosen. "
        "Surprise is &minus;log<sub>2</sub> of the chance that the model gave to what the music has, so 1 bit is a "
        "coin toss. Point at a note to read its own.</p>",
        "<h2>What a step is</h2>", *_fields(reading), "<h2>Step by step</h2>", *_table(reading),
        "<h2>Inside the model</h2>", *_inside(found),
    ]  # fmt: skip
    return page.document(f"{found.title} explained", parts, STYLE)


# --- the roll


def roll(reading: Reading) -> str:
    """The notes in the colours of their surprise, and the bits of every step below them, as SVG."""
    notes = reading.score.notes
    high, low = int(notes["pitch"].max(initial=60)) + 1, int(notes["pitch"].min(initial=60)) - 1
    end = int(max(notes["onset"] + notes["duration"], default=TICKS_PER_BEAT))
    scale, floor = BEAT / TICKS_PER_BEAT, TOP + (high - low + 1) * ROW
    width, height = LEFT + end * scale + 90, floor + BARS_HEIGHT + 34
    parts = [f'<svg viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}" role="img">']
    parts += [*_bar_lines(reading, scale, floor), *_keys(low, high, width)]
    for (onset, duration, pitch, *_), bits in zip(notes.tolist(), reading.bits_of, strict=True):
        words = f"{_name(pitch)}: {bits:.2f} bits"
        parts.append(
            f'<rect x="{LEFT + onset * scale:.1f}" y="{TOP + (high - pitch) * ROW}" height="{ROW - 1}" rx="2" '
            f'width="{max(2.0, duration * scale - 1):.1f}" fill="{colour(bits)}"><title>{words}</title></rect>'
        )
    return "".join([*parts, *_bits(reading, scale, floor, width), "</svg>"])


def colour(bits: float) -> str:
    """Grey to red, by so many bits of surprise."""
    share = min(1.0, max(0.0, bits / HOTTEST))
    mixed = rgb(COLD) * (1 - share) + rgb(HOT) * share
    return "#" + "".join(f"{round(float(one)):02x}" for one in mixed)


def _name(pitch: int) -> str:
    from .words import pitch_name

    return pitch_name(pitch)


def _keys(low: int, high: int, width: float) -> Iterator[str]:
    for pitch in range(low, high + 1):
        if pitch % 12 == 0:
            y = TOP + (high - pitch) * ROW + ROW
            yield f'<line class="grid" x1="{LEFT}" x2="{width - 90:.0f}" y1="{y}" y2="{y}"/>'
            yield f'<text x="{LEFT - 6}" y="{y}" text-anchor="end">{_name(pitch)}</text>'


def _bar_lines(reading: Reading, scale: float, floor: int) -> Iterator[str]:
    """A line and a number where the first step of each bar stands."""
    seen: set[int] = set()
    shown = reading.shown
    start = shown[0].time if shown else 0
    for step in shown:
        if step.bar not in seen:
            seen.add(step.bar)
            x = LEFT + (step.time - start) * scale
            yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{floor + BARS_HEIGHT}"/>'
            yield f'<text x="{x + 3:.1f}" y="{TOP - 6}">{step.bar}</text>'


def _bits(reading: Reading, scale: float, floor: int, width: float) -> Iterator[str]:
    """Stacked bars: the bits of the steps that stand at one time, by what was chosen."""
    names = [entry.name for entry in reading.encoding.composed]
    totals: dict[int, list[float]] = {}
    shown = reading.shown
    start = shown[0].time if shown else 0
    for step in shown:
        here = totals.setdefault(step.time - start, [0.0] * len(names))
        for choice in step.choices:
            here[names.index(choice.field)] += choice.bits
    top = max((sum(bits) for bits in totals.values()), default=1.0) or 1.0
    bottom = floor + BARS_HEIGHT
    for value in page.ticks(0, top, 3):
        y = bottom - (BARS_HEIGHT - 16) * value / top
        yield f'<line class="grid" x1="{LEFT}" x2="{width - 90:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    for time, bits in totals.items():
        y = float(bottom)
        for number, one in enumerate(bits):
            tall = (BARS_HEIGHT - 16) * one / top
            y -= tall
            if tall > 0.2:
                yield (
                    f'<rect x="{LEFT + time * scale:.1f}" y="{y:.1f}" width="4" height="{tall:.1f}" '
                    f'fill="{page.COLOURS[number % len(page.COLOURS)]}"><title>{escape(names[number])}: {one:.2f} bits'
                    "</title></rect>"
                )
    for number, name in enumerate(names[:8]):
        x = width - 82
        y, own = floor + 6 + 13 * number, page.COLOURS[number % len(page.COLOURS)]
        yield f'<rect x="{x:.0f}" y="{y}" width="8" height="8" fill="{own}"/>'
        yield f'<text x="{x + 12:.0f}" y="{floor + 14 + 13 * number}">{escape(name)}</text>'
    yield f'<text x="{LEFT}" y="{bottom + 16}">bits at each onset</text>'


# --- tables


def _fields(reading: Reading) -> Iterator[str]:
    bits = reading.bits_by_field()
    rows = []
    for entry in reading.encoding.fields:
        said = "told beforehand" if entry.given and not entry.after else f"told once {entry.after} is chosen"
        kind = said if entry.given else "chosen"
        size = f"{entry.size} classes" if entry.kind == "categorical" else f"{entry.size} units"
        rows.append(page.row(entry.name, kind, size, "" if entry.given else f"{bits[entry.name]:.3f}"))
    yield "<p>The model reads a row of these fields at each step. Fields are chosen in this order, each seeing those "
    yield "before it where the family chains them; a class is one of so many, a unit is on or off.</p>"
    yield page.table(("field", "", "size", "bits a note"), rows)


def _table(reading: Reading) -> Iterator[str]:
    steps = reading.steps[:DETAILED]
    known = foregone(reading.shown)
    names = [entry.name for entry in reading.encoding.composed if entry.name not in known]
    rows = [_row(step, names) for step in steps]
    more = f" The first {DETAILED} of {len(reading.steps)}." * (len(reading.steps) > DETAILED)
    more += f" Left out, since each was foreseen at every step: {', '.join(known)}." * bool(known)
    yield f"<p>What the music has, its chance and, below, what the model thought likeliest.{more}</p>"
    yield (
        '<details open class="steps"><summary>Steps</summary>'
        + page.table(("step", "bar", "told", *names, "bits"), rows)
        + "</details>"
    )


def foregone(steps: Sequence[Step]) -> list[str]:
    """Fields that were no question at any of the steps, while others were."""
    asked: dict[str, bool] = {}
    for choice in (one for step in steps for one in step.choices):
        asked[choice.field] = asked.get(choice.field, False) or choice.rank != 1 or choice.chance < SURE
    return [name for name, is_asked in asked.items() if not is_asked] if any(asked.values()) else []


def _row(step: Step, names: Sequence[str]) -> str:
    constant = {"style", "key", "tempo", "metre", "role"}
    told = ", ".join(w for n, w in step.told.items() if w not in (UNSAID, "silent") and n not in constant)
    cells = [str(step.bar), f'<span class="cold">{escape(told)}</span>']
    for choice in (one for one in step.choices if one.field in names):
        if not step.counts:
            cells.append(f'<span class="cold">{escape(choice.word)}</span>')
            continue
        likely = "<br>".join(f"{escape(word)} {percent(chance)}" for word, chance in choice.likely)
        hot = f' style="color: {colour(choice.bits * 2)}"' * (choice.bits > 1)
        cells.append(
            f'<b{hot}>{escape(choice.word)}</b> {percent(choice.chance)}<br><span class="cold">{likely}</span>'
        )
    return page.row(str(step.number), *cells, f"{step.bits:.2f}" if step.counts else "only told")


# --- gates and attention


def _inside(found: Explanation) -> Iterator[str]:
    inside = found.inside
    if inside.gates:
        yield (
            "<p>A recurrent layer keeps a state of so many units from step to step. In an LSTM the <i>input</i> gate "
            "says how much of what comes is let in, the <i>forget</i> gate how much of what is held is kept (open: "
            "kept), the <i>output</i> gate how much of it is shown. In a GRU <i>update</i> keeps the old state, "
            "<i>reset</i> says how much of it is heard. Steps go from left to right, units from top to "
            "bottom; bright is open.</p>"
        )
        yield from (_gates(one) for one in inside.gates)
    if inside.attention:
        yield (
            "<p>At each step every head of every layer shares its attention out among the steps so far. A row is the "
            "step that looks, a column the step looked at; the diagonal is the step itself, a parallel to it a fixed "
            "number of steps back. First the mean of a layer's heads, then each head.</p>"
        )
        yield from (_attention(one, found.times) for one in inside.attention)
    if inside.remark:
        yield f'<p class="soft">{escape(inside.remark)}.</p>'


def _gates(one: Gates) -> str:
    figures = gate_figures(one.named())
    memory = (
        f": half of what a unit holds is gone after {figures['remembers']:.1f} steps" if "remembers" in figures else ""
    )
    shown = []
    for name, values in one.named().items():
        units = np.sort(np.argsort(-values.std(axis=0), kind="stable")[:UNITS])  # those that move most
        caption = f"{name}: {figures[name]['mean']:.2f} open on the average"
        shown.append(f"<figure>{heat(values[:, units].T, 1.0)}<figcaption>{escape(caption)}</figcaption></figure>")
    total = one.values.shape[2]
    return f"<h3>{escape(one.layer)} ({one.kind}, {total} units){memory}</h3>" + "".join(shown)


def _attention(one: Attention, times: np.ndarray) -> str:
    figures = head_figures(one.weights, times)
    heads = "".join(
        f"<figure>{heat(weights)}<figcaption>head {number}: {figure['beats']:.1f} beats back, spread over "
        f"{figure['spread']:.1f} steps</figcaption></figure>"
        for number, (weights, figure) in enumerate(zip(one.weights, figures, strict=True), 1)
    )
    mean = f'<figure style="max-width: 26rem">{heat(one.weights.mean(axis=0))}</figure>'
    each = f'<details><summary>Each head</summary><div class="heads">{heads}</div></details>'
    return f"<h3>{escape(one.layer)}</h3>{mean}{each}"


def heat(values: np.ndarray, top: float = 0.0) -> str:
    """Numbers (rows, columns) from 0 to `top` (0: their largest) as a picture inside the page, dark to bright."""
    rows, columns = values.shape
    fold = max(1, -(-columns // HEAT)), max(1, -(-rows // HEAT))
    shares = np.clip(values[:: fold[1], :: fold[0]] / (top or max(float(values.max()), 1e-9)), 0, 1) ** 0.5
    canvas = Canvas(shares.shape[1], shares.shape[0], "#000000")
    stops = np.stack([rgb(one) for one in ("#14161c", "#3b3f8f", "#b5483a", "#f2d16b")])
    at = shares * (len(stops) - 1)
    low = np.minimum(at.astype(int), len(stops) - 2)
    part = (at - low)[..., None]
    canvas.pixels[:] = (stops[low] * (1 - part) + stops[low + 1] * part).round().astype(np.uint8)
    data = base64.b64encode(canvas.png()).decode()
    return f'<img class="heat" alt="heat map of {rows} by {columns}" src="data:image/png;base64,{data}">'
