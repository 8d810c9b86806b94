"""Presets: each rebuilds what it says, to the last parameter, and is known to the one who asks for it."""

from __future__ import annotations

import pytest

from partimento import api, presets
from partimento.encodings import get_encoding
from partimento.encodings.base import Field
from partimento.errors import BadOption, UnknownName
from partimento.models import get_family
from partimento.models.base import parameter_count
from partimento.training.loop import TrainingPlan

ALL = [presets.load(name) for name in presets.names()]


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


@pytest.mark.parametrize("preset", ALL, ids=lambda preset: preset.name)
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
