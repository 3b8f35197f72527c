"""OCSF 1.8: one detection finding (class 2004) for each campaign, as JSON Lines.

Fields of the standard have what it defines. Everything else, such as the ledger, is in ``unmapped``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from harvestdetect.data import Tier
from harvestdetect.export.atlas import TECHNIQUES
from harvestdetect.export.text import content_id, created_of, moment_of, networks, percent_of, plain
from harvestdetect.export.values import Account, Campaign, ExportOptions, Source
from harvestdetect.report.format import iso_time
from harvestdetect.util.escape import json_text

__all__ = ["ocsf"]

VERSION: Final = "1.8.0"
"""Version of OCSF."""
CLASS: Final = 2004
"""Number of the class Detection Finding."""
MILLISECONDS: Final = 1_000
"""Milliseconds in a second; times of OCSF are in milliseconds."""
SURE: Final = 0.9
"""Probability from which the confidence is high."""
LIKELY: Final = 0.5
"""Probability from which the confidence is medium."""
STATISTICAL: Final = 3
"""Number of the kind of analytic that compares statistics."""
SUBNET: Final = 12
"""Number of the kind of observable that is a subnet."""
CLIENT: Final = 16
"""Number of the kind of observable that is a user agent."""
SHARED: Final = "unmapped.shared_values"
"""The field of an event that has the observables with their figures."""
_SEVERITY: Final[Mapping[Tier, tuple[int, str]]] = {
    "urgent": (4, "High"),
    "review": (3, "Medium"),
    "watch": (2, "Low"),
}
"""Severity of each tier. None is critical, because nobody has looked at the finding yet."""


def ocsf(source: Source, options: ExportOptions) -> Iterator[str]:
    """A line for each finding.

    Args:
        source: findings, with what may be shown of them.
        options: the marking, the time without times, and the most accounts of an event.

    Raises:
        UsageError: a finding has no time.
    """
    for campaign in source.campaigns:
        yield json_text(_event(campaign, source, options)) + "\n"


def _event(campaign: Campaign, source: Source, options: ExportOptions) -> dict[str, Any]:
    moment = moment_of(campaign, source, options)
    activity, name = (1, "Create") if campaign.status in (None, "new") else (2, "Update")
    severity, severity_name = _SEVERITY[campaign.tier]
    members = sorted(campaign.members, key=lambda one: -one.membership)[: options.max_accounts]
    status, status_name = (3, "Suppressed") if campaign.benign else (1, "New")
    event: dict[str, Any] = {
        "activity_id": activity,
        "activity_name": name,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + activity,
        "type_name": f"Detection Finding: {name}",
        "time": moment * MILLISECONDS,
        "severity_id": severity,
        "severity": severity_name,
        "status_id": status,
        "status": status_name,
        "is_alert": campaign.tier != "watch" and not campaign.benign,
        "count": campaign.prompts,
        "message": plain(campaign.summary),
        **_confidence(campaign.probability),
        **_period(campaign),
        "metadata": _metadata(campaign, source, options, moment, truncated=len(members) < len(campaign.members)),
        "finding_info": _finding_info(campaign, moment),
        "evidences": [_evidence(one) for one in members],
        "observables": list(_observables(campaign)),
        "unmapped": _unmapped(campaign, shown=len(members)),
    }
    if campaign.verdict:
        event["comment"] = plain(campaign.verdict)
    return {key: value for key, value in event.items() if value != []}


def _confidence(probability: float) -> dict[str, Any]:
    percent = percent_of(probability)
    if percent is None:
        return {"confidence_id": 0, "confidence": "Unknown"}
    level = (3, "High") if probability >= SURE else (2, "Medium") if probability >= LIKELY else (1, "Low")
    return {"confidence_id": level[0], "confidence": level[1], "confidence_score": percent}


def _period(campaign: Campaign) -> dict[str, int]:
    times = {"start_time": campaign.first_seen, "end_time": campaign.last_seen}
    return {name: time * MILLISECONDS for name, time in times.items() if time is not None}


def _metadata(
    campaign: Campaign, source: Source, options: ExportOptions, moment: int, *, truncated: bool
) -> dict[str, Any]:
    product = {"name": "harvestdetect", "vendor_name": "harvestdetect"}
    if source.version:
        product["version"] = plain(source.version, 100)
    return {
        "version": VERSION,
        "product": product,
        "uid": content_id("ocsf", campaign.campaign_id, str(moment), str(campaign.prompts), str(campaign.accounts)),
        "labels": [f"tlp:{options.tlp}", *(f"mitre-atlas:{one.id}" for one in TECHNIQUES)],
        **({"is_truncated": True} if truncated else {}),
    }


def _finding_info(campaign: Campaign, moment: int) -> dict[str, Any]:
    times = {"first_seen_time": campaign.first_seen, "last_seen_time": campaign.last_seen}
    return {
        "uid": plain(campaign.campaign_id),
        "title": plain(campaign.title) or f"Suspected prompt harvesting by {campaign.accounts:,} accounts",
        "desc": plain(campaign.summary),
        "types": ["prompt harvesting"],
        "created_time": created_of(campaign, moment) * MILLISECONDS,
        "modified_time": moment * MILLISECONDS,
        **{name: time * MILLISECONDS for name, time in times.items() if time is not None},
        "analytic": {"name": "harvestdetect", "type_id": STATISTICAL, "type": "Statistical"},
        "attacks": [
            {
                "tactic": {"uid": one.tactic_id, "name": one.tactic},
                "technique": {"uid": one.parent_id, "name": one.parent},
                "sub_technique": {"uid": one.id, "name": one.name, "src_url": one.url},
            }
            for one in TECHNIQUES
        ],
    }


def _evidence(account: Account) -> dict[str, Any]:
    known = {
        "membership": _number(account.membership),
        "harvest_share": _number(account.harvest_share),
        "prompts": account.prompts,
        "harvest_prompts": account.harvest_prompts,
        "first_seen": iso_time(account.first_seen),
        "last_seen": iso_time(account.last_seen),
        "recommended": account.recommended,
        "attributed": account.attributed or None,
        "reasons": [plain(reason) for reason in account.reasons] or None,
    }
    return {
        "actor": {"user": {"uid": plain(account.name)}},
        "data": {name: value for name, value in known.items() if value is not None},
    }


def _observables(campaign: Campaign) -> Iterator[dict[str, Any]]:
    for network in networks(campaign):
        yield {"name": SHARED, "type_id": SUBNET, "type": "Subnet", "value": network}
    for shared in campaign.shared_values:
        if shared.field == "user_agent":
            yield {
                "name": SHARED,
                "type_id": CLIENT,
                "type": "HTTP User-Agent",
                "value": plain(shared.value),
            }


def _unmapped(campaign: Campaign, *, shown: int) -> dict[str, Any]:
    return {
        "tier": campaign.tier,
        "title": plain(campaign.title) or None,
        "status": campaign.status,
        "accounts": campaign.accounts,
        "accounts_left_out": len(campaign.members) - shown,
        "orgs": campaign.orgs,
        "probability": _number(campaign.probability),
        "score_bits": _number(campaign.score),
        "q_value": _number(campaign.q_value),
        "families": list(campaign.families),
        "ways": list(campaign.ways),
        "capability_targets": [plain(one) for one in campaign.capability_targets],
        "days": [{"day": plain(day, 20), "prompts": prompts} for day, prompts in campaign.days],
        "templates": _clean(campaign.templates),
        "ledger": _clean(campaign.ledger),
        "evidence": _clean(campaign.evidence),
        "benign_explanations": _clean(campaign.benign_explanations),
        "shared_values": _clean(campaign.shared_values),
    }


def _clean(value: Any) -> Any:
    """Plain values without invisible characters, and None in place of numbers that JSON cannot have."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {plain(str(key)): _clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    if isinstance(value, float):
        return _number(value)
    return value if isinstance(value, int | None) else _clean(msgspec.to_builtins(value))


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
