"""Profiles of accounts: how often each account uses each cell of the wording space, rare cells counting more.

The wording space is cut into cells at two scales. Each part of a prompt lies in several cells, so that two texts on
both sides of a border have one in common. Sentences and outlines that several accounts sent are columns of their own:
a fixed phrase in a long prompt moves the vector of the whole little. The weight of a column is its inverse document
frequency over accounts, as in retrieval (Sparck Jones 1972), so what everybody sends makes nobody alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harvestdetect.corpus.by_prompt import PromptSegments, segments_by_prompt
from harvestdetect.data import Corpus
from harvestdetect.data.corpus import WHOLE_KINDS
from harvestdetect.neighbors.codebook import nearest_centres
from harvestdetect.util.arrays import Ints
from harvestdetect.util.vectors import Rows

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Profiles", "profiles_of"]

SCALES: Final = ((1024, 32), (8192, 8))
"""For each scale, the most cells and the fewest parts per cell."""
EACH: Final = 2
"""Cells of each part, at each scale."""
MIN_SENDERS: Final = 5
"""Fewest accounts that sent a piece, such as a sentence, which then is a column."""
RARE: Final = 5
"""Accounts that are added to the frequency of a column: two accounts that alone share a cell are no evidence yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """What each of some points, an account or a part of its requests, is about."""

    weights: sparse.csr_matrix
    """float32[points, columns], rows of length 1."""
    prompt_columns: sparse.csr_matrix
    """int8[prompts, columns]: which prompt has which columns."""


def profiles_of(corpus: Corpus, parts: PromptSegments, vectors: Rows, *, threads: int, seed: int) -> sparse.csr_matrix:
    """Which prompt has which columns: int8[prompts, columns]."""
    from scipy import sparse

    used = np.flatnonzero(corpus.kind < WHOLE_KINDS).astype(np.int32)
    place = np.full(len(corpus.kind), -1, np.int32)
    place[used] = np.arange(len(used), dtype=np.int32)
    count = len(corpus.prompts.account)
    row = np.repeat(np.arange(count, dtype=np.int32), np.diff(parts.start))
    columns: list[Ints] = []
    rows: list[Ints] = []
    base = 0
    chosen = vectors[used] if len(used) < len(corpus.kind) else vectors
    for most, least in SCALES:
        cells = max(2, min(most, len(used) // least))
        nearest = nearest_centres(chosen, count=cells, each=EACH, threads=threads, seed=seed)
        for e in range(EACH):
            columns.append(base + nearest[place[parts.segment], e].astype(np.int64))
            rows.append(row)
        base += cells
    every = segments_by_prompt(corpus)
    piece = (corpus.kind >= WHOLE_KINDS) & (corpus.senders >= MIN_SENDERS)
    keep = piece[every.segment]
    number = np.cumsum(piece) - 1
    prow = np.repeat(np.arange(count, dtype=np.int32), np.diff(every.start))[keep]
    columns.append(base + number[every.segment[keep]].astype(np.int64))
    rows.append(prow)
    base += int(piece.sum())
    r, c = np.concatenate(rows), np.concatenate(columns)
    matrix = sparse.csr_matrix((np.ones(len(r), np.float32), (r, c)), shape=(count, base))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def weighted(counts: sparse.csr_matrix, frequency: Ints, accounts: int) -> sparse.csr_matrix:
    """log1p(count) * idf, rows of length 1."""
    idf = np.log(np.maximum(accounts / (frequency + RARE), 1.0)).astype(np.float32)
    out = counts.copy()
    out.data = np.log1p(out.data) * idf[out.indices]
    out.eliminate_zeros()
    norm = np.sqrt(np.asarray(out.multiply(out).sum(axis=1)).ravel())
    out.data /= np.repeat(np.maximum(norm, 1e-12), np.diff(out.indptr)).astype(np.float32)
    return out
