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

from harvestdetect.judge.ledger import Curve, Reference, Row, Values
from harvestdetect.util.arrays import Floats

__all__ = ["Examples", "Fitted", "Kind", "Penalty", "curve_of", "fit", "pooled", "weights_of"]

CLIP: Final = 8.0
"""Most bits of a row, for or against."""
SHRINK: Final = 3.0
"""Weight of candidates that would be expected without any evidence, in each block of a curve."""
FOLDS: Final = 5
"""Parts that the dumps are divided into for cross-fitting."""
SPARSE: Final = 0.0003
"""Penalty on the sum of the weights, which drops rows that add nothing."""
LEAST_WEIGHT: Final = 0.01
"""Weight below which a row is dropped."""
DECIMALS: Final = 5
"""Of values and knots in the file."""
QUANTILES: Final = 65
"""Values of innocent candidates that a row keeps, evenly spaced by rank. For measures, extra values are kept at the
campaign-like end, at shares that halve each time."""
_NO_RANKS: Final = np.empty(0)
SIZES: Final = (30.0, 60.0, 150.0)
"""Numbers of accounts at which the second and later size classes begin. Chosen."""
NONE: Final = Values(value=np.empty(0), accounts=np.empty(0))
"""No candidates."""
LEAST_KNOWN: Final = 20.0
"""Weight of candidates with a value on either side that a row needs; also the least weight of innocent candidates
in a size class."""


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
    accounts: Floats
    """float64[n]: the number of accounts of each."""

    def row(self, j: int, chosen: npt.NDArray[np.bool_]) -> Values:
        """A row of some of them."""
        return Values(value=self.values[chosen, j], accounts=self.accounts[chosen])


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
    values = values.round(DECIMALS)  # knots that differ by less would be one in the file
    if rises is None:
        found = [curve_of(values, campaign, weight, rises=way, least=least) for way in (True, False)]
        gain = [0.0 if c is None else _gain(c, values, campaign, weight) for c in found]
        return found[int(gain[1] > gain[0])]
    order = np.argsort(values if rises else -values, kind="stable")
    x, y, w = values[order], campaign[order].astype(np.float64), weight[order]
    edges = np.flatnonzero(np.diff(x, prepend=np.nan) != 0)
    mass = np.add.reduceat(w, edges)
    level = pooled(np.add.reduceat(w * y, edges) / mass, mass)
    starts = edges[np.flatnonzero(np.diff(level, prepend=np.nan) != 0)]
    hits, weights, moment = (np.add.reduceat(of, starts) for of in (w * y, w, w * x))
    base = for_it / (for_it + against)
    bits = np.log2((hits + SHRINK * base) / for_it) - np.log2((weights - hits + SHRINK * (1 - base)) / against)
    bits = np.maximum.accumulate(np.clip(bits, least, CLIP))
    middle = moment / weights
    knots, at = (middle, bits) if rises else (middle[::-1], bits[::-1])
    reference = _reference(values[~campaign], weight[~campaign], np.ones(int((~campaign).sum())), rises=rises)
    return Curve(
        family="text", knots=tuple(map(float, knots)), bits=tuple(map(float, at)), references=(reference,), weight=1.0
    )


def pooled(values: Floats, weight: Floats) -> Floats:
    """The nearest values that do not descend, by weighted squares (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for value, w in zip(values.tolist(), weight.tolist(), strict=True):
        blocks.append([value, w, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            second, w2, n2 = blocks.pop()
            first, w1, n1 = blocks.pop()
            blocks.append([(first * w1 + second * w2) / (w1 + w2), w1 + w2, n1 + n2])
    return np.concatenate([np.full(int(n), value) for value, _, n in blocks])


def _reference(
    innocents: Floats, weight: Floats, accounts: Floats, *, rises: bool, rarest: Floats = _NO_RANKS
) -> Reference:
    """Some values of innocent candidates, ascending, and the share of these that look as much like a campaign.

    Args:
        innocents: float64[n], the values.
        weight: float64[n].
        accounts: float64[n].
        rises: whether larger values speak for a campaign.
        rarest: float64[.], shares of candidates that look most like a campaign; the value at each is kept, too.
    """
    ranks = np.concatenate((np.linspace(0, 1, QUANTILES), (1 - rarest if rises else rarest)))
    at = np.unique(np.quantile(innocents, ranks).round(DECIMALS))
    order = np.argsort(innocents, kind="stable")
    mass = np.concatenate(([0.0], np.cumsum(weight[order])))
    if rises:
        share = mass[-1] - mass[np.searchsorted(innocents[order], at, side="left")]
    else:
        share = mass[np.searchsorted(innocents[order], at, side="right")]
    return Reference(
        accounts=float(np.exp(np.average(np.log(accounts), weights=weight))),
        values=tuple(map(float, at)),
        tails=tuple(map(float, (share + 0.5) / (mass[-1] + 0.5))),
    )


def _references(innocents: Floats, weight: Floats, accounts: Floats, *, rises: bool) -> tuple[Reference, ...]:
    """A reference for each size class (:data:`SIZES`) with enough candidates, or one for all sizes."""
    of = np.searchsorted(SIZES, accounts, side="right")
    own = [of == k for k in range(len(SIZES) + 1)]
    enough = [one for one in own if weight[one].sum() >= LEAST_KNOWN]
    rarest = np.asarray(0.5 ** np.arange(np.log2(QUANTILES), np.log2(max(len(innocents), QUANTILES))), np.float64)
    return tuple(
        _reference(innocents[one], weight[one], accounts[one], rises=rises, rarest=rarest)
        for one in enough or [np.ones(len(innocents), bool)]
    )


def _gain(curve: Curve, values: Floats, campaign: npt.NDArray[np.bool_], weight: Floats) -> float:
    """Mean bits of campaigns less mean bits of innocents."""
    bits = curve.at(values)
    return float(np.average(bits[campaign], weights=weight[campaign])) - float(
        np.average(bits[~campaign], weights=weight[~campaign])
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a row is fitted."""

    rises: bool | None = None
    """Whether larger values speak for a campaign; None: what fits better."""
    least: float = -CLIP
    """Least bits."""
    floor: float = 0.0
    """Least weight."""
    relative: bool = False
    """See :attr:`harvestdetect.judge.ledger.Curve.relative`."""


def _curve(examples: Examples, j: int, chosen: npt.NDArray[np.bool_], kind: Kind, *, steady: float) -> Curve | None:
    """The curve of a row, from some of the examples."""
    use = chosen & ~np.isnan(examples.values[:, j])
    values, campaign, weight = examples.values[use, j], examples.campaign[use], examples.weight[use]
    if not kind.relative:
        return curve_of(values, campaign, weight, rises=kind.rises, least=kind.least)
    if len(np.unique(values[~campaign])) < 2:
        return None
    accounts = examples.accounts[use]
    references = _references(values[~campaign], weight[~campaign], accounts[~campaign], rises=bool(kind.rises))
    bare = Curve(family="text", knots=(0.0,), bits=(0.0,), references=references, weight=1.0, relative=True)
    surprise = np.empty(len(values))
    dump = examples.dump[use]
    for one in np.unique(dump):
        own = dump == one
        row = Row(bare, Values(value=values[own], accounts=accounts[own]), NONE, steady=steady)
        surprise[own] = row.surprise(1.0 - campaign[own])
    found = curve_of(surprise, campaign, weight, rises=True, least=kind.least)
    return None if found is None else replace(bare, knots=found.knots, bits=found.bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty:
    """What large weights cost in a logistic regression."""

    sum: float = 0.0
    """Factor on the sum of the weights: drops rows that add nothing."""
    squares: float = 0.0
    """Factor on the sum of their squares: rows that say the same share their weight."""


def weights_of(
    bits: Floats,
    planted: npt.NDArray[np.bool_],
    weight: Floats,
    *,
    bounds: Sequence[tuple[float, float]],
    start: float,
    penalty: Penalty,
    offset: tuple[float | None, float | None] = (None, None),
) -> Floats:
    """The offset and the weights of rows by logistic regression: float64[1 + r], in bits.

    Args:
        bits: float64[n, r].
        planted: bool[n], the outcome.
        weight: float64[n], of each example.
        bounds: of each weight.
        start: of each weight.
        penalty: on the weights.
        offset: bounds of the offset.
    """
    from scipy.optimize import minimize

    sign = np.where(planted, 1.0, -1.0)

    def loss(of: Floats) -> tuple[float, Floats]:
        odds = sign * np.log(2) * (of[0] + bits @ of[1:])
        slope = -sign * np.log(2) * weight / (1 + np.exp(np.minimum(odds, 500)))
        cost = penalty.sum * of[1:].sum() + penalty.squares * (of[1:] ** 2).sum()
        gradient = np.concatenate(([slope.sum()], bits.T @ slope)) / weight.sum()
        gradient[1:] += penalty.sum + 2 * penalty.squares * of[1:]
        return float((weight * np.logaddexp(0, -odds)).sum() / weight.sum() + cost), gradient

    first = np.concatenate(([0.0], np.full(bits.shape[1], start)))
    return np.asarray(minimize(loss, first, jac=True, method="L-BFGS-B", bounds=[offset, *bounds]).x)


def fit(examples: Examples, kinds: Sequence[Kind], *, steady: float, rivals: Sequence[tuple[str, str]] = ()) -> Fitted:
    """Fits curves and weights.

    Args:
        examples: candidates with known truth.
        kinds: of each row.
        steady: see :attr:`harvestdetect.judge.ledger.Ledger.steady`.
        rivals: pairs of rows; of each pair, the row is dropped that alone is the worse guide to dumps on which its
            curve was not fitted.
    """
    every = np.ones(len(examples.campaign), bool)
    final = [_curve(examples, j, every, kind, steady=steady) for j, kind in enumerate(kinds)]
    ways = [kind if c is None else replace(kind, rises=c.rises) for kind, c in zip(kinds, final, strict=True)]
    bits = np.zeros_like(examples.values)
    for part in range(FOLDS):
        held = examples.dump % FOLDS == part
        for j, kind in enumerate(ways):
            curve = None if final[j] is None else _curve(examples, j, ~held, kind, steady=steady)
            if curve is None:
                continue
            for one in np.unique(examples.dump[held]):
                own = examples.dump == one
                row = Row(curve, examples.row(j, own), NONE, steady=steady)
                bits[own, j] = row.bits(1.0 - examples.campaign[own])
    place = {id_: j for j, id_ in enumerate(examples.ids)}
    dropped = {max(pair, key=lambda id_: _loss_alone(bits[:, place[id_]], examples)) for pair in rivals}
    bits[:, [place[id_] for id_ in dropped]] = 0.0
    bounds = [(0.0 if id_ in dropped else kind.floor, 1.0) for id_, kind in zip(examples.ids, kinds, strict=True)]
    found = weights_of(bits, examples.campaign, examples.weight, bounds=bounds, start=0.1, penalty=Penalty(sum=SPARSE))
    curves = {}
    for j, (id_, curve) in enumerate(zip(examples.ids, final, strict=True)):
        weight = float(found[1 + j])
        if curve is not None and weight > LEAST_WEIGHT and id_ not in dropped:
            curves[id_] = replace(curve, weight=weight)
    return Fitted(curves=curves, intercept=float(found[0]))


def _loss_alone(bits: Floats, examples: Examples) -> float:
    """The mean logarithmic loss of one row, in bits.

    Args:
        bits: float64[n].
        examples: n candidates.
    """
    row = bits[:, None]
    offset, factor = weights_of(
        row, examples.campaign, examples.weight, bounds=[(0.0, 1.0)], start=0.5, penalty=Penalty()
    )
    odds = np.where(examples.campaign, 1.0, -1.0) * (offset + factor * bits)
    return float(np.average(np.logaddexp2(0.0, -odds), weights=examples.weight))
