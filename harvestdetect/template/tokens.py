"""The tokens that texts are compared by: words, single marks and line ends, in lower case."""

from __future__ import annotations

import itertools
import re
from typing import Final

__all__ = ["MAX_TOKENS", "Token", "folded_words", "spans", "token_texts", "tokens"]


MAX_TOKENS: Final = 700
"""Tokens of a text that are read; what follows is ignored. Chosen, for speed."""

HEAD_CHARACTERS: Final = 8_000
"""Characters in which the first :data:`MAX_TOKENS` tokens are looked for first. It sets the speed and changes no
result."""

Token = tuple[str, int, int]
"""A token in lower case, and where it starts and ends in its text."""

_TOKEN: Final = re.compile(r"\w+|[^\w\s]|\n")
_WORD: Final = re.compile(r"\w+")


def tokens(text: str) -> list[Token]:
    """The first :data:`MAX_TOKENS` tokens of a text with their places."""
    found = []
    for match in _TOKEN.finditer(text):
        found.append((match.group().casefold(), match.start(), match.end()))
        if len(found) == MAX_TOKENS:
            break
    return found


def token_texts(text: str) -> list[str]:
    """The tokens of :func:`tokens` without their places, in much less time."""
    head = text[:HEAD_CHARACTERS]
    found = _folded(_TOKEN, head)
    if len(found) <= MAX_TOKENS and len(head) < len(text):
        return [match.group().casefold() for match in itertools.islice(_TOKEN.finditer(text), MAX_TOKENS)]
    return found[:MAX_TOKENS]


def folded_words(text: str) -> list[str]:
    """All words of a text in lower case, without marks and line ends."""
    return _folded(_WORD, text)


def spans(text: str, count: int) -> list[tuple[int, int]]:
    """Where the first ``count`` tokens of a text start and end."""
    return [match.span() for match in itertools.islice(_TOKEN.finditer(text), count)]


def _folded(pattern: re.Pattern[str], text: str) -> list[str]:
    """All matches of a pattern, in lower case."""
    # beyond ASCII, case folding may turn a letter into several characters, some of which are in no word
    return pattern.findall(text.lower()) if text.isascii() else [t.casefold() for t in pattern.findall(text)]
