"""The contract: every encoding and every family is found in its folder and must keep it. There is no list to edit."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

from music import encoding_for
from partimento.encodings import Plan, encoding_names, get_encoding
from partimento.errors import UnknownName
from partimento.models import family_names, get_family
from partimento.models.base import Composer
from partimento.models.layers import summed
from partimento.models.transformer import CACHE_BLOCK
from partimento.sampling import Sampling, sample
from partimento.score import TICKS_PER_BEAT, Key, Metre, Score, Tempo, Track, note_array
from partimento.timing import Clock
from partimento.transform import transpose, without_overlaps

ENCODINGS = encoding_names()
BEAT, BAR = TICKS_PER_BEAT, 4 * TICKS_PER_BEAT
CHOIR = tuple(Track(name, 52) for name in ("Soprano", "Alto", "Tenor", "Bass"))
CADENCE = ((67, 64, 60, 48), (69, 65, 60, 53), (67, 62, 59, 55), (72, 64, 60, 48))  # C, F, G, C in four voices
SMALL = {"width": 32, "layers": 2, "heads": 2, "head_width": 16, "dropout": 0.0}  # small, where a family has it
CELLS = {  # options that change the path through a family
    "autoencoder": ({}, {"loss": "binary", "hidden": (8,), "is_told": True}, {"step_width": 8, "stride": 5}),
    "vae": (
        {"hidden": (16,), "step_width": 8, "size": 3},
        {"hidden": (), "step_width": 0, "size": 2, "is_told": False, "free_bits": 0.1, "beta": 0.5},
    ),
    "gan": (
        {"size": 3, "hidden": (8, 16), "step_width": 8, "critic_width": 8, "critic_hidden": (16,)},
        {
            "size": 5,
            "hidden": (8,),
            "outputs": "scalar",
            "critic": "recurrent",
            "critic_width": 8,
            "critic_hidden": (16, 8),
            "objective": "classic",
            "norm": True,
            "is_told": False,
            "stride": 10,
        },
        {
            "size": 3,
            "hidden": (8,),
            "step_width": 8,
            "outputs": "drawn",
            "critic_width": 32,
            "critic_hidden": (64,),
            "is_told": False,
        },
    ),
    "relative": ({"intervals": 3}, {"intervals": 0, "layers": 1}, {"recall": 12}),
    "recurrent": ({"cell": "gru"}, {"cell": "lstm"}, {"intervals": 3}),
    "stack": (
        {"net": (("lstm", 16), ("dropout", 0.0), ("gru", 16), ("dense", 8), ("batch-norm",), ("leaky", 0.2))},
        {"net": (("lstm", 16), ("dense", 8)), "inputs": "scalar", "biases": 1, "sees": 8, "last_only": True},
        {"net": (("gru", 8), ("bi-lstm", 8), ("bi-gru", 8)), "sees": 8, "embedding": 4},
    ),
}


pytestmark = pytest.mark.usefixtures("one_thread")


def hymn(upbeat: int = 0) -> Score:
    """I-IV-V-I in C major, a quarter each, twice; an upbeat puts the bar lines later."""
    chords = CADENCE * 2
    rows = [(n * BEAT, BEAT, pitch, 80, v) for n, chord in enumerate(chords) for v, pitch in enumerate(chord)]
    return Score(
        note_array(rows), CHOIR, tempos=(Tempo(0, 100.0),), metres=(Metre(0, 4, 4),), keys=(Key(0, 0),), upbeat=upbeat
    )


def classes_of(field) -> int:
    """How many classes a column of the field tells apart."""
    return 2 if field.kind == "binary" else field.size


def sounds(score: Score) -> list[tuple[int, int, int]]:
    """Onset, duration and pitch of every note, without saying on which track."""
    return sorted(zip(*(score.notes[name].tolist() for name in ("onset", "duration", "pitch")), strict=True))


# --- the folder is the registry


def test_the_folders_are_the_lists():
    assert {"notes", "voices"} <= set(ENCODINGS)
    assert {"recurrent", "transformer"} <= set(family_names())
    assert not {"base", "layers", "-given"} & {*ENCODINGS, *family_names()}


def test_an_unknown_name_is_answered_with_the_names_there_are():
    with pytest.raises(UnknownName, match=r"no encoding 'note'; there are .*notes"):
        get_encoding("note")
    with pytest.raises(UnknownName, match=r"no model family 'gpt'; there are .*transformer"):
        get_family("gpt")


# --- encodings


@pytest.mark.parametrize("name", ENCODINGS)
def test_fields_are_declared_soundly(name):
    encoding = get_encoding(name)
    names = [field.name for field in encoding.fields]
    composed = [field.name for field in encoding.composed]
    assert len(set(names)) == len(names) and composed
    assert encoding.name == name
    for field in encoding.fields:
        assert field.kind in ("categorical", "binary", "real") and field.size > 0
        assert field.given or not (field.after or field.droppable)
        assert not field.after or field.after in composed
    again = get_encoding(**encoding.spec())
    assert again.fields == encoding.fields and again.styles == encoding.styles


@pytest.mark.parametrize("name", ENCODINGS)
def test_row_0_stands_before_the_music_and_every_class_is_one_that_was_declared(name):
    encoding = get_encoding(name, styles=("hymns",))
    steps = encoding.encode(hymn(), {"style": "hymns", "valence": 7.5})
    for field in encoding.fields:
        columns = steps[:, encoding.columns[field.name] :][:, : field.width]
        assert columns.max() < classes_of(field)
        if field.given:
            assert columns.min() >= 0
        else:
            assert (columns[0] == -1).all() and columns.min() >= -1
    start = encoding.cursor(Plan()).start()
    for field in encoding.composed:
        assert np.array_equal(np.broadcast_to(start[field.name], field.width), [-1] * field.width)
        assert np.size(start[field.name]) == field.width
    times = encoding.times(steps)
    assert len(times) == len(steps) and (np.diff(times) >= 0).all()


@pytest.mark.parametrize("upbeat", [0, BEAT, 3 * BEAT])
@pytest.mark.parametrize("name", ENCODINGS)
def test_a_hymn_comes_back_as_it_was(name, upbeat):
    encoding, score = encoding_for(name, hymn(upbeat)), hymn(upbeat)
    steps = encoding.encode(score)
    back = encoding.decode(steps, Plan(tempo=100.0))
    assert np.array_equal(encoding.encode(back), steps)
    if encoding.exact:
        assert sounds(back) == sounds(score)
        assert (back.upbeat, back.metres, back.keys, back.tempos) == (upbeat, score.metres, score.keys, score.tempos)


@pytest.mark.parametrize("name", ENCODINGS)
def test_transposing_steps_is_transposing_the_music(name):
    score = hymn()
    encoding = encoding_for(name, *(transpose(score, semitones) for semitones in range(-6, 7)))
    steps = encoding.encode(score)
    low, high = encoding.transpositions(steps)
    assert low <= 0 <= high and high - low >= 2
    for semitones in (low, high):
        moved = encoding.transpose(steps, semitones)
        assert np.array_equal(moved, encoding.encode(transpose(score, semitones)))
        assert np.array_equal(encoding.transpose(moved, -semitones), steps)


# --- composing without a model


class Flat:
    """A model that finds every class equally likely, or the later ones ever likelier (`slope` nats a class)."""

    def __init__(self, encoding, slope: float = 0.0):
        self.encoding, self.slope = encoding, slope
        self.sizes = {field.name: field.size for field in encoding.fields}

    def begin(self, size, rngs=()):
        return None

    def advance(self, last, given, time, state):
        self.time = time.copy()
        return np.zeros((len(last), 1))

    def logits(self, field, hidden, chosen):
        return np.tile(np.arange(self.sizes[field]) * self.slope, (len(hidden), 1))


def compose(encoding, plan: Plan, seed: int, slope: float = 0.0) -> np.ndarray:
    """Steps (T, columns) of a piece drawn by the one sampling loop from a model that knows nothing."""
    drawn = sample(Flat(encoding, slope), [encoding.cursor(plan)], Sampling(min_p=0), [np.random.default_rng(seed)])
    return np.array([row for _, row in drawn])


PLANS = [
    Plan(bars=1),
    Plan(bars=2, metre=(3, 4), key=(9, "minor"), tempo=90),
    Plan(bars=3, metre=(6, 8), programs=(40, 40, 41, 42)),
    Plan(bars=4, metre=(2, 2), programs=(0, 128), controls={"valence": 9, "density": 0.2}),
    Plan(bars=5, metre=(5, 4), programs=(52, 52, 52, 52)),
    Plan(bars=2, metre=(2, 4), upbeat=BEAT, programs=(73,)),
    Plan(bars=3, metre=(3, 4), upbeat=BEAT),
    Plan(bars=2, metre=(12, 8), upbeat=BEAT // 2),
    Plan(bars=40, metre=(4, 4)),
    Plan(bars=2, metre=(9, 2)),
]


@pytest.mark.parametrize("slope", [0.0, 5.0, -5.0])
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.bars}x{plan.metre[0]}-{plan.metre[1]}+{plan.upbeat}")
@pytest.mark.parametrize("name", ENCODINGS)
def test_whatever_is_drawn_is_a_piece_of_the_bars_asked_for(name, plan, slope):
    if slope < 0 and plan.bars > 1:
        pytest.skip("always the lowest class is a note a tick: one bar of it is enough")
    encoding = get_encoding(name)
    for seed in range(6 if plan.bars < 20 and not slope else 1):
        steps = compose(encoding, plan, seed, slope)
        score = encoding.decode(steps, plan)
        bars = Clock(score).bars
        assert len(bars) == plan.bars + bool(score.upbeat)
        assert score.upbeat == plan.upbeat or not plan.upbeat
        assert score.end <= bars[-1].end and score.metres == (Metre(0, *plan.metre),)
        assert (score.notes["onset"] + score.notes["duration"]).max() > bars[-1].start
        assert len(without_overlaps(score.notes)) == len(score)
        assert sounds(score.with_notes(without_overlaps(score.notes))) == sounds(score)


@pytest.mark.parametrize(
    "plan", PLANS[:2] + PLANS[3:4] + PLANS[5:7], ids=lambda plan: f"{plan.bars}x{plan.metre[0]}-{plan.metre[1]}"
)
@pytest.mark.parametrize("name", ENCODINGS)
def test_what_is_given_while_composing_is_what_training_saw(name, plan):
    """A piece that was composed, encoded anew, gives the very rows that its cursor gave, but for what is guessed."""
    encoding = get_encoding(name)
    guessed = ("style", "key")
    for seed in range(4):
        steps = compose(encoding, plan, seed)
        again = encoding.encode(encoding.decode(steps, plan), plan.controls)
        assert steps.shape == again.shape
        for field in encoding.fields:
            columns = slice(encoding.columns[field.name], encoding.columns[field.name] + field.width)
            if field.name not in guessed:
                assert steps[:, columns].tolist() == again[:, columns].tolist(), field.name


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_cursor_tells_the_time_as_its_encoding_does(name):
    encoding, plan = get_encoding(name), Plan(bars=2, upbeat=BEAT)
    model, times = Flat(encoding), []
    drawn = sample(model, [encoding.cursor(plan)], Sampling(min_p=0), [np.random.default_rng(3)])
    steps = np.array([row for _, row in drawn if times.append(getattr(model, "time", np.zeros(1))[0]) is None])
    expected = encoding.times(steps)
    assert np.diff(times[1:]).tolist() == np.diff(expected[:-1]).tolist()  # only differences of time are ever seen


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_piece_does_not_depend_on_those_composed_beside_it(name):
    encoding, plans = get_encoding(name), [PLANS[0], PLANS[3], PLANS[1]]
    cursors, rngs = [encoding.cursor(plan) for plan in plans], [np.random.default_rng(n) for n in range(3)]
    together: dict[int, list] = {n: [] for n in range(3)}
    for n, row in sample(Flat(encoding), cursors, Sampling(min_p=0), rngs):
        together[n].append(row)
    for n, plan in enumerate(plans):
        assert np.array_equal(np.array(together[n]), compose(encoding, plan, n))


# --- families


def built(family: str, fields, **options) -> Composer:
    """A family with small options, as far as it has them."""
    torch.manual_seed(0)
    kind = get_family(family)
    known = inspect.signature(kind.__init__).parameters
    return kind(fields, **{name: value for name, value in (SMALL | options).items() if name in known})


def families() -> list:
    return [
        pytest.param(name, options, id=f"{name}-{number}")
        for name in family_names()
        for number, options in enumerate(CELLS.get(name, ({},)))
    ]


def random_batch(encoding, size: int, length: int) -> dict[str, torch.Tensor]:
    """Rows of music that nobody wrote, some of which come twice; the last fifth of the second piece is padding."""
    rng = np.random.default_rng(7)
    drawn = [rng.integers(0, classes_of(field), (size, length + 1, field.width)) for field in encoding.fields]
    rows = np.concatenate(drawn, axis=-1)
    for field in encoding.composed:
        rows[:, 0, encoding.columns[field.name] :][:, : field.width] = -1
    part = length // 4
    rows[:, 1 + 2 * part : 1 + 3 * part] = rows[:, 1 : 1 + part]
    both = torch.from_numpy(rows)
    mask = torch.ones(size, length, dtype=torch.bool)
    mask[1:, -length // 5 :] = False
    time = torch.from_numpy(rng.integers(0, 24, (size, length + 1)).cumsum(1))
    return {"last": both[:, :-1], "steps": both[:, 1:], "time": time, "mask": mask}


def is_step_by_step(model: Composer) -> bool:
    return type(model).begin is not Composer.begin


@pytest.mark.parametrize("encoding_name", ENCODINGS)
@pytest.mark.parametrize(("family", "options"), families())
def test_the_loss_is_finite_and_reaches_every_parameter(family, options, encoding_name):
    encoding = get_encoding(encoding_name)
    model, batch = built(family, encoding.fields, **options), random_batch(encoding, 3, 20)
    reached = set()
    for parameters, loss in model.objectives().values():
        terms = loss(batch)
        assert terms and all(torch.isfinite(value) and value.ndim == 0 for value in terms.values())
        model.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in parameters if p.grad is not None)
        reached |= {id(p) for p in parameters if p.grad is not None and p.grad.abs().sum() > 0}
    learnt = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    assert [name for name, p in learnt if id(p) not in reached] == []


@pytest.mark.parametrize(("family", "options"), families())
def test_padding_does_not_count(family, options):
    encoding = get_encoding("notes")
    model, batch = built(family, encoding.fields, **options).eval(), random_batch(encoding, 2, 20)
    before = model.loss(batch)
    steps = batch["steps"].clone()
    steps[1, -3:] = 1
    after = model.loss(batch | {"steps": steps})
    assert all(torch.allclose(before[name], after[name]) for name in before)


@pytest.mark.parametrize(("family", "options"), families())
def test_step_by_step_is_the_same_as_all_at_once(family, options):
    encoding, length = get_encoding("notes"), CACHE_BLOCK + 12
    model, batch = built(family, encoding.fields, **options).eval(), random_batch(encoding, 2, CACHE_BLOCK + 12)
    if not is_step_by_step(model):
        pytest.skip(f"{family} paints {model.stride} steps at once")
    with torch.inference_mode():
        whole, state = model.hidden(batch), model.begin(2)
        for at in range(length):
            step = batch["last"][:, at], batch["steps"][:, at], batch["time"][:, at]
            hidden, state = model.advance(*step, state)
            assert torch.allclose(hidden, whole[:, at], atol=1e-4), f"step {at}"


@pytest.mark.parametrize(("family", "options"), families())
def test_a_later_step_changes_nothing_before_it(family, options):
    encoding, row = get_encoding("notes"), 9
    model, batch = built(family, encoding.fields, **options).eval(), random_batch(encoding, 2, 16)
    if not is_step_by_step(model):
        pytest.skip(f"{family} paints {model.stride} steps at once")
    rows = torch.cat([batch["last"], batch["steps"][:, -1:]], dim=1)
    for field in encoding.fields:
        if not field.given or field.after:
            column = encoding.columns[field.name]
            rows[:, row, column] = (rows[:, row, column] + 1) % field.size
    time = batch["time"].clone()
    time[:, row:] += 5
    changed = batch | {"last": rows[:, :-1], "steps": rows[:, 1:], "time": time}
    with torch.inference_mode():
        before, after = model.hidden(batch), model.hidden(changed)
    assert torch.equal(before[:, :row], after[:, :row])
    assert (before[:, row:] - after[:, row:]).abs().amax(-1).min() > 0


@pytest.mark.parametrize(("family", "options"), families())
def test_a_field_sees_those_chosen_before_it_and_no_other(family, options):
    encoding = get_encoding("notes")
    model, batch = built(family, encoding.fields, **options).eval(), random_batch(encoding, 2, 4)
    if not is_step_by_step(model):
        pytest.skip(f"{family} paints {model.stride} steps at once")
    if not any(True for _ in model.parameters()):
        pytest.skip(f"{family} has no parameters: a fresh one sees nothing")
    hidden, known = torch.randn(8, model.width), batch["steps"].flatten(0, 1)
    order = [field.name for field in encoding.composed]
    for place, name in enumerate(order):
        logits = model.logits(name, hidden, known)
        assert logits.shape == (8, encoding.composed[place].size)
        for field in encoding.fields:
            other = known.clone()
            column = encoding.columns[field.name]
            other[:, column] = (other[:, column] + 1) % field.size
            source = field.after or (field.name if not field.given else "")
            sees = source in order[:place] and model.is_chained
            assert torch.equal(model.logits(name, hidden, other), logits) != sees, f"{name} and {field.name}"


def test_a_transformer_goes_on_beyond_its_context_by_forgetting_the_oldest():
    encoding = get_encoding("voices")
    context, length = 8, 21
    model, batch = (
        built("transformer", encoding.fields, context=context, layers=1).eval(),
        random_batch(encoding, 1, 21),
    )
    with torch.inference_mode():
        state = model.begin(1)
        for at in range(length):
            step = batch["last"][:, at], batch["steps"][:, at], batch["time"][:, at]
            hidden, state = model.advance(*step, state)
        first = length - context  # one layer sees no further back, and its positions are all relative
        short = {name: value[:, first:] for name, value in batch.items()}
        assert torch.allclose(hidden, model.hidden(short)[:, -1], atol=1e-4)


def test_one_look_up_in_many_tables_is_the_sum_of_many():
    torch.manual_seed(0)
    tables = [torch.nn.Embedding(size, 5) for size in (3, 1, 7)]
    for shape in ((2, 4), (6,), (0, 4), (0,)):
        picked = [torch.randint(0, len(table.weight), shape) for table in tables]
        wanted = sum(table(index) for table, index in zip(tables, picked, strict=True))
        found = summed(tables, picked)
        assert found.shape == (*shape, 5) and torch.allclose(found, wanted, atol=1e-6)
    found.sum().backward()
    assert all(table.weight.grad is not None for table in tables)


@pytest.mark.parametrize("encoding_name", ENCODINGS)
def test_what_is_given_later_is_one_table_for_all_heads(encoding_name):
    encoding = get_encoding(encoding_name)
    heads = built("recurrent", encoding.fields).heads
    later = [field.name for field in encoding.given if field.after]
    first, *others = (field.name for field in encoding.composed)
    assert list(heads.told) == later and list(heads.view) == (others if later else [])
    assert heads.informed == {first: []} | dict.fromkeys(others, later)
