"""Removes personal data and secrets from examples: addresses, numbers, keys."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Final

__all__ = ["redact"]

_Part = Callable[[str], object]
_Kind = str | Callable[[re.Match[str]], str]

_LONGEST: Final = 45
"""Most characters of an IPv6 address, reached by one that ends in an IPv4 address."""
_LEAST: Final = 4
"""Fewest groups of an IPv6 address; one fewer if ``::`` is between them. C++ names and slices have fewer."""


def _address(match: re.Match[str]) -> str:
    """The replacement of a run of groups and colons, which may be an IPv6 address."""
    found, text = match[0], match.string
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    # A single colon is punctuation, and "::" beside a word, or beside a replacement, belongs to it.
    worded = before.isalnum() or before in ("_", "]")
    colons = len(found) - len(found.lstrip(":"))
    start = colons if colons == 1 or worded else 0
    worded = after.isalnum() or after in ("_", "[")
    colons = len(found) - len(found.rstrip(":"))
    end = len(found) - (colons if colons == 1 or worded else 0)
    address = found[start:end]
    if not 0 < len(address) <= _LONGEST or not _DIGIT.search(address):
        return found
    groups = len([group for group in address.split(":") if group]) + ("." in address)
    inner = "::" in address and ":" not in (address[0], address[-1])
    if groups < (_LEAST - 1 if inner else _LEAST):
        return found
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return found
    return f"{found[:start]}[ip]{found[end:]}"


_AT_HOST: Final = re.compile(r"@(?<=[\w.+-]@)[\w-]{1,63}\.[\w-]")
"""What every e-mail address has inside."""
_TWO_COLONS: Final = re.compile(r":[0-9A-Fa-f]{0,4}:")
"""What the pattern of an IPv6 address needs to match."""

_RULES: Final[tuple[tuple[_Part, re.Pattern[str], _Kind], ...]] = (
    (_AT_HOST.search, re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "[e-mail]"),
    (
        re.compile(r"(?:sk|pk|ghp|gho|xox[abp]|AKIA|AIza)[-_]?[A-Za-z0-9_-]{12}").search,
        re.compile(r"\b(?:sk|pk|ghp|gho|xox[abp]|AKIA|AIza)[-_]?[A-Za-z0-9_-]{12,}"),
        "[key]",
    ),
    (
        lambda text: any(start in text for start in ("ghr_", "ghs_", "ghu_", "github_pat_", "hf_")),
        re.compile(r"\b(?:(?:gh[rsu]|github_pat)_[A-Za-z0-9_-]{12,}|hf_[A-Za-z0-9]{20,})"),
        "[key]",
    ),
    (
        lambda text: "eyJ" in text,
        # A run of these letters is read at most twice: up to the first beginning in it, and from there.
        re.compile(
            r"(?<![A-Za-z0-9_-])((?>(?:[A-Za-z0-9_-]*?-)??(?=eyJ)))"
            r"eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+)?"
        ),
        r"\1[token]",
    ),
)
"""Rules: a quick test whether the rule can match, its pattern, and the replacement.

Each rule takes time linear in the length of the text, whatever the text is.
"""
_IPV6: Final[tuple[_Part, re.Pattern[str], _Kind]] = (
    lambda text: text.count(":") >= _LEAST - 1 and _TWO_COLONS.search(text),
    re.compile(
        r"(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:)"
        r"(?:(?<![0-9A-Za-z_])[0-9A-Fa-f]{1,4}(?![0-9A-Za-z_])|:)++"
        r"(?:(?:\.[0-9]{1,3}){3}(?![0-9A-Za-z_]))?"
    ),
    _address,
)
_NUMBERS: Final[tuple[tuple[_Part, re.Pattern[str], _Kind], ...]] = (
    (
        re.compile(r"[0-9a-fA-F]{32}").search,
        re.compile(r"\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{32,}\b"),
        "[hex]",
    ),
    _IPV6,
    (re.compile(r"\d(?:\.\d{1,3}){2}\.\d").search, re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "[ip]"),
    (
        re.compile(r"\d(?:[ ()-]{0,3}\d){8}").search,
        re.compile(r"(?<![\w.])\+?\(?\d(?:[ ()-]{0,3}\d){8,18}(?!\w)"),
        "[number]",
    ),
    _IPV6,  # again, because a number may have hidden an address
)
"""Further rules, which can match only in a text with a digit."""
_DIGIT: Final = re.compile(r"\d")


def redact(text: str) -> str:
    """A text in which e-mail and network addresses, long numbers, keys and tokens are replaced by their kind."""
    for may, pattern, kind in _RULES:
        if may(text):
            text = pattern.sub(kind, text)
    if _DIGIT.search(text):
        for may, pattern, kind in _NUMBERS:
            if may(text):
                text = pattern.sub(kind, text)
    return text
