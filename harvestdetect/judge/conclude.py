"""Turns judged candidates into the results of a scan: findings, all candidates, and figures about the scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from harvestdetect.corpus.by_prompt import request_numbers
from harvestdetect.data import Campaign, Candidate, Cut, Finding, Template, Tier
from harvestdetect.evidence.candidate import ScanData
from harvestdetect.judge.candidate_file import seen_accounts
from harvestdetect.judge.candidates import candidates_of
from harvestdetect.judge.findings import FindingInputs, campaign_ids, finding_of, prompt_table
from harvestdetect.judge.members import Memberships
from harvestdetect.judge.resolve import Judged, Scale
from harvestdetect.judge.titles import material_of, title_of, usual_words
from harvestdetect.judge.triage import changes, expected_false, ranked, what_if
from harvestdetect.settings import Settings
from harvestdetect.template.description import is_rigid
from harvestdetect.util.arrays import Ints32

__all__ = ["Conclusions", "conclude"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusions:
    """The results of a scan."""

    findings: tuple[Finding, ...]
    """Strongest first."""
    candidates: tuple[Candidate, ...]
    """All candidates, also those that are no findings."""
    expected_false: Mapping[Tier, float]
    what_if: tuple[Cut, ...]
    ledger: Mapping[str, Any]
    """See :attr:`harvestdetect.data.Detection.ledger`."""
    prompts: pa.Table
    """See :func:`harvestdetect.judge.findings.prompt_table`."""
    found: Mapping[str, Ints32]
    """Campaign id of each finding -> int32[q], its prompts as positions in the corpus. No part of the detection."""
    seen: pa.Table
    """See :func:`harvestdetect.judge.candidate_file.seen_accounts`."""


def conclude(
    judged: Judged,
    memberships: Sequence[Memberships | None],
    scan: ScanData,
    *,
    volume: Ints32,
    templates: Mapping[int, Template],
    files: Sequence[str],
    scale: Scale,
    settings: Settings,
) -> Conclusions:
    """Turns judgements into findings.

    Long because every result of a scan is made here, each by one call.

    Args:
        judged: all candidates.
        memberships: of each finding, the evidence on its accounts.
        scan: the data of the scan.
        volume: int32[a], prompts of every account.
        templates: by position of the cluster.
        files: names of the files read.
        scale: on which they were judged.
        settings: of the scan.
    """
    ledger = scale.ledger
    prompts, judgements, campaigns = scan.corpus.prompts, judged.judgements, judged.campaigns
    ids = campaign_ids(campaigns, templates, prompts.accounts)
    rows = ranked(judgements)
    # What a person chose is not one of the groups among which false findings are to be expected.
    unchosen = [j for one, j in zip(campaigns, judgements, strict=True) if one.ways != ("seed",)]
    inputs = FindingInputs(prompts=prompts, volume=volume, templates=templates)
    findings = [
        finding_of(
            campaigns[i],
            judgements[i],
            judged.measured[i],
            inputs,
            campaign_id=ids[i],
            changes=changes(judgements[i], fdr=settings.fdr),
            memberships=evidence,
        )
        for i in rows
        if (evidence := memberships[i]) is not None
    ]
    findings = _titled(findings, [campaigns[i] for i in rows], scan, tested=ledger.held_out_count)
    candidates = candidates_of(
        campaigns, judgements, judged.measured, ids, inputs, vectors=scan.vectors,
        rigid=[is_rigid(d) for d in scan.described], link_log_p=settings.link_log_p,
        memberships=memberships,
    )  # fmt: skip
    table = prompt_table(
        list(zip(findings, [campaigns[i] for i in rows], strict=True)),
        prompts=prompts,
        templates=templates,
        request=request_numbers(prompts),
        files=files,
    )
    return Conclusions(
        findings=tuple(findings),
        candidates=candidates,
        expected_false=expected_false(unchosen, ledger=ledger, fdr=settings.fdr),
        what_if=what_if(unchosen, ledger=ledger, fdr=settings.fdr),
        ledger=_about(scale),
        prompts=table,
        found={finding.campaign_id: campaigns[i].prompts for finding, i in zip(findings, rows, strict=True)},
        seen=seen_accounts(prompts.accounts, volume),
    )


def _titled(
    findings: Sequence[Finding], campaigns: Sequence[Campaign], scan: ScanData, *, tested: int
) -> list[Finding]:
    """The findings with their titles, and with the number of candidates on which the ledger was tested."""
    if not findings:
        return []
    usual = usual_words(scan.corpus)
    return [
        replace(
            finding,
            tested=tested,
            title=title_of(
                material_of(campaign, scan, templates=finding.templates, targets=finding.capability_targets), usual
            ),
        )
        for finding, campaign in zip(findings, campaigns, strict=True)
    ]


def _about(scale: Scale) -> dict[str, Any]:
    """What a detection says of the models that judged, see :attr:`harvestdetect.data.Detection.ledger`."""
    ledger = scale.ledger
    return {
        "made": ledger.made,
        "sha256": ledger.digest,
        "sources": list(ledger.sources),
        "held_out": ledger.held_out_count,
        "held_out_prompts": ledger.held_out_prompts,
        "recommended_from": scale.members.cut,
    }
