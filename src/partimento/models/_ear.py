"""What a listener has in the ear of the music so far, told by intervals and so alike in every key."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

from ..encodings.base import Field, columns_of

FADES = (0.5, 0.8, 0.95, 0.99)  # what is left after a step of what was heard: the chord, the bar, the phrase, the key
CLASSES = 12  # pitch classes
LONGEST = 31  # steps on one pitch, beyond which none are told apart
RECENT = 4  # pitches of each line that are remembered
WIDEST, FARTHEST = 12, 31  # semitones of a move and between two lines, likewise
SPREAD = 0.2  # of the tables' entries as training begins
LOUD = 4.0  # by which the shares of pitch classes, mostly below a third, are brought near to 1


class Ear(nn.Module):
    """Listens to the lines of the music, step by step.

    The lines are the pitches that sound as a step begins (given fields that a composed one `holds`). For each line it
    remembers for how many steps its pitch has been there and its last `RECENT` pitches; of all lines together, how
    much of each pitch class has been heard, fading at four rates (as a key is felt: Toiviainen and Krumhansl 2003).
    `forward` makes of it a vector in which pitches enter by their intervals alone. While it learns, each single thing
    is missed at a share `missed` of the steps.
    """

    columns: Tensor
    zeros: Tensor
    fades: Tensor

    def __init__(self, fields: Sequence[Field], width: int, missed: float = 0.0):
        super().__init__()
        self.missed = missed
        at, held = columns_of(fields), {entry.holds for entry in fields if not entry.given}
        lines = [entry for entry in fields if entry.name in held and entry.pitch_at >= 0]
        self.lines, self.size = len(lines), len(FADES) * CLASSES * bool(lines)  # numbers that `shares` gives
        self.register_buffer(
            "columns", torch.tensor([at[one.name] for one in lines], dtype=torch.long), persistent=False
        )
        self.register_buffer("zeros", torch.tensor([one.pitch_at for one in lines], dtype=torch.long), persistent=False)
        self.register_buffer("fades", torch.tensor(FADES)[:, None], persistent=False)
        self.ages = nn.ModuleList(nn.Embedding(1 + LONGEST, width) for _ in lines)
        self.moves = nn.ModuleList(nn.Embedding(2 + 2 * WIDEST, width) for _ in range(len(lines) * (RECENT - 1)))
        self.pairs = list(combinations(range(len(lines)), 2))
        self.between = nn.ModuleList(nn.Embedding(2 + 2 * FARTHEST, width) for _ in self.pairs)
        self.key = nn.Linear(self.size, width) if lines else None
        for table in (*self.ages, *self.moves, *self.between):
            nn.init.normal_(table.get_parameter("weight"), std=SPREAD)

    def begin(self, size: int) -> list[Tensor]:
        """Nothing heard: ages (size, lines), pitches (size, lines, RECENT), shares (size, fades * 12) of classes."""
        recent = torch.full((size, self.lines, RECENT), -1, dtype=torch.int64)
        return [torch.zeros(size, self.lines), recent, torch.zeros(size, self.size)] if self.lines else []

    def pitches(self, rows: Tensor) -> Tensor:
        """Rows (..., columns) of coming steps -> the pitch of each line as they begin (..., lines), -1 for silence."""
        found = rows[..., self.columns] - self.zeros
        return torch.where(found < 0, torch.full_like(found, -1), found)

    def listen(self, pitches: Tensor, heard: Sequence[Tensor]) -> list[Tensor]:
        """What is in the ear once lines sound `pitches` (B, lines), from what was before."""
        age, recent, shares = heard
        sung = pitches >= 0
        moved = sung & (pitches != recent[..., 0])
        older = torch.cat([pitches[..., None], recent[..., :-1]], dim=-1)
        one = (pitches[..., None] % CLASSES == torch.arange(CLASSES, device=pitches.device)) & sung[..., None]
        now = one.to(shares.dtype).mean(-2)[:, None]  # (B, 1, classes)
        kept = shares.unflatten(-1, (len(FADES), CLASSES))
        kept = kept * self.fades + (1 - self.fades) * now
        return [
            torch.where(moved, torch.zeros_like(age), (age + 1).clamp(max=LONGEST)),
            torch.where(moved[..., None], older, recent), kept.flatten(-2),
        ]  # fmt: skip

    def through(self, rows: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Rows (B, T, columns) -> pitches (B, T, lines) and what is in the ear at each step, each (B, T, ...)."""
        pitches = self.pitches(rows)
        heard, found = [one.to(rows.device) for one in self.begin(len(rows))], []
        with torch.no_grad():  # nothing here is learnt
            for step in pitches.unbind(1):
                heard = self.listen(step, heard)
                found.append(heard)
        return pitches, [torch.stack(one, dim=1) for one in zip(*found, strict=True)]

    def forward(self, pitches: Tensor, heard: Sequence[Tensor]) -> Tensor:
        """Pitches (..., lines) and what is in the ear, likewise, -> (..., width)."""
        age, recent, shares = heard
        found = torch.zeros((), device=pitches.device)
        for line, table in enumerate(self.ages):
            found = found + self._noticed(table(age[..., line].long()))
        for number, table in enumerate(self.moves):
            line, back = divmod(number, RECENT - 1)
            interval = _interval(recent[..., line, back], recent[..., line, back + 1], WIDEST)
            found = found + self._noticed(table(interval))
        for (first, second), table in zip(self.pairs, self.between, strict=True):
            found = found + self._noticed(table(_interval(pitches[..., first], pitches[..., second], FARTHEST)))
        if self.key is not None:  # as heard from the line that is chosen second, in four voices the bass
            found = found + self._noticed(self.key(_turned(shares, pitches[..., min(1, self.lines - 1)]) * LOUD))
        return found

    def _noticed(self, told: Tensor) -> Tensor:
        """What is told (..., width), but for the steps at which it is missed."""
        if not (self.training and self.missed):
            return told
        kept = torch.rand(told.shape[:-1], device=told.device) >= self.missed
        return told * kept[..., None]


def _interval(pitch: Tensor, other: Tensor, most: int) -> Tensor:
    """The interval between two pitches as a class, 1 to 2 `most` + 1; 0 where one of them is silence."""
    found = (pitch - other).clamp(-most, most) + most + 1
    return torch.where((pitch < 0) | (other < 0), torch.zeros_like(found), found)


def _turned(shares: Tensor, pitch: Tensor) -> Tensor:
    """Shares (..., fades * 12) of the pitch classes, counted from `pitch` (...) upwards."""
    kept = shares.unflatten(-1, (len(FADES), CLASSES))
    index = (torch.arange(CLASSES, device=pitch.device) + pitch.clamp(min=0)[..., None]) % CLASSES
    return kept.gather(-1, torch.stack([index] * len(FADES), dim=-2)).flatten(-2)


class Between(nn.Module):
    """What one line has just done, to the choice of another: held or moved, by how much, and how far apart they are."""

    def __init__(self, width: int):
        super().__init__()
        self.held, self.apart, self.move = (nn.Embedding(size, width) for size in (2, 2 + 2 * FARTHEST, 2 + 2 * WIDEST))
        for table in (self.held, self.apart, self.move):
            nn.init.normal_(table.weight, std=SPREAD)

    def forward(self, now: Tensor, before: Tensor, own: Tensor, is_held: Tensor) -> Tensor:
        """Pitches (...) of the other line now and before, and of the own line before; -> (..., width)."""
        apart, move = _interval(now, own, FARTHEST), _interval(now, before, WIDEST)
        return self.held(is_held.long()) + self.apart(apart) + self.move(move)


class Profile(nn.Module):
    """Scores of pitches by the pitch classes that are in the ear, alike in all keys.

    For each rate of fading, `rank` curves over the intervals from a class that was heard to the pitch, of which what
    the head sees says how much there is: a key's profile, and a chord's, is so learnt once.
    """

    turns: Tensor
    classes: Tensor
    pitched: Tensor

    def __init__(self, field: Field, width: int, rank: int):
        super().__init__()
        pitch = torch.arange(field.size) - field.pitch_at
        index = torch.arange(CLASSES)
        self.rank = rank
        self.register_buffer("turns", (index[:, None] - index) % CLASSES, persistent=False)
        self.register_buffer("classes", pitch % CLASSES, persistent=False)
        self.register_buffer("pitched", pitch >= 0, persistent=False)
        self.weigh = nn.Linear(width, len(FADES) * rank)
        self.curves = nn.Parameter(torch.randn(len(FADES), rank, CLASSES) * 0.1)

    def forward(self, seen: Tensor, shares: Tensor) -> Tensor:
        """What the head sees (..., width), shares (..., fades * 12) -> scores (..., classes); 0 for no pitch."""
        weights = self.weigh(seen).unflatten(-1, (len(FADES), self.rank))
        curves = torch.einsum("...sr,sri->...si", weights, self.curves)[..., self.turns]  # (..., fades, to, from)
        kept = shares.unflatten(-1, (len(FADES), 1, CLASSES)) * LOUD
        return (curves * kept).sum((-1, -3))[..., self.classes] * self.pitched
