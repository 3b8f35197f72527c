"""XARF 4: an abuse report (``connection/scraping``) for each campaign and network, as JSON Lines.

A report goes to whoever operates the network, so it names no account and quotes no prompt.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Iterator
from typing import Any, Final

from harvestdetect.data import SharedValue
from harvestdetect.errors import UsageError
from harvestdetect.export.atlas import TECHNIQUES
from harvestdetect.export.text import content_id, moment_of, networks, percent_of, plain, stamp
from harvestdetect.export.values import Campaign, ExportOptions, Reporter, Source
from harvestdetect.report.format import plural
from harvestdetect.util.escape import json_text

__all__ = ["unreported", "xarf"]

VERSION: Final = "4.2.0"
"""Version of XARF."""
DESCRIPTION: Final = 1_000
"""Most characters of a description."""
ORGANISATION: Final = 200
"""Most characters of the name of an organisation."""
USER_AGENT: Final = 300
"""Most characters of a client."""
_MAIL: Final = re.compile(r"[^\s@]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
"""An e-mail address."""
_DOMAIN: Final = re.compile(r"(?=.{1,253}\Z)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
"""A name of a host with a dot."""
_TAG: Final = re.compile(r"[a-z0-9][a-z0-9_+-]*")
"""What may stand behind the colon of a tag."""


def xarf(source: Source, options: ExportOptions) -> Iterator[str]:
    """A line for each report.

    Args:
        source: findings.
        options: the sender, the marking, the time without times and the address of a relay.

    Raises:
        UsageError: the sender is not known, the addresses are pseudonyms, a finding has no time, or no network has the
            address of the relay.
    """
    contact = _contact(options.reporter)
    if source.pseudonyms:
        raise UsageError("xarf names networks, and the scan replaced addresses by pseudonyms; no host can act on these")
    if source.kind == "state":
        raise UsageError("xarf names networks, which a state does not keep; export the folder that scan --out named")
    written = 0
    for campaign in source.campaigns:
        if campaign.benign:
            continue
        for network, shared in networks(campaign).items():
            identifier = _identifier(network, options.relay)
            if identifier is not None:
                written += 1
                yield json_text(_report(campaign, source, options, contact, identifier, shared)) + "\n"
    if options.relay and not written:
        raise UsageError(
            f"no exported finding has {plain(options.relay, 80)!a} in a network that its members share; the report of "
            "the scan lists these networks"
        )


def unreported(source: Source) -> list[str]:
    """Why findings have no report, and which reports nobody can act on, a sentence each."""
    benign = sum(one.benign for one in source.campaigns)
    found = [networks(one) for one in source.campaigns if not one.benign]
    private = sum(not ipaddress.ip_network(network).is_global for one in found for network in one)
    told = []
    if benign:
        told.append(f"{plural(benign, 'finding')} without a report: judged benign")
    if nowhere := sum(not one for one in found):
        told.append(f"{plural(nowhere, 'finding')} without a report: their members share no network")
    if private:
        told.append(f"{plural(private, 'report')} on networks that are not public addresses; no host can act on them")
    return told


def _contact(reporter: Reporter) -> dict[str, str]:
    """The sender of a report.

    Raises:
        UsageError: a part is missing or malformed.
    """
    if not reporter.org or not reporter.contact:
        missing = "--reporter-org" if not reporter.org else "--reporter-contact"
        raise UsageError(
            f"an abuse report needs its sender, and {missing} is missing; give --reporter-org NAME and "
            "--reporter-contact ADDRESS"
        )
    if not _MAIL.fullmatch(reporter.contact):
        raise UsageError(f"--reporter-contact must be an e-mail address, got {plain(reporter.contact, 80)!a}")
    domain = reporter.domain or reporter.contact.rpartition("@")[2]
    if not _DOMAIN.fullmatch(domain):
        raise UsageError(f"--reporter-domain must be a domain such as example.com, got {plain(domain, 80)!a}")
    return {"org": plain(reporter.org, ORGANISATION), "contact": reporter.contact, "domain": domain}


def _identifier(network: str, relay: str) -> str | None:
    """The source of a report: a network, or the address of a relay in it; None if the relay is elsewhere.

    Raises:
        UsageError: the relay is no address.
    """
    if not relay:
        return network
    try:
        address = ipaddress.ip_address(relay)
    except ValueError:
        raise UsageError(f"--relay must be an IP address, got {plain(relay, 80)!a}") from None
    return str(address) if address in ipaddress.ip_network(network) else None


def _report(
    campaign: Campaign,
    source: Source,
    options: ExportOptions,
    contact: dict[str, str],
    identifier: str,
    shared: SharedValue,
) -> dict[str, Any]:
    last = moment_of(campaign, source, options)
    first = campaign.first_seen if campaign.first_seen is not None and 0 <= campaign.first_seen <= last else last
    text = _description(campaign, shared, first, last)
    client = next((one for one in campaign.shared_values if one.field == "user_agent"), None)
    # There is no confidence: the schema wants a number from 0 to 1, and the reference parser takes only whole ones.
    known = {}
    if client is not None and 2 * client.members >= client.known:
        known["user_agent"] = plain(client.value, USER_AGENT)
    return {
        "xarf_version": VERSION,
        "report_id": content_id("xarf", contact["org"], campaign.campaign_id, identifier, str(last)),
        "timestamp": stamp(last),
        "reporter": contact,
        "sender": contact,
        "source_identifier": identifier,
        "category": "connection",
        "type": "scraping",
        "protocol": "tcp",
        "first_seen": stamp(first),
        "last_seen": stamp(last),
        "total_requests": max(campaign.prompts, 1),
        "scraping_pattern": "api_harvesting",
        "target_content": "api_data",
        "evidence_source": "traffic_analysis",
        "evidence": [_evidence(text)],
        "description": text,
        "tags": list(_tags(campaign, options)),
        **known,
    }


def _description(campaign: Campaign, shared: SharedValue, first: int, last: int) -> str:
    percent = percent_of(campaign.probability)
    likely = "" if percent is None else f", with an estimated probability of {percent} %"
    sentences = (
        "Suspected coordinated harvesting of answers of a language model (model extraction) through an API.",
        f"{shared.members:,} of {shared.known:,} accounts of the campaign used this network;",
        f"so did {shared.accounts:,} of {shared.population:,} accounts with a known address in all.",
        f"The whole campaign sent {campaign.prompts:,} requests from {campaign.accounts:,} accounts between",
        f"{stamp(first)} and {stamp(last)}; total_requests counts these, because requests are not counted by network.",
        *([f"The prompts: {campaign.title}."] if campaign.title else []),
        f"The finding is statistical{likely}. Please check which customer uses the network as a relay;",
        "other customers may be innocent.",
    )
    return plain(" ".join(sentences), DESCRIPTION)


def _evidence(text: str) -> dict[str, Any]:
    data = text.encode()
    return {
        "content_type": "text/plain",
        "description": "Summary of the traffic analysis",
        "payload": base64.b64encode(data).decode("ascii"),
        "hash": f"sha256:{hashlib.sha256(data).hexdigest()}",
        "size": len(data),
    }


def _tags(campaign: Campaign, options: ExportOptions) -> Iterator[str]:
    yield f"tlp:{options.tlp}"
    name = campaign.campaign_id
    yield f"campaign:{name if _TAG.fullmatch(name) else content_id(name)}"
    for technique in TECHNIQUES:
        yield f"mitre-atlas:{technique.id.lower().replace('.', '-')}"
