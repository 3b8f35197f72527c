"""Numbers, times and sentences as people read them."""

from __future__ import annotations

import math

from harvestdetect.data import (
    NO_TIME,
)
from harvestdetect.report.format import by_chance, iso_time, number, p_value, percent, rough, seconds_of
from tests.report.making import (
    T0,
)

# ---------------------------------------------------------------- numbers and times


def test_times_and_numbers_as_people_read_them() -> None:
    assert iso_time(T0) == "2026-03-01T00:00:00Z"
    assert iso_time(None) is None
    assert iso_time(NO_TIME) is None
    assert iso_time(10**15) == 10**15
    for seconds in (T0, -1, None, 10**15):
        assert seconds_of(iso_time(seconds)) == seconds
    assert [p_value(p) for p in (0.0, 1e-310, 3e-5, 1e-7, 0.25, math.nan)] == [
        "below 10⁻³⁰⁰",
        "below 10⁻³⁰⁰",
        "3 × 10⁻⁵",
        "10⁻⁷",
        "0.250",
        "–",
    ]
    assert [number(v) for v in (3, 12_345.6, 0.1234, 2e-6, math.inf, None)] == [
        "3",
        "12,346",
        "0.123",
        "2 × 10⁻⁶",
        "∞",
        "–",
    ]
    assert [percent(v) for v in (0.0, 1.0, 0.0031, 1e-9)] == ["0 %", "100 %", "0.31 %", "under 0.0001 %"]
    assert [rough(v) for v in (0.019086, 0.3, 12.34, 1_234.0, math.inf, math.nan, None)] == [
        *("0.019", "0.3", "12", "1,200", "∞", "–", "–"),
    ]


def test_what_chance_may_give_is_said_as_an_estimate_from_above() -> None:
    assert by_chance(0.3456, 4) == "of these, at most about 0.35 expected by chance"
    assert by_chance(0.3456, 1) == "at most about 0.35 expected by chance"
    assert by_chance(0.0, 2) == "of these, fewer than 0.001 expected by chance"
    assert by_chance(4.0, 4) == by_chance(7.2, 4) == "chance alone may give as many"
