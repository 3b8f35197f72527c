"""Small dumps with a planted campaign, and their scans."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from harvestdetect import Settings, detect, read_dumps, write_outputs
from tests.state.nights import FORMS, WORDS

START: Final = 1_780_272_000
DAY: Final = 86_400
POOL: Final = 24
"""Accounts of the planted campaign."""
SENT: Final = 5
"""Prompts of each of them."""
DAYS: Final = 6
"""Days of a dump."""
HOSTILE: Final = "\x1b[31mred\x1b[0m \u202egnp.exe <script>alert(1)</script> =cmd|' mail bob@example.org"
TWICE: Final = "Which lamp suits a small garden shed with one window?"


def rows(seed: int = 0, *, people: int = 400) -> list[dict[str, Any]]:
    """Some days of a service: what people ask, a list of questions dealt to a pool, and a hostile text."""
    rng = random.Random(seed)

    def time() -> int:
        return START + rng.randrange(DAYS * DAY)

    made: list[dict[str, Any]] = [
        {
            "account": f"person-{seed}-{rng.randrange(150)}", "timestamp": time(),
            "ip": f"198.51.{rng.randrange(99)}.7",
            "prompt": " ".join(rng.sample(WORDS, 9)) + f" {rng.choice(['please', 'thanks', 'why', 'how'])}?",
        }
        for _ in range(people)
    ]  # fmt: skip
    made += [
        {
            "account": f"one-{i}", "timestamp": time(), "ip": f"203.0.113.{i}", "payment": f"4242-0000-{i // 8}",
            "prompt": FORMS["one"].format(*rng.sample(WORDS, 3)),
        }
        for i in range(POOL)
        for _ in range(SENT)
    ]  # fmt: skip
    made += [{"account": f"person-{seed}-{i}", "timestamp": time(), "prompt": TWICE} for i in (1, 2)]
    made.append({"account": "\x1b]0;evil\x07", "timestamp": time(), "prompt": HOSTILE})
    return [{**row, "created_at": opened(row["account"])} for row in made]


def opened(account: str) -> int:
    """When an account signed up: those of the pool one after the other, the others at any time of the year."""
    if account.startswith("one-"):
        return START - 3 * DAY + int(account[4:]) * 600
    return START - (sum(map(ord, account)) * 7_919 % 300 + 5) * DAY


def write(file: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Writes rows as JSON Lines."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def scan(dump: Path, out: Path, work: Path, cache: Path) -> None:
    """Scans a dump with a work folder, and writes the results."""
    settings = Settings(encoder="fast", workers=1, threads=1, cache=cache, work=work)
    write_outputs(detect(read_dumps([dump]), settings=settings), out)
