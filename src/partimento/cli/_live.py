"""Training as it goes: bars that move on a terminal, plain lines elsewhere."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

MINUTE = 60.0


class Live:
    """Shows what is read and what is learnt, between `with` and its end; all of it on standard error."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.moves = self.console.is_terminal
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.fields[note]}"))
        self.bars = Progress(*columns, console=self.console, disable=not self.moves)
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Live:
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def say(self, line: str) -> None:
        """A sentence to be read."""
        self.console.print(line, markup=False)

    def read(self, stage: str, done: int, total: int) -> None:
        """So many files of a stage of reading are done."""
        self._move(stage, done, total, f"{done}/{total}")
        if not self.moves and done == total:
            self.say(f"{stage} {done}/{total}")

    def train(self, at) -> None:
        """Where training stands: on a terminal the bar moves, and each evaluation leaves a line."""
        where = f"{figures(at)}  {time_left(at.left)}"
        self._move("training", at.step, at.steps, where)
        stands = [f"step {at.step:6,}/{at.steps:,}  epoch {at.epoch:5.1f}  {where}"] * (at.valid is not None)
        for line in (*stands, *at.said) if at.health else (*at.said, *stands):
            self.say(line)

    def _move(self, name: str, done: int, total: int, note: str) -> None:
        """Move the bar `name`; a new one takes the place of those before it."""
        if name not in self.tasks:
            for done_before in self.tasks.values():
                self.bars.update(done_before, visible=False)
            self.tasks[name] = self.bars.add_task(name, total=total, note="")
        self.bars.update(self.tasks[name], completed=done, total=total, note=note)


def figures(at) -> str:
    """Losses in nats a step of music, and the pace."""
    right = f" ({at.accuracy:.0%} right)" if at.accuracy is not None else ""
    held_out = f"  held out {at.valid:.3f}{right}" if at.valid is not None else ""
    if not held_out and at.best is not None:
        held_out = f"  held out {at.best:.3f} at best"
    return f"train {at.train:.3f}{held_out}  {at.notes_per_second:,.0f} notes/s"


def time_left(seconds: float) -> str:
    """ "2 h 05 min left", "12 min left", "40 s left"."""
    if seconds >= 60 * MINUTE:
        hours, minutes = divmod(round(seconds / MINUTE), 60)
        return f"{hours} h {minutes:02} min left"
    return f"{seconds / MINUTE:.0f} min left" if seconds >= 2 * MINUTE else f"{seconds:.0f} s left"
