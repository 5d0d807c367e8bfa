"""The progress bar of long headless work. The only part of the command line that draws, so the only one that imports Rich."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from treadle_tui.cli.output import own_stdout


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int, int, int], None]]:
    """A bar on standard output, and the function that moves it: (all, settled, waiting for review, failed), in stages."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("stages"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[waiting]} to review · {task.fields[failed]} failed"),
    )
    console = Console(file=own_stdout())
    with Progress(*columns, console=console, auto_refresh=False, redirect_stdout=False) as progress:
        task = progress.add_task("stages", total=None, rate="", waiting=0, failed=0)

        def show(total: int, settled: int, waiting: int, failed: int) -> None:
            speed = progress.tasks[0].speed
            rate = f"{speed:.0f}/s" if speed else ""
            progress.update(task, total=total, completed=settled, rate=rate, waiting=waiting, failed=failed, refresh=True)

        yield show
