"""Nightly scans through the command line, and the channels that hear of them."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harvestdetect.cli.main import run_command
from tests.alerts.receiving import ROUTING_KEY, Receiver

DAY = 86_400
WORDS = (
    *("river", "stone", "lamp", "cloud", "garden", "engine", "paper", "violin", "copper", "window", "market", "shadow"),
    *("bridge", "candle", "forest", "ladder", "mirror", "needle", "orange", "pepper", "quartz", "rabbit", "saddle"),
)
FORMS = {
    "one": "Solve the following {} exam question step by step and grade your own reasoning from one to ten: {} and {}",
    "two": "Act as an expert {} tutor, list every hidden assumption, then write the rubric that compares {} to {}",
}


def rows(start: int, day: int, *, pools: dict[str, int], people: int = 60) -> list[dict[str, Any]]:
    """A day of traffic: what people ask, and what pools of so many accounts harvest."""
    rng = random.Random(day)
    made = [
        {
            "account": f"person-{rng.randrange(40)}", "timestamp": start + day * DAY + rng.randrange(DAY - 1),
            "prompt": " ".join(rng.sample(WORDS, 9)) + f" {rng.choice(['please', 'thanks', 'why', 'how'])}?",
        }
        for _ in range(people)
    ]  # fmt: skip
    for name, accounts in pools.items():
        made += [
            {
                "account": f"{name}-{i}", "timestamp": start + day * DAY + rng.randrange(DAY - 1),
                "prompt": FORMS[name].format(rng.choice(WORDS), rng.choice(WORDS), rng.choice(WORDS)),
            }
            for i in range(accounts)
            for _ in range(3)
        ]  # fmt: skip
    return made


@dataclass
class Nights:
    """A state with its settings file, and what its runs printed."""

    folder: Path
    cache: Path
    capture: pytest.CaptureFixture[str]
    start: int = field(default_factory=lambda: int(time.time()) // DAY * DAY - 20 * DAY)
    said: str = ""
    out_text: str = ""

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def prom(self) -> Path:
        return self.folder / "run.prom"

    def settings(self, *tables: str, before: str = "") -> None:
        text = f'encoder = "fast"\n{before}' + "".join(f"\n[[alerts]]\n{table}\n" for table in tables)
        (self.folder / "settings.toml").write_text(text, encoding="utf-8")

    def day(self, number: int, **pools: int) -> Path:
        file = self.folder / f"day-{number}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows(self.start, number, pools=pools)))
        return file

    def run(self, *arguments: object) -> int:
        self.capture.readouterr()
        code = run_command([str(a) for a in arguments])
        captured = self.capture.readouterr()
        self.said, self.out_text = captured.err, captured.out
        return code

    def scan(self, *arguments: object, state: bool = True) -> int:
        base = ["--out", self.out, "--settings", self.folder / "settings.toml", "--cache", self.cache]
        base += ["--workers", "1", "--threads", "1", "--metrics", self.prom]
        base += ["--state", self.state] if state else []
        return self.run("scan", *arguments, *base)

    def figures(self) -> dict[str, float]:
        lines = (line for line in self.prom.read_text().splitlines() if not line.startswith("#"))
        return {name.removeprefix("harvestdetect_"): float(value) for name, value in (x.rsplit(" ", 1) for x in lines)}

    def found(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.out / "campaigns.jsonl").read_text().splitlines()]

    def known(self) -> list[dict[str, Any]]:
        assert self.run("campaigns", self.state, "--format", "json") == 0
        known: list[dict[str, Any]] = json.loads(self.out_text)
        return known


def webhook(receiver: Receiver, path: str = "/hook", **more: Any) -> str:
    keys = {"name": path.strip("/"), "tier": "watch", "retries": 0} | more
    lines = [f"{name} = {json.dumps(value)}" for name, value in keys.items()]
    return f'type = "webhook"\nurl = "{receiver.url}{path}"\n' + "\n".join(lines)


def pagerduty(receiver: Receiver, **more: Any) -> str:
    keys = {"name": "pages", "tier": "watch", "retries": 0} | more
    lines = [f"{name} = {json.dumps(value)}" for name, value in keys.items()]
    return f'type = "pagerduty"\nrouting_key = "{ROUTING_KEY}"\nurl = "{receiver.url}/pd"\n' + "\n".join(lines)


def got(receiver: Receiver, path: str) -> list[dict[str, Any]]:
    return [request.json() for request in receiver.requests if request.path == path]
