"""Groups of accounts before they are candidates, and how many of the links that form them may be false."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harvestdetect.data import Way
from harvestdetect.util.arrays import Ints32

__all__ = ["FALSE_LINKS", "AccountGroup"]

FALSE_LINKS: Final = 0.2
"""Share of the links between groups, or of the features that linked accounts share, that may be false (false-discovery
rate). Chosen: they form candidates, which are judged. With more false links, candidates would be lost in chains."""


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
