"""What came next when the music stood as it stands now: a return is told, not guessed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..encodings.base import Field, columns_of

CAP = 63  # moves of agreement to which they are counted
GRADES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 23, 31, 43)  # of agreement: where the next one begins
WIDEST = 12  # semitones of a recalled move
UNHEARD = -2  # before the music; -1 is silence
LOUD = 4.0  # by which scores are raised, so that they are learnt in time
BEFORE_ANY, AGREED, LEFT = 0, 1, 2  # whether the lines chosen in this step did what is recalled


class Recall(nn.Module):
    """Looks back `reach` steps for the place that agrees longest with what sounds now, and says what came there.

    A model with a fading memory learns seldom, from a small corpus, that a strain which begins again will go on as it
    did; here the longest agreement is found as by prediction with partial matching (Cleary and Witten 1984). It is
    looked for twice: of all lines together, and of each line by itself (a tune that returns with other harmony).
    Agreement is counted in moves, so that long notes do not seem a return of themselves.
    """

    columns: Tensor
    chosen: Tensor
    zeros: Tensor
    grades: Tensor

    def __init__(self, fields: Sequence[Field], reach: int):
        super().__init__()
        at = columns_of(fields)
        held = {entry.holds: entry.name for entry in fields if not entry.given and entry.holds and entry.pitch_at >= 0}
        lines = [entry for entry in fields if entry.name in held and entry.pitch_at >= 0]
        self.names = [held[entry.name] for entry in lines]  # of what is chosen, line by line
        self.lines, self.reach = len(lines), reach
        self.size = 3 * len(lines) + 1  # numbers that `listen` finds
        for name, values in (
            ("columns", [at[one.name] for one in lines]), ("chosen", [at[one] for one in self.names]),
            ("zeros", [one.pitch_at for one in lines]),
            ("grades", [sum(first <= moves for first in GRADES) - 1 for moves in range(CAP + 1)]),
        ):  # fmt: skip
            self.register_buffer(name, torch.tensor(values, dtype=torch.long), persistent=False)

    def begin(self, size: int) -> list[Tensor]:
        """Nothing heard. By steps back: pitches and choices of the lines, moves of agreement of all and of each."""
        shape = (size, self.reach, self.lines)
        heard = torch.full(shape, UNHEARD, dtype=torch.int64)
        done = torch.full(shape, -1, dtype=torch.int64)
        return [heard, done, torch.zeros(shape[:2], dtype=torch.int64), torch.zeros(shape, dtype=torch.int64)]

    def listen(self, last: Tensor, given: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Rows (B, columns) of the last and the coming step -> what is recalled (B, size) float, the state.

        Of all lines together: the choice of each line (-1 where nothing agrees), the grade of agreement; then of each
        line by itself likewise.
        """
        heard, done, moves, own = state
        pitches = (given[..., self.columns] - self.zeros).clamp(min=-1)
        moved = pitches != heard[:, 0]
        same = heard == pitches[:, None]
        done = torch.cat([last[..., self.chosen][:, None], done[:, :-1]], dim=1)
        zero = torch.zeros_like(moves)
        moves = torch.where(same.all(-1), (moves + moved.any(-1)[:, None].long()).clamp(max=CAP), zero)
        own = torch.where(same, (own + moved[:, None].long()).clamp(max=CAP), zero[..., None])
        heard = torch.cat([pitches[:, None], heard[:, :-1]], dim=1)
        return self._found(done, moves, own), [heard, done, moves, own]

    def _found(self, done: Tensor, moves: Tensor, own: Tensor) -> Tensor:
        """The choices made where the agreement is longest; of places that agree alike, the latest."""
        late = torch.arange(self.reach, 0, -1, device=moves.device)
        rank = moves * self.reach + late
        best = rank.argmax(1, keepdim=True)  # (B, 1)
        best_own = (own * ((CAP + 1) * self.reach) + rank[..., None]).argmax(1, keepdim=True)  # (B, 1, lines)
        length, length_own = moves.gather(1, best), own.gather(1, best_own)[:, 0]
        all_did = done.gather(1, best[..., None].expand(-1, -1, self.lines))[:, 0]
        each_did = done.gather(1, best_own)[:, 0]
        nothing = torch.full_like(all_did, -1)
        found = [
            torch.where(length > 0, all_did, nothing), self.grades[length],
            torch.where(length_own > 0, each_did, nothing), self.grades[length_own],
        ]  # fmt: skip
        return torch.cat(found, dim=-1).float()

    @torch.no_grad()
    def through(self, last: Tensor, steps: Tensor) -> Tensor:
        """Rows (B, T, columns) -> what is recalled at each step (B, T, size); nothing here is learnt."""
        state, found = [one.to(steps.device) for one in self.begin(len(steps))], []
        for before, now in zip(last.unbind(1), steps.unbind(1), strict=True):
            recalled, state = self.listen(before, now, state)
            found.append(recalled)
        return torch.stack(found, dim=1)


class Recalled(nn.Module):
    """What is recalled, to the choice of one line: told to the head, and a score for the very choice."""

    classes: Tensor

    def __init__(self, field: Field, recall: Recall, before: Sequence[str], width: int):
        super().__init__()
        self.lines, self.line, self.pitch_at = recall.lines, recall.names.index(field.name), field.pitch_at
        self.others = [(recall.names.index(name), int(recall.chosen[recall.names.index(name)])) for name in before]
        self.register_buffer("classes", torch.arange(field.size), persistent=False)
        tables = {"all": 3 * len(GRADES), "own": len(GRADES)}
        self.scores = nn.ModuleDict({name: nn.Embedding(size, 1) for name, size in tables.items()})
        self.strengths = nn.ModuleDict({name: nn.Embedding(size, width) for name, size in tables.items()})
        self.kinds = nn.ModuleDict({name: nn.Embedding(3 + 2 * WIDEST + 1, width) for name in tables})
        self.sure = nn.Linear(width, len(tables))
        for table in self.scores.values():
            nn.init.zeros_(table.get_parameter("weight"))
        for table in (*self.strengths.values(), *self.kinds.values()):
            nn.init.normal_(table.get_parameter("weight"), std=0.1)

    def told(self, recalled: Tensor, chosen: Tensor, own: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Recalled (..., size), known columns (..., columns), the line's pitch (...) -> (..., width) for the head, and
        the choices recalled with how surely, each (...), for `scored`."""
        recalled = recalled.long()
        all_did, length = recalled[..., : self.lines], recalled[..., self.lines]
        state = torch.full_like(length, BEFORE_ANY)
        if self.others:
            agreed = torch.stack([all_did[..., line] == chosen[..., at] for line, at in self.others], -1).all(-1)
            state = torch.where(agreed, torch.full_like(length, AGREED), torch.full_like(length, LEFT))
        each_did, own_length = recalled[..., self.lines + 1 : -self.lines], recalled[..., -self.lines :]
        found = {
            "all": (all_did[..., self.line], length * 3 + state),
            "own": (each_did[..., self.line], own_length[..., self.line]),
        }
        mixed = torch.zeros((), device=recalled.device)
        for name, (did, strength) in found.items():
            mixed = mixed + self.strengths[name](strength) + self.kinds[name](self._kind(did, own))
        return mixed, list(found.values())

    def _kind(self, did: Tensor, own: Tensor) -> Tensor:
        """A choice as what it does: 0 none, then hold, rest, or a move of so many semitones from the pitch `own`."""
        move = (did - self.pitch_at - own).clamp(-WIDEST, WIDEST) + WIDEST + 3
        return torch.where(did < self.pitch_at, did + 1, move)

    def scored(self, seen: Tensor, found: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """What the head sees at last (..., width), and what `told` found -> scores (..., classes)."""
        sure, total = self.sure(seen), torch.zeros((), device=seen.device)
        for at, (table, (did, strength)) in enumerate(zip(self.scores.values(), found, strict=True)):
            score = LOUD * table(strength)[..., 0] + sure[..., at]
            total = total + score[..., None] * (did[..., None] == self.classes)
        return total
