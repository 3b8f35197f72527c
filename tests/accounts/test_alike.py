"""Groups of accounts whose profiles are alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.accounts.alike import NEIGHBORS, SEARCHED, Likeness, alike, compared, with_rarer_features
from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.accounts.profiles import Profiles, PromptFeatures, account_profiles, topic_profiles
from harvestdetect.neighbors.search import chord_distance
from tests.accounts.logs import held
from tests.accounts.made import LEAST, SUBJECTS, Requests, features_from, harvesters, people


def groups_of(features: PromptFeatures, *, threads: int = 1) -> list[AccountGroup]:
    profiles = account_profiles(features, min_accounts=LEAST)
    return alike(profiles, features, min_accounts=LEAST, threads=threads, seed=0).groups


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("share", "own"), [(0.5, 6), (1.0, 24)])
def test_a_planted_group_is_found_among_people(seed: int, share: float, own: int) -> None:
    rng = np.random.default_rng(seed)
    features = features_from([*people(rng, 500), *harvesters(rng, 60, share=share, own=own)])
    groups = groups_of(features)
    found, purity = held(groups, range(500, 560))
    assert found >= 0.7
    assert purity >= 0.8
    best = max(groups, key=lambda group: np.isin(group.accounts, range(500, 560)).sum())
    assert best.way == "accounts"
    # the prompts that make the accounts alike are those of the harvest
    harvest = features.matrix[best.prompts][:, SUBJECTS + 1 :].getnnz(axis=1) > 0
    every = features.matrix[:, SUBJECTS + 1 :].getnnz(axis=1).sum()
    assert harvest.sum() >= 0.7 * every
    assert harvest.mean() >= 0.8


def test_a_tenth_of_the_requests_is_a_group_of_topics() -> None:
    """Two of twenty requests; the account as a whole is like other people's."""
    rng = np.random.default_rng(0)
    accounts = [*people(rng, 400, each=24), *harvesters(rng, 60, each=24, share=1 / 6)]
    topics = [[int(request[0] > SUBJECTS) for request in requests] for requests in accounts]
    features = features_from(accounts, topics=topics)
    points = topic_profiles(features, min_accounts=LEAST)
    found, purity = held(alike(points, features, min_accounts=LEAST, threads=1, seed=0).groups, range(400, 460))
    assert found >= 0.9
    assert purity >= 0.9


def test_two_campaigns_are_two_groups() -> None:
    rng = np.random.default_rng(1)
    features = features_from(
        [*people(rng, 500), *harvesters(rng, 40), *harvesters(rng, 40, first=SUBJECTS + 7)]
    )  # fmt: skip
    groups = groups_of(features)
    for first in (500, 540):
        found, purity = held(groups, range(first, first + 40))
        assert found >= 0.85
        assert purity >= 0.8


def test_people_of_all_subjects_are_no_large_group() -> None:
    groups = groups_of(features_from(people(np.random.default_rng(2), 500)))
    assert sum(len(group.accounts) for group in groups) < 100


def test_too_few_accounts_are_no_group() -> None:
    rng = np.random.default_rng(3)
    one = [[[0], [1], [2], [3]]]
    cases: list[list[Requests]] = [list(one), list(one) * LEAST, [*people(rng, 300), *harvesters(rng, LEAST - 1)]]
    for accounts in cases:
        groups = groups_of(features_from(accounts))
        assert held(groups, range(len(accounts) - len(accounts[300:] or accounts), len(accounts)))[0] < 0.5


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_requests_changes_nothing(seed: int) -> None:
    """Of an account; accounts are sorted by their ids before they are numbered."""
    rng = np.random.default_rng(5)
    accounts = [*people(rng, 200), *harvesters(rng, 40)]
    order = np.random.default_rng(seed)
    mixed = [[requests[i] for i in order.permutation(len(requests))] for requests in accounts]
    plain, other = groups_of(features_from(accounts)), groups_of(features_from(mixed))
    assert [group.accounts.tolist() for group in plain] == [group.accounts.tolist() for group in other]
    assert [len(group.prompts) for group in plain] == [len(group.prompts) for group in other]
    assert plain


def test_groups_are_sorted_and_their_prompts_are_theirs_on_any_number_of_threads() -> None:
    rng = np.random.default_rng(6)
    features = features_from([*people(rng, 300), *harvesters(rng, 40), *harvesters(rng, 30, first=SUBJECTS + 7)])
    groups = groups_of(features)
    assert len(groups) >= 2
    for group in groups:
        assert len(group.accounts) >= LEAST
        assert (np.diff(group.prompts) > 0).all()
        assert np.array_equal(np.unique(features.account[group.prompts]), group.accounts)
    again = groups_of(features, threads=3)
    assert [group.prompts.tolist() for group in groups] == [group.prompts.tolist() for group in again]


def test_the_nearest_profiles_are_nearly_those_of_brute_force() -> None:
    rng = np.random.default_rng(7)
    profiles = account_profiles(features_from([*people(rng, 400), *harvesters(rng, 60)]), min_accounts=LEAST)
    near = compared(profiles, threads=1, seed=0).neighbors
    cosine = (profiles.weights @ profiles.weights.T).toarray()
    np.fill_diagonal(cosine, -1)
    best = np.sort(cosine, axis=1)[:, ::-1][:, :NEIGHBORS]
    known = near.index >= 0
    shown = np.where(known, np.take_along_axis(cosine, np.maximum(near.index, 0), axis=1), 0.0)
    assert near.distance[known] == pytest.approx(chord_distance(shown[known].astype(np.float32)), abs=1e-2)
    assert (np.diff(shown, axis=1) <= 1e-5).all()
    assert (shown[:, 0] >= best[:, 0] - 1e-3).mean() >= 0.95
    assert (np.maximum(best, 0) - shown).mean() <= 0.02
    assert not (near.index == np.arange(460)[:, None]).any()


def test_profiles_without_a_feature_in_common_are_no_neighbours() -> None:
    features = features_from([[[feature]] * 6 for feature, count in ((0, 12), (1, 12), (2, 60)) for _ in range(count)])
    near = compared(account_profiles(features, min_accounts=LEAST), threads=1, seed=0).neighbors
    assert (near.index[0] < 12).all()
    assert (near.index[0] >= 0).sum() == 11
    assert np.isinf(near.distance[0][near.index[0] < 0]).all()


# ---------------------------------------------------------------- small groups

FEW = LEAST // 2


def with_pairs(rng: np.random.Generator, accounts: list[list[list[int]]], groups: int) -> list[list[list[int]]]:
    """Accounts of which some, FEW to LEAST - 1 at a time, have a feature that nobody else has."""
    for number in range(groups):
        for account in rng.choice(len(accounts), rng.integers(FEW, LEAST), replace=False):
            accounts[account][int(rng.integers(len(accounts[account])))].append(SUBJECTS + 100 + number)
    return accounts


def exact(profiles: Profiles, *, rarer: bool, k: int) -> Likeness:
    """The k most alike of each profile, of all, by dense products."""
    rows = profiles.weights.toarray().astype(np.float64)
    if rarer:
        rows += profiles.rarer.toarray()
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    cosine = rows @ rows.T
    np.fill_diagonal(cosine, -1)
    index = np.argsort(-cosine, axis=1, kind="stable")[:, :k].astype(np.int32)
    return Likeness(index=index, cosine=np.take_along_axis(cosine, index, axis=1).astype(np.float32))


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(0, 30))
def test_rarer_features_give_the_likeness_by_all_features(seed: int, groups: int) -> None:
    rng = np.random.default_rng(seed)
    accounts = with_pairs(rng, people(rng, 60), groups)
    accounts += [[[SUBJECTS + 99]] * 6] * FEW  # these have no feature that counts otherwise
    profiles = account_profiles(features_from(accounts), min_accounts=LEAST, few=FEW)
    found = with_rarer_features(exact(profiles, rarer=False, k=len(accounts) - 1), profiles)
    wanted = exact(profiles, rarer=True, k=len(accounts) - 1)
    assert found.cosine == pytest.approx(wanted.cosine, abs=1e-4)
    # a pair that shares nothing has no place
    best = np.take_along_axis(pairwise(profiles), np.maximum(found.index, 0), axis=1)
    assert np.where(found.cosine > 0, best, 0) == pytest.approx(found.cosine, abs=1e-4)
    for row, near in enumerate(found.index.tolist()):
        listed = [one for one in near if one >= 0]
        assert len(set(listed)) == len(listed)
        assert row not in listed


def pairwise(profiles: Profiles) -> np.ndarray:
    """The cosines of all pairs by all features: float64[r, r]."""
    count = len(profiles.account)
    every = exact(profiles, rarer=True, k=count)
    found = np.empty((count, count))
    np.put_along_axis(found, every.index.astype(np.int64), every.cosine, axis=1)
    return found


def test_accounts_that_share_a_rarer_feature_are_neighbours_though_the_search_missed_them() -> None:
    rng = np.random.default_rng(8)
    accounts = people(rng, 400)
    sharing = list(range(0, 400, 50))
    for account in sharing:
        for request in accounts[account][:6]:
            request[0] = SUBJECTS + 1
    profiles = account_profiles(features_from(accounts), min_accounts=LEAST, few=FEW)
    plain = compared(profiles, threads=1, seed=0)
    assert plain.index.shape == (400, SEARCHED * NEIGHBORS)
    before, after = plain.neighbors, with_rarer_features(plain, profiles).neighbors
    for account in sharing:
        others = set(sharing) - {account}
        assert not others <= set(before.index[account].tolist())
        assert others <= set(after.index[account].tolist())
    rarer = profiles.rarer.getnnz(axis=1) > 0
    unchanged = ~(rarer[before.index] & (before.index >= 0)).any(axis=1) & ~rarer
    assert unchanged.sum() > 20
    assert np.array_equal(before.index[unchanged], after.index[unchanged])


def test_a_group_that_is_too_small_for_a_campaign_is_a_small_group() -> None:
    rng = np.random.default_rng(9)
    accounts = [*people(rng, 400), *harvesters(rng, LEAST - 2, share=1.0, own=4)]
    features = features_from(accounts)
    profiles = account_profiles(features, min_accounts=LEAST, few=FEW)
    found = alike(profiles, features, min_accounts=LEAST, few=FEW, threads=1, seed=0)
    members = range(400, 400 + LEAST - 2)
    share, purity = held(found.small, members)
    assert share >= 0.7
    assert purity >= 0.7
    assert not any(np.isin(group.accounts, members).mean() > 0.5 for group in found.groups)
    without = alike(profiles, features, min_accounts=LEAST, threads=1, seed=0)
    assert without.small == []
    assert [g.accounts.tolist() for g in without.groups] == [g.accounts.tolist() for g in found.groups]
