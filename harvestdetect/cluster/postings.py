"""Who sent the texts of each point of a view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harvestdetect.util.arrays import Ints, Ints32, ranges

__all__ = ["Postings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Postings:
    """The (account, text) rows of n points, in compressed sparse row form.

    A point is a segment of a prompt. Each row says that an account sent a text that contains the point.
    """

    start: Ints
    """int64[n + 1]: the rows of point i are ``start[i]:start[i + 1]``."""
    account: Ints32
    """int32[r]: the account of each row."""
    text: Ints32
    """int32[r]: the distinct whole prompt of each row. One text may contain several points."""
    volume: Ints32
    """int32[accounts]: the number of distinct texts of each account in the whole corpus."""

    def rows(self, points: Ints32) -> Ints:
        """The row numbers of some points, point after point."""
        return ranges(self.start[points], self.start[points + 1] - self.start[points])

    def among(self, points: Ints32) -> Postings:
        """The postings of some points alone; the points are renumbered in the order given."""
        rows = self.rows(points)
        size = self.start[points + 1] - self.start[points]
        return Postings(
            start=np.concatenate(([0], np.cumsum(size))),
            account=self.account[rows],
            text=self.text[rows],
            volume=self.volume,
        )
