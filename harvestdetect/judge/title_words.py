"""The words that the texts of a finding have in common and the rest of the dump has not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from harvestdetect.corpus.normalize import normalize
from harvestdetect.data import WHOLE_KINDS, Corpus
from harvestdetect.util.arrays import spread
from harvestdetect.util.languages import is_function_word
from harvestdetect.util.words import is_spelled, letters, token_spans, words

__all__ = ["WordUse", "distinctive", "usual_words"]

SAMPLE: Final = 4_000
"""Texts of a dump, evenly chosen, whose words are counted. Chosen."""
READ: Final = 3_000
"""Characters of a text that are read for its words. Chosen."""
SHORTEST: Final = 3
"""Letters that a distinctive word has at least, see :func:`harvestdetect.util.words.letters`. Chosen."""
RAREST: Final = 2.5
"""Bits that a distinctive word says at least, so that function words are none. Chosen."""
LONGEST: Final = 30
"""Characters that a distinctive word has at most: longer ones are keys, encodings or noise. Chosen."""
IN_SHARE: Final = 0.08
"""Share of the texts of a finding that have a distinctive word, at least. Chosen."""
IN_TEXTS: Final = 4
"""Texts that have it, at least, each of another account, so that nobody's own word is in a title. Chosen."""
LIFT: Final = 2.0
"""How many times as common a distinctive word is in a finding as in the dump, at least. Chosen."""
KEPT: Final = 0.6
"""Share of the texts with a word that must have the phrase around it, for the phrase to replace the word. Chosen."""
_EMPTY: Final = (
    " about ahead also another any been can could does done each else every had has have into its just let made make "
    "may must need one only other out please should some such than that their them then there these they this those "
    "through use used using very want was were when where which who will would your "
)
"""Words of English that say nothing by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordUse:
    """How common words are in a dump."""

    texts: int
    """Number of texts that were read."""
    having: Mapping[str, int]
    """Normalised word -> texts that have it."""

    def rarity(self, word: str) -> float:
        """Bits that one learns from a word: the negative binary logarithm of its share of the texts, from 0."""
        return max(0.0, math.log2((self.texts + 1) / (self.having.get(word, 0) + 1)))

    def share(self, word: str) -> float:
        """Share of the texts that have a word; not 0, because only some texts were read."""
        return (self.having.get(word, 0) + 0.5) / (self.texts + 1)


def usual_words(corpus: Corpus) -> WordUse:
    """Counts words over a sample of the whole texts of a dump. It depends on the content of the dump alone."""
    whole = np.flatnonzero(corpus.kind < WHOLE_KINDS)
    having: Counter[str] = Counter()
    chosen = whole[spread(len(whole), SAMPLE)]
    for text in corpus.text.take(chosen):
        having.update(set(words(text[:READ])))
    return WordUse(texts=len(chosen), having=_distinctive_among(having))


def _distinctive_among(having: Mapping[str, int]) -> dict[str, int]:
    """Of words with the number of texts that have each, those that may be distinctive."""
    return {word: texts for word, texts in having.items() if _may_be_distinctive(word)}


def _may_be_distinctive(word: str) -> bool:
    if f" {word} " in _EMPTY or is_function_word(word):
        return False
    return is_spelled(word) and len(word) > 1 and letters(word) >= SHORTEST and len(word) <= LONGEST


def distinctive(texts: Sequence[str], usual: WordUse, *, at_most: int) -> list[str]:
    """Words and two-word phrases that are far commoner in some texts than in the dump, the most telling first.

    Args:
        texts: of a finding, each of another account.
        usual: words of the dump.
        at_most: number of words or phrases.

    Returns:
        normalised words, each in several of the texts. No word is in two of them.
    """
    normal = [normalize(text)[:READ] for text in texts]
    least = max(IN_TEXTS, IN_SHARE * len(normal))
    having = _distinctive_among(Counter(word for text in normal for word in set(words(text))))
    phrases = Counter(phrase for text in normal for phrase in _phrases_in(text))
    score = {}
    for word, count in having.items():
        share = count / len(normal)
        lift = share / usual.share(word)
        if count >= least and lift >= LIFT and usual.rarity(word) >= RAREST:
            score[word] = share * math.log2(lift)
    found: list[str] = []
    used: set[str] = set()
    for word in sorted(score, key=lambda word: (-score[word], word)):
        if word in used:
            continue
        around = [
            (-count, phrase)
            for phrase, count in phrases.items()
            if word in (parts := phrase.split(" "))
            and all(one in score for one in parts)
            and count >= max(least, KEPT * having[word])
        ]
        best = min(around)[1] if around else word
        if used & set(best.split(" ")):
            best = word
        used |= set(best.split(" "))
        found.append(best)
        if len(found) == at_most:
            break
    return found


def _phrases_in(normal: str) -> set[str]:
    """Two words beside each other with one blank between them."""
    tokens = [(normal[a:b], a, b) for a, b in token_spans(normal)]
    return {" ".join(pair) for pair in _neighbours(tokens, normal) if all(map(_may_be_distinctive, pair))}


def _neighbours(tokens: Iterable[tuple[str, int, int]], text: str) -> Iterable[tuple[str, str]]:
    return ((left, right) for (left, _, end), (right, start, _) in pairwise(tokens) if text[end:start] == " ")
