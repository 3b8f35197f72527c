"""The queue: all findings and known campaigns, filtered, sorted and searched."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, get_args

from harvestdetect.corpus.normalize import normalize
from harvestdetect.data import TIERS, Family, Finding, Status, Tier
from harvestdetect.serve.known import Known
from harvestdetect.serve.results import Results
from harvestdetect.state import KnownCampaign, Verdict

__all__ = ["CHOICES", "DEFAULT", "Item", "View", "accounts_like", "items_of", "queue_of", "view_of"]

PAGE: Final = 50
"""Findings on a page of the queue."""
MOST_ACCOUNTS: Final = 20
"""Accounts that a search lists at most."""

CHOICES: Final[Mapping[str, Mapping[str, str]]] = {
    "show": {"open": "without a verdict", "judged": "with a verdict", "all": "all"},
    "tier": {"": "all tiers", **{tier: tier for tier in TIERS}},
    "status": {"": "any status", **{status: status for status in get_args(Status)}},
    "family": {"": "any evidence", **{family: family for family in get_args(Family)}},
    "where": {"": "all known", "scan": "in the last scan", "before": "only in earlier runs"},
    "sort": {
        "tier": "strongest",
        "probability": "probability",
        "accounts": "accounts",
        "prompts": "prompts",
        "last": "last seen",
        "new": "newest",
    },
    "found": {"": "all", "yes": "only what was searched for"},
}
"""Name of a choice -> its values and what the page calls them; the first value is the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Which findings are listed, and in what order. Every value is one of :data:`CHOICES`."""

    show: str = "open"
    tier: str = ""
    status: str = ""
    family: str = ""
    where: str = ""
    sort: str = "tier"
    found: str = ""
    """``yes``: only findings with the text that the session keeps. Addresses without it start afresh."""
    page: int = 1

    def query(self, **changes: Any) -> str:
        """The query of an address for this view, or for one that differs."""
        values = {one.name: getattr(self, one.name) for one in fields(self)} | changes
        default = {one.name: getattr(DEFAULT, one.name) for one in fields(self)}
        return "&".join(f"{name}={value}" for name, value in values.items() if value != default[name])


DEFAULT: Final = View()
"""The view without a query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A row of the queue."""

    campaign_id: str
    tier: Tier
    title: str
    accounts: int
    prompts: int
    first_seen: int | None
    last_seen: int | None
    probability: float
    """NaN if it is no finding of the last scan."""
    families: tuple[Family, ...]
    status: Status | None
    """None without a state."""
    detected: int | None
    """Unix seconds of the run that found it first; None without a state."""
    verdict: Verdict | None
    """The verdict in force."""
    finding: Finding | None
    """None if it is no finding of the last scan."""
    known: KnownCampaign | None
    """None if the state does not know it."""
    searched: str
    """Title, summary and id as they are searched."""


def items_of(results: Results | None, known: Known | None) -> list[Item]:
    """All findings, and the campaigns that only the state knows, the strongest first.

    Args:
        results: of the last scan; None if only a state is served.
        known: what the state knows; None without one.
    """
    campaigns = {} if known is None else known.campaigns
    findings = {} if results is None else results.findings
    found = [_of_finding(finding, campaigns.get(campaign)) for campaign, finding in findings.items()]
    found += [
        _of_known(one) for campaign, one in campaigns.items() if campaign not in findings and one.merged_into is None
    ]
    return sorted(found, key=_SORTS["tier"])


def _of_finding(finding: Finding, known: KnownCampaign | None) -> Item:
    title = finding.title or finding.summary
    return Item(
        campaign_id=finding.campaign_id, tier=finding.tier, title=title, accounts=finding.accounts,
        prompts=finding.prompts, first_seen=finding.first_seen, last_seen=finding.last_seen,
        probability=finding.probability, families=finding.families,
        status=known.status if known is not None else None if finding.standing is None else finding.standing.status,
        detected=None if known is None else known.detected, verdict=None if known is None else known.verdict,
        finding=finding, known=known, searched=normalize(f"{title}\n{finding.summary}\n{finding.campaign_id}"),
    )  # fmt: skip


def _of_known(known: KnownCampaign) -> Item:
    title = known.title or known.summary
    return Item(
        campaign_id=known.campaign_id, tier=known.tier, title=title, accounts=known.accounts,
        prompts=known.prompts, first_seen=known.first_seen, last_seen=known.last_seen, probability=math.nan,
        families=(), status=known.status, detected=known.detected, verdict=known.verdict, finding=None, known=known,
        searched=normalize(f"{title}\n{known.summary}\n{known.campaign_id}"),
    )  # fmt: skip


def view_of(query: Mapping[str, str]) -> View:
    """The view that the query of an address asks for. Unknown values count as the default."""
    chosen = {name: query[name] for name, values in CHOICES.items() if query.get(name) in values}
    page = query.get("page", "1")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1
    return View(page=max(number, 1), **chosen)


def queue_of(
    items: Sequence[Item], view: View, *, search: str, campaigns_of: Mapping[str, tuple[str, ...]]
) -> list[Item]:
    """The rows of a view, on all its pages.

    Args:
        items: of :func:`items_of`.
        view: what is asked for.
        search: only findings with this text in their title, summary or id, or in the id of an account; empty: all.
        campaigns_of: account -> campaigns that it is a member of.
    """
    wanted = normalize(search).strip()
    by_account: set[str] = set()
    if wanted:
        for account in accounts_like(search, campaigns_of, most=None):
            by_account.update(campaigns_of[account])
    return sorted(
        (
            item
            for item in items
            if _shows(item, view) and (not wanted or wanted in item.searched or item.campaign_id in by_account)
        ),
        key=_SORTS[view.sort],
    )


def accounts_like(search: str, campaigns_of: Mapping[str, object], *, most: int | None = MOST_ACCOUNTS) -> list[str]:
    """Accounts of findings whose id has a text, the shortest first.

    Args:
        search: the text, of at least two characters.
        campaigns_of: its keys are the accounts.
        most: how many at most; None: all.
    """
    wanted = search.strip().casefold()
    if len(wanted) < 2:
        return []
    found = [account for account in campaigns_of if wanted in account.casefold()]
    return sorted(found, key=lambda account: (len(account), account))[:most]


def _shows(item: Item, view: View) -> bool:
    judged = item.verdict is not None
    return (
        (view.show == "all" or judged == (view.show == "judged"))
        and view.tier in ("", item.tier)
        and view.status in ("", item.status)
        and (not view.family or view.family in item.families)
        and (not view.where or (item.finding is not None) == (view.where == "scan"))
    )


def _sure(item: Item) -> float:
    return item.probability if item.probability == item.probability else -1.0


_SORTS: Final[Mapping[str, Callable[[Item], Any]]] = {
    "tier": lambda item: (
        item.finding is None, TIERS.index(item.tier), -_sure(item),
        -(item.finding.score if item.finding is not None else item.accounts), item.campaign_id,
    ),
    "probability": lambda item: (-_sure(item), -(item.finding.score if item.finding else 0.0), item.campaign_id),
    "accounts": lambda item: (-item.accounts, item.campaign_id),
    "prompts": lambda item: (-item.prompts, item.campaign_id),
    "last": lambda item: (-(item.last_seen or 0), item.campaign_id),
    "new": lambda item: (-(item.detected or 0), -(item.first_seen or 0), item.campaign_id),
}  # fmt: skip
"""Value of ``sort`` -> the key of the order."""
