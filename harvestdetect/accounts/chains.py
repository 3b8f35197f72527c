"""Chains over time: candidates that continue one another become one.

A pool of accounts hands over to the next one, a template is replaced every few days, accounts are dropped and others
created. Each time the campaign begins anew for whoever looks for texts or accounts that are alike.
:mod:`harvestdetect.accounts.succession` says which groups continue one another; here they become a candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from harvestdetect.accounts import overlaps
from harvestdetect.accounts.candidates import with_candidates
from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.accounts.pieces import Piece, distinct, pieces_of
from harvestdetect.accounts.succession import chained
from harvestdetect.campaign.form import joined, with_prompts
from harvestdetect.corpus.by_prompt import in_sorted
from harvestdetect.data import Campaign, Way
from harvestdetect.template.clusters import ClusterSource
from harvestdetect.template.refine import Refined
from harvestdetect.util.amounts import GROUP, MIN_SAMPLE, NEARLY_ALL
from harvestdetect.util.arrays import Ints32, unique

__all__ = ["SUCCESSION", "chains", "is_chain", "is_short_chain"]

SUCCESSION: Final[Way] = "succession"
"""The way in which a chain was found."""


def is_chain(campaign: Campaign) -> bool:
    """Whether a candidate is a chain over time."""
    return SUCCESSION in campaign.ways


def is_short_chain(campaign: Campaign) -> bool:
    """Whether a candidate is a chain of so few generations that it may be several campaigns.

    Two campaigns may begin and end one after the other by chance; three or more (``GROUP``) hardly do.
    """
    return is_chain(campaign) and campaign.generations < GROUP


def chains(
    campaigns: Sequence[Campaign],
    small: Sequence[AccountGroup],
    refined: Refined,
    source: ClusterSource,
    *,
    volume: Ints32,
    seed: int,
) -> tuple[list[Campaign], Refined]:
    """The candidates and the chains that they are pieces of; and the clusters with those of small pieces.

    The pieces stay candidates: a few campaigns may follow one another too, and then each says more by itself. A
    candidate is a part of a chain that has nearly all of its requests. The chain has the accounts and the requests of
    its pieces alone: accounts of a candidate that were active at another time are left out. A chain of which one
    candidate has nearly all adds nothing.

    Args:
        campaigns: the candidates.
        small: further groups that may be pieces: of 5 or more accounts (``MIN_SAMPLE``); no candidates.
        refined: the clusters of the candidates.
        source: of the texts.
        volume: int32[a], requests of every account.
        seed: of the choice of groups to compare with, if there are too many.
    """
    corpus = source.corpus
    groups = [Piece(one.accounts, one.prompts) for one in campaigns] + [
        Piece(one.accounts, one.prompts) for one in small
    ]
    pieces = [
        piece for i in distinct(groups, len(corpus.prompts.account)) for piece in pieces_of(groups[i], corpus.prompts)
    ]
    holders = overlaps.members([one.prompts for one in campaigns], len(corpus.prompts.account)).T.tocsr()
    found: list[Campaign] = []
    for chain in chained(pieces, corpus, source.parts, seed=seed):
        prompts = unique(np.concatenate([pieces[i].prompts for i in chain.pieces]))
        touched = [campaigns[i] for i in unique(holders[prompts].indices).tolist()]
        inside = [int(in_sorted(one.prompts, prompts).sum()) for one in touched]
        is_part = [count >= NEARLY_ALL * len(one.prompts) for count, one in zip(inside, touched, strict=True)]
        has_all = any(n >= NEARLY_ALL * len(prompts) and not part for n, part in zip(inside, is_part, strict=True))
        if has_all or not source.enough_accounts(prompts):
            continue
        parts: list[Campaign] = []
        for campaign, part in zip(touched, is_part, strict=True):
            if not part:
                continue
            mask = in_sorted(campaign.prompts, prompts)
            if mask.any():
                parts.append(with_prompts(campaign, mask, account=corpus.prompts.account, volume=volume))
                prompts = prompts[~in_sorted(prompts, campaign.prompts)]
        accounts = unique(corpus.prompts.account[prompts])
        if len(accounts) >= MIN_SAMPLE or not parts:
            group = AccountGroup(way=SUCCESSION, accounts=accounts, prompts=prompts)
            added, refined = with_candidates([group], refined, source, volume=volume)
            parts += [replace(one, ways=("accounts",)) for one in added]
        whole = joined(parts, volume=volume)
        found.append(replace(whole, ways=(*whole.ways, SUCCESSION), generations=chain.generations))
    return [*campaigns, *found], refined
