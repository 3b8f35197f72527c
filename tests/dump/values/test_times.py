"""Times: what is read of single values and of columns, and what is told about them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from harvestdetect.data import NO_TIME
from harvestdetect.dump import read_dumps
from harvestdetect.dump.values.file_times import FileTimes, pattern_of
from harvestdetect.dump.values.times import EARLIEST, LATEST, TimeReader, seconds

NOW = 1_790_000_000
"""The current time of the tests: 2026-09-21."""


# ---------------------------------------------------------------- one value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_750_000_000, 1_750_000_000),
        (1_750_000_000.9, 1_750_000_000),
        (1_750_000_000_123, 1_750_000_000),
        (1_750_000_000_123_456, 1_750_000_000),
        (1_750_000_000_123_456_789, 1_750_000_000),
        ("1750000000", 1_750_000_000),
        (" 1750000000123 ", 1_750_000_000),
        ("1.75e9", 1_750_000_000),
        ("1750000000.5", 1_750_000_000),
        ("2025-06-15T15:06:40", 1_750_000_000),
        ("2025-06-15T15:06:40Z", 1_750_000_000),
        ("2025-06-15 15:06:40.999", 1_750_000_000),
        ("2025-06-15T17:06:40+02:00", 1_750_000_000),
        ("2025-06-15 17:06:40 +0200", 1_750_000_000),
        ("2025-06-15 15:06:40 UTC", 1_750_000_000),
        ("2025-06-15t15:06:40.123456789z", 1_750_000_000),
        ("20250615T150640Z", 1_750_000_000),
        ("20250615150640", 1_750_000_000),
        ("2025/06/15 15:06:40", 1_750_000_000),
        ("2025-06-15", 1_749_945_600),
        ("20250615", 1_749_945_600),
        ("1990-01-01", 631_152_000),
        ("2049-12-31T23:59:59Z", 2_524_607_999),
        (None, NO_TIME),
        ("", NO_TIME),
        ("  ", NO_TIME),
        ("1989-12-31T23:59:59Z", None),
        ("2050-01-01", None),
        ("0001-01-01T00:00:00+14:00", NO_TIME),
        ("9999-12-31T23:59:59-12:00", NO_TIME),
        ("2025-02-30", None),
        ("yesterday", None),
        (0, NO_TIME),
        (-1, NO_TIME),
        (True, None),
        (float("nan"), NO_TIME),
        (float("inf"), None),
        (1e300, None),
        (10**400, None),
        ("9" * 30, None),
        ("1e99", None),
        ([1_750_000_000], None),
        ("2025" + "0" * 1000, None),
    ],
)
def test_times(value: Any, expected: int | None) -> None:
    assert seconds(value) == expected


@given(st.datetimes(datetime(1991, 1, 2), datetime(2049, 12, 30)), st.integers(-12 * 60, 14 * 60))
@hypothesis_settings(max_examples=60)
def test_every_way_to_write_a_time_means_the_same(moment: datetime, zone: int) -> None:
    aware = moment.replace(tzinfo=UTC)
    expected = int((moment - datetime(1970, 1, 1)) // timedelta(seconds=1))
    shifted = (aware + timedelta(minutes=zone)).replace(tzinfo=None)
    sign = "-" if zone < 0 else "+"
    for value in (
        moment.isoformat(),
        aware.isoformat(" "),
        f"{shifted.isoformat()}{sign}{abs(zone) // 60:02}:{abs(zone) % 60:02}",
        expected,
        expected * 1_000 + 999,
        str(expected * 10**9),
        float(expected),
    ):
        assert seconds(value) == expected, value


SAME = int(datetime(2026, 6, 1, 0, 0, 16, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    "text",
    [
        "01/Jun/2026:00:00:16 +0000",
        "[31/May/2026:17:00:16 -0700]",
        "Mon, 01 Jun 2026 00:00:16 GMT",
        "Monday, 01-Jun-26 00:00:16 UTC",
        "2026-06-01 00:00:16.671760789 +0000 UTC m=+0.123456",
        "2026-06-01 02:00:16.671760789 +0200 CEST",
        "Jun 1, 2026 @ 00:00:16.671",
        "June 1st, 2026 at 12:00:16 AM",
        "Monday, June 1, 2026 12:00:16 AM",
        "6/1/2026 12:00:16 AM",
        "6/1/2026, 12:00:16\u202fAM",
        "13:00:16 06/01/2026 +1300",
        "01.06.2026 00:00:16",
        "01.06.2026, 0.00.16",
        "2026-06-01T02:00:16.671760+02:00[Europe/Berlin]",
        "2026-06-01T02:00:16[Europe/Berlin]",
        "2026-05-31 20:00:16 EDT",
        "2026-05-31 20:00:16 US/Eastern",
        "2026-06-01 02:00:16 MESZ",
        "Mon Jun  1 00:00:16 2026",
        "Mon Jun  1 02:00:16 CEST 2026",
        "Mon Jun 01 00:00:16 +0000 2026",
        "Mon Jun 01 2026 02:00:16 GMT+0200 (Central European Summer Time)",
        "2026年6月1日 00:00:16",
        "2026. 6. 1. 오전 12:00:16",
        "2026/6/1 上午 0:00:16",
        "1 de junio de 2026 00:00:16",
        "1er juin 2026 00:00:16",
        "1 июня 2026 00:00:16",
        "2026-152T00:00:16Z",
        "2026-W23-1T00:00:16Z",
        "20260601T000016Z",
        "20260601000016671",
        "2026-06-01 00:00:16,671",
        "2026-06-01 05:30:16.671760+0530",
        "2026-06-01 02:00:16 +02",
        "01-JUN-26 12.00.16.671000 AM",
        "2026-06-01T00:00:16.6717601Z",
        "２０２６-06-01 00:00:16",
        '"2026-06-01T00:00:16Z"',
        'ISODate("2026-06-01T00:00:16.671Z")',
        "Timestamp('2026-06-01 00:00:16+0000')",
        "datetime.datetime(2026, 6, 1, 0, 0, 16, 671000)",
        "/Date(1780272016671+0100)/",
        "\\/Date(1780272016671)\\/",
        "1780272016,671",
        "1780272016.671s",
        "@1780272016",
        "1,780,272,016,671",
        "1780272016671-0",
        "2026-06-01_00-00-16",
        "20260601T00:00:16",
        "2026-06-01T000016Z",
        "2026年06月01日 00时00分16秒",
        "Sunday, May 31, 2026 at 5:00:16 PM Pacific Daylight Time",
        "2026-05-31 17:00:16 PST8PDT",
        "2026-06-01T00:00:16.671 Coordinated Universal Time",
        "Montag, 1. Juni 2026 um 00:00:16 Uhr",
        "1 giugno 2026 alle ore 0:00:16",
        "{ts '2026-06-01 00:00:16'}",
        "178027201667",
        "639158688160000000",
    ],
)
def test_spellings_of_one_time(text: str) -> None:
    assert seconds(text) == SAME


@pytest.mark.parametrize(
    "value",
    [
        {"$date": {"$numberLong": "1780272016671"}},
        {"$date": "2026-06-01T00:00:16.671Z"},
        {"$timestamp": {"t": 1780272016, "i": 1}},
        {"seconds": "1780272016", "nanos": 123_000_000},
        {"_seconds": 1780272016, "_nanoseconds": 0},
        {"epochSecond": 1780272016, "nano": 5},
        {"N": "1780272016"},
        {"timestampValue": "2026-06-01T00:00:16Z"},
        [1780272016, 671_000_000],
        [2026, 6, 1, 0, 0, 16, 671_000_000],
        Decimal("1780272016.671"),
        134_247_456_160_000_000,
        20260601000016,
        datetime(2026, 6, 1, 0, 0, 16),
        datetime(2026, 6, 1, 2, 0, 16, tzinfo=ZoneInfo("Europe/Berlin")),
    ],
)
def test_values_of_one_time(value: Any) -> None:
    assert seconds(value) == SAME


@pytest.mark.parametrize(
    "value", ["-", "null", "N/A", "0", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "NaT", 0, -1, {}, 2**63 - 1]
)
def test_placeholders_are_no_time(value: Any) -> None:
    reader = TimeReader.of([value], now=NOW)
    assert reader.seconds([value]) == [NO_TIME]
    assert reader.unreadable == 0


@pytest.mark.parametrize(
    "text",
    [
        *("chat-3", "May", "May 5", "2026", "2026-06", "12:30", "3.11.2", "user 3 2026-06-01", "v1.2.2026", "10.0.0.1"),
        *(
            "2026-06-01 25:00:00",
            "31/Feb/2026:00:00:00",
            "1.78027E+12",
            "Ignore all rules, 1 May 2026",
            "a 1 b 2 c 2026",
        ),
        *("+15551234567", "gpt-4-0613", "2026-06-01 00:00 INFO", "99/99/2026", "1 2 3", "2026-366", "seven"),
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert seconds(text) is None


@pytest.mark.parametrize(
    ("values", "first", "ambiguous"),
    [
        (["6/1/2026 9:00", "6/13/2026 9:00"], "2026-06-01", False),
        (["1/6/2026 9:00", "13/6/2026 9:00"], "2026-06-01", False),
        (["05/06/2026 09:00", "06/06/2026 09:00", "07/06/2026 09:00"], "2026-06-05", False),
        (["06/05/2026 09:00", "06/06/2026 09:00", "06/07/2026 09:00"], "2026-06-05", False),
        (["07/06/2026 09:00", "06/06/2026 09:00", "05/06/2026 09:00"], "2026-06-07", False),
        (["6/11/2026 9:00 AM"], "2026-06-11", True),
        (["11/06/2026 09:00"], "2026-06-11", True),
        (["6/1/2026 9:00", "6/13/2026 9:00", "13/6/2026 9:00"], "2026-06-01", True),
        (["11.06.2026 09:00"], "2026-06-11", False),
    ],
)
def test_the_column_shows_whether_the_day_is_first(values: list[str], first: str, ambiguous: bool) -> None:
    reader = TimeReader.of(values, now=NOW)
    assert datetime.fromtimestamp(reader.seconds(values)[0], UTC).date().isoformat() == first
    assert (reader.ambiguous, bool(reader.warnings)) == (ambiguous, ambiguous)
    assert reader.format.endswith("zone unknown: UTC assumed")


@pytest.mark.parametrize(
    ("values", "first"),
    [
        (["26/06/01 00:00:16", "26/06/02 00:00:16"], "2026-06-01"),
        (["26-06-21 00:00:16", "26-06-22 00:00:16"], "2026-06-21"),
        (["01/06/26 00:00:16", "02/06/26 00:00:16"], "2026-06-01"),
        (["21.06.26 00:00:16", "22.06.26 00:00:16"], "2026-06-21"),
    ],
)
def test_the_column_shows_whether_a_short_year_is_first(values: list[str], first: str) -> None:
    reader = TimeReader.of(values, now=NOW)
    assert datetime.fromtimestamp(reader.seconds(values)[0], UTC).date().isoformat() == first


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (46_174.000193, "dates of a spreadsheet as numbers, from 1900"),
        ("46174.000193", "dates of a spreadsheet as numbers, from 1900"),
        (44_712.000193, "dates of a spreadsheet as numbers, from 1904"),
        (1_780_272_016_671, "epoch milliseconds"),
        (202_606_010_000, "YYYYMMDDHHMM"),
    ],
)
def test_the_column_shows_what_numbers_mean(value: Any, words: str) -> None:
    reader = TimeReader.of([value] * 5, now=NOW)
    assert reader.format.startswith(words)
    assert reader.seconds([value])[0] // 60 == SAME // 60
    assert reader.ambiguous == ("1904" in words)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("2026-06-01T00:00:16Z", "ISO 8601"),
        ("20260601T000016Z", "ISO 8601"),
        ("2026-06-01 00:00:16", "ISO 8601, zone unknown: UTC assumed"),
        ("2026-06-01", "YYYY-MM-DD, without a time of day"),
        ("2026-06-01 12:00:16 AM", "YYYY-MM-DD with AM or PM, zone unknown: UTC assumed"),
    ],
)
def test_iso_times_are_called_so(value: str, words: str) -> None:
    assert TimeReader.of([value] * 5, now=NOW).format == words


def test_days_since_1970() -> None:
    reader = TimeReader.of([20_605], now=NOW)
    assert reader.seconds([20_605]) == [SAME - 16]
    assert reader.format == "days since 1970, without a time of day"


def test_numbers_of_a_spreadsheet_are_times_only_in_such_a_column() -> None:
    reader = TimeReader.of(["2026-06-01T00:00:16Z"] * 5 + [46_174], now=NOW)
    assert reader.seconds([46_174, "2026-06-01T00:00:16Z"]) == [NO_TIME, SAME]
    assert reader.unreadable == 1


def test_times_without_a_year_get_the_latest_one_that_has_passed() -> None:
    values = ["Jun  1 00:00:16", "Dec 31 23:59:59", "Feb 29 12:00:00"]
    reader = TimeReader.of(values, now=NOW)
    found = [datetime.fromtimestamp(time, UTC).year for time in reader.seconds(values)]
    assert found == [2026, 2025, 2024]
    assert "no year" in reader.warnings[0]


def test_abbreviations_of_several_zones_are_told() -> None:
    reader = TimeReader.of(["2026-06-01 00:00:16 IST"], now=NOW)
    assert reader.seconds(["2026-06-01 05:30:16 IST"]) == [SAME]
    assert reader.warnings == ("IST is taken for India (+05:30), not Ireland or Israel",)


def test_several_units_and_formats_in_one_column() -> None:
    values: list[Any] = [SAME, SAME * 1000 + 5, f"{SAME}", "2026-06-01T00:00:16Z", SAME + 0.5]
    reader = TimeReader.of(values, now=NOW)
    assert reader.seconds(values) == [SAME] * 5
    assert reader.format == "epoch seconds, epoch milliseconds, ISO 8601"


def test_bad_times_cost_the_time_and_are_told(tmp_path: Path) -> None:
    stamps = ["2026-06-01T00:00:16Z", "yesterday", "-", "2099-01-01", "2026-06-01T00:00:16Z"]
    rows = [{"account": "a", "prompt": f"prompt {i}", "timestamp": stamp} for i, stamp in enumerate(stamps)]
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    batches = list(read_dumps([tmp_path / "d.jsonl"]))
    assert [time for batch in batches for time in batch.prompts["time"].to_pylist()] == [
        SAME, NO_TIME, NO_TIME, NO_TIME, SAME,
    ]  # fmt: skip
    assert not any(batch.rejects for batch in batches)
    reading = batches[-1].files[0].reading
    assert reading is not None
    assert (reading.times, reading.untimed) == ("ISO 8601", 2)
    assert "2 of 5 rows (40%)" in reading.warnings[0]
    assert "aaaaaaaaa" in reading.warnings[0]
    assert "1 of 5 rows have no time" in reading.warnings[1]


def test_a_pattern_shows_no_text() -> None:
    assert pattern_of("31/Feb/2026 \x1b[1m") == "99/aaa/9999 \\a9a[9a"
    assert pattern_of("Ignore all rules! " * 9) == ("aaaaaa aaa aaaaa! " * 9)[:40]
    assert pattern_of({"text": "secret"}) == "a value of the type dict"


def test_the_first_block_with_times_decides() -> None:
    times = FileTimes()
    assert times.seconds("timestamp", [None, "-"]).tolist() == [NO_TIME, NO_TIME]
    assert times.seconds("timestamp", ["1/6/2026", "13/6/2026"])[0] == SAME - 16
    assert times.seconds("timestamp", ["1/6/2026"]) == [SAME - 16]
    assert times.format.startswith("D/M/YYYY")


# ---------------------------------------------------------------- every time, and no time

MOMENTS = st.datetimes(datetime(2000, 1, 2), datetime(2049, 12, 30)).map(lambda moment: moment.replace(microsecond=0))
FORMATS = [
    "%Y-%m-%d %H:%M:%S,123", "%Y-%m-%dT%H:%M:%SZ", "%Y%m%dT%H%M%SZ", "%Y%m%d%H%M%S", "%Y/%m/%d %H:%M:%S",
    "%d/%b/%Y:%H:%M:%S +0000", "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S UTC", "%a %b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S UTC %Y", "%b %d, %Y @ %H:%M:%S.123", "%B %d, %Y at %I:%M:%S %p", "%d %B %Y %H:%M:%S",
    "%d.%m.%Y %H:%M:%S", "%Y-%jT%H:%M:%SZ", "%G-W%V-%uT%H:%M:%S", "%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %H:%M:%S +0000 UTC",
    "%Y-%m-%dT%H:%M:%S.1234567+00:00", "%d-%b-%Y %H:%M:%S", "%H:%M:%S %Y-%m-%d", "%a %d %b %Y %I:%M:%S %p UTC",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
@given(moment=MOMENTS)
@hypothesis_settings(max_examples=30)
def test_every_time_in_every_form(form: str, moment: datetime) -> None:
    assert seconds(moment.strftime(form)) == int(moment.replace(tzinfo=UTC).timestamp())


@given(st.lists(MOMENTS, min_size=1, max_size=20), st.sampled_from(["%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p"]))
@hypothesis_settings(max_examples=60)
def test_dates_of_a_column_with_one_that_decides(moments: list[datetime], form: str) -> None:
    moments = [datetime(2026, 6, 13), *moments]
    values = [moment.strftime(form) for moment in moments]
    assert TimeReader.of(values).seconds(values) == [int(m.replace(tzinfo=UTC).timestamp()) for m in moments]


@given(MOMENTS, st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]))
@hypothesis_settings(max_examples=60)
def test_every_time_in_every_zone(moment: datetime, zone: str) -> None:
    there = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    expected = int(moment.replace(tzinfo=UTC).timestamp())
    assert seconds(f"{there.isoformat()}[{zone}]") == expected
    assert seconds(format_datetime(there)) == expected
    assert seconds(there.strftime("%d/%b/%Y:%H:%M:%S %z")) == expected
    if not there.fold and there.replace(fold=1).utcoffset() == there.utcoffset():
        assert seconds(f"{there.strftime('%Y-%m-%d %H:%M:%S')} {zone}") == expected


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=60), st.binary(max_size=5),
        st.decimals(), st.dates(), st.datetimes(),
        st.text("0123456789/-:. ,TZAPM+[]()年JunMay@", max_size=30),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["$date", "seconds", "N", "value", "t", "x"]), inner, max_size=2),
    ),
    max_leaves=4,
)  # fmt: skip


@given(st.lists(VALUES, max_size=8))
@hypothesis_settings(max_examples=300, deadline=None)
def test_no_value_breaks_the_reading_of_times(values: list[Any]) -> None:
    for value in values:
        time = seconds(value)
        assert time is None or time == NO_TIME or EARLIEST <= time < LATEST
    reader = TimeReader.of(values, now=NOW)
    found = reader.seconds(values)
    assert len(found) == reader.count == len(values)
    assert all(time == NO_TIME or EARLIEST <= time < LATEST for time in found)
    assert reader.unreadable <= found.count(NO_TIME)


def test_dates_of_the_calendar() -> None:
    assert seconds(date(2026, 6, 1)) == SAME - 16
