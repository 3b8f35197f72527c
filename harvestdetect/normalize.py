"""Text as it is compared: what an eye would read as the same becomes the same string.

The original is kept beside it for display. Nothing here is reversible.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

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
_STOP: Final = re.compile(r"([.!?…。！？])(?:[\"')\]»”]*\s+|(?=[^\s.!?\d\w])|(?<=[。！？]))")
_LINE: Final = re.compile(r"[\n\r\u2028\u2029]+")

_LABEL: Final = re.compile(
    r"^[ \t]*(?:(#{1,6} [^\n]{1,60}|\[[^\]\n]{2,60}\]|<[^>\n]{2,60}>)[ \t]*$"
    r"|(\(?\w{1,3}[.):]|[^\W\d][\w /-]{0,40}:)(?=\s|$))",
    re.MULTILINE,
)
_DIGITS: Final = re.compile(r"\d+")


def normalize(text: str) -> str:
    """The form of a text that is compared.

    Compatibility forms are unified (NFKC), invisible and control characters dropped, case folded, white
    space collapsed to single blanks; in a text written mainly in Latin letters, letters of other scripts that
    look Latin become the Latin ones, so that "ехplаin" with two Cyrillic letters is "explain".
    """
    if text.isascii():
        return " ".join(text.translate(_CONTROL).lower().split())
    text = _CONTROLS.sub("", _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)))
    text = unicodedata.normalize("NFKC", text.casefold())
    if _CONFUSABLES.search(text) and _is_latin(text):
        text = unicodedata.normalize("NFKC", text.translate(_CONFUSABLE))
    return " ".join(text.split())


def _is_latin(text: str) -> bool:
    """Whether more than half of the letters are from a to z."""
    ascii_part = text.encode("ascii", "ignore")
    latin = len(ascii_part) - len(ascii_part.translate(None, _SMALL))
    letters = sum(map(str.isalpha, _ASCII.sub("", text)))
    return latin > letters + len(ascii_part) - len(ascii_part.translate(None, _SMALL.upper()))


def sentences(text: str) -> Iterator[str]:
    """The lines and sentences of an original text, normalised, empty ones left out."""
    cut = _STOP.split(text)
    for piece, stop in zip(cut[::2], [*cut[1::2], ""], strict=True):
        for line in _LINE.split(piece + stop):
            if line and (clean := normalize(line)):
                yield clean


def is_wordy(text: str, *, characters: int = 24, words: int = 4) -> bool:
    """Whether a normalised text says enough for its repetition to mean something.

    Scripts without blanks between words count a word for every two characters.
    """
    if len(text) < characters and text.isascii():
        return False
    blanks = text.count(" ") + 1
    wide = sum(c > "\u2e80" for c in text) if not text.isascii() else 0
    return max(blanks, wide // 2) >= words and (len(text) >= characters or wide >= 2 * words)


def outline(text: str, *, labels: int = 3) -> str:
    """The labels that the lines of a text begin with, normalised: "question: | a. | b. | answer:".

    Items of an exam or fields of a form share it when they share nothing else. Numbers become "#", so that "1." and
    "2." are the same label; equal neighbours are one. Empty where there are fewer than ``labels`` different ones.
    """
    if "\n" not in text:
        return ""
    found: list[str] = []
    for match in _LABEL.finditer(text):
        label = _DIGITS.sub("#", normalize(match.group(1) or match.group(2)))
        if label and found[-1:] != [label]:
            found.append(label)
    return " | ".join(found) if len(set(found)) >= labels else ""
