"""Turns an alert on a campaign into a message for Slack, PagerDuty or syslog.

An attacker may have written any text in an alert. A *record* is the alert as plain values, with a limit on the length
of every text. The outbox stores the record, and webhooks and commands receive it. The other messages are made from it
when it is sent.
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
    "WORDED",
    "alert_record",
    "all_visible",
    "bounded_id",
    "bullets",
    "iso",
    "mrkdwn",
    "pagerduty_event",
    "pagerduty_key",
    "pagerduty_link",
    "run_text",
    "shortened",
    "slack_frame",
    "slack_link",
    "slack_message",
    "slack_text",
    "syslog_line",
    "syslog_message",
    "told",
    "utf16_units",
]

FACILITIES: Final = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("ntp", "audit", "alert", "clock"),
    *(f"local{i}" for i in range(8)),
)
"""Facilities of syslog; the index of each is its number in RFC 5424."""
TITLES: Final = {
    "new": "New campaign",
    "back": "Campaign is back",
    "changed": "Campaign changed",
    "standing": "Campaign is still active",
    "resolved": "Campaign is gone",
}
"""Title of an alert on a campaign, by kind."""
PAGERDUTY_SEVERITY: Final = {"urgent": "critical", "review": "warning", "watch": "info"}
"""Severity in PagerDuty, by tier."""
SYSLOG_SEVERITY: Final = {"urgent": 2, "review": 4, "watch": 5}
"""Severity in syslog (RFC 5424: critical, warning, notice), by tier."""
SYSLOG_CLOSED: Final = 5
"""Severity in syslog of a campaign that is gone: notice."""

SUMMARY: Final = 1_000
"""Longest summary in a record, in characters."""
CHANGES: Final = 20
"""Most sentences about changes in a record."""
CHANGE: Final = 300
"""Longest sentence about a change in a record, in characters."""
TARGETS: Final = 20
"""Most capability targets in a record."""
TARGET: Final = 100
"""Longest capability target in a record, in characters."""
WORDED: Final = ("title", "excerpt")
"""Fields of a record with words of prompts."""
TITLE: Final = 300
"""Longest title of a finding in a record, in characters."""
RECORD_EXCERPT: Final = 2_000
"""Longest excerpt of a template in a record, in characters."""
REPORT: Final = 1_000
"""Longest address of a report in a record, in characters."""
ID: Final = 200
"""Longest id in a record, in characters."""
SLACK_TEXT: Final = 2_900
"""Longest text of a message in Slack, in UTF-16 units. Slack allows 3,000 in a text object."""
PAGERDUTY_SUMMARY: Final = 1_024
"""Longest summary of an event, in characters (Events API v2)."""
PAGERDUTY_KEY: Final = 255
"""Longest key of an incident, in characters (Events API v2)."""
VALUE_BYTES: Final = 256
"""Longest parameter in the structured data of syslog, in bytes before quotes are escaped."""
LINK_BYTES: Final = 512
"""Longest address in the structured data of syslog, in bytes. An address has nothing to escape and is useless when
cut."""
SD_ID: Final = "harvestdetect@32473"
"""Id of the structured data of syslog, with the enterprise number that RFC 5612 reserves for examples."""

_URL: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:[/?#][A-Za-z0-9._~:/?#@!$&'()+,;=%-]*)?")
"""Addresses that may become links."""
_PLAIN: Final = re.compile(f"[!-~]{{1,{PAGERDUTY_KEY}}}")
"""Keys of incidents that PagerDuty accepts as they are."""
_CALL: Final = re.compile(r"@(?=channel|here|everyone)", re.IGNORECASE)
"""The @ of words that notify everybody in a channel of Slack."""
_SLACK: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "*": "∗", "~": "∼", "`": "ˋ"}
"""Replacement of characters that are markup in Slack."""


def bounded_id(text: str) -> str:
    """An id that the database and every destination accept: no lone surrogates, not too long, and still unique."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= ID else f"{text[: ID - 33]}~{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def alert_record(alert: Alert, *, key: str, include_text: bool) -> dict[str, Any]:
    """The record of an alert on a campaign.

    Args:
        alert: very long texts in it are cut.
        key: idempotency key, by which a receiver recognises an alert that it has already got.
        include_text: whether the record has the title of the finding and words of the template.
    """
    record = {
        "version": 1,
        "key": key,
        "campaign_id": bounded_id(alert.campaign_id),
        "kind": alert.kind,
        "tier": alert.tier,
        "previous_tier": alert.previous_tier,
        "probability": alert.probability,
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
    texts = {"title": shortened(alert.title, TITLE), "excerpt": shortened(alert.excerpt, RECORD_EXCERPT)}
    return record | {name: text for name, text in texts.items() if text and include_text}


# ---------------------------------------------------------------- Slack


def slack_message(record: Mapping[str, Any]) -> dict[str, Any]:
    """A message for an incoming webhook of Slack. Texts in it cannot notify people, link or format anything."""
    tier, before = record["tier"], record["previous_tier"]
    title = f"{TITLES[record['kind']]}: {f'{before} → {tier}' if before and before != tier else tier}"
    accounts = count(record["accounts"]) + (f" ({count(record['new_accounts'])} new)" if record["new_accounts"] else "")
    fields = [("Campaign", f"`{mrkdwn(record['campaign_id'], 500)}`"), ("Accounts", accounts)]
    fields += [("Prompts", count(record["prompts"])), ("Seen", _seen(record))]
    if record.get("probability"):
        fields.append(("Probability", mrkdwn(record["probability"], 100)))
    bold = f"*{mrkdwn(record['title'], TITLE)}*\n" if record.get("title") else ""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}},
        {"type": "section", "text": slack_text(f"{bold}{mrkdwn(record['summary'], SLACK_TEXT - 2 * TITLE)}")},
        {"type": "section", "fields": [slack_text(f"*{name}*\n{value}") for name, value in fields]},
    ]
    if record["changes"]:
        blocks.append({"type": "section", "text": slack_text(bullets(record["changes"]))})
    if record.get("excerpt"):
        blocks.append({"type": "section", "text": slack_text(f"```{mrkdwn(record['excerpt'], SLACK_TEXT - 6)}```")})
    last = [run_text(record), *slack_link(record["report"])]
    if record["capability_targets"]:
        last.insert(0, "capability targets: " + mrkdwn(", ".join(record["capability_targets"]), 1_000))
    blocks.append({"type": "context", "elements": [slack_text(text) for text in last]})
    return slack_frame(f"{title}: {mrkdwn(told(record), SLACK_TEXT)}", blocks)


def told(record: Mapping[str, Any]) -> str:
    """The title of a record, if it has one, and its summary."""
    return f"{record['title']}. {record['summary']}" if record.get("title") else str(record["summary"])


def run_text(record: Mapping[str, Any]) -> str:
    """The run of a record, for the last line of a message for Slack."""
    started = record.get("run_started")
    when = f" of {mrkdwn(str(started).replace('T', ' ').replace('Z', ' UTC'), 100)}" if started else ""
    return f"run{when}" if record["run"] is None else f"run `{mrkdwn(record['run'], 500)}`{when}"


def slack_link(report: str | None) -> list[str]:
    """The report as a link, or as text if its address is not a plain one; empty without a report."""
    if not report:
        return []
    shown = report.replace("&", "&amp;")
    return [f"<{shown}|report>" if _URL.fullmatch(report) else f"report `{mrkdwn(report, 1_000)}`"]


def slack_frame(text: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """A message for Slack that notifies nobody and unfurls nothing; ``text`` is what notifications show."""
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
    """A text object of Slack in which addresses do not become links."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def bullets(sentences: list[str]) -> str:
    """Sentences as a list that fits a section of Slack. A last line counts those that do not fit."""
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
    """A text as one line without markup for Slack.

    Args:
        text: any text.
        limit: most UTF-16 units of the result.
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
    """The length of a text as Slack counts it."""
    return len(text.encode("utf-16-le")) // 2


# ---------------------------------------------------------------- PagerDuty


def pagerduty_event(record: Mapping[str, Any], *, routing_key: str, closes: bool, now: float) -> dict[str, Any]:
    """An event for the Events API v2 of PagerDuty.

    Args:
        record: as :func:`alert_record` gives it.
        routing_key: key of the integration.
        closes: whether the campaign is gone or below the tier of the channel, so that its incident is resolved.
        now: Unix seconds.
    """
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "resolve" if closes else "trigger",
        "dedup_key": pagerduty_key(record.get("incident") or record["campaign_id"]),
    }
    if closes:
        return event
    hidden = ("version", "summary", "incident")
    details = {name: all_visible(value) for name, value in record.items() if name not in hidden}
    event["payload"] = {
        "summary": shortened(
            visible(f"{TITLES[record['kind']]} ({record['tier']}): {told(record)}"), PAGERDUTY_SUMMARY
        ),
        "source": "harvestdetect",
        "severity": PAGERDUTY_SEVERITY[record["tier"]],
        "timestamp": iso(now),
        "class": record["kind"],
        "custom_details": details,
    }
    return event | pagerduty_link(record["report"])


def pagerduty_key(text: str) -> str:
    """The key of an incident, in a form that PagerDuty accepts."""
    return text if _PLAIN.fullmatch(text) else f"sha256-{hashlib.sha256(text.encode()).hexdigest()}"


def pagerduty_link(report: str | None) -> dict[str, Any]:
    """The fields of an event that name this program and link the report."""
    event: dict[str, Any] = {"client": "harvestdetect"}
    if report and _URL.fullmatch(report):
        event |= {"client_url": report, "links": [{"href": report, "text": "report"}]}
    return event


def all_visible(value: Any) -> Any:
    """Plain values in which all control characters are replaced by visible ones."""
    if isinstance(value, dict):
        return {name: all_visible(one) for name, one in value.items()}
    if isinstance(value, list):
        return [all_visible(one) for one in value]
    return visible(value) if isinstance(value, str) else value


# ---------------------------------------------------------------- syslog


def syslog_message(
    record: Mapping[str, Any], *, facility: str, closes: bool, now: float, limit: int, local: bool = False
) -> bytes:
    """A message for syslog (RFC 5424) on one line.

    Args:
        record: as :func:`alert_record` gives it.
        facility: one of ``FACILITIES``.
        closes: whether the campaign is gone or below the tier of the channel.
        now: Unix seconds.
        limit: most bytes; the text at the end is cut.
        local: whether to write the head that daemons expect on a local socket, ``<PRI>TAG[PID]:``.
    """
    severity = SYSLOG_CLOSED if closes else SYSLOG_SEVERITY[record["tier"]]
    values = {
        "campaign": record["campaign_id"],
        "kind": record["kind"],
        "tier": record["tier"],
        "previousTier": record["previous_tier"],
        "probability": record.get("probability"),
        "accounts": record["accounts"],
        "newAccounts": record["new_accounts"],
        "prompts": record["prompts"],
        "firstSeen": record["first_seen"],
        "lastSeen": record["last_seen"],
        "run": record["run"],
        "runStarted": record.get("run_started"),
        "report": record["report"],
        "key": record["key"],
    }
    text = " ".join([f"{TITLES[record['kind']]}:", told(record), *record["changes"]])
    if record["capability_targets"]:
        text += f" Capability targets: {', '.join(record['capability_targets'])}."
    if record.get("excerpt"):
        text += f" Template: {record['excerpt']}"
    priority = FACILITIES.index(facility) * 8 + severity
    return syslog_line(text, values, kind=record["kind"], priority=priority, now=now, limit=limit, local=local)


def syslog_line(
    text: str, values: Mapping[str, Any], *, kind: str, priority: int, now: float, limit: int, local: bool
) -> bytes:
    """A message for syslog on one line.

    Args:
        text: the message. Its control characters are made visible, and its end is cut.
        values: parameters of the structured data, without those that are None.
        kind: the MSGID of RFC 5424.
        priority: facility and severity in one number.
        now: Unix seconds.
        limit: most bytes.
        local: whether to write the head that daemons expect on a local socket.
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
    """A parameter of structured data: cut to ``limit`` bytes, then with its quotes escaped."""
    return re.sub(r'(["\\\]])', r"\\\1", _utf8_head(visible(text), limit).decode())


def _utf8_head(text: str, limit: int) -> bytes:
    """A text as UTF-8, cut between two characters."""
    raw = text.encode()
    return raw if len(raw) <= limit else raw[:limit].decode(errors="ignore").encode()


def _host() -> str:
    return re.sub(r"[^!-~]", "", socket.gethostname())[:255] or "-"


# ---------------------------------------------------------------- small helpers


def shortened(text: str, limit: int) -> str:
    """A text cut to ``limit`` characters. A cut text ends with an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def iso(now: float) -> str:
    """Unix seconds as an ISO 8601 time in UTC, with milliseconds."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seen(record: Mapping[str, Any]) -> str:
    first, last = (str(record[name] or "").partition("T")[0] for name in ("first_seen", "last_seen"))
    return first if first == last and first else f"{first or '–'} – {last or '–'}" if first or last else "–"
