"""Candidates: all sets of accounts that were judged, findings or not, with the reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from harvestdetect.data.campaigns import Way
from harvestdetect.data.evidence import BenignExplanation, Evidence, Family, LedgerRow, Tier

__all__ = ["Candidate", "Failed", "FamilyResult", "Near", "Outside", "RateStep"]

Failed: TypeAlias = Literal["shared", "chance", "overlap", "none", "unknown"]
"""The first test for a link that two candidates failed. None: they passed as wholes, but no link between their
clusters joined them, or they were separated by their accounts. Unknown: the scan did not record it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyResult:
    """How one family of evidence came out."""

    family: Family
    stands: bool
    """Whether it carries weight of its own."""
    bits: float = math.nan
    """The sum of its rows in the ledger; NaN where an older scan did not keep it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """An account that sent some of a candidate's texts, and how surely it is part of it.

    Where the candidate is a finding, the account is no member. This is personal data of people whom nothing is said
    about.
    """

    account: str
    membership: float
    hits: int
    """Its prompts that fit."""
    volume: int
    """All its prompts."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Another candidate that shares accounts or wording, and why the two are not one."""

    campaign_id: str
    shared: int
    """Accounts that are members of both."""
    expected: float
    """Accounts that would be, given how much each of them sent."""
    log_p: float
    """Natural log of the Poisson tail, times the number of pairs."""
    log_p_cut: float
    """What ``log_p`` must lie below for a link; between candidates with rigid templates it is looser."""
    overlap: float
    """``shared`` over the accounts of the smaller one."""
    overlap_cut: float
    distance: float | None
    """Chord distance between the mean vectors of their prompts, less the mean of all: 0 alike, 1.41 unrelated. None
    where it was not measured."""
    failed: Failed
    """The first test for a link that they failed. With ``none`` they passed as wholes, but no link between their
    clusters remained, or their accounts were separated. ``unknown``: the scan did not keep it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateStep:
    """The tier of a candidate from one false-discovery rate on."""

    fdr: float
    tier: Tier | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The record of a candidate in the output: a set of accounts that was measured and judged, finding or not.

    While it is judged, a candidate is a :class:`~harvestdetect.data.Campaign`.
    """

    campaign_id: str
    """The id in ``campaigns.jsonl`` where there is a tier."""
    tier: Tier | None
    """None: no finding."""
    score: float
    q_value: float
    accounts: int
    prompts: int
    uncapped: Tier | None = None
    """The tier without hard rules."""
    capped_by: tuple[str, ...] = ()
    """Labels of the hard rules that cap it at ``tier``; none where it is not capped."""
    templated: bool = True
    """Whether it has a template rather than only a subject."""
    templates: int = 1
    excerpt: str = ""
    """Fixed words of its largest template, redacted."""
    family_results: tuple[FamilyResult, ...] = ()
    """The sum of each family that has a row; ``families`` in ``candidates.jsonl``."""
    evidence: tuple[Evidence, ...] = ()
    benign_explanations: tuple[BenignExplanation, ...] = ()
    members: tuple[Outside, ...] = ()
    """Its surest accounts where it is no finding. Those of a finding are in ``accounts.csv``."""
    outside: tuple[Outside, ...] = ()
    """Some accounts that sent its texts and are no members, the surest first."""
    outside_count: int = 0
    """Accounts that sent its texts and are no members."""
    neighbors: tuple[Near, ...] = ()
    steps: tuple[RateStep, ...] = ()
    """The tier by rising false-discovery rate, the first step at 0."""
    ways: tuple[Way, ...] = ("texts",)
    """How it was found."""
    probability: float = math.nan
    """That it is a campaign, by the ledger; NaN where an older scan did not keep it."""
    ledger: tuple[LedgerRow, ...] = ()
    """What speaks for a campaign and against one, in bits; the sum is ``score``."""
    missing: tuple[str, ...] = ()
    """Fields that most of its prompts lack; ``timestamp`` is one of them."""
