"""A progress bar on a terminal, silence elsewhere."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from anomgan.machine.distributed import rank


class Report(Protocol):
    """Called with the work done so far and the latest figures to show beside the bar."""

    def __call__(self, done: int, figures: Mapping[str, float] = ...) -> None: ...


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Report]:
    """Show a bar on standard error while the body runs; nothing when that is not a terminal.

    Of several processes that train together, the first one shows it.
    """
    console = Console(stderr=True)
    shown = console.is_terminal and rank() == 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}", style="dim"),
    )
    with Progress(*columns, console=console, disable=not shown, transient=True) as bar:
        task = bar.add_task(title, total=total, figures="")

        def report(done: int, figures: Mapping[str, float] = {}) -> None:
            text = "  ".join(f"{name} {value:.3g}" for name, value in figures.items())
            bar.update(task, completed=done, figures=text)

        yield report
