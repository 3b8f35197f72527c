"""Who comes back to a set of texts, and how many would by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.util.arrays import AnyInts, Floats, Ints, pairs

__all__ = ["Chance", "chance_of", "expected_returning", "texts_of_each"]


BLOCK: Final = 1 << 20
"""Pairs of a set and a number of texts worked on at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """How many distinct texts the accounts of a corpus sent, as a histogram."""

    texts: Ints
    """int64[h], ascending: numbers of texts."""
    accounts: Ints
    """int64[h]: how many accounts sent so many."""


def chance_of(volume: AnyInts) -> Chance:
    """Of ``volume``, the distinct texts of each account."""
    texts, accounts = np.unique(volume, return_counts=True)
    return Chance(texts=texts.astype(np.int64), accounts=accounts)


def texts_of_each(account: AnyInts, text: AnyInts) -> Ints:
    """Distinct texts (or clusters, or whatever is numbered) of each account in a set, by account: int64[a].

    Args:
        account: int[r], of the rows of the set.
        text: int[r], of the same rows.
    """
    return np.unique(pairs(account, text)[0], return_counts=True)[1]


def expected_returning(texts: AnyInts, chance: Chance) -> Floats:
    """For sets with so many texts, the accounts to expect with two or more of them, if every account drew its texts at
    random from all texts.

    Args:
        texts: int[s], of each set, an account's text counted once.
        chance: of the corpus.

    Returns:
        float64[s].
    """
    sizes, which = np.unique(texts, return_inverse=True)
    out = np.empty(len(sizes))
    total = max(int(chance.texts @ chance.accounts), 1)
    block = max(1, BLOCK // max(len(chance.texts), 1))
    for start in range(0, len(sizes), block):
        p = sizes[start : start + block, None] / total
        none, one = (1 - p) ** chance.texts, chance.texts * p * (1 - p) ** (chance.texts - 1.0)
        out[start : start + block] = (1 - none - one) @ chance.accounts
    return out[which]
