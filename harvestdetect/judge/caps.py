"""What caps the tier of a finding: the hard rules, and the benign verdict of an analyst."""

from __future__ import annotations

from typing import Final

from harvestdetect.data import TIERS, BenignExplanation, Tier

__all__ = ["BENIGN_CAP", "VERDICT", "benign_verdict", "capped"]

VERDICT: Final = "verdict"
"""Id of the benign explanation that the benign verdict of an analyst is."""
BENIGN_CAP: Final[Tier] = "watch"
"""The highest tier of a finding whose campaign is judged benign."""


def capped(tier: Tier | None, cap: Tier | None) -> Tier | None:
    """The tier, but none above the cap; None caps nothing."""
    return max(tier, cap, key=TIERS.index) if tier and cap else tier


def benign_verdict(sentence: str) -> BenignExplanation:
    """The benign verdict of an analyst as a benign explanation of a finding, which caps it at :data:`BENIGN_CAP`."""
    return BenignExplanation(
        id=VERDICT, name=VERDICT, verdict="fits", statistic=None, sentence=sentence, caps=BENIGN_CAP
    )
