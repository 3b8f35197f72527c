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

    Bars that are open at the same time share one display. A bar without a total shows that something is going on, and
    for how long. It makes room for a bar that is opened inside of it. A bar that has reached its total is no longer
    shown.

    Args:
        description: name of the stage in a word or two; never text from a dump.
        total: number of items; 0 if it is not known.
        quiet: show nothing. Nothing is shown either if standard error is not a terminal.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda count: None
        return
    task = _terminal.open(description, total)
    try:
        yield lambda count: _terminal.advance(task, count)
    finally:
        _terminal.close(task)


class _Display:
    """The bars that are open, in the order in which they were opened."""

    def __init__(self) -> None:
        self._bars: Any = None
        self._open: list[Any] = []

    def open(self, description: str, total: int) -> Any:
        """Adds a bar. Returns its task."""
        if self._bars is None:
            self._bars = _new_bars()
            self._bars.start()
        self._show_last(False)
        task = self._bars.add_task(description, total=total or None)
        self._open.append(task)
        return task

    def advance(self, task: Any, count: int) -> None:
        """Counts items of a bar, and hides it when all are done."""
        self._bars.advance(task, count)
        if self._bars.tasks[self._bars.task_ids.index(task)].finished:
            self._bars.update(task, visible=False)

    def close(self, task: Any) -> None:
        """Removes a bar, and the display with the last one."""
        self._open.remove(task)
        self._bars.remove_task(task)
        self._show_last(True)
        if not self._open:
            self._bars.stop()
            self._bars = None

    def _show_last(self, visible: bool) -> None:
        """Shows or hides the last bar, if it has no total."""
        if self._open:
            task = self._bars.tasks[self._bars.task_ids.index(self._open[-1])]
            if task.total is None:
                self._bars.update(task.id, visible=visible)


_terminal: Final = _Display()
"""The bars of this process: two displays would write over each other."""


def _new_bars() -> Any:
    """A display of bars on standard error that leaves nothing behind."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
    from rich.text import Text

    class Count(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if task.total is None else f"{task.completed:,.0f}/{task.total:,.0f}")

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = None if task.total is None else task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f}/s")

    class Seconds(TimeRemainingColumn):
        """The time left, or the time since the beginning where the total is not known."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.elapsed or 0:,.0f} s") if task.total is None else super().render(task)

    return Progress(
        "{task.description}", BarColumn(), Count(), Rate(), Seconds(), console=Console(stderr=True), transient=True
    )


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
