"""Whether the accounts of a candidate ask about items of their own, whatever words each of them always uses.

The *item* of a request is what is left of it without the words that its account has in nearly all of its requests: a
template, an instruction in the account's own wording, a system prompt. Independent developers have data of their own,
so their items are more alike within an account. An operator deals one list, so the items of one account are no more
alike than those of two, even if each account words the instruction in its own way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Final

import numpy as np

from harvestdetect.evidence.candidate import ScanData
from harvestdetect.evidence.work_list import own_excess
from harvestdetect.util.amounts import MIN_SAMPLE, NEARLY_ALL
from harvestdetect.util.arrays import Ints, ranges, spread
from harvestdetect.util.words import words

__all__ = ["items", "own_items"]

MAX_ACCOUNTS: Final = 32
"""Most accounts of a candidate whose items are compared, evenly chosen. It bounds time. Chosen."""
MAX_REQUESTS_EACH: Final = 6
"""Most requests of each, evenly chosen. Accounts with fewer than ``MIN_SAMPLE`` are left out. It bounds time.
Chosen."""


def own_items(scan: ScanData, rows: Ints, member: Ints) -> float | None:
    """An upper bound of how much more alike items of one account are than items of two accounts.

    Args:
        scan: with the texts.
        rows: int64[t], the requests of a candidate.
        member: int64[t], ascending: the account of each.

    Returns:
        a difference of cosines, see :func:`~harvestdetect.evidence.work_list.own_excess`; None where too few accounts
        sent enough requests.
    """
    enough = np.flatnonzero(np.bincount(member) >= MIN_SAMPLE)
    if len(enough) < MIN_SAMPLE:
        return None
    some = enough[spread(len(enough), MAX_ACCOUNTS)]
    first, end = (np.searchsorted(member, some, side=side) for side in ("left", "right"))
    places = [a + spread(b - a, MAX_REQUESTS_EACH) for a, b in zip(first.tolist(), end.tolist(), strict=True)]
    split = _words_of(scan, rows[np.concatenate(places)])
    sender = np.repeat(np.arange(len(places)), [len(own) for own in places])
    texts = items(split, sender)
    vectors = np.asarray(scan.encode(texts), np.float32)
    vectors[[not text for text in texts]] = 0.0
    return own_excess(vectors, np.arange(len(texts)), sender, np.zeros(len(texts), np.int64))


def items(requests: Sequence[Sequence[str]], sender: Ints) -> list[str]:
    """The items of t requests.

    Args:
        requests: their words.
        sender: int64[t], ascending from 0: the account of each.
    """
    found: list[str] = []
    start = np.searchsorted(sender, np.arange(int(sender[-1]) + 2)).tolist()
    for a, b in pairwise(start):
        having = Counter(chain.from_iterable(map(set, requests[a:b])))
        always = {word for word, count in having.items() if count >= NEARLY_ALL * (b - a)}
        found += [" ".join(word for word in one if word not in always) for one in requests[a:b]]
    return found


def _words_of(scan: ScanData, prompts: Ints) -> list[list[str]]:
    """The words of each of some prompts. A text that many of them have is read once."""
    parts = scan.parts
    count = parts.start[prompts + 1] - parts.start[prompts]
    segments, place = np.unique(parts.segment[ranges(parts.start[prompts], count)], return_inverse=True)
    texts = [words(text) for text in scan.corpus.text.take(segments)]
    ends = np.cumsum(count)
    each = [place[end - n : end].tolist() for end, n in zip(ends.tolist(), count.tolist(), strict=True)]
    return [[*chain.from_iterable(texts[i] for i in one)] for one in each]
