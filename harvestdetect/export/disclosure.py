"""Decides which findings an export has, and what it says of accounts and texts.

Every format gets only what this module leaves, so none can show what was hidden.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from harvestdetect.data import TIERS, Tier
from harvestdetect.export.values import Account, Campaign, Link, Reveal, Source, TemplateView
from harvestdetect.util.ids import named_campaign

__all__ = ["disclosed", "selected", "shows_accounts"]

DIGEST_CHARACTERS: Final = 12
"""Characters of the SHA-256 of a file that name it in a reference: 48 bits."""


def selected(source: Source, *, tier: Tier, campaigns: Sequence[str]) -> Source:
    """The findings to export.

    Args:
        source: as it was read.
        tier: the lowest tier. It does not count for campaigns that are named.
        campaigns: ids, or beginnings of ids; empty: all.

    Raises:
        UsageError: an id is of no campaign, or of several.
    """
    if campaigns:
        known = [one.campaign_id for one in source.campaigns]
        where = "the state" if source.kind == "state" else "campaigns.jsonl"
        wanted = {named_campaign(given, known, where=where) for given in campaigns}
        kept = [one for one in source.campaigns if one.campaign_id in wanted]
    else:
        kept = [one for one in source.campaigns if TIERS.index(one.tier) <= TIERS.index(tier)]
    return replace(source, campaigns=tuple(kept))


def shows_accounts(source: Source, reveal: Collection[Reveal]) -> bool:
    """Whether accounts have the names of the source: they are pseudonyms, or were asked for."""
    return source.pseudonyms or "accounts" in reveal


def disclosed(source: Source, reveal: Collection[Reveal]) -> Source:
    """A source without the names and texts that are not to be shown.

    Args:
        source: as it was read.
        reveal: what to show. Pseudonyms that a scan wrote are always shown.
    """
    files = _file_names(source, reveal)
    return replace(
        source,
        campaigns=tuple(_campaign(one, source, reveal, files) for one in source.campaigns),
        files={} if "accounts" not in reveal else source.files,
    )


def _file_names(source: Source, reveal: Collection[Reveal]) -> dict[str, str]:
    """Name of each file -> what references call it."""
    if "accounts" in reveal:
        return {name: name for name in source.files}
    return {name: other[:DIGEST_CHARACTERS] for name, other in source.files.items()}


def _campaign(campaign: Campaign, source: Source, reveal: Collection[Reveal], files: dict[str, str]) -> Campaign:
    open_names = shows_accounts(source, reveal)
    names = {one.name: one.name if open_names else one.tag for one in campaign.members}
    place = {one.name: number for number, one in enumerate(campaign.members)}
    links = sorted(campaign.links, key=lambda link: (place[link.account], link.template_id))
    return replace(
        campaign,
        title=campaign.title if "texts" in reveal else "",
        members=tuple(_account(one, names[one.name]) for one in campaign.members),
        links=tuple(_link(one, names[one.account], reveal, files) for one in links),
        templates=tuple(_template(one, reveal) for one in campaign.templates),
    )


def _account(account: Account, name: str) -> Account:
    return replace(account, name=name)


def _link(link: Link, name: str, reveal: Collection[Reveal], files: dict[str, str]) -> Link:
    shown = link.file if "accounts" in reveal else ""
    place = files.get(link.file, shown or "unknown file")
    return replace(link, account=name, file=shown, evidence=f"{place}:{link.line}")


def _template(template: TemplateView, reveal: Collection[Reveal]) -> TemplateView:
    return template if "texts" in reveal else replace(template, words=(), fillings=(), examples=())
