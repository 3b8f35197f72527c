"""How the signatures of other providers fit a scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from harvestdetect.data.evidence import Tier

__all__ = ["SignatureBy", "SignatureFit"]

SignatureBy: TypeAlias = Literal["template", "profile", "prompts"]
"""What a fit rests on: words of a template; what a group of the scan is about and how it writes; or the same of single
prompts, whatever groups the scan found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureFit:
    """One signature and one group of accounts that it fits. NaN: not known."""

    signature: str
    """Id of the signature."""
    issuer: str
    """Fingerprint of the issuer's key."""
    by: SignatureBy
    campaign_id: str | None
    """The finding; None for accounts outside the findings."""
    tier: Tier | None
    accounts: int
    """Accounts that it fits: those that filled the template or sent the prompts, or all of the finding or group."""
    prompts: int
    """Prompts of theirs that it fits."""
    shingles: int
    """Shingles of the signature."""
    found: int
    """How many of them these prompts contain."""
    words: float
    """0 to 1: mean share of a template's shingles that a prompt contains, each weighted by its rarity in the dump."""
    order: float
    """0 to 1: share of these shingles that are in the order of the template."""
    profile: float
    """0 to 1: likeness of what the prompts are about."""
    form: float
    """0 to 1: likeness of their form."""
    tempo: float
    """0 to 1: likeness of when they are sent."""
    list_shape: float
    """0 to 1: likeness of how the list of work is dealt."""
    rest: float
    """0 to 1: how well the signature fits the rest of the dump, in what the fit rests on. For words, the most that as
    many other accounts as a signature needs reach; for a profile, the most that another candidate reaches."""
    first_seen: int | None
    """Unix seconds; None without times."""
    last_seen: int | None
    """Unix seconds; None without times."""
    members: tuple[str, ...] = ()
    """Accounts outside the findings, sorted; empty for a finding."""
