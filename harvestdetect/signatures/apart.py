"""Says which exported campaigns have nothing that tells them from another finding of the same scan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np

from harvestdetect.corpus.by_prompt import first_rows
from harvestdetect.signatures.by_profile import together
from harvestdetect.signatures.cells import cell_matrix, shares_of, similarity
from harvestdetect.signatures.making import Seen, SignatureGroup
from harvestdetect.signatures.traits import shape_fit, traits_of
from harvestdetect.signatures.values import LEAST_ACCOUNTS, SignedCampaign
from harvestdetect.util.arrays import AnyInts, Floats

__all__ = ["Alike", "alike_findings"]

ALIKE: Final = 0.7
"""Likeness to another finding from which a signature without words does not tell the two apart. Chosen: elsewhere, a
signature is about as like its own campaign."""

Alike: TypeAlias = tuple[str, str, float]
"""A signature, the finding that it is most like besides its own, and the likeness from 0 to 1."""


def alike_findings(
    described: Sequence[SignedCampaign],
    findings: Sequence[SignatureGroup],
    seen: Seen,
    *,
    least_accounts: int = LEAST_ACCOUNTS,
) -> Iterator[Alike]:
    """The signatures without words that fit another finding nearly as well as their own.

    Args:
        described: signatures of some findings, in any order.
        findings: all findings of the scan, by the ids of ``described`` where they are exported.
        seen: where they were found.
        least_accounts: fewest accounts with prompts in a cell that was exported.
    """
    asked = [one for one in described if not one.templates and one.profile]
    if not asked or len(findings) < 2:
        return
    corpus, parts = seen.corpus, seen.parts

    def shares(prompts: AnyInts, least: int) -> Floats:
        account = corpus.prompts.account[prompts]
        return shares_of(cell_matrix(parts, prompts, seen.vectors, seen.cells), account, least_accounts=least)

    usual = shares(np.flatnonzero(first_rows(corpus.prompts)), 1)
    about = [
        (group, shares(group.prompts, least_accounts), traits_of(corpus, parts, group.prompts)) for group in findings
    ]
    for one in asked:
        found = [
            (together(similarity(one.profile, own, usual), shape_fit(one, traits)), group.id)
            for group, own, traits in about
            if group.id != one.id
        ]
        like, other = max(found)
        if like >= ALIKE:
            yield one.id, other, like
