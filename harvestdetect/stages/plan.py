"""How a scan works and judges: what is decided before the first prompt is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

from harvestdetect.cluster.assign import Assigned
from harvestdetect.cluster.postings import Postings
from harvestdetect.context import Context
from harvestdetect.corpus.by_prompt import PromptSegments
from harvestdetect.corpus.registry import Registry, load_registry
from harvestdetect.data import Campaign, Corpus, Family, Neighbors
from harvestdetect.errors import SettingsError
from harvestdetect.evidence.candidate import Comparison, ScanData
from harvestdetect.judge.calibration import Calibration, check_calibration
from harvestdetect.judge.calibration_file import load_calibration
from harvestdetect.judge.measure import MeasuredCandidate
from harvestdetect.judge.resolve import Scale
from harvestdetect.stages.values import DumpSource, Embedded, Read, ViewClusters
from harvestdetect.template.refine import Refined
from harvestdetect.util.versions import versions

__all__ = ["ReusableStages", "ScanPlan", "families_left_out", "load_registry_and_calibration"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReusableStages:
    """The stages that can reuse results of an earlier scan. Of the other stages, only embedding does: from its
    cache."""

    read: Callable[[DumpSource, Context, Registry | None], Read]
    find_neighbors: Callable[[Embedded, Context], Neighbors]
    cluster: Callable[[Embedded, Neighbors, Corpus, Postings, Context], ViewClusters]
    describe: Callable[[Sequence[Assigned], Corpus, PromptSegments, Embedded, Context], Refined]
    measure: Callable[[Sequence[Campaign], ScanData, Comparison, Context], list[MeasuredCandidate]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanPlan:
    """How a scan works and judges."""

    context: Context
    stages: ReusableStages
    """The stages that an earlier scan may save, with or without reuse."""
    registry: Registry | None
    """Known scaffolds and viral prompts."""
    scale: Scale
    left_out: frozenset[Family]
    """Families of evidence that do not count."""


def load_registry_and_calibration(context: Context) -> tuple[Registry | None, Calibration | None]:
    """The registry of known scaffolds and the calibration that the settings name."""
    settings = context.settings
    registry = load_registry(settings.registry) if settings.use_registry else None
    if registry is not None and registry.expired:
        context.note(f"expired in the registry, and not used: {', '.join(entry.id for entry in registry.expired)}")
    calibration = None
    if settings.calibration is not None:
        calibration = load_calibration(settings.calibration)
        check_calibration(calibration, settings=settings, version=versions()["harvestdetect"])
    return registry, calibration


def families_left_out(names: Sequence[Family], context: Context) -> frozenset[Family]:
    """The families of evidence that do not count. Writes a note about them.

    Raises:
        SettingsError: a name is no family.
    """
    for name in names:
        if name not in get_args(Family):
            raise SettingsError(f"leave_out knows {', '.join(get_args(Family))}, not {name!a}")
    if names:
        context.note(f"evidence left out: {', '.join(sorted(set(names)))}")
    return frozenset(names)
