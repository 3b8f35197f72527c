"""Normalised texts: texts that look the same to a reader become the same string.

The original is kept for display. Normalising cannot be reversed.

Two limits bound the cost of a text. Only the first 30 marks of a run of combining marks are kept, as in Unicode's
Stream-Safe Text Format (UAX 15, section 13): no language needs as many, and sorting a run takes quadratic time. And the
normalised form has at most twice as many bytes of UTF-8 as the text, plus 64: some letters become 18 when compatibility
forms are unified. The rest is left out. Texts that people write are far below both limits.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from harvestdetect.util.words import RUN_LETTERS, combining_marks, count_words, has_runs, letters

__all__ = ["is_wordy", "normalize", "outline", "sentences"]

# Letters of other scripts that look like Latin ones (the lower-case ones; text is folded first).
_CONFUSABLE: Final = str.maketrans(
    {
        # Cyrillic
        "а": "a", "с": "c", "ԁ": "d", "е": "e", "һ": "h", "і": "i", "ј": "j", "ӏ": "l", "о": "o", "р": "p",
        "ԛ": "q", "ѕ": "s", "ԝ": "w", "х": "x", "у": "y", "ү": "y", "ѵ": "v", "к": "k", "м": "m", "т": "t",
        "п": "n", "г": "r", "в": "b", "н": "h",
        # Greek
        "α": "a", "ε": "e", "ι": "i", "κ": "k", "ν": "v", "ο": "o", "ρ": "p", "τ": "t", "υ": "u", "χ": "x",
        "γ": "y", "η": "n", "ω": "w", "ϲ": "c", "ϳ": "j",
        # Armenian, Latin letters that NFKC keeps apart
        "օ": "o", "ս": "u", "հ": "h", "ո": "n", "ց": "g", "ı": "i", "ɑ": "a", "ɡ": "g", "ɩ": "i", "ʟ": "l",
    }
)  # fmt: skip

_CONTROL: Final = {c: None for c in range(32) if chr(c) not in "\t\n\v\f\r\x1c\x1d\x1e\x1f"} | {127: None}
_CONTROLS: Final = re.compile("[" + "".join(rf"\x{c:02x}" for c in _CONTROL) + "]+")
_CONFUSABLES: Final = re.compile("[" + "".join(map(chr, _CONFUSABLE)) + "]")
_ASCII: Final = re.compile("[\0-\x7f]+")
_SMALL: Final = b"abcdefghijklmnopqrstuvwxyz"
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)
_STOP: Final = re.compile(
    "([.!?\u2026\u3002\uff01\uff1f\uff61\u0589\u061f\u06d4\u0964\u0965\u17d4\u17d5\u104b])"
    r"(?:[\"')\]»”]*\s+|(?=[^\s.!?\d\w])|(?<=[\u3002\uff01\uff1f\uff61\u17d4\u17d5\u104b]))"
)
"""A full stop, and what shows that it ends a sentence. Those of scripts without blanks between words always do."""
_SPACE: Final = re.compile(r"\s")
_PRINTABLE: Final = re.compile("[ -~]")
_LINE: Final = re.compile(r"[\n\r\u2028\u2029]+")

_DIGITS: Final = re.compile(r"\d+")

MARKS: Final = 30
"""Most combining marks of a run that are kept."""
PIECE: Final = 1 << 12
"""Characters that are normalised at a time. Python needs time quadratic in the growth of a text."""
WORDY: Final = 256
"""Characters of a text in which words are looked for to know whether it has enough of them."""
SLACK: Final = 64
"""Bytes that a normalised form may have in addition to twice those of its text, which may be a single letter."""


def normalize(text: str) -> str:
    """The normalised form of a text.

    Compatibility forms are unified (NFKC), invisible and control characters are dropped, case is folded, and white
    space is collapsed to single blanks. In a text of mainly Latin letters, letters of other scripts that look Latin
    become the Latin ones, so that "ехplаin" with two Cyrillic letters becomes "explain".

    The form of a text of n bytes has at most ``2 * n + 64`` bytes of UTF-8, and at most 30 combining marks in a run.
    """
    if text.isascii():
        return _spaced(text.translate(_CONTROL).lower())
    few, _ = _mark_runs()
    if few.search(text[::MARKS]):  # a longer run includes one of these places
        text = _with_fewer_marks(text)
    text = _folded(text)
    if _CONFUSABLES.search(text) and _is_latin(text):
        text = text.translate(_CONFUSABLE)
        text = "".join(unicodedata.normalize("NFKC", piece) for piece in _pieces(text))
    return _spaced(text)


def _folded(text: str) -> str:
    """A text in unified forms and lower case, without invisible and control characters, cut at its limit."""
    found: list[str] = []
    grown = False
    left = 0  # bytes, counted when the form has become longer than the text
    for piece in _pieces(text):
        form = _CONTROLS.sub("", _INVISIBLE.sub("", unicodedata.normalize("NFKC", piece)))
        form = unicodedata.normalize("NFKC", form.casefold())
        if not grown and len(form) > len(piece):
            # Until then each letter, of at least two bytes, has become one of at most four.
            grown = True
            left = 2 * len(text.encode("utf-8", "surrogatepass")) + SLACK - sum(len(f.encode()) for f in found)
        if grown:
            raw = form.encode()
            if len(raw) > left:
                found.append(raw[:left].decode("utf-8", "ignore"))
                break
            left -= len(raw)
        found.append(form)
    return "".join(found)


def _spaced(text: str) -> str:
    """A text with single blanks between words, made in pieces: a list of all words needs ten times the memory."""
    if len(text) <= 64 * PIECE:
        return " ".join(text.split())
    found = []
    start = 0
    while start < len(text):
        stop = start + 64 * PIECE
        while stop < len(text) and not text[stop].isspace():
            nearest = _SPACE.search(text, stop)
            stop = nearest.start() if nearest else len(text)
        if words := " ".join(text[start:stop].split()):
            found.append(words)
        start = stop
    return " ".join(found)


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces that can be normalised separately.

    A piece begins with a printable ASCII character if there is one, because that never combines with what is before
    it. A long stretch without any is cut before a letter that never combines with the letter before it, or else
    anywhere.
    """
    start, size = 0, len(text)
    while size - start > PIECE:
        stop = start + PIECE
        found = [match.start() for match in _PRINTABLE.finditer(text, stop - 64, stop)]
        place = found[-1] if found else _before_a_starter(text, stop)
        yield text[start:place]
        start = place
    yield text[start:]


def _before_a_starter(text: str, stop: int) -> int:
    """The last place within 256 characters before ``stop`` across which nothing combines, or else ``stop``."""
    joining = _joining()
    for place in range(stop, stop - 256, -1):
        first = unicodedata.normalize("NFKD", text[place])[0]
        if not unicodedata.combining(first) and first not in joining:
            return place
    return stop


@lru_cache(maxsize=1)
def _joining() -> frozenset[str]:
    """Letters that combine with the letter before them: vowels of Hangul and of some Indian scripts."""
    found = {chr(c) for c in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}
    for code in range(0xC0, 0x20000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            found.add(chr(int(parts[1], 16)))
    return frozenset(found)


@lru_cache(maxsize=1)
def _mark_runs() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns of a combining mark, and of a run with more marks than are kept."""
    marks = [code for code in range(0x300, 0x1F000) if unicodedata.combining(chr(code))]
    starts = [code for code, before in zip(marks, [0, *marks], strict=False) if code != before + 1]
    stops = [code for code, after in zip(marks, [*marks[1:], 0], strict=True) if after != code + 1]
    inner = "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(starts, stops, strict=True))
    return re.compile(f"[{inner}]"), re.compile(f"([{inner}]{{{MARKS}}})[{inner}]+")


def _with_fewer_marks(text: str) -> str:
    return _mark_runs()[1].sub(r"\1", text)


def _is_latin(text: str) -> bool:
    """Whether more than half of the letters are a to z."""
    ascii_part = text.encode("ascii", "ignore")
    latin = len(ascii_part) - len(ascii_part.translate(None, _SMALL))
    letters = sum(map(str.isalpha, _ASCII.sub("", text)))
    return latin > letters + len(ascii_part) - len(ascii_part.translate(None, _SMALL.upper()))


def sentences(text: str) -> Iterator[str]:
    """The lines and sentences of an original, normalised, without empty ones."""
    cut = _STOP.split(text)
    for piece, stop in zip(cut[::2], [*cut[1::2], ""], strict=True):
        for line in _LINE.split(piece + stop):
            if line and (clean := normalize(line)):
                yield clean


def is_wordy(text: str, *, characters: int = 24, words: int = 4) -> bool:
    """Whether a normalised text has enough words for its repetition to be meaningful.

    In Korean, two syllables count as a word.
    """
    if has_runs(text):
        text = text[:WORDY]
        return letters(text) >= characters and count_words(text) >= words
    if len(text) < characters and text.isascii():
        return False
    blanks = text.count(" ") + 1
    wide = sum(c > "\u2e80" for c in text) if not text.isascii() else 0
    return max(blanks, wide // 2) >= words and (len(text) >= characters or wide >= 2 * words)


@lru_cache(maxsize=1)
def _label() -> re.Pattern[str]:
    """A pattern of a label at the beginning of a line. Wide marks need no blank behind them."""
    name = rf"[^\W\d][\w{combining_marks()} /-]{{0,40}}"
    return re.compile(
        r"^[ \t]*(?:(#{1,6} [^\n]{1,60}|\[[^\]\n]{2,60}\]|<[^>\n]{2,60}>)[ \t]*$"
        rf"|(\(?\w{{1,3}}[.):]|{name}:)(?=\s|$)|({name}:)(?=[{RUN_LETTERS}])|([(（]?\w{{1,3}}[．）、]|{name}：))",
        re.MULTILINE,
    )


def outline(text: str, *, labels: int = 3) -> str:
    """The labels at the beginnings of the lines of a text, normalised: "question: | a. | b. | answer:".

    Items of an exam or fields of a form share it even if they share nothing else. Numbers become "#", so that "1." and
    "2." are the same label, and equal neighbours become one. Empty if there are fewer than ``labels`` different ones.
    """
    if "\n" not in text:
        return ""
    found: list[str] = []
    for match in _label().finditer(text):
        label = _DIGITS.sub("#", normalize(match.group(match.lastindex or 0)))
        if label and found[-1:] != [label]:
            found.append(label)
    return " | ".join(found) if len(set(found)) >= labels else ""
