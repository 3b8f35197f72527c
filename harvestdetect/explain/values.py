"""The values of an explanation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harvestdetect.data import BenignExplanation, Evidence, Family, LedgerRow, Near, Outside, Tier, Way

__all__ = [
    "AccountExplanation",
    "CampaignExplanation",
    "Change",
    "FamilyView",
    "NeighborView",
    "Place",
    "SentText",
    "Spread",
    "TemplateView",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that would change a tier, or whether an account is recommended."""

    kind: Literal["rate", "family", "benign", "field", "account"]
    name: str
    """Of the family, explanation, field or figure."""
    now: float | None
    needed: float | None
    tier: Tier | None
    """What it would be then; None: no finding, or not a matter of tiers."""
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Five figures of a distribution."""

    least: float
    lower: float
    median: float
    upper: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyView:
    """One family with its measures, surest first; figures are NaN where the scan did not keep them."""

    family: Family
    stands: bool
    bits: float
    measures: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateView:
    """One template of a campaign."""

    template_id: str
    prompts: int
    accounts: int | None
    excerpt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborView:
    """Another candidate, and why it is not the same campaign."""

    near: Near
    tier: Tier | None
    accounts: int | None
    excerpt: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentText:
    """The text of one prompt, read again from its dump."""

    place: str
    """``file:line``."""
    account: str
    campaign_id: str
    template_id: str
    text: str
    """Redacted unless it was asked for as it is. It may be hostile and has its line ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignExplanation:
    """Why a candidate got its tier, why its neighbours are not in it, and what would change that."""

    campaign_id: str
    tier: Tier | None
    uncapped: Tier | None
    capped_by: tuple[str, ...]
    score: float
    probability: float
    """That it is a campaign, by the ledger; NaN where the scan did not keep it."""
    least_probability: float
    """The smallest probability, of a campaign or of innocence, that the scan may claim."""
    ledger: tuple[LedgerRow, ...]
    """Empty where the scan did not keep it; then the score is of an older version and not in bits."""
    q_value: float
    expected_false: float | None
    """False findings to expect among those at least as sure as this one."""
    expected_false_at_tier: float | None
    """The same among all findings of this tier, where the scan states it."""
    title: str
    """What its prompts ask for; empty where it is no finding, and in results of older versions."""
    summary: str
    ways: tuple[Way, ...]
    """How it was found."""
    accounts: int
    prompts: int
    families: tuple[FamilyView, ...]
    """Families that carry weight come first."""
    templates: tuple[TemplateView, ...]
    benign_explanations: tuple[BenignExplanation, ...]
    harvest_share: Spread | None
    """Over the members; None where they are not kept."""
    recommended: int | None
    apart: Mapping[str, int]
    """Why members are not recommended -> how many; one may count several times."""
    outside: tuple[Outside, ...]
    outside_count: int
    neighbors: tuple[NeighborView, ...]
    changes: tuple[Change, ...]
    missing: tuple[str, ...]
    """What this explanation could not take into account."""
    texts: tuple[SentText, ...] = ()
    """Prompts, where they were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An account in one candidate, or near it."""

    campaign_id: str
    tier: Tier | None
    role: Literal["member", "candidate", "outside"]
    """In a finding; in a candidate that became none; not taken as a member."""
    membership: float
    harvest_share: float
    prompts: int
    harvest_prompts: int
    first_seen: str | None
    last_seen: str | None
    recommended: bool
    reasons: tuple[str, ...]
    templates: tuple[TemplateView, ...]
    examples: tuple[str, ...]
    """``file:line`` of some of its prompts."""
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountExplanation:
    """Which findings an account is in or near."""

    account: str
    prompts: int | None
    """All that it sent; None where no file has it."""
    places: tuple[Place, ...]
    """Findings first, strongest first."""
    nearest: tuple[str, ...]
    """Accounts in the results with the most similar ids, where this one is in nothing."""
    missing: tuple[str, ...]
    texts: tuple[SentText, ...] = ()
    """Prompts of the account, where they were asked for."""
