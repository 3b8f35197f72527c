"""An estimate of the memory that a scan needs, and the memory that is available.

The estimate is a function of counts alone: prompts, distinct texts (segments) and the pairs of both. They are known
exactly when the dumps have been read, before anything is embedded or compared. The estimate is the largest of the
stages of :func:`harvestdetect.detect`. ``python -m benchmarks.memory`` prints it beside measured peaks. The
constants were measured on Linux on x86_64, and are slightly above what was measured.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

from harvestdetect.errors import NeedsMemoryError
from harvestdetect.settings import Settings
from harvestdetect.util.machine import cores, memory_gb, processes

__all__ = ["Counts", "available_gb", "check_memory", "estimate_gb", "reading_gb", "rough_gb", "vectors_in_file"]

MB: Final = 1e6
"""Bytes of a megabyte."""
GB: Final = 1e9
"""Bytes of a gigabyte."""
IN_MEMORY: Final = 0.05
"""Share of the memory that a scan may use. Vectors that would take more are kept in a file."""

# Measured in 10**6 bytes as resident memory (VmHWM of each stage) of scans of 5,000 to 300,000 rows.
START: Final = 130.0
"""MB of a process with numpy and pyarrow."""
BATCH: Final = 60.0
"""MB of reading and cutting, whatever the size of the blocks."""
BATCH_BYTE: Final = 20
"""Bytes for each byte of the largest block of prompts while it is cut: 500 MB measured for a block of 25 MB."""
WORDING: Final = 130.0
"""MB of the wording model, its random directions and tokenizer, and the words that it remembers."""
CLUSTERING: Final = 110.0
"""MB of scipy and scikit-learn when they are loaded."""
JUDGING: Final = 60.0
"""MB of describing and measuring candidates, whatever their number."""
TEXT_BYTE: Final = 4
"""Bytes for each byte of the texts of segments while clusters are described and measured."""
MAX_TEXT_MB: Final = 800.0
"""Most MB for these texts. It comes from a scan of 60,000 distinct long texts (150 MB of segments) that reached 1.5 GB
before it was stopped, and is the least certain of these constants."""
TORCH: Final = 280.0
"""MB of torch when it is loaded. The search by cells multiplies with it, and so do profiles of accounts."""
THREAD: Final = 50.0
"""MB of the blocks that one thread of the search compares."""
MEANING: Final = 1_000.0
"""MB of torch, the packaged model and a batch of 64 texts."""
WORKER: Final = 230.0
"""MB of a worker process that prepares texts (137 were measured) or describes clusters."""

# Bytes for each item, from the widths of the arrays that live at the same time.
PROMPT: Final = 100
"""Bytes of a prompt's columns and of its place in tables of the judging stages."""
READ_PROMPT: Final = 130
"""Bytes of a prompt while all prompts are sorted, beside :data:`PROMPT`."""
PAIR: Final = 28
"""Bytes of a pair of a prompt and a segment, which is stored by segment and by account."""
READ_PAIR: Final = 80
"""Bytes of such a pair while all pairs are sorted and those of pieces are joined."""
SEGMENT: Final = 60
"""Bytes of a segment's digest, places and sizes."""
EDGE: Final = 24
"""Bytes of an edge between neighbours while trees are built, beside the lists of neighbours."""
COLUMN: Final = 300
"""Bytes of such a pair while the columns of prompts are computed and profiles of accounts are compared: 340 were
measured, with :data:`MARGIN`, for 500,000 rows of 65,000 accounts."""
LIST: Final = 9
"""Bytes of a place in the lists of a search by cells."""
SLACK: Final = 8
"""Number of places beyond k in these lists."""
MARGIN: Final = 1.2
"""Factor on the bytes of all items, because the allocator keeps some memory that was freed."""
DIMENSIONS: Final = {"wording": 256, "meaning": 384}
"""View -> length of a vector of the packaged models."""
MANY: Final = 50_000
"""Number of prompts from which worker processes are started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The size of what is scanned."""

    prompts: int
    segments: int
    """Distinct texts that are compared."""
    pairs: int
    """Pairs of a prompt and a segment that it contains."""
    value_bytes: int = 0
    """Bytes of the distinct values of all columns, such as accounts and addresses."""
    text_bytes: int = 0
    """Bytes of the texts of all segments, as UTF-8."""
    batch_bytes: int = 4_000_000
    """Bytes of the largest block of prompts that was read at once, with all columns."""


def vectors_in_file(rows: int, dimensions: int, settings: Settings) -> bool:
    """Whether vectors (float16) are kept in a temporary file, because they are large for the memory of the scan."""
    return 2 * rows * dimensions > IN_MEMORY * GB * (settings.memory_gb or memory_gb() / 2)


def estimate_gb(counts: Counts, settings: Settings, *, meaning: int | None = None) -> float:
    """The peak memory of a scan and of the processes that it starts.

    Args:
        counts: the size of what is scanned.
        settings: ``encoder``, ``k``, ``exact_below``, ``batch_size``, ``threads``, ``workers`` and ``memory_gb`` count.
        meaning: number of segments that are embedded by meaning; None: all, unless the encoder is ``fast``.

    Returns:
        10**9 bytes.
    """
    n, k = counts.segments, settings.k
    wanted = 0 if settings.encoder == "fast" else n if meaning is None else meaning
    kept = counts.prompts * PROMPT + counts.pairs * PAIR + n * SEGMENT + counts.value_bytes
    own = _vectors(n, "wording", settings) + 8 * k * n
    theirs = _vectors(wanted, "meaning", settings) + 8 * k * wanted
    base = START + WORDING
    loaded = base + CLUSTERING + (TORCH if n > settings.exact_below else 0)
    stages = [_reading(counts), _search(n, "wording", settings, base=base, kept=kept + own)]
    stages.append(_sum(loaded, kept + own + n * k * EDGE))
    if wanted:
        batch = MEANING * max(1.0, settings.batch_size / 64)
        loaded = loaded + batch - (TORCH if n > settings.exact_below else 0)
        stages.append(_search(wanted, "meaning", settings, base=loaded - TORCH, kept=kept + own + theirs))
        stages.append(_sum(loaded, kept + own + theirs + wanted * k * EDGE))
    elif n <= settings.exact_below:
        loaded += TORCH
    stages.append(_sum(loaded, kept + own + theirs + counts.pairs * COLUMN))
    # Vectors of the meaning view are no longer needed, but the process keeps part of the freed memory.
    texts = min(TEXT_BYTE * counts.text_bytes / MB, MAX_TEXT_MB)
    stages.append(_sum(loaded + JUDGING + texts, kept + own + theirs + n * k * EDGE / 2))
    workers = processes(settings.workers)
    others = workers * WORKER if workers > 1 and counts.prompts > MANY else 0.0
    return (max(stages) + others) * MB / GB


def rough_gb(rows: int, settings: Settings) -> float:
    """The memory of a scan of rows like those of the benchmarks, in 10**9 bytes.

    In these, nine rows of ten are distinct texts, and a prompt contains two and a half segments.
    """
    return estimate_gb(Counts(prompts=rows, segments=rows, pairs=5 * rows // 2, value_bytes=20 * rows), settings)


def reading_gb(prompts: int) -> float:
    """The least memory of a scan of this number of prompts or more, in 10**9 bytes; known while they are read."""
    return _reading(Counts(prompts=prompts, segments=0, pairs=0, batch_bytes=0)) * MB / GB


def _reading(counts: Counts) -> float:
    items = counts.prompts * (PROMPT + READ_PROMPT) + counts.pairs * READ_PAIR + counts.segments * SEGMENT
    return _sum(START + BATCH + BATCH_BYTE * counts.batch_bytes / MB, items + 2 * counts.value_bytes)


def _search(rows: int, view: str, settings: Settings, *, base: float, kept: float) -> float:
    """MB of the search for neighbours."""
    if rows <= settings.exact_below:
        return _sum(base, kept + rows * 4 * DIMENSIONS[view])
    lists = DIMENSIONS[view] + LIST * (settings.k + SLACK) + 40
    return _sum(base + TORCH + THREAD * (settings.threads or cores()), kept + rows * lists)


def _vectors(rows: int, view: str, settings: Settings) -> int:
    """Bytes of the vectors that are in memory."""
    dimensions = DIMENSIONS[view]
    return 0 if vectors_in_file(rows, dimensions, settings) else 2 * rows * dimensions


def _sum(base: float, items: float) -> float:
    return base + MARGIN * items / MB


def check_memory(need: float, allowed: float, settings: Settings, *, what: str) -> None:
    """Checks that there is enough memory for a scan.

    Args:
        need: 10**9 bytes, see :func:`estimate_gb`.
        allowed: 10**9 bytes.
        settings: ``memory_gb`` says whether ``allowed`` was set or is what is available. ``memory_gb`` and ``encoder``
            decide what the message advises.
        what: what is scanned, for the message.

    Raises:
        NeedsMemoryError: it needs more.
    """
    if need <= allowed:
        return
    bound = settings.memory_gb is not None
    limit = f"--memory allows {allowed:.3g} GB" if bound else f"{allowed:.3g} GB are available"
    more = ceil(need * 11) / 10
    remedy = f"give --memory {more:g}" if bound else f"free some memory, or give --memory {more:g} to scan all the same"
    less = "" if settings.encoder == "fast" else ", or with --encoder fast"
    raise NeedsMemoryError(
        f"this scan will need about {need:.2g} GB of memory for {what}, and {limit}; {remedy}, or scan a shorter "
        f"window or fewer rows{less}"
    )


# ---------------------------------------------------------------- what there is


def available_gb(*, proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> float:
    """The memory that this process may use in all, in 10**9 bytes.

    That is what it has, and what is free on the machine and in every control group of the process. If neither can be
    read, it is the memory of the machine.

    Args:
        proc: folder of the kernel with information on processes.
        groups: folder of the kernel with information on control groups.
    """
    own = _number(proc / "self" / "statm", r"^\d+ (\d+)") or 0
    free = _number(proc / "meminfo", r"^MemAvailable:\s+(\d+) kB")
    found = [memory_gb() * GB] if free is None else [free * 1024 + own * os.sysconf("SC_PAGE_SIZE")]
    for folder in _groups(proc, groups):
        for limit, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            most, now = _number(folder / limit, r"^(\d+)$"), _number(folder / used, r"^(\d+)$")
            if most is None or now is None:
                continue
            cached = _number(folder / "memory.stat", r"^(?:total_)?inactive_file (\d+)$") or 0
            others = max(now - cached - own * os.sysconf("SC_PAGE_SIZE"), 0)
            found.append(max(most - others, 0))
    return min(found) / GB


def _groups(proc: Path, groups: Path) -> list[Path]:
    """The control groups that may limit the memory of this process, with all groups above them."""
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except (OSError, ValueError):
        lines = []
    found = {groups, groups / "memory"}
    for line in lines:
        _, controllers, name = (*line.split(":", 2), "", "")[:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        top = groups / "memory" if controllers else groups
        parts = [part for part in name.split("/") if part not in ("", "..")]
        found |= {top.joinpath(*parts[:i]) for i in range(len(parts) + 1)}
    return sorted(found)


def _number(file: Path, pattern: str) -> int | None:
    """The first number that a pattern finds in a small file; None if there is none, as in the word ``max``."""
    try:
        found = re.search(pattern, file.read_text(), re.MULTILINE)
    except (OSError, ValueError):
        return None
    return int(found[1]) if found else None
