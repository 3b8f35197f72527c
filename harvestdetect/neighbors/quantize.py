"""Unit vectors as rows of eight-bit integers, whose products are exact.

What is compared in whole numbers gives the same answer on any machine, whatever multiplies in which order.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from harvestdetect.util.arrays import Floats32, Ints8, Ints32

__all__ = ["NO_SCORE", "SCALE", "Ints8", "int8_products", "quantize", "rotation", "unit_float32"]

SCALE: Final = 28.0
"""A coordinate of common size in steps of its code; those of 4.5 times the common size are cut off."""
NO_SCORE: Final = -(2**31) + 1
"""A product less than any."""


def quantize(vectors: Floats32) -> Ints8:
    """Unit rows as small integers: every row has about the same length, :data:`SCALE` times sqrt(d)."""
    wide = vectors * np.float32(SCALE * np.sqrt(vectors.shape[1]))
    coded: Ints8 = np.clip(np.rint(wide, out=wide), -127, 127).astype(np.int8)
    return coded


def rotation(d: int) -> Floats32:
    """A fixed rotation, float32[d, d]: after it no direction of the space is coded worse than others."""
    q, r = np.linalg.qr(np.random.default_rng(d).standard_normal((d, d)))
    return np.asarray(q * np.sign(np.diag(r)), np.float32)


def int8_products(a: Ints8, b: Ints8) -> Ints32:
    """int32[a, b] of products of codes. Nothing is rounded, so it does not matter who multiplies in which order."""
    if a.shape[1] < 2 or not _torch_multiplies():  # of a single column torch mistakes the order
        return np.asarray((a.astype(np.float32) @ b.astype(np.float32).T).astype(np.int32))
    import torch

    return np.asarray(torch._int_mm(torch.from_numpy(a), torch.from_numpy(b).t()).numpy())


@cache
def _torch_multiplies() -> bool:
    """Whether torch's product of bytes is right here and faster than a float one, which is right up to 2**24."""
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


def unit_float32(vectors: npt.NDArray[Any]) -> Floats32:
    """Unit rows, as :func:`harvestdetect.util.arrays.unit` but for the last bit, several times as fast."""
    out = np.empty(vectors.shape, np.float32)
    for start in range(0, len(vectors), 2048):
        part = out[start : start + 2048]
        _widen(vectors[start : start + 2048], part)
        part *= (1 / np.sqrt(np.maximum(np.einsum("ij,ij->i", part, part), 1e-24)))[:, None]
    return out


def _widen(vectors: npt.NDArray[Any], out: Floats32) -> None:
    """float16 to float32 by shifting bits, which is exact for finite numbers; numpy takes them one by one."""
    if vectors.dtype != np.float16:
        out[...] = vectors
        return
    bits = out.view(np.int32)
    bits[...] = np.ascontiguousarray(vectors).view(np.int16)
    bits <<= 13
    bits &= np.int32(-0x70000001)
    out *= np.float32(2.0**112)
