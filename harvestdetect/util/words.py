"""Splits texts into words, whatever their script. Every place that splits texts or counts words calls this module.

The registry is the exception (``corpus/registry.py``): it counts two characters of such a script as one word, so that
an entry does not depend on the version of a dictionary.

Most scripts put a blank between two words. Chinese, Japanese, Thai, Lao, Khmer and Burmese do not. A *run* of their
letters is cut by the word rules of ICU, which has a dictionary of each of these languages. A run is cut by itself, so
its words do not depend on what stands before and after it. Other scripts without blanks, such as Tai Lue, have no
dictionary, and their words end at blanks and marks like those of English.

A combining mark belongs to the word of the letter before it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

__all__ = [
    *("RUN_LETTERS", "Span", "borders", "combining_marks", "count_words", "has_runs", "is_plain", "is_spelled"),
    *("joined", "letters", "segmenter", "spaced", "token_spans", "words"),
]

Span = tuple[int, int]
"""Where a word or a mark starts and ends in its text, in characters."""

RUN_CHARACTERS: Final = 1_000
"""Characters of a run that are cut at a time. It bounds memory; a word at the border is read again."""
KNOWN_CHARACTERS: Final = 100
"""Characters of a run up to which its words are remembered."""
NEAR: Final = 100
"""Characters before and after a place that are read to find words there."""
KNOWN_RUNS: Final = 1 << 14
"""Runs whose words are remembered."""

_RANGES: Final = {
    "han": "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
    "kana": "\u3041-\u3096\u3099-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001b000-\U0001b16f",
    "thai": "\u0e01-\u0e3a\u0e40-\u0e4e",
    "lao": "\u0e81-\u0ecf\u0edc-\u0edf",
    "khmer": "\u1780-\u17d3\u17d7\u17dc\u17dd",
    "burmese": "\u1000-\u103f\u1050-\u108f\u109a-\u109d\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaa7f",
}
"""Letters of the scripts without blanks between words, without digits and punctuation."""
RUN_LETTERS: Final = "".join(_RANGES.values())
"""Letters of the scripts without blanks between words, as the inside of a character class of a pattern."""
_HIDDEN: Final = "\u200b-\u200d\u2060"
"""Invisible characters that stand within runs: they end a word or join its letters, and are no words."""
_HAS_RUN: Final = re.compile(f"[{RUN_LETTERS}]")
_SYLLABLE: Final = re.compile(f"[{_RANGES['han']}\uac00-\ud7a3]")
"""A Chinese character or a Korean syllable."""
_KANA: Final = re.compile(f"[{_RANGES['kana']}]")
_PLAIN: Final = re.compile(r"\w+|[^\w\s]|\n")
"""A word, a single mark or the end of a line in a text without runs and combining marks."""
_WORD: Final = re.compile(r"\w+")
_BEYOND_LATIN: Final = re.compile("[^\x00-\u02ff]+")
"""Characters after the Latin letters. All combining marks and letters of runs are among them."""


def is_plain(text: str) -> bool:
    """Whether the words of a text are the matches of ``\\w+``: it has no runs and no combining marks."""
    if text.isascii():
        return True
    # The pattern has hundreds of ranges, so it is slow where nothing matches: each character is tested once.
    return not (has_runs(text) or _patterns()[0].search("".join({*"".join(_BEYOND_LATIN.findall(text))})))


def has_runs(text: str) -> bool:
    """Whether a text has letters of a script without blanks between words."""
    return not text.isascii() and _HAS_RUN.search(text) is not None


def token_spans(text: str) -> Iterator[Span]:
    """The words, single marks and line ends of a text, in order. Blanks are in none of them."""
    if is_plain(text):
        return map(re.Match.span, _PLAIN.finditer(text))
    return ((start, stop) for start, stop, _ in _tokens(text))


def words(text: str) -> list[str]:
    """The words of a text, without marks and line ends."""
    if is_plain(text):
        return _WORD.findall(text)
    return [text[start:stop] for start, stop, _ in _tokens(text) if _begins_word(text, start)]


def count_words(text: str) -> int:
    """The number of words of a text with single blanks between them; "don't" is one word.

    In a text with runs, each word of a run counts, and so does each word between marks.
    """
    return len(words(text)) if has_runs(text) else text.count(" ") + 1


def spaced(text: str) -> str:
    """A text with a blank before each word that a run is in front of, or that is in a run itself.

    So it can be split at blanks. Nothing else is changed, and a text without runs not at all.
    """
    if not has_runs(text):
        return text
    found: list[str] = []
    last, after_run = 0, False
    for start, _, in_run in _tokens(text):
        close = start > 0 and not text[start - 1].isspace()
        after_run &= close
        if close and (in_run or (after_run and _begins_word(text, start))):
            found += (text[last:start], " ")
            last = start
        after_run |= in_run
    return "".join([*found, text[last:]])


def letters(text: str) -> int:
    """The number of letters that a text would have in an alphabet; for other scripts, of its characters.

    A Chinese character and a Korean syllable count as three letters, a kana as two: about as many as their
    transcriptions have.
    """
    if text.isascii():
        return len(text)
    return len(text) + 2 * len(_SYLLABLE.findall(text)) + len(_KANA.findall(text))


def is_spelled(word: str) -> bool:
    """Whether a word has only letters and combining marks: no digits and no underscores."""
    return word.isalpha() or (
        not word.isascii() and all(c.isalpha() or unicodedata.category(c)[0] == "M" for c in word)
    )


def joined(left: str, right: str) -> str:
    """Two pieces of a text as one: with a blank between them, unless a script without blanks needs none.

    The blank stays where the words of both would become others without it.
    """
    whole = left + right
    near = left[-1:] + right[:1]
    if has_runs(near) and words(whole) == [*words(left), *words(right)]:
        return whole
    return f"{left} {right}"


def borders(text: str, place: int) -> Span | None:
    """Where the nearest token up to a place ends, and where the nearest one from it on starts.

    None where no letter of a run is near the place. Text that is further away than :data:`NEAR` is not read.
    """
    start = max(place - NEAR, 0)
    near = text[start : place + NEAR]
    if not has_runs(near):
        return None
    found = list(token_spans(near))
    ends = [b for _, b in found if b <= place - start]
    starts = [a for a, _ in found if a >= place - start]
    return start + (ends[-1] if ends else 0), start + (starts[0] if starts else len(near))


@lru_cache(maxsize=1)
def combining_marks() -> str:
    """All combining marks, as the inside of a character class of a pattern."""
    marks = [code for code in range(0x300, 0x20000) if unicodedata.category(chr(code))[0] == "M"]
    marks += range(0xE0100, 0xE01F0)
    starts = [code for code, before in zip(marks, [0, *marks], strict=False) if code != before + 1]
    stops = [code for code, after in zip(marks, [*marks[1:], 0], strict=True) if after != code + 1]
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(starts, stops, strict=True))


@lru_cache(maxsize=1)
def segmenter() -> str:
    """Name and version of what cuts runs. Other versions may find other words."""
    import icu4py

    return f"ICU {icu4py.icu_version}"


# ---------------------------------------------------------------- runs


def _begins_word(text: str, place: int) -> bool:
    return text[place].isalnum() or text[place] == "_"


def _tokens(text: str) -> Iterator[tuple[int, int, bool]]:
    """The tokens of a text that is not plain: where each starts and ends, and whether it is in a run."""
    for match in _patterns()[1].finditer(text):
        start, stop = match.span()
        if match.lastindex:
            yield from ((start + a, start + b, True) for a, b in _cut(match.group()))
        else:
            yield start, stop, False


def _cut(run: str) -> Iterator[Span]:
    """The words of a run."""
    if len(run) <= KNOWN_CHARACTERS:
        yield from _known(run)
        return
    start = 0
    while start < len(run):
        piece = run[start : start + RUN_CHARACTERS]
        cuts = _icu(piece)
        if start + len(piece) < len(run) and len(cuts) > 1:
            piece = piece[: cuts.pop()[0]]
        yield from ((start + a, start + b) for a, b in cuts)
        start += len(piece)


@lru_cache(maxsize=KNOWN_RUNS)
def _known(run: str) -> tuple[Span, ...]:
    return tuple(_icu(run))


def _icu(run: str) -> list[Span]:
    """The words of a run by the rules of ICU. Those for runs are the same in every locale."""
    from icu4py.breakers import WordBreaker

    found = []
    stop = 0
    for word in WordBreaker(run, "en"):
        start, stop = stop, stop + len(word)
        if word.strip("\u200b\u200c\u200d\u2060"):
            found.append((start, stop))
    return found


@lru_cache(maxsize=1)
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns of a character with which a text is not plain, and of a run (group 1) or another token."""
    mark = combining_marks()
    run = f"[{RUN_LETTERS}][{RUN_LETTERS}{mark}{_HIDDEN}]*"
    word = rf"[^\W{RUN_LETTERS}](?:[^\W{RUN_LETTERS}]|[{mark}])*"
    return re.compile(f"[{RUN_LETTERS}{mark}]"), re.compile(rf"({run})|{word}|[^\w\s]|\n")
