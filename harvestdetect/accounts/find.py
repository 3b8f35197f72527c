"""Adds the candidates whose accounts are alike, or share rare values or sign-ups, to those whose texts are alike."""

from __future__ import annotations

from collections.abc import Sequence

from harvestdetect.accounts.alike import alike
from harvestdetect.accounts.candidates import Near, with_groups
from harvestdetect.accounts.chains import chains
from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.accounts.infrastructure import infrastructure_groups, links_between
from harvestdetect.accounts.kin import Kin, NearestAccounts
from harvestdetect.accounts.profiles import PromptColumns, account_profiles, columns_of, topic_profiles
from harvestdetect.accounts.succession import LEAST
from harvestdetect.corpus.account_fields import AccountFields
from harvestdetect.data import Campaign
from harvestdetect.template.clusters import Source
from harvestdetect.template.refine import Refined
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
    whole = account_profiles(columns, min_accounts=least)
    by_account = alike(whole, columns, min_accounts=least, threads=threads, seed=seed)
    topics = topic_profiles(columns, min_accounts=least)
    by_topic = alike(topics, columns, min_accounts=least, threads=threads, seed=seed)
    links = links_between(corpus, fields)
    by_values = infrastructure_groups(
        corpus, columns.matrix, fields, links, min_accounts=least, seed=seed, level=fdr,
        log_p=link_log_p,
    )  # fmt: skip
    near = Near(whole.account, by_account.neighbors, columns.accounts)
    groups = [*by_account.groups, *by_topic.groups, *by_values]
    found, refined = with_groups(texts, groups, refined, source, volume=volume, near=near)
    small = _small_groups(columns, threads=threads, seed=seed) if least > LEAST else []
    found, refined = chains(found, small, refined, source, volume=volume, seed=seed)
    kin = Kin(
        whole=NearestAccounts(account=whole.account, neighbors=by_account.neighbors),
        topics=NearestAccounts(account=topics.account, neighbors=by_topic.neighbors),
        links=links,
    )
    return found, refined, kin


def _small_groups(columns: PromptColumns, *, threads: int, seed: int) -> list[AccountGroup]:
    """The groups of alike accounts that have enough accounts for a piece of a chain. They are no candidates."""
    return [
        group
        for profiles in (account_profiles, topic_profiles)
        for group in alike(
            profiles(columns, min_accounts=LEAST), columns, min_accounts=LEAST, threads=threads, seed=seed
        ).groups
    ]
