"""Identifiers as text, and one spelling for each account.

Programs write the id of one account in several ways, and spreadsheets destroy ids. Each account has one spelling here:

* Text without white space and invisible characters around it, without quotes, in the compatible form of Unicode (NFKC).
* A whole number without ``.0``.
* A UUID in small letters and without braces.
* An e-mail address in small letters.

All other ids keep their capitals, unless the file has most of its accounts in two spellings that differ only in
capitals. A number that lost digits is no id: several accounts would be one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pyarrow as pa

from harvestdetect.dump.values.text_columns import TextColumn

__all__ = ["FileAccounts", "capitals_do_not_count", "is_request", "is_rounded", "spelling", "to_text"]

_LARGEST_EXACT: Final = 2.0**53
"""Largest float up to which every whole number is a float. Larger numbers are not identifiers."""
_MOST_KNOWN: Final = 200_000
"""Number of accounts of a file whose spelling is remembered."""
_FEWEST_PAIRS: Final = 10
"""Fewest accounts in spellings that differ only in capitals for which capitals do not count."""
_PAIRED: Final = 0.5
"""Share of the accounts with several rows that must have several such spellings."""
_SHORTEST_REQUEST: Final = 6
"""Characters of the shortest id of a request."""
_UUID: Final = re.compile(
    r"(?:urn:uuid:)?\{?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\}?", re.IGNORECASE | re.ASCII
)
_WITH_ZEROS: Final = re.compile(r"(-?[0-9]{1,30})\.0{1,10}", re.ASCII)
_ROUNDED: Final = re.compile(r"(-?[0-9])(?:[.,]([0-9]{1,17}))?[eE]\+([0-9]{1,2})", re.ASCII)
_MAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_QUOTES: Final = ('""', "''")


def to_text(value: Any) -> str | None:
    """An identifier as text, stripped; None if it is missing, empty, or neither a text nor a whole number."""
    if isinstance(value, str):
        return value.strip() or None
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return _digits(value)
    if isinstance(value, float):
        return _digits(int(value)) if value.is_integer() and abs(value) <= _LARGEST_EXACT else None
    if isinstance(value, Decimal):
        if not value.is_finite() or value.adjusted() > 60:
            return None
        return _digits(int(value)) if value == value.to_integral_value() else None
    if isinstance(value, UUID):
        return str(value)
    return None


def _digits(value: int) -> str | None:
    try:
        return str(value)
    except ValueError:  # thousands of digits
        return None


def is_rounded(value: Any) -> bool:
    """Whether an id is a number that lost its last digits, such as ``1.76436E+17``, in a spreadsheet for example."""
    if isinstance(value, float):
        return abs(value) > _LARGEST_EXACT
    if not isinstance(value, str) or "+" not in value:
        return False
    match = _ROUNDED.fullmatch(value.strip().strip("\"'"))
    return match is not None and int(match[3]) > len(match[2] or "")


def spelling(value: Any) -> str | None:
    """The one spelling of an account; None if the value is missing, empty or no id."""
    if not isinstance(value, str):
        return to_text(value)
    if not value.isascii():
        plain = unicodedata.normalize("NFKC", value)
        value = "".join(c for c in plain if unicodedata.category(c) != "Cf")
    text: str = value.strip()
    if len(text) > 2 and text[0] + text[-1] in _QUOTES:
        text = text[1:-1].strip()
    if "@" in text:
        return text.lower() if _MAIL.fullmatch(text) else text
    if 36 <= len(text) <= 47 and (match := _UUID.fullmatch(text)):
        return str(match[1]).lower()
    if "." in text and (match := _WITH_ZEROS.fullmatch(text)):
        return str(match[1])
    if "+" in text and (match := _ROUNDED.fullmatch(text)):
        decimals, exponent = match[2] or "", int(match[3])
        return None if exponent > len(decimals) else _whole(match[1], decimals, exponent, text)
    return text or None


def _whole(first: str, decimals: str, exponent: int, text: str) -> str:
    """A number with all its digits, such as ``1.5E+01``, as whole number; as it is if it is none."""
    return text if decimals[exponent:].strip("0") else first + decimals[:exponent]


def is_request(value: str) -> bool:
    """Whether a text can be the id of a request. Short texts and zeros stand for none, or are numbers of a client."""
    return len(value) >= _SHORTEST_REQUEST and len(set(value) - {"-"}) > 1


class FileAccounts:
    """Spells the accounts of a file, block by block. The first block decides whether capitals count."""

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {}
        self._without_capitals: bool | None = None
        self._mails = 0
        self._others = 0

    def texts(self, values: Sequence[Any]) -> TextColumn:
        """The accounts of the next rows; None where there is none."""
        if self._without_capitals is None:
            self._without_capitals = capitals_do_not_count(values)
        if isinstance(values, TextColumn):
            distinct, numbers = values.coded()
            spelled = self._spelled(distinct)
            return values if spelled == distinct else TextColumn(pa.array(spelled, pa.string()).take(numbers))
        spelled = self._spelled(values)
        return TextColumn(pa.array(spelled, pa.string()), spelled)

    def _spelled(self, values: Sequence[Any]) -> list[str | None]:
        """The accounts of some values. A value that is not known costs a call."""
        try:
            found = list(map(self._known.get, values))
        except TypeError:  # a list or an object
            return [self._one(value) for value in values]
        if None in found:
            unknown = [place for place, name in enumerate(found) if name is None]
            for place in unknown:
                found[place] = self._one(values[place])
        return found

    def _one(self, value: Any) -> str | None:
        found = spelling(value)
        if type(value) is not str:
            return found
        plain = value.strip()
        if found is not None and found != plain:
            if "@" in found:
                self._mails += 1
            else:
                self._others += 1
        if found is not None and self._without_capitals:
            found = found.lower()
        if len(self._known) < _MOST_KNOWN:
            self._known[value] = found
        return found

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know about the accounts, one sentence each."""
        found = []
        if self._without_capitals:
            found.append("most account ids are written in two ways that differ only in capitals; they count as one")
        if self._mails:
            found.append(f"{self._mails:,} e-mail addresses with capitals are written in small letters")
        if self._others:
            found.append(
                f"{self._others:,} account ids are written in another way than others, such as 9001.0, with quotes or "
                "braces, or in full-width letters; each is the same account as its plain spelling"
            )
        return tuple(found)


def capitals_do_not_count(values: Sequence[Any]) -> bool:
    """Whether most accounts with several rows have spellings that differ only in capitals."""
    rows = Counter(value for value in values if type(value) is str)
    ways: dict[str, int] = {}
    several: Counter[str] = Counter()
    for value, count in rows.items():
        if value.isupper() or value.islower():  # an id with both has its capitals for a reason
            small = value.lower()
            ways[small] = ways.get(small, 0) + 1
            several[small] += count
    paired = sum(count > 1 for count in ways.values())
    return paired >= _FEWEST_PAIRS and paired >= _PAIRED * sum(count > 1 for count in several.values())
