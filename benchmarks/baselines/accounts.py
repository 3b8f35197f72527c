"""A baseline by similar prompts within an account: SEAT."""

from __future__ import annotations

from typing import Final

import numpy as np

from benchmarks.baselines.traffic import MIN_ACCOUNTS, Suspects, Traffic, components, vectors_of
from harvestdetect.util.arrays import Floats32, Ints, Ints32, ranges

__all__ = ["seat"]

PAIR_RATE: Final = 0.001
"""Share of random pairs of texts that count as similar."""

PAIR_DRAWS: Final = 200_000
"""Random pairs from which the limit of similarity is estimated."""

PAIR_BUDGET: Final = 50
"""Similar pairs at which an account is flagged, as published."""

PAIR_SHARE: Final = 0.1
"""Share of its pairs at which an account is flagged, where that is less than the budget."""

MIN_PAIRS: Final = 3
"""Least number of similar pairs at which an account is flagged, or two accounts are linked."""

ACCOUNT_PROMPTS: Final = 2_000
"""Prompts of an account that are compared, the first ones."""

LINK_SHARE: Final = 0.25
"""Share of the pairs between two accounts that must be similar to link them."""

LINK_PROMPTS: Final = 50
"""Prompts of an account that are compared with those of others, the first ones."""

LINK_BLOCK: Final = 1_000
"""Prompts per block of comparisons between accounts. It bounds memory and changes no result."""


def seat(traffic: Traffic, seed: int) -> list[Suspects]:
    """Accounts with too many pairs of similar prompts, after SEAT (Zhang, Chen and Wagner, AISec 2021).

    The original trains an encoder for images, sets its distance on benign queries and cancels an account at 50 similar
    pairs. Here the wording view replaces the trained encoder. Pairs are similar if they are as near as the nearest 0.1
    % of random pairs of texts of the dump, since there are no clean ones; a campaign with more than 3 % of the texts
    moves this limit into itself. An account with ten prompts has only 45 pairs, so the budget is 50 pairs or a tenth of
    the account's pairs, whichever is less, but at least 3. One finding has all flagged accounts. SEAT has no campaigns,
    so further findings are the components of ten or more flagged accounts between which a quarter of the pairs, at
    least three, are similar. The score is the number of accounts times the median share of an account's pairs that are
    similar.
    """
    vectors = vectors_of(traffic.texts, "wording")
    if len(vectors) < 2:
        return []
    rng = np.random.default_rng(seed)
    first = rng.integers(0, len(vectors), PAIR_DRAWS)
    second = (first + rng.integers(1, len(vectors), PAIR_DRAWS)) % len(vectors)
    least = float(np.quantile(np.einsum("ij,ij->i", vectors[first], vectors[second]), 1 - PAIR_RATE))
    total = np.bincount(traffic.account)
    ends = np.cumsum(total)
    similar = np.zeros(len(total))
    for a in np.flatnonzero(total > 1).tolist():
        own = vectors[traffic.text[ends[a] - total[a] : ends[a]][:ACCOUNT_PROMPTS]]
        similar[a] = (np.count_nonzero(own @ own.T >= least) - len(own)) / 2
    compared = np.minimum(total, ACCOUNT_PROMPTS)
    possible = np.maximum(compared * (compared - 1) / 2, 1)
    budget = np.clip(PAIR_SHARE * possible, MIN_PAIRS, PAIR_BUDGET)
    flagged = np.flatnonzero(similar >= budget)
    if not len(flagged):
        return []
    component = _linked(traffic, vectors, flagged, least)
    share = similar / possible
    groups = [flagged, *(flagged[component == c] for c in np.flatnonzero(np.bincount(component) >= MIN_ACCOUNTS))]
    return [Suspects(accounts=group, score=len(group) * float(np.median(share[group]))) for group in groups]


def _linked(traffic: Traffic, vectors: Floats32, accounts: Ints, least: float) -> Ints32:
    """The component of each of some accounts; two are linked when enough pairs between them are similar.

    Args:
        traffic: the prompts.
        vectors: float32[t, d], of all texts.
        accounts: positions of the accounts; the first :data:`LINK_PROMPTS` prompts of each are compared.
        least: the cosine from which two texts are similar.
    """
    total = np.bincount(traffic.account)
    begins = (np.cumsum(total) - total)[accounts]
    counts = np.minimum(total[accounts], LINK_PROMPTS)
    own = vectors[traffic.text[ranges(begins, counts)]]
    starts = np.cumsum(counts) - counts
    step = LINK_BLOCK // LINK_PROMPTS
    first: list[Ints] = []
    second: list[Ints] = []
    for a in range(0, len(accounts), step):
        stop = min(a + step, len(accounts))
        rows = own[starts[a] : starts[a] + counts[a:stop].sum()]
        similar = np.add.reduceat(rows @ own.T >= least, starts, axis=1, dtype=np.int32)
        between = np.add.reduceat(similar, starts[a:stop] - starts[a], axis=0)
        possible = counts[a:stop, None] * counts[None, :]
        row, column = np.nonzero(between >= np.maximum(LINK_SHARE * possible, MIN_PAIRS))
        first.append(row + a)
        second.append(column)
    return components(len(accounts), np.concatenate(first), np.concatenate(second))
