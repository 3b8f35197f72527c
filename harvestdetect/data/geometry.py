"""Nearest neighbours and clusters of points."""

from __future__ import annotations

from dataclasses import dataclass

from harvestdetect.util.arrays import Floats, Floats32, Ints32

__all__ = ["Clusters", "Neighbors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbors:
    """The k nearest neighbours of each of n points."""

    index: Ints32
    """int32[n, k]: neighbours, without the point itself; -1 if there are fewer than k."""
    distance: Floats32
    """float32[n, k]: chord distance sqrt(2 - 2 cos), ascending; inf if there are fewer than k neighbours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """A flat clustering of n points into c clusters, as HDBSCAN gives it."""

    label: Ints32
    """int32[n]: cluster of each point; -1 is noise."""
    probability: Floats32
    """float32[n], 0 to 1: strength of the membership; 0 for noise."""
    persistence: Floats
    """float64[c]: persistence of each cluster."""
