"""Profiles: in which cells of the wording space the prompts of a group lie.

Two providers must cut the space alike without exchanging a text. So the cells come from the packaged model itself:
spherical k-means over the vectors of its vocabulary, which is the same everywhere. Its principal axes may be turned or
mirrored from machine to machine; the cells turn with them. Each text lies in its nearest cells.

A cell holds thousands of texts on a subject, so it gives no text away. A profile has only cells in which enough
accounts have prompts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from harvestdetect.corpus.by_prompt import PromptSegments
from harvestdetect.embed.encoders import Encoder
from harvestdetect.embed.static import StaticEncoder
from harvestdetect.signatures.values import Cell, Codebook
from harvestdetect.util.arrays import AnyInts, Floats, Floats32, Ints, packed_pairs, ranges, unique, unit
from harvestdetect.util.vectors import Rows

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Cells", "cell_matrix", "cells_of", "codebook_of", "fits", "profile_of", "shares_of", "similarity"]

CODEBOOK_VERSION: Final = 1
"""Number that is raised when the same model would be cut otherwise."""
CELLS: Final = 512
"""Cells of the codebook. Chosen."""
CELLS_EACH: Final = 4
"""Nearest cells in which a text lies, so that two texts on both sides of a border have some in common. Chosen."""
ROUNDS: Final = 5
"""Iterations of k-means."""
PROBES: Final = 24
"""Tokens whose cosines show whether two models are the same."""
PROBE_ROUNDING: Final = 4
"""Hundredths by which two cosines of one model may differ on different machines. Chosen."""
SHARE_STEP: Final = 5
"""Thousandths to which the share of a cell is rounded."""
RAREST: Final = 1e-3
"""Share of prompts that a cell counts as having at least, when rarity is computed."""
ROWS_AT_ONCE: Final = 8_192
"""Texts that are compared with the cells at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The cells of one model."""

    centres: Floats32
    """float32[cells, d], unit rows."""
    codebook: Codebook


def codebook_of(encoder: Encoder) -> Cells:
    """The cells of the wording space.

    Args:
        encoder: of the wording view.
    """
    assert isinstance(encoder, StaticEncoder), "the wording view has a static encoder"
    return _cut(encoder)


@lru_cache(maxsize=1)
def _cut(encoder: StaticEncoder) -> Cells:
    from scipy import sparse

    tokens, tokenizer = encoder.vocabulary()
    used = np.flatnonzero(np.linalg.norm(tokens, axis=1) > 0)
    points = unit(tokens[used])
    rng = np.random.Generator(np.random.PCG64(CODEBOOK_VERSION))
    centres = points[rng.choice(len(points), min(CELLS, len(points)), replace=False)]
    for _ in range(ROUNDS):
        nearest = (points @ centres.T).argmax(axis=1)
        chosen = sparse.csr_matrix((np.ones(len(points)), nearest, np.arange(len(points) + 1)))
        sums = np.zeros(centres.shape)
        sums[: chosen.shape[1]] = chosen.T @ points
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(length > 0, sums / np.maximum(length, 1e-9), centres).astype(np.float32)
    probes = points[np.linspace(0, len(points) - 1, PROBES).astype(np.int64)]
    cosine = np.rint(100 * (probes @ probes.T)[np.triu_indices(PROBES, 1)]).astype(np.int64)
    return Cells(
        centres=centres,
        codebook=Codebook(
            version=CODEBOOK_VERSION,
            cells=len(centres),
            tokenizer=hashlib.sha256(tokenizer.encode()).hexdigest(),
            probe=tuple(int(np.clip(value, -100, 100)) for value in cosine),
        ),
    )


def fits(one: Codebook, other: Codebook) -> bool:
    """Whether two codebooks cut the space of the same model in the same way."""
    same = (one.version, one.cells, one.tokenizer) == (other.version, other.cells, other.tokenizer)
    if not same or len(one.probe) != len(other.probe):
        return False
    return all(abs(a - b) <= PROBE_ROUNDING for a, b in zip(one.probe, other.probe, strict=True))


def cells_of(vectors: Rows, segments: AnyInts, cells: Cells) -> Ints:
    """The nearest cells of some segments: int64[len(segments), CELLS_EACH].

    Args:
        vectors: float16[n, d], of all segments in the wording view.
        segments: which of them.
        cells: of the model that made the vectors.
    """
    each = min(CELLS_EACH, len(cells.centres))
    found = np.empty((len(segments), each), np.int64)
    for start in range(0, len(segments), ROWS_AT_ONCE):
        part = segments[start : start + ROWS_AT_ONCE]
        near = unit(vectors[part]) @ cells.centres.T
        found[start : start + len(part)] = np.argpartition(-near, each - 1, axis=1)[:, :each]
    return found


def cell_matrix(parts: PromptSegments, prompts: AnyInts, vectors: Rows, cells: Cells) -> sparse.csr_matrix:
    """Which prompts lie in which cells: float32[len(prompts), cells], ones. A prompt lies in the cells of its parts.

    Args:
        parts: of every prompt.
        prompts: which of them.
        vectors: float16[n, d], of all segments in the wording view.
        cells: of the model that made the vectors.
    """
    from scipy import sparse

    chosen = np.asarray(prompts, np.int64)
    start, stop = parts.start[chosen], parts.start[chosen + 1]
    segment = parts.segment[ranges(start, stop - start)]
    row = np.repeat(np.arange(len(chosen)), stop - start)
    distinct, back = np.unique(segment, return_inverse=True)
    near = cells_of(vectors, distinct, cells)[back]
    pair = unique(packed_pairs(np.repeat(row, near.shape[1]), near.ravel()))
    ones = np.ones(len(pair), np.float32)
    return sparse.csr_matrix((ones, (pair >> 32, pair & 0xFFFFFFFF)), shape=(len(chosen), len(cells.centres)))


def shares_of(matrix: sparse.csr_matrix, account: AnyInts | None = None, *, least_accounts: int = 1) -> Floats:
    """The share of some prompts that lie in each cell: float64[cells].

    Args:
        matrix: rows of :func:`cell_matrix`.
        account: of each of these prompts; needed with ``least_accounts``.
        least_accounts: a cell in which fewer accounts have prompts has the share 0.
    """
    total = np.asarray(matrix.sum(axis=0), np.float64).ravel()
    if account is not None and least_accounts > 1:
        row, cell = matrix.nonzero()
        pair = unique(packed_pairs(cell, np.asarray(account, np.int64)[row]))
        total[np.bincount(pair >> 32, minlength=matrix.shape[1]) < least_accounts] = 0
    return np.asarray(total / max(matrix.shape[0], 1), np.float64)


def profile_of(matrix: sparse.csr_matrix, account: AnyInts, *, least_accounts: int) -> tuple[Cell, ...]:
    """The profile of a group, ready to be exported.

    Args:
        matrix: rows of :func:`cell_matrix`, of the prompts of the group without repeated rows.
        account: of each of these prompts.
        least_accounts: fewest accounts with prompts in a cell that is exported.
    """
    shares = shares_of(matrix, account, least_accounts=least_accounts)
    rounded = SHARE_STEP * np.rint(1_000 / SHARE_STEP * shares).astype(np.int64)
    return tuple(Cell(cell=int(i), share=int(rounded[i])) for i in np.flatnonzero(rounded))


def similarity(profile: Sequence[Cell], shares: Floats, usual: Floats) -> float:
    """How alike an exported profile and a group are: 0 to 1.

    It is the cosine of the square roots of the shares (Hellinger 1909), each weighted by how rare the cell is among all
    prompts of the dump. So what everybody asks about makes nobody alike.

    Args:
        profile: exported.
        shares: float64[cells], of the group, without the cells that an export would leave out.
        usual: float64[cells], of all prompts of the dump.
    """
    own = np.zeros(len(shares))
    for one in profile:
        own[one.cell] = one.share / 1_000
    weight = np.log(1 / np.clip(usual, RAREST, 1))
    left, right = np.sqrt(own) * weight, np.sqrt(shares) * weight
    length = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / length if length > 0 else 0.0
