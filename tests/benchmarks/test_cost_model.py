"""The cost model: curves from measured scans, and the simulation of a scan on a cluster."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from benchmarks import cost_model
from benchmarks.cost_fit import curves, fit_model, line, log_curve, power_curve, sizes_at
from benchmarks.cost_graph import MAX_TASKS, Machines, Simulated, Step, simulate_scan
from benchmarks.cost_model import compared, enough, simulation_table, steps_of
from benchmarks.cost_runs import Recording, Run, StageRun
from harvestdetect.engines.engine import map_in_order

N = (1_000.0, 2_000.0, 8_000.0)


# ---------------------------------------------------------------- curves


@hypothesis_settings(deadline=None)
@given(a=st.floats(1e-6, 1e3), b=st.floats(0.2, 2.5))
def test_a_power_is_found(a: float, b: float) -> None:
    curve = power_curve("texts", N, [a * n**b for n in N])
    assert (curve.a, curve.b) == pytest.approx((a, b), rel=1e-6)
    assert curve.at({"texts": 1e9}) == pytest.approx(a * 1e9**b, rel=1e-4)


@hypothesis_settings(deadline=None)
@given(a=st.floats(0, 1e3), b=st.floats(0, 1e3))
def test_a_logarithm_is_found(a: float, b: float) -> None:
    if a + b < 1e-6:
        return
    costs = [a * n + b * n * math.log(n) for n in N]
    curve = log_curve("texts", N, costs)
    assert min(curve.a, curve.b) >= 0
    assert [curve.at({"texts": n}) for n in N] == pytest.approx(costs, rel=1e-6)


def sizes_of(prompts: Sequence[float]) -> list[dict[str, float]]:
    return [{"prompts": n, "clusters": c} for n, c in zip(prompts, (10.0, 50.0, 60.0), strict=True)]


def test_the_largest_scan_decides_form_and_size() -> None:
    by_prompts = curves(sizes_of(N), [n**1.5 for n in N], ("clusters", "prompts"))[0]
    assert (by_prompts.form, by_prompts.size) == ("a n^b", "prompts")
    assert by_prompts.b == pytest.approx(1.5)
    assert by_prompts.error == pytest.approx(0, abs=1e-9)
    by_clusters = curves(sizes_of(N), [20.0, 100.0, 120.0], ("prompts", "clusters"))[0]
    assert by_clusters.size == "clusters"
    assert by_clusters.at({"clusters": 1e4}) == pytest.approx(2e4)
    logarithm = curves(sizes_of(N), [n * math.log(n) for n in N], ("prompts",))[0]
    assert logarithm.form == "a n + b n log n"


def test_a_fixed_cost_does_not_promise_less_for_more() -> None:
    # one second, and one for each 10,000 prompts: the power is below 1
    costs = [1 + n / 1e4 for n in N]
    curve = curves(sizes_of(N), costs, ("prompts",))[0]
    assert curve.form == "a + b n"
    assert curve.at({"prompts": 1e9}) == pytest.approx(1 + 1e9 / 1e4, rel=1e-6)
    assert str(curve) == "1 + 0.0001 prompts"
    assert curves(sizes_of(N), costs, ("prompts",), forms=(power_curve, log_curve))[0].form == "a n + b n log n"
    assert curves(sizes_of(N), [5.0] * 3, ("prompts",))[0].at({"prompts": 1e9}) == pytest.approx(5)
    assert min(line("prompts", N, [3.0, 2.0, 1.0]).at({"prompts": n}) for n in (1, 1e9)) >= 0
    assert curves(sizes_of(N), [0, 0, 0], ("prompts",))[0].at({"prompts": 1e9}) == 0


def stage(seconds: float, *, tasks: int = 0, task_seconds: float = 0.0) -> StageRun:
    return StageRun(
        own=seconds, threaded=seconds / 2, tasks=tasks, task_seconds=task_seconds,
        task_times=(task_seconds / tasks,) * min(tasks, 4) if tasks else (), moved=1_000 * tasks, shared=50 * tasks,
        peak=10**6,
    )  # fmt: skip


def run(prompts: int) -> Run:
    sizes = {"prompts": prompts, "accounts": prompts // 8, "texts": 2 * prompts, "clusters": 10, "candidates": 4}
    return Run(
        sizes=sizes,
        stages={
            "read": stage(prompts / 1e4, tasks=prompts // 100, task_seconds=prompts / 1e3),
            "cluster wording": stage(2 * prompts / 1e4),
        },
    )


def test_linear_costs_stay_linear_far_beyond_what_was_measured() -> None:
    model = fit_model([run(8_000), run(1_000), run(2_000)])
    sizes = sizes_at(model, 1e9)
    assert sizes["texts"] == pytest.approx(2e9, rel=1e-6)
    assert sizes["clusters"] == pytest.approx(10)
    read, cluster = steps_of(model, 1e9, cores=4)
    assert read.own == pytest.approx(1e5, rel=1e-6)
    assert cluster.threaded == pytest.approx(1e5, rel=1e-6)
    assert read.tasks == pytest.approx(1e7, rel=1e-6)
    assert sum(read.times) / len(read.times) * read.tasks == pytest.approx(1e6, rel=1e-6)
    assert read.moved == pytest.approx(1_000, rel=1e-6)
    assert cluster.tasks == 0
    assert steps_of(model, 1e3, cores=400)[0].tasks == 400  # no core is left out
    with pytest.raises(ValueError, match="at least two sizes"):
        fit_model([run(1_000), run(1_000)])


def test_other_scans_stand_beside_the_curves() -> None:
    model = fit_model([run(1_000), run(2_000)])
    counts = {"prompts": 4_000, "accounts": 500, "segments": 8_000, "clusters": 10, "candidates": 4}
    # 0.4 and 0.8 in this process, half of them again in threads, and 4 in tasks
    text = compared(model, [{"counts": counts, "processor_seconds": 11.6}])
    assert "| 4,000 | 12 | 6 | 0.50 |" in text


# ---------------------------------------------------------------- the simulation


def machines(count: int = 1, cores: int = 1, **options: float) -> Machines:
    return Machines(count=count, cores=cores, **{"bandwidth": 1e12, "overhead": 0.0, "start": 0.0} | options)


def step(tasks: int = 0, time: float = 10.0, **options: float) -> Step:
    return Step(
        stage="s", tasks=tasks, times=(time,), **{"own": 0.0, "threaded": 0.0, "moved": 0.0, "shared": 0.0} | options
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "cluster", "seconds"),
    [
        (step(own=5, threaded=8), machines(cores=4), 7.0),
        (step(3), machines(), 30.0),
        (step(3, own=1), machines(start=2), 33.0),
        (step(3), machines(cores=3), 10.0),
        (step(4), machines(2, 1), 20.0),
        (step(1_000, time=0.0), machines(overhead=0.01), 10.0),  # the process of the scan is the limit
        (step(2, shared=10), machines(2, 1, bandwidth=1), 30.0),  # the second machine waits for the first
        (step(2, moved=8), machines(1, 2, bandwidth=1), 22.0),  # two arguments go out, then two results come back
    ],
)
def test_a_simulated_scan_takes_as_long_as_by_hand(one: Step, cluster: Machines, seconds: float) -> None:
    assert simulate_scan([one], cluster).seconds == pytest.approx(seconds)


@hypothesis_settings(deadline=None)
@given(
    tasks=st.integers(0, 60),
    times=st.lists(st.floats(0.1, 5), min_size=1, max_size=8),
    count=st.integers(1, 5),
    cores=st.integers(1, 4),
    own=st.floats(0, 10),
    shared=st.floats(0, 5),
    seed=st.integers(0, 100),
)
def test_no_simulated_scan_is_faster_than_its_parts(
    tasks: int, times: list[float], count: int, cores: int, own: float, shared: float, seed: int
) -> None:
    one = Step(stage="s", own=own, threaded=0.0, tasks=tasks, times=times, moved=0.5, shared=shared)
    cluster = machines(count, cores, bandwidth=2.0, overhead=0.1)
    found = simulate_scan([one, one], cluster, seed=seed)
    work = found.working / (count * cores)
    assert found.seconds >= 2 * own + max(work, 0.2 * tasks, tasks * 0.5 * 2 / 2.0) - 1e-6
    assert found.seconds <= 2 * own + found.working + found.link + 0.2 * tasks + 1e-6
    assert found.working == pytest.approx(2 * sum(sorted(times) * (tasks // len(times))), abs=2 * 5 * len(times))
    assert found.link == pytest.approx((tasks * 0.5 + min(count, tasks) * shared), rel=0.2, abs=5 * shared * 2)
    assert set(found.stages) == {"s"}


def test_many_tasks_are_taken_together_and_cost_the_same() -> None:
    cluster = machines(2, 8, overhead=0.001)
    one = simulate_scan([step(MAX_TASKS, time=1.0)], cluster).seconds
    many = simulate_scan([step(10 * MAX_TASKS, time=0.1)], cluster).seconds
    assert many == pytest.approx(one + 0.001 * 9 * MAX_TASKS / 16, rel=0.2)


def test_more_machines_help_until_the_process_of_the_scan_is_the_limit() -> None:
    steps = [step(64, own=40.0)]
    found = {n: simulate_scan(steps, machines(n)) for n in (1, 2, 4, 8, 16, 32)}
    assert [round(one.seconds) for one in found.values()] == [680, 360, 200, 120, 80, 60]
    assert enough(found) is None
    assert enough({n: simulate_scan([step(16, own=200.0)], machines(n)) for n in (1, 2, 4)}) == 2
    lines = simulation_table(found).splitlines()
    assert lines[2].startswith("| 1 | 0.19 | 1.00 | 100% | 6% |")
    assert lines[-1].startswith("| 32 | 0.02 | 11.33 | 35% | 67% |")


def test_a_table_of_one_count_has_no_efficiency_above_one() -> None:
    one = Simulated(seconds=3600.0, stages={"s": 3600.0}, alone=0.0, working=1.0, link=0.0)
    assert "| 4 | 1.00 | 1.00 | 100% | 0% | 0% | s (100%) |" in simulation_table({4: one})


# ---------------------------------------------------------------- measured scans


def tripled(numbers: np.ndarray, by: int) -> np.ndarray:
    return numbers * by


def test_the_engine_records_tasks_and_bytes(tmp_path: Path) -> None:
    engine = Recording(tmp_path, workers=4)
    large = np.arange(50_000)
    with engine.progress("stage", 0) as advance:
        advance(1)
        shared = engine.share(large)
        assert engine.share(large) is shared  # counted once
        with engine.progress("neighbours", 5):
            sum(range(200_000))
        found = [engine.submit(tripled, large + 1, 3)(), *map_in_order(engine, partial_double, range(3))]
    engine.close()
    np.testing.assert_array_equal(found[0], 3 * (large + 1))
    assert found[1:] == [0, 2, 4]
    one = engine.stages["stage"]
    assert one.tasks == 4
    assert one.threaded > 0
    assert len(one.task_times) == 4
    assert large.nbytes <= one.shared < large.nbytes + 1_000
    assert 2 * large.nbytes <= one.moved < 2 * large.nbytes + 5_000
    assert len(list(tmp_path.iterdir())) == 1  # what was shared; arguments and results are gone


def partial_double(value: int) -> int:
    return 2 * value


@pytest.mark.usefixtures("in_process")
def test_the_command_measures_fits_and_simulates(
    tmp_path: Path, warmed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, page = tmp_path / "runs.json", tmp_path / "page.md"
    page.write_text("<!-- cost-model -->\nold\n<!-- /cost-model -->\n", encoding="utf-8")
    arguments = ["--rows", "300,600", "--machines", "1,2,4", "--work", str(warmed), "--json", str(kept)]
    assert cost_model.main([*arguments, "--docs", str(page)]) == 0
    first = capsys.readouterr().out
    small, large = json.loads(kept.read_text(encoding="utf-8"))
    assert (small["sizes"]["prompts"], large["sizes"]["prompts"]) == (300, 600)
    assert large["stages"]["encode wording"]["tasks"] >= 1
    assert large["stages"]["cluster wording"]["threaded"] > 0
    assert large["stages"]["cluster wording"]["shared"] > 0
    assert all(one["peak"] > 10**7 for one in large["stages"].values())
    assert "old" not in page.read_text(encoding="utf-8")
    assert "`python -m benchmarks.cost_model --rows 300,600 --encoder fast --cores 16" in first
    assert "1,000,000,000 prompts on machines with 16 cores each, simulated." in first
    # the same scans give the same tables
    assert cost_model.main(["--runs", str(kept), "--machines", "1,2,4"]) == 0
    assert capsys.readouterr().out == first
    with pytest.raises(SystemExit):
        cost_model.main(["--prompts", "none"])
    assert "numbers of at least 1" in capsys.readouterr().err
