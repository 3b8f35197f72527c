"""What is exported: the findings of a scan or the campaigns of a state, in one form for all formats."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from harvestdetect.data import BenignExplanation, Evidence, Family, LedgerRow, SharedValue, Status, Tier, Way

__all__ = [
    "MOST_ACCOUNTS",
    "TLP",
    "TLPS",
    "Account",
    "Campaign",
    "ExportOptions",
    "Link",
    "Reporter",
    "Reveal",
    "Source",
    "TemplateView",
]

TLP: TypeAlias = Literal["clear", "green", "amber", "amber+strict", "red"]
"""A marking of the Traffic Light Protocol 2.0 (FIRST, 2022)."""
TLPS: Final[tuple[TLP, ...]] = ("clear", "green", "amber", "amber+strict", "red")
"""All markings, from the widest audience to the smallest."""
Reveal: TypeAlias = Literal["accounts", "texts"]
"""What an export shows only on request. Accounts: ids of accounts, and names of files, which may contain ids. Texts:
words of templates, values of slots and examples of prompts, as far as the scan kept them."""
MOST_ACCOUNTS: Final = 1_000
"""Default of the largest number of accounts in one event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account of one campaign. None: the source does not say."""

    name: str
    """The id, or a tag such as ``account-17`` in place of it."""
    tag: str
    """The tag. An account has the same one in all exports of the same folder."""
    membership: float
    """0 to 1: probability that the account is part of the campaign."""
    recommended: bool | None = None
    """Whether the scan recommends action."""
    attributed: bool = False
    """Whether only a template of the campaign identifies it."""
    harvest_share: float = math.nan
    prompts: int | None = None
    """All its prompts."""
    harvest_prompts: int | None = None
    """Its prompts in the campaign."""
    first_seen: int | None = None
    """Unix seconds."""
    last_seen: int | None = None
    """Unix seconds."""
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateView:
    """One template of one campaign. None: the source does not say."""

    template_id: str
    signature: str
    """Digest of the fixed words, the same in every scan. Whoever has a template can compute it; nobody can get the
    words from it."""
    words: tuple[str | None, ...] = ()
    """Runs of fixed words; None is a slot. Empty unless texts are revealed."""
    fixed_words: int = 0
    """Number of fixed words, by blanks."""
    slots: int = 0
    """Number of slots."""
    fillings: tuple[tuple[str, ...], ...] = ()
    """Example values of each slot. Empty unless texts are revealed."""
    examples: tuple[str, ...] = ()
    """Typical texts. Empty unless texts are revealed."""
    channel: str = ""
    prompts: int | None = None
    accounts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An edge of the graph: an account that sent prompts of a template."""

    account: str
    """As in :class:`Account`."""
    template_id: str
    rows: int
    """Rows of the dump, including those that repeat a request."""
    first_seen: int | None
    """Unix seconds; None without times."""
    last_seen: int | None
    """Unix seconds; None without times."""
    file: str
    """Name of the file with the first of these rows. Empty unless accounts are revealed."""
    line: int | None
    """Line of this row."""
    evidence: str = ""
    """This row as ``FILE:LINE``. FILE is the beginning of the SHA-256 of the file, or its name if accounts are
    revealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A finding of a scan, or a campaign of a state. None, NaN and empty tuples: the source does not say."""

    campaign_id: str
    tier: Tier
    title: str
    """What the prompts ask for, in their own words. Empty unless texts are revealed, and if the source has none."""
    summary: str
    accounts: int
    prompts: int
    first_seen: int | None
    """Unix seconds."""
    last_seen: int | None
    """Unix seconds."""
    detected: int | None = None
    """Unix seconds of the run that found it first."""
    status: Status | None = None
    verdict: str = ""
    """The verdict of a reviewer that is in force, as a sentence."""
    benign: bool = False
    """Whether this verdict is that the campaign is benign."""
    probability: float = math.nan
    """That it is a campaign."""
    score: float = math.nan
    """Bits of evidence."""
    q_value: float = math.nan
    orgs: int | None = None
    families: tuple[Family, ...] = ()
    ways: tuple[Way, ...] = ()
    capability_targets: tuple[str, ...] = ()
    days: tuple[tuple[str, int], ...] = ()
    """(``YYYY-MM-DD``, prompts), in order."""
    templates: tuple[TemplateView, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    benign_explanations: tuple[BenignExplanation, ...] = ()
    shared_values: tuple[SharedValue, ...] = ()
    members: tuple[Account, ...] = ()
    """The surest first."""
    links: tuple[Link, ...] = ()
    """In the order of the members, then by template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What was read from a folder."""

    kind: Literal["scan", "state"]
    campaigns: tuple[Campaign, ...]
    """The highest tier first."""
    last_seen: int | None
    """Unix seconds of the last prompt; None without times."""
    pseudonyms: bool
    """Whether ids and addresses are pseudonyms that the scan wrote."""
    version: str
    """Of the program that wrote the folder; empty if unknown."""
    complete: bool = True
    """Whether ``links`` are known."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Name of a file -> SHA-256, or another name if there is none."""
    notes: tuple[str, ...] = ()
    """Sentences about what the folder lacks."""
    link_notes: tuple[str, ...] = ()
    """Sentences about links that it lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """Who sends an export. Empty: not given."""

    org: str = ""
    contact: str = ""
    """E-mail address."""
    domain: str = ""
    """Domain of the organisation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """How to export."""

    tlp: TLP = "amber"
    reporter: Reporter = Reporter()
    time: int | None = None
    """Unix seconds to state where the source has no times."""
    relay: str = ""
    """Exact address of a relay; only reports on its network are written. Empty: all networks."""
    max_accounts: int = MOST_ACCOUNTS
    """Most accounts in one event."""
    reveal: frozenset[Reveal] = frozenset()
    """What the source was read with; formats for other organisations name accounts only if they are in it."""
