"""Profiles of accounts and of their topics."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.accounts import profiles as profiles_module
from harvestdetect.accounts.profiles import (
    ACCOUNT_PROMPTS,
    CELLS_EACH,
    SCALES,
    TOPIC_PROMPTS,
    account_profiles,
    topic_profiles,
)
from harvestdetect.data import Prompt
from tests.accounts.made import LEAST, SUBJECTS, features_from, filled, harvesters, invented, people, texts_of

T0 = 1_772_323_200


def test_a_feature_that_everybody_uses_counts_nothing() -> None:
    features = features_from(people(np.random.default_rng(0), 100))
    assert features.users[SUBJECTS] == 100
    profiles = account_profiles(features, min_accounts=LEAST)
    assert not profiles.weights[:, [SUBJECTS]].nnz
    assert profiles.weights.nnz


def test_a_feature_of_too_few_accounts_counts_nothing() -> None:
    accounts = people(np.random.default_rng(0), 100)
    for requests in accounts[: LEAST - 1]:
        requests[0] = [SUBJECTS + 1]
    for requests in accounts[:LEAST]:
        requests[1] = [SUBJECTS + 2]
    weights = account_profiles(features_from(accounts), min_accounts=LEAST).weights
    assert not weights[:, [SUBJECTS + 1]].nnz
    assert weights[:, [SUBJECTS + 2]].nnz == LEAST


def test_features_of_smaller_groups_are_apart_and_change_no_weight() -> None:
    accounts = people(np.random.default_rng(0), 100)
    for feature, users in ((SUBJECTS + 1, 4), (SUBJECTS + 2, 5), (SUBJECTS + 3, LEAST - 1), (SUBJECTS + 4, LEAST)):
        for requests in accounts[:users]:
            requests[0] = [*requests[0], feature]
    features = features_from(accounts)
    plain = account_profiles(features, min_accounts=LEAST)
    found = account_profiles(features, min_accounts=LEAST, few=5)
    assert plain.rarer.nnz == 0
    assert np.array_equal(plain.weights.toarray(), found.weights.toarray())
    rarer = found.rarer.toarray()
    rare = (features.users >= 5) & (features.users < LEAST)
    assert rare[[SUBJECTS + 2, SUBJECTS + 3]].all()
    assert not rarer[:, ~rare].any()
    for feature, users in ((SUBJECTS + 2, 5), (SUBJECTS + 3, LEAST - 1)):
        assert (rarer[:, feature] > 0).tolist() == [True] * users + [False] * (100 - users)
    # a rarer feature weighs more than a usual one of the same account
    assert rarer[0, SUBJECTS + 2] > rarer[0, SUBJECTS + 3] > found.weights[0].max()


def test_an_account_uses_a_feature_or_not() -> None:
    """A topic counts by its use, an account by which features it has."""
    accounts = [[[0]] * 5 + [[1]], *([[0], [1]] * 3 for _ in range(LEAST)), *([[2]] * 6 for _ in range(30))]
    features = features_from(accounts)
    once = account_profiles(features, min_accounts=LEAST).weights.toarray()
    assert once[0] == pytest.approx(once[1])
    often = topic_profiles(features, min_accounts=LEAST).weights.toarray()
    assert often[0, 0] > 2 * often[0, 1] > 0
    assert often[1, 0] == pytest.approx(often[1, 1])


def test_too_few_requests_are_no_profile() -> None:
    accounts = [[[0]] * sent for sent in (ACCOUNT_PROMPTS - 1, ACCOUNT_PROMPTS, 9)]
    assert account_profiles(features_from(accounts), min_accounts=2).account.tolist() == [1, 2]
    empty = account_profiles(features_from(accounts[:1]), min_accounts=2)
    assert empty.weights.shape[0] == len(empty.account) == 0


def test_each_topic_of_an_account_is_a_profile() -> None:
    accounts = [[[0]] * 8, [[1]] * 8, [[0]] * 8]
    topics = [[0] * 4 + [1] * 4, [0] * 8, [2] * (8 - TOPIC_PROMPTS + 1) + [3] * (TOPIC_PROMPTS - 1)]
    profiles = topic_profiles(features_from(accounts, topics=topics), min_accounts=1)
    assert profiles.account.tolist() == [0, 0, 1, 2]
    assert [sorted(row.indices.tolist()) for row in profiles.prompts] == [
        [0, 1, 2, 3], [4, 5, 6, 7], list(range(8, 16)), list(range(16, 22)),
    ]  # fmt: skip


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(0, 30))
def test_rows_are_of_length_one_and_each_prompt_is_in_one_profile(seed: int, usual: int, planted: int) -> None:
    rng = np.random.default_rng(seed)
    accounts = [*people(rng, usual), *harvesters(rng, planted)]
    topics = [rng.integers(0, 3, len(requests)).tolist() for requests in accounts]
    features = features_from(accounts, topics=topics)
    for profiles in (account_profiles(features, min_accounts=4), topic_profiles(features, min_accounts=4)):
        assert (np.diff(profiles.account) >= 0).all()
        length = np.sqrt(profiles.weights.multiply(profiles.weights).sum(axis=1))
        assert np.isclose(length, 1, atol=1e-3).sum() + np.isclose(length, 0).sum() == len(length)
        assert (profiles.weights.data > 0).all()
        assert max(np.bincount(profiles.prompts.indices), default=0) <= 1
        for point, account in enumerate(profiles.account.tolist()):
            assert set(features.account[profiles.prompts[[point]].indices].tolist()) == {account}


# ---------------------------------------------------------------- features of texts


def sent(repeated: bool) -> list[Prompt]:
    """Prompts of 30 accounts; in one version, some requests are sent again within a minute."""
    rows = []
    for i, (account, text) in enumerate(filled("user", "Tell me about {} and about {} please", 30)):
        rows.append(Prompt(account=account, prompt=text, time=T0 + 3_600 * i))
        if repeated and i % 4 == 0:
            rows += [Prompt(account=account, prompt=text, time=T0 + 3_600 * i + 5)] * 2
    return rows


def test_repeated_rows_do_not_count() -> None:
    plain, again = (texts_of(sent(repeated)).features for repeated in (False, True))
    assert again.matrix.shape[0] > plain.matrix.shape[0]
    filled_rows = again.matrix.getnnz(axis=1) > 0
    assert filled_rows.sum() == plain.matrix.shape[0]
    assert np.array_equal(again.matrix[filled_rows].toarray(), plain.matrix.toarray())
    assert np.array_equal(again.users, plain.users)
    one, other = (account_profiles(features, min_accounts=1) for features in (plain, again))
    assert one.account.tolist() == other.account.tolist()
    assert np.array_equal(one.weights.toarray(), other.weights.toarray())


def test_equal_texts_have_equal_features_and_every_prompt_has_some_of_each_scale() -> None:
    rng = random.Random(0)
    words = [invented(rng, 6) for _ in range(100)]
    features = texts_of([(f"user {i:03}", words[(7 * i + j) % 100]) for i in range(40) for j in range(6)]).features
    assert features.matrix.shape[0] == 240
    assert set(features.matrix.data.tolist()) == {1.0}
    assert (features.matrix.getnnz(axis=1) == CELLS_EACH * len(SCALES)).all()
    kinds = np.unique(features.matrix.toarray(), axis=0)
    assert len(kinds) <= 100
    assert features.accounts == 40
    users = [
        len(np.unique(features.account[features.matrix[:, [c]].nonzero()[0]])) for c in range(features.matrix.shape[1])
    ]
    assert features.users.tolist() == users
    assert features.users_among(np.arange(240, dtype=np.int32)).tolist() == users


def test_blocks_of_any_size_give_the_same_features(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(2)
    clause = "Answer as a judge would, and give a mark from one to ten for every single point."
    made = texts_of([(f"user {i % 20:02}", f"{invented(rng, 30)}. {clause}") for i in range(60)], min_senders=LEAST)
    whole = made.features
    assert whole.users.max() == 20
    monkeypatch.setattr(profiles_module, "PROMPTS_AT_ONCE", 7)
    parts = made.features
    assert np.array_equal(parts.matrix.toarray(), whole.matrix.toarray())
    assert parts.users.tolist() == whole.users.tolist()


def test_a_piece_that_several_accounts_sent_is_a_feature() -> None:
    """In long prompts that have little else in common."""
    rng = random.Random(1)
    clause = "Answer as a judge would, and give a mark from one to ten for every single point."
    long = [f"{invented(rng, 60)}. {clause if i < 30 else invented(rng, 12)} {invented(rng, 60)}." for i in range(60)]
    made = texts_of([(f"user {i:02}", text) for i, text in enumerate(long)], min_senders=LEAST)
    features = made.features
    account = [int(a.split()[1]) for a in made.corpus.prompts.accounts.to_pylist()]
    (piece,) = np.flatnonzero(features.users == 30)[-1:]
    owners = features.account[features.matrix[:, [int(piece)]].nonzero()[0]]
    assert sorted(account[a] for a in owners) == list(range(30))
