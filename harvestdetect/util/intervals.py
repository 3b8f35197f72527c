"""Confidence intervals of shares."""

from __future__ import annotations

import math

__all__ = ["wilson"]


def wilson(hits: int, count: int, *, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); (0, 1) for none.

    Args:
        hits: at most ``count``.
        count: of the trials.
        z: quantile of the normal distribution.
    """
    if not count:
        return 0.0, 1.0
    share = hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # At the ends the formula is exact, but not in floating point.
    low = max(0.0, middle - half) if hits else 0.0
    high = min(1.0, middle + half) if hits < count else 1.0
    return low, high
