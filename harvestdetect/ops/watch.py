"""A function that runs again and again in one process, for containers without a scheduler.

The first run starts at once, the others at multiples of the period counted from it. Runs never overlap, and those that
another one took the time of are left out. SIGTERM or Ctrl-C end the loop: at once while it waits, after the run while
one is under way; a second signal interrupts that run.
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
"""Exit codes of a run that did its work: well, with findings, with too many bad rows."""
WRONG_USAGE: Final = 2
INTERRUPTED: Final = 130
_LONGEST_WAIT: Final = 86_400.0
_NEAR: Final = 1e-6
"""Share of a period within which a time counts as reached, whatever rounding does."""


class Stopping(Protocol):
    """Tells that the loop is to end; a ``threading.Event`` does, and so does :class:`Stop`."""

    def is_set(self) -> bool:
        """Whether it is to end."""

    def wait(self, timeout: float) -> bool:
        """Returns after so many seconds, or as soon as it is to end: whether it is. May return early."""


class Stop:
    """May be set from a signal handler, unlike a ``threading.Event``, whose lock the interrupted thread may hold."""

    def __init__(self) -> None:
        self._set = False
        self._read, self._write = os.pipe()

    def set(self) -> None:
        """Ends all waiting, now and later."""
        if not self._set:
            self._set = True
            os.write(self._write, b"x")

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._set

    def wait(self, timeout: float) -> bool:
        """Returns after so many seconds, a day at most, or as soon as it is set: whether it is."""
        poll = select.poll()
        poll.register(self._read, select.POLLIN)
        poll.poll(min(max(timeout, 0.0), _LONGEST_WAIT) * 1_000)
        return self._set

    def close(self) -> None:
        """Gives back what it holds; it can be asked whether it was set, and no more."""
        os.close(self._read)
        os.close(self._write)


@contextlib.contextmanager
def stop_on_signals(
    signals: Sequence[int] = (signal.SIGTERM, signal.SIGINT), *, message: str = ""
) -> Generator[Stop, None, None]:
    """What is set by the first of the signals; every further one raises KeyboardInterrupt in the main thread.

    The handlers that were there before are put back at the end.

    Args:
        signals: that end the loop.
        message: a line for standard error when the first one comes.

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
            # Not by print: the signal may have come in the middle of one, and a stream cannot be entered twice.
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
    """Run a function at once and then at every multiple of a period, until told to stop.

    A run that fails (see :data:`DONE`, also 75: another process works on the state) is followed by the next one after
    a pause that doubles with every failure, and at the next multiple at the latest.

    Args:
        run: gives the exit code of a run, or raises what went wrong.
        every: the period, seconds.
        stop: ends the loop; waiting is done by its ``wait``.
        notes: takes a sentence about a run that failed or took too long.
        clock: seconds, from anywhere, never back.
        first_pause: after the first failure, seconds.

    Returns:
        0 when told to stop, whatever became of the runs: each failure was noted when it came. 2 where the first run
        ends with it, as wrong usage does not mend itself. 130 where a run ends with it, being interrupted.

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
                notes(f"the run failed with {code}{reason and f': {reason}'}; the next in {due - now:,.0f} s")
            elif left_out:
                notes(f"the run took longer than {every:,.0f} s; runs left out: {left_out}")
        while (left := due - (clock() - started)) > every * _NEAR and not stop.wait(left):
            pass
    return 0


def _multiple_after(seconds: float, every: float) -> float:
    """The first multiple of a period after a time."""
    return (math.floor(seconds / every + _NEAR) + 1) * every


def _outcome(run: Callable[[], int]) -> tuple[int, str]:
    """Exit code of a run and what went wrong, empty where it says no more."""
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
