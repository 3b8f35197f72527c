"""The model of members: how surely each account of a candidate is one, from readings of the account.

Each reading (:mod:`harvestdetect.evidence.account_readings`) has a curve that turns it into bits: the binary logarithm
of how many times as often members show the value as innocent accounts of the same candidates do (Fellegi and Sunter
1969). A monotone curve, clipped and shrunk towards 0 where data are few, and a weight were fitted to each on worlds of
real texts and times by ``python -m benchmarks.fit_members``. What is unknown contributes nothing.

The bits of an account add up. A candidate is a mixture of members and innocents, whose densities are those of the
curves; the share of members is its own, fitted by expectation-maximisation with a beta prior. So a candidate all of
whose accounts are alike keeps them, and one that holds two populations is parted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.util.arrays import Floats

__all__ = ["MOST_BITS", "MemberCurve", "MemberModel", "mixture"]

MOST_BITS: Final = 4.0
"""Most bits for or against that a reading counts before its weight. Chosen."""
ROUNDS: Final = 100
"""Most steps of expectation-maximisation of the share of members."""
SETTLED: Final = 1e-5
"""The share of members is found when a step changes it by less."""
LIMIT: Final = 500.0
"""Most bits of an account, so that powers stay finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCurve:
    """From the value of one reading to bits: linear between points, constant beyond them."""

    id: str
    """Of the reading."""
    weight: float
    """Factor on the bits, 0 or more."""
    at: Floats
    """float64[k], ascending: values of the reading."""
    bits: Floats
    """float64[k], not descending: bits at these values."""

    def of(self, values: Floats) -> Floats:
        """The weighted bits of some values; 0 for NaN."""
        known = np.isfinite(values)
        found = np.interp(np.where(known, values, 0.0), self.at, self.bits)
        return np.asarray(np.where(known, self.weight * found, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberModel:
    """A fitted model of members and innocents of a candidate."""

    curves: tuple[MemberCurve, ...]
    """One for each of :data:`~harvestdetect.evidence.account_readings.ACCOUNT_READINGS`, in their order."""
    offset: float
    """Bits that every account has beside its readings."""
    prior: tuple[float, float]
    """Members and innocents that count as seen in every candidate before its own accounts."""
    cut: float
    """Membership from which a member of a finding at ``review`` or above is recommended for action."""

    def bits(self, readings: Floats) -> Floats:
        """The bits of each reading: float64[m, r] of float64[m, r]."""
        return np.stack([curve.of(readings[:, i]) for i, curve in enumerate(self.curves)], axis=1)

    def posterior(self, bits: Floats) -> Floats:
        """The probability that each account of a candidate is a member.

        Args:
            bits: float64[m, r], of the readings of its accounts.

        Returns:
            float64[m].
        """
        return mixture(self.offset + bits.sum(axis=1), self.prior)


def mixture(bits: Floats, prior: tuple[float, float]) -> Floats:
    """The probability that each account is a member, where the share of members is that of the accounts themselves.

    Args:
        bits: float64[m]: how much more likely each account is among members than among innocents.
        prior: see :attr:`MemberModel.prior`.

    Returns:
        float64[m].
    """
    ratio = np.exp2(-np.clip(bits, -LIMIT, LIMIT))
    members, innocents = prior
    share = members / (members + innocents)
    found = 1 / (1 + ratio * (1 - share) / share)
    for _ in range(ROUNDS):
        before, share = share, float((members + found.sum()) / (members + innocents + len(found)))
        found = 1 / (1 + ratio * (1 - share) / share)
        if abs(share - before) < SETTLED:
            break
    return np.asarray(found)
