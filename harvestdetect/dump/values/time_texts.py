"""Dates and times of day as texts write them, to local seconds.

Each known arrangement is one pattern. What none of them matches goes to dateutil, but only if every word of it belongs
to dates: dateutil alone would read ``chat-3`` and ``May`` as times.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Final

from harvestdetect.dump.values.zones import Zone, split_zone

__all__ = ["LONGEST", "Local", "Order", "has_year_first", "local_time", "numeric_date", "plain_text"]

LONGEST: Final = 100
"""Characters of the longest text that is read as a time."""
_DAY: Final = 86_400
"""Seconds of a day."""
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_YEARS: Final = (20, 49)
"""Range of the years of two digits that dates may begin with."""
_CENTURY: Final = 2000
"""What is added to a year of two digits."""

_MONTHS: Final = (
    "january januar janvier enero gennaio janeiro januari январь",
    "february februar fevrier febrero febbraio fevereiro februari февраль",
    "march maerz mrz marz mars marzo marco maart mrt март",
    "april avril abril aprile апрель",
    "may mai mayo maggio maio mei май мая",
    "june juni juin junio giugno junho июнь",
    "july juli juillet julio luglio julho июль",
    "august aout agosto augustus август",
    "september septembre septiembre setiembre settembre setembro сентябрь",
    "october oktober octobre octubre ottobre outubro октябрь",
    "november novembre noviembre novembro ноябрь",
    "december dezember decembre diciembre dicembre dezembro декабрь",
)
"""Names of the months in English, German, French, Spanish, Italian, Portuguese, Dutch and Russian, without accents. A
month is also known by the first three or more letters of a name, if no other month has them."""
_WEEKDAYS: Final = (
    "monday montag lundi lunes lunedi segunda maandag tuesday dienstag mardi martes martedi terca dinsdag wednesday "
    "mittwoch mercredi miercoles mercoledi quarta woensdag thursday donnerstag jeudi jueves giovedi quinta donderdag "
    "friday freitag vendredi viernes venerdi sexta vrijdag saturday samstag samedi sabado sabato zaterdag sunday "
    "sonntag dimanche domingo domenica zondag"
)
_TIME: Final = r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,:][0-9]{1,12})?)?(?:\s?([AP])\.?\s?M\.?)?"  # four groups
_THEN: Final = rf"(?:(?:\s?,|\s+(?:AT|@|UM|OM|KL|A|A LAS|ALLE ORE|T|-|–))?[\s:,T_@-]\s*{_TIME})?"
_WEEKDAY: Final = r"(?:([^\W\d_]{2,12})[.,]?\s+)?"
_MONTH: Final = r"([^\W\d_]{3,12})\.?"
_DAY_NUMBER: Final = r"([0-9]{1,2})(?:ST|ND|RD|TH|ER|\.|º)?"
_YEAR_FIRST: Final = re.compile(rf"([0-9]{{4}})([-/._]) ?([0-9]{{1,2}})\2 ?([0-9]{{1,2}})\.?{_THEN}")
_HAN: Final = re.compile(rf"([0-9]{{4}})\s?[年년](\s?)([0-9]{{1,2}})\s?[月월]\s?([0-9]{{1,2}})\s?[日일](?:\s*{_TIME})?")
_COMPACT: Final = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})(?:[T\s_-]?([0-9]{2})([0-9]{2})(?:([0-9]{2})(?:[.,]?[0-9]{1,9})?)?)?"
)
_NUMERIC: Final = re.compile(rf"([0-9]{{1,2}})([-/.]) ?([0-9]{{1,2}})\2 ?([0-9]{{4}}|[0-9]{{2}}){_THEN}")
_DAY_MONTH: Final = re.compile(
    rf"{_WEEKDAY}{_DAY_NUMBER}(?:\s?DE\s|[\s/-])\s?{_MONTH}(?:\s?DE\s|[\s/,-])\s?([0-9]{{4}}|[0-9]{{2}}){_THEN}"
)
_MONTH_DAY: Final = re.compile(rf"{_WEEKDAY}{_MONTH}[\s/-]\s?{_DAY_NUMBER},?[\s/-]\s?([0-9]{{4}}){_THEN}")
_UNIX: Final = re.compile(rf"{_WEEKDAY}{_MONTH}\s+([0-9]{{1,2}})\s+{_TIME}\s+([0-9]{{4}})")
_YEARLESS: Final = re.compile(rf"{_WEEKDAY}{_MONTH}\s+([0-9]{{1,2}}),?\s+{_TIME}")
_ORDINAL: Final = re.compile(rf"([0-9]{{4}})-?([0-9]{{3}}){_THEN}")
_WEEK: Final = re.compile(r"[0-9]{4}-?W[0-9]{2}(?:-?[1-7])?(?:[T ].*)?")
_DOTTED_TIME: Final = re.compile(r"(?<= )([0-9]{1,2})\.([0-9]{2})(?:\.([0-9]{2})(?:\.[0-9]+)?)?(?=(?: [AP]M)?$)")
_TIME_FIRST: Final = re.compile(
    r"([0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:[.,][0-9]{1,9})?(?: ?[AP]M)?),? (.*[0-9]{4}|[0-9]{4}[-/.].*[0-9])"
)
_NOON_FIRST: Final = re.compile(r"\b([AP]M)\s?([0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)")
_DASHED_TIME: Final = re.compile(r"(?<=[0-9]{4}-[0-9]{2}-[0-9]{2})[T_ ]([0-9]{2})-([0-9]{2})-([0-9]{2})(?![0-9])")
_COMPACT_DATE: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})[T\s](?=[0-9]{1,2}:)")
_HAN_TIME: Final = re.compile(
    r"([0-9]{1,2})\s?[时時点點시]\s?([0-9]{1,2})\s?[分분](?:\s?([0-9]{1,2})\s?[秒초])?"  # hours, minutes, seconds
)
_SHORT_DATE: Final = re.compile(r"([0-9]{2})[-/.][0-9]{2}[-/.]([0-9]{2})(?![0-9])")
_SHORT_YEAR_FIRST: Final = re.compile(r"([0-9]{2})([-/.])(?=[0-9]{2}\2[0-9]{2}(?![0-9]))")
_HALVES: Final = {"上午": " AM ", "下午": " PM ", "오전": " AM ", "오후": " PM ", "午前": " AM ", "午後": " PM "}
_TOKEN: Final = re.compile(r"[^\W\d_]+|[0-9]+|\S")
_FILLERS: Final = frozenset(["AM", "PM", "A", "P", "M", "T", "AT", "OF", "ON", "THE", "ST", "ND", "RD", "TH"])
"""Words that dates contain, besides months and weekdays."""
_MARKS: Final = frozenset(",./-:'")


def _plain(word: str) -> str:
    """A word in capitals, without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", word.upper()) if not unicodedata.combining(c))


def _month_numbers() -> dict[str, int]:
    found: dict[str, set[int]] = {}
    whole: dict[str, int] = {}
    for number, names in enumerate(_MONTHS, 1):
        for name in map(_plain, names.split()):
            whole[name] = number
            for length in range(3, len(name)):
                found.setdefault(name[:length], set()).add(number)
    return {part: min(numbers) for part, numbers in found.items() if len(numbers) == 1} | whole


_MONTH_NUMBERS: Final = _month_numbers()
_DAYS: Final = frozenset(name[:length] for name in map(_plain, _WEEKDAYS.split()) for length in range(2, len(name) + 1))


@dataclass(frozen=True, slots=True)
class Order:
    """What a single text does not show, decided over its column."""

    day_first: bool = False
    """Whether ``1/2/2026`` is the first of February."""
    year_first: bool = False
    """Whether ``26/01/02`` is the second of January."""
    now: int | None = None
    """Unix seconds by which a time without a year has passed; None: such times are not read."""


@dataclass(frozen=True, slots=True)
class Local:
    """A time that was read from a text."""

    seconds: int
    """Since 1970-01-01, by the clocks of its zone."""
    kind: str
    """Its format in words."""
    zone: Zone
    dated: bool = False
    """Whether it is a date alone."""

    @property
    def utc(self) -> int:
        """Seconds since 1970-01-01 UTC. A time of an unknown zone counts as UTC."""
        ahead = self.zone.offset
        if ahead is None and self.zone.place is not None:
            moment = datetime.fromordinal(_EPOCH_DAY + self.seconds // _DAY)
            rest = self.seconds % _DAY
            ahead = self.zone.ahead(moment.replace(hour=rest // 3600, minute=rest // 60 % 60, second=rest % 60))
        return self.seconds - (ahead or 0)


def plain_text(text: str) -> str:
    """A text with compatibility forms and spaces made plain, without quotes and brackets around it."""
    if not text.isascii():
        for mark, plain in _HALVES.items():
            text = text.replace(mark, plain)
        text = _HAN_TIME.sub(lambda m: f"{m[1]}:{m[2]:>02}:{m[3] or '00':>02}", unicodedata.normalize("NFKC", text))
    text = text.strip()
    while len(text) > 2 and text[0] + text[-1] in ('""', "''", "[]", "()"):
        text = text[1:-1].strip()
    return text


def local_time(text: str, order: Order) -> Local | None:
    """The time in a text made by :func:`plain_text`; None if it is no time."""
    if len(text) > LONGEST or not any(c.isdigit() for c in text):
        return None
    text, zone = split_zone(text)
    text = _plain(" ".join(text.split())).removesuffix(" UHR")
    if order.year_first:
        text = _SHORT_YEAR_FIRST.sub(r"20\1\2", text, count=1)
    if "M" in text:
        text = _NOON_FIRST.sub(r"\2 \1", text)
    if ":" not in text and "-" in text:
        text = _DASHED_TIME.sub(r" \1:\2:\3", text)
    if ":" in text and text[:8].isdigit():
        text = _COMPACT_DATE.sub(r"\1-\2-\3 ", text)
    if ":" not in text and "." in text:
        text = _DOTTED_TIME.sub(lambda m: f"{m[1]}:{m[2]}:{m[3] or '00'}", text)
    if ":" in text[1:3] and (match := _TIME_FIRST.fullmatch(text)):
        text = f"{match[2]} {match[1]}"
    try:
        found = _numbers_only(text, order, zone) if text[:1].isdigit() else None
        return found or _worded(text, order, zone) or _by_dateutil(text, order, zone)
    except (ValueError, OverflowError):
        return None


def has_year_first(texts: Sequence[str]) -> bool:
    """Whether the dates of a column with years of two digits begin with the year."""
    dates = [match for text in texts if (match := _SHORT_DATE.match(text))]
    first, last = {match[1] for match in dates}, {match[2] for match in dates}
    years, others = (all(_YEARS[0] <= int(number) <= _YEARS[1] for number in numbers) for numbers in (first, last))
    return bool(dates) and years and (not others or len(first) < len(last))


def numeric_date(text: str) -> tuple[int, int, str] | None:
    """The two first numbers of a date that is written with numbers, the year last, and what tells the order.

    The last is the separator, ``a`` before it for a clock of twelve hours, and ``0`` before it for padded numbers.
    """
    stripped = _plain(" ".join(split_zone(text)[0].split()))
    match = _NUMERIC.fullmatch(_NOON_FIRST.sub(r"\2 \1", stripped))
    if match is None:
        return None
    padded = "0" in (match[1][0], match[3][0])
    return int(match[1]), int(match[3]), ("a" if match[8] else "") + ("0" if padded else "") + match[2]


def _numbers_only(text: str, order: Order, zone: Zone) -> Local | None:
    """A time that begins with a number and names no month."""
    if match := _YEAR_FIRST.fullmatch(text) or _HAN.fullmatch(text):
        clock = match.groups()[4:8]
        kind = "YYYY/MM/DD" if match[2] != "-" else "YYYY-MM-DD" if clock[0] is None or clock[3] else "ISO 8601"
        return _made(match, (int(match[1]), int(match[3]), int(match[4])), clock, kind, zone)
    if match := _NUMERIC.fullmatch(text):
        first, second = int(match[1]), int(match[3])
        day_first = order.day_first or match[2] == "." if max(first, second) <= 12 else first > 12
        month, day = (second, first) if day_first else (first, second)
        kind = f"{'D' if day_first else 'M'}{match[2]}{'M' if day_first else 'D'}{match[2]}YYYY"
        return _made(match, (_year(match[4]), month, day), match.groups()[4:8], kind, zone)
    if match := _COMPACT.fullmatch(text):
        clock = (*match.groups()[3:6], None)
        kind = "YYYYMMDD" if clock[0] is None else "ISO 8601"
        return _made(match, (int(match[1]), int(match[2]), int(match[3])), clock, kind, zone)
    if match := _ORDINAL.fullmatch(text):
        day = date(int(match[1]), 1, 1).toordinal() + int(match[2]) - 1
        there = date.fromordinal(day)
        if there.year != int(match[1]):
            return None
        return _made(match, (there.year, there.month, there.day), match.groups()[2:6], "YYYY-DDD", zone)
    if _WEEK.fullmatch(text):
        moment = datetime.fromisoformat(text)
        clock = (str(moment.hour), str(moment.minute), str(moment.second), None)
        return _made(None, (moment.year, moment.month, moment.day), clock, "ISO week date", zone)
    return None


def _worded(text: str, order: Order, zone: Zone) -> Local | None:
    """A time that names its month."""
    if match := _DAY_MONTH.fullmatch(text):
        if _is_weekday(match[1]) and (month := _month(match[3])):
            kind = "day, name of the month, year"
            return _made(match, (_year(match[4]), month, int(match[2])), match.groups()[4:8], kind, zone)
        return None
    if match := _MONTH_DAY.fullmatch(text):
        if _is_weekday(match[1]) and (month := _month(match[2])):
            kind = "name of the month, day, year"
            return _made(match, (int(match[4]), month, int(match[3])), match.groups()[4:8], kind, zone)
        return None
    if match := _UNIX.fullmatch(text):
        if _is_weekday(match[1]) and (month := _month(match[2])):
            kind = "name of the month, day, time, year"
            return _made(match, (int(match[8]), month, int(match[3])), match.groups()[3:7], kind, zone)
        return None
    match = _YEARLESS.fullmatch(text)
    if match and order.now is not None and _is_weekday(match[1]) and (month := _month(match[2])):
        return _yearless(match, month, order.now, zone)
    return None


def _yearless(match: re.Match[str], month: int, now: int, zone: Zone) -> Local | None:
    """A time without a year: the latest year in which it has passed, by a day at most."""
    year = date.fromordinal(_EPOCH_DAY + now // _DAY).year
    for guess in range(year, year - 5, -1):  # the 29th of February is in one of them
        try:
            found = _made(match, (guess, month, int(match[3])), match.groups()[3:7], "no year", zone)
        except ValueError:
            continue
        if found is not None and found.utc <= now + _DAY:
            return found
    return None


def _by_dateutil(text: str, order: Order, zone: Zone) -> Local | None:
    """What dateutil reads, where each word belongs to dates and the date is complete."""
    if not _looks_like_a_date(text):
        return None
    from dateutil import parser

    found = []
    for default in (datetime(2000, 1, 1), datetime(2003, 2, 2)):
        try:
            found.append(parser.parse(text, dayfirst=order.day_first, ignoretz=True, default=default))
        except (ValueError, OverflowError, ArithmeticError, TypeError, AttributeError, LookupError):
            return None
    if found[0] != found[1]:
        return None  # a part of the date is missing
    moment = found[0]
    clock = (str(moment.hour), f"{moment.minute:02}", f"{moment.second:02}", None) if ":" in text else (None,) * 4
    return _made(None, (moment.year, moment.month, moment.day), clock, "date in words", zone)


def _looks_like_a_date(text: str) -> bool:
    """Whether a text has the numbers of a date, and only words and marks of dates."""
    tokens = _TOKEN.findall(text)
    numbers = [token for token in tokens if token.isdigit()]
    words = [token for token in tokens if token.isalpha()]
    months = [word for word in words if word in _MONTH_NUMBERS]
    if not 2 <= len(numbers) <= 7 or len(numbers) + len(months) < 3 or len(months) != 1:
        return False
    if not any(len(number) == 4 for number in numbers):
        return False
    rest = len(tokens) - len(numbers) - len(words)
    known = all(word in _MONTH_NUMBERS or word in _FILLERS or word in _DAYS for word in words)
    return known and rest == sum(token in _MARKS for token in tokens)


def _month(word: str) -> int | None:
    """The number of a month by its name; an inflected Russian one is known by its first three letters."""
    return _MONTH_NUMBERS.get(word) or (None if word.isascii() else _MONTH_NUMBERS.get(word[:3]))


def _is_weekday(word: str | None) -> bool:
    """Whether what is before a date belongs there."""
    return word is None or word in _DAYS


def _year(text: str) -> int:
    return int(text) + (_CENTURY if len(text) == 2 else 0)


def _made(
    match: re.Match[str] | None, day: tuple[int, int, int], clock: tuple[str | None, ...], kind: str, zone: Zone
) -> Local | None:
    """A time from year, month and day, and from hour, minute, second and half of the day.

    Raises:
        ValueError: there is no such day.
    """
    start = (_ordinal(*day) - _EPOCH_DAY) * _DAY
    if clock[0] is None:
        return Local(start, kind, zone, dated=True)
    hour, minute, second = int(clock[0]), int(clock[1] or 0), int(clock[2] or 0)
    half = clock[3]
    if half and hour <= 12:
        hour = hour % 12 + (12 if half == "P" else 0)
    elif half == "A":
        return None
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and minute + second > 0):
        return None
    return Local(start + hour * 3600 + minute * 60 + second, f"{kind} with AM or PM" if half else kind, zone)


@lru_cache(maxsize=4096)
def _ordinal(year: int, month: int, day: int) -> int:
    return date(year, month, day).toordinal()
