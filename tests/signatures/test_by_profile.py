"""Which groups a signature fits without its words: by what is alike together, and only if nothing else is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from harvestdetect.data import Tier
from harvestdetect.signatures.by_profile import MOST_PARTS, Candidate, Fitting, fitting, together


def candidates(*tiers: Tier | None) -> list[Candidate]:
    """One candidate of ten accounts for each tier, without common accounts."""
    return [
        Candidate(
            campaign_id=None if tier is None else f"c-{i}", tier=tier, accounts=np.arange(10 * i, 10 * i + 10),
        )
        for i, tier in enumerate(tiers)
    ]  # fmt: skip


def fit(
    found: Sequence[Candidate], profile: Sequence[float], shape: float = 1.0, *, taken: frozenset[str] = frozenset()
) -> Fitting | None:
    return fitting(found, np.array(profile), lambda i: (shape, math.nan, shape), taken=taken)


def chosen(made: Fitting | None) -> tuple[int, ...]:
    return () if made is None else made.chosen


def test_what_is_not_known_does_not_count() -> None:
    assert together(0.8, (1.0, math.nan, 0.5)) == pytest.approx(0.6)
    assert together(0.8, (math.nan,) * 3) == 0.8


def test_one_finding_fits_that_is_more_like_it_than_all_others() -> None:
    found = candidates("review", "urgent", "watch", None)
    assert fit(found, [0.8, 0.3, 0.2, 0.1]) == Fitting(chosen=(0,), rest=0.3)
    assert chosen(fit(found, [0.59, 0.3, 0.2, 0.1])) == (), "another subject"
    assert chosen(fit(found, [0.8, 0.3, 0.2, 0.1], 0.6)) == (), "the same subject in another manner"
    assert chosen(fit(found, [0.8, 0.3, 0.2, 0.1], taken=frozenset({"c-0"}))) == (), "words explain it"
    assert chosen(fit(candidates("review"), [0.8])) == (0,)
    assert fit([], []) is None


def test_several_findings_fit_if_all_others_are_clearly_less_like_it() -> None:
    found = candidates(*("review",) * 6)
    assert chosen(fit(found, [0.8, 0.78, 0.76, 0.3, 0.3, 0.3])) == (0, 1, 2)
    assert chosen(fit(found, [0.8, 0.78, 0.76, 0.72, 0.65, 0.3])) == (), "the next one is nearly as like"
    assert chosen(fit(found, [0.8] * (MOST_PARTS + 1) + [0.3])) == (), "a subject of many"


def test_a_finding_at_watch_and_a_group_that_is_no_finding_must_be_nearly_the_same() -> None:
    for tier in ("watch", None):
        found = candidates(tier, "review", None, None)
        assert chosen(fit(found, [0.8, 0.3, 0.3, 0.3])) == (0,)
        assert chosen(fit(found, [0.74, 0.3, 0.3, 0.3])) == ()
        assert chosen(fit(found, [0.95, 0.3, 0.3, 0.3], 0.8)) == (), "form, tempo and list are too unlike"
        assert chosen(fit(found, [0.8, 0.3, 0.65, 0.3])) == (), "another group is nearly as like"


def test_a_group_that_is_mostly_in_findings_is_not_reported_beside_them() -> None:
    whole, part = candidates("watch", None)
    part = Candidate(campaign_id=None, tier=None, accounts=whole.accounts[:8])
    assert chosen(fit([whole, part], [0.5, 0.9])) == ()
    assert chosen(fit([whole, part], [0.9, 0.9])) == (0,), "and is no rival of theirs"


def test_a_subject_that_many_candidates_have_fits_none() -> None:
    found = candidates("review", "review", *(None,) * 20)
    assert chosen(fit(found, [0.7, 0.1, *[0.2] * 20])) == (0,)
    assert chosen(fit(found, [0.7, 0.1, *[0.7] * 2, *[0.2] * 18])) == ()
