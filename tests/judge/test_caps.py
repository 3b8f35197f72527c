"""What caps the tier of a finding."""

from __future__ import annotations

from harvestdetect.data import TIERS
from harvestdetect.judge.caps import BENIGN_CAP, VERDICT, benign_verdict, capped


def test_a_cap_lowers_a_tier_and_raises_none() -> None:
    for place, cap in enumerate(TIERS):
        assert [capped(tier, cap) for tier in TIERS] == [TIERS[max(place, i)] for i in range(len(TIERS))]
        assert capped(None, cap) is None
        assert capped(cap, None) == cap
    assert capped(None, None) is None


def test_a_benign_verdict_is_an_explanation_that_caps() -> None:
    explanation = benign_verdict("A class.")
    assert (explanation.id, explanation.verdict, explanation.sentence) == (VERDICT, "fits", "A class.")
    assert explanation.caps == BENIGN_CAP == "watch"
