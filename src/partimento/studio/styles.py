"""The styles there are: those shipped and those of one's own, with what the page shows of each."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .. import api, cards
from .. import styles as shipped_styles
from ..errors import ModelError, UnknownName
from ..instruments import NAMES, instrument_name
from ..theory import MODES, key_name
from .library import Library
from .settings import Limits, Settings

SUFFIX = ".partimento"
METRES = ("4/4", "3/4", "2/4", "6/8", "2/2", "3/8", "9/8", "12/8", "5/4", "4/2", "3/2", "6/4")
RANGES = {"happiness": (1, 10, 0.1), "excitement": (1, 10, 0.1), "complexity": (0, 1, 0.01), "density": (0, 1, 0.01)}
KNOWN_AS = {"happiness": "valence", "excitement": "arousal", "complexity": "complexity", "density": "density"}
MOST_KINDS = 12  # instruments, keys and metres told of a style
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


class Styles:
    """Finds models by the ids that the server gave them; no name from a request becomes a path."""

    def __init__(self, settings: Settings, library: Library):
        self.folder, self.library, self.limits = settings.made("models"), library, settings.limits

    def own(self) -> dict[str, Path]:
        """Model -> its file, of those trained here that are not put away."""
        hidden = self.library.hidden()
        return {path.stem: path for path in sorted(self.folder.glob(f"*{SUFFIX}")) if path.stem not in hidden}

    def every_own(self) -> dict[str, Path]:
        return {path.stem: path for path in self.folder.glob(f"*{SUFFIX}")}

    def new_model(self, name: str) -> str:
        """A name for a model file that there is not yet."""
        base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "model"
        taken = {path.stem for path in self.folder.glob(f"*{SUFFIX}*")} | set(self.every_own())
        found, count = base, 1
        while found in taken:
            count += 1
            found = f"{base}-{count}"
        return found

    def path_of(self, model: str) -> Path:
        return self.folder / f"{model}{SUFFIX}"

    def find(self, style: str | None) -> dict[str, str]:
        """Where a style's model is, as jobs are told; raises `UnknownName`."""
        if not style:
            return {}
        model, slash, name = style.partition("/")
        if slash:
            path = self.own().get(model)
            if path is None or name not in _described(path)["styles"]:
                raise UnknownName(f"no style {style[:80]!r}; there are {', '.join(self.ids())}")
            return {"model": str(path), "style": name, "id": style}
        for part in style.split(","):
            if part.partition(":")[0].strip() not in shipped_styles.shipped():
                raise UnknownName(f"no style {part[:80]!r}; there are {', '.join(self.ids())}")
        return {"style": style, "id": style}

    def file_of(self, style: str) -> Path:
        """The model file of a style, to be trained on."""
        found = self.find(style)
        return Path(found["model"]) if "model" in found else shipped_styles.find(style.partition(":")[0])

    def can_edit(self, style: str) -> bool:
        """Whether a style is known, and one of its models can compose into music that stands."""
        if style not in self.ids():
            return False
        model = self.find(style).get("model")
        every = [Path(model)] if model else shipped_styles.models(style)
        return any(_described(path)["encoding"]["name"] == "notes" for path in every)

    def ids(self) -> list[str]:
        own = [f"{model}/{style}" for model, path in self.own().items() for style in _described(path)["styles"]]
        return [*shipped_styles.shipped(), *own]

    def card(self, style: str) -> str:
        path = self.file_of(style)
        return cards.card_text(path, _described(path))

    def table(self) -> dict[str, Any]:
        """All styles and the ranges of what can be asked, as `GET /api/styles` gives them."""
        found = [_told(style, path, "") for style, path in shipped_styles.shipped().items()]
        for model, path in self.own().items():
            try:
                found += [_told(style, path, model) for style in _described(path)["styles"]]
            except ModelError:
                continue  # a file that was damaged on the disk is not offered
        default = api.DEFAULT_STYLE if any(one["id"] == api.DEFAULT_STYLE for one in found) else ""
        return {"default": default, "styles": found, **_choices(self.limits)}


def _choices(limits: Limits) -> dict[str, Any]:
    programs = [{"program": n, "name": name} for n, name in enumerate(NAMES)]
    return {
        "ranges": {
            "bars": [1, limits.bars], "seconds": [1, limits.seconds], "tempo": [10, 400],
            "candidates": [1, limits.candidates], "guidance": [0, 10], "temperature": [0, 10], "seed": [0, 999_999],
        },
        "keys": [key_name(tonic, mode) for mode in MODES for tonic in range(12)], "metres": list(METRES),
        "instruments": [*programs, {"program": 128, "name": "drums"}],
    }  # fmt: skip


def _described(path: Path) -> dict[str, Any]:
    """What a model file says of itself; a file of one's own is written once and never changed."""
    return shipped_styles.described(path)


@cache
def _measured(source: Path) -> dict[str, Any]:
    return json.loads(source.read_text("utf-8")) if source.exists() else {}


@cache
def _heard() -> dict[str, Any]:
    return tomllib.loads(cards.HEARD.read_text("utf-8")) if cards.HEARD.exists() else {}


def _told(style: str, path: Path, model: str) -> dict[str, Any]:
    """One style as the page shows it; `model` is empty for a shipped one."""
    info = _described(path)
    every = [path] if model else list(shipped_styles.models(style))
    profiles = {one: _described(one)["styles"][style] for one in every}
    able = next((one for one in every if profiles[one].get("scales")), None)
    edits = [one for one in every if _described(one)["encoding"]["name"] == "notes"]
    profile = profiles[path]
    measures = _measured(cards.CONTROLS).get((able or path).name, {}).get(style, {}) if not model else {}
    scales = profiles[able].get("scales", {}) if able else {}
    return {
        "id": f"{model}/{style}" if model else style, "name": style, "own": bool(model),
        "line": _line(style, path, model), "model": path.stem, "family": info.get("family"),
        "encoding": info["encoding"]["name"], "pieces": profile.get("pieces"), "controls": _controls(scales, measures),
        "can": {
            "compose": True, "edit": bool(edits), "chords": bool(edits),
            "latent": (info.get("state") or {}).get("kind") == "latent",
        },
        "strengths": _strengths(style, path, measures), "nats": _nats(style, info),
        "instruments": [
            {"programs": list(kind), "names": [instrument_name(p) for p in kind], "share": round(share, 4)}
            for kind, share in profile["programs"][:MOST_KINDS]
        ],
        "keys": [{"key": key_name(*key), "share": round(share, 4)} for key, share in profile["keys"][:MOST_KINDS]],
        "metres": _metres(profile), "tempo": _tempo(profile),
        "warnings": list(((info.get("card") or {}).get("health") or {}).get("warnings", ())),
        "verdict": ((info.get("card") or {}).get("health") or {}).get("verdict", ""),
    }  # fmt: skip


def _line(style: str, path: Path, model: str) -> str:
    said = (_heard().get(path.name) or {}).get(style) or _heard().get(style)
    if said and not model:
        return said["heard"].replace("\n", " ").strip().partition(". ")[0].rstrip(".") + "."
    pieces = _described(path)["styles"][style].get("pieces")
    return f"Of your own: learnt from {pieces} piece{'s' * (pieces != 1)}." if pieces else "Of your own."


def _controls(scales: Mapping[str, Any], measures: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, (low, high, step) in RANGES.items():
        one = measures.get("controls", {}).get(name)
        accuracy = {"spearman": one["spearman"], "error": one["error"], "goal": one["goal"]} if one else None
        found[name] = {"low": low, "high": high, "step": step, "learnt": KNOWN_AS[name] in scales, "accuracy": accuracy}
    return found


def _strengths(style: str, path: Path, measures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Shares (0-1) of what was asked and obtained, and of measures that lie where those of real pieces do."""
    found = [{"name": name, "share": round(one[0], 4)} for name, one in measures.get("accuracy", {}).items()]
    heard = _measured(cards.LISTENING).get(path.name, {}).get(style)
    if heard and heard["measures"]:
        found.append({"name": "measures like real pieces", "share": round(heard["inside"] / heard["measures"], 4)})
    return found


def _nats(style: str, info: Mapping[str, Any]) -> dict[str, Any] | None:
    nats = (info.get("card") or {}).get("nats") or {}
    found = {side: nats[f"{style}, {side}, told"] for side in ("valid", "test") if f"{style}, {side}, told" in nats}
    return {"unit": nats.get("unit"), **found} if found else None


def _metres(profile: Mapping[str, Any]) -> list[dict[str, Any]]:
    shares: dict[str, float] = {}
    for (numerator, denominator, *_), share in profile["metres"]:
        name = f"{numerator}/{denominator}"
        shares[name] = shares.get(name, 0.0) + share
    ranked = sorted(shares.items(), key=lambda pair: -pair[1])[:MOST_KINDS]
    return [{"metre": name, "share": round(share, 4)} for name, share in ranked]


def _tempo(profile: Mapping[str, Any]) -> dict[str, float]:
    tempos = sorted((float(kind[3]), share) for kind, share in profile["metres"])
    half, usual = sum(share for _, share in tempos) / 2, tempos[0][0]
    for tempo, share in tempos:
        usual, half = tempo, half - share
        if half <= 0:
            break
    return {"low": tempos[0][0], "high": tempos[-1][0], "usual": usual}
