"""An explanation in words and figures: lines for a terminal, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .inside import Inside, gate_figures, head_figures, looked_at
from .reading import Choice, Reading, Step, hardest
from .words import UNSAID

BLOCKS = "▁▂▃▄▅▆▇█"
HARDEST, DETAILED = 5, 24  # steps that are named; that are shown in full
SURE = 0.995  # a choice expected with more is not shown in a line


@dataclass(frozen=True)
class Explanation:
    """What `explain` found: a piece as a model reads it, and what happens inside the model."""

    title: str
    model: str
    family: str
    reading: Reading
    inside: Inside
    is_composed: bool = False
    bar: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON holds it; of gates and attention the figures, not every number."""
        reading, notes = self.reading, self.reading.score.notes.tolist()
        return {
            "piece": self.title, "composed": self.is_composed, "model": self.model, "family": self.family,
            "encoding": reading.encoding.name, "style": reading.style, "bars": list(reading.bars),
            "remarks": [*reading.remarks, *[self.inside.remark] * bool(self.inside.remark)], **self.facts,
            "fields": [
                {"name": one.name, "kind": one.kind, "size": one.size, "given": one.given}
                for one in reading.encoding.fields
            ],
            "bits_per_note": reading.bits_a_note, "bits_per_note_by_field": reading.bits_by_field(),
            "notes": [
                {"onset": onset, "duration": duration, "pitch": pitch, "bits": round(float(bits), 4)}
                for (onset, duration, pitch, *_), bits in zip(notes, reading.bits_of, strict=True)
            ],
            "steps": [_step_dict(step) for step in reading.steps],
            "gates": [
                {"layer": one.layer, "kind": one.kind, "first_step": self.inside.first + 1, **gate_figures(one.named())}
                for one in self.inside.gates
            ],
            "attention": [
                {"layer": one.layer, "heads": head_figures(one.weights, self.times), "looks": self._looks(one.weights)}
                for one in self.inside.attention
            ],
        }  # fmt: skip

    @property
    def times(self) -> np.ndarray:
        """Ticks of the rows that the steps inside follow, (T,)."""
        return self.reading.times[self.inside.first : -1]

    def _looks(self, weights: np.ndarray) -> list[list[list[float]]]:
        """For each step the rows that it attends to most, [row from 0, share]."""
        return [[[n, round(share, 4)] for n, share in looked_at(weights, at)] for at in range(weights.shape[1])]


def _step_dict(step: Step) -> dict[str, Any]:
    told = {name: word for name, word in step.told.items() if word != UNSAID}
    choices = {
        one.field: {
            "has": one.word, "chance": one.chance, "bits": one.bits, "rank": one.rank,
            "likely": [[word, chance] for word, chance in one.likely],
        }
        for one in step.choices
    }  # fmt: skip
    where = {"step": step.number, "bar": step.bar, "ticks": step.time, "counts": step.counts, "bits": step.bits}
    return {**where, "told": told, "choices": choices}


def written(found: Explanation) -> str:
    """The explanation as JSON to read and to search: an entry a line, numbers with four places."""
    entries = []
    for name, value in found.as_dict().items():
        entries.append(f'"{name}": {_folded(value)}')
    return "{\n" + ",\n".join(entries) + "\n}"


def _folded(value: Any) -> str:
    """A value of the outermost object, each entry of a list of objects on a line of its own."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n " + ",\n ".join(_compact(one) for one in value) + "\n]"
    return _compact(value)


def _compact(value: Any) -> str:
    return json.dumps(_rounded(value), ensure_ascii=False, separators=(", ", ": "))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value


# --- lines


def lines(found: Explanation, columns: int = 100) -> list[str]:
    """The explanation for a terminal of so many columns."""
    reading = found.reading
    of = "composed with" if found.is_composed else "as it is read by"
    said = [
        f"{found.title}, {of} {found.model} ({found.family}, encoding {reading.encoding.name})",
        f"bars {reading.bars[0]} to {reading.bars[1]}: {len(reading.score)} notes in {len(reading.shown)} steps, "
        f"{reading.bits_a_note:.2f} bits a note",
        *(f"note: {remark}" for remark in reading.remarks), "",
        *_told(reading), "", *_by_field(reading, columns), "", *_by_bar(reading, columns), "",
    ]  # fmt: skip
    if found.bar is not None:
        said += [f"bar {found.bar}, step by step (what the music has, then what was expected):"]
        said += _steps([step for step in reading.shown if step.bar == found.bar], len(reading.shown))
    else:
        said += ["the most surprising steps (what the music has, then what was expected):"]
        said += _steps(hardest(reading.shown, HARDEST), HARDEST)
    return [*said, "", *_inside(found, columns)]


def _told(reading: Reading) -> Iterator[str]:
    """What the model is told of the whole, and what it chooses in a step."""
    first = reading.shown[0] if reading.shown else reading.steps[0]
    known = [f"{name} {word}" for name, word in first.told.items() if word not in (UNSAID, "silent")]
    yield "told at the first step: " + (", ".join(known) or "nothing")
    yield "chosen at each step, in this order: " + ", ".join(entry.name for entry in reading.encoding.composed)


def _by_field(reading: Reading, columns: int) -> Iterator[str]:
    yield "surprise by what is chosen, in bits a note:"
    found = reading.bits_by_field()
    most = max([*found.values(), 1e-9])
    for name, bits in found.items():
        yield f"  {name:<14}{bits:7.3f}  " + "█" * round((columns - 26) * bits / most)


def _by_bar(reading: Reading, columns: int) -> Iterator[str]:
    """Surprise along the piece: the mean bits of the steps of each bar, and a curve over the steps."""
    by_bar: dict[int, float] = {}
    for step in reading.shown:
        by_bar[step.bar] = by_bar.get(step.bar, 0.0) + step.bits
    yield "surprise by bar, in bits: " + "  ".join(f"{bar}: {bits:.1f}" for bar, bits in by_bar.items())
    yield "  " + curve([step.bits for step in reading.shown], columns - 4)


def curve(values: Sequence[float], columns: int) -> str:
    """Numbers as a line of blocks, of more numbers than columns the means of some; the highest fills its line."""
    if not len(values):
        return ""
    some = np.array([part.mean() for part in np.array_split(np.array(values, float), min(columns, len(values)))])
    heights = np.clip(some / max(float(some.max()), 1e-9) * len(BLOCKS), 0, len(BLOCKS) - 1).astype(int)
    return "".join(BLOCKS[height] for height in heights)


def _steps(steps: Sequence[Step], most: int) -> Iterator[str]:
    for step in steps[: min(most, DETAILED)]:
        place = step.told.get("place", UNSAID)
        where = f"bar {step.bar}" + f", {place}" * (place != UNSAID)
        yield f"  step {step.number} ({where}): {step.bits:.2f} bits"
        for choice in step.choices:
            if choice.rank != 1 or choice.chance < SURE:
                yield f"    {choice_line(choice)}"
    if len(steps) > min(most, DETAILED):
        yield f"  ... {len(steps) - min(most, DETAILED)} more: --html or --json shows all"


def choice_line(choice: Choice) -> str:
    """ "pitch     C4  12 %, 3.06 bits | D4 40 %, E4 31 %"."""
    likely = ", ".join(f"{word} {percent(chance)}" for word, chance in choice.likely)
    return f"{choice.field:<10}{choice.word:<22}{percent(choice.chance):>7}{choice.bits:8.2f} bits | {likely}"


def percent(chance: float) -> str:
    return "< 0.1 %" if 0 < chance < 0.001 else f"{100 * chance:.{0 if chance >= 0.0995 else 1}f} %"


def _inside(found: Explanation, columns: int) -> Iterator[str]:
    inside = found.inside
    if inside.gates:
        yield "gates, mean openness over the steps (1: what comes is let through, or what is held is kept):"
        for one in inside.gates:
            figures = gate_figures(one.named())
            memory = f"; half of what a unit holds is gone after {figures['remembers']:.1f} steps"
            yield f"  {one.layer} ({one.kind}, {one.values.shape[2]} units){memory * ('remembers' in figures)}"
            for name in one.names:
                yield f"    {name:<8}{figures[name]['mean']:.2f}  {curve(figures[name]['course'], columns - 20)}"
    if inside.attention:
        yield "attention, how many beats back each head looks on the average (over how many steps it is spread):"
        for layer in inside.attention:
            heads = head_figures(layer.weights, found.times)
            said = "  ".join(f"{head['beats']:5.1f} ({head['spread']:4.1f})" for head in heads)
            yield f"  {layer.layer:<9}{said}   on itself {percent(float(np.mean([head['itself'] for head in heads])))}"
        yield "  --html shows each head as a heat map, --json where each step looks"
    if inside.remark:
        yield f"note: {inside.remark}"
