"""A model in one file: graphs and weights, its encoding, what it learnt from and what it can do. Read without torch.

The file is a zip archive, its members stored as they are: `model.json`, a graph `advance.onnx` that takes one step of
the backbone (or paints a block of steps), a graph `head.FIELD.onnx` for each composed field, `weights.safetensors` to
go on training from, and for an autoencoder a graph `encode.onnx` that says where music lies in its latent space. A
model that counts has one member `counts` instead. A member `originality` is the index of the music it learnt from.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from . import counts, originality, states
from .encodings import Encoding, get_encoding
from .encodings._blocks import LINE, line_column
from .errors import BadOption, ModelError, PartimentoError
from .originality import Index
from .sampling import Sampling
from .viewpoints import WINDOW

FORMAT, VERSION = "partimento-model", 1
SUFFIX = ".partimento"
LARGEST_MEMBER = 2**30  # bytes; nothing beyond is read into memory
LARGEST_HEADER = 2**24
ORIGINALITY = "originality"  # member: the index of the training music, see `originality.index`
EVERYTHING = ("weights.safetensors", ORIGINALITY)  # members that are not needed to compose
OPTIONAL = ("encode",)  # graphs that a model may have beside those that it composes with
DESCRIPTION = {"version": int, "encoding": dict, "state": dict}


class Model:
    """A model that composes: the torch-free twin of `models.base.Composer`."""

    def __init__(self, info: Mapping[str, Any], graphs: Mapping[str, bytes], threads: int = 1):
        self.info = info
        try:
            self.encoding: Encoding = get_encoding(**info["encoding"])
            self._state = states.check(info["state"])
            declared = [[entry.name, entry.size, entry.given] for entry in self.encoding.fields]
            self.sampling = Sampling(**info.get("sampling", {}))  # how it is drawn from where nothing is said
        except (KeyError, TypeError, ValueError, AttributeError, BadOption) as error:
            raise ModelError(f"the model's description lacks or misnames {error}") from error
        if declared != info.get("fields"):
            raise ModelError("the model was made for other fields than this version's encoding declares; train it anew")
        missing = [name for name in self._wanted() if name not in graphs]
        if missing:
            raise ModelError(f"there is no graph {', '.join(missing)} in it; fetch or train it again")
        self._sessions: dict[str, Any] = {}
        self._counts, self._packed_index = None, graphs.get(ORIGINALITY)
        if self._is_counted:
            self._counts = counts.read(self.encoding.fields, self._state, graphs[counts.MEMBER])
            return
        also = [name for name in OPTIONAL if name in graphs]
        self._sessions = {name: _session(graphs[name], threads) for name in (*self._wanted(), *also)}
        self._line = line_column(self.encoding.fields)
        self._heads = {name[5:]: session for name, session in self._sessions.items() if name.startswith("head.")}
        self._asks = {name: [entry.name for entry in session.get_inputs()] for name, session in self._heads.items()}
        self._inputs = [entry.name for entry in self._sessions["advance"].get_inputs()]

    @property
    def stride(self) -> int:
        """Steps that the model paints at once; 1 where it goes step by step."""
        return self._state.get("stride", 1)

    @cached_property
    def index(self) -> Index | None:
        """The index of the training music; None where the file has none. Raises `ModelError` where it is damaged."""
        return originality.unpacked(self._packed_index) if self._packed_index is not None else None

    @property
    def can_encode(self) -> bool:
        """Whether the model can say where in its latent space music lies."""
        return "encode" in self._sessions

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """The points (B, size) of blocks of rows (B, stride, columns) int64, composed fields -1 where no step is.

        Raises `ModelError` where the model has no latent space, or one that music cannot be looked up in.
        """
        if not self.can_encode:
            raise ModelError(
                f"a model of the family {self.info.get('family', 'unknown')!r} cannot say where music lies; one of the "
                "family autoencoder or vae can: partimento train FOLDER --family vae"
            )
        return self._sessions["encode"].run(None, {"rows": rows})[0]

    @property
    def _is_counted(self) -> bool:
        return self._state.get("kind") == counts.KIND

    def _wanted(self) -> list[str]:
        if self._is_counted:
            return [counts.MEMBER]
        return ["advance", *(f"head.{entry.name}" for entry in self.encoding.composed)]

    def begin(self, size: int, rngs: Sequence[np.random.Generator] = ()) -> states.State | counts.Rows:
        """The state of `size` pieces before their first step; a model that paints blocks draws them from `rngs`."""
        return states.fresh(self._state, size, rngs)

    def advance(
        self, last: np.ndarray, given: np.ndarray, time: np.ndarray, state: states.State | counts.Rows
    ) -> np.ndarray:
        """One step: rows `last` and `given` (B, columns) int64, `time` (B,) ticks -> hidden (B, width)."""
        if isinstance(state, counts.Rows):
            return state.step(last)
        if isinstance(state, states.Latent):
            if state.begins(given[:, self._line] == LINE if self._line is not None else np.zeros(len(given), bool)):
                known = {"given": given, **state.feed()}
                state.take(self._sessions["advance"].run(None, {name: known[name] for name in self._inputs}))
            return state.step()
        known = {"last": last, "given": given, "time": time, **state.feed()}
        hidden, *fresh = self._sessions["advance"].run(None, {name: known[name] for name in self._inputs})
        state.take(fresh)
        return hidden

    def logits(self, field: str, hidden: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Logits (B, classes) of a composed field; `chosen` (B, columns) int64 holds what is known of the step."""
        if self._counts is not None:
            return self._counts.logits(field, hidden.reshape(len(hidden), WINDOW, -1), chosen)
        feed = {"hidden": hidden, "chosen": chosen}
        return self._heads[field].run(None, {name: feed[name] for name in self._asks[field]})[0]


def _session(graph: bytes, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many kinds, none with a common parent of its own
        raise ModelError(f"a graph of the model cannot be run: {str(error).splitlines()[0]}") from error


def load(path: Path | str, threads: int = 1) -> Model:
    """The model in the file `path`; raises `ModelError` where it is damaged or too new."""
    path = Path(path)
    info, members = read(path, also=(ORIGINALITY,))
    try:
        return Model(info, {name.removesuffix(".onnx"): data for name, data in members.items()}, threads)
    except PartimentoError as error:
        raise ModelError(f"{path}: {error}") from error


def read_info(path: Path | str) -> dict[str, Any]:
    """The description of the model in `path`, without its graphs."""
    with _opened(Path(path)) as archive:
        return _info(Path(path), archive)


def read(path: Path, also: tuple[str, ...] = ()) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Description and graphs (or counts) of a model file, and the members named in `also`, as bytes."""
    with _opened(path) as archive:
        info = _info(path, archive)
        also = (*also, counts.MEMBER)
        wanted = [entry for entry in archive.infolist() if entry.filename.endswith(".onnx") or entry.filename in also]
        for entry in wanted:
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ModelError(f"{path}: {entry.filename} is compressed; members of a model file are stored plain")
            if entry.file_size > LARGEST_MEMBER:
                raise ModelError(
                    f"{path}: member {entry.filename} holds {entry.file_size} bytes; {LARGEST_MEMBER} at most"
                )
        try:
            members = {entry.filename: archive.read(entry) for entry in wanted}
        except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError) as error:
            raise ModelError(f"{path}: damaged ({error}); fetch or train it again") from error
    if "advance.onnx" not in members and counts.MEMBER not in members:
        raise ModelError(f"{path}: there is no graph in it; fetch or train it again")
    return info, members


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise ModelError(
            f"{path}: there is no such model file; a shipped style goes by --style, `partimento styles` lists them"
        ) from error
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise ModelError(f"{path}: not a model file ({error}); wanted one that `partimento train` wrote") from error


def _info(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        entry = archive.getinfo("model.json")
        if entry.file_size > LARGEST_HEADER or entry.compress_type != zipfile.ZIP_STORED:
            raise ModelError(f"{path}: its description is compressed, or larger than {LARGEST_HEADER} bytes")
        info = json.loads(archive.read(entry))
    except (KeyError, ValueError, RecursionError, OSError, zipfile.BadZipFile, RuntimeError, EOFError) as error:
        raise ModelError(f"{path}: not a model file ({error}); wanted one that `partimento train` wrote") from error
    found = info.get("format") if isinstance(info, dict) else type(info).__name__
    if found != FORMAT:
        raise ModelError(
            f"{path}: not a model file but of the format {found!r}; wanted {FORMAT!r}, as `partimento train` writes it"
        )
    for name, kind in DESCRIPTION.items():
        if not isinstance(info.get(name), kind):
            raise ModelError(f"{path}: its description has no {name} that is a {kind.__name__}")
    if info["version"] > VERSION:
        raise ModelError(f"{path}: version {info['version']}; this Partimento reads versions up to {VERSION}")
    return info


def write(path: Path, info: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    """Write a model file beside `path` and rename it; the same contents give the same bytes."""
    beside = path.with_name(path.name + ".partial")
    everything = {"model.json": json.dumps(info, indent=1, sort_keys=True).encode(), **members}
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
        for name, data in everything.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data)
    beside.replace(path)
