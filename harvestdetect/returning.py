"""Who comes back to a set of texts, and how many would by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harvestdetect.arrays import AnyInts, pairs

__all__ = ["Chance", "chance_of", "returning"]

Ints = npt.NDArray[np.int64]


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


def returning(account: AnyInts, text: AnyInts, chance: Chance) -> tuple[Ints, float]:
    """Distinct texts of each account in a set, and the accounts to expect with two or more.

    Args:
        account: int[r], of the rows of the set.
        text: int[r], of the same rows.
        chance: of the corpus.

    Returns:
        int64[a], for each account in the set; and how many would have two or more if every account drew its texts at
        random from all texts.
    """
    each = np.unique(pairs(account, text)[0], return_counts=True)[1]
    p = float(each.sum()) / max(int(chance.texts @ chance.accounts), 1)
    none, one = (1 - p) ** chance.texts, chance.texts * p * (1 - p) ** (chance.texts - 1.0)
    return each, float(chance.accounts @ (1 - none - one))
