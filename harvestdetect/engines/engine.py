"""The shape of an engine, and a map over it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol, TypeVar

from harvestdetect.engines.sharing import Shared

__all__ = ["Engine", "lots", "map_in_order"]

T = TypeVar("T")
S = TypeVar("S")

QUEUED: Final = 3
"""Number of unfinished tasks of a map, for each worker. Results are taken in order, so a slow task needs others behind
it."""
LOTS: Final = 16
"""Number of lots for each worker into which :func:`lots` divides its items."""


class Engine(Protocol):
    """Runs functions of modules. Their arguments and results can be pickled."""

    @property
    def workers(self) -> int:
        """Number of tasks that run at once; 1 for an engine that runs everything here."""

    @property
    def elsewhere(self) -> bool:
        """Whether workers may be on other machines. Then work that uses all cores of this one is worth sending too."""

    def submit(self, function: Callable[..., T], /, *arguments: Any) -> Callable[[], T]:
        """Begins a call.

        Returns:
            what waits for the result. An exception of the function is raised there. It is called once.
        """

    def share(self, value: S) -> Shared[S]:
        """Puts a value where the workers can read it. It must not change afterwards."""

    def forget(self, value: object) -> None:
        """Lets go of a shared value that no further task needs, by itself or within another one."""

    def rest(self) -> None:
        """Ends workers that have nothing to do, and drops what was submitted and not asked for. The next call starts
        workers again."""

    def close(self) -> None:
        """Ends all workers and removes what was shared."""


def map_in_order(engine: Engine, function: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """As ``map``: the result of a function for each item, in order. Items are taken as they are needed.

    Args:
        engine: runs the function.
        function: of a module, or a ``partial`` of one whose large arguments are shared.
        items: small ones.
    """
    waiting: deque[Callable[[], T]] = deque()
    for item in items:
        waiting.append(engine.submit(function, item))
        if len(waiting) >= QUEUED * engine.workers:
            yield waiting.popleft()()
    while waiting:
        yield waiting.popleft()()


def lots(items: Sequence[S], engine: Engine, *, most: int) -> list[Sequence[S]]:
    """Items in order, several for each task.

    Args:
        items: of a map.
        engine: that runs it.
        most: items of a task.
    """
    size = max(1, min(most, -(-len(items) // (LOTS * engine.workers))))
    return [items[first : first + size] for first in range(0, len(items), size)]
