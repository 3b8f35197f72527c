"""Three engines, one shape: what runs elsewhere is what would run here, also if a worker is killed."""

from __future__ import annotations

import os
import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from harvestdetect.engines.engine import lots, map_in_order
from harvestdetect.engines.processes import Processes
from harvestdetect.engines.sharing import INLINE, Exchange, Stored
from harvestdetect.errors import ScratchError
from harvestdetect.util.texts import write_texts
from harvestdetect.util.vectors import RowFile
from tests.engines.conftest import Open
from tests.engines.tasks import (
    always_killed,
    double,
    fail,
    is_same,
    killed_once,
    ones,
    shared_total,
    texts_and_sum,
    total,
)


def test_results_come_in_order_and_errors_arrive(engines: Open) -> None:
    with engines() as engine:
        assert list(map_in_order(engine, partial(double, plus=1), range(40))) == [2 * n + 1 for n in range(40)]
        with pytest.raises(ValueError, match="no 3"):
            engine.submit(fail, 3)()
        engine.rest()
        assert engine.submit(double, 4)() == 8


def test_values_are_shared_once_with_their_files(engines: Open, tmp_path: Path) -> None:
    names = [f"text {i} ß" for i in range(2_000)]
    file = RowFile(2_000, 3, folder=tmp_path)
    file[:] = np.arange(6_000, dtype=np.float16).reshape(-1, 3) % 7
    numbers = np.random.default_rng(0).random(2_000)
    ranges = [(a, a + 100) for a in range(0, 2_000, 100)]
    with engines() as engine:
        shared = engine.share((write_texts(names, tmp_path), numbers, file))
        assert len(pickle.dumps(shared)) < 1_000 or engine.workers == 1
        found = list(map_in_order(engine, partial(texts_and_sum, shared), ranges))
        inner = np.arange(3)
        known = engine.share(inner)
        outer = engine.share(("both", inner))
        assert engine.submit(is_same, outer, known, 0)()
    assert [text for texts, _ in found for text in texts] == names
    assert [s for _, s in found] == [
        float(numbers[a:b].sum() + file[a:b].astype(np.float64).sum()) for a, b in ranges
    ]  # fmt: skip


def test_a_value_is_forgotten_and_shared_anew(engines: Open) -> None:
    numbers, others = np.arange(5_000), np.arange(7_000)
    with engines() as engine:
        kept, gone = engine.share(others), engine.share(numbers)
        assert engine.submit(shared_total, gone)() == numbers.sum()
        engine.forget(numbers)
        engine.forget(numbers)  # a value that is not shared is no error
        if isinstance(engine, Processes):
            assert isinstance(gone, Stored)
            assert not Path(gone.path).exists()
        assert engine.submit(shared_total, engine.share(numbers))() == numbers.sum()
        assert engine.submit(shared_total, kept)() == others.sum()


def test_large_arguments_and_results_arrive(engines: Open) -> None:
    with engines() as engine:
        large = engine.submit(ones, (300, 100))()
        assert large.nbytes > INLINE
        np.testing.assert_array_equal(large, ones((300, 100)))
        large[0, 0] = 2.0  # it is the caller's own
        assert engine.submit(total, large)() == large.sum()


def test_a_call_whose_worker_is_killed_is_made_again(engines: Open, tmp_path: Path) -> None:
    with engines() as engine:
        if engine.workers == 1:
            pytest.skip("the loop has no workers")
        mark = str(tmp_path / "mark")
        assert list(map_in_order(engine, partial(killed_once, mark), range(9))) == [2 * n for n in range(9)]
        assert Path(mark).exists()
        assert engine.workers == 2


def test_what_no_worker_survives_is_done_here(engines: Open) -> None:
    with engines() as engine:
        assert list(map_in_order(engine, partial(always_killed, os.getpid()), range(3))) == [0, 2, 4]
        assert engine.submit(double, 4)() == 8


def test_lots_keep_the_order_and_are_many_enough() -> None:
    for count in (0, 1, 31, 32, 1_000):
        found = lots(range(count), Processes(2), most=16)
        assert [i for lot in found for i in lot] == list(range(count))
        assert all(len(lot) <= 16 for lot in found)
        assert len(found) >= min(count, 32)


def test_a_file_that_was_changed_is_not_opened(tmp_path: Path) -> None:
    stored = Exchange(tmp_path).put(("a", np.arange(5_000)))
    name, numbers = stored.read()
    assert name == "a"
    assert numbers.sum() == 4_999 * 2_500
    path = Path(stored.path)
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ScratchError, match="was changed by another program"):
        stored.read()
    path.unlink()
    with pytest.raises(ScratchError, match="give --work a folder that all machines share"):
        stored.read()


def test_files_are_named_by_their_content_and_go_with_the_engine(engines: Open, tmp_path: Path) -> None:
    with engines(tmp_path) as engine:
        engine.share(np.arange(100_000))
        assert engine.submit(ones, (300, 100))().sum() == 45_000
    assert list(tmp_path.iterdir()) == []
