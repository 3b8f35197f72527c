"""Limits of reading: the number of rejects that are listed, and the size of content compared with its stored size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from harvestdetect.data import Reject
from harvestdetect.dump.storage.streams import BrokenStreamError

__all__ = ["BLOCK_BYTES", "FREE", "LISTED", "PART_COST", "ROW_COST", "Budget", "Expansion", "ExpansionError", "Rejects"]

BLOCK_BYTES: Final = 16_000_000
"""Approximate bytes of the text of the rows of a block."""
LISTED: Final = 100_000
"""Number of rejects of a file that are listed one by one. Further ones are only counted."""
FREE: Final = 4_000_000_000
"""Bytes by which the content of all dumps of a scan may exceed what their stored sizes allow."""
ROW_COST: Final = 2_000
"""Bytes that a row or a reject counts in addition to its text, for what a scan keeps of it."""
PART_COST: Final = 200
"""Bytes that a message, or a line of a compressed text, counts in addition to its text."""


class ExpansionError(BrokenStreamError):
    """The content is larger, compared with the stored file, than the settings allow."""


class Budget:
    """How much larger than their stored size the content of the dumps of one scan may be.

    Args:
        expansion: largest size of the content of a file, as a multiple of its stored size. What exceeds it, over all
            files, is taken from :data:`FREE`.
    """

    def __init__(self, expansion: float) -> None:
        self.expansion = expansion
        self.left: float = FREE


class Expansion:
    """What one file uses of a :class:`Budget`.

    Args:
        budget: of the scan.
        stored: returns the stored size of the file in bytes, as far as it is known.
    """

    def __init__(self, budget: Budget, stored: Callable[[], int]) -> None:
        self._budget = budget
        self._stored = stored
        self._cost = 0
        self._beyond = 0.0
        self.stopped = False
        """Whether :meth:`spend` has raised an exception."""

    @property
    def reason(self) -> str:
        """Why reading stops, and what to do."""
        return (
            f"the content is more than max_expansion = {self._budget.expansion:,.0f} times as large as the file, and "
            f"the {FREE / 1e9:.0f} GB that a scan allows beyond that are used up; raise max_expansion to read on"
        )

    def spend(self, cost: int) -> None:
        """Counts more content.

        Args:
            cost: bytes, with :data:`ROW_COST` and :data:`PART_COST`.

        Raises:
            ExpansionError: it is too much.
        """
        self._cost += cost
        beyond = max(0.0, self._cost - self._budget.expansion * self._stored())
        if beyond != self._beyond:
            self._budget.left -= beyond - self._beyond
            self._beyond = beyond
            if self._budget.left < 0:
                self.stopped = True
                raise ExpansionError(self.reason)


class Rejects:
    """The rejects of one file. The first ones are listed, the others only counted.

    Args:
        file: its name.
        listed: number of rejects that are listed.
    """

    def __init__(self, file: str, *, listed: int = LISTED) -> None:
        self._file = file
        self._room = listed
        self._listed: list[Reject] = []
        self._unlisted = 0
        self.last = 0
        """The last line with a reject; 0 if there is none."""

    @property
    def full(self) -> bool:
        """Whether further rejects are only counted, so that their reasons need not be found."""
        return self._room <= 0

    def __len__(self) -> int:
        """Number of rejects since the last :meth:`take`."""
        return len(self._listed) + self._unlisted

    def add(self, line: int | None, byte: int | None, reason: str) -> None:
        """Adds a reject; for the arguments see :class:`~harvestdetect.data.Reject`."""
        if line is not None:
            self.last = line
        if self._room > 0 or line is None:  # what concerns the whole file is always listed
            self._room -= 1
            self._listed.append(Reject(file=self._file, line=line, byte=byte, reason=reason))
        else:
            self._unlisted += 1

    def add_rows(self, rows: range, reason: str, *, numbered: bool = True) -> None:
        """Adds a reject for each of many rows, in time that does not grow with their number."""
        if not len(rows):
            return
        if numbered:
            self.last = rows[-1]
        some = rows[: max(self._room, 0)]
        self._room -= len(some)
        self._listed += [
            Reject(file=self._file, line=row if numbered else None, byte=None, reason=reason) for row in some
        ]
        self._unlisted += len(rows) - len(some)

    def take(self) -> tuple[tuple[Reject, ...], int]:
        """The rejects since the last call: the listed ones, and the number of further ones."""
        taken = tuple(self._listed), self._unlisted
        self._listed = []
        self._unlisted = 0
        return taken
