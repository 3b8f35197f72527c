"""Which accounts are near each account: by all that they send, by topic, and by the rare values that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvestdetect.accounts.rare_links import Links
from harvestdetect.data import Neighbors
from harvestdetect.util.arrays import Ints32

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Kin", "NearestAccounts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestAccounts:
    """The nearest profiles of r profiles; see :mod:`harvestdetect.accounts.profiles`."""

    account: Ints32
    """int32[r], ascending: the account of each profile."""
    neighbors: Neighbors
    """Of the profiles."""

    def near(self, rows: Ints32, accounts: int) -> sparse.csr_matrix:
        """float32[len(rows), accounts]: how many of the nearest profiles of some profiles are of which account."""
        import numpy as np
        from scipy import sparse

        index = self.neighbors.index[rows]
        row, place = np.nonzero(index >= 0)
        found = sparse.csr_matrix(
            (np.ones(len(row), np.float32), (row, self.account[index[row, place]])), shape=(len(rows), accounts)
        )
        found.sum_duplicates()
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """What is known of the accounts that are near each account, of all accounts of a dump."""

    whole: NearestAccounts | None = None
    """By all that an account sends; None where no account sent enough."""
    topics: NearestAccounts | None = None
    """By what an account sends in one topic."""
    links: Links | None = None
    """By rare values and sign-ups; None where no account has any."""
