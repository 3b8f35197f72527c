"""Rows of made-up ledgers."""

from __future__ import annotations

from collections.abc import Sequence

from harvestdetect.data import Family
from harvestdetect.judge.ledger import Curve, Reference


def toy_curve(
    knots: Sequence[float],
    bits: Sequence[float],
    tails: Sequence[float],
    *,
    family: Family = "time",
    weight: float = 1.0,
) -> Curve:
    """A row with one reference for candidates of all sizes, whose tails are known at the knots."""
    reference = Reference(accounts=30.0, values=tuple(knots), tails=tuple(tails))
    return Curve(family=family, knots=tuple(knots), bits=tuple(bits), references=(reference,), weight=weight)
