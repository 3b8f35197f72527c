"""Tails of distributions, by the functions of ``scipy.special``.

``scipy.stats`` has them all, and to import it takes longer than a scan of a small dump. ``tests/util/test_tails.py``
compares each function with the one of ``scipy.stats``. All take numbers or arrays, which are broadcast.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harvestdetect.util.arrays import Floats

__all__ = [
    "binomial_log_tail",
    "chi2_quantile",
    "hypergeometric_tail",
    "poisson_log_below",
    "poisson_log_tail",
]


def poisson_log_tail(count: Any, mean: Any) -> Floats:
    """Natural logarithm of the probability of ``count`` or more, where ``mean`` are expected; 0 from no count down."""
    from scipy.special import pdtrc

    count = np.asarray(count, np.float64)
    return _log(np.where(count > 0, pdtrc(np.maximum(count - 1, 0), mean), 1.0))


def poisson_log_below(count: Any, mean: Any) -> Floats:
    """Natural logarithm of the probability of at most ``count``, which is not negative, where ``mean`` are expected."""
    from scipy.special import pdtr

    return _log(pdtr(count, mean))


def binomial_log_tail(count: Any, draws: Any, chance: Any) -> Floats:
    """Natural logarithm of the probability of ``count`` or more in some draws with this chance each."""
    from scipy.special import betainc

    count, draws = np.asarray(count, np.float64), np.asarray(draws, np.float64)
    inside = (count > 0) & (count <= draws)
    tail = betainc(np.where(inside, count, 1.0), np.where(inside, draws - count + 1, 1.0), chance)
    return _log(np.where(inside, tail, np.where(count > 0, 0.0, 1.0)))


def _log(chance: Any) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(chance), np.float64)


def chi2_quantile(chance: float, freedom: int) -> float:
    """The value that the chi-squared distribution stays below with this probability."""
    from scipy.special import gammaincinv

    return float(2 * gammaincinv(freedom / 2, chance))


def hypergeometric_tail(count: int, *, total: int, marked: int, drawn: int) -> float:
    """The probability of ``count`` or more marked ones among some drawn from a total, without putting back.

    The probabilities follow from their ratios, outwards from the most likely count, and are divided by their sum. So no
    difference of large numbers takes their digits.

    Raises:
        ValueError: if more are marked or drawn than there are.
    """
    if not (0 <= marked <= total and 0 <= drawn <= total):
        raise ValueError(f"at most {total} of {total} can be marked or drawn, got {marked} and {drawn}")
    least, most = max(0, drawn - (total - marked)), min(marked, drawn)
    at = np.arange(least, most, dtype=np.float64)
    # of each count but the last, how much likelier the next one is
    ratio = (marked - at) * (drawn - at) / ((at + 1) * (total - marked - drawn + at + 1))
    peak = int(np.searchsorted(-ratio, -1.0))
    up, down = np.cumprod(ratio[peak:]), np.cumprod(1 / ratio[:peak][::-1])[::-1]
    weight = np.concatenate((down, [1.0], up))
    first = min(max(count - least, 0), len(weight))
    return float(weight[first:].sum() / weight.sum())
