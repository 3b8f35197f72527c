"""Several alerts of one run as one message, as each target wants it.

A digest is made when it is sent: each alert stays a row of its own in the outbox, is erased on its own, and is told on
its own when the digest arrived.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from harvestdetect.alerts.render import (
    FACILITIES,
    PAGERDUTY_SEVERITY,
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
    utf16_units,
)
from harvestdetect.data import TIERS
from harvestdetect.report.format import count, plural
from harvestdetect.util.escape import json_text, visible

__all__ = ["digest_event", "digest_key", "digest_line", "digest_message", "digest_record", "digest_size"]

_MOST: Final = 50
"""Alerts of a digest at most: Slack takes 50 blocks, PagerDuty 512 kB."""
_MOST_IN_SYSLOG: Final = 10
"""The same for syslog, where a message has 2,048 bytes."""
_SUMMARY: Final = 300
_CHANGES: Final = 3
_CHANGE: Final = 200
_EXCERPT: Final = 200
_LINE: Final = 200
"""UTF-16 units of a summary in a line of Slack."""
_SECTION: Final = 2_900
_PAGERDUTY_SUMMARY: Final = 1_024
_PAGERDUTY_BYTES: Final = 400_000
"""Of the details of an event: PagerDuty takes 512 kB."""
_SHORT: Final = ("campaign_id", "kind", "tier", "accounts", "new_accounts", "prompts", "first_seen", "last_seen")
"""What is kept of a campaign where more would be too much for PagerDuty."""
_SYSLOG_ID: Final = 40
_LEFT_OUT: Final = ("version", "run", "run_started")


def digest_size(kind: str) -> int:
    """How many alerts a digest for a channel of a kind holds at most."""
    return _MOST_IN_SYSLOG if kind == "syslog" else _MOST


def digest_key(channel: str, keys: Sequence[str]) -> str:
    """By which a receiver knows a digest of the same alerts that it got before."""
    return hashlib.sha256(json.dumps([channel, sorted(keys)]).encode()).hexdigest()


def digest_record(records: Sequence[Mapping[str, Any]], *, key: str, report: str | None) -> dict[str, Any]:
    """Several records of campaigns as one.

    Args:
        records: at least two, as :func:`harvestdetect.alerts.render.record` gives them; sorted by tier here.
        key: of :func:`digest_key`.
        report: address of the report of the run.
    """
    ordered = sorted(records, key=lambda told: (told["kind"] == "resolved", TIERS.index(told["tier"])))
    newest = max(records, key=lambda told: str(told.get("run_started") or ""))
    standing = [told["tier"] for told in records if told["kind"] != "resolved"]
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
        "campaigns": [_entry(told) for told in ordered],
        "run": newest["run"],
        "run_started": newest.get("run_started"),
        "report": report,
    }


def _entry(told: Mapping[str, Any]) -> dict[str, Any]:
    entry = {name: value for name, value in told.items() if name not in _LEFT_OUT}
    entry["summary"] = shortened(told["summary"], _SUMMARY)
    entry["changes"] = [shortened(text, _CHANGE) for text in told["changes"][:_CHANGES]]
    if "excerpt" in told:
        entry["excerpt"] = shortened(told["excerpt"], _EXCERPT)
    return entry


def digest_message(told: Mapping[str, Any]) -> dict[str, Any]:
    """A digest as a message of Slack: a line for each campaign."""
    title = f"Campaigns: {told['summary'].partition(': ')[2].rstrip('.')}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}},
        {"type": "section", "text": slack_text(mrkdwn(told["summary"], _SECTION))},
    ]
    blocks += [{"type": "section", "text": slack_text(text)} for text in _sections(told["campaigns"])]
    last = [run_text(told), *slack_link(told["report"])]
    blocks.append({"type": "context", "elements": [slack_text(text) for text in last]})
    return slack_frame(f"{title}: {_names(told['campaigns'])}", blocks)


def _names(campaigns: Sequence[Mapping[str, Any]]) -> str:
    return mrkdwn(", ".join(entry["campaign_id"] for entry in campaigns), 1_000)


def _sections(campaigns: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    lines: list[str] = []
    size = 0
    for entry in campaigns:
        link = "".join(f" {text}" for text in slack_link(entry["report"]) if text.startswith("<"))
        line = (
            f"• *{'gone' if entry['kind'] == 'resolved' else entry['tier']}* `{mrkdwn(entry['campaign_id'], 250)}` "
            f"{TITLES[entry['kind']]}: {mrkdwn(entry['summary'], _LINE)}{link}"
        )
        if lines and size + utf16_units(line) + 1 > _SECTION:
            yield "\n".join(lines)
            lines, size = [], 0
        lines.append(line)
        size += utf16_units(line) + 1
    if lines:
        yield "\n".join(lines)


def digest_event(told: Mapping[str, Any], *, routing_key: str, now: float) -> dict[str, Any]:
    """A digest as an event of PagerDuty: one incident for all its campaigns, under ``told["incident"]``."""
    event: dict[str, Any] = {
        "routing_key": routing_key, "event_action": "trigger", "dedup_key": pagerduty_key(told["incident"]),
    }  # fmt: skip
    hidden = ("version", "summary", "incident")
    details = {name: all_visible(value) for name, value in told.items() if name not in hidden}
    if len(json_text(details).encode()) > _PAGERDUTY_BYTES:
        details["campaigns"] = [{name: entry[name] for name in _SHORT} for entry in details["campaigns"]]
    event["payload"] = {
        "summary": shortened(visible(told["summary"]), _PAGERDUTY_SUMMARY),
        "source": "harvestdetect",
        "severity": PAGERDUTY_SEVERITY[told["tier"]],
        "timestamp": iso(now),
        "class": "digest",
        "custom_details": details,
    }
    return event | pagerduty_link(told["report"])


def digest_line(told: Mapping[str, Any], *, facility: str, now: float, limit: int, local: bool = False) -> bytes:
    """A digest as a message of syslog; arguments as of :func:`harvestdetect.alerts.render.syslog_message`."""
    values = {
        "kind": "digest", **told["tiers"], "resolved": told["resolved"], "run": told["run"],
        "runStarted": told["run_started"], "report": told["report"], "key": told["key"],
    }  # fmt: skip
    campaigns = [
        f"{shortened(entry['campaign_id'], _SYSLOG_ID)} ({entry['tier']}, {entry['kind']}, "
        f"{plural(entry['accounts'], 'account')})"
        for entry in told["campaigns"]
    ]
    priority = FACILITIES.index(facility) * 8 + SYSLOG_SEVERITY[told["tier"]]
    text = f"{told['summary']} {'; '.join(campaigns)}"
    return syslog_line(text, values, kind="digest", priority=priority, now=now, limit=limit, local=local)
