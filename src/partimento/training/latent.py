"""The map of a latent space: where music lies in it, in two directions, and how that came about in training.

A model that reads blocks of music as points is shown pieces; the map is drawn in the two directions in which their
blocks differ most (principal components, Pearson 1901), or as it is where the space has no more than two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from ..corpus import Cache, Catalogue
from ..encodings import Encoding, Unencodable
from ..errors import BadOption, MissingExtra, ModelError, MusicError
from ..formats import load
from ..formats._canvas import GLYPH_HEIGHT, Canvas
from ..model_file import Model
from ..morphing import blocks_of
from ..profile import scales_of, with_classes

WIDTH, HEIGHT, MARGIN, NAMES = 720, 520, 36, 180  # pixels; the names of groups stand to the right
COLOURS = ("#2f6fb0", "#b5483a", "#3f8f5f", "#8a5fb0", "#b8862b", "#4a9aa8", "#a04f7d", "#6f7480")
PAPER, INK = "#ffffff", "#333840"
PIECE, BLOCK = 7, 3  # pixels across
MOST_NAMED = 20  # groups in the legend
FRAME = 400  # milliseconds of a frame, the last of which stays three times as long
SUFFIXES = (".svg", ".png", ".gif")
Encode = Callable[[np.ndarray], np.ndarray]  # blocks (N, stride, columns) -> points (N, size)


@dataclass(frozen=True)
class Shown:
    """A piece to be shown on a map: its blocks (N, stride, columns) and the group whose colour it has."""

    name: str
    group: str
    blocks: np.ndarray


@dataclass(frozen=True)
class Directions:
    """Two directions (size, 2) in a latent space, seen from its `middle` (size,)."""

    middle: np.ndarray
    axes: np.ndarray

    def of(self, points: np.ndarray) -> np.ndarray:
        """Points (N, size) as places on the map, (N, 2)."""
        return (points - self.middle) @ self.axes


@dataclass(frozen=True)
class LatentMap:
    """Where pieces lie, (pieces, 2): each in the middle of its blocks (N, 2), which `owner` (N,) assigns to them.

    `share` (0-1) is how much of the variance of the blocks is seen in these two directions.
    """

    points: np.ndarray
    blocks: np.ndarray
    owner: np.ndarray
    names: tuple[str, ...]
    groups: tuple[str, ...]
    share: float
    title: str = ""


def latent_map(
    encode: Encode, pieces: Sequence[Shown], directions: Directions | None = None, title: str = ""
) -> LatentMap:
    """The map of `pieces`; in given directions, or in those in which their blocks differ most."""
    if not pieces:
        raise MusicError("there is no piece to show on a map")
    points = [np.asarray(encode(piece.blocks), dtype=np.float64) for piece in pieces]
    everything = np.concatenate(points)
    directions = directions or directions_of(everything)
    places = [directions.of(own) for own in points]
    seen, whole = np.concatenate(places).var(axis=0).sum(), everything.var(axis=0).sum()
    return LatentMap(
        np.array([own.mean(axis=0) for own in places]), np.concatenate(places),
        np.repeat(np.arange(len(pieces)), [len(own) for own in points]), tuple(piece.name for piece in pieces),
        tuple(piece.group for piece in pieces), float(seen / whole) if whole else 1.0, title,
    )  # fmt: skip


def directions_of(points: np.ndarray) -> Directions:
    """The two directions in which points (N, size) differ most; those of the space where it has no more."""
    size = points.shape[1]
    if size <= 2:
        return Directions(np.zeros(size), np.eye(size, 2))
    middle = points.mean(axis=0)
    _, _, axes = np.linalg.svd(points - middle, full_matrices=False)
    axes = np.pad(axes[:2], ((0, max(0, 2 - len(axes))), (0, 0)))
    signs = np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])  # else a map might be mirrored from run to run
    return Directions(middle, (axes * np.where(signs == 0, 1, signs)[:, None]).T)


def of_cache(music: Cache, encoding: Encoding, stride: int, split: str = "") -> list[Shown]:
    """The pieces of a cache, or those of one split of it, by style."""
    scales, found = scales_of(music, encoding), []
    for piece in music.of(split) if split else music.pieces:
        rows = np.array(music.steps[piece.start : piece.start + piece.length])
        rows = with_classes(rows, encoding, scales.get(piece.style, {}))
        found.append(Shown(piece.name, piece.style, blocks_of(encoding, rows, stride)))
    return found


def of_files(catalogue: Catalogue, encoding: Encoding, stride: int) -> tuple[list[Shown], list[str]]:
    """The files of a catalogue, by style, and a sentence for each that the encoding cannot hold."""
    found, skipped = [], [f"{entry.name}: {entry.message or entry.reason}" for entry in catalogue.skipped]
    for entry in catalogue.kept:
        known = {"style": entry.style} if entry.style in encoding.styles else {}
        try:
            rows = with_classes(encoding.encode(load(entry.path), known), encoding, {})
        except Unencodable as error:
            skipped.append(f"{entry.name}: {error}")
            continue
        found.append(Shown(entry.name, entry.style, blocks_of(encoding, rows, stride)))
    return found, skipped


def frames(model: Path, run: Path, pieces: Sequence[Shown]) -> list[LatentMap]:
    """A map for each checkpoint that is kept in the folder of a run, all in the directions of the last. Needs torch.

    Raises `BadOption` where there is none.
    """
    try:
        import torch

        from . import kept
        from .weights import load_composer
    except ModuleNotFoundError as error:
        raise MissingExtra(f"a map in motion needs {error.name}: pip install torch, then '.[train]'") from error
    steps = sorted(int(path.stem.removeprefix("step-")) for path in (run / kept.FOLDER).glob("step-*.safetensors"))
    if not steps:
        raise BadOption(f"{run}: keeps no checkpoints to set in motion; train with --set keep=100, or name its folder")
    composer = load_composer(model).eval()

    def encode(blocks: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return composer.encode(torch.from_numpy(blocks)).numpy()  # type: ignore[operator]

    found: list[LatentMap] = []
    directions = None
    for step in reversed(steps):
        composer.load_state_dict(kept.weights(run, step))
        if directions is None:
            directions = directions_of(np.concatenate([encode(piece.blocks) for piece in pieces]))
        found.append(latent_map(encode, pieces, directions, f"step {step:,}"))
    return found[::-1]


def check_target(path: Path) -> None:
    """Raise `BadOption` where a map cannot be written to `path`."""
    if path.suffix.lower() not in SUFFIXES:
        raise BadOption(f"{path}: a map is written as {', '.join(SUFFIXES)}")


def encoder_of(model: Model) -> Encode:
    """How a model file reads blocks; raises `ModelError` where it cannot."""
    if not model.can_encode:
        raise ModelError(
            f"a map needs a model that reads music into a latent space, of the family autoencoder or vae; this one is "
            f"of the family {model.info.get('family', 'unknown')!r}"
        )
    return model.encode


def write(maps: Sequence[LatentMap], path: Path) -> None:
    """Write the last of `maps` as SVG or PNG, or all of them as an animated GIF."""
    check_target(path)
    if path.suffix.lower() == ".svg":
        path.write_text(svg(maps[-1]), encoding="utf-8")
    elif path.suffix.lower() == ".png":
        path.write_bytes(_canvas(maps[-1], maps).png())
    else:
        _write_gif(maps, path)


def _write_gif(maps: Sequence[LatentMap], path: Path) -> None:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtra("a map in motion needs Pillow: pip install pillow") from error
    images = [Image.fromarray(_canvas(one, maps).pixels) for one in maps]
    lengths = [FRAME] * (len(images) - 1) + [3 * FRAME]
    images[0].save(path, save_all=True, append_images=images[1:], duration=lengths, loop=0)


def _places(own: LatentMap, maps: Sequence[LatentMap]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the pieces and the blocks of `own`, on a frame that holds all of `maps`."""
    everything = np.concatenate([np.concatenate([one.blocks, one.points]) for one in maps])
    low, high = everything.min(axis=0), everything.max(axis=0)
    room = np.array([WIDTH - NAMES - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    scale = (room / np.maximum(high - low, 1e-9)).min()  # the same both ways: distances are true
    middle = (low + high) / 2

    def pixels(points: np.ndarray) -> np.ndarray:
        return MARGIN + room / 2 + (points - middle) * scale * (1, -1)

    return pixels(own.points), pixels(own.blocks)


def _legend(own: LatentMap) -> dict[str, str]:
    """The colour of each group."""
    return {group: COLOURS[n % len(COLOURS)] for n, group in enumerate(sorted(set(own.groups)))}


def svg(own: LatentMap) -> str:
    """The map as an SVG file; the name of a piece shows where the pointer rests on it."""
    points, blocks = _places(own, [own])
    colours = _legend(own)
    dots = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{BLOCK / 2}" fill="{colours[own.groups[piece]]}" opacity="0.25"/>'
        for (x, y), piece in zip(blocks, own.owner, strict=True)
    ]
    dots += [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{PIECE / 2}" fill="{colours[group]}" stroke="{PAPER}">'
        f"<title>{escape(name)}</title></circle>"
        for (x, y), name, group in zip(points, own.names, own.groups, strict=True)
    ]
    words = [
        f'<text x="{WIDTH - NAMES}" y="{MARGIN + 16 * n}" fill="{colour}">{escape(group)}</text>'
        for n, (group, colour) in enumerate(list(colours.items())[:MOST_NAMED])
    ]
    words.append(f'<text x="{MARGIN}" y="{HEIGHT - 10}" fill="{INK}">{escape(_caption(own))}</text>')
    frame = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12">{frame}{"".join(dots)}{"".join(words)}</svg>\n'
    )


def _caption(own: LatentMap) -> str:
    count = len(own.names)
    pieces = f"{count} piece{'s' * (count != 1)}"
    said = f"{pieces}, {len(own.blocks)} blocks; {own.share:.0%} of what sets blocks apart is seen"
    return f"{own.title}: {said}" if own.title else said


def _canvas(own: LatentMap, maps: Sequence[LatentMap]) -> Canvas:
    """The map as pixels, on a frame that holds all of `maps`."""
    canvas, colours = Canvas(WIDTH, HEIGHT, PAPER), _legend(own)
    points, blocks = _places(own, maps)
    for places, width, opacity, groups in _layers(own, points, blocks):
        for (x, y), group in zip(np.rint(places - width / 2).astype(int).tolist(), groups, strict=True):
            canvas.rectangle(x, y, width, width, colours[group], opacity, corner=width // 3)
    for n, (group, colour) in enumerate(list(colours.items())[:MOST_NAMED]):
        canvas.text(WIDTH - NAMES, MARGIN + 16 * n, group[: NAMES // 7], colour, 1)
    canvas.text(MARGIN, HEIGHT - 2 * GLYPH_HEIGHT, _caption(own), INK, 1)
    return canvas


def _layers(own: LatentMap, points: np.ndarray, blocks: np.ndarray) -> Iterator[tuple]:
    yield blocks, BLOCK, 0.4, [own.groups[piece] for piece in own.owner]
    yield points, PIECE, 1.0, own.groups
