"""The tokens that texts are compared by: words, single marks and line ends, in lower case."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Final

from harvestdetect.util.words import Span, is_plain, token_spans, words

__all__ = ["MAX_TOKENS", "Token", "folded_words", "spans", "token_texts", "tokens", "words_of_whole"]


MAX_TOKENS: Final = 700
"""Tokens of a text that are read; what follows is ignored. Chosen, for speed."""

HEAD_CHARACTERS: Final = 8_000
"""Characters in which the first :data:`MAX_TOKENS` tokens are looked for first. It sets the speed and changes no
result."""

Token = tuple[str, int, int]
"""A token in lower case, and where it starts and ends in its text."""

_TOKEN: Final = re.compile(r"\w+|[^\w\s]|\n")
"""A token of a plain text, see :func:`harvestdetect.util.words.is_plain`."""
_MAX_TOKENS: Final = re.compile(rf"(?:[^\S\n]*+(?:\w++|[^\w\s]|\n)){{{MAX_TOKENS}}}+")
"""The first :data:`MAX_TOKENS` tokens of a plain text."""


def tokens(text: str) -> list[Token]:
    """The first :data:`MAX_TOKENS` tokens of a text with their places."""
    return [(text[start:stop].casefold(), start, stop) for start, stop in spans(text, MAX_TOKENS)]


def token_texts(text: str) -> list[str]:
    """The tokens of :func:`tokens` without their places, in much less time."""
    head = text[:HEAD_CHARACTERS]
    if is_plain(head):
        found = _folded(_TOKEN.findall, head)
        # the last token of the head may be cut
        if len(found) > MAX_TOKENS or len(head) == len(text):
            return found[:MAX_TOKENS]
    return [text[start:stop].casefold() for start, stop in spans(text, MAX_TOKENS)]


def folded_words(text: str) -> list[str]:
    """All words of a text in lower case, without marks and line ends."""
    return _folded(words, text)


def words_of_whole(text: str) -> list[str] | None:
    """The words of :func:`token_texts`, perhaps with its marks; None where it may have ignored a part of the text.

    To count the tokens of a long text is much faster than to list them.
    """
    if len(text) < MAX_TOKENS:  # a text of fewer characters has fewer tokens
        return folded_words(text)
    head = text[:HEAD_CHARACTERS]
    if is_plain(head):
        if _MAX_TOKENS.match(head):
            return None
        if len(head) == len(text):
            return folded_words(text)
    found = token_texts(text)
    return found if len(found) < MAX_TOKENS else None


def spans(text: str, count: int) -> list[Span]:
    """Where the first ``count`` tokens of a text start and end."""
    return list(itertools.islice(token_spans(text), count))


def _folded(split: Callable[[str], list[str]], text: str) -> list[str]:
    """What a text is split into, in lower case."""
    # beyond ASCII, case folding may turn a letter into several characters, some of which are in no word
    return split(text.lower()) if text.isascii() else [t.casefold() for t in split(text)]
