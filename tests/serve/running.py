"""A server in a thread of the test, folders to serve, and a client that is not a browser."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa

from harvestdetect import report
from harvestdetect.data import MAP_COLUMNS, PROMPT_COLUMNS, Detection
from harvestdetect.serve import Desk, Options, places_of
from harvestdetect.serve.server import Serving
from harvestdetect.state import open_state
from tests.report.making import HOSTILE, T0


@dataclass(slots=True)
class Reply:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    def field(self, name: str) -> str:
        """The value of a hidden field."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        assert found is not None, f"no field {name} in {self.text[:300]}"
        return found[1]


@dataclass
class Client:
    """A client with or without a session."""

    port: int
    cookie: str = ""
    secret: str = ""
    """Value of the hidden field of every form."""
    host: str = ""

    def ask(self, method: str, path: str, body: bytes | str | None = None, **headers: str) -> Reply:
        """Sends one request; header names have underscores for dashes."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie and "Cookie" not in sent:
            sent["Cookie"] = self.cookie
        if self.host:
            sent["Host"] = self.host
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read().decode())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, **headers)

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Reply:
        """Sends a form as a page of the server would."""
        sent = {"Origin": f"http://127.0.0.1:{self.port}", "Content_Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, urlencode({"key": self.secret, **fields}), **{**sent, **headers})

    def enter(self, address: str) -> None:
        """Opens the printed address."""
        reply = self.get(address[address.index("/enter") :])
        assert reply.status == 200, reply
        self.cookie = reply.headers["set-cookie"].split(";")[0]
        self.secret = self.get("/").field("key")


@dataclass
class Server:
    """A server that runs, and what it said."""

    serving: Serving
    desk: Desk
    notes: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.serving.port

    def client(self, name: str = "ann") -> Client:
        """A client with the session of a reviewer."""
        made = Client(self.port)
        made.enter(self.serving.addresses[name])
        return made


@contextmanager
def running(folder: Path, state: Path | None = None, *, read_only: bool = False, **more: Any) -> Iterator[Server]:
    """Serves a folder until the end of the context."""
    notes: list[str] = []
    desk = Desk(places_of(folder, state), read_only=read_only, title="a test")
    desk.load()
    options = Options(**{"port": 0, "reviewers": ("ann", "bob"), **more})
    with Serving(desk, options, notes=notes.append) as serving:
        thread = threading.Thread(target=serving.run)
        thread.start()
        try:
            yield Server(serving, desk, notes)
        finally:
            serving.stop()
            thread.join(20)
            desk.close()
            assert not thread.is_alive()


def with_prompts(detection: Detection, *, each: int = 4) -> Detection:
    """The detection with so many prompts of each member, a day apart, in a file with a hostile name, and a map."""
    names = [(f.campaign_id, m.account) for f in detection.findings for m in f.members for _ in range(each)]
    count = len(names)
    times = [1_000 * (T0 + 86_400 * (i % each)) for i in range(count)]
    columns = {
        "file": [HOSTILE] * count, "line": list(range(1, count + 1)), "account": [account for _, account in names],
        "campaign_id": [campaign for campaign, _ in names], "template_id": ["t-1"] * count,
        "membership": [0.9] * count, "timestamp": pa.array(times, pa.timestamp("ms", "UTC")),
    }  # fmt: skip
    places = [
        {"x": 0.01 * i, "y": -0.02 * i, "campaign_id": campaign, "account": HOSTILE, "file": HOSTILE, "line": i}
        for i, campaign in enumerate([None, *(finding.campaign_id for finding in detection.findings[:40])])
    ]
    plane = pa.Table.from_pylist(places, schema=MAP_COLUMNS)
    return replace(detection, prompts=pa.table(columns, schema=PROMPT_COLUMNS), map=plane)


def written(detection: Detection, out: Path) -> Path:
    """The folder of a scan."""
    report.write_outputs(detection, out)
    return out


def state_of(detection: Detection, folder: Path, *, runs: Sequence[int] = (T0, T0 + 86_400)) -> Path:
    """A state that knows the findings of a detection, since the first of some runs."""
    with open_state(folder, write=True) as opened, opened._store.transaction() as connection:
        for number, at in enumerate(runs, start=1):
            connection.execute(
                "INSERT INTO runs (run, started, finished, window_start, window_end, counts, settings, window_complete)"
                " VALUES (?, ?, ?, ?, ?, ?, '{}', 1)",
                (number, at, at, T0, at, json.dumps({"prompts": 1_000 * number, "accounts": 100})),
            )
        for f in detection.findings:
            told = {"first_seen": f.first_seen, "last_seen": f.last_seen, "active": f.last_seen}
            told |= {"prompts": f.prompts, "summary": f.summary, "mark": f.accounts}
            connection.execute(
                "INSERT INTO campaigns VALUES (?, 1, ?, ?, 'growing', ?, NULL, NULL, ?)",
                (f.campaign_id, runs[0], f.tier, len(runs), json.dumps(told)),
            )
            connection.executemany(
                "INSERT INTO members VALUES (?, ?, 1, 1, ?, 0)",
                [(f.campaign_id, m.account, m.membership) for m in f.members],
            )
            connection.executemany(
                "INSERT INTO signatures VALUES (?, ?, ?, 1, 1)",
                [(f.campaign_id, t.template_id, json.dumps(t.words)) for t in f.templates],
            )
            connection.executemany("INSERT INTO campaign_days VALUES (?, ?, ?)", [(f.campaign_id, *d) for d in f.days])
            connection.executemany(
                "INSERT INTO campaign_runs VALUES (?, ?, 'growing', ?, ?, 0.001, ?, 2, ?, ?)",
                [
                    (f.campaign_id, number, f.tier, f.score, f.accounts + number, f.prompts * number, f.last_seen)
                    for number in range(1, len(runs) + 1)
                ],
            )
    return folder


def until(check: Any, *, seconds: float = 20.0) -> None:
    """Waits until something holds."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
