"""Alerts made by hand, receivers of all kinds on this machine, and what they got."""

from __future__ import annotations

import dataclasses
import http.server
import json
import re
import socket
import socketserver
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st

from harvestdetect.alerts import Alert, Channel, Delivery, Outbox, create_tables
from harvestdetect.alerts.delivery import Limits, Timing
from harvestdetect.alerts.destinations import send
from harvestdetect.alerts.render import alert_record
from harvestdetect.alerts.values import Destination, Webhook
from harvestdetect.data import TIERS

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
        "probability": "about 95 %",
        "accounts": 56,
        "new_accounts": 5,
        "prompts": 1_268,
        "first_seen": int(NOW - 9 * DAY),
        "last_seen": int(NOW - DAY),
        "summary": "56 accounts sent 1,268 prompts of one template on 9 days.",
        "changes": ("5 accounts are new.",),
        "capability_targets": ("coding", "reasoning traces"),
        "title": "reasoning traces: “Tell a tale about … in … words”",
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
        title=text,
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


def texts_of(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get("text"), str) and "type" in value:
            yield value
        for one in value.values():
            yield from texts_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts_of(one)


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
