"""Groups of accounts that share rare values or sign-ups and write alike: the way to one prompt an account.

Accounts that send one or two prompts each leave neither dense texts nor a profile. What they have is where they come
from: a few addresses, cards and afternoons of sign-ups. Small components of such values are everywhere (offices,
households, exits of private networks), so a component is a group only if its texts are more alike than chance.

1. Pairs of accounts that share rare values or were created almost together (:mod:`harvestdetect.accounts.rare_links`).
2. Features in which such pairs write alike more often than after shuffling the texts, in groups
   (:mod:`harvestdetect.accounts.hot_features`).
3. The accounts of each group of features, also those that share nothing (:mod:`harvestdetect.accounts.growth`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.accounts.growth import GrownGroup, grow, growth_inputs
from harvestdetect.accounts.hot_features import Use, feature_groups, hot_features, use_of
from harvestdetect.accounts.id_links import links_by_id
from harvestdetect.accounts.rare_links import Links, rare_links
from harvestdetect.corpus.account_fields import AccountFields
from harvestdetect.corpus.by_prompt import first_rows
from harvestdetect.corpus.creation_times import account_times, creation_times
from harvestdetect.data import Corpus
from harvestdetect.util.amounts import MOST, NEARLY_ALL
from harvestdetect.util.arrays import Ints

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["infrastructure_groups", "links_between"]


def links_between(corpus: Corpus, fields: AccountFields) -> Links:
    """The pairs of accounts that share rare values or were created almost together.

    Args:
        corpus: of the prompts.
        fields: of the accounts, see :func:`harvestdetect.corpus.account_fields.account_values`.
    """
    prompts = corpus.prompts
    counted = np.ones(fields.accounts, bool) if fields.first is None else fields.first == np.arange(fields.accounts)
    created = creation_times(account_times(prompts), has_fields=bool(fields.fields), counted=counted)
    return rare_links(fields, created, links_by_id(prompts.accounts.to_pylist(), counted))


def infrastructure_groups(
    corpus: Corpus,
    features: sparse.csr_matrix,
    fields: AccountFields,
    links: Links,
    *,
    min_accounts: int,
    seed: int,
    log_p: float,
) -> list[AccountGroup]:
    """Groups of accounts that share rare values or sign-ups and write alike, the largest first.

    Args:
        corpus: of p prompts.
        features: sparse [p, c], which prompt has which features: cells of the wording space and shared pieces.
        fields: of the accounts.
        links: see :func:`links_between`.
        min_accounts: fewest accounts of a group. Half as many must be linked.
        seed: of the accounts that are drawn and of the shuffles.
        log_p: features are one group if chance is less likely (natural logarithm), as clusters are linked.

    Returns:
        nothing where no account has a field or a sign-up.
    """
    prompts = corpus.prompts
    if not len(links.first):
        return []
    row = np.flatnonzero(first_rows(prompts))
    account = prompts.account[row].astype(np.int64)
    requests = features[row]
    use = use_of(requests, account, fields.accounts)
    hot = hot_features(use, links, seed=seed)
    if not len(hot):
        return []
    inputs = growth_inputs(use, links, requests, account)
    found: list[GrownGroup] = []
    for group in feature_groups(use, links, hot, log_p=log_p):
        if len(group) == 1 and _is_part(use, group, found):
            continue
        grown = grow(inputs, group)
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


def _is_part(use: Use, feature: Ints, groups: list[GrownGroup]) -> bool:
    """Whether nearly all accounts of a single feature are in one of some groups: it would grow to much the same."""
    users = use.has[:, feature].tocoo().row
    return any(np.isin(users, one.accounts).mean() >= NEARLY_ALL for one in groups)


def _distinct(groups: list[GrownGroup], *, min_accounts: int) -> list[GrownGroup]:
    """The groups without the accounts of those linked more closely, unless half of their accounts would be lost."""
    kept: list[GrownGroup] = []
    taken = np.empty(0, np.int64)
    for one in sorted(groups, key=lambda g: (-g.excess, g.accounts.tolist())):
        free = ~np.isin(one.accounts, taken)
        if free.sum() >= max(MOST * len(free), min_accounts):
            kept.append(one)
            taken = np.union1d(taken, one.accounts)
    return kept
