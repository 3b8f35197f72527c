"""What is known of a file beside its beginning: lines from all over it, and what its path says."""

from __future__ import annotations

import os
from typing import Final

from harvestdetect.dump.columns.file_names import in_path, partitions
from harvestdetect.dump.columns.names import Mapped, matches

__all__ = ["constants_of", "lines_from"]

_PLACES: Final = 15
"""Places of a file from which lines are taken."""
_BYTES: Final = 1 << 16
"""Bytes that are read at each place."""
_LINES: Final = 20
"""Most lines that are taken from each place."""
_PARTITIONED: Final = ("account", "org", "model", "session", "api_key", "ip")
"""Fields whose value may be in a folder that is called ``name=value``."""


def lines_from(name: str, start: int = 0) -> list[bytes]:
    """Whole lines from places all over a local file, each at most once; fewer if it is short or cannot be read.

    Args:
        name: of the file.
        start: offset of the first line that may be taken.
    """
    found: list[bytes] = []
    try:
        with open(name, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            done = start
            for number in range(_PLACES):
                place = max(start + (size - start) * number // _PLACES, done)
                # One byte more shows whether a line begins there.
                file.seek(max(place - 1, 0))
                lines = file.read(_BYTES).split(b"\n")
                whole = lines[1:-1] if place else lines[:-1]
                taken = whole[:_LINES]
                found += taken
                before = len(lines[0]) + 1 if place else 0
                done = max(place - 1, 0) + before + sum(map(len, taken)) + len(taken)
                if place + _BYTES >= size:
                    break
    except OSError:
        return found
    return found


def constants_of(mapped: Mapped, name: str) -> dict[str, str]:
    """Field -> the value that the path of a file gives: by the patterns of the user, and by folders ``name=value``."""
    found: dict[str, str] = {}
    for key, value in partitions(os.path.abspath(name) if "://" not in name else name).items():
        for match in matches((key,)):
            if match.field in _PARTITIONED and match.field not in mapped.without:
                found[match.field] = value
                break
    for field, pattern in mapped.patterns.items():
        part = in_path(pattern, name)
        if part is not None:
            found[field] = part
        else:
            found.pop(field, None)
    return found
