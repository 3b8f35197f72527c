"""Adds the candidates whose accounts are alike, or share rare values or sign-ups, to those whose texts are alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from harvestdetect.accounts.alike import alike
from harvestdetect.accounts.candidates import NearestLookup, with_groups
from harvestdetect.accounts.chains import chains
from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.accounts.infrastructure import infrastructure_groups, links_between
from harvestdetect.accounts.kin import Kin, NearestAccounts
from harvestdetect.accounts.profiles import Profiles, PromptFeatures, account_profiles, prompt_features, topic_profiles
from harvestdetect.accounts.rare_links import Links
from harvestdetect.corpus.account_fields import AccountFields
from harvestdetect.data import Campaign, Corpus
from harvestdetect.engines.engine import Engine
from harvestdetect.engines.loop import Loop
from harvestdetect.engines.sharing import Shared
from harvestdetect.template.clusters import ClusterSource
from harvestdetect.template.refine import Refined
from harvestdetect.util.amounts import MIN_SAMPLE
from harvestdetect.util.arrays import Ints32
from harvestdetect.util.machine import cores

__all__ = ["with_accounts"]

TASKS: Final = 3
"""Tasks that look for groups at once: accounts, topics and infrastructure."""


def with_accounts(
    texts: Sequence[Campaign],
    refined: Refined,
    source: ClusterSource,
    *,
    volume: Ints32,
    fields: AccountFields,
    link_log_p: float,
    threads: int,
    seed: int,
    engine: Engine | None = None,
) -> tuple[list[Campaign], Refined, Kin]:
    """All candidates: those of texts, those of accounts and of infrastructure, and chains of them over time.

    Many parameters because settings are passed on one by one.

    Args:
        texts: the candidates of texts.
        refined: the clusters of these candidates.
        source: of the texts.
        volume: int32[a], requests of every account.
        fields: of the accounts.
        link_log_p: see ``Settings.link_log_p``.
        threads: 0 takes all cores.
        seed: of all draws.
        engine: looks for groups and for their templates; None: this process does, one after another.

    Returns:
        the candidates; the clusters with those that were added; and which accounts are near each other.
    """
    corpus, least = source.corpus, source.min_accounts
    if not len(source.parts.segment):
        return list(texts), refined, Kin()
    engine = engine or Loop()
    features = prompt_features(corpus, source.parts, source.vectors, min_accounts=least, threads=threads, seed=seed)
    engine.share(corpus)
    known = _CandidateInputs(
        corpus=corpus, features=features, fields=fields, least=least, link_log_p=link_log_p, seed=seed
    )
    del features
    work = engine.share(known)
    each = threads if engine.workers == 1 else max(1, (threads or cores()) // TASKS)
    # the longest begins first
    by_topic = engine.submit(_by_topic, work, each)
    by_values = engine.submit(_by_values, work)
    by_account = engine.submit(_by_account, work, each)
    topics, values, whole = by_topic(), by_values(), by_account()
    engine.forget(known)
    del known, work, by_topic, by_values, by_account  # the features are large
    near = NearestLookup(whole.nearest.account, whole.nearest.neighbors, len(corpus.prompts.accounts))
    groups = [*whole.groups, *topics.groups, *values.groups]
    found, refined = with_groups(texts, groups, refined, source, volume=volume, near=near, engine=engine)
    # small groups are no candidates, but may be pieces of a chain
    small = [*whole.small, *topics.small]
    found, refined = chains(found, small, refined, source, volume=volume, seed=seed)
    return found, refined, Kin(whole=whole.nearest, topics=topics.nearest, links=values.links)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CandidateInputs:
    """What the tasks of an engine have in common."""

    corpus: Corpus
    features: PromptFeatures
    fields: AccountFields
    least: int
    """Fewest accounts of a group."""
    link_log_p: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """The groups of one layer of profiles."""

    nearest: NearestAccounts
    groups: list[AccountGroup]
    small: list[AccountGroup]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Linked:
    """The groups of accounts that share infrastructure."""

    links: Links
    groups: list[AccountGroup]


def _by_account(work: Shared[_CandidateInputs], threads: int) -> _Layer:
    """The groups of alike accounts; it runs on an engine."""
    return _layer(work.value(), account_profiles, threads)


def _by_topic(work: Shared[_CandidateInputs], threads: int) -> _Layer:
    """The groups of accounts that are alike in a topic; it runs on an engine."""
    return _layer(work.value(), topic_profiles, threads)


def _layer(work: _CandidateInputs, profiles_of: Callable[..., Profiles], threads: int) -> _Layer:
    few = MIN_SAMPLE if work.least > MIN_SAMPLE else None
    profiles = profiles_of(work.features, min_accounts=work.least, few=few)
    found = alike(profiles, work.features, min_accounts=work.least, few=few, threads=threads, seed=work.seed)
    nearest = NearestAccounts(account=profiles.account, neighbors=found.neighbors)
    return _Layer(nearest=nearest, groups=found.groups, small=found.small)


def _by_values(work: Shared[_CandidateInputs]) -> _Linked:
    """The groups of accounts that share rare values or sign-ups; it runs on an engine."""
    known = work.value()
    links = links_between(known.corpus, known.fields)
    groups = infrastructure_groups(
        known.corpus, known.features.matrix, known.fields, links, min_accounts=known.least, seed=known.seed,
        log_p=known.link_log_p,
    )  # fmt: skip
    return _Linked(links=links, groups=groups)
