"""Combines several alerts of one run into one message for Slack, PagerDuty, syslog, a webhook or a command.

A digest is made when it is sent. Each alert keeps its own row in the outbox: it can be erased on its own, and its
delivery is recorded on its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from harvestdetect.alerts.render import (
    FACILITIES,
    PAGERDUTY_SEVERITY,
    PAGERDUTY_SUMMARY,
    SLACK_TEXT,
    SYSLOG_SEVERITY,
    TITLES,
    all_visible,
    iso,
    mrkdwn,
    pagerduty_key,
    pagerduty_link,
    run_text,
    shortened,
    slack_frame,
    slack_link,
    slack_text,
    syslog_line,
    told,
    utf16_units,
)
from harvestdetect.data import TIERS
from harvestdetect.report.format import count, plural
from harvestdetect.util.escape import json_text, visible

__all__ = ["digest_event", "digest_key", "digest_line", "digest_message", "digest_record", "digest_size"]

_MOST_ALERTS: Final = 50
"""Most alerts in a digest: Slack allows 50 blocks, PagerDuty 512 kB."""
_MOST_IN_SYSLOG: Final = 10
"""Most alerts in a digest for syslog, where a message has 2,048 bytes."""
_SUMMARY: Final = 300
"""Longest summary of a campaign, in characters."""
_CHANGES: Final = 3
"""Most sentences about the changes of a campaign."""
_CHANGE: Final = 200
"""Longest sentence about a change, in characters."""
_TITLE: Final = 160
"""Longest title of a finding, in characters."""
_DIGEST_EXCERPT: Final = 200
"""Longest excerpt of a template, in characters."""
_LINE: Final = 200
"""Longest summary in a line for Slack, in UTF-16 units."""
_PAGERDUTY_BYTES: Final = 400_000
"""Most bytes of the details of an event: PagerDuty allows 512 kB for the whole event."""
_SHORT: Final = ("campaign_id", "kind", "tier", "accounts", "new_accounts", "prompts", "first_seen", "last_seen")
"""Fields of a campaign that an event keeps if all fields would be too many bytes for PagerDuty."""
_SYSLOG_ID: Final = 40
"""Longest campaign id in a message for syslog, in characters."""
_LEFT_OUT: Final = ("version", "run", "run_started")
"""Fields of a campaign that the digest itself has."""


def digest_size(kind: str) -> int:
    """The most alerts in a digest.

    Args:
        kind: type of the channel, such as ``slack``.
    """
    return _MOST_IN_SYSLOG if kind == "syslog" else _MOST_ALERTS


def digest_key(channel: str, keys: Sequence[str]) -> str:
    """The idempotency key of a digest: the same for the same channel and alerts.

    Args:
        channel: name of the channel.
        keys: idempotency keys of the alerts, in any order.
    """
    return hashlib.sha256(json.dumps([channel, sorted(keys)]).encode()).hexdigest()


def digest_record(records: Sequence[Mapping[str, Any]], *, key: str, report: str | None) -> dict[str, Any]:
    """The record of a digest.

    Args:
        records: at least two, as :func:`harvestdetect.alerts.render.alert_record` gives them, in any order.
        key: idempotency key, see :func:`digest_key`.
        report: address of the report of the run.
    """
    ordered = sorted(records, key=lambda record: (record["kind"] == "resolved", TIERS.index(record["tier"])))
    newest = max(records, key=lambda record: str(record.get("run_started") or ""))
    standing = [record["tier"] for record in records if record["kind"] != "resolved"]
    tiers = {tier: standing.count(tier) for tier in TIERS}
    gone = len(records) - len(standing)
    parts = [f"{count(number)} {tier}" for tier, number in tiers.items() if number]
    parts += [f"{count(gone)} gone"] if gone else []
    return {
        "version": 1,
        "key": key,
        "kind": "digest",
        "tier": min(standing, key=TIERS.index, default="watch"),
        "tiers": tiers,
        "resolved": gone,
        "summary": f"{plural(len(records), 'campaign')}: {', '.join(parts)}.",
        "campaigns": [_entry(record) for record in ordered],
        "run": newest["run"],
        "run_started": newest.get("run_started"),
        "report": report,
    }


def _entry(record: Mapping[str, Any]) -> dict[str, Any]:
    entry = {name: value for name, value in record.items() if name not in _LEFT_OUT}
    entry["summary"] = shortened(record["summary"], _SUMMARY)
    entry["changes"] = [shortened(text, _CHANGE) for text in record["changes"][:_CHANGES]]
    if "title" in record:
        entry["title"] = shortened(record["title"], _TITLE)
    if "excerpt" in record:
        entry["excerpt"] = shortened(record["excerpt"], _DIGEST_EXCERPT)
    return entry


def digest_message(record: Mapping[str, Any]) -> dict[str, Any]:
    """A digest as a message for Slack, with a line for each campaign."""
    title = f"Campaigns: {record['summary'].partition(': ')[2].rstrip('.')}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}},
        {"type": "section", "text": slack_text(mrkdwn(record["summary"], SLACK_TEXT))},
    ]
    blocks += [{"type": "section", "text": slack_text(text)} for text in _sections(record["campaigns"])]
    last = [run_text(record), *slack_link(record["report"])]
    blocks.append({"type": "context", "elements": [slack_text(text) for text in last]})
    return slack_frame(f"{title}: {_names(record['campaigns'])}", blocks)


def _names(campaigns: Sequence[Mapping[str, Any]]) -> str:
    return mrkdwn(", ".join(entry["campaign_id"] for entry in campaigns), 1_000)


def _sections(campaigns: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    lines: list[str] = []
    size = 0
    for entry in campaigns:
        link = "".join(f" {text}" for text in slack_link(entry["report"]) if text.startswith("<"))
        line = (
            f"• *{'gone' if entry['kind'] == 'resolved' else entry['tier']}* `{mrkdwn(entry['campaign_id'], 250)}` "
            f"{TITLES[entry['kind']]}: {mrkdwn(told(entry), _LINE)}{link}"
        )
        if lines and size + utf16_units(line) + 1 > SLACK_TEXT:
            yield "\n".join(lines)
            lines, size = [], 0
        lines.append(line)
        size += utf16_units(line) + 1
    if lines:
        yield "\n".join(lines)


def digest_event(record: Mapping[str, Any], *, routing_key: str, now: float) -> dict[str, Any]:
    """A digest as an event for PagerDuty: one incident for all campaigns, with the key ``record["incident"]``."""
    event: dict[str, Any] = {
        "routing_key": routing_key, "event_action": "trigger", "dedup_key": pagerduty_key(record["incident"]),
    }  # fmt: skip
    hidden = ("version", "summary", "incident")
    details = {name: all_visible(value) for name, value in record.items() if name not in hidden}
    if len(json_text(details).encode()) > _PAGERDUTY_BYTES:
        details["campaigns"] = [{name: entry[name] for name in _SHORT} for entry in details["campaigns"]]
    event["payload"] = {
        "summary": shortened(visible(record["summary"]), PAGERDUTY_SUMMARY),
        "source": "harvestdetect",
        "severity": PAGERDUTY_SEVERITY[record["tier"]],
        "timestamp": iso(now),
        "class": "digest",
        "custom_details": details,
    }
    return event | pagerduty_link(record["report"])


def digest_line(record: Mapping[str, Any], *, facility: str, now: float, limit: int, local: bool = False) -> bytes:
    """A digest as a message for syslog; arguments as of :func:`harvestdetect.alerts.render.syslog_message`."""
    values = {
        "kind": "digest", **record["tiers"], "resolved": record["resolved"], "run": record["run"],
        "runStarted": record["run_started"], "report": record["report"], "key": record["key"],
    }  # fmt: skip
    campaigns = [
        f"{shortened(entry['campaign_id'], _SYSLOG_ID)} ({entry['tier']}, {entry['kind']}, "
        f"{plural(entry['accounts'], 'account')})"
        for entry in record["campaigns"]
    ]
    priority = FACILITIES.index(facility) * 8 + SYSLOG_SEVERITY[record["tier"]]
    text = f"{record['summary']} {'; '.join(campaigns)}"
    return syslog_line(text, values, kind="digest", priority=priority, now=now, limit=limit, local=local)
