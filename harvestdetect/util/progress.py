"""Progress bars with rate and time left: in a terminal on standard error, in a notebook below its cell."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

__all__ = ["bar_for", "in_notebook", "notebook_bar", "progress_bar"]

EVERY: Final = 0.2
"""Least seconds between two pictures of a bar in a notebook."""
CELLS: Final = 30
"""Length of a bar in a notebook, in characters."""


def bar_for(what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    """The bar for the place where the program runs: :func:`notebook_bar` in a notebook, else :func:`progress_bar`."""
    return notebook_bar(what, total) if in_notebook() else progress_bar(what, total)


def in_notebook() -> bool:
    """Whether the program runs in the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


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


@contextmanager
def notebook_bar(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows the progress of a stage below the cell of a notebook, as plain text in one output that is updated.

    It needs no widgets. The output is empty when the stage ends.

    Args:
        description: name of the stage in a word or two; never text from a dump.
        total: number of items.
    """
    start = shown = time.monotonic()
    done = 0
    output: Any = None

    def advance(count: int) -> None:
        nonlocal done, shown, output
        done += count
        now = time.monotonic()
        if now - shown < EVERY:
            return
        shown = now
        picture = _Text(_picture(description, done, total, now - start))
        if output is None:
            output = _display(picture)
        else:
            output.update(picture)

    try:
        yield advance
    finally:
        if output is not None:
            output.update(_Text(""))


class _Text:
    """A text that a notebook shows without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _display(value: object) -> Any:
    """Shows a value in the notebook. Returns what updates it."""
    from importlib import import_module

    # A notebook has loaded IPython already, so this package does not require it.
    return import_module("IPython.display").display(value, display_id=True)


def _picture(description: str, done: int, total: int, seconds: float) -> str:
    share = min(done / total, 1.0) if total > 0 else 0.0
    full = round(CELLS * share)
    left = f", {seconds * (1 - share) / share:,.0f} s left" if 0 < share < 1 else ""
    return f"{description}  {'█' * full}{'░' * (CELLS - full)}  {done:,} of {total:,}{left}"
