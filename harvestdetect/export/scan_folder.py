"""Reads the folder that a scan wrote."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from harvestdetect.data import (
    BenignExplanation,
    Evidence,
    Family,
    LedgerRow,
    SharedValue,
    Standing,
    Template,
    Tier,
    Way,
)
from harvestdetect.errors import InputError
from harvestdetect.evidence.legacy import with_ids
from harvestdetect.export.links import links_of
from harvestdetect.export.values import Account, Campaign, Source, TemplateView
from harvestdetect.judge.candidate_file import with_nan
from harvestdetect.judge.caps import VERDICT
from harvestdetect.report.format import plural, seconds_of
from harvestdetect.report.read import (
    MEMBER_COLUMNS,
    converted,
    csv_rows,
    float_of,
    json_lines,
    run_of,
    short,
    whole_of,
)
from harvestdetect.util.escape import csv_text

__all__ = ["FINDINGS", "read_scan_folder", "template_view"]

FINDINGS: Final = "campaigns.jsonl"
"""The file by which the folder of a scan is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Day:
    day: str
    prompts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line of ``campaigns.jsonl``; what has a default may be missing in results of older versions."""

    campaign_id: str
    tier: Tier
    accounts: int
    prompts: int
    title: str = ""
    summary: str = ""
    score: float = math.nan
    q_value: float = math.nan
    probability: float = math.nan
    first_seen: int | str | None = None
    last_seen: int | str | None = None
    orgs: int | None = None
    families: tuple[Family, ...] = ()
    ways: tuple[Way, ...] = ("texts",)
    capability_targets: tuple[str, ...] = ()
    days: tuple[_Day, ...] = ()
    templates: tuple[Template, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    benign_explanations: tuple[BenignExplanation, ...] = ()
    shared_values: tuple[SharedValue, ...] = ()
    standing: Standing | None = None


def read_scan_folder(out: Path) -> Source:
    """The findings in a folder, with everything that the scan wrote about them.

    Raises:
        InputError: a file that is needed is missing or malformed.
    """
    lines = _lines(out / FINDINGS)
    run = run_of(out / "run.json") or {}
    notes, link_notes = [], []
    if not run:
        notes.append("run.json cannot be read: the files and settings of the scan are not known")
    members = _members(out / "accounts.csv", lines)
    links = links_of(out / "prompts.parquet", {(c, m.name) for c, found in members.items() for m in found})
    if links is None:
        link_notes.append("prompts.parquet is missing or damaged: which account sent which template is not known")
    elif links.strangers:
        link_notes.append(
            f"{plural(links.strangers, 'row')} of prompts.parquet belong to no account in accounts.csv and are left "
            "out: the two files are of different scans"
        )
    settings, counts, versions = (_table(run, name) for name in ("settings", "counts", "versions"))
    return Source(
        kind="scan",
        campaigns=tuple(
            _campaign(line, members[line.campaign_id], links.of(line.campaign_id) if links else ())
            for line in lines.values()
        ),
        last_seen=_seconds(counts.get("last_seen")),
        pseudonyms=settings.get("pseudonyms") is not None,
        version=str(versions.get("harvestdetect", "")),
        complete=links is not None,
        files=_files(run),
        notes=tuple(notes),
        link_notes=tuple(link_notes),
    )


def template_view(template_id: str, signature: str, words: tuple[str | None, ...], **known: Any) -> TemplateView:
    """A template with its numbers of words and slots.

    Args:
        template_id: its id.
        signature: digest of its words.
        words: runs of fixed words; None is a slot.
        known: further fields of :class:`~harvestdetect.export.values.TemplateView`.
    """
    return TemplateView(
        template_id=template_id,
        signature=signature,
        words=words,
        fixed_words=sum(len(run.split()) for run in words if run),
        slots=sum(run is None for run in words),
        **known,
    )


def _campaign(line: _Line, members: list[Account], links: tuple[Any, ...]) -> Campaign:
    standing = line.standing
    verdict = next((one for one in line.benign_explanations if one.id == VERDICT), None)
    return Campaign(
        campaign_id=line.campaign_id,
        tier=line.tier,
        title=line.title,
        summary=line.summary,
        accounts=line.accounts,
        prompts=line.prompts,
        first_seen=_seconds(line.first_seen),
        last_seen=_seconds(line.last_seen),
        detected=None if standing is None else standing.detected,
        status=None if standing is None else standing.status,
        verdict="" if standing is None else standing.verdict,
        benign=verdict is not None and verdict.verdict == "fits",
        probability=line.probability,
        score=line.score,
        q_value=line.q_value,
        orgs=line.orgs,
        families=line.families,
        ways=line.ways,
        capability_targets=line.capability_targets,
        days=tuple((day.day, day.prompts) for day in line.days),
        templates=tuple(_template(one) for one in line.templates),
        evidence=line.evidence,
        ledger=line.ledger,
        benign_explanations=line.benign_explanations,
        shared_values=line.shared_values,
        members=tuple(members),
        links=links,
    )


def _template(template: Template) -> TemplateView:
    examples = dict.fromkeys((template.medoid, *template.exemplars, template.least_similar))
    return template_view(
        template.template_id,
        template.signature,
        template.words,
        fillings=template.slots,
        examples=tuple(text for text in examples if text),
        channel=template.channel,
        prompts=template.prompts,
        accounts=template.accounts,
    )


# ---------------------------------------------------------------- files


def _lines(file: Path) -> dict[str, _Line]:
    found: dict[str, _Line] = {}
    for number, row in json_lines(file, advice="; give the folder that scan --out named, or a state"):
        where = f"{file}, line {number}"
        line = converted(where, row, lambda row: msgspec.convert(with_nan(with_ids(row)), _Line))
        if line.campaign_id in found:
            raise InputError(f"{where}: campaign {short(line.campaign_id)} occurs twice")
        for time in (line.first_seen, line.last_seen):
            if isinstance(time, str) and _seconds(time) is None:
                raise InputError(f"{where}: {short(time)} is not a time such as 2026-06-30T00:00:00Z")
        found[line.campaign_id] = line
    return found


def _members(file: Path, lines: Mapping[str, _Line]) -> dict[str, list[Account]]:
    """The accounts of every finding, with their tags in the order of the file."""
    members: dict[str, list[Account]] = {identity: [] for identity in lines}
    tags: dict[str, str] = {}
    for number, cells in csv_rows(file, MEMBER_COLUMNS):
        where = f"{file}, line {number}"
        try:
            campaign, name = csv_text(cells["campaign_id"]), csv_text(cells["account"])
            row = Account(
                name=name,
                tag=tags.setdefault(name, f"account-{len(tags) + 1}"),
                membership=float_of(cells["membership"]),
                recommended=cells["recommended"].strip().lower() == "true",
                harvest_share=float_of(cells["harvest_share"]),
                prompts=whole_of(cells["prompts"]),
                harvest_prompts=whole_of(cells["harvest_prompts"]),
                first_seen=_time(cells["first_seen"]),
                last_seen=_time(cells["last_seen"]),
                reasons=tuple(csv_text(cells["reasons"]).split("; ")) if cells["reasons"] else (),
            )
        except (ValueError, OverflowError):
            raise InputError(f"{where}: a cell is not a number or a time, or its escape no character") from None
        if campaign not in members:
            raise InputError(f"{where}: campaign {short(campaign)} is not in {FINDINGS}")
        members[campaign].append(row)
    return members


def _time(cell: str) -> int | None:
    """A time of ``accounts.csv``: ISO 8601, or seconds outside the years that have such a form."""
    if not cell:
        return None
    return whole_of(cell) if cell.lstrip("-").isdigit() else seconds_of(cell)


def _seconds(time: Any) -> int | None:
    """A time of a JSON file in Unix seconds; None if it is none."""
    try:
        return seconds_of(time) if isinstance(time, str | int) and not isinstance(time, bool) else None
    except (ValueError, OverflowError):
        return None


def _table(run: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = run.get(name)
    return value if isinstance(value, dict) else {}


def _files(run: Mapping[str, Any]) -> dict[str, str]:
    """Name of each file that the scan read -> how evidence names it without its name."""
    return dict(_named(run.get("files")))


def _named(files: Any) -> Iterator[tuple[str, str]]:
    for number, one in enumerate(files if isinstance(files, list) else (), start=1):
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            digest = one.get("sha256")
            yield one["name"], digest if isinstance(digest, str) and digest else f"file-{number}"
