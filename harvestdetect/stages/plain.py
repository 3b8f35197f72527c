"""The stages of a scan that reuses nothing."""

from __future__ import annotations

from typing import Final

from harvestdetect.stages.comparing import cluster_segments, find_neighbors
from harvestdetect.stages.forming import describe
from harvestdetect.stages.measuring import measure_each
from harvestdetect.stages.plan import ReusableStages
from harvestdetect.stages.reading import read_corpus

__all__ = ["PLAIN"]

PLAIN: Final = ReusableStages(
    read=read_corpus,
    find_neighbors=find_neighbors,
    cluster=cluster_segments,
    describe=describe,
    measure=measure_each,
)
"""The stages of a scan that reuses nothing."""
