"""Ids, times and texts as the formats need them. The same input gives the same output, whatever the clock says."""

from __future__ import annotations

import ipaddress
import math
import re
import uuid
from datetime import UTC, datetime
from typing import Final

from harvestdetect.data import YEAR_10000, SharedValue
from harvestdetect.errors import UsageError
from harvestdetect.export.values import Campaign, ExportOptions, Source
from harvestdetect.util.escape import visible

__all__ = [
    "asn_of",
    "content_id",
    "created_of",
    "day_of",
    "moment_of",
    "network_of",
    "networks",
    "percent_of",
    "plain",
    "stamp",
    "titled",
]

NAMESPACE: Final = uuid.UUID("5a2e3c1c-9f0e-5b0f-8f3a-7f1a3f6d2b90")
"""Namespace of the ids (UUID version 5, RFC 9562)."""
_MASKED: Final = re.compile(r"((?:\d{1,3}\.){3})\*|((?:[0-9a-f]{1,4}:){3})\*")
"""A masked address: the first three bytes of IPv4, or the first three groups of IPv6."""
_ASN: Final = re.compile(r"(?:AS)?(\d{1,10})", re.IGNORECASE)
"""The number of an autonomous system."""


def content_id(*parts: str) -> str:
    """A UUID that depends on some texts alone."""
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    return str(uuid.uuid5(NAMESPACE, joined.encode("utf-8", "surrogatepass").hex()))


def asn_of(value: str) -> int | None:
    """The number of an autonomous system, such as ``AS64500``; None if the text is none."""
    match = _ASN.fullmatch(value)
    return None if match is None else int(match[1])


def plain(text: str, limit: int | None = None) -> str:
    """A text on one line without invisible characters: each is shown as ``⟨U+202E⟩``.

    Args:
        text: any text.
        limit: most characters of the result. What is too long ends with ``…``.
    """
    if limit is not None:
        text = text[: limit + 1]
    shown = visible(text)
    return shown if limit is None or len(shown) <= limit else shown[: limit - 1] + "…"


def titled(campaign: Campaign) -> str:
    """The title and the summary of a finding; the summary alone if no title is shown."""
    return f"{campaign.title}. {campaign.summary}" if campaign.title else campaign.summary


def moment_of(campaign: Campaign, source: Source, options: ExportOptions) -> int:
    """The time of a finding in Unix seconds: its last prompt, else the last of the scan, else the one that was given.

    Raises:
        UsageError: there is none.
    """
    for time in (campaign.last_seen, source.last_seen, options.time):
        if time is not None and 0 <= time < YEAR_10000:
            return time
    raise UsageError(
        f"the scan has no times, and this format needs one for {plain(campaign.campaign_id, 80)}; give --time, such as "
        "--time 2026-06-30T00:00:00Z"
    )


def created_of(campaign: Campaign, moment: int) -> int:
    """The time from which a campaign is known in Unix seconds, and not after ``moment``."""
    known = [t for t in (campaign.detected, campaign.first_seen) if t is not None and 0 <= t <= moment]
    return known[0] if known else moment


def stamp(seconds: int, *, milliseconds: bool = False) -> str:
    """A time such as ``2026-03-01T12:00:00Z``, or with ``.000`` before the Z."""
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.000Z" if milliseconds else f"{text}Z"


def day_of(seconds: int) -> str:
    """A day such as ``2026-03-01``."""
    return stamp(seconds)[:10]


def percent_of(probability: float) -> int | None:
    """A probability as 1 to 99, because none is certain; None if it is unknown."""
    return None if math.isnan(probability) else max(1, min(99, round(100 * probability)))


def network_of(shared: SharedValue) -> str | None:
    """The network of a masked address in CIDR notation: ``203.0.113.0/24`` or ``2001:db8:1::/48``.

    None if the value is no masked address.
    """
    match = _MASKED.fullmatch(shared.value) if shared.field in ("ip", "network") else None
    if match is None:
        return None
    try:
        if match[1]:
            return str(ipaddress.IPv4Network(f"{match[1]}0/24"))
        return str(ipaddress.IPv6Network(f"{match[2]}:/48"))
    except ValueError:
        return None


def networks(campaign: Campaign) -> dict[str, SharedValue]:
    """The networks that members share, in CIDR notation, with the value that most of them have; the most shared first.

    Several addresses of one network are one entry.
    """
    found: dict[str, SharedValue] = {}
    for shared in campaign.shared_values:
        network = network_of(shared)
        if network is not None and (network not in found or shared.members > found[network].members):
            found[network] = shared
    return dict(sorted(found.items(), key=lambda item: (-item[1].members, item[0])))
