"""Accounts that are alike: HDBSCAN over profiles.

Two profiles are near each other if their lists of nearest profiles have much in common (shared nearest neighbours,
Jarvis and Patrick 1973). This distance has no scale, so a campaign whose accounts send little else and one that hides
in the accounts' other requests are found in one tree. The nodes of the tree are chosen by how much their members keep
to themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.accounts.profiles import Profiles, PromptColumns
from harvestdetect.cluster.distances import shared_distance, shared_length
from harvestdetect.cluster.selection import select_by_cohesion
from harvestdetect.cluster.tree import build_tree
from harvestdetect.data import Neighbors
from harvestdetect.neighbors.search import nearest
from harvestdetect.util.arrays import Ints32, unique

__all__ = ["Alike", "alike", "neighbors_of"]

NEIGHBORS: Final = 20
"""Nearest profiles in a list. Chosen."""
PROJECTED: Final = 256
"""Dimensions to which profiles are projected for the search. Chosen."""
SEARCHED: Final = 3
"""Times as many profiles as are wanted that are looked at in the projection. Chosen."""
ROWS_PER_PRODUCT: Final = 8_192
"""Profiles that are projected or compared at a time."""
LEAST_COHESION: Final = 0.6
"""Least share of the nearest profiles of a group's profiles that are in the group. Chosen."""
CHARACTERISTIC: Final = 0.1
"""Share of a group's accounts that have a column that is characteristic of it. Chosen."""
LIFT: Final = 4.0
"""How many times as common such a column is in the group as among all accounts. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Groups of a layer of profiles."""

    neighbors: Neighbors
    """Of the profiles."""
    groups: list[AccountGroup]
    """Best first."""


def neighbors_of(profiles: Profiles, *, threads: int, seed: int) -> Neighbors:
    """The nearest profiles of each: searched in a random projection, then put in order by the true cosine.

    Inner products of a random projection to d dimensions are accurate to about 1 / sqrt(d) (Johnson and Lindenstrauss
    1984), so :data:`SEARCHED` times as many are looked at.
    """
    weights = profiles.weights
    count = weights.shape[0]
    sign = np.random.default_rng(seed).integers(0, 2, (weights.shape[1], PROJECTED), dtype=np.int8)
    short = np.empty((count, PROJECTED), np.float16)
    wide = (sign.astype(np.float32) * 2 - 1) / np.float32(np.sqrt(PROJECTED))
    for start in range(0, count, ROWS_PER_PRODUCT):
        short[start : start + ROWS_PER_PRODUCT] = weights[start : start + ROWS_PER_PRODUCT] @ wide
    found = nearest(short, k=min(SEARCHED * NEIGHBORS, count - 1), threads=threads, seed=seed).index
    index = np.full((count, NEIGHBORS), -1, np.int32)
    distance = np.full((count, NEIGHBORS), np.inf, np.float32)
    for start in range(0, count, ROWS_PER_PRODUCT):
        near = found[start : start + ROWS_PER_PRODUCT]
        mine = weights[start : start + ROWS_PER_PRODUCT]
        cosine = np.empty(near.shape, np.float32)
        for place in range(near.shape[1]):
            cosine[:, place] = np.asarray(mine.multiply(weights[near[:, place]]).sum(axis=1)).ravel()
        cosine[near < 0] = -1
        order = np.lexsort((near, -cosine), axis=1)[:, :NEIGHBORS]
        kept = np.take_along_axis(cosine, order, axis=1)
        index[start : start + len(near), : order.shape[1]] = np.where(
            kept > 0, np.take_along_axis(near, order, axis=1), -1
        )
        distance[start : start + len(near), : order.shape[1]] = np.where(
            kept > 0, np.sqrt(np.maximum(2 - 2 * kept, 0)), np.inf
        )
    return Neighbors(index=index, distance=distance)


def exact_neighbors(profiles: Profiles) -> Neighbors:
    X = profiles.weights
    n = X.shape[0]
    k = NEIGHBORS
    XT = X.T.tocsr()
    idx = np.full((n, k), -1, np.int32)
    dist = np.full((n, k), np.inf, np.float32)
    for a in range(0, n, 512):
        S = (X[a : a + 512] @ XT).toarray()
        S[np.arange(S.shape[0]), np.arange(a, a + S.shape[0])] = -1
        kk = min(k, n - 1)
        p = np.argpartition(-S, kk - 1, axis=1)[:, :kk]
        v = np.take_along_axis(S, p, 1)
        o = np.argsort(-v, axis=1, kind="stable")
        idx[a : a + 512, :kk] = np.take_along_axis(p, o, 1)
        dist[a : a + 512, :kk] = np.sqrt(np.maximum(2 - 2 * np.take_along_axis(v, o, 1), 0))
    return Neighbors(index=idx, distance=dist)


def alike(
    profiles: Profiles, columns: PromptColumns, *, min_accounts: int, threads: int, seed: int, exact=False
) -> Alike:
    """The groups of alike profiles, as accounts.

    Args:
        profiles: of accounts, or of topics of accounts.
        columns: of the prompts.
        min_accounts: fewest accounts of a group.
        threads: 0 takes all cores.
        seed: of the projection.
    """
    count = len(profiles.account)
    if count <= min_accounts:
        return Alike(
            neighbors=Neighbors(index=np.empty((count, 0), np.int32), distance=np.empty((count, 0), np.float32)),
            groups=[],
        )
    near = exact_neighbors(profiles) if exact else neighbors_of(profiles, threads=threads, seed=seed)
    k = near.index.shape[1]
    tree = build_tree(
        near,
        core=np.zeros(count, np.float32),
        distance=shared_distance(near),
        floor=shared_length(k, k),
        cap=shared_length(2, k),
        min_cluster_size=max(2, min_accounts - 2),
    )
    groups = []
    for points, cohesion in select_by_cohesion(tree, near, least=min_accounts):
        if cohesion < LEAST_COHESION:
            continue
        group = _group(points, cohesion, profiles, columns, min_accounts)
        if group is not None:
            groups.append(group)
    return Alike(neighbors=near, groups=groups)


def _group(
    points: Ints32, cohesion: float, profiles: Profiles, columns: PromptColumns, min_accounts: int
) -> AccountGroup | None:
    """The accounts of some points, and the prompts of the points that have a characteristic column of the group."""
    own = profiles.prompts[points]
    who = profiles.account[points]
    prompts = own.indices
    used = columns.matrix[prompts]
    accounts = unique(who)
    from scipy import sparse

    sender = np.searchsorted(accounts, columns.account[prompts])
    by_account = sparse.csr_matrix(
        (np.ones(len(prompts), np.float32), (sender, np.arange(len(prompts)))), shape=(len(accounts), len(prompts))
    )
    inside = np.bincount((by_account @ used).tocsr().indices, minlength=used.shape[1])
    share = inside / len(accounts)
    usual = columns.users / columns.accounts
    good = (share >= CHARACTERISTIC) & (inside >= min_accounts / 2) & (share >= LIFT * usual)
    kept = np.asarray(used @ good.astype(np.float32)).ravel() > 0
    prompts = np.sort(prompts[kept]).astype(np.int32)
    accounts = unique(columns.account[prompts])
    if len(accounts) < min_accounts:
        return None
    return AccountGroup(way="accounts", accounts=accounts.astype(np.int32), prompts=prompts, cohesion=cohesion)
