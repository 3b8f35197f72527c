"""How the dumps of a scan were read, in a few lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harvestdetect.data import Reading, SourceFile
from harvestdetect.dump.reading_warnings import layouts
from harvestdetect.report.format import plural

__all__ = ["layout_line", "reading_lines"]

SHOWN: Final = 3
"""Ways of reading that are told."""


def reading_lines(files: Sequence[SourceFile]) -> list[str]:
    """A line for each way in which files were read, the most frequent first."""
    found = layouts(files)
    several = len(found) > 1
    lines = [
        layout_line(reading) + (f" ({plural(number, 'file')})" if several else "") for reading, number in found[:SHOWN]
    ]
    if len(found) > SHOWN:
        lines.append(f"{plural(len(found) - SHOWN, 'more way')} of reading: see run.json")
    return lines


def layout_line(reading: Reading) -> str:
    """One way of reading: ``LiteLLM spend logs: account = user, prompt = messages, timestamp = startTime (ISO 8601)``.

    Control characters of column names are not escaped.
    """
    parts = []
    for field, column in reading.columns.items():
        times = f" ({reading.times})" if field == "timestamp" and reading.times else ""
        parts.append(f"{field} = {column}{times}")
    head = ", ".join(part for part in (reading.shape, reading.container) if part)
    return (f"{head}: " if head else "columns: ") + ", ".join(parts)
