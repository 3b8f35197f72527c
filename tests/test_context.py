"""Tests of what a scan decides about its budget."""

from __future__ import annotations

import pytest

from harvestdetect.context import SHORTEST, seconds_by_meaning
from harvestdetect.settings import Settings


@pytest.mark.parametrize(
    ("budget", "texts", "seconds"),
    [
        (60.0, 0, SHORTEST),
        (60.0, 1_000, SHORTEST),
        (60.0, 300_000, 20.0),
        (60.0, 10_000_000, 60.0),
        (2.0, 10_000_000, 2.0),
        (0.0, 1_000, 0.0),
    ],
)
def test_auto_spends_less_on_smaller_dumps_and_never_more_than_its_budget(
    budget: float, texts: int, seconds: float
) -> None:
    assert seconds_by_meaning(Settings(auto_budget_seconds=budget), texts) == pytest.approx(seconds)
