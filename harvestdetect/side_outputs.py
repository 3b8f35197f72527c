"""What a scan makes besides findings: accounts of known campaigns, the map, and how signatures of others fit.

None of it changes a finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvestdetect.data import Attributed, SignatureFit
from harvestdetect.embed.encoders import load_encoder
from harvestdetect.judge.attribute import Signature, attribute
from harvestdetect.judge.triage import ranked
from harvestdetect.maps import map_table
from harvestdetect.signatures.cells import codebook_of, fits
from harvestdetect.signatures.matching import Scanned, ScannedCandidate, Shared, match_signatures
from harvestdetect.stages.plan import ScanPlan
from harvestdetect.stages.values import Compared, Concluded, Formed, Read

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SideOutputs", "side_outputs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideOutputs:
    """What a scan makes besides findings."""

    attributed: tuple[Attributed, ...] = ()
    """The accounts that fill templates of known campaigns."""
    map: pa.Table | None = None
    """See :attr:`harvestdetect.data.Detection.map`."""
    signatures: tuple[SignatureFit, ...] = ()
    """How the signatures of other providers fit."""


def side_outputs(
    read: Read,
    compared: Compared,
    formed: Formed,
    concluded: Concluded,
    plan: ScanPlan,
    *,
    signatures: Sequence[Signature],
    new_since: int | None,
    shared: Shared | None,
) -> SideOutputs:
    """Makes what is asked for; keywords as for :func:`harvestdetect.detect`."""
    return SideOutputs(
        attributed=_attribute(compared, plan, signatures, since=new_since) if signatures else (),
        map=_draw(read, compared, formed, concluded, plan) if plan.context.settings.make_map else None,
        signatures=() if shared is None else _match(compared, formed, concluded, plan, shared),
    )


def _attribute(
    compared: Compared, plan: ScanPlan, signatures: Sequence[Signature], *, since: int | None
) -> tuple[Attributed, ...]:
    """The accounts that fill the templates of known campaigns."""
    wording = compared.wording
    with plan.context.measured("attribute"):
        return attribute(signatures, compared.corpus, wording.vectors, wording.encode, since=since)


def _draw(read: Read, compared: Compared, formed: Formed, concluded: Concluded, plan: ScanPlan) -> pa.Table:
    """The map."""
    with plan.context.measured("map", blas_threads=1):
        return map_table(
            compared.corpus, formed.parts, compared.wording.vectors, concluded.conclusions.found,
            files=[file.name for file in read.files], seed=plan.context.settings.seed,
        )  # fmt: skip


def _match(
    compared: Compared, formed: Formed, concluded: Concluded, plan: ScanPlan, shared: Shared
) -> tuple[SignatureFit, ...]:
    """How the signatures of other providers fit; see :func:`harvestdetect.signatures.matching.match_signatures`."""
    context = plan.context
    with context.measured("signatures", blas_threads=1):
        encoder = load_encoder("wording", settings=context.settings, notes=context.note, spare=context.cache)
        cells = codebook_of(encoder)
        for file in shared.files:
            if not fits(file.content.codebook, cells.codebook):
                context.note(
                    f"{file.name} was made with another model of the wording, so its profiles are not compared"
                )  # fmt: skip
        return match_signatures(
            shared,
            Scanned(
                corpus=compared.corpus,
                parts=formed.parts,
                vectors=compared.wording.vectors,
                cells=cells,
                candidates=_candidates(concluded),
            ),
        )


def _candidates(concluded: Concluded) -> list[ScannedCandidate]:
    """All candidates; those that are findings with their ids and tiers."""
    findings = dict(zip(ranked(concluded.judged.judgements), concluded.conclusions.findings, strict=True))
    found = []
    for i, campaign in enumerate(concluded.judged.campaigns):
        finding = findings.get(i)
        found.append(
            ScannedCandidate(
                campaign_id=None if finding is None else finding.campaign_id,
                tier=None if finding is None else finding.tier,
                accounts=campaign.accounts,
                prompts=campaign.prompts,
            )
        )
    return found
