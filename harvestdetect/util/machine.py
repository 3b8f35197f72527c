"""Cores and memory of the machine, and the memory that this process has used."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress

__all__ = ["cores", "memory_gb", "peak_memory_mb", "processes"]


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processes(workers: int | None) -> int:
    """Number of processes that ``Settings.workers`` asks for."""
    return 1 if workers is None else workers or cores()


def memory_gb() -> float:
    """Memory of the machine, in 10**9 bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def peak_memory_mb() -> float:
    """Peak resident memory of this process, in 10**6 bytes.

    On Linux, ``ru_maxrss`` includes the memory that the process had before it became this program, which may be that of
    a large parent. The file of the kernel does not.
    """
    with suppress(OSError, ValueError, IndexError), open("/proc/self/status", encoding="ascii") as status:
        lines = (line.split() for line in status if line.startswith("VmHWM:"))
        return round(int(next(lines, ["", ""])[1]) * 1024 / 1e6, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6, 1)
