"""Tails of distributions are those of ``scipy.stats``, which takes too long to import for a scan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect.util.tails import (
    binomial_log_tail,
    chi2_quantile,
    hypergeometric_tail,
    poisson_log_below,
    poisson_log_tail,
)

COUNTS = np.array([0, 1, 2, 3, 7, 30, 200, 5_000])
MEANS = np.array([1e-300, 1e-9, 0.03, 1.0, 2.5, 29.0, 190.0, 4_000.0])


@pytest.fixture(scope="module")
def stats() -> Any:
    """``scipy.stats``, which takes too long for every test worker to import it."""
    from scipy import stats

    return stats


def test_poisson_tails(stats: Any) -> None:
    counts, means = np.meshgrid(COUNTS, MEANS)
    assert np.array_equal(poisson_log_tail(counts, means), stats.poisson.logsf(counts - 1, means))
    assert np.array_equal(poisson_log_below(counts, means), stats.poisson.logcdf(counts, means))
    assert float(poisson_log_tail(12, 2.5)) == stats.poisson.logsf(11, 2.5)


def test_binomial_tail(stats: Any) -> None:
    counts, draws, chance = np.meshgrid(COUNTS, [0, 1, 2, 9, 31, 4_000], [0.0, 1e-12, 0.02, 0.5, 0.97, 1.0])
    theirs = stats.binom.logsf(counts - 1, draws, chance)
    assert binomial_log_tail(counts, draws, chance) == pytest.approx(theirs, rel=1e-11, abs=1e-11)
    assert np.isneginf(theirs).any()
    assert (theirs < -300).any()


@given(total=st.integers(1, 3_000), marked=st.integers(0, 400), drawn=st.integers(0, 400), count=st.integers(-1, 401))
def test_hypergeometric_tail(stats: Any, total: int, marked: int, drawn: int, count: int) -> None:
    marked, drawn = min(marked, total), min(drawn, total)
    theirs = float(stats.hypergeom.sf(count - 1, total, marked, drawn))
    ours = hypergeometric_tail(count, total=total, marked=marked, drawn=drawn)
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-290)


def test_a_hypergeometric_tail_of_many_accounts() -> None:
    # of 4 marked in 1,000,000, two or more among 1,000 drawn: from the definition
    every = 1_000_000 * 999_999 * 999_998 * 999_997
    none = 999_000 * 998_999 * 998_998 * 998_997
    one = 4 * 1_000 * 999_000 * 998_999 * 998_998
    ours = hypergeometric_tail(2, total=1_000_000, marked=4, drawn=1_000)
    assert ours == pytest.approx((every - none - one) / every, rel=1e-12)
    assert hypergeometric_tail(200_000, total=1_000_000, marked=400_000, drawn=500_000) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("marked", "drawn"), [(11, 2), (2, 11), (-1, 2), (2, -1)])
def test_more_than_there_are_is_an_error(marked: int, drawn: int) -> None:
    with pytest.raises(ValueError, match="at most 10 of 10"):
        hypergeometric_tail(1, total=10, marked=marked, drawn=drawn)


@pytest.mark.parametrize("freedom", [2, 4, 8, 90])
@pytest.mark.parametrize("chance", [0.01, 0.5, 0.95, 0.999])
def test_chi_squared_quantile(stats: Any, freedom: int, chance: float) -> None:
    assert chi2_quantile(chance, freedom) == stats.chi2.ppf(chance, freedom)
