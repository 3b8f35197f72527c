"""Rows that are one request: retries, and requests that were logged several times.

Two rows of an account with the same text are one request if they have the same request id and are at most a day apart,
or if they are at most a minute apart. What counts is the first row: a text that is sent all the time counts once a
minute. A row without a time is the same request only by its request id.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

import numpy as np

from harvestdetect.data import NO_TIME
from harvestdetect.util.arrays import AnyInts, Ints, Ints32, Words, changes, mixed

__all__ = ["first_requests", "repeat_sentences"]

RETRY: Final = 60
"""Seconds within which the same text of an account is one request."""
SAME_ID: Final = 86_400
"""Seconds within which the same request id and text of an account are one request."""


def first_requests(account: Ints32, time: Ints, content: AnyInts, request: Words) -> Ints32 | None:
    """The row with which each row counts.

    Args:
        account: int32[p].
        time: int64[p], ascending within an account: seconds, or NO_TIME.
        content: int[p], equal for equal texts.
        request: uint64[p]: digest of the request id, 0 if there is none.

    Returns:
        int32[p]: the row itself if it counts, or the first row of its request; None if every row counts.
    """
    first = np.arange(len(account), dtype=np.int32)
    named = np.flatnonzero(request != 0)
    named = named[_several(account[named], content[named], request[named])]
    if len(named):
        # Rows without a time go with the first one that has a time.
        untimed = time[named] == NO_TIME
        named = named[np.lexsort((time[named], untimed, request[named], content[named], account[named]))]
        new = changes(account[named], content[named], request[named])
        moment = time[named]
        start = np.flatnonzero(new)
        group = np.cumsum(new) - 1
        moment = np.where(moment == NO_TIME, moment[start][group], moment)
        order = np.lexsort((moment, group))  # stable: a row with a time is still the first
        named, moment, group = named[order], moment[order], group[order]
        first[named] = named[_anchors(group, moment, SAME_ID)]
    rest = np.flatnonzero((first == np.arange(len(first))) & (time != NO_TIME))
    rest = rest[_several(account[rest], content[rest])]
    if len(rest):
        rest = rest[np.lexsort((time[rest], content[rest], account[rest]))]
        group = np.cumsum(changes(account[rest], content[rest])) - 1
        again = rest[_anchors(group, time[rest], RETRY)]
        moved = np.arange(len(first), dtype=np.int32)
        moved[rest] = again
        first = moved[first]  # rows that count with a row that counts with another
    return first if (first != np.arange(len(first))).any() else None


def repeat_sentences(again: int, resent: int) -> Iterator[str]:
    """What the user should know about rows and turns that were sent before, one sentence each.

    Args:
        again: rows that repeat a request.
        resent: turns of conversations that do not count.
    """
    if again:
        yield (
            f"{again:,} prompts repeat a request, by its request id or by account and text within a minute, and count "
            "once with it"
        )
    if resent:
        yield f"{resent:,} turns of conversations were sent again with the next turn, and count once"


def _several(*columns: AnyInts | Words) -> Ints:
    """Rows whose values occur in another row too, and perhaps a few more: int64[k], ascending."""
    key = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        key = mixed(key ^ column.astype(np.uint64))
    order = np.argsort(key, kind="stable")
    same = ~changes(key[order])
    tied = same | np.append(same[1:], False)[: len(same)]
    return np.sort(order[tied])


def _anchors(group: Ints, time: Ints, span: int) -> Ints:
    """The row with which each row counts: int64[k].

    Args:
        group: int64[k], ascending.
        time: int64[k], ascending within a group.
        span: seconds from a row that counts within which others count with it.
    """
    new = changes(group)
    new[1:] |= np.diff(time) > span
    start = np.flatnonzero(new)
    run = np.cumsum(new) - 1
    found = start[run]
    late = time - time[found] > span
    stops = np.append(start[1:], len(time))
    for number in np.unique(run[late]).tolist():
        low, high = int(start[number]), int(stops[number])
        moments = time[low:high].tolist()
        at = 0
        while at < len(moments):
            end = bisect_right(moments, moments[at] + span, at)
            found[low + at : low + end] = low + at
            at = end
    return np.asarray(found, dtype=np.int64)
