"""Which templates nobody sends any more after the prompts of an account were erased."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from harvestdetect.corpus.block import PreparedBlock
from harvestdetect.corpus.normalize import normalize
from harvestdetect.util.amounts import EXCEPTIONAL
from harvestdetect.util.words import words as words_of

__all__ = ["fixed_words", "kept_share", "unsent"]


def fixed_words(runs: Sequence[str | None]) -> tuple[str, ...]:
    """The words of the fixed runs of a template, in order, as texts are compared."""
    return tuple(word for run in runs if run for word in _words(normalize(run)))


def _words(text: str) -> list[str]:
    return [word.casefold() for word in words_of(text)]


def unsent(
    blocks: Iterator[PreparedBlock], asked: Mapping[tuple[str, str], tuple[str, ...]]
) -> Iterator[tuple[str, str]]:
    """The templates, with their fixed words, that no text keeps; one without words is kept by all."""
    left = {key: words for key, words in asked.items() if words}
    for block in blocks:
        if not left:
            return
        data = block.text_bytes.tobytes()
        stop = np.cumsum(block.text_size, dtype=np.int64)
        tried: dict[int, list[str]] = {}
        for key, words in list(left.items()):
            for item in _with_word(data, stop, max(words, key=len).encode()):
                part = int(block.owner[item])
                if part not in tried:
                    text = data[int(stop[part]) - int(block.text_size[part]) : int(stop[part])]
                    tried[part] = _words(text.decode("utf-8", "replace"))
                if kept_share(words, tried[part]) >= 1 - EXCEPTIONAL:
                    del left[key]
                    break
    yield from left


def _with_word(data: bytes, stop: Any, word: bytes) -> Iterator[int]:
    """The texts that contain a word, ascending."""
    place = data.find(word)
    while place >= 0:
        item = int(np.searchsorted(stop, place, side="right"))
        yield item
        place = data.find(word, int(stop[item]))


def kept_share(words: Sequence[str], text: Sequence[str]) -> float:
    """Share of some words that a text of any length keeps in order: the longest common subsequence."""
    masks: dict[str, int] = defaultdict(int)
    for place, word in enumerate(words):
        masks[word] |= 1 << place
    state = full = (1 << len(words)) - 1
    for word in text:
        if kept := state & masks.get(word, 0):
            state = ((state + kept) | (state - kept)) & full
    return 1 - state.bit_count() / len(words)
