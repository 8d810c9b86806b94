"""The map of a latent space: pieces stand where their blocks lie, and pictures hold all of them."""

from __future__ import annotations

import numpy as np
import pytest

from partimento.errors import BadOption, MusicError
from partimento.training.latent import Shown, check_target, directions_of, latent_map, svg, write


def cloud(*spreads: float, count: int = 400) -> np.ndarray:
    """Points with such standard deviations in each direction of their space."""
    return np.random.default_rng(1).normal(size=(count, len(spreads))) * spreads + 7


def reads(blocks: np.ndarray) -> np.ndarray:
    """A model whose points are the first row of a block."""
    return blocks[:, 0].astype(float)


def piece(name: str, *points: tuple, group: str = "a") -> Shown:
    return Shown(name, group, np.array(points)[:, None])


def test_the_map_shows_the_directions_in_which_blocks_differ_most():
    found = directions_of(cloud(0.1, 5.0, 0.1, 2.0))
    assert np.abs(found.axes[:, 0]).argmax() == 1 and np.abs(found.axes[:, 1]).argmax() == 3
    assert found.axes[1, 0] > 0.99 and found.axes[3, 1] > 0.99  # and never mirrored
    assert np.allclose(found.of(cloud(0.1, 5.0, 0.1, 2.0)).mean(axis=0), 0)


@pytest.mark.parametrize("size", [1, 2])
def test_a_space_of_two_directions_is_shown_as_it_is(size):
    points = cloud(*[1.0] * size)
    found = directions_of(points).of(points)
    assert found.shape == (400, 2) and np.allclose(found[:, :size], points)


def test_a_piece_stands_in_the_middle_of_its_blocks():
    found = latent_map(reads, [piece("one", (0, 0), (2, 4)), piece("two", (6, 6), group="b")])
    assert found.points.tolist() == [[1, 2], [6, 6]] and found.owner.tolist() == [0, 0, 1]
    assert found.share == 1.0 and found.names == ("one", "two") and found.groups == ("a", "b")
    deep = latent_map(reads, [Shown("deep", "a", cloud(3.0, 2.0, 1.0)[:, None])])
    assert deep.share == pytest.approx(13 / 14, abs=0.03)
    with pytest.raises(MusicError, match="no piece to show"):
        latent_map(reads, [])


def test_pictures_hold_every_piece(tmp_path):
    pieces = [piece("one & two", (0, 0), (2, 4)), piece("three", (6, 6), group="b"), piece("four", (9, -3))]
    maps = [latent_map(reads, pieces[:n], title=f"step {n}") for n in (1, 2, 3)]
    drawn = svg(maps[2])
    assert drawn.count("<circle") == 3 + 4 and "<title>one &amp; two</title>" in drawn
    assert "step 3: 3 pieces, 4 blocks; 100% of what sets blocks apart is seen" in drawn
    for name in ("map.svg", "map.png"):
        write(maps, tmp_path / name)
    assert (tmp_path / "map.svg").read_text("utf-8") == drawn
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    image = pytest.importorskip("PIL.Image")
    write(maps, tmp_path / "map.gif")
    with image.open(tmp_path / "map.gif") as moving:
        assert moving.n_frames == 3
    with pytest.raises(BadOption, match=r"map\.pdf: a map is written as \.svg, \.png, \.gif"):
        check_target(tmp_path / "map.pdf")
