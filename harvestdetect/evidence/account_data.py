"""The data of a scan, and of one candidate, from which the evidence on single accounts is read.

See :mod:`harvestdetect.evidence.account_readings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.accounts.kin import Kin
from harvestdetect.corpus.account_fields import AccountFields
from harvestdetect.corpus.by_prompt import first_rows, in_sorted
from harvestdetect.corpus.creation_times import account_times, creation_times
from harvestdetect.data import NO_TIME, Campaign
from harvestdetect.evidence.candidate import ScanData
from harvestdetect.util.arrays import Bools, Floats, Floats32, Ints, Ints32, Vectors, ranges
from harvestdetect.util.periods import DAY

__all__ = ["GAPS", "AccountData", "AccountPrompts", "account_data_of", "account_prompts", "evenly", "gap_bin", "units"]

PERIODS: Final = 64
"""Periods into which the time of a dump is divided at most; a period is a day or longer. Chosen."""
GAPS: Final = 16
"""Classes of the time between two successive requests, each twice as long as the one before."""
SHORTEST: Final = 4
"""Seconds below which times between two requests are of one class. Chosen."""
COUNTED_REQUESTS: Final = 10
"""Requests of an account that count towards what is usual, at most: heavy accounts would decide it. As many requests
with the usual times are added to those of others. Chosen."""
MAX_REQUESTS_PER_ACCOUNT: Final = 64
"""Requests of an account whose vectors are compared, at most, evenly chosen. It bounds time. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountData:
    """The data of a scan of p prompts and a accounts."""

    account: Ints32
    """int32[p], ascending: the account of every prompt."""
    time: Ints
    """int64[p], seconds or NO_TIME."""
    content: Ints32
    """int32[p]: equal for equal prompts."""
    counts: Bools
    """bool[p]: false for rows that repeat a request."""
    start: Ints
    """int64[a + 1]: where the prompts of each account begin."""
    volume: Ints
    """int64[a]: requests of each account."""
    vectors: Vectors
    """float[p, d], of every prompt."""
    fields: AccountFields
    kin: Kin
    created: Ints
    """int64[a]: when each account was created, in seconds, or NO_TIME."""
    began: int
    """The first time of the dump, in seconds."""
    period: int
    """Seconds of a period, of which there are at most :data:`PERIODS`."""
    usual_periods: Floats
    """float64[periods]: share of the requests of the dump in each period."""
    usual_gaps: Floats
    """float64[GAPS]: share of the times between two requests of one account in each class."""

    @property
    def accounts(self) -> int:
        """The number of all accounts."""
        return len(self.volume)

    def period_of(self, time: Ints) -> Ints:
        """The period of each of some known times."""
        return np.asarray((time - self.began) // self.period)


def account_data_of(scan: ScanData, kin: Kin) -> AccountData:
    """The data of a scan for the evidence on single accounts."""
    prompts = scan.corpus.prompts
    account, time, count = prompts.account, prompts.time, len(prompts.accounts)
    counts = first_rows(prompts)
    timed = np.flatnonzero(counts & (time != NO_TIME))
    began = int(time[timed].min()) // DAY * DAY if len(timed) else 0
    span = int(time[timed].max()) - began + 1 if len(timed) else 1
    period = DAY * max(1, -(-span // (DAY * PERIODS)))
    weight = _counted(np.bincount(account[timed], minlength=count))[account[timed]]
    gaps = gap_bin(np.diff(time[timed])[np.diff(account[timed]) == 0])
    return AccountData(
        account=account,
        time=time,
        content=prompts.content,
        counts=counts,
        start=np.searchsorted(account, np.arange(count + 1)),
        volume=np.bincount(account[counts], minlength=count),
        vectors=scan.vectors,
        fields=scan.fields,
        kin=kin,
        created=creation_times(account_times(prompts), has_fields=bool(scan.fields.fields)),
        began=began,
        period=period,
        usual_periods=_shares(np.bincount((time[timed] - began) // period, weight, minlength=-(-span // period))),
        usual_gaps=_shares(np.bincount(gaps, minlength=GAPS)),
    )


def gap_bin(seconds: Ints) -> Ints:
    """The class of each of some times between two requests; see :data:`GAPS`."""
    return np.clip(np.log2(np.maximum(seconds, 1) / SHORTEST), 0, GAPS - 1).astype(np.int64)


def _counted(sent: Ints) -> Floats:
    """The weight of a request of each account: float64[a]."""
    return np.asarray(np.minimum(sent, COUNTED_REQUESTS) / np.maximum(sent, 1))


def _shares(counts: Floats | Ints) -> Floats:
    """The counts, with one more in each place, as shares."""
    more = np.asarray(counts, np.float64) + 1
    return np.asarray(more / more.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPrompts:
    """What the m accounts of one candidate sent, in it and besides."""

    accounts: Ints32
    """int32[m], ascending."""
    weight: Floats
    """float64[m], 0 to 1: how surely each is a member. The others of an account count by it."""
    prompts: Ints32
    """int32[q], ascending: their requests in the candidate."""
    member: Ints
    """int64[q]: the position in ``accounts`` of the sender of each."""
    number: Ints
    """int64[m]: how many of them each account sent."""
    different: Ints
    """int64[m]: how many different ones, at most :data:`MAX_REQUESTS_PER_ACCOUNT` of them."""
    whose: Ints
    """int64[r], ascending: the sender of each different request that is read."""
    units: Floats32
    """float32[r, d]: what it has beyond its cluster, of length 1."""
    plain: Floats32
    """float32[r, d]: its vector, of length 1."""
    others: Ints
    """int64[s], ascending: their requests outside the candidate."""
    other_member: Ints
    """int64[s]: the sender of each."""


def account_prompts(campaign: Campaign, weight: Floats, data: AccountData) -> AccountPrompts:
    """What the accounts of a candidate sent.

    Args:
        campaign: the candidate, of m accounts.
        weight: float64[m], how surely each is a member.
        data: of the scan.
    """
    accounts, count = campaign.accounts, len(campaign.accounts)
    kept = data.counts[campaign.prompts]
    prompts, cluster = campaign.prompts[kept], campaign.prompt_cluster[kept]
    member = np.searchsorted(accounts, data.account[prompts])
    read = _read(data.content[prompts], member, count)
    whose, of_cluster = member[read], np.searchsorted(campaign.clusters, cluster[read])
    vectors = np.asarray(data.vectors[prompts[read]], np.float32)
    different = np.bincount(whose, minlength=count)
    own = ranges(data.start[accounts], data.start[accounts + 1] - data.start[accounts])
    own = own[data.counts[own] & ~in_sorted(own, campaign.prompts)]
    return AccountPrompts(
        accounts=accounts,
        weight=weight,
        prompts=prompts,
        member=member,
        number=np.bincount(member, minlength=count),
        different=different,
        whose=whose,
        units=units(_beyond(vectors, of_cluster, (weight * _counted(different))[whose], len(campaign.clusters))),
        plain=units(vectors),
        others=own,
        other_member=np.searchsorted(accounts, data.account[own]),
    )


def units(vectors: Floats32) -> Floats32:
    """Rows of length 1; rows without a length stay as they are."""
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return np.asarray(vectors / np.where(length > 1e-6, length, 1.0), np.float32)


def evenly(member: Ints) -> Bools:
    """At most :data:`MAX_REQUESTS_PER_ACCOUNT` of the rows of each member, evenly chosen.

    Args:
        member: int64[r], ascending.

    Returns:
        bool[r].
    """
    if not len(member):
        return np.zeros(0, bool)
    size = np.bincount(member)
    rank = np.arange(len(member)) - (np.cumsum(size) - size)[member]
    wanted = np.minimum(size, MAX_REQUESTS_PER_ACCOUNT)[member]
    return np.asarray(rank * wanted // size[member] != (rank - 1) * wanted // size[member])


def _read(content: Ints32, member: Ints, count: int) -> Ints:
    """The places of the requests that are read: of each member's different ones the first of each, evenly chosen."""
    _, place = np.unique(member * (int(content.max(initial=0)) + 1) + content, return_index=True)
    place = np.sort(place)
    place = place[np.argsort(member[place], kind="stable")]
    return np.asarray(place[evenly(member[place])])


def _beyond(vectors: Floats32, cluster: Ints, weight: Floats, count: int) -> Floats32:
    """The vectors less the weighted mean of their cluster, so that a template makes no two of them alike."""
    from scipy import sparse

    rows = np.arange(len(cluster))
    by_cluster = sparse.csr_matrix((weight, (cluster, rows)), shape=(count, len(cluster)))
    total = np.maximum(np.bincount(cluster, weight, minlength=count), 1e-9)[:, None]
    return np.asarray(vectors - ((by_cluster @ vectors) / total)[cluster], np.float32)
