"""Finds which known campaign each finding of a run is.

A campaign keeps its id while its accounts and templates change. It is recognised by the accounts that it shares with a
finding or, if its accounts were replaced, by the fixed words of a template. If a finding holds several campaigns, such
as a chain over time whose parts were found before it, it keeps the oldest id. All functions here are pure functions of
sets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from harvestdetect.util.amounts import MOST
from harvestdetect.util.words import spaced

__all__ = ["Known", "Matched", "Seen", "alike", "match", "words_of"]

SHARED: Final = 0.2
"""Share of the accounts of the smaller side that a finding and a campaign must have in common."""
LEAST_SHARED: Final = 3
"""Fewest accounts that a finding and a campaign must have in common."""
LEAST_WORDS: Final = 8
"""Fewest fixed words of a template that can identify a campaign."""
ALIKE: Final = 0.7
"""Jaccard index of the fixed words of two templates, each with its number among equal ones, from which they match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What identifies a finding."""

    accounts: frozenset[str]
    templates: tuple[frozenset[tuple[str, int]], ...]
    """Fixed words of each template, see :func:`words_of`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What identifies a campaign that a state knows."""

    campaign: str
    """Id of the campaign."""
    accounts: frozenset[str]
    """Members in any run."""
    templates: tuple[frozenset[tuple[str, int]], ...]
    """Fixed words of each template, see :func:`words_of`."""
    detected: int | None = None
    """Unix seconds of the first run that found it; None if age must not decide, for example because it was
    judged benign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """Which finding is which campaign."""

    campaign: tuple[str | None, ...]
    """Known campaign of each finding; None if it is new."""
    split_from: Mapping[int, str] = field(default_factory=dict)
    """Index of a new finding -> the campaign that it was split off from, whose id another finding has."""
    merged: Mapping[str, str] = field(default_factory=dict)
    """Known campaign -> the campaign that it was merged into."""


def words_of(words: Sequence[str | None]) -> frozenset[tuple[str, int]]:
    """The fixed words of a template, each with its number among equal ones."""
    count: dict[str, int] = defaultdict(int)
    found = set()
    for run in words:
        for word in spaced((run or "").lower()).split():
            found.add((word, count[word]))
            count[word] += 1
    return frozenset(found)


def alike(first: frozenset[tuple[str, int]], second: frozenset[tuple[str, int]]) -> float:
    """Similarity of two templates: the Jaccard index of their words, or 0 if one of them has too few words."""
    if min(len(first), len(second)) < LEAST_WORDS:
        return 0.0
    return len(first & second) / len(first | second)


class _Link(NamedTuple):
    """A finding and a campaign that may be the same. Links sort from the strongest to the weakest."""

    unlikely: bool
    """False if both accounts and a template match."""
    fewer: int
    """Number of accounts in common, negative."""
    less_alike: float
    """Similarity of the most similar templates, negative."""
    campaign: str
    order: tuple[int, list[str]]
    """Order of the finding, by its accounts."""
    finding: int
    """Index of the finding."""


def match(seen: Sequence[Seen], known: Sequence[Known]) -> Matched:
    """Matches the findings of a run with the campaigns of a state.

    A finding and a campaign are linked if they share enough accounts or a template. Strong links are decided first:
    those with both (since the accounts of a campaign may also send other things, which become a finding with as many of
    them), then those with more accounts. A link gives the finding the id of the campaign if neither has a match yet. A
    finding that is left without a match was split off from its strongest campaign. A campaign that is left without a
    match was merged into the campaign of its strongest finding. If it has half or more of the
    accounts of a merged campaign that is older, the finding takes the id of
    the oldest such campaign. The order of either side does not matter.
    """
    links = _links(seen, known)
    campaign_of: dict[int, str] = {}
    matched: set[str] = set()
    for link in links:
        if link.finding not in campaign_of and link.campaign not in matched:
            campaign_of[link.finding] = link.campaign
            matched.add(link.campaign)
    split: dict[int, str] = {}
    merged: dict[str, str] = {}
    for link in links:
        if link.finding not in campaign_of:
            split.setdefault(link.finding, link.campaign)
        elif link.campaign not in matched:
            merged.setdefault(link.campaign, campaign_of[link.finding])
    older = _older(seen, known, campaign_of, merged)
    campaign_of = {finding: older.get(campaign, campaign) for finding, campaign in campaign_of.items()}
    split = {finding: older.get(campaign, campaign) for finding, campaign in split.items()}
    merged = {campaign: older.get(into, into) for campaign, into in merged.items()}
    for campaign, into in older.items():
        del merged[into]
        merged[campaign] = into
    return Matched(campaign=tuple(campaign_of.get(i) for i in range(len(seen))), split_from=split, merged=merged)


def _older(
    seen: Sequence[Seen], known: Sequence[Known], campaign_of: Mapping[int, str], merged: Mapping[str, str]
) -> dict[str, str]:
    """Campaign of a finding -> an older campaign that was merged into it, and whose id the finding takes.

    The finding must have most accounts of the older campaign: a few accounts that strayed into it say nothing.

    Args:
        seen: the findings.
        known: the campaigns.
        campaign_of: index of a finding -> its campaign.
        merged: campaign -> the campaign that it was merged into.
    """
    campaigns = {one.campaign: one for one in known}
    found: dict[str, str] = {}
    for finding, campaign in campaign_of.items():
        accounts = seen[finding].accounts
        ages = [
            (one.detected, one.campaign)
            for one in map(campaigns.__getitem__, (campaign, *(m for m, into in merged.items() if into == campaign)))
            if one.detected is not None
            and (one.campaign == campaign or len(one.accounts & accounts) >= MOST * len(one.accounts))
        ]
        own = campaigns[campaign].detected
        if ages and own is not None and min(ages)[0] < own:
            found[campaign] = min(ages)[1]
    return found


def _links(seen: Sequence[Seen], known: Sequence[Known]) -> list[_Link]:
    """All links between findings and campaigns, the strongest first."""
    links = []
    campaigns_of: dict[str, list[int]] = defaultdict(list)
    for number, campaign in enumerate(known):
        for account in campaign.accounts:
            campaigns_of[account].append(number)
    for i, finding in enumerate(seen):
        shared: dict[int, int] = defaultdict(int)
        for account in finding.accounts:
            for number in campaigns_of.get(account, ()):
                shared[number] += 1
        order = (-len(finding.accounts), sorted(finding.accounts))
        for number, campaign in enumerate(known):
            common = shared.get(number, 0)
            enough = common >= max(LEAST_SHARED, SHARED * min(len(finding.accounts), len(campaign.accounts)))
            same = max((alike(a, b) for a in finding.templates for b in campaign.templates), default=0.0)
            if enough or same >= ALIKE:
                both = enough and same >= ALIKE
                links.append(_Link(not both, -common, -same, campaign.campaign, order, i))
    return sorted(links)
