"""An alert as each target wants it: everything in it may have been written by an attacker.

A *record* is the alert as plain values with bounds on every text. It is what the outbox keeps and what a webhook and a
command get; the other forms are made from it when it is sent.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from harvestdetect.alerts.values import Alert
from harvestdetect.report.format import count, iso_time
from harvestdetect.util.escape import cut, visible

__all__ = [
    "FACILITIES",
    "PAGERDUTY_SEVERITY",
    "SYSLOG_SEVERITY",
    "TITLES",
    "all_visible",
    "bounded_id",
    "bullets",
    "iso",
    "mrkdwn",
    "pagerduty_event",
    "pagerduty_key",
    "pagerduty_link",
    "record",
    "run_text",
    "shortened",
    "slack_frame",
    "slack_link",
    "slack_message",
    "slack_text",
    "syslog_line",
    "syslog_message",
    "utf16_units",
]

FACILITIES: Final = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("ntp", "audit", "alert", "clock"),
    *(f"local{i}" for i in range(8)),
)
"""By their numbers in RFC 5424."""
TITLES: Final = {
    "new": "New campaign",
    "back": "Campaign is back",
    "changed": "Campaign changed",
    "standing": "Campaign still stands",
    "resolved": "Campaign is gone",
}
"""Of an alert on a campaign, by its kind."""
PAGERDUTY_SEVERITY: Final = {"urgent": "critical", "review": "warning", "watch": "info"}
SYSLOG_SEVERITY: Final = {"urgent": 2, "review": 4, "watch": 5}
SYSLOG_CLOSED: Final = 5

SUMMARY: Final = 1_000
CHANGES: Final = 20
CHANGE: Final = 300
TARGETS: Final = 20
TARGET: Final = 100
EXCERPT: Final = 2_000
REPORT: Final = 1_000
ID: Final = 200
SLACK_TEXT: Final = 2_900
"""Of the 3,000 that a text object of Slack may have, in UTF-16 units."""
PAGERDUTY_SUMMARY: Final = 1_024
PAGERDUTY_KEY: Final = 255
VALUE_BYTES: Final = 256
"""Of a parameter of syslog's structured data at most, before its quotes are escaped."""
LINK_BYTES: Final = 512
"""The same of an address, which has nothing to escape and leads nowhere when it is cut."""
SD_ID: Final = "harvestdetect@32473"
"""The enterprise number that RFC 5612 sets aside; this program has none of its own."""

_URL: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:[/?#][A-Za-z0-9._~:/?#@!$&'()+,;=%-]*)?")
_PLAIN: Final = re.compile(f"[!-~]{{1,{PAGERDUTY_KEY}}}")
_CALL: Final = re.compile(r"@(?=channel|here|everyone)", re.IGNORECASE)
_SLACK: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "*": "∗", "~": "∼", "`": "ˋ"}


def bounded_id(text: str) -> str:
    """An id that a database and every target can hold: no lone surrogates, not too long, as distinct as it was."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= ID else f"{text[: ID - 33]}~{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def record(alert: Alert, *, key: str, include_text: bool) -> dict[str, Any]:
    """An alert as plain values.

    Args:
        alert: its texts are cut where they are very long.
        key: by which a receiver knows an alert that it got before.
        include_text: with the words of the template.
    """
    told = {
        "version": 1,
        "key": key,
        "campaign_id": bounded_id(alert.campaign_id),
        "kind": alert.kind,
        "tier": alert.tier,
        "previous_tier": alert.previous_tier,
        "accounts": alert.accounts,
        "new_accounts": alert.new_accounts,
        "prompts": alert.prompts,
        "first_seen": iso_time(alert.first_seen),
        "last_seen": iso_time(alert.last_seen),
        "summary": shortened(alert.summary, SUMMARY),
        "changes": [shortened(text, CHANGE) for text in alert.changes[:CHANGES]],
        "capability_targets": [shortened(text, TARGET) for text in alert.capability_targets[:TARGETS]],
        "run": bounded_id(alert.run),
        "run_started": iso_time(alert.run_started),
        "report": None if alert.report is None else shortened(alert.report, REPORT),
    }
    return told | {"excerpt": shortened(alert.excerpt, EXCERPT)} if include_text and alert.excerpt else told


# ---------------------------------------------------------------- Slack


def slack_message(told: Mapping[str, Any]) -> dict[str, Any]:
    """The message of an incoming webhook: nothing in it calls people, links, or formats but what is ours."""
    tier, before = told["tier"], told["previous_tier"]
    title = f"{TITLES[told['kind']]}: {f'{before} → {tier}' if before and before != tier else tier}"
    accounts = count(told["accounts"]) + (f" ({count(told['new_accounts'])} new)" if told["new_accounts"] else "")
    fields = [("Campaign", f"`{mrkdwn(told['campaign_id'], 500)}`"), ("Accounts", accounts)]
    fields += [("Prompts", count(told["prompts"])), ("Seen", _seen(told))]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}},
        {"type": "section", "text": slack_text(mrkdwn(told["summary"], SLACK_TEXT))},
        {"type": "section", "fields": [slack_text(f"*{name}*\n{value}") for name, value in fields]},
    ]
    if told["changes"]:
        blocks.append({"type": "section", "text": slack_text(bullets(told["changes"]))})
    if told.get("excerpt"):
        blocks.append({"type": "section", "text": slack_text(f"```{mrkdwn(told['excerpt'], SLACK_TEXT - 6)}```")})
    last = [run_text(told), *slack_link(told["report"])]
    if told["capability_targets"]:
        last.insert(0, "after " + mrkdwn(", ".join(told["capability_targets"]), 1_000))
    blocks.append({"type": "context", "elements": [slack_text(text) for text in last]})
    return slack_frame(f"{title}: {mrkdwn(told['summary'], SLACK_TEXT)}", blocks)


def run_text(told: Mapping[str, Any]) -> str:
    """The run of a record, for the last line of a message in Slack."""
    started = told.get("run_started")
    when = f" of {mrkdwn(str(started).replace('T', ' ').replace('Z', ' UTC'), 100)}" if started else ""
    return f"run{when}" if told["run"] is None else f"run `{mrkdwn(told['run'], 500)}`{when}"


def slack_link(report: str | None) -> list[str]:
    """The report as a link where it is a plain address, else as a text; empty where there is none."""
    if not report:
        return []
    shown = report.replace("&", "&amp;")
    return [f"<{shown}|report>" if _URL.fullmatch(report) else f"report `{mrkdwn(report, 1_000)}`"]


def slack_frame(text: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """A message in which nothing is called or unfurled; ``text`` is what notifications show."""
    return {
        "text": text,
        "blocks": blocks,
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def slack_text(text: str) -> dict[str, Any]:
    """A text object of Slack that makes no links of its own."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def bullets(sentences: list[str]) -> str:
    """Sentences as a list that fits a section of Slack; what does not fit is counted."""
    lines: list[str] = []
    size = 0
    for number, sentence in enumerate(sentences):
        line = f"• {mrkdwn(sentence, SLACK_TEXT // 2)}"
        size += utf16_units(line) + 1
        if size > SLACK_TEXT - 20:
            return "\n".join([*lines, f"• and {len(sentences) - number} more"])
        lines.append(line)
    return "\n".join(lines)


def mrkdwn(text: str, limit: int) -> str:
    """One line on which Slack sees no markup.

    Args:
        text: anything.
        limit: UTF-16 units of the answer.
    """
    shown = visible(cut(text, limit)[0])
    shown = _CALL.sub("@\u2060", shown).replace("://", ":\u2060//")
    out: list[str] = []
    size = 0
    for character in shown:
        piece = _SLACK.get(character, character)
        size += utf16_units(piece)
        if size > limit - 1:
            return "".join(out) + "…"
        out.append(piece)
    return "".join(out) + ("…" if len(text) > limit else "")


def utf16_units(text: str) -> int:
    """The length as Slack counts it."""
    return len(text.encode("utf-16-le")) // 2


# ---------------------------------------------------------------- PagerDuty


def pagerduty_event(told: Mapping[str, Any], *, routing_key: str, closes: bool, now: float) -> dict[str, Any]:
    """An event of the Events API v2.

    Args:
        told: the record.
        routing_key: of the integration.
        closes: the campaign is gone, or below what the channel hears of.
        now: Unix seconds.
    """
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "resolve" if closes else "trigger",
        "dedup_key": pagerduty_key(told.get("incident") or told["campaign_id"]),
    }
    if closes:
        return event
    hidden = ("version", "summary", "incident")
    details = {name: all_visible(value) for name, value in told.items() if name not in hidden}
    event["payload"] = {
        "summary": shortened(visible(f"{TITLES[told['kind']]} ({told['tier']}): {told['summary']}"), PAGERDUTY_SUMMARY),
        "source": "harvestdetect",
        "severity": PAGERDUTY_SEVERITY[told["tier"]],
        "timestamp": iso(now),
        "class": told["kind"],
        "custom_details": details,
    }
    return event | pagerduty_link(told["report"])


def pagerduty_key(text: str) -> str:
    """The key of an incident, as PagerDuty takes it."""
    return text if _PLAIN.fullmatch(text) else f"sha256-{hashlib.sha256(text.encode()).hexdigest()}"


def pagerduty_link(report: str | None) -> dict[str, Any]:
    """What an event says of the program that sent it and of the report."""
    event: dict[str, Any] = {"client": "harvestdetect"}
    if report and _URL.fullmatch(report):
        event |= {"client_url": report, "links": [{"href": report, "text": "report"}]}
    return event


def all_visible(value: Any) -> Any:
    """Plain values with all their texts made visible."""
    if isinstance(value, dict):
        return {name: all_visible(one) for name, one in value.items()}
    if isinstance(value, list):
        return [all_visible(one) for one in value]
    return visible(value) if isinstance(value, str) else value


# ---------------------------------------------------------------- syslog


def syslog_message(
    told: Mapping[str, Any], *, facility: str, closes: bool, now: float, limit: int, local: bool = False
) -> bytes:
    """A message of RFC 5424 on one line.

    Args:
        told: the record.
        facility: one of ``FACILITIES``.
        closes: the campaign is gone, or below what the channel hears of.
        now: Unix seconds.
        limit: bytes; the text at the end is cut.
        local: with the head that daemons expect on a local socket, ``<PRI>TAG[PID]:``.
    """
    severity = SYSLOG_CLOSED if closes else SYSLOG_SEVERITY[told["tier"]]
    values = {
        "campaign": told["campaign_id"],
        "kind": told["kind"],
        "tier": told["tier"],
        "previousTier": told["previous_tier"],
        "accounts": told["accounts"],
        "newAccounts": told["new_accounts"],
        "prompts": told["prompts"],
        "firstSeen": told["first_seen"],
        "lastSeen": told["last_seen"],
        "run": told["run"],
        "runStarted": told.get("run_started"),
        "report": told["report"],
        "key": told["key"],
    }
    text = " ".join([f"{TITLES[told['kind']]}:", told["summary"], *told["changes"]])
    if told["capability_targets"]:
        text += f" After: {', '.join(told['capability_targets'])}."
    if told.get("excerpt"):
        text += f" Template: {told['excerpt']}"
    priority = FACILITIES.index(facility) * 8 + severity
    return syslog_line(text, values, kind=told["kind"], priority=priority, now=now, limit=limit, local=local)


def syslog_line(
    text: str, values: Mapping[str, Any], *, kind: str, priority: int, now: float, limit: int, local: bool
) -> bytes:
    """A message of RFC 5424, or with the head of a local socket.

    Args:
        text: the message; it is made visible, and cut at the end.
        values: parameters of its structured data; those that are None are left out.
        kind: its id.
        priority: facility and severity in one number.
        now: Unix seconds.
        limit: bytes.
        local: with the head that daemons expect on a local socket.
    """
    pid = os.getpid()
    data = "".join(
        f' {name}="{_parameter(str(value), LINK_BYTES if _URL.fullmatch(str(value)) else VALUE_BYTES)}"'
        for name, value in values.items()
        if value is not None
    )
    start_of = f"<{priority}>harvestdetect[{pid}]: " if local else f"<{priority}>1 {iso(now)} {_host()} harvestdetect "
    head = start_of + (f"[{SD_ID}{data}] " if local else f"{pid} {kind} [{SD_ID}{data}] ")
    text = visible(text)
    if not text.isascii() and not local:
        head += "\ufeff"
    start = head.encode()
    return start + _utf8_head(text, max(0, limit - len(start)))


def _parameter(text: str, limit: int) -> str:
    """The value of a parameter of structured data, at most so many bytes before its quotes are escaped."""
    return re.sub(r'(["\\\]])', r"\\\1", _utf8_head(visible(text), limit).decode())


def _utf8_head(text: str, limit: int) -> bytes:
    """UTF-8, cut between two characters."""
    raw = text.encode()
    return raw if len(raw) <= limit else raw[:limit].decode(errors="ignore").encode()


def _host() -> str:
    return re.sub(r"[^!-~]", "", socket.gethostname())[:255] or "-"


# ---------------------------------------------------------------- small helpers


def shortened(text: str, limit: int) -> str:
    """A text of at most ``limit`` characters; an ellipsis ends one that was cut."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def iso(now: float) -> str:
    """Unix seconds as a time with milliseconds, in UTC."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seen(told: Mapping[str, Any]) -> str:
    first, last = (str(told[name] or "").partition("T")[0] for name in ("first_seen", "last_seen"))
    return first if first == last and first else f"{first or '–'} – {last or '–'}" if first or last else "–"
