"""What a scan of many prompts costs, and from how many machines on more of them do not help: fitted, then simulated.

    python -m benchmarks.cost_model [--rows 50000,100000,200000] [--prompts 1e8,1e9] [--machines 1,2,4] [--docs FILE]
    python -m benchmarks.cost_model --runs FILE [--results FILE]

Scans of a few small dumps (:mod:`benchmarks.laying`) are measured, stage by stage (:mod:`benchmarks.cost_runs`). Curves
are fitted to their costs (:mod:`benchmarks.cost_fit`). A simulation runs the stages of a larger scan on a cluster
(:mod:`benchmarks.cost_graph`). ``--results`` compares the curves with files that ``benchmarks.scale --json`` wrote.
Everything beyond the largest measured scan is extrapolated.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.cost_fit import SECONDS, CostModel, fit_model, sizes_at
from benchmarks.cost_graph import Machines, Simulated, Step, simulate_scan
from benchmarks.cost_runs import Run, measured_run
from benchmarks.laying import apart, lay, tell
from benchmarks.pages import ran_on, write_section
from benchmarks.scale import table, warm
from harvestdetect.util.periods import HOUR
from harvestdetect.util.versions import versions

__all__ = ["compared", "cost_tables", "enough", "main", "simulation_table", "steps_of"]

CLAIMED: Final = 16
"""Workers that the engine of a measured scan claims to have."""
SECTION: Final = "cost-model"
STILL: Final = 1.2
"""Twice as many machines must be this many times as fast to be worth it."""
GB: Final = 1e9
"""Bytes of a gigabyte."""


def steps_of(model: CostModel, prompts: float, *, cores: int) -> list[Step]:
    """The stages of a scan with this number of prompts, as the simulation takes them.

    A task costs as much as in the largest measured scan, so larger scans have more tasks.

    Args:
        model: the curves.
        prompts: of the scan.
        cores: of all machines. A stage has at least one task for each, if its tasks can be smaller.
    """
    sizes = sizes_at(model, prompts)
    steps = []
    for stage, curves in model.stages.items():
        known = model.largest.stages[stage]
        total = curves["task seconds"].at(sizes)
        scaled = round(known.tasks * total / known.task_seconds) if known.task_seconds > 0 else 0
        tasks = max(scaled, cores if scaled else 0)
        mean = sum(known.task_times) / max(len(known.task_times), 1)
        steps.append(
            Step(
                stage=stage, own=curves["own"].at(sizes), threaded=curves["threaded"].at(sizes), tasks=tasks,
                times=[t / mean * total / tasks for t in known.task_times] if tasks and mean else (),
                moved=curves["moved"].at(sizes) / max(tasks, 1), shared=curves["shared"].at(sizes),
            )
        )  # fmt: skip
    return steps


# ---------------------------------------------------------------- tables


def cost_tables(runs: Sequence[Run], model: CostModel, prompts: Sequence[float]) -> str:
    """What was measured, the curves, and what they give for larger scans, in Markdown."""
    head = ["prompts", "accounts", "texts", "clusters", "candidates", "processor seconds", "of them in tasks"]
    body = []
    for run in sorted(runs, key=lambda run: run.sizes["prompts"]):
        seconds, tasks = (
            sum(getattr(one, name) for one in run.stages.values()) for name in ("seconds", "task_seconds")
        )
        sizes = [f"{run.sizes[name]:,}" for name in head[:5]]
        body.append([*sizes, f"{seconds:,.1f}", f"{tasks / max(seconds, 1e-9):.0%}"])
    curves = [
        [stage, *(f"{curve}{_error(curve.error)}" for curve in (by[q] for q in SECONDS))]
        for stage, by in model.stages.items()
    ]
    text = (
        f"{table(head, body)}\nProcessor seconds by size; in brackets, how far the curve misses the largest scan if it "
        f"is fitted without it.\n\n"
        f"{table(['stage', 'the process of the scan', 'its threads', 'tasks'], curves)}"
    )
    for size in prompts:
        least, most = _range(model, size)
        text += (
            f"\n{size:,.0f} prompts, extrapolated:\n\n{_predicted(model, size)}\nWith the curves that give the least "
            f"and the most instead of those that fit best: {least / HOUR:,.3g} to {most / HOUR:,.3g} core hours.\n"
        )
    return text


def _range(model: CostModel, prompts: float) -> tuple[float, float]:
    """The least and the most processor seconds that the fitted curves give, whichever of them is taken."""
    sizes = sizes_at(model, prompts)
    given = [
        [curve.at(sizes) for curve in (by[name], *model.others[stage][name])]
        for stage, by in model.stages.items()
        for name in SECONDS
    ]
    return sum(map(min, given)), sum(map(max, given))


def _error(error: float | None) -> str:
    return "" if error is None else f" ({error:+.0%})"


def _predicted(model: CostModel, prompts: float) -> str:
    sizes = sizes_at(model, prompts)
    head = [
        "stage", "process of the scan, hours", "its threads, core hours", "tasks, core hours", "moved, GB",
        "read by each machine, GB", "peak, GB",
    ]  # fmt: skip
    scale = (HOUR, HOUR, HOUR, GB, GB, GB)
    names = ("own", "threaded", "task seconds", "moved", "shared", "peak")
    rows = [[curves[name].at(sizes) / unit for name, unit in zip(names, scale, strict=True)]
            for curves in model.stages.values()]  # fmt: skip
    whole = [*(sum(column) for column in list(zip(*rows, strict=True))[:-1]), max((row[-1] for row in rows), default=0)]
    named = zip([*model.stages, "all"], [*rows, whole], strict=True)
    return table(head, [[name, *(f"{value:,.3g}" for value in row)] for name, row in named])


def simulation_table(simulated: Mapping[int, Simulated]) -> str:
    """Hours by number of machines, in Markdown.

    Args:
        simulated: number of machines -> the course of the scan, in ascending order.
    """
    head = [
        "machines",
        "hours",
        "times as fast",
        "efficiency",
        "process of the scan alone",
        "link busy",
        "longest stage",
    ]
    first = next(iter(simulated))
    body = []
    for machines, one in simulated.items():
        faster = simulated[first].seconds / one.seconds
        longest = max(one.stages, key=lambda stage: one.stages[stage])
        body.append(
            [
                str(machines), f"{one.seconds / HOUR:,.2f}", f"{faster:.2f}", f"{faster * first / machines:.0%}",
                f"{one.alone / one.seconds:.0%}", f"{one.link / one.seconds:.0%}",
                f"{longest} ({one.stages[longest] / one.seconds:.0%})",
            ]
        )  # fmt: skip
    return table(head, body)


def enough(simulated: Mapping[int, Simulated]) -> int | None:
    """The number of machines from which on twice as many are less than :data:`STILL` times as fast; None: more help."""
    for machines, one in simulated.items():
        double = simulated.get(2 * machines)
        if double is not None and one.seconds < STILL * double.seconds:
            return machines
    return None


def compared(model: CostModel, results: Sequence[Mapping[str, Any]]) -> str:
    """Processor seconds that the curves give, beside those that ``benchmarks.scale`` measured, in Markdown."""
    body = []
    for one in results:
        prompts, measured = float(one["counts"]["prompts"]), float(one["processor_seconds"])
        sizes = {**sizes_at(model, prompts), **_sizes_of(one["counts"])}
        given = sum(c[q].at(sizes) for c in model.stages.values() for q in SECONDS)
        body.append([f"{prompts:,.0f}", f"{measured:,.0f}", f"{given:,.0f}", f"{given / measured:.2f}"])
    return table(["prompts", "processor seconds", "by the curves", "ratio"], body)


def _sizes_of(counts: Mapping[str, Any]) -> dict[str, float]:
    names = {"prompts": "prompts", "accounts": "accounts", "segments": "texts", "clusters": "clusters",
             "candidates": "candidates"}  # fmt: skip
    return {ours: float(counts[name]) for name, ours in names.items() if name in counts}


# ---------------------------------------------------------------- the command


def measure(rows: Sequence[int], *, work: Path, encoder: str) -> list[Run]:
    """Scans a dump of each size, each in a process of its own. Dumps that are in the folder are used again."""
    cache = warm(work, encoder=encoder)
    runs = []
    for size in rows:
        folder = work / f"rows-{size}-seed-0"
        tell(apart(lay, folder, rows=size, seed=0))
        with tempfile.TemporaryDirectory(dir=work) as own:
            runs.append(
                apart(
                    measured_run,
                    folder / "dump",
                    work=Path(own) / "scan",
                    encoder=encoder,
                    cache=cache,
                    workers=CLAIMED,
                )
            )
        print(f"{size:,} rows measured", file=sys.stderr)
    return runs


def _numbers(text: str) -> list[float]:
    try:
        numbers = sorted({float(part) for part in text.split(",") if part})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 1:
        raise argparse.ArgumentTypeError(f"must be numbers of at least 1, separated by commas, got {text!r}")
    return numbers


def _listed(numbers: Sequence[float]) -> str:
    return ",".join(f"{number:g}" for number in numbers)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cost_model", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--rows", type=_numbers, default=[50_000, 100_000, 200_000], help="sizes of measured scans")
    parser.add_argument("--encoder", choices=("fast", "auto", "full"), default="fast")
    parser.add_argument("--runs", type=Path, action="append", default=[], help="measured scans, instead of new ones")
    parser.add_argument("--results", type=Path, action="append", default=[], help="of benchmarks.scale --json")
    parser.add_argument("--prompts", type=_numbers, default=[1e8, 1e9], help="sizes to predict")
    parser.add_argument("--machines", type=_numbers, default=[2**i for i in range(9)])
    parser.add_argument("--cores", type=int, default=16, help="of each machine")
    parser.add_argument("--bandwidth", type=float, default=1.25, help="of the file server, in GB per second")
    parser.add_argument("--overhead", type=float, default=0.005, help="seconds of the scan's process for each task")
    parser.add_argument("--start", type=float, default=10.0, help="seconds until all workers have begun")
    parser.add_argument("--work", type=Path, help="keep dumps and models in this folder")
    parser.add_argument("--json", type=Path, help="write the measured scans here, for --runs")
    parser.add_argument("--docs", type=Path, help=f"Markdown file whose section {SECTION} is replaced")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    runs = [run for file in chosen.runs for run in msgspec.json.decode(file.read_bytes(), type=list[Run])]
    if not runs:
        with tempfile.TemporaryDirectory() as scratch:
            work = chosen.work or Path(scratch)
            work.mkdir(parents=True, exist_ok=True)
            runs = measure([int(size) for size in chosen.rows], work=work, encoder=chosen.encoder)
    if chosen.json:
        chosen.json.write_bytes(msgspec.json.format(msgspec.json.encode([asdict(run) for run in runs])))
    try:
        model = fit_model(runs)
    except ValueError as error:
        parser.error(str(error))
    text = _report(runs, model, chosen)
    print(text)
    if chosen.docs:
        write_section(chosen.docs, SECTION, text)
    return 0


def _report(runs: Sequence[Run], model: CostModel, chosen: argparse.Namespace) -> str:
    rows = ",".join(str(run.sizes["prompts"]) for run in sorted(runs, key=lambda run: run.sizes["prompts"]))
    command = (
        f"python -m benchmarks.cost_model --rows {rows} --encoder {chosen.encoder} --cores {chosen.cores} "
        f"--bandwidth {chosen.bandwidth:g} --overhead {chosen.overhead:g} --start {chosen.start:g} "
        f"--prompts {_listed(chosen.prompts)} --machines {_listed(chosen.machines)}"
    )
    text = f"`{command}`, {ran_on(versions())}.\n\n{cost_tables(runs, model, chosen.prompts)}"
    for file in chosen.results:
        text += f"\nThe curves beside other scans:\n\n{compared(model, msgspec.json.decode(file.read_bytes()))}"
    for prompts in chosen.prompts:
        simulated = {}
        for count in map(int, chosen.machines):
            machines = Machines(
                count=count, cores=chosen.cores, bandwidth=chosen.bandwidth * GB, overhead=chosen.overhead,
                start=chosen.start,
            )  # fmt: skip
            simulated[count] = simulate_scan(steps_of(model, prompts, cores=count * chosen.cores), machines)
        last = enough(simulated)
        speed_up = (
            f"Twice as many machines as {last} are less than {STILL:g} times as fast."
            if last
            else f"Up to {max(simulated)} machines, twice as many are {STILL:g} times as fast or more."
        )
        text += (
            f"\n{prompts:,.0f} prompts on machines with {chosen.cores} cores each, simulated. {speed_up}\n\n"
            f"{simulation_table(simulated)}"
        )
    return text


if __name__ == "__main__":
    raise SystemExit(main())
