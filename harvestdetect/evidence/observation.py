"""What one measure says of one candidate, before it gets the measure's id, family and label."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Observation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A candidate's value of a measure beside what chance gives.

    The functions that compute measures return one of these. :func:`harvestdetect.evidence.measures.evidence_of` makes
    it an :class:`~harvestdetect.data.Evidence`.
    """

    value: float
    null: str
    """What the value was compared with, in words."""
    expected: float
    """The value that the null gives on average."""
    p_value: float
    sentence: str
    """One sentence for an analyst: observation, not inference."""
