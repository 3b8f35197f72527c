"""Times as dumps write them, to seconds."""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

import numpy as np

from harvestdetect.data import NO_TIME
from harvestdetect.dump.values.day_order import is_day_first
from harvestdetect.dump.values.time_columns import at_once
from harvestdetect.dump.values.time_texts import LONGEST, Order, has_year_first, local_time, plain_text
from harvestdetect.dump.values.zones import UNCERTAIN
from harvestdetect.util.arrays import Ints

__all__ = ["EARLIEST", "LATEST", "TimeReader", "seconds"]

EARLIEST: Final = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp())
"""Earliest time that is accepted, in Unix seconds: the start of 1990."""
LATEST: Final = int(datetime(2050, 1, 1, tzinfo=UTC).timestamp())
"""First time that is too late, in Unix seconds: the start of 2050. Later ones stand for no time, or are mistakes."""
SAMPLE: Final = 2_000
"""Values of a column over which its format is decided."""
SHOWN: Final = 200
"""Values of a column that are read to describe its format."""
_DAY: Final = 86_400
"""Seconds of a day."""

_UNITS: Final = {1: "seconds", 10: "tenths of seconds", 100: "hundredths of seconds"} | {
    10**3: "milliseconds",
    10**6: "microseconds",
    10**9: "nanoseconds",
}
"""Units per second. The ranges from 1990 to 2050 do not overlap, so the magnitude of a number shows its unit."""
_TICKS: Final = (63_500, 64_700, 621_355_968_000_000_000)
"""Ticks of .NET, 100 nanoseconds since the year 1: range from 2013 to 2051 in 10**13, and the ticks in 1970. As
nanoseconds they would be times of 1990."""
_FILE_TIMES: Final = (13_000, 14_200, 116_444_736_000_000_000)
"""The same for file times of Windows, 100 nanoseconds since 1601."""
_TICKS_PER_SECOND: Final = 10**7
"""Units of 100 nanoseconds."""
_SERIALS: Final = (36_526, 54_789)
"""Range of the dates of a spreadsheet from 2000 to 2049, in days since 1899-12-30."""
_SERIAL_1970: Final = 25_569
"""The serial number of 1970-01-01."""
_FROM_1904: Final = 1_462
"""Days by which the serial numbers of old spreadsheets from Macintosh computers are smaller."""
_FIRST_SERIAL: Final = 44_895
"""Serial number of 2022-11-30. If a column has only smaller ones, it probably counts from 1904: few requests to
language models are older."""
_SERIAL_SLACK: Final = 0.05
"""Seconds by which a serial number may be too small, because it has six decimals or fewer."""
_DAYS: Final = (10_957, 29_219)
"""Range of the days since 1970, from 2000 to 2049."""
_NEVER: Final = frozenset({0, -1, 2**31 - 1, 2**63 - 1, -(2**31), -62_135_596_800})
"""Numbers that stand for no time; the last one is the start of the year 1."""
_PLACEHOLDERS: Final = frozenset(
    [
        *("-", "--", "---", "\u2014", "?", "null", "none", "nil", "n/a", "na", "nan", "nat", "undefined", "unknown"),
        *("#n/a", "#value!", "#null!", "(null)", "(none)", "<null>", "\\n", "never", "not set", "not available"),
        *("0000-00-00", "0000-00-00 00:00:00", "0000-00-00t00:00:00z", "infinity", "-infinity"),
    ]
)
"""Texts that stand for no time, in small letters."""
_NO_YEARS: Final = ("0000-", "0001-", "1970-01-01", "1900-01-0", "1899-12-3", "1601-01-01", "9999-")
"""Beginnings of ISO dates that stand for no time."""
_NUMBER: Final = re.compile(r"-?[0-9]{1,30}(?:[.,][0-9]{0,30})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_DIGIT_DATES: Final = (10, 12)
"""Numbers of digits of YYYYMMDDHH and YYYYMMDDHHMM, which could also be epoch numbers."""
_HUGE: Final = 10**30
"""Numbers from this one on are no times in any unit."""
_EXACT: Final = 60
"""Seconds to which a rounded number must be exact."""
_LEAST_VALUES: Final = 3
"""Number of values from which a column shows such a format."""
_DOTNET: Final = re.compile(r"\\?/?Date\((-?[0-9]{1,16})(?:[+-][0-9]{4})?\)\\?/?", re.ASCII)
_CALLED: Final = re.compile(
    r"(?:new )?(?:[A-Za-z]{1,12}\.)?(?:ISODate|Timestamp|Date|datetime|NumberLong|DateTime)\((.{1,90})\)"
    r"|\{ts (.{1,90})\}|TIMESTAMP (.{1,90})",
    re.ASCII | re.IGNORECASE,
)
_DRESSED: Final = re.compile(
    r"@?([0-9]{9,20}(?:\.[0-9]{1,12})?)(?: ?(?:s|ms|us|ns|UTC)|-[0-9]{1,6})?|([0-9]{1,3}(?:,[0-9]{3}){3,6})",
    re.ASCII,
)
"""A number with a unit, with the count of a stream of Redis, or with commas between groups of digits."""
_LISTED: Final = re.compile(r"[0-9]{4}(?:, ?[0-9]{1,9}){2,6}", re.ASCII)
_NUMBER_KEYS: Final = (
    *("$date", "$numberLong", "$numberDouble", "$numberInt", "$numberDecimal", "$timestamp", "iso", "N", "S", "value"),
    *("stringValue", "integerValue", "doubleValue", "intValue", "timestampValue", "string_value", "int_value", "t"),
)
"""Keys of the objects around a time in MongoDB, DynamoDB, OpenTelemetry, Firestore and BigQuery."""
_SECOND_KEYS: Final = ("seconds", "_seconds", "epochSecond", "secs", "sec", "tv_sec")
"""Keys of the whole seconds in objects of Protocol Buffers, Firestore, Java and Rust."""
_DEPTH: Final = 4
"""Levels of such objects."""

_NO_ORDER: Final = Order()
_SECONDS_DIGITS: Final = 10
"""Digits of a time in seconds from 2001 to 2286."""
_Numbers: TypeAlias = str
"""How numbers that are no epoch numbers are meant: "", ``serial``, ``serial 1904``, ``days``, or ``digits``."""


def seconds(value: Any) -> int | None:
    """Seconds since 1970-01-01 UTC, rounded down.

    Reads whatever :class:`TimeReader` reads without knowing the column: no numbers of a spreadsheet, and a date such as
    ``1/2/2026`` has the month first.

    Args:
        value: of the dump.

    Returns:
        The seconds; :data:`~harvestdetect.data.NO_TIME` if there is no time; None if the value is not a time from 1990
        to 2049.
    """
    if isinstance(value, str) and value[4:5] == "-":
        try:
            # The common case first. Short digit strings would parse as dates.
            whole = _from_datetime(datetime.fromisoformat(value))
        except ValueError:
            whole = None
        if whole is not None:
            return whole
    return _read(value, _NO_ORDER, "").seconds


@dataclass(frozen=True, slots=True)
class _Read:
    """What a value is."""

    seconds: int | None
    """As :func:`seconds` returns it."""
    kind: str = ""
    """Its format in words."""
    zoned: bool = True
    """Whether its zone is known."""
    dated: bool = False
    """Whether it is a date alone."""
    uncertain: str | None = None
    """The abbreviation of its zone, if several zones have it."""


_NOTHING: Final = _Read(NO_TIME)
_UNREAD: Final = _Read(None)


@dataclass(slots=True)
class TimeReader:
    """Reads the times of one column. What single values do not show is decided over a sample.

    A time that cannot be read is counted, and its row has no time.
    """

    format: str = ""
    """The formats of the column in words, the most frequent first; "" if the sample has no times."""
    ambiguous: bool = False
    """Whether the times could be read otherwise."""
    warnings: tuple[str, ...] = ()
    """What was assumed, one sentence each."""
    unreadable: int = 0
    """Values that are no times, of all that were read."""
    count: int = 0
    """Values that were read."""
    first_unreadable: Any = None
    """The first value that is no time."""
    _order: Order = _NO_ORDER
    _numbers: _Numbers = ""
    _shapes: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, values: Iterable[Any], *, now: int | None = None, describe: bool = True) -> TimeReader:
        """The reader of a column.

        Args:
            values: a sample of the column, in the order of its rows.
            now: Unix seconds of the current time, which gives times without a year their year; None: by the clock.
            describe: whether the format is wanted; without it, the reader reads the same and says nothing.
        """
        sample = list(values)
        if len(sample) > SAMPLE:
            sample = [sample[i * len(sample) // SAMPLE] for i in range(SAMPLE)]
        order = Order(now=int(time.time()) if now is None else now)
        texts = [value for value in sample if isinstance(value, str) and not _begins_with_a_year(value)]
        order = replace(order, year_first=has_year_first(texts))
        day_first, told = (False, ()) if order.year_first else is_day_first(texts, order)
        order = replace(order, day_first=day_first)
        numbers, doubt = _numbers_of(sample)
        if not describe:
            return cls(_order=order, _numbers=numbers)
        some = sample if len(sample) <= SHOWN else [sample[i * len(sample) // SHOWN] for i in range(SHOWN)]
        found = [_read(value, order, numbers) for value in some]
        kinds = [read for read in found if read.seconds not in (None, NO_TIME)]
        reader = cls(_order=order, _numbers=numbers)
        if not kinds:
            return reader
        reader.format = _format_of(kinds)
        reader.warnings = (*told, *doubt, *_doubts(kinds))
        reader.ambiguous = bool(told or doubt)
        return reader

    def column(self, values: Sequence[Any]) -> Ints:
        """The same as :meth:`seconds` as int64[n], faster for columns of the common forms."""
        found = at_once(values, earliest=EARLIEST, latest=LATEST)
        if found is None:
            return np.array(self.seconds(values), np.int64)
        self.count += len(values)
        return found

    def seconds(self, values: Sequence[Any]) -> list[int]:
        """Each value in Unix seconds; ``NO_TIME`` if it is no time. Counts those that cannot be read."""
        known: dict[str, int | None] = {}
        earliest, latest, numbers, parse = EARLIEST, LATEST, self._numbers, datetime.fromisoformat

        def slowly(value: Any) -> int:
            """A value that is not one of whole seconds."""
            whole: int | None = None
            if type(value) is str:
                if len(value) == _SECONDS_DIGITS and value.isdecimal() and numbers != "digits":
                    whole = int(value)
                    if earliest <= whole < latest:
                        return whole
                if value[4:5] == "-":
                    try:
                        whole = _from_datetime(parse(value))
                    except ValueError:
                        whole = None
                    if whole is not None:
                        return whole
                if value not in known:
                    known[value] = _read(value, self._order, numbers).seconds
                whole = known[value]
            elif type(value) is int and earliest * 1000 <= value < latest * 1000 and numbers != "digits":
                return value // 1000
            elif type(value) is float and earliest <= value < latest:
                return int(value)
            else:
                whole = _read(value, self._order, numbers).seconds
            if whole is None:
                if not self.unreadable:
                    self.first_unreadable = value
                self.unreadable += 1
                return NO_TIME
            return whole

        self.count += len(values)
        # Whole seconds, the common case, cost no call.
        return [v if type(v) is int and earliest <= v < latest else slowly(v) for v in values]


# ---------------------------------------------------------------- one value


def _read(value: Any, order: Order, numbers: _Numbers, depth: int = 0) -> _Read:
    """Reads one value of a dump."""
    if value is None:
        return _NOTHING
    if isinstance(value, bool):
        return _UNREAD
    if isinstance(value, str):
        return _from_text(value, order, numbers)
    if isinstance(value, Decimal):
        return _from_number(_plain_number(value), numbers)
    if isinstance(value, int | float):
        return _from_number(value, numbers)
    if isinstance(value, datetime):
        return _Read(_from_datetime(value), "timestamps", value.tzinfo is not None)
    if isinstance(value, date):
        return _Read(_bounded((value.toordinal() - date(1970, 1, 1).toordinal()) * _DAY), "dates", dated=True)
    if isinstance(value, dict) and depth < _DEPTH:
        return _from_object(value, order, numbers, depth)
    if isinstance(value, list | tuple) and 2 <= len(value) <= 7 and all(type(item) is int for item in value):
        if len(value) == 2:  # seconds and nanoseconds
            return _from_number(value[0], numbers)
        return _from_text(", ".join(map(str, value)) if max(map(abs, value)) < 10**9 else "?", order, numbers)
    return _UNREAD


def _from_object(value: dict[str, Any], order: Order, numbers: _Numbers, depth: int) -> _Read:
    for key in _SECOND_KEYS:
        if key in value:
            return _read(value[key], order, numbers, depth + 1)
    for key in _NUMBER_KEYS:
        if key in value:
            return _read(value[key], order, numbers, depth + 1)
    return _UNREAD if value else _NOTHING


def _bounded(whole: int) -> int | None:
    return whole if EARLIEST <= whole < LATEST else None


def _from_datetime(moment: datetime) -> int | None:
    try:
        passed = moment - (_EPOCH if moment.tzinfo is None else _EPOCH_UTC)
    except OverflowError:
        return None
    whole = passed.days * _DAY + passed.seconds
    return whole if EARLIEST <= whole < LATEST else None


_EPOCH: Final = datetime(1970, 1, 1)
_EPOCH_UTC: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _plain_number(value: Decimal) -> float:
    """A decimal number as a whole number, or as a float if it is none or too large."""
    if not value.is_finite():
        return math.nan if value.is_nan() else math.inf
    if abs(value) >= _HUGE:
        return math.inf
    whole = int(value)
    return whole if value == whole else float(value)


def _from_number(value: float, numbers: _Numbers) -> _Read:
    if not isinstance(value, int) and not math.isfinite(value):
        return _NOTHING if value != value else _UNREAD
    number = math.floor(value)
    if number in _NEVER:
        return _NOTHING
    if numbers == "digits" and (read := _digit_date(number)) is not None:
        return read
    for unit, name in _UNITS.items():
        whole = number // unit
        if EARLIEST <= whole < LATEST:
            if unit == 10**9 and _TICKS[0] <= number // 10**13 < _TICKS[1]:
                break
            return _Read(whole, f"epoch {name}")
    for name, (low, high, epoch) in (("ticks of .NET", _TICKS), ("file times of Windows", _FILE_TIMES)):
        if low <= number // 10**13 < high:
            return _Read(_bounded((number - epoch) // _TICKS_PER_SECOND), name)
    if numbers.startswith("serial"):
        moved = value + (_FROM_1904 if numbers == "serial 1904" else 0)
        if _SERIALS[0] <= moved <= _SERIALS[1]:
            whole = math.floor((float(moved) - _SERIAL_1970) * _DAY + _SERIAL_SLACK)
            base = 1904 if numbers == "serial 1904" else 1900
            return _Read(_bounded(whole), f"dates of a spreadsheet as numbers, from {base}", zoned=False)
    if numbers == "days" and _DAYS[0] <= number <= _DAYS[1]:
        return _Read(_bounded(number * _DAY), "days since 1970", dated=True)
    return _digit_date(number) or _UNREAD


def _digit_date(number: int) -> _Read | None:
    """A number that is a date when its digits are read, such as 20260601; None if it is none."""
    text = str(number) if 19_900_101 <= number < 10**18 else ""
    if len(text) not in (8, 10, 12, 14, 17):
        return None
    shown = text + "00" if len(text) == 10 else text
    shown = f"{shown[:8]}T{shown[8:]}" if len(shown) > 8 else shown
    found = local_time(shown, _NO_ORDER)
    whole = None if found is None else _bounded(found.seconds)
    if found is None or whole is None:
        return None
    return _Read(whole, "YYYYMMDDHHMMSS"[: len(text)], zoned=False, dated=found.dated)


def _from_text(value: str, order: Order, numbers: _Numbers) -> _Read:
    text = plain_text(value) if len(value) <= 2 * LONGEST else value.strip()
    if not text:
        return _NOTHING
    if len(text) > LONGEST:
        return _UNREAD
    if (match := _DRESSED.fullmatch(text)) is not None:
        text = (match[1] or match[2]).replace(",", "")
    if _NUMBER.fullmatch(text):
        return _UNREAD if _is_rounded(text) else _from_number(_number(text), numbers)
    if text.lower() in _PLACEHOLDERS:
        return _NOTHING
    if match := _DOTNET.fullmatch(text):
        passed = int(match[1]) // 1000
        return _NOTHING if passed in _NEVER else _Read(_bounded(passed), "/Date(milliseconds)/")
    if match := _CALLED.fullmatch(text):
        return _from_text((match[1] or match[2] or match[3]).strip("\"' "), order, numbers)
    if _LISTED.fullmatch(text):
        parts = [int(part) for part in text.split(",")][:6] + [0] * 3
        text = "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}".format(*parts[:6])
    found = local_time(text, order)
    if found is None:
        return _NOTHING if text.startswith(_NO_YEARS) else _from_iso(text)
    whole = _bounded(found.utc)
    if whole is None and text.startswith(_NO_YEARS):
        return _NOTHING
    known = found.zone.offset is not None or found.zone.place is not None
    return _Read(whole, found.kind, known, found.dated, found.zone.uncertain)


def _from_iso(text: str) -> _Read:
    """What only the ISO reader of Python reads, such as a time without separators behind a date with them."""
    if text[4:5] != "-":
        return _UNREAD
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _UNREAD
    return _Read(_from_datetime(moment), "ISO 8601", moment.tzinfo is not None)


def _number(text: str) -> float | int:
    return int(text) if text.removeprefix("-").isdigit() else float(text.replace(",", "."))


def _is_rounded(text: str) -> bool:
    """Whether a number such as 1.78E+12 lost its last digits, so that it shows no time."""
    mantissa, _, exponent = text.upper().partition("E")
    if not exponent or not exponent.startswith("+") or len(exponent) > 3:
        return False
    digits = len(mantissa.replace(",", ".").partition(".")[2])
    size = abs(_number(text))
    unit = next((u for u in _UNITS if size < u * LATEST), 1)
    return bool(10.0 ** (int(exponent) - digits) > unit * _EXACT)


# ---------------------------------------------------------------- a column


def _begins_with_a_year(text: str) -> bool:
    return text[4:5] == "-" or len(text) > LONGEST


def _numbers_of(sample: Sequence[Any]) -> tuple[_Numbers, tuple[str, ...]]:
    """How numbers of a column that are no epoch numbers are meant, and what the user should know about it."""
    found: list[float] = []
    for value in sample:
        if isinstance(value, str):
            text = value.strip()
            if len(text) <= LONGEST and _NUMBER.fullmatch(text):
                found.append(float(_number(text)))
        elif isinstance(value, int) and not isinstance(value, bool):
            found.append(float(value) if abs(value) < _HUGE else 0.0)
        elif isinstance(value, float | Decimal):
            number = float(_plain_number(value) if isinstance(value, Decimal) else value)
            found += [number] if math.isfinite(number) else []
    found = [number for number in found if number not in _NEVER]
    most = sum(value is not None and value != "" for value in sample) / 2
    if not found:
        return "", ()
    lengths = {len(str(int(number))) for number in found if abs(number) < 1e18}
    digits = len(lengths) == 1 and min(lengths) in _DIGIT_DATES and len(found) >= _LEAST_VALUES
    if digits and all(number.is_integer() and _digit_date(int(number)) is not None for number in found):
        return "digits", ()
    low, high = _SERIALS
    serial = [number for number in found if low - _FROM_1904 <= number <= high]
    if len(serial) > most:
        if max(serial) >= _FIRST_SERIAL:
            return "serial", ()
        return "serial 1904", ("the dates of the spreadsheet are so early that they are counted from 1904",)
    days = sum(_DAYS[0] <= number <= _DAYS[1] and number.is_integer() for number in found)
    return ("days" if days > most else ""), ()


def _format_of(found: Sequence[_Read]) -> str:
    """The formats of a sample in words."""
    kinds = Counter(read.kind for read in found).most_common()
    shown = [kind for kind, _ in kinds[:3]]
    if len(kinds) > 3:
        shown.append(f"{len(kinds) - 3} more")
    words = ", ".join(shown)
    if all(read.dated for read in found):
        words += ", without a time of day"
    elif sum(not read.zoned for read in found):
        words += ", zone unknown: UTC assumed"
    return words


def _doubts(found: Sequence[_Read]) -> Iterable[str]:
    """What was assumed about the zones and years of a sample."""
    for name in sorted({read.uncertain for read in found if read.uncertain}):
        yield f"{name} is taken for {UNCERTAIN[name]}"
    if any(read.kind == "no year" for read in found):
        yield "the times have no year; the latest year in which they have passed is assumed"
