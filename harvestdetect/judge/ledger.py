"""The ledger: what each measure and reading of a candidate says for a campaign or against it, in bits.

An additive model in the manner of Fellegi & Sunter (1969): every row is the logarithm (base 2) of how much more often
planted campaigns have such a value than innocent candidates do. The rows and the prior odds add up to the odds that the
candidate is a campaign. Rows that say the same share their weight, so ten ways to say one thing are not ten witnesses.

Curves and weights are fitted by ``python -m benchmarks.fit`` and shipped in ``ledger.json``. Innocent candidates differ
between services, so the curves are moved towards the bulk of the dump under scan (an empirical null, Efron 2004; here
by expectation-maximisation): what most of its candidates have speaks against none of them. Large innocent
groups get smaller p-values than small ones, so the value of a measure is compared with those of innocent candidates
with about as many accounts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.data import Evidence, Family
from harvestdetect.evidence.readings import ACCOUNTS
from harvestdetect.util.arrays import Floats

__all__ = [
    "EFFECT",
    "Curve",
    "Ledger",
    "Posted",
    "Reference",
    "Row",
    "Values",
    "innocence",
    "post",
    "row_of",
    "values_of",
]

SUREST: Final = 12.0
"""Negative decimal logarithm of the p-value from which on a measure is no surer. Beyond, p-values are extrapolated."""
FARTHEST: Final = 2 ** (-SUREST / 2)
"""Smallest ratio of value to expected value that counts; smaller ones count as this. A list that is dealt at random has
a ratio near 0, and by chance it may be negative."""
EFFECT: Final = "/effect"
"""Ends the id of the row that says how far a measure differs from its null."""
TINY: Final = 1e-6
"""Smallest share that is divided by."""
ROUNDS: Final = 10
"""Rounds in which the bulk of the dump and the odds of its candidates are estimated in turn. They converge in fewer."""
EXPECTED: Final = 400.0
"""Candidates that weigh as much as those of the dump where the share of campaigns among them is estimated. With few, a
candidate would need more evidence in a large dump than in a small one. Chosen."""
LEAST_ODDS: Final = -200.0
"""Logarithm (base 2) of odds below which, and above whose negative, odds count as this. It keeps powers finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """How common the values of a row are among innocent candidates of similar size."""

    accounts: float
    """Typical size: the geometric mean of their numbers of accounts."""
    values: tuple[float, ...]
    """Ascending: some of their values."""
    tails: tuple[float, ...]
    """At each of ``values``, the share of them that look at least as much like a campaign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The bits of one row: straight lines between knots, level beyond the outer ones.

    A row of a measure is read by how unusual its value is among the innocent candidates of the dump and the reference,
    because services differ in what is usual. A reading is read by its value.
    """

    family: Family
    """The block that the row is shown in."""
    knots: tuple[float, ...]
    """Ascending: values, or for a relative row the surprise of a value (the negative logarithm of its tail, base 2)."""
    bits: tuple[float, ...]
    """At each knot; they rise or fall throughout."""
    references: tuple[Reference, ...]
    """The innocent candidates that it was fitted on, in classes of ascending size; at least one."""
    weight: float
    """What its bits are multiplied with, 0 or more, because other rows say some of it too."""
    relative: bool = False
    """Whether it is read by how unusual the value is."""

    @property
    def rises(self) -> bool:
        """Whether larger values speak for a campaign."""
        tails = self.references[0].tails
        return tails[-1] <= tails[0]

    def tail(self, values: Floats, accounts: Floats) -> Floats:
        """float64[n]: the share of innocent candidates of similar size that look at least as much like a campaign.

        Between two sizes, the logarithm of the share is a straight line over the logarithm of the number of accounts.

        Args:
            values: float64[n].
            accounts: float64[n], the number of accounts of each candidate.
        """
        size = np.log(np.maximum(accounts, 1.0))
        centres = np.log([r.accounts for r in self.references])
        found = np.zeros(len(values))
        for part, r in zip(np.eye(len(centres)), self.references, strict=True):
            found += np.interp(size, centres, part) * np.log(np.maximum(np.interp(values, r.values, r.tails), TINY))
        return np.exp(found)

    def at(self, values: Floats) -> Floats:
        """float64[n]: the bits, unweighted, at float64[n] values or surprises."""
        return np.interp(values, self.knots, self.bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A fitted model."""

    curves: Mapping[str, Curve]
    """By id of the row."""
    prior: float
    """Bits before any row, where a dump has no more campaigns than the reference."""
    steady: float
    """Number of innocent candidates of a dump that weigh as much as the reference."""
    made: str = ""
    """The day on which it was fitted."""
    sources: tuple[str, ...] = ()
    """The corpora that it was fitted on."""
    held_out: tuple[tuple[float, float, float], ...] = ()
    """Innocent candidates that the model was tested on without having been fitted on them, those nearest to a finding:
    for each tier, the smallest false-discovery rate at which the candidate reaches it; infinite if it never does."""
    held_out_count: int = 0
    """How many there are in all."""
    held_out_prompts: int = 0
    """Prompts of their dumps."""
    digest: str = ""
    """SHA-256 of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The values of one row."""

    value: Floats
    """float64[n], of each candidate; NaN where missing."""
    accounts: Floats
    """float64[n]: the number of accounts of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """The ledger of one candidate."""

    rows: Mapping[str, float]
    """Bits of each row that has a value."""
    total: float
    """Bits of all rows and the prior: the logarithm (base 2) of the odds."""
    probability: float
    """That the candidate is a campaign."""


def values_of(evidence: Sequence[Evidence], readings: Mapping[str, float]) -> dict[str, float]:
    """The values of the rows of one candidate.

    A measure gives two values: how surely it differs from its null (the negative decimal logarithm of the p-value), and
    how far (the logarithm of value over expected value, base 2). A ledger of this version has a row for one of them at
    most. A reading is a row by itself.

    Args:
        evidence: of the candidate.
        readings: by id, see :mod:`harvestdetect.evidence.readings`. The number of accounts is among them. It has no
            row, but says with which innocent candidates the candidate is compared.
    """
    found = dict(readings)
    for one in evidence:
        found[one.id] = min(-math.log10(max(one.p_value, 10**-SUREST)), SUREST)
        if one.expected > 0:
            found[one.id + EFFECT] = math.log2(max(one.value / one.expected, FARTHEST))
    return found


def row_of(id_: str) -> str:
    """The measure or reading that a row belongs to."""
    return id_.removesuffix(EFFECT)


def post(
    ledger: Ledger, values: Sequence[Mapping[str, float]], *, innocents: Sequence[Mapping[str, float]] = ()
) -> list[Posted]:
    """The ledgers of all candidates of a scan.

    Args:
        ledger: the model.
        values: of each candidate by row; rows without a value are left out.
        innocents: the same of candidates of this service that are known to be innocent. They only lower bits: of the
            ledgers with and without them, each row has the lower bits.
    """
    if not values:
        return []
    total, bits, share = _posted(ledger, values, ())
    if innocents:
        _, less, smaller = _posted(ledger, values, innocents)
        bits, share = np.minimum(bits, less), min(share, smaller)
        total = _total(share, bits)
    probability = 1 - innocence(total)
    return [
        Posted(
            rows={id_: float(bits[i, j]) for j, id_ in enumerate(sorted(ledger.curves)) if id_ in values[i]},
            total=float(total[i]),
            probability=float(probability[i]),
        )
        for i in range(len(values))
    ]


def _posted(
    ledger: Ledger, values: Sequence[Mapping[str, float]], innocents: Sequence[Mapping[str, float]]
) -> tuple[Floats, Floats, float]:
    """Expectation-maximisation over the candidates of a scan.

    Returns:
        float64[n] total bits, float64[n, r] bits in each row by id (0 without a value), and the share of campaigns
        among the candidates.
    """
    rows = [
        Row(curve, _values(values, id_), _values(innocents, id_), steady=ledger.steady)
        for id_, curve in sorted(ledger.curves.items())
    ]
    usual = 1 / (1 + 2**-ledger.prior)
    share, campaigns, innocent = usual, usual * len(values), np.ones(len(values))
    bits = np.zeros((len(values), len(rows)))
    total = _total(share, bits)
    for _ in range(ROUNDS):
        share = (usual * EXPECTED + campaigns) / (EXPECTED + len(values))
        bits = np.stack([row.bits(innocent) for row in rows], axis=1) if rows else bits
        total = _total(share, bits)
        before = innocent, campaigns
        innocent = innocence(total)
        campaigns = float((1 - innocent).sum())
        if campaigns == before[1] and np.array_equal(innocent, before[0]):  # further rounds would change nothing
            break
    return total, bits, share


def _total(share: float, bits: Floats) -> Floats:
    """float64[n]: bits of all rows and the prior.

    Args:
        share: of campaigns among the candidates.
        bits: float64[n, r].
    """
    return np.asarray(np.clip(math.log2(share / (1 - share)) + bits.sum(axis=1), LEAST_ODDS, -LEAST_ODDS))


def innocence(total: Floats) -> Floats:
    """float64[n]: the probability of innocence, from float64[n] total bits."""
    return np.asarray(1 / (1 + np.exp2(total)))


def _values(candidates: Sequence[Mapping[str, float]], id_: str) -> Values:
    return Values(
        value=np.array([one.get(id_, np.nan) for one in candidates], np.float64),
        accounts=np.array([one.get(ACCOUNTS, 1.0) for one in candidates], np.float64),
    )


class Row:
    """One row over all candidates of a scan, and how common its values are among the innocent ones."""

    def __init__(self, curve: Curve, candidates: Values, innocents: Values, *, steady: float) -> None:
        """Orders the values by how common they are in the reference.

        Args:
            curve: of the row.
            candidates: of the scan.
            innocents: of candidates known to be innocent.
            steady: see :attr:`Ledger.steady`.
        """
        self._curve, self._steady = curve, steady
        self._known = ~np.isnan(candidates.value)
        self._own, accounts = candidates.value[self._known], candidates.accounts[self._known]
        self._tail = curve.tail(self._own, accounts)
        known = ~np.isnan(innocents.value)
        others = curve.tail(innocents.value[known], innocents.accounts[known])
        every = np.concatenate((self._tail, others))
        self._order = np.argsort(every, kind="stable")
        # how many of all values, in this order, look at least as much like a campaign as each
        self._as_far = np.searchsorted(every[self._order], self._tail, side="right")
        self._others = np.ones(len(others))
        self._usual = -np.log2(np.maximum(self._tail, TINY))
        self._read = curve.at(self._own)
        self._least = np.minimum(self._read, 0.0)

    def surprise(self, innocent: Floats) -> Floats:
        """float64[k]: how unusual each known value is among innocent candidates of the dump and the reference, in bits.

        Args:
            innocent: float64[n], probability of innocence of each candidate.
        """
        own = innocent[self._known]
        mass = np.concatenate(([0.0], np.concatenate((own, self._others))[self._order].cumsum()))
        as_far = np.maximum(mass[self._as_far] - own, 0.0)
        share = (as_far + self._steady * self._tail) / (mass[-1] - own + self._steady)
        return np.asarray(-np.log2(np.maximum(share, TINY)))

    def bits(self, innocent: Floats) -> Floats:
        """float64[n]: the bits of each candidate, 0 where it has no value.

        Where the value of a reading is commoner among the innocent candidates of this dump than among those of the
        reference, it says less by as many bits, down to nothing.

        Args:
            innocent: float64[n], probability of innocence of each candidate.
        """
        found = np.zeros(len(innocent))
        if not len(self._own):
            return found
        surprise, curve = self.surprise(innocent), self._curve
        if curve.relative:
            read = curve.at(surprise)
        else:
            less = np.maximum(self._usual - surprise, 0.0)
            read = np.maximum(self._read - less, self._least)
        found[self._known] = curve.weight * read
        return found
