"""The two distances that clusters are built from: the core distance, and the share of unshared neighbours."""

from __future__ import annotations

from typing import Final

import numpy as np

from harvestdetect.data import Neighbors
from harvestdetect.util.arrays import Floats32, Ints32

__all__ = ["core_distance", "shared_distance", "shared_length"]


EDGES_AT_ONCE: Final = 1 << 20
"""Neighbour entries per block in :func:`core_distance`. It bounds memory and changes no result."""

SORTED_AT_ONCE: Final = 1 << 18
"""Neighbour entries per block that :func:`shared_distance` sorts. They fit into the processor's cache."""


def core_distance(neighbors: Neighbors, *, min_samples: int, account: Ints32, senders: Ints32) -> Floats32:
    """The core distance of each point, counted in accounts: the radius that contains ``min_samples`` other accounts.

    HDBSCAN counts points (Campello, Moulavi and Sander 2013). Counting accounts keeps many near-equal texts of one
    account from looking dense. A point that s accounts sent counts s times.

    Args:
        neighbors: the k nearest neighbours of n points.
        min_samples: the number of accounts besides the point's own first one.
        account: int32[n], one of the accounts that sent each point.
        senders: int32[n], the number of accounts that sent each point.

    Returns:
        float32[n]; inf where the k neighbours contain fewer than ``min_samples`` accounts.
    """
    n, k = neighbors.index.shape
    core = np.full(n, np.inf, np.float32)
    block = max(1, EDGES_AT_ONCE // max(k, 1))
    for start in range(0, n, block):
        index = neighbors.index[start : start + block]
        present = index >= 0
        sender = np.where(present, account[index], -1)
        own = account[start : start + block][:, None]
        # mark the first neighbour of each account; a stable sort keeps neighbours of one account in order of distance
        order = np.argsort(sender, axis=1, kind="stable")
        ordered = np.take_along_axis(sender, order, 1)
        first = np.ones_like(present)
        first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        is_new = np.zeros_like(present)
        np.put_along_axis(is_new, order, first, 1)
        gained = np.where(present, (is_new & (sender != own)) + (senders[index] - 1), 0)
        total = np.cumsum(gained, axis=1) + (senders[start : start + block] - 1)[:, None]
        enough = total >= min_samples
        where = enough.argmax(axis=1)
        rows = np.arange(len(where))
        chosen = neighbors.distance[start : start + block][rows, where]
        core[start : start + block] = np.where(enough[rows, where], chosen, np.inf)
    return core


def shared_length(common: int, k: int) -> float:
    """The distance of :func:`shared_distance` between points whose lists have ``common`` entries in common.

    The list of a point has k + 1 entries: its k nearest neighbours and the point itself.
    """
    return float(1 - np.float32(common) / np.float32(k + 1))


def shared_distance(neighbors: Neighbors, *, rows: Ints32 | None = None) -> Floats32:
    """One minus the share of nearest neighbours that a point has in common with each of its neighbours.

    This distance does not depend on density: a loose template and a tight one look alike (shared nearest neighbours;
    Jarvis and Patrick 1973; Ertöz, Steinbach and Kumar 2003). The neighbour lists of both ends of an edge, each with
    the point itself, are sorted as one list, and equal entries next to each other are counted. The cost is
    O(n k * k log k), however many lists a point is in.

    Args:
        neighbors: the k nearest neighbours of all points.
        rows: int32[n], the points whose distances are wanted; None means all.

    Returns:
        float32[n, k]; inf where a point has fewer than k neighbours.
    """
    n, k = neighbors.index.shape
    wanted = np.arange(n, dtype=np.int32) if rows is None else rows
    n = len(wanted)
    out = np.full((n, k), np.inf, np.float32)
    width = 2 * (k + 1)
    block = max(1, SORTED_AT_ONCE // (max(k, 1) * width))
    missing = -1 - np.arange(k, dtype=np.int32)
    some_missing = bool((neighbors.index < 0).any())
    for start in range(0, n, block):
        point = wanted[start : start + block]
        index = neighbors.index[point]
        lists = np.empty((len(index), k, width), np.int32)
        lists[:, :, :k] = index[:, None]
        lists[:, :, k] = point[:, None]
        lists[:, :, k + 1 : -1] = neighbors.index[index]
        lists[:, :, -1] = index
        if some_missing:  # give each missing entry a negative number of its own, so that it equals no other
            for part, numbers in ((lists[:, :, :k], missing), (lists[:, :, k + 1 : -1], missing - k)):
                np.copyto(part, numbers, where=part < 0)
        lists.sort(axis=2)
        flat = lists.ravel()
        equal = np.zeros(flat.size, np.int8)
        np.equal(flat[1:], flat[:-1], out=equal[:-1].view(np.bool_))
        equal = equal.reshape(lists.shape)
        equal[:, :, -1] = 0
        common = np.einsum("ijk->ij", equal, dtype=np.int32).astype(np.float32)
        np.copyto(out[start : start + block], 1.0 - common / np.float32(k + 1), where=index >= 0)
    return out
