"""The evidence on single accounts of a candidate."""

from __future__ import annotations

import numpy as np
import pytest

from harvestdetect.accounts.kin import Kin
from harvestdetect.evidence.account_data import MAX_REQUESTS_PER_ACCOUNT, account_data_of, evenly, gap_bin
from harvestdetect.evidence.account_readings import ACCOUNT_READINGS, account_readings
from harvestdetect.util.arrays import Floats
from tests.evidence.two_populations import Parts, two_populations


@pytest.fixture(scope="module")
def parts() -> Parts:
    return two_populations()


def readings(parts: Parts, *, kin: Kin | None = None, weight: Floats | None = None) -> dict[str, Floats]:
    data = account_data_of(parts.scan, parts.kin if kin is None else kin)
    weight = np.ones(len(parts.campaign.accounts)) if weight is None else weight
    found = account_readings(parts.campaign, weight, data)
    return {reading.id: found[:, i] for i, reading in enumerate(ACCOUNT_READINGS)}


@pytest.mark.parametrize("name", ["own_subject", "other_traffic", "number", "share", "days"])
def test_members_read_higher_than_innocents(parts: Parts, name: str) -> None:
    found = readings(parts)[name]
    assert np.median(found[parts.members]) > np.median(found[parts.innocents])
    above = (found[parts.members][:, None] > found[parts.innocents]).mean()
    assert above > 0.75


def test_shared_networks_speak_for_membership(parts: Parts) -> None:
    found = readings(parts)["values"]
    assert (found[parts.members][:, None] > found[parts.innocents]).mean() > 0.6


def test_what_is_unknown_is_not_a_number(parts: Parts) -> None:
    found = readings(parts, kin=Kin())
    for name in ("nearest", "nearest_topic", "linked"):
        assert np.isnan(found[name]).all()
    for name in ("number", "share", "wording", "subject"):
        assert np.isfinite(found[name]).all()


def test_the_numbers_of_accounts_change_nothing() -> None:
    one, other = two_populations(), two_populations(names=5)
    kin = Kin()
    first, second = readings(one, kin=kin), readings(other, kin=kin)
    for reading in ACCOUNT_READINGS:
        for group in ("members", "innocents"):
            a, b = (np.sort(found[reading.id][getattr(p, group)]) for found, p in ((first, one), (second, other)))
            np.testing.assert_allclose(a, b, atol=1e-4, err_msg=reading.id)


def test_surer_members_decide_what_is_usual(parts: Parts) -> None:
    sure = np.where(np.isin(parts.campaign.accounts, parts.members), 1.0, 0.0)
    found = readings(parts, weight=sure)
    assert np.median(found["own_subject"][parts.members]) == pytest.approx(0, abs=0.05)
    assert (found["own_subject"][parts.innocents] < -1).all()


def test_times_between_requests_have_classes() -> None:
    found = gap_bin(np.array([0, 1, 4, 8, 3_600, 86_400, 10**9]))
    assert found.tolist() == [0, 0, 0, 1, 9, 14, 15]


def test_of_many_requests_some_are_read_evenly() -> None:
    member = np.repeat([0, 1, 3], [3, 1_000, MAX_REQUESTS_PER_ACCOUNT])
    chosen = evenly(member)
    assert np.bincount(member[chosen]).tolist() == [3, MAX_REQUESTS_PER_ACCOUNT, 0, MAX_REQUESTS_PER_ACCOUNT]
    assert np.diff(np.flatnonzero(chosen[3:1_003])).max() <= 1_000 // MAX_REQUESTS_PER_ACCOUNT + 1
    assert not len(evenly(np.empty(0, np.int64)))
