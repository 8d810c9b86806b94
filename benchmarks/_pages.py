"""The figures in the pages of the presets, and their curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- figures: benchmarks/models.py -->", "<!-- end of figures -->"
WIDTH, HEIGHT, EDGE = 560, 220, 44
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")
SAID = {
    "notes_per_bar": "notes a bar", "polyphony": "pitches at once", "mean_length": "length of a note, quarters",
    "in_key": "notes in the key", "pitch_class_entropy": "pitch classes, bits of entropy",
    "dissonance": "time that is dissonant", "pitch_range": "range, semitones",
}  # fmt: skip


def fill(page: Path, name: str, results: Mapping[str, Any]) -> None:
    """Put the figures of a preset into its page, between the two marks."""
    text, found = page.read_text("utf-8"), results["models"][name]
    curve_svg(page.parent.parent / "images" / "models" / f"{name}-curve.svg", found["curve"], found["unit"])
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = "\n".join(figures(name, results["models"][name], results))
    page.write_text(f"{before}{BEGIN}\n{lines}\n{END}{after}", encoding="utf-8")


def figures(name: str, found: Mapping[str, Any], results: Mapping[str, Any]) -> list[str]:
    """The block of figures of one preset."""
    hears = sum(value for key, value in found["notes"].items() if key.endswith("train"))
    words = ", ".join(f"{size} {field}" for field, size in found["sizes"].items())
    lines = [
        f"Parameters: {found['parameters']:,} (classes composed: {words}); the file has {found['megabytes']:.2f} MB.",
        "",
        f"On 40 hymns ({hears:,} notes), {_heard(found)}: {_verdict(found)}",
        "",
        *(
            [f"Of the notes of test pieces {100 * found['kept']:.0f} % come back from it.", ""]
            if "kept" in found
            else []
        ),
        *([f"![curve](../images/models/{name}-curve.svg)", ""] if found["curve"] else []),
        *([f"![losses](../images/models/{name}-losses.svg)", ""] if found["unit"] == "distance" else []),
        f"![piano roll](../images/models/{name}.svg)",
        "",
        f"To hear: [{name}.mid](pieces/{name}.mid), the best of {found['pieces']} pieces of eight bars, which took "
        f"{found['composing']:.1f} s together for {found['played']:,} notes. Their means:",
        "",
        f"| | {name} | real, in this encoding | real |",
        "|---|---|---|---|",
    ]
    for measure, said in SAID.items():
        cells = [one.get(measure) for one in (found["measures"], found["encoded"], results["real"])]
        lines.append(f"| {said} | {' | '.join('' if cell is None else f'{cell:.2f}' for cell in cells)} |")
    return [*lines, "", f"`{found['command']}`, one thread of {results['machine']}, {results['date']}."]


def _heard(found: Mapping[str, Any]) -> str:
    if not found["curve"]:
        return f"counted in {found['seconds']:.0f} s of the processor, all orders"
    return (
        f"{found['seconds']:.0f} s of the processor, {found['steps']:,} steps of {found['batch']} windows of "
        f"{found['window']}, {found['epochs']:.2g} times through the music"
    )


def _verdict(found: Mapping[str, Any]) -> str:
    if "nats_a_note" in found:
        bound = (
            f" (an upper bound by 64 points a bar; {found['one_point']:.2f} by one, as in training)"
            if "one_point" in found
            else ""
        )
        return (
            f"**{found['nats_a_note']:.2f} nats a note**{bound} on six test pieces. Beside it in the same encoding: "
            f"the frequency of each choice alone (order 0) {found['by_frequency']:.2f}; the family `markov` of order "
            f"0, which also hears what is told and what is chosen beside it, {found['order_0']:.2f}."
        )
    if "back" in found:
        word = "more" if found["back"] > found["commonest"] else "no more"
        return (
            f"of the choices in six test pieces **{100 * found['back']:.0f} %** come back from the latent space, "
            f"{word} than always the commonest would hit ({100 * found['commonest']:.0f} %). No likelihood is known."
        )
    first = found["curve"][0]["valid"]
    return (
        f"the distance of test pieces (energy score of blocks, lowest for music itself) is "
        f"**{found['distance']:.3f}**; on validation pieces it began at {first:.3f}; training music itself has "
        f"{found['distance_of_real']:.3f}."
    )


def overview(page: Path, results: Mapping[str, Any]) -> None:
    """The table of all presets."""
    lines = ["| preset | parameters | s | learnt | composes notes a bar, at once, in key |", "|---|---|---|---|---|"]
    for name, found in results["models"].items():
        measures = [found["measures"].get(one) for one in ("notes_per_bar", "polyphony", "in_key")]
        heard = ", ".join("-" if one is None else f"{one:.2f}" for one in measures)
        lines.append(
            f"| [{name}]({name}.md) | {found['parameters']:,} | {found['seconds']:.0f} | {_short(found)} | {heard} |"
        )
    real = ", ".join(f"{results['real'][one]:.2f}" for one in ("notes_per_bar", "polyphony", "in_key"))
    lines += [
        f"| *real* | | | | {real} |",
        "",
        f"One thread of {results['machine']}; each page has its command and its day.",
    ]
    text = page.read_text("utf-8") if page.exists() else f"# The presets side by side\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def _short(found: Mapping[str, Any]) -> str:
    if "nats_a_note" in found:
        return f"{found['nats_a_note']:.2f} nats a note ({found['by_frequency']:.2f}; {found['order_0']:.2f})"
    if "back" in found:
        return f"{100 * found['back']:.0f} % come back (commonest: {100 * found['commonest']:.0f} %)"
    return f"distance {found['distance']:.2f} (training music: {found['distance_of_real']:.2f})"


def curve_svg(path: Path, curve: Sequence[Mapping[str, Any]], unit: str) -> None:
    """Held-out loss over the seconds; of a GAN also the terms of its losses, from the second evaluation on."""
    if not curve:
        return
    path.write_text(_plot({f"held out, {unit}": [(one["seconds"], one["valid"]) for one in curve]}), encoding="utf-8")
    if unit == "distance":
        later = [one for one in curve if "terms" in one][1:]  # the first steps are off the scale of the others
        lines = {name: [(one["seconds"], one["terms"][name]) for one in later] for name in later[-1]["terms"]}
        path.with_name(path.name.replace("-curve", "-losses")).write_text(_plot(lines), encoding="utf-8")


def _plot(lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Lines of (x, y) as an SVG with its scale at both ends of either axis."""
    every = [point for line in lines.values() for point in line]
    right = max(x for x, _ in every)
    low, high = min(0.0, *(y for _, y in every)), max(y for _, y in every)

    def at(x: float, y: float) -> str:
        across = EDGE + (WIDTH - 2 * EDGE) * x / max(right, 1e-9)
        return f"{across:.1f},{HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (y - low) / max(high - low, 1e-9):.1f}"

    def text(x: float, y: float, said: str, colour: str = "#444") -> str:
        return f'<text x="{x}" y="{y}" fill="{colour}" font-family="sans-serif" font-size="12">{said}</text>'

    bottom = HEIGHT - EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<path d="M{EDGE},{EDGE} V{bottom} H{WIDTH - EDGE}" fill="none" stroke="#888"/>',
        text(4, EDGE + 4, f"{high:.3g}"), text(4, bottom, f"{low:.3g}"),
        text(EDGE, bottom + 18, "0"), text(WIDTH - EDGE - 60, bottom + 18, f"{right:.0f} s of CPU"),
    ]  # fmt: skip
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(at(x, y) for x, y in line)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(text(EDGE + 110 * number, 24, name, colour))
    return "\n".join([*parts, "</svg>", ""])
