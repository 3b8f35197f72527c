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
from harvestdetect.accounts.profiles import Profiles, PromptColumns
from harvestdetect.cluster.distances import shared_distance, shared_length
from harvestdetect.cluster.selection import select_by_cohesion
from harvestdetect.cluster.tree import build_tree
from harvestdetect.data import Neighbors
from harvestdetect.neighbors.search import chord_distance, nearest
from harvestdetect.util.arrays import Ints32, unique

__all__ = ["Alike", "alike", "nearest_profiles"]

NEIGHBORS: Final = 20
"""Nearest profiles in a list. Chosen."""
PROJECTED: Final = 256
"""Dimensions to which profiles are projected for the search."""
SEARCHED: Final = 3
"""Times as many profiles as are wanted that are found in the projection and then compared exactly."""
PROFILES_AT_ONCE: Final = 8_192
"""Profiles that are projected or compared at a time."""
LEAST_COHESION: Final = 0.6
"""Least share of the nearest profiles of a group's profiles that are in the group. Chosen."""
CHARACTERISTIC: Final = 0.1
"""Least share of a group's accounts that have a column that is characteristic of the group. Chosen."""
LIFT: Final = 4.0
"""How many times as common such a column is in the group as among all accounts, at least. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """The groups of one layer of profiles."""

    neighbors: Neighbors
    """Of the profiles."""
    groups: list[AccountGroup]
    """Best first."""


def alike(profiles: Profiles, columns: PromptColumns, *, min_accounts: int, threads: int, seed: int) -> Alike:
    """The groups of alike profiles, as accounts and the prompts that make them alike.

    Args:
        profiles: of accounts, or of topics of accounts.
        columns: of the prompts.
        min_accounts: fewest accounts of a group.
        threads: 0 takes all cores.
        seed: of the projection.
    """
    near = nearest_profiles(profiles, threads=threads, seed=seed)
    count = len(profiles.account)
    if count <= min_accounts:
        return Alike(neighbors=near, groups=[])
    tree = build_tree(
        near,
        core=np.zeros(count, np.float32),
        distance=shared_distance(near),
        floor=shared_length(NEIGHBORS, NEIGHBORS),
        cap=shared_length(2, NEIGHBORS),
        min_cluster_size=min_accounts,
    )
    groups = []
    for points, cohesion in select_by_cohesion(tree, near, least=min_accounts):
        if cohesion >= LEAST_COHESION:
            group = _group(points, cohesion, profiles, columns)
            if len(group.accounts) >= min_accounts:
                groups.append(group)
    return Alike(neighbors=near, groups=groups)


def nearest_profiles(profiles: Profiles, *, threads: int, seed: int) -> Neighbors:
    """The nearest profiles of each: found in a random projection, then compared by the cosine of the whole rows.

    Inner products of a random projection to d dimensions are accurate to about 1 / sqrt(d) (Johnson and Lindenstrauss
    1984), so :data:`SEARCHED` times as many are found as are wanted. Profiles without a column in common are no
    neighbours.

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
    found = nearest(short, k=SEARCHED * NEIGHBORS, threads=threads, seed=seed).index
    index = np.full((count, NEIGHBORS), -1, np.int32)
    distance = np.full((count, NEIGHBORS), np.inf, np.float32)
    for start in range(0, count, PROFILES_AT_ONCE):
        part = slice(start, start + PROFILES_AT_ONCE)
        near = found[part]
        cosine = np.zeros(near.shape, np.float32)
        for place in range(near.shape[1]):
            cosine[:, place] = np.asarray(weights[part].multiply(weights[near[:, place]]).sum(axis=1)).ravel()
        cosine[near < 0] = 0
        order = np.lexsort((near, -cosine), axis=1)[:, :NEIGHBORS]
        best = np.take_along_axis(cosine, order, axis=1)
        index[part] = np.where(best > 0, np.take_along_axis(near, order, axis=1), -1)
        distance[part] = np.where(best > 0, chord_distance(best), np.inf)
    return Neighbors(index=index, distance=distance)


def _group(points: Ints32, cohesion: float, profiles: Profiles, columns: PromptColumns) -> AccountGroup:
    """The accounts of some points, with those of their prompts that have a column characteristic of the group."""
    prompts = np.sort(profiles.prompts[points].indices)
    used = columns.matrix[prompts]
    accounts = unique(columns.account[prompts])
    share = columns.users_among(prompts) / len(accounts)
    typical = (share >= CHARACTERISTIC) & (share >= LIFT * columns.users / columns.accounts)
    prompts = prompts[np.asarray(used @ typical.astype(np.float32)).ravel() > 0].astype(np.int32)
    return AccountGroup(
        way="accounts",
        accounts=unique(columns.account[prompts]),
        prompts=prompts,
        cohesion=cohesion,
        least_prompts=profiles.least_prompts,
    )
