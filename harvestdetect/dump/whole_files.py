"""Tells rejects of whole files from those of rows: files that were cut off or cannot be read, and empty files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harvestdetect.data import Reject
from harvestdetect.dump.formats.detect import EMPTY

__all__ = ["WholeFiles"]


@dataclass(slots=True)
class WholeFiles:
    """The files that could not be read to their end, and the empty ones."""

    cut: dict[str, str] = field(default_factory=dict)
    """Name of each file that was cut off or cannot be read -> why."""
    empty: int = 0
    """Number of empty files. Each of them is a reject, and does no harm."""

    def add(self, rejects: Iterable[Reject]) -> None:
        """Counts the rejects of a batch. Those of rows are ignored."""
        for reject in rejects:
            if reject.line is not None:
                continue
            if reject.reason == EMPTY:
                self.empty += 1
            else:
                self.cut.setdefault(reject.file, reject.reason)

    def join(self, other: WholeFiles) -> None:
        """Adds the files of another count."""
        self.empty += other.empty
        self.cut |= other.cut

    def counts(self) -> dict[str, int]:
        """Entries for :attr:`harvestdetect.data.Detection.counts`, without those that would be 0."""
        return {name: n for name, n in (("cut_files", len(self.cut)), ("empty_files", self.empty)) if n}
