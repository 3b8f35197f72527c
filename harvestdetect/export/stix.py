"""STIX 2.1: a bundle with a campaign for each finding, what was observed of it, and the reasons as a note.

There is no indicator: a scan knows the networks of a campaign and not the addresses, and others use these networks too.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any, Final

from harvestdetect.export.atlas import TECHNIQUES, Technique
from harvestdetect.export.reasons import reasons
from harvestdetect.export.text import (
    asn_of,
    content_id,
    created_of,
    moment_of,
    networks,
    percent_of,
    plain,
    stamp,
    titled,
)
from harvestdetect.export.values import TLP, Campaign, ExportOptions, Source
from harvestdetect.util.escape import json_text

__all__ = ["stix"]

OBSERVABLES: Final = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
"""Namespace of the ids of observables (STIX 2.1, section 2.9)."""
TLP_EXTENSION: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
"""Id of the extension that defines TLP 2.0 (OASIS, common objects of STIX)."""
MARKINGS: Final[dict[TLP, str]] = {
    "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "red": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
"""Ids of the markings of TLP 2.0 (OASIS, common objects of STIX)."""
MARKED: Final = "2022-10-01T00:00:00.000Z"
"""Time at which these markings were made."""
FIXED: Final = "2026-01-01T00:00:00.000Z"
"""Time of objects that never change: techniques and the sender."""
MOST_OBSERVED: Final = 999_999_999
"""Largest number of observations in one object (STIX 2.1, section 4.14)."""
NOTE: Final = 10_000
"""Most characters of a note."""
SUMMARY: Final = 2_000
"""Most characters of a description."""

Object = dict[str, Any]


def stix(source: Source, options: ExportOptions) -> Iterator[str]:
    """A bundle with all findings.

    Args:
        source: findings, with what may be shown of them.
        options: the marking, the sender, the time without times, and whether accounts are named.

    Raises:
        UsageError: a finding has no time.
    """
    sender = _sender(options)
    marking = _marking(options.tlp)
    objects: dict[str, Object] = {marking["id"]: marking}
    if source.campaigns:
        shared = [*([sender] if sender else []), *map(_technique, TECHNIQUES)]
        for one in (*shared, *_observed_of(source, options)):
            objects.setdefault(one["id"], one)
        for campaign in source.campaigns:
            for one in _campaign(campaign, source, options):
                objects.setdefault(one["id"], one)
    for one in objects.values():
        if one is not marking:
            one["object_marking_refs"] = [marking["id"]]
            if sender and one["id"] != sender["id"] and "created" in one:
                one["created_by_ref"] = sender["id"]
    content = json.dumps(list(objects.values()), sort_keys=True)
    bundle = {"type": "bundle", "id": f"bundle--{content_id('stix', content)}", "objects": list(objects.values())}
    yield json_text(bundle, indent=2) + "\n"


# ---------------------------------------------------------------- objects of all findings


def _marking(tlp: TLP) -> Object:
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": MARKINGS[tlp],
        "created": MARKED,
        "name": f"TLP:{tlp.upper()}",
        "extensions": {TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": tlp}},
    }


def _sender(options: ExportOptions) -> Object | None:
    reporter = options.reporter
    if not reporter.org:
        return None
    return {
        **_head("identity", content_id("identity", reporter.org), FIXED, FIXED),
        "name": plain(reporter.org),
        "identity_class": "organization",
        **({"contact_information": plain(reporter.contact)} if reporter.contact else {}),
    }


def _technique(technique: Technique) -> Object:
    return {
        **_head("attack-pattern", content_id("attack-pattern", technique.id), FIXED, FIXED),
        "name": technique.name,
        "external_references": [{"source_name": "mitre-atlas", "external_id": technique.id, "url": technique.url}],
        "kill_chain_phases": [{"kill_chain_name": "mitre-atlas", "phase_name": technique.tactic.lower()}],
    }


def _head(kind: str, identity: str, created: str, modified: str) -> Object:
    return {
        "type": kind,
        "spec_version": "2.1",
        "id": f"{kind}--{identity}",
        "created": created,
        "modified": modified,
    }


# ---------------------------------------------------------------- what was observed


def _observed_of(source: Source, options: ExportOptions) -> Iterator[Object]:
    for campaign in source.campaigns:
        yield from _observables(campaign, source, options)


def _observables(campaign: Campaign, source: Source, options: ExportOptions) -> Iterator[Object]:
    """The networks and operators that members share, and the accounts that the scan recommends for action."""
    if not source.pseudonyms:
        for network in networks(campaign):
            yield _observable("ipv6-addr" if ":" in network else "ipv4-addr", {"value": network})
        for shared in campaign.shared_values:
            number = asn_of(shared.value) if shared.field == "asn" else None
            if number is not None:
                yield _observable("autonomous-system", {"number": number})
    if "accounts" in options.reveal:
        for account in campaign.members:
            if account.recommended:
                yield _observable("user-account", {"user_id": plain(account.name)})


def _observable(kind: str, properties: Object) -> Object:
    """An observable, whose id depends on its properties (STIX 2.1, section 2.9; RFC 8785)."""
    text = json.dumps(properties, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {"type": kind, "spec_version": "2.1", "id": f"{kind}--{uuid.uuid5(OBSERVABLES, text)}", **properties}


# ---------------------------------------------------------------- a finding


def _campaign(campaign: Campaign, source: Source, options: ExportOptions) -> Iterator[Object]:
    moment = moment_of(campaign, source, options)
    first = created_of(campaign, moment)
    created, modified = stamp(first, milliseconds=True), stamp(moment, milliseconds=True)
    owner = options.reporter.org

    def head(kind: str, *parts: str) -> Object:
        return _head(kind, content_id(kind, owner, campaign.campaign_id, *parts), created, modified)

    def related(relation: str, target: str) -> Object:
        ends = {"relationship_type": relation, "source_ref": main["id"], "target_ref": target}
        return head("relationship", relation, target) | ends

    main = head("campaign") | _facts(campaign)
    yield main
    for technique in TECHNIQUES:
        yield related("uses", _technique(technique)["id"])
    text = reasons(campaign)
    if text:
        yield head("note") | {
            "abstract": f"Why {plain(campaign.campaign_id, 100)} was found",
            "content": "\n".join(text)[:NOTE],
            "object_refs": [main["id"]],
        }
    refs = sorted({one["id"] for one in _observables(campaign, source, options)})
    if refs:
        start = campaign.first_seen if campaign.first_seen is not None and campaign.first_seen <= moment else first
        seen = {"first_observed": stamp(max(start, 0), milliseconds=True), "last_observed": modified}
        observed = head("observed-data") | seen
        observed |= {"number_observed": max(1, min(campaign.prompts, MOST_OBSERVED)), "object_refs": refs}
        yield observed
        yield head("sighting") | {
            "sighting_of_ref": main["id"],
            "observed_data_refs": [observed["id"]],
            "first_seen": seen["first_observed"],
            "last_seen": modified,
        }


def _facts(campaign: Campaign) -> Object:
    """The properties of a campaign besides its id and times."""
    facts: Object = {
        "name": plain(campaign.campaign_id, 200),
        "description": plain(f"Suspected prompt harvesting. {titled(campaign)}", SUMMARY),
        "labels": [f"tier:{campaign.tier}", *(["verdict:benign"] if campaign.benign else [])],
    }
    for name, time in (("first_seen", campaign.first_seen), ("last_seen", campaign.last_seen)):
        if time is not None and time >= 0:
            facts[name] = stamp(time, milliseconds=True)
    if campaign.capability_targets:
        facts["objective"] = plain("What it asks for: " + ", ".join(campaign.capability_targets), SUMMARY)
    if (percent := percent_of(campaign.probability)) is not None:
        facts["confidence"] = percent
    templates = [
        {"source_name": "harvestdetect template", "external_id": plain(one.signature, 100), **_words(one.words)}
        for one in campaign.templates
    ]
    return facts | ({"external_references": templates} if templates else {})


def _words(words: tuple[str | None, ...]) -> Object:
    text = " ".join("…" if run is None else run for run in words)
    return {"description": plain(text, SUMMARY)} if text else {}
