"""Shows progress: a bar on a terminal, and a line of text from time to time elsewhere."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from anomgan.machine.distributed import rank

SECONDS_BETWEEN_LINES = 10.0
WIDTH_FOR_FIGURES = 60
"""Least width of a terminal, in columns, to show figures beside the bar."""


class Report(Protocol):
    """A function called with the work done so far and the latest figures to show."""

    def __call__(self, done: int, figures: Mapping[str, float] = ...) -> None: ...


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Report]:
    """Show on standard error how much of the body's work is done.

    On a terminal, this is a bar with as many figures beside it as fit on the line. Elsewhere, it is
    a line of text every ten seconds. If several processes train together, only the first one
    shows it.
    """
    console = Console(stderr=True)
    if rank():
        yield lambda done, figures={}: None
    elif console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task(title, total=total, figures="")

            def show(done: int, figures: Mapping[str, float] = {}) -> None:
                bar.update(task, completed=done, figures=_spell(figures))

            yield show
    else:
        yield _Lines(console, title, total)


def _bar(console: Console) -> Progress:
    figures = TextColumn(
        "{task.fields[figures]}",
        style="dim",
        table_column=Column(ratio=2, no_wrap=True, overflow="ellipsis"),
    )
    title = Column(no_wrap=True, overflow="ellipsis", max_width=max(8, console.width // 4))
    return Progress(
        TextColumn("{task.description}", table_column=title),
        BarColumn(None, table_column=Column(ratio=1, min_width=6)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
        *([figures] if console.width >= WIDTH_FOR_FIGURES else []),
        console=console,
        expand=True,
        transient=True,
    )


class _Lines:
    """Reports progress in lines of text, for log files and pipes."""

    def __init__(self, console: Console, title: str, total: int) -> None:
        self.console, self.title, self.total = console, title, total
        self.began = self.latest = time.monotonic()

    def __call__(self, done: int, figures: Mapping[str, float] = {}) -> None:
        now = time.monotonic()
        if now - self.latest < SECONDS_BETWEEN_LINES:
            return
        self.latest = now
        text = f"{self.title}: {done} of {self.total}"
        if 0 < done < self.total:
            left = (now - self.began) / done * (self.total - done)
            text += f", {timedelta(seconds=round(left))} left"
        text = "  ".join(filter(None, (text, _spell(figures))))
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def _spell(figures: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.3g}" for name, value in figures.items())
