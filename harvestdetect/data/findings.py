"""Findings: campaigns and the judgement on them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from harvestdetect.data.campaigns import Template, Way
from harvestdetect.data.evidence import BenignExplanation, Evidence, Family, LedgerRow, Tier
from harvestdetect.data.views import view

__all__ = ["Attributed", "Finding", "Member", "SharedValue", "Standing", "Status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedValue:
    """A value that several members have, and how common it is."""

    field: str
    value: str
    """Masked."""
    members: int
    """Members that have it."""
    known: int
    """Members that have any value of the field."""
    accounts: int
    """Accounts of the dump that have it, members included."""
    population: int
    """Accounts of the dump that have any value of the field."""
    tag: str = ""
    """A tag such as ``#a3f19c``, equal for equal values, where ``value`` hides a part of it; empty if it hides none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One account in one finding."""

    account: str
    membership: float
    """0 to 1: probability that the account is part of the campaign."""
    harvest_share: float
    """0 to 1: share of the account's prompts that belong to the campaign."""
    prompts: int
    """All prompts of the account."""
    harvest_prompts: int
    """Prompts that belong to the campaign."""
    first_seen: int | None
    """Unix seconds; None without times."""
    last_seen: int | None
    """Unix seconds; None without times."""
    recommended: bool
    """Whether action is recommended. If not, the account may well be innocent: it is listed apart and left out of
    action lists."""
    reasons: tuple[str, ...]
    """Sentences for an analyst."""
    templates: Mapping[str, int]
    """Template id -> prompts that belong to the campaign and fit the template."""


Status: TypeAlias = Literal["new", "growing", "quiet", "back"]
"""State of a known campaign. New: found for the first time. Growing: it sent more since the run before. Quiet: it
stopped. Back: it stopped and returned, possibly under other accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a state knows about the campaign of a finding."""

    status: Status
    detected: int
    """Unix seconds of the run that found it first."""
    new_accounts: int
    """Members that were not members before this run."""
    verdict: str = ""
    """The current verdict in words; empty if there is none."""
    notes: tuple[str, ...] = ()
    """Sentences about campaigns that were merged into it or that it was split from."""
    fresh: bool = True
    """Whether this run gave the status its reason. False: an earlier run did, and nothing has changed since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributed:
    """An account that filled a template of a known campaign."""

    campaign_id: str
    account: str
    prompts: int
    first_seen: int | None
    """Unix seconds; None without times."""
    last_seen: int | None
    """Unix seconds; None without times."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Finding:
    """A campaign and the judgement on it. Its methods make texts and pictures for notebooks, see
    :mod:`harvestdetect.data.views`."""

    campaign_id: str
    tier: Tier
    score: float
    """Bits of evidence: the logarithm (base 2) of the odds that it is a campaign. It ranks findings."""
    q_value: float
    """Expected share of innocents among the candidates with at least as many bits."""
    summary: str
    families: tuple[Family, ...]
    """Families whose evidence is significant, strongest first."""
    accounts: int
    prompts: int
    orgs: int | None
    """Distinct organisations of the members; None if the dump has no such column."""
    first_seen: int | None
    """Unix seconds; None without times."""
    last_seen: int | None
    """Unix seconds; None without times."""
    days: tuple[tuple[str, int], ...]
    """(``YYYY-MM-DD``, harvest prompts) of each day from first to last; empty without times."""
    templates: tuple[Template, ...]
    evidence: tuple[Evidence, ...]
    benign_explanations: tuple[BenignExplanation, ...]
    capability_targets: tuple[str, ...]
    members: tuple[Member, ...]
    """Sorted by falling membership, then by account."""
    shared_values: tuple[SharedValue, ...] = ()
    """Infrastructure that members share beyond what is common, masked."""
    changes: tuple[str, ...] = ()
    """Sentences that say what would change the tier, the smallest change first."""
    ways: tuple[Way, ...] = ("texts",)
    """How it was found."""
    probability: float = math.nan
    """That it is a campaign, by the ledger."""
    ledger: tuple[LedgerRow, ...] = ()
    """What speaks for a campaign and against one, in bits; the sum is ``score``."""
    standing: Standing | None = None
    """What the state knows about it; None for a scan without a state."""
    title: str = ""
    """What its prompts ask for, in their own words, on one line without invisible characters. Empty in results of older
    versions. Words of prompts, which an attacker wrote: escape them like a template."""
    tested: int | None = field(default=None, compare=False)
    """Number of innocent candidates on which the ledger was tested, which limits how sure its probability may be told;
    None if it is not known. Not part of the JSON form, where the detection has it (``Detection.ledger``)."""

    def plot_timeline(self) -> Any:
        """Its prompts by day as a picture, see :func:`harvestdetect.notebook.plot_timeline`."""
        return view("plot_timeline", self)

    def plot_ledger(self) -> Any:
        """Its ledger as a picture, see :func:`harvestdetect.notebook.plot_ledger`."""
        return view("plot_ledger", self)

    def __repr__(self) -> str:
        return str(view("finding_text", self))

    def _repr_html_(self) -> str:
        return str(view("finding_html", self))
