"""Fits the curves and weights of a ledger (:mod:`harvestdetect.judge.ledger`) to candidates with known truth.

Each row gets a monotone curve: isotonic regression of the truth on the value, turned into bits and shrunk towards 0
where candidates are few. Logistic regression with weights of at least 0 then decides how much each row counts beside
the others. The curves that the weights are fitted on come from other dumps than the candidates (cross-fitting), and
values that are common among the innocents of a dump say less there, as in a scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.judge.ledger import Curve, Row
from harvestdetect.util.arrays import Floats

__all__ = ["Examples", "Fitted", "curve_of", "fit"]

CLIP: Final = 8.0
"""Most bits of a row, for or against."""
SHRINK: Final = 3.0
"""Weight of candidates that would be expected without any evidence, in each block of a curve."""
FOLDS: Final = 5
"""Parts that the dumps are divided into for cross-fitting."""
SPARSE: Final = 0.0003
"""Penalty on the sum of the weights, which drops rows that add nothing."""
LEAST_KNOWN: Final = 20.0
"""Weight of candidates with a value on either side that a row needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Candidates with known truth."""

    ids: Sequence[str]
    """Of the rows."""
    values: Floats
    """float64[n, r], NaN where missing."""
    campaign: npt.NDArray[np.bool_]
    """bool[n]."""
    weight: Floats
    """float64[n]."""
    dump: npt.NDArray[np.int64]
    """int64[n]: the dump of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Curves with their weights applied, and the intercept in bits at the base rate of the examples."""

    curves: dict[str, Curve]
    intercept: float


def curve_of(
    values: Floats, campaign: npt.NDArray[np.bool_], weight: Floats, *, rises: bool | None = None, least: float = -CLIP
) -> Curve | None:
    """The curve of one row: bits by value, monotone.

    Args:
        values: float64[n], without NaN.
        campaign: bool[n].
        weight: float64[n].
        rises: whether larger values speak for a campaign; None: what fits better.
        least: bits, at most 0.
    """
    for_it, against = float(weight[campaign].sum()), float(weight[~campaign].sum())
    if min(for_it, against) < LEAST_KNOWN:
        return None
    if rises is None:
        found = [curve_of(values, campaign, weight, rises=way, least=least) for way in (True, False)]
        gain = [0.0 if c is None else _gain(c, values, campaign, weight) for c in found]
        return found[int(gain[1] > gain[0])]
    order = np.argsort(values if rises else -values, kind="stable")
    x, y, w = values[order], campaign[order].astype(np.float64), weight[order]
    blocks: list[list[float]] = []  # weighted successes, weight, weighted values
    edges = np.flatnonzero(np.diff(x, prepend=np.nan) != 0)
    for start, stop in zip(edges, np.append(edges[1:], len(x)), strict=True):
        mass = float(w[start:stop].sum())
        blocks.append([float((w * y)[start:stop].sum()), mass, float((w * x)[start:stop].sum())])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    base = for_it / (for_it + against)
    hits, weights, moment = np.array(blocks).T
    bits = np.log2((hits + SHRINK * base) / for_it) - np.log2((weights - hits + SHRINK * (1 - base)) / against)
    bits = np.maximum.accumulate(np.clip(bits, least, CLIP))
    middle = moment / weights
    knots, at = (middle, bits) if rises else (middle[::-1], bits[::-1])
    sign = 1.0 if rises else -1.0
    innocents = np.argsort(sign * values[~campaign], kind="stable")
    below_each = np.concatenate(([0.0], np.cumsum(weight[~campaign][innocents])))
    below = below_each[np.searchsorted((sign * values[~campaign])[innocents], sign * knots, side="left")]
    return Curve(
        family="text", knots=tuple(map(float, knots)), bits=tuple(map(float, at)),
        tails=tuple(map(float, (against - below + 0.5) / (against + 0.5))), weight=1.0,
    )  # fmt: skip


def _gain(curve: Curve, values: Floats, campaign: npt.NDArray[np.bool_], weight: Floats) -> float:
    """Mean bits of campaigns less mean bits of innocents."""
    bits = curve.at(values)
    return float(np.average(bits[campaign], weights=weight[campaign])) - float(
        np.average(bits[~campaign], weights=weight[~campaign])
    )


def _curves(
    examples: Examples, chosen: npt.NDArray[np.bool_], rises: Sequence[bool | None], least: Sequence[float]
) -> list[Curve | None]:
    found = []
    for j in range(len(examples.ids)):
        use = chosen & ~np.isnan(examples.values[:, j])
        found.append(
            curve_of(
                examples.values[use, j], examples.campaign[use], examples.weight[use], rises=rises[j], least=least[j]
            )
        )
    return found


def fit(
    examples: Examples,
    *,
    rises: Sequence[bool | None],
    least: Sequence[float],
    steady: float,
    floor: Sequence[float] = (),
) -> Fitted:
    """Fits curves and weights.

    Args:
        examples: candidates with known truth.
        rises: for each row whether larger values speak for a campaign; None: what fits better.
        least: for each row the least bits.
        steady: see :attr:`harvestdetect.judge.ledger.Ledger.steady`.
        floor: for each row the least weight; empty: 0.
    """
    from scipy.optimize import minimize

    every = np.ones(len(examples.campaign), bool)
    final = _curves(examples, every, rises, least)
    ways = [None if c is None else c.bits[-1] >= c.bits[0] for c in final]
    bits = np.zeros_like(examples.values)
    for part in range(FOLDS):
        held = examples.dump % FOLDS == part
        for j, curve in enumerate(_curves(examples, ~held, ways, least)):
            if curve is not None and final[j] is not None:
                for one in np.unique(examples.dump[held]):
                    own = examples.dump == one
                    row = Row(curve, examples.values[own, j], np.empty(0), steady=steady)
                    bits[own, j] = row.bits(1.0 - examples.campaign[own])
    bits *= np.log(2)
    y, w = examples.campaign.astype(np.float64), examples.weight / examples.weight.sum()

    def loss(theta: Floats) -> tuple[float, Floats]:
        z = theta[0] + bits @ theta[1:]
        p = 1 / (1 + np.exp(-z))
        value = float((w * (np.logaddexp(0, z) - y * z)).sum() + SPARSE * theta[1:].sum())
        slope = w * (p - y)
        return value, np.concatenate(([slope.sum()], bits.T @ slope + SPARSE))

    start = np.concatenate(([0.0], np.full(len(final), 0.1)))
    done = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None), *((low, 1.0) for low in floor or [0.0] * len(final))],
    )
    curves = {}
    for j, (id_, curve) in enumerate(zip(examples.ids, final, strict=True)):
        weight = float(done.x[1 + j])
        if curve is not None and weight > 0.01:
            curves[id_] = replace(curve, weight=weight)
    return Fitted(curves=curves, intercept=float(done.x[0] / np.log(2)))
