"""What models with a latent space do: the way from one piece to another, and the map of where music lies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import morphing, styles
from ..corpus import scan
from ..errors import BadOption, UnknownName
from ..morphing import Morph
from ..sampling import Sampling
from ..score import Score
from ._models import loaded_model

if TYPE_CHECKING:
    from ..training.latent import LatentMap


def morph(
    first: Score, last: Score, steps: int = 5, *, bars: int = 4, path: str = "arc", style: str | None = None,
    model: Path | str | None = None, sampling: Sampling | None = None, seed: int = 0,
) -> Morph:  # fmt: skip
    """The way from one piece to another in `steps` stages (2-64), the two as `model` gives them back among them.

    Of both pieces the first `bars` whole bars are taken. `path` "arc" or "line": how the latent space is crossed; see
    `morphing.morph`. Without `sampling` each stage is the likeliest, and `seed` is no matter. `joined` makes one piece
    of the stages. `model` is of the family autoencoder or vae; without it a shipped one, if there is one.
    """
    loaded = loaded_model(Path(model) if model else _with_space())
    known = list(loaded.info.get("styles") or ())
    if style is not None and style not in known:
        raise UnknownName(f"no style {style!r} in {model}; there are {', '.join(known)}")
    options = sampling or morphing.LIKELIEST
    return morphing.morph(
        loaded, first, last, stages=steps, bars=bars, path=path, style=style or "", options=options, seed=seed
    )


def _with_space() -> Path:
    """A shipped model that has a latent space; raises `BadOption` where there is none."""
    for path in sorted(set(styles.shipped().values())):
        if styles.described(path)["state"]["kind"] == "latent":
            return path
    raise BadOption(
        "a morph needs a model of the family autoencoder or vae, and none is shipped; train one, "
        "`partimento train FOLDER --family vae --encoding voices -o mine.partimento`, and name it: --model"
    )


def draw_map(
    model: Path | str, folders: Sequence[Path], output: Path, run: Path | None = None, progress=None
) -> tuple[LatentMap, list[str]]:
    """Draw where the music in `folders` lies in a model's latent space: SVG, PNG, or a GIF of how it came about.

    A GIF shows the checkpoints in `run`, by default the folder of the model's run beside it, and needs torch. Returns
    the map and a sentence for each file that is not on it. Raises `ModelError` where the model cannot read music.
    """
    from ..training import latent

    latent.check_target(output)
    loaded = loaded_model(Path(model))
    encode = latent.encoder_of(loaded)
    catalogue = scan(tuple(folders), workers=0, progress=progress)
    pieces, skipped = latent.of_files(catalogue, loaded.encoding, loaded.stride)
    found = [latent.latent_map(encode, pieces)]
    if output.suffix.lower() == ".gif":
        found = latent.frames(Path(model), run or Path(f"{model}.run"), pieces)
    latent.write(found, output)
    return found[-1], skipped
