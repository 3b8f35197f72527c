"""Pure functions of plain values, called in other processes where there is much to do, in any order, with the same
results.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

__all__ = ["ProcessPool"]

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


class ProcessPool:
    """Other processes, and threads that wait for them; its own context manager.

    Args:
        workers: processes; below 2 there are none, nor threads, and everything is done here.
    """

    def __init__(self, workers: int = 1) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._processes: ProcessPoolExecutor | None = None
        if workers > 1:
            from multiprocessing import get_context

            try:
                self._processes = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin)
            except OSError:  # a full /dev/shm has no room for the queues of processes
                return
            # one more, so that what the processes are to do next is read while they work
            self._threads = ThreadPoolExecutor(workers + 1)

    def __enter__(self) -> ProcessPool:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in (self._threads, self._processes):
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)

    def call(self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """What a function of a module gives; where it runs elsewhere, arguments and result are pickled.

        If processes cannot be started, or one is killed, it is done here, and so is all that follows.
        """
        processes = self._processes
        if processes is not None:
            try:
                return processes.submit(function, *arguments, **named).result()
            except (BrokenExecutor, OSError):
                self._processes = None
        return function(*arguments, **named)

    def over(self, do: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
        """``map``, on several threads: for functions that :meth:`call` others."""
        return map(do, items) if self._threads is None else self._threads.map(do, items)


def _begin() -> None:
    """One thread to a process; and only the one that started them hears of an interruption."""
    import numpy  # noqa: F401  what is limited must be there
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
