"""The benchmark of engines: turns, the price of a task, and workers that share cores."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import engines
from benchmarks.engines import Halves, Taken, engines_table, scaling_table, task_seconds
from harvestdetect.engines.loop import Loop


def resting(folder: str) -> None:
    """Takes a place, as ``engines._spin`` does, and leaves its half of the core idle."""
    engines._take_place(folder)
    time.sleep(600)


def taken(engine: str, seconds: float, *, same: bool = True) -> Taken:
    stages = {"read": seconds / 2, "evidence": seconds / 4}
    return Taken(engine=engine, seconds=seconds, processor_seconds=2 * seconds, stages=stages, same=same)


def test_the_table_has_medians_relative_to_processes() -> None:
    scans = [taken("loop", 20), taken("processes", 10), taken("ray", 12), taken("ray", 13), taken("loop", 20)]
    lines = engines_table([*scans, taken("processes", 10), taken("ray", 20, same=False)]).splitlines()
    assert "| loop | 20.0 | 40.0 | 2.00 | yes |" in lines
    assert "| ray | 13.0 | 26.0 | 1.30 | NO |" in lines
    assert "| read | 10.0 | 5.0 | 6.5 |" in lines
    assert "| loop | 20.0 | 40.0 | - | yes |" in engines_table([taken("loop", 20)])


def test_efficiency_is_the_time_of_one_over_that_of_several() -> None:
    lines = scaling_table({1: {"read": (8, 10.0)}, 4: {"read": (8, 2.5), "late": (1, 2.5)}}).splitlines()
    assert "| read | 8 | 10.0 | 1.00 | 2.5 | 1.00 |" in lines
    assert "| late | 0 | 0.0 | 0.00 | 2.5 | 0.00 |" in lines
    assert "| all | 8 | 10.0 | 1.00 | 5.0 | 0.50 |" in lines


def where(value: int) -> tuple[int, frozenset[int]]:
    return value, frozenset(os.sched_getaffinity(0))


def test_two_workers_share_a_core(tmp_path: Path) -> None:
    assert task_seconds(Loop(), 10) > 0
    with closing(Halves(2, folder=tmp_path)) as halves:
        with halves.progress("stage", 0), halves.progress("bar", 3):
            waiting = [halves.submit(where, value) for value in range(12)]
            found = [result() for result in waiting]
        assert [value for value, _ in found] == list(range(12))
        assert {cores for _, cores in found} == {frozenset({min(os.sched_getaffinity(0))})}
        assert halves.tasks == {"stage": 12}
        assert halves.seconds["stage"] > 0
    assert {path.name for path in tmp_path.iterdir()} <= {"place-0", "place-1"}


@pytest.mark.usefixtures("in_process")
def test_the_command_scans_on_each_engine(tmp_path: Path, warmed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- engines -->\nold\n<!-- /engines -->\n<!-- engines-tasks -->\n<!-- /engines-tasks -->\n")
    common = ["--work", str(warmed), "--docs", str(page), "--engines", "loop,processes", "--workers", "2"]
    assert engines.main([*common, "--rows", "300", "--rounds", "1"]) == 0
    told = capsys.readouterr().out
    for name in ("loop", "processes"):
        (line,) = [line for line in told.splitlines() if line.startswith(f"| {name} |")]
        assert line.endswith("| yes |")
    assert "| cluster wording |" in told
    assert "`python -m benchmarks.engines --rows 300 --engines loop,processes --workers 2 --rounds 1`" in told
    assert engines.main([*common, "--tasks", "20"]) == 0
    assert "old" not in page.read_text()
    assert "| loop | 0.0" in page.read_text()


@pytest.mark.usefixtures("in_process")
def test_tasks_scale_on_halves_of_cores(tmp_path: Path, warmed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_spin", resting)
    page = tmp_path / "page.md"
    page.write_text("<!-- engines-scaling -->\n<!-- /engines-scaling -->\n")
    arguments = ["--work", str(warmed), "--docs", str(page), "--rows", "300", "--scaling", "2"]
    assert engines.main(arguments) == 0
    text = page.read_text()
    assert "| stage | tasks | 2 workers: seconds | efficiency |" in text
    for stage in ("encode wording", "cluster wording", "templates", "evidence", "all"):
        assert f"\n| {stage} | " in text


@pytest.mark.parametrize("wrong", [["--scaling", "0"], ["--scaling", "1,9999"], ["--engines", "loop,spark"]])
def test_wrong_options_are_named(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        engines.main(wrong)
    assert wrong[0] in capsys.readouterr().err


def test_an_engine_that_cannot_be_used_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from harvestdetect.errors import EngineError

    def opened(settings: object) -> None:
        raise EngineError("no such engine")

    monkeypatch.setattr(engines, "open_engine", opened)
    assert engines.overhead(["loop"], tasks=1, workers=1).count("\n") == 2
    assert "left out: no such engine" in capsys.readouterr().err
