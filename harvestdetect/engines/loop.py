"""The engine that runs everything in this process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from harvestdetect.engines.sharing import Here

__all__ = ["Loop"]

T = TypeVar("T")


class Loop:
    """Runs each function when its result is asked for."""

    workers = 1
    elsewhere = False

    def submit(self, function: Callable[..., T], /, *arguments: Any) -> Callable[[], T]:
        """Keeps the call until its result is asked for."""
        return partial(function, *arguments)

    def share(self, value: T) -> Here[T]:
        """The value itself."""
        return Here(value)

    def forget(self, value: object) -> None:
        """Nothing: nothing is kept."""

    def rest(self) -> None:
        """Nothing: there are no workers."""

    def close(self) -> None:
        """Nothing: there are no workers."""
