"""Which groups a signature fits without its words: by what is alike together, and only if nothing else is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from harvestdetect.data import Tier
from harvestdetect.signatures.by_profile import (
    MOST_PARTS,
    Fitting,
    ProfileCandidate,
    fitting,
    likenesses,
    stands_alone,
    together,
)
from harvestdetect.util.arrays import Floats


def candidates(*tiers: Tier | None) -> list[ProfileCandidate]:
    """One candidate of ten accounts for each tier, without common accounts."""
    return [
        ProfileCandidate(
            campaign_id=None if tier is None else f"c-{i}", tier=tier, accounts=np.arange(10 * i, 10 * i + 10),
        )
        for i, tier in enumerate(tiers)
    ]  # fmt: skip


def alike(found: Sequence[ProfileCandidate], profile: Sequence[float], shape: float = 1.0) -> Floats:
    return likenesses(found, np.array(profile), lambda i: (shape, math.nan, 1.0))


def fit(
    found: Sequence[ProfileCandidate],
    profile: Sequence[float],
    shape: float = 1.0,
    *,
    taken: frozenset[str] = frozenset(),
    worded: bool = False,
) -> Fitting | None:
    return fitting(found, alike(found, profile, shape), taken=taken, worded=worded)


def chosen(made: Fitting | None) -> tuple[int, ...]:
    return () if made is None else made.chosen


def test_what_is_not_known_does_not_count() -> None:
    assert together(0.8, (1.0, math.nan, 0.5)) == pytest.approx(0.4)
    assert together(0.8, (0.5, 0.5, 1.0)) == pytest.approx(0.3)
    assert together(0.8, (math.nan,) * 3) == 0.8


def test_one_finding_fits_that_is_more_like_it_than_all_others() -> None:
    found = candidates("review", "urgent", "watch", None)
    assert fit(found, [0.8, 0.2, 0.2, 0.1]) == Fitting(chosen=(0,), rest=0.0), "what is hardly alike is not compared"
    assert fit(found, [0.8, 0.5, 0.2, 0.1]) == Fitting(chosen=(0,), rest=0.5)
    assert chosen(fit(found, [0.29, 0.2, 0.2, 0.1])) == (), "another subject"
    assert chosen(fit(found, [0.8, 0.3, 0.2, 0.1], 0.35)) == (), "the same subject in another manner"
    assert chosen(fit(found, [0.8, 0.3, 0.2, 0.1], taken=frozenset({"c-0"}))) == (), "words explain it"
    assert chosen(fit(candidates("review"), [0.8])) == (0,)
    assert fit([], []) is None


def test_several_findings_fit_if_all_others_are_clearly_less_like_it() -> None:
    found = candidates(*("review",) * 6)
    assert chosen(fit(found, [0.8, 0.78, 0.76, 0.3, 0.3, 0.3])) == (0, 1, 2)
    assert chosen(fit(found, [0.8, 0.78, 0.76, 0.72, 0.65, 0.3])) == (), "the next one is nearly as like"
    assert chosen(fit(found, [0.8] * (MOST_PARTS + 1) + [0.3])) == (), "a subject of many"


def test_a_finding_at_watch_must_stand_alone() -> None:
    found = candidates("watch", "review", None, None)
    assert chosen(fit(found, [0.5, 0.35, 0.3, 0.3])) == (0,)
    assert chosen(fit(found, [0.49, 0.2, 0.2, 0.2])) == ()
    assert chosen(fit(found, [0.5, 0.3, 0.45, 0.3])) == (), "another group is nearly as like"
    assert chosen(fit(found, [0.5, 0.3, 0.3, 0.3], taken=frozenset({"c-0"}))) == (), "words explain it"


def test_a_group_that_is_no_finding_must_be_liker() -> None:
    found = candidates(None, "review", None, None)
    assert chosen(fit(found, [0.6, 0.35, 0.3, 0.3])) == (0,)
    assert chosen(fit(found, [0.49, 0.3, 0.3, 0.3])) == ()
    assert chosen(fit(found, [0.9, 0.3, 0.3, 0.3], 0.5)) == (), "it writes in another form"
    assert chosen(fit(found, [0.6, 0.3, 0.5, 0.3])) == (), "another group is nearly as like"


def test_a_group_without_the_words_of_a_signature_is_not_the_campaign() -> None:
    assert chosen(fit(candidates(None, None), [0.9, 0.1], worded=True)) == ()
    assert chosen(fit(candidates("review", None), [0.9, 0.1], worded=True)) == (0,), "a finding may have new words"


def test_a_finding_is_as_like_as_the_candidate_with_its_accounts() -> None:
    finding, other = candidates("watch", None)
    same = ProfileCandidate(campaign_id=None, tier=None, accounts=finding.accounts[:8])
    part = ProfileCandidate(campaign_id=None, tier=None, accounts=finding.accounts[:4])
    assert chosen(fit([finding, same, other], [0.25, 0.6, 0.1])) == (0,)
    assert chosen(fit([finding, part, other], [0.25, 0.6, 0.1])) == ()


def test_accounts_that_are_no_candidate_fit_if_nothing_else_does() -> None:
    found = candidates("review", None)
    others = np.arange(100, 110)
    like = np.array([0.3, 0.4])
    assert stands_alone(others, 0.8, found, like) == 0.4
    assert stands_alone(others, 0.74, found, like) is None, "too unlike"
    assert stands_alone(others, 0.8, found, 2 * like) is None, "another group is nearly as like"
    assert stands_alone(np.arange(10, 20), 0.8, found, 2 * like) == 0.6, "it is that group"
    assert stands_alone(np.arange(0, 10), 0.9, found, like) is None, "most of them are in a finding"
    assert stands_alone(others, 0.75, [], np.empty(0)) == 0


def test_a_group_that_is_mostly_in_findings_is_not_reported_beside_them() -> None:
    whole, part = candidates("watch", None)
    part = ProfileCandidate(campaign_id=None, tier=None, accounts=np.append(whole.accounts[:8], np.arange(50, 58)))
    assert chosen(fit([whole, part], [0.25, 0.9])) == (0,), "it is the finding, and others"
    part = ProfileCandidate(campaign_id=None, tier=None, accounts=whole.accounts[:4])
    assert chosen(fit([whole, part], [0.25, 0.9])) == ()
    assert chosen(fit([whole, part], [0.9, 0.9])) == (0,), "and is no rival of theirs"


def test_a_subject_that_many_candidates_have_fits_none() -> None:
    found = candidates("review", "review", *(None,) * 20)
    assert chosen(fit(found, [0.7, 0.1, *[0.2] * 20])) == (0,)
    assert chosen(fit(found, [0.7, 0.1, *[0.7] * 2, *[0.2] * 18])) == ()
