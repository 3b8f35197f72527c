"""The engine of several processes of this machine."""

from __future__ import annotations

import signal
import weakref
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Future, ProcessPoolExecutor
from functools import partial
from typing import Any, Final, Generic, NamedTuple, TypeVar

from harvestdetect.engines.sharing import Exchange, Stored
from harvestdetect.util.own_process import collect_rarely, leave_pandas_out
from harvestdetect.util.scratch import Place

__all__ = ["Processes", "begin_worker"]

T = TypeVar("T")

RESTARTS: Final = 3
"""Number of times that killed processes are replaced. After that, everything runs in this process."""


class _Sent(NamedTuple, Generic[T]):
    """A call in one of the processes of a pool."""

    future: Future[T]
    pool: ProcessPoolExecutor


class Processes:
    """Runs functions in processes, which are started by the first call.

    If processes cannot be started, or have been killed too often, everything runs in this process.

    Args:
        workers: number of processes.
        place: folder of shared values, see :class:`~harvestdetect.util.scratch.ScratchFile`.
    """

    elsewhere = False

    def __init__(self, workers: int, *, place: Place = None) -> None:
        self.workers = workers
        self._exchange = Exchange(place=place)
        self._pool: ProcessPoolExecutor | None = None
        self._broken = 0

    def submit(self, function: Callable[..., T], /, *arguments: Any) -> Callable[[], T]:
        """Begins a call in another process. A call whose process is killed is made again."""
        return partial(self._result, self._sent(function, *arguments), function, *arguments)

    def share(self, value: T) -> Stored[T]:
        """Puts a value into a file without a name, which the processes open."""
        return self._exchange.put(value)

    def forget(self, value: object) -> None:
        """Closes the file of a shared value."""
        self._exchange.forget(value)

    def rest(self) -> None:
        """Ends the processes."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def close(self) -> None:
        """Ends the processes and closes the files."""
        self.rest()
        self._exchange.clear()

    def _sent(self, function: Callable[..., T], *arguments: Any) -> _Sent[T] | None:
        """The call in another process; None if it is to be made in this one."""
        while self.workers > 1:
            try:
                if self._pool is None:
                    from multiprocessing import get_context

                    context = get_context("spawn")
                    self._pool = ProcessPoolExecutor(self.workers, mp_context=context, initializer=begin_worker)
                    weakref.finalize(self, self._pool.shutdown, wait=False, cancel_futures=True)
                return _Sent(self._pool.submit(function, *arguments), self._pool)
            except BrokenExecutor:
                self._replace()
            except OSError:  # a full /dev/shm has no room for the queues of processes
                self.workers = 1
        return None

    def _result(self, sent: _Sent[T] | None, function: Callable[..., T], *arguments: Any) -> T:
        while sent is not None:
            try:
                return sent.future.result()
            except (BrokenExecutor, CancelledError):
                if sent.pool is self._pool:
                    self._replace()
                sent = self._sent(function, *arguments)
        return function(*arguments)

    def _replace(self) -> None:
        """Gives up the processes, because one was killed."""
        self.rest()
        self._broken += 1
        if self._broken > RESTARTS:
            self.workers = 1


def begin_worker() -> None:
    """Limits this process to one thread. Only the process that started it reacts to Ctrl-C."""
    import numpy  # noqa: F401  it must be loaded before it can be limited
    import pyarrow as pa
    from threadpoolctl import threadpool_limits

    collect_rarely()
    leave_pandas_out()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
    pa.set_cpu_count(1)
