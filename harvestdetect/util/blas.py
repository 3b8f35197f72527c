"""How many threads a matrix product takes."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

__all__ = ["limit_blas"]


def limit_blas(count: int | None) -> AbstractContextManager[object]:
    """Limits the threads of matrix products until the context ends.

    Args:
        count: threads; None leaves the choice to the library.
    """
    limited: AbstractContextManager[object] = _loaded_libraries(len(sys.modules)).limit(limits=count, user_api="blas")
    return limited


@lru_cache(maxsize=1)
def _loaded_libraries(modules: int) -> Any:
    """The libraries that this process has loaded. A search for them takes longer than a stage of a small scan.

    Args:
        modules: the number of imported modules. If it changes, the search is repeated: imports are what load libraries.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
