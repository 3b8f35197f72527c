"""Groups of accounts that share rare values or sign-ups and write alike: the way to one prompt an account.

Accounts that send one or two prompts each leave neither dense texts nor a profile. What they have is where they come
from: a few addresses, cards and afternoons of sign-ups. Small components of such values are everywhere (offices,
households, exits of private networks), so a component is a group only if its texts are more alike than chance.

1. Pairs of accounts that share rare values or were opened almost together (:mod:`harvestdetect.accounts.rare_links`).
2. Columns in which such pairs write alike more often than after shuffling the texts, in groups
   (:mod:`harvestdetect.accounts.hot_columns`).
3. The accounts of each group of columns, also those that share nothing (:mod:`harvestdetect.accounts.growth`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.accounts.growth import Grown, grow, open_field
from harvestdetect.accounts.hot_columns import Use, column_groups, hot_columns, use_of
from harvestdetect.accounts.id_links import links_by_id
from harvestdetect.accounts.rare_links import Links, births, rare_links
from harvestdetect.corpus.account_fields import AccountFields
from harvestdetect.corpus.by_prompt import first_rows
from harvestdetect.corpus.sign_ups import sign_ups
from harvestdetect.data import NO_TIME, Corpus
from harvestdetect.util.amounts import MOST, NEARLY_ALL, PART
from harvestdetect.util.arrays import Ints

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["infrastructure_groups", "links_between"]


def links_between(corpus: Corpus, fields: AccountFields) -> Links:
    """The pairs of accounts that share rare values or were opened almost together.

    Args:
        corpus: of the prompts.
        fields: of the accounts, see :func:`harvestdetect.corpus.account_fields.account_values`.
    """
    prompts = corpus.prompts
    signed = sign_ups(prompts.account, prompts.created_at, prompts.time, accounts=fields.accounts)
    counted = np.ones(fields.accounts, bool) if fields.first is None else fields.first == np.arange(fields.accounts)
    # without any field, times alone would make a group of everybody who comes for one event
    first = signed.first if fields.fields else np.full_like(signed.first, NO_TIME)
    born = births(signed.created, first, counted)
    return rare_links(fields, born, links_by_id(prompts.accounts.to_pylist(), counted))


def infrastructure_groups(
    corpus: Corpus,
    columns: sparse.csr_matrix,
    fields: AccountFields,
    links: Links,
    *,
    min_accounts: int,
    seed: int,
    level: float = 0.01,
    log_p: float = -16.0,
    share: float = PART,
) -> list[AccountGroup]:
    """Groups of accounts that share rare values or sign-ups and write alike, the largest first.

    Many parameters because thresholds of the settings are passed on.

    Args:
        corpus: of p prompts.
        columns: sparse [p, c], which prompt has which columns: cells of the wording space and shared pieces.
        fields: of the accounts.
        links: see :func:`links_between`.
        min_accounts: fewest accounts of a group. Half as many must be linked.
        seed: of the accounts that are drawn and of the shuffles.
        level: false-discovery rate of the columns in which linked accounts are alike.
        log_p: columns are one group if chance is less likely (natural logarithm), as clusters are linked.
        share: of an account's prompts that must fit the group.

    Returns:
        nothing where no account has a field or a sign-up.
    """
    prompts = corpus.prompts
    if not len(links.first):
        return []
    row = np.flatnonzero(first_rows(prompts))
    account = prompts.account[row].astype(np.int64)
    requests = columns[row]
    use = use_of(requests, account, fields.accounts)
    hot = hot_columns(use, links, level=level, seed=seed)
    if not len(hot):
        return []
    ground = open_field(use, links, requests, account)
    found: list[Grown] = []
    for group in column_groups(use, links, hot, log_p=log_p):
        if len(group) == 1 and _is_part(use, group, found):
            continue
        grown = grow(ground, group, share=share)
        if len(grown.accounts) >= min_accounts and 2 * grown.linked >= min_accounts:
            found.append(grown)
    return [
        AccountGroup(
            way="infrastructure",
            accounts=one.accounts.astype(np.int32),
            prompts=row[one.prompts].astype(np.int32),
        )
        for one in _distinct(found, min_accounts=min_accounts)
    ]


def _is_part(use: Use, column: Ints, groups: list[Grown]) -> bool:
    """Whether nearly all accounts of a single column are in one of some groups: it would grow to much the same."""
    users = use.has[:, column].tocoo().row
    return any(np.isin(users, one.accounts).mean() >= NEARLY_ALL for one in groups)


def _distinct(groups: list[Grown], *, min_accounts: int) -> list[Grown]:
    """The groups without the accounts of those linked more closely, unless half of their accounts would be lost."""
    kept: list[Grown] = []
    taken = np.empty(0, np.int64)
    for one in sorted(groups, key=lambda g: (-g.excess, g.accounts.tolist())):
        free = ~np.isin(one.accounts, taken)
        if free.sum() >= max(MOST * len(free), min_accounts):
            kept.append(one)
            taken = np.union1d(taken, one.accounts)
    return kept
