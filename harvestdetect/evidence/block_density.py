"""How densely the members use the candidate's clusters, after FRAUDAR."""

from __future__ import annotations

from typing import Final

import numpy as np

from harvestdetect.evidence import nulls
from harvestdetect.evidence.nulls import tail_p
from harvestdetect.evidence.observation import Observation
from harvestdetect.util.arrays import AnyInts, Floats, run_starts

__all__ = ["block_density"]


DENSITY_DRAWS: Final = 999
"""Draws of the null. Chosen, as :data:`harvestdetect.evidence.nulls.DRAWS`."""
POPULAR: Final = 5.0
"""Added to the number of accounts of a cluster before the logarithm is taken, as in FRAUDAR (Hooi et al., KDD 2016)."""


def block_density(
    account: AnyInts,
    cluster: AnyInts,
    *,
    popularity: AnyInts,
    share: Floats,
    sent: AnyInts,
    strays: int = 0,
    seed: int,
) -> Observation | None:
    """How densely the members use the candidate's clusters, after FRAUDAR (Hooi et al., KDD 2016).

    A prompt has the weight ``1 / log(accounts that use its cluster + 5)``. The density is the weight of the members'
    prompts in the candidate's clusters, per member. What a member sends elsewhere cannot lower it.

    A member is one because of its first ``strays + 1`` prompts, so only later prompts are counted; no member counts for
    more than :data:`~harvestdetect.evidence.nulls.HEAVY` times the usual number. The null keeps the number of prompts
    of each member and lets the later ones fall into clusters by their popularity. So choosing the members by their
    prompts makes no density by itself. That people come back to what interests them does.

    Args:
        account: int[q], ascending, of every prompt of the candidate; an account's prompts in the order of time.
        cluster: int[q], of the same, 0..t-1.
        popularity: int[t], accounts of the dump that use each cluster.
        share: float64[t], share of the dump's requests in each cluster.
        sent: int[a], all requests of each member.
        strays: the most prompts of an account that was left out as a stray.
        seed: of the null.

    Returns:
        None where no member sent more than it takes to be one.
    """
    starts = run_starts(account)
    each = np.diff(np.append(starts, len(account)))
    rank = np.arange(len(account)) - np.repeat(starts, each)
    beyond = np.maximum(each - strays - 1, 0)
    free = int(np.maximum(np.asarray(sent, np.int64) - strays - 1, 0).sum())
    if not beyond.any() or not free:
        return None
    most = strays + nulls.HEAVY * max(int(np.median(beyond)), 1)
    counted = (rank > strays) & (rank <= most)
    weight = 1 / np.log(np.asarray(popularity) + POPULAR)
    value = float(weight[cluster[counted]].sum()) / len(starts)
    chance = np.append(share, max(0.0, 1 - float(share.sum())))
    fallen = np.random.default_rng(seed).multinomial(free, chance / chance.sum(), DENSITY_DRAWS)[:, :-1]
    null = fallen @ weight / len(starts)
    usual = float(null.mean())
    return Observation(
        value=value,
        null="the members' prompts falling into clusters by popularity",
        expected=usual,
        p_value=tail_p(value, null),
        sentence=(
            f"Besides the prompts that made them members, {len(starts):,} accounts sent "
            f"{counted.sum() / len(starts):.1f} prompts each into its "
            f"{'cluster' if len(share) == 1 else f'{len(share):,} clusters'}. This is a density of {value:.2f}, in "
            "which popular clusters count less; it would be "
            f"{usual:.2f} if prompts fell into clusters by their popularity."
        ),
    )
