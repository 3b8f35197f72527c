"""When each account was created and first seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harvestdetect.data import NO_TIME, Prompts
from harvestdetect.util.amounts import EXCEPTIONAL
from harvestdetect.util.arrays import Bools, Ints

__all__ = ["AccountTimes", "account_times", "creation_times"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTimes:
    """When each of the a accounts of a dump was created and first seen."""

    created: Ints
    """int64[a], seconds or NO_TIME."""
    first: Ints
    """int64[a], seconds of its first prompt, or NO_TIME."""


def account_times(prompts: Prompts) -> AccountTimes:
    """Creation and first prompt of every account of a dump; where its prompts name several creations, the earliest."""

    def earliest(of: Ints) -> Ints:
        found = np.full(len(prompts.accounts), NO_TIME)
        known = of != NO_TIME
        whose, start = np.unique(prompts.account[known], return_index=True)
        if len(whose):
            found[whose] = np.minimum.reduceat(of[known], start)
        return found

    return AccountTimes(created=earliest(prompts.created_at), first=earliest(prompts.time))


def creation_times(times: AccountTimes, *, has_fields: bool, counted: Bools | None = None) -> Ints:
    """When each account was created, as far as that is known: int64[a], seconds or NO_TIME.

    Where no account has a creation, the first prompt stands for it, unless that is in the first tenth of the dump
    (``EXCEPTIONAL``): old accounts appear there. Without any field of accounts, nothing stands for it: times alone
    would make a group of everybody who comes for one event.

    Args:
        times: of a accounts.
        has_fields: whether the dump has any field of accounts.
        counted: bool[a]: one account of each organisation; the others have no time. None counts all.
    """
    found, first = times.created, times.first
    known = first[first != NO_TIME]
    if has_fields and len(known) and not (found != NO_TIME).any():
        low, high = int(known.min()), int(known.max())
        found = np.where(first - low >= EXCEPTIONAL * (high - low), first, NO_TIME)
    return found if counted is None else np.asarray(np.where(counted, found, NO_TIME))
