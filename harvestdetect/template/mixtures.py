"""Several templates in one set of texts, and the same template in several descriptions."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from harvestdetect.corpus.known_templates import SAME_TEMPLATE
from harvestdetect.template.alignment import align, align_masks, masks_of
from harvestdetect.template.description import (
    SHARED_WORDS,
    Description,
    describe,
    enough_to_describe,
    fixed_runs,
    kinds_of,
    medoid_first,
    needed_to_be_fixed,
)
from harvestdetect.template.tokens import token_texts
from harvestdetect.util.arrays import Floats32, Ints, unit

__all__ = ["MIXED_TEXTS", "same_templates", "templates_within", "word_vectors"]


MIXED_TEXTS: Final = 96
"""Most texts of a cluster in which several templates are looked for, evenly chosen. Chosen, for speed."""

PAIRS_AT_ONCE: Final = 1 << 20
"""Pairs of templates per block that are compared by their rarest tokens. It bounds memory and changes no result."""

FULL_PAIRS_AT_ONCE: Final = 1 << 13
"""Pairs of templates per block that are compared by all their tokens. It bounds memory and changes no result."""


# ---------------------------------------------------------------- one template, several descriptions


def same_templates(descriptions: Sequence[Description]) -> list[list[int]]:
    """Groups of descriptions with nearly the same fixed tokens, by their first; single descriptions included.

    One template is split into several clusters where each account fills a slot in its own way.
    """
    group = list(range(len(descriptions)))  # a union-find forest

    def root(i: int) -> int:
        while group[i] != i:
            group[i] = group[group[i]]
            i = group[i]
        return i

    distinct: dict[tuple[str, ...], int] = {}
    for i, description in enumerate(descriptions):
        if description.fixed >= SHARED_WORDS:
            group[i] = distinct.setdefault(description.kept, i)
    compared = list(distinct.items())
    for x, y in _alike([frozenset(kept) for kept, _ in compared]):
        (first, i), (second, j) = compared[x], compared[y]
        low, high = sorted((root(i), root(j)))
        if low != high and len(align(first, second)) >= SAME_TEMPLATE * max(len(first), len(second)):
            group[high] = low
    found: dict[int, list[int]] = {}
    for i in range(len(descriptions)):
        found.setdefault(root(i), []).append(i)
    return list(found.values())


def _alike(bags: Sequence[frozenset[str]]) -> Iterator[tuple[int, int]]:
    """The pairs of token sets with :data:`SAME_TEMPLATE` of the larger set in common, the second before the first.

    With tokens in one order, rarest first, two such sets have a token in common that is early in both (prefix
    filtering; Chaudhuri, Ganti and Kaushik 2006, "A primitive operator for similarity joins in data cleaning").
    """
    from scipy import sparse

    if len(bags) < 2:
        return
    size = np.array([len(bag) for bag in bags])
    numbers: dict[str, int] = {}
    token = np.array([numbers.setdefault(t, len(numbers)) for bag in bags for t in bag], np.int64)
    row = np.repeat(np.arange(len(bags)), size)
    shape = (len(bags), len(numbers))
    contains = sparse.csr_matrix((np.ones(len(row), np.int32), (row, token)), shape)
    order = np.lexsort((token, np.bincount(token)[token], row))
    place = np.arange(len(row)) - np.repeat(np.cumsum(size) - size, size)
    early = order[place <= (size - np.ceil(SAME_TEMPLATE * size))[row]]
    prefix = sparse.csr_matrix((np.ones(len(early), np.int32), (row[early], token[early])), shape)
    prefix_by_token = prefix.T.tocsr()
    step = max(PAIRS_AT_ONCE // len(bags), 1)
    for start in range(0, len(bags), step):
        near = (prefix[start : start + step] @ prefix_by_token).tocoo()
        x, y = near.row + start, near.col
        least = SAME_TEMPLATE * np.maximum(size[x], size[y])
        may = (y < x) & (np.minimum(size[x], size[y]) >= least)
        x, y, least = x[may], y[may], least[may]
        for part in range(0, len(x), FULL_PAIRS_AT_ONCE):
            at = slice(part, part + FULL_PAIRS_AT_ONCE)
            common = np.asarray(contains[x[at]].multiply(contains[y[at]]).sum(axis=1)).ravel()
            same = common >= least[at]
            yield from zip(x[at][same].tolist(), y[at][same].tolist(), strict=True)


# ---------------------------------------------------------------- several templates in one set of texts


def templates_within(texts: Sequence[str], vectors: Floats32, *, words: int | None = None) -> list[Description]:
    """The templates that a mixture of texts consists of.

    The texts are halved along the first principal axis of their vectors, and the halves again, until a part is one
    template or too small. They are halved no more often than :data:`MIXED_TEXTS` texts could be halved evenly, because
    more would only cut small parts off at the edges. The same template is described once, by the first part that has
    it. Positions in a description are those within its part, and it has neither words nor slots.

    Args:
        texts: the originals.
        vectors: float32[len(texts), d], unit rows.
        words: fixed words that each of the templates needs; None means :data:`SHARED_WORDS`.
    """
    least = SHARED_WORDS if words is None else words
    found: list[Description] = []
    read = [token_texts(text) for text in texts]
    holders: dict[str, int] = {}
    for i, own in enumerate(read):
        for token in set(own):
            holders[token] = holders.get(token, 0) | 1 << i
    halves = _halves(vectors, np.arange(len(texts)))
    even = MIXED_TEXTS // 2
    while enough_to_describe(even):
        deeper: list[Ints] = []
        for part in halves:
            if not enough_to_describe(len(part)):
                continue
            if _is_one_template(read, part, vectors[part], holders, least):
                known = [read[i] for i in part]
                found.append(describe([texts[i] for i in part], vectors[part], read=known, slots=False))
            else:
                deeper.extend(_halves(vectors, part))
        halves, even = deeper, even // 2
    return [found[group[0]] for group in same_templates(found)]


def word_vectors(texts: Sequence[str]) -> Floats32:
    """Which texts have which words: float32[len(texts), w], unit rows.

    Only words count that enough texts for a description have, and as many have not. Templates in one cluster differ in
    these words, whatever fills their slots.
    """
    read = [{token for token in token_texts(text) if token[0].isalnum()} for text in texts]
    count = Counter(itertools.chain.from_iterable(read))
    divides = sorted(t for t, n in count.items() if enough_to_describe(min(n, len(texts) - n)))
    some = {t: i for i, t in enumerate(divides)}
    found = np.zeros((len(texts), len(some)), np.float32)
    for row, own in zip(found, read, strict=True):
        row[[some[token] for token in own if token in some]] = 1
    return unit(found)


def _halves(vectors: Floats32, part: Ints) -> list[Ints]:
    """Two halves of a part, split at the mean along the first principal axis."""
    centred = vectors[part] - vectors[part].mean(axis=0)
    # with fewer texts than dimensions, the Gram matrix is smaller than the covariance
    along = np.linalg.eigh(centred @ centred.T)[1][:, -1] if len(part) else np.empty(0)
    return [part[along > 0], part[along <= 0]]


def _is_one_template(
    texts: Sequence[list[str]], part: Ints, vectors: Floats32, holders: Mapping[str, int], words: int
) -> bool:
    """Whether :func:`describe` would find at least ``words`` fixed words in a part of the texts.

    It stops aligning as soon as too few tokens can still be fixed.

    Args:
        texts: the tokens of all texts.
        part: positions of some texts, at least one.
        vectors: float32[len(part), d], of the part.
        holders: for each token an integer with the bits set that are positions of texts with the token.
        words: the number of fixed words that a template needs.
    """
    order, others = medoid_first(vectors)
    base, sample = texts[part[order[0]]], part[others].tolist()
    kinds, need, chosen = kinds_of(base), needed_to_be_fixed(len(sample)), sum(1 << i for i in sample)
    able = np.array([(holders[token] & chosen).bit_count() for token in base], np.int64) >= need
    masks = masks_of(base) if able.any() else {}
    kept = np.zeros(len(base), np.int64)
    before = -1
    for left in range(len(sample), -1, -1):
        # tokens that can still be fixed; having more of them never makes the runs fewer
        able &= kept + left >= need
        count = int(np.count_nonzero(able))
        if count != before and np.count_nonzero(kinds.letters[fixed_runs(kinds, able)]) < words:
            return False
        before = count
        if left:
            pairs = align_masks(masks, len(base), texts[sample[-left]])
            kept[[i for i, _ in pairs]] += 1
    return True
