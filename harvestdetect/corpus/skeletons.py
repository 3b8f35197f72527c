"""The fixed words that many texts share at their beginning, and the slots between them.

Texts are read in parallel from their beginning. While nearly all continue with the same word, that word is fixed.
Where they differ there is a slot, if nearly all of them go on with a common word soon, or with several common words in
a row later. Otherwise the common text ends there. Texts that differ anywhere drop out, and nearly all of those at the
beginning must be left at the end. So the result never follows a minority. A word with a digit is never fixed, because
it may be a date, a version or a counter that is the same only today.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from harvestdetect.corpus.registry import SCAFFOLD_WORDS
from harvestdetect.util.amounts import EXCEPTIONAL

__all__ = ["NEAR", "ROW", "Skeleton", "has_digit", "skeleton", "tokens"]

NEAR: Final = 12
"""Most tokens of a slot before a single fixed word. A longer slot ends before a row of fixed words."""
ROW: Final = SCAFFOLD_WORDS
"""Number of fixed words in a row that end a slot of any length: as many as a scaffold needs."""
LONGEST_SLOT: Final = 600
"""Most tokens of a slot."""
LONG_SLOTS: Final = 20
"""Most slots of more than :data:`NEAR` tokens: each of them takes long to find."""
RUNS: Final = 500
"""Most runs of fixed words of a skeleton."""

_TOKEN: Final = re.compile(r" ?(?:<[^<>\s]{1,40}>|[\u2e80-\U0010ffff]|[^\s<\u2e80-\U0010ffff]+|\S)")
"""A word with its punctuation and the blank before it, a tag, or one character of a script without blanks."""


def tokens(text: str, at_most: int) -> list[str]:
    """The first tokens of a normalised text. Joined, they are the beginning of the text."""
    return [match.group() for match in islice(_TOKEN.finditer(text), at_most)]


def has_digit(word: str) -> bool:
    """Whether a word has a digit, so that it may be a date, a version or a counter."""
    return any(map(str.isdigit, word))


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """Fixed words and slots at the beginning of texts."""

    begun: tuple[dict[int, int], ...]
    """For each run of fixed words, its position in the tokens of each text that has all runs up to it."""
    lengths: tuple[int, ...]
    """Tokens of each run."""
    gaps: tuple[float, ...]
    """For each run but the first, the mean number of tokens of the slot before it."""
    rest: float
    """Mean number of tokens behind the last run."""
    stops: dict[int, int]
    """For each text that has all runs, the position behind the last one."""
    ways: tuple[tuple[int, ...], ...] = ()
    """Texts that go on in different ways, each with fixed words of its own, the largest group first."""

    def runs(self, text: int) -> list[tuple[int, int]]:
        """Start and stop of each run in a text that has them all, ascending."""
        return [(at[text], at[text] + length) for at, length in zip(self.begun, self.lengths, strict=True)]


def skeleton(
    texts: Sequence[Sequence[str]], start: Sequence[int], *, least: float | None = None, at_most: int = RUNS
) -> Skeleton | None:
    """The fixed words and slots that nearly all texts share.

    Args:
        texts: tokens of each text.
        start: position of the first fixed word of each text.
        least: number of texts of a way: where nearly all texts go on in two or more ways, the skeleton ends. None: it
            goes on behind a slot if it can.
        at_most: most runs of fixed words.

    Returns:
        None if there is no fixed word.
    """
    need = (1 - EXCEPTIONAL) * len(texts)
    place = dict(enumerate(start))
    runs: list[dict[int, int]] = []  # the start of each run in each text
    lengths: list[int] = []
    gaps: list[float] = []
    ways: tuple[tuple[int, ...], ...] = ()
    while len(place) >= need:
        begun, length = dict(place), 0
        while (word := _next_word(texts, place, need)) is not None:
            place = {i: at + 1 for i, at in place.items() if texts[i][at : at + 1] == [word]}
            length += 1
        if length:
            runs.append(begun)
            lengths.append(length)
        if len(runs) == at_most:
            break
        if runs and least is not None and (ways := _ways(texts, place, least)):
            break
        long = sum(gap > NEAR for gap in gaps)
        found = _anchored(texts, place, need, LONGEST_SLOT if long < LONG_SLOTS else 0)
        if found is None:
            break
        if runs:
            gaps.append(sum(found[i] - place[i] for i in found) / len(found))
        place = found
    if not runs:
        return None
    return Skeleton(
        begun=tuple(runs),
        lengths=tuple(lengths),
        gaps=tuple(gaps[: len(runs) - 1]),
        rest=sum(len(texts[i]) - at for i, at in place.items()) / len(place),
        stops=place,
        ways=ways,
    )


def _ways(texts: Sequence[Sequence[str]], place: dict[int, int], least: float) -> tuple[tuple[int, ...], ...]:
    """The ways in which nearly all texts go on, each with fixed words of its own; none if there are not two of them.

    If the words behind the first one are much the same in two ways, the first word is a value in a slot.
    """
    first: dict[str, list[int]] = {}
    for i, at in place.items():
        if at < len(texts[i]):
            first.setdefault(texts[i][at], []).append(i)
    ways: list[tuple[int, ...]] = []
    words: list[set[str]] = []
    for _, some in sorted(first.items()):
        if len(some) < least:
            continue
        found = skeleton([texts[i] for i in some], [place[i] for i in some], at_most=1)
        if found is None or found.lengths[0] < ROW:
            continue
        text = some[min(found.stops)]
        own = set(texts[text][place[text] + 1 : place[text] + min(found.lengths[0], 2 * ROW)])
        if any(2 * len(own & other) >= min(len(own), len(other)) for other in words):
            return ()
        ways.append(tuple(some))
        words.append(own)
    if len(ways) < 2 or sum(map(len, ways)) < (1 - EXCEPTIONAL) * len(place):
        return ()
    return tuple(sorted(ways, key=len, reverse=True))


def _next_word(texts: Sequence[Sequence[str]], place: dict[int, int], need: float) -> str | None:
    """The next token of nearly all texts; None if they differ."""
    words = Counter(texts[i][at] for i, at in place.items() if at < len(texts[i]))
    if not words:
        return None
    word, count = min(words.items(), key=lambda item: (-item[1], item[0]))
    return word if count >= need and not has_digit(word) else None


def _anchored(
    texts: Sequence[Sequence[str]], place: dict[int, int], need: float, longest: int
) -> dict[int, int] | None:
    """Where the texts go on with common words behind a slot of at most ``longest`` tokens; None if they do not."""
    for width, reach in ((1, NEAR), (ROW, longest)):
        first: dict[tuple[str, ...], dict[int, int]] = {}
        for i, at in place.items():
            text = texts[i]
            for position in range(at, min(at + reach, len(text) - width + 1)):
                words = tuple(text[position : position + width])
                if not any(map(has_digit, words)) and (width > 1 or any(map(str.isalnum, words[0]))):
                    first.setdefault(words, {}).setdefault(i, position)
        common = {words: found for words, found in first.items() if len(found) >= need}
        if common:
            nearest = min(common, key=lambda words: (sum(common[words].values()) / len(common[words]), words))
            return common[nearest]
    return None
