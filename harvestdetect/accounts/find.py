"""Finds groups of accounts: those whose profiles are alike."""

from __future__ import annotations

from harvestdetect.accounts.alike import alike
from harvestdetect.accounts.candidates import Near
from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.accounts.profiles import account_profiles, columns_of, topic_profiles
from harvestdetect.corpus.by_prompt import PromptSegments
from harvestdetect.data import Corpus
from harvestdetect.util.vectors import Rows

__all__ = ["account_groups"]


def account_groups(
    corpus: Corpus, parts: PromptSegments, vectors: Rows, *, min_accounts: int, threads: int, seed: int
) -> tuple[list[AccountGroup], Near]:
    """The groups of alike accounts, best first within each layer, and the nearest accounts of each.

    Args:
        corpus: of n segments.
        parts: the whole parts of each prompt.
        vectors: float16[n, d], of the segments in the wording view.
        min_accounts: fewest accounts of a group.
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
    near = Near(whole.account, by_account.neighbors, columns.accounts)
    return [*by_account.groups, *by_topic.groups], near
