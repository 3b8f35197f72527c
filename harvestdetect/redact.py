"""Takes out of examples what tells about a person or opens a door: addresses, numbers, keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

__all__ = ["redact"]

_Part = Callable[[str], object]

_RULES: Final[tuple[tuple[_Part, re.Pattern[str], str], ...]] = (
    (lambda text: "@" in text, re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "[e-mail]"),
    (
        re.compile(r"(?:sk|pk|ghp|gho|xox[abp]|AKIA|AIza)[-_]?[A-Za-z0-9_-]{12}").search,
        re.compile(r"\b(?:sk|pk|ghp|gho|xox[abp]|AKIA|AIza)[-_]?[A-Za-z0-9_-]{12,}"),
        "[key]",
    ),
    (
        lambda text: "eyJ" in text,
        re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
        "[token]",
    ),
)
"""What a text must have for the rule to find anything, quick to see; the rule; and what it puts in its place."""
_NUMBERS: Final[tuple[tuple[_Part, re.Pattern[str], str], ...]] = (
    (
        re.compile(r"[0-9a-fA-F]{32}").search,
        re.compile(r"\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{32,}\b"),
        "[hex]",
    ),
    (re.compile(r"\d\.\d").search, re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "[ip]"),
    (
        re.compile(r"\d(?:[ ()-]{0,3}\d){8}").search,
        re.compile(r"(?<![\w.])\+?\(?\d(?:[ ()-]{0,3}\d){8,18}(?!\w)"),
        "[number]",
    ),
)
"""The same, of rules for which it must have a digit too."""
_DIGIT: Final = re.compile(r"\d")


def redact(text: str) -> str:
    """A text with e-mail and network addresses, long numbers, keys and tokens replaced by their kind."""
    for may, pattern, kind in _RULES:
        if may(text):
            text = pattern.sub(kind, text)
    if _DIGIT.search(text):
        for may, pattern, kind in _NUMBERS:
            if may(text):
                text = pattern.sub(kind, text)
    return text
