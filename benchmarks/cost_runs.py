"""Measured scans for the cost model: what each stage costs here, and what its tasks would cost on other machines.

A scan runs in a process of its own, on one thread. Its engine runs every task in that process, one after the other, and
passes arguments and results as the engine of Ray does: what is large goes through files. So processor times are exact
even on a busy machine, and every byte that would travel is counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from harvestdetect.engines.sharing import Exchange, Parcel, Stored, discard, opened

__all__ = ["SIZES", "Recording", "Run", "StageRun", "measured_run"]

T = TypeVar("T")

SIZES: Final = ("prompts", "accounts", "texts", "clusters", "candidates")
"""What the cost of a stage may depend on."""
THREADED: Final = "neighbours"
"""The bar of the work within a stage that runs on all threads of one machine."""
QUANTILES: Final = 16
"""Number of task times of a stage that are kept, evenly spaced among all in order."""
ALWAYS: Final = (
    ("harvestdetect.corpus.prepare_parallel", "START_ROWS"),
    ("harvestdetect.embed.elsewhere", "PARALLEL_TEXTS"),
    ("harvestdetect.cluster.forest_tasks", "PARALLEL_POINTS"),
    ("harvestdetect.stages.forming", "PARALLEL_CLUSTERS"),
    ("harvestdetect.judge.measure", "PARALLEL_CANDIDATES"),
)
"""Module and name of the sizes from which work goes to an engine. A measured scan sends all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRun:
    """What one stage of one scan cost."""

    own: float
    """Processor seconds of the scan's process alone, on one core."""
    threaded: float
    """Processor seconds that all cores of its machine can share."""
    tasks: int
    """Number of tasks."""
    task_seconds: float
    """Processor seconds of all tasks."""
    task_times: tuple[float, ...]
    """Processor seconds of some tasks, ascending: quantiles of all."""
    moved: int
    """Bytes of the arguments and results of tasks."""
    shared: int
    """Bytes that every machine reads."""
    peak: int
    """Peak resident memory of the process during the stage, in bytes."""

    @property
    def seconds(self) -> float:
        """All processor seconds."""
        return self.own + self.threaded + self.task_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measured scan."""

    sizes: Mapping[str, int]
    """By name of :data:`SIZES`."""
    stages: Mapping[str, StageRun]
    """By stage, in order."""


@dataclass(slots=True, kw_only=True)
class _Open:
    """The stage that is going on."""

    threaded: float = 0.0
    times: list[float] = field(default_factory=list)
    moved: int = 0
    shared: int = 0


class Recording:
    """An engine that runs every task in this process, and records what it would cost elsewhere.

    Args:
        folder: takes the files of large values.
        workers: number of workers that it claims to have. Stages divide their work by it.
    """

    elsewhere = True

    def __init__(self, folder: Path, *, workers: int) -> None:
        self.workers = workers
        self.stages: dict[str, StageRun] = {}
        self._folder = folder
        self._exchange = Exchange(folder)
        self._name = 0
        self._open: _Open | None = None

    def submit(self, function: Callable[..., T], /, *arguments: Any) -> Callable[[], T]:
        """Packs a call. It runs when its result is asked for."""
        self._name += 1
        name = f"{self._name}-"
        return partial(self._result, self._exchange.parcel((function, arguments), name=name), name)

    def share(self, value: T) -> Stored[T]:
        """Puts a value into a file, and counts its bytes unless it was there before."""
        before = _size_of(self._folder)
        stored = self._exchange.put(value)
        if self._open is not None:
            self._open.shared += _size_of(self._folder) - before
        return stored

    def forget(self, value: object) -> None:
        """Lets go of a shared value. Its file stays, for its bytes were counted."""
        self._exchange.forget(value)

    def rest(self) -> None:
        """Nothing: there are no workers."""

    def close(self) -> None:
        """Forgets what was shared."""
        self._exchange.clear()

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """Measures a stage, or the part of it that runs on threads: what a scan calls to show a bar."""
        start = time.process_time()
        if self._open is not None:
            yield _nothing
            if what == THREADED:
                self._open.threaded += time.process_time() - start
            return
        self._open = _Open()
        _forget_peak()
        try:
            yield _nothing
        finally:
            now, self._open = self._open, None
            seconds = time.process_time() - start
            self.stages[what] = StageRun(
                own=max(seconds - now.threaded - sum(now.times), 0.0), threaded=now.threaded, tasks=len(now.times),
                task_seconds=sum(now.times), task_times=_quantiles(now.times), moved=now.moved, shared=now.shared,
                peak=_peak(),
            )  # fmt: skip

    def _result(self, parcel: Parcel, name: str) -> Any:
        function, arguments = opened(parcel)
        start = time.process_time()
        answer = function(*arguments)
        seconds = time.process_time() - start
        back = self._exchange.parcel(answer, name=f"{name}result-")
        if self._open is not None:
            self._open.times.append(seconds)
            self._open.moved += _bytes_of(parcel) + _bytes_of(back)
        discard(parcel)
        found = opened(back)
        discard(back)
        return found


def measured_run(dump: Path, *, work: Path, encoder: str, cache: Path, workers: int) -> Run:
    """Scans a dump in this process, which should be a process of its own, and says what each stage cost.

    Args:
        dump: a folder of files.
        work: an empty folder, for the work folder of the scan and the files of the engine.
        encoder: of the scan.
        cache: folder with the models.
        workers: number of workers that the engine claims to have.
    """
    from threadpoolctl import threadpool_limits

    from harvestdetect import Settings, read_dumps
    from harvestdetect.context import open_context
    from harvestdetect.pipeline import run_scan

    for module, name in ALWAYS:
        setattr(import_module(module), name, 1)
    files = work / "files"
    files.mkdir(parents=True)
    settings = Settings(encoder=encoder, cache=cache, work=work / "kept", threads=1)
    engine = Recording(files, workers=workers)
    context = replace(open_context(settings, progress=engine.progress), engine=engine)
    with threadpool_limits(1):
        detection = run_scan(read_dumps([dump], settings=settings), context).detection
    counts = {**detection.counts, "texts": detection.counts.get("segments", 0)}
    return Run(sizes={name: counts.get(name, 0) for name in SIZES}, stages=engine.stages)


def _nothing(count: int) -> None:
    """Advances no bar."""


def _size_of(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(file.stat().st_size for file in folder.iterdir())


def _bytes_of(parcel: Parcel) -> int:
    """Bytes of a value on its way."""
    return len(parcel) if isinstance(parcel, bytes) else Path(parcel.path).stat().st_size


def _quantiles(times: list[float]) -> tuple[float, ...]:
    if not times:
        return ()
    shares = (np.arange(min(QUANTILES, len(times))) + 0.5) / min(QUANTILES, len(times))
    return tuple(np.quantile(times, shares).tolist())


def _forget_peak() -> None:
    """Makes the peak memory of this process its present memory, where the kernel can do so."""
    with suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def _peak() -> int:
    from harvestdetect.util.machine import peak_memory_mb

    return round(peak_memory_mb() * 1e6)
