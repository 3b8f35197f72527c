"""Runs a function at regular intervals in one process, for containers without a scheduler.

The first run starts at once, the others at multiples of the period after it. Runs never overlap: a run that would start
during another one is skipped. SIGTERM or Ctrl-C ends the loop, at once if it waits, else after the current run. A
second signal interrupts the current run.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Generator, Sequence
from types import FrameType
from typing import Any, Final, Protocol

from harvestdetect.errors import HarvestdetectError, was_interrupted

__all__ = ["DONE", "Stop", "Stopping", "stop_on_signals", "watch"]

DONE: Final = frozenset({0, 3, 4})
"""Exit codes of a successful run: done, with findings, with too many rejects or lost files."""
WRONG_USAGE: Final = 2
"""Exit code for wrong usage, which another run does not correct."""
INTERRUPTED: Final = 130
"""Exit code of a run that was interrupted."""
_LONGEST_WAIT: Final = 86_400.0
"""Longest single wait, in seconds."""
_NEAR: Final = 1e-6
"""Tolerance for rounding: a time counts as reached within this share of a period."""


class Stopping(Protocol):
    """Says that the loop is to end, like ``threading.Event`` and :class:`Stop`."""

    def is_set(self) -> bool:
        """Whether the loop is to end."""

    def wait(self, timeout: float) -> bool:
        """Waits for some seconds, or until the loop is to end, and returns whether it is. May return early."""


class Stop:
    """An event that a signal handler may set, unlike ``threading.Event``: the interrupted thread may have its lock."""

    def __init__(self) -> None:
        self._set = False
        self._read, self._write = os.pipe()

    def set(self) -> None:
        """Sets the event, which ends all waiting now and later."""
        if not self._set:
            self._set = True
            os.write(self._write, b"x")

    def is_set(self) -> bool:
        """Whether the event was set."""
        return self._set

    def wait(self, timeout: float) -> bool:
        """Waits for some seconds, a day at most, or until the event is set, and returns whether it is."""
        poll = select.poll()
        poll.register(self._read, select.POLLIN)
        poll.poll(min(max(timeout, 0.0), _LONGEST_WAIT) * 1_000)
        return self._set

    def close(self) -> None:
        """Closes its pipe. Afterwards only :meth:`is_set` works."""
        os.close(self._read)
        os.close(self._write)


@contextlib.contextmanager
def stop_on_signals(
    signals: Sequence[int] = (signal.SIGTERM, signal.SIGINT), *, message: str = ""
) -> Generator[Stop, None, None]:
    """Yields an event that the first signal sets. Each further signal raises KeyboardInterrupt in the main thread.

    The earlier signal handlers are restored at the end.

    Args:
        signals: signals that end the loop.
        message: line to print on standard error at the first signal.

    Raises:
        ValueError: this is not the main thread.
    """
    stop = Stop()
    before: dict[int, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        if message:
            # print is not safe here: the signal may have interrupted another print.
            with contextlib.suppress(OSError, ValueError, AttributeError):
                os.write(sys.stderr.fileno(), f"{message}\n".encode(errors="replace"))

    try:
        for number in signals:
            before[number] = signal.signal(number, handle)
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        stop.close()


def watch(
    run: Callable[[], int],
    *,
    every: float,
    stop: Stopping,
    notes: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    first_pause: float = 30.0,
) -> int:
    """Runs a function at once and then at every multiple of a period, until it is stopped.

    After a run that fails (with an exit code outside :data:`DONE`) the next one starts after a pause that doubles with
    every failure, but at the next multiple at the latest.

    Args:
        run: returns the exit code of a run, or raises an error.
        every: the period in seconds.
        stop: ends the loop and its waiting.
        notes: takes a sentence about a run that failed or took too long.
        clock: seconds from any start, never going back.
        first_pause: seconds after the first failure.

    Returns:
        0 if the loop was stopped, whatever the results of the runs. 2 if the first run ends with it, because wrong
        usage does not go away. 130 if a run ends with it, because it was interrupted.

    Raises:
        KeyboardInterrupt: the run was interrupted.
        ValueError: the period or the pause is not above 0.
    """
    if not (0 < every < math.inf and 0 < first_pause < math.inf):
        raise ValueError(f"the period and the pause must be above 0, got {every!r} and {first_pause!r}")
    started, runs, failures = clock(), 0, 0
    while not stop.is_set():
        due = _multiple_after(clock() - started, every)
        code, reason = _outcome(run)
        runs += 1
        now = clock() - started
        if code == INTERRUPTED or (code == WRONG_USAGE and runs == 1):
            if reason:
                notes(reason)
            return code
        left_out = round((_multiple_after(now, every) - due) / every)
        due += left_out * every
        if code in DONE:
            failures = 0
        else:
            due = min(due, now + min(first_pause * 2.0 ** min(failures, 60), every))
            failures += 1
        if not stop.is_set():
            if code not in DONE:
                notes(
                    f"the run failed with exit code {code}{reason and f': {reason}'}; "
                    f"the next run is in {due - now:,.0f} s"
                )
            elif left_out:
                notes(f"the run took longer than {every:,.0f} s; runs skipped: {left_out}")
        while (left := due - (clock() - started)) > every * _NEAR and not stop.wait(left):
            pass
    return 0


def _multiple_after(seconds: float, every: float) -> float:
    """The first multiple of a period after a time, both in seconds."""
    return (math.floor(seconds / every + _NEAR) + 1) * every


def _outcome(run: Callable[[], int]) -> tuple[int, str]:
    """The exit code of a run, and the error that it raised as text, else an empty text."""
    try:
        return run(), ""
    except HarvestdetectError as error:
        if was_interrupted(error):
            raise KeyboardInterrupt from error
        return error.exit_code, str(error)
    except Exception as error:
        if was_interrupted(error):
            raise KeyboardInterrupt from error
        return 1, f"{type(error).__name__}: {error}"
