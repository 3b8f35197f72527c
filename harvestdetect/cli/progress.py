"""A progress bar with rate and time left, on standard error; silent if that is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(description: str, total: int, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Shows the progress of a stage. Yields a function that takes how many more items are done.

    ::

        with progress_bar("meaning", total=corpus_size) as advance:
            encode_texts(..., progress=advance)

    Args:
        description: name of the stage in a word or two; never text from a dump.
        total: number of items.
        quiet: show nothing. Nothing is shown either if standard error is not a terminal.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda count: None
        return

    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f}/s")

    bar = Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(description, total=total)
        yield lambda count: bar.advance(task, count)
