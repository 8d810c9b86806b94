"""The notebooks' way of training a composer beside ours: seconds and epochs until one held-out loss is reached.

    python benchmarks/classics.py --pack guitar --width 128 --minutes 2 --our-minutes 0.15 --json classics.json

Both sides train the network of the preset `notebook-lstm` (three LSTM layers over words, each one number) on the same
training pieces, and are judged by the same words of the same held-out pieces, each from the 100 words before it.

- *original*: every window of 100 words, stepping by one and across the borders of pieces; the loss is that of the one
  word behind the window; batches of 128; RMSprop as Keras has it; Keras' initial weights. Written out below in plain
  torch, from the notebooks' own code (Skuldur, Classical-Piano-Composer, 2017).
- *ours*: the same network by our training loop with `sees=0` and `last_only=false`: the state is carried, and every
  word of a window is learnt. Its optimiser, rate, batch and window are options. Its first layer begins as thresholds
  all over the classes (`steep`); *ours, same start* begins as Keras does, and *ours, table* looks words up in a table
  of 64 numbers each as the modern presets do, which makes it a little larger.

The goal is the lowest held-out loss that the original comes to in its time. `--clock cpu` counts a process's own time,
so that other work on the machine does not count; judging is not timed. Ctrl-C ends a side with what is there. One
run each: other seeds differ. What the original takes to its end is not known from this, only how long each side takes
to the same loss.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _figures import DATA, announce, origin, table, write_json
from torch import Tensor, nn
from torch.nn import functional as F

from partimento import api, formats, presets
from partimento.corpus import Cache
from partimento.errors import MusicError
from partimento.models.base import Composer, parameter_count
from partimento.training import budget
from partimento.training.loop import Run, TrainingPlan

PRESET = "notebook-lstm"
WINDOW = 100  # words that the original sees
MOST_JUDGED = 1024  # held-out words
GOAL = 50.0  # times less time
KERAS = {"lr": 0.001, "alpha": 0.9, "eps": 1e-7}  # RMSprop's settings there
TIMED = 4  # updates, to plan so many as fit into the time
STEEP = 60.0  # slope of the thresholds by which the first layer of ours begins to tell words apart
TABLE = 64  # numbers a word where it is looked up, as in the other presets that do so
SHARES = (0.25, 0.5, 0.75, 1.0)  # of the way from the first held-out loss to the lowest
CLOCKS: dict[str, Callable[[], float]] = {"cpu": time.process_time, "wall": time.perf_counter}


@dataclass
class Side:
    """How one side went: the held-out loss after so many seconds of training, and what it had heard by then."""

    name: str
    parameters: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)  # seconds, loss, epochs, scored, steps, updates

    @property
    def lowest(self) -> float:
        return min(point["loss"] for point in self.curve)

    def reached(self, loss: float) -> dict[str, float] | None:
        """Where the held-out loss first was `loss` or lower; None where it never was."""
        return next((point for point in self.curve if point["loss"] <= loss), None)


@dataclass(frozen=True)
class Music:
    """The words to learn, all pieces in a row as the notebooks have them, and the held-out words that judge."""

    cache: Cache
    words: np.ndarray  # (N,) classes
    size: int  # of the vocabulary
    windows: np.ndarray  # (J, WINDOW) classes before each judged word
    targets: np.ndarray  # (J,)
    places: list[tuple[int, np.ndarray]]  # held-out piece, and which of its words are judged


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    if options.count:
        print(counted_line(counted(pack_of(options.pack))))
        return 0
    torch.set_num_threads(options.threads)
    announce(where := origin("classics.py", arguments, options.seed))
    with tempfile.TemporaryDirectory() as folder:
        music = music_of(options, Path(folder))
        count = sum(len(places) for _, places in music.places)
        print(f"{len(music.words):,} words to learn, {music.size} different ones; judged by {count:,} held-out words")
        print(f"by the frequency of each word alone {(by_frequency := commonness(music)):.3f} nats", flush=True)
        own = [followed(name, ours(music, options, Path(folder), name), options) for name in SIDES]
        theirs = followed("original", original(music, options), options)
    sides, figures = [theirs, *own], {one.name: compared(theirs, one) for one in own}
    print("\n".join(["", *shown(sides, figures)]))
    if options.json:
        said = {"words": len(music.words), "vocabulary": music.size, "judged": count, "by_frequency": by_frequency}
        said["figures"] = figures
        write_json(options.json, where | said | {"sides": [vars(side) for side in sides]})
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The notebooks' way of training beside ours.")
    parser.add_argument("--pack", default="mozart", help="folder of music, or the name of one of the packs")
    parser.add_argument("--count", action="store_true", help="only count events, words and windows as the notebooks do")
    parser.add_argument("--width", type=int, default=512, help="of the LSTM layers; the notebooks' is 512")
    parser.add_argument("--minutes", type=float, default=10.0, help="of training for the original")
    parser.add_argument("--our-minutes", type=float, default=1.0)
    parser.add_argument("--batch", type=int, default=128, help="windows of the original's batches")
    parser.add_argument("--our-batch", type=int, default=16)
    parser.add_argument("--our-rate", type=float, default=0.01)
    parser.add_argument("--our-window", type=int, default=50, help="words of our windows")
    parser.add_argument("--our-optimiser", default="muon", help="or rmsprop as the preset has it, adamw, adam")
    parser.add_argument("--points", type=int, default=24, help="judgements of each side")
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="cpu")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


# --- the music


def pack_of(name: str) -> Path:
    return Path(name) if Path(name).is_dir() else DATA / "packs" / name


def counted(folder: Path) -> dict[str, int]:
    """Files, events, different words and windows of a folder as the notebooks count them: all files, none left out.

    Events are read as music21 5.7 groups them. Of the notebooks' own 92 files they count 57,177 events, 358 words and
    57,077 windows: windows go across the borders of files, so that there are 100 fewer than events.
    """
    encoding = api.get_encoding("events", music21=5)
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".mid", ".midi"))
    words: Counter[str] = Counter()
    for path in paths:
        words.update(encoding.words_of(formats.load(path))["token"])
    events = words.total()
    return {"files": len(paths), "events": events, "words": len(words), "windows": max(0, events - WINDOW)}


def counted_line(found: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in found.items())


def music_of(options: argparse.Namespace, folder: Path) -> Music:
    """The words of a pack's training pieces, and those of its held-out pieces that have a window before them."""
    pack = pack_of(options.pack)
    request = api.TrainingRequest((pack,), folder / "none.partimento", preset=PRESET, work=folder, workers=1)
    cache = api.prepare(request)
    size = len(cache.spec["words"])
    learnt = np.concatenate([words_of(cache, piece) for piece in cache.of("train")])
    held_out = [words_of(cache, piece) for piece in cache.of("valid")]
    known = [np.flatnonzero(words[WINDOW:] >= 0) + WINDOW for words in held_out]
    apart = max(1, -(-sum(map(len, known)) // MOST_JUDGED))
    places = [(n, some[::apart]) for n, some in enumerate(known) if len(some)]
    if not places:
        raise MusicError(f"{pack}: no held-out piece has more than {WINDOW} words; name a folder of longer pieces")
    windows = np.array([held_out[n][at - WINDOW : at] for n, some in places for at in some])
    targets = np.array([held_out[n][at] for n, some in places for at in some])
    return Music(cache, learnt, size, windows, targets, places)


def commonness(music: Music) -> float:
    """Nats of the judged words by how often each word is in the music to learn, half a word added to each."""
    counts = np.bincount(music.words[music.words >= 0], minlength=music.size) + 0.5
    return float(-np.log(counts / counts.sum())[music.targets].mean())


def words_of(cache: Cache, piece) -> np.ndarray:
    """The words of a piece as classes (T,); -1 where the vocabulary lacks one."""
    rows = np.asarray(cache.steps[piece.start + 1 : piece.start + piece.length])
    return rows[:, -1].astype(np.int64)


# --- the original


class Notebook(nn.Module):
    """The notebooks' network, with Keras' initial weights."""

    def __init__(self, width: int, size: int):
        super().__init__()
        self.layers = nn.ModuleList([nn.LSTM(n, width, batch_first=True) for n in (1, width, width)])
        self.dense, self.leave = nn.Linear(width, width // 2), nn.Linear(width // 2, size)
        self.dropout = nn.Dropout(0.3)
        for name, value in self.named_parameters():
            if "weight_hh" in name:
                nn.init.orthogonal_(value)
            elif "weight" in name:
                nn.init.xavier_uniform_(value)
            else:
                nn.init.zeros_(value)
                if "bias_ih" in name:
                    value.data[width : 2 * width] = 1.0  # the forget gates begin open
                value.requires_grad_("bias_hh" not in name)  # Keras has one bias

    def forward(self, x: Tensor) -> Tensor:
        """Windows (B, T, 1) of numbers -> logits (B, words) of the word behind each."""
        for number, layer in enumerate(self.layers):
            x = layer(x)[0]
            x = self.dropout(x) if number < len(self.layers) - 1 else x
        return self.leave(self.dropout(self.dense(x[:, -1])))


Taken = Iterator[tuple[dict[str, float], Callable[[], float], int]]  # what was heard, how to judge, parameters


def original(music: Music, options: argparse.Namespace) -> Taken:
    """The notebooks' training, update by update: windows stepping by one, each once an epoch in random order."""
    torch.manual_seed(options.seed)
    rng, device = np.random.default_rng(options.seed), torch.device(options.device)
    model = Notebook(options.width, music.size).to(device)
    optimiser = torch.optim.RMSprop([p for p in model.parameters() if p.requires_grad], **KERAS)
    words = torch.from_numpy(music.words).to(device)
    count, heard = len(music.words) - WINDOW, 0
    reach = torch.arange(WINDOW, device=device)

    def judge() -> float:
        model.eval()
        return judged(lambda windows: model(windows[..., None].float() / music.size), music, device)

    yield {"epochs": 0.0, "scored": 0, "steps": 0}, judge, parameter_count(model)
    while True:
        order = torch.from_numpy(rng.permutation(count)).to(device)
        for at in range(0, count, options.batch):
            begin = order[at : at + options.batch]
            model.train()
            logits = model(words[begin[:, None] + reach][..., None].float() / music.size)
            loss = F.cross_entropy(logits, words[begin + WINDOW])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            heard += len(begin)
            yield {"epochs": heard / count, "scored": heard, "steps": heard * WINDOW}, judge, parameter_count(model)


@torch.inference_mode()
def judged(logits: Callable[[Tensor], Tensor], music: Music, device: torch.device) -> float:
    """Mean nats of the held-out words, each by `logits` of the window of classes (B, WINDOW) before it."""
    total, windows = 0.0, torch.from_numpy(music.windows).clamp(min=0)
    for at in range(0, len(windows), 256):
        targets = torch.from_numpy(music.targets[at : at + 256]).to(device)
        total += float(F.cross_entropy(logits(windows[at : at + 256].to(device)), targets, reduction="sum"))
    return total / len(windows)


# --- ours


SIDES: dict[str, dict[str, Any]] = {  # what each side of ours has otherwise than the preset
    "ours, same start": {"inputs": "scalar"},
    "ours": {"inputs": "scalar", "steep": STEEP},
    "ours, table": {"inputs": "embedding", "embedding": TABLE},
}


def ours(music: Music, options: argparse.Namespace, folder: Path, name: str = "ours") -> Taken:
    """The preset by our training loop, update by update, every word of a window being learnt."""
    plan = planned(options, name)
    pace = paced(Run(music.cache, plan, folder / "paced"), CLOCKS[options.clock])
    plan = replace(plan, steps=max(budget.FEWEST_STEPS, int(options.our_minutes * 60 / pace)))  # its rate falls so long
    run = Run(music.cache, plan, folder / name)
    words, heard, updates = sum(p.length - 1 for p in music.cache.of("train")), 0, 0
    windows = budget.windows_in(music.cache, plan.window)

    def judge() -> float:
        run.model.eval()
        return judged(lambda windows: behind(run.model, windows), music, run.device)

    parameters = parameter_count(run.model)
    yield {"epochs": 0.0, "scored": 0, "steps": 0}, judge, parameters
    while True:
        _, scored = run.one_step()
        heard, updates = heard + scored, updates + 1
        epochs = updates * plan.batch / windows
        yield {"epochs": epochs, "scored": heard, "steps": heard, "passes": heard / words}, judge, parameters


def paced(run: Run, clock: Callable[[], float]) -> float:
    """Seconds an update, by the first few; by the clock that the sides are timed by, or other work would shorten it."""
    run.one_step()
    started = clock()
    for _ in range(TIMED):
        run.one_step()
    return (clock() - started) / TIMED


def planned(options: argparse.Namespace, name: str) -> TrainingPlan:
    """How one of `SIDES` is trained."""
    chosen = presets.load(PRESET)
    net = [[kind, *(_narrowed(size, options.width) for size in sizes)] for kind, *sizes in chosen.options["net"]]
    recipe = {"batch": options.our_batch, "optimiser": options.our_optimiser, "window": options.our_window}
    recipe |= {"rate": options.our_rate, "seed": options.seed, "threads": options.threads, "device": options.device}
    network = {**chosen.options, "net": net, "sees": 0, "last_only": False, **SIDES[name]}
    return TrainingPlan(family=chosen.family, options=network, steps=1000, weight_decay=0.0, **recipe)


def _narrowed(size: Any, width: int) -> Any:
    """A size of the preset at another width of its LSTM layers: 512 and 256 scaled, shares of dropout as they are."""
    return size * width // 512 if isinstance(size, int) else size


def behind(model: Composer, windows: Tensor) -> Tensor:
    """Logits (B, words) of the word behind each of `windows` (B, WINDOW), by a model that carries its state."""
    rows = windows[..., None]  # the plain form has one column
    every = torch.ones_like(windows, dtype=torch.bool)
    hidden = model.backbone(model.embedding(rows, rows), windows, every)[:, -1]
    return model.logits("token", hidden, rows[:, -1])


# --- side by side


def followed(name: str, run: Taken, options: argparse.Namespace) -> Side:
    """One side for its time, or until Ctrl-C, judged now and then; the clock stands still while it is judged."""
    found = Side(name)
    try:
        _follow(found, run, options)
    except KeyboardInterrupt:
        if not found.curve:
            raise
        print(f"{name}: ended after {found.curve[-1]['seconds']} s")
    return found


def _follow(found: Side, run: Taken, options: argparse.Namespace) -> None:
    clock = CLOCKS[options.clock]
    limit = 60 * (options.minutes if found.name == "original" else options.our_minutes)
    spent, due, updates, started = 0.0, 0.0, -1, None
    for heard, judge, parameters in run:
        spent, updates = spent + (clock() - started if started is not None else 0.0), updates + 1
        if spent >= due or spent >= limit:
            loss, found.parameters = judge(), parameters
            found.curve.append({"seconds": round(spent, 2), "loss": round(loss, 4), "updates": updates, **heard})
            print(f"{found.name}: {spent:7.1f} s  {heard['epochs']:6.2f} epochs  held out {loss:.4f}", flush=True)
            due = next_point(spent, limit, options.points)
        if spent >= limit:
            return
        started = clock()


def next_point(spent: float, limit: float, points: int) -> float:
    """When to judge next: densely at first, since one side may be there in a moment."""
    first = limit / 400
    return max(first, spent * (limit / first) ** (1 / points)) if spent < limit else limit


def compared(original: Side, ours: Side) -> list[dict[str, Any]]:
    """For losses on the way from the original's first to its lowest: what each side took, and the ratio of times."""
    begin, lowest, found = original.curve[0]["loss"], original.lowest, []
    for share in SHARES:
        goal = begin + (lowest - begin) * share
        theirs, own = original.reached(goal), ours.reached(goal)
        ratio = theirs["seconds"] / max(own["seconds"], 1e-9) if theirs and own and own["seconds"] else math.nan
        found.append({"share": share, "loss": goal, "original": theirs, "ours": own, "times": ratio})
    return found


def shown(sides: Sequence[Side], figures: Mapping[str, Sequence[dict[str, Any]]]) -> list[str]:
    """What each of ours took to losses on the way to the original's lowest, one under the other."""
    rows = []
    for name, found in figures.items():
        for one in found:
            row = [name, f"{one['loss']:.3f}", *_cells(one["original"]), *_cells(one["ours"])]
            rows.append([*row, f"{one['times']:.0f}" if math.isfinite(one["times"]) else "-"])
    head = ["", "held-out loss", "original: s", "epochs", "words learnt", "ours: s", "epochs", "words learnt", "times"]
    found = [*table(head, rows), ""]
    found += [f"{side.name}: lowest {side.lowest:.3f}, {side.parameters:,} parameters" for side in sides]
    return [
        *found,
        *(f"goal, {GOAL:g} times less time: {met(name, one[-1]['times'])}" for name, one in figures.items()),
    ]


def _cells(point: dict[str, float] | None) -> list[str]:
    return [f"{point['seconds']:.1f}", f"{point['epochs']:.2f}", f"{point['scored']:,}"] if point else ["-"] * 3


def met(name: str, times: float) -> str:
    """Whether a side met the goal."""
    if not math.isfinite(times):
        return f"not met, {name} did not come to the original's lowest loss"
    return f"{'met' if times >= GOAL else 'not met'} by {name}, {times:.0f} times"


if __name__ == "__main__":
    sys.exit(main())
