"""Functions that the tests of engines run in workers. The module imports little, because each worker imports it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from harvestdetect.engines.sharing import Shared
from harvestdetect.util.arrays import Floats, Ints
from harvestdetect.util.texts import Texts
from harvestdetect.util.vectors import RowFile

__all__ = ["always_killed", "double", "fail", "held", "is_same", "killed_once", "ones", "texts_and_sum", "total"]


def double(value: int, plus: int = 0) -> int:
    return 2 * value + plus


def fail(value: int) -> int:
    raise ValueError(f"no {value}")


def killed_once(mark: str, value: int) -> int:
    """Kills its process where there is no mark yet, unless it is that of the tests."""
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return double(value)
    os.kill(os.getpid(), signal.SIGKILL)
    return -1


def always_killed(pid: int, value: int) -> int:
    """Ends any process but the one with this id."""
    if os.getpid() != pid:
        os._exit(1)
    return double(value)


def held(folder: str, value: int) -> int:
    """Makes a file named by the machine of Ray that it runs on, and waits there until there is a file ``released``."""
    import ray

    Path(folder, ray.get_runtime_context().get_node_id()).touch()
    while not Path(folder, "released").exists():
        time.sleep(0.05)
    return double(value)


def texts_and_sum(shared: Shared[tuple[Texts, Floats, RowFile]], rows: tuple[int, int]) -> tuple[list[str], float]:
    texts, numbers, file = shared.value()
    some = np.arange(*rows)
    return texts.take(some), float(numbers[some].sum() + file[some].astype(np.float64).sum())


def ones(shape: tuple[int, int]) -> Floats:
    return np.full(shape, 1.5)


def total(array: Floats) -> float:
    return float(array.sum())


def shared_total(shared: Shared[Ints]) -> int:
    return int(shared.value().sum())


def is_same(outer: Shared[tuple[str, Ints]], inner: Shared[Ints], _: int) -> bool:
    return outer.value()[1] is inner.value()
