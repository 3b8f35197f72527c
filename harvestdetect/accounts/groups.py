"""Groups of accounts that are alike, before they are candidates."""

from __future__ import annotations

from dataclasses import dataclass

from harvestdetect.data import Way
from harvestdetect.util.arrays import Ints32

__all__ = ["AccountGroup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountGroup:
    """Accounts that are alike, and the prompts that make them so."""

    way: Way
    accounts: Ints32
    """int32[a], ascending."""
    prompts: Ints32
    """int32[q], ascending: of these accounts; of rows that repeat a request only the first."""
    least_prompts: int = 1
    """Fewest prompts with which an account could be in the group. Counts of such accounts look even because of how the
    accounts were chosen, so only what they sent beyond is compared."""
