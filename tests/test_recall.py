"""What the family `relative` recalls: the continuation of the place that agrees longest with the music so far."""

import numpy as np
import torch

from music import score_of
from partimento.encodings import get_encoding
from partimento.models._recall import CAP, GRADES, Recall
from partimento.models.relative import Family

VOICES = get_encoding("voices")
TUNE = "C5 E5 D5 G5 F5 A5 B5 C6"


def rows_of(soprano: str, bass: str) -> torch.Tensor:
    """Two lines, written as in `score_of`, as steps (1, T, columns)."""
    score = score_of(soprano, bass)
    return torch.from_numpy(VOICES.encode(score).astype(np.int64))[None]


def quarters(pitches: str) -> str:
    return ", ".join(f"{pitch} quarter" for pitch in pitches.split())


def recalled(soprano: str, bass: str, reach: int = 64):
    """By step: choices recalled of all lines (T, 4) with their grade (T,), of each line (T, 4) with grades (T, 4)."""
    rows = rows_of(soprano, bass)
    recall = Recall(VOICES.fields, reach)
    found = recall.through(rows[:, :-1], rows[:, 1:])[0].long()
    return rows[0, 1:, recall.chosen], found[:, :4], found[:, 4], found[:, 5:9], found[:, 9:]


def test_a_strain_that_returns_is_recalled_to_its_end():
    strain, low = quarters(TUNE), quarters("C3 A3 B3 G3 D3 F3 G3 C3")
    did, together, grade, _, _ = recalled(f"{strain}, {strain}", f"{low}, {low}")
    second = slice(32 + 8, 64)  # two quarters are enough to know it by
    assert (together[second] == did[second]).all()
    assert grade[-1] == GRADES.index(8)  # eight moves agreed by then: grade of 8
    assert grade[:32].max() <= GRADES.index(1)  # nothing in the strain itself repeats


def test_a_tune_that_returns_with_another_bass_is_recalled_by_itself():
    strain = quarters(TUNE)
    low = f"{quarters('C3 A3 B3 G3 D3 F3 G3 C3')}, {quarters('A2 B2 F3 E3 D3 C3 B2 A2')}"
    did, together, grade, each, grades = recalled(f"{strain}, {strain}", low)
    late = slice(32 + 12, 64)
    assert (each[late, 0] == did[late, 0]).all() and (grades[late, 0] >= 3).all()
    assert not (together[late] == did[late]).all() and grade[late].max() < grades[late, 0].min()


def test_a_long_note_is_no_return_of_itself():
    _, together, grade, _, _ = recalled("C5 whole, D5 whole", "C3 whole, B2 whole")
    assert (grade == 0).all() and (together == -1).all()


def test_what_lies_further_back_than_the_reach_is_forgotten():
    strain, low = quarters(TUNE), quarters("C3 A3 B3 G3 D3 F3 G3 C3")
    for reach, is_known in ((32, True), (31, False)):
        _, _, grade, _, _ = recalled(f"{strain}, {strain}", f"{low}, {low}", reach)
        assert (grade[-1] > GRADES.index(2)) == is_known


def test_of_two_places_that_agree_longer_wins_then_later():
    #        E5 follows C5 D5 after A5; G5 follows C5 D5 after B5; the end comes after B5 again
    tune = quarters("A5 C5 D5 E5 B5 C5 D5 G5 A5 C5 D5 F5 B5 C5 D5")
    did, _, _, each, _ = recalled(f"{tune}, G5 quarter", "C3 whole, C3 whole, C3 whole, C3 whole")
    assert each[-4, 0] == did[-4, 0] == VOICES.fields[-4].pitch_at + 79
    tune = quarters("C5 E5 F5 C5 G5 F5 C5")
    _, _, _, each, _ = recalled(f"{tune}, A5 quarter", "C3 whole, C3 whole")
    assert each[-4, 0] == VOICES.fields[-4].pitch_at + 79  # G5, which came later than E5


def test_grades_grow_with_the_agreement():
    grades = Recall(VOICES.fields, 4).grades
    assert len(grades) == CAP + 1 and grades[0] == 0 and grades[-1] == len(GRADES) - 1
    assert (grades.diff() >= 0).all() and all(grades[first] == at for at, first in enumerate(GRADES))


def test_a_model_with_recall_learns_to_trust_a_return():
    """From one piece that repeats, moved to all keys, the second time becomes surer than the first."""
    torch.manual_seed(0)
    strain, low = quarters(TUNE), quarters("C3 A3 B3 G3 D3 F3 G3 C3")
    rows = rows_of(f"{strain}, {strain}", f"{low}, {low}").numpy()
    model = Family(VOICES.fields, width=8, head_width=8, layers=1, dropout=0.0, intervals=0, recall=64)
    optimiser = torch.optim.Adam([*model.heads.recalled.parameters()], lr=0.03)  # all else stays as it began
    keys = [torch.from_numpy(VOICES.transpose(rows, key)) for key in range(-3, 4)]
    for turn in range(60):
        moved = keys[turn % 6]
        batch = batch_of(moved)
        optimiser.zero_grad()
        sum(model.loss(batch).values()).backward()
        optimiser.step()
    with torch.no_grad():
        nats = model.nats(batch_of(keys[6]))[0]["soprano"][0]
    assert nats[40:64].mean() < 0.3 * nats[8:32].mean()


def batch_of(rows: torch.Tensor) -> dict[str, torch.Tensor]:
    steps = rows[:, 1:]
    return {
        "last": rows[:, :-1], "steps": steps, "mask": torch.ones(steps.shape[:2], dtype=torch.bool),
        "time": torch.arange(rows.shape[1])[None] * 6,
    }  # fmt: skip
