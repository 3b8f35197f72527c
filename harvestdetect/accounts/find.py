"""Adds the candidates whose accounts are alike, or share rare values or sign-ups, to those whose texts are alike."""

from __future__ import annotations

from collections.abc import Sequence

from harvestdetect.accounts.alike import alike
from harvestdetect.accounts.candidates import Near, with_groups
from harvestdetect.accounts.chains import chains
from harvestdetect.accounts.infrastructure import infrastructure_groups, links_between
from harvestdetect.accounts.kin import Kin, NearestAccounts
from harvestdetect.accounts.profiles import account_profiles, columns_of, topic_profiles
from harvestdetect.corpus.account_fields import AccountFields
from harvestdetect.data import Campaign
from harvestdetect.template.clusters import Source
from harvestdetect.template.refine import Refined
from harvestdetect.util.amounts import MIN_SAMPLE
from harvestdetect.util.arrays import Ints32

__all__ = ["with_accounts"]


def with_accounts(
    texts: Sequence[Campaign],
    refined: Refined,
    source: Source,
    *,
    volume: Ints32,
    fields: AccountFields,
    fdr: float,
    link_log_p: float,
    threads: int,
    seed: int,
) -> tuple[list[Campaign], Refined, Kin]:
    """All candidates: those of texts, those of accounts and of infrastructure, and chains of them over time.

    Many parameters because settings are passed on one by one.

    Args:
        texts: the candidates of texts.
        refined: the clusters of these candidates.
        source: of the texts.
        volume: int32[a], requests of every account.
        fields: of the accounts.
        fdr: false-discovery rate.
        link_log_p: see ``Settings.link_log_p``.
        threads: 0 takes all cores.
        seed: of all draws.

    Returns:
        the candidates; the clusters with those that were added; and which accounts are near each other.
    """
    corpus, least = source.corpus, source.min_accounts
    if not len(source.parts.segment):
        return list(texts), refined, Kin()
    columns = columns_of(corpus, source.parts, source.vectors, min_accounts=least, threads=threads, seed=seed)
    few = MIN_SAMPLE if least > MIN_SAMPLE else None
    whole = account_profiles(columns, min_accounts=least, few=few)
    by_account = alike(whole, columns, min_accounts=least, few=few, threads=threads, seed=seed)
    near = Near(whole.account, by_account.neighbors, columns.accounts)
    whole_of = NearestAccounts(account=whole.account, neighbors=by_account.neighbors)
    del whole
    topics = topic_profiles(columns, min_accounts=least, few=few)
    by_topic = alike(topics, columns, min_accounts=least, few=few, threads=threads, seed=seed)
    topics_of = NearestAccounts(account=topics.account, neighbors=by_topic.neighbors)
    del topics
    links = links_between(corpus, fields)
    by_values = infrastructure_groups(
        corpus, columns.matrix, fields, links, min_accounts=least, seed=seed, level=fdr,
        log_p=link_log_p,
    )  # fmt: skip
    del columns  # it is large
    groups = [*by_account.groups, *by_topic.groups, *by_values]
    found, refined = with_groups(texts, groups, refined, source, volume=volume, near=near)
    # small groups are no candidates, but may be pieces of a chain
    small = [*by_account.small, *by_topic.small]
    found, refined = chains(found, small, refined, source, volume=volume, seed=seed)
    return found, refined, Kin(whole=whole_of, topics=topics_of, links=links)
