"""Export: the graphs compose as the torch model does, the weights come back, and no model file harms its reader."""

from __future__ import annotations

import json
import random
import struct
import zipfile

import numpy as np
import pytest
import torch

from partimento import api, model_file
from partimento.encodings import Plan, get_encoding
from partimento.errors import ModelError
from partimento.models import get_family
from partimento.models.transformer import CACHE_BLOCK
from partimento.profile import scales_of
from partimento.rules import FORBIDDEN, Rule
from partimento.sampling import Sampling, sample
from partimento.training import export
from partimento.training.batches import Window, window_of

pytest_plugins = ["tiny"]
SIZE = {"width": 32, "layers": 2, "head_width": 16, "dropout": 0.0}
TRANSFORMER = {"heads": 2, "context": 2 * CACHE_BLOCK}
MUTATIONS = 60


pytestmark = pytest.mark.usefixtures("one_thread")


def built(family: str, encoding: str = "notes", **options):
    """A model of random weights, such as half precision holds exactly: tables are exported in it."""
    torch.manual_seed(1)
    model = get_family(family)(get_encoding(encoding).fields, **{**SIZE, **options}).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
    return model


def described(model, encoding: str) -> dict:
    return {
        "encoding": get_encoding(encoding).spec(), "state": model.state_spec(),
        "fields": [[entry.name, entry.size, entry.given] for entry in model.fields],
    }  # fmt: skip


def exported(model, encoding: str = "notes", int8: bool = False) -> model_file.Model:
    graphs = export.graphs(model, int8=int8)
    return model_file.Model(described(model, encoding), {name[:-5]: graph for name, graph in graphs.items()})


def random_rows(encoding, pieces: int, steps: int) -> np.ndarray:
    """Rows (pieces, steps + 1, columns) that nobody wrote; row 0 stands before the music."""
    rng = np.random.default_rng(5)
    rows = np.stack([rng.integers(0, field.size, (pieces, steps + 1)) for field in encoding.fields], axis=-1)
    for field in encoding.composed:
        rows[:, 0, encoding.columns[field.name]] = -1
    return rows


def side_by_side(model, twin, rows: np.ndarray, skip: int = 0):
    """Hidden and logits of both, (torch's, the graph's), at each step after `skip`."""
    pieces, steps = rows.shape[0], rows.shape[1] - 1
    times = np.cumsum(np.random.default_rng(2).integers(0, 24, (pieces, steps)), axis=1).astype(np.float32)
    state, kept = model.begin(pieces), twin.begin(pieces)
    for at in range(steps):
        last, coming = rows[:, at], rows[:, at + 1]
        with torch.inference_mode():
            hidden, state = model.advance(*map(torch.from_numpy, (last, coming, times[:, at])), state)
            found = twin.advance(last, coming, times[:, at], kept)
            if at < skip:
                continue
            yield hidden.numpy(), found
            for field in twin.encoding.composed:
                yield (
                    model.logits(field.name, hidden, torch.from_numpy(coming)).numpy(),
                    twin.logits(field.name, found, coming),
                )


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("recurrent", {}),
        ("relative", {}),
        ("relative", {"recall": 9}),
    ],
)
def test_scores_by_intervals_are_in_the_graphs_too(family, options):
    model = built(family, "voices", intervals=3, **options)
    twin = exported(model, "voices")
    pairs = list(side_by_side(model, twin, random_rows(twin.encoding, 3, 12)))
    assert pairs and all(np.allclose(wanted, found, atol=1e-4) for wanted, found in pairs)


@pytest.mark.parametrize(
    ("family", "options", "steps", "skip"),
    [
        ("transformer", TRANSFORMER, 12, 0),
        ("transformer", TRANSFORMER, CACHE_BLOCK + 6, CACHE_BLOCK - 4),
        ("transformer", {"heads": 4, "context": 8}, 30, 0),
        ("recurrent", {"cell": "gru"}, 12, 0),
        ("recurrent", {"cell": "lstm"}, 12, 0),
    ],
    ids=["transformer", "beyond a block of the cache", "beyond the context", "gru", "lstm"],
)
def test_the_graphs_compute_what_the_torch_model_does(family, options, steps, skip):
    model = built(family, **options)
    rows = random_rows(get_encoding("notes"), 3, steps)
    compared = 0
    for wanted, found in side_by_side(model, exported(model), rows, skip):
        assert wanted.shape == found.shape and len(found) == 3
        assert np.abs(wanted - found).max() < 1e-4
        assert wanted.std() > 0.01  # not a comparison of nothing with nothing
        compared += 1
    assert compared == (steps - skip) * 7


class Counted:
    """A model that counts how often it begins, and notes what it is told."""

    def __init__(self, twin):
        self.twin, self.encoding, self.told = twin, twin.encoding, []

    def begin(self, size, rngs=()):
        self.told.append([])
        return self.twin.begin(size)

    def advance(self, last, given, time, state):
        self.told[-1].append((last.copy(), time.copy()))
        return self.twin.advance(last, given, time, state)

    def logits(self, field, hidden, chosen):
        return self.twin.logits(field, hidden, chosen)


class Brisk(Rule):
    """No wait is longer than a quarter note, and the last bar is filled."""

    fields = ("wait",)

    def __call__(self, name, logits, stream, chosen) -> None:
        logits[25:] = FORBIDDEN


def composed(model, plans, seeds=(0, 1, 2)) -> list[list[list[int]]]:
    """The rows of a piece for each plan."""
    cursors = [model.encoding.cursor(plan) for plan in plans]
    rngs = [np.random.default_rng(seed) for seed, _ in zip(seeds, plans, strict=False)]
    rows: list[list[list[int]]] = [[] for _ in plans]
    for n, row in sample(model, cursors, Sampling(), rngs, [Brisk()]):
        rows[n].append(row.tolist())
    return rows


def test_a_piece_far_longer_than_the_context_is_composed_to_its_end_from_its_latest_music():
    context, plan = 32, Plan(bars=24, programs=(0, 40, 73))
    twin = exported(built("transformer", heads=2, context=context))
    model = Counted(twin)
    (rows,) = composed(model, [plan])
    columns = twin.encoding.columns
    assert len(rows) > 120 and rows[-1][columns["wait"]] == 385
    assert len(model.told) > 5 and all(len(told) <= context for told in model.told)
    assert composed(twin, [plan]) == [rows]
    for told in model.told[1:]:  # three instruments, a row before the music, the latest half of a context
        heard = np.array([last[0] for last, _ in told])
        music = heard[4:, columns["pitch"]].tolist()
        assert heard[:3, columns["role"]].tolist() == [4, 4, 4] and heard[3, columns["pitch"]] == -1
        assert heard[4, columns["wait"]] == heard[4, columns["place"]] - 1
        where = [n for n in range(len(rows)) if [row[columns["pitch"]] for row in rows[n : n + len(music)]] == music]
        assert len(music) >= context // 2 and where
        times = np.array([time[0] for _, time in told])
        assert (times[:4] == times[4] - heard[4, columns["wait"]]).all() and (np.diff(times[4:]) >= 0).all()


def test_a_piece_that_begins_anew_does_not_hear_of_those_beside_it_that_are_over():
    twin = exported(built("transformer", heads=2, context=32))
    plans = [Plan(bars=bars, programs=(0, 40)) for bars in (16, 7, 3)]
    model, alone = Counted(twin), Counted(twin)
    beside = composed(model, plans)
    assert len(beside[0]) - 32 > len(beside[1]) > len(beside[2]) + 16
    assert composed(alone, plans[:1]) == beside[:1]
    told = [[[(rows[0].tolist(), time[0]) for rows, time in steps] for steps in one.told] for one in (model, alone)]
    assert len(told[0]) > 5 and told[0] == told[1]


def test_voices_are_exported_too():
    model = built("transformer", "voices", **TRANSFORMER)
    rows = random_rows(get_encoding("voices"), 2, 6)
    assert all(np.abs(a - b).max() < 1e-4 for a, b in side_by_side(model, exported(model, "voices"), rows))


def test_a_piece_is_composed_alike_alone_and_beside_others():
    """In float graphs; in int8 all pieces of a batch share the scale of their activations."""
    twin, encoding = exported(built("transformer", **TRANSFORMER)), get_encoding("notes")
    rows = random_rows(encoding, 4, 5)
    both = []
    for pieces in (rows, rows[:1]):
        state = twin.begin(len(pieces))
        for at in range(5):
            hidden = twin.advance(pieces[:, at], pieces[:, at + 1], np.zeros(len(pieces), np.float32), state)
        both.append(hidden[0])
    assert np.abs(both[0] - both[1]).max() < 1e-5


def test_int8_stays_near_the_weights_that_were_trained(tiny):
    model, twin = export.load_composer(tiny.model).eval(), model_file.load(tiny.model)
    piece = tiny.music.of("train")[0]
    window, scales = Window(piece.start, piece.length - 2, 0, piece.style), scales_of(tiny.music, twin.encoding)
    rows = window_of(tiny.music, twin.encoding, window, scales)[0].astype(np.int64)[None]
    pairs = list(side_by_side(model, twin, rows))
    for place in range(7):  # hidden, then six fields
        wanted, found = (np.concatenate([pair[n][0] for pair in pairs[place::7]]) for n in range(2))
        assert np.corrcoef(wanted, found)[0, 1] > 0.98


def test_the_weights_come_back_from_the_file(tiny):
    torch.manual_seed(3)
    model = built("transformer", **TRANSFORMER)
    info = described(model, "notes") | {"family": "transformer", "options": {**SIZE, **TRANSFORMER}}
    path = tiny.root / "weights.partimento"
    members = {"advance.onnx": b"", export.WEIGHTS: export.packed(model)}
    model_file.write(path, {"format": model_file.FORMAT, "version": model_file.VERSION, **info}, members)
    back = export.load_composer(path).state_dict()
    for name, value in model.state_dict().items():
        allowed = value.abs().amax() / 127 if value.ndim == 2 else value.abs().amax() / 1000
        assert (back[name] - value).abs().max() <= allowed, name
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo(export.WEIGHTS).file_size < 1.4 * sum(p.numel() for p in model.parameters())


def test_weights_of_another_model_are_refused_by_name(tiny, tmp_path):
    info, members = model_file.read(tiny.model, also=(export.WEIGHTS,))
    for number, harm in enumerate(
        [
            (info | {"options": {**info["options"], "width": 32}}, members),
            (info | {"options": {**info["options"], "wdth": 32}}, members),
            (info, {name: data for name, data in members.items() if name != export.WEIGHTS}),
            (info, members | {export.WEIGHTS: members[export.WEIGHTS][:-9]}),
        ]
    ):
        path = tmp_path / f"{number}.partimento"
        model_file.write(path, *harm)
        with pytest.raises(ModelError, match=f"{path}: its weights do not fit"):
            export.load_composer(path)


# --- the file


def test_the_same_contents_give_the_same_bytes(tiny, tmp_path):
    info, members = model_file.read(tiny.model, also=(export.WEIGHTS,))
    for name in ("a", "b"):
        model_file.write(tmp_path / name, info, members)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]  # nothing is left beside them
    assert model_file.read(tmp_path / "a", also=(export.WEIGHTS,)) == (info, members)


def reads_or_says_why(path) -> bool:
    """Whether a model file loads; what does not must raise a `ModelError` that names the file."""
    try:
        model_file.load(path)
    except ModelError as error:
        assert str(path) in str(error)
        return False
    return True


def harmed(data: bytes, chance: random.Random) -> bytes:
    """The bytes of a model file cut short, with bits turned over, or with a stretch written over."""
    kind, at = chance.randrange(4), chance.randrange(len(data))
    if kind == 0:
        return data[:at]
    if kind == 1:  # the directory and the end of the archive are its last kilobyte
        at = len(data) - 1 - chance.randrange(1000)
    if kind == 2:
        return data[:at] + chance.randbytes(8) + data[at + 8 :]
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def test_a_harmed_file_is_refused_by_name_and_never_crashes(tiny, tmp_path):
    data, chance, refused = tiny.model.read_bytes(), random.Random(11), 0
    for number in range(MUTATIONS):
        path = tmp_path / f"{number}.partimento"
        path.write_bytes(harmed(data, chance))
        refused += not reads_or_says_why(path)
        path.unlink()
    assert refused > MUTATIONS // 2


def rewritten(path, info, members=None):
    """A model file with another description, or other members."""
    archive = zipfile.ZipFile(path, "w")
    with archive:
        if info is not None:
            archive.writestr("model.json", info if isinstance(info, str | bytes) else json.dumps(info))
        for name, data in (members or {}).items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "version 2"),
        ({"version": "new"}, "version"),
        ({"version": None}, "version"),
        ({"format": "other"}, "other"),
        ({"encoding": None}, "description"),
        ({"encoding": {}}, "description"),
        ({"encoding": {"name": "words"}}, "no encoding 'words'"),
        ({"encoding": {"name": "notes", "flavour": 1}}, "flavour"),
        ({"encoding": {"name": "notes", "styles": 5}}, "description"),
        ({"encoding": {"name": "voices", "styles": ["tunes"]}}, "other fields"),
        ({"fields": []}, "other fields"),
        ({"fields": None}, "other fields"),
    ],
    ids=str,
)
def test_a_description_that_is_wrong_is_refused_by_name(tiny, tmp_path, change, said):
    info, members = model_file.read(tiny.model)
    path = rewritten(tmp_path / "m.partimento", info | change, members)
    with pytest.raises(ModelError, match=f"{path}: .*{said}"):
        model_file.load(path)


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"kind": "cache"},
        {"kind": "memory", "tensors": "two"},
        {"kind": "memory", "tensors": [["float32", 0.0, 2**40]]},
        {"kind": "latent", "stride": 0, "size": 2, "drift": 0, "mean": [0, 0], "spread": [1, 1]},
    ],
    ids=str,
)
def test_a_state_that_is_wrong_is_refused_by_name(tiny, tmp_path, state):
    info, members = model_file.read(tiny.model)
    path = rewritten(tmp_path / "m.partimento", info | {"state": state}, members)
    with pytest.raises(ModelError, match=str(path)):
        api.compose("tunes", model=path, bars=1)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 100_000, b"\xff\xfe\x00", '{"format": 1}'])
def test_a_description_that_is_no_description_is_refused_by_name(tiny, tmp_path, text):
    path = rewritten(tmp_path / "m.partimento", text, model_file.read(tiny.model)[1])
    with pytest.raises(ModelError, match=f"{path}: not a model file"):
        model_file.load(path)
    with pytest.raises(ModelError, match=f"{path}: not a model file"):
        model_file.read_info(path)


def test_files_that_are_no_model_are_refused_by_name(tiny, tmp_path):
    (tmp_path / "text.partimento").write_text("not a zip")
    (tmp_path / "empty.partimento").write_bytes(b"")
    rewritten(tmp_path / "no description.partimento", None, model_file.read(tiny.model)[1])
    for path in [*sorted(tmp_path.iterdir()), tmp_path, tmp_path / "nowhere.partimento"]:
        with pytest.raises(ModelError, match=str(path)):
            model_file.load(path)


@pytest.mark.parametrize("graph", ["advance", "head.wait", "head.pitch", "head.velocity"])
@pytest.mark.parametrize("instead", [None, b"", b"not a graph"])
def test_a_graph_that_is_missing_or_none_is_noticed_on_loading(tiny, tmp_path, graph, instead):
    info, members = model_file.read(tiny.model)
    members = {name: data for name, data in members.items() if name != f"{graph}.onnx"}
    path = rewritten(tmp_path / "m.partimento", info, members | ({} if instead is None else {f"{graph}.onnx": instead}))
    with pytest.raises(ModelError, match=str(path)):
        model_file.load(path)


def with_entry_changed(data: bytes, at: int, value: bytes) -> bytes:
    """A model file whose archive says something else of `advance.onnx`: bytes from `at` of its directory entry."""
    entry = data.rindex(b"advance.onnx") - 46
    assert data[entry : entry + 4] == b"PK\x01\x02"
    return data[: entry + at] + value + data[entry + at + len(value) :]


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (6, b"\x63\x00"),  # needs a version of zip that there is not
        (8, b"\x01\x00"),  # encrypted
        (8, b"\x00\x08\x00\x00" + bytes(34) + b"\xff"),  # a name that says it is UTF-8 and is not
        (10, b"\x08\x00"),  # deflated, which it is not
        (10, b"\x0c\x00"),  # bzip2
        (10, b"\x0e\x00"),  # lzma
        (10, b"\x63\x00"),  # a method that nobody knows
        (16, b"\x00\x00\x00\x00"),  # another checksum
        (20, b"\x05\x00\x00\x00"),  # shorter than it is
        (42, b"\xff\xff\xff\x7f"),  # beyond the end of the file
    ],
)
def test_a_directory_that_lies_is_refused_by_name(tiny, tmp_path, at, value):
    path = tmp_path / "m.partimento"
    path.write_bytes(with_entry_changed(tiny.model.read_bytes(), at, value))
    with pytest.raises(ModelError, match=str(path)):
        model_file.load(path)


def test_a_member_that_claims_to_be_huge_is_not_read(tiny, tmp_path):
    path = tmp_path / "huge.partimento"
    path.write_bytes(with_entry_changed(tiny.model.read_bytes(), 24, struct.pack("<I", 0xFFFFFFF0)))
    with pytest.raises(ModelError, match=f"{path}: member advance.onnx holds 4294967280 bytes"):
        model_file.load(path)
