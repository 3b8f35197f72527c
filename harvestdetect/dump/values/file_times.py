"""The times of one file: a reader for each column, and what the user should know about them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from harvestdetect.data import NO_TIME
from harvestdetect.dump.values.times import TimeReader
from harvestdetect.util.arrays import Ints

__all__ = ["WITHOUT_TIME", "FileTimes", "pattern_of"]

WITHOUT_TIME: Final = "rows have no time"
"""End of the sentence about rows without a time."""

_TOLD_ABSENT: Final = 0.1
"""Share of the rows without a time from which the user is told."""
_SHOWN: Final = 40
"""Characters of the pattern of a time that could not be read."""
_DIGIT: Final = re.compile(r"[0-9]")
_LETTER: Final = re.compile(r"[^0-9\W_]")


class FileTimes:
    """Reads the times of a file, block by block. The first block with times decides how a column is read."""

    def __init__(self) -> None:
        self._readers: dict[str, TimeReader] = {}
        self._unread: dict[str, int] = {}
        self._absent = 0
        self._count = 0
        self._pattern = ""

    def seconds(self, field: str, values: Sequence[Any]) -> Ints:
        """The values of a column in Unix seconds, int64[n], ``NO_TIME`` where there is none.

        Args:
            field: ``timestamp`` or ``created_at``.
            values: of the next rows of the file.
        """
        reader = self._readers.get(field)
        if reader is None:
            reader = TimeReader.of(values)
            if reader.format:
                self._readers[field] = reader
        before = reader.unreadable
        found = reader.column(values)
        unread = reader.unreadable - before
        self._unread[field] = self._unread.get(field, 0) + unread
        if field == "timestamp":
            self._count += len(found)
            self._absent += int((found == NO_TIME).sum()) - unread
            if unread and not self._pattern:
                self._pattern = pattern_of(reader.first_unreadable)
        return found

    @property
    def format(self) -> str:
        """The format of the times in words; "" if there are none."""
        return self._readers["timestamp"].format if "timestamp" in self._readers else ""

    @property
    def untimed(self) -> int:
        """Rows whose time could not be read."""
        return self._unread.get("timestamp", 0)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should check, one sentence each. No value of a row is in them."""
        found = []
        if self.untimed:
            share = f"{self.untimed / self._count:.0%}"
            found.append(
                f"the times of {self.untimed:,} of {self._count:,} rows ({share}) cannot be read, such as one written "
                f"as {self._pattern} (9 for any digit, a for any letter); these rows count without a time"
            )
        if self._absent > _TOLD_ABSENT * self._count:
            found.append(f"{self._absent:,} of {self._count:,} {WITHOUT_TIME}")
        for field, reader in sorted(self._readers.items()):
            before = "" if field == "timestamp" else f"{field}: "
            found += [f"{before}{warning}" for warning in reader.warnings]
        if self._unread.get("created_at"):
            found.append(f"created_at: {self._unread['created_at']:,} values cannot be read")
        return tuple(found)


def pattern_of(value: Any) -> str:
    """A value with ``9`` for every digit and ``a`` for every letter, so that it shows its form and no text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return f"a value of the type {type(value).__name__}"
    text = ascii(str(value)[:_SHOWN])[1:-1] if isinstance(value, str) else str(value)
    return _LETTER.sub("a", _DIGIT.sub("9", text[:_SHOWN]))
