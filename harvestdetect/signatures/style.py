"""Style: how long the prompts of a group are, and which signs (punctuation, symbols, digits) they contain.

People who ask about the same things write in many ways; the items of one list, or the fillings of one instruction, are
written alike. So two groups on one subject differ in how many of their prompts have a question mark, digits or
brackets. The signs are all those of ASCII, in groups, so none was chosen for a kind of campaign. Normal forms are read,
in which the full-width signs of other scripts are those of ASCII.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.corpus.by_prompt import PromptSegments, measured
from harvestdetect.data import SYSTEM, Corpus
from harvestdetect.signatures.values import LENGTHS, SIGNS
from harvestdetect.util.arrays import AnyInts, Bools, Floats, Ints, ranges
from harvestdetect.util.words import count_words

__all__ = ["Style", "affinity", "class_of_length", "has_signs", "read_style", "softened", "style_of"]

STEPS: Final = 20
"""Parts of the whole to which shares are rounded."""
ROUNDING: Final = 0.5 / STEPS
"""Half a step, which is added to the shares that are compared: a share that was rounded to 0 may be a small one."""
_BITS: Final = {ord(sign): 1 << bit for bit, group in enumerate(SIGNS) for sign in group}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """The style of a group, in thousandths, rounded to twentieths."""

    lengths: tuple[int, ...]
    """Share of the prompts of each class of lengths, see :data:`~harvestdetect.signatures.values.LENGTHS`."""
    signs: tuple[int, ...]
    """Share of the prompts with each group of signs."""


def style_of(corpus: Corpus, parts: PromptSegments, prompts: AnyInts, *, least_accounts: int = 1) -> Style:
    """The style of a group. System prompts are not read, because others may have written them.

    Args:
        corpus: of the prompts.
        parts: of every prompt.
        prompts: of the group, without repeated rows.
        least_accounts: a share of prompts of fewer accounts is 0.
    """
    words, bits = read_style(corpus, parts, np.asarray(prompts, np.int64))
    account, length, signs = corpus.prompts.account[prompts], class_of_length(words), has_signs(bits)

    def shares(member: Sequence[Bools]) -> tuple[int, ...]:
        enough = [len(np.unique(account[one])) >= least_accounts for one in member]
        step = 1_000 // STEPS
        return tuple(
            step * round(STEPS * float(one.mean())) if many and len(one) else 0
            for one, many in zip(member, enough, strict=True)
        )

    return Style(
        lengths=shares([length == one for one in range(LENGTHS)]),
        signs=shares(list(signs.T)),
    )


def class_of_length(words: Ints) -> Ints:
    """The class of lengths of each number of words."""
    return np.minimum(np.log2(np.maximum(words, 1)).astype(np.int64), LENGTHS - 1)


def has_signs(bits: Ints) -> Bools:
    """Which groups of signs each prompt contains: bool[len(bits), groups]."""
    return np.asarray((bits[:, None] >> np.arange(len(SIGNS))) & 1 > 0)


def read_style(corpus: Corpus, parts: PromptSegments, prompts: Ints) -> tuple[Ints, Ints]:
    """The words of the longest part of each prompt, and the signs of all its parts as bits: int64 each.

    System prompts are not read.

    Args:
        corpus: of the prompts.
        parts: of every prompt.
        prompts: to read.
    """
    start, size = parts.start[prompts], parts.start[prompts + 1] - parts.start[prompts]
    segment, row = parts.segment[ranges(start, size)], np.repeat(np.arange(len(prompts)), size)
    mine = corpus.kind[segment] != SYSTEM
    segment, row = segment[mine], row[mine]
    # both numbers are packed into one, so that each text is read once
    both = measured(corpus, segment, lambda text: count_words(text) << len(SIGNS) | _signs(text))
    words, signs = np.zeros(len(prompts), np.int64), np.zeros(len(prompts), np.int64)
    np.maximum.at(words, row, both >> len(SIGNS))
    np.bitwise_or.at(signs, row, both & ((1 << len(SIGNS)) - 1))
    return words, signs


def _signs(text: str) -> int:
    """The groups of signs that a text contains, as bits."""
    found = 0
    for sign in set(text):
        found |= _BITS.get(ord(sign), 0)
    return found


def affinity(one: Style, other: Style) -> float:
    """How alike two styles are, 0 to 1.

    It is the Bhattacharyya coefficient of the lengths times that of each group of signs: about the share of prompts
    that could be of either group, if signs were independent of one another.
    """
    left, right = softened(one.signs), softened(other.signs)
    signs = np.sqrt(left * right) + np.sqrt((1 - left) * (1 - right))
    first, second = softened(one.lengths), softened(other.lengths)
    lengths = float(np.sqrt(first / first.sum() * second / second.sum()).sum())
    return lengths * float(np.prod(signs))


def softened(thousandths: Floats | Sequence[int]) -> Floats:
    """Shares above 0 and below 1, because rounding can make 0 or 1 of others.

    Args:
        thousandths: shares.
    """
    found = np.asarray(thousandths, np.float64) / 1_000
    return np.asarray((found + ROUNDING) / (1 + 2 * ROUNDING), np.float64)
