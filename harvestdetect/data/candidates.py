"""Candidates: all sets of accounts that were judged, findings or not, with the reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from harvestdetect.data.evidence import BenignExplanation, Evidence, Family, Tier

__all__ = ["Candidate", "Failed", "FamilyResult", "Near", "Outside", "RateStep"]

Failed: TypeAlias = Literal["shared", "chance", "overlap", "none", "unknown"]
"""The first test for a link that two candidates failed. None: they passed as wholes, but no link between their
clusters joined them, or they were separated by their accounts. Unknown: the scan did not record it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyResult:
    """The result of one family of evidence."""

    family: Family
    p_value: float
    """Combined p-value of its measures (Simes)."""
    adjusted: float
    """The p-value adjusted over all candidates (Benjamini-Hochberg)."""
    cut: float
    """The rate that ``adjusted`` was compared with."""
    stands: bool
    """Whether the family is significant."""
    agreed: bool = False
    """Whether a second measure of the family agrees, deciding or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """An account that sent some texts of a candidate, and the probability that it is part of it.

    The accounts outside a finding are not members. This is personal data of people who are not accused.
    """

    account: str
    membership: float
    """0 to 1: probability that the account is part of the candidate."""
    hits: int
    """Its prompts that fit the candidate."""
    volume: int
    """All its prompts."""
    why: str
    """Why it is a member or not, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Another candidate that shares accounts or wording, and why the two are not one."""

    campaign_id: str
    shared: int
    """Accounts that are members of both."""
    expected: float
    """Accounts that would be members of both by chance, given how much each of them sent."""
    log_p: float
    """Natural logarithm of the p-value of ``shared`` (Poisson tail), Bonferroni-corrected over pairs."""
    log_p_cut: float
    """Value that ``log_p`` must be below for a link. It is higher between candidates with rigid templates."""
    overlap: float
    """``shared`` divided by the accounts of the smaller candidate."""
    overlap_cut: float
    """Value that ``overlap`` must reach for a link."""
    distance: float | None
    """Chord distance between the mean vectors of their prompts, after the mean of all prompts is subtracted: 0 is
    alike, 1.41 unrelated. None if it was not measured."""
    failed: Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class RateStep:
    """The tier that a candidate has from one false-discovery rate to the next step."""

    fdr: float
    tier: Tier | None
    """None: it is no finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A set of accounts that was judged, and the result."""

    campaign_id: str
    """The id in ``campaigns.jsonl`` if the candidate has a tier."""
    tier: Tier | None
    """None: it is no finding."""
    score: float
    """See :class:`~harvestdetect.data.findings.Finding`."""
    q_value: float
    """See :class:`~harvestdetect.data.findings.Finding`."""
    accounts: int
    prompts: int
    uncapped: Tier | None = None
    """The tier that it would have without benign explanations."""
    capped_by: tuple[str, ...] = ()
    """Names of the benign explanations that lower the tier from ``uncapped`` to ``tier``."""
    templated: bool = True
    """Whether it has a template; otherwise its texts share only a subject."""
    templates: int = 1
    """Number of its templates."""
    excerpt: str = ""
    """Fixed words of its largest template, redacted."""
    families: tuple[FamilyResult, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    benign_explanations: tuple[BenignExplanation, ...] = ()
    members: tuple[Outside, ...] = ()
    """The surest accounts of a candidate without a tier. Empty for a finding, whose members are in ``accounts.csv``."""
    outside: tuple[Outside, ...] = ()
    """Accounts that sent its texts and have a membership below the cut, the surest first."""
    outside_count: int = 0
    """Number of all such accounts."""
    neighbors: tuple[Near, ...] = ()
    steps: tuple[RateStep, ...] = ()
    """The tier by rising false-discovery rate; the first step is at 0."""
    missing: tuple[str, ...] = ()
    """Fields that most of its prompts lack; may contain ``timestamp``."""
