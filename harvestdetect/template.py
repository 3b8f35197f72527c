"""What the texts of a cluster share: fixed words with slots between them.

Each text is aligned with the medoid by a longest common subsequence of tokens, computed with bit vectors
(Hyyrö 2004, "Bit-parallel LCS-length computation revisited"); a token of the medoid that most texts keep is a fixed
word, and what stands between fixed words is a slot.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.arrays import spread

__all__ = [
    "Description",
    "align",
    "common_words",
    "describe",
    "has_words",
    "is_rigid",
    "is_template",
    "kept_share",
    "same_templates",
    "templates_within",
    "tokens",
]

SAMPLE: Final = 24
"""Texts aligned per cluster."""
KEPT_BY: Final = 0.8
"""Share of the texts that must keep a token for it to be fixed."""
SAME: Final = 0.7
"""Share of the longer template's fixed tokens that two descriptions of the same template have in common."""
SAME_LEAST: Final = 8
"""Fixed words from which templates are compared at all."""
DEPTH: Final = 4
"""How often a mixture of templates is halved at most..."""
LEAST_TEXTS: Final = 6
"""...and the texts that a part of it needs."""
PAIRS: Final = 1 << 20
"""Pairs of templates compared at a time by their rarest tokens..."""
PAIRS_AT_ONCE: Final = 1 << 13
"""...and by all."""
MAX_TOKENS: Final = 700
SLOT_EXAMPLES: Final = 6
EXEMPLARS: Final = 3

_TOKEN = re.compile(r"\w+|[^\w\s]|\n")

RIGID_WORDS: Final = 5
"""Fixed words from which a cluster counts as a template."""
LONG_WORDS: Final = 12
"""Fixed words from which nobody fills a template by chance."""
SHARED_WORDS: Final = 8.0
"""Longer words kept from text to text from which a reworded template counts as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The template of one cluster, in terms of positions in the list of texts."""

    words: tuple[str | None, ...]
    """Runs of fixed words as the medoid writes them, None for a slot."""
    slots: tuple[tuple[str, ...], ...]
    medoid: int
    exemplars: tuple[int, ...]
    least_similar: int
    signature: str
    kept: tuple[str, ...]
    """The fixed tokens, in order, in lower case."""
    fixed: int
    """Fixed word tokens."""
    shared: float
    """Words of four letters or more that a text keeps of the medoid, on average."""
    rigidity: float
    """Fixed tokens over the tokens of a text of median length, 0 to 1."""


def has_words(description: Description) -> bool:
    """Whether the texts have enough fixed words for a template, whatever else they share."""
    return description.fixed >= RIGID_WORDS


def is_template(description: Description) -> bool:
    """Whether the texts share a template in its own right, rather than only a subject."""
    return has_words(description) or description.shared >= SHARED_WORDS


def is_rigid(description: Description) -> bool:
    """Whether nobody writes such a text by chance."""
    return description.fixed >= LONG_WORDS


def tokens(text: str) -> list[tuple[str, int, int]]:
    """``(token in lower case, start, end)`` of the first :data:`MAX_TOKENS` words, marks and line ends of a text."""
    found = []
    for match in _TOKEN.finditer(text):
        found.append((match.group().casefold(), match.start(), match.end()))
        if len(found) == MAX_TOKENS:
            break
    return found


def align(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int]]:
    """One longest common subsequence of two token lists, as pairs of positions, ascending."""
    masks: dict[str, int] = {}
    for i, token in enumerate(first):
        masks[token] = masks.get(token, 0) | 1 << i
    full = (1 << len(first)) - 1
    state, states = full, [full]
    for token in second:
        kept = state & masks.get(token, 0)
        state = ((state + kept) | (state - kept)) & full
        states.append(state)
    # a zero bit i after j tokens: the subsequence grows with token i of ``first``
    pairs = []
    i, j = len(first) - 1, len(second)
    while i >= 0 and j > 0:
        if states[j] >> i & 1:
            i -= 1
        elif not states[j - 1] >> i & 1:
            j -= 1
        else:
            pairs.append((i, j - 1))
            i -= 1
            j -= 1
    return pairs[::-1]


def kept_share(fixed: Sequence[str], texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Which part of the fixed words of a template each text keeps, in order.

    Args:
        fixed: tokens of the template; only words count.
        texts: any; one longer than :data:`MAX_TOKENS` may keep the rest where it is not read, and counts as 1.

    Returns:
        float64[len(texts)], 0 to 1; 1 where the template has no fixed word.
    """
    words = [token for token in fixed if token[0].isalnum()]
    masks: dict[str, int] = {}
    for i, token in enumerate(words):
        masks[token] = masks.get(token, 0) | 1 << i
    full = (1 << len(words)) - 1
    found = np.ones(len(texts))
    for number, text in enumerate(texts):
        own = tokens(text)
        if not words or len(own) == MAX_TOKENS:
            continue
        state = full
        for token, _, _ in own:
            if mask := masks.get(token):
                kept = state & mask
                state = ((state + kept) | (state - kept)) & full
        found[number] = 1 - state.bit_count() / len(words)
    return found


def common_words(texts: Sequence[Sequence[str]]) -> tuple[int, float]:
    """What the first text shares, in order, with the others.

    Args:
        texts: tokens of each text.

    Returns:
        its words that most of the others keep; and the mean number of words of four letters or more that one of the
        others keeps.
    """
    if len(texts) < 2:
        return 0, 0.0
    return _common(texts[0], [align(texts[0], other) for other in texts[1:]])


def _common(first: Sequence[str], alignments: Sequence[Sequence[tuple[int, int]]]) -> tuple[int, float]:
    kept = np.zeros(len(first), np.int64)
    for pairs in alignments:
        for i, _ in pairs:
            kept[i] += 1
    fixed = kept >= KEPT_BY * len(alignments)
    words = sum(1 for token, is_fixed in zip(first, fixed, strict=True) if is_fixed and token[0].isalnum())
    long = sum(int(n) for token, n in zip(first, kept, strict=True) if len(token) > 3 and token.isalpha())
    return words, long / max(len(alignments), 1)


def same_templates(descriptions: Sequence[Description]) -> list[list[int]]:
    """Groups of descriptions whose fixed tokens are nearly all the same, by their first; single ones included.

    Accounts that each fill a slot in their own way split one template into several clusters.
    """
    group = list(range(len(descriptions)))

    def root(i: int) -> int:
        while group[i] != i:
            group[i] = group[group[i]]
            i = group[i]
        return i

    distinct: dict[tuple[str, ...], int] = {}
    for i, description in enumerate(descriptions):
        if description.fixed >= SAME_LEAST:
            group[i] = distinct.setdefault(description.kept, i)
    compared = list(distinct.items())
    for x, y in _alike([frozenset(kept) for kept, _ in compared]):
        (first, i), (second, j) = compared[x], compared[y]
        low, high = sorted((root(i), root(j)))
        if low != high and len(align(first, second)) >= SAME * max(len(first), len(second)):
            group[high] = low
    found: dict[int, list[int]] = {}
    for i in range(len(descriptions)):
        found.setdefault(root(i), []).append(i)
    return list(found.values())


def _alike(bags: Sequence[frozenset[str]]) -> Iterator[tuple[int, int]]:
    """The pairs of bags that have :data:`SAME` of the larger one's tokens in common, the second before the first.

    Of their tokens in one order, the rarest first, two such bags share one that is early in both (prefix filtering;
    Chaudhuri, Ganti and Kaushik 2006, "A primitive operator for similarity joins in data cleaning").
    """
    from scipy import sparse

    if len(bags) < 2:
        return
    size = np.array([len(bag) for bag in bags])
    numbers: dict[str, int] = {}
    token = np.array([numbers.setdefault(t, len(numbers)) for bag in bags for t in bag], np.int64)
    row = np.repeat(np.arange(len(bags)), size)
    shape = (len(bags), len(numbers))
    held = sparse.csr_matrix((np.ones(len(row), np.int32), (row, token)), shape)
    order = np.lexsort((token, np.bincount(token)[token], row))
    place = np.arange(len(row)) - np.repeat(np.cumsum(size) - size, size)
    early = order[place <= (size - np.ceil(SAME * size))[row]]
    prefix = sparse.csr_matrix((np.ones(len(early), np.int32), (row[early], token[early])), shape)
    prefix_by = prefix.T.tocsr()
    step = max(PAIRS // len(bags), 1)
    for start in range(0, len(bags), step):
        near = (prefix[start : start + step] @ prefix_by).tocoo()
        x, y = near.row + start, near.col
        least = SAME * np.maximum(size[x], size[y])
        may = (y < x) & (np.minimum(size[x], size[y]) >= least)
        x, y, least = x[may], y[may], least[may]
        for part in range(0, len(x), PAIRS_AT_ONCE):
            at = slice(part, part + PAIRS_AT_ONCE)
            common = np.asarray(held[x[at]].multiply(held[y[at]]).sum(axis=1)).ravel()
            same = common >= least[at]
            yield from zip(x[at][same].tolist(), y[at][same].tolist(), strict=True)


def templates_within(texts: Sequence[str], vectors: npt.NDArray[np.float32]) -> list[Description]:
    """The templates that a mixture of texts is made of, each of at least :data:`SAME_LEAST` fixed words.

    The texts are halved along their vectors' first principal axis, and the halves again, until a part is one template
    or too small. Descriptions of the same template are given once, by the first; positions in a description are
    of its part.

    Args:
        texts: originals.
        vectors: float32[len(texts), d], unit rows.
    """
    found: list[Description] = []
    halves = _halves(vectors, np.arange(len(texts)))
    for _ in range(DEPTH):
        deeper: list[npt.NDArray[np.int64]] = []
        for part in halves:
            if len(part) < LEAST_TEXTS:
                continue
            description = describe([texts[i] for i in part], vectors[part])
            if description.fixed >= SAME_LEAST:
                found.append(description)
            else:
                deeper.extend(_halves(vectors, part))
        halves = deeper
    return [found[group[0]] for group in same_templates(found)]


def _halves(vectors: npt.NDArray[np.float32], part: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    centred = vectors[part] - vectors[part].mean(axis=0)
    # of few texts in many dimensions the products are the smaller matrix
    along = np.linalg.eigh(centred @ centred.T)[1][:, -1] if len(part) else np.empty(0)
    return [part[along > 0], part[along <= 0]]


def describe(texts: Sequence[str], vectors: npt.NDArray[np.float32]) -> Description:
    """The template of a cluster.

    Args:
        texts: originals, at least one; all are looked at for medoid and least similar member, up to
            :data:`SAMPLE` evenly chosen ones are aligned.
        vectors: float32[len(texts), d], unit rows.
    """
    centre = vectors.mean(axis=0)
    closeness = vectors @ centre
    order = np.argsort(-closeness, kind="stable")
    medoid = int(order[0])
    sample = [int(i) for i in order[spread(len(texts), SAMPLE)] if i != medoid]
    base = tokens(texts[medoid])
    base_tokens = [t for t, _, _ in base]
    others = [tokens(texts[i]) for i in sample]
    alignments = [align(base_tokens, [t for t, _, _ in other]) for other in others]
    kept = np.zeros(len(base), np.int64)
    for pairs in alignments:
        for i, _ in pairs:
            kept[i] += 1
    fixed = _runs(base_tokens, kept >= max(1.0, KEPT_BY * len(sample)) if sample else np.ones(len(base), bool))
    words, slots = _words_and_slots(texts[medoid], base, fixed, [texts[i] for i in sample], others, alignments)
    count = sum(1 for i in np.flatnonzero(fixed) if base_tokens[i][0].isalnum())
    lengths = [len(base), *(len(o) for o in others)]
    stays = tuple(base_tokens[i] for i in np.flatnonzero(fixed))
    shared = " ".join(stays) or texts[medoid].casefold()
    return Description(
        words=words,
        slots=slots,
        medoid=medoid,
        exemplars=tuple(int(i) for i in order[1 : 1 + EXEMPLARS]),
        least_similar=int(order[-1]),
        signature=hashlib.blake2b(shared.encode(), digest_size=16).hexdigest(),
        kept=stays,
        fixed=count,
        shared=_common(base_tokens, alignments)[1],
        rigidity=min(1.0, float(fixed.sum()) / max(float(np.median(lengths)), 1.0)),
    )


def _runs(base: Sequence[str], fixed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Drops fixed runs that chance explains: a lone mark or short word between two slots, not at a line's start."""
    fixed = fixed.copy()
    start = 0
    while start < len(fixed):
        stop = start + 1
        while stop < len(fixed) and fixed[stop] == fixed[start]:
            stop += 1
        inner = start > 0 and stop < len(fixed)
        letters = sum(len(t) for t in base[start:stop] if t[0].isalnum())
        label = letters and "\n" in base[start:stop]
        if fixed[start] and inner and letters <= 4 and not label:
            fixed[start:stop] = False
        start = stop
    return fixed


def _words_and_slots(
    medoid: str,
    base: Sequence[tuple[str, int, int]],
    fixed: npt.NDArray[np.bool_],
    texts: Sequence[str],
    others: Sequence[Sequence[tuple[str, int, int]]],
    alignments: Sequence[Sequence[tuple[int, int]]],
) -> tuple[tuple[str | None, ...], tuple[tuple[str, ...], ...]]:
    runs: list[tuple[int, int]] = []
    for i in np.flatnonzero(fixed):
        if runs and runs[-1][1] == i:
            runs[-1] = (runs[-1][0], int(i) + 1)
        else:
            runs.append((int(i), int(i) + 1))
    # gaps between runs, as (end of the run before, start of the run after) in tokens of the medoid
    borders = [(0, 0), *runs, (len(base), len(base))]
    words: list[str | None] = []
    slots: list[tuple[str, ...]] = []
    maps = [dict(pairs) for pairs in alignments]
    for place, ((_, end), (start, stop)) in enumerate(itertools.pairwise(borders)):
        values: list[str] = []
        inside = medoid[base[end - 1][2] if end else 0 : base[start][1] if start < len(base) else len(medoid)].strip()
        values.append(inside)
        for text, other, pairs in zip(texts, others, maps, strict=True):
            before = next((pairs[i] for i in range(end - 1, -1, -1) if i in pairs and fixed[i]), None)
            after = next((pairs[i] for i in range(start, len(base)) if i in pairs and fixed[i]), None)
            left = other[before][2] if before is not None else 0
            right = other[after][1] if after is not None else len(text)
            values.append(text[left:right].strip() if left <= right else "")
        distinct = tuple(dict.fromkeys(v for v in values if v))
        filled = sum(1 for v in values if v and any(c.isalnum() for c in v))
        if filled > 0.2 * len(values) or any(len(v) > 8 for v in distinct):
            words.append(None)
            slots.append(distinct[:SLOT_EXAMPLES])
        if place + 1 < len(borders) - 1:
            run = medoid[base[start][1] : base[stop - 1][2]]
            if words and words[-1] is not None:
                words[-1] = f"{words[-1]} {run}"
            else:
                words.append(run)
    return tuple(words), tuple(slots)
