"""A pool of processes for pure functions. Without processes, everything runs in this one, with the same results."""

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
    """Processes that run functions, and threads that wait for them. It is its own context manager.

    Args:
        workers: number of processes; with 0 and 1 there are no processes and no threads.
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
            # One more thread, so that the next work is read while the processes are busy.
            self._threads = ThreadPoolExecutor(workers + 1)

    def __enter__(self) -> ProcessPool:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in (self._threads, self._processes):
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)

    def call(self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """Calls a function of a module in another process. Arguments and result are pickled.

        If processes cannot be started, or one is killed, the function runs here, and so do all later ones.
        """
        processes = self._processes
        if processes is not None:
            try:
                return processes.submit(function, *arguments, **named).result()
            except (BrokenExecutor, OSError):
                self._processes = None
        return function(*arguments, **named)

    def over(self, do: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
        """As ``map``, on several threads, for functions that use :meth:`call`."""
        return map(do, items) if self._threads is None else self._threads.map(do, items)


def _begin() -> None:
    """Limits a process to one thread. Only the process that started it reacts to Ctrl-C."""
    import numpy  # noqa: F401  it must be loaded before it can be limited
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
