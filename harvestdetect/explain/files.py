"""Reads the files of a scan that an explanation needs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from harvestdetect.data import (
    BenignExplanation,
    Candidate,
    Evidence,
    Family,
    FamilyResult,
    LedgerRow,
    RateStep,
    Template,
    Tier,
    Way,
)
from harvestdetect.errors import InputError
from harvestdetect.evidence.legacy import with_ids
from harvestdetect.judge.candidate_file import (
    CANDIDATES,
    SEEN,
    account_digest,
    candidate_from_dict,
    excerpt_of,
    with_nan,
)
from harvestdetect.judge.caps import VERDICT, capped
from harvestdetect.report.read import MEMBER_COLUMNS, converted, csv_rows, float_of, json_lines, run_of, whole_of
from harvestdetect.util.escape import csv_text

__all__ = ["Day", "FoundCampaign", "MemberRow", "ScanFiles", "prompts_of", "prompts_seen", "read_scan"]

_ADVICE: Final = "; give the folder that scan --out named"
"""What to do where a file cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The prompts of a campaign on one day."""

    day: str
    prompts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCampaign:
    """A line of ``campaigns.jsonl``."""

    campaign_id: str
    tier: Tier
    score: float
    accounts: int
    prompts: int
    q_value: float = math.nan
    probability: float = math.nan
    ledger: tuple[LedgerRow, ...] = ()
    title: str = ""
    summary: str = ""
    templates: tuple[Template, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    benign_explanations: tuple[BenignExplanation, ...] = ()
    families: tuple[Family, ...] = ()
    orgs: int | None = None
    days: tuple[Day, ...] = ()
    ways: tuple[Way, ...] = ("texts",)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """A row of ``accounts.csv``."""

    account: str
    membership: float
    harvest_share: float
    prompts: int
    harvest_prompts: int
    first_seen: str | None
    last_seen: str | None
    recommended: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFiles:
    """The files of a scan."""

    out: Path
    found: dict[str, FoundCampaign]
    members: dict[str, list[MemberRow]]
    candidates: dict[str, Candidate]
    """By id, findings first. Of an older scan they are made of its findings."""
    run: dict[str, Any]
    complete: bool
    """Whether the scan kept its candidates."""
    missing: tuple[str, ...] = ()
    """What the files lack, a sentence each."""


def read_scan(out: Path) -> ScanFiles:
    """The results in a folder.

    Raises:
        InputError: a file that is needed is missing or malformed.
    """
    missing: list[str] = []
    found: dict[str, FoundCampaign] = {}
    for number, row in json_lines(out / "campaigns.jsonl", advice=_ADVICE):
        where = f"{out / 'campaigns.jsonl'}, line {number}"
        finding = converted(where, row, lambda row: msgspec.convert(with_nan(with_ids(row)), FoundCampaign))
        if finding.campaign_id in found:
            raise InputError(f"{where}: campaign {finding.campaign_id!a} occurs twice")
        found[finding.campaign_id] = finding
    members = _members(out / "accounts.csv", found)
    kept: dict[str, Candidate] = {}
    complete = (out / CANDIDATES).exists()
    if complete:
        for number, row in json_lines(out / CANDIDATES, advice=_ADVICE):
            candidate = converted(f"{out / CANDIDATES}, line {number}", row, candidate_from_dict)
            kept[candidate.campaign_id] = candidate
        if any(identity not in kept for identity in found):
            missing.append(f"{CANDIDATES} is of another scan than campaigns.jsonl: some findings are not in it")
    else:
        missing.append(
            f"{CANDIDATES} is not there (an older scan wrote this folder; scan again to have it): accounts that were "
            "not taken, candidates that became no finding and tiers at other rates are not known"
        )
    candidates = {
        identity: _with_verdict(kept[identity], row) if identity in kept else _candidate_of(row)
        for identity, row in found.items()
    }
    candidates |= {identity: c for identity, c in kept.items() if identity not in found}
    if any(not candidate.ledger for candidate in candidates.values()):
        missing.append(
            "an older version judged by rules and kept no ledger (scan again to have one): bits and probabilities are "
            "not known, and scores are not in bits"
        )
    return ScanFiles(
        out=out,
        found=found,
        members=members,
        candidates=candidates,
        run=_run(out / "run.json", missing),
        complete=complete,
        missing=tuple(missing),
    )


def _with_verdict(candidate: Candidate, row: FoundCampaign) -> Candidate:
    """The candidate with the benign verdict that holds its finding down.

    ``candidates.jsonl`` has what the evidence gave; only ``campaigns.jsonl`` has the verdict.
    """
    held = {b.id for b in candidate.benign_explanations}
    verdict = next((b for b in row.benign_explanations if b.id == VERDICT and b.id not in held), None)
    if verdict is None or verdict.caps is None:
        return candidate
    steps: list[RateStep] = []
    for step in candidate.steps:
        tier = capped(step.tier, verdict.caps)
        if not steps or steps[-1].tier != tier:
            steps.append(replace(step, tier=tier))
    return replace(
        candidate,
        benign_explanations=(*candidate.benign_explanations, verdict),
        capped_by=(*candidate.capped_by, verdict.name),
        steps=tuple(steps),
    )


def _candidate_of(row: FoundCampaign) -> Candidate:
    """A candidate made of its finding, for a scan that did not keep its candidates."""
    return Candidate(
        campaign_id=row.campaign_id,
        tier=row.tier,
        score=row.score,
        q_value=row.q_value,
        probability=row.probability,
        ledger=row.ledger,
        accounts=row.accounts,
        prompts=row.prompts,
        templates=len(row.templates),
        excerpt=excerpt_of(row.templates[0].words) if row.templates else "",
        family_results=tuple(FamilyResult(family=f, bits=math.nan, stands=True) for f in row.families),
        evidence=row.evidence,
        benign_explanations=row.benign_explanations,
        ways=row.ways,
    )


def _members(file: Path, found: Mapping[str, FoundCampaign]) -> dict[str, list[MemberRow]]:
    """The members of every finding."""
    members: dict[str, list[MemberRow]] = {identity: [] for identity in found}
    for number, cells in csv_rows(file, MEMBER_COLUMNS):
        where = f"{file}, line {number}"
        try:
            identity = csv_text(cells["campaign_id"])
            row = MemberRow(
                account=csv_text(cells["account"]),
                membership=float_of(cells["membership"]),
                harvest_share=float_of(cells["harvest_share"]),
                prompts=whole_of(cells["prompts"]),
                harvest_prompts=whole_of(cells["harvest_prompts"]),
                first_seen=cells["first_seen"] or None,
                last_seen=cells["last_seen"] or None,
                recommended=cells["recommended"].strip().lower() == "true",
                reasons=tuple(csv_text(cells["reasons"]).split("; ")) if cells["reasons"] else (),
            )
        except (ValueError, OverflowError):
            raise InputError(f"{where}: a cell is not a number, or its escape no character") from None
        if identity not in members:
            raise InputError(f"{where}: campaign {identity!a} is not in campaigns.jsonl")
        members[identity].append(row)
    return members


def _run(file: Path, missing: list[str]) -> dict[str, Any]:
    run = run_of(file)
    if run is None:
        missing.append("run.json cannot be read: its settings are not known")
    return run or {}


def prompts_of(out: Path, account: str, missing: list[str]) -> list[dict[str, Any]]:
    """The rows of an account, a block at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    columns = ["file", "line", "account", "campaign_id", "template_id"]
    try:
        with pq.ParquetFile(out / "prompts.parquet") as file:
            return [
                row
                for batch in file.iter_batches(columns=columns)
                for row in batch.filter(pc.equal(batch.column("account"), account)).to_pylist()
            ]
    except (OSError, pa.ArrowException, KeyError, ValueError):
        missing.append("prompts.parquet cannot be read: which templates the account sent is not known")
        return []


def prompts_seen(out: Path, account: str) -> tuple[int | None, bool | None]:
    """Prompts of an account, and whether the dump holds it; None where the scan did not keep it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = account_digest(account)
    try:
        table = pq.read_table(out / SEEN, columns=["digest", "prompts"])
        digest = table.column("digest").to_numpy()
        place = int(np.searchsorted(digest, np.uint64(wanted)))
        if place < len(digest) and int(digest[place]) == wanted:
            return int(table.column("prompts")[place].as_py()), True
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return None, None
    return None, False
