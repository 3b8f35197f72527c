"""Numbers, times and sentences as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harvestdetect.data import (
    NO_TIME,
)
from harvestdetect.report.format import (
    expected_innocent,
    few,
    iso_time,
    least_claimed,
    number,
    p_value,
    percent,
    probability,
    rough,
    seconds_of,
)
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
        "below 10⁻¹²",
        "below 10⁻¹²",
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
    assert [percent(v) for v in (0.0, 1.0, 0.0031, 0.00998, 1e-9)] == [
        "0 %",
        "100 %",
        "0.31 %",
        "1 %",
        "under 0.0001 %",
    ]
    assert [rough(v) for v in (0.019086, 0.3, 12.34, 1_234.0, math.inf, math.nan, None)] == [
        *("0.019", "0.3", "12", "1,200", "∞", "–", "–"),
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1.0, "over 99.9 %"),
        (0.9995, "over 99.9 %"),
        (0.995, "over 99 %"),
        (0.989, "about 99 %"),
        (0.95, "about 95 %"),
        (0.91, "about 90 %"),
        (0.89, "about 90 %"),
        (0.5, "about 50 %"),
        (0.37, "about 35 %"),
        (0.1, "about 10 %"),
        (0.05, "about 1 in 20"),
        (0.011, "about 1 in 100"),
        (0.004, "under 1 in 100"),
        (0.0, "under 1 in 1,000"),
    ],
)
def test_probabilities_are_said_as_roughly_as_they_are_known(value: float, said: str) -> None:
    assert probability(value, least=1 / 1_800) == said


def test_a_probability_is_no_surer_than_the_test_of_the_ledger() -> None:
    assert probability(1.0, least=least_claimed({"held_out": 1_800})) == "over 99.9 %"
    assert probability(1.0, least=least_claimed({"held_out": 900})) == "over 99 %"
    assert probability(1.0, least=least_claimed({"held_out": 60})) == "over 95 %"
    assert probability(0.0, least=least_claimed({"held_out": 60})) == "under 1 in 20"
    assert probability(1.0, least=least_claimed({"held_out": 3})) == "over 50 %"
    for unknown in ({}, {"held_out": 0}, {"held_out": "many"}):
        assert probability(1.0, least=least_claimed(unknown)) == "over 99 %"
    assert probability(None) == probability(math.nan) == "–"


def as_number(said: str) -> float:
    """What a probability in words is: its bound, or what it is about."""
    share = said.rpartition(" 1 in ")[2] if " 1 in " in said else ""
    return 1 / float(share.replace(",", "")) if share else float(said.split()[1]) / 100


@given(st.floats(0, 1), st.integers(2, 10**6))
def test_a_probability_in_words_claims_no_more_than_it_may(value: float, held_out: int) -> None:
    least = least_claimed({"held_out": held_out})
    said = probability(value, least=least)
    told = as_number(said)
    if said.startswith("over"):
        assert told <= max(min(value, 1 - least), 0.5) + 1e-9
    elif said.startswith("under"):
        assert told >= min(max(value, least), 0.5) - 1e-9
    else:
        assert told == pytest.approx(value, rel=0.3, abs=0.03)
        assert min(value, 1 - value) >= least
    assert "100 %" not in said


@given(st.floats(0, 1), st.floats(0, 1), st.integers(2, 10**6))
@example(0.977, 0.988, 50)
@example(0.332, 0.338, 3)
def test_probabilities_in_words_keep_their_order(one: float, other: float, held_out: int) -> None:
    least = least_claimed({"held_out": held_out})
    low, high = (as_number(probability(p, least=least)) for p in sorted((one, other)))
    assert low <= high + 1e-9


def test_how_many_may_be_innocent_is_said_no_finer_than_it_is_known() -> None:
    assert expected_innocent(0.3456, 4) == "of these, about 0.35 expected to be innocent"
    assert expected_innocent(0.3456, 1) == "about 0.35 expected to be innocent"
    assert expected_innocent(0.0002, 2) == "of these, fewer than 0.1 expected to be innocent"
    assert expected_innocent(4.0, 4) == expected_innocent(7.2, 4) == "as many innocent groups are expected"
    assert expected_innocent(math.nan, 4) == few(math.nan) == ""
