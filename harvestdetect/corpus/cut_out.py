"""Cuts places of a normalised text out of the original."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Final, TypeAlias

from harvestdetect.corpus.normalize import normalize

__all__ = ["WORD", "Span", "union", "without"]

Span: TypeAlias = tuple[int, int]
"""Start and stop of a place."""

WORD: Final = re.compile(r"[^\W\u2e80-\U0010ffff]+|(?=\w)[\u2e80-\U0010ffff]")
"""A word, or one character of a script without blanks between words."""
_PIECE: Final = re.compile(r"\S+")


def union(spans: list[Span]) -> list[Span]:
    """Merges overlapping spans. Returns them ascending."""
    found: list[Span] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        else:
            found.append((start, stop))
    return found


def without(original: str, text: str, spans: Sequence[Span]) -> str:
    """The original without the words in some spans of its normalised text.

    Words are paired by their number. Normalising neither joins nor reorders words, but one may become several, or
    vanish. If the numbers do not agree, the normalised text is cut instead.
    """
    total = text.count(" ") + 1
    pieces = original.split()
    counts: Iterable[int] = repeat(1)
    if not original.isascii() or len(pieces) != total:  # a word in ASCII may vanish, but never becomes two
        counts = [_words_in(piece) for piece in pieces]
        if sum(counts) != total:
            return _cut(text, spans)
    if len(pieces) == total and (isinstance(counts, repeat) or max(counts) == 1):
        numbers = _whole_words(text, spans)
        if numbers is not None:
            return _without_words(original, numbers)
    words = map(re.Match.span, _PIECE.finditer(text))
    cuts: list[Span] = []
    at, last = 0, -1
    for (start, stop), count in zip(map(re.Match.span, _PIECE.finditer(original)), counts, strict=False):
        # Blanks and invisible words between removed words are removed too.
        after = last if cuts and cuts[-1][1] == last else start
        last = stop
        if count == 0:
            if after < start:
                cuts[-1] = (cuts[-1][0], stop)
            continue
        left, right = next(words)
        for _ in range(count - 1):
            right = next(words)[1]
        while at < len(spans) and spans[at][1] <= left:
            at += 1
        if at == len(spans):
            break
        reach = at
        while reach < len(spans) and spans[reach][0] < right:
            reach += 1
        if reach == at:
            continue
        inside = [(max(a, left) - left, min(b, right) - left) for a, b in spans[at:reach]]
        if not WORD.search(_cut(text[left:right], inside)):
            cuts.append((after, stop))
        elif right - left == stop - start:
            cuts += [(after if a == 0 else start + a, start + b) for a, b in inside]
    return _cut(original, cuts).strip()


def _words_in(piece: str) -> int:
    """Number of words that a piece between blanks becomes when it is normalised."""
    return 1 if piece.isascii() and piece.isprintable() else len(normalize(piece).split())


def _whole_words(text: str, spans: Sequence[Span]) -> list[Span] | None:
    """The first and the last word of each span of a normalised text, by number; None if a span ends within a word.

    Punctuation beside a span belongs to it.
    """
    found: list[Span] = []
    done = count = 0
    for start, stop in spans:
        while start < stop and text[start] == " ":
            start += 1
        while start < stop and text[stop - 1] == " ":
            stop -= 1
        if start == stop:
            continue
        left, right = text.rfind(" ", 0, start) + 1, text.find(" ", stop)
        right = len(text) if right < 0 else right
        if WORD.search(text, left, start) or WORD.search(text, stop, right):
            return None
        count += text.count(" ", done, left)
        done = left
        found.append((count, count + text.count(" ", left, right)))
    return found


def _without_words(original: str, numbers: Sequence[Span]) -> str:
    """The original without some words, and without the blanks between them. ``numbers``: first and last of each run."""
    words = [match.span() for match in _PIECE.finditer(original)]
    cuts: list[Span] = []
    behind = -1
    for first, last in numbers:
        if last < behind:
            continue
        begin = cuts[-1][1] if cuts and first <= behind else words[first][0]
        cuts.append((begin, words[last][1]))
        behind = last + 1
    return _cut(original, cuts).strip()


def _cut(text: str, spans: Sequence[Span]) -> str:
    """A text without some spans, which are ascending."""
    kept, last = [], 0
    for start, stop in spans:
        kept.append(text[last:start])
        last = stop
    return "".join([*kept, text[last:]])
