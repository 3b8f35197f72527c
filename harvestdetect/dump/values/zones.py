"""Time zones as texts write them: offsets, abbreviations and names of the IANA database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["UNCERTAIN", "Zone", "split_zone"]

_SAME: Final = {
    0: "Z UTC GMT UT UCT ZULU WET",
    1: "CET MET MEZ WEST WAT BST",
    2: "CEST MEST MESZ EET SAST CAT OEZ",
    3: "EEST MSK EAT TRT OESZ",
    4: "GST SAMT",
    5: "PKT YEKT UZT",
    5.5: "IST",
    5.75: "NPT",
    6.5: "MMT",
    7: "WIB ICT NOVT",
    8: "HKT SGT PHT AWST MYT WITA",
    9: "JST KST WIT",
    9.5: "ACST",
    10: "AEST",
    10.5: "ACDT",
    11: "AEDT",
    12: "NZST",
    13: "NZDT",
    -2.5: "NDT",
    -3: "ADT BRT ART UYT",
    -3.5: "NST",
    -4: "EDT AST CLT",
    -5: "EST CDT COT PET",
    -6: "CST MDT",
    -7: "MST PDT",
    -8: "PST AKDT",
    -9: "AKST",
    -10: "HST",
}
"""Hours that the clocks of zones are ahead of UTC, and their abbreviations."""
_HOURS: Final = {name: hours for hours, names in _SAME.items() for name in names.split()}
"""Hours that the clocks of each zone are ahead of UTC."""
UNCERTAIN: Final = {
    "CST": "US Central (-06:00), not China",
    "IST": "India (+05:30), not Ireland or Israel",
    "BST": "British Summer Time (+01:00), not Bangladesh",
    "AST": "Atlantic (-04:00), not Arabia",
    "GST": "Gulf (+04:00), not South Georgia",
}
"""Abbreviations of several zones, with the one that is taken."""
_WORDS: Final = {
    "COORDINATED UNIVERSAL TIME": "UTC",
    "GREENWICH MEAN TIME": "GMT",
    "BRITISH SUMMER TIME": "WEST",
    "CENTRAL EUROPEAN STANDARD TIME": "CET",
    "CENTRAL EUROPEAN TIME": "CET",
    "CENTRAL EUROPEAN SUMMER TIME": "CEST",
    "EASTERN EUROPEAN STANDARD TIME": "EET",
    "EASTERN EUROPEAN SUMMER TIME": "EEST",
    "INDIA STANDARD TIME": "IST",
    "CHINA STANDARD TIME": "HKT",
    "JAPAN STANDARD TIME": "JST",
    "KOREAN STANDARD TIME": "KST",
    "SINGAPORE STANDARD TIME": "SGT",
} | {
    f"{place} {kind} TIME": place[0] + kind[0] + "T"
    for place in ("EASTERN", "CENTRAL", "MOUNTAIN", "PACIFIC")
    for kind in ("STANDARD", "DAYLIGHT")
}
"""Names of zones in words, with an abbreviation of the same offset."""
_LARGEST: Final = 15 * 3600
"""Seconds of the largest offset; a larger number is a year."""
_MINUS: Final = "-\u2212"
_MIDDLE: Final = re.compile(r"(:[0-9]{2}(?:[.,][0-9]+)?(?: ?[AaPp][Mm])?) +([A-Za-z]{1,5}|[+-][0-9]{4}) +([0-9]{4})$")
"""A zone between the time and the year, as the Unix command ``date`` writes it."""
_MONOTONIC: Final = re.compile(r" m=[+-][0-9.]+$")
"""The reading of a monotonic clock that Go appends."""
_REMARK: Final = re.compile(r"\s*\(([^()]*)\)$")
_BRACKET: Final = re.compile(r"\s*\[([A-Za-z0-9_+\-/]+)\]$")
_OFFSET: Final = re.compile(
    rf"(?:\s*(?:UTC|GMT))?\s*([+{_MINUS}])([0-9]{{1,2}})(?::?([0-9]{{2}})(?::?([0-9]{{2}}))?)?$", re.ASCII
)
_NAME: Final = re.compile(r"(?:\s+|(?<=[0-9]))([A-Za-z]{1,5})$")
_PLACE: Final = re.compile(r"\s+([A-Za-z]+(?:/[A-Za-z0-9_+\-]+){1,2}|[A-Z]{3}[0-9][A-Z]{3})$")
_IN_WORDS: Final = re.compile(r"\s+((?![AaPp]\.?[Mm])(?:[A-Za-z]+ ){2,3}[Tt]ime)$")
_TIMED: Final = re.compile(
    r"(?::[0-9]{2}(?:[.,:][0-9]+)?|[0-9]{8}[Tt_ ]?[0-9]{4,6}(?:[.,][0-9]+)?|\b[AaPp]\.?\s?[Mm]\.?)\Z"
)
"""How a text ends if an offset follows."""
_LONG: Final = re.compile(r" [+-][0-9]{2}:?[0-9]{2}\Z")
"""An offset that may also follow a date."""


@dataclass(frozen=True, slots=True)
class Zone:
    """The zone of a text."""

    offset: int | None = None
    """Seconds that its clocks are ahead of UTC; None if only a name is known, or nothing."""
    place: str | None = None
    """A name of the IANA database, such as ``Europe/Berlin``."""
    uncertain: str | None = None
    """The abbreviation, if several zones have it."""

    def ahead(self, moment: datetime) -> int | None:
        """Seconds that the clocks are ahead of UTC at a local time; None if the zone is not known."""
        if self.offset is not None:
            return self.offset
        if self.place is None or (zone := _zone_info(self.place)) is None:
            return None
        offset = moment.replace(tzinfo=zone).utcoffset()
        return None if offset is None else round(offset / timedelta(seconds=1))


_NONE: Final = Zone()


def split_zone(text: str) -> tuple[str, Zone]:
    """A text without the zone at its end, and the zone. An offset goes before a name."""
    if " m=" in text:
        text = _MONOTONIC.sub("", text)
    if text[-4:].isdigit():
        text = _MIDDLE.sub(r"\1 \3 \2", text)
    found = _NONE
    for _ in range(3):
        if not text or (text[-1].isdigit() and not any(sign in text[-10:] for sign in f"+{_MINUS}")):
            break
        rest, zone = _one_zone(text)
        if zone is None:
            break
        text = rest
        if found.offset is None and (zone.offset is not None or found.place is None):
            found = zone
    return text, found


def _one_zone(text: str) -> tuple[str, Zone | None]:
    """A text without the last mention of a zone; None if there is none."""
    if text[-1] == ")" and (match := _REMARK.search(text)):
        return text[: match.start()], _named(match[1]) or _NONE
    if text[-1] == "]" and (match := _BRACKET.search(text)):
        zone = _named(match[1])
        return (text, None) if zone is None else (text[: match.start()], zone)
    if match := _OFFSET.search(text):
        size = int(match[2]) * 3600 + int(match[3] or 0) * 60 + int(match[4] or 0)
        timed = _TIMED.search(text, 0, match.start()) or (":" in text[: match.start()] and _LONG.search(text))
        if size <= _LARGEST and timed:
            return text[: match.start()], Zone(offset=-size if match[1] in _MINUS else size)
    for pattern in (_IN_WORDS, _PLACE, _NAME):
        if (match := pattern.search(text)) and (zone := _named(match[1])) is not None:
            return text[: match.start()], zone
    return text, None


def _named(name: str) -> Zone | None:
    """The zone of an abbreviation or of a place; None if there is none."""
    short = name.upper()
    uncertain = short if short in UNCERTAIN else None
    hours = _HOURS.get(_WORDS.get(short, short))
    if hours is not None:
        return Zone(offset=round(hours * 3600), uncertain=uncertain)
    if ("/" in name or name[-1:].isupper()) and _zone_info(name) is not None:
        return Zone(place=name)
    return None


@lru_cache(maxsize=64)
def _zone_info(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return None
