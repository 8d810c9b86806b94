"""Presets: each rebuilds what it says, to the last parameter, and is known to the one who asks for it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partimento import api, formats, model_file, presets
from partimento.cards import card_text
from partimento.encodings import Plan, get_encoding
from partimento.encodings.base import Field
from partimento.errors import BadOption, ModelError, UnknownName
from partimento.models import get_family
from partimento.models.base import parameter_count
from partimento.rules import FORBIDDEN, Rule
from partimento.sampling import Sampling, sample
from partimento.training.counting import music_of, nats_by_frequency
from partimento.training.judging import judge
from partimento.training.listening import playable
from partimento.training.loop import Run, TrainingPlan
from tunes import hymn

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("one_thread")

ROOT = Path(__file__).parent.parent
ALL = [presets.load(name) for name in presets.names()]
every_preset = pytest.mark.parametrize("preset", ALL, ids=lambda preset: preset.name)


def fields_of(preset: presets.Preset):
    """The fields that a preset's model is built over: as many words as the original had, or the encoding's own."""
    encoding = get_encoding(preset.encoding["name"], **preset.encoding_options)
    if not (preset.vocabulary and encoding.learns):
        return encoding.fields
    return [Field("token", "categorical", preset.vocabulary)]


@pytest.mark.parametrize("preset", [one for one in ALL if one.parameters], ids=lambda preset: preset.name)
def test_a_faithful_preset_has_the_parameters_of_the_original(preset):
    model = get_family(preset.family)(fields_of(preset), **preset.options)
    assert parameter_count(model) == preset.parameters


@every_preset
def test_a_preset_names_what_there_is(preset):
    TrainingPlan(family=preset.family, options=preset.options, **preset.training)
    get_encoding(preset.encoding["name"], **preset.encoding_options)
    api.Sampling(**preset.sampling)
    api.Choice(**preset.music)
    assert preset.about.endswith(".") and preset.sibling in ("", *presets.names())
    assert preset.source or not preset.is_faithful


def test_what_is_asked_for_goes_before_the_preset(tmp_path):
    asked = api.TrainingRequest((tmp_path,), tmp_path / "m.partimento", preset="notebook-lstm", settings={"batch": 3})
    found = api.with_preset(asked)
    assert (found.family, found.encoding, found.preset) == ("stack", "events", "")
    assert found.settings["batch"] == 3 and found.settings["rate"] == 0.001


def test_a_preset_that_there_is_not_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(UnknownName, match=r"no preset 'lstm'; there are .*notebook-lstm"):
        presets.load("lstm")
    with pytest.raises(BadOption, match="begins a model anew"):
        api.with_preset(api.TrainingRequest((tmp_path,), tmp_path, preset="gru", start=tmp_path))


# --- each of them learns, composes and comes back, at a small size, from the same twelve hymns

SMALL: dict[str, Any] = {  # options of families, where a preset has them
    "width": 32, "layers": 1, "heads": 2, "head_width": 16, "hidden": [32], "critic_width": 16, "critic_hidden": [32],
    "step_width": 16, "sees": 12, "warm_up": 0, "context": 128,
}  # fmt: skip
STEPS = {"stack": 50, "gan": 40, "transformer": 60, "recurrent": 60, "autoencoder": 20, "vae": 60, "markov": 0}
SHRINK = 16  # by so much the layers of a stack are narrower
WITHOUT_LIKELIHOOD = ("autoencoder", "gan")  # and losses of flat rolls


@pytest.fixture(scope="module")
def hymns(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("presets") / "hymns"
    folder.mkdir()
    for number in range(12):
        formats.save(hymn(number), folder / f"{number:02}.mid")
    return folder


def small(preset: presets.Preset) -> dict[str, Any]:
    """The options of a preset with sizes that train in a moment; all else, and which layers there are, stays."""
    found = {name: SMALL[name] if name in SMALL and value else value for name, value in preset.options.items()}
    if "net" in found:
        found["net"] = [[kind, *(max(8, n // SHRINK) if n > 1 else n for n in rest)] for kind, *rest in found["net"]]
    found |= {"size": 16} if preset.options.get("size", 0) > 16 else {}
    return found | ({"head_width": 16} if preset.family in ("recurrent", "transformer") else {})


@pytest.fixture(scope="module")
def learnt(hymns, tmp_path_factory):
    """Of each preset a run, how well it predicted held-out music before and after, and the model as it composes."""
    made: dict[str, tuple] = {}

    def run_of(preset: presets.Preset) -> tuple:
        if preset.name not in made:
            work = tmp_path_factory.mktemp(preset.name)
            settings = {**small(preset), "batch": 4, "window": min(64, preset.training.get("window", 64))}
            asked = api.TrainingRequest(
                (hymns,), work / "none.partimento", preset=preset.name, work=work, workers=0, settings=settings
            )
            run = Run(api.prepare(asked), plan_of(preset, settings), work)
            made[preset.name] = (run, *taught(run), playable(run.model, run.cache.spec))
        return made[preset.name]

    return run_of


def plan_of(preset: presets.Preset, settings: dict[str, Any]) -> TrainingPlan:
    plan = {key: value for key, value in preset.training.items() if key not in settings}
    own = {key: value for key, value in settings.items() if key in ("batch", "window")}
    options = {key: value for key, value in settings.items() if key not in own}
    rate = {"rate": 0.005 if preset.family in ("stack", "gan") else 0.02}  # so few steps must be wide
    steps = max(1, STEPS[preset.family])
    return TrainingPlan(**{**plan, **own, **rate, "family": preset.family, "options": options, "steps": steps,
                           "average": 0.0})  # fmt: skip


def taught(run: Run) -> tuple[float, float]:
    """Nats a step, or what the family has instead, of held-out music before training and after it."""
    before = judge(run, "valid").total
    if hasattr(run.model, "fit"):
        run.model.fit(music_of(run), run.encoding, 2)
    else:
        for _ in range(run.plan.steps):
            run.one_step()
    return before, judge(run, "valid").total


@every_preset
def test_a_preset_learns(preset, learnt):
    """The others beat counts of single choices; faithful ones, which may fail as the originals did, learn at all.

    A GAN has no likelihood: its painted blocks come nearer to held-out ones. Nor has an autoencoder, whose blocks come
    back the better.
    """
    run, before, after, _ = learnt(preset)
    assert after < before
    if not preset.is_faithful and preset.family not in WITHOUT_LIKELIHOOD:
        assert after < nats_by_frequency(run.cache, "valid")


class Never(Rule):
    """The pitch, word or unit that a model likes best is not to be had."""

    def __init__(self, encoding):
        self.entry = encoding.composed[0 if encoding.composed[0].kind == "binary" else -1]
        self.fields = (self.entry.name,)
        self.banned: int | None = None

    def __call__(self, name, logits, stream, chosen) -> None:
        if self.banned is None and np.isfinite(logits).sum() > 1:
            self.banned = int(logits.argmax())
        if self.banned is not None:
            logits[self.banned] = FORBIDDEN


@every_preset
def test_the_same_seed_gives_the_same_piece_and_what_is_banned_never_sounds(preset, learnt):
    run, _, _, model = learnt(preset)
    encoding = run.encoding
    plan = Plan(bars=2, key=(0, "major"), programs=(52,) * 4, style="hymns")

    def composed(seed: int, rules=()) -> np.ndarray:
        drawn = sample(model, [encoding.cursor(plan)], Sampling(), [np.random.default_rng(seed)], rules)
        return np.array([row for _, row in drawn])

    first = composed(1)
    assert np.array_equal(first, composed(1)) and len(encoding.decode(first, plan)) > 0
    assert not all(np.array_equal(first, composed(seed)) for seed in (2, 3))
    never = Never(encoding)
    banned = composed(1, [never])
    assert never.banned is not None
    column = encoding.columns[never.entry.name]
    if never.entry.kind == "binary":
        assert not (banned[1:, column + never.banned] == 1).any()
    elif never.entry.name != "duration":  # which may be all that fits into the bars
        assert not (banned[2:, column] == never.banned).any()


# --- how a model is drawn from where nothing is said


@pytest.fixture(scope="module")
def plain(hymns, tmp_path_factory) -> Path:
    """A model file of counts whose preset takes the likeliest."""
    path = tmp_path_factory.mktemp("plain") / "plain.partimento"
    asked = api.TrainingRequest(
        (hymns,), path, "markov", "events", workers=0, settings={"order": 1}, sampling={"temperature": 0.0}
    )
    for _ in api.train(asked):
        pass
    return path


def test_a_model_is_drawn_from_as_its_preset_says_unless_something_else_is_said(plain):
    info = model_file.read_info(plain)
    assert info["sampling"] == {"temperature": 0.0}
    assert "**Drawn** with temperature 0 unless something else is asked for." in card_text(plain, info)
    asked = {"model": plain, "bars": 4, "key": "C major", "metre": "4/4", "candidates": 1}
    one, other = (api.compose(seed=seed, **asked) for seed in (1, 2))
    assert np.array_equal(one.notes, other.notes)  # argmax does not draw
    assert one.recipe["asked"]["sampling"]["temperature"] == 0.0
    bold = api.compose(seed=1, sampling=Sampling(), **asked)
    assert not np.array_equal(bold.notes, one.notes)
    assert np.array_equal(api.compose(seed=1, sampling={"temperature": 1.0}, **asked).notes, bold.notes)
    for score in (one, bold):
        assert np.array_equal(api.reproduce(score.recipe, model=plain).notes, score.notes)
    with pytest.raises(BadOption, match="no option 'heat' of sampling; there are temperature, top_k"):
        api.compose(sampling={"heat": 1}, **asked)


def test_on_the_command_line_only_what_is_said_is_other_than_the_models_own(plain, command, tmp_path):
    shared = (
        "compose",
        "--model",
        plain,
        "--bars",
        "4",
        "--key",
        "C",
        "--metre",
        "4/4",
        "--no-roll",
        "--candidates",
        1,
    )
    code, _, _ = command(*shared, "--seed", 1, "--top-k", 5, "-o", tmp_path / "a.mid")
    assert code == 0
    recipe = formats.load(tmp_path / "a.mid").recipe
    assert (recipe["asked"]["sampling"]["temperature"], recipe["asked"]["sampling"]["top_k"]) == (0.0, 5)
    command(*shared, "--seed", 1, "--temperature", 1, "-o", tmp_path / "b.mid")
    assert "sampling" not in formats.load(tmp_path / "b.mid").recipe["asked"]  # as it always is


def test_a_preset_hands_its_sampling_on_and_a_request_goes_before_it(tmp_path):
    asked = api.TrainingRequest((tmp_path,), tmp_path / "m.partimento", preset="notebook-lstm")
    assert api.with_preset(asked).sampling == {"temperature": 0.0}
    assert api.with_preset(replace(asked, sampling={"min_p": 0.1})).sampling == {"min_p": 0.1}


@pytest.mark.parametrize(
    "sampling", [{"heat": 1}, {"temperature": "hot"}, {"temperature": -1}, {"temperatures": 3}, [1]]
)
def test_a_model_file_that_is_to_be_drawn_from_strangely_is_refused(plain, sampling, tmp_path):
    info, members = model_file.read(plain)
    model_file.write(tmp_path / "strange.partimento", info | {"sampling": sampling}, members)
    with pytest.raises(ModelError, match="strange"):
        model_file.load(tmp_path / "strange.partimento")


# --- their pages

RESULTS = ROOT / "benchmarks" / "results" / "models.json"


@every_preset
def test_every_preset_has_a_page_with_its_parameters_and_a_piece_to_hear(preset):
    known = json.loads(RESULTS.read_text("utf-8"))["models"]
    page = (ROOT / "docs" / "models" / f"{preset.name}.md").read_text("utf-8")
    found = known[preset.name]
    encoding = get_encoding(preset.encoding["name"], **preset.encoding_options)
    fields = [replace(entry, size=found["sizes"].get(entry.name, entry.size)) for entry in encoding.fields]
    count = parameter_count(get_family(preset.family)(fields, **preset.options))
    assert found["parameters"] == count and f"Parameters: {count:,} " in page
    if preset.parameters:
        assert f"{preset.parameters:,}" in page
    for heading in ("## What it is", "## What it gets wrong", "## What it learns"):
        assert heading in page
    assert "```" in page  # a diagram
    piece = formats.load(ROOT / "docs" / "models" / "pieces" / f"{preset.name}.mid")
    assert len(piece) and f"pieces/{preset.name}.mid" in page
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page):
        assert (ROOT / "docs" / "models" / target).exists(), target
    for image in (ROOT / "docs" / "images" / "models").glob(f"{preset.name}*.svg"):
        assert image.stat().st_size < 40_000
