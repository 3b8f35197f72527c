"""Carries the clusters of a view from scan to scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harvestdetect.cluster.views import Clustered
from harvestdetect.data import View
from harvestdetect.incremental.folder import CANDIDATES, TEMPLATES, Folder, Stored, is_carried, pack, unpack
from harvestdetect.store.digests import places
from harvestdetect.util.amounts import EXCEPTIONAL
from harvestdetect.util.arrays import Bools, Digests, Ints32

__all__ = ["CarriedClusters", "load_clusters", "save_clusters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedClusters:
    """The clusters of an earlier scan, with the texts that are still in this one."""

    clusters: Sequence[Clustered]
    first_scan: Ints32
    """int32[n]: number of the scan in which each text was first seen; 0 is the scan that clustered all texts."""
    scan: int
    """Number of this scan."""
    whole: int
    """Number of texts when all were last clustered together."""
    changed: int
    """Number of texts added or removed since then."""

    @property
    def new(self) -> Bools:
        """bool[n]: texts that are new in this scan."""
        return np.asarray(self.first_scan == self.scan)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    channel: str
    quality: float
    reach: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clusters:
    model: str
    scan: int
    whole: int
    changed: int
    clusters: list[_Cluster]


def load_clusters(folder: Folder, view: View, model: str, digest: Digests) -> CarriedClusters | None:
    """Loads the clusters to carry on; None if all texts must be clustered anew.

    Args:
        folder: of the earlier scan.
        view: of the clusters.
        model: digest of the view's model.
        digest: V16[n], ascending, of the view's texts in this scan.
    """
    if not is_carried(len(digest)):
        return None
    stored = folder.read(view, ("digest", "came", "start", "points"), _Clusters)
    if stored is None or stored.values.model != model:
        return None
    arrays, values = stored.arrays, stored.values
    place = places(arrays["digest"], digest)
    here, scan = place >= 0, values.scan + 1
    first_scan = np.full(len(digest), scan, np.int32)
    first_scan[place[here]] = arrays["came"][here]
    changed = values.changed + len(digest) + len(here) - 2 * int(here.sum())
    if changed > EXCEPTIONAL * values.whole:
        return None
    clusters = [
        Clustered(channel=one.channel, points=own[own >= 0], quality=one.quality, reach=one.reach)
        for one, own in zip(values.clusters, unpack(arrays["start"], place[arrays["points"]]), strict=True)
    ]
    return CarriedClusters(
        clusters=clusters, first_scan=first_scan, scan=scan, whole=values.whole, changed=changed
    )  # fmt: skip


def save_clusters(
    folder: Folder,
    view: View,
    model: str,
    digest: Digests,
    found: Sequence[Clustered],
    carried: CarriedClusters | None,
) -> None:
    """Saves the clusters of a view for the next scan.

    Args:
        folder: for the next scan.
        view: of the clusters.
        model: digest of the view's model.
        digest: V16[n], ascending, of the view's texts.
        found: the clusters.
        carried: the clusters that were loaded; None if all texts were clustered anew.
    """
    if not is_carried(len(digest)):
        # The wording view has all texts: if it is small, nothing of this scan is carried on.
        folder.remove(*(() if view == "wording" else (view,)))
        return
    if carried is None and view == "wording":
        # Templates and candidates of the old clusters are void, even if this scan ends before it saves its own.
        folder.remove(TEMPLATES, CANDIDATES)
    values = _Clusters(
        model=model,
        scan=0 if carried is None else carried.scan,
        whole=len(digest) if carried is None else carried.whole,
        changed=0 if carried is None else carried.changed,
        clusters=[_Cluster(channel=one.channel, quality=one.quality, reach=one.reach) for one in found],
    )
    start, points = pack([one.points for one in found])
    came = np.zeros(len(digest), np.int32) if carried is None else carried.first_scan
    arrays = {"digest": digest, "came": came, "start": start, "points": points}
    folder.write(view, Stored(arrays=arrays, values=values))
