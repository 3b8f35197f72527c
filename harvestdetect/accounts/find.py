"""Finds groups of accounts: those whose profiles are alike, and those that share rare values or sign-ups."""

from __future__ import annotations

from harvestdetect.accounts.alike import alike
from harvestdetect.accounts.candidates import Near
from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.accounts.infrastructure import infrastructure_groups
from harvestdetect.accounts.profiles import PromptColumns, account_profiles, columns_of, topic_profiles
from harvestdetect.accounts.succession import LEAST
from harvestdetect.corpus.account_fields import account_values
from harvestdetect.corpus.by_prompt import PromptSegments
from harvestdetect.data import Corpus
from harvestdetect.util.vectors import Rows

__all__ = ["account_groups"]


def account_groups(
    corpus: Corpus,
    parts: PromptSegments,
    vectors: Rows,
    *,
    min_accounts: int,
    fdr: float,
    link_log_p: float,
    threads: int,
    seed: int,
) -> tuple[list[AccountGroup], list[AccountGroup], Near]:
    """The groups of alike accounts, best first within each layer; small groups; and the nearest accounts of each.

    Small groups are no candidates. They may be pieces of a chain, see :mod:`harvestdetect.accounts.succession`.

    Args:
        corpus: of n segments.
        parts: the whole parts of each prompt.
        vectors: float16[n, d], of the segments in the wording view.
        min_accounts: fewest accounts of a group.
        fdr: false-discovery rate.
        link_log_p: see ``Settings.link_log_p``.
        threads: 0 takes all cores.
        seed: of all draws.
    """
    columns = columns_of(corpus, parts, vectors, min_accounts=min_accounts, threads=threads, seed=seed)
    whole = account_profiles(columns, min_accounts=min_accounts)
    by_account = alike(whole, columns, min_accounts=min_accounts, threads=threads, seed=seed)
    by_topic = alike(
        topic_profiles(columns, min_accounts=min_accounts), columns, min_accounts=min_accounts, threads=threads,
        seed=seed,
    )  # fmt: skip
    by_values = infrastructure_groups(
        corpus, columns.matrix, account_values(corpus.prompts), min_accounts=min_accounts, seed=seed, level=fdr,
        log_p=link_log_p,
    )  # fmt: skip
    near = Near(whole.account, by_account.neighbors, columns.accounts)
    small = _small_groups(columns, threads=threads, seed=seed) if min_accounts > LEAST else []
    return [*by_account.groups, *by_topic.groups, *by_values], small, near


def _small_groups(columns: PromptColumns, *, threads: int, seed: int) -> list[AccountGroup]:
    """The groups of alike accounts that have enough accounts for a piece of a chain."""
    return [
        group
        for profiles in (account_profiles, topic_profiles)
        for group in alike(
            profiles(columns, min_accounts=LEAST), columns, min_accounts=LEAST, threads=threads, seed=seed
        ).groups
    ]
