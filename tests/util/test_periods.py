"""Periods such as 15m or 7d."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect.errors import UsageError
from harvestdetect.util.periods import LONGEST, parse_period


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("15m", 900), ("12h", 43_200), ("1d", 86_400), ("1w", 604_800), (" 2 d\n", 172_800)],
)
def test_a_period_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_period(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0d", "d", "1", "-1d", "1.5h", "1D", "1d12h", "1mo", "٣d", "99999999999d", "11y", "521w"]
)
def test_another_period_is_refused_with_what_is_allowed(text: str) -> None:
    wrong = pytest.raises(UsageError, match="15m, 12h, 1d or 1w")
    if text == "521w":
        assert parse_period(text) <= LONGEST
        wrong = pytest.raises(UsageError, match="15m")
        text = "522w"
    with wrong:
        parse_period(text)


@given(st.text(max_size=8))
def test_a_text_is_a_period_or_refused(text: str) -> None:
    try:
        assert 0 < parse_period(text) <= LONGEST
    except UsageError:
        assert not re.fullmatch(r"\s*[1-9][0-9]{0,3}[smhd]\s*", text)
