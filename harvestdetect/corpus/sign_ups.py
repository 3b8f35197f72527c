"""When each account was opened and first seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harvestdetect.data import NO_TIME
from harvestdetect.util.arrays import Ints, Ints32

__all__ = ["SignUps", "sign_ups"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUps:
    """When each of the a accounts of a dump was opened and first seen."""

    created: Ints
    """int64[a], seconds or NO_TIME."""
    first: Ints
    """int64[a], seconds of its first prompt, or NO_TIME."""


def sign_ups(account: Ints32, created_at: Ints, time: Ints, *, accounts: int) -> SignUps:
    """Creation and first prompt of every account; where its prompts name several creations, the earliest.

    Args:
        account: int32[p], ascending, of every prompt.
        created_at: int64[p], seconds or NO_TIME.
        time: int64[p], seconds or NO_TIME.
        accounts: how many there are.
    """

    def earliest(of: Ints) -> Ints:
        found = np.full(accounts, NO_TIME)
        known = of != NO_TIME
        whose, start = np.unique(account[known], return_index=True)
        if len(whose):
            found[whose] = np.minimum.reduceat(of[known], start)
        return found

    return SignUps(created=earliest(created_at), first=earliest(time))
