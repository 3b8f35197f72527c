"""What each kind of destination is sent: webhooks, Slack, PagerDuty, syslog and commands."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import os
import re
import shutil
import socket
import socketserver
import ssl
import stat
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from harvestdetect.alerts import Channel
from harvestdetect.alerts.destinations import SendError, send, signature
from harvestdetect.alerts.render import alert_record, pagerduty_event, slack_message, syslog_message
from harvestdetect.alerts.stored import decoded
from harvestdetect.alerts.values import Command, Destination, PagerDuty, Slack, Syslog, Webhook
from tests.alerts.receiving import (
    HOSTILE,
    NOW,
    PATH,
    ROUTING_KEY,
    SECRET,
    Receiver,
    alert,
    channel,
    harmless,
    hostile,
    parsed,
    plain,
    serving,
    tcp_receiver,
    texts_of,
    udp_receiver,
    unused_port,
)

# ---------------------------------------------------------------- webhook


def test_a_webhook_gets_signed_json_under_a_stable_key(receiver: Receiver, webhook: Channel) -> None:
    plain(webhook, alert(kind="changed", tier="urgent", previous_tier="review"), key="k-1")
    (request,) = receiver.requests
    assert request.path == "/hook"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == "k-1"
    stamp = request.headers["x-harvestdetect-timestamp"]
    assert stamp == str(int(NOW))
    expected = hmac.new(SECRET.encode(), stamp.encode() + b"." + request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-harvestdetect-signature"] == f"sha256={expected}"
    assert request.json() == {
        "version": 1,
        "key": "k-1",
        "campaign_id": "c-1",
        "kind": "changed",
        "tier": "urgent",
        "previous_tier": "review",
        "probability": "about 95 %",
        "accounts": 56,
        "new_accounts": 5,
        "prompts": 1_268,
        "first_seen": "2026-09-12T14:13:20Z",
        "last_seen": "2026-09-20T14:13:20Z",
        "summary": "56 accounts sent 1,268 prompts of one template on 9 days.",
        "changes": ["5 accounts are new."],
        "capability_targets": ["coding", "reasoning traces"],
        "run": "r-1",
        "run_started": None,
        "report": "https://reports.example/r-1/report.html",
    }


def test_a_webhook_without_a_secret_is_not_signed_and_has_its_own_headers(receiver: Receiver) -> None:
    plain(channel(Webhook(url=receiver.url, headers=(("Authorization", "Bearer abc"), ("X-Team", "ts")))), alert())
    headers = receiver.requests[0].headers
    assert (headers["authorization"], headers["x-team"]) == ("Bearer abc", "ts")
    assert "x-harvestdetect-signature" not in headers


TEXTS_OF_PROMPTS = {b"Write a story", b"Tell a tale"}
"""Of the template and of the title."""


def found_in(body: bytes) -> set[bytes]:
    return {text for text in TEXTS_OF_PROMPTS if text in body}


def test_words_of_prompts_leave_only_where_that_was_asked_for(receiver: Receiver, webhook: Channel) -> None:
    told = alert_record(alert(), key="k", include_text=True)
    open_channel = dataclasses.replace(webhook, include_text=True)
    for destination in (
        webhook.destination,
        Slack(url=receiver.url),
        PagerDuty(routing_key=ROUTING_KEY, url=receiver.url),
    ):
        send(dataclasses.replace(webhook, destination=destination), told, closes=False, now=NOW)
        assert not TEXTS_OF_PROMPTS & found_in(receiver.requests[-1].body)
        send(dataclasses.replace(open_channel, destination=destination), told, closes=False, now=NOW)
        assert found_in(receiver.requests[-1].body) == TEXTS_OF_PROMPTS
    for text in (False, True):
        with udp_receiver() as (address, held):
            log = channel(Syslog(address=address), include_text=text)
            send(log, told, closes=False, now=NOW)
            assert found_in(held.recv(65_536)) == (TEXTS_OF_PROMPTS if text else set())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_data_in_a_webhook(receiver: Receiver, webhook: Channel, text: str) -> None:
    plain(dataclasses.replace(webhook, include_text=True), hostile(text))
    (request,) = receiver.requests
    assert harmless(request.body.decode())
    got = request.json()
    assert len(request.body) < 300_000
    clean = re.sub("[\ud800-\udfff]", "\ufffd", text)
    assert got["summary"].rstrip("…") == clean[: len(got["summary"].rstrip("…"))]
    assert set(got) == set(alert_record(alert(), key="", include_text=True))
    assert request.headers["x-harvestdetect-signature"] == signature(
        SECRET, timestamp=request.headers["x-harvestdetect-timestamp"], body=request.body
    )


def test_an_alert_says_how_sure_it_is(receiver: Receiver, webhook: Channel) -> None:
    told = alert_record(alert(), key="k", include_text=False)
    send(webhook, told, closes=False, now=NOW)
    assert receiver.requests[-1].json()["probability"] == "about 95 %"
    fields = slack_message(told)["blocks"][2]["fields"]
    assert fields[-1]["text"] == "*Probability*\nabout 95 %"
    event = pagerduty_event(told, routing_key=ROUTING_KEY, closes=False, now=NOW)
    assert event["payload"]["custom_details"]["probability"] == "about 95 %"
    line = syslog_message(told, facility="local0", closes=False, now=NOW, limit=8_000)
    assert b' probability="about 95 %"' in line


def test_an_alert_that_an_older_version_stored_has_no_probability() -> None:
    told = alert_record(alert(probability=None), key="k", include_text=False)
    before = {name: value for name, value in told.items() if name != "probability"}
    assert decoded(json.dumps(before)) == before
    assert decoded(json.dumps(told)) == told
    assert slack_message(told) == slack_message(before)
    assert "Probability" not in json.dumps(slack_message(before))
    options: dict[str, Any] = {"facility": "local0", "closes": False, "now": NOW, "limit": 8_000}
    assert syslog_message(told, **options) == syslog_message(before, **options)
    assert b"probability=" not in syslog_message(before, **options)


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("status", "permanent", "unsure"),
    [
        (400, True, False),
        (401, True, False),
        (403, True, False),
        (404, True, False),
        (410, True, False),
        (408, False, False),
        (429, False, False),
        (500, False, True),
        (503, False, True),
    ],
)
def test_answers_are_permanent_or_temporary(
    receiver: Receiver, webhook: Channel, status: int, permanent: bool, unsure: bool
) -> None:
    receiver.answer(status, body=b"no_service\nsecond line")
    with pytest.raises(SendError) as raised:
        plain(webhook, alert())
    assert (raised.value.permanent, raised.value.unsure) == (permanent, unsure)
    assert str(raised.value) == f"127.0.0.1: HTTP {status}: no_service second line"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_is_success(receiver: Receiver, webhook: Channel, status: int) -> None:
    receiver.answer(status)
    plain(webhook, alert())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, webhook: Channel, status: int) -> None:
    receiver.answer(status, {"Location": receiver.url + "/elsewhere"})
    with pytest.raises(SendError, match=f"HTTP {status}: redirects are not followed") as raised:
        plain(webhook, alert())
    assert raised.value.permanent
    assert [request.path for request in receiver.requests] == ["/hook"]


def test_a_long_answer_is_read_in_part_and_shown_harmless(receiver: Receiver, webhook: Channel) -> None:
    receiver.answer(500, body=b"\x1b[31m bad \x00" + b"y" * 5_000_000)
    with pytest.raises(SendError) as raised:
        plain(webhook, alert())
    assert len(str(raised.value)) < 400
    assert harmless(str(raised.value))


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        ("soon", None),
        ("-5", None),
        ("9" * 400, 999_999_999.0),
    ],
)
def test_retry_after_is_read(receiver: Receiver, webhook: Channel, value: str, wait: float | None) -> None:
    receiver.answer(429, {"Retry-After": value})
    with pytest.raises(SendError) as raised:
        plain(webhook, alert())
    assert raised.value.wait == wait


def test_nobody_there_is_temporary_and_sure(webhook: Channel) -> None:
    with pytest.raises(SendError, match=r"127.0.0.1: .*refused") as raised:
        plain(dataclasses.replace(webhook, destination=Webhook(url=f"http://127.0.0.1:{unused_port()}")), alert())
    assert (raised.value.permanent, raised.value.unsure) == (False, False)


def test_a_receiver_that_does_not_answer_may_have_got_it(receiver: Receiver, webhook: Channel) -> None:
    receiver.hold = 0.5
    with pytest.raises(SendError, match=r"no answer within 0.1 s") as raised:
        plain(dataclasses.replace(webhook, timeout=0.1), alert())
    assert (raised.value.permanent, raised.value.unsure) == (False, True)


def test_a_receiver_that_drips_is_left_in_time(webhook: Channel) -> None:
    stop = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            while not stop.wait(0.05):
                try:
                    self.request.sendall(b"H")
                except OSError:
                    return

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        start = time.monotonic()
        destination = Webhook(url=f"http://127.0.0.1:{server.server_address[1]}")
        with pytest.raises(SendError, match=r"not finished after 0.4 s") as raised:
            plain(dataclasses.replace(webhook, timeout=0.2, destination=destination), alert())
        assert time.monotonic() - start < 5
        assert raised.value.unsure
        stop.set()


def test_what_is_no_http_is_temporary(webhook: Channel) -> None:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            self.request.sendall(b"SSH-2.0-OpenSSH\r\n")

    server = socketserver.TCPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        destination = Webhook(url=f"http://127.0.0.1:{server.server_address[1]}")
        with pytest.raises(SendError) as raised:
            plain(dataclasses.replace(webhook, destination=destination), alert())
    assert not raised.value.permanent


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_certificates_are_verified(
    receiver: Receiver, webhook: Channel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    secure = dataclasses.replace(webhook, destination=Webhook(url=receiver.url.replace("http:", "https:")))
    with pytest.raises(SendError, match="certificate is not valid") as raised:
        plain(secure, alert())
    assert (raised.value.permanent, raised.value.unsure) == (False, False)
    assert receiver.requests == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    plain(secure, alert())
    assert len(receiver.requests) == 1


def test_no_secret_is_in_an_error_or_a_repr(receiver: Receiver) -> None:
    destinations: list[tuple[Destination, list[str]]] = [
        (Slack(url=receiver.url + PATH), [PATH, "T0SECRET0", "xyzSECRETxyzSECRET"]),
        (PagerDuty(routing_key=ROUTING_KEY, url=receiver.url), [ROUTING_KEY]),
        (
            Webhook(
                url=f"{receiver.url}/in?token=tokenSECRET",
                secret=SECRET,
                headers=(("Authorization", "Bearer bearerSECRET"),),
            ),
            [SECRET, "tokenSECRET", "bearerSECRET"],
        ),
        (Command(command=("page", "--token=argSECRET")), ["argSECRET"]),
    ]
    for destination, secrets in destinations:
        one = channel(destination)
        shown = [repr(one), str(one), repr(destination)]
        if not isinstance(destination, Command):
            for status in (400, 429, 503):
                receiver.answer(status, body=" and ".join([*secrets, getattr(destination, "url", "")]).encode())
                with pytest.raises(SendError) as raised:
                    plain(one, alert())
                shown += [str(raised.value), repr(raised.value)]
                assert f"HTTP {status}: *** " in str(raised.value)
        for text in shown:
            assert not [secret for secret in secrets if secret in text], text


def test_a_failure_nobody_thought_of_names_its_kind_only(webhook: Channel) -> None:
    with (
        patch("harvestdetect.alerts.destinations._send", side_effect=KeyError(SECRET)),
        pytest.raises(SendError, match=r"^unexpected error: KeyError$") as raised,
    ):
        plain(webhook, alert())
    assert not raised.value.permanent


# ---------------------------------------------------------------- Slack


def test_slack_gets_blocks(receiver: Receiver) -> None:
    plain(channel(Slack(url=receiver.url + PATH)), alert(kind="changed", tier="urgent", previous_tier="watch"))
    (request,) = receiver.requests
    assert request.path == PATH
    got = request.json()
    assert got["text"].startswith("Campaign changed: watch → urgent: 56 accounts")
    kinds = [block["type"] for block in got["blocks"]]
    assert kinds == ["header", "section", "section", "section", "context"]
    assert got["blocks"][0]["text"] == {
        "type": "plain_text",
        "text": "Campaign changed: watch → urgent",
        "emoji": False,
    }
    fields = [field["text"] for field in got["blocks"][2]["fields"]]
    assert fields == [
        "*Campaign*\n`c-1`",
        "*Accounts*\n56 (5 new)",
        "*Prompts*\n1,268",
        "*Seen*\n2026-09-12 – 2026-09-20",
        "*Probability*\nabout 95 %",
    ]
    assert got["blocks"][3]["text"]["text"] == "• 5 accounts are new."
    context = [element["text"] for element in got["blocks"][4]["elements"]]
    assert context == [
        "capability targets: coding, reasoning traces",
        "run `r-1`",
        "<https://reports.example/r-1/report.html|report>",
    ]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("kind", ["new", "resolved"])
def test_nothing_hostile_acts_in_slack(receiver: Receiver, text: str, kind: Any) -> None:
    plain(channel(Slack(url=receiver.url), include_text=True), hostile(text, kind=kind))
    got = receiver.requests[0].json()
    held = list(texts_of(got["blocks"]))
    assert len(got["blocks"]) <= 50
    assert len(held) >= 8
    for one in held:
        assert 1 <= len(one["text"].encode("utf-16-le")) // 2 <= (150 if one["type"] == "plain_text" else 3_000)
        assert one["type"] == "plain_text" or one["verbatim"] is True
    for shown in [got["text"], *(one["text"] for one in held)]:
        assert "<" not in shown
        assert ">" not in shown
        assert harmless(shown.replace("\n", ""))
        assert re.sub("&(amp|lt|gt);", "", shown).count("&") == 0
        assert not re.search(r"@(channel|here|everyone)", shown, re.IGNORECASE)
        assert "://" not in shown
        assert "~" not in shown
    for block in got["blocks"]:
        assert all(len(field["text"]) <= 2_000 for field in block.get("fields", []))
        assert len(block.get("elements", [])) <= 10


def test_slack_links_only_plain_addresses() -> None:
    for report in ("javascript:alert(1)", "https://a.example/|x", "https://a.example/ <!channel>", "/srv/report.html"):
        last = slack_message(alert_record(alert(report=report), key="k", include_text=False))["blocks"][-1]
        assert last["elements"][-1]["text"].startswith("report `")
    last = slack_message(alert_record(alert(report=None), key="k", include_text=False))["blocks"][-1]
    assert last["elements"][-1]["text"].startswith("run ")


def test_many_long_changes_fit_a_block_of_slack() -> None:
    changes = tuple(f"{i} " + "&" * 290 for i in range(40))
    told = alert_record(alert(changes=changes), key="k", include_text=False)
    text = slack_message(told)["blocks"][3]["text"]["text"]
    assert len(text) <= 3_000
    assert re.search(r"• and \d+ more$", text)


# ---------------------------------------------------------------- PagerDuty


@pytest.mark.parametrize(("tier", "severity"), [("urgent", "critical"), ("review", "warning"), ("watch", "info")])
def test_pagerduty_is_triggered(receiver: Receiver, tier: Any, severity: str) -> None:
    plain(channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url)), alert(tier=tier))
    got = receiver.requests[0].json()
    assert (got["routing_key"], got["event_action"], got["dedup_key"]) == (ROUTING_KEY, "trigger", "c-1")
    assert got["payload"]["severity"] == severity
    assert got["payload"]["source"] == "harvestdetect"
    assert got["payload"]["summary"].startswith(f"New campaign ({tier}): 56 accounts")
    assert got["payload"]["timestamp"] == "2026-09-21T14:13:20.000Z"
    assert got["payload"]["custom_details"]["accounts"] == 56
    assert got["links"] == [{"href": "https://reports.example/r-1/report.html", "text": "report"}]


def test_pagerduty_is_resolved_under_the_same_key(receiver: Receiver) -> None:
    plain(channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url)), alert(kind="resolved"), closes=True)
    got = receiver.requests[0].json()
    assert got == {"routing_key": ROUTING_KEY, "event_action": "resolve", "dedup_key": "c-1"}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_in_pagerduty(receiver: Receiver, text: str) -> None:
    plain(channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url), include_text=True), hostile(text))
    (request,) = receiver.requests
    got = request.json()
    assert len(request.body) < 400_000
    assert len(got["payload"]["summary"]) <= 1_024
    assert re.fullmatch(r"[!-~]{1,255}", got["dedup_key"])

    def check(value: Any) -> None:
        if isinstance(value, dict | list):
            for one in value.values() if isinstance(value, dict) else value:
                check(one)
        elif isinstance(value, str):
            assert harmless(value)

    check(got)
    told = alert_record(hostile(text), key="k", include_text=False)
    key = pagerduty_event(told, routing_key="r", closes=True, now=NOW)["dedup_key"]
    assert key == got["dedup_key"]


# ---------------------------------------------------------------- syslog


@pytest.mark.parametrize(
    ("facility", "tier", "closes", "priority"),
    [
        ("local0", "urgent", False, 16 * 8 + 2),
        ("local0", "review", False, 16 * 8 + 4),
        ("daemon", "watch", False, 3 * 8 + 5),
        ("kern", "urgent", False, 2),
        ("local7", "urgent", True, 23 * 8 + 5),
    ],
)
def test_a_datagram_is_rfc_5424(facility: str, tier: Any, closes: bool, priority: int) -> None:
    with udp_receiver() as (address, held):
        plain(channel(Syslog(address=address, facility=facility)), alert(tier=tier), closes=closes)
        parts, data = parsed(held.recv(65_536))
    assert parts["pri"] == str(priority)
    assert parts["time"] == "2026-09-21T14:13:20.000Z"
    assert (parts["app"], parts["pid"], parts["id"]) == ("harvestdetect", str(os.getpid()), "new")
    assert parts["sd"] == "harvestdetect@32473"
    assert parts["text"].startswith("New campaign: 56 accounts sent 1,268 prompts")
    assert data == {
        "campaign": "c-1",
        "kind": "new",
        "tier": tier,
        "probability": "about 95 %",
        "accounts": "56",
        "newAccounts": "5",
        "prompts": "1268",
        "firstSeen": "2026-09-12T14:13:20Z",
        "lastSeen": "2026-09-20T14:13:20Z",
        "run": "r-1",
        "report": "https://reports.example/r-1/report.html",
        "key": "key",
    }


def test_a_stream_counts_octets() -> None:
    with tcp_receiver() as (address, got):
        plain(channel(Syslog(address=address)), alert(summary='größer\n] \\ " \0'))
        deadline = time.monotonic() + 5
        while not got and time.monotonic() < deadline:
            time.sleep(0.01)
    size, _, message = got[0].partition(b" ")
    assert int(size) == len(message)
    parts, _ = parsed(message)
    assert parts["text"].startswith("\ufeffNew campaign: größer⟨U+000A⟩")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_in_its_place_in_syslog(text: str) -> None:
    told = alert_record(hostile(text), key="k", include_text=True)
    for limit in (2_048, 8_192):
        message = syslog_message(told, facility="user", closes=False, now=NOW, limit=limit)
        assert len(message) <= limit
        parts, data = parsed(message)
        assert harmless(message.decode().replace("\ufeff", ""))
        assert parts["text"].lstrip("\ufeff").startswith("New campaign: ")
        assert set(data) >= {"campaign", "run", "report", "key"}
    if text.startswith("NUL"):
        assert data["run"] == 'NUL ⟨U+0000⟩, quote " back\\slash ] bracket'


def test_a_local_socket_gets_what_its_daemons_read(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as held:
        held.bind(path)
        held.settimeout(5)
        plain(channel(Syslog(address=path)), alert(summary="two\nlines"))
        message = held.recv(65_536).decode()
    start = f'<132>harvestdetect[{os.getpid()}]: [harvestdetect@32473 campaign="c-1" '
    assert message.startswith(start)
    assert harmless(message)


def test_a_local_socket_may_be_one_of_streams(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as held:
        held.bind(path)
        held.listen()
        held.settimeout(5)
        plain(channel(Syslog(address=path)), alert())
        stream, _ = held.accept()
        with stream:
            stream.settimeout(5)
            assert stream.recv(65_536).endswith(b"\n")


@pytest.mark.parametrize("scheme", ["tcp", "local"])
def test_a_daemon_that_is_not_there_is_temporary(tmp_path: Path, scheme: str) -> None:
    address = f"tcp://127.0.0.1:{unused_port()}" if scheme == "tcp" else str(tmp_path / "none")
    with pytest.raises(SendError) as raised:
        plain(channel(Syslog(address=address)), alert())
    assert (raised.value.permanent, raised.value.unsure) == (False, False)
    assert str(raised.value).startswith(f"{address}: ")


# ---------------------------------------------------------------- command


def script(tmp_path: Path, text: str) -> str:
    file = tmp_path / "page"
    file.write_text(f"#!{sys.executable}\nimport sys, os, json, time\n{text}\n", encoding="utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


@pytest.mark.parametrize("text", ["plain", *HOSTILE, "$(touch pwned); `id`"])
def test_a_command_reads_the_alert_and_gets_it_nowhere_else(tmp_path: Path, text: str) -> None:
    out = tmp_path / "got.json"
    program = script(
        tmp_path,
        "raw = sys.stdin.buffer.read()\n"
        "told = {'in': raw.decode(), 'argv': sys.argv[1:], 'environment': dict(os.environ)}\n"
        f"open({str(out)!r}, 'w').write(json.dumps(told))",
    )
    plain(channel(Command(command=(program, "--to", "$HOME; ls")), include_text=True), hostile(text))
    got = json.loads(out.read_text())
    assert got["argv"] == ["--to", "$HOME; ls"]
    assert set(got["environment"]) - set(os.environ) <= {"LC_CTYPE", "_", "COLUMNS", "LINES"}
    assert got["in"].endswith("\n")
    assert harmless(got["in"][:-1])
    told = json.loads(got["in"])
    assert told["kind"] == "new"
    assert told["summary"][:50] == re.sub("[\ud800-\udfff]", "\ufffd", text)[:50]


def test_a_command_that_fails_says_why_in_one_harmless_line(tmp_path: Path) -> None:
    program = script(tmp_path, "sys.stderr.write('\\x1b[31mno pager\\nsecond line\\n' + 'z' * 100_000)\nsys.exit(3)")
    with pytest.raises(SendError) as raised:
        plain(channel(Command(command=(program,))), alert())
    assert str(raised.value) == "page ended with exit code 3: ⟨U+001B⟩[31mno pager"
    assert not raised.value.permanent


def test_a_command_that_does_not_end_is_ended_with_what_it_started(tmp_path: Path) -> None:
    left = tmp_path / "left"
    child = f"import time; time.sleep(1.5); open({str(left)!r}, 'w')"
    program = script(
        tmp_path, f"import subprocess\nsubprocess.Popen([sys.executable, '-c', {child!r}])\ntime.sleep(60)"
    )
    start = time.monotonic()
    with pytest.raises(SendError, match=r"page did not end within 0.5 s") as raised:
        plain(channel(Command(command=(program,)), timeout=0.5), alert())
    assert raised.value.unsure
    time.sleep(max(0.0, start + 2.5 - time.monotonic()))
    assert not left.exists()


def test_a_command_that_reads_nothing_may_succeed(tmp_path: Path) -> None:
    plain(channel(Command(command=(script(tmp_path, "sys.exit(0)"),))), hostile("x" * 100_000))


def test_a_command_that_is_not_there_is_permanent(tmp_path: Path) -> None:
    with pytest.raises(SendError, match="none cannot be started: No such file") as raised:
        plain(channel(Command(command=(str(tmp_path / "none"), "secret-argument"))), alert())
    assert raised.value.permanent
    assert "secret-argument" not in str(raised.value)


def test_a_command_that_is_killed_says_by_what(tmp_path: Path) -> None:
    with pytest.raises(SendError, match="page was killed by SIGKILL"):
        plain(channel(Command(command=(script(tmp_path, "os.kill(os.getpid(), 9)"),))), alert())
