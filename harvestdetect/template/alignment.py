"""Alignment of token lists by a longest common subsequence (LCS), computed with bit vectors.

Row by row, the dynamic programme of an LCS fits into one integer whose zero bits mark where it grows (Hyyrö 2004,
"Bit-parallel LCS-length computation revisited"). Python's integers have as many bits as there are tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np

from harvestdetect.template.tokens import words_of_whole
from harvestdetect.util.amounts import NEARLY_ALL
from harvestdetect.util.arrays import Floats, Ints, spread
from harvestdetect.util.words import is_spelled, letters

__all__ = [
    "MIN_LONG_LETTERS",
    "Alignment",
    "Masks",
    "align",
    "align_masks",
    "common_words",
    "kept_backwards",
    "kept_shares",
    "long_words_kept",
    "masks_of",
    "times_kept",
]


BACKWARDS_TEXTS: Final = 8
"""Texts that are read backwards to measure how many words are kept in order by chance. Chosen, for speed."""

MIN_LONG_LETTERS: Final = 4
"""Letters of a longer word, which says more than an article or a preposition does. Chance explains a run of fixed
tokens between two slots that has no more letters in all. Chosen."""

Alignment: TypeAlias = Sequence[tuple[int, int]]
"""Pairs of positions, in the first and in the second list, both ascending."""

Masks: TypeAlias = Mapping[str, int]
"""For each token of a list, an integer with the bits set that are its positions."""


def align(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int]]:
    """One longest common subsequence of two token lists, as pairs of positions, ascending."""
    return align_masks(masks_of(first), len(first), second)


def masks_of(tokens: Sequence[str]) -> dict[str, int]:
    """The bit masks of a token list, which can be aligned with many others."""
    masks: dict[str, int] = {}
    for i, token in enumerate(tokens):
        masks[token] = masks.get(token, 0) | 1 << i
    return masks


def align_masks(masks: Masks, count: int, second: Sequence[str]) -> list[tuple[int, int]]:
    """As :func:`align`, with the masks of the first list and its number of tokens."""
    state = full = (1 << count) - 1
    states, places = [full], []
    for j, mask in enumerate(map(masks.get, second)):
        if mask and (kept := state & mask):
            state = ((state + kept) | (state - kept)) & full
            states.append(state)
            places.append(j)
    # a zero bit i says that the subsequence grows with token i of the first list; go back along these
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


def times_kept(count: int, alignments: Sequence[Alignment]) -> Ints:
    """In how many of the alignments each of ``count`` tokens is kept: int64[count]."""
    kept = [i for pairs in alignments for i, _ in pairs]
    return np.bincount(np.array(kept, np.int64), minlength=count)


def kept_shares(templates: Sequence[Sequence[str]], texts: Sequence[str]) -> Floats:
    """The share of the fixed words of each template that each text keeps, in order.

    Args:
        templates: the fixed tokens of each template; only words count.
        texts: any texts. One longer than ``tokens.MAX_TOKENS`` tokens may keep the rest where it is not read, and its
            share is 1.

    Returns:
        float64[len(templates), len(texts)], 0 to 1; 1 where a template has no fixed word.
    """
    found = np.ones((len(templates), len(texts)))
    words = [[token for token in fixed if token[0].isalnum()] for fixed in templates]
    used = [(row, masks_of(own), len(own)) for row, own in enumerate(words) if own]
    for number, text in enumerate(texts):
        own = words_of_whole(text)  # marks match nothing
        if own is None:
            continue
        for row, masks, count in used:
            state = full = (1 << count) - 1
            for mask in map(masks.get, own):
                if mask and (kept := state & mask):
                    state = ((state + kept) | (state - kept)) & full
            found[row, number] = 1 - state.bit_count() / count
    return found


def common_words(texts: Sequence[Sequence[str]]) -> tuple[int, float]:
    """What the first text has in common, in order, with the others.

    Args:
        texts: the tokens of each text.

    Returns:
        the number of its words that most of the others keep; and the mean number of longer words that one of the
        others keeps, less the number that it keeps when read backwards.
    """
    if len(texts) < 2:
        return 0, 0.0
    first, others = texts[0], texts[1:]
    masks = masks_of(first)
    kept = times_kept(len(first), [align_masks(masks, len(first), other) for other in others])
    fixed = (kept >= NEARLY_ALL * len(others)).tolist()
    words = sum(1 for token, is_fixed in zip(first, fixed, strict=True) if is_fixed and token[0].isalnum())
    return words, long_words_kept(first, kept, len(others)) - kept_backwards(first, masks, others)


def long_words_kept(first: Sequence[str], kept: Ints, others: int) -> float:
    """The mean number of longer words that one of the other texts keeps.

    Args:
        first: the tokens that the others are aligned with.
        kept: int64[len(first)], by how many of the others each token is kept.
        others: the number of the others.
    """
    long: int = sum(
        n
        for token, n in zip(first, kept.tolist(), strict=True)
        if n and letters(token) >= MIN_LONG_LETTERS and is_spelled(token)
    )
    return long / max(others, 1)


def kept_backwards(first: Sequence[str], masks: Masks, others: Sequence[Sequence[str]]) -> float:
    """As :func:`long_words_kept`, with some of the others, evenly chosen, read backwards.

    Two long texts on one subject keep several words in the same order by chance; read backwards, they keep as many.
    """
    some = [others[i] for i in spread(len(others), BACKWARDS_TEXTS)]
    kept = times_kept(len(first), [align_masks(masks, len(first), other[::-1]) for other in some])
    return long_words_kept(first, kept, len(some))
