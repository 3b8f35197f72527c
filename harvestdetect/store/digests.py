"""Finds texts in sorted arrays of digests."""

from __future__ import annotations

from typing import Final

import numpy as np

from harvestdetect.util.arrays import AnyArray, Bools, Digests, Ints, Ints32

__all__ = ["DIGEST_BYTES", "locate", "places"]

DIGEST_BYTES: Final = 16
"""Length of the digest of a text, in bytes."""


def locate(keys: AnyArray, digests: AnyArray) -> tuple[Bools, Ints]:
    """Finds digests in a sorted array of keys.

    Args:
        keys: S16[m] or V16[m], ascending.
        digests: S16[n] or V16[n], in any order.

    Returns:
        bool[n], whether each digest is among the keys; and int[n], its position if it is.
    """
    # As fixed-width byte strings of the same length, digests compare byte by byte.
    known, wanted = (np.ascontiguousarray(d).view(f"S{DIGEST_BYTES}") for d in (keys, digests))
    if not len(known):
        return np.zeros(len(wanted), dtype=np.bool_), np.zeros(len(wanted), dtype=np.int64)
    position = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return known[position] == wanted, position


def places(known: Digests, now: Digests) -> Ints32:
    """The position in ``now`` of each text of ``known``: int32[m], -1 if it is missing.

    Args:
        known: V16[m], ascending.
        now: V16[n], ascending.
    """
    there, place = locate(now, known)
    return np.where(there, place, -1).astype(np.int32)
