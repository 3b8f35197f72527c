"""Candidates that hold two populations are parted before they are measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.evidence.account_data import account_data_of
from harvestdetect.judge.members_file import shipped_member_model
from harvestdetect.judge.parting import populations_of
from harvestdetect.util.amounts import NEARLY_ALL
from tests.evidence.two_populations import Parts, two_populations

MODEL = shipped_member_model()


@pytest.mark.parametrize(("members", "innocents"), [(30, 90), (40, 20), (40, 40)])
@pytest.mark.parametrize("seed", range(2))
def test_the_accounts_that_were_dealt_one_list_are_a_part(members: int, innocents: int, seed: int) -> None:
    two = two_populations(members=members, innocents=innocents, seed=seed)
    (part,) = populations_of([two.campaign], account_data_of(two.scan, two.kin), MODEL, min_accounts=10)
    assert np.isin(part.accounts, two.members).mean() > 0.9
    assert np.isin(two.members, part.accounts).mean() > 0.8
    assert part.ways == two.campaign.ways
    assert part.harvest_prompts.sum() == len(part.prompts)
    assert np.isin(two.scan.corpus.prompts.account[part.prompts], part.accounts).all()


def test_accounts_that_are_all_alike_are_not_parted() -> None:
    two = two_populations(members=60, innocents=60)
    whole = [two.only(two.members), two.only(two.innocents)]
    assert populations_of(whole, account_data_of(two.scan, two.kin), MODEL, min_accounts=10) == []


def test_a_part_has_enough_accounts_and_is_not_nearly_the_whole() -> None:
    two = two_populations(members=40, innocents=20)
    assert (
        populations_of([two.campaign], account_data_of(two.scan, two.kin), MODEL, min_accounts=31) == []
    )  # too small for two
    few = two_populations(members=95, innocents=5)
    assert len(few.members) > NEARLY_ALL * len(few.campaign.accounts)
    assert populations_of([few.campaign], account_data_of(few.scan, few.kin), MODEL, min_accounts=10) == []
    assert populations_of([], account_data_of(two.scan, two.kin), MODEL, min_accounts=10) == []


@given(names=st.integers(1, 9))
@settings(max_examples=5, deadline=None)
def test_the_order_of_accounts_does_not_matter(names: int) -> None:
    def sizes(two: Parts) -> tuple[int, int]:
        (part,) = populations_of([two.campaign], account_data_of(two.scan, two.kin), MODEL, min_accounts=10)
        return len(part.accounts), int(np.isin(part.accounts, two.members).sum())

    assert sizes(two_populations(innocents=40, names=names)) == sizes(two_populations(innocents=40))
