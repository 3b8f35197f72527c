"""Accounts that are alike: HDBSCAN over profiles.

Two profiles are near each other if their lists of nearest profiles have much in common (shared nearest neighbours,
Jarvis and Patrick 1973). This distance has no scale, so one tree finds a campaign whose accounts send little else, and
one that hides among the other requests of its accounts. The nodes of the tree are chosen by how much their members keep
to themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.accounts.products import pair_products, row_products
from harvestdetect.accounts.profiles import Profiles, PromptFeatures
from harvestdetect.cluster.distances import shared_distance, shared_length
from harvestdetect.cluster.selection import select_by_cohesion
from harvestdetect.cluster.tree import build_tree
from harvestdetect.data import Neighbors
from harvestdetect.neighbors.partition import over_all
from harvestdetect.neighbors.search import chord_distance, nearest, thread_pool
from harvestdetect.util.amounts import EXCEPTIONAL, MOST
from harvestdetect.util.arrays import Floats32, Ints32, packed_pairs, unique

__all__ = ["Alike", "Likeness", "alike", "compared", "with_rarer_features"]

NEIGHBORS: Final = 20
"""Nearest profiles in a list. Chosen."""
PROJECTED: Final = 256
"""Dimensions to which profiles are projected for the search."""
SEARCHED: Final = 3
"""Times as many profiles as are wanted that are found in the projection and then compared exactly."""
PROFILES_AT_ONCE: Final = 8_192
"""Profiles that are projected or compared at a time."""
LIFT: Final = 4.0
"""Smallest ratio of a feature's share in the group to its share among all accounts. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """The groups of one layer of profiles."""

    neighbors: Neighbors
    """Of the profiles."""
    groups: list[AccountGroup]
    """Best first."""
    small: list[AccountGroup]
    """Groups that may be smaller, best first, also by features that too few accounts have for a group of the others."""


def alike(
    profiles: Profiles, features: PromptFeatures, *, min_accounts: int, few: int | None = None, threads: int, seed: int
) -> Alike:
    """The groups of alike profiles, as accounts and the prompts that make them alike.

    Args:
        profiles: of accounts, or of topics of accounts.
        features: of the prompts.
        min_accounts: fewest accounts of a group.
        few: fewest accounts of a small group; None means that none are wanted.
        threads: 0 takes all cores.
        seed: of the projection.
    """
    likeness = compared(profiles, threads=threads, seed=seed)
    near = likeness.neighbors
    groups = _groups(near, profiles, features, least=min_accounts)
    small = []
    if few is not None:
        small = _groups(with_rarer_features(likeness, profiles).neighbors, profiles, features, least=few)
    return Alike(neighbors=near, groups=groups, small=small)


def _groups(near: Neighbors, profiles: Profiles, features: PromptFeatures, *, least: int) -> list[AccountGroup]:
    """The groups of at least so many accounts, best first."""
    count = len(profiles.account)
    if count <= least:
        return []
    tree = build_tree(
        near,
        core=np.zeros(count, np.float32),
        distance=shared_distance(near),
        floor=shared_length(NEIGHBORS, NEIGHBORS),
        cap=shared_length(2, NEIGHBORS),
        min_cluster_size=least,
    )
    groups = []
    for points, cohesion in select_by_cohesion(tree, near, least=least):
        if cohesion >= MOST:
            group = _group(points, profiles, features)
            if len(group.accounts) >= least:
                groups.append(group)
    return groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """For each of r profiles, others that are alike."""

    index: Ints32
    """int32[r, k]: the most alike first; -1 where there is none."""
    cosine: Floats32
    """float32[r, k]: 0 where there is none, or no feature in common."""

    @property
    def neighbors(self) -> Neighbors:
        """The :data:`NEIGHBORS` nearest profiles of each. Those without a feature in common are no neighbours."""
        index, cosine = self.index[:, :NEIGHBORS], self.cosine[:, :NEIGHBORS]
        known = cosine > 0
        return Neighbors(
            index=np.where(known, index, np.int32(-1)),
            distance=np.where(known, chord_distance(cosine), np.float32(np.inf)),
        )


def compared(profiles: Profiles, *, threads: int, seed: int) -> Likeness:
    """Profiles that are near in a random projection, compared by the cosine of the whole rows.

    Inner products of a random projection to d dimensions are accurate to about 1 / sqrt(d) (Johnson and Lindenstrauss
    1984), so :data:`SEARCHED` times as many are found as neighbours are wanted.

    Args:
        profiles: of r points.
        threads: 0 takes all cores.
        seed: of the projection.
    """
    weights = profiles.weights
    count, wide = weights.shape
    sign = np.random.default_rng(seed).integers(0, 2, (wide, PROJECTED), dtype=np.int8)
    projection = (sign.astype(np.float32) * 2 - 1) / np.float32(np.sqrt(PROJECTED))
    short = np.empty((count, PROJECTED), np.float16)
    for start in range(0, count, PROFILES_AT_ONCE):
        part = slice(start, start + PROFILES_AT_ONCE)
        short[part] = weights[part] @ projection
    index = nearest(short, k=SEARCHED * NEIGHBORS, threads=threads, seed=seed).index
    cosine = np.zeros(index.shape, np.float32)

    def compare(start: int) -> None:
        part = slice(start, start + PROFILES_AT_ONCE)
        near, found = index[part], cosine[part]
        rows = np.repeat(np.arange(start, start + len(near)), near.shape[1])
        found[...] = pair_products(weights, rows, near.ravel()).reshape(near.shape)
        found[near < 0] = 0
        near[...], found[...] = _best_first(near, found)

    with thread_pool(threads, codes=False) as pool:
        over_all(pool, compare, range(0, count, PROFILES_AT_ONCE))
    return Likeness(index=index, cosine=cosine)


def with_rarer_features(likeness: Likeness, profiles: Profiles) -> Likeness:
    """The likeness by all features, among the profiles that were compared and those with a rarer feature in common.

    Args:
        likeness: of the profiles without rarer features.
        profiles: the same.
    """
    weights, rarer = profiles.weights, profiles.rarer
    if not rarer.nnz:
        return likeness
    index, cosine = likeness.index.copy(), likeness.cosine.copy()
    has_weights = weights.getnnz(axis=1) > 0
    scale = 1 / np.sqrt(np.maximum(has_weights + row_products(rarer, rarer), 1e-12)).astype(np.float32)
    # a row is longer with its rarer features, so all cosines with it are smaller
    shorter = np.flatnonzero((scale[index] != 1).any(axis=1))
    for start in range(0, len(shorter), PROFILES_AT_ONCE):
        rows = shorter[start : start + PROFILES_AT_ONCE]
        index[rows], cosine[rows] = _best_first(index[rows], cosine[rows] * (scale[index[rows]] * scale[rows][:, None]))
    others = rarer.T.tocsr()
    owners = np.flatnonzero(rarer.getnnz(axis=1))
    for start in range(0, len(owners), PROFILES_AT_ONCE):
        rows = owners[start : start + PROFILES_AT_ONCE]
        both = (rarer[rows] @ others).tocoo()
        place, other = both.row, both.col
        value = (pair_products(weights, rows[place], other) + both.data) * scale[rows[place]] * scale[other]
        itself = rows[place] == other
        index[rows], cosine[rows] = _merged(
            index[rows], cosine[rows], place[~itself], other[~itself].astype(np.int32), value[~itself]
        )
    return Likeness(index=index, cosine=cosine)


def _merged(index: Ints32, cosine: Floats32, place: Ints32, other: Ints32, value: Floats32) -> tuple[Ints32, Floats32]:
    """The best of lists and of further pairs, which take precedence.

    Args:
        index: int32[r, k].
        cosine: float32[r, k].
        place: int32[m], rows of the lists.
        other: int32[m], what is paired with them; no pair occurs twice.
        value: float32[m], the cosine of each pair.

    Returns:
        lists of the same shape, best first.
    """
    count, wide = index.shape
    row = np.repeat(np.arange(count), wide)
    new = packed_pairs(place, other)
    listed = (index.ravel() >= 0) & ~np.isin(packed_pairs(row, np.maximum(index.ravel(), 0)), new)
    row = np.concatenate((row[listed], place))
    near = np.concatenate((index.ravel()[listed], other))
    alike_as = np.concatenate((cosine.ravel()[listed], value))
    order = np.lexsort((near, -alike_as, row))
    row = row[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    kept = rank < wide
    index, cosine = np.full_like(index, -1), np.zeros_like(cosine)
    index[row[kept], rank[kept]] = near[order][kept]
    cosine[row[kept], rank[kept]] = alike_as[order][kept]
    return index, cosine


def _best_first(index: Ints32, cosine: Floats32) -> tuple[Ints32, Floats32]:
    """Lists in the order of their cosines; of equal ones the lower row is first."""
    order = np.lexsort((index, -cosine), axis=1)
    return np.take_along_axis(index, order, axis=1), np.take_along_axis(cosine, order, axis=1)


def _group(points: Ints32, profiles: Profiles, features: PromptFeatures) -> AccountGroup:
    """The accounts of some points, with those of their prompts that have a feature characteristic of the group."""
    prompts = np.sort(profiles.prompts[points].indices)
    used = features.matrix[prompts]
    accounts = unique(features.account[prompts])
    share = features.users_among(prompts) / len(accounts)
    typical = (share >= EXCEPTIONAL) & (share >= LIFT * features.users / features.accounts)
    prompts = prompts[np.asarray(used @ typical.astype(np.float32)).ravel() > 0].astype(np.int32)
    return AccountGroup(
        way="accounts",
        accounts=unique(features.account[prompts]),
        prompts=prompts,
        least_prompts=profiles.least_prompts,
    )
