"""How surely each account of a finding is a member: a posterior from its own evidence.

Each reading of an account (:mod:`harvestdetect.evidence.account_readings`) has a curve that turns it into bits: the
binary logarithm of how many times as often members show the value as innocent accounts of the same candidates do
(Fellegi and Sunter 1969). A monotone curve, clipped and shrunk towards 0 where data are few, and a weight were fitted
to each on worlds of real texts and times by ``python -m benchmarks.fit_members``. What is unknown contributes nothing.

The bits of an account add up. A candidate is a mixture of members and innocents, whose densities are those of the
curves; the share of members is its own, fitted by expectation-maximisation with a beta prior. So a candidate all of
whose accounts are alike keeps them, and one that holds two populations is parted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np

from harvestdetect.accounts.chains import is_chain
from harvestdetect.campaign.form import kept_members
from harvestdetect.campaign.membership import MIN_MEMBERSHIP
from harvestdetect.data import Campaign
from harvestdetect.errors import InputError
from harvestdetect.evidence.account_data import AccountData
from harvestdetect.evidence.account_readings import ACCOUNT_READINGS, account_readings
from harvestdetect.judge.verdict import Judged
from harvestdetect.util.arrays import Bools, Floats, Ints32

__all__ = [
    "MOST_BITS",
    "Curve",
    "MemberModel",
    "Memberships",
    "bits_of",
    "mixture",
    "model_digest",
    "model_of",
    "shipped",
    "with_members",
]

FORMAT: Final = "harvestdetect-members"
"""Value of ``format`` in the file."""
VERSION: Final = 1
"""Version of the file."""
MOST_BITS: Final = 4.0
"""Most bits for or against that a reading counts before its weight. Chosen."""
ROUNDS: Final = 100
"""Most steps of expectation-maximisation of the share of members."""
SETTLED: Final = 1e-5
"""The share of members is found when a step changes it by less."""
LIMIT: Final = 500.0
"""Most bits of an account, so that powers stay finite."""
MENTIONED_BITS: Final = 1.0
"""Bits from which a reading is mentioned among the reasons. It decides nothing. Chosen."""
MOST_CLAUSES: Final = 3
"""Readings for, and readings against an account, that are mentioned at most."""
SHIPPED: Final = "harvestdetect/judge/members.json"
"""Name of the shipped file in messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
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

    curves: tuple[Curve, ...]
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
        return [
            f"{reading.innocent if against else reading.member} ({-own[i] if against else own[i]:+.1f} bits)"
            for i, reading in ((i, ACCOUNT_READINGS[i]) for i in order.tolist())
            if own[i] >= MENTIONED_BITS
        ]


def with_members(judged: Judged, data: AccountData, *, min_accounts: int) -> tuple[Judged, list[Memberships | None]]:
    """The candidates, of which findings have the membership of each account from its own evidence.

    An account of a finding with a membership below :data:`~harvestdetect.campaign.membership.MIN_MEMBERSHIP` goes to
    those outside, unless fewer than ``min_accounts`` would remain. A chain over time keeps all: the readings compare an
    account with the other ones, and the pieces of a chain differ from one another. Candidates that are no findings stay
    as they are: a posterior within a campaign says nothing where there is none.

    Args:
        judged: all candidates of a scan.
        data: of the scan.
        min_accounts: fewest accounts of a campaign.

    Returns:
        the candidates, and for each the evidence on its accounts; None where it is no finding.
    """
    campaigns: list[Campaign] = list(judged.campaigns)
    evidence: list[Memberships | None] = [None] * len(campaigns)
    model = shipped()
    for i, judgement in enumerate(judged.judgements):
        if judgement.tier is None:
            continue
        bits = bits_of(campaigns[i], data, model)
        posterior = model.posterior(bits)
        stay: Bools = posterior >= MIN_MEMBERSHIP
        if stay.sum() < min_accounts or is_chain(campaigns[i]):
            stay = np.ones(len(stay), bool)
        campaigns[i] = kept_members(replace(campaigns[i], membership=posterior), stay, account=data.account)
        evidence[i] = Memberships(accounts=judged.campaigns[i].accounts, bits=bits, cut=model.cut)
    return replace(judged, campaigns=campaigns), evidence


def bits_of(campaign: Campaign, data: AccountData, model: MemberModel) -> Floats:
    """The bits of each account and reading: float64[m, r]."""
    return model.bits(account_readings(campaign, np.ones(len(campaign.accounts)), data))


# ---------------------------------------------------------------- the file


@cache
def shipped() -> MemberModel:
    """The model of the package.

    Raises:
        InputError: the file is damaged.
    """
    try:
        text = files("harvestdetect.judge").joinpath("members.json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{SHIPPED} cannot be read: {error}; install the package again") from None
    return model_of(text)


def model_digest(table: Mapping[str, Any]) -> str:
    """The digest of a file's table: of all that it holds but the digest itself."""
    plain = {name: value for name, value in table.items() if name != "digest"}
    return hashlib.blake2b(json.dumps(plain, sort_keys=True).encode("ascii"), digest_size=16).hexdigest()


def model_of(text: str, *, name: str = SHIPPED) -> MemberModel:
    """The model of a file that ``benchmarks.fit_members`` wrote.

    Args:
        text: of the file.
        name: of the file, for messages.

    Raises:
        InputError: it is no such file, or damaged, or of other readings.
    """
    try:
        table = json.loads(text)
    except ValueError as error:
        raise _damaged(name, f"it is no JSON ({error})") from None
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        raise _damaged(name, f"its format is not {FORMAT}")
    if table.get("version") != VERSION:
        raise _damaged(name, f"its version is {table.get('version')!r}, not {VERSION}")
    if table.get("digest") != model_digest(table):
        raise _damaged(name, "its digest is not that of its table")
    return _checked(table, name)


def _checked(table: Mapping[str, Any], name: str) -> MemberModel:
    """The model of a table whose digest is right."""
    curves = table.get("curves")
    if not isinstance(curves, list) or [c.get("id") if isinstance(c, dict) else None for c in curves] != [
        reading.id for reading in ACCOUNT_READINGS
    ]:
        raise _damaged(name, "its curves are not those of the readings")
    prior = _numbers(table.get("prior"), "prior", name)
    offset, cut = _numbers([table.get("offset"), table.get("cut")], "offset and cut", name).tolist()
    if len(prior) != 2 or prior.min() <= 0 or not MIN_MEMBERSHIP <= cut < 1:
        raise _damaged(name, "prior must be two positive numbers, and cut a membership")
    return MemberModel(
        curves=tuple(_curve(curve, name) for curve in curves),
        offset=offset,
        prior=(float(prior[0]), float(prior[1])),
        cut=cut,
    )


def _curve(curve: Mapping[str, Any], name: str) -> Curve:
    what = f"the curve of {curve['id']}"
    at, bits = (_numbers(curve.get(column), what, name) for column in ("at", "bits"))
    weight = float(_numbers([curve.get("weight")], what, name)[0])
    if len(at) != len(bits) or not len(at) or weight < 0:
        raise _damaged(name, f"{what} must have as many values as bits, and a weight of 0 or more")
    if (np.diff(at) <= 0).any() or (np.diff(bits) < 0).any() or np.abs(bits).max() > MOST_BITS:
        raise _damaged(name, f"{what} must rise, within {MOST_BITS:g} bits")
    return Curve(id=curve["id"], weight=weight, at=at, bits=bits)


def _numbers(values: Any, what: str, name: str) -> Floats:
    """Finite numbers of a table: float64[n]."""
    if not isinstance(values, list) or any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
        raise _damaged(name, f"{what} must be numbers")
    found = np.asarray(values, np.float64)
    if not np.isfinite(found).all():
        raise _damaged(name, f"{what} must be finite")
    return found


def _damaged(name: str, why: str) -> InputError:
    return InputError(f"{name} is damaged: {why}; install the package again")
