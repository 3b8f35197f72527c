"""How the dumps of a scan were read, in a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from harvestdetect.data import FileReading, Reject, SourceFile
from harvestdetect.dump.reading_warnings import layouts
from harvestdetect.report.format import plural

__all__ = ["layout_line", "reading_lines", "reject_line"]

SHOWN: Final = 3
"""Ways of reading, and reasons of rejects, that are told."""


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


def layout_line(reading: FileReading) -> str:
    """One way of reading: ``columns (litellm-spend-logs): account = user, timestamp = startTime (ISO 8601)``.

    Control characters of column names are not escaped.
    """
    parts = []
    for field, column in reading.columns.items():
        times = f" ({reading.times})" if field == "timestamp" and reading.times else ""
        parts.append(f"{field} = {column}{times}")
    head = ", ".join(part for part in (reading.shape, reading.container) if part)
    return (f"columns ({head}): " if head else "columns: ") + ", ".join(parts)


def reject_line(rejects: Sequence[Reject]) -> str:
    """The most frequent reasons of rejects, and where all of them are; "" without rejects.

    Control characters of reasons are not escaped.
    """
    reasons = Counter(reject.reason for reject in rejects).most_common()
    if not reasons:
        return ""
    told = "; ".join(f"{reason} ({count:,})" for reason, count in reasons[:SHOWN])
    more = f"; {plural(len(reasons) - SHOWN, 'more reason')}" if len(reasons) > SHOWN else ""
    return f"rejects (all are in rejects.jsonl): {told}{more}"
