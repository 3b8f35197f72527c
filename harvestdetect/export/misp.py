"""MISP: one event with the networks, templates and figures of all findings.

No attribute is marked for detection (``to_ids``): others use these networks too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from harvestdetect.data import TIERS
from harvestdetect.errors import UsageError
from harvestdetect.export.atlas import TECHNIQUES
from harvestdetect.export.reasons import reasons
from harvestdetect.export.text import asn_of, content_id, day_of, moment_of, networks, percent_of, plain, titled
from harvestdetect.export.values import Campaign, ExportOptions, Source
from harvestdetect.util.escape import json_text

__all__ = ["misp"]

VALUE: Final = 10_000
"""Most characters of a value."""
COMMENT: Final = 1_000
"""Most characters of a comment."""
INFO: Final = 500
"""Most characters of the title of an event."""
PROMPT_TEMPLATE: Final = ("ai-chat-prompt", "a78f4156-0bb7-405c-aa25-ba16a73f68e4", "2")
"""Name, UUID and version of the object template of a prompt (MISP objects)."""
ACCOUNT_TEMPLATE: Final = ("user-account", "49606b06-22f0-4ac8-8eee-2f12ad46f3d3", "6")
"""Name, UUID and version of the object template of an account (MISP objects)."""

Part = dict[str, Any]


def misp(source: Source, options: ExportOptions) -> Iterator[str]:
    """The event.

    Args:
        source: findings, with what may be shown of them.
        options: the marking, the sender, the time without times, and whether accounts are named.

    Raises:
        UsageError: a finding has no time.
    """
    moments = {one.campaign_id: moment_of(one, source, options) for one in source.campaigns}
    moment = max(moments.values(), default=source.last_seen if source.last_seen is not None else options.time)
    if moment is None or moment < 0:
        raise UsageError("an event needs a time, and the folder has none; give --time, such as 2026-06-30T00:00:00Z")
    attributes: dict[str, Part] = {}
    objects: dict[str, Part] = {}
    for campaign in source.campaigns:
        at = str(moments[campaign.campaign_id])
        for part in _attributes(campaign, source, at):
            if part["value"].strip():  # MISP has no empty values
                attributes.setdefault(part["uuid"], part)
        for part in _objects(campaign, options, at):
            objects.setdefault(part["uuid"], part)
    tiers = [TIERS.index(one.tier) for one in source.campaigns]
    event: Part = {
        "uuid": content_id("misp", options.reporter.org, *sorted(moments)),
        "info": _info(source),
        "date": day_of(moment),
        "timestamp": str(moment),
        "threat_level_id": str(min(tiers) + 1) if tiers else "4",
        "analysis": "0",
        "distribution": "0",
        "published": False,
        "Tag": [{"name": f"tlp:{options.tlp}"}, *({"name": f'mitre-atlas:technique="{one.id}"'} for one in TECHNIQUES)],
        "Attribute": list(attributes.values()),
        "Object": list(objects.values()),
    }
    if options.reporter.org:
        name = plain(options.reporter.org)
        event["Orgc"] = {"name": name, "uuid": content_id("org", options.reporter.org)}
    yield json_text({"Event": event}, indent=2) + "\n"


def _info(source: Source) -> str:
    if len(source.campaigns) == 1:
        one = source.campaigns[0]
        said = f"; {one.title}" if one.title else ""
        return plain(f"Suspected prompt harvesting: {one.campaign_id}, {one.accounts:,} accounts{said}", INFO)
    return f"Suspected prompt harvesting: {len(source.campaigns):,} campaigns"


def _attributes(campaign: Campaign, source: Source, at: str) -> Iterator[Part]:
    name = plain(campaign.campaign_id, 200)

    def attribute(kind: str, category: str, value: str, comment: str, *, correlates: bool = True) -> Part:
        return {
            "uuid": content_id("attribute", campaign.campaign_id, kind, value, comment),
            "type": kind,
            "category": category,
            "value": plain(value, VALUE),
            "comment": plain(comment, COMMENT),
            "timestamp": at,
            "to_ids": False,
            "disable_correlation": not correlates,
            "distribution": "5",
        }

    percent = percent_of(campaign.probability)
    judged = f"tier {campaign.tier}" + ("" if percent is None else f", probability {percent} %")
    judged += "; judged benign" if campaign.benign else ""
    yield attribute("campaign-id", "Attribution", campaign.campaign_id, f"{judged}. {titled(campaign)}")
    if not source.pseudonyms:
        for network, shared in networks(campaign).items():
            said = f"{name}: {shared.members:,} of {shared.known:,} members; {shared.accounts:,} accounts in all"
            yield attribute("ip-src", "Network activity", network, said)
        for shared in campaign.shared_values:
            said = f"{name}: {shared.members:,} of {shared.known:,} members; {shared.accounts:,} accounts in all"
            number = asn_of(shared.value)
            if shared.field == "asn" and number is not None:
                yield attribute("AS", "Network activity", str(number), said)
            elif shared.field == "user_agent":
                yield attribute("user-agent", "Network activity", shared.value, said, correlates=False)
    for template in campaign.templates:
        said = f"{name}: signature of template {template.template_id}, the same in every scan by harvestdetect"
        yield attribute("text", "Other", template.signature, said)
    text = "\n".join(reasons(campaign))
    if text:
        part = attribute("comment", "Other", "", f"{name}: why it was found", correlates=False)
        yield part | {"value": text[:VALUE]}


def _objects(campaign: Campaign, options: ExportOptions, at: str) -> Iterator[Part]:
    """The templates, if their words are revealed, and the accounts recommended for action, if they are revealed."""
    name = plain(campaign.campaign_id, 200)
    for template in campaign.templates:
        texts = [" ".join("…" if run is None else run for run in template.words), *template.examples]
        texts = [text for text in dict.fromkeys(plain(text, VALUE) for text in texts) if text.strip()]
        if texts:
            values = [("prompt", "text", text) for text in texts] + [("role", "text", "user")]
            said = f"{name}: template {template.template_id}; the first text has … for its slots"
            yield _object(PROMPT_TEMPLATE, values, said, at)
    if "accounts" in options.reveal:
        for account in campaign.members:
            if account.recommended and account.name.strip():
                said = f"{name}: membership {account.membership:.2f}"
                yield _object(ACCOUNT_TEMPLATE, [("user-id", "text", plain(account.name, VALUE))], said, at)


def _object(template: tuple[str, str, str], values: list[tuple[str, str, str]], comment: str, at: str) -> Part:
    name, identity, version = template
    own = content_id("object", name, comment, json.dumps(values))
    return {
        "uuid": own,
        "name": name,
        "meta-category": "misc",
        "template_uuid": identity,
        "template_version": version,
        "comment": plain(comment, COMMENT),
        "timestamp": at,
        "distribution": "5",
        "Attribute": [
            {
                "uuid": content_id("object attribute", own, relation, value),
                "object_relation": relation,
                "type": kind,
                "category": "Other",
                "value": value,
                "timestamp": at,
                "to_ids": False,
                "disable_correlation": True,
                "distribution": "5",
            }
            for relation, kind, value in values
        ],
    }
