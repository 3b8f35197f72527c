"""Turns alerts about the runs themselves, and test alerts, into messages for Slack, PagerDuty or syslog.

A *notice* is a record like that of a campaign (:mod:`harvestdetect.alerts.render`), with the kind ``operations`` or
``test``. Its texts may contain file names, which an attacker may have chosen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from harvestdetect.alerts.render import (
    FACILITIES,
    PAGERDUTY_SUMMARY,
    SLACK_TEXT,
    all_visible,
    bounded_id,
    bullets,
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
)
from harvestdetect.alerts.values import Condition, ConditionName, RunInfo
from harvestdetect.report.format import iso_time
from harvestdetect.util.escape import visible

__all__ = [
    "TRIAL_SUMMARY",
    "condition_of",
    "condition_record",
    "notice_event",
    "notice_line",
    "notice_message",
    "subject",
    "trial_record",
]

TRIAL_SUMMARY: Final = "This is a test alert from harvestdetect. Nothing was found, and no action is needed."
"""Summary of a test alert."""
_BEGUN_TITLES: Final[Mapping[ConditionName, str]] = {
    "run-failed": "Scan failed",
    "window-incomplete": "Window incomplete",
    "alerts-given-up": "Alerts given up",
}
"""Title of an alert that a condition has begun."""
_ENDED_TITLES: Final[Mapping[ConditionName, str]] = {
    "run-failed": "Scans work again",
    "window-incomplete": "Window complete again",
    "alerts-given-up": "Alerts arrive again",
}
"""Title of an alert that a condition has ended."""
_TEST_TITLE: Final = "TEST of alerts"
"""Title of a test alert."""
_SEVERITY: Final[Mapping[ConditionName, str]] = {
    "run-failed": "error", "window-incomplete": "warning", "alerts-given-up": "warning",
}  # fmt: skip
"""Severity of a condition, in the words of PagerDuty."""
_SYSLOG_SEVERITY: Final = {"error": 3, "warning": 4, "info": 6}
"""Severity in syslog (RFC 5424), by severity in PagerDuty."""
_SYSLOG_ENDED: Final = 5
"""Severity in syslog of a condition that has ended: notice."""
_SUBJECT: Final = "operations/"
"""Prefix of the subject of a condition. No campaign id starts with it."""
_SUMMARY: Final = 1_000
"""Longest summary in a notice, in characters."""
_DETAIL: Final = 500
"""Longest detail in a notice, in characters."""
_DETAILS: Final = 20
"""Most details in a notice."""


def subject(name: ConditionName) -> str:
    """The subject of a condition: its id in the tables that have campaign ids. No campaign id looks like it."""
    return f"{_SUBJECT}{name}"


def condition_of(text: str) -> str | None:
    """The reverse of :func:`subject`; None for a campaign id."""
    return text.removeprefix(_SUBJECT) if text.startswith(_SUBJECT) else None


def condition_record(condition: Condition, *, key: str, info: RunInfo) -> dict[str, Any]:
    """The record of a condition.

    Args:
        condition: very long texts in it are cut.
        key: idempotency key, by which a receiver recognises an alert that it has already got.
        info: what the record says about the run.
    """
    return {
        "version": 1,
        "key": key,
        "kind": "operations",
        "condition": condition.name,
        "state": "standing" if condition.standing else "ended",
        "severity": _SEVERITY[condition.name],
        "summary": shortened(condition.summary, _SUMMARY),
        "details": [shortened(text, _DETAIL) for text in condition.details[:_DETAILS]],
        "folder": shortened(info.folder.encode("utf-8", "backslashreplace").decode(), _DETAIL),
        "run": None if info.run is None else bounded_id(info.run),
        "run_started": iso_time(info.started),
        "report": info.report,
    }


def trial_record(*, key: str, now: int, report: str | None) -> dict[str, Any]:
    """The record of a test alert, as ``harvestdetect alerts test`` sends it.

    Args:
        key: idempotency key.
        now: Unix seconds.
        report: address of a report, or None.
    """
    return {
        "version": 1,
        "key": key,
        "kind": "test",
        "condition": None,
        "state": "standing",
        "severity": "info",
        "summary": TRIAL_SUMMARY,
        "details": [],
        "folder": None,
        "run": None,
        "run_started": iso_time(now),
        "report": report,
    }


def _title(record: Mapping[str, Any]) -> str:
    if record["kind"] == "test":
        return _TEST_TITLE
    return (_ENDED_TITLES if record["state"] == "ended" else _BEGUN_TITLES)[record["condition"]]


def notice_message(record: Mapping[str, Any]) -> dict[str, Any]:
    """A notice as a message for Slack."""
    title, summary = _title(record), mrkdwn(record["summary"], SLACK_TEXT)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}},
        {"type": "section", "text": slack_text(summary)},
    ]
    if record["details"]:
        blocks.append({"type": "section", "text": slack_text(bullets(record["details"]))})
    last = [run_text(record), *slack_link(record["report"])]
    if record["folder"]:
        last.insert(0, f"state `{mrkdwn(record['folder'], 600)}`")
    blocks.append({"type": "context", "elements": [slack_text(text) for text in last]})
    return slack_frame(f"{title}: {summary}", blocks)


def notice_event(record: Mapping[str, Any], *, routing_key: str, closes: bool, now: float) -> dict[str, Any]:
    """A notice as an event for PagerDuty. Each state and condition has one incident, and so has each test."""
    if record["kind"] == "test":
        key = f"harvestdetect-test-{record['key'][:32]}"
    else:
        state = hashlib.sha256((record["folder"] or "").encode()).hexdigest()[:16]
        key = f"harvestdetect-{state}-{record['condition']}"
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "resolve" if closes else "trigger",
        "dedup_key": pagerduty_key(key),
    }
    if closes:
        return event
    event["payload"] = {
        "summary": shortened(visible(f"{_title(record)}: {record['summary']}"), PAGERDUTY_SUMMARY),
        "source": "harvestdetect",
        "severity": record["severity"],
        "timestamp": iso(now),
        "class": record["condition"] or "test",
        "custom_details": {n: all_visible(v) for n, v in record.items() if n not in ("version", "summary")},
    }
    return event | pagerduty_link(record["report"])


def notice_line(
    record: Mapping[str, Any], *, facility: str, closes: bool, now: float, limit: int, local: bool = False
) -> bytes:
    """A notice as a message for syslog; arguments as of :func:`harvestdetect.alerts.render.syslog_message`."""
    severity = _SYSLOG_ENDED if closes else _SYSLOG_SEVERITY[record["severity"]]
    values = {
        "kind": record["kind"], "condition": record["condition"], "state": record["state"], "folder": record["folder"],
        "run": record["run"], "runStarted": record["run_started"], "report": record["report"], "key": record["key"],
    }  # fmt: skip
    text = " ".join([f"{_title(record)}:", record["summary"], *record["details"]])
    priority = FACILITIES.index(facility) * 8 + severity
    return syslog_line(text, values, kind=record["kind"], priority=priority, now=now, limit=limit, local=local)
