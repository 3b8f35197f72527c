"""Arrow tables of a detection. pandas, polars and DuckDB take them without a copy of the texts.

Texts are the original ones: account ids, titles and template words are not escaped, unlike in ``accounts.csv``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pyarrow as pa

from harvestdetect.data import PROMPT_COLUMNS, YEAR_10000, Detection, Finding, Member, Template
from harvestdetect.report.format import active_days

__all__ = ["ACCOUNTS", "FINDINGS", "accounts_table", "findings_table", "prompts_table", "template_text"]

_NO_SPACE_BEFORE: Final = re.compile(r"[\s.,;:!?)\]}»”]")
"""Beginnings of texts that follow a slot without a space."""
_TIME: Final = pa.timestamp("ms", "UTC")
_TEXTS: Final = pa.list_(pa.string())
FINDINGS: Final = pa.schema(
    [
        ("campaign_id", pa.string()),
        ("tier", pa.string()),
        ("title", pa.string()),
        ("probability", pa.float64()),
        ("score", pa.float64()),
        ("q_value", pa.float64()),
        ("accounts", pa.int64()),
        ("recommended", pa.int64()),
        ("prompts", pa.int64()),
        ("orgs", pa.int64()),
        ("first_seen", _TIME),
        ("last_seen", _TIME),
        ("active_days", pa.int64()),
        ("families", _TEXTS),
        ("ways", _TEXTS),
        ("capability_targets", _TEXTS),
        ("templates", _TEXTS),
        ("summary", pa.string()),
        ("status", pa.string()),
        ("verdict", pa.string()),
    ]
)
"""Columns of :func:`findings_table`."""
ACCOUNTS: Final = pa.schema(
    [
        ("account", pa.string()),
        ("campaign_id", pa.string()),
        ("tier", pa.string()),
        ("membership", pa.float64()),
        ("harvest_share", pa.float64()),
        ("prompts", pa.int64()),
        ("harvest_prompts", pa.int64()),
        ("first_seen", _TIME),
        ("last_seen", _TIME),
        ("recommended", pa.bool_()),
        ("reasons", _TEXTS),
    ]
)
"""Columns of :func:`accounts_table`."""


def findings_table(detection: Detection) -> pa.Table:
    """A row for each finding, strongest first.

    Returns:
        The columns of :data:`FINDINGS`. Times are in UTC, and null without a time. ``templates`` are the fixed words
        of each template with ``{1}``, ``{2}`` and so on for its slots. ``recommended`` is the number of accounts that
        are recommended for action. ``status`` and ``verdict`` are null for a scan without a state, and ``orgs`` for a
        dump without organisations.
    """
    return _table(map(_of_finding, detection.findings), FINDINGS)


def accounts_table(detection: Detection) -> pa.Table:
    """A row for each finding and account, the findings strongest first, the members by falling membership.

    Returns:
        The columns of :data:`ACCOUNTS`. Times are in UTC, and null without a time.
    """
    rows = (_of_member(finding, member) for finding in detection.findings for member in finding.members)
    return _table(rows, ACCOUNTS)


def prompts_table(detection: Detection) -> pa.Table:
    """A row for each prompt that belongs to a finding, without its text.

    Returns:
        The columns of :data:`~harvestdetect.data.PROMPT_COLUMNS`: file, line and account say where the prompt is. The
        table is empty if the detection was read from JSON, which has no prompts.
    """
    return PROMPT_COLUMNS.empty_table() if detection.prompts is None else detection.prompts


def template_text(template: Template) -> str:
    """The fixed words of a template, with ``{1}``, ``{2}`` and so on for its slots."""
    slot, text = 0, ""
    for part in template.words:
        slot += part is None
        words = f"{{{slot}}}" if part is None else part
        text += words if not text or _NO_SPACE_BEFORE.match(words) else f" {words}"
    return text


def _table(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)


def _of_finding(finding: Finding) -> dict[str, Any]:
    plain = {name: getattr(finding, name) for name in FINDINGS.names if hasattr(finding, name)}
    standing = finding.standing
    return {
        **plain,
        "probability": _known(finding.probability),
        "q_value": _known(finding.q_value),
        "recommended": sum(member.recommended for member in finding.members),
        "first_seen": _milliseconds(finding.first_seen),
        "last_seen": _milliseconds(finding.last_seen),
        "active_days": active_days(finding) if finding.days else None,
        "templates": [template_text(template) for template in finding.templates],
        "status": None if standing is None else standing.status,
        "verdict": None if standing is None else standing.verdict or None,
    }


def _of_member(finding: Finding, member: Member) -> dict[str, Any]:
    return {
        **{name: getattr(member, name) for name in ACCOUNTS.names if hasattr(member, name)},
        "campaign_id": finding.campaign_id,
        "tier": finding.tier,
        "membership": _known(member.membership),
        "first_seen": _milliseconds(member.first_seen),
        "last_seen": _milliseconds(member.last_seen),
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _milliseconds(seconds: int | None) -> int | None:
    """A time in milliseconds; None without a time from 1970 to 9999, as in the table of prompts."""
    return None if seconds is None or not 0 <= seconds < YEAR_10000 else seconds * 1_000
