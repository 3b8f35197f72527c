"""Baselines by volume and by duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.baselines.traffic import MIN_ACCOUNTS, Suspects, Traffic, by_group, components
from harvestdetect.util.arrays import Ints, pairs, ranges
from harvestdetect.util.periods import DAY

__all__ = ["exact", "minhash", "volume"]

VOLUME_PERCENTILE: Final = 99.0
"""Percentile of the accounts' volumes above which an account is suspected."""

SHINGLE_WORDS: Final = 3
"""Words of a shingle."""

PERMUTATIONS: Final = 64
"""Hash functions of a MinHash signature."""

BANDS: Final = 16
"""Bands of a signature, of four values each: a pair at Jaccard 0.7 has one in common with probability 0.99, a pair at
0.3 with probability 0.12."""

JACCARD: Final = 0.7
"""Jaccard similarity from which texts are near-duplicates."""

BUCKET_NEIGHBOURS: Final = 4
"""Texts that follow in a bucket with which a text is compared, besides the first of the bucket."""


def volume(traffic: Traffic, seed: int) -> list[Suspects]:
    """Accounts whose volume is above the 99th percentile of all accounts.

    There is one finding by the busiest day of an account and one by all its prompts, since the rule knows no campaigns.
    Prompts without a time count as sent on one day.
    """
    total = np.bincount(traffic.account, minlength=len(traffic.accounts))
    day = traffic.time // DAY - (traffic.time.min() // DAY if len(traffic.time) else 0)
    starts = np.flatnonzero((np.diff(traffic.account, prepend=-1) != 0) | (np.diff(day, prepend=-1) != 0))
    busiest = np.zeros_like(total)
    np.maximum.at(busiest, traffic.account[starts], np.diff(starts, append=len(day)))
    found = []
    for counts in (busiest, total):
        limit = float(np.percentile(counts, VOLUME_PERCENTILE))
        over = np.flatnonzero(counts > limit)
        if len(over):
            found.append(Suspects(accounts=over, score=len(over) * float(counts[over].mean()) / limit))
    return found


def exact(traffic: Traffic, seed: int) -> list[Suspects]:
    """Each text that ten accounts or more sent word for word is a finding; more accounts rank higher."""
    return by_group(traffic, np.arange(len(traffic.texts)), np.ones(len(traffic.texts)), least=MIN_ACCOUNTS)


def minhash(traffic: Traffic, seed: int) -> list[Suspects]:
    """Near-duplicates: components of texts at Jaccard 0.7 or more over word 3-shingles, with ten accounts or more.

    MinHash with banding (Broder 1997; Indyk and Motwani 1998): pairs with a band in common are candidates, and their
    exact Jaccard similarity decides. In a bucket each text is compared with the first and a few that follow; this is
    linear for large buckets and rarely splits a component. The score is accounts times the component's mean similarity.
    """
    from scipy.sparse import csr_array

    texts = len(traffic.texts)
    bounds, shingle = _shingles(traffic.texts)
    signature = _signatures(bounds, shingle, seed)
    first, second = _candidates(signature)
    likely = np.zeros(len(first), dtype=bool)
    for start in range(0, len(first), 100_000):
        block = slice(start, start + 100_000)
        likely[block] = (signature[first[block]] == signature[second[block]]).mean(axis=1) >= JACCARD - 0.2
    first, second = first[likely], second[likely]
    distinct, column = np.unique(shingle, return_inverse=True)
    holds = csr_array((np.ones(len(shingle), np.int32), column, bounds), shape=(texts, len(distinct)))
    sizes = np.diff(bounds)
    shared = np.zeros(len(first))
    for start in range(0, len(first), 10_000):
        block = slice(start, start + 10_000)
        shared[block] = holds[first[block]].multiply(holds[second[block]]).sum(axis=1)
    similarity = shared / (sizes[first] + sizes[second] - shared)
    alike = similarity >= JACCARD
    group = components(texts, first[alike], second[alike])
    edges = np.bincount(group[first[alike]], minlength=texts)
    mean = np.bincount(group[first[alike]], weights=similarity[alike], minlength=texts) / np.maximum(edges, 1)
    return by_group(traffic, group, np.where(edges > 0, mean, 1.0), least=MIN_ACCOUNTS)


def _shingles(texts: Sequence[str]) -> tuple[Ints, npt.NDArray[np.uint64]]:
    """Hashes of the distinct word 3-shingles of each text: bounds int64[t + 1], and the hashes text by text.

    A text of fewer words is one shingle.
    """
    number: dict[str, int] = {}
    words: list[int] = []
    counts = []
    for text in texts:
        split = text.split()
        split += [""] * (SHINGLE_WORDS - len(split))
        counts.append(len(split))
        words.extend(number.setdefault(word, len(number)) for word in split)
    word = np.array(words, dtype=np.uint64)
    count = np.array(counts, dtype=np.int64)
    start = ranges(np.cumsum(count) - count, count - SHINGLE_WORDS + 1)
    owner = np.repeat(np.arange(len(count)), count - SHINGLE_WORDS + 1)
    multiplier = np.random.default_rng(0).integers(1, 2**63, SHINGLE_WORDS, dtype=np.uint64) * 2 + 1
    hashed = np.zeros(len(start), dtype=np.uint64)
    for offset in range(SHINGLE_WORDS):
        hashed += word[start + offset] * multiplier[offset]
    hashed = _mixed(hashed)
    order = np.lexsort((hashed, owner))
    hashed, owner = hashed[order], owner[order]
    new = np.ones(len(hashed), dtype=bool)
    new[1:] = (hashed[1:] != hashed[:-1]) | (owner[1:] != owner[:-1])
    bounds = np.zeros(len(count) + 1, dtype=np.int64)
    np.cumsum(np.bincount(owner[new], minlength=len(count)), out=bounds[1:])
    return bounds, hashed[new]


def _mixed(value: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Mixes the bits of each number (the finaliser of splitmix64)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _signatures(bounds: Ints, shingle: npt.NDArray[np.uint64], seed: int) -> npt.NDArray[np.uint32]:
    """MinHash signatures: uint32[t, permutations], the smallest hash of each text's shingles by each hash function."""
    rng = np.random.default_rng(seed)
    factor = rng.integers(1, 2**63, PERMUTATIONS, dtype=np.uint64) * 2 + 1
    shift = rng.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64)
    least = np.empty((len(bounds) - 1, PERMUTATIONS), dtype=np.uint32)
    for p in range(PERMUTATIONS):
        permuted = ((shingle * factor[p] + shift[p]) >> np.uint64(32)).astype(np.uint32)
        least[:, p] = np.minimum.reduceat(permuted, bounds[:-1])
    return least


def _candidates(signature: npt.NDArray[np.uint32]) -> tuple[Ints, Ints]:
    """Pairs of texts that agree in a whole band, the smaller number first."""
    rows = PERMUTATIONS // BANDS
    first: list[Ints] = []
    second: list[Ints] = []
    for band in range(BANDS):
        key = np.zeros(len(signature), dtype=np.uint64)
        for p in range(band * rows, (band + 1) * rows):
            key = _mixed(key + signature[:, p] + np.uint64(1))
        order = np.argsort(key, kind="stable")
        key = key[order]
        begins = np.ones(len(key), dtype=bool)
        begins[1:] = key[1:] != key[:-1]
        opener = np.flatnonzero(begins)[np.cumsum(begins) - 1]
        first.append(order[opener[~begins]])
        second.append(order[~begins])
        for offset in range(1, BUCKET_NEIGHBOURS + 1):
            same = opener[offset:] == opener[:-offset]
            first.append(order[:-offset][same])
            second.append(order[offset:][same])
    return pairs(np.concatenate(first), np.concatenate(second))
