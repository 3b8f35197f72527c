"""A discrete-event simulation of a scan on a cluster: its stages, their tasks, the cores and the file server.

The scan's process does the stages one after the other. Of each it does its own work first. Then it sends tasks, as
:func:`harvestdetect.engines.engine.map_in_order` does: never more than a few for each core are unfinished, and results
are taken in order. A task begins when a core is free, when its machine has read what all tasks of the stage share, and
when its arguments have arrived. All files come from one server, whose link carries one transfer after the other.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Final

from harvestdetect.engines.engine import QUEUED

__all__ = ["Machines", "Simulated", "Step", "simulate_scan"]

MAX_TASKS: Final = 4_000
"""Tasks of a stage that are simulated one by one. More are taken several at a time, unless there are many cores."""
LOTS_PER_CORE: Final = 8
"""Fewest tasks for each core that are simulated one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stage of a scan."""

    stage: str
    own: float
    """Seconds of the scan's process on one core."""
    threaded: float
    """Seconds that the cores of its machine share."""
    tasks: int
    """Number of tasks."""
    times: Sequence[float]
    """Some times of tasks, in seconds; tasks take them in turn, in an order that is drawn."""
    moved: float
    """Bytes of the arguments and results of a task, half of them each."""
    shared: float
    """Bytes that each machine reads before its first task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """A cluster. The scan's process is on a machine of its own, as large as the others."""

    count: int
    cores: int
    """Of each machine."""
    bandwidth: float
    """Bytes per second of the link of the file server."""
    overhead: float
    """Seconds of the scan's process for each task."""
    start: float
    """Seconds until all workers have begun, once for the scan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """The course of a scan."""

    seconds: float
    stages: dict[str, float]
    """Seconds of each stage."""
    alone: float
    """Seconds in which the scan's process works and no task does."""
    working: float
    """Core seconds of tasks."""
    link: float
    """Seconds in which the link is busy."""


@dataclass(slots=True)
class _Machine:
    free: int
    read: bool = False
    """Whether it has begun to read what the tasks share."""
    ready: float = 0.0
    """Time at which it has read that."""


@dataclass(slots=True)
class _Clock:
    """Events in the order of their times, and the link."""

    now: float = 0.0
    link_free: float = 0.0
    link_busy: float = 0.0
    bandwidth: float = 1.0
    waiting: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    number: count[int] = field(default_factory=count)

    def at(self, time: float, then: Callable[[], None]) -> None:
        heapq.heappush(self.waiting, (time, next(self.number), then))

    def moved(self, size: float) -> float:
        """The time at which a transfer that is asked for now has ended."""
        if not size:
            return self.now
        begin = max(self.now, self.link_free)
        self.link_free = begin + size / self.bandwidth
        self.link_busy += size / self.bandwidth
        return self.link_free

    def run(self) -> None:
        while self.waiting:
            self.now, _, then = heapq.heappop(self.waiting)
            then()


class _Map:
    """The tasks of one stage."""

    def __init__(self, step: Step, machines: Machines, clock: _Clock, random: Random) -> None:
        self.clock = clock
        most = max(MAX_TASKS, LOTS_PER_CORE * machines.count * machines.cores)
        self.each = max(1, -(-step.tasks // most))  # tasks that are taken together
        self.total = -(-step.tasks // self.each)
        self.step, self.machines = step, machines
        self.times = [t * self.each for t in step.times]
        random.shuffle(self.times)
        self.idle = [_Machine(machines.cores) for _ in range(machines.count)]
        self.queue: deque[int] = deque()
        self.finished: set[int] = set()
        self.sent = self.taken = 0
        self.busy = False  # whether the scan's process is
        self.working = 0.0

    def drive(self) -> None:
        """The scan's process does the next thing, if there is one."""
        if self.busy:
            return
        window = QUEUED * self.machines.count * self.machines.cores
        half = self.step.moved * self.each / 2
        if self.sent < self.total and self.sent - self.taken < window:
            number, self.sent, self.busy = self.sent, self.sent + 1, True

            def arrived() -> None:
                self.queue.append(number)
                self.dispatch()

            def submitted() -> None:
                self.busy = False
                self.clock.at(self.clock.moved(half), arrived)
                self.drive()

            self.clock.at(self.clock.now + self.machines.overhead * self.each, submitted)
        elif self.taken in self.finished:
            self.finished.discard(self.taken)
            self.taken, self.busy = self.taken + 1, True

            def opened() -> None:
                self.busy = False
                self.drive()

            self.clock.at(self.clock.moved(half), opened)

    def dispatch(self) -> None:
        """Begins as many tasks as cores are free."""
        while self.queue and (free := max(self.idle, key=lambda machine: machine.free)).free:
            number = self.queue.popleft()
            free.free -= 1
            if not free.read:
                free.read, free.ready = True, self.clock.moved(self.step.shared)
            begin = max(self.clock.now, free.ready)
            seconds = self.times[number % len(self.times)]
            self.working += seconds
            self.clock.at(begin + seconds, self._ended(number, free))

    def _ended(self, number: int, machine: _Machine) -> Callable[[], None]:
        def ended() -> None:
            machine.free += 1
            self.finished.add(number)
            self.dispatch()
            self.drive()

        return ended


def simulate_scan(steps: Sequence[Step], machines: Machines, *, seed: int = 0) -> Simulated:
    """Simulates a scan.

    Args:
        steps: the stages, in order.
        machines: the cluster.
        seed: of the order of task times.
    """
    clock = _Clock(now=machines.start, bandwidth=machines.bandwidth)
    random = Random(seed)
    stages: dict[str, float] = {}
    alone, working = machines.start, 0.0
    for step in steps:
        begin = clock.now
        mine = step.own + step.threaded / machines.cores
        alone += mine
        clock.now += mine
        if step.tasks and step.times:
            tasks = _Map(step, machines, clock, random)
            tasks.drive()
            clock.run()
            working += tasks.working
        stages[step.stage] = clock.now - begin
    return Simulated(seconds=clock.now, stages=stages, alone=alone, working=working, link=clock.link_busy)
