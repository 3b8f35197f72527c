"""Preambles: texts that a product puts around what its users write."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Preamble"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preamble:
    """A text that many accounts always send. It was found in the dump and taken out of what is compared."""

    id: str
    """Depends on the fixed words alone."""
    text: str
    """Its fixed words; ``{1}``, ``{2}`` are slots, and ``{prompt}`` is where the text of the user stands."""
    words: float
    """Number of fixed words."""
    accounts: int
    """Accounts that sent it at least once."""
    prompts: int
    """Prompts with it."""
    share: float
    """Share of all accounts that sent it."""
