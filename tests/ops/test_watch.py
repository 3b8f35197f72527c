"""A watched function keeps its rhythm, survives failures, and ends when told to."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect.errors import ColumnsError, InputError, LockedError
from harvestdetect.ops.watch import DONE, Stop, stop_on_signals, watch

ROOT = Path(__file__).resolve().parents[2]


class Clock:
    """Time that passes only in runs and waits; ends the loop after some runs."""

    def __init__(
        self, outcomes: list[tuple[float, int | Exception]], *, start: float = 0.0, early: bool = False
    ) -> None:
        self.now = start
        self.outcomes = outcomes
        self.starts: list[float] = []
        self.ends: list[float] = []
        self.notes: list[str] = []
        self.early = early

    def clock(self) -> float:
        return self.now

    def run(self) -> int:
        self.starts.append(self.now)
        took, outcome = self.outcomes[len(self.ends)]
        self.now += took
        self.ends.append(self.now)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def is_set(self) -> bool:
        return len(self.ends) == len(self.outcomes)

    def wait(self, timeout: float) -> bool:
        assert timeout > 0
        self.now += timeout / 2 if self.early and timeout > 1e-3 else timeout
        return self.is_set()

    def watch(self, *, every: float, **options: Any) -> int:
        return watch(self.run, every=every, stop=self, notes=self.notes.append, clock=self.clock, **options)


def test_runs_start_at_once_and_then_at_every_multiple() -> None:
    made = Clock([(5.0, 0), (30.0, 3), (0.0, 4), (59.0, 0)], start=1_000.0)
    assert made.watch(every=60.0) == 0
    assert made.starts == [1_000.0, 1_060.0, 1_120.0, 1_180.0]
    assert made.notes == []


def test_a_run_that_takes_too_long_is_followed_at_the_next_multiple_and_not_by_a_burst() -> None:
    made = Clock([(150.0, 0), (10.0, 0), (60.0, 0), (1.0, 0)])
    made.watch(every=60.0)
    assert made.starts == [0.0, 180.0, 240.0, 360.0]
    assert made.notes == [
        "the run took longer than 60 s; runs skipped: 2",
        "the run took longer than 60 s; runs skipped: 1",
    ]


def test_failed_runs_are_followed_after_pauses_that_double_up_to_the_period() -> None:
    made = Clock([(1.0, 1)] * 4 + [(1.0, LockedError("busy"))] * 5 + [(1.0, 0), (1.0, RuntimeError("odd")), (1.0, 0)])
    assert made.watch(every=600.0, first_pause=30.0) == 0
    gaps = [b - a for a, b in zip(made.ends, made.starts[1:], strict=False)]
    assert gaps[:4] == [30.0, 60.0, 120.0, 240.0]
    assert made.starts[5:10] == [600.0, 1_200.0, 1_800.0, 2_400.0, 3_000.0]
    assert gaps[-1] == 30.0
    assert made.notes[0] == "the run failed with exit code 1; the next run is in 30 s"
    assert made.notes[4:6] == [f"the run failed with exit code 75: busy; the next run is in {n} s" for n in (145, 599)]
    assert made.notes[-1] == "the run failed with exit code 1: RuntimeError: odd; the next run is in 30 s"


def test_wrong_usage_ends_the_loop_at_the_first_run_only() -> None:
    made = Clock([(1.0, ColumnsError("no column prompt")), (1.0, 0)])
    assert made.watch(every=60.0) == 2
    assert (len(made.starts), made.notes) == (1, ["no column prompt"])
    made = Clock([(1.0, 0), (1.0, ColumnsError("no column prompt")), (1.0, 0)])
    assert made.watch(every=60.0) == 0
    assert len(made.starts) == 3


def test_an_interrupted_run_ends_the_loop() -> None:
    assert Clock([(1.0, 130), (1.0, 0)]).watch(every=60.0) == 130
    for error in (InputError("unwound"), RuntimeError("unwound")):
        error.__context__ = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            Clock([(1.0, error), (1.0, 0)]).watch(every=60.0)

    def interrupted() -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(interrupted, every=1.0, stop=threading.Event(), notes=print)


def test_nothing_runs_where_it_is_to_stop_already() -> None:
    stop = threading.Event()
    stop.set()
    assert watch(lambda: 1 // 0, every=1.0, stop=stop, notes=print) == 0


@pytest.mark.parametrize(("every", "pause"), [(0.0, 1.0), (-1.0, 1.0), (math.inf, 1.0), (math.nan, 1.0), (1.0, 0.0)])
def test_a_period_that_is_none_is_refused(every: float, pause: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        watch(lambda: 0, every=every, first_pause=pause, stop=threading.Event(), notes=print)


@given(
    st.lists(st.tuples(st.floats(0, 500), st.sampled_from([0, 1, 3, 4, 75])), min_size=2, max_size=12),
    st.floats(1, 1_000),
    st.floats(0, 1e7),
    st.booleans(),
)
def test_the_rhythm_holds_whatever_runs_do(
    outcomes: list[tuple[float, int]], every: float, start: float, early: bool
) -> None:
    made = Clock([*outcomes], start=start, early=early)
    assert made.watch(every=every, first_pause=30.0) == 0
    failures = 0
    for (_, code), end, following in zip(outcomes, made.ends, made.starts[1:], strict=False):
        near = every * 1e-5 + 1e-6
        multiple = start + math.ceil((end - start) / every) * every
        failures = 0 if code in DONE else failures + 1
        assert following >= end
        if failures:
            expected = min(30.0 * 2 ** (failures - 1), every)
            assert following <= end + expected + near
            assert following >= min(multiple, end + expected) - near
        else:
            off = (following - start) / every
            assert abs(off - round(off)) * every < near
            assert multiple - near <= following <= end + every + near
    assert all(b - a > 1e-4 for a, b in zip(made.starts, made.starts[1:], strict=False))


# ---------------------------------------------------------------- signals


def test_the_first_signal_sets_the_stop_and_the_second_interrupts() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with stop_on_signals() as stop:
        assert not stop.wait(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(10.0)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_handlers_are_put_back_where_some_could_not_be_set() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(OSError, match="Invalid"), stop_on_signals((signal.SIGTERM, signal.SIGKILL)):
        pass
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_stop_is_set_once_and_waits_no_more() -> None:
    stop = Stop()
    before = time.monotonic()
    threading.Timer(0.05, stop.set).start()
    assert stop.wait(1e9)
    stop.set()
    assert stop.wait(1e9)
    assert time.monotonic() - before < 10
    time.sleep(0.1)
    stop.close()
    assert stop.is_set()


PROGRAM = """
import sys, time
from harvestdetect.ops.watch import stop_on_signals, watch

def run():
    print("start", flush=True)
    time.sleep(float(sys.argv[1]))
    print("end", flush=True)
    return 0

try:
    with stop_on_signals(message="stopping") as stop:
        sys.exit(watch(run, every=3600.0, stop=stop, notes=print))
except KeyboardInterrupt:
    sys.exit(130)
"""


@contextmanager
def watched(seconds: float) -> Iterator[tuple[subprocess.Popen[str], Callable[[Any, str], None]]]:
    """A process that watches a run of so many seconds, and what waits for a line of it."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(seconds)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    ) as process:  # fmt: skip
        limit = threading.Timer(60.0, process.kill)
        limit.start()

        def expect(stream: Any, line: str) -> None:
            assert stream.readline() == f"{line}\n"

        try:
            yield process, expect
        finally:
            limit.cancel()
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_at_once(number: int) -> None:
    with watched(0.0) as (process, expect):
        expect(process.stdout, "start")
        expect(process.stdout, "end")
        process.send_signal(number)
        assert process.communicate(timeout=30) == ("", "stopping\n")
        assert process.returncode == 0


def test_a_signal_during_a_run_lets_it_end() -> None:
    with watched(1.0) as (process, expect):
        expect(process.stdout, "start")
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30) == ("end\n", "stopping\n")
        assert process.returncode == 0


def test_a_second_signal_interrupts_the_run() -> None:
    with watched(600.0) as (process, expect):
        expect(process.stdout, "start")
        process.send_signal(signal.SIGTERM)
        expect(process.stderr, "stopping")
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 130
