"""How fast Partimento reads, trains and composes, beside the field's usual tools on the same machine in the same run.

Wall times of two runs are not comparable, their ratios are: ours and the peer take turns, and the medians are
divided. Beside each ratio stands the limit: what the machine could do at best, and our share of it.

    python benchmarks/speed.py [--quick] [--threads N] [--model FILE] [--clock cpu] [--json FILE]

The music is in PARTIMENTO_DATA, else ../shared/data beside the repository (any folder of MIDI files will do).
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from partimento import formats, model_file
from partimento.corpus import Cache, Piece
from partimento.encodings import Encoding, Plan, get_encoding
from partimento.errors import FormatError, MusicError
from partimento.machine import processor
from partimento.models import get_family
from partimento.models.base import parameter_count
from partimento.models.transformer import Block, Rotary
from partimento.sampling import Sampling, sample
from partimento.training.loop import Run, TrainingPlan

DATA = Path(os.environ.get("PARTIMENTO_DATA", Path(__file__).parents[2] / "shared" / "data"))
REMI_TOKENS = 4.8  # a note; measured by MidiTok's REMI over these packs
REMI_VOCABULARY = 512  # nearly REMI's with programs
NOT_INSTALLED = "not installed: pip install 'partimento[benchmark]'"
SIZES = {  # full run, --quick
    "files": (150, 24), "music21 files": (6, 2), "rounds": (7, 3), "training rounds": (5, 2),
    "batch": (8, 4), "window": (256, 128), "composed notes": (300, 80),
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line of the table; rates are in `unit`, `limit` is the most that this machine could do."""

    what: str
    unit: str
    ours: float
    peer: str
    peers: float | None = None
    goal: float | None = None
    limit: float | None = None
    limit_by: str = ""
    goal_rate: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peers if self.peers else None


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
clock = CLOCKS["wall"]


def timed(work: Callable[[], float]) -> float:
    """Things a second of `work`, which returns how many things it did."""
    started = clock()
    done = work()
    return done / (clock() - started)


def in_turns(rounds: int, *works: Callable[[], float]) -> list[float]:
    """The median rate of each of `works`, which take turns (A B A B ...) after one round to warm up."""
    for work in works:
        work()
    rates: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for found, work in zip(rates, works, strict=True):
            found.append(timed(work))
    return [statistics.median(found) for found in rates]


def optional(name: str) -> ModuleType | None:
    """A peer's package, or `None` where it is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None


# --- 1: from MIDI files to steps


def sample_of_files(most: int) -> list[Path]:
    """The same files on every machine: drawn over all packs, those that the grid can hold."""
    every = sorted(path for path in DATA.rglob("*.mid") if path.is_file())
    order = np.random.default_rng(0).permutation(len(every))
    encoding, kept = get_encoding("notes"), []
    for index in order:
        try:
            encoding.encode(formats.load(every[index]))
        except (FormatError, MusicError):
            continue  # every tool is timed on the same files, so on those that ours holds
        kept.append(every[index])
        if len(kept) == most:
            break
    return kept


def encode_files(paths: Sequence[Path]) -> float:
    encoding = get_encoding("notes")
    for path in paths:
        encoding.encode(formats.load(path))
    return len(paths)


def remi_tokenizer(miditok: ModuleType):
    return miditok.REMI(miditok.TokenizerConfig(use_programs=True, use_tempos=True, use_time_signatures=True))


def reading(quick: bool) -> list[Row]:
    paths = sample_of_files(SIZES["files"][quick])
    if not paths:
        print(f"no MIDI files in {DATA}; set PARTIMENTO_DATA to a folder of music", file=sys.stderr)
        return []
    what, rounds = "MIDI file to training steps", SIZES["rounds"][quick]
    return [against_miditok(what, paths, rounds), against_music21(what, paths[: SIZES["music21 files"][quick]])]


def against_miditok(what: str, paths: Sequence[Path], rounds: int) -> Row:
    miditok, symusic = optional("miditok"), importlib.import_module("symusic")

    def parse() -> float:
        for path in paths:
            symusic.Score(path)
        return len(paths)

    if miditok is None:
        ours, limit = in_turns(rounds, lambda: encode_files(paths), parse)
        return Row(what, "files/s", ours, "MidiTok REMI", None, 2, limit, "parsing alone (symusic)", note=NOT_INSTALLED)
    tokenizer = remi_tokenizer(miditok)

    def tokenise() -> float:
        for path in paths:
            tokenizer(symusic.Score(path))
        return len(paths)

    ours, peers, limit = in_turns(rounds, lambda: encode_files(paths), tokenise, parse)
    return Row(
        what, "files/s", ours, "MidiTok REMI", peers, 2, limit, "parsing alone (symusic)", note=f"{len(paths)} files"
    )


def against_music21(what: str, paths: Sequence[Path]) -> Row:
    music21 = optional("music21")
    if music21 is None:
        ours = in_turns(3, lambda: encode_files(paths))[0]
        return Row(what, "files/s", ours, "music21", None, 100, note=NOT_INSTALLED)

    def parse() -> float:
        for path in paths:
            list(music21.converter.parse(path, forceSource=True).flatten().notes)
        return len(paths)

    ours, peers = in_turns(1, lambda: encode_files(paths), parse)
    return Row(what, "files/s", ours, "music21", peers, 100, note=f"{len(paths)} files")


# --- 2: composing


def read_gigabytes_a_second(size: int) -> float:
    """How fast one thread reads a buffer of `size` bytes again and again, from whatever cache it fits into."""
    numbers = torch.ones(max(1024, size // 4))
    repeats = max(4, 2**28 // size)

    def read() -> float:
        for _ in range(repeats):
            torch.dot(numbers, numbers)
        return repeats * numbers.numel() * 4 / 1e9

    return max(timed(read) for _ in range(5))


def untrained_model(threads: int) -> tuple[model_file.Model, int, int]:
    """The default family with random weights as a model file would hold it; its parameters and bytes of graphs."""
    from partimento.training import export

    encoding = get_encoding("notes")
    torch.manual_seed(0)
    model = get_family("transformer")(encoding.fields).eval()
    graphs = export.graphs(model)
    declared = [[entry.name, entry.size, entry.given] for entry in encoding.fields]
    info = {"encoding": encoding.spec(), "state": model.state_spec(), "fields": declared}
    named = {name.removesuffix(".onnx"): graph for name, graph in graphs.items()}
    return model_file.Model(info, named, threads), parameter_count(model), sum(map(len, graphs.values()))


def stored_model(path: Path, threads: int) -> tuple[model_file.Model, int, int]:
    """The model in a file, its parameters and bytes of graphs."""
    info, members = model_file.read(path)
    return model_file.load(path, threads), info["card"]["parameters"], sum(map(len, members.values()))


def shipped_model() -> Path | None:
    """The first shipped model that composes note by note, else the first of all, if the package ships any."""
    found = sorted((Path(model_file.__file__).parent / "styles").glob(f"*{model_file.SUFFIX}"))
    by_note = [path for path in found if model_file.read_info(path)["encoding"]["name"] == "notes"]
    return next(iter([*by_note, *found]), None)


def compose_notes(model: model_file.Model, notes: int) -> float:
    """Compose pieces of 16 bars one after another until there are `notes` notes; how many there are."""
    plan, done, seed = Plan(bars=16, style=next(iter(model.encoding.styles), "")), 0, 0
    while done < notes:
        drawn = sample(model, [model.encoding.cursor(plan)], Sampling(), [np.random.default_rng(seed)])
        done += len(model.encoding.decode(np.array([row for _, row in drawn]), plan))
        seed += 1
    return done


def gpt_of(parameters: int, transformers: ModuleType):
    """Hugging Face's Llama with random weights, as near to `parameters` as its width in steps of 32 allows."""

    def config(width: int):
        return transformers.LlamaConfig(
            vocab_size=REMI_VOCABULARY, hidden_size=width, intermediate_size=64 * round(width * 8 / 3 / 64),
            num_hidden_layers=6, num_attention_heads=width // 32, max_position_embeddings=4096,
            bos_token_id=1, eos_token_id=None, pad_token_id=0,
        )  # fmt: skip

    def size(width: int) -> int:
        with torch.device("meta"):
            return parameter_count(transformers.LlamaForCausalLM(config(width)))

    width = min(range(64, 1025, 32), key=lambda width: abs(size(width) - parameters))
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(config(width)).eval()


def composing(quick: bool, threads: int, path: Path | None) -> list[Row]:
    path = path or shipped_model()
    model, parameters, size = stored_model(path, threads) if path else untrained_model(threads)
    notes, rounds = SIZES["composed notes"][quick], SIZES["rounds"][quick]
    what = f"composing, {parameters / 1e6:.1f} M parameters, batch 1"
    name = path.name if path else "random weights"
    limit = read_gigabytes_a_second(size) * 1e9 / size
    known: dict[str, Any] = {
        "goal": 5,
        "limit": limit,
        "limit_by": "reading the int8 weights once a note",
        "goal_rate": 1000,
    }
    transformers = optional("transformers")
    if transformers is None:
        ours = in_turns(rounds, lambda: compose_notes(model, notes))[0]
        return [Row(what, "notes/s", ours, "Hugging Face generate", note=NOT_INSTALLED, **known)]
    gpt = gpt_of(parameters, transformers)
    peer_notes = max(20, notes // 8)
    tokens = round(peer_notes * REMI_TOKENS)

    def generate() -> float:
        with torch.inference_mode():
            gpt.generate(torch.ones(1, 1, dtype=torch.long), max_new_tokens=tokens, do_sample=True, use_cache=True)
        return peer_notes

    ours, peers = in_turns(rounds, lambda: compose_notes(model, notes), generate)
    note = f"{name}; peer: Llama of {parameter_count(gpt) / 1e6:.1f} M, {REMI_TOKENS} tokens a note"
    return [Row(what, "notes/s", ours, "Hugging Face generate", peers, note=note, **known)]


# --- 3: training


class TokenModel(nn.Module):
    """A plain decoder over one token per attribute, on the very blocks of our Transformer: only that differs."""

    def __init__(self, width: int, layers: int, heads: int):
        super().__init__()
        self.table = nn.Embedding(REMI_VOCABULARY, width)
        inner = 64 * round(width * 8 / 3 / 64)
        self.rotary = Rotary(width // heads)
        self.blocks = nn.ModuleList(Block(width, heads, inner, 0.1) for _ in range(layers))
        self.out = nn.Linear(width, REMI_VOCABULARY, bias=False)

    def loss(self, tokens: torch.Tensor) -> torch.Tensor:
        """Mean nats of the tokens (B, T + 1) after the first."""
        x, index = self.table(tokens[:, :-1]), torch.arange(tokens.shape[1] - 1, dtype=torch.float32)[None]
        cosine, sine = self.rotary.angles(index, index)
        for block in self.blocks:
            x = block(x, (cosine[:, None], sine[:, None]))
        return F.cross_entropy(self.out(x).flatten(0, 1), tokens[:, 1:].flatten())


def cache_of(paths: Sequence[Path], encoding: Encoding, window: int) -> Cache:
    """A cache in memory of the pieces that fill a window."""
    tables, pieces, start = [], [], 0
    for path in paths:
        steps = encoding.encode(formats.load(path))
        if len(steps) <= window:
            continue
        low, high = encoding.transpositions(steps)
        pieces.append(Piece(path.name, "", "train", path.name, start, len(steps), low, high, len(steps) - 2))
        tables.append(steps)
        start += len(steps)
    times = np.concatenate([encoding.times(steps) for steps in tables])
    return Cache(Path(), encoding.spec(), pieces, [], {}, {}, "benchmark", (), np.concatenate(tables), times)


def matrix_operations_a_second() -> float:
    """Floating-point operations a second of a large matrix product: the most that training could use."""
    size = 1024
    left, right = torch.randn(size, size), torch.randn(size, size)

    def multiply() -> float:
        for _ in range(4):
            left @ right
        return 4 * 2.0 * size**3

    return max(timed(multiply) for _ in range(5))


def multiplied(model: nn.Module) -> int:
    """Parameters that every note is multiplied by: all but the tables, of which a note looks up a row."""
    tables = (module for module in model.modules() if isinstance(module, nn.Embedding))
    return parameter_count(model) - sum(map(parameter_count, tables))


def our_step(run: Run) -> Callable[[], float]:
    """One step of the training loop: drawing the batch, forward, backward, optimiser, running average."""
    return lambda: float(run.one_step()[1])


def plain_step(model: TokenModel, batch: int, notes: int, vocabulary: int = REMI_VOCABULARY) -> Callable[[], float]:
    """One step of a plain torch loop over as many notes, one token per attribute."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, foreach=True)
    tokens = torch.randint(vocabulary, (batch, round(notes * REMI_TOKENS) + 1))

    def step() -> float:
        optimiser.zero_grad(set_to_none=True)
        model.loss(tokens).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        return batch * notes

    return step


def training(quick: bool, threads: int) -> list[Row]:
    batch, window = SIZES["batch"][quick], SIZES["window"][quick]
    encoding, paths = get_encoding("notes"), sample_of_files(SIZES["files"][quick])
    if not paths:
        return []
    with tempfile.TemporaryDirectory() as folder:
        plan = TrainingPlan(batch=batch, window=window, threads=threads, steps=10**6)
        run = Run(cache_of(paths, encoding, window), plan, Path(folder))
        ours_size = parameter_count(run.model)
        width, layers = run.model.width, len(run.model.blocks)
        # one token per attribute needs no chained heads: its size goes into more layers
        layers = max(range(1, 2 * layers + 3), key=lambda n: -abs(parameter_count(TokenModel(width, n, 4)) - ours_size))
        model = TokenModel(width, layers, 4)
        rounds = SIZES["training rounds"][quick]
        ours, peers = in_turns(rounds, our_step(run), plain_step(model, batch, window))
    limit = matrix_operations_a_second() / (6 * multiplied(run.model))
    note = f"batch {batch} x {window} notes; peer: {layers} layers, {parameter_count(model) / 1e6:.1f} M, same blocks"
    return [
        Row(f"training, transformer of {ours_size / 1e6:.1f} M", "notes/s", ours, "plain torch, token per attribute",
            peers, 5, limit, "6 operations a note and matrix entry", note=note)
    ]  # fmt: skip


# --- the table


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def lines_of(rows: Sequence[Row]) -> list[str]:
    """The table, a line a comparison, what it means below each."""
    head = ("what", "ours", "peer", "ratio", "goal", "limit", "share")
    table = [head]
    for row in rows:
        ratio = f"{row.ratio:.1f} x" if row.ratio else "-"
        share = f"{row.ours / row.limit:.0%}" if row.limit else "-"
        rate = f", {number(row.goal_rate)}/s" if row.goal_rate else ""
        table.append((
            row.what, f"{number(row.ours)} {row.unit}", number(row.peers), ratio, f"{number(row.goal)} x{rate}",
            number(row.limit), share,
        ))  # fmt: skip
    widths = [max(len(line[n]) for line in table) for n in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in table]
    for at in range(len(rows), 0, -1):
        row = rows[at - 1]
        limit = f"; limit: {row.limit_by}" if row.limit_by else ""
        lines.insert(at + 1, f"    against {row.peer} ({row.note}){limit}")
    return [line.rstrip() for line in lines]


def machine(threads: int) -> dict[str, Any]:
    packages = ("partimento", "numpy", "symusic", "onnxruntime", "torch", "miditok", "music21", "transformers")
    installed = {entry.metadata["Name"].lower(): entry.version for entry in metadata.distributions()}
    return {
        "processor": processor(), "cores": os.cpu_count(), "threads": threads, "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2), "versions": {name: installed.get(name, "-") for name in packages},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few files and rounds: under a minute, rougher figures")
    parser.add_argument(
        "--threads", type=int, default=1, help="torch and onnxruntime threads: one a free core (default 1)"
    )
    parser.add_argument("--model", type=Path, help="the model file that composes (default: a shipped style)")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: processor seconds, for a busy machine")
    asked = parser.parse_args()
    global clock
    clock = CLOCKS[asked.clock]
    torch.set_num_threads(asked.threads)
    where = machine(asked.threads) | {"clock": asked.clock}
    print(", ".join(f"{name} {value}" for name, value in where.items() if name != "versions"))
    print(", ".join(f"{name} {version}" for name, version in where["versions"].items()))
    rows = [*reading(asked.quick), *composing(asked.quick, asked.threads, asked.model)]
    rows += training(asked.quick, asked.threads)
    print("\n".join(lines_of(rows)))
    if asked.json:
        figures = [{**asdict(row), "ratio": row.ratio} for row in rows]
        asked.json.write_text(json.dumps({"machine": where, "rows": figures}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
