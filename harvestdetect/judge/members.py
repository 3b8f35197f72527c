"""How surely each account of a finding is a member: a posterior from its own evidence, by a model of members."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from harvestdetect.accounts.chains import is_chain
from harvestdetect.campaign.form import kept_members
from harvestdetect.campaign.membership import MIN_MEMBERSHIP
from harvestdetect.data import Campaign
from harvestdetect.evidence.account_data import AccountData
from harvestdetect.evidence.account_readings import ACCOUNT_READINGS, account_readings
from harvestdetect.judge.member_model import MemberModel
from harvestdetect.judge.resolve import Judged
from harvestdetect.util.arrays import Bools, Floats, Ints32

__all__ = ["Memberships", "with_members"]

LEAST_MENTIONED: Final = 1.0
"""Bits from which a reading is mentioned among the reasons. It decides nothing. Chosen."""
MOST_CLAUSES: Final = 3
"""Readings for, and readings against an account, that are mentioned at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memberships:
    """The evidence on the accounts of one finding."""

    accounts: Ints32
    """int32[m], ascending: those that were judged, also those that are no members."""
    bits: Floats
    """float64[m, r]: of each account and each reading, weighted."""
    cut: float
    """See :attr:`MemberModel.cut`."""

    def knows(self, account: int) -> bool:
        """Whether an account was judged."""
        place = int(np.searchsorted(self.accounts, account))
        return place < len(self.accounts) and int(self.accounts[place]) == account

    def clauses(self, account: int, *, against: bool) -> list[str]:
        """The readings that speak most for or against the membership of an account, in clauses with their bits.

        Args:
            account: its number, of one that was judged.
            against: whether those against it, or those for it.
        """
        own = self.bits[int(np.searchsorted(self.accounts, account))]
        own = -own if against else own
        order = np.argsort(-own, kind="stable")[:MOST_CLAUSES]
        named = [(ACCOUNT_READINGS[i], float(own[i])) for i in order.tolist() if own[i] >= LEAST_MENTIONED]
        return [
            f"{reading.innocent} ({-bits:+.1f} bits)" if against else f"{reading.member} ({bits:+.1f} bits)"
            for reading, bits in named
        ]


def with_members(
    judged: Judged, data: AccountData, model: MemberModel, *, min_accounts: int
) -> tuple[Judged, list[Memberships | None]]:
    """The candidates, of which findings have the membership of each account from its own evidence.

    An account of a finding with a membership below :data:`~harvestdetect.campaign.membership.MIN_MEMBERSHIP` goes to
    those outside, unless fewer than ``min_accounts`` would remain. A chain over time keeps all: the readings compare an
    account with the other ones, and the pieces of a chain differ from one another. Candidates that are no findings stay
    as they are: a posterior within a campaign says nothing where there is none.

    Args:
        judged: all candidates of a scan.
        data: of the scan.
        model: of members.
        min_accounts: fewest accounts of a campaign.

    Returns:
        the candidates, and for each the evidence on its accounts; None where it is no finding.
    """
    campaigns: list[Campaign] = list(judged.campaigns)
    evidence: list[Memberships | None] = [None] * len(campaigns)
    for i, judgement in enumerate(judged.judgements):
        if judgement.tier is None:
            continue
        bits = _bits_of(campaigns[i], data, model)
        posterior = model.posterior(bits)
        stay: Bools = posterior >= MIN_MEMBERSHIP
        if stay.sum() < min_accounts or is_chain(campaigns[i]):
            stay = np.ones(len(stay), bool)
        campaigns[i] = kept_members(replace(campaigns[i], membership=posterior), stay, account=data.account)
        evidence[i] = Memberships(accounts=judged.campaigns[i].accounts, bits=bits, cut=model.cut)
    return replace(judged, campaigns=campaigns), evidence


def _bits_of(campaign: Campaign, data: AccountData, model: MemberModel) -> Floats:
    """The bits of each account and reading: float64[m, r]."""
    return model.bits(account_readings(campaign, np.ones(len(campaign.accounts)), data))
