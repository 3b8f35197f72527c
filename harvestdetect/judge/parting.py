"""Parts a candidate that holds two populations: a campaign behind a popular framework, and the framework's users.

The template of a candidate cannot tell the two apart, but what its accounts send can: users have data and subjects of
their own, while the accounts of a campaign are dealt one list. The accounts with the least subjects of their own are
the prototypes, and the model of members (:mod:`harvestdetect.judge.member_model`) says which accounts are like them.
Those become a candidate beside the whole, and both are measured and judged like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from harvestdetect.campaign.form import kept_members
from harvestdetect.campaign.membership import MIN_MEMBERSHIP
from harvestdetect.data import Campaign
from harvestdetect.evidence.account_data import AccountData, account_prompts
from harvestdetect.evidence.account_readings import ACCOUNT_READINGS, account_readings
from harvestdetect.judge.member_model import MemberModel, mixture
from harvestdetect.util.amounts import EXCEPTIONAL, NEARLY_ALL
from harvestdetect.util.arrays import Bools, Floats

__all__ = ["populations_of"]

PROTOTYPES: Final = 0.4
"""Share of the accounts, those with the least subjects of their own, that all are compared with. Chosen: with half of
them, framework users were parted as a campaign in a world of programs."""
LEAST_GAIN: Final = 0.2
"""Bits for each account by which two populations must explain the accounts better than one does. Chosen."""
NEXT_TO_NO_WEIGHT: Final = 1e-3
"""Weight of an account that others are not compared with."""
EVEN: Final = (1.0, 1.0)
"""Members and innocents that count as seen beforehand: both populations may be of one size."""
OWN_SUBJECT: Final = [reading.id for reading in ACCOUNT_READINGS].index("own_subject")
"""Place of the reading that comes first."""


def populations_of(
    campaigns: Sequence[Campaign], data: AccountData, model: MemberModel, *, min_accounts: int
) -> list[Campaign]:
    """The more campaign-like population of each candidate that holds two, at most one of each.

    Args:
        campaigns: the candidates.
        data: of the scan.
        model: of members.
        min_accounts: fewest accounts of a campaign.

    Returns:
        of each such candidate, the accounts with the least subjects of their own, as a candidate; in their order.
    """
    found = []
    for campaign in campaigns:
        if len(campaign.accounts) >= 2 * min_accounts:
            population = _population(campaign, data, model, least=min_accounts)
            if population is not None:
                found.append(kept_members(campaign, population, account=data.account))
    return found


def _population(campaign: Campaign, data: AccountData, model: MemberModel, *, least: int) -> Bools | None:
    """Which accounts are of one population: bool[m]; None where there is only one."""
    count = len(campaign.accounts)
    own = ACCOUNT_READINGS[OWN_SUBJECT].take(account_prompts(campaign, np.ones(count), data), data)
    bits = model.curves[OWN_SUBJECT].of(own)
    if (bits > 0).sum() < least or (bits < 0).sum() < EXCEPTIONAL * count:
        return None
    own = np.where(np.isfinite(own), own, np.nanmedian(own))
    prototypes = np.maximum(own >= np.quantile(own, 1 - PROTOTYPES), NEXT_TO_NO_WEIGHT)
    total = model.offset + model.bits(account_readings(campaign, prototypes, data)).sum(axis=1)
    posterior = mixture(total, EVEN)
    part: Bools = posterior >= MIN_MEMBERSHIP
    if not least <= part.sum() <= NEARLY_ALL * count or _gain(total, float(posterior.mean())) < LEAST_GAIN:
        return None
    return part


def _gain(total: Floats, share: float) -> float:
    """Bits for each account by which a mixture explains the accounts better than members alone, or innocents alone.

    Args:
        total: float64[m], bits for membership.
        share: of members in the mixture.
    """
    share = min(max(share, 1 / (2 * len(total))), 1 - 1 / (2 * len(total)))
    mixed = np.logaddexp2(np.log2(share) + total, np.log2(1 - share))
    return float(mixed.mean()) - max(float(total.mean()), 0.0)
