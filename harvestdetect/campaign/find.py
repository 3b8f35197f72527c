"""Finds campaigns: links clusters that share accounts, separates their users, and forms a campaign of each group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harvestdetect.campaign.form import ClusterGroup, form_campaigns
from harvestdetect.campaign.links import Link, communities, is_copied, link_clusters
from harvestdetect.campaign.users import split_users
from harvestdetect.cluster.assign import Volumes, nearby
from harvestdetect.corpus.by_prompt import first_rows, segment_starts, segments_by_prompt
from harvestdetect.data import Campaign, Corpus, Neighbors
from harvestdetect.template.description import Description, is_rigid, is_template
from harvestdetect.util.arrays import Ints32

__all__ = ["find_campaigns"]


def find_campaigns(
    prompts: Sequence[Ints32],
    descriptions: Sequence[Description],
    corpus: Corpus,
    volume: Volumes,
    neighbors: Neighbors,
    *,
    link_log_p: float,
    min_accounts: int,
    seed: int,
) -> list[Campaign]:
    """Finds the campaigns among some clusters.

    Args:
        prompts: of each of c clusters, int32 ascending.
        descriptions: of each cluster.
        corpus: of the prompts.
        volume: prompts of every account.
        neighbors: of all segments, in the wording view.
        link_log_p: see ``Settings.link_log_p``.
        min_accounts: fewest accounts of a campaign.
        seed: of the search for communities.
    """
    account = corpus.prompts.account
    senders = [np.unique(account[rows], return_counts=True) for rows in prompts]
    links = link_clusters(
        [accounts for accounts, _ in senders],
        [count.astype(np.int32) for _, count in senders],
        volume.prompts,
        log_p=link_log_p,
        rigid=[is_rigid(description) for description in descriptions],
        copied=[is_copied(corpus.prompts.content[rows]) for rows in prompts],
    )
    groups = list(
        _groups(
            prompts, descriptions, corpus, neighbors, links,
            link_log_p=link_log_p, min_accounts=min_accounts, seed=seed,
        )
    )  # fmt: skip
    total = int(volume.prompts.sum())
    found = form_campaigns(groups, links, account=account, volume=volume.prompts, total_prompts=total)
    return [campaign for campaign in found if len(campaign.accounts) >= min_accounts]


def _groups(
    prompts: Sequence[Ints32],
    descriptions: Sequence[Description],
    corpus: Corpus,
    neighbors: Neighbors,
    links: Sequence[Link],
    *,
    link_log_p: float,
    min_accounts: int,
    seed: int,
) -> Iterator[ClusterGroup]:
    """The groups of linked clusters, separated by their users; arguments as for :func:`find_campaigns`."""
    account = corpus.prompts.account
    free = first_rows(corpus.prompts)
    for rows in prompts:
        free[rows] = False
    sender = account[corpus.posting_prompt[segment_starts(corpus)[:-1]]]
    segments = segments_by_prompt(corpus)
    border = np.searchsorted(account, np.arange(len(corpus.prompts.accounts) + 1))
    for group in communities(links, len(prompts), seed=seed):
        for clusters, own_prompts in split_users(
            group, prompts, account=account, min_accounts=min_accounts, log_p=link_log_p
        ):
            beside = None
            if not any(is_template(descriptions[c]) for c in clusters):
                rows = np.concatenate([own_prompts[c] for c in clusters])
                beside = account[nearby(rows, free, corpus, neighbors, sender, segments, border)]
            yield ClusterGroup(
                clusters=clusters,
                prompts=own_prompts,
                nearby=beside,
                rigid=all(is_rigid(descriptions[c]) for c in clusters),
            )
