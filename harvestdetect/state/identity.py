"""Which finding of a run is which known campaign.

A campaign keeps its id while accounts and templates drift: it is told again by the accounts that it has in common with
a finding, and, where accounts were replaced, by the fixed words of a template. Everything here is a function of sets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Known", "Matched", "Seen", "alike", "match", "words_of"]

SHARED: Final = 0.2
"""Share of the smaller side's accounts that must be in common..."""
LEAST_SHARED: Final = 3
"""...and at least so many."""
LEAST_WORDS: Final = 8
"""Fixed words of a template that can tell a campaign again..."""
ALIKE: Final = 0.7
"""...when so large a part of the words of both is in common (Jaccard index over words with their number)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A finding, as far as it tells which campaign it is."""

    accounts: frozenset[str]
    templates: tuple[frozenset[tuple[str, int]], ...]
    """Words of each template, each with its number among equal ones; see :func:`words_of`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A campaign that a state knows."""

    campaign: str
    accounts: frozenset[str]
    templates: tuple[frozenset[tuple[str, int]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """Who is who."""

    campaign: tuple[str | None, ...]
    """Of each finding: the known campaign that it is; None: it is new."""
    split_from: Mapping[int, str] = field(default_factory=dict)
    """New finding -> the campaign that it has come apart from, which another finding goes on with."""
    merged: Mapping[str, str] = field(default_factory=dict)
    """Known campaign -> the one that it is now a part of."""


def words_of(words: Sequence[str | None]) -> frozenset[tuple[str, int]]:
    """The fixed words of a template, each with its number among equal ones."""
    count: dict[str, int] = defaultdict(int)
    found = set()
    for run in words:
        for word in (run or "").lower().split():
            found.add((word, count[word]))
            count[word] += 1
    return frozenset(found)


def alike(first: frozenset[tuple[str, int]], second: frozenset[tuple[str, int]]) -> float:
    """How far two templates are one: the Jaccard index of their words; 0 where one is too short to tell."""
    if min(len(first), len(second)) < LEAST_WORDS:
        return 0.0
    return len(first & second) / len(first | second)


def match(seen: Sequence[Seen], known: Sequence[Known]) -> Matched:
    """Matches the findings of a run with the campaigns of a state.

    Each finding goes to the campaign it has most accounts in common with, and of several findings of one campaign the
    one with most goes on with it; before all others one that has a template of it as well, for what else its accounts
    send may be a finding too, with as many of them. A campaign that goes to no finding as its own, but to one that goes
    on with another, has become part of that. The order of either side changes nothing.
    """
    links: list[tuple[bool, int, float, str, int]] = []
    holders: dict[str, list[int]] = defaultdict(list)
    for number, campaign in enumerate(known):
        for account in campaign.accounts:
            holders[account].append(number)
    for i, finding in enumerate(seen):
        shared: dict[int, int] = defaultdict(int)
        for account in finding.accounts:
            for number in holders.get(account, ()):
                shared[number] += 1
        for number, campaign in enumerate(known):
            common = shared.get(number, 0)
            enough = max(LEAST_SHARED, SHARED * min(len(finding.accounts), len(campaign.accounts)))
            same = max((alike(a, b) for a in finding.templates for b in campaign.templates), default=0.0)
            if common >= enough or same >= ALIKE:
                links.append((common >= enough and same >= ALIKE, common, same, campaign.campaign, i))
    key = {i: (-len(f.accounts), sorted(f.accounts)) for i, f in enumerate(seen)}
    links.sort(key=lambda link: (not link[0], -link[1], -link[2], link[3], key[link[4]]))
    campaign_of: dict[int, str] = {}
    taken: dict[str, int] = {}
    for _, _, _, campaign_id, i in links:
        if i not in campaign_of and campaign_id not in taken:
            campaign_of[i] = campaign_id
            taken[campaign_id] = i
    split: dict[int, str] = {}
    merged: dict[str, str] = {}
    for _, _, _, campaign_id, i in links:
        if i not in campaign_of:
            split.setdefault(i, campaign_id)
        elif campaign_id not in taken:
            merged.setdefault(campaign_id, campaign_of[i])
    return Matched(campaign=tuple(campaign_of.get(i) for i in range(len(seen))), split_from=split, merged=merged)
