"""In which features accounts that share rare values write alike, more often than chance.

Offices, households and the exits of private networks share values too, and people who have a value in common may write
alike. So the pairs of accounts that are linked and alike are counted in each feature, and the same is done after the
texts were shuffled among accounts that sent as much. A feature with more pairs than the shuffles explain is hot.

Hot features whose accounts are linked across, beyond chance, belong together, though their texts differ: what a
campaign asks about lies in many cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harvestdetect.accounts.groups import FALSE_LINKS
from harvestdetect.accounts.products import pair_products
from harvestdetect.accounts.rare_links import Links
from harvestdetect.util.amounts import MIN_SAMPLE, MOST
from harvestdetect.util.arrays import AnyInts, Floats, Floats32, Ints

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Use", "feature_groups", "hot_features", "use_of"]

BY_CHANCE: Final = 0.03
"""Partners that are linked and alike as much as a pair, up to which the pair counts, if an account has as many by
chance. Chosen."""
LEAST_PARTNERS: Final = 0.1
"""However rare the values of a pair are, its texts must be alike: an account counts as if it had this many partners
like that by chance. Chosen."""
COMPARED: Final = 512
"""Accounts, drawn at random, with which an account is compared to see how alike two are."""
SHUFFLES: Final = 20
"""Times that the texts are shuffled."""
AT_ONCE: Final = 1_024
"""Accounts that are compared at a time."""
SHUFFLED_TOGETHER: Final = 8
"""Texts are shuffled among all accounts with fewer prompts, of which a campaign may be many with one; beyond, among
those that sent about as many. Chosen."""
MAX_FEATURES: Final = 2_000
"""Most hot features that are grouped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Which accounts use which features."""

    has: sparse.csr_matrix
    """float32[a, c]: 1 where an account has a feature."""
    weights: sparse.csr_matrix
    """float32[a, c]: rarer features count more; rows of length 1."""
    sent: Ints
    """int64[a]: prompts of each account."""


def use_of(features: sparse.csr_matrix, account: AnyInts, accounts: int) -> Use:
    """Which accounts use which features.

    Args:
        features: [p, c], of the prompts that count as requests.
        account: int[p].
        accounts: how many there are.
    """
    from scipy import sparse

    p = len(account)
    who = sparse.csr_matrix((np.ones(p, np.float32), (account, np.arange(p))), shape=(accounts, p))
    counts = (who @ features.astype(np.float32)).tocsr()
    counts.sort_indices()
    users = np.bincount(counts.indices, minlength=counts.shape[1])
    rarity = np.log(np.maximum(accounts / (users + MIN_SAMPLE), 1.0)).astype(np.float32)
    weights = counts.copy()
    weights.data = np.log1p(counts.data) * rarity[counts.indices]
    norm = np.sqrt(np.bincount(np.repeat(np.arange(accounts), np.diff(counts.indptr)), weights.data**2, accounts))
    weights.data /= np.repeat(np.maximum(norm, 1e-12), np.diff(counts.indptr)).astype(np.float32)
    weights.eliminate_zeros()
    has = counts
    has.data[:] = 1
    return Use(has=has, weights=weights, sent=np.bincount(account, minlength=accounts))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Likeness:
    """How alike two accounts are, as the share of random accounts that are as like one of them."""

    weights: Any
    place: Ints
    """int64[a]: the row of an account in ``least``; -1 without one."""
    least: Floats32
    """float32[b, levels]: the likeness that as many of the compared accounts exceed."""
    shares: Floats
    """float64[levels + 1]: the share of each level; the last is 1."""

    def chance(self, first: Ints, second: Ints) -> Floats:
        """float64: for each pair the larger of the two shares."""
        alike = pair_products(self.weights, first, second)
        above = alike[:, None] - 1e-6
        found = [self.shares[(self.least[self.place[side]] >= above).sum(axis=1)] for side in (first, second)]
        return np.where(alike > 1e-6, np.maximum(*found), 1.0)


def _likeness(use: Use, accounts: Ints, rng: np.random.Generator) -> _Likeness:
    sending = np.flatnonzero(use.sent > 0)
    drawn = np.sort(rng.choice(sending, min(COMPARED, len(sending)), replace=False))
    levels = 2 ** np.arange(max(int(np.log2(max(len(drawn), 4))) - 1, 1))
    levels = levels[levels <= len(drawn)]
    others = use.weights[drawn].T.tocsr()
    least = np.empty((len(accounts), len(levels)), np.float32)
    for start in range(0, len(accounts), AT_ONCE):
        some = accounts[start : start + AT_ONCE]
        alike = (use.weights[some] @ others).toarray()
        own = np.minimum(np.searchsorted(drawn, some), len(drawn) - 1)
        itself = np.flatnonzero(drawn[own] == some)
        alike[itself, own[itself]] = -1
        least[start : start + AT_ONCE] = -np.partition(-alike, levels - 1, axis=1)[:, levels - 1]
    place = np.full(use.has.shape[0], -1)
    place[accounts] = np.arange(len(accounts))
    shares = np.append(levels / len(drawn), 1.0)
    return _Likeness(weights=use.weights, place=place, least=least, shares=shares)


def hot_features(use: Use, links: Links, *, seed: int) -> Ints:
    """The features in which more linked accounts write alike than chance explains, most significant first.

    The null distribution of a feature is the negative binomial one that a few shuffles predict (a Poisson count whose
    mean was seen that often). Features are chosen by Benjamini-Hochberg
    (:data:`~harvestdetect.accounts.groups.FALSE_LINKS`).

    Args:
        use: of all accounts.
        links: between accounts.
        seed: of the accounts that are drawn and of the shuffles.
    """
    from scipy.special import betainc

    rng = np.random.default_rng(seed)
    linked = np.unique(np.concatenate((links.first, links.second)))
    linked = linked[use.sent[linked] > 0]
    sends = (use.sent[links.first] > 0) & (use.sent[links.second] > 0)
    first, second = links.first[sends], links.second[sends]
    partners = np.maximum(links.partners[sends], LEAST_PARTNERS)
    if len(first) < 2:
        return np.empty(0, np.int64)
    likeness = _likeness(use, linked, rng)

    def counted(texts: Ints) -> Ints:
        one, other = texts[first], texts[second]
        both = partners * likeness.chance(one, other) <= BY_CHANCE
        return _disjoint(use.has, one[both], other[both])

    everybody = np.arange(use.has.shape[0])
    found = counted(everybody)
    usual = np.zeros(len(found), np.int64)
    for _ in range(SHUFFLES):
        usual += counted(_shuffled(everybody, linked, use.sent, rng))
    p_value = np.where(found > 0, betainc(np.maximum(found, 1), usual + 0.5, 1 / (SHUFFLES + 1)), 1.0)
    order = np.lexsort((np.arange(len(found)), p_value))
    passed = np.flatnonzero(p_value[order] <= FALSE_LINKS * np.arange(1, len(found) + 1) / len(found))
    return np.asarray(order[: passed[-1] + 1 if len(passed) else 0])


def _disjoint(has: Any, first: Ints, second: Ints) -> Ints:
    """In each feature, half of the accounts with a partner there: about the disjoint pairs, for an office is one."""
    from scipy import sparse

    pairs = len(first)
    shared = has[first].multiply(has[second]).tocsr()
    ends = np.concatenate((first, second))
    in_pair = sparse.csr_matrix(
        (np.ones(2 * pairs, np.float32), (ends, np.tile(np.arange(pairs), 2))), shape=(has.shape[0], pairs)
    )
    return np.asarray((np.diff((in_pair @ shared).tocsc().indptr) + 1) // 2, np.int64)


def _shuffled(everybody: Ints, linked: Ints, sent: Ints, rng: np.random.Generator) -> Ints:
    """Whose texts each account gets: those of another linked account that sent about as many."""
    kind = np.log2(np.maximum(sent[linked], SHUFFLED_TOGETHER - 1)).astype(np.int64)
    texts = everybody.copy()
    by_kind = np.argsort(kind, kind="stable")
    mixed = np.lexsort((rng.random(len(linked)), kind))
    texts[linked[by_kind]] = linked[mixed]
    return texts


def feature_groups(use: Use, links: Links, hot: Ints, *, log_p: float) -> list[Ints]:
    """Hot features whose accounts are linked across, in groups; the groups with the most features first.

    Two features are linked if more pairs of accounts are linked across them than the numbers of links of their accounts
    explain (Poisson tail, corrected over pairs of features). They are also linked if most of their accounts have both,
    as of two sentences of one text. Groups grow by average linkage.

    Args:
        use: of all accounts.
        links: between accounts.
        hot: the features.
        log_p: the threshold, natural logarithm of the corrected p-value.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform
    from scipy.special import gammainc

    hot = hot[:MAX_FEATURES]
    if len(hot) < 2:
        return [hot] if len(hot) else []
    linked = links.matrix()
    degree = np.asarray(linked.sum(axis=1)).ravel()
    within = use.has[:, hot].astype(np.float64)
    across = (within.T @ (linked @ within)).toarray()
    ends = np.asarray(within.T @ degree).ravel()
    usual = np.maximum(np.outer(ends, ends) / max(degree.sum(), 1.0), 1e-3)
    tail = np.where(across > 0, gammainc(np.maximum(across, 1), usual), 1.0) * (len(hot) * (len(hot) - 1) / 2)
    both = (within.T @ within).toarray()
    size = both.diagonal()
    same = both / (size[:, None] + size - both)
    apart = np.where((tail < np.exp(log_p)) | (same >= MOST), 0.0, 1.0)
    np.fill_diagonal(apart, 0.0)
    label = fcluster(linkage(squareform(apart, checks=False), "average"), MOST, "distance")
    groups = [hot[label == one] for one in np.unique(label)]
    return sorted(groups, key=lambda group: (-len(group), int(group[0])))
