"""The evidence that a single account of a candidate is a member: a table of readings.

A candidate may hold two populations: a campaign behind a popular framework, and the framework's users. What tells them
apart is relative to the candidate: which accounts are like most of the others, and which have something of their own.
So most readings compare an account with the other accounts of the candidate, each of which counts by how surely it is a
member. The value of a reading has no unit; :mod:`harvestdetect.judge.member_model` turns it into bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.accounts.kin import NearestAccounts
from harvestdetect.data import NO_TIME, Campaign
from harvestdetect.evidence.account_data import (
    COUNTED_REQUESTS,
    AccountData,
    AccountPrompts,
    account_prompts,
    evenly,
    gap_bin,
    units,
)
from harvestdetect.evidence.tempo import SESSION
from harvestdetect.util.amounts import MIN_SAMPLE
from harvestdetect.util.arrays import Bools, Floats, Floats32, Ints
from harvestdetect.util.periods import DAY

__all__ = ["ACCOUNT_READINGS", "AccountReading", "account_readings"]

IDENTITY: Final = ("network", "asn", "user_agent", "email_domain", "payment", "api_key")
"""Fields whose values are compared with those of the other accounts."""
SPREAD: Final = 0.25
"""Standard deviation of the cosine of two requests of one account that have nothing in common. Measured."""
BETWEEN: Final = 0.05
"""Standard deviation of the mean likeness within innocent and guilty accounts alike. Chosen."""
CREATION_WINDOW: Final = DAY // 2
"""Seconds between the creations of two accounts within which these are near each other. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReading:
    """One reading of every account of a candidate."""

    id: str
    """The key in files; it never changes."""
    take: Callable[[AccountPrompts, AccountData], Floats]
    """float64[m], higher for members; NaN where nothing is known."""
    member: str
    """What a high value means, as a clause."""
    innocent: str
    """What a low value means, as a clause."""


def account_readings(campaign: Campaign, weight: Floats, data: AccountData) -> Floats:
    """All readings of the accounts of a candidate.

    Args:
        campaign: the candidate, of m accounts.
        weight: float64[m], 0 to 1: how surely each is a member.
        data: of the scan.

    Returns:
        float64[m, readings]; NaN where nothing is known.
    """
    sent = account_prompts(campaign, weight, data)
    return np.stack([reading.take(sent, data) for reading in ACCOUNT_READINGS], axis=1)


# ---------------------------------------------------------------- comparing with the others


def _nothing(sent: AccountPrompts) -> Floats:
    return np.full(len(sent.accounts), np.nan)


def _beyond_usual(values: Floats, sent: AccountPrompts) -> Floats:
    """The values less the weighted median of the known ones."""
    known = np.isfinite(values)
    if not known.any():
        return values
    order = np.argsort(values[known], kind="stable")
    share = np.cumsum((sent.weight[known] + 1e-9)[order])
    middle = order[np.searchsorted(share, share[-1] / 2)]
    return np.asarray(values - values[known][middle])


def _times_like(place: Ints, member: Ints, usual: Floats, sent: AccountPrompts) -> Floats:
    """How much better the times of the others predict those of an account than the times of the dump do.

    Args:
        place: int64[n]: the class of each time.
        member: int64[n]: whose it is.
        usual: float64[classes]: the share of each class in the dump.
        sent: of the candidate.

    Returns:
        float64[m]: the sum over the times of an account of the logarithm of the ratio, in bits, over the root of their
        number; NaN for an account without any.
    """
    count, classes = len(sent.accounts), len(usual)
    had = np.bincount(member * classes + place, minlength=count * classes).reshape(count, classes).astype(np.float64)
    number = had.sum(axis=1)
    own = had * (sent.weight * np.minimum(number, COUNTED_REQUESTS) / np.maximum(number, 1))[:, None]
    rest = own.sum(axis=0) - own
    share = (rest + COUNTED_REQUESTS * usual) / (rest.sum(axis=1, keepdims=True) + COUNTED_REQUESTS)
    total = (had * np.log2(share / usual)).sum(axis=1)
    return np.where(number > 0, total / np.sqrt(np.maximum(number, 1)), np.nan)


def _means(vectors: Floats32, member: Ints, count: int) -> Floats:
    """The mean of the vectors of each member: float64[count, d]; zero for a member without any."""
    return np.asarray(_sums(vectors, member, count) / np.maximum(np.bincount(member, minlength=count), 1)[:, None])


def _sums(vectors: Floats32, member: Ints, count: int) -> Floats:
    from scipy import sparse

    rows = np.arange(len(member))
    return np.asarray(
        sparse.csr_matrix((np.ones(len(member)), (member, rows)), shape=(count, len(member))) @ vectors.astype(float)
    )


def _with_others(own: Floats, others: Floats, weight: Floats) -> Floats:
    """The weighted mean inner product of a vector of each account with those of all other accounts: float64[m]."""
    weighted = others * weight[:, None]
    rest = np.maximum(weight.sum() - weight, 1e-9)
    return np.asarray(np.einsum("md,md->m", own, weighted.sum(axis=0) - weighted) / rest)


# ---------------------------------------------------------------- what it sent


def _own_subject(sent: AccountPrompts, data: AccountData) -> Floats:
    """How much more alike two requests of the account are than one of it and one of another, in standard deviations.

    What campaigns deal from one list is no more alike within an account; developers have data of their own.
    """
    count, number = len(sent.accounts), sent.different
    sums = _sums(sent.units, sent.whose, count)
    alone = np.bincount(sent.whose, np.einsum("ij,ij->i", sent.units, sent.units), minlength=count)
    pairs = number * (number - 1.0)
    within = (np.einsum("md,md->m", sums, sums) - alone) / np.maximum(pairs, 1)
    mean = sums / np.maximum(number, 1)[:, None]
    beyond = np.where(number > 1, within - _with_others(mean, mean, sent.weight), np.nan)
    spread = np.sqrt(SPREAD**2 / np.maximum(pairs / 2, 1) + BETWEEN**2)
    return np.asarray(-_beyond_usual(beyond, sent) / spread)


def _other_traffic(sent: AccountPrompts, data: AccountData) -> Floats:
    """How much less its requests in the candidate are like its own other requests than like those of other accounts."""
    count = len(sent.accounts)
    chosen = evenly(sent.other_member)
    rows, member = sent.others[chosen], sent.other_member[chosen]
    number = np.bincount(member, minlength=count)
    if not len(rows):
        return _nothing(sent)
    vectors = np.asarray(data.vectors[rows], np.float32)
    other = _means(units(vectors - vectors.mean(axis=0)), member, count)
    inside = _means(sent.units, sent.whose, count)
    has = (number > 0).astype(np.float64)
    beyond = np.einsum("md,md->m", inside, other) - _with_others(inside, other, has)
    pairs = np.minimum(number, 20) * np.minimum(sent.different, 20)
    return np.where((number > 0) & (has.sum() > 1), -beyond * np.sqrt(pairs / (pairs + COUNTED_REQUESTS)), np.nan)


def _wording(sent: AccountPrompts, data: AccountData) -> Floats:
    """How much more its requests are like those of the others than is usual in the candidate."""
    mean = _means(sent.plain, sent.whose, len(sent.accounts))
    alike = _beyond_usual(_with_others(mean, mean, sent.weight), sent)
    return np.asarray(alike * sent.different / (sent.different + MIN_SAMPLE))


def _subject(sent: AccountPrompts, data: AccountData) -> Floats:
    """How much more its requests, beyond the template, are like those of the others than is usual in the candidate."""
    mean = _means(sent.units, sent.whose, len(sent.accounts))
    return _beyond_usual(_with_others(mean, mean, sent.weight), sent)


def _number(sent: AccountPrompts, data: AccountData) -> Floats:
    """How far its number of requests in the candidate is from the usual one, on a logarithmic scale."""
    return np.asarray(-np.abs(_beyond_usual(np.log2(sent.number + 0.5), sent)))


def _share(sent: AccountPrompts, data: AccountData) -> Floats:
    """How far the odds of a request to be in the candidate are from the usual ones, on a logarithmic scale."""
    besides = np.maximum(data.volume[sent.accounts] - sent.number, 0)
    return np.asarray(-np.abs(_beyond_usual(np.log2((sent.number + 0.5) / (besides + 0.5)), sent)))


# ---------------------------------------------------------------- who is near it


def _near(nearest: NearestAccounts | None, sent: AccountPrompts) -> Floats:
    """The share of its nearest accounts that are in the candidate, less the usual share; of its topics the highest."""
    if nearest is None:
        return _nothing(sent)
    rows = np.flatnonzero(np.isin(nearest.account, sent.accounts)).astype(np.int32)
    if not len(rows):
        return _nothing(sent)
    near = nearest.near(rows, int(max(nearest.account.max(), sent.accounts.max())) + 1)
    inside = np.zeros(near.shape[1])
    inside[sent.accounts] = sent.weight
    share = (near @ inside) / np.maximum(np.asarray(near.sum(axis=1)).ravel(), 1)
    found = np.full(len(sent.accounts), -np.inf)
    np.maximum.at(found, np.searchsorted(sent.accounts, nearest.account[rows]), share)
    return _beyond_usual(np.where(np.isfinite(found), found, np.nan), sent)


def _linked(sent: AccountPrompts, data: AccountData) -> Floats:
    """The share of the other accounts with which it shares rare values or a moment of sign-up, less the usual one."""
    links = data.kin.links
    if links is None or not len(links.first):
        return _nothing(sent)
    place = np.full(data.accounts, -1)
    place[sent.accounts] = np.arange(len(sent.accounts))
    first, second = place[links.first], place[links.second]
    both = (first >= 0) & (second >= 0)
    first, second = first[both], second[both]
    count, weight = len(sent.accounts), sent.weight
    degree = np.bincount(first, weight[second], minlength=count) + np.bincount(second, weight[first], minlength=count)
    return _beyond_usual(np.asarray(degree / max(float(weight.sum()), 1.0)), sent)


def _values(sent: AccountPrompts, data: AccountData) -> Floats:
    """How much more common its values are among the others than in the dump, beyond what is usual in the candidate."""
    count, weight = len(sent.accounts), sent.weight
    total, any_known = np.zeros(count), np.zeros(count, bool)
    for name in IDENTITY:
        field = data.fields.fields.get(name)
        if field is None:
            continue
        who, value = field.of(sent.accounts)
        if not len(who):
            continue
        distinct, place = np.unique(value, return_inverse=True)
        known = np.zeros(count, bool)
        known[who] = True
        usual = field.holders[distinct][place] / field.known
        rest = np.bincount(place, weight[who])[place] - weight[who]
        others = (weight * known).sum() - weight[who]
        ratio = np.log2((rest + MIN_SAMPLE * usual) / (others + MIN_SAMPLE) / usual)
        best = np.full(count, -np.inf)
        np.maximum.at(best, who, ratio)
        total += np.where(known, _beyond_usual(np.where(known, best, np.nan), sent), 0.0)
        any_known |= known
    return np.where(any_known, total, np.nan)


def _created(sent: AccountPrompts, data: AccountData) -> Floats:
    """How many more of the others than of all accounts were created at about the same time, beyond what is usual."""
    created = data.created[sent.accounts]
    known = created != NO_TIME
    if known.sum() < 2:
        return _nothing(sent)
    every = np.sort(data.created[data.created != NO_TIME])
    mine, weight = created[known], sent.weight[known]
    order = np.argsort(mine, kind="stable")
    sums = np.concatenate(([0.0], np.cumsum(weight[order])))
    low, high = _around(mine[order], mine)
    near = sums[high] - sums[low] - weight
    low, high = _around(every, mine)
    usual = (high - low) / len(every)
    found = _nothing(sent)
    found[known] = np.log2((near + MIN_SAMPLE * usual) / (weight.sum() - weight + MIN_SAMPLE) / usual)
    return _beyond_usual(found, sent)


def _around(ascending: Ints, moment: Ints) -> tuple[Ints, Ints]:
    """The places between which the moments within :data:`CREATION_WINDOW` of each lie."""
    low = np.searchsorted(ascending, moment - CREATION_WINDOW, side="left")
    return low, np.searchsorted(ascending, moment + CREATION_WINDOW, side="right")


# ---------------------------------------------------------------- when it sent


def _timed(sent: AccountPrompts, data: AccountData) -> tuple[Ints, Ints]:
    """The known times of the requests in the candidate, and whose they are."""
    time = data.time[sent.prompts]
    known = time != NO_TIME
    return time[known], sent.member[known]


def _days(sent: AccountPrompts, data: AccountData) -> Floats:
    """Whether it was active when the others were, beyond what is usual in the candidate."""
    time, member = _timed(sent, data)
    return _beyond_usual(_times_like(data.period_of(time), member, data.usual_periods, sent), sent)


def _pace(sent: AccountPrompts, data: AccountData) -> Floats:
    """Whether the times between its requests are those of the others, beyond what is usual in the candidate."""
    time, member = _timed(sent, data)
    same = np.diff(member) == 0
    gaps = np.diff(time)[same]
    return _beyond_usual(_times_like(gap_bin(gaps), member[1:][same], data.usual_gaps, sent), sent)


def _apart(sent: AccountPrompts, data: AccountData) -> Floats:
    """Whether it sends its requests of the candidate apart from its others: minus the share within half an hour."""
    time, member = _timed(sent, data)
    other = data.time[sent.others]
    known = other != NO_TIME
    if not len(time) or not known.any():
        return _nothing(sent)
    scale = int(max(time.max(), other[known].max())) - data.began + 2 * SESSION
    there = np.sort(sent.other_member[known] * scale + (other[known] - data.began))
    here = member * scale + (time - data.began)
    after = np.searchsorted(there, here)
    close: Bools = np.zeros(len(here), bool)
    for place in (after - 1, after):
        inside = (place >= 0) & (place < len(there))
        close[inside] |= np.abs(there[place[inside]] - here[inside]) < SESSION
    count = len(sent.accounts)
    number = np.bincount(member, minlength=count)
    has = (np.bincount(sent.other_member[known], minlength=count) > 0) & (number > 0)
    return np.where(has, -np.bincount(member, close, minlength=count) / np.maximum(number, 1), np.nan)


ACCOUNT_READINGS: Final[tuple[AccountReading, ...]] = (
    AccountReading(
        id="own_subject",
        take=_own_subject,
        member="its prompts are no more alike than those of the others",
        innocent="its own prompts are more alike than those of the others: it has data of its own",
    ),
    AccountReading(
        id="other_traffic",
        take=_other_traffic,
        member="its prompts in the campaign have nothing to do with its other prompts",
        innocent="its prompts in the campaign are about what it also asks besides",
    ),
    AccountReading(
        id="wording",
        take=_wording,
        member="its wording is that of the others",
        innocent="its wording is unlike that of the others",
    ),
    AccountReading(
        id="subject",
        take=_subject,
        member="it asks about what the others ask about",
        innocent="it asks about other things than the others",
    ),
    AccountReading(
        id="number",
        take=_number,
        member="it sent about as many of these prompts as the others",
        innocent="it sent many more or far fewer of these prompts than the others",
    ),
    AccountReading(
        id="share",
        take=_share,
        member="these prompts are as large a part of its traffic as of the others'",
        innocent="these prompts are another part of its traffic than of the others'",
    ),
    AccountReading(
        id="nearest",
        take=lambda sent, data: _near(data.kin.whole, sent),
        member="the accounts most like it in all that they send are in the campaign",
        innocent="the accounts most like it in all that they send are not in the campaign",
    ),
    AccountReading(
        id="nearest_topic",
        take=lambda sent, data: _near(data.kin.topics, sent),
        member="the accounts most like it in one topic are in the campaign",
        innocent="the accounts most like it in any topic are not in the campaign",
    ),
    AccountReading(
        id="linked",
        take=_linked,
        member="it shares rare values or the moment of its sign-up with others",
        innocent="it shares neither rare values nor the moment of its sign-up with the others",
    ),
    AccountReading(
        id="values",
        take=_values,
        member="its network, client, payment or e-mail domain is common among the others",
        innocent="its network, client, payment or e-mail domain is not that of the others",
    ),
    AccountReading(
        id="opened",
        take=_created,
        member="it was opened when others were",
        innocent="it was opened when no others were",
    ),
    AccountReading(
        id="days",
        take=_days,
        member="it was active when the others were",
        innocent="it was active when the others were not",
    ),
    AccountReading(
        id="pace",
        take=_pace,
        member="the times between its prompts are those of the others",
        innocent="the times between its prompts are not those of the others",
    ),
    AccountReading(
        id="apart",
        take=_apart,
        member="it sends these prompts apart from its others",
        innocent="it sends these prompts among its others",
    ),
)
"""All readings. The file of :mod:`harvestdetect.judge.members_file` has a curve for each, in this order."""
