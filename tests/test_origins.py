"""Every fault found in the composers that this one grows from, with the test that keeps it from coming back."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest
import torch

from music import score_of
from partimento import api, presets
from partimento.encodings import get_encoding
from partimento.encodings.base import Field
from partimento.models import get_family
from partimento.models.base import parameter_count
from partimento.score import Metre, Tempo, Track
from partimento.training.loop import Run, TrainingPlan

pytest_plugins = ["tiny"]

FAULTS = {  # system: fault -> module::test
    "DeepMIDI": {
        "preprocessing crashes on a name that a library takes":
            "corpus::test_a_cache_holds_every_piece_as_its_encoding_gives_it",
        "an emotion by option is on another scale than one by prompt":
            "verbs::test_the_same_answers_as_options_give_the_same_piece",
        "more complexity gives fewer notes":
            "pianoroll::test_the_more_complex_a_piece_is_to_be_the_more_notes_it_has",
        "the end of a file is gone on from only if its start is asked for too":
            "editing::test_new_bars_begin_at_the_bar_line_after_the_end",
        "a start cannot be gone on from":
            "editing::test_bars_before_the_start_leave_the_old_music_as_it_was",
        "a length in sixteenths is one in quarters":
            "compose::test_a_piece_is_as_many_sixteenths_long_as_asked_for",
        "a random start runs past the data":
            "pianoroll::test_no_window_runs_past_its_piece",
        "in rests emotions are those of the saddest music":
            "pianoroll::test_emotions_are_told_in_rests_as_everywhere",
        "of a repeated chord only the lowest note is struck":
            "pianoroll::test_every_note_of_a_repeated_chord_is_struck_again",
        "minor goes to C minor, by up to eleven semitones":
            "pianoroll::test_music_goes_to_c_major_or_a_minor_by_the_nearer_way",
        "one part alone is read; velocity, tempo, metre and drums are lost":
            "origins::test_all_parts_velocities_tempo_metre_and_drums_are_kept",
        "folders that are written to are not made":
            "origins::test_the_folder_of_a_model_file_is_made",
        "all steps are run again for each new one":
            "pianoroll::test_a_slice_is_one_step_of_the_network_and_its_state_is_carried",
        "nothing is held out":
            "training::test_what_is_held_out_is_never_in_a_training_batch",
        "there is no seed":
            "compose::test_the_same_seed_gives_the_same_file_and_others_others",
        "there is no temperature":
            "sampling::test_temperature_is_a_power_of_the_chances",
    },
    "the notebooks": {
        "the likeliest word is always taken":
            "sampling::test_the_same_seed_draws_the_same_piece_and_another_seed_another",
        "the window that is gone on from is divided twice":
            "origins::test_a_word_as_a_number_is_divided_once_in_learning_and_in_composing",
        "all notes are equally long":
            "events::test_a_hymn_comes_back_from_the_timed_form",
        "chords lose their octave and are written as pitches 0 to 11":
            "events::test_the_notebooks_words_are_read_back_chords_around_middle_c",
        "windows go from one piece into the next":
            "training::test_every_window_is_music_of_its_piece_in_its_order_and_with_its_lengths",
        "the index of a word is a quantity":
            "origins::test_by_default_a_word_is_no_quantity",
        "nothing is held out":
            "corpus::test_a_few_works_still_leave_one_for_validation",
        "the weights that are kept are those with the least training loss":
            "choice::test_those_compete_whose_likelihood_is_within_a_hundredth_of_the_best",
        "a bad file ends everything":
            "corpus::test_bad_files_are_skipped_with_their_reasons",
        "one note for ever is written as a model":
            "choice::test_one_note_for_ever_is_a_collapse_unless_real_music_is_so",
    },
    "MusiGAN": {
        "numbers are scaled back by a constant of another data set":
            "blocks::test_the_number_that_stands_for_a_class_is_its_index_scaled_and_the_nearest_class_is_the_likeliest",
        "there is no instrument but the piano":
            "compose::test_instruments_play_the_parts_in_order",
        "music repeats itself":
            "sampling::test_no_pitch_is_struck_more_often_in_a_row_than_allowed",
        "two instruments are not learnt together":
            "pianoroll::test_tracks_stand_side_by_side_in_the_order_of_the_score",
        "families are judged by ear alone":
            "presets::test_a_preset_learns",
    },
    "Visions of Chaos": {
        "training goes crazy and does not recover":
            "training::test_a_run_that_diverges_goes_back_with_half_the_rate_and_a_kill_in_between_changes_nothing",
        "the epoch is chosen by hand from curves":
            "training::test_what_is_chosen_is_what_is_exported_even_where_another_step_was_likelier",
        "the source is copied and nobody is told":
            "choice::test_twelve_notes_are_copied_in_any_key_and_eleven_are_not",
        "a model file holds the optimiser's moments":
            "origins::test_a_model_file_holds_no_moments",
    },
    "the tutorial": {
        "the target of a window is its second chord":
            "chords_encoding::test_the_target_of_a_step_is_the_chord_that_follows",
        "two layers are promised, tables are joined along time":
            "origins::test_the_tables_of_chord_and_duration_are_joined_side_by_side",
        "a prediction is predicted from":
            "registry::test_step_by_step_is_the_same_as_all_at_once",
        "the learning rate never arrives":
            "origins::test_the_rate_of_a_preset_reaches_its_optimiser",
        "the choice of melodies is never called":
            "events::test_only_the_first_instrument_is_read_and_a_piano_on_two_staves_is_one",
        "what is exported is the old music":
            "compose::test_the_same_seed_gives_the_same_file_and_others_others",
        "durations are written with a type instead of a length":
            "chords_encoding::test_the_same_pitches_sound_at_every_tick_and_encoding_again_changes_nothing",
        "a summed KL is averaged against a mean reconstruction":
            "blocks::test_doubling_the_block_does_not_change_the_balance_of_kl_and_reconstruction",
        "the vocabulary is that of music which is not learnt":
            "events::test_the_vocabulary_is_learnt_from_the_training_pieces_alone_and_once",
    },
}  # fmt: skip
LISTED = [(system, fault) for system, faults in FAULTS.items() for fault in faults]


@pytest.mark.parametrize(("system", "fault"), LISTED, ids=[fault for _, fault in LISTED])
def test_every_fault_has_a_test(system, fault):
    module, name = FAULTS[system][fault].split("::")
    tree = ast.parse((Path(__file__).parent / f"test_{module}.py").read_text("utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_all_parts_velocities_tempo_metre_and_drums_are_kept():
    score = score_of(
        "C5 quarter, D5 quarter, E5 quarter", "C3 half, G3 quarter", "C2 quarter, D2 quarter, D2 quarter",
        tracks=(Track("", 73), Track("", 42), Track("", 128)), tempos=(Tempo(0, 90.0),), metres=(Metre(0, 3, 4),),
    )  # fmt: skip
    notes = score.notes.copy()
    notes["velocity"] = np.arange(len(notes)) * 8 + 40
    score = score.with_notes(notes)
    back = get_encoding("notes").decode(get_encoding("notes").encode(score))
    names = ("onset", "duration", "pitch", "velocity")
    played = [
        sorted((one.tracks[int(note["track"])].program, *(int(note[name]) for name in names)) for note in one.notes)
        for one in (back, score)
    ]
    assert [row[:4] for row in played[0]] == [row[:4] for row in played[1]]
    assert all(abs(one[4] - other[4]) < 4 for one, other in zip(*played, strict=True))
    assert back.metres == score.metres and abs(back.tempos[0].bpm - 90) < 10


def test_the_folder_of_a_model_file_is_made(tiny, tmp_path):
    output = tmp_path / "not" / "there" / "yet.partimento"
    for _ in api.train(api.TrainingRequest((tiny.tunes,), output, "markov", workers=0, settings={"order": 0})):
        pass
    assert output.exists()


def test_a_word_as_a_number_is_divided_once_in_learning_and_in_composing():
    fields = [Field("token", "categorical", 8)]
    model = get_family("stack")(fields, net=(("lstm", 4),), inputs="scalar", sees=3)
    last = torch.tensor([[[-1], [2], [4], [6]]])
    assert model.embedding(last, last)[0, :, 0].tolist() == [0.0, 0.25, 0.5, 0.75]
    seen = []
    model._summed_up = lambda x: seen.append(x) or x[:, -1]
    model.advance(torch.tensor([[6]]), torch.tensor([[0]]), torch.zeros(1), model.begin(1))
    assert seen[0][0, :, 0].tolist() == [0.0, 0.0, 0.75]


def test_by_default_a_word_is_no_quantity():
    assert inspect.signature(get_family("stack").__init__).parameters["inputs"].default == "embedding"
    scalar = [preset for preset in map(presets.load, presets.names()) if preset.model.get("inputs") == "scalar"]
    assert scalar and all(preset.is_faithful and preset.sibling for preset in scalar)


def test_the_tables_of_chord_and_duration_are_joined_side_by_side():
    """One LSTM layer that reads 64 + 64 numbers a chord: counted by hand for the tutorial's 267 chords, 9 durations."""
    preset = presets.load("chord-duration-lstm")
    model = get_family(preset.family)(
        [Field("chord", "categorical", 267), Field("duration", "categorical", 9)], **preset.options
    )
    tables, layer = (267 + 9) * 64, 4 * 512 * (128 + 512 + 1)
    dense, heads = 512 * 256 + 256, 256 * (267 + 9) + 267 + 9
    assert parameter_count(model) == tables + layer + dense + heads


@pytest.mark.parametrize("name", presets.names())
def test_the_rate_of_a_preset_reaches_its_optimiser(name):
    preset = presets.load(name)
    asked = api.with_preset(api.TrainingRequest((Path(),), Path(), preset=name))
    plan = {key: value for key, value in asked.settings.items() if key in TrainingPlan.__dataclass_fields__}
    assert TrainingPlan(**plan).rate == preset.training.get("rate", TrainingPlan.rate)
    assert TrainingPlan(**plan).optimiser == preset.training.get("optimiser", TrainingPlan.optimiser)


def test_the_rate_of_a_plan_is_that_of_its_optimisers_at_the_top_of_their_course(tiny, tmp_path):
    run = Run(tiny.music, tiny.plan(rate=0.01, optimiser="rmsprop", steps=400), tmp_path)
    run.state["step"] = 12
    run.one_step()
    assert all(group["lr"] == pytest.approx(0.01) for one in run.optimisers.values() for group in one.param_groups)


def test_a_model_file_holds_no_moments(tiny):
    """Four bytes a weight at most, graphs and all: the moments of Adam alone are eight."""
    from partimento import model_file

    info = model_file.read_info(tiny.model)
    _, members = model_file.read(tiny.model, also=("weights.safetensors",))
    assert {"weights.safetensors", "advance.onnx"} <= set(members)
    assert len(members["weights.safetensors"]) < 4 * info["card"]["parameters"] + 2**14
