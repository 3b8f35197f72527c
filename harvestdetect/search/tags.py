"""Tags: names for shared values that do not say what the values are, such as ``card#a3f1``.

A tag is the beginning of a digest of the field and the value, just long enough to be the only one among the values of
the window. So it is the same from night to night and in every window, except that it may need a further digit when
values come. Thousands of addresses have the same four digits, so a tag alone does not give an address away; whoever has
a value can still compute its tag.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from harvestdetect.util.arrays import Ints, Words

__all__ = ["WORDS", "digits_of", "is_tag", "matching", "tag_digests"]

WORDS: Final[Mapping[str, str]] = {
    "org": "org",
    "ip": "address",
    "network": "network",
    "asn": "operator",
    "user_agent": "client",
    "api_key": "key",
    "payment": "card",
    "email_domain": "domain",
}
"""The fields whose values can be shared, and the word that a tag of each begins with."""
LEAST_DIGITS: Final = 4
"""Fewest hexadecimal digits of a tag."""
_BITS: Final = 64
"""Bits of the digest that a tag is the beginning of."""
_TAG: Final = re.compile(rf"({'|'.join(WORDS.values())})\s?#([0-9a-f]{{{LEAST_DIGITS},16}})", re.IGNORECASE)


def tag_digests(field: str, values: Sequence[str]) -> Words:
    """The digest of each of n values of a field, of which tags are beginnings: uint64[n]."""
    raw = b"".join(
        hashlib.blake2b(f"{field}\0{value}".encode("utf-8", "surrogatepass"), digest_size=_BITS // 8).digest()
        for value in values
    )
    return np.frombuffer(raw, ">u8").astype(np.uint64)


def is_tag(text: str) -> tuple[str, str] | None:
    """The field and the digits of a tag; None if the text is none."""
    found = _TAG.fullmatch(text.strip())
    if found is None:
        return None
    word = found[1].lower()
    return next(field for field, name in WORDS.items() if name == word), found[2].lower()


def matching(digests: Words, digits: str) -> Ints:
    """Positions of the values whose tag begins with some digits.

    Args:
        digests: uint64[n], see :func:`tag_digests`.
        digits: hexadecimal.
    """
    shift = np.uint64(_BITS - 4 * len(digits))
    return np.flatnonzero((digests >> shift) == np.uint64(int(digits, 16)))


def digits_of(digests: Words, position: int) -> str:
    """The digits of the tag of one of n values: as few as make it the only one, and at least four."""
    own = digests[position]
    others = np.delete(digests, position) if len(digests) > 1 else digests[:0]
    apart = int((others ^ own).min()).bit_length() if len(others) else 0
    same = _BITS - apart if len(others) else 0
    return f"{int(own):016x}"[: min(max(LEAST_DIGITS, same // 4 + 1), _BITS // 4)]
