"""Alerts: what is configured, what each channel is told, and what arrives at real receivers on this machine."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import http.server
import json
import os
import re
import shutil
import socket
import socketserver
import sqlite3
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harvestdetect.alerts import Alert, Channel, Delivery, Outbox, create_tables, forget_account, load_channels
from harvestdetect.alerts.delivery import Limits, Timing
from harvestdetect.alerts.destinations import SendError, send, signature
from harvestdetect.alerts.render import alert_record, bounded_id, pagerduty_event, slack_message, syslog_message
from harvestdetect.alerts.values import Command, Destination, PagerDuty, Slack, Syslog, Webhook
from harvestdetect.data import TIERS
from harvestdetect.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_790_000_000.0
DAY = 86_400.0
SECRET = "a-secret-of-the-webhook-0123456789"
ROUTING_KEY = "R0UT1NGKEYR0UT1NGKEYR0UT1NGKEY00"
PATH = "/services/T0SECRET0/B0SECRET0/xyzSECRETxyzSECRET"
HOSTILE = (
    "line one\nline two\r\n<14>1 forged",
    "<!channel> <!here> <@U123> <https://evil.example|click> @channel @here @Everyone https://evil.example",
    "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x07",
    'NUL \0, quote " back\\slash ] bracket',
    "surrogate \ud800 and \udfff",
    "right-to-left \u202e and zero width \u200b",
    "*bold* ~gone~ `code` ```block``` & < >",
    "x" * 100_000,
    "&" * 10_000,
    "\u202e" * 10_000,
    "😀" * 10_000,
)


def alert(campaign: str = "c-1", **values: Any) -> Alert:
    told: dict[str, Any] = {
        "campaign_id": campaign,
        "kind": "new",
        "tier": "review",
        "accounts": 56,
        "new_accounts": 5,
        "prompts": 1_268,
        "first_seen": int(NOW - 9 * DAY),
        "last_seen": int(NOW - DAY),
        "summary": "56 accounts sent 1,268 prompts of one template on 9 days.",
        "changes": ("5 accounts are new.",),
        "capability_targets": ("coding", "reasoning traces"),
        "excerpt": "Write a story about _ in _ words",
        "run": "r-1",
        "report": "https://reports.example/r-1/report.html",
    }
    return Alert(**told | values)


def channel(destination: Destination, **values: Any) -> Channel:
    return Channel(**{"name": "here", "destination": destination, "timeout": 5.0, "retries": 0, **values})


def hostile(text: str, **values: Any) -> Alert:
    return alert(
        text,
        summary=text,
        changes=(text, text),
        capability_targets=(text,),
        excerpt=text,
        run=text,
        report=text,
        **values,
    )


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    create_tables(connection)
    connection.commit()
    return connection


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    held = database()
    yield held
    held.close()


@pytest.fixture
def outbox(connection: sqlite3.Connection) -> Outbox:
    return Outbox(connection)


def deliver(outbox: Outbox, channels: Sequence[Channel], now: float = NOW, **values: Any) -> list[Delivery]:
    clock = values.pop("clock", None) or Clock()
    timing = Timing(clock=clock, sleep=clock.sleep, jitter=lambda: 1.0)
    return outbox.deliver(channels, now, limits=Limits(**values), timing=timing)


def told_once(outbox: Outbox, run: str, alerts: Sequence[Alert], channels: Sequence[Channel], now: float) -> list[str]:
    """A whole run; what was sent, as ``channel kind``."""
    alerts = [dataclasses.replace(one, run=run) for one in alerts]
    outbox.enqueue(run, alerts, channels, now)
    return [f"{d.channel} {d.kind}" for d in deliver(outbox, channels, now) if d.outcome == "sent"]


def plain(channel: Channel, one: Alert, *, closes: bool = False, key: str = "key", now: float = NOW) -> None:
    send(channel, alert_record(one, key=key, include_text=channel.include_text), closes=closes, now=now)


# ---------------------------------------------------------------- receivers


@dataclasses.dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """An HTTP server that answers as it is told, and 200 when it was told nothing more."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.hold: float = 0.0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append(Request(path=self.path, headers=headers, body=body))
                time.sleep(receiver.hold)
                status, extra, said = receiver.answers.pop(0) if receiver.answers else (200, {}, b"ok")
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def do_GET(self) -> None:
                receiver.requests.append(Request(path=self.path, headers={}, body=b"GET"))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.answers.append((status, headers or {}, body))


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    with serving(made.server):
        yield made


@pytest.fixture
def webhook(receiver: Receiver) -> Channel:
    return channel(Webhook(url=receiver.url + "/hook", secret=SECRET))


def unused_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@contextmanager
def tcp_receiver() -> Iterator[tuple[str, list[bytes]]]:
    got: list[bytes] = []
    done = threading.Semaphore(0)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            got.append(self.rfile.read())
            done.release()

    server = socketserver.TCPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        yield f"tcp://127.0.0.1:{server.server_address[1]}", got
        for _ in got or [b""]:
            done.acquire(timeout=5)


@contextmanager
def udp_receiver() -> Iterator[tuple[str, socket.socket]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        held.settimeout(5)
        yield f"udp://127.0.0.1:{held.getsockname()[1]}", held


SYSLOG = re.compile(
    rb"<(?P<pri>\d{1,3})>1 (?P<time>\S+) (?P<host>\S+) (?P<app>\S+) (?P<pid>\d+) (?P<id>\S+) "
    rb"\[(?P<sd>[!-Z^-~]+)(?P<params>( [A-Za-z]+=\"([^\"\\\]]|\\[\"\\\]])*\")*)\] (?P<text>.*)",
    re.DOTALL,
)


def parsed(message: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """The parts of a syslog message, strictly by RFC 5424, and its structured data."""
    match = SYSLOG.fullmatch(message)
    assert match is not None, message
    params = re.findall(rb' ([A-Za-z]+)="((?:[^"\\\]]|\\["\\\]])*)"', match["params"])
    data = {name.decode(): re.sub(rb'\\(["\\\]])', rb"\1", value).decode() for name, value in params}
    return {name: value.decode() for name, value in match.groupdict().items() if value is not None}, data


def harmless(text: str) -> bool:
    """Nothing in it that a reader cannot see or that acts on what shows it."""
    return not re.search("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text)


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


def test_words_of_prompts_leave_only_where_that_was_asked_for(receiver: Receiver, webhook: Channel) -> None:
    told = alert_record(alert(), key="k", include_text=True)
    open_channel = dataclasses.replace(webhook, include_text=True)
    for destination in (
        webhook.destination,
        Slack(url=receiver.url),
        PagerDuty(routing_key=ROUTING_KEY, url=receiver.url),
    ):
        send(dataclasses.replace(webhook, destination=destination), told, closes=False, now=NOW)
        assert b"Write a story" not in receiver.requests[-1].body
        send(dataclasses.replace(open_channel, destination=destination), told, closes=False, now=NOW)
        assert b"Write a story" in receiver.requests[-1].body
    for text in (False, True):
        with udp_receiver() as (address, held):
            log = channel(Syslog(address=address), include_text=text)
            send(log, told, closes=False, now=NOW)
            assert (b"Write a story" in held.recv(65_536)) is text


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
    ]
    assert got["blocks"][3]["text"]["text"] == "• 5 accounts are new."
    context = [element["text"] for element in got["blocks"][4]["elements"]]
    assert context == [
        "capability targets: coding, reasoning traces",
        "run `r-1`",
        "<https://reports.example/r-1/report.html|report>",
    ]


def texts_of(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get("text"), str) and "type" in value:
            yield value
        for one in value.values():
            yield from texts_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts_of(one)


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


# ---------------------------------------------------------------- who is told what


def quiet(name: str = "here", **values: Any) -> Channel:
    return channel(Webhook(url="http://127.0.0.1:9/"), name=name, **values)


@contextmanager
def sending(result: Any = None) -> Iterator[list[tuple[str, dict[str, Any], bool]]]:
    """Nothing is sent; what would be is noted. ``result(channel, told)`` may raise."""
    sent: list[tuple[str, dict[str, Any], bool]] = []

    def fake(channel: Channel, told: dict[str, Any], *, closes: bool, now: float) -> None:
        if result is not None:
            result(channel, told)
        sent.append((channel.name, told, closes))

    with patch("harvestdetect.alerts.delivery.send", fake):
        yield sent


def test_what_a_channel_wants_to_hear(outbox: Outbox) -> None:
    channels = [quiet(name, notify_on=name) for name in ("new", "changed", "all")]
    with sending():
        runs = [
            ([alert()], ["new new", "changed new", "all new"]),
            ([alert(kind="standing")], ["all standing"]),
            ([alert(kind="changed", tier="urgent")], ["changed changed", "all changed"]),
            ([alert(kind="standing", tier="urgent")], ["all standing"]),
            ([alert(kind="resolved", tier="urgent")], ["changed resolved", "all resolved"]),
            ([alert(kind="back")], ["new back", "changed back", "all back"]),
        ]
        for number, (alerts, expected) in enumerate(runs):
            assert told_once(outbox, f"r-{number}", alerts, channels, NOW + number * DAY) == expected


def test_a_channel_hears_of_its_tiers_only_and_when_a_campaign_leaves_them(outbox: Outbox) -> None:
    channels = [quiet(tier, tier=tier) for tier in TIERS]
    runs: list[tuple[Any, Any, list[str]]] = [
        ("new", "watch", ["watch new"]),
        ("changed", "review", ["review changed", "watch changed"]),
        ("changed", "urgent", ["urgent changed", "review changed", "watch changed"]),
        ("changed", "review", ["urgent changed", "review changed", "watch changed"]),
        ("changed", "watch", ["review changed", "watch changed"]),
        ("standing", "watch", []),
        ("resolved", "watch", ["watch resolved"]),
    ]
    with sending() as sent:
        for number, (kind, tier, expected) in enumerate(runs):
            got = told_once(outbox, f"r-{number}", [alert(kind=kind, tier=tier)], channels, NOW + number * DAY)
            assert got == expected, (kind, tier)
    assert [(name, told["tier"]) for name, told, closes in sent if closes] == [
        ("urgent", "review"),
        ("review", "watch"),
        ("watch", "watch"),
    ]


def test_a_channel_added_later_hears_of_what_stands(outbox: Outbox) -> None:
    old, added = quiet("old"), quiet("added", notify_on="new")
    with sending():
        assert told_once(outbox, "r-1", [alert()], [old], NOW) == ["old new"]
        assert told_once(outbox, "r-2", [alert(kind="standing")], [old, added], NOW + DAY) == ["added standing"]
        assert told_once(outbox, "r-3", [alert(kind="standing")], [old, added], NOW + 2 * DAY) == []


@pytest.mark.parametrize("notify_on", ["new", "changed"])
def test_what_still_stands_is_told_again_after_the_period(outbox: Outbox, notify_on: Any) -> None:
    weekly, never = quiet("weekly", notify_on=notify_on, repeat=7 * DAY), quiet("never", notify_on=notify_on)
    with sending():
        assert told_once(outbox, "r-0", [alert()], [weekly, never], NOW) == ["weekly new", "never new"]
        heard = [
            day
            for day in range(1, 23)
            if told_once(outbox, f"r-{day}", [alert(kind="standing")], [weekly, never], NOW + day * DAY - day % 3)
        ]
    assert heard == [7, 14, 21]


def test_of_what_was_never_told_the_end_is_not_told(outbox: Outbox) -> None:
    channels = [quiet("changed"), quiet("all", notify_on="all")]
    with sending():
        assert told_once(outbox, "r-1", [alert(kind="resolved")], channels, NOW) == ["all resolved"]
        assert told_once(outbox, "r-2", [alert("c-2", kind="resolved", tier="watch")], channels, NOW) == []


def test_pagerduty_resolves_what_it_triggered_and_nothing_else(receiver: Receiver, outbox: Outbox) -> None:
    pages = channel(
        PagerDuty(routing_key=ROUTING_KEY, url=receiver.url, resolve="quiet"),
        name="pages",
        notify_on="new",
        tier="urgent",
    )
    told_once(outbox, "r-0", [alert("c-1", kind="resolved"), alert("c-2", tier="review")], [pages], NOW)
    assert receiver.requests == []
    told_once(outbox, "r-1", [alert("c-1", tier="urgent"), alert("c-2", tier="urgent", kind="changed")], [pages], NOW)
    told_once(outbox, "r-2", [alert("c-1", tier="urgent", kind="resolved")], [pages], NOW + DAY)
    told_once(outbox, "r-3", [alert("c-2", tier="review", kind="changed")], [pages], NOW + 2 * DAY)
    told_once(outbox, "r-4", [alert("c-2", tier="review", kind="resolved")], [pages], NOW + 3 * DAY)
    told = [(got["event_action"], got["dedup_key"]) for got in (request.json() for request in receiver.requests)]
    assert told == [("trigger", "c-1"), ("trigger", "c-2"), ("resolve", "c-1"), ("resolve", "c-2")]


def test_an_incident_that_ends_before_anybody_was_paged_is_withdrawn(receiver: Receiver, outbox: Outbox) -> None:
    pages = channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url, resolve="quiet"))
    receiver.answer(429)
    assert told_once(outbox, "r-1", [alert()], [pages], NOW) == []
    assert told_once(outbox, "r-2", [alert(kind="resolved")], [pages], NOW + DAY) == []
    assert len(receiver.requests) == 1
    receiver.answer(503)  # here nobody knows whether it was triggered
    assert told_once(outbox, "r-3", [alert("c-2")], [pages], NOW + 2 * DAY) == []
    assert told_once(outbox, "r-4", [alert("c-2", kind="resolved")], [pages], NOW + 3 * DAY) == ["here resolved"]
    assert receiver.requests[-1].json()["event_action"] == "resolve"


def test_one_doubtful_attempt_is_enough_for_a_resolve(receiver: Receiver, outbox: Outbox) -> None:
    pages = channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url, resolve="quiet"), retries=1)
    receiver.answer(503)
    receiver.answer(429)
    assert told_once(outbox, "r-1", [alert()], [pages], NOW) == []
    assert told_once(outbox, "r-2", [alert(kind="resolved")], [pages], NOW + DAY) == ["here resolved"]


# ---------------------------------------------------------------- the outbox


def states(connection: sqlite3.Connection) -> list[tuple[str, str, bool]]:
    rows = connection.execute("SELECT run, state, body IS NOT NULL FROM outbox ORDER BY number")
    return [(run, state, bool(held)) for run, state, held in rows]


def test_what_fails_is_sent_by_the_next_run_under_the_same_key(
    receiver: Receiver, webhook: Channel, outbox: Outbox, connection: sqlite3.Connection
) -> None:
    receiver.answer(503)
    outbox.enqueue("r-1", [alert()], [webhook], NOW)
    (first,) = deliver(outbox, [webhook])
    assert (first.outcome, first.tries, first.error) == ("kept", 1, "127.0.0.1: HTTP 503")
    assert first.next_try == NOW + 60
    assert states(connection) == [("r-1", "waiting", True)]
    assert deliver(outbox, [webhook], NOW + 59) == []
    outbox.enqueue("r-2", [alert(kind="standing", run="r-2")], [webhook], NOW + DAY)
    (second,) = deliver(outbox, [webhook], NOW + DAY)
    assert (second.outcome, second.tries, second.kind, second.run) == ("sent", 2, "new", "r-1")
    assert len({request.headers["idempotency-key"] for request in receiver.requests}) == 1
    assert receiver.requests[0].body == receiver.requests[1].body
    assert states(connection) == [("r-1", "sent", False)]
    assert deliver(outbox, [webhook], NOW + 2 * DAY) == []


def test_a_run_that_is_repeated_enqueues_and_sends_nothing_twice(
    receiver: Receiver, webhook: Channel, outbox: Outbox
) -> None:
    alerts = [alert("c-1"), alert("c-2", kind="standing")]
    assert outbox.enqueue("r-1", alerts, [webhook], NOW) == 2
    assert outbox.enqueue("r-1", alerts, [webhook], NOW + 5) == 0
    assert len(deliver(outbox, [webhook])) == 2
    assert outbox.enqueue("r-1", alerts, [webhook], NOW + 10) == 0
    assert deliver(outbox, [webhook], NOW + 10) == []
    assert len(receiver.requests) == 2


def test_retries_back_off_and_heed_retry_after(receiver: Receiver, webhook: Channel, outbox: Outbox) -> None:
    for headers in ({}, {}, {"Retry-After": "17"}):
        receiver.answer(429, headers)
    clock = Clock()
    patient = dataclasses.replace(webhook, retries=5)
    outbox.enqueue("r-1", [alert()], [patient], NOW)
    (done,) = deliver(outbox, [patient], clock=clock)
    assert (done.outcome, done.tries) == ("sent", 4)
    assert clock.slept == [1.0, 2.0, 17.0]
    stamps = [int(request.headers["x-harvestdetect-timestamp"]) - int(NOW) for request in receiver.requests]
    assert stamps == [0, 1, 3, 20]
    assert len({request.headers["idempotency-key"] for request in receiver.requests}) == 1


def test_attempts_in_one_run_are_few_and_bounded_in_time(receiver: Receiver, webhook: Channel, outbox: Outbox) -> None:
    for _ in range(20):
        receiver.answer(500)
    clock = Clock()
    patient = dataclasses.replace(webhook, retries=10)
    outbox.enqueue("r-1", [alert()], [patient], NOW)
    (done,) = deliver(outbox, [patient], clock=clock, seconds=20.0)
    assert (done.outcome, clock.slept) == ("kept", [1.0, 2.0, 4.0, 8.0])
    (done,) = deliver(outbox, [patient], NOW + DAY, attempts=2)
    assert (done.outcome, done.tries) == ("kept", 7)


def test_a_destination_that_wants_to_be_left_alone_is(receiver: Receiver, webhook: Channel, outbox: Outbox) -> None:
    receiver.answer(429, {"Retry-After": "7200"})
    patient = dataclasses.replace(webhook, retries=5)
    outbox.enqueue("r-1", [alert("c-1"), alert("c-2")], [patient], NOW)
    first, second = deliver(outbox, [patient])
    assert (first.outcome, first.next_try) == ("kept", NOW + 7200)
    assert (second.outcome, second.tries, second.error) == ("kept", 0, "not tried: the channel fails")
    assert len(receiver.requests) == 1
    receiver.answer(429, {"Retry-After": "99999999"})
    assert deliver(outbox, [patient], NOW + DAY)[0].next_try == NOW + DAY + 6 * 3_600


def test_a_channel_that_fails_holds_up_neither_itself_nor_the_others(
    receiver: Receiver, webhook: Channel, outbox: Outbox
) -> None:
    broken = dataclasses.replace(
        webhook, name="broken", destination=Webhook(url=f"http://127.0.0.1:{unused_port()}"), retries=2
    )
    outbox.enqueue("r-1", [alert(f"c-{i}") for i in range(6)], [broken, webhook], NOW)
    done = deliver(outbox, [broken, webhook])
    assert [d.tries for d in done if d.channel == "broken"] == [3, 1, 1, 0, 0, 0]
    assert [d.campaign_id for d in done if d.outcome == "sent"] == [f"c-{i}" for i in range(6)]
    assert {d.channel for d in done if d.outcome == "sent"} == {"here"}


def test_one_alert_that_is_refused_does_not_hold_up_those_behind_it(
    receiver: Receiver, webhook: Channel, outbox: Outbox
) -> None:
    outbox.enqueue("r-1", [alert("c-0"), alert("c-1"), alert("c-2")], [webhook], NOW)
    receiver.answer(500)
    assert [d.outcome for d in deliver(outbox, [webhook])] == ["kept", "sent", "sent"]


def test_a_permanent_failure_is_given_up_reported_and_told_anew_while_it_stands(
    receiver: Receiver, webhook: Channel, outbox: Outbox, connection: sqlite3.Connection
) -> None:
    receiver.answer(404, body=b"gone")
    outbox.enqueue("r-1", [alert()], [dataclasses.replace(webhook, retries=5)], NOW)
    (done,) = deliver(outbox, [webhook])
    assert (done.outcome, done.error, done.next_try) == ("given up", "127.0.0.1: HTTP 404: gone", None)
    assert states(connection) == [("r-1", "given up", False)]
    assert len(receiver.requests) == 1
    assert deliver(outbox, [webhook], NOW + DAY) == []
    assert told_once(outbox, "r-2", [alert(kind="standing")], [webhook], NOW + DAY) == ["here standing"]
    receiver.answer(404)
    assert told_once(outbox, "r-3", [alert(kind="changed")], [webhook], NOW + 2 * DAY) == []
    assert told_once(outbox, "r-4", [alert(kind="standing")], [webhook], NOW + 3 * DAY) == ["here standing"]
    assert told_once(outbox, "r-5", [alert(kind="standing")], [webhook], NOW + 4 * DAY) == []


def test_after_days_an_alert_is_given_up_and_that_is_reported(
    receiver: Receiver, webhook: Channel, outbox: Outbox
) -> None:
    outbox.enqueue("r-1", [alert()], [webhook], NOW)
    for day in range(8):
        receiver.answer(503)
        (done,) = deliver(outbox, [webhook], NOW + day * DAY)
        assert done.outcome == ("given up" if day == 7 else "kept")
    assert done.error == "127.0.0.1: HTTP 503 (given up after 7 days)"
    assert deliver(outbox, [webhook], NOW + 8 * DAY) == []
    assert told_once(outbox, "r-9", [alert(kind="resolved")], [webhook], NOW + 9 * DAY) == ["here resolved"]


def test_what_waits_for_a_channel_that_is_gone_is_given_up_in_the_end(webhook: Channel, outbox: Outbox) -> None:
    outbox.enqueue("r-1", [alert()], [webhook], NOW)
    assert deliver(outbox, [], NOW + DAY) == []
    (done,) = deliver(outbox, [], NOW + 8 * DAY)
    assert (done.channel, done.outcome) == ("here", "given up")
    assert done.error == "its channel is not configured (given up after 8 days)"


def test_a_newer_alert_takes_the_place_of_one_that_waits(
    receiver: Receiver, webhook: Channel, outbox: Outbox, connection: sqlite3.Connection
) -> None:
    for _ in range(2):
        receiver.answer(503)
    told_once(outbox, "r-1", [alert(new_accounts=56, changes=())], [webhook], NOW)
    told_once(outbox, "r-2", [alert(kind="changed", tier="urgent", previous_tier="review", accounts=70, new_accounts=14,
                                    changes=("The tier rose.",))], [webhook], NOW + DAY)  # fmt: skip
    assert states(connection) == [("r-1", "replaced", False), ("r-2", "waiting", True)]
    change = alert(kind="changed", tier="urgent", accounts=71, new_accounts=1, changes=("1 account is new.",))
    assert told_once(outbox, "r-3", [change], [webhook], NOW + 2 * DAY) == ["here new"]
    told = receiver.requests[-1].json()
    assert (told["kind"], told["tier"], told["previous_tier"]) == ("new", "urgent", None)
    assert (told["accounts"], told["new_accounts"]) == (71, 71)
    assert told["changes"] == ["The tier rose.", "1 account is new."]
    assert outbox.enqueue("r-1", [alert()], [webhook], NOW + 2 * DAY) == 0
    assert outbox.enqueue("r-2", [alert(run="r-2")], [webhook], NOW + 2 * DAY) == 0


def test_what_waits_longest_is_sent_first_also_when_it_was_renewed(outbox: Outbox) -> None:
    def refused(*_: Any) -> None:
        raise SendError("no")

    with sending(refused):
        told_once(outbox, "r-1", [alert("c-old")], [quiet()], NOW)
        told_once(outbox, "r-2", [alert("c-young")], [quiet()], NOW + DAY)
    with sending() as sent:
        told_once(outbox, "r-3", [alert("c-old", kind="changed")], [quiet()], NOW + 2 * DAY)
    assert [told["campaign_id"] for _, told, _ in sent] == ["c-old", "c-young"]


def test_changes_that_wait_are_told_together(receiver: Receiver, webhook: Channel, outbox: Outbox) -> None:
    told_once(outbox, "r-1", [alert()], [webhook], NOW)
    receiver.answer(503)
    rise = alert(kind="changed", tier="urgent", previous_tier="review", new_accounts=2, changes=("The tier rose.",))
    told_once(outbox, "r-2", [rise], [webhook], NOW + DAY)
    growth = alert(kind="changed", tier="urgent", new_accounts=3, changes=("It grew.",))
    assert told_once(outbox, "r-3", [growth], [webhook], NOW + 2 * DAY) == ["here changed"]
    told = receiver.requests[-1].json()
    assert (told["previous_tier"], told["new_accounts"]) == ("review", 5)
    assert told["changes"] == ["The tier rose.", "It grew."]


def test_a_campaign_that_is_gone_before_it_was_told_is_told_as_gone(
    receiver: Receiver, webhook: Channel, outbox: Outbox
) -> None:
    receiver.answer(503)
    only_new = dataclasses.replace(webhook, notify_on="new")
    told_once(outbox, "r-1", [alert()], [only_new], NOW)
    assert told_once(outbox, "r-2", [alert(kind="resolved")], [only_new], NOW + DAY) == ["here resolved"]
    assert told_once(outbox, "r-3", [alert(kind="back")], [only_new], NOW + 2 * DAY) == ["here back"]


def test_a_campaign_that_is_back_before_its_end_was_told_is_told_as_back(
    receiver: Receiver, webhook: Channel, outbox: Outbox
) -> None:
    told_once(outbox, "r-1", [alert()], [webhook], NOW)
    receiver.answer(503)
    told_once(outbox, "r-2", [alert(kind="resolved")], [webhook], NOW + DAY)
    assert told_once(outbox, "r-3", [alert(kind="back")], [webhook], NOW + 2 * DAY) == ["here back"]


def test_killed_between_sending_and_marking_there_is_one_duplicate_with_the_same_key(
    receiver: Receiver, webhook: Channel, tmp_path: Path
) -> None:
    pages = dataclasses.replace(
        webhook, name="pages", destination=PagerDuty(routing_key=ROUTING_KEY, url=receiver.url, resolve="quiet")
    )
    program = (
        "import os, sqlite3, sys\n"
        "import harvestdetect.alerts.delivery as module\n"
        "from harvestdetect.alerts import Outbox\n"
        "from tests.alerts.test_alerts import NOW, PagerDuty, ROUTING_KEY, SECRET, Webhook, channel\n"
        "url = sys.argv[2]\n"
        'pages = PagerDuty(routing_key=ROUTING_KEY, url=url, resolve="quiet")\n'
        "channels = [channel(Webhook(url=url, secret=SECRET)), channel(pages, name='pages')]\n"
        "real, sent = module.send, []\n"
        "def send(*values, **named):\n"
        "    real(*values, **named)\n"
        "    sent.append(1)\n"
        "    if len(sent) == int(sys.argv[3]):\n"
        "        os.kill(os.getpid(), 9)\n"
        "module.send = send\n"
        "Outbox(sqlite3.connect(sys.argv[1])).deliver(channels, NOW)\n"
    )
    file = tmp_path / "state.db"
    with closing(sqlite3.connect(file)) as connection:
        create_tables(connection)
        Outbox(connection).enqueue("r-1", [alert("c-1"), alert("c-2")], [webhook, pages], NOW)
        connection.commit()
        for at in (2, 2):
            ended = subprocess.run(
                [sys.executable, "-c", program, file, receiver.url, str(at)],
                cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                capture_output=True, text=True, timeout=120,
            )  # fmt: skip
            assert ended.returncode == -9, ended.stderr
        done = deliver(Outbox(connection), [webhook, pages], NOW + 5)
    assert {d.outcome for d in done} == {"sent"}
    keys = Counter(
        request.headers.get("idempotency-key") or request.json()["dedup_key"] for request in receiver.requests
    )
    assert len(keys) == 4
    assert max(keys.values()) == 2
    assert sum(keys.values()) == 4 + 2


def test_a_killed_page_is_resolved_in_the_end(receiver: Receiver, outbox: Outbox) -> None:
    pages = channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url, resolve="quiet"))
    outbox.enqueue("r-1", [alert()], [pages], NOW)

    def killed(*values: Any, **named: Any) -> None:
        send(*values, **named)
        raise KeyboardInterrupt

    with patch("harvestdetect.alerts.delivery.send", killed), pytest.raises(KeyboardInterrupt):
        deliver(outbox, [pages])
    assert told_once(outbox, "r-2", [alert(kind="resolved")], [pages], NOW + DAY) == ["here resolved"]
    assert [request.json()["event_action"] for request in receiver.requests] == ["trigger", "resolve"]


def test_the_database_holds_no_text_of_prompts_unless_asked_and_no_secret(
    webhook: Channel, outbox: Outbox, connection: sqlite3.Connection
) -> None:
    channels = [webhook, channel(PagerDuty(routing_key=ROUTING_KEY), name="pages")]
    outbox.enqueue("r-1", [alert()], channels, NOW)
    held = "\n".join(connection.iterdump())
    assert "56 accounts sent" in held
    assert not [word for word in ("Write a story", SECRET, ROUTING_KEY) if word in held]
    outbox.enqueue("r-1", [alert()], [quiet("open", include_text=True)], NOW)
    assert "Write a story" in "\n".join(connection.iterdump())


def test_text_that_waits_does_not_leave_once_it_is_no_longer_wanted(
    receiver: Receiver, webhook: Channel, outbox: Outbox
) -> None:
    outbox.enqueue("r-1", [alert()], [dataclasses.replace(webhook, include_text=True)], NOW)
    deliver(outbox, [webhook])
    assert b"Write a story" not in receiver.requests[0].body


def test_runs_may_be_numbers_and_what_waits_is_counted(outbox: Outbox) -> None:
    assert outbox.pending() == 0
    assert outbox.enqueue(7, [alert("c-1", run="7"), alert("c-2", run="7")], [quiet(), quiet("gone")], NOW) == 4
    with sending():
        deliver(outbox, [quiet()])
    assert outbox.pending() == 2


def test_an_alert_of_another_run_is_a_mistake(outbox: Outbox, connection: sqlite3.Connection) -> None:
    with pytest.raises(ValueError, match="'r-1' among those of 'r-2'"):
        outbox.enqueue("r-2", [alert(run="r-2"), alert()], [quiet()], NOW)
    assert states(connection) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_ids_are_kept_apart_and_go_through_the_outbox(outbox: Outbox, text: str) -> None:
    with sending() as sent:
        assert told_once(outbox, text, [hostile(text), hostile(text + "!")], [quiet()], NOW) == ["here new"] * 2
        assert told_once(outbox, "next", [hostile(text, kind="standing")], [quiet()], NOW + DAY) == []
        assert told_once(outbox, "last", [hostile(text, kind="resolved")], [quiet()], NOW + DAY) == ["here resolved"]
    assert len({told["key"] for _, told, _ in sent}) == 3
    assert outbox.forget([text]) >= 2


def test_ids_stay_distinct_when_bounded() -> None:
    assert bounded_id("c-4de130164c") == "c-4de130164c"
    assert len({bounded_id("x" * n) for n in range(150, 400)}) == 250
    assert bounded_id("\ud800") != bounded_id("\ud801")


# ---------------------------------------------------------------- transactions


@pytest.mark.parametrize("isolation", ["", None])
def test_enqueueing_is_part_of_the_callers_transaction(tmp_path: Path, isolation: Any) -> None:
    file = tmp_path / "state.db"
    connection = sqlite3.connect(file, isolation_level=isolation)
    other = sqlite3.connect(file)
    create_tables(connection)
    create_tables(connection)
    outbox = Outbox(connection)
    count = "SELECT count(*) FROM outbox"
    connection.execute("BEGIN")
    assert outbox.enqueue("r-1", [alert()], [quiet()], NOW) == 1
    assert other.execute(count).fetchone() == (0,)
    with pytest.raises(ValueError, match="commit or roll back"):
        deliver(outbox, [quiet()])
    connection.execute("ROLLBACK")
    assert outbox.enqueue("r-1", [alert()], [quiet()], NOW) == 1
    assert other.execute(count).fetchone() == (1,)
    with sending():
        assert [d.outcome for d in deliver(outbox, [quiet()])] == ["sent"]
    assert other.execute("SELECT state FROM outbox").fetchone() == ("sent",)
    connection.close()
    other.close()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="connections have no such mode")
def test_a_connection_may_always_be_in_a_transaction(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "state.db", autocommit=False)  # type: ignore[call-overload]
    create_tables(connection)
    outbox = Outbox(connection)
    outbox.enqueue("r-1", [alert()], [quiet()], NOW)
    with sending():
        assert [d.outcome for d in deliver(outbox, [quiet()])] == ["sent"]
    connection.rollback()
    assert states(connection) == [("r-1", "sent", False)]
    connection.close()


def test_rows_may_be_made_otherwise_by_the_caller(outbox: Outbox, connection: sqlite3.Connection) -> None:
    connection.row_factory = lambda cursor, row: dict(zip([c[0] for c in cursor.description], row, strict=True))
    with sending():
        assert told_once(outbox, "r-1", [alert()], [quiet()], NOW) == ["here new"]
        assert told_once(outbox, "r-2", [alert(kind="changed")], [quiet()], NOW) == ["here changed"]


def test_what_was_sent_is_remembered_for_a_while_only(outbox: Outbox, connection: sqlite3.Connection) -> None:
    with sending():
        told_once(outbox, "r-1", [alert()], [quiet()], NOW)
        told_once(outbox, "r-2", [alert(kind="changed")], [quiet()], NOW + 80 * DAY)
        deliver(outbox, [quiet()], NOW + 100 * DAY)
    assert [run for run, _, _ in states(connection)] == ["r-2"]
    assert connection.execute("SELECT count(*) FROM told").fetchone() == (1,)


# ---------------------------------------------------------------- forgetting


def test_forgetting_a_campaign_leaves_nothing_of_it(outbox: Outbox, connection: sqlite3.Connection) -> None:
    with sending():
        told_once(outbox, "r-1", [alert("c-1"), alert("c-2")], [quiet()], NOW)
    outbox.enqueue(
        "r-2",
        [
            alert("c-1", kind="changed", run="r-2"),
            alert("c-3", run="r-2", summary="It took over from c-1."),
            alert("c-12", run="r-2", summary="Not to be mixed up."),
        ],
        [quiet()],
        NOW,
    )
    assert outbox.forget(["c-1", "c-9"]) == 2 + 1 + 1
    held = "\n".join(connection.iterdump())
    assert re.findall(r"c-\d+", held)
    assert not re.search(r"c-1\b", held)
    assert outbox.forget([]) == 0


@pytest.mark.parametrize(
    ("account", "text", "named"),
    [
        ("jane", "jane@example.org signed up.", True),
        ("jane", "The account (jane), and others.", True),
        ("jane", "janet and mary_jane are others", False),
        ("u1", "u12, xu1", False),
        ("帳戶", "這個帳戶是新的", True),
        ("a\ud800b", "see a\ud800b", True),
        ("line\nbreak", "see line\nbreak.", True),
        ("a.b", "see aXb", False),
        ("", "anything", False),
    ],
)
def test_forgetting_an_account_removes_what_names_it(
    outbox: Outbox, connection: sqlite3.Connection, account: str, text: str, named: bool
) -> None:
    fields: list[dict[str, Any]] = [
        {"summary": text},
        {"changes": (text,)},
        {"excerpt": text},
        {"capability_targets": (text,)},
        {"report": text},
    ]
    alerts = [alert(f"c-{number}", **values) for number, values in enumerate(fields)]
    outbox.enqueue("r-1", alerts, [quiet(include_text=True)], NOW)
    assert outbox.forget_account(account) == (5 if named else 0)
    assert len(states(connection)) == (0 if named else 5)


def test_a_campaign_whose_alert_was_removed_is_told_again(outbox: Outbox, connection: sqlite3.Connection) -> None:
    with sending():
        told_once(outbox, "r-1", [alert()], [quiet()], NOW)
        outbox.enqueue("r-2", [alert(kind="changed", run="r-2", changes=("jane is new.",))], [quiet()], NOW + DAY)
        assert forget_account(connection, "jane") == 1
        assert told_once(outbox, "r-3", [alert(kind="standing")], [quiet()], NOW + 2 * DAY) == ["here standing"]


def test_what_a_destination_said_of_an_account_is_removed(receiver: Receiver, webhook: Channel, outbox: Outbox) -> None:
    receiver.answer(400, body=b"unknown user jane")
    told_once(outbox, "r-1", [alert()], [webhook], NOW)
    assert outbox.forget_account("jane") == 1


# ---------------------------------------------------------------- the property


@dataclasses.dataclass(frozen=True)
class Step:
    tiers: tuple[str | None, ...]
    grown: tuple[bool, ...]
    fails: tuple[str, ...]
    """How sending goes in this run, attempt by attempt: ok, fail, unsure (it got there all the same) or kill."""
    repeated: bool


STEP = st.builds(
    Step,
    tiers=st.tuples(*[st.sampled_from([None, *TIERS])] * 2),
    grown=st.tuples(st.booleans(), st.booleans()),
    fails=st.lists(st.sampled_from(["ok", "fail", "unsure", "kill"]), max_size=6).map(tuple),
    repeated=st.booleans(),
)


@given(steps=st.lists(STEP, min_size=1, max_size=8), notify_on=st.sampled_from(["changed", "all"]))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_fails_nothing_is_told_twice_and_the_last_state_is_told(steps: list[Step], notify_on: Any) -> None:
    connection = database()
    outbox = Outbox(connection)
    channels = [
        quiet("hook", notify_on=notify_on),
        quiet("urgent", notify_on=notify_on, tier="urgent"),
        dataclasses.replace(quiet("pages"), destination=PagerDuty(routing_key=ROUTING_KEY, resolve="quiet")),
    ]
    before: dict[str, str | None] = {}
    fails: list[str] = []
    got: list[tuple[str, dict[str, Any], bool]] = []
    doubtful: Counter[str] = Counter()

    def receive(channel: Channel, told: dict[str, Any], *, closes: bool, now: float) -> None:
        how = fails.pop(0) if fails else "ok"
        if how == "fail":
            raise SendError("no")
        got.append((channel.name, told, closes))
        if how == "unsure":
            doubtful[told["key"]] += 1
            raise SendError("who knows", unsure=True)
        if how == "kill":
            doubtful[told["key"]] += 1
            raise KeyboardInterrupt

    with patch("harvestdetect.alerts.delivery.send", receive):
        for number, step in enumerate([*steps, dataclasses.replace(steps[-1], fails=(), grown=(False, False))]):
            run, now = f"r-{number}", NOW + number * DAY
            alerts = []
            for campaign, tier, grown in zip(("c-1", "c-2"), step.tiers, step.grown, strict=True):
                known, last = campaign in before, before.get(campaign)
                if tier is None and last is None:
                    continue
                kind = "resolved" if tier is None else "changed" if tier != last or grown else "standing"
                if tier is not None and last is None:
                    kind = "back" if known else "new"
                before[campaign] = tier
                alerts.append(alert(campaign, kind=kind, tier=tier or last, run=run))
            fails[:] = step.fails
            for _ in range(2 if step.repeated else 1):
                outbox.enqueue(run, alerts, channels, now)
                try:
                    done = deliver(outbox, channels, now, give_up_after=1_000 * DAY)
                except KeyboardInterrupt:
                    continue
                assert "given up" not in {d.outcome for d in done}
        fails.clear()
        deliver(outbox, channels, NOW + 500 * DAY, give_up_after=1_000 * DAY)

    sent = Counter((name, told["key"]) for name, told, _ in got)
    assert all(number <= 1 + doubtful[key] for (_, key), number in sent.items())
    marked = connection.execute("SELECT channel, run, campaign_id, count(*) FROM outbox GROUP BY 1, 2, 3").fetchall()
    assert all(number == 1 for *_, number in marked)
    assert connection.execute("SELECT count(*) FROM outbox WHERE state = 'waiting'").fetchone() == (0,)
    for one in channels:
        for campaign, tier in before.items():
            heard = [
                (told, closes) for name, told, closes in got if (name, told["campaign_id"]) == (one.name, campaign)
            ]
            stands = tier is not None and TIERS.index(tier) <= TIERS.index(one.tier)  # type: ignore[arg-type]
            if stands:
                told, closes = heard[-1]
                assert (told["tier"], closes) == (tier, False)
            else:
                assert not heard or heard[-1][1]
            if one.name == "pages":
                actions = [closes for _, closes in heard]
                assert not actions or not actions[0], "a resolve comes after a trigger only"
    connection.close()


# ---------------------------------------------------------------- configuration


ENVIRONMENT = {
    "SLACK_URL": "https://hooks.slack.com" + PATH,
    "PAGERDUTY_KEY": ROUTING_KEY,
    "WEBHOOK_SECRET": SECRET,
    "WEBHOOK_AUTH": "Bearer bearerSECRET",
    "EMPTY_ONE": " ",
}
HOOK = 'type = "webhook"\nurl = "https://hooks.example/in"\n'
SLACK = 'type = "slack"\nurl_env = "SLACK_URL"\n'


def write(tmp_path: Path, *tables: str, before: str = "") -> Path:
    file = tmp_path / "settings.toml"
    file.write_text(before + "".join(f"\n[[alerts]]\n{table}" for table in tables), encoding="utf-8")
    return file


def test_channels_are_read(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        SLACK,
        'type = "pagerduty"\nrouting_key_env = "PAGERDUTY_KEY"\nname = "on call"\nnotify_on = "new"\ntier = "urgent"\n',
        HOOK
        + 'secret_env = "WEBHOOK_SECRET"\nheaders = {X-Team = "ts"}\nheaders_env = {Authorization = "WEBHOOK_AUTH"}\n'
        'repeat = "7d"\ninclude_text = true\ntimeout = 2.5\nretries = 0\nnotify_on = "all"\ntier = "watch"\n',
        'type = "syslog"\naddress = "tcp://[::1]:601"\nfacility = "auth"\n',
        'type = "syslog"\n',
        'type = "command"\ncommand = ["/usr/bin/page", "--quiet", ""]\nrepeat = "12h"\n',
        SLACK,
        before='encoder = "fast"\n[mapping]\nprompt = "text"\n',
    )
    channels = load_channels(file, environment=ENVIRONMENT)
    assert [one.name for one in channels] == ["slack", "on call", "webhook", "syslog", "syslog-2", "command", "slack-2"]
    assert [one.type for one in channels] == ["slack", "pagerduty", "webhook", "syslog", "syslog", "command", "slack"]
    assert channels[0] == Channel(
        name="slack",
        digest_above=5,
        destination=Slack(url=ENVIRONMENT["SLACK_URL"]),
        notify_on="changed",
        tier="review",
        repeat=None,
        include_text=False,
        timeout=10.0,
        retries=2,
    )
    assert channels[1].destination == PagerDuty(routing_key=ROUTING_KEY, url="https://events.pagerduty.com/v2/enqueue")
    assert (channels[1].notify_on, channels[1].tier) == ("new", "urgent")
    assert channels[2] == Channel(
        name="webhook",
        destination=Webhook(
            url="https://hooks.example/in",
            secret=SECRET,
            headers=(("X-Team", "ts"), ("Authorization", "Bearer bearerSECRET")),
        ),
        notify_on="all",
        tier="watch",
        repeat=7 * DAY,
        include_text=True,
        timeout=2.5,
        retries=0,
    )
    assert channels[3].destination == Syslog(address="tcp://[::1]:601", facility="auth")
    assert channels[4].destination == Syslog(address="/dev/log", facility="local0")
    assert (channels[5].destination, channels[5].repeat) == (
        Command(command=("/usr/bin/page", "--quiet", "")),
        43_200.0,
    )
    shown = repr(channels)
    assert not [s for s in (PATH, "T0SECRET0", ROUTING_KEY, SECRET, "bearerSECRET", "--quiet") if s in shown]


def test_a_file_without_alerts_has_no_channels(tmp_path: Path) -> None:
    assert load_channels(write(tmp_path, before='encoder = "fast"\n')) == ()


def test_secrets_come_from_the_process_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_URL", ENVIRONMENT["SLACK_URL"])
    assert load_channels(write(tmp_path, SLACK))[0].destination == Slack(url=ENVIRONMENT["SLACK_URL"])


HIDDEN = "hiddenSECRETvalue"
MISTAKES: list[tuple[str, str, str]] = [
    ("", "type", "is missing; it must be one of slack, pagerduty, webhook, syslog, command"),
    ('type = "mail"\n', "type", "must be one of slack, pagerduty, webhook, syslog, command, got 'mail'"),
    ("type = 3\n", "type", "must be one of slack, pagerduty, webhook, syslog, command, got 3"),
    (SLACK + "secret = 1\n", "secret", "is unknown; known keys are type, name, notify_on, tier, repeat"),
    (HOOK + 'facility = "auth"\n', "facility", "is unknown; known keys are"),
    (HOOK + 'name = ""\n', "name", "must be 1 to 64 letters, digits, blanks and . _ -"),
    (HOOK + 'name = "a\\nb"\n', "name", "must be 1 to 64 letters, digits, blanks and . _ -"),
    (HOOK + "name = 5\n", "name", "got 5"),
    (HOOK + 'notify_on = "some"\n', "notify_on", "must be one of new, changed, all, got 'some'"),
    (HOOK + 'tier = "high"\n', "tier", "must be one of urgent, review, watch, got 'high'"),
    (HOOK + 'tier = ["urgent"]\n', "tier", "must be one of urgent, review, watch, got ['urgent']"),
    (HOOK + 'repeat = "weekly"\n', "repeat", "must be a whole number above 0 and one of s, m, h, d, w"),
    (HOOK + 'repeat = "0d"\n', "repeat", "got '0d'"),
    (HOOK + "repeat = 7\n", "repeat", "got 7"),
    (HOOK + 'include_text = "yes"\n', "include_text", "must be true or false, got 'yes'"),
    (HOOK + "timeout = 0\n", "timeout", "must be a number of seconds from 0.1 to 120, got 0"),
    (HOOK + "timeout = nan\n", "timeout", "got nan"),
    (HOOK + "timeout = true\n", "timeout", "got True"),
    (HOOK + "retries = 11\n", "retries", "must be a whole number from 0 to 10, got 11"),
    (HOOK + "retries = 1.5\n", "retries", "got 1.5"),
    ('type = "slack"\n', "url", "the name of an environment variable with the value, or url itself"),
    ('type = "slack"\nurl = ""\n', "url", "must be a text that is not empty, got an empty text"),
    ('type = "slack"\nurl = 5\n', "url", "must be a text that is not empty, got a number"),
    (f'type = "slack"\nurl = "{HIDDEN}"\n', "url", "got a text without a scheme"),
    (f'type = "slack"\nurl = "ftp://a.example/{HIDDEN}"\n', "url", "got one that starts with ftp://"),
    (f'type = "slack"\nurl = "file:///{HIDDEN}"\n', "url", "got one that starts with file://"),
    (f'type = "slack"\nurl = "http://a.example/{HIDDEN}"\n', "url", "starts with http:// and names another machine"),
    (f'type = "slack"\nurl = "http://localhost.a.example/{HIDDEN}"\n', "url", "http:// and names another machine"),
    (f'type = "slack"\nurl = "https://u:{HIDDEN}@a.example/"\n', "url", "must not have a name or password"),
    (f'type = "slack"\nurl = "https:///{HIDDEN}"\n', "url", "got one with a malformed host"),
    (f'type = "slack"\nurl = "https://a..example/{HIDDEN}"\n', "url", "got one with a malformed host"),
    (f'type = "slack"\nurl = "https://a.example:port/{HIDDEN}"\n', "url", "got one with a malformed host or port"),
    (f'type = "slack"\nurl = "https://[a/{HIDDEN}"\n', "url", "got one with a malformed host or port"),
    (f'type = "slack"\nurl = "https://a.example/{HIDDEN} x"\n', "url", "got one with blanks or characters outside"),
    (f'type = "slack"\nurl = "https://a.example/\\n{HIDDEN}"\n', "url", "got one with blanks"),
    (f'type = "slack"\nurl = "https://a.example/#{HIDDEN}"\n', "url", "got one with a fragment"),
    ('type = "slack"\nurl_env = "NO_SUCH_ONE"\n', "url_env", "that is set, but the variable NO_SUCH_ONE is not"),
    ('type = "slack"\nurl_env = "EMPTY_ONE"\n', "url_env", "that is set, but the variable EMPTY_ONE is not"),
    (f'type = "slack"\nurl_env = "{HIDDEN}"\n', "url_env", "but this variable is not"),
    (f'type = "slack"\nurl_env = "https://a.example/{HIDDEN}"\n', "url_env", "must be the name of an"),
    ('type = "slack"\nurl_env = 7\n', "url_env", "such as ALERTS_KEY, got a number"),
    (SLACK + f'url = "https://a.example/{HIDDEN}"\n', "url_env", "must not be given together with url"),
    ('type = "pagerduty"\n', "routing_key", "is missing; give routing_key_env"),
    (f'type = "pagerduty"\nrouting_key = "{HIDDEN} x"\n', "routing_key", "must be printable ASCII without blanks"),
    (f'type = "pagerduty"\nrouting_key = ["{HIDDEN}"]\n', "routing_key", "got a list"),
    ('type = "pagerduty"\nrouting_key_env = "PAGERDUTY_KEY"\nurl = "gopher://x"\n', "url", "starts with gopher://"),
    ('type = "pagerduty"\nrouting_key_env = "PAGERDUTY_KEY"\nurl = 1\n', "url", "must be a text, got a number"),
    (HOOK + 'secret = "short-SECRET"\n', "secret", "must have at least 16 characters, got 12"),
    (HOOK + f'secret = {{a = "{HIDDEN}"}}\n', "secret", "got a table"),
    (HOOK + 'secret_env = "NO_SUCH_ONE"\n', "secret_env", "the variable NO_SUCH_ONE is not"),
    (HOOK + f'headers = ["{HIDDEN}"]\n', "headers", "must be a table whose values are texts"),
    (HOOK + "headers = {A = 1}\n", "headers", "must be a table whose values are texts"),
    (HOOK + f'headers = {{Host = "{HIDDEN}"}}\n', "headers", "must not have the header 'Host'"),
    (HOOK + f'headers = {{x-harvestdetect-signature = "{HIDDEN}"}}\n', "headers", "must not have the header"),
    (HOOK + f'headers = {{"A\\nB" = "{HIDDEN}"}}\n', "headers", "must not have the header"),
    (HOOK + f'headers = {{A = "{HIDDEN}\\r\\nB: c"}}\n', "headers.A", "must be printable ASCII on one line"),
    (HOOK + 'headers = {A = "1"}\nheaders_env = {a = "WEBHOOK_AUTH"}\n', "headers_env", "the header 'a' twice"),
    (HOOK + 'headers_env = {A = "NO_SUCH_ONE"}\n', "headers_env.A", "the variable NO_SUCH_ONE is not"),
    ('type = "syslog"\naddress = "http://a.example"\n', "address", "must be udp://host:514, tcp://host:601 or"),
    ('type = "syslog"\naddress = "a.example:514"\n', "address", "got 'a.example:514'"),
    ('type = "syslog"\naddress = "udp://"\n', "address", "got 'udp://'"),
    ('type = "syslog"\naddress = "udp://a.example:514/x"\n', "address", "got 'udp://a.example:514/x'"),
    ('type = "syslog"\naddress = "udp://a.example:99999"\n', "address", "got one with a malformed host or port"),
    (f'type = "syslog"\naddress = "tcp://u:{HIDDEN}@a.example"\n', "address", "(not shown)"),
    ('type = "syslog"\naddress = 514\n', "address", "got a number"),
    ('type = "syslog"\nfacility = "local8"\n', "facility", "must be one of kern, user, mail"),
    ('type = "command"\n', "command", "is missing; it must be a list of texts"),
    (f'type = "command"\ncommand = "page {HIDDEN}"\n', "command", "must be a list of texts, the program"),
    ('type = "command"\ncommand = []\n', "command", "got no program"),
    ('type = "command"\ncommand = [""]\n', "command", "got no program"),
    (f'type = "command"\ncommand = ["page", "{HIDDEN}", 5]\n', "command", "number 3 is a number"),
    (f'type = "command"\ncommand = ["page", "{HIDDEN}\\u0000"]\n', "command", "number 2 is a text"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "key", "message"), MISTAKES)
def test_a_mistake_is_named_with_file_table_and_key(tmp_path: Path, table: str, key: str, message: str) -> None:
    file = write(tmp_path, 'type = "syslog"\n', table)
    with pytest.raises(SettingsError) as raised:
        load_channels(file, environment=ENVIRONMENT)
    told = str(raised.value)
    assert told.startswith(f"the settings file {file}, [[alerts]] table 2")
    assert f"key {key!r} " in told
    assert message in told
    assert "SECRET" not in told.replace("WEBHOOK_SECRET", "")
    assert raised.value.__cause__ is None


def test_names_must_differ(tmp_path: Path) -> None:
    for tables in ((HOOK + 'name = "a"\n', SLACK + 'name = "a"\n'), (SLACK, HOOK + 'name = "slack"\n')):
        with pytest.raises(SettingsError, match=r"\[\[alerts\]\] table 2: key 'name': another channel is named '\w+'"):
            load_channels(write(tmp_path, *tables), environment=ENVIRONMENT)


@pytest.mark.parametrize("text", ["alerts = 1\n", "[alerts]\ntype = 'slack'\n", "alerts = [1]\n"])
def test_alerts_are_a_list_of_tables(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, before=text)
    with pytest.raises(SettingsError, match=r"alerts must be a list of tables, each written as \[\[alerts\]\]"):
        load_channels(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read the settings file .*none.toml: No such file"):
        load_channels(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match=r"is not valid TOML: "):
        load_channels(write(tmp_path, before="a = ["))
    (tmp_path / "settings.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(SettingsError, match=r"is not valid TOML: it is not UTF-8$"):
        load_channels(tmp_path / "settings.toml")


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "[::1]:8080", "localhost"])
def test_http_is_for_this_machine(tmp_path: Path, host: str) -> None:
    assert load_channels(write(tmp_path, f'type = "webhook"\nurl = "http://{host}/in"\n'))[0].type == "webhook"


# ---------------------------------------------------------------- documentation


def test_the_examples_of_the_page_are_right(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    kinds = set()
    for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        file = tmp_path / "settings.toml"
        file.write_text(block, encoding="utf-8")
        names = re.findall(r'_env = "(\w+)"|= "(ALERTS_\w+)"', block)
        variables = {
            name: ENVIRONMENT["SLACK_URL"] if "URL" in name else ROUTING_KEY for pair in names for name in pair if name
        }
        kinds |= {one.type for one in load_channels(file, environment=variables)}
    assert kinds == {"slack", "pagerduty", "webhook", "syslog", "command"}


def test_the_snippet_of_the_page_verifies_a_signature(receiver: Receiver, webhook: Channel) -> None:
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "docs/alerts.md", "exec"), names)
    plain(webhook, alert())
    (request,) = receiver.requests
    stamp, signed = (request.headers[f"x-harvestdetect-{name}"] for name in ("timestamp", "signature"))
    verified = names["verified"]
    assert verified(SECRET, stamp, signed, request.body, now=NOW + 100)
    assert not verified(SECRET, stamp, signed, request.body + b" ", now=NOW)
    assert not verified(SECRET, str(int(stamp) + 1), signed, request.body, now=NOW)
    assert not verified(SECRET, stamp, signed, request.body, now=NOW + 1_000)
    assert not verified("another-secret-0123456789", stamp, signed, request.body, now=NOW)
    assert not verified(SECRET, "soon", signed, request.body, now=NOW)
