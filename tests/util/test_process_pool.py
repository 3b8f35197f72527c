"""What other processes do is what would be done here."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest
from harvestdetect.util.process_pool import ProcessPool

from harvestdetect import Settings, detect, read_dumps, stages
from harvestdetect.simulate import simulate


def double(value: int, *, plus: int = 0) -> int:
    return 2 * value + plus


def fail(value: int) -> int:
    raise ValueError(f"no {value}")


def here_only(value: int) -> int:
    """Ends any process but the first."""
    if multiprocessing.parent_process() is not None:
        os._exit(1)
    return value


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers: int) -> None:
    with ProcessPool(workers) as pool:
        found = list(pool.over(lambda n: pool.call(double, n, plus=1), range(40)))
        assert found == [2 * n + 1 for n in range(40)]
        with pytest.raises(ValueError, match="no 3"):
            pool.call(fail, 3)


def test_what_a_killed_process_was_to_do_is_done_here() -> None:
    with ProcessPool(2) as pool:
        assert list(pool.over(lambda n: pool.call(here_only, n), range(9))) == list(range(9))
        assert pool.call(double, 4) == 8


def test_clusters_are_described_alike_wherever(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = simulate(tmp_path, prompts=3_000, seed=5)
    monkeypatch.setattr(stages, "PARALLEL_CLUSTERS", 1)
    settings = Settings(encoder="fast", cache=cache)
    found = [
        detect(read_dumps([made.files[0].parent]), settings=settings.replace(workers=workers)) for workers in (1, 2)
    ]
    assert found[0].findings
    assert found[0].findings == found[1].findings
