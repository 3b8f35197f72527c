"""How many accounts return to a set of texts, and how many would by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.util.arrays import AnyInts, Floats, Ints, pairs

__all__ = ["Chance", "chance_of", "expected_returning", "texts_of_each"]


TERMS_AT_ONCE: Final = 1 << 20
"""Terms of the sums over (set, number of texts) per block. It bounds memory and changes no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """A histogram of the accounts of a corpus by their number of distinct texts."""

    texts: Ints
    """int64[h], ascending: numbers of texts."""
    accounts: Ints
    """int64[h]: the number of accounts that sent that many texts."""


def chance_of(volume: AnyInts) -> Chance:
    """The histogram of ``volume``, int[accounts], the number of distinct texts of each account."""
    texts, accounts = np.unique(volume, return_counts=True)
    return Chance(texts=texts.astype(np.int64), accounts=accounts)


def texts_of_each(account: AnyInts, text: AnyInts) -> Ints:
    """The number of distinct texts of each account in a set of rows, by ascending account: int64[a].

    Args:
        account: int[r], the account of each row.
        text: int[r], the text of each row, or the cluster, or whatever is to be counted.
    """
    return np.unique(pairs(account, text)[0], return_counts=True)[1]


def expected_returning(texts: AnyInts, chance: Chance) -> Floats:
    """The expected number of accounts with two or more texts in a set, if every account drew its texts at random.

    An account with v texts has a binomial number of them in a set of s of all N texts, with probability s / N each.

    Args:
        texts: int[s], the size of each set: its distinct (account, text) pairs.
        chance: of the corpus.

    Returns:
        float64[s].
    """
    sizes, which = np.unique(texts, return_inverse=True)
    out = np.empty(len(sizes))
    total = max(int(chance.texts @ chance.accounts), 1)
    block = max(1, TERMS_AT_ONCE // max(len(chance.texts), 1))
    for start in range(0, len(sizes), block):
        p = sizes[start : start + block, None] / total
        none, one = (1 - p) ** chance.texts, chance.texts * p * (1 - p) ** (chance.texts - 1.0)
        out[start : start + block] = (1 - none - one) @ chance.accounts
    return out[which]
