"""Shingles: sequences of words of a text (Broder 1997), their hashes, and which texts of a corpus contain them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.corpus.by_prompt import first_rows, segment_starts
from harvestdetect.corpus.normalize import normalize
from harvestdetect.data import WHOLE_KINDS, Corpus
from harvestdetect.signatures.values import HASH_LETTERS, Hashing
from harvestdetect.template.tokens import folded_words
from harvestdetect.util.arrays import Ints, Ints32, packed_pairs, ranges, unique

__all__ = ["Senders", "ShingleHits", "find_shingles", "hasher", "senders_of", "shingles_of", "words_of"]

EDGE_WORDS: Final = 4_000
"""Words at the beginning and at the end of a part that are read. It bounds the time that one huge text takes."""
TEXTS_AT_ONCE: Final = 4_096
"""Texts in memory at a time."""
REMEMBERED: Final = 500_000
"""Shingles whose hashes are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShingleHits:
    """Where known shingles occur in the whole parts of a corpus. One entry for each part and shingle, in order."""

    segment: Ints32
    """int32[m], ascending: the part."""
    shingle: Ints32
    """int32[m]: the number of the shingle."""
    place: Ints32
    """int32[m]: the word of the part at which the shingle first begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Senders:
    """Who sent shingles. One entry for each shingle and prompt that contains it, without repeated rows."""

    shingle: Ints
    """int64[m]"""
    prompt: Ints
    """int64[m]"""
    account: Ints
    """int64[m]"""


def words_of(text: str) -> list[str]:
    """The words of a text, in the form in which they are compared.

    Args:
        text: any text.
    """
    return folded_words(normalize(text))


def shingles_of(words: Sequence[str], size: int) -> list[str]:
    """All sequences of ``size`` words, joined by blanks, in order."""
    return [" ".join(words[i : i + size]) for i in range(len(words) - size + 1)]


def hasher(hashing: Hashing, secret: bytes | None) -> Callable[[str], str]:
    """The function that hashes a shingle: HMAC-SHA-256 with the secret of partners, or SHA-256 without one.

    Args:
        hashing: method and salt.
        secret: 32 bytes; needed for ``hmac-sha256``.
    """
    salt = bytes.fromhex(hashing.salt)
    if hashing.method == "hmac-sha256":
        assert secret is not None, "the method hmac-sha256 needs a secret"
        key = hmac.digest(secret, b"harvestdetect shingles\0" + salt, "sha256")
        return lambda shingle: hmac.digest(key, shingle.encode(), "sha256").hex()[:HASH_LETTERS]
    return lambda shingle: hashlib.sha256(salt + shingle.encode()).hexdigest()[:HASH_LETTERS]


def find_shingles(
    corpus: Corpus, known: Mapping[str, int], *, size: int, name_of: Callable[[str], str] | None = None
) -> ShingleHits:
    """Looks for shingles in all whole parts of a corpus.

    Args:
        corpus: to search.
        known: name of a shingle -> its number.
        size: words of a shingle.
        name_of: the name of a shingle, such as its hash; None takes the shingle itself.
    """
    segments = np.flatnonzero(corpus.kind < WHOLE_KINDS).astype(np.int32)
    if not known:
        segments = segments[:0]
    numbers: dict[str, int] = {}
    rows: list[int] = []
    found: list[int] = []
    places: list[int] = []
    for start in range(0, len(segments), TEXTS_AT_ONCE):
        block = segments[start : start + TEXTS_AT_ONCE]
        for row, text in zip(block.tolist(), corpus.text.take(block), strict=True):
            if len(numbers) > REMEMBERED:
                numbers.clear()
            first: dict[int, int] = {}
            for place, shingle in _shingles(text, size):
                number = numbers.get(shingle)
                if number is None:
                    number = numbers[shingle] = known.get(name_of(shingle) if name_of else shingle, -1)
                if number >= 0:
                    first.setdefault(number, place)
            rows += [row] * len(first)
            found += first.keys()
            places += first.values()
    return ShingleHits(
        segment=np.array(rows, np.int32), shingle=np.array(found, np.int32), place=np.array(places, np.int32)
    )  # fmt: skip


def _shingles(text: str, size: int) -> list[tuple[int, str]]:
    """The shingles of a normalised text with their places; of a long one, those of its two ends."""
    words = folded_words(text)
    if len(words) <= 2 * EDGE_WORDS:
        return list(enumerate(shingles_of(words, size)))
    last = len(words) - EDGE_WORDS
    head, tail = shingles_of(words[:EDGE_WORDS], size), shingles_of(words[last:], size)
    return [*enumerate(head), *enumerate(tail, start=last)]


def senders_of(corpus: Corpus, found: ShingleHits) -> Senders:
    """Who sent the shingles that were found.

    Args:
        corpus: that was searched.
        found: where they are.
    """
    starts = segment_starts(corpus)
    size = starts[found.segment + 1] - starts[found.segment]
    prompt = corpus.posting_prompt[ranges(starts[found.segment], size)].astype(np.int64)
    shingle = np.repeat(found.shingle.astype(np.int64), size)
    once = first_rows(corpus.prompts)[prompt]
    pair = unique(packed_pairs(shingle[once], prompt[once]))
    number, row = (pair >> 32).astype(np.int64), (pair & 0xFFFFFFFF).astype(np.int64)
    return Senders(shingle=number, prompt=row, account=corpus.prompts.account[row].astype(np.int64))
