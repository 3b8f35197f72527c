"""The fit of a ledger: monotone curves with the right bits, weights of at least 0, and no row that says nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fitting import CLIP, DECIMALS, LEAST_KNOWN, SHRINK, SIZES, Examples, Fitted, Kind, curve_of, fit
from harvestdetect.evidence.readings import ACCOUNTS
from harvestdetect.judge.ledger import Ledger, post
from harvestdetect.util.arrays import Floats

STEADY = 100.0
DUMPS = 20


def ones(count: int) -> Floats:
    return np.ones(count)


# ---------------------------------------------------------------- curves


def test_the_curve_of_a_known_sample() -> None:
    """Of 400 campaigns 300 have the value 1, of 400 innocents 100: log2(3) bits; the value 0 is as many against."""
    value = np.repeat([1.0, 0.0, 1.0, 0.0], [300, 100, 100, 300])
    campaign = np.repeat([True, False], 400)
    found = curve_of(value, campaign, ones(800), rises=True)
    assert found is not None
    assert found.knots == (0.0, 1.0)
    expected = np.log2((300 + SHRINK / 2) / (100 + SHRINK / 2))
    assert found.bits == (pytest.approx(-expected), pytest.approx(expected))
    (reference,) = found.references
    assert (reference.values[0], reference.values[-1]) == (0.0, 1.0)
    assert found.tail(np.array([0.0, 1.0]), ones(2)).tolist() == [pytest.approx(1.0), pytest.approx(100.5 / 400.5)]
    assert found.weight == 1.0


def test_values_that_are_one_in_the_file_are_one_knot() -> None:
    values = np.repeat([0.05, 0.05 + 1e-9, 0.4], 20)
    campaign = np.repeat([False, True, True], 20)
    curve = curve_of(values, campaign, np.ones(60), rises=True)
    assert curve is not None
    assert len(curve.knots) == len({round(knot, DECIMALS) for knot in curve.knots}) == 2


def test_values_out_of_order_are_pooled() -> None:
    """More campaigns at 1 than at 2: a rising curve has one block of both."""
    value = np.repeat([0.0, 1.0, 2.0, 0.0, 1.0, 2.0], [50, 200, 150, 250, 50, 100])
    campaign = np.repeat([True, False], 400)
    found = curve_of(value, campaign, ones(800), rises=True)
    assert found is not None
    assert found.knots == (0.0, pytest.approx((250 * 1 + 250 * 2) / 500))
    pooled = np.log2((350 + SHRINK / 2) / (150 + SHRINK / 2))
    assert found.bits[1] == pytest.approx(pooled)


@given(st.integers(0, 10_000), st.booleans(), st.floats(-CLIP, 0))
@settings(max_examples=60, deadline=None)
def test_a_curve_is_monotone_and_bounded(seed: int, rises: bool, least: float) -> None:
    rng = np.random.default_rng(seed)
    value = np.round(rng.normal(size=300), int(rng.integers(0, 4)))
    found = curve_of(value, rng.random(300) < 0.4, rng.uniform(0.2, 2.0, 300), rises=rises, least=least)
    assert found is not None
    assert all(a < b for a, b in pairwise(found.knots))
    steps = [b - a for a, b in pairwise(found.bits)]
    assert all(step >= 0 for step in steps) if rises else all(step <= 0 for step in steps)
    assert all(least <= bits <= CLIP for bits in found.bits)
    tails = found.references[0].tails[:: 1 if rises else -1]
    assert all(0 < tail <= 1 for tail in tails)
    assert all(a >= b for a, b in pairwise(tails))


def test_the_way_that_fits_better_is_found() -> None:
    rng = np.random.default_rng(1)
    campaign = np.arange(400) < 200
    for sign in (1.0, -1.0):
        found = curve_of(sign * (campaign + rng.normal(0, 0.5, 400)), campaign, ones(400))
        assert found is not None
        assert found.rises == (sign > 0)


def test_few_candidates_are_shrunk_and_too_few_give_no_curve() -> None:
    """A single campaign beyond all others is no proof, however far it lies."""
    campaign = np.arange(200) < 100
    value = np.zeros(200)
    value[0] = 9.0
    found = curve_of(value, campaign, ones(200), rises=True)
    assert found is not None
    assert 0 < found.bits[-1] < 1.5
    few = int(LEAST_KNOWN) - 1
    for some in (np.arange(200) < few, np.arange(200) >= few):
        assert curve_of(value, some, ones(200), rises=True) is None


def test_weights_count_like_copies() -> None:
    rng = np.random.default_rng(2)
    value, campaign, times = rng.integers(0, 5, 200).astype(float), rng.random(200) < 0.5, rng.integers(1, 4, 200)
    weighted = curve_of(value, campaign, times.astype(float), rises=True)
    copied = curve_of(np.repeat(value, times), np.repeat(campaign, times), ones(times.sum()), rises=True)
    assert weighted is not None
    assert copied is not None
    assert weighted.knots == pytest.approx(copied.knots)
    assert weighted.bits == pytest.approx(copied.bits)


# ---------------------------------------------------------------- weights

KINDS = [Kind(rises=way) for way in (True, True, False, True, True)]


def sample(seed: int = 0, count: int = 3_000) -> Examples:
    """Three rows that tell, the second of which repeats the first, and two of noise; a tenth of each is missing."""
    rng = np.random.default_rng(seed)
    campaign = rng.random(count) < 0.2
    first = campaign * 1.5 + rng.normal(size=count)
    other = -1.5 * campaign + rng.normal(size=count)
    values = np.stack([first, first, other, rng.normal(size=count), rng.integers(0, 2, count)], axis=1)
    values[rng.random(values.shape) < 0.1] = np.nan
    return Examples(
        ids=("first", "again", "other", "noise", "coin"),
        values=values,
        campaign=campaign,
        weight=ones(count),
        dump=rng.integers(0, DUMPS, count),
        accounts=np.exp(rng.uniform(np.log(5), np.log(300), count)),
    )


@pytest.fixture(scope="module")
def found() -> Fitted:
    return fit(sample(), KINDS, steady=STEADY)


def test_weights_are_shares_and_a_row_that_says_nothing_is_dropped(found: Fitted) -> None:
    assert all(0 < curve.weight <= 1 for curve in found.curves.values())
    for useless in {"noise", "coin"} & set(found.curves):
        assert found.curves[useless].weight * max(map(abs, found.curves[useless].bits)) < 0.2
    assert {"first", "other"} & set(found.curves)
    assert not {"noise", "coin"} <= set(found.curves)


def test_two_rows_that_say_the_same_share_their_weight(found: Fitted) -> None:
    both = [found.curves[id_].weight for id_ in ("first", "again") if id_ in found.curves]
    assert 0.4 < sum(both) < 1.4
    assert found.curves["other"].weight > max(both) / 2


def test_the_way_that_is_asked_for_is_kept(found: Fitted) -> None:
    assert found.curves["first"].rises
    assert not found.curves["other"].rises


def test_the_fitted_ledger_tells_campaigns_from_innocents(found: Fitted) -> None:
    new = sample(seed=1, count=2_000)
    ledger = Ledger(curves=found.curves, prior=found.intercept, steady=STEADY)
    values = [
        {id_: value for id_, value in zip(new.ids, row, strict=True) if not np.isnan(value)}
        for row in new.values.tolist()
    ]
    probability = np.array([one.probability for one in post(ledger, values)])
    assert probability[new.campaign].mean() > 3 * probability[~new.campaign].mean()
    # what it calls sure is, about as often as it says
    sure = probability > 0.8
    assert sure.sum() > 50
    assert new.campaign[sure].mean() > 0.75


def test_what_large_innocent_groups_have_says_less_for_large_groups() -> None:
    """The value grows with the number of accounts; campaigns have twice the usual one."""
    rng = np.random.default_rng(3)
    count = 6_000
    accounts = np.exp(rng.uniform(np.log(10), np.log(400), count))
    campaign = rng.random(count) < 0.2
    value = np.log(accounts) * (1 + campaign) * rng.uniform(0.8, 1.2, count)
    one = Examples(
        ids=("row",), values=value[:, None], campaign=campaign, weight=ones(count), dump=rng.integers(0, DUMPS, count),
        accounts=accounts,
    )  # fmt: skip
    found = fit(one, [Kind(rises=True, least=0.0, relative=True)], steady=STEADY)
    curve = found.curves["row"]
    sizes = [r.accounts for r in curve.references]
    assert sizes == sorted(sizes)
    assert len(sizes) == len(SIZES) + 1
    ledger = Ledger(curves=found.curves, prior=found.intercept, steady=STEADY)
    # usual for 300 accounts, and twice the usual value of 15
    large, small = (post(ledger, [{"row": 2 * np.log(15), ACCOUNTS: size}])[0].rows["row"] for size in (300.0, 15.0))
    assert small > large + 2


def test_nothing_to_learn_from_gives_no_row() -> None:
    one = sample(count=400)
    unknown = Examples(
        ids=one.ids, values=np.full_like(one.values, np.nan), campaign=one.campaign, weight=one.weight, dump=one.dump,
        accounts=one.accounts,
    )  # fmt: skip
    found = fit(unknown, [Kind()] * 5, steady=STEADY)
    assert found.curves == {}
    share = one.campaign.mean()
    assert found.intercept == pytest.approx(np.log2(share / (1 - share)), abs=0.05)


def test_the_same_examples_give_the_same_fit(found: Fitted) -> None:
    assert fit(sample(), KINDS, steady=STEADY) == found
