"""An estimate of the number of rows in dumps, before they are read."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from harvestdetect.dump.storage.compressed import compression, decompress
from harvestdetect.dump.storage.sources import is_plain_file, open_source, source_size
from harvestdetect.dump.storage.streams import BrokenStreamError, Stored
from harvestdetect.errors import InputError

__all__ = ["rough_rows"]

SAMPLED_FILES: Final = 8
"""Number of files whose beginning is read. The others are assumed to be similar."""
SAMPLED_BYTES: Final = 1 << 18
"""Stored bytes of a sample."""
MOST_BYTES: Final = 1 << 27
"""Most bytes of a sample after decompression. A larger sample gives no estimate."""


def rough_rows(names: Sequence[str]) -> int | None:
    """Estimates rows from the stored sizes of files and the number of lines at the beginning of some of them.

    Args:
        names: of the files, as :func:`~harvestdetect.dump.expand_sources` gives them.

    Returns:
        The number of rows; None if any file is not local, is Parquet, or cannot be read.
    """
    if not names or not all(map(is_plain_file, names)):
        return None
    lines = stored = 0
    step = -(-len(names) // SAMPLED_FILES)
    for name in names[::step]:
        try:
            sample = _sample(name)
        except (InputError, OSError):
            return None
        if sample is None:
            return None
        lines, stored = lines + sample[0], stored + sample[1]
    size = sum(source_size(name) or 0 for name in names)
    return round(size * lines / stored) if stored else 0


def _sample(name: str) -> tuple[int, int] | None:
    """Number of lines at the beginning of a file, and their stored bytes; None if they give no estimate."""
    lines = taken = 0
    with open_source(name) as raw:
        data = raw.read(SAMPLED_BYTES)
    if data.startswith(b"PAR1"):
        return None
    source = Stored(io.BytesIO(data), name=name)
    with suppress(BrokenStreamError):  # a compressed stream is cut off
        for chunk in decompress(source, compression(data[:4])):
            if not taken and chunk.startswith(b"PAR1"):
                return None
            lines, taken = lines + chunk.count(b"\n"), taken + len(chunk)
            if taken > MOST_BYTES:
                return None
    return (lines, len(data)) if taken or not data else None
