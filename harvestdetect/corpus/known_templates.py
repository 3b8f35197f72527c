"""Which templates are known: those with nearly the same words as an entry of the registry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from harvestdetect.corpus.normalize import normalize
from harvestdetect.corpus.registry import Entry, Registry, words_of

__all__ = ["SAME_TEMPLATE", "known"]

SAME_TEMPLATE: Final = 0.7
"""Share of the fixed words of the longer of two templates that the other has too, in order, from which they are the
same. Chosen."""
ENTRIES: Final = 4_096
"""Entries of registries whose words are kept."""
OWN_WORDS: Final = 2
"""Most words of a known template that are not in the entry, however long that is. More may be an instruction."""


def known(registry: Registry, words: Sequence[str | None]) -> Entry | None:
    """The entry with nearly the same words as a template; None if the template has words of its own.

    Args:
        registry: see :func:`load_registry`.
        words: runs of fixed words, and None for a slot, as in ``Template.words``.
    """
    own = [word for run in words if run is not None for word in words_of(normalize(run))]
    bag = Counter(own)
    best, most = None, 0.0
    for entry in registry.entries:
        theirs, counted = _words(entry.runs)
        least = max(SAME_TEMPLATE * max(len(own), len(theirs)), len(own) - OWN_WORDS, 1)
        if min(len(own), len(theirs)) < least or (bag & counted).total() < least:
            continue
        common = _common(own, theirs)
        if common >= least and common / len(theirs) > most:
            best, most = entry, common / len(theirs)
    return best


@lru_cache(maxsize=ENTRIES)
def _words(runs: tuple[str, ...]) -> tuple[Sequence[str], Counter[str]]:
    """The words of an entry in order, and how often it has each; neither may be changed."""
    found = [word for run in runs for word in words_of(run)]
    return found, Counter(found)


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of a longest common subsequence (bit vectors, Hyyrö 2004)."""
    masks: dict[str, int] = {}
    for i, word in enumerate(first):
        masks[word] = masks.get(word, 0) | 1 << i
    full = state = (1 << len(first)) - 1
    for word in second:
        kept = state & masks.get(word, 0)
        state = ((state + kept) | (state - kept)) & full
    return len(first) - state.bit_count()
