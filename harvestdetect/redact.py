"""Takes out of examples what tells about a person or opens a door: addresses, numbers, keys."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["redact"]

_RULES: Final = (
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "[e-mail]"),
    (re.compile(r"\b(?:sk|pk|ghp|gho|xox[abp]|AKIA|AIza)[-_]?[A-Za-z0-9_-]{12,}"), "[key]"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"), "[token]"),
    (re.compile(r"\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{32,}\b"), "[hex]"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "[ip]"),
    (re.compile(r"(?<![\w.])\+?\(?\d(?:[ ()-]{0,3}\d){8,18}(?!\w)"), "[number]"),
)


def redact(text: str) -> str:
    """A text with e-mail and network addresses, long numbers, keys and tokens replaced by their kind."""
    for pattern, kind in _RULES:
        text = pattern.sub(kind, text)
    return text
