"""The house keeps its order: rooms import only downward, and no file grows past what is read in one sitting.

The checker works on sources by module name, so that it is itself tested on small ones that break each rule.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "partimento"
LEVELS = {
    0: ("errors", "machine", "registry"),
    1: ("score", "timing", "theory", "lines", "transform", "arrange", "expression", "instruments"),
    2: ("formats", "encodings", "describe"),
    3: (
        "corpus", "evaluation", "originality", "sampling", "rules", "model_file", "profile", "composing", "asking",
        "frames", "joining", "editing", "editing_parts", "morphing", "steering", "recipes", "outlines", "states",
        "voice_leading", "counts", "viewpoints", "explaining", "moderation",
    ),
    4: ("models",),
    5: ("training",),
    6: ("api", "cards", "presets", "styles"),
    7: ("cli", "studio", "live"),
}  # fmt: skip
LEVEL = {room: level for level, rooms in LEVELS.items() for room in rooms}
SIBLINGS = (0, 1, 3, 6)  # levels whose rooms may use each other, as long as no circle closes
FACES = LEVELS[7]
FACES_MAY = {"", "errors", "score", "formats", *LEVELS[1], *LEVELS[6]}
MODELS_MAY = {"errors", "registry", "encodings.base", "encodings._blocks", "counts", "viewpoints"}
TORCH_ROOMS = ("models", "training")
TORCH = {"torch", "safetensors"}
# (module, what it imports): reason
ALLOWED = {
    (
        "score",
        "formats.notebook",
    ): "a notebook asks a Score to show itself: `_repr_html_` imports formats.notebook lazily",
    ("cli.studio", "studio.server"): "the command that opens the studio, which is a face of its own",
}
LONGEST_FUNCTION, LONGEST_MODULE = 40, 500
UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
HEAVY = ("torch", "onnxruntime", "verovio", "resvg_py", "midirenderer", "pretty_midi", "rich", "sklearn", "miditok")


def house() -> dict[str, str]:
    """The source of every module of the package by its dotted name, "" for the package itself."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts)] = path.read_text(encoding="utf-8")
    return found


def imports(module: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a module imports anywhere; our own start with "partimento."."""
    folder = ["partimento", *module.split(".")][:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) - node.level + 1] if node.level else []
            base = [*base, *(node.module.split(".") if node.module else [])]
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)


def room_of(name: str) -> str:
    """The room that "partimento.formats.midi" lies in; "" for a name of the package itself."""
    second = name.split(".")[1] if "." in name else ""
    return second if second in LEVEL else ""


def reproach(module: str, name: str) -> str | None:
    """What is wrong with `module` importing `name`, if anything."""
    room = module.split(".")[0]
    top = name.split(".")[0]
    if top != "partimento":
        if top in TORCH and room not in TORCH_ROOMS:
            return f"imports {top}, which belongs to {' and '.join(TORCH_ROOMS)}"
        return None
    other = room_of(name)
    inside = name.removeprefix("partimento.")
    if room == other or room == "__init__" or (module, inside) in ALLOWED:
        return None
    if room == "models":
        fine = any(inside == known or inside.startswith(f"{known}.") for known in MODELS_MAY)
        return None if fine else f"imports {inside}; models know {', '.join(sorted(MODELS_MAY))} alone"
    if room in FACES:
        return None if other in FACES_MAY else f"imports {other}; a face goes by api"
    if not other:
        return "imports the package from inside"
    if LEVEL[other] < LEVEL[room] or (LEVEL[other] == LEVEL[room] and LEVEL[room] in SIBLINGS):
        return None
    return f"level {LEVEL[room]} imports {other} of level {LEVEL[other]}"


def layer_violations(sources: Mapping[str, str]) -> list[str]:
    """Every import that goes where it must not, and every module in a room that the table does not know."""
    found = []
    for module, source in sorted(sources.items()):
        room = module.split(".")[0]
        if room not in LEVEL and room != "__init__":
            found.append(f"{module}: the room {room!r} has no level yet; write it into LEVELS")
            continue
        for line, name in imports(module, ast.parse(source)):
            wrong = reproach(module, name)
            if wrong:
                found.append(f"{module}:{line}: {wrong}")
    return found


def circles(sources: Mapping[str, str]) -> list[str]:
    """Rooms that import each other, directly or around a corner."""
    uses: dict[str, set[str]] = {}
    for module, source in sources.items():
        room = module.split(".")[0]
        names = {name for _, name in imports(module, ast.parse(source)) if name.startswith("partimento.")}
        names = {name for name in names if (module, name.removeprefix("partimento.")) not in ALLOWED}
        uses.setdefault(room, set()).update(filter(None, map(room_of, names)))
    found = []
    for room in uses:
        seen, todo = set(), list(uses[room] - {room})
        while todo:
            at = todo.pop()
            if at not in seen:
                seen.add(at)
                todo += uses.get(at, set()) - {at}
        if room in seen:
            found.append(room)
    return sorted(found)


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def is_silent(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches everything, or catches `Exception` and says nothing."""
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    broad = any(isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException") for kind in kinds)
    empty = all(
        isinstance(node, ast.Pass | ast.Continue)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in handler.body
    )
    return broad and empty


def unsafe_call(node: ast.Call) -> bool:
    """`torch.load`, and anything asked to `allow_pickle`."""
    called = node.func
    loads = isinstance(called, ast.Attribute) and called.attr == "load" and getattr(called.value, "id", "") == "torch"
    allows = any(
        word.arg == "allow_pickle" and getattr(word.value, "value", True) is not False for word in node.keywords
    )
    return loads or allows


def habit_violations(sources: Mapping[str, str]) -> list[str]:
    """Functions and modules too long to read, unpickling, and errors swallowed."""
    found = []
    for module, source in sorted(sources.items()):
        tree = ast.parse(source)
        if (lines := source.count("\n")) > LONGEST_MODULE:
            found.append(f"{module}: {lines} lines; at most {LONGEST_MODULE}")
        for line, name in imports(module, tree):
            if name.split(".")[0] in UNSAFE:
                found.append(f"{module}:{line}: imports {name}, which runs what a file says")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and body_lines(node) > LONGEST_FUNCTION:
                found.append(f"{module}:{node.lineno}: {node.name} has {body_lines(node)} lines of {LONGEST_FUNCTION}")
            elif isinstance(node, ast.ExceptHandler) and is_silent(node):
                found.append(f"{module}:{node.lineno}: an error is swallowed without a name")
            elif isinstance(node, ast.Call) and unsafe_call(node):
                found.append(f"{module}:{node.lineno}: unpickles")
    return found


# --- the house


def test_rooms_import_only_downward():
    assert layer_violations(house()) == []


def test_no_circle_of_rooms():
    assert circles(house()) == []


def test_functions_and_modules_are_read_in_one_sitting_and_nothing_is_swallowed_or_unpickled():
    scripts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in ROOT.glob("benchmarks/*.py")}
    assert habit_violations(house() | scripts) == []


def test_every_allowed_exception_is_still_needed():
    sources = house()
    for module, allowed in ALLOWED:
        named = {name for _, name in imports(module, ast.parse(sources[module]))}
        assert f"partimento.{allowed}" in named, f"{module} no longer imports {allowed}: take it out of ALLOWED"


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_partimento_loads_nothing_heavy():
    assert run_python(f"import sys, partimento; print(*[n for n in {HEAVY} if n in sys.modules])") == ""


def test_a_public_name_is_what_it_says_even_where_a_room_has_the_same():
    code = "import partimento, types\nfrom partimento.describe import Bars\nimport partimento.corpus\nprint({})"
    found = "*[n for n in partimento.__all__ if isinstance(getattr(partimento, n), types.ModuleType)]"
    assert run_python(code.format(found)) == ""
    assert run_python(code.format("partimento.describe.__name__, Bars.__name__")) == "describe Bars"


def test_every_room_but_the_learning_ones_works_without_torch():
    names = [name for name in house() if name.split(".")[0] not in TORCH_ROOMS and not name.endswith("__main__")]
    modules = sorted("partimento." + name.removesuffix("__init__").removesuffix(".") for name in names)
    code = (
        "import importlib, sys; sys.modules['torch'] = None\nfor name in {}: importlib.import_module(name.strip('.'))"
    )
    run_python(code.format(modules))


# --- the checker


@pytest.mark.parametrize(
    ("module", "source", "said"),
    [
        ("score", "from . import formats", "level 1 imports formats of level 2"),
        ("score", "def f():\n    from .corpus.scan import scan", "level 1 imports corpus of level 3"),
        ("formats.midi", "from ..encodings import get_encoding", "level 2 imports encodings of level 2"),
        ("formats.midi", "import partimento.api", "level 2 imports api of level 6"),
        ("encodings.notes", "import torch", "imports torch"),
        ("sampling", "def f():\n    from torch import nn", "imports torch"),
        ("api", "from torch.nn import functional", "imports torch"),
        ("models.gan", "from ..score import Score", "imports score.Score; models know"),
        ("models.gan", "from ..encodings import get_encoding", "imports encodings.get_encoding; models know"),
        ("training.loop", "from .. import api", "level 5 imports api of level 6"),
        ("cli.play", "from ..live import clock", "imports live; a face goes by api"),
        ("cli.train", "from ..training import train", "imports training; a face goes by api"),
        ("gadgets", "", "the room 'gadgets' has no level yet"),
        ("timing", "from . import compose", "imports the package from inside"),
    ],
)
def test_an_import_upward_is_found(module, source, said):
    found = layer_violations({module: source})
    assert len(found) == 1 and said in found[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("timing", "from .score import Score\nimport numpy as np"),
        ("formats.midi", "from ..score import Score\nfrom ._limits import BARS\nfrom . import _files"),
        ("models.gan", "import torch\nfrom ..encodings.base import Field\nfrom .base import Composer"),
        ("api", "def train():\n    from .training import train"),
        ("cli.play", "from .. import api\nfrom ..errors import BadOption\nfrom ..formats import save"),
        ("__init__", "from .api import compose"),
    ],
)
def test_an_import_downward_is_fine(module, source):
    assert layer_violations({module: source}) == []


def test_a_circle_is_found():
    sources = {"rules": "from . import sampling", "sampling": "from .model_file import load"}
    assert circles(sources) == []
    assert circles(sources | {"model_file": "from .rules import Legal"}) == ["model_file", "rules", "sampling"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f():\n" + "    x = 1\n" * 41, "41 lines of 40"),
        ("class A:\n    async def f(self):\n" + "        x = 1\n" * 41, "41 lines of 40"),
        ("x = 1\n" * 501, "501 lines"),
        ("import pickle", "imports pickle"),
        ("def f():\n    from joblib import load", "imports joblib.load"),
        ("torch.load(path)", "unpickles"),
        ("np.load(path, allow_pickle=True)", "unpickles"),
        ("try:\n    f()\nexcept:\n    raise", "swallowed"),
        ("try:\n    f()\nexcept Exception:\n    pass", "swallowed"),
        ("try:\n    f()\nexcept (OSError, Exception) as error:\n    ...", "swallowed"),
    ],
)
def test_a_bad_habit_is_found(source, said):
    found = habit_violations({"score": source})
    assert len(found) == 1 and said in found[0]


@pytest.mark.parametrize(
    "source",
    [
        'def f():\n    """What it does.\n' + "\n" * 50 + '    """\n    return 1',
        "def f():\n" + "    x = 1\n" * 40,
        "np.load(path, allow_pickle=False)",
        "try:\n    f()\nexcept FormatError as error:\n    skipped.append(error)",
        "try:\n    f()\nexcept FileNotFoundError:\n    pass",
    ],
)
def test_a_good_habit_is_left_alone(source):
    assert habit_violations({"score": source}) == []
