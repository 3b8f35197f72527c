"""What one measure says of a candidate, one benign explanation, one row of the ledger, and the tiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["TIERS", "BenignExplanation", "Evidence", "Family", "Fit", "LedgerRow", "Tier"]

Tier: TypeAlias = Literal["urgent", "review", "watch"]
TIERS: Final[tuple[Tier, ...]] = ("urgent", "review", "watch")
"""The tiers of findings, from the strongest to the weakest."""

Fit: TypeAlias = Literal["fits", "unlikely", "unknown"]
"""Whether a benign explanation fits; unknown where too little data is there."""

Family: TypeAlias = Literal["text", "structure", "time", "infrastructure", "intent"]
"""A group of measures that are not independent of each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One measure of a campaign against what chance would give."""

    id: str
    """Of the measure, as in ``evidence.measures``: what decisions and files are keyed by."""
    name: str
    """The measure's label, for people. No decision reads it."""
    family: Family
    value: float
    null: str
    """What the value was compared with, in words."""
    expected: float
    """The value that the null gives on average."""
    p_value: float
    sentence: str
    """One sentence for an analyst; observation, not inference."""
    bits: float | None = None
    """What it adds to the ledger: positive for a campaign, negative against one. None if it has no row there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One row of a candidate's ledger."""

    id: str
    """Of the measure or reading; ``prior`` for the bits before any evidence."""
    name: str
    """Its label, for people."""
    family: Family | None
    """The block that it is shown in; None for the prior."""
    bits: float
    """Positive for a campaign, negative against one."""
    sentence: str = ""
    """What a reading saw, in one sentence. Empty for a measure, whose sentence its evidence has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenignExplanation:
    """A benign explanation of a finding, tested."""

    id: str
    """Of the explanation, as in ``evidence.explanations``: what decisions and files are keyed by."""
    name: str
    """The explanation's label, for people. No decision reads it."""
    verdict: Fit
    statistic: float | None
    sentence: str
    """The statistic for and against, in words; or what is missing to decide."""
    caps: Tier | None = None
    """The highest tier that a finding may reach while this hard rule fits; None caps nothing."""
    bits: float | None = None
    """What its rows add to the ledger: negative for it, positive against it. None for a hard rule, or without data."""
