"""What the ids of accounts tell: one mailbox under several addresses, user names from one series, adjacent numbers.

Only ids that are user names, e-mail addresses or numbers tell anything. Pseudonyms are random: they share nothing
beyond chance.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.corpus.account_fields import AccountField, account_field
from harvestdetect.template.alignment import MIN_LONG_LETTERS
from harvestdetect.util.arrays import Bools, Ints

__all__ = ["NO_NUMBER", "IdLinks", "links_by_id"]

NO_NUMBER: Final = -1
"""Of an account without a number."""
_MAIL: Final = re.compile(r"([^@\s]{1,64})@([^@\s]{1,255})")
_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_NUMBERED: Final = re.compile(r"(.*?)([0-9]{1,15})")
_DOTTED: Final = frozenset({"gmail.com", "googlemail.com"})
"""Mail providers for which dots in a name mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdLinks:
    """What ids have in common."""

    fields: dict[str, AccountField]
    """``mailbox`` and ``series``, where two accounts have one."""
    number: Ints
    """int64[a]: the number of an account; NO_NUMBER where its id is no number."""


def links_by_id(ids: Sequence[str], counted: Bools) -> IdLinks:
    """What the ids of accounts have in common.

    Args:
        ids: of the accounts.
        counted: bool[a], one account of each organisation: the others have nothing.
    """
    count = len(ids)
    same = _beginning(min(ids, default=""), max(ids, default="")) if count > 1 else ""
    boxes: list[str | None] = []
    series: list[str | None] = []
    number = np.full(count, NO_NUMBER)
    for place, (text, counts) in enumerate(zip(ids, counted.tolist(), strict=True)):
        id_ = text.strip().lower() if counts else ""
        mail = _MAIL.fullmatch(id_)
        boxes.append(_mailbox(mail[1], mail[2]) if mail else None)
        name = mail[1].partition("+")[0] if mail else id_.removeprefix(same.lower())
        parts = _NUMBERED.fullmatch(name)
        word = parts[1].rstrip("._-") if parts else name
        series.append(f"{word}@{mail[2] if mail else ''}" if sum(map(str.isalpha, word)) >= MIN_LONG_LETTERS else None)
        if _NUMBER.fullmatch(id_):
            number[place] = int(id_)
    found = {"mailbox": account_field(boxes), "series": account_field(series)}
    return IdLinks(fields={name: field for name, field in found.items() if field.twice}, number=number)


def _beginning(first: str, last: str) -> str:
    """What two texts, and all between them in order, begin with."""
    return "".join(a for a, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))


def _mailbox(name: str, domain: str) -> str:
    """An address without what a provider ignores: the part after a plus sign, and the dots of some."""
    name = name.partition("+")[0]
    return f"{name.replace('.', '') if domain in _DOTTED else name}@{domain}"
