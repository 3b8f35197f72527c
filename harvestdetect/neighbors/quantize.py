"""Unit vectors as codes: rows of eight-bit integers, whose products are exact.

A product of integers is the same on any machine, in whatever order it is computed.
"""

from __future__ import annotations

import sys
import time
from functools import cache
from typing import Final

import numpy as np

from harvestdetect.util.arrays import AnyArray, Floats32, Ints8, Ints32, widened

__all__ = ["NO_SCORE", "SCALE", "int8_products", "quantize", "rotation", "unit_float32"]

SCALE: Final = 28.0
"""Code of a coordinate of the usual size, which is 1 / sqrt(d). Coordinates beyond 4.5 times that size are clipped."""
NO_SCORE: Final = -(2**31) + 1
"""A number below every product of two codes, for places without a neighbour."""


def quantize(vectors: Floats32) -> Ints8:
    """The codes of unit rows, int8[n, d]. Every code has about the same length, :data:`SCALE` times sqrt(d)."""
    wide = vectors * np.float32(SCALE * np.sqrt(vectors.shape[1]))
    coded: Ints8 = np.clip(np.rint(wide, out=wide), -127, 127).astype(np.int8)
    return coded


@cache
def rotation(d: int) -> Floats32:
    """A fixed rotation, float32[d, d]. After it, every direction of the space is encoded about equally well.

    It is computed once, and no caller can change it.
    """
    q, r = np.linalg.qr(np.random.default_rng(d).standard_normal((d, d)))
    turn = np.asarray(q * np.sign(np.diag(r)), np.float32)
    turn.flags.writeable = False
    return turn


def int8_products(a: Ints8, b: Ints8) -> Ints32:
    """The product of every pair of codes, int32[a, b]. Nothing is rounded.

    Whoever multiplies many codes imports torch before. For a few, its import takes longer than the products.
    """
    # torch mistakes the order of a single column
    if a.shape[1] < 2 or "torch" not in sys.modules or not _torch_multiplies():
        return np.asarray((a.astype(np.float32) @ b.astype(np.float32).T).astype(np.int32))
    import torch

    return np.asarray(torch._int_mm(torch.from_numpy(a), torch.from_numpy(b).t()).numpy())


@cache
def _torch_multiplies() -> bool:
    """Whether torch multiplies bytes correctly here, and faster than floats, whose products are exact up to 2**24."""
    import torch

    rng = np.random.default_rng(0)
    a, b = (rng.choice(np.array([-127, -126, 126, 127], np.int8), (256, 512)) for _ in range(2))
    x, y = torch.from_numpy(a), torch.from_numpy(b)
    wide, tall = a.astype(np.float32), b.astype(np.float32)
    seconds: list[list[float]] = [[], []]
    try:
        for _ in range(5):
            start = time.perf_counter()
            bytewise = torch._int_mm(x, y.t()).numpy()
            middle = time.perf_counter()
            product = wide @ tall.T
            seconds[0].append(middle - start)
            seconds[1].append(time.perf_counter() - middle)
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
    return bool(np.array_equal(bytewise, product)) and min(seconds[0]) < min(seconds[1])


def unit_float32(vectors: AnyArray) -> Floats32:
    """Rows scaled to length 1. Several times as fast as :func:`harvestdetect.util.arrays.unit`, with which it agrees
    except for the last bit."""
    out = np.empty(vectors.shape, np.float32)
    for start in range(0, len(vectors), 2048):
        part = out[start : start + 2048]
        widened(vectors[start : start + 2048], part)
        part *= (1 / np.sqrt(np.maximum(np.einsum("ij,ij->i", part, part), 1e-24)))[:, None]
    return out
