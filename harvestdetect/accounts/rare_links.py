"""Which accounts share rare values, or were created almost together.

A pair of accounts counts by how many partners of that kind an account has by chance: those with which it shares a value
that as few have. So a popular value weighs nothing, and any number of popular values besides lowers nothing, as in
FRAUDAR (Hooi et al., KDD 2016). Fields that are independent of one another multiply. The rarity of values is that of
the dump, as in a TF-IDF of values (Pacheco et al., ICWSM 2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harvestdetect.accounts.id_links import NO_NUMBER, IdLinks
from harvestdetect.corpus.account_fields import AccountField, AccountFields
from harvestdetect.data import NO_TIME
from harvestdetect.util.arrays import Floats, Ints, packed_pairs, ranges, unique
from harvestdetect.util.periods import DAY

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["PARTNERS", "Links", "rare_links"]

PARTNERS: Final = 3.0
"""Two accounts are linked if chance gives an account at most this number of partners with which it shares values
as rare. Chosen."""
KINDS: Final[Mapping[str, str]] = {
    "ip": "network",
    "network": "network",
    "asn": "network",
    "api_key": "key",
    "payment": "payment",
    "email_domain": "mail",
    "mailbox": "id",
    "series": "id",
}
"""Fields that say the same thing count once, with the rarest value. The client is left out: it comes with the text, as
with the customers of a product, so it is no second witness."""
COARSE: Final = ("asn",)
"""Fields whose values a country or a trade has in common: they count only besides another."""
FOLLOWING: Final = 16
"""Later sign-ups with which each is compared, at most."""
AROUND: Final = 64
"""Sign-ups before and after one from which the rate at its time is computed. Chosen."""
HOURS: Final = 24
"""Hours of a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Pairs of accounts that share rare values or were created almost together."""

    accounts: int
    """The number of all accounts."""
    first: Ints
    """int64[l]."""
    second: Ints
    """int64[l], greater than ``first``; no pair occurs twice."""
    partners: Floats
    """float64[l]: partners like this one that an account has by chance."""

    def matrix(self) -> sparse.csr_matrix:
        """float64[a, a], symmetric: 1 for each pair."""
        from scipy import sparse

        ones = np.ones(len(self.first))
        half = sparse.coo_matrix((ones, (self.first, self.second)), shape=(self.accounts, self.accounts)).tocsr()
        return (half + half.T).tocsr()


def rare_links(fields: AccountFields, created: Ints, ids: IdLinks | None = None) -> Links:
    """The pairs of accounts that share rare values or were created almost together.

    The work is linear in the accounts: a value is looked at only if an account has few partners by values as rare.

    Args:
        fields: of the dump.
        created: int64[a], seconds or NO_TIME, see :func:`harvestdetect.corpus.creation_times.creation_times`.
        ids: what the ids of accounts have in common, if that is known.
    """
    count = fields.accounts
    used = {name: field for name, field in fields.fields.items() if name in KINDS} | ({} if ids is None else ids.fields)
    close = [_created_together(created)]
    if ids is not None:
        close.append(_adjacent(ids.number))
    by_value = [_sharing(field) for name, field in used.items() if name not in COARSE]
    found = unique(np.concatenate([*(pairs for pairs, _ in close), *by_value]))
    first, second = found >> 32, found & 0xFFFFFFFF
    weight: dict[str, Floats] = {}
    for name, field in used.items():
        shared = _rarity(field, count, first, second)
        weight[KINDS[name]] = np.maximum(weight.get(KINDS[name], 0.0), shared)
    total = np.zeros(len(found))
    for pairs, near in close:  # numbers are given in the order of sign-ups
        place = np.searchsorted(found, pairs)
        total[place] = np.maximum(total[place], np.log(count / np.minimum(near, count)))
    for one in weight.values():
        total += one
    partners = count * np.exp(-total)
    kept = partners <= PARTNERS
    return Links(accounts=count, first=first[kept], second=second[kept], partners=partners[kept])


def _partners(field: AccountField) -> Floats:
    """For each value: how many partners an account has with which it shares a value that as few or fewer have."""
    holders = np.sort(field.holders)
    ordered = np.cumsum(holders * (holders - 1.0))
    place = np.searchsorted(holders, field.holders, side="right") - 1
    return np.asarray(ordered[place] / max(field.known, 1))


def _sharing(field: AccountField) -> Ints:
    """The packed pairs of accounts that share a value which is rare by itself."""
    rare = (field.holders > 1) & (_partners(field) <= PARTNERS)
    account = np.repeat(np.arange(len(field.start) - 1), np.diff(field.start))
    kept = rare[field.value]
    account, value = account[kept], field.value[kept].astype(np.int64)
    order = np.argsort(value, kind="stable")
    account, value = account[order], value[order]
    end = np.searchsorted(value, value, side="right")
    place = np.arange(len(value))
    later = end - place - 1
    return packed_pairs(np.repeat(account, later), account[ranges(place + 1, later)])


def _rarity(field: AccountField, accounts: int, first: Ints, second: Ints) -> Floats:
    """For each pair the weight of the rarest value that both have: log(accounts / partners), 0 without one."""
    from scipy import sparse

    weight = np.log(accounts / np.clip(_partners(field), 1e-9, accounts))
    weight[field.holders < 2] = 0.0
    shape = (accounts, len(field.holders))
    # a copy, because the next line would change the arrays of the field
    having = sparse.csr_matrix((weight[field.value], field.value, field.start), shape=shape, copy=True)
    having.eliminate_zeros()
    plain = having.copy()
    plain.data[:] = 1.0
    both = having[first].multiply(plain[second]).tocsr()
    return np.asarray(both.max(axis=1).toarray(), np.float64).ravel()


def _created_together(created: Ints) -> tuple[Ints, Floats]:
    """Packed pairs of accounts that were created one after another, ascending, and the partners that chance gives.

    The rate of sign-ups is that of the time around, and follows the hours of the day. Sign-ups of one moment are
    compared with how many of the dump's sign-ups have a moment in common, for some dumps give only the day.
    """
    known = np.flatnonzero(created != NO_TIME)
    order = known[np.argsort(created[known], kind="stable")]
    if len(order) < 2 * AROUND + 1:
        return np.empty(0, np.int64), np.empty(0)
    moment = created[order]
    clock = _by_hours(moment)
    one, other, near = _following(clock, 1 / DAY)
    size = np.unique(moment, return_inverse=True, return_counts=True)
    at_once = size[2][size[1]]
    ordered = np.sort(at_once)
    same = np.cumsum(ordered - 1.0)[np.searchsorted(ordered, at_once, side="right") - 1] / len(order)
    near = np.where(moment[one] == moment[other], np.maximum(near, same[one]), near)
    return _packed(order[one], order[other], near)


def _adjacent(number: Ints) -> tuple[Ints, Floats]:
    """Packed pairs of accounts with adjacent numbers, ascending, and the partners that chance gives."""
    known = np.flatnonzero(number != NO_NUMBER)
    order = known[np.argsort(number[known], kind="stable")]
    if len(order) < 2 * AROUND + 1:
        return np.empty(0, np.int64), np.empty(0)
    one, other, near = _following(number[order].astype(np.float64), 0.0)
    return _packed(order[one], order[other], near)


def _following(clock: Floats, least: float) -> tuple[Ints, Ints, Floats]:
    """Each place with some that follow, and how many as close chance gives at the rate around.

    Args:
        clock: float64[n], ascending.
        least: that is added to each distance.
    """
    place = np.arange(len(clock))
    low = np.clip(place - AROUND, 0, len(clock) - 2 * AROUND - 1)
    rate = 2 * AROUND / np.maximum(clock[low + 2 * AROUND] - clock[low], 1e-6)
    later = np.minimum(FOLLOWING, len(clock) - 1 - place)
    one = np.repeat(place, later)
    other = ranges(place + 1, later)
    return one, other, 2 * (clock[other] - clock[one] + least) * np.minimum(rate[one], rate[other])


def _packed(one: Ints, other: Ints, near: Floats) -> tuple[Ints, Floats]:
    """The pairs with few partners, packed and ascending."""
    few = near <= PARTNERS
    packed = packed_pairs(np.minimum(one, other)[few], np.maximum(one, other)[few])
    order = np.argsort(packed)
    return packed[order], near[few][order]


def _by_hours(moment: Ints) -> Floats:
    """Moments on a clock on which as many sign-ups fall into each hour of the day: float64, in days."""
    hour = moment % DAY // (DAY // HOURS)
    share = np.bincount(hour, minlength=HOURS) + 1.0
    share /= share.sum()
    before = np.cumsum(share) - share
    part = (moment % (DAY // HOURS)) / (DAY // HOURS)
    return np.asarray(moment // DAY + before[hour] + share[hour] * part, np.float64)
