"""What the texts of a cluster share: fixed words with slots between them.

Each text is aligned with the medoid by a longest common subsequence of tokens, computed with bit vectors
(Hyyrö 2004, "Bit-parallel LCS-length computation revisited"); a token of the medoid that most texts keep is a fixed
word, and what stands between fixed words is a slot.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.util.arrays import spread, unit

__all__ = [
    "MAX_TOKENS",
    "Description",
    "align",
    "common_words",
    "cut",
    "describe",
    "has_words",
    "is_rigid",
    "is_template",
    "kept_shares",
    "same_templates",
    "templates_within",
    "tokens",
    "word_vectors",
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
HEAD: Final = 8_000
"""Characters that a text's first :data:`MAX_TOKENS` tokens are looked for in at first."""
SLOT_EXAMPLES: Final = 6
EXEMPLARS: Final = 3

_TOKEN = re.compile(r"\w+|[^\w\s]|\n")
_WORD = re.compile(r"\w+")

RIGID_WORDS: Final = 5
"""Fixed words from which a cluster counts as a template."""
SHORT_RUN: Final = 4
"""A run of fixed words between two slots is chance where it has no more letters than this, unless it starts a line."""
SLOT_FILLED: Final = 0.2
"""A gap between fixed words is a slot where more than this share of the texts put a word into it."""
SLOT_CHARACTERS: Final = 8
"""A gap between fixed words is also a slot where one text puts more characters than this into it."""
SHORT_WORD: Final = 3
"""A word with no more letters than this does not count as kept from text to text."""
LABELS: Final = 3
"""Fixed labels at the beginnings of lines from which it is a form, and counts as one, however few its words."""
LABEL_WORDS: Final = 3
"""Words of a label at most."""
LONG_WORDS: Final = 12
"""Fixed words from which nobody fills a template by chance."""
SHARED_WORDS: Final = 8.0
"""Longer words kept from text to text from which a reworded template counts as one..."""
IN_ORDER: Final = 2.0
"""...if they are so many times those that are kept where the other text is read backwards: any two long texts on one
subject share words."""
BACKWARDS: Final = 8
"""Texts that are read backwards."""


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
    labels: int
    """Fixed labels at the beginnings of lines."""
    shared: float
    """Words of four letters or more that a text keeps of the medoid in their order, on average."""
    backwards: float
    """The same where the text is read backwards: what a vocabulary in common gives without an order."""
    rigidity: float
    """Fixed tokens over the tokens of a text of median length, 0 to 1."""


def has_words(description: Description) -> bool:
    """Whether the texts have enough fixed words for a template, whatever else they share."""
    return description.fixed >= RIGID_WORDS


def is_template(description: Description) -> bool:
    """Whether the texts share a template in its own right, rather than only a subject."""
    reworded = description.shared >= SHARED_WORDS and description.shared >= IN_ORDER * description.backwards
    return has_words(description) or description.labels >= LABELS or reworded


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


def cut(text: str) -> list[str]:
    """The tokens of :func:`tokens` without their places, in much less time."""
    head = text[:HEAD]
    found = _folded(_TOKEN, head)
    if len(found) <= MAX_TOKENS and len(head) < len(text):
        return [match.group().casefold() for match in itertools.islice(_TOKEN.finditer(text), MAX_TOKENS)]
    return found[:MAX_TOKENS]


def _folded(pattern: re.Pattern[str], text: str) -> list[str]:
    """What a pattern finds, in lower case."""
    # beyond ASCII a letter may become several, and these no part of the same word
    return pattern.findall(text.lower()) if text.isascii() else [t.casefold() for t in pattern.findall(text)]


def _spans(text: str, count: int) -> list[tuple[int, int]]:
    """Where the first ``count`` tokens begin and end."""
    return [match.span() for match in itertools.islice(_TOKEN.finditer(text), count)]


def align(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int]]:
    """One longest common subsequence of two token lists, as pairs of positions, ascending."""
    return _align(_masks(first), len(first), second)


def _masks(tokens: Sequence[str]) -> dict[str, int]:
    """For each token a number with the bits set that are its positions."""
    masks: dict[str, int] = {}
    for i, token in enumerate(tokens):
        masks[token] = masks.get(token, 0) | 1 << i
    return masks


def _align(masks: Mapping[str, int], count: int, second: Sequence[str]) -> list[tuple[int, int]]:
    """:func:`align` of the ``count`` tokens that ``masks`` are of."""
    state = full = (1 << count) - 1
    states, places = [full], []
    for j, token in enumerate(second):
        if kept := state & masks.get(token, 0):
            state = ((state + kept) | (state - kept)) & full
            states.append(state)
            places.append(j)
    # a zero bit i: up to there the subsequence grows with token i of the first
    pairs = []
    below, j = full, len(places)
    while zeros := below & ~states[j]:
        i = zeros.bit_length() - 1
        bit = 1 << i
        j -= 1
        while not states[j] & bit:
            j -= 1
        pairs.append((i, places[j]))
        below = bit - 1
    return pairs[::-1]


def _times_kept(count: int, alignments: Sequence[Sequence[tuple[int, int]]]) -> npt.NDArray[np.int64]:
    """How many of some texts keep each of ``count`` tokens."""
    kept = [i for pairs in alignments for i, _ in pairs]
    return np.bincount(np.array(kept, np.int64), minlength=count)


def kept_shares(templates: Sequence[Sequence[str]], texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Which part of the fixed words of some templates each text keeps, in order.

    Args:
        templates: fixed tokens of each; only words count.
        texts: any; one longer than :data:`MAX_TOKENS` may keep the rest where it is not read, and counts as 1.

    Returns:
        float64[len(templates), len(texts)], 0 to 1; 1 where the template has no fixed word.
    """
    found = np.ones((len(templates), len(texts)))
    held = [[token for token in fixed if token[0].isalnum()] for fixed in templates]
    used = [(row, _masks(words), len(words)) for row, words in enumerate(held) if words]
    for number, text in enumerate(texts):
        # so short a text is read to its end, and of its tokens only words count
        own = _folded(_WORD, text) if len(text) < MAX_TOKENS else cut(text)
        if len(own) == MAX_TOKENS:
            continue
        for row, masks, count in used:
            state = full = (1 << count) - 1
            for token in own:
                if kept := state & masks.get(token, 0):
                    state = ((state + kept) | (state - kept)) & full
            found[row, number] = 1 - state.bit_count() / count
    return found


def common_words(texts: Sequence[Sequence[str]]) -> tuple[int, float]:
    """What the first text shares, in order, with the others.

    Args:
        texts: tokens of each text.

    Returns:
        its words that most of the others keep; and the mean number of words of four letters or more that one of the
        others keeps, less those that it keeps when read backwards.
    """
    if len(texts) < 2:
        return 0, 0.0
    first, others = texts[0], texts[1:]
    masks = _masks(first)
    kept = _times_kept(len(first), [_align(masks, len(first), other) for other in others])
    fixed = (kept >= KEPT_BY * len(others)).tolist()
    words = sum(1 for token, is_fixed in zip(first, fixed, strict=True) if is_fixed and token[0].isalnum())
    return words, _shared(first, kept, len(others)) - _backwards(first, masks, others)


def _backwards(first: Sequence[str], masks: Mapping[str, int], others: Sequence[Sequence[str]]) -> float:
    """:func:`_shared` with some of the others, evenly chosen, read backwards."""
    some = [others[i] for i in spread(len(others), BACKWARDS)]
    kept = _times_kept(len(first), [_align(masks, len(first), other[::-1]) for other in some])
    return _shared(first, kept, len(some))


def _shared(first: Sequence[str], kept: npt.NDArray[np.int64], others: int) -> float:
    """Words of four letters or more that one of the others keeps, on average."""
    long: int = sum(
        n for token, n in zip(first, kept.tolist(), strict=True) if n and len(token) > SHORT_WORD and token.isalpha()
    )
    return long / max(others, 1)


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


def templates_within(
    texts: Sequence[str], vectors: npt.NDArray[np.float32], *, words: float = SAME_LEAST
) -> list[Description]:
    """The templates that a mixture of texts is made of.

    The texts are halved along their vectors' first principal axis, and the halves again, until a part is one template
    or too small. Descriptions of the same template are given once, by the first; positions in a description are
    of its part.

    Args:
        texts: originals.
        vectors: float32[len(texts), d], unit rows.
        words: fixed ones that each of the templates has at least.
    """
    found: list[Description] = []
    read = [cut(text) for text in texts]
    holders: dict[str, int] = {}
    for i, own in enumerate(read):
        for token in set(own):
            holders[token] = holders.get(token, 0) | 1 << i
    halves = _halves(vectors, np.arange(len(texts)))
    for _ in range(DEPTH):
        deeper: list[npt.NDArray[np.int64]] = []
        for part in halves:
            if len(part) < LEAST_TEXTS:
                continue
            if _is_one(read, part, vectors[part], holders, words):
                found.append(describe([texts[i] for i in part], vectors[part]))
            else:
                deeper.extend(_halves(vectors, part))
        halves = deeper
    return [found[group[0]] for group in same_templates(found)]


def word_vectors(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Which texts have which words, of those that some have and some have not: float32[len(texts), w], unit rows.

    Templates beside one another differ in these, whatever fills them.
    """
    read = [{token for token in cut(text) if token[0].isalnum()} for text in texts]
    count = Counter(itertools.chain.from_iterable(read))
    some = {t: i for i, t in enumerate(sorted(t for t, n in count.items() if min(n, len(texts) - n) >= LEAST_TEXTS))}
    found = np.zeros((len(texts), len(some)), np.float32)
    for row, own in zip(found, read, strict=True):
        row[[some[token] for token in own if token in some]] = 1
    return unit(found)


def _halves(vectors: npt.NDArray[np.float32], part: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    centred = vectors[part] - vectors[part].mean(axis=0)
    # of few texts in many dimensions the products are the smaller matrix
    along = np.linalg.eigh(centred @ centred.T)[1][:, -1] if len(part) else np.empty(0)
    return [part[along > 0], part[along <= 0]]


def _is_one(
    texts: Sequence[list[str]],
    part: npt.NDArray[np.int64],
    vectors: npt.NDArray[np.float32],
    holders: Mapping[str, int],
    words: float,
) -> bool:
    """Whether :func:`describe` finds so many fixed words in some of the texts.

    Args:
        texts: tokens of all.
        part: positions of some, at least one.
        vectors: float32[len(part), d], of these.
        holders: for each token a number with the bits set that are positions of texts that have it.
        words: how many.
    """
    order, others = _middle(vectors)
    base, sample = texts[part[order[0]]], part[others].tolist()
    weights, need, chosen = _weights(base), _needed(len(sample)), sum(1 << i for i in sample)
    able = np.array([(holders[token] & chosen).bit_count() for token in base], np.int64) >= need
    masks = _masks(base) if able.any() else {}
    kept = np.zeros(len(base), np.int64)
    for left in range(len(sample), -1, -1):
        # a token that can be fixed still; more of these make no run fewer
        able &= kept + left >= need
        if np.count_nonzero(weights[0][_runs(weights, able)]) < words:
            return False
        if left:
            pairs = _align(masks, len(base), texts[sample[-left]])
            kept[[i for i, _ in pairs]] += 1
    return True


def _middle(vectors: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int64], list[int]]:
    """All positions, those nearest the centre first; and the sample that is aligned with the first of them."""
    order = np.argsort(-(vectors @ vectors.mean(axis=0)), kind="stable")
    return order, [int(i) for i in order[spread(len(order), SAMPLE)] if i != order[0]]


def _needed(others: int) -> float:
    """Texts that must keep a token for it to be fixed."""
    return max(1.0, KEPT_BY * others)


def describe(texts: Sequence[str], vectors: npt.NDArray[np.float32]) -> Description:
    """The template of a cluster.

    Args:
        texts: originals, at least one; all are looked at for medoid and least similar member, up to
            :data:`SAMPLE` evenly chosen ones are aligned.
        vectors: float32[len(texts), d], unit rows.
    """
    order, sample = _middle(vectors)
    medoid = int(order[0])
    base, others = cut(texts[medoid]), [cut(texts[i]) for i in sample]
    masks, weights = _masks(base), _weights(base)
    alignments = [_align(masks, len(base), other) for other in others]
    kept = _times_kept(len(base), alignments)
    fixed = _runs(weights, kept >= _needed(len(sample)) if sample else np.ones(len(base), bool))
    words, slots = _words_and_slots(texts[medoid], fixed, [texts[i] for i in sample], alignments)
    lengths = [len(base), *(len(o) for o in others)]
    stays = tuple(base[i] for i in np.flatnonzero(fixed))
    shared = " ".join(stays) or texts[medoid].casefold()
    return Description(
        words=words,
        slots=slots,
        medoid=medoid,
        exemplars=tuple(int(i) for i in order[1 : 1 + EXEMPLARS]),
        least_similar=int(order[-1]),
        signature=hashlib.blake2b(shared.encode(), digest_size=16).hexdigest(),
        kept=stays,
        fixed=int(np.count_nonzero(weights[0][fixed])),
        labels=_labels(base, fixed),
        shared=_shared(base, kept, len(sample)),
        backwards=_backwards(base, masks, others),
        rigidity=min(1.0, float(fixed.sum()) / max(float(np.median(lengths)), 1.0)),
    )


def _weights(base: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Letters of each token, 0 for a mark; and which are line ends."""
    return (
        np.array([len(token) if token[0].isalnum() else 0 for token in base], np.int64),
        np.array([token == "\n" for token in base], bool),
    )


def _runs(
    weights: tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]], fixed: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Drops fixed runs that chance explains: a lone mark or short word between two slots, not at a line's start.

    Args:
        weights: :func:`_weights` of the tokens.
        fixed: bool[len(tokens)].
    """
    if not fixed.any():
        return fixed.copy()
    start = np.flatnonzero(np.concatenate(([True], fixed[1:] != fixed[:-1])))
    stop = np.append(start[1:], len(fixed))
    letters = np.add.reduceat(weights[0], start)
    label = (letters > 0) & np.logical_or.reduceat(weights[1], start)
    dropped = (start > 0) & (stop < len(fixed)) & (letters <= SHORT_RUN) & ~label
    return fixed & ~np.repeat(dropped, stop - start)


def _labels(base: Sequence[str], fixed: npt.NDArray[np.bool_]) -> int:
    """Labels that are fixed: a few words at the beginning of a line, and a colon."""
    held, found = fixed.tolist(), 0
    for i, token in enumerate(base):
        if token != ":" or not held[i]:
            continue
        begin = i
        while begin and held[begin - 1] and base[begin - 1][0].isalnum():
            begin -= 1
        found += 0 < i - begin <= LABEL_WORDS and (begin == 0 or base[begin - 1] == "\n")
    return found


def _words_and_slots(
    medoid: str,
    fixed: npt.NDArray[np.bool_],
    texts: Sequence[str],
    alignments: Sequence[Sequence[tuple[int, int]]],
) -> tuple[tuple[str | None, ...], tuple[tuple[str, ...], ...]]:
    """The fixed words of the medoid, and the values of the slots between them in it and in other texts."""
    place = np.flatnonzero(fixed)
    # runs, as places among the fixed tokens
    begins = np.flatnonzero(np.diff(place, prepend=-2) > 1)
    runs = list(zip(begins.tolist(), np.append(begins, len(place))[1:].tolist(), strict=True))
    gaps = [_gaps(medoid, [(i, i) for i in place.tolist()], place, runs)]
    gaps += [_gaps(text, pairs, place, runs) for text, pairs in zip(texts, alignments, strict=True)]
    base = _spans(medoid, int(place[-1]) + 1) if len(place) else []
    words: list[str | None] = []
    slots: list[tuple[str, ...]] = []
    for number in range(len(runs) + 1):
        values = [gap[number] for gap in gaps]
        distinct = tuple(dict.fromkeys(v for v in values if v))
        filled = sum(1 for v in values if v and any(c.isalnum() for c in v))
        if filled > SLOT_FILLED * len(values) or any(len(v) > SLOT_CHARACTERS for v in distinct):
            words.append(None)
            slots.append(distinct[:SLOT_EXAMPLES])
        if number < len(runs):
            start, stop = runs[number]
            run = medoid[base[place[start]][0] : base[place[stop - 1]][1]]
            if words and words[-1] is not None:
                words[-1] = f"{words[-1]} {run}"
            else:
                words.append(run)
    return tuple(words), tuple(slots)


def _gaps(
    text: str, pairs: Sequence[tuple[int, int]], place: npt.NDArray[np.int64], runs: Sequence[tuple[int, int]]
) -> list[str]:
    """What a text has between the fixed words before and after each gap that it keeps: one more than runs."""
    if not runs:
        return [text.strip()]
    at = dict(pairs)
    kept = [at.get(i) for i in place.tolist()]
    own = _spans(text, max((j for j in kept if j is not None), default=-1) + 1)
    ends = list(itertools.accumulate((own[j][1] if j is not None else 0 for j in kept), max, initial=0))
    begins = list(
        itertools.accumulate(
            (own[j][0] if j is not None else len(text) for j in reversed(kept)), min, initial=len(text)
        )
    )[::-1]
    found = []
    for before, after in itertools.pairwise([(0, 0), *runs, (len(kept), len(kept))]):
        left, right = ends[before[1]], begins[after[0]]
        found.append(text[left:right].strip() if left <= right else "")
    return found
