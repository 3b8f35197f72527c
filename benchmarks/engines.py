"""What the engines cost: one dump scanned on each of them, the price of a task, and how the tasks scale.

    python -m benchmarks.engines [--rows 100000] [--engines loop,processes,ray] [--workers 2] [--rounds 2] [--work DIR]
    python -m benchmarks.engines --scaling 1,2,3,4 [--rows 100000]
    python -m benchmarks.engines --tasks 2000

The dump is that of :mod:`benchmarks.laying`. Engines take turns, so that what else the machine does meets all of them.
The findings must be the same, byte for byte. The processor time of Ray's workers is not counted, because they are no
children of the scan. An engine that cannot be used is left out, with the reason.

With ``--scaling``, a scan sends all its tasks to workers that have half a core each: two share a core, and a process
that only spins takes each place without a worker. The efficiency is the time with one worker, over the time with n
workers times n.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeVar

from benchmarks.cost_runs import ALWAYS
from benchmarks.laying import apart, lay, tell
from benchmarks.pages import ran_on, write_section
from benchmarks.scale import run_scan, table, warm
from harvestdetect import Settings, read_dumps
from harvestdetect.context import open_context
from harvestdetect.engines.choose import open_engine
from harvestdetect.engines.engine import Engine, map_in_order
from harvestdetect.engines.processes import Processes
from harvestdetect.errors import EngineError
from harvestdetect.pipeline import run_scan as detect_on
from harvestdetect.util.versions import versions

__all__ = ["Halves", "Taken", "engines_table", "main", "overhead", "scaling_table", "task_seconds"]

T = TypeVar("T")

ENGINES: Final = ("loop", "processes", "ray")
FILES: Final = ("accounts.csv", "campaigns.jsonl", "candidates.jsonl", "prompts.parquet")
"""Results that depend on nothing but the dump and the settings."""
PLACES: Final = 2
"""Workers that share a core."""
SECTIONS: Final = ("engines", "engines-scaling", "engines-tasks")


# ---------------------------------------------------------------- one dump on each engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one scan took."""

    engine: str
    seconds: float
    processor_seconds: float
    """Without those of Ray's workers."""
    stages: Mapping[str, float]
    """Seconds by stage."""
    same: bool
    """Whether the results are those of the first scan."""


def scan_on(engine: str, dump: Path, *, workers: int, cache_folder: Path, first: dict[str, bytes]) -> Taken:
    """Scans a dump by the command of the package, with a work folder of its own.

    Args:
        engine: its name.
        dump: a folder.
        workers: of the engine, and threads of the scan.
        cache_folder: with the models. No vectors are kept there.
        first: the results of the first scan; it is filled if it is empty.

    Raises:
        SystemExit: the scan failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        start = time.perf_counter()
        processor, _ = run_scan(
            [
                *(str(dump), "--out", str(out), "--work", f"{folder}/work", "--encoder", "fast", "--no-cache"),
                *("--cache", str(cache_folder), "--engine", engine, "--workers", str(workers)),
                *("--threads", str(workers)),
            ]
        )
        seconds = time.perf_counter() - start
        run = json.loads((out / "run.json").read_text(encoding="utf-8"))
        results = {name: (out / name).read_bytes() for name in FILES}
    if not first:
        first.update(results)
    stages = {one["stage"]: float(one["seconds"]) for one in run["stages"]}
    return Taken(
        engine=engine, seconds=seconds, processor_seconds=processor, stages=stages, same=results == first
    )  # fmt: skip


def engines_table(scans: Sequence[Taken]) -> str:
    """Seconds of each engine, relative to those of ``processes``, and of each stage, in Markdown; medians of rounds."""
    names = list(dict.fromkeys(one.engine for one in scans))
    by = {name: [one for one in scans if one.engine == name] for name in names}
    wall = {name: statistics.median(one.seconds for one in by[name]) for name in names}
    base = wall.get("processes")
    body = [
        [
            name, f"{wall[name]:.1f}", f"{statistics.median(one.processor_seconds for one in by[name]):.1f}",
            f"{wall[name] / base:.2f}" if base else "-", "yes" if all(one.same for one in by[name]) else "NO",
        ]
        for name in names
    ]  # fmt: skip
    stages = list(dict.fromkeys(stage for one in scans for stage in one.stages))
    rows = [
        [stage, *(f"{statistics.median(one.stages.get(stage, 0.0) for one in by[name]):.1f}" for name in names)]
        for stage in stages
    ]
    head = ["engine", "seconds", "processor seconds", "relative to processes", "same findings"]
    return f"{table(head, body)}\n{table(['stage, seconds', *names], rows)}"


# ---------------------------------------------------------------- the price of a task


def task_seconds(engine: Engine, tasks: int) -> float:
    """Seconds of an empty task, once the workers have started."""
    list(map_in_order(engine, _nothing, range(4 * engine.workers)))
    start = time.perf_counter()
    list(map_in_order(engine, _nothing, range(tasks)))
    return (time.perf_counter() - start) / tasks


def overhead(names: Sequence[str], *, tasks: int, workers: int) -> str:
    """The price of an empty task on each engine, in Markdown."""
    body = []
    for name in names:
        try:
            engine = open_engine(Settings(engine=name, workers=workers))
        except EngineError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        try:
            body.append([name, f"{1e3 * task_seconds(engine, tasks):.3f}"])
        finally:
            engine.close()
    return table(["engine", "milliseconds for an empty task"], body)


def _nothing(value: int) -> int:
    """An empty task."""
    return value


# ---------------------------------------------------------------- tasks on more and more workers


class Halves(Processes):
    """Processes that stand for other machines, each on half a core. They note how long the tasks of a stage take.

    Args:
        workers: at most twice as many as there are cores.
        folder: an empty folder, in which a worker takes its place.
    """

    elsewhere = True

    def __init__(self, workers: int, *, folder: Path) -> None:
        super().__init__(workers)
        self.seconds: dict[str, float] = {}
        self.tasks: dict[str, int] = {}
        self._folder = str(folder)
        self._stage = ""
        self._unfinished = 0
        self._since = 0.0

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """Says which stage goes on: what a scan calls to show a bar."""
        outer, self._stage = self._stage, self._stage or what
        yield lambda count: None
        self._stage = outer

    def submit(self, function: Callable[..., T], /, *arguments: Any) -> Callable[[], T]:
        """Begins a call on half a core."""
        if not self._unfinished:
            self._since = time.perf_counter()
        self._unfinished += 1
        self.tasks[self._stage] = self.tasks.get(self._stage, 0) + 1
        return partial(self._waited, super().submit(_on_half, self._folder, function, *arguments))

    def _waited(self, result: Callable[[], T]) -> T:
        found = result()
        self._unfinished -= 1
        if not self._unfinished:
            took = time.perf_counter() - self._since
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + took
        return found


def _on_half(folder: str, function: Callable[..., T], *arguments: Any) -> T:
    """Runs in a worker: takes a place, then calls a function."""
    _take_place(folder)
    return function(*arguments)


@cache
def _take_place(folder: str) -> int:
    """Pins this process to the core of the first free place. A place is free again when its process has ended."""
    cores = sorted(os.sched_getaffinity(0))
    for place in range(PLACES * len(cores)):
        file = Path(folder) / f"place-{place}"
        try:
            with file.open("x") as taken:
                taken.write(str(os.getpid()))
        except FileExistsError:
            if _is_alive(file.read_text()):
                continue
            file.write_text(str(os.getpid()))
        os.sched_setaffinity(0, {cores[place // PLACES]})
        return place
    raise SystemExit("there are more workers than places")


def _is_alive(pid: str) -> bool:
    """Whether a process goes on; one that has not written its number yet does."""
    try:
        os.kill(int(pid or os.getpid()), 0)
    except ProcessLookupError:
        return False
    return True


def _spin(folder: str) -> None:
    _take_place(folder)
    while True:
        pass


def tasks_on_halves(dump: Path, *, workers: int, work: Path, cache_folder: Path) -> dict[str, tuple[int, float]]:
    """Tasks and their seconds by stage, of a scan on workers with half a core each; in a process of its own.

    Args:
        dump: a folder.
        workers: at most twice as many as there are cores.
        work: an empty folder.
        cache_folder: with the models.
    """
    for module, name in ALWAYS:
        setattr(import_module(module), name, 1)
    places = work / "places"
    places.mkdir(parents=True)
    settings = Settings(encoder="fast", cache=cache_folder, use_cache=False, work=work / "kept", threads=1)
    engine = Halves(workers, folder=places)
    engine.submit(_nothing, 0)()
    with ExitStack() as ending:
        for _ in range(PLACES * len(os.sched_getaffinity(0)) - workers):
            spinning = get_context("spawn").Process(target=_spin, args=(str(places),), daemon=True)
            ending.callback(spinning.kill)
            spinning.start()
        context = replace(open_context(settings, progress=engine.progress), engine=engine)
        detect_on(read_dumps([dump], settings=settings), context)
    return {stage: (engine.tasks[stage], seconds) for stage, seconds in engine.seconds.items() if stage}


def scaling_table(taken: Mapping[int, Mapping[str, tuple[int, float]]]) -> str:
    """Seconds of tasks by stage and number of workers, and the efficiency, in Markdown.

    Args:
        taken: number of workers, ascending -> stage -> tasks and seconds.
    """
    first = next(iter(taken))
    stages = [*dict.fromkeys(stage for by in taken.values() for stage in by)]
    head = ["stage", "tasks"]
    for workers in taken:
        head += [f"{workers} workers: seconds", "efficiency"]
    rows = [(stage, {w: by.get(stage, (0, 0.0)) for w, by in taken.items()}) for stage in stages]
    whole = {w: (sum(t for t, _ in by.values()), sum(s for _, s in by.values())) for w, by in taken.items()}
    body = []
    for stage, by in [*rows, ("all", whole)]:
        line = [stage, f"{by[first][0]:,}"]
        for workers, (_, seconds) in by.items():
            share = by[first][1] * first / (seconds * workers) if seconds else 0.0
            line += [f"{seconds:.1f}", f"{share:.2f}"]
        body.append(line)
    return table(head, body)


# ---------------------------------------------------------------- the command


def _counts(text: str) -> list[int]:
    most = PLACES * len(os.sched_getaffinity(0))
    counts = sorted({int(part) for part in text.split(",") if part.isdecimal()})
    if not counts or not 1 <= counts[0] <= counts[-1] <= most:
        raise argparse.ArgumentTypeError(f"must be numbers from 1 to {most}, separated by commas, got {text!r}")
    return counts


def _engines(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if not names or set(names) - set(ENGINES):
        raise argparse.ArgumentTypeError(f"must be some of {', '.join(ENGINES)}, got {text!r}")
    return names


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--engines", type=_engines, default=list(ENGINES), help="separated by commas")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2, help="scans on each engine")
    parser.add_argument("--scaling", type=_counts, help="numbers of workers with half a core each")
    parser.add_argument("--tasks", type=int, help="measure the price of this number of empty tasks")
    parser.add_argument("--work", type=Path, help="keep dumps and models in this folder")
    parser.add_argument("--docs", type=Path, help=f"Markdown file, one of whose sections {SECTIONS} is replaced")
    chosen = parser.parse_args(arguments)
    if chosen.tasks:
        section, text = SECTIONS[2], overhead(chosen.engines, tasks=chosen.tasks, workers=chosen.workers)
        command = f"--tasks {chosen.tasks} --engines {','.join(chosen.engines)} --workers {chosen.workers}"
    else:
        with tempfile.TemporaryDirectory() as scratch:
            work = chosen.work or Path(scratch)
            work.mkdir(parents=True, exist_ok=True)
            models = warm(work, encoder="fast")
            folder = work / f"rows-{chosen.rows}-seed-0"
            tell(apart(lay, folder, rows=chosen.rows, seed=0))
            if chosen.scaling:
                section, text = SECTIONS[1], _scaled(folder / "dump", chosen.scaling, models)
                command = f"--rows {chosen.rows} --scaling {','.join(map(str, chosen.scaling))}"
            else:
                section, text = SECTIONS[0], _all_engines(folder / "dump", chosen, models)
                command = (
                    f"--rows {chosen.rows} --engines {','.join(chosen.engines)} --workers {chosen.workers} "
                    f"--rounds {chosen.rounds}"
                )
    text = f"`python -m benchmarks.engines {command}`, {ran_on(versions())}.\n\n{text}"
    print(text)
    if chosen.docs:
        write_section(chosen.docs, section, text)
    return 0


def _all_engines(dump: Path, chosen: argparse.Namespace, models: Path) -> str:
    names, first, scans = _usable(chosen.engines), dict[str, bytes](), []
    for number in range(chosen.rounds):
        for name in names if number % 2 == 0 else names[::-1]:
            scans.append(scan_on(name, dump, workers=chosen.workers, cache_folder=models, first=first))
            print(f"round {number + 1}, {name}: {scans[-1].seconds:.1f} s", file=sys.stderr)
    return engines_table(scans)


def _usable(names: Sequence[str]) -> list[str]:
    """The engines that can be used here."""
    usable = []
    for name in names:
        try:
            apart(_opened, name)
        except EngineError as error:
            print(f"left out: {error}", file=sys.stderr)
        else:
            usable.append(name)
    return usable


def _opened(name: str) -> None:
    """Opens and closes an engine, in a process of its own."""
    open_engine(Settings(engine=name, workers=1)).close()


def _scaled(dump: Path, counts: Sequence[int], models: Path) -> str:
    taken = {}
    for workers in counts:
        with tempfile.TemporaryDirectory() as own:
            taken[workers] = apart(
                tasks_on_halves, dump, workers=workers, work=Path(own) / "scan", cache_folder=models
            )  # fmt: skip
        print(f"{workers} workers: {sum(s for _, s in taken[workers].values()):.1f} s of tasks", file=sys.stderr)
    return scaling_table(taken)


if __name__ == "__main__":
    raise SystemExit(main())
