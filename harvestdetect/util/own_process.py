"""What a process may do that runs nothing but this package."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Final

__all__ = ["OWN_PROCESS", "begin_own_process", "collect_rarely", "leave_pandas_out"]

OWN_PROCESS: Final = ContextVar("OWN_PROCESS", default=False)
"""Whether this process is a command of this package, not a program of a user that calls it."""


def begin_own_process() -> None:
    """Marks this process as a command of this package."""
    OWN_PROCESS.set(True)
    collect_rarely()


def collect_rarely() -> None:
    """Lets Python look for cycles of unused objects rarely. That saves a twentieth of the time of a small scan."""
    gc.set_threshold(50_000, 20, 20)


class _WithoutPandas(MetaPathFinder):
    """Finds no pandas."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is left out", name="pandas")


def leave_pandas_out() -> None:
    """Keeps pyarrow from importing pandas when it makes an array of a list.

    Wherever pandas is installed, pyarrow imports it for the first list, to ask whether the list is a series. The import
    takes a sixth of a small scan. Afterwards pyarrow would treat a series as any other sequence, so this is for
    processes that run nothing but this package. Nothing changes if pandas is loaded already.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    finder = _WithoutPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([""])  # without a type: to guess it, the library in C++ asks as well
    finally:
        sys.meta_path.remove(finder)
