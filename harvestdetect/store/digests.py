"""Texts by their digests: which are among others, and where."""

from __future__ import annotations

from typing import Final

import numpy as np

from harvestdetect.util.arrays import AnyArray, Bools, Digests, Ints, Ints32

__all__ = ["DIGEST_BYTES", "locate", "places"]

DIGEST_BYTES: Final = 16
"""Bytes of the digest of a text."""


def locate(keys: AnyArray, digests: AnyArray) -> tuple[Bools, Ints]:
    """Which digests are among some keys, and where.

    Args:
        keys: S16[m] or V16[m], ascending.
        digests: S16[n] or V16[n], in any order.

    Returns:
        bool[n], and the place of each that is there, int[n].
    """
    # As fixed-width byte strings of the same length, digests compare byte by byte.
    known, wanted = (np.ascontiguousarray(d).view(f"S{DIGEST_BYTES}") for d in (keys, digests))
    if not len(known):
        return np.zeros(len(wanted), dtype=np.bool_), np.zeros(len(wanted), dtype=np.int64)
    position = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return known[position] == wanted, position


def places(known: Digests, now: Digests) -> Ints32:
    """The place of each text among others: int32[len(known)], -1 where it is not among them.

    Args:
        known: V16[m], ascending.
        now: V16[n], ascending.
    """
    there, place = locate(now, known)
    return np.where(there, place, -1).astype(np.int32)
