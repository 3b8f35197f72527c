"""Limits on the threads of matrix products."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from harvestdetect.util import blas
from harvestdetect.util.blas import limit_blas


def threads() -> set[int]:
    """Threads of the libraries that multiply matrices."""
    assert np.ones((2, 2)).sum() == 4  # numpy has loaded one
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_limits_are_nested_and_end() -> None:
    before = threads()
    with limit_blas(2):
        with limit_blas(1):
            assert threads() == {1}
        assert threads() == {2}
        with limit_blas(None):
            assert threads() == {2}
    assert threads() == before


def test_libraries_are_searched_again_only_after_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    import threadpoolctl

    searched: list[object] = []

    class Counted(threadpoolctl.ThreadpoolController):  # type: ignore[misc]
        def __init__(self) -> None:
            searched.append(self)
            super().__init__()

    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", Counted)
    blas._loaded_libraries.cache_clear()
    for _ in range(3):
        with limit_blas(1):
            pass
    assert len(searched) == 1
    monkeypatch.setitem(sys.modules, "imported_just_now", ModuleType("imported_just_now"))
    with limit_blas(1):
        pass
    assert len(searched) == 2
    blas._loaded_libraries.cache_clear()
