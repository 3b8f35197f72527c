"""Which prompts of a scan a signature describes, one by one, whatever groups the scan found.

A campaign of one or two prompts an account is often too thin to become a candidate. But a signature says in which cells
its prompts lie, how long they are and which signs they contain. So every prompt has odds: how much more often the
campaign sends such a prompt than the dump does (naive Bayes). The share of the campaign's prompts in the dump is
estimated from all odds (expectation-maximisation).

That a prompt fits by itself says little: some innocent prompt always does. So the prompts that fit are compared with
the signature as a group, like a candidate. A campaign fills the whole profile; innocent prompts fill a corner of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harvestdetect.corpus.by_prompt import PromptSegments
from harvestdetect.data import Corpus
from harvestdetect.signatures.style import class_of_length, has_signs, read_style, softened
from harvestdetect.signatures.values import LENGTHS, SignedCampaign
from harvestdetect.util.arrays import Bools, Floats, Ints

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Ground", "groups_of", "open_ground"]

CELL_WITNESSES: Final = 3.0
"""Number of independent observations that all cells of a prompt count for: neighbouring cells say nearly the same.
Chosen on tuning data."""
SIGN_WITNESSES: Final = 0.7
"""Number of independent observations that a group of signs counts for: brackets come with digits. Chosen on tuning
data."""
CERTAINTIES: Final = (0.5, 0.9, 0.97)
"""Least probabilities that a prompt is the campaign's; a group is compared for each. Chosen."""
FIRST_SHARE: Final = 0.01
"""Share of the dump's prompts with which the estimation begins."""
ROUNDS: Final = 50
"""Most rounds of the estimation."""
SETTLED: Final = 1e-6
"""Change of the share that ends the estimation."""
LEAST: Final = 0.005
"""What is added to the share of a cell, which may have been rounded to nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The requests of a scan, and how common each of their properties is."""

    rows: Ints
    """int64[q]: the prompts that count as requests."""
    cells: sparse.csr_matrix
    """float32[q, cells], ones: the cells of each of them."""
    usual: Floats
    """float64[cells]: the share of the requests in each cell."""
    length: Ints
    """int64[q]: the class of the length of each."""
    signs: Bools
    """bool[q, groups]: which groups of signs each contains."""


def open_ground(
    corpus: Corpus, parts: PromptSegments, cells: sparse.csr_matrix, usual: Floats, *, once: Bools
) -> Ground:
    """The requests of a scan.

    Args:
        corpus: of p prompts.
        parts: of every prompt.
        cells: [p, cells], of every prompt.
        usual: float64[cells], share of the requests in each cell.
        once: bool[p], which prompts count as requests.
    """
    rows = np.flatnonzero(once)
    words, bits = read_style(corpus, parts, rows)
    return Ground(rows=rows, cells=cells[rows], usual=usual, length=class_of_length(words), signs=has_signs(bits))


def groups_of(campaign: SignedCampaign, ground: Ground) -> Iterator[Ints]:
    """The prompts that are probably of a campaign, for each of :data:`CERTAINTIES`: int64, ascending.

    Args:
        campaign: the signature.
        ground: the requests of the scan.
    """
    probability = _probabilities(_odds(campaign, ground))
    for least in CERTAINTIES:
        yield ground.rows[probability >= least]


def _odds(campaign: SignedCampaign, ground: Ground) -> Floats:
    """How much more often the campaign sends such a prompt than the dump does: float64[q], natural logarithms."""
    own = np.zeros(len(ground.usual))
    for one in campaign.profile:
        own[one.cell] = one.share / 1_000
    by_cell = np.log((own + LEAST) / (ground.usual + LEAST))
    several = np.maximum(np.diff(ground.cells.indptr), 1)
    found = CELL_WITNESSES * np.asarray(ground.cells @ by_cell, np.float64).ravel() / several
    usual = softened(1_000 * np.bincount(ground.length, minlength=LENGTHS) / max(len(ground.length), 1))
    lengths = softened(campaign.form.lengths)
    found += np.log(lengths / lengths.sum() * usual.sum() / usual)[ground.length]
    with_sign, usual = softened(campaign.form.signs), softened(1_000 * ground.signs.mean(axis=0))
    yes, no = np.log(with_sign / usual), np.log((1 - with_sign) / (1 - usual))
    found += SIGN_WITNESSES * (ground.signs @ (yes - no) + no.sum())
    return np.asarray(found, np.float64)


def _probabilities(odds: Floats) -> Floats:
    """The probability that each prompt is the campaign's: float64[q]."""
    ratio = np.exp(np.clip(odds, -50, 50))
    share, found = FIRST_SHARE, np.zeros(len(odds))
    for _ in range(ROUNDS):
        found = share * ratio / (share * ratio + 1 - share)
        before, share = share, float(found.mean()) if len(found) else 0.0
        if abs(share - before) < SETTLED:
            break
    return found
