"""One measure of a campaign, and one innocent reading of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["TIERS", "BenignExplanation", "Evidence", "Family", "Tier"]

Tier: TypeAlias = Literal["urgent", "review", "watch"]
TIERS: Final[tuple[Tier, ...]] = ("urgent", "review", "watch")
"""The tiers of findings, from the strongest to the weakest."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class BenignExplanation:
    """A benign explanation of a finding, tested."""

    id: str
    """Of the explanation, as in ``evidence.explanations``: what decisions and files are keyed by."""
    name: str
    """The explanation's label, for people. No decision reads it."""
    verdict: Literal["fits", "unlikely", "unknown"]
    statistic: float | None
    sentence: str
    """The statistic for and against, in words; or what is missing to decide."""
    caps: Tier | None = None
    """The highest tier that a finding may reach while this explanation fits; None caps nothing."""
