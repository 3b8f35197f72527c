"""What is said about the runs themselves, and the test of a channel, as each target wants it.

A *notice* is a record of plain values like that of a campaign (:mod:`harvestdetect.alerts.render`), with the kind
``operations`` or ``test``. Its texts may hold names of files, which an attacker may have written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from harvestdetect.alerts.render import (
    FACILITIES,
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
from harvestdetect.alerts.values import Condition, ConditionName
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

TRIAL_SUMMARY: Final = "This is a test of the alerts of harvestdetect. Nothing was found, and nothing is to be done."
_TITLES: Final[Mapping[ConditionName, str]] = {
    "run-failed": "Scan failed",
    "window-incomplete": "Window incomplete",
    "alerts-given-up": "Alerts given up",
}
_ENDED: Final[Mapping[ConditionName, str]] = {
    "run-failed": "Scans work again",
    "window-incomplete": "Window complete again",
    "alerts-given-up": "Alerts arrive again",
}
_TEST_TITLE: Final = "TEST of the alerts"
_SEVERITY: Final[Mapping[ConditionName, str]] = {
    "run-failed": "error", "window-incomplete": "warning", "alerts-given-up": "warning",
}  # fmt: skip
"""As PagerDuty names them."""
_SYSLOG_SEVERITY: Final = {"error": 3, "warning": 4, "info": 6}
_SYSLOG_ENDED: Final = 5
_SUBJECT: Final = "operations/"
_SUMMARY: Final = 1_000
_DETAIL: Final = 500
_DETAILS: Final = 20
_SLACK_TEXT: Final = 2_900
_PAGERDUTY_SUMMARY: Final = 1_024


def subject(name: ConditionName) -> str:
    """What stands for a condition where a campaign id stands for a campaign; no campaign id looks like it."""
    return f"{_SUBJECT}{name}"


def condition_of(text: str) -> str | None:
    """The reverse of :func:`subject`; None for a campaign id."""
    return text.removeprefix(_SUBJECT) if text.startswith(_SUBJECT) else None


def condition_record(
    condition: Condition, *, key: str, run: str | None, run_started: int, folder: str, report: str | None
) -> dict[str, Any]:
    """A condition as plain values.

    Args:
        condition: its texts are cut where they are very long.
        key: by which a receiver knows an alert that it got before.
        run: number of the run; None where it failed before it had one.
        run_started: Unix seconds.
        folder: of the state.
        report: address of the report of the run.
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
        "folder": shortened(folder.encode("utf-8", "backslashreplace").decode(), _DETAIL),
        "run": None if run is None else bounded_id(run),
        "run_started": iso_time(run_started),
        "report": report,
    }


def trial_record(*, key: str, now: int, report: str | None) -> dict[str, Any]:
    """What ``harvestdetect alerts test`` sends, as plain values."""
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


def _title(told: Mapping[str, Any]) -> str:
    if told["kind"] == "test":
        return _TEST_TITLE
    return (_ENDED if told["state"] == "ended" else _TITLES)[told["condition"]]


def notice_message(told: Mapping[str, Any]) -> dict[str, Any]:
    """A notice as a message of Slack."""
    title, summary = _title(told), mrkdwn(told["summary"], _SLACK_TEXT)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}},
        {"type": "section", "text": slack_text(summary)},
    ]
    if told["details"]:
        blocks.append({"type": "section", "text": slack_text(bullets(told["details"]))})
    last = [run_text(told), *slack_link(told["report"])]
    if told["folder"]:
        last.insert(0, f"state `{mrkdwn(told['folder'], 600)}`")
    blocks.append({"type": "context", "elements": [slack_text(text) for text in last]})
    return slack_frame(f"{title}: {summary}", blocks)


def notice_event(told: Mapping[str, Any], *, routing_key: str, closes: bool, now: float) -> dict[str, Any]:
    """A notice as an event of PagerDuty: one incident for each state and condition, one for each test."""
    if told["kind"] == "test":
        key = f"harvestdetect-test-{told['key'][:32]}"
    else:
        state = hashlib.sha256((told["folder"] or "").encode()).hexdigest()[:16]
        key = f"harvestdetect-{state}-{told['condition']}"
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "resolve" if closes else "trigger",
        "dedup_key": pagerduty_key(key),
    }
    if closes:
        return event
    event["payload"] = {
        "summary": shortened(visible(f"{_title(told)}: {told['summary']}"), _PAGERDUTY_SUMMARY),
        "source": "harvestdetect",
        "severity": told["severity"],
        "timestamp": iso(now),
        "class": told["condition"] or "test",
        "custom_details": {n: all_visible(v) for n, v in told.items() if n not in ("version", "summary")},
    }
    return event | pagerduty_link(told["report"])


def notice_line(
    told: Mapping[str, Any], *, facility: str, closes: bool, now: float, limit: int, local: bool = False
) -> bytes:
    """A notice as a message of syslog; arguments as of :func:`harvestdetect.alerts.render.syslog_message`."""
    severity = _SYSLOG_ENDED if closes else _SYSLOG_SEVERITY[told["severity"]]
    values = {
        "kind": told["kind"], "condition": told["condition"], "state": told["state"], "folder": told["folder"],
        "run": told["run"], "runStarted": told["run_started"], "report": told["report"], "key": told["key"],
    }  # fmt: skip
    text = " ".join([f"{_title(told)}:", told["summary"], *told["details"]])
    priority = FACILITIES.index(facility) * 8 + severity
    return syslog_line(text, values, kind=told["kind"], priority=priority, now=now, limit=limit, local=local)
